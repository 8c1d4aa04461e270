"""What a metric that is updated batch by batch costs, and what a progress bar adds to an iteration.

Both are paid once a batch: too much for an empty loop, and nothing next to a training step.
"""

import io

import pytest
import torch
from torch import nn
from torchmetrics.classification import MulticlassAccuracy
from tqdm import tqdm

BATCHES, ROWS = 32, 64
ITERATIONS = 100_000


@pytest.mark.finding(
    "updating a TorchMetrics accuracy with {batches} batches takes at least 10 times as long as one update with all",
    "one update",
    "an update a batch",
    at_most=0.1,
)
@pytest.mark.finding(
    "updating a TorchMetrics accuracy takes at least 5 times as long as counting `preds == targets`, batch by batch",
    "counted a batch",
    "an update a batch",
    at_most=0.2,
)
@pytest.mark.finding(
    "`validate_args=False` makes the update of an accuracy at least 1.25 times as quick",
    "an update a batch, not validated",
    "an update a batch",
    at_most=0.8,
)
@pytest.mark.parametrize("batches", [BATCHES])
@pytest.mark.parametrize(
    "entry",
    ["an update a batch", "an update a batch, not validated", "one update", "counted a batch", "mean of all"],
)
def test_accuracy(race, device, entry, batches):
    preds = torch.randint(10, (batches * ROWS,), device=device)
    targets = torch.randint(10, (batches * ROWS,), device=device)
    in_batches = list(zip(preds.split(ROWS), targets.split(ROWS), strict=True))
    metric = MulticlassAccuracy(num_classes=10, average="micro").to(device)
    unchecked = MulticlassAccuracy(num_classes=10, average="micro", validate_args=False).to(device)

    def updated(metric, parts):
        metric.reset()
        for part in parts:
            metric.update(*part)
        return metric.compute()

    def counted():
        right = torch.zeros((), device=device)
        for some_preds, some_targets in in_batches:
            right += (some_preds == some_targets).sum()
        return right / len(preds)

    found = race(
        entry,
        {
            "an update a batch": lambda: updated(metric, in_batches),
            "an update a batch, not validated": lambda: updated(unchecked, in_batches),
            "one update": lambda: updated(metric, [(preds, targets)]),
            "counted a batch": counted,
            "mean of all": lambda: (preds == targets).float().mean(),
        },
    )

    right = sum(pred == target for pred, target in zip(preds.tolist(), targets.tolist(), strict=True))
    assert found.dtype == torch.float32
    assert found.item() == right / 2**11  # exact: the number of samples is a power of two


@pytest.mark.finding(
    "an empty loop takes at least 3 times as long with tqdm",
    "no bar",
    "tqdm",
    at_most=0.33,
)
@pytest.mark.finding(
    "with `disable=True` tqdm costs nothing: an empty loop takes at most 10 % longer",
    "tqdm, disabled",
    "no bar",
    at_most=1.1,
)
@pytest.mark.parametrize("entry", ["no bar", "tqdm", "tqdm, disabled"])
def test_progress_bar_around_nothing(race, benchmark, entry):
    def loop(iterations):
        count = 0
        for number in iterations:
            count = number
        return count + 1

    found = race(
        entry,
        {
            "no bar": lambda: loop(range(ITERATIONS)),
            "tqdm": lambda: loop(tqdm(range(ITERATIONS), file=io.StringIO())),
            "tqdm, disabled": lambda: loop(tqdm(range(ITERATIONS), disable=True)),
        },
    )

    assert found == ITERATIONS
    if race.times is not None:
        benchmark.extra_info["nanoseconds an iteration"] = race.times[entry].median / ITERATIONS * 1e9


@pytest.mark.finding(
    "a loop of training steps of a small MLP takes at most 10 % longer with tqdm", "tqdm", "no bar", at_most=1.1
)
@pytest.mark.parametrize("entry", ["no bar", "tqdm"])
def test_progress_bar_around_training_steps(race, device, entry):
    x, y = torch.rand(32, 64, device=device), torch.rand(32, 10, device=device)
    model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10)).to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

    def train(steps):
        losses = []
        for _ in steps:
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(x), y)
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        return losses

    found = race(
        entry,
        {"no bar": lambda: train(range(50)), "tqdm": lambda: train(tqdm(range(50), file=io.StringIO()))},
    )

    assert len(found) == 50
    assert found[-1] < found[0]
