#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Plot build/bench.json: the ratio to mlockall(2), or to an unlocked process, of each case. Or build/latency.json: the page
faults of a process before it was superlocked, and afterwards, and cyclictest's histograms without a lock and superlocked.

    tools/bench/plot.py build/bench.json docs/performance.svg     the picture
    tools/bench/plot.py build/bench.json                          a table for docs/performance.md
    tools/bench/plot.py build/latency.json docs/latency.svg       the picture in README
"""
import json
import math
import sys

SHOWN = ("lock", "unlock", "mmap+munmap", "page fault", "fork", "vfork", "posix_spawn", "STATUS", "MAPPINGS",
         "until memory is free", "longest stall")
STATES = ("SUPERLOCKED", "LOCKED", "LOCKED|MOVABLE", "probes armed")


def rows_of(bench):
    """The rows with a ratio, in the order of the cases."""
    return [row for row in bench["rows"]
            if "ratio" in row and row["state"] in STATES and row["what"] in SHOWN]


def value_text(bench, row):
    each = row["value"]["median"]
    if bench["counted"]:
        return f"{each:.0f}"
    for unit, size in (("ns", 1e4), ("us", 1e7)):
        if each < size:
            return f"{each / (size / 1e4):.0f} {unit}" if unit == "ns" else f"{each / 1e3:.1f} {unit}"
    return f"{each / 1e6:.1f} ms"


def print_table(bench):
    print(f"| case | state | what | {'instructions' if bench['counted'] else 'time'} | ratio to | ratio "
          "| middle half | of least | target |")
    print("|---|---|---|---|---|---|---|---|---|")
    peers = {(row["case"], row["state"], row["what"]): row for row in bench["rows"]}
    for row in rows_of(bench):
        ratio = row["ratio"]
        peer = peers[row["case"], row["peer"], row["what"]]
        target = row.get("target")
        verdict = "" if target is None else \
            f"{target:g}: {'met' if ratio['median'] <= target else '**missed**'}"
        print(f"| {row['case']} | {row['state'].replace('|', chr(92) + '|')} | {row['what']} | {value_text(bench, row)} "
              f"| {row['peer']} | {ratio['median']:.2f} | {ratio['q1']:.2f} .. {ratio['q3']:.2f} "
              f"| {row['value']['min'] / peer['value']['min']:.2f} | {verdict} |")


def plot(bench, path):
    import matplotlib
    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "memlockd"
    import matplotlib.pyplot as plt

    rows = [row for row in rows_of(bench) if row["state"] in ("SUPERLOCKED", "LOCKED|MOVABLE", "probes armed")]
    labels = []
    for row in rows:
        label = f"{row['case']}: {row['what']}"
        if label not in labels:
            labels.append(label)
    colors = {"SUPERLOCKED": "#1f5fa8", "LOCKED|MOVABLE": "#e08a1e", "probes armed": "#5a9e4b"}
    figure, axes = plt.subplots(figsize=(9, 0.24 * len(labels) + 1.2))
    seen = set()
    for row in rows:
        state, ratio = row["state"], row["ratio"]
        y = labels.index(f"{row['case']}: {row['what']}")
        axes.plot([ratio["q1"], ratio["q3"]], [y, y], color=colors[state], linewidth=2, alpha=0.5)
        axes.plot(ratio["median"], y, "o", color=colors[state], markersize=5,
                  label=None if state in seen else state)
        seen.add(state)
        if "target" in row:
            axes.plot(row["target"], y, "|", color="#c02020", markersize=11, markeredgewidth=2,
                      label=None if "target" in seen else "target, at most")
            seen.add("target")
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xscale("log")
    axes.set_yticks(range(len(labels)), labels, fontsize=8)
    axes.invert_yaxis()
    axes.grid(axis="x", which="both", linewidth=0.3)
    axes.set_xlabel(f"{'instructions' if bench['counted'] else 'time'}, as a multiple of what mlockall(2) or munlockall(2) "
                    "takes;\nwith probes armed: of what it takes without")
    axes.legend(loc="lower right", fontsize=8)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def plot_latency(latency, path):
    import matplotlib
    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "memlockd"
    # The reader's fonts: glyphs as paths are ten times as large.
    matplotlib.rcParams["svg.fonttype"] = "none"
    import matplotlib.pyplot as plt

    figure, (faults, turns) = plt.subplots(1, 2, figsize=(9.4, 3), width_ratios=(3, 2))
    plot_faults(faults, latency["faults_of_half_seconds"], latency["superlocked_at"])
    plot_turns(turns, latency["rows"])
    for axes in (faults, turns):
        axes.minorticks_off()
        axes.tick_params(labelsize=8)
        axes.legend(loc="upper right" if axes is turns else "center right", fontsize=8)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def plot_faults(axes, faults, at):
    """The page faults of each half of a second, of one process that is superlocked in the middle."""
    edges = [i / 2 for i in range(len(faults) + 1)]
    minor, both = [pair[0] for pair in faults], [sum(pair) for pair in faults]
    axes.stairs(both, edges, baseline=minor, fill=True, color="#c02020", label="major: waits for the disk")
    axes.stairs(minor, edges, fill=True, color="#e08a1e", label="minor")
    axes.axvline(at / 2, color="#1f5fa8", linewidth=1.5)
    after = sum(map(sum, faults[at:]))
    for y, text, color in ((0.95, "memlockctl superlock PID", "#1f5fa8"),
                           (0.85, f"{after or 'no'} page fault{'s' * (after != 1)} any more", "black")):
        axes.annotate(text, (at / 2 + 0.3, y), xycoords=("data", "axes fraction"), color=color, fontsize=9, va="top")
    axes.set_xlim(0, len(faults) / 2)
    axes.set_xlabel("seconds", fontsize=9)
    axes.set_ylabel("page faults in half a second", fontsize=9)


def plot_turns(axes, rows):
    """The histograms of cyclictest, under the first load: what was late, and how often."""
    for lock, label, style in (("none", "no lock", {"fill": True, "color": "#e9a5a5"}),
                               ("SUPERLOCKED", "superlocked", {"color": "#1f5fa8", "linewidth": 1.5})):
        row = next(row for row in rows if row["lock"] == lock)
        counts = {round(8 * math.log10(start)): count for start, count in row["histogram"]}
        places = range(min(counts), max(counts) + 1)
        axes.stairs([counts.get(place, 0) for place in places], [10 ** (place / 8) for place in (*places, places[-1] + 1)],
                    label=label, **style)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("latency, microseconds", fontsize=9)
    axes.set_ylabel("wake-ups", fontsize=9)


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as file:
        bench = json.load(file)
    if "superlocked_at" in bench:
        if len(sys.argv) == 2:
            sys.exit(__doc__)
        plot_latency(bench, sys.argv[2])
    elif len(sys.argv) == 2:
        print_table(bench)
    else:
        plot(bench, sys.argv[2])


main()
