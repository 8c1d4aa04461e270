"""How a run starts: what it refuses, torch imported as nobody has changed it, and the seed. --expect, --seed."""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import platform
import sys

import pytest

from torchnotes import note
from torchnotes.harness import origin, versions

WARNINGS = pytest.mark.filterwarnings(
    "error",
    "default::DeprecationWarning",
    "default::PendingDeprecationWarning",
    "default::FutureWarning",
    "ignore:pkg_resources is deprecated:UserWarning",  # torch 2.0 and 2.1 import it for torch.utils.benchmark
)
"""In a note or another test a warning that nobody expected is an error; an announcement of a coming change is shown,
and the note still counts. These stand on each test and not in pytest.ini, so that a warning from elsewhere (an import,
a folder that is not writable, a plugin) is shown and changes no verdict, and neither does `-W`."""

FOUND = pytest.StashKey[list]()
"""What was not as torch itself would have it when the run began, in words, such as `TQDM_DISABLE=1`."""


def a_seed(text):
    number = int(text)
    if not 0 <= number < 2**32:
        raise argparse.ArgumentTypeError(f"{number} is not a seed: NumPy takes 0 to {2**32 - 1}")
    return number


def pytest_addoption(parser):
    group = parser.getgroup("what PyTorch does")
    group.addoption(
        "--expect",
        action="append",
        default=[],
        metavar="REQUIREMENT",
        help='stop unless this environment meets the requirement, such as "torch==2.6.*"; repeatable',
    )
    group.addoption(
        "--seed",
        type=a_seed,
        default=0,
        metavar="N",
        help="the seed that every note starts from (default: %(default)s)",
    )


@pytest.hookimpl(tryfirst=True)  # before Hypothesis reads --hypothesis-profile
def pytest_configure(config):
    if config.option.help:
        return
    # What is imported stays as long as the run: looking through it for garbage again and again took a third of the
    # time.
    gc.disable()
    if sys.flags.optimize:
        raise pytest.UsageError("Python leaves out every assert under -O and PYTHONOPTIMIZE: run without them")
    if not config.pluginmanager.hasplugin("warnings"):
        raise pytest.UsageError("some notes are about warnings: leave out -p no:warnings")
    load_profiles(config.getoption("--hypothesis-profile", default=None))


def load_profiles(name):
    """Register the profiles of Hypothesis that are used here, and refuse another one's name."""
    hypothesis = versions.needed("hypothesis")
    always = {
        "deadline": None,  # a slow machine is not a broken one
        "suppress_health_check": [
            hypothesis.HealthCheck.function_scoped_fixture,  # `device` is the same for every example
            hypothesis.HealthCheck.too_slow,
        ],
    }
    profiles = hypothesis.settings
    profiles.register_profile("selfcheck", max_examples=7, derandomize=True, database=None, **always)
    # Said outright, because on a CI server it would be taken from a profile that derandomizes.
    profiles.register_profile("thorough", max_examples=500, derandomize=False, print_blob=True, **always)
    profiles.load_profile("selfcheck")
    if name not in (None, "selfcheck", "thorough"):  # Hypothesis has some of its own, with a deadline
        raise pytest.UsageError(f"--hypothesis-profile {name}: the profiles here are selfcheck and thorough")


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session):
    """Import torch as nobody has changed it, and then what imports torch itself."""
    config = session.config
    if "torch" not in sys.modules:  # as in the benchmarks, which import it first and time it as it comes
        # After each operation torch's threads spin for milliseconds, in case of another. Where other work or a limit
        # leaves them fewer cores than they are, that is a third of a run: let them sleep, which changes no result.
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    found = origin.clean_environment()  # before torch is imported, which reads it
    versions.needed("numpy")
    torch = versions.needed("torch")
    from torchnotes.harness import isolation

    config.stash[FOUND] = found + isolation.start_from_defaults()
    versions.expect(config.getoption("expect"))
    torch.set_warn_always(True)  # a warning that comes once a process would make verdicts depend on the order
    config.pluginmanager.register(isolation, "isolation")


@pytest.hookimpl(trylast=True)  # which comes first: pytest prints the headers in reverse
def pytest_report_header(config):
    import torch

    from torchnotes.harness import devices

    numpy = f"NumPy {versions.installed('numpy')}{versions.bridge_problem()}"
    found = config.stash[FOUND]
    return "; ".join(
        [
            f"torch {torch.__version__} ({versions.build()} build), {numpy}",
            f"Python {platform.python_version()} on {platform.system()} {platform.machine()}",
            *devices.header(config),
            f"--seed {config.getoption('seed')}",
            *([f"not used: {', '.join(found)}"] if found else []),
        ]
    )


def pytest_itemcollected(item):
    item.add_marker(WARNINGS, append=False)  # before a filter of the note's own


def _let_hypothesis_look_around():
    """Hypothesis asks once who refers to NumPy's generator, which from Python 3.14 on it cannot see after a freeze."""
    import hypothesis

    hypothesis.given(hypothesis.strategies.none())(lambda _: None)()


def pytest_collection_finish(session):
    if not session.config.option.collectonly:
        if len({item.path for item in session.items if note.is_note_file(item.path)}) > 1:
            _import_the_compiler()
        _let_hypothesis_look_around()
    gc.freeze()
    gc.enable()


def _import_the_compiler():
    """Newer releases import it with the first optimizer: do it now, so that no note is blamed for it."""
    import torch

    with contextlib.suppress(Exception):  # if that fails, it is for the notes to say so
        torch.optim.SGD([torch.zeros(1)], lr=0.1)


@pytest.hookimpl(tryfirst=True)
def pytest_unconfigure():
    gc.freeze()
    gc.enable()
