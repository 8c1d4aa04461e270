"""Calls that a learner is to write: for each note the function or method whose choice its assertions settle."""

from __future__ import annotations

import ast

from torchnotes.learn.blanks import Edit, Site
from torchnotes.record.exercises import BLANK

CALLS: dict[str, str] = {}


def of(module, node):
    """One site for each place where the call of this note stands; none where the note has no call to write."""
    name = CALLS.get(node.name)
    places = [each for each in ast.walk(node) if isinstance(each, ast.Attribute) and each.attr == name]
    return [
        Site(
            statement=0,
            edits=[Edit((each.end_lineno, each.end_col_offset - len(name)), (each.end_lineno, each.end_col_offset))],
            questions=[f"which name belongs in `{blanked(module, each)}`?"],
            answers=[name],
        )
        for each in sorted(places, key=lambda each: (each.end_lineno, each.end_col_offset))
    ]


def blanked(module, node):
    """The call with a blank in place of its name."""
    return f"{module.source(node.value)}.{BLANK}(...)"
