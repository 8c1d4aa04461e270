"""What the harness knows of a note, on its way from where the note runs to who reports it.

A report carries it as an attribute, which pytest-xdist takes from process to process, and not as a property of the
user, which is the note's own to record and which --junitxml writes down.
"""

from __future__ import annotations

import pytest

NOTED = pytest.StashKey[dict]()

LOST, NOT_INSTALLED = "its device was lost", "a package is not installed"
"""Causes for which a note does not run, as `add(item, cause=...)` has them."""


def add(item, **facts):
    """Note down what the item's next report shall carry."""
    item.stash.setdefault(NOTED, {}).update(facts)


def attach(item, report):
    """Let a report of the item carry what is noted down, and what is added until it is sent."""
    report.torchnotes = item.stash[NOTED]


def of(report):
    """What a report carries: an empty dict where it is of no note, or of one whose process died before it told."""
    return getattr(report, "torchnotes", {})
