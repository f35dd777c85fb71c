"""Checks that packaging/kubernetes/cronjob.yaml mounts the files that it names, for its user alone: cronjob.py FILE"""

import sys

import yaml

pod = yaml.safe_load(open(sys.argv[1]))["spec"]["jobTemplate"]["spec"]["template"]["spec"]
[container] = pod["containers"]
volumes = {volume["name"]: volume for volume in pod["volumes"]}
folders = {mount["mountPath"]: volumes[mount["name"]] for mount in container["volumeMounts"]}
files = {variable["name"]: variable["value"].rpartition("/")[0] for variable in container["env"]}

assert "CONNECT_API_KEY" not in files and "configMap" in folders[files["CONNECT_CA_CERTIFICATE"]]
# 0440 in YAML is octal.
assert folders[files["CONNECT_API_KEY_FILE"]]["secret"]["defaultMode"] == 0o440
