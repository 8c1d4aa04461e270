"""Tensors: what goes into a model, what comes out of it, and what its weights are made of.

A tensor is a box of numbers with a shape (how many along each dimension), a dtype (one kind of number for all of
them) and a device (whose memory holds them). A scalar, a vector and a matrix are tensors with 0, 1 and 2 dimensions,
and nothing stops there. Most surprises in PyTorch code are about one of four questions, and this section goes through
them: which shape comes out, which dtype comes out, which numbers come out, and whether the result shares its memory
with what it was made from.
"""

import itertools
import math
import operator

import numpy as np
import pytest
import torch
from hypothesis import example, given, strategies as st
from torch import nn
from torch.nn import functional as F

# Shape: how many numbers, in how many directions


def test_ndim_counts_the_levels_of_brackets(device):
    """`ndim` is how deep the brackets are nested, and `shape` says how many items there are on each level, outermost
    first.

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


def test_length_is_the_size_of_the_first_dimension(device):
    """`len(tensor)` counts along the first dimension only, a loop goes along the same one, and a scalar has neither.

    For the number of elements ask `numel()`, for one dimension `size(dim)` or `shape[dim]`.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.size.html
    """
    matrix = torch.tensor([[1, 2], [3, 4], [5, 6]], device=device)

    assert len(matrix) == matrix.size(0) == matrix.shape[0] == 3
    assert matrix.size(1) == matrix.size(-1) == matrix.shape[-1] == 2
    assert matrix.size() == matrix.shape
    assert [row.tolist() for row in matrix] == [[1, 2], [3, 4], [5, 6]]
    with pytest.raises(TypeError, match="0-d tensor"):
        len(torch.tensor(7, device=device))
    with pytest.raises(TypeError, match="0-d tensor"):
        iter(torch.tensor(7, device=device))


def nested(shape, numbers):
    """Lists in lists of this shape, filled from the iterator `numbers`."""
    return [nested(shape[1:], numbers) for _ in range(shape[0])] if shape else next(numbers)


@given(shape=st.lists(st.integers(1, 3), max_size=4), first=st.integers(-(2**62), 2**62))
@example(shape=[2, 3], first=2**60 + 1)
def test_tolist_gives_back_the_lists_for_every_shape(device, shape, first):
    """A tensor made of nested lists has the shape of the nesting, and `tolist` gives the same lists of integers back.

    Floats come back rounded to float32, unless they fit.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.tolist.html
    """
    lists = nested(shape, iter(range(first, first + 81)))
    tensor = torch.tensor(lists, device=device)

    assert tensor.shape == tuple(shape)
    assert tensor.tolist() == lists


def test_a_tensor_is_rectangular_and_holds_only_numbers(device):
    """Rows of different lengths are a ValueError, and so are lists of strings: a tensor is a full rectangle of numbers.

    Pad the short rows (`torch.nn.utils.rnn.pad_sequence`), keep a list of tensors, or turn words into numbers first.

    https://docs.pytorch.org/docs/stable/generated/torch.tensor.html
    """
    with pytest.raises(ValueError, match="expected sequence of length 2"):
        torch.tensor([[1, 2], [3]], device=device)
    with pytest.raises(ValueError, match="too many dimensions 'str'"):
        torch.tensor(["cat", "dog"], device=device)


def test_item_is_a_python_number(device):
    """`item()` turns a tensor of one element, in however many brackets, into a plain Python float, int or bool.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.item.html
    """
    numbers = [torch.tensor(number, device=device).item() for number in (-7, [[2.5]], [True], [[[0]]])]

    assert numbers == [-7, 2.5, True, 0]
    assert [type(number) for number in numbers] == [int, float, bool, int]


def test_item_of_several_elements_raises(device):
    """`item()` works for exactly one element: for more, or for none, it raises RuntimeError; `tolist()` takes any
    number.

    `float(tensor)` and `int(tensor)` refuse too, with ValueError.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.item.html
    """
    with pytest.raises(RuntimeError, match="2 elements cannot be converted to Scalar"):
        torch.tensor([1.5, 2.5], device=device).item()
    with pytest.raises(RuntimeError, match="0 elements cannot be converted to Scalar"):
        torch.tensor([], device=device).item()
    with pytest.raises(ValueError, match="only one element tensors"):
        float(torch.tensor([1.5, 2.5], device=device))
    with pytest.raises(ValueError, match="only one element tensors"):
        int(torch.tensor([[7], [8]], device=device))
    assert (float(torch.tensor([1.5], device=device)), int(torch.tensor([[7]], device=device))) == (1.5, 7)
    assert torch.tensor([1.5, 2.5], device=device).tolist() == [1.5, 2.5]


@pytest.mark.holds("torch>=2.1", otherwise=AttributeError)
def test_nbytes_is_the_memory_of_the_numbers(device):
    """From torch 2.1 on `nbytes` says how much memory a tensor's numbers take: their count times the bytes of each.

    `numel() * element_size()` is the same in every release. A view counts its own numbers, though it takes no memory.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.nbytes.html
    """
    for dtype, size in ((torch.float32, 4), (torch.float16, 2), (torch.int64, 8), (torch.bool, 1)):
        tensor = torch.zeros(2, 3, dtype=dtype, device=device)

        assert tensor.nbytes == tensor.numel() * tensor.element_size() == 6 * size
        assert tensor[:, :2].nbytes == 4 * size
        assert dtype.itemsize == size


# dtype: what kind of number


def test_literals_decide_the_dtype(device):
    """Without `dtype=`, `torch.tensor` makes floats float32, ints int64 and bools bool; in a mixed list the widest
    kind wins.

    An empty list has nothing to go by, and becomes float32.

    https://docs.pytorch.org/docs/stable/generated/torch.tensor.html
    """

    def dtype(data):
        return torch.tensor(data, device=device).dtype

    assert [dtype(2.5), dtype([1.0, -2.0])] == [torch.float32, torch.float32]
    assert [dtype(2), dtype([[1, -2]]), dtype(2**40)] == [torch.int64, torch.int64, torch.int64]
    assert [dtype(True), dtype([True, False])] == [torch.bool, torch.bool]
    assert [dtype([1, 2.5]), dtype([True, 2.5]), dtype([True, 2])] == [torch.float32, torch.float32, torch.int64]
    assert dtype([]) == torch.float32
    assert torch.tensor(1 + 2j).dtype == torch.tensor([1, 2j]).dtype == torch.complex64


@pytest.mark.myth("torch.Tensor is just another spelling of torch.tensor")
def test_capital_tensor_is_float32_and_reads_a_number_as_a_size():
    """`torch.Tensor([1, 2])` is float32 whatever is in the list, and `torch.Tensor(3)` is three numbers, not the
    number 3.

    Use `torch.tensor`. The first half changes data without a word: large integers, such as identifiers, lose their
    last digits.

    https://docs.pytorch.org/docs/stable/tensors.html
    """
    # On the CPU: `torch.Tensor` makes no others.
    small, capital = torch.tensor([1, 16_777_217]), torch.Tensor([1, 16_777_217])

    assert (small.dtype, small.tolist()) == (torch.int64, [1, 16_777_217])
    assert (capital.dtype, capital.tolist()) == (torch.float32, [1, 16_777_216])
    assert torch.Tensor([True, False]).dtype == torch.float32
    assert (torch.tensor(3).shape, torch.tensor(3).item()) == ((), 3)
    assert (torch.Tensor(3).shape, torch.Tensor(2, 3).shape) == ((3,), (2, 3))


def test_arange_and_full_follow_their_arguments(device):
    """`arange` and `full` take their dtype from the numbers they are given; `zeros`, `ones`, `eye`, `linspace` and
    `rand` are float32.

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


def test_range_includes_its_end_and_warns(device):
    """`torch.range` includes its end and is deprecated, `arange` stops before it like Python's range, `linspace` ends
    on it.

    https://docs.pytorch.org/docs/stable/generated/torch.range.html
    """
    with pytest.warns(UserWarning, match="torch.range is deprecated"):
        old = torch.range(1, 4, device=device)

    assert (old.tolist(), old.dtype) == ([1, 2, 3, 4], torch.float32)
    assert torch.arange(1, 4, device=device).tolist() == [1, 2, 3]
    assert torch.arange(4, 1, -1, device=device).tolist() == [4, 3, 2]
    assert torch.linspace(1, 4, steps=7, device=device).tolist() == [1, 1.5, 2, 2.5, 3, 3.5, 4]


def test_default_dtype_is_what_float_literals_become():
    """`set_default_dtype` changes what Python floats and factories become; integers stay int64, and no integer dtype
    is taken.

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
        integers = torch.tensor(1)
        spaced = torch.linspace(0, 1, 3)
    finally:
        torch.set_default_dtype(torch.float32)

    assert [tensor.dtype for tensor in literals + made] == [torch.float64] * 10
    assert (spaced.dtype, integers.dtype) == (torch.float64, torch.int64)
    assert torch.tensor(1.5).dtype == torch.float32
    with pytest.raises(TypeError, match="only floating-point types"):
        torch.set_default_dtype(torch.int64)


@pytest.mark.holds("torch>=2.1", otherwise=AssertionError)
def test_set_default_tensor_type_is_deprecated():
    """From torch 2.1 on `set_default_tensor_type` warns: `set_default_dtype` and `set_default_device` take its place.

    Both are in torch 2.0 too.

    https://docs.pytorch.org/docs/stable/generated/torch.set_default_tensor_type.html
    """
    try:
        with pytest.warns(UserWarning, match="set_default_tensor_type.* is deprecated"):
            torch.set_default_tensor_type(torch.DoubleTensor)
        assert torch.tensor(1.5).dtype == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


def test_conversion_to_integer_cuts_off(device):
    """Conversion to an integer dtype does not round but cuts the fraction off, towards zero, and to bool makes True
    of everything but 0.

    Round or floor first if that is what you mean.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.to.html
    """
    assert torch.tensor([2.75, -2.75, 0.5], device=device).long().tolist() == [2, -2, 0]
    assert torch.tensor([2.75, -2.75, 0.5], device=device).round().tolist() == [3, -3, 0]
    assert torch.tensor([2.75, -2.75, 0.5], device=device).floor().tolist() == [2, -3, 0]
    assert torch.tensor([0.0, 0.1, -2.0, math.nan], device=device).bool().tolist() == [False, True, True, True]
    for numbers in ([2.75, -2.75, 0.5, -0.5, 0.0], [[-3.5, 1.25], [0.0, 7.0]]):
        tensor = torch.tensor(numbers, device=device)
        cut, true = torch.trunc(tensor).tolist(), (tensor != 0).tolist()

        for converted in (tensor.to(torch.int64), tensor.long(), tensor.type(torch.int64)):
            assert (converted.dtype, converted.tolist()) == (torch.int64, cut)
        for converted in (tensor.to(torch.int32), tensor.int()):
            assert (converted.dtype, converted.tolist()) == (torch.int32, cut)
        for converted in (tensor.to(torch.bool), tensor.bool()):
            assert (converted.dtype, converted.tolist()) == (torch.bool, true)


# What a dtype can hold


@pytest.mark.myth("torch.tensor(0.1).item() is 0.1")
def test_float32_rounds_a_python_float(device):
    """A Python float is float64, so putting one into a float32 tensor rounds it, and `item()` gives back the rounded
    number.

    Compare with a tolerance (`torch.isclose`, `torch.testing.assert_close`), not with `==`.

    https://docs.pytorch.org/docs/stable/generated/torch.isclose.html
    """
    tensor = torch.tensor([0.1, 0.5, 1 / 3], device=device)

    assert tensor.tolist() == [0.10000000149011612, 0.5, 0.3333333432674408]
    assert tensor[0].item() != 0.1
    assert math.isclose(tensor[0].item(), 0.1, rel_tol=torch.finfo(torch.float32).eps / 2)
    other = torch.tensor([0.1000001, 0.5001, 1 / 3], device=device)
    assert (tensor == other).tolist() == [False, False, True]
    for close in (torch.isclose(tensor, other), torch.isclose(other, tensor)):
        assert (close.dtype, close.tolist()) == (torch.bool, [True, False, True])


def test_float32_cannot_count_beyond_16777216(device):
    """float32 has whole numbers without gaps only up to 2**24: 16777217 becomes 16777216, and adding 1 there changes
    nothing.

    Count in int64: a float32 counter stops at 16777216 without a word.

    https://docs.pytorch.org/docs/stable/type_info.html
    """
    counter = torch.tensor([16_777_215.0, 16_777_216.0, 16_777_217.0, 16_777_218.0], device=device)

    assert counter.tolist() == [16_777_215, 16_777_216, 16_777_216, 16_777_218]
    assert (counter + 1).tolist() == [16_777_216, 16_777_216, 16_777_216, 16_777_220]
    assert (counter.long() + 1).tolist() == [16_777_216, 16_777_217, 16_777_217, 16_777_219]


def test_uint8_wraps_around(device):
    """Integers that leave the range of their dtype wrap around silently: in uint8, 250 + 10 is 4 and 0 - 1 is 255.

    Images are often uint8: convert before doing arithmetic on them. `sum` is safe, because it adds up in int64. A
    single value out of range is refused when the tensor is made (except that uint8 takes -1 to -255, and wraps them).

    https://docs.pytorch.org/docs/stable/tensor_attributes.html
    """
    pixels = torch.tensor([250, 0, 128], dtype=torch.uint8, device=device)

    for brighter in (pixels + 10, torch.add(pixels, 10), pixels.add(10)):
        assert (brighter.dtype, brighter.tolist()) == (torch.uint8, [4, 10, 138])
    for darker in (pixels - 1, torch.sub(pixels, 1), pixels.sub(1)):
        assert (darker.dtype, darker.tolist()) == (torch.uint8, [249, 255, 127])
    for doubled in (pixels * 2, torch.mul(pixels, 2), pixels.mul(2), pixels + pixels):
        assert (doubled.dtype, doubled.tolist()) == (torch.uint8, [244, 0, 0])
    assert (pixels.sum().dtype, pixels.sum().item()) == (torch.int64, 378)
    assert (torch.tensor([100], dtype=torch.int8, device=device) + 100).tolist() == [-56]
    with pytest.raises(RuntimeError, match="without overflow"):
        torch.tensor([300], dtype=torch.uint8, device=device)
    assert torch.tensor([-1, -255], dtype=torch.uint8, device=device).tolist() == [255, 1]


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
    """Sum, difference and product in uint8 are those of whole numbers, taken modulo 256: all 65536 pairs of them.

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


# Which dtype comes out


def test_dividing_integers_gives_floats(device):
    """`/` is true division and gives float32 even for two integer tensors; `//` rounds down and stays integer.

    Down is not towards zero: -7 // 2 is -4. For -3 ask `torch.div(..., rounding_mode="trunc")`.

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


def test_integer_division_agrees_with_python_for_every_small_pair(device):
    """`//` and `%` of integer tensors are those of Python: rounded down, and a remainder with the sign of the divisor.

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


def test_dividing_by_zero_is_infinite_for_true_division_only(device):
    """`/ 0` gives inf or nan and raises nothing, for integers too; integer `// 0` and `% 0` raise RuntimeError on the
    CPU.

    A nan travels: nearly all arithmetic with it gives nan (but nan ** 0 is 1, and `<` gives False). Other devices have
    no exceptions in integer arithmetic: there `// 0` gives some number.

    https://docs.pytorch.org/docs/stable/generated/torch.floor_divide.html
    """
    integers = torch.tensor([3, 0, -3], device=device)
    zeros = torch.tensor([0, 0, 0], device=device)

    for quotient in (integers / 0, torch.div(integers, 0), integers.div(0), integers / zeros):
        assert quotient.dtype == torch.float32
        assert [str(number) for number in quotient.tolist()] == ["inf", "nan", "-inf"]
    assert [str(number) for number in (integers / 0.0 + 1).tolist()] == ["inf", "nan", "-inf"]
    assert (((integers / 0) ** 0).tolist(), (integers / 0 < 1).tolist()) == ([1, 1, 1], [False, False, True])
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        integers.cpu() // 0
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        integers.cpu() % 0


def test_promotion_ladder(device):
    """A Python number or a 0-d tensor decides the dtype only if it is of a higher kind (bool < int < float); a 1-d
    tensor has its full say.

    So float32 data stays float32 next to a 0-d float64, and becomes float64 (twice the memory, half the speed or
    worse) next to a 1-d one.

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
        (floats.cpu(), one_float64, torch.float32),
        (floats.cpu(), one_float64.reshape(1), torch.float64),
        (one_and_a_half.cpu(), one_float64, torch.float64),
    ]:
        assert (right + left).dtype == (right * left).dtype == torch.result_type(left, right) == expected
        for spelling in spellings(left.dtype):
            assert spelling(left, right).dtype == expected
    assert (ints + 1.5).tolist() == [2.5, 3.5]


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
    """The dtype of a vector and a 0-d tensor together is the vector's, unless the 0-d tensor is of a higher kind:
    then it is that one's.

    https://docs.pytorch.org/docs/stable/tensor_attributes.html
    """
    for vector, scalar in itertools.product(DTYPES, DTYPES):
        where = home(device, vector, scalar)
        x, y = torch.ones(2, dtype=vector, device=where), torch.tensor(1, dtype=scalar, device=where)
        expected = scalar if kind(scalar) > kind(vector) else vector

        assert {spelling(x, y).dtype for spelling in spellings(vector, scalar)} == {expected}
        assert (y + x).dtype == (y * x).dtype == torch.maximum(x, y).dtype == expected
        assert (x + y).tolist() == [1 if expected == torch.bool else 2] * 2


def test_vectors_promote_to_the_higher_kind_for_every_pair_of_dtypes(device):
    """Of two vectors of different kinds the higher kind's dtype comes out, unwidened; within one kind PyTorch agrees
    with NumPy.

    Unwidened is where the two differ: int64 + float32 is float32 here and float64 in NumPy.

    https://docs.pytorch.org/docs/stable/generated/torch.promote_types.html
    """
    for left, right in itertools.product(DTYPES, DTYPES):
        where = home(device, left, right)
        x, y = torch.ones(2, dtype=left, device=where), torch.ones(2, dtype=right, device=where)
        in_numpy = torch.from_numpy(x.cpu().numpy() + y.cpu().numpy()).dtype
        expected = in_numpy if kind(left) == kind(right) else max(left, right, key=kind)

        assert torch.promote_types(left, right) == expected
        assert {spelling(x, y).dtype for spelling in spellings(left, right)} == {expected}


def test_in_place_never_changes_the_dtype(device):
    """In-place arithmetic keeps the dtype of its tensor: where the result is of a higher kind, it raises RuntimeError.

    Within a kind it converts without a word. Assigning a number and `copy_` do so across kinds too: `counts[0] = 2.75`
    writes a 2. Write `tensor = tensor + 1.5` to let the dtype change.

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
    assert (counts.dtype, counts.tolist()) == (torch.int64, [1, 2, 3])
    halves += torch.tensor([0.5, 2.0**-20], device=device)
    assert (halves.dtype, halves.tolist()) == (torch.float16, [1.5, 2])
    halves /= torch.tensor([2.0, 4.0], device=device)
    assert (halves.dtype, halves.tolist()) == (torch.float16, [0.75, 0.5])
    counts[0] = 2.75
    counts[1:].copy_(torch.tensor([-7.5, 0.5], device=device))
    assert (counts.dtype, counts.tolist()) == (torch.int64, [2, -7, 0])


def test_mean_of_integers_raises(device):
    """`mean` and `std` of integers or bools raise RuntimeError, where NumPy would give a float: convert first.

    `mean` also takes `dtype=torch.float32`; `std` has no such argument.

    https://docs.pytorch.org/docs/stable/generated/torch.mean.html
    """
    integers, bools = torch.tensor([1, 2, 4, 3], device=device), torch.tensor([True, False], device=device)

    for mean, std in ((torch.mean, torch.std), (torch.Tensor.mean, torch.Tensor.std)):
        for tensor in (integers, bools):
            with pytest.raises(RuntimeError, match="could not infer output dtype"):
                mean(tensor)
            with pytest.raises(RuntimeError, match="only support floating point"):
                std(tensor.cpu())  # mps refuses too, in words that change with the release
    for mean in (integers.float().mean(), torch.mean(integers.float()), integers.mean(dtype=torch.float32)):
        assert (mean.dtype, mean.item()) == (torch.float32, 2.5)


def test_sum_of_bools_counts(device):
    """`sum` of bools counts the True ones, as int64; every kind of integer is summed as int64 too, floats keep their
    dtype.

    That is how accuracy is counted: `(predicted == targets).sum()`. `+` of bools is "or", not a count.

    https://docs.pytorch.org/docs/stable/generated/torch.sum.html
    """
    predicted, targets = torch.tensor([3, 1, 2, 0], device=device), torch.tensor([3, 1, 0, 0], device=device)
    correct = predicted == targets

    assert (correct.dtype, correct.tolist()) == (torch.bool, [True, True, False, True])
    int32s = torch.tensor([1, 2], dtype=torch.int32, device=device)
    for count in (correct.sum(), torch.sum(correct), int32s.sum(), torch.sum(int32s)):
        assert (count.dtype, count.item()) == (torch.int64, 3)
    halves = torch.tensor([0.5, 2], dtype=torch.float16, device=device)
    for total in (halves.sum(), torch.sum(halves)):
        assert (total.dtype, total.item()) == (torch.float16, 2.5)
    assert ((correct + correct).dtype, (correct + correct).tolist()) == (torch.bool, [True, True, False, True])
    assert correct.float().mean().item() == 0.75


# Which numbers come out


def test_round_goes_to_the_even_neighbour(device):
    """`round` sends a half to the even neighbour, up or down: 0.5 to 0, 1.5 and 2.5 to 2, like Python and unlike
    school.

    https://docs.pytorch.org/docs/stable/generated/torch.round.html
    """
    halves = torch.tensor([0.5, 1.5, 2.5, 3.5, -0.5, -1.5, -2.5, 2.5078125], device=device)

    assert torch.round(halves).tolist() == halves.round().tolist() == [0, 2, 2, 4, 0, -2, -2, 3]
    assert torch.round(halves).dtype == halves.round().dtype == torch.float32


def test_round_agrees_with_python_for_every_half(device):
    """`torch.round` and Python's `round` agree on every quarter, half and whole number from -100 to 100.

    https://docs.pytorch.org/docs/stable/generated/torch.round.html
    """
    numbers = [quarters / 4 for quarters in range(-400, 401)]
    tensor = torch.tensor(numbers, device=device)

    assert torch.round(tensor).tolist() == tensor.round().tolist() == [round(number) for number in numbers]


def test_std_is_unbiased_and_numpy_is_not(device):
    """`std` and `var` divide by n - 1 in PyTorch and by n in NumPy: pass `unbiased=False` here or `ddof=1` there to
    make them agree.

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


@pytest.mark.holds("torch>=2.2", otherwise=AssertionError)
def test_std_of_one_number_warns():
    """From torch 2.2 on `std` and `var` of a single number warn; in every release they give nan, because n - 1 is 0.

    A last batch of one meets this. Divide by n (`unbiased=False`), which gives 0, or drop that batch.

    https://docs.pytorch.org/docs/stable/generated/torch.std.html
    """
    batch_of_one = torch.tensor([[1.0, 5.0, 2.0]])  # on the CPU: CUDA warns as well, mps gives nan without a word

    for spread in (torch.std, torch.var, torch.Tensor.std, torch.Tensor.var):
        with pytest.warns(UserWarning, match="degrees of freedom is <= 0"):
            undefined = spread(batch_of_one, dim=0)
        assert (undefined.isnan().tolist(), undefined.dtype) == ([True] * 3, torch.float32)
        assert spread(batch_of_one, dim=0, unbiased=False).tolist() == [0, 0, 0]
    assert torch.tensor([1.0, 5.0]).var().item() == 8


def test_equality_is_elementwise(device):
    """`==` gives one bool an element; `torch.equal` gives one for the whole, and wants the same shape where `==`
    would stretch.

    nan is equal to nothing, itself included.

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


def test_a_condition_needs_one_bool(device):
    """`if tensor:` raises RuntimeError for more than one element, and so do `and`, `or`, `not`: use `any()` or
    `all()`, and `&`, `|`, `~`.

    https://docs.pytorch.org/docs/stable/generated/torch.all.html
    """
    tensor = torch.tensor([-1, 0, 5, 2], device=device)

    for ambiguous in (lambda: bool(tensor > 0), lambda: tensor > 0 and tensor < 3, lambda: not tensor):
        with pytest.raises(RuntimeError, match="more than one value is ambiguous"):
            ambiguous()
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


# Multiplying


def test_star_is_elementwise_and_at_is_matrix_multiplication(device):
    """`*` multiplies element by element, `@` is the matrix product: of square matrices both run, to the same shape.

    So nothing raises or warns where one is written for the other.

    https://docs.pytorch.org/docs/stable/generated/torch.matmul.html
    """
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]], device=device)
    y = torch.tensor([[5.0, 6.0], [7.0, 8.0]], device=device)

    for multiply in (operator.mul, torch.mul, torch.multiply, torch.Tensor.mul):
        assert multiply(x, y).tolist() == [[5, 12], [21, 32]]
        assert multiply(x, y).dtype == torch.float32
        assert multiply(y, x[0]).tolist() == [[5, 12], [7, 16]]
    for multiply in (operator.matmul, torch.matmul, torch.mm, torch.Tensor.matmul, torch.Tensor.mm):
        assert multiply(x, y).tolist() == [[19, 22], [43, 50]]
        assert multiply(y, x).tolist() == [[23, 34], [31, 46]]


def test_matmul_shapes(device):
    """`matmul` reads a 1-d tensor as a row on the left and a column on the right, and treats all but the last two
    dimensions as batches.

    The result of two vectors has no dimension left; batches are broadcast, so one matrix can serve all of them.
    NumPy's `@` is the same.

    https://docs.pytorch.org/docs/stable/generated/torch.matmul.html
    """
    shapes = {
        ((3,), (3,)): (),
        ((2, 3), (3,)): (2,),
        ((3,), (3, 4)): (4,),
        ((2, 3), (3, 4)): (2, 4),
        ((5, 2, 3), (3,)): (5, 2),
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


def test_mm_takes_matrices_only(device):
    """`mm` multiplies two matrices and `bmm` two batches of them, and both refuse everything else, where `matmul`
    finds a reading.

    Refusing is their use: a batch dimension you did not expect becomes an error instead of a larger result.

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
            other.mm(matrix)
    for other in (vector, matrix):
        with pytest.raises(RuntimeError, match="must be a 3D tensor"):
            torch.bmm(other, batch)
        with pytest.raises(RuntimeError, match="must be a 3D tensor"):
            other.bmm(batch)


def test_inner_dimensions_must_match(device):
    """(3, 2) @ (3, 2) raises RuntimeError: the columns on the left must be as many as the rows on the right, and the
    outer sizes remain.

    The most common shape error of all. The cure is often a transpose, but look which of the two should be turned:
    both run.

    https://docs.pytorch.org/docs/stable/generated/torch.matmul.html
    """
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], device=device)
    y = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], device=device)

    for multiply in (operator.matmul, torch.matmul, torch.mm, torch.Tensor.matmul, torch.Tensor.mm):
        with pytest.raises(RuntimeError, match=r"shapes cannot be multiplied \(3x2 and 3x2\)"):
            multiply(x, y)
    assert (x @ y.T).tolist() == [[1, 2, 3], [3, 4, 7], [5, 6, 11]]
    assert (x.T @ y).tolist() == [[6, 8], [8, 10]]


@given(rows=st.integers(1, 4), inner=st.integers(1, 4), columns=st.integers(1, 4))
@example(rows=2, inner=3, columns=4)
def test_matrix_product_is_rows_times_columns_for_every_size(device, rows, inner, columns):
    """Element (i, j) of a matrix product is the sum over k of x[i, k] times y[k, j], for all sizes.

    https://docs.pytorch.org/docs/stable/generated/torch.matmul.html
    """
    # Whole numbers this small are exact in float32, whatever the device rounds its inputs to.
    x = torch.randint(-9, 10, (rows, inner)).float().to(device)
    y = torch.randint(-9, 10, (inner, columns)).float().to(device)

    expected = [[sum(map(operator.mul, row, column)) for column in zip(*y.tolist(), strict=True)] for row in x.tolist()]
    for product in (x @ y, torch.matmul(x, y), torch.mm(x, y), x.mm(y)):
        assert (product.dtype, product.tolist()) == (torch.float32, expected)


@pytest.mark.holds("torch>=2.2", otherwise=AssertionError)
def test_cross_without_dim_warns(device):
    """From torch 2.2 on `torch.cross(a, b)` without `dim` warns: it goes along the first dimension of size 3, and that
    is the batch, if there are three vectors in it.

    `torch.linalg.cross` goes along the last one, in every release.

    https://docs.pytorch.org/docs/stable/generated/torch.cross.html
    """
    a = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 2.0]], device=device)
    b = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 3.0], [5.0, 0.0, 0.0]], device=device)

    with pytest.warns(UserWarning, match="without specifying the dim arg"):
        guessed = torch.cross(a, b)

    assert guessed.tolist() == torch.cross(a, b, dim=0).tolist()
    for product in (torch.linalg.cross(a, b), torch.cross(a, b, dim=1)):
        assert product.tolist() == [[0, 0, 1], [3, 0, 0], [0, 10, 0]]
        assert product.tolist() != guessed.tolist()


@pytest.mark.holds("torch>=2.14", otherwise=UserWarning)
def test_linear_algebra_is_in_linalg(device, rounding_bound):
    """From torch 2.14 on `torch.qr` and `torch.cholesky` raise RuntimeError, as they had long warned: write
    `torch.linalg.qr` and `torch.linalg.cholesky`.

    Those are in every release.

    https://docs.pytorch.org/docs/stable/linalg.html
    """
    matrix = torch.tensor([[4.0, 2.0], [2.0, 10.0]], device=device)

    for removed in (torch.qr, torch.cholesky):
        with pytest.raises(RuntimeError, match="now removed"):
            removed(matrix)
    factor = torch.tensor([[2.0, 0.0], [1.0, 3.0]], device=device)
    # Nothing need be rounded here; a device that divides by way of a reciprocal root rounds a few times.
    torch.testing.assert_close(torch.linalg.cholesky(matrix), factor, rtol=rounding_bound(8, torch.float32), atol=0)


# Broadcasting


def test_broadcasting_stretches_dimensions_of_size_one(device):
    """Shapes are lined up at their last dimension, and a size of 1, or a missing dimension, is stretched to the
    other's size.

    https://docs.pytorch.org/docs/stable/notes/broadcasting.html
    """
    column = torch.tensor([[10], [20], [30]], device=device)
    row = torch.tensor([1, 2], device=device)

    for total in (column + row, row + column, torch.add(column, row), column.add(row)):
        assert total.tolist() == [[11, 12], [21, 22], [31, 32]]
    assert (column + 1).tolist() == (1 + column).tolist() == [[11], [21], [31]]
    assert (torch.zeros(5, 1, 2, device=device) + column).shape == (5, 3, 2)


def test_broadcasting_refuses_sizes_that_differ(device):
    """Two different sizes of which neither is 1 raise RuntimeError; and in-place, the tensor written to is never
    stretched.

    A vector with one number a row needs `unsqueeze(1)` to go down the rows: shapes line up from the right.

    https://docs.pytorch.org/docs/stable/notes/broadcasting.html
    """
    matrix, per_row = torch.zeros(3, 2, device=device), torch.tensor([1.0, 2.0, 3.0], device=device)

    for operation in (operator.add, torch.sub, torch.mul, operator.gt):
        with pytest.raises(RuntimeError, match="must match"):
            operation(matrix, per_row)
    assert (matrix + per_row.unsqueeze(1)).tolist() == [[1, 1], [2, 2], [3, 3]]
    with pytest.raises(RuntimeError, match="doesn't match the broadcast shape"):
        per_row += torch.zeros(2, 3, device=device)


def test_column_minus_vector_is_a_square(device):
    """Predictions of shape (N, 1) minus targets of shape (N,) are an N by N table of all pairs, not N differences,
    and nothing warns.

    A model whose last layer has one output gives (N, 1). Squeeze its last dimension, or unsqueeze the targets. (A few
    losses, such as `nn.MSELoss`, do warn.)

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


SHAPES = st.lists(st.integers(1, 3), max_size=3).map(tuple)


@given(left=SHAPES, right=SHAPES, dtype=st.sampled_from([torch.int64, torch.float32]))
@example(left=(3, 1, 2), right=(2, 1), dtype=torch.float32)
@example(left=(), right=(3,), dtype=torch.int64)
@example(left=(2, 3), right=(2,), dtype=torch.float32)
@example(left=(3, 1), right=(3,), dtype=torch.int64)
def test_broadcasting_agrees_with_numpy_for_every_pair_of_shapes(device, left, right, dtype):
    """PyTorch and NumPy broadcast alike: the same shapes go together, to the same shape and numbers, and the others
    raise in both.

    https://numpy.org/doc/stable/user/basics.broadcasting.html
    """
    a, b = np.arange(math.prod(left)).reshape(left), np.arange(math.prod(right)).reshape(right)
    x, y = (torch.tensor(array.tolist(), dtype=dtype, device=device) for array in (a, b))
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
    """`b = a` copies nothing: `b += 1` and `b.add_(1)` change `a` too, `b = b + 1` makes a new tensor; `clone` makes
    a copy.

    Methods that end in an underscore work in place and return the tensor itself.

    https://docs.pytorch.org/docs/stable/generated/torch.clone.html
    """
    a = torch.tensor([1, 2], device=device)
    b, copy = a, a.clone()

    b += 9
    assert b.add_(1) is a
    assert b.mul_(2) is a
    b[0] = 7
    assert a.tolist() == [7, 24]

    b = b + 1
    assert (a.tolist(), b.tolist(), copy.tolist()) == ([7, 24], [8, 25], [1, 2])
    assert (copy.dtype, copy.shape) == (torch.int64, (2,))


def kinship(make, device):
    """Whether what `make` makes of a (2, 3) tensor sees all later writes to that tensor ("view") or none ("copy")."""
    tensor = torch.tensor([[1, 2, 3], [4, 5, 6]], device=device)
    made = make(tensor)
    before = made.clone()
    tensor += 10
    seen = (made - before == 10).flatten().tolist()
    return "view" if all(seen) else "copy" if torch.equal(made, before) else "neither"


VIEWS = {
    "view": lambda tensor: tensor.view(3, 2),
    "reshape": lambda tensor: tensor.reshape(3, 2),
    "torch.reshape": lambda tensor: torch.reshape(tensor, (6,)),
    "flatten": lambda tensor: tensor.flatten(),
    "torch.flatten": lambda tensor: torch.flatten(tensor),
    "permute": lambda tensor: tensor.permute(1, 0),
    "torch.permute": lambda tensor: torch.permute(tensor, (1, 0)),
    "transpose": lambda tensor: tensor.transpose(0, 1),
    "torch.transpose": lambda tensor: torch.transpose(tensor, 0, 1),
    "T": lambda tensor: tensor.T,
    "t": lambda tensor: tensor.t(),
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
    "a tensor of columns": lambda tensor: tensor[:, torch.tensor([0, 2], device=tensor.device)],
    "a mask": lambda tensor: tensor[tensor > 1],
    "reshape of a transpose": lambda tensor: tensor.T.reshape(6),
    "torch.reshape of a transpose": lambda tensor: torch.reshape(tensor.T, (6,)),
    "flatten of a transpose": lambda tensor: tensor.T.flatten(),
    "contiguous of a transpose": lambda tensor: tensor.T.contiguous(),
    "repeat": lambda tensor: tensor.repeat(2, 1),
    "flip": lambda tensor: tensor.flip(0),
    "cat": lambda tensor: torch.cat([tensor, tensor]),
    "stack": lambda tensor: torch.stack([tensor, tensor]),
    "+ 0": lambda tensor: tensor + 0,
}


def test_views_share_memory(device):
    """Transposing, adding and dropping dimensions, slicing, plain indexing and reshaping what lies in order give views.

    No copy, one memory: they cost next to nothing, and a write through any of them shows in all.

    https://docs.pytorch.org/docs/stable/tensor_view.html
    """
    assert {name: kinship(make, device) for name, make in VIEWS.items()} == dict.fromkeys(VIEWS, "view")


def test_fancy_indexing_and_joining_copy(device):
    """Indexing with a list, a tensor or a mask copies, and so do cat, stack, repeat, flip, and reshaping what lies
    across in memory.

    https://docs.pytorch.org/docs/stable/tensor_view.html
    """
    assert {name: kinship(make, device) for name, make in COPIES.items()} == dict.fromkeys(COPIES, "copy")


def test_writing_through_a_view(device):
    """A write through a view lands in the original at the right places; a write to a fancy-indexed copy is lost.

    So `x[[0, 2]][0] = 9` does nothing to x, while `x[[0, 2]] = 9`, one assignment with one index, writes into x.

    https://docs.pytorch.org/docs/stable/tensor_view.html
    """
    x = torch.tensor([[1, 2, 3], [4, 5, 6]], device=device)

    x[[0, 1]][0] = 9
    x[x > 4][0] = 9
    assert x.tolist() == [[1, 2, 3], [4, 5, 6]]

    x[1][0] = 40
    x.view(6)[1] = 20
    x.permute(1, 0)[2, 0] = 30
    x.reshape(3, 2)[2, 0] = 50
    assert x.tolist() == [[1, 20, 30], [40, 50, 6]]

    x[x > 30] = 0
    x[[0, 1], [0, 2]] = -1
    assert x.tolist() == [[-1, 20, 30], [0, 0, -1]]


@pytest.mark.picture("strides", "tensor", "turned", "ordered")
def test_transpose_only_changes_the_strides(device):
    """A transpose moves no number: it swaps the strides (steps in memory), and the result is no longer contiguous.

    Only a single row or column is contiguous both ways. `contiguous()` puts the numbers in order in new memory, or
    returns the same tensor if they are in order already.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.contiguous.html
    """
    tensor = torch.tensor([[1, 2, 3], [4, 5, 6]], device=device)
    turned = tensor.T

    assert (tensor.stride(), tensor.is_contiguous()) == ((3, 1), True)
    assert (turned.stride(), turned.is_contiguous(), turned.data_ptr()) == ((1, 3), False, tensor.data_ptr())
    assert (tensor[:1].T.is_contiguous(), turned[:1].is_contiguous()) == (True, False)
    assert tensor.contiguous() is tensor
    ordered = turned.contiguous()
    assert (ordered.stride(), ordered.is_contiguous(), ordered.tolist()) == ((2, 1), True, [[1, 4], [2, 5], [3, 6]])


def test_view_refuses_what_reshape_copies(device):
    """`view` never copies and raises RuntimeError where it would have to; `reshape` returns a view if it can, and
    else a copy.

    So what you write into a reshaped tensor may or may not show in the original: use `view` where sharing matters.

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
    """`expand` shows one memory many times over, so in-place arithmetic on it raises RuntimeError; `repeat` copies.

    A write to one element of it raises nothing, and shows in all its repetitions, the original included.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.expand.html
    """
    column = torch.tensor([[1], [2]], device=device)
    expanded, repeated = column.expand(2, 3), column.repeat(1, 3)

    assert expanded.dtype == repeated.dtype == torch.int64
    assert expanded.tolist() == repeated.tolist() == [[1, 1, 1], [2, 2, 2]]
    assert (expanded.stride(), expanded.data_ptr()) == ((1, 0), column.data_ptr())
    with pytest.raises(RuntimeError, match="single memory location"):
        expanded += 1
    repeated += 1
    assert (column.tolist(), repeated.tolist()) == ([[1], [2]], [[2, 2, 2], [3, 3, 3]])
    expanded[0, 1] = 9
    assert (column.tolist(), expanded.tolist()) == ([[9], [2]], [[9, 9, 9], [2, 2, 2]])


# Changing the shape


@pytest.mark.myth("to swap two dimensions, reshape or view with the sizes swapped")
def test_reshape_does_not_transpose(device):
    """`reshape` and `view` keep the order of the numbers and only break the rows elsewhere; to swap dimensions use
    `permute` or `.T`.

    Both give the shape you asked for, so the mistake runs: height-width-channel images "reshaped" to
    channel-height-width are noise.

    https://docs.pytorch.org/docs/stable/generated/torch.permute.html
    """
    tensor = torch.tensor([[1, 2, 3], [4, 5, 6]], device=device)

    for reshaped in (tensor.reshape(3, 2), tensor.view(3, 2), torch.reshape(tensor, (3, 2))):
        assert reshaped.tolist() == [[1, 2], [3, 4], [5, 6]]
    for turned in (tensor.T, tensor.t(), tensor.permute(1, 0), tensor.transpose(0, 1), torch.transpose(tensor, 1, 0)):
        assert turned.tolist() == [[1, 4], [2, 5], [3, 6]]
    for back in (tensor.T.t(), torch.transpose(tensor.T, 0, 1), tensor.T.transpose(1, 0)):
        assert back.tolist() == [[1, 2, 3], [4, 5, 6]]


def test_reshape_infers_one_size_and_never_loses_numbers(device):
    """A size of -1 is worked out from the others; sizes that do not multiply to the number of elements raise
    RuntimeError.

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


@given(shape=st.lists(st.integers(1, 4), max_size=3), dtype=st.sampled_from([torch.int64, torch.float32]))
@example(shape=[2, 3, 4], dtype=torch.float32)
@example(shape=[3, 4], dtype=torch.int64)
def test_reshape_and_permute_agree_with_numpy_for_every_shape(device, shape, dtype):
    """Reshaping and permuting give NumPy's numbers in NumPy's places, for all shapes and all orders of the
    dimensions.

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


def test_squeeze_drops_only_dimensions_of_size_one(device):
    """`squeeze(dim)` of a dimension that is not 1 does nothing and says nothing; `squeeze()` drops all that are, a
    batch of one included.

    Name the dimension. `unsqueeze(dim)`, or `None` in an index, puts one in.

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


def test_an_index_drops_the_dimension_and_a_slice_keeps_it(device):
    """`x[0]` has one dimension less, `x[0:1]` as many as before; an index out of range raises IndexError, a slice is
    cut to what there is.

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
    assert (x[1:9].tolist(), x[5:].shape) == ([[4, 5, 6]], (0, 3))
    with pytest.raises(IndexError, match="index 2 is out of bounds"):
        x[2]
    with pytest.raises(IndexError, match="index -3 is out of bounds"):
        x[-3]


def test_lists_of_indices_go_in_pairs_and_steps_go_forward(device):
    """`x[[0, 1], [2, 0]]` picks the elements (0, 2) and (1, 0), not a block; and `x[::-1]` raises ValueError: use
    `flip`.

    https://docs.pytorch.org/docs/stable/generated/torch.flip.html
    """
    x = torch.tensor([[1, 2, 3], [4, 5, 6]], device=device)

    assert x[[0, 1], [2, 0]].tolist() == [3, 4]
    assert x[[0, 1]][:, [2, 0]].tolist() == [[3, 1], [6, 4]]
    assert x[[1, 0, 1]].tolist() == [[4, 5, 6], [1, 2, 3], [4, 5, 6]]
    assert x[x % 2 == 0].tolist() == [2, 4, 6]
    with pytest.raises(ValueError, match="step must be greater than zero"):
        x[::-1]
    for flip, tensor in itertools.product((torch.flip, torch.Tensor.flip), (x, x.float())):
        assert flip(tensor, (0,)).tolist() == [[4, 5, 6], [1, 2, 3]]
        assert flip(tensor, (0,)).dtype == tensor.dtype
        assert flip(tensor, (0, 1)).tolist() == [[6, 5, 4], [3, 2, 1]]


@pytest.mark.holds("torch>=2.8", otherwise=AssertionError)
def test_a_list_of_lists_as_an_index_warns(device):
    """From torch 2.8 on `x[[[0, 1], [2, 0]]]`, one list of two lists, warns: it still means `x[[0, 1], [2, 0]]`, pairs,
    and is to become a selection of rows, as in NumPy.

    Say which you mean, in every release without a warning: a tuple for pairs, a tensor for rows.

    https://numpy.org/doc/stable/user/basics.indexing.html
    """
    x = torch.tensor([[1, 2, 3], [4, 5, 6], [7, 8, 9]], device=device)
    index = [[0, 1], [2, 0]]

    with pytest.warns(UserWarning, match="non-tuple sequence for multidimensional indexing"):
        picked = x[index]
    with pytest.warns(UserWarning, match="non-tuple sequence for multidimensional indexing"):
        x[index] = torch.tensor([30, 40], device=device)

    assert picked.tolist() == [3, 4]
    assert x.tolist() == [[1, 2, 30], [40, 5, 6], [7, 8, 9]]
    assert x[tuple(index)].tolist() == [30, 40]
    assert x[torch.tensor(index, device=device)].tolist() == [[x[i].tolist() for i in row] for row in index]


def test_stack_adds_a_dimension_and_cat_does_not(device):
    """`cat` joins tensors along a dimension they have; `stack` puts them side by side along a new one, and wants
    equal shapes.

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


@pytest.mark.holds("torch>=2.9", otherwise=RuntimeError)
def test_cat_of_nothing_raises_value_error():
    """From torch 2.9 on `torch.cat` of an empty list raises ValueError; before, RuntimeError, like `torch.stack`.

    This is how an evaluation ends that saw no batch. `except (RuntimeError, ValueError)` catches all.

    https://docs.pytorch.org/docs/stable/generated/torch.cat.html
    """
    outputs = []

    with pytest.raises(ValueError, match="non-empty"):
        torch.cat(outputs)
    with pytest.raises(RuntimeError, match="non-empty"):
        torch.stack(outputs)


@given(
    shape=st.lists(st.integers(1, 3), min_size=1, max_size=2),
    count=st.integers(1, 3),
    dtype=st.sampled_from([torch.int64, torch.float32]),
)
@example(shape=[2, 1, 3], count=3, dtype=torch.float32)
@example(shape=[3], count=2, dtype=torch.int64)
def test_stack_and_cat_agree_with_numpy_for_every_shape(device, shape, count, dtype):
    """For all shapes and dimensions, cat and stack put the numbers where NumPy does, and chunk and unbind take them
    apart again.

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


def test_capital_t_on_three_dimensions_warns_and_reverses_all(device):
    """`.T` of a tensor with 3 dimensions reverses all of them and warns; to transpose each matrix of a batch use
    `.mT`.

    https://docs.pytorch.org/docs/stable/tensors.html
    """
    batch = torch.arange(24, device=device).reshape(2, 3, 4)

    with pytest.warns(UserWarning, match="dimension other than 2"):
        reversed_all = batch.T

    assert reversed_all.shape == (4, 3, 2)
    assert reversed_all.tolist() == batch.permute(2, 1, 0).tolist()
    assert batch.mT.shape == (2, 4, 3)
    assert batch.mT.tolist() == batch.transpose(-2, -1).tolist()
    assert batch[0].T.tolist() == batch[0].mT.tolist() == [[0, 4, 8], [1, 5, 9], [2, 6, 10], [3, 7, 11]]


# Reducing and choosing


def test_dim_is_the_dimension_that_disappears(device):
    """`sum(dim=0)` adds up along dimension 0, so that is the one missing in the result; `keepdim=True` leaves it
    there with size 1.

    For a matrix, dim=0 gives one number a column. Divide rows by their sums with keepdim: without it the shapes do
    not line up, or, in a square matrix, each column is divided by the sum of a row, without a word.

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
    square = torch.tensor([[1.0, 3.0], [2.0, 6.0]], device=device)
    assert (square / square.sum(dim=1)).tolist() == [[0.25, 0.375], [0.5, 0.75]]  # the rows add up to 4 and 8
    assert (square / square.sum(dim=1, keepdim=True)).tolist() == [[0.25, 0.75], [0.25, 0.75]]


@pytest.mark.holds("torch>=2.2", otherwise=TypeError)
def test_any_and_all_take_several_dims(device):
    """From torch 2.2 on `all` and `any` take several dimensions at once, as `sum` and `amax` did before.

    Older releases raise TypeError: flatten first, `mask.flatten(1).all(dim=1)`.

    https://docs.pytorch.org/docs/stable/generated/torch.all.html
    """
    mask = torch.tensor([[[True, True], [True, True]], [[True, False], [True, True]], [[False] * 2] * 2], device=device)

    assert mask.all(dim=(1, 2)).tolist() == torch.all(mask, dim=(1, 2)).tolist() == [True, False, False]
    assert mask.any(dim=(1, 2)).tolist() == torch.any(mask, dim=(1, 2)).tolist() == [True, True, False]
    assert mask.all(dim=(0, 2), keepdim=True).tolist() == [[[False], [False]]]
    assert mask.flatten(1).all(dim=1).tolist() == [True, False, False]


@given(
    shape=st.lists(st.integers(1, 4), min_size=1, max_size=2),
    keepdim=st.booleans(),
    dtype=st.sampled_from([torch.int64, torch.float32]),
)
@example(shape=[2, 3, 4], keepdim=True, dtype=torch.float32)
@example(shape=[4, 3], keepdim=False, dtype=torch.int64)
def test_reductions_agree_with_numpy_for_every_dim(device, shape, keepdim, dtype):
    """Sum, maximum and position of the maximum along any dimension are what NumPy gives along that axis.

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


def test_max_along_a_dim_returns_values_and_indices(device):
    """`max()` is one tensor, `max(dim=...)` a pair of values and indices, and `max(other)` the larger of each two
    elements.

    `outputs.max(1)` is a pair, so comparing it with the labels makes no sense: take `.indices`, or `argmax`.

    https://docs.pytorch.org/docs/stable/generated/torch.max.html
    """
    x = torch.tensor([[1.0, 9.0, 3.0], [7.0, 5.0, 6.0]], device=device)

    assert (x.max().shape, x.max().item(), torch.max(x).item()) == ((), 9, 9)
    for values, indices in (x.max(dim=1), torch.max(x, 1)):
        assert (values.tolist(), indices.tolist(), indices.dtype) == ([9, 7], [1, 0], torch.int64)
    values, indices = x.max(dim=0, keepdim=True)
    assert (values.tolist(), indices.tolist()) == ([[7, 9, 6]], [[1, 0, 1]])
    lowest = x.min(dim=1)
    assert (lowest.values.dtype, lowest.values.tolist(), lowest.indices.tolist()) == (torch.float32, [1, 5], [0, 1])
    for larger in (torch.max(x, x.flip(0)), x.max(x.flip(0)), torch.maximum(x, x.flip(0))):
        assert larger.tolist() == [[7, 9, 6], [7, 9, 6]]


def test_argmax_without_dim_counts_through_all_elements(device):
    """`argmax()` without `dim` is a single position in the flattened tensor; with `dim=1` there is one for each row.

    Forgetting `dim` when turning logits into classes gives one number for the whole batch.

    https://docs.pytorch.org/docs/stable/generated/torch.argmax.html
    """
    logits = torch.tensor([[1.0, 9.0, 3.0], [7.0, 5.0, 10.0]], device=device)

    assert logits.argmax().item() == torch.argmax(logits).item() == 5
    assert logits.argmax(dim=1).tolist() == torch.argmax(logits, dim=1).tolist() == [1, 2]
    assert logits.argmax(dim=0).tolist() == [1, 0, 1]
    assert logits.argmin(dim=1).tolist() == [0, 1]
    for positions in (logits.argmax(dim=1), torch.argmax(logits, dim=1), logits.argmin(dim=1), logits.argmax()):
        assert positions.dtype == torch.int64


@pytest.mark.holds("torch>=2.2", otherwise=AttributeError)
def test_unravel_index_finds_the_row_and_column(device):
    """From torch 2.2 on `torch.unravel_index` turns a position in the flattened tensor into one index a dimension.

    In older releases divide by the number of columns: `position // columns` and `position % columns`.

    https://docs.pytorch.org/docs/stable/generated/torch.unravel_index.html
    """
    x = torch.tensor([[1.0, 9.0, 3.0], [10.0, 5.0, 7.0]], device=device)
    position = x.argmax()

    index = torch.unravel_index(position, x.shape)

    assert [i.tolist() for i in index] == [1, 0]
    assert x[index].item() == x.max().item() == 10
    assert (position.item() // 3, position.item() % 3) == (1, 0)


def test_argmax_of_bools_raises():
    """`argmax` of bools raises RuntimeError on the CPU, where NumPy finds the first True: convert to int first.

    `max(dim)` takes bools and gives the position too.

    https://docs.pytorch.org/docs/stable/generated/torch.argmax.html
    """
    mask = torch.tensor([False, False, True, True])  # on the CPU, where alone it is known to raise in every release

    for argmax in (torch.argmax, torch.Tensor.argmax):
        with pytest.raises(RuntimeError, match=r"[bB]ool"):
            argmax(mask)
        assert argmax(mask.int()).item() == np.argmax(mask.numpy()) == 2
    assert mask.max(dim=0).indices.item() == 2


@given(length=st.integers(1, 60), period=st.integers(1, 7), dtype=st.sampled_from([torch.int64, torch.float32]))
@example(length=60, period=1, dtype=torch.int64)
@example(length=50, period=4, dtype=torch.float32)
def test_the_first_of_equals_wins_for_every_list(device, length, period, dtype):
    """Of several equal maxima, `argmax` and `max(dim)` give the first; `sort` promises to keep the order of equals
    only with `stable=True`.

    `topk`, and `sort` without `stable`, promise values with indices that belong to them: which of the equals comes
    first is left open.

    https://docs.pytorch.org/docs/stable/generated/torch.sort.html
    """
    numbers = [5 * n % period for n in range(length)]
    tensor = torch.tensor(numbers, dtype=dtype, device=device)
    first = numbers.index(max(numbers))

    assert torch.max(tensor, 0).indices.item() == first
    assert tensor.argmax().item() == tensor.max(0).indices.item() == torch.argmax(tensor, 0).item() == first
    assert tensor.argmin().item() == tensor.min(0).indices.item() == numbers.index(min(numbers))
    stable = torch.sort(tensor, stable=True)
    assert stable.indices.tolist() == tensor.sort(stable=True).indices.tolist()
    assert stable.indices.tolist() == sorted(range(len(numbers)), key=numbers.__getitem__)
    for values, indices in (stable, tensor.sort(), torch.sort(tensor), tensor.topk(len(numbers), largest=False)):
        assert (values.dtype, indices.dtype) == (dtype, torch.int64)
        assert values.tolist() == tensor[indices].tolist() == sorted(numbers)
        assert sorted(indices.tolist()) == list(range(len(numbers)))


def test_nan_wins_every_maximum(device):
    """A single nan makes the sum, the mean, the maximum and the minimum nan, and `argmax` points at it.

    That is how a diverged training shows. Look with `isnan`, and select with `~`. On mps `argmax` may overlook a nan.

    https://docs.pytorch.org/docs/stable/generated/torch.max.html
    """
    x = torch.tensor([1.0, math.nan, 5.0], device=device)

    for result in (x.sum(), x.mean(), x.max(), x.min(), x.max(dim=0).values, x.min(dim=0).values):
        assert math.isnan(result.item())
    assert math.isnan(torch.max(x).item())
    y = x.cpu()  # for the positions, because of mps
    assert torch.argmax(y).item() == torch.argmin(y).item() == 1
    assert y.argmax().item() == y.argmin().item() == y.max(dim=0).indices.item() == 1
    assert x[~x.isnan()].tolist() == [1, 5]


# Tensors and models


def test_layers_take_tensors_only(device):
    """`Linear` and `ReLU` take tensors only: a list, an array or a number raises TypeError, however well it fits.

    So it is with nearly every layer, though some (`Flatten`, `BatchNorm1d`) raise AttributeError instead.

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
    output = layer(torch.tensor([1.0, 2.0], device=device))
    assert (type(output), output.shape) == (torch.Tensor, (3,))


@pytest.mark.myth("all data that goes into or comes out of a model must be tensors")
def test_a_forward_method_takes_and_returns_anything(device):
    """The rule is the layers', not the model's: a Module's `forward` takes and returns whatever Python objects you
    write it for.

    Dicts, strings, several arguments: a model may turn them into tensors itself, and hand back more than one thing.

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


@pytest.mark.holds("torch>=2.9", otherwise=RuntimeError)
def test_an_integer_beyond_int64_raises_value_error(device):
    """From torch 2.9 on an integer beyond int64 raises ValueError where a tensor is made of it or written to; before,
    it raised RuntimeError.

    `except (RuntimeError, ValueError)` catches both.

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


@pytest.mark.holds("torch>=2.8", otherwise=RuntimeError)
def test_gather_takes_int32_positions():
    """From torch 2.8 on `gather` and `scatter` take positions in int32; before, RuntimeError: only int64 would do.

    Plain indexing, `index_select` and `nn.Embedding` took int32 before; `take_along_dim` never. `.long()` suits all.

    https://docs.pytorch.org/docs/stable/generated/torch.gather.html
    """
    x = torch.tensor([[1, 2, 3], [4, 5, 6]])  # on the CPU, where alone this was seen
    positions, row = torch.tensor([[2], [0]], dtype=torch.int32), torch.tensor([1], dtype=torch.int32)

    assert x.gather(1, positions).tolist() == torch.gather(x, 1, positions).tolist() == [[3], [4]]
    assert x.scatter(1, positions, 0).tolist() == [[1, 2, 0], [0, 5, 6]]
    assert x.index_select(0, row).tolist() == x[row].tolist() == [[4, 5, 6]]
    with pytest.raises(RuntimeError, match="should be Long"):
        torch.take_along_dim(x, positions, 1)


@pytest.mark.holds("torch>=2.13", otherwise=UserWarning)
def test_dimensions_have_no_names(device):
    """From torch 2.13 on named tensors are gone: `names=` is a TypeError, and there is no `refine_names` or `align_to`.

    They had always warned that they are experimental. Keep the order of the dimensions in a comment, or use `einsum`.

    https://docs.pytorch.org/docs/2.9/named_tensor.html
    """
    with pytest.raises(TypeError, match="unexpected keyword argument 'names'"):
        torch.zeros(2, 3, names=("N", "C"), device=device)
    assert [hasattr(torch.Tensor, name) for name in ("names", "refine_names", "align_to")] == [False] * 3


# The wider unsigned integers stay on the CPU: each device has its own list of what it can do with them.
UNSIGNED = ["uint16", "uint32", "uint64"]


@pytest.mark.holds("torch>=2.3", otherwise=AttributeError)
@pytest.mark.parametrize("name", UNSIGNED)
def test_wide_unsigned_integers_hold_and_multiply(name):
    """From torch 2.3 on there are uint16, uint32 and uint64, to hold and convert numbers: on the CPU, beyond `==`, `*`,
    `/`, `sum`, `cat` and plain indexing, there is little.

    `+`, `<`, `max` and `argmax` raise RuntimeError, and so does a mixture with another integer dtype: convert to int64.

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
    refused = [lambda: tensor + tensor, lambda: tensor + 1, lambda: tensor < 6, tensor.max, tensor.argmax]
    for operation in [*refused, lambda: tensor + tensor.int(), lambda: tensor * tensor.long()]:
        with pytest.raises(RuntimeError, match=r"not implemented for|Promotion for uint16, uint32, uint64"):
            operation()


@pytest.mark.holds("torch>=2.4", otherwise=(AttributeError, RuntimeError))
@pytest.mark.parametrize("name", UNSIGNED)
def test_wide_unsigned_integers_sort_and_meet_floats(name):
    """From torch 2.4 on uint16, uint32 and uint64 can be sorted on the CPU and compared with `torch.equal`, and with a
    float they give that float's dtype; in 2.3 all of this raises RuntimeError.

    In 2.3, and for what is missing later, convert to int64.

    https://docs.pytorch.org/docs/stable/tensors.html
    """
    tensor = torch.tensor([7, 3, 7, 5], dtype=getattr(torch, name))

    total = tensor + torch.tensor([0.5, 1.0, 1.5, 2.0])

    assert (total.dtype, total.tolist()) == (torch.float32, [7.5, 4, 8.5, 7])
    assert torch.promote_types(tensor.dtype, torch.float16) == torch.float16
    assert (tensor.sort().values.tolist(), tensor.unique().tolist()) == ([3, 5, 7, 7], [3, 5, 7])
    assert (torch.equal(tensor, tensor.clone()), torch.equal(tensor, tensor * 2)) == (True, False)


@pytest.mark.holds("torch>=2.10", otherwise=(AttributeError, RuntimeError))
@pytest.mark.parametrize("name", UNSIGNED)
def test_wide_unsigned_integers_take_a_mask(name):
    """From torch 2.10 on a mask or a list of positions selects from uint16, uint32 and uint64 on the CPU too; before,
    it raised RuntimeError, and only `tensor[2]` and slices worked.

    https://docs.pytorch.org/docs/stable/tensors.html
    """
    tensor = torch.tensor([7, 3, 9, 5], dtype=getattr(torch, name))

    for selected in (tensor[torch.tensor([True, False, True, False])], tensor[[0, 2]], tensor[torch.tensor([0, 2])]):
        assert (selected.dtype, selected.tolist()) == (tensor.dtype, [7, 9])


# What half precision can do, and since when. On the CPU: a GPU could do all of this before.
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
    """Plain arithmetic, sums, means, maxima and sorting of float16 work on the CPU in every release.

    https://docs.pytorch.org/docs/stable/tensors.html
    """
    functions = [torch.neg, torch.sum, torch.mean, torch.max, lambda x: x.sort().values, lambda x: x.std(dim=0)]
    functions += [lambda x: x + x[0], lambda x: x - x[0], lambda x: x * x[1], lambda x: x / x[1], lambda x: x**2]

    assert [agrees_with_float32(function, HALF) for function in functions] == [True] * 11


@pytest.mark.holds("torch>=2.1", otherwise=RuntimeError)
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_float16_has_functions_on_the_cpu(name):
    """From torch 2.1 on `exp`, `tanh`, `clamp`, `round` and the activations take float16 on the CPU too; 2.0 raises
    RuntimeError, "not implemented for 'Half'".

    bfloat16 and, on a GPU, float16 had them before.

    https://docs.pytorch.org/docs/stable/tensors.html
    """
    assert agrees_with_float32(ELEMENTWISE[name], HALF)


@pytest.mark.holds("torch>=2.2", otherwise=RuntimeError)
@pytest.mark.parametrize("name", PRODUCTS)
def test_float16_has_matrix_products_on_the_cpu(name):
    """From torch 2.2 on matrix products, convolutions, `cumsum` and `topk` take float16 on the CPU too: many models run
    in it; 2.0 and 2.1 raise RuntimeError, "not implemented for 'Half'".

    Code for all releases converts a model to float32, or to bfloat16, where it runs on the CPU.

    https://docs.pytorch.org/docs/stable/generated/torch.matmul.html
    """
    assert agrees_with_float32(PRODUCTS[name], HALF)


@pytest.mark.holds("torch>=2.3", otherwise=RuntimeError)
@pytest.mark.parametrize("name", AVERAGES)
def test_float16_has_layer_norm_on_the_cpu(name):
    """From torch 2.3 on `layer_norm`, so any transformer, `avg_pool2d` and bilinear `interpolate` take float16 on the
    CPU; before, RuntimeError.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.layer_norm.html
    """
    assert agrees_with_float32(AVERAGES[name], HALF)


def test_bfloat16_computes_on_the_cpu():
    """bfloat16 computes on the CPU in every release: what float16 learnt there in torch 2.1 to 2.3, it did in 2.0.

    It has the range of float32, and eight bits to be precise with.

    https://docs.pytorch.org/docs/stable/tensors.html
    """
    functions = ELEMENTWISE | PRODUCTS | AVERAGES

    found = {name: agrees_with_float32(function, HALF.bfloat16()) for name, function in functions.items()}

    assert found == dict.fromkeys(functions, True)


@pytest.mark.holds("torch>=2.1", otherwise=AttributeError)
@pytest.mark.parametrize(("name", "rounded"), [("float8_e4m3fn", 1.125), ("float8_e5m2", 1.25)])
def test_float8_is_for_storing(name, rounded):
    """From torch 2.1 on there are float8 dtypes, of one byte a number and 3 or 2 bits to be precise with: they convert,
    and that is about all.

    `+`, `sum` and a mixture with another dtype raise RuntimeError: convert to float32 to compute.

    https://docs.pytorch.org/docs/stable/tensors.html
    """
    dtype = getattr(torch, name)  # on the CPU: not every accelerator has it
    tensor = torch.tensor([0.5, 1.15625, -3.0]).to(dtype)

    assert (tensor.dtype, tensor.element_size()) == (dtype, 1)
    assert tensor.float().tolist() == [0.5, rounded, -3]
    for operation in (lambda: tensor + tensor, tensor.sum, lambda: tensor + torch.ones(3)):
        with pytest.raises(RuntimeError):
            operation()


@pytest.mark.holds("torch>=2.13", otherwise=(AssertionError, AttributeError))
def test_float8_e4m3fn_stops_at_448():
    """From torch 2.13 on what is too large for float8_e4m3fn becomes 448, its largest number, when it is converted on
    the CPU; before, it became nan.

    float8_e5m2 goes up to 57344 and has an inf for the rest, in every release since 2.1. Clamp before converting, and
    the releases agree.

    https://docs.pytorch.org/docs/stable/type_info.html
    """
    large = torch.tensor([448.0, 500.0, -1e9])

    assert large.to(torch.float8_e4m3fn).float().tolist() == [448, 448, -448]
    assert (large * 256).to(torch.float8_e5m2).float().tolist() == [math.inf, math.inf, -math.inf]
    assert large.clamp(-448, 448).to(torch.float8_e4m3fn).float().tolist() == [448, 448, -448]
