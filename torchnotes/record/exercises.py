"""A folder of exercises: the contract between the command that writes it and pytest, which checks it.

Beside the files that a learner fills in lie two of JSON: what is asked and what the answers are, and what became of it.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from torchnotes.refusal import Refusal

ASKED, PROGRESS = ".exercises.json", ".progress.json"
FORMAT, VERSION = "what-pytorch-does/exercises", 1

BLANK = "___"
PREDICT, WRITE = "predict", "write"
LEVELS = ("easy", "middle", "hard")

OPEN, WRONG, SOLVED, ELSEWHERE, CHANGED = "open", "wrong", "solved", "elsewhere", "changed"
"""What can have become of an exercise; `elsewhere` is one about other releases than the installed ones."""


AGAIN = "write it again with: python -m torchnotes exercises"


class BadFolder(Refusal):
    """A folder cannot be used for exercises: the message names it and the reason."""


@dataclass(frozen=True)
class Exercise:
    """One note with blanks in it, and what is said when they are filled."""

    file: str
    """Its name in the folder."""
    number: int
    kind: str
    level: str
    note: str
    """The name of the note it was made from."""
    code: str
    """The function as it was written, with its blanks."""
    questions: list[str]
    """One for each blank, in the order of the source."""
    answers: list[str]
    """What the note has in place of each blank: an expression, or the name of what is called."""
    hints: list[str]
    claim: str
    explanation: str
    links: list[str]
    holds: list[str]
    """The requirements with which what it asks is true."""

    @property
    def name(self):
        """The name of its function."""
        return f"test_{self.number:03}"


@dataclass
class Progress:
    """What became of one exercise so far."""

    state: str = OPEN
    wrong: int = 0
    """How many runs found a wrong answer."""
    hints: int = 0
    """How many hints were shown."""
    said: str = ""
    """What the last run said of it."""


def is_folder(folder):
    """Whether a folder is one of exercises."""
    return (Path(folder) / ASKED).is_file()


def read(folder):
    """What is asked in a folder. Raises `BadFolder` where it is no folder of exercises."""
    path = Path(folder) / ASKED
    if not path.is_file():
        raise BadFolder(f"{folder}: there are no exercises in it; write them with: python -m torchnotes exercises")
    document = _load(path, AGAIN)
    if not isinstance(document, dict) or (document.get("format"), document.get("version")) != (FORMAT, VERSION):
        raise BadFolder(f"{path}: another version wrote it; {AGAIN}")
    try:
        return [Exercise(**each) for each in document["exercises"]]
    except (TypeError, KeyError) as error:
        raise BadFolder(f"{path}: is not whole ({error}); {AGAIN}") from None


def write(folder, exercises):
    head = {"format": FORMAT, "version": VERSION}
    _replace(Path(folder) / ASKED, head | {"exercises": [asdict(exercise) for exercise in exercises]})


def read_progress(folder):
    """What became of the exercises of a folder, by their keys: of one that nobody tried there is nothing."""
    path = Path(folder) / PROGRESS
    if not path.is_file():
        return {}
    anew = "delete it to begin anew"
    try:
        return {key: Progress(**each) for key, each in _load(path, anew).items()}
    except (AttributeError, TypeError):
        raise BadFolder(f"{path}: another version wrote it; {anew}") from None


def write_progress(folder, progress):
    _replace(Path(folder) / PROGRESS, {key: asdict(each) for key, each in progress.items()})


def _load(path, advice):
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadFolder(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError as error:  # no UTF-8, or no JSON
        raise BadFolder(f"{path}: is not whole ({error}); {advice}") from None


def _replace(path, document):
    """Write so that a reader sees all of it or what was there before."""
    beside = path.with_name(f"{path.name}.new")
    beside.write_text(json.dumps(document, indent=0, ensure_ascii=False), encoding="utf-8", errors="backslashreplace")
    os.replace(beside, path)


def reward(exercise):
    """What a solved exercise was about, line by line."""
    yield f"solved: {exercise.file}::{exercise.name}"
    yield f"  {exercise.claim}"
    yield from (f"  {line}" for line in exercise.explanation.splitlines())
    yield from (f"  {link}" for link in exercise.links)
