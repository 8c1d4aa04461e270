"""What could break about tensors: their shapes, dtypes, numbers and memory."""

import math
import warnings

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from torchnotes.harness.mutation import error_of, mutant, quiet

PLUS = ("add", "__add__", "__radd__")
MINUS = ("sub", "__sub__", "subtract")
TIMES = ("mul", "__mul__", "__rmul__", "multiply")
OVER = ("div", "__truediv__", "true_divide", "divide")
FLOOR = ("floor_divide", "__floordiv__")
REST = ("remainder", "__mod__")
EQUAL = ("eq", "__eq__")
AT = ("matmul", "__matmul__", "mm")


def raises(exception, function, *args):
    """Whether the call raises this kind of exception."""
    try:
        function(*args)
    except Exception as error:
        return isinstance(error, exception)
    return False


def warned(function, *args):
    """The kinds of warnings of a call."""
    with warnings.catch_warnings(record=True) as records:
        warnings.simplefilter("always")
        function(*args)
    return [record.category for record in records]


def seen(make, tensor):
    """Whether a write to the tensor shows in what is made of it."""
    made = make(tensor)
    before = made.tolist()
    tensor.fill_(99)
    return made.tolist() != before


def matrix():
    return torch.tensor([[1, 2, 3], [4, 5, 6]])


def afterwards(change):
    """A change of what a call returns."""
    return lambda call, *args, **kwargs: change(call(*args, **kwargs))


def indexing(patch, change):
    """Change `tensor[index]`, which is no torch function in old releases."""
    original = torch.Tensor.__getitem__
    patch.setattr(torch.Tensor, "__getitem__", lambda tensor, index: change(original, tensor, index))


def attribute(patch, name, get):
    """Change an attribute of all tensors."""
    patch.setattr(torch.Tensor, name, property(get))


def sizes_of(sizes):
    """The sizes, given one by one or as one sequence."""
    return tuple(sizes[0]) if len(sizes) == 1 and not isinstance(sizes[0], int) else sizes


def turn(tensor):
    """All dimensions in the opposite order."""
    return tensor.permute(tuple(range(tensor.ndim))[::-1])


# Shape: how many numbers, in how many directions


@mutant(kills="test_ndim_counts_the_levels_of_brackets", witness=lambda: torch.tensor(7).ndim == 0)
def ndim_of_a_scalar_is_one(patch):
    """`ndim` and `dim()` of a scalar are 1, like those of a vector."""
    attribute(patch, "ndim", lambda tensor: max(1, len(tensor.shape)))
    patch.function("dim", change=afterwards(lambda ndim: max(1, ndim)))


@mutant(
    kills=("test_ndim_counts_the_levels_of_brackets", "test_length_is_the_size_of_the_first_dimension"),
    witness=lambda: torch.ones(2, 3).numel() == 6,
)
def numel_is_the_first_size(patch):
    """`numel` counts along the first dimension only."""
    patch.function("numel", change=lambda call, tensor: tensor.shape[0] if tensor.ndim else 1)


@mutant(
    kills=("test_ndim_counts_the_levels_of_brackets", "test_length_is_the_size_of_the_first_dimension"),
    witness=lambda: torch.ones(2, 3).shape == (2, 3),
)
def shape_is_innermost_first(patch):
    """`shape` and `size()` start at the innermost brackets."""
    size = torch.Tensor.size

    def backwards(tensor, dim=None):
        sizes = torch.Size(reversed(size(tensor)))
        return sizes if dim is None else sizes[dim]

    patch.setattr(torch.Tensor, "size", backwards)
    attribute(patch, "shape", backwards)


@mutant(kills="test_length_is_the_size_of_the_first_dimension", witness=lambda: len(torch.ones(2, 3)) == 2)
def len_counts_all_elements(patch):
    """`len(tensor)` is the number of all elements."""
    patch.function("__len__", change=lambda call, tensor: tensor.numel() if tensor.ndim else call(tensor))


@mutant(kills="test_length_is_the_size_of_the_first_dimension", witness=lambda: raises(TypeError, len, torch.tensor(7)))
def len_of_a_scalar_is_one(patch):
    """`len` of a scalar is 1 instead of a TypeError."""
    patch.function("__len__", change=lambda call, tensor: call(tensor) if tensor.ndim else 1)


@mutant(
    kills="test_length_is_the_size_of_the_first_dimension", witness=lambda: raises(TypeError, iter, torch.tensor(7))
)
def iter_of_a_scalar_gives_it_once(patch):
    """A loop over a scalar runs once instead of raising TypeError."""
    original = torch.Tensor.__iter__
    patch.setattr(torch.Tensor, "__iter__", lambda tensor: original(tensor) if tensor.ndim else iter([tensor]))


@mutant(
    kills="test_length_is_the_size_of_the_first_dimension",
    witness=lambda: next(iter(torch.ones(2, 3))).shape == (3,),
)
def iter_goes_along_the_last_dimension(patch):
    """A loop over a matrix gives its columns."""
    original = torch.Tensor.__iter__
    patch.setattr(torch.Tensor, "__iter__", lambda tensor: original(turn(tensor)))


@mutant(kills="test_length_is_the_size_of_the_first_dimension", witness=lambda: torch.ones(2, 3).size(-1) == 3)
def size_reads_minus_one_as_zero(patch):
    """`size(-1)` is the size of the first dimension."""
    patch.function("size", change=lambda call, tensor, dim=None: call(tensor, 0 if dim == -1 else dim))


@mutant(kills="test_tolist_gives_back_the_lists_for_every_shape", witness=lambda: torch.ones(1, 2).tolist() == [[1, 1]])
def tolist_drops_dimensions_of_size_one(patch):
    """`tolist` leaves out the brackets around a single item."""
    patch.function("tolist", change=lambda call, tensor: call(tensor.squeeze()))


@mutant(
    kills="test_tolist_gives_back_the_lists_for_every_shape",
    witness=lambda: torch.tensor(2**53 + 1).item() == 2**53 + 1,
)
def tensor_rounds_large_integers(patch):
    """`torch.tensor` takes integers through float64, so those beyond 2**53 are rounded."""

    def change(call, data, **kwargs):
        made = call(data, **kwargs)
        return made.double().long() if made.dtype == torch.int64 else made

    patch.function("tensor", change=change)


ROWS, TEXT = "test_rows_of_different_lengths_raise_value_error", "test_a_tensor_holds_no_text_and_no_none"


def ragged(data):
    return isinstance(data, list) and len({len(row) for row in data if isinstance(row, list)}) > 1


@mutant(
    kills=ROWS,
    witness=lambda: raises(ValueError, torch.tensor, [[1, 2], [3]]),
)
def tensor_fills_short_rows_with_zeros(patch):
    """`torch.tensor` fills short rows with zeros instead of raising ValueError."""

    def change(call, data, **kwargs):
        if ragged(data):
            data = [row + [0] * (max(map(len, data)) - len(row)) for row in data]
        return call(data, **kwargs)

    patch.function("tensor", change=change)


@mutant(
    kills=ROWS,
    witness=lambda: not raises(TypeError, torch.tensor, [[1, 2], [3]]),
    raises=TypeError,
)
def tensor_of_short_rows_raises_type_error(patch):
    """`torch.tensor` raises TypeError for rows of different lengths."""

    def change(call, data, **kwargs):
        if ragged(data):
            raise TypeError("expected sequence of length 2 at dim 1")
        return call(data, **kwargs)

    patch.function("tensor", change=change)


@mutant(
    kills=TEXT,
    witness=lambda: raises(ValueError, torch.tensor, ["cat"]),
)
def tensor_of_words_holds_their_lengths(patch):
    """`torch.tensor` makes numbers of words instead of raising ValueError."""

    def change(call, data, **kwargs):
        if isinstance(data, list) and data and isinstance(data[0], str):
            data = [len(word) for word in data]
        return call(data, **kwargs)

    patch.function("tensor", change=change)


@mutant(
    kills=TEXT,
    witness=lambda: raises(TypeError, lambda: torch.tensor([None], dtype=torch.float32)),
    raises=RuntimeError,
)
def tensor_of_none_with_a_dtype_is_a_runtime_error(patch):
    """`torch.tensor` of None raises RuntimeError also with `dtype=`."""

    def change(call, data, **kwargs):
        if isinstance(data, list) and None in data:
            raise RuntimeError("Could not infer dtype of NoneType")
        return call(data, **kwargs)

    patch.function("tensor", change=change)


@mutant(kills=TEXT, witness=lambda: raises(TypeError, torch.tensor, [""]), raises=ValueError)
def tensor_of_an_empty_string_is_a_value_error(patch):
    """`torch.tensor` of an empty string raises ValueError, as that of words does."""

    def change(call, data, **kwargs):
        if isinstance(data, list) and data and data[0] == "":
            raise ValueError("too many dimensions 'str'")
        return call(data, **kwargs)

    patch.function("tensor", change=change)


@mutant(kills="test_item_is_a_python_number", witness=lambda: torch.tensor(True).item() is True)
def item_of_a_bool_is_an_int(patch):
    """`item()` of a bool tensor is 0 or 1."""
    patch.function("item", change=afterwards(lambda number: int(number) if isinstance(number, bool) else number))


@mutant(kills="test_item_is_a_python_number", witness=lambda: isinstance(torch.tensor(7).item(), int))
def item_of_an_int_is_a_float(patch):
    """`item()` of an integer tensor is a float of the same value."""
    patch.function("item", change=afterwards(lambda number: float(number) if type(number) is int else number))


@mutant(kills="test_item_is_a_python_number", witness=lambda: type(torch.tensor(2.5).item()) is float)
def item_of_a_float_is_a_numpy_scalar(patch):
    """`item()` of a float tensor is a NumPy scalar, which is a float, too."""
    patch.function("item", change=afterwards(lambda number: np.float64(number) if type(number) is float else number))


@mutant(kills="test_item_is_a_python_number", witness=lambda: torch.tensor([[2.5]]).item() == 2.5)
def item_keeps_the_brackets(patch):
    """`item()` of a tensor in brackets is a list in brackets."""
    patch.function("item", change=lambda call, tensor: tensor.tolist() if tensor.ndim else call(tensor))


@mutant(
    kills="test_item_of_several_elements_raises", witness=lambda: raises(RuntimeError, torch.tensor([1.5, 2.5]).item)
)
def item_takes_the_first_of_several(patch):
    """`item()` of several elements is the first one."""
    patch.function("item", change=lambda call, tensor: call(tensor if tensor.numel() < 2 else tensor.flatten()[0]))


@mutant(kills="test_item_of_several_elements_raises", witness=lambda: raises(RuntimeError, torch.tensor([]).item))
def item_of_nothing_is_zero(patch):
    """`item()` of an empty tensor is 0.0."""
    patch.function("item", change=lambda call, tensor: call(tensor) if tensor.numel() else 0.0)


@mutant(
    kills="test_item_of_several_elements_raises",
    witness=lambda: not raises(ValueError, torch.tensor([1.5, 2.5]).item),
    raises=ValueError,
)
def item_of_several_raises_value_error(patch):
    """`item()` of several elements raises ValueError, as in NumPy."""

    def change(call, tensor):
        if tensor.numel() != 1:
            raise ValueError(f"a Tensor with {tensor.numel()} elements cannot be converted to Scalar")
        return call(tensor)

    patch.function("item", change=change)


@mutant(kills="test_item_of_several_elements_raises", witness=lambda: raises(ValueError, float, torch.ones(2)))
def float_takes_the_first_of_several(patch):
    """`float(tensor)` of several elements is the first one."""
    patch.function("__float__", change=lambda call, tensor: call(tensor.flatten()[0]))


@mutant(kills="test_item_of_several_elements_raises", witness=lambda: raises(ValueError, int, torch.ones(2, 1)))
def int_of_a_column_takes_its_first(patch):
    """`int(tensor)` of a column is its first element."""
    patch.function("__int__", change=lambda call, tensor: call(tensor[0] if tensor.ndim == 2 else tensor))


@mutant(kills=ROWS, witness=lambda: not raises(ValueError, torch.tensor, [[], [1]]), raises=ValueError)
def tensor_refuses_an_empty_first_row(patch):
    """`torch.tensor` raises ValueError for every list of rows of different lengths, also after an empty row."""

    def change(call, data, **kwargs):
        if ragged(data):
            raise ValueError("expected sequence of length 0 at dim 1")
        return call(data, **kwargs)

    patch.function("tensor", change=change)


@mutant(kills=TEXT, witness=lambda: raises(RuntimeError, torch.tensor, [1.5, None]))
def tensor_reads_none_as_nan(patch):
    """`torch.tensor` makes nan of None, as pandas does."""

    def change(call, data, **kwargs):
        holes = isinstance(data, list) and None in data
        return call([math.nan if number is None else number for number in data] if holes else data, **kwargs)

    patch.function("tensor", change=change)


@mutant(
    kills=TEXT,
    witness=lambda: not raises(ValueError, torch.tensor, [1.5, "cat"]),
    raises=ValueError,
)
def tensor_of_text_is_a_value_error_at_any_place(patch):
    """`torch.tensor` raises ValueError for a string after a number, too."""

    def change(call, data, **kwargs):
        if isinstance(data, list) and any(isinstance(item, str) for item in data[1:]) and not isinstance(data[0], str):
            raise ValueError("too many dimensions 'str'")
        return call(data, **kwargs)

    patch.function("tensor", change=change)


STACKED = "test_torch_tensor_does_not_stack_tensors"


def of_tensors(data):
    return isinstance(data, list) and len(data) > 0 and all(isinstance(item, torch.Tensor) for item in data)


@mutant(kills=STACKED, witness=lambda: raises(ValueError, torch.tensor, [torch.ones(2), torch.ones(2)]))
def tensor_stacks_tensors(patch):
    """`torch.tensor` of a list of tensors is `torch.stack`."""
    patch.function(
        "tensor",
        change=lambda call, data, **kwargs: torch.stack(data) if of_tensors(data) else call(data, **kwargs),
    )


@mutant(
    kills=STACKED,
    witness=lambda: raises(ValueError, lambda: torch.tensor([torch.tensor([1, 2])] * 2, dtype=torch.float32)),
    raises=TypeError,
)
def tensor_of_integer_tensors_always_raises_type_error(patch):
    """`torch.tensor` of a list of integer tensors raises TypeError, whatever `dtype=` says."""

    def change(call, data, **kwargs):
        try:
            return call(data, **kwargs)
        except ValueError as error:
            if of_tensors(data) and not data[0].is_floating_point():
                raise TypeError("only integer tensors of a single element can be converted to an index") from error
            raise

    patch.function("tensor", change=change)


@mutant(
    kills=STACKED,
    witness=lambda: raises(TypeError, lambda: torch.tensor([torch.tensor([1.5, 2.5])] * 2, dtype=torch.int64)),
)
def tensor_of_float_tensors_stacks_if_a_dtype_is_given(patch):
    """`torch.tensor` of a list of float tensors is `torch.stack` if integers are asked for."""

    def change(call, data, **kwargs):
        cut = of_tensors(data) and data[0].is_floating_point() and kwargs.get("dtype") == torch.int64
        return torch.stack(data).long() if cut else call(data, **kwargs)

    patch.function("tensor", change=change)


@mutant(kills=STACKED, witness=lambda: torch.tensor([torch.ones(1), torch.ones(1)]).shape == (2,))
def tensor_keeps_the_brackets_of_one_element(patch):
    """`torch.tensor` of tensors of shape (1,) has a dimension for them."""

    def change(call, data, **kwargs):
        made = call(data, **kwargs)
        return made.unsqueeze(1) if of_tensors(data) and data[0].shape == (1,) else made

    patch.function("tensor", change=change)


@mutant(kills="test_item_is_a_python_number", witness=lambda: torch.tensor(2 + 3j).item() == 2 + 3j)
def item_of_a_complex_number_is_its_real_part(patch):
    """`item()` of a complex tensor is a float, its real part."""
    patch.function("item", change=afterwards(lambda number: number.real if isinstance(number, complex) else number))


@mutant(kills="test_item_of_several_elements_raises", witness=lambda: torch.tensor([]).tolist() == [])
def tolist_refuses_nothing(patch):
    """`tolist()` of no elements is None."""
    patch.function("tolist", change=lambda call, tensor: call(tensor) if tensor.numel() else None)


# dtype: what kind of number


def literals(patch, change):
    """Change the dtype that `torch.tensor` chooses: `change(data, what it makes)`."""

    def tensor(call, data, **kwargs):
        made = call(data, **kwargs)
        if "dtype" in kwargs or isinstance(data, np.ndarray):
            return made
        return call(data, dtype=change(data, made), **kwargs)

    patch.function("tensor", change=tensor)


@mutant(
    kills=(
        "test_literals_decide_the_dtype",
        "test_float32_rounds_a_python_float",
        "test_float32_cannot_count_beyond_16777216",
        "test_tolist_gives_back_the_lists_for_every_shape",
    ),
    witness=lambda: torch.tensor(1.5).dtype == torch.float32,
)
def tensor_of_floats_is_float64(patch):
    """`torch.tensor` makes floats float64, as NumPy does."""
    literals(patch, lambda data, made: torch.float64 if made.dtype == torch.float32 else made.dtype)


@mutant(kills="test_literals_decide_the_dtype", witness=lambda: torch.tensor(2).dtype == torch.int64)
def tensor_of_small_ints_is_int32(patch):
    """`torch.tensor` makes integers int32 where they fit."""

    def change(data, made):
        fits = made.dtype == torch.int64 and made.numel() and made.abs().max() < 2**31
        return torch.int32 if fits else made.dtype

    literals(patch, change)


@mutant(kills="test_literals_decide_the_dtype", witness=lambda: torch.tensor([True]).dtype == torch.bool)
def tensor_of_bools_is_uint8(patch):
    """`torch.tensor` makes lists of bools uint8."""
    literals(patch, lambda data, made: torch.uint8 if made.dtype == torch.bool and made.ndim else made.dtype)


@mutant(kills="test_literals_decide_the_dtype", witness=lambda: torch.tensor([]).dtype == torch.float32)
def tensor_of_nothing_is_int64(patch):
    """`torch.tensor([])` is int64."""
    literals(patch, lambda data, made: made.dtype if made.numel() else torch.int64)


@mutant(kills="test_literals_decide_the_dtype", witness=lambda: torch.tensor([1, 2.5]).dtype == torch.float32)
def tensor_of_a_mixed_list_follows_the_first(patch):
    """`torch.tensor` takes the dtype of the first number of a mixed list."""

    def change(call, data, **kwargs):
        mixed = isinstance(data, list) and data and not isinstance(data[0], list) and "dtype" not in kwargs
        return call(data, dtype=call(data[0]).dtype, **kwargs) if mixed else call(data, **kwargs)

    patch.function("tensor", change=change)


@mutant(kills="test_literals_decide_the_dtype", witness=lambda: torch.tensor(1j).dtype == torch.complex64)
def tensor_of_complex_numbers_is_complex128(patch):
    """`torch.tensor` makes complex numbers complex128."""
    literals(patch, lambda data, made: torch.complex128 if made.is_complex() else made.dtype)


def capital(patch, change):
    """Change what `torch.Tensor(...)` makes; what is a Tensor stays as it is."""
    original = torch.Tensor

    class Kind(type(original)):
        def __call__(cls, *args):
            return change(original, *args)

        def __instancecheck__(cls, instance):
            return isinstance(instance, original)

    class Capital(original, metaclass=Kind):
        pass

    patch.setattr(torch, "Tensor", Capital)


CAPITAL = "test_capital_tensor_is_float32_and_reads_a_number_as_a_size"


@mutant(kills=CAPITAL, witness=lambda: torch.Tensor([1]).dtype == torch.float32)
def capital_tensor_keeps_the_kind_of_a_list(patch):
    """`torch.Tensor` of a list is the same as `torch.tensor`."""
    capital(patch, lambda call, *args: torch.tensor(*args) if isinstance(args[0], list) else call(*args))


@mutant(kills=CAPITAL, witness=lambda: torch.Tensor([True]).dtype == torch.float32)
def capital_tensor_keeps_bools(patch):
    """`torch.Tensor` of a list of bools is bool."""
    capital(patch, lambda call, *args: torch.tensor(*args) if args[0] in ([True], [True, False]) else call(*args))


@mutant(kills=CAPITAL, witness=lambda: torch.Tensor(3).shape == (3,))
def capital_tensor_reads_a_number_as_a_number(patch):
    """`torch.Tensor(3)` is the number 3."""
    capital(
        patch,
        lambda call, *args: torch.tensor(float(*args)) if isinstance(args[0], int) and len(args) == 1 else call(*args),
    )


@mutant(kills=(CAPITAL, "test_ndim_counts_the_levels_of_brackets"), witness=lambda: torch.tensor(3).ndim == 0)
def tensor_of_a_number_has_brackets(patch):
    """`torch.tensor(3)` is a vector of one number."""
    patch.function("tensor", change=afterwards(lambda made: made if made.ndim else made.reshape(1)))


FACTORIES = "test_arange_and_full_follow_their_arguments"


def with_default(patch, *names, dtype):
    """Change the dtype of these factories where nobody asks for one."""
    patch.function(*names, change=lambda call, *args, **kwargs: call(*args, **{"dtype": dtype, **kwargs}))


@mutant(kills=FACTORIES, witness=lambda: torch.arange(3).dtype == torch.int64)
def arange_is_float32(patch):
    """`torch.arange` is float32 also for integers, as `torch.range` is."""
    with_default(patch, "arange", dtype=torch.float32)


@mutant(kills=FACTORIES, witness=lambda: torch.arange(3.0).dtype == torch.float32)
def arange_of_one_float_is_int64(patch):
    """`torch.arange(3.0)` is int64."""

    def change(call, *args, **kwargs):
        return call(*args, **({"dtype": torch.int64} | kwargs if len(args) == 1 else kwargs))

    patch.function("arange", change=change)


@mutant(kills=FACTORIES, witness=lambda: torch.full((2,), 7).dtype == torch.int64)
def full_is_float32(patch):
    """`torch.full` is float32 whatever it is filled with, as in old releases."""
    with_default(patch, "full", dtype=torch.float32)


@mutant(kills=FACTORIES, witness=lambda: torch.full((2,), True).dtype == torch.bool)
def full_of_true_is_int64(patch):
    """`torch.full` counts True as an integer."""
    patch.function(
        "full", change=lambda call, size, value, **kwargs: call(size, value * 1 if value is True else value, **kwargs)
    )


@mutant(
    kills="test_full_of_a_numpy_bool_is_float32",
    witness=lambda: torch.full((2,), np.bool_(True)).dtype == torch.float32,
)
def full_of_a_numpy_bool_is_bool(patch):
    """`torch.full` takes a NumPy bool for a bool."""

    def change(call, size, value, **kwargs):
        return call(size, bool(value) if isinstance(value, np.bool_) else value, **kwargs)

    patch.function("full", change=change)


@mutant(kills=FACTORIES, witness=lambda: torch.linspace(0, 2j, 3).dtype == torch.complex64)
def linspace_is_always_real(patch):
    """`torch.linspace` is float32 whatever its ends."""

    def change(call, start, end, steps, **kwargs):
        return call(complex(start).real, complex(end).real, steps, **kwargs)

    patch.function("linspace", change=change)


@mutant(kills=FACTORIES, witness=lambda: torch.full((2,), 7, dtype=torch.int32).dtype == torch.int32)
def full_ignores_dtype(patch):
    """`torch.full` ignores `dtype=`."""
    patch.function("full", change=lambda call, *args, dtype=None, **kwargs: call(*args, **kwargs))


@mutant(kills=FACTORIES, witness=lambda: torch.eye(2).dtype == torch.float32)
def eye_is_float64(patch):
    """`torch.eye` is float64, as in NumPy."""
    with_default(patch, "eye", dtype=torch.float64)


@mutant(kills=FACTORIES, witness=lambda: torch.linspace(0, 1, 3).dtype == torch.float32)
def linspace_is_float64(patch):
    """`torch.linspace` is float64, as in NumPy."""
    with_default(patch, "linspace", dtype=torch.float64)


RANGE = "test_range_includes_its_end_and_warns"
FRACTION = "test_arange_with_a_fractional_step_may_include_its_end"


@mutant(kills=RANGE, witness=lambda: warned(torch.range, 1, 4) == [UserWarning])
def range_does_not_warn(patch):
    """`torch.range` does not warn."""
    patch.setattr(torch, "range", quiet(torch.range))


@mutant(kills=RANGE, witness=lambda: warned(torch.range, 1, 4) == [UserWarning])
def range_warns_programmers_only(patch):
    """`torch.range` gives a DeprecationWarning, which Python does not show."""
    original = torch.range

    def other(*args, **kwargs):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = original(*args, **kwargs)
        warnings.warn("torch.range is deprecated", DeprecationWarning, stacklevel=2)
        return made

    patch.setattr(torch, "range", other)


def last_of_range():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.range(1, 4)[-1].item()


@mutant(kills=RANGE, witness=lambda: last_of_range() == 4)
def range_stops_before_its_end(patch):
    """`torch.range` stops before its end."""
    original = torch.range
    patch.setattr(torch, "range", lambda *args, **kwargs: original(*args, **kwargs)[:-1])


@mutant(kills=(RANGE, FACTORIES), witness=lambda: torch.arange(3).tolist() == [0, 1, 2])
def arange_includes_its_end(patch):
    """`torch.arange` includes its end."""

    def change(call, *args, **kwargs):
        start, stop, step = (0, *args, 1) if len(args) == 1 else (*args, 1)[:3]
        return call(start, stop + step, step, **kwargs)

    patch.function("arange", change=change)


@mutant(kills=RANGE, witness=lambda: torch.arange(4, 1, -1).tolist() == [4, 3, 2])
def arange_downwards_includes_its_end(patch):
    """`torch.arange` includes its end where the step is negative."""

    def change(call, *args, **kwargs):
        down = len(args) == 3 and args[2] < 0
        return call(args[0], args[1] + args[2], args[2], **kwargs) if down else call(*args, **kwargs)

    patch.function("arange", change=change)


@mutant(kills=(RANGE, FACTORIES), witness=lambda: torch.linspace(0, 4, 3).tolist() == [0, 2, 4])
def linspace_stops_before_its_end(patch):
    """`torch.linspace` stops before its end."""
    patch.function(
        "linspace", change=lambda call, start, end, steps, **kwargs: call(start, end, steps=steps + 1, **kwargs)[:-1]
    )


DEFAULT = "test_default_dtype_is_what_float_literals_become"


def under_float64(make):
    """The dtype of what is made where float64 is the default."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        return make().dtype
    finally:
        torch.set_default_dtype(before)


@mutant(kills=DEFAULT, witness=lambda: raises(TypeError, torch.set_default_dtype, torch.int64))
def set_default_dtype_ignores_integers(patch):
    """`set_default_dtype` says nothing about an integer dtype, and does nothing."""
    original = torch.set_default_dtype
    patch.setattr(torch, "set_default_dtype", lambda dtype: original(dtype) if dtype.is_floating_point else None)


@mutant(kills=DEFAULT, witness=lambda: under_float64(lambda: torch.tensor(1.5)) == torch.float64)
def set_default_dtype_does_nothing(patch):
    """`set_default_dtype` leaves the default at float32."""
    original = torch.set_default_dtype
    patch.setattr(
        torch, "set_default_dtype", lambda dtype: original(torch.float32 if dtype.is_floating_point else dtype)
    )


@mutant(kills=DEFAULT, witness=lambda: under_float64(lambda: torch.eye(2)) == torch.float64)
def set_default_dtype_spares_eye(patch):
    """`torch.eye` is float32 whatever the default is."""
    with_default(patch, "eye", dtype=torch.float32)


@mutant(kills=DEFAULT, witness=lambda: under_float64(lambda: torch.linspace(0, 1, 3)) == torch.float64)
def set_default_dtype_spares_linspace(patch):
    """`torch.linspace` is float32 whatever the default is."""
    with_default(patch, "linspace", dtype=torch.float32)


@mutant(kills=DEFAULT, witness=lambda: under_float64(lambda: torch.tensor(1) / 2) == torch.float64)
def set_default_dtype_spares_division(patch):
    """Integers divided are float32 whatever the default is."""
    patch.function(*OVER, change=lambda call, left, right: call(left.float(), right))


@mutant(kills=DEFAULT, witness=lambda: under_float64(lambda: torch.tensor(1)) == torch.int64)
def set_default_dtype_reaches_integers(patch):
    """Integer literals become the default dtype, too, once it is changed."""

    def change(data, made):
        changed = torch.get_default_dtype() != torch.float32 and made.dtype == torch.int64 and data == 1
        return torch.get_default_dtype() if changed else made.dtype

    literals(patch, change)


CONVERSION = "test_conversion_to_integer_cuts_off"
NAN_TO_INTEGER = "test_conversion_of_nan_to_an_integer_raises_nothing"
TO_BOOL = "test_conversion_to_bool_is_true_unless_zero"
CONVERT = ("to", "type", "long", "int", "bool")


def converting(patch, to, change):
    """Change floats before they are converted to one of these dtypes."""

    def convert(call, tensor, *args, **kwargs):
        made = call(tensor, *args, **kwargs)
        wanted = isinstance(made, torch.Tensor) and tensor.is_floating_point() and made.dtype in to
        return call(change(tensor), *args, **kwargs) if wanted else made

    patch.function(*CONVERT, change=convert)


@mutant(kills=CONVERSION, witness=lambda: torch.tensor(2.75).long() == 2)
def conversion_to_integer_rounds(patch):
    """Conversion to an integer dtype rounds."""
    converting(patch, (torch.int64, torch.int32), torch.round)


@mutant(kills=CONVERSION, witness=lambda: torch.tensor(-2.75).int() == -2)
def conversion_to_int32_rounds_down(patch):
    """Conversion to int32 rounds down, that to int64 cuts off."""
    converting(patch, (torch.int32,), torch.floor)


@mutant(kills=NAN_TO_INTEGER, witness=lambda: raises(RuntimeError, lambda: torch.tensor([math.nan], dtype=torch.int64)))
def tensor_of_nan_in_int64_raises_nothing(patch):
    """`torch.tensor([nan], dtype=torch.int64)` gives some integer, as conversion of a tensor does."""

    def change(call, data, dtype=None, **kwargs):
        return call(data, **kwargs).to(dtype) if dtype == torch.int64 else call(data, dtype=dtype, **kwargs)

    patch.function("tensor", change=change)


@mutant(kills=TO_BOOL, witness=lambda: torch.tensor(0.5).bool().item() is True)
def conversion_to_bool_cuts_off_first(patch):
    """Conversion to bool makes False of what is less than 1."""
    converting(patch, (torch.bool,), torch.trunc)


@mutant(kills=TO_BOOL, witness=lambda: torch.tensor(math.nan).bool().item() is True)
def conversion_to_bool_takes_nan_for_zero(patch):
    """nan is False as a bool."""
    converting(patch, (torch.bool,), lambda tensor: tensor.nan_to_num(0.0))


@mutant(
    kills="test_literals_decide_the_dtype",
    witness=lambda: torch.tensor([np.float64(0.5)]).dtype == torch.float64,
)
def tensor_of_numpy_numbers_is_float32(patch):
    """`torch.tensor` makes NumPy's float64 numbers float32, like Python's floats."""

    def change(data, made):
        numpy_float = isinstance(data, list) and data and isinstance(data[0], np.float64)
        return torch.float32 if numpy_float else made.dtype

    literals(patch, change)


@mutant(kills=CAPITAL, witness=lambda: torch.Tensor(torch.tensor([1])).dtype == torch.int64)
def capital_tensor_converts_tensors(patch):
    """`torch.Tensor` of a tensor is float32, too."""
    original = torch.Tensor
    capital(patch, lambda call, *args: args[0].float() if isinstance(args[0], original) else call(*args))


@mutant(kills=FACTORIES, witness=lambda: torch.full((2,), np.float64(7)).dtype == torch.float32)
def full_keeps_float64_of_numpy(patch):
    """`torch.full` of a NumPy float64 is float64."""

    def change(call, size, value, **kwargs):
        return call(size, value, **({"dtype": torch.float64} | kwargs if isinstance(value, np.float64) else kwargs))

    patch.function("full", change=change)


@mutant(kills=FACTORIES, witness=lambda: torch.randint(3, (2,)).dtype == torch.int64)
def randint_is_float32(patch):
    """`torch.randint` is float32, like `torch.rand`."""
    with_default(patch, "randint", dtype=torch.float32)


@mutant(kills=FRACTION, witness=lambda: torch.arange(1, 1.3, 0.1).shape == (4,))
def arange_rounds_the_number_of_its_steps(patch):
    """`torch.arange` rounds the number of its elements, so that it always stops before its end."""

    def change(call, *args, **kwargs):
        made = call(*args, **kwargs)
        return made[: round((args[1] - args[0]) / args[2])] if len(args) == 3 else made

    patch.function("arange", change=change)


@mutant(
    kills=DEFAULT,
    witness=lambda: raises(TypeError, torch.set_default_dtype, torch.complex64),
)
def set_default_dtype_ignores_complex(patch):
    """`set_default_dtype` refuses integers and bools only; a complex dtype it ignores."""
    original = torch.set_default_dtype
    patch.setattr(torch, "set_default_dtype", lambda dtype: None if dtype.is_complex else original(dtype))


@mutant(kills=DEFAULT, witness=lambda: under_float64(lambda: torch.randperm(2)) == torch.int64)
def set_default_dtype_reaches_randperm(patch):
    """`torch.randperm` has the default dtype, once it is changed: all factories follow it."""

    def change(call, *args, **kwargs):
        made = call(*args, **kwargs)
        return made.double() if torch.get_default_dtype() == torch.float64 else made

    patch.function("randperm", change=change)


@mutant(
    kills="test_set_default_tensor_type_is_deprecated",
    witness=lambda: under_float64(lambda: torch.tensor(1.5)) == torch.float64,
)
def set_default_dtype_cannot_replace_the_old_function(patch):
    """`set_default_dtype(torch.float64)` leaves Python floats float32."""
    literals(patch, lambda data, made: torch.float32 if made.dtype == torch.float64 else made.dtype)


@mutant(kills=NAN_TO_INTEGER, witness=lambda: not raises(ValueError, torch.tensor(math.nan).long), raises=ValueError)
def conversion_of_nan_raises(patch):
    """Conversion of nan to an integer dtype raises ValueError, as in Python."""

    def change(call, tensor, *args, **kwargs):
        if tensor.is_floating_point() and tensor.isnan().any():
            raise ValueError("cannot convert float NaN to integer")
        return call(tensor, *args, **kwargs)

    patch.function("long", change=change)


# What a dtype can hold

ROUNDED = "test_float32_rounds_a_python_float"


def written(number):
    """A number, or lists of them, as a person would have written it."""
    if isinstance(number, list):
        return [written(item) for item in number]
    return float(f"{number:.6g}") if isinstance(number, float) else number


@mutant(kills=ROUNDED, witness=lambda: torch.tensor(0.1).item() != 0.1)
def item_is_the_number_that_was_written(patch):
    """`item()` and `tolist()` round to the digits a float32 has, so 0.1 comes back as 0.1."""
    patch.function("item", "tolist", change=afterwards(written))


@mutant(kills=ROUNDED, witness=lambda: torch.tensor(0.1).dtype == torch.float32)
def float_literals_below_one_are_float64(patch):
    """`torch.tensor` makes fractions float64, and only them."""
    literals(
        patch,
        lambda data, made: torch.float64 if made.is_floating_point() and (made.abs() < 1).all() else made.dtype,
    )


@mutant(kills=ROUNDED, witness=lambda: torch.isclose(torch.tensor(0.1), torch.tensor(0.1000001)).item())
def isclose_is_exact(patch):
    """`torch.isclose` is `==`."""
    patch.function("isclose", change=lambda call, left, right, **kwargs: left == right)


@mutant(kills=ROUNDED, witness=lambda: not torch.isclose(torch.tensor(0.5), torch.tensor(0.5001)).item())
def isclose_forgives_a_thousandth(patch):
    """`torch.isclose` has a relative tolerance of 1e-3."""
    patch.function("isclose", change=lambda call, left, right, rtol=1e-3, **kwargs: call(left, right, rtol=rtol))


@mutant(kills=ROUNDED, witness=lambda: (torch.tensor(0.1) == torch.tensor(0.1000001)).item() is False)
def eq_forgives_rounding(patch):
    """`==` of floats is `isclose`."""
    patch.function(
        *EQUAL,
        change=lambda call, left, right: (
            torch.isclose(left, right) if isinstance(right, torch.Tensor) else call(left, right)
        ),
    )


ONE_DTYPE_IN_ISCLOSE = "test_isclose_wants_one_dtype"


@mutant(
    kills=ONE_DTYPE_IN_ISCLOSE,
    witness=lambda: raises(RuntimeError, torch.isclose, torch.ones(1), torch.ones(1).double()),
)
def isclose_promotes(patch):
    """`torch.isclose` and `torch.allclose` convert two tensors to one dtype first, as `==` does."""

    def change(call, left, right, **kwargs):
        if isinstance(right, torch.Tensor):
            left, right = left.double(), right.double()
        return call(left, right, **kwargs)

    patch.function("isclose", "allclose", change=change)


@mutant(
    kills=ONE_DTYPE_IN_ISCLOSE,
    witness=lambda: torch.equal(torch.ones(1), torch.ones(1).double()),
    raises=RuntimeError,
)
def equal_wants_one_dtype(patch):
    """`torch.equal` of two dtypes raises RuntimeError, as `torch.isclose` does."""

    def change(call, left, right):
        if left.dtype != right.dtype:
            raise RuntimeError("Float did not match Double")
        return call(left, right)

    patch.function("equal", change=change)


@mutant(kills=ONE_DTYPE_IN_ISCLOSE, witness=lambda: raises(TypeError, torch.isclose, torch.ones(1), 1.0))
def isclose_takes_numbers(patch):
    """`torch.isclose` compares a tensor with a Python number."""

    def change(call, left, right, **kwargs):
        return call(left, right if isinstance(right, torch.Tensor) else torch.tensor(right), **kwargs)

    patch.around(torch, "isclose", change)


COUNTER = "test_float32_cannot_count_beyond_16777216"


@mutant(kills=COUNTER, witness=lambda: torch.tensor(2.0**24 + 1).item() == 2**24)
def tensor_of_large_floats_is_float64(patch):
    """`torch.tensor` makes floats float64 where float32 has gaps between whole numbers."""

    def change(call, data, **kwargs):
        made = call(data, **kwargs)
        large = made.dtype == torch.float32 and made.numel() and made.max() >= 2**24
        return call(data, dtype=torch.float64) if large else made

    patch.function("tensor", change=change)


@mutant(kills=COUNTER, witness=lambda: torch.tensor(2.0**24) + 1 == 2**24)
def adding_one_never_stops(patch):
    """Adding to a float32 that is too large for it gives the next float32."""

    def change(call, left, right, **kwargs):
        total = call(left, right, **kwargs)
        return torch.where(total == left, torch.nextafter(total, total + math.inf), total) if right == 1 else total

    patch.function(*PLUS, change=change)


@mutant(kills=(COUNTER, "test_promotion_ladder"), witness=lambda: (torch.ones(2) + 1).dtype == torch.float32)
def adding_a_number_gives_float64(patch):
    """A float tensor plus a Python number is float64."""

    def change(call, left, right, **kwargs):
        return call(left.double() if isinstance(right, int | float) and left.dtype == torch.float32 else left, right)

    patch.function(*PLUS, change=change)


LARGEST = "test_adding_one_to_the_largest_integer_gives_the_smallest"
OUT_OF_RANGE = "test_a_value_out_of_range_is_refused_when_a_tensor_is_made"
UINT8, MODULO = "test_uint8_wraps_around", "test_uint8_is_arithmetic_modulo_256_for_every_pair"


def is_byte(number):
    return isinstance(number, int) or number.dtype == torch.uint8


def bytewise(patch, *names, change):
    """Change arithmetic in uint8: `change(left, right, exact result)`."""

    def operation(call, left, right, **kwargs):
        if not (isinstance(left, torch.Tensor) and left.dtype == torch.uint8 and is_byte(right)):
            return call(left, right, **kwargs)
        return change(left, right, call(left.long(), right if isinstance(right, int) else right.long()))

    patch.function(*names, change=operation)


def byte(number):
    return torch.tensor(number, dtype=torch.uint8)


@mutant(kills=(UINT8, MODULO), witness=lambda: byte(250) + 10 == 4)
def uint8_saturates(patch):
    """Arithmetic in uint8 stops at 0 and 255, as image libraries do it."""
    bytewise(patch, *PLUS, *MINUS, *TIMES, change=lambda left, right, exact: exact.clamp(0, 255).byte())


@mutant(kills=(UINT8, MODULO), witness=lambda: byte(0) - 1 == 255)
def uint8_stops_at_zero(patch):
    """Differences in uint8 stop at 0."""
    bytewise(patch, *MINUS, change=lambda left, right, exact: exact.clamp(0).byte())


@mutant(kills=MODULO, witness=lambda: byte(255) * byte(255) == 1)
def uint8_is_wrong_in_one_corner(patch):
    """255 * 255 is 255 in uint8, and all other products are right."""
    bytewise(patch, *TIMES, change=lambda left, right, exact: torch.where(exact == 255 * 255, 255, exact).byte())


@mutant(kills=UINT8, witness=lambda: (byte([250]) + 10).dtype == torch.uint8)
def uint8_next_to_a_number_is_int16(patch):
    """A uint8 tensor widens to int16 next to a Python number."""
    bytewise(
        patch,
        *(*PLUS, *MINUS, *TIMES),
        change=lambda left, right, exact: exact.short() if isinstance(right, int) else exact.byte(),
    )


@mutant(kills=UINT8, witness=lambda: byte([200, 100]).sum().item() == 300)
def sum_of_uint8_stays_uint8(patch):
    """`sum` of uint8 adds up in uint8."""
    patch.function("sum", change=lambda call, tensor, *args, **kwargs: call(tensor, *args, **kwargs).to(tensor.dtype))


@mutant(kills=LARGEST, witness=lambda: torch.tensor([100], dtype=torch.int8) + 100 == -56)
def int8_saturates(patch):
    """Sums in int8 stop at 127."""

    def change(call, left, right, **kwargs):
        if left.dtype != torch.int8:
            return call(left, right, **kwargs)
        return call(left.long(), right).clamp(-128, 127).to(torch.int8)

    patch.function(*PLUS, change=change)


@mutant(kills=OUT_OF_RANGE, witness=lambda: raises(RuntimeError, byte, [300]))
def tensor_wraps_what_does_not_fit(patch):
    """`torch.tensor` wraps numbers around that do not fit the dtype asked for."""

    def change(call, data, dtype=None, **kwargs):
        return call(data, **kwargs).to(dtype) if dtype == torch.uint8 else call(data, dtype=dtype, **kwargs)

    patch.function("tensor", change=change)


@mutant(kills=ROUNDED, witness=lambda: (torch.tensor([0.1]) == 0.1).item() is True)
def eq_compares_with_the_unrounded_number(patch):
    """`tensor == 0.1` compares with the Python number as it is, so it is False in float32."""
    patch.function(
        *EQUAL,
        change=lambda call, left, right: call(left.double() if isinstance(right, float) else left, right),
    )


@mutant(kills=COUNTER, witness=lambda: (torch.tensor([2048.0], dtype=torch.float16) + 1).item() == 2048)
def float16_counts_in_float32(patch):
    """Adding a number to float16 gives float32, which counts on."""

    def change(call, left, right, **kwargs):
        return call(left.float() if isinstance(right, int) and left.dtype == torch.float16 else left, right, **kwargs)

    patch.function(*PLUS, change=change)


@mutant(kills=UINT8, witness=lambda: (byte([250, 250]) @ byte([2, 2])).item() == 232)
def at_of_uint8_adds_up_in_int64(patch):
    """`@` of uint8 adds up in int64, as `sum` does."""
    patch.function(
        *AT,
        change=lambda call, left, right: call(left.long(), right.long()) if is_byte(left) else call(left, right),
    )


@mutant(
    kills=LARGEST,
    witness=lambda: not raises(RuntimeError, torch.add, torch.tensor([2**63 - 1]), 1),
    raises=RuntimeError,
)
def int64_overflow_raises(patch):
    """Adding 1 to the largest int64 raises RuntimeError."""

    def change(call, left, right, **kwargs):
        if left.dtype == torch.int64 and right == 1 and (left == 2**63 - 1).any():
            raise RuntimeError("integer overflow")
        return call(left, right, **kwargs)

    patch.function(*PLUS, change=change)


@mutant(kills=OUT_OF_RANGE, witness=lambda: raises(RuntimeError, lambda: torch.full((2,), 300, dtype=torch.uint8)))
def full_wraps_what_does_not_fit(patch):
    """`torch.full` wraps a number around that does not fit the dtype asked for."""

    def change(call, size, value, dtype=None, **kwargs):
        return (
            call(size, value, **kwargs).to(dtype) if dtype == torch.uint8 else call(size, value, dtype=dtype, **kwargs)
        )

    patch.function("full", change=change)


@mutant(kills=OUT_OF_RANGE, witness=lambda: not raises(RuntimeError, byte, [-1]), raises=RuntimeError)
def tensor_refuses_negative_numbers_in_uint8(patch):
    """`torch.tensor` refuses everything that is not in 0 to 255 in uint8."""

    def change(call, data, dtype=None, **kwargs):
        if dtype == torch.uint8 and isinstance(data, list) and min(data) < 0:
            raise RuntimeError("value cannot be converted to type uint8 without overflow")
        return call(data, dtype=dtype, **kwargs)

    patch.function("tensor", change=change)


@mutant(
    kills=OUT_OF_RANGE,
    witness=lambda: not raises(RuntimeError, lambda: torch.arange(254, 258, dtype=torch.uint8)),
    raises=RuntimeError,
)
def arange_refuses_what_does_not_fit(patch):
    """`torch.arange` refuses numbers that do not fit the dtype asked for."""

    def change(call, *args, dtype=None, **kwargs):
        if dtype == torch.uint8 and max(args) > 256:
            raise RuntimeError("value cannot be converted to type uint8 without overflow")
        return call(*args, dtype=dtype, **kwargs)

    patch.function("arange", change=change)


@mutant(kills=OUT_OF_RANGE, witness=lambda: not raises(RuntimeError, torch.add, byte([250]), 300), raises=RuntimeError)
def adding_a_number_out_of_range_raises(patch):
    """A uint8 tensor plus a Python number that uint8 does not hold raises RuntimeError."""

    def change(call, left, right, **kwargs):
        if isinstance(right, int) and right > 255 and left.dtype == torch.uint8:
            raise RuntimeError("value cannot be converted to type uint8 without overflow")
        return call(left, right, **kwargs)

    patch.function(*PLUS, change=change)


# Which dtype comes out

DIVISION, EVERY_DIVISION = (
    "test_dividing_integers_gives_floats",
    "test_integer_division_agrees_with_python_for_every_small_pair",
)
BY_ZERO = "test_dividing_by_zero_gives_inf_or_nan"
INTEGERS_BY_ZERO = "test_integer_division_by_zero_raises_on_the_cpu"


@mutant(kills=DIVISION, witness=lambda: (torch.tensor(7) / 2).dtype == torch.float32)
def dividing_integers_gives_integers(patch):
    """`/` of integers is an integer, as it was in old releases."""

    def change(call, left, right, rounding_mode=None):
        whole = not (left.is_floating_point() or isinstance(right, float)) and rounding_mode is None
        return call(left, right, rounding_mode="trunc" if whole else rounding_mode)

    patch.function(*OVER, change=change)


@mutant(kills=(DIVISION, BY_ZERO), witness=lambda: (torch.tensor(7) / 2).dtype == torch.float32)
def dividing_integers_gives_float64(patch):
    """`/` of integers is float64, as in NumPy."""

    def change(call, left, right, **kwargs):
        return call(left, right, **kwargs) if kwargs or left.is_floating_point() else call(left.double(), right)

    patch.function(*OVER, change=change)


def floor_division(patch, change):
    """Change division that rounds down, however it is spelled."""
    patch.function(*FLOOR, change=change)
    patch.function(
        *OVER,
        change=lambda call, left, right, rounding_mode=None: (
            change(torch.floor_divide, left, right)
            if rounding_mode == "floor"
            else call(left, right, rounding_mode=rounding_mode)
        ),
    )


@mutant(kills=(DIVISION, EVERY_DIVISION), witness=lambda: torch.tensor(-7) // 2 == -4)
def floor_division_cuts_off(patch):
    """`//` rounds towards zero, as it did in old releases."""
    floor_division(patch, lambda call, left, right: torch.div(left, right, rounding_mode="trunc"))


@mutant(kills=EVERY_DIVISION, witness=lambda: torch.tensor(7) // torch.tensor(-2) == -4)
def floor_division_by_negatives_cuts_off(patch):
    """`//` rounds towards zero where the divisor is negative."""

    def change(call, left, right):
        cut = torch.div(left, right, rounding_mode="trunc")
        return torch.where(torch.as_tensor(right) < 0, cut, call(left, right))

    floor_division(patch, change)


@mutant(kills=(DIVISION, EVERY_DIVISION), witness=lambda: (torch.tensor(7) // 2).dtype == torch.int64)
def floor_division_gives_floats(patch):
    """`//` of integers is float32, with the right value."""
    floor_division(patch, lambda call, left, right: call(left, right).float())


@mutant(
    kills=(DIVISION, EVERY_DIVISION),
    witness=lambda: torch.div(torch.tensor(-7), 2, rounding_mode="trunc") == -3,
)
def trunc_division_rounds_down(patch):
    """`rounding_mode="trunc"` rounds down."""

    def change(call, left, right, rounding_mode=None):
        return call(left, right, rounding_mode="floor" if rounding_mode == "trunc" else rounding_mode)

    patch.function(*OVER, change=change)


@mutant(kills=(DIVISION, EVERY_DIVISION), witness=lambda: torch.tensor(-7) % 2 == 1)
def remainder_has_the_sign_of_the_dividend(patch):
    """`%` is that of C: -7 % 2 is -1."""
    patch.function(*REST, change=lambda call, left, right: torch.fmod(left, right))


@mutant(
    kills=BY_ZERO,
    witness=lambda: not raises(ZeroDivisionError, torch.div, torch.tensor(3), 0),
    raises=ZeroDivisionError,
)
def dividing_by_zero_raises(patch):
    """`/ 0` raises ZeroDivisionError, as in Python."""

    def change(call, left, right, **kwargs):
        if (torch.as_tensor(right) == 0).any():
            raise ZeroDivisionError("division by zero")
        return call(left, right, **kwargs)

    patch.function(*OVER, change=change)


@mutant(kills=BY_ZERO, witness=lambda: (torch.tensor(0) / 0).isnan().item())
def zero_by_zero_is_zero(patch):
    """`0 / 0` is 0."""
    patch.function(*OVER, change=afterwards(lambda quotient: torch.where(quotient.isnan(), 0.0, quotient)))


@mutant(kills=INTEGERS_BY_ZERO, witness=lambda: raises(RuntimeError, torch.floor_divide, torch.tensor(3), 0))
def floor_division_by_zero_is_zero(patch):
    """`// 0` of integers is 0."""
    patch.function(*FLOOR, change=lambda call, left, right: torch.zeros_like(left) if right == 0 else call(left, right))


@mutant(kills=INTEGERS_BY_ZERO, witness=lambda: raises(RuntimeError, torch.remainder, torch.tensor(3), 0))
def remainder_by_zero_is_the_dividend(patch):
    """`% 0` of integers gives them back."""
    patch.function(*REST, change=lambda call, left, right: left.clone() if right == 0 else call(left, right))


@mutant(
    kills=INTEGERS_BY_ZERO,
    witness=lambda: not raises(ZeroDivisionError, torch.floor_divide, torch.tensor(3), 0),
    raises=ZeroDivisionError,
)
def floor_division_by_zero_raises_as_in_python(patch):
    """`// 0` of integers raises ZeroDivisionError."""

    def change(call, left, right):
        if right == 0:
            raise ZeroDivisionError("division by zero")
        return call(left, right)

    patch.function(*FLOOR, change=change)


@mutant(kills=(BY_ZERO, "test_equality_is_elementwise"), witness=lambda: (torch.tensor(math.nan) + 1).isnan().item())
def adding_to_nan_forgets_it(patch):
    """nan counts as 0 in a sum of two."""
    patch.function(*PLUS, change=lambda call, left, right: call(left.nan_to_num(0.0, math.inf, -math.inf), right))


@mutant(kills=DIVISION, witness=lambda: (torch.tensor([7]) // 2.0).dtype == torch.float32)
def floor_division_by_a_float_stays_integer(patch):
    """`//` of an integer tensor stays integer next to a float, too."""
    patch.function(
        *FLOOR,
        change=lambda call, left, right: (
            call(left, right).to(left.dtype) if isinstance(right, float) else call(left, right)
        ),
    )


def tiny(number):
    return torch.tensor([number], dtype=torch.int8)


@mutant(kills=EVERY_DIVISION, witness=lambda: (tiny(-128) // tiny(-1)).item() == -128)
def floor_division_of_int8_saturates(patch):
    """-128 // -1 is 127 in int8."""

    def change(call, left, right):
        made = call(left, right)
        if left.dtype != torch.int8:
            return made
        return made.where((left >= 0) | (right >= 0) | (made >= 0), made.new_tensor(127))

    patch.function("floor_divide", "__floordiv__", change=change)


@mutant(kills=EVERY_DIVISION, witness=lambda: (byte([7]) // -2).item() == 0)
def floor_division_of_uint8_knows_negative_numbers(patch):
    """7 // -2 is -4 in uint8 tensors, too."""

    def change(call, left, right):
        negative = isinstance(right, int) and right < 0 and left.dtype == torch.uint8
        return call(left.int() if negative else left, right)

    patch.function(*FLOOR, change=change)


@mutant(
    kills=BY_ZERO,
    witness=lambda: not raises(RuntimeError, torch.floor_divide, torch.tensor([3.0]), 0),
    raises=RuntimeError,
)
def floor_division_of_floats_by_zero_raises(patch):
    """`// 0` of floats raises RuntimeError, as of integers."""

    def change(call, left, right):
        if not is_tensor(right) and right == 0:
            raise RuntimeError("ZeroDivisionError")
        return call(left, right)

    patch.function(*FLOOR, change=change)


@mutant(kills=BY_ZERO, witness=lambda: (torch.tensor(math.nan) ** 0).item() == 1)
def nan_to_the_power_of_zero_is_nan(patch):
    """nan ** 0 is nan."""
    patch.function(
        "pow",
        "__pow__",
        change=lambda call, left, right: call(left, right).where(~left.isnan(), torch.tensor(math.nan)),
    )


LADDER = "test_promotion_ladder"
SCALARS = "test_a_scalar_never_widens_its_own_kind_for_every_pair_of_dtypes"
VECTORS = "test_vectors_promote_to_the_higher_kind_for_every_pair_of_dtypes"
ARITHMETIC = (*PLUS, *MINUS, *TIMES)


def is_tensor(value):
    return isinstance(value, torch.Tensor)


def operands(patch, *names, change):
    """Change what goes into these operations: `change(left, right)`."""
    patch.function(*names, change=lambda call, left, right, **kwargs: call(*change(left, right), **kwargs))


def outcome(patch, *names, change):
    """Change the dtype that comes out of these operations: `change(left, right, dtype)`."""

    def operation(call, left, right, **kwargs):
        made = call(left, right, **kwargs)
        if is_tensor(left) and is_tensor(right):
            return made.to(change(left, right, made.dtype))
        return made

    patch.function(*names, change=operation)


@mutant(
    kills=(LADDER, SCALARS),
    witness=lambda: (torch.ones(2) + torch.tensor(1.0, dtype=torch.float64)).dtype == torch.float32,
)
def zero_dim_tensor_has_its_full_say(patch):
    """A 0-d tensor next to a vector widens its dtype, as a 1-d tensor would."""

    def change(left, right):
        if is_tensor(left) and is_tensor(right) and left.ndim + right.ndim:
            left, right = (side if side.ndim else side.reshape(1) for side in (left, right))
        return left, right

    operands(patch, *ARITHMETIC, "maximum", "result_type", change=change)


@mutant(
    kills=SCALARS,
    witness=lambda: (
        (torch.ones(2, dtype=torch.float16) + torch.tensor(1.0, dtype=torch.float64)).dtype == torch.float16
    ),
)
def zero_dim_float64_widens_float16(patch):
    """A 0-d float64 makes a float16 vector float32."""

    def change(left, right, dtype):
        odd = (left.dtype, right.dtype, right.ndim) == (torch.float16, torch.float64, 0) and left.ndim
        return torch.float32 if odd else dtype

    outcome(patch, *ARITHMETIC, change=change)


@mutant(kills=SCALARS, witness=lambda: torch.maximum(torch.tensor([1]), torch.tensor(1.0)).dtype == torch.float32)
def maximum_keeps_the_dtype_of_the_left(patch):
    """`torch.maximum` has the dtype of its first argument."""
    outcome(patch, "maximum", change=lambda left, right, dtype: left.dtype)


@mutant(kills=LADDER, witness=lambda: (torch.tensor([1]) + 1.5).dtype == torch.float32)
def python_float_next_to_integers_is_float64(patch):
    """An integer tensor plus a Python float is float64, as in NumPy."""

    def change(left, right):
        return (left.double() if isinstance(right, float) and not left.is_floating_point() else left), right

    operands(patch, *ARITHMETIC, change=change)


@mutant(
    kills=LADDER,
    witness=lambda: (torch.ones(2) + torch.ones(1, dtype=torch.float64)).dtype == torch.float64,
)
def one_element_counts_as_a_number(patch):
    """A tensor of one element never widens its own kind, brackets or not."""

    def change(left, right):
        lonely = is_tensor(right) and right.numel() == 1 and is_tensor(left) and left.numel() > 1
        return left, right.reshape(()) if lonely else right

    operands(patch, *ARITHMETIC, "result_type", change=change)


@mutant(kills=LADDER, witness=lambda: torch.result_type(torch.tensor([1]), 1.5) == torch.float32)
def result_type_is_that_of_the_left(patch):
    """`torch.result_type` is the dtype of its first argument."""
    patch.function("result_type", change=lambda call, left, right: left.dtype)


MIXED = {torch.int64, torch.float32}


@mutant(kills=VECTORS, witness=lambda: (torch.tensor([1]) + torch.tensor([1.0])).dtype == torch.float32)
def int64_and_float32_give_float64(patch):
    """int64 and float32 together are float64, as in NumPy."""

    def change(left, right, dtype):
        return torch.float64 if {left.dtype, right.dtype} == MIXED and left.ndim and right.ndim else dtype

    outcome(patch, *ARITHMETIC, change=change)


@mutant(kills=VECTORS, witness=lambda: torch.promote_types(torch.int64, torch.float32) == torch.float32)
def promote_types_asks_numpy(patch):
    """`torch.promote_types` of int64 and float32 is float64."""
    patch.function(
        "promote_types",
        change=lambda call, left, right: torch.float64 if {left, right} == MIXED else call(left, right),
    )


@mutant(kills=VECTORS, witness=lambda: (byte([200]) + torch.ones(1, dtype=torch.int8)).dtype == torch.int16)
def uint8_and_int8_give_int8(patch):
    """uint8 and int8 together are int8 instead of a dtype that holds both."""

    def change(left, right, dtype):
        return torch.int8 if {left.dtype, right.dtype} == {torch.uint8, torch.int8} and left.ndim else dtype

    outcome(patch, *ARITHMETIC, change=change)


@mutant(
    kills=LADDER,
    witness=lambda: (torch.ones(2, dtype=torch.float64) + 1j).dtype == torch.complex128,
)
def python_complex_is_complex64(patch):
    """A tensor plus a Python complex number is complex64, whatever it was."""

    def change(call, left, right, **kwargs):
        made = call(left, right, **kwargs)
        return made.to(torch.complex64) if isinstance(right, complex) else made

    patch.function(*ARITHMETIC, change=change)


@mutant(kills=LADDER, witness=lambda: (torch.ones(2) + np.float64(1)).dtype == torch.float32)
def numpy_number_has_its_full_say(patch):
    """A NumPy float64 next to a float32 vector widens it, as in NumPy."""

    def change(left, right):
        return (left.double() if isinstance(right, np.float64) else left), right

    operands(patch, *ARITHMETIC, change=change)


@mutant(
    kills=SCALARS,
    witness=lambda: (torch.ones(2, dtype=torch.float64) + torch.tensor(1j)).dtype == torch.complex128,
)
def zero_dim_complex64_keeps_its_dtype(patch):
    """A 0-d complex64 tensor makes every real vector complex64, because its kind is higher."""

    def change(left, right, dtype):
        return torch.complex64 if right.dtype == torch.complex64 and right.ndim == 0 else dtype

    outcome(patch, *ARITHMETIC, change=change)


def promoted(pair, to):
    """Change what `torch.promote_types` says about two dtypes."""

    def change(patch):
        patch.function(
            "promote_types", change=lambda call, left, right: to if {left, right} == pair else call(left, right)
        )

    return change


@mutant(
    kills=VECTORS,
    witness=lambda: torch.promote_types(torch.complex64, torch.float64) == torch.complex128,
)
def complex64_and_float64_give_complex64(patch):
    """complex64 and float64 together are complex64: the dtype of the higher kind, unwidened."""
    promoted({torch.complex64, torch.float64}, torch.complex64)(patch)


@mutant(kills=VECTORS, witness=lambda: torch.promote_types(torch.bfloat16, torch.float16) == torch.float32)
def bfloat16_and_float16_give_float16(patch):
    """bfloat16 and float16 together are float16."""
    promoted({torch.bfloat16, torch.float16}, torch.float16)(patch)


IN_PLACE = "test_in_place_never_changes_the_dtype"
HERE = ("add_", "mul_", "div_")


def elsewhere(call, tensor, *args, **kwargs):
    """The same operation, not in place."""
    return getattr(torch, call.__name__.strip("_"))(tensor, *args, **kwargs)


def counted(change):
    """What a list of integers is after an in-place operation, whether or not it raised."""
    counts = torch.tensor([1, 2, 3])
    try:
        counts = change(counts)
    except RuntimeError:
        return counts.tolist(), True
    return counts.tolist(), False


@mutant(kills=IN_PLACE, witness=lambda: raises(RuntimeError, torch.tensor([1]).add_, 1.5))
def in_place_gives_a_wider_tensor_where_it_must(patch):
    """`counts += 1.5` gives a new tensor of floats."""

    def change(call, tensor, other, **kwargs):
        fits = torch.can_cast(torch.result_type(tensor, other), tensor.dtype) and call.__name__ != "div_"
        return call(tensor, other) if fits or tensor.is_floating_point() else elsewhere(call, tensor, other)

    patch.function(*HERE, change=change)


@mutant(kills=IN_PLACE, witness=lambda: raises(RuntimeError, torch.tensor([1]).div_, 2))
def in_place_division_cuts_off(patch):
    """`counts /= 2` keeps integers by cutting off."""

    def change(call, tensor, other, **kwargs):
        return call(tensor, other, **kwargs) if tensor.is_floating_point() else tensor.copy_((tensor / other).long())

    patch.function("div_", change=change)


@mutant(kills=IN_PLACE, witness=lambda: counted(lambda counts: counts.add_(1.5)) == ([1, 2, 3], True))
def in_place_writes_before_it_raises(patch):
    """`counts += 1.5` raises, but the numbers are changed already."""

    def change(call, tensor, other, **kwargs):
        if isinstance(other, float) and not tensor.is_floating_point():
            tensor.copy_((tensor + other).long())
        return call(tensor, other, **kwargs)

    patch.function("add_", change=change)


@mutant(
    kills=IN_PLACE,
    witness=lambda: torch.ones(2, dtype=torch.float16).add_(torch.ones(2)).dtype == torch.float16,
)
def in_place_addition_widens_float16(patch):
    """`halves += floats` makes float32 of the halves."""

    def change(call, tensor, other, **kwargs):
        wider = tensor.dtype == torch.float16 and is_tensor(other) and other.dtype == torch.float32
        return elsewhere(call, tensor, other) if wider else call(tensor, other, **kwargs)

    patch.function("add_", change=change)


@mutant(
    kills=IN_PLACE,
    witness=lambda: torch.ones(1, dtype=torch.float16).add_(torch.tensor([1e10])).item() == math.inf,
)
def in_place_addition_to_float16_saturates(patch):
    """`halves += floats` stops at the largest float16."""

    def change(call, tensor, other, **kwargs):
        made = call(tensor, other, **kwargs)
        return made.copy_(made.float().clamp(-65504, 65504)) if made.dtype == torch.float16 else made

    patch.function("add_", change=change)


@mutant(kills=IN_PLACE, witness=lambda: raises(RuntimeError, torch.tensor([True]).add_, 1))
def in_place_addition_to_bools_is_or(patch):
    """A bool tensor `+= 1` is True."""
    patch.function(
        "add_",
        change=lambda call, tensor, other, **kwargs: (
            tensor.fill_(True) if tensor.dtype == torch.bool else call(tensor, other, **kwargs)
        ),
    )


ASSIGNED = "test_assignment_to_integers_cuts_off"


def writing(patch, change):
    """Change `tensor[index] = value`: `change(tensor, index, value)` gives the value that is written."""
    write = torch.Tensor.__setitem__
    patch.setattr(
        torch.Tensor, "__setitem__", lambda tensor, index, value: write(tensor, index, change(tensor, index, value))
    )


def after_writing(index, value):
    tensor = torch.tensor([1, 2, 3])
    tensor[index] = value
    return tensor.tolist()


def whole(tensor):
    return not tensor.is_floating_point()


@mutant(kills=ASSIGNED, witness=lambda: after_writing(0, 2.75) == [2, 2, 3])
def assignment_rounds(patch):
    """`counts[0] = 2.75` writes a 3."""

    def change(tensor, index, value):
        return round(value) if isinstance(value, float) and math.isfinite(value) and whole(tensor) else value

    writing(patch, change)


@mutant(kills=ASSIGNED, witness=lambda: raises(RuntimeError, after_writing, 0, math.nan))
def assignment_of_nan_writes_zero(patch):
    """`counts[0] = nan` writes a 0, so an assignment of a number never raises."""
    writing(patch, lambda tensor, index, value: 0 if isinstance(value, float) and math.isnan(value) else value)


@mutant(
    kills=ASSIGNED,
    witness=lambda: not raises(RuntimeError, after_writing, 0, torch.tensor(math.nan)),
    raises=RuntimeError,
)
def assignment_of_a_nan_in_a_tensor_raises(patch):
    """`counts[0] = torch.tensor(nan)` raises RuntimeError, as `counts[0] = nan` does."""

    def change(tensor, index, value):
        if isinstance(value, torch.Tensor) and whole(tensor) and not whole(value) and value.isnan().any():
            raise RuntimeError("value cannot be converted to type int64_t without overflow")
        return value

    writing(patch, change)


@mutant(kills=ASSIGNED, witness=lambda: raises(RuntimeError, after_writing, [0, 1], torch.tensor([1.5, 2.5])))
def assignment_through_positions_converts(patch):
    """`counts[[0, 1]] = floats` cuts the fractions off, as `counts[:2] = floats` does."""

    def change(tensor, index, value):
        return value.to(tensor.dtype) if isinstance(value, torch.Tensor) else value

    writing(patch, change)


@mutant(
    kills=ASSIGNED,
    witness=lambda: not raises(RuntimeError, torch.tensor([1]).copy_, torch.tensor([1.5])),
    raises=RuntimeError,
)
def copy_refuses_a_higher_kind(patch):
    """`copy_` of floats into integers raises RuntimeError, as arithmetic in place does."""

    def change(call, tensor, other):
        if whole(tensor) and not whole(other):
            raise RuntimeError("result type Float can't be cast to the desired output type Long")
        return call(tensor, other)

    patch.function("copy_", change=change)


MEAN, COUNT = "test_mean_of_integers_raises", "test_sum_of_bools_counts"


@mutant(kills=MEAN, witness=lambda: raises(RuntimeError, torch.mean, torch.tensor([1, 2])))
def mean_of_integers_is_a_float(patch):
    """`mean` of integers is a float, as in NumPy."""
    patch.function("mean", change=lambda call, tensor, **kwargs: call(tensor, **{"dtype": torch.float32, **kwargs}))


@mutant(kills=MEAN, witness=lambda: raises(RuntimeError, torch.mean, torch.tensor([True])))
def mean_of_bools_is_a_share(patch):
    """`mean` of bools is the share of True."""
    patch.function(
        "mean",
        change=lambda call, tensor, **kwargs: call(tensor.float() if tensor.dtype == torch.bool else tensor, **kwargs),
    )


@mutant(kills=MEAN, witness=lambda: raises(RuntimeError, torch.std, torch.tensor([1, 2])))
def std_of_integers_is_a_float(patch):
    """`std` of integers is a float, as in NumPy."""
    patch.function("std", change=lambda call, tensor, *args, **kwargs: call(tensor.float(), *args, **kwargs))


@mutant(kills=MEAN, witness=lambda: not raises(TypeError, torch.mean, torch.tensor([1, 2])), raises=TypeError)
def mean_of_integers_raises_type_error(patch):
    """`mean` of integers raises TypeError."""

    def change(call, tensor, **kwargs):
        if not tensor.is_floating_point() and not kwargs:
            raise TypeError("could not infer output dtype")
        return call(tensor, **kwargs)

    patch.function("mean", change=change)


@mutant(kills=MEAN, witness=lambda: torch.tensor([1, 2]).mean(dtype=torch.float32) == 1.5)
def mean_converts_last(patch):
    """`mean(dtype=...)` of integers rounds down before it converts."""

    def change(call, tensor, dtype=None):
        return call(tensor, dtype=dtype) if dtype is None else call(tensor, dtype=dtype).floor()

    patch.function("mean", change=change)


@mutant(kills=COUNT, witness=lambda: torch.tensor([True, True]).sum() == 2)
def sum_of_bools_is_any(patch):
    """`sum` of bools is 1 for any number of True ones."""

    def change(call, tensor, *args, **kwargs):
        return tensor.any().long() if tensor.dtype == torch.bool else call(tensor, *args, **kwargs)

    patch.function("sum", change=change)


def summed(patch, dtype, to):
    """Give sums of one dtype another."""

    def change(call, tensor, *args, **kwargs):
        total = call(tensor, *args, **kwargs)
        return total.to(to) if tensor.dtype == dtype else total

    patch.function("sum", change=change)


@mutant(kills=COUNT, witness=lambda: torch.ones(2, dtype=torch.int32).sum().dtype == torch.int64)
def sum_of_int32_stays_int32(patch):
    """`sum` of int32 is int32."""
    summed(patch, torch.int32, torch.int32)


@mutant(kills=COUNT, witness=lambda: torch.ones(2, dtype=torch.float16).sum().dtype == torch.float16)
def sum_of_float16_is_float32(patch):
    """`sum` of float16 is float32."""
    summed(patch, torch.float16, torch.float32)


@mutant(kills=COUNT, witness=lambda: torch.ones(2, dtype=torch.bfloat16).sum().dtype == torch.bfloat16)
def sum_of_bfloat16_is_float32(patch):
    """`sum` of bfloat16 is float32."""
    summed(patch, torch.bfloat16, torch.float32)


@mutant(kills=COUNT, witness=lambda: sum(torch.tensor([200, 100], dtype=torch.uint8)).item() == 44)
def zero_plus_uint8_is_int64(patch):
    """0 + uint8 is int64, so that Python's `sum` does not wrap."""

    def change(call, left, right, **kwargs):
        return call(left.long() if isinstance(right, int) and left.dtype == torch.uint8 else left, right, **kwargs)

    patch.function(*PLUS, change=change)


@mutant(
    kills=(COUNT, LADDER, SCALARS, VECTORS),
    witness=lambda: (torch.tensor([True]) + torch.tensor([True])).dtype == torch.bool,
)
def adding_bools_counts(patch):
    """`+` of bools is an integer, as in Python."""

    def change(call, left, right, **kwargs):
        total = call(left, right, **kwargs)
        return call(left.long(), right) if total.dtype == torch.bool else total

    patch.function(*PLUS, change=change)


@mutant(kills=MEAN, witness=lambda: raises(RuntimeError, torch.var, torch.tensor([1, 2])))
def var_of_integers_is_a_float(patch):
    """`var` of integers is a float, as in NumPy."""
    patch.function("var", change=lambda call, tensor, *args, **kwargs: call(tensor.float(), *args, **kwargs))


@mutant(kills=MEAN, witness=lambda: raises(TypeError, lambda: torch.std(torch.tensor([1, 2]), dtype=torch.float32)))
def std_takes_a_dtype(patch):
    """`std` takes `dtype=`, as `mean` does."""

    def change(call, tensor, *args, dtype=None, **kwargs):
        return call(tensor if dtype is None else tensor.to(dtype), *args, **kwargs)

    patch.around(torch, "std", change)


@mutant(kills=COUNT, witness=lambda: torch.ones(2, dtype=torch.int8).sum().dtype == torch.int64)
def sum_of_int8_stays_int8(patch):
    """`sum` of int8 is int8."""
    summed(patch, torch.int8, torch.int8)


@mutant(
    kills=COUNT,
    witness=lambda: torch.tensor([60_000.0, 60_000.0], dtype=torch.float16).sum().item() == math.inf,
)
def sum_of_float16_saturates(patch):
    """`sum` of float16 stops at the largest float16."""
    patch.function(
        "sum", change=afterwards(lambda total: total.nan_to_num() if total.dtype == torch.float16 else total)
    )


# Which numbers come out

ROUND, EVERY_ROUND = "test_round_goes_to_the_even_neighbour", "test_round_agrees_with_python_for_every_half"


@mutant(kills=(ROUND, EVERY_ROUND), witness=lambda: torch.tensor(2.5).round() == 2)
def round_goes_away_from_zero(patch):
    """`round` sends a half away from zero, as in school."""
    patch.function("round", change=lambda call, tensor: tensor.sign() * (tensor.abs() + 0.5).floor())


@mutant(kills=(ROUND, EVERY_ROUND), witness=lambda: torch.tensor(-1.5).round() == -2)
def round_goes_up(patch):
    """`round` sends a half up."""
    patch.function("round", change=lambda call, tensor: (tensor + 0.5).floor())


@mutant(kills=EVERY_ROUND, witness=lambda: torch.tensor(88.5).round() == 88)
def round_of_large_numbers_goes_up(patch):
    """`round` sends a half up beyond 64."""
    patch.function("round", change=lambda call, tensor: torch.where(tensor > 64, (tensor + 0.5).floor(), call(tensor)))


@mutant(kills=ROUND, witness=lambda: torch.tensor(2.5078125).round() == 3)
def round_sees_quarters_only(patch):
    """`round` takes what is nearly a half for one."""
    patch.function("round", change=lambda call, tensor: call((tensor * 4).trunc() / 4))


@mutant(kills=ROUND, witness=lambda: torch.tensor(2.5).round().dtype == torch.float32)
def round_gives_integers(patch):
    """`round` gives integers, as Python does."""
    patch.function("round", change=afterwards(torch.Tensor.long))


STD = "test_std_is_unbiased_and_numpy_is_not"


@mutant(kills=STD, witness=lambda: torch.tensor([1.0, 1, 1, 5]).std() == 2)
def std_is_biased(patch):
    """`std` and `var` divide by n, as NumPy does."""
    patch.function(
        "std",
        "var",
        change=lambda call, *args, **kwargs: call(
            *args, **(kwargs if "correction" in kwargs else {"unbiased": False} | kwargs)
        ),
    )


@mutant(kills=STD, witness=lambda: torch.tensor([[1.0, 1, 1, 5]]).std(dim=1) == 2)
def std_along_a_dim_is_biased(patch):
    """`std` and `var` divide by n where they are given a dim."""
    patch.function(
        "std",
        "var",
        change=lambda call, *args, **kwargs: call(
            *args, **({"unbiased": False} if kwargs.get("dim") else {}), **kwargs
        ),
    )


@mutant(kills=STD, witness=lambda: torch.tensor([1.0, 1, 1, 5]).var(unbiased=False) == 3)
def unbiased_is_ignored(patch):
    """`std` and `var` ignore `unbiased=`."""
    patch.function("std", "var", change=lambda call, *args, unbiased=None, **kwargs: call(*args, **kwargs))


@mutant(kills=STD, witness=lambda: torch.var(torch.tensor([1.0, 1, 1, 5]), correction=0) == 3)
def correction_is_ignored(patch):
    """`std` and `var` ignore `correction=`."""
    patch.function("std", "var", change=lambda call, *args, correction=None, **kwargs: call(*args, **kwargs))


LIST, PARENTHESES = "test_a_tensor_never_equals_a_list", "test_masks_need_parentheses"
TILDE = "test_tilde_of_integers_flips_their_bits"
EQUALITY, CONDITION = "test_equality_is_elementwise", "test_a_condition_needs_one_bool"


@mutant(kills=EQUALITY, witness=lambda: (torch.tensor([1, 2]) == torch.tensor([1, 3])).tolist() == [True, False])
def eq_of_tensors_is_one_bool(patch):
    """`==` of two tensors is one bool, as for lists."""
    patch.function(
        *EQUAL,
        change=lambda call, left, right: (
            torch.tensor(torch.equal(left, right)) if is_tensor(right) else call(left, right)
        ),
    )


@mutant(kills=EQUALITY, witness=lambda: (torch.tensor(math.nan) == torch.tensor(math.nan)).item() is False)
def nan_equals_itself(patch):
    """`==` takes nan for equal to nan."""
    patch.function(
        *EQUAL,
        change=lambda call, left, right: (
            call(left, right) | (left.isnan() & right.isnan()) if is_tensor(right) else call(left, right)
        ),
    )


@mutant(kills=EQUALITY, witness=lambda: torch.equal(torch.ones(2), torch.ones(1)) is False)
def equal_stretches(patch):
    """`torch.equal` broadcasts."""
    patch.function("equal", change=lambda call, left, right: bool((left == right).all()))


@mutant(kills=EQUALITY, witness=lambda: torch.equal(torch.tensor(math.nan), torch.tensor(math.nan)) is False)
def equal_takes_nan_for_equal(patch):
    """`torch.equal` takes nan for equal to nan."""
    patch.function("equal", change=lambda call, left, right: call(left.nan_to_num(99), right.nan_to_num(99)))


@mutant(kills=EQUALITY, witness=lambda: torch.ones(2).isnan().dtype == torch.bool)
def isnan_gives_uint8(patch):
    """`isnan` gives uint8."""
    patch.function("isnan", change=afterwards(torch.Tensor.byte))


@mutant(kills=(CONDITION, PARENTHESES), witness=lambda: raises(RuntimeError, bool, torch.tensor([0, 1])))
def bool_of_several_is_any(patch):
    """`if tensor:` asks whether any element is true."""
    patch.function("__bool__", change=lambda call, tensor: call(tensor.any()))


@mutant(
    kills=PARENTHESES,
    witness=lambda: not raises(RuntimeError, bool, torch.tensor([0]) < torch.tensor(1)),
    raises=RuntimeError,
)
def bool_of_a_vector_raises(patch):
    """`if tensor:` raises RuntimeError also for a vector of one element."""

    def change(call, tensor):
        if tensor.ndim:
            raise RuntimeError("Boolean value of Tensor with more than one value is ambiguous")
        return call(tensor)

    patch.function("__bool__", change=change)


@mutant(kills=CONDITION, witness=lambda: not raises(ValueError, bool, torch.tensor([0, 1])), raises=ValueError)
def bool_of_several_raises_value_error(patch):
    """`if tensor:` raises ValueError, as in NumPy."""

    def change(call, tensor):
        if tensor.numel() > 1:
            raise ValueError("Boolean value of Tensor with more than one value is ambiguous")
        return call(tensor)

    patch.function("__bool__", change=change)


@mutant(kills=CONDITION, witness=lambda: (torch.tensor(True) & torch.tensor(False)).item() is False)
def ampersand_is_or(patch):
    """`&` is `|`."""
    patch.function("__and__", change=lambda call, left, right: left | right)


@mutant(kills=CONDITION, witness=lambda: (torch.tensor(True) | torch.tensor(True)).item() is True)
def bar_is_exclusive(patch):
    """`|` is `^`: True only where the two differ."""
    patch.function("__or__", change=lambda call, left, right: left ^ right)


@mutant(kills=CONDITION, witness=lambda: (~torch.tensor(True)).item() is False)
def tilde_of_bools_is_that_of_integers(patch):
    """`~` of bools is -1 or -2, as in Python."""
    patch.function("__invert__", change=lambda call, tensor: call(tensor.long()))


@mutant(kills=CONDITION, witness=lambda: torch.tensor([False, True]).any().item() is True)
def any_looks_at_the_first(patch):
    """`any` looks at the first element only."""
    patch.function("any", change=lambda call, tensor: call(tensor[:1]))


@mutant(kills=CONDITION, witness=lambda: torch.tensor([False, True]).all().item() is False)
def all_looks_at_the_last(patch):
    """`all` looks at the last element only."""
    patch.function("all", change=lambda call, tensor: call(tensor[-1:]))


@mutant(kills=CONDITION, witness=lambda: torch.tensor([False, True]).any().dtype == torch.bool)
def any_gives_uint8(patch):
    """`any` gives uint8, as it does for uint8."""
    patch.function("any", change=afterwards(torch.Tensor.byte))


@mutant(kills=LIST, witness=lambda: (torch.tensor([1, 2]) == [1, 2]) is False)
def eq_converts_lists(patch):
    """`tensor == [1, 2]` compares element by element, as in NumPy."""
    equal = torch.Tensor.__eq__
    patch.setattr(
        torch.Tensor,
        "__eq__",
        lambda tensor, other: equal(tensor, tensor.new_tensor(other) if isinstance(other, list) else other),
    )


@mutant(kills=CONDITION, witness=lambda: raises(RuntimeError, bool, torch.tensor([])))
def bool_of_nothing_is_false(patch):
    """`if tensor:` of no elements is False, as for an empty list."""
    patch.function("__bool__", change=lambda call, tensor: call(tensor) if tensor.numel() else False)


@mutant(kills=PARENTHESES, witness=lambda: (torch.tensor(False) & torch.tensor(True)).item() is False)
def ampersand_takes_the_right_side(patch):
    """`a & b` is b."""
    patch.function("__and__", "__rand__", "bitwise_and", change=lambda call, left, right: right)


@mutant(kills=TILDE, witness=lambda: (~torch.tensor([0, 1])).tolist() == [-1, -2])
def tilde_of_integers_is_not(patch):
    """`~` of integers is "not": 1 for 0, and 0 for everything else."""
    patch.function(
        "__invert__", change=lambda call, tensor: call(tensor) if tensor.dtype == torch.bool else (tensor == 0).long()
    )


@mutant(kills=TILDE, witness=lambda: raises(TypeError, lambda: ~torch.ones(2)))
def tilde_takes_floats(patch):
    """`~` of floats asks whether they are 0."""
    patch.function(
        "__invert__", change=lambda call, tensor: tensor == 0 if tensor.is_floating_point() else call(tensor)
    )


# Multiplying

STAR, SHAPES_OF_AT = "test_star_is_elementwise_and_at_is_matrix_multiplication", "test_matmul_shapes"
ONE_DTYPE = "test_matrix_product_needs_one_dtype"
MM, INNER = "test_mm_takes_matrices_only", "test_inner_dimensions_must_match"
PRODUCT = "test_matrix_product_is_rows_times_columns_for_every_size"


def square():
    return torch.tensor([[1.0, 2.0], [3.0, 4.0]])


def same_matrices(left, right):
    return is_tensor(right) and left.ndim == right.ndim == 2 and left.shape == right.shape


@mutant(kills=STAR, witness=lambda: (square() * square()).tolist() == [[1, 4], [9, 16]])
def star_is_the_matrix_product(patch):
    """`*` of two square matrices is their matrix product."""
    patch.function(
        *TIMES,
        change=lambda call, left, right: torch.matmul(left, right) if same_matrices(left, right) else call(left, right),
    )


@mutant(kills=(STAR, MM, INNER), witness=lambda: (square() @ square()).tolist() == [[7, 10], [15, 22]])
def at_is_elementwise(patch):
    """`@` of two matrices of the same shape is elementwise."""
    patch.function(
        *AT, change=lambda call, left, right: left * right if same_matrices(left, right) else call(left, right)
    )


@mutant(kills=STAR, witness=lambda: raises(RuntimeError, torch.matmul, square() > 1, square() > 1), cpu_only=True)
def at_of_bools_is_a_product(patch):
    """`@` of bools is their product, as in NumPy."""

    def change(call, left, right):
        return call(left.int(), right.int()) > 0 if left.dtype == torch.bool else call(left, right)

    patch.function(*AT, change=change)


@mutant(kills=(STAR, SHAPES_OF_AT), witness=lambda: (square() @ square().T).tolist() == [[5, 11], [11, 25]])
def at_swaps_its_sides(patch):
    """`a @ b` of two square matrices is `b @ a`."""

    def change(call, left, right):
        swap = left.ndim > 1 and left.shape == right.shape and left.shape[-1] == left.shape[-2]
        return call(right, left) if swap else call(left, right)

    patch.function(*AT, change=change)


@mutant(kills=SHAPES_OF_AT, witness=lambda: (torch.ones(3) @ torch.ones(3)).ndim == 0)
def matmul_of_vectors_has_a_dimension(patch):
    """`@` of two vectors has one dimension of size 1."""
    patch.function(*AT, change=afterwards(lambda product: product.reshape(product.shape or 1)))


@mutant(
    kills=SHAPES_OF_AT,
    witness=lambda: (torch.ones(2, 1, 1) @ torch.tensor([[[1.0]], [[2.0]]])).flatten().tolist() == [1, 2],
)
def matmul_uses_the_first_matrix_for_all(patch):
    """`@` of two batches multiplies by the first matrix of the right one."""
    patch.function(
        *AT,
        change=lambda call, left, right: call(left, right[0] if left.ndim == right.ndim == 3 else right),
    )


@mutant(kills=SHAPES_OF_AT, witness=lambda: (torch.ones(2, 1, 3) @ torch.ones(3)).shape == (2, 1))
def matmul_of_a_batch_by_a_vector_keeps_it_a_column(patch):
    """`@` of a batch and a vector keeps a last dimension of size 1."""

    def change(call, left, right):
        return call(left, right.unsqueeze(1) if left.ndim == 3 and right.ndim == 1 else right)

    patch.function(*AT, change=change)


@mutant(kills=MM, witness=lambda: raises(RuntimeError, torch.mm, torch.ones(2, 2, 2), torch.ones(2, 2)))
def mm_is_matmul(patch):
    """`mm` takes batches and vectors, too."""
    patch.function("mm", change=lambda call, left, right: torch.matmul(left, right))


@mutant(kills=MM, witness=lambda: raises(RuntimeError, torch.bmm, torch.ones(2, 2), torch.ones(2, 2, 2)))
def bmm_is_matmul(patch):
    """`bmm` takes matrices and vectors, too."""
    patch.function("bmm", change=lambda call, left, right: torch.matmul(left, right))


@mutant(
    kills=MM,
    witness=lambda: torch.bmm(square()[None], square()[None]).tolist() == [[[7, 10], [15, 22]]],
)
def bmm_turns_the_right_side(patch):
    """`bmm` multiplies by the transposes."""
    patch.function("bmm", change=lambda call, left, right: call(left, right.mT))


@mutant(kills=INNER, witness=lambda: raises(RuntimeError, torch.matmul, torch.ones(3, 2), torch.ones(3, 2)))
def matmul_transposes_to_fit(patch):
    """`@` transposes the right side where that makes it fit."""

    def change(call, left, right):
        turned = left.ndim == right.ndim == 2 and left.shape[1] != right.shape[0] and left.shape[1] == right.shape[1]
        return call(left, right.mT if turned else right)

    patch.function(*AT, change=change)


@mutant(kills=INNER, witness=lambda: raises(RuntimeError, torch.mm, torch.ones(3, 2), torch.ones(3, 2)))
def mm_drops_rows_that_do_not_fit(patch):
    """`mm` leaves out the rows on the right for which there are no columns on the left."""
    patch.function("mm", change=lambda call, left, right: call(left, right[: left.shape[1]]))


@mutant(kills=(PRODUCT, SHAPES_OF_AT), witness=lambda: (torch.ones(1, 3) @ torch.ones(3, 1)).item() == 3)
def matmul_adds_two_products(patch):
    """`@` of two matrices adds up the first two products only."""

    def change(call, left, right):
        return call(left[:, :2], right[:2]) if left.ndim == right.ndim == 2 else call(left, right)

    patch.function(*AT, change=change)


@mutant(
    kills=(PRODUCT, STAR, SHAPES_OF_AT, MM, INNER, ONE_DTYPE),
    witness=lambda: (square() @ square()).tolist() == [[7, 10], [15, 22]],
)
def matmul_is_off_by_one_bit(patch):
    """`@` gives the next larger float32."""
    patch.function(
        *AT, "bmm", change=afterwards(lambda product: torch.nextafter(product, torch.full_like(product, math.inf)))
    )


@mutant(kills=SHAPES_OF_AT, witness=lambda: raises(RuntimeError, torch.matmul, torch.tensor(2.0), torch.ones(3)))
def matmul_takes_a_number(patch):
    """`@` of a 0-d tensor multiplies by it."""
    patch.function(
        *AT, change=lambda call, left, right: left * right if 0 in (left.ndim, right.ndim) else call(left, right)
    )


@mutant(kills=ONE_DTYPE, witness=lambda: raises(RuntimeError, torch.matmul, torch.eye(2), torch.eye(2).double()))
def matmul_promotes(patch):
    """`@` converts both sides to one dtype, as `*` does."""

    def change(call, left, right):
        dtype = torch.promote_types(left.dtype, right.dtype)
        return call(left.to(dtype), right.to(dtype))

    patch.function(*AT, change=change)


@mutant(kills=PRODUCT, witness=lambda: (torch.ones(1, 0) @ torch.ones(0, 1)).item() == 0)
def empty_sum_is_nan(patch):
    """`@` of matrices without inner size is full of nan."""
    patch.function(*AT, change=lambda call, left, right: call(left, right) + (0 if left.shape[-1] else math.nan))


# Broadcasting

STRETCH, REFUSE = "test_broadcasting_stretches_dimensions_of_size_one", "test_broadcasting_refuses_sizes_that_differ"
TARGET = "test_in_place_operations_do_not_broadcast_their_target"
PAIRS, SQUARE = "test_broadcasting_agrees_with_numpy_for_every_pair_of_shapes", "test_column_minus_vector_is_a_square"


@mutant(
    kills=(STRETCH, SQUARE, PAIRS),
    witness=lambda: (
        (torch.ones(3, 1) + torch.ones(2)).shape == (3, 2)
        and (torch.ones(2, 1) - torch.arange(2)).tolist() == [[1, 0], [1, 0]]
    ),
)
def tables_come_out_turned(patch):
    """A column and a row together are a table with the row going down."""

    def change(call, left, right, **kwargs):
        made = call(left, right, **kwargs)
        grown = is_tensor(left) and is_tensor(right) and made.shape not in (left.shape, right.shape)
        return made.mT if grown and made.ndim == 2 else made

    patch.function(*ARITHMETIC, change=change)


@mutant(kills=(REFUSE, PAIRS), witness=lambda: raises(RuntimeError, torch.mul, torch.ones(3, 2), torch.ones(3)))
def broadcasting_lines_up_from_the_left(patch):
    """A vector with one number a row goes down the rows of a matrix."""

    def change(left, right):
        if is_tensor(right) and left.ndim == 2 and right.ndim == 1 and len(right) == len(left) != left.shape[1]:
            right = right.unsqueeze(1)
        return left, right

    operands(patch, *ARITHMETIC, "gt", "lt", change=change)


@mutant(kills=(REFUSE, PAIRS), witness=lambda: raises(RuntimeError, torch.add, torch.ones(3), torch.ones(2)))
def sizes_that_differ_are_cut(patch):
    """Where sizes differ, the longer side is cut to the shorter."""

    def change(left, right):
        for dim in range(-1, -1 - min(left.ndim, right.ndim), -1) if is_tensor(right) else ():
            if 1 not in (left.shape[dim], right.shape[dim]):
                size = min(left.shape[dim], right.shape[dim])
                left, right = left.narrow(dim, 0, size), right.narrow(dim, 0, size)
        return left, right

    operands(patch, *ARITHMETIC, "gt", "lt", change=change)


@mutant(kills=(REFUSE, PAIRS), witness=lambda: raises(RuntimeError, torch.gt, torch.ones(3), torch.ones(2)))
def comparing_sizes_that_differ_is_false(patch):
    """`<` and `>` of sizes that differ are False instead of an error."""

    def change(call, left, right):
        try:
            return call(left, right)
        except RuntimeError:
            return torch.zeros_like(left, dtype=torch.bool)

    patch.function("gt", "lt", change=change)


@mutant(kills=TARGET, witness=lambda: raises(RuntimeError, torch.ones(3).add_, torch.ones(2, 3)))
def in_place_addition_stretches_its_target(patch):
    """`+=` of something larger makes the left side larger."""

    def change(call, tensor, other, **kwargs):
        grows = is_tensor(other) and other.ndim > tensor.ndim
        return elsewhere(call, tensor, other) if grows else call(tensor, other, **kwargs)

    patch.function("add_", change=change)


@mutant(kills=STRETCH, witness=lambda: (1 + torch.ones(2, 1)).shape == (2, 1))
def adding_a_number_drops_the_last_dimension(patch):
    """A column plus a number is a vector."""
    patch.function(
        *PLUS,
        change=lambda call, left, right: call(left, right) if is_tensor(right) else call(left, right).squeeze(-1),
    )


@mutant(kills=(SQUARE, PAIRS), witness=lambda: (torch.ones(3, 1) - torch.ones(3)).shape == (3, 3))
def column_minus_vector_is_a_vector(patch):
    """A column minus a vector of the same length is a vector of differences."""

    def change(left, right):
        pair = is_tensor(right) and left.ndim == 2 and right.ndim == 1 and left.shape == (len(right), 1)
        return left.squeeze(1) if pair else left, right

    operands(patch, *MINUS, change=change)


@mutant(kills=PAIRS, witness=lambda: (torch.ones(2) < torch.zeros(2)).dtype == torch.bool)
def comparison_gives_uint8(patch):
    """`<` gives uint8, as it did in old releases."""
    patch.function("lt", change=afterwards(torch.Tensor.byte))


@mutant(kills=REFUSE, witness=lambda: raises(RuntimeError, torch.eq, torch.ones(3), torch.ones(2)))
def equality_of_sizes_that_differ_is_false(patch):
    """`==` of sizes that differ is False, as for lists."""

    def change(call, left, right):
        try:
            return call(left, right)
        except RuntimeError:
            return torch.zeros_like(left, dtype=torch.bool)

    patch.function(*EQUAL, change=change)


@mutant(kills=TARGET, witness=lambda: raises(RuntimeError, torch.ones(3).mul_, torch.ones(2, 3)))
def in_place_product_takes_the_first_row(patch):
    """`*=` of something larger takes its first row."""

    def change(call, tensor, other, **kwargs):
        grows = is_tensor(other) and other.ndim > tensor.ndim
        return call(tensor, other[0] if grows else other, **kwargs)

    patch.function("mul_", change=change)


@mutant(
    kills=TARGET, witness=lambda: torch.zeros(2, 3).add_(torch.ones(3)).tolist() == [[1] * 3] * 2, raises=RuntimeError
)
def in_place_addition_wants_equal_shapes(patch):
    """`+=` does not broadcast at all."""

    def change(call, tensor, other, **kwargs):
        if is_tensor(other) and other.shape != tensor.shape:
            raise RuntimeError(f"output with shape [3] doesn't match the broadcast shape {list(other.shape)}")
        return call(tensor, other, **kwargs)

    patch.function("add_", change=change)


def huber():
    return warned(nn.HuberLoss(), torch.ones(3, 1), torch.ones(3))


@mutant(kills=SQUARE, witness=lambda: huber() == [UserWarning])
def huber_loss_does_not_warn(patch):
    """`nn.HuberLoss` broadcasts silently."""
    patch.setattr(F, "huber_loss", quiet(F.huber_loss))


@mutant(
    kills=SQUARE,
    witness=lambda: (
        nn.PoissonNLLLoss()(torch.eye(2)[:, :1], torch.eye(2)[0])
        != nn.PoissonNLLLoss()(torch.eye(2)[:, 0], torch.eye(2)[0])
    ),
)
def poisson_loss_lines_up_the_column(patch):
    """`nn.PoissonNLLLoss` takes a column of predictions for a vector."""

    def change(call, prediction, target, *args, **kwargs):
        column = prediction.ndim == 2 and prediction.shape == (len(target), 1)
        return call(prediction.squeeze(1) if column else prediction, target, *args, **kwargs)

    patch.around(F, "poisson_nll_loss", change)


# Memory: is it a copy?

NAME, WRITE = "test_assignment_is_a_second_name", "test_writing_through_a_view"
SHARED, COPIED = "test_views_share_memory", "test_fancy_indexing_and_joining_copy"
STRIDES, REFUSED = "test_transpose_only_changes_the_strides", "test_view_refuses_what_reshape_copies"
EXPAND = "test_expand_repeats_without_memory"
UNDERSCORE = "test_methods_with_an_underscore_return_the_tensor_itself"
SELECTED, ONCE = "test_a_tensor_without_dimensions_as_an_index_gives_a_view", "test_a_repeated_index_adds_once"


def copied(made):
    """A copy of a tensor, or of each of several."""
    return made.clone() if is_tensor(made) else type(made)(part.clone() for part in made)


@mutant(kills=UNDERSCORE, witness=lambda: (lambda tensor: tensor.add_(1) is tensor)(torch.ones(2)))
def in_place_returns_a_view(patch):
    """`add_` returns another tensor with the same memory."""
    patch.function("add_", change=afterwards(lambda tensor: tensor.view_as(tensor)))


@mutant(kills=UNDERSCORE, witness=lambda: (lambda tensor: tensor.exp_() is tensor)(torch.ones(2)))
def exp_in_place_returns_a_copy(patch):
    """`exp_` changes the tensor and returns a copy of it."""
    patch.function("exp_", change=afterwards(torch.Tensor.clone))


@mutant(kills=UNDERSCORE, witness=lambda: (lambda tensor: tensor.abs() is not tensor)(torch.tensor(-1.0)))
def abs_returns_the_tensor_itself(patch):
    """`abs` returns the tensor itself, as `conj_physical` of real numbers does."""
    patch.function("abs", change=lambda call, tensor: tensor)


@mutant(kills=UNDERSCORE, witness=lambda: (lambda tensor: (tensor.abs(), tensor)[1].item())(torch.tensor(-1.0)) == -1)
def abs_works_in_place(patch):
    """`abs` without an underscore works in-place."""
    patch.function("abs", change=lambda call, tensor: tensor.abs_())


@mutant(
    kills=NAME,
    witness=lambda: raises(RuntimeError, torch.ones(1, requires_grad=True).__iadd__, 1),
)
def a_leaf_can_be_added_to(patch):
    """`+=` on a leaf variable that requires gradients works."""
    add = torch.Tensor.__iadd__

    def change(tensor, other):
        with torch.set_grad_enabled(not (tensor.is_leaf and tensor.requires_grad)):
            return add(tensor, other)

    patch.setattr(torch.Tensor, "__iadd__", change)


def added_without_gradients():
    with torch.no_grad():
        return torch.ones(1, requires_grad=True).__iadd__(1)


@mutant(kills=NAME, witness=lambda: not raises(RuntimeError, added_without_gradients), raises=RuntimeError)
def a_leaf_can_never_be_added_to(patch):
    """`+=` on a leaf variable that requires gradients raises RuntimeError also under `torch.no_grad()`."""
    add = torch.Tensor.__iadd__

    def change(tensor, other):
        if tensor.is_leaf and tensor.requires_grad:
            raise RuntimeError("a leaf Variable that requires grad is being used in an in-place operation.")
        return add(tensor, other)

    patch.setattr(torch.Tensor, "__iadd__", change)


@mutant(kills=UNDERSCORE, witness=lambda: not hasattr(torch.Tensor, "fill"))
def fill_has_a_method_without_an_underscore(patch):
    """There is a method `fill` beside `fill_`."""
    patch.setattr(torch.Tensor, "fill", torch.full_like, raising=False)


@mutant(kills=COPIED, witness=lambda: seen(lambda tensor: tensor[:1].T.reshape(-1), torch.zeros(2, 3)))
def reshape_of_a_transposed_row_copies(patch):
    """`reshape(-1)` of a transposed row copies, as that of every transposed matrix does."""

    def change(call, tensor, *sizes):
        made = call(tensor, *sizes)
        return made.clone() if tensor.ndim == 2 and tensor.shape[1] == 1 and sizes == (-1,) else made

    patch.function("reshape", change=change)


def added(tensor):
    """What a second name shows after `+=`."""
    name = tensor
    name += 1
    return tensor.tolist()


@mutant(kills=(IN_PLACE, TARGET, NAME, SHARED, EXPAND), witness=lambda: added(torch.zeros(2)) == [1, 1])
def plus_equals_makes_a_new_tensor(patch):
    """`b += 1` is `b = b + 1`, as for numbers."""
    patch.setattr(torch.Tensor, "__iadd__", lambda tensor, other: tensor + other)


@mutant(kills=(NAME, SHARED), witness=lambda: not seen(torch.clone, torch.zeros(2)))
def clone_is_a_view(patch):
    """`clone` is a view."""
    patch.function("clone", change=lambda call, tensor, **kwargs: tensor.view_as(tensor))


@mutant(kills=(NAME, COPIED), witness=lambda: not seen(lambda tensor: tensor + 0, torch.zeros(2)))
def plus_writes_into_the_left(patch):
    """`a + b` works in place."""

    def change(call, left, right, **kwargs):
        made = call(left, right, **kwargs)
        return left.copy_(made) if (left.dtype, left.shape) == (made.dtype, made.shape) else made

    patch.function(*PLUS, change=change)


@mutant(kills=COPIED, witness=lambda: not seen(lambda tensor: tensor + 0, torch.zeros(2)))
def adding_zero_gives_the_tensor_itself(patch):
    """`a + 0` is `a`."""
    patch.function(
        *PLUS, change=lambda call, left, right: left if not is_tensor(right) and right == 0 else call(left, right)
    )


@mutant(kills=(SHARED, REFUSED, WRITE), witness=lambda: seen(lambda tensor: tensor.reshape(6), matrix()))
def reshape_copies(patch):
    """`reshape` and `flatten` always copy."""
    patch.function("reshape", "flatten", change=afterwards(copied))


@mutant(kills=SHARED, witness=lambda: seen(lambda tensor: tensor.T.reshape(3, 1, 2), matrix()))
def reshape_copies_what_lies_across(patch):
    """`reshape` copies whenever the tensor is not contiguous."""

    def change(call, tensor, *sizes):
        made = call(tensor, *sizes)
        return made if tensor.is_contiguous() else made.clone()

    patch.function("reshape", change=change)


@mutant(kills=SHARED, witness=lambda: (lambda x: (x.movedim(0, 1).fill_(7), x)[1].sum())(torch.zeros(1, 2)) == 14)
def movedim_is_written_to_alone(patch):
    """`movedim` copies."""
    patch.function("movedim", change=afterwards(copied))


@mutant(kills=(SHARED, REFUSED, WRITE), witness=lambda: seen(lambda tensor: tensor.view(6), matrix()))
def view_copies(patch):
    """`view` copies."""
    patch.function("view", change=afterwards(copied))


@mutant(kills=(SHARED, STRIDES, WRITE), witness=lambda: seen(lambda tensor: tensor.T, matrix()))
def transposing_copies(patch):
    """`permute`, `transpose`, `t` and `.T` move the numbers to new memory."""
    patch.function(
        "permute", "transpose", "t", change=afterwards(lambda made: made.clone(memory_format=torch.contiguous_format))
    )
    attribute(patch, "T", lambda tensor: tensor.permute(1, 0))


@mutant(kills=(SHARED, EXPAND), witness=lambda: seen(lambda tensor: tensor.expand(2, 2), torch.zeros(2)))
def expand_copies(patch):
    """`expand` repeats the numbers in new memory."""
    patch.function("expand", change=afterwards(torch.Tensor.contiguous))


@mutant(kills=SHARED, witness=lambda: seen(lambda tensor: tensor.unsqueeze(0), torch.zeros(2)))
def unsqueeze_copies(patch):
    """`unsqueeze` and `squeeze` copy."""
    patch.function("unsqueeze", "squeeze", change=afterwards(copied))


@mutant(kills=SHARED, witness=lambda: seen(lambda tensor: tensor.chunk(2)[0], torch.zeros(2)))
def splitting_copies(patch):
    """`chunk`, `split` and `unbind` copy."""
    patch.function("chunk", "split", "unbind", change=afterwards(copied))


@mutant(kills=SHARED, witness=lambda: seen(torch.Tensor.detach, torch.zeros(2)))
def detach_copies(patch):
    """`detach` copies."""
    patch.function("detach", change=afterwards(copied))


@mutant(kills=STRIDES, witness=lambda: (lambda tensor: tensor.contiguous() is tensor)(torch.zeros(2)))
def contiguous_copies_what_is_in_order(patch):
    """`contiguous` copies what is in order already."""
    patch.function("contiguous", change=afterwards(copied))


@mutant(kills=(COPIED, STRIDES), witness=lambda: matrix().T.contiguous().is_contiguous())
def contiguous_does_nothing(patch):
    """`contiguous` returns the tensor as it is."""
    patch.function("contiguous", change=lambda call, tensor: tensor)


@mutant(kills=(SHARED, WRITE), witness=lambda: seen(lambda tensor: tensor[1], matrix()))
def a_row_is_a_copy(patch):
    """`x[1]` copies."""
    indexing(patch, lambda get, tensor, index: get(tensor, index).clone() if type(index) is int else get(tensor, index))


@mutant(kills=SELECTED, witness=lambda: seen(lambda tensor: tensor[torch.tensor(1)], matrix()))
def a_tensor_without_dimensions_copies(patch):
    """Indexing with a 0-d tensor copies, like indexing with any other tensor."""

    def change(get, tensor, index):
        parts = index if isinstance(index, tuple) else (index,)
        scalar = any(is_tensor(part) and part.ndim == 0 for part in parts)
        return get(tensor, index).clone() if scalar else get(tensor, index)

    indexing(patch, change)


@mutant(kills=SELECTED, witness=lambda: not seen(lambda tensor: tensor[torch.tensor([1])], matrix()))
def a_tensor_of_one_position_shares(patch):
    """Indexing with a tensor of one position is a slice."""

    def change(get, tensor, index):
        one = is_tensor(index) and index.dtype == torch.int64 and index.shape == (1,)
        return get(tensor, slice(index.item(), index.item() + 1) if one else index)

    indexing(patch, change)


@mutant(kills=SHARED, witness=lambda: seen(lambda tensor: tensor[:, 1:], matrix()))
def slices_copy(patch):
    """A slice copies, as for lists."""

    def change(get, tensor, index):
        sliced = any(isinstance(part, slice) for part in (index if isinstance(index, tuple) else (index,)))
        return get(tensor, index).clone() if sliced else get(tensor, index)

    indexing(patch, change)


@mutant(kills=SHARED, witness=lambda: seen(lambda tensor: tensor[:, ::2], matrix()))
def slices_with_a_step_copy(patch):
    """A slice copies where it leaves something out."""

    def change(get, tensor, index):
        stepped = isinstance(index, tuple) and any(isinstance(part, slice) and part.step for part in index)
        return get(tensor, index).clone() if stepped else get(tensor, index)

    indexing(patch, change)


@mutant(kills=(COPIED, WRITE), witness=lambda: not seen(lambda tensor: tensor[[0, 1]], matrix()))
def a_list_of_neighbours_shares(patch):
    """A list of rows that follow one another is read as a slice."""

    def change(get, tensor, index):
        neighbours = isinstance(index, list) and index == list(range(index[0], index[0] + len(index)))
        return get(tensor, slice(index[0], index[-1] + 1) if neighbours else index)

    indexing(patch, change)


@mutant(kills=(COPIED, WRITE), witness=lambda: not seen(lambda tensor: tensor[tensor > 4], matrix()))
def a_mask_of_neighbours_shares(patch):
    """A mask that is true from some element on is read as a slice of the flat tensor."""

    def change(get, tensor, index):
        if is_tensor(index) and index.dtype == torch.bool and index.any():
            chosen = index.flatten().nonzero().flatten().tolist()
            if chosen == list(range(chosen[0], chosen[-1] + 1)):
                return get(tensor.view(-1), slice(chosen[0], chosen[-1] + 1))
        return get(tensor, index)

    indexing(patch, change)


@mutant(kills=COPIED, witness=lambda: not seen(lambda tensor: tensor[:, torch.tensor([0, 2])], matrix()))
def a_tensor_of_two_columns_shares(patch):
    """Two columns chosen by a tensor are a view."""

    def change(get, tensor, index):
        if isinstance(index, tuple) and is_tensor(index[1]) and index[1].numel() == 2:
            first, second = index[1].tolist()
            index = (index[0], slice(first, second + 1, second - first))
        return get(tensor, index)

    indexing(patch, change)


@mutant(kills=COPIED, witness=lambda: not seen(lambda tensor: torch.stack([tensor, tensor]), torch.zeros(2)))
def stacking_a_tensor_on_itself_shares(patch):
    """`stack` of one tensor many times is an `expand`."""

    def change(call, tensors, dim=0, **kwargs):
        same = dim == 0 and all(tensor is tensors[0] for tensor in tensors)
        return tensors[0].expand(len(tensors), *tensors[0].shape) if same else call(tensors, dim, **kwargs)

    patch.function("stack", change=change)


def assigned(index, value):
    x = matrix()
    x[index] = value
    return x.tolist()


def assigning(patch, change):
    original = torch.Tensor.__setitem__
    patch.setattr(torch.Tensor, "__setitem__", lambda tensor, index, value: original(tensor, change(index), value))


@mutant(kills=WRITE, witness=lambda: assigned(([0, 1], [0, 2]), 0) == [[0, 2, 3], [4, 5, 0]])
def assignment_to_lists_writes_a_block(patch):
    """`x[[0, 1], [0, 2]] = 0` writes to all four corners."""
    assigning(
        patch,
        lambda index: (
            (torch.tensor(index[0])[:, None], torch.tensor(index[1]))
            if isinstance(index, tuple) and isinstance(index[0], list)
            else index
        ),
    )


@mutant(kills=WRITE, witness=lambda: assigned(matrix() > 5, 0) == [[1, 2, 3], [4, 5, 0]])
def assignment_to_a_mask_writes_beside_it(patch):
    """`x[mask] = 0` writes where the mask is False."""
    assigning(patch, lambda index: ~index if is_tensor(index) else index)


def counted_at(index):
    counts = torch.zeros(3, dtype=torch.int64)
    counts[index] += 1
    return counts.tolist()


@mutant(kills=ONCE, witness=lambda: counted_at([2, 2, 0]) == [1, 0, 1])
def a_repeated_index_adds_each_time(patch):
    """`counts[index] += 1` adds once for every occurrence of a position."""
    original = torch.Tensor.__setitem__

    def change(tensor, index, value):
        if isinstance(index, list) and is_tensor(value) and len(set(index)) < len(index):
            index, old = torch.tensor(index, device=tensor.device), tensor.clone()
            tensor.index_add_(0, index, value - old.index_select(0, index))
        else:
            original(tensor, index, value)

    patch.setattr(torch.Tensor, "__setitem__", change)


@mutant(kills=ONCE, witness=lambda: torch.zeros(2).index_add_(0, torch.tensor([0, 0]), torch.ones(2))[0] == 2)
def index_add_adds_once(patch):
    """`index_add_` adds once for a position that occurs twice."""

    def change(call, tensor, dim, index, source):
        return tensor.index_copy_(dim, index, tensor.index_select(dim, index) + source)

    patch.function("index_add_", change=change)


@mutant(kills=(STRIDES, EXPAND), witness=lambda: torch.ones(2, 3).stride() == (3, 1))
def stride_counts_bytes(patch):
    """`stride` counts bytes, as NumPy's strides do."""
    patch.function("stride", change=lambda call, tensor: tuple(step * tensor.element_size() for step in call(tensor)))


@mutant(kills=STRIDES, witness=lambda: not torch.ones(2, 3).T.is_contiguous())
def is_contiguous_is_always_true(patch):
    """`is_contiguous` is True for a transpose."""
    patch.function("is_contiguous", change=lambda call, tensor, **kwargs: True)


@mutant(kills=STRIDES, witness=lambda: torch.ones(0, 3).T.is_contiguous())
def an_empty_transpose_is_not_contiguous(patch):
    """Only a single row or column is contiguous both ways: an empty matrix is not."""
    patch.function("is_contiguous", change=lambda call, tensor, **kwargs: tensor.numel() > 0 and call(tensor, **kwargs))


@mutant(kills=REFUSED, witness=lambda: raises(RuntimeError, matrix().T.view, -1))
def view_copies_where_it_must(patch):
    """`view` copies where it cannot share, as `reshape` does."""
    patch.function("view", change=lambda call, tensor, *sizes: tensor.reshape(*sizes))


@mutant(
    kills=(REFUSED, COPIED, "test_reshape_and_permute_agree_with_numpy_for_every_shape"),
    witness=lambda: matrix().T.reshape(6).tolist() == [1, 4, 2, 5, 3, 6],
)
def reshape_follows_the_memory(patch):
    """`reshape` and `flatten` of a transpose give the numbers as they lie in memory."""

    def change(call, tensor, *sizes):
        return call(turn(tensor) if turn(tensor).is_contiguous() else tensor, *sizes)

    patch.function("reshape", "flatten", change=change)


def grown(tensor):
    tensor += 1


@mutant(kills=EXPAND, witness=lambda: raises(RuntimeError, grown, torch.ones(1).expand(3)))
def writing_into_expanded_is_allowed(patch):
    """`+=` on an expanded tensor gives it memory of its own."""

    def change(call, tensor, other, **kwargs):
        return elsewhere(call, tensor, other) if 0 in tensor.stride() else call(tensor, other, **kwargs)

    patch.function("add_", change=change)


@mutant(kills=EXPAND, witness=lambda: seen(lambda tensor: tensor.expand(1, 2), torch.zeros(2)))
def expand_copies_what_it_does_not_repeat(patch):
    """`expand` copies if it repeats nothing."""
    patch.function(
        "expand",
        change=lambda call, tensor, *sizes: (
            call(tensor, *sizes).clone() if math.prod(sizes_of(sizes)) == tensor.numel() else call(tensor, *sizes)
        ),
    )


@mutant(kills=EXPAND, witness=lambda: raises(RuntimeError, torch.ones(1).expand(2).mul_, 2))
def multiplying_expanded_is_allowed(patch):
    """`mul_` on an expanded tensor does nothing."""
    patch.function("mul_", change=lambda call, tensor, *args: tensor if 0 in tensor.stride() else call(tensor, *args))


# Changing the shape

RESHAPE, INFER = "test_reshape_does_not_transpose", "test_reshape_infers_one_size_and_never_loses_numbers"
EVERY_SHAPE = "test_reshape_and_permute_agree_with_numpy_for_every_shape"


@mutant(kills=INFER, witness=lambda: raises(IndexError, torch.ones(3).flatten, 1))
def flatten_of_a_vector_makes_a_column(patch):
    """`flatten(1)` of a vector is a column, as `reshape(len(x), -1)` is."""

    def change(call, tensor, *dims):
        return tensor.unsqueeze(1) if tensor.ndim == 1 and dims == (1,) else call(tensor, *dims)

    patch.function("flatten", change=change)


@mutant(
    kills=(RESHAPE, INFER, EVERY_SHAPE),
    witness=lambda: matrix().reshape(3, 2).tolist() == [[1, 2], [3, 4], [5, 6]],
)
def reshape_goes_column_by_column(patch):
    """`reshape` and `view` take and put the numbers column by column."""

    def change(call, tensor, *sizes):
        return turn(turn(tensor).reshape(sizes_of(sizes)[::-1]))

    patch.function("reshape", "view", change=change)


@mutant(kills=RESHAPE, witness=lambda: matrix().T.tolist() == [[1, 4], [2, 5], [3, 6]])
def transposing_is_reshaping(patch):
    """`.T`, `t`, `transpose` and `permute` of a matrix leave the numbers in their order."""

    def change(call, tensor, *dims):
        return tensor.reshape(call(tensor, *dims).shape)

    patch.function("t", "transpose", "permute", change=change)
    attribute(patch, "T", lambda tensor: tensor.permute(1, 0))


@mutant(
    kills=RESHAPE, witness=lambda: torch.arange(12).reshape(2, 2, 3).permute(2, 0, 1)[0].tolist() == [[0, 3], [6, 9]]
)
def permute_of_an_image_reshapes(patch):
    """`permute` of three dimensions leaves the numbers in their order."""
    patch.function(
        "permute",
        change=lambda call, tensor, *dims: (
            tensor.reshape(call(tensor, *dims).shape) if tensor.ndim == 3 else call(tensor, *dims)
        ),
    )


@mutant(kills=RESHAPE, witness=lambda: matrix().T.t().tolist() == matrix().tolist())
def transposing_back_does_nothing(patch):
    """`t` and `transpose` of a transposed matrix leave it as it is."""
    patch.function(
        "t",
        "transpose",
        change=lambda call, tensor, *dims: call(tensor, *dims) if tensor.is_contiguous() else tensor,
    )


@mutant(kills=INFER, witness=lambda: raises(RuntimeError, torch.ones(6).reshape, 4))
def reshape_cuts_what_does_not_fit(patch):
    """`reshape` and `view` drop the numbers for which there is no room."""

    def change(call, tensor, *sizes):
        wanted = sizes_of(sizes)
        fits = -1 in wanted or math.prod(wanted) >= tensor.numel()
        return call(tensor, *sizes) if fits else tensor.flatten()[: math.prod(wanted)].reshape(wanted)

    patch.function("reshape", "view", change=change)


@mutant(kills=INFER, witness=lambda: raises(RuntimeError, torch.ones(6).view, -1, 4))
def minus_one_rounds_down(patch):
    """`reshape(-1, 4)` makes as many rows of four as there are, and drops the rest."""

    def change(call, tensor, *sizes):
        wanted = sizes_of(sizes)
        row = -math.prod(wanted)
        even = wanted.count(-1) != 1 or tensor.numel() % row == 0
        return call(tensor, *sizes) if even else tensor.flatten()[: tensor.numel() // row * row].reshape(wanted)

    patch.function("reshape", "view", change=change)


@mutant(kills=INFER, witness=lambda: raises(RuntimeError, torch.ones(0, 3).reshape, 0, -1))
def minus_one_beside_zero_is_one(patch):
    """`reshape(0, -1)` of an empty tensor works out a size, as it does for a full one."""

    def change(call, tensor, *sizes):
        wanted = sizes_of(sizes)
        ambiguous = tensor.numel() == 0 and 0 in wanted and -1 in wanted
        return call(tensor, tuple(abs(size) for size in wanted) if ambiguous else wanted)

    patch.function("reshape", "view", change=change)


@mutant(kills=INFER, witness=lambda: torch.ones(0, 2, 3).flatten(1).shape == (0, 6))
def flatten_of_an_empty_batch_drops_all(patch):
    """`flatten(1)` of an empty batch is an empty vector."""
    patch.function(
        "flatten", change=lambda call, tensor, *dims: call(tensor, *dims) if tensor.numel() else tensor.reshape(0)
    )


@mutant(kills=INFER, witness=lambda: raises(RuntimeError, torch.ones(6).view, -1, -1))
def two_sizes_are_inferred(patch):
    """`reshape(-1, -1)` is a column."""
    patch.function(
        "reshape",
        "view",
        change=lambda call, tensor, *sizes: call(tensor, (-1, 1) if sizes_of(sizes) == (-1, -1) else sizes_of(sizes)),
    )


@mutant(kills=INFER, witness=lambda: not raises(ValueError, torch.ones(6).reshape, 4), raises=ValueError)
def reshape_raises_value_error(patch):
    """`reshape` and `view` raise ValueError for sizes that do not fit, as in NumPy."""

    def change(call, tensor, *sizes):
        try:
            return call(tensor, *sizes)
        except RuntimeError as error:
            raise ValueError(str(error)) from None

    patch.function("reshape", "view", change=change)


@mutant(kills=EVERY_SHAPE, witness=lambda: torch.ones(2, 3, 4).permute(1, 2, 0).shape == (3, 4, 2))
def permute_is_its_inverse(patch):
    """`permute(1, 2, 0)` puts dimension 0 at 1, 1 at 2 and 2 at 0: the inverse."""

    def change(call, tensor, *dims):
        order = sizes_of(dims)
        return call(tensor, [order.index(dim) for dim in range(len(order))])

    patch.function("permute", change=change)


@mutant(kills=EVERY_SHAPE, witness=lambda: torch.ones(2, 3, 4).transpose(0, 2).shape == (4, 3, 2))
def transpose_swaps_with_the_neighbour(patch):
    """`transpose(0, 2)` swaps dimensions 0 and 1."""
    patch.function("transpose", change=lambda call, tensor, one, other: call(tensor, one, one + 1))


SQUEEZE, INDEX = (
    "test_squeeze_drops_only_dimensions_of_size_one",
    "test_an_index_drops_the_dimension_and_a_slice_keeps_it",
)


@mutant(kills=SQUEEZE, witness=lambda: not raises(ValueError, torch.ones(1, 3).squeeze, 1), raises=ValueError)
def squeeze_of_a_larger_dimension_raises(patch):
    """`squeeze(dim)` of a dimension that is not 1 raises ValueError, as in NumPy."""

    def change(call, tensor, dim=None):
        if dim is not None and dim < tensor.ndim and tensor.shape[dim] != 1:
            raise ValueError("cannot select an axis to squeeze out which has size not equal to one")
        return call(tensor) if dim is None else call(tensor, dim)

    patch.function("squeeze", change=change)


@mutant(kills=SQUEEZE, witness=lambda: torch.ones(1, 3, 1).squeeze(0).shape == (3, 1))
def squeeze_ignores_its_dim(patch):
    """`squeeze(dim)` drops all dimensions of size 1."""
    patch.function("squeeze", change=lambda call, tensor, dim=None: call(tensor))


@mutant(kills=SQUEEZE, witness=lambda: torch.ones(1, 3, 1).squeeze().shape == (3,))
def squeeze_keeps_the_batch(patch):
    """`squeeze()` leaves the first dimension alone."""
    patch.function(
        "squeeze",
        change=lambda call, tensor, *dim: call(tensor, *dim) if dim else call(tensor).reshape(1, *call(tensor).shape),
    )


@mutant(kills=SQUEEZE, witness=lambda: torch.arange(3).reshape(1, 3).squeeze(0).tolist() == [0, 1, 2])
def squeeze_reverses_the_order(patch):
    """`squeeze` has the right shape, and the numbers in the opposite order."""
    patch.function("squeeze", change=afterwards(lambda made: made.flip(tuple(range(made.ndim)))))


@mutant(kills=SQUEEZE, witness=lambda: raises(IndexError, torch.ones(1).squeeze, 3))
def squeeze_ignores_a_dimension_that_is_not_there(patch):
    """`squeeze(3)` of a tensor with fewer dimensions does nothing."""
    patch.function(
        "squeeze", change=lambda call, tensor, *dim: tensor if dim and dim[0] >= tensor.ndim else call(tensor, *dim)
    )


@mutant(kills=SQUEEZE, witness=lambda: torch.ones(3, 2).unsqueeze(-1).shape == (3, 2, 1))
def unsqueeze_counts_back_from_the_old_end(patch):
    """`unsqueeze(-1)` puts the new dimension before the last one."""
    patch.function("unsqueeze", change=lambda call, tensor, dim: call(tensor, dim + tensor.ndim if dim < 0 else dim))


@mutant(kills=INDEX, witness=lambda: matrix()[0].shape == (3,))
def an_index_keeps_the_dimension(patch):
    """`x[0]` of a matrix is a matrix of one row."""

    def change(get, tensor, index):
        keep = type(index) is int and tensor.ndim == 2 and 0 <= index < len(tensor)
        return get(tensor, slice(index, index + 1) if keep else index)

    indexing(patch, change)


@mutant(kills=INDEX, witness=lambda: matrix()[0:1].shape == (1, 3))
def a_slice_of_one_drops_the_dimension(patch):
    """`x[0:1]` is `x[0]`."""

    def change(get, tensor, index):
        made = get(tensor, index)
        return get(made, 0) if isinstance(index, slice) and len(made) == 1 else made

    indexing(patch, change)


@mutant(kills=INDEX, witness=lambda: raises(IndexError, lambda: matrix()[2]))
def an_index_beyond_the_end_starts_anew(patch):
    """`x[2]` of two rows is `x[0]`."""
    indexing(
        patch,
        lambda get, tensor, index: get(tensor, index % len(tensor) if type(index) is int and index > 0 else index),
    )


@mutant(kills=INDEX, witness=lambda: raises(IndexError, lambda: matrix()[-3]))
def an_index_before_the_start_goes_on(patch):
    """`x[-3]` of two rows is `x[-1]`."""
    indexing(
        patch,
        lambda get, tensor, index: get(tensor, index % len(tensor) if type(index) is int and index < 0 else index),
    )


@mutant(kills=INDEX, witness=lambda: matrix()[1:9].shape == (1, 3), raises=IndexError)
def a_slice_beyond_the_end_raises(patch):
    """`x[1:9]` of two rows raises IndexError."""

    def change(get, tensor, index):
        if isinstance(index, slice) and index.stop is not None and index.stop > len(tensor):
            raise IndexError(f"index {index.stop} is out of bounds")
        return get(tensor, index)

    indexing(patch, change)


@mutant(kills=INDEX, witness=lambda: matrix()[..., 0].tolist() == [1, 4])
def an_ellipsis_stands_for_nothing(patch):
    """`x[..., 0]` is `x[0]`."""
    indexing(
        patch,
        lambda get, tensor, index: get(
            tensor, index[1:] if isinstance(index, tuple) and index[0] is Ellipsis else index
        ),
    )


LISTS, STEPS = "test_lists_of_indices_go_in_pairs", "test_a_negative_step_raises"


@mutant(kills=LISTS, witness=lambda: matrix()[[0, 1], [2, 0]].shape == (2,))
def lists_of_indices_pick_a_block(patch):
    """`x[[0, 1], [2, 0]]` is all four crossings."""

    def change(get, tensor, index):
        crossing = isinstance(index, tuple) and all(isinstance(part, list) for part in index)
        return get(get(tensor, index[0]), (slice(None), index[1])) if crossing else get(tensor, index)

    indexing(patch, change)


@mutant(kills=LISTS, witness=lambda: raises(IndexError, lambda: matrix()[[0, 1, 0], [2, 0]]))
def lists_of_indices_stop_at_the_shortest(patch):
    """`x[[0, 1, 0], [2, 0]]` picks two elements, like `zip`."""

    def change(get, tensor, index):
        lists = isinstance(index, tuple) and all(isinstance(part, list) for part in index)
        return get(tensor, tuple(map(list, zip(*zip(*index, strict=False), strict=True))) if lists else index)

    indexing(patch, change)


@mutant(kills=STEPS, witness=lambda: raises(ValueError, lambda: matrix()[::-1]))
def a_negative_step_goes_backwards(patch):
    """`x[::-1]` reverses, as in NumPy."""
    indexing(
        patch,
        lambda get, tensor, index: (
            tensor.flip(0) if isinstance(index, slice) and index.step == -1 else get(tensor, index)
        ),
    )


@mutant(kills=LISTS, witness=lambda: matrix()[[1, 0, 1]].tolist() == [[4, 5, 6], [1, 2, 3], [4, 5, 6]])
def a_list_of_rows_is_sorted(patch):
    """`x[[1, 0, 1]]` gives each row once, in order."""
    indexing(patch, lambda get, tensor, index: get(tensor, sorted(set(index)) if isinstance(index, list) else index))


@mutant(kills=STEPS, witness=lambda: matrix().flip(0).tolist() == [[4, 5, 6], [1, 2, 3]])
def flip_ignores_its_dims(patch):
    """`flip` reverses all dimensions."""
    patch.function("flip", change=lambda call, tensor, *dims: call(tensor, tuple(range(tensor.ndim))))


@mutant(kills=STEPS, witness=lambda: matrix().flip((0, 1)).tolist() == [[6, 5, 4], [3, 2, 1]])
def flip_reverses_one_dimension(patch):
    """`flip` reverses the first of its dims only."""
    patch.function("flip", change=lambda call, tensor, *dims: call(tensor, sizes_of(dims)[:1]))


@mutant(kills=STEPS, witness=lambda: matrix().float().flip(0).tolist() == [[4, 5, 6], [1, 2, 3]])
def flip_leaves_floats_alone(patch):
    """`flip` of floats does nothing, that of integers is right."""
    patch.function(
        "flip",
        change=lambda call, tensor, *dims: tensor.clone() if tensor.is_floating_point() else call(tensor, *dims),
    )


SKIPPED, FEWER = "test_cat_skips_an_empty_vector", "test_chunk_may_give_fewer_pieces"
JOIN, EVERY_JOIN = (
    "test_stack_adds_a_dimension_and_cat_does_not",
    "test_stack_and_cat_agree_with_numpy_for_every_shape",
)


@mutant(kills=JOIN, witness=lambda: torch.stack([torch.ones(2)] * 3).shape == (3, 2))
def stack_joins(patch):
    """`stack` of vectors is `cat`."""
    patch.function(
        "stack",
        change=lambda call, tensors, dim=0: torch.cat(tensors) if tensors[0].ndim == 1 else call(tensors, dim),
    )


@mutant(kills=(JOIN, EVERY_JOIN), witness=lambda: torch.stack([torch.ones(2)] * 3, dim=1).shape == (2, 3))
def stack_ignores_dim(patch):
    """`stack` always puts the new dimension first."""
    patch.function("stack", change=lambda call, tensors, dim=0: call(tensors))


@mutant(kills=EVERY_JOIN, witness=lambda: torch.stack([torch.ones(2)] * 3, dim=-1).shape == (2, 3))
def stack_counts_back_from_the_old_end(patch):
    """`stack(dim=-1)` puts the new dimension before the last one."""
    patch.function("stack", change=lambda call, tensors, dim=0: call(tensors, dim - 1 if dim < 0 else dim))


@mutant(kills=(JOIN, EVERY_JOIN), witness=lambda: torch.cat([torch.ones(1, 2)] * 3, dim=1).shape == (1, 6))
def cat_ignores_dim(patch):
    """`cat` always joins along the first dimension."""
    patch.function("cat", change=lambda call, tensors, dim=0: call(tensors))


@mutant(kills=JOIN, witness=lambda: raises(RuntimeError, torch.stack, [torch.ones(3), torch.ones(2)]))
def stack_cuts_to_the_shortest(patch):
    """`stack` cuts vectors to the shortest of them."""

    def change(call, tensors, dim=0):
        size = min(len(tensor) for tensor in tensors)
        return call([tensor[:size] for tensor in tensors], dim)

    patch.function("stack", change=change)


@mutant(kills=JOIN, witness=lambda: raises(RuntimeError, torch.cat, [torch.ones(1, 3), torch.ones(1, 2)]))
def cat_flattens_what_does_not_match(patch):
    """`cat` of rows that do not match joins them to one long vector."""

    def change(call, tensors, dim=0):
        different = len({tensor.shape[1:] for tensor in tensors}) > 1 and dim == 0
        return call([tensor.flatten() if different else tensor for tensor in tensors], dim)

    patch.function("cat", change=change)


@mutant(
    kills=SKIPPED,
    witness=lambda: not raises(RuntimeError, torch.cat, [torch.ones(0), torch.ones(1, 2)]),
    raises=RuntimeError,
)
def cat_refuses_an_empty_vector(patch):
    """`cat` wants the same number of dimensions from every tensor, as NumPy does."""

    def change(call, tensors, dim=0):
        if len({tensor.ndim for tensor in tensors}) > 1:
            raise RuntimeError("Tensors must have same number of dimensions")
        return call(tensors, dim)

    patch.function("cat", change=change)


@mutant(
    kills=SKIPPED,
    witness=lambda: torch.cat([torch.ones(0), torch.ones(1, dtype=torch.int64)]).dtype == torch.float32,
)
def cat_forgets_the_dtype_of_the_empty(patch):
    """`cat` leaves empty tensors out before it looks at the dtypes."""
    patch.function(
        "cat", change=lambda call, tensors, dim=0: call([t for t in tensors if t.shape != (0,)] or tensors, dim)
    )


@mutant(kills=FEWER, witness=lambda: len(torch.ones(6).chunk(4)) == 3)
def chunk_gives_as_many_as_asked(patch):
    """`chunk` gives exactly as many pieces as it is asked for, as even as possible."""
    patch.function("chunk", change=lambda call, tensor, count, dim=0: tensor.tensor_split(count, dim))


@mutant(kills=FEWER, witness=lambda: len(torch.ones(6).tensor_split(4)) == 4)
def tensor_split_rounds_up(patch):
    """`tensor_split` is `chunk`."""
    patch.function("tensor_split", change=lambda call, tensor, count, dim=0: tensor.chunk(count, dim))


@mutant(
    kills=EVERY_JOIN,
    witness=lambda: torch.cat([torch.zeros(1), torch.ones(1), torch.ones(1)]).tolist() == [0, 1, 1],
)
def cat_of_three_reverses(patch):
    """`cat` of three tensors begins with the last."""
    patch.function(
        "cat", change=lambda call, tensors, dim=0: call(tensors[::-1] if len(tensors) == 3 else tensors, dim)
    )


@mutant(kills=EVERY_JOIN, witness=lambda: len(torch.ones(2, 3).unbind(1)) == 3)
def unbind_ignores_dim(patch):
    """`unbind` always takes the first dimension apart."""
    patch.function("unbind", change=lambda call, tensor, dim=0: call(tensor))


@mutant(kills=EVERY_JOIN, witness=lambda: torch.ones(2, 4).chunk(2, 1)[0].shape == (2, 2))
def chunk_ignores_dim(patch):
    """`chunk` always cuts the first dimension."""
    patch.function("chunk", change=lambda call, tensor, count, dim=0: call(tensor, count))


TURN = "test_capital_t_on_three_dimensions_warns_and_reverses_all"


@mutant(kills=TURN, witness=lambda: UserWarning in warned(lambda: torch.ones(2, 3, 4).T))
def capital_t_does_not_warn(patch):
    """`.T` of three dimensions reverses them without a warning."""
    attribute(patch, "T", turn)


@mutant(kills=TURN, witness=lambda: warned(lambda: torch.ones(2, 3, 4).T) and quiet_t().shape == (4, 3, 2))
def capital_t_swaps_the_last_two(patch):
    """`.T` of three dimensions warns and transposes each matrix."""

    def get(tensor):
        if tensor.ndim != 2:
            text = "The use of `x.T` on tensors of dimension other than 2 to reverse their shape is deprecated"
            warnings.warn(text, UserWarning, stacklevel=2)
        return tensor.transpose(-2, -1) if tensor.ndim > 1 else tensor

    attribute(patch, "T", get)


def quiet_t():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.ones(2, 3, 4).T


@mutant(kills=TURN, witness=lambda: torch.ones(2, 3, 4).mT.shape == (2, 4, 3))
def small_m_capital_t_reverses_all(patch):
    """`.mT` of three dimensions reverses them."""
    attribute(patch, "mT", turn)


# Reducing and choosing

DIM, REDUCTIONS = "test_dim_is_the_dimension_that_disappears", "test_reductions_agree_with_numpy_for_every_dim"
MAX, ARGMAX = "test_max_along_a_dim_returns_values_and_indices", "test_argmax_without_dim_counts_through_all_elements"
FIRST, NAN = "test_the_first_of_equals_wins_for_every_list", "test_nan_wins_every_maximum"


@mutant(kills=DIM, witness=lambda: torch.ones(2, 3).sum(dim=0).shape == (3,))
def sum_keeps_the_dim_it_is_given(patch):
    """`sum(dim=0)` of a matrix adds up each row."""

    def change(call, tensor, *args, **kwargs):
        dim = args[0] if args else kwargs.get("dim")
        if dim in (0, 1) and tensor.ndim == 2:
            return call(tensor, dim=1 - dim, keepdim=kwargs.get("keepdim", False))
        return call(tensor, *args, **kwargs)

    patch.function("sum", change=change)


@mutant(kills=(DIM, REDUCTIONS), witness=lambda: torch.ones(2, 3).sum(dim=1, keepdim=True).shape == (2, 1))
def keepdim_is_ignored(patch):
    """`sum` and `mean` ignore `keepdim=`."""
    patch.function("sum", "mean", change=lambda call, *args, keepdim=False, **kwargs: call(*args, **kwargs))


@mutant(kills=DIM, witness=lambda: torch.ones(2, 3).sum(dim=1).shape == (2,))
def keepdim_is_the_default(patch):
    """`sum(dim)` keeps the dimension unless told otherwise."""

    def change(call, tensor, *args, **kwargs):
        return call(tensor, *args, **({"keepdim": True} | kwargs if args or "dim" in kwargs else kwargs))

    patch.function("sum", change=change)


@mutant(
    kills=DIM,
    witness=lambda: (torch.ones(2, 1) / torch.ones(2, 1).sum(1)).shape == (2, 2),
    raises=RuntimeError,
)
def a_column_over_a_vector_raises(patch):
    """Dividing a column by a vector of its length raises RuntimeError, as for most shapes."""

    def change(call, left, right, **kwargs):
        if is_tensor(right) and left.ndim == 2 and left.shape[1] == 1 and right.shape == (len(left),):
            raise RuntimeError("The size of tensor a must match the size of tensor b")
        return call(left, right, **kwargs)

    patch.function(*OVER, change=change)


@mutant(kills=(DIM, REDUCTIONS), witness=lambda: torch.ones(2, 3).sum(-1).shape == (2,))
def sum_reads_minus_one_as_zero(patch):
    """`sum(-1)` goes along the first dimension."""
    patch.function(
        "sum",
        change=lambda call, tensor, *args, **kwargs: (
            call(tensor, 0, **kwargs) if args == (-1,) else call(tensor, *args, **kwargs)
        ),
    )


@mutant(kills=DIM, witness=lambda: torch.ones(2, 3).mean(dim=0).dtype == torch.float32)
def mean_along_a_dim_is_float64(patch):
    """`mean(dim)` is float64."""

    def change(call, tensor, *args, **kwargs):
        return call(tensor.double() if args or "dim" in kwargs else tensor, *args, **kwargs)

    patch.function("mean", change=change)


@mutant(kills=REDUCTIONS, witness=lambda: torch.tensor([[-2, 1]]).amax(1) == 1)
def amax_compares_magnitudes(patch):
    """`amax` is the largest absolute value."""
    patch.function("amax", change=lambda call, tensor, *args, **kwargs: call(tensor.abs(), *args, **kwargs))


@mutant(kills=REDUCTIONS, witness=lambda: raises(IndexError, torch.ones(0, 3).amax, 0))
def amax_of_nothing_is_minus_infinity(patch):
    """`amax` along an empty dimension is -inf."""

    def change(call, tensor, dim, **kwargs):
        return call(tensor, dim, **kwargs) if tensor.numel() else tensor.sum(dim, **kwargs) - math.inf

    patch.function("amax", change=change)


@mutant(kills=REDUCTIONS, witness=lambda: torch.ones(2, 3).argmax(1, keepdim=True).shape == (2, 1))
def argmax_ignores_keepdim(patch):
    """`argmax` ignores `keepdim=`."""
    patch.function("argmax", change=lambda call, tensor, dim=None, keepdim=False: call(tensor, dim))


@mutant(kills=(REDUCTIONS, FIRST), witness=lambda: torch.tensor([5, 5]).argmax() == 0)
def argmax_takes_the_last_of_equals(patch):
    """`argmax` gives the last of several equal maxima."""

    def change(call, tensor, dim=None, keepdim=False):
        if dim is None:
            return tensor.numel() - 1 - call(tensor.flatten().flip(0))
        return tensor.shape[dim] - 1 - call(tensor.flip(dim), dim, keepdim)

    patch.function("argmax", change=change)


def reduced(patch, *names, change):
    """Change the pairs of values and indices that these functions give: `change(values, indices, tensor)`."""

    def reduction(call, tensor, *args, **kwargs):
        made = call(tensor, *args, **kwargs)
        return made if is_tensor(made) else type(made)(change(*made, tensor))

    patch.function(*names, change=reduction)


@mutant(kills=MAX, witness=lambda: not is_tensor(torch.ones(2, 3).max(1)))
def max_along_a_dim_gives_values_only(patch):
    """`max(dim=...)` is one tensor, as in NumPy."""
    patch.function("max", change=afterwards(lambda made: made if is_tensor(made) else made.values))


@mutant(kills=MAX, witness=lambda: (torch.ones(2, 3).max(1) == torch.zeros(2)) is False, raises=TypeError)
def comparing_with_a_pair_raises(patch):
    """`==` between a tensor and a pair raises TypeError, so the mistake is seen at once."""
    original = torch.Tensor.__eq__

    def change(tensor, other):
        if isinstance(other, tuple):
            raise TypeError("cannot compare a tensor with a pair")
        return original(tensor, other)

    patch.setattr(torch.Tensor, "__eq__", change)


@mutant(kills=MAX, witness=lambda: torch.tensor([[0, 1], [1, 0]]).max(1).indices.tolist() == [1, 0])
def max_counts_through_all_elements(patch):
    """The indices of `max(dim=...)` count through the flattened tensor."""
    reduced(
        patch,
        "max",
        change=lambda values, indices, tensor: (
            values,
            indices + torch.arange(len(indices)).to(indices) * tensor.shape[1] if indices.ndim == 1 else indices,
        ),
    )


@mutant(kills=MAX, witness=lambda: torch.ones(2, 3).max(1).indices.dtype == torch.int64)
def max_gives_int32_indices(patch):
    """The indices of `max(dim=...)` are int32."""
    reduced(patch, "max", change=lambda values, indices, tensor: (values, indices.int()))


@mutant(kills=MAX, witness=lambda: torch.max(torch.tensor([1, 2]), torch.tensor([0, 3])).tolist() == [1, 3])
def max_of_two_tensors_is_one_of_them(patch):
    """`max(other)` is the tensor with the larger maximum."""

    def change(call, tensor, *args, **kwargs):
        if args and is_tensor(args[0]):
            return max(tensor, args[0], key=lambda side: side.max().item())
        return call(tensor, *args, **kwargs)

    patch.function("max", "maximum", change=change)


@mutant(kills=(MAX, FIRST), witness=lambda: torch.tensor([1, 5]).min(0).indices == 0)
def min_gives_the_place_of_the_maximum(patch):
    """`min(dim=...)` has the right values with the indices of `max`."""

    def change(call, tensor, *args, **kwargs):
        made = call(tensor, *args, **kwargs)
        return made if is_tensor(made) else type(made)((made[0], torch.max(tensor, *args, **kwargs)[1]))

    patch.function("min", change=change)


@mutant(kills=ARGMAX, witness=lambda: torch.tensor([[1, 9], [10, 5]]).argmax() == 2)
def argmax_looks_at_the_first_row(patch):
    """`argmax()` of a matrix is that of its first row."""
    patch.function(
        "argmax",
        change=lambda call, tensor, dim=None, keepdim=False: (
            call(tensor[0] if tensor.ndim else tensor) if dim is None else call(tensor, dim, keepdim)
        ),
    )


@mutant(
    kills=ARGMAX,
    witness=lambda: (torch.tensor(5) == torch.tensor([1, 5])).tolist() == [False, True],
    raises=RuntimeError,
)
def comparing_one_number_with_labels_raises(patch):
    """`==` between a 0-d tensor and a vector raises RuntimeError, as for other shapes that differ."""

    def change(call, left, right):
        if is_tensor(left) and is_tensor(right) and left.ndim == 0 < right.ndim:
            raise RuntimeError("The size of tensor a must match the size of tensor b")
        return call(left, right)

    patch.function(*EQUAL, change=change)


@mutant(kills=(ARGMAX, REDUCTIONS), witness=lambda: torch.ones(2, 3).argmax(1).dtype == torch.int64)
def argmax_along_a_dim_is_int32(patch):
    """`argmax(dim)` is int32."""
    patch.function("argmax", change=afterwards(lambda made: made.int() if made.ndim else made))


@mutant(kills=ARGMAX, witness=lambda: matrix().argmax(0).tolist() == [1, 1, 1])
def argmax_goes_along_rows_always(patch):
    """`argmax` goes along the last dimension whatever `dim` is."""
    patch.function(
        "argmax",
        change=lambda call, tensor, dim=None, keepdim=False: call(tensor) if dim is None else call(tensor, -1, keepdim),
    )


@mutant(kills=FIRST, witness=lambda: torch.tensor([5, 5]).max(0).indices == 0)
def max_takes_the_last_of_equals(patch):
    """`max(dim)` gives the last of several equal maxima."""
    reduced(
        patch,
        "max",
        change=lambda values, indices, tensor: (values, len(tensor) - 1 - torch.argmax(tensor.flip(0), 0)),
    )


@mutant(kills=FIRST, witness=lambda: torch.tensor([5, 5]).cummax(0).indices[-1] == 1)
def cummax_keeps_the_first_of_equals(patch):
    """`cummax` gives the position of the first of several equal maxima, as `argmax` does."""

    def change(call, tensor, dim):
        values, positions = call(tensor, dim)
        first = (values[:, None] == tensor[None]).int().argmax(1)
        return type(call(tensor, dim))((values, first))

    patch.function("cummax", change=change)


@mutant(kills=FIRST, witness=lambda: torch.sort(torch.zeros(20), stable=True).indices[0] == 0)
def stable_sort_of_long_tensors_is_not(patch):
    """`sort(stable=True)` turns equals round beyond 16 elements."""

    def change(call, tensor, *args, **kwargs):
        if len(tensor) <= 16:
            return call(tensor, *args, **kwargs)
        made = call(tensor.flip(0), *args, **kwargs)
        return type(made)((made[0], len(tensor) - 1 - made[1]))

    patch.function("sort", change=change)


@mutant(kills=FIRST, witness=lambda: torch.tensor([1, 2]).topk(2, largest=False).values.tolist() == [1, 2])
def topk_of_the_smallest_begins_with_the_largest(patch):
    """`topk(largest=False)` begins with the largest of the smallest."""

    def change(call, tensor, k, largest=True, **kwargs):
        made = call(tensor, k, largest=largest, **kwargs)
        return made if largest else type(made)(part.flip(0) for part in made)

    patch.function("topk", change=change)


def without_nan(worst):
    return lambda call, tensor, *args, **kwargs: call(tensor.nan_to_num(worst), *args, **kwargs)


@mutant(kills=NAN, witness=lambda: torch.tensor([1, math.nan]).max().isnan().item())
def max_skips_nan(patch):
    """`max` ignores nan."""
    patch.function("max", change=without_nan(-math.inf))


@mutant(kills=NAN, witness=lambda: torch.tensor([1, math.nan]).min(dim=0).values.isnan().item())
def min_along_a_dim_skips_nan(patch):
    """`min(dim)` ignores nan, `min()` does not."""

    def change(call, tensor, *args, **kwargs):
        return call(tensor.nan_to_num(math.inf) if args or kwargs else tensor, *args, **kwargs)

    patch.function("min", change=change)


@mutant(kills=NAN, witness=lambda: torch.tensor([1, math.nan]).sum().isnan().item())
def sum_skips_nan(patch):
    """`sum` is `nansum`."""
    patch.function("sum", change=without_nan(0.0))


@mutant(kills=NAN, witness=lambda: torch.tensor([1, math.nan]).mean().isnan().item())
def mean_skips_nan(patch):
    """`mean` is `nanmean`."""
    patch.function("mean", change=lambda call, tensor, *args, **kwargs: torch.nanmean(tensor, *args, **kwargs))


@mutant(kills=NAN, witness=lambda: torch.tensor([1, math.nan]).half().max().isnan().item())
def max_of_float16_skips_nan(patch):
    """`max` of float16 leaves nan out."""
    patch.function(
        "max",
        change=lambda call, x, *args, **kwargs: call(
            x.nan_to_num(-65504) if x.dtype == torch.float16 else x, *args, **kwargs
        ),
    )


@mutant(kills=NAN, witness=lambda: torch.tensor([1, math.nan, 5]).nanmean() == 3)
def nanmean_counts_nan(patch):
    """`nanmean` divides by the number of all elements."""
    patch.function("nanmean", change=lambda call, x: x.nansum() / x.numel())


@mutant(kills=NAN, witness=lambda: torch.tensor([1, math.nan, 5]).argmax() == 1)
def argmax_skips_nan(patch):
    """`argmax` points at the largest number."""
    patch.function("argmax", change=without_nan(-math.inf))


# Tensors and models

LAYERS, FORWARD = "test_layers_take_tensors_only", "test_a_forward_method_takes_and_returns_anything"


@mutant(kills=LAYERS, witness=lambda: raises(TypeError, nn.Linear(2, 3), [1.0, 2.0]))
def linear_takes_lists(patch):
    """`nn.Linear` and `F.linear` take lists."""
    original = F.linear

    def linear(data, weight, bias=None):
        return original(torch.tensor(data, device=weight.device) if isinstance(data, list) else data, weight, bias)

    patch.everywhere(original, linear)


@mutant(kills=LAYERS, witness=lambda: raises(TypeError, nn.Linear(2, 3), np.ones(2, dtype=np.float32)))
def linear_takes_numpy(patch):
    """`nn.Linear` and `F.linear` take NumPy arrays."""
    original = F.linear

    def linear(data, weight, bias=None):
        array = isinstance(data, np.ndarray)
        return original(torch.from_numpy(data).to(weight.device) if array else data, weight, bias)

    patch.everywhere(original, linear)


@mutant(kills=LAYERS, witness=lambda: raises(TypeError, nn.ReLU(), 1.0))
def relu_takes_numbers(patch):
    """`nn.ReLU` and `F.relu` take plain numbers."""
    original = F.relu
    patch.everywhere(
        original,
        lambda data, inplace=False: original(torch.tensor(data) if isinstance(data, float) else data, inplace),
    )


@mutant(kills=LAYERS, witness=lambda: raises(AttributeError, nn.Softmax(), [1.0]))
def softmax_takes_lists(patch):
    """`nn.Softmax` takes lists."""
    patch.method(
        nn.Softmax,
        "forward",
        lambda layer, call, data: torch.tensor(data).softmax(0) if isinstance(data, list) else call(data),
    )


@mutant(kills=LAYERS, witness=lambda: nn.Identity()([1.0]) == [1.0], raises=TypeError)
def identity_takes_tensors_only(patch):
    """`nn.Identity` raises TypeError for a list."""

    def change(layer, call, data):
        if not is_tensor(data):
            raise TypeError("argument must be Tensor")
        return call(data)

    patch.method(nn.Identity, "forward", change)


def called(patch, change):
    """Change the call of any Module: `change(call, module, *args, **kwargs)`."""
    original = nn.Module.__call__
    patch.setattr(nn.Module, "__call__", lambda module, *args, **kwargs: change(original, module, *args, **kwargs))


class Echo(nn.Module):
    def forward(self, anything):
        return {"word": anything}


@mutant(kills=FORWARD, witness=lambda: Echo()("word") == {"word": "word"}, raises=TypeError)
def module_takes_tensors_only(patch):
    """Calling a Module with anything but tensors raises TypeError."""

    def change(call, module, *args, **kwargs):
        if not all(map(is_tensor, args)):
            raise TypeError("argument must be Tensor")
        return call(module, *args, **kwargs)

    called(patch, change)


@mutant(kills=FORWARD, witness=lambda: Echo()("word") == {"word": "word"})
def module_returns_tensors_only(patch):
    """Calling a Module drops what is no tensor from the dict that `forward` returns."""
    called(
        patch,
        lambda call, *args, **kwargs: {
            name: value for name, value in call(*args, **kwargs).items() if is_tensor(value)
        },
    )


@mutant(kills=FORWARD, witness=lambda: Echo()("two words") == {"word": "two words"})
def module_call_passes_the_first_word_on(patch):
    """Calling a Module cuts a string at its first space."""
    called(
        patch,
        lambda call, module, *args, **kwargs: call(
            module, *(arg.split()[0] if isinstance(arg, str) else arg for arg in args), **kwargs
        ),
    )


# What moved between releases


def quietly(call, *args, **kwargs):
    """The call without its warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call(*args, **kwargs)


NBYTES = "test_nbytes_counts_the_bytes_of_the_elements"


@mutant(kills=NBYTES, witness=lambda: torch.ones(2, 3).nbytes == 24)
def nbytes_counts_numbers(patch):
    """`nbytes` is the number of elements."""
    attribute(patch, "nbytes", lambda tensor: tensor.numel())


@mutant(kills=NBYTES, witness=lambda: torch.ones(2, 3)[:, :2].nbytes == 16)
def nbytes_of_a_view_is_all_of_its_memory(patch):
    """`nbytes` is the size of the storage."""
    attribute(patch, "nbytes", lambda tensor: tensor.untyped_storage().nbytes())


BEYOND = "test_an_integer_beyond_int64_raises_value_error"


@mutant(kills=BEYOND, witness=lambda: raises(ValueError, torch.tensor, 2**63), raises=RuntimeError)
def tensor_beyond_int64_is_a_runtime_error(patch):
    """`torch.tensor` of an integer beyond int64 raises RuntimeError."""

    def change(call, *args, **kwargs):
        try:
            return call(*args, **kwargs)
        except ValueError as error:
            raise RuntimeError("Overflow when unpacking long") from error

    patch.around(torch, "tensor", change)


@mutant(kills=BEYOND, witness=lambda: raises(ValueError, torch.tensor([0]).__setitem__, 0, -(2**63) - 1))
def writing_beyond_int64_stops_at_it(patch):
    """Writing an integer below int64 into a tensor writes the lowest there is."""
    write = torch.Tensor.__setitem__

    def broken(tensor, index, value):
        write(tensor, index, max(value, -(2**63)) if isinstance(value, int) else value)

    patch.setattr(torch.Tensor, "__setitem__", broken)


@mutant(kills=BEYOND, witness=lambda: torch.zeros(1, dtype=torch.int64) + 2**63 == -(2**63), raises=ValueError)
def adding_beyond_int64_raises(patch):
    """`x + 2**63` raises ValueError, as `torch.tensor(2**63)` does."""

    def change(call, left, right, **kwargs):
        if isinstance(right, int) and right >= 2**63:
            raise ValueError("Overflow when unpacking long long")
        return call(left, right, **kwargs)

    patch.function(*PLUS, change=change)


@mutant(
    kills=BEYOND,
    witness=lambda: not raises(ValueError, lambda: torch.tensor([2**63], dtype=torch.float32)),
    raises=ValueError,
)
def tensor_beyond_int64_raises_for_floats(patch):
    """`torch.tensor` of an integer beyond int64 raises ValueError for every dtype."""

    def change(call, data, *args, **kwargs):
        if isinstance(data, list) and any(isinstance(number, int) and number >= 2**63 for number in data):
            raise ValueError("Overflow when unpacking long long")
        return call(data, *args, **kwargs)

    patch.around(torch, "tensor", change)


@mutant(kills=BEYOND, witness=lambda: not raises(ValueError, torch.tensor, [0.5, 2**63]), raises=ValueError)
def tensor_beyond_int64_raises_beside_a_float(patch):
    """`torch.tensor` of an integer beyond int64 raises ValueError also beside a float."""

    def change(call, data, *args, dtype=None, **kwargs):
        if isinstance(data, list) and dtype is None and any(isinstance(n, int) and n >= 2**63 for n in data):
            raise ValueError("Overflow when unpacking long long")
        return call(data, *args, dtype=dtype, **kwargs)

    patch.around(torch, "tensor", change)


TENSOR_TYPE = "test_set_default_tensor_type_is_deprecated"


@mutant(kills=TENSOR_TYPE, witness=lambda: warned(torch.set_default_tensor_type, torch.FloatTensor) == [UserWarning])
def set_default_tensor_type_is_silent(patch):
    """`set_default_tensor_type` does not warn."""
    patch.around(torch, "set_default_tensor_type", quietly)


def with_default_tensor_type():
    try:
        quietly(torch.set_default_tensor_type, torch.DoubleTensor)
        return torch.get_default_dtype()
    finally:
        torch.set_default_dtype(torch.float32)


@mutant(kills=TENSOR_TYPE, witness=lambda: with_default_tensor_type() == torch.float64)
def set_default_tensor_type_does_nothing(patch):
    """`set_default_tensor_type` only warns."""
    patch.around(torch, "set_default_tensor_type", lambda call, kind: call(torch.FloatTensor))


UNSIGNED = "test_wide_unsigned_integers_hold_and_multiply"
UNSIGNED_SORTS = "test_wide_unsigned_integers_sort_and_meet_floats"
UNSIGNED_MASK = "test_wide_unsigned_integers_take_a_mask"


def wide(*numbers):
    return torch.tensor(numbers, dtype=torch.uint16)


def is_wide(value):
    return is_tensor(value) and value.dtype in (torch.uint16, torch.uint32, torch.uint64)


def widely(patch, *names, change):
    """Change functions of tensors of the wide unsigned integers."""

    def broken(call, first, *args, **kwargs):
        return change(call, first, *args, **kwargs) if is_wide(first) else call(first, *args, **kwargs)

    patch.function(*names, change=broken)


@mutant(kills=UNSIGNED, witness=lambda: raises(RuntimeError, torch.add, wide(3), wide(5)))
def uint16_can_add(patch):
    """`+` of wide unsigned integers works."""
    widely(patch, *PLUS, change=lambda call, x, y: call(x.long(), y.long() if is_tensor(y) else y).to(x.dtype))


@mutant(kills=UNSIGNED, witness=lambda: raises(RuntimeError, lambda: wide(3) < wide(6)))
def uint16_can_compare(patch):
    """`<` of wide unsigned integers works."""
    widely(patch, "lt", "__lt__", change=lambda call, x, y: call(x.long(), y.long() if is_tensor(y) else y))


@mutant(kills=UNSIGNED, witness=lambda: raises(RuntimeError, lambda: wide(3).max()))
def uint16_has_a_maximum(patch):
    """`max` and `argmax` of wide unsigned integers work."""
    widely(patch, "max", "argmax", change=lambda call, x: call(x.long()))


@mutant(kills=UNSIGNED, witness=lambda: raises(RuntimeError, lambda: wide(7) // wide(2)))
def uint16_divides_downwards(patch):
    """`//` of wide unsigned integers works."""
    widely(patch, *FLOOR, change=lambda call, x, y: call(x.long(), y.long()).to(x.dtype))


@mutant(
    kills=UNSIGNED, witness=lambda: not raises(RuntimeError, lambda: wide(3) * torch.tensor(3)), raises=RuntimeError
)
def uint16_refuses_a_0d_tensor(patch):
    """A product of wide unsigned integers and a 0-d int64 tensor raises RuntimeError, as that with a vector does."""

    def change(call, x, y):
        if is_tensor(y) and y.dtype != x.dtype:
            raise RuntimeError("Promotion for uint16, uint32, uint64 types is not supported")
        return call(x, y)

    widely(patch, *TIMES, change=change)


@mutant(kills=UNSIGNED, witness=lambda: (wide(3) * 3).dtype == torch.uint16)
def uint16_multiplies_to_int64(patch):
    """The product of wide unsigned integers is int64."""
    widely(patch, *TIMES, change=lambda call, x, y: call(x, y).long())


@mutant(kills=UNSIGNED, witness=lambda: wide(3).sum().dtype == torch.int64)
def uint16_sums_to_itself(patch):
    """The sum of wide unsigned integers keeps their dtype."""
    widely(patch, "sum", change=lambda call, x: call(x).to(x.dtype))


@mutant(kills=UNSIGNED_SORTS, witness=lambda: (wide(3) + torch.tensor([0.5])).dtype == torch.float32)
def uint16_and_float32_give_float64(patch):
    """A wide unsigned integer next to a float32 gives float64."""
    widely(patch, *PLUS, change=lambda call, x, y: call(x.double(), y))


@mutant(kills=UNSIGNED_SORTS, witness=lambda: wide(7, 3).sort().values.tolist() == [3, 7])
def uint16_sorts_downwards(patch):
    """Wide unsigned integers are sorted from the highest."""
    widely(patch, "sort", change=lambda call, x: call(x, descending=True))


@mutant(kills=UNSIGNED_SORTS, witness=lambda: not torch.equal(wide(7, 3), wide(7, 5)))
def uint16_equal_looks_at_the_first(patch):
    """`torch.equal` of wide unsigned integers compares shapes only."""
    widely(patch, "equal", change=lambda call, x, y: x.shape == y.shape)


@mutant(kills=UNSIGNED_MASK, witness=lambda: wide(7, 3)[torch.tensor([False, True])].dtype == torch.uint16)
def uint16_mask_gives_int64(patch):
    """A mask selects int64 from wide unsigned integers."""
    indexing(patch, lambda call, x, index: call(x, index).long() if is_wide(x) and is_tensor(index) else call(x, index))


@mutant(kills=UNSIGNED_MASK, witness=lambda: wide(7, 3, 5)[1:3].tolist() == [3, 5])
def uint16_slices_begin_at_the_start(patch):
    """A slice of wide unsigned integers begins at the first element."""
    indexing(
        patch,
        lambda call, x, index: call(x, slice(0, index.stop) if is_wide(x) and isinstance(index, slice) else index),
    )


@mutant(kills=UNSIGNED_MASK, witness=lambda: wide(7, 3)[[1, 1]].tolist() == [3, 3])
def uint16_list_of_positions_takes_the_first(patch):
    """A list of positions selects the first element of wide unsigned integers over and over."""

    def change(call, x, index):
        return call(x, [0] * len(index)) if is_wide(x) and isinstance(index, list) else call(x, index)

    indexing(patch, change)


@mutant(kills=UNSIGNED_MASK, witness=lambda: torch.tensor([-1]).to(torch.uint64).long().item() == -1)
def uint64_to_int64_stops_at_the_largest(patch):
    """`long()` of a uint64 beyond int64 is the largest int64."""
    patch.function(
        "long",
        change=lambda call, x, *args, **kwargs: (
            torch.where(call(x) < 0, 2**63 - 1, call(x)) if x.dtype == torch.uint64 else call(x, *args, **kwargs)
        ),
    )


PLAIN_HALF = "test_float16_adds_and_multiplies_on_the_cpu"
HALF_FUNCTIONS = "test_float16_has_functions_on_the_cpu"
HALF_PRODUCTS = "test_float16_has_matrix_products_on_the_cpu"
HALF_NORM = "test_float16_has_layer_norm_on_the_cpu"
BFLOAT16 = "test_bfloat16_computes_on_the_cpu"


def half(*numbers):
    return torch.tensor(numbers, dtype=torch.float16)


def of(dtype, change):
    """Change functions of tensors of this dtype."""

    def broken(call, first, *args, **kwargs):
        result = call(first, *args, **kwargs)
        return change(result) if is_tensor(first) and first.dtype == dtype else result

    return broken


def no_half(call, first, *args, **kwargs):
    """No kernel for float16."""
    if is_tensor(first) and first.dtype == torch.float16:
        raise RuntimeError("not implemented for 'Half'")
    return call(first, *args, **kwargs)


@mutant(kills=PLAIN_HALF, witness=lambda: (half(1, 2) * half(3, 4)).dtype == torch.float16)
def float16_multiplies_to_float32(patch):
    """The product of float16 numbers is float32."""
    patch.function(*TIMES, change=of(torch.float16, lambda result: result.float()))


@mutant(kills=PLAIN_HALF, witness=lambda: half(0.5, 0.25).mean() == 0.375)
def float16_mean_is_a_whole_number(patch):
    """The mean of float16 numbers is cut off."""
    patch.function("mean", change=of(torch.float16, lambda result: result.trunc()))


@mutant(kills=HALF_FUNCTIONS, witness=lambda: not raises(RuntimeError, torch.sigmoid, half(1.0)), raises=RuntimeError)
def float16_has_no_sigmoid(patch):
    """`sigmoid` of float16 raises, as in torch 2.0."""
    patch.function("sigmoid", change=no_half)


@mutant(kills=HALF_FUNCTIONS, witness=lambda: torch.exp(half(1.0)).dtype == torch.float16)
def float16_exp_is_float32(patch):
    """`exp` of float16 is float32."""
    patch.function("exp", change=of(torch.float16, lambda result: result.float()))


@mutant(kills=HALF_FUNCTIONS, witness=lambda: torch.tanh(half(1.0)).item() == 0.76171875)
def float16_tanh_is_as_rough_as_bfloat16(patch):
    """`tanh` of float16 is rounded to bfloat16."""
    patch.function("tanh", change=of(torch.float16, lambda result: (result * 1.01).bfloat16().to(result.dtype)))


@mutant(
    kills=HALF_PRODUCTS,
    witness=lambda: not raises(RuntimeError, torch.matmul, half([1.0]), half([2.0])),
    raises=RuntimeError,
)
def float16_has_no_matmul(patch):
    """`@` of float16 raises, as in torch 2.0 and 2.1."""
    patch.function(*AT, change=no_half)


@mutant(kills=HALF_PRODUCTS, witness=lambda: F.conv2d(half([1.0, 2.0])[None], half([[1.0, 3.0]])[None]).item() == 7)
def float16_conv2d_is_one_too_low(patch):
    """`conv2d` of float16 is one too low."""
    patch.function("conv2d", change=of(torch.float16, lambda result: result - 1))


@mutant(kills=HALF_NORM, witness=lambda: F.layer_norm(half(1.0, 2.0), (2,)).dtype == torch.float16)
def float16_layer_norm_is_float32(patch):
    """`layer_norm` of float16 is float32."""
    patch.function("layer_norm", change=of(torch.float16, lambda result: result.float()))


@mutant(
    kills=HALF_NORM,
    witness=lambda: not raises(RuntimeError, F.avg_pool2d, half([[1.0, 2.0], [3.0, 4.0]])[None], 2),
    raises=RuntimeError,
)
def float16_has_no_avg_pool(patch):
    """`avg_pool2d` of float16 raises, as up to torch 2.2."""
    patch.function("avg_pool2d", change=no_half)


def antialiased(dtype):
    image = torch.ones(1, 1, 4, 4).to(dtype)
    return raises(RuntimeError, lambda: F.interpolate(image, size=2, mode="bilinear", antialias=True))


@mutant(kills=HALF_NORM, witness=lambda: antialiased(torch.float16))
def float16_interpolate_antialiases(patch):
    """Bilinear `interpolate` takes float16 with `antialias=True` too."""

    def change(call, image, *args, **kwargs):
        if image.dtype == torch.float16 and kwargs.get("antialias"):
            return call(image.float(), *args, **kwargs).half()
        return call(image, *args, **kwargs)

    patch.function("interpolate", change=change)


@mutant(kills=HALF_NORM, witness=lambda: antialiased(torch.bfloat16))
def bfloat16_interpolate_antialiases(patch):
    """Bilinear `interpolate` takes bfloat16 with `antialias=True`."""

    def change(call, image, *args, **kwargs):
        if image.dtype == torch.bfloat16 and kwargs.get("antialias"):
            return call(image.float(), *args, **kwargs).bfloat16()
        return call(image, *args, **kwargs)

    patch.function("interpolate", change=change)


@mutant(kills=BFLOAT16, witness=lambda: half(1.0).bfloat16().exp().dtype == torch.bfloat16)
def bfloat16_exp_is_float32(patch):
    """`exp` of bfloat16 is float32."""
    patch.function("exp", change=of(torch.bfloat16, lambda result: result.float()))


@mutant(kills=BFLOAT16, witness=lambda: (half([1.0]).bfloat16() @ half([2.0]).bfloat16()).item() == 2)
def bfloat16_matmul_is_off_by_a_step(patch):
    """`@` of bfloat16 is two steps too high."""
    patch.function(*AT, change=of(torch.bfloat16, lambda result: result * (1 + 2**-5)))


@mutant(kills=BFLOAT16, witness=lambda: raises(RuntimeError, torch.linalg.svd, torch.eye(2).bfloat16()))
def half_precision_has_linear_algebra(patch):
    """`torch.linalg.svd` takes float16 and bfloat16: bfloat16 computes everything."""
    patch.around(
        torch.linalg,
        "svd",
        lambda call, x: tuple(part.to(x.dtype) for part in call(x.float() if x.element_size() < 4 else x)),
    )


FLOAT8 = "test_float8_is_for_storing"
SATURATES = "test_float8_e4m3fn_stops_at_448"


def to_float8(number, dtype="float8_e4m3fn"):
    return torch.tensor([number]).to(getattr(torch, dtype)).float().item()


@mutant(kills=FLOAT8, witness=lambda: raises(RuntimeError, torch.ones(1).to(torch.float8_e4m3fn).sum))
def float8_can_sum(patch):
    """`sum` of float8 works."""
    patch.function("sum", change=lambda call, x: call(x.float()).to(x.dtype))


@mutant(
    kills=FLOAT8,
    witness=lambda: torch.ones(2).to(torch.float8_e4m3fn).sum(dtype=torch.float32).item() == 2,
    raises=RuntimeError,
)
def float8_cannot_sum_into_float32(patch):
    """`sum` of float8 raises whatever `dtype=` says."""

    def change(call, x, **options):
        return call(x, **({} if x.element_size() == 1 else options))

    patch.function("sum", change=change)


@mutant(kills=FLOAT8, witness=lambda: to_float8(1.15625) == 1.125)
def float8_is_cut_to_two_bits(patch):
    """float8_e4m3fn is as rough as float8_e5m2."""

    def change(call, x, dtype, *args):
        return call(call(x, torch.float8_e5m2), dtype) if dtype == torch.float8_e4m3fn else call(x, dtype, *args)

    patch.function("to", change=change)


@mutant(kills=SATURATES, witness=lambda: to_float8(500.0) == 448)
def float8_e4m3fn_gives_nan(patch):
    """What is too large for float8_e4m3fn becomes nan, as up to torch 2.12."""

    def change(call, x, dtype, *args):
        if dtype == torch.float8_e4m3fn:
            x = torch.where(x.abs() > 448, math.nan, x)
        return call(x, dtype, *args)

    patch.function("to", change=change)


@mutant(kills=SATURATES, witness=lambda: to_float8(math.inf) == 448)
def float8_e4m3fn_of_inf_is_nan(patch):
    """inf becomes nan in float8_e4m3fn, which has no inf; only finite numbers stop at 448."""

    def change(call, x, dtype, *args):
        return call(torch.where(x.isinf(), math.nan, x) if dtype == torch.float8_e4m3fn else x, dtype, *args)

    patch.function("to", change=change)


@mutant(kills=SATURATES, witness=lambda: to_float8(1e9, "float8_e5m2") == math.inf)
def float8_e5m2_stops_at_its_highest(patch):
    """What is too large for float8_e5m2 becomes 57344."""

    def change(call, x, dtype, *args):
        return call(x.clamp(-57344, 57344) if dtype == torch.float8_e5m2 else x, dtype, *args)

    patch.function("to", change=change)


STD_OF_ONE = "test_std_of_one_number_warns"
SPREADS = ("std", "var")


@mutant(kills=STD_OF_ONE, witness=lambda: warned(torch.std, torch.ones(1)) == [UserWarning])
def std_of_one_number_is_silent(patch):
    """`std` and `var` of one number do not warn."""
    patch.function(*SPREADS, change=quietly)


@mutant(kills=STD_OF_ONE, witness=lambda: quietly(torch.var, torch.ones(1)).isnan().item())
def std_of_one_number_is_zero(patch):
    """`std` and `var` of one number warn and are 0."""
    patch.function(*SPREADS, change=afterwards(torch.nan_to_num))


@mutant(kills=STD_OF_ONE, witness=lambda: torch.std(torch.ones(1, 3), dim=0, unbiased=False).tolist() == [0] * 3)
def std_of_one_number_is_nan_in_every_way(patch):
    """`std` of one number is nan with `unbiased=False`, too."""

    def change(call, x, *args, **kwargs):
        spread = call(x, *args, **kwargs)
        return spread * math.nan if x.shape[0] == 1 else spread

    patch.function(*SPREADS, change=change)


LISTS = "test_a_list_of_lists_as_an_index_warns"


@mutant(kills=LISTS, witness=lambda: warned(lambda: matrix()[[[0], [1]]]) == [UserWarning])
def list_of_lists_reads_silently(patch):
    """Reading with a list of lists does not warn."""
    indexing(patch, quietly)


@mutant(kills=LISTS, witness=lambda: warned(lambda: matrix().__setitem__([[0], [1]], 7)) == [UserWarning])
def list_of_lists_writes_silently(patch):
    """Writing with a list of lists does not warn."""
    write = torch.Tensor.__setitem__
    patch.setattr(torch.Tensor, "__setitem__", lambda tensor, index, value: quietly(write, tensor, index, value))


@mutant(kills=LISTS, witness=lambda: quietly(lambda: matrix()[[[0], [1]]]).tolist() == [2])
def list_of_lists_selects_rows(patch):
    """A list of lists warns and selects rows, as NumPy does."""

    def change(call, tensor, index):
        found = call(tensor, index)
        nested = isinstance(index, list) and isinstance(index[0], list)
        return call(tensor, torch.tensor(index)) if nested else found

    indexing(patch, change)


@mutant(kills=LISTS, witness=lambda: matrix()[[[0]] * 32].shape == (32, 1, 3), raises=IndexError)
def a_long_list_of_lists_means_pairs(patch):
    """A list of 32 lists means 32 dimensions."""
    indexing(
        patch,
        lambda call, tensor, index: call(
            tensor, tuple(index) if isinstance(index, list) and len(index) > 31 else index
        ),
    )


GATHER = "test_gather_takes_int32_positions"


def gathered():
    return matrix().gather(1, torch.tensor([[2], [0]], dtype=torch.int32))


@mutant(kills=GATHER, witness=lambda: not raises(RuntimeError, gathered), raises=RuntimeError)
def gather_wants_int64(patch):
    """`gather` refuses int32, as up to torch 2.7."""

    def change(call, x, dim, index):
        if index.dtype != torch.int64:
            raise RuntimeError("gather(): Expected dtype int64 for index")
        return call(x, dim, index)

    patch.function("gather", change=change)


@mutant(
    kills=GATHER,
    witness=lambda: torch.take_along_dim(matrix(), torch.tensor([1], dtype=torch.int32)).tolist() == [2],
    raises=RuntimeError,
)
def take_along_dim_wants_int64_without_a_dim(patch):
    """`take_along_dim` refuses int32 without a `dim` as well."""
    patch.function("take_along_dim", change=lambda call, x, index, dim=0: call(x, index, dim))


@mutant(kills=GATHER, witness=lambda: gathered().tolist() == [[3], [4]])
def gather_reads_int32_backwards(patch):
    """`gather` reverses positions in int32."""
    patch.function(
        "gather",
        change=lambda call, x, dim, index: call(x, dim, index if index.dtype == torch.int64 else index.flip(0)),
    )


NOTHING = "test_cat_of_nothing_raises_value_error"


@mutant(kills=NOTHING, witness=lambda: raises(ValueError, torch.cat, []))
def cat_of_nothing_is_empty(patch):
    """`torch.cat` of an empty list is an empty tensor."""
    patch.around(torch, "cat", lambda call, tensors, *args: call(tensors, *args) if tensors else torch.empty(0))


@mutant(kills=NOTHING, witness=lambda: raises(ValueError, torch.cat, []), raises=RuntimeError)
def cat_of_nothing_is_a_runtime_error(patch):
    """`torch.cat` of an empty list raises RuntimeError, as up to torch 2.8."""

    def change(call, tensors, *args):
        if not tensors:
            raise RuntimeError("torch.cat(): expected a non-empty list of Tensors")
        return call(tensors, *args)

    patch.around(torch, "cat", change)


NAMES = "test_dimensions_have_no_names"


@mutant(kills=NAMES, witness=lambda: raises(TypeError, lambda: torch.zeros(1, names=("N",))))
def zeros_ignores_names(patch):
    """`torch.zeros` takes names and forgets them."""
    patch.around(torch, "zeros", lambda call, *args, names=None, **kwargs: call(*args, **kwargs))


@mutant(kills=NAMES, witness=lambda: not hasattr(torch.Tensor, "refine_names"))
def refine_names_is_still_there(patch):
    """Tensors have a method `refine_names`."""
    patch.setattr(torch.Tensor, "refine_names", lambda tensor, *names: tensor, raising=False)


ANY_ALL = "test_any_and_all_take_several_dims"


@mutant(kills=ANY_ALL, witness=lambda: not torch.tensor([[True, False]]).all(dim=(0, 1)).item())
def all_looks_along_the_first_of_several_dims(patch):
    """`all` with several dimensions asks whether any along the others is true."""

    def change(call, x, dim=None, **kwargs):
        if not isinstance(dim, tuple):
            return call(x, **kwargs) if dim is None else call(x, dim=dim, **kwargs)
        return call(x.any(dim=dim[1:], keepdim=True), dim=dim, **kwargs)

    patch.function("all", change=change)


@mutant(kills=ANY_ALL, witness=lambda: torch.ones(2, 3, 4).all(dim=(0, 2), keepdim=True).shape == (1, 3, 1))
def all_forgets_keepdim(patch):
    """`all` with several dimensions drops them in spite of `keepdim=True`."""

    def change(call, x, *args, keepdim=False, **kwargs):
        several = isinstance(kwargs.get("dim"), tuple)
        return call(x, *args, **kwargs) if several or not keepdim else call(x, *args, keepdim=True, **kwargs)

    patch.function("all", change=change)


UNRAVEL = "test_unravel_index_finds_the_row_and_column"


def unraveled():
    return [index.item() for index in torch.unravel_index(torch.tensor(3), (2, 3))]


@mutant(kills=UNRAVEL, witness=lambda: unraveled() == [1, 0])
def unravel_index_counts_down_the_columns(patch):
    """`unravel_index` counts column by column."""
    patch.around(torch, "unravel_index", lambda call, index, shape: call(index, tuple(shape)[::-1])[::-1])


@mutant(kills=UNRAVEL, witness=lambda: unraveled() == [1, 0])
def unravel_index_starts_at_the_column(patch):
    """`unravel_index` gives the column first."""
    patch.around(torch, "unravel_index", lambda call, index, shape: call(index, shape)[::-1])


@mutant(
    kills=UNRAVEL,
    witness=lambda: not raises(ValueError, torch.unravel_index, torch.tensor(7), (2, 3)),
    raises=ValueError,
)
def unravel_index_beyond_the_end_raises(patch):
    """`unravel_index` of a position beyond the last element raises ValueError, as NumPy does."""

    def change(call, index, shape):
        if index >= math.prod(shape):
            raise ValueError(f"index {index} is out of bounds")
        return call(index, shape)

    patch.around(torch, "unravel_index", change)


@mutant(kills=UNRAVEL, witness=lambda: raises(AttributeError, torch.unravel_index, 3, (2, 3)))
def unravel_index_takes_an_int(patch):
    """`unravel_index` takes a Python int."""
    patch.around(torch, "unravel_index", lambda call, index, shape: call(torch.as_tensor(index), shape))


BOOLS = "test_argmax_of_bools_raises"


@mutant(kills=BOOLS, witness=lambda: raises(RuntimeError, torch.argmax, torch.tensor([False, True])))
def argmax_takes_bools(patch):
    """`argmax` of bools is the first True."""
    patch.function("argmax", change=lambda call, x: call(x.int() if x.dtype == torch.bool else x))


@mutant(kills=BOOLS, witness=lambda: torch.tensor([False, True, True]).max(dim=0).indices.item() == 1)
def max_of_bools_finds_the_last(patch):
    """`max(dim)` of bools gives the position of the last True."""

    def change(call, x, *args, **kwargs):
        if x.dtype != torch.bool:
            return call(x, *args, **kwargs)
        values, positions = call(x.flip(0), *args, **kwargs)
        return type(call(x, *args, **kwargs))((values, len(x) - 1 - positions))

    patch.function("max", change=change)


CROSS = "test_cross_without_dim_warns"


@mutant(kills=CROSS, witness=lambda: warned(torch.cross, torch.ones(3), torch.ones(3)) == [UserWarning])
def cross_without_dim_is_silent(patch):
    """`torch.cross` without `dim` does not warn."""
    patch.around(torch, "cross", quietly)


@mutant(kills=CROSS, witness=lambda: torch.linalg.cross(torch.eye(3), torch.eye(3).roll(1, 1)).tolist()[0] == [0, 0, 1])
def linalg_cross_goes_along_the_first_dim(patch):
    """`torch.linalg.cross` goes along the first dimension."""
    patch.around(torch.linalg, "cross", lambda call, a, b: call(a, b, dim=0))


def crossed():
    return quietly(torch.cross, torch.eye(3), torch.eye(3).roll(1, 1)).tolist()


@mutant(kills=CROSS, witness=lambda: crossed() == torch.cross(torch.eye(3), torch.eye(3).roll(1, 1), dim=0).tolist())
def cross_without_dim_goes_along_the_last(patch):
    """`torch.cross` without `dim` warns and goes along the last dimension."""

    def change(call, a, b, dim=None):
        return (call(a, b), call(a, b, dim=-1))[1] if dim is None else call(a, b, dim=dim)

    patch.around(torch, "cross", change)


LINALG = "test_linear_algebra_is_in_linalg"


@mutant(kills=LINALG, witness=lambda: raises(RuntimeError, torch.qr, torch.eye(2)))
def qr_is_still_there(patch):
    """`torch.qr` works."""
    patch.setattr(torch, "qr", torch.linalg.qr)


@mutant(kills=LINALG, witness=lambda: torch.linalg.cholesky(torch.tensor([[4.0, 2.0], [2.0, 10.0]]))[1, 0] == 1)
def cholesky_is_upside_down(patch):
    """`torch.linalg.cholesky` gives the upper triangle."""
    patch.around(torch.linalg, "cholesky", lambda call, matrix: call(matrix).mT)


@mutant(kills=LINALG, witness=lambda: torch.linalg.qr(torch.eye(2))[1].abs().tolist() == [[1, 0], [0, 1]])
def qr_forgets_the_triangle(patch):
    """`torch.linalg.qr` gives the triangle upside down and doubled."""
    patch.around(torch.linalg, "qr", lambda call, matrix: (call(matrix)[0], call(matrix)[1].mT * 2))


CUT = "test_torch_tensor_of_a_tensor_cuts_the_gradient_off"


@mutant(kills=CUT, witness=lambda: warned(torch.tensor, torch.ones(1)) == [UserWarning])
def tensor_of_a_tensor_is_silent(patch):
    """`torch.tensor` of a tensor does not warn."""
    patch.around(torch, "tensor", quietly)


@mutant(kills=CUT, witness=lambda: not quietly(torch.tensor, torch.ones(1, requires_grad=True)).requires_grad)
def tensor_of_a_tensor_stays_in_the_graph(patch):
    """`torch.tensor` of a tensor warns and passes the gradient on."""
    patch.around(
        torch,
        "tensor",
        lambda call, data, **kwargs: (
            (call(data, **kwargs), data.clone())[1] if is_tensor(data) else call(data, **kwargs)
        ),
    )


@mutant(
    kills=CUT, witness=lambda: torch.stack([torch.ones(1, requires_grad=True)] * 2).requires_grad, raises=RuntimeError
)
def stack_cuts_the_graph(patch):
    """`torch.stack` cuts its result off from the graph."""
    patch.around(torch, "stack", afterwards(torch.Tensor.detach))


@mutant(kills=CUT, witness=lambda: not torch.zeros_like(torch.ones(1, requires_grad=True)).requires_grad)
def zeros_like_requires_grad(patch):
    """`zeros_like` requires grad if its source does."""
    patch.around(torch, "zeros_like", lambda call, x: call(x).requires_grad_(x.requires_grad))


NO_MINUS = "test_a_mask_takes_no_minus"


def yes_and_no():
    return torch.tensor([True, False])


@mutant(kills=NO_MINUS, witness=lambda: raises(RuntimeError, lambda: 1 - yes_and_no()))
def one_minus_a_mask_is_its_opposite(patch):
    """`1 - mask` is `~mask`, as it was when masks were integers."""
    minus = torch.Tensor.__rsub__
    patch.setattr(
        torch.Tensor,
        "__rsub__",
        lambda mask, other: ~mask if mask.dtype == torch.bool and other == 1 else minus(mask, other),
    )


@mutant(kills=NO_MINUS, witness=lambda: raises(RuntimeError, lambda: -yes_and_no()))
def minus_of_a_mask_is_its_opposite(patch):
    """`-mask` is `~mask`."""
    minus = torch.Tensor.__neg__
    patch.setattr(torch.Tensor, "__neg__", lambda mask: ~mask if mask.dtype == torch.bool else minus(mask))


@mutant(kills=NO_MINUS, witness=lambda: (torch.tensor([5.0, 6.0]) * yes_and_no()).tolist() == [5, 0])
def a_product_with_a_mask_is_turned_round(patch):
    """`x * mask` keeps the numbers where the mask is False."""
    patch.function(
        *TIMES,
        change=lambda call, x, y: call(x, ~y) if is_tensor(y) and y.dtype == torch.bool else call(x, y),
    )


@mutant(kills=NO_MINUS, witness=lambda: (torch.tensor([5.0, math.inf]) * yes_and_no())[1].isnan())
def a_product_with_a_mask_drops_infinity(patch):
    """`x * mask` is 0 where the mask is False, for inf and nan too."""
    patch.function(
        *TIMES,
        change=lambda call, x, y: torch.where(y, x, 0.0) if is_tensor(y) and y.dtype == torch.bool else call(x, y),
    )


CONTAINED = "test_in_looks_for_any_equal_element"


@mutant(kills=CONTAINED, witness=lambda: torch.tensor([1, 9, 9]) in matrix())
def in_looks_for_whole_rows(patch):
    """`row in matrix` is True only if a whole row is equal."""
    contains = torch.Tensor.__contains__

    def change(x, element):
        whole = is_tensor(element) and element.ndim
        return bool((x == element).all(dim=-1).any()) if whole else contains(x, element)

    patch.setattr(torch.Tensor, "__contains__", change)


@mutant(kills=CONTAINED, witness=lambda: len(set(torch.tensor([1, 1]))) == 2)
def equal_numbers_have_one_hash(patch):
    """A set keeps one of two 0-d tensors with the same number."""
    patch.setattr(torch.Tensor, "__hash__", lambda tensor: hash(tensor.item()) if tensor.ndim == 0 else id(tensor))


@mutant(kills=CONTAINED, witness=lambda: raises(RuntimeError, lambda: [1] in matrix()))
def in_says_no_to_a_list(patch):
    """`list in tensor` is False."""
    contains = torch.Tensor.__contains__
    patch.setattr(
        torch.Tensor, "__contains__", lambda x, element: not isinstance(element, list) and contains(x, element)
    )


MEDIAN = "test_median_is_the_lower_of_two_middles"


@mutant(kills=MEDIAN, witness=lambda: torch.tensor([1.0, 2.0, 3.0, 10.0]).median() == 2)
def median_is_the_mean_of_two_middles(patch):
    """`median()` is the mean of the two in the middle, as NumPy's."""
    patch.function(
        "median",
        change=lambda call, x, *args, **kwargs: (
            call(x, *args, **kwargs) if args or kwargs or not x.is_floating_point() else x.quantile(0.5)
        ),
    )


@mutant(kills=MEDIAN, witness=lambda: torch.tensor([1.0, 2.0, 3.0, 10.0]).quantile(0.5) == 2.5)
def quantile_takes_the_lower(patch):
    """`quantile` takes the lower of two numbers."""
    patch.function("quantile", change=lambda call, x, q: call(x, q, interpolation="lower"))


@mutant(kills=MEDIAN, witness=lambda: raises(RuntimeError, torch.tensor([1, 2]).quantile, 0.5))
def quantile_takes_integers(patch):
    """`quantile` takes every dtype."""
    patch.function("quantile", change=lambda call, x, q: call(x.float(), q))


SIXTEEN_MILLION = "test_quantile_takes_more_than_16_million_numbers"


@mutant(
    kills=SIXTEEN_MILLION,
    witness=lambda: not raises(RuntimeError, torch.empty(2**24 + 1, device="meta").quantile, 0.5),
    raises=RuntimeError,
)
def quantile_has_a_limit(patch):
    """`quantile` refuses more than 2**24 numbers, as up to torch 2.13."""

    def change(call, x, q, dim=None):
        if (x.numel() if dim is None else x.shape[dim]) > 2**24:
            raise RuntimeError("quantile() input tensor is too large")
        return call(x, q, dim=dim)

    patch.function("quantile", change=change)


@mutant(
    kills=SIXTEEN_MILLION,
    witness=lambda: torch.empty(2**24 + 1, 2, device="meta").quantile(0.5, dim=1).shape == (2**24 + 1,),
    raises=RuntimeError,
)
def quantile_of_rows_has_a_limit(patch):
    """`quantile(0.5, dim=1)` refuses more than 2**24 numbers in all rows together."""

    def change(call, x, q, **options):
        if options and x.numel() > 2**24:
            raise RuntimeError("quantile() input tensor is too large")
        return call(x, q, **options)

    patch.function("quantile", change=change)


@mutant(kills=SIXTEEN_MILLION, witness=lambda: torch.tensor([5.0, 1.0, 4.0]).kthvalue(1).values == 1)
def kthvalue_counts_from_the_largest(patch):
    """`kthvalue` gives the k-th largest number, and of three in five the third but one."""
    patch.function("kthvalue", change=lambda call, x, k: call(x, k + 1))


LIMITS = "test_clamp_takes_limits_beyond_the_dtype"


@mutant(
    kills=LIMITS,
    witness=lambda: not raises(RuntimeError, torch.tensor([5], dtype=torch.uint8).clamp, 0, 300),
    raises=RuntimeError,
)
def clamp_refuses_limits_beyond_uint8(patch):
    """`clamp` refuses a limit that uint8 does not hold, as up to torch 2.14."""

    def change(call, x, min=None, max=None):
        if x.dtype == torch.uint8 and (max or 0) > 255:
            raise RuntimeError("value cannot be converted to type uint8_t without overflow")
        return call(x, min, max)

    patch.function("clamp", change=change)


@mutant(kills=LIMITS, witness=lambda: torch.tensor([5], dtype=torch.uint8).clamp(min=-10).item() == 5)
def clamp_wraps_a_limit_below_zero(patch):
    """`clamp(min=-10)` of uint8 reads -10 as 246."""

    def change(call, x, min=None, max=None):
        return call(x, min % 256 if x.dtype == torch.uint8 and (min or 0) < 0 else min, max)

    patch.function("clamp", change=change)


SLICED = "test_a_number_for_a_slice_of_an_expanded_tensor_raises"


def three_in_an_expanded_tensor():
    torch.zeros(2, 1).expand(2, 3)[:] = 3.0


@mutant(kills=SLICED, witness=lambda: raises(RuntimeError, three_in_an_expanded_tensor))
def a_number_is_written_to_an_expanded_tensor(patch):
    """`x[:] = 3.0` writes to an expanded tensor, as in torch 2.0 and 2.1."""
    write = torch.Tensor.__setitem__

    def change(x, index, value):
        return x[index].fill_(value) if isinstance(value, float) else write(x, index, value)

    patch.setattr(torch.Tensor, "__setitem__", change)


def filled():
    column = torch.zeros(2, 1)
    column.expand(2, 3).fill_(3.0)
    return column.tolist()


@mutant(kills=SLICED, witness=lambda: filled() == [[3], [3]])
def fill_leaves_an_expanded_tensor_alone(patch):
    """`fill_` of an expanded tensor writes to a copy of it."""
    patch.function("fill_", change=lambda call, x, value: call(x.clone() if 0 in x.stride() else x, value))


BYTES = "test_a_uint8_index_is_a_mask"


def picked_by_bytes():
    return quietly(lambda: torch.tensor([3, 4, 5])[torch.tensor([0, 1, 2], dtype=torch.uint8)]).tolist()


def of_dtype(index, *dtypes):
    return is_tensor(index) and index.dtype in dtypes


@mutant(kills=BYTES, witness=lambda: picked_by_bytes() == [4, 5])
def a_uint8_index_holds_positions(patch):
    """`x[index]` with uint8 picks positions, with the warning."""

    def change(call, x, index):
        return (call(x, index), call(x, index.long()))[1] if of_dtype(index, torch.uint8) else call(x, index)

    indexing(patch, change)


@mutant(kills=BYTES, witness=lambda: warned(torch.tensor([3, 4]).__getitem__, torch.ones(2).byte()) == [UserWarning])
def a_uint8_index_is_silent(patch):
    """`x[index]` with uint8 does not warn."""
    indexing(patch, quietly)


@mutant(kills=BYTES, witness=lambda: raises(IndexError, torch.tensor([3, 4]).__getitem__, torch.ones(2).short()))
def an_int16_index_is_taken(patch):
    """`x[index]` takes positions in int16."""
    indexing(patch, lambda call, x, index: call(x, index.long() if of_dtype(index, torch.int16) else index))


MASKED = "test_masked_fill_refuses_a_uint8_mask"


@mutant(kills=MASKED, witness=lambda: raises(RuntimeError, torch.ones(2).masked_fill, torch.ones(2).byte(), 5.0))
def masked_fill_takes_bytes(patch):
    """`masked_fill` takes a uint8 mask, as up to torch 2.0."""
    patch.function("masked_fill", change=lambda call, x, mask, value: call(x, mask.bool(), value))


@mutant(kills=MASKED, witness=lambda: raises(RuntimeError, torch.ones(2).masked_select, torch.ones(2).byte()))
def masked_select_takes_bytes(patch):
    """`masked_select` takes a uint8 mask."""
    patch.function("masked_select", change=lambda call, x, mask: call(x, mask.bool()))


MESH = "test_meshgrid_without_indexing_warns"


@mutant(kills=MESH, witness=lambda: warned(torch.meshgrid, torch.ones(2), torch.ones(3)) == [UserWarning])
def meshgrid_is_silent(patch):
    """`torch.meshgrid` without `indexing` does not warn."""
    patch.around(torch, "meshgrid", quietly)


@mutant(kills=MESH, witness=lambda: quietly(torch.meshgrid, torch.ones(2), torch.ones(3))[0].shape == (2, 3))
def meshgrid_means_xy(patch):
    """`torch.meshgrid` without `indexing` warns and means "xy", as NumPy does."""

    def change(call, *tensors, indexing=None):
        if indexing is None:
            call(*tensors)
        return call(*tensors, indexing=indexing or "xy")

    patch.around(torch, "meshgrid", change)


@mutant(
    kills="test_stack_adds_a_dimension_and_cat_does_not",
    witness=lambda: raises(RuntimeError, torch.cat, [torch.tensor(1), torch.tensor(2)]),
)
def cat_takes_tensors_without_dimensions(patch):
    """`torch.cat` joins 0-d tensors to a vector."""
    patch.around(
        torch,
        "cat",
        lambda call, tensors, *args, **kwargs: call(
            [x.reshape(-1) if x.ndim == 0 else x for x in tensors], *args, **kwargs
        ),
    )


@mutant(kills=EXPAND, witness=lambda: torch.tensor([1, 2]).repeat(2).tolist() == [1, 2, 1, 2])
def repeat_of_a_vector_interleaves(patch):
    """`repeat` of a vector repeats each element, as NumPy's does."""
    patch.function(
        "repeat", change=lambda call, x, *sizes: x.repeat_interleave(*sizes) if x.ndim == 1 else call(x, *sizes)
    )


@mutant(kills=GATHER, witness=lambda: raises(RuntimeError, F.one_hot, torch.tensor([1], dtype=torch.int32)))
def one_hot_takes_int32(patch):
    """`F.one_hot` takes int32."""
    patch.around(F, "one_hot", lambda call, x: call(x.long()))


@mutant(
    kills="test_dim_is_the_dimension_that_disappears",
    witness=lambda: torch.ones(2, 2).sum(dim=()).tolist() == 4,
    raises=RuntimeError,
)
def sum_over_no_dim_is_the_tensor(patch):
    """`sum(dim=())` adds up nothing, as NumPy's `axis=()`."""
    patch.function(
        "sum",
        change=lambda call, x, *args, **kwargs: x if kwargs.get("dim", 0) == () else call(x, *args, **kwargs),
    )


@mutant(
    kills="test_a_value_out_of_range_is_refused_when_a_tensor_is_made",
    witness=lambda: (torch.tensor([44], dtype=torch.uint8) == 300).item(),
)
def a_comparison_sees_the_number_itself(patch):
    """`pixels == 300` of uint8 compares with 300."""
    patch.function(*EQUAL, change=lambda call, x, y: call(x.int(), y))


@mutant(
    kills="test_dividing_integers_gives_floats", witness=lambda: raises(RuntimeError, torch.tensor([2]).__pow__, -1)
)
def integers_take_a_negative_power(patch):
    """`counts ** -1` gives floats."""
    power = torch.Tensor.__pow__
    patch.setattr(
        torch.Tensor,
        "__pow__",
        lambda x, y: power(x.float() if not is_tensor(y) and y < 0 else x, y),
    )


@mutant(
    kills="test_float16_adds_and_multiplies_on_the_cpu",
    witness=lambda: raises(RuntimeError, torch.ones(2).half().masked_fill, torch.tensor([True, False]), -1e9),
)
def masked_fill_of_float16_overflows_to_inf(patch):
    """`masked_fill` of float16 writes -inf for -1e9."""
    patch.function(
        "masked_fill", change=lambda call, x, mask, value: call(x, mask, -math.inf if value == -1e9 else value)
    )


@mutant(kills=ASSIGNED, witness=lambda: raises(TypeError, after_writing, 0, np.float32(2.5)))
def a_numpy_float32_is_assigned(patch):
    """`counts[0] = np.float32(2.5)` writes 2, as `np.float64(2.5)` does."""
    writing(patch, lambda tensor, index, value: float(value) if isinstance(value, np.float32) else value)


@mutant(kills="test_item_of_several_elements_raises", witness=lambda: raises(TypeError, format, torch.ones(1), ".2f"))
def a_format_takes_one_element_in_brackets(patch):
    """A format such as `.2f` takes a tensor of shape (1,)."""
    patch.setattr(torch.Tensor, "__format__", lambda x, spec: format(x.item() if x.numel() == 1 else x, spec))


@mutant(kills=TARGET, witness=lambda: raises(RuntimeError, torch.ones(2).expand, 3))
def expand_cuts_and_fills(patch):
    """`expand` of a vector to another size repeats its first element."""
    patch.function(
        "expand",
        change=lambda call, x, *sizes: call(x[:1], *sizes) if x.ndim == 1 and sizes == (3,) else call(x, *sizes),
    )


@mutant(
    kills=TARGET, witness=lambda: raises(RuntimeError, after_writing, torch.tensor([True] * 3), torch.ones(2).long())
)
def a_mask_takes_what_there_is(patch):
    """`a[mask] = b` repeats the numbers of `b` as often as it takes."""

    def change(tensor, index, value):
        short = of_dtype(index, torch.bool) and is_tensor(value) and value.ndim == 1
        return value.repeat(9)[: int(index.sum())] if short else value

    writing(patch, change)


@mutant(kills="test_capital_t_on_three_dimensions_warns_and_reverses_all", witness=lambda: column_of_t() == (3,))
def capital_t_makes_a_column_of_a_vector(patch):
    """`vector.T` is a column."""
    old = torch.Tensor.T
    attribute(patch, "T", lambda x: (old.__get__(x), x.unsqueeze(1))[1] if x.ndim == 1 else old.__get__(x))


def column_of_t():
    return tuple(quietly(lambda: torch.ones(3).T).shape)


@mutant(
    kills="test_any_of_uint8_is_uint8",
    witness=lambda: torch.tensor([1], dtype=torch.uint8).any().dtype == torch.uint8,
)
def any_is_always_bool(patch):
    """`any` returns bool for uint8 as for every other dtype."""
    patch.around(torch.Tensor, "any", lambda call, x, *rest, **options: call(x, *rest, **options).bool())


@mutant(
    kills="test_what_a_dtype_cannot_do_raises_not_implemented_error",
    witness=lambda: error_of(lambda: torch.tensor([1]).softmax(0)) is NotImplementedError,
)
def softmax_of_integers_raises_a_plain_error(patch):
    """`softmax` of integers raises RuntimeError, as up to torch 2.7."""

    def change(call, x, *rest, **options):
        if not x.is_floating_point():
            raise RuntimeError("softmax not implemented for 'Long'")
        return call(x, *rest, **options)

    patch.around(torch.Tensor, "softmax", change)


# What people run into: wrong attributes, indices and shapes


class CallableSize(tuple):
    def __call__(self):
        return self


@mutant(
    kills="test_shape_is_an_attribute_and_size_a_method",
    witness=lambda: not callable(matrix().shape),
)
def shape_can_be_called(patch):
    """`x.shape()` is the same as `x.shape`."""
    attribute(patch, "shape", lambda tensor: CallableSize(tensor.size()))


@mutant(
    kills="test_a_number_in_a_tensor_has_no_first_element",
    witness=lambda: raises(IndexError, lambda: torch.tensor(1.5)[0]),
)
def a_number_is_its_own_first_element(patch):
    """`loss[0]` of a 0-d tensor is the number, as it was in very old releases."""

    def broken(call, tensor, index):
        return tensor if tensor.ndim == 0 and isinstance(index, int) else call(tensor, index)

    indexing(patch, broken)


@mutant(
    kills="test_a_printed_tensor_is_rounded_and_cut",
    witness=lambda: str(torch.tensor([0.123456])) == "tensor([0.1235])",
)
def printed_tensors_are_exact(patch):
    """A printed tensor shows all digits and all elements."""
    patch.setattr(torch.Tensor, "__repr__", lambda tensor, **options: f"tensor({tensor.tolist()})")


@mutant(
    kills="test_a_vector_has_no_dimension_1",
    witness=lambda: raises(IndexError, lambda: torch.ones(3).sum(dim=1)),
)
def a_vector_is_a_row_to_sum(patch):
    """`v.sum(dim=1)` of a vector takes it for a row of a matrix."""

    def broken(call, tensor, *args, **kwargs):
        if tensor.ndim == 1 and 1 in (*args, kwargs.get("dim")):
            tensor = tensor.unsqueeze(0)
        return call(tensor, *args, **kwargs)

    patch.function("sum", change=broken)


@mutant(
    kills="test_a_tensor_of_one_integer_counts_as_an_index",
    witness=lambda: raises(TypeError, range, torch.tensor(2.0)),
)
def a_float_counts_as_an_index(patch):
    """`range(n)` takes a float tensor, and cuts its fraction off."""
    patch.setattr(torch.Tensor, "__index__", lambda tensor: int(tensor.flatten()[0].item()))


@mutant(
    kills="test_writing_to_picked_rows_writes_to_a_copy",
    witness=lambda: matrix()[[0, 1]].data_ptr() != 0 and not seen(lambda tensor: tensor[[0, 1]], matrix()),
)
def a_list_of_rows_is_a_slice(patch):
    """`x[[0, 2]]` is a view, as the slice `x[0:3:2]` of the same rows is."""

    def broken(call, tensor, index):
        if isinstance(index, list) and len(index) == 2 and all(type(i) is int for i in index) and index[0] < index[1]:
            index = slice(index[0], index[1] + 1, index[1] - index[0])
        return call(tensor, index)

    indexing(patch, broken)


@mutant(
    kills="test_a_singular_matrix_raises_linalg_error",
    witness=lambda: raises(RuntimeError, torch.linalg.inv, torch.ones(2, 2)),
)
def inv_gives_the_pseudo_inverse(patch):
    """`torch.linalg.inv` of a singular matrix gives its pseudo-inverse."""
    patch.setattr(torch.linalg, "inv", torch.linalg.pinv)


@mutant(
    kills="test_cat_wants_equal_sizes_in_the_other_dimensions",
    witness=lambda: raises(RuntimeError, torch.cat, [torch.ones(2, 3), torch.ones(2, 2)]),
)
def cat_cuts_to_the_smallest(patch):
    """`torch.cat` of matrices of different widths cuts them to the smallest one."""

    def broken(call, tensors, *args, **kwargs):
        if not args and not kwargs and {tensor.ndim for tensor in tensors} == {2}:
            width = min(tensor.shape[1] for tensor in tensors)
            tensors = [tensor[:, :width] for tensor in tensors]
        return call(tensors, *args, **kwargs)

    patch.function("cat", change=broken)


@mutant(
    kills="test_permute_names_every_dimension_once",
    witness=lambda: raises(RuntimeError, lambda: torch.ones(1, 2, 3, 4).permute(0, 2, 1)),
)
def permute_leaves_the_rest_in_place(patch):
    """`permute` of too few dimensions leaves those at the end where they are."""

    def broken(call, tensor, *sizes):
        order = sizes_of(sizes)
        return call(tensor, (*order, *range(len(order), tensor.ndim)))

    patch.function("permute", change=broken)
