"""A plain pyarrow client against a running bridge, with nothing of FlinkSpark installed.

    python flight_client.py schema rows.parquet      # then: flinkspark dataset register NAME --like rows.parquet
    python flight_client.py run grpc://127.0.0.1:7070 NAME [--rows 1000000]

The functions that it calls are those of docs/flight.md, taken from that page: what the page says is
what runs. Prints one line for each fact and ends with 0 if all of them hold.
"""

import argparse
import json
import sys
import time

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.flight as flight
import pyarrow.parquet as pq

from documented import documented

SCHEMA = pa.schema([pa.field("n", pa.int64(), nullable=False), pa.field("text", pa.string())])
PARTITIONS = 4
BATCH_ROWS = 65536


def batches(first, count):
    """Rows first to first + count, as batches."""
    for start in range(first, first + count, BATCH_ROWS):
        stop = min(start + BATCH_ROWS, first + count)
        n = pa.array(range(start, stop), pa.int64())
        text = pc.if_else(pc.equal(pc.bit_wise_and(n, 7), 0), None, pc.cast(n, pa.string()))
        yield pa.record_batch([n, text], schema=SCHEMA)


def refused(code, call):
    """The readable error that a call ends with."""
    try:
        call()
    except (pa.ArrowException, flight.FlightError, OSError, KeyError) as error:
        text = str(error)
        assert f"error[{code}]" in text, f"expected {code}, got: {text}"
        assert "detail:" in text and "hint:" in text, f"three parts were expected: {text}"
        return text.split("error[", 1)[1].splitlines()[0].replace("]:", ":", 1)
    raise AssertionError(f"{code} was expected, nothing was refused")


def say(fact):
    print(f"ok   {fact}", flush=True)


class Raised(Exception):
    """What the failing producer raises."""


def run(url, dataset, rows):
    docs = documented()
    act, put, write, read, query = (docs[name] for name in ("act", "put", "write", "read", "query"))
    client = flight.connect(url)

    def total():
        return client.get_flight_info(flight.FlightDescriptor.for_path(dataset)).total_records

    names = [info.descriptor.path[0].decode() for info in client.list_flights()]
    assert dataset in names, names
    say(f"list_flights has {len(names)} datasets, {dataset} among them")
    actions = [action.type for action in client.list_actions()]
    expected = "begin commit abort status open_writer part transactions renew ticket head epochs consume consumers register lookup alter drop list".split()
    assert actions == expected, actions
    assert client.get_schema(flight.FlightDescriptor.for_path(dataset)).schema.equals(SCHEMA)

    before = total()
    share = rows // PARTITIONS
    started = time.monotonic()
    partitions = [list(batches(p * share, share)) for p in range(PARTITIONS)]
    made = time.monotonic()
    identity = f"pyarrow-{time.time_ns()}"
    committed = write(url, dataset, partitions, id=identity)
    assert committed["state"] == "committed" and committed["rows"] == PARTITIONS * share, committed
    say(f"{committed['rows']:,} rows through {PARTITIONS} puts of one transaction in {time.monotonic() - made:.2f} s "
        f"(made in {made - started:.2f} s), slot {committed['slot']}")
    again = write(url, dataset, partitions, id=identity)
    assert again["replayed"] and again["slot"] == committed["slot"], again
    assert total() == before + PARTITIONS * share
    say("the same transaction again changes nothing")

    slots = {"first": committed["slot"], "last": committed["slot"]}
    command = {"dataset": dataset, "slots": slots, "splits": {"by": "partition"}}
    command = flight.FlightDescriptor.for_command(json.dumps(command))
    info = client.get_flight_info(command)
    metadata = json.loads(info.app_metadata)
    assert len(info.endpoints) == PARTITIONS and info.total_records == PARTITIONS * share
    assert metadata["digest"] == committed["digest"], (metadata, committed)
    started = time.monotonic()
    table = read(url, dataset, slots=slots)
    seconds = time.monotonic() - started
    expected = pa.Table.from_batches([batch for part in partitions for batch in part])
    assert table.sort_by("n").combine_chunks().equals(expected.combine_chunks())
    say(f"{table.num_rows:,} rows in parallel from {PARTITIONS} endpoints in {seconds:.2f} s, each as it was put")
    only = read(url, dataset, slots=slots, columns=["text"])
    assert only.column_names == ["text"] and only.num_rows == table.num_rows
    say("one column alone")
    counting = flight.FlightDescriptor.for_command(json.dumps({"dataset": dataset, "slots": slots, "columns": []}))
    counts = [client.do_get(each.ticket).read_all().num_rows for each in client.get_flight_info(counting).endpoints]
    assert sum(counts) == table.num_rows, counts
    say("no column at all, and the rows counted")

    def ticket_of(**command):
        answer = act(client, "ticket", {"dataset": dataset, "partition": 0, **command})
        return flight.Ticket(docs["base64"].b64decode(answer["ticket"]))

    broken = client.do_get(info.endpoints[0].ticket)
    chunk = broken.read_chunk()
    broken.cancel()
    kept = json.loads(chunk.app_metadata.to_pybytes())["position"]
    rest = client.do_get(ticket_of(**{"from": kept, "through": committed["slot"]})).read_all()
    assert chunk.data.num_rows + rest.num_rows == share and rest["n"][0].as_py() == chunk.data.num_rows
    say(f"a stream that broke went on from position {kept}")
    where = act(client, "head", {"dataset": dataset, "wait_ms": 10})
    assert where["head"] == where["data_head"] == committed["slot"], where
    listed = act(client, "epochs", {"dataset": dataset, "after": committed["slot"] - 1})["epochs"]
    assert [(each["slot"], each["kind"], each["rows"]) for each in listed] == [
        (committed["slot"], "epoch", PARTITIONS * share)
    ], listed
    following = client.do_get(ticket_of(**{"from": committed["slot"], "follow": True}))
    followed = 0
    while followed < share:
        chunk = following.read_chunk()
        followed += chunk.data.num_rows if chunk.data is not None else 0
    border = json.loads(following.read_chunk().app_metadata.to_pybytes())
    following.cancel()
    assert followed == share and border["slot"] == committed["slot"], border
    say(f"a follower stands at position {border['position']}")
    asked = query(url, f"SELECT n, `text` FROM {dataset} WHERE n < 1000").read_all()
    assert asked.sort_by("n").select(["n", "text"]).column("n").to_pylist() == list(range(1000)), asked
    assert query(url, f"SELECT n FROM {dataset}", limit=7).read_all().num_rows == 7
    say("a question gives rows: " + refused("FS0922", lambda: query(url, f"INSERT INTO o SELECT n FROM {dataset}")))

    before = total()
    small = next(batches(0, 10))

    def plain(name, batch, headers=()):
        options = flight.FlightCallOptions(headers=list(headers))
        writer, reader = client.do_put(flight.FlightDescriptor.for_path(name), batch.schema, options)
        with writer:
            writer.write_batch(batch)
            writer.done_writing()
            acks = []
            while (message := reader.read()) is not None:
                acks.append(json.loads(message.to_pybytes()))
        return acks[-1]

    wrong = pa.record_batch([small.column(0), small.column(0)], names=["n", "text"])
    say("bad name refused: " + refused("FS0101", lambda: plain("not..a.name", small)))
    say("bad name refused: " + refused("FS0101", lambda: read(url, "not..a.name")))
    say("wrong schema refused: " + refused("FS0408", lambda: plain(dataset, wrong)))
    begun = act(client, "begin", {"dataset": dataset})
    say("wrong schema refused: " + refused("FS0408", lambda: put(client, begun["txn"], 0, wrong.schema, [wrong])))
    say("misspelt body refused: " + refused("FS0411", lambda: act(client, "begin", {"datasett": dataset})))
    assert total() == before

    def raising():
        yield from batches(0, 3 * BATCH_ROWS)
        raise Raised

    try:
        put(client, begun["txn"], 0, SCHEMA, raising())
        raise AssertionError("the producer's error was swallowed")
    except (Raised, pa.ArrowException, flight.FlightError):
        pass
    status = act(client, "status", {"txn": begun["txn"]})
    assert status["state"] == "open" and total() == before, status
    receipt = put(client, begun["txn"], 0, SCHEMA, [small], attempt=1)
    assert receipt["segment"]["rows"] == 10
    aborted = act(client, "abort", {"txn": begun["txn"]})
    assert aborted["state"] == "aborted" and total() == before, aborted
    say("a producer that raised half-way published nothing, and its transaction could go on or be aborted")

    key = (b"x-flinkspark-idempotency-key", identity.encode())
    assert plain(dataset, small, [key])["committed"]["replayed"] is False
    assert plain(dataset, small, [key])["committed"]["replayed"] is True
    assert total() == before + 10
    say("a plain put commits at half-close; with a key, once")
    stated = (b"x-flinkspark-rows", b"11")
    say("a prefix refused: " + refused("FS0410", lambda: plain(dataset, small, [stated])))
    assert total() == before + 10

    ticket = info.endpoints[0].ticket.ticket
    forged = flight.Ticket(ticket[:40] + bytes([ticket[40] ^ 1]) + ticket[41:])
    say("a forged ticket refused: " + refused("FS0404", lambda: client.do_get(forged).read_all()))
    encoded = docs["base64"].b64encode(ticket).decode()
    renewed = docs["base64"].b64decode(act(client, "renew", {"ticket": encoded})["ticket"])
    assert client.do_get(flight.Ticket(renewed)).read_all().num_rows == share
    say("a renewed ticket reads the same rows")

    replaced = write(url, dataset, partitions, mode="replace")
    assert replaced["digest"] == committed["digest"] and total() == PARTITIONS * share, replaced
    assert client.do_get(flight.Ticket(renewed)).read_all().num_rows == share
    say("a ticket from before reads on what it was given for")
    after = {"from": committed["slot"] + 1}
    say("an overwrite refused: " + refused("FS0449", lambda: read(url, dataset, **after)))
    assert read(url, dataset, changes="allow", **after).num_rows == total()
    say(f"replace leaves exactly {total():,} rows")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    schema = commands.add_parser("schema", help="write an empty Parquet file with the rows' schema")
    schema.add_argument("path")
    client = commands.add_parser("run", help="do everything")
    client.add_argument("url")
    client.add_argument("dataset")
    client.add_argument("--rows", type=int, default=1_000_000)
    arguments = parser.parse_args()
    if arguments.command == "schema":
        pq.write_table(SCHEMA.empty_table(), arguments.path)
        return
    run(arguments.url, arguments.dataset, arguments.rows)
    print("pyarrow: all facts hold")


if __name__ == "__main__":
    sys.exit(main())
