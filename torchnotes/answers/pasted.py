"""What somebody pasted: the errors and warnings in it, the last one first, and the functions that were called.

A traceback of Python, one of a notebook, a line of a log, the output of one of several processes, or a question.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from torchnotes.refusal import Refusal


class NoText(Refusal):
    """There is nothing to explain: the message says what to type."""


LONGEST = 100_000
"""How many characters are looked at, from the end: the error is the last thing that a program says."""

FARTHEST = 4
"""How many errors before the last one are looked at: the causes of the last one stand above it."""

CONTINUED = 25
"""How many lines a message may have."""

DECORATION = re.compile(
    r"\x1b\[[0-9;?]*[A-Za-z]"  # colours
    r"|^\s*\[(?:rank\d+|default\d+)\]:\s?"  # one of several processes
    r"|[│┃❱╭╮╰╯─]",  # frames around a traceback
    re.MULTILINE,
)

KIND = re.compile(r"(?:^|(?<=[\s(\"'`>]))(?:[A-Za-z_]\w*\.)*([A-Za-z_]\w*(?:Error|Warning|Exception))(?::\s|:?$)")
"""The class of an exception or a warning, with its modules, where a message follows or nothing."""

QUOTES_CODE = re.compile(r"raise\b|File \"|except\b|[-=]*>\s|\d+\s")
"""The beginning of a line that shows code or a place, where a class is only named."""

AFTER_A_MESSAGE = re.compile(
    r"Traceback \(most recent|Original Traceback|During handling of|The above exception|  File \"|\s*warnings\.warn\("
    r"|\s*\d+%\||-{20,}|={20,}"
)

CALLED = re.compile(r"\bin <?([A-Za-z_][\w.]*)|([A-Za-z_]\w*)\(|[\\/<](\w+)(?:\.py\b|-src>)|[\\/](\w+)[\\/]\w+\.py\b")
"""A function in the frame of a traceback, one that is called in a line of code, or the file or folder of a frame."""


@dataclass(frozen=True)
class Error:
    """An exception or a warning; a question, or a message alone, is of no kind."""

    kind: str
    message: str


@dataclass(frozen=True)
class Pasted:
    errors: list[Error]
    """The last one first; at least one."""
    called: frozenset[str]
    """The functions in the frames and lines around them, in small letters and without underscores."""


def read(text):
    """The `Pasted` in a text. Raises `NoText` where it is blank."""
    if not text.strip():
        raise NoText(
            'explain: there is no text; type: python -m torchnotes explain "ERROR TEXT", or pipe a traceback into it'
        )
    lines = DECORATION.sub("", text[-LONGEST:]).strip().splitlines()
    places = [(number, found) for number, line in enumerate(lines) if (found := _kind(line))]
    if not places:
        return Pasted([Error("", " ".join(" ".join(lines).split()))], frozenset())
    errors = []
    for number, found in reversed(places[-1 - FARTHEST :]):
        error = Error(found[1], _message(lines, number, found.end(), {place for place, _ in places}))
        if error not in errors:
            errors.append(error)
    around = [line for number, line in enumerate(lines) if number not in {place for place, _ in places}]
    return Pasted(errors, frozenset(_called("\n".join(around))))


def _kind(line):
    if "Traceback (most recent call last)" in line or QUOTES_CODE.match(line.strip()):
        return None
    return KIND.search(line)


def _message(lines, number, start, others):
    parts = [lines[number][start:]]
    for following in range(number + 1, min(number + CONTINUED, len(lines))):
        if following in others or AFTER_A_MESSAGE.match(lines[following]):
            break
        parts.append(lines[following])
    return " ".join(" ".join(parts).split())


def _called(text):
    for found in CALLED.findall(text):
        for name in filter(None, found):
            yield plain(name.rpartition(".")[2])


def plain(name):
    """A name in small letters and without underscores: `cross_entropy` and `CrossEntropy` are one."""
    return name.lower().replace("_", "")
