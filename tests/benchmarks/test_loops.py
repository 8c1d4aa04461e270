"""The same sum by a Python loop, by Python, by NumPy and by torch, for a few numbers and for many.

A call of torch costs a microsecond or two whatever it does: a loop in Python is right for ten numbers, not for many.
"""

import numpy as np
import pytest
import torch

from torchnotes.measuring import limits

pytestmark = pytest.mark.section("02")


def looped(numbers):
    total = 0.0
    for number in numbers:
        total += number
    return total


@pytest.mark.finding(
    "a Python loop that adds {size:,} numbers takes {times} as long as torch", "Python loop", "torch", at_least=10
)
@pytest.mark.finding("NumPy takes {times} as long as torch to add {size:,} numbers", "NumPy", "torch", at_most=1.1)
@pytest.mark.finding(
    "to make a tensor of a list of {size:,} numbers and add it takes {times} as long as Python's `sum`",
    "torch, from a list",
    "Python's sum",
    at_most=0.9,
)
@pytest.mark.parametrize("size", [10, 100_000])
@pytest.mark.parametrize("entry", ["Python loop", "Python's sum", "NumPy", "torch", "torch, from a list"])
def test_sum(race, device, entry, size):
    numbers = [float(number % 100) for number in range(size)]
    array = np.array(numbers, dtype=np.float32)
    tensor = torch.tensor(numbers, device=device)

    found = race(
        entry,
        {
            "Python loop": lambda: looped(numbers),
            "Python's sum": lambda: sum(numbers),
            "NumPy": lambda: array.sum().item(),
            "torch": lambda: tensor.sum().item(),
            "torch, from a list": lambda: torch.tensor(numbers, device=device).sum().item(),
        },
    )

    # whole numbers below 2**24 are exact in float32, in whatever order they are added
    assert type(found) is float
    assert found == sum(number % 100 for number in range(size)) < 2**24


@pytest.mark.limit("`sum` of {size:,} numbers reaches {share} of the device's limit", "torch")
@pytest.mark.finding("torch takes {times} as long as NumPy to add {size:,} numbers", "torch", "NumPy", at_most=0.9)
@pytest.mark.parametrize("entry", ["NumPy", "torch"])
def test_sum_of_many(race, sizes, device, entry):
    """NumPy adds on the CPU, with one thread."""

    def adding(size):
        tensor = torch.zeros(size, device=device)
        return lambda: tensor.sum()

    size = sizes.largest(adding, [10**power for power in range(4, 9)])
    array = (np.arange(size) % 8 == 0).astype(np.float32)
    tensor = torch.from_numpy(array).to(device)
    work = {"torch": limits.Work(torch.float32, operations=size, bytes=array.nbytes)}

    found = race(entry, {"NumPy": array.sum, "torch": tensor.sum}, {"size": size}, work)

    # as many ones as are in the array, and all sums on the way, are below 2**24: exact in float32
    assert found.item() == len(range(0, size, 8)) < 2**24


@pytest.mark.finding(
    "a Python loop over a tensor takes {times} as long as over its `tolist()`", "tensor", "tolist", at_least=10
)
@pytest.mark.parametrize("entry", ["tensor", "tensor, item", "tolist"])
def test_loop_over_a_tensor(race, device, entry):
    tensor = torch.arange(100, dtype=torch.float32, device=device)

    found = race(
        entry,
        {
            "tensor": lambda: looped(tensor),
            "tensor, item": lambda: looped(number.item() for number in tensor),
            "tolist": lambda: looped(tensor.tolist()),
        },
    )

    assert type(found) is (torch.Tensor if entry == "tensor" else float)
    assert found == 4950
