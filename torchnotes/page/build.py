"""Pictures as parts of a page."""

from __future__ import annotations

import re

from markupsafe import Markup

COLOURS = {
    "#ffffff": "card",
    "#000000": "ink",
    "#595959": "muted",
    "#e3e3e3": "line",
    "#0072b2": "blue",
    "#d55e00": "orange",
    "#009e73": "green",
    "#cc79a7": "pink",
    "#a34700": "orange-word",
    "#00694c": "green-word",
    "#96437a": "pink-word",
    "#fbe9df": "tint-orange",
    "#e6edf5": "tint-blue",
    "#aebfd2": "shade-blue",
}
"""Colours of torchnotes/drawing/measured.py, and what they are in style.css, light or dark."""


def for_the_page(svg, name):
    """A picture as a part of a page: no prolog, no style of its own, ids no other has, colours the page may change."""
    svg = svg[svg.index("<svg ") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<style[^>]*>.*?</style>|<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = svg.replace("xlink:href=", "href=")
    used = dict.fromkeys(re.findall(r'(?:url\(|href=")#([^)"]+)', svg))
    short = {identifier: f"{name}-{number}" for number, identifier in enumerate(used)}  # matplotlib's differ by Python

    def identified(found):
        if found[1] in short:
            return f' id="{short[found[1]]}"'
        return found[0] if found[1].startswith(f"{name}-") else ""

    svg = re.sub(r' id="([^"]+)"', identified, svg)
    svg = re.sub(r'(url\(#|href="#)([^)"]+)', lambda found: found[1] + short[found[2]], svg)
    svg = re.sub(r'(<svg [^>]*?) (?:height="[^"]*")([^>]*?) (?:width="[^"]*")', r"\1\2", svg, count=1)
    svg = re.sub(r' (?:xmlns(?::\w+)?|version)="[^"]*"', "", svg)
    svg = re.sub(r"font-family: 'DejaVu Sans',[^;\"]*;? ?", "", svg)
    svg = re.sub(r"font-family: 'DejaVu Sans Mono',[^;\"]*", "font-family: var(--mono)", svg)
    for colour, name_of_it in COLOURS.items():
        svg = re.sub(rf": ?{colour}\b", f":var(--{name_of_it})", svg)
    return Markup(re.sub(r"\n\s*", "\n", svg))
