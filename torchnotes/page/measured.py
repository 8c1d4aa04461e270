"""What the benchmarks measured, section by section: findings in words, and pictures."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from torchnotes.measuring import timing

SECTION_OF_PICTURE = {"batch-size": "11", "alignment": "12", "conversion": "03", "stability": "08"}


@dataclass
class Finding:
    claim: str
    verdict: str
    figure: str
    device: str

    @property
    def code(self):
        return {timing.HOLDS: "h", timing.FALSE: "f", timing.OPEN: "u"}[self.verdict]


@dataclass
class Picture:
    name: str
    title: str
    svg: Markup
    section: str = ""


@dataclass
class Measured:
    captions: list
    pictures: list
    findings: list
    """Pairs of a section's number and a finding."""


def measurements(bench):
    # Here, because a page without measurements need not wait for the plotting library.
    from torchnotes.drawing import measured
    from torchnotes.measuring.bench import interval

    sections = {entry["group"]: entry["extra_info"].get("section", "") for entry in bench.document["benchmarks"]}
    found, drawn = [], []
    for device in bench.devices:
        for kind in ("ratio", "knee"):
            for each in bench.findings(device, kind):
                figure = interval(each) if kind == "ratio" else _knee(each)
                found.append((sections[each["group"]], Finding(each["found"], each["verdict"], figure, device)))
    for name, picture in measured.drawn(bench):
        kind = next((kind for kind in SECTION_OF_PICTURE if name.startswith(kind)), "")
        drawn.append(part_of_page(name, picture, SECTION_OF_PICTURE.get(kind, "")))
    drawn.sort(key=lambda picture: not picture.section)  # what is about one thing comes before the sum of all
    return Measured([bench.caption(device) for device in bench.devices], drawn, found)


def part_of_page(name, picture, section=""):
    """A picture of torchnotes/drawing as the page shows it; no other may have this name."""
    return Picture(name, picture.title, Markup(picture.part(name)), section)


def _knee(finding):
    if not finding["reached"]:
        return "not reached for certain"
    low, high = finding["low"], finding["high"]
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"
