"""Which devices are found, what is proved on them, and what a device that does not work leads to."""

import re

import pytest
import torch

from plugins import devices


class Accelerator:
    """Stands in for `torch.accelerator`: it names what the build is for, whether or not there is one."""

    def __init__(self, name, available):
        self.name, self.available = name, available

    def is_available(self):
        return self.available

    def current_accelerator(self):
        return torch.device(self.name)


@pytest.mark.parametrize(
    ("name", "available", "names"),
    [
        ("cuda", True, ["cpu", "cuda"]),
        ("cuda", False, ["cpu"]),
        ("mps", True, ["cpu", "mps"]),
        ("xpu", True, ["cpu", "xpu"]),
    ],
)
def test_what_torch_accelerator_names_counts_only_if_it_is_available(monkeypatch, name, available, names):
    monkeypatch.setattr(torch, "accelerator", Accelerator(name, available), raising=False)

    assert devices.visible() == names


@pytest.mark.parametrize("there", [(), ("cuda",), ("mps",), ("xpu",), ("cuda", "xpu")])
def test_without_torch_accelerator_each_kind_is_asked(monkeypatch, there):
    monkeypatch.delattr(torch, "accelerator", raising=False)
    for name, module in {"cuda": torch.cuda, "mps": torch.backends.mps, "xpu": torch.xpu}.items():
        monkeypatch.setattr(module, "is_available", lambda name=name: name in there)

    assert devices.visible() == ["cpu", *there]


def test_a_torch_that_has_never_heard_of_xpu_has_none(monkeypatch):
    monkeypatch.delattr(torch, "accelerator", raising=False)
    monkeypatch.delattr(torch, "xpu", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)

    assert devices.visible() == ["cpu"]


@pytest.mark.parametrize("before", [None, "0"])
def test_asking_for_devices_does_not_initialise_a_driver_and_leaves_the_environment_alone(monkeypatch, before):
    name = "PYTORCH_NVML_BASED_CUDA_CHECK"
    if before is None:
        monkeypatch.delenv(name, raising=False)
    else:
        monkeypatch.setenv(name, before)
    seen = []

    class Asked(Accelerator):
        def is_available(self):
            seen.append(devices.os.environ[name])
            return False

    monkeypatch.setattr(torch, "accelerator", Asked("cuda", False), raising=False)
    devices.visible()

    assert seen == ["1"]
    assert devices.os.environ.get(name) == before


def test_the_cpu_computes():
    assert devices.probe("cpu") is None


def raising(error):
    def function(*arguments, **options):
        raise error

    return function


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (RuntimeError("CUDA out of memory. Tried to allocate"), "RuntimeError: CUDA out of memory. Tried to allocate"),
        (AssertionError(""), "AssertionError: AssertionError"),
        (RuntimeError("two\nlines"), "RuntimeError: two"),
    ],
)
def test_a_device_that_raises_does_not_compute(monkeypatch, error, cause):
    monkeypatch.setattr(torch, "arange", raising(error))

    assert devices.probe("cpu") == cause


def test_a_driver_that_is_too_old_is_named_as_that(monkeypatch):
    monkeypatch.setattr(torch, "arange", raising(RuntimeError("CUDA driver version is insufficient for CUDA runtime")))

    assert devices.probe("cuda").startswith("the driver is older than this torch needs")


def test_a_build_without_kernels_for_the_gpu_is_named_as_that(monkeypatch):
    monkeypatch.setattr(
        torch, "arange", raising(RuntimeError("CUDA error: no kernel image is available for execution"))
    )
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda name: (12, 0))
    monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: ["sm_80", "sm_90"])

    assert devices.probe("cuda") == (
        "the GPU is an sm_120 and this torch was built for sm_80 sm_90; install a build that has it"
    )


def test_a_device_that_computes_something_else_does_not_count(monkeypatch):
    real = torch.arange
    monkeypatch.setattr(torch, "arange", lambda *a, **k: real(*a, **k) + 1)

    assert (
        devices.probe("cpu")
        == "a product of two small matrices gave [[14.0, 32.0], [32.0, 77.0]], not [[5, 14], [14, 50]]"
    )


def test_a_kernel_that_fails_late_is_found_by_the_probe(monkeypatch):
    monkeypatch.setattr(devices, "synchronize", raising(RuntimeError("an illegal memory access was encountered")))

    assert devices.probe("cpu") == "RuntimeError: an illegal memory access was encountered"


@pytest.fixture
def a_broken_gpu(monkeypatch):
    monkeypatch.setattr(devices, "visible", lambda: ["cpu", "cuda"])
    monkeypatch.setattr(devices, "probe", lambda name: "its driver is too old" if name == "cuda" else None)


NOTE = "def test_it(device):\n    assert torch.ones(2, device=device).sum() == 2\n"


def test_a_device_that_is_visible_and_broken_is_one_failure(project, a_broken_gpu):
    project.note(NOTE + NOTE.replace("test_it", "test_that"))

    result = project.run()

    assert result.code == pytest.ExitCode.TESTS_FAILED
    assert result.counts == {"passed": 2}  # on the cpu
    assert "cpu computes; cuda cannot compute: its driver is too old" in result.out
    assert result.out.count("FAILED: ") == 1
    assert "FAILED: cuda cannot compute: its driver is too old: it is visible, so this is a failure" in result.out


def test_a_cpu_that_computes_wrong_stops_the_run(project, monkeypatch):
    monkeypatch.setattr(devices, "visible", lambda: ["cpu"])
    monkeypatch.setattr(devices, "probe", lambda name: "a product of two small matrices gave 0")
    project.note(NOTE)

    result = project.run()

    assert result.code == pytest.ExitCode.USAGE_ERROR
    assert result.refusal.startswith(
        "ERROR: cpu cannot compute: a product of two small matrices gave 0; this torch is broken"
    )


def test_a_device_that_is_asked_for_and_broken_stops_the_run(project, a_broken_gpu):
    project.note(NOTE)

    result = project.run("--device", "cuda")

    assert result.code == pytest.ExitCode.USAGE_ERROR
    assert result.refusal == "ERROR: --device cuda cannot compute: its driver is too old"


def test_a_broken_device_that_is_not_chosen_does_not_matter(project, a_broken_gpu):
    project.note(NOTE)

    assert project.run("--device", "cpu").code == 0


@pytest.mark.parametrize(
    ("names", "counts", "expected"),
    [
        (["cpu"], {}, [("cpu", "meta")]),
        (["cpu", "cuda"], {"cuda": 1}, [("cpu", "meta"), ("cpu", "cuda")]),
        (["cpu", "cuda"], {"cuda": 4}, [("cpu", "meta"), ("cpu", "cuda"), ("cuda:0", "cuda:1")]),
        (["cuda"], {"cuda": 2}, [("cpu", "cuda"), ("cuda:0", "cuda:1")]),
        (["cpu", "mps"], {"mps": 1}, [("cpu", "meta"), ("cpu", "mps")]),
    ],
)
def test_pairs_of_devices(monkeypatch, names, counts, expected):
    monkeypatch.setattr(devices, "count", lambda name: counts.get(name, 1))

    assert devices.pairs([devices.Device(name) for name in names]) == expected


def test_a_pair_with_a_stand_in_is_reported_as_one(project, monkeypatch):
    monkeypatch.setattr(devices, "visible", lambda: ["cpu"])
    project.note(
        """
def test_they_do_not_mix(device_pair):
    one, another = device_pair
    assert [one.type, another.type] == ["cpu", "meta"]
    with pytest.raises(RuntimeError):
        torch.ones(2, device=one) + torch.ones(2, device=another)
"""
    )

    result = project.run("-v")

    assert result.code == 0
    assert "test_they_do_not_mix[cpu+meta] PASSED" in result.out
    assert "\nsection cpu+meta\n01 first 1\n" in re.sub(" +", " ", result.out)
    assert "(meta stands in for a second device: the rule is proved, but not on an accelerator)" in result.out


def test_a_note_that_needs_an_accelerator_is_named_where_there_is_none(project, monkeypatch):
    monkeypatch.setattr(devices, "visible", lambda: ["cpu"])
    project.note("def test_fast(accelerator):\n    assert False\n\ndef test_it():\n    pass\n")

    result = project.run()

    assert result.code == 0
    assert "2 claims: 1 held, 0 failed, 1 could not be checked" in result.out
    assert "  only an accelerator can show this, and there is none here\n    01 first: test_fast\n" in result.out


def test_the_fixture_is_the_device_that_tensors_report(project):
    project.note("def test_it(device):\n    assert torch.ones(1, device=device).device == device\n")

    assert project.run().counts == {"passed": 1}


@pytest.mark.parametrize("fixture", ["device", "device_pair", "accelerator"])
def test_the_note_that_launched_a_faulty_kernel_is_the_one_that_fails(project, monkeypatch, fixture):
    monkeypatch.setattr(devices, "visible", lambda: ["cpu", "cuda"])
    monkeypatch.setattr(devices, "count", lambda name: 1)
    monkeypatch.setattr(devices, "probe", lambda name: None)
    monkeypatch.setattr(devices, "canonical", torch.device)
    launched = []

    def synchronize(name):
        if launched and name == "cuda":
            raise RuntimeError(f"the kernel of {launched.pop()} failed")

    monkeypatch.setattr(devices, "synchronize", synchronize)
    monkeypatch.setattr(devices, "launched", launched, raising=False)
    project.note(
        f"""
from plugins.devices import launched

def test_before({fixture}):
    pass

def test_guilty({fixture}):
    launched.append("test_guilty")

def test_innocent({fixture}):
    pass
"""
    )

    result = project.run("--device", "cuda")

    assert result.code == 1
    assert result.counts == {"passed": 3, "error": 1}
    assert "ERROR at teardown of test_guilty[" in result.out
    assert "3 claims: 2 held, 1 failed" in result.out
