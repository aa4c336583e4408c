"""The one table of what is moved between FlinkSpark and its peers.

A case is a table: named, typed columns and rows of values in the form of `kinds`. Most are one type: its extremes,
nulls, what lies before 1970 and what careless programs confuse, beside a column of row numbers. Others are about
numbers of rows, names and nullability. Peers never add values of their own: what one is asked, all are.
"""

import math
from dataclasses import dataclass
from decimal import Decimal as D

from kinds import DAY, UNITS, Kind, clock, day, decimals, duration, fixed, list_of, map_of, moment, single, struct_of
from kinds import time, timestamp

BOOL, INT32, INT64, UTF8, BINARY, DATE = (Kind(name) for name in ("bool", "int32", "int64", "utf8", "binary", "date"))
FLOAT64 = Kind("float64")
TEXTS = [
    "a", "ä€𐍈", " b ", "NULL", "null", "NA", "nan", "line\nend", "return\r\nend", 'q"q', "it's", "a,b", "a;b\tc", "\\N", "\\",
    "1E5", "007", "true", "1969-12-31", "x" * 3000, "\ufeffmark", "\u2028", "\x7f", "#c", "=1+1", None,
]
BYTES = [b"", b"\x00", b"\xff\xfe", b"abc", bytes(range(256)), b"\\x41", None]
MANY = 70_000


@dataclass(frozen=True)
class Case:
    """A table; no column of it may be null where `required`."""

    name: str
    columns: tuple
    rows: tuple
    required: bool = False

    @property
    def names(self):
        return [name for name, _ in self.columns]


def one(name, kind, values):
    """A type beside row numbers: with one column alone, formats of text have rules of their own."""
    return Case(name, (("n", INT64), ("v", kind)), tuple(enumerate(values)))


def plain_types():
    for bits in (8, 16, 32, 64):
        half = 2 ** (bits - 1)
        yield one(f"int{bits}", Kind(f"int{bits}"), [-half, half - 1, 0, -1, 7, None])
        yield one(f"uint{bits}", Kind(f"uint{bits}"), [2 * half - 1, half, 0, 1, None])
    yield one("bool", BOOL, [True, False, None])
    odd = [0.0, -0.0, 1.5, math.inf, -math.inf, math.nan, None]
    yield one("float16", Kind("float16"), [65504.0, -(2.0**-24), *odd])
    yield one("float32", Kind("float32"), [*map(single, (3.4028234663852886e38, 1e-45, 0.1, 16777217.0)), *odd])
    yield one("float64", FLOAT64, [1.7976931348623157e308, 5e-324, 0.1, 2.0**53 + 2, 1e21, 1e-7, *odd])
    yield one("decimal_9_2", decimals(9, 2), [D("9999999.99"), D("-9999999.99"), D("0.00"), D("-0.01"), None])
    yield one("decimal_18_0", decimals(18, 0), [D(10**18 - 1), D(1 - 10**18), D(0), None])
    nines = "9" * 28 + "." + "9" * 10
    yield one("decimal_38_10", decimals(38, 10), [D(nines), D("-" + nines), D("-1.0000000001"), D("0E-10"), None])
    nines = "9" * 56 + "." + "9" * 20
    yield one("decimal_76_20", decimals(76, 20), [D(nines), D("-" + nines), D("1.5"), None])
    yield one("utf8", UTF8, TEXTS)
    yield one("large_utf8", Kind("large_utf8"), ["", *TEXTS])
    yield one("utf8_view", Kind("utf8_view"), ["", *TEXTS])
    yield one("dictionary", Kind("dictionary"), ["", "a", "b" * 40, "a", None])
    yield one("nul_in_text", UTF8, ["a\x00b", "\x00", "\x01\x1f", None])
    yield one("binary", BINARY, BYTES)
    yield one("large_binary", Kind("large_binary"), BYTES)
    yield one("fixed_16", fixed(16), [bytes(16), bytes(range(16)), b"\xff" * 16, None])
    yield one("null", Kind("null"), [None, None])


def moments(unit):
    """What a timestamp of a unit can hold between the years 1 and 9999; nanoseconds reach from 1677 to 2262."""
    tick = UNITS[unit]
    texts = ["1969-12-31T23:59:59", "1970-01-01T00:00:00", "1883-11-18T12:03:57", "2024-03-31T02:30:00"]
    texts += ["2024-10-27T00:30:00", "2024-10-27T01:30:00", "2024-02-29T23:59:59", "1900-01-01T00:00:00"]
    held = [moment(text) for text in texts]
    if unit == "ns":
        held += [moment("1677-09-22T00:00:00") + 1, moment("2262-04-11T00:00:00") - 1]
    else:
        held += [moment(text) for text in ("0001-01-01T00:00:00", "1582-10-14T12:00:00", "1582-10-15T00:00:00")]
        held += [moment("9999-12-31T23:59:59") + UNITS["s"] - tick]
    return [*held, -tick, tick, -UNITS["s"] - tick, None]


def temporal_types():
    texts = ["1970-01-01", "1969-12-31", "0001-01-01", "1582-10-04", "1582-10-14", "1582-10-15", "1900-02-28", "9999-12-31"]
    days = [*map(day, texts), None]
    yield one("date32", DATE, days)
    yield one("date64", Kind("date64"), days)
    yield one("date32_far", DATE, [-(2**31), 2**31 - 1, day("10000-01-01"), day("0000-12-31")])
    for unit, tick in UNITS.items():
        yield one(f"time_{unit}", time(unit), [0, clock("05:15:00"), DAY - tick, tick, None])
        yield one(f"timestamp_{unit}", timestamp(unit), moments(unit))
        yield one(f"instant_{unit}", timestamp(unit, "UTC"), moments(unit))
        yield one(f"duration_{unit}", duration(unit), [0, -tick, tick, 90_000 * UNITS["s"], -DAY, None])
    yield one("instant_berlin", timestamp("us", "Europe/Berlin"), moments("us"))
    yield one("timestamp_us_far", timestamp("us"), [(1 - 2**63) * 1000, (2**63 - 1) * 1000, moment("10000-01-01T00:00:00")])
    yield one("timestamp_ns_far", timestamp("ns"), [1 - 2**63, 2**63 - 1])
    yield one("interval", Kind("interval"), [(14, 3, 5_000_000_000), (0, 0, 0), (1, 0, 1_000_000), (0, 2**31 - 1, 0), None])


def nested_types():
    yield one("list_int", list_of(INT32), [[], [1], [1, 2, 3], [-(2**31)], None])
    yield one("list_text", list_of(UTF8), [[], ["", "NA", 'q"q'], ["a,b", "c\nd"], None])
    yield one("list_with_nulls", list_of(UTF8), [[None], ["a", None, ""], [], None])
    yield one("list_list", list_of(list_of(INT64)), [[], [[]], [[1], [], [2, 3]], None])
    yield one("list_instant", list_of(timestamp("us", "UTC")), [[-1000], [moment("2024-03-31T02:30:00")], [], None])
    pair = struct_of(a=INT32, b=UTF8)
    yield one("struct", pair, [{"a": 1, "b": ""}, {"a": None, "b": None}, {"a": -1, "b": "x"}, None])
    deep = struct_of(a=struct_of(b=list_of(pair)), d=DATE)
    yield one("struct_deep", deep, [{"a": {"b": [{"a": 1, "b": "x"}]}, "d": -1}, {"a": {"b": []}, "d": 0}, None])
    yield one("list_struct", list_of(pair), [[{"a": 1, "b": "x"}, {"a": None, "b": "y"}], [], None])
    flat = struct_of(m=decimals(9, 2), t=timestamp("us"), f=FLOAT64, x=BINARY, o=BOOL)
    full = {"m": D("-1.50"), "t": moment("1969-12-31T23:59:59") + 1000, "f": -0.0, "x": b"\x00\xff", "o": False}
    yield one("struct_types", flat, [full, dict.fromkeys(full), None])
    yield one("map_text", map_of(UTF8, INT64), [[], [("", 0), ("a", -1)], [("NA", None)], None])
    yield one("map_int", map_of(INT32, UTF8), [[], [(-1, "x"), (2, None)], None])
    yield one("map_list", map_of(UTF8, list_of(pair)), [[("k", [{"a": 1, "b": "z"}])], [("e", [])], None])


def other_tables():
    wide = (("n", INT64), ("text", UTF8), ("at", timestamp("us")), ("day", DATE), ("price", decimals(18, 2)), ("f", FLOAT64))
    rows = [(7, "a", 1000, -1, D("1.50"), 0.5), (None,) * 6]
    yield Case("no_rows", wide, ())
    yield Case("one_row", wide, (rows[0],))
    yield Case("all_nulls", wide, (rows[1],) * 3)
    texts = ("x", None, "", "NA")
    yield Case("many_rows", wide[:2], tuple((row, texts[row % 4]) for row in range(MANY)))
    yield Case("required", wide, (rows[0], (0, "", 0, 0, D("0.00"), -0.0)), required=True)
    awkward = ["a b", "a.b", "A", 'q"q', "it's", "back`tick", "\\", "ä€𐍈", "SELECT", "x" * 200, "-", "1", " s "]
    yield Case("names", tuple((name, INT64) for name in awkward), (tuple(range(13)), (None,) * 13))
    yield Case("one_column", (("v", UTF8),), (("a",), ("",), (None,), ("\\N",), ("b",)))


CASES = [*plain_types(), *temporal_types(), *nested_types(), *other_tables()]
