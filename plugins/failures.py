"""What a failing note says above its traceback: the claim, what was found, what probably caused it, and where to read on."""

from __future__ import annotations

import pytest
from _pytest._code.code import ExceptionChainRepr, ReprEntryNative  # no public way puts text above a traceback

from plugins import claims, devices, versions


def causes(item, message):
    """Likely causes of a failure, each looked at, the surest first."""
    import torch

    try:
        torch.zeros(1).numpy()
    except RuntimeError as error:
        yield (
            f"NumPy and torch do not work together ({error}): torch {torch.__version__} was built for another NumPy than "
            f"{versions.installed('numpy')}; torch before 2.3 needs numpy<2"
        )
    yield from versions.unmet()
    where = devices.of(item)
    for name in where.split("+"):
        if name not in ("-", "accelerator", devices.STAND_IN) and (problem := devices.probe(name)):
            yield f"{name} cannot compute: {problem}"
    for requirement, otherwise in claims.boundaries(item):
        names = " or ".join(exception.__name__ for exception in otherwise)
        found = versions.installed(requirement.name)
        if versions.is_met(requirement):
            yield f"a version boundary: the note says it holds where {requirement}; found {requirement.name} {found}"
        else:
            yield f"a version boundary: the note says that without {requirement} it fails with {names}; found {requirement.name} {found}"


def explanation(item, excinfo):
    """The text above the traceback of a failing note."""
    message = excinfo.exconly().strip()
    likely = list(causes(item, message)) or [
        "the install, its packages and the device were looked at and work: so it is the belief; what the note says is not so here"
    ]
    import torch

    yield f"claim:   {claims.claim(item.function)}"
    for marker in item.iter_markers("myth"):
        yield f"myth:    {marker.args[0]}"
    first, *more = message.splitlines()[:8]
    yield f"found:   {first}"
    yield from (f"         {line}" for line in more)
    yield f"where:   {devices.of(item)}, torch {torch.__version__}, NumPy {versions.installed('numpy')}"
    for number, cause in enumerate(likely, start=1):
        yield f"{'likely:' if number == 1 else '':8} {number}. {cause}"
    yield f"read:    {claims.link(item.function)}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if not claims.is_note(item) or call.excinfo is None:
        return report
    if package := versions.missing_package(call.excinfo.value):
        path, line, _ = item.location
        report.outcome, report.longrepr = "skipped", (path, line + 1, f"Skipped: {package} {versions.NOT_INSTALLED}")
    elif report.failed and isinstance(report.longrepr, ExceptionChainRepr):
        text = list(explanation(item, call.excinfo))
        report.longrepr.chain[0][0].reprentries.insert(0, ReprEntryNative([f"{line}\n" for line in text]))
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    """A section whose package is not installed is left out by name; any other failure to import stays one."""
    report = yield
    excinfo = report.call.excinfo if report.failed else None
    error = excinfo and (excinfo.value.__cause__ or excinfo.value)
    package = versions.missing_package(error) if error else None
    if package and claims.is_note_file(collector.path):
        reason = f"Skipped: {package} {versions.NOT_INSTALLED}: pip install {package}"
        report.outcome, report.longrepr = "skipped", (str(collector.path), 0, reason)
    return report
