"""The simulated cuda device: what it shows, what becomes of errors in it, and how it is counted."""

import os
import re
import time

import pytest
import torch

from torchnotes.harness import devices, simulation

pytestmark = pytest.mark.skipif(simulation.obstacle() is not None, reason=str(simulation.obstacle()))


def test_it_knows_shapes_and_devices():
    def product():
        result = torch.ones(2, 3, device="cuda") @ torch.ones(3, 4, device="cuda")
        return str(result.device), tuple(result.shape)

    assert simulation.run(product) == ("cuda:0", (2, 4))
    assert torch.empty(0).device.type == "cpu"


def test_a_real_gpu_that_may_be_broken_is_left_alone(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)

    assert simulation.run(lambda: str(torch.tensor([1.0], device="cuda").device)) == "cuda:0"


def test_an_error_arrives_as_the_nearest_built_in_one_with_its_message():
    with pytest.raises(RuntimeError, match="device") as raised:
        simulation.run(lambda: torch.ones(2, 2, device="cuda") @ torch.ones(2, 2))

    assert type(raised.value) is RuntimeError


def test_a_process_that_dies_of_it_is_an_error():
    with pytest.raises(RuntimeError, match="ended with exit code 3"):
        simulation.run(lambda: os._exit(3))


def test_a_process_that_hangs_is_ended(monkeypatch):
    monkeypatch.setattr(simulation, "PATIENCE", 0.1)
    start = time.perf_counter()

    with pytest.raises(RuntimeError, match=r"did not end within 0\.1 seconds"):
        simulation.run(lambda: time.sleep(60))

    assert time.perf_counter() - start < 30


ON_CUDA = """
def devices_of_a_sum():
    return str((torch.ones(2, device="cuda") + torch.ones(2, device="cuda")).device.type)

def test_it(on_cuda):
    assert on_cuda(devices_of_a_sum) == "cuda"
"""


def test_what_is_simulated_has_a_column_of_its_own(project, monkeypatch):
    monkeypatch.setattr(devices, "visible", lambda: ["cpu"])
    project.note(ON_CUDA)

    result = project.run("-v")

    assert result.code == 0, result.out
    assert "::test_it[fake cuda] PASSED" in result.out
    lines = re.sub(" +", " ", result.out)
    assert "\nsection fake cuda\n01 first 1\n(fake cuda is simulated: torch's own rules for a GPU" in lines


def test_what_is_simulated_does_not_count_as_cuda(project, monkeypatch):
    monkeypatch.setattr(devices, "visible", lambda: ["cpu"])
    project.note(ON_CUDA)

    assert "FAILED: --at-least cuda=1: no notes ran on it" in project.run("--at-least", "cuda=1").out


def test_a_failure_on_it_says_where_and_why(project, monkeypatch):
    monkeypatch.setattr(devices, "visible", lambda: ["cpu"])
    project.note(ON_CUDA.replace('== "cuda"', '== "cpu"'))

    result = project.run()

    assert result.counts == {"failed": 1}
    assert "where:   fake cuda, torch" in result.out
    assert "the belief itself" in result.out


def test_where_there_is_a_gpu_the_real_one_is_used(project, monkeypatch):
    monkeypatch.setattr(devices, "visible", lambda: ["cpu", "cuda"])
    monkeypatch.setattr(devices, "count", lambda name: 1)
    monkeypatch.setattr(devices, "probe", lambda name: None)
    monkeypatch.setattr(devices, "canonical", lambda name: name)
    monkeypatch.setattr(devices, "synchronize", lambda name: None)
    monkeypatch.setattr(simulation, "run", None)
    project.note("def test_it(on_cuda):\n    assert on_cuda(lambda: 7) == 7\n")

    result = project.run("-v")

    assert "::test_it[cuda] PASSED" in result.out
    assert "fake cuda" not in result.out


def test_where_nothing_can_be_simulated_the_reason_is_named(project, monkeypatch):
    monkeypatch.setattr(devices, "visible", lambda: ["cpu"])
    monkeypatch.setattr(simulation, "obstacle", lambda: "this system has no fork")
    project.note(ON_CUDA + "\ndef test_other():\n    pass\n")

    result = project.run()

    assert result.code == 0
    assert "  this system has no fork\n    01 first: test_it\n" in result.out


def test_macos_is_not_trusted_with_a_fork(monkeypatch):
    monkeypatch.setattr(simulation.sys, "platform", "darwin")

    assert simulation.obstacle() == "a GPU is simulated in a forked process, in which libraries of macOS may crash"


@pytest.mark.parametrize(("version", "possible"), [("2.3.1", False), ("2.4.0", True), ("2.16.0.dev20260901", True)])
def test_old_releases_are_not_trusted_with_it(monkeypatch, version, possible):
    monkeypatch.setattr(torch, "__version__", version)

    assert (simulation.obstacle() is None) is possible
    assert possible or simulation.obstacle() == "simulating a GPU needs torch>=2.4; this is 2.3.1"
