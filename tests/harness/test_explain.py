"""`python -m torchnotes explain`: what it makes of what people paste, and how often it is right.

errors.json holds real messages, each with the notes that settle it, written by reading the notes, and messages that no
note settles; `met` is the public issue where a message was met. What is `settled` and `not_settled` was there while the
weights were chosen; what is `held_out` was looked at when they had been, and `met_later` was collected after that.
"""

import ast
import io
import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest

import torchnotes.__main__ as command_line
from torchnotes.answers import explain, pasted, texts
from torchnotes.record import reader


class Written(NamedTuple):
    """A note as Python reads it."""

    file: str
    docstring: str


ROOT = Path(__file__).parent.parent.parent
ERRORS = json.loads((ROOT / "tests" / "harness" / "errors.json").read_text(encoding="utf-8"))
NOTES = {
    node.name: Written(path.name, ast.get_docstring(node, clean=False))
    for path in (ROOT / "tests" / "notes").glob("test_*.py")
    for node in ast.parse(path.read_text(encoding="utf-8")).body
    if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
}


@pytest.fixture(scope="module")
def index():
    return explain.Index(texts.read())


def names(closest):
    return [found.note.name for found in explain.answers(closest)]


# how often it is right

NOT_SETTLED = {
    "settled": "not_settled",
    "held_out": "not_settled_held_out",
    "met_later": "not_settled_met_later",
}
UNSEEN = ("held_out", "met_later")
PARTS = {"all": ("settled", *UNSEEN), "unseen": UNSEEN}


@pytest.fixture(scope="module")
def met_is_recorded():
    """Whether the records have what the notes met; without it the words of the notes and the cases must do."""
    return any('"said":' in path.read_text(encoding="utf-8") for path in (ROOT / "records").glob("torch-*.json"))


@pytest.mark.parametrize(
    ("parts", "first", "among", "without_records"),
    [("all", 0.8, 0.95, (0.8, 0.85)), ("unseen", 0.8, 0.9, (0.75, 0.8))],
    ids=PARTS,
)
def test_the_right_note_is_the_first_or_among_three(index, met_is_recorded, parts, first, among, without_records):
    errors = [error for part in PARTS[parts] for error in ERRORS[part]]
    answers = [names(index.closest(error["text"])) for error in errors]

    pairs = [*zip(errors, answers, strict=True)]
    not_first = [error["text"] for error, answer in pairs if not {*answer[:1]} & {*error["notes"]}]
    missed = [error["text"] for error, answer in pairs if not {*answer} & {*error["notes"]}]
    least = (first, among) if met_is_recorded else without_records
    assert 1 - len(not_first) / len(errors) >= least[0], not_first
    assert 1 - len(missed) / len(errors) >= least[1], missed


@pytest.mark.parametrize(("parts", "most"), [("all", 0.05), ("unseen", 0.1)], ids=PARTS)
def test_what_no_note_settles_is_not_answered(index, parts, most):
    texts = [text for part in PARTS[parts] for text in ERRORS[NOT_SETTLED[part]]]
    answered = [text for text in texts if names(index.closest(text))]

    assert len(answered) <= most * len(texts), answered


def test_questions_are_answered_five_in_six(index):
    missed = [
        question["text"]
        for question in ERRORS["questions"]
        if not {*names(index.closest(question["text"]))} & {*question["notes"]}
    ]

    assert len(missed) <= len(ERRORS["questions"]) / 6, missed


def test_the_messages_are_enough_and_name_notes_that_are_there():
    settled = [error for part in PARTS["all"] for error in ERRORS[part]]
    others = [text for part in PARTS["all"] for text in ERRORS[NOT_SETTLED[part]]]
    every = [error["text"] for error in settled] + others

    assert len(settled) >= 150
    assert len(ERRORS["held_out"]) >= 50
    assert len(others) >= 50
    assert len({*every}) == len(every)
    named = {name for error in settled + ERRORS["questions"] for name in error["notes"]}
    assert named - NOTES.keys() == set()
    assert {NOTES[name].file for name in named} == {note.file for note in NOTES.values()}


# what was pasted

MISMATCH = pasted.Error("RuntimeError", "Target 3 is out of bounds.")

FORMATS = {
    "alone": "RuntimeError: Target 3 is out of bounds.",
    "with its module": "torch.errors.RuntimeError: Target 3 is out of bounds.",
    "a traceback": """Traceback (most recent call last):
  File "/home/me/train.py", line 7, in train
    loss = F.cross_entropy(logits, labels)
           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/lib/torch/nn/functional.py", line 3029, in cross_entropy
    raise RuntimeError("Target 3 is out of bounds.")
RuntimeError: Target 3 is out of bounds.
""",
    "one of several processes": """[rank1]: Traceback (most recent call last):
[rank1]:   File "/home/me/train.py", line 7, in train
[rank1]:     loss = F.cross_entropy(logits, labels)
[rank1]: RuntimeError: Target 3 is
[rank1]:     out of bounds.""",
    "in colours": "\x1b[0;31mRuntimeError\x1b[0m: \x1b[1mTarget 3 is out of bounds.\x1b[0m",
    "a notebook": """---------------------------------------------------------------------------
RuntimeError                              Traceback (most recent call last)
Cell In[3], line 2
      1 for x, labels in loader:
----> 2     loss = F.cross_entropy(model(x), labels)

File ~/lib/torch/nn/functional.py:3029, in cross_entropy(input, target)
   3028     raise ValueError("no")
-> 3029 return torch._C._nn.cross_entropy_loss(input, target)

RuntimeError: Target 3 is out of bounds.""",
    "in a frame": """╭───────────── Traceback (most recent call last) ─────────────╮
│ ❱  7     loss = F.cross_entropy(logits, labels)              │
╰─────────────────────────────────────────────────────────────╯
RuntimeError: Target 3 is out of bounds.""",
    "a line of a log": "2026-11-28 04:05:06,789 [ERROR] RuntimeError: Target 3 is out of bounds.",
    "before a progress bar": "RuntimeError: Target 3 is out of bounds.\n  0%|          | 0/6931 [00:01<?, ?it/s]",
    "over two lines": "RuntimeError: Target 3 is\n    out of bounds.",
}


@pytest.mark.parametrize("text", FORMATS.values(), ids=FORMATS)
def test_the_message_is_found_in_what_people_paste(text):
    assert pasted.read(text).errors == [MISMATCH]


@pytest.mark.parametrize("name", ["a traceback", "one of several processes", "a notebook", "in a frame"])
def test_the_functions_around_it_are_seen(name):
    assert "crossentropy" in pasted.read(FORMATS[name]).called


def test_a_warning_has_its_place_in_front_and_a_line_of_code_behind():
    text = "/lib/torch/nn/modules/loss.py:528: UserWarning: Using a target size\n  warnings.warn(\n  other = code()"

    assert pasted.read(text).errors == [pasted.Error("UserWarning", "Using a target size")]


@pytest.mark.parametrize(
    "between",
    [
        "The above exception was the direct cause of the following exception:",
        "During handling of the above exception, another exception occurred:",
    ],
)
def test_the_last_error_of_a_chain_comes_first_and_its_cause_is_not_forgotten(index, between):
    text = (
        "Traceback (most recent call last):\n  File \"a.py\", line 1, in f\n    g()\nKeyError: 'label'\n\n"
        f"{between}\n\n"
        'Traceback (most recent call last):\n  File "a.py", line 3, in <module>\n    main()\n'
        "ValueError: sample 3 cannot be read"
    )

    assert pasted.read(text).errors == [
        pasted.Error("ValueError", "sample 3 cannot be read"),
        pasted.Error("KeyError", "'label'"),
    ]
    caused = text.replace("KeyError: 'label'", "IndexError: Target 3 is out of bounds.")
    assert "test_a_class_number_out_of_range_raises" in names(index.closest(caused))


def test_of_a_long_log_the_end_counts():
    text = "KeyError: 'first'\n" + "step 1 of 2\n" * pasted.LONGEST + "ValueError: last"

    assert pasted.read(text).errors == [pasted.Error("ValueError", "last")]


def test_what_is_no_error_is_taken_as_it_is():
    assert pasted.read("why is my accuracy\nalways 0?") == pasted.Pasted(
        [pasted.Error("", "why is my accuracy always 0?")], frozenset()
    )


# what is compared

NOTE = '''
@pytest.mark.parametrize("row", [1])
def test_{name}(row):
    """{claim}

    {reason}

    https://docs.pytorch.org/{name}.html
    """
'''


@pytest.fixture
def small(tmp_path):
    """Three notes, without cases; `small(met)` adds a record in which they met these texts, by name."""
    folder = tmp_path / "tests" / "notes"
    folder.mkdir(parents=True)
    (folder / "test_01_first.py").write_text(
        NOTE.format(name="tall", claim="A tall tower raises.", reason="Build lower.")
        + NOTE.format(
            name="wide", claim='A wide road raises ValueError, "the road is wide".', reason="Build `narrow(road)`."
        )
        + NOTE.format(name="deep", claim="A deep well raises.", reason="Dig less."),
        encoding="utf-8",
    )
    (tmp_path / "records").mkdir()

    def read(met=()):
        notes = [
            {
                "note": f"tests/notes/test_01_first.py::test_{name}",
                "markers": [],
                "results": [{"said": [{"type": "RuntimeError", "text": text}]}],
            }
            for name, text in dict(met).items()
        ]
        document = {"format": reader.FORMAT, "version": 1, "notes": notes}
        (tmp_path / "records" / "torch-2.0.0.json").write_text(json.dumps(document), encoding="utf-8")
        return explain.Index(texts.read(folder, tmp_path / "cases.md", tmp_path / "records"))

    return read


MET = {"tall": "tower of 30 bricks exceeds permitted height for zone", "deep": "bucket rope ends before water of Lake"}


@pytest.mark.parametrize(
    "text",
    [
        "RuntimeError: tower of 30 bricks exceeds permitted height for zone",
        "RuntimeError: tower of 4096 bricks exceeds permitted height for zone",
        "ValueError: tower of 30 bricks exceeds permitted height for zone (see 0x7f3a)",
        "RuntimeError: Tower of bricks exceeds permitted heights",
    ],
    ids=["the same", "another number", "another class, and more", "shorter"],
)
def test_a_text_that_a_note_met_finds_it(small, text):
    assert names(small().closest(text)) == []
    assert names(small(MET).closest(text)) == ["test_tall"]


def test_what_a_note_quotes_finds_it_without_a_record(small):
    assert names(small().closest("ValueError: the road is wide")) == ["test_wide"]


def test_a_case_finds_its_note(small, tmp_path):
    (tmp_path / "cases.md").write_text(
        '| "permafrost collapsed underneath" | [`test_deep`](../tests/notes/test_01_first.py) | [x](https://x) |\n'
        "| what people met and no note says | [`test_gone`](../tests/notes/test_01_first.py) | [x](https://x) |\n",
        encoding="utf-8",
    )

    assert names(small().closest("RuntimeError: permafrost collapsed underneath")) == ["test_deep"]


def test_of_two_notes_that_met_the_same_the_one_that_is_about_the_function_comes_first(small):
    text = "concrete mixer stalled unexpectedly overnight"
    index = small({"tall": text, "wide": text})
    trace = f'  File "a.py", line 1, in build\n    narrow(street)\nRuntimeError: {text}'

    assert names(index.closest(f"RuntimeError: {text}")) == ["test_tall", "test_wide"]
    assert names(index.closest(trace)) == ["test_wide", "test_tall"]


def test_words_of_pythons_own_messages_are_no_evidence(small):
    index = small({"wide": "'Road' object has no attribute 'width'"})

    assert names(index.closest("AttributeError: 'Road' object has no attribute 'width'")) == ["test_wide"]
    assert names(index.closest("AttributeError: 'Cart' object has no attribute 'wheel'")) == []


def test_words_are_compared_without_numbers_addresses_plurals_and_classes_of_ones_own():
    assert [*explain.words_of("'Net' object at 0x7f3a: 2 Losses, num_samples=0 (3, 4) class")] == [
        *["object", "at", "losse", "num", "sample", "class"]
    ]
    assert [*explain.words_of("zero_grads", whole=True)] == ["zero", "grad", "zero_grad"]


@pytest.mark.parametrize(
    ("scores", "number"),
    [([1.1, 1, 0.9, 0.8], 3), ([1, 0.71, 0.69], 2), ([0.5, 0.45, 0.43], 2), ([0.43, 0.42], 0), ([], 0)],
    ids=["three at most", "far from the first", "not close", "none close", "none"],
)
def test_which_notes_are_an_answer(scores, number):
    closest = [explain.Found(None, score, None) for score in scores]

    assert explain.answers(closest) == closest[:number]


def test_an_announced_change_finds_its_note(tmp_path):
    note = {
        "note": "n",
        "markers": [{"name": "myth", "text": "so they say"}, {"name": "holds", "requirement": "torch"}],
        "results": [{"will_change": ["FutureWarning: soon: gone"]}, {"said": [{"type": "E", "text": "t"}]}],
    }
    path = tmp_path / "torch-2.0.0.json"
    path.write_text(json.dumps({"format": reader.FORMAT, "notes": [note]}), encoding="utf-8")

    assert reader.met(path) == [("n", ["so they say"], [("FutureWarning", "soon: gone"), ("E", "t")])]


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ("[]", "is not a record; make one with"),
        ('{"format": "what-pytorch-does/record", "notes": [{}]}', "is not a record of version 1 (KeyError: 'note')"),
        ('{"format": "what-pytorch-does/record", "notes": 3}', "is not a record of version 1 (TypeError"),
        ("{", "is not whole JSON"),
    ],
)
def test_a_record_that_cannot_be_used_is_named(small, tmp_path, document, why):
    small()
    (tmp_path / "records" / "torch-2.1.0.json").write_text(document, encoding="utf-8")

    with pytest.raises(reader.BadRecord, match=re.escape(why)) as refused:
        texts.read(tmp_path / "tests" / "notes", tmp_path / "cases.md", tmp_path / "records")
    assert str(refused.value).startswith(str(tmp_path / "records" / "torch-2.1.0.json"))


def test_a_folder_without_notes_is_named(tmp_path):
    with pytest.raises(reader.BadRecord, match="there are no notes in it"):
        texts.read(tmp_path)


def test_every_note_is_read_as_python_reads_it():
    found = {
        name: Written(path.name, docstring)
        for path in (ROOT / "tests" / "notes").glob("test_*.py")
        for name, docstring in texts.NOTE.findall(path.read_text(encoding="utf-8"))
    }

    assert found == NOTES


# what is answered


@pytest.fixture
def run(monkeypatch, capsys):
    """The command in this process: its exit code, what it printed, and what it complained of."""

    def run(*arguments, stdin=""):
        monkeypatch.setattr(sys, "argv", ["torchnotes", "explain", *arguments])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        code = command_line.main()
        return code, *capsys.readouterr()

    return run


SHAPES = "mat1 and mat2 shapes cannot be multiplied (3x4 and 5x6)"


def test_an_answer_says_what_it_means_what_to_do_and_where_to_read(run, index):
    code, out, err = run(SHAPES)

    first = explain.answers(index.closest(SHAPES))[0].note
    assert (code, err) == (command_line.FOUND, "")
    assert out.startswith("1. ")
    said = " ".join(out.split())
    assert " ".join(first.words.claim.split()) in said
    assert " ".join(first.words.explanation.split()) in said
    assert f"   {first.section}: {first.name}\n   {first.words.link}\n" in out
    assert out.count("https://docs.pytorch.org") <= explain.MOST
    assert max(map(len, out.splitlines())) <= 120


def test_the_answer_that_the_readme_shows_is_the_real_one(run):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    block = text.partition("<!-- real output: the beginning of an answer -->\n```console\n")[2].partition("\n...\n```")[
        0
    ]
    command, _, shown = block.partition("\n")

    assert command == f'$ python -m torchnotes explain "{SHAPES}"'
    assert run(SHAPES)[1].startswith(f"{shown}\n")


def test_a_text_without_quotes_and_a_text_on_standard_input_are_the_same(run):
    expected = run(SHAPES)

    assert run(*SHAPES.split()) == run(stdin=f"{SHAPES}\n") == expected


def test_json_is_a_list_of_notes(run):
    code, out, _ = run("--json", SHAPES)

    found = json.loads(out)
    assert code == command_line.FOUND
    assert 1 <= len(found) <= explain.MOST
    assert [[*each] for each in found] == [["name", "section", "claim", "reason", "link", "score"]] * len(found)
    assert found[0]["name"] == "test_wrong_number_of_features_raises"
    assert found[0]["section"] == "07 module and forward"
    assert found[0]["link"] == "https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html"
    scores = [each["score"] for each in found]
    assert scores == sorted(scores, reverse=True)
    assert 1 >= scores[0] >= scores[-1] >= explain.CLOSE


def test_nothing_close_enough_is_an_answer(run):
    text = "UserWarning: the DataLoader of the tardigrade hibernates"

    assert run("--json", text) == (command_line.NOTHING, "[]\n", "")
    code, out, err = run(text)
    assert (code, err) == (command_line.NOTHING, "")
    assert out.splitlines() == [
        "Nothing close enough: no note settles this.",
        "The nearest section is 15 datasets and dataloaders: tests/notes/test_15_datasets_and_dataloaders.py",
    ]


@pytest.mark.parametrize("text", ["Xyzzy: plugh", "RuntimeError:", "RuntimeError", "0x7f3a 42 (3, 4)"])
def test_where_no_word_is_known_no_section_is_named(run, text):
    assert run(text) == (command_line.NOTHING, "Nothing close enough: no note settles this.\n", "")


@pytest.mark.parametrize(("arguments", "stdin"), [([], ""), ([], " \n"), ([" "], ""), (["--json"], "")])
def test_without_a_text_one_line_says_what_to_type(run, arguments, stdin):
    code, out, err = run(*arguments, stdin=stdin)

    assert (code, out) == (command_line.UNUSABLE, "")
    assert err.count("\n") == 1
    assert 'there is no text; type: python -m torchnotes explain "ERROR TEXT", or pipe a traceback into it' in err


def test_nobody_waits_for_somebody_at_the_keyboard(monkeypatch):
    class Keyboard(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stdin", Keyboard("RuntimeError: never read"))

    assert command_line.from_standard_input() == ""


def test_bytes_that_are_no_text_are_passed_over(run, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["torchnotes", "explain"])
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xff\xfe RuntimeError: " + SHAPES.encode())))

    assert command_line.main() == command_line.FOUND


def test_it_needs_neither_torch_nor_pytest_and_answers_soon():
    code = (
        "import runpy, sys; sys.modules.update(dict.fromkeys(['torch', 'pytest', 'numpy', 'sklearn', 'matplotlib']));"
        f"sys.argv[1:] = ['explain', {SHAPES!r}]; runpy.run_module('torchnotes', run_name='__main__')"
    )

    begin = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, encoding="utf-8")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("1. ")
    assert time.perf_counter() - begin < 10  # a second where nothing else runs
