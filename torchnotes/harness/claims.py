"""What a note says: its claim, its link, and the markers `myth`, `holds`, `advice` and `only`."""

from __future__ import annotations

import inspect

import pytest
from packaging.requirements import InvalidRequirement, Requirement

from torchnotes.harness import versions

FOLDER = "notes"
CHANGES = ("raises", "gone", "result", "warns", "new")
"""What an upgrade across a boundary does to code, the gravest first: code that ran raises; what it used is gone; it
silently computes something else; it warns; what was not there or raised works."""


def is_note(item):
    """Whether an item is a note: whatever lies in a folder of that name."""
    return is_note_file(item.path)


def is_note_file(path):
    """Whether a file lies in the folder of the notes."""
    return path.parent.name == FOLDER


def section(path):
    """`tests/notes/test_03_numpy_bridge.py` is section `03 numpy bridge`."""
    return path.stem.removeprefix("test_").replace("_", " ")


def claim(function):
    """The first paragraph of the docstring, as one line."""
    text = inspect.getdoc(function) or ""
    return " ".join(text.partition("\n\n")[0].split())


def link(function):
    """The page of the documentation, which is the docstring's last line, or an empty text."""
    last = (inspect.getdoc(function) or "").strip().rpartition("\n")[2].strip()
    return last if last.startswith("https://") else ""


def markers(item):
    """What its markers say of a note, as plain data: `name`, and `text` or `requirement`, `otherwise` and `change`."""
    for marker in item.iter_markers():
        if marker.name in ("myth", "advice"):
            yield {"name": marker.name, "text": marker.args[0]}
        elif marker.name == "only":
            yield {"name": "only", "kinds": list(marker.args), "text": marker.kwargs["because"]}
    for marker in item.iter_markers("holds"):
        requirement, otherwise, change = _holds(*marker.args, **marker.kwargs)
        names = [exception.__name__ for exception in otherwise]
        said = {"change": change} if change else {}
        yield {"name": "holds", "requirement": str(Requirement(requirement)), "otherwise": names, **said}


def boundaries(item):
    """The `holds` markers of an item as pairs (requirement, exceptions)."""
    for marker in item.iter_markers("holds"):
        requirement, otherwise, _ = _holds(*marker.args, **marker.kwargs)
        yield Requirement(requirement), otherwise


def _holds(requirement, otherwise, change=None):
    return requirement, otherwise if isinstance(otherwise, tuple) else (otherwise,), change


def check(definition):
    """Refuse a marker that says nothing, with the file and line of the note."""
    for marker in definition.iter_markers():
        if problem := _problem(marker):
            path, line, _ = definition.location
            pytest.fail(f"{path}:{line + 1}: {definition.name}: {problem}", pytrace=False)


def _problem(marker):
    if marker.name in ("myth", "advice"):
        what = {"myth": "what people say", "advice": "who says so, and where"}[marker.name]
        if marker.kwargs or len(marker.args) != 1 or not isinstance(marker.args[0], str) or not marker.args[0].strip():
            return f'@pytest.mark.{marker.name} takes one text, {what}: @pytest.mark.{marker.name}("...")'
    if marker.name == "only":
        kinds_there = ("cpu", "cuda", "nvidia", "mps", "xpu")
        because = marker.kwargs.get("because")
        if not marker.args or not set(marker.args) <= set(kinds_there) or not isinstance(because, str) or not because:
            return (
                f"@pytest.mark.only takes kinds of device ({', '.join(kinds_there)}) and the reason why not on others: "
                '@pytest.mark.only("cuda", because="...")'
            )
    if marker.name == "holds":
        usage = 'write, for example, @pytest.mark.holds("torch>=2.6", otherwise=AttributeError)'
        try:
            text, otherwise, change = _holds(*marker.args, **marker.kwargs)
        except TypeError:
            return f"@pytest.mark.holds takes a requirement and the exception raised otherwise; {usage}"
        try:
            Requirement(text)
        except (InvalidRequirement, TypeError) as error:
            return f"@pytest.mark.holds({text!r}) is not a PEP 508 requirement ({str(error).splitlines()[0]}); {usage}"
        if change not in (None, *CHANGES):
            return f"change={change!r} is none of {', '.join(CHANGES)}"
        for exception in otherwise or [otherwise]:
            if not (isinstance(exception, type) and issubclass(exception, BaseException)):
                return f"otherwise={exception!r} is not an exception class; {usage}"
            if exception in (Exception, BaseException):
                return f"otherwise={exception.__name__} would accept any failure; name the one that is raised; {usage}"
    return None


def apply_boundaries(item):
    """Where a boundary is not met, expect the note to fail, strictly, with the exceptions it names.

    Every `holds` marker of a note counts: it holds where all of them are met, and elsewhere fails with an exception of
    one that is not. An `AssertionError` includes an exception or a warning that the note waited for in vain.
    """
    unmet, expected = [], ()
    for requirement, otherwise in boundaries(item):
        try:
            if versions.is_met(requirement):
                continue
        except versions.NotInstalled:
            item.add_marker(pytest.mark.skip(reason=versions.to_install(requirement.name)))
            return
        unmet.append(f"{requirement} (here {versions.installed(requirement.name)})")
        expected += otherwise
    if unmet:
        names = " or ".join(exception.__name__ for exception in expected)
        if AssertionError in expected:
            expected += (pytest.fail.Exception,)
        reason = f"holds only with {' and '.join(unmet)}; otherwise it must fail with {names}"
        item.add_marker(pytest.mark.xfail(raises=expected, strict=True, reason=reason))
