"""fastavro: Avro object container files, with every codec and every logical type that it has."""

import decimal
import struct

import fastavro

import kinds
from checks import THEY_WRITE, WE_WRITE, Format, Lacking, Peer, different, main, refused

decimal.getcontext().prec = 80
PLAIN = {
    "bool": "boolean", "float16": "float", "float32": "float", "float64": "double", "null": "null", "uint32": "long", "int64": "long",
    "utf8": "string", "large_utf8": "string", "utf8_view": "string", "dictionary": "string", "binary": "bytes", "large_binary": "bytes",
}
UNITS = {"s": "millis", "ms": "millis", "us": "micros", "ns": "nanos"}
CODECS = ("null", "deflate", "bzip2", "snappy", "zstandard", "xz", "lz4")


class Names:
    """Names for what Avro demands that it has one: records and fixed."""

    def __init__(self):
        self.count = 0

    def new(self):
        self.count += 1
        return f"t{self.count}"


def schema(case):
    names = Names()
    fields = [{"name": name, "type": field_type(kind, names, case.required)} for name, kind in case.columns]
    return fastavro.parse_schema({"type": "record", "name": "row", "fields": fields})


def field_type(kind, names, required=False):
    of = avro_type(kind, names)
    return of if required or of == "null" else ["null", of]


def avro_type(kind, names):
    """The Avro type that the specification has for a type, or the nearest that holds every value."""
    match kind.name:
        case "decimal":
            return {"type": "bytes", "logicalType": "decimal", "precision": kind.args[0], "scale": kind.args[1]}
        case "uint64":
            return {"type": "bytes", "logicalType": "decimal", "precision": 20, "scale": 0}
        case "date" | "date64":
            return {"type": "int", "logicalType": "date"}
        case "time":
            return {"type": "int" if kind.args[0] in ("s", "ms") else "long", "logicalType": f"time-{UNITS[kind.args[0]]}"}
        case "timestamp":
            return {"type": "long", "logicalType": f"{'' if kind.zone else 'local-'}timestamp-{UNITS[kind.args[0]]}"}
        case "duration":
            raise Lacking("Avro has no signed length of time")
        case "interval":
            return {"type": "fixed", "name": names.new(), "size": 12, "logicalType": "duration"}
        case "fixed":
            return {"type": "fixed", "name": names.new(), "size": kind.args[0]}
        case "list":
            return {"type": "array", "items": field_type(kind.args[0], names)}
        case "map" if kind.args[0].name == "utf8":
            return {"type": "map", "values": field_type(kind.args[1], names)}
        case "map":
            raise Lacking("keys of Avro's maps are text")
        case "struct":
            fields = [{"name": name, "type": field_type(of, names)} for name, of in kind.args]
            return {"type": "record", "name": names.new(), "fields": fields}
    return PLAIN.get(kind.name, "int")


def native(kind, value):
    """What fastavro takes: numbers where it leaves a logical type alone, as it does with nanoseconds and durations."""
    match kind.name:
        case "uint64":
            return decimal.Decimal(value)
        case "time" | "timestamp" if kind.args[0] == "ns":
            return value
        case "interval":
            months, days, nanos = value
            return struct.pack("<3I", months, days, nanos // 1_000_000)
    return kinds.python_scalar(kind, value)


def scalar(kind, value):
    """What fastavro gives, in the form of `kinds`."""
    match kind.name:
        case "time" | "timestamp" | "duration" if isinstance(value, int):
            return value * kind.unit
        case "interval":
            months, days, millis = struct.unpack("<3I", value)
            return months, days, millis * 1_000_000
    return kinds.scalar(kind, value)


class Fastavro(Peer):
    name, version = "fastavro", fastavro.__version__
    formats = (
        Format("avro", ".avro"),
        *(
            Format(f"avro {codec}", ".avro", ways=(THEY_WRITE,), only="int64 utf8 decimal_38_10 struct_deep no_rows many_rows")
            for codec in CODECS
        ),
    )

    def read(self, form, case, path):
        with open(path, "rb") as file:
            reader = fastavro.reader(file)
            names = [field["name"] for field in reader.writer_schema["fields"]]
            of = dict(case.columns)
            rows = [tuple(kinds.form(of[name], row[name], scalar) if name in of else row[name] for name in names) for row in reader]
        return names, rows

    def write(self, form, case, path):
        made = schema(case)
        records = [{name: kinds.python(kind, cell, native) for (name, kind), cell in zip(case.columns, row)} for row in case.rows]
        with open(path, "wb") as file:
            fastavro.writer(file, made, records, codec=form.name.partition(" ")[2] or "null")


Fastavro.rules = (
    refused("avro", WE_WRITE, "date32_far", "ValueError", "fastavro gives dates of the years 1 to 9999"),
    refused("avro", WE_WRITE, "timestamp_us_far", "OverflowError", "fastavro gives moments of the years 1 to 9999"),
    refused("avro", THEY_WRITE, "date32_far timestamp_us_far", "OverflowError", "fastavro takes the years 1 to 9999"),
    different("avro", WE_WRITE, "names", "a name that Avro does not take has `_` in the file; ours stands in `doc` (docs/formats.md)"),
    refused("avro?lz4", THEY_WRITE, "*", "FS0312", "the specification has no such codec"),
)

if __name__ == "__main__":
    main(Fastavro())
