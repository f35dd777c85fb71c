"""The plots, as SVG that loads nothing and is readable on light and dark backgrounds."""

import re
from statistics import median

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt
from matplotlib.ticker import FuncFormatter, LogLocator

# These have a contrast of at least 3 against white and against GitHub's dark background.
GRAY = "#7a828c"
COLORS = {
    "connect-cache": "#2f81f7",
    "curl, jq": "#c2761a",
    "posit-sdk": "#2c974b",
    "rsconnect": "#db5a80",
    "posit-cli": "#9467d8",
    "floor": GRAY,
}
STYLES = {
    "connect-cache": "o-",
    "curl, jq": "s-",
    "posit-sdk": "^-",
    "rsconnect": "D-",
    "posit-cli": "v--",  # It often lies on the line of rsconnect.
    "floor": ":",
}
plt.rcParams.update(
    {
        "svg.fonttype": "none",
        "svg.hashsalt": "connect-cache",
        "font.family": "sans-serif",
        "font.size": 10,
        "text.color": GRAY,
        "axes.labelcolor": GRAY,
        "axes.edgecolor": GRAY,
        "axes.titlesize": 11,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "xtick.color": GRAY,
        "ytick.color": GRAY,
        "legend.frameon": False,
        "grid.color": GRAY,
        "grid.alpha": 0.25,
    }
)


def save(figure, path):
    figure.savefig(path, transparent=True, metadata={"Date": None, "Creator": None})
    plt.close(figure)
    # Only the browser's own font: matplotlib names a dozen.
    text = re.sub(r"font-family: [^;]*", "font-family: sans-serif", path.read_text())
    path.write_text("\n".join(line.rstrip() for line in text.splitlines()) + "\n")


def short(number):
    """Writes a number so that its neighbors on an axis have room."""
    return f"{number / 1e6:g} M" if number >= 1e6 else f"{number / 1000:g} k" if number >= 1000 else f"{number:g}"


def deletion(found, path):
    """Draws the time of one deletion and of one list over TLS, both on one scale."""
    figure, axes = plt.subplots(1, 2, figsize=(8, 2.3), layout="constrained", sharex=True, sharey=True)
    names = list(found["lines"])[::-1]
    titles = {"delete, TLS": "delete a cache, TLS", "list, TLS": "list the caches, TLS"}
    longest = 0
    for axis, (action, title) in zip(axes, titles.items()):
        milliseconds = [found["one"][name][action]["seconds"] * 1000 for name in names]
        bars = axis.barh(names, milliseconds, color=[COLORS[name] for name in names], height=0.65)
        labels = [f"{value:.1f} ms" if value < 10 else f"{value:.0f} ms" for value in milliseconds]
        axis.bar_label(bars, labels, padding=4, color=GRAY)
        axis.set_title(title, color=GRAY, loc="left")
        longest = max(longest, *milliseconds)
        axis.set_xticks([])
        axis.spines["bottom"].set_visible(False)
        axis.tick_params(length=0)
    axes[0].set_xlim(0, longest * 1.25)  # Room for the label of the longest bar.
    save(figure, path)


def growth(found, path):
    """Draws requests, delay, time and processor time as tasks, purges and outputs grow."""
    figure, axes = plt.subplots(2, 2, figsize=(8, 6.4), layout="constrained")
    curves = [
        ("requests of a deletion", "task, s", found["tasks"], lambda run: run["requests"][0]),
        ("end noticed after, ms", "task, s", found["tasks"], lambda run: 1000 * median(run["delays"])),
        ("time to delete all caches, s", "caches", found["caches"]["purge"], lambda run: run["seconds"]),
        ("processor time of a deletion, ms", "lines of output", found["lines"], lambda run: 1000 * run["processor"]),
    ]
    for axis, (title, x, by_client, value) in zip(axes.flat, curves):
        for name, runs in by_client.items():
            points = sorted((int(at), value(run)) for at, run in runs.items())
            axis.plot(*zip(*points), STYLES[name], markersize=4, color=COLORS[name], label=name)
        axis.set(title=title, xlabel=x, xscale="log", yscale="log")
        axis.title.set_color(GRAY)
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 3), numticks=8))
        for side in (axis.xaxis, axis.yaxis):
            side.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
        axis.minorticks_off()
        axis.grid(True)
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside upper center", ncols=6, labelcolor=GRAY)
    figure.supxlabel("each panel has scales of its own, all logarithmic", fontsize=9)
    save(figure, path)
