"""`--record FILE` keeps what a note met: the texts of the exceptions and warnings that it waited for."""

import json
import warnings

import pytest
from test_record import only_a_cpu  # noqa: F401 a fixture

from torchnotes.harness import said
from torchnotes.record import reader

NOTES = """
import warnings

import numpy as np


def test_raises(device):
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        torch.ones(3, 4, device=device) @ torch.ones(5, 6, device=device)


def test_warns():
    with pytest.warns(UserWarning, match="slow"):
        warnings.warn("it is\\n  slow")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.warn("and again", FutureWarning)
    assert len(caught) == 1


def test_meets_nothing():
    pass


def test_raises_by_itself():
    with pytest.raises(ValueError):
        raise ValueError("a word of the note")


def test_alike():
    for rows in (2, 3):
        with pytest.raises(RuntimeError):
            torch.ones(rows, 4) @ torch.ones(5, 6)


@pytest.mark.holds("torch<2", otherwise=(ValueError, AssertionError))
def test_fails_elsewhere():
    torch.Generator().manual_seed(0)
    np.zeros(3).reshape(2)


@pytest.mark.holds("torch<2", otherwise=(ValueError, AssertionError))
def test_fails_by_its_own_assertion_elsewhere():
    assert 1 == 2


def test_fails():
    torch.ones(2).reshape(3)
"""

MULTIPLIED = {"type": "RuntimeError", "text": "mat1 and mat2 shapes cannot be multiplied (3x4 and 5x6)"}


def met(path):
    """What each note met, by its name."""
    return {
        note["note"].rpartition("::")[2]: [result.get("said") for result in note["results"]]
        for note in reader.read(path).document["notes"]
    }


@pytest.mark.parametrize("options", [[], ["-n", "2"]], ids=["one process", "two processes"])
def test_what_a_note_waited_for_is_in_the_record(project, only_a_cpu, options):  # noqa: F811
    project.note(NOTES)

    project.run("--record", "record.json", *options)

    assert met(project.path / "record.json") == {
        "test_raises": [[MULTIPLIED]],
        "test_warns": [[{"type": "FutureWarning", "text": "and again"}, {"type": "UserWarning", "text": "it is slow"}]],
        "test_meets_nothing": [None],
        "test_raises_by_itself": [None],
        "test_alike": [[{**MULTIPLIED, "text": MULTIPLIED["text"].replace("3x4", "2x4")}]],
        "test_fails_elsewhere": [
            [{"type": "ValueError", "text": "cannot reshape array of size 3 into shape (2,)"}],
        ],
        "test_fails_by_its_own_assertion_elsewhere": [None],
        "test_fails": [None],
    }


def test_without_a_record_nothing_is_listened_to(project, only_a_cpu, monkeypatch):  # noqa: F811
    monkeypatch.setattr(said, "listening", None)
    project.note(NOTES)

    assert project.run().counts == {"passed": 5, "xfailed": 2, "failed": 1}


def test_afterwards_all_is_as_it_was(tmp_path):
    before = pytest.ExceptionInfo.fill_unfilled, warnings.catch_warnings.__enter__

    with pytest.raises(ZeroDivisionError), said.listening(tmp_path, [], []):
        assert before[0] is not pytest.ExceptionInfo.fill_unfilled
        1 / 0

    assert (pytest.ExceptionInfo.fill_unfilled, warnings.catch_warnings.__enter__) == before


def test_an_exception_does_not_live_longer_than_in_a_run_without_a_record(project, only_a_cpu):  # noqa: F811
    project.note(
        "import gc, weakref\n\n"
        "def test_it():\n"
        "    def fails():\n"
        "        kept = torch.ones(2)\n"
        "        seen.append(weakref.ref(kept))\n"
        "        kept.reshape(3)\n"
        "    seen = []\n"
        "    with pytest.raises(RuntimeError):\n"
        "        fails()\n"
        "    gc.collect()\n"
        "    assert seen[0]() is None\n"
    )

    assert project.run("--record", "record.json").counts == project.run().counts == {"passed": 1}


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("<function f at 0x7f3a5c0d>", "<function f at 0x…>"),
        ("cannot read /tmp/pytest-of-root/pytest-3/model.pt", "cannot read …"),
        (r"cannot read C:\Users\me\model.pt: gone", "cannot read …: gone"),
        ("read https://pytorch.org/docs/stable/notes.html", "read https://pytorch.org/docs/stable/notes.html"),
        ("DataLoader worker (pid 4242) exited", "DataLoader worker (pid …) exited"),
        ("DataLoader worker (pid(s) 17, 18) exited", "DataLoader worker (pid(s) …) exited"),
        ("a / b and c/d", "a / b and c/d"),
        ("one of {'valid', 'same'}", "one of {'same', 'valid'}"),
        ("x" * 400, "x" * 300),
        (
            "Caught ValueError in DataLoader worker process 0.\nOriginal Traceback (most recent call last):\n"
            '  File "/a/b.py", line 3, in f\n    g()\nValueError: broken\n',
            "Caught ValueError in DataLoader worker process 0. ValueError: broken",
        ),
        (
            "Traceback (most recent call last):\n  File ...\nValueError: broken",
            "ValueError: broken",
        ),
    ],
)
def test_what_differs_from_run_to_run_is_left_out(text, kept):
    assert said.in_one_line(text) == kept


def test_no_more_texts_are_kept_than_a_record_can_carry():
    met = [{"type": "TypeError", "text": f"{name}() takes no list"} for name in "abc"]
    met += [{"type": "TypeError", "text": f"not {chr(ord('a') + number)}"} for number in range(26)]

    kept = said.distinct([*met, {"type": "TypeError", "text": ""}])

    assert len(kept) == said.MOST
    assert kept == said.distinct(met[::-1])
    assert [each["text"] for each in kept[:2]] == ["a() takes no list", "not a"]


def test_the_schema_refuses_a_text_without_its_kind(project, only_a_cpu):  # noqa: F811
    project.note(NOTES)
    project.run("--record", "record.json")
    document = json.loads((project.path / "record.json").read_text(encoding="utf-8"))
    del document["notes"][0]["results"][0]["said"][0]["type"]

    with pytest.raises(reader.BadRecord, match="'type' is a required property"):
        reader.check("record.json", document)
