"""What the pictures of measurements are drawn on: panels between a heading and a caption; and what their axes share."""

from __future__ import annotations

import textwrap

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator
from matplotlib.transforms import Affine2D, Bbox, blended_transform_factory

from torchnotes.drawing import palette
from torchnotes.drawing.palette import GREY, PAPER

WIDTH = 8.5
"""Of each picture, in inches: 816 pixels."""


class Sheet:
    """A figure with a title and a note above its panels, which may take several lines, and a caption below.

    With `legend` there is a row for one between the note and the panels. All sizes are in inches.
    """

    def __init__(
        self,
        title,
        note,
        caption,
        panels=(1, 1),
        height=2.6,
        left=0.8,
        right=0.3,
        gaps=(0.7, 0.8),
        legend=False,
        **more,
    ):
        rows, columns = panels
        self.width = (WIDTH - left - right - (columns - 1) * gaps[1]) / columns
        title_lines, note_lines = textwrap.wrap(title, 78), textwrap.wrap(note, 130)
        head = 0.16 + 0.22 * len(title_lines) + 0.17 * len(note_lines)
        top, bottom = head + 0.38 + 0.3 * legend, 0.92
        total = top + rows * height + (rows - 1) * gaps[0] + bottom
        self.figure = Figure(figsize=(WIDTH, total), facecolor=PAPER)
        self.axes = self.figure.subplots(
            rows,
            columns,
            squeeze=False,
            gridspec_kw={
                "left": left / WIDTH,
                "right": 1 - right / WIDTH,
                "top": 1 - top / total,
                "bottom": bottom / total,
                "hspace": gaps[0] / height,
                "wspace": gaps[1] / self.width,
            },
            **more,
        )
        self._lines(title_lines, 1 - 0.12 / total, 0.22 / total, size=11.5, weight="bold")
        self._lines(note_lines, 1 - (0.16 + 0.22 * len(title_lines)) / total, 0.17 / total, size=8.5, color=GREY)
        self._lines([caption], 0.24 / total, 0, size=7.5, color=GREY)
        self._legend = (left / WIDTH, 1 - (head + 0.08) / total)

    def _lines(self, lines, y, step, **look):
        for count, line in enumerate(lines):
            self.figure.text(0.12 / WIDTH, y - count * step, line, va="top", **look)

    def legend(self, axes):
        """The names of what these axes show, in the row that was kept for them."""
        handles, names = axes.get_legend_handles_labels()
        self.figure.legend(
            handles,
            names,
            loc="upper left",
            bbox_to_anchor=self._legend,
            ncols=len(names),
            borderaxespad=0,
            borderpad=0.2,
        )

    def beside(self, axes):
        """Coordinates: inches from the left edge of the axes, and the numbers of its y axis."""
        return blended_transform_factory(Affine2D().scale(1 / self.width, 1) + axes.transAxes, axes.transData)


def log_axis(axis, form):
    """Ticks a reader can count with, in their own units; between them some more where the axis is short."""
    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=(1,) if high / low > 200 else (1, 2, 5), numticks=20))
    axis.set_major_formatter(FuncFormatter(lambda value, _: form(value)))
    axis.set_minor_locator(NullLocator())


def fixed_axis(axis, ticks, form="{:g}".format):
    """Ticks at these numbers and nowhere else."""
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_major_formatter(FuncFormatter(lambda value, _: form(value)))
    axis.set_minor_locator(NullLocator())


def line(axes, x, rows, value=lambda row, seconds: seconds, **look):
    """The medians of some rows, with the interquartile range as a band."""
    lower, middle, upper = ([value(row, getattr(row, name)) for row in rows] for name in ("q1", "median", "q3"))
    axes.fill_between(x, lower, upper, color=look["color"], alpha=0.2, lw=0)
    axes.plot(x, middle, lw=1.4, **look)
    return middle


def label(axes, labels, away):
    """Write names beside points, `away` from them by so many points: [(name, (x, y), colour), ...].

    A name that would lie on another moves up or down to the nearest place within the axes that is free. Only when the
    limits of the axes are set.
    """
    axes.get_xlim(), axes.get_ylim()  # which settles them
    renderer, taken = FigureCanvasAgg(axes.figure).get_renderer(), []
    for name, place, colour in sorted(labels, key=lambda each: each[1][1], reverse=True):
        look = {"color": palette.of_words(colour), "weight": "bold", "va": "center"}
        text = axes.annotate(name, place, away, textcoords="offset points", **look)
        for step in sorted(range(-30, 31), key=abs):
            text.xyann = away[0], away[1] + step * 6
            box = text.get_window_extent(renderer).padded(1.5)
            within = axes.bbox.y0 <= box.y0 and box.y1 <= axes.bbox.y1
            if within and not any(Bbox.intersection(box, other) for other in taken):
                break
        taken.append(box)
