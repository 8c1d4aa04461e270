"""The table of supported releases, and the sessions that run the notes under them."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from packaging.version import Version

from torchnotes.harness.versions import REQUIREMENTS

ROOT = Path(__file__).parent.parent.parent
HERE = Version(torch.__version__).public

with (ROOT / "versions.csv").open(encoding="utf-8") as table:
    RELEASES = list(csv.DictReader(table))


def test_every_minor_release_has_one_line_the_oldest_first():
    minors = [Version(release["torch"]).release[:2] for release in RELEASES]

    assert minors == [(2, minor) for minor in range(len(minors))]


def test_what_goes_with_a_release_is_said_in_full():
    for release in RELEASES:
        assert re.fullmatch(r"3\.\d\d( 3\.\d\d)*", release["python"])
        assert release["numpy"] in ("<2", ">=2")
        assert Version(release["torchmetrics"]) >= Version("1.0")


def test_each_python_of_the_workflow_has_a_newest_release_to_expect():
    workflow = (ROOT / ".github" / "workflows" / "versions.yml").read_text(encoding="utf-8")
    (pythons,) = re.findall(r"python: \[(.+)\]", workflow)

    assert set(re.findall(r"3\.\d+", pythons)) == {text for release in RELEASES for text in release["python"].split()}
    assert 'pytest --costly --expect "torch>=$newest"' in workflow


def test_the_constraints_are_those_of_a_supported_release():
    (pinned,) = re.findall(r"^torch==(.+)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)

    assert pinned in [release["torch"] for release in RELEASES]
    assert "torch>=2.0.1" in REQUIREMENTS.read_text(encoding="utf-8").splitlines()


def nox(*arguments, cwd=ROOT):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for name in [name for name in environment if name.startswith("TORCH_")]:
        del environment[name]
    command = [sys.executable, "-m", "nox", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, encoding="utf-8")


def listed(*arguments):
    sessions = json.loads(nox("--list", "--json", *arguments).stdout)
    return {session["call_spec"]["torch"]: session for session in sessions}


def test_tags_choose_the_oldest_the_newest_some_and_all():
    torches = [release["torch"] for release in RELEASES]

    chosen = {tag: list(listed("--tags", tag)) for tag in ("oldest", "newest", "some", "all")}

    assert chosen["oldest"] == torches[:1]
    assert chosen["newest"] == torches[-1:]
    assert chosen["all"] == torches
    assert len(chosen["some"]) == 5
    assert {torches[0], torches[-1]} <= set(chosen["some"]) <= set(torches)


def test_a_leg_runs_under_a_python_that_its_torch_was_built_for():
    pythons = {release["torch"]: release["python"].split() for release in RELEASES}
    here = f"{sys.version_info.major}.{sys.version_info.minor}"

    for text, session in listed("--tags", "all").items():
        assert session["session"] == f"versions(torch='{text}')"
        assert session["python"] == (None if here in pythons[text] else pythons[text][-1])


@pytest.fixture
def workbench(project):
    """A project with one note and the real noxfile."""
    for name in ("noxfile.py", "versions.csv", "requirements.txt"):
        shutil.copy(ROOT / name, project.path / name)
    (project.path / "torchnotes").mkdir()
    shutil.copy(ROOT / "torchnotes" / "requirements.txt", project.path / "torchnotes" / "requirements.txt")
    project.note(
        f"""
@pytest.mark.holds("torch>={HERE}", otherwise=AssertionError)
def test_it():
    \"\"\"A wonder of torch {HERE} is here.\"\"\"
    assert torch.__version__.startswith("{HERE}")
"""
    )
    return project


def leg(version, python=sys.executable, session="versions"):
    name = f"{session}(torch='{version}')" if session == "versions" else session
    return "--no-venv", "-s", name, "--", "--python", f"{version}={python}", "-p", "no:cacheprovider"


@pytest.mark.skipif(HERE not in [release["torch"] for release in RELEASES], reason=f"torch {HERE} is not in the table")
def test_a_leg_runs_the_notes_with_the_interpreter_given_for_it_and_leaves_a_record(workbench):
    result = nox(*leg(HERE), cwd=workbench.path)

    assert result.returncode == 0, result.stdout + result.stderr
    record = json.loads((workbench.path / "made" / f"torch-{HERE}.json").read_text(encoding="utf-8"))
    assert record["environment"]["torch"] == torch.__version__
    assert record["counts"]["held"] == 1


def test_a_leg_whose_torch_is_another_is_red_and_leaves_no_record(workbench):
    another = next(release["torch"] for release in RELEASES if release["torch"] != HERE)
    (workbench.path / "made").mkdir()
    (workbench.path / "made" / f"torch-{another}.json").write_text("of an earlier run")

    result = nox(*leg(another), cwd=workbench.path)

    assert result.returncode == 1
    assert f"--expect 'torch=={another}': this environment" in result.stdout + result.stderr
    assert not list((workbench.path / "made").iterdir())


@pytest.mark.skipif(HERE not in [release["torch"] for release in RELEASES], reason=f"torch {HERE} is not in the table")
def test_what_a_leg_makes_is_kept_only_when_asked(workbench):
    (workbench.path / "records").mkdir()
    kept = workbench.path / "records" / f"torch-{HERE}.json"
    kept.write_text("of the repository")
    assert nox(*leg("2.6.0", python="/nonexistent"), cwd=workbench.path).returncode == 1
    assert nox("-s", "keep", cwd=workbench.path).returncode == 1

    assert nox(*leg(HERE), cwd=workbench.path).returncode == 0
    assert kept.read_text() == "of the repository"

    assert nox("-s", "keep", cwd=workbench.path).returncode == 0
    assert json.loads(kept.read_text(encoding="utf-8"))["environment"]["torch"] == torch.__version__
    assert not list((workbench.path / "made").glob("*.json"))


def test_a_leg_that_ran_no_notes_is_red(workbench):
    (note,) = (workbench.path / "tests" / "notes").iterdir()
    note.unlink()

    result = nox(*leg(HERE), cwd=workbench.path)

    assert result.returncode == 1
    assert not (workbench.path / "made" / f"torch-{HERE}.json").exists()


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("2.6.0", "write VERSION=PATH, such as"),
        (f"9.9.9={sys.executable}", "--python 9.9.9: no release of versions.csv"),
    ],
)
def test_a_wrong_interpreter_is_refused_with_what_to_write(workbench, option, says):
    result = nox("--no-venv", "-s", "versions(torch='2.6.0')", "--", "--python", option, cwd=workbench.path)

    assert result.returncode != 0
    assert says in result.stdout + result.stderr


@pytest.mark.parametrize("asked", [[], ["2.5.1"], ["2.5.1", "2.99"], ["2.", "2.6.0"]])
def test_compare_says_which_releases_there_are(workbench, asked):
    result = nox("-s", "compare", "--", *asked, cwd=workbench.path)

    assert result.returncode == 1
    assert f"name two of {RELEASES[0]['torch']} " in result.stderr
    assert "such as: nox -s compare -- 2.5.1 2.6.0" in result.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="the interpreter of another torch is a shell script here")
@pytest.mark.skipif(HERE not in [release["torch"] for release in RELEASES[1:]], reason=f"there is none before {HERE}")
def test_compare_runs_both_releases_and_says_what_changed(workbench, tmp_path):
    before = RELEASES[[release["torch"] for release in RELEASES].index(HERE) - 1]["torch"]
    (tmp_path / "sitecustomize.py").write_text(f"import torch\ntorch.__version__ = {before!r}\n")
    another = tmp_path / "python"
    another.write_text(f'#!/bin/sh\nPYTHONPATH="{tmp_path}:$PYTHONPATH" exec {sys.executable} "$@"\n')
    another.chmod(0o755)

    pythons = ["--python", f"{before}={another}", "--python", f"{HERE}={sys.executable}"]
    result = nox("-s", "compare", "--", before.rpartition(".")[0], HERE, *pythons, cwd=workbench.path)

    assert result.returncode == 1, result.stdout + result.stderr
    assert f"torch {before} -> torch {torch.__version__}" in result.stdout
    assert "true now (1)" in result.stdout
    assert f"01 first: A wonder of torch {HERE} is here." in result.stdout


def test_nightly_asks_where_it_is(workbench):
    result = nox("--no-venv", "-s", "nightly", cwd=workbench.path)

    assert result.returncode == 1
    assert "give its package index: nox -s nightly -- --index URL" in result.stderr
