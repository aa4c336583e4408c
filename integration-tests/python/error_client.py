"""Provokes errors of every kind that somebody else can cause, on every Flight call, and reads them with plain pyarrow.

    error_client.py PHASE URL TOKENS FOLDER

TOKENS is a folder with the tokens of ann (web: read and write) and eve (lab alone), FOLDER keeps what one phase leaves to the next. The
phases are the server as it is, one whose log of `web.torn` and whose segment of `web.cut` were damaged, and two with faults. Prints one line
for each error and ends with 0 if each of them is whole: pyarrow's own class, and as its extra_info the JSON of docs/flight.md.
"""

import base64
import json
import pathlib
import sys

import pyarrow as pa
import pyarrow.flight as flight

from documented import documented

SCHEMA = pa.schema([pa.field("n", pa.int64(), nullable=False)])
# What pyarrow raises for each kind, and what get_schema does, which has no room for details.
RAISED = {
    "invalid": (flight.FlightInternalError, pa.ArrowInvalid),
    "not_found": (flight.FlightInternalError, pa.ArrowKeyError),
    "unavailable": (flight.FlightUnavailableError, OSError),
    "conflict": (flight.FlightInternalError, OSError),
    "fenced": (flight.FlightInternalError, pa.ArrowInvalid),
    "in_doubt": (flight.FlightServerError, OSError),
    "data": (flight.FlightInternalError, OSError),
    "unauthorized": (flight.FlightUnauthenticatedError, OSError),
    "forbidden": (flight.FlightUnauthorizedError, OSError),
}


failed = documented()["failed"]


class Provoked:
    """A client, and what it has seen."""

    def __init__(self, url, tokens):
        self.client = flight.connect(url)
        self.tokens = pathlib.Path(tokens)
        self.seen = 0

    def options(self, who, headers=()):
        headers = list(headers)
        if who:
            token = (self.tokens / who).read_text(encoding="utf-8").strip()
            headers.append((b"authorization", f"Bearer {token}".encode()))
        return flight.FlightCallOptions(headers=headers)

    def raises(self, kind, code, call, who, *arguments, **named):
        """The call of this principal ends with this kind and code, and the whole error comes with it."""
        try:
            getattr(self, call)(self.options(who, named.pop("headers", ())), *arguments, **named)
        except Exception as error:
            whole, bare = RAISED[kind]
            assert isinstance(error, bare if call == "get_schema" else whole), (call, kind, type(error), error)
            assert f"error[{code}]: " in str(error), (call, kind, code, str(error))
            assert "\n  hint:   " in str(error), str(error)
            if call != "get_schema":
                said = failed(error)
                # Some errors say everything in their message.
                parts = {"message", "hint"} | ({"detail"} if "\n  detail: " in str(error) else set())
                assert (said["kind"], said["code"], set(said)) == (kind, code, parts | {"kind", "code"}), said
                assert all(said[part] and said[part] in str(error) for part in parts), said
            self.seen += 1
            print(f"{kind:<12} {call:<16} {code} {type(error).__name__}", flush=True)
            return
        raise AssertionError(f"{call} was answered, {kind} {code} was expected")

    # The calls.

    def get_flight_info(self, options, what):
        return self.client.get_flight_info(described(what), options)

    def get_schema(self, options, what):
        return self.client.get_schema(described(what), options)

    def do_get(self, options, ticket):
        return self.client.do_get(flight.Ticket(ticket), options).read_all()

    def do_put(self, options, what, schema=SCHEMA, values=(1, 2)):
        writer, reader = self.client.do_put(described(what), schema, options)
        acks = []
        with writer:
            writer.write_batch(pa.record_batch([pa.array(values, schema.field(0).type)], schema=schema))
            if isinstance(what, dict):
                writer.write_metadata(json.dumps({"rows": len(values)}).encode())
            writer.done_writing()
            while (message := reader.read()) is not None:
                acks.append(json.loads(message.to_pybytes()))
        return acks[-1]

    def do_action(self, options, action, body):
        [result] = self.client.do_action(flight.Action(action, json.dumps(body).encode()), options)
        return json.loads(result.body.to_pybytes())

    def list_flights(self, options, criteria=b""):
        return list(self.client.list_flights(criteria, options))

    def ticket(self, who, what):
        return self.get_flight_info(self.options(who), what).endpoints[0].ticket.ticket


def described(what):
    if isinstance(what, dict):
        return flight.FlightDescriptor.for_command(json.dumps(what))
    return flight.FlightDescriptor.for_path(what)


def as_it_is(provoked, folder):
    raises, ann = provoked.raises, provoked.options("ann")
    run = lambda action, **body: provoked.do_action(ann, action, body)
    for name in ("web.a", "web.torn", "web.cut"):
        provoked.do_put(ann, name)
    ticket = provoked.ticket("ann", "web.a")
    for name in ("web.torn", "web.cut"):
        (folder / name).write_bytes(provoked.ticket("ann", name))

    # Nobody, and whoever has no grant: no rule comes before this one.
    calls = [
        ("get_flight_info", ("web.a",)),
        ("get_schema", ("web.a",)),
        ("do_get", (ticket,)),
        ("do_put", ("web.a",)),
        ("do_action", ("head", {"dataset": "web.a"})),
    ]
    for call, arguments in calls + [("list_flights", ())]:
        raises("unauthorized", "FS1102", call, None, *arguments)
    for call, arguments in calls:
        raises("forbidden", "FS1105" if call == "do_get" else "FS1103", call, "eve", *arguments)
    raises("unauthorized", "FS0404", "do_get", "ann", ticket[:40] + bytes([ticket[40] ^ 1]) + ticket[41:])

    for call in ("get_flight_info", "get_schema", "do_put"):
        raises("not_found", "FS0512", call, "ann", "web.nowhere")
        raises("invalid", "FS0101", call, "ann", "not..a.name")
    raises("not_found", "FS0804", "get_flight_info", "ann", {"query": "SELECT n FROM web.nowhere"})
    raises("not_found", "FS0512", "do_action", "ann", "begin", {"dataset": "web.nowhere"})
    raises("not_found", "FS1013", "do_action", "ann", "status", {"txn": "nope"})
    raises("not_found", "FS1013", "do_put", "ann", {"txn": "nope", "partition": 0})
    raises("invalid", "FS0411", "do_action", "ann", "begin", {"datasett": "web.a"})
    raises("invalid", "FS0402", "do_action", "ann", "nothing", {})
    raises("invalid", "FS0403", "list_flights", "ann", b"\xff")
    raises("invalid", "FS0408", "do_put", "ann", "web.a", schema=pa.schema([("n", pa.string())]), values=["x", "y"])

    # What somebody else, or an earlier call, has decided.
    begun = run("begin", dataset="web.a")["txn"]
    run("abort", txn=begun)
    raises("conflict", "FS1014", "do_put", "ann", {"txn": begun, "partition": 0})
    raises("conflict", "FS0214", "do_action", "ann", "commit", {"txn": begun, "receipts": []})
    key = [(b"x-flinkspark-idempotency-key", b"k")]
    provoked.do_put(provoked.options("ann", key), "web.a")
    raises("conflict", "FS0420", "do_put", "ann", "web.a", values=(3,), headers=key)
    replaced = run("begin", dataset="web.a", mode="replace")["txn"]
    run("commit", txn=replaced, receipts=[])
    behind = {"dataset": "web.a", "from": 3}
    raises("conflict", "FS0449", "get_flight_info", "ann", behind)
    opened = [run("open_writer", dataset="web.a", writer="w", incarnation=str(life), after=life) for life in range(2)]
    assert [each["generation"] for each in opened] == [1, 2], opened
    stale = {"dataset": "web.a", "writer": "w", "generation": 1, "n": 1, "token": "t"}
    raises("fenced", "FS0210", "do_action", "ann", "commit", stale)
    late = {"dataset": "web.a", "writer": "w", "incarnation": "late", "after": 1}
    raises("fenced", "FS0229", "do_action", "ann", "open_writer", late)

    # More questions than may be asked at once: a reader that takes nothing holds its place.
    question = provoked.ticket("ann", {"query": "SELECT * FROM web.flights"})
    readers = [provoked.client.do_get(flight.Ticket(question), ann) for _ in range(8)]
    held = [reader.read_chunk() for reader in readers]
    raises("unavailable", "FS0923", "do_get", "ann", question)
    for reader in readers:
        reader.cancel()
    assert all(chunk.data.num_rows > 0 for chunk in held)


def damaged(provoked, folder):
    raises = provoked.raises
    torn = (folder / "web.torn").read_bytes()
    for call, arguments in [
        ("get_flight_info", ("web.torn",)),
        ("get_schema", ("web.torn",)),
        ("do_get", (torn,)),
        ("do_put", ("web.torn",)),
        ("do_action", ("head", {"dataset": "web.torn"})),
    ]:
        raises("data", "FS0203", call, "ann", *arguments)
    raises("data", "FS1006", "do_get", "ann", (folder / "web.cut").read_bytes())


def doubtful(provoked, folder):
    provoked.raises("in_doubt", "FS1003", "do_put", "ann", "web.a")


def failing(provoked, folder):
    provoked.raises("unavailable", "FS1004", "do_action", "ann", "begin", {"dataset": "web.a"})
    provoked.raises("unavailable", "FS1004", "do_put", "ann", "web.a")


def main(phase, url, tokens, folder):
    phases = {"as-it-is": as_it_is, "damaged": damaged, "doubtful": doubtful, "failing": failing}
    provoked = Provoked(url, tokens)
    phases[phase](provoked, pathlib.Path(folder))
    print(f"{phase}: {provoked.seen} errors, each whole")


if __name__ == "__main__":
    main(*sys.argv[1:])
