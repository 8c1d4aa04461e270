"""What can become of a note, and where it can run: the words, codes and order of both, for terminal, file and page."""

from __future__ import annotations

from dataclasses import dataclass

HELD, FAILED, ELSEWHERE, UNCHECKED = "held", "failed", "elsewhere", "unchecked"


@dataclass(frozen=True)
class Verdict:
    """How one verdict is written: a letter, a word in a table, a word on a card, a column's head, and a total's end."""

    code: str
    short: str
    here: str
    column: str
    total: str


WRITTEN = {
    HELD: Verdict("h", "held", "holds here", "held", "held"),
    FAILED: Verdict("f", "failed", "failed here", "failed", "failed"),
    ELSEWHERE: Verdict(
        "e",
        "other side",
        "other side of a boundary",
        "other side of a boundary",
        "on the other side of a boundary",
    ),
    UNCHECKED: Verdict("u", "not checked", "not checked here", "not checked", "could not be checked"),
}

WORST_FIRST = (FAILED, HELD, ELSEWHERE, UNCHECKED)
"""What a note with several results came to: the first of these that is among them."""

ABSENT = "-"
"""The code of a run that says nothing of a note, or of a note on that device."""


def worst(verdicts):
    """What a note came to that came to all of these."""
    return min(verdicts, key=WORST_FIRST.index)


# Where a note runs: a device, or two of them joined by `+`, or one of these.

ANY = None
"""A note that takes no device."""

NO_ACCELERATOR = "accelerator"
"""A note for an accelerator, on a machine without one."""

STAND_IN = "meta"
"""A real PyTorch device of every machine: it has shapes, dtypes and the device rule, but no numbers."""

SIMULATED = "fake cuda"
"""A cuda device that computes nothing."""


def place(where):
    """A place as a table writes it."""
    known = {ANY: "any device", SIMULATED: "simulated cuda"}
    return known.get(where) or where.replace("+", " + ")


def parts(where):
    """The devices of a place that can be asked to compute."""
    return [] if where in (ANY, NO_ACCELERATOR, SIMULATED) else [each for each in where.split("+") if each != STAND_IN]
