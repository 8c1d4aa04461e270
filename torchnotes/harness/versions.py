"""Which releases are installed, and whether they meet a requirement: of a boundary, of `--expect`, of the notes."""

from __future__ import annotations

import contextlib
import importlib
import io
import sys
import warnings
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import Version

from torchnotes import kinds

REQUIREMENTS = Path(__file__).parents[2] / "requirements.txt"
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

    A requirement whose environment marker is false asks for nothing and is met. A nightly build, release candidate or
    vendor build (2.6.0.dev20250101, 2.6.0rc1, 2.6.0a0+git1234) counts as the release it leads to: it behaves like it.
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
            raise pytest.UsageError(
                f'--expect {text!r} is not a requirement: {reason}; write, for example, --expect "torch==2.6.*"'
            ) from None
        try:
            if is_met(requirement):
                continue
            found = f"{requirement.name} {installed(requirement.name)}"
        except NotInstalled:
            found = f"no {requirement.name}"
        raise pytest.UsageError(f"--expect {text!r}: this environment ({sys.executable}) has {found}")


def needed(name):
    """Import a package without which nothing runs, or stop with one line that says what is wrong and what to type."""
    install = f"install it for {sys.executable}: python -m pip install -r requirements.txt -c constraints.txt"
    requirement = next(requirement for requirement in _requirements() if requirement.name == name)
    said = io.StringIO()
    try:
        # NumPy 2 prints 40 lines before it warns of a torch that was built for NumPy 1.
        with contextlib.redirect_stderr(said), warnings.catch_warnings():
            warnings.filterwarnings("error", "Failed to initialize NumPy")
            module = importlib.import_module(name)
            if name == "torch" and is_met(requirement):
                module.empty(0)  # some releases look for NumPy with their first tensor
    except ModuleNotFoundError as error:
        raise pytest.UsageError(f"{name} cannot be imported (no module named {error.name}); {install}") from None
    except Exception as error:  # a broken install can raise anything
        if name == "torch" and "initialize NumPy" in str(error):
            raise pytest.UsageError(
                f"torch {metadata.version('torch')} was built for NumPy 1 and cannot use NumPy {installed('numpy')}; "
                'type: python -m pip install "numpy<2"; or take torch 2.3 or newer (on Windows 2.4.1), which uses both'
            ) from None
        reason = (str(error).strip() or "without a message").splitlines()[-1]
        raise pytest.UsageError(f"{name} cannot be imported ({type(error).__name__}: {reason}); {install}") from None
    sys.stderr.write(said.getvalue())
    if not is_met(requirement):
        raise pytest.UsageError(f"{name} {installed(name)} is installed, and the notes need {requirement}; {install}")
    return module


def _requirements():
    for line in REQUIREMENTS.read_text(encoding="utf-8").splitlines():
        if text := line.partition("#")[0].strip():
            yield Requirement(text)


def unmet(modules):
    """The requirements of these top-level modules that this environment does not meet, each with what was found."""
    for requirement in _requirements():
        name = requirement.name
        if _import_name(name) not in modules:
            continue
        try:
            if not is_met(requirement):
                yield f"{name} {installed(name)} is installed, and the notes need {requirement}"
        except NotInstalled:
            yield to_install(name)


def _is_installed(name):
    try:
        installed(name)
    except NotInstalled:
        return False
    return True


def to_install(name):
    """What to say of a package that is not there."""
    return f"{name} {NOT_INSTALLED}: pip install {name}"


def _import_name(name):
    return IMPORT_NAMES.get(name, name)


def missing_package(error):
    """The package of requirements.txt for want of which an import failed, or None if it failed for another reason."""
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        return None
    names = {_import_name(requirement.name): requirement.name for requirement in _requirements()}
    name = names.get(error.name.partition(".")[0])
    return name if name and not _is_installed(name) else None


def build():
    """What this torch was built for, such as `CUDA 12.4`, or `CPU` alone (as the builds for Apple's GPUs are)."""
    import torch

    names = [toolkit for kind in kinds.KINDS.values() for toolkit in kind.toolkits]
    toolkits = {name.upper(): getattr(torch.version, name, None) for name in names}
    return next((f"{name} {version}" for name, version in toolkits.items() if version), "CPU")


def packages():
    """The installed version of each package of requirements.txt, by name; None for one that is not there."""
    return {
        requirement.name: str(installed(requirement.name)) if _is_installed(requirement.name) else None
        for requirement in _requirements()
    }


def bridge_problem():
    """A remark for the header when torch cannot use the NumPy that is installed, else an empty text."""
    import torch

    try:
        torch.zeros(1, device="cpu").numpy()
    except RuntimeError as error:
        return f", which this torch cannot use ({error}): it was built for another NumPy"
    return ""
