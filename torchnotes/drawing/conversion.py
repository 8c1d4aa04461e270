"""What it costs to make a tensor of an array, by size."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from torchnotes.drawing.palette import BLUE, ORANGE, PINK
from torchnotes.drawing.sheet import Sheet, label, line, log_axis
from torchnotes.drawing.words import amount, number, seconds
from torchnotes.measuring import timing

WAYS = {"tensor": (ORANGE, "s"), "as_tensor": (PINK, "^"), "from_numpy": (BLUE, "o")}


@dataclass(frozen=True)
class Conversion:
    caption: str
    ways: dict

    @classmethod
    def read(cls, bench, device):
        ways = defaultdict(list)
        for row in bench.rows:
            if (row.test, row.device) == ("array to tensor", device) and row.parameters in WAYS:
                ways[row.parameters].append(row)
        if not {"from_numpy", "tensor"} <= ways.keys():
            return None
        return cls(bench.caption(device), {way: sorted(rows, key=lambda row: row.entry) for way, rows in ways.items()})

    @property
    def title(self):
        shared, copied = self.ways["from_numpy"], self.ways["tensor"]
        return (
            f"{amount(shared[-1].entry)} numbers instead of {amount(shared[0].entry)} take from_numpy "
            f"{longer(shared[-1].median / shared[0].median)}, for it copies none, and torch.tensor "
            f"{longer(copied[-1].median / copied[0].median)}"
        )

    @property
    def sentences(self):
        for way, rows in self.ways.items():
            yield f"{way}: " + ", ".join(f"{amount(row.entry)} numbers in {seconds(row.median)}" for row in rows) + "."

    def figure(self):
        sheet = Sheet(
            self.title,
            "Time to make a tensor of a NumPy array. Median of the rounds, with the interquartile range as a band.",
            self.caption,
            height=3.6,
            right=1.4,
        )
        (axes,) = sheet.axes.flat
        for way, rows in self.ways.items():
            color, marker = WAYS[way]
            line(axes, [row.entry for row in rows], rows, color=color, marker=marker)
        axes.set(xscale="log", yscale="log", xlabel="numbers in the array", title="time")
        log_axis(axes.xaxis, amount)
        log_axis(axes.yaxis, seconds)
        ends = [(way, (rows[-1].entry, rows[-1].median), WAYS[way][0]) for way, rows in self.ways.items()]
        label(axes, ends, (8, 0))
        return sheet.figure


def longer(times):
    """`3.4 times as long`, in words; `as long` where it is too close to call."""
    if abs(times - 1) <= timing.MARGIN:
        return "as long"
    return f"{number(times, 3 if times < 10 else 2)} times as long"
