"""Why a device cannot be used: the cause behind what a driver says, and behind a device that is not there."""

from __future__ import annotations

import ctypes
import os
import re
import sys

from torchnotes import kinds

HIDING = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")
"""Environment variables that hide GPUs from a process."""


def of_error(name, error):
    """The likely cause of what a device raised, in one line; what it said where no cause is known."""
    import torch

    message = (str(error).strip() or type(error).__name__).splitlines()[0]
    if torch.device(name).type == "cuda":
        if "no kernel image" in message:
            major, minor = torch.cuda.get_device_capability(name)
            there = " ".join(torch.cuda.get_arch_list())
            return f"the GPU is an sm_{major}{minor} and this torch was built for {there}; install a build that has it"
        if "driver" in message and ("insufficient" in message or "too old" in message):
            return f"the driver is older than this torch needs (CUDA {torch.version.cuda}): {message}"
        if "out of memory" in message:
            return f"its memory is full{_memory(name)}; nvidia-smi shows who uses it"
    return f"{type(error).__name__}: {message}"


def _memory(name):
    import torch

    try:
        free, total = torch.cuda.mem_get_info(name)
    except RuntimeError:  # not even to ask is there room
        return ""
    return f" ({free / 2**30:.1f} of {total / 2**30:.1f} GiB free)"


def of_absence(device_type):
    """Why torch sees no device of this type, in one line, or an empty text where there is no more to say."""
    import torch

    return _of_absent_cuda(torch) if device_type == "cuda" else kinds.of(device_type).absence(torch)


def _of_absent_cuda(torch):
    hip = getattr(torch.version, "hip", None)
    built_for = f"ROCm {hip}" if hip else torch.version.cuda and f"CUDA {torch.version.cuda}"
    gpus = None if hip else gpus_of_the_driver()
    hidden = [f"{name}={os.environ[name]!r}" for name in HIDING if _hides(os.environ.get(name), gpus)]
    if not built_for:
        gpu = f"there is a GPU ({gpus[0]}), but " if gpus else ""
        return f"{gpu}this torch ({torch.__version__}) is a build without CUDA"
    if hidden:
        return f"{' and '.join(hidden)} hides {'what there is' if gpus is None else 'the GPUs'} from it"
    if gpus is None:
        if hip:
            return f"this torch was built for {built_for}, and finds no GPU"
        return f"this torch was built for {built_for}, but there is no driver here that it could ask"
    if not gpus:
        return "the driver finds no GPU"
    try:
        torch.cuda.init()
    except (RuntimeError, AssertionError) as error:
        return of_error("cuda", error)
    return ""


def _hides(value, gpus):
    """Whether this value hides every GPU: one that names the first GPU does not, as Slurm and others set it for a job.

    What is listed after something that is not there is hidden, so the first name decides.
    """
    if value is None:
        return False
    first = value.partition(",")[0].strip()
    return not first.isdecimal() or (gpus is not None and int(first) >= len(gpus))


def gpus_of_the_driver():
    """The names of the GPUs that the NVIDIA driver itself has, hidden ones too; None where there is no driver to ask.

    It asks the driver's management library (NVML), which neither needs torch nor starts anything on a GPU.
    """
    library = "nvml.dll" if sys.platform == "win32" else "libnvidia-ml.so.1"
    try:
        nvml = ctypes.CDLL(library)
    except OSError:
        return None
    if nvml.nvmlInit_v2() != 0:
        return None
    try:
        number = ctypes.c_uint()
        nvml.nvmlDeviceGetCount_v2(ctypes.byref(number))
        return [_nvml_name(nvml, index) for index in range(number.value)]
    finally:
        nvml.nvmlShutdown()


def _nvml_name(nvml, index):
    handle, name = ctypes.c_void_p(), ctypes.create_string_buffer(96)
    nvml.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(handle))
    nvml.nvmlDeviceGetName(handle, name, ctypes.c_uint(len(name)))
    return re.sub(r"\s+", " ", name.value.decode(errors="replace")).strip() or "unnamed"
