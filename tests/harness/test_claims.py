"""What a note may say, and on which side of a boundary it must hold."""

import pytest
import torch
from packaging.requirements import Requirement
from packaging.version import Version

from torchnotes.harness import versions

RELEASES = {
    "2.6.0": "a release",
    "2.6.0+cu124": "a local version",
    "2.6.0rc3": "a release candidate",
    "2.6.0.dev20250101+cpu": "a nightly build",
    "2.6.0a0+git1234abc": "a build of a vendor",
    "2.6.1": "a patch",
}


@pytest.mark.parametrize("release", RELEASES, ids=RELEASES.values())
def test_builds_of_a_release_count_as_it(monkeypatch, release):
    monkeypatch.setattr(versions, "installed", lambda name: Version(release))

    assert versions.is_met(Requirement("torch>=2.6"))
    assert versions.is_met(Requirement("torch==2.6.*"))
    assert versions.is_met(Requirement("torch<2.7"))
    assert not versions.is_met(Requirement("torch>=2.7"))
    assert not versions.is_met(Requirement("torch<2.6"))


@pytest.mark.parametrize(
    ("release", "requirement", "met"),
    [
        ("2.10.0", "torch==2.1", False),
        ("2.10.0", "torch==2.1.*", False),
        ("2.10.0", "torch>=2.9", True),
        ("2.6.0+cu124", "torch==2.6.0", True),
        ("2.6.0+cu124", "torch==2.6.0+cu124", True),
        ("2.6.0+cu124", "torch==2.6.0+cpu", False),
        ("2.16.0.dev20261101+cpu", "torch>=2.16", True),
    ],
)
def test_versions_are_compared_as_versions_not_as_text(monkeypatch, release, requirement, met):
    monkeypatch.setattr(versions, "installed", lambda name: Version(release))

    assert versions.is_met(Requirement(requirement)) is met


def test_a_requirement_asks_for_nothing_where_its_environment_marker_is_false(monkeypatch):
    monkeypatch.setattr(versions, "installed", lambda name: Version("1.26.4"))

    assert versions.is_met(Requirement('numpy>=2; python_version < "3"'))
    assert not versions.is_met(Requirement('numpy>=2; python_version >= "3"'))


MALFORMED = {
    "@pytest.mark.myth": "takes one text, what people say",
    '@pytest.mark.myth("  ")': "takes one text, what people say",
    '@pytest.mark.myth("this", "and that")': "takes one text, what people say",
    "@pytest.mark.costly": "takes one text, what costs so much",
    "@pytest.mark.advice(3)": "takes one text, who says so, and where",
    '@pytest.mark.holds("torch>=2.6")': "takes a requirement and the exception raised otherwise",
    '@pytest.mark.holds("torch >>> 2", otherwise=TypeError)': "'torch >>> 2'",
    "@pytest.mark.holds(2.6, otherwise=TypeError)": "is not a PEP 508 requirement",
    '@pytest.mark.holds("torch>=2.6", otherwise="TypeError")': "is not an exception class",
    '@pytest.mark.holds("torch>=2.6", otherwise=())': "is not an exception class",
    '@pytest.mark.holds("torch>=2.6", otherwise=TypeError, change="breaks")': "'breaks' is none of raises, gone",
    '@pytest.mark.holds("torch>=2.6", otherwise=Exception)': "would accept any failure",
    '@pytest.mark.holds("torch>=2.6", otherwise=(TypeError, BaseException))': "would accept any failure",
    '@pytest.mark.only("cuda")': "takes kinds of device (cpu, cuda, mps, xpu, nvidia) and the reason",
    '@pytest.mark.only(because="so it is")': "takes kinds of device",
    '@pytest.mark.only("gpu", because="so it is")': "takes kinds of device",
    '@pytest.mark.only("cuda", because="")': "takes kinds of device",
}


@pytest.mark.parametrize("marker", MALFORMED)
def test_a_marker_that_says_nothing_is_an_error_at_its_line(project, marker):
    project.note(f"{marker}\ndef test_it():\n    pass\n")

    result = project.run()

    assert result.code == pytest.ExitCode.INTERRUPTED
    assert "test_01_first.py:5: test_it: " in result.text
    assert MALFORMED[marker] in result.text


def test_an_unknown_marker_is_an_error_at_its_line(project):
    project.note("@pytest.mark.mhyth('so they say')\ndef test_it():\n    pass\n")

    result = project.run()

    assert result.code == pytest.ExitCode.INTERRUPTED
    assert "test_01_first.py:5: 'mhyth' not found in `markers`" in result.text


def test_well_formed_markers_pass(project):
    project.note(
        """
@pytest.mark.myth("so they say")
@pytest.mark.advice("somebody, somewhere")
@pytest.mark.holds("torch>=2.0", otherwise=(TypeError, AttributeError))
def test_it():
    pass
"""
    )

    assert project.run().counts == {"passed": 1}


HERE = f"torch=={torch.__version__.partition('+')[0]}"
ELSEWHERE = "torch<2"


@pytest.mark.parametrize(
    ("markers", "body", "counts"),
    [
        ([(HERE, "TypeError")], "pass", {"passed": 1}),
        ([(HERE, "TypeError")], "raise TypeError", {"failed": 1}),
        ([(ELSEWHERE, "TypeError")], "raise TypeError", {"xfailed": 1}),
        ([(ELSEWHERE, "TypeError")], "pass", {"failed": 1}),
        ([(ELSEWHERE, "TypeError")], "raise ValueError", {"failed": 1}),
        ([(ELSEWHERE, "TypeError")], "assert 1 == 2", {"failed": 1}),
        ([(ELSEWHERE, "(TypeError, ValueError)")], "raise ValueError", {"xfailed": 1}),
        ([(ELSEWHERE, "AssertionError")], "assert 1 == 2", {"xfailed": 1}),
        ([(ELSEWHERE, "AssertionError")], "with pytest.raises(TypeError): pass", {"xfailed": 1}),
        ([(ELSEWHERE, "AssertionError")], "with pytest.warns(UserWarning): pass", {"xfailed": 1}),
        ([(ELSEWHERE, "TypeError")], "with pytest.raises(TypeError): pass", {"failed": 1}),
        ([(HERE, "TypeError"), (HERE, "ValueError")], "pass", {"passed": 1}),
        ([(HERE, "TypeError"), (ELSEWHERE, "ValueError")], "raise ValueError", {"xfailed": 1}),
        ([(HERE, "TypeError"), (ELSEWHERE, "ValueError")], "raise TypeError", {"failed": 1}),
        ([(ELSEWHERE, "ValueError"), (HERE, "TypeError")], "pass", {"failed": 1}),
        ([(ELSEWHERE, "TypeError"), (ELSEWHERE, "ValueError")], "raise TypeError", {"xfailed": 1}),
    ],
)
def test_a_note_runs_on_both_sides_of_its_boundaries(project, markers, body, counts):
    decorators = "\n".join(f'@pytest.mark.holds("{text}", otherwise={otherwise})' for text, otherwise in markers)
    project.note(f'{decorators}\ndef test_it():\n    """It holds."""\n    {body}\n')

    result = project.run()

    assert result.counts == counts
    assert result.code == (1 if "failed" in counts else 0)


def test_the_other_side_is_named_with_what_it_asks_for(project):
    project.note(f'@pytest.mark.holds("{ELSEWHERE}", otherwise=TypeError)\ndef test_it():\n    raise TypeError\n')

    text = project.run().text

    assert "on the other side of a boundary:" in text
    version = torch.__version__
    assert f"holds only with {ELSEWHERE} (here {version}); otherwise it must fail with TypeError" in text
    assert "1 claim: 0 held, 0 failed, 0 could not be checked, 1 on the other side of a boundary" in text


def test_a_boundary_of_a_package_that_is_not_installed_leaves_the_note_unchecked(project):
    project.note(
        """
def test_another():
    pass

@pytest.mark.holds("no-such-package>=1", otherwise=TypeError)
def test_it():
    pass
"""
    )

    strict, lenient = project.run(), project.run("--allow-missing")

    assert (strict.code, lenient.code) == (1, 0)
    assert "test_it was not checked: no-such-package is not installed" in strict.text
    assert strict.counts == lenient.counts == {"passed": 1, "skipped": 1}
