"""Timing to be believed: alternatives raced in turns, on any device, and what may be said of the result.

`race` times, `Ratio` compares, `Finding` says in words what a comparison shows and how sure that is. The fixtures that
hand the times to pytest-benchmark are in tests/benchmarks/conftest.py.
"""

from __future__ import annotations

import gc
import itertools
import math
import random
import statistics
import time
from dataclasses import dataclass, field

ROUNDS = 31
"""Rounds of a race; odd, so that the median is one of the measurements."""

FEWEST_ROUNDS = 11
"""Rounds that a race has in any case, however long one takes."""

SECONDS = 1.5
"""What a race may take after its warm-up, in seconds; slow alternatives get fewer rounds, down to FEWEST_ROUNDS."""

BLOCK = 1e-3
"""A block of calls that is timed as one lasts at least so long, in seconds: the clock's own error is then no matter."""

MOST_CALLS = 2**20
"""Calls in a block at most: what takes no time at all, by its clock, must come to an end too."""

MARGIN = 0.05
"""A ratio within this of the limit of a claim is too close to call: a second run may differ by as much."""

SAMPLES_A_SECOND = "samples a second"
"""What is counted of a race between batch sizes, instead of seconds."""

OPERATIONS_A_SECOND = "operations a second"
"""What is counted of a race whose entries have a known amount of work, instead of seconds."""

LAUNCHING = 0.8
"""Calls that take at least so much of their time to return are bound by launches: the device waits for its orders."""

HOLDS, FALSE, OPEN = "holds here", "does not hold here", "inconclusive"


@dataclass(frozen=True)
class Times:
    """Seconds a call, one value for each round; `calls` of them were timed as one block.

    `launched` is what share of a block had passed when its last call returned, for each round: of a device that works
    while the program goes on, what is left is the work that its launches did not keep up with. It is 1 where calls wait
    for the device by themselves, and says nothing where nobody waits.
    """

    name: str
    seconds: list[float]
    calls: int
    launched: list[float] = field(default_factory=list)

    @property
    def median(self):
        return statistics.median(self.seconds)

    @property
    def spread(self):
        """The interquartile range as a share of the median."""
        lower, _, upper = statistics.quantiles(self.seconds, n=4)
        return (upper - lower) / self.median

    @property
    def bound_by_launches(self):
        """Whether launching takes the time and not the work, on a device that works while the program goes on."""
        return bool(self.launched) and statistics.median(self.launched) >= LAUNCHING


def race(entries, synchronize=lambda: None, rounds=ROUNDS, seconds=SECONDS, clock=time.perf_counter, waits=True):
    """Time alternatives in turns: one block of each a round, in an order that changes from round to round.

    What disturbs the machine for a while then disturbs all of them alike, and a ratio taken round by round stays what
    it is. `entries` maps a name to a function without arguments; `synchronize` waits until the device has done
    everything, and is called before a block begins and before its end is read, so that a launch is not taken for the
    work. The first calls, which compile, allocate and choose algorithms, are not timed; nor is garbage collected.
    With `waits=False` the end is read at once, which is the mistake a naive timer makes.

    Returns a dict of `Times` in the order of `entries`.
    """
    blocks = {name: _Block(function, synchronize, clock, waits) for name, function in entries.items()}
    for block in blocks.values():
        block.warm_up()
    once = sum(block.take() * block.calls for block in blocks.values())
    rounds = max(FEWEST_ROUNDS, min(rounds, int(seconds / once))) | 1
    order, shuffled = list(blocks), random.Random(0)
    was_enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        taken, launched = {name: [] for name in blocks}, {name: [] for name in blocks}
        for _ in range(rounds):
            shuffled.shuffle(order)
            for name in order:
                taken[name].append(blocks[name].take())
                launched[name].append(blocks[name].launched)
    finally:
        if was_enabled:
            gc.enable()
    return {
        name: Times(name, taken[name], block.calls, launched[name] if waits else []) for name, block in blocks.items()
    }


def glance(function, synchronize=lambda: None, clock=time.perf_counter, blocks=5):
    """Seconds a call, from the quickest of some blocks: enough to choose a size by, and not to compare by."""
    block = _Block(function, synchronize, clock)
    block.warm_up()
    return min(block.take() for _ in range(blocks))


@dataclass
class _Block:
    """Calls of one function that are timed together, because a single one may be too short for the clock."""

    function: object
    synchronize: object
    clock: object
    waits: bool = True
    calls: int = 1
    launched: float = 1.0

    def warm_up(self):
        """Find out how many calls a block needs: by the quickest of three, for the machine may have been busy."""
        while (taken := min(self.take() for _ in range(3)) * self.calls) < BLOCK and self.calls < MOST_CALLS:
            self.calls *= 2 if taken > BLOCK / 4 else 4

    def take(self):
        """Seconds a call, from one block; a short one is called once before, for others have used the caches."""
        function = self.function
        if self.calls > 1:
            function()
        self.synchronize()
        start = self.clock()
        for _ in range(self.calls):
            function()
        returned = self.clock()
        if self.waits:
            self.synchronize()
        taken = self.clock() - start
        self.launched = (returned - start) / taken if taken else 1.0
        return taken / self.calls


@dataclass(frozen=True)
class Ratio:
    """How many times as long one alternative takes as another: the median of the rounds and its confidence interval."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, one, another):
        """From two `Times` of one race."""
        return cls.of_rounds(one.seconds, another.seconds)

    @classmethod
    def of_rounds(cls, ones, others):
        """From what two alternatives took in the same rounds: seconds, or steps, or whatever is counted.

        The interval holds the true median in 19 of 20 cases, whatever the distribution of the rounds: it reaches from
        the k-th smallest to the k-th largest of the n ratios, k = n/2 - 1.96 sqrt(n)/2 rounded down (Conover, Practical
        Nonparametric Statistics, 3rd edition, section 3.2, the normal approximation of the binomial distribution). Six
        rounds are the fewest that can do so; the interval is then their range.
        """
        ratios = sorted(a / b for a, b in zip(ones, others, strict=True))
        number = len(ratios)
        k = max(1, math.floor(number / 2 - 1.96 * math.sqrt(number) / 2))
        return cls(statistics.median(ratios), ratios[k - 1], ratios[number - k])

    def __str__(self):
        return f"{factor(self.value)} ({self.interval})"

    @property
    def interval(self):
        return f"{factor(self.low)} to {factor(self.high)}"

    @property
    def shares(self):
        return f"{percent(self.low)} to {percent(self.high)}"


def factor(value):
    """A factor that is read aloud: 1.50, 42, 1/2,500, with two or three digits that say something."""
    if value < 0.1:
        return f"1/{factor(1 / value)}"
    return f"{value:.2f}" if value < 10 else f"{float(f'{value:.2g}'):,.0f}"


def _times(text):
    return text if text.startswith("1/") else f"{text} times"


def percent(value):
    """A share that is read aloud: 31 %, 3.1 %."""
    return f"{100 * value:.{0 if value >= 0.0995 else 1}f} %"


@dataclass(frozen=True)
class Finding:
    """A sentence about two alternatives, with their ratio in its gap `{times}`, and whether it is as claimed here.

    The sentence says what is divided by what: "a loop takes {times} as long as torch". The claim is that the ratio is
    `at_most` so much, or `at_least` so much. In the gap `{share}` the ratio is a percentage. `launches` names the
    alternatives that are bound by launches: the sentence then says that this is what was timed of them.
    """

    sentence: str
    ratio: Ratio
    at_most: float | None = None
    at_least: float | None = None
    group: str = ""
    launches: tuple = ()

    def __post_init__(self):
        if (self.at_most is None) == (self.at_least is None):
            raise ValueError(f"{self.sentence!r}: give `at_most` or `at_least`, and not both")

    @property
    def limit(self):
        return self.at_least if self.at_most is None else self.at_most

    @property
    def is_share(self):
        return "{share}" in self.sentence

    @property
    def claimed(self):
        limit = f"{self.limit:g}" if self.limit >= 0.1 else factor(self.limit)
        limit = percent(self.limit) if self.is_share else _times(limit)
        return f"at {'most' if self.at_least is None else 'least'} {limit}"

    @property
    def claim(self):
        return self.sentence.format(times=self.claimed, share=self.claimed)

    @property
    def found(self):
        """The sentence with the number that was found, and the one that was claimed."""
        value = self.ratio.value
        said = self.sentence.format(times=_times(factor(value)), share=percent(value))
        launches = f"; of {' and of '.join(self.launches)} the launch is what was timed" if self.launches else ""
        return f"{said} (claimed: {self.claimed}){launches}"

    @property
    def verdict(self):
        """`holds here` or `does not hold here` where the whole interval is on one side of the limit by MARGIN."""
        below = self.ratio.high < self.limit * (1 - MARGIN)
        above = self.ratio.low > self.limit * (1 + MARGIN)
        if not (below or above):
            return OPEN
        return HOLDS if below == (self.at_least is None) else FALSE

    @property
    def evidence(self):
        return f"95 % interval {self.ratio.shares if self.is_share else self.ratio.interval}"

    @property
    def numbers(self):
        limit = {"at_most": self.at_most} if self.at_least is None else {"at_least": self.at_least}
        share = {"unit": "share"} if self.is_share else {}
        return {"ratio": self.ratio.value, "low": self.ratio.low, "high": self.ratio.high, **limit, **share}

    def __str__(self):
        return f"{self.found}; {self.evidence}"


GAIN = 1.25
"""What doubling a batch must at least multiply the samples a second by, to pay: a quarter of what it could add."""


def knee(sizes, rates, gain=GAIN):
    """The batch size beyond which no doubling pays: none of them multiplies the rate by `gain` or more.

    `rates` are samples a second for the `sizes`, each twice the one before. Twice the batch could at most double them;
    a quarter of that gain is what is asked for by default. A doubling that does not pay, where a later one does, is a
    change of algorithm: some convolutions have a quicker one for a single image.
    """
    return _last(sizes, [after >= gain * before for before, after in itertools.pairwise(rates)])


def _last(sizes, pays):
    return max([sizes[0], *(larger for larger, so in zip(sizes[1:], pays, strict=True) if so)])


@dataclass(frozen=True)
class Knee:
    """A sentence that says beyond which batch size no doubling pays, and whether that is certain.

    `growth` has one `Ratio` for each doubling of `sizes`: the samples a second of the larger batch against those of the
    smaller. By their intervals, and by MARGIN, doublings surely pay up to `low`, and surely none does beyond `high`.
    """

    what: str
    sizes: list[int]
    growth: list[Ratio]
    group: str = ""

    @classmethod
    def of(cls, what, times, group=""):
        """From the `Times` of one race whose entries are batch sizes, each twice the one before."""
        sizes = list(times)
        growth = [
            Ratio.of_rounds([2 * seconds for seconds in times[size].seconds], times[2 * size].seconds)
            for size in sizes[:-1]
        ]
        return cls(what, sizes, growth, group)

    @property
    def size(self):
        return _last(self.sizes, [growth.value >= GAIN for growth in self.growth])

    @property
    def low(self):
        return _last(self.sizes, [growth.low >= GAIN * (1 + MARGIN) for growth in self.growth])

    @property
    def high(self):
        return _last(self.sizes, [growth.high >= GAIN * (1 - MARGIN) for growth in self.growth])

    @property
    def reached(self):
        """Whether a knee was seen for certain: no doubling beyond it pays, and one beyond it was tried."""
        return self.high < self.sizes[-1]

    @property
    def claim(self):
        most = f"{self.sizes[-1]:,}"
        if self.low == self.sizes[-1]:
            return f"{self.what}: each doubling of the batch pays up to {most}, the largest that was tried"
        if not self.reached:
            return (
                f"{self.what}: doubling the batch pays up to {self.low:,}, and it is not certain that it stops to pay "
                f"before {most}, the largest that was tried"
            )
        upwards = "" if self.high == self.low else f" to {self.high:,}"
        return (
            f"{self.what}: doubling the batch stops to pay at {self.low:,}{upwards}: "
            "the samples a second grow by less than a quarter beyond"
        )

    found = claim

    @property
    def verdict(self):
        """`holds here` where a knee was reached and is known to a factor of two: one doubling is often too close."""
        return HOLDS if self.reached and self.high <= 2 * self.low else OPEN

    @property
    def evidence(self):
        at = min(self.sizes.index(self.size), len(self.growth) - 1)
        return f"{self.sizes[at]:,} to {self.sizes[at + 1]:,} multiplies the samples a second by {self.growth[at]}"

    @property
    def numbers(self):
        return {"knee": self.size, "low": self.low, "high": self.high, "gain": GAIN, "reached": self.reached}

    def __str__(self):
        return f"{self.claim}; {self.evidence}"


FLAT = 2
"""A batch that takes at most so many times as long as one sample: at least half of that is no work on its samples."""


@dataclass(frozen=True)
class Floor:
    """A sentence that says up to which batch size a step takes about as long as with one sample.

    Up to there it is launches, calls and other fixed costs that take the time, and not the samples. `growth` has one
    `Ratio` for each size but the least: its seconds against those of the least. By their intervals, and by MARGIN, a
    step surely takes no more than FLAT times as long up to `low`, and surely takes more beyond `high`.
    """

    what: str
    sizes: list[int]
    growth: list[Ratio]
    group: str = ""

    @classmethod
    def of(cls, what, times, group=""):
        """From the `Times` of one race whose entries are batch sizes, ascending."""
        sizes = list(times)
        return cls(what, sizes, [Ratio.of(times[size], times[sizes[0]]) for size in sizes[1:]], group)

    @property
    def size(self):
        return self._up_to(lambda growth: growth.value <= FLAT)

    @property
    def low(self):
        return self._up_to(lambda growth: growth.high <= FLAT * (1 - MARGIN))

    @property
    def high(self):
        return self._up_to(lambda growth: growth.low <= FLAT * (1 + MARGIN))

    def _up_to(self, is_flat):
        flat = itertools.takewhile(lambda pair: is_flat(pair[1]), zip(self.sizes[1:], self.growth, strict=True))
        return [self.sizes[0], *(size for size, _ in flat)][-1]

    @property
    def reached(self):
        """Whether the end of it was seen for certain: a larger batch takes longer."""
        return self.high < self.sizes[-1]

    @property
    def claim(self):
        least, most = f"{self.sizes[0]:,}", f"{self.sizes[-1]:,}"
        if self.low == self.sizes[-1]:
            return f"{self.what}: launches take the time up to a batch of {most}, the largest that was tried"
        if not self.reached:
            return (
                f"{self.what}: launches take the time up to a batch of {self.low:,}, and it is not certain that "
                f"samples do before {most}, the largest that was tried"
            )
        upwards = "" if self.high == self.low else f" to {self.high:,}"
        return (
            f"{self.what}: launches take the time up to a batch of {self.low:,}{upwards}, which takes at most "
            f"{FLAT:g} times as long as one of {least}; beyond, samples do"
        )

    found = claim

    @property
    def verdict(self):
        return HOLDS if self.reached and self.high <= 2 * self.low else OPEN

    @property
    def evidence(self):
        at = self.sizes.index(self.size)
        shown = list(zip(self.sizes[1:], self.growth, strict=True))[max(0, at - 1) : at + 1]
        return ", ".join(f"{size:,} takes {growth} times as long as {self.sizes[0]:,}" for size, growth in shown)

    @property
    def numbers(self):
        return {"floor": self.size, "low": self.low, "high": self.high, "flat": FLAT, "reached": self.reached}

    def __str__(self):
        return f"{self.claim}; {self.evidence}"
