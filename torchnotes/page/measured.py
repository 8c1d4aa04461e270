"""What the benchmarks measured, section by section: findings in words, and pictures."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from torchnotes.measuring import timing

SECTION_OF_PICTURE = {"batch-size": "11", "alignment": "12", "roofline": "12", "conversion": "03", "stability": "08"}


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


def measurements(benches):
    """What several measurements found, one after the other."""
    # Here, because a page without measurements need not wait for the plotting library.
    from torchnotes.drawing import measured
    from torchnotes.measuring.bench import interval

    captions, found, drawn = [], [], []
    for number, bench in enumerate(benches):
        sections = {entry["group"]: entry["extra_info"].get("section", "") for entry in bench.document["benchmarks"]}
        captions += [bench.caption(device) for device in bench.devices]
        for device in bench.devices:
            for kind in ("ratio", "knee", "floor"):
                for each in bench.findings(device, kind):
                    figure = interval(each) if kind == "ratio" else _knee(each)
                    found.append((sections[each["group"]], Finding(each["found"], each["verdict"], figure, device)))
        for name, picture in measured.drawn(bench):
            if name.startswith("findings"):
                continue  # the sum of all, which the sentences beside it say in words: a page is to stay light
            kind = next((kind for kind in SECTION_OF_PICTURE if name.startswith(kind)), "")
            unique = f"{name}-{number}" if number else name
            drawn.append(part_of_page(unique, picture, SECTION_OF_PICTURE.get(kind, "")))
    return Measured(captions, drawn, found)


def part_of_page(name, picture, section=""):
    """A picture of torchnotes/drawing as the page shows it; no other may have this name."""
    return Picture(name, picture.title, Markup(picture.part(name)), section)


def _knee(finding):
    if not finding["reached"]:
        return "not reached for certain"
    low, high = finding["low"], finding["high"]
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"
