"""Matrix products and training steps whose width is a multiple of eight, against those one narrower and one wider.

"Make widths a multiple of 8" is advice about NVIDIA's Tensor cores: here is what it brings on this device, by dtype.
"""

import pytest
import torch
from torch import nn

from torchnotes.harness.numerics import of_layers, rounding_bound

pytestmark = pytest.mark.section("12")

WIDTHS = {"8k-1": -1, "8k": 0, "8k+1": 1}
ODD = [33, 125]  # 8 times an odd number: what a power of two does to a cache is not taken for it
CHECKED = 64  # rows that are compared with a product in float64, out of all


@pytest.fixture(params=["float32", "TF32", "float16", "bfloat16"])
def dtype(request, device):
    """The dtype of tensors to multiply on the device; TF32 is float32 whose products may round their factors."""
    if request.param != "TF32":
        yield usable(getattr(torch, request.param), device)
        return
    if device.type != "cuda" or torch.version.hip or torch.cuda.get_device_capability(device) < (8, 0):
        pytest.skip("TF32 takes an NVIDIA GPU of compute capability 8.0 or higher")
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    yield torch.float32
    torch.set_float32_matmul_precision(before)


def usable(dtype, device):
    try:
        torch.ones(2, 2, device=device, dtype=dtype) @ torch.ones(2, 2, device=device, dtype=dtype)
    except (RuntimeError, TypeError) as error:
        pytest.skip(f"no matrix products in {dtype} on {device.type}: {str(error).splitlines()[0]}")
    return dtype


def number_of_rows(device, dtype, on_cuda):
    """So many that a GPU has more to do than to launch, and so few that a CPU that has no float16 takes no seconds."""
    if device.type == "cpu":
        return 8 if dtype == torch.float16 else 256
    return on_cuda if device.type == "cuda" else 2**13


def product_bound(width, dtype, tf32):
    """Relative error of a sum of `width` positive products: summed in float32, in a few parts that may be rounded."""
    bound = rounding_bound(width, torch.float32) + rounding_bound(4, dtype)
    return bound + rounding_bound(2, dtype, tf32=True) if tf32 else bound


def is_tf32(request):
    return request.node.callspec.params["dtype"] == "TF32"


@pytest.mark.finding(
    "a matrix product takes {times} as long with a width of 8k as of 8k+1 ({dtype}, k = {k})", "8k", "8k+1", at_most=0.9
)
@pytest.mark.parametrize("k", ODD)
@pytest.mark.parametrize("entry", list(WIDTHS))
def test_matrix_product(race, request, device, dtype, entry, k):
    rows = number_of_rows(device, dtype, on_cuda=2**16)
    factors = {name: factors_of(rows, 8 * k + more, device, dtype) for name, more in WIDTHS.items()}

    found = race(entry, {name: lambda a=a, b=b: a @ b for name, (a, b) in factors.items()})

    check_product(found, *factors[entry], is_tf32(request))


@pytest.mark.parametrize("entry", range(248, 265))
def test_matrix_product_by_width(race, benchmark, device, entry):
    """The saw: its teeth are 8 widths apart where a multiple of eight is quicker."""
    dtype = usable(torch.bfloat16 if device.type == "cpu" else torch.float16, device)
    rows = number_of_rows(device, dtype, on_cuda=2**16)
    a, b = factors_of(rows, 264, device, dtype)
    factors = {width: (a[:, :width].contiguous(), b[:width, :width].contiguous()) for width in range(248, 265)}
    benchmark.extra_info["dtype"] = str(dtype)

    found = race(entry, {width: lambda a=a, b=b: a @ b for width, (a, b) in factors.items()})

    check_product(found, *factors[entry])


def factors_of(rows, width, device, dtype):
    return torch.rand(rows, width, device=device).to(dtype), torch.rand(width, width, device=device).to(dtype)


def check_product(found, a, b, tf32=False):
    some = slice(None, None, max(1, len(a) // CHECKED))
    exact = a[some].cpu().double() @ b.cpu().double()
    assert (found.shape, found.dtype) == (a.shape, a.dtype)
    assert ((found[some].cpu().double() - exact).abs() <= product_bound(len(b), a.dtype, tf32) * exact).all()


@pytest.mark.finding(
    "a training step takes {times} as long with layers 8k wide as 8k+1 wide ({dtype}, k = {k})",
    "8k",
    "8k+1",
    at_most=0.9,
)
@pytest.mark.parametrize("k", ODD)
@pytest.mark.parametrize("entry", list(WIDTHS))
def test_training_step(race, request, device, dtype, entry, k):
    rows = number_of_rows(device, dtype, on_cuda=2**15)
    trainings = {name: Training(rows, 8 * k + more, device, dtype) for name, more in WIDTHS.items()}
    training = trainings[entry]
    some = slice(None, None, max(1, rows // CHECKED))
    error = product_bound(8 * k + 1, dtype, is_tf32(request))
    exact, bound = of_layers(training.model, training.x[some], error)

    found = race(entry, {name: training.step for name, training in trainings.items()})

    assert found.dtype == dtype
    assert ((found[some].cpu().double() - exact).abs() <= bound).all()
    assert training.loss(training.step()) < training.loss(found)  # it has learned something since


class Training:
    """Two layers that learn their training data by heart."""

    def __init__(self, rows, width, device, dtype):
        self.x = torch.rand(rows, width, device=device).to(dtype)
        self.targets = torch.randint(10, (rows,), device=device)  # of so many classes that one step shows
        self.model = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width)).to(device, dtype)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1 / rows)

    def loss(self, output):
        # A sum, whose gradients are large enough for float16; that of a mean of many rows would be rounded to zero.
        return nn.functional.cross_entropy(output.float(), self.targets, reduction="sum")

    def step(self):
        """One step; returns what the model said before it."""
        self.optimizer.zero_grad()
        output = self.model(self.x)
        self.loss(output).backward()
        self.optimizer.step()
        return output.detach()
