"""Pictures that explain: drawn from the values that notes leave in a record (torchnotes/harness/pictured.py).

What a note is marked for but cannot be drawn well (too many cells, too many dimensions) is left out; values that
contradict each other, or that are not what the kind of picture needs, are refused with `reader.BadRecord`.
"""

from __future__ import annotations

from torchnotes.drawing.canvas import Picture, styled
from torchnotes.drawing.curves import Curves
from torchnotes.drawing.graph import Graph
from torchnotes.drawing.masks import Masks
from torchnotes.drawing.memory import Memory
from torchnotes.drawing.strides import Strides
from torchnotes.drawing.views import Nonsense
from torchnotes.record import reader

KINDS = {"memory": Memory, "strides": Strides, "masks": Masks, "curves": Curves, "graph": Graph}
"""Each reads the values of a note's cases, or returns None, and has a title, sentences and a figure."""


def of(record, source="the record"):
    """The pictures of each note that has values for them: {node id: [picture, ...]}.

    Raises `reader.BadRecord`, which names `source` and the note, where the values contradict each other.
    """
    found = {}
    for name, note in record.notes.items():
        pictures = []
        for kind, cases in _cases(note):
            if kind not in KINDS:
                continue
            try:
                with styled():
                    if subject := KINDS[kind].read(cases):
                        pictures.append(Picture(subject.figure(), subject.title, " ".join(subject.sentences)))
            except Nonsense as error:
                raise reader.BadRecord(f"{source}: {name}: values of its picture ({kind}): {error}") from None
            except (ValueError, TypeError, LookupError, ArithmeticError) as error:
                why = f"they are not what it is drawn of ({reader.reason(error)})"
                raise reader.BadRecord(f"{source}: {name}: values of its picture ({kind}): {why}") from None
        if pictures:
            found[name] = pictures
    return found


def _cases(note):
    """For each picture of a note its kind, and the values of every row of the note's table, on one device."""
    results = [result for result in note["results"] if result["outcome"] == "held" and result.get("values")]
    devices = [result["device"] for result in results]
    chosen = [result["values"] for result in results if result["device"] == ("cpu" if "cpu" in devices else devices[0])]
    for same in zip(*chosen, strict=False):
        kind = same[0]["kind"]
        yield kind, [value["of"] for value in same if value["kind"] == kind]
