"""What a failing note says, and that its likely causes were looked at."""

import pytest
import torch
from packaging.version import Version

from torchnotes.harness import devices, versions

NOTE = '''
import sklearn

@pytest.mark.myth("two is one")
def test_it(device):
    """Two is
    not one.

    A reason.

    https://docs.pytorch.org/docs/stable/torch.html
    """
    assert torch.ones(2, device=device).tolist() == [1, 2]
'''


@pytest.mark.parametrize("options", [[], ["-n", "2"], ["--tb=short"]], ids=["plain", "two processes", "short"])
def test_a_failure_teaches_above_its_traceback(project, options):
    project.note(NOTE)

    result = project.run("--device", "cpu", *options)

    lines = result.out.splitlines()
    start = lines.index("claim:   Two is not one.")
    assert lines[start + 1] == "myth:    two is one"
    assert lines[start + 2] == "found:   AssertionError: assert [1.0, 1.0] == [1, 2]"
    rest = lines[start + 3 :]
    where, likely, read = (
        next(line for line in rest if line.startswith(word)) for word in ("where:", "likely:", "read:")
    )
    assert where.startswith(f"where:   cpu, torch {torch.__version__}, NumPy ")
    assert likely.startswith("likely:  1. the belief itself:")
    assert read == "read:    https://docs.pytorch.org/docs/stable/torch.html"
    assert rest.index(where) < rest.index(likely) < rest.index(read)
    assert next(number for number, line in enumerate(rest) if "assert torch.ones" in line) > rest.index(read)
    assert lines[-2].startswith("FAILED tests/notes/test_01_first.py::test_it[cpu] - ")


def pretend(monkeypatch, **found):
    real = versions.installed
    monkeypatch.setattr(versions, "installed", lambda name: Version(found[name]) if name in found else real(name))


def likely(result):
    lines = result.out.splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("likely:"))
    last = next(number for number, line in enumerate(lines) if line.startswith("read:"))
    return [line.strip().removeprefix("likely:").strip() for line in lines[first:last]]


def test_a_numpy_that_torch_cannot_use_comes_first(project, monkeypatch):
    def no_bridge(self, **options):
        raise RuntimeError("Numpy is not available")

    monkeypatch.setattr(torch.Tensor, "numpy", no_bridge)
    project.note(NOTE)

    result = project.run()

    header = next(line for line in result.out.splitlines() if line.startswith("torch "))
    assert "which this torch cannot use (Numpy is not available)" in header
    (cause,) = likely(result)
    assert cause.startswith("1. NumPy ")
    assert "(Numpy is not available): it was built for another NumPy; torch before 2.3 needs numpy<2" in cause


def test_a_package_that_is_too_old_is_a_cause_only_where_it_is_used(project, monkeypatch):
    pretend(monkeypatch, **{"scikit-learn": "0.22", "tqdm": "1.0"})
    project.note(NOTE)

    assert likely(project.run()) == ["1. scikit-learn 0.22 is installed, and the notes need scikit-learn>=1.2"]


def test_a_device_that_no_longer_computes_is_a_cause(project, monkeypatch):
    monkeypatch.setattr(devices, "visible", lambda: ["cpu"])
    answers = iter([None, "it fell off the bus"])
    monkeypatch.setattr(devices, "probe", lambda name: next(answers))
    project.note(NOTE)

    assert likely(project.run()) == ["1. cpu cannot compute: it fell off the bus"]


@pytest.mark.parametrize(
    ("requirement", "cause"),
    [
        ("torch>=2.0", f"torch {torch.__version__} meets torch>=2.0, so it should hold"),
        ("torch<2.0", f"with torch {torch.__version__} the note must fail, but with TypeError"),
    ],
)
def test_a_boundary_is_a_cause(project, requirement, cause):
    project.note(f'@pytest.mark.holds("{requirement}", otherwise=TypeError)\ndef test_it():\n    assert 1 == 2\n')

    (line,) = likely(project.run())

    assert cause in line


def test_a_boundary_that_is_elsewhere_is_said_when_the_note_holds_too_early(project):
    project.note('@pytest.mark.holds("torch<2.0", otherwise=TypeError)\ndef test_it():\n    pass\n')

    result = project.run()

    assert result.counts == {"failed": 1}
    assert "[XPASS(strict)] holds only with torch<2.0 (here" in result.out


def test_several_causes_are_numbered_the_surest_first(project, monkeypatch):
    pretend(monkeypatch, **{"scikit-learn": "0.22"})
    monkeypatch.setattr(devices, "probe", lambda name: "broken" if name == "cpu" and broken else None)
    broken = []
    project.note(NOTE)
    monkeypatch.setattr(devices, "synchronize", lambda name: None)
    monkeypatch.setattr(devices, "canonical", lambda name: broken.append(name) or torch.device(name))

    assert likely(project.run()) == [
        "1. scikit-learn 0.22 is installed, and the notes need scikit-learn>=1.2",
        "2. cpu cannot compute: broken",
    ]


def test_a_note_that_broke_torch_on_its_way_is_reported_all_the_same(project):
    project.note(
        """
def test_it(monkeypatch):
    monkeypatch.setattr(torch, "zeros", None)
    assert 1 == 2
"""
    )

    (line,) = likely(project.run())

    assert line.startswith("1. a broken install: looking for the cause failed too, with TypeError")


def test_an_example_that_hypothesis_found_is_part_of_what_was_found(project):
    project.note(
        '''
from hypothesis import given, strategies as st

@given(number=st.integers())
def test_it(number):
    """Numbers are small."""
    assert number < 1000
'''
    )

    out = project.run().out

    assert "claim:   Numbers are small." in out
    assert "found:   AssertionError: assert 1000 < 1000" in out
    assert "number=1000" in out


def test_other_tests_fail_as_they_always_do(project):
    folder = project.path / "tests" / "harness"
    folder.mkdir()
    (folder / "test_other.py").write_text("def test_other():\n    assert False\n")

    assert "claim:" not in project.run(folder).out
