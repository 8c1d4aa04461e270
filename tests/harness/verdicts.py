"""The verdict of a note must not depend on the seed, on what ran before it, or on running at all with others.

python tests/harness/verdicts.py [NOTES]

Runs the notes with every seed from 0 to 99, in ten random orders, twice in a row, and each note alone; prints what
failed where, and exits with 1 if anything did. Each run is a process that starts with the packages imported already,
which needs `os.fork`: on Windows there is none.
"""

import importlib
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
SEEDS = range(100)
ORDERS = range(10)
QUIET = ("-p", "no:cacheprovider", "-q", "--tb=no", "--no-header", "--device", "cpu")
QUIET += ("-W", "ignore::pytest.PytestAssertRewriteWarning")  # Hypothesis is imported already


class Failures:
    """Collects the notes that failed in a run."""

    def __init__(self):
        self.names = []

    def pytest_runtest_logreport(self, report):
        if report.failed:
            self.names.append(report.nodeid)


def run(arguments, connection):
    """Run the notes in this process, in silence, and send the exit code and the names of those that failed."""
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115 (this process is about to end)
    failures = Failures()
    code = pytest.main([*QUIET, "--costly", *arguments], plugins=[failures])
    connection.send((int(code), failures.names))


def verdict(context, arguments):
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=run, args=(arguments, sender))
    process.start()
    sender.close()  # or a process that dies would leave this one waiting
    try:
        result = receiver.recv()
    except EOFError:
        result = None, ["the process died"]
    process.join()
    return result


def names(notes):
    listing = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--collect-only", "-q", *notes],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return [line for line in listing.splitlines() if "::" in line]


def import_once():
    """So that a forked process has them. Nothing is computed here: threads do not survive a fork."""
    for name in ("hypothesis", "sklearn.datasets", "sklearn.model_selection", "torchmetrics", "torch._dynamo"):
        importlib.import_module(name)


def main():
    import_once()
    notes = sys.argv[1:] or ["tests/notes"]
    context = multiprocessing.get_context("fork")
    runs = {f"--seed {seed}": [*notes, "--seed", str(seed)] for seed in SEEDS}
    runs |= {f"random order {seed}": [*notes, "--random-order", "--random-order-seed", str(seed)] for seed in ORDERS}
    runs |= {"twice in a row": [*notes, *notes, "--keep-duplicates"]}
    runs |= {f"alone: {name}": [name] for name in names(notes)}
    bad = 0
    for label, arguments in runs.items():
        code, failed = verdict(context, arguments)
        # A note that only an accelerator can show, run alone, is a run in which no note ran, and says so.
        unchecked = label.startswith("alone") and code == pytest.ExitCode.TESTS_FAILED and not failed
        if code != pytest.ExitCode.OK and not unchecked:
            bad += 1
            print(f"{label}: exit code {code}", *failed, sep="\n  ", flush=True)
    print(f"{len(runs)} runs, {bad} with another verdict")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
