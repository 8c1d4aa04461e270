"""One training step on batches of different size, on each device."""

import pytest
import torch
from torch import nn

from plugins import devices


@pytest.mark.parametrize("batch_size", [1, 8, 32, 128, 512])
def test_training_step(benchmark, device, batch_size):
    benchmark.group = f"a training step on {device.type}"
    benchmark.extra_info["batch_size"] = batch_size
    x = torch.rand(batch_size, 64, device=device)
    targets = torch.randint(10, (batch_size,), device=device)
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10)).to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    loss_fn = nn.CrossEntropyLoss()

    def step():
        optimizer.zero_grad()
        loss = loss_fn(model(x), targets)
        loss.backward()
        optimizer.step()
        devices.synchronize(device)  # or a GPU would only have been told what to do
        return loss

    first = step().item()
    last = benchmark(step).item()

    assert last < first
