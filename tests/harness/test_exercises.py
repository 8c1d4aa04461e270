"""Exercises: made of the notes, open while a blank is left, solved by what the note says and by nothing else."""

import ast
import io
import itertools
import os
import re
import sys
import tempfile
import types
import warnings
from pathlib import Path

import pytest
import torch
import wrong_answers
from packaging.requirements import Requirement
from rich.console import Console
from test_notes import NAMES

from torchnotes import __main__ as command_line
from torchnotes.harness import census, isolation, numerics, versions
from torchnotes.harness.exercises import Task, Unanswered, Wrong
from torchnotes.learn import calls, folder, watch
from torchnotes.record import exercises as contract
from torchnotes.record.exercises import BLANK, CHANGED, ELSEWHERE, OPEN, PREDICT, SOLVED, WRITE, WRONG

ROOT = Path(__file__).parent.parent.parent
NOTES = ROOT / "tests" / "notes"


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
    found = {exercise.note: proof.of(exercise, exercise.answers) for exercise, proof in proofs}

    assert {key: said for key, said in found.items() if said != (SOLVED, "")} == {}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # a coroutine that nobody awaits
def test_every_blank_fails_with_three_wrong_answers_of_its_kind(proofs):
    found = {}
    for exercise, proof in proofs:
        for which, right in enumerate(exercise.answers if exercise.kind == PREDICT else ()):
            wrong = wrong_answers.to(right)
            assert len(set(wrong) - {right}) == 3
            for answer in wrong:
                answers = [answer if place == which else each for place, each in enumerate(exercise.answers)]
                found[exercise.note, which, answer] = proof.of(exercise, answers)

    assert {key: said for key, said in found.items() if said[0] != WRONG} == {}
    assert all("you said: " in said for _, said in found.values())


def test_every_call_to_write_fails_with_three_names_that_people_take_for_it(proofs):
    found = {}
    for exercise, proof in proofs:
        if exercise.kind == WRITE:
            names = wrong_answers.names_beside(exercise.answers[0])
            fails = (proof.of(exercise, [name] * len(exercise.answers)) for name in names)
            found[exercise.note] = len(list(itertools.islice((said for said in fails if said[0] == WRONG), 3)))

    assert {note: number for note, number in found.items() if number < 3} == {}


def test_every_call_to_write_is_in_a_note_that_lends_itself(exercises):
    """If this fails, a note was renamed or grew: take it out of the table, or name another call of it."""
    assert set(calls.CALLS) - {exercise.note for exercise in exercises if exercise.kind == WRITE} == set()


NOTE = '''
# What comes out?


def test_the_sum_is_a_float(device):
    """The sum of float32 numbers is a float32.

    It stays one.

    https://docs.pytorch.org/docs/stable/generated/torch.sum.html
    """
    x = torch.tensor([1.0, 2.0, 3.0], device=device)

    total = x.sum()  # this comment gives it away

    assert total.item() == 6
    assert total.dtype == torch.float32


def test_shapes_must_fit():
    """Adding 2 numbers to 3 raises RuntimeError.

    https://docs.pytorch.org/docs/stable/notes/broadcasting.html
    """
    two, three = torch.ones(2), torch.ones(3)

    with pytest.raises(RuntimeError, match="must match"):
        two + three


def test_a_view_has_a_shape():
    """`view` gives the shape it is asked for.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.view.html
    """
    x = torch.arange(6).view(2, 3)
    y = x

    assert x.shape == (2, 3)
    assert y is not x.clone()
    assert x.tolist()[1] == [3, 4, 5]


@pytest.mark.holds("torch<1", otherwise=AssertionError)
def test_long_ago():
    """Long ago it was 4.

    https://docs.pytorch.org/docs/stable/index.html
    """
    assert torch.tensor([2, 2]).sum().item() == 4
'''
SUM, SHAPES, VIEW, LONG_AGO = "sum_is_a_float", "shapes_must_fit", "view_has_a_shape", "long_ago"


class Learner:
    """A folder of exercises in a small project, and somebody who fills it in."""

    def __init__(self, project):
        self.project, self.notes = project, project.path / "tests" / "notes"
        self.note = project.note(NOTE)
        self.out = project.path / "exercises"
        self.write()

    def write(self, level=None, out=None):
        return folder.write(out or self.out, folder.chapters(self.notes), level)

    @property
    def path(self):
        return self.out / "test_exercises_01_first.py"

    def named(self, name):
        (found,) = (each for each in contract.read(self.out) if each.note.endswith(name))
        return found

    def progress(self, name):
        return contract.read_progress(self.out)[self.named(name).note]

    def put(self, name, before, after):
        """Put other text into the function of one exercise."""
        text = self.path.read_text(encoding="utf-8")
        head, begin, rest = text.partition(f"def {self.named(name).name}(")
        function, end, tail = rest.partition("\n\n\n")
        assert before in function
        self.path.write_text(head + begin + function.replace(before, after, 1) + end + tail, encoding="utf-8")

    def fill(self, name, *answers):
        for answer in answers:
            self.put(name, f"== {BLANK}", f"== {answer}")

    def run(self, name):
        return self.project.run(f"exercises/{self.path.name}", "-k", f"{self.named(name).name}", "--device", "cpu")


@pytest.fixture
def learner(project):
    return Learner(project)


def test_an_exercise_has_a_question_and_a_number_and_neither_name_nor_claim_nor_comment(learner):
    text = learner.path.read_text(encoding="utf-8")

    assert "float32 numbers" not in text
    assert "gives it away" not in text
    assert SUM not in text
    assert "# What comes out?" in text
    assert "What is `total.item()`? What is `total.dtype`?" in text
    assert text.count(f"== {BLANK}") >= 3


def test_a_blank_that_is_left_is_one_line(learner):
    result = learner.run(SUM)

    line = 1 + learner.path.read_text(encoding="utf-8").splitlines().index(f"    assert total.item() == {BLANK}")
    assert result.code == 1
    assert f"a blank is left: line {line}, what is `total.item()`?" in result.out
    assert "0 of 4 exercises solved" in result.out
    assert "1 open" in result.out
    assert "Traceback" not in result.text
    assert learner.progress(SUM).state == OPEN


def test_the_second_blank_is_asked_for_when_the_first_is_filled(learner):
    learner.fill(SUM, "6")

    assert "what is `total.dtype`?" in learner.run(SUM).out


def test_a_wrong_answer_shows_what_torch_did_and_each_time_another_hint(learner):
    learner.fill(SUM, "6", "torch.float64")

    said = [learner.run(SUM) for _ in range(4)]

    for result in said:
        assert result.code == 1
        assert "what is `total.dtype`?\nyou said:  torch.float64\ntorch did: torch.float32\n" in result.out
    assert "hint 1 of 3: read: https://docs.pytorch.org/docs/stable/generated/torch.sum.html" in said[0].out
    assert "hint 2 of 3: what is at work: the sum is a float" in said[1].out
    assert "hint 3 of 3: the claim: The sum of float32 numbers is a float32." in said[2].out
    assert "hint 3 of 3" in said[3].out
    assert (learner.progress(SUM).state, learner.progress(SUM).wrong) == (WRONG, 4)


def test_a_solved_exercise_gives_the_claim_and_its_reason_once(learner):
    learner.fill(SUM, "6", "torch.float32")

    first, again = learner.run(SUM), learner.run(SUM)

    assert first.code == again.code == 0
    assert "  The sum of float32 numbers is a float32.\n  It stays one.\n  https://docs.pytorch.org" in first.out
    assert "It stays one." not in again.out
    assert "1 of 4 exercises solved" in again.out


@pytest.mark.parametrize(
    ("name", "answers"),
    [
        (SUM, ("6.0", "torch.float")),
        (SUM, ("2 * 3", "torch.float32")),
        (VIEW, ("torch.Size([2, 3])", "False", "[3, 4, 5]")),
        (VIEW, ("tuple([2, 3])", "False", "[3.0, 4, 5]")),
    ],
)
def test_equal_answers_are_accepted(learner, name, answers):
    learner.fill(name, *answers)

    assert learner.run(name).code == 0
    assert learner.progress(name).state == SOLVED


@pytest.mark.parametrize(
    ("name", "answers", "said"),
    [
        (SUM, ("total.item()", "torch.float32"), "`total.item` computes"),
        (SUM, ("6", "torch.ones(1).dtype"), "`.dtype` asks for it"),
        (SUM, ("6", "x.dtype"), "'x' belongs to the exercise"),
        (SUM, ("(lambda: 6)()", "torch.float32"), "`lambda: 6` computes"),
        (SUM, ("[6][0]", "torch.float32"), "`[6][0]` computes"),
        (SUM, ("6", "total.dtype"), "'total' belongs to the exercise"),
    ],
)
def test_an_answer_is_the_value_and_not_what_computes_it(learner, name, answers, said):
    learner.fill(name, *answers)

    result = learner.run(name)

    assert result.code == 1
    assert "write the value itself, such as [1, 2] or torch.float32; " in result.out
    assert said in result.out
    assert learner.progress(name).state == OPEN


@pytest.mark.parametrize("answer", ["Exception", "(RuntimeError, ValueError)"])
def test_an_exception_is_named_exactly(learner, answer):
    learner.put(SHAPES, BLANK, answer)

    result = learner.run(SHAPES)

    assert result.code == 1
    assert "that is wider than what it raises: be exact" in result.out
    assert learner.progress(SHAPES).state == WRONG


def test_another_exception_shows_the_one_that_is_raised(learner):
    learner.put(SHAPES, BLANK, "TypeError")

    result = learner.run(SHAPES)

    assert (
        "which exception does `two + three` raise?\nyou said:  TypeError\ntorch raised: RuntimeError: The si"
        in result.out
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("1.0, 2.0", "1.0, 9.0"),
        ("    total = x.sum()\n", "    total = x.sum()\n    total = 6\n"),
        ("\n    assert total.dtype == ___", ""),
        ("assert total.item() == ___", "assert 6 == 6"),
        ("device):", "device=None):"),
    ],
)
def test_only_the_blanks_may_change(learner, before, after):
    learner.put(SUM, before, after)
    learner.put(SUM, BLANK, "6")

    result = learner.run(SUM)

    assert result.code == 1
    assert "fill in ___, and no more" in result.out
    assert learner.progress(SUM).state == OPEN


def test_a_learner_may_print_and_comment(learner):
    learner.put(SUM, "    total = x.sum()\n", "    total = x.sum()\n    print(total)  # let me see\n")
    learner.fill(SUM, "6", "torch.float32")

    assert learner.run(SUM).code == 0


def test_an_exercise_about_another_release_is_skipped_and_not_open(learner):
    result = learner.run(LONG_AGO)

    assert result.counts == {"skipped": 1}
    assert learner.progress(LONG_AGO).state == ELSEWHERE


def test_a_blank_in_one_exercise_says_nothing_of_another(learner):
    learner.fill(SUM, "6", "torch.float32")

    result = learner.project.run("exercises", "--device", "cpu")

    assert result.code == 1
    assert result.counts == {"passed": 1, "skipped": 1}
    assert "1 of 4 exercises solved" in result.out


def test_writing_again_keeps_what_was_filled_in(learner):
    learner.fill(SUM, "6", "torch.float32")
    learner.run(SUM)
    learner.fill(VIEW, "(1, 2)")
    before = learner.path.read_text(encoding="utf-8")

    learner.write()

    assert learner.path.read_text(encoding="utf-8") == before
    assert learner.progress(SUM).state == SOLVED


def test_writing_again_keeps_what_was_filled_in_under_another_number(learner):
    learner.fill(VIEW, "(1, 2)")
    before = learner.named(VIEW).number
    text = learner.note.read_text(encoding="utf-8")
    easy = (
        'def test_easy():\n    """One.\n\n    https://pytorch.org\n    """\n    assert torch.ones(1).item() == 1\n\n\n'
    )
    learner.note.write_text(text.replace("def test_shapes", f"{easy}def test_shapes"), encoding="utf-8")

    learner.write()

    assert learner.named(VIEW).number == before + 1
    assert "assert x.shape == (1, 2)" in learner.path.read_text(encoding="utf-8")
    assert learner.path.read_text(encoding="utf-8").count(f"def {learner.named(VIEW).name}(") == 1


def test_a_note_that_changed_is_asked_again_and_shown_as_changed(learner):
    learner.fill(SUM, "6", "torch.float32")
    learner.run(SUM)
    text = learner.note.read_text(encoding="utf-8")
    learner.note.write_text(
        text.replace("[1.0, 2.0, 3.0]", "[1.0, 2.0, 4.0]").replace("== 6", "== 7"), encoding="utf-8"
    )

    learner.write()

    assert learner.progress(SUM).state == CHANGED
    assert f"assert total.item() == {BLANK}" in learner.path.read_text(encoding="utf-8")
    said = list(folder.summary(learner.out, learner.notes))
    assert said[:2] == [
        f"{learner.out}: 4 exercises, 0 solved, 1 changed since they were solved",
        f"  changed: {learner.path.name}::{learner.named(SUM).name}",
    ]


def test_a_file_that_is_no_python_is_not_written_over(learner):
    learner.fill(SUM, "6", "torch.float32")
    learner.fill(VIEW, "((")
    before = learner.path.read_text(encoding="utf-8")

    with pytest.raises(contract.BadFolder, match=r"is not Python .*; mend it first"):
        learner.write()

    assert learner.path.read_text(encoding="utf-8") == before


def test_one_level_alone_is_written_and_keeps_what_is_begun(learner):
    learner.fill(VIEW, "(2, 3)")

    kept = learner.write(level="easy")

    levels = {exercise.note: exercise.level for exercise in kept}
    assert {*levels.values()} == {"easy", learner.named(VIEW).level}
    assert "(2, 3)" in learner.path.read_text(encoding="utf-8")
    fresh = learner.write(level="easy", out=learner.project.path / "fresh")
    assert {exercise.level for exercise in fresh} == {"easy"}


def test_the_solutions_are_a_folder_that_passes(learner):
    folder.write_solutions(learner.project.path / "solutions", folder.chapters(learner.notes))

    result = learner.project.run("solutions", "--device", "cpu")

    assert result.code == 0
    assert "3 of 4 exercises solved" in result.out


def test_a_folder_with_something_else_in_it_is_left_alone(learner):
    with pytest.raises(contract.BadFolder, match="holds something else; name another folder"):
        learner.write(out=learner.notes)


def test_a_folder_outside_of_the_project_is_checked_too(learner, tmp_path_factory):
    out = tmp_path_factory.mktemp("elsewhere") / "mine"
    learner.write(out=out)
    (command,) = (line for line in folder.summary(out, learner.notes) if line.startswith("check them:"))
    assert command == f"check them:  python -m pytest -p conftest -c pytest.ini {out}"

    result = learner.project.run_apart("-p", "conftest", "-c", "pytest.ini", out, "--device", "cpu", path=[ROOT])

    assert "0 of 4 exercises solved" in result.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--section", "99"), "--section 99: the sections are 01 first; write --section 01, for example"),
        (("--notes", "nowhere"), "nowhere: there are no notes in it, files named test_*.py"),
        (("--out", "tests"), "tests: it holds something else; name another folder, such as --out exercises"),
        (
            ("watch", "--out", "nowhere"),
            "there are no exercises in it; write them with: python -m torchnotes exercises",
        ),
        (("watch",), "watch needs a terminal for its keys; without one, type: pytest exercises"),
    ],
)
def test_bad_input_is_one_line(learner, monkeypatch, capsys, arguments, said):
    monkeypatch.chdir(learner.project.path)
    monkeypatch.setattr(sys, "argv", ["torchnotes", "exercises", *arguments])

    assert command_line.main() == 2

    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("python -m torchnotes: ")
    assert line.endswith(said)


class Terminal:
    """Somebody at the screen: each step is a key that is pressed, or answers that are saved."""

    def __init__(self, learner, *steps, width=80):
        self.learner, self.steps = learner, list(steps)
        self.console = Console(file=io.StringIO(), width=width, force_terminal=False)
        self.moments = itertools.count(2_000_000_000)
        self.screen = watch.Screen(learner.out, self.console, self.check, self.pressed)

    def check(self, path, name):
        assert path == self.learner.path
        result = self.learner.project.run(str(path), "-k", name, "--device", "cpu")
        return result.out

    def pressed(self, seconds):
        step = self.steps.pop(0)
        if step is KeyboardInterrupt:
            raise step
        if isinstance(step, str):
            return step
        name, *answers = step
        self.learner.fill(name, *answers)
        moment = next(self.moments)
        os.utime(self.learner.path, (moment, moment))  # two writes may come within one tick of the file system's clock
        return ""

    def run(self):
        last = self.screen.loop()
        return self.console.file.getvalue(), last


@pytest.mark.parametrize("leave", ["q", KeyboardInterrupt])
def test_the_screen_shows_the_first_open_exercise_until_one_leaves(learner, leave):
    shown, last = Terminal(learner, leave).run()

    assert "01 first, exercise 1: easy" in shown
    assert f"{learner.path}:" in shown.replace("\n", "")
    assert "0 of 4 solved" in shown
    assert last == f"0 of 4 exercises solved; they are kept in {learner.out}"


def test_the_screen_says_what_is_wrong_and_what_was_learned_and_goes_on(learner):
    shown, last = Terminal(learner, "n", "n", (SUM, "5"), (SUM, "torch.float32"), "q").run()

    assert "1: easy" in shown
    assert "2: easy" in shown
    assert "a blank is left: line " in shown
    assert "you said:  5\ntorch did: 6.0\nhint 1 of 3: read: https://" in shown

    learner.put(SUM, "== 5", "== 6")
    shown, last = Terminal(learner, "n", "n", (SUM,), "n", "q").run()

    assert "It stays one." in shown
    assert "1 of 4 solved" in shown
    assert "exercise 4: " in shown
    assert last.startswith("1 of 4 exercises solved")


def test_an_exercise_about_another_release_is_said_to_be_one(learner):
    shown, last = Terminal(learner, (LONG_AGO, "4"), "n", "q").run()

    assert "it asks about another release than the installed one: n goes on" in shown
    assert "exercise 2: " in shown


def test_each_h_shows_one_hint_more(learner):
    shown, _ = Terminal(learner, "n", "h", "h", "h", "h", "q").run()

    pages = shown.split("────── 01 first, exercise 2")[1:]
    assert [page.count("hint ") - page.count("h hint") for page in pages] == [0, 1, 2, 3, 3]
    assert "hint 3 of 3: the claim: Adding 2 numbers to 3 raises RuntimeError." in pages[-1]
    assert learner.progress(SHAPES).hints == 3


def test_l_lists_the_sections_and_what_changed(learner):
    contract.write_progress(learner.out, {learner.named(SUM).note: contract.Progress(CHANGED)})

    shown, _ = Terminal(learner, "l", " ", "q").run()

    assert re.search(rf"{learner.path.name} +0 +4", shown)
    assert f"changed: {learner.path.name}::{learner.named(SUM).name}" in shown


def test_a_screen_of_thirty_columns_has_no_longer_line_but_the_path(learner):
    shown, _ = Terminal(learner, "h", "l", " ", "q", width=30).run()

    assert [line for line in shown.splitlines() if len(line) > 30 and str(learner.out) not in line] == []


def test_a_file_that_is_no_python_shows_what_pytest_says(learner):
    shown, _ = Terminal(learner, "n", "n", (SUM, "(("), "q").run()

    assert "SyntaxError" in shown


def test_a_file_that_is_gone_for_a_moment_is_waited_for(learner):
    terminal = Terminal(learner, "q")
    learner.path.rename(learner.path.with_suffix(".tmp"))

    shown, _ = terminal.run()

    assert "exercise 1" in shown


def test_the_screen_ends_when_all_is_solved(learner):
    everything = {each.note: contract.Progress(SOLVED) for each in contract.read(learner.out)}
    contract.write_progress(learner.out, everything)

    _, last = Terminal(learner).run()

    assert last.startswith("4 of 4 exercises solved")


def test_a_checking_process_says_what_pytest_says(learner):
    checker = watch.Checker(ROOT)
    try:
        said = checker.check(learner.path, learner.named(SUM).name)
    finally:
        checker.close()

    assert "a blank is left: line " in said
    assert learner.progress(SUM).state == OPEN


def test_the_readme_shows_the_exercise_of_its_first_note(exercises):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = text.partition("<!-- the exercise of the first note -->\n```text\n")[2].partition("```")[0]
    note = re.search(r"^def (test_\w+)", text, re.MULTILINE)[1]

    (code,) = (exercise.code for exercise in exercises if exercise.note == note)
    assert re.sub(r"test_\d+", "", shown.strip()) == re.sub(r"test_\d+", "", code.strip())


def test_the_readme_shows_every_option_of_the_command(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["torchnotes", "exercises", "--help"])
    with pytest.raises(SystemExit):
        command_line.main()

    options = set(re.findall(r"^  (--\w+)", capsys.readouterr().out, re.MULTILINE)) - {"--notes"}

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert options == set(re.findall(r"^\| `python -m torchnotes exercises (--\w+)", text, re.MULTILINE))
