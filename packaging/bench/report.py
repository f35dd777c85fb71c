"""The document: docs/bench.md."""

from statistics import median

TEXT = """\
# Benchmark

connect-cache, curl with jq, posit-sdk, rsconnect and posit-cli list and delete the same caches of the same server, the
test server in `tests/server`, on the same host. The [floor](footprint.md#size) is the limit and no competitor: it sends
one DELETE, polls until the task is finished, and does nothing else.

- **Machine:** {machine}; {date}
- **Versions:** {versions}

`{command}` repeats it in {minutes:.0f} minutes, and writes this page and its plots. `packaging/bench/clients` contains
the scripts for curl and posit-sdk. Work of others on the machine makes times longer, and changes processor times
little.{quick}

## One cache

{one}

Each cell: the median time of a whole run, its processor time in parentheses, the peak memory of its largest process,
and its requests. The clients take turns. Each deletion's task ends at once, so no client waits for it: the script for
curl polls before its first `sleep 1`, and the server answers the long polls of the others at once. connect-cache reads
the list before it deletes. The size includes everything that a client needs on an empty Debian host.

![Bars: the time of one deletion and one list over TLS for each client](bench-delete.svg)

## Long tasks

{tasks}

Each cell: the requests of a whole deletion and the polls among them, then the median and the largest delay between the
end of the task and the end of the client, of {repeats} runs over TLS. connect-cache and the floor let the server hold
a poll for up to 16 s, the floor from the first one, and posit-sdk, rsconnect and posit-cli for 1 s; the server answers
a held poll when the task ends. The script for curl sleeps for a second between polls, so it notices the end up to a
second late. All runs wait at the same time.

![Plots: requests and delay by the length of a task, time by number of caches, processor time by lines of output; each has scales of its own, all logarithmic](bench-growth.svg)

## Many caches

{caches}

Each cell: the time of a whole run over TLS, its processor time in parentheses, and its peak memory. Both times include
about 1 ms of the program that measures the memory. connect-cache deletes 4 caches at a time, the others one after the
other. rsconnect and posit-cli delete one cache per command, all of which take equally long{unmeasured}.

## Long outputs

{lines}

The same for one deletion whose task has this much output, all in one reply.

## Goals

{goals}

A client with the lower number is ahead, by any margin. The rows are those of the tables above, and "delay" is the
median. The row with the smallest lead is named, and the nearest peer in it.
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


def cells(runs):
    """Returns the cells of a row. A client that was not measured has an empty one."""
    return [
        ", ".join(
            [
                f"{duration(run['seconds'])} ({duration(run['processor'])})",
                memory(run["kib"]),
                *([str(run["requests"])] if "requests" in run else []),
            ]
        )
        if run
        else ""
        for run in runs
    ]


def label(name):
    return "floor (the limit)" if name == "floor" else name


def one(found):
    actions = list(found["one"]["connect-cache"])
    rows = [
        [label(name), memory(found["installed"][name]), *cells(runs.get(action) for action in actions)]
        for name, runs in found["one"].items()
    ]
    return table(["client", "installed", *actions], rows)


def tasks(found):
    lengths = list(found["tasks"]["connect-cache"])
    rows = []
    for length in lengths[::-1]:
        row = [f"{length} s"]
        for runs in found["tasks"].values():
            run = runs[length]
            delays = f"{duration(median(run['delays']))}, {duration(max(run['delays']))}"
            row.append(f"{first(run, 'requests')}, {first(run, 'polls')}; {delays}")
        rows.append(row)
    return table(["task", *map(label, found["tasks"])], rows)


def first(run, what):
    # The first run is the one whose task has the exact length.
    return run[what][0]


def growing(first, by_client, unit):
    return [
        [f"{first} {int(count):,} {unit}".strip(), *cells(runs.get(count) for runs in by_client.values())]
        for count in by_client["connect-cache"]
    ]


def caches(found):
    rows = [row for action in ("list", "purge") for row in growing(action, found["caches"][action], "caches")]
    return table(["", *found["lines"]], rows)


def comparisons(found):
    """Yields each number that the clients have in common: what is measured, in which row, and each client's value."""
    run = {
        "time": lambda run: run["seconds"],
        "processor time": lambda run: run["processor"],
        "memory": lambda run: run["kib"],
    }
    requests = {"requests": lambda run: run["requests"]}
    task = {"requests": lambda run: first(run, "requests"), "delay": lambda run: median(run["delays"])}
    yield "size", "installed", found["installed"]
    for by_client, title, measures in (
        (found["one"], "{}", run | requests),
        (found["caches"]["list"], "list {} caches", run),
        (found["caches"]["purge"], "purge {} caches", run),
        (found["lines"], "{} lines", run),
        (found["tasks"], "task of {} s", task),
    ):
        for row in by_client["connect-cache"]:
            where = title.format(f"{int(row):,}" if row.isdigit() else row)
            runs = {name: runs[row] for name, runs in by_client.items() if row in runs}
            for what, value in measures.items():
                yield what, where, {name: value(run) for name, run in runs.items()}


def leads(found):
    """Returns a goal for each measure, and one for all of them: how far ahead of its peers connect-cache is."""
    ratios = {}
    for what, row, values in comparisons(found):
        ours = values["connect-cache"]
        peers = [name for name in values if name not in ("connect-cache", "floor")]
        ratios.setdefault(what, []).extend((values[name] / ours, f"{row}: {name}") for name in peers)
    rows = []
    for what, each in ratios.items():
        least, where = min(each)
        rows.append([f"ahead of every peer in {what}", f"at least {least:.3g} times ({where})", least > 1])
    behind = [f"{what} ({where})" for what, each in ratios.items() for ratio, where in each if ratio < 1]
    return [*rows, ["no peer ahead anywhere", "; ".join(behind) or "none", not behind]]


def goals(found):
    """Compares the results with the goals of the project."""
    rows = leads(found)
    times = {name: runs["delete, TLS"]["seconds"] for name, runs in found["one"].items()}
    for name, goal in (("curl, jq", 15), ("posit-sdk", 30), ("rsconnect", 30), ("posit-cli", 30)):
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
    return f",\nso they were not measured with {' or '.join(f'{int(count):,}' for count in counts)}" if counts else ""


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
        lines=table(["output", *found["lines"]], growing("", found["lines"], "lines")),
        unmeasured=unmeasured(found),
        goals=goals(found),
    )
