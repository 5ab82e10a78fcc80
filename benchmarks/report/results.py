# SPDX-License-Identifier: BSL-1.0
"""What the programs printed: lines of JSON, and medians over the rounds."""
import json
import pathlib
import statistics


class Results:
    """The lines of one part: `machine` is the first, the others are what was measured."""

    def __init__(self, folder, part):
        path = pathlib.Path(folder) / (part + ".jsonl")
        lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        self.machine = next((line for line in lines if "machine" in line), None)
        self.lines = [line for line in lines if "mode" in line]
        self.server = next((line["server"] for line in self.lines if "server" in line), None)

    def keys(self, *members):
        """The different values of these members, in the order of their first appearance."""
        return list(dict.fromkeys(tuple(line[m] for m in members) for line in self.lines
                                  if all(m in line for m in members)))

    def values(self, member, **where):
        """One for each round."""
        return [line[member] for line in self.lines
                if member in line and all(line.get(k) == v for k, v in where.items())]

    def median(self, member, **where):
        """None if nothing like it was measured."""
        values = self.values(member, **where)
        return statistics.median(values) if values else None

    def ratios(self, member, above, below):
        """Of what was measured in the same round, next to each other: what disturbs the machine for longer than that
        disturbs both. `above` and `below` say which lines."""
        a, b = self.values(member, **above), self.values(member, **below)
        return [x / y for x, y in zip(a, b) if y] if len(a) == len(b) else []  # a peer failed in one of them

    def ratio(self, member, above, below):
        """The median of `ratios`."""
        found = self.ratios(member, above, below)
        return statistics.median(found) if found else None
