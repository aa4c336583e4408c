"""Data that breaks careless formats, written by somebody else's library.

    python hurtful_data.py flat.parquet nested.parquet
"""

import decimal
import sys

import pyarrow as pa
import pyarrow.parquet as pq

TEXTS = [
    "",
    "NA",
    "\\N",
    "\\\\N",
    "NULL",
    '"',
    '""',
    'say "no", twice',
    "two\nlines",
    "carriage\r\nreturn",
    " around ",
    ",",
    "12",
    "true",
    "1969-12-31",
    "\ufeffmark",
    "\U0001f6eb",
    None,
]
NUMBERS = [float("nan"), -0.0, 0.0, float("inf"), float("-inf"), 5e-324, 1.7976931348623157e308, 0.1, None]
DECIMALS = ["0.0000000000", "-0.0000000001", "9999999999999999999999999999.9999999999", "-1.5000000000", None]
MICROSECONDS = [-1, -1_000_001, -62_135_596_800_000_000, 0, 1, 253_402_300_799_999_999, None]
DAYS = [-1, -719_162, 0, 2_932_896, None]
LONGS = [-(2**63), 2**63 - 1, 0, None]
BYTES = [b"", b"\x00\xff", b"\\N", None]


def cycled(values, dtype):
    """The values over and over, so that each meets each text's neighbours."""
    return pa.array([values[row % len(values)] for row in range(ROWS)], dtype)


ROWS = len(TEXTS) * 60


def flat():
    """Columns that every format can hold."""
    decimals = [None if text is None else decimal.Decimal(text) for text in DECIMALS]
    return pa.table(
        {
            "text": cycled(TEXTS, pa.string()),
            "double": cycled(NUMBERS, pa.float64()),
            "float": cycled([float("nan"), -0.0, 1e-45, 3.4028235e38, None], pa.float32()),
            "decimal": cycled(decimals, pa.decimal128(38, 10)),
            "at": cycled(MICROSECONDS, pa.timestamp("us")),
            "day": cycled(DAYS, pa.date32()),
            "long": cycled(LONGS, pa.int64()),
            "tiny": cycled([-128, 127, None], pa.int8()),
            "flag": cycled([True, False, None], pa.bool_()),
            "bytes": cycled(BYTES, pa.binary()),
            "no_text": cycled([None], pa.string()),
            "no_number": cycled([None], pa.int32()),
        }
    )


def nested():
    """Columns that CSV refuses."""
    lists = [[], [None], ["", "NA", "\\N"], None]
    maps = [[], [("", None), ("NA", -1)], None]
    structs = [{"a": None, "b": [None, -0.0]}, {"a": 1, "b": None}, None]
    return pa.table(
        {
            "id": pa.array(range(ROWS), pa.int64()),
            "list": cycled(lists, pa.list_(pa.string())),
            "map": cycled(maps, pa.map_(pa.string(), pa.int64())),
            "struct": cycled(structs, pa.struct([("a", pa.int32()), ("b", pa.list_(pa.float64()))])),
        }
    )


def main():
    """Writes both files."""
    flat_path, nested_path = sys.argv[1:]
    pq.write_table(flat(), flat_path)
    pq.write_table(nested(), nested_path, row_group_size=100)


if __name__ == "__main__":
    main()
