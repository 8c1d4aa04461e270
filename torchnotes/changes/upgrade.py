"""What changes between two releases, gravest first, and where some code uses what changes."""

from __future__ import annotations

import re
import textwrap
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from torchnotes.changes import concerns as about, uses
from torchnotes.changes.boundaries import PACKAGES
from torchnotes.record import reader
from torchnotes.refusal import Refusal
from torchnotes.verdicts import ELSEWHERE, FAILED, HELD, UNCHECKED, worst

STOPS, RESULT, WARNS, NEW = GRAVEST_FIRST = "stops", "result", "warns", "new"
HEADS = {
    STOPS: "stops: what ran raises, or what it used is gone",
    RESULT: "computes something else, without a word",
    WARNS: "warns, or does so no longer",
    NEW: "is new: before, it raises or is not there",
}
GRAVITY = {"raises": STOPS, "gone": STOPS, "result": RESULT, "warns": WARNS, "new": NEW}
OPPOSITE = {STOPS: NEW, NEW: STOPS, RESULT: RESULT, WARNS: WARNS}
"""Of a change that takes a boundary back: what raised in some releases works again."""

CERTAIN, POSSIBLE = about.CERTAIN, about.POSSIBLE


class Unknown(Refusal):
    """A release is none that can be spoken of; the message says what there is."""


@dataclass(frozen=True)
class Span:
    """From one release of a package to a later one."""

    package: str
    before: Version
    after: Version
    known: tuple[Version, ...] = ()
    """Releases between which it can be told in which of them something happened, oldest first."""
    asked: tuple[str, ...] = ()
    """The two releases as they were asked for, where a record of another one may stand for them."""

    @property
    def stand_ins(self):
        """For each release that was named to the last digit and has no record, what stands for it."""
        for text, found in zip(self.asked, (self.before, self.after), strict=False):
            if len(Version(text).release) > 2 and Version(text).release != found.release:
                yield f"there is no record of {self.package} {text}: {found} stands for it"


@dataclass(frozen=True)
class Place:
    """Where some code uses what changes."""

    file: str
    line: int
    """In the file, from 1."""
    column: int
    code: str
    about: str
    """What of the change it is, for a reader."""
    found: str
    """`CERTAIN` or `POSSIBLE`."""
    cell: tuple[int, int] | None = None
    """Of a notebook: the number of the cell and the line in it."""

    @property
    def where(self):
        return f"{self.file}: cell {self.cell[0]}, line {self.cell[1]}" if self.cell else f"{self.file}:{self.line}"


@dataclass
class Crossing:
    """One boundary that an upgrade crosses."""

    boundary: object
    change: str
    """One of `GRAVEST_FIRST`."""
    package: str
    release: str
    """The first one with which things are as they are after the upgrade."""
    begins: bool
    """Whether the claim becomes true there; else it was true until then."""
    until: str
    """The last release of before."""
    condition: str
    """Where else than in the release the boundary is: such as `on Windows`; mostly empty."""
    places: list[Place] = field(default_factory=list)

    @property
    def sentence(self):
        """The claim, with the release in front unless it names that itself, or the last one before."""
        claim = self.boundary.claim
        if any(re.search(rf"(?<![\d.]){re.escape(each)}(?![\d.]*\d)", claim) for each in (self.release, self.until)):
            return claim
        return f"From {self.release} on: {claim}" if self.begins else f"Until {self.until}: {claim}"

    @property
    def topic(self):
        """What it is about and where, for a reader."""
        said = [place.about for place in self.places] or [each.said for each in self.boundary.concerns]
        names = ", ".join(dict.fromkeys(said)) or "no name in code shows it"
        return f"{names} ({self.condition})" if self.condition else names

    @property
    def certain(self):
        return [place for place in self.places if place.found == CERTAIN]


def recorded(folder):
    """The records of single releases in a folder: their paths by `Version`, the oldest first."""
    found = {}
    for path in Path(folder).glob("torch-*.json"):
        try:
            found[Version(path.stem.removeprefix("torch-"))] = path
        except InvalidVersion:
            continue
    if not found:
        raise reader.BadRecord(f"{folder}: there are no records in it, files named torch-VERSION.json")
    return dict(sorted(found.items()))


def release(text, known):
    """The release that a text such as `2.5` or `2.5.0` stands for: the newest of that minor one. Raises `Unknown`."""
    there = f"there are records of torch {', '.join(map(str, known))}"
    try:
        asked = Version(text)
    except InvalidVersion:
        raise Unknown(f"{text!r} is no release; {there}; type, for example: upgrade 2.5 2.15 src") from None
    if asked in known:
        return next(each for each in known if each == asked)
    same = [each for each in known if each.release[:2] == asked.release[:2]]
    if not same or asked.is_prerelease:
        raise Unknown(f"no record of torch {text}; {there}")
    return same[-1]


def span(before, after, known):
    """The way from one release of torch to another. Raises `Unknown` where there is none."""
    one, other = release(before, known), release(after, known)
    if one == other:
        raise Unknown(f"{before} and {after} are both torch {one} here, so that nothing changes; name two releases")
    if one > other:
        raise Unknown(f"from torch {one} to {other} is the way back; what an upgrade changes: upgrade {after} {before}")
    return Span("torch", one, other, tuple(known), (before, after))


def other_span(text):
    """The way of another package, as `numpy=1.26:2.4` says it. Raises `Unknown`."""
    example = "write, for example, numpy=1.26:2.4"
    found = re.fullmatch(r"([\w-]+)=([^:]+):([^:]+)", text)
    if not found:
        raise Unknown(f"{text!r}: {example}")
    try:
        before, after = Version(found[2]), Version(found[3])
    except InvalidVersion as error:
        raise Unknown(f"{text!r}: {error}; {example}") from None
    if before >= after:
        raise Unknown(f"{text!r}: {before} is not older than {after}; {example}")
    return Span(found[1], before, after)


def crossings(boundaries, spans):
    """What the upgrades of some packages cross, the gravest change first and then in the order of the releases."""
    found = [crossing for each in boundaries for crossing in _crossed(each, {span.package: span for span in spans})]
    return sorted(
        found, key=lambda each: (GRAVEST_FIRST.index(each.change), each.package != "torch", Version(each.release))
    )


def _crossed(boundary, spans):
    """What an upgrade crosses of one boundary, once for each condition that its markers make."""
    together = defaultdict(SpecifierSet)
    changes = {}
    for mark in boundary.marks:
        requirement = mark.requirement
        key = requirement.name, _condition(requirement)
        together[key] &= requirement.specifier
        changes[key] = GRAVITY[mark.change]
    for (package, condition), specifiers in together.items():
        if package not in spans:
            continue
        way = spans[package]
        was, becomes = (specifiers.contains(each, prereleases=True) for each in (way.before, way.after))
        if was == becomes:
            continue
        others = [f"with {name} {text}" for (name, _), text in together.items() if name not in spans]
        at, until = _turn(specifiers, way)
        change = changes[package, condition]
        only_ends = all(each.operator in ("<", "<=") for each in specifiers)
        yield Crossing(
            boundary=boundary,
            change=change if becomes or only_ends else OPPOSITE[change],
            package=package,
            release=at,
            begins=becomes,
            until=until,
            condition=", ".join(filter(None, [condition, *others])),
        )


def _turn(specifiers, way):
    """The release from which on things are as at the end of the way, and the last one before it."""
    named = {Version(each.version.removesuffix(".*")) for each in specifiers}
    steps = sorted(each for each in {*way.known, *named, way.before, way.after} if way.before <= each <= way.after)
    truths = [specifiers.contains(each, prereleases=True) for each in steps]
    last = max(place for place, truth in enumerate(truths) if truth != truths[-1])
    until = steps[last]
    return _short(steps[last + 1]), ".".join(map(str, until.release[:2])) if until in way.known else _short(until)


def _short(version):
    """`2.6.0` as `2.6`: nobody says the last zero."""
    return ".".join(map(str, version.release if any(version.release[2:]) else version.release[:2]))


WHERE = [
    (r'sys_platform == "win32"', "on Windows"),
    (r'sys_platform == "darwin"', "on macOS"),
    (r'sys_platform == "linux"', "on Linux"),
    (r'platform_machine == "(\w+)"', r"on \1"),
    (r'python_version >= "([\d.]+)"', r"with Python \1 or newer"),
    (r'python_version < "([\d.]+)"', r"with Python older than \1"),
]


def _condition(requirement: Requirement):
    """An environment marker in words."""
    text = str(requirement.marker or "")
    for pattern, words in WHERE:
        text = re.sub(pattern, words, text)
    return text


def find(crossed, sources):
    """Put the places where sources use what changes into their crossings. Returns what the sources could not say."""
    by_name = defaultdict(list)
    for crossing in crossed:
        for concern in crossing.boundary.concerns:
            by_name[concern.name.rpartition(".")[2]].append((crossing, concern))
    roots = {PACKAGES.get(crossing.package, crossing.package) for crossing in crossed}
    problems = []
    for source in sources:
        if isinstance(source, str):
            problems.append(source)
        elif any(root in line for line in source.lines for root in roots):  # else no method of it is a tensor's
            _find(by_name, source)
    return problems


def _find(by_name, source):
    for use in uses.uses(source.tree):
        matched = {}
        for crossing, concern in _candidates(by_name, use):
            found = about.match(concern, use, gone=crossing.change == STOPS)
            if found and matched.get(id(crossing), (None, None, POSSIBLE))[2] != CERTAIN:
                matched[id(crossing)] = crossing, concern.said, found
        for crossing, said, found in matched.values():
            crossing.places.append(_place(source, use, said, found))


def _candidates(by_name, use):
    written = about.ALIASES.get(use.name, use.name)
    parts = {each for part in written.split(".") for each in (part, part.removesuffix("_"))}
    return [pair for part in parts for pair in by_name.get(part, ())]


def _place(source, use, said, found):
    code = " ".join(source.lines[use.line - 1].split())
    cell = source.cells[use.line - 1] if source.cells else None
    return Place(source.path, cell[2] if cell else use.line, use.column + 1, code, said, found, cell and cell[:2])


def evidence(crossing, records):
    """What each record says of a note: by release, one of the verdicts, or None where it does not have it."""
    return {release: _verdict(record, crossing.boundary.note) for release, record in records.items()}


def _verdict(record, node):
    note = record.notes.get(node)
    return note and worst([result["outcome"] for result in note["results"]])


SAYS = {HELD: "true", ELSEWHERE: "not true", FAILED: "failed", UNCHECKED: "not checked", None: "no record"}


def is_grave(crossed, with_code):
    """Whether something stops or silently changes: anything, or in the code that was read for certain."""
    return any(each.change in (STOPS, RESULT) and (each.certain or not with_code) for each in crossed)


SHOWN = 3
"""Places shown of what is new or only possible; `--json` has them all."""
WRITTEN_OUT = 20
"""Places shown with their line of code; more than that are listed by file."""


def as_text(spans, crossed, records, with_code):
    """The report for a terminal, line by line."""
    yield " and ".join(f"{each.package} {each.before} -> {each.after}" for each in spans)
    yield from (line for each in spans for line in each.stand_ins)
    used = [each for each in crossed if each.places] if with_code else crossed
    certain = [each for each in used if each.certain or not with_code]
    possible = [each for each in used if not each.certain and each.change != NEW] if with_code else []
    for change in GRAVEST_FIRST:
        yield from _chapter(HEADS[change], [each for each in certain if each.change == change], records)
    if possible:
        yield ""
        yield "Possible: the name is there, and whether it matters depends on an object, a value or a check around it."
    for change in GRAVEST_FIRST:
        yield from _chapter(f"possibly {HEADS[change]}", [each for each in possible if each.change == change], records)
    yield ""
    yield from _wrapped(_total(crossed, certain, possible, with_code), "")
    unseen = [each for each in crossed if not each.boundary.concerns]
    if with_code and unseen:
        yield from _wrapped(f"{len(unseen)} no name in code shows, so that they were not looked for:", "")
        yield from (line for each in unseen for line in _wrapped(each.sentence, "  "))


def _total(crossed, certain, possible, with_code):
    if not with_code:
        return f"{_counted(len(crossed), 'change')} that the notes know"
    places = len({(place.file, place.line, place.column) for each in certain for place in each.places})
    return (
        f"{len(certain)} of {_counted(len(crossed), 'change')} that the notes know are in this code, at "
        f"{_counted(places, 'place')}; {len(possible)} more may be"
    )


def _counted(number, noun):
    return f"{number} {noun}{'s' * (number != 1)}"


def _chapter(head, crossed, records):
    if not crossed:
        return
    yield ""
    yield f"{head} ({len(crossed)})"
    groups = defaultdict(list)
    for each in crossed:
        groups[each.package, each.release, each.topic].append(each)
    for (package, release, topic), group in groups.items():
        yield ""
        yield from _wrapped(f"{package} {release}  {topic}", "  ")
        yield from _places(group[0].places, head == HEADS[NEW])
        for each in group:
            yield from _wrapped(each.sentence, "    ")
            if each.change != NEW:
                yield from _wrapped(each.boundary.explanation.partition("\n\n")[0], "      ")
            yield f"      {each.boundary.note.replace('::', f':{each.boundary.line} ')}"
            if each.package == "torch" and each.change != NEW:
                said = ", ".join(f"{name} {SAYS[verdict]}" for name, verdict in evidence(each, records).items())
                yield f"      records: {said}"


def _places(places, is_new):
    certain = [place for place in places if place.found == CERTAIN]
    shown = certain if certain and not is_new else (certain or places)[:SHOWN]
    if len(shown) <= WRITTEN_OUT:
        for place in shown:
            yield f"    {place.where}: {textwrap.shorten(place.code, 90, placeholder=' ...')}"
    else:
        by_file = defaultdict(list)
        for place in shown:
            by_file[place.file].append(place)
        for first, *rest in by_file.values():
            text = ", ".join([first.where, *(place.where.removeprefix(f"{place.file}:").strip() for place in rest)])
            yield from _wrapped(text, "    ")
    if len(places) > len(shown):
        yield f"    and {_counted(len(places) - len(shown), 'more place')}, certain or possible (--json has them)"


def _wrapped(text, indent):
    return textwrap.wrap(text, 118, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)


def as_json(spans, crossed, records, problems):
    """The report as plain data."""
    return {
        "format": "what-pytorch-does/upgrade",
        "version": 1,
        "upgrades": [
            {
                "package": each.package,
                "before": str(each.before),
                "after": str(each.after),
                "stand_ins": [*each.stand_ins],
            }
            for each in spans
        ],
        "changes": [_as_data(each, records) for each in crossed],
        "not_read": problems,
    }


def _as_data(crossing, records):
    boundary = crossing.boundary
    return {
        "change": crossing.change,
        "package": crossing.package,
        "release": crossing.release,
        "true": "from there on" if crossing.begins else "until then",
        "condition": crossing.condition,
        "sentence": crossing.sentence,
        "explanation": boundary.explanation,
        "links": boundary.links,
        "concerns": [each.text for each in boundary.concerns],
        "note": boundary.note,
        "line": boundary.line,
        "records": evidence(crossing, records) if crossing.package == "torch" else {},
        "places": [
            {
                "file": place.file,
                "line": place.line,
                "column": place.column,
                "cell": place.cell and {"number": place.cell[0], "line": place.cell[1]},
                "code": place.code,
                "about": place.about,
                "found": place.found,
            }
            for place in crossing.places
        ],
    }
