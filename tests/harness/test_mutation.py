"""Mutants: what counts as noticing, what fails the run, and that everything is mended afterwards."""

import multiprocessing

import pytest
import torch

from torchnotes.harness.mutation import Patch

NOTES = '''
def test_relu():
    """It cuts off."""
    assert torch.relu(torch.tensor([-1.0, 2.0])).tolist() == [0, 2]

@pytest.mark.parametrize("number", [1.0, -1.0])
def test_relu_of(number):
    """It cuts off what is below 0."""
    assert torch.relu(torch.tensor(number)).item() == max(number, 0)

def test_relu_wants_a_tensor():
    """It raises for a number."""
    with pytest.raises(TypeError):
        torch.relu(1.0)
'''

CATALOGUE = '''
import torch
from torchnotes.harness.mutation import mutant

def raises(error, call):
    try:
        call()
    except error:
        return True

def cuts_off():
    return torch.relu(torch.tensor(-1.0)).item() == 0

@mutant(kills=({kills}), witness={witness}, raises={raises})
def relu_leaks(patch):
    """`torch.relu` lets a hundredth through."""
    relu = torch.relu
    {body}
'''
BODY = 'patch.setattr(torch, "relu", lambda x: torch.where(x > 0, x, x / 100))'
ALL = '"test_relu", "test_relu_of"'


@pytest.fixture
def trial(project):
    def trial(*options, notes=NOTES, kills='"test_relu",', witness="cuts_off", raises="()", body=BODY, apart=False):
        project.note(notes)
        folder = project.path / "tests" / "mutants"
        folder.mkdir(exist_ok=True)
        text = CATALOGUE.format(kills=kills, witness=witness, raises=raises, body=body)
        (folder / "section_01_first.py").write_text(text, encoding="utf-8")
        return (project.run_apart if apart else project.run)("--mutants", *options)

    return trial


@pytest.mark.parametrize("options", [["-k", "test_relu"], ["-k", "relu_leaks"], ["-k", "relu_leaks", "-n", "2"]])
def test_a_note_that_notices_passes_and_the_line_is_named(trial, options):
    result = trial("-v", *options, kills=ALL)

    assert result.code == (1 if options == ["-k", "test_relu"] else 0)  # test_relu_wants_a_tensor has no mutant
    assert "1 mutants of 2 notes: 2 of 2 killed" in result.out
    assert (
        "killed: relu_leaks in test_relu: test_01_first.py:8: assert torch.relu(torch.tensor([-1.0, 2.0]))"
        in result.out
    )


def test_one_row_of_a_table_that_notices_is_enough(trial):
    result = trial("-k", "test_relu_of", kills='"test_relu_of",')

    assert (result.code, result.counts) == (0, {"passed": 2})


@pytest.mark.parametrize("options", [[], ["-n", "2"]], ids=["one process", "two processes"])
def test_a_table_of_which_no_row_notices_fails_the_run(trial, options):
    body = 'patch.setattr(torch, "relu", lambda x: relu(x) + (x.dim() > 0))'
    witness = "lambda: torch.relu(torch.ones(1)).item() == 1"

    result = trial("-k", "test_relu_of", *options, kills='"test_relu_of",', body=body, witness=witness)

    assert result.code == 1
    assert "SURVIVED: relu_leaks in tests/notes/test_01_first.py::test_relu_of" in result.out


def test_a_note_that_does_not_notice_fails(trial):
    body = 'patch.setattr(torch, "relu", lambda x: relu(x) + (x.dim() == 2))'

    result = trial("-k", "relu_leaks", body=body, witness="lambda: torch.relu(torch.ones(1, 1)).item() == 1")

    assert (result.code, result.counts) == (1, {"failed": 1})
    assert "mutant relu_leaks survived: `torch.relu` lets a hundredth through." in result.out


def test_an_exception_that_stays_away_is_noticed(trial):
    body = 'patch.setattr(torch, "relu", lambda x: relu(torch.as_tensor(x)))'
    witness = "lambda: raises(TypeError, lambda: torch.relu(1.0))"

    result = trial("-k", "relu_leaks", kills='"test_relu_wants_a_tensor",', body=body, witness=witness)

    assert (result.code, result.counts) == (0, {"passed": 1})


@pytest.mark.parametrize(("raises", "counts"), [("()", {"failed": 1}), ("ValueError", {"passed": 1})])
def test_another_exception_is_an_error_unless_the_mutant_raises_it_on_purpose(trial, raises, counts):
    body = 'patch.setattr(torch, "relu", lambda x: [].index(x))'

    result = trial("-k", "relu_leaks", body=body, raises=raises)

    assert result.counts == counts


def test_a_note_that_nobody_names_fails(trial):
    result = trial()

    assert result.code == 1
    assert "no mutant names test_relu_wants_a_tensor: what would it notice?" in result.out
    assert "test_relu_of[1.0-no mutant]" in result.out


WRONG = {
    "mutant relu_leaks has no effect: its witness stays true": {"body": "pass"},
    "the witness of mutant relu_leaks is not true without it": {"witness": "lambda: False"},
    "mutant relu_leaks leaks: its witness is still false after it": {
        "body": "torch.relu = lambda x: torch.where(x > 0, x, x / 100); torch.relu.undo = relu"
    },
    "ZeroDivisionError": {"body": "1 / 0"},
}


@pytest.mark.parametrize("message", WRONG)
def test_what_is_wrong_with_a_mutant_is_an_error_and_no_kill(trial, message):
    relu = torch.relu
    try:
        result = trial("-k", "relu_leaks", **WRONG[message])
    finally:
        torch.relu = relu

    assert result.code == 1
    assert result.counts["error"] == 1
    assert message in result.out


TWICE = """
@mutant(kills=(), witness=lambda: False)
def twice(patch):
    'Two.'
"""
TOO_LITTLE = {
    "mutant relu_leaks names test_rely, which is not a note": {"kills": '"test_rely",'},
    "mutant twice has the name of another mutant": {"body": f"pass\n{TWICE}\n{TWICE}"},
    "mutant silent does not say what it breaks": {
        "body": f"pass\n{TWICE.replace('twice', 'silent').replace('Two.', '')}"
    },
}


@pytest.mark.parametrize("refusal", TOO_LITTLE)
def test_a_catalogue_that_says_too_little_stops_the_run(trial, refusal):
    result = trial(**TOO_LITTLE[refusal])

    assert result.code == pytest.ExitCode.USAGE_ERROR
    assert refusal in result.refusal


def test_the_other_side_of_a_boundary_is_not_tried(trial):
    note = '''
@pytest.mark.holds("torch<2", otherwise=AssertionError)
def test_relu():
    """Not so here."""
    assert torch.relu(torch.tensor(-1.0)).item() == 1
'''
    assert trial(notes=note).counts == {"skipped": 1}


def test_a_property_notices_what_happens_only_once(trial):
    note = '''
from hypothesis import given, strategies as st

@given(number=st.integers(1, 9))
def test_relu(number):
    """It leaves what is above 0."""
    assert torch.relu(torch.tensor(number)).item() == number
'''
    body = """calls = []
    patch.setattr(torch, "relu", lambda x: relu(x) + (calls.append(x) is None and len(calls) in (1, 3)))"""
    witness = "lambda: torch.relu(torch.tensor(5)).item() == 5"

    assert trial(notes=note, body=body, witness=witness).counts == {"passed": 1}


def test_a_patch_reaches_operators_methods_and_functions_and_is_undone():
    a = torch.tensor([1.0])
    patch = Patch()
    patch.function("add", "__add__", "__radd__", change=lambda call, *args, **kwargs: call(*args, **kwargs) + 100)

    seen = [(a + 1).item(), torch.add(a, 1).item(), a.add(1).item(), (1 + a).item()]
    patch.undo()

    assert seen == [102] * 4
    assert (a + 1).item() == 2


def test_a_patch_goes_around_a_method():
    patch = Patch()
    patch.around(torch.Tensor, "sum", lambda call, *args, **kwargs: call(*args, **kwargs) + 1)

    broken = torch.ones(2).sum().item()
    patch.undo()

    assert (broken, torch.ones(2).sum().item()) == (3, 2)


def test_a_patch_reaches_what_a_layer_does_inside():
    layer = torch.nn.Linear(1, 1)
    healthy = layer(torch.ones(1, 1)).item()
    patch = Patch()
    patch.aten("addmm", change=lambda call, *args, **kwargs: call(*args, **kwargs) * 2)

    broken = layer(torch.ones(1, 1)).item()
    patch.undo()

    assert broken == healthy * 2
    assert layer(torch.ones(1, 1)).item() == healthy


def test_a_patch_is_undone_though_a_mode_fails_to_leave():
    patch = Patch()

    class Stuck:
        def __enter__(self):
            pass

        def __exit__(self, *error):
            raise RuntimeError("stuck")

    patch.enter(Stuck())
    patch.setattr(torch, "relu", None)
    with pytest.raises(RuntimeError, match="stuck"):
        patch.undo()

    assert torch.relu(torch.tensor(2.0)).item() == 2


WITH_A_WORKER = """
from torch.utils.data import DataLoader, Dataset

class Negative(Dataset):
    def __len__(self):
        return 1

    def __getitem__(self, index):
        return torch.relu(torch.tensor(-1.0))

def test_relu():
    assert list(DataLoader(Negative(), num_workers=1)) == [0]
"""


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="there is no fork here")
@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_a_mutant_reaches_workers_however_they_start_by_default(trial, project, method):
    code = f"import multiprocessing\n\nmultiprocessing.set_start_method({method!r})\n"
    (project.path / "starts.py").write_text(code, encoding="utf-8")

    result = trial("-p", "starts", notes=WITH_A_WORKER, apart=True)

    assert result.code == 0, result.text
    assert "1 of 1 killed" in result.out
