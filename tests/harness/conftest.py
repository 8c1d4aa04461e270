"""A small project with the real conftest.py and pytest.ini, in which a test writes notes and runs them."""

import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

# What is tried here says itself which devices there are: a GPU of this machine is not to be seen, in no process.
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import torch

ROOT = Path(__file__).parent.parent.parent


NEEDED = (
    "jinja2",
    "jsonschema",
    "matplotlib",
    "nox",
    "rapidfuzz",
    "rich",
    "ruff",
    "random_order",
    "selectolax",
    "sybil",
    "xdist",
)


def pytest_configure(config):
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        what = f"what carries the notes needs more than the notes, and here is no {', '.join(missing)}"
        raise pytest.UsageError(f"{what}; type: pip install nox && nox -s tests")
    if not config.pluginmanager.has_plugin("pytester"):
        config.pluginmanager.import_plugin("pytester")


class Project:
    """Notes on trial: `note` writes a section, `run` runs pytest in this process, `run_apart` in one of its own."""

    def __init__(self, pytester):
        self.pytester = pytester
        self.path = pytester.path
        for name in ("conftest.py", "pytest.ini"):
            shutil.copy(ROOT / name, self.path / name)
        (self.path / "tests" / "notes").mkdir(parents=True)

    def note(self, body, section="01_first"):
        file = self.path / "tests" / "notes" / f"test_{section}.py"
        file.write_text(f"import pytest\nimport torch\n\n\n{body}", encoding="utf-8")
        return file

    def run(self, *arguments):
        return Result(self.pytester.runpytest_inprocess("-p", "no:cacheprovider", *arguments))

    def run_apart(self, *arguments, path=(), cwd=None):
        """Run in another process, with the folders `path` in front of what can be imported."""
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, [*path, ROOT]))}
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *map(str, arguments)]
        return Result(
            subprocess.run(command, cwd=cwd or self.path, env=environment, capture_output=True, text=True, timeout=600)
        )


class Result:
    """What a run printed, its exit code, and the numbers of its last line."""

    def __init__(self, finished):
        self.out, self.err = (
            part if isinstance(part, str) else part.str() for part in (finished.stdout, finished.stderr)
        )
        self.text = f"{self.out}\n{self.err}"
        self.code = finished.returncode if hasattr(finished, "returncode") else finished.ret

    @property
    def counts(self):
        last = [line for line in self.out.splitlines() if re.search(r"\d+ \w+.* in [\d.]+", line)][-1]
        found = re.findall(r"(\d+) (passed|failed|error|skipped|xfailed)", last)
        return {word: int(number) for number, word in found}

    @property
    def refusal(self):
        """The one line with which pytest refuses its command line, and nothing else."""
        lines = [line for line in self.text.splitlines() if line.strip()]
        assert [line for line in lines if line.startswith("ERROR: ")] == lines, self.text
        (line,) = lines
        return line


@pytest.fixture(scope="session")
def whole_torch():
    """Import what torch puts off: a run within this process forgets its modules, and these cannot be imported twice."""
    torch.manual_seed(0)
    torch.ones(1, device="meta") + 1


@pytest.fixture
def project(pytester, monkeypatch, whole_torch):
    monkeypatch.syspath_prepend(str(ROOT))
    # pytest-xdist gives the processes it starts the path that it found at its own start.
    monkeypatch.setattr("xdist.plugin._sys_path", [str(ROOT), *sys.path])
    for name in [*(name for name in os.environ if name.startswith("PYTEST_XDIST_")), "CI", "BUILD_NUMBER"]:
        monkeypatch.delenv(name, raising=False)  # a run that is tried here is not the one that tries it
    return Project(pytester)
