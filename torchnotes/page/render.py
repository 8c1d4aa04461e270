"""One page of HTML, complete in itself: the notes with their verdicts, what changed between runs, what was measured."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import jinja2
from markupsafe import Markup

from torchnotes import note as notes
from torchnotes.page.data import as_data
from torchnotes.page.measured import measurements, part_of_page
from torchnotes.page.model import CODES
from torchnotes.page.words import blocks, capital, inline, page_name, text

FOLDER = Path(__file__).parent

SCRIPTS = (
    "scripts/common.js",
    "vendor/prism.js",
    "vendor/minisearch.js",
    "scripts/code.js",
    "scripts/versions.js",
    "scripts/search.js",
    "scripts/page.js",
)
"""One script together, in this order."""


def page(book, bench=None, source="", explained=None):
    """The HTML of the page: what there is to read, what was measured, where the sources are, pictures of notes."""
    for node, drawn in (explained or {}).items():
        book.of_note[node].pictures = [
            part_of_page(f"{book.of_note[node].id}-{n}", each) for n, each in enumerate(drawn, 1)
        ]
    measured = measurements(bench) if bench else None
    if measured:
        for section in book.sections:
            section.findings = [each for number, each in measured.findings if number == section.number]
            section.pictures = [picture for picture in measured.pictures if picture.section == section.number]
    script = "".join(map(text_of, SCRIPTS))
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
            data=as_data(book, json.loads(text_of("synonyms.json"))),
            start=path_of(json.loads(text_of("start.json")), book),
        )
    )


def path_of(stages, book):
    """The cards of the way from easy to hard, stage by stage; what is not on this page is left out."""
    cards = {notes.name(card.node): card for card in book.cards}
    found = [(title, [cards[name] for name in names if name in cards]) for title, names in stages.items()]
    return [(title, some) for title, some in found if some]


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
    found.filters |= {"inline": inline, "blocks": blocks, "page_name": page_name, "capital": capital, "text": text}
    found.globals["CODES"] = CODES
    return found
