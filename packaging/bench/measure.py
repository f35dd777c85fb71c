"""The measurements. Each returns plain values for JSON."""

import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from statistics import median

from clients import CLIENTS, FLOOR
from server import Server

# Runs of tasks start this far apart, so that their ends do not fall together.
STAGGER = 0.5
# Runs for each length of a task. Each task is longer than the one before by a part of a second, so that a client
# that polls each second does not always meet the end at the same moment.
REPEATS = 3


def say(*words):
    print(*words, file=sys.stderr, flush=True)


def strings(words):
    return list(map(str, words))


def run(words, environment):
    """Runs a client that has to succeed, and returns its processor time in seconds. Its output goes to a file, as
    that of a scheduled job does."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            strings(words), env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            sys.exit(f"{shlex.join(process.args)} exits with {process.returncode}: {output.read()[-2000:].decode()}")
        return usage.ru_utime + usage.ru_stime


def run_once(words, environment):
    """Returns the seconds that a run takes, its processor time, and the KiB of its largest process at its peak."""
    # The peak that the kernel reports includes that of the program which starts the client: GNU time is small.
    with tempfile.NamedTemporaryFile("r") as report:
        start = time.perf_counter()
        processor = run(["/usr/bin/time", "-f", "%M", "-o", report.name, *words], environment)
        return time.perf_counter() - start, processor, int(report.read())


def run_often(words, environment, runs, warmup):
    """Returns hyperfine's wall times, and its mean of user and system time, in seconds."""
    with tempfile.NamedTemporaryFile("r") as report:
        options = ["-N", "--style", "none", "--runs", runs, "--warmup", warmup, "--export-json", report.name]
        command = shlex.join(strings(words))
        done = subprocess.run(
            strings(["hyperfine", *options, command]), env=environment, capture_output=True, text=True
        )
        if done.returncode:
            sys.exit(f"hyperfine: {command}: {done.stderr}")
        [result] = json.load(report)["results"]
        return result["times"], result["user"] + result["system"]


def one(rounds, runs):
    """Lists and deletes one cache. In each round, each client runs a few times, so that noise meets all alike."""
    found = {}
    for tls in (False, True):
        with Server(tls) as server:
            for action in ("list", "delete"):
                what = f"{action}, {'TLS' if tls else 'HTTP'}"
                say(what)
                clients = [*CLIENTS, FLOOR] if action == "delete" else CLIENTS
                times, processor = ({client.name: [] for client in clients} for _ in range(2))
                for turn in range(rounds):
                    for client in clients:
                        wall, used = run_often(getattr(client, action), server.environment, runs, int(turn == 0))
                        times[client.name] += wall
                        processor[client.name].append(used)
                for client in clients:
                    before = len(server.ask("requests"))
                    peaks = [run_once(getattr(client, action), server.environment)[2] for _ in range(3)]
                    found.setdefault(client.name, {})[what] = {
                        "seconds": median(times[client.name]),
                        "processor": sum(processor[client.name]) / rounds,
                        "kib": max(peaks),
                        "requests": (len(server.ask("requests")) - before) // len(peaks),
                    }
    return found


def grow(action, counts, server_with, repeats, limited=False):
    """Returns seconds, processor time and KiB of each client by number of caches or lines."""
    found = {client.name: {} for client in CLIENTS}
    for count in counts:
        with server_with(count) as server:
            for client in CLIENTS:
                if limited and count > client.purge_limit:
                    continue
                say(f"{action} {count:,}: {client.name}")
                runs = [run_once(getattr(client, action), server.environment) for _ in range(repeats)]
                found[client.name][count] = {
                    "seconds": median(seconds for seconds, _, _ in runs),
                    "processor": median(processor for _, processor, _ in runs),
                    "kib": max(kib for _, _, kib in runs),
                }
    return found


def caches(counts):
    """Lists and purges 10 caches and more."""
    with_caches = lambda count: Server(caches=count)
    return {
        "list": grow("list", counts, with_caches, 3),
        "purge": grow("purge", counts, with_caches, 1, limited=True),
    }


def lines(counts):
    """Deletes a cache with an output of 10 lines and more, all of them in the first reply."""
    return grow("delete", counts, lambda count: Server(lines=count), 2)


def follow(client, seconds):
    """Returns a deletion's numbers of requests and polls, and the seconds from its task's end to the client's."""
    with Server(seconds=seconds) as server:
        run(client.delete, server.environment)
        end = time.time()
        [task] = server.ask("tasks")
        requests = server.ask("requests")
        polls = [request for request in requests if request["endpoint"] == "Task"]
        return len(requests), len(polls), end - task["ends"]


def tasks(lengths):
    """Follows tasks of these lengths in seconds, all at the same time: their clients do little but wait."""
    say(f"following tasks of up to {max(lengths)} s")
    runs = [
        (length, client, length + repeat / REPEATS)
        for length in sorted(lengths, reverse=True)
        for repeat in range(REPEATS)
        for client in (*CLIENTS, FLOOR)
    ]
    with ThreadPoolExecutor(len(runs)) as pool:
        futures = []
        for length, client, seconds in runs:
            futures.append((client.name, length, pool.submit(follow, client, seconds)))
            time.sleep(STAGGER)
        ends = [(name, length, *future.result()) for name, length, future in futures]
    found = {client.name: {} for client in (*CLIENTS, FLOOR)}
    for name, length, requests, polls, delay in ends:
        entry = found[name].setdefault(length, {"requests": [], "polls": [], "delays": []})
        entry["requests"].append(requests)
        entry["polls"].append(polls)
        entry["delays"].append(delay)
    return found
