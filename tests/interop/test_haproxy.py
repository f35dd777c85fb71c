"""HAProxy in front of three nodes, each of which knows only its own tasks."""

import itertools
import json
import re
import time
from pathlib import Path

import pytest

from processes import Service

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
    """Starts HAProxy in front of a cluster. Requests without a cookie go to the nodes in turn.

    `node` makes all lists start at one node, and with them the deletions after them, which have the list's cookie.
    Polls are routed by the cookie only, and those without one are refused by nodes that do not know the task.
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
  use_backend starting if {{ path_end /caches/runtime }} !{{ req.cook(route) -m found }}
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
def test_follows_the_tasks_of_fifty_deletions_in_a_row(program, cluster, haproxy, node):
    cluster = cluster(0.2)
    server = haproxy(cluster, node)
    for cache in CACHES:
        language, version, image = cache.split(",")
        run = program("delete", "-l", language, "-V", version, "-I", image, server=server)
        assert run.status == 0, run
        assert run.stdout == "Deleting runtime cache...\nSuccessfully deleted runtime cache\n", run
        assert f"deleted {language} {version} {image} in " in run.stderr, run
    assert cluster.caches() == []
    # Each poll was routed by the cookie to the right node.
    assert [(request["node"], request["status"]) for request in cluster.requests("Delete")] == [(node, 200)] * 50
    polls = cluster.requests("Task")
    assert len(polls) >= 50
    assert {(poll["node"], poll["status"]) for poll in polls} == {(node, 200)}


def test_follows_tasks_on_different_nodes_over_several_polls(program, cluster, haproxy):
    cluster = cluster(2.5)
    server = haproxy(cluster)
    runs = [program.start("delete", "-lR", f"-V4.0.{patch}", server=server) for patch in NODES]
    for run in runs:
        assert run.end().status == 0, run
        assert run.stdout == "Deleting runtime cache...\nSuccessfully deleted runtime cache\n", run
    assert {request["node"] for request in cluster.requests("Delete")} == set(NODES)
    polls = cluster.requests("Task")
    assert len(polls) >= 2 * len(runs)
    assert {poll["status"] for poll in polls} == {200}


@pytest.mark.parametrize("node", NODES)
def test_finds_the_node_of_a_task_that_another_run_started(program, cluster, haproxy, node):
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
    polls = [(poll["node"], poll["status"]) for poll in cluster.requests("Task")]
    # After the node is found, its cookie is kept.
    found = polls.index((node, 200))
    assert {status for _, status in polls[:found]} <= {404}
    assert set(polls[found:]) == {(node, 200)}


def test_skips_nodes_that_do_not_know_a_task(program, cluster, haproxy):
    cluster = cluster(2)
    server = haproxy(cluster, 2)
    for patch in NODES:
        task = program("delete", "-lR", f"-V4.0.{patch}", "--no-wait", server=server).stdout.strip()
        run = program("task", task, "--wait", server=server)
        assert run.status == 0, run
    misrouted = [poll for poll in cluster.requests("Task") if poll["status"] == 404]
    assert misrouted, "every poll happened to reach the right node"


def test_looks_up_an_unknown_task_on_each_node(program, cluster, haproxy):
    cluster = cluster(0)
    run = program("task", "unknownToAll", "--wait", server=haproxy(cluster))
    assert run.status == 4, run
    assert "code 141" in run.stderr, run
    polls = cluster.requests("Task")
    assert len(polls) == 11
    assert {poll["node"] for poll in polls} == set(NODES)


def test_follows_all_tasks_of_a_purge(program, cluster, haproxy):
    cluster = cluster(1)
    run = program("purge", "-l", "R", "-V", "4.1.*", "--yes", server=haproxy(cluster))
    assert run.status == 0, run
    assert len(cluster.caches()) == 40
    assert {poll["status"] for poll in cluster.requests("Task")} == {200}


def test_reports_the_truth_about_5000_caches_while_nodes_restart(program, cluster, haproxy, tmp_path):
    caches = [f"R,{major}.{minor}.{patch},Local" for major in range(50) for minor in range(10) for patch in range(10)]
    cluster = cluster(0.1, caches)
    words = ("purge", "--all", "--yes", "--json", "--quiet", "--max-running", "50", "--interval", "0.1")
    # Pipes would be full before the purge ends.
    with (tmp_path / "records").open("w+") as output, (tmp_path / "errors").open("w") as errors:
        run = program.start(*words, server=haproxy(cluster), streams=(output, errors))
        process, samples = Path(f"/proc/{run.process.pid}"), []
        for node in itertools.cycle(NODES):
            time.sleep(2)
            if run.process.poll() is not None:
                break
            cluster.restart(node)
            [memory] = re.findall(r"VmRSS:\s+(\d+) kB", (process / "status").read_text())
            samples.append((int(memory), len(list((process / "fd").iterdir()))))
        status = run.end().status
        output.seek(0)
        records = [json.loads(line) for line in output]

    remaining = set(cluster.caches())
    claims = {"deleted": set(), "unknown": set()}
    for record in records:
        claims[record["status"]].add((record["language"], record["version"], record["image_name"]))
    assert len(records) == sum(map(len, claims.values())) == len(caches)
    assert not claims["deleted"] & remaining, "a cache is reported as deleted, and exists"
    assert remaining <= claims["unknown"]
    assert status == (6 if claims["unknown"] else 0), run
    # Each restart loses some of the tasks that are running.
    lost = [request for request in cluster.requests("Task") if request["status"] == 404]
    assert lost and len(samples) >= 3, samples
    # The list of all caches is read first. After that, only the results take memory: less than 1 KiB each.
    (memory, files), *others = samples
    assert all(each < memory + len(caches) and count <= files + 1 for each, count in others), samples
