"""`python -m torchnotes page`: it has every note, escapes every text, and is the same for the same records."""

import copy
import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser

import prompt
import pytest
from packaging.requirements import Requirement
from test_notes import EVERY_NOTE, NOTES
from test_page import ROOT, a_record, broken, elsewhere, failed, held, note, page, unchecked, written

from torchnotes.changes import compare, counts
from torchnotes.harness import versions
from torchnotes.note import words
from torchnotes.page import build
from torchnotes.reading import sources
from torchnotes.record import reader

RECORDS = sorted((ROOT / "records").glob("torch-*.json"))
SECTIONS = sources.read(NOTES)
WRITTEN = [each for section in SECTIONS for each in section.notes]

HOSTILE = "</script></style><script>pwned=1</script><img src=x onerror=pwned=1>\"'` {{ 7*7 }} <!-- ]]> &lt; \u2028"
JAVASCRIPT = "javascript:pwned=1"


class Tree(HTMLParser):
    """A page as its elements, one after another: name, attributes, and the text inside."""

    EMPTY = {"meta", "link", "input", "img", "br", "hr"}

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.elements, self.open, self.pieces = [], [], []  # each open element with the number of pieces before it
        self.feed(html)
        self.close()
        self._end(0)

    def _end(self, depth):
        for element, start in self.open[depth:]:
            element["text"] = "".join(self.pieces[start:])
        del self.open[depth:]

    def handle_starttag(self, tag, attrs):
        within = [each["attrs"].get("id") for each, _ in self.open]
        element = {"tag": tag, "attrs": dict(attrs), "text": "", "within": within}
        self.elements.append(element)
        if tag not in self.EMPTY:
            self.open.append((element, len(self.pieces)))

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.EMPTY:
            self._end(len(self.open) - 1)

    def handle_endtag(self, tag):
        depths = [depth for depth, (element, _) in enumerate(self.open) if element["tag"] == tag]
        self._end(depths[-1] if depths else 0)

    def handle_data(self, data):
        self.pieces.append(data)

    def all(self, tag=None, within=None, **attributes):
        wanted = {name.rstrip("_"): value for name, value in attributes.items()}
        return [
            element
            for element in self.elements
            if tag in (None, element["tag"])
            and (within is None or within in element["within"])
            and all(
                value in (element["attrs"].get(name) or "").split()
                if name == "class"
                else element["attrs"].get(name) == value
                for name, value in wanted.items()
            )
        ]

    def one(self, *names, **attributes):
        (element,) = self.all(*names, **attributes)
        return element


def html_of(*runs, sources=(), of=None, **more):
    columns = build.columns_of(runs)
    speaking = next(column for column in columns if column.record is (of or runs[-1]))
    return build.page(columns, speaking, list(sources), **more)


def sources_in(folder, text, name="test_01_first.py"):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    return sources.read(folder)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The page of all records, built as anybody builds it."""
    folder = tmp_path_factory.mktemp("site")
    result = page("page", *RECORDS, "--out", folder)
    assert result.stderr == ""
    assert result.returncode == 0
    assert result.stdout.strip() == str(folder / "index.html")
    return (folder / "index.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def tree(whole):
    return Tree(whole)


def test_every_note_has_its_card(tree):
    cards = {card["attrs"]["id"] for card in tree.all("article", class_="note")}

    wanted = {
        f"s{path.stem[5:7]}-{node.name.removeprefix('test_')}" for path, node in (each.values for each in EVERY_NOTE)
    }

    assert wanted <= cards


def test_a_card_says_what_its_note_says(tree):
    name = "s03-from_numpy_shares_memory"
    (card,) = [each for each in tree.all("article", class_="note") if each["attrs"]["id"] == name]
    (source,) = [each for each in WRITTEN if each.name == "test_from_numpy_shares_memory"]

    assert card["attrs"]["data-section"] == "03"
    assert card["attrs"]["data-verdict"] == "held"
    assert source.claim.replace("`", "") in card["text"]
    assert source.explanation.replace("`", "") in card["text"]
    assert source.code in tree.one("pre", within=name, class_="code")["text"]
    assert "import numpy as np" in tree.one("details", within=name, class_="uses")["text"]
    assert tree.one("a", within=name, class_="docs")["attrs"]["href"] == source.links[0]
    assert tree.one("a", within=name, class_="permalink")["attrs"]["href"] == f"#{name}"
    assert f"tests/notes/test_03_numpy_bridge.py:{source.line}" in card["text"]
    assert '"""' not in tree.one("pre", within=name, class_="code")["text"]


def test_what_others_build_on_is_there(tree):
    assert [each["attrs"]["id"] for each in tree.all("section", class_="view")] == ["notes", "versions", "measurements"]
    assert [each["attrs"]["id"] for each in tree.all("section", class_="section")] == [f"s{n:02}" for n in range(1, 18)]
    assert {each["attrs"]["value"] for each in tree.all("input", class_="filter")} >= {
        "myth", "holds", "advice", "device", "unchecked", "failed", "change",
    }  # fmt: skip
    for tag, id in [
        ("input", "search"),
        ("select", "filter-section"),
        ("output", "shown"),
        ("table", "matrix"),
        ("input", "matrix-all"),
        ("select", "before"),
        ("select", "after"),
        ("div", "changes"),
        ("button", "theme"),
        ("script", "data"),
    ]:
        tree.one(tag, id=id)
    cards = len(tree.all("article", class_="note"))  # those of older runs too, whose notes have another name by now
    assert tree.one("output", id="shown")["text"] == f"{cards} of {cards} notes"
    assert len(tree.one("select", id="before")["text"].split("torch ")) == len(RECORDS) + 1
    assert tree.all("section", id="failures") == []


def test_ids_are_unique_and_links_lead_somewhere(tree):
    ids = [element["attrs"]["id"] for element in tree.elements if "id" in element["attrs"]]

    assert len(ids) == len({*ids})
    for element in tree.all("a"):
        address = element["attrs"]["href"]
        assert address.startswith("https://") or address.removeprefix("#") in ids


def test_nothing_is_asked_of_a_network(tree):
    assert tree.one("meta", **{"http-equiv": "Content-Security-Policy"})["attrs"]["content"].startswith(
        "default-src 'none'"
    )
    for element in tree.elements:
        assert element["tag"] not in {"img", "iframe", "object", "embed", "base", "audio", "video"}
        assert "src" not in element["attrs"]
        if element["tag"] == "link":
            assert element["attrs"]["href"] == "data:,"


def test_the_matrix_has_a_row_for_what_is_not_the_same_everywhere(tree):
    runs = [reader.read(path) for path in RECORDS]
    verdicts = {}
    for run in runs:
        for key, outcome in run.outcomes().items():
            verdicts.setdefault(key, set()).add(outcome.verdict)
    differing = [key for key, found in verdicts.items() if len(found) > 1]

    assert len(tree.all("td", within="matrix")) == len(differing) * len(RECORDS)


def test_failures_come_first_with_what_they_teach():
    broken_note = failed() | {"explanation": ["claim:   it", "found:   assert 1 == 2", "likely:  1. a broken install"]}
    tree = Tree(html_of(a_record(note("test_it", broken_note), note("test_other", held()))))

    section = tree.one("section", id="failures")
    assert "likely:  1. a broken install" in section["text"]
    assert tree.all("a", within="failures")[0]["attrs"]["href"] == "#s01-it"
    assert [each["attrs"]["data-verdict"] for each in tree.all("article", class_="note")] == ["failed", "held"]


HOSTILE_NOTES = '''\
"""A section {text}

An introduction {text} javascript:pwned=1
"""

import pytest


@pytest.mark.myth({literal})
@pytest.mark.parametrize("value", [{literal}], ids=[{literal}])
def test_it(value):
    """A claim {text}

    An explanation {text} [x](javascript:pwned=1)

    https://docs.pytorch.org/"onmouseover="pwned=1
    """
    text = {literal}  # {comment}

    assert text
'''


def test_whatever_a_text_holds_it_stays_a_text(tmp_path):
    text = HOSTILE.replace("\u2028", "")
    sources = sources_in(tmp_path / "notes", HOSTILE_NOTES.format(text=text, literal=repr(HOSTILE), comment=text))
    worst = failed(reason=HOSTILE) | {"explanation": [HOSTILE], "will_change": [HOSTILE], "case": HOSTILE}
    record = a_record(
        note("test_it", worst, claim=HOSTILE),
        note("test_other", unchecked(device=HOSTILE, reason=HOSTILE), claim=HOSTILE, section=f"01 {HOSTILE}"),
        note(f"test_{HOSTILE}", held(), section=f'"><{HOSTILE}'),
        note("test_more", elsewhere(reason=HOSTILE)),
    )
    record.document["environment"] |= {"build": HOSTILE, "platform": HOSTILE}
    record.document["made"] = HOSTILE
    record.document["missing"] = {HOSTILE: HOSTILE}
    for each, link in zip(
        record.document["notes"], [JAVASCRIPT, f'https://x/"onclick="{HOSTILE}', "data:,x", ""], strict=True
    ):
        each["link"] = link
        each["markers"] = [
            {"name": "myth", "text": HOSTILE},
            {"name": "advice", "text": HOSTILE},
            {"name": "holds", "requirement": HOSTILE, "otherwise": [HOSTILE]},
        ]

    html = html_of(record, a_record(note("test_it", held()), torch="2.6.0"), sources=sources, of=record)

    tree = Tree(html)
    assert [each["attrs"].get("type") for each in tree.all("script")] == ["application/json", None]
    assert len(tree.all("style")) == 1
    assert tree.all("img") == []
    assert html.count("<!--") == 0
    for element in tree.elements:
        assert not [name for name in element["attrs"] if name.startswith("on")]
        assert element["attrs"].get("href", "#").startswith(("#", "https://", "data:,"))
    ids = [element["attrs"]["id"] for element in tree.elements if "id" in element["attrs"]]
    assert len(ids) == len({*ids})
    assert all(re.fullmatch(r"[\w-]+", id) for id in ids)
    assert "<img src=x onerror=pwned=1>" in tree.one("section", id="failures")["text"]
    assert "{{ 7*7 }}" in tree.one("section", id="failures")["text"]
    assert json.loads(tree.one("script", id="data")["text"])["reasons"] == [HOSTILE]


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return held(case="", reason="", seconds=0.1, values=[{"kind": "memory", "of": {"x": value}}])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (json.dumps(a_record(note("test_it", held())).document)[:-40], "is not whole JSON (line 1"),
        (broken(lambda d: d.update(version=2)), "version 2 is newer than what this `page` reads, 1"),
        (broken(lambda d: d["notes"][0].pop("claim")), "'claim' is a required property"),
        ("[]", "is not a record"),
        (broken(lambda d: d["environment"].update(torch="2." + "9" * 5000)), "$.environment.torch: "),
        (broken(lambda d: d.update(made="tomorrow")), "$.made: Invalid isoformat string: 'tomorrow'"),
        (broken(lambda d: d["notes"].append(d["notes"][0])), "::test_it' is there 2 times"),
        (broken(lambda d: d["notes"][0]["results"][0].update(seconds=float("nan"))), "JSON has no number NaN"),
        (broken(lambda d: d.update(missing={"a\nb": 1})), "1 is not of type 'string'"),
        (broken(lambda d: d["notes"][0].update(results=[nested(300)])), "too deep"),
    ],
)
def test_a_record_that_cannot_be_used_is_named_with_the_reason(tmp_path, content, reason):
    good, bad = written(tmp_path, "good.json", a_record(note("test_it", held()))), tmp_path / "bad.json"
    bad.write_text(content, encoding="utf-8")

    for options in [(good, bad), (good, "--of", bad)]:
        result = page("page", *options, "--out", tmp_path / "site")

        assert result.returncode == 2
        (line,) = result.stderr.splitlines()
        assert line.startswith(f"python -m torchnotes: {bad}: ")
        assert reason in line
        assert not (tmp_path / "site").exists()


def test_sources_measurements_and_addresses_are_looked_at_too(tmp_path):
    good = written(tmp_path, "good.json", a_record(note("test_it", held())))
    bad = tmp_path / "notes" / "test_01_first.py"
    bad.parent.mkdir()
    bad.write_text("def test_it(:", encoding="utf-8")
    empty = tmp_path / "empty"
    empty.mkdir()

    for option, value, said in [
        ("--notes", bad.parent, f"python -m torchnotes: {bad}: is not Python (line 1: "),
        ("--notes", empty, f"python -m torchnotes: {empty}: there are no notes in it"),
        ("--bench", good, f"python -m torchnotes: {good}: is not what pytest-benchmark writes"),
        (
            "--source",
            JAVASCRIPT,
            "python -m torchnotes page: error: argument --source: 'javascript:pwned=1': write an address",
        ),
    ]:
        result = page("page", good, option, value, "--out", tmp_path / "site")

        assert result.returncode == 2
        assert result.stderr.splitlines()[-1].startswith(said)


def test_what_is_said_of_a_malformed_record_is_short():
    with pytest.raises(reader.BadRecord) as refusal:
        reader.check("a.json", a_record().document | {"notes": {"x": "y" * 10_000}})

    assert len(str(refusal.value)) < 600
    assert str(refusal.value).endswith("is not of type 'array'")


def test_the_newest_run_is_the_newest_in_whatever_zone(tmp_path):
    east, west = a_record(note("test_it", held())), a_record(note("test_it", failed()))
    east.document["made"], west.document["made"] = "2026-01-02T01:00:00+09:00", "2026-01-01T20:00:00Z"
    runs = written(tmp_path, "east.json", east), written(tmp_path, "west.json", west)

    assert page("page", *runs, "--out", tmp_path).returncode == 0

    html = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert 'id="failures"' in html


def test_two_files_of_one_name_have_their_own_cards(tmp_path):
    one, other = note("test_it", held()), note("test_it", failed())
    other["note"] = "elsewhere/" + one["note"]

    tree = Tree(html_of(a_record(one, other), sources=sources_in(tmp_path / "notes", "def test_it():\n    pass\n")))

    assert sorted(card["attrs"]["data-verdict"] for card in tree.all("article", class_="note")) == ["failed", "held"]


def test_half_an_address_is_shown_as_it_is():
    odd = note("test_it", held()) | {"link": "https://[::1"}

    assert Tree(html_of(a_record(odd))).one("a", class_="docs")["text"].strip() == "https://[::1"


@pytest.mark.parametrize(
    "text",
    [
        '@pytest.mark.parametrize("a, b", [(1, 2, 3)])\ndef test_it(a, b):\n    pass\n',
        "@pytest.mark.parametrize(argnames='a', argvalues=[1])\ndef test_it(a):\n    pass\n",
        "@pytest.mark.only('cuda', because=WHY)\ndef test_it():\n    pass\n",
    ],
)
def test_a_note_that_cannot_be_shown_is_named_with_its_file_and_line(tmp_path, text):
    with pytest.raises(reader.BadRecord, match=r"test_01_first\.py: line 1: test_it: it is written in a way"):
        sources_in(tmp_path / "notes", text)


def test_sources_may_begin_with_a_mark_and_may_not_be_nested_without_end(tmp_path):
    (section,) = sources_in(tmp_path / "marked", '\ufeff"""First."""\n')
    assert section.title == "First."

    with pytest.raises(reader.BadRecord, match=r"test_01_first\.py: "):
        sources_in(tmp_path / "nested", "x = " + "-" * 20_000 + "1\n")


def test_a_cell_of_the_table_of_counts_is_one_cell():
    odd = a_record(note("test_it", held()), python="3.1\n| 4")

    *_, row = counts.as_markdown([odd])

    assert row == "| 2.5.1 | 3.1 \\| 4 | 2.0.0 | 1 | 0 | 0 | 0 | 0 |"


def test_the_same_records_give_the_same_bytes(tmp_path):
    pages = []
    for seed in ("1", "2"):
        command = [sys.executable, "-m", "torchnotes", "page", *map(str, RECORDS[:3]), "--out", str(tmp_path / seed)]
        subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": seed}, check=True, capture_output=True)
        pages.append((tmp_path / seed / "index.html").read_bytes())

    assert pages[0] == pages[1]
    assert str(tmp_path).encode() not in pages[0]
    assert str(ROOT).encode() not in pages[0]


def large(version, devices=("cpu", "cuda", "mps")):
    """A record of 300 notes on three devices, with boundaries of all sorts."""
    found = []
    for number in range(300):
        results = []
        for place, device in enumerate(devices):
            if number % 16 < version:
                results.append(held(device))
            elif number % 3 == place:
                results.append(failed(device, reason=f"assert {number} == {version}"))
            else:
                results.append(
                    elsewhere(f"holds only with torch>=2.{number % 16} (here 2.{version})") | {"device": device}
                )
        claim = f"Claim {number}, which is a sentence about as long as those in the notes are: neither short nor long."
        found.append(note(f"test_{number}", *results, section=f"{number // 18 + 1:02} section", claim=claim))
    return a_record(*found, torch=f"2.{version}.0")


def test_a_large_page_stays_below_three_megabytes(tmp_path):
    runs = [large(version) for version in range(16)]
    folder = tmp_path / "notes"
    longest = sorted(WRITTEN, key=lambda each: len(each.code), reverse=True)[:300]
    for section in range(1, 18):
        text = ['"""A section.\n\nIt has an introduction.\n"""\n', "import torch\n"]
        for number in range((section - 1) * 18, min(section * 18, 300)):
            body = "\n".join(f"    {line}" for line in longest[number].code.split("\n"))
            text.append(
                f'\n\ndef test_{number}(device):\n    """A claim.\n\n    {"Why it matters. " * 20}\n    """\n{body}\n'
            )
        sources = sources_in(folder, "".join(text), f"test_{section:02}_section.py")

    html = html_of(*runs, sources=sources)

    assert len(Tree(html).all("article", class_="note")) == 300
    assert len(html.encode()) < 3_000_000


def test_each_column_has_a_name_of_its_own():
    one = a_record(note("test_it", held()), torch="2.6.0+cpu")
    gpu = a_record(note("test_it", held(), held("cuda")), torch="2.6.0+cu124")
    gpu.environment["devices"] = [*gpu.environment["devices"], {"name": "cuda", "description": None, "problem": None}]
    mac = copy.deepcopy(one)
    mac.environment["platform"] = "Darwin"
    again, old = copy.deepcopy(one), a_record(note("test_it", held()), torch="2.10.0")

    names = [column.name for column in build.columns_of([old, mac, gpu, one, again])]

    assert len({*names}) == 5
    assert [name.split()[0] for name in names] == ["2.6.0"] * 4 + ["2.10.0"]
    assert names[-1] == "2.10.0"
    assert sum("cuda" in name for name in names) == 1
    assert sum("Darwin" in name for name in names) == 1


def test_what_only_a_run_or_only_the_sources_have_is_shown_and_said(tmp_path):
    sources = sources_in(
        tmp_path / "notes", '"""A section."""\n\n\ndef test_new():\n    """A new claim."""\n    assert True\n'
    )
    older, record = a_record(note("test_first", held()), torch="2.4.0"), a_record(note("test_old", held()))

    tree = Tree(html_of(older, record, sources=sources))

    cards = {card["attrs"]["id"]: card for card in tree.all("article", class_="note")}
    assert cards.keys() == {"s01-new", "s01-old", "s01-first"}
    assert "not in this run" in cards["s01-new"]["text"]
    assert cards["s01-new"]["attrs"]["data-verdict"] == "unchecked"
    assert "do not have this note" in cards["s01-old"]["text"]
    assert cards["s01-old"]["attrs"]["data-verdict"] == "held"
    assert "not in this run" in cards["s01-first"]["text"]


def test_a_claim_that_was_worded_otherwise_in_the_run_is_said(tmp_path):
    sources = sources_in(
        tmp_path / "notes", '"""A section."""\n\n\ndef test_it():\n    """It is so."""\n    assert True\n'
    )

    html = html_of(a_record(note("test_it", held(), claim="It was so.")), sources=sources)

    assert "The run checked another wording: It was so." in Tree(html).one("article", id="s01-it")["text"]


def test_the_page_speaks_of_the_newest_run_or_of_the_one_that_is_named(tmp_path):
    old, new = a_record(note("test_it", held()), torch="2.6.0"), a_record(note("test_it", held()), torch="2.5.0")
    new.document["made"] = "2026-02-01T00:00:00+00:00"
    paths = written(tmp_path, "old.json", old), written(tmp_path, "new.json", new)
    sources_in(tmp_path / "notes", '"""A section."""')

    for options, torch in [((), "2.5.0"), (("--of", paths[0]), "2.6.0")]:
        page("page", *paths, *options, "--notes", tmp_path / "notes", "--out", tmp_path)
        html = (tmp_path / "index.html").read_text(encoding="utf-8")
        assert f"This run: torch {torch}" in Tree(html).one("h2", id="summary-title")["text"]


def test_the_page_has_the_words_of_compare(tree):
    data = json.loads(tree.one("script", id="data")["text"])

    assert [kind for kind, _ in data["kinds"]] == list(compare.KINDS)
    assert data["absent"] == [compare.NO_NOTE, compare.NO_RESULT, compare.NOT_ON]


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("`a < b` and c", "<code>a &lt; b</code> and c"),
        ("``x``", "<code>x</code>"),
        ("see https://pytorch.org/docs.", 'see <a href="https://pytorch.org/docs">https://pytorch.org/docs</a>.'),
        ("javascript:x http://a.b", "javascript:x http://a.b"),
        ("a lonely ` stays", "a lonely ` stays"),
    ],
)
def test_code_and_links_in_a_text(text, html):
    assert build.inline(text) == html


def test_lists_and_code_in_a_docstring():
    text = "One\nparagraph.\n\n- a\n  thing\n- another\n\n    x = 1\n    y = 2"

    assert list(build.blocks(text)) == [
        ("text", ["One paragraph."]),
        ("list", ["a thing", "another"]),
        ("code", ["x = 1", "y = 2"]),
    ]


def test_a_docstring_may_end_with_several_pages():
    assert words("A claim\nin two lines.\n\nWhy: https://a.b/c says so.\n\nhttps://a.b/1\nhttps://a.b/2") == (
        "A claim in two lines.",
        "Why: https://a.b/c says so.",
        ["https://a.b/1", "https://a.b/2"],
    )


def test_a_prompt_wants_blank_lines_behind_blocks_and_none_in_them():
    code = 'for x in y:\n    a\n\n    b\nc\n\ntext = """\n\n"""\nif d:\n    e\nelse:\n    f\n'

    assert sources.for_a_prompt(code.rstrip("\n")) == (
        'for x in y:\n    a\n    b\n\nc\n\ntext = """\n\n"""\nif d:\n    e\nelse:\n    f'
    )


def holds_here(each):
    return all(
        versions.is_met(Requirement(marker["requirement"])) for marker in each.markers if marker["name"] == "holds"
    )


def test_what_is_copied_runs_line_by_line_at_a_prompt(tmp_path, monkeypatch):
    """Each note alone in a plain process: what warns once per process warns there, and nothing of pytest is set."""
    monkeypatch.chdir(tmp_path)
    able = [each for each in WRITTEN if not each.needs]

    found = prompt.outcomes([f"{each.uses}\n\n{each.code}\n" for each in able])

    failures = {f"{each.file}::{each.name}": text for each, text in zip(able, found, strict=True) if text}
    beyond = {f"{each.file}::{each.name}" for each in able if not holds_here(each)}
    assert {name: text for name, text in failures.items() if name not in beyond} == {}
    assert beyond - failures.keys() == set()
    assert len(able) > 0.9 * len(WRITTEN)


def test_a_prompt_is_a_plain_process_for_each_text():
    once = "import warnings\nwith warnings.catch_warnings(record=True) as caught:\n    x.T\n\nassert len(caught) == 1\n"
    texts = [
        "import torch\nassert not torch.is_warn_always_enabled()\n",
        *2 * [f"import torch\nx = torch.ones(1, 1, 1)\n{once}"],
    ]

    assert prompt.outcomes(texts) == [None, None, None]


def test_a_prompt_says_what_fails_what_is_unfinished_and_what_ends_the_process():
    failed, unfinished, ended = prompt.outcomes(["assert 1 == 2", "x = (1,", "import os\nos._exit(3)"])

    assert failed.strip().endswith("AssertionError")
    assert unfinished == "the code ends in the middle of a statement"
    assert ended == "no answer: the process ended with exit code 3"


def test_what_a_prompt_cannot_give_is_said():
    needs = {each.name: each.needs for each in WRITTEN if each.needs}

    assert {*needs.values()} == {"pytest", "an accelerator", "a file or a notebook, for TorchScript reads the source"}
    assert needs["test_it_draws_to_stderr"] == "pytest"
