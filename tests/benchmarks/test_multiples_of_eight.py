"""Matrix products and training steps whose width is a multiple of eight, against those one narrower and one wider.

"Make widths a multiple of 8" is advice about NVIDIA's Tensor cores: here is what it brings on this device, by dtype,
for so many rows that the product takes the time, and how close to the limit of the device it comes.
"""

import pytest
import torch
from torch import nn

from torchnotes.harness.numerics import of_layers, rounding_bound
from torchnotes.measuring import limits

pytestmark = pytest.mark.section("12")

WIDTHS = {"8k-1": -1, "8k": 0, "8k+1": 1}
ODD = [33, 125, 513]  # 8 times an odd number: what a power of two does to a cache is not taken for it
ROWS = [2**power for power in range(3, 19)]
SIDES = [8 * odd for odd in (33, 65, 129, 257, 513, 1025)]
CHECKED = 64  # rows that are compared with a product in float64, out of all

SHAPES = {
    "aligned": (0, 0, 0),
    "m + 1": (1, 0, 0),
    "k + 1": (0, 1, 0),
    "n + 1": (0, 0, 1),
    "all - 1": (-1, -1, -1),
}
"""What is added to the three sides of a product of m rows, k long, with n columns."""


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
    if why := refusal(32, 32, 32, device, dtype):
        pytest.skip(f"no matrix products in {dtype} on {device.type}: {why}")
    return dtype


def refusal(m, k, n, device, dtype):
    """Why the device does not multiply matrices of these sizes in this dtype; None where it does."""
    try:
        limits.product(*factors_of(m, k, n, device, dtype))
    except (RuntimeError, TypeError, AttributeError) as error:
        return next(iter(str(error).splitlines()), type(error).__name__)


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
def test_matrix_product(race, benchmark, request, sizes, device, dtype, entry, k):
    leave_out_what_is_large(benchmark, k)

    def multiplying(rows):
        a, b = factors_of(rows, 8 * k, 8 * k, device, dtype)
        return lambda: a @ b

    rows = sizes.largest(multiplying, ROWS)
    widths = {name: 8 * k + more for name, more in WIDTHS.items()}
    factors = {name: factors_of(rows, width, width, device, dtype) for name, width in widths.items()}
    work = {name: limits.of_product(rows, width, width, dtype) for name, width in widths.items()}

    found = race(entry, {name: lambda a=a, b=b: a @ b for name, (a, b) in factors.items()}, {"rows": rows}, work)

    check_product(found, *factors[entry], is_tf32(request))


@pytest.mark.parametrize("entry", range(248, 265))
def test_matrix_product_by_width(race, benchmark, sizes, device, entry):
    """The saw: its teeth are 8 widths apart where a multiple of eight is quicker."""
    dtype = usable(torch.bfloat16 if device.type == "cpu" else torch.float16, device)

    def multiplying(rows):
        a, b = factors_of(rows, 256, 256, device, dtype)
        return lambda: a @ b

    rows = sizes.largest(multiplying, ROWS)
    a, b = factors_of(rows, 264, 264, device, dtype)
    widths = range(248, 265)
    factors = {width: (a[:, :width].contiguous(), b[:width, :width].contiguous()) for width in widths}
    work = {width: limits.of_product(rows, width, width, dtype) for width in widths}
    about = {"dtype": str(dtype), "rows": rows}

    found = race(entry, {width: lambda a=a, b=b: a @ b for width, (a, b) in factors.items()}, about, work)

    check_product(found, *factors[entry])


@pytest.mark.limit("a product of matrices {side:,} wide reaches {share} of the device's limit ({dtype})", "aligned")
@pytest.mark.finding(
    "a product of matrices {less:,} wide does {share} of the operations a second of one {side:,} wide ({dtype})",
    "all - 1",
    "aligned",
    at_most=0.9,
    of="operations a second",
)
@pytest.mark.finding(
    "a product of matrices {side:,} wide takes {times} as long with one column more (n + 1, {dtype})",
    "n + 1",
    "aligned",
    at_least=1.1,
)
@pytest.mark.finding(
    "a product of matrices {side:,} wide takes {times} as long with inner products longer by one (k + 1, {dtype})",
    "k + 1",
    "aligned",
    at_least=1.1,
)
@pytest.mark.finding(
    "a product of matrices {side:,} wide takes {times} as long with one row more (m + 1, {dtype})",
    "m + 1",
    "aligned",
    at_least=1.1,
)
@pytest.mark.parametrize("dtype", ["float32", "TF32", "float16", "bfloat16", "int8"], indirect=True)
@pytest.mark.parametrize("entry", list(SHAPES))
def test_product_by_shape(race, request, sizes, device, dtype, entry):
    def multiplying(side):
        a, b = factors_of(side, side, side, device, dtype)
        return lambda: limits.product(a, b)

    side = sizes.largest(multiplying, SIDES)
    shapes = {name: tuple(side + more for more in shape) for name, shape in SHAPES.items()}
    refused = {name: refusal(*shape, device, dtype) for name, shape in shapes.items()}
    if refused[entry]:
        pytest.skip(f"{entry}: {refused[entry]}")
    factors = {name: factors_of(*shape, device, dtype) for name, shape in shapes.items() if not refused[name]}
    work = {name: limits.of_product(*shapes[name], dtype) for name in factors}
    about = {"side": side, "less": side - 1}

    found = race(entry, {name: lambda a=a, b=b: limits.product(a, b) for name, (a, b) in factors.items()}, about, work)

    check_product(found, *factors[entry], is_tf32(request))


def leave_out_what_is_large(benchmark, k):
    if benchmark.disabled and k == max(ODD):
        pytest.skip("weights of this width take longer to make than all else here: only where it is timed")


def factors_of(m, k, n, device, dtype):
    return limits.numbers((m, k), device, dtype), limits.numbers((k, n), device, dtype)


def check_product(found, a, b, tf32=False):
    some = slice(None, None, max(1, len(a) // CHECKED))
    exact = a[some].cpu().double() @ b.cpu().double()
    assert found.shape == (len(a), b.shape[1])
    if a.dtype == torch.int8:
        assert found.dtype == torch.int32
        assert torch.equal(found[some].cpu().double(), exact)
        return
    assert found.dtype == a.dtype
    assert ((found[some].cpu().double() - exact).abs() <= product_bound(len(b), a.dtype, tf32) * exact).all()


@pytest.mark.finding(
    "a training step takes {times} as long with layers 8k wide as 8k+1 wide ({dtype}, k = {k})",
    "8k",
    "8k+1",
    at_most=0.9,
)
@pytest.mark.parametrize("k", ODD)
@pytest.mark.parametrize("entry", list(WIDTHS))
def test_training_step(race, benchmark, request, sizes, device, dtype, entry, k):
    leave_out_what_is_large(benchmark, k)
    rows = sizes.largest(lambda rows: Training(rows, 8 * k, device, dtype).step, ROWS)
    trainings = {name: Training(rows, 8 * k + more, device, dtype) for name, more in WIDTHS.items()}
    training = trainings[entry]
    some = slice(None, None, max(1, rows // CHECKED))
    error = product_bound(8 * k + 1, dtype, is_tf32(request))
    exact, bound = of_layers(training.model, training.x[some], error)

    found = race(entry, {name: training.step for name, training in trainings.items()}, {"rows": rows})

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
