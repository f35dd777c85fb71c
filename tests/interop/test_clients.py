"""The test server works with other clients, posit-sdk and rsconnect-python, as Connect does."""

import json

import pytest
from posit.connect import Client
from posit.connect.errors import ClientError

import processes

IMAGE = "ghcr.io/Rstudio/content:base"
CACHES = ["R,4.3.0,Local", "Python,3.7.6,Local", f"R,4.2.0,{IMAGE}"]
# The list shows the sanitized name of the image.
R, PYTHON, BROKEN = (
    {"language": "R", "version": "4.3.0", "image_name": "Local"},
    {"language": "Python", "version": "3.7.6", "image_name": "Local"},
    {"language": "R", "version": "4.2.0", "image_name": "ghcr-io-rstudio-content-base"},
)
STARTED = ["Deleting runtime cache..."]
DONE = ["Deleting runtime cache...", "Successfully deleted runtime cache"]
FAILED = ["Deleting runtime cache...", "Failed to delete runtime cache"]
WHY = "Failed to delete runtime cache: permission denied"


@pytest.fixture(params=["http", "https under a prefix"])
def server(request, connect, identity):
    """A server with a cache of R, one of Python, and one that cannot be deleted."""
    settings = {} if request.param == "http" else {"identity": identity, "prefix": "/connect"}
    caches = [word for cache in CACHES for word in ("--cache", cache)]
    return connect("--task-seconds", "1", "--fail", CACHES[2], *caches, **settings)


@pytest.fixture
def sdk(server, authority, monkeypatch):
    """Creates posit-sdk's clients."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.ca))
    return lambda key: Client(server.url, key)


def refusal(error):
    """Returns the HTTP status, code and text of a ClientError."""
    reply = json.loads(str(error.value))
    return reply["http_status"], reply["error_code"], reply["error_message"]


def test_posit_sdk_deletes_a_cache(sdk):
    client = sdk("admin-key")
    assert client.version == "2026.09.0"
    assert (client.me["username"], client.me["user_role"]) == ("admin", "administrator")
    runtime = client.system.caches.runtime
    assert list(map(dict, runtime.find())) == [R, PYTHON, BROKEN]

    assert runtime.destroy(**PYTHON, dry_run=True) is None
    assert list(map(dict, runtime.find())) == [R, PYTHON, BROKEN]

    task = runtime.destroy(**PYTHON)
    running = {"id": task["id"], "finished": False, "output": STARTED, "last": 1}
    running |= {"code": 0, "error": "", "result": None}
    assert dict(task) == running
    task.wait_for()
    ended = {**running, "finished": True, "last": 2, "output": DONE}
    assert dict(task) == ended
    assert task.is_finished and task.error_code == 0 and not task.error_message
    task.update(first=1, wait=0)
    assert task["output"] == DONE[1:]
    assert dict(client.tasks.get(task["id"])) == ended
    assert list(map(dict, runtime.find())) == [R, BROKEN]


def test_posit_sdk_deletes_a_cache_that_it_found(sdk):
    client = sdk("admin-key")
    found = client.system.caches.runtime.find()[0]
    task = found.destroy(dry_run=False)
    task.wait_for()
    assert task["output"] == DONE
    assert list(map(dict, client.system.caches.runtime.find())) == [PYTHON, BROKEN]


def test_posit_sdk_ignores_a_task_that_fails(sdk):
    client = sdk("admin-key")
    task = client.system.caches.runtime.destroy(language="R", version="4.2.0", image_name=IMAGE)
    task.wait_for()  # Raises nothing.
    assert task.is_finished
    assert (task.error_code, task.error_message, task["output"]) == (1, WHY, FAILED)
    assert list(map(dict, client.system.caches.runtime.find())) == [R, PYTHON, BROKEN]


def test_posit_sdk_raises_refusals(sdk):
    client = sdk("admin-key")
    runtime = client.system.caches.runtime
    absent = {"language": "R", "version": "9.9.9", "image_name": "Local"}
    for dry_run in (False, True):
        with pytest.raises(ClientError) as error:
            runtime.destroy(**absent, dry_run=dry_run)
        assert refusal(error) == (404, 4, "Cache does not exist")
    with pytest.raises(ClientError) as error:
        runtime.destroy(**absent | {"language": "Julia"})
    assert refusal(error)[:2] == (400, 179)
    with pytest.raises(ClientError) as error:
        client.tasks.get("unknown")
    assert refusal(error)[:2] == (404, 141)

    forbidden = (403, 22, "You don't have permission to perform this operation.")
    for key, expected in [
        ("publisher-key", forbidden),
        ("viewer-key", forbidden),
        ("locked-key", (403, 50, "This user is locked.")),
        ("no-such-key", (401, 30, "The API key is not valid.")),
    ]:
        client = sdk(key)
        with pytest.raises(ClientError) as error:
            client.system.caches.runtime.find()
        assert refusal(error) == expected
        with pytest.raises(ClientError) as error:
            client.system.caches.runtime.destroy(**PYTHON)
        assert refusal(error) == expected


@pytest.fixture(params=[["rsconnect"], ["posit", "connect"]], ids=["rsconnect", "posit"])
def rsconnect(request, server, authority, tmp_path):
    """Runs `… system caches …`; returns its exit status, standard output and standard error."""

    def run(command, *words, key="admin-key"):
        words = ["-s", server.url, "-k", key, *words]
        words += ["-c", authority.ca] if server.url.startswith("https:") else []
        return processes.client(tmp_path, *request.param, "system", "caches", command, *words)

    return run


def words(cache):
    return "-l", cache["language"], "-V", cache["version"], "-I", cache["image_name"]


def caches(rsconnect):
    status, out, _ = rsconnect("list")
    assert status == 0
    return json.loads(out)["caches"]


def text(output):
    """Returns the output without the escapes that color it."""
    return output.replace("\x1b[0m", "")


def test_rsconnect_deletes_a_cache(rsconnect):
    assert caches(rsconnect) == [R, PYTHON, BROKEN]
    status, out, err = rsconnect("delete", *words(R), "--dry-run")
    assert (status, text(out + err).strip()) == (0, "Dry run finished")
    assert caches(rsconnect) == [R, PYTHON, BROKEN]

    status, out, err = rsconnect("delete", *words(R))
    assert (status, text(out + err).splitlines()) == (0, DONE)
    assert caches(rsconnect) == [PYTHON, BROKEN]


def test_rsconnect_exits_with_0_if_the_task_fails(rsconnect):
    status, out, err = rsconnect("delete", "-l", "R", "-V", "4.2.0", "-I", IMAGE)
    assert (status, text(out + err).splitlines()[: len(FAILED)]) == (0, FAILED)
    assert caches(rsconnect) == [R, PYTHON, BROKEN]


def test_rsconnect_reports_refusals(rsconnect, server):
    path = f"{server.prefix}/__api__/v1/system/caches/runtime"
    prefix = f"Error: Posit Connect reported an error (calling {path}): "
    forbidden = prefix + "You don't have permission to perform this operation.\n"
    absent = words({**R, "version": "9.9.9"})
    for arguments, key, expected in [
        (("delete", *absent), "admin-key", prefix + "Cache does not exist\n"),
        (("delete", *absent, "--dry-run"), "admin-key", prefix + "Cache does not exist\n"),
        (("list",), "publisher-key", forbidden),
        (("delete", *words(R)), "publisher-key", forbidden),
        (("delete", *words(R), "--dry-run"), "publisher-key", forbidden),
    ]:
        status, out, err = rsconnect(*arguments, key=key)
        assert (status, text(out + err)) == (1, expected)
    assert caches(rsconnect) == [R, PYTHON, BROKEN]


def test_reports_a_failure_that_other_clients_ignore(program, server, authority):
    """Both other clients ignore this failure."""
    run = program("delete", "-lR", "-V4.2.0", "-I", IMAGE, "-c", authority.ca, server=server.url)
    assert run.status == 1, run
    assert run.stdout.splitlines() == FAILED, run
    assert WHY in run.stderr, run
