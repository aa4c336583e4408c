"""thriftpy2: records of Apache Thrift in the binary and the compact protocol, by the IDL that FlinkSpark prints.

A file is a sequence of structs with their length before each (docs/thrift.md). thriftpy2 knows nothing of the
annotations: what `i64` or `binary` stand for is applied here, from that page.
"""

import decimal
import struct
from dataclasses import replace

import thriftpy2
from thriftpy2.protocol import TBinaryProtocol, TCompactProtocol
from thriftpy2.transport import TMemoryBuffer

import kinds
from checks import THEY_WRITE, WE_WRITE, Format, Peer, main, refused

decimal.getcontext().prec = 80
PROTOCOLS = {"thrift binary": TBinaryProtocol, "thrift compact": TCompactProtocol}


def native(kind, value):
    """A flat value as docs/thrift.md says that it stands in a file."""
    match kind.name:
        case "uint64":
            return two_complement(value)
        case "decimal":
            return two_complement(int(value.scaleb(kind.args[1])))
        case "time" | "timestamp" | "duration":
            return value // kind.unit
        case "date64":
            return value * kinds.DAY // 1_000_000
        case "interval":
            return struct.pack(">iiq", *value)
    return value


def scalar(kind, value):
    """A flat value of a file in the form of `kinds`."""
    match kind.name:
        case "uint64":
            return int.from_bytes(value, "big", signed=True)
        case "decimal":
            return decimal.Decimal(int.from_bytes(value, "big", signed=True)).scaleb(-kind.args[1])
        case "time" | "timestamp" | "duration":
            return value * kind.unit
        case "date64":
            return value * 1_000_000 // kinds.DAY
        case "interval":
            return struct.unpack(">iiq", value)
    return kinds.scalar(kind, value)


def two_complement(number):
    """As few bytes as the number needs, the first byte first."""
    bits = number.bit_length() if number >= 0 else (number + 1).bit_length()
    return number.to_bytes(bits // 8 + 1, "big", signed=True)


def framed(data):
    """The records of a file."""
    at = 0
    while at < len(data):
        (size,) = struct.unpack_from(">I", data, at)
        at += 4 + size
        yield data[at - size : at]


class Thriftpy2(Peer):
    name, version = "thriftpy2", thriftpy2.__version__
    formats = (
        Format("thrift binary", ".thrift", described=False),
        Format("thrift compact", ".thrift", described=False, options=("--compact",)),
        Format("thrift idl", ".thrift"),
    )

    def ours(self, bridge, form, case, path):
        return super().ours(bridge, self.with_idl(bridge, form, case), case, path)

    def theirs(self, bridge, form, case, path):
        return super().theirs(bridge, self.with_idl(bridge, form, case), case, path)

    def with_idl(self, bridge, form, case):
        """Loads the IDL of a case as FlinkSpark prints it; one format is read and written by it, the others by the schema."""
        idl = bridge.files / f"{case.name}_idl.thrift"
        bridge.load(case)
        text = bridge.cli("dataset", "idl", case.name)
        # Another struct behind the rows' one, which `--idl-struct` then has to name.
        idl.write_text(text + "\nstruct Other {\n  1: optional bool x\n}\n", encoding="utf-8")
        self.row = thriftpy2.load(str(idl), module_name=f"{case.name}_thrift").Row
        return replace(form, options=("--idl", str(idl), "--idl-struct", "Row")) if form.name == "thrift idl" else form

    def read(self, form, case, path):
        protocol = PROTOCOLS.get(form.name, TBinaryProtocol)
        rows = []
        for record in framed(path.read_bytes()):
            row = self.row()
            row.read(protocol(TMemoryBuffer(record)))
            rows.append(tuple(kinds.form(kind, plain(kind, cell), scalar) for (_, kind), cell in zip(case.columns, self.cells(row))))
        return case.names, rows

    def cells(self, row):
        """The fields of a row in the order of their numbers."""
        return [getattr(row, self.row.thrift_spec[number][1]) for number in sorted(self.row.thrift_spec)]

    def write(self, form, case, path):
        protocol = PROTOCOLS.get(form.name, TBinaryProtocol)
        with open(path, "wb") as file:
            for row in case.rows:
                record = self.row()
                for number, (_, kind), cell in zip(sorted(self.row.thrift_spec), case.columns, row):
                    spec = self.row.thrift_spec[number]
                    setattr(record, spec[1], made(kind, kinds.python(kind, cell, native), spec[2] if len(spec) > 3 else None))
                buffer = TMemoryBuffer()
                record.write(protocol(buffer))
                data = buffer.getvalue()
                file.write(struct.pack(">I", len(data)) + data)


def plain(kind, value):
    """Structs of thriftpy2 as dicts."""
    if value is None:
        return None
    match kind.name:
        case "struct":
            return {name: plain(of, getattr(value, name)) for name, of in kind.args}
        case "list":
            return [plain(kind.args[0], item) for item in value]
        case "map":
            return {key: plain(kind.args[1], of) for key, of in value.items()}
    return value


def made(kind, value, spec):
    """Dicts as structs of thriftpy2, whose classes the specification of a field names."""
    if value is None:
        return None
    match kind.name:
        case "struct":
            inner = {entry[1]: entry[2] if len(entry) > 3 else None for entry in spec.thrift_spec.values()}
            return spec(**{name: made(of, value[name], inner[name]) for name, of in kind.args})
        case "list":
            return [made(kind.args[0], item, below(spec)) for item in value]
        case "map":
            return {key: made(kind.args[1], of, below(spec[1])) for key, of in value.items()}
    return value


def below(spec):
    """What is behind the number of a type, where it is made of others."""
    return spec[1] if isinstance(spec, tuple) else None


NULLS = "lists and maps of Thrift have no nulls within them (docs/thrift.md)"
Thriftpy2.rules = (
    refused("*", WE_WRITE, "list_with_nulls map_text map_int", "FS0311", NULLS),
    refused("thrift?compact", THEY_WRITE, "list_with_nulls map_int", "AttributeError", NULLS),
    refused("thrift?compact", THEY_WRITE, "map_text", "TypeError", NULLS),
    refused("*", THEY_WRITE, "list_with_nulls map_text map_int", "TDecodeException", NULLS),
)

if __name__ == "__main__":
    main(Thriftpy2())
