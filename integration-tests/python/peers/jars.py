"""Downloads the jars that a file lists, into the folder `jars` of the environment whose interpreter runs this.

    python jars.py requirements/PEER.jars        # lines of an address and a SHA-256

Invariant: what is not what the file says is not kept.
"""

import hashlib
import pathlib
import sys
import urllib.request

FOLDER = pathlib.Path(sys.prefix) / "jars"


def main():
    FOLDER.mkdir(exist_ok=True)
    for line in pathlib.Path(sys.argv[1]).read_text(encoding="utf-8").splitlines():
        address, digest = line.split()
        with urllib.request.urlopen(address, timeout=60) as answer:
            data = answer.read()
        if hashlib.sha256(data).hexdigest() != digest:
            sys.exit(f"{address} has another digest than {digest}")
        (FOLDER / address.rpartition("/")[2]).write_bytes(data)


if __name__ == "__main__":
    main()
