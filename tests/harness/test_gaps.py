"""`nox -s gaps`: the parameters that no note passes."""

import subprocess
import sys
from pathlib import Path

import gaps
import pytest

SCRIPT = Path(gaps.__file__)


@pytest.fixture
def gaps_of(tmp_path):
    def gaps_of(text):
        path = tmp_path / "test_01_first.py"
        path.write_text(text, encoding="utf-8")
        return dict(gaps.gaps(path, gaps.calls([path])))

    return gaps_of


def test_what_no_call_passes_is_a_gap(gaps_of):
    found = gaps_of('''
from shutil import copytree

def test_it():
    """`copytree(a, b)` copies."""
    copytree("a", "b", symlinks=True)
''')

    assert found == {
        "copytree": ["ignore", "copy_function", "ignore_dangling_symlinks", "dirs_exist_ok"],
    }


def test_places_keywords_and_helpers_pass(gaps_of):
    found = gaps_of('''
from shutil import copytree

def test_another():
    """Nothing is named."""
    copytree("a", "b", True, None)

def test_it():
    """`copytree` copies."""

    def helped(**options):
        copytree("a", "b", **options)

    helped(copy_function=print)
''')

    assert found == {"copytree": ["ignore_dangling_symlinks", "dirs_exist_ok"]}


def test_what_is_written_in_cpp_and_methods_have_parameters_too(gaps_of):
    found = gaps_of('''
import torch

def test_it():
    """`torch.allclose(a, b)` and `loss.backward()`, of `torch.version.cuda` and `torch.no_such_name`."""
''')

    assert found["torch.allclose"] == ["other", "rtol", "atol", "equal_nan"]
    assert found["loss.backward"] == ["gradient", "retain_graph", "create_graph", "inputs"]
    assert not found.keys() - {"torch.allclose", "loss.backward"}


def test_a_section_that_is_not_there_is_named():
    run = subprocess.run([sys.executable, SCRIPT, "quagga"], capture_output=True, text=True)

    assert run.returncode == 1
    assert run.stderr.startswith("no section is named like quagga; there are: 01_what_pytorch_is ")
