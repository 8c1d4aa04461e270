"""The race: what it times, in which order, and what is made of the times."""

import dataclasses
import functools
import gc
import importlib.util
import json
import shutil
import statistics
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from torchnotes.measuring import bench as benches, limits, memory, sizing, timing

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


def test_a_race_that_does_not_wait_times_the_launch_alone():
    course = Course(asynchronous=True, short=1e-4, long=3e-4)

    def launching(entry):
        course.now += 1e-5  # what launching takes
        entry()

    course.entries = {name: lambda entry=entry: launching(entry) for name, entry in course.entries.items()}

    times = course.race(waits=False)

    assert times["short"].seconds == pytest.approx([1e-5] * timing.ROUNDS)
    assert times["long"].seconds == pytest.approx([1e-5] * timing.ROUNDS)


@pytest.mark.parametrize(("launch", "work", "launched", "bound"), [(1e-4, 3e-4, 0.25, False), (3e-4, 1e-6, 1, True)])
def test_a_race_tells_launches_from_work(launch, work, launched, bound):
    course = Course(asynchronous=True, it=work)
    entry = course.entries["it"]

    def launching():
        course.now += launch
        entry()

    course.entries["it"] = launching

    times = course.race()["it"]

    assert statistics.median(times.launched) == pytest.approx(launched, abs=0.01)
    assert times.bound_by_launches is bound
    assert not course.race(waits=False)["it"].bound_by_launches  # nobody knows what was left to do


def test_a_glance_finds_what_a_call_takes():
    course = Course(asynchronous=True, it=3e-4)

    assert timing.glance(course.entries["it"], course.synchronize, lambda: course.now) == pytest.approx(3e-4)


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


def test_a_busy_moment_does_not_make_a_block_too_small():
    course = Course(short=1e-5)
    entry, calls = course.entries["short"], []

    def is_held_up_at_first():
        calls.append(1)
        course.now += 1 if len(calls) in (1, 2) else 0
        entry()

    course.entries["short"] = is_held_up_at_first

    assert course.race()["short"].calls * 1e-5 >= timing.BLOCK


def test_a_short_entry_does_not_pay_for_the_caches_that_others_have_used():
    course = Course(short=1e-5, long=2e-3)
    entry = course.entries["short"]

    def is_slow_after_another():
        course.now += 1e-3 if course.called[-1:] == ["long"] else 0
        entry()

    course.entries["short"] = is_slow_after_another

    assert course.race()["short"].seconds == pytest.approx([1e-5] * timing.ROUNDS)


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
    finding = timing.Finding("a loop takes {times} as long as torch", timing.Ratio(*ratio), at_most=1)
    opposite = {"holds here": "does not hold here", "does not hold here": "holds here"}

    assert finding.verdict == verdict
    assert dataclasses.replace(finding, at_most=None, at_least=1).verdict == opposite.get(verdict, verdict)
    assert finding.claim == "a loop takes at most 1 times as long as torch"
    assert finding.found == f"a loop takes {ratio[0]:.2f} times as long as torch (claimed: at most 1 times)"
    assert str(finding) == f"{finding.found}; 95 % interval {ratio[1]:.2f} to {ratio[2]:.2f}"


@pytest.mark.parametrize(
    ("ratio", "at_least", "sentence"),
    [
        (1 / 73, 10, "a loop takes 1/73 as long as torch (claimed: at least 10 times)"),
        (0.13, 10, "a loop takes 0.13 times as long as torch (claimed: at least 10 times)"),
        (199.6, 10, "a loop takes 200 times as long as torch (claimed: at least 10 times)"),
        (1 / 57_769, 0.001, "a loop takes 1/58,000 as long as torch (claimed: at least 1/1,000)"),
    ],
)
def test_a_finding_says_what_was_found_in_the_direction_of_the_claim(ratio, at_least, sentence):
    finding = timing.Finding("a loop takes {times} as long as torch", timing.Ratio(ratio, ratio, ratio), None, at_least)

    assert finding.found == sentence


@pytest.mark.parametrize("limit", [{}, {"at_most": 1, "at_least": 1}])
def test_a_finding_claims_one_thing(limit):
    with pytest.raises(ValueError, match="give `at_most` or `at_least`, and not both"):
        timing.Finding("a loop takes {times} as long", timing.Ratio(1, 1, 1), **limit)


def test_a_share_is_a_percentage():
    finding = timing.Finding("a copy reaches {share} of the limit", timing.Ratio(0.312, 0.0449, 0.5), at_least=0.5)

    assert finding.claim == "a copy reaches at least 50 % of the limit"
    assert str(finding) == "a copy reaches 31 % of the limit (claimed: at least 50 %); 95 % interval 4.5 % to 50 %"
    assert finding.numbers == {"ratio": 0.312, "low": 0.0449, "high": 0.5, "at_least": 0.5, "unit": "share"}


def test_a_finding_about_launches_says_so():
    finding = timing.Finding("8k takes {times} as long as 8k+1", timing.Ratio(1, 1, 1), at_most=0.9)

    of_one, of_both = (dataclasses.replace(finding, launches=names) for names in (("8k",), ("8k", "8k+1")))

    assert of_one.found == f"{finding.found}; of 8k the launch is what was timed"
    assert of_both.found == f"{finding.found}; of 8k and of 8k+1 the launch is what was timed"
    assert of_both.claim == finding.claim


def test_equals_can_meet_a_claim_of_equality():
    assert timing.Finding("one takes {times} as long", timing.Ratio(1, 0.97, 1.03), at_most=1.1).verdict == "holds here"


def test_a_small_ratio_is_not_shown_as_zero():
    assert str(timing.Ratio(0.000123, 0.0999, 12.345)) == "1/8,100 (1/10 to 12)"


def test_the_spread_is_the_interquartile_range_as_a_share_of_the_median():
    assert times(1, 2, 3, 4, 5, 6, 7).spread == pytest.approx((6 - 2) / 4)


@pytest.mark.parametrize(
    ("rates", "size"),
    [([1, 2, 4, 8], 8), ([1, 2, 4, 4.9], 4), ([1, 0.8, 1.6, 1.9], 4), ([1, 2, 2.5, 2.6], 4), ([5, 5, 5, 5], 1)],
)
def test_the_knee_is_where_doubling_stops_to_pay(rates, size):
    assert timing.knee([1, 2, 4, 8], rates) == size


def a_race_of_sizes(*growth):
    """Times of batches of 1, 2, 4, ...: of 11 rounds 3 have the low growth, 5 the median and 3 the high one."""
    found, rate = {1: times(*[1.0] * 11)}, [1.0] * 11
    for power, (low, middle, high) in enumerate(growth, start=1):
        rate = [one * more for one, more in zip(rate, [low] * 3 + [middle] * 5 + [high] * 3, strict=True)]
        found[2**power] = times(*[2**power / one for one in rate])
    return found


PAYS, DOES_NOT = (1.8, 1.9, 2.0), (1.0, 1.1, 1.15)


@pytest.mark.parametrize(
    ("growth", "size", "low", "high", "verdict"),
    [
        ([PAYS, DOES_NOT, DOES_NOT], 2, 2, 2, "holds here"),
        ([PAYS, (1.0, 1.1, 1.26), DOES_NOT], 2, 2, 4, "holds here"),
        ([PAYS, (1.0, 1.1, 1.26)], 2, 2, 4, "inconclusive"),
        ([(1.24, 1.9, 2.0), DOES_NOT, DOES_NOT], 2, 1, 2, "holds here"),
        ([(1.24, 1.24, 1.26), (1.24, 1.3, 1.4), DOES_NOT], 4, 1, 4, "inconclusive"),
        ([PAYS, DOES_NOT, (1.1, 1.2, 1.26)], 2, 2, 8, "inconclusive"),
        ([DOES_NOT, PAYS, DOES_NOT], 4, 4, 4, "holds here"),  # one dip is not yet the knee
        ([DOES_NOT, DOES_NOT, DOES_NOT], 1, 1, 1, "holds here"),
        ([PAYS, PAYS, PAYS], 8, 8, 8, "inconclusive"),  # there may be none
    ],
)
def test_the_knee_is_certain_to_a_factor_of_two_or_not_at_all(growth, size, low, high, verdict):
    found = a_race_of_sizes(*growth)
    knee = timing.Knee.of("an MLP", found)

    assert (knee.size, knee.low, knee.high, knee.verdict) == (size, low, high, verdict)
    assert size == timing.knee(list(found), [size / each.median for size, each in found.items()])
    assert knee.reached == (high < max(found))
    assert knee.numbers == {"knee": size, "low": low, "high": high, "gain": 1.25, "reached": knee.reached}


@pytest.mark.parametrize(
    ("growth", "sentence"),
    [
        ([PAYS, DOES_NOT], "doubling the batch stops to pay at 2: the samples a second grow by less than a "),
        ([(1.24, 1.9, 2.0), DOES_NOT], "doubling the batch stops to pay at 1 to 2: "),
        (
            [PAYS, (1.0, 1.1, 1.26)],
            "doubling the batch pays up to 2, and it is not certain that it stops to pay before 4, the largest that ",
        ),
        ([PAYS, PAYS], "each doubling of the batch pays up to 4, the largest that was tried; 2 to 4 multiplies "),
    ],
)
def test_a_knee_is_a_sentence(growth, sentence):
    knee = timing.Knee.of("an MLP", a_race_of_sizes(*growth))

    assert str(knee).startswith(f"an MLP: {sentence}")
    assert knee.found == knee.claim


def test_a_knee_shows_what_the_next_doubling_brings():
    knee = timing.Knee.of("an MLP", a_race_of_sizes(PAYS, DOES_NOT))

    assert knee.evidence == "2 to 4 multiplies the samples a second by 1.10 (1.00 to 1.15)"


def steps(*seconds):
    """Times of batches of 1, 2, 4, ...: each took the same in all of 11 rounds, or 3 low, 5 median and 3 high ones."""
    spreads = (each if isinstance(each, tuple) else (each,) * 3 for each in seconds)
    return {2**at: times(*[low] * 3 + [middle] * 5 + [high] * 3) for at, (low, middle, high) in enumerate(spreads)}


@pytest.mark.parametrize(
    ("found", "size", "low", "high", "verdict"),
    [
        (steps(1, 1.1, 1.2, 3, 6), 4, 4, 4, "holds here"),
        (steps(1, 1.1, (1.8, 2, 2.2), 3, 6), 4, 2, 4, "holds here"),
        (steps(1, (1.8, 2, 2.2), (1.8, 2, 2.2), 3, 6), 4, 1, 4, "inconclusive"),
        (steps(1, 3, 1, 4), 1, 1, 1, "holds here"),  # a later size that is quick again does not count
        (steps(1, 1.1, 1.2), 4, 4, 4, "inconclusive"),  # its end was not seen
    ],
)
def test_launches_take_the_time_as_long_as_a_step_takes_as_long_as_with_one_sample(found, size, low, high, verdict):
    floor = timing.Floor.of("an MLP", found)

    assert (floor.size, floor.low, floor.high, floor.verdict) == (size, low, high, verdict)
    assert floor.numbers == {"floor": size, "low": low, "high": high, "flat": 2, "reached": high < max(found)}


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (
            steps(1, 1.1, 1.2, 3, 4),
            "an MLP: launches take the time up to a batch of 4, which takes at most 2 times as long as one of 1; "
            "beyond, samples do; 4 takes 1.20 (1.20 to 1.20) times as long as 1, "
            "8 takes 3.00 (3.00 to 3.00) times as long as 1",
        ),
        (
            steps(1, (1.8, 2, 2.2), 3),
            "an MLP: launches take the time up to a batch of 1 to 2, which takes at most 2 times as long as one of "
            "1; beyond, samples do; 2 takes 2.00 (1.80 to 2.20) times as long as 1, "
            "4 takes 3.00 (3.00 to 3.00) times as long as 1",
        ),
        (
            steps(1, 1.1, 1.2),
            "an MLP: launches take the time up to a batch of 4, the largest that was tried; "
            "4 takes 1.20 (1.20 to 1.20) times as long as 1",
        ),
        (
            steps(1, 1.1, (1.8, 2, 2.2)),
            "an MLP: launches take the time up to a batch of 2, and it is not certain that samples do before 4, the "
            "largest that was tried; 4 takes 2.00 (1.80 to 2.20) times as long as 1",
        ),
        (
            steps(1, 3),
            "an MLP: launches take the time up to a batch of 1, which takes at most 2 times as long as one of 1; "
            "beyond, samples do; 2 takes 3.00 (3.00 to 3.00) times as long as 1",
        ),
    ],
)
def test_a_floor_is_a_sentence(found, sentence):
    assert str(timing.Floor.of("an MLP", found)) == sentence


GPU = [1.0, 1.0, 1.0, 1.1, 1.5, 2.8, 5.5, 11.0, 22.0]
"""Milliseconds of batches of 1, 2, 4, ...: launches first, and then work."""


def trying(seconds, full_from=None):
    """`make` and `seconds_of` of sizes 1, 2, 4, ..., which take so many seconds; from one on there is no memory."""
    tried = []

    def make(size):
        if full_from and size >= full_from:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        tried.append(size)
        return size

    sizes = [2**at for at in range(len(seconds))]
    return tried, (make, sizes, lambda size: seconds[sizes.index(size)])


@pytest.mark.parametrize(
    ("seconds", "options", "last", "why"),
    [
        ([each / 1000 for each in GPU], {}, 64, sizing.WORK),
        ([each / 1000 for each in GPU], {"least": 256}, 256, sizing.WORK),
        ([1e-3, 2e-3, 2.1e-3, 4.2e-3, 4.3e-3], {}, 16, sizing.SIZES),  # one doubling that doubles is not enough
        ([each / 1000 for each in GPU], {"longest": 2e-3}, 32, sizing.TIME),
        ([0.5, 1e-3, 1e-3, 1e-3], {"longest": 0.1, "least": 4}, 8, sizing.SIZES),  # somebody else was busy at first
    ],
)
def test_a_sweep_goes_on_until_work_takes_the_time(seconds, options, last, why):
    tried, arguments = trying(seconds)

    sweep = sizing.sweep(*arguments, **options)

    assert sweep == sizing.Sweep([2**at for at in range(last.bit_length())], why)
    assert tried == sweep.sizes


def test_a_sweep_ends_before_the_memory_does():
    _, arguments = trying([1e-3] * 8, full_from=32)

    assert sizing.sweep(*arguments) == sizing.Sweep([1, 2, 4, 8], sizing.MEMORY)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory: you tried to"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("MPS backend out of memory (MPS allocated: 8.00 GB)"),
        MemoryError(),
    ],
)
def test_every_way_to_run_out_of_memory_ends_a_search(error):
    def make(size):
        if size > 2:
            raise error

    assert sizing.largest(make, [1, 2, 4], lambda function: 1e-3) == 2
    assert sizing.sweep(make, [1, 2, 4], lambda function: 1e-3) == sizing.Sweep([1], sizing.MEMORY)


@pytest.mark.parametrize(
    "text", ["mat1 and mat2 shapes cannot be multiplied", "an illegal memory access was encountered"]
)
def test_an_error_that_is_not_about_memory_is_not_kept_quiet(text):
    def make(size):
        raise RuntimeError(text)

    for choose in (sizing.sweep, sizing.largest):
        with pytest.raises(RuntimeError, match=text):
            choose(make, [1, 2], lambda size: 1e-3)


@pytest.mark.parametrize(
    ("seconds", "full_from", "size"),
    [([1e-3, 5e-3, 0.01, 0.02], None, 4), ([1e-3] * 4, None, 8), ([1e-3] * 4, 4, 2), ([0.02, 0.03], None, None)],
)
def test_the_largest_size_is_quick_enough_and_finds_memory(seconds, full_from, size):
    _, arguments = trying(seconds, full_from)

    assert sizing.largest(*arguments) == size


def test_a_call_takes_at_least_what_its_arithmetic_takes_and_what_its_bytes_take():
    limit = limits.Limits(operations=1e9, bytes=1e8)

    assert limit.seconds(limits.Work(torch.float32, operations=2e9, bytes=1e8)) == 2
    assert limit.seconds(limits.Work(torch.float32, operations=0, bytes=3e8)) == 3


def test_the_work_of_a_product_is_that_of_its_terms_and_matrices():
    assert limits.of_product(2, 3, 5, torch.float16) == limits.Work(torch.float16, 60, 2 * (6 + 15 + 10))
    assert limits.of_product(2, 3, 5, torch.int8) == limits.Work(torch.int8, 60, 6 + 15 + 4 * 10)


def test_the_limits_of_a_device_are_those_of_its_quickest_product_and_its_largest_copy(monkeypatch):
    monkeypatch.setattr(limits, "SIDES", [2, 4, 8])
    monkeypatch.setattr(limits, "COPIED", [2**10, 2**11])
    seconds = iter([16e-3 / 1000, 128e-4 / 1000, 1024e-3 / 1000, 1e-3, 1e-3, 1e-3])

    found = limits.measured(torch.device("cpu"), torch.float32, lambda call: call() is None or next(seconds))

    assert found == limits.Limits(operations=pytest.approx(1e7), bytes=2 * 2**11 / 1e-3)


def test_what_a_copy_showed_is_the_limit_for_every_dtype(monkeypatch):
    monkeypatch.setattr(limits, "SIDES", [2])
    known = limits.Limits(operations=1, bytes=7)

    found = limits.measured(torch.device("cpu"), torch.float32, lambda call: 16e-3, known)

    assert found == limits.Limits(operations=pytest.approx(1000), bytes=7)


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


@pytest.mark.parametrize(("growth", "low", "high"), [(1.32, 2, 2), (1.28, 1, 2), (1.22, 1, 2), (1.18, 1, 1)])
def test_a_doubling_that_gains_about_a_quarter_may_pay_or_not(growth, low, high):
    knee = timing.Knee("sums", [1, 2], [timing.Ratio(growth, growth, growth)])

    assert (knee.low, knee.high) == (low, high)


RACE = """
from torchnotes.measuring import timing

@pytest.mark.finding("two calls take {times} as long as {number}", "two", "one", at_most=1.1)
@pytest.mark.parametrize("number", [1])
@pytest.mark.parametrize("entry", ["one", "two"])
def test_calls(race, entry, number):
    def call(times):
        timing.spend(1e-3 * times)
        return times

    found = race(entry, {"one": lambda: call(1), "two": lambda: call(2)})

    assert race.times is None or list(race.times) == ["one", "two"]
    assert found == {"one": 1, "two": 2}[entry]
"""


@pytest.fixture
def bench(project, monkeypatch):
    """A project with benchmarks, and a clock that only `timing.spend(seconds)` moves: no other process disturbs it."""
    spent = []
    monkeypatch.setattr(timing, "spend", spent.append, raising=False)
    monkeypatch.setattr(timing, "race", functools.partial(timing.race, clock=lambda: sum(spent)))
    folder = project.path / "tests" / "benchmarks"
    folder.mkdir()
    shutil.copy(BENCHMARKS / "conftest.py", folder / "conftest.py")
    (folder / "test_calls.py").write_text(
        f'import pytest\npytestmark = pytest.mark.section("11")\n{RACE}', encoding="utf-8"
    )
    return project


def test_pytest_benchmark_shows_and_saves_what_the_race_measured(bench):
    result = bench.run("tests/benchmarks", "--benchmark-json=bench.json", "--device", "cpu")

    assert result.code == 0, result.text
    saved = json.loads((bench.path / "bench.json").read_text())
    one, two = saved["benchmarks"]
    assert [entry["extra_info"]["entry"] for entry in (one, two)] == ["one", "two"]
    assert [entry["extra_info"]["section"] for entry in (one, two)] == ["11", "11"]
    assert one["group"] == two["group"] == "calls, number 1"
    assert one["stats"]["rounds"] == two["stats"]["rounds"] >= timing.FEWEST_ROUNDS
    (finding,) = saved["findings"]
    assert finding["claim"] == "two calls take at most 1.1 times as long as 1"
    assert finding["found"] == "two calls take 2.00 times as long as 1 (claimed: at most 1.1 times)"
    ratios = [b / a for a, b in zip(one["stats"]["data"], two["stats"]["data"], strict=True)]
    assert finding["ratio"] == pytest.approx(statistics.median(ratios)) == pytest.approx(2)
    assert finding["verdict"] == "does not hold here"
    assert (
        "does not hold here:\n  two calls take 2.00 times as long as 1 (claimed: at most 1.1 times); 95 % "
        in result.out
    )
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


SIZES = """
from torchnotes.measuring import timing

@pytest.mark.knee("{what} sums")
@pytest.mark.finding("{what} sums of 4 give {times} as many as of 1", 4, 1, at_least=2, of="samples a second")
@pytest.mark.parametrize("what", ["long"])
@pytest.mark.parametrize("entry", [1, 2, 4])
def test_sums(race, entry, what):
    race(entry, {size: lambda size=size: timing.spend(1e-3 * size) for size in (1, 2, 4)})
"""


def test_a_race_of_sizes_says_where_its_knee_is(bench):
    (bench.path / "tests" / "benchmarks" / "test_calls.py").write_text(f"import pytest\n{SIZES}")

    result = bench.run("tests/benchmarks", "--benchmark-json=bench.json", "--device", "cpu")

    assert result.code == 0, result.text
    rate, knee = json.loads((bench.path / "bench.json").read_text())["findings"]
    assert rate["found"] == "long sums of 4 give 1.00 times as many as of 1 (claimed: at least 2 times)"
    assert rate["at_least"] == 2
    assert rate["verdict"] == "does not hold here"
    sentence = (
        "long sums: doubling the batch stops to pay at 1: the samples a second grow by less than a quarter beyond"
    )
    assert knee == {
        "claim": sentence,
        "found": sentence,
        "group": "sums, what long",
        "knee": 1,
        "low": 1,
        "high": 1,
        "gain": 1.25,
        "reached": True,
        "verdict": "holds here",
    }


LIMITED = """
import torch
from torchnotes.measuring import limits, timing

WORK = {side: limits.of_product(side, side, side, torch.float32) for side in (7, 8)}

@pytest.mark.limit("{what} of 8 reaches {share} of the limit", 8)
@pytest.mark.finding("{what} of 7 reach {share} of that of 8", 7, 8, at_least=0.9, of="operations a second")
@pytest.mark.parametrize("entry", [7, 8])
def test_products(race, device, entry):
    race(
        entry,
        {side: lambda side=side: timing.spend(1e-3) for side in WORK},
        about={"what": "products"},
        work=WORK,
    )
"""


def test_work_is_set_against_the_limits_of_the_device(bench, monkeypatch):
    (bench.path / "tests" / "benchmarks" / "test_calls.py").write_text(f"import pytest\n{LIMITED}", encoding="utf-8")
    asked = []
    monkeypatch.setattr(limits, "measured", lambda *about: asked.append(about[:2]) or limits.Limits(2e6, 1e9))

    result = bench.run("tests/benchmarks", "--benchmark-json=bench.json", "--device", "cpu")

    assert result.code == 0, result.text
    assert asked == [(torch.device("cpu"), torch.float32)]
    saved = json.loads((bench.path / "bench.json").read_text())
    assert [finding["found"] for finding in saved["findings"]] == [
        "products of 7 reach 67 % of that of 8 (claimed: at least 90 %)",
        "products of 8 reaches 51 % of the limit (claimed: at least 50 %)",
    ]
    about = saved["benchmarks"][1]["extra_info"]
    assert (about["operations"], about["bytes"], about["limit_of"]) == (1024, 768, "float32")
    assert (about["operations_a_second_at_most"], about["bytes_a_second_at_most"]) == (2e6, 1e9)
    assert about["share_of_limit"] == pytest.approx(0.512)
    benches.read(bench.path / "bench.json")


SIZED = """
from torchnotes.measuring import sizing, timing

CALLED = []

@pytest.mark.parametrize("kind", ["short", "long"])
@pytest.mark.parametrize("entry", ["one", "two"])
def test_sizes(race, sizes, entry, kind):
    def make(size):
        CALLED.append((kind, size))
        return lambda: None

    size = sizes.largest(make, [1, 2, 4])
    sweep = sizes.sweep(make, [2**at for at in range(8)], least=1)

    race(entry, {"one": lambda: timing.spend(1e-3), "two": lambda: timing.spend(1e-3)})
    assert (size, sweep) == SEEN
    assert [of for of, _ in CALLED].count(kind) == CALLS
"""


@pytest.mark.parametrize("disabled", [False, True])
def test_sizes_are_chosen_once_for_all_entries_of_a_race(bench, monkeypatch, disabled):
    monkeypatch.setattr(sizing, "largest", lambda make, all_sizes, seconds_of, most: make(4) and 4)
    monkeypatch.setattr(sizing, "sweep", lambda make, all_sizes, seconds_of, least: make(1) and "all of them")
    seen = "1, sizing.Sweep([1, 2, 4, 8, 16, 32], 'nothing is timed')" if disabled else "4, 'all of them'"
    text = f"import pytest\n{SIZED}\nSEEN = {seen}\nCALLS = {0 if disabled else 2}\n"
    (bench.path / "tests" / "benchmarks" / "test_calls.py").write_text(text, encoding="utf-8")

    result = bench.run("tests/benchmarks", "--device", "cpu", *["--benchmark-disable"] * disabled)

    assert result.counts == {"passed": 4}, result.text


def test_a_race_whose_least_size_takes_too_long_is_left_out(bench, monkeypatch):
    monkeypatch.setattr(sizing, "largest", lambda make, all_sizes, seconds_of, most: None)
    text = f"import pytest\n{SIZED}\nSEEN = CALLS = None\n"
    (bench.path / "tests" / "benchmarks" / "test_calls.py").write_text(text, encoding="utf-8")

    result = bench.run("tests/benchmarks", "--device", "cpu", "-rs")

    assert result.counts == {"skipped": 4}
    assert "of the least size, 1, a call takes more than 10 ms here" in result.text


@pytest.mark.parametrize(
    ("where", "launched", "names"), [("cuda", 0.9, ("it",)), ("cuda", 0.5, ()), ("cpu", 0.9, ()), (None, 0.9, ())]
)
def test_only_what_is_launched_can_be_bound_by_launches(where, launched, names):
    specification = importlib.util.spec_from_file_location("benchmarks_conftest", BENCHMARKS / "conftest.py")
    conftest = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(conftest)
    item = SimpleNamespace(callspec=SimpleNamespace(params={"device": where} if where else {}))

    found = {"it": timing.Times("it", [1.0], 1, [launched]), "trial": [{"seconds": 1.0}]}

    assert conftest._bound_by_launches(item, found, ("it", "trial")) == names


def test_what_is_alive_at_the_peak_of_a_step_is_counted_and_what_was_there_before_is_not():
    before = torch.ones(1000)

    def step():
        twice = before[:10].expand(1000, 10) * 2  # 40,000 bytes, of views of what was there
        half = twice / 2
        del twice
        return half + 1, before

    assert memory.at_peak(step) == 80_000


@pytest.mark.parametrize(("version", "counts"), [("2.1.2+cpu", False), ("2.2.0", True)])
def test_releases_that_crash_are_not_asked(monkeypatch, version, counts):
    monkeypatch.setattr(torch, "__version__", version)

    assert (memory.at_peak(lambda: torch.ones(1)) is not None) == counts


def test_backward_counts_too():
    parameter = torch.ones(1000, requires_grad=True)

    def step():
        (parameter * 2).sum().backward()

    # the product, or the gradient of the parameter when it is gone, with the sum and the gradient of that
    assert memory.at_peak(step) == 4000 + 4 + 4


def test_what_autograd_keeps_is_counted_once_and_without_the_parameters():
    model = torch.nn.Sequential(torch.nn.Linear(8, 4), torch.nn.ReLU())
    x = torch.ones(2, 8)

    assert memory.kept_for_backward(lambda: model(x), model) == 4 * (2 * 8 + 2 * 4)  # the input, and what ReLU gave


class Allocator:
    """What `torch.cuda` counts: 100 bytes before a step, 150 at its peak and 110 after it, of 200 and 300 reserved."""

    def __init__(self):
        self.calls, self.stepped = [], False

    def step(self):
        self.calls.append("step")
        self.stepped = True

    def empty_cache(self):
        self.calls.append("empty_cache")
        self.stepped = False

    def reset_peak_memory_stats(self, device):
        self.calls.append("reset")

    def memory_allocated(self, device):
        return 110 if self.stepped else 100

    def memory_reserved(self, device):
        return 300 if self.stepped else 200

    def max_memory_allocated(self, device):
        return 150

    def max_memory_reserved(self, device):
        return 300


def test_an_allocator_says_what_a_step_took_beyond_what_was_there(monkeypatch):
    allocator = Allocator()
    monkeypatch.setattr(torch, "someday", allocator, raising=False)
    device = SimpleNamespace(type="someday")

    counted = memory.counted_by(device, allocator.step, lambda: allocator.calls.append("wait"))

    assert counted == {"bytes_at_peak": 50, "bytes_left": 10, "bytes_reserved": 100}
    assert allocator.calls == ["step", "wait", "empty_cache", "reset", "step", "wait"]


def test_where_nobody_counts_memory_nothing_is_counted():
    assert memory.counted_by(torch.device("cpu"), lambda: None, lambda: None) == {}


TRIALS = """
CALLED = []

@pytest.mark.finding("a {kind} one has {times} as many steps", "one", "two", at_most=0.6, of="steps")
@pytest.mark.finding("a {kind} one takes {times} as long", "one", "two", at_most=1)
@pytest.mark.parametrize("kind", ["short"])
@pytest.mark.parametrize("entry", ["one", "two"])
def test_runs(trials, entry, kind):
    def training(name, steps):
        def run(seed):
            CALLED.append((name, seed))
            return {"seconds": 10.0 + seed if steps == 1 else 8.0 + 2 * seed, "steps": steps * (seed + 1)}

        return run

    results = trials(entry, {"one": training("one", 1), "two": training("two", 2)}, range(6))

    assert [result["steps"] for result in results] == SEEN[entry]
    assert CALLED == CALLS[entry] if len(results) == 1 else sorted(CALLED) == CALLS
"""


def test_trials_run_once_a_seed_and_each_gets_its_own_results(bench):
    file = bench.path / "tests" / "benchmarks" / "test_calls.py"
    seen = {"one": [1, 2, 3, 4, 5, 6], "two": [2, 4, 6, 8, 10, 12]}
    calls = [(name, seed) for name in ("one", "two") for seed in range(6)]
    file.write_text(f"import pytest\n{TRIALS}\nSEEN = {seen}\nCALLS = {calls}\n")

    result = bench.run("tests/benchmarks", "--benchmark-json=bench.json", "--device", "cpu")

    assert result.code == 0, result.text
    saved = json.loads((bench.path / "bench.json").read_text())
    one, two = saved["benchmarks"]
    assert one["extra_info"]["steps"] == {"median": 3.5, "least": 1, "most": 6}
    assert two["stats"]["data"] == pytest.approx([8, 10, 12, 14, 16, 18])
    by_claim = {finding.pop("claim"): finding for finding in saved["findings"]}
    assert by_claim["a short one has at most 0.6 times as many steps"] == {
        "found": "a short one has 0.50 times as many steps (claimed: at most 0.6 times)",
        "group": "runs, kind short",
        "ratio": 0.5,
        "low": 0.5,
        "high": 0.5,
        "at_most": 0.6,
        "verdict": "holds here",
    }
    # the seeds disagree
    assert by_claim["a short one takes at most 1 times as long"]["high"] == 10 / 8
    assert by_claim["a short one takes at most 1 times as long"]["low"] == 15 / 18
    assert by_claim["a short one takes at most 1 times as long"]["verdict"] == "inconclusive"


def test_switched_off_a_trial_runs_with_one_seed(bench):
    file = bench.path / "tests" / "benchmarks" / "test_calls.py"
    calls = {"one": [("one", 0)], "two": [("one", 0), ("two", 0)]}
    file.write_text(f"import pytest\n{TRIALS}\nSEEN = {dict(one=[1], two=[2])}\nCALLS = {calls}\n")

    assert bench.run("tests/benchmarks", "--benchmark-disable", "--device", "cpu").counts == {"passed": 2}
