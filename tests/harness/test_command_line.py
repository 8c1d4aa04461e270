"""The options, and what is said when they ask for something that is not there."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from torchnotes.harness import devices

ROOT = Path(__file__).parent.parent.parent

ONE_ON_A_DEVICE = "def test_it(device):\n    assert torch.ones(2, device=device).sum() == 2\n"


@pytest.fixture
def a_gpu(monkeypatch):
    """Let this machine show two cuda devices, which in truth are the CPU."""
    monkeypatch.setattr(devices, "visible", lambda: ["cpu", "cuda"])
    monkeypatch.setattr(devices, "count", lambda name: 2 if name == "cuda" else 1)
    monkeypatch.setattr(devices, "probe", lambda name: None)
    monkeypatch.setattr(devices, "canonical", lambda name: torch.device("cpu"))
    monkeypatch.setattr(devices, "synchronize", lambda name: None)


@pytest.fixture
def only_a_cpu(monkeypatch):
    monkeypatch.setattr(devices, "visible", lambda: ["cpu"])


@pytest.mark.parametrize("name", ["cuda", "gpu", "meta", "CPU", "", "cuda:0"])
def test_a_device_that_is_not_there_stops_the_run_with_one_line(project, only_a_cpu, name):
    project.note(ONE_ON_A_DEVICE)

    result = project.run("--device", name)

    assert result.code == pytest.ExitCode.USAGE_ERROR
    assert result.refusal.startswith(f"ERROR: --device {name}: not a device of this machine, which has cpu")
    assert result.refusal.endswith("; choose with --device cpu or --device all")


@pytest.mark.parametrize("name", ["cuda:2", "cuda:x", "cuda:-1", "cuda:", "cuda:00"])
def test_an_index_that_is_not_there_stops_the_run(project, a_gpu, name):
    project.note(ONE_ON_A_DEVICE)

    result = project.run("--device", name)

    assert result.code == pytest.ExitCode.USAGE_ERROR
    assert f"--device {name}: this machine has 2 of cuda, counted from 0" in result.refusal


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ([], ["cpu", "cuda"]),
        (["--device", "all"], ["cpu", "cuda"]),
        (["--device", "cpu"], ["cpu"]),
        (["--device", "cuda"], ["cuda"]),
        (["--device", "cuda:1"], ["cuda:1"]),
        (["--device", "cuda", "--device", "cpu"], ["cuda", "cpu"]),
        (["--device", "cuda", "--device", "cuda"], ["cuda"]),
    ],
)
def test_a_note_runs_once_on_each_chosen_device(project, a_gpu, options, names):
    project.note(ONE_ON_A_DEVICE)

    result = project.run("-v", *options)

    assert result.code == 0
    ran = [line.partition("[")[2].partition("]")[0] for line in result.out.splitlines() if "::test_it[" in line]
    assert ran == names
    assert all(f"{name} computes" in result.out for name in names)


@pytest.mark.parametrize("asked_for", [[], ["--device", "cuda"], ["--device", "all"]])
def test_a_listing_looks_at_no_device(project, monkeypatch, asked_for):
    def touched(*arguments):
        raise AssertionError("a device was touched")

    for name in ("visible", "probe", "count", "canonical"):
        monkeypatch.setattr(devices, name, touched)
    project.note(ONE_ON_A_DEVICE)

    result = project.run("--collect-only", *asked_for)

    assert result.code == 0
    assert "devices not looked at" in result.out
    assert f"<Function test_it[{'cuda' if 'cuda' in asked_for else 'cpu'}]>" in result.out


@pytest.mark.parametrize("requirement", ["torch>=2.0", "numpy", f"torch=={torch.__version__}", "pytest>=8,<99"])
def test_an_expectation_that_is_met_lets_the_run_go_on(project, requirement):
    project.note(ONE_ON_A_DEVICE)

    assert project.run("--expect", requirement).code == 0


@pytest.mark.parametrize(
    ("requirement", "found"),
    [
        ("torch==1.13.*", f"torch {torch.__version__}"),
        ("torch==2", f"torch {torch.__version__}"),  # 2 is 2.0.0, not whatever begins with a 2
        ("numpy<1", f"numpy {np.__version__}"),
        ("no-such-package>=1", "no no-such-package"),
    ],
)
def test_an_expectation_that_is_not_met_stops_the_run(project, requirement, found):
    project.note(ONE_ON_A_DEVICE)

    result = project.run("--expect", "torch>=2", "--expect", requirement)

    assert result.code == pytest.ExitCode.USAGE_ERROR
    assert result.refusal == f"ERROR: --expect {requirement!r}: this environment ({sys.executable}) has {found}"


def test_an_expectation_that_is_no_requirement_says_how_to_write_one(project):
    project.note(ONE_ON_A_DEVICE)

    result = project.run("--expect", "torch 2.6")

    assert result.code == pytest.ExitCode.USAGE_ERROR
    assert "--expect 'torch 2.6' is not a requirement" in result.refusal
    assert 'write, for example, --expect "torch==2.6.*"' in result.refusal


DRAWS = """
import random
import numpy as np

def test_first(record_property):
    record_property("draw", (torch.rand(1).item(), np.random.rand(), random.random()))

def test_second(record_property):
    record_property("draw", (torch.rand(1).item(), np.random.rand(), random.random()))
"""


def test_every_note_starts_from_the_seed_of_the_run(project):
    project.note(DRAWS)

    def draws(*options):
        reports = project.pytester.inline_run(*options).getreports("pytest_runtest_logreport")
        return [dict(report.user_properties)["draw"] for report in reports if report.when == "call"]

    default, again, other = draws(), draws("--seed", "0"), draws("--seed", "99")

    assert default[0] == default[1]
    assert default == again
    assert all(mine != theirs for mine, theirs in zip(default[0], other[0], strict=True))


def test_the_header_names_the_seed(project):
    project.note(ONE_ON_A_DEVICE)

    assert "; --seed 0\n" in project.run().out
    assert "; --seed 41\n" in project.run("--seed", "41").out


@pytest.mark.parametrize("seed", ["-1", str(2**32), "x", "1.5"])
def test_what_is_no_seed_is_refused(project, seed):
    result = project.run(f"--seed={seed}")

    assert result.code == pytest.ExitCode.USAGE_ERROR
    assert "argument --seed" in result.err
    assert seed in result.err


EXAMPLES = """
from hypothesis import given, strategies as st

COUNT = []

@given(number=st.integers())
def test_count(number):
    COUNT.append(number)

def test_how_many(record_property):
    record_property("examples", tuple(COUNT))
"""


def test_profiles_set_the_number_of_examples(project):
    project.note(EXAMPLES)

    def examples(*options):
        reports = project.pytester.inline_run(*options).getreports("pytest_runtest_logreport")
        return next(
            dict(report.user_properties)["examples"] for report in reports if "examples" in dict(report.user_properties)
        )

    assert len(examples()) == 7
    assert examples() == examples("--hypothesis-profile", "selfcheck")  # derandomized: the same examples
    assert len(examples("--hypothesis-profile", "thorough")) == 500


@pytest.mark.parametrize("name", ["through", "default", "ci"])
def test_another_profile_is_refused_with_those_there_are(project, name):
    project.note(EXAMPLES)

    result = project.run("--hypothesis-profile", name)

    assert result.code == pytest.ExitCode.USAGE_ERROR
    assert result.refusal == f"ERROR: --hypothesis-profile {name}: the profiles here are selfcheck and thorough"


WARNING = """
import warnings

warnings.warn("of an import")

def test_waits():
    with pytest.warns(UserWarning, match="expected"):
        warnings.warn("expected")

def test_fails():
    warnings.warn("nobody expected this one")

@pytest.mark.filterwarnings("ignore:nobody")
def test_ignores():
    warnings.warn("nobody minds")

def test_is_told():
    warnings.warn("soon", FutureWarning)
"""


@pytest.mark.parametrize("options", [[], ["-W", "ignore"], ["-W", "default"], ["-n", "2"]])
def test_only_a_warning_within_a_note_is_the_notes(project, options):
    project.note(WARNING)

    result = project.run_apart(*options)  # within this process the filters of this test would hold

    assert result.counts == {"passed": 3, "failed": 1}
    assert "UserWarning: nobody expected this one" in result.out
    assert "4 claims: 3 held, 1 failed" in result.out


def test_a_folder_that_cannot_be_written_to_changes_no_verdict(project):
    project.note("def test_it():\n    pass\n")

    result = project.run_apart("-p", "cacheprovider", "-o", "cache_dir=pytest.ini/cache")

    assert result.code == 0
    assert "could not create cache path" in result.out


def test_without_pytests_warnings_nothing_is_claimed(project):
    project.note("def test_it():\n    pass\n")

    result = project.run("-p", "no:warnings")

    assert result.code == pytest.ExitCode.USAGE_ERROR
    assert result.refusal == "ERROR: some notes are about warnings: leave out -p no:warnings"


@pytest.mark.parametrize("level", ["1", "2"])
def test_python_without_asserts_claims_nothing(project, monkeypatch, level):
    monkeypatch.setenv("PYTHONOPTIMIZE", level)
    project.note("def test_it():\n    assert False\n")

    result = project.run_apart()

    assert result.code == pytest.ExitCode.USAGE_ERROR
    assert "ERROR: Python leaves out every assert under -O and PYTHONOPTIMIZE: run without them" in result.text
    assert "Traceback" not in result.text


BROKEN = {
    "raise ImportError('libtorch_cpu.so: cannot open shared object file')": "ImportError: libtorch_cpu.so: cannot open",
    "raise OSError('[WinError 126] The specified module could not be found')": "OSError: [WinError 126]",
    "import nothing_of_that_name": "no module named nothing_of_that_name",
    "__version__ = '1.13.1'": "torch 1.13.1 is installed, and the notes need torch>=2.0.1",
}


@pytest.mark.parametrize("code", BROKEN)
@pytest.mark.parametrize("options", [[], ["-n", "2"], ["--collect-only"]])
def test_a_torch_that_is_broken_is_one_line(project, tmp_path, code, options):
    project.note(ONE_ON_A_DEVICE)
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "torch.py").write_text(code)

    result = project.run_apart(*options, path=[folder])

    assert result.code == pytest.ExitCode.USAGE_ERROR
    assert BROKEN[code] in result.refusal
    assert "pip install -r requirements.txt -c constraints.txt" in result.refusal


@pytest.mark.parametrize("package", ["numpy", "hypothesis"])
def test_a_package_without_which_nothing_runs_is_one_line(project, tmp_path, package):
    project.note(ONE_ON_A_DEVICE)
    folder = tmp_path / "missing"
    folder.mkdir()
    (folder / f"{package}.py").write_text(f"raise ModuleNotFoundError('no', name={package!r})")

    result = project.run_apart("-p", "no:hypothesispytest", path=[folder])

    assert result.code == pytest.ExitCode.USAGE_ERROR
    assert f"{package} cannot be imported (no module named {package})" in result.refusal


def test_help_needs_no_torch_and_names_the_options(project, tmp_path):
    (tmp_path / "torch.py").write_text("raise ImportError")

    result = project.run_apart("--help", path=[tmp_path])

    assert result.code == 0
    for option in ("--device", "--expect", "--seed", "--allow-missing"):
        assert option in result.out


def test_a_run_from_another_directory_is_the_same(project, tmp_path):
    project.note(ONE_ON_A_DEVICE)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for folder in ("harness", "benchmarks", "mutants"):
        (project.path / "tests" / folder).mkdir()
        (project.path / "tests" / folder / "test_other.py").write_text("def test_other():\n    assert False\n")

    for path in (project.path, project.path / "tests", project.path / "tests" / "notes"):
        result = project.run_apart(path, cwd=elsewhere)
        assert (result.code, result.counts) == (0, {"passed": 1})
        assert "1 claim: 1 held" in result.out


WARNS = """
    import sys, warnings
    sys.stderr.write('a long story\\n' * 40)
    warnings.warn('Failed to initialize NumPy: x')
"""


@pytest.mark.parametrize(
    "torch",
    [f"if True:{WARNS}", f"__version__ = '2.0.1'\ndef empty(*shape):{WARNS}"],
    ids=["at the import", "at the first tensor"],
)
def test_a_torch_that_was_built_for_another_numpy_is_one_line(project, tmp_path, torch):
    """As torch 2.0 to 2.2 with NumPy 2: the release decides when torch looks for NumPy, which prints a lot then."""
    project.note(ONE_ON_A_DEVICE)
    folder = tmp_path / "older"
    folder.mkdir()
    (folder / "torch.py").write_text(torch, encoding="utf-8")

    result = project.run_apart(path=[folder])

    assert result.code == pytest.ExitCode.USAGE_ERROR
    assert f"was built for NumPy 1 and cannot use NumPy {np.__version__}" in result.refusal
    assert 'python -m pip install "numpy<2"' in result.refusal


COSTLY = '''
@pytest.mark.costly("compiles a model")
def test_it():
    """It holds in the end."""


def test_other():
    """Another holds at once."""
'''


def test_a_costly_note_is_named_and_waits_for_its_option(project):
    project.note(COSTLY)

    plain, costly = project.run(), project.run("--costly")

    assert plain.code == costly.code == 0
    assert "not checked here:\n  it compiles a model: run it with --costly\n    01 first: test_it\n" in plain.out
    assert "2 claims: 1 held, 0 failed, 1 could not be checked" in plain.out
    assert "2 claims: 2 held" in costly.out


def test_nothing_but_a_costly_note_is_no_proof(project):
    project.note(COSTLY)

    result = project.run("-k", "test_it")

    assert result.code == 1
    assert "FAILED: no note ran" in result.out


@pytest.mark.parametrize("mode", ["prepend", "append", "importlib"])
def test_somebody_elses_torchnotes_does_not_come_first(project, tmp_path, mode):
    (tmp_path / "torchnotes").mkdir()
    (tmp_path / "torchnotes" / "__init__.py").write_text("raise SystemExit('not this one')", encoding="utf-8")
    shutil.copytree(ROOT / "torchnotes", project.path / "torchnotes", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "requirements.txt", project.path / "requirements.txt")
    project.note(ONE_ON_A_DEVICE)

    result = project.run_apart(project.path, f"--import-mode={mode}", cwd=tmp_path)  # which comes before all others

    assert result.code == 0, result.text
