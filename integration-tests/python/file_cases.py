"""What pyarrow finds in a file that FlinkSpark wrote.

    python file_cases.py seconds OUT.parquet
    python file_cases.py moments OUT.parquet COLUMN VALUE...
"""

import sys

import pyarrow as pa
import pyarrow.parquet as pq


def seconds(path):
    """Types of the format's own, and the values of seconds.arrow."""
    types = [str(pq.ParquetFile(path).schema.column(index).logical_type) for index in range(4)]
    kinds = [text.split("(")[0] for text in types]
    assert kinds == ["Timestamp", "Timestamp", "Date", "Time"], types
    table = pq.read_table(path)
    assert table["s"].cast(pa.timestamp("ms")).cast(pa.int64()).to_pylist() == [-1000, 0, 1_717_243_200_000, None], table["s"]
    assert table["sz"].type.tz == "UTC", table["sz"].type
    days = [None if day is None else day.isoformat() for day in table["d64"].to_pylist()]
    assert days == ["1969-12-31", "1970-01-01", "2024-06-01", None], days
    times = [None if time is None else time.isoformat() for time in table["t"].to_pylist()]
    assert times == ["00:00:00", "00:00:01", "23:59:59", None], times


def moments(path, column, *expected):
    """The column has these values."""
    found = [value.isoformat() for value in pq.read_table(path)[column].to_pylist()]
    assert found == list(expected), found


if __name__ == "__main__":
    {"seconds": seconds, "moments": moments}[sys.argv[1]](*sys.argv[2:])
