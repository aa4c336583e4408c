"""Makes the cases that a writer of today can make; the others were made byte by byte.

    python make.py FOLDER        (pyarrow 26.0; fastavro 1.13.1 with cramjam and backports.zstd)
"""

import datetime
import decimal
import os
import sys

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq

UTC = datetime.timezone.utc


def page_crc(folder):
    """Checksums on dictionary pages and on data pages of both versions, compressed and not."""
    rows = 24
    table = pa.table(
        {
            "word": pa.array([f"word {row % 5}" for row in range(rows)]).dictionary_encode(),
            "cents": pa.array([row * 75_025 for row in range(rows)], pa.int64()),
            "list": pa.array([[row, None] if row % 3 else None for row in range(rows)], pa.list_(pa.int32())),
        }
    )
    for version in ["1.0", "2.0"]:
        for codec in ["none", "snappy"]:
            pq.write_table(
                table,
                os.path.join(folder, f"v{version[0]}_{codec}.parquet"),
                compression=codec,
                data_page_version=version,
                use_dictionary=["word"],
                write_page_checksum=True,
                write_statistics=False,
            )


def int96(folder):
    """Far, fine and nested moments as INT96."""
    far = [datetime.datetime(9999, 12, 31, 23, 59, 59, 999999), None, datetime.datetime(1, 1, 1)]
    near = pa.array([1, None, -1], pa.timestamp("ns"))
    lists = pa.array([[far[0], None], None, [far[2]]], pa.list_(pa.timestamp("us")))
    table = pa.table({"far": pa.array(far, pa.timestamp("us")), "fine": near, "list": lists})
    write = dict(use_deprecated_int96_timestamps=True, store_schema=False)
    pq.write_table(table, os.path.join(folder, "nested.parquet"), **write)
    zoned = pa.table({"at": pa.array([datetime.datetime(3000, 1, 1, tzinfo=UTC)], pa.timestamp("us", "UTC"))})
    pq.write_table(zoned, os.path.join(folder, "zoned.parquet"), use_deprecated_int96_timestamps=True)


def seconds(folder):
    """Units that Parquet does not have, around 1970 and nested."""
    at = [-1, 0, 1_717_243_200, None]
    table = pa.table(
        {
            "s": pa.array(at, pa.timestamp("s")),
            "sz": pa.array(at, pa.timestamp("s", "UTC")),
            "d64": pa.array([-86_400_000, 0, 1_717_200_000_000, None], pa.date64()),
            "t": pa.array([0, 1, 86_399, None], pa.time32("s")),
            "list": pa.array([at, None, [], [None]], pa.list_(pa.timestamp("s"))),
            "struct": pa.array(
                [{"d": datetime.date(1969, 12, 31), "t": datetime.time(23, 59, 59)}, None, {}, None],
                pa.struct([("d", pa.date64()), ("t", pa.time32("s"))]),
            ),
            "map": pa.array([[("a", 1)], None, [], [("b", None)]], pa.map_(pa.string(), pa.timestamp("s"))),
        }
    )
    with pa.ipc.new_file(os.path.join(folder, "seconds.arrow"), table.schema) as writer:
        writer.write_table(table)
    pq.write_table(table, os.path.join(folder, "pyarrow.parquet"))


def ipc(folder):
    """Streams with dictionaries that grow and that are replaced, both codecs, and a marker of Spark's."""
    def batch(values):
        return pa.record_batch({"word": pa.array(values).dictionary_encode()})

    batches = [batch(["a", "b", "a"]), batch(["a", "b", "c", None]), batch(["z"])]
    for name, delta in [("grown", True), ("replaced", False)]:
        options = pa.ipc.IpcWriteOptions(emit_dictionary_deltas=delta)
        with pa.ipc.new_stream(os.path.join(folder, f"{name}.arrows"), batches[0].schema, options=options) as writer:
            for rows in batches:
                writer.write_batch(rows)
    for codec in ["lz4", "zstd"]:
        options = pa.ipc.IpcWriteOptions(compression=codec)
        with pa.ipc.new_file(os.path.join(folder, f"{codec}.arrow"), batches[0].schema, options=options) as writer:
            writer.write_batch(batches[0])
    table = pa.table({"day": pa.array([0], pa.date32())})
    table = table.replace_schema_metadata({"org.apache.spark.legacyDateTime": ""})
    with pa.ipc.new_file(os.path.join(folder, "spark_marker.arrow"), table.schema) as writer:
        writer.write_table(table)


def avro(folder):
    """Every codec of Avro, over a union with null first and last, a named type used twice and logical types."""
    point = {"type": "record", "name": "geo.Point", "fields": [{"name": "x", "type": "double"}]}
    schema = {
        "type": "record",
        "name": "Visit",
        "namespace": "geo",
        "fields": [
            {"name": "id", "type": "long"},
            {"name": "note", "type": ["null", "string"], "default": None},
            {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}},
            {"name": "at", "type": [{"type": "long", "logicalType": "timestamp-micros"}, "null"]},
            {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["IN", "OUT"]}},
            {"name": "from", "type": point},
            {"name": "to", "type": ["null", "Point"]},
            {"name": "tags", "type": {"type": "map", "values": {"type": "array", "items": "int"}}},
        ],
    }
    rows = [
        {
            "id": row - 2,
            "note": None if row % 2 else f"note {row}",
            "price": decimal.Decimal(row * 7_501 - 10_000) / 100,
            "at": datetime.datetime(1969, 12, 31, 23, 59, 59 - row, tzinfo=UTC) if row else None,
            "kind": ["IN", "OUT"][row % 2],
            "from": {"x": row / 2},
            "to": {"x": -row / 2} if row % 2 else None,
            "tags": {"a": list(range(row))},
        }
        for row in range(5)
    ]
    for codec in ["null", "deflate", "snappy", "zstandard", "bzip2", "xz"]:
        with open(os.path.join(folder, f"{codec}.avro"), "wb") as file:
            fastavro.writer(file, schema, rows, codec=codec, sync_marker=b"made-by-fastavro", sync_interval=64)


if __name__ == "__main__":
    for case in [page_crc, int96, seconds, ipc, avro]:
        made = os.path.join(sys.argv[1], "made-" + case.__name__.replace("_", "-"))
        os.makedirs(made, exist_ok=True)
        case(made)
