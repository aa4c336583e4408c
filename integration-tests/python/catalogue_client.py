"""Keeps datasets by the actions of docs/flight.md alone, with nothing of FlinkSpark installed.

    python catalogue_client.py grpc://127.0.0.1:7070
"""

import base64
import json
import sys

import pyarrow as pa
import pyarrow.flight as flight

SCHEMA = pa.schema(
    [
        pa.field("id", pa.int32(), nullable=False),
        pa.field("at", pa.timestamp("ms")),
        pa.field("Größe", pa.list_(pa.decimal128(12, 2)), metadata={"unit": "m²"}),
    ],
    metadata={"owner": "web"},
)


def act(client, action, body):
    [result] = client.do_action(flight.Action(action, json.dumps(body).encode()))
    return json.loads(result.body.to_pybytes())


def refused(code, client, action, body):
    try:
        answer = act(client, action, body)
    except (pa.ArrowException, flight.FlightError, KeyError) as error:
        assert code in str(error), f"{action} {body}: {error}"
        return
    raise AssertionError(f"{action} {body} was not refused: {answer}")


def packed(schema):
    return base64.b64encode(schema.serialize().to_pybytes()).decode()


def unpacked(record):
    return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(record["schema"])))


def main(url):
    client = flight.connect(url)
    table = {"engine": "flink", "identifier": "bridge.web.visits", "mode": "table"}
    made = act(client, "register", {
        "name": "web.visits", "schema": packed(SCHEMA), "handles": [table],
        "traits": {"primary_key": ["id"], "time": {"column": "at", "watermark_delay_ms": 5000}},
    })
    assert (made["version"], made["schema_version"]) == (1, 1), made
    assert unpacked(made).equals(SCHEMA, check_metadata=True), unpacked(made)
    for reference in ["web.visits", made["id"], "flink:bridge.web.visits"]:
        assert act(client, "lookup", {"dataset": reference}) == made, reference

    refused("FS0510", client, "register", {"name": "web.visits", "schema": packed(SCHEMA)})
    refused("FS0411", client, "register", {"name": "a", "schema": "no base64"})
    refused("FS0406", client, "register", {"name": "a", "schema": base64.b64encode(b"rubbish").decode()})
    refused("FS0411", client, "register", {"name": "a", "schema": packed(SCHEMA), "owner": "me"})
    refused("FS0104", client, "register", {"name": "a", "schema": packed(SCHEMA), "traits": {"primary_key": ["nobody"]}})
    refused("FS0102", client, "register", {"name": "a", "schema": packed(SCHEMA), "handles": [{**table, "identifier": ""}]})

    renamed = act(client, "alter", {"dataset": "web.visits", "version": 1, "rename": "web.calls"})
    assert (renamed["name"], renamed["version"], renamed["id"]) == ("web.calls", 2, made["id"])
    refused("FS0513", client, "alter", {"dataset": "web.calls", "version": 1, "rename": "web.other"})
    refused("FS0411", client, "alter", {"dataset": "web.calls"})
    refused("FS0411", client, "alter", {"dataset": "web.calls", "rename": "x", "traits": {}})
    spark = {"engine": "spark", "identifier": "Bridge.Web.Calls"}
    assert len(act(client, "alter", {"dataset": "web.calls", "handle": spark})["handles"]) == 2
    assert act(client, "lookup", {"dataset": "spark:bridge.web.calls"})["id"] == made["id"]
    assert act(client, "alter", {"dataset": "web.calls", "traits": {"boundedness": "unbounded"}})["traits"]["primary_key"] == []
    wider = SCHEMA.set(0, pa.field("id", pa.int64(), nullable=False)).append(pa.field("note", pa.string()))
    changed = act(client, "alter", {"dataset": "web.calls", "schema": packed(wider)})
    assert changed["schema_version"] == 2 and unpacked(changed).names == wider.names, changed
    refused("FS0116", client, "alter", {"dataset": "web.calls", "schema": packed(SCHEMA)})

    names = [f"many.n{number:03}" for number in range(25)]
    for name in names:
        act(client, "register", {"name": name, "schema": packed(SCHEMA)})
    seen, after = [], None
    while True:
        page = act(client, "list", {"prefix": "many.", "limit": 10, **({"after": after} if after else {})})
        seen += [record["name"] for record in page["datasets"]]
        after = page["next"]
        if after is None:
            break
    assert seen == names, seen
    assert act(client, "list", {"prefix": "none"}) == {"datasets": [], "damaged": [], "next": None}

    refused("FS0513", client, "drop", {"dataset": "web.calls", "version": 1})
    assert act(client, "drop", {"dataset": "web.calls"})["id"] == made["id"]
    refused("FS0512", client, "lookup", {"dataset": "web.calls"})
    for name in names:
        act(client, "drop", {"dataset": name})
    print(f"{len(names) + 1} datasets registered, found, altered, listed and dropped")


if __name__ == "__main__":
    main(sys.argv[1])
