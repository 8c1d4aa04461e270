"""behaviour.json: what the page says of each note, for programs, as behaviour.schema.json describes it."""

from __future__ import annotations

import ast
import json

from torchnotes import verdicts
from torchnotes.page.model import turning_points

FORMAT, VERSION = "what-pytorch-does/behaviour", 1
PACKAGES = ("torch", "numpy", "torchmetrics", "sklearn", "tqdm")
"""The packages whose names are looked for in the code of a note."""


def as_json(book):
    """The text of the file, one note a line."""
    head = {
        "format": FORMAT,
        "version": VERSION,
        "runs": [{"name": column.name, **column.record.about()} for column in book.columns],
    }
    lines = ",\n".join(json.dumps(_note(book, card), ensure_ascii=False) for card in book.cards)
    return f'{json.dumps(head, ensure_ascii=False, indent=1)[:-2]},\n "notes": [\n{lines}\n]\n}}\n'


def _note(book, card):
    return {
        "note": card.node,
        "page": f"#{card.id}",
        "section": card.section,
        "claim": card.claim,
        "beliefs": [marker["text"] for marker in card.marker("myth")],
        "names": names_in(f"{card.source.uses}\n{card.source.code}") if card.source else [],
        "links": card.links,
        "changes": [_change(marker) for marker in card.marker("holds")],
        "verdicts": {
            column.name: of_run
            for place, column in enumerate(book.columns)
            if (of_run := {row.where: WORDS[row.codes[place]] for row in card.rows if row.codes[place] in WORDS})
        },
    }


WORDS = {verdict.code: name for name, verdict in verdicts.WRITTEN.items()}


def _change(marker):
    package, releases = turning_points(marker["requirement"])
    effect = {"effect": marker["change"]} if "change" in marker else {}
    return {"holds": marker["requirement"], "package": package, "releases": releases, **effect}


def names_in(code):
    """What code uses of `PACKAGES`, by its full names in alphabetical order, whatever it was imported as."""
    tree = ast.parse(code)
    known, found = {}, set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                root = alias.name.partition(".")[0]
                known[alias.asname or root] = alias.name if alias.asname else root
        elif isinstance(node, ast.ImportFrom) and node.module:
            known |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    parts = set()
    for node in ast.walk(tree):  # the whole of a dotted name comes before its parts
        if node not in parts and (name := _dotted(node, known)):
            found.add(name)
            parts |= {*ast.walk(node)}
    return sorted(name for name in found if name.partition(".")[0] in PACKAGES and "." in name)


def _dotted(node, known):
    """The full name of an expression such as `nn.Linear`, or None where it is another expression."""
    if isinstance(node, ast.Name):
        return known.get(node.id)
    if isinstance(node, ast.Attribute) and (before := _dotted(node.value, known)):
        return f"{before}.{node.attr}"
    return None
