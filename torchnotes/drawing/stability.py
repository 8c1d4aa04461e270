"""What BCEWithLogitsLoss and a sigmoid with BCELoss give far from zero: values, not times."""

from __future__ import annotations

from dataclasses import dataclass

from torchnotes.drawing.palette import BLUE, ORANGE, PALE_ORANGE
from torchnotes.drawing.sheet import Sheet
from torchnotes.drawing.words import listed, number

LOOKS = {
    "with logits": {"color": BLUE, "lw": 4.5, "alpha": 0.45, "label": "BCEWithLogitsLoss"},
    "sigmoid, BCELoss": {"color": ORANGE, "lw": 1.6, "ls": "--", "label": "sigmoid, then BCELoss"},
}


@dataclass(frozen=True)
class Stability:
    caption: str
    targets: dict
    """For each target what was found of each form: logits, values and gradients."""

    @classmethod
    def read(cls, bench, device):
        found = {
            (row.entry, row.about["target"]): row.about
            for row in bench.rows
            if row.device == device and {"entry", "target", "logits", "values", "gradients"} <= row.about.keys()
        }
        targets = {
            target: {form: found[form, target] for form in LOOKS} for target in sorted({each for _, each in found})
        }
        return cls(bench.caption(device), targets) if targets else None

    def lost(self, target):
        """The logit nearest to 0 at which less than half of the gradient is left, where there should be much of it."""
        stable, naive = self.targets[target].values()
        pairs = zip(stable["logits"], stable["gradients"], naive["gradients"], strict=True)
        lost = [logit for logit, right, found in pairs if abs(right) > 0.5 and abs(found) < abs(right) / 2]
        return min(lost, key=abs, default=None)

    @property
    def title(self):
        where = [f"{self.lost(target):g} for target {target}" for target in self.targets if self.lost(target)]
        if not where:
            return "A sigmoid and BCELoss give the gradient that BCEWithLogitsLoss gives, at every logit that was tried"
        return (
            "A model that is sure and wrong learns nothing from a sigmoid and BCELoss: the gradient is lost from a "
            f"logit of {listed(where)} on; BCEWithLogitsLoss keeps it"
        )

    @property
    def sentences(self):
        for target, forms in self.targets.items():
            for form, about in forms.items():
                for at in range(0, len(about["logits"]), 20):
                    yield (
                        f"Target {target}, logit {about['logits'][at]}: {LOOKS[form]['label']} gives a loss of "
                        f"{number(about['values'][at], 3)} and a gradient of {number(about['gradients'][at], 3)}."
                    )

    def figure(self):
        sheet = Sheet(
            self.title,
            "Loss of one example in float32, and its gradient with respect to the logit. Shaded: where less than half "
            "of the gradient is left. These are values, not times.",
            self.caption,
            panels=(2, len(self.targets)),
            height=2.1,
            legend=True,
            gaps=(0.45, 0.3),
            sharex=True,
            sharey="row",
        )
        for (loss, gradient), (target, forms) in zip(sheet.axes.T, self.targets.items(), strict=True):
            for form, about in forms.items():
                loss.plot(about["logits"], about["values"], **LOOKS[form])
                gradient.plot(about["logits"], [abs(value) for value in about["gradients"]], **LOOKS[form])
            ends, lost = (min(about["logits"]), max(about["logits"])), self.lost(target)
            for axes in (loss, gradient):
                axes.set_xlim(ends)
                if lost is not None:
                    axes.axvspan(lost, ends[lost > 0], color=PALE_ORANGE, lw=0, zorder=0.5)
            side = "right" if target == 0 else "left"
            loss.set_title(f"loss with target {target}: the model is wrong on the {side}")
            gradient.set_title(f"size of the gradient with target {target}")
            gradient.set_xlabel("logit")
        sheet.legend(sheet.axes[0, 0])
        return sheet.figure
