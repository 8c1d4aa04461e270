"""What every note must look like, whatever it says."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
NOTES = ROOT / "tests" / "notes"
SECTIONS = sorted(NOTES.glob("*.py"))
NAMES = [
    "01_what_pytorch_is",
    "02_tensors",
    "03_numpy_bridge",
    "04_random_seeds",
    "05_device_agnostic_code",
    "06_building_a_model",
    "07_module_and_forward",
    "08_loss_functions",
    "09_parameters_and_state_dict",
    "10_train_eval_inference_mode",
    "11_minibatches",
    "12_multiples_of_eight",
    "13_train_test_split",
    "14_torchmetrics",
    "15_datasets_and_dataloaders",
    "16_timing",
    "17_progress_bars",
]
PAGES = (
    "https://docs.pytorch.org/",
    "https://docs.python.org/3/",
    "https://numpy.org/doc/stable/",
    "https://scikit-learn.org/stable/",
    "https://lightning.ai/docs/torchmetrics/stable/",
    "https://tqdm.github.io/",
    "https://github.com/pytorch/pytorch/",  # the thread of a case, if no page says it
    "https://github.com/numpy/numpy/",
)


def functions(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]


EVERY_NOTE = [pytest.param(path, note, id=f"{path.stem}::{note.name}") for path in SECTIONS for note in functions(path)]


def test_there_is_one_file_for_each_heading_of_the_notes():
    assert [path.stem.removeprefix("test_") for path in SECTIONS] == NAMES


def test_there_are_at_least_250_notes():
    assert len(EVERY_NOTE) >= 250


@pytest.mark.parametrize("path", SECTIONS, ids=lambda path: path.stem)
def test_a_section_opens_with_an_introduction_and_has_notes(path):
    introduction = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))

    assert len(introduction.split()) >= 20
    assert len(functions(path)) >= 8


def test_no_two_notes_have_one_name():
    names = [note.name for path in SECTIONS for note in functions(path)]

    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("path", SECTIONS, ids=lambda path: path.stem)
def test_notes_import_nothing_of_the_harness(path):
    tree = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    modules = {node.module for node in tree if isinstance(node, ast.ImportFrom)}

    assert not {module for module in modules if module.partition(".")[0] in ("torchnotes", "conftest", "tests")}


@pytest.mark.parametrize(("path", "note"), EVERY_NOTE)
def test_a_note_says_one_sentence_and_where_to_read_on(path, note):
    paragraphs = [" ".join(part.split()) for part in ast.get_docstring(note).split("\n\n")]

    claim, page = paragraphs[0], paragraphs[-1]
    assert len(paragraphs) >= 2
    assert re.fullmatch(r"[^\n]+\.", claim)
    assert not re.search(r"(?<!e\.g)(?<!i\.e)\. [A-Z]", claim), "one sentence"
    assert page.startswith(PAGES)
    assert " " not in page


FORBIDDEN = {
    r"pytest\.skip|importorskip|mark\.(skip|xfail)": "skips; take a fixture or `holds` instead",
    r"(?<!asyncio\.)\bsleep\(": "sleeps",
    r"\bprint\(": "prints",
    r"pytest\.(raises|warns)\(((Base)?Exception\b|\))": "would accept any failure",
    r"\bif\b.*(__version__|version_info|sys\.platform)": "decides by version itself; `holds` proves both sides",
}


@pytest.mark.parametrize(("path", "note"), EVERY_NOTE)
def test_a_note_asserts_something_and_hides_nothing(path, note):
    code = ast.unparse(note.body)
    if any(argument.arg == "capsys" for argument in note.args.args):
        code = code.replace("print(", "")  # what is printed there is caught and looked at

    assert "assert" in code or "raises(" in code or "warns(" in code
    for pattern, what in FORBIDDEN.items():
        assert not re.search(pattern, code), f"{note.name} {what}"
    assert note.end_lineno - note.lineno <= 50, "more than one claim?"


@pytest.mark.parametrize(("path", "note"), EVERY_NOTE)
def test_every_boundary_says_what_an_upgrade_across_it_does(path, note):
    holds = [mark for mark in note.decorator_list if ast.unparse(mark).startswith("pytest.mark.holds(")]

    assert all("change" in {keyword.arg for keyword in mark.keywords} for mark in holds)
