"""Sizes that fit a device, found by trying: how far a sweep has to go, and how large one call may be.

What is large for a laptop is nothing to a GPU: there a call of any size that a table could name takes as long as its
launch. So sizes grow until it is work that takes the time.
"""

from __future__ import annotations

from dataclasses import dataclass

DOUBLES = 1.8
"""A size twice another that takes at least so many times as long: the work takes the time."""

A_CALL = 0.01
"""What a call of a race may take, in seconds: no launch takes as long, and a race is over in a second or two."""

LONGEST = 0.1
"""What the longest call of a sweep may take, in seconds, if work does not take the time before."""

WORK, MEMORY, TIME, SIZES = (
    "twice the batch takes twice as long from there on",
    "the memory of the device is full from there on",
    "a step takes too long from there on",
    "it is the largest size there is",
)
"""Why a sweep ended."""

NO_MEMORY = ("out of memory", "not enough memory", "allocate memory", "ALLOC_FAILED")
"""What CUDA, MPS, the CPU's allocator and cuBLAS say when there is none left."""


@dataclass(frozen=True)
class Sweep:
    """The sizes to measure, and why there are no more."""

    sizes: list[int]
    why: str


def sweep(make, sizes, seconds_of, least=0, longest=LONGEST):
    """The first of `sizes`, each twice the one before, up to where two doublings in a row double the time.

    `make(size)` returns a function of no arguments, and `seconds_of(function)` says what a call of it takes. From
    `least` on, a call that takes more than `longest` seconds ends a sweep too. Where the memory is full it ends one
    size before the last that fitted, for the sizes are to be measured side by side.
    """
    tried, seconds = [], []
    for size in sizes:
        try:
            seconds.append(seconds_of(make(size)))
        except (MemoryError, RuntimeError) as error:
            if not _is_of_memory(error):
                raise
            return Sweep(tried[:-1], MEMORY)
        tried.append(size)
        if size < least:
            continue
        if len(seconds) > 2 and seconds[-1] >= DOUBLES * seconds[-2] >= DOUBLES**2 * seconds[-3]:
            return Sweep(tried, WORK)
        if seconds[-1] > longest:
            return Sweep(tried, TIME)
    return Sweep(tried, SIZES)


def largest(make, sizes, seconds_of, most=A_CALL):
    """The largest of `sizes`, ascending, of which a call takes at most `most` seconds and finds memory.

    None where not even the least does. `make` and `seconds_of` are those of `sweep`.
    """
    fits = None
    for size in sizes:
        try:
            if seconds_of(make(size)) > most:
                break
        except (MemoryError, RuntimeError) as error:
            if not _is_of_memory(error):
                raise
            break
        fits = size
    return fits


def _is_of_memory(error):
    """Whether memory is what was missing; an access to memory that is not allowed is another matter."""
    return isinstance(error, MemoryError) or any(words in str(error) for words in NO_MEMORY)
