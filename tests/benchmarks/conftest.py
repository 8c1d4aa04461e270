"""The fixture `race`: alternatives timed against each other, as pytest-benchmark's rows and as findings in words."""

import random
import statistics
from collections import defaultdict

import pytest
import torch

from torchnotes import verdicts
from torchnotes.harness import devices
from torchnotes.measuring import timing

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
        "finding(sentence, one, another, at_most=None, at_least=None, of='seconds'): what a race shows of `one` "
        "divided by `another`, for which the sentence has the gap {times}: in seconds, in what else the race counts, "
        "or in 'samples a second' if entries are batch sizes; the sentence may name parameters of the test in braces",
    )
    config.addinivalue_line(
        "markers",
        "knee(what): where doubling stops to pay, of a race whose entries are batch sizes, each twice the one before",
    )
    config.addinivalue_line(
        "markers",
        "section(number): the section of the notes that what is measured belongs to, such as '11'; pages show it there",
    )
    config.stash[RACES] = {}
    config.stash[FINDINGS] = []


def pytest_collection_modifyitems(items):
    for item in items:
        if {"race", "trials"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.benchmark(timer=Replay()))


@pytest.fixture
def race(benchmark, request):
    """Times all entries of a race when the first of them is asked for, in turns; hands each its own times.

    `race(entry, {name: function, ...})` returns what the function of `entry` returns, for the test to check. With
    --benchmark-disable nothing is timed, and each function runs once. `race.times` has the `Times` of all entries
    afterwards, or None where nothing was timed. `waits=False` does not wait for the device before a block's end is
    read.
    """

    def run(entry, entries, group=None, waits=True):
        parameters = _group(benchmark, request.node, group)
        if benchmark.disabled:
            return benchmark(entries[entry])
        result = entries[entry]()
        races = request.config.stash[RACES]
        if benchmark.group not in races:
            races[benchmark.group] = timing.race(entries, lambda: _synchronize(request.node), waits=waits)
            _conclude(request, benchmark.group, parameters, races[benchmark.group])
        run.times = races[benchmark.group]
        times = run.times[entry]
        benchmark.extra_info.update(parameters, entry=entry, calls=times.calls, spread=times.spread)
        _replay(benchmark, request.node, times.seconds)
        return result

    run.times = None
    return run


@pytest.fixture
def trials(benchmark, request):
    """What cannot be done a thousand times: runs each entry once a seed, in turns; hands each its own results.

    `trials(entry, {name: function, ...}, seeds)` calls `function(seed)`, which returns a dict of what it counted, with
    its `seconds` among them, and returns a list of these, one for each seed. Findings are drawn from what they name in
    `of`. With --benchmark-disable nothing is timed, and the function of `entry` runs with the first seed only.
    """

    def run(entry, entries, seeds):
        parameters = _group(benchmark, request.node)
        if benchmark.disabled:
            return [benchmark(entries[entry], seeds[0])]
        races = request.config.stash[RACES]
        if benchmark.group not in races:
            order, shuffled = list(entries), random.Random(0)
            found = {name: [] for name in entries}
            for seed in seeds:
                shuffled.shuffle(order)
                for name in order:
                    found[name].append(entries[name](seed))
            races[benchmark.group] = found
            _conclude(request, benchmark.group, parameters, found)
        results = races[benchmark.group][entry]
        for quantity in results[0]:
            values = sorted(result[quantity] for result in results)
            summary = {"median": statistics.median(values), "least": values[0], "most": values[-1]}
            benchmark.extra_info[quantity] = summary
        benchmark.extra_info.update(parameters, entry=entry)
        _replay(benchmark, request.node, [result["seconds"] for result in results])
        return results

    return run


def _group(benchmark, item, group=None):
    """Name the group of the benchmark after the test, its device and its other parameters, and return the latter."""
    parameters = {
        name: value for name, value in item.callspec.params.items() if name not in ("entry", *devices.FIXTURES)
    }
    device = devices.of(item)
    values = "".join(f", {name} {value}" for name, value in parameters.items())
    where = f" on {device}" if device else ""
    benchmark.group = (group or item.originalname.removeprefix("test_").replace("_", " ")) + values + where
    benchmark.extra_info["device"] = device or "-"
    if section := item.get_closest_marker("section"):
        (benchmark.extra_info["section"],) = section.args
    return parameters


def _replay(benchmark, item, seconds):
    item.get_closest_marker("benchmark").kwargs["timer"].times = iter(seconds)
    benchmark.pedantic(lambda: None, rounds=len(seconds))


def _synchronize(item):
    for name in verdicts.parts(devices.of(item)):
        devices.synchronize(name)


def _conclude(request, group, parameters, found):
    findings = request.config.stash[FINDINGS]
    for marker in request.node.iter_markers("finding"):
        sentence, one, another = marker.args
        if one in found and another in found:
            limits = dict(marker.kwargs)
            quantity = limits.pop("of", "seconds")
            ratio = timing.Ratio.of_rounds(_each(found, one, quantity), _each(found, another, quantity))
            sentence = sentence.format(times="{times}", **parameters)
            findings.append(timing.Finding(sentence, ratio, **limits, group=group, about=parameters))
    for marker in request.node.iter_markers("knee"):
        (what,) = marker.args
        findings.append(timing.Knee.of(what.format(**parameters), found, group, parameters))


def _each(found, entry, quantity):
    if not isinstance(found[entry], timing.Times):
        return [result[quantity] for result in found[entry]]
    if quantity == timing.SAMPLES_A_SECOND:
        return [entry / seconds for seconds in found[entry].seconds]
    return found[entry].seconds


def pytest_terminal_summary(terminalreporter, config):
    findings = config.stash[FINDINGS]
    if not findings:
        return
    terminalreporter.section("findings")
    terminalreporter.line("each number is the median of the rounds (or seeds), with its 95 % interval behind it")
    by_verdict = defaultdict(list)
    for finding in findings:
        by_verdict[finding.verdict].append(finding)
    for verdict in (timing.HOLDS, timing.FALSE, timing.OPEN):
        if by_verdict[verdict]:
            terminalreporter.line("")
            terminalreporter.line(f"{verdict}:")
        for finding in by_verdict[verdict]:
            terminalreporter.line(f"  {finding} [{finding.group}]")


def pytest_benchmark_update_json(config, output_json):
    output_json["findings"] = [
        {
            **{"claim": finding.claim, "found": finding.found, "group": finding.group},
            **finding.numbers,
            "verdict": finding.verdict,
        }
        for finding in config.stash[FINDINGS]
    ]


def pytest_benchmark_update_machine_info(config, machine_info):
    machine_info.pop("node", None)  # the name of the machine is nobody's business, and says nothing about times
    machine_info["torch"] = torch.__version__
    machine_info["threads"] = torch.get_num_threads()
    machine_info["clocks"] = "unknown"  # whether the processor or the GPU changed its clock meanwhile is not known
    machine_info["devices"] = {
        device.name: devices.description(device) for device in config.stash[devices.MACHINE].usable
    }
