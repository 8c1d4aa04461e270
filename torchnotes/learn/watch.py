"""The exercises one after the other at a terminal: what is asked, and what pytest says each time the file is saved."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter, defaultdict
from contextlib import suppress
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.rule import Rule
from rich.syntax import Syntax
from rich.table import Table

from torchnotes.learn import folder, keys
from torchnotes.record import exercises as contract
from torchnotes.record.exercises import CHANGED, ELSEWHERE, SOLVED, BadFolder, Progress

TICK = 0.25
"""Seconds between two looks at the file."""

BEGIN = r"""
import sys
import hypothesis, numpy, torch, pytest
sys.exit(pytest.main(sys.stdin.readline().rstrip("\n").split("\0")))
"""
"""What a checking process does: it has imported what takes seconds by the time it is asked."""

OPTIONS = ("-q", "--no-header", "-p", "no:cacheprovider", "--tb=short", "--color=no", "--disable-warnings")

KEYS = "[bold]h[/] hint  [bold]n[/] next  [bold]l[/] list  [bold]q[/] quit"


class Checker:
    """Runs pytest on one exercise; the process for the next check starts while the learner thinks."""

    def __init__(self, root):
        self.root = root
        self._next = self._start()

    def _start(self):
        return subprocess.Popen(
            [sys.executable, "-X", "utf8", "-c", BEGIN],
            cwd=self.root,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="backslashreplace",
        )

    def check(self, path, name):
        """What pytest prints about the exercise `name` in the file `path`."""
        process, self._next = self._next, self._start()
        outside = () if self.root in path.parents else ("-p", "conftest", "-c", "pytest.ini")
        said, _ = process.communicate("\0".join([*OPTIONS, *outside, f"{path}::{name}"]) + "\n")
        return said

    def close(self):
        self._next.kill()
        self._next.communicate()


def run(out):
    """Show the exercises of the folder `out` until the learner leaves. Returns what is said at the end.

    Raises `BadFolder` where there are none, or where there is no terminal to show them on.
    """
    out = Path(out).resolve()
    contract.read(out)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise BadFolder(f"watch needs a terminal for its keys; without one, type: pytest {out.name}")
    checker = Checker(Path(__file__).resolve().parent.parent.parent)
    try:
        with keys.unbuffered():
            return Screen(out, Console(), checker.check, keys.pressed).loop()
    finally:
        checker.close()


class Screen:
    """One exercise on a console: `check` says what pytest prints of it, `pressed` which key came within seconds."""

    def __init__(self, out, console, check, pressed):
        self.out, self.console, self.check, self.pressed = out, console, check, pressed
        self.exercises = contract.read(out)
        self.said = ""
        self.current = self._open_after(None)

    @property
    def path(self):
        return self.out / self.current.file

    def _progress(self):
        return defaultdict(Progress, contract.read_progress(self.out))

    def _open_after(self, exercise):
        """The next exercise that is not solved, from the one after this on and then from the first; None at the end."""
        place = self.exercises.index(exercise) + 1 if exercise else 0
        progress = self._progress()
        left = [*self.exercises[place:], *self.exercises[:place]]
        return next((each for each in left if progress[each.note].state not in (SOLVED, ELSEWHERE)), None)

    def loop(self):
        """Until `q` or Ctrl-C is pressed or nothing is open. Returns what is said at the end."""
        with suppress(KeyboardInterrupt):
            self._steps()
        count = Counter(progress.state for _, progress in folder.states(self.out))
        return f"{count[SOLVED]} of {len(self.exercises)} exercises solved; they are kept in {self.out}"

    def _steps(self):
        while self.current is not None:
            self.draw()
            seen = self._saved()
            while not (key := self.pressed(TICK)) and self._saved() == seen:
                pass
            if key == "q":
                break
            if key == "h":
                self.hint()
            elif key == "n":
                self.said, self.current = "", self._open_after(self.current)
            elif key == "l":
                self.draw_list()
            elif not key:
                self.look()

    def _saved(self):
        """When the file was saved last: an editor that replaces it leaves none for a moment."""
        return self.path.stat().st_mtime_ns if self.path.exists() else None

    def look(self):
        """Check the exercise as it is saved now."""
        self.console.print("checking ...")
        before = self._progress()
        before[self.current.note].said = ""
        contract.write_progress(self.out, before)
        printed = self.check(self.path, self.current.name)
        now = self._progress()[self.current.note]
        if now.state == SOLVED:
            self.said = "\n".join(contract.reward(self.current)) + "\n\nsolved: n goes on"
        elif now.state == ELSEWHERE:
            self.said = "it asks about another release than the installed one: n goes on"
        else:
            self.said = now.said or printed.strip()

    def hint(self):
        """Show one hint more."""
        progress = self._progress()
        mine = progress[self.current.note]
        mine.hints = min(mine.hints + 1, len(self.current.hints))
        contract.write_progress(self.out, progress)
        self.said = "\n".join(
            f"hint {number} of {len(self.current.hints)}: {text}"
            for number, text in enumerate(self.current.hints[: mine.hints], start=1)
        )

    def draw(self):
        progress = self._progress()
        exercise, mine = self.current, progress[self.current.note]
        line, code = folder.function(self.path, exercise)
        self.console.clear()
        changed = ", changed since it was solved" if mine.state == CHANGED else ""
        title = f"{exercise.file.removeprefix('test_exercises_').removesuffix('.py').replace('_', ' ')}, "
        self.console.print(
            Rule(escape(f"{title}exercise {exercise.number}: {exercise.level}{changed}"), style="default")
        )
        self.console.print(f"{self.path}:{line}", markup=False, highlight=False, soft_wrap=True)
        self.console.print(
            Syntax(code, "python", theme="ansi_dark", line_numbers=True, start_line=line, word_wrap=True)
        )
        if self.said:
            self.console.print(f"\n{self.said}\n", markup=False, highlight=False)
        solved = sum(each.state == SOLVED for each in progress.values())
        bar = Table.grid(padding=(0, 1))
        bar.add_row(
            ProgressBar(total=len(self.exercises), completed=solved, width=min(40, self.console.width // 2)),
            f"{solved} of {len(self.exercises)} solved",
        )
        self.console.print(bar)
        self.console.print(KEYS, highlight=False)

    def draw_list(self):
        """How many are solved in each section, and which one changed, until a key is pressed."""
        table = Table("section", "solved", "of", box=None)
        totals, solved, progress = Counter(), Counter(), self._progress()
        for exercise in self.exercises:
            totals[exercise.file] += 1
            solved[exercise.file] += progress[exercise.note].state == SOLVED
        for file, total in totals.items():
            table.add_row(escape(file), str(solved[file]), str(total))
        self.console.clear()
        self.console.print(table)
        for exercise in self.exercises:
            if progress[exercise.note].state == CHANGED:
                self.console.print(f"changed: {exercise.file}::{exercise.name}", markup=False, highlight=False)
        self.console.print("any key goes back", highlight=False)
        while not self.pressed(TICK):
            pass
