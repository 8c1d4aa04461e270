"""Batches of one digit, two, four and so on: what a step costs, how many samples a second, and what memory it takes.

Rows of a batch share what a step costs in any case: calls, and on a GPU launches. How far that reaches is the floor.
Once it is paid, a larger batch buys nothing: that is the knee. The sweep goes on until it is past both.
"""

import copy

import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from torchnotes.harness import devices
from torchnotes.harness.numerics import rounding_bound
from torchnotes.measuring import memory

pytestmark = pytest.mark.section("11")

SIZES = [2**power for power in range(23)]
LEAST = 2**12
"""Every sweep goes so far, past what anybody advises."""

MOST = {"MLP": 2**22, "CNN": 2**21}
"""The first convolution makes 512 numbers of each image, and cuDNN counts no further than 2**31."""


@pytest.fixture(scope="module")
def digits():
    """The 1797 images of the set as rows of 64 numbers from 0 to 1, and their labels."""
    images, labels = load_digits(return_X_y=True)
    return torch.tensor(images / 16, dtype=torch.float32), torch.tensor(labels)


def batch(digits, size, device):
    """So many images and labels, those of the set again and again, in memory of their own."""
    rows = torch.arange(size, device=device) % len(digits[0])
    return [part.to(device)[rows] for part in digits]


def swept(sizes, make, model, entry):
    """The batch sizes to race; skips where the sweep ended before this one."""
    sweep = sizes.sweep(make, [size for size in SIZES if size <= MOST[model]], LEAST)
    if entry not in sweep.sizes:
        pytest.skip(f"the sweep ends at {sweep.sizes[-1]:,} rows: {sweep.why}")
    return sweep.sizes


def mlp():
    return nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))


def cnn():
    return nn.Sequential(
        nn.Unflatten(1, (1, 8, 8)),
        nn.Conv2d(1, 8, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64, 10),
    )


MODELS = {"MLP": mlp, "CNN": cnn}


@pytest.mark.knee("{model}, inference")
@pytest.mark.floor("{model}, inference")
@pytest.mark.finding("inference of 32 rows takes {times} as long as of one ({model})", 32, 1, at_most=8)
@pytest.mark.finding(
    "inference of 512 rows at once gives {times} as many samples a second as of 32 ({model})",
    512,
    32,
    at_least=1.6,
    of="samples a second",
)
@pytest.mark.finding(
    "inference of 4096 rows at once gives {times} as many samples a second as of 512 ({model})",
    4096,
    512,
    at_least=2,
    of="samples a second",
)
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("entry", SIZES)
def test_inference(race, benchmark, sizes, device, digits, model, entry):
    network = MODELS[model]().to(device)

    def predictor(size):
        x, _ = batch(digits, size, device)

        def predict():
            with torch.inference_mode():
                return network(x)

        return predict

    entries = {size: predictor(size) for size in swept(sizes, predictor, model, entry)}
    found = race(entry, entries)

    expected, bound = logits_and_bound(network, digits[0], device)
    some = torch.arange(0, entry, max(1, entry // len(expected)))
    rows = some % len(expected)
    assert (found.dtype, len(found)) == (torch.float32, entry)
    assert ((found[some.to(device)].cpu().double() - expected[rows]).abs() <= bound[rows]).all()
    assert memory.kept_for_backward(entries[entry], network) == 0
    note(benchmark, entry, entries[entry], network, device)


@pytest.mark.knee("{model}, training")
@pytest.mark.floor("{model}, training")
@pytest.mark.finding("a training step with 32 rows takes {times} as long as with one ({model})", 32, 1, at_most=8)
@pytest.mark.finding(
    "training with 512 rows a step gives {times} as many samples a second as with 32 ({model})",
    512,
    32,
    at_least=1.6,
    of="samples a second",
)
@pytest.mark.finding(
    "training with 4096 rows a step gives {times} as many samples a second as with 512 ({model})",
    4096,
    512,
    at_least=2,
    of="samples a second",
)
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("entry", SIZES)
def test_training(race, benchmark, sizes, device, digits, model, entry):
    start = MODELS[model]().to(device)
    networks = {size: copy.deepcopy(start) for size in SIZES}

    def stepper(size):
        x, targets = batch(digits, size, device)
        optimizer = torch.optim.SGD(networks[size].parameters(), lr=0.01)
        loss_fn = nn.CrossEntropyLoss()

        def step():
            optimizer.zero_grad()
            loss = loss_fn(networks[size](x), targets)
            loss.backward()
            optimizer.step()
            return loss.detach()

        return step

    tried = swept(sizes, stepper, model, entry)
    networks = {size: copy.deepcopy(start) for size in SIZES}  # those that were tried have learned something
    entries = {size: stepper(size) for size in tried}
    found = race(entry, entries)

    expected, bound = loss_and_bound(start, *digits, entry, device)
    assert found.dtype == torch.float32
    assert abs(found.item() - expected) <= bound
    assert entries[entry]().item() < found.item()
    one, two, all_rows = (memory.kept_for_backward(entries[size], networks[size]) for size in (1, 2, entry))
    assert all_rows == one + (entry - 1) * (two - one)  # it grows by the same for each row
    note(benchmark, entry, entries[entry], networks[entry], device)


def logits_and_bound(model, x, device):
    """What the model gives in float64, and how far from it rounding may take a model in float32, for each logit.

    A layer passes on the error of what it gets and adds its own: that of an inner product, against the sum of the
    absolute values of its terms. ReLU, pooling and reshaping pass on errors as they do values, and add none.
    """
    tf32 = device.type == "cuda"  # cuDNN's convolutions use it unless they are told not to
    value, error = x.double(), torch.zeros_like(x, dtype=torch.float64)
    for layer in copy.deepcopy(model).cpu().double():
        if not isinstance(layer, nn.Linear | nn.Conv2d):
            value, error = layer(value), layer(error)
            continue
        magnitude = copy.deepcopy(layer)
        for parameter in magnitude.parameters():
            parameter.data.abs_()
        terms = layer.weight[0].numel() + 1
        passed_on = magnitude(error) - magnitude(torch.zeros_like(error))
        error = passed_on + rounding_bound(terms, torch.float32, tf32) * magnitude(value.abs() + error)
        value = layer(value)
    return value.detach(), error.detach()


def loss_and_bound(model, x, targets, size, device):
    """Cross-entropy of a batch of `size` rows in float64, and how far from it one in float32 may be.

    The loss of a row changes by at most twice as much as its logits; ten exponentials, their sum and the mean over the
    rows are rounded on the way.
    """
    logits, bound = logits_and_bound(model, x, device)
    losses = nn.functional.cross_entropy(logits, targets, reduction="none")
    times = torch.tensor([len(range(row, size, len(x))) for row in range(len(x))])  # that a row is in the batch
    largest = 2 * logits.abs().max().item() + 10
    loss = (times * losses).sum().item() / size
    return loss, 2 * bound.max().item() + rounding_bound(size + 32, torch.float32) * largest


def note(benchmark, size, step, model, device):
    """Keep with the times what follows from them, and what memory a step takes."""
    if not benchmark.disabled:
        benchmark.extra_info["samples_a_second"] = size / benchmark.stats.stats.median
    benchmark.extra_info["bytes_kept_for_backward"] = memory.kept_for_backward(step, model)
    if (peak := memory.at_peak(step)) is not None:
        benchmark.extra_info["bytes_of_tensors_at_peak"] = peak
    benchmark.extra_info.update(memory.counted_by(device, step, lambda: devices.synchronize(str(device))))
