"""Fires Sigma rules on events with pySigma, the reference, and its backend for SQLite.

Of each line of standard input, {"rule": TEXT, "events": [{FIELD: VALUE}]}, it writes on which events the rule fires,
{"fires": "0110"}, or why that cannot be said, {"why": TEXT}. It needs pysigma and pysigma-backend-sqlite:
requirements.txt beside this file has the versions.
"""

import json
import re
import sqlite3
import sys

import yaml
from sigma.backends.sqlite import sqliteBackend
from sigma.collection import SigmaCollection
from sigma.exceptions import SigmaError


def fields(node):
    """The names of the fields that a detection tests."""
    if isinstance(node, list):
        for one in node:
            yield from fields(one)
    elif isinstance(node, dict):
        for key, value in node.items():
            yield key.split("|")[0]
            if "|fieldref" in key:
                yield from value if isinstance(value, list) else [value]


def fires(rule, events):
    queries = sqliteBackend().convert(SigmaCollection.from_yaml(rule))
    names = {name for e in events for name in e}
    for key, value in yaml.safe_load(rule)["detection"].items():
        if key != "condition":
            names.update(fields(value))
    names = sorted(names)
    db = sqlite3.connect(":memory:")
    db.create_function("regexp", 2, lambda pattern, s: s is not None and re.search(pattern, s) is not None)
    columns = ", ".join(f'"{name}" TEXT COLLATE NOCASE' for name in names)
    db.execute(f"CREATE TABLE logs (event INTEGER, {columns})")
    for i, e in enumerate(events):
        db.execute(f"INSERT INTO logs VALUES (?{', ?' * len(names)})", [i] + [e.get(name) for name in names])
    found = {row[0] for query in queries for row in db.execute(query)}
    return "".join("1" if i in found else "0" for i in range(len(events)))


for line in sys.stdin:
    case = json.loads(line)
    try:
        answer = {"fires": fires(case["rule"], case["events"])}
    except (SigmaError, sqlite3.Error, re.error) as why:
        answer = {"why": f"{type(why).__name__}: {why}"}
    print(json.dumps(answer), flush=True)
