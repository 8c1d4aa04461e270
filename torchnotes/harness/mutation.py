"""Mutants of what the notes are about: each breaks one behaviour of torch or a neighbour, and its notes must notice.

A mutant is a function in tests/mutants. It gets a `Patch`, with which it breaks one thing; its docstring says what; its
`kills` are the notes that must fail under it, and its `witness` an expression that is true on a healthy torch and false
under the mutant. `pytest --mutants` runs every note under each of its mutants and turns the outcome round.
"""

from __future__ import annotations

import functools
import importlib.util
import linecache
import multiprocessing
import re
import sys
import traceback
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import hypothesis
import pytest
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from torchnotes import note as notes, verdicts
from torchnotes.harness import about, devices, isolation as state

NOBODY = "no mutant"
KILLED, SURVIVED = "killed", "survived"
CATALOGUE: dict[str, Mutant] = {}


@dataclass(frozen=True)
class Mutant:
    """One broken behaviour: what is broken, how, which notes must notice, and how to see that it is broken.

    `raises` are the exceptions, other than a failed assertion, with which a note may notice: those that the mutant, or
    torch because of it, raises in place of what the note waits for. `cpu_only` breaks what the CPU alone promises.
    """

    name: str
    breaks: str
    kills: tuple[str, ...]
    apply: Callable[[Patch], None]
    witness: Callable[[], bool]
    raises: tuple[type[BaseException], ...]
    cpu_only: bool

    def shows(self):
        """Whether the witness finds torch healthy; an expression that cannot be computed does not."""
        state.seed_everything(0)
        try:
            return bool(self.witness())
        except Exception:
            return False


def mutant(*, kills, witness, raises=(), cpu_only=False):
    """Put a function into the catalogue of mutants.

    `kills` is the name of a note or a tuple of names, `witness` a function without arguments, `raises` an exception
    class or a tuple of them, `cpu_only` whether an accelerator is no place to notice.

    Raises `pytest.UsageError` where a mutant says too little or its name is taken.
    """

    def register(function):
        breaks = (function.__doc__ or "").strip().partition("\n")[0]
        where = f"{function.__code__.co_filename}:{function.__code__.co_firstlineno}: mutant {function.__name__}"
        if not breaks:
            raise pytest.UsageError(f"{where} does not say what it breaks: give it a docstring")
        if function.__name__ in CATALOGUE:
            code = CATALOGUE[function.__name__].apply.__code__
            other = f"{code.co_filename}:{code.co_firstlineno}"
            raise pytest.UsageError(f"{where} has the name of another mutant, {other}")
        notes = (kills,) if isinstance(kills, str) else tuple(kills)
        exceptions = raises if isinstance(raises, tuple) else (raises,)
        CATALOGUE[function.__name__] = Mutant(function.__name__, breaks, notes, function, witness, exceptions, cpu_only)
        return function

    return register


def raises(error, call):
    """For a witness: whether the call raises this exception."""
    try:
        call()
    except error:
        return True
    return False


def error_of(call):
    """For a witness: the class of the exception that the call raises, or None."""
    try:
        call()
    except Exception as error:
        return type(error)
    return None


def quiet(call):
    """The same call, without its warnings."""

    def silent(*args, **kwargs):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return call(*args, **kwargs)

    return silent


class Patch:
    """Breaks things for the length of one note, and then mends them all."""

    def __init__(self):
        self._monkeypatch = pytest.MonkeyPatch()
        self._modes = ExitStack()
        self.setattr = self._monkeypatch.setattr
        self.setitem = self._monkeypatch.setitem
        self.delattr = self._monkeypatch.delattr
        self.setenv = self._monkeypatch.setenv

    def undo(self):
        try:
            self._modes.close()
        finally:
            self._monkeypatch.undo()

    def enter(self, context):
        """Enter a context manager and leave it again after the note."""
        return self._modes.enter_context(context)

    def around(self, owner, name, change):
        """Change calls of one function or method: `change(call, *args, **kwargs)`, where `call` is the healthy one."""
        self.setattr(owner, name, functools.wraps(call := getattr(owner, name))(_partial(change, call)))

    def method(self, cls, name, change):
        """Change a method: `change(self, call, *args, **kwargs)`, where `call` is the healthy one, bound already."""
        self.around(
            cls, name, lambda call, this, *args, **kwargs: change(this, functools.partial(call, this), *args, **kwargs)
        )

    def everywhere(self, original, replacement):
        """Put `replacement` wherever a module has `original` under some name: `from x import y` is a route, too."""
        for module, name in _holders(len(sys.modules)).get(id(original), ()):
            if vars(module).get(name) is original:
                self.setattr(module, name, replacement)

    def function(self, *names, change):
        """Change calls of torch functions and tensor methods of these names: `change(call, *args, **kwargs)`.

        Sees what Python code calls (`a + b` is `add` or `__add__`), not what C++ calls inside a layer. Some releases do
        not show `x[i]` here: patch `torch.Tensor.__getitem__` for that.
        """

        class Broken(TorchFunctionMode):
            def __torch_function__(self, function, types, args=(), kwargs=None):
                call = function if getattr(function, "__name__", "") not in names else _partial(change, function)
                return call(*args, **(kwargs or {}))

        self.enter(Broken())

    def aten(self, *names, change):
        """Change operators of these names (`add`, `mm`, `native_dropout`) also where C++ calls them."""

        class Broken(TorchDispatchMode):
            def __torch_dispatch__(self, function, types, args=(), kwargs=None):
                name = function._schema.name.partition("::")[2]
                call = function if name not in names else _partial(change, function)
                return call(*args, **(kwargs or {}))

        self.enter(Broken())


def _partial(change, function):
    return lambda *args, **kwargs: change(function, *args, **kwargs)


@functools.lru_cache(maxsize=1)
def _holders(count):
    """For each object that a module has under a name, by its id, where that is; until there are more modules."""
    found = defaultdict(list)
    for module in list(sys.modules.values()):
        for name, value in list(getattr(module, "__dict__", {}).items()):
            if callable(value):
                found[id(value)].append((module, name))
    return found


def load(folder):
    """Read the catalogue anew: every file of the folder `mutants`.

    Raises `pytest.UsageError` for a mutant that names a note that is not there.
    """
    CATALOGUE.clear()
    text = "".join(path.read_text(encoding="utf-8") for path in folder.parent.glob(f"{notes.FOLDER}/test_*.py"))
    known = set(re.findall(r"^def (test_\w+)", text, re.MULTILINE))
    for path in sorted(folder.glob("*.py")):
        spec = importlib.util.spec_from_file_location(f"mutants_of_{path.stem}", path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
    for mutant in CATALOGUE.values():
        for name in set(mutant.kills) - known:
            raise pytest.UsageError(f"mutant {mutant.name} names {name}, which is not a note; see tests/notes")


@pytest.fixture(autouse=True)
def mutant_of_note(request, isolation):
    """Break torch for the length of this note; what is wrong with the mutant itself is an error."""
    found = getattr(request, "param", None)
    if found is None:
        yield
        return
    if found.cpu_only and devices.of(request.node) not in (verdicts.ANY, "cpu"):
        pytest.skip(f"mutant {found.name} breaks what is promised on the CPU alone")
    if not found.shows():
        pytest.fail(f"the witness of mutant {found.name} is not true without it", pytrace=False)
    before = state.snapshot()
    patch = Patch()
    try:
        found.apply(patch)
        if found.shows():
            pytest.fail(f"mutant {found.name} has no effect: its witness stays true", pytrace=False)
        state.seed_everything(request.config.getoption("seed"), request.config.stash[devices.MACHINE].accelerators)
        yield
    finally:
        patch.undo()
        state.restore(before)
    if not found.shows():
        pytest.fail(f"mutant {found.name} leaks: its witness is still false after it", pytrace=False)


def _subscripts(item):
    """Whether the item's mutant patches `Tensor.__getitem__`.

    When that is undone, CPython keeps a slot for sequences on the class, and `torch.tensor` of a list of tensors raises
    for the rest of the process: such mutants come last.
    """
    found = _mutant(item)
    return found is not None and any(
        "__getitem__" in code.co_consts and "Tensor" in code.co_names for code in _codes(found.apply)
    )


def _codes(function):
    """The code of a function, and of the functions beside it that it calls: several mutants may share one."""
    yield function.__code__
    for name in function.__code__.co_names:
        if code := getattr(function.__globals__.get(name), "__code__", None):
            yield code


def _mutant(item):
    return item.callspec.params.get("mutant_of_note") if hasattr(item, "callspec") else None


def _killed_by(excinfo, found):
    """The line of the note that noticed, or None if what was raised is no verdict."""
    noticed = (AssertionError, pytest.fail.Exception, *found.raises)
    for error in _single(excinfo.value):
        if isinstance(error, noticed):
            places = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)]
            of_a_note = [place for place in places if notes.is_note_file(place[0])]
            file, line = (of_a_note or places)[-1]
            return f"{Path(file).name}:{line}: {linecache.getline(file, line).strip()}"
    return None


def _single(error):
    """The exceptions of a group: Hypothesis raises one where a failure does not come again, as under some mutants."""
    for inner in getattr(error, "exceptions", (error,)):
        yield from (inner,) if inner is error else _single(inner)


@dataclass(eq=False)
class Trial:
    """Turns the outcome of each note under each of its mutants round, and keeps the score."""

    rows: Counter = field(default_factory=Counter)
    seen: dict = field(default_factory=lambda: defaultdict(set))
    seconds: Counter = field(default_factory=Counter)
    by: dict[str, str] = field(default_factory=dict)

    @pytest.hookimpl(trylast=True)
    def pytest_generate_tests(self, metafunc):
        if not notes.is_note_file(metafunc.definition.path):
            return
        name = metafunc.definition.originalname
        found = [mutant for mutant in CATALOGUE.values() if name in mutant.kills]
        ids = [mutant.name for mutant in found] or [NOBODY]
        metafunc.parametrize("mutant_of_note", found or [None], ids=ids, indirect=True)

    def pytest_collection_modifyitems(self, items):
        self.rows = Counter(self._key(item) for item in items)
        items.sort(key=_subscripts)
        for item in items:
            if any(marker.name == "xfail" for marker in item.iter_markers()):
                item.add_marker(pytest.mark.skip(reason="on the other side of a boundary: it fails already"))

    @staticmethod
    def _key(item):
        found = _mutant(item)
        return (notes.without_case(item.nodeid), found.name if found else NOBODY, devices.of(item))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self, item, call):
        report = yield
        if not notes.is_note_file(item.path) or report.skipped:
            return report
        found = _mutant(item)
        if found is None:
            if call.when == "call":
                report.outcome, report.longrepr = (
                    "failed",
                    f"no mutant names {item.originalname}: what would it notice?",
                )
            return report
        verdict = None
        if call.when == "call":
            if call.excinfo is None:
                verdict = (SURVIVED, "")
                if self.rows[self._key(item)] == 1:
                    report.outcome = "failed"
                    report.longrepr = (
                        f"mutant {found.name} survived: {found.breaks}\n{item.originalname} did not notice"
                    )
            elif line := _killed_by(call.excinfo, found):
                report.outcome, report.longrepr, verdict = "passed", None, (KILLED, line)
            about.add(item, mutant=[*self._key(item), *(verdict or ("error", ""))])
        return report

    def pytest_runtest_logreport(self, report):
        if report.when == "call" and (mutant := about.of(report).get("mutant")):
            note, name, where, verdict, line = mutant
            self.seen[note, name, where].add(verdict)
            self.seconds[f"{name} in {notes.name(note)}"] += report.duration
            if verdict == KILLED:
                self.by.setdefault(f"{name} in {notes.name(note)}", line)

    def survivors(self):
        return [key for key, seen in self.seen.items() if seen == {SURVIVED}]

    def pytest_sessionfinish(self, session):
        if session.exitstatus == pytest.ExitCode.OK and self.survivors():
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter):
        if not self.seen:
            return
        terminalreporter.section("mutants")
        by_section = defaultdict(lambda: [set(), set(), 0, 0])
        for (note, name, _), seen in self.seen.items():
            row = by_section[notes.section(notes.file_of(note))]
            row[0].add(note)
            row[1].add(name)
            row[2] += KILLED in seen
            row[3] += 1
        terminalreporter.line(f"{'section':34}{'notes':>8}{'mutants':>10}{'killed':>14}")
        for section, (of_section, names, killed, total) in sorted(by_section.items()):
            score = f"{killed} of {total}"
            terminalreporter.line(f"{section:34}{len(of_section):>8}{len(names):>10}{score:>14}")
        if terminalreporter.config.option.verbose > 0:
            for what, line in sorted(self.by.items()):
                terminalreporter.line(f"killed: {what}: {line}")
        for note, name, where in self.survivors():
            terminalreporter.line(
                f"SURVIVED: {name} in {note}{f' on {where}' if where else ''}: {CATALOGUE[name].breaks}", red=True
            )
        slowest = ", ".join(f"{what} {seconds:.2f} s" for what, seconds in self.seconds.most_common(5))
        terminalreporter.line(f"the slowest: {slowest}")
        killed = sum(KILLED in seen for seen in self.seen.values())
        names = {name for _, name, _ in self.seen}
        attacked = {note for note, _, _ in self.seen}
        terminalreporter.line(f"{len(names)} mutants of {len(attacked)} notes: {killed} of {len(self.seen)} killed")


def prepare(config):
    """A mutant is only to be noticed: no search for a smaller example, no traceback that parses the source.

    Workers are forked where that is possible, as Linux did up to Python 3.13: a worker that begins with an empty Python
    has a torch without mutants.
    """
    if "fork" in multiprocessing.get_all_start_methods():
        multiprocessing.set_start_method("fork", force=True)
    if config.option.tbstyle == "auto":
        config.option.tbstyle = "native"
    phases = [hypothesis.Phase.explicit, hypothesis.Phase.generate]
    plain = hypothesis.settings.get_profile("selfcheck")
    hypothesis.settings.register_profile("mutants", plain, phases=phases, report_multiple_bugs=False)
    hypothesis.settings.load_profile("mutants")
