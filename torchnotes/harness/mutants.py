"""--mutants: loads what breaks torch, which imports it, only where it is asked for."""

from __future__ import annotations


def pytest_addoption(parser):
    parser.getgroup("what PyTorch does").addoption(
        "--mutants",
        action="store_true",
        help="run each note under each mutant that names it, and fail where the note does not notice",
    )


def pytest_sessionstart(session):
    config = session.config
    if config.getoption("mutants"):
        from torchnotes.harness import mutation

        mutation.load(config.rootpath / "tests" / "mutants")
        mutation.prepare(config)
        config.pluginmanager.register(mutation, "mutation")
        config.pluginmanager.register(mutation.Trial(), "trial")
