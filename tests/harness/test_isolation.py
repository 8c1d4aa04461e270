"""A note that leaves the process in another state fails by name, and the next one starts clean."""

import pytest
import torch

from plugins import isolation

LEAKS = {
    "the default dtype": "torch.set_default_dtype(torch.float64)",
    "the default device": "torch.set_default_device('meta')",
    "grad mode": "torch.set_grad_enabled(False)",
    "deterministic algorithms": "torch.use_deterministic_algorithms(True)",
    "deterministic algorithms ": "torch.use_deterministic_algorithms(True, warn_only=True)",
    "matmul precision": "torch.set_float32_matmul_precision('high')",
    "cuDNN's choice of algorithm": "torch.backends.cudnn.benchmark = True",
    "cuDNN's choice of algorithm ": "torch.backends.cudnn.deterministic = True",
    "the number of threads": "torch.set_num_threads(torch.get_num_threads() + 1)",
    "anomaly detection": "torch.autograd.set_detect_anomaly(True)",
    "how often warnings come": "torch.set_warn_always(False)",
    "print options": "torch.set_printoptions(precision=2)",
    "NumPy's handling of floating-point errors": "import numpy; numpy.seterr(divide='raise')",
    "garbage collection": "import gc; gc.disable()",
    "the working directory": "import os; os.chdir('..')",
    "environment variables": "import os; os.environ['LEFT_BEHIND'] = 'yes'",
    "environment variables ": "import os; del os.environ['PATH']",
    "child processes": "import multiprocessing, time; multiprocessing.Process(target=time.sleep, args=(60,)).start()",
}


def test_every_kind_of_state_is_tried_here():
    assert {name.partition(" (")[0] for name in isolation.STATE} == {name.strip() for name in LEAKS}


@pytest.mark.parametrize("name", LEAKS)
@pytest.mark.parametrize("end", ["pass", "assert 1 == 2"], ids=["passes", "fails"])
def test_a_leak_fails_the_note_and_is_undone(project, name, end):
    body = f"    {LEAKS[name]}\n    {end}\n"
    project.note(f"def test_leaks():\n{body}\n\ndef test_next():\n    pass\n")
    before = isolation.snapshot()

    result = project.run("-W", "ignore")

    assert isolation.snapshot() == before
    assert result.code == 1
    outcome = {"passed": 2} if end == "pass" else {"passed": 1, "failed": 1}
    assert result.counts == {**outcome, "error": 1}
    assert "ERROR at teardown of test_leaks" in result.out
    assert f"this note left behind:\n  {name.strip()} (" in result.out.replace(f"{name.strip()}: ", f"{name.strip()} (")
    assert "2 claims: 1 held, 1 failed" in result.out


def test_a_default_device_that_is_undone_leaves_no_mode_on(project, monkeypatch):
    """A mode that chooses devices would see every call afterwards, and hand it on: what is called once came twice."""
    calls, healthy = [], torch.Tensor.sum
    project.note("def test_leaks():\n    torch.set_default_device('meta')\n")

    project.run()
    monkeypatch.setattr(torch.Tensor, "sum", lambda tensor: calls.append("sum") or healthy(tensor))
    torch.ones(1).sum()

    assert calls == ["sum"]


@pytest.mark.parametrize("name", sorted(isolation.NOT_OF_A_NOTE))
def test_what_torch_and_pytest_set_for_themselves_is_no_leak(project, monkeypatch, name):
    monkeypatch.delenv(name, raising=False)
    project.note(f"import os\n\ndef test_it():\n    os.environ['{name}'] = 'set'\n")

    assert project.run().counts == {"passed": 1}


def test_what_was_left_is_said_with_both_values(project):
    project.note(
        "import os\n\ndef test_leaks():\n    os.environ['LEFT_BEHIND'] = 'yes'\n    torch.set_grad_enabled(False)\n"
    )

    out = project.run().out

    assert "environment variables (os.environ): LEFT_BEHIND was None and is 'yes'" in out
    assert "grad mode (torch.set_grad_enabled): was True and is False" in out


def test_a_note_that_cleans_up_does_not_fail(project):
    project.note(
        """
def test_a_block():
    with torch.no_grad(), torch.device("meta"):
        torch.ones(2) + 1

def test_a_fixture(monkeypatch, tmp_path):
    monkeypatch.setenv("NAME", "value")
    monkeypatch.chdir(tmp_path)

def test_finally():
    torch.set_default_dtype(torch.float64)
    try:
        assert torch.ones(1).dtype == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
"""
    )

    assert project.run().counts == {"passed": 3}


def test_using_random_numbers_is_no_leak_and_no_note_sees_the_draws_of_another(project):
    project.note(
        """
import random
import numpy as np

def draws():
    return torch.rand(1).item(), np.random.rand(), random.random()

SEEN = []

@pytest.mark.parametrize("number", range(3))
def test_draw(number):
    SEEN.append(draws())
    assert SEEN == [SEEN[0]] * len(SEEN)
"""
    )

    assert project.run().counts == {"passed": 3}


def test_only_notes_are_isolated(project):
    folder = project.path / "tests" / "harness"
    folder.mkdir()
    (folder / "test_other.py").write_text("import os\n\ndef test_other():\n    os.environ['LEFT_BEHIND'] = 'yes'\n")

    result = project.run(folder)
    del isolation.os.environ["LEFT_BEHIND"]

    assert result.counts == {"passed": 1}
