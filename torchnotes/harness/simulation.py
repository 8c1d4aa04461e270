"""A cuda device that computes nothing: it knows shapes, dtypes and where a tensor is, on a machine without one.

torch's FakeTensorMode runs an operation on tensors without data and applies the rules for devices as it goes. It is
trusted here only as far as it was seen to be right: from torch 2.4 on, without gradients (a simulated cuda tensor that
requires grad can abort the interpreter), and in a process of its own, which may die of it.
"""

from __future__ import annotations

import multiprocessing
import sys
import warnings

import pytest
from packaging.requirements import Requirement

from torchnotes.harness import versions

NEEDED = Requirement("torch>=2.4")
PATIENCE = 60
"""Seconds that a simulation may take; it takes a tenth of one."""


def obstacle():
    """Why nothing can be simulated here, or None."""
    if sys.platform == "darwin":
        return "a GPU is simulated in a forked process, in which libraries of macOS may crash"
    if "fork" not in multiprocessing.get_all_start_methods():
        return "a GPU is simulated in a forked process, which this system has not"
    if not versions.is_met(NEEDED):
        return f"simulating a GPU needs {NEEDED}; this is {versions.installed('torch')}"
    return None


@pytest.fixture
def simulated():
    return run


def run(function):
    """What `function()` returns where `device="cuda"` is simulated; it must be something that can be pickled.

    An exception of the function arrives as the nearest built-in one, with its message. Raises `RuntimeError` too if the
    process dies or does not end.
    """
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_simulate, args=(function, there))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 on, of a fork beside threads: no data here
        process.start()
    there.close()
    try:
        if not here.poll(PATIENCE):
            raise RuntimeError(f"the simulation did not end within {PATIENCE} seconds")
        result, kind, message = here.recv()
    except EOFError:
        process.join()
        raise RuntimeError(f"the simulation's process ended with exit code {process.exitcode}") from None
    finally:
        process.kill()
        process.join()
        here.close()
    if kind is not None:
        raise kind(message)
    return result


def _simulate(function, answer):
    import torch
    from torch._subclasses.fake_tensor import FakeTensorMode

    torch.cuda.is_available = lambda: False  # a real GPU, which may be broken, is not to be started
    try:
        with torch.no_grad(), FakeTensorMode():
            outcome = function(), None, None
    except Exception as error:
        kind = next(kind for kind in type(error).__mro__ if kind.__module__ == "builtins")
        outcome = None, kind, str(error)
    answer.send(outcome)
    answer.close()
