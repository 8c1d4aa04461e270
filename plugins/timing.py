"""Timing to be believed: alternatives raced in turns, on any device, and what may be said of the result.

`race` times, `Ratio` compares, `Finding` says in words what a comparison shows and how sure that is. The fixtures that
hand the times to pytest-benchmark are in tests/benchmarks/conftest.py.
"""

from __future__ import annotations

import gc
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

HOLDS, FALSE, OPEN = "holds here", "does not hold here", "inconclusive"


@dataclass(frozen=True)
class Times:
    """Seconds a call, one value for each round; `calls` of them were timed as one block."""

    name: str
    seconds: list[float]
    calls: int

    @property
    def median(self):
        return statistics.median(self.seconds)

    @property
    def spread(self):
        """The interquartile range as a share of the median."""
        lower, _, upper = statistics.quantiles(self.seconds, n=4)
        return (upper - lower) / self.median


def race(entries, synchronize=lambda: None, rounds=ROUNDS, seconds=SECONDS, clock=time.perf_counter):
    """Time alternatives in turns: one block of each a round, in an order that changes from round to round.

    What disturbs the machine for a while then disturbs all of them alike, and a ratio taken round by round stays what
    it is. `entries` maps a name to a function without arguments; `synchronize` waits until the device has done
    everything, and is called before a block begins and before its end is read, so that a launch is not taken for the
    work. The first calls, which compile, allocate and choose algorithms, are not timed; nor is garbage collected.

    Returns a dict of `Times` in the order of `entries`.
    """
    blocks = {name: _Block(function, synchronize, clock) for name, function in entries.items()}
    for block in blocks.values():
        block.warm_up()
    once = sum(block.take() * block.calls for block in blocks.values())
    rounds = max(FEWEST_ROUNDS, min(rounds, int(seconds / once))) | 1
    order, shuffled = list(blocks), random.Random(0)
    was_enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        taken = {name: [] for name in blocks}
        for _ in range(rounds):
            shuffled.shuffle(order)
            for name in order:
                taken[name].append(blocks[name].take())
    finally:
        if was_enabled:
            gc.enable()
    return {name: Times(name, taken[name], block.calls) for name, block in blocks.items()}


@dataclass
class _Block:
    """Calls of one function that are timed together, because a single one may be too short for the clock."""

    function: object
    synchronize: object
    clock: object
    calls: int = 1

    def warm_up(self):
        for _ in range(3):
            self.function()
        while (taken := self.take() * self.calls) < BLOCK and self.calls < MOST_CALLS:
            self.calls *= 2 if taken > BLOCK / 4 else 4

    def take(self):
        """Seconds a call, from one block."""
        function = self.function
        self.synchronize()
        start = self.clock()
        for _ in range(self.calls):
            function()
        self.synchronize()
        return (self.clock() - start) / self.calls


@dataclass(frozen=True)
class Ratio:
    """How many times as long one alternative takes as another: the median of the rounds and its confidence interval."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, one, another):
        """From two `Times` of one race.

        The interval holds the true median in 19 of 20 cases, whatever the distribution of the rounds: it reaches from
        the k-th smallest to the k-th largest of the n ratios, k = n/2 - 1.96 sqrt(n)/2 rounded down (Conover, Practical
        Nonparametric Statistics, 3rd edition, section 3.2, the normal approximation of the binomial distribution).
        """
        ratios = sorted(a / b for a, b in zip(one.seconds, another.seconds, strict=True))
        number = len(ratios)
        k = max(1, math.floor(number / 2 - 1.96 * math.sqrt(number) / 2))
        return cls(statistics.median(ratios), ratios[k - 1], ratios[number - k])

    def __str__(self):
        return f"{self.value:.2f} ({self.low:.2f} to {self.high:.2f})"


@dataclass(frozen=True)
class Finding:
    """A sentence about two alternatives, the ratio of their times, and whether it is so on this machine.

    The claim is that the ratio is at most `limit`.
    """

    claim: str
    ratio: Ratio
    limit: float
    group: str = ""
    about: dict = field(default_factory=dict)

    @property
    def verdict(self):
        """`holds here` or `does not hold here` where the whole interval is on one side of the limit by MARGIN."""
        if self.ratio.high < self.limit * (1 - MARGIN):
            return HOLDS
        if self.ratio.low > self.limit * (1 + MARGIN):
            return FALSE
        return OPEN

    def __str__(self):
        return f"{self.claim}: {self.ratio}, claimed at most {self.limit:g}: {self.verdict}"


def knee(sizes, rates, gain=1.25):
    """The batch size from which on doubling no longer pays: the first after which the rate grows by less than `gain`.

    `rates` are samples a second for the `sizes`, each twice the one before. Twice the batch could at most double them;
    a quarter of that gain is what is asked for by default. The last size where every doubling paid.
    """
    for size, rate, next_rate in zip(sizes, rates, rates[1:], strict=False):
        if next_rate < gain * rate:
            return size
    return sizes[-1]
