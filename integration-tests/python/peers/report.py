"""The page docs/peers.md from the results of the peers' scripts.

    python report.py RESULTS            # writes the sections of the peers that have results
    python report.py RESULTS --check    # ends with 1 if the page does not hold them as they are

Needs no library. Invariant: the page holds nothing but what results say; peers without results keep their sections.
"""

import argparse
import json
import pathlib
import re
import sys

from checks import DIFFERENT, EQUAL, LACKING, REFUSED, WE_WRITE, summary

PAGE = pathlib.Path(__file__).resolve().parents[3] / "docs" / "peers.md"
PEERS = ("pyarrow", "fastavro", "polars", "duckdb", "thriftpy2", "pyspark")
MARKS = {EQUAL: "=", REFUSED: "R", DIFFERENT: "D", LACKING: "–"}
HEAD = """# What other libraries read of ours, and we of theirs

`integration-tests/python/peers` moves the same tables through each of these libraries both ways and compares value by value:
`cases.py` has the tables, `PEER_peer.py` what is declared of a peer, and `report.py` writes this page. A test fails if
an end is not the declared one, or if this page does not say so.

Left of the arrow stands who writes: `ours → theirs` is a file of ours that the library reads.

| mark | is |
| --- | --- |
| = | every value arrived |
| R | refused by name: by an error of ours with its code, or by one of the library's |
| D | the values differ |
| – | the library has no such type |

The number behind a mark is that of its reason.
"""


def section(results):
    """The part of the page about one peer."""
    checks = {(check["format"], check["way"], check["case"]): check for check in results["checks"]}
    columns = list(dict.fromkeys((check["format"], check["way"]) for check in results["checks"]))
    cases = list(dict.fromkeys(check["case"] for check in results["checks"]))
    reasons = Reasons()
    rows = [[f"`{case}`", *(reasons.mark(checks.get((*column, case))) for column in columns)] for case in cases]
    whole = [row[0] for row in rows if set(row[1:]) <= {"=", ""}]
    rows = [row for row in rows if row[0] not in whole]
    head = ["case", *(f"{form}: {'ours → theirs' if way == WE_WRITE else 'theirs → ours'}" for form, way in columns)]
    lines = [f"## {results['peer']} {results['version']}", "", summary(results).partition(": ")[2] + ".", ""]
    lines += [f"Equal in every column: {', '.join(whole)}.", ""] if whole else []
    lines += [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]
    return "\n".join([*lines, "", *reasons.lines()]) + "\n"


class Reasons:
    """Reasons by the order in which they are first met."""

    def __init__(self):
        self.numbers = {}

    def mark(self, check):
        if check is None:
            return ""
        if check["end"] == EQUAL:
            return "="
        by = f" (`{check['by']}`)" if check["by"] else ""
        number = self.numbers.setdefault(check["why"] + by, len(self.numbers) + 1)
        return f"{MARKS[check['end']]}{number}"

    def lines(self):
        return [f"{number}. {why}" for why, number in self.numbers.items()]


def sections(page):
    """The sections of a page by the names of their peers."""
    parts = re.split(r"^(?=## )", page, flags=re.MULTILINE)[1:]
    return {part.split()[1]: part.rstrip("\n") + "\n" for part in parts}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("results", type=pathlib.Path)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    old = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    parts = sections(old)
    for path in sorted(arguments.results.glob("*.json")):
        results = json.loads(path.read_text(encoding="utf-8"))
        parts[results["peer"]] = section(results)
    page = "\n".join([HEAD, *(parts[peer] for peer in PEERS if peer in parts)])
    if not arguments.check:
        PAGE.write_text(page, encoding="utf-8")
    elif page != old:
        print(f"{PAGE.name} is not what the results say: run report.py without --check")
        sys.exit(1)


if __name__ == "__main__":
    main()
