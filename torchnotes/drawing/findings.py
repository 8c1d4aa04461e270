"""Each finding about a ratio as a dot with its interval, beside what the claim allows."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from matplotlib.ticker import NullLocator

from torchnotes.drawing import palette
from torchnotes.drawing.palette import DEEP_BLUE, GREEN, GREY, ORANGE, PALE_BLUE, PAPER
from torchnotes.drawing.sheet import Sheet, fixed_axis
from torchnotes.measuring import timing
from torchnotes.measuring.bench import interval

LOOKS = {
    timing.HOLDS: ("o", GREEN, GREEN),
    timing.FALSE: ("D", ORANGE, ORANGE),
    timing.OPEN: ("s", GREY, PAPER),
}
"""How the dot of a finding looks: marker, colour, filling."""

SHOWN = (0.04, 25)
"""What the axis of ratios shows; what lies outside is an arrow at its edge, and its number stands beside it."""


@dataclass(frozen=True)
class Findings:
    device: str
    caption: str
    of_verdict: dict

    @classmethod
    def read(cls, bench, device):
        found = bench.findings(device, "ratio")
        of_verdict = {verdict: [each for each in found if each["verdict"] == verdict] for verdict in LOOKS}
        return cls(device, bench.caption(device), of_verdict) if found else None

    @property
    def title(self):
        hold, fail, unclear = map(len, self.of_verdict.values())
        return (
            f"{hold + fail + unclear} claims about {self.device}: {hold} hold here, {fail} do not, "
            f"{unclear} are too close to call"
        )

    @property
    def sentences(self):
        for verdict, some in self.of_verdict.items():
            for each in some:
                yield f"{each['found']}, 95 % interval {interval(each)}: {verdict}."

    def figure(self):
        rows = []
        for verdict, some in self.of_verdict.items():
            rows += [(verdict, 0.4)] * bool(some)
            rows += [(each, 0.1 + 0.15 * len(_wrapped(each))) for each in some]
        height = sum(inches for _, inches in rows) + 0.05
        sheet = Sheet(
            self.title,
            "Dot: the number of the sentence, the median of the rounds. Line: its 95 % interval. "
            f"Shaded: what the claim allows; the dark edge, {100 * timing.MARGIN:.0f} % either way, is too close to "
            "call.",
            self.caption,
            height=height,
            left=3.95,
            right=2.05,
        )
        (axes,) = sheet.axes.flat
        axes.set(xscale="log", xlim=SHOWN, ylim=(height, 0), xlabel="times (logarithmic)")
        axes.spines[["left", "right"]].set_visible(False)
        axes.yaxis.set_major_locator(NullLocator())
        fixed_axis(axes.xaxis, [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20])
        axes.tick_params(top=True, labeltop=True)
        axes.axvline(1, color=GREY, lw=0.8)
        y = 0
        for row, inches in rows:
            middle, y = y + inches / 2, y + inches
            if isinstance(row, str):
                self._heading(sheet, axes, row, middle + 0.05)
            else:
                _dot(axes, row, middle, inches)
                _beside(sheet, axes, -3.88, middle, "\n".join(_wrapped(row)))
                _beside(sheet, axes, sheet.width + 0.12, middle, interval(row))
        return sheet.figure

    def _heading(self, sheet, axes, verdict, y):
        marker, edge, face = LOOKS[verdict]
        axes.plot(-3.8, y, marker, mec=edge, mfc=face, ms=6.5, clip_on=False, transform=sheet.beside(axes))
        text = f"{verdict}: {len(self.of_verdict[verdict])}"
        _beside(sheet, axes, -3.68, y, text, color=palette.of_words(edge), weight="bold", size=9.5)


def _wrapped(finding):
    return textwrap.wrap(finding["found"].replace("`", ""), 64)


def _beside(sheet, axes, inches, y, text, **look):
    """Text at so many inches from the left edge of the axes."""
    axes.text(inches, y, text, transform=sheet.beside(axes), va="center", **{"size": 8, "linespacing": 1.25, **look})


def _dot(axes, finding, y, inches):
    marker, edge, face = LOOKS[finding["verdict"]]
    thick = inches - 0.04
    limit = finding.get("at_most") or finding["at_least"]
    near, far = (_shown(limit * (1 + side * timing.MARGIN)) for side in (-1, 1))
    start, end = (SHOWN[0], near) if "at_most" in finding else (far, SHOWN[1])
    axes.barh(y, end - start, thick, start, color=PALE_BLUE, lw=0, zorder=0.6)
    axes.barh(y, far - near, thick, near, color=DEEP_BLUE, lw=0, zorder=0.7)
    low, middle, high = (_shown(finding[name]) for name in ("low", "ratio", "high"))
    axes.plot([low, high], [y, y], color=edge, lw=1.6, solid_capstyle="butt")
    marker = {SHOWN[0]: "<", SHOWN[1]: ">"}.get(middle, marker)
    axes.plot(middle, y, marker, mec=edge, mfc=face, ms=5.5, mew=1.3, clip_on=False)


def _shown(value):
    return min(max(value, SHOWN[0]), SHOWN[1])
