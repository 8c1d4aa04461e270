"""Where the texts of a picture lie, as matplotlib itself measures them while it writes the SVG."""

from __future__ import annotations

import itertools
from unittest import mock

from matplotlib.text import Text
from matplotlib.transforms import Bbox


def of(picture):
    """Every text that is drawn, with its box: [(text, Bbox in points), ...]."""
    found = []
    draw = Text.draw

    def measured(text, renderer, *arguments, **named):
        if text.get_visible() and text.get_text().strip():
            found.append((text.get_text(), text.get_window_extent(renderer)))
        return draw(text, renderer, *arguments, **named)

    with mock.patch.object(Text, "draw", measured):
        picture.svg("extents")
    return found


def misplaced(picture):
    """The pairs of texts that lie on each other, and the texts that reach beyond the picture."""
    texts = of(picture)
    width, height = picture.figure.get_size_inches() * 72
    pairs = [(one, other) for (one, box), (other, around) in itertools.combinations(texts, 2) if _overlap(box, around)]
    return pairs + [text for text, box in texts if box.x0 < 0 or box.y0 < 0 or box.x1 > width or box.y1 > height]


def _overlap(one, other):
    both = Bbox.intersection(one, other)
    return both is not None and both.width > 0 and both.height > 0
