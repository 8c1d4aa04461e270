"""One page of HTML, complete in itself: the notes with their verdicts, what changed between runs, what was measured."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import cache, cached_property
from itertools import groupby
from pathlib import Path
from urllib.parse import urlsplit

import jinja2
from markupsafe import Markup, escape
from packaging.version import Version
from pygments.lexers import PythonLexer
from pygments.token import Comment, Keyword, Name, Number, Operator, String

from torchnotes import verdicts
from torchnotes.changes import compare
from torchnotes.record import reader

FOLDER = Path(__file__).parent

CODES = {name: verdict.code for name, verdict in verdicts.WRITTEN.items()}
SHORT = {verdict.code: verdict.short for verdict in verdicts.WRITTEN.values()} | {verdicts.ABSENT: "not run"}

SECTION_OF = {
    "test_batch_size": "11",
    "test_training_trade": "11",
    "test_multiples_of_eight": "12",
    "test_conversion": "03",
    "test_losses": "08",
    "test_stability": "08",
    "test_dataloader": "15",
    "test_modes": "10",
    "test_loops": "02",
    "test_timers": "16",
    "test_accuracy": "14",
    "test_progress_bar_around_nothing": "17",
    "test_progress_bar_around_training_steps": "17",
}
"""Where what a benchmark measured is told of: by its function, or else by its file."""

SECTION_OF_PICTURE = {"batch-size": "11", "alignment": "12", "conversion": "03", "stability": "08"}


@dataclass
class Column:
    """A run, beside others."""

    record: reader.Record
    label: str = ""
    more: str = ""
    """What tells it from others of the same torch."""

    @cached_property
    def outcomes(self):
        return self.record.outcomes()

    @cached_property
    def notes(self):
        return self.record.notes

    @property
    def name(self):
        return " ".join(filter(None, (self.label, self.more)))


@dataclass
class Row:
    """A note on a device, in every run."""

    note: str
    device: str | None
    codes: str
    outcomes: list

    @property
    def differs(self):
        return len({*self.codes} - {verdicts.ABSENT}) > 1

    @property
    def where(self):
        return verdicts.place(self.device)


@dataclass
class Segment:
    code: str
    count: int
    first: str
    last: str

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
        return " ".join(name for name, there in present.items() if there)

    @property
    def word(self):
        return verdicts.WRITTEN[self.verdict].here if self.in_run else "not in this run"

    @property
    def code(self):
        return CODES[self.verdict]

    @property
    def path(self):
        return self.node.partition("::")[0]


@dataclass
class Section:
    id: str
    number: str
    title: str
    subtitle: str
    introduction: str
    groups: list
    """Pairs of a topic and its cards."""
    missing: str = ""
    findings: list = field(default_factory=list)
    pictures: list = field(default_factory=list)

    @property
    def cards(self):
        return [card for _, cards in self.groups for card in cards]


@dataclass
class Finding:
    claim: str
    verdict: str
    figure: str
    device: str

    @property
    def code(self):
        return {"holds here": "h", "does not hold here": "f"}.get(self.verdict, "u")


@dataclass
class Picture:
    name: str
    title: str
    svg: Markup
    section: str = ""


def page(columns, of, sections, bench=None, source="", explained=None):
    """The HTML of the page: all runs, the one the cards speak of, the notes' sources, what was measured, pictures."""
    rows = rows_of(columns)
    book = Book(columns, of, sections, rows)
    for node, drawn in (explained or {}).items():
        book.of_note[node].pictures = [
            _picture(f"{book.of_note[node].id}-{n}", each) for n, each in enumerate(drawn, 1)
        ]
    measured = measurements(bench) if bench else None
    if measured:
        for section in book.sections:
            section.findings = [each for number, each in measured.findings if number == section.number]
            section.pictures = [picture for picture in measured.pictures if picture.section == section.number]
    script = text_of("script.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        environment()
        .get_template("index.html")
        .render(
            book=book,
            measured=measured,
            source=source,
            style=Markup(text_of("style.css")),
            script=Markup(script),
            digest=digest,
            data=as_data(columns, rows, book),
        )
    )


def text_of(name):
    return (FOLDER / name).read_text(encoding="utf-8")


def environment():
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    found.filters |= {"inline": inline, "blocks": blocks, "python": python, "page_name": page_name}
    found.globals |= {"SHORT": SHORT, "CODES": CODES}
    return found


# Runs, beside each other


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
    notes = {}
    for column in columns:
        notes |= column.notes
    keys = {key for column in columns for key in column.outcomes}
    order = {note: (notes[note]["section"], *_place(note, notes[note])) for note in notes}
    found = []
    for note, device in sorted(keys, key=lambda key: (*order[key[0]], key[1] or "")):
        outcomes = [column.outcomes.get((note, device)) for column in columns]
        codes = "".join(CODES[outcome.verdict] if outcome else verdicts.ABSENT for outcome in outcomes)
        found.append(Row(note, device, codes, outcomes))
    return found


def _place(note, document):
    return note.partition("::")[0], document["line"], note


class Book:
    """Everything there is to read, section by section."""

    def __init__(self, columns, of, sections, rows):
        self.columns, self.of = columns, of
        self.record = of.record
        self.rows_of_note = defaultdict(list)
        for row in rows:
            self.rows_of_note[row.note].append(row)
        self.known = {}
        for column in [*columns, of]:  # what the run itself says counts, then what the newest torch says
            self.known |= column.notes
        self.given = Counter()
        self.sections = list(self._sections(sections))
        self.cards = [card for section in self.sections for card in section.cards]
        self.of_note = {card.node: card for card in self.cards}
        self.failed = [card for card in self.cards if card.verdict == "failed"]
        self.matrix = [row for row in rows if row.differs]
        self.counts = Counter(card.verdict if card.in_run else "absent" for card in self.cards)
        self.marks = Counter(mark for card in self.cards for mark in card.marks.split())

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
            left[_file(node), _function(node)].append(node)
        folder = next((node.rpartition("/")[0] for node in self.known if "/" in node.partition("::")[0]), "tests/notes")
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
                (topic, [self._card(number, pairs[note.file, note.name], note) for note in notes])
                for topic, notes in groupby(section.notes if section else [], key=lambda note: note.topic)
            ]
            if orphans[label]:
                groups.append(
                    (
                        "Not in these sources. A run has them, of another checkout.",
                        [self._card(number, node) for node in orphans[label]],
                    )
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
                groups=groups,
                missing=self.record.document["missing"].get(label, ""),
            )

    def _unique(self, text):
        """The text, with a number behind it where it was given before."""
        while self.given[text]:
            self.given[text] += 1
            text = f"{text}-{self.given[text]}"
        self.given[text] += 1
        return text

    def _card(self, number, node, source=None):
        of_run, known = self.of.notes.get(node), self.known.get(node)
        name = _function(node)
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
        card.announced = sorted({text for result in note["results"] for text in result.get("will_change", ())})
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
        """Which runs say what: one line a device, or one for all where they agree."""
        rows = [(row.where, list(segments(row.codes, self.columns))) for row in card.rows]
        if len({row.codes for row in card.rows}) == 1:
            return [("", rows[0][1])]
        return rows


def _case(result):
    """The row of a note's table, less the device, which stands in front of it."""
    case, device = result["case"], result["device"]
    return case.removeprefix(f"{device}-").removesuffix(f"-{device}") if case != device else ""


def segments(codes, columns):
    place = 0
    for code, same in groupby(codes):
        count = len(list(same))
        yield Segment(code, count, columns[place].name, columns[place + count - 1].name)
        place += count


def _file(node):
    return node.partition("::")[0].rpartition("/")[2]


def _function(node):
    return node.rpartition("::")[2]


def number_of(label):
    """`03` of `03 numpy bridge`; of another label something that can be an identifier."""
    first = label.partition(" ")[0]
    return first if first.isdecimal() and first.isascii() else slug(label) or "0"


def slug(text):
    return re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-")


# What was measured


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

    files = {}
    for entry in bench.document["benchmarks"]:
        path, _, test = entry["fullname"].rpartition("::")
        stem = path.rpartition("/")[2].removesuffix(".py")
        files[entry["group"]] = SECTION_OF.get(test.partition("[")[0], SECTION_OF.get(stem, ""))
    found, drawn = [], []
    for device in bench.devices:
        for kind in ("ratio", "knee"):
            for each in bench.findings(device, kind):
                figure = interval(each) if kind == "ratio" else _knee(each)
                found.append((files[each["group"]], Finding(each["found"], each["verdict"], figure, device)))
    for name, picture in measured.drawn(bench):
        kind = next((kind for kind in SECTION_OF_PICTURE if name.startswith(kind)), "")
        drawn.append(_picture(name, picture, SECTION_OF_PICTURE.get(kind, "")))
    drawn.sort(key=lambda picture: not picture.section)  # what is about one thing comes before the sum of all
    return Measured([bench.caption(device) for device in bench.devices], drawn, found)


def _picture(name, picture, section=""):
    return Picture(name, picture.title, Markup(picture.part(name)), section)


def _knee(finding):
    if not finding["reached"]:
        return "not reached for certain"
    low, high = finding["low"], finding["high"]
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


# Words


def inline(text):
    """A text with its code and its links as such; whatever else is in it is shown as it is."""
    parts = []
    for part in re.split(r"(`+[^`]+`+|https://[^\s<>\"'`]+)", text):
        if part.startswith("`"):
            parts.append(Markup("<code>{}</code>").format(part.strip("`")))
        elif part.startswith("https://"):
            address = part.rstrip(".,;:!?)")
            parts.append(Markup('<a href="{0}">{0}</a>{1}').format(address, part[len(address) :]))
        else:
            parts.append(escape(part))
    return Markup("").join(parts)


def blocks(text):
    """Paragraphs, lists and indented code of a docstring."""
    for block in re.split(r"\n\s*\n", text.strip("\n")):
        lines = block.splitlines()
        if not block.strip():
            continue
        if all(line.startswith("    ") for line in lines):
            yield "code", [line[4:] for line in lines]
        elif re.match(r"[-*] ", lines[0]):
            yield "list", [" ".join(item.split()) for item in re.split(r"^[-*] ", block, flags=re.MULTILINE)[1:]]
        else:
            yield "text", [" ".join(block.split())]


def is_link(text):
    return text.startswith("https://")


def page_name(link):
    """What a link is called: the page, and where it is."""
    try:
        parts = urlsplit(link)
    except ValueError:  # half an address in brackets
        return link, ""
    last = parts.path.rstrip("/").rpartition("/")[2].removesuffix(".html")
    return last or parts.netloc, parts.netloc


CLASSES = {
    Comment: "c",
    Keyword: "k",
    String: "s",
    Number: "m",
    Operator.Word: "k",
    Name.Function: "f",
    Name.Class: "f",
}
"""Of the parts of speech that are coloured; the rest looks like the text around it, and needs no element."""

ELEMENTS = {"k": ("<b>", "</b>"), "m": ("<i>", "</i>")}
"""The commonest of them, which have an element of their own in place of a class."""

LEXER = PythonLexer()


@cache
def python(code):
    """Python with its words coloured; in elements with names as short as can be, for there are thousands of them."""
    parts = []
    for kind, same in groupby(LEXER.get_tokens(code), key=lambda token: _kind(token[0])):
        text = html.escape("".join(text for _, text in same), quote=False)
        begin, end = ELEMENTS.get(kind, (f'<span class="{kind}">', "</span>"))
        parts.append(f"{begin}{text}{end}" if kind else text)
    return Markup("".join(parts).rstrip("\n"))


@cache
def _kind(token):
    return next((name for part, name in CLASSES.items() if token in part), "")


# What the script knows


def as_data(columns, rows, book):
    """What a browser needs to compare any two runs, as JSON; the words and the order are those of `compare`."""
    notes = list(dict.fromkeys(row.note for row in rows))
    number = {note: place for place, note in enumerate(notes)}
    section = {}
    for column in columns:
        section |= {note: document["section"] for note, document in column.notes.items()}
    ranks = sorted(set(section.values()))
    devices = sorted({row.device for row in rows}, key=lambda device: device or "")
    outcomes = [outcome for row in rows for outcome in row.outcomes if outcome]
    reasons = list(dict.fromkeys(outcome.reason for outcome in outcomes if outcome.reason))
    at = {reason: place for place, reason in enumerate(reasons)}
    announced = sorted({text for outcome in outcomes for text in outcome.will_change})
    keys = []
    for row in rows:
        why = [at.get(outcome.reason, -1) for outcome in row.outcomes if outcome and outcome.verdict != "held"]
        soon = {
            place: sorted(announced.index(text) for text in outcome.will_change)
            for place, outcome in enumerate(row.outcomes)
            if outcome and outcome.will_change
        }
        keys.append(
            [number[row.note], devices.index(row.device), row.codes, *([why, soon] if soon else [why] if why else [])]
        )
    document = {
        "columns": [
            {"name": column.name, "about": column.record.about(), "order": _order(column, number, rows)}
            for column in columns
        ],
        "of": columns.index(book.of),
        "notes": [
            [_function(note), book.of_note[note].id, ranks.index(section[note]), *_crossings(book.of_note[note])]
            for note in notes
        ],
        "devices": [[device, verdicts.place(device)] for device in devices],
        "keys": keys,
        "reasons": reasons,
        "announced": announced,
        "kinds": [[kind, compare.EXPLAINED[kind]] for kind in compare.KINDS],
        "crossings": [*compare.CROSSINGS.items()],
        "crossedKinds": [compare.KINDS.index(kind) for kind in compare.CROSSED],
        "kindOf": {
            one + other: compare.KINDS.index(kind)
            for before, one in CODES.items()
            for after, other in CODES.items()
            if (kind := compare.kind_of(reader.Outcome(before), reader.Outcome(after)))
        },
        "announcedKinds": [compare.KINDS.index(compare.ANNOUNCED), compare.KINDS.index(compare.WITHDRAWN)],
        "absent": [compare.NO_NOTE, compare.NO_RESULT, compare.NOT_ON],
        "verdicts": {code: verdict for verdict, code in CODES.items()},
        "short": SHORT,
    }
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace("&", "\\u0026"))


def _crossings(card):
    """The boundaries of a note that say what crossing them does, with the place of that in `compare.CROSSINGS`."""
    said = [[each["requirement"], compare.GRAVITY[each["change"]]] for each in card.markers if "change" in each]
    return [said] if said else []


def _order(column, number, rows):
    """The reading order of a run as numbers of notes; nothing where it is that of the page."""
    order = [number[note] for note in column.notes]
    return [] if order == sorted(order) else order
