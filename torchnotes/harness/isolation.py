"""Every note starts from the same state, and a note that leaves another state behind fails by name."""

from __future__ import annotations

import gc
import multiprocessing
import os
import random

import numpy as np
import pytest
import torch

from torchnotes import note
from torchnotes.harness import devices

NOT_OF_A_NOTE = {
    "PYTEST_CURRENT_TEST",  # pytest keeps the name of the running test in it
    "TORCHINDUCTOR_CACHE_DIR",  # torch sets these two when it first imports its compiler, as the first optimizer does
    "TRITON_CACHE_DIR",
    "CUDA_MODULE_LOADING",  # and this one when it first looks for a GPU
}


def seed_everything(seed, accelerators=()):
    """The random numbers a note sees depend on the seed and on nothing that ran before it.

    `torch.manual_seed` would seed the same generators. It also prepares for every kind of device there might be, at the
    price of a millisecond each time.
    """
    torch.default_generator.manual_seed(seed)
    for device_type in accelerators:
        module = devices.module(device_type)
        (getattr(module, "manual_seed_all", None) or module.manual_seed)(seed)
    np.random.seed(seed)
    random.seed(seed)


def _print_options(options=torch._tensor_str.PRINT_OPTS):
    """The values by name, which in torch 2.0 stand on the class until they are set."""
    return {name: getattr(options, name) for name in ("precision", "threshold", "edgeitems", "linewidth", "sci_mode")}


def _restore_print_options(options):
    vars(torch._tensor_str.PRINT_OPTS).update(options)


def _restore_environment(environment):
    for name in _environment().keys() - environment.keys():
        del os.environ[name]
    os.environ.update(environment)


def _environment():
    return {name: value for name, value in os.environ.items() if name not in NOT_OF_A_NOTE}


def _matmul_precision():
    try:
        return torch.get_float32_matmul_precision()
    except RuntimeError:  # from torch 2.9 on there is a second setting, which may say something else
        return "two settings that contradict each other"


def _restore_deterministic(state):
    torch.use_deterministic_algorithms(state[0], warn_only=state[1])


def _children():
    """The processes that this one started; those on their way out get the time which that takes on a busy machine."""
    for child in multiprocessing.active_children():
        child.join(2)
    return {child.pid for child in multiprocessing.active_children()}


def _end_children(children):
    for child in multiprocessing.active_children():
        if child.pid not in children:
            child.terminate()
            child.join()


# What must be as it was after each note: how to read it, and how to put it back.
STATE = {
    "the default dtype (torch.set_default_dtype)": (torch.get_default_dtype, torch.set_default_dtype),
    "the default device (torch.set_default_device)": (
        lambda: torch.empty(0).device,
        lambda device: torch.set_default_device(None),  # to name it would leave the mode on that chooses devices
    ),
    "grad mode (torch.set_grad_enabled)": (torch.is_grad_enabled, torch.set_grad_enabled),
    "deterministic algorithms (torch.use_deterministic_algorithms)": (
        lambda: (torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()),
        _restore_deterministic,
    ),
    "matmul precision (torch.set_float32_matmul_precision)": (
        _matmul_precision,
        torch.set_float32_matmul_precision,
    ),
    "cuDNN's choice of algorithm (torch.backends.cudnn.benchmark, .deterministic)": (
        lambda: (torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic),
        lambda state: torch.backends.cudnn.set_flags(_benchmark=state[0], _deterministic=state[1]),
    ),
    "the number of threads (torch.set_num_threads)": (torch.get_num_threads, torch.set_num_threads),
    "anomaly detection (torch.autograd.set_detect_anomaly)": (
        torch.is_anomaly_enabled,
        torch.autograd.set_detect_anomaly,
    ),
    "how often warnings come (torch.set_warn_always)": (torch.is_warn_always_enabled, torch.set_warn_always),
    "print options (torch.set_printoptions)": (_print_options, _restore_print_options),
    "NumPy's handling of floating-point errors (np.seterr)": (np.geterr, lambda state: np.seterr(**state)),
    "garbage collection (gc.disable)": (gc.isenabled, lambda on: gc.enable() if on else gc.disable()),
    "the working directory (os.chdir)": (os.getcwd, os.chdir),
    "environment variables (os.environ)": (_environment, _restore_environment),
    "child processes": (_children, _end_children),
}

# What torch and NumPy have of these in a process that nobody has changed.
DEFAULTS = {
    "the default dtype (torch.set_default_dtype)": torch.float32,
    "the default device (torch.set_default_device)": torch.device("cpu"),
    "grad mode (torch.set_grad_enabled)": True,
    "deterministic algorithms (torch.use_deterministic_algorithms)": (False, False),
    "matmul precision (torch.set_float32_matmul_precision)": "highest",
    "cuDNN's choice of algorithm (torch.backends.cudnn.benchmark, .deterministic)": (False, False),
    "anomaly detection (torch.autograd.set_detect_anomaly)": False,
    "print options (torch.set_printoptions)": _print_options(type(torch._tensor_str.PRINT_OPTS)()),
    "NumPy's handling of floating-point errors (np.seterr)": {
        "divide": "warn",
        "over": "warn",
        "under": "ignore",
        "invalid": "warn",
    },
}


def start_from_defaults():
    """Give this process torch's own defaults, whatever it was started with, and say what it had instead."""
    found = snapshot()
    changed = [name for name, default in DEFAULTS.items() if found[name] != default]
    restore(found | DEFAULTS)
    return [f"{name.partition(' (')[0]}: {_difference(DEFAULTS[name], found[name])}" for name in changed]


def snapshot():
    """The state of the process that a note must leave as it was."""
    return {name: read() for name, (read, _) in STATE.items()}


def restore(before):
    """Put back whatever differs from the snapshot `before`, and say what that was."""
    left = []
    for name, (read, write) in STATE.items():
        if (after := read()) != before[name]:
            left.append(f"{name}: {_difference(before[name], after)}")
            write(before[name])
    return left


def _difference(before, after):
    if isinstance(before, dict):
        keys = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
        return ", ".join(f"{key} was {before.get(key)!r} and is {after.get(key)!r}" for key in keys)
    return f"was {before} and is {after}"


@pytest.fixture(autouse=True)
def isolation(request):
    """Start from the seed of the run; restore what the note left changed, and fail it for that."""
    if not note.is_note_file(request.node.path):
        yield
        return
    seed_everything(request.config.getoption("seed"), request.config.stash[devices.MACHINE].accelerators)
    before = snapshot()
    yield
    if left := restore(before):
        pytest.fail("this note left behind:\n  " + "\n  ".join(left), pytrace=False)
