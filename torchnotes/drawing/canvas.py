"""What every picture is drawn on: its look, a sheet on which things lie by inches, and the picture that comes of it."""

from __future__ import annotations

from dataclasses import dataclass

import matplotlib.style
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import FancyBboxPatch, PathPatch, Rectangle
from matplotlib.path import Path
from matplotlib.textpath import text_to_path

from torchnotes.drawing import svg
from torchnotes.drawing.palette import GREY, INK, LINE

STYLE = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.monospace": ["DejaVu Sans Mono"],
    "font.size": 9,
    "text.color": INK,
    "text.parse_math": False,  # a claim may hold dollar signs
    "svg.fonttype": "none",  # text stays text: it can be searched, selected and enlarged
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "axes.edgecolor": GREY,
    "axes.labelcolor": GREY,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": LINE,
    "grid.alpha": 0.5,
    "grid.linewidth": 0.7,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "lines.markersize": 4.5,
    "legend.frameon": False,
}
CODE = {"family": "monospace"}
WIDTH = 4.8
"""In inches: the text can then be read on a phone."""


def styled(**more):
    return matplotlib.style.context(STYLE | more, after_reset=True)


@dataclass(frozen=True)
class Picture:
    """A figure and what it says: in one sentence, and in words for whoever cannot see it.

    Names of code stand between backticks, and without them in the SVG. `name` is where its identifiers come from.
    """

    figure: Figure
    title: str
    words: str

    def svg(self, name):
        """A file of its own."""
        return svg.as_file(self._tree(name))

    def part(self, name):
        """A part of the page."""
        return svg.as_part(self._tree(name))

    def _tree(self, name):
        with styled(**{"svg.hashsalt": name}):
            return svg.tree(self.figure, name, self.title.replace("`", ""), self.words.replace("`", ""))


def width_of(text, size, **look):
    """How wide a line of text is, in inches, in points of `size`."""
    width, _, _ = text_to_path.get_text_width_height_descent(text, FontProperties(size=size, **look), ismath=False)
    return width / 72


class Canvas:
    """A sheet on which one places things by inches, from the left and from the top, and which grows downwards.

    It has neither a heading nor a background: its title stands beside it, as the page's own text.
    """

    def __init__(self):
        self.figure = Figure(figsize=(WIDTH, 1))
        self.axes = self.figure.add_axes([0, 0, 1, 1])
        self.axes.set_axis_off()

    def text(self, x, y, text, within=WIDTH, size=9.5, color=INK, **look):
        """A text, no wider than `within` inches: where there is too much of it, it is smaller."""
        wide = width_of(text, size, **{name: look[name] for name in ("family", "weight") if name in look})
        place = {"va": "center", **look}
        self.axes.text(x, y, text, size=size * min(1, within / max(wide, 1e-9)), color=color, **place)

    def code(self, x, y, text, **look):
        self.text(x, y, text, **CODE, **look)

    def box(self, x, y, width, height, colour=INK, filled=0.0, text="", rounding=0.0, **look):
        """A box with its upper left corner at (x, y), `filled` with so much of its colour, and a text in its middle."""
        shape = {"facecolor": to_rgba(colour, filled) if filled else "none", "edgecolor": colour, "linewidth": 0.9}
        if rounding:
            pad = {"boxstyle": f"round,pad=0,rounding_size={rounding}", "mutation_aspect": 1}
            self.add(FancyBboxPatch((x, y), width, height, **pad, **shape))
        else:
            self.add(Rectangle((x, y), width, height, **shape))
        if text:
            self.code(x + width / 2, y + height / 2 + 0.01, text, ha="center", **{"within": width - 0.04, **look})

    def cells(self, corners, size, colour, filled):
        """Many small squares as one shape."""
        square = [(0, 0), (size, 0), (size, size), (0, size), (0, 0)]
        points = [(x + dx, y + dy) for x, y in corners for dx, dy in square]
        codes = [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY] * len(corners)
        if points:
            look = {"facecolor": to_rgba(colour, filled) if filled else "none", "edgecolor": colour}
            self.add(PathPatch(Path(points, codes), linewidth=0.6, **look))

    def add(self, shape):
        self.axes.add_patch(shape)
        shape.set_clip_on(False)

    def cut(self, height):
        """The figure, so high."""
        self.figure.set_size_inches(WIDTH, height)
        self.axes.set(xlim=(0, WIDTH), ylim=(height, 0))
        return self.figure
