"""The race: what it times, in which order, and what is made of the times."""

import gc
import json
import shutil
import statistics
from pathlib import Path

import pytest
import torch

from plugins import timing

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


class Course:
    """A machine without noise: calling an entry takes exactly its seconds, and launching takes none of them."""

    def __init__(self, asynchronous=False, **seconds):
        self.now, self.pending, self.called, self.asynchronous = 0.0, 0.0, [], asynchronous
        self.entries = {name: self.entry(name, taken) for name, taken in seconds.items()}

    def entry(self, name, seconds):
        def run():
            self.called.append(name)
            if self.asynchronous:
                self.pending += seconds
            else:
                self.now += seconds

        return run

    def synchronize(self):
        self.now, self.pending = self.now + self.pending, 0.0

    def race(self, **options):
        return timing.race(self.entries, self.synchronize, clock=lambda: self.now, **options)


def test_each_entry_gets_its_own_times_a_call():
    times = Course(short=1e-6, long=2e-3).race()

    assert times["short"].median == pytest.approx(1e-6)
    assert times["long"].median == pytest.approx(2e-3)
    assert times["long"].calls == 1
    assert times["short"].calls * 1e-6 >= timing.BLOCK


def test_what_a_device_still_has_to_do_is_part_of_the_time():
    times = Course(asynchronous=True, short=1e-4, long=3e-4).race()

    assert times["short"].median == pytest.approx(1e-4)
    assert times["long"].median == pytest.approx(3e-4)


def test_entries_are_timed_in_turns_and_not_always_in_the_same_order():
    course = Course(a=2e-3, b=2e-3, c=2e-3)

    course.race()

    rounds = [
        "".join(course.called[at : at + 3])
        for at in range(len(course.called) - 3 * timing.ROUNDS, len(course.called), 3)
    ]
    assert all(sorted(each) == ["a", "b", "c"] for each in rounds)
    assert len(set(rounds)) > 3


@pytest.mark.parametrize(
    ("seconds", "rounds"), [(2e-3, timing.ROUNDS), (timing.SECONDS / 15, 15), (10.0, timing.FEWEST_ROUNDS)]
)
def test_slow_entries_get_fewer_rounds_but_never_too_few(seconds, rounds):
    times = Course(slow=seconds).race()

    assert len(times["slow"].seconds) == rounds


def test_the_first_calls_are_not_timed():
    course = Course(once=5e-3)
    entry, calls = course.entries["once"], []

    def compiles_first():
        if not calls:
            course.now += 100
        calls.append(1)
        entry()

    course.entries["once"] = compiles_first

    assert max(course.race()["once"].seconds) == pytest.approx(5e-3)


@pytest.mark.parametrize("enabled", [True, False])
def test_garbage_is_collected_as_before_afterwards(enabled):
    during = []
    before = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        timing.race({"it": lambda: during.append(gc.isenabled())}, rounds=3)
        after = gc.isenabled()
    finally:
        (gc.enable if before else gc.disable)()

    assert during[-1] is False
    assert after is enabled


def times(*seconds):
    return timing.Times("", list(seconds), 1)


def test_a_ratio_is_taken_round_by_round():
    # the machine was ten times as slow in every other round, and both entries felt it
    one = times(*[2.0, 20.0] * 10, 2.0)
    another = times(*[1.0, 10.0] * 10, 1.0)

    assert timing.Ratio.of(one, another) == timing.Ratio(2.0, 2.0, 2.0)


def test_the_interval_is_that_of_the_median():
    # of 31 rounds, ranks 10 and 22 bound the median in 95 of 100 cases (the binomial distribution with p = 1/2)
    ratio = timing.Ratio.of(times(*range(1, 32)), times(*[1] * 31))

    assert (ratio.low, ratio.value, ratio.high) == (10, 16, 22)


def test_the_interval_holds_the_median_as_often_as_it_says():
    generator = torch.Generator().manual_seed(0)
    draws = torch.randn(2000, timing.ROUNDS, generator=generator).exp().tolist()  # a skewed distribution with median 1
    ratios = [timing.Ratio.of(times(*row), times(*[1.0] * len(row))) for row in draws]

    share = statistics.mean(ratio.low <= 1 <= ratio.high for ratio in ratios)

    # 6 standard errors of a share of 0.95 in 2000 draws are 0.03; ranks are whole numbers, so it may hold more often
    assert 0.92 <= share <= 1


@pytest.mark.parametrize(
    ("ratio", "verdict"),
    [
        ((0.5, 0.4, 0.6), "holds here"),
        ((0.9, 0.85, 0.949), "holds here"),
        ((0.9, 0.85, 0.951), "inconclusive"),
        ((1.0, 0.99, 1.01), "inconclusive"),
        ((2.0, 0.5, 9.0), "inconclusive"),
        ((1.1, 1.04, 1.2), "inconclusive"),
        ((1.1, 1.06, 1.2), "does not hold here"),
    ],
)
def test_a_verdict_needs_the_whole_interval_on_one_side(ratio, verdict):
    finding = timing.Finding("it is quicker", timing.Ratio(*ratio), limit=1)

    assert finding.verdict == verdict
    assert str(finding).startswith(f"it is quicker: {ratio[0]:.2f} (")
    assert str(finding).endswith(f"claimed at most 1: {verdict}")


def test_the_spread_is_the_interquartile_range_as_a_share_of_the_median():
    assert times(1, 2, 3, 4, 5, 6, 7).spread == pytest.approx((6 - 2) / 4)


@pytest.mark.parametrize(
    ("rates", "size"),
    [([1, 2, 4, 8], 8), ([1, 2, 4, 4.9], 4), ([1, 1.2, 9, 20], 1), ([1, 2, 2.5, 2.6], 4), ([5, 5, 5, 5], 1)],
)
def test_the_knee_is_where_doubling_stops_to_pay(rates, size):
    assert timing.knee([1, 2, 4, 8], rates) == size


@pytest.mark.parametrize("statement", ["a @ a", "a.exp()", "a.sum()"])
def test_torchs_own_timer_finds_the_same_median(statement):
    from torch.utils.benchmark import Timer

    a = torch.rand(128, 128)
    function = eval(f"lambda: {statement}", {"a": a})
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as torch's timer does by default
    try:
        timer = Timer(statement, globals={"a": a})
        pairs = []
        for _ in range(9):  # in turns, for the machine is not the same from one second to the next
            ours = timing.race({statement: function}, seconds=0)[statement]
            theirs = statistics.median(timer.timeit(ours.calls).median for _ in range(timing.FEWEST_ROUNDS))
            pairs.append((ours.median / theirs, ours.spread))
    finally:
        torch.set_num_threads(threads)

    ratio = statistics.median(ratio for ratio, _ in pairs)
    spread = statistics.median(spread for _, spread in pairs)
    assert abs(ratio - 1) <= spread + timing.MARGIN


RACE = """
import time

@pytest.mark.finding("two calls take no longer than {number}", "two", "one", at_most=1)
@pytest.mark.parametrize("number", [1])
@pytest.mark.parametrize("entry", ["one", "two"])
def test_calls(race, entry, number):
    def call(times):
        for _ in range(times):
            sum(range(1000))
        return times

    found = race(entry, {"one": lambda: call(1), "two": lambda: call(2)})

    assert found == {"one": 1, "two": 2}[entry]
"""


@pytest.fixture
def bench(project):
    folder = project.path / "tests" / "benchmarks"
    folder.mkdir()
    shutil.copy(BENCHMARKS / "conftest.py", folder / "conftest.py")
    (folder / "test_calls.py").write_text(f"import pytest\n{RACE}", encoding="utf-8")
    return project


def test_pytest_benchmark_shows_and_saves_what_the_race_measured(bench):
    result = bench.run("tests/benchmarks", "--benchmark-json=bench.json", "--device", "cpu")

    assert result.code == 0, result.text
    saved = json.loads((bench.path / "bench.json").read_text())
    one, two = saved["benchmarks"]
    assert [entry["extra_info"]["entry"] for entry in (one, two)] == ["one", "two"]
    assert one["group"] == two["group"] == "calls, number 1"
    assert one["stats"]["rounds"] == two["stats"]["rounds"] >= timing.FEWEST_ROUNDS
    (finding,) = saved["findings"]
    assert finding["claim"] == "two calls take no longer than 1"
    ratios = [b / a for a, b in zip(one["stats"]["data"], two["stats"]["data"], strict=True)]
    assert finding["ratio"] == pytest.approx(statistics.median(ratios))
    assert finding["verdict"] == "does not hold here"
    assert "does not hold here:\n  two calls take no longer than 1: " in result.out
    assert saved["machine_info"]["torch"] == torch.__version__
    assert saved["machine_info"]["threads"] == torch.get_num_threads()


def test_switched_off_each_entry_runs_once_and_is_checked(bench):
    result = bench.run("tests/benchmarks", "--benchmark-disable", "--device", "cpu")

    assert result.counts == {"passed": 2}
    assert "findings" not in result.out


def test_a_wrong_answer_fails_however_fast(bench):
    file = bench.path / "tests" / "benchmarks" / "test_calls.py"
    file.write_text(file.read_text().replace('"two": 2', '"two": 3'))

    assert bench.run("tests/benchmarks", "--device", "cpu").counts == {"passed": 1, "failed": 1}
