"""What the README shows is so: its Python runs, its output is real, its tables are whole."""

import ast
import csv
import json
import re
import sys

import pytest
import readme
from packaging.requirements import Requirement
from sybil import Document
from sybil.parsers.markdown import CodeBlockParser
from test_notes import NAMES, NOTES, ROOT, functions

from torchnotes.changes import compare, counts
from torchnotes.harness import versions
from torchnotes.measuring import timing
from torchnotes.record import reader

README = ROOT / "README.md"
TEXT = README.read_text(encoding="utf-8")


def blocks(language):
    """The code blocks of the README in one language, each with the line above it."""
    parser = CodeBlockParser(language, lambda example: None)
    for example in Document.parse(str(README), parser).examples():
        above = TEXT[: example.start].rstrip("\n").rpartition("\n")[2]
        yield str(example.parsed), above


PYTHON = list(blocks("python"))
NOTES_SHOWN = [
    pytest.param(*pair, id=name) for pair in PYTHON if (name := ast.parse(pair[0]).body[-1].name)[:5] == "test_"
]
CONSOLE = list(blocks("console"))


def output(title):
    """The lines of the console block that claims to be this output, less its prompt."""
    (text,) = (block for block, above in CONSOLE if above == f"<!-- real output: {title} -->")
    return text.strip().splitlines()[1:]


def compared(lines):
    """Lines less what differs from run to run: times, the kind of build of the same torch, the width of a rule."""
    for line in lines:
        line = re.sub(r"in [\d.]+s( \([\d:]+\))?", "in _s", line)
        line = re.sub(r"(torch [\d.]+)\+\w+", r"\1", line)
        yield line.strip("=").strip()


def not_printed(shown, result):
    """What the README shows and the run did not print."""
    printed = {*compared(result.out.splitlines()), "..."}
    return [line for line in compared(shown) if line not in printed]


@pytest.mark.parametrize(("code", "above"), NOTES_SHOWN)
def test_python_is_a_note_that_does_what_the_readme_says(project, code, above):
    project.note(code)

    result = project.run("--device", "cpu")

    assert result.counts == ({"failed": 1} if above == "<!-- this note fails -->" else {"passed": 1})


def test_the_mutant_that_is_shown_is_killed_by_the_note_above_it(project):
    (number,) = (number for number, (code, _) in enumerate(PYTHON) if "@mutant(" in code)
    project.note(PYTHON[number - 1][0], section="02_tensors")
    (project.path / "tests" / "mutants").mkdir()
    (project.path / "tests" / "mutants" / "section_02_tensors.py").write_text(PYTHON[number][0], encoding="utf-8")

    result = project.run("--device", "cpu", "--mutants")

    assert result.code == 0
    assert "1 mutants of 1 notes: 1 of 1 killed" in result.out


def test_the_note_that_is_to_be_added_is_not_there_yet():
    (new,) = (ast.parse(code).body[-1].name for code, _ in PYTHON if "sort_leaves" in code and "@mutant" not in code)

    assert new not in {note.name for path in NOTES.glob("*.py") for note in functions(path)}


def test_the_note_that_is_shown_is_one_of_the_notes():
    shown = ast.parse(PYTHON[0][0]).body[-1]

    written = {note.name: ast.dump(note) for note in functions(NOTES / "test_03_numpy_bridge.py")}

    assert ast.dump(shown) == written[shown.name]


def test_the_failure_that_is_shown_is_the_real_one(project):
    (code,) = (code for code, above in PYTHON if above == "<!-- this note fails -->")
    project.note(code, section="02_tensors")

    result = project.run("--device", "cpu")

    shown = output("the failure of the note above")
    assert len(shown) >= 6
    assert not_printed(shown, result) == []


def is_the_machine_that_is_shown():
    """Whether the verified packages are installed, on Linux: elsewhere other notes are unchecked, or announced."""
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8").partition("# What the project")[0]
    pinned = [Requirement(line) for line in text.splitlines() if line and not line.startswith("#")]
    met = map(versions.is_met, pinned)
    return sys.platform == "linux" and sys.version_info >= (3, 11) and all(met)


def test_the_run_that_is_shown_is_the_real_one(project, tmp_path):
    result = project.run_apart(ROOT, "--device", "cpu", cwd=tmp_path)

    shown = output("the end of `pytest`")
    assert result.code == 0
    assert len(shown) >= len(NAMES)
    if is_the_machine_that_is_shown():
        assert not_printed(shown, result) == [], "the README shows older numbers: nox -s readme"
    assert [line[:3] for line in shown if line[:2].isdecimal() and line[2] == " "] == [f"{name[:2]} " for name in NAMES]


def test_numbers_are_refreshed_and_what_is_gone_is_named():
    shown = ["01 one        7   1", "...", "5 claims: 3 held", "  gone (2)", "=== 3 passed in 1.2s ==="]
    printed = ["01 one       12   2", "15 claims: 13 held", "== 13 passed in 4.56s =="]

    assert readme.refreshed(shown, printed) == (
        ["01 one       12   2", "...", "15 claims: 13 held", "  gone (2)", "== 13 passed in 4.56s =="],
        ["  gone (2)"],
    )


RECORDS = ROOT / "records"


def test_the_comparison_that_is_shown_is_the_real_one():
    before, after = (reader.read(RECORDS / f"torch-{release}.json") for release in ("2.5.1", "2.6.0"))

    shown = output("from 2.5.1 to 2.6.0")
    assert len(shown) >= 10
    assert set(shown) <= {*compare.as_text(before, after), "..."}


def test_the_table_of_counts_is_the_one_that_is_generated():
    (title,) = re.findall(r"^<!-- real output: nox -s counts -->\n\n((?:\|.*\n)+)", TEXT, re.MULTILINE)

    table = list(counts.as_markdown(map(reader.read, RECORDS.glob("torch-*.json"))))
    assert title.splitlines() == table, "the README shows older numbers: nox -s readme"
    assert title.count("\n") == 2 + len(list(RECORDS.glob("torch-*.json")))


def test_the_findings_that_are_shown_are_those_of_the_record():
    document = json.loads((RECORDS / "bench.json").read_text(encoding="utf-8"))
    measured = [found for found in document["findings"] if "ratio" in found]
    lines = {"...", "", *(f"{verdict}:" for verdict in (timing.HOLDS, timing.FALSE, timing.OPEN))}
    for found in measured:
        ratio = timing.Ratio(found["ratio"], found["low"], found["high"])
        finding = timing.Finding(found["claim"], ratio, found.get("at_most"), found.get("at_least"))
        assert finding.verdict == found["verdict"]
        lines.add(f"  {found['found']}; {finding.evidence} [{found['group']}]")

    shown = output("some findings of records/bench.json")

    assert len(shown) > 6
    assert set(shown) <= lines


def test_there_is_a_record_of_every_supported_release():
    with (ROOT / "versions.csv").open(encoding="utf-8") as table:
        releases = [release["torch"] for release in csv.DictReader(table)]

    assert sorted(path.stem for path in RECORDS.glob("torch-*.json")) == sorted(f"torch-{text}" for text in releases)


def test_the_table_of_sections_is_whole():
    links = re.findall(r"\| \[(\d\d) [^\]]+\]\(tests/notes/test_(\w+)\.py\) \| .+ \|", TEXT)

    assert [name for _, name in links] == NAMES
    assert all(name.startswith(number) for number, name in links)


def test_the_options_are_those_there_are(project):
    ours = project.run("--help").out.partition("what PyTorch does:")[2].partition("\n\n")[0]

    documented = set(re.findall(r"^\| `(--[\w-]+)", TEXT, re.MULTILINE)) - {"--hypothesis-profile"}

    assert documented == set(re.findall(r"^ +(--[\w-]+)", ours, re.MULTILINE))


def test_the_two_commands_stand_there_alone():
    commands = [block.strip() for block, _ in CONSOLE[:2]]

    assert commands == [
        "pip install -r requirements.txt -c constraints.txt && pytest",
        "pip install nox && nox -s tests",
    ]


def test_ci_calls_the_test_command():
    assert CONSOLE[1][0].strip() in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "path", [README, *sorted((ROOT / ".github" / "workflows").iterdir())], ids=lambda path: path.name
)
def test_sessions_that_are_named_exist(path):
    noxfile = (ROOT / "noxfile.py").read_text(encoding="utf-8")
    sessions = re.findall(r"^@nox\.session.*\n(?:@.*\n)*def (\w+)", noxfile, re.MULTILINE)

    assert set(re.findall(r'nox -s "?(\w+)', path.read_text(encoding="utf-8"))) <= set(sessions)
