"""From an array to a tensor, to another dtype, device or shape: what copies takes time for each number, a view none.

The names do not tell which is which: `reshape` and `.to` do the one or the other, as the tensor demands.
"""

import numpy as np
import pytest
import torch

from torchnotes.measuring import limits

pytestmark = pytest.mark.section("03")

SIZES = [2**4, 2**10, 2**16, 2**20, 2**24]
CONSTANT = "`{convert}` takes {times} as long for 16 million numbers as for 16"
LINEAR = "`{convert}` takes {times} as long for 16 million numbers as for one million"
SHARES = ("from_numpy", "as_tensor")


@pytest.mark.parametrize(
    "convert",
    [
        pytest.param("from_numpy", marks=pytest.mark.finding(CONSTANT, 2**24, 2**4, at_most=1.25)),
        pytest.param("as_tensor", marks=pytest.mark.finding(CONSTANT, 2**24, 2**4, at_most=1.25)),
        pytest.param("tensor", marks=pytest.mark.finding(LINEAR, 2**24, 2**20, at_least=8)),
    ],
)
@pytest.mark.parametrize("entry", SIZES)
def test_array_to_tensor(race, entry, convert):
    arrays = {size: np.arange(size, dtype=np.float32) for size in SIZES}
    function = getattr(torch, convert)

    found = race(entry, {size: lambda array=array: function(array) for size, array in arrays.items()})

    check_conversion(found, arrays[entry], convert)


@pytest.mark.finding(
    "`from_numpy` of 100 MB takes {times} as long as `tensor`, which copies it", "from_numpy", "tensor", at_most=0.001
)
@pytest.mark.parametrize("entry", ["from_numpy", "as_tensor", "tensor"])
def test_a_large_array_to_a_tensor(race, entry):
    array = np.arange(25 * 2**20, dtype=np.float32)

    found = race(entry, {name: lambda name=name: getattr(torch, name)(array) for name in (*SHARES, "tensor")})

    check_conversion(found, array, entry)
    if race.times is not None:  # which is true of any machine
        assert race.times["from_numpy"].median <= race.times["tensor"].median


def check_conversion(found, array, convert):
    assert found.dtype == torch.float32
    assert (found.data_ptr() == array.ctypes.data) == (convert in SHARES)
    assert np.array_equal(found.numpy(), array)


@pytest.mark.limit("a conversion of {size:,} numbers reaches {share} of the device's limit", "another dtype")
@pytest.mark.finding(
    "`.to` the dtype that a tensor has takes {times} as long as a conversion, for {size:,} numbers",
    "its own dtype",
    "another dtype",
    at_most=0.1,
)
@pytest.mark.parametrize("entry", ["its own dtype", "another dtype"])
def test_to_a_dtype(race, sizes, device, entry):
    dtypes = {
        "its own dtype": torch.float32,
        "another dtype": torch.float16 if device.type == "mps" else torch.float64,  # which MPS does not have
    }

    def converting(size):
        tensor = torch.zeros(size, device=device)
        return lambda: tensor.to(dtypes["another dtype"])

    size = sizes.largest(converting, [2**power for power in range(16, 27)])
    numbers = torch.arange(size) % 1000
    tensor = numbers.to(device, torch.float32)
    moved = size * sum(map(limits.bytes_of, (torch.float32, dtypes["another dtype"])))
    work = {"another dtype": limits.Work(torch.float32, operations=size, bytes=moved)}

    entries = {name: lambda dtype=dtype: tensor.to(dtype) for name, dtype in dtypes.items()}
    found = race(entry, entries, {"size": size}, work)

    assert found.dtype == dtypes[entry]
    assert (found is tensor) == (entry == "its own dtype")
    assert torch.equal(found.cpu().to(numbers.dtype), numbers)


@pytest.mark.finding(
    "to the GPU, 64 MB of pinned memory take {times} as long as 64 MB of other memory",
    "pinned",
    "pageable",
    at_most=0.67,
)
@pytest.mark.parametrize("entry", ["pageable", "pinned", "pinned, non_blocking"])
def test_to_a_device(race, accelerator, entry):
    pageable, entries = copies_to(accelerator)

    check_copy(race(entry, entries), pageable, accelerator)


@pytest.mark.finding(
    "a copy of 64 MB of pinned memory to the GPU takes {times} as long to return with `non_blocking` as without",
    "pinned, non_blocking",
    "pinned",
    at_most=0.1,
)
@pytest.mark.parametrize("entry", ["pageable", "pinned", "pinned, non_blocking"])
def test_until_a_copy_to_a_device_returns(race, accelerator, entry):
    pageable, entries = copies_to(accelerator)

    check_copy(race(entry, entries, waits=False), pageable, accelerator)


def copies_to(device):
    if device.type == "mps":
        pytest.skip("a GPU that shares the memory of the CPU has no use for pinned memory")
    pageable = torch.arange(2**24, dtype=torch.float32)
    pinned = pageable.pin_memory()
    return pageable, {
        "pageable": lambda: pageable.to(device),
        "pinned": lambda: pinned.to(device),
        "pinned, non_blocking": lambda: pinned.to(device, non_blocking=True),
    }


def check_copy(found, source, device):
    assert found.device == device
    assert torch.equal(found.cpu(), source)


@pytest.mark.finding("`reshape` that does not copy takes {times} as long as `view`", "reshape", "view", at_most=1.25)
@pytest.mark.finding(
    "`reshape` of a transposed matrix, which copies, takes {times} as long as `view`",
    "reshape, transposed",
    "view",
    at_least=20,
)
@pytest.mark.finding(
    "`contiguous` of a transposed matrix takes {times} as long as of one that is contiguous",
    "contiguous, transposed",
    "contiguous",
    at_least=20,
)
@pytest.mark.limit(
    "`contiguous` of a transposed matrix {side:,} wide reaches {share} of the device's limit", "contiguous, transposed"
)
@pytest.mark.limit("`clone` of a matrix {side:,} wide reaches {share} of the device's limit", "clone")
@pytest.mark.parametrize(
    "entry", ["view", "reshape", "reshape, transposed", "contiguous", "contiguous, transposed", "clone"]
)
def test_view_or_copy(race, sizes, device, entry):
    def transposing(side):
        matrix = torch.zeros(side, side, dtype=torch.int32, device=device)
        return lambda: matrix.T.contiguous()

    side = sizes.largest(transposing, [2**power for power in range(8, 15)])
    copies = ("reshape, transposed", "contiguous, transposed", "clone")
    moved = limits.Work(torch.float32, operations=0, bytes=2 * side * side * limits.bytes_of(torch.int32))
    numbers = torch.arange(side * side, dtype=torch.int32).reshape(side, side)
    matrix = numbers.to(device)
    transposed = matrix.T

    found = race(
        entry,
        {
            "view": lambda: matrix.view(-1),
            "reshape": lambda: matrix.reshape(-1),
            "reshape, transposed": lambda: transposed.reshape(-1),
            "contiguous": lambda: matrix.contiguous(),
            "contiguous, transposed": lambda: transposed.contiguous(),
            "clone": lambda: matrix.clone(),
        },
        {"side": side},
        dict.fromkeys(copies, moved),
    )

    array = numbers.numpy()
    expected = (array.T if "transposed" in entry else array).ravel()
    assert found.is_contiguous()
    assert (found.data_ptr() == matrix.data_ptr()) == (entry not in copies)
    assert np.array_equal(found.cpu().numpy().ravel(), expected)
