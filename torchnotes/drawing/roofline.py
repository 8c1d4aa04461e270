"""Work per byte against operations a second, under what the device can do at most: the roofline, as it was measured."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from torchnotes.drawing.palette import BLUE, GREEN, GREY, ORANGE, PINK
from torchnotes.drawing.sheet import Sheet, label, log_axis
from torchnotes.drawing.words import amount, number
from torchnotes.measuring import timing

LOOKS = ((BLUE, "o"), (ORANGE, "s"), (GREEN, "^"), (PINK, "D"), (GREY, "v"))


@dataclass(frozen=True)
class Point:
    """One alternative whose work is known."""

    row: object

    @property
    def dtype(self):
        return self.row.about["limit_of"]

    @property
    def x(self):
        return self.row.about["operations"] / self.row.about["bytes"]

    @property
    def y(self):
        return self.row.about["operations"] / self.row.median

    @property
    def peak(self):
        return self.row.about["operations_a_second_at_most"]

    @property
    def bandwidth(self):
        return self.row.about["bytes_a_second_at_most"]

    @property
    def share(self):
        return self.row.about["share_of_limit"]


@dataclass(frozen=True)
class Roofline:
    device: str
    caption: str
    points: list

    @classmethod
    def read(cls, bench, device):
        points = [Point(row) for row in bench.rows if row.device == device and row.about.get("operations")]
        return cls(device, bench.caption(device), points) if points else None

    @property
    def best(self):
        """Of each test the point that comes closest to its limit, the closest first."""
        of_test = defaultdict(list)
        for point in self.points:
            of_test[point.row.test].append(point)
        found = [max(points, key=lambda point: point.share) for points in of_test.values()]
        return sorted(found, key=lambda point: point.share, reverse=True)

    @property
    def title(self):
        first, *_, last = [self.best[0], *self.best]
        closest = f"The closest to what {self.device} can do at most: {first.row.test}, {timing.percent(first.share)}"
        if first is last:
            return closest
        return f"{closest}; the furthest from it: {last.row.test}, {timing.percent(last.share)} at best"

    @property
    def sentences(self):
        for point in self.points:
            row = point.row
            yield (
                f"{row.group}, {row.entry}: {number(point.x)} operations a byte, {amount(point.y)} operations a "
                f"second, {timing.percent(point.share)} of the limit for {point.dtype}."
            )

    def figure(self):
        sheet = Sheet(
            self.title,
            "Dot: operations a second, the median of the rounds; the best of each benchmark has its name. Line: what "
            "the device does at most, of arithmetic in a large product and of bytes in a large copy, measured in the "
            "same run. What a cache holds may lie above the slope.",
            self.caption,
            height=4.2,
            left=1.05,
            right=1.9,
            legend=True,
        )
        (axes,) = sheet.axes.flat
        looks = dict(zip(dict.fromkeys(point.dtype for point in self.points), LOOKS, strict=False))
        ends = min(point.x for point in self.points) / 2, 2 * max(point.x for point in self.points)
        for dtype, (color, marker) in looks.items():
            some = [point for point in self.points if point.dtype == dtype]
            roof = some[0]
            edge = min(max(roof.peak / roof.bandwidth, ends[0]), ends[1])
            places = sorted({ends[0], edge, ends[1]})
            axes.plot(places, [min(roof.peak, place * roof.bandwidth) for place in places], color=color, lw=1.2)
            axes.plot([p.x for p in some], [p.y for p in some], marker, color=color, ms=4.5, alpha=0.7, label=dtype)
        axes.set(xscale="log", yscale="log", xlim=ends, xlabel="operations a byte", title="operations a second")
        log_axis(axes.xaxis, lambda value: number(value, 2))
        log_axis(axes.yaxis, amount)
        names = [(point.row.test, (point.x, point.y), looks[point.dtype][0]) for point in self.best]
        label(axes, names, (8, 0))
        sheet.legend(axes)
        return sheet.figure
