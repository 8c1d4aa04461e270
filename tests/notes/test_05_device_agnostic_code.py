"""Device-agnostic code: the same script on a laptop and on a GPU.

Every tensor lives on one device, and most operations want all their tensors on the same one. Code is device agnostic
when the device is chosen in one place and everything else follows. Where this machine has no accelerator, `meta` is the
second device here: a real PyTorch device that knows shapes and dtypes and holds no numbers.
"""

import contextlib
import io
import operator
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

CPU = torch.device("cpu")


# Choosing a device


def test_the_classic_line_finds_a_device_that_works():
    """`"cuda" if torch.cuda.is_available() else "cpu"` names CUDA where torch sees a GPU, and the CPU elsewhere.

    That it computes, only a computation shows: torch also sees a GPU that this build has no kernels for. The line
    overlooks Apple's mps and Intel's xpu, which `torch.accelerator` finds.

    https://docs.pytorch.org/docs/stable/notes/cuda.html
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    tensor = torch.tensor([1.0, 2.0]).to(device)

    assert (device == "cuda") == (torch.cuda.device_count() > 0)
    assert tensor.device.type == device
    assert (tensor * 3).tolist() == [3, 6]


@pytest.mark.holds("torch>=2.6", otherwise=AttributeError)
def test_the_modern_line_finds_any_accelerator():
    """From torch 2.6 on `torch.accelerator.current_accelerator()` names whichever accelerator there is, where
    `torch.accelerator.is_available()`; before, ask for each kind.

    Ask whether before asking which: a CUDA build can name cuda on a machine without a GPU.

    https://docs.pytorch.org/docs/stable/accelerator.html
    """
    device = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else torch.device("cpu")
    tensor = torch.tensor([1.0, 2.0]).to(device)

    assert tensor.device.type == device.type
    assert (device.type == "cpu") == (not torch.accelerator.is_available())
    assert (device.type == "cuda") == torch.cuda.is_available()
    assert (tensor * 3).tolist() == [3, 6]


@pytest.mark.holds("torch>=2.7", otherwise=(AttributeError, TypeError))
def test_current_accelerator_can_check_for_itself():
    """From torch 2.7 on `current_accelerator(check_available=True)` is None exactly where no accelerator is available;
    in 2.6, ask `is_available()` first.

    https://docs.pytorch.org/docs/stable/generated/torch.accelerator.current_accelerator.html
    """
    accelerator = torch.accelerator.current_accelerator(check_available=True)

    assert (accelerator is None) == (not torch.accelerator.is_available())
    assert torch.empty(2, device=accelerator or "cpu").device.type == (accelerator.type if accelerator else "cpu")


@pytest.mark.myth("torch.accelerator.current_accelerator() is None on a machine without a GPU")
@pytest.mark.holds("torch>=2.7", otherwise=(AttributeError, TypeError))
def test_current_accelerator_tells_what_the_build_is_for():
    """From torch 2.7 on `current_accelerator()` names what this torch was built for: `cuda` in every CUDA build, on a
    machine without a GPU too.

    In 2.6 it raised there. `.to(torch.accelerator.current_accelerator())` without a question first works on the laptop
    with a CPU build and fails on the one with the default build of pip.

    https://docs.pytorch.org/docs/stable/generated/torch.accelerator.current_accelerator.html
    """
    named = torch.accelerator.current_accelerator(check_available=False)  # the default

    built_for_gpus = torch.version.cuda is not None or torch.version.hip is not None
    assert (named == torch.device("cuda")) == built_for_gpus
    assert torch.accelerator.current_accelerator() == named


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda: torch.ones(2, device="cuda:99"), id="device="),
        pytest.param(lambda: torch.ones(2).to("cuda:99"), id="Tensor.to"),
        pytest.param(lambda: nn.Linear(2, 1).to("cuda:99"), id="Module.to"),
    ],
)
def test_a_device_that_is_not_there_raises_when_it_is_used(ask):
    """`torch.device("cuda:99")` is only a name and always works; putting something there raises where there is
    no such GPU.

    The exception is an AssertionError in a build without CUDA and a RuntimeError in one with it: catch both, or
    better, ask first.

    https://docs.pytorch.org/docs/stable/tensor_attributes.html
    """
    assert torch.device("cuda:99").index == 99

    with pytest.raises((AssertionError, RuntimeError), match=r"(?i)cuda|nvidia|hip|device index"):
        ask()


def test_names_of_devices():
    """A `torch.device` is a type and perhaps an index: equal when both are equal, so `cuda` is not `cuda:0`.

    https://docs.pytorch.org/docs/stable/tensor_attributes.html
    """
    device = torch.device("cuda:1")

    assert (device.type, device.index, str(device)) == ("cuda", 1, "cuda:1")
    assert device == torch.device("cuda", 1) == torch.device(type="cuda", index=1) == torch.device(device)
    assert len({device, torch.device("cuda", 1), torch.device("cuda", 2)}) == 2
    assert torch.device("cuda").index is None
    assert torch.device("cuda") != torch.device("cuda:0")
    for name in ("gpu", "CUDA", "cuda:-1", "cuda:x", ""):
        with pytest.raises(RuntimeError, match=r"(?i)device"):
            torch.device(name)


@given(type=st.sampled_from(["cpu", "cuda", "mps", "xpu", "meta"]), index=st.none() | st.integers(0, 100))
def test_a_device_is_its_name_for_every_name(type, index):
    """For every type and index, the device made from the parts is the device made from its text, and its text
    is its name.

    https://docs.pytorch.org/docs/stable/tensor_attributes.html
    """
    name = type if index is None else f"{type}:{index}"
    device = torch.device(name)

    assert (device.type, device.index, str(device)) == (type, index, name)
    assert device == (torch.device(type) if index is None else torch.device(type, index))
    assert device != torch.device(type, 101)
    assert hash(device) == hash(torch.device(name))


def test_a_device_never_equals_a_string(device):
    """`tensor.device == "cuda"` is False even on a GPU: compare `tensor.device.type`, or with a `torch.device`.

    https://docs.pytorch.org/docs/stable/tensor_attributes.html
    """
    tensor = torch.ones(2, device=device)

    assert (tensor.device == str(device)) is False
    assert tensor.device == device
    assert tensor.device.type == str(device).partition(":")[0]
    assert tensor.is_cuda == (device.type == "cuda")


def test_on_an_accelerator_every_tensor_has_an_index(accelerator):
    """A tensor made on plain `cuda` reports the index of the current device, `cuda:0` unless you chose another, so it
    is not on the device `cuda` when the two are compared.

    https://docs.pytorch.org/docs/stable/tensor_attributes.html
    """
    plain = torch.device(accelerator.type)
    tensor = torch.ones(2, device=plain)
    module = getattr(torch, accelerator.type)

    assert plain.index is None
    assert tensor.device.index == (module.current_device() if hasattr(module, "current_device") else 0)  # mps has one
    assert tensor.device != plain
    assert tensor.device.type == plain.type


@pytest.mark.holds("torch>=2.3", otherwise=AttributeError)
def test_every_build_can_be_asked_for_an_intel_gpu():
    """From torch 2.3 on `torch.xpu` is there in every build, and `torch.xpu.is_available()` is False where there is no
    such GPU, as `torch.cuda.is_available()` is.

    Before, `elif torch.xpu.is_available()` raised AttributeError in builds that were not Intel's.

    https://docs.pytorch.org/docs/stable/xpu.html
    """
    assert torch.xpu.is_available() is (torch.xpu.device_count() > 0)
    assert torch.cuda.is_available() is (torch.cuda.device_count() > 0)


@pytest.mark.holds("torch>=2.4", otherwise=AttributeError)
def test_get_device_module_finds_the_module_of_a_device(device):
    """From torch 2.4 on `torch.get_device_module(device)` is the module of its type: `torch.cpu`, `torch.cuda`,
    `torch.mps`.

    So `torch.get_device_module(device).synchronize()` needs no `if`. In releases before, write `getattr(torch,
    device.type)`.

    https://docs.pytorch.org/docs/stable/generated/torch.get_device_module.html
    """
    module = torch.get_device_module(device)

    assert module is getattr(torch, device.type)
    assert torch.get_device_module(device.type) is module
    assert torch.get_device_module("cuda") is torch.cuda
    assert module.synchronize() is None


# Making tensors somewhere


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda **where: torch.tensor([1.0, 2.0], **where), id="tensor"),
        pytest.param(lambda **where: torch.zeros(2, **where), id="zeros"),
        pytest.param(lambda **where: torch.ones(2, **where), id="ones"),
        pytest.param(lambda **where: torch.full((2,), 3.0, **where), id="full"),
        pytest.param(lambda **where: torch.empty(2, **where), id="empty"),
        pytest.param(lambda **where: torch.arange(2, **where), id="arange"),
        pytest.param(lambda **where: torch.linspace(0, 1, 2, **where), id="linspace"),
        pytest.param(lambda **where: torch.eye(2, **where), id="eye"),
        pytest.param(lambda **where: torch.rand(2, **where), id="rand"),
        pytest.param(lambda **where: torch.randn(2, **where), id="randn"),
        pytest.param(lambda **where: torch.randint(0, 5, (2,), **where), id="randint"),
        pytest.param(lambda **where: torch.as_tensor(np.ones(2, np.float32), **where), id="as_tensor"),
        pytest.param(lambda **where: nn.Linear(2, 1, **where).weight, id="Linear"),
        pytest.param(lambda **where: nn.BatchNorm1d(2, **where).running_mean, id="BatchNorm1d"),
    ],
)
def test_what_is_made_goes_to_the_cpu_unless_told(make, device_pair):
    """Tensors and layers are made on the CPU by default, and on any device with `device=`, given as a device or
    as its name.

    To make a thing where it is needed saves the copy that `.to` makes.

    https://docs.pytorch.org/docs/stable/tensor_attributes.html
    """
    _, elsewhere = device_pair

    assert make().device == CPU
    assert make(device=elsewhere).device == elsewhere
    assert make(device=str(elsewhere)).device == elsewhere


def test_like_and_new_follow_their_source(device_pair):
    """`zeros_like(source)`, `source.new_zeros(...)` and their kin take the device and the dtype of the source.

    Device-agnostic functions make what they need from what they were given; `torch.zeros(source.shape)` is on
    the CPU again.

    https://docs.pytorch.org/docs/stable/generated/torch.zeros_like.html
    """
    _, elsewhere = device_pair
    source = torch.ones(3, dtype=torch.float16, device=elsewhere)

    like = [torch.zeros_like, torch.ones_like, torch.empty_like, torch.rand_like, torch.randn_like]
    made = [function(source) for function in like] + [torch.full_like(source, 7)]
    made += [
        source.new_zeros(2),
        source.new_ones(2),
        source.new_empty(2),
        source.new_full((2,), 7),
        source.new_tensor([1]),
    ]
    assert {(tensor.device, tensor.dtype) for tensor in made} == {(elsewhere, torch.float16)}
    assert torch.zeros(source.shape).device == CPU


def test_with_torch_device_makes_things_there(device_pair):
    """Inside `with torch.device(...)` new tensors and layers go there; `from_numpy`, `torch.Tensor` and what
    exists already do not.

    https://docs.pytorch.org/docs/stable/generated/torch.set_default_device.html
    """
    _, elsewhere = device_pair
    array, tensor = np.ones(2, np.float32), torch.ones(2)

    with torch.device(elsewhere):
        follow = [torch.ones(2), torch.tensor([1.0]), torch.arange(2), torch.rand(2), torch.as_tensor(array)]
        follow += nn.Linear(2, 1).parameters()
        stay = [torch.from_numpy(array), torch.Tensor([1.0, 2.0]), tensor, tensor + 1, torch.zeros_like(tensor)]
        stay += [torch.ones(2, device="cpu")]  # what is said outright wins

    assert {made.device for made in follow} == {elsewhere}
    assert {made.device for made in stay} == {CPU}
    assert torch.ones(2).device == CPU


def test_with_torch_device_ends_with_its_block(device_pair):
    """`with torch.device(...)` can be nested, the innermost counts, and an exception ends it as well as the end
    of the block.

    https://docs.pytorch.org/docs/stable/generated/torch.set_default_device.html
    """
    _, elsewhere = device_pair
    places = []

    with torch.device(elsewhere):
        with torch.device("cpu"):
            places.append(torch.ones(2).device)
        places.append(torch.ones(2).device)
    places.append(torch.ones(2).device)
    with pytest.raises(KeyError, match="oops"), torch.device(elsewhere):
        raise KeyError("oops")
    places.append(torch.ones(2).device)

    assert places == [CPU, elsewhere, CPU, CPU]


def test_set_default_device_holds_for_one_thread(device_pair):
    """`torch.set_default_device` changes where new tensors go for the rest of the thread that called it, and in
    no other thread.

    Prefer `with torch.device(...)`, which ends by itself, or pass `device=`.

    https://docs.pytorch.org/docs/stable/generated/torch.set_default_device.html
    """
    _, elsewhere = device_pair

    def work():
        torch.set_default_device(elsewhere)
        made = torch.ones(2).device, nn.Linear(2, 1).weight.device, torch.from_numpy(np.ones(2)).device
        torch.set_default_device(None)  # back to what it was
        return *made, torch.ones(2).device

    with ThreadPoolExecutor(1) as thread:
        places = thread.submit(work).result()
    assert places == (elsewhere, elsewhere, CPU, CPU)
    assert torch.ones(2).device == CPU


def test_a_new_tensor_tells_the_default_device(device_pair):
    """`torch.empty(0).device` is where new tensors go, in every release and inside `with torch.device(...)` too.

    https://docs.pytorch.org/docs/stable/generated/torch.set_default_device.html
    """
    for place in device_pair:
        with torch.device(place):
            assert torch.empty(0).device == place
    assert torch.empty(0).device == CPU


@pytest.mark.holds("torch>=2.3", otherwise=AttributeError)
def test_get_default_device_tells_where_tensors_go(device_pair):
    """From torch 2.3 on `torch.get_default_device()` is the CPU, or what `torch.set_default_device` said last; before,
    read `torch.empty(0).device`.

    https://docs.pytorch.org/docs/stable/generated/torch.get_default_device.html
    """
    _, elsewhere = device_pair

    def work():
        torch.set_default_device(elsewhere)
        return torch.get_default_device()

    assert torch.get_default_device() == CPU
    with ThreadPoolExecutor(1) as thread:  # the default ends with the thread
        assert thread.submit(work).result() == elsewhere


@pytest.mark.holds("torch>=2.8", otherwise=(AttributeError, AssertionError))
def test_get_default_device_sees_the_block_around_it(device_pair):
    """From torch 2.8 on `torch.get_default_device()` inside `with torch.device(...)` is the device of the block.

    From 2.3 to 2.7 it overlooked the block, and what was made with `device=torch.get_default_device()` went to another
    place than what was made without `device=`. Read the device of a new tensor, `torch.empty(0).device`: that is right
    in every release.

    https://docs.pytorch.org/docs/stable/generated/torch.get_default_device.html
    """
    _, elsewhere = device_pair

    with torch.device(elsewhere):
        assert torch.get_default_device() == elsewhere
        with torch.device("cpu"):
            assert torch.get_default_device() == CPU
    assert torch.get_default_device() == CPU


@pytest.mark.holds("torch>=2.10", otherwise=AttributeError)
def test_the_default_device_can_be_taken_back(device_pair):
    """From torch 2.10 on `torch.set_default_device(None)` takes the default back, and `torch.get_default_device()` is
    the CPU again.

    From 2.3 to 2.9 new tensors were on the CPU again, too, but `get_default_device` raised AttributeError for the rest
    of the thread: there, write `torch.set_default_device("cpu")`.

    https://docs.pytorch.org/docs/stable/generated/torch.set_default_device.html
    """
    _, elsewhere = device_pair

    def work():
        torch.set_default_device(elsewhere)
        torch.set_default_device(None)
        return torch.get_default_device(), torch.ones(2).device

    with ThreadPoolExecutor(1) as thread:  # the default ends with the thread
        assert thread.submit(work).result() == (CPU, CPU)


# Moving tensors


def test_to_moves_nothing_by_itself(device_pair):
    """`tensor.to(device)` returns a tensor on that device and leaves the old one where it was: write
    `tensor = tensor.to(device)`.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.to.html
    """
    one, elsewhere = device_pair
    tensor = torch.ones(2, 3, device=one)

    moved = tensor.to(elsewhere)

    assert tensor.device == one
    assert (moved.device, moved.shape, moved.dtype) == (elsewhere, (2, 3), torch.float32)


def test_to_copies_only_when_something_changes(device):
    """`.to` returns the very same tensor where device and dtype are right already, and a copy where one is not.

    So `.to(device)` costs nothing when repeated; `copy=True` or `.clone()` asks for memory of its own.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.to.html
    """
    tensor = torch.tensor([1.0, 2.0], device=device)

    assert tensor.to(device) is tensor
    assert tensor.to(str(device)) is tensor
    assert tensor.to(device, torch.float32) is tensor
    assert tensor.to(torch.zeros(1, device=device)) is tensor
    for copy in (tensor.to(device, copy=True), tensor.to(device, torch.float16), tensor.clone()):
        copy += 5
        assert copy.tolist() == [6, 7]
        assert copy.device == device
    assert tensor.tolist() == [1, 2]


def test_to_takes_another_tensor_as_the_example(device_pair):
    """`tensor.to(other)` takes over both the device and the dtype of `other`; `.to(other.device)` only the device.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.to.html
    """
    one, elsewhere = device_pair
    tensor = torch.ones(2, dtype=torch.int64, device=one)
    other = torch.zeros(3, dtype=torch.float16, device=elsewhere)

    assert (tensor.to(other).device, tensor.to(other).dtype) == (elsewhere, torch.float16)
    assert (tensor.to(other.device).device, tensor.to(other.device).dtype) == (elsewhere, torch.int64)
    assert (tensor.to(other.dtype).device, tensor.to(other.dtype).dtype) == (one, torch.float16)


def test_a_copy_on_another_device_goes_its_own_way(accelerator):
    """Between the CPU and an accelerator both `.to` and `.cpu()` copy: a write on one side never shows on the other.

    On the CPU alone, `.cpu()` returns the tensor itself: code that relies on sharing there breaks on a GPU, and
    the other way round. To write into a tensor on another device, use `copy_`.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.cpu.html
    """
    here = torch.tensor([1.0, 2.0])
    there = here.to(accelerator)
    back = there.cpu()
    there[0] = 7

    assert (here.tolist(), there.tolist(), back.tolist()) == ([1, 2], [7, 2], [1, 2])
    assert here.cpu() is here
    assert there.to(accelerator) is there
    assert here.copy_(there) is here
    assert here.device == CPU
    assert here.tolist() == [7, 2]


@given(
    values=st.lists(st.integers(0, 100), max_size=6),
    dtype=st.sampled_from(
        [torch.float32, torch.float16, torch.int64, torch.int32, torch.int8, torch.uint8, torch.bool]
    ),
)
def test_a_round_trip_changes_nothing_for_every_dtype(device, values, dtype):
    """A tensor that went to a device and back has the values, the dtype and the shape it had.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.to.html
    """
    tensor = torch.tensor(values).to(dtype).reshape(-1, 1)
    there = tensor.to(device)
    back = there.cpu()

    assert (there.device, there.dtype, there.shape) == (device, dtype, tensor.shape)
    assert (back.device, back.dtype) == (CPU, dtype)
    assert torch.equal(back, tensor)
    assert back.tolist() == tensor.tolist()


def test_the_way_out_of_torch_is_the_same_everywhere(device):
    """`.item()`, `.tolist()` and `.detach().cpu().numpy()` give Python and NumPy the numbers from every device.

    `.numpy()` alone raises on a GPU, and everywhere for a tensor that requires grad, as this one does. `.cpu()` is for
    the tensor: an array has no such method.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.numpy.html
    """
    tensor = torch.tensor([1.5, 2.5], device=device, requires_grad=True)

    array = tensor.detach().cpu().numpy()

    assert array.tolist() == tensor.tolist() == [1.5, 2.5]
    assert array.dtype == np.float32
    assert tensor[1].item() == 2.5
    with pytest.raises((RuntimeError, TypeError), match="numpy"):
        tensor.numpy()
    with pytest.raises(AttributeError, match="has no attribute 'cpu'"):
        array.cpu()


def test_a_moved_leaf_is_no_leaf(device):
    """`.to` is an operation that autograd records: the moved tensor is no leaf, and the gradient arrives at the
    one it came from.

    `torch.ones(2, requires_grad=True).to(device)` therefore has a `.grad` on the CPU, where nothing is moved, and none
    on a GPU: make a leaf where it is needed, with `device=`.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.is_leaf.html
    """
    leaf = torch.tensor([1.0, 2.0], dtype=torch.float16, requires_grad=True)
    moved = leaf.to(device, torch.float32)  # the new dtype makes it a new tensor on the CPU too

    (moved * torch.tensor([3.0, 4.0], device=device)).sum().backward()

    assert leaf.is_leaf
    assert not moved.is_leaf
    assert moved.requires_grad
    assert leaf.grad.tolist() == [3, 4]
    assert (leaf.grad.device, leaf.grad.dtype) == (CPU, torch.float16)


def test_float64_is_on_cuda_and_not_on_mps(accelerator):
    """A float64 tensor moves to CUDA as it is, and raises TypeError on the way to Apple's mps, which has no such
    numbers.

    NumPy's decimals are float64: `torch.as_tensor(array, dtype=torch.float32)` is right on every device. Intel's xpu
    holds float64; whether it computes with it depends on the model.

    https://docs.pytorch.org/docs/stable/notes/mps.html
    """
    tensor = torch.from_numpy(np.array([0.1, 2.0]))

    if accelerator.type == "mps":
        with pytest.raises(TypeError, match="float64"):
            tensor.to(accelerator)
    else:
        there = tensor.to(accelerator)
        assert (there.device, there.dtype) == (accelerator, torch.float64)
        assert there.cpu().tolist() == [0.1, 2]
        if accelerator.type == "cuda":
            assert (there * 3).tolist() == (tensor * 3).tolist()

    single = tensor.float().to(accelerator)
    assert (single.device, single.dtype) == (accelerator, torch.float32)
    assert single.tolist() == tensor.float().tolist()


# When the memory is full


def test_too_little_memory_is_an_exception(device):
    """A tensor that is too large raises RuntimeError on every device, and nothing is lost: what was there before is
    there, and the device computes on.

    So a training script can catch it and try a smaller batch.

    https://docs.pytorch.org/docs/stable/notes/faq.html
    """
    tensor = torch.tensor([1.0, 2.0], device=device)

    with pytest.raises(RuntimeError, match=r"(?i)memory|buffer size"):
        torch.empty(2**60, dtype=torch.uint8, device=device)  # an exbibyte

    assert (tensor * 3).tolist() == [3, 6]
    assert torch.ones(1000, device=device).sum().item() == 1000


def test_a_gpu_out_of_memory_raises_a_class_of_its_own(accelerator):
    """On CUDA it is `torch.cuda.OutOfMemoryError`, a RuntimeError, which can be caught without catching others; on mps
    it is a plain RuntimeError.

    What the failed allocation asked for does not count as allocated afterwards.

    https://docs.pytorch.org/docs/stable/notes/cuda.html
    """
    module = getattr(torch, accelerator.type)
    read = module.current_allocated_memory if accelerator.type == "mps" else module.memory_allocated
    before = read()

    with pytest.raises(RuntimeError, match=r"(?i)memory|buffer size") as caught:
        torch.empty(2**60, dtype=torch.uint8, device=accelerator)

    assert isinstance(caught.value, torch.cuda.OutOfMemoryError) == (accelerator.type != "mps")
    assert read() <= before
    assert (torch.ones(3, device=accelerator) * 2).tolist() == [2, 2, 2]


@pytest.mark.holds("torch>=2.4", otherwise=AttributeError)
def test_out_of_memory_has_a_name_for_every_device():
    """From torch 2.4 on `torch.OutOfMemoryError` is the class of it for every kind of GPU, and
    `torch.cuda.OutOfMemoryError` is another name of the same.

    In releases before there is only the second one. The CPU raises a plain RuntimeError.

    https://docs.pytorch.org/docs/stable/notes/cuda.html
    """
    assert torch.OutOfMemoryError is torch.cuda.OutOfMemoryError
    assert issubclass(torch.OutOfMemoryError, RuntimeError)

    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert type(caught.value) is RuntimeError


@pytest.mark.holds("torch>=2.8", otherwise=AttributeError)
def test_an_error_of_a_device_is_still_a_runtime_error():
    """From torch 2.8 on there is `torch.AcceleratorError` for what a device reports, and as a RuntimeError it is still
    caught by `except RuntimeError`, which works in every release.

    Too little memory is no case of it, but a class beside it: two `except` clauses tell them apart, in either order.

    https://docs.pytorch.org/docs/stable/generated/torch.cuda.OutOfMemoryError.html
    """
    assert issubclass(torch.AcceleratorError, RuntimeError)
    assert not issubclass(torch.OutOfMemoryError, torch.AcceleratorError)
    assert not issubclass(torch.AcceleratorError, torch.OutOfMemoryError)


# Two devices in one operation

PAIRWISE = {
    "+": operator.add,
    "add": lambda one, another: torch.add(one, another),
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "==": operator.eq,
    "<": operator.lt,
    "sub": lambda one, another: torch.sub(one, another),
    "mul": lambda one, another: torch.mul(one, another),
    "div": lambda one, another: torch.div(one, another),
    "maximum": lambda one, another: torch.maximum(one, another),
    "where": lambda one, another: torch.where(one > 0, one, another),
    "cat": lambda one, another: torch.cat([one, another]),
    "stack": lambda one, another: torch.stack([one, another]),
    "mse_loss": lambda one, another: F.mse_loss(one, another),
    "l1_loss": lambda one, another: F.l1_loss(one, another),
    "bce_with_logits": lambda one, another: F.binary_cross_entropy_with_logits(one, another),
    "cross_entropy": lambda one, another: F.cross_entropy(one, another.argmax(1)),
}


@pytest.mark.parametrize("operation", PAIRWISE.values(), ids=PAIRWISE)
def test_tensors_on_two_devices_do_not_mix(operation, device_pair):
    """Arithmetic, comparisons, joins and losses of tensors with dimensions raise RuntimeError across two devices, in
    either order: nothing is moved behind your back.

    What does mix has its own notes: a 0-dimensional CPU tensor, an index on the CPU, `copy_`.

    https://docs.pytorch.org/docs/stable/notes/cuda.html
    """
    one, elsewhere = device_pair
    here, there = torch.full((2, 3), 0.5, device=one), torch.full((2, 3), 0.25, device=elsewhere)

    with pytest.raises(RuntimeError, match=r"device|expected"):
        operation(here, there)
    with pytest.raises(RuntimeError, match=r"device|expected"):
        operation(there, here)
    assert operation(here, here).device == one  # each device for itself is fine
    assert operation(there, there).device == elsewhere


@given(
    name=st.sampled_from(["add", "mul", "eq"]),
    shape=st.lists(st.integers(1, 3), min_size=1, max_size=3),
    spread=st.lists(st.booleans(), min_size=3, max_size=3),
)
def test_tensors_on_two_devices_do_not_mix_for_every_shape(device_pair, name, shape, spread):
    """Whatever the shapes, as long as neither tensor is 0-dimensional, adding, multiplying and comparing on two
    devices raise.

    https://docs.pytorch.org/docs/stable/notes/cuda.html
    """
    one, elsewhere = device_pair
    operation = getattr(torch, name)
    here = torch.ones(shape, device=one)
    there = torch.ones([1 if squash else size for size, squash in zip(shape, spread, strict=False)], device=elsewhere)

    with pytest.raises(RuntimeError, match="device"):
        operation(here, there)
    with pytest.raises(RuntimeError, match="device"):
        operation(there, here)


def test_a_scalar_tensor_of_the_cpu_mixes_with_any_device(device_pair):
    """In arithmetic a 0-dimensional CPU tensor may meet a tensor of any device, as a Python number may, and the result
    is on that device.

    Nothing else mixes in arithmetic: no tensor of one element with brackets around it, and no 0-dimensional tensor from
    elsewhere with a CPU tensor, so `total += loss` with a total on the CPU needs `loss.item()` on a GPU.

    https://docs.pytorch.org/docs/stable/notes/cuda.html
    """
    _, elsewhere = device_pair
    vector = torch.ones(3, device=elsewhere)
    scalar = torch.tensor(2.0)

    for operation in (operator.add, operator.sub, operator.mul, operator.truediv, operator.lt):
        assert operation(scalar, vector).device == operation(vector, scalar).device == elsewhere
        assert operation(2.0, vector).device == operation(vector, 2.0).device == elsewhere
        for here, there in [(torch.ones(3), torch.tensor(2.0, device=elsewhere)), (torch.tensor([2.0]), vector)]:
            with pytest.raises(RuntimeError, match="device"):
                operation(here, there)
            with pytest.raises(RuntimeError, match="device"):
                operation(there, here)


def test_a_scalar_of_the_cpu_computes_on_an_accelerator(accelerator):
    """What a 0-dimensional CPU tensor and an accelerator's tensor give is right in value and lies on the accelerator.

    https://docs.pytorch.org/docs/stable/notes/cuda.html
    """
    vector = torch.tensor([1.0, 2.0, 4.0], device=accelerator)
    scalar = torch.tensor(2.0)

    assert (vector * scalar).tolist() == [2, 4, 8]
    assert (scalar - vector).tolist() == [1, 0, -2]
    assert (vector * scalar).device == (scalar - vector).device == (scalar + vector.sum()).device == accelerator
    vector += scalar
    assert vector.tolist() == [3, 4, 6]


PRODUCTS = {
    "@": operator.matmul,
    "mm": lambda one, another: torch.mm(one, another),
    "bmm": lambda one, another: torch.bmm(one.unsqueeze(0), another.unsqueeze(0)),
    "linear": lambda one, another: F.linear(one, another),
    "linear, bias elsewhere": lambda one, another: F.linear(one, one, another.sum(0)),
    "add_": lambda one, another: one.add_(another),
}
EMBEDDING = {"embedding": lambda one, another: F.embedding(one.long(), another)}


@pytest.mark.parametrize("operation", (PRODUCTS | EMBEDDING).values(), ids=PRODUCTS | EMBEDDING)
def test_matrix_products_do_not_mix_devices_either(operation, accelerator):
    """Between the CPU and an accelerator, matrix products, `add_` and embeddings raise RuntimeError in either order.

    https://docs.pytorch.org/docs/stable/notes/cuda.html
    """
    here, there = torch.ones(3, 3), torch.ones(3, 3, device=accelerator)

    with pytest.raises(RuntimeError, match=r"device|expected"):
        operation(here, there)
    with pytest.raises(RuntimeError, match=r"device|expected"):
        operation(there, here)
    assert here.sum().item() == there.sum().item() == 9


def what_mixes_with_cuda():
    """The names of the operations that took a tensor of CUDA together with one of the CPU.

    No embedding, for which torch's simulation of a GPU is wrong in early releases.
    """
    here, there = torch.ones(3, 3), torch.ones(3, 3, device="cuda")
    mixed = []
    for name, operation in (PAIRWISE | PRODUCTS).items():
        operation(there, there)  # among themselves they do
        for one, another in [(here, there), (there, here)]:
            with contextlib.suppress(RuntimeError):
                operation(one, another)
                mixed.append(name)
    return mixed


def test_operations_do_not_mix_a_gpus_tensors_with_the_cpus(on_cuda):
    """Products, layers, joins, losses and arithmetic, in place or not, raise RuntimeError where a CUDA tensor with
    dimensions meets one of the CPU, in either order.

    https://docs.pytorch.org/docs/stable/notes/cuda.html
    """
    assert on_cuda(what_mixes_with_cuda) == []


def test_an_index_may_stay_on_the_cpu(accelerator):
    """A tensor on an accelerator takes an index from the CPU; a CPU tensor refuses an index from the accelerator.

    https://docs.pytorch.org/docs/stable/notes/cuda.html
    """
    tensor, index = torch.tensor([5.0, 6.0, 7.0]), torch.tensor([2, 0])

    picked = tensor.to(accelerator)[index]

    assert picked.tolist() == [7, 5]
    assert picked.device == accelerator
    with pytest.raises(RuntimeError, match=r"(?i)indices should be .*on cpu"):
        tensor[index.to(accelerator)]


# Models


class Parts(nn.Module):
    """A tensor in every place a module can keep one."""

    def __init__(self):
        super().__init__()
        self.parameter = nn.Parameter(torch.ones(2))
        self.child = nn.Linear(2, 1)
        self.register_buffer("buffer", torch.ones(2))
        self.register_buffer("unsaved_buffer", torch.ones(2), persistent=False)
        self.plain = torch.ones(2)
        self.in_a_list = [torch.ones(2)]


def test_module_to_moves_parameters_and_buffers_and_nothing_else(device_pair):
    """`model.to(device)` moves parameters, buffers and submodules in place and returns the model; plain tensors
    stay behind.

    A tensor that belongs to a model but is not trained is registered with `register_buffer`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    _, elsewhere = device_pair
    model = Parts()

    assert model.to(elsewhere) is model
    assert {
        "parameter": model.parameter.device,
        "child": model.child.weight.device,
        "buffer": model.buffer.device,
        "unsaved_buffer": model.unsaved_buffer.device,
        "plain": model.plain.device,
        "in_a_list": model.in_a_list[0].device,
    } == {
        "parameter": elsewhere,
        "child": elsewhere,
        "buffer": elsewhere,
        "unsaved_buffer": elsewhere,
        "plain": CPU,
        "in_a_list": CPU,
    }


def test_a_model_has_no_device_of_its_own(device_pair):
    """A module has no `.device`, for its parts may lie on several: ask one of its parameters.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    one, elsewhere = device_pair
    model = nn.Sequential(nn.Linear(2, 3, device=one), nn.Linear(3, 1, device=elsewhere))

    with pytest.raises(AttributeError, match="has no attribute 'device'"):
        model.device
    assert next(model.parameters()).device == one
    assert {parameter.device for parameter in model.parameters()} == {one, elsewhere}


def test_model_and_data_must_both_be_moved(device_pair):
    """A layer raises RuntimeError for an input from another device, whichever of the two was left behind.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html
    """
    one, elsewhere = device_pair
    x, model = torch.ones(4, 2, device=one), nn.Linear(2, 3, device=one)

    with pytest.raises(RuntimeError, match=r"device|expected"):
        model(x.to(elsewhere))
    model.to(elsewhere)
    with pytest.raises(RuntimeError, match=r"device|expected"):
        model(x)
    assert model(x.to(elsewhere)).device == elsewhere


def test_everything_computed_follows_model_and_data(device_pair):
    """With model and data on one device, the outputs, the loss, the gradients, SGD's momentum and an accuracy computed
    from them are there too.

    So these two are all there is to move, unless a loss has weights or a metric object has state. (Adam keeps its step
    count on the CPU by default, on purpose.)

    https://docs.pytorch.org/docs/stable/notes/cuda.html
    """
    _, device = device_pair
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 4)).to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    x, y = torch.ones(5, 2).to(device), torch.zeros(5, dtype=torch.int64).to(device)

    logits = model(x)
    loss = F.cross_entropy(logits, y)
    loss.backward()
    optimizer.step()
    accuracy = (logits.argmax(1) == y).float().mean()
    adam = torch.optim.Adam(model.parameters())
    adam.step()

    momenta = [optimizer.state[parameter]["momentum_buffer"] for parameter in model.parameters()]
    gradients = [parameter.grad for parameter in model.parameters()]
    assert {tensor.device for tensor in [logits, loss, accuracy, *gradients, *momenta, *model.buffers()]} == {device}
    assert {state["step"].device for state in adam.state.values()} == {CPU}


@pytest.mark.parametrize(
    ("make", "dtype"),
    [
        pytest.param(lambda weight: nn.CrossEntropyLoss(weight=weight), torch.int64, id="CrossEntropyLoss"),
        pytest.param(lambda weight: nn.BCEWithLogitsLoss(pos_weight=weight), torch.float32, id="BCEWithLogitsLoss"),
    ],
)
def test_a_loss_with_weights_must_be_moved_too(make, dtype, device_pair):
    """The weights of a loss are a buffer of it: with the model moved and the loss not, the call raises;
    `.to(device)` moves both.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
    """
    one, elsewhere = device_pair
    loss_fn = make(torch.tensor([1.0, 2.0, 3.0], device=one))
    logits = torch.ones(2, 3, device=elsewhere)
    targets = torch.ones((2,) if dtype == torch.int64 else (2, 3), dtype=dtype, device=elsewhere)

    with pytest.raises(RuntimeError, match=r"device|expected"):
        loss_fn(logits, targets)
    assert loss_fn.to(elsewhere)(logits, targets).device == elsewhere


def test_a_dataloader_leaves_batches_where_the_data_is(device):
    """A DataLoader does not know the model's device: batches of CPU data are on the CPU, and each one is moved
    in the loop.

    A batch of a TensorDataset is a list of tensors, and a list has no `.to`. Data that fits may be moved once,
    before the loop.

    https://docs.pytorch.org/docs/stable/data.html
    """
    x, y = torch.arange(6.0).reshape(3, 2), torch.tensor([3, 4, 5])

    batch = next(iter(DataLoader(TensorDataset(x, y), batch_size=2)))
    with pytest.raises(AttributeError, match="'list' object has no attribute 'to'"):
        batch.to(device)
    moved = [part.to(device) for part in batch]
    made_there = next(iter(DataLoader(TensorDataset(x.to(device), y.to(device)), batch_size=2)))

    assert [part.device for part in batch] == [CPU, CPU]
    for parts in (moved, made_there):
        assert [part.device for part in parts] == [device, device]
        assert [part.tolist() for part in parts] == [[[0, 1], [2, 3]], [3, 4]]


def test_an_optimizer_built_before_a_move_still_works(device):
    """Moving a model to a device or dtype keeps its Parameter objects, so an optimizer built before goes on
    updating them.

    Its state does not move along: after the first step of an optimizer with momentum, move no more.

    https://docs.pytorch.org/docs/stable/optim.html
    """
    # float16, because the change to float32 makes it a real move on the CPU too
    model = nn.Linear(2, 1, bias=False, dtype=torch.float16)
    model.weight.data = torch.tensor([[1.0, 2.0]], dtype=torch.float16)
    weight = model.weight
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)

    model.to(device, torch.float32)
    model(torch.tensor([[2.0, 4.0]], device=device)).sum().backward()
    optimizer.step()

    assert model.weight is weight is optimizer.param_groups[0]["params"][0]
    assert (model.weight.device, model.weight.dtype) == (device, torch.float32)
    assert model.weight.tolist() == [[0, 0]]


def test_tied_weights_stay_tied_after_a_move(device):
    """Two layers that share a weight share it after a move as well.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    model = nn.Sequential(nn.Linear(3, 3, dtype=torch.float16), nn.Linear(3, 3, dtype=torch.float16))
    model[1].weight = model[0].weight

    model.to(device, torch.float32)

    assert model[1].weight is model[0].weight
    assert (model[0].weight.device, model[0].weight.dtype) == (device, torch.float32)


def test_optimizer_state_is_loaded_to_where_the_parameters_are(device_pair):
    """`optimizer.load_state_dict` puts the momentum on the device of the parameters, wherever it was saved.

    https://docs.pytorch.org/docs/stable/generated/torch.optim.Optimizer.load_state_dict.html
    """
    one, elsewhere = device_pair
    model = nn.Linear(2, 3, device=one)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    model(torch.ones(4, 2, device=one)).sum().backward()
    optimizer.step()

    there = nn.Linear(2, 3, device=elsewhere)
    resumed = torch.optim.SGD(there.parameters(), lr=0.7)
    resumed.load_state_dict(optimizer.state_dict())

    loaded = resumed.state[there.weight]["momentum_buffer"]
    assert (loaded.device, loaded.shape) == (elsewhere, (3, 2))
    assert optimizer.state[model.weight]["momentum_buffer"].device == one
    assert (resumed.param_groups[0]["lr"], resumed.param_groups[0]["momentum"]) == (0.1, 0.9)


# Saving and loading


def test_load_state_dict_keeps_the_models_device(device):
    """`model.load_state_dict` copies the values into the parameters where they are: a CPU checkpoint does not
    move the model.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    model = nn.Linear(2, 1, device=device)
    checkpoint = {"weight": torch.tensor([[3.0, 4.0]]), "bias": torch.tensor([5.0])}

    model.load_state_dict(checkpoint)
    checkpoint["weight"] += 1

    assert model.weight.device == model.bias.device == device
    assert (model.weight.tolist(), model.bias.tolist()) == ([[3, 4]], [5])


def test_load_puts_tensors_back_where_they_were_saved(device):
    """`torch.load` returns tensors to the device they were saved from; with `map_location="cpu"` it needs no
    such device.

    https://docs.pytorch.org/docs/stable/generated/torch.load.html
    """
    file = io.BytesIO()
    torch.save({"w": torch.tensor([1.0, 2.0], device=device)}, file)

    file.seek(0)
    as_saved = torch.load(file)["w"]
    file.seek(0)
    on_the_cpu = torch.load(file, map_location="cpu")["w"]

    assert as_saved.device == device
    assert on_the_cpu.device == CPU
    assert as_saved.tolist() == on_the_cpu.tolist() == [1, 2]


def test_map_location_chooses_the_device(device_pair):
    """`map_location` takes a device, its name, or a dict from where things were to where they go.

    https://docs.pytorch.org/docs/stable/generated/torch.load.html
    """
    one, elsewhere = device_pair
    file = io.BytesIO()
    torch.save({"w": torch.ones(2, 3, device=one)}, file)

    for map_location in (elsewhere, str(elsewhere), {str(one): str(elsewhere)}):
        file.seek(0)
        loaded = torch.load(file, map_location=map_location)["w"]
        assert (loaded.device, loaded.shape, loaded.dtype) == (elsewhere, (2, 3), torch.float32)


def test_loading_to_a_gpu_that_is_not_there_raises():
    """What `torch.load` should put on a GPU that this machine does not have raises RuntimeError and names
    `map_location` as the cure.

    https://docs.pytorch.org/docs/stable/generated/torch.load.html
    """
    file = io.BytesIO()
    torch.save(torch.ones(2), file)
    file.seek(0)

    with pytest.raises(RuntimeError, match=r"Attempting to deserialize object on .*map_location"):
        torch.load(file, map_location="cuda:99")


# The device without numbers


def test_meta_tensors_have_shapes_and_no_numbers():
    """On the device `meta` a tensor of four terabytes costs nothing, and shapes and dtypes are computed; there
    are no numbers to read.

    https://docs.pytorch.org/docs/stable/meta.html
    """
    tensor = torch.ones(10**6, 10**6, device="meta")
    column = tensor.half().sum(dim=1, keepdim=True)

    assert (column.shape, column.dtype, column.device.type) == ((10**6, 1), torch.float16, "meta")
    for read in (column.cpu, column.tolist, column[0, 0].item, lambda: column.to("cpu")):
        with pytest.raises(RuntimeError):  # mostly the NotImplementedError that is one
            read()


def test_a_model_from_meta_gets_its_memory_with_to_empty(device):
    """A model built on `meta` has no weights to move: `.to` raises, `.to_empty` allocates, and
    `load_state_dict` fills what it has.

    That builds a large model without drawing initial weights only to throw them away. Buffers with `persistent=False`
    are in no state_dict and stay uninitialised. The Parameters are new ones, so the optimizer comes after.

    https://docs.pytorch.org/docs/stable/meta.html
    """
    model = nn.Linear(2, 1, device="meta")
    model.register_buffer("unsaved", torch.ones(1, device="meta"), persistent=False)
    weight = model.weight

    with pytest.raises(NotImplementedError, match="no data"):
        model.to(device)
    assert model.to_empty(device=device) is model
    model.unsaved.fill_(7)
    model.load_state_dict({"weight": torch.tensor([[3.0, 4.0]]), "bias": torch.tensor([5.0])})

    assert model.unsaved.tolist() == [7]
    assert model(torch.tensor([[1.0, 2.0]], device=device)).tolist() == [[16]]
    assert model.weight.device == device
    assert model.weight is not weight


@pytest.mark.myth("load_state_dict fills a model that was built on meta")
@pytest.mark.holds("torch>=2.1", otherwise=AssertionError)
def test_loading_into_a_meta_model_does_nothing():
    """From torch 2.1 on a UserWarning says that `load_state_dict` into a model on `meta` loads nothing; it reports that
    all keys match, and in 2.0 there was no warning either.

    Use `to_empty` or `assign=True`: the notes before and after this one.

    https://docs.pytorch.org/docs/stable/meta.html
    """
    with torch.device("meta"):
        model = nn.Linear(2, 1)

    with pytest.warns(UserWarning, match="no-op"):
        report = model.load_state_dict({"weight": torch.ones(1, 2), "bias": torch.ones(1)})
    assert report.missing_keys == report.unexpected_keys == []
    assert model.weight.device.type == model.bias.device.type == "meta"


@pytest.mark.holds("torch>=2.1", otherwise=TypeError)
def test_a_model_from_meta_can_take_the_tensors_of_the_file(device):
    """From torch 2.1 on `load_state_dict(state, assign=True)` puts the tensors of the file into a model from `meta`:
    nothing is allocated twice, and the model is where the file was loaded to.

    In 2.0, `to_empty` first and load then.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    state = {"weight": torch.tensor([[3.0, 4.0]], device=device), "bias": torch.tensor([5.0], device=device)}
    with torch.device("meta"):
        model = nn.Linear(2, 1)

    model.load_state_dict(state, assign=True)

    assert model(torch.tensor([[1.0, 2.0]], device=device)).tolist() == [[16]]
    assert model.weight.device == model.bias.device == device
    assert model.weight.data_ptr() == state["weight"].data_ptr()


@pytest.mark.myth("mixing two devices always raises")
def test_meta_is_not_checked_everywhere():
    """Between the CPU and `meta`, matrix products, embeddings and indexing a CPU tensor with a meta index return memory
    garbage, and `+=` does nothing.

    Between the CPU and a real accelerator these very calls raise. After building on meta, check that no parameter
    is left there.

    https://docs.pytorch.org/docs/stable/meta.html
    """
    x, weight = torch.ones(2, 3), torch.ones(4, 3, device="meta")
    index = torch.tensor([1, 0], device="meta")

    garbage = [x @ weight.T, F.linear(x, weight), F.embedding(index, x), x[index]]
    assert [tuple(tensor.shape) for tensor in garbage] == [(2, 4), (2, 4), (2, 3), (2, 3)]
    assert {(tensor.device, tensor.dtype) for tensor in garbage} == {(CPU, torch.float32)}

    y = torch.tensor([1.0, 2.0])
    y += torch.ones(2, device="meta")
    assert y.tolist() == [1, 2]


# Mixed precision: what it does is in section 12, and here is how its device is named


@pytest.mark.holds("torch>=2.4", otherwise=TypeError)
def test_autocast_can_be_asked_by_type_of_device():
    """From torch 2.4 on `torch.is_autocast_enabled(device.type)` tells whether autocast is on for a type of device, and
    `torch.get_autocast_dtype(device.type)` in what dtype it computes: on the CPU in bfloat16, on CUDA in float16.

    Before, there was a function for each type, and `is_autocast_enabled()` spoke of CUDA alone.

    https://docs.pytorch.org/docs/stable/amp.html
    """
    assert [torch.is_autocast_enabled(device_type) for device_type in ("cpu", "cuda")] == [False, False]
    assert torch.get_autocast_dtype("cpu") == torch.bfloat16
    assert torch.get_autocast_dtype("cuda") == torch.float16

    with torch.autocast("cpu", dtype=torch.float16):
        assert [torch.is_autocast_enabled(device_type) for device_type in ("cpu", "cuda")] == [True, False]
        assert torch.get_autocast_dtype("cpu") == torch.float16


@pytest.mark.holds("torch>=2.4", otherwise=AssertionError)
def test_mixed_precision_names_its_device():
    """From torch 2.4 on `autocast` and `GradScaler` of `torch.cuda.amp` and `torch.cpu.amp` give a FutureWarning: write
    `torch.autocast("cuda")` and `torch.amp.GradScaler("cuda")`.

    The first works in every release, the second from 2.3 on.

    https://docs.pytorch.org/docs/stable/amp.html
    """
    with pytest.warns(FutureWarning, match=r"Please use `torch.amp.autocast\('cpu', args...\)`"):
        torch.cpu.amp.autocast()
    with pytest.warns(FutureWarning, match=r"Please use `torch.amp.GradScaler\('cuda', args...\)`"):
        torch.cuda.amp.GradScaler(enabled=False)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        torch.autocast("cpu")
        torch.amp.GradScaler("cuda", enabled=False)


@pytest.mark.holds("torch>=2.2", otherwise=UserWarning)
def test_autocast_on_the_cpu_takes_float16():
    """From torch 2.2 on `torch.autocast("cpu", dtype=torch.float16)` computes products in float16; before, it
    warned and raised RuntimeError.

    bfloat16, which is its default on the CPU, works in every release.

    https://docs.pytorch.org/docs/stable/amp.html
    """
    x = torch.tensor([[1.0, 2.0], [-3.0, 0.5]])

    with torch.autocast("cpu", dtype=torch.float16):
        product = x @ x
    with torch.autocast("cpu"):
        by_default = x @ x

    assert (product.dtype, product.tolist()) == (torch.float16, [[-5, 3], [-4.5, -5.75]])
    assert (by_default.dtype, by_default.tolist()) == (torch.bfloat16, [[-5, 3], [-4.5, -5.75]])
