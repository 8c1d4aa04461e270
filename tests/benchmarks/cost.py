"""What the self-check costs: its time against the bare import of its packages, its memory, and its slowest notes.

python tests/benchmarks/cost.py [ROUNDS]

Whole processes are timed, the two kinds in turn, so that a busy machine slows both alike. The ratio is printed and not
asserted: it says what a run costs here.
"""

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PACKAGES = ("torch", "numpy", "sklearn", "torchmetrics", "hypothesis", "pytest")
COMMANDS = {
    "import": [sys.executable, "-c", f"import {', '.join(PACKAGES)}"],
    "self-check": [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--device", "cpu"],
}


def measure(command):
    """Seconds of one whole process and its peak memory in MiB (None where the system does not tell)."""
    start = time.perf_counter()
    # A run that may not keep what it compiled compiles every note anew: a cost of the setting, not of the notes.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    if not hasattr(os, "wait4"):
        code, memory = process.wait(), None
    else:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = code = os.waitstatus_to_exitcode(status)
        memory = usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)  # macOS counts bytes, Linux KiB
    if code != 0:
        sys.exit(f"{' '.join(command)} failed with exit code {code}: run it to see why; nothing was measured")
    return time.perf_counter() - start, memory


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    for command in COMMANDS.values():
        measure(command)  # the first run reads files from disk and compiles them
    taken = {name: [] for name in COMMANDS}
    for _ in range(rounds):
        for name, command in COMMANDS.items():
            taken[name].append(measure(command))

    ratios = [check[0] / bare[0] for bare, check in zip(taken["import"], taken["self-check"], strict=True)]
    for name, runs in taken.items():
        seconds = statistics.median(run[0] for run in runs)
        memory = "" if runs[0][1] is None else f", {max(run[1] for run in runs):.0f} MiB at its peak"
        print(f"{name:12} {seconds:6.2f} s{memory} (median of {rounds} processes)")
    print(
        f"{'ratio':12} {statistics.median(ratios):6.2f} ({min(ratios):.2f} to {max(ratios):.2f}); at most 2 is the aim"
    )

    slowest = subprocess.run(
        [*COMMANDS["self-check"], "--durations=10", "--durations-min=0"], cwd=ROOT, capture_output=True, text=True
    ).stdout
    lines = [line for line in slowest.splitlines() if " call " in line or " setup " in line or " teardown " in line]
    print("the ten slowest:", *lines, sep="\n")


if __name__ == "__main__":
    main()
