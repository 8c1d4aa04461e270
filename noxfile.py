"""Every way of running the notes and the tests of what carries them. `nox -l` lists the sessions."""

import nox

nox.needs_version = ">=2024.3.2"
nox.options.sessions = ["tests"]

NOTES = ("-r", "requirements.txt", "-c", "constraints.txt")
TOOLS = ("pytest-random-order", "pytest-xdist", "ruff", "sybil")


@nox.session
def tests(session):
    """The project's own tests: lint, notes, notes in another order, mutants, benchmarks and harness, each once."""
    session.install(*NOTES, *TOOLS)
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("pytest", *session.posargs)
    session.run("pytest", "-q", "--random-order", "-n", "2", *session.posargs)
    session.run("pytest", "-q", "--mutants", *session.posargs)
    session.run("pytest", "-q", "tests/benchmarks", "--benchmark-disable")
    session.run("pytest", "-q", "tests/harness", "-n", "2")


@nox.session
def mutants(session):
    """Each note under each mutant that names it: the score by section, the slowest, the survivors."""
    session.install(*NOTES)
    session.run("pytest", "--mutants", "-q", *session.posargs)


@nox.session
def cost(session):
    """What the self-check costs against the import of its packages: time, memory, the slowest notes."""
    session.install(*NOTES)
    session.run("python", "tests/benchmarks/cost.py", *session.posargs)


@nox.session
def verdicts(session):
    """The same verdicts for every seed from 0 to 99, in random orders, twice in a row, and for each note alone."""
    session.install(*NOTES, *TOOLS)
    session.run("python", "tests/harness/verdicts.py", *session.posargs)


@nox.session
def thorough(session):
    """The notes with many random examples instead of a few fixed ones."""
    session.install(*NOTES)
    session.run("pytest", "--hypothesis-profile", "thorough", *session.posargs)
