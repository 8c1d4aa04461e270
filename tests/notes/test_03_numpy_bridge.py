"""The bridge between NumPy and PyTorch.

Data arrives as NumPy arrays, models want tensors, plots want arrays again. An array and a CPU tensor can be two names
for the same memory, so crossing the bridge may cost nothing, and a write on one side may change the other. This section
settles what is shared and what is copied, which dtype comes out, what is refused, and how to come back from a GPU.

The two must have been built for each other: torch up to 2.2 knows NumPy 1 alone and answers NumPy 2 with "Numpy is not
available"; from 2.3 on it works with both.
"""

import warnings
import weakref

import numpy as np
import pytest
import torch
from hypothesis import example, given, strategies as st
from torch import nn

SAME_IN_BOTH = {
    np.bool_: torch.bool,
    np.uint8: torch.uint8,
    np.int8: torch.int8,
    np.int16: torch.int16,
    np.int32: torch.int32,
    np.int64: torch.int64,
    np.float16: torch.float16,
    np.float32: torch.float32,
    np.float64: torch.float64,
    np.complex64: torch.complex64,
    np.complex128: torch.complex128,
}


# What the default dtypes are, and which dtypes cross.


def test_decimals_are_double_in_numpy_and_single_in_torch(device):
    """Numbers with a decimal point become float64 in NumPy and float32 in PyTorch.

    It is the first difference to remember: the same literal has 53 significant bits on one side and 24 on the other.

    https://numpy.org/doc/stable/user/basics.types.html
    """
    array = np.array([0.1, 0.5])
    tensor = torch.tensor([0.1, 0.5], device=device)

    assert array.dtype == np.float64
    assert tensor.dtype == torch.float32
    assert array.tolist() == [0.1, 0.5]
    assert tensor.tolist() == [0.10000000149011612, 0.5]


@pytest.mark.holds('numpy>=2; sys_platform == "win32"', otherwise=AssertionError)
def test_integers_are_int64_in_both(device):
    """Integers become int64 in NumPy and in PyTorch alike; only on Windows NumPy before 2 makes them int32.

    Say `np.array(labels, dtype=np.int64)` where the code runs there too.

    https://numpy.org/doc/stable/numpy_2_0_migration_guide.html
    """
    assert np.array([1, 2]).dtype == np.arange(3).dtype == np.int64
    assert torch.tensor([1, 2], device=device).dtype == torch.arange(3, device=device).dtype == torch.int64


def test_from_numpy_keeps_the_dtype():
    """`torch.from_numpy` keeps the dtype of the array: it never converts to PyTorch's default.

    That is how float64 slips into a float32 model.

    https://docs.pytorch.org/docs/stable/generated/torch.from_numpy.html
    """
    tensors = {dtype: torch.from_numpy(np.array([0, 1], dtype)) for dtype in SAME_IN_BOTH}

    assert {dtype: tensor.dtype for dtype, tensor in tensors.items()} == SAME_IN_BOTH
    assert all(tensor.tolist() == [0, 1] for tensor in tensors.values())


@pytest.mark.holds("torch>=2.3", otherwise=TypeError)
@pytest.mark.parametrize("name", ["uint16", "uint32", "uint64"])
def test_from_numpy_takes_wide_unsigned_integers(name):
    """From torch 2.3 on, `torch.from_numpy` takes unsigned integers of 16, 32 and 64 bits, each as the dtype of its
    name.

    Up to 2.2 PyTorch has no unsigned integers but uint8. What crosses in every release is `array.astype(np.int64)`.

    https://docs.pytorch.org/docs/stable/tensor_attributes.html
    """
    largest = np.iinfo(name).max
    array = np.array([1, largest], dtype=name)

    tensor = torch.from_numpy(array)

    assert tensor.dtype == getattr(torch, name)
    assert tensor.numpy().dtype == array.dtype
    assert tensor.numpy().tolist() == [1, largest]


@pytest.mark.parametrize(
    "array",
    [
        np.array([1, None], dtype=object),
        np.array(["cat", "dog"]),
        np.array([b"cat", b"dog"]),
        np.array(["2024-02-29"], dtype="datetime64[D]"),
        np.array([60], dtype="timedelta64[s]"),
        np.array([(1, 0.5)], dtype=[("label", np.int64), ("score", np.float32)]),
    ],
    ids=["object", "str", "bytes", "datetime", "timedelta", "structured"],
)
def test_only_numbers_and_bools_cross(array, device):
    """Arrays of objects, text, bytes, dates or records do not become tensors: `from_numpy`, `as_tensor`, `asarray` and
    `tensor` raise TypeError.

    The usual source is a table with mixed columns, or rows of unequal length: turn text into class indices and cut or
    pad the rows first.

    https://docs.pytorch.org/docs/stable/generated/torch.from_numpy.html
    """
    with pytest.raises(TypeError, match=r"can't convert np\.ndarray"):
        torch.from_numpy(array)
    for convert in [torch.as_tensor, torch.asarray, torch.tensor]:
        with pytest.raises(TypeError, match=r"can't convert np\.ndarray"):
            convert(array, device=device)


def test_foreign_byte_order_raises(device):
    """An array whose bytes are not in this machine's order raises ValueError, until it is converted to the native
    order.

    Files in network order (MNIST's own format, FITS, some netCDF) come like this.

    https://numpy.org/doc/stable/user/basics.byteswapping.html
    """
    native = np.array([1, 256], dtype=np.int32)
    foreign = native.astype(native.dtype.newbyteorder())

    with pytest.raises(ValueError, match="byte order"):
        torch.from_numpy(foreign)
    for convert in [torch.as_tensor, torch.tensor]:
        with pytest.raises(ValueError, match="byte order"):
            convert(foreign, device=device)

    assert foreign.tolist() == [1, 256]
    assert torch.from_numpy(foreign.astype(np.int32)).to(device).tolist() == [1, 256]


def test_from_numpy_takes_arrays_only():
    """`torch.from_numpy` wants an ndarray: a list raises TypeError, and so does the scalar that `array.mean()` returns.

    For those there is `torch.tensor`.

    https://docs.pytorch.org/docs/stable/generated/torch.from_numpy.html
    """
    array = np.array([1.0, 2.5])

    with pytest.raises(TypeError, match=r"expected np\.ndarray"):
        torch.from_numpy([1.0, 2.5])
    with pytest.raises(TypeError, match=r"expected np\.ndarray"):
        torch.from_numpy(array.mean())

    assert torch.tensor(array.mean()).item() == 1.75


def test_zero_dimensions_and_zero_elements_cross(device):
    """An array without dimensions becomes a scalar tensor, one without elements keeps its shape, and both come back.

    https://docs.pytorch.org/docs/stable/generated/torch.from_numpy.html
    """
    scalar = np.array(2.5, dtype=np.float16)
    empty = np.zeros((0, 3), dtype=np.float32)

    tensors = [torch.from_numpy(scalar).to(device), torch.from_numpy(empty).to(device)]

    assert [tuple(tensor.shape) for tensor in tensors] == [(), (0, 3)]
    assert [tensor.dtype for tensor in tensors] == [torch.float16, torch.float32]
    assert [tensor.tolist() for tensor in tensors] == [2.5, []]
    assert [tensor.cpu().numpy().shape for tensor in tensors] == [(), (0, 3)]


@pytest.mark.parametrize(
    ("number", "dtype"),
    [
        (0.5, torch.float32),
        (np.float32(0.5), torch.float32),
        (np.float64(0.5), torch.float64),
        (np.float16(0.5), torch.float16),
        (3, torch.int64),
        (np.int32(3), torch.int32),
        (np.uint8(3), torch.uint8),
    ],
    ids=["float", "np.float32", "np.float64", "np.float16", "int", "np.int32", "np.uint8"],
)
def test_a_numpy_scalar_brings_its_own_dtype(number, dtype):
    """`torch.tensor` of a NumPy scalar has the scalar's dtype: `np.float64(0.5)` gives float64 where `0.5` gives
    float32.

    It looks like a Python number, and `array.mean()` or `array[0]` returns one. The same goes for a list of them.

    https://docs.pytorch.org/docs/stable/generated/torch.tensor.html
    """
    # On the CPU alone: some accelerators have no float64.
    tensors = [torch.tensor(number), torch.as_tensor(number), torch.tensor([number, number])]

    assert [tensor.dtype for tensor in tensors] == [dtype] * 3
    assert [tensor.tolist() for tensor in tensors] == [number, number, [number, number]]


@pytest.mark.holds("torch>=2.9", otherwise=(TypeError, DeprecationWarning))
def test_a_numpy_bool_becomes_a_tensor(device):
    """From torch 2.9 on, `torch.tensor` takes NumPy's bool, such as `(array > 0).any()`; before, that drew a warning,
    and from NumPy 2.3 on a TypeError.

    `torch.tensor(bool(...))` works with all of them.

    https://docs.pytorch.org/docs/stable/generated/torch.tensor.html
    """
    array = np.array([1.0, -2.0])

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tensors = [
            torch.tensor((array > 0).any(), device=device),
            torch.tensor([(array > 0).any(), (array > 0).all()], device=device),
        ]

    assert [tensor.dtype for tensor in tensors] == [torch.bool] * 2
    assert [tensor.tolist() for tensor in tensors] == [True, [True, False]]


# What is shared and what is copied, on the way to PyTorch. Memory that is shared is the CPU's: most of these notes take
# no other device.


def test_from_numpy_shares_memory():
    """`torch.from_numpy` does not copy: a write to the array shows in the tensor, and the other way round.

    Copy on purpose with `torch.tensor(array)`.

    https://docs.pytorch.org/docs/stable/generated/torch.from_numpy.html
    """
    array = np.array([1.0, 2.0, 3.0])
    tensor = torch.from_numpy(array)

    array[0] = 7
    tensor[1] = 8

    assert tensor.tolist() == [7, 8, 3]
    assert array.tolist() == [7, 8, 3]


def test_sharing_does_not_depend_on_the_dtype():
    """Both bridges, `torch.from_numpy(array)` and `tensor.numpy()`, share the memory of every dtype that crosses.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.numpy.html
    """
    for dtype, tensor_dtype in SAME_IN_BOTH.items():
        array = np.zeros(3, dtype)
        tensor = torch.from_numpy(array)
        array[1] = 1
        assert tensor.tolist() == [0, 1, 0]

        tensor = torch.zeros(3, dtype=tensor_dtype)
        array = tensor.numpy()
        tensor[2] = 1
        assert array.tolist() == [0, 0, 1]
        assert array.dtype == dtype


@given(
    dtype=st.sampled_from(list(SAME_IN_BOTH)),
    sizes_and_steps=st.lists(st.tuples(st.integers(0, 4), st.integers(1, 3)), max_size=3),
    transpose=st.booleans(),
)
@example(dtype=np.int16, sizes_and_steps=[(2, 1), (3, 1)], transpose=True)
@example(dtype=np.float64, sizes_and_steps=[(2, 1), (3, 2)], transpose=False)
def test_from_numpy_shares_memory_for_every_dtype_shape_and_stride(dtype, sizes_and_steps, transpose):
    """Whatever the dtype, the shape and the (positive) strides of an array, `torch.from_numpy` keeps them and shares
    the memory.

    https://docs.pytorch.org/docs/stable/generated/torch.from_numpy.html
    """
    everything = np.zeros([size * step for size, step in sizes_and_steps], dtype)
    array = everything[(..., *[slice(None, None, step) for _, step in sizes_and_steps])]
    array = array.T if transpose else array

    tensor = torch.from_numpy(array)
    array[...] = np.arange(array.size).reshape(array.shape) % 3

    assert tensor.dtype == SAME_IN_BOTH[dtype]
    assert tuple(tensor.shape) == array.shape
    assert tensor.tolist() == array.tolist()

    tensor.fill_(1)

    assert array.tolist() == np.ones(array.shape).tolist()
    if array.size:
        assert tensor.data_ptr() == array.ctypes.data
        assert tensor.stride() == tuple(step // array.itemsize for step in array.strides)


@pytest.mark.myth("`array = array + 1` changes the tensor as well, because the two share their memory")
def test_rebinding_is_not_writing():
    """`array += 1` writes into the shared memory and the tensor sees it; `array = array + 1` makes a new array and it
    does not.

    This is where many tutorials go wrong, in both directions.

    https://docs.python.org/3/reference/simple_stmts.html
    """
    array = np.array([1.0, 2.0])
    tensor = torch.from_numpy(array)

    array += 1
    assert tensor.tolist() == [2, 3]

    array = array + 1
    assert array.tolist() == [3, 4]
    assert tensor.tolist() == [2, 3]

    array -= 3  # from here on it is another array: the tensor is out of reach
    assert tensor.tolist() == [2, 3]


@pytest.mark.parametrize(
    ("name", "shares", "dtype"),
    [
        ("from_numpy", True, torch.float64),
        ("as_tensor", True, torch.float64),
        ("asarray", True, torch.float64),
        ("from_dlpack", True, torch.float64),
        ("tensor", False, torch.float64),
        ("Tensor", False, torch.float32),
    ],
    ids=["from_numpy", "as_tensor", "asarray", "from_dlpack", "tensor", "Tensor"],
)
def test_six_ways_from_array_to_tensor(name, shares, dtype):
    """From a float64 array four functions share memory, `torch.tensor` copies, and `torch.Tensor` copies and converts
    to float32.

    https://docs.pytorch.org/docs/stable/generated/torch.as_tensor.html
    """
    array = np.array([0.1, 2.0])
    tensor = getattr(torch, name)(array)

    array[1] = 7

    assert tensor.dtype == dtype
    assert tensor.tolist() == torch.tensor([0.1, 7.0 if shares else 2.0], dtype=dtype).tolist()


@pytest.mark.myth("torch.Tensor(array) always makes a copy")
def test_capital_tensor_shares_with_float32():
    """`torch.Tensor` copies a float64 array only because it has to convert: with a float32 array it shares the memory.

    Two reasons to leave it alone: `torch.tensor` always copies, `torch.from_numpy` always shares.

    https://docs.pytorch.org/docs/stable/tensors.html
    """
    array = np.array([1, 2], dtype=np.float32)
    shared = torch.Tensor(array)
    copied = torch.tensor(array)

    array[0] = 7

    assert shared.tolist() == [7, 2]
    assert copied.tolist() == [1, 2]


def test_as_tensor_copies_to_change_the_dtype():
    """`torch.as_tensor(array, dtype=...)` shares the memory only where that is the dtype already; another one means a
    copy.

    https://docs.pytorch.org/docs/stable/generated/torch.as_tensor.html
    """
    array = np.array([1.0, 2.0])
    same = torch.as_tensor(array, dtype=torch.float64)
    other = torch.as_tensor(array, dtype=torch.float32)

    array[0] = 7

    assert same.tolist() == [7, 2]
    assert other.tolist() == [1, 2]
    assert (same.dtype, other.dtype) == (torch.float64, torch.float32)


def test_type_copies_only_to_change_the_dtype():
    """`from_numpy(array).type(torch.float32)` is a copy of a float64 array but the very memory of a float32 one.

    So whether a later write to the array reaches the tensor hangs on the dtype the data happened to have.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.type.html
    """
    double = np.array([1.0, 2.0])
    single = np.array([1, 2], dtype=np.float32)
    from_double = torch.from_numpy(double).type(torch.float32)
    from_single = torch.from_numpy(single).type(torch.float32)

    double[0] = 7
    single[0] = 7

    assert from_double.tolist() == [1, 2]
    assert from_single.tolist() == [7, 2]
    assert from_double.dtype == from_single.dtype == torch.float32


def test_a_conversion_with_nothing_to_do_returns_the_same_tensor(device):
    """Asked for the dtype and device it has, a tensor returns itself; `detach` returns a new tensor on the same memory;
    only `clone` and `copy=True` copy.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.to.html
    """
    tensor = torch.tensor([1.0, 2.0], device=device)
    results = {
        "type": tensor.type(torch.float32),
        "to dtype": tensor.to(torch.float32),
        "to device": tensor.to(device),
        "float": tensor.float(),
        "contiguous": tensor.contiguous(),
        "detach": tensor.detach(),
        "clone": tensor.clone(),
        "to copy": tensor.to(device, copy=True),
        "half": tensor.half(),
    }

    tensor[0] = 7

    itself = [name for name, result in results.items() if result is tensor]
    sees_the_write = [name for name, result in results.items() if result.tolist() == [7, 2]]
    assert itself == ["type", "to dtype", "to device", "float", "contiguous"]
    assert sees_the_write == [*itself, "detach"]
    assert all(results[name].tolist() == [1, 2] for name in ["clone", "to copy", "half"])


def test_the_memory_lives_as_long_as_either_needs_it():
    """The tensor keeps the array's memory alive, and the array the tensor's: either may be deleted first.

    https://docs.pytorch.org/docs/stable/generated/torch.from_numpy.html
    """
    array = np.array([1.0, 2.0])
    watched_array = weakref.ref(array)
    tensor = torch.from_numpy(array)
    del array

    assert watched_array() is not None
    assert tensor.tolist() == [1, 2]

    del tensor
    assert watched_array() is None

    array = torch.tensor([3.0, 4.0]).numpy()

    assert isinstance(array.base, torch.Tensor)
    assert array.tolist() == [3, 4]


def test_neither_side_may_grow():
    """Memory that is shared keeps its size: growing the tensor raises RuntimeError, growing the array raises
    ValueError.

    Do not talk NumPy into it with `refcheck=False`: the tensor would be left with memory that may be gone.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.resize_.html
    """
    array = np.array([1.0, 2.0, 3.0])
    tensor = torch.from_numpy(array)

    with pytest.raises(RuntimeError, match="not resizable"):
        tensor.resize_(5)
    with pytest.raises(ValueError, match="cannot resize"):
        array.resize(5)


def test_read_only_arrays_warn_and_are_written_to():
    """A tensor knows no "read-only": `from_numpy` of such an array warns, and a write to the tensor goes through to the
    array all the same.

    `np.broadcast_to`, pandas and `np.load(..., mmap_mode="r")` hand out read-only arrays, and a write to a file mapped
    like that crashes Python. `torch.tensor(array)` copies, silently and safely.

    https://docs.pytorch.org/docs/stable/generated/torch.from_numpy.html
    """
    array = np.array([1.0, 2.0])
    array.flags.writeable = False

    for convert in [torch.from_numpy, torch.as_tensor, torch.asarray]:
        with pytest.warns(UserWarning, match="not writable"):
            tensor = convert(array)
        tensor += 5
    copy = torch.tensor(array)
    copy[0] = 0

    assert array.tolist() == [16, 17]


@pytest.mark.holds("torch>=2.9", otherwise=BufferError)
@pytest.mark.holds("numpy>=2.1", otherwise=(BufferError, TypeError))
def test_dlpack_writes_to_read_only_arrays_without_a_warning():
    """From torch 2.9 with NumPy 2.1 on, `torch.from_dlpack` shares the memory of a read-only array and does not even
    warn.

    With an older one of the two it refuses such an array. `torch.tensor(array)` copies in every release; so does
    `torch.from_dlpack(array, copy=True)`, which is as new.

    https://docs.pytorch.org/docs/stable/dlpack.html
    """
    array = np.array([1.0, 2.0])
    array.flags.writeable = False

    tensor = torch.from_dlpack(array)
    copy = torch.from_dlpack(array, copy=True)
    tensor += 5
    copy += 1

    assert array.tolist() == tensor.tolist() == [6, 7]
    assert copy.tolist() == [2, 3]


def test_negative_strides_raise(device):
    """An array that was reversed (`[::-1]`, `np.flip`) is a view with a negative stride, and raises ValueError: copy it
    first.

    `torch.tensor`, which copies anyway, refuses it too; `torch.from_dlpack` can end the whole process, as in 2.13. The
    flipped image of a data augmentation is how people meet this.

    https://numpy.org/doc/stable/reference/generated/numpy.flip.html
    """
    array = np.array([[1, 2, 3], [4, 5, 6]])

    for reversed_array in [array[:, ::-1], np.flip(array, axis=0)]:
        with pytest.raises(ValueError, match="negative"):
            torch.from_numpy(reversed_array)
        for convert in [torch.as_tensor, torch.tensor]:
            with pytest.raises(ValueError, match="negative"):
                convert(reversed_array, device=device)

    assert torch.from_numpy(array[:, ::-1].copy()).to(device).tolist() == [[3, 2, 1], [6, 5, 4]]


@pytest.mark.picture("memory", "series", "first", "second")
def test_slices_of_one_array_share_their_overlap():
    """Tensors made from overlapping slices of one array overlap too: a write to one shows in the other.

    Sliding windows over a time series are built so; an in-place normalisation of one window then changes its
    neighbours.

    https://numpy.org/doc/stable/user/basics.copies.html
    """
    series = np.arange(5.0)
    first = torch.from_numpy(series[0:3])
    second = torch.from_numpy(series[::2])

    first -= 10

    assert first.tolist() == [-10, -9, -8]
    assert second.tolist() == [-10, -8, 4]


def test_images_are_permuted_not_reshaped(device):
    """An image array is (height, width, channel), PyTorch wants (channel, height, width): `permute` moves the axes
    without a copy, `reshape` scrambles the pixels.

    https://docs.pytorch.org/docs/stable/generated/torch.permute.html
    """
    image = np.zeros((2, 4, 3), dtype=np.uint8)
    image[:, :, 0] = 255  # all red

    tensor = torch.from_numpy(image).to(device)
    permuted = tensor.permute(2, 0, 1)
    reshaped = tensor.reshape(3, 2, 4)

    assert permuted.shape == reshaped.shape == (3, 2, 4)
    assert [set(channel.flatten().tolist()) for channel in permuted] == [{255}, {0}, {0}]
    assert [set(channel.flatten().tolist()) for channel in reshaped] == [{0, 255}] * 3

    tensor[1, 3, 2] = 9
    assert permuted[2, 1, 3].item() == 9


def test_a_mask_is_lost():
    """`torch.from_numpy` takes a masked array and forgets the mask: the values that were hidden are back.

    https://numpy.org/doc/stable/reference/maskedarray.generic.html
    """
    # On the CPU alone: these are float64, and not every accelerator has `nanmean`.
    temperatures = np.ma.array([20.0, -999.0, 22.0], mask=[False, True, False])

    tensor = torch.from_numpy(temperatures)

    assert temperatures.mean() == 21
    assert tensor.tolist() == [20, -999, 22]
    assert torch.from_numpy(temperatures.filled(np.nan)).nanmean().item() == 21


@pytest.mark.parametrize("convert", [torch.tensor, torch.as_tensor], ids=["tensor", "as_tensor"])
def test_a_list_of_arrays_warns(device, convert):
    """Making a tensor from a list of arrays goes number by number and warns that it is slow: stack the list in NumPy
    first.

    https://numpy.org/doc/stable/reference/generated/numpy.stack.html
    """
    rows = [np.array([1, 2], dtype=np.float32), np.array([3, 4], dtype=np.float32)]

    with pytest.warns(UserWarning, match=r"list of numpy\.ndarrays is extremely slow"):
        slow = convert(rows, device=device)
    quick = convert(np.stack(rows), device=device)

    assert slow.tolist() == quick.tolist() == [[1, 2], [3, 4]]
    assert slow.dtype == quick.dtype == torch.float32


# The way back. Here, too, it is the CPU's memory that is shared.


@pytest.mark.picture("memory", "tensor", "array", "transposed")
def test_numpy_shares_memory():
    """`tensor.numpy()` does not copy either: the array is another name for the tensor's memory, with the dtype and the
    strides it has.

    For a snapshot, say `tensor.numpy().copy()`.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.numpy.html
    """
    tensor = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    array = tensor.numpy()
    transposed = tensor.T.numpy()

    tensor[0, 2] = 7
    transposed[0, 1] = 8

    assert array.tolist() == tensor.tolist() == [[1, 2, 7], [8, 5, 6]]
    assert transposed.tolist() == [[1, 8], [2, 5], [7, 6]]
    assert array.dtype == transposed.dtype == np.float32
    assert (array.strides, transposed.strides) == ((12, 4), (4, 12))


@given(
    dtype=st.sampled_from(list(SAME_IN_BOTH)),
    sizes_and_steps=st.lists(st.tuples(st.integers(0, 4), st.integers(1, 3)), max_size=3),
    transpose=st.booleans(),
)
@example(dtype=np.int16, sizes_and_steps=[(2, 1), (3, 1)], transpose=True)
@example(dtype=np.float64, sizes_and_steps=[(2, 1), (3, 2)], transpose=False)
def test_numpy_shares_memory_for_every_dtype_shape_and_stride(dtype, sizes_and_steps, transpose):
    """`.numpy()` and `np.asarray` share the memory of a CPU tensor of every dtype both sides have, whatever its shape
    and strides.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.numpy.html
    """
    tensor = torch.zeros([size * step for size, step in sizes_and_steps], dtype=SAME_IN_BOTH[dtype])
    tensor = tensor[(..., *[slice(None, None, step) for _, step in sizes_and_steps])]
    tensor = tensor.permute(tuple(reversed(range(tensor.ndim)))) if transpose else tensor

    for array in [tensor.numpy(), np.asarray(tensor)]:
        array[...] = np.arange(array.size).reshape(array.shape) % 3

        assert array.dtype == dtype
        assert array.shape == tuple(tensor.shape)
        assert array.tolist() == tensor.tolist()

        tensor.fill_(1)

        assert array.tolist() == np.ones(array.shape).tolist()


@pytest.mark.picture("memory", "tensor", "shared", "copied", "converted")
def test_asarray_shares_and_array_copies():
    """`np.asarray(tensor)` shares the memory, `np.array(tensor)` copies it: the same pair as `torch.as_tensor` and
    `torch.tensor`.

    https://numpy.org/doc/stable/reference/generated/numpy.asarray.html
    """
    tensor = torch.tensor([1.0, 2.0])
    shared = np.asarray(tensor)
    copied = np.array(tensor)
    converted = np.asarray(tensor, dtype=np.float64)

    tensor[0] = 7

    assert shared.tolist() == [7, 2]
    assert copied.tolist() == converted.tolist() == [1, 2]
    assert (shared.dtype, copied.dtype, converted.dtype) == (np.float32, np.float32, np.float64)


@pytest.mark.holds("numpy>=2", otherwise=AssertionError)
def test_copy_false_raises_since_numpy_2():
    """From NumPy 2 on, `np.array(tensor, copy=False)` raises ValueError, although nothing would have to be copied:
    write `np.asarray(tensor)`.

    In NumPy 1 it meant "copy only if you must" and shared the memory. `np.asarray` means that in both.

    https://numpy.org/doc/stable/numpy_2_0_migration_guide.html
    """
    tensor = torch.tensor([1.0, 2.0])

    with pytest.raises(ValueError, match="avoid copy"):
        np.array(tensor, copy=False)

    np.asarray(tensor)[0] = 7
    assert tensor.tolist() == [7, 2]


@pytest.mark.holds("numpy>=2.1", otherwise=AssertionError)
def test_np_array_of_a_tensor_is_deprecated():
    """From NumPy 2.1 on, `np.array(tensor)` copies with a DeprecationWarning, because PyTorch's side of it does not
    know the argument `copy`: write `tensor.numpy().copy()`.

    That is the same copy, with nothing to warn of, under every NumPy.

    https://numpy.org/doc/stable/numpy_2_0_migration_guide.html
    """
    tensor = torch.tensor([1.0, 2.0])

    with pytest.warns(DeprecationWarning, match="copy keyword"):
        copied = np.array(tensor)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        same = tensor.numpy().copy()

    tensor[0] = 7
    assert copied.tolist() == same.tolist() == [1, 2]
    assert copied.dtype == same.dtype == np.float32


def test_item_is_a_python_number_and_numpy_is_not(device):
    """`.item()` and `.tolist()` give Python's own numbers, from any device; `.numpy()` of a scalar tensor gives an
    array without dimensions.

    For logs, JSON and lists of losses, take `.item()`.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.item.html
    """
    loss = torch.tensor(0.25, device=device)
    labels = torch.tensor([True, False], device=device)

    array = loss.cpu().numpy()

    assert (type(loss.item()), loss.item()) == (float, 0.25)
    assert [type(label) for label in labels.tolist()] == [bool, bool]
    assert (type(array), array.shape, array.dtype) == (np.ndarray, (), np.float32)
    assert array == 0.25


@pytest.mark.holds("numpy>=2", otherwise=AssertionError)
def test_a_list_of_numpy_numbers_prints_their_type(device):
    """From NumPy 2 on, a list of NumPy's numbers prints as `[np.float32(0.25)]`; in NumPy 1 it was `[0.25]`.

    Logs and files that are read again break on that. `.tolist()` and `.item()` give numbers that print alike
    everywhere.

    https://numpy.org/doc/stable/release/2.0.0-notes.html
    """
    losses = torch.tensor([0.25, 0.5], device=device).cpu().numpy()

    assert str(list(losses)) == "[np.float32(0.25), np.float32(0.5)]"
    assert str(losses.tolist()) == "[0.25, 0.5]"
    assert str(losses[0]) == "0.25"


@pytest.mark.holds("numpy>=2.4", otherwise=AssertionError)
def test_float_of_an_array_with_one_number(device):
    """From NumPy 2.4 on, `float(array)` raises TypeError if the one number in the array lies in a shape like (1,);
    `float(tensor)` takes one number in any shape.

    A model that ends in one feature hands out such outputs. `.item()` takes either, in every release.

    https://numpy.org/doc/stable/release/2.4.0-notes.html
    """
    for tensor in [torch.tensor([0.25], device=device), torch.tensor([[0.25]], device=device)]:
        array = tensor.cpu().numpy()

        with pytest.raises(TypeError, match="0-dimensional"):
            float(array)
        assert float(tensor) == array.item() == tensor.item() == 0.25


def test_numpy_has_no_bfloat16():
    """NumPy has no bfloat16: `.numpy()` of such a tensor raises TypeError, with `force=True` as well; `.float()` first,
    which is exact.

    Models loaded in bfloat16 meet this, and so does what autocast computes in bfloat16, its default on the CPU.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.float.html
    """
    # On the CPU alone: from elsewhere the device is what raises first, and Apple's older systems have no bfloat16.
    tensor = torch.tensor([1.0, 2.0, -0.375], dtype=torch.bfloat16)

    for convert in [torch.Tensor.numpy, np.asarray, lambda tensor: tensor.numpy(force=True)]:
        with pytest.raises(TypeError, match="unsupported ScalarType BFloat16"):
            convert(tensor)

    array = tensor.float().numpy()
    assert array.dtype == np.float32
    assert array.tolist() == [1, 2, -0.375]


def test_lazy_conjugates_must_be_resolved():
    """`conj()` and the imaginary part of it only set a mark on the tensor, which NumPy cannot read: `.numpy()` raises
    RuntimeError until it is resolved.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.resolve_conj.html
    """
    conjugate = torch.tensor([1 + 2j, 3 - 4j]).conj()

    with pytest.raises(RuntimeError, match="conjugate bit"):
        conjugate.numpy()
    with pytest.raises(RuntimeError, match="negative bit"):
        conjugate.imag.numpy()

    assert conjugate.resolve_conj().numpy().tolist() == [1 - 2j, 3 + 4j]
    assert conjugate.numpy(force=True).tolist() == [1 - 2j, 3 + 4j]
    assert conjugate.imag.resolve_neg().numpy().tolist() == [-2, 4]


def test_sparse_tensors_must_become_dense():
    """A sparse tensor has no array to share: `.numpy()`, even with `force=True`, raises TypeError until `.to_dense()`.

    https://docs.pytorch.org/docs/stable/sparse.html
    """
    sparse = torch.tensor([[0.0, 5.0], [0.0, 0.0]]).to_sparse()

    with pytest.raises(TypeError, match="can't convert Sparse"):
        sparse.numpy()
    with pytest.raises(TypeError, match="can't convert Sparse"):
        sparse.numpy(force=True)

    assert sparse.to_dense().numpy().tolist() == [[0, 5], [0, 0]]


# Gradients do not cross.


def test_numpy_of_a_tensor_that_needs_grad_raises(device):
    """`.numpy()` of a tensor that needs grad, a parameter or a result of one, raises RuntimeError: NumPy records no
    graph, so `detach()` first.

    On the CPU `detach().numpy()` still shares the memory: writing to it changes the parameter. Indices and bools, from
    `argmax` or a comparison, never need grad and cross as they are.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.detach.html
    """
    weight = nn.Parameter(torch.tensor([1.0, 2.0], device=device))

    for tensor in [weight, weight * 3]:
        for convert in [torch.Tensor.numpy, np.asarray, np.array]:
            with pytest.raises(RuntimeError, match="requires grad"):
                convert(tensor.cpu())

    assert weight.argmax().cpu().numpy() == 1
    assert (weight > 1).cpu().numpy().tolist() == [False, True]

    array = weight.detach().cpu().numpy()
    array[0] = 7
    assert array.tolist() == [7, 2]
    assert weight.tolist() == ([7, 2] if device.type == "cpu" else [1, 2])


def test_no_grad_opens_the_door(device):
    """Inside `torch.no_grad()` or `torch.inference_mode()`, `.numpy()` of a parameter does not raise, and on the CPU
    shares its memory.

    `.numpy()` refuses only where both are true: the tensor needs grad, and gradients are being recorded now.

    https://docs.pytorch.org/docs/stable/generated/torch.no_grad.html
    """
    weight = nn.Parameter(torch.tensor([1.0, 2.0], device=device))

    with torch.no_grad():
        array = weight.cpu().numpy()
    with torch.inference_mode():
        same = weight.cpu().numpy()
    array[0] = 7
    same[1] = 8

    assert weight.requires_grad
    if device.type == "cpu":
        assert weight.tolist() == array.tolist() == same.tolist() == [7, 8]
    else:
        assert (weight.tolist(), array.tolist(), same.tolist()) == ([1, 2], [7, 2], [1, 8])


def test_a_detour_through_numpy_cuts_the_graph(device):
    """What comes back from NumPy needs no grad and has no history: gradients stop there, without a warning.

    Compute with torch functions all the way from the parameters to the loss.

    https://docs.pytorch.org/docs/stable/notes/autograd.html
    """
    x = torch.tensor([1.0, 2.0], device=device, requires_grad=True)

    direct = x * 3
    detour = torch.from_numpy(x.detach().cpu().numpy() * 3).to(device)
    (direct + detour).sum().backward()

    assert direct.tolist() == detour.tolist() == [3, 6]
    assert (direct.requires_grad, detour.requires_grad) == (True, False)
    assert (direct.grad_fn is None, detour.grad_fn is None) == (False, True)
    assert x.grad.tolist() == [3, 3]


def test_autograd_does_not_see_numpy_writing():
    """A write through NumPy to a value that backward still needs gives a wrong gradient in silence; the same write
    through PyTorch raises.

    An in-place operation of PyTorch counts up the version that backward checks, and NumPy knows nothing of it.

    https://docs.pytorch.org/docs/stable/notes/autograd.html
    """
    x = torch.tensor([1.0, 2.0], requires_grad=True)

    loss = (x * x).sum()  # keeps x for backward: the gradient is 2 * x
    x.detach().numpy()[0] = 50
    loss.backward()
    assert loss.item() == 5
    assert x.grad.tolist() == [100, 4]  # not [2, 4]

    loss = (x * x).sum()
    x.detach()[0] = 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


# Other devices.


def test_numpy_takes_only_cpu_tensors(device_pair):
    """`.numpy()` of a tensor that is not on the CPU raises TypeError: NumPy knows only the CPU's memory.

    From a GPU, `tensor.detach().cpu().numpy()` comes back; a meta tensor has no values that could.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.numpy.html
    """
    _, elsewhere = device_pair

    for convert in [torch.Tensor.numpy, np.asarray, np.array]:
        with pytest.raises(TypeError, match="can't convert"):
            convert(torch.zeros(2, device=elsewhere))


def test_an_accelerators_numbers_reach_numpy_by_a_copy(accelerator):
    """Whatever needs the numbers of an accelerator's tensor as an array, `.numpy()`, `np.sqrt` or adding an array,
    raises TypeError; `.cpu().numpy()` gives them, as a copy.

    NumPy would have to wait for the accelerator and fetch the numbers, which is slow: so it is asked of you.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.cpu.html
    """
    tensor = torch.tensor([1.0, 4.0], device=accelerator)
    array = np.array([10, 20], dtype=np.float32)

    for call in [tensor.numpy, lambda: np.asarray(tensor), lambda: np.sqrt(tensor), lambda: tensor + array]:
        with pytest.raises(TypeError, match=r"can't convert .* device type tensor to numpy"):
            call()

    copies = [tensor.cpu().numpy(), tensor.numpy(force=True)]
    tensor[0] = 7
    for copy in copies:
        copy[1] = 8
        assert copy.tolist() == [1, 8]
        assert copy.dtype == np.float32
    assert tensor.tolist() == [7, 4]


def test_cpu_copies_only_from_elsewhere(device):
    """`.cpu()` returns the very same tensor if it is on the CPU already, and a copy if it comes from another device.

    So `tensor.cpu().numpy()` shares memory on your laptop and does not on the GPU machine.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.cpu.html
    """
    tensor = torch.tensor([1.0, 2.0], device=device)
    on_cpu = tensor.cpu()

    tensor[0] = 7

    assert on_cpu.device == torch.device("cpu")
    assert (on_cpu is tensor) == (device.type == "cpu")
    assert on_cpu.numpy().tolist() == ([7, 2] if device.type == "cpu" else [1, 2])


@pytest.mark.myth("NumPy data must be moved with .cpu() before it meets a tensor")
def test_it_is_the_tensor_that_gets_cpu(device):
    """An array has neither `.cpu()` nor `.to()`, it is on the CPU as it is: `.cpu()` belongs to the tensor,
    `.to(device)` to what `from_numpy` made.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.cpu.html
    """
    array = np.array([1, 2], dtype=np.float32)
    tensor = torch.tensor([10.0, 20.0], device=device)

    with pytest.raises(AttributeError, match="cpu"):
        array.cpu()
    with pytest.raises(AttributeError, match="to"):
        array.to(device)

    in_numpy = array + tensor.cpu().numpy()
    in_torch = torch.from_numpy(array).to(device) + tensor

    assert in_numpy.tolist() == in_torch.tolist() == [11, 22]
    assert type(in_numpy) is np.ndarray
    assert in_torch.device == device


def test_as_tensor_shares_only_on_the_cpu(device):
    """`torch.as_tensor(array, device=device)` shares the memory if the device is the CPU and copies if it is not.

    https://docs.pytorch.org/docs/stable/generated/torch.as_tensor.html
    """
    array = np.array([1, 2], dtype=np.float32)
    tensors = [convert(array, device=device) for convert in [torch.as_tensor, torch.asarray, torch.tensor]]

    array[0] = 7

    shared = [7, 2] if device.type == "cpu" else [1, 2]
    assert [tensor.device for tensor in tensors] == [device] * 3
    assert [tensor.tolist() for tensor in tensors] == [shared, shared, [1, 2]]


def test_from_numpy_ignores_the_default_device(device_pair):
    """Under another default device `torch.tensor(array)` and `torch.as_tensor(array)` go there;
    `torch.from_numpy(array)` stays on the CPU.

    Sharing NumPy's memory and being elsewhere exclude each other.

    https://docs.pytorch.org/docs/stable/generated/torch.set_default_device.html
    """
    _, elsewhere = device_pair
    array = np.array([1, 2], dtype=np.float32)

    with torch.device(elsewhere):
        tensors = [torch.from_numpy(array), torch.tensor(array), torch.as_tensor(array)]

    assert [tensor.device for tensor in tensors] == [torch.device("cpu"), elsewhere, elsewhere]


def test_force_does_all_that_is_needed(device):
    """`numpy(force=True)` is `.detach().cpu().resolve_conj().resolve_neg().numpy()`, and copies only if one of these
    does.

    Good for a plot, though bfloat16 and sparse tensors raise even so. Not for writing: whether you write to a copy
    depends on the device.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.numpy.html
    """
    weight = torch.tensor([1.0, 2.0], device=device, requires_grad=True)

    array = weight.numpy(force=True)
    array[0] = 7

    assert array.tolist() == [7, 2]
    assert array.dtype == np.float32
    assert weight.tolist() == ([7, 2] if device.type == "cpu" else [1, 2])


def test_there_and_back_changes_no_bit(device):
    """An array that is sent to any device and brought back is the same to the last bit: nan, infinities, and the sign
    of zero included.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.to.html
    """
    array = np.array([0.1, -0.0, np.inf, np.nan, 1e-45], dtype=np.float32)

    back = torch.from_numpy(array).to(device).cpu().numpy()

    assert back.dtype == np.float32
    assert back.tobytes() == array.tobytes()


@given(
    values=st.lists(st.integers(0, 255), max_size=24),
    dtype=st.sampled_from([np.bool_, np.uint8, np.int8, np.int16, np.int32, np.int64, np.float16, np.float32]),
    columns=st.integers(1, 3),
)
@example(values=[1, 127, 128, 200, 254, 255], dtype=np.uint8, columns=3)
@example(values=list(range(248, 256)) * 2, dtype=np.int64, columns=1)
def test_there_and_back_changes_no_bit_of_every_array(device, values, dtype, columns):
    """Whatever the bytes, the dtype and the shape of an array: to any device and back, they are the same.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.to.html
    """
    # float64 and complex128 are left out because Apple's GPUs have neither
    size = np.dtype(dtype).itemsize * columns
    values = [value % 2 for value in values] if dtype is np.bool_ else values
    array = np.array(values[: len(values) // size * size], dtype=np.uint8).view(dtype).reshape(-1, columns)

    back = torch.from_numpy(array).to(device).cpu().numpy()

    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    assert back.tobytes() == array.tobytes()


# Mixing the two. Where NumPy computes with a tensor, it must be on the CPU: see above for one from an accelerator.


def test_double_data_meets_a_single_precision_layer():
    """A float64 array through `from_numpy` does not fit a layer, whose weights are float32: RuntimeError, until
    `.type(torch.float32)`.

    The commonest dtype error there is. Integer arrays fail the same way.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html
    """
    # On the CPU alone: some accelerators have no float64.
    layer = nn.Linear(3, 2)
    array = np.array([[1.0, 2.0, 3.0]])

    with pytest.raises(RuntimeError, match="same dtype"):
        layer(torch.from_numpy(array))
    with pytest.raises(RuntimeError, match="same dtype"):
        layer(torch.from_numpy(array.astype(np.int64)))

    output = layer(torch.from_numpy(array).type(torch.float32))
    assert (tuple(output.shape), output.dtype) == ((1, 2), torch.float32)


@pytest.mark.parametrize(
    "call",
    [torch.sum, torch.sqrt, nn.Linear(2, 1), lambda array: torch.add(torch.ones(2), array)],
    ids=["sum", "sqrt", "Linear", "add"],
)
def test_torch_functions_refuse_arrays(call):
    """PyTorch's functions and layers do not convert an array: most of them, such as `torch.sum` and `nn.Linear`, raise
    TypeError.

    Some trip over it a little later: `nn.Softmax` and `nn.BatchNorm1d` raise AttributeError.

    https://docs.pytorch.org/docs/stable/tensors.html
    """
    with pytest.raises(TypeError, match=r"must be Tensor, not numpy\.ndarray"):
        call(np.array([1, 2], dtype=np.float32))


def test_numpy_functions_on_tensors():
    """NumPy's elementwise functions take a CPU tensor and return a tensor, `np.sum` and `np.mean` fail, and
    `np.concatenate` returns an array.

    Other reductions work, such as `np.argmax`, and `np.isnan` gives uint8 instead of bool. Too many rules to remember:
    convert first, or use the torch function of the same name.

    https://docs.pytorch.org/docs/stable/torch.html
    """
    tensor = torch.tensor([1.0, 4.0, 9.0])

    root = np.sqrt(tensor)
    assert (type(root), root.dtype, root.tolist()) == (torch.Tensor, torch.float32, [1, 2, 3])

    missing = np.isnan(tensor)
    assert (type(missing), missing.dtype, missing.tolist()) == (torch.Tensor, torch.uint8, [0, 0, 0])

    for reduction in [np.sum, np.mean]:
        with pytest.raises(TypeError, match="axis"):
            reduction(tensor)
    assert np.argmax(tensor) == 2

    joined = np.concatenate([tensor, tensor])
    assert (type(joined), joined.dtype, joined.tolist()) == (np.ndarray, np.float32, [1, 4, 9, 1, 4, 9])


@pytest.mark.holds("numpy>=2", otherwise=AssertionError)
@pytest.mark.parametrize(
    "compute",
    [np.sqrt, np.argmax, lambda tensor: tensor + np.array([0.0, 0.0])],
    ids=["np.sqrt(tensor)", "np.argmax(tensor)", "tensor + array"],
)
def test_numpy_warns_when_it_returns_a_tensor(compute):
    """From NumPy 2 on, whatever NumPy computes of a tensor and hands back as a tensor comes with a DeprecationWarning,
    `tensor + array` included.

    A later NumPy will call PyTorch in a way that these releases of PyTorch do not know. Convert first, and compute on
    one side.

    https://numpy.org/doc/stable/reference/generated/numpy.ndarray.__array_wrap__.html
    """
    tensor = torch.tensor([1.0, 4.0])

    with pytest.warns(DeprecationWarning, match="__array_wrap__"):
        result = compute(tensor)

    assert type(result) is torch.Tensor


def test_in_mixed_arithmetic_the_order_matters():
    """Tensor (+, -, *, /) array is a tensor, but computed by NumPy and by its rules; array (+, -, *) tensor raises
    TypeError.

    So int64 and float32 make float64 there, not PyTorch's float32, and a tensor that needs grad raises RuntimeError.
    Convert the array and the question does not arise.

    https://docs.pytorch.org/docs/stable/tensor_attributes.html
    """
    tensor = torch.tensor([1.0, 4.0])  # float32
    array = np.array([2.0, 8.0])  # float64

    results = [tensor + array, tensor - array, tensor * array, tensor / array]

    assert [type(result) for result in results] == [torch.Tensor] * 4
    assert [result.dtype for result in results] == [torch.float64] * 4
    assert [result.tolist() for result in results] == [[3, 12], [-1, -4], [2, 32], [0.5, 0.5]]

    integers, single = torch.tensor([1, 4]), np.array([2, 8], dtype=np.float32)
    assert (integers + single).dtype == torch.float64
    assert (integers + torch.from_numpy(single)).dtype == torch.float32
    with pytest.raises(RuntimeError, match="requires grad"):
        nn.Parameter(tensor) + array

    with pytest.raises(TypeError):
        array + tensor
    with pytest.raises(TypeError):
        array - tensor
    with pytest.raises(TypeError):
        array * tensor


@pytest.mark.holds("torch>=2.4", otherwise=AssertionError)
def test_comparing_with_an_array_is_elementwise():
    """From torch 2.4 on, `tensor == array` and `array == tensor` compare element by element; up to 2.3 both were the
    plain `False`, whatever the values.

    An accuracy computed so was silently 0: `tensor == torch.from_numpy(array)` is right in every release. And where the
    shapes do not fit there is an exception now.

    https://docs.pytorch.org/docs/stable/generated/torch.eq.html
    """
    tensor = torch.tensor([1.0, 4.0, 9.0])
    array = np.array([1.0, 5.0, 9.0])

    for equal in [tensor == array, array == tensor]:
        assert isinstance(equal, torch.Tensor)
        assert equal.dtype == torch.bool
        assert equal.tolist() == [True, False, True]

    with pytest.raises(RuntimeError, match="must match the size"):
        _ = tensor == np.array([1.0, 5.0])


def test_a_numpy_scalar_in_arithmetic_keeps_the_dtype(device):
    """A tensor times `np.float64(2)` stays float32, on either side: a NumPy scalar counts as a Python number there, not
    as an array.

    https://docs.pytorch.org/docs/stable/tensor_attributes.html
    """
    tensor = torch.tensor([1.5, 4.0], device=device)

    results = [tensor * np.float64(2), tensor * np.int64(2), tensor + np.float64(1), np.float64(1) + tensor]

    assert [result.dtype for result in results] == [torch.float32] * 4
    assert [result.device for result in results] == [device] * 4
    assert [result.tolist() for result in results] == [[3, 8], [3, 8], [2.5, 5], [2.5, 5]]


@pytest.mark.holds("numpy>=2", otherwise=AssertionError)
def test_a_numpy_scalar_widens_an_array():
    """From NumPy 2 on, a float32 array times a NumPy float64 is float64; in NumPy 1 it stayed float32, and times a
    Python number it still does.

    So `images * np.sqrt(0.5)` carries float64 into a float32 model. `float(...)` around the scalar keeps float32 under
    every NumPy.

    https://numpy.org/doc/stable/numpy_2_0_migration_guide.html
    """
    array = np.array([1.5, 4.0], dtype=np.float32)

    assert torch.from_numpy(array * np.float64(2)).dtype == torch.float64
    assert torch.from_numpy(array * np.sqrt(4.0)).dtype == torch.float64
    assert torch.from_numpy(array * 2.0).dtype == torch.float32

    tensor = torch.from_numpy(array)
    assert (tensor * np.float64(2)).dtype == torch.float32  # not an array: PyTorch's rules, which have not changed
    assert (tensor * np.array(2.0)).dtype == torch.float64  # an array: NumPy's rules, even without dimensions


@pytest.mark.holds("numpy>=2", otherwise=AssertionError)
def test_a_number_that_does_not_fit():
    """From NumPy 2 on, a Python number that an integer array cannot hold raises OverflowError; PyTorch wraps it around.

    NumPy 1 went over to a wider dtype: `image + 256` was uint16. Say which one you want: `image.astype(np.int16)`.

    https://numpy.org/doc/stable/numpy_2_0_migration_guide.html
    """
    image = np.array([0, 200], dtype=np.uint8)
    tensor = torch.from_numpy(image)

    with pytest.raises(OverflowError, match="out of bounds"):
        image + 256

    assert (tensor + 257).dtype == torch.uint8
    assert (tensor + 257).tolist() == [1, 201]
    assert (image.astype(np.int16) + 256).tolist() == (tensor.to(torch.int16) + 256).tolist() == [256, 456]


def test_each_indexes_the_other(device):
    """An array of indices or of bools indexes a tensor on any device, and a CPU tensor indexes an array: both pick the
    same.

    https://numpy.org/doc/stable/user/basics.indexing.html
    """
    tensor = torch.tensor([10, 20, 30], device=device)
    array = np.array([10, 20, 30])

    by_position = tensor[np.array([2, 0], dtype=np.int64)]
    by_mask = tensor[np.array([True, False, True])]

    assert (by_position.tolist(), by_mask.tolist()) == ([30, 10], [10, 30])
    assert by_position.device == by_mask.device == device
    assert array[torch.tensor([2, 0])].tolist() == [30, 10]
    assert array[torch.tensor([True, False, True])].tolist() == [10, 30]
