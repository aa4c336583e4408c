#!/usr/bin/env python3
"""Digest v1 over pyarrow: the second implementation of docs/digest.md.

    python3 docs/digest.py FILE...            digest of .parquet, .arrow or Arrow stream files
    python3 docs/digest.py --check VECTORS    compare with docs/digest-vectors.json
    python3 docs/digest.py --make VECTORS     write the vectors anew

Needs pyarrow and nothing else. Written to be read beside the specification, not to be fast.
"""

import base64
import datetime
import json
import math
import struct
import sys
from decimal import Decimal

import pyarrow as pa
import pyarrow.ipc as ipc

M64 = (1 << 64) - 1
M128 = (1 << 128) - 1

(NULL, BOOLEAN, NON_NEGATIVE, NEGATIVE, FLOAT, DECIMAL, WIDE_DECIMAL, DATE, TIME, TIMESTAMP,
 ZONED_TIMESTAMP, DURATION, INTERVAL, BINARY, TEXT, LIST, STRUCT, MAP) = range(18)

NANOS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
DAY_MS = 86_400_000


def splitmix(x):
    x ^= x >> 30
    x = x * 0xBF58476D1CE4E5B9 & M64
    x ^= x >> 27
    x = x * 0x94D049BB133111EB & M64
    return x ^ x >> 31


def murmur(x):
    x ^= x >> 33
    x = x * 0xFF51AFD7ED558CCD & M64
    x ^= x >> 33
    x = x * 0xC4CEB9FE1A85EC53 & M64
    return x ^ x >> 33


class State:
    def __init__(self):
        self.a = 0x243F6A8885A308D3
        self.b = 0x13198A2E03707344

    def absorb(self, *words):
        for word in words:
            word &= M64
            self.a = splitmix(self.a + word & M64)
            self.b = murmur(self.b ^ word)

    def absorb_i128(self, value):
        self.absorb(value, value >> 64)

    def absorb_bytes(self, data):
        self.absorb(len(data))
        for at in range(0, len(data), 8):
            self.absorb(int.from_bytes(data[at:at + 8], "little"))

    def hash(self):
        return self.b << 64 | self.a


def is_list(t):
    return (pa.types.is_list(t) or pa.types.is_large_list(t) or pa.types.is_fixed_size_list(t)
            or pa.types.is_list_view(t) or pa.types.is_large_list_view(t))


def is_binary(t):
    return (pa.types.is_binary(t) or pa.types.is_large_binary(t)
            or pa.types.is_fixed_size_binary(t) or pa.types.is_binary_view(t))


def unscaled(value, scale):
    sign, digits, exponent = value.as_tuple()
    number = int("".join(map(str, digits))) * 10 ** (exponent + scale)
    return -number if sign else number


def absorb(state, cell):
    """Absorbs one pyarrow scalar."""
    t = cell.type
    if pa.types.is_dictionary(t) or pa.types.is_run_end_encoded(t):
        if cell.is_valid:
            value = cell.value if pa.types.is_dictionary(t) else pa.scalar(cell.as_py(), t.value_type)
            return absorb(state, value)
        return state.absorb(NULL)
    if not cell.is_valid:
        state.absorb(NULL)
    elif pa.types.is_boolean(t):
        state.absorb(BOOLEAN, int(cell.as_py()))
    elif pa.types.is_integer(t):
        value = cell.as_py()
        state.absorb(NEGATIVE if value < 0 else NON_NEGATIVE, value)
    elif pa.types.is_floating(t):
        value = float(cell.as_py())
        bits = 0x7FF8000000000000 if math.isnan(value) else struct.unpack("<Q", struct.pack("<d", value))[0]
        state.absorb(FLOAT, bits)
    elif pa.types.is_decimal(t):
        value = unscaled(cell.as_py(), t.scale)
        scale = (t.scale & 0xFF) << 8
        if -(1 << 127) <= value < 1 << 127:
            state.absorb(DECIMAL | scale)
            state.absorb_i128(value)
        else:
            state.absorb(WIDE_DECIMAL | scale)
            state.absorb_i128(value)
            state.absorb_i128(value >> 128)
    elif pa.types.is_date(t):
        state.absorb(DATE, cell.value * (DAY_MS if pa.types.is_date32(t) else 1))
    elif pa.types.is_time(t):
        state.absorb(TIME)
        state.absorb_i128(cell.value * NANOS[t.unit])
    elif pa.types.is_timestamp(t):
        state.absorb(TIMESTAMP if t.tz is None else ZONED_TIMESTAMP)
        state.absorb_i128(cell.value * NANOS[t.unit])
    elif pa.types.is_duration(t):
        state.absorb(DURATION)
        state.absorb_i128(cell.value * NANOS[t.unit])
    elif t == pa.month_day_nano_interval():
        state.absorb(INTERVAL, *cell.as_py())
    elif is_binary(t):
        state.absorb(BINARY)
        state.absorb_bytes(cell.as_py())
    elif pa.types.is_string(t) or pa.types.is_large_string(t) or pa.types.is_string_view(t):
        state.absorb(TEXT)
        state.absorb_bytes(cell.as_py().encode())
    elif pa.types.is_map(t):
        entries = cell.values
        total = 0
        for key, value in zip(entries.field(0), entries.field(1)):
            entry = State()
            absorb(entry, key)
            absorb(entry, value)
            total += entry.hash()
        state.absorb(MAP, len(entries))
        state.absorb_i128(total & M128)
    elif is_list(t):
        state.absorb(LIST, len(cell.values))
        for item in cell.values:
            absorb(state, item)
    elif pa.types.is_struct(t):
        state.absorb(STRUCT)
        for index in range(t.num_fields):
            absorb(state, cell[index])
    else:
        raise TypeError(f"digest v1 has no rule for {t}")


def digest(batches):
    """The digest of record batches, as text."""
    rows = total = 0
    for batch in batches:
        for row in range(batch.num_rows):
            state = State()
            for column in batch.columns:
                absorb(state, column[row])
            rows += 1
            total += state.hash()
    return f"v1:{rows}:{total & M128:032x}"


def read(path):
    if path.endswith(".parquet"):
        import pyarrow.parquet
        return pyarrow.parquet.ParquetFile(path).iter_batches()
    with open(path, "rb") as file:
        magic = file.read(6)
    if magic == b"ARROW1":
        reader = ipc.open_file(path)
        return (reader.get_batch(index) for index in range(reader.num_record_batches))
    return ipc.open_stream(path)


def vectors():
    """Name, why, batches."""
    def one(name, why, array, *more):
        batches = [pa.record_batch([array], names=["x"])]
        batches += [pa.record_batch([other], names=["x"]) for other in more]
        return name, why, batches

    def columns(name, why, **arrays):
        return name, why, [pa.record_batch(list(arrays.values()), names=list(arrays))]

    words = ["", "NA", "\\N", "eight by", "nine byte", "line\nbreak", "\"quoted\"", "snow \u2603", None]
    micros = [-1, 0, -62_135_596_800_000_000, 1_700_000_000_123_456, None]
    encoded = pa.array(words).dictionary_encode()
    runs = pa.RunEndEncodedArray.from_arrays(pa.array([2, 3, 5], pa.int32()), pa.array(["a", None, "b"]))
    nested = pa.struct([("n", pa.int32()), ("tags", pa.list_(pa.utf8()))])
    pairs = pa.map_(pa.utf8(), pa.int64())
    yield one("no rows", "the neutral element", pa.array([], pa.int32()))
    yield "rows without columns", "rows count even so", [
        pa.RecordBatch.from_struct_array(pa.StructArray.from_buffers(pa.struct([]), 3, [None]))]
    yield one("nulls", "a null has no type", pa.array([None, None], pa.null()))
    yield one("null integers", "the same as nulls", pa.array([None, None], pa.int64()))
    yield one("booleans", "", pa.array([True, False, None]))
    for t in (pa.int8(), pa.int16(), pa.int32(), pa.int64()):
        yield one(f"integers, {t}", "equal at any width", pa.array([0, 1, -1, 127, -128, None], t))
    yield one("integers, cut and shuffled", "the same rows again", pa.array([-128, None], pa.int64()),
              pa.array([127, 1, 0, -1], pa.int64()))
    yield one("unsigned", "as the signed where both fit", pa.array([0, 1, 127, None], pa.uint8()))
    yield one("large unsigned", "not the same as -1", pa.array([2**64 - 1], pa.uint64()))
    yield one("the row -1", "", pa.array([-1], pa.int64()))
    yield one("a row once", "", pa.array([7], pa.int64()))
    yield one("a row twice", "not the empty digest, not the row once", pa.array([7, 7], pa.int64()))
    yield one("floats", "one NaN; -0.0 is not 0.0",
              pa.array([0.0, -0.0, math.nan, math.inf, -math.inf, 5e-324, 0.1, None], pa.float64()))
    yield one("short floats", "by value: 0.5 is 0.5 at any width", pa.array([0.5, math.nan, -0.0], pa.float32()))
    for t in (pa.decimal32(7, 2), pa.decimal64(12, 2), pa.decimal128(38, 2), pa.decimal256(60, 2)):
        yield one(f"decimals, {t}", "by value at the declared scale",
                  pa.array([Decimal("1.50"), Decimal("-0.01"), Decimal("0.00"), None], t))
    yield one("decimals of scale 1", "another declared scale", pa.array([Decimal("1.5")], pa.decimal128(38, 1)))
    yield one("wide decimals", "beyond 128 bits",
              pa.array([Decimal(10**59), Decimal(-(10**59))], pa.decimal256(60, 0)))
    yield one("negative scale", "", pa.array([Decimal("12E3")], pa.decimal128(5, -3)))
    days = [datetime.date(1970, 1, 1), datetime.date(1969, 12, 31), datetime.date(9999, 12, 31), None]
    yield one("dates", "", pa.array(days, pa.date32()))
    yield one("dates in milliseconds", "the same days", pa.array(days, pa.date64()))
    yield one("times in seconds", "", pa.array([0, 1, 86_399, None], pa.int32()).cast(pa.time32("s")))
    yield one("times in nanoseconds", "the same times",
              pa.array([0, 10**9, 86_399 * 10**9, None], pa.int64()).cast(pa.time64("ns")))
    yield one("timestamps", "before 1970 too", pa.array(micros, pa.int64()).cast(pa.timestamp("us")))
    yield one("zoned timestamps", "another tag; the zone's name does not count",
              pa.array(micros, pa.int64()).cast(pa.timestamp("us", "Europe/Berlin")))
    yield one("timestamps in seconds", "", pa.array([-1, 1_700_000_000], pa.int64()).cast(pa.timestamp("s")))
    yield one("timestamps in nanoseconds", "the same times",
              pa.array([-(10**9), 1_700_000_000 * 10**9], pa.int64()).cast(pa.timestamp("ns")))
    yield one("the last second", "beyond 64 bits of nanoseconds",
              pa.array([2**63 - 1], pa.int64()).cast(pa.timestamp("s")))
    yield one("durations", "", pa.array([-1, 0, 5, None], pa.int64()).cast(pa.duration("ms")))
    yield one("intervals", "months, days and nanoseconds apart",
              pa.array([(1, -2, 3), (0, 0, -1), None], pa.month_day_nano_interval()))
    for t in (pa.utf8(), pa.large_utf8(), pa.string_view()):
        yield one(f"text, {t}", "", pa.array(words, t))
    yield one("text, dictionary", "the same text", encoded)
    yield one("text, runs", "", runs)
    yield one("text, runs decoded", "the same text", pa.array(["a", "a", None, "b", "b"]))
    raw = [b"", b"\x00", b"\x00\x00", b"12345678", None]
    yield one("binary", "not the same as text", pa.array(raw, pa.binary()))
    yield one("fixed binary", "", pa.array([b"12345678", None], pa.binary(8)))
    for t in (pa.list_(pa.int32()), pa.large_list(pa.int32()), pa.list_view(pa.int32())):
        yield one(f"lists, {t}", "empty, null, and a null within", pa.array([[], None, [None], [1, 2], [2, 1]], t))
    yield one("fixed lists", "", pa.array([[1, 2], None, [2, 1]], pa.list_(pa.int32(), 2)))
    yield one("structs", "", pa.array([{"n": 1, "tags": ["a", ""]}, None, {"n": None, "tags": None}], nested))
    yield one("maps", "", pa.array([[("a", 1), ("b", None)], [], None], pairs))
    yield one("maps, entries in another order", "the same maps", pa.array([[("b", None), ("a", 1)], [], None], pairs))
    yield columns("two columns", "", a=pa.array([1, 2]), b=pa.array([3, 4]))
    yield columns("two columns exchanged", "position counts", a=pa.array([3, 4]), b=pa.array([1, 2]))
    yield columns("two columns re-paired", "rows are whole", a=pa.array([1, 2]), b=pa.array([4, 3]))


def encode(batches):
    sink = pa.BufferOutputStream()
    with ipc.new_stream(sink, batches[0].schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return base64.b64encode(sink.getvalue().to_pybytes()).decode()


def make(path):
    state = State()
    state.absorb(NON_NEGATIVE, 1)
    lines = [
        json.dumps({"name": name, "why": why, "type": ", ".join(str(t) for t in batches[0].schema.types),
                    "digest": digest(batches), "ipc": encode(batches)})
        for name, why, batches in vectors()
    ]
    with open(path, "w", encoding="utf-8") as file:
        file.write('{"version": 1,\n"start": "%032x",\n"words_2_1": "%032x",\n"vectors": [\n%s\n]}\n'
                   % (State().hash(), state.hash(), ",\n".join(lines)))
    print(f"{len(lines)} vectors written")


def check(path):
    with open(path, encoding="utf-8") as file:
        entries = json.load(file)["vectors"]
    wrong = 0
    for entry in entries:
        got = digest(ipc.open_stream(base64.b64decode(entry["ipc"])))
        if got != entry["digest"]:
            wrong += 1
            print(f"{entry['name']}: {got}, expected {entry['digest']}", file=sys.stderr)
    print(f"{len(entries)} vectors, {wrong} wrong")
    return 1 if wrong else 0


def main(arguments):
    if len(arguments) == 2 and arguments[0] == "--check":
        return check(arguments[1])
    if len(arguments) == 2 and arguments[0] == "--make":
        return make(arguments[1])
    if not arguments or arguments[0].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    for path in arguments:
        print(digest(read(path)), path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
