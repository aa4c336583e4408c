"""Generated filters over every type, pushed down over Flight, against pyarrow's evaluation of the same rows.

    python filters.py compare BIN SERVER URL FOLDER [--filters N] [--seed S]
    python filters.py measure BIN SERVER URL FOLDER [--rows N]

`compare` writes one table with every type (nulls, extremes, before 1970, empty and non-ASCII texts, many duplicates) as
several segments, asks for it under random filters, and compares rows, order, and what was handed back as residual.
`measure` writes sorted rows, keeps one in a hundred of them, and says how many of the stored bytes were read for it.
The seed is printed first; ends with 0 if nothing differs.
"""

import argparse
import base64
import datetime
import decimal
import json
import pathlib
import random
import subprocess
import sys
import time

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.flight as flight
import pyarrow.ipc

from documented import documented

D = decimal.Decimal
ROWS = 40_000
COMPARE = {
    "eq": pc.equal, "ne": pc.not_equal, "lt": pc.less, "le": pc.less_equal, "gt": pc.greater, "ge": pc.greater_equal,
}


def pools():
    """Name, type, and values that ascend; temporal ones as the stored number."""
    for bits in (8, 16, 32, 64):
        low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
        yield f"int{bits}", getattr(pa, f"int{bits}")(), [low, low + 1, -7, -1, 0, 1, 7, high - 1, high]
        yield f"uint{bits}", getattr(pa, f"uint{bits}")(), [0, 1, 7, high, high + 1, 2**bits - 1]
    yield "bool", pa.bool_(), [False, True]
    yield "float", pa.float64(), [float("-inf"), -1.5, 0.0, 0.5, float("inf"), float("nan")]
    yield "decimal9", pa.decimal128(9, 2), [D("-9999999.99"), D("-0.01"), D("0.00"), D("12.50"), D("9999999.99")]
    yield "decimal38", pa.decimal128(38, 10), [D("-1.0000000001"), D("0.0000000000"), D("9" * 28 + "." + "9" * 10)]
    yield "decimal76", pa.decimal256(76, 20), [D("-" + "9" * 56 + "." + "9" * 20), D("0.00000000000000000001"), D("9" * 56 + "." + "0" * 20)]
    yield "date32", pa.date32(), [-(2**31), -719_162, -1, 0, 1, 20_000, 2**31 - 1]
    yield "date64", pa.date64(), [-86_400_000 * 20_000, -86_400_000, 0, 86_400_000]
    yield "time32_s", pa.time32("s"), [0, 1, 43_200, 86_399]
    yield "time32_ms", pa.time32("ms"), [0, 1, 86_399_999]
    yield "time64_us", pa.time64("us"), [0, 1, 86_399_999_999]
    yield "time64_ns", pa.time64("ns"), [0, 1, 86_399_999_999_999]
    for unit in ("s", "ms", "us", "ns"):
        for zone in (None, "UTC", "Europe/Berlin"):
            name = f"timestamp_{unit}_{zone or 'local'}".replace("/", "_")
            yield name, pa.timestamp(unit, zone), [-(2**63), -1_000_001, -1, 0, 1, 1_600_000_000, 2**63 - 1]
        yield f"duration_{unit}", pa.duration(unit), [-(2**63), -1, 0, 86_400, 2**63 - 1]
    texts = sorted(["", "A", "a", "ab", "z", "é", "ä€𐍈", "￿", "😀", " b ", "x" * 64 + "a", "x" * 64 + "b", "x" * 300], key=str.encode)
    raw = [b"", b"\x00", b"\x00\x01", b"\x7f", b"\xff" * 70, b"\xff" * 70 + b"\x01"]
    for name, kind in [("utf8", pa.utf8()), ("large_utf8", pa.large_utf8()), ("utf8_view", pa.string_view())]:
        yield name, kind, texts
    for name, kind in [("binary", pa.binary()), ("large_binary", pa.large_binary()), ("binary_view", pa.binary_view())]:
        yield name, kind, raw
    yield "fixed2", pa.binary(2), [b"\x00\x00", b"\x00\xff", b"\x80\x00", b"\xff\xff"]
    yield "dictionary", pa.dictionary(pa.int32(), pa.utf8()), texts
    yield "list", pa.list_(pa.int32()), [[], [1], [1, None]]
    yield "struct", pa.struct([("a", pa.int32())]), [{"a": 1}, {"a": None}]
    yield "interval", pa.month_day_nano_interval(), [(0, 0, 0), (1, -1, 5)]


def plain(kind):
    if pa.types.is_dictionary(kind):
        return kind.value_type
    return {pa.string_view(): pa.utf8(), pa.binary_view(): pa.binary()}.get(kind, kind)


def table(rng):
    """Every second column's values ascend with the rows, so that blocks differ; the others' are anywhere."""
    columns = {"id": pa.array(range(ROWS), pa.int64())}
    for at, (name, kind, pool) in enumerate(pools()):
        values = pa.array(pool, plain(kind))
        picks = [row * len(pool) // ROWS if at % 2 else rng.randrange(len(pool)) for row in range(ROWS)]
        share = rng.choice([0, 0.02, 0.6])
        picks = [None if rng.random() < share else pick for pick in picks]
        column = values.take(pa.array(picks, pa.int32()))
        columns[name] = column.dictionary_encode().cast(kind) if pa.types.is_dictionary(kind) else column.cast(kind)
    return pa.table(columns)


def literal(rng, kind, scalar):
    """A value as docs/flight.md writes it."""
    kind = plain(kind)
    if pa.types.is_integer(kind):
        return rng.choice([scalar.as_py(), str(scalar.as_py())])
    if pa.types.is_boolean(kind):
        return scalar.as_py()
    if pa.types.is_floating(kind):
        value = scalar.as_py()
        words = {float("inf"): "Infinity", float("-inf"): "-Infinity"}
        return "NaN" if value != value else words.get(value, value)
    if pa.types.is_decimal(kind):
        return format(scalar.as_py(), "f")
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return scalar.as_py()
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return base64.b64encode(scalar.as_py()).decode()
    if pa.types.is_duration(kind) or rng.random() < 0.5:
        return scalar.value
    return iso(kind, scalar.value)


def iso(kind, number):
    """ISO 8601, or the number where Python's calendar does not reach."""
    try:
        epoch = datetime.datetime(1970, 1, 1)
        if pa.types.is_date(kind):
            days = number if kind == pa.date32() else number // 86_400_000
            return (epoch + datetime.timedelta(days=days)).date().isoformat()
        per = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[kind.unit]
        seconds, fraction = divmod(number, per)
        text = (epoch + datetime.timedelta(seconds=seconds)).isoformat()
        text += "" if per == 1 else "." + str(fraction).zfill(len(str(per)) - 1)
        return text.split("T")[1] if pa.types.is_time(kind) else text + ("Z" if kind.tz else "")
    except OverflowError:
        return number


class Filter:
    """A filter as JSON, its evaluation, and whether engines agree on it."""

    def __init__(self, body, mask, exact=True):
        self.body, self.mask, self.exact = body, mask, exact


def kleene(op, parts):
    mask = parts[0].mask
    for part in parts[1:]:
        mask = (pc.and_kleene if op == "and" else pc.or_kleene)(mask, part.mask)
    return Filter({op: [part.body for part in parts]}, mask, all(part.exact for part in parts))


def term(rng, rows, pool_of):
    name = rng.choice(list(pool_of))
    kind, pool = pool_of[name]
    column = rows[name]
    null = pa.scalar(None, plain(kind))
    if pa.types.is_nested(kind) or pa.types.is_interval(kind) or rng.random() < 0.15:
        return Filter({"is_null": {"column": name}}, pc.is_null(column))
    column = column.cast(plain(kind))
    exact = not pa.types.is_floating(kind)
    pick = lambda: null if rng.random() < 0.05 else pa.array([rng.choice(pool)], plain(kind))[0]
    said = lambda scalar: literal(rng, kind, scalar) if scalar.is_valid else None
    what = rng.random()
    texts = pa.types.is_string(plain(kind)) or pa.types.is_large_string(plain(kind))
    bytes_ = pa.types.is_binary(plain(kind)) or pa.types.is_large_binary(plain(kind)) or pa.types.is_fixed_size_binary(plain(kind))
    if (texts or bytes_) and what < 0.3:
        value = rng.choice(pool)[: rng.choice([0, 1, 2, 65])]
        wide = pa.large_utf8() if texts else pa.large_binary()
        mask = pc.starts_with(column.cast(pa.binary()).cast(wide) if pa.types.is_fixed_size_binary(plain(kind)) else column.cast(wide), value)
        return Filter({"prefix": {"column": name, "value": value if texts else base64.b64encode(value).decode()}}, mask)
    if what < 0.5:
        values = [pick() for _ in range(rng.randint(1, 4))]
        mask = pc.equal(column, values[0])
        for value in values[1:]:
            mask = pc.or_kleene(mask, pc.equal(column, value))
        return Filter({"in": {"column": name, "values": [said(value) for value in values]}}, mask, exact)
    op = rng.choice(list(COMPARE))
    value = pick()
    return Filter({op: {"column": name, "value": said(value)}}, COMPARE[op](column, value), exact)


def tree(rng, rows, pool_of, depth):
    what = rng.random()
    if depth == 0 or what < 0.35:
        return term(rng, rows, pool_of)
    if what < 0.5:
        part = tree(rng, rows, pool_of, depth - 1)
        return Filter({"not": part.body}, pc.invert(part.mask), part.exact)
    op = "and" if what < 0.75 else "or"
    return kleene(op, [tree(rng, rows, pool_of, depth - 1) for _ in range(rng.randint(1, 3))])


def register(binary, url, name, schema, folder):
    like = pathlib.Path(folder) / f"{name}.arrow"
    with pa.ipc.new_file(like, schema):
        pass
    subprocess.run([binary, "--url", url, "dataset", "register", name, "--like", like], check=True, capture_output=True)


def asked(url, name, body, columns):
    """The rows, the flight's metadata, and what was read and passed over, as the last messages say."""
    client = flight.connect(url)
    command = json.dumps({"dataset": name, "columns": columns, "filter": body})
    info = client.get_flight_info(flight.FlightDescriptor.for_command(command))
    tables, read, skipped = [], 0, 0
    for endpoint in info.endpoints:
        reader, rows, last = client.do_get(endpoint.ticket), 0, None
        batches = []
        while True:
            try:
                chunk = reader.read_chunk()
            except StopIteration:
                break
            last = json.loads(chunk.app_metadata.to_pybytes())
            rows += last["rows"]
            batches.append(chunk.data)
        stored = json.loads(endpoint.app_metadata)["rows"]
        assert rows == stored == last["row"], (rows, stored, last)
        tables.append(pa.Table.from_batches(batches, info.schema))
        if "read" in last:
            assert last["read"]["rows"] + last["skipped"]["rows"] == stored, last
            read, skipped = read + last["read"]["bytes"], skipped + last["skipped"]["bytes"]
    return pa.concat_tables(tables), json.loads(info.app_metadata), read, skipped


def one(parts):
    bodies = [part.body for part in parts]
    return None if not bodies else bodies[0] if len(bodies) == 1 else {"and": bodies}


def compare(arguments):
    rng = random.Random(arguments.seed)
    rows = table(rng)
    pool_of = {name: (kind, pool) for name, kind, pool in pools()}
    register(arguments.binary, arguments.http, "every", rows.schema, arguments.folder)
    half = ROWS // 2
    # Dictionaries are sent decoded.
    sent = rows.set_column(rows.schema.get_field_index("dictionary"), "dictionary", rows["dictionary"].cast(pa.utf8()))
    for part in (sent.slice(0, half), sent.slice(half)):
        documented()["write"](arguments.url, "every", [part.to_batches(max_chunksize=4096)])
    differences, matched, skipping, residuals = 0, 0, 0, 0
    for number in range(arguments.filters):
        # What AND joins at the top is parted; each part is answered whole or not at all.
        parts = [tree(rng, rows, pool_of, 2) for _ in range(rng.randint(1, 3))]
        parts = [part for part in parts if "and" not in part.body] or [term(rng, rows, pool_of)]
        exact, rest = [part for part in parts if part.exact], [part for part in parts if not part.exact]
        mask = kleene("and", exact).mask if exact else pa.chunked_array([pa.array([True] * ROWS)])
        expected = rows.select(["id", "utf8"]).filter(mask)
        got, metadata, _, skipped = asked(arguments.url, "every", one(parts), ["id", "utf8"])
        split = metadata["filter"]
        if got.equals(expected) and split == {"answered": one(exact), "residual": one(rest)}:
            matched, skipping, residuals = matched + got.num_rows, skipping + (skipped > 0), residuals + bool(rest)
            continue
        differences += 1
        print(f"filter {number} (seed {arguments.seed}): {json.dumps(one(parts))}: {got.num_rows} rows came, {expected.num_rows} match; {split}")
    print(f"{arguments.filters} filters, {len(pool_of)} types, {matched} rows matched, {skipping} passed blocks over, {residuals} with a residual, {differences} differences")
    return differences


def measure(arguments):
    schema = pa.schema([("at", pa.timestamp("ms")), ("user", pa.utf8()), ("amount", pa.decimal128(12, 2)), ("score", pa.float64())])
    register(arguments.binary, arguments.http, "sorted", schema, arguments.folder)
    count, size = arguments.rows, 65_536

    def batches(first, last):
        for start in range(first, last, size):
            numbers = pa.array(range(start, min(start + size, last)), pa.int64())
            users = pc.binary_join_element_wise("user-", pc.cast(numbers, pa.utf8()), "")
            amounts = pc.cast(pc.cast(pc.bit_wise_and(numbers, 1023), pa.int32()), pa.decimal128(12, 2))
            yield pa.RecordBatch.from_arrays([numbers.cast(pa.timestamp("ms")), users, amounts, numbers.cast(pa.float64())], schema=schema)

    # As one writes a day's rows: each partition has a part of the time.
    parts = [list(batches(count * part // 4, count * (part + 1) // 4)) for part in range(4)]
    documented()["write"](arguments.url, "sorted", parts)
    low, high = count * 40 // 100, count * 41 // 100
    body = {"and": [{"ge": {"column": "at", "value": low}}, {"lt": {"column": "at", "value": high}}]}
    began = time.monotonic()
    got, metadata, read, skipped = asked(arguments.url, "sorted", body, ["user", "amount"])
    seconds = time.monotonic() - began
    share = read / metadata["bytes"]
    print(f"{count} rows, {got.num_rows} match: {read} of {metadata['bytes']} bytes read ({share:.2%}), {skipped} passed over, {seconds:.2f} s")
    return int(got.num_rows != high - low or share > 0.10)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("action", choices=["compare", "measure"])
    parser.add_argument("binary")
    parser.add_argument("http", help="what the binary calls the server")
    parser.add_argument("url", help="what pyarrow calls it")
    parser.add_argument("folder")
    parser.add_argument("--filters", type=int, default=500)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=None)
    arguments = parser.parse_args()
    if arguments.seed is None:
        arguments.seed = random.SystemRandom().randrange(2**32)
    print(f"seed {arguments.seed}")
    return {"compare": compare, "measure": measure}[arguments.action](arguments)


if __name__ == "__main__":
    sys.exit(min(main(), 1))
