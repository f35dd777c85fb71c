"""Lists and deletes runtime caches with posit-sdk, as its documentation shows:
posit-sdk.py list | delete LANGUAGE VERSION IMAGE | purge
"""

import sys

from posit.connect import Client


def finish(task):
    task.wait_for()
    print(*task["output"], sep="\n")
    if task.error_code:
        sys.exit(task.error_message)


client = Client()
runtime = client.system.caches.runtime
match sys.argv[1:]:
    case ["list"]:
        for cache in runtime.find():
            print(cache["language"], cache["version"], cache["image_name"])
    case ["delete", language, version, image]:
        finish(runtime.destroy(language=language, version=version, image_name=image))
    case ["purge"]:
        for cache in runtime.find():
            finish(cache.destroy())
