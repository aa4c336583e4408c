"""Every case as an Arrow file, for bridges to be filled from: `python seeds.py FOLDER`, with pyarrow.

Arrow is the way in because no peer but pyarrow is asked about it: what is under test is never how the rows came.
"""

import pathlib
import sys

import pyarrow as pa
import pyarrow.ipc

from cases import CASES
from kinds import DAY, TEMPORAL

PLAIN = {"bool": "bool_", "dictionary": "utf8", "date": "date32", "interval": "month_day_nano_interval", "utf8_view": "string_view"}


def arrow_type(kind):
    """The Arrow type of a type."""
    match kind.name:
        case "decimal":
            return (pa.decimal128 if kind.args[0] <= 38 else pa.decimal256)(*kind.args)
        case "time":
            return (pa.time32 if kind.args[0] in ("s", "ms") else pa.time64)(*kind.args)
        case "timestamp" | "duration":
            return getattr(pa, kind.name)(*kind.args)
        case "fixed":
            return pa.binary(*kind.args)
        case "list":
            return pa.list_(arrow_type(*kind.args))
        case "struct":
            return pa.struct([(name, arrow_type(of)) for name, of in kind.args])
        case "map":
            return pa.map_(*map(arrow_type, kind.args))
    return getattr(pa, PLAIN.get(kind.name, kind.name))()


def arrow_value(kind, value):
    """What pyarrow takes for a value in the form of `kinds`: numbers of the type's own unit."""
    if value is None:
        return None
    match kind.name:
        case "list":
            return [arrow_value(kind.args[0], item) for item in value]
        case "struct":
            return {name: arrow_value(of, value[name]) for name, of in kind.args}
        case "map":
            return [(arrow_value(kind.args[0], key), arrow_value(kind.args[1], of)) for key, of in value]
        case "date64":
            return value * DAY // 1_000_000
        case name if name in TEMPORAL:
            return value // kind.unit
    return value


def table(case):
    """A case as an Arrow table."""
    fields, arrays = [], []
    for index, (name, kind) in enumerate(case.columns):
        array = pa.array([arrow_value(kind, row[index]) for row in case.rows], arrow_type(kind))
        array = array.dictionary_encode() if kind.name == "dictionary" else array
        fields.append(pa.field(name, array.type, not case.required))
        arrays.append(array)
    return pa.table(arrays, schema=pa.schema(fields))


def main():
    folder = pathlib.Path(sys.argv[1])
    for case in CASES:
        made = table(case)
        with pa.ipc.new_file(str(folder / f"{case.name}.arrow"), made.schema) as out:
            out.write_table(made)


if __name__ == "__main__":
    main()
