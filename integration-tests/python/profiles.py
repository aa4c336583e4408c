"""Every type, as Flink and Spark get it: docs/profiles.md held against a bridge, value by value, with plain pyarrow.

    python profiles.py BIN URL FOLDER

Each type is put with its extremes, with and without nulls, flat and down to three levels, and read with each profile. What the
page says is sent must come with the values that were put; what it says is refused must be refused before a row is sent.
What a profile gave is put into a dataset of its own, and must be there. pyarrow reads the values; how they compare is
said here and nowhere else. The last line is `N checks, 0 differences`; ends with 0 if there are none.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys

import pyarrow as pa
import pyarrow.flight as flight
import pyarrow.ipc

from arrow_cases import BORDERS, DAY, PER_SECOND, decoded, leaf, made, shapes, spelt, stretched, types, values
from documented import documented

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "profiles.md"
PROFILES = ["flink2", "spark4"]
# pyarrow has no arrays of these; the profiles' own tests have.
NOT_OF_PYARROW = {"interval[month]", "interval[day_time]", "list<struct<a: map<utf8 not null, uint8>>>"}
WHOLE = {"milliseconds": 10**6, "microseconds": 10**3, "days": 86_400 * 10**9}


def page():
    """For each type what each engine is sent, or the code and what is sent where it is cut; and what values are whole in."""
    rows = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("| `"):
            name, *cells = [cell.strip() for cell in line.strip("|").split(" | ")]
            said = []
            for cell in cells:
                sent = re.findall(r"`([^`]+)`", cell)
                whole = re.search(r", whole (\w+)", cell)
                sent = [name.strip("`") if text == "=" else text for text in sent]
                code = sent.pop(0) if sent[0].startswith("FS") else None
                said.append((code, sent[0] if sent else None, whole and WHOLE[whole.group(1)]))
            rows[name.strip("`")] = dict(zip(PROFILES, said))
    return rows


class Profiles:
    def __init__(self, binary, url, folder):
        self.binary, self.url, self.folder = binary, url, folder
        self.client = flight.connect(url.replace("http://", "grpc://"))
        self.page, self.checks, self.differences, self.made = page(), 0, 0, 0
        self.unseen = set(self.page) - NOT_OF_PYARROW

    def hold(self, what, holds, why=""):
        self.checks += 1
        if not holds:
            self.differences += 1
            print(f"DIFF {what}: {why}", flush=True)

    def cli(self, *arguments):
        command = [self.binary, *arguments, "--url", self.url]
        return subprocess.run(command, capture_output=True, text=True, timeout=600)

    def register(self, schema):
        """A dataset of this schema; None and what was said where it is refused."""
        self.made += 1
        name, like = f"d{self.made}", str(self.folder / f"{self.made}.arrow")
        with pa.ipc.new_file(like, schema):
            pass
        done = self.cli("dataset", "register", name, "--like", like)
        return (name, "") if done.returncode == 0 else (None, done.stderr)

    def put(self, name, table):
        writer, reader = self.client.do_put(flight.FlightDescriptor.for_path(name), table.schema)
        with writer:
            writer.write_table(table)
            writer.done_writing()
            while reader.read() is not None:
                pass

    def get(self, name, **options):
        """The rows; or the code, and whether rows were sent before it."""
        command = json.dumps({"dataset": name, **options})
        batches = []
        try:
            info = self.client.get_flight_info(flight.FlightDescriptor.for_command(command))
            for endpoint in info.endpoints:
                batches += [chunk.data for chunk in self.client.do_get(endpoint.ticket)]
            return pa.Table.from_batches(batches, info.schema)
        except (pa.ArrowException, flight.FlightError, OSError) as error:
            code = re.search(r"error\[(FS\d+)\]", str(error))
            return (code.group(1) if code else str(error)), bool(batches)

    def same(self, what, wanted, got, floor=1):
        """Column by column the values that were put."""
        if isinstance(got, tuple):
            return self.hold(what, False, f"refused: {got}")
        for index, name in enumerate(wanted.column_names):
            a, b = values(wanted.column(index), floor), values(got.column(index), floor=1)
            self.hold(f"{what} {name}", a == b, f"{str(a)[:200]} was put, {str(b)[:200]} came")

    def stored(self, kind, cells):
        """A dataset of every shape of these values, and what it holds, decoded."""
        columns = dict(shapes(kind, cells))
        rows = max(map(len, columns.values()))
        columns = {name: stretched(array, rows) for name, array in columns.items()}
        fields = [pa.field(name, array.type, nullable="null" in name or pa.types.is_null(kind)) for name, array in columns.items()]
        table = pa.table(list(columns.values()), schema=pa.schema(fields))
        name, refused = self.register(table.schema)
        if name is None:
            self.hold(f"{kind} register", False, refused)
            return None, table
        plain = [decoded(column) for column in table.columns]
        plain = pa.table(plain, schema=pa.schema([field.with_type(array.type) for field, array in zip(fields, plain)]))
        self.put(name, plain)
        self.same(f"{kind} generic", table, self.get(name))
        return name, table

    def run(self, kind, cells, finer):
        name, table = self.stored(kind, cells)
        self.unseen.discard(spelt(kind))
        if name is None:
            return
        for profile in PROFILES:
            code, sent, whole = self.page[spelt(kind)][profile]
            what = f"{kind} {profile}"
            if code:
                self.refused(what, name, table, profile, code, sent)
            else:
                self.held(what, table, sent, self.get(name, profile=profile))
            text = {"profile": profile, "lossy": "string"}
            if (code or whole) and not pa.types.is_struct(kind):
                got = self.get(name, **text)
                leaves = set() if isinstance(got, tuple) else {spelt(leaf(field.type)) for field in got.schema}
                self.hold(f"{what} string", leaves == {"utf8"}, f"{leaves or got}")
        if finer:
            self.finer(kind, finer)

    def held(self, what, table, sent, got, floor=1):
        """What came has the type that the page says, and the values that were put; and can be put and read again."""
        self.same(what, table, got, floor)
        if isinstance(got, tuple):
            return
        for field in got.schema:
            told = spelt(field.type if field.name.startswith("flat") else leaf(field.type, spelt(got.schema.field(0).type)))
            self.hold(f"{what} {field.name}", told == sent, f"{told} came, the page says {sent}")
        back, refused = self.register(got.schema)
        if back is None:
            return self.hold(f"{what} back", False, refused)
        self.put(back, got)
        self.same(f"{what} back", got, self.get(back))

    def refused(self, what, name, table, profile, code, cut):
        """Each column is refused by its own name before a row is sent; cut, where the reader chose that."""
        for column in table.column_names:
            got = self.get(name, profile=profile, columns=[column])
            self.hold(f"{what} {column}", got == (code, False), f"{got} in place of {code}")
        if cut:
            unit = re.search(r"\[(\w+)", cut).group(1)
            got = self.get(name, profile=profile, lossy="truncate")
            self.held(f"{what} cut", table, cut, got, floor=10**9 // PER_SECOND[unit])

    def finer(self, kind, cells):
        """Values that are finer than the engine's: refused before a row is sent, or rounded down."""
        name, table = self.stored(kind, cells)
        for profile in PROFILES:
            code, sent, whole = self.page[spelt(kind)][profile]
            what = f"{kind} {profile} finer"
            if code:
                continue
            if whole is None:
                self.held(what, table, sent, self.get(name, profile=profile))
                continue
            for column in table.column_names:
                got = self.get(name, profile=profile, columns=[column])
                # The values of some are whole.
                exact = values(table.column(column)) == values(table.column(column), whole)
                wanted = not isinstance(got, tuple) if exact else got == ("FS0121", False)
                self.hold(f"{what} {column}", wanted, f"{got} in place of FS0121")
            self.held(f"{what} cut", table, sent, self.get(name, profile=profile, lossy="truncate"), floor=whole)

    def outside(self):
        """What lies outside of an engine's type ends the read by its code; a dataset holds it all the same."""
        both, spark = PROFILES, ["spark4"]
        day = [DAY, -1]
        cases = [(pa.timestamp(unit, zone), BORDERS, spark) for unit in ("s", "ms") for zone in (None, "UTC")]
        cases += [(pa.duration("s"), BORDERS, both), (pa.duration("ms"), BORDERS, spark)]
        cases += [(pa.time32("s"), day, spark), (pa.time64("us"), [DAY * 10**6, -1000], both)]
        cases += [(pa.date64(), [2**62 // (DAY * 1000) * DAY * 1000], both)]
        for kind, cells, profiles in cases:
            for cell in cells:
                name, table = self.stored(kind, [cell])
                for profile in PROFILES:
                    got = self.get(name, profile=profile, columns=["flat all"])
                    wanted = got == ("FS0409", False) if profile in profiles else not isinstance(got, tuple)
                    self.hold(f"{kind} {profile} outside {cell}", wanted, str(got))

    def extensions(self):
        """Extension types: kept where their storage is, dropped where it changes; the values stay."""
        tensor = pa.fixed_shape_tensor(pa.int32(), [2])
        for kind, cells, kept in [
            (pa.uuid(), [bytes(range(16)), b"\0" * 16], ["flink2"]),
            (pa.bool8(), [1, 0], PROFILES),
            (pa.json_(pa.string_view()), ["{}", "[1]"], PROFILES),
            (pa.opaque(pa.large_string(), "t", "v"), ["a", ""], []),
            (tensor, [[1, 2], [3, 4]], []),
        ]:
            table = pa.table({"x": made(kind, cells)})
            name, refused = self.register(table.schema)
            if name is None:
                self.hold(f"{kind} register", False, refused)
                continue
            self.put(name, table)
            self.same(f"{kind} generic", table, self.get(name))
            for profile in PROFILES:
                got = self.get(name, profile=profile)
                self.same(f"{kind} {profile}", table, got)
                extended = not isinstance(got, tuple) and isinstance(got.schema.field(0).type, pa.BaseExtensionType)
                self.hold(f"{kind} {profile} extension", extended == (profile in kept), str(got))

    def never_held(self):
        """Types that no dataset holds are refused before there is one; wrong rows before a row is stored."""
        union = pa.UnionArray.from_sparse(pa.array([0, 1], pa.int8()), [pa.array([1, 2]), pa.array(["a", "b"])])
        for kind in (union.type, pa.dense_union([pa.field("a", pa.int8())]), pa.list_(union.type)):
            name, refused = self.register(pa.schema([("x", kind)]))
            self.hold(f"{kind} register", name is None and "FS0110" in refused, refused)
        name, _ = self.register(pa.schema([("x", pa.int16())]))
        for wrong in (pa.array([1], pa.int32()), pa.array(["1"]), pa.array([1.0]), made(pa.dictionary(pa.int8(), pa.int16()), [1])):
            try:
                self.put(name, pa.table({"x": wrong}))
                self.hold(f"{wrong.type} put", False, "it was taken")
            except (pa.ArrowException, flight.FlightError, OSError) as error:
                self.hold(f"{wrong.type} put", re.search(r"error\[FS04\d\d\]", str(error)) is not None, str(error))
            left = self.client.do_action(flight.Action("transactions", json.dumps({"dataset": name}).encode()))
            left = json.loads(next(iter(left)).body.to_pybytes())["transactions"]
            self.hold(f"{wrong.type} leaves nothing", left == [] and self.get(name).num_rows == 0, str(left))

    def names(self):
        """Spark's names within lists and maps, and its zone; Flink gets the dataset's."""
        # pyarrow calls the parts of a map by Spark's names, whatever they are called.
        kind = pa.map_(pa.utf8(), pa.list_(pa.field("array", pa.timestamp("ms", "Europe/Berlin"))))
        name, _ = self.register(pa.schema([pa.field("x", kind, metadata={"__CHAR_VARCHAR_TYPE_STRING": "varchar(7)"})]))
        for profile, parts in [("generic", ("array", "Europe/Berlin")), ("flink2", ("array", "Europe/Berlin")), ("spark4", ("element", "UTC"))]:
            field = self.get(name, profile=profile).schema.field(0)
            inner = field.type.item_type
            told = (inner.value_field.name, inner.value_type.tz)
            self.hold(f"names {profile}", told == parts, str(told))
            self.hold(f"metadata {profile}", field.metadata == {b"__CHAR_VARCHAR_TYPE_STRING": b"varchar(7)"}, str(field.metadata))

    def by_name(self):
        """A put that says so finds its columns by name: in any order and case, narrower, at any zone, with some missing."""
        docs = documented()
        fields = [("id", pa.int64()), ("at", pa.timestamp("us", "UTC")), ("text", pa.string()), ("more", pa.decimal128(5, 2))]
        schema = pa.schema([pa.field(*fields[0], nullable=False), *(pa.field(*field) for field in fields[1:])])
        moments = pa.array([-1, None, 1_711_846_800_123], pa.int64())
        for zone in ("Europe/Berlin", "Etc/UTC", "+00:00", "Z", "UTC"):
            name, _ = self.register(schema)
            columns = {"TEXT": pa.array(["a", None, ""], pa.string_view()), "At": moments.cast(pa.timestamp("ms")).cast(pa.timestamp("ms", zone)), "ID": pa.array([1, 2, 3], pa.int8())}
            table = pa.table({key: column for key, column in columns.items()})
            begun, receipt = docs["act"](self.client, "begin", {"dataset": name}), None
            for said, code in [({}, "FS0408"), ({"match": "exact"}, "FS0408"), ({"match": "name"}, "FS0408"), ({"profile": "spark4"}, "FS0411"), ({"match": "name", "profile": "spark4"}, None)]:
                command = {"txn": begun["txn"], "partition": 0, "attempt": 0, **said}
                try:
                    receipt = docs["send"](self.client, command, table.schema, table.to_batches())
                    self.hold(f"by name {zone} {said}", code is None and receipt, f"taken in place of {code}")
                except (pa.ArrowException, flight.FlightError, OSError) as error:
                    self.hold(f"by name {zone} {said}", code is not None and code in str(error), str(error))
            docs["act"](self.client, "commit", {"txn": begun["txn"], "receipts": [receipt]})
            wanted = pa.table([columns["ID"].cast(pa.int64()), moments.cast(pa.timestamp("ms", "UTC")), columns["TEXT"], pa.nulls(3)], names=schema.names)
            got = self.get(name)
            self.hold(f"by name {zone} schema", not isinstance(got, tuple) and got.schema.equals(schema), str(got))
            self.same(f"by name {zone}", wanted, got)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("url")
    parser.add_argument("folder", type=pathlib.Path)
    arguments = parser.parse_args()
    profiles = Profiles(arguments.binary, arguments.url, arguments.folder)
    for kind, cells, finer in types():
        profiles.run(kind, cells, finer)
    profiles.hold("page", not profiles.unseen, f"no type of pyarrow's for {profiles.unseen}")
    profiles.outside()
    profiles.extensions()
    profiles.never_held()
    profiles.names()
    profiles.by_name()
    print(f"{profiles.checks} checks, {profiles.differences} differences")
    return 1 if profiles.differences else 0


if __name__ == "__main__":
    sys.exit(main())
