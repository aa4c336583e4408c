"""Runs everything that docs/flight.md shows, against a bridge over TLS with tokens: code, bodies, and the answers beside them.

    FLINKSPARK_TLS_CA=cert.pem FLINKSPARK_TOKEN=fst_... python examples.py grpc+tls://localhost:7070 ROWS_LATE

Every fenced block of the page and every row of its tables of actions is taken once, by its heading. One that this program does not
know fails it, and so does one that it knows and the page has not. Bodies are sent as they are written, with what no page can
know filled in: ids, receipts, tickets. An answer has the fields that the page shows, of the types that it shows.

The datasets are `web.clicks` (user, at), empty, and `flights`. ROWS_LATE is a statement over flights whose windows lose rows.
"""

import json
import pathlib
import re
import sys
import time

import pyarrow as pa

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs" / "flight.md"
SHOWN = re.compile(
    r"^(?P<heading>#+ [^\n]*)$"
    r"|^```(?P<language>\w*)\n(?P<text>.*?)^```$"
    r"|^(?P<table>\| action \| body \| answer \|)$"
    r"|^\| `(?P<action>\w+)` \| (?P<body>[^|\n]*) \| (?P<answer>[^|\n]*) \|$",
    re.M | re.S,
)
# Fields that an answer has or has not, as the page says beside it.
STARTED = time.monotonic()
OPTIONAL = {"digest", "same_rows", "rows", "principal", "partitions", "mode"}


class Page:
    """What the page shows, each of it to be taken once."""

    def __init__(self, text):
        self.shown = {}
        heading, actions = None, False
        for found in SHOWN.finditer(text):
            if found["heading"]:
                heading, actions = found["heading"].lstrip("# "), False
            elif found["table"]:
                actions = True
            elif found["action"]:
                # Other tables of three columns are not of actions.
                if actions:
                    self.add((heading, found["action"]), (found["body"], found["answer"]))
            else:
                number = sum(key[:2] == (heading, found["language"]) for key in self.shown)
                self.add((heading, found["language"], number), found["text"])
        self.count = len(self.shown)

    def add(self, key, what):
        assert key not in self.shown, f"the page has {key} twice"
        self.shown[key] = what

    def take(self, *key):
        assert key in self.shown, f"the page has no {key} any more"
        print(f"ok   {time.monotonic() - STARTED:6.1f} s  {' '.join(str(part) for part in key)}", flush=True)
        return self.shown.pop(key)

    def json(self, heading, number):
        """The lines of a block of JSON."""
        return [json.loads(line) for line in self.take(heading, "json", number).splitlines()]

    def action(self, heading, action):
        """The body and the answer of an action, as its table shows them; None for what is said in words."""
        return [parsed(cell) for cell in self.take(heading, action)]


def parsed(cell):
    """The JSON of a table's cell, with lists that it leaves out empty."""
    code = re.fullmatch(r"`(\{.*\})`", cell.strip())
    if not code:
        return None
    return json.loads(re.sub(r"\[(receipt, )?…\]", "[]", code.group(1)))


def like(shown, got, where):
    """What came has the fields and the types of what is shown; null stands for anything."""
    if shown is None or got is None:
        return
    if isinstance(shown, dict):
        assert isinstance(got, dict), (where, shown, got)
        differ = set(shown) ^ set(got)
        assert differ <= OPTIONAL, f"{where}: {differ} in one of {shown} and {got}"
        for key in set(shown) & set(got):
            like(shown[key], got[key], f"{where}.{key}")
    elif isinstance(shown, list):
        assert isinstance(got, list), (where, shown, got)
        for number, each in enumerate(got if shown else []):
            like(shown[0], each, f"{where}[{number}]")
    else:
        assert type(shown) is type(got), (where, shown, got)


class Run:
    def __init__(self, page, url):
        self.page = page
        self.api = {}
        for key in [("A complete example", "python", 0), ("Writing as a named writer", "python", 0), ("Errors", "python", 0)]:
            exec(compile(page.take(*key), f"docs/flight.md: {key}", "exec"), self.api)
        self.url = url
        self.flight = self.api["flight"]
        self.client = self.api["connect"](url)
        self.schema = self.client.get_schema(self.flight.FlightDescriptor.for_path("web.clicks")).schema

    def act(self, action, body):
        return self.api["act"](self.client, action, body)

    def table(self, heading, action, **filled):
        """Sends an action as its row shows it, and compares the answer where the row shows one."""
        body, answer = self.page.action(heading, action)
        assert set(filled) <= set(body), (action, filled, body)
        got = self.act(action, {**body, **filled})
        like(answer, got, action)
        return got

    def info(self, command):
        descriptor = self.flight.FlightDescriptor.for_command(json.dumps(command))
        return self.client.get_flight_info(descriptor)

    def get(self, ticket):
        if isinstance(ticket, str):
            ticket = self.flight.Ticket(self.api["base64"].b64decode(ticket))
        return self.client.do_get(ticket)

    def batch(self, first, count):
        """Rows of web.clicks."""
        columns = {"user": [f"user {n % 7}" for n in range(first, first + count)], "at": list(range(first, first + count))}
        return pa.record_batch([pa.array(columns[field.name]).cast(field.type) for field in self.schema], schema=self.schema)

    def put(self, partition, first, count):
        return self.api["put_as"](self.client, "web.clicks", "job-7", partition, self.schema, [self.batch(first, count)])

    def commit(self, generation, n, receipts):
        return self.api["commit_as"](self.client, "web.clicks", "job-7", generation, n, f"token {n}", receipts)


def writers(run):
    """A named writer: a life that commits five checkpoints, and the one after it, which the page shows."""
    heading = "Writing as a named writer"
    assert run.api["generation_of"](run.client, "web.clicks", "job-7") == 0
    assert run.api["open_writer"](run.client, "web.clicks", "job-7", "job-7/1", 0) == 1
    run.commit(1, 1, [run.put(0, 0, 70_000), run.put(1, 70_000, 500)])
    for n in range(2, 6):
        assert run.commit(1, n, [run.put(0, 100_000 * n, 1_500)])["slot"] == n + 1
    opened = run.table(heading, "open_writer")
    assert opened == run.page_answers["open_writer"], opened
    receipt, spare = run.put(0, 900_000, 100), run.put(0, 950_000, 10)
    run.table(heading, "part", receipts=[receipt])
    committed = run.table(heading, "commit", token="token 6", receipts=[receipt])
    again = run.commit(2, 6, [receipt])
    assert again["replayed"] and again["same_rows"] and again["slot"] == committed["slot"] == 8, (committed, again)
    assert run.table(heading, "abort", receipts=[spare]) == {"released": 1, "kept": 0}
    assert run.table(heading, "status")["last_n"] == 6


def transactions(run):
    """Transactions: the whole example, then each action and each of a transaction's states."""
    heading = "Writing in a transaction"
    states = {each["state"]: each for each in run.page.json(heading, 0)}
    begun = run.table(heading, "begin")
    like(states["open"], begun, "open")
    receipt = run.api["put"](run.client, begun["txn"], 0, run.schema, [run.batch(0, 10)])
    listed = run.table(heading, "transactions")
    [shown] = run.page.json(heading, 1)
    like(shown, listed, "transactions")
    assert len(listed["transactions"]) == 1, listed
    committed = run.table(heading, "commit", txn=begun["txn"], receipts=[receipt])
    again = run.act("commit", {"txn": begun["txn"], "receipts": [receipt]})
    like(states["committed"], again, "committed")
    assert again["same_rows"] and again["slot"] == committed["slot"]
    like(states["committed"], run.table(heading, "status", txn=begun["txn"]), "status")
    other = run.act("begin", {"dataset": "web.clicks"})
    aborted = run.table(heading, "abort", txn=other["txn"])
    like(states["aborted"], aborted, "aborted")
    loaded = run.api["write"](run.url, "web.clicks", [[run.batch(0, 5)], [run.batch(5, 5)]], id="whole")
    assert (loaded["state"], loaded["rows"]) == ("committed", 10), loaded
    assert run.api["write"](run.url, "web.clicks", [[run.batch(0, 5)], [run.batch(5, 5)]], id="whole")["replayed"]
    ticket = run.info({"dataset": "web.clicks"}).endpoints[0].ticket.ticket
    renewed = run.table(heading, "renew", ticket=run.api["base64"].b64encode(ticket).decode())
    assert run.get(renewed["ticket"]).read_all().num_rows > 0


def reading(run):
    """Descriptors, metadata, positions and tickets."""
    heading = "Reading"
    [command] = run.page.json(heading, 0)
    assert run.client.get_schema(run.flight.FlightDescriptor.for_command(json.dumps(command))).schema.names == command["columns"]
    info = run.info(command)
    [shown] = run.page.json(heading, 1)
    metadata = json.loads(info.app_metadata)
    like(shown, metadata, "metadata of a flight")
    assert metadata["slots"] == command["slots"], metadata
    assert {run["kind"] for run in metadata["kinds"]} <= {"fence", "epoch", "watermark", "empty"}
    [shown] = run.page.json(heading, 2)
    for endpoint in info.endpoints:
        like(shown, json.loads(endpoint.app_metadata), "metadata of an endpoint")
    [spread] = run.page.json(heading, 3)
    assert sum(run.get(each.ticket).read_all().num_rows for each in run.info(spread).endpoints) == run.info(spread).total_records
    [shown] = run.page.json(heading, 4)
    chunk = run.get(info.endpoints[0].ticket).read_chunk()
    said = json.loads(chunk.app_metadata.to_pybytes())
    like(shown, said, "metadata of a batch")
    assert run.api["read"](run.url, "web.clicks").num_rows == run.info(spread).total_records
    assert run.api["read"](run.url, "web.clicks", **{"from": said["position"], "partition": 0}).num_rows > 0
    [position], [shown] = run.page.json("Positions", 0), run.page.json("Positions", 1)
    assert run.info(position).total_records > 0
    like(shown, run.act("ticket", position), "ticket")


def following(run):
    """What waits and what follows."""
    heading = "Waiting and following"
    body, answer = run.page.action(heading, "ticket")
    assert (body, answer) == (None, None)
    run.table(heading, "head")
    listed = run.table(heading, "epochs")
    [shown] = run.page.json(heading, 0)
    entries = [each for each in run.act("epochs", {"dataset": "web.clicks"})["epochs"] if each["kind"] == "epoch"]
    assert listed["epochs"] and entries
    for each in entries:
        like(shown, {**each, "watermark_ms": None} if "watermark_ms" in shown else each, "epochs")
    border, idle = run.page.json(heading, 1)
    ticket = run.act("ticket", {"dataset": "web.clicks", "partition": 0, "from": 8, "follow": True})["ticket"]
    reader = run.get(ticket)
    since, left = time.monotonic(), [border, idle]
    while left:
        chunk = reader.read_chunk()
        said = json.loads(chunk.app_metadata.to_pybytes())
        if "slot" in said or "idle" in said:
            shown = idle if "idle" in said else border
            like(shown, said, "a follower's message")
            left = [each for each in left if each is not shown]
        assert time.monotonic() < since + 40, f"{left} did not come"
    reader.cancel()


def consumers(run):
    heading = "How far readers have come"
    done = run.table(heading, "consume")
    assert not done["replayed"] and run.act("consume", {"dataset": "web.clicks", "consumer": "dashboard", "slot": 3})["slot"] == 7
    listed = run.table(heading, "consumers")
    [shown] = run.page.json(heading, 0)
    [entry] = listed["consumers"]
    like(shown, entry, "a consumer")
    assert (entry["consumer"], entry["slot"], entry["principal"]) == ("dashboard", 7, "ann"), entry


def filtering(run):
    """What is answered of a filter, what is handed back, and how its endpoints end."""
    heading = "Filtering"
    [command] = run.page.json(heading, 0)
    info = run.info(command)
    assert info.total_records == -1 and json.loads(info.app_metadata)["filter"]["residual"] is None
    [shown] = run.page.json(heading, 2)
    for endpoint in info.endpoints:
        *_, last = (chunk for chunk in run.get(endpoint.ticket))
        like(shown, json.loads(last.app_metadata.to_pybytes()), "the last batch of an endpoint")
        assert last.data.num_rows == 0
    [shown] = run.page.json(heading, 1)
    scores = pa.schema([pa.field("n", pa.int64()), pa.field("score", pa.float64())])
    run.act("register", {"name": "web.scores", "schema": packed(run, scores)})
    parts = [part for part in shown["filter"].values()]
    said = json.loads(run.info({"dataset": "web.scores", "filter": {"and": parts}}).app_metadata)
    assert said["filter"] == shown["filter"], said


def packed(run, schema):
    return run.api["base64"].b64encode(schema.serialize()).decode()


def keeping(run):
    """Records of datasets, from their registration until they are dropped."""
    heading = "Keeping datasets"
    [record] = run.page.json(heading, 0)
    schema = pa.schema([pa.field("id", pa.int64(), nullable=False), pa.field("page", pa.string())])
    made = run.table(heading, "register", schema=packed(run, schema))
    like(record, made, "a record")
    assert made["handles"] == record["handles"], made
    found = run.table(heading, "lookup")
    assert found == made and pa.ipc.read_schema(pa.py_buffer(run.api["base64"].b64decode(found["schema"]))).equals(schema)
    assert [each["name"] for each in run.table(heading, "list")["datasets"]] == ["web.scores", "web.visits"]
    assert run.table(heading, "alter")["version"] == 2
    assert run.table(heading, "drop")["id"] == made["id"]


def matching(run):
    """Columns found by name: of a transaction for Spark, in another order and case, and of a named writer."""
    in_transaction, of_writer = run.page.json("Schemas", 0)
    batch = run.batch(0, 5)
    turned = batch.select(["at", "user"])
    spoken = pa.record_batch(turned.columns, names=["AT", "User"])
    begun = run.act("begin", {"dataset": "web.clicks"})
    receipt = run.api["send"](run.client, {**in_transaction, "txn": begun["txn"]}, spoken.schema, [spoken])
    assert run.act("commit", {"txn": begun["txn"], "receipts": [receipt]})["rows"] == 5
    assert run.api["send"](run.client, of_writer, turned.schema, [turned])


def asking(run, rows_late):
    heading = "Asking"
    [question] = run.page.json(heading, 0)
    info = run.info(question)
    [shown] = run.page.json(heading, 1)
    like(shown, json.loads(info.app_metadata), "metadata of a question")
    answer = run.get(info.endpoints[0].ticket).read_all()
    assert answer.column_names == ["origin", "n"] and 0 < answer.num_rows <= question["limit"]
    assert run.api["query"](run.url, question["query"], limit=2).read_all().num_rows == 2
    [shown] = run.page.json(heading, 2)
    reader = run.get(run.info({"query": rows_late, "on": "stream"}).endpoints[0].ticket)
    last = None
    while True:
        try:
            last = reader.read_chunk()
        except StopIteration:
            break
    said = json.loads(last.app_metadata.to_pybytes())
    like(shown, said, "the last message of a question")
    assert said["rows_late"] > 0, said


def without(run):
    """A put to a path, with its headers: the page's code has a client and a table."""
    names = {**run.api, "client": run.client, "table": pa.Table.from_batches([run.batch(0, 3)])}
    code = run.page.take("Writing without a transaction", "python", 0)
    exec(compile(code, "docs/flight.md: without a transaction", "exec"), names)
    assert names["ack"]["committed"]["rows"] == 3, names["ack"]


def errors(run):
    [shown] = run.page.json("Errors", 0)
    try:
        run.info({"dataset": "web.nowhere"})
        raise AssertionError("it was found")
    except run.flight.FlightError as error:
        said = run.api["failed"](error)
        like(shown, said, "an error")
        assert (said["kind"], said["code"]) == ("not_found", "FS0512"), said
    assert run.api["failed"](ValueError("not the bridge's")) is None


def main(url, rows_late):
    page = Page(DOCS.read_text(encoding="utf-8"))
    run = Run(page, url)
    run.page_answers = {"open_writer": parsed(page.shown["Writing as a named writer", "open_writer"][1])}
    writers(run)
    transactions(run)
    reading(run)
    following(run)
    consumers(run)
    filtering(run)
    keeping(run)
    matching(run)
    asking(run, rows_late)
    without(run)
    errors(run)
    assert not page.shown, f"nothing runs what the page shows here: {list(page.shown)}"
    print(f"examples: {page.count} of {page.count} ran over TLS with a token")


if __name__ == "__main__":
    main(*sys.argv[1:])
