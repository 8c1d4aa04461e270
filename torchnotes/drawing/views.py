"""Tensors and arrays as notes leave them in a record: which cells of which memory they look at, and how."""

from __future__ import annotations

import itertools
import math
import re
from collections import defaultdict
from dataclasses import dataclass

from torchnotes.drawing.words import listed, said
from torchnotes.record.values import MOST_NUMBERS


class Nonsense(ValueError):
    """Values that no run can have left."""


@dataclass(frozen=True)
class View:
    """A tensor or array: which cells of which memory it looks at, and how."""

    name: str
    about: dict

    def __post_init__(self):
        if not isinstance(self.about, dict):
            raise Nonsense(f"{self.name} is no tensor")
        if len(self.about["stride"]) != len(self.shape) or not all(0 <= size <= MOST_NUMBERS for size in self.shape):
            raise Nonsense(f"{self.name} has the shape {self.shape} and the strides {self.stride}")
        try:
            self.numbers
        except ValueError:
            raise Nonsense(f"{self.name} holds what is no number") from None
        if math.prod(self.shape) != len(self.values):
            raise Nonsense(f"{self.name} has the shape {self.shape} and {len(self.values)} values")
        places = [place - self.start for _, place in self.elements()]
        if not all(0 <= place < len(self.storage) for place in places):
            raise Nonsense(f"{self.name} reaches beyond its memory")
        if [self.storage[place] for place in places] != self.values:
            raise Nonsense(f"{self.name} has other values than its memory")

    @property
    def shape(self):
        return tuple(self.about["shape"])

    @property
    def stride(self):
        return tuple(self.about["stride"])

    @property
    def values(self):
        return self.about["values"]

    @property
    def storage(self):
        return self.about.get("storage", self.values)

    @property
    def memory(self):
        return self.about["memory"]

    @property
    def dtype(self):
        return self.about["dtype"]

    @property
    def start(self):
        """Where its storage begins in the memory, counted in its own elements."""
        bits = re.search(r"\d{1,3}", self.dtype)
        return self.about["start"] // max(1, int(bits[0]) // 8 if bits else 1)

    def place(self, index):
        return self.start + self.about["offset"] + sum(i * step for i, step in zip(index, self.stride, strict=True))

    def elements(self):
        """Each index with the cell of the memory that it leads to."""
        for index in itertools.product(*map(range, self.shape)):
            yield index, self.place(index)

    @property
    def numbers(self):
        return [float(value) for value in self.values]


def of(values):
    """The tensors and arrays among some values, which have names. Raises `Nonsense` where one contradicts itself."""
    return [View(name, about) for name, about in values.items() if isinstance(about, dict)]


def memories(views):
    """Views by the memory they look at, and what lies there, cell by cell; None where that cannot be drawn as cells."""
    groups = defaultdict(list)
    for view in views:
        groups[view.memory].append(view)
    found = []
    for group in groups.values():
        if len({view.dtype for view in group}) > 1:
            return None
        cells = {view.start + at: value for view in group for at, value in enumerate(view.storage)}
        if max(cells, default=0) > MOST_NUMBERS:
            return None
        found.append((group, [cells.get(place, "") for place in range(max(cells, default=-1) + 1)]))
    return found


def names(views):
    return listed([f"`{view.name}`" for view in views])


def settings(values):
    """The values that are no tensors: `p = 0.5`."""
    return [f"{name} = {said(value)}" for name, value in values.items() if not isinstance(value, (dict, list))]
