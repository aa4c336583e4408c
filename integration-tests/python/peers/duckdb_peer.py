"""DuckDB: Parquet, CSV and lines of JSON.

Its Avro reader is an extension that its makers serve over the network and no package of Python's index carries, so that
it is not under test.
"""

import duckdb

import kinds
from checks import NESTED, ONE_COLUMN, OURS, THEY_WRITE, WE_WRITE, Format, Lacking, Peer, different, main, refused

PLAIN = {
    "bool": "BOOLEAN", "float32": "FLOAT", "float64": "DOUBLE", "date": "DATE", "interval": "INTERVAL",
    "int8": "TINYINT", "int16": "SMALLINT", "int32": "INTEGER", "int64": "BIGINT",
    "uint8": "UTINYINT", "uint16": "USMALLINT", "uint32": "UINTEGER", "uint64": "UBIGINT",
    "utf8": "VARCHAR", "large_utf8": "VARCHAR", "utf8_view": "VARCHAR", "dictionary": "VARCHAR",
    "binary": "BLOB", "large_binary": "BLOB",
}
LACKS = {
    "float16": "no 16-bit float",
    "date64": "a date is of 32 bits",
    "fixed": "no binary of one size",
    "duration": "an INTERVAL has months and days, too",
    "null": "a column has a type",
}
STAMPS = {"s": "TIMESTAMP_S", "ms": "TIMESTAMP_MS", "us": "TIMESTAMP", "ns": "TIMESTAMP_NS"}


def sql_type(kind):
    """DuckDB's type for a type."""
    match kind.name:
        case "decimal":
            if kind.args[0] > 38:
                raise Lacking("a DECIMAL has at most 38 digits")
            return "DECIMAL({},{})".format(*kind.args)
        case "time":
            if kind.args[0] not in ("us", "ns"):
                raise Lacking("a TIME is of microseconds or nanoseconds")
            return "TIME" if kind.args[0] == "us" else "TIME_NS"
        case "timestamp" if kind.zone:
            if kind.args[0] == "ns":
                return "TIMESTAMPTZ_NS"
            if kind.args[0] != "us":
                raise Lacking("a TIMESTAMPTZ is of microseconds or nanoseconds")
            return "TIMESTAMPTZ"
        case "timestamp":
            return STAMPS[kind.args[0]]
        case "list":
            return f"{sql_type(*kind.args)}[]"
        case "struct":
            return f"STRUCT({', '.join(f'{name} {sql_type(of)}' for name, of in kind.args)})"
        case "map":
            return f"MAP({', '.join(map(sql_type, kind.args))})"
    if kind.name in LACKS:
        raise Lacking(LACKS[kind.name])
    return PLAIN[kind.name]


def put(kind, value):
    """An expression that makes a value, and its parameters: numbers where Python's classes could not hold it."""
    of = sql_type(kind)
    if value is None:
        return f"NULL::{of}", []
    match kind.name:
        case "date":
            return "DATE '1970-01-01' + ?::INTEGER", [value]
        case "time":
            clock = kinds.python_scalar(kinds.time("us"), value - value % 1000)
            return f"?::{of}", [f"{clock.isoformat('microseconds')}{value % 1000:03}"]
        case "timestamp" if kind.args[0] == "ns":
            return f"make_timestamp_ns(?)::{of}", [value]
        case "timestamp":
            return f"{'make_timestamptz' if kind.zone else 'make_timestamp'}(?)::{of}", [kinds.exact(value)]
        case "interval":
            months, days, nanos = value
            return "to_months(?) + to_days(?) + to_microseconds(?)", [months, days, kinds.exact(nanos)]
        case "decimal":
            return f"?::{of}", [str(value)]
        case "list":
            return together("[{}]", of, [put(kind.args[0], item) for item in value])
        case "struct":
            return together("ROW({})", of, [put(of_field, value[name]) for name, of_field in kind.args])
        case "map":
            keys = together("[{}]", "", [put(kind.args[0], key) for key, _ in value])
            values = together("[{}]", "", [put(kind.args[1], item) for _, item in value])
            return together("MAP({})", of, [keys, values])
    return f"?::{of}", [value]


def together(pattern, of, parts):
    """One expression of several."""
    text = pattern.format(", ".join(sql for sql, _ in parts))
    return f"{text}::{of}" if of else text, [parameter for _, parameters in parts for parameter in parameters]


def exact(name, of):
    """An expression for a column from which Python gets every digit."""
    quoted = identifier(name)
    if of in ("TIMESTAMP_NS", "TIMESTAMPTZ_NS", "TIMESTAMP_NS WITH TIME ZONE", "TIME_NS"):
        return f"epoch_ns({quoted})"
    if of.startswith("TIMESTAMP") and not of.endswith("[]"):
        plain = quoted if "ZONE" in of else f"{quoted}::TIMESTAMP"
        return f"epoch_us({plain})::HUGEINT * 1000"
    if of == "DATE":
        return f"{quoted} - DATE '1970-01-01'"
    if of == "INTERVAL":
        whole = f"(hour({quoted}) * 60 + minute({quoted})) * 60000000 + microsecond({quoted})"
        return f"CASE WHEN {quoted} IS NOT NULL THEN [year({quoted}) * 12 + month({quoted}), day({quoted}), {whole}] END"
    return quoted


def identifier(name):
    return '"' + name.replace('"', '""') + '"'


def scalar(kind, value):
    """What DuckDB gives, in the form of `kinds`."""
    if kind.name == "interval" and isinstance(value, list):
        months, days, micros = value
        return months, days, micros * 1000
    return kinds.scalar(kind, value)


class Duckdb(Peer):
    name, version = "duckdb", duckdb.__version__
    formats = (
        Format("parquet", ".parquet"),
        Format("csv", ".csv", described=False),
        Format("json", ".jsonl", described=False),
    )

    def start(self, bridge):
        self.database = duckdb.connect()
        self.database.execute("SET TimeZone = 'UTC'")

    def read(self, form, case, path):
        columns = {name: sql_type(kind) for name, kind in case.columns} if form.name != "parquet" else None
        source = {
            "parquet": "read_parquet($path)",
            # Without the last option a quoted field of no text is a null, too.
            "csv": "read_csv($path, header = true, columns = $columns, allow_quoted_nulls = false)",
            "json": "read_json($path, format = 'newline_delimited', columns = $columns)",
        }[form.name]
        source = source.replace("$path", literal(str(path))).replace("$columns", struct_literal(columns or {}))
        found = self.database.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
        selected = ", ".join(exact(name, of) for name, of, *_ in found)
        rows = self.database.execute(f"SELECT {selected} FROM {source}").fetchall()
        names, of = [name for name, *_ in found], dict(case.columns)
        return names, [tuple(kinds.form(of[name], cell, scalar) if name in of else cell for name, cell in zip(names, row)) for row in rows]

    def write(self, form, case, path):
        constraint = " NOT NULL" if case.required else ""
        columns = ", ".join(f"{identifier(name)} {sql_type(kind)}{constraint}" for name, kind in case.columns)
        self.database.execute(f"CREATE OR REPLACE TABLE made ({columns})")
        self.fill(case)
        self.database.execute(f"COPY made TO {literal(str(path))} (FORMAT {form.name})")

    def fill(self, case):
        if len(case.rows) > 1000:
            # Flat columns of numbers and text: lists of them are two parameters, not a statement for each row.
            lists = [list(column) for column in zip(*case.rows)]
            selected = ", ".join(f"unnest(?::{sql_type(kind)}[])" for _, kind in case.columns)
            self.database.execute(f"INSERT INTO made SELECT {selected}", lists)
            return
        for row in case.rows:
            text, parameters = together("({})", "", [put(kind, cell) for (_, kind), cell in zip(case.columns, row)])
            self.database.execute(f"INSERT INTO made VALUES {text}", parameters)


def literal(text):
    return "'" + text.replace("'", "''") + "'"


def struct_literal(columns):
    return "{" + ", ".join(f"{literal(name)}: {literal(of)}" for name, of in columns.items()) + "}"


FAR = "DuckDB's dates end within 32 bits, and the two ends of 64 bits are its infinities"
BYTES = "DuckDB has bytes as `\\x00`, we as base 16 in CSV and base 64 in JSON"
LENGTH = "Parquet has no length of time: others see numbers"
Duckdb.rules = (
    *OURS,
    different("parquet", WE_WRITE, "decimal_76_20", "DuckDB has decimals of at most 38 digits, and takes a DOUBLE"),
    different("parquet", WE_WRITE, "duration_s duration_ms duration_us", LENGTH),
    different("parquet", WE_WRITE, "timestamp_us_far timestamp_ns_far", FAR),
    refused("csv", WE_WRITE, "date32_far timestamp_us_far timestamp_ns_far", "ConversionException", FAR),
    refused("json", WE_WRITE, "date32_far timestamp_us_far timestamp_ns_far", "InvalidInputException", FAR),
    refused("*", THEY_WRITE, "date32_far", "OutOfRangeException", FAR),
    refused("*", THEY_WRITE, "timestamp_us_far timestamp_ns_far", "ConversionException", FAR),
    different("csv json", WE_WRITE, "binary large_binary struct_types", BYTES),
    refused("json", THEY_WRITE, "binary large_binary struct_types", "FS0307", BYTES),
    refused("csv", THEY_WRITE, "binary large_binary", "FS0307", BYTES),
    refused("csv", THEY_WRITE, f"interval {NESTED}", "FS0306", "CSV has no text of this type that reads back (docs/csv.md)"),
    *ONE_COLUMN,
    refused("json", WE_WRITE, "interval", "InvalidInputException", "we write ISO 8601, which DuckDB does not read"),
    refused("json", THEY_WRITE, "interval", "FS0307", "DuckDB writes `1 year 2 months`, which is not ISO 8601"),
    refused("json", THEY_WRITE, "float32 float64", "FS0305", "DuckDB writes a bare `Infinity`, which is no JSON"),
)

if __name__ == "__main__":
    main(Duckdb())
