"""What a failing note says above its traceback: claim, finding, likely causes, and where to read on."""

from __future__ import annotations

import inspect

import pytest
from _pytest._code.code import ExceptionChainRepr, ReprEntryNative  # no public way puts text above a traceback

from torchnotes import note, verdicts
from torchnotes.harness import about, boundaries, devices, versions


def causes(item):
    """Likely causes of a failure that were looked at and found, the surest first."""
    if problem := versions.bridge_problem():
        numpy = versions.installed("numpy")
        yield f"NumPy {numpy}{problem}; torch before 2.3 needs numpy<2, later ones take both"
    yield from versions.unmet(_modules(item))
    for name in verdicts.parts(devices.of(item)):
        if problem := devices.probe(name):
            yield f"{name} cannot compute: {problem}"
    for boundary in boundaries.of(item, "holds"):
        requirement = boundary.requirement
        found = f"{requirement.name} {versions.installed(requirement.name)}"
        if versions.is_met(requirement):
            yield f"a version boundary elsewhere than the note says: {found} meets {requirement}, so it should hold"
        else:
            names = " or ".join(boundary.names)
            yield f"a version boundary: with {found} the note must fail, but with {names}, and it failed in another way"


def _modules(item):
    """The top-level modules that a section uses."""
    values = vars(item.module).values()
    names = {
        value.__name__ if inspect.ismodule(value) else getattr(value, "__module__", None) or "" for value in values
    }
    return {name.partition(".")[0] for name in names}


def explanation(item, excinfo):
    """The text above the traceback of a failing note, line by line."""
    import torch

    words = note.words(inspect.getdoc(item.function))
    yield f"claim:   {words.claim}"
    for myth in boundaries.of(item, "myth"):
        yield f"myth:    {myth.text}"
    lines = [line for line in excinfo.exconly().splitlines() if line.strip() and "Use -v to get" not in line]
    first, *more = lines[:8]
    yield f"found:   {first}"
    yield from (f"         {line}" for line in more)
    yield f"where:   {devices.of(item) or '-'}, torch {torch.__version__}, NumPy {versions.installed('numpy')}"
    try:
        likely = list(causes(item)) or [
            "the belief itself: packages, NumPy bridge and device were looked at and work, so torch does not do it here"
        ]
    except Exception as error:  # in an install that is broken badly enough, so is looking at it
        likely = [f"a broken install: looking for the cause failed too, with {type(error).__name__}: {error}"]
    for number, cause in enumerate(likely, start=1):
        yield f"{'likely:' if number == 1 else '':8} {number}. {cause}"
    yield f"read:    {words.link}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if not note.is_note_file(item.path) or call.excinfo is None or item.config.getoption("mutants"):
        return report
    if package := versions.missing_package(call.excinfo.value):
        path, line, _ = item.location
        about.add(item, cause=about.NOT_INSTALLED)
        report.outcome, report.longrepr = "skipped", (path, line + 1, versions.to_install(package))
    elif report.failed and isinstance(report.longrepr, ExceptionChainRepr):
        text = list(explanation(item, call.excinfo))
        about.add(item, explanation=text)
        report.longrepr.chain[0][0].reprentries.insert(0, ReprEntryNative([f"{line}\n" for line in text]))
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    """A section whose package is not installed is left out by name; another failure to import names its line."""
    report = yield
    if not report.failed or not note.is_note_file(collector.path):
        return report
    error = report.call.excinfo.value
    if package := versions.missing_package(error.__cause__ or error):
        report.outcome, report.longrepr = "skipped", (str(collector.path), 0, versions.to_install(package))
    elif isinstance(error, pytest.fail.Exception):  # such as an unknown marker, of which pytest names the file only
        lines = [entry.lineno + 1 for entry in report.call.excinfo.traceback if entry.path == collector.path]
        if lines:
            report.longrepr = f"{collector.path.name}:{lines[-1]}: {error}"
    return report
