"""Exercises: made of the notes, open while a blank is left, solved by what the note says and by nothing else."""

import ast
import sys
import tempfile
import types
import warnings
from pathlib import Path

import pytest
import torch
import wrong_answers
from packaging.requirements import Requirement
from test_notes import NAMES

from torchnotes.harness import census, isolation, numerics, versions
from torchnotes.harness.exercises import Task, Unanswered, Wrong
from torchnotes.learn import folder
from torchnotes.record.exercises import OPEN, PREDICT, SOLVED, WRONG

ROOT = Path(__file__).parent.parent.parent
NOTES = ROOT / "tests" / "notes"
WRONG_NAMES = ["clone", "sum", "detach"]


@pytest.fixture(scope="module")
def chapters():
    return folder.chapters(NOTES)


@pytest.fixture(scope="module")
def exercises(chapters):
    return [exercise for chapter in chapters for exercise in chapter.exercises]


class Proof:
    """Runs the functions of a chapter here and now, with whatever answers, as pytest would on the CPU."""

    def __init__(self, chapter, path):
        self.path = path
        self.module = types.ModuleType(path.stem)
        sys.modules[path.stem] = self.module  # where pickle looks for classes
        exec(compile(chapter.head, str(path), "exec"), vars(self.module))

    def of(self, exercise, answers=()):
        """The state that an exercise comes to with these answers, and what is said; without any, as it is written."""
        code = folder.solved(exercise, answers) if answers else exercise.code
        function = ast.parse(code).body[0]
        with tempfile.TemporaryDirectory(dir=self.path.parent) as tmp_path, pytest.MonkeyPatch.context() as monkeypatch:
            fixtures = {
                "device": torch.device("cpu"),
                "device_pair": (torch.device("cpu"), torch.device("meta")),
                "rounding_bound": numerics.rounding_bound,
                "tmp_path": Path(tmp_path),
                "monkeypatch": monkeypatch,
            }
            asked = {argument.arg: fixtures[argument.arg] for argument in function.args.args}
            return self._run(Task(self.path, exercise), function, asked)

    def _run(self, task, function, asked):
        isolation.seed_everything(0)
        before = isolation.snapshot()
        try:
            run = task.prepared(function, vars(self.module))
            with warnings.catch_warnings(), task.checked():
                warnings.simplefilter("error")
                for announced in census.ANNOUNCEMENTS:
                    warnings.simplefilter("ignore", announced)
                run(**asked)
        except Unanswered as error:
            return OPEN, str(error)
        except Wrong as error:
            return WRONG, str(error)
        except (Exception, pytest.fail.Exception) as error:
            return "broken", repr(error)
        finally:
            isolation.restore(before)
        return SOLVED, ""


@pytest.fixture(scope="module")
def proofs(chapters, tmp_path_factory):
    """Each exercise about what is installed here, with what runs it."""
    torch.set_warn_always(True)
    there = tmp_path_factory.mktemp("exercises")
    found = []
    for chapter in chapters:
        proof = Proof(chapter, there / chapter.file)
        for exercise in chapter.exercises:
            if all(versions.is_met(Requirement(text)) for text in exercise.holds):
                found.append((exercise, proof))
    return found


def others(exercise, which):
    """Three wrong answers for one of its blanks."""
    return wrong_answers.to(exercise.answers[which]) if exercise.kind == PREDICT else WRONG_NAMES


def test_every_section_has_exercises_and_together_they_are_hundreds(chapters):
    assert [chapter.label for chapter in chapters] == [name.replace("_", " ") for name in NAMES]
    assert sum(len(chapter.exercises) for chapter in chapters) >= 400
    assert min(len(chapter.exercises) for chapter in chapters) >= 10


def test_every_exercise_is_open_for_its_first_blank(proofs):
    for exercise, proof in proofs:
        state, said = proof.of(exercise)

        assert state == OPEN
        assert said.startswith("a blank is left: line ")
        assert said.endswith(exercise.questions[0])


def test_every_exercise_is_solved_by_what_its_note_has_there(proofs):
    found = {exercise.key: proof.of(exercise, exercise.answers) for exercise, proof in proofs}

    assert {key: said for key, said in found.items() if said != (SOLVED, "")} == {}


def test_every_blank_fails_with_three_wrong_answers_of_its_kind(proofs):
    found = {}
    for exercise, proof in proofs:
        for which, right in enumerate(exercise.answers):
            wrong = others(exercise, which)
            assert len(set(wrong) - {right}) == 3
            for answer in wrong:
                answers = [answer if place == which else each for place, each in enumerate(exercise.answers)]
                found[exercise.key, which, answer] = proof.of(exercise, answers)

    assert {key: said for key, said in found.items() if said[0] != WRONG} == {}
    assert all("you said: " in said for _, said in found.values())
