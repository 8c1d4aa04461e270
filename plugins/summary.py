"""What a run proved: claims by section and device, and by name what failed or could not be checked."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import pytest

from plugins import devices, versions

HELD, FAILED, ELSEWHERE, UNCHECKED = "held", "failed", "elsewhere", "unchecked"


@dataclass
class Outcome:
    """What one run of one note on one device came to."""

    note: str
    section: str
    where: str
    verdict: str = HELD
    reason: str = ""


@dataclass(eq=False)  # pluggy wants a plugin that can be hashed
class Census:
    """Counts from the reports of the notes, so that it is right in a run over several processes too."""

    required: list[str]
    allow_missing: bool
    broken: list[devices.Device] = field(default_factory=list)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collectreport(self, report):
        if report.skipped and isinstance(report.longrepr, tuple) and report.nodeid.endswith(".py"):
            section = report.nodeid.rpartition("/test_")[2].removesuffix(".py").replace("_", " ")
            self.missing[section] = report.longrepr[2].removeprefix("Skipped: ")

    def pytest_runtest_logreport(self, report):
        properties = dict(report.user_properties)
        if "claim" not in properties:
            return
        note = report.nodeid.partition("[")[0]
        outcome = self.outcomes.setdefault(report.nodeid, Outcome(note, properties["section"], properties["device"]))
        if report.failed:
            outcome.verdict = FAILED
        elif report.skipped and outcome.verdict != FAILED:
            outcome.verdict = ELSEWHERE if hasattr(report, "wasxfail") else UNCHECKED
            outcome.reason = getattr(report, "wasxfail", "") or report.longrepr[2].removeprefix("Skipped: ")

    def problems(self):
        """Why a run in which no note failed is no proof all the same."""
        for device in self.broken:
            yield f"{device}: it is visible, so this is a failure; leave it out with --device"
        if self.outcomes and all(outcome.verdict == UNCHECKED for outcome in self.outcomes.values()):
            yield "no note ran: none of the chosen ones could be checked here"
        ran = {outcome.where for outcome in self.outcomes.values() if outcome.verdict != UNCHECKED}
        for name in self.required:
            if self.outcomes and not any(name in where.split("+") for where in ran):
                yield f"--device {name}: no note ran on it"
        if not self.allow_missing:
            for section, reason in self.missing.items():
                yield f"section {section} was not checked: {reason}; or accept that with --allow-missing"
            for outcome in self.outcomes.values():
                if outcome.verdict == UNCHECKED and versions.NOT_INSTALLED in outcome.reason:
                    yield f"{outcome.note} was not checked: {outcome.reason}; or accept that with --allow-missing"

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session):
        if session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED) and any(self.problems()):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter):
        if not self.outcomes and not self.missing:
            return
        terminalreporter.section("what holds here")
        for line in self.table():
            terminalreporter.line(line)
        for line in self.unchecked():
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
                by_reason[outcome.verdict, outcome.reason].add(f"{outcome.section}: {outcome.note.rpartition('::')[2]}")
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

    def total(self):
        """One line that says how many claims there are and what became of them; the worst verdict of a claim counts."""
        verdicts = defaultdict(set)
        for outcome in self.outcomes.values():
            verdicts[outcome.note].add(outcome.verdict)
        count = {FAILED: 0, HELD: 0, ELSEWHERE: 0, UNCHECKED: 0}
        for seen in verdicts.values():
            count[next(verdict for verdict in count if verdict in seen)] += 1
        texts = {
            HELD: "held",
            FAILED: "failed",
            UNCHECKED: "could not be checked",
            ELSEWHERE: "on the other side of a boundary",
        }
        counts = ", ".join(f"{count[verdict]} {text}" for verdict, text in texts.items())
        return f"{len(verdicts)} claim{'s' * (len(verdicts) != 1)}: {counts}"
