"""Runs the cases of `cases` through one peer, both ways, and judges what comes of each.

A check has one of four ends: equal; refused, by a code of ours or an error of the peer's; different; or lacking, where
the peer has no such type. The last three are fine only where they are declared with their reason. Invariant: what is
not declared fails the run, and so does what is declared and does not happen.
"""

import argparse
import collections
import fnmatch
import json
import pathlib
import signal
import subprocess
import sys
from dataclasses import dataclass

import kinds
from bridge import Bridge, Refused
from cases import CASES

WE_WRITE, THEY_WRITE = "we write", "they write"
EQUAL, REFUSED, DIFFERENT, LACKING = "equal", "refused", "different", "lacking"


class Lacking(Exception):
    """A type that the peer does not have, or has no way to write in this format."""


@dataclass(frozen=True)
class Format:
    """A kind of file: how it is called in the results, how its names end, and which options of ours go with it."""

    name: str
    suffix: str
    described: bool = True
    options: tuple = ()
    ways: tuple = (WE_WRITE, THEY_WRITE)
    only: str = "*"


@dataclass(frozen=True)
class Rule:
    """What is declared of checks: patterns, separated by spaces, for formats and cases; an end, and the reason."""

    end: str
    formats: str
    way: str
    cases: str
    why: str
    by: str = ""

    def holds_for(self, form, way, case):
        patterns = (self.formats, form.name), (self.cases, case.name)
        return self.way in (way, "both") and all(matches(text, name) for text, name in patterns)


def matches(patterns, name):
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns.split())


def different(formats, way, cases, why):
    return Rule(DIFFERENT, formats, way, cases, why)


def refused(formats, way, cases, by, why):
    return Rule(REFUSED, formats, way, cases, why, by)


NESTED = "list_* struct* map_*"
NO_CSV = f"float16 date64 duration_* interval {NESTED}"
NO_JSON = "float16 date64"
INTERVAL = "Parquet's INTERVAL is of milliseconds: we read it and do not write it (docs/formats.md)"
# What our own documents refuse, whoever reads it.
OURS = (
    refused("parquet", WE_WRITE, "interval", "FS0306", INTERVAL),
    refused("csv*", WE_WRITE, NO_CSV, "FS0306", "CSV has no text of this type that reads back (docs/csv.md)"),
    refused("json*", WE_WRITE, NO_JSON, "FS0306", "JSON has no text of this type that reads back (docs/json.md)"),
)
BLANK = "a null alone in a line is a blank line, which is skipped, and said"
ONE_COLUMN = (
    different("csv", WE_WRITE, "one_column", "where there is one column its null is written as `\\N`, which only we know (docs/csv.md)"),
    different("csv", THEY_WRITE, "one_column", BLANK),
)


class Peer:
    """A library that reads and writes files; its subclasses say how."""

    name = version = ""
    formats = ()
    rules = ()

    def start(self, bridge):
        """Called once, when the bridge is there."""

    def read(self, form, case, path):
        """Names and rows of a file, in the form of `kinds`."""
        raise NotImplementedError

    def write(self, form, case, path):
        """Writes a case into a file."""
        raise NotImplementedError

    def ours(self, bridge, form, case, path):
        """Our file, as the peer reads it."""
        bridge.write(case, path, *form.options)
        return self.read(form, case, path)

    def theirs(self, bridge, form, case, path):
        """The peer's file, as we read it."""
        self.write(form, case, path)
        return bridge.read(case, path, *form.options, described=form.described)


@dataclass
class Check:
    """One end of a check, and the rule that allows it."""

    format: str
    way: str
    case: str
    end: str
    said: str
    rule: Rule | None = None

    def failure(self):
        """Why the end is not what is declared, or none."""
        if self.end == LACKING:
            return None
        declared = self.rule.end if self.rule else EQUAL
        if self.end != declared:
            return f"{self.end}, {declared} was declared: {self.said}"
        if self.rule and self.rule.by not in self.said:
            return f"refused, but not by {self.rule.by}: {self.said}"
        return None

    def result(self):
        """What is kept of it: a lacking type says why itself, everything else by its rule."""
        why = self.said if self.end == LACKING else self.rule.why if self.rule else ""
        by = self.rule.by if self.rule else ""
        return {"format": self.format, "way": self.way, "case": self.case, "end": self.end, "by": by, "why": why}


def check(peer, bridge, form, way, case):
    """Moves a case one way and compares."""
    path = bridge.files / f"{case.name}_{form.name.replace(' ', '_').replace('/', '_')}_{way[:2]}{form.suffix}"
    try:
        names, rows = (peer.ours if way == WE_WRITE else peer.theirs)(bridge, form, case, path)
        said = difference(case, names, rows)
        return DIFFERENT if said else EQUAL, said
    except Lacking as lacking:
        return LACKING, str(lacking)
    except Refused as by:
        return REFUSED, str(by)
    except (KeyboardInterrupt, SystemExit, ConnectionError, subprocess.TimeoutExpired):
        # Nobody answered, which is no refusal.
        raise
    except BaseException as by:  # what a library in Rust panics with is no Exception
        return REFUSED, f"{type(by).__name__}: {str(by).strip()[:600]}"


def difference(case, names, rows):
    """How rows are not those of a case, or an empty text."""
    if list(names) != case.names:
        return f"columns {list(names)}"
    if len(rows) != len(case.rows):
        return f"{len(rows)} rows in place of {len(case.rows)}"
    for number, (wanted, got) in enumerate(zip(case.rows, rows)):
        for (name, kind), a, b in zip(case.columns, wanted, got):
            if not kinds.same(kind, a, b):
                return f"row {number}, column {name!r}: {str(a)[:200]!r} became {str(b)[:200]!r}"
    return ""


def run(peer, bridge, only):
    """Every check, each failure said when it happens."""
    checks = []
    for form in peer.formats:
        for case in CASES:
            if not matches(only, case.name) or not matches(form.only, case.name):
                continue
            for way in form.ways:
                rule = next((rule for rule in peer.rules if rule.holds_for(form, way, case)), None)
                checks.append(Check(form.name, way, case.name, *check(peer, bridge, form, way, case), rule))
                if why := checks[-1].failure():
                    fail(peer, f"{form.name}, {way}, {case.name}: {why}")
    return checks


def fail(peer, why):
    print(f"FAIL {peer.name}: {why}", flush=True)


def for_nothing(peer, checks):
    """The rules that no check needed."""
    used = {check.rule for check in checks if check.end != LACKING}
    return [rule for rule in peer.rules if rule not in used]


def main(peer, bridge_class=Bridge):
    """`PEER.py BIN SEEDS RESULTS`: writes RESULTS/PEER.json, prints a line, ends with 0 if all is as declared."""
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("seeds", type=pathlib.Path, help="the folder that seeds.py has filled")
    parser.add_argument("results", type=pathlib.Path, help="the folder for the results")
    parser.add_argument("--only", default="*", help="patterns of cases, separated by spaces")
    arguments = parser.parse_args()
    # So that whoever ends this process ends its server, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with bridge_class(arguments.binary, arguments.seeds) as bridge:
        peer.start(bridge)
        checks = run(peer, bridge, arguments.only)
    idle = for_nothing(peer, checks) if arguments.only == "*" else []
    for rule in idle:
        fail(peer, f"{rule.formats}, {rule.way}, {rule.cases}: declared for nothing: {rule.why}")
    results = {"peer": peer.name, "version": peer.version, "checks": [check.result() for check in checks]}
    (arguments.results / f"{peer.name}.json").write_text(json.dumps(results, indent=1), encoding="utf-8")
    print(summary(results))
    sys.exit(1 if idle or any(check.failure() for check in checks) else 0)


def summary(results):
    """One line of counts; a type that the peer lacks is no check."""
    ends = collections.Counter(check["end"] for check in results["checks"])
    done = ends[EQUAL] + ends[REFUSED] + ends[DIFFERENT]
    said = f"{done} checks, {ends[EQUAL]} equal, {ends[REFUSED]} refused, {ends[DIFFERENT]} declared differences"
    return f"{results['peer']} {results['version']}: {said}"
