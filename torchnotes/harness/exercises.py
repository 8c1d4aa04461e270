"""Checks the exercises of `python -m torchnotes exercises`: what is still blank, what is wrong, and what was learned.

An exercise is a note with blanks, so the assertions of the note check it. They are not enough: the file must be as it
was written but for the blanks, what is put there must be the value itself and not the expression that gives it, and an
exception must be the one that the note names and not one above it.
"""

from __future__ import annotations

import ast
import copy
import functools
import linecache
import traceback
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from torchnotes.harness import devices, versions
from torchnotes.record import exercises as contract
from torchnotes.record.exercises import BLANK, ELSEWHERE, OPEN, PREDICT, SOLVED, WRONG

VALUES = {"Size", "device", "range", "float", "complex", "set", "frozenset", "list", "tuple", "dict", "int", "bool"}
"""What an answer may call, because it makes a value of what is written out."""

SEEN = "_seen_"
"""What a function under check calls with what it compares an answer with."""

WORST_FIRST = (WRONG, OPEN, SOLVED, ELSEWHERE)

SHOWN = 10
"""How many open exercises a run names."""

LONGEST = 200
"""Characters of a value that is shown."""


class Unanswered(Exception):
    """A blank is left, or what is put into one cannot be an answer: the message is what a learner reads."""


class Wrong(Exception):
    """An answer is wrong: the message is what a learner reads."""


TASK = pytest.StashKey["Task"]()


@dataclass(frozen=True)
class Filled:
    """What stands in one blank."""

    answer: ast.expr | str
    """An expression, or the name of what is called."""
    statement: ast.stmt
    line: int
    compared: ast.expr | None = None
    """The other side of the comparison that it is in."""

    @property
    def text(self):
        return self.answer if isinstance(self.answer, str) else ast.unparse(self.answer)

    @property
    def is_blank(self):
        return self.text == BLANK


@functools.cache
def _asked(folder):
    return {(each.file, each.name): each for each in contract.read(folder)}


@functools.cache
def _functions(path):
    tree = ast.parse(Path(path).read_text(encoding="utf-8-sig"))
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


def function_of(path, name):
    """The tree of a function, which is the caller's to change."""
    return copy.deepcopy(_functions(str(path))[name])


class Task:
    """One exercise and what a learner made of it."""

    def __init__(self, path, exercise):
        self.path, self.exercise, self.state = path, exercise, SOLVED
        self.filled: list[Filled] = []
        self.seen: dict[int, tuple[str, bool]] = {}

    def prepared(self, written, names):
        """The function to run for `written`, a tree, in a module with these names: it notes what torch did.

        Raises `Unanswered` where the code is another, a blank is left, or an answer is computed.
        """
        template = ast.parse(self.exercise.code).body[0]
        _match([template.args, *template.body[1:]], [written.args, *_without_prints(written.body[1:])], self.filled)
        for filled, question in zip(self.filled, self.exercise.questions, strict=True):
            if filled.is_blank:
                raise Unanswered(f"a blank is left: line {filled.line}, {question}")
        if self.exercise.kind == PREDICT:
            for filled in self.filled:
                _check_form(filled, written)
        for number, filled in enumerate(self.filled):
            if filled.compared is not None:
                _wrap(filled, number)
        tree = ast.fix_missing_locations(ast.Module([written], []))
        self.names = names
        names[SEEN] = self._see
        exec(compile(tree, str(self.path), "exec"), names)
        return names[written.name]

    def _see(self, number, value):
        """Keep what it says, and not the value itself: a note may be about what is still referred to."""
        self.seen[number] = repr(value), _is_equal(value, self._value(self.filled[number].answer))
        return value

    @contextmanager
    def checked(self):
        """Where the prepared function runs: turns what it raises into `Wrong` where an answer is to blame."""
        try:
            yield
        except (Exception, pytest.fail.Exception) as error:
            if told := self._of_failure(error):
                raise Wrong(told) from None
            raise
        self._check_values()

    def _of_failure(self, error):
        frame_and_line = next(self._places(error), None)
        if frame_and_line is None:
            return None
        line = frame_and_line[1]
        if self.exercise.kind != PREDICT:
            where = linecache.getline(str(self.path), line).strip()
            said = ", ".join(dict.fromkeys(each.text for each in self.filled))
            return f"you said:  {said}\nbut then:  line {line} fails, {where}\n           {_first_line(error)}"
        for number, (each, question) in enumerate(zip(self.filled, self.exercise.questions, strict=True)):
            if not each.statement.lineno <= line <= each.statement.end_lineno:
                continue
            if each.compared is None:
                did = "nothing" if isinstance(error, pytest.fail.Exception) else _first_line(error)
                return self._told(each, question, did, "raised")
            did, is_right = self.seen.get(number, ("", True))
            if not is_right:
                return self._told(each, question, did if len(did) <= LONGEST else f"{did[:LONGEST]} ...")
        return None

    def _places(self, error):
        """Where the error came through the exercise itself: its frame, and the line of it."""
        for frame, line in traceback.walk_tb(error.__traceback__):
            if (frame.f_code.co_filename, frame.f_code.co_name) == (str(self.path), self.exercise.name):
                yield frame, line

    def _check_values(self):
        """Raises `Wrong` for an answer with which the assertions hold although it is not the note's."""
        if self.exercise.kind != PREDICT:
            return
        for each, question, answer in zip(self.filled, self.exercise.questions, self.exercise.answers, strict=True):
            said, right = self._value(each.answer), self._value(ast.parse(answer, mode="eval").body)
            is_same = said is right if isinstance(right, type) else _is_equal(said, right)
            if not is_same:
                why = "that is wider than what it raises" if each.compared is None else "that only passes for it"
                raise Wrong(f"line {each.line}: {question}\nyou said:  {each.text}; {why}: be exact")

    def _value(self, node):
        return eval(_compiled(node), dict(self.names))

    @staticmethod
    def _told(filled, question, did, verb="did"):
        return f"line {filled.line}: {question}\nyou said:  {filled.text}\ntorch {verb}: {did}"


def _compiled(node):
    return compile(ast.Expression(node), "an answer", "eval")


def _is_equal(one, other):
    try:
        return bool(one == other) or repr(one) == repr(other)  # nan is not equal to itself
    except Exception:  # such as of two shapes that do not broadcast
        return False


def _first_line(error):
    lines = traceback.format_exception_only(type(error), error)[-1].strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _without_prints(body):
    """Statements without calls of `print`, which a learner may add to look."""
    return [each for each in body if not ast.unparse(each).startswith("print(")]


def _match(expected, written, found, statement=None):
    """Walk two trees side by side and collect what stands in the blanks. Raises `Unanswered` where they differ."""
    if isinstance(expected, list):
        if len(expected) != len(written):
            line = f"line {statement.lineno}" if statement is not None else "the exercise"
            raise Unanswered(f"{line} has more or less in it than was written there: fill in {BLANK}, and no more")
        for one, other in zip(expected, written, strict=True):
            _match(one, other, found, other if isinstance(other, ast.stmt) else statement)
    elif isinstance(expected, ast.Name) and expected.id == BLANK:
        found.append(Filled(written, statement, written.lineno, _compared(statement, written)))
    elif type(expected) is not type(written):
        raise Unanswered(f"{_line(written, statement)} is not as it was written: fill in {BLANK}, and no more")
    elif isinstance(expected, ast.AST):
        for name in expected._fields:
            one, other = getattr(expected, name, None), getattr(written, name, None)
            if name == "attr" and one == BLANK:
                found.append(Filled(other, statement, written.end_lineno))
            else:
                inner = written if isinstance(written, ast.stmt) else statement
                _match(one, other, found, inner)
    elif expected != written:
        raise Unanswered(f"{_line(written, statement)} is not as it was written: fill in {BLANK}, and no more")


def _line(node, statement):
    line = getattr(node, "lineno", None) or getattr(statement, "lineno", None)
    return f"line {line}" if line else "the exercise"


def _compared(statement, answer):
    """The other side of the comparison in an assertion, or the element of it that belongs to this answer."""
    if not isinstance(statement, ast.Assert):
        return None
    left, right = statement.test.left, statement.test.comparators[-1]
    if right is answer:
        return left
    return next(one for one, other in zip(left.elts, right.elts, strict=True) if other is answer)


def _wrap(filled, number):
    """Let the other side of the comparison tell what it is when it is computed: a second look may find another."""
    call = ast.Call(ast.Name(SEEN, ast.Load()), [ast.Constant(number), filled.compared], [])
    ast.copy_location(call, filled.compared)
    test = filled.statement.test
    if test.left is filled.compared:
        test.left = call
    else:
        test.left.elts[test.left.elts.index(filled.compared)] = call


def _check_form(filled, function):
    """Refuse an answer that is computed. Raises `Unanswered`."""
    own = {each.id for each in ast.walk(function) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}
    own |= {argument.arg for argument in function.args.args}
    for node in ast.walk(filled.answer):
        if isinstance(node, ast.Name) and node.id in own:
            problem = f"{node.id!r} belongs to the exercise"
        elif isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] not in VALUES:
            problem = f"`{ast.unparse(node.func)}` computes"
        elif isinstance(node, ast.Attribute) and not isinstance(node.value, (ast.Name, ast.Attribute)):
            problem = f"`.{node.attr}` asks for it"
        elif isinstance(node, (ast.Lambda, ast.NamedExpr, ast.IfExp, ast.Compare, ast.Subscript, ast.comprehension)):
            problem = f"`{ast.unparse(node)}` computes"
        else:
            continue
        raise Unanswered(f"line {filled.line}: write the value itself, such as [1, 2] or torch.float32; {problem}")


@pytest.hookimpl(tryfirst=True)
def pytest_itemcollected(item):
    path = item.path
    if not isinstance(item, pytest.Function) or not contract.is_folder(path.parent):
        return
    try:
        exercise = _asked(str(path.parent)).get((path.name, item.originalname))
    except contract.BadFolder as error:
        raise pytest.UsageError(str(error)) from None
    if exercise is None:
        return
    item.stash[TASK] = Task(path, exercise)
    for text in exercise.holds:
        requirement = Requirement(text)
        if not versions.is_met(requirement):
            item.stash[TASK].state = ELSEWHERE
            here = f"{requirement.name} {versions.installed(requirement.name)}"
            item.add_marker(pytest.mark.skip(reason=f"it asks about {requirement}, and here is {here}"))


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem):
    task = pyfuncitem.stash.get(TASK, None)
    if task is None:
        return (yield)
    written = function_of(task.path, task.exercise.name)
    pyfuncitem.obj = task.prepared(written, vars(pyfuncitem.module))
    with task.checked():
        return (yield)


@pytest.fixture(autouse=True)
def like_a_note(request):
    """An exercise starts from the state that a note starts from, and leaves nothing behind."""
    if TASK not in request.node.stash:
        yield
        return
    from torchnotes.harness import isolation  # it imports torch

    config = request.config
    isolation.seed_everything(config.getoption("seed"), config.stash[devices.MACHINE].accelerators)
    before = isolation.snapshot()
    yield
    isolation.restore(before)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    task = item.stash.get(TASK, None)
    if task is None:
        return report
    error = call.excinfo.value if call.excinfo else None
    if isinstance(error, Unanswered):
        task.state = OPEN
        report.longrepr = str(error)
    elif isinstance(error, Wrong):
        task.state = WRONG
        report.longrepr = f"{error}\n{_hint(task)}"
    elif report.failed:
        task.state = WRONG
    report.exercise = [str(task.path.parent), task.exercise.note, task.state]  # which pytest-xdist takes along
    return report


def _hint(task):
    """The next hint: one more with each run that finds a wrong answer."""
    progress = contract.read_progress(task.path.parent).get(task.exercise.note, contract.Progress())
    number = min(max(progress.wrong, progress.hints) + 1, len(task.exercise.hints))
    return f"hint {number} of {len(task.exercise.hints)}: {task.exercise.hints[number - 1]}"


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(report):
    """A blank is no failure to print a page of."""
    if report.when == "call" and report.failed and getattr(report, "exercise", [None])[-1] == OPEN:
        return "open", "_", ("OPEN", {"yellow": True})
    return None


def pytest_sessionstart(session):
    _asked.cache_clear()
    _functions.cache_clear()
    if not hasattr(session.config, "workerinput"):
        session.config.pluginmanager.register(Progress(), "progress of exercises")


@dataclass(eq=False)  # pluggy wants a plugin that can be hashed
class Progress:
    """Keeps in the folder what became of its exercises, and says it at the end of a run."""

    states: dict = field(default_factory=lambda: defaultdict(dict))
    """Of each folder: by the key of an exercise the worst that its runs on several devices came to."""
    said: dict[str, str] = field(default_factory=dict)
    """By the key of an exercise what was said of it last, if it is not solved."""
    left: dict[str, str] = field(default_factory=dict)
    """Where a blank is left, and what is asked there."""

    def pytest_runtest_logreport(self, report):
        if not hasattr(report, "exercise") or report.when == "teardown" or (report.when == "setup" and report.passed):
            return
        folder, key, state = report.exercise
        states = self.states[folder]
        states[key] = min(states.get(key, ELSEWHERE), state, key=WORST_FIRST.index)
        if isinstance(report.longrepr, str):
            self.said[key] = report.longrepr
        if state == OPEN:
            self.left[report.nodeid] = report.longrepr

    def pytest_terminal_summary(self, terminalreporter):
        for folder, states in self.states.items():
            progress = contract.read_progress(folder)
            exercises = {each.note: each for each in _asked(folder).values()}
            terminalreporter.section("exercises")
            for key, state in states.items():
                before = progress.get(key, contract.Progress())
                if state == SOLVED and before.state != SOLVED:
                    for line in contract.reward(exercises[key]):
                        terminalreporter.line(line)
                wrong = before.wrong + (state == WRONG)
                progress[key] = contract.Progress(state, wrong, max(before.hints, wrong), self.said.get(key, ""))
            for nodeid, text in list(self.left.items())[:SHOWN]:
                terminalreporter.line(f"{nodeid}: {text}")
            if len(self.left) > SHOWN:
                terminalreporter.line(f"... and {len(self.left) - SHOWN} more have a blank left")
            number = sum(each.state == SOLVED for each in progress.values())
            terminalreporter.line(f"{number} of {len(exercises)} exercises solved")
            contract.write_progress(folder, progress)
