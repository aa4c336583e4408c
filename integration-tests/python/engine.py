"""A checkpointing engine in plain pyarrow, with nothing of FlinkSpark installed.

    python engine.py run grpc://127.0.0.1:7070 NAME STATE --seed 7 --life 3 [--die-at 12] [--rows 3000]

This is Flink's way; `batched_engine.py` goes Spark's with the same steps.

Subtasks stage rows, a gatherer makes one set of a checkpoint, a committer commits it under a number and a token,
by the functions of docs/flight.md. Its durable state lies in the folder STATE and is all that one life leaves to
the next. What a life goes through is decided by seed and life: aborted checkpoints, lost notifications, other
parallelism, restores of older checkpoints, repeated and late calls, epochs that run again with new receipts. It
kills itself at the step that it is told. Ends with 0 when all rows are committed, and prints what it went through.

Row i of the input is a pure function of i, so that any two runs that lost and doubled nothing are equal.
"""

import argparse
import collections
import json
import os
import pathlib
import random
import re
import signal
import time

import pyarrow as pa
import pyarrow.flight as flight

from documented import documented

SCHEMA = pa.schema([pa.field("i", pa.int64(), nullable=False), pa.field("text", pa.string())])
WRITER = "engine"
SPLITS = 5
RETRIES_SECONDS = 60
# No memory for now; the server is stopping.
AGAIN = ("FS0030", "FS0451")


def batch(split, first, stop, rows):
    """Rows first to stop of a split: every SPLITS-th row of the input. The last splits are the longer ones."""
    i = [split + SPLITS * k for k in range(first, stop) if split + SPLITS * k < rows]
    text = [None if n % 7 == 0 else f"row {n}" for n in i]
    return pa.record_batch([pa.array(i, pa.int64()), pa.array(text, pa.string())], schema=SCHEMA)


def length(split, rows):
    return (rows - split + SPLITS - 1) // SPLITS


class Refused(Exception):
    def __init__(self, code, text):
        super().__init__(text)
        self.code = code


def refused(error):
    """What the server refused; none where it was not reached, or asks for another call."""
    code = re.search(r"error\[(FS\d+)\]", str(error))
    return Refused(code.group(1), str(error)) if code and code.group(1) not in AGAIN else None


class Engine:
    def __init__(self, options):
        self.options = options
        self.random = random.Random(f"{options.seed}/{options.life}")
        self.state = pathlib.Path(options.state)
        self.state.mkdir(parents=True, exist_ok=True)
        self.steps = 0
        self.seen = collections.Counter()
        self.api = documented()
        self.incarnation = f"life {options.life}"
        self.generation = None

    # Durable state: files that are written whole, synced and renamed.

    def keep(self, name, value):
        path = self.state / name
        with open(path.with_suffix(".tmp"), "w", encoding="utf-8") as file:
            json.dump(value, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(path.with_suffix(".tmp"), path)

    def kept(self, pattern):
        return sorted(self.state.glob(pattern), key=lambda path: int(path.stem.split("-")[1]))

    def tell(self):
        """Says what this life went through, as far as it came."""
        print(json.dumps({"life": self.options.life, "steps": self.steps, **self.seen}), flush=True)

    # Steps, each of which may be the last.

    def step(self, name):
        self.steps += 1
        if self.steps == self.options.die_at:
            print(f"dies at step {self.steps}: {name}", flush=True)
            self.tell()
            os.kill(os.getpid(), signal.SIGKILL)

    def client(self):
        return flight.connect(self.options.url)

    def call(self, what, *arguments, **named):
        """A call that is repeated until it is answered: a lost answer is no failure."""
        until = time.monotonic() + RETRIES_SECONDS
        while True:
            self.step(f"before {what}")
            try:
                answer = self.api[what](self.client(), *arguments, **named)
                self.step(f"after {what}")
                return answer
            except (pa.ArrowException, flight.FlightError, OSError) as error:
                refusal = refused(error)
                if refusal:
                    raise refusal from error
                if time.monotonic() > until:
                    raise
                self.seen["calls repeated"] += 1
                time.sleep(0.05)

    # The committer.

    def commit(self, checkpoint):
        """Commits a checkpoint's set, under the number and the token that it was made with."""
        if self.generation is None:
            self.open()
        message = dict(
            dataset=self.options.dataset, writer=WRITER, generation=self.generation, n=checkpoint["n"],
            token=checkpoint["token"], receipts=checkpoint["receipts"], source_offsets=checkpoint["offsets"],
            watermark_ms=checkpoint["n"],
        )
        # A copy that a later life finds on its way: a call of a zombie.
        self.keep(f"late-{self.options.life * 1000 + checkpoint['n']}.json", message)
        answer = self.call("commit_as", **message)
        self.seen["commits"] += 1
        self.seen["replays"] += answer["replayed"]
        assert answer.get("same_rows", True), answer
        if self.random.random() < 0.2:
            assert self.call("commit_as", **message)["replayed"]
            self.seen["calls doubled"] += 1
        self.keep("committed.json", {"n": checkpoint["n"]})

    def open(self):
        """Opens the writer; a restore below what is committed is a rewind, which has to be asked for."""
        ask = (self.options.dataset, WRITER, self.incarnation, self.after, self.history)
        try:
            self.generation = self.call("open_writer", *ask)
        except Refused as refused:
            if refused.code != "FS0213":
                raise
            self.seen["rewinds"] += 1
            self.generation = self.call("open_writer", *ask, "drop")

    def late(self):
        """Calls of former lives arrive now: each is a repetition or is refused by name."""
        for path in self.kept("late-*.json"):
            if self.random.random() < 0.4:
                continue
            message = json.loads(path.read_text(encoding="utf-8"))
            path.unlink()
            try:
                answer = self.call("commit_as", **message)
                assert answer["replayed"], f"a late call of a former life made data: {answer}"
                self.seen["late calls known"] += 1
            except Refused as refused:
                # Fenced, another history's number, below the last, or let go: never a success that is none.
                assert refused.code in ("FS0210", "FS0227", "FS0217", "FS1037", "FS0218", "FS0211"), refused
                self.seen["late calls refused"] += 1

    # A life.

    def restore(self):
        """The latest checkpoint, or sometimes an older one, which takes the user's word for a rewind."""
        self.after = self.call("generation_of", self.options.dataset, WRITER)
        kept = self.kept("checkpoint-*.json")
        self.restored = None
        if kept:
            back = self.random.randrange(min(len(kept), 3)) if self.random.random() < 0.15 else 0
            self.restored = json.loads(kept[-1 - back].read_text(encoding="utf-8"))
            for path in kept[len(kept) - back :]:
                path.unlink()
            self.seen["restores of an older checkpoint"] += back > 0
        self.position = dict(self.restored["position"]) if self.restored else {}
        self.pending = list(self.restored["pending"]) if self.restored else []
        self.before = self.restored["before"] if self.restored else None
        # What this life will commit, and what it goes on from.
        self.history = {
            "before": self.before,
            "pending": [[made["n"], made["token"]] for made in self.pending],
        }
        self.carried = []
        self.n = self.restored["n"] if self.restored else 0

    def stage(self, n):
        """Subtasks stage what their splits give; each hands its receipts to the gatherer."""
        parallelism = self.random.choice([1, 3, 3, 4])
        self.seen[f"parallelism {parallelism}"] += 1
        receipts = []
        for subtask in range(parallelism):
            for split in range(subtask, SPLITS, parallelism):
                first = self.position.get(str(split), 0)
                # A split ends before others do, and then gives nothing.
                stop = min(first + self.random.randrange(0, 60), length(split, self.options.rows))
                if stop == first:
                    continue
                rows = [batch(split, first, stop, self.options.rows)]
                receipts.append(self.call("put_as", self.options.dataset, WRITER, split, SCHEMA, rows))
                self.position[str(split)] = stop
        return receipts

    def checkpoint(self):
        """Stages, gathers, completes; what an aborted checkpoint sealed goes into the next."""
        self.n += 1
        receipts = self.carried + self.stage(self.n)
        self.step("before the checkpoint")
        if self.random.random() < 0.15:
            self.seen["aborted checkpoints"] += 1
            self.carried = receipts
            return
        self.carried = []
        made = {
            "n": self.n,
            "token": f"{self.random.getrandbits(128):032x}",
            "receipts": receipts,
            "offsets": {split: str(at) for split, at in self.position.items()},
        }
        pending = self.pending + [made]
        state = {"n": self.n, "position": dict(self.position), "before": self.before, "pending": pending}
        self.keep(f"checkpoint-{self.n}.json", state)
        self.step("after the checkpoint")
        for path in self.kept("checkpoint-*.json")[:-4]:
            path.unlink()
        self.pending = pending
        if self.random.random() < 0.2:
            self.seen["lost notifications"] += 1
            return
        self.notify()

    def notify(self):
        """Commits what is pending, in order."""
        while self.pending:
            made = self.pending[0]
            self.commit(made)
            self.pending = self.pending[1:]
            self.before = [made["n"], made["token"]]

    def finished(self):
        return all(self.position.get(str(split), 0) >= length(split, self.options.rows) for split in range(SPLITS))

    def live(self):
        self.restore()
        # An engine that was restored commits again what its checkpoint holds.
        if self.pending:
            self.notify()
        self.late()
        while not (self.finished() and not self.carried):
            self.checkpoint()
        self.notify()
        self.late()
        self.tell()


def main(engine):
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["schema", "run"])
    parser.add_argument("url")
    parser.add_argument("dataset", nargs="?")
    parser.add_argument("state", nargs="?")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--life", type=int, default=1)
    parser.add_argument("--die-at", type=int, default=0)
    parser.add_argument("--rows", type=int, default=3000)
    options = parser.parse_args()
    if options.command == "schema":
        import pyarrow.parquet as pq

        pq.write_table(SCHEMA.empty_table(), options.url)
    else:
        engine(options).live()


if __name__ == "__main__":
    main(Engine)
