"""The fixture `race`: alternatives timed against each other, as pytest-benchmark's rows and as findings in words."""

import gc
import random
import statistics
from collections import defaultdict
from dataclasses import dataclass

import pytest
import torch

from torchnotes import verdicts
from torchnotes.harness import devices
from torchnotes.measuring import limits, sizing, timing

RACES = pytest.StashKey[dict]()
CHOSEN = pytest.StashKey[dict]()
LIMITS = pytest.StashKey[dict]()
FINDINGS = pytest.StashKey[list]()

BLOCKS = 25
"""The quickest of so many is a limit, which a disturbance must not lower: each share would be too large."""

HALF = 0.5
"""Of its own limit, a device is expected to reach so much where nothing else is claimed."""


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
        "divided by `another`, for which the sentence has the gap {times}, or {share} for a percentage: in seconds, in "
        "what else the race counts, in 'samples a second' if entries are batch sizes, or in 'operations a second' if "
        "their work is given; the sentence may name parameters of the test, and what the race is about, in braces",
    )
    config.addinivalue_line(
        "markers",
        "limit(sentence, entry, at_least=1/2): what share of the device's own limit the work of `entry` reaches, for "
        "which the sentence has the gap {share}",
    )
    config.addinivalue_line(
        "markers", "floor(what): up to which size launches take the time, of a race whose entries are batch sizes"
    )
    config.addinivalue_line(
        "markers",
        "knee(what): where doubling stops to pay, of a race whose entries are batch sizes, each twice the one before",
    )
    config.addinivalue_line(
        "markers",
        "section(number): the section of the notes that what is measured belongs to, such as '11'; pages show it there",
    )
    for key in (RACES, CHOSEN, LIMITS):
        config.stash[key] = {}
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
    read. `about` is what else its sentences may name, and `work` the `limits.Work` of entries: what share of the
    device's own limit each reached is then kept with its times. `counts` has what else was counted, once an entry:
    {quantity: {entry: number}}, for findings `of` it.
    """

    def run(entry, entries, about=(), work=(), counts=(), waits=True):
        parameters = _group(benchmark, request.node)
        if benchmark.disabled:
            return benchmark(entries[entry])
        result = entries[entry]()
        races, work, counts = request.config.stash[RACES], dict(work), dict(counts)
        parameters |= dict(about)
        if benchmark.group not in races:
            races[benchmark.group] = timing.race(entries, lambda: _synchronize(request.node), waits=waits)
            _conclude(request, benchmark.group, parameters, races[benchmark.group], work, counts)
        run.times = races[benchmark.group]
        times = run.times[entry]
        benchmark.extra_info.update(parameters, entry=entry, calls=times.calls, spread=times.spread)
        benchmark.extra_info.update({quantity: of[entry] for quantity, of in counts.items() if entry in of})
        if entry in work:
            benchmark.extra_info.update(_against_limits(request, work[entry], times))
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


@pytest.fixture
def sizes(benchmark, request):
    """Sizes that fit the device, chosen once for all entries of a race: `largest` and `sweep` of `sizing`.

    With --benchmark-disable the least are taken, and nothing is timed.
    """
    return Sizes(benchmark.disabled, request.config.stash[CHOSEN], request.node)


@dataclass(frozen=True)
class Sizes:
    disabled: bool
    chosen: dict
    item: pytest.Item

    def sweep(self, make, all_sizes, least):
        """A `sizing.Sweep` of at least the sizes up to `least`, and of the first few where nothing is timed."""
        if self.disabled:
            return sizing.Sweep(list(all_sizes[:6]), "nothing is timed")
        return self._once("sweep", lambda: sizing.sweep(make, all_sizes, self._seconds, least))

    def largest(self, make, all_sizes, most=sizing.A_CALL):
        """The largest size whose call takes at most so many seconds; skips where not even the least does."""
        if self.disabled:
            return all_sizes[0]
        found = self._once("largest", lambda: sizing.largest(make, all_sizes, self._seconds, most))
        if found is None:
            pytest.skip(f"of the least size, {all_sizes[0]:,}, a call takes more than {1000 * most:g} ms here")
        return found

    def _once(self, how, choose):
        others = {name: value for name, value in self.item.callspec.params.items() if name != "entry"}
        key = how, self.item.originalname, *others.items()
        if key not in self.chosen:
            self.chosen[key] = choose()
            gc.collect()  # what was tried last may be most of the memory
        return self.chosen[key]

    def _seconds(self, function):
        return timing.glance(function, lambda: _synchronize(self.item))


def _against_limits(request, work, times):
    """What a call has to do, what the device can do at most, and what share of that it did, by the median."""
    limit = _limits(request, work.dtype)
    return {
        "operations": work.operations,
        "bytes": work.bytes,
        "limit_of": _precision(work.dtype),
        "operations_a_second_at_most": limit.operations,
        "bytes_a_second_at_most": limit.bytes,
        "share_of_limit": limit.seconds(work) / times.median,
    }


def _limits(request, dtype):
    """The limits of the device for a dtype, measured when they are first asked for."""
    known, item = request.config.stash[LIMITS], request.node
    key = devices.of(item), _precision(dtype)
    if key not in known:
        another = next((limit for (device, _), limit in known.items() if device == key[0]), None)
        known[key] = limits.measured(
            torch.device(key[0]),
            dtype,
            lambda call: timing.glance(call, lambda: _synchronize(item), blocks=BLOCKS),
            another,
        )
        gc.collect()
    return known[key]


def _precision(dtype):
    """The name of a dtype; TF32 for float32 whose products may round their factors."""
    if dtype == torch.float32 and torch.get_float32_matmul_precision() != "highest":
        return "TF32"
    return str(dtype).removeprefix("torch.")


@pytest.fixture(autouse=True)
def section(request):
    """Writes down beside the times which section of the notes tells of them."""
    if "benchmark" in request.fixturenames and (marker := request.node.get_closest_marker("section")):
        (request.getfixturevalue("benchmark").extra_info["section"],) = marker.args


def _group(benchmark, item):
    """Name the group of the benchmark after the test, its device and its other parameters, and return the latter."""
    parameters = {
        name: value for name, value in item.callspec.params.items() if name not in ("entry", *devices.FIXTURES)
    }
    device = devices.of(item)
    values = "".join(f", {name} {value}" for name, value in parameters.items())
    where = f" on {device}" if device else ""
    benchmark.group = item.originalname.removeprefix("test_").replace("_", " ") + values + where
    benchmark.extra_info["device"] = device or "-"
    return parameters


def _replay(benchmark, item, seconds):
    item.get_closest_marker("benchmark").kwargs["timer"].times = iter(seconds)
    benchmark.pedantic(lambda: None, rounds=len(seconds))


def _synchronize(item):
    for name in verdicts.parts(devices.of(item)):
        devices.synchronize(name)


def _conclude(request, group, parameters, found, work=(), counts=()):
    findings = request.config.stash[FINDINGS]
    gaps = {"times": "{times}", "share": "{share}"}
    for marker in request.node.iter_markers("finding"):
        sentence, one, another = marker.args
        limit = dict(marker.kwargs)
        quantity = limit.pop("of", "seconds")
        if quantity in counts:
            counted = {name: [number] for name, number in counts[quantity].items()}
        else:
            counted = {name: _each(found, name, quantity, work) for name in (one, another) if name in found}
        if one in counted and another in counted:
            ratio = timing.Ratio.of_rounds(counted[one], counted[another])
            launches = () if quantity in counts else _bound_by_launches(request.node, found, (one, another))
            sentence = sentence.format(**gaps, **parameters)
            findings.append(timing.Finding(sentence, ratio, **limit, group=group, launches=launches))
    for marker in request.node.iter_markers("limit"):
        sentence, entry = marker.args
        if entry in work:
            seconds = found[entry].seconds
            least = _limits(request, work[entry].dtype).seconds(work[entry])
            ratio = timing.Ratio.of_rounds([least] * len(seconds), seconds)
            launches = _bound_by_launches(request.node, found, (entry,))
            sentence, limit = sentence.format(**gaps, **parameters), {"at_least": HALF, **marker.kwargs}
            findings.append(timing.Finding(sentence, ratio, **limit, group=group, launches=launches))
    for name, kind in (("floor", timing.Floor), ("knee", timing.Knee)):
        for marker in request.node.iter_markers(name):
            (what,) = marker.args
            findings.append(kind.of(what.format(**parameters), found, group))


def _bound_by_launches(item, found, entries):
    """Those of some entries of which the launch is what was timed; on a CPU nothing is launched."""
    on_accelerator = any(not name.startswith("cpu") for name in verdicts.parts(devices.of(item)))
    times = [found[entry] for entry in entries if on_accelerator and isinstance(found[entry], timing.Times)]
    return tuple(str(each.name) for each in times if each.bound_by_launches)


def _each(found, entry, quantity, work):
    if not isinstance(found[entry], timing.Times):
        return [result[quantity] for result in found[entry]]
    counted = {timing.SAMPLES_A_SECOND: lambda: entry, timing.OPERATIONS_A_SECOND: lambda: work[entry].operations}
    if quantity in counted:
        return [counted[quantity]() / seconds for seconds in found[entry].seconds]
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
            **({"launches": list(finding.launches)} if getattr(finding, "launches", ()) else {}),
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
