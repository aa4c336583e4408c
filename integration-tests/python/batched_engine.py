"""A micro-batch engine in plain pyarrow, as Spark is one: one driver plans batches, tasks stage them, the driver commits.

    python batched_engine.py run grpc://127.0.0.1:7070 NAME STATE --seed 7 --life 3 [--die-at 12] [--rows 3000]

Its durable state in the folder STATE is Spark's: a file of offsets for each batch, made once before the batch runs, and a file
for each batch that is committed. A batch has the token that is its plan's: query, number and the text of its offsets. A commit
that throws is in doubt; the engine lets its receipts go and runs the same batch again: other tasks, in another parallelism, with new
receipts, under the same number and token. Whichever landed stands, and the driver is told so.
"""

import json

import pyarrow as pa
import pyarrow.flight as flight

from engine import SCHEMA, SPLITS, WRITER, Engine, Refused, batch, length, main

QUERY = "query 1"
# More rows than a batch has of one split.
BATCH_ROWS = 200


class Lost(Exception):
    """The commit threw: what became of it is not known."""


class Batched(Engine):
    # The plans.

    def restore(self):
        """The offsets of the last batch, and whether it is committed."""
        self.after = self.call("generation_of", self.options.dataset, WRITER)
        plans = [json.loads(path.read_text(encoding="utf-8")) for path in self.kept("offsets-*.json")]
        self.plan = plans[-1] if plans else None
        done = bool(plans) and (self.state / f"commits-{self.plan['n']}.json").exists()
        known = [[plan["n"], token(plan)] for plan in plans]
        pending = [] if done or not known else [known.pop()]
        self.history = {"before": known[-1] if known else None, "pending": pending}
        self.unfinished = bool(pending)
        self.seen["batches found unfinished"] += self.unfinished

    def planned(self):
        """The next batch: how far it reads in each split is decided once, before any task runs."""
        first = dict(self.plan["to"]) if self.plan else {str(split): 0 for split in range(SPLITS)}
        to = {
            split: min(at + self.random.randrange(0, BATCH_ROWS), length(int(split), self.options.rows))
            for split, at in first.items()
        }
        n = self.plan["n"] + 1 if self.plan else 1
        self.plan = {"n": n, "from": first, "to": to}
        self.keep(f"offsets-{n}.json", self.plan)
        self.step("after the plan")

    def finished(self):
        ended = lambda split: self.plan["to"][str(split)] >= length(split, self.options.rows)
        return self.plan is not None and all(ended(split) for split in range(SPLITS))

    # A batch.

    def stage(self):
        """The tasks of a batch: each takes some splits and gives receipts of its own."""
        tasks = self.random.choice([1, 3, 3, 4])
        self.seen[f"parallelism {tasks}"] += 1
        receipts = []
        for task in range(tasks):
            for split in range(task, SPLITS, tasks):
                first, stop = (self.plan[end][str(split)] for end in ("from", "to"))
                # A task that was slow is run twice, and the driver hears of both: it takes one.
                for attempt in range(1 + (self.random.random() < 0.05)):
                    rows = [batch(split, first, stop, self.options.rows)]
                    receipt = self.call("put_as", self.options.dataset, WRITER, split, SCHEMA, rows)
                    if attempt == 0 and stop > first:
                        receipts.append(receipt)
                    self.seen["speculative tasks"] += attempt
        return receipts

    def message(self, receipts):
        return dict(
            dataset=self.options.dataset, writer=WRITER, generation=self.generation, n=self.plan["n"],
            token=token(self.plan), receipts=receipts, watermark_ms=self.plan["n"],
        )

    def send(self, message):
        """Commits once; sometimes it throws, before it was sent or after it had landed."""
        if self.random.random() < 0.15:
            self.seen["commits never sent"] += 1
            raise Lost
        loses = self.random.random() < 0.15
        answer = self.call("commit_as", **message) if not loses else self.unheard(message)
        if loses:
            self.seen["answers lost"] += 1
            raise Lost
        return answer

    def unheard(self, message):
        """Sends a commit of which nothing is heard."""
        try:
            self.step("before a commit that is not heard")
            self.api["commit_as"](flight.connect(self.options.url), **message)
            self.step("after a commit that is not heard")
        except (pa.ArrowException, flight.FlightError, OSError):
            self.seen["commits that failed unheard"] += 1

    def let_go(self, receipts):
        """What the engine does with receipts that it will not commit; those that are data stay."""
        body = {"dataset": self.options.dataset, "writer": WRITER, "receipts": receipts}
        answer = self.call("act", "abort", body)
        self.seen["receipts let go"] += answer["released"]
        self.seen["receipts that were data"] += answer["kept"]
        return answer

    def run(self):
        """Runs the planned batch until it is known to stand."""
        tries = 0
        while True:
            receipts = self.stage()
            if self.generation is None:
                self.open()
            message = self.message(receipts)
            self.keep(f"late-{self.options.life * 100_000 + self.plan['n'] * 10 + min(tries, 9)}.json", message)
            try:
                answer = self.send(message)
                break
            except Lost:
                if self.random.random() < 0.7:
                    self.let_go(receipts)
                self.seen["batches run again"] += 1
                tries += 1
        self.seen["commits"] += 1
        self.seen["commits that stood before"] += answer["replayed"]
        assert answer.get("same_rows", True), answer
        if answer["replayed"] and tries:
            # Another run of the batch stands: these rows are nobody's.
            self.let_go(receipts)
        self.step("after the commit")
        self.keep(f"commits-{self.plan['n']}.json", {})

    def open(self):
        """One driver, and its log of offsets: nothing is ever rewound."""
        ask = (self.options.dataset, WRITER, self.incarnation, self.after, self.history)
        try:
            self.generation = self.call("open_writer", *ask)
        except Refused as refused:
            raise AssertionError(f"the only driver is refused: {refused}") from refused

    def live(self):
        self.restore()
        if self.unfinished:
            self.run()
        self.late()
        while not self.finished():
            self.planned()
            self.run()
        self.late()
        self.tell()


def token(plan):
    """The engine's durable identity of a batch."""
    offsets = json.dumps([plan["from"], plan["to"]], sort_keys=True)
    return f"{QUERY}, batch {plan['n']}: {offsets}"


if __name__ == "__main__":
    main(Batched)
