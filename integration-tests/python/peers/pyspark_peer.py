"""PySpark: Parquet, CSV, lines of JSON and Avro, in one session whose time zone changes.

The Avro data source is a jar of its own (`requirements/pyspark.jars`); Maven Central has none of 4.3.0, and that of 4.2.0
works with it. Without Java nothing runs, which is said. Invariant: Python's own zone is UTC, so that nothing but Spark's
session has a zone.
"""

import os
import pathlib
import shutil
import sys
import time

import pyspark
from pyspark.sql import SparkSession, functions, types

import kinds
from checks import NESTED, ONE_COLUMN, OURS, THEY_WRITE, WE_WRITE, Format, Lacking, Peer, different, main, refused

PLAIN = {
    "bool": types.BooleanType, "int8": types.ByteType, "int16": types.ShortType, "int32": types.IntegerType, "int64": types.LongType,
    "float32": types.FloatType, "float64": types.DoubleType, "utf8": types.StringType, "large_utf8": types.StringType,
    "utf8_view": types.StringType, "dictionary": types.StringType, "binary": types.BinaryType, "large_binary": types.BinaryType,
    "date": types.DateType, "null": types.NullType,
}
LACKS = {
    **dict.fromkeys(("uint8", "uint16", "uint32", "uint64"), "no unsigned integers"),
    "float16": "no 16-bit float",
    "fixed": "no binary of one size",
    "date64": "a date is of 32 bits",
    "interval": "no interval of months, days and nanoseconds",
}
SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.memory": "1g",
    "spark.sql.timeType.enabled": "true",
    # Tables of ten rows: compiling a plan for each would take longer than all of them.
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "1",
    "spark.hadoop.mapreduce.fileoutputcommitter.marksuccessfuljobs": "false",
}
# A quote within quotes is doubled, as RFC 4180 says, and blanks stay; without these Spark does neither.
CSV = {"header": True, "escape": '"', "ignoreLeadingWhiteSpace": False, "ignoreTrailingWhiteSpace": False}
ZONES = ("Europe/Berlin", "Asia/Kolkata")
ZONED = "date32 timestamp_us instant_us instant_berlin list_instant struct_types"


def spark_type(kind):
    """Spark's type for a type."""
    match kind.name:
        case "decimal":
            if kind.args[0] > 38:
                raise Lacking("a DECIMAL has at most 38 digits")
            return types.DecimalType(*kind.args)
        case name if name in kinds.TEMPORAL and kind.args[0] != "us":
            raise Lacking("times, moments and lengths of time are of microseconds")
        case "time":
            return types.TimeType(6)
        case "timestamp":
            return types.TimestampType() if kind.zone else types.TimestampNTZType()
        case "duration":
            return types.DayTimeIntervalType()
        case "list":
            return types.ArrayType(spark_type(*kind.args))
        case "struct":
            return types.StructType([types.StructField(name, spark_type(of)) for name, of in kind.args])
        case "map":
            return types.MapType(*map(spark_type, kind.args))
    if kind.name in LACKS:
        raise Lacking(LACKS[kind.name])
    return PLAIN[kind.name]()


def schema(case):
    return types.StructType([types.StructField(name, spark_type(kind), not case.required) for name, kind in case.columns])


def scalar(kind, value):
    """What Spark gives, in the form of `kinds`: a datetime of a type with a zone is in Python's own, which is UTC."""
    if kind.name == "timestamp" and isinstance(value, int):
        return value * kinds.UNITS["us"]
    return kinds.scalar(kind, value)


def column(name):
    return functions.col("`" + name.replace("`", "``") + "`")


def micros(name):
    """An instant's microseconds since 1970."""
    return functions.unix_micros(column(name)).alias(name)


class Pyspark(Peer):
    name, version = "pyspark", pyspark.__version__

    def __init__(self):
        os.environ.update(TZ="UTC", SPARK_LOCAL_IP="127.0.0.1", PYSPARK_PYTHON=sys.executable)
        time.tzset()
        self.jars = ",".join(str(jar) for jar in (pathlib.Path(sys.prefix) / "jars").glob("*.jar"))
        plain = [Format("parquet", ".parquet"), Format("csv", ".csv", described=False), Format("json", ".jsonl", described=False)]
        plain += [Format("avro", ".avro")]
        zoned = [Format(f"{form.name} {zone}", form.suffix, form.described, only=ZONED) for zone in ZONES for form in plain]
        self.formats = (*plain, *zoned)

    def start(self, bridge):
        session = SparkSession.builder.master("local[1]").config("spark.jars", self.jars)
        for key, value in SETTINGS.items():
            session = session.config(key, value)
        self.spark = session.config("spark.local.dir", str(bridge.files)).getOrCreate()
        self.spark.sparkContext.setLogLevel("OFF")

    def zone(self, form):
        """The name of the format, whose session's zone is set."""
        name, _, zone = form.name.partition(" ")
        self.spark.conf.set("spark.sql.session.timeZone", zone or "UTC")
        return name

    def read(self, form, case, path):
        name = self.zone(form)
        reader = self.spark.read.format(name)
        if name == "csv":
            reader = reader.options(**CSV, multiLine=True).schema(schema(case))
        elif name == "json":
            reader = reader.schema(schema(case))
        found = reader.load(str(path))
        # Python's datetime in a zone cannot be made of the first day of its calendar.
        instants = {field.name for field in found.schema if isinstance(field.dataType, types.TimestampType)}
        found = found.select([micros(name) if name in instants else column(name) for name in found.columns])
        of = dict(case.columns)
        names, rows = found.columns, found.collect()
        return names, [tuple(kinds.form(of[name], cell, scalar) if name in of else cell for name, cell in zip(names, row)) for row in rows]

    def write(self, form, case, path):
        name, wanted = self.zone(form), schema(case)
        rows = [tuple(kinds.python(kind, cell) for (_, kind), cell in zip(case.columns, row)) for row in case.rows]
        made = self.spark.createDataFrame(rows, wanted).coalesce(1)
        folder = path.with_suffix(".folder")
        options = CSV if name == "csv" else {}
        made.write.format(name).options(**options).save(str(folder))
        (part,) = (file for file in folder.iterdir() if file.name.startswith("part-"))
        shutil.move(part, path)


FAR = "Python's dates and moments are of the years 1 to 9999"
EMPTY = "Spark reads an empty text of CSV as null, quoted or not"
MILLIS = "Spark writes moments of CSV and JSON in milliseconds unless `timestampFormat` says otherwise"
SECONDS = "Spark writes the offsets of old moments with seconds, `+00:53:28`, and those we do not read"
Pyspark.rules = (
    *OURS,
    refused("*", WE_WRITE, "date32_far", "ValueError", FAR),
    refused("*", THEY_WRITE, "date32_far timestamp_us_far", "OverflowError", FAR),
    refused("parquet avro csv json", WE_WRITE, "timestamp_us_far", "ValueError", FAR),
    refused("parquet", WE_WRITE, "float16 time_s time_ms timestamp_ns* instant_ns", "PARQUET_TYPE_ILLEGAL", "Spark has no such type"),
    refused("parquet avro", WE_WRITE, "decimal_76_20", "DECIMAL_PRECISION_EXCEEDS_MAX_PRECISION", "Spark has decimals of at most 38 digits"),
    different("parquet", WE_WRITE, "time_ns", "Spark reads times in microseconds, and cuts nanoseconds off"),
    different("parquet avro", "both", "duration_us", "a length of time is a number in Parquet and Avro: that it is one, only the writer knows"),
    different("parquet avro", WE_WRITE, "duration_s duration_ms", "a length of time is a number in Parquet and Avro"),
    different("csv", WE_WRITE, "float32 float64", "we write `inf`, of which Spark makes null unless `positiveInf` says otherwise"),
    different("csv", WE_WRITE, "large_utf8 utf8_view dictionary many_rows required", EMPTY),
    different("csv", WE_WRITE, "binary large_binary", "we write base 16, Spark takes the text's own bytes"),
    refused("csv", THEY_WRITE, "binary large_binary", "FS0307", "Spark writes `[0, 255]`"),
    refused("csv", "both", "null", "UNSUPPORTED_DATA_TYPE_FOR_DATASOURCE", "Spark has no such column in CSV"),
    refused("csv*", THEY_WRITE, NESTED, "UNSUPPORTED_DATA_TYPE_FOR_DATASOURCE", "Spark has no such column in CSV"),
    refused("csv", THEY_WRITE, "duration_us", "FS0306", "CSV has no text of this type that reads back (docs/csv.md)"),
    refused("csv?* json?*", THEY_WRITE, "instant_us instant_berlin", "FS0307", SECONDS),
    different("csv*", THEY_WRITE, "timestamp_us instant_us instant_berlin one_row required", MILLIS),
    different("json*", THEY_WRITE, "timestamp_us instant_us instant_berlin list_instant struct_types one_row required", MILLIS),
    different("json", WE_WRITE, "duration_us", "we write ISO 8601, of which Spark makes null"),
    refused("json", THEY_WRITE, "duration_us", "FS0307", "Spark writes `INTERVAL '0 00:00:00' DAY TO SECOND`, which is not ISO 8601"),
    refused("json", WE_WRITE, "map_int", "Py4JJavaError", "Spark reads maps whose keys are text"),
    different("avro", WE_WRITE, "names", "a name that Avro does not take has `_` in the file; ours stands in `doc` (docs/formats.md)"),
    refused("avro", THEY_WRITE, "names", "INVALID_COLUMN_NAME_AS_PATH", "Avro does not take these names"),
    refused("avro", THEY_WRITE, "map_int", "Py4JJavaError", "keys of Avro's maps are text"),
    different("avro", WE_WRITE, "time_s time_ms", "Spark reads time-millis as a number"),
    refused("avro", WE_WRITE, "timestamp_ns* instant_ns", "Py4JJavaError", "Spark has no nanoseconds"),
    different("avro", WE_WRITE, "interval", "Spark reads Avro's duration as its twelve bytes"),
    *ONE_COLUMN,
)


if __name__ == "__main__":
    if not (shutil.which("java") or os.environ.get("JAVA_HOME")):
        sys.exit(print(f"pyspark {pyspark.__version__}: 0 checks, skipped: there is no Java"))
    main(Pyspark())
