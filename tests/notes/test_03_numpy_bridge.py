"""The bridge between NumPy and PyTorch.

A NumPy array and a CPU tensor can be two names for the same memory. What crosses the bridge without a copy, and with which
dtype, is what this section settles.
"""

import numpy as np
import pytest
import torch


def test_from_numpy_shares_memory():
    """`torch.from_numpy` does not copy: a write to the array shows in the tensor, and the other way round.

    Copy on purpose with `torch.tensor(array)`.

    https://docs.pytorch.org/docs/stable/generated/torch.from_numpy.html
    """
    array = np.ones(3)
    tensor = torch.from_numpy(array)

    array[0] = 7
    tensor[1] = 8

    assert tensor.tolist() == [7, 8, 1]
    assert array.tolist() == [7, 8, 1]


def test_numpy_takes_only_cpu_tensors(device_pair):
    """`.numpy()` of a tensor that is not on the CPU raises TypeError: NumPy knows only the CPU's memory.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.numpy.html
    """
    _, elsewhere = device_pair

    with pytest.raises(TypeError, match="can't convert"):
        torch.zeros(2, device=elsewhere).numpy()


@pytest.mark.holds("torch>=2.3", otherwise=TypeError)
def test_from_numpy_takes_uint16():
    """`torch.from_numpy` takes arrays of dtype uint16.

    https://docs.pytorch.org/docs/stable/generated/torch.from_numpy.html
    """
    assert torch.from_numpy(np.array([65535], dtype=np.uint16)).dtype == torch.uint16
