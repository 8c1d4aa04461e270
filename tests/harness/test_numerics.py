"""The bound of the rounding error is one, and not a loose one."""

import math

import pytest
import torch

from torchnotes.harness.numerics import of_layers, rounding_bound

FORMATS = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


@pytest.mark.parametrize("dtype", FORMATS)
def test_one_operation_is_off_by_half_an_eps(dtype):
    unit_roundoff = torch.finfo(dtype).eps / 2

    assert rounding_bound(1, dtype) == unit_roundoff / (1 - unit_roundoff)


def summed_in_order(terms):
    """The sum in the dtype of its terms, rounded after each addition."""
    total = torch.zeros((), dtype=terms.dtype)
    for term in terms:
        total = total + term
    return total.item()


ADVERSARIES = {
    "all the same": lambda n: torch.full((n,), 0.1, dtype=torch.float64),
    "growing": lambda n: 1.1 ** torch.arange(n, dtype=torch.float64),
    "cancelling": lambda n: torch.cat([torch.full((n // 2,), 1.0), torch.full((n // 2,), -0.999)]).double(),
    "one large, many small": lambda n: torch.cat([torch.ones(1), torch.full((n - 1,), 2.0**-9)]).double(),
}


@pytest.mark.parametrize("adversary", ADVERSARIES)
@pytest.mark.parametrize("dtype", FORMATS[:3])
def test_no_sum_is_off_by_more(adversary, dtype):
    terms = ADVERSARIES[adversary](64).to(dtype)
    exact = math.fsum(terms.tolist())

    error = abs(summed_in_order(terms) - exact)

    assert error <= rounding_bound(len(terms), dtype) * math.fsum(terms.abs().tolist())


def test_some_sums_are_off_by_a_third_of_it():
    terms = torch.cat([torch.ones(1), torch.full((63,), 2.0**-9)]).bfloat16()  # each small term is rounded away
    exact = math.fsum(terms.tolist())

    error = abs(summed_in_order(terms) - exact)

    assert error >= 0.3 * rounding_bound(len(terms), torch.bfloat16) * exact


def test_tf32_rounds_like_a_format_with_ten_bits():
    assert rounding_bound(1, torch.float32, tf32=True) == rounding_bound(1, torch.float16)


def test_a_bound_that_says_nothing_is_refused():
    with pytest.raises(ValueError, match=r"300 roundings of torch\.bfloat16 may lose every digit"):
        rounding_bound(300, torch.bfloat16)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_layers_in_low_precision_stay_within_their_bound(dtype):
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(9, 7), torch.nn.ReLU(), torch.nn.Linear(7, 3)).to(dtype)
    x = torch.rand(50, 9).to(dtype)

    exact, bound = of_layers(model, x, rounding_bound(10, dtype))

    assert torch.equal(exact, model.double()(x.double()))
    off = (model.to(dtype)(x).double() - exact).abs()
    assert (off <= bound).all()
    assert (off > 0).any()
    assert (bound < 100 * off.max()).all()


def test_only_layers_that_are_known_have_a_bound():
    with pytest.raises(TypeError, match="no bound for Tanh"):
        of_layers([torch.nn.Tanh()], torch.ones(1), 0.1)
