"""The fixture `race`: alternatives timed against each other, as pytest-benchmark's rows and as findings in words."""

from collections import defaultdict

import pytest
import torch

from plugins import devices, timing

RACES = pytest.StashKey[dict]()
FINDINGS = pytest.StashKey[list]()


class Replay:
    """A clock for pytest-benchmark that repeats what a race has measured, round by round."""

    def __init__(self):
        self.times = iter(())
        self.now, self.running = 0.0, False

    def __call__(self):
        if self.running:
            self.now += next(self.times, 0.0)
        self.running = not self.running
        return self.now


def pytest_configure(config):
    config.addinivalue_line(
        "markers",
        "finding(claim, one, another, at_most): what a race shows if `one` takes at most so many times as long as "
        "`another`; the claim may name parameters of the test in braces",
    )
    config.stash[RACES] = {}
    config.stash[FINDINGS] = []


def pytest_collection_modifyitems(items):
    for item in items:
        if "race" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.benchmark(timer=Replay()))


@pytest.fixture
def race(benchmark, request):
    """Times all entries of a race when the first of them is asked for, in turns; hands each its own times.

    `race(entry, {name: function, ...})` returns what the function of `entry` returns, for the test to check. With
    --benchmark-disable nothing is timed, and each function runs once.
    """

    def run(entry, entries, group=None):
        parameters = {
            name: value for name, value in request.node.callspec.params.items() if name not in ("entry", "device")
        }
        device = devices.of(request.node)
        where = "" if device == "-" else f" on {device}"
        values = ", ".join(f"{name} {value}" for name, value in parameters.items())
        benchmark.group = (
            (group or request.node.originalname.removeprefix("test_").replace("_", " "))
            + (f", {values}" if values else "")
            + where
        )
        if benchmark.disabled:
            return benchmark(entries[entry])
        result = entries[entry]()
        races = request.config.stash[RACES]
        if benchmark.group not in races:
            races[benchmark.group] = timing.race(entries, lambda: _synchronize(request.node))
            _conclude(request, benchmark.group, parameters, races[benchmark.group])
        times = races[benchmark.group][entry]
        marker = request.node.get_closest_marker("benchmark")
        marker.kwargs["timer"].times = iter(times.seconds)
        benchmark.extra_info.update(parameters, entry=entry, device=device, calls=times.calls, spread=times.spread)
        benchmark.pedantic(lambda: None, rounds=len(times.seconds))
        return result

    return run


def _synchronize(item):
    for name in devices.of(item).split("+"):
        if name != "-":
            devices.synchronize(name)


def _conclude(request, group, parameters, times):
    for marker in request.node.iter_markers("finding"):
        claim, one, another = marker.args
        if one in times and another in times:
            finding = timing.Finding(
                claim.format(**parameters),
                timing.Ratio.of(times[one], times[another]),
                marker.kwargs["at_most"],
                group,
                parameters,
            )
            request.config.stash[FINDINGS].append(finding)


def pytest_terminal_summary(terminalreporter, config):
    findings = config.stash[FINDINGS]
    if not findings:
        return
    terminalreporter.section("findings")
    terminalreporter.line("times as long, the median of the rounds and its 95 % interval")
    by_verdict = defaultdict(list)
    for finding in findings:
        by_verdict[finding.verdict].append(finding)
    for verdict in (timing.HOLDS, timing.FALSE, timing.OPEN):
        if by_verdict[verdict]:
            terminalreporter.line("")
            terminalreporter.line(f"{verdict}:")
        for finding in by_verdict[verdict]:
            terminalreporter.line(
                f"  {finding.claim}: {finding.ratio}, claimed at most {finding.limit:g} [{finding.group}]"
            )


def pytest_benchmark_update_json(config, output_json):
    output_json["findings"] = [
        {
            "claim": finding.claim,
            "group": finding.group,
            "ratio": finding.ratio.value,
            "low": finding.ratio.low,
            "high": finding.ratio.high,
            "at_most": finding.limit,
            "verdict": finding.verdict,
        }
        for finding in config.stash[FINDINGS]
    ]


def pytest_benchmark_update_machine_info(config, machine_info):
    machine_info["torch"] = torch.__version__
    machine_info["threads"] = torch.get_num_threads()
    machine_info["clocks"] = "unknown"  # whether the processor or the GPU changed its clock meanwhile is not known
    machine_info["devices"] = {
        device.name: devices.description(device) for device in config.stash[devices.FOUND] if not device.problem
    }
