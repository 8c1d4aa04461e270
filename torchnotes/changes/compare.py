"""What changes, between two runs of the notes, in what one may believe."""

from __future__ import annotations

import re
import textwrap
from collections import defaultdict
from dataclasses import asdict, dataclass
from functools import cache

from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import Version

from torchnotes import note as notes
from torchnotes.markers import CHANGES
from torchnotes.record.reader import Outcome
from torchnotes.verdicts import FAILED, HELD, NO_ACCELERATOR, UNCHECKED as NOT_CHECKED

BROKE, MENDED, CROSSED_OUT, CROSSED_IN, UNCHECKED, ANNOUNCED, WITHDRAWN = KINDS = (
    "fails now",
    "holds again",
    "no longer true",
    "true now",
    "checked in one run only",
    "will change",
    "no longer announced",
)

EXPLAINED = {
    BROKE: "a note failed: nobody expected that, so look at these first",
    MENDED: "a note that failed holds",
    CROSSED_OUT: "a known boundary was crossed: do not rely on these any more",
    CROSSED_IN: "a known boundary was crossed: you may rely on these from here on",
    UNCHECKED: "no evidence either way: a device, a package or the note itself is missing in one of the runs",
    ANNOUNCED: "true in both, and a warning now says that it will not stay so",
    WITHDRAWN: "a warning about a coming change is gone",
}


CROSSINGS = {**CHANGES, "": ""}
GRAVITY = {name: place for place, name in enumerate(CROSSINGS)}
CROSSED = CROSSED_OUT, CROSSED_IN
OPPOSITE = {"raises": "new", "gone": "new", "new": "gone"}
"""Of a crossing that takes another one back: what raised in some releases works again."""

EFFECTS = {
    "code stops": ("raises", "gone"),
    "code computes something else, without a word": ("result",),
    "code warns, or no longer": ("warns",),
    "there is something new": ("new",),
}
"""What crossing boundaries comes to for somebody's code, the gravest first: the crossings of each."""

NO_NOTE, NO_RESULT, NOT_ON = (
    "not among the notes of that run",
    "it did not run there",
    "it did not run on {device} there",
)
"""Why a run says nothing of a note, or of a note on a device."""


@dataclass(frozen=True)
class Change:
    """One note on one device, in both runs."""

    kind: str
    section: str
    note: str
    claim: str
    device: str | None
    before: str
    after: str
    reason: str
    crossing: str = ""
    """Of a boundary: what an upgrade across it does, one of `CROSSINGS`."""
    node: str = ""
    """The note with its file, which tells it from one of the same name."""
    boundary: str = ""
    """The requirement that is met in one of the runs only, where a boundary was crossed."""


def kind_of(before, after):
    """How an outcome changed, or None where it did not."""
    if before.verdict == after.verdict:
        return None
    if NOT_CHECKED in (before.verdict, after.verdict):
        return UNCHECKED
    if after.verdict == FAILED:
        return BROKE
    if before.verdict == FAILED:
        return MENDED if after.verdict == HELD else CROSSED_OUT
    return CROSSED_IN if after.verdict == HELD else CROSSED_OUT


def changes(before, after):
    """Every `Change` between two records, the gravest kind and crossing first, in reading order within."""
    known, both = before.notes | after.notes, before.notes.keys() & after.notes.keys()
    one, other = before.outcomes, after.outcomes
    order = {note: number for number, note in enumerate(known)}
    found = []
    for key in sorted(
        one.keys() | other.keys(), key=lambda key: (known[key[0]]["section"], order[key[0]], key[1] or "")
    ):
        left, right = (
            outcomes.get(key, Outcome(NOT_CHECKED, _absent(record, *key)))
            for record, outcomes in ((before, one), (after, other))
        )
        if key[1] == NO_ACCELERATOR and key[0] in both:
            continue  # unchecked for want of an accelerator; where the other run has one, that device says so
        if kind := kind_of(left, right):
            found.append(_change(kind, before, after, known, key, left, right, _reason(left, right)))
        elif right.verdict == HELD:
            for text in sorted(right.will_change - left.will_change):
                found.append(_change(ANNOUNCED, before, after, known, key, left, right, text))
            for text in sorted(left.will_change - right.will_change):
                found.append(_change(WITHDRAWN, before, after, known, key, left, right, text))
    return sorted(found, key=lambda change: (KINDS.index(change.kind), GRAVITY[change.crossing]))


def _absent(record, note, device):
    if note not in record.notes:
        return NO_NOTE
    return NOT_ON.format(device=device) if device else NO_RESULT


def _reason(left, right):
    """Why: of the run in which the note does not hold."""
    return right.reason if right.verdict != HELD else left.reason


def _change(kind, before, after, known, key, left, right, reason):
    note = known[key[0]]
    boundaries = [each for each in note["markers"] if kind in CROSSED and _names(reason, each.get("requirement"))]
    effects = [(_effect(each, kind, before, after), key[0], each["requirement"]) for each in boundaries]
    about = min(effects, key=lambda each: GRAVITY[each[0]], default=("", key[0], ""))
    verdicts = left.verdict, right.verdict
    return Change(kind, note["section"], notes.name(key[0]), note["claim"], key[1], *verdicts, reason, *about)


def _effect(marker, kind, before, after):
    """What an upgrade across a boundary does; where a range of releases ends, it does the opposite of its beginning."""
    change = marker.get("change", "")
    package, begins = _bounds(marker["requirement"])
    older, newer = (record.environment["packages"].get(package) for record in (before, after))
    if not (change and begins and older and newer) or older == newer:
        return change
    ends = (kind == CROSSED_OUT) == (_version(older) < _version(newer))
    return OPPOSITE.get(change, change) if ends else change


@cache
def _bounds(requirement):
    """The package of a requirement, and whether there are releases before those that meet it."""
    try:
        parsed = Requirement(requirement)
    except InvalidRequirement:
        return "", False
    return parsed.name, any(each.operator not in ("<", "<=") for each in parsed.specifier)


@cache
def _version(text):
    return Version(text)


def _names(reason, requirement):
    """Whether a reason names the requirement, whole: `torch>=2.13` does not name `torch>=2.1`."""
    return requirement is not None and re.search(re.escape(requirement) + r"(?![\w.,*])", reason) is not None


def differences(before, after):
    """What differs between the two environments, as (name, before, after)."""
    left, right = before.about(), after.about()
    names = ["torch", *sorted((left.keys() | right.keys()) - {"torch"})]
    return [(name, left.get(name), right.get(name)) for name in names if left.get(name) != right.get(name)]


def as_text(before, after):
    """The comparison for a terminal, line by line."""
    found = changes(before, after)
    yield f"torch {before.environment['torch']} -> torch {after.environment['torch']}"
    for name, left, right in differences(before, after):
        if name != "torch":
            yield f"  {name}: {left} -> {right}"
    for kind in KINDS:
        of_kind = [change for change in found if change.kind == kind]
        if of_kind:
            yield ""
            yield f"{kind} ({len({change.note for change in of_kind})}): {EXPLAINED[kind]}"
            yield from (_claims if kind in (BROKE, MENDED, CROSSED_OUT, CROSSED_IN) else _by_reason)(of_kind)
    yield ""
    if failing := _failing_in_both(before, after):
        one = len(failing) == 1
        yield f"{len(failing)} note{'s' * (not one)} fail{'s' * one} in both runs: {', '.join(failing)}"
    changed = {change.note for change in found}
    same = sum(1 for note in before.notes.keys() & after.notes.keys() if notes.name(note) not in changed)
    as_it_was = "claim is as it was" if same == 1 else "claims are as they were"
    yield (
        f"{same} {as_it_was}, {len(changed)} {'is' if len(changed) == 1 else 'are'} not"
        if found
        else f"{same} claims, and nothing changed"
    )


def _failing_in_both(before, after):
    one, other = (
        {note for (note, _), outcome in record.outcomes.items() if outcome.verdict == FAILED}
        for record in (before, after)
    )
    return sorted(notes.name(note) for note in one & other)


def _claims(found):
    """Each claim in words, with its note and the reason below."""
    for change in found:
        yield from _wrapped(f"{change.section}: {change.claim}", 2)
        yield f"    {change.note}{_on(change)}"
        yield from _wrapped(CROSSINGS[change.crossing], 4)
        yield from _wrapped(change.reason, 4)


def _by_reason(found):
    """Each reason once, with the notes it is the reason of."""
    by_reason = defaultdict(list)
    for change in found:
        by_reason[change.reason].append(change)
    for reason, of_reason in by_reason.items():
        yield from _wrapped(reason, 2)
        yield from (f"    {change.section}: {change.note}{_on(change)}" for change in of_reason)


def _wrapped(text, indent):
    return textwrap.wrap(text, 110, initial_indent=" " * indent, subsequent_indent=" " * (indent + 2))


def _on(change):
    return f" on {change.device}" if change.device else ""


def as_json(before, after):
    """The comparison as plain data."""
    return {
        "format": "what-pytorch-does/comparison",
        "version": 1,
        "before": before.environment,
        "after": after.environment,
        "changes": [asdict(change) for change in changes(before, after)],
    }
