"""What dropout made of its input: which numbers became 0, and by how much the others grew."""

from __future__ import annotations

from dataclasses import dataclass

from torchnotes.drawing import views
from torchnotes.drawing.canvas import CODE, WIDTH, Canvas, width_of
from torchnotes.drawing.palette import BLUE, GREY, INK, LINE
from torchnotes.drawing.views import Nonsense, View
from torchnotes.drawing.words import listed, said

GAP = 0.3


@dataclass(frozen=True)
class Made:
    """One result, and the input that it was made of."""

    given: View
    view: View
    settings: str

    def __post_init__(self):
        if len(self.view.values) != len(self.given.values):
            raise Nonsense("what was made of the input is not of its size")

    @property
    def pairs(self):
        return list(zip(self.given.numbers, self.view.numbers, strict=True))

    @property
    def zeros(self):
        return sum(now == 0 != before for before, now in self.pairs)

    @property
    def scale(self):
        ratios = sorted(now / before for before, now in self.pairs if now and before)
        return said(ratios[len(ratios) // 2]) if ratios else "1"

    @property
    def name(self):
        return self.settings or self.view.name

    @property
    def where(self):
        return f"at {self.settings}" if self.settings else f"in `{self.view.name}`"

    @property
    def share(self):
        """How much of it became 0, and whether that is whole rows."""
        columns = self.view.shape[-1]
        rows = [self.view.numbers[start : start + columns] for start in range(0, len(self.pairs), columns)]
        whole = all(len({value == 0 for value in row}) == 1 for row in rows)
        return f"{100 * self.zeros / len(self.pairs):.0f} % {self.where}{' (whole rows)' if whole else ''}"


@dataclass(frozen=True)
class Masks:
    made: list

    @classmethod
    def read(cls, cases):
        found = []
        for values in cases:
            given, *results = views.of(values)
            if not results:
                raise Nonsense("there is an input, but nothing that was made of it")
            found += [Made(given, view, ", ".join(views.settings(values))) for view in results]
        fits = all(
            2 <= len(each.view.shape) <= 3
            and 0 not in each.view.shape
            and each.view.shape[-1] <= 24
            and each.view.shape[-2] <= 40
            for each in found
        )
        return cls(found) if fits and len(found) <= 4 else None

    @property
    def title(self):
        shares = listed([each.share for each in self.made])
        return f"Dropout zeroed {shares}, and scaled the rest so that the average stays"

    @property
    def sentences(self):
        for each in self.made:
            numbers = f"{each.zeros} of {len(each.pairs)} numbers are 0"
            yield f"{each.where.capitalize()}: {numbers}, the others are {each.scale} times the input."

    def figure(self):
        canvas, y = Canvas(), 0.0
        first = self.made[0]
        if len(set(first.given.values)) > 1 and first.view.shape[-1] <= 10:
            y = self._first_row(canvas)
        width = (WIDTH - 0.1 - GAP * (len(self.made) - 1)) / len(self.made)
        size = min(0.135, width / max(each.view.shape[-1] for each in self.made))
        bottom = max(
            _grid(canvas, 0.05 + at * (width + GAP), y, each, size, width) for at, each in enumerate(self.made)
        )
        canvas.cells([(0.05, bottom + 0.14)], 0.12, BLUE, 0.6)
        canvas.cells([(0.75, bottom + 0.14)], 0.12, LINE, 0.0)
        canvas.text(0.22, bottom + 0.205, "kept", size=8.5, color=GREY)
        several = any(len(each.view.shape) == 3 and each.view.shape[0] > 1 for each in self.made)
        zeroed = "became 0; the first of the batch is shown" if several else "became 0"
        canvas.text(0.92, bottom + 0.205, zeroed, size=8.5, color=GREY)
        return canvas.cut(bottom + 0.34)

    def _first_row(self, canvas):
        """In numbers, before and after; returns how far down it reaches."""
        given, columns = self.made[0].given, self.made[0].view.shape[-1]
        canvas.text(0.05, 0.1, "the first row", size=9, weight="bold")
        gutter = min(1.6, max(width_of(name, 8.5, **CODE) for name in (given.name, *(each.name for each in self.made))))
        left = 0.05 + gutter + 0.12
        cell, y = (WIDTH - 0.05 - left) / columns, 0.26
        for name, values, colour in [
            (given.name, given.values, INK),
            *((each.name, each.view.values, BLUE) for each in self.made),
        ]:
            canvas.code(0.05, y + 0.15, name, size=8.5, within=gutter)
            for at, value in enumerate(values[:columns]):
                if colour == BLUE and float(value) == 0:
                    look = {"colour": LINE, "filled": 0.0, "color": GREY}
                else:
                    look = {"colour": colour, "filled": 0.18 if colour == BLUE else 0.05}
                canvas.box(left + at * cell, y, cell, 0.28, text=_brief(float(value)), size=7.5, **look)
            y += 0.28 + (0.1 if colour == INK else 0.05)
        canvas.text(0.05, y + 0.22, "all of it", size=9, weight="bold")
        return y + 0.36


def _grid(canvas, x, y, each, size, width):
    """All numbers of one result, as squares; returns how far down they reach."""
    canvas.code(x, y + 0.12, each.name, weight="bold", within=width)
    canvas.text(x, y + 0.31, f"{each.zeros} of {len(each.pairs)} are 0", size=8.5, color=GREY, within=width)
    rest = f"the rest \N{MULTIPLICATION SIGN} {each.scale}"
    canvas.text(x, y + 0.47, rest, size=8.5, color=GREY, within=width)
    *_, height, columns = each.view.shape
    corners = {False: [], True: []}
    for place, value in enumerate(each.view.numbers[: height * columns]):
        corners[value != 0].append((x + place % columns * size, y + 0.62 + place // columns * size))
    canvas.cells(corners[False], size, LINE, 0.0)
    canvas.cells(corners[True], size, BLUE, 0.6)
    return y + 0.62 + height * size


def _brief(value):
    """A number without the 0 before its point, for there is little room."""
    return said(value).removeprefix("0") if value and abs(value) < 1 else said(value)
