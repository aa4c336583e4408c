"""Every Arrow type that pyarrow makes, with values that hurt, and what a value is, whatever the type that holds it.

Used by profiles.py.
"""

import decimal
import struct

import pyarrow as pa
import pyarrow.compute as pc

PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
DAY = 86_400
# 0001-01-01, before 1970, 1972-02-29, 2000-02-29 and 9999-12-31, in days.
DAYS = [-719_162, -1, 0, 789, 11_016, 2_932_896]
BORDERS = [-(2**63), 2**63 - 1]


def ticks(kind, values):
    """An array of a temporal type from its numbers; Python's own times do not hold all of them."""
    storage = pa.int32() if kind.bit_width == 32 else pa.int64()
    return pa.array(values, storage).view(kind)


def made(kind, values):
    if pa.types.is_temporal(kind) and not pa.types.is_interval(kind):
        return ticks(kind, values)
    if pa.types.is_dictionary(kind):
        return pa.array(values, kind.value_type).dictionary_encode().cast(kind)
    if pa.types.is_run_end_encoded(kind):
        return pc.run_end_encode(pa.array(values, kind.value_type), run_end_type=kind.run_end_type)
    if isinstance(kind, pa.BaseExtensionType):
        return pa.ExtensionArray.from_storage(kind, made(kind.storage_type, values))
    return pa.array(values, kind)


def types():
    """The type, its values, and such as are finer than an engine holds."""
    D = decimal.Decimal
    yield pa.null(), [None], []
    yield pa.bool_(), [True, False], []
    for bits in (8, 16, 32, 64):
        yield getattr(pa, f"int{bits}")(), [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1, 0, -1], []
        yield getattr(pa, f"uint{bits}")(), [2**bits - 1, 0, 1, 2 ** (bits - 1)], []
    odd = [0.0, -0.0, float("nan"), float("inf"), float("-inf")]
    yield pa.float16(), odd + [65504.0, -65504.0, 2.0**-24], []
    yield pa.float32(), odd + [3.4028234663852886e38, 2.0**-149], []
    yield pa.float64(), odd + [1.7976931348623157e308, 5e-324, 0.1], []
    yield pa.decimal32(9, 2), [D("9999999.99"), D("-9999999.99"), D("0.00"), D("-0.01")], []
    yield pa.decimal64(18, 4), [D("9" * 14 + ".9999"), D("-" + "9" * 14 + ".9999"), D("0.0001")], []
    yield pa.decimal128(38, 10), [D("9" * 28 + "." + "9" * 10), D("-" + "9" * 28 + "." + "9" * 10), D("0E-10")], []
    yield pa.decimal128(5, -2), [D("9999900"), D("-9999900"), D("0")], []
    yield pa.decimal128(38, -1), [D("9" * 37 + "0"), D("-10")], []
    yield pa.decimal256(38, 10), [D("9" * 28 + "." + "9" * 10), D("-0.0000000001")], []
    yield pa.decimal256(76, 0), [D("9" * 76), D("-" + "9" * 76), D("0")], []
    texts = ["", "a", "\u00e4\u20ac\U0001d11e", "\0", "NULL", "x" * (1 << 20)]
    raw = [b"", b"\0", b"\xff\xfe", b"y" * (1 << 20)]
    yield pa.utf8(), texts, []
    yield pa.large_utf8(), texts, []
    yield pa.string_view(), texts, []
    yield pa.binary(), raw, []
    yield pa.large_binary(), raw, []
    yield pa.binary_view(), raw, []
    yield pa.binary(16), [b"\0" * 16, bytes(range(16)), b"\xff" * 16], []
    yield pa.date32(), DAYS + [-(2**31), 2**31 - 1], []
    yield pa.date64(), [day * DAY * 1000 for day in DAYS], [-1, 1, DAY * 1000 + 1]
    for unit, per in PER_SECOND.items():
        kind = pa.time32(unit) if per <= 1000 else pa.time64(unit)
        whole = [0, 1, DAY // 2, DAY - 1]
        finer = {"us": [1, 999], "ns": [1, 999_999, 1_000_001]}.get(unit, [])
        yield kind, [second * per for second in whole], finer
    for zone in (None, "UTC"):
        for unit, per in PER_SECOND.items():
            # Nanoseconds reach from 1677 to 2262.
            seconds = [day * DAY for day in (DAYS if per < 10**9 else [-100_000, -1, 0, 789, 11_016, 100_000])]
            yield pa.timestamp(unit, zone), [second * per + second % 2 for second in seconds] + [-1], []
    yield pa.timestamp("us", "Europe/Berlin"), [second * 10**6 for second in (-1, 0, 1_711_846_800)] + BORDERS, []
    for unit in PER_SECOND:
        yield pa.duration(unit), [0, -1, DAY, 2**40, -(2**40)], []
    interval = pa.month_day_nano_interval()
    yield interval, [(14, 3, 5_000_000_000), (-1, 0, 1000), (0, 0, 0), (2**31 - 1, -(2**31), 0)], [(0, 0, 1), (1, 2, -999)]
    yield pa.dictionary(pa.int32(), pa.utf8()), texts[:4] + ["a"], []
    yield pa.run_end_encoded(pa.int32(), pa.utf8()), ["a", "a", "", "b"], []
    lists = [[1, None, -(2**31)], [], [2**31 - 1]]
    for maker in (pa.list_, pa.large_list, pa.list_view, pa.large_list_view):
        yield maker(pa.int32()), lists, []
    yield pa.list_(pa.int32(), 2), [[1, None], [2**31 - 1, -(2**31)]], []
    yield pa.map_(pa.utf8(), pa.int64()), [[("a", 1), ("", None)], [], [("b", -(2**63))]], []
    yield pa.struct([("a", pa.int32())]), [{"a": 1}, {"a": None}], []
    yield pa.struct([]), [{}, {}], []


def shapes(kind, values):
    """Name and array: flat and nested, without nulls and with one after each value."""
    for nulls in ([], [None]):
        cells = [cell for value in values for cell in [value, *nulls]]
        flat, name = made(kind, cells), "null" if nulls else "all"
        yield f"flat {name}", flat
        # An item of pyarrow's that stands for others cannot be nested by hand in all its versions.
        if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
            continue
        ends = [0, 0, *range(1, len(flat) + 1)]
        listed = pa.ListArray.from_arrays(pa.array(ends, pa.int32()), flat)
        yield f"list {name}", listed
        mask = pa.array([bool(nulls) and row % 3 == 2 for row in range(len(listed))])
        inner = pa.StructArray.from_arrays([listed], names=["s"], mask=mask)
        yield f"struct {name}", inner
        keys = pa.array([f"k{row}" for row in range(len(inner))], pa.utf8())
        every = pa.array([0, 1, *[len(inner)] * 2], pa.int32())
        yield f"map {name}", pa.MapArray.from_arrays(every, keys, inner)
        # Three levels: a list of structs of maps.
        pairs = pa.MapArray.from_arrays(pa.array(range(len(flat) + 1), pa.int32()), pa.array(map(str, range(len(flat)))), flat)
        held = pa.StructArray.from_arrays([pairs], names=["m"])
        yield f"deep {name}", pa.ListArray.from_arrays(pa.array([0, 1, len(held)], pa.int32()), held)


def values(array, floor=1):
    """The values as numbers, texts and lists; times in nanoseconds, rounded down to `floor` of them."""
    kind = array.type
    if isinstance(array, pa.ChunkedArray):
        return [value for chunk in array.chunks for value in values(chunk, floor)]
    if isinstance(array, pa.ExtensionArray):
        return values(array.storage, floor)
    if pa.types.is_dictionary(kind):
        return values(array.dictionary_decode(), floor)
    if pa.types.is_run_end_encoded(kind):
        return values(pc.run_end_decode(array), floor)
    if pa.types.is_struct(kind):
        columns = [values(array.field(index), floor) for index in range(kind.num_fields)]
        rows = [[column[row] for column in columns] for row in range(len(array))]
        return [row if valid else None for row, valid in zip(rows, array.is_valid().to_pylist())]
    if pa.types.is_map(kind):
        return [values(row.values, floor) if row.is_valid else None for row in array]
    if pa.types.is_nested(kind):
        return [values(row.values, floor) if row.is_valid else None for row in array]
    if pa.types.is_interval(kind):
        cells = array.to_pylist()
        return [cell and (cell.months, cell.days, cell.nanoseconds // floor * floor) for cell in cells]
    if pa.types.is_temporal(kind):
        unit = 86_400 * 10**9 if pa.types.is_date32(kind) else 10**9 // PER_SECOND["ms" if pa.types.is_date64(kind) else kind.unit]
        cells = array.view(pa.int32() if kind.bit_width == 32 else pa.int64()).to_pylist()
        return [None if cell is None else cell * unit // floor * floor for cell in cells]
    if pa.types.is_floating(kind):
        bits = [None if cell is None else struct.pack(">d", float(cell)) for cell in array.to_pylist()]
        return ["NaN" if cell is not None and struct.unpack(">d", cell)[0] != struct.unpack(">d", cell)[0] else cell for cell in bits]
    return array.to_pylist()


def spelt(kind):
    """The type's name as docs/profiles.md has it."""
    plain = {"double": "float64", "float": "float32", "halffloat": "float16", "string": "utf8", "large_string": "large_utf8"}
    plain |= {"string_view": "utf8_view", "date32[day]": "date32", "date64[ms]": "date64", "month_day_nano_interval": "interval[month_day_nano]"}
    if pa.types.is_struct(kind):
        return f"struct<{', '.join(f'{field.name}: {spelt(field.type)}' for field in kind)}>"
    if pa.types.is_map(kind):
        return f"map<{spelt(kind.key_type)} not null, {spelt(kind.item_type)}>"
    if pa.types.is_dictionary(kind):
        return f"dictionary<{spelt(kind.index_type)}, {spelt(kind.value_type)}>"
    if pa.types.is_run_end_encoded(kind):
        return f"run_end_encoded<{spelt(kind.run_end_type)}, {spelt(kind.value_type)}>"
    if pa.types.is_fixed_size_list(kind):
        return f"fixed_size_list<{spelt(kind.value_type)}, {kind.list_size}>"
    if pa.types.is_nested(kind):
        return f"{str(kind).split('<')[0]}<{spelt(kind.value_type)}>"
    text = str(kind).replace("tz=", "").replace(", ", ",") if pa.types.is_decimal(kind) else str(kind).replace("tz=", "")
    return plain.get(text, text)


def stretched(array, rows):
    """The values again from the first one on, up to so many rows."""
    if pa.types.is_run_end_encoded(array.type):
        again = stretched(pc.run_end_decode(array), rows)
        return pc.run_end_encode(again, run_end_type=array.type.run_end_type)
    whole, rest = divmod(rows, len(array))
    return pa.concat_arrays([array] * whole + [array.slice(0, rest)])


def decoded(column):
    """Dictionaries and run ends as plain columns: docs/flight.md asks for that before a put."""
    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    column = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
    if pa.types.is_dictionary(column.type):
        return column.dictionary_decode()
    return pc.run_end_decode(column) if pa.types.is_run_end_encoded(column.type) else column


def leaf(kind, until=None):
    """The type within all lists, structs and maps, or the first that is called `until`."""
    while spelt(kind) != until and pa.types.is_nested(kind) and kind.num_fields:
        if pa.types.is_map(kind):
            kind = kind.item_type
        else:
            kind = kind.field(0).type if pa.types.is_struct(kind) else kind.value_type
    return kind
