"""Grids as they read, the one memory below them, and how an index of each finds its cell."""

from __future__ import annotations

from dataclasses import dataclass

from torchnotes.drawing import views
from torchnotes.drawing.canvas import CODE, WIDTH, Canvas, width_of
from torchnotes.drawing.palette import BLUE, GREEN, GREY, INK, ORANGE
from torchnotes.drawing.words import listed, said

COLOURS = (BLUE, ORANGE, GREEN)
CELL, LEFT = 0.36, 0.25
TIMES = "\N{MULTIPLICATION SIGN}"


@dataclass(frozen=True)
class Strides:
    groups: list
    """Pairs of the views of one memory, and what lies in its cells."""

    @classmethod
    def read(cls, cases):
        groups = views.memories(views.of(cases[0]))
        if not groups or any(len(view.shape) != 2 or 0 in view.shape for group, _ in groups for view in group):
            return None
        if any(len(cells) > 12 or len(group) > len(COLOURS) for group, cells in groups):
            return None
        if any(max(view.shape) > 6 for group, _ in groups for view in group):
            return None
        return cls(groups) if all(_fits(group) for group, _ in groups) else None

    @property
    def every(self):
        return [view for group, _ in self.groups for view in group]

    @property
    def title(self):
        several = next((group for group, _ in self.groups if len(group) > 1), None)
        if not several:
            return f"{views.names(self.every)} find their cells by strides"
        differ = "" if len({view.stride for view in several}) == 1 else "; only their strides differ"
        return f"{views.names(several)} read the same cells of one memory{differ}"

    @property
    def sentences(self):
        for view in self.every:
            yield f"{view.name}: shape {view.shape}, strides {view.stride}, {said(view.values)}."
        for group, _ in self.groups:
            for element, cell, _ in formulas(group):
                yield f"{element} is cell {cell}."

    def figure(self):
        canvas, y = Canvas(), 0.0
        for group, cells in self.groups:
            y = _grids(canvas, y, group) + 0.22
            y = _cells(canvas, y, group, cells) + 0.36
            gutter = _gutter(group)
            for left, right, colour in formulas(group):
                canvas.box(LEFT, y - 0.06, 0.12, 0.12, colour, 0.35)
                canvas.code(LEFT + 0.2, y, left, weight="bold")
                canvas.code(LEFT + 0.2 + gutter, y, right)
                y += 0.22
            y += 0.2
        return canvas.cut(y - 0.2)


def chosen(group):
    """The cell that is followed: the one of the last element of the first view."""
    return group[0].place([size - 1 for size in group[0].shape])


def formulas(group):
    """For each view that sees the chosen cell: the element, the sum that finds the cell, and the view's colour."""
    found = []
    for view, colour in zip(group, COLOURS, strict=False):
        if indices := [index for index, place in view.elements() if place == chosen(group)]:
            sums = " + ".join(f"{i}{TIMES}{step}" for i, step in zip(indices[-1], view.stride, strict=True))
            element = f"{view.name}[{', '.join(map(str, indices[-1]))}]"
            found.append((element, f"{view.start + view.about['offset']} + {sums} = {chosen(group)}", colour))
    return found


def _steps(view):
    return f"strides ({', '.join(map(str, view.stride))})"


def _width(view):
    return max(view.shape[1] * CELL, width_of(view.name, 9.5, weight="bold", **CODE), width_of(_steps(view), 8.5))


def _gutter(group):
    return max(width_of(left, 9.5, weight="bold", **CODE) for left, _, _ in formulas(group)) + 0.1


def _fits(group):
    """Whether there is room for its grids side by side, and for its formulas."""
    grids = sum(map(_width, group)) + 0.45 * (len(group) - 1)
    sums = 0.2 + _gutter(group) + max(width_of(right, 9.5, **CODE) for _, right, _ in formulas(group))
    return LEFT + max(grids, sums) <= WIDTH


def _grids(canvas, y, group):
    """Each view as rows and columns; returns how far down they reach."""
    x = LEFT
    for view, colour in zip(group, COLOURS, strict=False):
        canvas.code(x, y + 0.12, view.name, weight="bold")
        canvas.text(x, y + 0.3, _steps(view), size=8.5, color=GREY)
        rows, columns = view.shape
        for ((i, j), place), value in zip(view.elements(), view.values, strict=True):
            filled = 0.35 if place == chosen(group) else 0.08
            canvas.box(x + j * CELL, y + 0.62 + i * CELL, CELL, CELL, colour, filled, said(value))
        for j in range(columns):
            canvas.code(x + (j + 0.5) * CELL, y + 0.53, str(j), size=7.5, color=GREY, ha="center")
        for i in range(rows):
            canvas.code(x - 0.06, y + 0.62 + (i + 0.5) * CELL, str(i), size=7.5, color=GREY, ha="right")
        x += _width(view) + 0.45
    return y + 0.62 + max(view.shape[0] for view in group) * CELL


def _cells(canvas, y, group, cells):
    """The memory as a row of cells with their numbers; returns how far down it reaches."""
    canvas.text(LEFT, y + 0.05, f"the memory of {listed([view.name for view in group])}", size=8.5, color=GREY)
    for place, value in enumerate(cells):
        followed = place == chosen(group)
        x, look = LEFT + place * CELL, {"color": INK, "weight": "bold"} if followed else {"color": GREY}
        canvas.box(x, y + 0.2, CELL, CELL, INK, 0.22 if followed else 0.05, said(value))
        canvas.code(x + CELL / 2, y + 0.2 + CELL + 0.1, str(place), size=7.5, ha="center", **look)
    return y + 0.2 + CELL
