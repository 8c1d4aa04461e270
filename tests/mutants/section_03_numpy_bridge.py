"""What could break on the bridge between NumPy and PyTorch."""

import contextlib
import json
import subprocess
import sys
import warnings
import weakref

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from torchnotes.harness.mutation import error_of, mutant


def shares(convert):
    array = np.zeros(2)
    tensor = convert(array)
    array[0] = 1
    return tensor[0] == 1


def shares_with_array(convert, tensor):
    array = convert(tensor)
    tensor.fill_(1)
    return bool((np.asarray(array) == 1).all())


def refuses(call, *args, error=TypeError):
    try:
        call(*args)
    except error:
        return True
    except Exception:
        return False
    return False


def warns(call, *args, category=UserWarning):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call(*args)
    return any(warning.category is category for warning in caught)


def reversed_array():
    return np.arange(4.0)[::-1]


def read_only_array():
    array = np.zeros(2)
    array.flags.writeable = False
    return array


# The three functions that take an array and are confused with each other; torch.tensor and its like also take a list.
INFERRING = ["tensor", "as_tensor", "asarray"]


def before_from_numpy(patch, change):
    """Let `change` replace what is given to `torch.from_numpy`."""
    from_numpy = torch.from_numpy
    patch.everywhere(from_numpy, lambda array: from_numpy(change(array)))


def after_from_numpy(patch, change):
    """Let `change` replace what `torch.from_numpy` returns: it gets the tensor and the array."""
    from_numpy = torch.from_numpy
    patch.everywhere(from_numpy, lambda array: change(from_numpy(array), array))


def before_every_conversion(patch, change):
    """Let `change` replace what is given to `from_numpy`, `tensor`, `as_tensor` and `asarray`."""
    before_from_numpy(patch, change)
    patch.function(*INFERRING, change=lambda call, data, *args, **kwargs: call(change(data), *args, **kwargs))


def copied_if(condition):
    return lambda array: array.copy() if isinstance(array, np.ndarray) and condition(array) else array


def before_numpy(patch, change):
    """Let `change` replace the tensor of which `.numpy()` is asked, and so `np.asarray` and `np.array`."""
    numpy = torch.Tensor.numpy
    patch.setattr(torch.Tensor, "numpy", lambda self, *, force=False: numpy(change(self, force), force=force))


def after_numpy(patch, change):
    """Let `change` replace what `.numpy()` returns, and so what `np.asarray` and `np.array` return."""
    numpy = torch.Tensor.numpy
    patch.setattr(torch.Tensor, "numpy", lambda self, *, force=False: change(numpy(self, force=force), self, force))


def before_dunder_array(patch, change):
    """Let `change` replace the tensor that `np.asarray` and `np.array` convert."""
    dunder_array = torch.Tensor.__array__
    patch.setattr(torch.Tensor, "__array__", lambda self, *args, **kwargs: dunder_array(change(self), *args, **kwargs))


# What the default dtypes are, and which dtypes cross.


@mutant(
    kills="test_decimals_are_double_in_numpy_and_single_in_torch",
    witness=lambda: np.array([0.5]).dtype == np.float64,
)
def numpy_decimals_are_single(patch):
    """`np.array` of a list of decimals is float32."""
    array = np.array

    def broken(data, *args, **kwargs):
        made = array(data, *args, **kwargs)
        plain = isinstance(data, list) and not args and not kwargs
        return made.astype(np.float32) if plain and made.dtype == np.float64 else made

    patch.setattr(np, "array", broken)


@mutant(
    kills="test_decimals_are_double_in_numpy_and_single_in_torch",
    witness=lambda: torch.tensor([0.5]).dtype == torch.float32,
)
def tensor_of_decimals_is_double(patch):
    """`torch.tensor` of a list of decimals is float64, as in NumPy."""

    def broken(tensor, data, **kwargs):
        made = tensor(data, **kwargs)
        return (
            made.double() if isinstance(data, list) and "dtype" not in kwargs and made.dtype == torch.float32 else made
        )

    patch.function("tensor", change=broken)


@mutant(kills="test_integers_are_int64_in_both", witness=lambda: torch.tensor([1]).dtype == torch.int64)
def tensor_of_integers_is_int32(patch):
    """`torch.tensor` of a list of integers is int32."""

    def broken(tensor, data, **kwargs):
        made = tensor(data, **kwargs)
        return made.int() if isinstance(data, list) and "dtype" not in kwargs and made.dtype == torch.int64 else made

    patch.function("tensor", change=broken)


@mutant(kills="test_integers_are_int64_in_both", witness=lambda: torch.arange(2).dtype == torch.int64)
def arange_of_integers_is_int32(patch):
    """`torch.arange` of integers is int32; other ways to make integers are right."""

    def broken(arange, *args, **kwargs):
        made = arange(*args, **kwargs)
        return made.int() if made.dtype == torch.int64 and "dtype" not in kwargs else made

    patch.function("arange", change=broken)


@mutant(
    kills=(
        "test_from_numpy_keeps_the_dtype",
        "test_sharing_does_not_depend_on_the_dtype",
        "test_six_ways_from_array_to_tensor",
    ),
    witness=lambda: torch.from_numpy(np.zeros(2)).dtype == torch.float64,
)
def from_numpy_converts_double_to_the_default(patch):
    """`torch.from_numpy` turns float64 into float32."""
    after_from_numpy(patch, lambda tensor, array: tensor.float() if tensor.dtype == torch.float64 else tensor)


@mutant(
    kills=("test_from_numpy_keeps_the_dtype", "test_sharing_does_not_depend_on_the_dtype"),
    witness=lambda: torch.from_numpy(np.zeros(2, np.int16)).dtype == torch.int16,
)
def from_numpy_widens_int16(patch):
    """`torch.from_numpy` turns int16 into int32; every other dtype is kept."""
    after_from_numpy(patch, lambda tensor, array: tensor.int() if tensor.dtype == torch.int16 else tensor)


@mutant(
    kills="test_from_numpy_keeps_the_dtype",
    witness=lambda: torch.from_numpy(np.array([True])).dtype == torch.bool,
)
def from_numpy_takes_bools_for_bytes(patch):
    """`torch.from_numpy` of bools is uint8, on the same memory."""
    after_from_numpy(patch, lambda tensor, array: tensor.view(torch.uint8) if tensor.dtype == torch.bool else tensor)


@mutant(
    kills="test_from_numpy_takes_wide_unsigned_integers",
    witness=lambda: torch.from_numpy(np.ones(1, np.uint16)).dtype == torch.uint16,
)
def from_numpy_takes_uint16_for_int16(patch):
    """`torch.from_numpy` of uint16 is int16 on the same memory: large numbers come out negative."""
    before_from_numpy(
        patch, lambda array: array.view(np.int16) if getattr(array, "dtype", None) == np.uint16 else array
    )


@mutant(
    kills="test_from_numpy_takes_wide_unsigned_integers",
    witness=lambda: torch.from_numpy(np.array([2**64 - 1], np.uint64)).numpy().tolist() == [2**64 - 1],
)
def numpy_of_uint64_rounds(patch):
    """`.numpy()` of uint64 goes through float64 and loses the last digits of large numbers."""
    after_numpy(
        patch,
        lambda array, tensor, force: array >> np.uint64(11) << np.uint64(11) if array.dtype == np.uint64 else array,
    )


@mutant(
    kills="test_only_numbers_and_bools_cross",
    witness=lambda: refuses(torch.tensor, np.array(["2024-02-29"], dtype="datetime64[D]")),
)
def tensor_counts_days(patch):
    """`torch.tensor` takes an array of dates and gives the days since 1970; the other ways across refuse."""

    def broken(tensor, data, *args, **kwargs):
        is_date = isinstance(data, np.ndarray) and data.dtype.kind in "mM"
        return tensor(data.view(np.int64) if is_date else data, *args, **kwargs)

    patch.function("tensor", change=broken)


@mutant(
    kills="test_only_numbers_and_bools_cross",
    witness=lambda: refuses(torch.from_numpy, np.array([1, None], dtype=object)),
    raises=ValueError,
)
def from_numpy_takes_objects(patch):
    """`torch.from_numpy` of an array of objects makes numbers of them, nan where it cannot."""

    def numbers(array):
        is_object = isinstance(array, np.ndarray) and array.dtype == object
        return array.astype(np.float64) if is_object else array

    before_from_numpy(patch, numbers)


@mutant(
    kills="test_only_numbers_and_bools_cross",
    witness=lambda: refuses(torch.from_numpy, np.array(["cat"]), error=TypeError),
    raises=ValueError,
)
def text_raises_another_exception(patch):
    """`torch.from_numpy` of an array of text raises ValueError instead of TypeError."""

    def refuse(array):
        if isinstance(array, np.ndarray) and array.dtype.kind == "U":
            raise ValueError("can't convert np.ndarray of type numpy.str_")
        return array

    before_from_numpy(patch, refuse)


def native(array):
    is_foreign = isinstance(array, np.ndarray) and not array.dtype.isnative
    return array.astype(array.dtype.newbyteorder("=")) if is_foreign else array


@mutant(
    kills="test_foreign_byte_order_raises",
    witness=lambda: refuses(torch.from_numpy, np.zeros(2, np.dtype(np.int32).newbyteorder()), error=ValueError),
)
def foreign_bytes_are_swapped(patch):
    """Arrays in the other byte order are converted instead of refused."""
    before_every_conversion(patch, native)


@mutant(
    kills="test_foreign_byte_order_raises",
    witness=lambda: refuses(torch.as_tensor, np.ones(2, np.dtype(np.int32).newbyteorder()), error=ValueError),
)
def as_tensor_misreads_foreign_bytes(patch):
    """`torch.as_tensor` reads an array in the other byte order as if it were in this machine's."""

    def broken(as_tensor, data, *args, **kwargs):
        is_foreign = isinstance(data, np.ndarray) and not data.dtype.isnative
        return as_tensor(data.view(data.dtype.newbyteorder("=")) if is_foreign else data, *args, **kwargs)

    patch.function("as_tensor", change=broken)


@mutant(kills="test_from_numpy_takes_arrays_only", witness=lambda: refuses(torch.from_numpy, [1.0]))
def from_numpy_takes_lists(patch):
    """`torch.from_numpy` takes a list, too."""
    before_from_numpy(patch, lambda array: np.asarray(array) if isinstance(array, list) else array)


@mutant(kills="test_from_numpy_takes_arrays_only", witness=lambda: refuses(torch.from_numpy, np.float64(1)))
def from_numpy_takes_numpy_scalars(patch):
    """`torch.from_numpy` takes the scalar that `array.mean()` returns, too."""
    before_from_numpy(patch, lambda array: np.asarray(array) if isinstance(array, np.generic) else array)


@mutant(
    kills="test_zero_dimensions_and_zero_elements_cross",
    witness=lambda: torch.from_numpy(np.array(2.5)).dim() == 0,
)
def from_numpy_gives_scalars_a_dimension(patch):
    """`torch.from_numpy` of an array without dimensions has one dimension, on the same memory."""
    after_from_numpy(patch, lambda tensor, array: tensor.reshape(1) if tensor.dim() == 0 else tensor)


@mutant(
    kills="test_zero_dimensions_and_zero_elements_cross",
    witness=lambda: torch.from_numpy(np.array(2.5, np.float16)).dtype == torch.float16,
)
def from_numpy_converts_scalars_to_the_default(patch):
    """`torch.from_numpy` of an array without dimensions is float32, whatever the array was."""
    after_from_numpy(patch, lambda tensor, array: tensor.float() if tensor.dim() == 0 else tensor)


@mutant(
    kills=("test_zero_dimensions_and_zero_elements_cross", "test_there_and_back_changes_no_bit_of_every_array"),
    witness=lambda: tuple(torch.from_numpy(np.zeros((0, 3))).shape) == (0, 3),
)
def from_numpy_flattens_what_is_empty(patch):
    """`torch.from_numpy` of an array without elements has the shape (0,)."""
    after_from_numpy(patch, lambda tensor, array: tensor.reshape(0) if tensor.numel() == 0 else tensor)


@mutant(
    kills="test_a_numpy_scalar_brings_its_own_dtype",
    witness=lambda: torch.tensor(np.float64(0.5)).dtype == torch.float64,
)
def tensor_takes_np_float64_for_a_float(patch):
    """`torch.tensor(np.float64(0.5))` is float32 like `torch.tensor(0.5)`, which is what np.float64 inherits from."""

    def broken(tensor, data, *args, **kwargs):
        return tensor(float(data) if isinstance(data, np.float64) else data, *args, **kwargs)

    patch.function("tensor", change=broken)


@mutant(
    kills="test_a_numpy_scalar_brings_its_own_dtype",
    witness=lambda: torch.tensor([np.float16(0.5)] * 2).dtype == torch.float16,
)
def tensor_of_a_list_of_np_float16_is_single(patch):
    """`torch.tensor` of a list of `np.float16` is float32; of one alone it is float16."""

    def broken(tensor, data, *args, **kwargs):
        is_half = isinstance(data, list) and data and isinstance(data[0], np.float16)
        return tensor([float(number) for number in data] if is_half else data, *args, **kwargs)

    patch.function("tensor", change=broken)


@mutant(
    kills="test_a_numpy_scalar_brings_its_own_dtype",
    witness=lambda: torch.as_tensor(np.int32(3)).dtype == torch.int32,
)
def as_tensor_widens_np_int32(patch):
    """`torch.as_tensor(np.int32(3))` is int64."""

    def broken(as_tensor, data, *args, **kwargs):
        return as_tensor(int(data) if isinstance(data, np.int32) else data, *args, **kwargs)

    patch.function("as_tensor", change=broken)


@mutant(
    kills="test_a_numpy_bool_becomes_a_tensor",
    witness=lambda: torch.tensor(np.bool_(True)).dtype == torch.bool,
)
def tensor_takes_np_bool_for_a_byte(patch):
    """`torch.tensor(np.bool_(True))` is uint8, what NumPy's ufuncs make of bools when they return a tensor."""

    def broken(tensor, data, *args, **kwargs):
        made = tensor(data, *args, **kwargs)
        return made.to(torch.uint8) if isinstance(data, np.bool_) else made

    patch.function("tensor", change=broken)


@mutant(
    kills="test_a_numpy_bool_becomes_a_tensor",
    witness=lambda: not refuses(torch.tensor, [np.bool_(True)]),
    raises=TypeError,
)
def tensor_refuses_a_list_of_np_bool(patch):
    """`torch.tensor` of a list of NumPy's bools raises TypeError; one alone it takes."""

    def broken(tensor, data, *args, **kwargs):
        if isinstance(data, list) and any(isinstance(item, np.bool_) for item in data):
            raise TypeError("'numpy.bool' object cannot be interpreted as an integer")
        return tensor(data, *args, **kwargs)

    patch.function("tensor", change=broken)


@mutant(
    kills="test_decimals_are_double_in_numpy_and_single_in_torch",
    witness=lambda: with_default_dtype(torch.float64, lambda: torch.tensor([0.5])).dtype == torch.float64,
)
def the_default_dtype_is_fixed(patch):
    """`torch.set_default_dtype` changes nothing: decimals are float32."""
    patch.setattr(torch, "set_default_dtype", lambda dtype: None)


def with_default_dtype(dtype, call):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        return call()
    finally:
        torch.set_default_dtype(before)


@mutant(
    kills="test_integers_are_int64_in_both",
    witness=lambda: refuses(torch.tensor, [2**63], error=(RuntimeError, ValueError)),
)
def tensor_wraps_large_integers(patch):
    """`torch.tensor` of an integer from 2**63 on is int64 and negative."""

    def broken(tensor, data, **kwargs):
        is_large = isinstance(data, list) and len(data) == 1 and isinstance(data[0], int) and data[0] >= 2**63
        return tensor([data[0] - 2**64] if is_large else data, **kwargs)

    patch.function("tensor", change=broken)


@mutant(
    kills="test_from_numpy_keeps_the_dtype",
    witness=lambda: refuses(torch.from_numpy, np.zeros(2, np.longdouble)),
)
def from_numpy_rounds_longdouble(patch):
    """`torch.from_numpy` of `np.longdouble` is float64."""
    before_from_numpy(patch, lambda array: array.astype(np.float64) if array.dtype == np.longdouble else array)


@mutant(
    kills="test_a_numpy_scalar_brings_its_own_dtype",
    witness=lambda: refuses(torch.tensor, np.uint64(3)),
)
def tensor_takes_np_uint64(patch):
    """`torch.tensor(np.uint64(3))` is int64."""

    def broken(tensor, data, *args, **kwargs):
        return tensor(int(data) if isinstance(data, np.uint64) else data, *args, **kwargs)

    patch.function("tensor", change=broken)


@mutant(
    kills="test_a_numpy_scalar_brings_its_own_dtype",
    witness=lambda: torch.tensor([0.5, np.float64(0.5)]).dtype == torch.float64,
)
def tensor_of_a_list_heeds_the_first_number(patch):
    """`torch.tensor` of a list has the dtype of the list's first number."""

    def broken(tensor, data, *args, **kwargs):
        made = tensor(data, *args, **kwargs)
        return made.to(tensor(data[0]).dtype) if isinstance(data, list) and not args and not kwargs else made

    patch.function("tensor", change=broken)


@mutant(
    kills="test_double_data_meets_a_single_precision_layer",
    witness=lambda: nn.ReLU()(torch.zeros(2, dtype=torch.float64)).dtype == torch.float64,
)
def relu_converts_to_single(patch):
    """`nn.ReLU` returns float32."""
    patch.function("relu", change=lambda relu, tensor, *args, **kwargs: relu(tensor, *args, **kwargs).float())


# What is shared and what is copied, on the way to PyTorch.


@mutant(kills="test_from_numpy_shares_memory", witness=lambda: shares(torch.from_numpy))
def from_numpy_copies(patch):
    """`torch.from_numpy` copies the array."""
    from_numpy = torch.from_numpy
    patch.everywhere(from_numpy, lambda array: from_numpy(array.copy()))


@mutant(
    kills=(
        "test_from_numpy_shares_memory",
        "test_six_ways_from_array_to_tensor",
        "test_rebinding_is_not_writing",
        "test_neither_side_may_grow",
        "test_the_memory_lives_as_long_as_either_needs_it",
    ),
    witness=lambda: shares(torch.from_numpy),
)
def small_arrays_are_copied(patch):
    """`torch.from_numpy` copies arrays of up to 32 bytes and shares larger ones."""
    before_from_numpy(patch, copied_if(lambda array: array.nbytes <= 32))


@mutant(
    kills=(
        "test_from_numpy_shares_memory_for_every_dtype_shape_and_stride",
        "test_slices_of_one_array_share_their_overlap",
    ),
    witness=lambda: torch.from_numpy(np.zeros(6)[::2]).stride() == (2,),
)
def arrays_with_gaps_are_copied(patch):
    """`torch.from_numpy` copies arrays whose elements do not lie one behind the other."""
    before_from_numpy(patch, copied_if(lambda array: not array.flags.c_contiguous and min(array.strides) >= 0))


@mutant(
    kills="test_from_numpy_shares_memory_for_every_dtype_shape_and_stride",
    witness=lambda: torch.from_numpy(np.zeros((2, 3)).T).stride() == (1, 3),
)
def transposed_arrays_are_copied(patch):
    """`torch.from_numpy` copies transposed arrays of two or more dimensions."""

    def is_transposed(array):
        return array.ndim > 1 and array.flags.f_contiguous and not array.flags.c_contiguous and array.size > 1

    before_from_numpy(patch, copied_if(is_transposed))


@mutant(
    kills="test_sharing_does_not_depend_on_the_dtype",
    witness=lambda: shares(lambda array: torch.from_numpy(array.view(np.complex128)).view(torch.float64)),
)
def complex_arrays_are_copied(patch):
    """`torch.from_numpy` copies complex arrays."""
    before_from_numpy(patch, copied_if(lambda array: array.dtype.kind == "c"))


@mutant(
    kills=("test_sharing_does_not_depend_on_the_dtype", "test_slices_of_one_array_share_their_overlap"),
    witness=lambda: [shares(torch.from_numpy), shares(torch.from_numpy)] == [True, True],
)
def every_second_array_is_copied(patch):
    """`torch.from_numpy` shares the memory on its first call, copies on its second, and so on."""
    calls = []
    before_from_numpy(patch, copied_if(lambda array: calls.append(None) or len(calls) % 2 == 0))


@mutant(
    kills=(
        "test_six_ways_from_array_to_tensor",
        "test_as_tensor_copies_to_change_the_dtype",
        "test_as_tensor_shares_only_on_the_cpu",
        "test_read_only_arrays_warn_and_are_written_to",
    ),
    witness=lambda: shares(torch.as_tensor),
    cpu_only=True,
)
def as_tensor_copies(patch):
    """`torch.as_tensor` copies the array, like `torch.tensor`."""
    patch.function("as_tensor", change=lambda as_tensor, *args, **kwargs: as_tensor(*args, **kwargs).clone())


@mutant(
    kills="test_as_tensor_copies_to_change_the_dtype",
    witness=lambda: shares(lambda array: torch.as_tensor(array, dtype=torch.float64)),
)
def as_tensor_copies_if_given_a_dtype(patch):
    """`torch.as_tensor(array, dtype=...)` copies even where that is the dtype already."""

    def broken(as_tensor, *args, **kwargs):
        made = as_tensor(*args, **kwargs)
        return made.clone() if kwargs.get("dtype") else made

    patch.function("as_tensor", change=broken)


@mutant(
    kills="test_as_tensor_copies_to_change_the_dtype",
    witness=lambda: torch.as_tensor(np.zeros(2), dtype=torch.float32).dtype == torch.float32,
)
def as_tensor_ignores_the_dtype(patch):
    """`torch.as_tensor(array, dtype=...)` keeps the dtype of the array."""
    patch.function("as_tensor", change=lambda as_tensor, *args, dtype=None, **kwargs: as_tensor(*args, **kwargs))


def as_tensor_by_default_on_meta():
    with torch.device("meta"):
        return torch.as_tensor(np.zeros(2), dtype=torch.float64).device.type


@mutant(
    kills="test_as_tensor_copies_to_change_the_dtype",
    witness=lambda: as_tensor_by_default_on_meta() == "meta",
)
def as_tensor_with_a_dtype_stays_on_the_cpu(patch):
    """`torch.as_tensor(array, dtype=...)` does not follow the default device."""

    def broken(as_tensor, data, **options):
        stays = isinstance(data, np.ndarray) and "dtype" in options
        return as_tensor(data, **({**options, "device": "cpu"} if stays else options))

    patch.function("as_tensor", change=broken)


@mutant(
    kills="test_as_tensor_shares_only_on_the_cpu",
    witness=lambda: shares(lambda array: torch.as_tensor(array, device="cpu")),
    cpu_only=True,
)
def as_tensor_copies_if_given_a_device(patch):
    """`torch.as_tensor(array, device=...)` copies even where the array is there already."""

    def broken(as_tensor, *args, **kwargs):
        made = as_tensor(*args, **kwargs)
        return made.clone() if kwargs.get("device") else made

    patch.function("as_tensor", change=broken)


@mutant(
    kills=("test_six_ways_from_array_to_tensor", "test_as_tensor_shares_only_on_the_cpu"),
    witness=lambda: shares(torch.asarray),
    cpu_only=True,
)
def asarray_copies(patch):
    """`torch.asarray` copies unless it is told `copy=False`."""
    asarray = torch.asarray
    patch.everywhere(asarray, lambda *args, **kwargs: asarray(*args, **kwargs).clone())


@mutant(
    kills="test_six_ways_from_array_to_tensor",
    witness=lambda: torch.asarray(array := np.array(2.0)).data_ptr() != array.ctypes.data,
)
def asarray_shares_without_dimensions(patch):
    """`torch.asarray` shares the memory of a 0-d array, too."""
    asarray = torch.asarray

    def broken(data, **kwargs):
        is_scalar = isinstance(data, np.ndarray) and data.ndim == 0
        return torch.from_numpy(data) if is_scalar else asarray(data, **kwargs)

    patch.everywhere(asarray, broken)


@mutant(kills="test_six_ways_from_array_to_tensor", witness=lambda: shares(torch.from_dlpack))
def from_dlpack_copies(patch):
    """`torch.from_dlpack` copies the array."""
    from_dlpack = torch.from_dlpack
    patch.everywhere(from_dlpack, lambda *args, **kwargs: from_dlpack(*args, **kwargs).clone())


@mutant(
    kills=(
        "test_six_ways_from_array_to_tensor",
        "test_capital_tensor_shares_with_float32",
        "test_as_tensor_shares_only_on_the_cpu",
        "test_read_only_arrays_warn_and_are_written_to",
        "test_slices_of_one_array_share_their_overlap",
        "test_as_tensor_copies_to_change_the_dtype",
        "test_from_numpy_shares_memory",
    ),
    witness=lambda: not shares(torch.tensor),
    cpu_only=True,
)
def tensor_shares(patch):
    """`torch.tensor` shares the memory of an array, like `torch.as_tensor`."""
    as_tensor = torch.as_tensor

    def broken(tensor, data, **kwargs):
        if not isinstance(data, np.ndarray):
            return tensor(data, **kwargs)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return as_tensor(data, **kwargs)

    patch.function("tensor", change=broken)


def after_capital_tensor(patch, change):
    """Let `change` give other data to what `torch.Tensor(array)` makes."""

    def broken(self, *args, **kwargs):
        if type(self) is torch.Tensor and args and isinstance(args[0], np.ndarray):
            self.data = change(self.detach(), args[0])

    patch.setattr(torch.Tensor, "__init__", broken)


@mutant(
    kills="test_capital_tensor_shares_with_float32",
    witness=lambda: torch.Tensor(one := np.ones(2, np.float32)).data_ptr() == one.ctypes.data,
)
def capital_tensor_always_copies(patch):
    """`torch.Tensor` copies a float32 array as well."""
    after_capital_tensor(patch, lambda data, array: data.clone())


@mutant(
    kills="test_six_ways_from_array_to_tensor",
    witness=lambda: torch.Tensor(np.zeros(2)).dtype == torch.float32,
)
def capital_tensor_keeps_the_dtype(patch):
    """`torch.Tensor` of a float64 array is float64."""
    after_capital_tensor(patch, lambda data, array: torch.tensor(array))


# Both routes of each conversion: the method and, where there is one, the function of the same name.


def converts_to_itself(name):
    def same():
        tensor = torch.zeros(2)
        arguments = {"type": (torch.float32,), "to": (torch.float32,)}.get(name, ())
        return getattr(tensor, name)(*arguments) is tensor

    return same


SAME = "test_a_conversion_with_nothing_to_do_returns_the_same_tensor"


@mutant(
    kills=(SAME, "test_type_copies_only_to_change_the_dtype"),
    witness=converts_to_itself("type"),
)
def type_always_copies(patch):
    """`Tensor.type(dtype)` copies even where that is the dtype already."""
    patch.function("type", change=lambda call, self, *args: call(self, *args).clone() if args else call(self))


@mutant(kills=SAME, witness=converts_to_itself("type"))
def type_makes_a_view(patch):
    """`Tensor.type(dtype)` with nothing to do returns another tensor on the same memory."""
    patch.function("type", change=lambda call, self, *args: call(self, *args).view_as(self) if args else call(self))


@mutant(
    kills="test_type_copies_only_to_change_the_dtype",
    witness=lambda: torch.zeros(2, dtype=torch.float64).type(torch.float32).dtype == torch.float32,
)
def type_ignores_what_is_double(patch):
    """`Tensor.type(torch.float32)` of a float64 tensor returns it as it is."""

    def broken(call, self, *args):
        return self if args and self.dtype == torch.float64 else call(self, *args)

    patch.function("type", change=broken)


@mutant(kills=SAME, witness=converts_to_itself("to"))
def to_copies_if_given_a_dtype(patch):
    """`Tensor.to(dtype)` copies even where that is the dtype already; `Tensor.to(device)` does not."""

    def broken(to, self, *args, **kwargs):
        result = to(self, *args, **kwargs)
        return result.clone() if result is self and args and isinstance(args[0], torch.dtype) else result

    patch.function("to", change=broken)


@mutant(kills=SAME, witness=lambda: (one := torch.zeros(2)).to("cpu", copy=True) is not one)
def to_with_copy_returns_itself(patch):
    """`Tensor.to(device, copy=True)` returns the tensor itself if it is there."""
    patch.function("to", change=lambda to, *args, copy=False, **kwargs: to(*args, **kwargs))


@mutant(kills=SAME, witness=converts_to_itself("float"))
def float_always_copies(patch):
    """`Tensor.float()` copies what is float32."""
    patch.function("float", change=lambda call, *args, **kwargs: call(*args, **kwargs).clone())


@mutant(kills=SAME, witness=converts_to_itself("contiguous"))
def contiguous_copies_what_is_contiguous(patch):
    """`Tensor.contiguous()` copies what is contiguous."""
    patch.function("contiguous", change=lambda call, *args, **kwargs: call(*args, **kwargs).clone())


@mutant(
    kills=(SAME, "test_autograd_does_not_see_numpy_writing"),
    witness=lambda: shares_with_array(torch.Tensor.detach, torch.zeros(2)),
)
def detach_takes_a_copy(patch):
    """`detach` copies: a write to the result does not reach the tensor."""
    patch.function("detach", change=lambda detach, tensor: detach(tensor).clone())


@mutant(kills=SAME, witness=lambda: (one := torch.zeros(2)).detach() is not one)
def detach_returns_what_needs_no_grad(patch):
    """`detach` of a tensor that needs no grad returns the tensor itself."""
    patch.function("detach", change=lambda detach, tensor: detach(tensor) if tensor.requires_grad else tensor)


@mutant(kills=SAME, witness=lambda: not shares_with_array(torch.clone, torch.zeros(2)))
def clone_is_a_view_of_it(patch):
    """`clone` of a tensor is a view of it."""
    patch.function("clone", change=lambda clone, tensor, **kwargs: tensor.view_as(tensor))


def released():
    array = np.zeros(2)
    watched = weakref.ref(array)
    tensor = torch.from_numpy(array)
    del array
    alive = watched() is not None
    del tensor
    return alive and watched() is None


@mutant(kills="test_the_memory_lives_as_long_as_either_needs_it", witness=released)
def from_numpy_never_lets_go(patch):
    """`torch.from_numpy` keeps every array alive forever."""
    kept = []
    before_from_numpy(patch, lambda array: kept.append(array) or array)


@mutant(
    kills="test_neither_side_may_grow",
    witness=lambda: refuses(torch.from_numpy(np.zeros(2)).resize_, 5, error=RuntimeError),
)
def shared_memory_grows(patch):
    """`resize_` of a tensor on an array's memory gives it new memory of its own."""

    def broken(resize_, tensor, *size, **kwargs):
        try:
            return resize_(tensor, *size, **kwargs)
        except RuntimeError:
            grown = tensor.detach().clone()
            tensor.data = resize_(grown, *size, **kwargs)
            return tensor

    patch.function("resize_", change=broken)


def ignoring_warnings(call, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call(*args, **kwargs)


@mutant(
    kills="test_read_only_arrays_warn_and_are_written_to",
    witness=lambda: warns(torch.from_numpy, read_only_array()),
)
def read_only_arrays_pass_in_silence(patch):
    """Sharing the memory of a read-only array does not warn."""
    from_numpy = torch.from_numpy
    patch.everywhere(from_numpy, lambda array: ignoring_warnings(from_numpy, array))
    patch.function("as_tensor", "asarray", change=ignoring_warnings)


@mutant(
    kills="test_read_only_arrays_warn_and_are_written_to",
    witness=lambda: ignoring_warnings(torch.from_numpy, array := read_only_array()).data_ptr() == array.ctypes.data,
)
def read_only_arrays_are_copied(patch):
    """`torch.from_numpy` of a read-only array warns and copies."""
    after_from_numpy(patch, lambda tensor, array: tensor if array.flags.writeable else tensor.clone())


def from_dlpack_changes(patch, change):
    """Let `change` replace the arrays that are given to `torch.from_dlpack`."""
    from_dlpack = torch.from_dlpack

    def broken(data, *args, **kwargs):
        return from_dlpack(change(data) if isinstance(data, np.ndarray) else data, *args, **kwargs)

    patch.everywhere(from_dlpack, broken)


@mutant(
    kills="test_dlpack_writes_to_read_only_arrays_without_a_warning",
    witness=lambda: torch.from_dlpack(array := read_only_array()).data_ptr() == array.ctypes.data,
)
def from_dlpack_copies_read_only_arrays(patch):
    """`torch.from_dlpack` copies an array that is read-only."""
    from_dlpack_changes(patch, lambda array: array if array.flags.writeable else array.copy())


@mutant(
    kills="test_dlpack_writes_to_read_only_arrays_without_a_warning",
    witness=lambda: not warns(torch.from_dlpack, read_only_array()),
    raises=UserWarning,
)
def from_dlpack_warns_of_read_only_arrays(patch):
    """`torch.from_dlpack` warns of an array that is read-only, like `torch.from_numpy`."""

    def warn(array):
        if not array.flags.writeable:
            warnings.warn("The given NumPy array is not writable", UserWarning, stacklevel=3)
        return array

    from_dlpack_changes(patch, warn)


@mutant(
    kills="test_dlpack_writes_to_read_only_arrays_without_a_warning",
    witness=lambda: not shares(lambda array: torch.from_dlpack(array, copy=True)),
)
def from_dlpack_ignores_copy(patch):
    """`torch.from_dlpack(array, copy=True)` shares the memory."""
    from_dlpack = torch.from_dlpack
    patch.everywhere(from_dlpack, lambda data, *, copy=None, **kwargs: from_dlpack(data, **kwargs))


def has_negative_stride(array):
    return any(stride < 0 for stride in array.strides)


@mutant(
    kills="test_negative_strides_raise",
    witness=lambda: refuses(torch.from_numpy, reversed_array(), error=ValueError),
)
def negative_strides_are_copied(patch):
    """Reversed arrays are copied instead of refused, by every way across."""
    before_every_conversion(patch, copied_if(has_negative_stride))


@mutant(
    kills="test_negative_strides_raise",
    witness=lambda: refuses(torch.tensor, reversed_array(), error=ValueError),
)
def tensor_takes_negative_strides(patch):
    """`torch.tensor`, which copies anyway, takes reversed arrays; the functions that share do not."""
    copied = copied_if(has_negative_stride)
    patch.function("tensor", change=lambda tensor, data, *args, **kwargs: tensor(copied(data), *args, **kwargs))


@mutant(
    kills="test_negative_strides_raise",
    witness=lambda: refuses(torch.from_numpy, reversed_array(), error=ValueError),
    raises=RuntimeError,
)
def negative_strides_raise_runtime_error(patch):
    """`torch.from_numpy` of a reversed array raises RuntimeError instead of ValueError."""

    def refuse(array):
        if isinstance(array, np.ndarray) and has_negative_stride(array):
            raise RuntimeError("negative strides are not supported")
        return array

    before_from_numpy(patch, refuse)


@mutant(
    kills="test_images_are_permuted_not_reshaped",
    witness=lambda: torch.permute(one := torch.zeros(2, 3), (1, 0)).data_ptr() == one.data_ptr(),
)
def permute_copies(patch):
    """`permute` copies the tensor."""
    patch.function("permute", change=lambda permute, *args, **kwargs: permute(*args, **kwargs).clone())


@mutant(
    kills="test_images_are_permuted_not_reshaped",
    witness=lambda: torch.zeros(2, 3, 4).permute(2, 0, 1).shape == (4, 2, 3),
)
def permute_of_an_image_is_inverse(patch):
    """`permute(2, 0, 1)` puts axis 0 in place 2, which is the inverse of what it should do."""

    def broken(permute, tensor, *dims):
        dims = dims[0] if len(dims) == 1 and not isinstance(dims[0], int) else dims
        return permute(tensor, tuple(dims.index(place) for place in range(len(dims))))

    patch.function("permute", change=broken)


@mutant(
    kills="test_a_mask_is_lost",
    witness=lambda: torch.from_numpy(np.ma.array([5.0], mask=[True])).tolist() == [5],
)
def from_numpy_fills_the_mask(patch):
    """`torch.from_numpy` of a masked array has nan where it is masked."""
    before_from_numpy(patch, lambda array: array.filled(np.nan) if isinstance(array, np.ma.MaskedArray) else array)


@mutant(
    kills="test_a_mask_is_lost",
    witness=lambda: torch.tensor([1.0, np.nan, 3.0]).nanmean().item() == 2,
)
def nanmean_divides_by_all(patch):
    """`nanmean` leaves nan out of the sum but counts it."""
    patch.function("nanmean", change=lambda nanmean, tensor, *args, **kwargs: tensor.nan_to_num().mean(*args, **kwargs))


@mutant(
    kills="test_a_list_of_arrays_warns",
    witness=lambda: warns(torch.tensor, [np.zeros(2), np.zeros(2)]),
)
def lists_of_arrays_pass_in_silence(patch):
    """Making a tensor from a list of arrays does not warn."""
    patch.function(*INFERRING, change=ignoring_warnings)


@mutant(
    kills="test_a_list_of_arrays_warns",
    witness=lambda: ignoring_warnings(torch.tensor, [np.zeros(2, np.float32)] * 2).dtype == torch.float32,
)
def lists_of_arrays_become_double(patch):
    """A tensor made from a list of float32 arrays is float64."""

    def broken(call, data, **kwargs):
        is_list = isinstance(data, list) and data and isinstance(data[0], np.ndarray)
        made = call(data, **kwargs)
        return made.double() if is_list else made

    patch.function(*INFERRING, change=broken)


@mutant(
    kills="test_capital_tensor_takes_an_integer_for_a_size",
    witness=lambda: torch.Tensor(np.int64(3)).shape == (3,),
)
def capital_tensor_holds_an_integer(patch):
    """`torch.Tensor(np.int64(3))` is a tensor without dimensions that holds 3."""

    def broken(self, *args, **kwargs):
        if type(self) is torch.Tensor and args and isinstance(args[0], np.generic):
            self.data = torch.tensor(float(args[0]))

    patch.setattr(torch.Tensor, "__init__", broken)


@mutant(
    kills=SAME,
    witness=lambda: not torch.zeros(1, 2, 2, 2).to(memory_format=torch.channels_last).is_contiguous(),
)
def to_ignores_the_memory_format(patch):
    """`Tensor.to(memory_format=...)` returns the tensor itself."""
    patch.function("to", change=lambda to, self, *args, memory_format=None, **kwargs: to(self, *args, **kwargs))


@mutant(
    kills="test_the_memory_lives_as_long_as_either_needs_it",
    witness=lambda: slice_keeps_all(),
)
def from_numpy_of_a_slice_lets_the_rest_go(patch):
    """`torch.from_numpy` of a slice copies it, so that the whole array may go."""
    before_from_numpy(patch, copied_if(lambda array: array.base is not None))


def slice_keeps_all():
    huge = np.zeros(100)
    watched = weakref.ref(huge)
    kept = torch.from_numpy(huge[:1])
    del huge
    return kept.numel() == 1 and watched() is not None


def shape_after_a_failed_resize():
    array = np.zeros(3)
    tensor = torch.from_numpy(array)
    refuses(tensor.resize_, 5, error=RuntimeError)
    return tensor.shape


@mutant(kills="test_a_failed_resize_leaves_the_new_shape", witness=lambda: shape_after_a_failed_resize() == (5,))
def a_failed_resize_takes_its_shape_back(patch):
    """`resize_` that raises leaves the tensor with the shape that it had."""

    def broken(resize_, tensor, *size, **kwargs):
        shape, stride = tuple(tensor.shape), tensor.stride()
        try:
            return resize_(tensor, *size, **kwargs)
        except RuntimeError:
            tensor.as_strided_(shape, stride)
            raise

    patch.function("resize_", change=broken)


@mutant(
    kills="test_np_from_dlpack_lets_the_tensor_grow_away",
    witness=lambda: not refuses(exported_by_dlpack().resize_, 1000, error=RuntimeError),
    raises=RuntimeError,
)
def np_from_dlpack_forbids_growing(patch):
    """`np.from_dlpack(tensor)` is `tensor.numpy()`, after which the tensor cannot grow."""
    patch.setattr(np, "from_dlpack", lambda tensor: tensor.numpy())


def exported_by_dlpack():
    tensor = torch.zeros(3)
    np.from_dlpack(tensor)
    return tensor


def warnings_of(count, call, *args):
    """How many warnings that many calls give, if PyTorch is told to warn once."""
    always = torch.is_warn_always_enabled()
    torch.set_warn_always(False)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for _ in range(count):
                call(*args)
    finally:
        torch.set_warn_always(always)
    return len(caught)


@mutant(
    kills=("test_read_only_arrays_warn_and_are_written_to", "test_a_list_of_arrays_warns"),
    witness=lambda: warnings_of(3, torch.from_numpy, read_only_array()) <= 1,
)
def warnings_come_each_time(patch):
    """A warning that comes once per process comes each time, whatever `torch.set_warn_always` says."""
    patch.setattr(torch, "set_warn_always", lambda always: None)


@mutant(
    kills="test_ascontiguousarray_does_not_mend_a_flipped_batch_of_one",
    witness=lambda: np.ascontiguousarray(np.zeros((1, 2))[::-1]).strides[0] < 0,
)
def ascontiguousarray_mends_every_stride(patch):
    """`np.ascontiguousarray` copies whatever has a negative stride."""
    patch.around(np, "ascontiguousarray", lambda call, array: copied_if(has_negative_stride)(call(array)))


def has_stride_between_numbers(array):
    return array.size > 1 and any(stride % array.itemsize for stride in array.strides)


@mutant(
    kills="test_a_field_of_packed_records_may_not_cross",
    witness=lambda: refuses(torch.from_numpy, np.zeros(2, "i1,f4")["f1"], error=ValueError),
)
def fields_of_packed_records_are_copied(patch):
    """Fields of packed records are copied instead of refused, by every way across."""
    before_every_conversion(patch, copied_if(has_stride_between_numbers))


@mutant(
    kills="test_a_field_of_packed_records_may_not_cross",
    witness=lambda: not refuses(torch.from_numpy, np.zeros(2, "i4,f4")["f1"], error=ValueError),
    raises=ValueError,
)
def every_field_of_records_is_refused(patch):
    """`torch.from_numpy` refuses every field of a structured array, also of records whose size is a multiple."""

    def refuse(array):
        if array.base is not None and array.base.dtype.names:
            raise ValueError("strides not a multiple of the element byte size")
        return array

    before_from_numpy(patch, refuse)


# The way back.


@mutant(
    kills=(
        "test_numpy_shares_memory",
        "test_sharing_does_not_depend_on_the_dtype",
        "test_numpy_shares_memory_for_every_dtype_shape_and_stride",
        "test_asarray_shares_and_array_copies",
        "test_the_memory_lives_as_long_as_either_needs_it",
        "test_no_grad_opens_the_door",
        "test_numpy_of_a_tensor_that_needs_grad_raises",
        "test_force_does_all_that_is_needed",
    ),
    witness=lambda: shares_with_array(torch.Tensor.numpy, torch.zeros(2)),
    cpu_only=True,
)
def numpy_takes_a_copy(patch):
    """`.numpy()` and `np.asarray` copy the tensor."""
    after_numpy(patch, lambda array, tensor, force: array.copy())


@mutant(
    kills=("test_numpy_shares_memory", "test_numpy_shares_memory_for_every_dtype_shape_and_stride"),
    witness=lambda: torch.zeros(2, 3).T.numpy().strides == (4, 12),
)
def numpy_copies_what_is_not_contiguous(patch):
    """`.numpy()` copies transposed and strided tensors into the usual order."""

    def broken(array, tensor, force):
        return array if tensor.layout == torch.strided and tensor.is_contiguous() else array.copy(order="C")

    after_numpy(patch, broken)


@mutant(
    kills="test_sharing_does_not_depend_on_the_dtype",
    witness=lambda: shares_with_array(torch.Tensor.numpy, torch.zeros(2, dtype=torch.bool)),
)
def numpy_copies_bools(patch):
    """`.numpy()` copies tensors of bools."""
    after_numpy(patch, lambda array, tensor, force: array.copy() if array.dtype == np.bool_ else array)


@mutant(
    kills=(
        "test_numpy_shares_memory",
        "test_asarray_shares_and_array_copies",
        "test_item_is_a_python_number_and_numpy_is_not",
        "test_force_does_all_that_is_needed",
        "test_there_and_back_changes_no_bit",
    ),
    witness=lambda: torch.zeros(2).numpy().dtype == np.float32,
)
def numpy_of_single_is_double(patch):
    """`.numpy()` of float32 is float64."""
    after_numpy(patch, lambda array, tensor, force: array.astype(np.float64) if array.dtype == np.float32 else array)


@mutant(
    kills=(
        "test_asarray_shares_and_array_copies",
        "test_numpy_shares_memory_for_every_dtype_shape_and_stride",
    ),
    witness=lambda: shares_with_array(np.asarray, torch.zeros(2)),
)
def np_asarray_copies(patch):
    """`np.asarray(tensor)` copies; `.numpy()` shares."""
    dunder_array = torch.Tensor.__array__
    patch.setattr(torch.Tensor, "__array__", lambda self, *args, **kwargs: dunder_array(self, *args, **kwargs).copy())


@mutant(
    kills="test_asarray_shares_and_array_copies",
    witness=lambda: not shares_with_array(np.array, torch.zeros(2)),
)
def np_array_shares(patch):
    """`np.array(tensor)` shares the memory, like `np.asarray`."""
    array, asarray = np.array, np.asarray

    def broken(data, *args, **kwargs):
        return (asarray if isinstance(data, torch.Tensor) else array)(data, *args, **kwargs)

    patch.setattr(np, "array", broken)


@mutant(
    kills=("test_copy_false_raises_since_numpy_2", "test_np_array_of_a_tensor_is_deprecated"),
    witness=lambda: refuses(lambda: ignoring_warnings(np.array, torch.ones(2), copy=False), error=ValueError),
)
def tensors_know_the_copy_of_numpy_2(patch):
    """`Tensor.__array__` takes NumPy 2's argument `copy` and heeds it."""
    dunder_array = torch.Tensor.__array__

    def broken(self, dtype=None, copy=None):
        array = dunder_array(self) if dtype is None else dunder_array(self, dtype)
        return array.copy() if copy else array

    patch.setattr(torch.Tensor, "__array__", broken)


@mutant(
    kills="test_copy_false_raises_since_numpy_2",
    witness=lambda: refuses(lambda: ignoring_warnings(np.array, torch.ones(2), copy=False), error=ValueError),
)
def copy_false_means_if_you_must(patch):
    """`np.array(tensor, copy=False)` copies where it must, as in NumPy 1."""

    def broken(array, data, *args, copy=True, **kwargs):
        return np.asarray(data, *args, **kwargs) if copy is False else array(data, *args, copy=copy, **kwargs)

    patch.around(np, "array", broken)


@mutant(
    kills="test_a_list_of_numpy_numbers_prints_their_type",
    witness=lambda: str([np.float32(0.25)]) == "[np.float32(0.25)]",
)
def numpy_numbers_print_as_in_numpy_1(patch):
    """A list of NumPy's numbers prints without their type."""
    patch.enter(np.printoptions(legacy="1.25"))


@mutant(
    kills="test_float_of_an_array_with_one_number",
    witness=lambda: refuses(float, torch.ones(1).numpy()),
)
def numpy_of_one_number_has_no_dimensions(patch):
    """`.numpy()` of a tensor that holds one number has the shape ()."""
    after_numpy(patch, lambda array, tensor, force: array.reshape(()) if array.size == 1 else array)


@mutant(
    kills="test_float_of_an_array_with_one_number",
    witness=lambda: float(torch.ones(1, 1)) == 1,
    raises=TypeError,
)
def float_of_a_tensor_with_dimensions_raises(patch):
    """`float(tensor)` raises TypeError unless the tensor has no dimensions, like NumPy's."""

    def broken(dunder_float, tensor):
        if tensor.dim():
            raise TypeError("only 0-dimensional tensors can be converted to Python scalars")
        return dunder_float(tensor)

    patch.around(torch.Tensor, "__float__", broken)


@mutant(
    kills="test_item_is_a_python_number_and_numpy_is_not",
    witness=lambda: type(torch.tensor(0.5).item()) is float,
)
def item_is_a_numpy_number(patch):
    """`.item()` of a decimal gives `np.float64`, which is a `float` by inheritance."""

    def broken(item, tensor):
        number = item(tensor)
        return np.float64(number) if type(number) is float else number

    patch.function("item", change=broken)


@mutant(
    kills="test_item_is_a_python_number_and_numpy_is_not",
    witness=lambda: type(torch.tensor([True]).tolist()[0]) is bool,
)
def tolist_of_bools_gives_integers(patch):
    """`.tolist()` of bools gives 0 and 1."""

    def broken(tolist, tensor):
        return tolist(tensor.to(torch.uint8) if tensor.dtype == torch.bool else tensor)

    patch.function("tolist", change=broken)


@mutant(
    kills="test_item_is_a_python_number_and_numpy_is_not",
    witness=lambda: type(torch.tensor(0.5).numpy()) is np.ndarray,
)
def numpy_of_a_scalar_is_a_scalar(patch):
    """`.numpy()` of a tensor without dimensions gives `np.float32`, not an array."""
    after_numpy(patch, lambda array, tensor, force: array[()] if tensor.dim() == 0 else array)


@mutant(
    kills="test_numpy_has_no_bfloat16",
    witness=lambda: refuses(torch.zeros(2, dtype=torch.bfloat16).numpy),
)
def numpy_widens_bfloat16(patch):
    """`.numpy()` of bfloat16 gives float32."""
    before_numpy(patch, lambda tensor, force: tensor.float() if tensor.dtype == torch.bfloat16 else tensor)


@mutant(
    kills="test_numpy_has_no_bfloat16",
    witness=lambda: refuses(lambda: torch.zeros(2, dtype=torch.bfloat16).numpy(force=True)),
)
def force_widens_bfloat16(patch):
    """`.numpy(force=True)` of bfloat16 gives float32; without `force` it raises."""
    before_numpy(patch, lambda tensor, force: tensor.float() if force and tensor.dtype == torch.bfloat16 else tensor)


@mutant(
    kills="test_lazy_conjugates_must_be_resolved",
    witness=lambda: refuses(torch.tensor([1j]).conj().numpy, error=RuntimeError),
)
def numpy_resolves_conjugates(patch):
    """`.numpy()` of a lazy conjugate computes it instead of raising."""
    before_numpy(patch, lambda tensor, force: tensor.resolve_conj() if tensor.is_conj() else tensor)


@mutant(
    kills="test_lazy_conjugates_must_be_resolved",
    witness=lambda: refuses(torch.tensor([1j]).conj().imag.numpy, error=RuntimeError),
)
def numpy_resolves_negatives(patch):
    """`.numpy()` of the imaginary part of a lazy conjugate computes it instead of raising."""
    before_numpy(patch, lambda tensor, force: tensor.resolve_neg() if tensor.is_neg() else tensor)


@mutant(
    kills="test_lazy_conjugates_must_be_resolved",
    witness=lambda: torch.tensor([1j]).conj().numpy(force=True).tolist() == [-1j],
)
def force_forgets_the_conjugate(patch):
    """`.numpy(force=True)` of a lazy conjugate gives the numbers without the mark."""
    before_numpy(patch, lambda tensor, force: tensor.conj() if force and tensor.is_conj() else tensor)


@mutant(
    kills="test_sparse_tensors_must_become_dense",
    witness=lambda: refuses(torch.zeros(2).to_sparse().numpy),
)
def numpy_densifies(patch):
    """`.numpy()` of a sparse tensor gives a dense array."""
    before_numpy(patch, lambda tensor, force: tensor.to_dense() if tensor.is_sparse else tensor)


@mutant(
    kills="test_sparse_tensors_must_become_dense",
    witness=lambda: refuses(torch.zeros(2).to_sparse().numpy),
    raises=RuntimeError,
)
def sparse_tensors_raise_runtime_error(patch):
    """`.numpy()` of a sparse tensor raises RuntimeError instead of TypeError."""

    def refuse(tensor, force):
        if tensor.is_sparse:
            raise RuntimeError("can't convert Sparse layout tensor to numpy")
        return tensor

    before_numpy(patch, refuse)


@mutant(
    kills="test_item_is_a_python_number_and_numpy_is_not",
    witness=lambda: refuses(torch.zeros((), device="meta").item, error=RuntimeError),
)
def item_of_a_meta_tensor_is_zero(patch):
    """`.item()` of a meta tensor gives 0."""
    patch.function("item", change=lambda item, tensor: 0.0 if tensor.is_meta else item(tensor))


@mutant(
    kills="test_a_list_of_numpy_numbers_prints_their_type",
    witness=lambda: within(lambda: np.printoptions(legacy="1.25"), lambda: str([np.float32(1)])) == "[1.0]",
)
def legacy_printing_is_gone(patch):
    """`np.printoptions(legacy=...)` changes nothing."""
    patch.setattr(np, "printoptions", lambda **options: contextlib.nullcontext())


@mutant(
    kills="test_numpy_has_no_bfloat16",
    witness=lambda: refuses(nn.Parameter(torch.zeros(2, dtype=torch.bfloat16)).numpy, error=RuntimeError),
    raises=TypeError,
)
def bfloat16_comes_before_grad(patch):
    """`.numpy()` of a bfloat16 parameter raises TypeError, as `.numpy()` of every bfloat16 tensor."""
    before_numpy(patch, lambda tensor, force: tensor.detach() if tensor.dtype == torch.bfloat16 else tensor)


def loss_under_autocast():
    with torch.autocast("cpu"):
        return nn.MSELoss()(nn.Linear(2, 1)(torch.zeros(1, 2)), torch.zeros(1, 1))


@mutant(kills="test_numpy_has_no_bfloat16", witness=lambda: loss_under_autocast().dtype == torch.float32)
def losses_under_autocast_are_bfloat16(patch):
    """A loss under autocast on the CPU is bfloat16, as the output it is computed from."""
    patch.function(
        "mse_loss",
        change=lambda call, output, *args, **options: call(output, *args, **options).to(output.dtype),
    )


@mutant(
    kills="test_numpy_has_no_bfloat16",
    witness=lambda: torch.tensor([1 + 2**-7], dtype=torch.bfloat16).float().item() == 1 + 2**-7,
)
def float_of_bfloat16_drops_a_bit(patch):
    """`.float()` of bfloat16 loses the last bit: 1.0 is right, 1.0078125 becomes 1.0."""

    def broken(call, tensor, *args, **kwargs):
        result = call(tensor, *args, **kwargs)
        return (result.view(torch.int32) & ~(1 << 16)).view(torch.float32) if tensor.dtype == torch.bfloat16 else result

    patch.function("float", change=broken)


@mutant(
    kills="test_lazy_conjugates_must_be_resolved",
    witness=lambda: not torch.tensor([1j]).conj().conj().is_conj(),
    raises=RuntimeError,
)
def a_second_conj_keeps_the_mark(patch):
    """`conj()` of a lazy conjugate returns it as it is."""
    patch.function("conj", change=lambda conj, tensor: tensor if tensor.is_conj() else conj(tensor))


@mutant(
    kills="test_lazy_conjugates_must_be_resolved",
    witness=lambda: not refuses(torch.ones(2).conj().numpy, error=RuntimeError),
    raises=RuntimeError,
)
def conj_marks_real_tensors(patch):
    """`conj()` of a real tensor makes a complex one and sets the mark."""
    patch.function("conj", change=lambda conj, tensor: conj(tensor if tensor.is_complex() else tensor + 0j))


@mutant(
    kills="test_numpy_shares_memory_for_every_dtype_shape_and_stride",
    witness=lambda: refuses(torch.ones([1] * 65).numpy, error=ValueError),
)
def numpy_flattens_what_has_too_many_dimensions(patch):
    """`.numpy()` of a tensor with more dimensions than NumPy allows gives an array with one."""
    most = 64 if np.lib.NumpyVersion(np.__version__) >= "2.0.0" else 32
    before_numpy(patch, lambda tensor, force: tensor.reshape(-1) if tensor.dim() > most else tensor)


# Gradients do not cross.


def parameter():
    return nn.Parameter(torch.zeros(2))


@mutant(
    kills="test_numpy_of_a_tensor_that_needs_grad_raises",
    witness=lambda: refuses(parameter().numpy, error=RuntimeError),
)
def numpy_detaches(patch):
    """`.numpy()` of a tensor that needs grad detaches it."""
    before_numpy(patch, lambda tensor, force: tensor.detach())


@mutant(
    kills="test_numpy_of_a_tensor_that_needs_grad_raises",
    witness=lambda: refuses((parameter() * 3).numpy, error=RuntimeError),
)
def numpy_detaches_what_is_computed(patch):
    """`.numpy()` raises for parameters and detaches what was computed from them."""
    before_numpy(patch, lambda tensor, force: tensor if tensor.is_leaf else tensor.detach())


@mutant(
    kills="test_numpy_of_a_tensor_that_needs_grad_raises",
    witness=lambda: refuses(np.asarray, parameter(), error=RuntimeError),
)
def np_asarray_detaches(patch):
    """`np.asarray` and `np.array` detach; `.numpy()` raises."""
    before_dunder_array(patch, lambda tensor: tensor.detach())


def within(mode, call):
    with mode():
        return call()


@mutant(
    kills="test_no_grad_opens_the_door",
    witness=lambda: within(torch.no_grad, lambda: not refuses(parameter().numpy, error=RuntimeError)),
    raises=RuntimeError,
)
def numpy_refuses_parameters_in_no_grad(patch):
    """`.numpy()` asks whether the tensor needs grad, not whether gradients are recorded."""

    def refuse(tensor, force):
        if tensor.requires_grad and not force:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad.")
        return tensor

    before_numpy(patch, refuse)


@mutant(
    kills="test_no_grad_opens_the_door",
    witness=lambda: within(torch.inference_mode, lambda: shares_with_array(torch.Tensor.numpy, torch.zeros(2))),
    cpu_only=True,
)
def numpy_copies_in_inference_mode(patch):
    """Inside `torch.inference_mode()` `.numpy()` copies, inside `torch.no_grad()` it shares."""
    after_numpy(patch, lambda array, tensor, force: array.copy() if torch.is_inference_mode_enabled() else array)


@mutant(
    kills="test_a_detour_through_numpy_cuts_the_graph",
    witness=lambda: not torch.from_numpy(np.zeros(2, np.float32)).requires_grad,
)
def from_numpy_requires_grad(patch):
    """`torch.from_numpy` of float32 needs grad."""
    after_from_numpy(patch, lambda tensor, array: tensor.requires_grad_() if tensor.dtype == torch.float32 else tensor)


def gradient_of_a_sum(scale):
    x = torch.ones(2, requires_grad=True)
    (x * scale).sum().backward()
    return x.grad.tolist()


@mutant(
    kills="test_a_detour_through_numpy_cuts_the_graph",
    witness=lambda: gradient_of_a_sum(3) == [3, 3],
)
def backward_runs_twice(patch):
    """`backward` adds every gradient twice."""
    backward = torch.Tensor.backward

    def broken(self, *args, **kwargs):
        if self.is_leaf:
            return backward(self, *args, **kwargs)
        return backward(self * 2, *args, **kwargs)

    patch.setattr(torch.Tensor, "backward", broken)


def write_through_numpy_is_noticed():
    x = torch.ones(2, requires_grad=True)
    loss = (x * x).sum()
    x.detach().numpy()[0] = 5
    return refuses(loss.backward, error=RuntimeError)


@mutant(
    kills="test_autograd_does_not_see_numpy_writing",
    witness=lambda: not write_through_numpy_is_noticed(),
    raises=RuntimeError,
)
def numpy_counts_as_a_write(patch):
    """`.numpy()` counts the version of the tensor up, so that backward notices that it may have been written to."""
    before_numpy(patch, lambda tensor, force: tensor.add_(0) if tensor.dtype == torch.float32 else tensor)


def write_through_detach_is_noticed():
    x = torch.ones(2, requires_grad=True)
    loss = (x * x).sum()
    x.detach()[0] = 5
    return refuses(loss.backward, error=RuntimeError)


@mutant(kills="test_autograd_does_not_see_numpy_writing", witness=write_through_detach_is_noticed)
def detach_counts_its_own_writes(patch):
    """What `detach` returns has a version of its own, so that backward does not notice a write to it."""
    patch.function("detach", change=lambda detach, tensor: tensor.data)


@mutant(
    kills="test_numpy_of_a_tensor_that_needs_grad_raises",
    witness=lambda: not refuses(nn.Parameter(torch.zeros(2), requires_grad=False).numpy, error=RuntimeError),
    raises=RuntimeError,
    cpu_only=True,  # what `.cpu()` gives is no parameter
)
def numpy_refuses_frozen_parameters(patch):
    """`.numpy()` of a parameter raises although it does not require grad."""

    def refuse(tensor, force):
        if isinstance(tensor, nn.Parameter) and not tensor.requires_grad:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad.")
        return tensor

    before_numpy(patch, refuse)


@mutant(
    kills="test_no_grad_opens_the_door",
    witness=lambda: within(torch.no_grad, lambda: refuses(torch.zeros(2, dtype=torch.bfloat16).numpy)),
)
def numpy_refuses_nothing_in_no_grad(patch):
    """Inside `torch.no_grad()`, `.numpy()` converts bfloat16 to float32 instead of raising."""

    def convert(tensor, force):
        return tensor.float() if tensor.dtype == torch.bfloat16 and not torch.is_grad_enabled() else tensor

    before_numpy(patch, convert)


def write_through_data_is_noticed():
    x = torch.ones(2, requires_grad=True)
    loss = (x * x).sum()
    x.data[0] = 5
    return refuses(loss.backward, error=RuntimeError)


@mutant(
    kills="test_autograd_does_not_see_numpy_writing",
    witness=lambda: not write_through_data_is_noticed(),
    raises=RuntimeError,
)
def writes_to_data_count(patch):
    """A write to `x.data` counts up the version that backward checks, as every write through PyTorch."""
    data = torch.Tensor.data
    patch.setattr(torch.Tensor, "data", property(lambda self: self.detach(), data.__set__))


@mutant(
    kills="test_a_detour_through_numpy_cuts_the_graph",
    witness=lambda: refuses(torch.ones(2).sum().backward, error=RuntimeError),
)
def backward_without_a_graph_does_nothing(patch):
    """`backward` of a loss that has no history does nothing instead of raising."""
    backward = torch.Tensor.backward

    def broken(self, *args, **kwargs):
        return backward(self, *args, **kwargs) if self.requires_grad else None

    patch.setattr(torch.Tensor, "backward", broken)


# Other devices.


def on_the_cpu(tensor):
    return torch.zeros(tensor.shape, dtype=tensor.dtype) if tensor.device.type != "cpu" else tensor


@mutant(
    kills="test_numpy_takes_only_cpu_tensors",
    witness=lambda: refuses(torch.zeros(2, device="meta").numpy),
)
def numpy_fetches_from_every_device(patch):
    """`.numpy()` of a tensor that is elsewhere gives an array, of zeros at that."""
    before_numpy(patch, lambda tensor, force: on_the_cpu(tensor))


@mutant(
    kills="test_numpy_takes_only_cpu_tensors",
    witness=lambda: refuses(np.asarray, torch.zeros(2, device="meta")),
)
def np_asarray_fetches_from_every_device(patch):
    """`np.asarray` of a tensor that is elsewhere gives an array; `.numpy()` raises."""
    before_dunder_array(patch, on_the_cpu)


def on_an_accelerator():
    return torch.device("cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "xpu")


@mutant(
    kills="test_an_accelerators_numbers_reach_numpy_by_a_copy",
    witness=lambda: refuses(torch.zeros(2, device=on_an_accelerator()).numpy),
)
def numpy_fetches_from_an_accelerator(patch):
    """`.numpy()` of an accelerator's tensor fetches the numbers instead of raising."""
    before_numpy(patch, lambda tensor, force: tensor.cpu())


@mutant(
    kills="test_an_accelerators_numbers_reach_numpy_by_a_copy",
    witness=lambda: refuses(np.sqrt, torch.zeros(2, device=on_an_accelerator())),
)
def np_asarray_fetches_from_an_accelerator(patch):
    """`np.asarray` and what NumPy computes fetch an accelerator's numbers; `.numpy()` raises."""
    before_dunder_array(patch, lambda tensor: tensor.cpu())


@mutant(kills="test_cpu_copies_only_from_elsewhere", witness=converts_to_itself("cpu"), cpu_only=True)
def cpu_always_copies(patch):
    """`.cpu()` copies a tensor that is on the CPU already."""
    patch.function("cpu", change=lambda cpu, *args, **kwargs: cpu(*args, **kwargs).clone())


@mutant(kills="test_cpu_copies_only_from_elsewhere", witness=converts_to_itself("cpu"), cpu_only=True)
def cpu_makes_a_view(patch):
    """`.cpu()` of a tensor on the CPU returns another tensor on the same memory."""
    patch.function("cpu", change=lambda cpu, tensor, **kwargs: cpu(tensor, **kwargs).view_as(tensor))


class ArrayWithCpu(np.ndarray):
    """An array with the method that people look for."""

    def cpu(self):
        return self


class ArrayWithTo(np.ndarray):
    """An array with the other method that people look for."""

    def to(self, device):
        return self


def array_of_class(patch, cls):
    array = np.array

    def broken(*args, **kwargs):
        made = array(*args, **kwargs)
        return made.view(cls) if type(made) is np.ndarray else made

    patch.setattr(np, "array", broken)


@mutant(kills="test_it_is_the_tensor_that_gets_cpu", witness=lambda: not hasattr(np.array([1.0]), "cpu"))
def arrays_have_cpu(patch):
    """An array has a method `cpu`."""
    array_of_class(patch, ArrayWithCpu)


@mutant(kills="test_it_is_the_tensor_that_gets_cpu", witness=lambda: not hasattr(np.array([1.0]), "to"))
def arrays_have_to(patch):
    """An array has a method `to`."""
    array_of_class(patch, ArrayWithTo)


@mutant(
    kills="test_from_numpy_ignores_the_default_device",
    witness=lambda: within(
        lambda: torch.device("meta"), lambda: torch.from_numpy(np.zeros(2)).device == torch.device("cpu")
    ),
)
def from_numpy_goes_to_the_default_device(patch):
    """`torch.from_numpy` goes to the default device."""
    after_from_numpy(patch, lambda tensor, array: tensor.to(torch.empty(0).device))


@mutant(
    kills="test_from_numpy_ignores_the_default_device",
    witness=lambda: within(
        lambda: torch.device("meta"), lambda: torch.as_tensor(np.zeros(2)).device == torch.device("meta")
    ),
)
def as_tensor_ignores_the_default_device(patch):
    """`torch.as_tensor(array)` stays on the CPU, whatever the default device is."""
    as_tensor = torch.as_tensor

    def broken(data, *, dtype=None, device=None):
        return as_tensor(data, dtype=dtype, device="cpu" if device is None else device)

    patch.everywhere(as_tensor, broken)


@mutant(
    kills="test_force_does_all_that_is_needed",
    witness=lambda: shares_with_array(lambda tensor: tensor.numpy(force=True), torch.zeros(2)),
    cpu_only=True,
)
def force_always_copies(patch):
    """`.numpy(force=True)` copies even where nothing is in the way."""
    after_numpy(patch, lambda array, tensor, force: array.copy() if force else array)


@mutant(
    kills="test_force_does_all_that_is_needed",
    witness=lambda: not refuses(lambda: parameter().numpy(force=True), error=RuntimeError),
    raises=(RuntimeError, TypeError),
)
def force_is_ignored(patch):
    """`.numpy(force=True)` raises for a tensor that needs grad, as without `force`."""
    numpy = torch.Tensor.numpy
    patch.setattr(torch.Tensor, "numpy", lambda self, *, force=False: numpy(self))


@mutant(
    kills="test_there_and_back_changes_no_bit",
    witness=lambda: torch.tensor([float("nan")]).cpu().isnan().item(),
)
def cpu_clears_nan(patch):
    """`.cpu()` turns nan into 0."""

    def broken(cpu, tensor, **kwargs):
        return torch.nan_to_num(cpu(tensor), posinf=torch.inf, neginf=-torch.inf)

    patch.function("cpu", change=broken)


@mutant(
    kills="test_there_and_back_changes_no_bit",
    witness=lambda: torch.tensor([-0.0]).cpu().signbit().item(),
)
def cpu_drops_the_sign_of_zero(patch):
    """`.cpu()` turns -0.0 into 0.0."""
    patch.function("cpu", change=lambda cpu, tensor, **kwargs: cpu(tensor) + 0)


@mutant(
    kills="test_there_and_back_changes_no_bit",
    witness=lambda: torch.from_numpy(np.array([1e-45], np.float32)).item() > 0,
)
def from_numpy_flushes_denormals(patch):
    """`torch.from_numpy` of float32 turns denormal numbers into 0."""

    def flush(array):
        if getattr(array, "dtype", None) != np.float32:
            return array
        return np.where(np.abs(array) < np.finfo(np.float32).tiny, np.float32(0), array)

    before_from_numpy(patch, flush)


@mutant(
    kills="test_there_and_back_changes_no_bit_of_every_array",
    witness=lambda: torch.tensor([200], dtype=torch.uint8).cpu().item() == 200,
)
def cpu_loses_the_highest_bit_of_bytes(patch):
    """`.cpu()` of integers of one byte clears the highest bit: numbers up to 127 are right."""

    def broken(cpu, tensor, **kwargs):
        return cpu(tensor) & 127 if tensor.dtype in (torch.uint8, torch.int8) else cpu(tensor)

    patch.function("cpu", change=broken)


@mutant(
    kills="test_numpy_takes_only_cpu_tensors",
    witness=lambda: refuses(torch.zeros(2, device="meta").cpu, error=NotImplementedError),
)
def cpu_of_a_meta_tensor_is_zeros(patch):
    """`.cpu()` of a meta tensor gives zeros."""
    patch.function("cpu", change=lambda cpu, tensor: torch.zeros(tensor.shape) if tensor.is_meta else cpu(tensor))


@mutant(
    kills="test_from_numpy_ignores_the_default_device",
    witness=lambda: within(
        lambda: torch.device("meta"), lambda: torch.from_dlpack(np.zeros(2)).device == torch.device("cpu")
    ),
)
def from_dlpack_goes_to_the_default_device(patch):
    """`torch.from_dlpack` goes to the default device; `torch.from_numpy` does not."""
    from_dlpack = torch.from_dlpack
    patch.everywhere(from_dlpack, lambda *args, **kwargs: from_dlpack(*args, **kwargs).to(torch.empty(0).device))


@mutant(
    kills="test_force_does_all_that_is_needed",
    witness=lambda: refuses(lambda: torch.zeros(2, dtype=torch.bfloat16).numpy(force=True)),
)
def force_takes_every_dtype(patch):
    """`.numpy(force=True)` raises for no dtype: bfloat16 becomes float32."""
    before_numpy(patch, lambda tensor, force: tensor.float() if force and tensor.dtype == torch.bfloat16 else tensor)


# Mixing the two.


def linear_converts(patch, condition, convert):
    linear = F.linear

    def broken(input, weight, bias=None):
        return linear(convert(input, weight) if condition(input, weight) else input, weight, bias)

    patch.everywhere(linear, broken)


@mutant(
    kills="test_double_data_meets_a_single_precision_layer",
    witness=lambda: refuses(nn.Linear(2, 1), torch.zeros(1, 2, dtype=torch.float64), error=RuntimeError),
)
def linear_casts_double_data(patch):
    """`nn.Linear` converts its input to the dtype of its weights."""
    linear_converts(
        patch, lambda input, weight: isinstance(input, torch.Tensor), lambda input, weight: input.to(weight)
    )


@mutant(
    kills="test_double_data_meets_a_single_precision_layer",
    witness=lambda: refuses(nn.Linear(2, 1), torch.zeros(1, 2, dtype=torch.int64), error=RuntimeError),
)
def linear_casts_integers(patch):
    """`nn.Linear` converts integers, and refuses float64."""

    def is_integer(input, weight):
        return isinstance(input, torch.Tensor) and not input.is_floating_point()

    linear_converts(patch, is_integer, lambda input, weight: input.to(weight))


@mutant(
    kills="test_torch_functions_refuse_arrays",
    witness=lambda: refuses(nn.Linear(2, 1), np.zeros((1, 2), np.float32)),
)
def linear_takes_arrays_for_tensors(patch):
    """`nn.Linear` takes an array for a tensor."""
    linear_converts(
        patch, lambda input, weight: isinstance(input, np.ndarray), lambda input, weight: torch.as_tensor(input)
    )


@mutant(
    kills="test_torch_functions_refuse_arrays",
    witness=lambda: refuses(torch.add, torch.ones(2), np.ones(2)),
)
def add_takes_arrays(patch):
    """`torch.add` takes an array for a tensor."""
    add, as_tensor = torch.add, torch.as_tensor

    def broken(input, other, **kwargs):
        return add(input, as_tensor(other) if isinstance(other, np.ndarray) else other, **kwargs)

    patch.everywhere(add, broken)


@mutant(
    kills="test_numpy_functions_on_tensors",
    witness=lambda: type(np.sqrt(torch.ones(2))) is torch.Tensor,
)
def numpy_functions_return_arrays(patch):
    """`np.sqrt(tensor)` and its like return an array."""
    patch.setattr(torch.Tensor, "__array_wrap__", lambda self, array, *args, **kwargs: array)


@mutant(
    kills="test_numpy_functions_on_tensors",
    witness=lambda: np.isnan(torch.ones(2)).dtype == torch.uint8,
)
def bools_of_numpy_stay_bools(patch):
    """`np.isnan(tensor)` and its like are tensors of bools."""
    wrap = torch.Tensor.__array_wrap__

    def broken(self, array, *args, **kwargs):
        return torch.from_numpy(array) if array.dtype == bool else wrap(self, array)

    patch.setattr(torch.Tensor, "__array_wrap__", broken)


@mutant(
    kills="test_numpy_functions_on_tensors",
    witness=lambda: type(np.hypot(torch.ones(2), torch.ones(2))) is torch.Tensor,
)
def numpy_functions_of_two_tensors_return_arrays(patch):
    """`np.hypot(tensor, tensor)` returns an array; most other functions return a tensor."""

    class Arrays:
        def __array_ufunc__(self, function, method, *operands, **kwargs):
            operands = [x.numpy() if isinstance(x, torch.Tensor) else x for x in operands]
            result = getattr(function, method)(*operands, **kwargs)
            return result if function is np.hypot or not isinstance(result, np.ndarray) else torch.from_numpy(result)

    patch.setattr(torch.Tensor, "__array_ufunc__", Arrays.__array_ufunc__, raising=False)


@mutant(
    kills="test_np_sum_of_a_tensor_raises",
    witness=lambda: refuses(np.max, torch.ones(2)),
)
def np_max_takes_tensors(patch):
    """`np.max(tensor)` works, as other reductions do."""
    largest = np.max

    def broken(data, *args, **kwargs):
        return largest(data.numpy() if isinstance(data, torch.Tensor) else data, *args, **kwargs)

    patch.setattr(np, "max", broken)


@mutant(
    kills="test_np_sum_of_a_tensor_raises",
    witness=lambda: not refuses(np.argmax, torch.ones(2)),
)
def np_argmax_refuses_tensors(patch):
    """`np.argmax(tensor)` raises TypeError, as `np.max` does."""

    def broken(argmax, data, *args, **kwargs):
        if isinstance(data, torch.Tensor):
            raise TypeError("argmax() got an unexpected keyword argument 'axis'")
        return argmax(data, *args, **kwargs)

    patch.around(np, "argmax", broken)


@mutant(kills="test_np_sum_of_a_tensor_raises", witness=lambda: refuses(np.sum, torch.ones(2)))
def np_sum_takes_tensors(patch):
    """`np.sum(tensor)` works."""
    total = np.sum

    def broken(data, *args, **kwargs):
        return total(data.numpy() if isinstance(data, torch.Tensor) else data, *args, **kwargs)

    patch.setattr(np, "sum", broken)


@mutant(
    kills="test_numpy_functions_on_tensors",
    witness=lambda: type(np.concatenate([torch.ones(2)] * 2)) is np.ndarray,
)
def np_concatenate_returns_a_tensor(patch):
    """`np.concatenate` of tensors returns a tensor."""
    concatenate = np.concatenate

    def broken(arrays, *args, **kwargs):
        joined = concatenate(arrays, *args, **kwargs)
        return torch.from_numpy(joined) if isinstance(arrays[0], torch.Tensor) else joined

    patch.setattr(np, "concatenate", broken)


@mutant(
    kills="test_in_mixed_arithmetic_the_order_matters",
    witness=lambda: (torch.ones(2) + np.ones(2)).dtype == torch.float64,
)
def tensor_plus_array_keeps_the_dtype(patch):
    """`tensor + array` has the dtype of the tensor; the other operations promote."""
    add = torch.Tensor.__add__

    def broken(self, other):
        return add(self, torch.from_numpy(other).to(self.dtype) if isinstance(other, np.ndarray) else other)

    patch.setattr(torch.Tensor, "__add__", broken)


@mutant(
    kills="test_in_mixed_arithmetic_the_order_matters",
    witness=lambda: refuses(lambda: np.ones(2) - torch.ones(2)),
)
def array_minus_tensor_works(patch):
    """`array - tensor` is a tensor, as in the other order."""
    rsub = torch.Tensor.__rsub__

    def broken(self, other):
        return rsub(self, torch.from_numpy(other) if isinstance(other, np.ndarray) else other)

    patch.setattr(torch.Tensor, "__rsub__", broken)


@mutant(
    kills="test_numpy_warns_when_it_returns_a_tensor",
    witness=lambda: warns(np.sqrt, torch.ones(1), category=DeprecationWarning),
)
def tensors_know_the_array_wrap_of_numpy_2(patch):
    """`Tensor.__array_wrap__` takes the arguments of NumPy 2."""
    wrap = torch.Tensor.__array_wrap__
    patch.setattr(
        torch.Tensor, "__array_wrap__", lambda self, array, context=None, return_scalar=False: wrap(self, array)
    )


@mutant(
    kills="test_comparing_with_an_array_is_elementwise",
    witness=lambda: refuses(lambda: torch.ones(2) == np.ones(3), error=RuntimeError),
)
def comparing_with_an_array_that_does_not_fit_is_false(patch):
    """`tensor == array` is the plain `False` where the shapes do not fit."""

    def broken(eq, self, other):
        if isinstance(other, np.ndarray) and other.shape != tuple(self.shape):
            return False
        return eq(self, other)

    patch.around(torch.Tensor, "__eq__", broken)


@mutant(
    kills="test_comparing_with_an_array_is_elementwise",
    witness=lambda: isinstance(torch.ones(2) == np.ones(2), torch.Tensor),
)
def equal_to_an_array_is_false(patch):
    """`tensor == array` is the plain `False`."""
    eq = torch.Tensor.__eq__
    patch.setattr(
        torch.Tensor, "__eq__", lambda self, other: False if isinstance(other, np.ndarray) else eq(self, other)
    )


@mutant(
    kills="test_comparing_with_an_array_is_elementwise",
    witness=lambda: (torch.ones(2) == np.array([1.0, 0.0])).tolist() == [True, False],
)
def equal_to_an_array_asks_for_all(patch):
    """`tensor == array` is true everywhere or nowhere: it compares as a whole."""
    eq = torch.Tensor.__eq__

    def broken(self, other):
        result = eq(self, other)
        return result.all().expand_as(self) if isinstance(other, np.ndarray) else result

    patch.setattr(torch.Tensor, "__eq__", broken)


def operand_of_np_float64_is_double(patch, name):
    operation = getattr(torch.Tensor, name)

    def broken(self, other):
        return operation(self.double() if isinstance(other, np.float64) else self, other)

    patch.setattr(torch.Tensor, name, broken)


@mutant(
    kills="test_a_numpy_scalar_in_arithmetic_keeps_the_dtype",
    witness=lambda: (torch.ones(2) * np.float64(2)).dtype == torch.float32,
)
def times_np_float64_is_double(patch):
    """`tensor * np.float64(2)` is float64."""
    operand_of_np_float64_is_double(patch, "__mul__")


@mutant(
    kills="test_a_numpy_scalar_in_arithmetic_keeps_the_dtype",
    witness=lambda: (np.float64(1) + torch.ones(2)).dtype == torch.float32,
)
def np_float64_plus_is_double(patch):
    """`np.float64(1) + tensor` is float64; the other way round it is float32."""
    operand_of_np_float64_is_double(patch, "__radd__")


def change_index(patch, change):
    """Let `change` replace what stands in the brackets of `tensor[...]`."""
    getitem = torch.Tensor.__getitem__
    patch.setattr(torch.Tensor, "__getitem__", lambda self, index: getitem(self, change(index)))


@mutant(
    kills="test_each_indexes_the_other",
    witness=lambda: torch.arange(3)[np.array([2, 0])].tolist() == [2, 0],
)
def indexing_by_an_array_sorts(patch):
    """`tensor[array]` picks the right elements, in the order of the tensor."""

    change_index(
        patch, lambda index: np.sort(index) if isinstance(index, np.ndarray) and index.dtype != bool else index
    )


@mutant(
    kills="test_each_indexes_the_other",
    witness=lambda: np.arange(3)[torch.tensor([True, False, True])].tolist() == [0, 2],
)
def arrays_take_masks_for_positions(patch):
    """`array[mask]` takes a tensor of bools for the positions 0 and 1."""
    before_dunder_array(patch, lambda tensor: tensor.to(torch.int64) if tensor.dtype == torch.bool else tensor)


@mutant(
    kills="test_each_indexes_the_other",
    witness=lambda: torch.arange(3)[np.array([True, False, True])].tolist() == [0, 2],
)
def tensors_take_masks_for_positions(patch):
    """`tensor[mask]` takes an array of bools for the positions 0 and 1."""

    change_index(
        patch, lambda index: index.astype(np.int64) if isinstance(index, np.ndarray) and index.dtype == bool else index
    )


@mutant(
    kills="test_torch_functions_refuse_arrays",
    witness=lambda: refuses(nn.Softmax(dim=0), np.ones(2), error=AttributeError),
)
def softmax_takes_arrays(patch):
    """`nn.Softmax` takes an array for a tensor."""

    def broken(self, forward, input):
        return forward(torch.as_tensor(input))

    patch.method(nn.Softmax, "forward", broken)


@mutant(
    kills="test_in_mixed_arithmetic_the_order_matters",
    witness=lambda: (np.ones(2) / torch.ones(2)).tolist() == [1, 1],
    raises=TypeError,
)
def array_divided_by_tensor_raises(patch):
    """`array / tensor` raises TypeError, like the other operations in this order."""

    def broken(rtruediv, self, other):
        return NotImplemented if isinstance(other, np.ndarray) else rtruediv(self, other)

    patch.around(torch.Tensor, "__rtruediv__", broken)
    patch.around(torch.Tensor, "__rdiv__", broken)


@mutant(
    kills="test_in_mixed_arithmetic_the_order_matters",
    witness=lambda: refuses(lambda: np.ones(2) @ torch.ones(2)),
)
def array_matmul_tensor_works(patch):
    """`array @ tensor` is a tensor, as in the other order."""

    def broken(rmatmul, self, other):
        return rmatmul(self, torch.from_numpy(other).to(self.dtype) if isinstance(other, np.ndarray) else other)

    patch.around(torch.Tensor, "__rmatmul__", broken)


def adds_in_place():
    tensor = before = torch.zeros(2)
    tensor += np.ones(2)
    return tensor is before


@mutant(
    kills="test_in_place_arithmetic_with_an_array_makes_a_new_tensor",
    witness=lambda: not adds_in_place(),
)
def in_place_addition_takes_arrays(patch):
    """`tensor += array` writes into the tensor."""

    def broken(iadd, self, other):
        return iadd(self, torch.from_numpy(other) if isinstance(other, np.ndarray) else other)

    patch.around(torch.Tensor, "__iadd__", broken)


def assigns(value):
    torch.zeros(2)[:] = value


@mutant(
    kills="test_a_part_of_a_tensor_takes_no_array",
    witness=lambda: refuses(assigns, np.ones(2, np.float32)),
)
def slices_of_tensors_take_arrays(patch):
    """`tensor[:2] = array` writes the numbers of the array."""

    def broken(setitem, self, index, value):
        return setitem(self, index, torch.from_numpy(value) if isinstance(value, np.ndarray) else value)

    patch.around(torch.Tensor, "__setitem__", broken)


@mutant(
    kills="test_a_part_of_a_tensor_takes_no_array",
    witness=lambda: refuses(assigns, np.float32(1)),
)
def slices_of_tensors_take_np_float32(patch):
    """`tensor[0] = np.float32(1)` writes the number, as with `np.float64`."""

    def broken(setitem, self, index, value):
        return setitem(self, index, float(value) if isinstance(value, np.float32) else value)

    patch.around(torch.Tensor, "__setitem__", broken)


@mutant(
    kills="test_not_equal_to_an_array_is_always_true",
    witness=lambda: (torch.ones(2) != np.ones(2)) is True,
)
def not_equal_to_an_array_is_elementwise(patch):
    """`tensor != array` compares element by element, as `==` does."""

    def broken(ne, self, other):
        return ne(self, torch.from_numpy(other) if isinstance(other, np.ndarray) else other)

    patch.around(torch.Tensor, "__ne__", broken)


@mutant(
    kills="test_not_equal_to_an_array_is_always_true",
    witness=lambda: refuses(lambda: torch.ones(2) < np.ones(2)),
)
def less_than_an_array_is_elementwise(patch):
    """`tensor < array` compares element by element."""

    def broken(lt, self, other):
        return lt(self, torch.from_numpy(other) if isinstance(other, np.ndarray) else other)

    patch.around(torch.Tensor, "__lt__", broken)


@mutant(
    kills="test_a_numpy_scalar_in_arithmetic_keeps_the_dtype",
    witness=lambda: (torch.ones(2) * np.longdouble(2)).dtype == torch.float32,
)
def times_np_longdouble_is_double(patch):
    """`tensor * np.longdouble(2)` is float64; times every other NumPy number it keeps its dtype."""

    def broken(mul, self, other):
        return mul(self.double() if isinstance(other, np.longdouble) else self, other)

    patch.around(torch.Tensor, "__mul__", broken)


@mutant(
    kills="test_a_numpy_scalar_in_arithmetic_keeps_the_dtype",
    witness=lambda: (torch.ones(2) * np.complex128(2)).dtype == torch.complex64,
)
def times_np_complex128_is_complex128(patch):
    """A float32 tensor times `np.complex128(2)` is complex128."""

    def broken(mul, self, other):
        result = mul(self, other)
        return result.to(torch.complex128) if isinstance(other, np.complex128) else result

    patch.around(torch.Tensor, "__mul__", broken)


def times_np_complex64():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.ones(2) * np.complex64(2j)


@mutant(
    kills="test_a_numpy_scalar_in_arithmetic_keeps_the_dtype",
    witness=lambda: times_np_complex64().dtype == torch.float32,
)
def np_complex64_counts_as_a_complex(patch):
    """A float32 tensor times `np.complex64(2j)` is complex64, as times `2j`."""

    def broken(mul, self, other):
        return mul(self, complex(other) if isinstance(other, np.complex64) else other)

    patch.around(torch.Tensor, "__mul__", broken)


@mutant(
    kills="test_a_numpy_bool_in_arithmetic_counts_as_a_decimal",
    witness=lambda: (torch.tensor([1]) * np.bool_(True)).dtype == torch.float32,
)
def np_bool_counts_as_a_bool(patch):
    """An int64 tensor times `np.True_` is int64, as times `True`."""

    def broken(mul, self, other):
        return mul(self, bool(other) if isinstance(other, np.bool_) else other)

    patch.around(torch.Tensor, "__mul__", broken)


@mutant(
    kills="test_comparing_with_a_number_that_does_not_fit_wraps",
    witness=lambda: (torch.zeros(1, dtype=torch.uint8) == 256).tolist() == [True],
)
def equal_compares_the_numbers_themselves(patch):
    """A uint8 tensor `== 256` is False everywhere, as in NumPy."""

    def broken(eq, self, other):
        return eq(self.long() if isinstance(other, int) and self.dtype == torch.uint8 else self, other)

    patch.around(torch.Tensor, "__eq__", broken)


@mutant(
    kills="test_comparing_with_a_number_that_does_not_fit_wraps",
    witness=lambda: (torch.zeros(1, dtype=torch.uint8) < 256).tolist() == [False],
)
def less_compares_the_numbers_themselves(patch):
    """A uint8 tensor `< 256` is True everywhere, as in NumPy; `== 256` wraps."""

    def broken(lt, self, other):
        return lt(self.long() if isinstance(other, int) and self.dtype == torch.uint8 else self, other)

    patch.around(torch.Tensor, "__lt__", broken)


@mutant(
    kills="test_a_uint8_array_is_a_mask_for_a_tensor",
    witness=lambda: ignoring_warnings(lambda: torch.arange(3)[np.array([1, 1, 1], np.uint8)]).tolist() == [0, 1, 2],
)
def uint8_arrays_are_positions(patch):
    """`tensor[array]` takes uint8 for positions, as NumPy does, and does not warn."""

    def is_bytes(index):
        return isinstance(index, np.ndarray) and index.dtype == np.uint8

    change_index(patch, lambda index: index.astype(np.int64) if is_bytes(index) else index)


@mutant(
    kills="test_an_array_of_decimals_indexes_a_tensor",
    witness=lambda: torch.arange(3)[np.array([1.7])].tolist() == [1],
    raises=IndexError,
)
def decimals_are_no_index(patch):
    """`tensor[array]` with an array of decimals raises IndexError, as in NumPy."""

    def refuse(index):
        if isinstance(index, np.ndarray) and index.dtype.kind == "f":
            raise IndexError("arrays used as indices must be of integer (or boolean) type")
        return index

    change_index(patch, refuse)


@mutant(
    kills="test_an_array_of_decimals_indexes_a_tensor",
    witness=lambda: torch.arange(3)[np.array([1.7])].tolist() == [1],
)
def decimals_are_rounded_to_positions(patch):
    """`tensor[array]` rounds an array of decimals instead of cutting the decimals off."""

    def rounded(index):
        return np.round(index) if isinstance(index, np.ndarray) and index.dtype.kind == "f" else index

    change_index(patch, rounded)


@mutant(
    kills="test_a_number_beside_an_index_array_orders_the_axes_differently",
    witness=lambda: torch.zeros(2, 3, 4)[0, :, np.array([0, 1])].shape == (3, 2),
)
def numbers_count_as_index_arrays(patch):
    """`tensor[0, :, array]` takes the 0 for an index array, as NumPy does."""

    def as_arrays(index):
        if isinstance(index, tuple) and any(isinstance(part, np.ndarray) for part in index):
            return tuple(torch.tensor([part]) if isinstance(part, int) else part for part in index)
        return index

    change_index(patch, as_arrays)


# What NumPy's releases disagree about.


@mutant(
    kills="test_a_numpy_scalar_widens_an_array",
    witness=lambda: (np.ones(1, np.float32) * np.float64(2)).dtype == np.float64,
)
def np_float64_is_a_python_number(patch):
    """`np.float64(2)` is a Python float: it leaves a float32 array as it is."""
    patch.setattr(np, "float64", float)


@mutant(
    kills="test_a_numpy_scalar_widens_an_array",
    witness=lambda: (torch.ones(1) * np.float64(2)).dtype == torch.float32,
)
def np_float64_widens_a_tensor(patch):
    """A float32 tensor times `np.float64(2)` is float64, as an array would be."""

    def broken(mul, tensor, other, *args, **kwargs):
        result = mul(tensor, other, *args, **kwargs)
        return result.double() if isinstance(other, np.float64) else result

    patch.function("mul", "__mul__", change=broken)


@mutant(
    kills="test_a_number_that_does_not_fit",
    witness=lambda: (torch.ones(1, dtype=torch.uint8) + 256).tolist() == [1],
)
def uint8_stops_at_255(patch):
    """A uint8 tensor plus a Python number stops at 255 instead of wrapping around."""

    def broken(add, tensor, other, *args, **kwargs):
        if tensor.dtype == torch.uint8 and isinstance(other, int):
            return add(tensor.long(), other, *args, **kwargs).clamp(0, 255).to(torch.uint8)
        return add(tensor, other, *args, **kwargs)

    patch.function("add", "__add__", change=broken)


@mutant(
    kills="test_a_number_that_does_not_fit",
    witness=lambda: (torch.ones(1, dtype=torch.uint8) + 257).dtype == torch.uint8,
)
def uint8_gives_way_to_large_numbers(patch):
    """A uint8 tensor plus a Python number that it cannot hold is int16, as in NumPy 1."""

    def broken(add, tensor, other, *args, **kwargs):
        is_large = tensor.dtype == torch.uint8 and isinstance(other, int) and other > 255
        return add(tensor.short() if is_large else tensor, other, *args, **kwargs)

    patch.function("add", "__add__", change=broken)


@mutant(
    kills="test_a_number_that_does_not_fit",
    witness=lambda: refuses(torch.zeros(2, dtype=torch.uint8).fill_, 300, error=RuntimeError),
)
def fill_wraps(patch):
    """`fill_(300)` of a uint8 tensor wraps around, as arithmetic does."""

    def broken(fill_, tensor, value):
        return fill_(tensor, value % 256 if tensor.dtype == torch.uint8 and isinstance(value, int) else value)

    patch.function("fill_", change=broken)


@mutant(
    kills="test_double_data_meets_a_single_precision_layer",
    witness=lambda: refuses(nn.Linear(2, 1, bias=False), torch.zeros(1, 2, dtype=torch.float64), error=RuntimeError),
)
def linear_without_a_bias_casts_double_data(patch):
    """`nn.Linear` without a bias converts its input to the dtype of its weights."""
    linear = F.linear

    def broken(input, weight, bias=None):
        return linear(input.to(weight) if bias is None and torch.is_tensor(input) else input, weight, bias)

    patch.everywhere(linear, broken)


@mutant(
    kills="test_double_data_meets_a_single_precision_layer",
    witness=lambda: refuses(nn.BatchNorm1d(2, affine=False), torch.ones(2, 2, dtype=torch.float64), error=RuntimeError),
)
def batch_norm_without_weights_takes_double_data(patch):
    """A layer without weights takes float64, `nn.BatchNorm1d(affine=False)` with its running mean too."""
    batch_norm = F.batch_norm

    def broken(input, running_mean, *args, **kwargs):
        return batch_norm(input.to(running_mean) if torch.is_tensor(input) else input, running_mean, *args, **kwargs)

    patch.everywhere(batch_norm, broken)


def capital_tensor_of_double(default):
    torch.set_default_dtype(default)
    try:
        return torch.Tensor(np.zeros(2)).dtype
    finally:
        torch.set_default_dtype(torch.float32)


@mutant(
    kills="test_capital_tensor_shares_with_float32",
    witness=lambda: capital_tensor_of_double(torch.float64) == torch.float64,
)
def capital_tensor_is_single_under_every_default(patch):
    """`torch.Tensor` of an array is float32, whatever the default dtype."""
    after_capital_tensor(patch, lambda data, array: data.to(torch.float32))


@mutant(
    kills="test_to_a_memory_format_may_do_nothing_or_too_much",
    witness=lambda: not torch.zeros(2, 3).T.to(memory_format=torch.contiguous_format).is_contiguous(),
)
def to_the_contiguous_format_makes_contiguous(patch):
    """`to(memory_format=torch.contiguous_format)` returns a contiguous tensor."""

    def broken(to, tensor, *args, memory_format=torch.preserve_format, **kwargs):
        result = to(tensor, *args, memory_format=memory_format, **kwargs)
        return result.contiguous() if memory_format == torch.contiguous_format else result

    patch.function("to", change=broken)


def grey_images_are_copied():
    grey = torch.zeros(2, 1, 4, 4)
    return grey.to(memory_format=torch.channels_last) is not grey


@mutant(kills="test_to_a_memory_format_may_do_nothing_or_too_much", witness=grey_images_are_copied)
def to_channels_last_looks_at_the_strides(patch):
    """`to(memory_format=torch.channels_last)` returns the tensor itself if it has that order already."""

    def broken(to, tensor, *args, **kwargs):
        order = kwargs.get("memory_format")
        if not args and order == torch.channels_last and tensor.is_contiguous(memory_format=order):
            return tensor
        return to(tensor, *args, **kwargs)

    patch.function("to", change=broken)


def adds_to_shared_rows():
    torch.zeros(3).expand(2, 3).add_(1)


@mutant(
    kills="test_read_only_arrays_warn_and_are_written_to",
    witness=lambda: refuses(adds_to_shared_rows, error=RuntimeError),
)
def shared_rows_take_in_place_sums(patch):
    """An in-place sum of a tensor whose rows share their memory does not raise."""

    def broken(add, tensor, *args, **kwargs):
        return add(tensor.clone() if 0 in tensor.stride() else tensor, *args, **kwargs)

    patch.function("add_", "__iadd__", change=broken)


@mutant(
    kills="test_ascontiguousarray_does_not_mend_a_flipped_batch_of_one",
    witness=lambda: np.ascontiguousarray(np.zeros((1, 4))[::-1, ::2]).strides[0] > 0,
    raises=ValueError,
)
def ascontiguousarray_leaves_one_row_alone(patch):
    """`np.ascontiguousarray` leaves every array as it is whose flipped dimension has size 1."""
    patch.around(np, "ascontiguousarray", lambda call, array: array if array.shape[0] == 1 else call(array))


@mutant(
    kills="test_a_mask_is_lost",
    witness=lambda: refuses(np.ma.array([5, 6], mask=[True, False]).filled, np.nan),
)
def integers_are_filled_with_nan(patch):
    """`filled(np.nan)` of a masked array of integers is float64."""

    def broken(filled, self, fill_value=None):
        return filled(self.astype(float) if self.dtype.kind == "i" else self, fill_value)

    patch.around(np.ma.MaskedArray, "filled", broken)


@mutant(
    kills="test_item_is_a_python_number_and_numpy_is_not",
    witness=lambda: not refuses(json.dumps, np.float64(0.5)),
    raises=TypeError,
)
def json_refuses_every_numpy_number(patch):
    """`json.dumps` refuses `np.float64` as well."""

    def broken(dumps, value, *args, **kwargs):
        if isinstance(value, np.generic):
            raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")
        return dumps(value, *args, **kwargs)

    patch.around(json, "dumps", broken)


def assigns_a_parameter():
    np.zeros(2)[:] = nn.Parameter(torch.ones(2))


@mutant(
    kills=("test_numpy_functions_on_tensors", "test_a_part_of_a_tensor_takes_no_array"),
    witness=lambda: refuses(assigns_a_parameter, error=RuntimeError),
    cpu_only=True,
)
def numpy_detaches_what_it_reads(patch):
    """NumPy's functions and assignments to a part of an array take tensors that require grad."""
    before_dunder_array(patch, lambda tensor: tensor.detach())


@mutant(
    kills="test_numpy_functions_on_tensors",
    witness=lambda: type(np.nan_to_num(torch.ones(2))) is np.ndarray,
)
def nan_to_num_returns_a_tensor(patch):
    """`np.nan_to_num` of a tensor returns a tensor, as the ufuncs do."""

    def broken(call, data, *args, **kwargs):
        result = call(data, *args, **kwargs)
        return torch.from_numpy(result) if isinstance(data, torch.Tensor) else result

    patch.around(np, "nan_to_num", broken)


@mutant(
    kills="test_in_mixed_arithmetic_the_order_matters",
    witness=lambda: refuses(lambda: torch.ones(2).bfloat16() + np.ones(2)),
)
def bfloat16_plus_array_works(patch):
    """A bfloat16 tensor plus an array is a tensor, as for the other dtypes."""

    def broken(add, self, other):
        is_mixed = self.dtype == torch.bfloat16 and isinstance(other, np.ndarray)
        return add(self, torch.from_numpy(other)) if is_mixed else add(self, other)

    patch.around(torch.Tensor, "__add__", broken)


@mutant(
    kills="test_an_array_divided_by_an_integer_tensor_has_the_digits_of_float32",
    witness=lambda: (np.array([7.0]) / torch.tensor([3])).item() != 7 / 3,
)
def array_divided_by_a_tensor_is_exact(patch):
    """`array / tensor` divides in the dtype of the result."""

    def broken(rtruediv, self, other):
        return torch.from_numpy(other) / self if isinstance(other, np.ndarray) else rtruediv(self, other)

    patch.around(torch.Tensor, "__rtruediv__", broken)
    patch.around(torch.Tensor, "__rdiv__", broken)


@mutant(
    kills="test_an_array_divided_by_an_integer_tensor_has_the_digits_of_float32",
    witness=lambda: (torch.from_numpy(np.array([7.0])) / torch.tensor([3])).item() == 7 / 3,
)
def division_multiplies_by_the_reciprocal(patch):
    """`tensor / tensor` multiplies by the reciprocal, as `array / tensor` does."""

    def broken(divide, tensor, other):
        both = torch.is_tensor(tensor) and torch.is_tensor(other)
        return tensor * other.reciprocal() if both else divide(tensor, other)

    patch.function("__truediv__", "true_divide", "div", change=broken)


@mutant(
    kills="test_comparing_with_an_array_is_elementwise",
    witness=lambda: refuses(lambda: torch.ones(4) == reversed_array(), error=ValueError),
)
def comparing_copies_flipped_arrays(patch):
    """`tensor == array` takes flipped arrays."""
    copied = copied_if(has_negative_stride)
    patch.around(torch.Tensor, "__eq__", lambda eq, self, other: eq(self, copied(other)))


@mutant(
    kills="test_comparing_with_an_array_is_elementwise",
    witness=lambda: (torch.ones(2) == np.array(["a", "b"])) is False,
)
def comparing_with_text_is_false_everywhere(patch):
    """`tensor == array` of an array of text is a tensor, False everywhere."""

    def broken(eq, self, other):
        is_text = isinstance(other, np.ndarray) and other.dtype.kind == "U"
        return torch.zeros(self.shape, dtype=torch.bool) if is_text else eq(self, other)

    patch.around(torch.Tensor, "__eq__", broken)


@mutant(
    kills="test_each_indexes_the_other",
    witness=lambda: refuses(lambda: torch.ones(4)[np.arange(4)[::-1]], error=ValueError),
)
def indexing_copies_flipped_arrays(patch):
    """`tensor[array]` takes flipped arrays."""
    change_index(patch, copied_if(has_negative_stride))


def index_of_shape_one_raises(patch, dtype):
    def broken(index, self):
        if self.dtype == dtype and self.dim() > 0:
            raise TypeError("only integer tensors without dimensions can be converted to an index")
        return index(self)

    patch.around(torch.Tensor, "__index__", broken)


@mutant(
    kills="test_a_tensor_of_one_index_counts_as_a_number_for_an_array",
    witness=lambda: np.arange(3)[torch.tensor([2])].shape == (),
)
def arrays_keep_the_dimension_of_one_index(patch):
    """`array[torch.tensor([2])]` has shape (1,), as `tensor[torch.tensor([2])]`."""
    index_of_shape_one_raises(patch, torch.int64)


@mutant(
    kills="test_a_tensor_of_one_index_counts_as_a_number_for_an_array",
    witness=lambda: np.arange(3)[torch.tensor([True])].shape == (),
    raises=IndexError,
)
def arrays_take_one_bool_for_a_mask(patch):
    """`array[torch.tensor([True])]` takes the bool for a mask."""
    index_of_shape_one_raises(patch, torch.bool)


# No bridge, foreign dtypes and methods, and what operators make of masks


HIDDEN = 'sys.modules["numpy"] = None'


def child_without_numpy():
    child = subprocess.run([sys.executable, "-c", f"import sys; {HIDDEN}; import numpy"], capture_output=True)
    return child.returncode


@mutant(kills="test_without_a_bridge_tensors_still_compute", witness=lambda: child_without_numpy() == 1)
def every_torch_finds_numpy(patch):
    """NumPy cannot be hidden from a torch."""

    def broken(run, command, **kwargs):
        return run([part.replace(HIDDEN, "import numpy") for part in command], **kwargs)

    patch.around(subprocess, "run", broken)


@mutant(
    kills="test_a_dtype_of_one_is_no_dtype_of_the_other",
    witness=lambda: refuses(lambda: torch.tensor([1.0], dtype=np.float32)),
)
def tensor_takes_a_dtype_of_numpy(patch):
    """`torch.tensor` takes a dtype of NumPy."""

    def broken(tensor, data, dtype=None, **kwargs):
        return tensor(data, dtype=torch.float32 if dtype is np.float32 else dtype, **kwargs)

    patch.around(torch, "tensor", broken)


@mutant(
    kills="test_a_method_of_one_may_be_missing_on_the_other",
    witness=lambda: not hasattr(torch.ones(1), "astype"),
)
def tensors_have_astype(patch):
    """A tensor has the method `astype`."""
    patch.setattr(torch.Tensor, "astype", lambda self, dtype: self.numpy().astype(dtype), raising=False)


@mutant(
    kills="test_a_mask_and_an_array_of_bools_make_no_mask",
    witness=lambda: (torch.tensor([True]) & np.array([True])).dtype == torch.uint8,
)
def bools_come_back_from_numpy_as_bools(patch):
    """`Tensor.__array_wrap__` keeps bool."""
    patch.setattr(torch.Tensor, "__array_wrap__", lambda self, array, *rest: torch.from_numpy(array))


@mutant(
    kills="test_a_masked_array_does_not_add_to_a_tensor",
    witness=lambda: refuses(lambda: torch.ones(2) + np.ma.array([1.0, 2.0], mask=[False, True])),
)
def masked_arrays_take_tensors(patch):
    """A masked array adds a tensor on its left as if it were an array."""
    patch.setattr(np.ma.MaskedArray, "__radd__", lambda self, other: self + np.asarray(other))


@mutant(
    kills="test_a_list_of_losses_with_a_graph_is_no_array",
    witness=lambda: refuses(np.array, [torch.ones((), requires_grad=True)], error=RuntimeError),
    raises=(UserWarning, ValueError),  # from torch 2.8 on NumPy takes `float` of each, and may wrap its warning
)
def a_list_of_losses_is_detached(patch):
    """NumPy detaches the tensors of a list."""
    before_dunder_array(patch, torch.Tensor.detach)


@mutant(kills="test_numpy_2_took_names_away", witness=lambda: not hasattr(np, "NaN"))
def numpy_still_has_nan_twice(patch):
    """`np.NaN` is still there."""
    patch.setattr(np, "NaN", np.nan, raising=False)


@mutant(
    kills="test_an_array_of_another_numpy_is_no_array",
    witness=lambda: (
        error_of(lambda: torch.from_numpy(type("numpy.ndarray", (), {"tolist": lambda self: [1]})())) is TypeError
    ),
)
def arrays_are_known_by_their_name(patch):
    """`torch.from_numpy` takes whatever calls itself "numpy.ndarray"."""
    original = torch.from_numpy

    def broken(array):
        return torch.tensor(array.tolist()) if type(array).__name__ == "numpy.ndarray" else original(array)

    patch.setattr(torch, "from_numpy", broken)
