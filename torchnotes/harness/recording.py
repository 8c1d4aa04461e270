"""`--record FILE`: what a run found, as one JSON document, which torchnotes/record/record.schema.json describes."""

from __future__ import annotations

import json
import os
import platform
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import pytest

from torchnotes.harness import census, devices, versions

VERSION = 1
"""Of the document. It grows when a reader of the old one would misunderstand the new one."""

COMPLETE = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)


def target(config, text):
    """The path that `--record` names, from the folder pytest was called in; its folder is made if it is not there."""
    if not text:
        raise pytest.UsageError("--record '': name a file, such as --record record.json")
    path = config.invocation_params.dir / text
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise pytest.UsageError(f"--record {text}: its folder cannot be made ({error.strerror})") from None
    if path.is_dir():
        raise pytest.UsageError(f"--record {text}: that is a folder; name a file in it, such as {text}/record.json")
    if path.exists() and not path.is_file():  # replacing /dev/stdout, or /dev/null, is what nobody wants
        raise pytest.UsageError(f"--record {text}: that is no ordinary file, and it would be replaced by one")
    if path.exists() and path.stat().st_size and not is_record(path):
        raise pytest.UsageError(f"--record {text}: that file is no record, and one would replace it")
    if not os.access(path.parent, os.W_OK):
        raise pytest.UsageError(f"--record {text}: its folder cannot be written to")
    return path


def is_record(path):
    """Whether a file begins as a record does."""
    with path.open("rb") as file:
        return re.match(rb'\s*\{\s*"format":\s*"what-pytorch-does/record"', file.read(200)) is not None


def pytest_addoption(parser):
    parser.getgroup("what PyTorch does").addoption(
        "--record",
        metavar="FILE",
        help="write what the run found to this file, as JSON that `python -m torchnotes` reads",
    )


def pytest_sessionstart(session):
    config = session.config
    if (path := config.getoption("record")) is None:
        return
    if config.getoption("mutants") or config.getoption("collectonly"):
        raise pytest.UsageError("--record is for a run of the notes: leave out --mutants and --collect-only")
    if (census := config.pluginmanager.get_plugin("census")) is not None:  # which a process of pytest-xdist has not
        config.pluginmanager.register(Record(target(config, path), census), "record")


@dataclass(eq=False)  # pluggy wants a plugin that can be hashed
class Record:
    """Writes the census of a run to a file, whole or not at all: a run that stopped early leaves none."""

    path: Path
    census: census.Census
    said: str = ""

    @pytest.hookimpl(trylast=True)  # after the census has settled the exit code
    def pytest_sessionfinish(self, session):
        stopped = session.shouldstop or session.shouldfail
        if session.exitstatus not in COMPLETE or stopped or self.census.incomplete or not self.census.outcomes:
            how = "stopped early" if stopped else "came to no end"
            self.said = f"FAILED: --record {self.path.name}: not written, for the run {how}"
            return
        try:
            write(self.path, document(session.config, self.census))
        except OSError as error:
            self.said = f"FAILED: --record {self.path.name}: it cannot be written ({error.strerror})"
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter):
        if self.said:
            terminalreporter.line(self.said, red=True)


def document(config, census):
    """What the run found, as plain data."""
    notes = {}
    for nodeid, outcome in census.outcomes.items():
        about = outcome.about
        note = notes.setdefault(
            outcome.note,
            {
                "note": outcome.note,
                "line": outcome.line,
                "section": outcome.section,
                "claim": about["claim"],
                "link": about["link"],
                "markers": about["markers"],
                "results": [],
            },
        )
        result = {
            "case": nodeid.removeprefix(outcome.note)[1:-1],
            "device": outcome.where,
            "outcome": outcome.verdict,
            "reason": outcome.reason,
        }
        for name in ("explanation", "will_change", "values", "said"):
            if value := getattr(outcome, name):
                result[name] = value
        note["results"].append(result)
    for note in notes.values():
        note["results"].sort(key=lambda result: result["case"])
    return {
        "format": "what-pytorch-does/record",
        "version": VERSION,
        "made": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "environment": environment(config),
        "counts": census.counts(),
        "missing": census.missing,
        "notes": sorted(notes.values(), key=lambda note: (note["note"].partition("::")[0], note["line"], note["note"])),
    }


def environment(config):
    """Where the run took place: torch and its build, packages, Python, platform and devices."""
    import torch

    return {
        "torch": torch.__version__,
        "build": versions.build(),
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "platform": platform.system(),
        "machine": platform.machine(),
        "packages": versions.packages(),
        "devices": [
            {"name": device.name, "description": devices.description(device), "problem": device.problem}
            for device in config.stash[devices.MACHINE].devices
        ],
        "seed": config.getoption("seed"),
    }


def lines(document):
    """A JSON document with a line for each part of its head and for each note, so that a difference can be read."""
    *head, (name, notes) = document.items()
    yield "{\n"
    yield from (f"{_json(part)}:{_json(value)},\n" for part, value in head)
    yield f"{_json(name)}:[\n"
    yield ",\n".join(map(_json, notes))
    yield "\n]}\n"


def _json(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def write(path, document):
    """Write a JSON document so that a reader sees all of it or what was there before."""
    path = path.resolve()  # where it is a link, what it leads to
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")  # in a container every run has the same process id
    try:
        with beside.open("x", encoding="utf-8", errors="backslashreplace") as file:  # JSON too writes a surrogate so
            file.writelines(lines(document))
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
