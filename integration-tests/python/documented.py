"""The functions that docs/flight.md shows, for programs that use what a reader of the page would copy."""

import pathlib
import re

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs" / "flight.md"


def documented():
    """Every function of the page's code, by name, in a namespace of their own."""
    namespace = {}
    for code in re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL):
        if "def " in code:
            exec(compile(code, str(DOCS), "exec"), namespace)
    return namespace
