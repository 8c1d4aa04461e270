"""A figure as SVG: the tree that matplotlib wrote, without what nobody needs, as a file or as a part of the page.

Only attributes are changed, and no text: what a claim or a name says is drawn as it is.
"""

from __future__ import annotations

import io
import re
from xml.etree import ElementTree

from torchnotes.drawing import palette

SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
NO_XML = dict.fromkeys([*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF])
"""Characters that XML has no way to write."""


def tree(figure, name, title, words):
    """The root of the figure's SVG, with a title, and words for whoever cannot see it.

    It is the same for the same data, whatever the release of Python: no date, and identifiers from `name` alone.
    """
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    root = ElementTree.fromstring(stream.getvalue().translate(NO_XML))
    for element in root.iter():
        element.tag = element.tag.removeprefix(f"{{{SVG}}}")
        if link := element.attrib.pop(f"{{{XLINK}}}href", None):
            element.set("href", link)
    del root.attrib["version"]
    _leave_out(root, lambda element: element.tag in ("metadata", "style") or _is_invisible(element))
    _identify(root, name)
    _shorten(root)
    _flatten(root)
    root.attrib |= {"role": "img", "aria-labelledby": f"{name}-title {name}-words", "style": "stroke-linejoin: round"}
    for place, (tag, what, text) in enumerate((("title", "title", title), ("desc", "words", words))):
        root.insert(place, ElementTree.Element(tag, {"id": f"{name}-{what}"}))
        root[place].text = text.translate(NO_XML)
    return root


def as_file(root):
    root.set("xmlns", SVG)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{_text(root)}\n'


def as_part(root):
    """For the page, which says how wide a picture is, what the fonts are and, by custom properties, the colours."""
    for size in ("width", "height"):
        root.attrib.pop(size)
    for element in root.iter():
        if "style" not in element.attrib:
            continue
        style = _style(element)
        family = style.pop("font-family", "")
        if "monospace" in family:
            style["font-family"] = "var(--mono)"
        for name, value in style.items():
            if value in palette.ON_THE_PAGE:
                style[name] = f"var(--{palette.ON_THE_PAGE[value]})"
        element.set("style", "; ".join(map(": ".join, style.items())))
    return _text(root)


def _text(root):
    ElementTree.indent(root, space="")
    return ElementTree.tostring(root, encoding="unicode")


def _style(element):
    """The declarations of a style by name; a font in one piece, as matplotlib wrote it up to 3.9, in its parts."""
    style = dict(each.split(": ", 1) for each in element.get("style", "").rstrip("; ").split("; ") if each)
    if font := style.pop("font", None):
        before, quote, families = font.partition("'")
        *weight, size = before.split()
        style |= {
            "font-size": size,
            "font-family": quote + families,
            **dict(zip(["font-weight"], weight, strict=False)),
        }
    return style


def _is_invisible(element):
    return element.tag == "path" and _style(element) == {"fill": "none"}


def _leave_out(parent, unwanted):
    for child in list(parent):
        if unwanted(child):
            parent.remove(child)
        else:
            _leave_out(child, unwanted)


def _identify(root, name):
    """Identifiers only for what is referred to: matplotlib's own are the same in every picture of a page."""
    links = [
        (element, attribute, found)
        for element in root.iter()
        for attribute, value in element.items()
        if (found := re.fullmatch(r"(url\(#|#)([^)]+)(\)?)", value))
    ]
    short = {target: f"{name}-{place}" for place, target in enumerate(dict.fromkeys(found[2] for *_, found in links))}
    for element in root.iter():
        if identifier := element.attrib.pop("id", None):
            element.attrib |= {"id": short[identifier]} if identifier in short else {}
    for element, attribute, found in links:
        element.set(attribute, found[1] + short[found[2]] + found[3])


def _shorten(root):
    """Numbers as exact as an eye: no one sees a hundredth of a point; and no rotation by nothing."""
    shapes = {element for defs in root.iter("defs") for element in defs.iter()}
    for element in root.iter():
        if element.get("transform", "").startswith("rotate(-0 "):
            del element.attrib["transform"]
        digits = 3 if element in shapes else 1  # what is used many times over is small
        if "d" in element.attrib:
            element.set("d", _path(element.get("d"), digits))
        for name in {"x", "y"} & {*element.keys()}:
            element.set(name, f"{round(float(element.get(name)), digits):g}")


def _path(commands, digits):
    """The same path, with lines to the right and downwards as H and V, which take one number."""
    short, x, y = [], None, None
    for letter, numbers in re.findall(r"([A-Za-z])([^A-Za-z]*)", commands):
        numbers = [f"{round(float(number), digits):g}" for number in numbers.split()]
        if letter == "L" and x == numbers[0]:
            short.append(f"V{numbers[1]}")
        elif letter == "L" and y == numbers[1]:
            short.append(f"H{numbers[0]}")
        else:
            short.append(letter + " ".join(numbers))
        x, y = numbers[-2:] or (None, None)
    return "".join(short)


def _flatten(parent):
    """Without the groups that nothing is said of."""
    children = []
    for child in parent:
        _flatten(child)
        children += list(child) if child.tag == "g" and not child.attrib else [child]
    parent[:] = children
