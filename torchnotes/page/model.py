"""What there is to read: runs beside each other, and the cards of the notes, section by section."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import groupby

from packaging.requirements import Requirement
from packaging.version import Version

from torchnotes import note as notes, verdicts
from torchnotes.markers import CHANGES
from torchnotes.page.words import is_link
from torchnotes.record import reader

CODES = {name: verdict.code for name, verdict in verdicts.WRITTEN.items()}
SHORT = {verdict.code: verdict.short for verdict in verdicts.WRITTEN.values()} | {verdicts.ABSENT: "not run"}


@dataclass
class Column:
    """A run, beside others."""

    record: reader.Record
    label: str = ""
    more: str = ""
    """What tells it from others of the same torch."""

    @property
    def name(self):
        return " ".join(filter(None, (self.label, self.more)))


@dataclass
class Row:
    """A note on a device, in every run."""

    note: str
    device: str | None
    codes: str
    """A letter for each run."""

    @property
    def differs(self):
        return len({*self.codes} - {verdicts.ABSENT}) > 1

    @property
    def where(self):
        return verdicts.place(self.device)


@dataclass
class Segment:
    """Runs next to each other that say the same of a note."""

    code: str
    count: int
    first: str
    last: str
    turns: bool
    """Whether the runs before said something else; a run that says nothing of the note is not asked."""

    @property
    def word(self):
        return SHORT[self.code]

    @property
    def runs(self):
        return self.first if self.count == 1 else f"{self.first} to {self.last}"


@dataclass
class Result:
    """What a note came to on one device in the run that the cards speak of."""

    where: str
    verdict: str
    cases: int
    reasons: list

    @property
    def word(self):
        return verdicts.WRITTEN[self.verdict].here

    @property
    def code(self):
        return CODES[self.verdict]


@dataclass
class Card:
    """A note as the page shows it: its words and code, and what it came to in the run that the cards speak of."""

    id: str
    node: str
    section: str
    verdict: str
    claim: str
    in_run: bool
    source: object = None
    line: int = 0
    markers: list = field(default_factory=list)
    links: list = field(default_factory=list)
    results: list = field(default_factory=list)
    rows: list = field(default_factory=list)
    announced: list = field(default_factory=list)
    failures: list = field(default_factory=list)
    pictures: list = field(default_factory=list)
    claim_of_run: str = ""

    def marker(self, name):
        return [marker for marker in self.markers if marker["name"] == name]

    @property
    def marks(self):
        device = any(row.device is not None for row in self.rows) or bool(self.source and self.source.takes_device)
        present = {"device": device, "change": bool(self.announced)}
        present |= {name: bool(self.marker(name)) for name in ("myth", "advice", "holds", "only")}
        return [name for name, there in present.items() if there]

    @property
    def is_uniform(self):
        """Whether all runs say what this one says, on every device."""
        return {code for row in self.rows for code in row.codes} == {self.code} and self.in_run

    @property
    def is_(self):
        """What the filters ask for: the verdict, and then the marks."""
        return [self.verdict, *self.marks]

    @property
    def changes(self):
        """Of each boundary, where it is and what crossing it does to code: `torch 2.4`, `an upgrade stops code`."""
        for marker in self.marker("holds"):
            if change := CHANGES.get(marker.get("change")):
                package, releases = turning_points(marker["requirement"])
                yield f"{package} {' and '.join(releases)}".strip(), change

    @property
    def word(self):
        return verdicts.WRITTEN[self.verdict].here if self.in_run else "not in this run"

    @property
    def code(self):
        return CODES[self.verdict]

    @property
    def path(self):
        return notes.file_of(self.node)


@dataclass
class Topic:
    """Cards that answer one question; the first ones of a section may have none, and then no title and no id."""

    id: str
    title: str
    more: str
    cards: list


@dataclass
class Section:
    id: str
    number: str
    title: str
    subtitle: str
    introduction: str
    topics: list
    missing: str = ""
    findings: list = field(default_factory=list)
    pictures: list = field(default_factory=list)

    @property
    def cards(self):
        return [card for topic in self.topics for card in topic.cards]


def columns_of(runs):
    """The runs as columns, the oldest torch first, each with a name that no other has."""
    ordered = sorted(runs, key=_age)
    columns = []
    for _, same in groupby(ordered, key=lambda record: Version(record.environment["torch"]).public):
        same = list(same)
        names = _told_apart(same)
        columns += [Column(record, _short(record), name) for record, name in zip(same, names, strict=True)]
    return columns


def _short(record):
    return Version(record.environment["torch"]).public


def _age(record):
    environment = record.environment
    devices = " ".join(device["name"] for device in environment["devices"])
    about = devices, environment["platform"], environment["machine"], environment["python"], record.document["made"]
    return Version(_short(record)), *about, json.dumps(record.document, sort_keys=True)


def _told_apart(same):
    """What tells runs of one torch apart: what differs of device, platform, build and packages, else a number."""
    abouts = [record.about() for record in same]
    for about, record in zip(abouts, same, strict=True):
        about |= {
            "made": record.document["made"].replace("T", " ").replace("+00:00", ""),
            "Python": f"Python {about['Python']}",
            "NumPy": f"NumPy {about['NumPy']}",
        }
    parts = [[] for _ in same]
    for name in ("devices", "platform", "build", "Python", "NumPy", "made"):
        if len({tuple(part) for part in parts}) == len(same):
            break
        if len({about[name] for about in abouts}) > 1:
            for part, about in zip(parts, abouts, strict=True):
                part.append(about[name])
    names = [", ".join(part) for part in parts]
    again = Counter()
    for place, name in enumerate(names):
        again[name] += 1
        if names.count(name) > 1:
            names[place] = f"{name} ({again[name]})".strip()
    return names


def rows_of(columns):
    """Each note on each device in every run, in reading order."""
    known = {}
    for column in columns:
        known |= column.record.notes
    keys = {key for column in columns for key in column.record.outcomes}
    order = {node: (note["section"], notes.file_of(node), note["line"], node) for node, note in known.items()}
    found = []
    for node, device in sorted(keys, key=lambda key: (*order[key[0]], key[1] or "")):
        outcomes = [column.record.outcomes.get((node, device)) for column in columns]
        codes = "".join(CODES[outcome.verdict] if outcome else verdicts.ABSENT for outcome in outcomes)
        found.append(Row(node, device, codes))
    return found


class Book:
    """Everything there is to read, section by section: all runs, and of one of them what it says of each note."""

    def __init__(self, columns, of, sections):
        self.columns, self.of = columns, of
        self.record = of.record
        self.rows = rows_of(columns)
        self.rows_of_note = defaultdict(list)
        for row in self.rows:
            self.rows_of_note[row.note].append(row)
        self.known = {}
        for column in [*columns, of]:  # what the run itself says counts, then what the newest torch says
            self.known |= column.record.notes
        self.given = Counter()
        self.sections = list(self._sections(sections))
        self.cards = [card for section in self.sections for card in section.cards]
        self.of_note = {card.node: card for card in self.cards}
        self.failed = [card for card in self.cards if card.verdict == "failed"]
        self.matrix = [row for row in self.rows if row.differs]
        self.counts = Counter(card.verdict if card.in_run else "absent" for card in self.cards)
        self.marks = Counter(mark for card in self.cards for mark in card.marks)

    @property
    def about(self):
        return {name: value for name, value in self.record.about().items() if value}

    @property
    def matrix_by_section(self):
        for section in self.sections:
            nodes = {card.node: card for card in section.cards}
            if rows := [(nodes[row.note], row) for row in self.matrix if row.note in nodes]:
                yield section, rows

    def _sections(self, sections):
        left = defaultdict(list)
        for node in self.known:
            left[_file(node), notes.name(node)].append(node)
        folder = next((node.rpartition("/")[0] for node in self.known if "/" in notes.file_of(node)), "tests/notes")
        orphans = defaultdict(list)
        pairs = {}
        for section in sections:
            for note in section.notes:
                nodes = left[note.file, note.name] or [f"{folder}/{note.file}::{note.name}"]
                pairs[note.file, note.name] = nodes.pop()
        for node in (node for nodes in left.values() for node in nodes):
            orphans[self.known[node]["section"]].append(node)
        labels = {section.label: section for section in sections}
        for label in sorted({*labels, *orphans, *self.record.document["missing"]}):
            number = self._unique(number_of(label))
            section = labels.get(label)
            groups = [
                self._topic(number, topic, [self._card(number, pairs[note.file, note.name], note) for note in some])
                for topic, some in groupby(section.notes if section else [], key=lambda note: note.topic)
            ]
            if orphans[label]:
                of_others = [self._card(number, node) for node in orphans[label]]
                groups.append(
                    self._topic(number, "Not in these sources. A run has them, of another checkout.", of_others)
                )
            title, _, subtitle = (
                section.title if section else label.partition(" ")[2].capitalize() or label
            ).partition(": ")
            yield Section(
                id=f"s{number}",
                number=number,
                title=title.removesuffix("."),
                subtitle=subtitle[:1].upper() + subtitle[1:],
                introduction=section.introduction if section else "",
                topics=groups,
                missing=self.record.document["missing"].get(label, ""),
            )

    def _topic(self, number, text, cards):
        head, _, rest = text.partition(". ")
        identifier = self._unique(slug(f"s{number}-topic-{head.lower()}")) if text else ""
        return Topic(identifier, head.removesuffix("."), rest, cards)

    def _unique(self, text):
        """The text, with a number behind it where it was given before."""
        while self.given[text]:
            self.given[text] += 1
            text = f"{text}-{self.given[text]}"
        self.given[text] += 1
        return text

    def _card(self, number, node, source=None):
        of_run, known = self.record.notes.get(node), self.known.get(node)
        name = notes.name(node)
        card = Card(
            id=self._unique(slug(f"s{number}-{name.removeprefix('test_')}")),
            node=node,
            section=number,
            verdict="unchecked",
            claim=source.claim if source else known["claim"],
            in_run=of_run is not None,
            source=source,
            line=source.line if source else known["line"],
            markers=(known or {}).get("markers", source.markers if source else []),
            links=source.links if source else [link for link in [known["link"]] if is_link(link)],
            rows=self.rows_of_note[node],
        )
        if of_run:
            self._add_results(card, of_run)
        return card

    def _add_results(self, card, note):
        by_device = defaultdict(list)
        for result in note["results"]:
            by_device[result["device"]].append(result)
        for device, results in by_device.items():
            worst = verdicts.worst(result["outcome"] for result in results)
            reasons = defaultdict(list)
            for result in results:
                if result["reason"]:
                    reasons[result["outcome"], result["reason"]].append(_case(result))
            told = [
                (verdicts.WRITTEN[verdict].here, reason, cases if len(cases) < len(results) else [])
                for (verdict, reason), cases in reasons.items()
            ]
            card.results.append(Result(verdicts.place(device), worst, len(results), told))
        outcomes = [result["outcome"] for result in note["results"]]
        card.verdict = verdicts.worst(outcomes)
        card.announced = sorted({text for result in note["results"] for text in reader.announced(result)})
        card.failures = [
            (
                _case(result),
                verdicts.place(result["device"]),
                result.get("explanation") or [result["reason"]],
            )
            for result in note["results"]
            if result["outcome"] == "failed"
        ]
        if card.source and note["claim"] != card.claim:
            card.claim_of_run = note["claim"]

    def strips(self, card):
        """Which runs say what: one line a device, or one for all where they agree. A run without a word is left out."""
        rows = [(row.where, [each for each in self.segments(row) if each.code != verdicts.ABSENT]) for row in card.rows]
        if len({row.codes for row in card.rows}) == 1:
            return [("", rows[0][1])]
        return rows

    def segments(self, row):
        """The runs of a row, those that say the same together."""
        place, known = 0, None
        for code, same in groupby(row.codes):
            count = len(list(same))
            first, last = self.columns[place].name, self.columns[place + count - 1].name
            said = code != verdicts.ABSENT
            yield Segment(code, count, first, last, said and known not in (None, code))
            place, known = place + count, code if said else known


def _case(result):
    """The row of a note's table, less the device, which stands in front of it."""
    case, device = result["case"], result["device"]
    return case.removeprefix(f"{device}-").removesuffix(f"-{device}") if case != device else ""


def _file(node):
    return notes.file_of(node).rpartition("/")[2]


def turning_points(requirement):
    """A package, and its releases at which a requirement begins or ceases to be met: torch, 2.4 and 2.6."""
    try:
        parsed = Requirement(requirement)
        return parsed.name, sorted((each.version.removesuffix(".*") for each in parsed.specifier), key=Version)
    except ValueError:  # no requirement, which a record of another version may hold
        return requirement, []


def number_of(label):
    """`03` of `03 numpy bridge`; of another label something that can be an identifier."""
    first = label.partition(" ")[0]
    return first if first.isdecimal() and first.isascii() else slug(label) or "0"


def slug(text):
    return re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-")
