"""A timer that waits for the accelerator against one that does not: how far off the naive stopwatch is.

A call returns as soon as the device has its order; who reads the clock then has timed the launch and not the work.
"""

import pytest
import torch

from torchnotes.harness import devices
from torchnotes.harness.numerics import rounding_bound

pytestmark = pytest.mark.section("16")


@pytest.mark.finding(
    "without synchronising, a matrix product seems to take {times} as long as it takes",
    "not synchronised",
    "synchronised",
    at_most=0.5,
)
@pytest.mark.parametrize("entry", ["not synchronised", "synchronised"])
def test_matrix_product(race, accelerator, entry):
    a = torch.rand(1024, 1024, device=accelerator)

    def waited_for():
        product = a @ a
        devices.synchronize(str(accelerator))
        return product

    found = race(entry, {"not synchronised": lambda: a @ a, "synchronised": waited_for}, waits=False)

    exact = a.cpu().double() @ a.cpu().double()
    assert (found.device, found.dtype) == (accelerator, torch.float32)
    assert ((found.cpu().double() - exact).abs() <= rounding_bound(1024, torch.float32) * exact).all()
