"""The `device` fixture and the command line; what else the notes need is in plugins/."""

import platform
import sys

import hypothesis
import pytest

from plugins import claims, devices, versions
from plugins.summary import Census

pytest_plugins = ["plugins.failures", "plugins.numerics"]

DEVICES = pytest.StashKey[list]()

SELFCHECK = {
    "deadline": None,  # a slow machine is not a broken one
    "suppress_health_check": [
        hypothesis.HealthCheck.function_scoped_fixture,  # `device` is the same for every example
        hypothesis.HealthCheck.too_slow,
    ],
}
hypothesis.settings.register_profile("selfcheck", max_examples=10, derandomize=True, database=None, **SELFCHECK)
hypothesis.settings.register_profile("thorough", max_examples=500, print_blob=True, **SELFCHECK)
hypothesis.settings.load_profile("selfcheck")


def pytest_addoption(parser):
    group = parser.getgroup("what PyTorch does")
    group.addoption(
        "--device",
        action="append",
        default=[],
        metavar="NAME",
        help="run on this device (cpu, cuda, cuda:1, mps, ..., or all) and stop if it is not there; repeatable. "
        "Without it: on every device there is",
    )
    group.addoption(
        "--expect",
        action="append",
        default=[],
        metavar="REQUIREMENT",
        help='stop unless this environment meets the requirement, such as "torch==2.6.*"; repeatable',
    )
    group.addoption("--seed", type=int, default=0, help="the seed every note starts from (default: %(default)s)")
    group.addoption(
        "--allow-missing", action="store_true", help="a section whose package is not installed does not fail the run"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session):
    config = session.config
    try:
        import torch
    except Exception as error:  # a broken install can raise anything
        reason = (str(error).strip() or "no message").splitlines()[-1]
        raise pytest.UsageError(
            f"torch cannot be imported ({type(error).__name__}: {reason}), so nothing can be checked; "
            f"install it for {sys.executable}: pip install -r requirements.txt -c constraints.txt"
        ) from None
    from plugins import isolation

    config.pluginmanager.register(isolation)
    torch.set_warn_always(True)  # a warning that comes once a process would make verdicts depend on the order
    versions.expect(config.getoption("expect"))
    wanted = config.getoption("device")
    if config.option.collectonly:  # a listing looks at no accelerator
        found = [devices.Device(name) for name in wanted or ["cpu"] if name != "all"]
    else:
        found = devices.discover(wanted)
    config.stash[DEVICES] = found
    if not hasattr(config, "workerinput"):
        required = [name for name in wanted if name != "all"]
        broken = [device for device in found if device.problem]
        config.pluginmanager.register(Census(required, config.getoption("allow_missing"), broken))


def pytest_report_header(config):
    import numpy
    import torch

    build = f"CUDA {torch.version.cuda}" if torch.version.cuda else f"HIP {torch.version.hip}" if torch.version.hip else "CPU"
    where = "; ".join(map(str, config.stash[DEVICES]))
    if config.option.collectonly:
        where = "devices not looked at"
    return (
        f"torch {torch.__version__} ({build} build), NumPy {numpy.__version__}, Python {platform.python_version()} on "
        f"{platform.system()} {platform.machine()}; {where}; seed {config.getoption('seed')}"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc):
    claims.check(metafunc.definition)
    devices.generate(metafunc, metafunc.config.stash[DEVICES])


def pytest_itemcollected(item):
    claims.apply_boundaries(item)
    if claims.is_note(item):
        item.user_properties += [
            ("section", claims.section(item.path)),
            ("claim", claims.claim(item.function)),
            ("device", devices.of(item)),
        ]


@pytest.fixture
def device(request):
    """Each device of this machine in turn, as the `torch.device` that its tensors report."""
    yield devices.canonical(request.param)
    devices.synchronize(request.param)  # so that a kernel that failed fails the note that launched it


@pytest.fixture
def device_pair(request):
    """Two different devices; `meta` is the second one where there is no accelerator."""
    one, another = request.param
    return devices.canonical(one), devices.canonical(another)


@pytest.fixture
def accelerator(request):
    """Each accelerator of this machine in turn, for what the CPU cannot show; without one the note is named as unchecked."""
    yield devices.canonical(request.param)
    devices.synchronize(request.param)
