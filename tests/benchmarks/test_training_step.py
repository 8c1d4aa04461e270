"""What a training step pays for besides its model's arithmetic, and what it may save: waiting, loops, layouts, memory.

Reading a number off the device waits for the device; an optimizer that goes through its parameters one by one makes a
few calls for each; activations that are computed again need not be kept.
"""

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from torchnotes.harness.numerics import rounding_bound
from torchnotes.measuring import memory

pytestmark = pytest.mark.section("11")

STEPS = 100


@pytest.mark.finding(
    "{steps} training steps of a small MLP take {times} as long with `loss.item()` in each as in the last alone",
    "item in each",
    "item in the last",
    at_least=1.1,
)
@pytest.mark.parametrize("entry", ["item in each", "item in the last"])
def test_reading_the_loss(race, device, entry):
    x, y = torch.rand(32, 64, device=device), torch.rand(32, 10, device=device)
    model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10)).to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

    def train(read):
        losses = []
        for step in range(STEPS):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(x), y)
            loss.backward()
            optimizer.step()
            if step in read:
                losses.append(loss.item())
        return losses

    reads = {"item in each": range(STEPS), "item in the last": [STEPS - 1]}
    found = race(entry, {name: lambda read=read: train(read) for name, read in reads.items()}, {"steps": STEPS})

    assert len(found) == len(reads[entry])
    assert train([STEPS - 1])[0] < found[-1]


WAYS = {"for each": {"foreach": False}, "foreach": {"foreach": True}, "fused": {"fused": True}}
PARAMETERS = 100


@pytest.mark.finding(
    "a step of AdamW over {parameters} small parameters takes {times} as long with `foreach` as one by one",
    "foreach",
    "for each",
    at_most=0.67,
)
@pytest.mark.finding(
    "a step of AdamW over {parameters} small parameters takes {times} as long with `fused` as with `foreach`",
    "fused",
    "foreach",
    at_most=0.67,
)
@pytest.mark.parametrize("entry", list(WAYS))
def test_optimizer(race, device, entry):
    start = [torch.randn(64, 64, device=device) for _ in range(PARAMETERS)]
    optimizers, refused = {}, {}
    for name, how in WAYS.items():
        try:
            optimizers[name] = a_first_step(start, how)
        except (RuntimeError, TypeError) as error:  # not every device, nor every release, has each of them
            refused[name] = str(error).splitlines()[0]
    if entry in refused:
        pytest.skip(f"{entry}: {refused[entry]}")
    found = [parameter.detach().clone() for parameter in optimizers[entry].param_groups[0]["params"]]

    race(entry, {name: each.step for name, each in optimizers.items()}, {"parameters": PARAMETERS})

    for before, after in zip(start, found, strict=True):
        # The gradients are ones: the first step of AdamW moves by the rate, and by the decay of 1 %.
        start, moved = before.cpu().double(), after.cpu().double()
        expected = start * (1 - 1e-3 * 0.01) - 1e-3
        assert ((moved - expected).abs() <= rounding_bound(16, torch.float32) * (start.abs() + 1)).all()


def a_first_step(start, how):
    """An AdamW with copies of the parameters, whose gradients are ones, after its first step."""
    parameters = [parameter.clone().requires_grad_() for parameter in start]
    optimizer = torch.optim.AdamW(parameters, lr=1e-3, weight_decay=0.01, **how)
    for parameter in parameters:
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    return optimizer


BLOCKS, WIDTH = 8, 256


@pytest.mark.finding(
    "a training step with gradient checkpointing takes {times} as long as without ({rows:,} rows)",
    "checkpointed",
    "kept",
    at_most=1.5,
)
@pytest.mark.finding(
    "the tensors of a training step with gradient checkpointing take {times} as much memory as without ({rows:,} rows)",
    "checkpointed",
    "kept",
    at_most=0.67,
    of="bytes at peak",
)
@pytest.mark.parametrize("entry", ["kept", "checkpointed"])
def test_checkpointing(race, sizes, device, entry):
    blocks = [nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.GELU()) for _ in range(BLOCKS)]
    model = nn.Sequential(*blocks).to(device)

    def stepper(rows, checkpointed=False):
        x = torch.rand(rows, WIDTH, device=device)
        return lambda: a_step(model, x, checkpointed)

    rows = sizes.largest(stepper, [2**power for power in range(6, 17)])
    x = torch.rand(rows, WIDTH, device=device)
    entries = {"kept": lambda: a_step(model, x, False), "checkpointed": lambda: a_step(model, x, True)}
    peaks = {name: peak for name, step in entries.items() if (peak := memory.at_peak(step)) is not None}

    found = race(entry, entries, {"rows": rows}, counts={"bytes at peak": peaks})

    for one, other in zip(found, entries["kept"](), strict=True):
        assert torch.equal(one, other)  # the same operations on the same numbers


def a_step(model, x, checkpointed):
    """The loss and the gradients of a model of which each block keeps its activations, or computes them again."""
    model.zero_grad()
    for block in model:
        x = checkpoint(block, x, use_reentrant=False) if checkpointed else block(x)
    loss = x.sum()
    loss.backward()
    return loss.detach(), *[parameter.grad for parameter in model.parameters()]
