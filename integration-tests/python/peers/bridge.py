"""A bridge server of one's own, filled with cases and asked for their rows, over the command line alone.

Rows come in as Arrow files and are read back as JSON lines, neither of which a peer of another format has a part in.
Invariant: a refusal carries the code that the bridge gave, and no server outlives its `with`.
"""

import base64
import decimal
import json
import pathlib
import re
import subprocess
import tempfile

import kinds

# JSON has no text for these; a column of them is flat, and shown by `dataset head` as text.
NOT_JSON = ("float16", "date64")
TEXTS = ("binary", "large_binary", "fixed", "date", "date64", "time", "timestamp", "duration", "interval")
ROWS_MAX = 1_000_000


class Refused(Exception):
    """What the bridge refused, by its code."""


class Bridge:
    """A server, and the commands that ask it."""

    def __init__(self, binary, seeds):
        self.binary, self.seeds, self.loaded, self.backs = binary, pathlib.Path(seeds), set(), 0

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="flinkspark-peers-")
        self.files = pathlib.Path(self.folder.name) / "files"
        self.files.mkdir()
        any_port = "127.0.0.1:0"
        options = ["--grpc", any_port, "--http", any_port, "--log", "error", "--data-dir", f"{self.folder.name}/data"]
        self.server = subprocess.Popen([self.binary, "serve", *options], stderr=subprocess.PIPE, text=True)
        for line in self.server.stderr:
            if ready := re.match(r"flinkspark is ready: gRPC on (\S+),", line):
                self.address = ready.group(1)
                return self
        raise RuntimeError(f"the server ended with {self.server.wait()} before it was ready")

    def __exit__(self, *_):
        self.server.kill()
        self.server.wait()
        self.folder.cleanup()

    def cli(self, *arguments):
        """A command's output; a refusal is raised with its code first."""
        command = [self.binary, *arguments, "--url", f"http://{self.address}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
        if done.returncode == 0:
            return done.stdout
        code = re.search(r"error\[(FS\d+)\]", done.stderr)
        raise Refused(f"{code.group(1) if code else 'no code'}: {done.stderr.strip()[:600]}")

    def seed(self, case):
        return str(self.seeds / f"{case.name}.arrow")

    def load(self, case):
        """Puts the rows of a case into the dataset of its name, once."""
        if case.name not in self.loaded:
            self.cli("transfer", self.seed(case), f"dataset://{case.name}")
            self.loaded.add(case.name)

    def write(self, case, path, *options):
        """Writes a case into a file."""
        self.load(case)
        self.cli("transfer", f"dataset://{case.name}", str(path), *options)

    def read(self, case, path, *options, described=True):
        """Names and rows of a file, from a new dataset; with the types of the case unless the file has its own."""
        self.backs += 1
        name = f"back_{self.backs}"
        if not described:
            self.cli("dataset", "register", name, "--like", self.seed(case))
        self.cli("transfer", str(path), f"dataset://{name}", *options)
        return self.rows(case, name)

    def rows(self, case, dataset):
        """The names of a dataset's columns, and its rows in the form of `kinds`."""
        if any(kind.name in NOT_JSON for _, kind in case.columns):
            lines = self.cli("dataset", "head", dataset, "-n", str(ROWS_MAX), "-o", "jsonl").splitlines()
        else:
            out = self.files / f"{dataset}.out.jsonl"
            self.cli("transfer", f"dataset://{dataset}", str(out))
            lines = out.read_text(encoding="utf-8").split("\n")
        rows = [json.loads(line, parse_float=decimal.Decimal) for line in lines if line]
        names = list(rows[0]) if rows else self.columns(dataset)
        of = dict(case.columns)
        forms = [tuple(kinds.form(of[name], row[name], from_json) if name in of else row[name] for name in names) for row in rows]
        return names, forms

    def columns(self, dataset):
        """Names without a blank in them, of a dataset without rows to show them."""
        shown = json.loads(self.cli("dataset", "show", dataset, "-o", "json"))
        return [column.split(" ")[0] for column in shown["columns"]]


def from_json(kind, value):
    """A flat value of docs/json.md in the form of `kinds`; what is no text where one belongs stays as it is."""
    if kind.name in TEXTS and not isinstance(value, str):
        return value
    match kind.name:
        case "float16" | "float32" | "float64":
            value = float(value)
        case "decimal" | "uint64":
            value = decimal.Decimal(value)
        case "binary" | "large_binary" | "fixed":
            return base64.b64decode(value, validate=True)
        case "date":
            return kinds.day(value)
        case "date64":
            return kinds.moment(value) // kinds.DAY if "T" in value else kinds.day(value)
        case "time":
            return kinds.clock(value)
        case "timestamp":
            return kinds.moment(value)
        case "duration":
            return kinds.length(value)[2]
        case "interval":
            return kinds.length(value)
        case "int32" if isinstance(value, str):
            # The key of a map.
            return int(value)
    return kinds.scalar(kind, value)
