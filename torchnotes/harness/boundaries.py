"""The markers of an item, as pytest has them, and the boundaries among them."""

from __future__ import annotations

import pytest

from torchnotes import markers
from torchnotes.harness import about, versions


def pytest_configure(config):
    for marker in markers.MARKERS.values():
        config.addinivalue_line("markers", marker.usage)


def of(item, *names):
    """Its markers of these names, each validated already: the nearest to the function first."""
    return [markers.of(mark.name, mark.args, mark.kwargs) for mark in item.iter_markers() if mark.name in names]


def as_data(item):
    """What its markers say of a note, as a record has it: boundaries come last."""
    return [marker.as_data() for name in markers.RECORDED for marker in of(item, name)]


def check(definition):
    """Refuse a marker that says nothing, with the file and line of the note."""
    try:
        of(definition, *markers.MARKERS)
    except markers.Misused as misused:
        path, line, _ = definition.location
        pytest.fail(f"{path}:{line + 1}: {definition.name}: {misused}", pytrace=False)


def pytest_itemcollected(item):
    """Where a boundary is not met, expect the note to fail, strictly, with the exceptions it names.

    Every `holds` marker of a note counts: it holds where all of them are met, and elsewhere fails with an exception of
    one that is not. An `AssertionError` includes an exception or a warning that the note waited for in vain.
    """
    unmet, expected = [], ()
    for boundary in of(item, "holds"):
        requirement = boundary.requirement
        try:
            if versions.is_met(requirement):
                continue
        except versions.NotInstalled:
            about.add(item, cause=about.NOT_INSTALLED)
            item.add_marker(pytest.mark.skip(reason=versions.to_install(requirement.name)))
            return
        unmet.append(f"{requirement} (here {versions.installed(requirement.name)})")
        expected += boundary.otherwise
    if unmet:
        names = " or ".join(exception.__name__ for exception in expected)
        if AssertionError in expected:
            expected += (pytest.fail.Exception,)
        reason = f"holds only with {' and '.join(unmet)}; otherwise it must fail with {names}"
        item.add_marker(pytest.mark.xfail(raises=expected, strict=True, reason=reason))
