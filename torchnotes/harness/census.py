"""What a run proved: claims by section and device, and by name what failed or was not checked. --at-least."""

from __future__ import annotations

import argparse
import inspect
import textwrap
from collections import Counter, defaultdict
from dataclasses import dataclass, field

import pytest

from torchnotes import note as notes, verdicts
from torchnotes.harness import about, boundaries, devices
from torchnotes.verdicts import ANY, ELSEWHERE, FAILED, HELD, NO_ACCELERATOR, SIMULATED, STAND_IN, UNCHECKED, WRITTEN

ANNOUNCEMENTS = (DeprecationWarning, PendingDeprecationWarning, FutureWarning)
"""The kinds of warning that announce a change: what does this today will do something else one day."""


def an_amount(text):
    device, _, number = text.partition("=")
    if not (device and number.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r}: write DEVICE=NUMBER, such as cuda=300")
    return device, int(number)


def pytest_addoption(parser):
    group = parser.getgroup("what PyTorch does")
    group.addoption(
        "--at-least",
        action="append",
        default=[],
        type=an_amount,
        metavar="DEVICE=NUMBER",
        help="fail unless so many notes ran on the device, such as cuda=300; repeatable",
    )
    group.addoption(
        "--allow-missing",
        action="store_true",
        help="a section whose package is not installed is named, but does not fail the run",
    )


def pytest_sessionstart(session):
    config = session.config
    if config.getoption("mutants") or hasattr(config, "workerinput"):
        return  # with xdist the reports of all workers come together in one process
    amounts = dict(sorted(config.getoption("at_least")))  # given twice for one device, the larger number counts
    census = Census(config.stash[devices.MACHINE], config.getoption("allow_missing"), amounts)
    config.pluginmanager.register(census, "census")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Let the reports of a note carry what it says and where it runs."""
    report = yield
    if notes.is_note_file(item.path):
        if call.when == "setup":
            words = notes.words(inspect.getdoc(item.function))
            about.add(item, section=notes.section(item.path), claim=words.claim, link=words.link)
            about.add(item, markers=boundaries.as_data(item), where=devices.of(item))
        about.attach(item, report)
    return report


@dataclass
class Outcome:
    """What one run of one note on one device came to."""

    note: str
    where: str | None
    about: dict
    line: int
    verdict: str = UNCHECKED
    reason: str = "its body did not run"
    cause: str = ""
    """One of those that `about` names."""
    explanation: list[str] = field(default_factory=list)
    will_change: list[str] = field(default_factory=list)
    values: list[dict] = field(default_factory=list)
    said: list[dict] = field(default_factory=list)

    @property
    def name(self):
        return f"{self.section}: {notes.name(self.note)}"

    @property
    def section(self):
        return self.about["section"]


@dataclass(eq=False)  # pluggy wants a plugin that can be hashed
class Census:
    """Counts from the reports of the notes, so that it is right in a run over several processes too."""

    machine: devices.Machine
    allow_missing: bool
    at_least: dict[str, int] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    announced: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    deselected: bool = False
    incomplete: bool = False
    """Whether a section was not collected, or a process died of a note before it told which: no outcome says so."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_collectreport(self, report):
        self.incomplete |= report.failed
        if report.skipped and isinstance(report.longrepr, tuple) and report.nodeid.endswith(".py"):
            self.missing[notes.section(report.nodeid)] = report.longrepr[2].removeprefix("Skipped: ")

    def pytest_runtest_logreport(self, report):
        known = about.of(report)
        outcome = self.outcomes.get(report.nodeid)
        if outcome is None:
            if not known:  # no note, or one of which a process of pytest-xdist died at its very start
                self.incomplete |= report.failed and notes.is_note_file(notes.file_of(report.nodeid))
                return
            note = notes.without_case(report.nodeid)
            outcome = Outcome(note, known["where"], known, report.location[1] + 1)
            outcome.will_change = self.announced[report.nodeid]
            self.outcomes[report.nodeid] = outcome
        if report.failed and outcome.verdict != FAILED:
            outcome.verdict = FAILED
            outcome.reason = _first_line(report)
            outcome.explanation = known.get("explanation", [])
        elif report.skipped and outcome.verdict != FAILED:
            outcome.verdict = ELSEWHERE if hasattr(report, "wasxfail") else UNCHECKED
            outcome.reason = getattr(report, "wasxfail", "") or report.longrepr[2].removeprefix("Skipped: ")
            outcome.cause = known.get("cause", "")
        elif report.when == "call" and report.passed:
            outcome.verdict, outcome.reason = HELD, ""
            outcome.values = known.get("values", [])
        if report.when == "call":
            outcome.said = known.get("said", [])

    def pytest_warning_recorded(self, warning_message, nodeid):
        """A change that torch or a neighbour announces to a note is a finding; what else warns is an error already."""
        if issubclass(warning_message.category, ANNOUNCEMENTS):
            text = f"{warning_message.category.__name__}: {' '.join(str(warning_message.message).split())}"
            if text not in self.announced[nodeid]:
                self.announced[nodeid].append(text)

    def problems(self):
        """Why a run in which no note failed is no proof all the same."""
        for device in self.machine.broken:
            yield f"{device}: it is visible, so this is a failure; leave it out with --device"
        if self.outcomes and all(outcome.verdict == UNCHECKED for outcome in self.outcomes.values()):
            yield "no note ran: none of the chosen ones could be checked here"
        left_out = Counter(outcome.reason for outcome in self.outcomes.values() if outcome.cause == about.LOST)
        for reason, number in left_out.items():
            yield f"{reason}; {number} later runs of notes on it were left out"
        for name in self.machine.required:
            if self.outcomes and not self.ran_on(name):
                yield f"--device {name}: no note ran on it"
        for name, number in self.at_least.items():
            if (ran := len(self.ran_on(name))) < number:
                yield f"--at-least {name}={number}: {ran or 'no'} note{'s' * (ran != 1)} ran on it"
        if not self.allow_missing:
            for section, reason in self.missing.items():
                yield f"section {section} was not checked: {reason}; or accept that with --allow-missing"
            for outcome in self.outcomes.values():
                if outcome.verdict == UNCHECKED and outcome.cause == about.NOT_INSTALLED:
                    yield f"{outcome.note} was not checked: {outcome.reason}; or accept that with --allow-missing"

    def ran_on(self, name):
        """The notes that ran on a device, whatever they came to."""
        return {
            outcome.note
            for outcome in self.outcomes.values()
            if outcome.verdict != UNCHECKED and name in verdicts.parts(outcome.where)
        }

    @pytest.hookimpl(tryfirst=True)
    def pytest_deselected(self, items):
        self.deselected |= bool(items)

    @pytest.hookimpl(trylast=True)  # after a plugin that is content when it left everything out, as pytest-testmon
    def pytest_sessionfinish(self, session):
        if session.exitstatus == pytest.ExitCode.OK and self.deselected and not session.testscollected:
            session.exitstatus = pytest.ExitCode.NO_TESTS_COLLECTED
        if session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED) and any(self.problems()):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(wrapper=True, tryfirst=True, specname="pytest_terminal_summary")
    def pytest_terminal_summary_without_announcements(self, terminalreporter):
        if self.outcomes and (warnings := terminalreporter.stats.get("warnings")):
            # pytest's own summary need not repeat them; another warning it still shows
            kinds = tuple(f"{kind.__name__}: " for kind in ANNOUNCEMENTS)
            warnings[:] = [warning for warning in warnings if not any(kind in warning.message for kind in kinds)]
        return (yield)

    def pytest_terminal_summary(self, terminalreporter):
        if not self.outcomes and not self.missing:
            for problem in self.problems():
                terminalreporter.line(f"FAILED: {problem}", red=True)
            return
        terminalreporter.section("what holds here")
        for line in self.table():
            terminalreporter.line(line)
        for line in self.unchecked():
            terminalreporter.line(line)
        for line in self.changing():
            terminalreporter.line(line)
        for problem in self.problems():
            terminalreporter.line(f"FAILED: {problem}", red=True)
        terminalreporter.line("")
        terminalreporter.line(self.total())

    def table(self):
        """Claims that held, by section and device; `2 of 3` where one failed or could not be checked."""
        cells = defaultdict(lambda: defaultdict(set))
        for outcome in self.outcomes.values():
            cells[outcome.section, outcome.where][outcome.verdict].add(outcome.note)
        wheres = {where for _, where in cells} - {NO_ACCELERATOR}
        wheres = sorted(wheres, key=lambda where: (where is not ANY, "+" in (where or ""), where or ""))
        sections = sorted({section for section, _ in cells})
        width = max(map(len, [*sections, "section"])) + 2
        yield "section".ljust(width) + "".join((where or verdicts.place(where)).rjust(13) for where in wheres)
        for section in sections:
            row = section.ljust(width) + "".join(self._cell(cells[section, where]).rjust(13) for where in wheres)
            yield row.rstrip()
        if any(STAND_IN in where.split("+") for where in wheres if where):
            yield f"({STAND_IN} stands in for a second device: the rule is proved, but not on an accelerator)"
        if SIMULATED in wheres:
            yield f"({SIMULATED} is simulated: torch's own rules for a GPU, but nothing was computed on one)"

    @staticmethod
    def _cell(by_verdict):
        held = by_verdict.get(HELD, set()) - by_verdict.get(FAILED, set())
        failed = len(by_verdict.get(FAILED, ()))
        return "" if not by_verdict else f"{len(held)}, {failed} failed" if failed else str(len(held))

    def unchecked(self):
        """Every claim that was not checked here, by name, under the reason."""
        by_reason = defaultdict(set)
        for outcome in self.outcomes.values():
            if outcome.verdict in (ELSEWHERE, UNCHECKED):
                by_reason[outcome.verdict, outcome.reason].add(outcome.name)
        for section, reason in self.missing.items():
            by_reason[UNCHECKED, reason].add(f"{section}: the whole section")
        for verdict, title in ((UNCHECKED, WRITTEN[UNCHECKED].here), (ELSEWHERE, WRITTEN[ELSEWHERE].total)):
            reasons = {reason: names for (kind, reason), names in by_reason.items() if kind == verdict}
            if reasons:
                yield ""
                yield f"{title}:"
            for reason, names in sorted(reasons.items()):
                yield f"  {reason}"
                yield from (f"    {name}" for name in sorted(names))

    def changing(self):
        """Every announcement of a change, with the notes that do what will change."""
        by_text = defaultdict(set)
        for nodeid, texts in self.announced.items():
            outcome = self.outcomes.get(nodeid)
            for text in texts:
                by_text[text].add(outcome.name if outcome else "an import")
        if by_text:
            yield ""
            yield "will change:"
        for text, names in sorted(by_text.items()):
            yield from textwrap.wrap(text, 118, initial_indent="  ", subsequent_indent="  ")
            yield from (f"    {name}" for name in sorted(names))

    def total(self):
        """One line that says how many claims there are and what became of them; the worst verdict of a claim counts."""
        count = self.counts()
        shown = (HELD, FAILED, UNCHECKED, ELSEWHERE)
        counts = ", ".join(f"{count[verdict]} {WRITTEN[verdict].total}" for verdict in shown)
        number = sum(count.values())
        return f"{number} claim{'s' * (number != 1)}: {counts}"

    def counts(self):
        """How many claims came to each verdict."""
        seen = defaultdict(set)
        for outcome in self.outcomes.values():
            seen[outcome.note].add(outcome.verdict)
        return dict.fromkeys(verdicts.WORST_FIRST, 0) | Counter(map(verdicts.worst, seen.values()))


def _first_line(report):
    """What a failing report says in one line."""
    crash = getattr(report.longrepr, "reprcrash", None)
    lines = (crash.message if crash else str(report.longrepr)).strip().splitlines()
    return lines[0] if lines else ""
