"""Tensors: what goes into a model, what comes out of it, and what its weights are made of.

Having read this section you can say of a line of tensor code which shape comes out, which dtype, which numbers, and
whether the result shares its memory with what it was made from. You know what the usual errors mean ("shapes cannot be
multiplied", "must match the size", "can't be cast") and what to write instead; and you know the mistakes that raise
nothing: wrapped integers, rounded numbers, broadcast tables, lost writes.

A tensor is a box of numbers with a shape (how many along each dimension), a dtype (one kind of number for all of them)
and a device (whose memory holds them). A scalar, a vector and a matrix are tensors with 0, 1 and 2 dimensions.
"""

import contextlib
import inspect
import itertools
import math
import operator
import warnings

import numpy as np
import pytest
import torch
from hypothesis import example, given, strategies as st
from torch import nn
from torch.nn import functional as F

# Shape: how many numbers are in a tensor, and in how many directions?


def test_ndim_counts_the_levels_of_brackets(device):
    """A tensor made from nested lists of numbers has one dimension for each level of brackets: `ndim` counts the
    dimensions, and `shape` gives their sizes, outermost first.

    A scalar, a vector and a matrix have 0, 1 and 2 dimensions, and `numel()` is the product of the sizes. Empty
    brackets count too: `torch.tensor([[], []])` has shape (2, 0). Print `x.shape` first when an error names two sizes.

    https://docs.pytorch.org/docs/stable/tensors.html
    """
    scalar = torch.tensor(7, device=device)
    vector = torch.tensor([7, 8, 9], device=device)
    matrix = torch.tensor([[1, 2], [3, 4], [5, 6]], device=device)
    cube = torch.tensor([[[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]]] * 2, device=device)

    assert [tensor.ndim for tensor in (scalar, vector, matrix, cube)] == [0, 1, 2, 3]
    assert [tensor.dim() for tensor in (scalar, vector, matrix, cube)] == [0, 1, 2, 3]
    assert [tensor.shape for tensor in (scalar, vector, matrix, cube)] == [(), (3,), (3, 2), (2, 3, 4)]
    assert [tensor.numel() for tensor in (scalar, vector, matrix, cube)] == [1, 3, 6, 24]
    assert torch.tensor([[], []], device=device).shape == (2, 0)


def test_length_is_the_size_of_the_first_dimension(device):
    """`len(tensor)` is the size of the first dimension, and a loop over a tensor goes along the first dimension.

    `len` of a (3, 2) matrix is 3, not 6: write `numel()` for the number of elements, `size(dim)` or `shape[dim]` for
    another dimension. A 0-d tensor has no dimension to go along: `len` and a loop raise TypeError.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.size.html
    """
    matrix = torch.tensor([[1, 2], [3, 4], [5, 6]], device=device)

    assert len(matrix) == matrix.size(0) == matrix.shape[0] == 3
    assert matrix.size(1) == matrix.size(-1) == matrix.shape[-1] == 2
    assert matrix.size() == matrix.shape
    assert matrix.numel() == 6
    assert [row.tolist() for row in matrix] == [[1, 2], [3, 4], [5, 6]]
    with pytest.raises(TypeError, match="0-d tensor"):
        len(torch.tensor(7, device=device))
    with pytest.raises(TypeError, match="0-d tensor"):
        iter(torch.tensor(7, device=device))


def test_shape_is_an_attribute_and_size_a_method(device):
    """`x.shape()` raises TypeError, "'torch.Size' object is not callable", and `x.size[0]` raises TypeError,
    "'builtin_function_or_method' object is not subscriptable".

    Write `x.shape[0]` or `x.size(0)`. `shape`, `dtype`, `device`, `ndim`, `T` and `requires_grad` are attributes
    without parentheses; `size`, `dim`, `numel`, `item`, `tolist` and `stride` are methods.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.size.html
    """
    x = torch.ones(2, 3, device=device)

    with pytest.raises(TypeError, match=r"'torch\.Size' object is not callable"):
        x.shape()
    with pytest.raises(TypeError, match="'builtin_function_or_method' object is not subscriptable"):
        x.size[0]
    assert x.shape[0] == x.size(0) == 2
    assert not any(callable(getattr(x, name)) for name in ("shape", "dtype", "device", "ndim", "T", "requires_grad"))
    assert all(callable(getattr(x, name)) for name in ("size", "dim", "numel", "item", "tolist", "stride"))


def nested(shape, numbers):
    """Lists in lists of this shape, filled from the iterator `numbers`."""
    return [nested(shape[1:], numbers) for _ in range(shape[0])] if shape else next(numbers)


@given(shape=st.lists(st.integers(1, 3), max_size=4), first=st.integers(-(2**63), 2**63 - 81))
@example(shape=[2, 3], first=2**60 + 1)
@example(shape=[3, 3, 3, 3], first=2**63 - 81)
def test_tolist_gives_back_the_lists_for_every_shape(device, shape, first):
    """`torch.tensor` gives nested lists of integers, with rows of equal length, the shape of the nesting, and `tolist`
    gives the same lists back.

    Every integer that fits into int64 comes back exactly. Python floats come back as the nearest float32: 0.5 as 0.5,
    but 0.1 as 0.10000000149011612.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.tolist.html
    """
    lists = nested(shape, iter(range(first, first + 81)))
    tensor = torch.tensor(lists, device=device)

    assert tensor.shape == tuple(shape)
    assert tensor.tolist() == lists
    assert torch.tensor([0.5, 0.1], device=device).tolist() == [0.5, 0.10000000149011612]


def test_rows_of_different_lengths_raise_value_error(device):
    """`torch.tensor` raises ValueError for lists of numbers of different lengths, unless the first list is empty.

    For [[1, 2], [3]] the message is "expected sequence of length 2 at dim 1 (got 1)". If the first row is empty,
    `torch.tensor` drops the numbers of the other rows silently. Make a tensor of each row, and pad these tensors with
    `torch.nn.utils.rnn.pad_sequence` or keep them in a list.

    https://docs.pytorch.org/docs/stable/generated/torch.tensor.html
    """
    for lengths in itertools.product(range(1, 4), range(4), range(4)):
        rows = [[7] * length for length in lengths]
        if len(set(lengths)) == 1:
            assert torch.tensor(rows, device=device).tolist() == rows
        else:
            with pytest.raises(ValueError, match="expected sequence of length"):
                torch.tensor(rows, device=device)
    with pytest.raises(ValueError, match=r"expected sequence of length 2 at dim 1 \(got 1\)"):
        torch.tensor([[1, 2], [3]], device=device)
    assert torch.tensor([[], [7], [7, 7]], device=device).tolist() == [[], [], []]
    padded = nn.utils.rnn.pad_sequence([torch.tensor([1, 2]), torch.tensor([3])], batch_first=True)
    assert padded.tolist() == [[1, 2], [3, 0]]


def test_a_tensor_holds_no_text_and_no_none(device):
    """A tensor cannot hold text or None: without `dtype=`, `torch.tensor` raises ValueError for a list of words and
    RuntimeError for numbers with None among them.

    The messages are "too many dimensions 'str'" and "Could not infer dtype of NoneType". TypeError comes instead if a
    number or the empty string stands before the words, and for None with `dtype=`. Number the words first, and write
    `math.nan` for a missing number.

    https://docs.pytorch.org/docs/stable/generated/torch.tensor.html
    """
    with pytest.raises(ValueError, match="too many dimensions 'str'"):
        torch.tensor(["cat", "dog"], device=device)
    for strings in ([1.5, "dog"], ["", "dog"]):
        with pytest.raises(TypeError, match="invalid data type 'str'"):
            torch.tensor(strings, device=device)
    with pytest.raises(RuntimeError, match="Could not infer dtype of NoneType"):
        torch.tensor([1.5, None], device=device)
    with pytest.raises(TypeError, match="not NoneType"):
        torch.tensor([1.5, None], dtype=torch.float32, device=device)
    assert torch.tensor([1.5, math.nan], device=device).isnan().tolist() == [False, True]


def test_torch_tensor_does_not_stack_tensors(device):
    """`torch.tensor` raises for a list of tensors with several elements each: join them with `torch.stack`.

    If it makes floats, that is ValueError, "only one element tensors", and if it makes integers (the list or `dtype=`
    decides) TypeError, "a single element". A tensor with one element counts as a plain number in the list, so its
    brackets are lost: two tensors of shape (1,) give shape (2,).

    https://docs.pytorch.org/docs/stable/generated/torch.stack.html
    """
    floats = [torch.tensor([1.5, 2.5], device=device), torch.tensor([3.5, 4.5], device=device)]
    integers = [torch.tensor([1, 2], device=device), torch.tensor([3, 4], device=device)]

    with pytest.raises(ValueError, match="only one element tensors"):
        torch.tensor(floats)
    with pytest.raises(TypeError, match="a single element"):
        torch.tensor(integers)
    with pytest.raises(ValueError, match="only one element tensors"):
        torch.tensor(integers, dtype=torch.float32)
    with pytest.raises(TypeError, match="a single element"):
        torch.tensor(floats, dtype=torch.int64)
    assert torch.stack(integers).tolist() == [[1, 2], [3, 4]]
    assert torch.tensor([torch.tensor([1]), torch.tensor([2])]).tolist() == [1, 2]


def test_item_is_a_python_number(device):
    """`item()` turns a tensor with one element, in however many brackets, into a plain Python float, int, bool or
    complex number.

    Log `loss.item()`, not the tensor `loss`. `tolist()` of a 0-d tensor gives the same Python number.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.item.html
    """
    numbers = [torch.tensor(number, device=device).item() for number in (-7, [[2.5]], [True], [[[0]]])]

    assert numbers == [-7, 2.5, True, 0]
    assert [type(number) for number in numbers] == [int, float, bool, int]
    assert (torch.tensor([2 + 3j]).item(), torch.tensor(2.5).tolist()) == (2 + 3j, 2.5)
    assert [type(torch.tensor([2 + 3j]).item()), type(torch.tensor(2.5).tolist())] == [complex, float]


def test_item_of_several_elements_raises(device):
    """`item()` raises RuntimeError unless the tensor has exactly one element.

    `float(tensor)` and `int(tensor)` raise ValueError instead. For several elements, or none, write `tolist()`. A
    format such as `f"{x:.2f}"` wants a 0-d tensor: of shape (1,) it raises TypeError, "unsupported format string passed
    to Tensor.__format__". Write `f"{x.item():.2f}"`.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.item.html
    """
    with pytest.raises(RuntimeError, match="2 elements cannot be converted to Scalar"):
        torch.tensor([1.5, 2.5], device=device).item()
    with pytest.raises(RuntimeError, match="0 elements cannot be converted to Scalar"):
        torch.tensor([], device=device).item()
    for several in (torch.tensor([1.5, 2.5], device=device), torch.tensor([[7], [8]], device=device)):
        with pytest.raises(ValueError, match="only one element tensors"):
            float(several)
        with pytest.raises(ValueError, match="only one element tensors"):
            int(several)
    assert (float(torch.tensor([1.5], device=device)), int(torch.tensor([[7]], device=device))) == (1.5, 7)
    x = torch.tensor([1.5], device=device)
    with pytest.raises(TypeError, match=r"unsupported format string passed to Tensor\.__format__"):
        f"{x:.2f}"
    assert f"{x[0]:.2f}" == f"{x.item():.2f}" == "1.50"
    assert torch.tensor([1.5, 2.5], device=device).tolist() == [1.5, 2.5]
    assert torch.tensor([], device=device).tolist() == []


def test_a_number_in_a_tensor_has_no_first_element(device):
    """`loss[0]` of a 0-d tensor, as a loss usually is, raises IndexError, "invalid index of a 0-dim tensor".

    The message goes on: "Use `tensor.item()`". Old code reads a loss as `loss.data[0]`: write `loss.item()`. A loop
    over a 0-d tensor and `list(loss)` raise TypeError, "iteration over a 0-d tensor". `loss[None]` has one dimension
    more, and `loss[None][0]` works.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.item.html
    """
    loss = torch.tensor(2.5, device=device)

    for wrong in (lambda: loss[0], lambda: loss.data[0]):
        with pytest.raises(IndexError, match=r"invalid index of a 0-dim tensor. Use `tensor.item\(\)`"):
            wrong()
    with pytest.raises(TypeError, match="iteration over a 0-d tensor"):
        list(loss)
    assert loss.item() == loss[None][0].item() == 2.5
    assert loss[None].shape == (1,)


def test_a_printed_tensor_is_rounded_and_cut():
    """A printed float32 vector has at most four digits after the point, and of a vector with more than 1000 elements
    only the beginning and the end are printed, with "..." between.

    The tensor itself is not rounded, and `f"{loss}"` of a 0-d tensor that is no Parameter shows all digits.
    `torch.set_printoptions(precision=6)` shows up to six digits, `sci_mode=False` writes no powers of ten,
    `profile="full"` shows all elements, and `profile="default"` goes back. `tolist()` leaves nothing out.

    https://docs.pytorch.org/docs/stable/generated/torch.set_printoptions.html
    """
    x, small, long = torch.tensor([0.123456, 0.5]), torch.tensor([0.00001, 1.0]), torch.zeros(1001)

    assert (str(x), str(torch.tensor([1.0, 2.0]))) == ("tensor([0.1235, 0.5000])", "tensor([1., 2.])")
    assert f"{x[0]}" == str(x[0].item()) != "0.1235"
    assert "(0.1235," in f"{torch.nn.Parameter(x[0])}"
    assert str(small) == "tensor([1.0000e-05, 1.0000e+00])"
    assert ("..." in str(long), "..." in str(long[:1000]), len(long.tolist())) == (True, False, 1001)
    try:
        torch.set_printoptions(precision=6)
        assert str(x) == "tensor([0.123456, 0.500000])"
        torch.set_printoptions(sci_mode=False)
        assert "e-05" not in str(small)
        torch.set_printoptions(profile="full")
        assert "..." not in str(long)
    finally:
        torch.set_printoptions(profile="default")
    assert str(x) == "tensor([0.1235, 0.5000])"
    assert str(small) == "tensor([1.0000e-05, 1.0000e+00])"


@pytest.mark.holds("torch>=2.1", otherwise=AttributeError, change="new")
def test_nbytes_counts_the_bytes_of_the_elements(device):
    """From torch 2.1 on `nbytes` of a dense tensor is the number of its elements times the bytes of one element.

    `numel() * element_size()` gives the same in every release. `nbytes` is not the memory that is in use: a view counts
    its elements too, and `torch.zeros(1).expand(1000)` counts 4000 bytes over a memory of 4.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.nbytes.html
    """
    for dtype, size in ((torch.float32, 4), (torch.float16, 2), (torch.int64, 8), (torch.bool, 1)):
        tensor = torch.zeros(2, 3, dtype=dtype, device=device)

        assert tensor.nbytes == tensor.numel() * tensor.element_size() == 6 * size
        assert tensor[:, :2].nbytes == 4 * size
        assert dtype.itemsize == size
    repeated = torch.zeros(1).expand(1000)
    assert (repeated.nbytes, repeated.untyped_storage().nbytes()) == (4000, 4)


def test_torch_tensor_of_a_tensor_cuts_the_gradient_off(device):
    """`torch.tensor(x)` of a tensor copies its numbers, cuts the copy off from the graph, and warns: "To copy construct
    from a tensor, it is recommended to use sourceTensor".

    `x.clone()` passes the gradient on, and `x.detach().clone()` does not; neither warns. `torch.Tensor([a, b])` and
    `torch.as_tensor([a, b])` of 0-d tensors cut as well: write `torch.stack([a, b])`. `zeros_like(x)` takes the shape
    of `x` and no gradient. From torch 2.2 on `torch.linspace(0.0, a, 3)` takes a tensor `a` and passes no gradient on
    to it: write `a * torch.linspace(0.0, 1.0, 3)`.

    https://docs.pytorch.org/docs/stable/generated/torch.tensor.html
    """
    w = torch.tensor([3.0, 4.0], device=device, requires_grad=True)
    x = w * 2
    a, b = x

    with pytest.warns(UserWarning, match="To copy construct from a tensor, it is recommended to use sourceTensor"):
        cut = torch.tensor(x)

    assert (cut.tolist(), cut.requires_grad, cut.data_ptr() == x.data_ptr()) == ([6, 8], False, False)
    assert torch.zeros_like(x).requires_grad is False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # newer releases warn of a conversion to a number
        assert torch.as_tensor([a, b]).requires_grad is torch.Tensor([a.cpu(), b.cpu()]).requires_grad is False
        with contextlib.suppress(TypeError):  # up to torch 2.1 `linspace` takes no tensors
            assert torch.linspace(0.0, a, 3, device=device).requires_grad is False
    for kept in (x.clone(), torch.stack([a, b]), a * torch.linspace(0.0, 1.0, 3, device=device)):
        w.grad = None
        kept.sum().backward(retain_graph=True)
        assert w.grad[0].item() in (2, 3)
    assert x.detach().clone().requires_grad is False


# dtype: which kind of number does a new tensor hold?


def test_literals_decide_the_dtype(device):
    """Without `dtype=`, `torch.tensor` makes Python floats float32, ints int64, bools bool and complex numbers
    complex64; in a mixed list the highest of these kinds decides.

    The order is bool, int, float, complex. An empty list gives float32, the default dtype. NumPy's float64, float32,
    int32 and uint8 numbers keep their dtype: `torch.tensor([np.float64(0.5)])` is float64.

    https://docs.pytorch.org/docs/stable/generated/torch.tensor.html
    """

    def dtype(data):
        return torch.tensor(data, device=device).dtype

    assert [dtype(2.5), dtype([1.0, -2.0])] == [torch.float32, torch.float32]
    assert [dtype(2), dtype([[1, -2]]), dtype(2**40)] == [torch.int64, torch.int64, torch.int64]
    assert [dtype(True), dtype([True, False])] == [torch.bool, torch.bool]
    assert [dtype([1, 2.5]), dtype([True, 2.5]), dtype([True, 2])] == [torch.float32, torch.float32, torch.int64]
    assert dtype([]) == torch.float32
    for numbers in (1 + 2j, [1, 2j], [0.5, 2j], [True, 2j]):
        assert torch.tensor(numbers).dtype == torch.complex64
    for number in (np.float64(0.5), np.float32(0.5), np.int32(5), np.uint8(5)):
        assert str(torch.tensor([number]).dtype) == f"torch.{number.dtype}"


@pytest.mark.myth("torch.Tensor is just another spelling of torch.tensor")
def test_capital_tensor_is_float32_and_reads_a_number_as_a_size():
    """`torch.Tensor([1, 2])` is float32 although the list holds integers, and `torch.Tensor(3)` is a vector of three
    numbers, not the number 3.

    Write `torch.tensor`. `torch.Tensor` rounds large integers, such as user ids, silently: 16777217 becomes 16777216.
    A list of bools becomes float32 too, but `torch.Tensor(torch.tensor([1, 2]))` stays int64.

    https://docs.pytorch.org/docs/stable/tensors.html
    """
    # On the CPU: `torch.Tensor` makes no others.
    small, capital = torch.tensor([1, 16_777_217]), torch.Tensor([1, 16_777_217])

    assert (small.dtype, small.tolist()) == (torch.int64, [1, 16_777_217])
    assert (capital.dtype, capital.tolist()) == (torch.float32, [1, 16_777_216])
    assert torch.Tensor([True, False]).dtype == torch.float32
    assert torch.Tensor(small).dtype == torch.int64
    assert (torch.tensor(3).shape, torch.tensor(3).item()) == ((), 3)
    assert (torch.Tensor(3).shape, torch.Tensor(2, 3).shape) == ((3,), (2, 3))


def test_arange_and_full_follow_their_arguments(device):
    """`torch.arange` and `torch.full` of Python ints give int64, and of floats float32; `torch.full` of True or False
    gives bool.

    Write `7.0`, or `dtype=`, if the tensor shall hold fractions later. A float64 NumPy number gives float32 too.
    Without `dtype=`, `zeros`, `ones`, `eye`, `rand`, `empty` and `linspace` between real numbers give float32, also for
    ints; `randint` and `randperm` give int64.

    https://docs.pytorch.org/docs/stable/generated/torch.full.html
    """
    with torch.device(device):
        whole, broken, steps = torch.arange(3), torch.arange(3.0), torch.arange(0, 1, 0.25)
        sevens, floats, mask = torch.full((1, 2), 7), torch.full((1, 2), 7.0), torch.full((1, 2), True)
        fixed = [torch.zeros(2), torch.ones(2), torch.eye(2), torch.linspace(0, 4, 3), torch.rand(2), torch.empty(2)]
        chosen = [torch.arange(2.0, dtype=torch.int32), torch.full((2,), 7, dtype=torch.int32)]

    assert [tensor.dtype for tensor in (whole, broken, steps)] == [torch.int64, torch.float32, torch.float32]
    assert [tensor.tolist() for tensor in (whole, broken, steps)] == [[0, 1, 2], [0, 1, 2], [0, 0.25, 0.5, 0.75]]
    assert [tensor.dtype for tensor in (sevens, floats, mask)] == [torch.int64, torch.float32, torch.bool]
    assert [tensor.tolist() for tensor in (sevens, floats, mask)] == [[[7, 7]], [[7, 7]], [[True, True]]]
    assert [tensor.dtype for tensor in fixed] == [torch.float32] * 6
    assert [tensor.tolist() for tensor in fixed[:4]] == [[0, 0], [1, 1], [[1, 0], [0, 1]], [0, 2, 4]]
    assert [tensor.dtype for tensor in chosen] == [torch.int32] * 2
    assert torch.arange(np.float64(3)).dtype == torch.full((2,), np.float64(7)).dtype == torch.float32
    assert torch.randint(3, (2,)).dtype == torch.randperm(2).dtype == torch.int64
    assert torch.linspace(0, 2j, 3).dtype == torch.complex64


def test_full_of_a_numpy_bool_is_float32(device):
    """`torch.full` of a NumPy bool, such as `array.any()` gives, is float32, while `torch.full` of True is bool.

    Such a tensor is no mask: as an index it raises IndexError, and `~` of it raises TypeError. Write
    `torch.full(size, bool(flag))`, or `dtype=torch.bool`.

    https://docs.pytorch.org/docs/stable/generated/torch.full.html
    """
    flag = np.array([False, True]).any()
    mask = torch.full((2,), flag, device=device)

    assert isinstance(flag, np.bool_)
    assert (mask.dtype, mask.tolist()) == (torch.float32, [1, 1])
    with pytest.raises(IndexError, match="tensors used as indices"):
        torch.tensor([5, 6], device=device)[mask]
    with pytest.raises(TypeError, match="integer and Boolean"):
        ~mask
    for made in (torch.full((2,), bool(flag)), torch.full((2,), flag, dtype=torch.bool)):
        assert (made.dtype, made.tolist()) == (torch.bool, [True, True])


def test_range_includes_its_end_and_warns(device):
    """`torch.arange(1, 4)` stops before 4, like Python's `range`; the deprecated `torch.range(1, 4)` includes 4 and
    warns.

    `torch.linspace(1, 4, steps=7)` gives 7 numbers and includes both ends; its third argument is the number of
    elements, not the distance between them.

    https://docs.pytorch.org/docs/stable/generated/torch.range.html
    """
    with pytest.warns(UserWarning, match="torch.range is deprecated"):
        old = torch.range(1, 4, device=device)

    assert (old.tolist(), old.dtype) == ([1, 2, 3, 4], torch.float32)
    assert torch.arange(1, 4, device=device).tolist() == [1, 2, 3]
    assert torch.arange(4, 1, -1, device=device).tolist() == [4, 3, 2]
    assert torch.linspace(1, 4, steps=7, device=device).tolist() == [1, 1.5, 2, 2.5, 3, 3.5, 4]


def test_arange_with_a_fractional_step_may_include_its_end(device):
    """`torch.arange` with a fractional step may include its end: `torch.arange(1, 1.3, 0.1)` has 4 elements, not 3.

    The number of elements is computed from rounded numbers: (1.3 - 1) / 0.1 is a little more than 3. Write
    `torch.linspace(1, 1.3, 4)`, which names the number of elements, or `torch.arange(10, 13) / 10`, which stops before.

    https://docs.pytorch.org/docs/stable/generated/torch.arange.html
    """
    assert (1.3 - 1) / 0.1 > 3
    assert torch.arange(1, 1.3, 0.1, device=device).shape == (4,)
    assert torch.arange(1, 1.5, 0.25, device=device).tolist() == [1, 1.25]
    assert torch.linspace(1, 1.3, 4, device=device).shape == (4,)
    assert (torch.arange(10, 13, device=device) / 10).shape == (3,)


def test_default_dtype_is_what_float_literals_become():
    """After `torch.set_default_dtype(torch.float64)` new tensors of Python floats are float64, and those that `zeros`,
    `ones`, `empty`, `eye`, `rand` and `linspace` make.

    Integers stay int64: `torch.tensor(1)`, `arange(3)`, `full((2,), 7)`, `randint` and `randperm`. Complex numbers
    become complex128. A dtype that is not floating-point raises TypeError.

    https://docs.pytorch.org/docs/stable/generated/torch.set_default_dtype.html
    """
    assert torch.get_default_dtype() == torch.float32
    try:
        torch.set_default_dtype(torch.float64)  # on the CPU: not every accelerator has float64
        literals = [
            torch.tensor(1.5),
            torch.arange(2.0),
            torch.full((2,), 1.5),
            torch.tensor(1) / 2,
            torch.tensor(1) + 0.5,
        ]
        made = [make(2) for make in (torch.zeros, torch.ones, torch.empty, torch.eye, torch.rand)]
        integers = [torch.tensor(1), torch.arange(3), torch.full((2,), 7), torch.randint(3, (2,)), torch.randperm(2)]
        spaced, imaginary = torch.linspace(0, 1, 3), torch.tensor(2j)
    finally:
        torch.set_default_dtype(torch.float32)

    assert [tensor.dtype for tensor in literals + made] == [torch.float64] * 10
    assert [tensor.dtype for tensor in integers] == [torch.int64] * 5
    assert (spaced.dtype, imaginary.dtype) == (torch.float64, torch.complex128)
    assert torch.tensor(1.5).dtype == torch.float32
    for dtype in vars(torch).values():
        if isinstance(dtype, torch.dtype) and not dtype.is_floating_point:
            with pytest.raises(TypeError, match="only floating-point types"):
                torch.set_default_dtype(dtype)


@pytest.mark.holds("torch>=2.1", otherwise=AssertionError, change="warns")
def test_set_default_tensor_type_is_deprecated():
    """From torch 2.1 on `torch.set_default_tensor_type` is deprecated and warns, once per process.

    Write `torch.set_default_dtype(torch.float64)` for `set_default_tensor_type(torch.DoubleTensor)`, and
    `torch.set_default_device("cuda")` for the device. Both are in every release since 2.0.

    https://docs.pytorch.org/docs/stable/generated/torch.set_default_tensor_type.html
    """
    try:
        assert callable(torch.set_default_device)
        torch.set_default_dtype(torch.float64)
        assert torch.tensor(1.5).dtype == torch.float64
        torch.set_default_dtype(torch.float32)
        with pytest.warns(UserWarning, match="set_default_tensor_type.* is deprecated"):
            torch.set_default_tensor_type(torch.DoubleTensor)
        assert torch.tensor(1.5).dtype == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


def test_conversion_to_integer_cuts_off(device):
    """Conversion of floats that int32 or int64 can hold cuts the fraction off instead of rounding: 2.75 becomes 2, and
    -2.75 becomes -2.

    `.long()`, `.int()`, `.type(dtype)` and `.to(dtype)` do the same. Write `x.round().long()` to round, or
    `x.floor().long()` to round down. NumPy's spelling `x.astype(int)` raises AttributeError ("no attribute 'astype'"),
    and `x.to("int64")` RuntimeError ("Invalid device string").

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.to.html
    """
    assert torch.tensor([2.75, -2.75, 0.5], device=device).long().tolist() == [2, -2, 0]
    assert torch.tensor([2.75, -2.75, 0.5], device=device).round().long().tolist() == [3, -3, 0]
    assert torch.tensor([2.75, -2.75, 0.5], device=device).floor().long().tolist() == [2, -3, 0]
    with pytest.raises(AttributeError, match="no attribute 'astype'"):
        torch.tensor([2.75], device=device).astype(int)
    with pytest.raises(RuntimeError, match="Invalid device string: 'int64'"):
        torch.tensor([2.75], device=device).to("int64")
    for numbers in ([2.75, -2.75, 0.5, -0.5, 0.0], [[-3.5, 1.25], [0.0, 7.0]]):
        tensor = torch.tensor(numbers, device=device)
        cut = torch.trunc(tensor).tolist()

        for converted in (tensor.to(torch.int64), tensor.long(), tensor.type(torch.int64)):
            assert (converted.dtype, converted.tolist()) == (torch.int64, cut)
        for converted in (tensor.to(torch.int32), tensor.int()):
            assert (converted.dtype, converted.tolist()) == (torch.int32, cut)


def test_conversion_of_nan_to_an_integer_raises_nothing(device):
    """Conversion of a float tensor to int64 raises nothing for a nan or inf in it and gives some integer.

    Don't rely on which integer. `torch.tensor([math.nan], dtype=torch.int64)` raises RuntimeError, and
    `int(torch.tensor(math.nan))` ValueError. Check `x.isfinite().all()` before you convert.

    https://docs.pytorch.org/docs/stable/generated/torch.isfinite.html
    """
    broken = torch.tensor([math.nan, math.inf, -math.inf], device=device)

    assert (broken.long().dtype, broken.long().shape) == (torch.int64, (3,))
    assert broken.isfinite().tolist() == [False, False, False]
    for number in (math.nan, math.inf):
        with pytest.raises(RuntimeError, match="without overflow"):
            torch.tensor([number], dtype=torch.int64, device=device)
    with pytest.raises(ValueError, match="cannot convert float NaN to integer"):
        int(broken[0])


def test_conversion_to_bool_is_true_unless_zero(device):
    """Conversion of real numbers to bool gives False for 0 and True for everything else: fractions, negative numbers
    and nan.

    `-0.0` is False too. A mask of scores wants a comparison: `scores > 0.5`, not `scores.bool()`.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.to.html
    """
    numbers = torch.tensor([0.0, -0.0, 0.1, -2.0, math.nan, math.inf], device=device)

    for mask in (numbers.bool(), numbers.to(torch.bool), numbers.type(torch.bool), numbers != 0):
        assert (mask.dtype, mask.tolist()) == (torch.bool, [False, False, True, True, True, True])
    assert torch.tensor([0, -3, 256], device=device).bool().tolist() == [False, True, True]
    assert (torch.tensor([0.25, 0.75], device=device) > 0.5).tolist() == [False, True]


def test_a_mask_takes_no_minus(device):
    """`1 - mask`, `-mask` and `mask - other` of bool tensors raise RuntimeError: the opposite of a mask is `~mask`.

    `1 - mask` says "Subtraction, the `-` operator, with a bool tensor is not supported". Write `mask & ~other` for
    `mask - other`. In old code `1 - (x == 0)` means `x != 0`. To compute with a mask, convert it: `mask.float()`. `*`
    and `+` take bools: `x * mask` keeps the numbers where the mask is True and makes the others 0, but inf and nan
    among them become nan: there write `torch.where(mask, x, 0.0)`.

    https://docs.pytorch.org/docs/stable/generated/torch.logical_not.html
    """
    x = torch.tensor([0.0, 2.0], device=device)
    mask, other = x == 0, torch.tensor([True, True], device=device)

    for minus in (lambda: 1 - mask, lambda: 1.0 - mask, lambda: mask - 1, lambda: x - mask, lambda: mask.sub(1)):
        with pytest.raises(RuntimeError, match="Subtraction, the `-` operator, with a bool tensor is not supported"):
            minus()
    with pytest.raises(RuntimeError, match="with two bool tensors is not supported"):
        mask - other
    with pytest.raises(RuntimeError, match="Negation, the `-` operator, on a bool tensor is not supported"):
        -mask
    for opposite in (~mask, mask.logical_not(), x != 0):
        assert (opposite.dtype, opposite.tolist()) == (torch.bool, [False, True])
    assert ((mask & ~other).tolist(), (other & ~mask).tolist()) == ([False, False], [False, True])
    assert (1 - mask.float()).tolist() == [0, 1]
    assert ((x + 1) * mask).tolist() == [1, 0]
    broken = torch.tensor([4.0, math.inf], device=device)
    assert ((broken * mask).isnan().tolist(), torch.where(mask, broken, 0.0).tolist()) == ([False, True], [4, 0])
    assert (x + mask).tolist() == [1, 2]


# Range and rounding: what does a dtype hold, and what happens beyond it?


@pytest.mark.myth("torch.tensor(0.1).item() is 0.1")
def test_float32_rounds_a_python_float(device):
    """`torch.tensor(0.1)` rounds 0.1 to float32, and `item()` gives the rounded number back: 0.10000000149011612.

    0.5 fits and comes back unchanged. `tensor == 0.1` is True, because PyTorch rounds the 0.1 as well, but
    `tensor.item() == 0.1` is False. Compare two tensors with `torch.isclose`, and an `item()` with
    `math.isclose(..., rel_tol=1e-6)`, whose usual tolerance of 1e-9 is too small for float32.

    https://docs.pytorch.org/docs/stable/generated/torch.isclose.html
    """
    tensor = torch.tensor([0.1, 0.5, 1 / 3], device=device)

    assert tensor.tolist() == [0.10000000149011612, 0.5, 0.3333333432674408]
    assert (tensor == 0.1).tolist() == [True, False, False]
    assert tensor[0].item() != 0.1
    assert math.isclose(tensor[0].item(), 0.1, rel_tol=1e-6)
    assert math.isclose(tensor[0].item(), 0.1) is False
    other = torch.tensor([0.1000001, 0.5001, 1 / 3], device=device)
    assert (tensor == other).tolist() == [False, False, True]
    for close in (torch.isclose(tensor, other), torch.isclose(other, tensor)):
        assert (close.dtype, close.tolist()) == (torch.bool, [True, False, True])


def test_isclose_wants_one_dtype():
    """`torch.isclose` and `torch.allclose` of two tensors of different dtypes raise RuntimeError ("did not match"),
    while on the CPU `==` and `torch.equal` compare them.

    A float32 result meets float64 numbers from NumPy, or a list of ints. Write `torch.allclose(x, y.to(x.dtype))`. A
    Python number raises TypeError: write `torch.isclose(x, torch.tensor(0.1, dtype=x.dtype))`.

    https://docs.pytorch.org/docs/stable/generated/torch.isclose.html
    """
    result = torch.tensor([1.0, 2.0])  # on the CPU: not every accelerator has float64

    for other in (result.double(), torch.tensor([1, 2])):
        for compare in (torch.isclose, torch.allclose):
            with pytest.raises(RuntimeError, match="did not match"):
                compare(result, other)
        assert torch.allclose(result, other.to(result.dtype)) is True
        assert (torch.equal(result, other), (result == other).tolist()) == (True, [True, True])
    with pytest.raises(TypeError, match="must be Tensor"):
        torch.isclose(result, 0.1)
    for x in (result / 10, result.double() / 10):
        assert torch.isclose(x, torch.tensor(0.1, dtype=x.dtype)).tolist() == [True, False]


def test_float32_cannot_count_beyond_16777216(device):
    """A float32 counter stops at 16777216 = 2**24 silently: 16777216 + 1 is 16777216.

    From 2**24 to 2**25 float32 has even numbers only: 16777217 becomes 16777216, and 16777218 + 1 is 16777220. A
    float16 counter stops at 2048, a bfloat16 counter at 256. Count in int64.

    https://docs.pytorch.org/docs/stable/type_info.html
    """
    counter = torch.tensor([16_777_215.0, 16_777_216.0, 16_777_217.0, 16_777_218.0], device=device)

    assert counter.tolist() == [16_777_215, 16_777_216, 16_777_216, 16_777_218]
    assert (counter + 1).tolist() == [16_777_216, 16_777_216, 16_777_216, 16_777_220]
    assert (counter.long() + 1).tolist() == [16_777_216, 16_777_217, 16_777_217, 16_777_219]
    assert (torch.tensor([2047.0, 2048.0], dtype=torch.float16) + 1).tolist() == [2048, 2048]
    assert (torch.tensor([255.0, 256.0], dtype=torch.bfloat16) + 1).tolist() == [256, 256]


def test_uint8_wraps_around(device):
    """`+`, `-` and `*` of uint8 wrap around silently: 250 + 10 is 4, and 0 - 1 is 255.

    Images are often uint8: write `image.float()` before you do arithmetic on one. `sum()` adds up in int64. `@` wraps
    too, on the CPU: [250, 250] @ [2, 2] is 232, which is 1000 modulo 256.

    https://docs.pytorch.org/docs/stable/tensor_attributes.html
    """
    pixels = torch.tensor([250, 0, 128], dtype=torch.uint8, device=device)

    for brighter in (pixels + 10, torch.add(pixels, 10), pixels.add(10)):
        assert (brighter.dtype, brighter.tolist()) == (torch.uint8, [4, 10, 138])
    for darker in (pixels - 1, torch.sub(pixels, 1), pixels.sub(1)):
        assert (darker.dtype, darker.tolist()) == (torch.uint8, [249, 255, 127])
    for doubled in (pixels * 2, torch.mul(pixels, 2), pixels.mul(2), pixels + pixels):
        assert (doubled.dtype, doubled.tolist()) == (torch.uint8, [244, 0, 0])
    assert (pixels.float() + 10).tolist() == [260, 10, 138]
    assert (pixels.sum().dtype, pixels.sum().item()) == (torch.int64, 378)
    product = torch.tensor([250, 250], dtype=torch.uint8) @ torch.tensor([2, 2], dtype=torch.uint8)
    assert (product.dtype, product.item()) == (torch.uint8, 1000 % 256)


def test_adding_one_to_the_largest_integer_gives_the_smallest(device):
    """Adding 1 to the largest number of uint8, int8, int16, int32 or int64 gives the smallest number of that dtype.

    Nothing raises or warns: 127 + 1 is -128 in int8, and 9223372036854775807 + 1 is -9223372036854775808 in int64.
    Python's integers have no such limit.

    https://docs.pytorch.org/docs/stable/type_info.html
    """
    for dtype in (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64):
        limits = torch.iinfo(dtype)
        largest = torch.tensor([limits.max], dtype=dtype, device=device)

        assert ((largest + 1).dtype, (largest + 1).tolist()) == (dtype, [limits.min])
        assert (largest + 1 - 1).tolist() == [limits.max]
    assert (torch.tensor([127], dtype=torch.int8, device=device) + 1).tolist() == [-128]
    assert (torch.tensor([9223372036854775807], device=device) + 1).item() == -(2**63)


def test_a_value_out_of_range_is_refused_when_a_tensor_is_made(device):
    """`torch.tensor([300], dtype=torch.uint8)` raises RuntimeError, and so does
    `torch.full((2,), 300, dtype=torch.uint8)`.

    Not everything is checked. `torch.tensor` wraps -1 to -255 in uint8 silently; on the CPU `torch.arange(254, 258)` in
    uint8 and `pixels + 300` wrap as well. So does a comparison there: `pixels == 300` finds 44, and `pixels < 300`
    finds only what is below 44. Compare with `torch.iinfo(dtype).min` and `.max` first, or write `pixels.int() < 300`.

    https://docs.pytorch.org/docs/stable/type_info.html
    """
    with pytest.raises(RuntimeError, match="without overflow"):
        torch.tensor([300], dtype=torch.uint8, device=device)
    with pytest.raises(RuntimeError, match="without overflow"):
        torch.full((2,), 300, dtype=torch.uint8, device=device)
    with pytest.raises(RuntimeError, match="without overflow"):
        torch.tensor([128], dtype=torch.int8, device=device)
    with pytest.raises(RuntimeError, match="without overflow"):
        torch.tensor([-256], dtype=torch.uint8, device=device)
    assert torch.tensor([-1, -255], dtype=torch.uint8, device=device).tolist() == [255, 1]
    assert torch.arange(254, 258, dtype=torch.uint8).tolist() == [254, 255, 0, 1]
    pixels = torch.tensor([250, 44, 0], dtype=torch.uint8)
    assert (pixels + 300).tolist() == [550 % 256, 344 % 256, 300 % 256]
    assert ((pixels == 300).tolist(), (pixels < 300).tolist()) == ([False, True, False], [False, False, True])
    assert (pixels.int() < 300).tolist() == [True, True, True]
    assert (torch.iinfo(torch.uint8).min, torch.iinfo(torch.uint8).max) == (0, 255)


@pytest.mark.holds("torch>=2.15", otherwise=RuntimeError, change="new", concerns="torch.Tensor.clamp?")
def test_clamp_takes_limits_beyond_the_dtype():
    """From torch 2.15 on `clamp(0, 300)` leaves uint8 numbers as they are; older releases raise RuntimeError ("without
    overflow").

    Seen on the CPU. Write `clamp(0, 255)`, whose limits the dtype holds, or `x.int().clamp(-10, 300)`: these mean the
    same in every release. `clamp(min=-10)` of uint8 leaves the numbers alone from 2.15 on, too.

    https://docs.pytorch.org/docs/stable/generated/torch.clamp.html
    """
    x = torch.tensor([44, 255, 0], dtype=torch.uint8)

    assert x.clamp(0, 255).tolist() == x.int().clamp(-10, 300).tolist() == [44, 255, 0]
    for same in (x.clamp(0, 300), torch.clamp(x, max=300), x.clamp(min=-10), x.clip(-10, 300)):
        assert (same.dtype, same.tolist()) == (torch.uint8, [44, 255, 0])
    assert torch.tensor([5, -7], dtype=torch.int8).clamp(-200, 200).tolist() == [5, -7]


def arithmetic():
    """Sum, product and difference, each first as Python spells it and then in PyTorch's other spellings."""
    return [
        (operator.add, torch.add, torch.Tensor.add),
        (operator.mul, torch.mul, torch.Tensor.mul),
        (operator.sub, torch.sub, torch.Tensor.sub),
    ]


def spellings(*dtypes):
    """All spellings of sum, product and difference; for bools there is no difference."""
    return list(itertools.chain(*arithmetic()[: 2 if torch.bool in dtypes else 3]))


def test_uint8_is_arithmetic_modulo_256_for_every_pair(device):
    """The sum, difference and product of two uint8 numbers are taken modulo 256, for all 65536 pairs of them.

    Write `image.int()` first if a result below 0 or above 255 matters, and `clamp(0, 255)` before you convert back.

    https://docs.pytorch.org/docs/stable/tensor_attributes.html
    """
    x = torch.arange(256, dtype=torch.uint8, device=device).reshape(256, 1)
    a = np.arange(256).reshape(256, 1)

    for b in np.split(np.arange(256), 4):
        y = torch.tensor(b, dtype=torch.uint8, device=device)
        for operation, *others in arithmetic():
            expected = torch.tensor(operation(a, b) % 256, dtype=torch.uint8, device=device)
            for result in (spelling(x, y) for spelling in (operation, *others)):
                assert result.dtype == torch.uint8
                assert torch.equal(result, expected)


# Arithmetic: which dtype comes out?


def test_dividing_integers_gives_floats(device):
    """`/` of two int64 tensors gives float32, and `//` of two int64 tensors rounds down and stays int64.

    Down is not towards zero: -7 // 2 is -4; `torch.div(..., rounding_mode="trunc")` gives -3. Next to a float, `//`
    rounds down as well, but gives floats. `/` rounds integers beyond 2**24 to float32: 16777217 / 1 is 16777216. On the
    CPU `counts ** -1` of integers raises RuntimeError, "Integers to negative integer powers are not allowed", and
    `2 ** torch.tensor([-1])` is silently 0: write `counts.float() ** -1`.

    https://docs.pytorch.org/docs/stable/generated/torch.div.html
    """
    tensor, two = torch.tensor([7, -7, 6], device=device), torch.tensor([2, 2, 2], device=device)

    for quotient in (tensor / two, tensor / 2, torch.div(tensor, two), tensor.div(2)):
        assert (quotient.dtype, quotient.tolist()) == (torch.float32, [3.5, -3.5, 3])
    for down in (tensor // two, tensor // 2, torch.div(tensor, two, rounding_mode="floor")):
        assert (down.dtype, down.tolist()) == (torch.int64, [3, -4, 3])
    cut = torch.div(tensor, two, rounding_mode="trunc")
    assert (cut.dtype, cut.tolist()) == (torch.int64, [3, -3, 3])
    rest = tensor % 2
    assert (rest.dtype, rest.tolist()) == (torch.int64, [1, 1, 0])
    assert ((tensor // 2.0).dtype, (tensor // 2.0).tolist()) == (torch.float32, [3, -4, 3])
    assert (torch.tensor([16_777_217], device=device) / 1).tolist() == [16_777_216]
    counts = torch.tensor([2, 4])
    with pytest.raises(RuntimeError, match="Integers to negative integer powers are not allowed"):
        counts**-1
    assert ((2 ** torch.tensor([-1])).tolist(), (counts.float() ** -1).tolist()) == ([0], [0.5, 0.25])


def test_integer_division_agrees_with_python_for_every_small_pair(device):
    """`//` of int8 or int64 tensors rounds down, and `%` has the sign of the divisor, like Python's: for all pairs of
    int8 whose divisor is not 0, but -128 // -1.

    -128 // -1 wraps to -128, because int8 has no 128. In uint8, -2 wraps to 254 first, so 7 // -2 is 0.

    https://docs.pytorch.org/docs/stable/generated/torch.remainder.html
    """
    a, b = range(-9, 10), [-4, -3, -2, -1, 1, 2, 3, 4]
    x, y = torch.tensor(a, device=device).reshape(-1, 1), torch.tensor(b, device=device)

    for down in (x // y, torch.floor_divide(x, y), x.div(y, rounding_mode="floor")):
        assert (down.dtype, down.tolist()) == (torch.int64, [[m // n for n in b] for m in a])
    for rest in (x % y, torch.remainder(x, y)):
        assert (rest.dtype, rest.tolist()) == (torch.int64, [[m % n for n in b] for m in a])
    cut = torch.div(x, y, rounding_mode="trunc")
    assert (cut.dtype, cut.tolist()) == (torch.int64, [[int(m / n) for n in b] for m in a])

    a, b = range(-128, 128), [n for n in range(-128, 128) if n != 0]
    x = torch.tensor(a, dtype=torch.int8, device=device).reshape(-1, 1)
    y = torch.tensor(b, dtype=torch.int8, device=device)
    expected = [[-128 if (m, n) == (-128, -1) else m // n for n in b] for m in a]
    assert ((x // y).dtype, (x // y).tolist()) == (torch.int8, expected)
    assert ((x % y).dtype, (x % y).tolist()) == (torch.int8, [[m % n for n in b] for m in a])
    assert (torch.tensor([7], dtype=torch.uint8) // -2).tolist() == [0]


def test_dividing_by_zero_gives_inf_or_nan(device):
    """`/ 0` raises nothing: it gives inf or -inf, and nan for 0 / 0, also if both tensors are integers.

    `// 0` and `% 0` of floats raise nothing either. A nan spreads: nan + 1 and nan * 0 are nan. But nan ** 0 is 1, and
    `nan < 1` is False. Look for it with `isnan()`. A negative number to a fractional power, such as `x ** (1 / 3)` of
    -8, is nan as well: write `x.sign() * x.abs() ** (1 / 3)` for -2.

    https://docs.pytorch.org/docs/stable/generated/torch.div.html
    """
    integers = torch.tensor([3, 0, -3], device=device)
    zeros = torch.tensor([0, 0, 0], device=device)

    for quotient in (integers / 0, torch.div(integers, 0), integers.div(0), integers / zeros):
        assert quotient.dtype == torch.float32
        assert [str(number) for number in quotient.tolist()] == ["inf", "nan", "-inf"]
    assert [str(number) for number in (integers.float() // 0).tolist()] == ["inf", "nan", "-inf"]
    assert [str(number) for number in (integers.float() % 0).tolist()] == ["nan", "nan", "nan"]
    assert [str(number) for number in (integers / 0.0 + 1).tolist()] == ["inf", "nan", "-inf"]
    nan = torch.tensor(math.nan, device=device)
    assert [(nan + 1).isnan().item(), (nan * 0).isnan().item()] == [True, True]
    assert [(nan**0).item(), (nan < 1).item()] == [1, False]
    x = torch.tensor([-8.0], device=device)
    assert (x ** (1 / 3)).isnan().tolist() == (x**0.5).isnan().tolist() == (x**2.2).isnan().tolist() == [True]
    assert round((x.sign() * x.abs() ** (1 / 3)).item(), 4) == -2


def test_integer_division_by_zero_raises_on_the_cpu():
    """`// 0` and `% 0` of an int64 tensor raise RuntimeError, "ZeroDivisionError", on the CPU.

    It is not Python's ZeroDivisionError: `except ZeroDivisionError` does not catch it. Don't rely on the error on other
    devices: write `torch.where(divisor == 0, 1, divisor)` first. A float divisor, 0.0, raises nothing.

    https://docs.pytorch.org/docs/stable/generated/torch.floor_divide.html
    """
    integers, divisor = torch.tensor([3, 0, -3]), torch.tensor([0, 0, 2])

    for divide in (operator.floordiv, torch.floor_divide, operator.mod, torch.remainder):
        for zero in (0, torch.tensor(0), divisor):
            with pytest.raises(RuntimeError, match="ZeroDivisionError"):
                divide(integers, zero)
    assert not issubclass(RuntimeError, ZeroDivisionError)
    assert (integers // torch.where(divisor == 0, 1, divisor)).tolist() == [3, 0, -2]
    assert [str(number) for number in (integers // 0.0).tolist()] == ["inf", "nan", "-inf"]
    assert (integers % 0.0).isnan().tolist() == [True, True, True]


def test_promotion_ladder(device):
    """In `+`, `-` and `*` a Python number or a 0-d tensor next to a vector changes the dtype only if its kind is
    higher: bool, int, float, complex.

    float32 data stays float32 next to a 0-d float64 tensor or `np.float64(1)`, but becomes float64, twice the memory,
    next to a float64 vector, even of one element. Two 0-d tensors count like two vectors.

    https://docs.pytorch.org/docs/stable/tensor_attributes.html
    """
    with torch.device(device):
        bools, ints, int32s = torch.tensor([True, False]), torch.tensor([1, 2]), torch.tensor([1, 2], dtype=torch.int32)
        floats, halves = torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.0], dtype=torch.float16)
        one, one_and_a_half = torch.tensor(1), torch.tensor(1.5)
    one_float64 = torch.tensor(1.0, dtype=torch.float64)  # on the CPU, with its partners: not every device has float64

    for left, right, expected in [
        (bools, True, torch.bool),
        (bools, 1, torch.int64),
        (ints, 1.5, torch.float32),
        (int32s, 2**20, torch.int32),
        (int32s, one, torch.int32),
        (int32s, one.reshape(1), torch.int64),
        (ints, one_and_a_half, torch.float32),
        (ints.cpu(), one_float64, torch.float64),
        (halves, one_and_a_half, torch.float16),
        (halves, one_and_a_half.reshape(1), torch.float32),
        (floats, 1.5, torch.float32),
        (floats.cpu(), np.float64(1.5), torch.float32),
        (ints.cpu(), 1j, torch.complex64),
        (floats.cpu(), 1j, torch.complex64),
        (floats.cpu().double(), 1j, torch.complex128),
        (floats.cpu(), one_float64, torch.float32),
        (floats.cpu(), one_float64.reshape(1), torch.float64),
        (one_and_a_half.cpu(), one_float64, torch.float64),
    ]:
        assert (right + left).dtype == (right * left).dtype == torch.result_type(left, right) == expected
        for spelling in spellings(left.dtype):
            assert spelling(left, right).dtype == expected
    assert (ints + 1.5).tolist() == [2.5, 3.5]
    assert (floats.cpu() + one_float64.reshape(1)).element_size() == 2 * floats.element_size()


KINDS = [
    [torch.bool],
    [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64],
    [torch.float16, torch.float32, torch.float64],
]
DTYPES = [dtype for kind in KINDS for dtype in kind]


def kind(dtype):
    """0 for bool, 1 for the integers, 2 for the floats."""
    return next(level for level, dtypes in enumerate(KINDS) if dtype in dtypes)


def home(device, *dtypes):
    """The device, or the CPU for float64, which not every device has."""
    return "cpu" if torch.float64 in dtypes else device


def test_a_scalar_never_widens_its_own_kind_for_every_pair_of_dtypes(device):
    """`+` and `*` of a vector and a 0-d tensor give the vector's dtype, or the 0-d tensor's if its kind is higher: for
    all pairs of bool, uint8, int8 to int64 and float16 to float64.

    Complex is different: a float64 vector and a 0-d complex64 tensor give complex128, which is neither of the two.

    https://docs.pytorch.org/docs/stable/tensor_attributes.html
    """
    for vector, scalar in itertools.product(DTYPES, DTYPES):
        where = home(device, vector, scalar)
        x, y = torch.ones(2, dtype=vector, device=where), torch.tensor(1, dtype=scalar, device=where)
        expected = scalar if kind(scalar) > kind(vector) else vector

        assert {spelling(x, y).dtype for spelling in spellings(vector, scalar)} == {expected}
        assert (y + x).dtype == (y * x).dtype == torch.maximum(x, y).dtype == expected
        assert (x + y).tolist() == [1 if expected == torch.bool else 2] * 2
    assert (torch.ones(2, dtype=torch.float64) + torch.tensor(1j)).dtype == torch.complex128


def test_vectors_promote_to_the_higher_kind_for_every_pair_of_dtypes(device):
    """`+` and `*` of two vectors of different kinds give the dtype of the higher kind, and of one kind the dtype that
    NumPy gives: for all pairs of bool, uint8, int8 to int64 and float16 to float64.

    Between kinds NumPy may widen: int64 + float32 is float64 there, and float32 here. Beyond these dtypes complex64 +
    float64 is complex128, and float16 + bfloat16, which NumPy has not, is float32.

    https://docs.pytorch.org/docs/stable/generated/torch.promote_types.html
    """
    for left, right in itertools.product(DTYPES, DTYPES):
        where = home(device, left, right)
        x, y = torch.ones(2, dtype=left, device=where), torch.ones(2, dtype=right, device=where)
        in_numpy = torch.from_numpy(x.cpu().numpy() + y.cpu().numpy()).dtype
        expected = in_numpy if kind(left) == kind(right) else max(left, right, key=kind)

        assert torch.promote_types(left, right) == expected
        assert {spelling(x, y).dtype for spelling in spellings(left, right)} == {expected}
    assert (np.ones(2, dtype=np.int64) + np.ones(2, dtype=np.float32)).dtype == np.float64
    assert torch.promote_types(torch.complex64, torch.float64) == torch.complex128
    assert torch.promote_types(torch.bfloat16, torch.float16) == torch.float32


def test_in_place_never_changes_the_dtype(device):
    """In-place arithmetic keeps the dtype: `counts += 1.5` of an int64 tensor raises RuntimeError, because the result
    has a higher kind.

    The message is "result type Float can't be cast to the desired output type Long". Write `counts = counts + 1.5`.
    Within a kind, in-place arithmetic converts silently: float16 += float32 rounds to float16, and can overflow to inf.

    https://docs.pytorch.org/docs/stable/tensor_attributes.html
    """
    counts = torch.tensor([1, 2, 3], device=device)
    halves = torch.tensor([1.0, 2.0], dtype=torch.float16, device=device)

    with pytest.raises(RuntimeError, match="can't be cast"):
        counts += 1.5
    with pytest.raises(RuntimeError, match="can't be cast"):
        counts /= 2
    with pytest.raises(RuntimeError, match="can't be cast"):
        counts.mul_(torch.tensor([0.5], device=device))
    with pytest.raises(RuntimeError, match="can't be cast"):
        torch.tensor([True], device=device).add_(1)
    assert (counts.dtype, counts.tolist()) == (torch.int64, [1, 2, 3])
    assert (counts + 1.5).tolist() == [2.5, 3.5, 4.5]
    halves += torch.tensor([0.5, 2.0**-20], device=device)
    assert (halves.dtype, halves.tolist()) == (torch.float16, [1.5, 2])
    halves /= torch.tensor([2.0, 4.0], device=device)
    assert (halves.dtype, halves.tolist()) == (torch.float16, [0.75, 0.5])
    halves += torch.tensor([0.0, 1e10], device=device)
    assert (halves.dtype, halves.tolist()) == (torch.float16, [0.75, math.inf])


def test_assignment_to_integers_cuts_off(device):
    """Assigning a Python float to an element of an integer tensor cuts its fraction off silently: `counts[0] = 2.75`
    writes 2.

    `fill_`, and `copy_` of a float tensor, do the same. `counts[0] = math.nan` raises RuntimeError, but `counts[0] =
    torch.tensor(math.nan)` silently writes some integer. Several numbers of another dtype through a list of positions
    or a mask, `counts[[0, 1]] = floats`, raises RuntimeError, "Index put requires the source and destination dtypes
    match": write `floats.to(counts.dtype)`. `counts[0] = np.float32(2.5)` and `counts[0] = [2.5]` raise TypeError,
    "can't assign a numpy.float32 to a torch.LongTensor": write `float(number)` or `torch.tensor(numbers)`.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.copy_.html
    """
    counts = torch.tensor([1, 2, 3], device=device)
    floats = torch.tensor([-7.5, 0.5], device=device)

    counts[0] = 2.75
    counts[1:].copy_(floats)
    assert (counts.dtype, counts.tolist()) == (torch.int64, [2, -7, 0])
    counts[:2] = floats
    assert counts.tolist() == [-7, 0, 0]
    assert counts.fill_(9.75).tolist() == [9, 9, 9]
    with pytest.raises(RuntimeError, match="without overflow"):
        counts[0] = math.nan
    with pytest.raises(RuntimeError, match="without overflow"):
        counts.byte()[0] = 300.5
    for positions in ([0, 1], torch.tensor([True, True, False], device=device)):
        with pytest.raises(RuntimeError, match="Index put requires the source and destination dtypes match"):
            counts[positions] = floats
    for refused in (np.float32(2.5), [2.5]):
        with pytest.raises(TypeError, match=r"can't assign a (numpy\.float32|list) to a torch\..*LongTensor"):
            counts[0] = refused
    assert (counts.dtype, counts.tolist()) == (torch.int64, [9, 9, 9])
    counts[0] = torch.tensor(math.nan, device=device)
    assert (counts.dtype, counts[1:].tolist()) == (torch.int64, [9, 9])
    counts[[0, 1]] = floats.to(counts.dtype)
    assert counts.tolist() == [-7, 0, 9]


def test_mean_of_integers_raises(device):
    """`mean`, `std` and `var` of integers or bools raise RuntimeError, where NumPy gives a float.

    `mean` says "could not infer output dtype". Write `x.float().mean()`. `mean` also takes `dtype=torch.float32`; `std`
    and `var` have no such argument and raise TypeError. The share of right answers is `correct.float().mean()`.

    https://docs.pytorch.org/docs/stable/generated/torch.mean.html
    """
    integers, bools = torch.tensor([1, 2, 4, 3], device=device), torch.tensor([True, False], device=device)

    for tensor in (integers, bools, integers.int(), integers.byte()):
        for mean in (torch.mean, torch.Tensor.mean):
            with pytest.raises(RuntimeError, match="could not infer output dtype"):
                mean(tensor)
        for spread in (torch.std, torch.Tensor.std, torch.var, torch.Tensor.var):
            with pytest.raises(RuntimeError, match="only support floating point"):
                spread(tensor.cpu())  # mps refuses too, in words that change with the release
    for mean in (integers.float().mean(), torch.mean(integers.float()), integers.mean(dtype=torch.float32)):
        assert (mean.dtype, mean.item()) == (torch.float32, 2.5)
    for spread in (torch.std, torch.var):
        with pytest.raises(TypeError, match="invalid combination of arguments"):
            spread(integers, dtype=torch.float32)
    assert (np.mean([1, 2, 4, 3]), bools.float().mean().item()) == (2.5, 0.5)


def test_sum_of_bools_counts(device):
    """`x.sum()` of bools counts the True ones, in int64; of uint8, int8, int16, int32 and int64 it is int64 too, and of
    float16, bfloat16, float32 and float64 it keeps the dtype.

    Count right answers with `(predicted == targets).sum()`. `+` of two bools is "or", not a count. Python's `sum(x)`
    adds uint8 in uint8: 200 + 100 is 44. A float16 sum can overflow: 60000 + 60000 is inf. Write
    `x.sum(dtype=torch.float32)`.

    https://docs.pytorch.org/docs/stable/generated/torch.sum.html
    """
    predicted, targets = torch.tensor([3, 1, 2, 0], device=device), torch.tensor([3, 1, 0, 0], device=device)
    correct = predicted == targets

    assert (correct.dtype, correct.tolist()) == (torch.bool, [True, True, False, True])
    for count in (correct.sum(), torch.sum(correct)):
        assert (count.dtype, count.item()) == (torch.int64, 3)
    for dtype in (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64):
        integers = torch.tensor([1, 2], dtype=dtype, device=device)
        for count in (integers.sum(), torch.sum(integers)):
            assert (count.dtype, count.item()) == (torch.int64, 3)
    assert sum(torch.tensor([200, 100], dtype=torch.uint8, device=device)).item() == 44
    for dtype in (torch.float16, torch.bfloat16, torch.float32):
        floats = torch.tensor([0.5, 2], dtype=dtype, device=device)
        for total in (floats.sum(), torch.sum(floats)):
            assert (total.dtype, total.item()) == (dtype, 2.5)
    assert torch.tensor([0.5, 2], dtype=torch.float64).sum().dtype == torch.float64  # on the CPU: mps has no float64
    large = torch.tensor([60_000.0, 60_000.0], dtype=torch.float16, device=device)
    assert (large.sum().item(), large.sum(dtype=torch.float32).item()) == (math.inf, 120_000)
    assert ((correct + correct).dtype, (correct + correct).tolist()) == (torch.bool, [True, True, False, True])
    assert correct.float().mean().item() == 0.75


# Rounding, spread, comparison: which numbers come out?


def test_round_goes_to_the_even_neighbour(device):
    """`torch.round` sends a half to the even neighbour: 0.5 to 0, and both 1.5 and 2.5 to 2.

    Python's `round` does the same; school rounds a half up. The result stays float32. Write `(x + 0.5).floor()` to
    round halves up; 0.49999997, the float32 just below a half, goes up with them, because the sum is rounded to 1.

    https://docs.pytorch.org/docs/stable/generated/torch.round.html
    """
    halves = torch.tensor([0.5, 1.5, 2.5, 3.5, -0.5, -1.5, -2.5, 2.5078125], device=device)

    assert torch.round(halves).tolist() == halves.round().tolist() == [0, 2, 2, 4, 0, -2, -2, 3]
    assert torch.round(halves).dtype == halves.round().dtype == torch.float32
    assert [round(number) for number in (0.5, 1.5, 2.5)] == [0, 2, 2]
    assert (halves[:3] + 0.5).floor().tolist() == [1, 2, 3]
    below = torch.tensor(0.49999997, device=device)
    assert ((below < 0.5).item(), (below + 0.5).floor().item(), below.round().item()) == (True, 1, 0)


def test_round_agrees_with_python_for_every_half(device):
    """`torch.round` and Python's `round` agree on every quarter, half and whole number from -100 to 100.

    Rounding halves to even keeps a sum from drifting up: the halves from 0.5 to 99.5 add up to 5000 before and after.

    https://docs.pytorch.org/docs/stable/generated/torch.round.html
    """
    numbers = [quarters / 4 for quarters in range(-400, 401)]
    tensor = torch.tensor(numbers, device=device)

    assert torch.round(tensor).tolist() == tensor.round().tolist() == [round(number) for number in numbers]
    halves = torch.tensor([whole + 0.5 for whole in range(100)], device=device)
    assert halves.round().sum().item() == halves.sum().item() == 5000


def test_std_is_unbiased_and_numpy_is_not(device):
    """By default `torch.std` and `torch.var` divide by n - 1, and `np.std` and `np.var` by n.

    Write `unbiased=False` or `correction=0` in PyTorch, or `ddof=1` in NumPy, and the numbers agree. Four numbers
    divided by their `torch.std` have the variance 3/4 for `np.var`, and not 1.

    https://docs.pytorch.org/docs/stable/generated/torch.std.html
    """
    numbers = [[1.0, 1.0, 1.0, 5.0], [2.0, 2.0, 2.0, 10.0]]
    x = torch.tensor(numbers, device=device)  # in the first row the squared distances from the mean add up to 12

    assert x[0].std().item() == torch.std(x[0]).item() == np.std(numbers[0], ddof=1) == 2
    assert x[0].var().item() == torch.var(x[0]).item() == np.var(numbers[0], ddof=1) == 12 / 3
    assert x[0].var(unbiased=False).item() == torch.var(x[0], correction=0).item() == np.var(numbers[0]) == 12 / 4
    for std, var in ((x.std(dim=1), x.var(dim=1)), (torch.std(x, dim=1), torch.var(x, dim=1))):
        assert (std.dtype, std.tolist()) == (torch.float32, [2, 4])
        assert (var.dtype, var.tolist()) == (torch.float32, [4, 16])
    assert np.var(np.array(numbers[0]) / x[0].std().item()) == 3 / 4


@pytest.mark.holds(
    "torch>=2.2", otherwise=AssertionError, change="warns", concerns=("torch.Tensor.std?", "torch.Tensor.var?")
)
def test_std_of_one_number_warns():
    """From torch 2.2 on `std` and `var` of a single number warn on the CPU, and give nan: n - 1 is 0.

    The warning says "degrees of freedom is <= 0". Before 2.2 they give nan silently; `np.std` gives 0. A last batch
    with one row meets this. Write `unbiased=False`, which divides by n and gives 0, or drop the last batch with
    `DataLoader(..., drop_last=True)`.

    https://docs.pytorch.org/docs/stable/generated/torch.std.html
    """
    batch_of_one = torch.tensor([[1.0, 5.0, 2.0]])  # on the CPU: CUDA warns as well, mps gives nan without a word

    for spread in (torch.std, torch.var, torch.Tensor.std, torch.Tensor.var):
        with pytest.warns(UserWarning, match="degrees of freedom is <= 0"):
            undefined = spread(batch_of_one, dim=0)
        assert (undefined.isnan().tolist(), undefined.dtype) == ([True] * 3, torch.float32)
        assert spread(batch_of_one, dim=0, unbiased=False).tolist() == [0, 0, 0]
    assert torch.tensor([1.0, 5.0]).var().item() == 8
    assert np.std([5.0]) == 0


def test_median_is_the_lower_of_two_middles(device):
    """`torch.median` of an even number of elements is the lower of the two in the middle, and `np.median` their mean.

    Of 1, 2, 3, 10 that is 2 and not 2.5. Write `x.quantile(0.5)` for the mean. `quantile` of int64 or float16 raises
    RuntimeError, "must be either float or double dtype": write `x.float().quantile(0.5)`. `x.median(dim=0)` returns
    values and indices.

    https://docs.pytorch.org/docs/stable/generated/torch.median.html
    """
    x = torch.tensor([10.0, 1.0, 3.0, 2.0], device=device)

    assert x.median().item() == torch.median(x).item() == x.median(dim=0).values.item() == 2
    assert x.median(dim=0).indices.item() == 3
    assert np.median(x.tolist()) == x.quantile(0.5).item() == torch.quantile(x, 0.5).item() == 2.5
    assert x[1:].median().item() == x[1:].quantile(0.5).item() == np.median(x[1:].tolist()) == 2
    for other in (x.long(), x.half()):
        with pytest.raises(RuntimeError, match="must be either float or double dtype"):
            other.quantile(0.5)
        assert other.float().quantile(0.5).item() == 2.5
    assert x.long().median().item() == 2


@pytest.mark.holds("torch>=2.14", otherwise=RuntimeError, change="new", concerns="torch.Tensor.quantile?")
def test_quantile_takes_more_than_16_million_numbers():
    """From torch 2.14 on `torch.quantile(x, 0.5)` takes an `x` of more than 2**24 = 16777216 numbers; older releases
    raise RuntimeError, "quantile() input tensor is too large".

    With `dim=1` the limit is that of one row. The test asks the device meta, which looks at the size and sorts nothing.
    In older releases `x.kthvalue(k).values` gives the k-th smallest number of a vector, and `np.quantile(x.numpy(),
    0.5)` the median.

    https://docs.pytorch.org/docs/stable/generated/torch.quantile.html
    """
    x = torch.tensor([5.0, 1.0, 4.0, 2.0, 3.0])

    assert x.kthvalue(3).values.item() == np.quantile(x.numpy(), 0.5) == x.quantile(0.5).item() == 3
    assert torch.empty(2**24 + 1, 2, device="meta").quantile(0.5, dim=1).shape == (2**24 + 1,)
    assert torch.empty(2**24, device="meta").quantile(0.5).shape == ()
    assert torch.empty(2**24 + 1, device="meta").quantile(0.5).shape == ()


def test_equality_is_elementwise(device):
    """`==` of two tensors gives a tensor with one bool per element; `torch.equal` gives one Python bool for the whole.

    `torch.equal` is False if the shapes differ, even where `==` would broadcast. nan is not equal to nan: a tensor with
    a nan in it is not even equal to its own copy. Look for nan with `isnan()`.

    https://docs.pytorch.org/docs/stable/generated/torch.equal.html
    """
    tensor, other = torch.tensor([1, 2, 2], device=device), torch.tensor([1, 3, 2], device=device)
    nan = torch.tensor([math.nan, 1], device=device)

    for elementwise in (tensor == other, torch.eq(tensor, other)):
        assert (elementwise.dtype, elementwise.tolist()) == (torch.bool, [True, False, True])
    assert (tensor == 2).tolist() == torch.eq(tensor, 2).tolist() == [False, True, True]
    assert (torch.equal(tensor, other), torch.equal(tensor, tensor.clone())) == (False, True)
    assert (tensor[1:] == tensor[:1] + 1).all().item() is True
    assert torch.equal(tensor[1:], tensor[:1] + 1) is False
    assert ((nan == nan).tolist(), torch.equal(nan, nan.clone())) == ([False, True], False)
    assert torch.isnan(nan).dtype == torch.isnan(nan + 1).dtype == torch.bool
    assert torch.isnan(nan + 1).tolist() == [True, False]
    assert torch.isnan(nan).tolist() == nan.isnan().tolist() == [True, False]


def test_a_tensor_never_equals_a_list(device):
    """`tensor == [1, 2]` is the Python bool False, although the tensor holds 1 and 2: `==` does not convert a list.

    `tensor == "a"` is False too, and nothing warns. Write `tensor.tolist() == [1, 2]` or
    `torch.equal(tensor, torch.tensor([1, 2]))`.

    https://docs.pytorch.org/docs/stable/generated/torch.equal.html
    """
    tensor = torch.tensor([1, 2], device=device)

    for other in ([1, 2], (1, 2), "a", None):
        assert (tensor == other) is False
        assert (tensor != other) is True
    assert tensor.tolist() == [1, 2]
    assert torch.equal(tensor, torch.tensor([1, 2], device=device)) is True


def test_a_condition_needs_one_bool(device):
    """`if tensor:` raises RuntimeError unless the tensor has exactly one element: write `if tensor.any():` or
    `if tensor.all():`.

    For several elements the message is "Boolean value of Tensor with more than one value is ambiguous". `not tensor`,
    and `and` and `or` with a tensor on the left, ask the same question. Combine masks with `&`, `|` and `~`. A range
    `min <= tensor <= max` is an `and` and raises too: write `(min <= tensor) & (tensor <= max)`. Python's `max(a, b)`
    asks as well: write `torch.maximum(a, b)`.

    https://docs.pytorch.org/docs/stable/generated/torch.all.html
    """
    tensor = torch.tensor([-1, 0, 5, 2], device=device)

    for ambiguous in (lambda: bool(tensor > 0), lambda: tensor > 0 and tensor < 3, lambda: not tensor):
        with pytest.raises(RuntimeError, match="more than one value is ambiguous"):
            ambiguous()
    for ambiguous in (lambda: tensor or True, lambda: 0 <= tensor <= 3, lambda: max(tensor, tensor + 1)):
        with pytest.raises(RuntimeError, match="Boolean value of Tensor with more than one value is ambiguous"):
            ambiguous()
    assert torch.maximum(tensor, tensor.flip(0)).tolist() == [2, 5, 5, 2]
    with pytest.raises(RuntimeError, match="no values is ambiguous"):
        bool(tensor[:0])
    assert (True and tensor) is tensor
    assert ((tensor > 0).any().tolist(), (tensor > 0).all().tolist()) == (True, False)
    assert ((tensor > 5).any().tolist(), (tensor > -2).all().tolist()) == (False, True)
    assert (tensor > 0).any().dtype == (tensor > 0).all().dtype == torch.bool
    assert ((tensor > 0) & (tensor < 3)).tolist() == [False, False, False, True]
    assert ((tensor < 1) | (tensor != 2)).tolist() == [True, True, True, False]
    assert (~(tensor > 0)).tolist() == [True, True, False, False]
    inside, outside = (tensor > -1) & (tensor < 5), (tensor <= -1) | (tensor >= 5)
    assert inside.dtype == outside.dtype == (~inside).dtype == torch.bool
    assert inside.tolist() == (~outside).tolist() == [False, True, False, True]
    assert (bool(tensor[1:2]), bool(tensor[2:3])) == (False, True)


def test_masks_need_parentheses(device):
    """`tensor > 0 & tensor < 3` of several numbers raises RuntimeError: `&` binds tighter than `>`, so Python reads
    `tensor > (0 & tensor) < 3`.

    Write `(tensor > 0) & (tensor < 3)`. A tensor with one integer raises nothing and gives True for 5. With `==` the
    mistake raises nothing either: `mask == True & other` compares `mask` with `True & other`, which is `other`.

    https://docs.pytorch.org/docs/stable/generated/torch.logical_and.html
    """
    tensor = torch.tensor([-1, 0, 5, 2], device=device)
    mask, other = torch.tensor([True, False], device=device), torch.tensor([False, False], device=device)

    with pytest.raises(RuntimeError, match="more than one value is ambiguous"):
        (tensor > 0 & tensor < 3).any()
    with pytest.raises(RuntimeError, match="not implemented for"):
        (tensor.float() > 0 & tensor.float() < 3).any()
    five = tensor[2:3]
    assert ((five > 0 & five < 3).tolist(), ((five > 0) & (five < 3)).tolist()) == ([True], [False])
    assert ((tensor > 0) & (tensor < 3)).tolist() == [False, False, False, True]
    assert (mask == True & other).tolist() == [False, True]
    assert ((mask == True) & other).tolist() == [False, False]  # noqa: E712


def test_tilde_of_integers_flips_their_bits(device):
    """`~` is "not" for bools only: `~` of the int64 mask [0, 1] is [-1, -2], and as a condition both are True.

    `~` of the uint8 mask [0, 1] is [255, 254]. Write `~mask.bool()` or `mask == 0`. `~` of floats raises TypeError.

    https://docs.pytorch.org/docs/stable/generated/torch.bitwise_not.html
    """
    mask = torch.tensor([0, 1], device=device)

    assert (~mask).tolist() == [-1, -2]
    assert (~mask).bool().tolist() == [True, True]
    assert (~mask.byte()).tolist() == [255, 254]
    assert (~mask.bool()).tolist() == (mask == 0).tolist() == [True, False]
    with pytest.raises(TypeError, match="integer and Boolean"):
        ~mask.float()


def test_in_looks_for_any_equal_element(device):
    """`x in matrix` is True if any element of `x` equals the element of the matrix at its place: a row of which one
    number fits is "in" the matrix.

    It means `(x == matrix).any()`. For a whole row write `(x == matrix).all(dim=1).any()`. `x in tensors`, with a list,
    compares with `==` too, and raises RuntimeError ("ambiguous") at the first other tensor of this shape if that has
    several elements: write `any(torch.equal(x, y) for y in tensors)`. A set goes by identity: `set(x)` of [1, 1] keeps
    both ones. Write `x.unique()` or `set(x.tolist())`.

    https://docs.pytorch.org/docs/stable/generated/torch.isin.html
    """
    matrix = torch.tensor([[1, 2], [3, 4]], device=device)
    there, half, absent = matrix[0], torch.tensor([1, 9], device=device), torch.tensor([2, 1], device=device)

    assert [row in matrix for row in (there, half, absent)] == [True, True, False]
    assert [(row == matrix).any().item() for row in (there, half, absent)] == [True, True, False]
    assert [(row == matrix).all(dim=1).any().item() for row in (there, half, absent)] == [True, False, False]
    assert (3 in matrix, 9 in matrix) == (True, False)
    with pytest.raises(RuntimeError, match="only supports Tensor or scalar"):
        [1, 2] in matrix  # noqa: B015
    tensors = [half, absent]
    with pytest.raises(RuntimeError, match="more than one value is ambiguous"):
        absent in tensors  # noqa: B015
    assert any(torch.equal(absent, tensor) for tensor in tensors)
    ones = torch.tensor([1, 1], device=device)
    assert (len(set(ones)), len(set(ones.tolist())), ones.unique().tolist()) == (2, 1, [1])
    assert torch.tensor(1, device=device) not in {torch.tensor(1, device=device): "one"}


# Multiplying: which product is meant, and which shapes fit?


def test_star_is_elementwise_and_at_is_matrix_multiplication(device):
    """`*` multiplies element by element, and `@` is the matrix product: for square float32 matrices of one size both
    run and give the same shape.

    Nothing raises or warns if you write one for the other; only the numbers are wrong. `x * y` equals `y * x`; here
    `x @ y` differs from `y @ x`. On the CPU `@` of bools raises RuntimeError, while NumPy multiplies them: write
    `x.int() @ y.int() > 0`.

    https://docs.pytorch.org/docs/stable/generated/torch.matmul.html
    """
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]], device=device)
    y = torch.tensor([[5.0, 6.0], [7.0, 8.0]], device=device)

    for multiply in (operator.mul, torch.mul, torch.multiply, torch.Tensor.mul):
        assert multiply(x, y).tolist() == multiply(y, x).tolist() == [[5, 12], [21, 32]]
        assert multiply(x, y).dtype == torch.float32
        assert multiply(y, x[0]).tolist() == [[5, 12], [7, 16]]
    for multiply in (operator.matmul, torch.matmul, torch.mm, torch.Tensor.matmul, torch.Tensor.mm):
        assert multiply(x, y).tolist() == [[19, 22], [43, 50]]
        assert multiply(y, x).tolist() == [[23, 34], [31, 46]]
    links = torch.tensor([[True, False], [True, True]])  # on the CPU, where alone this was seen
    with pytest.raises(RuntimeError, match="not implemented for 'Bool'"):
        links @ links
    assert (links.int() @ links.int() > 0).tolist() == (links.numpy() @ links.numpy()).tolist()


def test_matmul_shapes(device):
    """`@` multiplies the last two dimensions as matrices and broadcasts all dimensions before them as batches.

    A vector counts as a row on the left of `@` and as a column on the right; its dimension is missing in the result, so
    two vectors give a 0-d tensor. One matrix serves a whole batch. NumPy's `@` gives the same shapes. A 0-d tensor
    raises RuntimeError: write `*`.

    https://docs.pytorch.org/docs/stable/generated/torch.matmul.html
    """
    shapes = {
        ((3,), (3,)): (),
        ((2, 3), (3,)): (2,),
        ((3,), (3, 4)): (4,),
        ((2, 3), (3, 4)): (2, 4),
        ((5, 2, 3), (3,)): (5, 2),
        ((3,), (5, 3, 4)): (5, 4),
        ((5, 2, 3), (3, 4)): (5, 2, 4),
        ((5, 2, 3), (5, 3, 4)): (5, 2, 4),
        ((5, 3, 3), (5, 3, 3)): (5, 3, 3),
        ((6, 1, 2, 3), (5, 3, 4)): (6, 5, 2, 4),
    }

    for (left, right), expected in shapes.items():
        a = np.arange(math.prod(left), dtype=np.float32).reshape(left)
        b = np.arange(math.prod(right), dtype=np.float32).reshape(right) + 1
        x, y = torch.tensor(a, device=device), torch.tensor(b, device=device)  # small whole numbers: exact everywhere
        for product in (x @ y, torch.matmul(x, y), x.matmul(y)):
            assert (product.dtype, product.shape) == (torch.float32, expected)
            assert product.tolist() == (a @ b).tolist()
    with pytest.raises(RuntimeError, match="at least 1D"):
        torch.tensor(2.0, device=device) @ torch.ones(3, device=device)


def test_mm_takes_matrices_only(device):
    """`torch.mm` multiplies two matrices and `torch.bmm` two batches of matrices; both raise RuntimeError for another
    number of dimensions.

    `torch.bmm` does not broadcast either: the batch sizes must be equal. Write `mm` or `bmm` instead of `@` to make an
    unexpected batch dimension an error.

    https://docs.pytorch.org/docs/stable/generated/torch.mm.html
    """
    batch = torch.arange(8.0, device=device).reshape(2, 2, 2)
    matrix, vector = batch[1], batch[1, 0]

    assert torch.mm(matrix, matrix).tolist() == matrix.mm(matrix).tolist() == [[46, 55], [66, 79]]
    assert torch.bmm(batch, batch).tolist() == batch.bmm(batch).tolist() == [[[2, 3], [6, 11]], [[46, 55], [66, 79]]]
    assert (
        torch.bmm(batch, batch.mT).tolist() == batch.bmm(batch.mT).tolist() == [[[1, 3], [3, 13]], [[41, 59], [59, 85]]]
    )
    assert torch.bmm(batch, batch).dtype == torch.mm(matrix, matrix).dtype == torch.float32
    for other in (vector, batch):
        with pytest.raises(RuntimeError, match="must be a matrix"):
            torch.mm(other, matrix)
        with pytest.raises(RuntimeError, match="must be a matrix"):
            matrix.mm(other)
    for other in (vector, matrix):
        with pytest.raises(RuntimeError, match="must be a 3D tensor"):
            torch.bmm(other, batch)
        with pytest.raises(RuntimeError, match="must be a 3D tensor"):
            batch.bmm(other)
    with pytest.raises(RuntimeError, match="batch2 tensor"):
        torch.bmm(batch, batch[:1])
    assert (batch @ batch[:1]).shape == (batch @ matrix).shape == (2, 2, 2)


def test_inner_dimensions_must_match(device):
    """`@` of two (3, 2) matrices raises RuntimeError, "shapes cannot be multiplied": the left matrix must have as many
    columns as the right matrix has rows.

    The other two sizes remain: (3, 2) @ (2, 4) has shape (3, 4). Look which side to transpose, because both run:
    `x @ y.T` gives shape (3, 3), and `x.T @ y` shape (2, 2).

    https://docs.pytorch.org/docs/stable/generated/torch.matmul.html
    """
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], device=device)
    y = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], device=device)

    for multiply in (operator.matmul, torch.matmul, torch.mm, torch.Tensor.matmul, torch.Tensor.mm):
        with pytest.raises(RuntimeError, match=r"shapes cannot be multiplied \(3x2 and 3x2\)"):
            multiply(x, y)
    assert (x @ y.T).tolist() == [[1, 2, 3], [3, 4, 7], [5, 6, 11]]
    assert (x.T @ y).tolist() == [[6, 8], [8, 10]]
    assert (x @ torch.ones(2, 4, device=device)).shape == (3, 4)


def test_matrix_product_needs_one_dtype():
    """`@` does not promote: float32 @ float64 raises RuntimeError, while float32 * float64 gives float64.

    The messages say "same dtype" or "expected scalar type". Float64 comes from NumPy, int64 from lists of whole
    numbers. Convert the data once: `x.float()`.

    https://docs.pytorch.org/docs/stable/generated/torch.matmul.html
    """
    # On the CPU: not every accelerator has float64.
    weights = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    doubles, integers = torch.eye(2, dtype=torch.float64), torch.tensor([[1, 0], [0, 1]])

    for other in (doubles, integers, doubles[0], integers[0]):
        with pytest.raises(RuntimeError, match=r"same dtype|expected scalar type"):
            weights @ other
    assert (weights * doubles).dtype == torch.float64
    assert ((weights @ integers.float()).dtype, (weights @ doubles.float()).tolist()) == (
        torch.float32,
        [[1, 2], [3, 4]],
    )


@given(rows=st.integers(0, 4), inner=st.integers(0, 4), columns=st.integers(0, 4))
@example(rows=2, inner=3, columns=4)
@example(rows=2, inner=0, columns=3)
def test_matrix_product_is_rows_times_columns_for_every_size(device, rows, inner, columns):
    """Element (i, j) of `x @ y` is the sum over k of x[i, k] * y[k, j]: for all sizes from 0 to 4, with whole numbers
    from -9 to 9.

    An empty sum is 0: (2, 0) @ (0, 3) is a (2, 3) matrix of zeros. Fractions are rounded, in an order that may depend
    on the device: compare such products with `torch.testing.assert_close`.

    https://docs.pytorch.org/docs/stable/generated/torch.matmul.html
    """
    # Whole numbers this small are exact in float32, whatever the device rounds its inputs to.
    x = torch.randint(-9, 10, (rows, inner)).float()
    y = torch.randint(-9, 10, (inner, columns)).float()

    expected = [
        [sum(x[i, k].item() * y[k, j].item() for k in range(inner)) for j in range(columns)] for i in range(rows)
    ]
    x, y = x.to(device), y.to(device)
    for product in (x @ y, torch.matmul(x, y), torch.mm(x, y), x.mm(y)):
        assert (product.dtype, product.shape, product.tolist()) == (torch.float32, (rows, columns), expected)


@pytest.mark.holds("torch>=2.2", otherwise=AssertionError, change="warns", concerns="torch.Tensor.cross(_, not dim)")
def test_cross_without_dim_warns(device):
    """From torch 2.2 on `torch.cross(a, b)` without `dim` warns, once per process, because it takes the first dimension
    of size 3: in a batch of three vectors that is the batch.

    Write `torch.linalg.cross(a, b)`, which takes the last dimension in every release. `torch.cross` without `dim` gives
    a batch of three vectors the right shape and wrong numbers, and a batch of two the right numbers. A batch and one
    vector raise RuntimeError, "must have the same number of dimensions": write `torch.linalg.cross(a, b[None])`.

    https://docs.pytorch.org/docs/stable/generated/torch.cross.html
    """
    a = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 2.0]], device=device)
    b = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 3.0], [5.0, 0.0, 0.0]], device=device)

    with pytest.warns(UserWarning, match="without specifying the dim arg"):
        guessed, two = torch.cross(a, b), torch.cross(a[:2], b[:2])

    assert guessed.tolist() == torch.cross(a, b, dim=0).tolist()
    for product in (torch.linalg.cross(a, b), torch.cross(a, b, dim=1)):
        assert product.tolist() == [[0, 0, 1], [3, 0, 0], [0, 10, 0]]
        assert product.tolist() != guessed.tolist()
        assert product.shape == guessed.shape
        assert product[:2].tolist() == two.tolist()
    for cross in (torch.linalg.cross, lambda a, b: torch.cross(a, b, dim=-1)):
        with pytest.raises(RuntimeError, match="must have the same number of dimensions"):
            cross(a, b[0])
        assert cross(a, b[0][None]).tolist() == [[0, 0, 1], [0, 0, 0], [-2, 0, 0]]


@pytest.mark.holds(
    "torch>=2.14", otherwise=UserWarning, change="raises", concerns=("torch.Tensor.qr", "torch.Tensor.cholesky")
)
def test_linear_algebra_is_in_linalg(device, rounding_bound):
    """From torch 2.14 on `torch.qr` and `torch.cholesky` raise RuntimeError: write `torch.linalg.qr` and
    `torch.linalg.cholesky`.

    Before 2.14 the old names warn, once per process. The new names are in every release since 2.0.

    https://docs.pytorch.org/docs/stable/linalg.html
    """
    matrix = torch.tensor([[4.0, 2.0], [2.0, 10.0]], device=device)

    for removed in (torch.qr, torch.cholesky):
        with pytest.raises(RuntimeError, match="now removed"):
            removed(matrix)
    factor = torch.tensor([[2.0, 0.0], [1.0, 3.0]], device=device)
    # Nothing need be rounded here; a device that divides by way of a reciprocal root rounds a few times.
    torch.testing.assert_close(torch.linalg.cholesky(matrix), factor, rtol=rounding_bound(8, torch.float32), atol=0)
    q, r = torch.linalg.qr(torch.eye(2))
    assert (q.abs().tolist(), r.abs().tolist()) == ([[1, 0], [0, 1]], [[1, 0], [0, 1]])


def test_a_singular_matrix_raises_linalg_error():
    """On the CPU `torch.linalg.inv` and `torch.linalg.solve` of the singular matrix [[1, 1], [1, 1]] raise
    `torch.linalg.LinAlgError`, a RuntimeError: "the input matrix is singular".

    `torch.linalg.cholesky` of the negative identity raises it as well: "the input is not positive-definite". It reads
    the lower triangle alone: [[1, 5], [0, 1]] is taken for the identity. `torch.linalg.pinv` gives the pseudo-inverse
    of the singular matrix, and `matrix + 0.5 * torch.eye(2)` is invertible.

    https://docs.pytorch.org/docs/stable/generated/torch.linalg.inv.html
    """
    ones = torch.ones(2, 2)

    for call in (torch.linalg.inv, torch.inverse, lambda matrix: torch.linalg.solve(matrix, torch.ones(2))):
        with pytest.raises(torch.linalg.LinAlgError, match="the input matrix is singular"):
            call(ones)
    with pytest.raises(torch.linalg.LinAlgError, match="the input is not positive-definite"):
        torch.linalg.cholesky(-torch.eye(2))
    assert torch.linalg.cholesky(torch.tensor([[1.0, 5.0], [0.0, 1.0]])).tolist() == [[1, 0], [0, 1]]
    assert issubclass(torch.linalg.LinAlgError, RuntimeError)
    torch.testing.assert_close(torch.linalg.pinv(ones), torch.full((2, 2), 0.25))
    regular = ones + 0.5 * torch.eye(2)
    torch.testing.assert_close(torch.linalg.inv(regular) @ regular, torch.eye(2))


# Broadcasting: what happens if the shapes differ?


def test_broadcasting_stretches_dimensions_of_size_one(device):
    """Broadcasting lines two shapes up at their last dimension and stretches a size of 1, or a missing dimension, to
    the other size.

    A (3, 1) column plus a (2,) row is a (3, 2) table, and a Python number fits any shape. `x - x.mean(dim=0)` subtracts
    from every row the means of the columns.

    https://docs.pytorch.org/docs/stable/notes/broadcasting.html
    """
    column = torch.tensor([[10], [20], [30]], device=device)
    row = torch.tensor([1, 2], device=device)

    for total in (column + row, row + column, torch.add(column, row), column.add(row)):
        assert total.tolist() == [[11, 12], [21, 22], [31, 32]]
    assert (column + 1).tolist() == (1 + column).tolist() == [[11], [21], [31]]
    assert (torch.zeros(5, 1, 2, device=device) + column).shape == (5, 3, 2)
    x = torch.tensor([[1.0, 10.0], [3.0, 30.0]], device=device)
    assert (x - x.mean(dim=0)).tolist() == [[-1, -10], [1, 10]]


def test_broadcasting_refuses_sizes_that_differ(device):
    """`+`, `-`, `*`, `>` and `==` of two tensors raise RuntimeError, "must match", if two sizes that meet differ and
    neither of them is 1.

    The message is "The size of tensor a (2) must match the size of tensor b (3) at non-singleton dimension 1". Shapes
    line up from the right, so a (3,) vector with one number per row does not fit a (3, 2) matrix: write
    `matrix + vector.unsqueeze(1)`.

    https://docs.pytorch.org/docs/stable/notes/broadcasting.html
    """
    matrix, per_row = torch.zeros(3, 2, device=device), torch.tensor([1.0, 2.0, 3.0], device=device)

    for operation in (operator.add, torch.sub, torch.mul, operator.gt, operator.eq):
        with pytest.raises(RuntimeError, match=r"size of tensor a \(2\) must match the size of tensor b \(3\) at non-"):
            operation(matrix, per_row)
    assert (matrix + per_row.unsqueeze(1)).tolist() == [[1, 1], [2, 2], [3, 3]]


def test_in_place_operations_do_not_broadcast_their_target(device):
    """In-place arithmetic (`+=`, `-=`, `*=`, `/=`) does not broadcast the tensor it writes to: `a += b` raises
    RuntimeError if `a + b` has another shape than `a`.

    The message is "output with shape [3] doesn't match the broadcast shape [2, 3]". Write `a = a + b` for a new
    tensor. `b` may be stretched: `matrix += row` works. For vectors, `a[:] = b` of two numbers for three raises
    RuntimeError, "The expanded size of the tensor (3) must match the existing size (2)", and so does `b.expand(3)`;
    `a[mask] = b` wants one number for each True, or one for all: "shape mismatch: value tensor of shape [2] cannot be
    broadcast to indexing result of shape [3]".

    https://docs.pytorch.org/docs/stable/notes/broadcasting.html
    """
    matrix, row = torch.zeros(2, 3, device=device), torch.tensor([1.0, 2.0, 3.0], device=device)
    one = torch.tensor([1.0], device=device)

    for write in (torch.Tensor.add_, torch.Tensor.sub_, torch.Tensor.mul_, torch.Tensor.div_):
        with pytest.raises(RuntimeError, match=r"output with shape \[3\] doesn't match the broadcast shape \[2, 3\]"):
            write(row, matrix)
    for other in (row, torch.ones(1, 1, device=device), row[:0]):
        with pytest.raises(RuntimeError, match="doesn't match the broadcast shape"):
            one += other
    for write in (lambda: operator.setitem(row, slice(None), row[:2]), lambda: row[:2].expand(3)):
        with pytest.raises(RuntimeError, match=r"expanded size of the tensor \(3\) must match the existing size \(2\)"):
            write()
    with pytest.raises(
        RuntimeError, match=r"value tensor of shape \[2\] cannot be broadcast to indexing result of shape \["
    ):
        row[row > 0] = torch.tensor([5.0, 6.0], device=device)
    assert row.tolist() == [1, 2, 3]
    matrix += row
    assert matrix.tolist() == [[1, 2, 3], [1, 2, 3]]
    row = row + matrix
    assert row.tolist() == [[2, 4, 6], [2, 4, 6]]


def test_column_minus_vector_is_a_square(device):
    """Predictions of shape (N, 1) minus targets of shape (N,) give an (N, N) table of all pairs, not N differences, and
    nothing warns.

    A model whose last layer has one output gives (N, 1): write `predictions.squeeze(1) - targets`. `nn.MSELoss`,
    `nn.L1Loss`, `nn.SmoothL1Loss` and `nn.HuberLoss` warn about such shapes; `nn.PoissonNLLLoss` does not.

    https://docs.pytorch.org/docs/stable/notes/broadcasting.html
    """
    targets = torch.tensor([1.0, 2.0, 4.0], device=device)
    predictions = targets.reshape(3, 1)

    assert (
        (predictions - targets).tolist()
        == torch.sub(predictions, targets).tolist()
        == [[0, -1, -3], [1, 0, -2], [3, 2, 0]]
    )
    assert (predictions.squeeze(1) - targets).tolist() == [0, 0, 0]
    for loss in (nn.MSELoss(), nn.L1Loss(), nn.SmoothL1Loss(), nn.HuberLoss()):
        with pytest.warns(UserWarning, match="Using a target size"):
            assert loss(predictions, targets).item() > 0
        assert loss(predictions.squeeze(1), targets).item() == 0
    assert nn.PoissonNLLLoss()(predictions, targets) != nn.PoissonNLLLoss()(predictions.squeeze(1), targets)


SHAPES = st.lists(st.integers(0, 3), max_size=3).map(tuple)


@given(left=SHAPES, right=SHAPES, dtype=st.sampled_from([torch.int64, torch.float32]))
@example(left=(3, 1, 2), right=(2, 1), dtype=torch.float32)
@example(left=(), right=(3,), dtype=torch.int64)
@example(left=(2, 3), right=(2,), dtype=torch.float32)
@example(left=(3, 1), right=(3,), dtype=torch.int64)
@example(left=(0,), right=(2, 1), dtype=torch.float32)
def test_broadcasting_agrees_with_numpy_for_every_pair_of_shapes(device, left, right, dtype):
    """`+`, `-`, `*` and `<` broadcast in PyTorch as in NumPy, for every two shapes of up to three dimensions: the same
    pairs are compatible, with the same result, and the other pairs raise.

    The exception differs: a shape mismatch is a RuntimeError in PyTorch and a ValueError in NumPy.

    https://numpy.org/doc/stable/user/basics.broadcasting.html
    """
    a, b = np.arange(math.prod(left)).reshape(left), np.arange(math.prod(right)).reshape(right)
    x, y = (torch.arange(a.size, dtype=dtype, device=device).reshape(a.shape) for a in (a, b))
    fits = all(m == n or 1 in (m, n) for m, n in zip(reversed(left), reversed(right), strict=False))

    for operation, *others in (*arithmetic(), (operator.lt, torch.lt)):
        if fits:
            expected = operation(a, b)
            for result in (spelling(x, y) for spelling in (operation, *others)):
                assert result.dtype == (torch.bool if expected.dtype == bool else dtype)
                assert (result.shape, result.tolist()) == (expected.shape, expected.tolist())
        else:
            with pytest.raises(ValueError, match="could not be broadcast"):
                operation(a, b)
            for spelling in (operation, *others):
                with pytest.raises(RuntimeError, match="must match"):
                    spelling(x, y)


# Memory: is it a copy?


def test_assignment_is_a_second_name(device):
    """`b = a` copies nothing: `b` is a second name of the same tensor, and `b += 1` or `b[0] = 7` changes `a` too.

    `b = b + 1` makes a new tensor and leaves `a` alone. Write `b = a.clone()` to copy. A leaf variable that requires
    gradients, such as a weight, raises RuntimeError for `b += 1`; under `torch.no_grad()` it does not.

    https://docs.pytorch.org/docs/stable/generated/torch.clone.html
    """
    a = torch.tensor([1, 2], device=device)
    b, copy = a, a.clone()

    assert b is a
    b += 9
    b.add_(1)
    b.mul_(2)
    b[0] = 7
    assert a.tolist() == [7, 24]

    b = b + 1
    assert (a.tolist(), b.tolist(), copy.tolist()) == ([7, 24], [8, 25], [1, 2])
    assert (copy.dtype, copy.shape) == (torch.int64, (2,))
    weight = torch.tensor([1.0, 2.0], requires_grad=True, device=device)
    second = weight
    with pytest.raises(RuntimeError, match="leaf Variable"):
        second += 1
    with torch.no_grad():
        second += 1
    assert (second is weight, weight.tolist()) == (True, [2, 3])


def returns_itself(name):
    """Whether this method, called without arguments, returns the tensor itself; None if it needs arguments."""
    tensor = torch.tensor([[0.25, 0.5], [0.75, 1.0]])
    try:
        return getattr(tensor, name)() is tensor
    except (TypeError, RuntimeError):  # an argument is missing, or the method is not for floats
        return None


def test_methods_with_an_underscore_return_the_tensor_itself(device):
    """A method such as `add_`, `clamp_` or `zero_`, whose name ends in an underscore, works in-place and returns the
    tensor itself.

    `x.abs()`, without the underscore, returns a new tensor and leaves `x` alone: alone on a line it does nothing. Write
    `x = x.abs()` or `x.abs_()`. `fill_`, `copy_` and `normal_` have no method without the underscore beside them. Tried
    here for all methods that can be called without arguments, apart from `share_memory_`, and for a few with arguments.

    https://docs.pytorch.org/docs/stable/tensors.html
    """
    x = torch.tensor([-1.0, 2.0], device=device)

    assert x.abs() is not x
    assert x.tolist() == [-1, 2]
    for returned in (x.abs_(), x.add_(1), x.clamp_(0, 2.5)):
        assert returned is x
    assert x.tolist() == [2, 2.5]
    in_place = [name for name in dir(torch.Tensor) if name.endswith("_") and not name.startswith("_")]
    in_place.remove("share_memory_")
    found = {name: returns_itself(name) for name in in_place}
    assert found["zero_"] is found["exp_"] is True
    assert [hasattr(x, name) for name in ("fill", "copy", "normal")] == [False] * 3
    assert [name for name in in_place if found[name] is False] == []


def kinship(make, device):
    """Whether what `make` makes of a (2, 3) tensor shares all later writes with it ("view") or none ("copy")."""
    tensor = torch.tensor([[1, 2, 3], [4, 5, 6]], device=device)
    made = make(tensor)
    before = made.clone()
    tensor += 10
    seen = (made - before == 10).flatten().tolist()
    there = "view" if all(seen) else "copy" if torch.equal(made, before) else "neither"
    made[(0,) * made.ndim] = 99
    back = "view" if 99 in tensor.flatten().tolist() else "copy"
    return there if there == back else "neither"


VIEWS = {
    "view": lambda tensor: tensor.view(3, 2),
    "reshape": lambda tensor: tensor.reshape(3, 2),
    "torch.reshape": lambda tensor: torch.reshape(tensor, (6,)),
    "reshape of a transpose that splits no row": lambda tensor: tensor.T.reshape(3, 1, 2),
    "reshape of a transposed row": lambda tensor: tensor[:1].T.reshape(-1),
    "flatten": lambda tensor: tensor.flatten(),
    "torch.flatten": lambda tensor: torch.flatten(tensor),
    "permute": lambda tensor: tensor.permute(1, 0),
    "torch.permute": lambda tensor: torch.permute(tensor, (1, 0)),
    "transpose": lambda tensor: tensor.transpose(0, 1),
    "torch.transpose": lambda tensor: torch.transpose(tensor, 0, 1),
    "T": lambda tensor: tensor.T,
    "t": lambda tensor: tensor.t(),
    "mT": lambda tensor: tensor.mT,
    "movedim": lambda tensor: tensor.movedim(0, 1),
    "unsqueeze": lambda tensor: tensor.unsqueeze(1),
    "squeeze": lambda tensor: tensor[:1].squeeze(0),
    "torch.squeeze": lambda tensor: torch.squeeze(tensor[:1]),
    "expand": lambda tensor: tensor.expand(4, 2, 3),
    "chunk": lambda tensor: tensor.chunk(2)[1],
    "split": lambda tensor: torch.split(tensor, 2, dim=1)[0],
    "unbind": lambda tensor: tensor.unbind(1)[2],
    "a row": lambda tensor: tensor[1],
    "a column": lambda tensor: tensor[:, 1],
    "a slice": lambda tensor: tensor[:, 1:],
    "a slice with a step": lambda tensor: tensor[:, ::2],
    "one element": lambda tensor: tensor[1, 2],
    "None": lambda tensor: tensor[None],
    "detach": lambda tensor: tensor.detach(),
    "contiguous": lambda tensor: tensor.contiguous(),
}

COPIES = {
    "clone": lambda tensor: tensor.clone(),
    "a list of rows": lambda tensor: tensor[[0, 1]],
    "a list of one row": lambda tensor: tensor[[1]],
    "a list of bools": lambda tensor: tensor[[True, False]],
    "a tensor of columns": lambda tensor: tensor[:, torch.tensor([0, 2], device=tensor.device)],
    "a mask": lambda tensor: tensor[tensor > 1],
    "reshape of a transpose": lambda tensor: tensor.T.reshape(6),
    "torch.reshape of a transpose": lambda tensor: torch.reshape(tensor.T, (6,)),
    "flatten of a transpose": lambda tensor: tensor.T.flatten(),
    "contiguous of a transpose": lambda tensor: tensor.T.contiguous(),
    "repeat": lambda tensor: tensor.repeat(2, 1),
    "flip": lambda tensor: tensor.flip(0),
    "cat": lambda tensor: torch.cat([tensor, tensor]),
    "cat of one tensor": lambda tensor: torch.cat([tensor]),
    "stack": lambda tensor: torch.stack([tensor, tensor]),
    "+ 0": lambda tensor: tensor + 0,
}


def test_views_share_memory(device):
    """Transposing, adding and dropping dimensions, slicing, indexing with an int, splitting, and reshaping a contiguous
    tensor give views: a write to the tensor shows in the view, and a write to the view in the tensor.

    A view copies no number, so it is cheap. Write `x[0].clone()` if later writes to `x` must not show.

    https://docs.pytorch.org/docs/stable/tensor_view.html
    """
    assert {name: kinship(make, device) for name, make in VIEWS.items()} == dict.fromkeys(VIEWS, "view")


def test_fancy_indexing_and_joining_copy(device):
    """Indexing with a list of positions, a mask or a 1-d tensor of positions copies, and so do `cat`, `stack`, `repeat`
    and `flip`.

    `flatten`, `contiguous` and `reshape(-1)` of the transpose of a contiguous matrix with several rows and columns copy
    too: no single step leads from number to number in the new order. `reshape(-1)` of a transposed row stays a view,
    and so does `x.T.reshape(3, 1, 2)` of a (2, 3) matrix, which splits no row.

    https://docs.pytorch.org/docs/stable/tensor_view.html
    """
    assert {name: kinship(make, device) for name, make in COPIES.items()} == dict.fromkeys(COPIES, "copy")
    views = [name for name in VIEWS if name.startswith("reshape of a transpose")]
    assert [kinship(VIEWS[name], device) for name in views] == ["view", "view"]


def test_a_tensor_without_dimensions_as_an_index_gives_a_view(device):
    """Indexing with a 0-d tensor of int64 gives a view, as indexing with an int does: `x[order[0]]` shares memory with
    `x`.

    `row = x[order[0]]` and then `row.zero_()` sets a row of `x` to zero. `x[order[:1]]`, with a 1-d tensor, copies.
    Write `x[order[0]].clone()` for a row of your own.

    https://docs.pytorch.org/docs/stable/tensor_view.html
    """
    x = torch.tensor([[1, 2, 3], [4, 5, 6]], device=device)
    order = torch.tensor([1, 0], device=device)

    x[order[:1]].zero_()
    assert x.tolist() == [[1, 2, 3], [4, 5, 6]]
    row, column = x[order[0]], x[:, order[0]]
    row.zero_()
    column += 7
    assert x.tolist() == [[1, 9, 3], [0, 7, 0]]


def test_writing_through_a_view(device):
    """A write to a view of `x` changes `x`; a write to a copy that fancy indexing made is lost.

    `x[[0, 2]][0] = 9` and `x[[0, 2]].add_(1)` write to a copy and leave `x` alone. `x[[0, 2]] = 9` and
    `x[[0, 2]] += 1`, with one index, write into `x`.

    https://docs.pytorch.org/docs/stable/tensor_view.html
    """
    x = torch.tensor([[1, 2, 3], [4, 5, 6]], device=device)

    x[[0, 1]][0] = 9
    x[x > 4][0] = 9
    x[[0, 1]].add_(1)
    assert x.tolist() == [[1, 2, 3], [4, 5, 6]]

    x[1][0] = 40
    x.view(6)[1] = 20
    x.permute(1, 0)[2, 0] = 30
    x.reshape(3, 2)[2, 0] = 50
    assert x.tolist() == [[1, 20, 30], [40, 50, 6]]

    x[x > 30] = 0
    x[[0, 1], [0, 2]] = -1
    x[[1, 0]] += 1
    assert x.tolist() == [[0, 21, 31], [1, 1, 0]]


def test_writing_to_picked_rows_writes_to_a_copy(device):
    """`x[[0, 2]][:, 0] = 9` leaves `x` as it was, and so do `x[mask][0] = 9` and `x[mask].zero_()`: a list of numbers
    or a mask as an index makes a copy, and the copy is written to.

    Nothing warns. Write one index, `x[[0, 2], 0] = 9` and `x[mask] = 0`, or name the place by numbers: `x[0][0] = 9`
    writes to `x`, because `x[0]` is a view.

    https://docs.pytorch.org/docs/stable/tensor_view.html
    """
    x = torch.tensor([[1, 2], [3, 4], [5, 6]], device=device)
    mask = x > 4

    x[[0, 2]][:, 0] = 9
    x[mask][0] = 9
    x[mask].zero_()
    assert x.tolist() == [[1, 2], [3, 4], [5, 6]]

    x[[0, 2], 0] = 9
    assert x.tolist() == [[9, 2], [3, 4], [9, 6]]
    x[mask] = 0
    x[0][0] = 7
    assert x.tolist() == [[7, 2], [3, 4], [0, 0]]


def test_a_repeated_index_adds_once(device):
    """`counts[[2, 2, 0]] += 1` adds 1 to element 2 once, although the position occurs twice.

    `+=` with a list reads the elements, adds, and writes them back, so the second write repeats the first. Write
    `counts.index_add_(0, positions, ones)` to add once per occurrence, or `torch.bincount` to count.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.index_add_.html
    """
    positions = torch.tensor([2, 2, 0], device=device)
    counts = torch.tensor([0, 0, 0], device=device)

    counts[[2, 2, 0]] += 1
    assert counts.tolist() == [1, 0, 1]
    counts[positions] += 1
    assert counts.tolist() == [2, 0, 2]
    counts.index_add_(0, positions, torch.ones_like(positions))
    assert counts.tolist() == [3, 0, 4]
    assert torch.bincount(positions, minlength=3).tolist() == [1, 0, 2]


@pytest.mark.picture("strides", "tensor", "turned", "ordered")
def test_transpose_only_changes_the_strides(device):
    """Transposing a matrix moves no number: `x.T` has the same memory and swaps the strides (the steps in memory), so
    the transpose of a contiguous matrix with several rows and columns is not contiguous.

    A single row, a single column and an empty matrix stay contiguous, and transposing twice gives the old order.
    `contiguous()` copies the numbers in order to new memory, or returns the tensor itself if it is contiguous already.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.contiguous.html
    """
    tensor = torch.tensor([[1, 2, 3], [4, 5, 6]], device=device)
    turned = tensor.T

    assert (tensor.stride(), tensor.is_contiguous()) == ((3, 1), True)
    assert (turned.stride(), turned.is_contiguous(), turned.data_ptr()) == ((1, 3), False, tensor.data_ptr())
    contiguous = {"row": tensor[:1].T, "column": tensor[:, :1].contiguous().T, "empty": tensor[:0].T, "twice": turned.T}
    assert {name: matrix.is_contiguous() for name, matrix in contiguous.items()} == dict.fromkeys(contiguous, True)
    assert turned[:1].is_contiguous() is False  # one row, but of a matrix that lies across in memory
    assert tensor.contiguous() is tensor
    ordered = turned.contiguous()
    assert (ordered.stride(), ordered.is_contiguous(), ordered.tolist()) == ((2, 1), True, [[1, 4], [2, 5], [3, 6]])


def test_view_refuses_what_reshape_copies(device):
    """`view` raises RuntimeError if it would have to copy ("view size is not compatible"). `reshape` returns a view if
    the strides allow one, and silently copies otherwise.

    A write to a reshaped tensor may or may not show in the original. Use `view` if your code relies on sharing memory.

    https://docs.pytorch.org/docs/stable/generated/torch.reshape.html
    """
    tensor = torch.tensor([[1, 2, 3], [4, 5, 6]], device=device)

    for crossing in (tensor.T, tensor[:, :2], tensor.permute(1, 0)):
        with pytest.raises(RuntimeError, match="view size is not compatible"):
            crossing.view(-1)
    assert tensor.T.reshape(6).tolist() == torch.reshape(tensor.T, (-1,)).tolist() == [1, 4, 2, 5, 3, 6]
    assert tensor[:, :2].reshape(-1).tolist() == [1, 2, 4, 5]
    assert tensor.view(-1).data_ptr() == tensor.reshape(-1).data_ptr() == tensor.data_ptr()
    assert tensor.T.reshape(-1).data_ptr() != tensor.data_ptr()


@pytest.mark.picture("strides", "column", "expanded", "repeated")
def test_expand_repeats_without_memory(device):
    """`expand` repeats elements without copying them, so `+=` on an expanded tensor raises RuntimeError ("single memory
    location"); `repeat` copies.

    A write to one element shows in all its repetitions, and in the original. If `expand` repeats nothing, `+=` is
    allowed and changes the original. Write `x.expand(2, 3).clone()` to get memory that is safe to write to. `repeat`
    puts copies of the whole side by side, as NumPy's `tile` does: [1, 2] becomes [1, 2, 1, 2]. NumPy's `repeat`, which
    gives [1, 1, 2, 2], is `repeat_interleave`.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.expand.html
    """
    column = torch.tensor([[1], [2]], device=device)
    expanded, repeated = column.expand(2, 3), column.repeat(1, 3)

    assert expanded.dtype == repeated.dtype == torch.int64
    assert expanded.tolist() == repeated.tolist() == [[1, 1, 1], [2, 2, 2]]
    assert (expanded.stride(), expanded.data_ptr()) == ((1, 0), column.data_ptr())
    for write in (lambda: operator.iadd(expanded, 1), lambda: expanded.mul_(2), lambda: expanded.copy_(repeated)):
        with pytest.raises(RuntimeError, match="single memory location"):
            write()
    repeated += 1
    assert (column.tolist(), repeated.tolist()) == ([[1], [2]], [[2, 2, 2], [3, 3, 3]])
    expanded[0, 1] = 9
    assert (column.tolist(), expanded.tolist()) == ([[9], [2]], [[9, 9, 9], [2, 2, 2]])
    once = column.expand(1, 2, 1)
    once += 1
    assert column.tolist() == [[10], [3]]
    clone = column.expand(2, 3).clone()
    clone += 1
    assert (column.tolist(), clone.tolist()) == ([[10], [3]], [[11, 11, 11], [4, 4, 4]])
    pair = torch.tensor([1, 2], device=device)
    assert pair.repeat(2).tolist() == np.tile([1, 2], 2).tolist() == [1, 2, 1, 2]
    assert pair.repeat_interleave(2).tolist() == np.repeat([1, 2], 2).tolist() == [1, 1, 2, 2]


@pytest.mark.holds("torch>=2.2,<2.15", otherwise=AssertionError, change="raises", concerns=())
def test_a_number_for_a_slice_of_an_expanded_tensor_raises():
    """From torch 2.2 to 2.14 `x[:] = 3.0` raises RuntimeError ("more than one element of the written-to tensor refers
    to a single memory location") if `expand` repeats elements of `x`; in 2.0, 2.1 and 2.15 it writes.

    Seen on the CPU. `x.fill_(3.0)` writes in every release, and a vector, `x[:] = values`, raises in every release.
    Write `x = x.clone()` first.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.expand.html
    """
    column = torch.tensor([[1.0], [2.0]])
    x = column.expand(2, 3)

    with pytest.raises(RuntimeError, match="single memory location"):
        x[:] = torch.tensor([7.0, 8.0, 9.0])
    assert x.fill_(3.0).tolist() == [[3, 3, 3], [3, 3, 3]]
    copy = x.clone()
    copy[:] = 4.0
    assert (copy.tolist(), column.tolist()) == ([[4, 4, 4], [4, 4, 4]], [[3], [3]])
    with pytest.raises(RuntimeError, match="written-to tensor refers to a single memory location"):
        x[:] = 3.0


# Changing the shape


@pytest.mark.myth("to swap two dimensions, reshape or view with the sizes swapped")
def test_reshape_does_not_transpose(device):
    """`reshape` and `view` keep the order of the numbers and only break the rows elsewhere.

    To swap dimensions write `x.permute(1, 0)`, `x.transpose(0, 1)` or `x.T`. The wrong call raises nothing, because the
    shape is the one you asked for. An image of shape height, width, channels becomes channels, height, width with
    `image.permute(2, 0, 1)`; `reshape` mixes the colours up.

    https://docs.pytorch.org/docs/stable/generated/torch.permute.html
    """
    tensor = torch.tensor([[1, 2, 3], [4, 5, 6]], device=device)

    for reshaped in (tensor.reshape(3, 2), tensor.view(3, 2), torch.reshape(tensor, (3, 2))):
        assert reshaped.tolist() == [[1, 2], [3, 4], [5, 6]]
    for turned in (tensor.T, tensor.t(), tensor.permute(1, 0), tensor.transpose(0, 1), torch.transpose(tensor, 1, 0)):
        assert turned.tolist() == [[1, 4], [2, 5], [3, 6]]
    for back in (tensor.T.t(), torch.transpose(tensor.T, 0, 1), tensor.T.transpose(1, 0)):
        assert back.tolist() == [[1, 2, 3], [4, 5, 6]]
    image = torch.arange(12, device=device).reshape(2, 2, 3)
    assert image[..., 0].tolist() == image.permute(2, 0, 1)[0].tolist() == [[0, 3], [6, 9]]
    assert image.reshape(3, 2, 2)[0].tolist() == [[0, 1], [2, 3]]


def test_permute_names_every_dimension_once(device):
    """`images.permute(0, 2, 1)` of a tensor with four dimensions raises RuntimeError, "number of dimensions in the
    tensor input does not match the length of the desired ordering of dimensions".

    `permute` wants each dimension once: a dimension named twice raises "duplicate dims are not allowed". To exchange
    two dimensions and leave the others write `images.transpose(1, 2)`. To bring the channels from the end to the front
    write `image.permute(2, 0, 1)` for one image and `images.permute(0, 3, 1, 2)` for a batch.

    https://docs.pytorch.org/docs/stable/generated/torch.permute.html
    """
    images = torch.zeros(2, 4, 5, 3, device=device)

    for x, order in ((images, (0, 2, 1)), (images[0], (0, 3, 1, 2))):
        with pytest.raises(RuntimeError, match="does not match the length of the desired ordering of dimensions"):
            x.permute(*order)
    with pytest.raises(RuntimeError, match="duplicate dims are not allowed"):
        images.permute(0, 1, 1, 2)
    assert images.transpose(1, 2).shape == (2, 5, 4, 3)
    assert images[0].permute(2, 0, 1).shape == (3, 4, 5)
    assert images.permute(0, 3, 1, 2).shape == (2, 3, 4, 5)


def test_capital_t_on_three_dimensions_warns_and_reverses_all(device):
    """`batch.T` of a tensor with three dimensions reverses all three, so the batch comes last; it warns once per
    process.

    The warning is "The use of `x.T` on tensors of dimension other than 2 to reverse their shape is deprecated". Write
    `batch.mT` or `batch.transpose(-2, -1)` to transpose each matrix of a batch. `vector.T` stays a vector: write
    `vector.unsqueeze(1)` for a column.

    https://docs.pytorch.org/docs/stable/tensors.html
    """
    batch = torch.arange(24, device=device).reshape(2, 3, 4)

    with pytest.warns(UserWarning, match="use of `x.T` on tensors of dimension other than 2 to reverse their shape is"):
        reversed_all, vector = batch.T, batch[0, 0].T

    assert reversed_all.shape == (4, 3, 2)
    assert reversed_all.tolist() == batch.permute(2, 1, 0).tolist()
    assert batch.mT.shape == (2, 4, 3)
    assert batch.mT.tolist() == batch.transpose(-2, -1).tolist()
    assert batch[0].T.tolist() == batch[0].mT.tolist() == [[0, 4, 8], [1, 5, 9], [2, 6, 10], [3, 7, 11]]
    assert (vector.tolist(), vector.unsqueeze(1).tolist()) == ([0, 1, 2, 3], [[0], [1], [2], [3]])


def test_reshape_infers_one_size_and_never_loses_numbers(device):
    """`reshape` and `view` work out one size given as -1 from the other sizes.

    Sizes that do not multiply to the number of elements raise RuntimeError ("invalid for input of size"). Two sizes of
    -1 raise too, and so does -1 beside a size of 0: `x.reshape(len(x), -1)` fails for an empty batch. For two or more
    dimensions write `x.flatten(1)`, which does not; a vector has no dimension 1, and `flatten(1)` raises IndexError.

    https://docs.pytorch.org/docs/stable/generated/torch.reshape.html
    """
    tensor = torch.tensor([1, 2, 3, 4, 5, 6], device=device)

    assert tensor.reshape(-1, 2).tolist() == tensor.view(-1, 2).tolist() == [[1, 2], [3, 4], [5, 6]]
    assert tensor.reshape(2, -1).shape == (2, 3)
    for reshape in (torch.Tensor.reshape, torch.Tensor.view):
        with pytest.raises(RuntimeError, match="invalid for input of size 6"):
            reshape(tensor, (4,))
        with pytest.raises(RuntimeError, match="invalid for input of size 6"):
            reshape(tensor, (-1, 4))
        with pytest.raises(RuntimeError, match="only one dimension can be inferred"):
            reshape(tensor, (-1, -1))
        with pytest.raises(RuntimeError, match="cannot reshape tensor of 0 elements"):
            reshape(torch.ones(0, 2, 3, device=device), (0, -1))
    assert torch.ones(0, 2, 3, device=device).flatten(1).shape == (0, 6)
    with pytest.raises(IndexError, match="out of range"):
        tensor.flatten(1)


@given(shape=st.lists(st.integers(0, 4), max_size=3), dtype=st.sampled_from([torch.int64, torch.float32]))
@example(shape=[2, 3, 4], dtype=torch.float32)
@example(shape=[3, 4], dtype=torch.int64)
@example(shape=[0, 4], dtype=torch.int64)
def test_reshape_and_permute_agree_with_numpy_for_every_shape(device, shape, dtype):
    """`reshape` and `permute` put the numbers where NumPy's `reshape` and `transpose` put them, for every shape of up
    to three dimensions and every order of the dimensions.

    The names differ: `array.transpose(2, 0, 1)` is `tensor.permute(2, 0, 1)`, while `tensor.transpose(0, 2)` swaps two
    dimensions, as `array.swapaxes(0, 2)` does.

    https://numpy.org/doc/stable/reference/generated/numpy.transpose.html
    """
    array = np.arange(math.prod(shape)).reshape(shape)
    row = torch.arange(math.prod(shape), dtype=dtype, device=device)
    tensor = row.reshape(shape)

    assert tensor.tolist() == row.view(shape).tolist() == array.tolist()
    for order in itertools.permutations(range(len(shape))):
        permuted, expected = tensor.permute(order), array.transpose(order)
        assert (permuted.dtype, permuted.shape) == (dtype, expected.shape)
        assert permuted.tolist() == torch.permute(tensor, order).tolist() == expected.tolist()
        assert permuted.reshape(-1).tolist() == permuted.flatten().tolist() == expected.reshape(-1).tolist()
    for one, other in itertools.combinations(range(len(shape)), 2):
        assert tensor.transpose(one, other).tolist() == array.swapaxes(one, other).tolist()


def test_squeeze_drops_only_dimensions_of_size_one(device):
    """`x.squeeze(dim)` drops the dimension if its size is 1 and silently does nothing if it is not. `x.squeeze()` drops
    every dimension of size 1, the batch dimension of a batch of one included.

    Name the dimension: `output.squeeze(1)`. NumPy raises ValueError if the size is not 1. `x.unsqueeze(dim)`, or `None`
    in an index, adds a dimension of size 1.

    https://docs.pytorch.org/docs/stable/generated/torch.squeeze.html
    """
    batch_of_one = torch.arange(3, device=device).reshape(1, 3, 1)

    for squeeze in (torch.squeeze, torch.Tensor.squeeze):
        assert squeeze(batch_of_one, 1).tolist() == [[[0], [1], [2]]]
        assert squeeze(batch_of_one, 0).tolist() == [[0], [1], [2]]
        assert squeeze(batch_of_one, -1).tolist() == [[0, 1, 2]]
        assert squeeze(batch_of_one).tolist() == [0, 1, 2]
    assert [tuple(torch.ones(3, 2, device=device).unsqueeze(dim).shape) for dim in (0, 1, 2, -1)] == [
        (1, 3, 2), (3, 1, 2), (3, 2, 1), (3, 2, 1),
    ]  # fmt: skip
    assert torch.ones(3, 2, device=device)[:, None].shape == (3, 1, 2)
    with pytest.raises(IndexError, match="out of range"):
        batch_of_one.squeeze(3)
    with pytest.raises(ValueError, match="cannot select an axis to squeeze"):
        np.ones((1, 3)).squeeze(1)


# Picking elements: an index, a slice, lists


def test_an_index_drops_the_dimension_and_a_slice_keeps_it(device):
    """`x[0]` drops the first dimension, and `x[0:1]` keeps it with size 1.

    For a model that wants a batch, one row is `x[0:1]` or `x[0].unsqueeze(0)`. `x[2]` of two rows raises IndexError
    ("index 2 is out of bounds"), but a slice is silently cut to the rows that exist, even to none.

    https://numpy.org/doc/stable/user/basics.indexing.html
    """
    x = torch.tensor([[1, 2, 3], [4, 5, 6]], device=device)

    assert (x[0].tolist(), x[0:1].tolist(), x[:, -1].tolist(), x[:, -1:].tolist()) == (
        [1, 2, 3],
        [[1, 2, 3]],
        [3, 6],
        [[3], [6]],
    )
    assert x[1, 2].shape == ()
    assert x[..., 0].tolist() == [1, 4]
    assert x[0].unsqueeze(0).tolist() == x[0:1].tolist()
    assert (x[1:9].tolist(), x[5:].shape) == ([[4, 5, 6]], (0, 3))
    with pytest.raises(IndexError, match="index 2 is out of bounds"):
        x[2]
    with pytest.raises(IndexError, match="index -3 is out of bounds"):
        x[-3]


def test_a_vector_has_no_dimension_1(device):
    """For a vector `v`, `v[0, 0]` raises IndexError, "too many indices for tensor of dimension 1", and `v.sum(dim=1)`
    raises IndexError, "Dimension out of range (expected to be in range of [-1, 0], but got 1)".

    `v.softmax(dim=1)`, `v.argmax(dim=1)` and `v.size(1)` raise the second error, too. Often a dimension was lost
    before: by `x[0]`, or by `x.squeeze()` of a batch of one row. `v.unsqueeze(0)` brings it back.

    https://docs.pytorch.org/docs/stable/generated/torch.unsqueeze.html
    """
    row = torch.tensor([[1.0, 2.0, 4.0]], device=device)

    for v in (row[0], row.squeeze()):
        with pytest.raises(IndexError, match="too many indices for tensor of dimension 1"):
            v[0, 0]
        for reduce in (torch.sum, torch.softmax, torch.argmax, torch.Tensor.size):
            with pytest.raises(IndexError, match=r"Dimension out of range .*in range of \[-1, 0\], but got 1"):
                reduce(v, 1)
        assert v.unsqueeze(0).sum(dim=1).tolist() == [7]


def test_a_tensor_of_one_integer_counts_as_an_index(device):
    """`range(n)` and `words[n]` of a list take an int64 tensor of one element for `n`; a float32 tensor or one of two
    elements raises TypeError, "only integer tensors of a single element can be converted to an index".

    Write `int(n)` for a float, and `[words[i] for i in positions.tolist()]` for several positions.

    https://docs.python.org/3/reference/datamodel.html#object.__index__
    """
    words, n, positions = ["cat", "dog", "bird"], torch.tensor(2, device=device), torch.tensor([2, 0], device=device)

    assert (list(range(n)), words[n], words[n[None]]) == ([0, 1], "bird", "bird")
    for wrong in (n.float(), positions):
        with pytest.raises(TypeError, match="only integer tensors of a single element can be converted to an index"):
            range(wrong)
        with pytest.raises(TypeError, match="only integer tensors of a single element can be converted to an index"):
            words[wrong]
    assert words[int(n.float())] == "bird"
    assert [words[i] for i in positions.tolist()] == ["bird", "cat"]


def test_lists_of_indices_go_in_pairs(device):
    """`x[[0, 1], [2, 0]]` picks the elements (0, 2) and (1, 0), in pairs, and not the block of rows 0, 1 and columns
    2, 0.

    Write `x[[0, 1]][:, [2, 0]]` for the block. A list of one position goes with every position of the other list.
    Lists of other different lengths raise IndexError ("shape mismatch").

    https://numpy.org/doc/stable/user/basics.indexing.html
    """
    x = torch.tensor([[1, 2, 3], [4, 5, 6]], device=device)

    assert x[[0, 1], [2, 0]].tolist() == [3, 4]
    assert x[[0, 1]][:, [2, 0]].tolist() == [[3, 1], [6, 4]]
    assert x[[0, 1], [2]].tolist() == [3, 6]
    assert x[[1, 0, 1]].tolist() == [[4, 5, 6], [1, 2, 3], [4, 5, 6]]
    assert x[x % 2 == 0].tolist() == [2, 4, 6]
    with pytest.raises(IndexError, match="shape mismatch"):
        x[[0, 1, 0], [2, 0]]


def test_a_uint8_index_is_a_mask(device):
    """`x[index]` takes an index of dtype uint8 for a mask and not for positions: of three numbers, `x[[0, 1, 2]]` in
    uint8 picks two.

    It warns: "indexing with dtype torch.uint8 is now deprecated, please use a dtype torch.bool instead". Convert
    positions with `index.long()`, which picks all three, and masks with `index.bool()`. A vector of positions in int8,
    int16 or float32, and so the empty `torch.tensor([])`, raises IndexError, "tensors used as indices must be long,
    int, byte or bool tensors".

    https://docs.pytorch.org/docs/stable/tensors.html
    """
    x = torch.tensor([3.0, 4.0, 5.0], device=device)
    index = torch.tensor([0, 1, 2], dtype=torch.uint8, device=device)

    with pytest.warns(UserWarning, match="indexing with dtype torch.uint8 is now deprecated, please use a dtype torch"):
        picked = x[index]

    assert picked.tolist() == x[index.bool()].tolist() == [4, 5]
    assert x[index.long()].tolist() == [3, 4, 5]
    for other in (index.to(torch.int8), index.to(torch.int16), index.float(), torch.tensor([], device=device)):
        with pytest.raises(IndexError, match="tensors used as indices must be long, int, byte or bool tensors"):
            x[other]


@pytest.mark.holds(
    "torch>=2.1",
    otherwise=UserWarning,
    change="raises",
    concerns=("torch.Tensor.masked_fill?", "torch.Tensor.masked_select?"),
)
def test_masked_fill_refuses_a_uint8_mask(device):
    """From torch 2.1 on `masked_fill` and `masked_select` raise RuntimeError for a mask of dtype uint8; in torch 2.0
    `masked_fill` takes it and warns.

    The messages are "only supports boolean masks" and "expected BoolTensor for mask". A comparison such as
    `x > 0` gives a bool mask. Convert an old one: `mask.bool()`.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.masked_fill_.html
    """
    x = torch.tensor([3.0, 4.0], device=device)
    mask = torch.tensor([1, 0], dtype=torch.uint8, device=device)

    assert x.masked_fill(mask.bool(), 5.0).tolist() == [5, 4]
    assert x.masked_select(mask.bool()).tolist() == [3]
    with pytest.raises(RuntimeError, match=r"only supports boolean masks"):
        x.masked_fill(mask, 5.0)
    with pytest.raises(RuntimeError, match=r"expected BoolTensor for mask"):
        x.masked_select(mask)


def test_a_negative_step_raises(device):
    """`x[::-1]` raises ValueError ("step must be greater than zero"): write `x.flip(0)`.

    In NumPy `array[::-1]` is a view. `x.flip(0)` reverses dimension 0 and copies, `x.flip(0, 1)` reverses both.

    https://docs.pytorch.org/docs/stable/generated/torch.flip.html
    """
    x = torch.tensor([[1, 2, 3], [4, 5, 6]], device=device)

    with pytest.raises(ValueError, match="step must be greater than zero"):
        x[::-1]
    with pytest.raises(ValueError, match="step must be greater than zero"):
        x[:, ::-1]
    for flip, tensor in itertools.product((torch.flip, torch.Tensor.flip), (x, x.float())):
        assert flip(tensor, (0,)).tolist() == [[4, 5, 6], [1, 2, 3]]
        assert flip(tensor, (0,)).dtype == tensor.dtype
        assert flip(tensor, (0, 1)).tolist() == [[6, 5, 4], [3, 2, 1]]
    array = np.array([1, 2])
    assert np.shares_memory(array[::-1], array)


@pytest.mark.holds("torch>=2.8", otherwise=AssertionError, change="warns", concerns=())
def test_a_list_of_lists_as_an_index_warns(device):
    """From torch 2.8 on indexing with one list of two lists, `x[[[0, 1], [2, 0]]]`, warns.

    The warning is "Using a non-tuple sequence for multidimensional indexing is deprecated", and a list with a vector in
    it, `x[[positions]]`, warns too. It still means pairs, as `x[[0, 1], [2, 0]]` does, while NumPy selects rows. Write
    `x[tuple(index)]` for pairs and `x[torch.tensor(index)]` for rows: neither warns. A list of 32 lists or more selects
    rows already, without a warning.

    https://numpy.org/doc/stable/user/basics.indexing.html
    """
    x = torch.tensor([[1, 2, 3], [4, 5, 6], [7, 8, 9]], device=device)
    index = [[0, 1], [2, 0]]

    with pytest.warns(UserWarning, match="non-tuple sequence for multidimensional indexing"):
        picked = x[index]
    with pytest.warns(UserWarning, match="non-tuple sequence for multidimensional indexing"):
        x[index] = torch.tensor([30, 40], device=device)
    with pytest.warns(UserWarning, match="Using a non-tuple sequence for multidimensional indexing is deprecated"):
        rows = x[[torch.tensor([0, 2], device=device)]]

    assert picked.tolist() == [3, 4]
    assert x.tolist() == [[1, 2, 30], [40, 5, 6], [7, 8, 9]]
    assert rows.tolist() == [[1, 2, 30], [7, 8, 9]]
    assert x[tuple(index)].tolist() == [30, 40]
    assert x[torch.tensor(index, device=device)].tolist() == [[x[i].tolist() for i in row] for row in index]
    assert np.arange(9).reshape(3, 3)[index].shape == (2, 2, 3)
    assert x[[[i % 3] for i in range(32)]].shape == (32, 1, 3)


# Joining and taking apart


def test_stack_adds_a_dimension_and_cat_does_not(device):
    """`torch.cat` joins tensors along a dimension they have. `torch.stack` puts tensors of equal shape side by side
    along a new dimension.

    To make a batch of single examples write `stack`; to join batches write `cat`, which wants the same sizes in all
    other dimensions. A shape mismatch raises RuntimeError in both. `cat` of losses or other 0-d tensors raises
    RuntimeError, "zero-dimensional tensor (at position 0) cannot be concatenated": write `stack`.

    https://docs.pytorch.org/docs/stable/generated/torch.stack.html
    """
    a, b = torch.tensor([1, 2, 3], device=device), torch.tensor([4, 5, 6], device=device)

    assert torch.cat([a, b]).tolist() == [1, 2, 3, 4, 5, 6]
    assert torch.stack([a, b]).tolist() == [[1, 2, 3], [4, 5, 6]]
    assert torch.stack([a, b], dim=1).tolist() == [[1, 4], [2, 5], [3, 6]]
    assert torch.cat([a.reshape(1, 3), b.reshape(1, 3)], dim=1).tolist() == [[1, 2, 3, 4, 5, 6]]
    assert torch.cat([a, b[:2]]).tolist() == [1, 2, 3, 4, 5]
    with pytest.raises(RuntimeError, match="equal size"):
        torch.stack([a, b[:2]])
    with pytest.raises(RuntimeError, match="must match except in dimension 0"):
        torch.cat([a.reshape(1, 3), b[:2].reshape(1, 2)])
    with pytest.raises(RuntimeError, match=r"zero-dimensional tensor \(at position 0\) cannot be concatenated"):
        torch.cat([a[0], b[0]])
    assert torch.stack([a[0], b[0]]).tolist() == [1, 4]


def test_cat_wants_equal_sizes_in_the_other_dimensions(device):
    """`torch.cat` of tensors of shape (2, 3) and (2, 2) along dimension 0 raises RuntimeError, "Sizes of tensors must
    match except in dimension 0".

    The message goes on: "Expected size 3 but got size 2". Along `dim=1` the two fit. Shapes (2, 3) and (3,) raise
    "Tensors must have same number of dimensions: got 2 and 1": write `row[None]` for the row. To make the rows of a
    matrix longer by one 0 write `F.pad(x, (0, 1))`.

    https://docs.pytorch.org/docs/stable/generated/torch.cat.html
    """
    x, y, row = torch.ones(2, 3, device=device), torch.zeros(2, 2, device=device), torch.zeros(3, device=device)

    with pytest.raises(
        RuntimeError, match=r"Sizes of tensors must match except in dimension 0\. Expected size 3 but got size 2"
    ):
        torch.cat([x, y])
    with pytest.raises(RuntimeError, match="Tensors must have same number of dimensions: got 2 and 1"):
        torch.cat([x, row])
    assert torch.cat([x, y], dim=1).tolist() == [[1, 1, 1, 0, 0]] * 2
    assert torch.cat([x, row[None]]).tolist() == [[1, 1, 1], [1, 1, 1], [0, 0, 0]]
    assert torch.cat([x, nn.functional.pad(y, (0, 1))]).shape == (4, 3)


@pytest.mark.holds(
    "torch>=2.9", otherwise=RuntimeError, change="raises", concerns="torch.cat except RuntimeError not ValueError?"
)
def test_cat_of_nothing_raises_value_error():
    """From torch 2.9 on `torch.cat` of an empty list raises ValueError; older releases raise RuntimeError, as
    `torch.stack` does in every release.

    An evaluation that saw no batch ends like this. `except (RuntimeError, ValueError)` catches both.

    https://docs.pytorch.org/docs/stable/generated/torch.cat.html
    """
    outputs = []

    with pytest.raises(ValueError, match="non-empty"):
        torch.cat(outputs)
    with pytest.raises(RuntimeError, match="non-empty"):
        torch.stack(outputs)


def test_cat_skips_an_empty_vector(device):
    """`torch.cat` skips a tensor of shape (0,), even if the other tensors have more dimensions.

    A loop may therefore start with `rows = torch.tensor([])` and join batches to it. The dtype still counts: joined to
    an empty float32 tensor, integers become floats. An empty tensor of another shape must fit, and NumPy's
    `concatenate` raises ValueError for a (0,) beside a matrix.

    https://docs.pytorch.org/docs/stable/generated/torch.cat.html
    """
    empty, batch = torch.tensor([], device=device), torch.tensor([[1, 2], [3, 4]], device=device)

    for joined in (torch.cat([empty, batch]), torch.cat([batch, empty], dim=1)):
        assert (joined.dtype, joined.tolist()) == (torch.float32, [[1, 2], [3, 4]])
    with pytest.raises(RuntimeError, match="must match except in dimension 0"):
        torch.cat([empty.reshape(0, 3), batch])
    with pytest.raises(ValueError, match="number of dimensions"):
        np.concatenate([np.array([]), np.array([[1, 2], [3, 4]])])


@given(
    shape=st.lists(st.integers(1, 3), min_size=1, max_size=2),
    count=st.integers(1, 3),
    dtype=st.sampled_from([torch.int64, torch.float32]),
)
@example(shape=[2, 1, 3], count=3, dtype=torch.float32)
@example(shape=[3], count=2, dtype=torch.int64)
def test_stack_and_cat_agree_with_numpy_for_every_shape(device, shape, count, dtype):
    """For tensors of equal shape, `torch.cat` and `torch.stack` put the numbers where NumPy does, along every
    dimension. `chunk` undoes `cat`, and `unbind` undoes `stack`.

    Tried for up to three tensors of one to three dimensions. NumPy's names are `concatenate` and `stack`.

    https://numpy.org/doc/stable/reference/generated/numpy.stack.html
    """
    arrays = [np.arange(math.prod(shape)).reshape(shape) + 100 * n for n in range(count)]
    lists = [array.tolist() for array in arrays]
    tensors = [torch.tensor(numbers, dtype=dtype, device=device) for numbers in lists]

    for dim in range(-len(shape), len(shape)):
        joined, stacked = torch.cat(tensors, dim), torch.stack(tensors, dim)
        assert joined.dtype == stacked.dtype == dtype
        assert joined.tolist() == np.concatenate(arrays, dim).tolist()
        assert stacked.tolist() == np.stack(arrays, dim).tolist()
        assert [part.tolist() for part in joined.chunk(count, dim)] == lists
        assert [part.tolist() for part in stacked.unbind(dim)] == lists


def test_meshgrid_without_indexing_warns(device):
    """`torch.meshgrid(x, y)` without `indexing` warns ("it will be required to pass the indexing argument"), once per
    process, and means `indexing="ij"`, where NumPy means "xy".

    Two vectors of 2 and 3 numbers give (2, 3) tables in PyTorch and (3, 2) tables in NumPy, the transposes. Write
    `torch.meshgrid(x, y, indexing="ij")` for what old code gets, and `indexing="xy"` for what NumPy gives.

    https://docs.pytorch.org/docs/stable/generated/torch.meshgrid.html
    """
    x, y = torch.tensor([1, 2], device=device), torch.tensor([3, 4, 5], device=device)

    with pytest.warns(UserWarning, match="it will be required to pass the indexing argument"):
        tables = torch.meshgrid(x, y)

    named = torch.meshgrid(x, y, indexing="ij")
    assert [table.tolist() for table in tables] == [table.tolist() for table in named]
    assert [table.tolist() for table in tables] == [[[1, 1, 1], [2, 2, 2]], [[3, 4, 5], [3, 4, 5]]]
    in_numpy = [table.tolist() for table in np.meshgrid([1, 2], [3, 4, 5])]
    assert [table.tolist() for table in torch.meshgrid(x, y, indexing="xy")] == in_numpy
    assert [table.T.tolist() for table in tables] == in_numpy


def test_chunk_may_give_fewer_pieces(device):
    """`x.chunk(4)` may give fewer than 4 pieces: 6 rows give 3 pieces of 2 rows.

    `chunk` rounds the size of a piece up. A loop over one piece for each worker then leaves workers without one. Write
    `x.tensor_split(4)` for exactly 4 pieces, as NumPy's `array_split` gives.

    https://docs.pytorch.org/docs/stable/generated/torch.chunk.html
    """
    x = torch.arange(6, device=device)

    assert [piece.tolist() for piece in x.chunk(4)] == [[0, 1], [2, 3], [4, 5]]
    assert [piece.tolist() for piece in x.tensor_split(4)] == [[0, 1], [2, 3], [4], [5]]
    assert [piece.tolist() for piece in np.array_split(np.arange(6), 4)] == [[0, 1], [2, 3], [4], [5]]
    assert [piece.tolist() for piece in x[:5].chunk(2)] == [[0, 1, 2], [3, 4]]


# Reducing along a dimension


def test_dim_is_the_dimension_that_disappears(device):
    """`x.sum(dim=0)` adds up along dimension 0, so dimension 0 is missing in the result. `keepdim=True` keeps it with
    size 1.

    For a matrix `dim=0` gives one number for each column. To divide the rows by their sums write
    `x / x.sum(dim=1, keepdim=True)`. Without `keepdim` most shapes raise RuntimeError, but a square matrix silently has
    its columns divided by the sums of the rows, and a single column silently becomes a square. `dim=()` adds up
    everything, as `x.sum()` does, while NumPy's `axis=()` adds up nothing.

    https://docs.pytorch.org/docs/stable/generated/torch.sum.html
    """
    x = torch.tensor([[1.0, 2.0, 5.0], [4.0, 8.0, 4.0]], device=device)

    assert x.sum().item() == torch.sum(x).item() == 24
    assert x.sum(dim=0).tolist() == torch.sum(x, dim=0).tolist() == [5, 10, 9]
    assert x.sum(dim=1).tolist() == x.sum(-1).tolist() == torch.sum(x, 1).tolist() == [8, 16]
    assert (x.mean(dim=0).tolist(), x.mean(dim=1, keepdim=True).shape) == ([2.5, 5, 4.5], (2, 1))
    assert x.sum(dim=0).dtype == x.mean(dim=0).dtype == torch.float32
    assert x.sum(dim=1, keepdim=True).tolist() == [[8], [16]]
    assert (x / x.sum(dim=1, keepdim=True)).tolist() == [[0.125, 0.25, 0.625], [0.25, 0.5, 0.25]]
    with pytest.raises(RuntimeError, match="must match"):
        x / x.sum(dim=1)
    assert (x.sum(dim=()).item(), x.cpu().numpy().sum(axis=()).tolist()) == (24, x.tolist())
    square = torch.tensor([[1.0, 3.0], [2.0, 6.0]], device=device)
    assert (square / square.sum(dim=1)).tolist() == [[0.25, 0.375], [0.5, 0.75]]  # the rows add up to 4 and 8
    assert (square / square.sum(dim=1, keepdim=True)).tolist() == [[0.25, 0.75], [0.25, 0.75]]
    column = torch.tensor([[1.0], [2.0]], device=device)
    assert (column / column.sum(dim=1)).tolist() == [[1, 0.5], [2, 1]]


@pytest.mark.holds(
    "torch>=2.2", otherwise=TypeError, change="new", concerns=("torch.Tensor.all(dim)?", "torch.Tensor.any(dim)?")
)
def test_any_and_all_take_several_dims(device):
    """From torch 2.2 on `all` and `any` take several dimensions at once, `mask.all(dim=(1, 2))`, as `sum` and `amax` do
    in every release.

    Older releases raise TypeError: there write `mask.flatten(1).all(dim=1)`. `max` and `argmax` take one dimension
    only, because they return a position.

    https://docs.pytorch.org/docs/stable/generated/torch.all.html
    """
    mask = torch.tensor([[[True, True], [True, True]], [[True, False], [True, True]], [[False] * 2] * 2], device=device)

    assert mask.all(dim=(1, 2)).tolist() == torch.all(mask, dim=(1, 2)).tolist() == [True, False, False]
    assert mask.any(dim=(1, 2)).tolist() == torch.any(mask, dim=(1, 2)).tolist() == [True, True, False]
    assert mask.all(dim=(0, 2), keepdim=True).tolist() == [[[False], [False]]]
    assert mask.flatten(1).all(dim=1).tolist() == [True, False, False]
    assert mask.int().sum(dim=(1, 2)).tolist() == [4, 3, 0]
    assert mask.int().amax(dim=(1, 2)).tolist() == [1, 1, 0]
    for refused in (torch.max, torch.argmax):
        with pytest.raises(TypeError, match=r"invalid combination|must be int"):
            refused(mask.int(), dim=(1, 2))


@given(
    shape=st.lists(st.integers(1, 4), min_size=1, max_size=2),
    keepdim=st.booleans(),
    dtype=st.sampled_from([torch.int64, torch.float32]),
)
@example(shape=[2, 3, 4], keepdim=True, dtype=torch.float32)
@example(shape=[4, 3], keepdim=False, dtype=torch.int64)
def test_reductions_agree_with_numpy_for_every_dim(device, shape, keepdim, dtype):
    """For whole numbers, `sum`, `amax` and `argmax` along a dimension give what NumPy's `sum`, `max` and `argmax` give
    along that axis.

    Tried for int64, and for small whole numbers in float32, in up to three dimensions. Sums of fractions are rounded on
    the way, so their last digits may differ. The maximum along an empty dimension raises in both: IndexError in
    PyTorch, ValueError in NumPy.

    https://numpy.org/doc/stable/reference/generated/numpy.sum.html
    """
    array = (np.arange(math.prod(shape)) * 7 % 5 // 2 - 1).reshape(shape)  # with equal maxima in a row
    tensor = torch.tensor(array.tolist(), dtype=dtype, device=device)

    for dim in range(-len(shape), len(shape)):
        total, highest = tensor.sum(dim, keepdim=keepdim), tensor.amax(dim, keepdim=keepdim)
        first = tensor.argmax(dim, keepdim=keepdim)
        assert (total.dtype, highest.dtype, first.dtype) == (dtype, dtype, torch.int64)
        assert total.tolist() == array.sum(dim, keepdims=keepdim).tolist()
        assert highest.tolist() == array.max(dim, keepdims=keepdim).tolist()
        assert first.flatten().tolist() == array.argmax(dim).flatten().tolist()
        assert torch.equal(torch.argmax(tensor, dim, keepdim=keepdim), first)
        assert torch.equal(torch.sum(tensor, dim, keepdim=keepdim), total)
        assert first.shape == total.shape
    with pytest.raises(IndexError, match="non-zero size"):
        torch.ones(0, 3, device=device).amax(0)
    with pytest.raises(ValueError, match="zero-size array"):
        np.ones((0, 3)).max(0)


def test_any_of_uint8_is_uint8(device):
    """`x.any()` and `x.all()` of a uint8 tensor return uint8 and not bool, so `~x.any()` is 254 or 255.

    Both count as true. For the other integer dtypes of old, such as int64, `any` and `all` return bool. Write
    `x.bool().any()`, or `not x.any()`.

    https://docs.pytorch.org/docs/stable/generated/torch.any.html
    """
    pixels = torch.tensor([0, 1], dtype=torch.uint8, device=device)

    assert pixels.any().dtype == pixels.all().dtype == torch.uint8
    assert ((~pixels.any()).item(), (~pixels.all()).item()) == (254, 255)
    assert (~pixels.bool().any()).item() is (not pixels.any()) is False
    for dtype in (torch.int8, torch.int16, torch.int32, torch.int64):
        assert pixels.to(dtype).any().dtype == pixels.to(dtype).all().dtype == torch.bool


# Where is the largest element?


def test_max_along_a_dim_returns_values_and_indices(device):
    """`x.max()` returns the largest element, `x.max(dim=1)` a pair of values and indices, and `x.max(other)` the larger
    of each two elements.

    `outputs.max(1) == labels` compares a pair with a tensor and is a plain False, whatever the labels are. Write
    `outputs.max(1).indices == labels` or `outputs.argmax(1) == labels`. `x.max()` of no elements raises RuntimeError,
    "Expected reduction dim to be specified": look at `x.numel()` first.

    https://docs.pytorch.org/docs/stable/generated/torch.max.html
    """
    x = torch.tensor([[1.0, 9.0, 3.0], [7.0, 5.0, 6.0]], device=device)

    assert (x.max().shape, x.max().item(), torch.max(x).item()) == ((), 9, 9)
    for values, indices in (x.max(dim=1), torch.max(x, 1)):
        assert (values.tolist(), indices.tolist(), indices.dtype) == ([9, 7], [1, 0], torch.int64)
    labels = torch.tensor([1, 0], device=device)
    assert (x.max(1) == labels) is False
    assert (x.max(1).indices == labels).tolist() == (x.argmax(1) == labels).tolist() == [True, True]
    values, indices = x.max(dim=0, keepdim=True)
    assert (values.tolist(), indices.tolist()) == ([[7, 9, 6]], [[1, 0, 1]])
    lowest = x.min(dim=1)
    assert (lowest.values.dtype, lowest.values.tolist(), lowest.indices.tolist()) == (torch.float32, [1, 5], [0, 1])
    for larger in (torch.max(x, x.flip(0)), x.max(x.flip(0)), torch.maximum(x, x.flip(0))):
        assert larger.tolist() == [[7, 9, 6], [7, 9, 6]]
    with pytest.raises(RuntimeError, match="Expected reduction dim to be specified"):
        x[:0].max()


def test_argmax_without_dim_counts_through_all_elements(device):
    """`x.argmax()` without `dim` returns one position in the flattened tensor. `x.argmax(dim=1)` of a matrix returns
    one position for each row.

    If you forget `dim` when you turn logits into classes, you get one number for the whole batch, which broadcasts
    against the labels without an error. Write `logits.argmax(dim=1)`.

    https://docs.pytorch.org/docs/stable/generated/torch.argmax.html
    """
    logits = torch.tensor([[1.0, 9.0, 3.0], [7.0, 5.0, 10.0]], device=device)

    assert logits.argmax().item() == torch.argmax(logits).item() == 5
    assert logits.argmax(dim=1).tolist() == torch.argmax(logits, dim=1).tolist() == [1, 2]
    assert logits.argmax(dim=0).tolist() == [1, 0, 1]
    assert (logits.argmax() == torch.tensor([1, 2], device=device)).tolist() == [False, False]
    assert logits.argmin(dim=1).tolist() == [0, 1]
    for positions in (logits.argmax(dim=1), torch.argmax(logits, dim=1), logits.argmin(dim=1), logits.argmax()):
        assert positions.dtype == torch.int64


@pytest.mark.holds("torch>=2.2", otherwise=AttributeError, change="new")
def test_unravel_index_finds_the_row_and_column(device):
    """From torch 2.2 on `torch.unravel_index` turns a position in the flattened tensor into one index for each
    dimension.

    For a matrix in older releases write `position // columns` and `position % columns`. The position must be a tensor:
    `position.item()` raises AttributeError. A position beyond the last element silently starts again at the first,
    while NumPy raises ValueError.

    https://docs.pytorch.org/docs/stable/generated/torch.unravel_index.html
    """
    x = torch.tensor([[1.0, 9.0, 3.0], [10.0, 5.0, 7.0]], device=device)
    position = x.argmax()

    index = torch.unravel_index(position, x.shape)

    assert [i.tolist() for i in index] == [1, 0]
    assert x[index].item() == x.max().item() == 10
    assert (position.item() // 3, position.item() % 3) == (1, 0)
    assert [i.item() for i in torch.unravel_index(position + 4, x.shape)] == [0, 1]  # of 6 elements, the eighth
    with pytest.raises(AttributeError, match="'int' object"):
        torch.unravel_index(position.item(), x.shape)
    with pytest.raises(ValueError, match="out of bounds"):
        np.unravel_index(7, (2, 3))


def test_argmax_of_bools_raises():
    """`argmax` over several bools raises RuntimeError on the CPU, while NumPy's `argmax` returns the position of the
    first True.

    The message is "argmax(): does not support bool input", in older releases "not implemented for 'Bool'". Write
    `mask.int().argmax()`, or `mask.max(dim=0).indices`, which takes bools.

    https://docs.pytorch.org/docs/stable/generated/torch.argmax.html
    """
    mask = torch.tensor([False, False, True, True])  # on the CPU, where alone it is known to raise in every release

    for argmax in (torch.argmax, torch.Tensor.argmax):
        with pytest.raises(RuntimeError, match=r"argmax\(\): does not support bool input|not implemented for 'Bool'"):
            argmax(mask)
        assert argmax(mask.int()).item() == np.argmax(mask.numpy()) == 2
    assert mask.max(dim=0).indices.item() == 2


@given(length=st.integers(1, 60), period=st.integers(1, 7), dtype=st.sampled_from([torch.int64, torch.float32]))
@example(length=60, period=1, dtype=torch.int64)
@example(length=50, period=4, dtype=torch.float32)
def test_the_first_of_equals_wins_for_every_list(device, length, period, dtype):
    """Of several equal maxima `argmax` and `max(dim)` return the position of the first.

    `cummax` returns the position of the last so far. `sort` promises to keep equal elements in order only with
    `stable=True`. `topk` and a plain `sort` promise indices that belong to the values, and leave open which of the
    equals comes first.

    https://docs.pytorch.org/docs/stable/generated/torch.sort.html
    """
    numbers = [5 * n % period for n in range(length)]
    tensor = torch.tensor(numbers, dtype=dtype, device=device)
    first = numbers.index(max(numbers))

    assert torch.max(tensor, 0).indices.item() == first
    assert tensor.argmax().item() == tensor.max(0).indices.item() == torch.argmax(tensor, 0).item() == first
    assert tensor.argmin().item() == tensor.min(0).indices.item() == numbers.index(min(numbers))
    assert tensor.cpu().cummax(0).indices[-1].item() == length - 1 - numbers[::-1].index(max(numbers))
    stable = torch.sort(tensor, stable=True)
    assert stable.indices.tolist() == tensor.sort(stable=True).indices.tolist()
    assert stable.indices.tolist() == sorted(range(len(numbers)), key=numbers.__getitem__)
    for values, indices in (stable, tensor.sort(), torch.sort(tensor), tensor.topk(len(numbers), largest=False)):
        assert (values.dtype, indices.dtype) == (dtype, torch.int64)
        assert values.tolist() == tensor[indices].tolist() == sorted(numbers)
        assert sorted(indices.tolist()) == list(range(len(numbers)))


def test_nan_wins_every_maximum(device):
    """A single nan makes the sum, the mean, the maximum and the minimum of a float tensor nan; on the CPU `argmax` and
    `argmin` return its position.

    A diverged training may show up as a loss of nan. Find the elements with `x.isnan()`, leave them out with
    `x[~x.isnan()]`, or write `x.nansum()` and `x.nanmean()`.

    https://docs.pytorch.org/docs/stable/generated/torch.max.html
    """
    x = torch.tensor([1.0, math.nan, 5.0], device=device)
    results = [torch.sum, torch.mean, torch.max, torch.min]
    results += [lambda x: x.max(dim=0).values, lambda x: x.min(dim=0).values]
    for tensor in (x, *(x.cpu().to(dtype) for dtype in (torch.float16, torch.bfloat16, torch.float64))):
        assert [math.isnan(result(tensor).item()) for result in results] == [True] * 6
    for y in (x.cpu(), x.cpu().half(), x.cpu().bfloat16()):  # on the CPU: mps may overlook a nan here
        assert torch.argmax(y).item() == torch.argmin(y).item() == 1
        assert y.argmax().item() == y.argmin().item() == y.max(dim=0).indices.item() == 1
    assert (x[~x.isnan()].tolist(), x.nansum().item(), x.nanmean().item()) == ([1, 5], 6, 3)


# Tensors and models


def layers_of_one_argument():
    """Each layer of torch.nn that can be made without arguments and called with one, by its name."""
    no_layers = {"Module", "Container", "ModuleList", "ModuleDict", "ParameterList", "ParameterDict", "NLLLoss2d"}
    layers = {}
    for name in sorted(set(vars(nn)) - no_layers - {"Transformer"}):
        if name.startswith("Lazy"):  # it asks for its sizes too, and warns in old releases
            continue
        try:
            layer = getattr(nn, name)()
            inspect.signature(layer.forward).bind("data")
        except (TypeError, AttributeError):  # no layer, or one that wants more
            continue
        layers[name] = layer
    return layers


def test_layers_take_tensors_only(device):
    """`nn.Linear` and `nn.ReLU` raise TypeError ("must be Tensor") for a list, a tuple, a NumPy array and a number.

    Write `layer(torch.tensor(data))`. The other layers of `torch.nn` that need no arguments and take one input, lazy
    ones aside, were tried too: all raise for a list, some of them, such as `nn.Flatten`, an AttributeError. The
    exceptions are `nn.Identity` and an empty `nn.Sequential`, which return what they are given.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html
    """
    layer = nn.Linear(2, 3, device=device)

    for data in ([1.0, 2.0], (1.0, 2.0), np.array([1.0, 2.0], dtype=np.float32), 1.0):
        with pytest.raises(TypeError, match="must be Tensor"):
            layer(data)
        with pytest.raises(TypeError, match="must be Tensor"):
            nn.ReLU()(data)
    with pytest.raises(AttributeError, match="'list' object has no attribute"):
        nn.Flatten()([1.0, 2.0])
    layers = layers_of_one_argument()
    assert {"Flatten", "Identity", "ReLU", "Sequential", "Softmax"} <= set(layers)
    for name in set(layers) - {"Identity", "Sequential"}:
        with pytest.raises((TypeError, AttributeError), match=r"must be Tensor|no attribute|unsupported operand"):
            layers[name]([1.0, 2.0])
    assert layers["Identity"]([1.0, 2.0]) == layers["Sequential"]([1.0, 2.0]) == [1.0, 2.0]
    output = layer(torch.tensor([1.0, 2.0], device=device))
    assert (type(output), output.shape) == (torch.Tensor, (3,))


@pytest.mark.myth("all data that goes into or comes out of a model must be tensors")
def test_a_forward_method_takes_and_returns_anything(device):
    """The `forward` method that you write for a Module may take and return any Python objects: strings, dicts, keyword
    arguments, several results.

    Most layers inside it need tensors. The model may make them itself, as here from a string.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """

    class WordLengths(nn.Module):
        def forward(self, text, *, scale):
            words = text.split()
            return {"words": words, "lengths": scale * torch.tensor([len(word) for word in words], device=device)}

    result = WordLengths()("a model of words", scale=2)

    assert list(result) == ["words", "lengths"]
    assert result["words"] == ["a", "model", "of", "words"]
    assert result["lengths"].tolist() == [2, 10, 4, 10]


# What moved between releases, beside the notes above


@pytest.mark.holds(
    "torch>=2.9",
    otherwise=RuntimeError,
    change="raises",
    concerns="torch.tensor(not dtype) except RuntimeError not ValueError?",
)
def test_an_integer_beyond_int64_raises_value_error(device):
    """From torch 2.9 on `torch.tensor` of ints without `dtype=` raises ValueError ("Overflow") if one is beyond int64,
    and so does writing one to an element; older releases raise RuntimeError.

    `except (RuntimeError, ValueError)` catches both. Beside a float in the list, or with `dtype=torch.float32`, 2**63
    raises nothing, and `dtype=torch.uint64` holds ints up to 2**64 - 1. In these releases `x + 2**63` with an int64
    tensor wraps around silently on the CPU, and `x.fill_(2**63)` still raises RuntimeError.

    https://docs.pytorch.org/docs/stable/generated/torch.tensor.html
    """
    highest, lowest = 2**63 - 1, -(2**63)
    tensor = torch.tensor([highest, lowest], device=device)

    for number in (highest + 1, lowest - 1):
        with pytest.raises(ValueError, match="Overflow"):
            torch.tensor([0, number], device=device)
        with pytest.raises(ValueError, match="Overflow"):
            tensor[0] = number
    assert (tensor.dtype, tensor.tolist()) == (torch.int64, [highest, lowest])
    assert torch.tensor([highest + 1], dtype=torch.float32, device=device).tolist() == [2.0**63]
    assert torch.tensor([0.5, highest + 1], device=device).tolist() == [0.5, 2.0**63]
    assert torch.tensor([highest + 1, 2**64 - 1], dtype=torch.uint64).tolist() == [2**63, 2**64 - 1]
    numbers = torch.tensor([0, 1])  # on the CPU, where alone this was seen
    assert (numbers + (highest + 1)).tolist() == [lowest, lowest + 1]
    with pytest.raises(RuntimeError, match="without overflow"):
        numbers.fill_(highest + 1)


@pytest.mark.holds(
    "torch>=2.8", otherwise=RuntimeError, change="new", concerns=("torch.Tensor.gather?", "torch.Tensor.scatter?")
)
def test_gather_takes_int32_positions():
    """From torch 2.8 on `gather` and `scatter` take positions in int32 on the CPU; older releases raise RuntimeError
    ("Expected dtype int64 for index").

    Indexing, `index_select`, `index_add` and `nn.Embedding` take int32 in every release. `take_along_dim` with
    a `dim`, `F.one_hot` ("only applicable to index tensor"), `index_copy` and `take` ("Expected a long tensor for
    index") still raise RuntimeError, and `index_fill` IndexError. Write `positions.long()`, which all of them take.

    https://docs.pytorch.org/docs/stable/generated/torch.gather.html
    """
    x = torch.tensor([[1, 2, 3], [4, 5, 6]])  # on the CPU, where alone this was seen
    positions, row = torch.tensor([[2], [0]], dtype=torch.int32), torch.tensor([1], dtype=torch.int32)

    assert x.index_select(0, row).tolist() == x[row].tolist() == [[4, 5, 6]]
    assert nn.Embedding(2, 3)(row).shape == (1, 3)
    assert x.index_add(0, row, x[:1]).tolist() == [[1, 2, 3], [5, 7, 9]]
    assert x.gather(1, positions).tolist() == torch.gather(x, 1, positions).tolist() == [[3], [4]]
    assert x.scatter(1, positions, 0).tolist() == [[1, 2, 0], [0, 5, 6]]
    with pytest.raises(RuntimeError, match="should be Long"):
        torch.take_along_dim(x, positions, 1)
    assert torch.take_along_dim(x, positions.long(), 1).tolist() == [[3], [4]]
    assert torch.take_along_dim(x, row).tolist() == [2]  # without a dim it is a `gather`
    strict = {
        "only applicable to index tensor": F.one_hot,
        "index_copy_.*Expected a long tensor": lambda row: x.index_copy(0, row, x[:1]),
        "take.*Expected a long tensor for index": x.take,
    }
    for message, function in strict.items():
        with pytest.raises(RuntimeError, match=message):
            function(row)
        assert function(row.long()) is not None
    with pytest.raises(IndexError, match="Expected dtype int64 for index"):
        x.index_fill(0, row, 0)
    assert x.index_fill(0, row.long(), 0).tolist() == [[1, 2, 3], [0, 0, 0]]


@pytest.mark.holds(
    "torch>=2.13",
    otherwise=UserWarning,
    change="gone",
    concerns=(
        "torch.zeros(names)",
        "torch.ones(names)",
        "torch.empty(names)",
        "torch.rand(names)",
        "torch.randn(names)",
        "torch.tensor(names)",
        "torch.Tensor.names",
        "torch.Tensor.refine_names",
        "torch.Tensor.align_to",
    ),
)
def test_dimensions_have_no_names(device):
    """From torch 2.13 on named tensors are gone: `torch.zeros(2, 3, names=("N", "C"))` raises TypeError, and tensors
    have no `names`, `refine_names` or `align_to`.

    Older releases warn once per process that named tensors are experimental. Write the order of the dimensions in a
    comment, or use `torch.einsum`, which names them in each call.

    https://docs.pytorch.org/docs/2.9/named_tensor.html
    """
    with pytest.raises(TypeError, match="unexpected keyword argument 'names'"):
        torch.zeros(2, 3, names=("N", "C"), device=device)
    assert [hasattr(torch.Tensor, name) for name in ("names", "refine_names", "align_to")] == [False] * 3


@pytest.mark.holds(
    "torch>=2.8",
    otherwise=AssertionError,
    change="result",
    concerns=(
        "torch.Tensor.softmax except NotImplementedError?",
        "torch.Tensor.normal_ except NotImplementedError?",
        "torch.Tensor.histc except NotImplementedError?",
    ),
)
def test_what_a_dtype_cannot_do_raises_not_implemented_error():
    """From torch 2.8 on, "not implemented for 'Long'" from `softmax`, `normal_` and `histc` of an int64 tensor on the
    CPU is a NotImplementedError; up to 2.7 it is a plain RuntimeError.

    NotImplementedError is a RuntimeError, so `except RuntimeError` catches both. Code that compares the type is changed
    by the upgrade. Write `x.float().softmax(0)`.

    https://docs.pytorch.org/docs/stable/tensor_attributes.html
    """
    x = torch.tensor([1, 2])
    types = []

    for call in (lambda: x.softmax(0), x.normal_, lambda: torch.histc(x)):
        with pytest.raises(RuntimeError, match="not implemented for 'Long'") as caught:
            call()
        types.append(caught.type)

    assert types == [NotImplementedError] * 3


# Unsigned integers of more than one byte. On the CPU: each device has its own list of what it can do with them.
UNSIGNED = ["uint16", "uint32", "uint64"]


@pytest.mark.holds(
    "torch>=2.3", otherwise=AttributeError, change="new", concerns=("torch.uint16", "torch.uint32", "torch.uint64")
)
@pytest.mark.parametrize("name", UNSIGNED)
def test_wide_unsigned_integers_hold_and_multiply(name):
    """From torch 2.3 on there are uint16, uint32 and uint64.

    On the CPU they can be multiplied, divided with `/`, compared with `==`, added up with `sum` and joined with `cat`.
    But `+`, `//` and `<` of two of them, `max` and `argmax` raise RuntimeError, and so do `+` and `*` with a vector of
    another integer dtype. Write `x.long()` first: int64 holds every uint16 and uint32; a uint64 from 2**63 on becomes
    negative.

    https://docs.pytorch.org/docs/stable/tensors.html
    """
    dtype = getattr(torch, name)
    highest = torch.iinfo(dtype).max
    tensor = torch.tensor([7, highest, 5], dtype=dtype)

    assert (tensor.dtype, tensor.tolist(), tensor[1].item()) == (dtype, [7, highest, 5], highest)
    assert ((tensor * 3).dtype, (tensor * 3).tolist()) == (dtype, [21, highest - 2, 15])
    assert ((tensor / tensor).dtype, (tensor == tensor[0]).tolist()) == (torch.float32, [True, False, False])
    assert (tensor[::2].sum().dtype, tensor[::2].sum().item()) == (torch.int64, 12)
    assert (torch.cat([tensor, tensor[:1]]).tolist(), tensor[::2].long().tolist()) == ([7, highest, 5, 7], [7, 5])
    assert tensor[1].long().item() == (-1 if name == "uint64" else highest)
    assert (tensor[::2] * torch.tensor(3)).tolist() == [21, 15]
    refused = [lambda: tensor + tensor, lambda: tensor + 1, lambda: tensor // tensor, lambda: tensor < tensor]
    refused += [tensor.max, tensor.argmax, lambda: tensor + tensor.int(), lambda: tensor * tensor.long()]
    for operation in refused:
        with pytest.raises(RuntimeError, match=r"not implemented for|Promotion for uint16, uint32, uint64"):
            operation()


@pytest.mark.holds(
    "torch>=2.4",
    otherwise=(AttributeError, RuntimeError),
    change="new",
    concerns=("torch.uint16", "torch.uint32", "torch.uint64"),
)
@pytest.mark.parametrize("name", UNSIGNED)
def test_wide_unsigned_integers_sort_and_meet_floats(name):
    """From torch 2.4 on uint16, uint32 and uint64 can be sorted on the CPU and compared with `torch.equal`, and with a
    float tensor they give the dtype of the float.

    In 2.3 sorting a vector, comparing it with a copy and adding a vector of floats raise RuntimeError. Convert to int64
    first there, with `x.long()`, if no number of a uint64 tensor is 2**63 or more: `long()` makes these negative.

    https://docs.pytorch.org/docs/stable/tensors.html
    """
    tensor = torch.tensor([7, 3, 7, 5], dtype=getattr(torch, name))

    total = tensor + torch.tensor([0.5, 1.0, 1.5, 2.0])

    assert (total.dtype, total.tolist()) == (torch.float32, [7.5, 4, 8.5, 7])
    assert torch.promote_types(tensor.dtype, torch.float16) == torch.float16
    assert (tensor.sort().values.tolist(), tensor.unique().tolist()) == ([3, 5, 7, 7], [3, 5, 7])
    assert (torch.equal(tensor, tensor.clone()), torch.equal(tensor, tensor * 2)) == (True, False)


@pytest.mark.holds(
    "torch>=2.10",
    otherwise=(AttributeError, RuntimeError),
    change="new",
    concerns=("torch.uint16", "torch.uint32", "torch.uint64"),
)
@pytest.mark.parametrize("name", UNSIGNED)
def test_wide_unsigned_integers_take_a_mask(name):
    """From torch 2.10 on `x[mask]` and `x[[0, 2]]` select from uint16, uint32 and uint64 on the CPU; older releases
    raise RuntimeError.

    `x[2]` and slices work in every release that has the dtypes. In older releases write `x.long()[mask].to(x.dtype)`:
    without `.to`, a uint64 from 2**63 on is negative.

    https://docs.pytorch.org/docs/stable/tensors.html
    """
    tensor = torch.tensor([7, 3, 9, 5], dtype=getattr(torch, name))

    assert (tensor[2].item(), tensor[1:3].tolist()) == (9, [3, 9])
    assert tensor.long()[torch.tensor([True, False, True, False])].to(tensor.dtype).tolist() == [7, 9]

    for selected in (tensor[torch.tensor([True, False, True, False])], tensor[[0, 2]], tensor[torch.tensor([0, 2])]):
        assert (selected.dtype, selected.tolist()) == (tensor.dtype, [7, 9])

    large = torch.tensor([-1, 5]).to(torch.uint64)
    mask = torch.tensor([True, False])
    assert (large[mask].item(), large.long()[mask].item()) == (2**64 - 1, -1)
    assert large.long()[mask].to(large.dtype).item() == 2**64 - 1


# What half precision can do on the CPU, and since when
HALF = torch.tensor([[1.0, 2.0], [-3.0, 0.5]], dtype=torch.float16)


def agrees_with_float32(function, x):
    """Whether a function gives for these numbers what it gives in float32, rounded to their dtype once or twice."""
    actual, expected = function(x), function(x.float())
    steps = torch.finfo(x.dtype).eps * expected.abs().clamp(min=1)
    return actual.dtype == x.dtype and bool(((actual.float() - expected).abs() <= steps).all())


ELEMENTWISE = {
    "exp": torch.exp,
    "round": torch.round,
    "clamp": lambda x: x.clamp(-1, 1),
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "gelu": F.gelu,
}

PRODUCTS = {
    "matmul": lambda x: x @ x,
    "linear": lambda x: F.linear(x, x, x[0]),
    "conv2d": lambda x: F.conv2d(x[None, None], x[None, None]),
    "cumsum": lambda x: x.cumsum(dim=0),
    "topk": lambda x: x.topk(1).values,
    "max_pool2d": lambda x: F.max_pool2d(x[None, None], 2),
}

AVERAGES = {
    "layer_norm": lambda x: F.layer_norm(x, (2,)),
    "avg_pool2d": lambda x: F.avg_pool2d(x[None, None], 2),
    "interpolate": lambda x: F.interpolate(x[None, None], scale_factor=2.0, mode="bilinear"),
}


def test_float16_adds_and_multiplies_on_the_cpu():
    """`+`, `-`, `*`, `/`, `**`, `sum`, `mean`, `std`, `max` and `sort` of float16 work on the CPU in every release.

    Each operation rounds its result to float16, which keeps eleven significant bits and ends at 65504. In torch 2.0
    `mean` rounds the sum too: the mean of 60000 and 60000 is inf there, and 60000 in later releases. Convert to float32
    with `x.float()` before you add up many numbers. `scores.masked_fill(mask, -1e9)` raises RuntimeError ("Half without
    overflow"): write `-math.inf` or `torch.finfo(scores.dtype).min`.

    https://docs.pytorch.org/docs/stable/tensors.html
    """
    functions = [torch.neg, torch.sum, torch.mean, torch.max, lambda x: x.sort().values, lambda x: x.std(dim=0)]
    functions += [lambda x: x + x[0], lambda x: x - x[0], lambda x: x * x[1], lambda x: x / x[1], lambda x: x**2]

    assert [agrees_with_float32(function, HALF) for function in functions] == [True] * 11
    assert (torch.finfo(torch.float16).eps, torch.finfo(torch.float16).max) == (2**-10, 65504)
    assert torch.tensor(2.0**11 + 1, dtype=torch.float16).item() == 2**11
    large = torch.tensor([60000.0, 60000.0], dtype=torch.float16)
    assert large.mean().item() in (60000, math.inf)  # inf in torch 2.0
    assert large.float().mean().item() == 60000
    with pytest.raises(RuntimeError, match="Half without overflow"):
        HALF.masked_fill(HALF < 0, -1e9)
    for low in (-math.inf, torch.finfo(HALF.dtype).min):
        assert HALF.masked_fill(HALF < 0, low).tolist() == [[1, 2], [low, 0.5]]


@pytest.mark.holds("torch>=2.1", otherwise=RuntimeError, change="new", concerns="torch.float16")
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_float16_has_functions_on_the_cpu(name):
    """From torch 2.1 on `exp`, `round`, `clamp`, `relu`, `sigmoid`, `tanh` and `gelu` take float16 on the CPU; torch
    2.0 raises RuntimeError ("not implemented for 'Half'").

    In torch 2.0 write `x.bfloat16()` or `x.float()` first.

    https://docs.pytorch.org/docs/stable/tensors.html
    """
    assert agrees_with_float32(ELEMENTWISE[name], HALF)


@pytest.mark.holds("torch>=2.2", otherwise=RuntimeError, change="new", concerns="torch.float16")
@pytest.mark.parametrize("name", PRODUCTS)
def test_float16_has_matrix_products_on_the_cpu(name):
    """From torch 2.2 on `matmul`, `linear`, `conv2d`, `max_pool2d`, `cumsum` and `topk` take float16 on the CPU; torch
    2.0 and 2.1 raise RuntimeError ("not implemented for 'Half'").

    A float16 model from a GPU fails like this on an old CPU release. Write `model.float()` or `model.bfloat16()` there.

    https://docs.pytorch.org/docs/stable/generated/torch.matmul.html
    """
    assert agrees_with_float32(PRODUCTS[name], HALF)


@pytest.mark.holds("torch>=2.3", otherwise=RuntimeError, change="new", concerns="torch.float16")
@pytest.mark.parametrize("name", AVERAGES)
def test_float16_has_layer_norm_on_the_cpu(name):
    """From torch 2.3 on `layer_norm`, `avg_pool2d` and bilinear `interpolate` (without `antialias=True`) take float16
    on the CPU; older releases raise RuntimeError.

    A model with `nn.LayerNorm` therefore needs torch 2.3 to run in float16 on the CPU, or `model.bfloat16()`. Bilinear
    `interpolate` with `antialias=True` still raises, for bfloat16 too: give it `image.float()`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.layer_norm.html
    """
    assert agrees_with_float32(AVERAGES[name], HALF)
    for image in (torch.ones(1, 1, 4, 4).half(), torch.ones(1, 1, 4, 4).bfloat16()):
        with pytest.raises(RuntimeError, match="not implemented for"):
            F.interpolate(image, size=2, mode="bilinear", antialias=True)
        assert F.interpolate(image.float(), size=2, mode="bilinear", antialias=True).shape == (1, 1, 2, 2)


def test_bfloat16_computes_on_the_cpu():
    """What float16 learnt on the CPU in torch 2.1, 2.2 and 2.3 (`exp`, `matmul`, `conv2d`, `layer_norm` and the others
    of the notes above), bfloat16 does in every release.

    bfloat16 reaches beyond 3e38, where float16 ends at 65504, but keeps three significant bits fewer: between 1 and 2
    its steps are 1/128. `torch.linalg.svd` of both raises RuntimeError: convert to float32 for it.

    https://docs.pytorch.org/docs/stable/tensors.html
    """
    functions = ELEMENTWISE | PRODUCTS | AVERAGES

    found = {name: agrees_with_float32(function, HALF.bfloat16()) for name, function in functions.items()}

    assert found == dict.fromkeys(functions, True)
    assert torch.finfo(torch.bfloat16).max > 3e38 > torch.finfo(torch.float16).max == 65504
    assert (torch.finfo(torch.bfloat16).eps, torch.finfo(torch.float16).eps) == (1 / 128, 1 / 1024)
    for dtype in (torch.float16, torch.bfloat16):
        with pytest.raises(RuntimeError, match="not implemented for"):
            torch.linalg.svd(HALF.to(dtype))


# Numbers of one byte: float8


@pytest.mark.holds(
    "torch>=2.1", otherwise=AttributeError, change="new", concerns=("torch.float8_e4m3fn", "torch.float8_e5m2")
)
@pytest.mark.parametrize(("name", "step"), [("float8_e4m3fn", 1 / 8), ("float8_e5m2", 1 / 4)])
def test_float8_is_for_storing(name, step):
    """From torch 2.1 on `torch.float8_e4m3fn` and `torch.float8_e5m2` store a number in one byte.

    On the CPU `+`, `-`, `/`, `<`, `sum()` and `max` of them raise RuntimeError ("not implemented for");
    `sum(dtype=torch.float32)` works. Write `x.float()` before you compute, also with a vector of another dtype. Between
    1 and 2 the steps are 1/8 in float8_e4m3fn and 1/4 in float8_e5m2.

    https://docs.pytorch.org/docs/stable/tensors.html
    """
    dtype = getattr(torch, name)  # on the CPU: not every accelerator has it
    tensor = torch.tensor([0.5, 1 + step, 1 + step * 1.25, -3.0]).to(dtype)

    assert (tensor.dtype, tensor.element_size()) == (dtype, 1)
    assert tensor.float().tolist() == [0.5, 1 + step, 1 + step, -3]
    refused = [lambda: tensor + tensor, lambda: tensor - tensor, lambda: tensor / tensor, lambda: tensor < tensor]
    for operation in [*refused, tensor.sum, tensor.max]:
        with pytest.raises(RuntimeError, match="not implemented for"):
            operation()
    assert tensor.sum(dtype=torch.float32).item() == 2 * step - 0.5
    assert (tensor.float() + torch.arange(4)).tolist() == [0.5, 2 + step, 3 + step, 0]


@pytest.mark.holds(
    "torch>=2.13", otherwise=(AssertionError, AttributeError), change="result", concerns="torch.float8_e4m3fn"
)
def test_float8_e4m3fn_stops_at_448():
    """From torch 2.13 on a float32 that is too large for float8_e4m3fn, inf included, becomes 448 on the CPU, the
    largest number of that dtype; in older releases 500 becomes nan.

    nan stays nan. float8_e5m2 goes up to 57344, and 1e9 becomes inf there. Write `x.clamp(-448, 448)` before you
    convert: then every release gives the same numbers.

    https://docs.pytorch.org/docs/stable/type_info.html
    """
    large = torch.tensor([448.0, 500.0, -1e9, math.inf])

    assert large.to(torch.float8_e4m3fn).float().tolist() == [448, 448, -448, 448]
    assert torch.tensor(math.nan).to(torch.float8_e4m3fn).float().isnan().item() is True
    assert torch.finfo(torch.float8_e4m3fn).max == 448
    assert torch.finfo(torch.float8_e5m2).max == 57344
    assert large.to(torch.float8_e5m2).float().tolist() == [448, 512, -math.inf, math.inf]
    assert large.clamp(-448, 448).to(torch.float8_e4m3fn).float().tolist() == [448, 448, -448, 448]
