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
    bytes_each = {dtype: torch.zeros(3, dtype=dtype, device=device).element_size() for dtype in dtypes}

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


def test_tf32_takes_compute_capability_eight(accelerator):
    """Asked for "high" precision, NVIDIA GPUs from compute capability 8.0 on round the inputs of a float32 product to
    TF32; others compute as before.

    Tensor cores take float16 from capability 7.0 on, bfloat16 and TF32 from 8.0 on. Elsewhere the advice is empty.

    https://docs.pytorch.org/docs/stable/generated/torch.set_float32_matmul_precision.html
    """
    capability = torch.cuda.get_device_capability(accelerator) if torch.version.cuda else (0, 0)
    x = torch.full((32, 32), 1 + 2**-12, device=accelerator)
    identity = torch.eye(32, device=accelerator)

    torch.set_float32_matmul_precision("high")
    try:
        product = x @ identity
    finally:
        torch.set_float32_matmul_precision("highest")

    assert product.tolist() == [[1.0 if capability >= (8, 0) else 1 + 2**-12] * 32] * 32


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


def test_the_last_batch_is_no_multiple():
    """A batch size of 8 does not make every batch a multiple of 8: the last one has what is left, unless
    `drop_last=True`.

    https://docs.pytorch.org/docs/stable/data.html
    """
    samples = torch.arange(20)

    sizes = [len(batch) for batch in DataLoader(samples, batch_size=8)]
    sizes_without_last = [len(batch) for batch in DataLoader(samples, batch_size=8, drop_last=True)]

    assert sizes == [8, 8, 4]
    assert sizes_without_last == [8, 8]
