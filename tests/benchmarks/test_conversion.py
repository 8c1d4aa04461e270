"""From an array to a tensor: what shares memory costs the same for any size, what copies costs more for more."""

import numpy as np
import pytest
import torch

SIZES = [2**10, 2**20]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("convert", [torch.from_numpy, torch.as_tensor, torch.tensor], ids=lambda f: f.__name__)
def test_array_to_tensor(benchmark, convert, size):
    benchmark.group = f"an array of {size} numbers to a tensor"
    array = np.arange(size, dtype=np.float32)

    tensor = benchmark(convert, array)

    assert tensor.dtype == torch.float32
    assert tensor.tolist() == array.tolist()
