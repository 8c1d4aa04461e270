"""Products and training steps whose width is a multiple of eight, beside those one narrower and one wider."""

from __future__ import annotations

import statistics
from collections import defaultdict
from dataclasses import dataclass
from itertools import groupby

from matplotlib.ticker import FixedLocator, FuncFormatter

from torchnotes.drawing.canvas import width_of
from torchnotes.drawing.conversion import longer
from torchnotes.drawing.palette import BLUE, GREY, LINE, ORANGE, PINK
from torchnotes.drawing.sheet import Sheet, fixed_axis, line
from torchnotes.drawing.words import seconds

OFFSETS = {"8k-1": (ORANGE, "v", -0.26), "8k": (BLUE, "o", 0), "8k+1": (PINK, "^", 0.26)}


@dataclass(frozen=True)
class Alignment:
    device: str
    caption: str
    by_width: list
    races: dict
    """By test: for each dtype and k the rows of the three entries, those of one dtype together."""

    @classmethod
    def read(cls, bench, device):
        rows = [row for row in bench.rows if row.device == device]
        by_width = sorted((row for row in rows if row.test == "matrix product by width"), key=lambda row: row.entry)
        races = {test: defaultdict(dict) for test in ("matrix product", "training step")}
        for row in rows:
            if row.test in races and row.entry in OFFSETS:
                races[row.test][row.about["dtype"], row.about["k"]][row.entry] = row
        if not by_width or not all(races.values()):
            return None
        return cls(device, bench.caption(device), by_width, {test: _together(found) for test, found in races.items()})

    @property
    def at(self):
        return {row.entry: row.median for row in self.by_width}

    @property
    def dtype(self):
        return self.by_width[0].about["dtype"].removeprefix("torch.")

    @property
    def title(self):
        off = [
            self.at[neighbour] / self.at[width]
            for width in self.at
            if width % 8 == 0
            for neighbour in (width - 1, width + 1)
            if neighbour in self.at
        ]
        return (
            f"A width next to a multiple of 8 takes {longer(statistics.median(off))} on {self.device} in {self.dtype}; "
            f"other dtypes stand below"
        )

    @property
    def sentences(self):
        for width, taken in self.at.items():
            yield f"Width {width}: {seconds(taken)}."

    def figure(self):
        sheet = Sheet(
            self.title,
            "Median of the rounds, with the interquartile range. Large dots: multiples of 8. Below, 8k is a width that "
            "is a multiple of 8, 8k-1 is one narrower and 8k+1 one wider.",
            self.caption,
            panels=(2, 2),
            height=2.3,
            legend=True,
            gaps=(0.8, 0.3),
        )
        top, *below = sheet.axes[0, 0], *sheet.axes[1]
        sheet.axes[0, 1].remove()
        top.set_subplotspec(top.get_gridspec()[0, :])
        self._draw_widths(top)
        below[1].sharey(below[0])
        below[1].tick_params(labelleft=False)
        for axes, (test, found) in zip(below, self.races.items(), strict=True):
            axes.set_title(f"{test}: times as long as with 8k")
            _draw_race(axes, found, sheet.width)
        sheet.legend(below[0])
        return sheet.figure

    def _draw_widths(self, axes):
        line(axes, list(self.at), self.by_width, color=BLUE, marker=".")
        eights = [width for width in self.at if width % 8 == 0]
        axes.plot(eights, [self.at[width] for width in eights], "o", color=BLUE, ms=9)
        title = f"time of a matrix product in {self.dtype} by its width"
        axes.set(title=title, ylim=(0, 1.1 * max(self.at.values())))
        axes.xaxis.set_major_locator(FixedLocator(list(self.at)))
        axes.xaxis.grid(False)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: seconds(value) if value else "0"))


def _together(found):
    order = list(dict.fromkeys(dtype for dtype, _ in found))
    return dict(sorted(found.items(), key=lambda each: (order.index(each[0][0]), each[0][1])))


def _draw_race(axes, found, width):
    """The three widths of each k as dots; below them k, and below that the dtype, once for all of its k."""
    for place, entries in enumerate(found.values()):
        for entry, (color, marker, shift) in OFFSETS.items():
            pairs = zip(entries[entry].data, entries["8k"].data, strict=True)
            low, middle, high = statistics.quantiles([one / other for one, other in pairs], n=4)
            axes.plot([place + shift] * 2, [low, high], color=color, lw=1.4)
            axes.plot(place + shift, middle, marker, color=color, ms=5, label=entry if place == 0 else None)
    names = [f"{k}" for _, k in found]
    fixed_axis(axes.xaxis, range(len(names)), lambda place: names[int(place)])
    axes.tick_params(axis="x", labelsize=_size(names, width / len(names)))
    axes.annotate("k", (0.5, 0), (0, -31), "axes fraction", "offset points", ha="center", va="top", color=GREY)
    axes.set_xlim(-0.5, len(names) - 0.5)
    axes.xaxis.grid(False)
    begin = 0
    for dtype, some in groupby(found, key=lambda key: key[0]):
        count = len(list(some))
        size = _size([dtype], width * count / len(names))
        middle, below = begin + count / 2 - 0.5, axes.get_xaxis_transform()
        axes.annotate(
            dtype, (middle, 0), (0, -18), below, "offset points", ha="center", va="top", size=size, color=GREY
        )
        begin += count
        if begin < len(names):
            axes.axvline(begin - 0.5, color=LINE, lw=0.7)


def _size(texts, width):
    """The size, in points, in which each of these texts takes no more than so many inches, and has some room around."""
    return 9 * min(1, (width - 0.06) / max(width_of(text, 9) for text in texts))
