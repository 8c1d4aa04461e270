"""docs/cases.md: what people ran into, and the note that settles it."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
CASES = ROOT / "docs" / "cases.md"
ROW = re.compile(
    r"\| (?P<symptom>.+) \| \[`(?P<note>test_\w+)`\]\(\.\./(?P<file>tests/notes/\w+\.py)\) \| (?P<sources>.+) \|"
)
SOURCE = re.compile(r"\[[^]]+\]\(https://[^ )]+\)")


def sections():
    """The heading of each section with its rows, header and rule left out."""
    text = CASES.read_text(encoding="utf-8").partition("\n## Not settled\n")[0]
    parts = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    return {part.partition("\n")[0]: [line for line in part.splitlines() if line.startswith("|")][2:] for part in parts}


SECTIONS = sections()
ROWS = [row for rows in SECTIONS.values() for row in rows]
NAMES = {
    path.relative_to(ROOT).as_posix(): set(
        re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    )
    for path in (ROOT / "tests" / "notes").glob("test_*.py")
}


def test_every_section_has_its_cases():
    files = sorted((ROOT / "tests" / "notes").glob("test_*.py"))

    assert [heading[:2] for heading in SECTIONS] == [path.stem[5:7] for path in files]
    assert {heading: len(rows) for heading, rows in SECTIONS.items() if len(rows) < 12} == {}


@pytest.mark.parametrize("row", ROWS)
def test_each_case_names_a_note_that_is_there_and_where_it_was_met(row):
    case = ROW.fullmatch(row)

    assert case, "write: | symptom | [`test_name`](../tests/notes/test_NN_section.py) | [source](https://...) |"
    assert SOURCE.findall(case["sources"]) == case["sources"].split(", ")
    assert case["note"] in NAMES[case["file"]]


def test_no_case_is_listed_twice():
    symptoms = [row.split(" | ")[0] for row in ROWS]

    assert sorted(symptoms) == sorted(set(symptoms))
