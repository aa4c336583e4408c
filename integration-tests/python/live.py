"""A writer, a follower and a reader of one dataset, in plain pyarrow, with nothing of FlinkSpark installed.

    python live.py schema rows.parquet
    python live.py writer   grpc://127.0.0.1:7070 NAME STATE --life 3 [--rate 20]
    python live.py follower grpc://127.0.0.1:7070 NAME STATE
    python live.py reader   grpc://127.0.0.1:7070 NAME STATE
    python live.py check    grpc://127.0.0.1:7070 NAME STATE

The writer stages a batch for each partition and commits them as one epoch, so many times a second; each row has the
next number of its partition. The follower reads every partition without an end. The reader plans a read from its last
position every second, up to the head of the log. What a role has done and where it stands lies in the folder STATE, and
is all that one life leaves to the next: each may be killed at any time and started again, and so may the server.

Once there is a file STATE/stop the writer commits a last epoch, and the others end when they have all of it. Then
`check` compares what each of them was given with the rows that were committed, number by number, and reads
everything once more.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import queue
import threading
import time
import traceback
import uuid

import pyarrow as pa
import pyarrow.flight as flight

import engine
from documented import documented

SCHEMA = pa.schema([pa.field("number", pa.int64(), nullable=False), pa.field("text", pa.string())])
PARTITIONS = 2
ROWS = 50
# Epochs that are staged and wait for their commit.
PENDING = 8
READER_SECONDS = 1.0
# A server that was killed is back within a second: whoever waits longer is late.
CHANNEL = [("grpc.initial_reconnect_backoff_ms", 50), ("grpc.max_reconnect_backoff_ms", 200)]


def connect(url):
    return flight.connect(url, generic_options=CHANNEL)


def batch(partition, first):
    numbers = range(first, first + ROWS)
    text = [None if number % 7 == 0 else f"{partition}/{number}" for number in numbers]
    return pa.record_batch([pa.array(numbers, pa.int64()), pa.array(text, pa.string())], schema=SCHEMA)


class Writer(engine.Engine):
    """An engine that makes a checkpoint of every epoch, and commits one while it stages the next."""

    def client(self):
        return connect(self.options.url)

    def restore(self):
        self.after = self.call("generation_of", self.options.dataset, engine.WRITER)
        path = self.state / "checkpoint.json"
        fresh = {"n": 0, "next": [0] * PARTITIONS, "before": None, "pending": [], "late": 0}
        self.made = json.loads(path.read_text(encoding="utf-8")) if path.exists() else fresh
        pending = [[each["n"], each["token"]] for each in self.made["pending"]]
        self.history = {"before": self.made["before"], "pending": pending}
        for each in list(self.made["pending"]):
            self.commit(each)

    def stage(self, pool):
        """A batch for each partition; their receipts."""

        def put(partition, first):
            rows = [batch(partition, first)]
            return self.call("put_as", self.options.dataset, engine.WRITER, partition, SCHEMA, rows)

        return list(pool.map(put, range(PARTITIONS), self.made["next"]))

    def checkpoint(self, receipts, late):
        """The set, its number and its token, kept before anybody commits them."""
        with self.lock:
            self.made["n"] += 1
            made = {"n": self.made["n"], "token": uuid.uuid4().hex, "receipts": receipts}
            self.made["pending"].append(made)
            self.made["next"] = [first + ROWS for first in self.made["next"]]
            self.made["late"] += late
            state = json.loads(json.dumps(self.made))
        self.keep("checkpoint.json", state)
        return made

    def commit(self, made):
        if self.generation is None:
            self.open()
        answer = self.call("commit_as", self.options.dataset, engine.WRITER, self.generation, **made)
        assert answer["rows"] == ROWS * PARTITIONS and answer.get("same_rows", True), answer
        with self.lock:
            self.made["before"] = [made["n"], made["token"]]
            self.made["pending"] = [each for each in self.made["pending"] if each["n"] > made["n"]]

    def commits(self):
        """The committing party, beside the subtasks that stage."""
        while (made := self.sealed.get()) is not None:
            self.commit(made)

    def live(self):
        self.lock = threading.Lock()
        self.sealed = queue.Queue(PENDING)
        self.restore()
        committer = threading.Thread(target=ends_with, args=(self.commits,))
        committer.start()
        interval = 1 / self.options.rate
        due, stops = time.monotonic(), False
        with concurrent.futures.ThreadPoolExecutor(PARTITIONS) as pool:
            while not stops:
                stops = (self.state / "stop").exists()
                wait = due - time.monotonic()
                time.sleep(max(wait, 0))
                made = self.checkpoint(self.stage(pool), wait < -interval)
                if stops:
                    self.keep("final.json", self.made["next"])
                self.sealed.put(made)
                due += interval
        self.sealed.put(None)
        committer.join()


def ends_with(what, *arguments):
    """Runs a thread's work; the process ends with the first that fails."""
    try:
        what(*arguments)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


class Seen:
    """What a role was given of a partition: runs of numbers, and where it stands. Lines that stay when it is killed."""

    def __init__(self, state, role, partition):
        state.mkdir(parents=True, exist_ok=True)
        self.path = state / f"{role}-{partition}.jsonl"
        whole = self.path.read_bytes() if self.path.exists() else b""
        # A line that was cut off was not kept.
        whole = whole[: whole.rfind(b"\n") + 1]
        self.lines = [json.loads(line) for line in whole.splitlines()]
        self.rows = sum(count for line in self.lines for _, count in line["runs"])
        self.position = self.lines[-1]["position"] if self.lines else None
        self.file = os.open(self.path, os.O_WRONLY | os.O_CREAT)
        os.ftruncate(self.file, len(whole))
        os.lseek(self.file, 0, os.SEEK_END)

    def keep(self, chunk):
        """One message: its rows, if any, together with the position after it."""
        runs = []
        for number in chunk.data.column(0).to_pylist() if chunk.data is not None else []:
            if runs and number == runs[-1][0] + runs[-1][1]:
                runs[-1][1] += 1
            else:
                runs.append([number, 1])
        self.position = json.loads(chunk.app_metadata.to_pybytes())["position"]
        self.rows += sum(count for _, count in runs)
        os.write(self.file, json.dumps({"runs": runs, "position": self.position}).encode() + b"\n")


def final(state):
    """The rows of each partition, once that is known."""
    path = state / "final.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def is_whole(state, partition, seen):
    rows = final(state)
    return rows is not None and seen.rows >= rows[partition]


def again(what):
    """Does it again for as long as the server is not there; a refusal is the end."""
    try:
        what()
    except (pa.ArrowException, flight.FlightError, OSError) as error:
        refusal = engine.refused(error)
        if refusal:
            raise refusal from error
        time.sleep(0.05)


def follow(options, partition):
    state = pathlib.Path(options.state)
    seen = Seen(state, "follower", partition)
    api = documented()

    def once():
        client = connect(options.url)
        command = {"dataset": options.dataset, "partition": partition, "follow": True}
        command |= {"from": seen.position} if seen.position else {}
        ticket = api["act"](client, "ticket", command)["ticket"]
        stream = client.do_get(flight.Ticket(api["base64"].b64decode(ticket)))
        while not is_whole(state, partition, seen):
            seen.keep(stream.read_chunk())
        stream.cancel()

    while not is_whole(state, partition, seen):
        again(once)


def followed(options):
    """A thread for each partition."""
    threads = [threading.Thread(target=ends_with, args=(follow, options, partition)) for partition in range(PARTITIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def read_on(options, seen):
    """Everything from the last positions to the head of the log."""
    client = connect(options.url)
    places = {str(partition): each.position for partition, each in enumerate(seen) if each.position}
    command = {"dataset": options.dataset, "from": places}
    info = client.get_flight_info(flight.FlightDescriptor.for_command(json.dumps(command)))
    for endpoint in info.endpoints:
        partition = json.loads(endpoint.app_metadata)["partition"]
        stream = client.do_get(endpoint.ticket)
        while True:
            try:
                chunk = stream.read_chunk()
            except StopIteration:
                break
            seen[partition].keep(chunk)


def read_every_second(options):
    state = pathlib.Path(options.state)
    seen = [Seen(state, "reader", partition) for partition in range(PARTITIONS)]
    due = time.monotonic()
    while True:
        ends = all(is_whole(state, partition, each) for partition, each in enumerate(seen))
        again(lambda: read_on(options, seen))
        if ends:
            break
        due = max(due + READER_SECONDS, time.monotonic())
        time.sleep(max(due - time.monotonic(), 0))


def check(options):
    """What was given is what was committed: each row once, in order, at everybody."""
    state = pathlib.Path(options.state)
    expected = final(state)
    kept = json.loads((state / "checkpoint.json").read_text(encoding="utf-8"))
    assert expected == kept["next"], (expected, kept)
    # Reads the whole dataset, for the first time.
    last = [Seen(state, "last", partition) for partition in range(PARTITIONS)]
    read_on(options, last)
    for role in ("follower", "reader", "last"):
        for partition, rows in enumerate(expected):
            seen = Seen(state, role, partition)
            runs = [run for line in seen.lines for run in line["runs"]]
            at = 0
            for first, count in runs:
                assert first == at, f"{role}, partition {partition}: row {first} came, row {at} was to come"
                at += count
            assert at == rows, f"{role}, partition {partition}: {at} rows of {rows}"
            print(f"{role} of partition {partition}: rows 0 to {rows - 1}, each once, in order; {len(seen.lines)} messages")
    print(f"{kept['n']} epochs, {sum(expected)} rows, {kept['late']} epochs begun more than one interval late")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["schema", "writer", "follower", "reader", "check"])
    parser.add_argument("url")
    parser.add_argument("dataset", nargs="?")
    parser.add_argument("state", nargs="?")
    parser.add_argument("--life", type=int, default=1)
    parser.add_argument("--rate", type=float, default=20)
    options = parser.parse_args()
    # An engine dies by itself at a step, and decides by a seed: this one is only killed.
    options.seed, options.die_at = 1, 0
    if options.command == "schema":
        import pyarrow.parquet as pq

        pq.write_table(SCHEMA.empty_table(), options.url)
    else:
        roles = {"follower": followed, "reader": read_every_second, "check": check}
        roles.get(options.command, lambda options: Writer(options).live())(options)


if __name__ == "__main__":
    main()
