"""The cells of each memory, and under them which name sees which."""

from __future__ import annotations

import itertools
from collections import defaultdict
from dataclasses import dataclass

from torchnotes.drawing import views
from torchnotes.drawing.canvas import CODE, WIDTH, Canvas, width_of
from torchnotes.drawing.palette import BLUE, GREEN, GREY, INK, ORANGE, PINK
from torchnotes.drawing.words import listed, said

COLOURS = (BLUE, ORANGE, GREEN, PINK)
CELL, ROW, GAP = 0.5, 0.3, 0.45


@dataclass(frozen=True)
class Memory:
    groups: list
    """Pairs of the views of one memory, and what lies in its cells."""

    @classmethod
    def read(cls, cases):
        groups = views.memories(views.of(cases[0]))
        if not groups or any(not 0 < len(cells) <= 16 for _, cells in groups):
            return None
        return cls(groups) if all(_cell(group, cells) >= 0.35 for group, cells in groups) else None

    @property
    def title(self):
        together = [f"{views.names(group)} are names of one memory" for group, _ in self.groups if len(group) > 1]
        alone = [view for group, _ in self.groups if len(group) == 1 for view in group]
        if alone:
            together.append(f"{views.names(alone)} {'each have their own' if len(alone) > 1 else 'has its own'}")
        return "; ".join(together)

    @property
    def sentences(self):
        for group, cells in self.groups:
            seen = [f"{view.name} sees cells {listed([str(place) for _, place in view.elements()])}" for view in group]
            yield f"{views.names(group)}: {said(cells)}, {group[0].dtype}; {'; '.join(seen)}."

    def figure(self):
        canvas = Canvas()
        colours = itertools.cycle(COLOURS)
        x, y, bottom = 0.05, 0.0, 0.0
        for group, cells in self.groups:
            width = max(_gutter(group) + CELL * len(cells), 1.6)
            if x > 0.05 and x + width > WIDTH:
                x, y = 0.05, bottom + 0.3
            end = _draw(canvas, x, y, group, cells, dict(zip((view.name for view in group), colours, strict=False)))
            bottom = max(bottom, end)
            x += width + 0.35
        return canvas.cut(bottom + 0.05)


def _gutter(group):
    return max(width_of(view.name, 9.5, weight="bold", **CODE) for view in group) + 0.2


def _cell(group, cells):
    """How wide a cell is, in inches, where a memory has a line of its own if it needs one."""
    return min(CELL, (WIDTH - 0.1 - _gutter(group)) / len(cells))


def _draw(canvas, x, y, group, cells, colours):
    """One memory with its names; returns how far down it reaches."""
    canvas.text(x, y + 0.12, "one memory" if len(group) > 1 else "memory of its own", size=9, weight="bold")
    canvas.text(x, y + 0.3, f"{len(cells)} \N{MULTIPLICATION SIGN} {group[0].dtype}", size=8.5, color=GREY)
    cell, left, top = _cell(group, cells), x + _gutter(group), y + 0.46
    for place, value in enumerate(cells):
        canvas.box(left + place * cell, top, cell, 0.4, INK, 0.05, said(value))
    for below, view in enumerate(group):
        middle, colour = top + 0.4 + GAP / 2 + ROW * below, colours[view.name]
        canvas.code(x, middle, view.name, weight="bold")
        seen = defaultdict(list)
        for index, place in view.elements():
            seen[place].append(",".join(map(str, index)))
        ends = [left - 0.06, *(left + cell * (place + side) for place in sorted(seen) for side in (0, 1))]
        for start, end in zip(ends[0::2], ends[1::2], strict=False):  # between the cells it sees
            canvas.axes.plot([start - 0.07, end + 0.07], [middle] * 2, color=colour, lw=0.9, alpha=0.6, clip_on=False)
        for place, indices in seen.items():
            label = f"[{indices[0]}]" if len(view.shape) < 2 else indices[0]
            pill = (left + place * cell + 0.07, middle - 0.1, cell - 0.14, 0.2)
            canvas.box(*pill, colour, 0.16, label, rounding=0.09, size=8.5, within=cell - 0.04)
    return top + 0.4 + GAP / 2 + ROW * len(group) - 0.1
