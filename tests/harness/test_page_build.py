"""`python -m torchnotes page`: it has every note, escapes every text, and is the same for the same records."""

import ast
import copy
import json
import os
import re
import subprocess
import sys
from collections import Counter

import jsonschema
import prompt
import pytest
from builders import ROOT, a_record, broken, command, elsewhere, failed, held, note, unchecked, written
from packaging.requirements import Requirement
from selectolax.lexbor import LexborHTMLParser as Page
from test_notes import EVERY_NOTE, NOTES

from torchnotes.changes import compare, counts
from torchnotes.harness import versions
from torchnotes.measuring import bench as benches
from torchnotes.note import words
from torchnotes.page import behaviour, data, model, render, words as of_the_page
from torchnotes.reading import sources
from torchnotes.record import reader

RECORDS = sorted((ROOT / "records").glob("torch-*.json"))
SECTIONS = sources.read(NOTES)
WRITTEN = [each for section in SECTIONS for each in section.notes]

HOSTILE = "</script></style><script>pwned=1</script><img src=x onerror=pwned=1>\"'` {{ 7*7 }} <!-- ]]> &lt; \u2028"
JAVASCRIPT = "javascript:pwned=1"


def html_of(*runs, sources=(), of=None, **more):
    columns = model.columns_of(runs)
    speaking = next(column for column in columns if column.record is (of or runs[-1]))
    return render.page(model.Book(columns, speaking, list(sources)), **more)


def sources_in(folder, text, name="test_01_first.py"):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    return sources.read(folder)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The page of all records, built as anybody builds it."""
    folder = tmp_path_factory.mktemp("site")
    result = command("page", *RECORDS, "--out", folder)
    assert result.stderr == ""
    assert result.returncode == 0
    assert result.stdout.strip() == str(folder / "index.html")
    return folder


@pytest.fixture(scope="module")
def whole(site):
    return (site / "index.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def tree(whole):
    return Page(whole)


def test_every_note_has_its_card(tree):
    cards = {card.attributes["id"] for card in tree.css("article.note")}

    wanted = {
        f"s{path.stem[5:7]}-{node.name.removeprefix('test_')}" for path, node in (each.values for each in EVERY_NOTE)
    }

    assert wanted <= cards


def test_a_card_says_what_its_note_says(tree):
    name = "s03-from_numpy_shares_memory"
    card = tree.css_first(f"article#{name}")
    (source,) = [each for each in WRITTEN if each.name == "test_from_numpy_shares_memory"]

    assert tree.css_first(f"section#s03 article#{name}")
    assert card.attributes["data-is"].split()[0] == "held"
    assert source.claim.replace("`", "") in card.css_first("h3, h4").text()
    assert source.explanation.replace("`", "") in card.text()
    assert source.code in tree.css_first(f"#{name} pre.code").text()
    assert "import numpy as np" in tree.css_first(f"#{name} details.uses").text()
    assert tree.css_first(f"#{name} .links a").attributes["href"] == source.links[0]
    assert f"tests/notes/test_03_numpy_bridge.py:{source.line}" in card.text()
    assert '"""' not in tree.css_first(f"#{name} pre.code").text()


def test_what_others_build_on_is_there(tree):
    assert [each.attributes["id"] for each in tree.css("section.view")] == ["notes", "versions", "measurements"]
    assert [each.attributes["id"] for each in tree.css("section.section")] == [f"s{n:02}" for n in range(1, 18)]
    assert {each.attributes["value"] for each in tree.css("input.filter")} >= {
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
        assert tree.css_first(f"{tag}#{id}"), id
    cards = len(tree.css("article.note"))  # those of older runs too, whose notes have another name by now
    assert tree.css_first("output#shown").text() == f"{cards} of {cards} notes"
    assert len(tree.css_first("select#before").text().split("torch ")) == len(RECORDS) + 1
    assert tree.css("section#failures") == []


def test_ids_are_unique_and_links_lead_somewhere(tree):
    ids = [element.attributes["id"] for element in tree.css("*") if "id" in element.attributes]

    assert len(ids) == len({*ids})
    for element in tree.css("a"):
        address = element.attributes["href"]
        assert address.startswith("https://") or address.removeprefix("#") in ids


def test_nothing_is_asked_of_a_network(tree):
    assert (
        tree.css_first("meta[http-equiv=Content-Security-Policy]")
        .attributes["content"]
        .startswith("default-src 'none'")
    )
    for element in tree.css("*"):
        assert element.tag not in {"img", "iframe", "object", "embed", "base", "audio", "video"}
        assert "src" not in element.attributes
        if element.tag == "link":
            assert element.attributes["href"] == "data:,"


def test_the_matrix_has_a_row_for_what_is_not_the_same_everywhere(tree):
    runs = [reader.read(path) for path in RECORDS]
    verdicts = {}
    for run in runs:
        for key, outcome in run.outcomes.items():
            verdicts.setdefault(key, set()).add(outcome.verdict)
    differing = [key for key, found in verdicts.items() if len(found) > 1]

    spans = [int(cell.attributes.get("colspan", 1)) for cell in tree.css("#matrix td")]
    assert sum(spans) == len(differing) * len(RECORDS)


def test_failures_come_first_with_what_they_teach():
    broken_note = failed() | {"explanation": ["claim:   it", "found:   assert 1 == 2", "likely:  1. a broken install"]}
    tree = Page(html_of(a_record(note("test_it", broken_note), note("test_other", held()))))

    section = tree.css_first("section#failures")
    assert "likely:  1. a broken install" in section.text()
    assert tree.css("#failures a")[0].attributes["href"] == "#s01-it"
    assert [each.attributes["data-is"] for each in tree.css("article.note")] == ["failed device", "held device"]


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

    tree = Page(html)
    assert [each.attributes.get("type") for each in tree.css("script")] == ["application/json", None]
    assert len(tree.css("style")) == 1
    assert tree.css("img") == []
    assert html.count("<!--") == 0
    for element in tree.css("*"):
        assert not [name for name in element.attributes if name.startswith("on")]
        assert element.attributes.get("href", "#").startswith(("#", "https://", "data:,"))
    ids = [element.attributes["id"] for element in tree.css("*") if "id" in element.attributes]
    assert len(ids) == len({*ids})
    assert all(re.fullmatch(r"[\w-]+", id) for id in ids)
    assert "<img src=x onerror=pwned=1>" in tree.css_first("section#failures").text()
    assert "{{ 7*7 }}" in tree.css_first("section#failures").text()
    assert HOSTILE in json.loads(tree.css_first("script#data").text())["texts"]


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
        result = command("page", *options, "--out", tmp_path / "site")

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
        result = command("page", good, option, value, "--out", tmp_path / "site")

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

    assert command("page", *runs, "--out", tmp_path).returncode == 0

    html = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert 'id="failures"' in html


def test_two_files_of_one_name_have_their_own_cards(tmp_path):
    one, other = note("test_it", held()), note("test_it", failed())
    other["note"] = "elsewhere/" + one["note"]

    tree = Page(html_of(a_record(one, other), sources=sources_in(tmp_path / "notes", "def test_it():\n    pass\n")))

    assert sorted(card.attributes["data-is"] for card in tree.css("article.note")) == ["failed device", "held device"]


def test_half_an_address_is_shown_as_it_is():
    odd = note("test_it", held()) | {"link": "https://[::1"}

    assert Page(html_of(a_record(odd))).css_first(".links a").text().strip() == "https://[::1"


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

    assert len(Page(html).css("article.note")) == 300
    assert len(html.encode()) < 3_000_000


def test_each_column_has_a_name_of_its_own():
    one = a_record(note("test_it", held()), torch="2.6.0+cpu")
    gpu = a_record(note("test_it", held(), held("cuda")), torch="2.6.0+cu124")
    gpu.environment["devices"] = [*gpu.environment["devices"], {"name": "cuda", "description": None, "problem": None}]
    mac = copy.deepcopy(one)
    mac.environment["platform"] = "Darwin"
    again, old = copy.deepcopy(one), a_record(note("test_it", held()), torch="2.10.0")

    names = [column.name for column in model.columns_of([old, mac, gpu, one, again])]

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

    tree = Page(html_of(older, record, sources=sources))

    cards = {card.attributes["id"]: card for card in tree.css("article.note")}
    assert cards.keys() == {"s01-new", "s01-old", "s01-first"}
    assert "not in this run" in cards["s01-new"].text()
    assert cards["s01-new"].attributes["data-is"].split()[0] == "unchecked"
    assert "do not have this note" in cards["s01-old"].text()
    assert cards["s01-old"].attributes["data-is"].split()[0] == "held"
    assert "not in this run" in cards["s01-first"].text()


def test_a_claim_that_was_worded_otherwise_in_the_run_is_said(tmp_path):
    sources = sources_in(
        tmp_path / "notes", '"""A section."""\n\n\ndef test_it():\n    """It is so."""\n    assert True\n'
    )

    html = html_of(a_record(note("test_it", held(), claim="It was so.")), sources=sources)

    assert "The run checked another wording: It was so." in Page(html).css_first("article#s01-it").text()


def test_the_page_speaks_of_the_newest_run_or_of_the_one_that_is_named(tmp_path):
    old, new = a_record(note("test_it", held()), torch="2.6.0"), a_record(note("test_it", held()), torch="2.5.0")
    new.document["made"] = "2026-02-01T00:00:00+00:00"
    paths = written(tmp_path, "old.json", old), written(tmp_path, "new.json", new)
    sources_in(tmp_path / "notes", '"""A section."""')

    for options, torch in [((), "2.5.0"), (("--of", paths[0]), "2.6.0")]:
        command("page", *paths, *options, "--notes", tmp_path / "notes", "--out", tmp_path)
        html = (tmp_path / "index.html").read_text(encoding="utf-8")
        assert f"This run: torch {torch}" in Page(html).css_first("h2#summary-title").text()


def boundary(requirement, change, name="test_it"):
    """A note that holds, and the same one on the other side, with a boundary that says what crossing it does."""
    marker = {"name": "holds", "requirement": requirement, "otherwise": ["TypeError"], "change": change}
    return [
        note(name, outcome) | {"markers": [marker]}
        for outcome in (held(), elsewhere(reason=f"holds only with {requirement} (here another)"))
    ]


def known_to_the_script(html):
    return json.loads(Page(html).css_first("script#data").text())


def shown(known, before, after):
    """What the script shows of a comparison: the group, the card, the device, when and why."""
    for change in known["pairs"][before][after]:
        group, card, device, when, why = known["changes"][change]
        yield known["groups"][group][0], card, known["devices"][device], known["texts"][when], known["texts"][why]


def test_every_pair_of_runs_is_compared_by_compare_ahead(whole):
    known = known_to_the_script(whole)
    columns = model.columns_of(map(reader.read, RECORDS))

    for before, after in [(0, len(columns) - 1), (len(columns) - 1, 0), (5, 6), (3, 3)]:
        left, right = columns[before].record, columns[after].record
        expected = Counter(data.group_of(change) for change in compare.changes(left, right))
        assert Counter(group for group, *_ in shown(known, before, after)) == expected
        assert len(expected) > 1 or before == after
    assert [len(row) for row in known["pairs"]] == [len(columns)] * len(columns)


@pytest.mark.parametrize(
    ("change", "group", "why"),
    [
        ("raises", "code stops", "an upgrade stops code: what ran raises"),
        ("gone", "code stops", "an upgrade stops code: what it used is not there any more"),
        ("result", "code computes something else, without a word", ""),
        ("warns", "code warns, or no longer", ""),
        ("new", "there is something new", ""),
    ],
)
def test_an_upgrade_is_shown_by_what_it_does_to_code_and_says_the_release(change, group, why):
    here, there = boundary("torch>=2.6", change)
    runs = [a_record(each, torch=torch) for each, torch in [(there, "2.4.1"), (there, "2.5.1"), (here, "2.7.0+cpu")]]

    known = known_to_the_script(html_of(*runs))

    assert list(shown(known, 0, 2)) == [(group, 0, "cpu", "true from torch 2.6 on", why)]
    assert list(shown(known, 2, 0)) == [(group, 0, "cpu", "true from torch 2.6 on", why)]
    assert list(shown(known, 0, 1)) == []


@pytest.mark.parametrize(
    ("requirement", "torches", "holds", "when"),
    [
        ("torch<2.6", ("2.5.1", "2.6.0"), (True, False), "no longer true from torch 2.6 on"),
        ("torch<2.6", ("2.6.0", "2.5.1"), (False, True), "no longer true from torch 2.6 on"),
        ("torch>=2.4,<2.6", ("2.3.1", "2.4.1"), (False, True), "true from torch 2.4 on"),
        ("torch>=2.4,<2.6", ("2.5.1", "2.8.0"), (True, False), "no longer true from torch 2.6 on"),
        ("numpy>=2", ("2.3.1", "2.4.1"), (False, True), "true only with numpy>=2"),
    ],
)
def test_the_release_of_a_boundary_is_the_one_that_was_crossed(requirement, torches, holds, when):
    here, there = boundary(requirement, "result")
    runs = [a_record(here if true else there, torch=torch) for true, torch in zip(holds, torches, strict=True)]
    before, after = (0, 1) if torches == tuple(sorted(torches)) else (1, 0)  # the oldest is the first column

    ((_, _, _, said, _),) = shown(known_to_the_script(html_of(*runs)), before, after)

    assert said == when


def test_the_gravest_group_comes_first():
    changes = ["new", "warns", "result", "raises"]
    pairs = [boundary("torch>=2.6", change, f"test_{change}") for change in changes]
    older = a_record(*(there for _, there in pairs), note("test_broke", held()), torch="2.5.1")
    newer = a_record(*(here for here, _ in pairs), note("test_broke", failed()), torch="2.6.0")

    known = known_to_the_script(html_of(older, newer))

    assert [group for group, *_ in shown(known, 0, 1)] == [title for title, _ in known["groups"][:5]]
    assert [title for title, _ in known["groups"][:2]] == ["fails now", "code stops"]


def test_a_card_says_which_release_changed_it_and_what_that_does_to_code():
    here, _ = boundary("torch>=2.4,<2.6", "warns")
    tree = Page(html_of(a_record(here)))

    assert tree.css_first("#s01-it .changed").text() == (
        "Changed in torch 2.4 and 2.6 An upgrade makes code warn, or no longer."
    )


def test_a_run_that_says_nothing_of_a_note_draws_no_boundary_and_no_strip():
    other = note("test_other", held())
    runs = [
        a_record(note("test_it", held()), other, torch="2.4.1"),
        a_record(other, torch="2.5.1"),
        a_record(note("test_it", held()), other, torch="2.6.0"),
        a_record(note("test_it", failed()), other, torch="2.7.0"),
    ]
    tree = Page(html_of(*runs))

    cells = [(cell.text(), cell.attributes.get("class")) for cell in tree.css("#matrix tbody td")]
    assert cells == [("held", "h"), ("not run", "n"), ("held", "h"), ("failed", "f b")]
    assert [part.text() for part in tree.css("#s01-it .strip li")] == ["held 2.4.1", "held 2.6.0", "failed 2.7.0"]


def test_what_was_measured_stands_in_the_section_that_the_benchmark_names():
    bench = benches.read(ROOT / "records" / "bench.json")
    for entry in bench.document["benchmarks"]:
        entry["extra_info"]["section"] = "01" if "progress_bar" in entry["fullname"] else ""

    tree = Page(html_of(a_record(note("test_it", held())), bench=bench))

    assert "with tqdm" in tree.css_first("#s01 .findings").text()
    assert "a Python loop that adds" not in tree.css_first("#s01 .findings").text()
    assert "a Python loop that adds" in tree.css_first("#measurements [aria-labelledby=found-others]").text()


def sections_of_benchmarks():
    """The section that each benchmark is marked with, beside it or for its whole file."""
    for path in sorted((ROOT / "tests" / "benchmarks").glob("test_*.py")):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        marks = [
            node.value for node in body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark"
        ]
        for node in body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                named = [
                    each
                    for each in [*node.decorator_list, *marks]
                    if ast.unparse(each).startswith("pytest.mark.section(")
                ]
                yield f"{path.name}::{node.name}", named[0].args[0].value if named else None


def test_each_benchmark_names_the_section_that_tells_of_it():
    marked = dict(sections_of_benchmarks())
    kept = benches.read(ROOT / "records" / "bench.json").document["benchmarks"]

    assert {*marked.values()} <= {section.label[:2] for section in SECTIONS}
    for entry in kept:
        assert entry["extra_info"]["section"] == marked[entry["fullname"].partition("[")[0].rpartition("/")[2]]


def test_the_way_from_easy_to_hard_names_notes_that_there_are(tree):
    stages = json.loads((ROOT / "torchnotes" / "page" / "start.json").read_text(encoding="utf-8"))
    named = [name for names in stages.values() for name in names]

    assert {*named} - {each.name for each in WRITTEN} == set()
    assert len(named) == len({*named}) == len(tree.css("#start li a"))
    assert 25 <= len(named) <= 35


def test_the_whole_page_stays_below_three_megabytes(whole):
    assert len(whole.encode()) < 3_000_000


def test_what_the_page_says_is_there_for_programs(site, tree):
    document = json.loads((site / "behaviour.json").read_text(encoding="utf-8"))
    schema = json.loads((ROOT / "torchnotes" / "page" / "behaviour.schema.json").read_text(encoding="utf-8"))

    jsonschema.Draft202012Validator.check_schema(schema)
    assert [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(document)] == []
    assert [note["page"] for note in document["notes"]] == [f"#{card.id}" for card in tree.css("article.note")]
    assert [run["name"] for run in document["runs"]] == [
        column.name for column in model.columns_of(map(reader.read, RECORDS))
    ]
    by_name = {note["note"].rpartition("::test_")[2]: note for note in document["notes"]}
    refused = by_name["code_in_a_file_is_refused_by_default"]
    assert refused["changes"] == [{"holds": "torch>=2.6", "package": "torch", "releases": ["2.6"], "effect": "raises"}]
    assert "torch.load" in refused["names"]
    assert {run: set(of_run.values()) for run, of_run in refused["verdicts"].items()} == {
        run["name"]: {"held" if reader.Version(run["name"]) >= reader.Version("2.6") else "elsewhere"}
        for run in document["runs"]
    }


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("import torch\ntorch.ones(1).sum()", ["torch.ones"]),
        ("from torch import nn\nnn.init.zeros_(nn.Linear(1, 1).weight)", ["torch.nn.Linear", "torch.nn.init.zeros_"]),
        ("import torch.nn.functional as F\nF.relu(x)", ["torch.nn.functional.relu"]),
        ("from torch.utils.data import DataLoader as D\nD([1])", ["torch.utils.data.DataLoader"]),
        ("import os\nos.environ, np.ones(1), torch", []),
    ],
)
def test_names_in_code_are_whole_whatever_they_were_imported_as(code, names):
    assert behaviour.names_in(code) == names


def test_each_topic_can_be_linked_to_and_each_section_leads_on(tree):
    topics = {each.topic for each in WRITTEN if each.topic}

    assert len(tree.css("h3.topic[id]")) >= len(topics)
    assert [link.attributes["href"] for link in tree.css("#s03 > .turn a")] == ["#s02", "#s04"]


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
    assert of_the_page.inline(text) == html


def test_lists_and_code_in_a_docstring():
    text = "One\nparagraph.\n\n- a\n  thing\n- another\n\n    x = 1\n    y = 2"

    assert list(of_the_page.blocks(text)) == [
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
