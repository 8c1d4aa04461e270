"""Numbers, times and lists as people write them."""

from __future__ import annotations

import math


def number(value, digits=2):
    """So many digits that say something: 0.034, 3.4, 34, 3,400."""
    places = 0 if value == 0 else digits - 1 - math.floor(math.log10(abs(value)))
    text = f"{round(value, places):,.{max(places, 0)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def seconds(value):
    """A time: 12 µs, 3.4 ms."""
    units = {"s": 1, "ms": 1e-3, "µs": 1e-6, "ns": 1e-9}
    unit = next((unit for unit, scale in units.items() if value > 0.999 * scale), "ns")
    return f"{number(value / units[unit])} {unit}"


def amount(value):
    """How many: 10, 1,000, 1 million, 1 billion, 1 trillion."""
    for name, scale in (("trillion", 1e12), ("billion", 1e9), ("million", 1e6)):
        if value >= scale:
            return f"{number(value / scale, 3)} {name}"
    return number(value, 4)


def listed(words):
    """One, two and three."""
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def said(value, digits=3):
    """A value that a note has left in a record: a number, a text, or a list of them."""
    if isinstance(value, list):
        return f"[{', '.join(said(each, digits) for each in value)}]"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return "".join(letter for letter in str(value) if letter.isprintable())
    common = math.isfinite(value) and (value == 0 or 1e-4 <= abs(value) < 1e7)
    return (number(value, digits) if common else f"{value:.1e}").replace("-", "\N{MINUS SIGN}")
