"""`--record FILE`: what is in it, and that it is written whole or not at all."""

import json

import pytest
import torch

from torchnotes.harness import devices, recording
from torchnotes.record import reader

BEFORE = '{"format":"what-pytorch-does/record","of":"before"}'

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

@pytest.mark.holds("torch<2", otherwise=(ZeroDivisionError, TypeError), change="raises")
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
    found = reader.read(project.path / "folder" / "record.json")
    assert found.document["version"] == recording.VERSION == reader.VERSION
    assert found.counts == {"failed": 1, "held": 2, "elsewhere": 1, "unchecked": 1}
    names = [note["note"].partition("::")[2] for note in found.document["notes"]]
    assert names == ["test_holds", "test_one_row_fails", "test_elsewhere", "test_unchecked", "test_will_change"]

    holds, fails, elsewhere, unchecked, changing = found.document["notes"]
    assert holds["note"] == "tests/notes/test_01_first.py::test_holds"
    assert holds["claim"] == "It holds."
    assert holds["section"] == "01 first"
    assert holds["link"] == "https://docs.pytorch.org/docs/stable/index.html"
    (only,) = holds["results"]
    assert only == {"case": "cpu", "device": "cpu", "outcome": "held", "reason": ""}

    assert fails["claim"] == 'It fails: a < b & "c" — ü.'
    assert fails["markers"] == [{"name": "myth", "text": "so they say"}]
    assert [result["outcome"] for result in fails["results"]] == ["held", "failed"]
    assert "assert 2 == 1" in fails["results"][1]["reason"]
    assert fails["results"][1]["explanation"][0] == f"claim:   {fails['claim']}"

    assert elsewhere["markers"] == [
        {
            "name": "holds",
            "requirement": "torch<2",
            "otherwise": ["ZeroDivisionError", "TypeError"],
            "change": "raises",
        }
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

    environment = reader.read(project.path / "record.json").environment
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
    (project.path / "record.json").write_text(BEFORE)

    result = project.run_apart("--record", "record.json", *options)

    assert result.code != 0
    assert f"FAILED: --record record.json: not written, for the run {why}" in result.out
    assert (project.path / "record.json").read_text() == BEFORE
    assert [path.name for path in project.path.iterdir() if "record" in path.name] == ["record.json"]


def test_each_note_has_its_line_and_nothing_in_it_differs_from_run_to_run(project, only_a_cpu):
    project.note(NOTES)
    texts = []
    for name in ("one.json", "other.json"):
        project.run("--record", name)
        texts.append((project.path / name).read_text(encoding="utf-8").splitlines())

    one, other = texts
    notes = json.loads("\n".join(one))["notes"]
    assert [json.loads(line.removesuffix(",")) for line in one[-1 - len(notes) : -1]] == notes
    assert [pair for pair in zip(one, other, strict=True) if pair[0] != pair[1] and "made" not in pair[0]] == []


def test_a_record_that_cannot_be_written_fails_the_run(project, only_a_cpu, monkeypatch):
    project.note("def test_it():\n    pass\n")
    (project.path / "record.json").write_text(BEFORE)

    def full(document):
        yield '{"half'
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(recording, "lines", full)
    result = project.run("--record", "record.json")

    assert result.code == pytest.ExitCode.TESTS_FAILED
    assert "FAILED: --record record.json: it cannot be written (No space left on device)" in result.out
    assert (project.path / "record.json").read_text() == BEFORE
    assert [path.name for path in project.path.iterdir() if "record" in path.name] == ["record.json"]


@pytest.mark.parametrize(
    ("options", "refusal"),
    [
        (["--record", "tests"], "--record tests: that is a folder; name a file in it, such as tests/record.json"),
        (["--record", "pytest.ini/record.json"], "--record pytest.ini/record.json: its folder cannot be made"),
        (["--record", ""], "--record '': name a file, such as --record record.json"),
        (["--record=pytest.ini"], "--record pytest.ini: that file is no record, and one would replace it"),
        (["--record=/dev/null"], "--record /dev/null: that is no ordinary file, and it would be replaced by one"),
        (["--record", "a.json", "--mutants"], "--record is for a run of the notes: leave out --mutants"),
        (["--record", "a.json", "--collect-only"], "--record is for a run of the notes: leave out --mutants"),
    ],
)
def test_what_cannot_be_recorded_is_refused_at_once(project, only_a_cpu, options, refusal):
    project.note("def test_it():\n    pass\n")

    result = project.run(*options)

    assert result.code == pytest.ExitCode.USAGE_ERROR
    assert refusal in result.refusal


def test_a_folder_that_cannot_be_written_to_is_said_before_the_run(project, only_a_cpu, monkeypatch):
    monkeypatch.setattr(recording.os, "access", lambda path, mode: False)
    project.note("def test_it():\n    pass\n")

    assert "--record a.json: its folder cannot be written to" in project.run("--record", "a.json").refusal


def test_a_link_stays_one_and_leads_to_the_record(project, only_a_cpu):
    project.note("def test_it():\n    pass\n")
    try:
        (project.path / "link.json").symlink_to(project.path / "there.json")
    except OSError:
        pytest.skip("no links here")

    project.run("--record", "link.json")

    assert (project.path / "link.json").is_symlink()
    assert reader.read(project.path / "there.json").counts["held"] == 1


def test_what_utf8_has_no_code_for_is_escaped(project, only_a_cpu):
    project.note("def test_it():\n    raise OSError('a\\udc80b')\n")

    project.run("--record", "record.json")

    (only,) = reader.read(project.path / "record.json").document["notes"][0]["results"]
    assert only["reason"] == "OSError: a\udc80b"


def test_a_case_keeps_the_brackets_of_its_name(project, only_a_cpu):
    project.note("@pytest.mark.parametrize('row', ['x[0]', '[1]'])\ndef test_it(row):\n    pass\n")

    project.run("--record", "record.json")

    (note,) = reader.read(project.path / "record.json").document["notes"]
    assert [result["case"] for result in note["results"]] == ["[1]", "x[0]"]


DIES = "import os\n\ndef test_dies():\n    os._exit(3)\n\ndef test_it():\n    pass\n"


def test_a_note_that_ends_its_process_has_failed(project, only_a_cpu):
    project.note(DIES)

    result = project.run("--record", "record.json", "-n", "1")

    assert result.code == pytest.ExitCode.TESTS_FAILED
    found = reader.read(project.path / "record.json")
    assert found.counts == {"failed": 1, "held": 1, "elsewhere": 0, "unchecked": 0}
    (only,) = found.document["notes"][0]["results"]
    assert only["outcome"] == "failed"
    assert "crashed while running" in only["reason"]


def test_a_process_that_ends_before_it_can_say_of_which_note_leaves_no_record(project, only_a_cpu):
    project.note(DIES.replace("def test_dies():", "@pytest.fixture\ndef ends():").replace("test_it()", "test_it(ends)"))

    result = project.run("--record", "record.json", "-n", "1")

    assert result.code != 0
    assert "FAILED: --record record.json: not written, for the run came to no end" in result.out
    assert not (project.path / "record.json").exists()


def test_a_section_that_cannot_be_imported_leaves_no_record_even_where_the_run_goes_on(project, only_a_cpu):
    project.note("def test_it():\n    pass\n")
    project.note("import no_such_module\n", section="02_second")

    result = project.run("--record", "record.json", "--continue-on-collection-errors")

    assert result.code == pytest.ExitCode.TESTS_FAILED
    assert "FAILED: --record record.json: not written, for the run came to no end" in result.out
    assert not (project.path / "record.json").exists()


def test_a_note_whose_body_did_not_run_is_not_checked(project, only_a_cpu):
    project.note("def test_it():\n    pass\n")

    result = project.run("--record", "record.json", "--setup-only")

    assert result.code == pytest.ExitCode.TESTS_FAILED
    assert "FAILED: no note ran" in result.out
    (only,) = reader.read(project.path / "record.json").document["notes"][0]["results"]
    assert (only["outcome"], only["reason"]) == ("unchecked", "its body did not run")


def test_a_device_that_was_lost_during_the_run_has_that_for_its_problem(project, only_a_cpu, monkeypatch):
    monkeypatch.setattr(devices, "description", lambda device: None if device.problem else "a CPU")
    project.note(
        "from torchnotes.harness import devices\n\n"
        "def test_it(request):\n    request.config.stash[devices.MACHINE].lost['cpu'] = 'cpu stopped computing'\n"
    )

    project.run("--record", "record.json")

    (only,) = reader.read(project.path / "record.json").environment["devices"]
    assert only == {"name": "cpu", "description": None, "problem": "cpu stopped computing"}
