"""Types of columns, and the one form in which a value of each is compared.

Every library has its own objects for a date or a decimal; whatever they are, a check compares the form of this
module, in which nothing is rounded and no zone of a session takes part:

| type | form |
| --- | --- |
| integers, booleans, floats, text, binary | int, bool, float (a float32 as the float that it is), str, bytes |
| decimal | decimal.Decimal |
| date | days since 1970-01-01 |
| time, timestamp, duration | nanoseconds: of the day, since 1970-01-01T00:00 (in UTC where there is a zone), altogether |
| interval | (months, days, nanoseconds) |
| list, struct, map | list, dict, list of pairs ordered by key |

Invariant: two forms are the same if and only if the values are, NaN and the sign of zero included.
"""

import datetime
import decimal
import re
import struct
import uuid
from dataclasses import dataclass

UNITS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
DAY = 86_400 * UNITS["s"]
EPOCH = datetime.date(1970, 1, 1)
TEMPORAL = ("time", "timestamp", "duration")


@dataclass(frozen=True)
class Kind:
    """A type: its name, and what it is made of (units, sizes, zones, types, named types)."""

    name: str
    args: tuple = ()

    @property
    def unit(self):
        return UNITS[self.args[0]]

    @property
    def zone(self):
        return self.args[1] if self.name == "timestamp" else None

    def leaves(self):
        """The flat types within it."""
        if self.name == "struct":
            return [leaf for _, kind in self.args for leaf in kind.leaves()]
        if self.name in ("list", "map"):
            return [leaf for kind in self.args for leaf in kind.leaves()]
        return [self]


def decimals(precision, scale):
    return Kind("decimal", (precision, scale))


def time(unit):
    return Kind("time", (unit,))


def timestamp(unit, zone=None):
    return Kind("timestamp", (unit, zone))


def duration(unit):
    return Kind("duration", (unit,))


def fixed(size):
    return Kind("fixed", (size,))


def list_of(item):
    return Kind("list", (item,))


def struct_of(**fields):
    return Kind("struct", tuple(fields.items()))


def map_of(key, value):
    return Kind("map", (key, value))


def same(kind, wanted, got):
    """Whether two values of a type in the form of this module are the same."""
    if wanted is None or got is None:
        return wanted is got
    if type(wanted) is not type(got):
        return False
    if kind.name == "list":
        return len(wanted) == len(got) and all(same(kind.args[0], a, b) for a, b in zip(wanted, got))
    if kind.name == "struct":
        return list(wanted) == list(got) and all(same(of, wanted[name], got[name]) for name, of in kind.args)
    if kind.name == "map":
        pairs = zip(wanted, got)
        return len(wanted) == len(got) and all(a[0] == b[0] and same(kind.args[1], a[1], b[1]) for a, b in pairs)
    if isinstance(wanted, float):
        return wanted == got and str(wanted) == str(got) or wanted != wanted and got != got
    return wanted == got


def form(kind, value, scalar):
    """A library's value in the form of this module; `scalar` does it for flat types."""
    if value is None:
        return None
    if kind.name == "list":
        return [form(kind.args[0], item, scalar) for item in value]
    if kind.name == "struct":
        named = value if isinstance(value, dict) else value._asdict() if hasattr(value, "_asdict") else value.asDict()
        return {name: form(of, named[name], scalar) for name, of in kind.args} if len(named) == len(kind.args) else named
    if kind.name == "map":
        pairs = [(form(kind.args[0], key, scalar), form(kind.args[1], of, scalar)) for key, of in entries(value)]
        return sorted(pairs, key=lambda pair: pair[0])
    return scalar(kind, value)


def entries(value):
    """The pairs of a map: a dict, pairs, or structs of a key and a value."""
    if isinstance(value, dict):
        return list(value.items())
    return [tuple(entry.values()) if isinstance(entry, dict) else tuple(entry) for entry in value]


def scalar(kind, value):
    """A flat value of Python's own classes in the form of this module."""
    match value:
        case datetime.datetime():
            return nanoseconds(value) if kind.name == "timestamp" else (value.date() - EPOCH).days
        case datetime.date():
            days = (value - EPOCH).days
            return days * DAY if kind.name == "timestamp" else days
        case datetime.time():
            return ((value.hour * 60 + value.minute) * 60 + value.second) * UNITS["s"] + value.microsecond * 1000
        case datetime.timedelta():
            return (value.days * 86_400 + value.seconds) * UNITS["s"] + value.microseconds * 1000
        case uuid.UUID():
            return value.bytes
        case bytearray() | memoryview():
            return bytes(value)
    if kind.name == "decimal" and isinstance(value, int):
        return decimal.Decimal(value)
    if "int" in kind.name and isinstance(value, decimal.Decimal) and value == value.to_integral_value():
        return int(value)
    if kind.name in ("float16", "float32") and isinstance(value, float):
        return single(value)
    return value


def single(value):
    """The 32-bit float next to a 64-bit one."""
    return struct.unpack("<f", struct.pack("<f", value))[0]


def nanoseconds(moment):
    """Nanoseconds since 1970-01-01T00:00 of a datetime, in UTC where it has a zone."""
    zone = datetime.timezone.utc if moment.tzinfo else None
    past = moment - datetime.datetime(1970, 1, 1, tzinfo=zone)
    return (past.days * 86_400 + past.seconds) * UNITS["s"] + past.microseconds * 1000


DATE = re.compile(r"([+-]?\d+)-(\d\d)-(\d\d)")
CLOCK = re.compile(r"(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?")
LENGTH = re.compile(r"(-?)P(?:(-?\d+)M)?(?:(-?\d+)D)?(?:T(?:(-?)(\d+)(?:\.(\d{1,9}))?S)?)?")


def day(text):
    """Days since 1970-01-01 of a date of the proleptic Gregorian calendar, of any year."""
    year, month, of_month = (int(part) for part in DATE.fullmatch(text).groups())
    # Python's own dates end at 9999: days of 400 years repeat.
    cycles, year = divmod(year - 1, 400)
    return (datetime.date(year + 1, month, of_month) - EPOCH).days + cycles * 146_097


def clock(text):
    """Nanoseconds of a day."""
    hour, minute, second, fraction = CLOCK.fullmatch(text).groups()
    whole = (int(hour) * 60 + int(minute)) * 60 + int(second)
    return whole * UNITS["s"] + int((fraction or "").ljust(9, "0"))


def moment(text):
    """Nanoseconds since 1970-01-01T00:00 of a timestamp, whose zone is UTC if it has one."""
    of_day, of_clock = re.split("[T ]", text.removesuffix("Z"))
    return day(of_day) * DAY + clock(of_clock)


def length(text):
    """Months, days and nanoseconds of a length of time after ISO 8601."""
    sign, months, days, negative, seconds, fraction = LENGTH.fullmatch(text).groups()
    nanos = int(seconds or 0) * UNITS["s"] + int((fraction or "").ljust(9, "0"))
    parts = int(months or 0), int(days or 0), -nanos if negative else nanos
    return tuple(-part for part in parts) if sign else parts


def python(kind, value, scalar=None):
    """A value as an object of Python's own classes; `scalar` may make others of flat values."""
    if value is None:
        return None
    match kind.name:
        case "list":
            return [python(kind.args[0], item, scalar) for item in value]
        case "struct":
            return {name: python(of, value[name], scalar) for name, of in kind.args}
        case "map":
            return {python(kind.args[0], key, scalar): python(kind.args[1], of, scalar) for key, of in value}
    return (scalar or python_scalar)(kind, value)


def python_scalar(kind, value):
    """A flat value as an object of Python's own classes; what they cannot hold is an error of theirs."""
    match kind.name:
        case "date" | "date64":
            return EPOCH + datetime.timedelta(days=value)
        case "time":
            return (datetime.datetime.min + datetime.timedelta(microseconds=exact(value))).time()
        case "timestamp":
            zone = datetime.timezone.utc if kind.zone else None
            return datetime.datetime(1970, 1, 1, tzinfo=zone) + datetime.timedelta(microseconds=exact(value))
        case "duration":
            return datetime.timedelta(microseconds=exact(value))
    return value


def exact(nanos):
    """Microseconds, if there are no nanoseconds besides."""
    if nanos % 1000:
        raise ValueError("Python's own classes end at microseconds")
    return nanos // 1000
