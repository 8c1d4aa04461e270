"""Losses on logits against the steps that they replace: what is more accurate is not slower.

Whoever writes the steps out for speed gains none, and loses digits (test_stability.py shows how many).
"""

import pytest
import torch
from torch import nn

from torchnotes.harness.numerics import rounding_bound

pytestmark = pytest.mark.section("08")


def forward_and_backward(logits, loss):
    logits.grad = None
    result = loss()
    result.backward()
    return result.detach()


@pytest.mark.finding(
    "BCEWithLogitsLoss takes {times} as long as a sigmoid and BCELoss, forward and backward, for {size:,} logits",
    "with logits",
    "sigmoid, BCELoss",
    at_most=1.1,
)
@pytest.mark.parametrize("size", [2**10, "many"])
@pytest.mark.parametrize("entry", ["with logits", "sigmoid, BCELoss"])
def test_binary_cross_entropy(race, sizes, device, entry, size):
    def computing(number):
        logits, targets = torch.zeros(number, device=device, requires_grad=True), torch.zeros(number, device=device)
        loss = nn.functional.binary_cross_entropy_with_logits
        return lambda: forward_and_backward(logits, lambda: loss(logits, targets))

    if size == "many":
        size = sizes.largest(computing, [2**power for power in range(14, 23)])
    logits = torch.randn(size, device=device, requires_grad=True)
    targets = torch.randint(2, (size,), device=device).float()
    losses = {
        "with logits": lambda: nn.functional.binary_cross_entropy_with_logits(logits, targets),
        "sigmoid, BCELoss": lambda: nn.functional.binary_cross_entropy(torch.sigmoid(logits), targets),
    }

    entries = {name: lambda loss=loss: forward_and_backward(logits, loss) for name, loss in losses.items()}
    found = race(entry, entries, {"size": size})

    z, y = logits.detach().cpu().double(), targets.cpu().double()
    expected = (torch.clamp(z, min=0) - z * y + torch.log1p(torch.exp(-z.abs()))).mean()
    # Half a dozen roundings of a probability p that is as small as exp(-|z|) may take so much of its logarithm, or of
    # 1 - p; then the losses are added.
    of_one = rounding_bound(8, torch.float32) * (1 + z.abs().exp())
    assert (found.cpu().double() - expected).abs() <= of_one.mean() + rounding_bound(size, torch.float32) * expected
    assert ((logits.grad.cpu().double() * size - (z.sigmoid() - y)).abs() <= of_one).all()


@pytest.mark.finding(
    "`cross_entropy` takes {times} as long as log_softmax and nll_loss, for {rows:,} rows and {classes:,} classes",
    "cross_entropy",
    "log_softmax, nll_loss",
    at_most=1.1,
)
@pytest.mark.finding(
    "`cross_entropy` takes {times} as long as softmax, log and nll_loss, for {rows:,} rows and {classes:,} classes",
    "cross_entropy",
    "softmax, log, nll_loss",
    at_most=0.9,
)
@pytest.mark.parametrize("classes", [10, 1000, 50_000])
@pytest.mark.parametrize("entry", ["cross_entropy", "log_softmax, nll_loss", "softmax, log, nll_loss"])
def test_cross_entropy(race, sizes, device, entry, classes):
    def computing(rows):
        logits = torch.zeros(rows, classes, device=device, requires_grad=True)
        targets = torch.zeros(rows, dtype=torch.int64, device=device)
        return lambda: forward_and_backward(logits, lambda: nn.functional.cross_entropy(logits, targets))

    rows = sizes.largest(computing, [2**power for power in range(4, 14)])
    logits = torch.randn(rows, classes, device=device, requires_grad=True)
    targets = torch.randint(classes, (rows,), device=device)
    functional = nn.functional
    losses = {
        "cross_entropy": lambda: functional.cross_entropy(logits, targets),
        "log_softmax, nll_loss": lambda: functional.nll_loss(logits.log_softmax(1), targets),
        "softmax, log, nll_loss": lambda: functional.nll_loss(logits.softmax(1).log(), targets),
    }

    entries = {name: lambda loss=loss: forward_and_backward(logits, loss) for name, loss in losses.items()}
    found = race(entry, entries, {"rows": rows})

    parts = zip(logits.detach().split(256), targets.split(256), strict=True)  # in float64 all at once are gigabytes
    losses = [nn.functional.cross_entropy(z.cpu().double(), y.cpu(), reduction="none") for z, y in parts]
    expected, largest = torch.cat(losses).mean(), logits.detach().abs().max().item()
    # Of each row's loss, the sum of the exponentials and a dozen steps are rounded, on numbers of at most twice the
    # largest logit and the loss itself; then the rows are added.
    bound = rounding_bound(classes + rows + 12, torch.float32) * (1 + 2 * largest + expected)
    assert (found.cpu().double() - expected).abs() <= bound
