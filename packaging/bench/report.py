"""The document: docs/bench.md."""

from statistics import median

TEXT = """\
# Benchmark

connect-cache, curl with jq, posit-sdk and rsconnect list and delete the same caches of the same server, the test server
in `tests/server`, on the same host.

- **Machine:** {machine}; {date}
- **Versions:** {versions}

`{command}` repeats it in {minutes:.0f} minutes, and writes this page and its plots. `packaging/bench/clients` contains
the scripts for curl and posit-sdk.{quick}

## One cache

{one}

Each cell: the median time of a whole run, its processor time in parentheses, and the peak memory of its largest
process. The clients take turns. Each deletion's task ends at once, so no client waits for it: the script for curl
polls before its first `sleep 1`, and the server answers the long polls of the others at once. The size includes
everything that a client needs on an empty Debian host.

![Bars: the time of one deletion and one list over TLS for each client](bench-delete.svg)

## Long tasks

{tasks}

Each cell: the requests of a whole deletion and the polls among them, then the median and the largest delay between the
end of the task and the end of the client, of {repeats} runs over TLS. connect-cache lets the server hold a poll for up
to 16 s, rsconnect and posit-sdk for 1 s; the server answers a held poll when the task ends. The script for curl sleeps
for a second between polls, so it notices the end up to a second late. All runs wait at the same time.

![Plots: requests and delay by the length of a task, time by number of caches, memory by lines of output](bench-growth.svg)

## Many caches

{caches}

Each cell: time and peak memory over TLS. connect-cache deletes 4 caches at a time, the others one after the other.
rsconnect deletes one cache per command, which takes as long for each{unmeasured}.

## Long outputs

{lines}

Each cell: time and peak memory of one deletion over TLS whose task has this much output, all in one reply.

## Goals

{goals}
"""


def duration(seconds):
    if seconds < 0.01:
        return f"{seconds * 1000:.1f} ms"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds:.0f} s"


def memory(kib):
    return f"{kib / 1024:.1f} MiB" if kib < 10240 else f"{kib / 1024:,.0f} MiB"


def table(header, rows):
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def cell(run):
    return f"{duration(run['seconds'])}, {memory(run['kib'])}"


def one(found):
    actions = list(found["one"]["connect-cache"])
    rows = []
    for name, runs in found["one"].items():
        cells = [
            f"{duration(run['seconds'])} ({duration(run['processor'])}), {memory(run['kib'])}"
            for run in (runs[action] for action in actions)
        ]
        rows.append([name, memory(found["installed"][name]), *cells])
    return table(["client", "installed", *actions], rows)


def tasks(found):
    lengths = list(found["tasks"]["connect-cache"])
    rows = []
    for length in lengths[::-1]:
        cells = []
        for runs in found["tasks"].values():
            run = runs[length]
            delays = f"{duration(median(run['delays']))}, {duration(max(run['delays']))}"
            cells.append(f"{first(run, 'requests')}, {first(run, 'polls')}; {delays}")
        rows.append([f"{length} s", *cells])
    return table(["task", *found["tasks"]], rows)


def first(run, what):
    # The first run is the one whose task has the exact length.
    return run[what][0]


def growing(first, by_client, unit):
    rows = []
    for count in by_client["connect-cache"]:
        cells = [cell(runs[count]) if count in runs else "" for runs in by_client.values()]
        rows.append([f"{first} {int(count):,} {unit}".strip(), *cells])
    return rows


def caches(found):
    names = list(found["one"])
    rows = [row for action in ("list", "purge") for row in growing(action, found["caches"][action], "caches")]
    return table(["", *names], rows)


def goals(found):
    """Compares the results with the goals of the project."""
    rows = []
    times = {name: runs["delete, TLS"]["seconds"] for name, runs in found["one"].items()}
    for name, goal in (("curl, jq", 15), ("posit-sdk", 30), ("rsconnect", 30)):
        ratio = times[name] / times["connect-cache"]
        claim = f"a deletion over TLS at least {goal} times faster than {name}"
        rows.append([claim, f"{ratio:.0f} times", ratio >= goal])
    for length, share, goal in (("20", 1 / 4, "a quarter"), ("300", 1 / 10, "a tenth")):
        if length in found["tasks"]["connect-cache"]:
            pair = [found["tasks"][name][length] for name in ("connect-cache", "rsconnect")]
            ours, theirs = (first(run, "polls") for run in pair)
            whole, their_whole = (first(run, "requests") for run in pair)
            got = f"{ours} of {theirs}, {ours / theirs:.0%}; the whole deletion {whole} of {their_whole}"
            rows.append([f"{goal} of rsconnect's polls of a task of {length} s", got, ours <= theirs * share])
    worst = max(max(run["delays"]) for run in found["tasks"]["connect-cache"].values())
    rows.append(["the end noticed within 50 ms at every length", f"at most {duration(worst)}", worst <= 0.05])
    return table(["goal", "measured", "met"], [[goal, got, "yes" if met else "no"] for goal, got, met in rows])


def unmeasured(found):
    purges = found["caches"]["purge"]
    counts = [count for count in purges["connect-cache"] if count not in purges["rsconnect"]]
    return f", so it was not measured with {' or '.join(f'{int(count):,}' for count in counts)}" if counts else ""


def document(found):
    return TEXT.format(
        command="make bench QUICK=1" if found["quick"] else "make bench",
        quick=" This was a quick run: `make bench` also measures longer tasks and more." if found["quick"] else "",
        machine=found["machine"],
        date=found["date"],
        versions=found["versions"],
        minutes=found["minutes"],
        repeats=len(next(iter(found["tasks"]["connect-cache"].values()))["delays"]),
        one=one(found),
        tasks=tasks(found),
        caches=caches(found),
        lines=table(["output", *found["one"]], growing("", found["lines"], "lines")),
        unmeasured=unmeasured(found),
        goals=goals(found),
    )
