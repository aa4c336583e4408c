"""pyarrow: Arrow files and streams, Parquet, CSV and JSON.

Rows go in and come out by Arrow Flight, so that Arrow files are under test, too.
"""

import pyarrow as pa
import pyarrow.csv
import pyarrow.flight as flight
import pyarrow.ipc
import pyarrow.json
import pyarrow.parquet as pq

import kinds
from bridge import Bridge
from checks import NESTED, ONE_COLUMN, OURS, THEY_WRITE, WE_WRITE, Format, Peer, different, main, refused
from seeds import arrow_type, table


class FlightBridge(Bridge):
    """A bridge whose rows go in and out as a plain Flight client's."""

    def load(self, case):
        if case.name in self.loaded:
            return
        made = plain(table(case))
        self.cli("dataset", "register", case.name, "--like", self.seed(case))
        writer, reader = self.client().do_put(flight.FlightDescriptor.for_path(case.name), made.schema)
        with writer:
            writer.write_table(made)
            writer.done_writing()
            while reader.read() is not None:
                pass
        self.loaded.add(case.name)

    def rows(self, case, dataset):
        client = self.client()
        info = client.get_flight_info(flight.FlightDescriptor.for_path(dataset))
        parts = [client.do_get(endpoint.ticket).read_all() for endpoint in info.endpoints]
        return forms(case, pa.concat_tables(parts) if parts else info.schema.empty_table())

    def client(self):
        return flight.connect(f"grpc://{self.address}")


def plain(made):
    """Dictionaries as plain columns: docs/flight.md asks for that before a put."""
    for index, field in enumerate(made.schema):
        if pa.types.is_dictionary(field.type):
            made = made.set_column(index, field.name, made.column(index).cast(field.type.value_type))
    return made


def forms(case, made):
    """Names and rows of a table in the form of `kinds`."""
    of = dict(case.columns)
    columns = [[cell(of.get(name), value) for value in made.column(name)] for name in made.column_names]
    return made.column_names, list(zip(*columns))


def cell(kind, value):
    """An Arrow scalar in the form of `kinds`: its number, where a class of Python's could not hold it."""
    if not value.is_valid or kind is None:
        return value.as_py()
    if isinstance(value, pa.MapScalar):
        pairs = [(cell(kind.args[0], key), cell(kind.args[1], of)) for key, of in zip(value.values.field(0), value.values.field(1))]
        return sorted(pairs, key=lambda pair: pair[0])
    if isinstance(value, pa.ListScalar):
        return [cell(kind.args[0], item) for item in value.values]
    if isinstance(value, pa.StructScalar):
        return {name: cell(dict(kind.args).get(name), of) for name, of in value.items()}
    if isinstance(value, pa.Date32Scalar):
        return value.value
    if isinstance(value, pa.Date64Scalar):
        return value.value * 1_000_000 // kinds.DAY
    if isinstance(value, (pa.TimestampScalar, pa.DurationScalar, pa.Time32Scalar, pa.Time64Scalar)):
        return value.value * kinds.UNITS[value.type.unit]
    if isinstance(value, pa.MonthDayNanoIntervalScalar):
        return tuple(value.as_py())
    return kinds.scalar(kind, value.as_py())


class Pyarrow(Peer):
    name, version = "pyarrow", pa.__version__
    formats = (
        Format("arrow", ".arrow"),
        Format("arrow stream", ".arrow", ways=(THEY_WRITE,)),
        Format("arrow zstd", ".arrow", ways=(THEY_WRITE,)),
        Format("arrow lz4", ".arrow", ways=(THEY_WRITE,)),
        Format("parquet", ".parquet"),
        Format("parquet v1", ".parquet", ways=(THEY_WRITE,)),
        Format("parquet int96", ".parquet", ways=(THEY_WRITE,), only="timestamp_* instant_*"),
        Format("csv", ".csv", described=False),
        Format("json", ".jsonl", ways=(WE_WRITE,)),
    )

    def read(self, form, case, path):
        wanted = table(case).schema
        match form.name.split()[0]:
            case "arrow":
                found = pa.ipc.open_file(str(path)).read_all()
            case "parquet":
                found = pq.read_table(path)
            case "csv":
                options = pa.csv.ConvertOptions(
                    column_types={field.name: value_type(field.type) for field in wanted},
                    strings_can_be_null=True, quoted_strings_can_be_null=False, null_values=[""],
                )
                quoted_lines = pa.csv.ParseOptions(newlines_in_values=True)
                found = pa.csv.read_csv(path, convert_options=options, parse_options=quoted_lines)
            case _:
                schema = pa.schema([field.with_type(value_type(field.type)).with_nullable(True) for field in wanted])
                found = pa.json.read_json(path, parse_options=pa.json.ParseOptions(explicit_schema=schema))
        return forms(case, found)

    def write(self, form, case, path):
        made, flavour = table(case), form.name.partition(" ")[2]
        match form.suffix:
            case ".arrow":
                opened = pa.ipc.new_stream if flavour == "stream" else pa.ipc.new_file
                codec = flavour if flavour in ("zstd", "lz4") else None
                with opened(str(path), made.schema, options=pa.ipc.IpcWriteOptions(compression=codec)) as out:
                    out.write_table(made)
            case ".parquet" if flavour == "v1":
                # What old readers need: version 1.0 of the types, no dictionaries, no Arrow schema.
                pq.write_table(made, path, version="1.0", use_dictionary=False, compression="gzip", store_schema=False)
            case ".parquet" if flavour == "int96":
                pq.write_table(made, path, use_deprecated_int96_timestamps=True)
            case ".parquet":
                pq.write_table(made, path)
            case ".csv":
                pa.csv.write_csv(plain(made), path)


def value_type(of):
    return of.value_type if pa.types.is_dictionary(of) else of


Pyarrow.rules = (
    *OURS,
    refused("parquet*", THEY_WRITE, "interval", "ArrowNotImplementedError", "Parquet has no such interval"),
    different("parquet?v1", THEY_WRITE, "duration_s duration_ms duration_us", "without an Arrow schema a file has numbers only"),
    refused("parquet?v1", THEY_WRITE, "timestamp_ns* instant_ns", "ArrowInvalid", "version 1.0 has no nanoseconds"),
    refused("csv", THEY_WRITE, "float16 date64 duration_*", "FS0306", "CSV has no text of this type that reads back (docs/csv.md)"),
    refused("csv", THEY_WRITE, "instant_berlin", "FS0307", "a year of five digits without a sign is no ISO 8601"),
    refused("csv", THEY_WRITE, "interval", "ArrowNotImplementedError", "pyarrow writes no intervals"),
    refused("csv", THEY_WRITE, NESTED, "ArrowInvalid", "pyarrow writes nothing nested"),
    refused("csv", WE_WRITE, "decimal_76_20", "ArrowNotImplementedError", "pyarrow reads no decimal256"),
    refused("csv", WE_WRITE, "utf8_view", "ArrowNotImplementedError", "pyarrow reads no views"),
    refused("csv", THEY_WRITE, "utf8_view", "ArrowInvalid", "pyarrow writes no views"),
    different("csv", WE_WRITE, "binary large_binary", "we write base 16, pyarrow takes the text's own bytes"),
    refused("csv", WE_WRITE, "fixed_16", "ArrowInvalid", "we write base 16, pyarrow takes the text's own bytes"),
    refused("csv", THEY_WRITE, "binary large_binary fixed_16", "ArrowInvalid", "pyarrow takes bytes for text, which these are not"),
    refused("csv json", WE_WRITE, "timestamp_us_far", "ArrowInvalid", "pyarrow reads years of four digits"),
    refused("csv", WE_WRITE, "date32_far", "ArrowInvalid", "pyarrow reads years of four digits"),
    refused("csv", THEY_WRITE, "date32_far timestamp_us_far", "FS0307", "pyarrow writes `<value out of range>` for other years"),
    refused("csv json", WE_WRITE, "timestamp_ns_far", "ArrowInvalid", "pyarrow does not parse the first moment of 64 bits"),
    *ONE_COLUMN,
    refused("json", WE_WRITE, "float32 float64", "ArrowInvalid", "JSON has no number for NaN and the infinities: pyarrow takes no text"),
    different("json", WE_WRITE, "binary large_binary struct_types", "we write base 64, pyarrow takes the text's own bytes"),
    refused("json", WE_WRITE, "date32* time_* struct_deep one_row required", "ArrowInvalid", "pyarrow reads dates and times from numbers"),
    refused("json", WE_WRITE, "fixed_16 duration_* interval map_*", "ArrowNotImplementedError", "pyarrow has no JSON of it"),
    refused("json", WE_WRITE, "no_rows", "Empty JSON file", "pyarrow reads no empty file"),
)

if __name__ == "__main__":
    main(Pyarrow(), FlightBridge)
