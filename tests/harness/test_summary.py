"""What a run says at its end, and when it fails though no note did."""

import re

import pytest
import torch

from torchnotes.harness import devices

SECTIONS = {
    "01_first": """
def test_holds(device):
    pass

def test_holds_anywhere():
    pass

@pytest.mark.parametrize("number", range(3))
def test_table(device, number):
    pass
""",
    "02_second": """
def test_fails(device):
    '''It does what it does not.'''
    assert torch.ones(1, device=device).item() == 2

@pytest.mark.parametrize("number", range(3))
def test_one_row_fails(number):
    assert number != 1

@pytest.mark.holds("torch<2", otherwise=ZeroDivisionError)
def test_elsewhere():
    1 / 0

@pytest.mark.skip(reason="a reason of its own")
def test_skipped():
    pass
""",
}


def summary(result):
    lines = re.sub(" +", " ", result.out).splitlines()
    return lines[next(number for number, line in enumerate(lines) if "what holds here" in line) + 1 :]


@pytest.fixture
def only_a_cpu(monkeypatch):
    monkeypatch.setattr(devices, "visible", lambda: ["cpu"])


@pytest.fixture
def sections(project):
    for name, body in SECTIONS.items():
        project.note(body, section=name)
    return project


@pytest.mark.parametrize("options", [[], ["-n", "2"]], ids=["one process", "two processes"])
def test_claims_are_counted_by_section_and_device_and_nothing_goes_unnamed(sections, only_a_cpu, options):
    result = sections.run(*options)

    assert result.code == pytest.ExitCode.TESTS_FAILED
    lines = summary(result)
    assert lines[:3] == ["section any device cpu", "01 first 1 2", "02 second 0, 1 failed 0, 1 failed"]
    assert lines[3:12] == [
        "",
        "not checked here:",
        " a reason of its own",
        " 02 second: test_skipped",
        "",
        "on the other side of a boundary:",
        lines[9],
        " 02 second: test_elsewhere",
        "",
    ]
    assert "holds only with torch<2 (here" in lines[9]
    assert lines[12] == "7 claims: 3 held, 2 failed, 1 could not be checked, 1 on the other side of a boundary"


def test_a_claim_counts_on_each_device(sections, monkeypatch):
    monkeypatch.setattr(devices, "visible", lambda: ["cpu", "cuda"])
    monkeypatch.setattr(devices, "count", lambda name: 1)
    monkeypatch.setattr(devices, "probe", lambda name: None)
    monkeypatch.setattr(devices, "canonical", lambda name: torch.device("cpu"))
    monkeypatch.setattr(devices, "synchronize", lambda name: None)

    lines = summary(sections.run())

    assert lines[:3] == [
        "section any device cpu cuda",
        "01 first 1 2 2",
        "02 second 0, 1 failed 0, 1 failed 0, 1 failed",
    ]


@pytest.mark.parametrize("options", [[], ["-n", "2"]], ids=["one process", "two processes"])
def test_no_note_on_a_required_device_is_a_failure(project, only_a_cpu, options):
    project.note("def test_it():\n    pass\n")

    result = project.run("--device", "cpu", *options)

    assert result.counts == {"passed": 1}
    assert result.code == pytest.ExitCode.TESTS_FAILED
    assert "FAILED: --device cpu: no note ran on it" in result.out


@pytest.mark.parametrize("options", [[], ["-n", "2"]], ids=["one process", "two processes"])
def test_only_skipped_notes_are_a_failure(project, only_a_cpu, options):
    project.note("def test_it(accelerator):\n    pass\n")

    result = project.run(*options)

    assert result.counts == {"skipped": 1}
    assert result.code == pytest.ExitCode.TESTS_FAILED
    assert "FAILED: no note ran: none of the chosen ones could be checked here" in result.out


@pytest.mark.parametrize("options", [[], ["-n", "2"], ["-k", "nothing_of_that_name"]])
def test_no_notes_at_all_are_a_failure(project, options):
    if "-k" in options:
        project.note("def test_it():\n    pass\n")

    assert project.run(*options).code == pytest.ExitCode.NO_TESTS_COLLECTED


def test_a_plugin_that_leaves_every_note_out_does_not_make_that_a_success(project):
    project.note("def test_it():\n    pass\n")
    (project.path / "content.py").write_text(
        """
def pytest_collection_modifyitems(config, items):
    config.hook.pytest_deselected(items=list(items))
    items.clear()

def pytest_sessionfinish(session):
    session.exitstatus = 0
"""
    )

    assert project.run_apart("-p", "content").code == pytest.ExitCode.NO_TESTS_COLLECTED


def test_other_tests_are_not_counted_as_notes(project):
    folder = project.path / "tests" / "harness"
    folder.mkdir()
    (folder / "test_other.py").write_text("def test_other():\n    pass\n")

    result = project.run("tests/harness", "--device", "cpu")

    assert result.code == 0
    assert "what holds here" not in result.out


@pytest.fixture
def without_tqdm(project, tmp_path):
    """tqdm cannot be imported, and no installed package says it is."""
    folder = tmp_path / "without"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        """
from importlib import metadata

real = metadata.version

def version(name):
    if name == "tqdm":
        raise metadata.PackageNotFoundError(name)
    return real(name)

metadata.version = version

from functools import partial
from importlib.machinery import PathFinder

def find_spec(find, name, path=None, target=None):
    return None if name == "tqdm" else find(name, path, target)

PathFinder.find_spec = partial(find_spec, PathFinder.find_spec)
"""
    )
    return folder


@pytest.mark.parametrize("options", [[], ["-n", "2"]], ids=["one process", "two processes"])
@pytest.mark.parametrize("where", ["the section", "one note"])
def test_a_missing_package_leaves_what_needs_it_unchecked_and_named(project, without_tqdm, options, where):
    project.note("def test_it():\n    pass\n")
    if where == "the section":
        project.note("from tqdm.auto import tqdm\n\ndef test_bar():\n    pass\n", section="17_progress_bars")
    else:
        project.note("def test_bar():\n    import tqdm\n\ndef test_no_bar():\n    pass\n", section="17_progress_bars")

    strict = project.run_apart(*options, path=[without_tqdm])
    lenient = project.run_apart("--allow-missing", *options, path=[without_tqdm])

    assert (strict.code, lenient.code) == (1, 0)
    for result in strict, lenient:
        assert result.counts == {"passed": 1 if where == "the section" else 2, "skipped": 1}
        assert "not checked here:" in result.out
        assert "tqdm is not installed" in result.out
        assert f"17 progress bars: {'the whole section' if where == 'the section' else 'test_bar'}" in result.out
    assert "or accept that with --allow-missing" in strict.out
    assert "FAILED: " not in lenient.out


@pytest.mark.parametrize("module", ["no_such_module", "tqdm.no_such_module"])
def test_another_module_that_is_missing_is_an_error(project, module):
    project.note(f"import {module}\n\ndef test_it():\n    pass\n")
    project.note(f"def test_it():\n    import {module}\n", section="02_second")

    assert project.run("tests/notes/test_01_first.py", "--allow-missing").code == pytest.ExitCode.INTERRUPTED
    assert project.run("tests/notes/test_02_second.py", "--allow-missing").counts == {"failed": 1}


def test_one_claim_is_one_claim(project):
    project.note("def test_it():\n    pass\n")

    assert (
        "\n1 claim: 1 held, 0 failed, 0 could not be checked, 0 on the other side of a boundary\n" in project.run().out
    )


@pytest.mark.parametrize("options", [[], ["-n", "2"]], ids=["one process", "two processes"])
def test_an_announced_change_is_a_finding_with_the_notes_it_will_change(project, only_a_cpu, options):
    project.note(
        """
import warnings

def warn(kind, text="do not do that"):
    warnings.warn(text, kind)

@pytest.mark.parametrize("kind", [DeprecationWarning, PendingDeprecationWarning, FutureWarning])
def test_one(kind):
    warn(kind)

def test_another():
    warn(FutureWarning)

def test_expected():
    with pytest.warns(FutureWarning):
        warn(FutureWarning, "expected")
"""
    )

    result = project.run(*options)

    assert result.code == 0
    lines = summary(result)
    lines = lines[lines.index("will change:") :]
    assert lines[:8] == [
        "will change:",
        " DeprecationWarning: do not do that",
        " 01 first: test_one",
        " FutureWarning: do not do that",
        " 01 first: test_another",
        " 01 first: test_one",
        " PendingDeprecationWarning: do not do that",
        " 01 first: test_one",
    ]
    assert "expected" not in result.out
    assert "warnings summary" not in result.out


def test_another_warning_is_an_error(project, only_a_cpu):
    project.note("import warnings\n\ndef test_it():\n    warnings.warn('look out')\n")

    assert project.run().counts == {"failed": 1}


@pytest.mark.parametrize("options", [["--at-least", "cpu=2"], ["--at-least", "cpu=2", "--at-least", "cpu=1"]])
def test_a_number_that_was_asked_for_is_missed_in_words_where_no_note_was_chosen_too(project, options):
    project.note("def test_it(device):\n    pass\n")

    for choice, ran in {"it": "1 note ran", "nothing": "no notes ran"}.items():
        result = project.run("--device", "cpu", "-k", choice, *options)

        assert result.code == pytest.ExitCode.TESTS_FAILED
        assert f"FAILED: --at-least cpu=2: {ran} on it" in result.out
