"""What the script of the page knows, as JSON: every pair of runs compared, and the table of all runs."""

from __future__ import annotations

import json
from itertools import groupby

from markupsafe import Markup
from packaging.version import Version

from torchnotes import verdicts
from torchnotes.changes import compare
from torchnotes.page.model import SHORT, turning_points

SHARING = {crossing for crossings in compare.EFFECTS.values() if len(crossings) > 1 for crossing in crossings}
"""Crossings that share a group with others, so that each says which it is."""


def _explained(crossings):
    """What crossings of one group do to code; where they are several, each says the rest itself."""
    text = compare.CROSSINGS[crossings[0]]
    return text.partition(":")[0] if SHARING & {*crossings} else text


GROUPS = {
    compare.BROKE: compare.EXPLAINED[compare.BROKE],
    **{title: _explained(crossings) for title, crossings in compare.EFFECTS.items()},
    "another boundary": "a known boundary was crossed, and its note does not say what that does to code",
    **{
        kind: compare.EXPLAINED[kind]
        for kind in (compare.ANNOUNCED, compare.WITHDRAWN, compare.MENDED, compare.UNCHECKED)
    },
}
"""What a comparison is shown in, the gravest first, with the words that explain each."""

_OF_CROSSING = {crossing: title for title, crossings in compare.EFFECTS.items() for crossing in crossings}


def group_of(change):
    """The title of the group in which a change is shown."""
    if change.kind in compare.CROSSED:
        return _OF_CROSSING.get(change.crossing, "another boundary")
    return change.kind


def as_data(book, synonyms):
    """The JSON, as markup. Cards are named by their place on the page, and runs by their place among the columns."""
    columns, rows = book.columns, book.rows
    place = {card.node: number for number, card in enumerate(book.cards)}
    devices = list(dict.fromkeys(row.device for row in rows))
    texts, found = Numbered(), Numbered()
    pairs = [
        [
            [found[change] for change in _changes(before.record, after.record, place, devices, texts)]
            for after in columns
        ]
        for before in columns
    ]
    document = {
        "columns": [
            {
                "name": column.name,
                "about": column.record.about(),
                "failed": len(
                    {node for (node, _), each in column.record.outcomes.items() if each.verdict == verdicts.FAILED}
                ),
            }
            for column in columns
        ],
        "of": columns.index(book.of),
        "devices": [verdicts.place(device) if device else "" for device in devices],
        "groups": list(GROUPS.items()),
        "texts": list(texts),
        "changes": list(found),
        "pairs": pairs,
        "rows": [[place[row.note], devices.index(row.device), runs(row.codes)] for row in rows if not row.differs],
        "short": SHORT,
        "synonyms": synonyms,
    }
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace("&", "\\u0026"))


class Numbered(dict):
    """Gives each thing a number when it is asked for first."""

    def __missing__(self, thing):
        return self.setdefault(thing, len(self))


def runs(codes):
    """`eeeehh` as `e4h2`."""
    return "".join(f"{code}{len(list(same))}" for code, same in groupby(codes))


def _changes(left, right, place, devices, texts):
    """Each change between two runs as (group, card, device, when, why), the gravest first."""
    titles = list(GROUPS)
    found = []
    for change in compare.changes(left, right):
        crossed = change.kind in compare.CROSSED
        when = when_crossed(change, left.environment["torch"], right.environment["torch"]) if crossed else ""
        why = compare.CROSSINGS[change.crossing] if change.crossing in SHARING else "" if crossed else change.reason
        about = titles.index(group_of(change)), place[change.node], devices.index(change.device)
        found.append((*about, texts[when], texts[why]))
    return sorted(found, key=lambda each: each[0])


def when_crossed(change, before, after):
    """In words, the release in which a boundary was crossed, and on which side of it the claim is true."""
    if not change.boundary:
        return ""
    package, releases = turning_points(change.boundary)
    older, newer = sorted(Version(Version(torch).public) for torch in (before, after))
    between = [release for release in releases if older < Version(release) <= newer]
    if package != "torch" or len(between) != 1:
        return f"true only with {change.boundary}"
    from_there_on = (change.kind == compare.CROSSED_IN) == (Version(before) < Version(after))
    return f"{'' if from_there_on else 'no longer '}true from torch {between[0]} on"
