"""The file that `nox -s bench` leaves: what is read of it, and what is refused.

pytest-benchmark writes it, and tests/benchmarks/conftest.py adds devices, parameters and findings. Needs neither torch
nor pytest.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property

import jsonschema

from torchnotes.measuring import timing
from torchnotes.record import reader

LARGEST = 1e18
NUMBER = {"type": "number", "minimum": -LARGEST, "maximum": LARGEST}
NUMBERS = {"type": "array", "items": NUMBER}
POSITIVE = {"type": "number", "exclusiveMinimum": 0, "maximum": LARGEST}
TIMES = {"type": "array", "items": POSITIVE}
TEXT = {"type": ["string", "null"]}
DEVICE = r"^(-|[a-z]+(:[0-9]+)?(\+[a-z]+(:[0-9]+)?)?)\Z"
"""Also a part of the name of a file, and of an identifier."""

LIMITS = ("bytes", "operations_a_second_at_most", "bytes_a_second_at_most", "share_of_limit")
"""What a row whose work is known says of it, besides its operations, of which a copy has none."""

SCHEMA = {
    "type": "object",
    "required": ["benchmarks", "machine_info", "datetime"],
    "properties": {
        "datetime": {"type": "string"},
        "machine_info": {
            "type": "object",
            "properties": {
                "devices": {"type": "object", "additionalProperties": TEXT},
                "cpu": {"type": "object", "properties": {"brand_raw": TEXT}},
            },
        },
        "benchmarks": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["group", "name", "fullname", "stats", "extra_info"],
                "properties": {
                    "group": TEXT,
                    "fullname": {"type": "string"},
                    "params": {"type": ["object", "null"]},
                    "stats": {
                        "type": "object",
                        "required": ["median", "q1", "q3", "data"],
                        "properties": {"data": TIMES, **dict.fromkeys(("median", "q1", "q3"), POSITIVE)},
                    },
                    "extra_info": {
                        "type": "object",
                        "properties": {
                            "device": {"type": "string", "pattern": DEVICE},
                            "section": {"type": "string"},
                            **{name: NUMBERS for name in ("logits", "values", "gradients")},
                            "limit_of": {"type": "string"},
                            **dict.fromkeys(LIMITS, POSITIVE),
                            "operations": {"type": "number", "minimum": 0, "maximum": LARGEST},
                        },
                    },
                },
            },
        },
        "findings": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["claim", "found", "group", "verdict", "low", "high"],
                "oneOf": [{"required": ["ratio", limit]} for limit in ("at_most", "at_least")]
                + [{"required": [size, "reached"]} for size in ("knee", "floor")],
                "properties": {
                    **{name: {"type": "string"} for name in ("claim", "found", "group")},
                    "verdict": {"enum": [timing.HOLDS, timing.FALSE, timing.OPEN]},
                    "reached": {"type": "boolean"},
                    "unit": {"enum": ["share"]},
                    "launches": {"type": "array", "items": {"type": "string"}},
                    **{name: POSITIVE for name in ("ratio", "low", "high", "at_most", "at_least", "knee", "floor")},
                },
            },
        },
    },
}
"""What is read of it."""


@dataclass(frozen=True)
class Row:
    """One benchmark: in what group, of which test, with what parameters, and its seconds a call."""

    group: str
    test: str
    device: str
    about: dict
    median: float
    q1: float
    q3: float
    data: list
    parameters: str

    @property
    def entry(self):
        return self.about.get("entry")


@dataclass(frozen=True)
class Bench:
    """What one run of the benchmarks measured."""

    document: dict
    source: str = "the file"

    @cached_property
    def rows(self):
        found = []
        for entry in self.document["benchmarks"]:
            stats, about = entry["stats"], entry["extra_info"]
            test = entry["fullname"].rpartition("::")[2].partition("[")[0].removeprefix("test_").replace("_", " ")
            names = (entry.get("params") or {}).keys() - {"entry", "device"}
            parameters = ", ".join(str(value) for name, value in about.items() if name in names)
            measured = (stats[name] for name in ("median", "q1", "q3", "data"))
            found.append(Row(entry["group"], test, _device(about), about, *measured, parameters))
        return found

    @property
    def devices(self):
        return list(dict.fromkeys(row.device for row in self.rows))

    def race(self, group):
        return [row for row in self.rows if row.group == group]

    def findings(self, device, kind):
        """Those that have a `kind` of number: a ratio, a knee or a floor."""
        of_group = {row.group: row.device for row in self.rows}
        found = self.document.get("findings", [])
        return [each for each in found if kind in each and of_group.get(each["group"]) == device]

    def caption(self, device):
        """What was measured where: device, torch, threads, date."""
        machine = self.document["machine_info"]
        brand = machine.get("cpu", {}).get("brand_raw")
        description = machine.get("devices", {}).get(device)
        names = [name for name in (brand if device == "cpu" else None, description) if name]
        about = [
            f"{device}: {', '.join(names)}" if names else device,
            f"torch {machine.get('torch', 'unknown')}",
            f"threads: {machine.get('threads', 'unknown')}",
            self.document["datetime"][:10],
        ]
        return " · ".join(about)


def _device(about):
    device = about.get("device", "-")
    return "cpu" if device == "-" else device  # what takes no device is computed by the processor


def read(path):
    """The file at `path` as a `Bench`. Raises `reader.BadRecord`, which names the file, where it is none."""
    document = reader.load(path)
    make = "make one with: nox -s bench"
    if not isinstance(document, dict) or "benchmarks" not in document:
        raise reader.BadRecord(f"{path}: is not what pytest-benchmark writes; {make}")
    if not document["benchmarks"]:
        raise reader.BadRecord(f"{path}: there are no benchmarks in it; {make}")
    if error := jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(SCHEMA).iter_errors(document)):
        raise reader.BadRecord(f"{path}: is not what pytest-benchmark writes: {reader.said(error)}")
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise reader.BadRecord(f"{path}: holds half a character, which cannot be drawn ({error.reason})") from None
    groups = {entry["group"] for entry in document["benchmarks"]}
    for at, each in enumerate(document.get("findings", [])):
        if each["group"] not in groups:
            raise reader.BadRecord(f"{path}: $.findings[{at}]: there is no benchmark of its group {each['group']!r}")
        if not each["low"] <= next(each[kind] for kind in ("ratio", "knee", "floor") if kind in each) <= each["high"]:
            raise reader.BadRecord(f"{path}: $.findings[{at}]: its number is not between its `low` and its `high`")
    return Bench(document, str(path))


def interval(finding):
    """The 95 % interval of a finding about a ratio, in words: `1.38 to 1.62`, or `31 % to 33 %`."""
    ratio = timing.Ratio(finding["ratio"], finding["low"], finding["high"])
    return ratio.shares if finding.get("unit") == "share" else ratio.interval
