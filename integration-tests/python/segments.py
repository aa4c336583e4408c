"""Fills a dataset with many small segments, by the functions of docs/flight.md.

    python segments.py grpc://127.0.0.1:7070 DATASET SEGMENTS COMMITS

Each segment is a put of a few rows by a named writer; a commit has SEGMENTS / COMMITS of them over four partitions.
Several processes put at once, because what a put costs is the disk's time. Prints the rows.
"""

import multiprocessing
import sys
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.flight as flight

from documented import documented

SCHEMA = pa.schema([pa.field("n", pa.int64(), nullable=False), pa.field("text", pa.string())])
WRITER = "many"
PARTITIONS = 4
ROWS = 10
PROCESSES = 4
THREADS = 8


def put(job):
    """Puts segments first to stop with one connection for each thread, and returns their receipts."""
    url, dataset, first, stop = job
    api = documented()

    def some(lane):
        client = flight.connect(url)
        receipts = []
        for number in range(first + lane, stop, THREADS):
            n = list(range(number * ROWS, (number + 1) * ROWS))
            batch = pa.record_batch([pa.array(n, pa.int64()), pa.array([f"row {i}" for i in n])], schema=SCHEMA)
            partition = number % PARTITIONS
            receipts.append(api["put_as"](client, dataset, WRITER, partition, SCHEMA, [batch]))
        return receipts

    with ThreadPoolExecutor(THREADS) as pool:
        return [receipt for receipts in pool.map(some, range(THREADS)) for receipt in receipts]


def main(url, dataset, segments, commits):
    api, client = documented(), flight.connect(url)
    generation = api["open_writer"](client, dataset, WRITER, "one", api["generation_of"](client, dataset, WRITER))
    each = segments // commits
    share = -(-each // PROCESSES)
    with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
        for n in range(1, commits + 1):
            first, stop = (n - 1) * each, n * each
            jobs = [(url, dataset, at, min(at + share, stop)) for at in range(first, stop, share)]
            receipts = [receipt for receipts in pool.map(put, jobs) for receipt in receipts]
            api["commit_as"](client, dataset, WRITER, generation, n, f"commit {n}", receipts)
    print(commits * each * ROWS)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
