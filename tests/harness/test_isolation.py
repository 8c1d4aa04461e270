"""A note that leaves the process in another state fails by name, and the next one starts clean."""

import os

import pytest
import torch

from torchnotes.harness import isolation, origin

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


@pytest.mark.skipif(not hasattr(torch.backends, "fp32_precision"), reason="there is one setting before torch 2.9")
def test_settings_of_the_precision_that_contradict_each_other_are_undone_too(project):
    project.note(
        "def test_leaks():\n    torch.backends.cuda.matmul.fp32_precision = 'tf32'\n\n\n"
        "def test_next():\n    assert torch.get_float32_matmul_precision() == 'highest'\n"
    )

    result = project.run()

    assert result.counts == {"passed": 2, "error": 1}
    assert "matmul precision" in result.out
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


SOMEBODYS_PLUGIN = """
import numpy, torch, tqdm

torch.set_default_dtype(torch.float64)
torch.set_default_device("meta")
torch.set_grad_enabled(False)
torch.use_deterministic_algorithms(True)
torch.set_float32_matmul_precision("medium")
torch.backends.cudnn.benchmark = True
torch.autograd.set_detect_anomaly(True)
torch.set_printoptions(precision=2)
numpy.seterr(divide="raise")
"""

NOTES_ABOUT_DEFAULTS = """
import io
import os


def test_defaults(device):
    import numpy as np
    import tqdm
    assert torch.ones(1).dtype == torch.float32
    assert torch.ones(1).device.type == "cpu"
    assert torch.ones(1, requires_grad=True).mul(2).requires_grad
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.get_float32_matmul_precision() == "highest"
    assert not torch.backends.cudnn.benchmark
    assert not torch.is_anomaly_enabled()
    assert str(torch.tensor(1 / 3)) == "tensor(0.3333)"
    assert np.geterr()["divide"] == "warn"
    assert not tqdm.tqdm(range(1), file=io.StringIO()).disable


def test_variables():
    left = {name for name in os.environ if name.startswith(("TORCH_", "TQDM_", "CUBLAS_"))}
    assert left == {"TORCH_HOME"}
"""


def test_notes_start_from_torchs_own_defaults_whatever_the_process_started_with(project, tmp_path, monkeypatch):
    """Variables such as NVIDIA's containers set, and a plugin that changes everything before the notes begin."""
    for name in [name for name in os.environ if origin.changes_results(name)]:
        monkeypatch.delenv(name)
    (tmp_path / "somebodys_plugin.py").write_text(SOMEBODYS_PLUGIN)
    variables = {
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
        "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE": "1",
        "TORCH_FORCE_WEIGHTS_ONLY_LOAD": "1",
        "TQDM_DISABLE": "1",
    }
    for name, value in (variables | {"TORCH_HOME": str(tmp_path)}).items():
        monkeypatch.setenv(name, value)
    project.note(NOTES_ABOUT_DEFAULTS)

    result = project.run_apart("-p", "somebodys_plugin", path=[tmp_path])

    assert result.counts == {"passed": 2}
    (header,) = (line for line in result.out.splitlines() if line.startswith("torch "))
    _, _, said = header.partition("not used: ")
    assert said.startswith(", ".join(f"{name}={value}" for name, value in variables.items()) + ", ")
    for words in ("default dtype", "default device", "grad mode", "deterministic", "matmul", "cuDNN", "anomaly"):
        assert words in said
    assert "TORCH_HOME" not in said


def test_a_process_that_nobody_changed_has_nothing_to_say(project):
    project.note("def test_it():\n    pass\n")

    assert "not used" not in project.run().out
