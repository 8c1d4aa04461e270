"""Which releases are installed, and what a claim says about them: `holds`, `--expect`, requirements that are not met."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

REQUIREMENTS = Path(__file__).parent.parent / "requirements.txt"
NOT_INSTALLED = "is not installed"
IMPORT_NAMES = {"scikit-learn": "sklearn"}


class NotInstalled(LookupError):
    """A requirement names a package that is not installed."""


def installed(name):
    """The version of a package, or `NotInstalled`. What torch itself says counts before what its metadata says."""
    module = sys.modules.get(name)
    if name == "torch" and module is not None:
        return Version(str(module.__version__))
    try:
        return Version(metadata.version(name))
    except metadata.PackageNotFoundError:
        raise NotInstalled(name) from None


def is_met(requirement):
    """Whether the installed packages meet a PEP 508 requirement.

    A requirement whose environment marker is false asks for nothing and is met. A development build, release candidate or vendor build
    (2.6.0.dev20250101, 2.6.0rc1, 2.6.0a0+git1234) counts as the release it leads to, because it has that release's behaviour.
    """
    if requirement.marker is not None and not requirement.marker.evaluate():
        return True
    version = installed(requirement.name)
    if not version.local or not any("+" in specifier.version for specifier in requirement.specifier):
        version = Version(version.base_version)
    return requirement.specifier.contains(version, prereleases=True)


def expect(texts):
    """Stop the run, with `pytest.UsageError`, unless every requirement given to `--expect` is met."""
    for text in texts:
        try:
            requirement = Requirement(text)
        except InvalidRequirement as error:
            reason = str(error).splitlines()[0]
            raise pytest.UsageError(f'--expect {text!r} is not a requirement: {reason}; write, for example, --expect "torch==2.6.*"') from None
        try:
            if is_met(requirement):
                continue
            found = f"{requirement.name} {installed(requirement.name)}"
        except NotInstalled:
            found = f"no {requirement.name}"
        raise pytest.UsageError(f"--expect {text!r}: this environment ({sys.executable}) has {found}")


def unmet():
    """The lines of requirements.txt that this environment does not meet, each with what was found."""
    problems = []
    for line in REQUIREMENTS.read_text(encoding="utf-8").splitlines():
        text = line.partition("#")[0].strip()
        if not text:
            continue
        requirement = Requirement(text)
        try:
            if not is_met(requirement):
                problems.append(f"{requirement.name} {installed(requirement.name)} is installed, and {text} is needed")
        except NotInstalled:
            problems.append(f"{requirement.name} {NOT_INSTALLED}: pip install {requirement.name}")
    return problems


def missing_package(error):
    """The package of requirements.txt that an import failed for want of, or None if the import failed for another reason."""
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        return None
    top = error.name.partition(".")[0]
    for line in REQUIREMENTS.read_text(encoding="utf-8").splitlines():
        text = line.partition("#")[0].strip()
        if text and top == IMPORT_NAMES.get(name := canonicalize_name(Requirement(text).name), name):
            try:
                installed(name)
            except NotInstalled:
                return name
    return None
