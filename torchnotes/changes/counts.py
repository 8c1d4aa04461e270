"""How many claims came to what, one row a record: the table in the README."""

from __future__ import annotations

from packaging.version import Version

from torchnotes.verdicts import ELSEWHERE, FAILED, HELD, UNCHECKED, WRITTEN

COLUMNS = {name: WRITTEN[name].column for name in (HELD, ELSEWHERE, UNCHECKED, FAILED)}


def as_markdown(records):
    """The lines of a Markdown table, the oldest torch first; platform and devices are in it where they differ."""
    records = sorted(records, key=_age)
    platforms = len({record.environment["platform"] for record in records}) > 1
    devices = len({_devices(record) for record in records}) > 1
    abouts = ["torch", "Python", "NumPy", *["platform"] * platforms, *["devices"] * devices]
    heads = [*abouts, *COLUMNS.values(), "will change"]
    yield "| " + " | ".join(heads) + " |"
    yield "|" + " --- |" * len(abouts) + " ---: |" * (len(heads) - len(abouts))
    for record in records:
        environment = record.environment
        versions = [
            Version(environment["torch"]).public,
            environment["python"],
            environment["packages"]["numpy"],
            *[environment["platform"]] * platforms,
            *[_devices(record)] * devices,
        ]
        announced = {note for (note, _), outcome in record.outcomes.items() if outcome.will_change}
        cells = [*versions, *(record.counts[name] for name in COLUMNS), len(announced)]
        yield "| " + " | ".join(map(_cell, cells)) + " |"


def _cell(content):
    """A text in one line, which does not end the cell."""
    return " ".join(str(content).split()).replace("|", "\\|")


def _devices(record):
    return ", ".join(device["name"] for device in record.environment["devices"])


def _age(record):
    environment = record.environment
    return Version(environment["torch"]), environment["platform"], environment["python"]
