"""What a device can do at most, as it is measured: arithmetic in a large product, and bytes in a copy.

A share of that says how much is left to gain, without a data sheet. By the roofline model (Williams, Waterman and
Patterson, Communications of the ACM 52, 2009) a call takes at least what its arithmetic takes, and what its bytes take.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from torchnotes.measuring import sizing

SIDES = [2**power for power in range(7, 15)]
"""Of the products that the limit of arithmetic is taken from."""

COPIED = [2**power for power in range(20, 30)]
"""Bytes of the copies that the limit of memory is taken from: the largest that fits the time, beyond most caches."""


@dataclass(frozen=True)
class Work:
    """What a call cannot do without: operations on numbers of a dtype, and the bytes of inputs and outputs, once."""

    dtype: torch.dtype
    operations: float
    bytes: float


@dataclass(frozen=True)
class Limits:
    """Operations and bytes a second."""

    operations: float
    bytes: float

    def seconds(self, work):
        """The least that so much work can take here."""
        return max(work.operations / self.operations, work.bytes / self.bytes)


def measured(device, dtype, seconds_of, known=None):
    """The limits of a device for numbers of `dtype`; `seconds_of(function)` says what a call takes.

    That of memory is the same for each dtype: where `known` has it, nothing is copied again.
    """
    return Limits(_products(device, dtype, seconds_of), known.bytes if known else _copies(device, seconds_of))


def _products(device, dtype, seconds_of):
    rates = []

    def timed(call):
        side, function = call
        taken = seconds_of(function)
        rates.append(of_product(side, side, side, dtype).operations / taken)
        return taken

    def make(side):
        a, b = numbers((side, side), device, dtype), numbers((side, side), device, dtype)
        return side, lambda: product(a, b)

    sizing.largest(make, SIDES, timed)
    return max(rates)


def _copies(device, seconds_of):
    def make(size):
        source = torch.zeros(size, dtype=torch.uint8, device=device)
        target = torch.ones_like(source)
        return lambda: target.copy_(source)

    size = sizing.largest(make, COPIED, seconds_of) or COPIED[0]
    return 2 * size / seconds_of(make(size))  # each byte is read and written


def numbers(shape, device, dtype):
    """Positive numbers to multiply; of int8 they are 0 or 1, so that a sum of any length is exact in int32."""
    if dtype == torch.int8:
        return torch.randint(2, shape, device=device, dtype=dtype)
    return torch.rand(shape, device=device).to(dtype)


def product(a, b):
    """`a @ b`; of int8 with sums in int32, for which torch has had a name of its own since 2.1, a private one."""
    return torch._int_mm(a, b) if a.dtype == torch.int8 else a @ b


def of_product(m, k, n, dtype):
    """The work of a product of m rows, k long, with n columns: a multiplication and an addition for each term."""
    size = bytes_of(dtype)
    out = bytes_of(torch.int32) if dtype == torch.int8 else size
    return Work(dtype, operations=2 * m * k * n, bytes=size * (m * k + k * n) + out * m * n)


def bytes_of(dtype):
    return torch.empty(0, dtype=dtype).element_size()
