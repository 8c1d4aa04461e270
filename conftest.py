"""The `device` fixture and the command line. What else the notes need not think about is in torchnotes/harness."""

import argparse
import contextlib
import gc
import os
import platform
import sys

import pytest

from torchnotes.harness import claims, devices, origin, pictured, simulation, versions

# What is imported stays as long as the run: looking through it for garbage again and again took a third of the time.
gc.disable()

DEVICE_VARIABLE = "NOTES_DEVICE"

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

pytest_plugins = ["torchnotes.harness.failures", "torchnotes.harness.numerics"]


def a_seed(text):
    number = int(text)
    if not 0 <= number < 2**32:
        raise argparse.ArgumentTypeError(f"{number} is not a seed: NumPy takes 0 to {2**32 - 1}")
    return number


def an_amount(text):
    device, _, number = text.partition("=")
    if not (device and number.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r}: write DEVICE=NUMBER, such as cuda=300")
    return device, int(number)


def pytest_addoption(parser):
    group = parser.getgroup("what PyTorch does")
    group.addoption(
        "--device",
        action="append",
        default=[],
        metavar="NAME",
        help="run on this device (cpu, cuda, cuda:1, mps, ..., or all), and stop if it is not there; repeatable; "
        f"without it: what the environment variable {DEVICE_VARIABLE} names, or else every device there is",
    )
    group.addoption(
        "--at-least",
        action="append",
        default=[],
        type=an_amount,
        metavar="DEVICE=NUMBER",
        help="fail unless so many notes ran on the device, such as cuda=300; repeatable",
    )
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
    group.addoption(
        "--allow-missing",
        action="store_true",
        help="a section whose package is not installed is named, but does not fail the run",
    )
    group.addoption(
        "--record",
        metavar="FILE",
        help="write what the run found to this file, as JSON that `python -m torchnotes` reads",
    )
    group.addoption(
        "--mutants",
        action="store_true",
        help="run each note under each mutant that names it, and fail where the note does not notice",
    )


@pytest.hookimpl(tryfirst=True)  # before Hypothesis reads --hypothesis-profile
def pytest_configure(config):
    if config.option.help:
        return
    if sys.flags.optimize:
        raise pytest.UsageError("Python leaves out every assert under -O and PYTHONOPTIMIZE: run without them")
    if not config.pluginmanager.hasplugin("warnings"):
        raise pytest.UsageError("some notes are about warnings: leave out -p no:warnings")
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
    name = config.getoption("--hypothesis-profile", default=None)
    if name not in (None, "selfcheck", "thorough"):  # Hypothesis has some of its own, with a deadline
        raise pytest.UsageError(f"--hypothesis-profile {name}: the profiles here are selfcheck and thorough")


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session):
    config = session.config
    if "torch" not in sys.modules:  # as in the benchmarks, which import it first and time it as it comes
        # After each operation torch's threads spin for milliseconds, in case of another. Where other work or a limit
        # leaves them fewer cores than they are, that is a third of a run: let them sleep, which changes no result.
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    found = origin.clean_environment()  # before torch is imported, which reads it
    versions.needed("numpy")
    torch = versions.needed("torch")
    from torchnotes.harness import census, isolation, recording

    config.stash[origin.FOUND] = found + isolation.start_from_defaults()
    versions.expect(config.getoption("expect"))
    torch.set_warn_always(True)  # a warning that comes once a process would make verdicts depend on the order
    named = config.getoption("device")
    wanted = named or os.environ.get(DEVICE_VARIABLE, "").split()
    if config.option.collectonly:  # a listing looks at no accelerator
        found = [devices.Device(name) for name in wanted if name != "all"] or [devices.Device("cpu")]
    else:
        try:
            found = devices.discover(wanted)
        except pytest.UsageError as error:
            if named or not wanted:
                raise
            raise pytest.UsageError(f"the environment variable {DEVICE_VARIABLE} stands for {error}") from None
        config.stash[devices.NO_ACCELERATOR] = devices.no_accelerator(found)
    config.stash[devices.FOUND] = found
    config.stash[devices.LOST] = {}
    config.stash.setdefault(devices.NO_ACCELERATOR, "no device was looked at")
    usable = [device.name.partition(":")[0] for device in found if device.is_accelerator and not device.problem]
    config.stash[devices.ACCELERATORS] = sorted(set(usable)) if not config.option.collectonly else []
    config.pluginmanager.register(isolation, "isolation")
    for option in ("mutants", "collectonly"):
        if config.getoption("record") is not None and config.getoption(option):
            raise pytest.UsageError("--record is for a run of the notes: leave out --mutants and --collect-only")
    if config.getoption("mutants"):
        from torchnotes.harness import mutation

        mutation.load(config.rootpath / "tests" / "mutants")
        mutation.prepare(config)
        config.pluginmanager.register(mutation, "mutation")
        config.pluginmanager.register(mutation.Trial(), "trial")
    elif not hasattr(config, "workerinput"):  # with xdist the reports of all workers come together in one process
        required = [name for name in wanted if name != "all"]
        broken = [device for device in found if device.problem]
        amounts = dict(sorted(config.getoption("at_least")))  # given twice for one device, the larger number counts
        census = census.Census(required, config.getoption("allow_missing"), broken, amounts)
        config.pluginmanager.register(census, "census")
        if (path := config.getoption("record")) is not None:
            config.pluginmanager.register(recording.Record(recording.target(config, path), census), "record")
    if config.getoption("record") is not None:
        config.pluginmanager.register(pictured, "pictured")


@pytest.hookimpl(trylast=True)  # which comes first: pytest prints the headers in reverse
def pytest_report_header(config):
    import torch

    looked_at = config.stash[devices.FOUND] if not config.option.collectonly else ["devices not looked at"]
    numpy = f"NumPy {versions.installed('numpy')}{versions.bridge_problem()}"
    if found := config.stash[origin.FOUND]:
        found = [f"not used: {', '.join(found)}"]
    return "; ".join(
        [
            f"torch {torch.__version__} ({versions.build()} build), {numpy}",
            f"Python {platform.python_version()} on {platform.system()} {platform.machine()}",
            *map(str, looked_at),
            f"--seed {config.getoption('seed')}",
            *found,
        ]
    )


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc):
    claims.check(metafunc.definition)
    pictured.check(metafunc.definition)
    devices.generate(metafunc, metafunc.config.stash[devices.FOUND])


def pytest_itemcollected(item):
    item.add_marker(WARNINGS, append=False)  # before a filter of the note's own
    claims.apply_boundaries(item)
    if claims.is_note(item):
        item.user_properties += [
            ("section", claims.section(item.path)),
            ("claim", claims.claim(item.function)),
            ("link", claims.link(item.function)),
            ("markers", list(claims.markers(item))),
            ("device", devices.of(item)),
        ]


def _let_hypothesis_look_around():
    """Hypothesis asks once who refers to NumPy's generator, which from Python 3.14 on it cannot see after a freeze."""
    import hypothesis

    hypothesis.given(hypothesis.strategies.none())(lambda _: None)()


def pytest_collection_finish(session):
    if len({item.path for item in session.items if claims.is_note(item)}) > 1 and not session.config.option.collectonly:
        import torch

        # Newer releases import their compiler with the first optimizer: do it now, so that no note is blamed for it.
        with contextlib.suppress(Exception):  # if that fails, it is for the notes to say so
            torch.optim.SGD([torch.zeros(1)], lr=0.1)
    if not session.config.option.collectonly:
        _let_hypothesis_look_around()
    gc.freeze()
    gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_unconfigure():
    gc.freeze()
    gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    devices.skip_if_lost(item)


@pytest.fixture
def device(request):
    """Each device of this machine in turn, as the `torch.device` that its tensors report."""
    yield devices.canonical(request.param)
    devices.settle(request.node, request.param)  # so that the note that launched a faulty kernel is the one that fails


@pytest.fixture
def device_pair(request):
    """Two different devices. `meta` stands in for the second one where there is no accelerator."""
    one, another = request.param
    yield devices.canonical(one), devices.canonical(another)
    devices.settle(request.node, *request.param)


@pytest.fixture
def accelerator(request):
    """Each accelerator of this machine in turn, for what the CPU cannot show; without one the note is unchecked."""
    yield devices.canonical(request.param)
    devices.settle(request.node, request.param)


@pytest.fixture
def on_cuda(request):
    """Calls a function where `device="cuda"` works: on the GPU, or where there is none with a simulated one."""
    yield simulation.run if request.param == simulation.NAME else lambda function: function()
    devices.settle(request.node, request.param)
