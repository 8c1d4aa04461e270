"""A matrix product whose width is, and is not, a multiple of eight, on each device and in each dtype that it has."""

import pytest
import torch

from plugins import devices
from plugins.numerics import rounding_bound


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("width", [255, 256, 257])
def test_matmul(benchmark, device, dtype, width):
    benchmark.group = f"a matrix product in {dtype} on {device.type}"
    a = torch.rand(64, width, device=device).to(dtype)
    b = torch.rand(width, 64, device=device).to(dtype)

    def product():
        result = a @ b
        devices.synchronize(device)
        return result

    found = benchmark(product)

    exact = a.cpu().double() @ b.cpu().double()
    # Products are summed in float32 or better, and the sum is rounded to the dtype.
    bound = rounding_bound(width, torch.float32) + rounding_bound(1, dtype)
    assert found.dtype == dtype
    assert ((found.cpu().double() - exact).abs() <= bound * exact).all()
