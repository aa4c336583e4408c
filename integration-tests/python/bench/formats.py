"""One piece of work of a peer on one file: `formats.py PEER read|write FORMAT FILE SOURCE`.

`SOURCE` is an Arrow file with the rows: what is written, and the types of what is read where the file has none. Prints
one line of JSON: seconds, rows, the sum of the distances, the peak of memory in KiB, and the peer's version. What is read
is all in memory then, but with DuckDB, which gives batches.
"""

import json
import sys
import time


def source_table(path):
    import pyarrow as pa

    with pa.memory_map(path) as file:
        return pa.ipc.open_file(file).read_all()


def summed(table):
    import pyarrow.compute as pc

    return table.num_rows, pc.sum(table["distance"]).as_py()


def pyarrow(work, form, path, source):
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.json
    import pyarrow.parquet

    table = source_table(source)
    if work == "write":
        begin = time.perf_counter()
        match form:
            case "arrow":
                with pa.OSFile(path, "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
                    writer.write_table(table)
            case "parquet":
                pa.parquet.write_table(table, path, compression="zstd", compression_level=1)
            case "csv":
                pa.csv.write_csv(table, path)
        return begin, summed(table), pa.__version__
    schema = table.schema
    del table
    begin = time.perf_counter()
    match form:
        case "arrow":
            with pa.OSFile(path) as file:
                table = pa.ipc.open_file(file).read_all()
        case "parquet":
            table = pa.parquet.read_table(path)
        case "csv":
            types = {field.name: field.type for field in schema}
            convert = pa.csv.ConvertOptions(column_types=types, strings_can_be_null=True)
            table = pa.csv.read_csv(path, convert_options=convert)
        case "json":
            table = pa.json.read_json(path, parse_options=pa.json.ParseOptions(explicit_schema=schema))
    return begin, summed(table), pa.__version__


def polars(work, form, path, source):
    import polars as pl

    def summed(frame):
        return len(frame), frame["distance"].cast(pl.Int64).sum()

    frame = pl.read_ipc(source)
    if work == "write":
        begin = time.perf_counter()
        match form:
            case "arrow":
                frame.write_ipc(path)
            case "parquet":
                frame.write_parquet(path, compression="zstd", compression_level=1)
            case "csv":
                frame.write_csv(path, datetime_format="%Y-%m-%dT%H:%M:%S%.f")
            case "json":
                frame.write_ndjson(path)
            case "avro":
                frame.write_avro(path, compression="snappy")
        return begin, summed(frame), pl.__version__
    schema = frame.schema
    del frame
    begin = time.perf_counter()
    match form:
        case "arrow":
            frame = pl.read_ipc(path)
        case "parquet":
            frame = pl.read_parquet(path)
        case "csv":
            frame = pl.read_csv(path, schema=schema)
        case "json":
            frame = pl.read_ndjson(path, schema=schema)
        case "avro":
            frame = pl.read_avro(path)
    return begin, summed(frame), pl.__version__


def duckdb(work, form, path, source):
    import duckdb
    import pyarrow.compute as pc

    con = duckdb.connect()
    table = source_table(source)
    con.register("source", table)
    if work == "write":
        to = {"parquet": "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1", "csv": "FORMAT csv", "json": "FORMAT json"}[form]
        begin = time.perf_counter()
        con.execute(f"COPY (FROM source) TO '{path}' ({to})")
        return begin, summed(table), duckdb.__version__
    types = con.sql("DESCRIBE FROM source").fetchall()
    columns = "{" + ", ".join(f"'{name}': '{kind}'" for name, kind, *_ in types) + "}"
    con.unregister("source")
    del table
    rows = {
        "parquet": f"'{path}'",
        "csv": f"read_csv('{path}', header = true, columns = {columns})",
        "json": f"read_json('{path}', format = 'newline_delimited', columns = {columns})",
    }[form]
    begin = time.perf_counter()
    count = distance = 0
    for batch in con.sql(f"FROM {rows}").to_arrow_reader(100_000):
        count += batch.num_rows
        distance += pc.sum(batch["distance"]).as_py()
    return begin, (count, distance), duckdb.__version__


def main():
    peer, work, form, path, source = sys.argv[1:]
    begin, (rows, distance), version = {"pyarrow": pyarrow, "polars": polars, "duckdb": duckdb}[peer](work, form, path, source)
    seconds = time.perf_counter() - begin
    with open("/proc/self/status", encoding="ascii") as status:
        [peak] = [int(line.split()[1]) for line in status if line.startswith("VmHWM")]
    print(json.dumps({"seconds": seconds, "rows": rows, "distance": distance, "peak_kib": peak, "version": version}))


main()
