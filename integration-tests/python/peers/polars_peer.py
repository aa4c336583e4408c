"""polars: Arrow files, Parquet, CSV, lines of JSON and Avro."""

import os

# A panic is an end of a check as any other, and needs no trace.
os.environ["RUST_BACKTRACE"] = "0"

import polars as pl

import kinds
from checks import NESTED, ONE_COLUMN, OURS, THEY_WRITE, WE_WRITE, Format, Lacking, Peer, different, main, refused

PLAIN = {
    **{f"{sign}int{bits}": getattr(pl, f"{name}{bits}") for sign, name in (("", "Int"), ("u", "UInt")) for bits in (8, 16, 32, 64)},
    "bool": pl.Boolean, "float16": pl.Float16, "float32": pl.Float32, "float64": pl.Float64, "null": pl.Null, "date": pl.Date,
    "utf8": pl.String, "large_utf8": pl.String, "utf8_view": pl.String, "dictionary": pl.Categorical,
    "binary": pl.Binary, "large_binary": pl.Binary,
}
LACKS = {
    "date64": "a date is of 32 bits",
    "interval": "no lengths of months and days",
    "fixed": "no binary of one size",
}


def polars_type(kind):
    """The type of polars for a type."""
    match kind.name:
        case "decimal":
            if kind.args[0] > 38:
                raise Lacking("decimals have at most 38 digits")
            return pl.Decimal(*kind.args)
        case "time":
            if kind.args[0] != "ns":
                raise Lacking("a time is of nanoseconds")
            return pl.Time
        case "timestamp" | "duration" if kind.args[0] == "s":
            raise Lacking("no unit of seconds")
        case "timestamp":
            return pl.Datetime(*kind.args)
        case "duration":
            return pl.Duration(kind.args[0])
        case "list":
            return pl.List(polars_type(*kind.args))
        case "struct":
            return pl.Struct({name: polars_type(of) for name, of in kind.args})
        case "map":
            return pl.Map(*map(polars_type, kind.args))
    if kind.name in LACKS:
        raise Lacking(LACKS[kind.name])
    return PLAIN[kind.name]


def physical(kind, value):
    """Numbers in place of moments, for polars to cast: nothing passes through classes that end at microseconds."""
    return value // kind.unit if kind.name in ("timestamp", "duration") else value


def frame(case):
    columns = []
    for index, (name, kind) in enumerate(case.columns):
        of = polars_type(kind)
        cells = [kinds.python(kind, row[index], physical) for row in case.rows]
        columns.append(pl.Series(name, cells, numbers(kind, of)).cast(of))
    return pl.DataFrame(columns)


def numbers(kind, of):
    """The type that `physical` values have."""
    match kind.name:
        case "list":
            return pl.List(numbers(kind.args[0], of.inner))
        case "struct":
            return pl.Struct({field.name: numbers(kind_of, field.dtype) for (_, kind_of), field in zip(kind.args, of.fields)})
        case "date":
            return pl.Int32
        case "time" | "timestamp" | "duration":
            return pl.Int64
        case "dictionary":
            return pl.String
    return of


def cells(kind, series):
    """A column in the form of `kinds`."""
    of = series.dtype
    if kind.name == "date64":
        series, of = series.cast(pl.Date), pl.Date
    if isinstance(of, (pl.Datetime, pl.Duration)):
        return [None if value is None else value * kinds.UNITS[of.time_unit] for value in series.to_physical().to_list()]
    if of in (pl.Date, pl.Time):
        return series.to_physical().to_list()
    return [kinds.form(kind, value, kinds.scalar) for value in series.to_list()]


class Polars(Peer):
    name, version = "polars", pl.__version__
    formats = (
        Format("arrow", ".arrow"),
        Format("parquet", ".parquet"),
        Format("csv", ".csv", described=False),
        Format("json", ".jsonl", described=False),
        Format("avro", ".avro"),
    )

    def read(self, form, case, path):
        match form.name:
            case "arrow":
                found = pl.read_ipc(path)
            case "parquet":
                found = pl.read_parquet(path)
            case "avro":
                found = pl.read_avro(path)
            case "csv":
                found = pl.read_csv(path, schema=self.schema(case))
            case "json":
                found = pl.read_ndjson(path, schema=self.schema(case))
        of = dict(case.columns)
        columns = [cells(of[name], found[name]) if name in of else found[name].to_list() for name in found.columns]
        return found.columns, list(zip(*columns))

    @staticmethod
    def schema(case):
        return {name: polars_type(kind) for name, kind in case.columns}

    def write(self, form, case, path):
        made = frame(case)
        match form.name:
            case "arrow":
                made.write_ipc(path)
            case "parquet":
                made.write_parquet(path)
            case "avro":
                made.write_avro(path)
            case "csv":
                made.write_csv(path)
            case "json":
                made.write_ndjson(path)


WIDE_JSON = "polars writes decimals as text, which is no number to us"
FAR = "polars has a text for fewer years than its numbers hold"
Polars.rules = (
    *OURS,
    refused("arrow", WE_WRITE, "decimal_76_20 interval", "PanicException", "polars has no such type"),
    refused("parquet", WE_WRITE, "decimal_76_20", "InvalidOperationError", "polars has decimals of at most 38 digits"),
    refused("csv", THEY_WRITE, "float16", "FS0306", "CSV has no text of this type that reads back (docs/csv.md)"),
    refused("csv", WE_WRITE, "binary large_binary null", "ComputeError", "polars reads no such column from CSV"),
    refused("csv", THEY_WRITE, f"binary large_binary duration_* {NESTED}", "ComputeError", "polars writes no such column to CSV"),
    refused("csv json", WE_WRITE, "date32_far timestamp_us_far", "ComputeError", FAR),
    refused("csv json", THEY_WRITE, "date32_far timestamp_us_far", "PanicException", FAR),
    refused("csv", WE_WRITE, "names", "SchemaError", "polars leaves a doubled quote within a header as it is"),
    *ONE_COLUMN,
    refused("json", WE_WRITE, "int8 uint8 int16 uint16 duration_* time_ns", "PanicException", "polars reads no such column from JSON"),
    refused("json", THEY_WRITE, "float16", "FS0306", "JSON has no text of this type that reads back (docs/json.md)"),
    refused("json", WE_WRITE, "float32 float64", "ComputeError", "JSON has no number for NaN and the infinities: polars takes no text"),
    different("json", THEY_WRITE, "float32 float64", "polars writes null for NaN and the infinities"),
    refused("json", WE_WRITE, "decimal_* struct_types one_row required", "SchemaError", "polars reads no decimals from JSON"),
    refused("json", THEY_WRITE, "decimal_* one_row required", "FS0307", WIDE_JSON),
    refused("json", WE_WRITE, "binary large_binary", "SchemaError", "polars reads no binary from JSON"),
    refused("json", THEY_WRITE, "binary large_binary struct_types", "PanicException", "polars writes no binary to JSON"),
    different("csv", THEY_WRITE, "instant_berlin", "polars writes offsets in minutes: Berlin's was +00:53:28 before 1893"),
    different("json", THEY_WRITE, "instant_berlin", "polars writes offsets in minutes: Berlin's was +00:53:28 before 1893"),
    refused("json", "both", "map_int", "ComputeError", "polars takes text as keys"),
    refused("avro", WE_WRITE, "*", "unsupported Avro codec", "polars reads no zstandard in Avro, and we write nothing else"),
    refused("avro", THEY_WRITE, "decimal_* required", "FS0305", "polars writes a zero without a byte, which is no number"),
    refused("avro", THEY_WRITE, "null", "PanicException", "polars writes a union of null and null"),
    refused(
        "avro", THEY_WRITE, "int8 uint8 int16 uint* float16 dictionary instant_* duration_* time_ns timestamp_ns* list_instant map_*",
        "ComputeError", "polars writes no such column to Avro",
    ),
)

if __name__ == "__main__":
    main(Polars())
