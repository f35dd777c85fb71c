"""Runs the benchmark and writes docs/bench.md and its plots; packaging/bench/run starts it.

`quick` leaves out long tasks, many caches and long outputs. `report` only writes the documents again, from the
results of the run before.
"""

import json
import os
import platform
import sys
import time
from pathlib import Path

import measure
import plots
import report
from clients import installed_kib, versions

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"
RESULTS = Path(os.environ["TOOLS"], "results.json")
FULL = {
    "one": {"rounds": 5, "runs": 4},
    "caches": [10, 100, 1000],
    "lines": [10, 100, 1000, 10_000, 100_000],
    "tasks": [1, 2, 5, 10, 20, 60, 300, 600],
}
QUICK = {
    "one": {"rounds": 3, "runs": 2},
    "caches": [10, 100],
    "lines": [10, 100, 1000, 10_000],
    "tasks": [1, 2, 5, 10, 20],
}


def machine():
    cpu = next(line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name"))
    # Work of others on the machine delays all clients.
    load = os.getloadavg()[0]
    kernel = f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}"
    return f"{os.cpu_count()} cores of {cpu}, {kernel}, load average {load:.1f} at the start"


def results(settings):
    start = time.monotonic()
    found = {
        "quick": settings is QUICK,
        "date": time.strftime("%Y-%m-%d"),
        "machine": machine(),
        "versions": versions(),
        "installed": installed_kib(),
        "one": measure.one(**settings["one"]),
        "lines": measure.lines(settings["lines"]),
        "caches": measure.caches(settings["caches"]),
        "tasks": measure.tasks(settings["tasks"]),
    }
    found["minutes"] = (time.monotonic() - start) / 60
    # Numbers as names become strings, as they are when they are read.
    RESULTS.write_text(json.dumps(found, indent=1))


match sys.argv[1:]:
    case ["report"]:
        pass
    case ["quick"]:
        results(QUICK)
    case []:
        results(FULL)
    case _:
        sys.exit("usage: packaging/bench/run [quick | report]")
found = json.loads(RESULTS.read_text())
(DOCS / "bench.md").write_text(report.document(found))
plots.deletion(found, DOCS / "bench-delete.svg")
plots.growth(found, DOCS / "bench-growth.svg")
