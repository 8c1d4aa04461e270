"""What could break on the bridge between NumPy and PyTorch."""

import numpy as np
import torch

from plugins.mutation import mutant


def shares(convert):
    array = np.zeros(2)
    tensor = convert(array)
    array[0] = 1
    return tensor[0] == 1


@mutant(kills="test_from_numpy_shares_memory", witness=lambda: shares(torch.from_numpy))
def from_numpy_copies(patch):
    """`torch.from_numpy` copies the array."""
    from_numpy = torch.from_numpy
    patch.everywhere(from_numpy, lambda array: from_numpy(array.copy()))
