# SPDX-License-Identifier: BSL-1.0
"""Tables, bars and plots of what benchmarks/run has measured: report RESULTS PART... [--docs FOLDER]

Plots and all lines as one JSON file go into RESULTS; with --docs also into FOLDER/performance, and the tables into the
marked section of FOLDER/performance.md, which holds what earlier runs of other parts have left in RESULTS too. What
compression costs has a page and a JSON file of its own. A page none of whose parts was run stays as it is.
"""
import argparse
import json
import pathlib

import bars
import plot
import tables
from results import Results

BEGIN = "<!-- Written by benchmarks/run: do not edit below. -->"
END = "<!-- Written by benchmarks/run: up to here. -->"  # where something follows
TIMED = ("throughput", "latency", "threads", "compression", "broker")
PAGES = {"performance": [part for part in bars.OF_PART if part != "compression"], "compression": ["compression"]}


def print_part(part, r):
    for title, head, body in tables.OF_PART[part](r):
        print(f"\n{part}: {title}, median of {r.machine['rounds']}")
        print(tables.text_table(head, body))


def write_files(folder, loaded, name="results"):
    folder.mkdir(parents=True, exist_ok=True)
    for part, r in loaded.items():
        if part in plot.OF_PART and any(line.get("tls") == 0 for line in r.lines):
            (folder / (part + ".svg")).write_text(plot.OF_PART[part](r))
    summary = {part: {"machine": r.machine, "lines": r.lines} for part, r in loaded.items()}
    (folder / (name + ".json")).write_text(json.dumps(summary, indent=1) + "\n")


def markdown(loaded):
    out = []
    for part, r in loaded.items():
        m = r.machine
        out.append(f"### {part.capitalize()}\n")
        each = f", {m['seconds']} s each" if part in TIMED else ""
        out.append(f"{m['machine']}; {m['system']}; {m['compiler']}; commit {m['commit']}; medians of {m['rounds']}"
                   f" rounds{each}.\n")
        if part in plot.OF_PART:
            out.append(f"![{part}](performance/{part}.svg)\n")
        found = bars.OF_PART[part](r)
        if found:
            out.append(tables.markdown_table(bars.HEAD, [bar.cells() for bar in found]) + "\n")
        for title, head, body in tables.OF_PART[part](r):
            out.append(f"{title}:\n\n{tables.markdown_table(head, body)}\n")
    return "\n".join(out)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=pathlib.Path)
    parser.add_argument("parts", nargs="+")
    parser.add_argument("--docs", type=pathlib.Path)
    options = parser.parse_args()

    run = {part: Results(options.results, part) for part in options.parts if part in tables.OF_PART}
    run = {part: r for part, r in run.items() if r.lines}
    for part, r in run.items():
        print_part(part, r)
    found = [bar.cells() for part, r in run.items() if part in bars.OF_PART for bar in bars.OF_PART[part](r)]
    if found:
        print("\n" + tables.text_table(bars.HEAD, found))
    write_files(options.results, run)

    if options.docs:
        for page, parts in PAGES.items():
            if any(part in run for part in parts):
                write_page(options, page, parts)


def write_page(options, name, parts):
    loaded = {part: Results(options.results, part) for part in parts}
    loaded = {part: r for part, r in loaded.items() if r.lines}
    write_files(options.docs / "performance", loaded, "results" if name == "performance" else name)
    page = options.docs / (name + ".md")
    before, found, after = page.read_text().partition(BEGIN)
    if not found:
        raise SystemExit(f"{page}: the line that begins the written section is gone: {BEGIN}")
    _, end, after = after.partition(END)
    page.write_text(before + BEGIN + "\n\n" + markdown(loaded) + ("\n" + end + after if end else ""))
    print(f"\nwritten: {page}")


main()
