"""What a metric that is updated batch by batch costs, and what a progress bar adds to an iteration.

Both are paid once a batch. How much of a training step that is depends on the step: of a small model it is a good part.
"""

import io

import pytest
import torch
from torch import nn
from torchmetrics.classification import MulticlassAccuracy
from tqdm import tqdm

BATCHES, ROWS = 32, 64
ITERATIONS = 100_000


@pytest.mark.section("14")
@pytest.mark.finding(
    "{batches} updates of a TorchMetrics accuracy, one a batch, take {times} as long as one update with all batches",
    "an update a batch",
    "one update",
    at_least=10,
)
@pytest.mark.finding(
    "batch by batch, updating a TorchMetrics accuracy takes {times} as long as counting `preds == targets`",
    "an update a batch",
    "counted a batch",
    at_least=5,
)
@pytest.mark.finding(
    "the update of an accuracy takes {times} as long with `validate_args=False` as without",
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


@pytest.mark.section("17")
@pytest.mark.finding("an empty loop takes {times} as long with tqdm as without", "tqdm", "no bar", at_least=3)
@pytest.mark.finding(
    "an empty loop takes {times} as long with `tqdm(..., disable=True)` as without a bar",
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


@pytest.mark.section("17")
@pytest.mark.finding(
    "a loop of training steps of a small MLP takes {times} as long with tqdm as without", "tqdm", "no bar", at_most=1.1
)
@pytest.mark.parametrize("entry", ["no bar", "tqdm"])
def test_progress_bar_around_training_steps(race, device, entry):
    step = training(device)

    def train(steps):
        return [step()[0] for _ in steps]

    found = race(
        entry,
        {"no bar": lambda: train(range(50)), "tqdm": lambda: train(tqdm(range(50), file=io.StringIO()))},
    )

    assert len(found) == 50
    assert found[-1] < found[0]


@pytest.mark.finding(
    "a training step of a small MLP takes {times} as long with the update of an accuracy as without",
    "step, accuracy",
    "step",
    at_most=1.1,
)
@pytest.mark.parametrize("entry", ["step", "step, accuracy"])
def test_accuracy_after_a_training_step(race, device, entry):
    step, metric = training(device), MulticlassAccuracy(num_classes=10, average="micro").to(device)

    def and_update():
        loss, logits, targets = step()
        metric.update(logits, targets)
        return loss, logits, targets

    found = race(entry, {"step": step, "step, accuracy": and_update})

    loss, logits, targets = found
    assert step()[0] < loss
    metric.reset()
    metric.update(logits, targets)
    assert metric.compute().item() == (logits.argmax(1) == targets).sum().item() / 32  # exact: a power of two


def training(device):
    """A step of a small MLP that learns 32 examples by heart: returns the loss, the logits and the targets."""
    x, targets = torch.rand(32, 64, device=device), torch.randint(10, (32,), device=device)
    model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10)).to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

    def step():
        optimizer.zero_grad()
        logits = model(x)
        loss = nn.functional.cross_entropy(logits, targets)
        loss.backward()
        optimizer.step()
        return loss.detach(), logits.detach(), targets

    return step
