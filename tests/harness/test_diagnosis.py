"""The cause that is named when a device cannot be used: each of them simulated."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from torchnotes.harness import devices, diagnosis

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def cuda(monkeypatch):
    """Set what torch was built for, which GPUs the driver has, and what the environment hides."""

    def setting(built_for="12.4", gpus=None, environment=(), init=None):
        for name in diagnosis.HIDING:
            monkeypatch.delenv(name, raising=False)
        for name, value in dict(environment).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(torch.version, "cuda", built_for)
        monkeypatch.setattr(torch.version, "hip", None, raising=False)
        monkeypatch.setattr(torch, "__version__", "2.6.0+cu124" if built_for else "2.6.0+cpu")
        monkeypatch.setattr(diagnosis, "gpus_of_the_driver", lambda: gpus)
        monkeypatch.setattr(torch.cuda, "init", raising(init) if init else lambda: None)

    return setting


def raising(error):
    def function(*arguments, **options):
        raise error

    return function


H200 = ["NVIDIA H200"]


@pytest.mark.parametrize(
    ("setting", "cause"),
    [
        ({"built_for": None}, "this torch (2.6.0+cpu) is a build without CUDA"),
        (
            {"built_for": None, "gpus": H200},
            "there is a GPU (NVIDIA H200), but this torch (2.6.0+cpu) is a build without CUDA",
        ),
        ({}, "this torch was built for CUDA 12.4, but there is no driver here that it could ask"),
        ({"gpus": []}, "the driver finds no GPU"),
        ({"gpus": H200, "environment": {"CUDA_VISIBLE_DEVICES": ""}}, "CUDA_VISIBLE_DEVICES='' hides the GPUs from it"),
        (
            {"gpus": H200, "environment": {"CUDA_VISIBLE_DEVICES": "1,0"}},
            "CUDA_VISIBLE_DEVICES='1,0' hides the GPUs from it",
        ),
        (
            {"environment": {"CUDA_VISIBLE_DEVICES": "0,1"}},
            "this torch was built for CUDA 12.4, but there is no driver here that it could ask",
        ),
        (
            {
                "gpus": H200,
                "environment": {"CUDA_VISIBLE_DEVICES": "0"},
                "init": RuntimeError("The NVIDIA driver on your system is too old (found version 11040)."),
            },
            "the driver is older than this torch needs (CUDA 12.4): "
            "The NVIDIA driver on your system is too old (found version 11040).",
        ),
        ({"environment": {"CUDA_VISIBLE_DEVICES": "-1"}}, "CUDA_VISIBLE_DEVICES='-1' hides what there is from it"),
        (
            {"gpus": H200, "init": RuntimeError("The NVIDIA driver on your system is too old (found version 11040).")},
            "the driver is older than this torch needs (CUDA 12.4): "
            "The NVIDIA driver on your system is too old (found version 11040).",
        ),
        ({"gpus": H200, "init": RuntimeError("Unexpected error\nmore")}, "RuntimeError: Unexpected error"),
        ({"gpus": H200}, ""),
    ],
)
def test_why_there_is_no_cuda(cuda, setting, cause):
    cuda(**setting)

    assert diagnosis.of_absence("cuda") == cause


def test_a_build_for_rocm_is_not_called_one_for_cuda(cuda, monkeypatch):
    cuda(built_for=None)
    monkeypatch.setattr(torch.version, "hip", "6.2.4", raising=False)

    assert diagnosis.of_absence("cuda") == "this torch was built for ROCm 6.2.4, and finds no GPU"


@pytest.mark.parametrize(("built", "cause"), [(True, "macOS finds no GPU"), (False, "was built without MPS")])
def test_why_there_is_no_mps_on_a_mac(monkeypatch, built, cause):
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(torch.backends.mps, "is_built", lambda: built)

    assert cause in diagnosis.of_absence("mps")


def test_elsewhere_there_is_nothing_to_explain_about_mps(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")

    assert diagnosis.of_absence("mps") == ""


@pytest.mark.parametrize("message", ["CUDA driver version is insufficient for CUDA runtime", "driver is too old"])
def test_a_driver_that_is_too_old_is_named_as_that(monkeypatch, message):
    monkeypatch.setattr(torch, "arange", raising(RuntimeError(message)))

    assert devices.probe("cuda").startswith("the driver is older than this torch needs")


def test_a_build_without_kernels_for_the_gpu_is_named_as_that(monkeypatch):
    error = RuntimeError("CUDA error: no kernel image is available for execution")
    monkeypatch.setattr(torch, "arange", raising(error))
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda name: (12, 0))
    monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: ["sm_80", "sm_90"])

    assert devices.probe("cuda") == (
        "the GPU is an sm_120 and this torch was built for sm_80 sm_90; install a build that has it"
    )


@pytest.mark.parametrize(
    ("asked", "memory"),
    [
        (lambda name: (2**30 // 2, 80 * 2**30), " (0.5 of 80.0 GiB free)"),
        (raising(RuntimeError("CUDA error: out of memory")), ""),
    ],
)
def test_a_memory_that_is_full_is_named_as_that(monkeypatch, asked, memory):
    monkeypatch.setattr(torch, "arange", raising(torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate")))
    monkeypatch.setattr(torch.cuda, "mem_get_info", asked)

    assert devices.probe("cuda") == f"its memory is full{memory}; nvidia-smi shows who uses it"


def test_without_the_drivers_library_there_is_no_one_to_ask(monkeypatch):
    monkeypatch.setattr(diagnosis.ctypes, "CDLL", raising(OSError("cannot open shared object file")))

    assert diagnosis.gpus_of_the_driver() is None


def test_the_drivers_library_names_the_gpus(monkeypatch):
    class Nvml:
        """What is used of the NVIDIA Management Library, with two GPUs."""

        down = False

        def nvmlInit_v2(self):
            return 0

        def nvmlDeviceGetCount_v2(self, number):
            number._obj.value = 2

        def nvmlDeviceGetHandleByIndex_v2(self, index, handle):
            handle._obj.value = index + 1

        def nvmlDeviceGetName(self, handle, name, length):
            name.value = f"GPU {handle.value}".encode()

        def nvmlShutdown(self):
            self.down = True

    nvml = Nvml()
    monkeypatch.setattr(diagnosis.ctypes, "CDLL", lambda name: nvml)

    assert diagnosis.gpus_of_the_driver() == ["GPU 1", "GPU 2"]
    assert nvml.down


def test_a_library_without_its_driver_is_no_one_to_ask(monkeypatch):
    class Nvml:
        def nvmlInit_v2(self):
            return 9  # NVML_ERROR_DRIVER_NOT_LOADED

    monkeypatch.setattr(diagnosis.ctypes, "CDLL", lambda name: Nvml())

    assert diagnosis.gpus_of_the_driver() is None


def test_a_device_that_is_required_and_absent_costs_little_more_than_the_import_of_torch():
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}

    def seconds(*arguments):
        start = time.perf_counter()
        result = subprocess.run([sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True)
        return time.perf_counter() - start, result

    imports, _ = min((seconds("-c", "import torch") for _ in range(2)), key=lambda pair: pair[0])
    whole, result = min((seconds("-m", "pytest", "--device", "cuda") for _ in range(2)), key=lambda pair: pair[0])

    assert result.returncode == pytest.ExitCode.USAGE_ERROR
    assert len(result.stderr.strip().splitlines()) == 1
    assert whole - imports < 2, f"{whole:.1f} s, of which torch's import takes {imports:.1f} s"
