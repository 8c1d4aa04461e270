"""Multiples of eight.

"Make batch sizes, layer widths and the vocabulary a multiple of 8" is advice about speed: the Tensor cores of NVIDIA's
GPUs are fed fastest by rows that start at multiples of 16 bytes, which is eight numbers in half precision. After this
section you can say what the 8 is made of, choose between float32, TF32, float16 and bfloat16, and pad a layer, a
vocabulary or a batch to a multiple of eight without changing the results. How much time it saves is a question for a
stopwatch and a GPU, and belongs to the benchmarks.
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


# What the eight is


@pytest.mark.advice("NVIDIA, Train With Mixed Precision, 'Satisfying Tensor Core Shape Constraints'")
def test_eight_halves_are_sixteen_bytes(device):
    """16 bytes are 8 numbers of float16 or bfloat16, 4 numbers of float32 and 16 numbers of int8.

    NVIDIA's advice for Tensor cores is about the 16 bytes; the 8 is what they come to in half precision. A CPU has no
    Tensor cores.

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


@pytest.mark.holds(
    "torch>=2.1",
    otherwise=AttributeError,
    change="new",
    concerns=("torch.Tensor.itemsize", "torch.float32.itemsize", "torch.float16.itemsize", "torch.bfloat16.itemsize"),
)
def test_sixteen_numbers_of_float8_are_sixteen_bytes():
    """From torch 2.1 on `dtype.itemsize` gives the bytes of an element, and 16 numbers of float8 are 16 bytes.

    In torch 2.0 there is no float8, and you ask a tensor: `tensor.element_size()`.

    https://docs.pytorch.org/docs/stable/tensor_attributes.html
    """
    # Only on the CPU: not every accelerator has float8.
    dtypes = [torch.float8_e4m3fn, torch.float8_e5m2, torch.float16, torch.float32, torch.float64]

    assert [16 // dtype.itemsize for dtype in dtypes] == [16, 16, 8, 4, 2]
    assert [torch.zeros(3, dtype=dtype).element_size() for dtype in dtypes] == [1, 1, 2, 4, 8]


def test_fresh_tensors_start_at_a_multiple_of_sixteen_bytes(device):
    """`torch.zeros` returns a tensor that begins at a multiple of 16 bytes, for each size from 1 to 70, but a slice
    begins where you cut.

    A slice can have the right shape and still be misaligned. `clone()` of the slice begins at a multiple of 16 again.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.data_ptr.html
    """
    fresh = [torch.zeros(size, dtype=torch.float16, device=device) for size in range(1, 71)]
    wide = torch.zeros(2, 24, dtype=torch.float16, device=device)
    cut = wide[:, 1:17]

    assert [tensor.data_ptr() % 16 for tensor in fresh] == [0] * 70
    assert cut.shape == (2, 16)
    assert cut.data_ptr() - wide.data_ptr() == 2
    assert cut.clone().data_ptr() % 16 == 0


@pytest.mark.only("cuda", "xpu", because="data_ptr() on MPS is a handle of a buffer, not where it lies")
def test_new_tensors_on_cuda_start_at_a_multiple_of_512_bytes(accelerator):
    """On CUDA `torch.empty` returns tensors that begin at a multiple of 512 bytes, more than the 16 that Tensor cores
    ask for.

    A slice can break the 16, and so can the rows of a width that is no multiple of eight halves. XPU aligns tensors
    likewise.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.data_ptr.html
    """
    fresh = [torch.empty(size, dtype=torch.float16, device=accelerator) for size in [1, 3, 300, 1001, 70_000]]
    narrow = torch.empty(4, 20, dtype=torch.float16, device=accelerator)

    assert [tensor.data_ptr() % 512 for tensor in fresh] == [0, 0, 0, 0, 0]
    assert [row.data_ptr() % 16 for row in narrow] == [0, 8, 0, 8]
    assert [narrow[:, column:].data_ptr() % 16 for column in (0, 1, 8)] == [0, 2, 0]


@pytest.mark.advice("NVIDIA, Matrix Multiplication Background User's Guide, 'Tensor Core Requirements'")
def test_the_width_decides_where_the_rows_start(device):
    """In a float16 matrix of five rows from `torch.zeros` each row starts at a multiple of 16 bytes if the width is 16
    or 24, and only some rows do if it is 15 or 20.

    The last dimension counts, because the rows lie one behind the other. In a transposed matrix they do not: the rows
    of `torch.zeros(16, 15).T` have width 16 and start one number after the other.

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
    assert torch.zeros(16, 15, device=device).T.shape == (15, 16)
    assert torch.zeros(16, 15, device=device).T.stride() == (1, 15)


@given(
    rows=st.integers(2, 6), width=st.integers(1, 40), dtype=st.sampled_from([torch.float16, torch.float32, torch.int8])
)
def test_every_row_is_aligned_for_every_multiple_and_no_other_width(device, rows, width, dtype):
    """All rows of a matrix from `torch.zeros` of two rows or more start at multiples of 16 bytes if, and only if, the
    width in bytes is a multiple of 16.

    A width of 4 is enough for float32, 8 for float16, and 16 for int8. A matrix can be new and still lie column by
    column, like `x.T + 1`: then call `.contiguous()`.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.stride.html
    """
    matrix = torch.zeros(rows, width, dtype=dtype, device=device)

    aligned = [row.data_ptr() % 16 == 0 for row in matrix]

    assert matrix.stride() == (width, 1)
    assert all(aligned) == (width * matrix.element_size() % 16 == 0)
    columns = torch.zeros(16, 15, dtype=dtype, device=device).T + 1
    assert (columns.stride(), columns.contiguous().stride()) == ((1, 15), (16, 1))


# Is another size wrong?


@pytest.mark.myth("Sizes that are not a multiple of 8 give errors, or less accurate results")
def test_any_size_is_right(device):
    """A Linear layer for 7 samples, 13 features and 3 classes gives exact results for small integers in half precision,
    float16 on a GPU or bfloat16 on the CPU.

    A size that is no multiple of 8 may cost time on a GPU. A Linear layer and `@` take these sizes without an error.
    Half precision rounds other numbers, such as 0.1, at every size.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.linear.html
    """
    half = half_precision(device)
    x = torch.arange(7 * 13).reshape(7, 13) % 4
    weight = torch.arange(3 * 13).reshape(3, 13) % 5 - 2

    output = F.linear(x.to(device, half), weight.to(device, half))
    product = x.to(device, half) @ weight.T.to(device, half)

    assert output.dtype == product.dtype == half
    assert output.tolist() == product.tolist() == (x @ weight.T).tolist()
    assert torch.tensor(0.1, dtype=half).item() != 0.1


@pytest.mark.holds("torch>=2.10", otherwise=AttributeError, change="new")
def test_grouped_products_want_rows_of_sixteen_bytes():
    """`F.grouped_mm`, which came with torch 2.10, raises RuntimeError "strides should be multiple of 16 bytes" for a
    contiguous bfloat16 matrix of width 5.

    `F.grouped_mm` multiplies many matrices in one call, as a mixture of experts does. Widths of 8 are accepted, and the
    number of rows may be 5. The distance of the rows counts: five columns cut from rows of 8 are accepted, and so is a
    transpose whose columns have 8 numbers. Pad the rows, or write `@`, which takes every width.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.grouped_mm.html
    """
    x, narrow = torch.ones(2, 5, 8, dtype=torch.bfloat16), torch.ones(2, 8, 5, dtype=torch.bfloat16)
    wide = torch.ones(2, 8, 8, dtype=torch.bfloat16)

    with pytest.raises(RuntimeError, match="strides should be multiple of 16 bytes"):
        F.grouped_mm(x, narrow)

    assert F.grouped_mm(x, wide).tolist() == [[[8] * 8] * 5] * 2
    assert (x @ narrow).tolist() == [[[8] * 5] * 5] * 2
    assert F.grouped_mm(x, wide[:, :, :5]).tolist() == [[[8] * 5] * 5] * 2
    assert F.grouped_mm(x, narrow.mT.contiguous().mT).tolist() == [[[8] * 5] * 5] * 2


# What half precision costs


@pytest.mark.holds("torch>=2.3", otherwise=RuntimeError, change="new", concerns="torch.float16")
def test_layers_take_float16_on_the_cpu():
    """From torch 2.3 on `nn.Linear`, `nn.Conv2d`, `nn.LayerNorm`, `nn.BatchNorm1d`, `nn.LSTM` and matrix products
    compute in float16 on the CPU.

    Up to 2.1 a Linear layer raises RuntimeError: "addmm_impl_cpu_" not implemented for 'Half'. Up to 2.2 LayerNorm
    raises: "LayerNormKernelImpl" not implemented for 'Half'. It happens to a model that was saved for a GPU: write
    `model.float()`. All of these take bfloat16 on the CPU in every release.

    https://docs.pytorch.org/docs/stable/tensor_attributes.html
    """
    x, image = torch.ones(2, 3), torch.ones(1, 1, 4, 4)

    def dtypes(dtype):
        yield nn.LayerNorm(3).to(dtype)(x.to(dtype)).dtype
        yield nn.Linear(3, 2).to(dtype)(x.to(dtype)).dtype
        yield nn.Conv2d(1, 1, 3).to(dtype)(image.to(dtype)).dtype
        yield nn.BatchNorm1d(3).to(dtype)(x.to(dtype)).dtype
        yield nn.LSTM(3, 2).to(dtype)(x.to(dtype)[None])[0].dtype
        yield (x.to(dtype) @ x.to(dtype).T).dtype

    assert list(dtypes(torch.bfloat16)) == [torch.bfloat16] * 6
    assert list(dtypes(torch.float16)) == [torch.float16] * 6


@pytest.mark.only("cpu", "cuda", because="not seen on other devices")
def test_a_mask_of_minus_a_billion_does_not_fit_into_float16(device):
    """`scores.masked_fill(mask, -1e9)` raises RuntimeError "value cannot be converted to type at::Half without
    overflow" if the scores are float16, which ends at 65504; newer releases write c10::Half.

    Under autocast on CUDA the scores that a matrix product gives are float16. Write `torch.finfo(scores.dtype).min` in
    place of -1e9: a row that is masked all over then has equal shares after a softmax, and with `-math.inf` it is nan.
    bfloat16 takes -1e9. `scores - 1e9` does not raise: it is -inf.

    https://docs.pytorch.org/docs/stable/type_info.html
    """
    scores = torch.zeros(1, 2, dtype=torch.float16, device=device)
    mask = torch.ones(1, 2, dtype=torch.bool, device=device)

    with pytest.raises(RuntimeError, match=r"value cannot be converted to type (at|c10)::Half without overflow"):
        scores.masked_fill(mask, -1e9)

    lowest = scores.masked_fill(mask, torch.finfo(scores.dtype).min)
    assert lowest.tolist() == [[-65504, -65504]]
    assert lowest.float().softmax(dim=1).tolist() == [[0.5, 0.5]]
    assert scores.masked_fill(mask, -math.inf).float().softmax(dim=1).isnan().all()
    assert scores.bfloat16().masked_fill(mask, -1e9).max().item() < -9e8
    assert (scores - 1e9).tolist() == [[-math.inf, -math.inf]]


@pytest.mark.holds("torch>=2.8", otherwise=RuntimeError, change="new", concerns=())
def test_a_number_that_float16_cannot_hold_becomes_inf_at_one_position():
    """On the CPU, from torch 2.8 on, `x[0] = -1e9` of a vector x of two float16 numbers writes -inf.

    Before, it raised RuntimeError, "value cannot be converted to type at::Half without overflow". `x.fill_(-1e9)` and
    `torch.full((2,), -1e9, dtype=torch.float16)` raise RuntimeError in every release, and `x[0] = 1e39` of a float32
    vector does, too. Write `-math.inf` if you want it, or `torch.finfo(x.dtype).min`.

    https://docs.pytorch.org/docs/stable/type_info.html
    """
    x, single = torch.zeros(2, dtype=torch.float16), torch.zeros(2)

    for wrong in (
        lambda: x.fill_(-1e9),
        lambda: torch.full((2,), -1e9, dtype=torch.float16),
        lambda: single.__setitem__(0, 1e39),
    ):
        with pytest.raises(RuntimeError, match=r"value cannot be converted to type .* without overflow"):
            wrong()
    x[1] = torch.finfo(x.dtype).min
    assert x.tolist() == [0, -65504]

    x[0] = -1e9
    assert x[0].item() == -math.inf


@pytest.mark.parametrize(
    ("dtype", "last", "square"),
    [(torch.float16, 2048, math.inf), (torch.bfloat16, 256, 90112)],
    ids=["float16", "bfloat16"],
)
def test_half_precision_is_short_of_range_or_of_digits(device, dtype, last, square):
    """Adding 1 to 2048 in float16, or to 256 in bfloat16, changes nothing, and a number from 65520 on is inf in
    float16.

    A loop with `total += 1` stops growing there: keep the total in float32. `tensor.sum()` of 5000 ones adds up in
    float32 and rounds once. bfloat16 has nearly the range of float32.

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
    assert torch.ones(5000, dtype=dtype, device=device).sum().item() == torch.tensor(5000, dtype=dtype).item()
    assert [torch.tensor(x, dtype=torch.float16).item() for x in (65519.99, 65520.0)] == [65504, math.inf]
    assert torch.finfo(torch.bfloat16).max > 0.99 * torch.finfo(torch.float32).max


def test_a_large_sum_of_halves_depends_on_the_threads():
    """On the CPU the `sum()` of 262,144 bfloat16 numbers can be 258 on one thread and 256 on two, because the sum of
    each thread's part is rounded to bfloat16.

    The first half of these numbers has 257 ones, which bfloat16 rounds to 256. `sum(dtype=torch.float32)` gives 258 on
    one thread and on two.

    https://docs.pytorch.org/docs/stable/generated/torch.sum.html
    """
    x = torch.zeros(2**18, dtype=torch.bfloat16)
    x[:257] = 1
    x[2**17] = 1
    before = torch.get_num_threads()

    sums = {}
    for threads in (1, 2):
        torch.set_num_threads(threads)
        sums[threads] = x.sum().item(), x.sum(dtype=torch.float32).item()
    torch.set_num_threads(before)

    assert sums == {1: (258, 258), 2: (256, 258)}
    assert torch.tensor(257.0).bfloat16().item() == 256


@pytest.mark.only("cuda", "xpu", because="Apple makes no such promise for MPS")
def test_halves_are_added_up_in_float32_on_cuda(accelerator):
    """On CUDA `sum` and a matrix product of float16 add up in float32 and round once: 2048 and 1022 ones are 3070.

    Adding the ones one by one stays at 2048. By default a product may round the partial sums of long rows; set
    `torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = False` to prevent that, as this note does.

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
    """Under `torch.autocast` a Linear layer and a matrix product of float32 compute in half precision, and a
    cross_entropy to class numbers or an mse_loss to float32 targets of what they return is float32.

    Parameters and their gradients stay float32, and float64 stays float64. The half is float16 on CUDA and XPU and
    bfloat16 on the CPU, unless you pass `dtype=`. Softmax of a half gives float32 on CUDA and XPU, and a half on the
    CPU. Not every loss is float32: on the CPU `F.gaussian_nll_loss` of bfloat16 is bfloat16.

    https://docs.pytorch.org/docs/stable/amp.html#autocast-op-reference
    """
    half = torch.bfloat16 if device.type == "cpu" else torch.float16
    model = nn.Linear(16, 8, device=device)
    x, classes = torch.ones(4, 16, device=device), torch.tensor([0, 7, 3, 3], device=device)

    with torch.autocast(device.type):
        logits = model(x)
        product, double = x @ x.T, x.double() @ x.T.double()
        loss = F.cross_entropy(logits, classes)
        error = F.mse_loss(logits, torch.zeros(4, 8, device=device))
        probabilities = logits.softmax(dim=1)
        on_the_cpu = torch.ones(2, dtype=torch.bfloat16)
        with torch.autocast("cpu"):
            gaussian = F.gaussian_nll_loss(on_the_cpu, on_the_cpu, on_the_cpu)
    loss.backward()

    assert [logits.dtype, product.dtype, double.dtype] == [half, half, torch.float64]
    assert [loss.dtype, error.dtype, gaussian.dtype] == [torch.float32, torch.float32, torch.bfloat16]
    assert probabilities.dtype == (half if device.type == "cpu" else torch.float32)
    assert [model.weight.dtype, model.weight.grad.dtype, model(x).dtype] == [torch.float32] * 3


@pytest.mark.only("cpu", "cuda", "xpu", because="autocast came to MPS with torch 2.5")
def test_a_result_of_autocast_cannot_be_put_at_positions_of_a_float32_tensor(device):
    """Under `torch.autocast` `out[positions] = layer(x)` raises RuntimeError "Index put requires the source and
    destination dtypes match" if `out` is float32: a Linear layer returns half precision there.

    `positions` are a list of numbers, a vector of them or a mask. A slice, `out[:2] = layer(x)`, or a single number
    converts, and on the CPU so does a mask if the result has one element only. Write `out[positions] =
    layer(x).to(out.dtype)`, or make `out` from a result: `result.new_zeros(4, 8)`.

    https://docs.pytorch.org/docs/stable/amp.html#autocast-op-reference
    """
    layer, x = nn.Linear(16, 8, device=device), torch.ones(2, 16, device=device)
    out = torch.zeros(4, 8, device=device)
    positions = torch.tensor([0, 3], device=device)
    mask = torch.tensor([True, False, False, True], device=device)

    with torch.autocast(device.type), torch.no_grad():
        result = layer(x)
        for where in (positions, mask, [0, 3]):
            with pytest.raises(RuntimeError, match="Index put requires the source and destination dtypes match"):
                out[where] = result
        out[:2] = result
        out[torch.tensor(0)] = result[0]
        out.cpu()[:, :1][mask.cpu()] = result[:1, :1].cpu()
        out[positions] = result.to(out.dtype)
        fitting = result.new_zeros(4, 8)
        fitting[positions] = result

    assert out.dtype == torch.float32
    assert torch.equal(out[positions], result.float())
    assert torch.equal(fitting[mask], result)


@pytest.mark.holds(
    "torch>=2.11",
    otherwise=AssertionError,
    change="result",
    concerns=("torch.autocast('cpu')?", "torch.autocast(device_type='cpu')?"),
)
def test_a_pass_without_gradient_leaves_the_next_one_its_gradient():
    """From torch 2.11 on a forward pass under `no_grad` does not take the gradient away from a later one in the same
    `torch.autocast` block on the CPU; up to 2.10 the float32 weight of an `nn.Linear` then gets no gradient.

    Autocast keeps the half-precision copy of the Linear's weight until the block ends, and older releases kept one
    that `no_grad` had made, without a graph: `backward()` then raises "does not require grad", or nothing raises, where
    another layer, an Embedding before the Linear or a LayerNorm behind it, is trained alone. There, open a new block
    for the second pass, or pass `cache_enabled=False`. In every release such a weight that requires grad and is changed
    inside a block, after a pass, is used as it was before: take the optimizer's step outside.

    https://docs.pytorch.org/docs/stable/amp.html
    """
    layer, x = nn.Linear(3, 2), torch.ones(1, 3)

    def second_pass_has_gradient(model=layer, **options):
        with torch.autocast("cpu", dtype=torch.bfloat16, **options):
            with torch.no_grad():
                model(x)
            return model(x).requires_grad

    def output_after_a_change(trainable=True, **options):
        with torch.no_grad():
            layer.requires_grad_(trainable).weight.fill_(1)
            layer.bias.zero_()
        with torch.autocast("cpu", dtype=torch.bfloat16, **options):
            layer(x)
            with torch.no_grad():
                layer.weight.zero_()
            return layer(x).tolist()

    assert second_pass_has_gradient(cache_enabled=False)
    assert second_pass_has_gradient(nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2)))
    behind_an_embedding = nn.Sequential(nn.Embedding(1, 3), nn.Linear(3, 2))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        with torch.no_grad():
            behind_an_embedding(torch.tensor([0]))
        output = behind_an_embedding(torch.tensor([0]))
    assert output.requires_grad
    output.float().sum().backward()
    assert behind_an_embedding[0].weight.grad is not None
    assert (output_after_a_change(), output_after_a_change(cache_enabled=False)) == ([[3, 3]], [[0, 0]])
    assert output_after_a_change(trainable=False) == [[0, 0]]
    layer.requires_grad_()
    assert second_pass_has_gradient()
    assert behind_an_embedding[1].weight.grad is not None


def test_scaling_saves_small_gradients_from_float16(device):
    """A gradient of 2**-26 becomes 0 in float16 (underflow); multiply the loss by 2**16, and divide the gradient by
    2**16 afterwards, and it arrives.

    That is what a GradScaler does. In bfloat16, which has nearly the range of float32, 2**-26 is an ordinary number.

    https://docs.pytorch.org/docs/stable/amp.html#gradient-scaling
    """
    gradients = {}
    for scale in (1, 2**16):
        weight = torch.tensor([3.0], device=device, requires_grad=True)
        loss = (weight.half().float() * 2**-26).sum()
        (loss * scale).backward()
        gradients[scale] = weight.grad.item() / scale

    assert gradients == {1: 0, 2**16: 2**-26}
    assert torch.tensor(2.0**-26, dtype=torch.bfloat16).item() == 2**-26


@pytest.mark.only("cpu", "cuda", "xpu", because="GradScaler came to MPS with torch 2.8")
@pytest.mark.holds("torch>=2.3", otherwise=AttributeError, change="new", concerns="torch.amp.GradScaler")
def test_a_grad_scaler_skips_steps_and_adapts(device):
    """From torch 2.3 on `torch.amp.GradScaler` skips a step whose gradient is inf, and its `update()` then halves the
    scale, or doubles it after `growth_interval` good steps in a row.

    A good step is made with the true gradient, not with the scaled one. The scale starts at 65536, and the interval is
    2000 steps, unless you choose. A `step` without `update()` leaves the scale as it is. Before 2.3 write
    `torch.cuda.amp.GradScaler`, which is for CUDA only.

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
        before = scaler.get_scale()
        scaler.step(optimizer)
        assert scaler.get_scale() == before
        scaler.update()
        seen.append((scaled, weight.item(), scaler.get_scale()))

    assert seen == [(8, 1.5, 8), (math.inf, 1.5, 4), (4, 1, 4), (4, 0.5, 8)]
    assert torch.amp.GradScaler(device.type).get_scale() == 65536
    assert torch.amp.GradScaler(device.type).get_growth_interval() == 2000


@pytest.mark.only("cpu", "cuda", "xpu", because="GradScaler came to MPS with torch 2.8")
@pytest.mark.holds("torch>=2.3", otherwise=AttributeError, change="new", concerns="torch.amp.GradScaler")
@pytest.mark.myth("a model in float16 trains with a GradScaler")
def test_a_grad_scaler_refuses_parameters_in_float16(device):
    """From torch 2.3 on the `step` of a `torch.amp.GradScaler` raises ValueError "Attempting to unscale FP16 gradients"
    if the parameters are float16 and the optimizer is not fused.

    A GradScaler belongs to autocast, which leaves the parameters float32. Do not call `model.half()` for training:
    without a scaler SGD does not raise, and a weight of 2 minus a step of 2**-12 is still 2 in float16. In these
    releases an unfused Adam with default settings on the CPU makes a float16 weight nan if its first gradient is 0,
    because its `eps` of 1e-8 is 0 in float16, and 0 / 0 is nan.

    https://docs.pytorch.org/docs/stable/amp.html#gradient-scaling
    """
    weight = nn.Parameter(torch.tensor([2.0], dtype=torch.float16, device=device))
    optimizer = torch.optim.SGD([weight], lr=2**-12)
    scaler = torch.amp.GradScaler(device.type)

    scaler.scale(weight.float().sum()).backward()
    with pytest.raises(ValueError, match="Attempting to unscale FP16 gradients"):
        scaler.step(optimizer)

    optimizer.zero_grad()
    weight.float().sum().backward()
    optimizer.step()
    assert (weight.grad.item(), weight.item()) == (1, 2)
    unused = nn.Parameter(torch.tensor([2.0], dtype=torch.float16))
    unused.grad = torch.zeros_like(unused)
    torch.optim.Adam([unused]).step()
    assert unused.isnan().item()
    assert torch.tensor(1e-8, dtype=torch.float16).item() == 0


@pytest.mark.myth("a GradScaler refuses parameters in float16, whatever the optimizer is")
@pytest.mark.holds(
    "torch>=2.4", otherwise=(AttributeError, TypeError, RuntimeError), change="new", concerns="torch.amp.GradScaler"
)
@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW"])
def test_a_fused_optimizer_takes_float16_under_a_grad_scaler(name):
    """From torch 2.4 on, on the CPU, the `step` of a `torch.amp.GradScaler` takes float16 parameters of an `SGD`,
    `Adam` or `AdamW` with `fused=True`, and does not raise "Attempting to unscale FP16 gradients".

    These three divide by the scale themselves, without that check. The default scale of 65536 is too large for
    float16: with a gradient of 1 it is inf, and the step is skipped. The other trouble with float16 parameters stays: a
    step of 2**-12 leaves a weight of 2 as it is. Keep the parameters in float32, with autocast.
    `scaler.unscale_(optimizer)`, which clipping needs, still raises ValueError.

    https://docs.pytorch.org/docs/stable/amp.html#gradient-scaling
    """
    # On the CPU: fused optimizers came to CUDA earlier, some of them.
    seen = {}
    for lr in (0.5, 2**-12):
        weight = nn.Parameter(torch.tensor([2.0], dtype=torch.float16))
        optimizer = getattr(torch.optim, name)([weight], lr=lr, fused=True)
        scaler = torch.amp.GradScaler("cpu", init_scale=8)
        scaler.scale(weight.float().sum()).backward()
        scaler.step(optimizer)
        seen[lr] = weight.item()
        scaler.update()
        with pytest.raises(ValueError, match="Attempting to unscale FP16 gradients"):
            scaler.unscale_(optimizer)

    weight, scaler = nn.Parameter(torch.tensor([2.0], dtype=torch.float16)), torch.amp.GradScaler("cpu")
    scaler.scale(weight.float().sum()).backward()
    scaler.step(getattr(torch.optim, name)([weight], lr=0.5, fused=True))
    assert (weight.grad.item(), weight.item()) == (math.inf, 2)
    assert 1.4 < seen[0.5] <= 1.5
    assert seen[2**-12] == 2


@pytest.mark.only("cpu", "cuda", "xpu", because="GradScaler came to MPS with torch 2.8")
@pytest.mark.holds("torch>=2.3", otherwise=AttributeError, change="new", concerns="torch.amp.GradScaler")
def test_a_grad_scaler_wants_a_gradient(device):
    """From torch 2.3 on the `step` of a `torch.amp.GradScaler` raises AssertionError "No inf checks were recorded for
    this optimizer" if an unfused `SGD` has no parameter with a gradient.

    `optimizer.step()` by itself then does nothing, silently. Perhaps the parameters are frozen, or they belong to
    another model than the loss, or the loss was detached from them. If `scaler.scale` was never called, the message is
    "Attempted step but _scale is None": write `scaler.scale(loss).backward()`.

    https://docs.pytorch.org/docs/stable/amp.html#gradient-scaling
    """
    weight, other = (nn.Parameter(torch.tensor([2.0], device=device)) for _ in range(2))
    optimizer = torch.optim.SGD([weight], lr=0.5)
    scaler = torch.amp.GradScaler(device.type)

    with pytest.raises(AssertionError, match="Attempted step but _scale is None"):
        scaler.step(optimizer)
    scaler.scale(other.sum()).backward()
    with pytest.raises(AssertionError, match="No inf checks were recorded for this optimizer"):
        scaler.step(optimizer)
    optimizer.step()
    assert weight.item() == 2

    scaler = torch.amp.GradScaler(device.type)
    scaler.scale(weight.sum()).backward()
    scaler.step(optimizer)
    assert weight.item() == 1.5


@pytest.mark.only("cpu", "cuda", "xpu", because="GradScaler came to MPS with torch 2.8")
@pytest.mark.holds("torch>=2.3", otherwise=AttributeError, change="new", concerns="torch.amp.GradScaler")
def test_a_skipped_first_step_makes_the_scheduler_warn(device):
    """From torch 2.3 on, if a `torch.amp.GradScaler` skips the first step of an unfused SGD because of an inf, the
    `step()` of a StepLR warns "Detected call of `lr_scheduler.step()` before `optimizer.step()`", although the order is
    right.

    The learning rate goes on to its next value, and no weight has changed. After `scaler.update()` the scale is smaller
    if the step was skipped: call `scheduler.step()` only if `scaler.get_scale() >= before`.

    https://docs.pytorch.org/docs/stable/optim.html
    """

    make_scaler = torch.amp.GradScaler

    def trained(factor, check):
        weight = nn.Parameter(torch.tensor([2.0], device=device))
        optimizer = torch.optim.SGD([weight], lr=0.5)
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)
        scaler = make_scaler(device.type)
        scaler.scale((weight * factor).sum()).backward()
        before = scaler.get_scale()
        scaler.step(optimizer)
        scaler.update()
        if not check or scaler.get_scale() >= before:
            scheduler.step()
        return weight.item(), optimizer.param_groups[0]["lr"]

    with pytest.warns(UserWarning, match=r"Detected call of `lr_scheduler.step\(\)` before `optimizer.step\(\)`"):
        assert trained(math.inf, check=False) == (2, 0.25)
    assert trained(math.inf, check=True) == (2, 0.5)
    assert trained(1, check=True) == (1.5, 0.25)


@pytest.mark.only("cpu", "cuda", "xpu", because="GradScaler came to MPS with torch 2.8")
@pytest.mark.holds("torch>=2.3", otherwise=AttributeError, change="new", concerns="torch.amp.GradScaler")
def test_clipping_sees_scaled_gradients_until_unscale(device):
    """From torch 2.3 on the gradients after `scaler.scale(loss).backward()` of a `torch.amp.GradScaler` are multiplied
    by its scale until `scaler.unscale_(optimizer)` or `scaler.step(optimizer)` divides them.

    `clip_grad_norm_` before `unscale_` clips a gradient that looks 65536 times as long, and the step of an SGD is far
    too small. Call `scaler.unscale_(optimizer)` first; `scaler.step` then does not divide again. A second `unscale_`
    before `scaler.update()` raises RuntimeError "unscale_() has already been called on this optimizer since the last
    update()": to accumulate gradients, call it before the step only, and not for each batch.

    https://docs.pytorch.org/docs/stable/notes/amp_examples.html
    """
    ends = {}
    for unscaled in (False, True):
        weight = nn.Parameter(torch.tensor([2.0], device=device))
        optimizer = torch.optim.SGD([weight], lr=0.5)
        scaler = torch.amp.GradScaler(device.type)
        scaler.scale(weight.sum()).backward()
        assert weight.grad.item() == 65536
        if unscaled:
            scaler.unscale_(optimizer)
            assert weight.grad.item() == 1
        nn.utils.clip_grad_norm_([weight], max_norm=4.0)
        if unscaled:
            with pytest.raises(RuntimeError, match=r"unscale_\(\) has already been called on this optimizer since"):
                scaler.unscale_(optimizer)
        scaler.step(optimizer)
        ends[unscaled] = weight.item()

    assert ends[True] == 1.5
    assert ends[False] > 1.999


# TF32: is my float32 still float32?


def test_float32_products_stay_in_float32_unless_you_ask(device):
    """Outside `torch.autocast` a matrix product of float32 keeps the digits of float32 as long as
    `torch.get_float32_matmul_precision()` is "highest", which is the default.

    1 + 2**-12 needs 12 bits of fraction: float32 has 23, TF32 has 10. After `set_float32_matmul_precision("medium")` a
    CPU may round, too, to bfloat16, which makes 1 of 1 + 2**-12.

    https://docs.pytorch.org/docs/stable/notes/cuda.html
    """
    x = torch.full((32, 32), 1 + 2**-12, device=device)
    identity = torch.eye(32, device=device)

    product = x @ identity

    assert torch.get_float32_matmul_precision() == "highest"
    assert product.dtype == torch.float32
    assert product.tolist() == [[1 + 2**-12] * 32] * 32
    with torch.autocast("cpu"):
        assert (x.cpu() @ identity.cpu()).tolist() == [[1] * 32] * 32
    torch.set_float32_matmul_precision("medium")
    try:
        medium = x.cpu() @ identity.cpu()
    finally:
        torch.set_float32_matmul_precision("highest")
    assert set(medium.unique().tolist()) <= {1, 1 + 2**-12}
    assert (x.cpu() @ identity.cpu()).equal(x.cpu())


def test_tf32_is_off_for_products_and_on_for_convolutions():
    """`set_float32_matmul_precision("high")` and "medium" set `torch.backends.cuda.matmul.allow_tf32`, and leave
    `torch.backends.cudnn.allow_tf32`, the switch of the convolutions, at True.

    For products and convolutions in float32 on a GPU, turn off both. The switches are there without a GPU too, and
    setting `allow_tf32` shows as "high".

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
    """With "high" precision an NVIDIA GPU of compute capability 8.0 or more rounds the inputs of a large float32
    product to TF32; an older GPU and MPS do not.

    1 + 2**-12 is a float32, and 1 is the nearest number of TF32. Ask `torch.cuda.get_device_capability()`.

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


@pytest.mark.only("cuda", because="cuDNN and its switch are CUDA's")
def test_convolutions_on_cuda_may_round_to_tf32(accelerator):
    """On CUDA a convolution of float32 may round its inputs to TF32 by default; inside
    `torch.backends.cudnn.flags(allow_tf32=False)` it keeps the digits of float32.

    Whether it rounds depends on the GPU and on the algorithm that cuDNN chooses. `torch.backends.cudnn.allow_tf32 =
    False` does it for the whole program.

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


@pytest.mark.holds(
    "torch>=2.9",
    otherwise=(AttributeError, AssertionError),
    change="new",
    concerns="torch.backends.cuda.matmul.fp32_precision",
)
def test_tf32_has_a_setting_of_its_own():
    """From torch 2.9 on `torch.backends.cuda.matmul.fp32_precision` is "tf32" after
    `set_float32_matmul_precision("high")` and "ieee" after "highest".

    Before you set anything it is "none", which counts as "ieee". If older releases have to run the code too, keep to
    `set_float32_matmul_precision`.

    https://docs.pytorch.org/docs/stable/notes/cuda.html
    """
    torch.set_float32_matmul_precision("high")
    try:
        asked = torch.backends.cuda.matmul.fp32_precision
    finally:
        torch.set_float32_matmul_precision("highest")

    assert [asked, torch.backends.cuda.matmul.fp32_precision] == ["tf32", "ieee"]
    assert torch.backends.cudnn.conv.fp32_precision == "tf32"
    torch.backends.cuda.matmul.fp32_precision = "none"
    assert torch.get_float32_matmul_precision() == "highest"
    assert torch.backends.cuda.matmul.allow_tf32 is False


@pytest.mark.holds(
    "torch>=2.9",
    otherwise=(AttributeError, AssertionError),
    change="new",
    concerns="torch.backends.cuda.matmul.fp32_precision",
)
def test_the_two_settings_of_tf32_do_not_mix():
    """From torch 2.9 on reading `torch.backends.cuda.matmul.allow_tf32` raises RuntimeError "mix of the legacy and new
    APIs" if `fp32_precision` contradicts it.

    `fp32_precision = "tf32"` contradicts "highest", and "ieee" contradicts "high". A library that reads the old setting
    fails then. `set_float32_matmul_precision` sets both, which mends it: use one of the two.

    https://docs.pytorch.org/docs/stable/notes/cuda.html
    """
    matmul, allowed = torch.backends.cuda.matmul, {}
    try:
        for old in ("highest", "high"):
            for new in ("ieee", "tf32"):
                torch.set_float32_matmul_precision(old)
                matmul.fp32_precision = new
                if (old, new) in [("highest", "tf32"), ("high", "ieee")]:
                    with pytest.raises(RuntimeError, match="mix of the legacy and new APIs"):
                        matmul.allow_tf32
                else:
                    allowed[old, new] = matmul.allow_tf32
        torch.set_float32_matmul_precision("highest")
        matmul.fp32_precision = "tf32"
        with pytest.raises(RuntimeError, match="mix of the legacy and new APIs"):
            torch.get_float32_matmul_precision()
    finally:
        torch.set_float32_matmul_precision("highest")

    assert allowed == {("highest", "ieee"): False, ("high", "tf32"): True}
    assert torch.get_float32_matmul_precision() == "highest"


@pytest.mark.holds(
    "torch>=2.9", otherwise=(AttributeError, AssertionError), change="new", concerns="torch.backends.fp32_precision"
)
def test_the_global_setting_of_tf32_makes_the_old_ones_raise():
    """From torch 2.9 on, after `torch.backends.fp32_precision = "tf32"`, `torch.get_float32_matmul_precision()` and
    reading `torch.backends.cuda.matmul.allow_tf32` raise RuntimeError "mix of the legacy and new APIs", if nothing was
    set before.

    It asks for TF32 everywhere at once, and the old settings still say float32. A library that reads them fails then:
    write `torch.set_float32_matmul_precision("high")` instead, or as well, which mends it. What is set for products
    alone wins: after "highest", products stay in float32 here, although the global setting is "tf32".

    https://docs.pytorch.org/docs/stable/notes/cuda.html
    """
    matmul = torch.backends.cuda.matmul
    matmul.fp32_precision = torch.backends.mkldnn.matmul.fp32_precision = "none"  # as in a new process
    try:
        torch.backends.fp32_precision = "tf32"
        asked = matmul.fp32_precision
        with pytest.raises(RuntimeError, match="mix of the legacy and new APIs"):
            torch.get_float32_matmul_precision()
        with pytest.raises(RuntimeError, match="mix of the legacy and new APIs"):
            matmul.allow_tf32
        torch.set_float32_matmul_precision("high")
        mended = torch.get_float32_matmul_precision(), matmul.allow_tf32
        torch.set_float32_matmul_precision("highest")
        alone = torch.get_float32_matmul_precision(), matmul.fp32_precision, torch.backends.fp32_precision
    finally:
        torch.backends.fp32_precision = "none"
        torch.set_float32_matmul_precision("highest")

    assert asked == "tf32"
    assert mended == ("high", True)
    assert alone == ("highest", "ieee", "tf32")


# Padding to a multiple


def test_rounding_up_is_minus_modulo(device):
    """`-size % 8` is what a size lacks to the next multiple of eight, and `8 - size % 8` is 8 if nothing is lacking.

    `F.pad` counts from the last dimension: `F.pad(x, (0, 3))` adds three columns of zeros on the right.

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
    """A Linear layer that is padded with zeros gives the same output up to rounding, and its gradient is zero in the
    padding.

    For that, pad features that are finite with zeros too, and cut the output before the loss. Plain SGD then leaves the
    padding at zero. For small integers the bits agree; for other weights another kernel may add up in another order.

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
    torch.optim.SGD(padded_layer.parameters(), lr=0.5).step()
    assert padded_layer.weight[outputs:].eq(0).all()
    assert padded_layer.weight[:, inputs:].eq(0).all()


def test_a_padded_vocabulary_looks_up_the_same_rows(device):
    """Rows that an Embedding has beyond the vocabulary are never looked up, and the look-up gives them gradient 0.

    So `nn.Embedding(50264, ...)` serves a vocabulary of 50257. The weight decay of SGD shrinks the rows that nobody
    uses. If the output layer shares the weight (weight tying), the softmax gives these rows a gradient.

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
    tied = nn.Linear(3, 16, bias=False, device=device)
    tied.weight = padded_table.weight
    F.cross_entropy(tied(torch.ones(4, 3, device=device)), words).backward()
    assert padded_table.weight.grad[13:].ne(0).all()


def test_a_padded_vocabulary_takes_its_share_of_the_softmax(device, rounding_bound):
    """Padding five logits of 0 with three more zeros raises the cross entropy from log 5 to log 8, because classes that
    do not exist take part in the softmax.

    Large logits hide the error: beside a logit of 100 the zeros change nothing. Cut the padding off, or fill it with
    -inf.

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
    sure = torch.tensor([[0.0, 0.0, 100.0]], device=device)
    assert F.cross_entropy(sure, target).item() == F.cross_entropy(F.pad(sure, (0, 5)), target).item() == 0


@given(
    logits=st.lists(st.floats(-100, 100, width=16), min_size=1, max_size=20),
    target=st.integers(0, 19),
)
def test_masked_classes_do_not_count_for_every_logits(device, rounding_bound, logits, target):
    """For logits from -100 to 100 and a target that is a class number, padding with -inf changes neither the cross
    entropy nor its gradient, up to rounding.

    The gradient of the padding itself is 0. If the target is a row of probabilities, the loss is nan, because 0 times
    -inf is nan: cut the padding off.

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

    # The loss is log(sum(exp(logits))) - logits[target]: each of the two is at most 100 + log(classes) in size.
    size = 2 * (100 + math.log(classes)) + 1
    bound = size * rounding_bound(classes + 16, torch.float32)
    assert loss.dtype == torch.float32
    assert abs(loss.item() - expected.item()) <= bound
    assert padded.grad[:, classes:].eq(0).all()
    assert (padded.grad[:, :classes].cpu() - reference.grad).abs().max() <= bound
    masked = torch.tensor([[1.0, 2.0, -math.inf]], device=device)
    assert F.cross_entropy(masked, torch.tensor([[0.5, 0.5, 0.0]], device=device)).isnan()


def test_label_smoothing_and_masked_classes_do_not_mix(device, rounding_bound):
    """With `label_smoothing` and without `weight` the cross entropy is inf if a class is masked with -inf.

    Every class gets a share of the target, the masked ones too. A `weight` of 0 for them makes it nan. Cut the padding
    off instead: `logits[:, :5]`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
    """
    target = torch.tensor([2], device=device)
    masked = torch.tensor([[0.0, 0.0, 0.0, 0.0, 0.0, -math.inf, -math.inf, -math.inf]], device=device)
    criterion = nn.CrossEntropyLoss(label_smoothing=0.1)

    assert criterion(masked, target).item() == math.inf
    weight = torch.tensor([1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0], device=device)
    assert F.cross_entropy(masked, target, weight=weight, label_smoothing=0.1).isnan()

    bound = 8 * rounding_bound(32, torch.float32)
    assert criterion(masked[:, :5], target).item() == pytest.approx(math.log(5), rel=0, abs=bound)


def test_the_last_batch_is_no_multiple(device):
    """`DataLoader(samples, batch_size=8)` of 20 samples gives batches of 8, 8 and 4.

    The last batch has what is left, and is then no multiple of 8. `drop_last=True` leaves it out.

    https://docs.pytorch.org/docs/stable/data.html
    """
    samples = torch.arange(20, device=device)

    sizes = [len(batch) for batch in DataLoader(samples, batch_size=8)]
    sizes_without_last = [len(batch) for batch in DataLoader(samples, batch_size=8, drop_last=True)]

    assert sizes == [8, 8, 4]
    assert sizes_without_last == [8, 8]


# How close: bounds of rounding


@given(batch=st.integers(1, 40), inputs=st.integers(1, 40), outputs=st.integers(1, 40))
def test_matrix_products_are_exact_for_every_size(device, batch, inputs, outputs):
    """A product of matrices of the integers -1, 0, 1 and 2 is exact for all sizes from 1 to 40, in float32 and in half
    precision, float16 on a GPU or bfloat16 on the CPU.

    No sum of these products is larger than 160, and bfloat16 has all integers up to 256. It has 258 and 0.5 too, but
    rounds 257 and 0.1.

    https://docs.pytorch.org/docs/stable/generated/torch.matmul.html
    """
    x = small_integers(batch, inputs, dtype=torch.float32, device=device)
    weight = small_integers(outputs, inputs, dtype=torch.float32, device=device)
    half = half_precision(device)

    expected = (x.cpu().long() @ weight.cpu().long().T).tolist()

    assert (x @ weight.T).tolist() == expected
    assert F.linear(x, weight).tolist() == expected
    assert F.linear(x.to(half), weight.to(half)).tolist() == expected
    assert torch.arange(257).to(torch.bfloat16).tolist() == list(range(257))
    assert torch.tensor([258, 0.5, 257, 0.1], dtype=torch.bfloat16).tolist() == [258, 0.5, 256, 0.10009765625]


@given(batch=st.integers(1, 40), inputs=st.integers(1, 40), outputs=st.integers(1, 40))
def test_rounding_stays_in_bounds_for_every_size(device, rounding_bound, batch, inputs, outputs):
    """A float32 matrix product of numbers from `torch.randn`, of any size from 1 to 40, is within the rounding error
    bound of the float64 product.

    The bound knows nothing of multiples of eight: it grows with the number of terms in a sum. It does not hold for tiny
    numbers, whose products underflow: 1e-30 times 1e-30 is 0 in float32.

    https://docs.pytorch.org/docs/stable/notes/numerical_accuracy.html
    """
    x, weight = torch.randn(batch, inputs), torch.randn(inputs, outputs)

    product = (x.to(device) @ weight.to(device)).cpu()

    error = (product.double() - x.double() @ weight.double()).abs()
    bound = rounding_bound(inputs, torch.float32) * (x.double().abs() @ weight.double().abs())
    assert product.dtype == torch.float32
    assert (error <= bound).all()
    tiny = torch.full((1, 1), 1e-30, device=device)
    assert (tiny @ tiny).item() == 0


def test_tf32_errs_in_the_eleventh_bit(accelerator, rounding_bound):
    """With "highest" a product of positive random numbers has the digits of float32, and with "high" at least three
    decimal digits.

    TF32 keeps eleven significant bits of each input. The sums are in float32.

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
