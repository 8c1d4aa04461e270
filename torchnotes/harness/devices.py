"""Which devices this machine has, whether each of them computes, and which notes run on which. --device."""

from __future__ import annotations

import importlib
import os
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import pytest

from torchnotes import kinds, note as notes, verdicts
from torchnotes.harness import about, boundaries, diagnosis, simulation
from torchnotes.verdicts import STAND_IN

VARIABLE = "NOTES_DEVICE"

FIXTURES = ("device", "device_pair", "accelerator", "on_cuda")


@dataclass(frozen=True)
class Device:
    """A device torch can see: its name, as `--device` takes it, and why it cannot be used (None: it computes)."""

    name: str
    problem: str | None = None

    @property
    def is_accelerator(self):
        return not self.name.startswith("cpu")

    def __str__(self):
        return f"{self.name} cannot compute: {self.problem}" if self.problem else f"{self.name} computes"


@dataclass
class Machine:
    """What a run has to run on."""

    found: list[Device]
    """The devices of the run, as they were found when it began."""
    required: list[str] = field(default_factory=list)
    """Those that were asked for by name: the run proves nothing where no note ran on one."""
    why_no_accelerator: str = "no device was looked at"
    """Why there is none that computes, in words that end a sentence."""
    lost: dict[str, str] = field(default_factory=dict)
    """The types of accelerators that stopped computing during the run, each with the reason."""

    @property
    def devices(self):
        """The devices, with what became of them since."""
        return [
            replace(device, problem=device.problem or self.lost.get(device.name.partition(":")[0]))
            for device in self.found
        ]

    @property
    def usable(self):
        return [device for device in self.devices if not device.problem]

    @property
    def broken(self):
        """Those that were visible and could not compute when the run began."""
        return [device for device in self.found if device.problem]

    @property
    def accelerators(self):
        """The types of accelerators that compute."""
        return sorted({device.name.partition(":")[0] for device in self.usable if device.is_accelerator})


MACHINE = pytest.StashKey[Machine]()


def pytest_addoption(parser):
    parser.getgroup("what PyTorch does").addoption(
        "--device",
        action="append",
        default=[],
        metavar="NAME",
        help="run on this device (cpu, cuda, cuda:1, mps, ..., or all), and stop if it is not there; repeatable; "
        f"without it: what the environment variable {VARIABLE} names, or else every device there is",
    )


@pytest.hookimpl(tryfirst=True)  # after `start`, which is registered later
def pytest_sessionstart(session):
    config = session.config
    named = config.getoption("device")
    wanted = named or os.environ.get(VARIABLE, "").split()
    required = [name for name in wanted if name != "all"]
    if config.option.collectonly:  # a listing looks at no accelerator
        config.stash[MACHINE] = Machine([Device(name) for name in required] or [Device("cpu")], required)
        return
    try:
        found = discover(wanted)
    except pytest.UsageError as error:
        if named or not wanted:
            raise
        raise pytest.UsageError(f"the environment variable {VARIABLE} stands for {error}") from None
    config.stash[MACHINE] = Machine(found, required, no_accelerator(found))


def header(config):
    """What the head of a run says of its devices."""
    return ["devices not looked at"] if config.option.collectonly else map(str, config.stash[MACHINE].found)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Leave out a note whose device was lost before it."""
    for name in verdicts.parts(of(item)):
        if reason := item.config.stash[MACHINE].lost.get(name.partition(":")[0]):
            about.add(item, cause=about.LOST)
            pytest.skip(reason)


@contextmanager
def _asking_only():
    """Let CUDA count its devices through NVML, which does not initialise the driver in this process."""
    name = "PYTORCH_NVML_BASED_CUDA_CHECK"
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def visible():
    """Names of the device types that torch can see here: cpu first, then its accelerators.

    From 2.6 on `torch.accelerator` knows them. It is asked whether one is available before it is asked which: a CUDA
    build names cuda as its accelerator on a machine without a GPU too.
    """
    import torch

    names = ["cpu"]
    with _asking_only():
        if hasattr(torch, "accelerator"):
            if torch.accelerator.is_available():
                names.append(torch.accelerator.current_accelerator().type)
        else:
            names += [name for name, kind in kinds.KINDS.items() if name != "cpu" and kind.is_there(torch)]
    return names


def count(name):
    """How many devices of this type there are: an accelerator's type and index choose one of them."""
    return module(name).device_count() if name != "cpu" and hasattr(module(name), "device_count") else 1


def module(device_type):
    """`torch.cuda`, `torch.mps` and so on: torch 2.0 does not import every one of them by itself."""
    return importlib.import_module(f"torch.{device_type}")


def synchronize(name):
    """Wait until everything launched on this device is done; a kernel that failed raises here."""
    import torch

    if not verdicts.parts(name):
        return
    device = torch.device(name)
    if device.type != "cpu":
        wait = module(device.type).synchronize
        wait(name) if device.index else wait()  # without a name it is the first one's turn


def description(device):
    """What kind of device it is, for a record: the GPU's name, capability and memory, or the CPU's instruction set."""
    import torch

    return None if device.problem else kinds.of(device.name).describe(torch, device.name)


@pytest.fixture
def use(request):
    """Makes a device of a name, and waits for it when the note is over: a faulty kernel is its note's failure."""
    names = []

    def take(name):
        names.append(name)
        return canonical(name)

    yield take
    settle(request.node, *names)


def settle(item, *names):
    """Wait for the devices that a note used. One that cannot compute any more is lost, and this note is to blame.

    An error in a kernel, such as an index out of range, ends the CUDA context of the process: whatever comes later
    on that device would fail too, and say nothing.
    """
    for name in names:
        try:
            synchronize(name)
        except Exception:
            if problem := probe(name):
                device_type = name.partition(":")[0]
                reason = f"{device_type} stopped computing in {notes.name(item.nodeid)}: {problem}"
                item.config.stash[MACHINE].lost[device_type] = reason
            raise


def probe(name):
    """Allocate, compute, synchronise and give back the right numbers: None where that works, else why it does not."""
    import torch

    try:
        numbers = torch.arange(6.0, device=name).reshape(2, 3)
        product = numbers @ numbers.T
        # Autograd's own thread gets its CUDA context with this; a first backward that begins with cuBLAS would warn.
        leaf = torch.ones(2, device=name, requires_grad=True)
        (2 * leaf).sum().backward()
        synchronize(name)
        found, slope = product.tolist(), leaf.grad.tolist()
    except Exception as error:  # whatever a driver may raise: it is reported, not swallowed
        return diagnosis.of_error(name, error)
    expected = [[5, 14], [14, 50]]
    if found != expected:
        return f"a product of two small matrices gave {found}, not {expected}"
    return None if slope == [2, 2] else f"the gradient of 2x gave {slope}, not [2, 2]"


def discover(wanted):
    """The devices to run on, each probed: those that were asked for by name, or else every one there is.

    Raises `pytest.UsageError` when a device that was asked for is not there or cannot compute, and when the CPU cannot.
    """
    there = visible()
    choice = "choose with " + " or ".join(f"--device {name}" for name in [*there, "all"])
    names = []
    for name in wanted or ["all"]:
        if name == "all":
            names += there
            continue
        device_type, colon, index = name.partition(":")
        if device_type not in there:
            why = f" ({reason})" if (reason := diagnosis.of_absence(device_type)) else ""
            raise pytest.UsageError(
                f"--device {name}: not a device of this machine, which has {', '.join(there)}{why}; {choice}"
            )
        if colon and index not in map(str, range(count(device_type))):
            raise pytest.UsageError(
                f"--device {name}: this machine has {count(device_type)} of {device_type}, counted from 0; {choice}"
            )
        names.append(name)
    devices = [Device(name, probe(name)) for name in dict.fromkeys(names)]
    for device in devices:
        if device.problem and device.name in wanted:
            raise pytest.UsageError(f"--device {device}")
        if device.problem and not device.is_accelerator:
            raise pytest.UsageError(f"{device}; this torch is broken, and nothing it says can be trusted")
    return devices


def no_accelerator(found):
    """Why there is none among the devices `found`: not chosen, broken, not usable with this torch, or not there."""
    if broken := [device for device in found if device.is_accelerator and device.problem]:
        return str(broken[0])
    if len(visible()) > 1:
        return "none was chosen"
    if diagnosis.gpus_of_the_driver():
        return f"torch sees none here: {diagnosis.of_absence('cuda')}"
    return "there is none here"


def pairs(devices):
    """Pairs (one, another) of different devices for the rules that need two.

    `meta` stands in for the second device where there is no accelerator to be it.
    """
    accelerators = [device.name for device in devices if device.is_accelerator]
    found = [("cpu", name) for name in accelerators]
    for device_type in dict.fromkeys(name.partition(":")[0] for name in accelerators):
        if count(device_type) > 1:
            found.append((f"{device_type}:0", f"{device_type}:1"))
    if any(not device.is_accelerator for device in devices):
        found.insert(0, ("cpu", STAND_IN))
    return found


def canonical(name):
    """The `torch.device` that tensors made on `name` report, with its index where there is one."""
    import torch

    return torch.empty(0, device=name).device


def called(name):
    """What the marker `only` may call a device: its type, and `nvidia` for a cuda that is not AMD's."""
    import torch

    return {name.partition(":")[0], *kinds.of(name).makers(torch)}


def _params(metafunc, names):
    """One parameter for each device; one that the note's marker `only` does not name is skipped for its reason."""
    for name in names:
        others = [only for only in boundaries.of(metafunc.definition, "only") if not called(name) & set(only.kinds)]
        marks = [pytest.mark.skip(reason=f"not on {name}: {only.because}") for only in others]
        yield pytest.param(name, marks=marks, id=name)


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc):
    """Run a note that asks for `device`, `device_pair` or `accelerator` once for each of them."""
    boundaries.check(metafunc.definition)
    machine = metafunc.config.stash[MACHINE]
    usable = machine.usable
    if "device" in metafunc.fixturenames:
        metafunc.parametrize("device", list(_params(metafunc, [device.name for device in usable])), indirect=True)
    if "device_pair" in metafunc.fixturenames:
        metafunc.parametrize("device_pair", pairs(usable), indirect=True, ids="+".join)
    if "accelerator" in metafunc.fixturenames:
        names = [device.name for device in usable if device.is_accelerator]
        reason = f"only an accelerator can show this, and {machine.why_no_accelerator}"
        nowhere = pytest.param(None, marks=pytest.mark.skip(reason=reason), id="no accelerator")
        metafunc.parametrize("accelerator", list(_params(metafunc, names)) or [nowhere], indirect=True)
    if "on_cuda" in metafunc.fixturenames:
        names = [device.name for device in usable if device.name.startswith("cuda")]
        if obstacle := simulation.obstacle():
            names = names or [pytest.param(None, marks=pytest.mark.skip(reason=obstacle), id="no cuda")]
        metafunc.parametrize("on_cuda", names or [verdicts.SIMULATED], indirect=True)


def of(item):
    """Where an item runs: `cpu`, `cuda`, `cpu+meta` or another place of `verdicts`."""
    params = item.callspec.params if hasattr(item, "callspec") else {}
    for fixture in FIXTURES:
        if fixture in params:
            value = params[fixture]
            return "+".join(value) if isinstance(value, tuple) else value or verdicts.NO_ACCELERATOR
    return verdicts.ANY
