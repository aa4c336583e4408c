"""Every type, nullability, nesting and number of rows, through every way in and out of a bridge.

    python matrix.py BIN URL FOLDER [--only TYPE ...] [--rows N ...]

pyarrow is the oracle: what it put must be what it gets, value by value, from the endpoints, from each file
format and from the output of an identity job on each engine. A way that refuses a type must say so by name (a
code); a refusal is counted apart from a pass, and anything else is a difference. The last line is
`N checks, M refused by name, K differences`; ends with 0 if there are none.
"""

import argparse
import datetime
import decimal
import json
import pathlib
import re
import subprocess
import sys

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.flight as flight
import pyarrow.ipc
import pyarrow.parquet as pq

ROWS = [0, 1, 7, 8, 9, 255, 256, 257, 4097, 100_000]
FORMATS = ["arrow", "parquet", "csv", "jsonl", "avro", "thrift"]
ENGINES = ["batch", "stream"]
UTC = datetime.timezone.utc
DAY = datetime.timedelta(days=1)


def cycle(*values):
    return list(values)


def instants(zone=None):
    """Before and after 1970, with and without a fraction."""
    epoch = datetime.datetime(1970, 1, 1, tzinfo=zone)
    return [epoch, epoch - DAY, epoch + 15_000 * DAY, epoch.replace(year=1900), epoch.replace(year=2200)]


def types():
    """Name, type, values: extremes first."""
    for bits in (8, 16, 32, 64):
        yield f"int{bits}", getattr(pa, f"int{bits}")(), cycle(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1, 0, -1, 7)
        yield f"uint{bits}", getattr(pa, f"uint{bits}")(), cycle(2**bits - 1, 0, 1, 2 ** (bits - 1))
    yield "bool", pa.bool_(), cycle(True, False, False)
    yield "float32", pa.float32(), cycle(0.0, -0.0, 1.5, -3.4028234663852886e38, float("inf"), 1e-45)
    yield "float64", pa.float64(), cycle(0.0, -0.0, 0.1, 1.7976931348623157e308, float("-inf"), 5e-324)
    D = decimal.Decimal
    yield "decimal9", pa.decimal128(9, 2), cycle(D("9999999.99"), D("-9999999.99"), D("0.00"), D("-0.01"))
    yield "decimal38", pa.decimal128(38, 10), cycle(D("9" * 28 + "." + "9" * 10), D("-1.0000000001"), D("0E-10"))
    yield "decimal76", pa.decimal256(76, 20), cycle(D("9" * 56 + "." + "9" * 20), D("-1.00000000000000000001"))
    day = datetime.date(1970, 1, 1)
    yield "date32", pa.date32(), cycle(day, day - DAY, datetime.date(1, 1, 1), datetime.date(9999, 12, 31))
    yield "date64", pa.date64(), cycle(day, day - DAY, datetime.date(1582, 10, 14), datetime.date(2100, 2, 28))
    yield "time32_s", pa.time32("s"), cycle(datetime.time(0), datetime.time(23, 59, 59))
    yield "time32_ms", pa.time32("ms"), cycle(datetime.time(0, 0, 0, 1000), datetime.time(23, 59, 59, 999000))
    yield "time64_us", pa.time64("us"), cycle(datetime.time(0, 0, 0, 1), datetime.time(23, 59, 59, 999999))
    yield "time64_ns", pa.time64("ns"), cycle(1, 86_399_999_999_999, 0)
    for unit in ("s", "ms", "us", "ns"):
        yield f"timestamp_{unit}", pa.timestamp(unit), instants()
        yield f"instant_{unit}", pa.timestamp(unit, "UTC"), instants(UTC)
        yield f"duration_{unit}", pa.duration(unit), cycle(0, -1, 86_400, 2**40)
    yield "berlin", pa.timestamp("us", "Europe/Berlin"), instants(UTC)
    yield "interval", pa.month_day_nano_interval(), cycle((14, 3, 5_000_000_000), (-1, 0, 1), (0, 0, 0))
    texts = cycle("", "a", "ä€𐍈", " b ", "NULL", "line\nend", 'q"q', "x" * 300, "1E5", "\\N")
    yield "utf8", pa.utf8(), texts
    yield "large_utf8", pa.large_utf8(), texts
    yield "utf8_view", pa.string_view(), texts
    raw = cycle(b"", b"\x00", b"\xff\xfe", b"y" * 300)
    yield "binary", pa.binary(), raw
    yield "large_binary", pa.large_binary(), raw
    yield "binary_view", pa.binary_view(), raw
    yield "fixed16", pa.binary(16), cycle(b"\x00" * 16, bytes(range(16)))
    yield "dictionary", pa.dictionary(pa.int32(), pa.utf8()), cycle("", "a", "b" * 40)
    yield "null", pa.null(), cycle(None)


def column(kind, values, rows, nulls, shift=0):
    """`rows` values of a type in a cycle, every third one null if `nulls`."""
    cell = [values[(row + shift) % len(values)] for row in range(min(rows, 1023))]
    if nulls:
        cell = [None if row % 3 == 1 else value for row, value in enumerate(cell)]
    plain = kind.value_type if pa.types.is_dictionary(kind) else kind
    base = pa.array(cell, plain)
    if rows > len(base):
        repeats = [base] * (rows // len(base)) + [base.slice(0, rows % len(base))]
        base = pa.concat_arrays(repeats)
    return base.dictionary_encode().cast(kind) if pa.types.is_dictionary(kind) else base


def lists(items, rows, nulls):
    """Lists of 0, 1 and 2 items; every fifth one null if `nulls`."""
    offsets, at = [0], 0
    for row in range(rows):
        at += row % 3
        offsets.append(at)
    mask = pa.array([nulls and row % 5 == 4 for row in range(rows)], pa.bool_())
    # What a null list spans is not reached by anybody.
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), items(at), mask=mask if nulls else None)


def shapes(kind, values):
    """Name and a function from (rows, nulls) to an array, for each nesting."""

    def flat(rows, nulls):
        return column(kind, values, rows, nulls)

    def list_of(inner):
        return lambda rows, nulls: lists(lambda count: inner(count, nulls), rows, nulls)

    def struct_of(inner):
        def make(rows, nulls):
            mask = pa.array([nulls and row % 5 == 2 for row in range(rows)], pa.bool_())
            field = pa.field("a", inner(0, nulls).type)
            return pa.StructArray.from_arrays([inner(rows, nulls)], fields=[field], mask=mask)

        return make

    def map_of(inner):
        def make(rows, nulls):
            offsets, at = [0], 0
            for row in range(rows):
                at += row % 3
                offsets.append(at)
            keys = pa.array([f"k{entry}" for entry in range(at)], pa.utf8())
            return pa.MapArray.from_arrays(pa.array(offsets, pa.int32()), keys, inner(at, nulls))

        return make

    yield "flat", flat
    yield "list", list_of(flat)
    yield "struct", struct_of(flat)
    yield "map", map_of(flat)
    yield "list_struct", list_of(struct_of(flat))
    yield "struct_list", struct_of(list_of(flat))
    yield "list3", list_of(list_of(list_of(flat)))
    yield "map_list_struct", map_of(list_of(struct_of(flat)))


def cases():
    """Name, type and whether it nests: one dataset for the flat columns of a type, one for the others."""
    for name, kind, values in types():
        made = list(shapes(kind, values))
        yield f"{name}_flat", made[:1]
        # A nested dictionary cannot be decoded by a pyarrow client before it puts.
        if not pa.types.is_dictionary(kind):
            yield f"{name}_deep", made[1:]
    awkward = [" ", "a b", "a.b", "A", "a", 'q"q', "it's", "back`tick", "\\", "ä€𐍈", "SELECT", "x" * 200, "-", "1"]
    yield "names", [(name, lambda rows, nulls: column(pa.int64(), [1, 2, 3], rows, nulls)) for name in awkward]
    yield "wide", [(f"c{index}", lambda rows, nulls: column(pa.bool_(), [True, False], rows, nulls)) for index in range(1000)]


def table(made, rows):
    columns, fields = [], []
    for name, make in made:
        for nulls in (False, True):
            array = make(rows, nulls)
            nullable = nulls or pa.types.is_null(array.type)
            columns.append(array)
            fields.append(pa.field(f"{name} {'null' if nulls else 'all'}", array.type, nullable))
    return pa.table(columns, schema=pa.schema(fields))


class Matrix:
    def __init__(self, binary, url, folder):
        self.binary, self.folder = binary, folder
        self.url = url
        self.client = flight.connect(url.replace("http://", "grpc://"))
        self.checks = self.refused = 0
        self.differences = []
        self.refusals = {}

    def cli(self, *arguments):
        """Output, or the code of the refusal."""
        command = [self.binary, *arguments, "--url", self.url]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
        if done.returncode == 0:
            return done.stdout, None
        code = re.search(r"error\[(FS\d+)\]", done.stderr)
        return done.stderr, code.group(1) if code else "no code"

    def refuse(self, what, code, text):
        """A refusal by name; a crash or an answer without a code is a difference."""
        if code == "no code" or "panick" in text or code in ("FS0018", "FS0499", "FS0916"):
            self.differ(what, f"refused without a name: {text.strip()[:300]}")
        else:
            self.refused += 1
            self.refusals.setdefault(f"{what.split(' ', 1)[1]} {code}", []).append(what.split()[0])

    def differ(self, what, why):
        self.differences.append(what)
        print(f"DIFF {what}: {why}", flush=True)

    def same(self, what, wanted, got):
        self.checks += wanted.num_columns
        got = got.select(wanted.column_names) if got.column_names != wanted.column_names else got
        for index, name in enumerate(wanted.column_names):
            a, b = wanted.column(index).combine_chunks(), got.column(index).combine_chunks()
            why = unequal(a, b)
            if why:
                self.differ(f"{what} {name}", why)

    def run(self, name, made, sizes):
        tables = [table(made, rows) for rows in sizes]
        # One dictionary for the file of the schema: Arrow files hold no second one.
        whole = pa.concat_tables(tables).unify_dictionaries()
        like = str(self.folder / f"{name}.arrow")
        with pa.ipc.new_file(like, whole.schema) as out:
            out.write_table(whole)
        text, code = self.cli("dataset", "register", name, "--like", like)
        if code:
            return self.refuse(f"{name} register", code, text)
        for part in tables:
            try:
                part = decoded(part)
                writer, reader = self.client.do_put(flight.FlightDescriptor.for_path(name), part.schema)
                with writer:
                    writer.write_table(part)
                    writer.done_writing()
                    while reader.read() is not None:
                        pass
            except (pa.ArrowException, flight.FlightError, OSError) as error:
                code = re.search(r"error\[(FS\d+)\]", str(error))
                return self.refuse(f"{name} put", code.group(1) if code else "no code", str(error))
        self.same(f"{name} get", whole, self.get(name))
        text, code = self.cli("dataset", "verify", name)
        self.checks += 1
        if code:
            self.differ(f"{name} verify", text)
        text, code = self.cli("dataset", "head", name, "-n", "300", "-o", "json")
        self.checks += 1
        if code or len(json.loads(text)) != min(300, whole.num_rows):
            self.differ(f"{name} head", text[:300])
        digest = json.loads(self.cli("dataset", "show", name, "-o", "json")[0])["digest"]
        for kind in FORMATS:
            self.format(name, kind, whole, like, digest)
        for engine in ENGINES:
            self.engine(name, engine, whole, like, digest)

    def get(self, name):
        info = self.client.get_flight_info(flight.FlightDescriptor.for_path(name))
        parts = [self.client.do_get(endpoint.ticket).read_all() for endpoint in info.endpoints]
        return pa.concat_tables(parts) if parts else info.schema.empty_table()

    def format(self, name, kind, whole, like, digest):
        path = str(self.folder / f"{name}_out.{kind}")
        text, code = self.cli("transfer", f"dataset://{name}", path)
        if code:
            return self.refuse(f"{name} {kind}", code, text)
        if kind == "parquet":
            self.same(f"{name} {kind}", whole, pq.read_table(path))
        elif kind == "arrow":
            self.same(f"{name} {kind}", whole, pa.ipc.open_file(path).read_all())
        back = f"{name}_{kind}"
        text, code = self.cli("dataset", "register", back, "--like", like)
        text, code = (text, code) if code else self.cli("transfer", path, f"dataset://{back}")
        if code:
            return self.differ(f"{name} {kind} back", text)
        self.checks += whole.num_columns
        shown = json.loads(self.cli("dataset", "show", back, "-o", "json")[0])["digest"]
        if shown != digest:
            self.differ(f"{name} {kind} back", f"digest {shown}, put {digest}")

    def engine(self, name, engine, whole, like, digest):
        output = f"{name}_{engine}"
        code = self.job(name, engine, output)
        if code:
            return
        self.same(f"{name} {engine}", whole, self.get(output))
        # Into a dataset that has the very types.
        held = f"{output}_held"
        text, code = self.cli("dataset", "register", held, "--like", like)
        if code:
            return self.differ(f"{name} {engine} register", text)
        if not self.job(name, engine, held):
            self.checks += whole.num_columns
            shown = json.loads(self.cli("dataset", "show", held, "-o", "json")[0])["digest"]
            if shown != digest:
                self.differ(f"{name} {engine} held", f"digest {shown}, put {digest}")

    def job(self, name, engine, output):
        """Runs an identity job; the code of its refusal."""
        job = self.folder / f"{output}.sql"
        job.write_text(f"INSERT INTO {output} SELECT * FROM {name}")
        # One partition, so that rows keep their order; a bounded input has no watermark to lose rows to.
        options = ["--on", engine, "--id", output, "--parallelism", "1", "--home", "flink/batch"]
        text, code = self.cli("job", "run", str(job), *options)
        if code:
            self.refuse(f"{output} {engine}", code, text)
        return code


def unequal(a, b):
    """Why two columns are not the same values, or None. Encodings do not count."""
    if len(a) != len(b):
        return f"{len(b)} rows, {len(a)} were put"
    b = plain(b)
    a = plain(a)
    if a.type != b.type:
        try:
            b = b.cast(a.type)
        except pa.ArrowInvalid as error:
            return f"{b.type} in place of {a.type}: {error}"
        except pa.ArrowNotImplementedError:
            b = pa.array(b.to_pylist(), a.type)
    if a.equals(b):
        return None
    left, right = a.to_pylist(), b.to_pylist()
    for row, (x, y) in enumerate(zip(left, right)):
        if repr(x) != repr(y):
            return f"row {row}: {x!r} was put, {y!r} came"
    return None


def decoded(part):
    """Dictionaries as plain columns: docs/flight.md asks for that before a put."""
    for index, field in enumerate(part.schema):
        if pa.types.is_dictionary(field.type):
            values = part.column(index).cast(field.type.value_type)
            part = part.set_column(index, field.with_type(field.type.value_type), values)
    return part


def plain(array):
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
        if isinstance(array, pa.ChunkedArray):
            array = array.chunk(0) if array.num_chunks else pa.array([], array.type)
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("url")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--rows", nargs="*", type=int, default=ROWS)
    arguments = parser.parse_args()
    matrix = Matrix(arguments.binary, arguments.url, arguments.folder)
    for name, made in cases():
        if not arguments.only or any(name.startswith(only) for only in arguments.only):
            matrix.run(name, made, arguments.rows)
    for what, names in sorted(matrix.refusals.items()):
        print(f"refused {what}: {' '.join(names)}")
    print(f"{matrix.checks} checks, {matrix.refused} refused by name, {len(matrix.differences)} differences")
    return 1 if matrix.differences else 0


if __name__ == "__main__":
    sys.exit(main())
