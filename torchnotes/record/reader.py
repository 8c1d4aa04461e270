"""Records of runs, as `pytest --record FILE` writes them and record.schema.json describes them."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cache, cached_property
from pathlib import Path

import jsonschema
from packaging.version import Version

from torchnotes import verdicts
from torchnotes.refusal import Refusal

SCHEMA = Path(__file__).parent / "record.schema.json"
FORMAT, VERSION = "what-pytorch-does/record", 1


class BadRecord(Refusal):
    """A file is no record, or none that can be read here: the message names the file and the reason."""


@cache
def _validator():
    return jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))


def load(path):
    """The JSON in a file. Raises `BadRecord` where there is none."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"), parse_constant=_no_number)
    except OSError as error:
        raise BadRecord(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise BadRecord(f"{path}: is not a text in UTF-8, so it is no record") from None
    except json.JSONDecodeError as error:
        raise BadRecord(f"{path}: is not whole JSON (line {error.lineno}: {error.msg}); make it again") from None
    except (ValueError, RecursionError) as error:  # a number or a nesting beyond what Python reads
        raise BadRecord(f"{path}: cannot be read ({error})") from None


def _no_number(text):
    raise ValueError(f"JSON has no number {text}")


def read(path):
    """The record in a file. Raises `BadRecord` where there is none, it is cut off, malformed, or of a newer version."""
    return check(path, load(path))


def check(path, document):
    """A document as a `Record`. Raises `BadRecord`, which names the file `path`, where it is none."""
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise BadRecord(f"{path}: is not a record; make one with: pytest --record FILE")
    if isinstance(document.get("version"), int) and document["version"] > VERSION:
        raise BadRecord(f"{path}: version {document['version']} is newer than what this `page` reads, {VERSION}")
    try:
        error = jsonschema.exceptions.best_match(_validator().iter_errors(document))
    except RecursionError:
        raise BadRecord(f"{path}: is not a record of version {VERSION}: lists in lists in lists, too deep") from None
    if error:
        raise BadRecord(f"{path}: is not a record of version {VERSION}: {said(error)}")
    for place, text, reads in (
        ("environment.torch", document["environment"]["torch"], Version),
        ("made", document["made"], moment),
    ):
        try:
            reads(text)
        except ValueError as error:  # such as InvalidVersion, or a number beyond what Python reads
            raise BadRecord(f"{path}: $.{place}: {error}") from None
    for node, times in Counter(note["note"] for note in document["notes"]).most_common(1):
        if times > 1:
            raise BadRecord(
                f"{path}: $.notes: {node!r} is there {times} times, so that it is not clear what it came to"
            )
    return Record(document)


def met(path):
    """Of each note in a record: its node id, its myths, and what it met, as pairs of kind and text.

    The document is not held against its schema, which takes ten times as long as all of this. Raises `BadRecord` where
    there is none, or where it is of another form.
    """
    document = load(path)
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise BadRecord(f"{path}: is not a record; make one with: pytest --record FILE")
    try:
        return [
            (
                note["note"],
                [marker["text"] for marker in note["markers"] if marker["name"] == "myth"],
                [pair for result in note["results"] for pair in _met(result)],
            )
            for note in document["notes"]
        ]
    except (KeyError, TypeError, AttributeError) as error:
        raise BadRecord(f"{path}: is not a record of version {VERSION} ({reason(error)})") from None


def _met(result):
    yield from ((said["type"], said["text"]) for said in result.get("said", ()))
    for announced in result.get("will_change", ()):
        kind, _, text = announced.partition(": ")
        yield kind, text


def said(error):
    """Where a document is not as its schema says, and why: in one line, and not the whole document."""
    text = " ".join(f"{error.json_path}: {error.message}".split())
    return text if len(text) <= 400 else f"{text[:200]} ... {text[-200:]}"


def reason(error):
    """What Python says of something that it could not do, in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def moment(text):
    """A time in ISO 8601; UTC where it does not say. Raises `ValueError` where it is none."""
    found = datetime.fromisoformat(f"{text[:-1]}+00:00" if text.endswith("Z") else text)  # Python 3.10 knows no Z
    return found if found.tzinfo else found.replace(tzinfo=timezone.utc)


@dataclass(frozen=True)
class Outcome:
    """What a note came to on one device: the worst of its cases, and why."""

    verdict: str
    reason: str = ""
    will_change: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Record:
    """A record, and what is often asked of it."""

    document: dict

    @property
    def environment(self):
        return self.document["environment"]

    @cached_property
    def notes(self):
        """Notes by their node id."""
        return {note["note"]: note for note in self.document["notes"]}

    @property
    def counts(self):
        return self.document["counts"]

    @cached_property
    def outcomes(self):
        """What each note came to on each device, by (node id, device); the device is None where the note takes none."""
        found = {}
        for note in self.document["notes"]:
            by_device = defaultdict(list)
            for result in note["results"]:
                by_device[result["device"]].append(result)
            for device, results in by_device.items():
                found[note["note"], device] = _worst(results)
        return found

    def about(self):
        """What can make a difference between two runs, by name: packages, Python, build, platform."""
        environment = self.environment
        packages = {"NumPy" if name == "numpy" else name: text for name, text in environment["packages"].items()}
        return packages | {
            "torch": environment["torch"],
            "build": environment["build"],
            "Python": environment["python"],
            "platform": f"{environment['platform']} {environment['machine']}",
            "devices": ", ".join(map(_named, environment["devices"])),
        }


def announced(result):
    """The announcements of a change that came with a result; the number of a process in them differs by chance."""
    return [re.sub(r"\bpid=\d+", "pid=…", text) for text in result.get("will_change", ())]


def _named(device):
    """A device, and what sort it is where there are several: `cuda (NVIDIA H200)`."""
    described = device["description"] if device["name"] != "cpu" else None
    return f"{device['name']} ({described.partition(',')[0]})" if described else device["name"]


def _worst(results):
    worst = min(results, key=lambda result: verdicts.WORST_FIRST.index(result["outcome"]))
    found = frozenset(text for result in results for text in announced(result))
    return Outcome(worst["outcome"], worst["reason"], found)
