"""How far a rounded result may be from the exact one."""

from __future__ import annotations

import pytest


def rounding_bound(length, dtype, tf32=False):
    """The relative error that `length` rounded operations in `dtype` may add up to: n*u / (1 - n*u).

    The computed sum or inner product of n terms differs from the exact one by at most this number times the sum of the
    absolute values of the terms, in whatever order they are added: Higham, Accuracy and Stability of Numerical
    Algorithms, 2nd edition, section 3.1 (the constant gamma_n). The unit roundoff u is half the dtype's eps; with
    `tf32` it is that of the inputs of a TensorFloat-32 product, which keep 10 bits of the fraction.

    Raises `ValueError` where the bound says nothing, because n*u is 1 or more.
    """
    import torch

    unit_roundoff = 2.0**-11 if tf32 else torch.finfo(dtype).eps / 2
    errors = length * unit_roundoff
    if errors >= 1:
        raise ValueError(f"no bound: {length} roundings of {dtype} may lose every digit")
    return errors / (1 - errors)


@pytest.fixture(name="rounding_bound")
def _rounding_bound():
    return rounding_bound
