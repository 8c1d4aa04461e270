"""The stable loss on logits against the two steps that it replaces."""

import pytest
import torch
from torch import nn


@pytest.mark.finding(
    "BCEWithLogitsLoss takes no longer than a sigmoid and BCELoss, forward and backward, of {size} logits",
    "with logits",
    "sigmoid, BCELoss",
    at_most=1,
)
@pytest.mark.parametrize("size", [2**10, 2**16])
@pytest.mark.parametrize("entry", ["with logits", "sigmoid, BCELoss"])
def test_binary_cross_entropy(race, device, entry, size):
    logits = torch.randn(size, device=device, requires_grad=True)
    targets = torch.randint(2, (size,), device=device).float()

    def step(loss):
        logits.grad = None
        result = loss()
        result.backward()
        return result.detach()

    found = race(
        entry,
        {
            "with logits": lambda: step(lambda: nn.functional.binary_cross_entropy_with_logits(logits, targets)),
            "sigmoid, BCELoss": lambda: step(
                lambda: nn.functional.binary_cross_entropy(torch.sigmoid(logits), targets)
            ),
        },
    )

    z, y = logits.detach().cpu().double(), targets.cpu().double()
    expected = (torch.clamp(z, min=0) - z * y + torch.log1p(torch.exp(-z.abs()))).mean()
    torch.testing.assert_close(found.cpu().double(), expected, rtol=1e-5, atol=0)
