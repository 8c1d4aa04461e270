"""What a loss on logits and the two steps that it replaces give for logits from -120 to 120: numbers, not times.

A confident mistake has the largest loss and is what a model most needs to learn from; a loss that gives it no gradient
does not teach it. The values go into the JSON file for a picture.
"""

import pytest
import torch
from torch import nn

from torchnotes.harness import devices
from torchnotes.harness.numerics import rounding_bound

pytestmark = pytest.mark.section("08")

LOGITS = list(range(-120, 121))
ENTRIES = {
    "with logits": nn.functional.binary_cross_entropy_with_logits,
    "sigmoid, BCELoss": lambda logits, targets, reduction: nn.functional.binary_cross_entropy(
        torch.sigmoid(logits), targets, reduction=reduction
    ),
}


@pytest.mark.parametrize("target", [0, 1])
@pytest.mark.parametrize("entry", list(ENTRIES))
def test_binary_cross_entropy_far_from_zero(request, benchmark, device, entry, target):
    def compute():
        logits = torch.tensor(LOGITS, dtype=torch.float32, device=device, requires_grad=True)
        values = ENTRIES[entry](logits, torch.full_like(logits, target), reduction="none")
        values.sum().backward()
        return values.detach().cpu().double(), logits.grad.cpu().double()

    benchmark.group = f"binary cross entropy far from zero, target {target} on {device.type}"
    values, gradients = benchmark.pedantic(compute)  # once: how long it takes is not the question
    benchmark.extra_info.update(
        entry=entry,
        device=devices.of(request.node),
        target=target,
        logits=LOGITS,
        values=values.tolist(),
        gradients=gradients.tolist(),
    )

    # In float64 nothing is lost up to 120: the loss is softplus(z) for target 0 and softplus(-z) for target 1.
    z = torch.tensor(LOGITS, dtype=torch.float64) * (1 - 2 * target)
    exact, slope = z.clamp(min=0) + (-z.abs()).exp().log1p(), (1 - 2 * target) * z.sigmoid()
    if entry == "with logits":
        # A sum whose terms are at most |z| and the loss itself, each right to a few units in the last place.
        bound = rounding_bound(8, torch.float32)
        assert ((values - exact).abs() <= bound * (z.abs() + exact)).all()
        assert ((gradients - slope).abs() <= bound).all()
    else:
        # Far enough on the wrong side the probability is 1 for target 0 (from 20 on), or 0 for target 1 (from 105 on).
        lost = z >= (105 if target else 20)
        assert values[lost].eq(100).all()  # log(0) is taken for -100
        assert gradients[lost].eq(0).all()
