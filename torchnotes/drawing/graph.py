"""What autograd recorded in each call: nodes in layers, from the leaves on the left to the result on the right."""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property

from matplotlib.patches import FancyArrowPatch
from matplotlib.path import Path

from torchnotes.drawing import views
from torchnotes.drawing.canvas import WIDTH, Canvas
from torchnotes.drawing.palette import BLUE, GREEN, GREY
from torchnotes.drawing.views import Nonsense, View
from torchnotes.drawing.words import listed, said

ROW = 0.42


@dataclass(frozen=True)
class Call:
    """One call of a function: its result, with the graph behind it, and all values of the case."""

    values: dict
    view: View

    def __post_init__(self):
        if any(place >= len(self.nodes) for edge in self.edges for place in edge):
            raise Nonsense("an edge leads to a node that is not there")
        if self.longest is None:
            raise Nonsense("its graph goes in a circle")

    @property
    def nodes(self):
        return self.view.about["graph"]["nodes"]

    @property
    def edges(self):
        return self.view.about["graph"]["edges"]

    @cached_property
    def longest(self):
        """How far each node is from the first, by the longest way; None where there is a circle."""
        depth = [0] * len(self.nodes)
        for _ in self.nodes:
            for start, end in self.edges:
                depth[end] = max(depth[end], depth[start] + 1)
        goes_on = all(depth[end] > depth[start] for start, end in self.edges) and max(depth) < len(self.nodes)
        return depth if goes_on else None

    @cached_property
    def layout(self):
        """The nodes by their distance from the first, ordered so that few edges cross; and the ways.

        Leaves stand in one layer, the last. A way is an edge with a place, a tuple, in each layer that it passes.
        """
        last, inner = max(self.longest), {start for start, _ in self.edges}
        depth = [deep if at in inner else last for at, deep in enumerate(self.longest)]
        ways = [
            [start, *((start, end, at) for at in range(depth[start] + 1, depth[end])), end] for start, end in self.edges
        ]
        layers = [[] for _ in range(last + 1)]
        for at, deep in enumerate(depth):
            layers[deep].append(at)
        for item in dict.fromkeys(item for way in ways for item in way[1:-1]):
            layers[item[2]].append(item)
        for before, layer in itertools.pairwise(layers):
            above = defaultdict(list)
            for way in ways:
                for start, end in itertools.pairwise(way):
                    if start in before:
                        above[end].append(before.index(start))
            layer.sort(key=lambda item, above=above: sum(above[item]) / max(1, len(above[item])))
        return layers, ways

    @property
    def leaves(self):
        return [name for name in dict.fromkeys(node.get("leaf") for node in self.nodes) if name in self.values]

    @property
    def given(self):
        return ", ".join(f"{name} = {_value(self.values[name])}" for name in self.leaves)

    @property
    def result(self):
        return f"{self.view.name} = {_value(self.view.about)}"

    @property
    def slopes(self):
        of_leaves = [(name, self.values[name]) for name in self.leaves]
        return ", ".join(f"{name}.grad = {_value(about, 'grad')}" for name, about in of_leaves if "grad" in about)


@dataclass(frozen=True)
class Graph:
    calls: list

    @classmethod
    def read(cls, cases):
        calls = [Call(values, view) for values in cases for view in views.of(values) if "graph" in view.about]
        if not calls:
            raise Nonsense("no tensor in it has a graph")
        widest = max(len(layer) for call in calls for layer in call.layout[0])
        fits = max(max(call.longest) for call in calls) <= 8 and widest <= 6 and len(calls) <= 6
        return cls(calls) if fits else None

    @property
    def title(self):
        first, *others = self.calls
        if others:
            counted = [f"{len(first.nodes)} nodes for {first.given}"]
            counted += [f"{len(call.nodes)} for {call.given}" for call in others]
            return f"One function, another graph for each call: behind `{first.view.name}` are {listed(counted)}"
        into = {
            node["leaf"]: sum(end == at for _, end in first.edges)
            for at, node in enumerate(first.nodes)
            if "leaf" in node
        }
        ends = listed([f"`{name}` on {count} edge{'s' * (count != 1)}" for name, count in into.items()])
        return (
            f"Behind `{first.view.name}` is a graph of {len(first.nodes)} nodes; `backward` reaches {ends}, and adds up"
        )

    @property
    def sentences(self):
        for call in self.calls:
            edges = [f"{call.nodes[start]['name']} to {call.nodes[end]['name']}" for start, end in call.edges]
            yield f"{call.given} gives {call.result}: {'; '.join(edges)}. {call.slopes}."

    def figure(self):
        canvas, y = Canvas(), 0.0
        step = min(1.15, (WIDTH - 0.85) / max(1, *(max(call.longest) for call in self.calls)))
        for call in self.calls:
            y = _draw(canvas, y, call, step)
        canvas.text(0.05, y, "Arrows: the way that backward goes.", size=8.5, color=GREY)
        return canvas.cut(y + 0.14)


def _draw(canvas, y, call, step):
    """One call: what it was given and gives, its graph, and the gradients; returns how far down it reaches."""
    canvas.code(0.05, y + 0.12, f"{call.given} \N{RIGHTWARDS ARROW} {call.result}", within=WIDTH - 0.1)
    layers, ways = call.layout
    box, top, tall = min(0.62, step - 0.18), y + 0.34, max(map(len, layers))
    place = {}
    for at, layer in enumerate(layers):
        x = 0.05 + box / 2 + (len(layers) - 1 - at) * step
        for order, item in enumerate(layer):
            place[item] = x, top + ROW * (order + 0.5 + (tall - len(layer)) / 2)
    doubled = defaultdict(int)
    for way in ways:
        count = ways.count(way)
        shift = 0.0 if count == 1 else 0.16 * (doubled[tuple(way)] / (count - 1) - 0.5)
        doubled[tuple(way)] += 1
        _arrow(canvas, [place[item] for item in way], box / 2, shift)
    for at, node in enumerate(call.nodes):
        x, middle = place[at]
        leaf = node["name"].endswith("AccumulateGrad")
        label = node.get("leaf", "leaf") if leaf else re.sub(r"Backward\d*$", "", node["name"]).lower()
        look = {"weight": "bold"} if leaf else {}
        canvas.box(x - box / 2, middle - 0.13, box, 0.26, GREEN if leaf else BLUE, 0.2, label, 0.08, size=8.5, **look)
    x, middle = place[0]
    beside = x + box / 2 + 0.07
    canvas.code(beside, middle + 0.01, call.view.name, weight="bold", within=WIDTH - 0.05 - beside)
    y = top + ROW * tall + 0.02
    if call.slopes:
        canvas.code(0.05, y + 0.06, call.slopes, size=8.5, within=WIDTH - 0.1)
        y += 0.2
    return y + 0.2


def _value(about, what="values"):
    return said(about[what][0] if not about["shape"] and about[what] else about[what])


def _arrow(canvas, points, half, shift):
    """A curve through the points, level at each of them, from the left edge of a box to the right edge of another."""
    (first_x, first_y), *_, (last_x, last_y) = points
    stops = [(first_x - half, first_y + shift), *points[1:-1], (last_x + half + 0.02, last_y + shift)]
    path, codes = [stops[0]], [Path.MOVETO]
    for (x, y), (next_x, next_y) in itertools.pairwise(stops):
        middle = (x + next_x) / 2
        path += [(middle, y), (middle, next_y), (next_x, next_y)]
        codes += [Path.CURVE4] * 3
    canvas.add(FancyArrowPatch(path=Path(path, codes), arrowstyle="-|>", mutation_scale=7, lw=1.1, color=GREY))
