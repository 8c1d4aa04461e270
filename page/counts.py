"""How many claims came to what, one row a record: the table in the README."""

from __future__ import annotations

from packaging.version import Version

COLUMNS = {
    "held": "held",
    "elsewhere": "other side of a boundary",
    "unchecked": "not checked",
    "failed": "failed",
}


def as_markdown(records):
    """The lines of a Markdown table, the oldest torch first."""
    heads = ["torch", "Python", "NumPy", *COLUMNS.values(), "will change"]
    yield "| " + " | ".join(heads) + " |"
    yield "|" + " --- |" * 3 + " ---: |" * (len(heads) - 3)
    for record in sorted(records, key=_age):
        environment = record.environment
        versions = [
            Version(environment["torch"]).public,
            environment["python"],
            environment["packages"]["numpy"],
        ]
        announced = {note for (note, _), outcome in record.outcomes().items() if outcome.will_change}
        cells = [*versions, *(record.counts[name] for name in COLUMNS), len(announced)]
        yield "| " + " | ".join(map(str, cells)) + " |"


def _age(record):
    return Version(record.environment["torch"]), Version(record.environment["python"])
