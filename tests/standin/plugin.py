"""A GPU that everybody has: `python -m pytest -p tests.standin.plugin --device cuda` runs the notes on a stand-in.

standin.cpp, which is built when it is first needed, gives a CPU build of torch tensors of `cuda:0` that the CPU
computes; this module tells torch's Python side of it. A note or a mutant that forgets the device, or goes only the
CPU's road through torch, fails here as on a GPU. That a GPU computes what a note says, only a GPU can show.
"""

import ctypes
import hashlib
import importlib.util
import os
import platform
import runpy
import shlex
import shutil
import subprocess
import sys
import types
from pathlib import Path

import pytest

TORCH = "2.13.0"
"""The release whose insides standin.cpp knows; another one has others."""

SOURCE = Path(__file__).with_name("standin.cpp")
BUILT = Path(__file__).parents[2] / "made"

SAYS = "cuda is a stand-in in this machine's memory: nothing was computed on a GPU"

GIB = 2**30

_EVENTS = "it is about events, streams or work that goes on, and the stand-in is done when a call returns"

NOT_CARRIED = {
    "test_a_copy_from_the_gpu_that_nobody_waits_for_comes_late": _EVENTS,
    "test_a_stream_waits_for_another_only_if_told_to": _EVENTS,
    "test_an_unsynchronised_timer_stops_before_the_device_is_done": _EVENTS,
    "test_events_do_not_tell_the_time_unless_asked_to": _EVENTS,
    "test_events_tell_the_devices_own_time": _EVENTS,
    "test_hidden_waits_can_be_found": _EVENTS,
    "test_reading_a_value_waits_for_the_device": _EVENTS,
    "test_torch_accelerator_synchronises_if_there_is_one": _EVENTS,
    "test_torch_benchmark_synchronises_by_itself": _EVENTS,
    "test_cudnn_refuses_backward_through_an_lstm_in_evaluation": "the rule is cuDNN's, and the stand-in has none",
    "test_tf32_takes_compute_capability_eight": "TF32 is a GPU's own arithmetic, and the stand-in has the CPU's",
    "test_tensors_in_tensors_out": "it needs a sparse tensor, and the stand-in has none",
}
"""The notes that the stand-in cannot carry, each with the reason."""


def pytest_configure(config):
    if config.getoption("record", None):
        raise pytest.UsageError(f"--record: {SAYS}, and a record would pass for one of a GPU; leave it out")


@pytest.hookimpl(wrapper=True)  # before the hook that imports torch
def pytest_sessionstart():
    """Load the library before torch is imported, which asks once what kind of build it is."""
    from torchnotes.harness import origin  # not above, before pytest could rewrite its asserts

    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    environment = dict(os.environ)
    origin.clean_environment()
    torch = folder_of_torch()
    load(torch, library(torch))
    imitate()
    os.environ.update(environment)  # for the start of the run, which says what it does not use
    return (yield)


@pytest.hookimpl(trylast=True)  # which comes first
def pytest_report_header():
    return SAYS


def pytest_collection_modifyitems(items):
    from torchnotes.harness import devices

    for item in items:
        if (reason := NOT_CARRIED.get(item.originalname)) and devices.of(item) != "cpu":
            item.add_marker(pytest.mark.skip(reason=f"not on the stand-in for CUDA: {reason}"))


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter):
    terminalreporter.line(f"({SAYS})")


def library(torch):
    """The path of the library, built for the torch in this folder unless there is one of this source already.

    Raises `pytest.UsageError` where it cannot be built.
    """
    compiler = shlex.split(os.environ.get("CXX", "c++"))
    command = [
        *compiler,
        *("-std=c++20", "-O0", "-fPIC", "-shared", "-w"),
        *(f"-I{torch / 'include'}", f"-I{torch / 'include' / 'torch' / 'csrc' / 'api' / 'include'}"),
        str(SOURCE),
        *(f"-L{torch / 'lib'}", "-lc10", "-ltorch_cpu", "-ltorch"),
    ]
    made_of = hashlib.sha256(SOURCE.read_bytes() + shlex.join(command).encode()).hexdigest()[:16]
    path = BUILT / f"standin-{made_of}.so"
    if path.exists():
        return path
    if shutil.which(compiler[0]) is None:
        raise pytest.UsageError(
            f"the stand-in for CUDA is built by a C++ compiler, and there is no {compiler[0]} here; "
            "install one, such as g++, or name it in CXX"
        )
    BUILT.mkdir(exist_ok=True)
    unfinished = path.with_suffix(f".{os.getpid()}")
    if subprocess.run([*command, "-o", str(unfinished)]).returncode:
        raise pytest.UsageError(f"the stand-in for CUDA could not be built; {compiler[0]} says above why not")
    unfinished.replace(path)
    return path


def folder_of_torch():
    """Where the torch is that the stand-in works with.

    Raises `pytest.UsageError` where the torch that is here is another.
    """
    needs = f"the stand-in for CUDA needs Linux and a CPU build of torch {TORCH}"
    if platform.system() != "Linux":
        raise pytest.UsageError(f"{needs}; this is {platform.system()}")
    if (spec := importlib.util.find_spec("torch")) is None:
        raise pytest.UsageError(f"{needs}; here is no torch")
    torch = Path(spec.origin).parent
    build = runpy.run_path(str(torch / "version.py"))
    version = build["__version__"]
    if version.partition("+")[0] != TORCH or build["cuda"] or build["hip"]:
        kind = "a CPU build" if not (build["cuda"] or build["hip"]) else "a build for a GPU"
        raise pytest.UsageError(f"{needs}; this is {version}, {kind}")
    if "torch" in sys.modules:
        raise pytest.UsageError(
            "the stand-in for CUDA has to be there before torch, and a plugin imported torch already"
        )
    return torch


def load(torch, path):
    """Load the library into this process, after those of the torch in this folder that it needs."""
    lib = torch / "lib"
    needed = [*sorted(lib.glob("libgomp*")), lib / "libc10.so", lib / "libtorch_cpu.so", lib / "libtorch.so"]
    for each in [*needed, path]:
        ctypes.CDLL(str(each), mode=ctypes.RTLD_GLOBAL)


def returning(value):
    """A function of its own that returns this value: the compiler of torch tells functions apart by identity."""
    return lambda *args, **kwargs: value


def imitate():
    """Give `torch.cuda` what a CPU build lacks, and have it say what a GPU would that is one of a kind."""
    import torch

    standin = torch.ops.standin
    generator = torch.Generator(device="cuda")
    standin.set_default_generator(generator)
    properties = types.SimpleNamespace(
        name="stand-in, no GPU", major=7, minor=5, total_memory=64 * GIB, multi_processor_count=1
    )

    cuda = {
        "_initialized": True,
        "_lazy_init": returning(None),
        "_lazy_call": lambda function, **kwargs: function(),
        "_is_in_bad_fork": returning(False),
        "_exchange_device": returning(0),
        "_maybe_exchange_device": returning(0),
        "init": returning(None),
        "is_initialized": returning(True),
        "is_available": returning(True),
        "device_count": returning(1),
        "current_device": returning(0),
        "set_device": returning(None),
        "synchronize": returning(None),
        "default_generators": (generator,),
        "get_arch_list": returning(["sm_75"]),
        "get_device_name": returning(properties.name),
        "get_device_capability": returning((properties.major, properties.minor)),
        "get_device_properties": returning(properties),
        "mem_get_info": lambda device=None: (64 * GIB - standin.memory_reserved(), 64 * GIB),
    }
    memory = {
        "memory_allocated": lambda device=None: standin.memory_allocated(),
        "max_memory_allocated": lambda device=None: standin.max_memory_allocated(),
        "memory_reserved": lambda device=None: standin.memory_reserved(),
        "max_memory_reserved": lambda device=None: standin.memory_reserved(),
        "reset_peak_memory_stats": lambda device=None: standin.reset_peak_memory_stats(),
        "empty_cache": standin.empty_cache,
    }
    for module, names in (
        (torch.cuda, cuda | memory),
        (torch.cuda.memory, memory),
        (
            torch.cuda.random,
            {name: cuda[name] for name in ("_lazy_init", "_lazy_call", "current_device", "device_count")},
        ),
    ):
        for name, value in names.items():
            setattr(module, name, value)
    torch.version.cuda = "13.0, a stand-in"
    torch.backends.cuda.is_built = returning(True)
    torch._C._set_cudnn_enabled(False)  # else torch warns, where it would ask cuDNN, that it is not there

    new = torch.UntypedStorage.__new__  # which in a CPU build takes no cuda for a device

    def on_its_device(cls, *args, device=None, **kwargs):
        if device is not None and torch.device(device).type == "cuda" and args and isinstance(args[0], int):
            return torch.empty(args[0], dtype=torch.uint8, device=device).untyped_storage()
        return new(cls, *args, **({"device": device} if device is not None else {}), **kwargs)

    torch.UntypedStorage.__new__ = on_its_device
