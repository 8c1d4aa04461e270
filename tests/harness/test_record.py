"""`--record FILE`: what is in it, and that it is written whole or not at all."""

import json

import pytest
import torch

from page import records
from plugins import devices, record

NOTES = '''
import warnings

def test_holds(device):
    """It holds.

    https://docs.pytorch.org/docs/stable/index.html
    """

@pytest.mark.myth("so they say")
@pytest.mark.parametrize("number", [1, 2])
def test_one_row_fails(device, number):
    """It fails: a < b & "c" — ü."""
    assert number == 1

@pytest.mark.holds("torch<2", otherwise=(ZeroDivisionError, TypeError))
def test_elsewhere():
    """It held once."""
    1 / 0

def test_unchecked(accelerator):
    """It is about accelerators."""

def test_will_change():
    """It holds for now."""
    warnings.warn("do not do that", FutureWarning)
'''


@pytest.fixture
def only_a_cpu(monkeypatch):
    monkeypatch.setattr(devices, "visible", lambda: ["cpu"])


@pytest.mark.parametrize("options", [[], ["-n", "2"]], ids=["one process", "two processes"])
def test_everything_is_in_it(project, only_a_cpu, options):
    project.note(NOTES)

    result = project.run("--record", "folder/record.json", "--seed", "3", *options)

    assert result.code == pytest.ExitCode.TESTS_FAILED
    found = records.read(project.path / "folder" / "record.json")
    assert found.document["version"] == record.VERSION == records.VERSION
    assert found.counts == {"failed": 1, "held": 2, "elsewhere": 1, "unchecked": 1}
    names = [note["note"].partition("::")[2] for note in found.document["notes"]]
    assert names == ["test_holds", "test_one_row_fails", "test_elsewhere", "test_unchecked", "test_will_change"]

    holds, fails, elsewhere, unchecked, changing = found.document["notes"]
    assert holds["note"] == "tests/notes/test_01_first.py::test_holds"
    assert holds["claim"] == "It holds."
    assert holds["section"] == "01 first"
    assert holds["link"] == "https://docs.pytorch.org/docs/stable/index.html"
    (only,) = holds["results"]
    assert only.pop("seconds") >= 0
    assert only == {"case": "cpu", "device": "cpu", "outcome": "held", "reason": ""}

    assert fails["claim"] == 'It fails: a < b & "c" — ü.'
    assert fails["markers"] == [{"name": "myth", "text": "so they say"}]
    assert [result["outcome"] for result in fails["results"]] == ["held", "failed"]
    assert "assert 2 == 1" in fails["results"][1]["reason"]
    assert fails["results"][1]["explanation"][0] == f"claim:   {fails['claim']}"

    assert elsewhere["markers"] == [
        {"name": "holds", "requirement": "torch<2", "otherwise": ["ZeroDivisionError", "TypeError"]}
    ]
    assert elsewhere["results"][0]["outcome"] == "elsewhere"
    assert "holds only with torch<2" in elsewhere["results"][0]["reason"]
    assert elsewhere["results"][0]["device"] is None

    assert unchecked["results"][0]["outcome"] == "unchecked"
    assert unchecked["results"][0]["device"] == "accelerator"
    assert "only an accelerator" in unchecked["results"][0]["reason"]

    assert changing["results"][0]["will_change"] == ["FutureWarning: do not do that"]


def test_the_environment_says_where_the_run_took_place(project, only_a_cpu):
    project.note("def test_it(device):\n    pass\n")

    project.run("--record", "record.json", "--seed", "7")

    environment = records.read(project.path / "record.json").environment
    assert environment["torch"] == environment["packages"]["torch"] == torch.__version__
    assert environment["seed"] == 7
    assert [device["name"] for device in environment["devices"]] == ["cpu"]
    assert {"numpy", "pytest", "scikit-learn", "torchmetrics"} <= environment["packages"].keys()


@pytest.mark.parametrize(
    ("body", "options", "why"),
    [
        ("def test_it():\n    pass\n\ndef test_it_too():\n    raise KeyboardInterrupt\n", [], "came to no end"),
        ("def test_it():\n    assert 0\n\ndef test_it_too():\n    pass\n", ["-x"], "stopped early"),
        ("def test_it():\n    pass\n", ["-k", "nothing"], "came to no end"),
        ("import no_such_module\n", [], "came to no end"),
    ],
    ids=["interrupted", "-x", "no note", "a section that cannot be imported"],
)
def test_a_run_that_is_not_whole_leaves_no_record_and_what_was_there_stays(project, only_a_cpu, body, options, why):
    project.note(body)
    (project.path / "record.json").write_text("of before")

    result = project.run_apart("--record", "record.json", *options)

    assert result.code != 0
    assert f"FAILED: --record record.json: not written, for the run {why}" in result.out
    assert (project.path / "record.json").read_text() == "of before"
    assert [path.name for path in project.path.iterdir() if "record" in path.name] == ["record.json"]


def test_a_record_that_cannot_be_written_fails_the_run(project, only_a_cpu, monkeypatch):
    project.note("def test_it():\n    pass\n")
    (project.path / "record.json").write_text("of before")

    def full(*arguments, **options):
        arguments[1].write('{"half')
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(json, "dump", full)
    result = project.run("--record", "record.json")

    assert result.code == pytest.ExitCode.TESTS_FAILED
    assert "FAILED: --record record.json: it cannot be written (No space left on device)" in result.out
    assert (project.path / "record.json").read_text() == "of before"
    assert [path.name for path in project.path.iterdir() if "record" in path.name] == ["record.json"]


@pytest.mark.parametrize(
    ("options", "refusal"),
    [
        (["--record", "tests"], "--record tests: that is a folder; name a file in it, such as tests/record.json"),
        (["--record", "pytest.ini/record.json"], "--record pytest.ini/record.json: its folder cannot be made"),
        (["--record", "a.json", "--mutants"], "--record is for a run of the notes: leave out --mutants"),
        (["--record", "a.json", "--collect-only"], "--record is for a run of the notes: leave out --mutants"),
    ],
)
def test_what_cannot_be_recorded_is_refused_at_once(project, only_a_cpu, options, refusal):
    project.note("def test_it():\n    pass\n")

    result = project.run(*options)

    assert result.code == pytest.ExitCode.USAGE_ERROR
    assert refusal in result.refusal
