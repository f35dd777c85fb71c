"""HAProxy in front of three nodes, each of which knows only its own tasks."""

import itertools
import json
import re
import threading
from collections import Counter

import pytest

from processes import Service, fetch

NODES = range(3)
CACHES = [f"R,4.{minor}.{patch},Local" for minor in range(5) for patch in range(10)]


@pytest.fixture
def cluster(connect):
    """Starts three nodes."""

    def start(seconds, caches=CACHES):
        options = [word for cache in caches for word in ("--cache", cache)]
        return connect("--nodes", "3", "--task-seconds", str(seconds), *options)

    return start


@pytest.fixture
def haproxy(tmp_path, ports):
    """Starts HAProxy in front of a cluster: by turns, or with all deletions started at one node.

    The looks at tasks go by the cookie alone. One without the cookie goes to the nodes by turns, and is
    refused by those that do not know the task.
    """
    services = []

    def start(cluster, node=None):
        port = ports()
        nodes = [
            f"  server node{n} {url.removeprefix('http://')} cookie node{n}"
            for n, url in enumerate(cluster.nodes)
        ]
        starting = nodes if node is None else [nodes[node]]
        newline = "\n"
        configuration = tmp_path / "haproxy.cfg"
        configuration.write_text(f"""\
global
  log stdout format raw local0
defaults
  mode http
  log global
  option httplog
  timeout connect 10s
  timeout client 60s
  timeout server 60s
  balance roundrobin
  cookie route insert indirect nocache
frontend balancer
  bind 127.0.0.1:{port}
  use_backend starting if {{ method DELETE }} !{{ req.cook(route) -m found }}
  default_backend nodes
backend starting
{newline.join(starting)}
backend nodes
{newline.join(nodes)}
""")
        services.append(Service("haproxy", ["haproxy", "-db", "-f", configuration], tmp_path))
        services[-1].wait_for_port(port)
        return f"http://127.0.0.1:{port}"

    yield start
    for service in services:
        service.stop()


@pytest.mark.parametrize("node", NODES)
def test_fifty_deletions_in_a_row_follow_their_tasks_to_the_end(program, cluster, haproxy, node):
    cluster = cluster(0.2)
    server = haproxy(cluster, node)
    for cache in CACHES:
        language, version, image = cache.split(",")
        run = program("delete", "-l", language, "-V", version, "-I", image, server=server)
        assert run.status == 0, run
        assert run.stdout == "Deleting runtime cache...\nSuccessfully deleted runtime cache\n", run
        assert f"deleted {language} {version} {image}, after" in run.stderr, run
    assert cluster.caches() == []
    # Each of them by the cookie: no look went astray.
    assert [(look["node"], look["status"]) for look in cluster.requests("Delete")] == [(node, 200)] * 50
    looks = cluster.requests("Task")
    assert len(looks) >= 50
    assert {(look["node"], look["status"]) for look in looks} == {(node, 200)}


def test_deletions_started_by_turns_follow_their_tasks_over_several_looks(program, cluster, haproxy):
    cluster = cluster(2.5)
    server = haproxy(cluster)
    runs = [program.start("delete", "-lR", f"-V4.0.{patch}", server=server) for patch in NODES]
    for run in runs:
        assert run.end().status == 0, run
        assert run.stdout == "Deleting runtime cache...\nSuccessfully deleted runtime cache\n", run
    assert {request["node"] for request in cluster.requests("Delete")} == set(NODES)
    looks = cluster.requests("Task")
    assert len(looks) >= 2 * len(runs)
    assert {look["status"] for look in looks} == {200}


@pytest.mark.parametrize("node", NODES)
def test_another_process_finds_the_node_of_a_task(program, cluster, haproxy, node):
    cluster = cluster(2)
    server = haproxy(cluster, node)
    started = program("delete", "-lR", "-V4.0.0", "--no-wait", server=server)
    assert started.status == 0, started
    assert re.fullmatch(r"\w+\n", started.stdout), started
    task = started.stdout.strip()

    run = program("task", task, "--wait", server=server)
    assert run.status == 0, run
    assert run.stdout == "Deleting runtime cache...\nSuccessfully deleted runtime cache\n", run
    assert ("R", "4.0.0", "Local") not in cluster.caches()
    looks = [(look["node"], look["status"]) for look in cluster.requests("Task")]
    # Once it is found, the cookie of that node is kept.
    found = looks.index((node, 200))
    assert {status for _, status in looks[:found]} <= {404}
    assert set(looks[found:]) == {(node, 200)}


def test_nodes_that_do_not_know_a_task_are_passed_by(program, cluster, haproxy):
    cluster = cluster(2)
    server = haproxy(cluster, 2)
    for patch in NODES:
        task = program("delete", "-lR", f"-V4.0.{patch}", "--no-wait", server=server).stdout.strip()
        run = program("task", task, "--wait", server=server)
        assert run.status == 0, run
    astray = [look for look in cluster.requests("Task") if look["status"] == 404]
    assert astray, "every look happened to hit the right node"


def test_a_task_that_no_node_knows_is_looked_for_on_each(program, cluster, haproxy):
    cluster = cluster(0)
    run = program("task", "unknownToAll", "--wait", server=haproxy(cluster))
    assert run.status == 4, run
    assert "code 141" in run.stderr, run
    looks = cluster.requests("Task")
    assert len(looks) == 11
    assert {look["node"] for look in looks} == set(NODES)


def test_a_purge_follows_all_its_tasks(program, cluster, haproxy):
    cluster = cluster(1)
    run = program("purge", "-l", "R", "-V", "4.1.*", "--yes", server=haproxy(cluster))
    assert run.status == 0, run
    assert len(cluster.caches()) == 40
    assert {look["status"] for look in cluster.requests("Task")} == {200}


def test_a_purge_of_5000_caches_tells_the_truth_while_nodes_restart_in_turn(program, cluster, haproxy):
    versions = itertools.product(range(5), range(100), range(10))
    caches = [f"R,{major}.{minor}.{patch},Local" for major, minor, patch in versions]
    cluster = cluster(0.05, caches)
    server = haproxy(cluster)
    restarted = []
    ended = threading.Event()

    def restart_in_turn():
        while not ended.wait(5):
            # The node's tasks end without effect, and its connections are closed.
            restarted.append(len(restarted) % len(NODES))
            fetch(f"{cluster.url}/__control__/restart?node={restarted[-1]}", "POST")

    unknown = 0
    restarting = threading.Thread(target=restart_in_turn)
    restarting.start()
    try:
        for _ in range(10):
            words = ("purge", "--all", "--yes", "--json", "--max-running", "50", "-q")
            run = program(*words, server=server)
            records = [json.loads(line) for line in run.stdout.splitlines()]
            claims = Counter(record["status"] for record in records)
            there = set(cluster.caches())
            for record in records:
                cache = (record["language"], record["version"], record["image_name"])
                if record["status"] in ("deleted", "absent"):
                    assert cache not in there, record
                else:
                    # Its task ended with the node.
                    assert record["status"] == "unknown", record
            assert run.status == (6 if claims["unknown"] else 0), (run.status, claims)
            unknown += claims["unknown"]
            if not there:
                break
    finally:
        ended.set()
        restarting.join()
    assert not there
    assert len(restarted) >= 3
    print(f"{len(restarted)} restarts, {unknown} outcomes unknown")
