"""Loss and gradient by logit, of each of two forms, for each target."""

from __future__ import annotations

import math
from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from torchnotes.drawing import views
from torchnotes.drawing.canvas import CODE, WIDTH, width_of
from torchnotes.drawing.palette import BLUE, GREY, ORANGE
from torchnotes.drawing.views import Nonsense, View
from torchnotes.drawing.words import listed, said

HEIGHT = 4.1
LOOKS = ({"color": BLUE, "lw": 4.5, "alpha": 0.45}, {"color": ORANGE, "lw": 1.6, "ls": "--"})


@dataclass(frozen=True)
class Panel:
    """Two forms of one loss, each a pair of a loss and a gradient, over the same numbers."""

    x: View
    settings: str
    forms: dict

    def __post_init__(self):
        if len(self.forms) != 2 or any(len(pair) != 2 for pair in self.forms.values()):
            raise Nonsense("it takes one tensor to go by, and two pairs of a loss and a gradient")
        if any(len(view.values) != len(self.x.values) for pair in self.forms.values() for view in pair):
            raise Nonsense("the curves are not of one length")
        if len(self.x.values) < 2 or not all(map(math.isfinite, self.x.numbers)):
            raise Nonsense(f"{self.x.name} is nothing to go by")

    @property
    def what(self):
        """What one of the numbers is called: a logit of the logits."""
        return self.x.name.rstrip("s")

    @property
    def apart(self):
        """Where the gradients differ by more than a half."""
        (_, stable), (_, naive) = self.forms.values()
        gradients = zip(self.x.numbers, stable.numbers, naive.numbers, strict=True)
        return [at for at, one, other in gradients if abs(one - other) > 0.5]


@dataclass(frozen=True)
class Curves:
    panels: list

    @classmethod
    def read(cls, cases):
        found = []
        for values in cases:
            x, *rest = views.of(values)
            if rest:
                raise Nonsense("it takes one tensor to go by, and two pairs of a loss and a gradient")
            pairs = {
                name: [View(name, each) for each in pair] for name, pair in values.items() if isinstance(pair, list)
            }
            found.append(Panel(x, ", ".join(setting.replace(" = ", " ") for setting in views.settings(values)), pairs))
        names = sum(width_of(name, 9, **CODE) for name in found[0].forms)
        return cls(found) if len(found) <= 2 and names <= WIDTH - 1.6 else None

    @property
    def title(self):
        first, second = self.panels[0].forms
        lost = [
            f"from a {panel.what} of {said(min(panel.apart, key=abs))} on"
            + (f" for {panel.settings}" if panel.settings else "")
            for panel in self.panels
            if panel.apart
        ]
        if not lost:
            return f"`{second}` has the gradient that `{first}` has, everywhere"
        return f"`{second}` loses the gradient that `{first}` keeps, {listed(lost)}"

    @property
    def sentences(self):
        for panel in self.panels:
            if panel.apart:
                nearest, farthest = (said(pick(panel.apart, key=abs)) for pick in (min, max))
                yield f"{panel.settings}: the gradients differ by more than a half from {nearest} to {farthest}."
            for at in range(0, len(panel.x.values), max(1, len(panel.x.values) // 5)):
                found = [
                    f"{name} loss {said(loss.values[at])}, gradient {said(gradient.values[at])}"
                    for name, (loss, gradient) in panel.forms.items()
                ]
                yield f"{panel.settings}, {panel.what} {said(panel.x.values[at])}: {', '.join(found)}."

    def figure(self):
        figure = Figure(figsize=(WIDTH, HEIGHT))
        figure.subplots_adjust(
            left=0.5 / WIDTH,
            right=1 - 0.08 / WIDTH,
            top=1 - 0.55 / HEIGHT,
            bottom=0.62 / HEIGHT,
            hspace=0.28,
            wspace=0.14,
        )
        all_axes = figure.subplots(2, len(self.panels), squeeze=False, sharex=True, sharey="row")
        for panel, column in zip(self.panels, all_axes.T, strict=True):
            for which, (axes, what) in enumerate(zip(column, ("loss", "gradient"), strict=True)):
                _draw(axes, panel, which)
                title = f"{what}, {panel.settings}" if panel.settings else what
                axes.set_title(title, size=9.5 * min(1, 4 / len(self.panels) / width_of(title, 9.5)))
            axes.set_xlabel(panel.what)
        figure.legend(
            all_axes[0, 0].get_lines(),
            list(self.panels[0].forms),
            loc="upper left",
            bbox_to_anchor=(0.42 / WIDTH, 1),
            ncols=2,
            prop={**CODE, "size": 9},
            borderpad=0.2,
        )
        if any(panel.apart for panel in self.panels):
            shaded = "Shaded: the gradients differ by more than a half."
            figure.text(0.05 / WIDTH, 0.02, shaded, size=8.5, color=GREY)
        return figure


def _draw(axes, panel, which):
    for pair, look in zip(panel.forms.values(), LOOKS, strict=True):
        axes.plot(panel.x.numbers, pair[which].numbers, **look)
    if panel.apart:
        axes.axvspan(min(panel.apart), max(panel.apart), color=ORANGE, alpha=0.1, lw=0, zorder=0.5)
    axes.set_xlim(min(panel.x.numbers), max(panel.x.numbers))
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.tick_params(length=0, labelsize=8.5)
