"""What the self-check costs: against the bare import of its packages, and a note, a device and a random example more.

python tests/benchmarks/cost.py [ROUNDS]

Whole processes are timed, all kinds in turn, so that a busy machine slows them alike. The ratios are printed and not
asserted: they say what a run costs here. Behind each stands its range over the rounds.
"""

import importlib.util
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PACKAGES = ("torch", "numpy", "sklearn", "torchmetrics", "hypothesis", "pytest")
PYTEST = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--device", "cpu")
ROUNDS = 3

NOTES = (50, 500, 5000)
"""Simple notes of a project, the fewest, ten times as many and a hundred times as many."""

DEVICES = (1, 2, 4)
"""As if the machine had so many, for the second of NOTES."""

EXAMPLES = (7, 70)
"""Of each of PROPERTIES properties: what the self-check tries, and ten times as many."""

PROPERTIES = 100

NOTE = '''
def test_note_{number}(device):
    """Two and {number} are as many as {number} and two.

    https://docs.pytorch.org/docs/stable/generated/torch.add.html
    """
    two, other = torch.tensor([2], device=device), torch.tensor([{number}], device=device)

    assert (two + other).tolist() == (other + two).tolist()
'''

PROPERTY = '''
@settings(max_examples={examples})
@given(st.integers(-(2**31), 2**31))
def test_property_{number}(device, other):
    """Two and any number are as many as that number and two.

    https://docs.pytorch.org/docs/stable/generated/torch.add.html
    """
    assert torch.tensor([2, other], device=device).sum() == 2 + other
'''


@dataclass(frozen=True)
class Command:
    """A process to time, and the folder to start it in."""

    words: tuple
    folder: Path = ROOT


@dataclass(frozen=True)
class Run:
    """One process that was timed: its seconds, its peak memory in MiB (None where nobody tells), what it printed."""

    seconds: float
    memory: float | None
    output: str


def measure(command):
    start = time.perf_counter()
    # A run that may not keep what it compiled compiles every note anew: a cost of the setting, not of the notes.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        process = subprocess.Popen(command.words, cwd=command.folder, env=environment, stdout=output)
        if not hasattr(os, "wait4"):
            code, memory = process.wait(), None
        else:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = code = os.waitstatus_to_exitcode(status)
            memory = usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)  # macOS counts bytes, Linux KiB
        seconds = time.perf_counter() - start
        output.seek(0)
        text = output.read()
    if code != 0:
        sys.exit(f"{' '.join(command.words)} failed with exit code {code}: nothing was measured\n{text[-2000:]}")
    return Run(seconds, memory, text)


def in_turns(commands, rounds):
    """Run all commands once, which reads files from disk and compiles them, and then `rounds` times, one by one."""
    for command in commands.values():
        measure(command)
    runs = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            runs[name].append(measure(command))
    return runs


def write_project(folder, notes=0, properties=0, examples=EXAMPLES[0], devices=1):
    """A project of so many notes and properties with the real conftest.py, which finds so many devices."""
    for name in ("conftest.py", "pytest.ini", "requirements.txt"):
        shutil.copy(ROOT / name, folder / name)
    shutil.copytree(ROOT / "torchnotes", folder / "torchnotes", ignore=shutil.ignore_patterns("__pycache__"))
    with (folder / "conftest.py").open("a", encoding="utf-8") as conftest:
        conftest.write("\n\ndef pytest_configure(config):\n    from torchnotes.harness import devices\n\n")
        conftest.write(f'    devices.discover = lambda wanted: [devices.Device("cpu")] * {devices}\n')
    section = folder / "tests" / "notes" / "test_01_simple.py"
    section.parent.mkdir(parents=True)
    head = "import torch\nfrom hypothesis import given, settings, strategies as st\n"
    body = [NOTE.format(number=number) for number in range(notes)]
    body += [PROPERTY.format(number=number, examples=examples) for number in range(properties)]
    section.write_text("\n".join([head, *body]), encoding="utf-8")
    return Command(PYTEST, folder)


def projects(folder):
    """Commands by what they tell: how the cost grows with notes, with devices and with examples."""
    wanted = {("notes", number): {"notes": number} for number in NOTES}
    wanted |= {("devices", number): {"notes": NOTES[1], "devices": number} for number in DEVICES if number > 1}
    wanted |= {("examples", number): {"properties": PROPERTIES, "examples": number} for number in EXAMPLES}
    commands = {}
    for (kind, number), size in wanted.items():
        path = folder / f"{kind}-{number}"
        path.mkdir()
        commands[kind, number] = write_project(path, **size)
    return commands


def seconds(runs):
    return [run.seconds for run in runs]


def ratios(ones, others):
    """Round by round, how many times as long the first took."""
    return [one / other for one, other in zip(seconds(ones), seconds(others), strict=True)]


def each(more, fewer, number):
    """Round by round, seconds for each of the `number` that one has more than the other."""
    return [(one - other) / number for one, other in zip(seconds(more), seconds(fewer), strict=True)]


def spread(values, scale=1, digits=2):
    """The median and the range of some values, in another unit."""
    middle, low, high = (
        f"{scale * value:.{digits}f}" for value in (statistics.median(values), min(values), max(values))
    )
    return f"{middle} ({low} to {high})"


def of_self_check(runs):
    """Lines: the self-check against the import of its packages, with two processes, and its slowest notes."""
    rounds = len(runs["import"])
    for name, some in runs.items():
        memory = "" if some[0].memory is None else f", {max(run.memory for run in some):.0f} MiB at its peak"
        memory = "" if name == "self-check -n 2" else memory  # it would be that of one process
        yield f"{name:16} {statistics.median(seconds(some)):6.2f} s{memory} (median of {rounds} processes)"
    yield f"{'ratio':16} {spread(ratios(runs['self-check'], runs['import'])):>6}; at most 2 is the aim"
    if "self-check -n 2" in runs:
        speed_up = spread(ratios(runs["self-check"], runs["self-check -n 2"]))
        yield f"{'speed-up of -n 2':16} {speed_up}; {os.cpu_count()} cores, and each process imports the packages"
    else:
        yield "speed-up of -n 2: not measured, pytest-xdist is not installed"
    slowest = [line for line in runs["self-check"][-1].output.splitlines() if is_duration(line)]
    yield from ["the ten slowest:", *slowest]


def is_duration(line):
    return any(f" {phase} " in line for phase in ("call", "setup", "teardown"))


def of_growth(runs):
    """Lines: what a note costs, whether that stays so with many, and what devices and examples add."""
    few, more, many = (runs["notes", number] for number in NOTES)
    for number, some in zip(NOTES, (few, more, many), strict=True):
        yield f"{number:5} simple notes   {spread(seconds(some))} s"
    early, late = each(more, few, NOTES[1] - NOTES[0]), each(many, more, NOTES[2] - NOTES[1])
    yield f"a note more, up to {NOTES[1]}: {spread(early, 1000)} ms; up to {NOTES[2]}: {spread(late, 1000)} ms"
    growth = [one / other for one, other in zip(late, early, strict=True)]
    yield f"the latter in terms of the former: {spread(growth)}; 1 is linear"
    for number in DEVICES[1:]:
        times = spread(ratios(runs["devices", number], more))
        extra = spread(each(runs["devices", number], more, NOTES[1] * (number - 1)), 1000)
        yield f"{NOTES[1]} notes on {number} devices: {times} times as long as on one, {extra} ms a device and note"
    seven, seventy = (runs["examples", number] for number in EXAMPLES)
    times = spread(ratios(seventy, seven))
    extra = spread(each(seventy, seven, PROPERTIES * (EXAMPLES[1] - EXAMPLES[0])), 1000)
    yield (
        f"{PROPERTIES} properties with {EXAMPLES[1]} examples: {times} times as long as with {EXAMPLES[0]}, "
        f"{extra} ms an example"
    )


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    commands = {
        "import": Command((sys.executable, "-c", f"import {', '.join(PACKAGES)}")),
        "self-check": Command((*PYTEST, "--durations=10", "--durations-min=0")),
    }
    if importlib.util.find_spec("xdist"):
        commands["self-check -n 2"] = Command((*PYTEST, "-n", "2"))
    print(*of_self_check(in_turns(commands, rounds)), "", sep="\n", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        print(*of_growth(in_turns(projects(Path(folder)), rounds)), sep="\n")


if __name__ == "__main__":
    main()
