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


def of_layers(model, x, error):
    """The output of linear layers with ReLUs between them in float64, and how far from it each number may be.

    `error` bounds the relative error of one inner product, bias included, such as `rounding_bound(inputs + 1, dtype)`.
    What a layer's inputs are off by, its output is off by at most that times the weights, all taken positive; a ReLU
    makes no difference larger. Both are on the CPU.
    """
    import torch

    exact = x.detach().cpu().double()
    bound = torch.zeros_like(exact)
    for layer in model:
        if isinstance(layer, torch.nn.Linear):
            weight, bias = layer.weight.detach().cpu().double(), layer.bias.detach().cpu().double()
            inputs = exact.abs() + bound
            bound = bound @ weight.abs().T + error * (inputs @ weight.abs().T + bias.abs())
            exact = exact @ weight.T + bias
        elif isinstance(layer, torch.nn.ReLU):
            exact = exact.clamp(min=0)
        else:
            raise TypeError(f"no bound for {type(layer).__name__}")
    return exact, bound


@pytest.fixture(name="rounding_bound")
def _rounding_bound():
    return rounding_bound
