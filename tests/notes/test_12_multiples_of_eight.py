"""Multiples of eight.

"Make batch sizes, layer widths and the vocabulary a multiple of 8" is advice about speed: the Tensor cores of NVIDIA's
GPUs are fed fastest by rows that start at multiples of 16 bytes, which is eight numbers in half precision. Results
depend on it only by rounding. This section shows what the 8 is made of, that any size is right, and how padding to a
multiple leaves the results alone. How much time it saves is a question for a stopwatch and a GPU, and belongs to the
benchmarks.
"""

import math

import pytest
import torch
from hypothesis import given, strategies as st
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader


def half_precision(device):
    # Matrix products in float16 came to the CPU later than in bfloat16. On these integers both are exact.
    return torch.bfloat16 if device.type == "cpu" else torch.float16


def small_integers(*shape, dtype, device):
    """Random numbers out of -1, 0, 1, 2: their sums of products are so small that every dtype has them exactly."""
    return torch.randint(-1, 3, shape).to(device, dtype)


# What the eight is.


@pytest.mark.advice("NVIDIA, Train With Mixed Precision, 'Satisfying Tensor Core Shape Constraints'")
def test_eight_halves_are_sixteen_bytes(device):
    """The number behind the advice is 16 bytes, so it is 8 for half precision alone: 4 for float32, 16 for int8.

    This reason is about Tensor cores: a CPU has none. On an A100, multiples of 128 bytes are better still.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.element_size.html
    """
    dtypes = [torch.float16, torch.bfloat16, torch.float32, torch.int8]
    tensors = [torch.zeros(3, dtype=dtype) for dtype in dtypes]
    # All but bfloat16 go to the device: MPS has it from torch 2.3 and macOS 14 on.
    tensors = [tensor if tensor.dtype == torch.bfloat16 else tensor.to(device) for tensor in tensors]
    bytes_each = {tensor.dtype: tensor.element_size() for tensor in tensors}

    assert {dtype: 16 // size for dtype, size in bytes_each.items()} == {
        torch.float16: 8,
        torch.bfloat16: 8,
        torch.float32: 4,
        torch.int8: 16,
    }


@pytest.mark.holds("torch>=2.1", otherwise=AttributeError)
def test_sixteen_numbers_of_float8_are_sixteen_bytes():
    """From torch 2.1 on there is float8, of which 16 numbers are 16 bytes, and `dtype.itemsize`, which tells it without
    a tensor.

    In torch 2.0 a tensor's `element_size()` is the way to ask.

    https://docs.pytorch.org/docs/stable/tensor_attributes.html
    """
    # Only on the CPU: not every accelerator has float8.
    dtypes = [torch.float8_e4m3fn, torch.float8_e5m2, torch.float16, torch.float32, torch.float64]

    assert [16 // dtype.itemsize for dtype in dtypes] == [16, 16, 8, 4, 2]
    assert [torch.zeros(3, dtype=dtype).element_size() for dtype in dtypes] == [1, 1, 2, 4, 8]


def test_fresh_tensors_start_at_a_multiple_of_sixteen_bytes(device):
    """A new tensor begins at an address that is a multiple of 16 bytes, whatever its size; a slice of it begins
    wherever you cut.

    A slice may therefore have the right shape and still be misaligned. `clone()` is a new tensor.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.data_ptr.html
    """
    fresh = [torch.zeros(size, dtype=torch.float16, device=device) for size in [1, 3, 8, 13, 40]]
    wide = torch.zeros(2, 24, dtype=torch.float16, device=device)
    cut = wide[:, 1:17]

    assert [tensor.data_ptr() % 16 for tensor in fresh] == [0, 0, 0, 0, 0]
    assert cut.shape == (2, 16)
    assert cut.data_ptr() - wide.data_ptr() == 2
    assert cut.clone().data_ptr() % 16 == 0


@pytest.mark.only("cuda", "xpu", because="data_ptr() on MPS is a handle of a buffer, not where it lies")
def test_new_tensors_on_cuda_start_at_a_multiple_of_512_bytes(accelerator):
    """On CUDA every new tensor begins at a multiple of 512 bytes, more than Tensor cores ask for: what breaks their 16
    are views, and widths that are no multiple of eight halves.

    XPU does the same.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.data_ptr.html
    """
    fresh = [torch.empty(size, dtype=torch.float16, device=accelerator) for size in [1, 3, 300, 1001, 70_000]]
    narrow = torch.empty(4, 20, dtype=torch.float16, device=accelerator)

    assert [tensor.data_ptr() % 512 for tensor in fresh] == [0, 0, 0, 0, 0]
    assert [row.data_ptr() % 16 for row in narrow] == [0, 8, 0, 8]
    assert [narrow[:, column:].data_ptr() % 16 for column in (0, 1, 8)] == [0, 2, 0]


@pytest.mark.advice("NVIDIA, Matrix Multiplication Background User's Guide, 'Tensor Core Requirements'")
def test_the_width_decides_where_the_rows_start(device):
    """Rows lie one behind the other: with a width of 16 or 24 halves each starts at a multiple of 16 bytes, with 15 or
    20 only some do.

    It is the last dimension that counts. Three rows or eight make no difference to where they start.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.stride.html
    """
    offsets = {}
    for width in [15, 16, 20, 24]:
        matrix = torch.zeros(5, width, dtype=torch.float16, device=device)
        offsets[width] = [(row.data_ptr() - matrix.data_ptr()) % 16 for row in matrix]

    assert offsets == {
        15: [0, 14, 12, 10, 8],
        16: [0, 0, 0, 0, 0],
        20: [0, 8, 0, 8, 0],
        24: [0, 0, 0, 0, 0],
    }


@given(
    rows=st.integers(2, 6), width=st.integers(1, 40), dtype=st.sampled_from([torch.float16, torch.float32, torch.int8])
)
def test_every_row_is_aligned_for_every_multiple_and_no_other_width(device, rows, width, dtype):
    """All rows of a new matrix of two rows or more start at multiples of 16 bytes if and only if the width in bytes is
    a multiple of 16.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.stride.html
    """
    matrix = torch.zeros(rows, width, dtype=dtype, device=device)

    aligned = [row.data_ptr() % 16 == 0 for row in matrix]

    assert matrix.stride() == (width, 1)
    assert all(aligned) == (width * matrix.element_size() % 16 == 0)


# Any size is right.


@pytest.mark.myth("Sizes that are not a multiple of 8 give errors, or less accurate results")
def test_any_size_is_right(device):
    """Layers of odd sizes compute the same as any other, in half precision too: 7 samples, 13 features, 3 classes.

    (Products in float8 and int8 on CUDA do demand multiples, and raise.)

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.linear.html
    """
    half = half_precision(device)
    x = torch.arange(7 * 13).reshape(7, 13) % 4
    weight = torch.arange(3 * 13).reshape(3, 13) % 5 - 2

    output = F.linear(x.to(device, half), weight.to(device, half))
    product = x.to(device, half) @ weight.T.to(device, half)

    assert output.dtype == product.dtype == half
    assert output.tolist() == product.tolist() == (x @ weight.T).tolist()


@given(batch=st.integers(1, 40), inputs=st.integers(1, 40), outputs=st.integers(1, 40))
def test_matrix_products_are_exact_for_every_size(device, batch, inputs, outputs):
    """Products of matrices of small integers are exact for all sizes from 1 to 40, in float32 and in half precision.

    https://docs.pytorch.org/docs/stable/generated/torch.matmul.html
    """
    x = small_integers(batch, inputs, dtype=torch.float32, device=device)
    weight = small_integers(outputs, inputs, dtype=torch.float32, device=device)
    half = half_precision(device)

    expected = (x.cpu().long() @ weight.cpu().long().T).tolist()

    assert (x @ weight.T).tolist() == expected
    assert F.linear(x, weight).tolist() == expected
    assert F.linear(x.to(half), weight.to(half)).tolist() == expected


@given(batch=st.integers(1, 40), inputs=st.integers(1, 40), outputs=st.integers(1, 40))
def test_rounding_stays_in_bounds_for_every_size(device, rounding_bound, batch, inputs, outputs):
    """A float32 product of any size from 1 to 40 is as close to the float64 one as rounding allows, multiple of eight
    or not.

    https://docs.pytorch.org/docs/stable/notes/numerical_accuracy.html
    """
    x, weight = torch.randn(batch, inputs), torch.randn(inputs, outputs)

    product = (x.to(device) @ weight.to(device)).cpu()

    error = (product.double() - x.double() @ weight.double()).abs()
    bound = rounding_bound(inputs, torch.float32) * (x.double().abs() @ weight.double().abs())
    assert product.dtype == torch.float32
    assert (error <= bound).all()


# What half precision costs.


@pytest.mark.parametrize(
    ("dtype", "last", "square"),
    [(torch.float16, 2048, math.inf), (torch.bfloat16, 256, 90112)],
    ids=["float16", "bfloat16"],
)
def test_half_precision_is_short_of_range_or_of_digits(device, dtype, last, square):
    """float16 counts in ones up to 2048 and overflows beyond 65504; bfloat16 counts in ones up to 256 only, and has the
    range of float32.

    There x + 1 is x, so a total that is kept in half precision stops growing: `sum(dtype=torch.float32)`.

    https://docs.pytorch.org/docs/stable/type_info.html
    """
    if dtype == torch.bfloat16 and device.type == "mps":
        device = "cpu"  # MPS has bfloat16 from torch 2.3 and macOS 14 on
    total = torch.tensor(last, dtype=dtype, device=device)
    terms = torch.tensor([last, 1, 1, -last], dtype=dtype, device=device)

    assert [(total - 1).item(), (total + 1).item(), (total + 2).item()] == [last - 1, last, last + 2]
    assert (total + 1 + 1 - last).item() == 0
    assert terms.sum(dtype=torch.float32).item() == 2
    assert (torch.tensor(300, dtype=dtype, device=device) ** 2).item() == square
    assert (total + 1).dtype == dtype


@pytest.mark.only("cuda", "xpu", because="Apple makes no such promise for MPS")
def test_halves_are_added_up_in_float32_on_cuda(accelerator):
    """On CUDA a sum of float16 and a matrix product of float16 add up in float32 and round once, at the end: 2048 and
    1022 ones are 3070, where adding one by one stays at 2048.

    By default a product may still round the partial sums of long rows, until
    `torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction` is False. XPU adds up in float32, too.

    https://docs.pytorch.org/docs/stable/notes/numerical_accuracy.html
    """
    x = torch.ones(16, 1024, dtype=torch.float16, device=accelerator)
    x[:, 0], x[:, 1] = 2048, 0
    ones = torch.ones(1024, 16, dtype=torch.float16, device=accelerator)
    before = torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction

    torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = False
    try:
        product = x @ ones
    finally:
        torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = before

    assert product.dtype == torch.float16
    assert product.tolist() == [[3070] * 16] * 16
    assert x.sum(dim=1).tolist() == [3070] * 16
    assert (x[0, 0] + x[0, 2]).item() == 2048


@pytest.mark.only("cpu", "cuda", "xpu", because="autocast came to MPS with torch 2.5")
def test_autocast_chooses_the_dtype_by_the_operation(device):
    """Under `torch.autocast` Linear and matrix products of float32 compute in half precision and losses in float32,
    while parameters and their gradients stay float32.

    The half is float16 on accelerators and bfloat16 on the CPU, unless `dtype=` says otherwise. Softmax gives float32
    on accelerators, and on the CPU what it got.

    https://docs.pytorch.org/docs/stable/amp.html#autocast-op-reference
    """
    half = torch.bfloat16 if device.type == "cpu" else torch.float16
    model = nn.Linear(16, 8, device=device)
    x, classes = torch.ones(4, 16, device=device), torch.tensor([0, 7, 3, 3], device=device)

    with torch.autocast(device.type):
        logits = model(x)
        product = x @ x.T
        loss = F.cross_entropy(logits, classes)
        error = F.mse_loss(logits, torch.zeros(4, 8, device=device))
        probabilities = logits.softmax(dim=1)
    loss.backward()

    assert [logits.dtype, product.dtype] == [half, half]
    assert [loss.dtype, error.dtype] == [torch.float32, torch.float32]
    assert probabilities.dtype == (half if device.type == "cpu" else torch.float32)
    assert [model.weight.dtype, model.weight.grad.dtype, model(x).dtype] == [torch.float32] * 3


def test_scaling_saves_small_gradients_from_float16(device):
    """A gradient of 2**-26 becomes 0 on its way back through float16; with a loss that is scaled by 2**16, and the
    gradient divided by that afterwards, it arrives.

    That is what a GradScaler is for. bfloat16 has the range of float32 and does without.

    https://docs.pytorch.org/docs/stable/amp.html#gradient-scaling
    """
    gradients = {}
    for scale in (1, 2**16):
        weight = torch.tensor([3.0], device=device, requires_grad=True)
        loss = (weight.half().float() * 2**-26).sum()
        (loss * scale).backward()
        gradients[scale] = weight.grad.item() / scale

    assert gradients == {1: 0, 2**16: 2**-26}


@pytest.mark.only("cpu", "cuda", "xpu", because="GradScaler came to MPS with torch 2.8")
@pytest.mark.holds("torch>=2.3", otherwise=AttributeError)
def test_a_grad_scaler_skips_steps_and_adapts(device):
    """From torch 2.3 on `torch.amp.GradScaler` scales the loss, steps with the true gradient, skips the step and halves
    the scale at an inf, and doubles it after `growth_interval` good steps in a row.

    It starts at 65536 and waits for 2000 steps unless told. On MPS it works from torch 2.8 on. Before 2.3 it is
    `torch.cuda.amp.GradScaler`, for CUDA only.

    https://docs.pytorch.org/docs/stable/amp.html#gradient-scaling
    """
    scaler = torch.amp.GradScaler(device.type, init_scale=8, growth_interval=2)
    weight = nn.Parameter(torch.tensor([2.0], device=device))
    optimizer = torch.optim.SGD([weight], lr=0.5)

    seen = []
    for factor in (1, math.inf, 1, 1):
        optimizer.zero_grad()
        scaler.scale((weight * factor).sum()).backward()
        scaled = weight.grad.item()
        scaler.step(optimizer)
        scaler.update()
        seen.append((scaled, weight.item(), scaler.get_scale()))

    assert seen == [(8, 1.5, 8), (math.inf, 1.5, 4), (4, 1, 4), (4, 0.5, 8)]
    assert torch.amp.GradScaler(device.type).get_scale() == 65536
    assert torch.amp.GradScaler(device.type).get_growth_interval() == 2000


# TF32: float32 with the digits of a half.


def test_float32_products_stay_in_float32_unless_you_ask(device):
    """By default a matrix product of float32 keeps the digits of float32: no Tensor core rounds them behind your back.

    1 + 2**-12 needs 12 bits of fraction; float32 has 23, the Tensor cores' TF32 has 10. Convolutions on CUDA are the
    exception, where TF32 is on by default.

    https://docs.pytorch.org/docs/stable/notes/cuda.html
    """
    x = torch.full((32, 32), 1 + 2**-12, device=device)
    identity = torch.eye(32, device=device)

    product = x @ identity

    assert torch.get_float32_matmul_precision() == "highest"
    assert product.dtype == torch.float32
    assert product.tolist() == [[1 + 2**-12] * 32] * 32


def test_tf32_is_off_for_products_and_on_for_convolutions():
    """Unless told, TF32 is off for matrix products on CUDA and on for convolutions;
    `set_float32_matmul_precision("high")` and "medium" turn it on for products, and nothing of that touches
    convolutions.

    The switches are there without a GPU, too: `torch.backends.cuda.matmul.allow_tf32` is the older name of the first,
    and `torch.backends.cudnn.allow_tf32` is the second.

    https://docs.pytorch.org/docs/stable/notes/cuda.html
    """
    switches = {}
    try:
        for precision in ("highest", "high", "medium"):
            torch.set_float32_matmul_precision(precision)
            switches[precision] = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
        torch.set_float32_matmul_precision("highest")
        torch.backends.cuda.matmul.allow_tf32 = True
        name = torch.get_float32_matmul_precision()
    finally:
        torch.set_float32_matmul_precision("highest")

    assert switches == {"highest": (False, True), "high": (True, True), "medium": (True, True)}
    assert name == "high"
    assert torch.backends.cuda.matmul.allow_tf32 is False


@pytest.mark.only("nvidia", "mps", because="what 'high' means to AMD and Intel depends on model and release")
def test_tf32_takes_compute_capability_eight(accelerator):
    """Asked for "high" precision, NVIDIA GPUs from compute capability 8.0 on round the inputs of a float32 product to
    TF32; older ones and MPS compute as before.

    Tensor cores take float16 from capability 7.0 on, bfloat16 and TF32 from 8.0 on. 1 + 2**-12 is a float32, and 1 is
    the nearest number of TF32.

    https://docs.pytorch.org/docs/stable/generated/torch.set_float32_matmul_precision.html
    """
    has_tf32 = accelerator.type == "cuda" and torch.cuda.get_device_capability(accelerator) >= (8, 0)
    x = torch.full((1024, 1024), 1 + 2**-12, device=accelerator)  # for small ones a library may do without TF32
    identity = torch.eye(1024, device=accelerator)

    torch.set_float32_matmul_precision("high")
    try:
        product = x @ identity
    finally:
        torch.set_float32_matmul_precision("highest")

    expected = 1 if has_tf32 else 1 + 2**-12
    assert product.dtype == torch.float32
    assert [product.min().item(), product.max().item()] == [expected, expected]


def test_tf32_errs_in_the_eleventh_bit(accelerator, rounding_bound):
    """Whatever the numbers, on "highest" a product is as good as float32 allows, and on "high" as good as inputs of
    eleven significant bits allow: about three decimal digits.

    https://docs.pytorch.org/docs/stable/notes/cuda.html#tensorfloat-32-tf32-on-ampere-and-later-devices
    """
    x, weight = torch.rand(512, 256), torch.rand(256, 512)
    exact = x.double() @ weight.double()  # on the CPU; of positive terms only, so it is also the sum of their sizes
    errors = {}
    try:
        for precision in ("high", "highest"):
            torch.set_float32_matmul_precision(precision)
            product = (x.to(accelerator) @ weight.to(accelerator)).cpu().double()
            errors[precision] = ((product - exact).abs() / exact).max().item()
    finally:
        torch.set_float32_matmul_precision("highest")

    # Two inputs of each term lose digits, by chopping at the worst, which is twice as much as by rounding. The sums are
    # in float32, and Tensor cores chop there too.
    bounds = {
        "high": rounding_bound(2 * 2, torch.float32, tf32=True) + rounding_bound(4 * 256, torch.float32),
        "highest": rounding_bound(256, torch.float32),
    }
    assert errors["high"] <= bounds["high"]
    assert errors["highest"] <= bounds["highest"]


@pytest.mark.only("cuda", because="cuDNN and its switch are CUDA's")
def test_convolutions_on_cuda_may_round_to_tf32(accelerator):
    """On CUDA a convolution of float32 may round its inputs to TF32 without being asked;
    `torch.backends.cudnn.allow_tf32 = False`, or a block with such flags, keeps the digits of float32.

    Whether it does depends on the GPU and on the algorithm that cuDNN chooses.

    https://docs.pytorch.org/docs/stable/notes/cuda.html#tensorfloat-32-tf32-on-ampere-and-later-devices
    """
    images = torch.full((4, 32, 16, 16), 1 + 2**-12, device=accelerator)
    weight = torch.eye(32, device=accelerator).reshape(32, 32, 1, 1)

    default = F.conv2d(images, weight)
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        exact = F.conv2d(images, weight)

    assert torch.backends.cudnn.allow_tf32 is True
    assert torch.equal(exact, images)
    assert set(default.unique().tolist()) <= {1, 1 + 2**-12}


@pytest.mark.holds("torch>=2.9", otherwise=(AttributeError, AssertionError))
def test_tf32_has_a_setting_of_its_own():
    """From torch 2.9 on `torch.backends.cuda.matmul.fp32_precision` says "tf32" or "ieee", and follows
    `set_float32_matmul_precision`.

    Where older releases have to run the code too, keep to `set_float32_matmul_precision`.

    https://docs.pytorch.org/docs/stable/notes/cuda.html
    """
    torch.set_float32_matmul_precision("high")
    try:
        asked = torch.backends.cuda.matmul.fp32_precision
    finally:
        torch.set_float32_matmul_precision("highest")

    assert [asked, torch.backends.cuda.matmul.fp32_precision] == ["tf32", "ieee"]
    assert torch.backends.cudnn.conv.fp32_precision == "tf32"


@pytest.mark.holds("torch>=2.9", otherwise=(AttributeError, AssertionError))
def test_the_two_settings_of_tf32_do_not_mix():
    """From torch 2.9 on, once `fp32_precision` of the CUDA products is set, `torch.get_float32_matmul_precision()`
    raises RuntimeError: use the new setting or the old ones, never both.

    A library that reads the old one fails then. `set_float32_matmul_precision` sets both and mends it.

    https://docs.pytorch.org/docs/stable/notes/cuda.html
    """
    before = torch.backends.cuda.matmul.fp32_precision

    torch.backends.cuda.matmul.fp32_precision = "tf32"
    try:
        with pytest.raises(RuntimeError, match="mix of the legacy and new APIs"):
            torch.get_float32_matmul_precision()
        with pytest.raises(RuntimeError, match="mix of the legacy and new APIs"):
            torch.backends.cuda.matmul.allow_tf32
        torch.set_float32_matmul_precision("high")
        assert torch.get_float32_matmul_precision() == "high"
    finally:
        torch.set_float32_matmul_precision("highest")
        torch.backends.cuda.matmul.fp32_precision = before

    assert torch.get_float32_matmul_precision() == "highest"


# Padding to a multiple.


def test_rounding_up_is_minus_modulo(device):
    """`-size % 8` is what a size lacks to the next multiple of eight; `8 - size % 8` is wrong where nothing is lacking.

    `F.pad` counts from the last dimension: `(0, 3)` adds three columns of zeros on the right.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.pad.html
    """
    sizes = [1, 7, 8, 9, 30, 50257]
    right = [size + -size % 8 for size in sizes]
    wrong = [size + 8 - size % 8 for size in sizes]

    assert right == [8, 8, 8, 16, 32, 50264]
    assert wrong == [8, 8, 16, 16, 32, 50264]

    x = torch.tensor([[1.0, 2.0, 3.0, 4.0, 5.0], [6.0, 7.0, 8.0, 9.0, 10.0]], device=device)
    padded = F.pad(x, (0, -x.shape[1] % 8))

    assert padded.tolist() == [[1, 2, 3, 4, 5, 0, 0, 0], [6, 7, 8, 9, 10, 0, 0, 0]]


def pad_linear(layer):
    """The same layer with both widths rounded up to a multiple of eight, zeros in what was added."""
    outputs, inputs = layer.weight.shape
    padded = nn.Linear(inputs + -inputs % 8, outputs + -outputs % 8, device=layer.weight.device)
    with torch.no_grad():
        padded.weight.zero_()
        padded.bias.zero_()
        padded.weight[:outputs, :inputs] = layer.weight
        padded.bias[:outputs] = layer.bias
    return padded


@given(batch=st.integers(1, 4), inputs=st.integers(1, 20), outputs=st.integers(1, 20))
def test_a_padded_layer_is_the_same_layer_for_every_size(device, rounding_bound, batch, inputs, outputs):
    """Pad the features with zeros, pad the layer, cut the output: the result is the same up to rounding, and so is the
    gradient, which is zero in the padding.

    So plain SGD leaves the padding at zero for good. Small integers are exact, so for them even the bits agree; with
    other weights another kernel may add up in another order.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html
    """
    layer = nn.Linear(inputs, outputs, device=device)
    x = torch.randn(batch, inputs, device=device)
    with torch.no_grad():
        error = pad_linear(layer)(F.pad(x, (0, -inputs % 8)))[:, :outputs].cpu().double() - layer(x).cpu().double()
        size = F.linear(*(tensor.cpu().double().abs() for tensor in [x, layer.weight, layer.bias]))

    assert (error.abs() <= 2 * rounding_bound(inputs + 1, torch.float32) * size).all()

    with torch.no_grad():
        layer.weight.copy_(small_integers(outputs, inputs, dtype=torch.float32, device=device))
        layer.bias.copy_(small_integers(outputs, dtype=torch.float32, device=device))
    padded_layer = pad_linear(layer)
    x = small_integers(batch, inputs, dtype=torch.float32, device=device)

    output = layer(x)
    padded_output = padded_layer(F.pad(x, (0, -inputs % 8)))
    output.sum().backward()
    padded_output[:, :outputs].sum().backward()

    assert padded_output.shape == (batch, math.ceil(outputs / 8) * 8)
    assert padded_output[:, :outputs].tolist() == output.tolist()
    assert padded_output[:, outputs:].eq(0).all()
    grad = F.pad(layer.weight.grad, (0, -inputs % 8, 0, -outputs % 8))
    assert padded_layer.weight.grad.tolist() == grad.tolist()
    assert padded_layer.bias.grad.tolist() == F.pad(layer.bias.grad, (0, -outputs % 8)).tolist()


def test_a_padded_vocabulary_looks_up_the_same_rows(device):
    """More rows in an embedding than there are words change nothing: no index reaches them, so they are not read and
    their gradient is 0.

    Weight decay still shrinks them.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Embedding.html
    """
    words = torch.tensor([12, 0, 5, 12], device=device)
    table = nn.Embedding(13, 3, device=device)
    padded_table = nn.Embedding(16, 3, device=device)
    with torch.no_grad():
        padded_table.weight[:13] = table.weight
        padded_table.weight[13:] = 8
    optimizer = torch.optim.SGD(padded_table.parameters(), lr=0.5, weight_decay=0.25)

    padded_table(words).sum().backward()

    assert padded_table(words).tolist() == table(words).tolist()
    assert padded_table.weight.grad.sum(dim=1).tolist() == [3, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0]
    optimizer.step()
    assert padded_table.weight[13:].tolist() == [[7, 7, 7], [7, 7, 7], [7, 7, 7]]


def test_a_padded_vocabulary_takes_its_share_of_the_softmax(device, rounding_bound):
    """Classes that pad the logits with 0 take part in the softmax and raise the cross entropy; cut them off, or mask
    them with -inf.

    Five words about which a model knows nothing cost log 5. With three more that do not exist, they cost log 8.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.cross_entropy.html
    """
    target = torch.tensor([2], device=device)
    padded = torch.zeros(1, 8, device=device)
    masked = padded.clone()
    masked[:, 5:] = -math.inf

    losses = [F.cross_entropy(logits, target).item() for logits in [padded, padded[:, :5], masked]]

    # Eight exponentials, their sum and its logarithm: some thirty roundings of numbers not larger than 8.
    bound = 8 * rounding_bound(32, torch.float32)
    assert losses == pytest.approx([math.log(8), math.log(5), math.log(5)], rel=0, abs=bound)


@given(
    logits=st.lists(st.integers(-8, 8), min_size=1, max_size=20),
    target=st.integers(0, 19),
)
def test_masked_classes_do_not_count_for_every_logits(device, rounding_bound, logits, target):
    """For all logits, cross entropy over the padded classes is the same as over the real ones, if the padding is -inf:
    the loss and its gradient.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.cross_entropy.html
    """
    classes = len(logits)
    target = torch.tensor([target % classes])
    reference = torch.tensor([logits], dtype=torch.float64, requires_grad=True)
    padded = F.pad(torch.tensor([logits], dtype=torch.float32), (0, -classes % 8), value=-math.inf)
    padded = padded.to(device).requires_grad_()

    expected = F.cross_entropy(reference, target)
    loss = F.cross_entropy(padded, target.to(device))
    expected.backward()
    loss.backward()

    # The loss is log(sum(exp(logits))) - logits[target]: each of the two is at most 8 + log(classes) in size.
    size = 2 * (8 + math.log(classes)) + 1
    bound = size * rounding_bound(classes + 16, torch.float32)
    assert loss.dtype == torch.float32
    assert abs(loss.item() - expected.item()) <= bound
    assert padded.grad[:, classes:].eq(0).all()
    assert (padded.grad[:, :classes].cpu() - reference.grad).abs().max() <= bound


def test_label_smoothing_and_masked_classes_do_not_mix(device, rounding_bound):
    """With label smoothing every class gets a share of the target, the masked ones too, and the loss is infinite: cut
    them off instead.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
    """
    target = torch.tensor([2], device=device)
    masked = torch.tensor([[0.0, 0.0, 0.0, 0.0, 0.0, -math.inf, -math.inf, -math.inf]], device=device)
    criterion = nn.CrossEntropyLoss(label_smoothing=0.1)

    assert criterion(masked, target).item() == math.inf

    bound = 8 * rounding_bound(32, torch.float32)
    assert criterion(masked[:, :5], target).item() == pytest.approx(math.log(5), rel=0, abs=bound)


def test_the_last_batch_is_no_multiple(device):
    """A batch size of 8 does not make every batch a multiple of 8: the last one has what is left, unless
    `drop_last=True`.

    https://docs.pytorch.org/docs/stable/data.html
    """
    samples = torch.arange(20, device=device)

    sizes = [len(batch) for batch in DataLoader(samples, batch_size=8)]
    sizes_without_last = [len(batch) for batch in DataLoader(samples, batch_size=8, drop_last=True)]

    assert sizes == [8, 8, 4]
    assert sizes_without_last == [8, 8]
