"""What a run proved: claims by section and device, and by name what failed or could not be checked."""

from __future__ import annotations

import textwrap
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from torchnotes.harness import claims, devices, simulation, versions

HELD, FAILED, ELSEWHERE, UNCHECKED = "held", "failed", "elsewhere", "unchecked"


ANNOUNCEMENTS = (DeprecationWarning, PendingDeprecationWarning, FutureWarning)
"""The kinds of warning that announce a change: what does this today will do something else one day."""


@dataclass
class Outcome:
    """What one run of one note on one device came to."""

    note: str
    section: str
    where: str
    about: dict
    line: int
    verdict: str = UNCHECKED
    reason: str = "its body did not run"
    explanation: list[str] = field(default_factory=list)
    will_change: list[str] = field(default_factory=list)
    values: list[dict] = field(default_factory=list)

    @property
    def name(self):
        return f"{self.section}: {self.note.rpartition('::')[2]}"


@dataclass(eq=False)  # pluggy wants a plugin that can be hashed
class Census:
    """Counts from the reports of the notes, so that it is right in a run over several processes too."""

    required: list[str]
    allow_missing: bool
    broken: list[devices.Device] = field(default_factory=list)
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
            section = report.nodeid.rpartition("/test_")[2].removesuffix(".py").replace("_", " ")
            self.missing[section] = report.longrepr[2].removeprefix("Skipped: ")

    def pytest_runtest_logreport(self, report):
        properties = dict(report.user_properties)
        outcome = self.outcomes.get(report.nodeid)
        if outcome is None:
            if "claim" not in properties:  # no note, or one of which a process of pytest-xdist died at its very start
                self.incomplete |= report.failed and claims.is_note_file(Path(report.nodeid.partition("::")[0]))
                return
            note = report.nodeid.partition("[")[0]
            outcome = Outcome(note, properties["section"], properties["device"], properties, report.location[1] + 1)
            outcome.will_change = self.announced[report.nodeid]
            self.outcomes[report.nodeid] = outcome
        if report.failed and outcome.verdict != FAILED:
            outcome.verdict = FAILED
            outcome.reason = _first_line(report)
            outcome.explanation = properties.get("explanation", [])
        elif report.skipped and outcome.verdict != FAILED:
            outcome.verdict = ELSEWHERE if hasattr(report, "wasxfail") else UNCHECKED
            outcome.reason = getattr(report, "wasxfail", "") or report.longrepr[2].removeprefix("Skipped: ")
        elif report.when == "call" and report.passed:
            outcome.verdict, outcome.reason = HELD, ""
            outcome.values = properties.get("values", [])

    def pytest_warning_recorded(self, warning_message, nodeid):
        """A change that torch or a neighbour announces to a note is a finding; what else warns is an error already."""
        if issubclass(warning_message.category, ANNOUNCEMENTS):
            text = f"{warning_message.category.__name__}: {' '.join(str(warning_message.message).split())}"
            if text not in self.announced[nodeid]:
                self.announced[nodeid].append(text)

    def problems(self):
        """Why a run in which no note failed is no proof all the same."""
        for device in self.broken:
            yield f"{device}: it is visible, so this is a failure; leave it out with --device"
        if self.outcomes and all(outcome.verdict == UNCHECKED for outcome in self.outcomes.values()):
            yield "no note ran: none of the chosen ones could be checked here"
        for reason in dict.fromkeys(self._reasons(devices.STOPPED)):
            number = sum(1 for outcome in self.outcomes.values() if outcome.reason == reason)
            yield f"{reason}; {number} later runs of notes on it were left out"
        for name in self.required:
            if self.outcomes and not self.ran_on(name):
                yield f"--device {name}: no note ran on it"
        for name, number in self.at_least.items():
            if (ran := len(self.ran_on(name))) < number:
                yield f"--at-least {name}={number}: {ran or 'no'} note{'s' * (ran != 1)} ran on it"
        if not self.allow_missing:
            for section, reason in self.missing.items():
                yield f"section {section} was not checked: {reason}; or accept that with --allow-missing"
            for outcome in self.outcomes.values():
                if outcome.verdict == UNCHECKED and versions.NOT_INSTALLED in outcome.reason:
                    yield f"{outcome.note} was not checked: {outcome.reason}; or accept that with --allow-missing"

    def ran_on(self, name):
        """The notes that ran on a device, whatever they came to."""
        return {
            outcome.note
            for outcome in self.outcomes.values()
            if outcome.verdict != UNCHECKED and name in outcome.where.split("+")
        }

    def _reasons(self, text):
        return [outcome.reason for outcome in self.outcomes.values() if text in outcome.reason]

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
        wheres = sorted({where for _, where in cells}, key=lambda where: (where == "accelerator", "+" in where, where))
        wheres = [where for where in wheres if where != "accelerator"]
        sections = sorted({section for section, _ in cells})
        width = max(map(len, [*sections, "section"])) + 2
        yield "section".ljust(width) + "".join(where.replace("-", "any device").rjust(13) for where in wheres)
        for section in sections:
            row = section.ljust(width) + "".join(self._cell(cells[section, where]).rjust(13) for where in wheres)
            yield row.rstrip()
        if any(devices.STAND_IN in where.split("+") for where in wheres):
            yield f"({devices.STAND_IN} stands in for a second device: the rule is proved, but not on an accelerator)"
        if simulation.NAME in wheres:
            yield f"({simulation.NAME} is simulated: torch's own rules for a GPU, but nothing was computed on one)"

    @staticmethod
    def _cell(verdicts):
        notes = set().union(*verdicts.values()) if verdicts else set()
        held = verdicts.get(HELD, set()) - verdicts.get(FAILED, set())
        failed = len(verdicts.get(FAILED, ()))
        return "" if not notes else f"{len(held)}, {failed} failed" if failed else str(len(held))

    def unchecked(self):
        """Every claim that was not checked here, by name, under the reason."""
        by_reason = defaultdict(set)
        for outcome in self.outcomes.values():
            if outcome.verdict in (ELSEWHERE, UNCHECKED):
                by_reason[outcome.verdict, outcome.reason].add(outcome.name)
        for section, reason in self.missing.items():
            by_reason[UNCHECKED, reason].add(f"{section}: the whole section")
        for verdict, title in ((UNCHECKED, "not checked here"), (ELSEWHERE, "on the other side of a boundary")):
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
        texts = {
            HELD: "held",
            FAILED: "failed",
            UNCHECKED: "could not be checked",
            ELSEWHERE: "on the other side of a boundary",
        }
        counts = ", ".join(f"{count[verdict]} {text}" for verdict, text in texts.items())
        number = sum(count.values())
        return f"{number} claim{'s' * (number != 1)}: {counts}"

    def counts(self):
        """How many claims came to each verdict."""
        verdicts = defaultdict(set)
        for outcome in self.outcomes.values():
            verdicts[outcome.note].add(outcome.verdict)
        count = {FAILED: 0, HELD: 0, ELSEWHERE: 0, UNCHECKED: 0}
        for seen in verdicts.values():
            count[next(verdict for verdict in count if verdict in seen)] += 1
        return count


def _first_line(report):
    """What a failing report says in one line."""
    crash = getattr(report.longrepr, "reprcrash", None)
    lines = (crash.message if crash else str(report.longrepr)).strip().splitlines()
    return lines[0] if lines else ""
