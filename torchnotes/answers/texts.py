"""The texts by which a note is found: what it says, what it met under each release, and what people ran into."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass, field
from pathlib import Path

from torchnotes import note as notes
from torchnotes.record import reader

ROOT = Path(__file__).parents[2]
"""The folder that has the notes, their records and the cases: a traceback comes from anywhere."""

NOTE = re.compile(r'^def (test_\w+)\([^)]*\):\n    [rR]?"""(.*?)"""', re.MULTILINE | re.DOTALL)
"""A note with its docstring, as `ruff format` writes it: `ast` would take half of the time of an answer."""

CASE = re.compile(r"^\| (.+) \| \[`(test_\w+)`\]", re.MULTILINE)
QUOTED = re.compile(r'"([^"]{8,}?)"')
CODE = re.compile(r"`([^`]+)`")

MET, CLAIMED, CITED, CASED, SYMPTOM, CLAIM = "met", "claimed", "cited", "cased", "symptom", "claim"
"""Where a text is from: a record; a quote in a claim, in an explanation, in a case; a whole case; a whole claim."""


@dataclass(frozen=True)
class Text:
    """A text, and the kind of exception or warning it is of, where that is known."""

    source: str
    text: str
    kind: str = ""


@dataclass
class Note:
    """A note, and everything that may be said of what it settles."""

    name: str
    file: str
    words: notes.Words
    texts: dict[Text, None] = field(default_factory=dict)

    @property
    def section(self):
        return notes.section(self.file)

    def add(self, source, text, kind=""):
        self.texts[Text(source, " ".join(text.split()), kind)] = None


def read(folder=ROOT / "tests" / "notes", cases=ROOT / "docs" / "cases.md", records=ROOT / "records"):
    """The notes in a folder, by name. Raises `BadRecord` where there are none, or where a record cannot be read."""
    found = {}
    for path in sorted(Path(folder).glob("test_*.py")):
        for name, docstring in NOTE.findall(_text(path)):
            words = notes.words(inspect.cleandoc(docstring))
            found[name] = note = Note(name, path.name, words)
            note.add(CLAIM, words.claim)
            for quoted in QUOTED.findall(words.claim):
                note.add(CLAIMED, quoted)
            for quoted in QUOTED.findall(words.explanation):
                note.add(CITED, quoted)
    if not found:
        raise reader.BadRecord(f"{folder}: there are no notes in it, files named test_*.py")
    for symptom, name in CASE.findall(_text(cases)) if Path(cases).exists() else ():
        if name in found:
            found[name].add(SYMPTOM, symptom)
            for quoted in QUOTED.findall(symptom):
                found[name].add(CASED, quoted)
    for path in sorted(Path(records).glob("torch-*.json")):
        for node, myths, texts in reader.met(path):
            if (note := found.get(notes.name(node))) is not None:
                for myth in myths:
                    note.add(CLAIM, myth)
                for kind, text in texts:
                    note.add(MET, text, kind)
    return found


def _text(path):
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise reader.BadRecord(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise reader.BadRecord(f"{path}: is not a text in UTF-8") from None
