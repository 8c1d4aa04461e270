"""What is around the stand-in for CUDA: where it is refused, how it is built, and that a run on it says what it is."""

import importlib.util
import platform
import re
import shlex
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.standin import plugin

ROOT = Path(__file__).parent.parent.parent


def test_each_note_that_it_does_not_carry_is_one():
    text = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests" / "notes").glob("test_*.py"))

    assert plugin.NOT_CARRIED.keys() <= set(re.findall(r"^def (test_\w+)", text, re.MULTILINE))


def test_it_is_for_the_torch_that_is_pinned():
    assert f"torch=={plugin.TORCH}" in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()


@pytest.fixture
def torch_of(tmp_path, monkeypatch):
    """Puts a torch of another version and build in the place of the real one, on Linux."""
    monkeypatch.setattr(platform, "system", lambda: "Linux")

    def put(version, cuda=None, hip=None):
        text = f"__version__, cuda, hip = {version!r}, {cuda!r}, {hip!r}\n"
        (tmp_path / "version.py").write_text(text, encoding="utf-8")
        found = SimpleNamespace(origin=str(tmp_path / "__init__.py"))
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: found)

    return put


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (("2.15.0+cu132", "13.2"), "this is 2.15.0+cu132, a build for a GPU"),
        ((plugin.TORCH, "13.0"), f"this is {plugin.TORCH}, a build for a GPU"),
        ((plugin.TORCH, None, "7.1"), f"this is {plugin.TORCH}, a build for a GPU"),
        (("2.12.1+cpu",), "this is 2.12.1+cpu, a CPU build"),
    ],
)
def test_another_torch_is_refused(torch_of, build, says):
    torch_of(*build)

    with pytest.raises(pytest.UsageError) as refused:
        plugin.folder_of_torch()

    assert str(refused.value) == f"the stand-in for CUDA needs Linux and a CPU build of torch {plugin.TORCH}; {says}"


def test_another_system_is_refused(monkeypatch):
    monkeypatch.setattr(platform, "system", lambda: "Darwin")

    with pytest.raises(pytest.UsageError, match="this is Darwin"):
        plugin.folder_of_torch()


def test_it_is_not_put_beside_a_torch_that_was_imported_already(torch_of):
    torch_of(f"{plugin.TORCH}+cpu")

    with pytest.raises(pytest.UsageError, match="imported torch already"):
        plugin.folder_of_torch()


@pytest.fixture
def compiler(tmp_path, monkeypatch):
    """Puts a program of Python in the place of the compiler, and has it build in a folder of its own."""
    monkeypatch.setattr(plugin, "BUILT", tmp_path / "made")

    def put(program):
        monkeypatch.setenv("CXX", shlex.join([sys.executable, "-c", program]))

    return put


def test_it_is_built_once_for_a_source(compiler, tmp_path, monkeypatch):
    (source := tmp_path / "standin.cpp").write_text("one", encoding="utf-8")
    monkeypatch.setattr(plugin, "SOURCE", source)
    compiler("import pathlib, sys; pathlib.Path(sys.argv[sys.argv.index('-o') + 1]).write_text('built')")

    first = plugin.library(tmp_path)
    first.write_text("used", encoding="utf-8")
    again = plugin.library(tmp_path)
    source.write_text("another", encoding="utf-8")
    another = plugin.library(tmp_path)

    assert (first.parent, again.read_text(encoding="utf-8")) == (tmp_path / "made", "used")
    assert (again == first, another == first, another.read_text(encoding="utf-8")) == (True, False, "built")
    assert sorted(first.parent.iterdir()) == sorted([first, another])


def test_a_compiler_that_fails_leaves_nothing(compiler, tmp_path):
    compiler("raise SystemExit(1)")

    with pytest.raises(pytest.UsageError, match="could not be built"):
        plugin.library(tmp_path)

    assert list((tmp_path / "made").iterdir()) == []


def test_without_a_compiler_one_line_says_what_to_do(compiler, tmp_path, monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")

    with pytest.raises(pytest.UsageError, match=r"there is no no-such-compiler here; install one, .* CXX"):
        plugin.library(tmp_path)


def test_a_record_is_refused(project):
    result = project.run("-p", "tests.standin.plugin", "--record=here.json")

    assert result.refusal.startswith(f"ERROR: --record: {plugin.SAYS}")
    assert not (project.path / "here.json").exists()


@pytest.fixture
def without_a_library(monkeypatch):
    """The plugin, but for the stand-in itself."""
    for name in ("folder_of_torch", "library", "load", "imitate"):
        monkeypatch.setattr(plugin, name, lambda *arguments: None)


def test_a_run_says_first_and_last_that_nothing_was_computed_on_a_gpu(project, without_a_library):
    project.note("def test_it():\n    pass\n")

    result = project.run("-p", "tests.standin.plugin")

    assert result.code == 0
    head, _, rest = result.out.partition("collected")
    assert plugin.SAYS in head
    assert f"({plugin.SAYS})" in rest.splitlines()


def test_what_it_does_not_carry_is_named_with_the_reason(project, without_a_library):
    name, reason = next(iter(plugin.NOT_CARRIED.items()))
    project.note(f"def {name}():\n    pass\n\n\ndef test_other(device):\n    pass\n")

    result = project.run("-p", "tests.standin.plugin")

    assert result.counts == {"passed": 1, "skipped": 1}
    assert f"not on the stand-in for CUDA: {reason}\n    01 first: {name}" in result.out


def test_on_the_cpu_it_leaves_nothing_out(project, without_a_library):
    name = next(iter(plugin.NOT_CARRIED))
    project.note(f"def {name}(device):\n    pass\n")

    result = project.run("-p", "tests.standin.plugin", "--device", "cpu")

    assert result.counts == {"passed": 1}


def test_what_was_set_outside_is_still_said(project, without_a_library, monkeypatch):
    monkeypatch.setenv("TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "1")
    project.note("def test_it():\n    pass\n")

    result = project.run("-p", "tests.standin.plugin")

    assert "not used: TORCH_ALLOW_TF32_CUBLAS_OVERRIDE=1" in result.out
