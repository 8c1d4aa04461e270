"""Batches of 1 to 4096 digits: what a step costs, how many samples a second that is, and what memory it takes.

Rows of a batch share what a step costs in any case. Once it is paid, a larger batch buys nothing: that is the knee.
"""

import copy

import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.autograd.graph import saved_tensors_hooks

from torchnotes.harness import devices
from torchnotes.harness.numerics import rounding_bound

pytestmark = pytest.mark.section("11")

SIZES = [2**power for power in range(13)]


@pytest.fixture(scope="module")
def digits():
    """4096 images as rows of 64 numbers from 0 to 1, and their labels: the 1797 of the set, repeated."""
    images, labels = load_digits(return_X_y=True)
    rows = torch.arange(SIZES[-1]) % len(labels)
    return torch.tensor(images / 16, dtype=torch.float32)[rows], torch.tensor(labels)[rows]


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
def test_inference(race, benchmark, device, digits, model, entry):
    network = MODELS[model]().to(device)
    batches = {size: digits[0][:size].to(device) for size in SIZES}

    def predict(size):
        with torch.inference_mode():
            return network(batches[size])

    entries = {size: lambda size=size: predict(size) for size in SIZES}
    found = race(entry, entries)

    expected, bound = logits_and_bound(network, digits[0][:entry], device)
    assert found.dtype == torch.float32
    assert ((found.cpu().double() - expected).abs() <= bound).all()
    assert kept_for_backward(entries[entry], network) == 0
    note(benchmark, entry, entries[entry], network, device)


@pytest.mark.knee("{model}, training")
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
def test_training(race, benchmark, device, digits, model, entry):
    start = MODELS[model]().to(device)
    networks = {size: copy.deepcopy(start) for size in SIZES}

    def stepper(size):
        x, targets = (part[:size].clone().to(device) for part in digits)  # a view would keep all the rows in memory
        optimizer = torch.optim.SGD(networks[size].parameters(), lr=0.01)
        loss_fn = nn.CrossEntropyLoss()

        def step():
            optimizer.zero_grad()
            loss = loss_fn(networks[size](x), targets)
            loss.backward()
            optimizer.step()
            return loss.detach()

        return step

    entries = {size: stepper(size) for size in SIZES}
    found = race(entry, entries)

    expected, bound = loss_and_bound(start, digits[0][:entry], digits[1][:entry], device)
    assert found.dtype == torch.float32
    assert abs(found.item() - expected) <= bound
    assert entries[entry]().item() < found.item()
    one, two, all_rows = (kept_for_backward(entries[size], networks[size]) for size in (1, 2, entry))
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


def loss_and_bound(model, x, targets, device):
    """Cross-entropy in float64, and how far from it one in float32 may be.

    The loss of a row changes by at most twice as much as its logits; ten exponentials, their sum and the mean over the
    rows are rounded on the way.
    """
    logits, bound = logits_and_bound(model, x, device)
    loss = nn.functional.cross_entropy(logits, targets).item()
    largest = 2 * logits.abs().max().item() + 10
    return loss, 2 * bound.max().item() + rounding_bound(len(x) + 32, torch.float32) * largest


def kept_for_backward(step, model):
    """Bytes of the tensors that autograd keeps for backward during one step, without the parameters: each once."""
    kept = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor.detach()  # the tensor itself would keep itself alive where it is the result of its own operation

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        step()
    parameters = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    return sum(size for address, size in kept.items() if address not in parameters)


def peak_memory(step, device):
    """Bytes that a step allocates at its peak beyond what was allocated before it; None where nobody counts them."""
    module = getattr(torch, device.type, None)
    if not hasattr(module, "reset_peak_memory_stats"):
        return None
    step()
    devices.synchronize(device)
    before = module.memory_allocated(device)
    module.reset_peak_memory_stats(device)
    step()
    devices.synchronize(device)
    return module.max_memory_allocated(device) - before


def note(benchmark, size, step, model, device):
    """Keep with the times what follows from them, and what memory a step takes."""
    if not benchmark.disabled:
        benchmark.extra_info["samples_a_second"] = size / benchmark.stats.stats.median
    benchmark.extra_info["bytes_kept_for_backward"] = kept_for_backward(step, model)
    if (peak := peak_memory(step, device)) is not None:
        benchmark.extra_info["bytes_at_peak"] = peak
