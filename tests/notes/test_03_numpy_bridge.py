"""The bridge between NumPy and PyTorch.

Having read this section you can say of a line that takes numbers from an array to a tensor or back which dtype comes
out, and whether the two share their memory, so that a write on one side changes the other. You know what the usual
errors mean ("can't convert np.ndarray of type", "strides in the given numpy array is negative", "Can't call numpy() on
Tensor that requires grad") and what to write instead; and you know what goes wrong silently: `tensor != array`,
`tensor += array`, a mask that is lost, a graph that is cut.

Each torch works with the NumPy that it was built for. Up to torch 2.2 that is NumPy 1 alone, and NumPy 2 is answered
with "Numpy is not available"; from 2.3 on it is both. The Windows builds of 2.3 and 2.4.0 still know NumPy 1 alone.
"""

import inspect
import json
import operator
import subprocess
import sys
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


# What if there is no bridge?


WITHOUT_A_BRIDGE = """
import sys
sys.modules["numpy"] = None  # `import numpy` raises in this process
import torch
try:
    torch.ones(2).numpy()
except RuntimeError:
    pass
del sys.modules["numpy"]  # from here on there is a NumPy, and this torch has none
import numpy as np

array, answers = np.array([1.0, 2.0]), []
for call in [
    lambda: torch.from_numpy(array),
    lambda: torch.ones(2).numpy(),
    lambda: torch.ones(2) + array,
    lambda: torch.tensor(np.float32(0.5)),
    lambda: torch.tensor(array.tolist()).tolist(),
    lambda: (torch.ones(2) + 1).tolist(),
]:
    try:
        answers.append(str(call()))
    except RuntimeError as error:
        answers.append(str(error))
raise SystemExit("; ".join(answers))
"""


@pytest.mark.costly("starts a Python without NumPy")
def test_without_a_bridge_tensors_still_compute():
    """A torch that finds no NumPy it can use computes all the same, and raises RuntimeError, "Numpy is not available",
    from `torch.from_numpy(array)`, `tensor.numpy()` and `tensor + array`.

    NumPy is not installed, or it is NumPy 2 and this torch was built for NumPy 1, as up to torch 2.2: then there is
    text about "_ARRAY_API not found" as well. `torch.tensor(np.float32(1))` raises RuntimeError, "Could not infer dtype
    of numpy.float32", for the same reason. Type `pip install "numpy<2"`, or take torch 2.4.1 or newer, which knows
    both. Until then `torch.tensor(array.tolist())` crosses.

    https://numpy.org/doc/stable/numpy_2_0_migration_guide.html
    """
    child = subprocess.run([sys.executable, "-c", WITHOUT_A_BRIDGE], capture_output=True, text=True)

    answers = child.stderr.splitlines()[-1].split("; ")
    assert answers[:3] == ["Numpy is not available"] * 3
    assert answers[3] == "Could not infer dtype of numpy.float32"
    assert answers[4:] == ["[1.0, 2.0]", "[2.0, 2.0]"]


# Dtypes: which kind of number comes out?


def test_decimals_are_double_in_numpy_and_single_in_torch(device):
    """A number with a decimal point becomes float64 in `np.array` and, by default, float32 in `torch.tensor`.

    A float64 holds 53 significant bits and a float32 holds 24, so 0.1 is not the same number on the two sides. After
    `torch.set_default_dtype(torch.float64)` both are float64. Write `dtype=` if a result depends on it.

    https://numpy.org/doc/stable/user/basics.types.html
    """
    array = np.array([0.1, 0.5])
    tensor = torch.tensor([0.1, 0.5], device=device)

    assert array.dtype == np.float64
    assert tensor.dtype == torch.float32
    assert array.tolist() == [0.1, 0.5]
    assert tensor.tolist() == [0.10000000149011612, 0.5]
    assert [np.finfo(dtype).nmant + 1 for dtype in (np.float64, np.float32)] == [53, 24]

    torch.set_default_dtype(torch.float64)
    wide = torch.tensor([0.1, 0.5])
    torch.set_default_dtype(torch.float32)
    assert (wide.dtype, wide.tolist()) == (torch.float64, [0.1, 0.5])


@pytest.mark.holds(
    'numpy>=2; sys_platform == "win32"', otherwise=AssertionError, change="result", concerns="numpy.array(not dtype)?"
)
def test_integers_are_int64_in_both(device):
    """Integers from -2**63 to 2**63 - 1 become int64 in `np.array` and in `torch.tensor`, except that NumPy 1 on
    Windows makes small ones int32.

    2**63 becomes uint64 in NumPy, and raises "Overflow when unpacking long" in PyTorch. Write
    `np.array(labels, dtype=np.int64)` in code that also runs on Windows with NumPy 1.

    https://numpy.org/doc/stable/numpy_2_0_migration_guide.html
    """
    assert np.array([1, 2]).dtype == np.arange(3).dtype == np.int64
    assert torch.tensor([1, 2], device=device).dtype == torch.arange(3, device=device).dtype == torch.int64

    limits = [-(2**63), 2**63 - 1]
    assert (np.array(limits).dtype, torch.tensor(limits).dtype) == (np.int64, torch.int64)
    assert torch.tensor(limits, device=device).tolist() == limits
    assert np.array([2**63]).dtype == np.uint64
    with pytest.raises((RuntimeError, ValueError), match="Overflow when unpacking long"):
        torch.tensor([2**63], device=device)


def test_a_dtype_of_one_is_no_dtype_of_the_other(device):
    """`torch.tensor([1.0], dtype=np.float32)` and `array.astype(torch.float32)` raise TypeError: a dtype of NumPy is no
    dtype of PyTorch.

    The messages are "argument 'dtype' must be torch.dtype" and "Cannot interpret 'torch.float32' as a data type".
    `tensor.to(np.float32)` raises TypeError too, and `np.float32 == torch.float32` is False. Write `torch.float32` on
    one side and `np.float32` on the other; `torch.from_numpy(np.empty(0, np.float32)).dtype` translates it.

    https://docs.pytorch.org/docs/stable/tensor_attributes.html
    """
    tensor, array = torch.tensor([1.0], device=device), np.array([1.0])

    with pytest.raises(TypeError, match=r"argument 'dtype' must be torch\.dtype"):
        torch.tensor([1.0], dtype=np.float32, device=device)
    with pytest.raises(TypeError, match=r"dtype"):
        torch.zeros(2, dtype=np.float32, device=device)
    with pytest.raises(TypeError, match=r"Cannot interpret 'torch\.float32' as a data type"):
        array.astype(torch.float32)
    with pytest.raises(TypeError, match=r"Cannot interpret 'torch\.float32' as a data type"):
        np.zeros(2, dtype=torch.float32)
    with pytest.raises(TypeError, match="invalid combination of arguments"):
        tensor.to(np.float32)
    assert np.float32 != torch.float32

    assert (array.astype(np.float32).dtype, tensor.to(torch.float32).dtype) == (np.float32, torch.float32)
    for dtype, translated in SAME_IN_BOTH.items():
        assert torch.from_numpy(np.empty(0, dtype)).dtype == translated


def test_from_numpy_keeps_the_dtype():
    """`torch.from_numpy` keeps the dtype of the array: a float64 array becomes a float64 tensor, not a float32 one.

    That is how float64 slips into a float32 model; convert with `torch.from_numpy(array).float()`. bool, uint8, int8 to
    int64, float16 to float64, complex64 and complex128 are kept. `np.longdouble` raises TypeError.

    https://docs.pytorch.org/docs/stable/generated/torch.from_numpy.html
    """
    tensors = {dtype: torch.from_numpy(np.array([0, 1], dtype)) for dtype in SAME_IN_BOTH}

    assert {dtype: tensor.dtype for dtype, tensor in tensors.items()} == SAME_IN_BOTH
    assert all(tensor.tolist() == [0, 1] for tensor in tensors.values())
    assert torch.from_numpy(np.array([0.5])).float().dtype == torch.float32

    with pytest.raises(TypeError, match=r"can't convert np\.ndarray"):
        torch.from_numpy(np.array([0, 1], np.longdouble))


def test_double_data_meets_a_single_precision_layer():
    """`nn.Linear` with its float32 weights raises RuntimeError for a float64 tensor, which is what `from_numpy` makes
    of a float64 array.

    On the CPU the error says "mat1 and mat2 must have the same dtype", "expected m1 and m2 to have the same dtype" or
    "expected scalar type"; an integer tensor raises too. Write `.float()` or `.type(torch.float32)` before the model.
    `nn.ReLU` returns float64: if it stands before `nn.Linear`, the error comes there. `nn.BatchNorm1d(3, affine=False)`
    has no weights, but a float32 running mean, and raises on the CPU.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html
    """
    # On the CPU alone: some accelerators have no float64.
    layer = nn.Linear(3, 2)
    array = np.array([[1.0, 2.0, 3.0]])

    with pytest.raises(RuntimeError, match="mat1 and mat2 must have the same dtype"):
        layer(torch.from_numpy(array))
    with pytest.raises(RuntimeError, match="same dtype"):
        layer(torch.from_numpy(array.astype(np.int64)))

    output = layer(torch.from_numpy(array).type(torch.float32))
    assert (tuple(output.shape), output.dtype) == ((1, 2), torch.float32)
    assert torch.equal(layer(torch.from_numpy(array).float()), output)

    assert nn.ReLU()(torch.from_numpy(array)).dtype == torch.float64
    with pytest.raises(RuntimeError, match="same dtype"):
        nn.Sequential(nn.ReLU(), layer)(torch.from_numpy(array))

    messages = "mat1 and mat2 must have the same dtype|expected m1 and m2 to have the same dtype|expected scalar type"
    for other in [layer, nn.Linear(3, 2, bias=False)]:
        for shape in [(3,), (1, 3), (2, 2, 3), (2, 2, 2, 3)]:
            for wrong in [torch.float64, torch.int64]:
                with pytest.raises(RuntimeError, match=messages):
                    other(torch.ones(shape, dtype=wrong))
    with pytest.raises(RuntimeError, match="mixed dtype"):
        nn.BatchNorm1d(3, affine=False)(torch.from_numpy(np.ones((2, 3))))


def test_a_numpy_scalar_brings_its_own_dtype():
    """`torch.tensor` of a NumPy number of uint8, int8 to int64, float16 to float64, complex64 or complex128 takes that
    dtype: `torch.tensor(np.float64(0.5))` is float64, while `torch.tensor(0.5)` is float32.

    `array.mean()` and `array[0]` of a one-dimensional float64 array are such numbers. `torch.tensor([0.5,
    np.float64(0.5)])` is float64 too. `np.uint64` and `np.longdouble` raise TypeError. Write `float(number)` for
    float32 and `int(number)` for int64.

    https://docs.pytorch.org/docs/stable/generated/torch.tensor.html
    """
    # On the CPU alone: some accelerators have no float64. NumPy's bool has a note of its own.
    numbers = [(0.5, torch.float32), (3, torch.int64), (np.float64(0.5), torch.float64)]
    numbers += [(scalar(3), dtype) for scalar, dtype in SAME_IN_BOTH.items() if scalar is not np.bool_]

    for number, dtype in numbers:
        tensors = [torch.tensor(number), torch.as_tensor(number), torch.tensor([number, number])]
        assert [tensor.dtype for tensor in tensors] == [dtype] * 3
        assert [tensor.tolist() for tensor in tensors] == [number, number, [number, number]]

    array = np.array([0.25, 0.75])
    assert torch.tensor(array.mean()).dtype == torch.tensor(array[0]).dtype == torch.float64
    assert torch.tensor(float(array.mean())).dtype == torch.float32
    assert torch.tensor([0.5, np.float64(0.5)]).dtype == torch.float64
    for number in [np.uint64(3), np.longdouble(3)]:
        with pytest.raises(TypeError, match=r"an integer is required|can't convert np\.ndarray"):
            torch.tensor(number)
    assert torch.tensor(int(np.uint64(3))).dtype == torch.int64


@pytest.mark.holds("torch>=2.9", otherwise=(TypeError, DeprecationWarning), change="new", concerns="torch.tensor?")
def test_a_numpy_bool_becomes_a_tensor(device):
    """From torch 2.9 on, `torch.tensor` takes NumPy's bool, such as `(array > 0).any()`.

    Up to torch 2.8 that raises TypeError with NumPy 2.4, "'numpy.bool' object cannot be interpreted as an integer", and
    gives a DeprecationWarning with NumPy 1.26. Write `torch.tensor(bool(...))`, which works in every release.

    https://docs.pytorch.org/docs/stable/generated/torch.tensor.html
    """
    array = np.array([1.0, -2.0])
    assert torch.tensor(bool((array > 0).any()), device=device).dtype == torch.bool

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tensors = [
            torch.tensor((array > 0).any(), device=device),
            torch.tensor([(array > 0).any(), (array > 0).all()], device=device),
        ]

    assert [tensor.dtype for tensor in tensors] == [torch.bool] * 2
    assert [tensor.tolist() for tensor in tensors] == [True, [True, False]]


@pytest.mark.holds("torch>=2.3", otherwise=TypeError, change="new", concerns="torch.from_numpy?")
@pytest.mark.parametrize("name", ["uint16", "uint32", "uint64"])
def test_from_numpy_takes_wide_unsigned_integers(name):
    """From torch 2.3 on, `torch.from_numpy` keeps uint16, uint32 and uint64, and `.numpy()` gives them back.

    Up to torch 2.2 all three raise TypeError. `array.astype(np.int64)` crosses in every release, but a uint64 from
    2**63 on becomes negative by it.

    https://docs.pytorch.org/docs/stable/tensor_attributes.html
    """
    largest = np.iinfo(name).max
    array = np.array([1, largest], dtype=name)

    in_every_release = torch.from_numpy(array.astype(np.int64))
    assert in_every_release.dtype == torch.int64
    assert in_every_release.tolist() == [1, -1 if name == "uint64" else largest]

    tensor = torch.from_numpy(array)

    assert tensor.dtype == getattr(torch, name)
    assert tensor.numpy().dtype == array.dtype
    assert tensor.numpy().tolist() == [1, largest]


# Copy or share, from array to tensor: whose numbers change when I write? Shared memory is the CPU's, so most of these
# notes take no other device.


def test_from_numpy_shares_memory():
    """`torch.from_numpy` does not copy: a write to the array shows in the tensor, and the other way round.

    Copy on purpose with `torch.tensor(array)`.

    https://docs.pytorch.org/docs/stable/generated/torch.from_numpy.html
    """
    array = np.array([1.0, 2.0, 3.0])
    tensor = torch.from_numpy(array)
    copied = torch.tensor(array)

    array[0] = 7
    tensor[1] = 8

    assert tensor.tolist() == [7, 8, 3]
    assert array.tolist() == [7, 8, 3]
    assert copied.tolist() == [1, 2, 3]


@pytest.mark.myth("`array = array + 1` changes the tensor as well, because the two share their memory")
def test_rebinding_is_not_writing():
    """`array += 1` changes a tensor that shares the array's memory. `array = array + 1` does not change the tensor: it
    makes a new array and gives it the old name.

    From there on no write to `array` reaches the tensor. To change the shared numbers, write in-place: `array += 1`,
    `array[:] = other` or `np.add(array, 1, out=array)`.

    https://docs.python.org/3/reference/simple_stmts.html
    """
    array = np.array([1.0, 2.0])
    tensor = torch.from_numpy(array)

    array += 1
    assert tensor.tolist() == [2, 3]
    array[:] = [5, 6]
    assert tensor.tolist() == [5, 6]
    np.add(array, 1, out=array)
    assert tensor.tolist() == [6, 7]

    array = array + 1
    assert array.tolist() == [7, 8]
    assert tensor.tolist() == [6, 7]

    array -= 3  # from here on it is another array: the tensor is out of reach
    assert tensor.tolist() == [6, 7]


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
    """By default `torch.from_numpy`, `as_tensor`, `asarray` and `from_dlpack` share the memory of a new one-dimensional
    float64 array, `torch.tensor` copies, and `torch.Tensor` copies and converts to float32.

    `asarray` copies a 0-d array, even with `copy=False`. Write `torch.from_numpy(array)` to share and
    `torch.tensor(array)` to copy: what the other four do depends on the dtype, the default dtype, the default device,
    the number of dimensions or the release. Read-only arrays, and views such as `array[::-1]`, have notes below.

    https://docs.pytorch.org/docs/stable/generated/torch.as_tensor.html
    """
    array = np.array([0.1, 2.0])
    tensor = getattr(torch, name)(array)

    array[1] = 7

    assert tensor.dtype == dtype
    assert tensor.tolist() == torch.tensor([0.1, 7.0 if shares else 2.0], dtype=dtype).tolist()

    scalar = np.array(2.0)
    numbers = [getattr(torch, name)(scalar), torch.asarray(scalar, copy=False)]
    scalar[...] = 7
    assert [number.item() for number in numbers] == [7 if shares and name != "asarray" else 2, 2]


@pytest.mark.myth("torch.Tensor(array) always makes a copy")
def test_capital_tensor_shares_with_float32():
    """By default `torch.Tensor(array)` shares the memory of a float32 array, and copies a float64 array because it
    converts it to float32.

    After `torch.set_default_dtype(torch.float64)` it is the other way round: float64 is shared, float32 is copied.
    Write `torch.tensor(array)` to copy and `torch.from_numpy(array)` to share.

    https://docs.pytorch.org/docs/stable/tensors.html
    """
    array = np.array([1, 2], dtype=np.float32)
    double = np.array([1.0, 2.0])
    shared = torch.Tensor(array)
    copied = torch.tensor(array)
    converted = torch.Tensor(double)

    array[0] = 7
    double[0] = 7

    assert shared.tolist() == [7, 2]
    assert copied.tolist() == converted.tolist() == [1, 2]

    torch.set_default_dtype(torch.float64)
    shared, converted = torch.Tensor(double), torch.Tensor(array)
    torch.set_default_dtype(torch.float32)
    double[1] = array[1] = 9
    assert (shared.tolist(), shared.dtype) == ([7, 9], torch.float64)
    assert (converted.tolist(), converted.dtype) == ([7, 2], torch.float64)


def test_capital_tensor_takes_an_integer_for_a_size():
    """`torch.Tensor(np.int64(3))` makes a tensor of shape (3,), not a tensor that holds the number 3.

    `array.sum()` of integers returns such a number, and a 0-d array of integers counts as a size too. Do not read the
    three numbers: nothing has set them. A decimal, `torch.Tensor(np.float64(3))`, raises TypeError. Write
    `torch.tensor(number)`.

    https://docs.pytorch.org/docs/stable/tensors.html
    """
    for number in [np.int64(3), np.array([1, 2]).sum(), np.array(3), 3]:
        assert torch.Tensor(number).shape == (3,)
        assert (torch.tensor(number).shape, torch.tensor(number).tolist()) == ((), 3)

    with pytest.raises(TypeError, match="data must be a sequence"):
        torch.Tensor(np.float64(3))


def test_as_tensor_copies_to_change_the_dtype():
    """By default `torch.as_tensor(array, dtype=...)` shares the memory if the array has that dtype already, and copies
    if it has another.

    The same line may share with one file and copy with the next. Write `torch.tensor(array, dtype=...)` to copy in both
    cases. After `torch.set_default_device("cuda")` it copies to that device; `torch.from_numpy` still shares.

    https://docs.pytorch.org/docs/stable/generated/torch.as_tensor.html
    """
    array = np.array([1.0, 2.0])
    same = torch.as_tensor(array, dtype=torch.float64)
    other = torch.as_tensor(array, dtype=torch.float32)
    copied = torch.tensor(array, dtype=torch.float64)

    array[0] = 7

    assert same.tolist() == [7, 2]
    assert other.tolist() == copied.tolist() == [1, 2]
    assert (same.dtype, other.dtype) == (torch.float64, torch.float32)

    with torch.device("meta"):  # a default device without memory
        assert torch.as_tensor(array, dtype=torch.float64).device.type == "meta"
        assert torch.from_numpy(array).device.type == "cpu"


def test_type_copies_only_to_change_the_dtype():
    """`torch.from_numpy(array).type(torch.float32)` copies a float64 array, and shares the memory of a float32 array.

    `.float()` and `.to(torch.float32)` do the same. Whether a later write to the array reaches the tensor then depends
    on the dtype that the data happened to have. Add `.clone()` to copy in both cases.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.type.html
    """
    double = np.array([1.0, 2.0])
    single = np.array([1, 2], dtype=np.float32)
    x = torch.from_numpy(double)
    from_double = [x.type(torch.float32), x.float(), x.to(torch.float32)]
    x = torch.from_numpy(single)
    from_single = [x.type(torch.float32), x.float(), x.to(torch.float32)]
    cloned = x.type(torch.float32).clone()

    double[0] = 7
    single[0] = 7

    assert [tensor.tolist() for tensor in from_double] == [[1, 2]] * 3
    assert [tensor.tolist() for tensor in from_single] == [[7, 2]] * 3
    assert cloned.tolist() == [1, 2]
    assert {tensor.dtype for tensor in [*from_double, *from_single, cloned]} == {torch.float32}


# Shared memory: what else is shared, how long does it live, may it grow, may I write to it?


def test_a_conversion_with_nothing_to_do_returns_the_same_tensor(device):
    """`to`, `type` and `float` return the tensor itself if it has the dtype and the device that they are asked for, and
    `contiguous()` returns it if it is contiguous.

    A new object is no proof of a copy: `detach()` and `view()` return a new tensor on the same memory. Write `clone()`
    or `to(..., copy=True)` for a copy. `to(memory_format=torch.channels_last)` and `contiguous()` copy to change the
    order in memory, even if the dtype and the device stay.

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
        "view": tensor.view(2),
        "clone": tensor.clone(),
        "to copy": tensor.to(device, copy=True),
        "half": tensor.half(),
    }
    images = torch.zeros(1, 2, 2, 2, device=device)
    reordered = [images.to(memory_format=torch.channels_last), images.mT.contiguous()]

    tensor[0] = 7
    images.fill_(7)

    itself = [name for name, result in results.items() if result is tensor]
    sees_the_write = [name for name, result in results.items() if result.tolist() == [7, 2]]
    assert itself == ["type", "to dtype", "to device", "float", "contiguous"]
    assert sees_the_write == [*itself, "detach", "view"]
    assert all(results[name].tolist() == [1, 2] for name in ["clone", "to copy", "half"])
    assert [copy.sum().item() for copy in reordered] == [0, 0]


def test_to_a_memory_format_may_do_nothing_or_too_much(device):
    """For `turned = torch.zeros(2, 3).T`, `turned.to(memory_format=torch.contiguous_format)` returns `turned` itself,
    which is not contiguous.

    `to` goes by one guess for the whole tensor, and the guess for a matrix is always "contiguous". A batch of grey
    images of shape (2, 1, 4, 4) is copied by `to(memory_format=torch.channels_last)`, although it has that order
    already. Write `contiguous()` or `contiguous(memory_format=torch.channels_last)`: both look at the strides.

    https://docs.pytorch.org/docs/stable/tensor_attributes.html
    """
    turned = torch.zeros(2, 3, device=device).T
    grey = torch.zeros(2, 1, 4, 4, device=device)

    assert not turned.is_contiguous()
    assert turned.to(memory_format=torch.contiguous_format) is turned
    assert turned.contiguous().is_contiguous()

    assert grey.is_contiguous(memory_format=torch.channels_last)
    copy = grey.to(memory_format=torch.channels_last)
    copy.fill_(1)
    assert grey.sum().item() == 0
    assert grey.contiguous(memory_format=torch.channels_last) is grey


def test_sharing_does_not_depend_on_the_dtype():
    """`torch.from_numpy(array)` and `tensor.numpy()` share the memory for bool, uint8, int8 to int64, float16 to
    float64, complex64 and complex128.

    A mask of bools or a complex spectrum is shared like decimals: a write to one side changes the other.

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


@pytest.mark.picture("memory", "series", "first", "second")
def test_slices_of_one_array_share_their_overlap():
    """`torch.from_numpy` of two overlapping slices of one array gives two tensors that share the overlap: a write to
    one tensor changes the other.

    Sliding windows over a time series are often cut like this, and normalising one window in-place (`window -= mean`)
    then changes its neighbours. Write `torch.tensor(series[0:3])` to copy the window.

    https://numpy.org/doc/stable/user/basics.copies.html
    """
    series = np.arange(5.0)
    first = torch.from_numpy(series[0:3])
    second = torch.from_numpy(series[::2])
    copied = torch.tensor(series[0:3])

    first -= 10

    assert first.tolist() == [-10, -9, -8]
    assert second.tolist() == [-10, -8, 4]
    assert copied.tolist() == [0, 1, 2]


def test_the_memory_lives_as_long_as_either_needs_it():
    """A tensor from `torch.from_numpy` keeps the array alive, and an array from `tensor.numpy()` keeps the tensor's
    memory alive: either name may be deleted first.

    A function may return `torch.from_numpy(array)` and forget the array. A small slice also keeps the whole array
    alive: write `torch.tensor(huge[:1])` to let go of the rest.

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

    huge = np.zeros(1000)
    watched_array = weakref.ref(huge)
    shared, copied = torch.from_numpy(huge[:1]), torch.tensor(huge[:1])
    del huge
    assert watched_array() is not None
    del shared
    assert watched_array() is None
    assert copied.tolist() == [0]


def test_neither_side_may_grow():
    """Memory that an array and a tensor share through `torch.from_numpy` or `.numpy()` keeps its size: to grow it,
    `tensor.resize_` raises RuntimeError and `array.resize` raises ValueError.

    Write `np.append` or `torch.cat`, which make something new and leave the other side as it is. Do not pass
    `refcheck=False` to `array.resize`: NumPy may then free memory that the tensor still uses.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.resize_.html
    """
    array = np.array([1.0, 2.0, 3.0])
    tensor = torch.from_numpy(array)
    made_by_torch = torch.tensor([1.0, 2.0, 3.0])
    seen_by_numpy = made_by_torch.numpy()

    with pytest.raises(ValueError, match="cannot resize"):
        array.resize(5)
    with pytest.raises(ValueError, match="cannot resize"):
        seen_by_numpy.resize(5)
    assert np.append(array, 4).tolist() == torch.cat([tensor, torch.tensor([4.0])]).tolist() == [1, 2, 3, 4]
    assert tensor.tolist() == array.tolist() == [1, 2, 3]

    for shared in [tensor, made_by_torch]:
        with pytest.raises(RuntimeError, match="not resizable"):
            shared.resize_(5)


def test_a_failed_resize_leaves_the_new_shape():
    """`tensor.resize_(5)` on the memory of an array of 3 numbers raises RuntimeError, and leaves the tensor with shape
    (5,) all the same.

    Two of its five numbers then lie outside the memory. If you catch the RuntimeError, do not use the tensor any more:
    make a new one with `torch.from_numpy(array)`.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.resize_.html
    """
    array = np.array([1.0, 2.0, 3.0])
    tensor = torch.from_numpy(array)

    with pytest.raises(RuntimeError, match="not resizable"):
        tensor.resize_(5)

    shape, bytes_of_memory = tensor.shape, tensor.untyped_storage().nbytes()
    del tensor
    assert (shape, bytes_of_memory) == ((5,), 3 * 8)
    assert torch.from_numpy(array).tolist() == [1, 2, 3]


def test_read_only_arrays_warn_and_are_written_to():
    """`torch.from_numpy` of a read-only array warns once per process, "The given NumPy array is not writable", and what
    is written to the tensor changes the array all the same.

    `np.diag(matrix)`, `np.frombuffer(data)` of bytes, `np.load(..., mmap_mode="r")` and `np.broadcast_to` return
    read-only arrays. For `np.broadcast_to(array, (3, 2))`, `tensor += 1` raises RuntimeError. Never write to a tensor
    on a file mapped with "r": that can end the process. Write `torch.tensor(array)`, which copies and does not warn.

    https://docs.pytorch.org/docs/stable/generated/torch.from_numpy.html
    """
    array = np.array([1.0, 2.0])
    array.flags.writeable = False

    torch.set_warn_always(False)  # as in every Python that has just started
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.from_numpy(array), torch.from_numpy(array), torch.from_numpy(array)
    assert len(caught) <= 1

    torch.set_warn_always(True)  # from here on it warns each time
    for convert in [torch.from_numpy, torch.as_tensor, torch.asarray]:
        with pytest.warns(UserWarning, match="The given NumPy array is not writable"):
            tensor = convert(array)
        tensor += 5
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        copy = torch.tensor(array)
    copy[0] = 0

    assert array.tolist() == [16, 17]
    others = [np.broadcast_to(array, (3, 2)), np.diag(np.zeros((2, 2))), np.frombuffer(b"1234", dtype=np.uint8)]
    assert [other.flags.writeable for other in others] == [False] * 3
    with pytest.warns(UserWarning, match="not writable"):
        tensor = torch.from_numpy(others[0])
    with pytest.raises(RuntimeError, match="single memory location"):
        tensor += 1


@pytest.mark.holds("torch>=2.9", otherwise=BufferError, change="new")
@pytest.mark.holds("numpy>=2.1", otherwise=(BufferError, TypeError), change="new")
def test_dlpack_writes_to_read_only_arrays_without_a_warning():
    """From torch 2.9 with NumPy 2.1 on, `torch.from_dlpack` of a read-only array shares the memory and does not warn.

    With an older torch or an older NumPy it raises. `torch.tensor(array)` copies in every release;
    `torch.from_dlpack(array, copy=True)` copies from torch 2.9 with NumPy 2.1 on.

    https://docs.pytorch.org/docs/stable/dlpack.html
    """
    array = np.array([1.0, 2.0])
    array.flags.writeable = False
    in_every_release = torch.tensor(array)

    tensor = torch.from_dlpack(array)
    copy = torch.from_dlpack(array, copy=True)
    tensor += 5
    copy += 1

    assert array.tolist() == tensor.tolist() == [6, 7]
    assert copy.tolist() == [2, 3]
    assert in_every_release.tolist() == [1, 2]


# Refused: which arrays raise, and what do I write instead?


def test_from_numpy_takes_arrays_only():
    """`torch.from_numpy` takes NumPy arrays only: a list and the scalar that `array.mean()` returns raise TypeError,
    "expected np.ndarray".

    Write `torch.tensor(...)` for both. `array.mean(keepdims=True)` and `array[:1]` are arrays, and cross. A class of
    another library raises too, "expected np.ndarray (got Series)", even if NumPy can convert it by its method
    `__array__`: write `torch.from_numpy(np.asarray(column))`, or `column.to_numpy()` with pandas.

    https://docs.pytorch.org/docs/stable/generated/torch.from_numpy.html
    """
    array = np.array([1.0, 2.5])

    with pytest.raises(TypeError, match=r"expected np\.ndarray"):
        torch.from_numpy([1.0, 2.5])
    with pytest.raises(TypeError, match=r"expected np\.ndarray"):
        torch.from_numpy(array.mean())

    class Series:
        def __array__(self, dtype=None, copy=None):
            return array

    with pytest.raises(TypeError, match=r"expected np\.ndarray \(got Series\)"):
        torch.from_numpy(Series())
    assert torch.from_numpy(np.asarray(Series())).tolist() == [1, 2.5]

    assert torch.tensor(array.mean()).item() == 1.75
    assert torch.from_numpy(array.mean(keepdims=True)).tolist() == [1.75]
    assert torch.from_numpy(array[:1]).tolist() == [1]


def test_an_array_of_another_numpy_is_no_array():
    """`torch.from_numpy` compares classes and not their names: an object whose class is called "numpy.ndarray" and is
    another one than that of torch's NumPy raises TypeError, "expected np.ndarray (got numpy.ndarray)".

    Here a class of that name stands in for a second NumPy, as an installation into a running notebook can leave it:
    start Python anew. Until then `torch.tensor(array.tolist())` crosses. A float array of a subclass of `np.ndarray` is
    taken; the mask of a masked array is lost.

    https://docs.pytorch.org/docs/stable/generated/torch.from_numpy.html
    """
    another = type("numpy.ndarray", (), {"tolist": lambda self: [1.0, 2.5]})()

    with pytest.raises(TypeError, match=r"expected np\.ndarray \(got numpy\.ndarray\)"):
        torch.from_numpy(another)
    assert torch.tensor(another.tolist()).tolist() == [1, 2.5]

    class Special(np.ndarray):
        pass

    assert torch.from_numpy(np.array([1.0, 2.5]).view(Special)).tolist() == [1, 2.5]
    assert torch.from_numpy(np.ma.masked_array([1.0, 2.5], [False, True])).tolist() == [1, 2.5]


@pytest.mark.parametrize(
    "array",
    [
        np.array([1, None], dtype=object),
        np.array([[1, 2], [3]], dtype=object),
        np.array(["cat", "dog"]),
        np.array([["cat", 0.5], ["dog", 0.25]]),
        np.array([b"cat", b"dog"]),
        np.array(["2024-02-29"], dtype="datetime64[D]"),
        np.array([60], dtype="timedelta64[s]"),
        np.array([(1, 0.5)], dtype=[("label", np.int64), ("score", np.float32)]),
        np.array([], dtype=object),
    ],
    ids=["object", "unequal rows", "str", "mixed columns", "bytes", "datetime", "timedelta", "structured", "empty"],
)
def test_only_numbers_and_bools_cross(array, device):
    """Arrays of objects, text, bytes, dates or records do not become tensors: `from_numpy`, `as_tensor`, `asarray` and
    `tensor` raise TypeError, "can't convert np.ndarray of type".

    `np.array` makes text of a table that mixes words and numbers, and rows of unequal length fit into objects only.
    Turn words into class indices, and cut or pad the rows, before you make the tensor.

    https://docs.pytorch.org/docs/stable/generated/torch.from_numpy.html
    """
    with pytest.raises(TypeError, match=r"can't convert np\.ndarray"):
        torch.from_numpy(array)
    for convert in [torch.as_tensor, torch.asarray, torch.tensor]:
        with pytest.raises(TypeError, match=r"can't convert np\.ndarray"):
            convert(array, device=device)


def test_negative_strides_raise(device):
    """`from_numpy`, `as_tensor`, `asarray` and `tensor` of an array with a negative stride, such as `array[::-1]` or
    `np.flip(array)`, raise ValueError.

    The message is "At least one stride in the given numpy array is negative". Flipping an image for data augmentation
    makes such an array. Write `torch.from_numpy(array[::-1].copy())` or `torch.from_numpy(array).flip(0)`. Do not try
    `torch.from_dlpack`: up to 2.13 it ended the whole process here.

    https://numpy.org/doc/stable/reference/generated/numpy.flip.html
    """
    array = np.array([[1, 2, 3], [4, 5, 6]])

    for reversed_array in [array[:, ::-1], np.flip(array, axis=0), np.rot90(array)]:
        with pytest.raises(ValueError, match="At least one stride in the given numpy array is negative"):
            torch.from_numpy(reversed_array)
        for convert in [torch.as_tensor, torch.asarray, torch.tensor]:
            with pytest.raises(ValueError, match="negative"):
                convert(reversed_array, device=device)

    assert torch.from_numpy(array[:, ::-1].copy()).to(device).tolist() == [[3, 2, 1], [6, 5, 4]]
    assert torch.from_numpy(array).to(device).flip(0).tolist() == [[4, 5, 6], [1, 2, 3]]


def test_ascontiguousarray_does_not_mend_a_flipped_batch_of_one():
    """`np.ascontiguousarray` leaves a contiguous array as it is if it was flipped along a dimension of size 1, and
    `torch.from_numpy` of it still raises ValueError for the negative stride.

    Code that flips a batch works for two rows, and fails if the last batch has one row only. If another dimension has
    gaps, as in `row[::-1, ::2]`, the array is copied, and crosses. Write `.copy()`, which copies in every case.

    https://numpy.org/doc/stable/reference/generated/numpy.ascontiguousarray.html
    """
    two_rows = np.array([[1.0, 2.0], [3.0, 4.0]])
    one_row = np.array([[1.0, 2.0]])

    assert torch.from_numpy(np.ascontiguousarray(two_rows[::-1])).tolist() == [[3, 4], [1, 2]]
    with pytest.raises(ValueError, match="negative"):
        torch.from_numpy(np.ascontiguousarray(one_row[::-1]))

    assert torch.from_numpy(one_row[::-1].copy()).tolist() == [[1, 2]]
    with_gaps = np.array([[1.0, 0.0, 2.0, 0.0]])[::-1, ::2]
    assert torch.from_numpy(np.ascontiguousarray(with_gaps)).tolist() == [[1, 2]]


def test_a_field_of_packed_records_may_not_cross():
    """`torch.from_numpy` of one field of a one-dimensional structured array raises ValueError if the size of a record
    is no multiple of the size of the field's numbers, "strides not a multiple of the element byte size".

    Binary files often hold such records: here 1 byte for the label and 4 for the score. `torch.tensor` raises
    too. Write `records["score"].copy()`. The score in a record of 4 + 4 bytes crosses as it is.

    https://numpy.org/doc/stable/user/basics.rec.html
    """
    packed = np.array([(1, 0.5), (2, 0.25)], dtype=[("label", np.int8), ("score", np.float32)])
    even = np.array([(1, 0.5), (2, 0.25)], dtype=[("label", np.int32), ("score", np.float32)])

    for convert in [torch.from_numpy, torch.as_tensor, torch.asarray, torch.tensor]:
        with pytest.raises(ValueError, match="strides not a multiple"):
            convert(packed["score"])

    assert torch.from_numpy(packed["score"].copy()).tolist() == [0.5, 0.25]
    assert torch.from_numpy(even["score"]).tolist() == [0.5, 0.25]
    assert (packed.itemsize, even.itemsize) == (5, 8)


def test_foreign_byte_order_raises(device):
    """`from_numpy`, `as_tensor`, `asarray` and `tensor` of an array in the other byte order (big-endian on most
    machines) raise ValueError.

    The message is "given numpy array has byte order different from the native byte order". Files in network order, such
    as MNIST's own format and FITS, are big-endian. Convert with `array.astype(array.dtype.newbyteorder("="))`.
    `byteswap()` alone does not help: the dtype stays foreign. uint8, int8 and bool have no byte order, and cross.

    https://numpy.org/doc/stable/user/basics.byteswapping.html
    """
    native = np.array([1, 256], dtype=np.int32)
    foreign = native.astype(native.dtype.newbyteorder())

    for array in [foreign, foreign.byteswap()]:
        with pytest.raises(ValueError, match="given numpy array has byte order different from the native byte order"):
            torch.from_numpy(array)
        for convert in [torch.as_tensor, torch.asarray, torch.tensor]:
            with pytest.raises(ValueError, match="byte order"):
                convert(array, device=device)

    assert foreign.tolist() == [1, 256]
    assert torch.from_numpy(foreign.astype(foreign.dtype.newbyteorder("="))).to(device).tolist() == [1, 256]
    for dtype in [np.uint8, np.int8, np.bool_]:
        assert torch.from_numpy(np.array([0, 1], dtype=np.dtype(dtype).newbyteorder())).tolist() == [0, 1]


# Accepted, with a surprise: what becomes of a mask, an image, an empty array, a list of arrays?


def test_a_mask_is_lost():
    """`torch.from_numpy` of a masked array ignores the mask: the values that were hidden are in the tensor.

    A code for "missing", such as -999, then enters the mean; `torch.tensor` and `torch.as_tensor` ignore the mask too.
    Write `array.astype(float).filled(np.nan)` first, and `nanmean` for the mean: without `astype`, an array of integers
    raises TypeError.

    https://numpy.org/doc/stable/reference/maskedarray.generic.html
    """
    # On the CPU alone: these are float64, and not every accelerator has `nanmean`.
    temperatures = np.ma.array([20.0, -999.0, 22.0], mask=[False, True, False])

    assert temperatures.mean() == 21
    for convert in [torch.from_numpy, torch.as_tensor, torch.tensor]:
        assert convert(temperatures).tolist() == [20, -999, 22]
        assert convert(temperatures).mean().item() == -319
    for data in [temperatures, temperatures.astype(np.int64)]:
        assert torch.from_numpy(data.astype(float).filled(np.nan)).nanmean().item() == 21
    with pytest.raises(TypeError, match="fill_value"):
        temperatures.astype(np.int64).filled(np.nan)


def test_images_are_permuted_not_reshaped(device):
    """For an image of shape (height, width, 3), `permute(2, 0, 1)` gives (3, height, width) without a copy.
    `reshape(3, height, width)` gives the same shape and mixes the colours.

    Arrays of images often have the channel last, and `nn.Conv2d` wants it before height and width. An image with one
    channel, or of one pixel, hides the mistake: there both give the same.

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
    assert nn.Conv2d(3, 5, kernel_size=1).to(device)(permuted.float()).shape == (5, 2, 4)

    tensor[1, 3, 2] = 9
    assert permuted[2, 1, 3].item() == 9

    grey = torch.arange(8, device=device).reshape(2, 4, 1)
    assert grey.permute(2, 0, 1).tolist() == grey.reshape(1, 2, 4).tolist()
    pixel = torch.tensor([[[1, 2, 3]]], device=device)
    assert pixel.permute(2, 0, 1).tolist() == pixel.reshape(3, 1, 1).tolist()


def test_zero_dimensions_and_zero_elements_cross(device):
    """`torch.from_numpy` and `.numpy()` keep the shape of a 0-d array and of an array without elements.

    An empty batch of shape (0, 3) still says that a row has 3 features. A 0-d tensor holds one number and has no
    length: `len` raises TypeError, as for the array.

    https://docs.pytorch.org/docs/stable/generated/torch.from_numpy.html
    """
    scalar = np.array(2.5, dtype=np.float16)
    empty = np.zeros((0, 3), dtype=np.float32)

    tensors = [torch.from_numpy(scalar).to(device), torch.from_numpy(empty).to(device)]

    assert [tuple(tensor.shape) for tensor in tensors] == [(), (0, 3)]
    assert [tensor.dtype for tensor in tensors] == [torch.float16, torch.float32]
    assert [tensor.tolist() for tensor in tensors] == [2.5, []]
    assert [tensor.cpu().numpy().shape for tensor in tensors] == [(), (0, 3)]
    for no_length in [scalar, tensors[0]]:
        with pytest.raises(TypeError, match="len"):
            len(no_length)


@pytest.mark.parametrize("convert", [torch.tensor, torch.as_tensor], ids=["tensor", "as_tensor"])
def test_a_list_of_arrays_warns(device, convert):
    """`torch.tensor` and `torch.as_tensor` of a list of arrays warn once per process, "Creating a tensor from a list of
    numpy.ndarrays is extremely slow".

    Write `torch.from_numpy(np.stack(arrays))`, which here gives the same tensor. A list of 0-d arrays raises TypeError.

    https://numpy.org/doc/stable/reference/generated/numpy.stack.html
    """
    rows = [np.array([1, 2], dtype=np.float32), np.array([3, 4], dtype=np.float32)]

    torch.set_warn_always(False)  # as in every Python that has just started
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        convert(rows), convert(rows), convert(rows)
    assert len(caught) <= 1

    torch.set_warn_always(True)  # from here on it warns each time
    with pytest.warns(UserWarning, match=r"Creating a tensor from a list of numpy\.ndarrays is extremely slow"):
        slow = convert(rows, device=device)
    quick = torch.from_numpy(np.stack(rows)).to(device)

    assert slow.tolist() == quick.tolist() == [[1, 2], [3, 4]]
    assert slow.dtype == quick.dtype == torch.float32
    with pytest.raises(TypeError, match="unsized object"):
        convert([np.array(1.0), np.array(2.0)], device=device)


# Copy or share, from tensor to array. Here, too, it is the CPU's memory that is shared.


@pytest.mark.picture("memory", "tensor", "array", "transposed")
def test_numpy_shares_memory():
    """`tensor.numpy()` does not copy: the array has the memory, the dtype and the strides of the tensor.

    A write to the array changes the tensor, and a step of `SGD` changes the array of a parameter. Write
    `tensor.numpy().copy()` to keep the numbers of this moment. NumPy counts the strides in bytes: (12, 4) is the same
    as PyTorch's (3, 1) for float32.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.numpy.html
    """
    tensor = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    array = tensor.numpy()
    transposed = tensor.T.numpy()
    kept = tensor.numpy().copy()

    tensor[0, 2] = 7
    transposed[0, 1] = 8

    assert array.tolist() == tensor.tolist() == [[1, 2, 7], [8, 5, 6]]
    assert transposed.tolist() == [[1, 8], [2, 5], [7, 6]]
    assert kept.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert array.dtype == transposed.dtype == np.float32
    assert (array.strides, transposed.strides) == ((12, 4), (4, 12))
    assert (tensor.stride(), tensor.T.stride()) == ((3, 1), (1, 3))

    weight = nn.Parameter(torch.tensor([1.0, 2.0]))
    seen = weight.detach().numpy()
    weight.sum().backward()
    torch.optim.SGD([weight], lr=1.0).step()
    assert seen.tolist() == [0, 1]


@pytest.mark.picture("memory", "tensor", "shared", "copied", "converted")
def test_asarray_shares_and_array_copies():
    """For a float32 tensor on the CPU that does not require grad, `np.asarray(tensor)` shares the memory and
    `np.array(tensor)` copies.

    `np.asarray(tensor, dtype=np.float64)` of a float32 tensor copies too, because it converts. Write
    `tensor.numpy()` to share and `tensor.numpy().copy()` to copy.

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


@pytest.mark.holds("numpy>=2", otherwise=AssertionError, change="raises", concerns="numpy.array(copy=False)")
def test_copy_false_raises_since_numpy_2():
    """From NumPy 2 on, `np.array(tensor, copy=False)` raises ValueError ("Unable to avoid copy") for a CPU tensor that
    requires no grad, although `np.asarray(tensor)` needs no copy.

    In NumPy 1, `copy=False` shares the memory here. Write `np.asarray(tensor)`, which shares under both.

    https://numpy.org/doc/stable/numpy_2_0_migration_guide.html
    """
    tensor = torch.tensor([1.0, 2.0])

    np.asarray(tensor)[0] = 7
    assert tensor.tolist() == [7, 2]

    with pytest.raises(ValueError, match="Unable to avoid copy"):
        np.array(tensor, copy=False)


@pytest.mark.holds("numpy>=2.1", otherwise=AssertionError, change="warns", concerns="numpy.array(torch.Tensor)")
def test_np_array_of_a_tensor_is_deprecated():
    """From NumPy 2.1 on, `np.array(tensor)` of a CPU tensor that requires no grad copies, and gives a
    DeprecationWarning because `Tensor.__array__` does not take the argument `copy`.

    The message is "__array__ implementation doesn't accept a copy keyword". Write `tensor.numpy().copy()`: it is the
    same copy, without the warning, under every NumPy.

    https://numpy.org/doc/stable/numpy_2_0_migration_guide.html
    """
    tensor = torch.tensor([1.0, 2.0])

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        same = tensor.numpy().copy()
    with pytest.warns(DeprecationWarning, match="__array__ implementation doesn't accept a copy keyword"):
        copied = np.array(tensor)
    with pytest.raises(TypeError, match="copy"):
        tensor.__array__(copy=True)

    tensor[0] = 7
    assert copied.tolist() == same.tolist() == [1, 2]
    assert copied.dtype == same.dtype == np.float32


def test_item_is_a_python_number_and_numpy_is_not(device):
    """`.item()` and `.tolist()` return Python's own numbers, from the CPU as from a GPU. `.numpy()` of a 0-d tensor
    returns a 0-d array.

    Write `loss.item()` for logs, lists of losses and JSON: `json.dumps` refuses the NumPy number in `array[()]`, unless
    it is float64, which is a Python float by inheritance. `.item()` of a meta tensor raises RuntimeError.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.item.html
    """
    loss = torch.tensor(0.25, device=device)
    labels = torch.tensor([True, False], device=device)
    counts = torch.tensor([[1, 2]], device=device)

    array = loss.cpu().numpy()

    assert (type(loss.item()), loss.item()) == (float, 0.25)
    assert [type(label) for label in labels.tolist()] == [bool, bool]
    assert (counts.tolist(), type(counts.tolist()[0][0])) == ([[1, 2]], int)
    assert (type(array), array.shape, array.dtype) == (np.ndarray, (), np.float32)
    assert array == 0.25

    assert json.dumps(loss.item()) == "0.25"
    with pytest.raises(TypeError, match="not JSON serializable"):
        json.dumps(array[()])
    assert json.dumps(array.astype(np.float64)[()]) == "0.25"
    with pytest.raises(RuntimeError, match=r"[Mm]eta"):
        torch.zeros((), device="meta").item()


@pytest.mark.holds("numpy>=2", otherwise=AssertionError, change="result", concerns=())
def test_a_list_of_numpy_numbers_prints_their_type(device):
    """From NumPy 2 on, a list of NumPy numbers prints with their type: `[np.float32(0.25)]`.

    NumPy 1 prints `[0.25]`. Write `.tolist()` or `.item()`, which print alike under both. One NumPy number alone prints
    as `0.25`, and `np.set_printoptions(legacy="1.25")` brings the old form back.

    https://numpy.org/doc/stable/release/2.0.0-notes.html
    """
    losses = torch.tensor([0.25, 0.5], device=device).cpu().numpy()

    assert str(losses.tolist()) == "[0.25, 0.5]"
    assert str(losses[0]) == "0.25"

    assert str(list(losses)) == "[np.float32(0.25), np.float32(0.5)]"
    with np.printoptions(legacy="1.25"):
        assert str(list(losses)) == "[0.25, 0.5]"


@pytest.mark.holds("numpy>=2.4", otherwise=AssertionError, change="raises", concerns=())
def test_float_of_an_array_with_one_number(device):
    """From NumPy 2.4 on, `float(array)` raises TypeError for one number in an array of shape (1,) or (1, 1).
    `float(tensor)` takes one number in any of these shapes.

    A model that ends in `nn.Linear(3, 1)` returns shape (1, 1) for one row. Write `.item()`, which works on both sides
    in every release.

    https://numpy.org/doc/stable/release/2.4.0-notes.html
    """
    for tensor in [torch.tensor([0.25], device=device), torch.tensor([[0.25]], device=device)]:
        array = tensor.cpu().numpy()

        assert float(tensor) == array.item() == tensor.item() == 0.25
        with pytest.raises(TypeError, match="0-dimensional"):
            float(array)

    assert nn.Linear(3, 1)(torch.zeros(1, 3)).shape == (1, 1)


# Tensors that have no array: what do I convert first?


def test_numpy_has_no_bfloat16():
    """`.numpy()` of a bfloat16 tensor that requires no grad raises TypeError, also with `force=True`: NumPy itself has
    no bfloat16.

    Under autocast on the CPU `nn.Linear` gives bfloat16, but `nn.MSELoss` float32. Write `.detach().float().numpy()`,
    which serves parameters too (their `.numpy()` raises RuntimeError) and changes no value: each of the 65536 bit
    patterns of bfloat16 is the first half of a float32. float8 tensors raise TypeError too.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.float.html
    """
    # On the CPU alone: from elsewhere the device is what raises first, and Apple's older systems have no bfloat16.
    tensor = torch.tensor([1.0, 2.0, -0.375], dtype=torch.bfloat16)

    for convert in [torch.Tensor.numpy, np.asarray, lambda tensor: tensor.numpy(force=True)]:
        with pytest.raises(TypeError, match="unsupported ScalarType BFloat16"):
            convert(tensor)

    parameter = nn.Parameter(tensor.clone())
    with pytest.raises(RuntimeError, match="requires grad"):
        parameter.numpy()
    for values in (tensor, parameter):
        array = values.detach().float().numpy()
        assert array.dtype == np.float32
        assert array.tolist() == [1, 2, -0.375]

    with torch.autocast("cpu"):
        output = nn.Linear(3, 1)(torch.zeros(1, 3))
        assert (output.dtype, nn.MSELoss()(output, torch.zeros(1, 1)).dtype) == (torch.bfloat16, torch.float32)
    patterns = torch.arange(65536, dtype=torch.int32)
    every = patterns.to(torch.int16).view(torch.bfloat16)
    assert torch.equal(every.float().view(torch.int32), patterns << 16)
    for dtype in {dtype for name, dtype in vars(torch).items() if name.startswith("float8")}:
        with pytest.raises(TypeError, match="unsupported ScalarType Float8"):
            torch.empty(2, dtype=dtype).numpy()


def test_lazy_conjugates_must_be_resolved():
    """For `z = torch.tensor([1 + 2j])`, `z.conj().numpy()` raises RuntimeError, "Can't call numpy() on Tensor that has
    conjugate bit set": `conj()` only sets a mark on a complex tensor, and NumPy cannot read it.

    `z.conj().imag`, and `.mH` of a complex matrix, carry such a mark as well; a second `conj()` takes it off. Write
    `z.conj().resolve_conj().numpy()`, or `.numpy(force=True)`. `conj()` of a real tensor returns the tensor itself,
    which crosses.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.resolve_conj.html
    """
    z = torch.tensor([1 + 2j, 3 - 4j])
    conjugate = z.conj()

    with pytest.raises(RuntimeError, match=r"Can't call numpy\(\) on Tensor that has conjugate bit set"):
        conjugate.numpy()
    with pytest.raises(RuntimeError, match="conjugate bit"):
        z.reshape(1, 2).mH.numpy()
    with pytest.raises(RuntimeError, match="negative bit"):
        conjugate.imag.numpy()

    assert conjugate.resolve_conj().numpy().tolist() == [1 - 2j, 3 + 4j]
    assert conjugate.numpy(force=True).tolist() == [1 - 2j, 3 + 4j]
    assert conjugate.imag.resolve_neg().numpy().tolist() == [-2, 4]
    assert conjugate.conj().numpy().tolist() == [1 + 2j, 3 - 4j]
    real = torch.tensor([1.0, 3.0])
    assert real.conj() is real
    assert real.conj().numpy().tolist() == [1, 3]


def test_sparse_tensors_must_become_dense():
    """`.numpy()` of a sparse tensor, as `to_sparse()` makes it, raises TypeError, also with `force=True`.

    Write `.to_dense().numpy()`. If the dense array does not fit into memory, take `.indices()` and `.values()` of
    `sparse.coalesce()`: they are ordinary tensors, and cross.

    https://docs.pytorch.org/docs/stable/sparse.html
    """
    sparse = torch.tensor([[0.0, 5.0], [0.0, 0.0]]).to_sparse()

    with pytest.raises(TypeError, match="can't convert Sparse"):
        sparse.numpy()
    with pytest.raises(TypeError, match="can't convert Sparse"):
        sparse.numpy(force=True)

    assert sparse.to_dense().numpy().tolist() == [[0, 5], [0, 0]]
    assert sparse.coalesce().indices().numpy().tolist() == [[0], [1]]
    assert sparse.coalesce().values().numpy().tolist() == [5]


# Gradients do not cross: what do I lose, and what raises?


def test_numpy_of_a_tensor_that_needs_grad_raises(device):
    """While gradients are recorded, `.numpy()` raises RuntimeError for a CPU tensor that requires grad, such as a
    parameter or a result computed from one.

    The message is "Can't call numpy() on Tensor that requires grad". Write `tensor.detach().numpy()`. On the CPU that
    shares the memory: writing to the array changes the parameter. The results of `argmax` and of comparisons, and a
    frozen parameter, do not require grad and cross as they are.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.detach.html
    """
    weight = nn.Parameter(torch.tensor([1.0, 2.0], device=device))
    frozen = nn.Parameter(torch.tensor([1.0, 2.0], device=device), requires_grad=False)

    for tensor in [weight, weight * 3]:
        for convert in [torch.Tensor.numpy, np.asarray, np.array]:
            with pytest.raises(RuntimeError, match=r"Can't call numpy\(\) on Tensor that requires grad"):
                convert(tensor.cpu())

    assert weight.argmax().cpu().numpy() == 1
    assert (weight > 1).cpu().numpy().tolist() == [False, True]
    assert frozen.cpu().numpy().tolist() == [1, 2]

    array = weight.detach().cpu().numpy()
    array[0] = 7
    assert array.tolist() == [7, 2]
    assert weight.tolist() == ([7, 2] if device.type == "cpu" else [1, 2])


def test_a_list_of_losses_with_a_graph_is_no_array():
    """For a list of losses on the CPU that require grad, `np.array(losses)` and `np.mean(losses)` raise RuntimeError,
    "Can't call numpy() on Tensor that requires grad".

    `array[0] = loss` takes the number, as `float(loss)` does, which section 01 has a note about. Write
    `losses.append(loss.item())`: then it is a list of floats.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.item.html
    """
    weight = torch.tensor(2.0, requires_grad=True)
    losses = [weight * 3, weight * 4]

    for convert in [np.array, np.asarray, np.mean, np.stack]:
        with pytest.raises(RuntimeError, match=r"Can't call numpy\(\) on Tensor that requires grad"):
            convert(losses)

    array = np.zeros(2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns from torch 2.8 on
        array[0] = losses[0]
    array[1] = losses[1].item()
    assert array.tolist() == [6, 8]
    assert np.mean([loss.item() for loss in losses]) == 7


def test_no_grad_opens_the_door(device):
    """Inside `torch.no_grad()` or `torch.inference_mode()`, `.numpy()` of a parameter on the CPU does not raise, and
    shares the parameter's memory.

    A write to the array then changes the model: write `.numpy().copy()` to keep the weights of this moment. The other
    reasons to raise stay: a bfloat16 parameter raises TypeError inside `torch.no_grad()` as well.

    https://docs.pytorch.org/docs/stable/generated/torch.no_grad.html
    """
    weight = nn.Parameter(torch.tensor([1.0, 2.0], device=device))

    with torch.no_grad():
        array = weight.cpu().numpy()
        kept = weight.cpu().numpy().copy()
    with torch.inference_mode():
        same = weight.cpu().numpy()
    array[0] = 7
    same[1] = 8

    assert weight.requires_grad
    assert kept.tolist() == [1, 2]
    if device.type == "cpu":
        assert weight.tolist() == array.tolist() == same.tolist() == [7, 8]
    else:
        assert (weight.tolist(), array.tolist(), same.tolist()) == ([1, 2], [7, 2], [1, 8])

    with torch.no_grad(), pytest.raises(TypeError, match="unsupported ScalarType BFloat16"):
        nn.Parameter(torch.tensor([1.0, 2.0], dtype=torch.bfloat16)).numpy()


def test_a_detour_through_numpy_cuts_the_graph(device):
    """A tensor that comes back from NumPy has no history: gradients stop there silently.

    The gradient lacks the part that went through NumPy. Only if the whole loss went through NumPy does `backward()`
    raise RuntimeError, "does not require grad". Compute with torch functions all the way from the parameters to the
    loss.

    https://docs.pytorch.org/docs/stable/notes/autograd.html
    """
    x = torch.tensor([1.0, 2.0], device=device, requires_grad=True)

    direct = x * 3
    detour = torch.from_numpy(x.detach().cpu().numpy() * 3).to(device)
    (direct + detour).sum().backward()

    assert direct.tolist() == detour.tolist() == [3, 6]
    assert (direct.requires_grad, detour.requires_grad) == (True, False)
    assert (direct.grad_fn is None, detour.grad_fn is None) == (False, True)
    assert x.grad.tolist() == [3, 3]  # of the sum it would be [6, 6]
    with pytest.raises(RuntimeError, match="does not require grad"):
        detour.sum().backward()


def test_autograd_does_not_see_numpy_writing():
    """Backward does not notice a write through NumPy to a tensor that it still needs, and computes with the new
    numbers.

    The gradient of `x * x` is then silently wrong. PyTorch's in-place operations count up a version that backward
    checks: after the same write to `x.detach()` backward raises RuntimeError. NumPy does not count, and neither does a
    write to `x.data`. Write to a copy: `x.detach().numpy().copy()`.

    https://docs.pytorch.org/docs/stable/notes/autograd.html
    """
    x = torch.tensor([1.0, 2.0], requires_grad=True)

    loss = (x * x).sum()  # keeps x for backward: the gradient is 2 * x
    x.detach().numpy()[0] = 50
    loss.backward()
    assert loss.item() == 5
    assert x.grad.tolist() == [100, 4]  # not [2, 4]

    loss, x.grad = (x * x).sum(), None
    x.data[0] = 1
    loss.backward()
    assert x.grad.tolist() == [2, 4]  # not [100, 4]

    loss = (x * x).sum()
    x.detach()[0] = 3
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


# Other devices: how do I get numbers from a GPU, and back?


def test_numpy_takes_only_cpu_tensors(device_pair):
    """`.numpy()`, `np.asarray` and `np.array` of a tensor on another device than the CPU raise TypeError ("can't
    convert ... device type tensor to numpy").

    From a GPU, write `tensor.detach().cpu().numpy()`. A meta tensor has no numbers: its `.cpu()` raises
    NotImplementedError.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.numpy.html
    """
    _, elsewhere = device_pair

    for convert in [torch.Tensor.numpy, np.asarray, np.array]:
        with pytest.raises(TypeError, match=r"can't convert .* device type tensor to numpy"):
            convert(torch.zeros(2, device=elsewhere))
    with pytest.raises(NotImplementedError, match=r"[Mm]eta"):
        torch.zeros(2, device="meta").cpu()


def test_an_accelerators_numbers_reach_numpy_by_a_copy(accelerator):
    """`.cpu().numpy()` copies the numbers of an accelerator's tensor. `.numpy()`, `np.asarray`, `np.sqrt(tensor)` and
    `tensor + array` raise TypeError for such a tensor.

    The copy waits until the accelerator has computed the numbers: take them once after the loop, not in every step.

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
    """`.cpu()` returns the tensor itself if it is on the CPU, and a copy if it is on a GPU.

    `tensor.cpu().numpy()` therefore shares the memory on a laptop without a GPU and copies on a machine with one. Write
    `tensor.cpu().numpy().copy()` to have a copy on both.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.cpu.html
    """
    tensor = torch.tensor([1.0, 2.0], device=device)
    on_cpu = tensor.cpu()
    copied = tensor.cpu().numpy().copy()

    tensor[0] = 7

    assert on_cpu.device == torch.device("cpu")
    assert (on_cpu is tensor) == (device.type == "cpu")
    assert on_cpu.numpy().tolist() == ([7, 2] if device.type == "cpu" else [1, 2])
    assert copied.tolist() == [1, 2]


@pytest.mark.myth("NumPy data must be moved with .cpu() before it meets a tensor")
def test_it_is_the_tensor_that_gets_cpu(device):
    """A NumPy array has no `.cpu()` and no `.to()`: it is on the CPU already.

    To compute in NumPy, write `array + tensor.cpu().numpy()`. To compute in PyTorch on the tensor's device, write
    `torch.from_numpy(array).to(device) + tensor`.

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
    """`torch.as_tensor(array, device=device)` shares the memory if the device is the CPU, and copies to a GPU.

    `torch.asarray` does the same for an array with dimensions, and `torch.tensor` copies on both. Code that relies on
    the shared memory works on the CPU only.

    https://docs.pytorch.org/docs/stable/generated/torch.as_tensor.html
    """
    array = np.array([1, 2], dtype=np.float32)
    tensors = [convert(array, device=device) for convert in [torch.as_tensor, torch.asarray, torch.tensor]]

    array[0] = 7

    shared = [7, 2] if device.type == "cpu" else [1, 2]
    assert [tensor.device for tensor in tensors] == [device] * 3
    assert [tensor.tolist() for tensor in tensors] == [shared, shared, [1, 2]]


def test_from_numpy_ignores_the_default_device(device_pair):
    """Inside `with torch.device(device):`, `torch.tensor(array)` and `torch.as_tensor(array)` go to that device.
    `torch.from_numpy(array)` and `torch.from_dlpack(array)` stay on the CPU.

    Write `torch.from_numpy(array).to(device)`.

    https://docs.pytorch.org/docs/stable/generated/torch.set_default_device.html
    """
    _, elsewhere = device_pair
    array = np.array([1, 2], dtype=np.float32)

    with torch.device(elsewhere):
        moved = [torch.tensor(array), torch.as_tensor(array)]
        stays = [torch.from_numpy(array), torch.from_dlpack(array)]

    assert [tensor.device for tensor in moved] == [elsewhere] * 2
    assert [tensor.device for tensor in stays] == [torch.device("cpu")] * 2
    assert torch.from_numpy(array).to(elsewhere).device == elsewhere


def test_force_does_all_that_is_needed(device):
    """`tensor.numpy(force=True)` is `tensor.detach().cpu().resolve_conj().resolve_neg().numpy()`: it returns an array
    of a parameter, of a GPU's tensor and of a lazy conjugate.

    Good for a plot. Do not write to the array: of a parameter on the CPU it shares the memory, of one on a GPU it is a
    copy. bfloat16, sparse and meta tensors raise even so.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.numpy.html
    """
    weight = torch.tensor([1.0, 2.0], device=device, requires_grad=True)

    array = weight.numpy(force=True)
    array[0] = 7

    assert array.tolist() == [7, 2]
    assert array.dtype == np.float32
    assert weight.tolist() == ([7, 2] if device.type == "cpu" else [1, 2])

    conjugate = torch.tensor([1 + 2j]).conj()
    assert conjugate.numpy(force=True).tolist() == [1 - 2j]
    assert conjugate.imag.numpy(force=True).tolist() == [-2]
    for refused in [torch.ones(2, dtype=torch.bfloat16), torch.ones(2).to_sparse()]:
        with pytest.raises(TypeError, match=r"unsupported ScalarType|can't convert Sparse"):
            refused.numpy(force=True)
    with pytest.raises(NotImplementedError, match=r"[Mm]eta"):
        torch.ones(2, device="meta").numpy(force=True)


def test_there_and_back_changes_no_bit(device):
    """A float32 array that is sent to a device and brought back is the same to the last bit, also nan, infinities, -0.0
    and numbers as small as 1e-45.

    You need no tolerance to compare data before and after the trip: compare `array.tobytes()`, because nan is not equal
    to nan.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.to.html
    """
    array = np.array([0.1, -0.0, np.inf, np.nan, 1e-45], dtype=np.float32)

    back = torch.from_numpy(array).to(device).cpu().numpy()

    assert back.dtype == np.float32
    assert back.tobytes() == array.tobytes()
    assert not (back == array).all()


# Mixing the two: which functions and operators take both? Where NumPy computes with a tensor, the tensor must be on the
# CPU: see above for one from an accelerator.


@pytest.mark.parametrize(
    "call",
    [torch.sum, torch.sqrt, nn.Linear(2, 1), lambda array: torch.add(torch.ones(2), array)],
    ids=["sum", "sqrt", "Linear", "add"],
)
def test_torch_functions_refuse_arrays(call):
    """`torch.sum(array)`, `torch.sqrt(array)`, `torch.add(tensor, array)` and an `nn.Linear` raise TypeError, "must be
    Tensor, not numpy.ndarray": PyTorch does not convert the array.

    `torch.cat` and `torch.stack` of a list of arrays raise TypeError too, "expected Tensor as element 0 in argument 0,
    but got numpy.ndarray". Some layers fail a little later and less clearly: `nn.Softmax` and `nn.BatchNorm1d` raise
    AttributeError, and `nn.MSELoss` raises TypeError, "'int' object is not callable". Write `torch.from_numpy(array)`
    where the data enters.

    https://docs.pytorch.org/docs/stable/tensors.html
    """
    array = np.array([1, 2], dtype=np.float32)

    with pytest.raises(TypeError, match=r"must be Tensor, not numpy\.ndarray"):
        call(array)

    for join in [torch.cat, torch.stack]:
        with pytest.raises(TypeError, match=r"expected Tensor as element 0 in argument 0, but got numpy\.ndarray"):
            join([array, array])
    for layer in [nn.Softmax(dim=0), nn.BatchNorm1d(2)]:
        with pytest.raises(AttributeError, match="has no attribute"):
            layer(array)
    with pytest.raises(TypeError, match="'int' object is not callable"):
        nn.MSELoss()(torch.ones(2), array)


def test_a_method_of_one_may_be_missing_on_the_other(device):
    """Tensors have no `astype` and no `copy`, and arrays have no `unsqueeze`, `permute`, `dim` and `float`: the name
    raises AttributeError, "'Tensor' object has no attribute 'astype'" or "'numpy.ndarray' object has no attribute
    'unsqueeze'".

    Some names are there, and mean something else. `array.size` is the number of elements, so that `array.size(0)`
    raises TypeError, "'int' object is not callable": write `len(x)` or `x.shape[0]`, which both have.
    `tensor.transpose(2, 0, 1)` raises TypeError: it takes two dimensions, and `permute(2, 0, 1)` takes all. For
    `astype` and `copy` write `tensor.to(dtype)` and `tensor.clone()`.

    https://docs.pytorch.org/docs/stable/tensors.html
    """
    tensor, array = torch.zeros(2, 4, 3, device=device), np.zeros((2, 4, 3))

    for name in ["astype", "copy"]:
        with pytest.raises(AttributeError, match=f"'Tensor' object has no attribute '{name}'"):
            getattr(tensor, name)
    for name in ["unsqueeze", "permute", "dim", "float"]:
        with pytest.raises(AttributeError, match=f"'numpy.ndarray' object has no attribute '{name}'"):
            getattr(array, name)

    with pytest.raises(TypeError, match="'int' object is not callable"):
        array.size(0)
    with pytest.raises(TypeError, match="transpose"):
        tensor.transpose(2, 0, 1)
    assert array.size == tensor.numel() == 24
    assert tensor.size(0) == tensor.shape[0] == array.shape[0] == len(tensor) == len(array) == 2
    assert tensor.permute(2, 0, 1).shape == array.transpose(2, 0, 1).shape == (3, 2, 4)
    assert tensor.transpose(0, 1).shape == array.swapaxes(0, 1).shape == (4, 2, 3)
    assert (tensor.to(torch.float16).dtype, tensor.clone() is tensor) == (torch.float16, False)


ELEMENTWISE = [
    function
    for function in vars(np).values()
    if isinstance(function, np.ufunc)
    and function.signature is None
    and any(set(types.partition("->")[0]) == {"f"} for types in function.types)
]
"""NumPy's functions that compute element by element and have a form for float32 alone: `np.sqrt`, `np.add`, ..."""


def test_numpy_functions_on_tensors():
    """NumPy's ufuncs that take float32 arrays element by element, such as `np.sqrt` and `np.add`, take float32 tensors
    on the CPU that do not require grad, and return tensors with the same numbers as for arrays.

    If the result for an array is bool, as from `np.isnan`, the tensor is uint8. `np.concatenate`, `np.nan_to_num` and
    `np.isclose`, which are no ufuncs, return arrays for one-dimensional tensors. `np.sqrt` of a tensor that requires
    grad raises RuntimeError. These are too many rules to remember: write torch's own function, `torch.sqrt`.

    https://docs.pytorch.org/docs/stable/torch.html
    """
    tensor = torch.tensor([1.0, 4.0, 9.0])

    root = np.sqrt(tensor)
    assert (type(root), root.dtype, root.tolist()) == (torch.Tensor, torch.float32, [1, 2, 3])

    missing = np.isnan(tensor)
    assert (type(missing), missing.dtype, missing.tolist()) == (torch.Tensor, torch.uint8, [0, 0, 0])

    joined = np.concatenate([tensor, tensor])
    assert (type(joined), joined.dtype, joined.tolist()) == (np.ndarray, np.float32, [1, 4, 9, 1, 4, 9])
    assert type(np.nan_to_num(tensor)) is type(np.isclose(tensor, tensor)) is np.ndarray
    with pytest.raises(RuntimeError, match="requires grad"):
        np.sqrt(nn.Parameter(tensor))

    assert len(ELEMENTWISE) > 50
    for function in ELEMENTWISE:
        with np.errstate(all="ignore"):
            found = function(*[tensor] * function.nin)
            wanted = function(*[tensor.numpy()] * function.nin)
        pairs = zip(found, wanted, strict=True) if function.nout > 1 else [(found, wanted)]
        for result, array in pairs:
            assert type(result) is torch.Tensor
            assert result.numpy().dtype == (np.uint8 if array.dtype == bool else array.dtype)
            assert np.array_equal(result.numpy(), array, equal_nan=True)


def required(function, *names):
    """Whether a function takes one argument that has no default, and has all of these parameters."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False
    needed = [name for name, parameter in parameters.items() if parameter.default is parameter.empty]
    return len(needed) == 1 and set(names) <= set(parameters)


REDUCTIONS = [name for name in dir(np) if name[0] != "_" and required(getattr(np, name), "keepdims")]
"""The names of NumPy's functions that reduce one array: `sum`, `argmax`, `nanmean`, ..."""


def test_np_sum_of_a_tensor_raises():
    """`np.sum`, `np.mean`, `np.max`, `np.min`, `np.prod`, `np.std`, `np.var`, `np.all` and `np.any` of a tensor raise
    TypeError.

    NumPy passes its own arguments, such as `out`, to the tensor's method of that name: `np.sum` says "got an unexpected
    keyword argument" or "received an invalid combination of arguments". `np.amax` and `np.amin` raise too. `np.argmax`,
    `np.median` and `np.nansum` take a CPU tensor that requires no grad. Write `tensor.sum()`, or
    `np.sum(tensor.numpy())`.

    https://docs.pytorch.org/docs/stable/generated/torch.sum.html
    """
    tensor = torch.tensor([1.0, 4.0])
    refused = set()

    for name in REDUCTIONS:
        try:
            result = getattr(np, name)(tensor)
        except TypeError:
            refused.add(name)
        else:
            assert result == getattr(np, name)(tensor.numpy())

    assert refused == {"sum", "mean", "max", "amax", "min", "amin", "prod", "std", "var", "all", "any"}
    assert {"argmax", "argmin", "median", "nansum"} <= set(REDUCTIONS) - refused
    with pytest.raises(TypeError, match=r"unexpected keyword argument|invalid combination of arguments"):
        np.sum(tensor)
    assert np.sum(tensor.numpy()) == tensor.sum() == 5


@pytest.mark.holds(
    "numpy>=2",
    otherwise=AssertionError,
    change="warns",
    concerns=("numpy.sqrt(torch.Tensor)", "numpy.argmax(torch.Tensor)"),
)
@pytest.mark.parametrize(
    "compute",
    [np.sqrt, np.argmax, lambda tensor: tensor + np.array([0.0, 0.0])],
    ids=["np.sqrt(tensor)", "np.argmax(tensor)", "tensor + array"],
)
def test_numpy_warns_when_it_returns_a_tensor(compute):
    """From NumPy 2 on, `np.sqrt(tensor)`, `np.argmax(tensor)` and `tensor + array` give a DeprecationWarning about
    `__array_wrap__`, for a CPU tensor that requires no grad.

    NumPy computes the result and asks PyTorch to make a tensor of it, in a way that PyTorch does not know yet: a later
    NumPy may raise. Run with `python -W error::DeprecationWarning` to find the lines. Compute on one side:
    `torch.sqrt(tensor)` and `tensor + torch.from_numpy(array)` do not warn.

    https://numpy.org/doc/stable/reference/generated/numpy.ndarray.__array_wrap__.html
    """
    tensor = torch.tensor([1.0, 4.0])

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quiet = [torch.sqrt(tensor), torch.argmax(tensor), tensor + torch.from_numpy(np.array([0.0, 0.0]))]
    assert [result.tolist() for result in quiet] == [[1, 2], 1, [1, 4]]

    with pytest.warns(DeprecationWarning, match="__array_wrap__"):
        result = compute(tensor)

    assert type(result) is torch.Tensor


ARITHMETIC = [operator.add, operator.sub, operator.mul, operator.floordiv, operator.mod, operator.pow, operator.matmul]


def test_in_mixed_arithmetic_the_order_matters():
    """For a CPU tensor that requires no grad, `tensor + array` returns a tensor that NumPy has computed, and
    `array + tensor` raises TypeError.

    The same holds for `-`, `*`, `//`, `%`, `**` and `@`; `/` works in both orders. `array + tensor` says "Concatenation
    operation is not implemented for NumPy arrays", and `array * tensor` says "unsupported operand type(s)". Here
    NumPy's rules make float64 of int64 and float32, where PyTorch makes float32. `tensor + array` raises RuntimeError
    if the tensor requires grad, and TypeError if it is bfloat16. Write `tensor + torch.from_numpy(array)`, in any
    order.

    https://docs.pytorch.org/docs/stable/tensor_attributes.html
    """
    tensor = torch.tensor([1.0, 4.0])  # float32
    array = np.array([2.0, 8.0])  # float64

    for operation in ARITHMETIC:
        result = operation(tensor, array)
        assert (type(result), result.dtype) == (torch.Tensor, torch.float64)
        assert result.tolist() == operation(np.array([1.0, 4.0]), array).tolist()
        with pytest.raises(TypeError, match=r"unsupported operand|Concatenation operation"):
            operation(array, tensor)
    assert ((tensor / array).tolist(), (array / tensor).tolist()) == ([0.5, 0.5], [2, 2])

    integers, single = torch.tensor([1, 4]), np.array([2, 8], dtype=np.float32)
    assert (integers + single).dtype == torch.float64
    assert (integers + torch.from_numpy(single)).dtype == torch.float32
    assert (torch.from_numpy(single) + integers).tolist() == [3, 12]
    with pytest.raises(TypeError, match="Concatenation operation is not implemented for NumPy arrays"):
        array + tensor
    with pytest.raises(TypeError, match=r"unsupported operand type\(s\) for \*: 'numpy.ndarray' and 'Tensor'"):
        array * tensor
    with pytest.raises(RuntimeError, match="requires grad"):
        nn.Parameter(tensor) + array
    with pytest.raises(TypeError, match="BFloat16"):
        tensor.bfloat16() + array


def test_a_mask_and_an_array_of_bools_make_no_mask():
    """`mask & array` of a bool tensor on the CPU and an array of bools is a uint8 tensor of ones and zeros, and so are
    `mask | array` and `mask ^ array`.

    NumPy computes it, and a bool that comes back from NumPy becomes uint8. `~(mask & array)` is then 254 and 255, and
    as an index picks everything, with a warning. `array & mask` raises TypeError. A mask, in either order, is
    `mask & torch.from_numpy(array)`. One bool of NumPy counts as a decimal: `mask & array.any()` raises RuntimeError,
    "not implemented for 'Float'", and `mask & bool(array.any())` works.

    https://docs.pytorch.org/docs/stable/generated/torch.logical_and.html
    """
    mask, array = torch.tensor([True, False]), np.array([True, True])

    for operation, wanted in [(operator.and_, [1, 0]), (operator.or_, [1, 1]), (operator.xor, [0, 1])]:
        result = operation(mask, array)
        assert (result.dtype, result.tolist()) == (torch.uint8, wanted)
        with pytest.raises(TypeError, match="unsupported operand"):
            operation(array, mask)
        for result in [operation(mask, torch.from_numpy(array)), operation(torch.from_numpy(array), mask)]:
            assert (result.dtype, result.tolist()) == (torch.bool, wanted)

    with pytest.raises(RuntimeError, match="not implemented for 'Float'"):
        mask & array.any()
    assert (mask & bool(array.any())).tolist() == [True, False]

    numbers = torch.tensor([10, 20])
    inverse = ~(mask & array)
    assert inverse.tolist() == [254, 255]
    with pytest.warns(UserWarning, match="dtype torch.uint8 is now deprecated"):
        assert numbers[inverse].tolist() == [10, 20]
    assert numbers[~(mask & torch.from_numpy(array))].tolist() == [20]


def test_a_masked_array_does_not_add_to_a_tensor():
    """`+`, `-` and `*` of a float32 tensor on the CPU that requires no grad and a masked array that was made with a
    mask raise TypeError, in either order.

    `tensor + masked` says "Cannot interpret 'torch.float32' as a data type", and `masked + tensor` says "unsupported
    operand". `tensor / masked` is a masked array, and no tensor. Decide what stands for a missing number: `tensor +
    torch.from_numpy(masked.filled(0))`, or compute in NumPy: `tensor.numpy() + masked`.

    https://numpy.org/doc/stable/reference/maskedarray.generic.html
    """
    tensor = torch.tensor([10.0, 20.0])
    masked = np.ma.array([1.0, 2.0], mask=[False, True])

    for operation in [operator.add, operator.sub, operator.mul]:
        with pytest.raises(TypeError, match=r"Cannot interpret 'torch\.float32' as a data type"):
            operation(tensor, masked)
        with pytest.raises(TypeError, match="unsupported operand"):
            operation(masked, tensor)

    with pytest.raises(RuntimeError, match="requires grad"):
        nn.Parameter(tensor.clone()) + masked
    assert type(tensor / masked) is np.ma.MaskedArray
    assert (tensor + torch.from_numpy(masked.filled(0))).tolist() == [11, 20]
    assert (tensor.numpy() + masked).tolist() == [11, None]


def test_an_array_divided_by_an_integer_tensor_has_the_digits_of_float32():
    """By default `array / tensor` of a CPU tensor multiplies by `tensor.reciprocal()`, which is float32 for an integer
    tensor: the float64 result of a float64 array has only the digits of float32.

    `np.array([7.0]) / torch.tensor([3])` is 2.33333340 instead of 2.33333333. For a float64 tensor the last digit can
    differ: 5 / 3 is 1.6666666666666665. Write `torch.from_numpy(array) / tensor`, which divides. If both hold integers,
    the quotient is float32: write `torch.from_numpy(array).double() / tensor`.

    https://docs.pytorch.org/docs/stable/generated/torch.reciprocal.html
    """
    array = np.array([7.0])
    counts = torch.tensor([3])

    quotient = array / counts
    assert (quotient.dtype, quotient.tolist()) == (torch.float64, [2.3333334028720856])
    assert quotient.tolist() == (7 * counts.reciprocal().double()).tolist()
    assert (np.array([5.0]) / counts.double()).tolist() == [1.6666666666666665] != [5 / 3]

    quotient = torch.from_numpy(array) / counts
    assert (quotient.dtype, quotient.tolist()) == (torch.float64, [7 / 3])
    assert (torch.from_numpy(np.array([5.0])) / counts.double()).tolist() == [5 / 3]
    assert (np.array([7]) / counts).tolist() == [2.3333334028720856]
    assert (torch.from_numpy(np.array([7])) / counts).dtype == torch.float32
    assert (torch.from_numpy(np.array([7])).double() / counts).tolist() == [7 / 3]


def test_in_place_arithmetic_with_an_array_makes_a_new_tensor():
    """`tensor += array` of a CPU tensor that requires no grad does not write in-place: it makes a new tensor and gives
    it the name, and the old tensor keeps its numbers.

    Whoever holds the old tensor under another name does not see the sum, and a float64 array makes the new tensor
    float64. Write `tensor += torch.from_numpy(array)`. `array += tensor` raises TypeError.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.add_.html
    """
    tensor = torch.tensor([1.0, 2.0])
    before = tensor
    array = np.array([10.0, 20.0])

    tensor += array
    assert tensor is not before
    assert (tensor.dtype, tensor.tolist()) == (torch.float64, [11, 22])
    assert (before.dtype, before.tolist()) == (torch.float32, [1, 2])

    tensor = before
    tensor += torch.from_numpy(array)
    assert tensor is before
    assert (before.dtype, before.tolist()) == (torch.float32, [11, 22])

    with pytest.raises(TypeError):
        array += tensor


def test_a_part_of_a_tensor_takes_no_array(device):
    """`tensor[:2] = array` raises TypeError, "can't assign a numpy.ndarray". `array[:2] = tensor` works for a tensor
    that `.numpy()` takes.

    One number of a float32 array raises too, while one of a float64 array is taken, because `np.float64` is a Python
    float by inheritance. Write `tensor[:2] = torch.from_numpy(array)` and `tensor[0] = float(array[0])`. For a model's
    output that requires grad, write `array[:2] = output.detach().cpu()`: without `detach` it raises RuntimeError.

    https://docs.pytorch.org/docs/stable/tensors.html
    """
    tensor = torch.zeros(3, device=device)
    array = np.array([1, 2], dtype=np.float32)

    with pytest.raises(TypeError, match=r"can't assign a numpy\.ndarray"):
        tensor[:2] = array
    assert tensor.tolist() == [0, 0, 0]

    tensor[:2] = torch.from_numpy(array)
    tensor[2] = np.float64(3)
    assert tensor.tolist() == [1, 2, 3]
    with pytest.raises(TypeError, match=r"can't assign a numpy\.float32"):
        tensor[2] = array[0]
    tensor[2] = float(array[0])
    assert tensor.tolist() == [1, 2, 1]

    array[:] = torch.tensor([5.0, 6.0])
    assert array.tolist() == [5, 6]
    output = torch.tensor([7.0, 8.0], requires_grad=True, device=device)
    with pytest.raises((RuntimeError, TypeError), match=r"requires grad|device type"):
        array[:] = output
    array[:] = output.detach().cpu()
    assert array.tolist() == [7, 8]


# Comparing the two: which comparisons are wrong silently?


@pytest.mark.holds("torch>=2.4", otherwise=AssertionError, change="result", concerns="torch.Tensor.__eq__")
def test_comparing_with_an_array_is_elementwise():
    """From torch 2.4 on, `tensor == array` and `array == tensor` compare element by element, as
    `tensor == torch.from_numpy(array)` does.

    Up to torch 2.3 both give the plain `False`, and the accuracy `np.mean(tensor == array)` is silently 0. Write
    `tensor == torch.from_numpy(array)`, which compares in every release. Shapes that do not fit each other raise
    RuntimeError, and a flipped array ValueError. An array of text, which does not cross, gives the plain `False`.

    https://docs.pytorch.org/docs/stable/generated/torch.eq.html
    """
    tensor = torch.tensor([1.0, 4.0, 9.0])
    array = np.array([1.0, 5.0, 9.0])

    assert (tensor == torch.from_numpy(array)).tolist() == [True, False, True]
    assert np.mean(False) == 0  # what becomes of an accuracy up to torch 2.3

    for equal in [tensor == array, array == tensor]:
        assert isinstance(equal, torch.Tensor)
        assert equal.dtype == torch.bool
        assert equal.tolist() == [True, False, True]

    with pytest.raises(RuntimeError, match="must match the size"):
        _ = tensor == np.array([1.0, 5.0])
    with pytest.raises(ValueError, match="negative"):
        _ = tensor == array[::-1]
    assert (tensor == np.array(["1", "4", "9"])) is False


def test_not_equal_to_an_array_is_always_true():
    """`tensor != array` and `array != tensor` return the plain `True`, even if all elements are equal.

    What stands under `if tensor != array:` always runs, for equal data too. `<`, `<=`, `>` and `>=` raise TypeError;
    `array > tensor` says "'>' not supported between instances of 'numpy.ndarray' and 'Tensor'". With a masked
    array, `tensor != masked` compares. Write `tensor != torch.from_numpy(array)`, which compares element by element.

    https://docs.pytorch.org/docs/stable/generated/torch.ne.html
    """
    tensor = torch.tensor([1.0, 4.0])
    equal, different = np.array([1.0, 4.0]), np.array([1.0, 5.0])

    for array in [equal, different]:
        assert (tensor != array) is True
        assert (array != tensor) is True

    for compare in [operator.lt, operator.le, operator.gt, operator.ge]:
        with pytest.raises(TypeError, match="not supported between instances"):
            compare(tensor, equal)
        with pytest.raises(TypeError, match="not supported between instances"):
            compare(equal, tensor)

    with pytest.raises(TypeError, match=r"'>' not supported between instances of 'numpy\.ndarray' and 'Tensor'"):
        _ = equal > tensor

    assert (tensor != torch.from_numpy(different)).tolist() == [False, True]
    assert (tensor != np.ma.array(different)).tolist() == [False, True]


# One number: what does a NumPy number, or one that does not fit, do to the dtype?


def test_a_numpy_scalar_in_arithmetic_keeps_the_dtype(device):
    """A float32 tensor stays float32 in `+`, `-`, `*` and `/` with a NumPy integer or float, such as `np.float64(2)`,
    on either side.

    These count as Python numbers here, and not as arrays. `np.complex128(2)` makes complex64, as `2j` does, and an
    int64 tensor times `np.float64(2)` is float32, as times `2.0`. `np.complex64(2j)` loses its imaginary part, with a
    warning, and the tensor stays float32: write `complex(number)`.

    https://docs.pytorch.org/docs/stable/tensor_attributes.html
    """
    tensor = torch.tensor([0.5, 4.0], device=device)
    real = [scalar for scalar in set(np.sctypeDict.values()) if issubclass(scalar, np.integer | np.floating)]
    real.remove(np.timedelta64)

    assert {np.int8, np.uint64, np.float16, np.float64, np.longdouble} <= set(real)
    for number in [scalar(2) for scalar in real]:
        results = [tensor + number, number + tensor, tensor * number, number * tensor]
        results += [tensor - number, number - tensor, tensor / number, number / tensor]
        assert {result.dtype for result in results} == {torch.float32}
        assert {result.device for result in results} == {device}
        assert [result.tolist() for result in results[:4]] == [[2.5, 6], [2.5, 6], [1, 8], [1, 8]]
        assert [result.tolist() for result in results[4:]] == [[-1.5, 2], [1.5, -2], [0.25, 2], [4, 0.5]]

    assert (torch.tensor([1.5, 4.0]) * np.complex128(2)).dtype == (torch.ones(2) * 2j).dtype == torch.complex64
    assert (torch.tensor([1, 4]) * np.float64(2)).dtype == torch.float32
    for operation in [operator.add, operator.mul]:
        with pytest.warns(Warning, match="imaginary part"):
            assert operation(tensor, np.complex64(2 + 3j)).tolist() == operation(tensor, 2).tolist()
    assert (torch.ones(2) * complex(np.complex64(2 + 3j))).tolist() == [2 + 3j, 2 + 3j]


def test_a_numpy_bool_in_arithmetic_counts_as_a_decimal():
    """An int64 tensor times NumPy's `np.True_` is float32, although times Python's `True` it stays int64.

    `(array > 0).any()` is such a bool. A count that is switched on or off by it becomes a float32, which does not hold
    2**24 + 1. In-place, `counts *= np.True_` and `counts += np.float64(1.5)` raise RuntimeError, "result type Float
    can't be cast to the desired output type Long". Write `bool(...)` around the bool, and `counts = counts + 1.5`.

    https://docs.pytorch.org/docs/stable/tensor_attributes.html
    """
    counts = torch.tensor([1, 2**24 + 1])
    switch = (np.array([1.0, -1.0]) > 0).any()

    assert type(switch) is np.bool_
    for result in [counts * switch, switch * counts, counts + switch]:
        assert result.dtype == torch.float32
    assert (counts * switch).tolist() == [1, 2**24]

    for change, number in [(counts.mul_, switch), (counts.add_, np.float64(1.5)), (counts.__iadd__, np.float64(1.5))]:
        with pytest.raises(RuntimeError, match="result type Float can't be cast to the desired output type Long"):
            change(number)
    assert (counts + 1.5).dtype == torch.float32

    assert (counts * True).dtype == (counts * bool(switch)).dtype == torch.int64
    assert (counts * bool(switch)).tolist() == [1, 2**24 + 1]


@pytest.mark.holds("numpy>=2", otherwise=AssertionError, change="result", concerns="numpy.float64?")
def test_a_numpy_scalar_widens_an_array():
    """From NumPy 2 on, a float32 array times `np.float64(2)` is float64.

    Under NumPy 1 an array with dimensions stays float32. `images * np.sqrt(4.0)` therefore carries float64 into a
    float32 model. Write `images * float(np.sqrt(4.0))`: times such a Python float the array stays float32. Here the
    float32 tensor times `np.float64(2)` stays float32 under both; times the 0-d array `np.array(2.0)` it is float64
    from NumPy 2 on.

    https://numpy.org/doc/stable/numpy_2_0_migration_guide.html
    """
    array = np.array([1.5, 4.0], dtype=np.float32)
    tensor = torch.from_numpy(array)

    assert (array * 2).dtype == (array * 2.0).dtype == (array * float(np.sqrt(4.0))).dtype == np.float32
    assert (tensor * np.float64(2)).dtype == torch.float32  # not an array: PyTorch's rules, which have not changed

    assert (array * np.float64(2)).dtype == np.float64
    assert (array * np.sqrt(4.0)).dtype == np.float64
    assert torch.from_numpy(array * np.sqrt(4.0)).dtype == torch.float64
    assert (tensor * np.array(2.0)).dtype == torch.float64  # an array: NumPy's rules, even without dimensions


@pytest.mark.holds("numpy>=2", otherwise=AssertionError, change="raises", concerns=())
def test_a_number_that_does_not_fit():
    """From NumPy 2 on, adding 256 to a uint8 array raises OverflowError ("out of bounds").

    Adding 256 to a uint8 tensor wraps around silently. Under NumPy 1, `image + 256` is uint16. Not everything in
    PyTorch wraps: `tensor[0] = 300`, `fill_` and `torch.full` raise RuntimeError. Convert before you compute:
    `image.astype(np.int16)`, `tensor.to(torch.int16)`.

    https://numpy.org/doc/stable/numpy_2_0_migration_guide.html
    """
    image = np.array([0, 200], dtype=np.uint8)
    tensor = torch.from_numpy(image)

    assert ((tensor + 257).dtype, (tensor + 257).tolist()) == (torch.uint8, [1, 201])
    assert ((tensor - 257).tolist(), (tensor * 257).tolist()) == ([255, 199], [0, 200])
    assert (image.astype(np.int16) + 256).tolist() == (tensor.to(torch.int16) + 256).tolist() == [256, 456]
    with pytest.raises(RuntimeError, match="without overflow"):
        tensor[0] = 300
    with pytest.raises(RuntimeError, match="without overflow"):
        tensor.fill_(300)
    with pytest.raises(RuntimeError, match="without overflow"):
        torch.full((2,), 300, dtype=torch.uint8)

    for operation in [operator.add, operator.sub, operator.mul]:
        with pytest.raises(OverflowError, match="out of bounds"):
            operation(image, 256)


def test_comparing_with_a_number_that_does_not_fit_wraps():
    """On the CPU, `pixels == 256` is True for a 0 in a uint8 tensor: PyTorch wraps 256 to 0 before it compares.

    For the same reason `pixels < 256` is False everywhere, and a mask made with it is empty. NumPy compares the numbers
    themselves, so code moved from arrays to tensors changes silently. Compare with a number that the dtype holds, or
    write `pixels.int() < 256`.

    https://docs.pytorch.org/docs/stable/generated/torch.eq.html
    """
    pixels = torch.tensor([0, 1, 255], dtype=torch.uint8)

    assert (pixels == 256).tolist() == [True, False, False]
    assert (pixels < 256).tolist() == [False, False, False]

    assert (pixels.numpy() == 256).tolist() == [False, False, False]
    assert (pixels.numpy() < 256).tolist() == [True, True, True]
    assert (pixels.int() < 256).tolist() == [True, True, True]


@pytest.mark.holds(
    "numpy>=2", otherwise=AssertionError, change="gone", concerns=("numpy.float_", "numpy.complex_", "numpy.NaN")
)
def test_numpy_2_took_names_away():
    """From NumPy 2 on, `np.float_`, `np.complex_` and `np.NaN` raise AttributeError, "was removed in the NumPy 2.0
    release".

    Old training code has such names. Write `np.float64`, `np.complex128` and `np.nan`, which every NumPy has.
    `np.float`, `np.int` and `np.object` raise AttributeError, "module 'numpy' has no attribute 'float'", in NumPy 1.26
    too: write `float`, `int` and `object`.

    https://numpy.org/doc/stable/numpy_2_0_migration_guide.html
    """
    assert torch.tensor(np.nan).isnan()
    assert torch.from_numpy(np.zeros(2, np.float64)).dtype == torch.from_numpy(np.zeros(2, float)).dtype
    assert torch.from_numpy(np.zeros(2, np.complex128)).dtype == torch.complex128
    for name in ["float", "int", "object"]:
        with pytest.raises(AttributeError, match=f"module 'numpy' has no attribute '{name}'"):
            getattr(np, name)

    for name in ["float_", "complex_", "NaN"]:
        with pytest.raises(AttributeError, match=r"was removed in the NumPy 2\.0 release"):
            getattr(np, name)


# Indexing: does one pick with the other's index what I expect?


def test_each_indexes_the_other(device):
    """A one-dimensional array of int64 or bools that `from_numpy` takes indexes a tensor, and an int64 or bool tensor
    of two or more elements on the CPU indexes an array.

    Both pick the same elements. The indexed tensor may be on a GPU: the array is brought there. For the best first,
    `np.argsort(scores)[::-1]` raises ValueError, since it has a negative stride: write `np.argsort(-scores)`. The next
    four notes show where the two disagree; `tensor[torch.from_numpy(index)]` leaves no doubt.

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

    scores = np.array([0.2, 0.5, 0.3])
    with pytest.raises(ValueError, match="negative"):
        tensor[np.argsort(scores)[::-1]]
    assert tensor[np.argsort(-scores)].tolist() == array[np.argsort(scores)[::-1]].tolist() == [20, 30, 10]


def test_a_tensor_of_one_index_counts_as_a_number_for_an_array():
    """A tensor of one integer or one bool is a plain integer for an array: for one-dimensional data,
    `array[torch.tensor([2])]` is a number, and `tensor[torch.tensor([2])]` has shape (1,).

    `rows[index]` loses its first dimension if the last batch has one index. A mask `torch.tensor([True])` picks
    position 1, and raises IndexError if there is none. Write `array[index.numpy()]`, which picks what the tensor picks
    with this index and with this mask.

    https://numpy.org/doc/stable/user/basics.indexing.html
    """
    array = np.array([10, 20, 30])
    index, mask = torch.tensor([2]), torch.tensor([True])

    assert (array[index].shape, array[index]) == ((), 30)
    assert torch.from_numpy(array)[index].tolist() == array[index.numpy()].tolist() == [30]
    assert np.zeros((3, 4))[index].shape == (4,)
    assert np.zeros((3, 4))[index.numpy()].shape == (1, 4)

    assert (array[mask].shape, array[mask]) == ((), 20)
    with pytest.raises(IndexError, match="out of bounds"):
        array[:1][mask]
    assert torch.from_numpy(array[:1])[mask].tolist() == array[:1][mask.numpy()].tolist() == [10]


def test_a_uint8_array_is_a_mask_for_a_tensor():
    """A uint8 array as an index is a mask for a tensor, and a list of positions for an array.

    Labels stored as uint8 then pick other rows, and PyTorch warns that such an index is deprecated. Write
    `index.astype(np.int64)` for positions, or `index.astype(bool)` for a mask.

    https://docs.pytorch.org/docs/stable/tensors.html
    """
    tensor = torch.tensor([10, 20, 30])
    index = np.array([1, 0, 1], dtype=np.uint8)

    with pytest.warns(UserWarning, match="dtype torch.uint8 is now deprecated"):
        assert tensor[index].tolist() == [10, 30]
    assert tensor.numpy()[index].tolist() == [20, 10, 20]

    assert tensor[index.astype(np.int64)].tolist() == [20, 10, 20]
    assert tensor.numpy()[index.astype(bool)].tolist() == [10, 30]


def test_an_array_of_decimals_indexes_a_tensor():
    """`tensor[np.array([1.7])]` cuts the decimals off silently and picks position 1.

    As an index of an array, the same array raises IndexError. Positions computed with `/` instead of `//` are decimals.
    Write `tensor[torch.from_numpy(index)]`, which raises IndexError too.

    https://numpy.org/doc/stable/user/basics.indexing.html
    """
    tensor = torch.tensor([10, 20, 30])
    index = np.array([1.7, 0.2])

    assert tensor[index].tolist() == [20, 10]

    with pytest.raises(IndexError, match="must be of integer"):
        tensor.numpy()[index]
    with pytest.raises(IndexError, match="must be long, int, byte or bool"):
        tensor[torch.from_numpy(index)]


def test_a_number_beside_an_index_array_orders_the_axes_differently():
    """Of shape (2, 3, 4) and with two positions in `index`, `tensor[0, :, index]` has shape (3, 2), and
    `array[0, :, index]` has shape (2, 3).

    NumPy counts the 0 as an index array too, and if a slice separates two index arrays, it puts the picked axis first.
    Write it in two steps, `x[0][:, index]`, which gives (3, 2) in both.

    https://numpy.org/doc/stable/user/basics.indexing.html
    """
    tensor = torch.arange(24).reshape(2, 3, 4)
    array = tensor.numpy()
    index = np.array([3, 1])

    assert tensor[0, :, index].tolist() == [[3, 1], [7, 5], [11, 9]]
    assert array[0, :, index].tolist() == [[3, 7, 11], [1, 5, 9]]
    assert tensor[0][:, index].tolist() == array[0][:, index].tolist() == [[3, 1], [7, 5], [11, 9]]


# Fine print: every shape and stride, every byte, and the way round that nobody watches.


@given(
    dtype=st.sampled_from(list(SAME_IN_BOTH)),
    sizes_and_steps=st.lists(st.tuples(st.integers(0, 4), st.integers(1, 3)), max_size=3),
    transpose=st.booleans(),
)
@example(dtype=np.int16, sizes_and_steps=[(2, 1), (3, 1)], transpose=True)
@example(dtype=np.float64, sizes_and_steps=[(2, 1), (3, 2)], transpose=False)
def test_from_numpy_shares_memory_for_every_dtype_shape_and_stride(dtype, sizes_and_steps, transpose):
    """`torch.from_numpy` keeps the dtype, the shape and the strides of an array that was sliced with positive steps or
    transposed, and shares its memory.

    Shown for up to three dimensions and for bool, uint8, int8 to int64, float16 to float64 and both complex dtypes. A
    batch cut out with `[::2]` or turned with `.T` is no copy either. Negative strides raise.

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


@given(
    dtype=st.sampled_from(list(SAME_IN_BOTH)),
    sizes_and_steps=st.lists(st.tuples(st.integers(0, 4), st.integers(1, 3)), max_size=3),
    transpose=st.booleans(),
)
@example(dtype=np.int16, sizes_and_steps=[(2, 1), (3, 1)], transpose=True)
@example(dtype=np.float64, sizes_and_steps=[(2, 1), (3, 2)], transpose=False)
def test_numpy_shares_memory_for_every_dtype_shape_and_stride(dtype, sizes_and_steps, transpose):
    """`.numpy()` and `np.asarray` share the memory of a sliced or transposed CPU tensor that does not require grad, and
    keep its dtype and shape.

    Shown for up to three dimensions and for bool, uint8, int8 to int64, float16 to float64 and both complex dtypes.
    A tensor of 65 dimensions is too much for NumPy: `.numpy()` raises ValueError. 32 dimensions are not.

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

    assert torch.ones([1] * 32).numpy().ndim == 32
    with pytest.raises(ValueError, match="number of dimensions"):
        torch.ones([1] * 65).numpy()


@given(
    values=st.lists(st.integers(0, 255), max_size=24),
    dtype=st.sampled_from([np.bool_, np.uint8, np.int8, np.int16, np.int32, np.int64, np.float16, np.float32]),
    columns=st.integers(1, 3),
)
@example(values=[1, 127, 128, 200, 254, 255], dtype=np.uint8, columns=3)
@example(values=list(range(248, 256)) * 2, dtype=np.int64, columns=1)
def test_there_and_back_changes_no_bit_of_every_array(device, values, dtype, columns):
    """An array of bools, uint8, signed integers, float16 or float32 that is sent to a device and brought back has the
    same dtype, shape and bytes, whatever its numbers are.

    float64 and complex128 are left out because Apple's GPUs have neither: convert float64 to float32 before you send
    data there.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.to.html
    """
    size = np.dtype(dtype).itemsize * columns
    values = [value % 2 for value in values] if dtype is np.bool_ else values
    array = np.array(values[: len(values) // size * size], dtype=np.uint8).view(dtype).reshape(-1, columns)

    back = torch.from_numpy(array).to(device).cpu().numpy()

    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    assert back.tobytes() == array.tobytes()


def test_np_from_dlpack_lets_the_tensor_grow_away():
    """`tensor.resize_` does not notice an array made by `np.from_dlpack(tensor)`: the tensor grows into new memory, and
    the array is left with the old memory, which may be gone.

    Reading that array then is undefined. Share with `tensor.numpy()` instead: after it `resize_` raises RuntimeError.

    https://docs.pytorch.org/docs/stable/dlpack.html
    """
    tensor = torch.tensor([1.0, 2.0, 3.0])
    array = np.from_dlpack(tensor)
    assert array.ctypes.data == tensor.data_ptr()

    tensor.resize_(1000)
    assert array.ctypes.data != tensor.data_ptr()
    assert tensor[:3].tolist() == [1, 2, 3]

    watched = torch.tensor([1.0, 2.0, 3.0])
    watched.numpy()
    with pytest.raises(RuntimeError, match="not resizable"):
        watched.resize_(1000)
