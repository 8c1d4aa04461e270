"""Samples a second and time a step by batch size, with knee and floor: of the races that a knee was looked for in."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torchnotes.drawing.palette import BLUE, GREEN, ORANGE, PINK
from torchnotes.drawing.sheet import Sheet, fixed_axis, label, line, log_axis
from torchnotes.drawing.words import amount, number, seconds

LINES = ((BLUE, "o"), (ORANGE, "s"), (GREEN, "^"), (PINK, "D"))


@dataclass(frozen=True)
class Sweep:
    """One race between batch sizes, the knee that was found in it, and the floor, which older files do not have."""

    rows: list
    knee: dict
    floor: dict | None = None

    @property
    def test(self):
        return self.rows[0].test

    @property
    def model(self):
        return self.rows[0].parameters

    @property
    def sizes(self):
        return [row.entry for row in self.rows]

    @property
    def rings(self):
        """The places of the sizes one of which is the knee; none where it was not reached for certain."""
        low, high = self.knee["low"], self.knee["high"]
        return [at for at, size in enumerate(self.sizes) if low <= size <= high] if self.knee["reached"] else []


@dataclass(frozen=True)
class Sizes:
    device: str
    caption: str
    sweeps: list

    @classmethod
    def read(cls, bench, device):
        floors = {floor["group"]: floor for floor in bench.findings(device, "floor")}
        sweeps = [
            Sweep(sorted(bench.race(knee["group"]), key=lambda row: row.entry), knee, floors.get(knee["group"]))
            for knee in bench.findings(device, "knee")
        ]
        return cls(device, bench.caption(device), sweeps) if sweeps else None

    @property
    def title(self):
        knees = [sweep.knee for sweep in self.sweeps]
        least, most = (
            f"{knee['knee']:,}{'' if knee['reached'] else ' or more'}"
            for knee in (pick(knees, key=lambda each: each["knee"]) for pick in (min, max))
        )
        if least == most:
            return f"Doubling the batch pays up to {least} samples on {self.device}"
        return (
            f"How far doubling the batch pays on {self.device} depends on the model: here up to {least} samples, "
            f"there up to {most}"
        )

    @property
    def sentences(self):
        for sweep in self.sweeps:
            knee, name = sweep.knee, sweep.knee["claim"].partition(":")[0]
            rates = ", ".join(
                f"{row.entry} samples in {seconds(row.median)}, {number(row.entry / row.median)} a second"
                for row in sweep.rows
            )
            if knee["reached"]:
                where = f"the knee is at {knee['knee']:,}, between {knee['low']:,} and {knee['high']:,}"
            else:
                where = f"no knee was reached for certain up to {sweep.sizes[-1]:,}"
            launches = f"; {sweep.floor['found'].partition(': ')[2]}" if sweep.floor else ""
            yield f"{name}: {rates}; {where}{launches}."

    def figure(self):
        tests = list(dict.fromkeys(sweep.test for sweep in self.sweeps))
        models = list(dict.fromkeys(sweep.model for sweep in self.sweeps))
        sheet = Sheet(
            self.title,
            "Median of the rounds, with the interquartile range as a band. Ring: the knee, the last size before a "
            "doubling that gains less than a quarter more samples a second; several rings if it is not certain which, "
            "none if no knee was reached for certain. Bar: so far a step takes about as long as with one sample.",
            self.caption,
            panels=(2, len(tests)),
            height=2.4,
            left=0.95,
            legend=True,
            sharex=True,
            sharey="row",
            gaps=(0.45, 0.3),
        )
        looks = [dict(zip(("color", "marker"), LINES[models.index(sweep.model)], strict=True)) for sweep in self.sweeps]
        for test, column in zip(tests, sheet.axes.T, strict=True):
            some = [(sweep, look) for sweep, look in zip(self.sweeps, looks, strict=True) if sweep.test == test]
            for axes, what, value in zip(column, ("samples a second", "time"), (_rate, _time), strict=True):
                axes.set(xscale="log", yscale="log", title=f"{test}: {what}")
                axes.margins(y=0.16)  # room for the numbers of knees
                lines = [line(axes, sweep.sizes, sweep.rows, value, label=sweep.model, **look) for sweep, look in some]
                for (sweep, look), middle in zip(some, lines, strict=True):
                    for at in sweep.rings:
                        ring = {"ms": 11, "mfc": "none", "mec": look["color"], "mew": 1.4}
                        axes.plot(sweep.sizes[at], middle[at], look["marker"], **ring)
                    if sweep.floor:
                        at = sweep.sizes.index(sweep.floor["floor"])
                        axes.plot(sweep.sizes[at], middle[at], "|", color=look["color"], ms=16, mew=2)
            column[-1].set_xlabel("batch size")
        every = sorted({size for sweep in self.sweeps for size in sweep.sizes})
        for axes in sheet.axes.flat:
            fixed_axis(axes.xaxis, every[:: math.ceil(len(every) / 7)], "{:,.0f}".format)
        log_axis(sheet.axes[0, 0].yaxis, amount)
        log_axis(sheet.axes[1, 0].yaxis, seconds)
        for test, column in zip(tests, sheet.axes.T, strict=True):
            for axes, value in zip(column, (_rate, _time), strict=True):
                label(axes, list(self._knees(test, looks, value)), (9, -12))
        sheet.legend(max(sheet.axes[0], key=lambda axes: len(axes.get_lines())))
        return sheet.figure

    def _knees(self, test, looks, value):
        """What is written beside the rings: the size, where it stands, and its colour."""
        for sweep, look in zip(self.sweeps, looks, strict=True):
            if sweep.test == test and sweep.rings:
                row = sweep.rows[sweep.sizes.index(sweep.knee["knee"])]
                yield f"{row.entry:,}", (row.entry, value(row, row.median)), look["color"]


def _rate(row, taken):
    return row.entry / taken


def _time(row, taken):
    return taken
