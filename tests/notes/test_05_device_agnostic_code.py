"""Device-agnostic code: the same script on a laptop and on a GPU.

After this section you can choose a device in one place, make and move tensors and models so that everything else
follows, read the error of two tensors on different devices, load on one machine what was saved on another, and handle
"out of memory". Every tensor lives on one device, and most operations want all their tensors on the same one. On a
machine without an accelerator, `meta` is the second device here: a real PyTorch device that knows shapes and dtypes and
holds no numbers.
"""

import contextlib
import io
import operator
import pickle
import re
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


# Choosing a device: is there a GPU?


def test_the_classic_line_finds_a_device_that_works():
    """`"cuda" if torch.cuda.is_available() else "cpu"` gives "cuda" if torch sees a CUDA GPU, and "cpu" if it sees
    none.

    Compute something on the device before you rely on it: torch also sees a GPU that this build has no kernels for. The
    line does not ask for Apple's mps or Intel's xpu; the notes below do.

    https://docs.pytorch.org/docs/stable/notes/cuda.html
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    tensor = torch.tensor([1.0, 2.0]).to(device)

    assert (device == "cuda") == (torch.cuda.device_count() > 0)
    assert tensor.device.type == device
    assert (tensor * 3).tolist() == [3, 6]


def test_a_build_without_cuda_sees_no_gpu():
    """If `torch.version.cuda` and `torch.version.hip` are None, torch was built without CUDA:
    `torch.cuda.is_available()` is False, and `torch.ones(2).cuda()` raises AssertionError, "Torch not compiled with
    CUDA enabled".

    On a machine with an NVIDIA GPU it is the wrong build: uninstall torch, and install a build with CUDA by the command
    that pytorch.org gives for your system. If `torch.version.cuda` is not None and `is_available()` is False all the
    same, `.cuda()` raises RuntimeError, such as "Found no NVIDIA driver on your system": look at the driver and at
    `CUDA_VISIBLE_DEVICES`. In a build without CUDA `torch.cuda.get_arch_list()` is empty.

    https://docs.pytorch.org/docs/stable/generated/torch.cuda.is_available.html
    """
    built_for_gpus = torch.version.cuda is not None or torch.version.hip is not None
    assert torch.backends.cuda.is_built() == built_for_gpus

    if not built_for_gpus:
        assert (torch.cuda.is_available(), torch.cuda.device_count(), torch.cuda.get_arch_list()) == (False, 0, [])
        with pytest.raises(AssertionError, match="Torch not compiled with CUDA enabled"):
            torch.ones(2).cuda()
    elif not torch.cuda.is_available():
        with pytest.raises(RuntimeError, match=r"(?i)driver|no CUDA|no HIP"):
            torch.ones(2).cuda()
    else:
        assert torch.ones(2).cuda().is_cuda


@pytest.mark.only("nvidia", because="the names of the list are those of NVIDIA's GPUs")
def test_a_build_has_kernels_for_some_gpus(accelerator):
    """Where torch computes on an NVIDIA GPU, `torch.cuda.get_arch_list()` fits `torch.cuda.get_device_capability()`:
    for (9, 0) it has "sm_90", or an "sm_" below it of the same major number, or a "compute_" that is not above it.

    `is_available()` is True for a GPU that fits nothing in the list as well, and computing on it raises RuntimeError,
    "CUDA error: no kernel image is available for execution on the device". If no "sm_" in the list has the major number
    of the GPU, torch warns that it "is not compatible with the current PyTorch installation". Compare the two, and
    install a build whose list fits your GPU: a newer one for a new GPU such as sm_120, an older one for an old GPU.

    https://docs.pytorch.org/docs/stable/generated/torch.cuda.get_arch_list.html
    """
    major, minor = torch.cuda.get_device_capability(accelerator)
    built_for = [name.rstrip("af").split("_") for name in torch.cuda.get_arch_list()]

    not_above = [(kind, int(number)) for kind, number in built_for if int(number) <= 10 * major + minor]
    assert any(kind == "compute" or number // 10 == major for kind, number in not_above)
    assert (torch.ones(2, device=accelerator) + 1).tolist() == [2, 2]


@pytest.mark.holds(
    "torch>=2.6",
    otherwise=AttributeError,
    change="new",
    concerns=("torch.accelerator.current_accelerator", "torch.accelerator.is_available"),
)
def test_the_modern_line_finds_any_accelerator():
    """From torch 2.6 on, `torch.accelerator.current_accelerator()` names the accelerator of this machine if
    `torch.accelerator.is_available()` is True.

    Call `is_available()` first: a CUDA build can name `cuda` on a machine without a GPU. Before torch 2.6, where it
    raises AttributeError ("module 'torch' has no attribute 'accelerator'"), ask `torch.cuda.is_available()` and
    `torch.backends.mps.is_available()` one after the other.

    https://docs.pytorch.org/docs/stable/accelerator.html
    """
    device = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else torch.device("cpu")
    tensor = torch.tensor([1.0, 2.0]).to(device)

    assert tensor.device.type == device.type
    assert (device.type == "cpu") == (not torch.accelerator.is_available())
    assert (device.type == "cuda") == torch.cuda.is_available()
    assert (tensor * 3).tolist() == [3, 6]


@pytest.mark.holds("torch>=2.7", otherwise=(AttributeError, TypeError), change="new")
def test_current_accelerator_can_check_for_itself():
    """From torch 2.7 on, `torch.accelerator.current_accelerator(check_available=True)` returns None if and only if no
    accelerator is available.

    That makes one line of two: `device = torch.accelerator.current_accelerator(check_available=True) or "cpu"`. In
    torch 2.6, call `torch.accelerator.is_available()` first.

    https://docs.pytorch.org/docs/stable/generated/torch.accelerator.current_accelerator.html
    """
    accelerator = torch.accelerator.current_accelerator(check_available=True)

    assert (accelerator is None) == (not torch.accelerator.is_available())
    assert torch.empty(2, device=accelerator or "cpu").device.type == (accelerator.type if accelerator else "cpu")


@pytest.mark.myth("torch.accelerator.current_accelerator() is None on a machine without a GPU")
@pytest.mark.holds(
    "torch>=2.7",
    otherwise=(AttributeError, RuntimeError, TypeError),
    change="result",
    concerns="torch.accelerator.current_accelerator(not check_available)",
)
def test_current_accelerator_tells_what_the_build_is_for():
    """From torch 2.7 on, `torch.accelerator.current_accelerator()` returns `cuda` if torch was built with CUDA, on a
    machine without a GPU too.

    `torch.ones(2).to(torch.accelerator.current_accelerator())` without a check stays on the CPU where the call returns
    None, as in a CPU build for Linux, and raises RuntimeError in a CUDA build on a laptop without a GPU. Pass
    `check_available=True`. In torch 2.6 `current_accelerator()` itself raised RuntimeError without a GPU, "Cannot
    access accelerator device when none is available".

    https://docs.pytorch.org/docs/stable/generated/torch.accelerator.current_accelerator.html
    """
    named = torch.accelerator.current_accelerator()

    built_for_gpus = torch.version.cuda is not None or torch.version.hip is not None
    assert (named == torch.device("cuda")) == built_for_gpus
    assert torch.accelerator.current_accelerator(check_available=False) == named  # the default
    if named is None:
        assert torch.ones(2).to(named).device == CPU
    elif not torch.accelerator.is_available():
        with pytest.raises(RuntimeError):
            torch.ones(2).to(named)


@pytest.mark.holds("torch>=2.3", otherwise=AttributeError, change="new", concerns="torch.xpu.is_available")
def test_every_build_can_be_asked_for_an_intel_gpu():
    """From torch 2.3 on, `torch.xpu.is_available()` returns False in a build or on a machine without Intel GPU, as
    `torch.cuda.is_available()` does without CUDA GPU.

    A chain of `if torch.cuda.is_available()` and `elif torch.xpu.is_available()` therefore runs everywhere. In older
    releases a build that was not Intel's had no `torch.xpu` and raised AttributeError.

    https://docs.pytorch.org/docs/stable/xpu.html
    """
    assert torch.xpu.is_available() is (torch.xpu.device_count() > 0)
    assert torch.cuda.is_available() is (torch.cuda.device_count() > 0)


@pytest.mark.holds("torch>=2.4", otherwise=AttributeError, change="new", concerns="torch.get_device_module")
def test_get_device_module_finds_the_module_of_a_device(device):
    """From torch 2.4 on, `torch.get_device_module(device)` returns `torch.cpu` for the CPU, `torch.cuda` for a CUDA
    device and `torch.mps` for mps.

    `torch.get_device_module(device).synchronize()` waits for the current GPU and needs no `if`. The device `meta` has
    no such module: for `meta` the call raises RuntimeError.

    https://docs.pytorch.org/docs/stable/generated/torch.get_device_module.html
    """
    module = torch.get_device_module(device)

    assert module is torch.get_device_module(device.type) is getattr(torch, device.type)
    assert torch.get_device_module("cuda") is torch.cuda
    assert torch.get_device_module("mps") is torch.mps
    assert module.synchronize() is None
    with pytest.raises(RuntimeError, match="meta"):
        torch.get_device_module("meta")


# Naming a device: what is "cuda:0"?


def test_names_of_devices():
    """A `torch.device` has a type and an optional index, and two devices are equal if both type and index are equal:
    `torch.device("cuda")` is not equal to `torch.device("cuda:0")`.

    Compare `device.type` to ask for the kind of device. A name that torch does not know, "gpu" or "CUDA" in capitals
    for example, raises RuntimeError: "Expected one of cpu, cuda, ... device type at start of device string". So does
    "cuda0" without a colon: "Invalid device string".

    https://docs.pytorch.org/docs/stable/tensor_attributes.html
    """
    device = torch.device("cuda:1")

    assert (device.type, device.index, str(device)) == ("cuda", 1, "cuda:1")
    assert device == torch.device("cuda", 1) == torch.device(type="cuda", index=1) == torch.device(device)
    assert len({device, torch.device("cuda", 1), torch.device("cuda", 2)}) == 2
    assert torch.device("cuda").index is None
    assert torch.device("cuda") != torch.device("cuda:0")
    for name in ("gpu", "CUDA"):
        with pytest.raises(RuntimeError, match=f"Expected one of cpu, .* at start of device string: {name}"):
            torch.device(name)
    for name in ("cuda0", "cuda:-1", "cuda:x"):
        with pytest.raises(RuntimeError, match=f"Invalid device string: '{name}'"):
            torch.device(name)
    with pytest.raises(RuntimeError, match=r"(?i)device"):
        torch.device("")


def test_a_device_never_equals_a_string(device):
    """`tensor.device == "cuda"` is False, on a GPU too: a `torch.device` never equals the string of its name.

    The lines under `if tensor.device == "cuda":` never run, and nothing complains. Write
    `tensor.device.type == "cuda"` or `tensor.is_cuda`.

    https://docs.pytorch.org/docs/stable/tensor_attributes.html
    """
    tensor = torch.ones(2, device=device)

    assert (tensor.device == str(device)) is False
    assert (tensor.device == device.type) is False
    assert tensor.device == device
    assert tensor.device.type == str(device).partition(":")[0]
    assert tensor.is_cuda == (device.type == "cuda")


def test_on_an_accelerator_every_tensor_has_an_index(accelerator):
    """A tensor made with `device="cuda"` is on the current CUDA device and reports its index: `tensor.device` is
    `cuda:0` unless another device was made current, and is not equal to `torch.device("cuda")`.

    mps and xpu do the same. Compare `tensor.device.type`, or the devices of two tensors.

    https://docs.pytorch.org/docs/stable/tensor_attributes.html
    """
    plain = torch.device(accelerator.type)
    tensor = torch.ones(2, device=plain)
    module = getattr(torch, accelerator.type)

    assert plain.index is None
    assert tensor.device.index == (module.current_device() if hasattr(module, "current_device") else 0)  # mps has one
    assert tensor.device != plain
    assert tensor.device.type == plain.type


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda: torch.ones(2, device="cuda:99"), id="device="),
        pytest.param(lambda: torch.ones(2).to("cuda:99"), id="Tensor.to"),
        pytest.param(lambda: nn.Linear(2, 1).to("cuda:99"), id="Module.to"),
        pytest.param(lambda: nn.BatchNorm1d(2, affine=False).to("cuda:99"), id="Module.to, buffers"),
    ],
)
def test_a_device_that_is_not_there_raises_when_it_is_used(ask):
    """`torch.device("cuda:99")` is only a name and raises nothing; making a tensor there or moving one there raises if
    the machine has no such GPU.

    For `torch.ones(2, device="cuda:99")` and `.to("cuda:99")` the exception is an AssertionError ("Torch not compiled
    with CUDA enabled") in a build without CUDA, and a RuntimeError in one with it. Ask `torch.cuda.is_available()`
    first: `nn.ReLU()`, which has no tensor to move, "moves" to any name.

    https://docs.pytorch.org/docs/stable/tensor_attributes.html
    """
    assert torch.device("cuda:99").index == 99

    with pytest.raises((AssertionError, RuntimeError), match=r"(?i)cuda|nvidia|hip|device index") as caught:
        ask()
    built_for_gpus = torch.version.cuda is not None or torch.version.hip is not None
    assert isinstance(caught.value, RuntimeError if built_for_gpus else AssertionError)

    layer = nn.ReLU()
    assert layer.to("cuda:99") is layer


# Making tensors and layers on a device


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
    """`torch.tensor` of numbers, `zeros`, `ones`, `full`, `empty`, `arange`, `linspace`, `eye`, `rand`, `randn`,
    `randint`, `as_tensor` of an array, `nn.Linear` and `nn.BatchNorm1d` make their tensors on the CPU by default, and
    on another device with `device=`, given as a `torch.device` or as its name.

    `torch.zeros(2, device=device)` saves the copy that `.to` makes. `torch.tensor(x)` of a tensor `x` warns and stays
    on the device of `x`. ReLU has no tensor to place: `nn.ReLU(device=device)` raises TypeError.

    https://docs.pytorch.org/docs/stable/tensor_attributes.html
    """
    _, elsewhere = device_pair

    assert make().device == CPU
    assert make(device=elsewhere).device == elsewhere
    assert make(device=str(elsewhere)).device == elsewhere
    with pytest.raises(TypeError, match="device"):
        nn.ReLU(device=elsewhere)
    with pytest.warns(UserWarning, match="copy construct"):
        assert torch.tensor(torch.ones(2, device=elsewhere)).device == elsewhere


def test_like_and_new_follow_their_source(device_pair):
    """`torch.zeros_like(source)`, `ones_like`, `empty_like`, `full_like`, `rand_like`, `randn_like` and the methods
    `source.new_zeros`, `new_ones`, `new_empty`, `new_full` and, for a list, `new_tensor` take the device and the dtype
    of `source`.

    Write device-agnostic functions with them: each tensor is made from what the function was given. The call
    `torch.zeros(source.shape)` makes a tensor on the CPU by default, whatever the device of `source`. Give `new_tensor`
    numbers, and use `.to` for a tensor.

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


def test_like_and_new_cut_fractions_for_an_integer_source(device):
    """`torch.full_like(labels, 0.5)` and `labels.new_tensor([1.5])` give 0 and 1 silently if `labels` has dtype int64:
    the fraction is cut off.

    Class labels are often int64, and a weight made from them like this loses its decimals. Pass `dtype=torch.float32`,
    or make it from a floating-point tensor. On the CPU, `torch.rand_like(labels)` raises instead.

    https://docs.pytorch.org/docs/stable/generated/torch.full_like.html
    """
    labels = torch.tensor([2, 0], device=device)

    full, new = torch.full_like(labels, 0.5), labels.new_tensor([1.5])

    assert (full.tolist(), full.dtype) == ([0, 0], torch.int64)
    assert (new.tolist(), new.dtype) == ([1], torch.int64)
    assert torch.full_like(labels, 0.5, dtype=torch.float32).tolist() == [0.5, 0.5]
    with pytest.raises(RuntimeError, match="not implemented"):
        torch.rand_like(labels.cpu())


@pytest.mark.holds("torch>=2.7", otherwise=AssertionError, change="result")
def test_new_tensor_of_a_tensor_goes_to_the_device_of_its_source(device_pair):
    """From torch 2.7 on `source.new_tensor(other)` of a tensor `other` on another device is on the device of `source`;
    before it was on the device of `other`.

    The dtype is that of `source` in all releases. The call warns, "To copy construct from a tensor", as `torch.tensor`
    does, which keeps the device of `other`. Write `other.to(source)`: it takes device and dtype of `source`.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.new_tensor.html
    """
    here, elsewhere = device_pair
    source = torch.ones(3, dtype=torch.int64, device=elsewhere)
    other = torch.ones(2, device=here)

    with pytest.warns(UserWarning, match="To copy construct from a tensor"):
        made = source.new_tensor(other)
    assert (made.dtype, made.device in (here, elsewhere)) == (torch.int64, True)
    moved = other.to(source)
    assert (moved.device, moved.dtype) == (elsewhere, torch.int64)
    with pytest.warns(UserWarning, match="To copy construct from a tensor"):
        assert torch.tensor(other).device == here

    assert made.device == elsewhere


def test_a_tensor_made_in_forward_stays_on_the_cpu(device_pair):
    """A model whose `forward` computes `x + torch.ones(3)` raises RuntimeError after the model and its input moved to
    another device: `torch.ones(3)` is made on the CPU by default.

    Make the tensor from the input, with `torch.zeros_like(x)` or `torch.zeros(n, device=x.device)`, or keep it in the
    model with `register_buffer`. Inside `with torch.device(device):` the model works, which hides the mistake.

    https://docs.pytorch.org/docs/stable/generated/torch.zeros_like.html
    """
    _, elsewhere = device_pair
    x = torch.ones(3, device=elsewhere)

    class Shifted(nn.Module):
        def forward(self, x):
            return x + torch.ones(3)

    class Agnostic(nn.Module):
        def forward(self, x):
            return x + torch.ones(3, device=x.device)

    with pytest.raises(RuntimeError, match="device"):
        Shifted().to(elsewhere)(x)
    with torch.device(elsewhere):
        assert Shifted()(x).device == elsewhere
    assert Agnostic().to(elsewhere)(x).device == elsewhere


# A default device: where does a tensor go without `device=`?


def test_with_torch_device_makes_things_there(device_pair):
    """Inside `with torch.device(device):` the functions `torch.ones`, `tensor`, `arange`, `rand` and `as_tensor` of an
    array make their tensors on `device`, and `nn.Linear` its parameters.

    `device="cpu"` in a call wins over the block. A tensor made before the block keeps its device, and `tensor + 1` and
    `zeros_like(tensor)` stay with it.

    https://docs.pytorch.org/docs/stable/generated/torch.set_default_device.html
    """
    _, elsewhere = device_pair
    array, tensor = np.ones(2, np.float32), torch.ones(2)

    with torch.device(elsewhere):
        follow = [torch.ones(2), torch.tensor([1.0]), torch.arange(2), torch.rand(2), torch.as_tensor(array)]
        follow += nn.Linear(2, 1).parameters()
        stay = [torch.ones(2, device="cpu"), tensor, tensor + 1, torch.zeros_like(tensor)]

    assert {made.device for made in follow} == {elsewhere}
    assert {made.device for made in stay} == {CPU}
    assert torch.ones(2).device == CPU


@pytest.mark.myth("every new tensor inside `with torch.device(...)` is on that device")
def test_with_torch_device_is_overlooked_by_some(device_pair):
    """Inside `with torch.device(device):` the functions `torch.from_numpy`, `frombuffer`, `from_dlpack` of a NumPy
    array, `torch.Tensor` and `torch.FloatTensor` of numbers, `torch.load` of a CPU tensor and `torch.normal(0.0, 1.0,
    size)` still give tensors on the CPU.

    Write `torch.as_tensor(array)` for `from_numpy`, `torch.tensor(numbers, dtype=torch.float32)` for `torch.Tensor`,
    `torch.randn` for `torch.normal`, and `map_location=` for `torch.load`. Without `dtype=`, `torch.tensor([1, 2])` is
    int64.

    https://docs.pytorch.org/docs/stable/generated/torch.set_default_device.html
    """
    _, elsewhere = device_pair
    array = np.ones(2, np.float32)
    file = io.BytesIO()
    torch.save(torch.ones(2), file)
    file.seek(0)

    with torch.device(elsewhere):
        stay = [
            torch.from_numpy(array),
            torch.frombuffer(bytearray(8), dtype=torch.float32),
            torch.from_dlpack(array),
            torch.Tensor([1.0, 2.0]),
            torch.FloatTensor([1.0, 2.0]),
            torch.load(file),
            torch.normal(0.0, 1.0, (2,)),
        ]

    assert {made.device for made in stay} == {CPU}
    assert (torch.Tensor([1, 2]).dtype, torch.tensor([1, 2]).dtype) == (torch.float32, torch.int64)


def test_as_tensor_moves_a_tensor_to_the_default_device(device_pair):
    """Inside `with torch.device(device):` the call `torch.as_tensor(tensor)` returns a copy on `device` if `tensor`
    is on another device, though outside the block `torch.as_tensor(tensor)` returns `tensor` itself.

    A function that begins with `x = torch.as_tensor(x)` thus moves its input if somebody set a default device. Write
    `torch.as_tensor(x, device=x.device)` to leave a tensor where it is.

    https://docs.pytorch.org/docs/stable/generated/torch.as_tensor.html
    """
    _, elsewhere = device_pair
    tensor = torch.ones(2)

    assert torch.as_tensor(tensor) is tensor
    with torch.device(elsewhere):
        assert torch.as_tensor(tensor).device == elsewhere
        assert torch.as_tensor(tensor, device=tensor.device) is tensor
    with torch.device("cpu"):
        assert torch.as_tensor(tensor) is tensor


def test_with_torch_device_ends_with_its_block(device_pair):
    """`with torch.device(...)` blocks can be nested: the innermost one counts, and the end of a block or an exception
    brings back the device of the block around it.

    Nothing is left behind for the next test or cell, unlike after `torch.set_default_device`.

    https://docs.pytorch.org/docs/stable/generated/torch.set_default_device.html
    """
    _, elsewhere = device_pair
    places = []

    with torch.device(elsewhere):
        with torch.device("cpu"):
            places.append(torch.ones(2).device)
        places.append(torch.ones(2).device)
        with pytest.raises(KeyError, match="oops"), torch.device("cpu"):
            raise KeyError("oops")
        places.append(torch.ones(2).device)
    places.append(torch.ones(2).device)
    with pytest.raises(KeyError, match="oops"), torch.device(elsewhere):
        raise KeyError("oops")
    places.append(torch.ones(2).device)

    assert places == [CPU, elsewhere, elsewhere, CPU, CPU]


def test_set_default_device_holds_for_one_thread(device_pair):
    """`torch.set_default_device(device)` makes `torch.ones` and `nn.Linear` use `device` in the thread that called it,
    until it is called again, and leaves other threads on the CPU.

    A `with torch.device(...)` block does not reach a thread that is started inside it either. Prefer the block, which
    ends by itself, or pass `device=`.

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

    with torch.device(elsewhere), ThreadPoolExecutor(1) as thread:
        assert thread.submit(lambda: torch.ones(2).device).result() == CPU


def test_a_default_device_set_inside_a_block_does_not_hold_throughout(device_pair):
    """`torch.set_default_device(device)` called inside `with torch.device("cpu"):` holds for the rest of the block or
    for the code after the block, and not for both.

    Which of the two depends on the release. A function that sets the default device for its caller can be called inside
    a block: set the default once, at the start of the script, outside every block.

    https://docs.pytorch.org/docs/stable/generated/torch.set_default_device.html
    """
    _, elsewhere = device_pair

    def work():
        with torch.device("cpu"):
            torch.set_default_device(elsewhere)
            inside = torch.ones(2).device
        after = torch.ones(2).device
        torch.set_default_device(None)
        return {inside, after}

    with ThreadPoolExecutor(1) as thread:  # the default ends with the thread
        assert thread.submit(work).result() == {CPU, elsewhere}


@pytest.mark.holds("torch>=2.5", otherwise=AssertionError, change="raises", concerns="torch.set_default_device?")
def test_a_second_default_device_inside_a_block_raises(device_pair):
    """From torch 2.5 on, `torch.set_default_device(device)` inside `with torch.device("cpu"):` raises AssertionError if
    the thread has a default device already that was set with `set_default_device` before the block.

    The message is empty before torch 2.10, and from then on "Found nested DeviceContext on the mode stack where none
    expected". Call `set_default_device` once and outside every block, and use blocks for what differs.

    https://github.com/pytorch/pytorch/issues/148874
    """
    _, elsewhere = device_pair

    def work():
        torch.set_default_device(elsewhere)
        try:
            with torch.device("cpu"), pytest.raises(AssertionError, match=r"^$|Found nested DeviceContext"):
                torch.set_default_device(elsewhere)
        finally:
            with contextlib.suppress(AssertionError):
                torch.set_default_device(None)
        return torch.ones(2).device

    with ThreadPoolExecutor(1) as thread:  # the default ends with the thread
        assert thread.submit(work).result() == CPU


def test_a_new_tensor_tells_the_default_device(device_pair):
    """`torch.empty(0).device` is the default device, inside `with torch.device(...)` too.

    This is the way to ask in every release: `torch.get_default_device()` came with torch 2.3 and did not see a block
    before torch 2.8.

    https://docs.pytorch.org/docs/stable/generated/torch.set_default_device.html
    """
    for place in device_pair:
        with torch.device(place):
            assert torch.empty(0).device == torch.ones(2).device == place
    assert torch.empty(0).device == CPU


@pytest.mark.holds("torch>=2.3", otherwise=AttributeError, change="new", concerns="torch.get_default_device")
def test_get_default_device_tells_where_tensors_go(device_pair):
    """From torch 2.3 on, outside `with torch.device(...)`, `torch.get_default_device()` returns the device that
    `torch.set_default_device` set last in this thread, and the CPU in a thread that never called it.

    Pass it on to code that wants `device=`. Like `torch.empty(0).device`, which older releases have too, it has an
    index on a GPU: after "cuda" was set, it is `cuda:0` if that is the current GPU.

    https://docs.pytorch.org/docs/stable/generated/torch.get_default_device.html
    """
    _, elsewhere = device_pair

    def work():
        torch.set_default_device(elsewhere.type)
        assert torch.get_default_device() == torch.empty(0).device
        torch.set_default_device(elsewhere)
        return torch.get_default_device()

    assert torch.get_default_device() == CPU
    with ThreadPoolExecutor(1) as thread:  # the default ends with the thread
        assert thread.submit(work).result() == elsewhere
    assert torch.get_default_device() == CPU


@pytest.mark.holds(
    "torch>=2.8", otherwise=(AttributeError, AssertionError), change="result", concerns="torch.get_default_device?"
)
def test_get_default_device_sees_the_block_around_it(device_pair):
    """From torch 2.8 on, `torch.get_default_device()` inside `with torch.device(...)` returns the device of the block.

    Torch 2.3 to 2.7 overlooked the block: a tensor made with `device=torch.get_default_device()` went to another device
    than a tensor made without `device=`. Read `torch.empty(0).device` instead.

    https://docs.pytorch.org/docs/stable/generated/torch.get_default_device.html
    """
    _, elsewhere = device_pair

    with torch.device(elsewhere):
        assert torch.get_default_device() == elsewhere
        with torch.device("cpu"):
            assert torch.get_default_device() == CPU
    assert torch.get_default_device() == CPU


@pytest.mark.holds("torch>=2.10", otherwise=AttributeError, change="new", concerns="torch.set_default_device(None)")
def test_the_default_device_can_be_taken_back(device_pair):
    """From torch 2.10 on, `torch.set_default_device(None)` makes the CPU the default again, and
    `torch.get_default_device()` returns the CPU.

    From torch 2.3 to 2.9, `get_default_device()` raised AttributeError after it, until a device was set again. Write
    `torch.set_default_device("cpu")` there.

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
    """`tensor.to(device)` returns a tensor on `device` and leaves `tensor` where it is.

    A line `x.to(device)` alone has no effect; write `x = x.to(device)`. A model is different: `model.to(device)` moves
    the model itself.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.to.html
    """
    one, elsewhere = device_pair
    tensor = torch.ones(2, 3, device=one)
    model = nn.Linear(2, 3, device=one)

    moved = tensor.to(elsewhere)
    model.to(elsewhere)

    assert tensor.device == one
    assert (moved.device, moved.shape, moved.dtype) == (elsewhere, (2, 3), torch.float32)
    assert model.weight.device == elsewhere


def test_to_copies_only_when_something_changes(device):
    """`tensor.to(device)` and `tensor.to(dtype)` return `tensor` itself if its device and dtype are the ones asked for,
    and a copy if not.

    A second `.to(device)` copies nothing. `copy=True` or `.clone()` asks for memory of its own. One odd case: the CPU
    is `cpu` without an index, so `x.to("cpu:0")` copies each time.

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

    on_the_cpu = tensor.cpu()
    assert on_the_cpu.to("cpu:0") is not on_the_cpu
    assert on_the_cpu.to("cpu:0").device == on_the_cpu.device == CPU


def test_to_takes_another_tensor_as_the_example(device_pair):
    """`tensor.to(other)` takes both the device and the dtype of `other`; `tensor.to(other.device)` takes the device
    only.

    `labels.to(logits)` turns class numbers into decimals, which cross entropy refuses: write
    `labels.to(logits.device)`.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.to.html
    """
    one, elsewhere = device_pair
    tensor = torch.ones(2, dtype=torch.int64, device=one)
    other = torch.zeros(3, dtype=torch.float16, device=elsewhere)

    assert (tensor.to(other).device, tensor.to(other).dtype) == (elsewhere, torch.float16)
    assert (tensor.to(other.device).device, tensor.to(other.device).dtype) == (elsewhere, torch.int64)
    assert (tensor.to(other.dtype).device, tensor.to(other.dtype).dtype) == (one, torch.float16)

    labels, logits = torch.tensor([1, 4]), torch.zeros(2, 5)
    with pytest.raises(RuntimeError, match="Long"):
        F.cross_entropy(logits, labels.to(logits))
    assert F.cross_entropy(logits, labels.to(logits.device)).shape == ()


def test_assigning_into_a_slice_copies_from_any_device(device_pair):
    """`target[:2] = source` and `target.copy_(source)` copy `source` from another device with numbers into `target`,
    which stays on its own device.

    `target[:2] + source` with a source that has dimensions raises, and the assignment does not. In a training loop it
    is a hidden copy between CPU and GPU at each step. With a CPU target and a source on `meta`, which has no numbers,
    these two raise NotImplementedError.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.copy_.html
    """
    one, elsewhere = device_pair
    target, source = torch.zeros(3, device=elsewhere), torch.tensor([1.0, 2.0], device=one)

    target[:2] = source
    target[2] = source[0]
    assert (target.device, target.shape, target.dtype) == (elsewhere, (3,), torch.float32)
    if elsewhere.type != "meta":
        assert target.tolist() == [1, 2, 1]

    assert target.copy_(torch.ones(3, device=one)) is target
    assert target.device == elsewhere
    with pytest.raises(RuntimeError, match="device"):
        target[:2] + source
    with pytest.raises(NotImplementedError, match="no data"):
        torch.zeros(2).copy_(torch.ones(2, device="meta"))
    with pytest.raises(NotImplementedError, match="no data"):
        torch.zeros(3)[:2] = torch.ones(2, device="meta")


def test_a_copy_on_another_device_goes_its_own_way(accelerator):
    """Between the CPU and an accelerator, `tensor.to(device)` and `tensor.cpu()` copy: a later write to one tensor does
    not show in the other.

    On the CPU, `tensor.cpu()` returns the tensor itself: code that relies on sharing breaks on a GPU, and code that
    relies on a copy breaks on the CPU. With `non_blocking=True`, synchronise before you write to the source.

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


def test_the_way_out_of_torch_is_the_same_everywhere(device):
    """`tensor.tolist()`, `tensor[1].item()` and `tensor.detach().cpu().numpy()` give Python and NumPy the numbers of a
    float32 vector on the CPU or on an accelerator.

    `tensor.numpy()` alone raises for one that requires grad, and for a tensor on a GPU ("can't convert cuda:0 device
    type tensor to numpy. Use Tensor.cpu()"); `tensor.numpy(force=True)` does all the steps. For a bfloat16 tensor
    `tensor.detach().cpu().numpy()` raises TypeError: write `tensor.float()` first. `.cpu()` is for tensors: an array
    has no such method.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.numpy.html
    """
    tensor = torch.tensor([1.5, 2.5], device=device, requires_grad=True)

    array = tensor.detach().cpu().numpy()

    assert array.tolist() == tensor.tolist() == tensor.numpy(force=True).tolist() == [1.5, 2.5]
    assert array.dtype == np.float32
    assert tensor[1].item() == 2.5
    with pytest.raises((RuntimeError, TypeError), match="numpy"):
        tensor.numpy()
    if device.type != "cpu":
        with pytest.raises(TypeError, match=rf"can't convert {device} device type tensor to numpy. Use Tensor.cpu\(\)"):
            tensor.detach().numpy()
    with pytest.raises(AttributeError, match="has no attribute 'cpu'"):
        array.cpu()
    with pytest.raises(TypeError, match="BFloat16"):
        tensor.detach().bfloat16().cpu().numpy()
    assert tensor.detach().bfloat16().tolist() == [1.5, 2.5]


def test_a_moved_leaf_is_no_leaf(device):
    """A `.to(...)` that changes the device or the floating-point dtype of a leaf with `requires_grad=True` returns a
    tensor that is no leaf; the gradient arrives in the `.grad` of the leaf.

    `w = torch.ones(2, requires_grad=True).to(device)` is a leaf on the CPU, and on a GPU it is not and has no `.grad`.
    Write `torch.ones(2, device=device, requires_grad=True)`. Under `no_grad`, and for an integer dtype, the copy has no
    graph: it is a leaf that requires no gradient.

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
    assert leaf.to("cpu") is leaf
    assert torch.ones(2, device=device, requires_grad=True).is_leaf
    with torch.no_grad():
        apart = leaf.to(torch.float32)
    integers = leaf.to(torch.int64)
    assert [(copy.is_leaf, copy.requires_grad) for copy in (apart, integers)] == [(True, False)] * 2


def test_float64_is_on_cuda_and_not_on_mps(accelerator):
    """A float64 tensor keeps its dtype and values when it moves to CUDA; a move to Apple's mps raises TypeError
    ("Cannot convert a MPS Tensor to float64 dtype").

    NumPy's decimals are float64 by default. `torch.as_tensor(array, dtype=torch.float32)` gives a tensor that moves to
    both.

    https://docs.pytorch.org/docs/stable/notes/mps.html
    """
    array = np.array([0.1, 2.0])
    tensor = torch.from_numpy(array)
    assert tensor.dtype == torch.float64

    if accelerator.type == "mps":
        with pytest.raises(TypeError, match="Cannot convert a MPS Tensor to float64 dtype"):
            tensor.to(accelerator)
    else:
        there = tensor.to(accelerator)
        assert (there.device, there.dtype) == (accelerator, torch.float64)
        assert there.cpu().tolist() == [0.1, 2]
        if accelerator.type == "cuda":
            assert (there * 3).tolist() == (tensor * 3).tolist()

    single = torch.as_tensor(array, dtype=torch.float32).to(accelerator)
    assert (single.device, single.dtype) == (accelerator, torch.float32)
    assert single.tolist() == tensor.float().tolist()


# Two devices in one operation: "Expected all tensors to be on the same device"

PAIRWISE = {
    "+": operator.add,
    "add": lambda one, another: torch.add(one, another),
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
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
    """`+`, `-`, `*`, `/`, the six comparisons, `maximum`, `where`, `cat`, `stack` and the losses MSE, L1, BCE with
    logits and cross entropy raise RuntimeError for two tensors with dimensions on different devices.

    A tensor on `meta` plus a CPU tensor raises "Tensor on device cpu is not on the expected device meta!"; a note below
    has the words of CUDA. Move one of the two with `.to(other.device)`. Other notes show three things that do mix: a
    0-dimensional CPU tensor in arithmetic, an index on the CPU, and an assignment.

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
    with pytest.raises(RuntimeError, match="Tensor on device cpu is not on the expected device meta!"):
        torch.ones(2, 3, device="meta") + torch.ones(2, 3)


def test_a_scalar_tensor_of_the_cpu_mixes_with_any_device(device_pair):
    """In `+`, `-`, `*`, `/` and `<`, a 0-dimensional CPU tensor mixes with a tensor of another device, and the result
    is on that device.

    A CPU tensor with brackets, `torch.tensor([2.0])`, does not mix, and a 0-dimensional tensor of the GPU does not mix
    with a CPU tensor that has dimensions: add `loss.item()` to a total on the CPU.

    https://docs.pytorch.org/docs/stable/notes/cuda.html
    """
    _, elsewhere = device_pair
    vector, other_scalar = torch.ones(3, device=elsewhere), torch.tensor(2.0, device=elsewhere)
    scalar = torch.tensor(2.0)

    for operation in (operator.add, operator.sub, operator.mul, operator.truediv, operator.lt):
        for there in (vector, other_scalar):
            assert operation(scalar, there).device == operation(there, scalar).device == elsewhere
            assert operation(2.0, there).device == operation(there, 2.0).device == elsewhere
        for here, there in [(torch.ones(3), other_scalar), (torch.tensor([2.0]), vector)]:
            with pytest.raises(RuntimeError, match="device"):
                operation(here, there)
            with pytest.raises(RuntimeError, match="device"):
                operation(there, here)


def test_a_scalar_of_the_cpu_computes_on_an_accelerator(accelerator):
    """`vector * scalar`, `scalar - vector`, `scalar + vector.sum()` and `vector += scalar` with a vector on an
    accelerator and a 0-dimensional CPU tensor give the right numbers, on the accelerator.

    A factor like `torch.tensor(0.1)` need not be moved before it multiplies a batch.

    https://docs.pytorch.org/docs/stable/notes/cuda.html
    """
    vector = torch.tensor([1.0, 2.0, 4.0], device=accelerator)
    scalar = torch.tensor(2.0)

    assert (vector * scalar).tolist() == [2, 4, 8]
    assert (scalar - vector).tolist() == [1, 0, -2]
    assert (scalar + vector.sum()).item() == 9
    assert (vector * scalar).device == (scalar - vector).device == (scalar + vector.sum()).device == accelerator
    vector += scalar
    assert (vector.tolist(), vector.device) == ([3, 4, 6], accelerator)


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
    """Between the CPU and CUDA, `@`, `mm`, `bmm`, `F.linear`, `F.embedding` and an in-place `add_` of tensors with
    dimensions raise RuntimeError, in either order.

    The message begins "Expected all tensors to be on the same device"; it goes on "but found at least two
    devices, cuda:0 and cpu!", or "but got mat2 is on cpu, different from other tensors on cuda:0" for some operations
    of newer releases. The usual cause is a batch that was not moved to the model's device: `x = x.to(device)`.

    https://docs.pytorch.org/docs/stable/notes/cuda.html
    """
    here, there = torch.ones(3, 3), torch.ones(3, 3, device=accelerator)
    words = "Expected all tensors to be on the same device" if accelerator.type == "cuda" else r"device|expected"

    with pytest.raises(RuntimeError, match=words):
        operation(here, there)
    with pytest.raises(RuntimeError, match=words):
        operation(there, here)
    assert here.sum().item() == there.sum().item() == 9


def test_a_convolution_names_two_types_of_tensors(accelerator):
    """`nn.Conv2d` on an accelerator raises RuntimeError for an image on the CPU, and the message names two types in
    place of two devices: on CUDA "Input type (torch.FloatTensor) and weight type (torch.cuda.FloatTensor) should be the
    same".

    `torch.FloatTensor` is float32 on the CPU and `torch.cuda.FloatTensor` float32 on CUDA: the batch was not moved.
    Write `x = x.to(device)`. With the two names in the other order it is the model: `model.to(device)`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Conv2d.html
    """
    image, model = torch.ones(1, 1, 2, 2), nn.Conv2d(1, 1, 1).to(accelerator)
    name = rf"{re.escape(torch.ones(1, device=accelerator).type())}|\w+"

    with pytest.raises(
        RuntimeError, match=rf"Input type \(torch.FloatTensor\) and weight type \(({name})\) should be the"
    ):
        model(image)
    with pytest.raises(
        RuntimeError, match=rf"Input type \(({name})\) and weight type \(torch.FloatTensor\) should be the"
    ):
        model.cpu()(image.to(accelerator))
    assert model.to(accelerator)(image.to(accelerator)).device == accelerator


@pytest.mark.parametrize(
    ("look", "error", "words"),
    [
        pytest.param(
            lambda index: F.embedding(index, torch.ones(3, 2)), IndexError, "index out of range", id="embedding"
        ),
        pytest.param(lambda index: torch.ones(3)[index], IndexError, "index 3 is out of bounds", id="[]"),
        pytest.param(
            lambda index: torch.ones(3).gather(0, index), RuntimeError, "index 3 is out of bounds", id="gather"
        ),
        pytest.param(lambda index: F.cross_entropy(torch.ones(1, 3), index), IndexError, "Target 3 is out", id="loss"),
        pytest.param(lambda index: F.one_hot(index, 3), RuntimeError, "smaller than num_classes", id="one_hot"),
    ],
)
def test_the_cpu_names_an_index_that_is_out_of_range(look, error, words):
    """On the CPU, an index that is one too large raises at its own line: IndexError in `F.embedding`, `tensor[index]`
    and `F.cross_entropy`, RuntimeError in `gather` and `F.one_hot`.

    On CUDA the same mistake is "CUDA error: device-side assert triggered", often at a later line. Restart the process
    and run the batch on the CPU, or start it with `CUDA_LAUNCH_BLOCKING=1`, as section 16 tells. Look for labels that
    count from 1, and for a token that the embedding has no row for: check `index.min() >= 0` and `index.max() < size`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Embedding.html
    """
    with pytest.raises(error, match=words):
        look(torch.tensor([3]))
    assert look(torch.tensor([2])).isfinite().all()


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
    """Arithmetic, comparisons, `where`, `cat`, `stack`, matrix products, `F.linear`, an in-place `add_` and the losses
    MSE, L1, BCE with logits and cross entropy raise RuntimeError for a CUDA tensor and a CPU tensor with dimensions.

    Move the CPU tensor: `x = x.to(device)`.

    https://docs.pytorch.org/docs/stable/notes/cuda.html
    """
    assert on_cuda(what_mixes_with_cuda) == []


def what_takes_a_cpu_index():
    """The names of the functions that took an index or a mask from the CPU for a tensor of CUDA."""
    tensor, index = torch.ones(3, device="cuda"), torch.tensor([2, 0])
    calls = {
        "gather": lambda: torch.gather(tensor, 0, index),
        "index_select": lambda: torch.index_select(tensor, 0, index),
        "take": lambda: torch.take(tensor, index),
        "masked_fill": lambda: tensor.masked_fill(torch.tensor([True, False, True]), 0.0),
    }
    taken = []
    for name, call in calls.items():
        with contextlib.suppress(RuntimeError):
            call()
            taken.append(name)
    return taken


def test_gather_wants_its_index_beside_the_tensor(on_cuda):
    """`torch.gather`, `index_select`, `take` and `masked_fill` of a CUDA tensor raise RuntimeError for an index or mask
    on the CPU.

    Unlike them, brackets, as in `tensor[index]`, take a CPU index. Make index and mask with `device=tensor.device`.

    https://docs.pytorch.org/docs/stable/generated/torch.gather.html
    """
    assert on_cuda(what_takes_a_cpu_index) == []


def test_an_index_may_stay_on_the_cpu(accelerator):
    """`tensor[index]` with the tensor on an accelerator takes an integer index from the CPU; a CPU tensor raises
    RuntimeError for an index with dimensions on the accelerator.

    A shuffled `torch.randperm(n)` may thus stay on the CPU. A 0-dimensional index from the accelerator is read as a
    Python number, which waits for the GPU.

    https://docs.pytorch.org/docs/stable/notes/cuda.html
    """
    tensor, index = torch.tensor([5.0, 6.0, 7.0]), torch.tensor([2, 0])

    picked = tensor.to(accelerator)[index]

    assert picked.tolist() == [7, 5]
    assert picked.device == accelerator
    with pytest.raises(RuntimeError, match=r"(?i)indices should be .*on cpu"):
        tensor[index.to(accelerator)]
    assert tensor[index[0].to(accelerator)].item() == 7


# Models, losses and batches: what must be moved?


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
    """`model.to(device)` moves the parameters and buffers of the model and its submodules and returns the model itself;
    a plain tensor attribute and a tensor in a list stay where they are.

    Keep a tensor that belongs to the model but is not trained with `register_buffer`. `x + self.plain` works on the
    laptop and raises "Expected all tensors to be on the same device" on the GPU, unless `plain` has no dimension. A
    plain tensor of indices, in `x[self.plain]`, passes too.

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

    x = torch.ones(2, device=elsewhere)
    with pytest.raises(RuntimeError, match="device"):
        x + model.plain
    assert (x + torch.tensor(2.0)).device == x[torch.tensor([1])].device == elsewhere


def test_model_and_data_must_both_be_moved(device_pair):
    """`nn.Linear` with a bias raises RuntimeError if its input, a batch of rows, is on another device than the layer,
    whichever of the two was not moved.

    Move both: `model.to(device)` once and `x = x.to(device)` for each batch. ReLU takes an input from any device, for
    it has no parameters or buffers; `BatchNorm1d(affine=False)` has buffers and raises. Without a bias, a Linear on
    `meta` gives garbage instead.

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
    assert [nn.ReLU()(x).device, nn.ReLU()(x.to(elsewhere)).device] == [one, elsewhere]
    norm = nn.BatchNorm1d(2, affine=False, device=one)
    assert list(norm.parameters()) == []
    with pytest.raises(RuntimeError, match=r"device|expected"):
        norm(x.to(elsewhere))
    assert nn.Linear(2, 3, bias=False, device="meta")(torch.ones(4, 2)).device == CPU


def test_a_recurrent_layer_wants_its_first_state_beside_the_input(device_pair):
    """`nn.GRU` and `nn.RNN` on another device raise RuntimeError for a first state that was made on the CPU, "Input and
    hidden tensors are not at the same device, found input tensor at meta and hidden tensor at cpu".

    On CUDA it reads `cuda:0` in place of `meta`, and `nn.LSTM` says the same. Leave the first state out, and it is made
    where the input is; or make it there, here with `torch.zeros(1, 1, 2, device=x.device)`. For an input on the CPU
    `nn.GRU` and `nn.RNN` say "Input and parameter tensors are not at the same device": write `x = x.to(device)`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.GRU.html
    """
    one, elsewhere = device_pair
    x, state = torch.ones(4, 1, 3, device=one), torch.zeros(1, 1, 2, device=one)
    there = re.escape(str(elsewhere))

    for kind in (nn.GRU, nn.RNN):
        layer = kind(3, 2).to(elsewhere)
        with pytest.raises(
            RuntimeError, match=f"hidden tensors are not .* input tensor at {there} and hidden tensor at"
        ):
            layer(x.to(elsewhere), state)
        with pytest.raises(RuntimeError, match="Input and parameter tensors are not at the same device, found input"):
            layer(x)
        assert layer(x.to(elsewhere))[0].device == layer(x.to(elsewhere))[1].device == elsewhere
        assert layer(x.to(elsewhere), state.to(elsewhere))[0].device == elsewhere
    if elsewhere.type in ("cuda", "meta"):
        with pytest.raises(RuntimeError, match="Input and hidden tensors are not at the same device"):
            nn.LSTM(3, 2).to(elsewhere)(x.to(elsewhere), (state, state))


def test_a_model_has_no_device_of_its_own(device_pair):
    """The layers and containers of `torch.nn` have no `.device`: `model.device` raises AttributeError, because the
    parts of a model may be on several devices.

    Ask a parameter: `next(model.parameters()).device`. A model without parameters has none to ask.
    `nn.parallel.DistributedDataParallel` and other libraries' models define a `.device` of their own.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    one, elsewhere = device_pair
    model = nn.Sequential(nn.Linear(2, 3, device=one), nn.Linear(3, 1, device=elsewhere))

    with pytest.raises(AttributeError, match="has no attribute 'device'"):
        model.device
    assert next(model.parameters()).device == one
    assert {parameter.device for parameter in model.parameters()} == {one, elsewhere}
    assert list(nn.ReLU().parameters()) == []

    classes = [kind for kind in vars(nn).values() if isinstance(kind, type) and issubclass(kind, nn.Module)]
    assert nn.Linear in classes
    assert [kind.__name__ for kind in classes if hasattr(kind, "device")] == []


def test_everything_computed_follows_model_and_data(device_pair):
    """With a model of Linear, BatchNorm1d and ReLU and its data on one device, the logits, the cross entropy, the
    gradients, SGD's momentum and the accuracy are on that device too.

    Beside model and data, move a loss with weights, a metric with state, and what `forward` makes itself. (Adam keeps
    its step count on the CPU by default, on purpose.)

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
    """`nn.CrossEntropyLoss(weight=...)` and `nn.BCEWithLogitsLoss(pos_weight=...)` with one weight per class raise
    RuntimeError if the logits are on another device; `loss_fn.to(device)` moves the weights.

    The weights are a buffer of the loss, so move the loss like a model. A 0-dimensional `pos_weight` on the CPU, such
    as `torch.tensor(3.0)`, needs no move.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
    """
    one, elsewhere = device_pair
    loss_fn = make(torch.tensor([1.0, 2.0, 3.0], device=one))
    logits = torch.ones(2, 3, device=elsewhere)
    targets = torch.ones((2,) if dtype == torch.int64 else (2, 3), dtype=dtype, device=elsewhere)

    assert len(list(loss_fn.buffers())) == 1
    with pytest.raises(RuntimeError, match=r"device|expected"):
        loss_fn(logits, targets)
    assert loss_fn.to(elsewhere)(logits, targets).device == elsewhere

    one_number = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(3.0))
    assert one_number(logits, torch.ones_like(logits)).device == elsewhere


def test_a_dataloader_leaves_batches_where_the_data_is(device):
    """A DataLoader over a TensorDataset gives batches on the device of the data: batches of CPU tensors are on the CPU,
    and the training loop moves each of them.

    A batch of a TensorDataset is a list, and a list has no `.to`: write `x, y = x.to(device), y.to(device)`. If the
    data fits on the device, move it once before the loop, and leave `num_workers` at 0.

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


def test_tied_weights_stay_tied_after_a_move(device):
    """Two layers that share one Parameter still share it after `model.to(device, dtype)`, on the CPU and on
    accelerators.

    A language model that ties its input and output embedding needs no care here. `.to("meta")` and `to_empty` are
    different: they untie the two, as a note below shows.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    model = nn.Sequential(nn.Linear(3, 3, dtype=torch.float16), nn.Linear(3, 3, dtype=torch.float16))
    model[1].weight = model[0].weight

    model.to(device, torch.float32)

    assert model[1].weight is model[0].weight
    assert (model[0].weight.device, model[0].weight.dtype) == (device, torch.float32)


# Optimizers and moves


def test_an_optimizer_built_before_a_move_still_works(device):
    """By default `model.to(device, dtype)` keeps the Parameter objects of the model, on the CPU and on accelerators: an
    SGD or Adam built before goes on updating the model.

    The optimizer's state does not move along: move the model before the first step. `Adagrad` has state before its
    first step: build it after the move. A move to `meta` makes new Parameters, which the optimizer does not know.

    https://docs.pytorch.org/docs/stable/optim.html
    """
    # float16, because the change to float32 makes it a real move on the CPU too
    model = nn.Linear(2, 1, bias=False, dtype=torch.float16)
    model.weight.data = torch.tensor([[1.0, 2.0]], dtype=torch.float16)
    weight = model.weight
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
    adam, adagrad = torch.optim.Adam(model.parameters()), torch.optim.Adagrad(model.parameters())

    model.to(device, torch.float32)
    model(torch.tensor([[2.0, 4.0]], device=device)).sum().backward()
    optimizer.step()

    assert model.weight is weight is optimizer.param_groups[0]["params"][0]
    assert (model.weight.device, model.weight.dtype) == (device, torch.float32)
    assert model.weight.tolist() == [[0, 0]]
    adam.step()
    assert (model.weight < 0).all()
    left_behind = adagrad.state[weight]["sum"]
    assert (left_behind.device, left_behind.dtype) == (CPU, torch.float16)

    model.to(torch.float16)
    assert (model.weight.dtype, optimizer.state[weight]["momentum_buffer"].dtype) == (torch.float16, torch.float32)
    assert model.to("meta").weight is not weight


def test_optimizer_state_is_loaded_to_where_the_parameters_are(device_pair):
    """`optimizer.load_state_dict` of SGD puts the momentum on the device of the parameters, whatever device it was
    saved from.

    Move the model first and build its optimizer then; the checkpoint may come from the CPU. The learning rate and the
    momentum factor come from the checkpoint too.

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


# Saving here, loading there


def test_load_puts_tensors_back_where_they_were_saved(device):
    """`torch.load(file)` returns a tensor to the device it was saved from; `torch.load(file, map_location="cpu")` puts
    it on the CPU, unless it was saved from `meta`.

    A tensor saved on a GPU raises on a machine without one, unless `map_location` names a device that is there. Write
    `map_location="cpu"` and move the model afterwards.

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
    """The `map_location` of `torch.load` may be a `torch.device`, its name, or a dict from the name of the saved device
    to the name of the new one, such as `{"cuda:0": "cpu"}`.

    The dict wants names: a `torch.device` as its key is ignored silently, and the tensors go where they were saved; a
    `torch.device` as its value raises.

    https://docs.pytorch.org/docs/stable/generated/torch.load.html
    """
    one, elsewhere = device_pair
    file = io.BytesIO()
    torch.save({"w": torch.ones(2, 3, device=one)}, file)

    for map_location in (elsewhere, str(elsewhere), {str(one): str(elsewhere)}):
        file.seek(0)
        loaded = torch.load(file, map_location=map_location)["w"]
        assert (loaded.device, loaded.shape, loaded.dtype) == (elsewhere, (2, 3), torch.float32)

    file.seek(0)
    assert torch.load(file, map_location={one: str(elsewhere)})["w"].device == one
    file.seek(0)
    with pytest.raises((AttributeError, TypeError), match=r"torch\.device"):
        torch.load(file, map_location={str(one): elsewhere})


def test_loading_to_a_gpu_that_is_not_there_raises():
    """By default `torch.load` raises RuntimeError if the file or a string as `map_location` puts a tensor on a CUDA GPU
    that this machine does not have, and the message ("Attempting to deserialize object on ...") names `map_location`.

    Pass `map_location="cpu"`. With `weights_only=True`, releases before torch 2.5 raised `pickle.UnpicklingError` with
    this message instead, which `except RuntimeError` does not catch.

    https://docs.pytorch.org/docs/stable/generated/torch.load.html
    """
    file = io.BytesIO()
    torch.save(torch.ones(2), file)
    file.seek(0)

    with pytest.raises(RuntimeError, match=r"Attempting to deserialize object on .*map_location"):
        torch.load(file, map_location="cuda:99")
    file.seek(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # 2.0 warns of TypedStorage
        with pytest.raises((RuntimeError, pickle.UnpicklingError), match=r"Attempting to deserialize .*map_location"):
            torch.load(file, map_location="cuda:99", weights_only=True)
    file.seek(0)
    assert torch.load(file, map_location="cpu").tolist() == [1, 1]
    assert not issubclass(pickle.UnpicklingError, RuntimeError)


def test_load_state_dict_keeps_the_models_device(device):
    """`model.load_state_dict(checkpoint)` copies the values into the model's parameters, which keep their device: a CPU
    checkpoint does not move the model.

    A checkpoint from a file shares no memory with the model, so it can be freed or changed. The model's own
    `model.state_dict()` does share it: copy it to keep it. Pass `assign=True` (torch 2.1) to take over the tensors of
    the checkpoint and their device instead.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    model = nn.Linear(2, 1, device=device)
    checkpoint = {"weight": torch.tensor([[3.0, 4.0]]), "bias": torch.tensor([5.0])}

    model.load_state_dict(checkpoint)
    checkpoint["weight"] += 1

    assert model.weight.device == model.bias.device == device
    assert (model.weight.tolist(), model.bias.tolist()) == ([[3, 4]], [5])
    assert model.state_dict()["weight"].data_ptr() == model.weight.data_ptr()


# Out of memory


def test_too_little_memory_is_an_exception(device):
    """An allocation of an exbibyte raises RuntimeError on the CPU and on accelerators, and tensors made before keep
    their values: the device goes on computing.

    A training script can catch "out of memory" on a GPU and try a smaller batch, best after the `except` block has
    ended. A smaller allocation on the CPU need not raise: Linux can promise more memory than there is and kill the
    process when it is written to.

    https://docs.pytorch.org/docs/stable/notes/faq.html
    """
    tensor = torch.tensor([1.0, 2.0], device=device)

    with pytest.raises(RuntimeError, match=r"(?i)memory|buffer size"):
        torch.empty(2**60, dtype=torch.uint8, device=device)

    assert (tensor * 3).tolist() == [3, 6]
    assert torch.ones(1000, device=device).sum().item() == 1000
    assert torch.empty(2**60, dtype=torch.uint8, device="meta").shape == (2**60,)  # meta has no memory to run out of


def test_a_gpu_out_of_memory_raises_a_class_of_its_own(accelerator):
    """An allocation of an exbibyte raises `torch.cuda.OutOfMemoryError`, which is a RuntimeError, on CUDA ("CUDA out of
    memory"), and a RuntimeError on mps.

    On an NVIDIA GPU the message goes on "Tried to allocate". `except torch.cuda.OutOfMemoryError:` lets other errors
    through. Afterwards `torch.cuda.memory_allocated()` is not larger than before.

    https://docs.pytorch.org/docs/stable/notes/cuda.html
    """
    module = getattr(torch, accelerator.type)
    read = module.current_allocated_memory if accelerator.type == "mps" else module.memory_allocated
    before = read()

    with pytest.raises(RuntimeError, match=r"(?i)memory|buffer size") as caught:
        torch.empty(2**60, dtype=torch.uint8, device=accelerator)

    assert isinstance(caught.value, torch.cuda.OutOfMemoryError) or accelerator.type != "cuda"
    if accelerator.type == "cuda" and torch.version.cuda is not None:
        assert "CUDA out of memory. Tried to allocate" in str(caught.value)
    assert issubclass(torch.cuda.OutOfMemoryError, RuntimeError)
    assert read() <= before
    assert (torch.ones(3, device=accelerator) * 2).tolist() == [2, 2, 2]


@pytest.mark.holds("torch>=2.4", otherwise=AttributeError, change="new", concerns="torch.OutOfMemoryError")
def test_out_of_memory_has_a_name_for_every_device():
    """From torch 2.4 on, `torch.OutOfMemoryError` and `torch.cuda.OutOfMemoryError` are one class, a RuntimeError; a
    CPU allocation that is refused raises a plain RuntimeError instead.

    Before torch 2.4, only `torch.cuda.OutOfMemoryError` exists. To catch too little memory on the CPU too, write
    `except RuntimeError` and look for "memory" in its message.

    https://docs.pytorch.org/docs/stable/notes/cuda.html
    """
    assert torch.OutOfMemoryError is torch.cuda.OutOfMemoryError
    assert issubclass(torch.OutOfMemoryError, RuntimeError)

    with pytest.raises(RuntimeError, match="memory") as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert type(caught.value) is RuntimeError


@pytest.mark.holds("torch>=2.8", otherwise=AttributeError, change="new", concerns="torch.AcceleratorError")
def test_an_error_of_a_device_is_still_a_runtime_error():
    """From torch 2.8 on, `torch.AcceleratorError` and `torch.OutOfMemoryError` are two subclasses of RuntimeError, and
    neither is a subclass of the other.

    `except RuntimeError` catches both. Two `except` clauses tell them apart in either order.

    https://docs.pytorch.org/docs/stable/generated/torch.cuda.OutOfMemoryError.html
    """
    assert issubclass(torch.AcceleratorError, RuntimeError)
    assert issubclass(torch.OutOfMemoryError, RuntimeError)
    assert not issubclass(torch.OutOfMemoryError, torch.AcceleratorError)
    assert not issubclass(torch.AcceleratorError, torch.OutOfMemoryError)


# meta, the device without numbers: how is a large model built without memory?


def test_meta_tensors_have_shapes_and_no_numbers():
    """A tensor of four terabytes on the device `meta` takes no memory: shapes and dtypes of results are computed, and
    `.cpu()`, `.tolist()` and `.item()` raise, because there are no numbers.

    Use `meta` to check shapes before a large run. `nonzero` and a mask as index, whose result's shape depends on the
    numbers, raise as well.

    https://docs.pytorch.org/docs/stable/meta.html
    """
    tensor = torch.ones(10**6, 10**6, device="meta")
    column = tensor.half().sum(dim=1, keepdim=True)

    assert tensor.numel() * tensor.element_size() == 4 * 10**12
    assert (column.shape, column.dtype, column.device.type) == ((10**6, 1), torch.float16, "meta")
    assert tensor.data_ptr() == 0
    for read in (column.cpu, column.tolist, column[0, 0].item, lambda: column.to("cpu")):
        with pytest.raises(RuntimeError):  # mostly the NotImplementedError that is one
            read()
    for depends in (column.nonzero, lambda: column[column > 0]):
        with pytest.raises(RuntimeError):
            depends()


def test_a_model_from_meta_gets_its_memory_with_to_empty(device):
    """A model built on `meta` has no weights to move: `model.to(device)` raises NotImplementedError ("Cannot copy out
    of meta tensor; no data!"), `model.to_empty(device=device)` allocates them, and `load_state_dict` fills them.

    A large model is built without drawing initial weights that are thrown away. A buffer with `persistent=False` is not
    in the state_dict and stays uninitialised. `to_empty` makes new Parameters: build the optimizer after it.

    https://docs.pytorch.org/docs/stable/meta.html
    """
    state = torch.get_rng_state()
    model = nn.Linear(2, 1, device="meta")
    assert torch.equal(torch.get_rng_state(), state)
    model.register_buffer("unsaved", torch.ones(1, device="meta"), persistent=False)
    weight = model.weight

    with pytest.raises(NotImplementedError, match="Cannot copy out of meta tensor; no data!"):
        model.to(device)
    assert model.to_empty(device=device) is model
    model.unsaved.fill_(7)
    model.load_state_dict({"weight": torch.tensor([[3.0, 4.0]]), "bias": torch.tensor([5.0])})

    assert model.unsaved.tolist() == [7]
    assert model(torch.tensor([[1.0, 2.0]], device=device)).tolist() == [[16]]
    assert model.weight.device == device
    assert model.weight is not weight


def test_to_empty_unties_shared_weights(device):
    """If two layers of a model on `meta` share one Parameter, `model.to_empty(device=device)` gives each layer a
    Parameter of its own.

    The two train apart from then on, silently. Tie them again after `to_empty`. A move to `meta` with `.to("meta")`
    unties them too.

    https://docs.pytorch.org/docs/stable/meta.html
    """
    model = nn.Sequential(nn.Linear(3, 3, device="meta"), nn.Linear(3, 3, device="meta"))
    model[1].weight = model[0].weight

    model.to_empty(device=device)
    assert model[0].weight.device == model[1].weight.device == device
    assert model[1].weight is not model[0].weight
    assert model[1].weight.data_ptr() != model[0].weight.data_ptr()

    model[1].weight = model[0].weight
    model.to("meta")
    assert model[1].weight is not model[0].weight


@pytest.mark.myth("load_state_dict fills a model that was built on meta")
@pytest.mark.holds(
    "torch>=2.1", otherwise=AssertionError, change="warns", concerns="torch.nn.Module.load_state_dict(not assign)?"
)
def test_loading_into_a_meta_model_does_nothing():
    """`load_state_dict` into a model on `meta` loads nothing, though it reports that all keys match; from torch 2.1 on,
    a UserWarning ("no-op") says so.

    Torch 2.0 did not even warn. Call `to_empty` before, or pass `assign=True`: the notes before and after this one.

    https://docs.pytorch.org/docs/stable/meta.html
    """
    with torch.device("meta"):
        model = nn.Linear(2, 1)

    with pytest.warns(UserWarning, match="no-op"):
        report = model.load_state_dict({"weight": torch.ones(1, 2), "bias": torch.ones(1)})
    assert report.missing_keys == report.unexpected_keys == []
    assert model.weight.device.type == model.bias.device.type == "meta"


@pytest.mark.holds("torch>=2.1", otherwise=TypeError, change="new")
def test_a_model_from_meta_can_take_the_tensors_of_the_file(device):
    """From torch 2.1 on, `model.load_state_dict(state, assign=True)` makes the tensors of `state` the parameters of a
    model on `meta`, without a copy: each parameter is on the device of its tensor.

    Nothing is allocated twice. In torch 2.0, call `to_empty` and then `load_state_dict`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    state = {"weight": torch.tensor([[3.0, 4.0]], device=device), "bias": torch.tensor([5.0], device=device)}
    with torch.device("meta"):
        model = nn.Linear(2, 1)

    model.load_state_dict(state, assign=True)

    assert model(torch.tensor([[1.0, 2.0]], device=device)).tolist() == [[16]]
    assert model.weight.device == model.bias.device == device
    assert model.weight.data_ptr() == state["weight"].data_ptr()


@pytest.mark.holds("torch>=2.1", otherwise=TypeError, change="new")
def test_assign_leaves_unsaved_buffers_on_meta(device):
    """From torch 2.1 on, `load_state_dict(state, assign=True)` leaves a buffer with `persistent=False` on `meta`,
    though it reports that all keys match.

    `x + buffer` raises then for an `x` with dimensions, but an embedding of such a buffer of indices silently gives
    whatever lay in memory. Look for what is left, with `[n for n, b in model.named_buffers() if b.is_meta]`, and make
    these buffers anew.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """

    class Shifted(nn.Linear):
        def __init__(self):
            super().__init__(2, 1)
            self.register_buffer("shift", torch.ones(1), persistent=False)

        def forward(self, x):
            return super().forward(x) + self.shift

    with torch.device("meta"):
        model = Shifted()
    state = {"weight": torch.tensor([[3.0, 4.0]], device=device), "bias": torch.tensor([5.0], device=device)}

    report = model.load_state_dict(state, assign=True)

    assert report.missing_keys == report.unexpected_keys == []
    assert [name for name, buffer in model.named_buffers() if buffer.is_meta] == ["shift"]
    with pytest.raises(RuntimeError, match="device"):
        model(torch.tensor([[1.0, 2.0]], device=device))
    positions = torch.arange(3, device="meta")
    embedded = nn.Embedding(4, 2, device=device)(positions)
    assert (embedded.device, embedded.shape) == (device, (3, 2))


def test_map_location_does_not_bring_back_meta():
    """A tensor saved from `meta` is loaded to `meta`, with `torch.load(file, map_location="cpu")` too.

    A checkpoint of a model that still had parameters on `meta` contains no numbers for them, and `torch.load` does not
    complain. Check `is_meta` before you save.

    https://docs.pytorch.org/docs/stable/meta.html
    """
    file = io.BytesIO()
    torch.save({"w": torch.ones(2, 3, device="meta")}, file)
    file.seek(0)

    loaded = torch.load(file, map_location="cpu")["w"]

    assert (loaded.device.type, loaded.shape) == ("meta", (2, 3))


@pytest.mark.myth("mixing two devices always raises")
def test_meta_is_not_checked_everywhere():
    """For a matrix `x` on the CPU, `x @ weight` and `F.linear(x, weight)` with a matrix on `meta`, and `x[index]` and
    `F.embedding(index, x)` with an integer vector on `meta`, return a CPU tensor of memory garbage, and `x += other`
    with `other` on `meta` leaves `x` as it was.

    `target[rows] = values`, with a vector of rows on the CPU and values on `meta`, does nothing either, though
    `target[0] = value` raises. `F.embedding` with its weight on `meta` gives a tensor on `meta`, and `F.linear` with a
    bias on `meta` raises. With CUDA in place of `meta` each call of the first sentence raises. After building on
    `meta`, check that no parameter is left there: `any(p.is_meta for p in model.parameters())`.

    https://docs.pytorch.org/docs/stable/meta.html
    """
    x, weight = torch.ones(2, 3), torch.ones(4, 3, device="meta")
    index = torch.tensor([1, 0], device="meta")

    garbage = [x @ weight.T, F.linear(x, weight), F.embedding(index, x), x[index]]
    assert [tuple(tensor.shape) for tensor in garbage] == [(2, 4), (2, 4), (2, 3), (2, 3)]
    assert {(tensor.device, tensor.dtype) for tensor in garbage} == {(CPU, torch.float32)}
    assert F.embedding(torch.tensor([1, 0]), weight).is_meta
    with pytest.raises(RuntimeError, match="device"):
        F.linear(x, weight, torch.ones(4, device="meta"))

    y = torch.tensor([1.0, 2.0])
    y += torch.ones(2, device="meta")
    y[torch.tensor([0])] = torch.ones(1, device="meta") * 7
    y[y > 1] = torch.ones(1, device="meta") * 7
    assert y.tolist() == [1, 2]
    with pytest.raises(NotImplementedError, match="Cannot copy out of meta tensor"):
        y[0] = torch.ones((), device="meta")


# Mixed precision: how is its device named? (What it does is in section 12.)


@pytest.mark.holds(
    "torch>=2.2", otherwise=UserWarning, change="new", concerns="torch.autocast('cpu', dtype=torch.float16)"
)
def test_autocast_on_the_cpu_takes_float16():
    """From torch 2.2 on, `a @ b` of float32 matrices inside `torch.autocast("cpu", dtype=torch.float16)` is computed in
    float16; before, autocast warned and raised RuntimeError.

    Without `dtype=`, autocast on the CPU computes it in bfloat16. A product of float64 stays float64, and a product of
    float32 with `torch.mm(a, b, out=c)` stays float32.

    https://docs.pytorch.org/docs/stable/amp.html
    """
    x = torch.tensor([[1.0, 2.0], [-3.0, 0.5]])

    with torch.autocast("cpu", dtype=torch.float16):
        product, double = x @ x, x.double() @ x.double()
    with torch.autocast("cpu"):
        by_default = x @ x

    assert (product.dtype, product.tolist()) == (torch.float16, [[-5, 3], [-4.5, -5.75]])
    assert (by_default.dtype, by_default.tolist()) == (torch.bfloat16, [[-5, 3], [-4.5, -5.75]])
    assert double.dtype == torch.float64
    with torch.autocast("cpu", dtype=torch.float16):
        assert torch.mm(x, x, out=torch.zeros(2, 2)).dtype == torch.float32


def test_autocast_for_cuda_needs_a_gpu():
    """`torch.autocast("cuda")` gives a UserWarning with "CUDA is not available" if and only if
    `torch.cuda.is_available()` is False, and is then turned off: a product of float32 stays float32.

    The script runs on, without mixed precision. Write `torch.autocast(device.type)` for a model on the CPU or on CUDA:
    on the CPU it computes the product of this note in bfloat16. If the machine has a GPU, see why torch does not find
    it: the first notes of this section.

    https://docs.pytorch.org/docs/stable/amp.html
    """
    x = torch.ones(2, 2, device="cuda" if torch.cuda.is_available() else "cpu")

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with torch.autocast("cuda"):
            product = x @ x

    said = [str(warning.message) for warning in caught if issubclass(warning.category, UserWarning)]
    assert any("CUDA is not available" in text for text in said) == (not torch.cuda.is_available())
    assert product.dtype == (torch.float16 if torch.cuda.is_available() else torch.float32)
    with torch.autocast(x.device.type):
        assert (x @ x).dtype == (torch.float16 if torch.cuda.is_available() else torch.bfloat16)


@pytest.mark.holds(
    "torch>=2.4",
    otherwise=AssertionError,
    change="warns",
    concerns=(
        "torch.cuda.amp.autocast(...)",
        "torch.cuda.amp.GradScaler(...)",
        "torch.cpu.amp.autocast(...)",
        "torch.cpu.amp.GradScaler(...)",
    ),
)
def test_mixed_precision_names_its_device():
    """From torch 2.4 on, `autocast` and `GradScaler` of `torch.cuda.amp` and `torch.cpu.amp` give a FutureWarning.

    A plain Python shows it once for each line of code. Write `torch.autocast("cuda")`, which every release has, and
    `torch.amp.GradScaler("cuda")`, which torch 2.3 brought.

    https://docs.pytorch.org/docs/stable/amp.html
    """
    for name, module in (("cuda", torch.cuda.amp), ("cpu", torch.cpu.amp)):
        with pytest.warns(FutureWarning, match=rf"Please use `torch.amp.autocast\('{name}', args...\)`"):
            module.autocast(enabled=False)
        with pytest.warns(FutureWarning, match=rf"Please use `torch.amp.GradScaler\('{name}', args...\)`"):
            module.GradScaler(enabled=False)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        torch.autocast("cpu")
        torch.amp.GradScaler("cuda", enabled=False)


@pytest.mark.holds("torch>=2.4", otherwise=TypeError, change="new")
def test_autocast_can_be_asked_by_type_of_device():
    """From torch 2.4 on, `torch.is_autocast_enabled(device.type)` tells whether autocast is on for the CPU or for CUDA,
    and `torch.get_autocast_dtype(device.type)` its dtype: by default bfloat16 on the CPU and float16 on CUDA.

    Without an argument, `torch.is_autocast_enabled()` answers for CUDA. Before torch 2.4, each type had a function of
    its own. A type without autocast, such as `meta`, raises RuntimeError.

    https://docs.pytorch.org/docs/stable/amp.html
    """
    assert [torch.is_autocast_enabled(device_type) for device_type in ("cpu", "cuda")] == [False, False]
    assert torch.get_autocast_dtype("cpu") == torch.bfloat16
    assert torch.get_autocast_dtype("cuda") == torch.float16

    with torch.autocast("cpu", dtype=torch.float16):
        assert [torch.is_autocast_enabled(device_type) for device_type in ("cpu", "cuda")] == [True, False]
        assert torch.is_autocast_enabled() is False
        assert torch.get_autocast_dtype("cpu") == torch.float16

    with pytest.raises(RuntimeError, match="autocast"):
        torch.is_autocast_enabled("meta")


# The fine print: every name, every shape, every dtype


@given(type=st.sampled_from(["cpu", "cuda", "mps", "xpu", "meta"]), index=st.none() | st.integers(0, 127))
def test_a_device_is_its_name_for_every_name(type, index):
    """For the types cpu, cuda, mps, xpu and meta and an index up to 127, `torch.device("cuda:1")` equals
    `torch.device("cuda", 1)`, and `str(device)` gives back the name.

    Configuration files and command lines can keep devices as text: `str(device)` to write, `torch.device(text)` to
    read.

    https://docs.pytorch.org/docs/stable/tensor_attributes.html
    """
    name = type if index is None else f"{type}:{index}"
    device = torch.device(name)

    assert (device.type, device.index, str(device)) == (type, index, name)
    assert device == (torch.device(type) if index is None else torch.device(type, index))
    assert device != torch.device(type, 0 if index is None else (index + 1) % 128)
    assert hash(device) == hash(torch.device(name))


def test_a_device_index_is_one_byte():
    """`torch.device("cuda:256")` equals `torch.device("cuda:0")`: the index is kept in one signed byte, and an index
    from 128 to 999 becomes another one silently.

    A rank or a job number that is used as an index can be that large. Write `rank % torch.cuda.device_count()`.

    https://docs.pytorch.org/docs/stable/tensor_attributes.html
    """
    assert torch.device("cuda:127").index == 127
    assert all(torch.device(f"cuda:{index}").index != index for index in range(128, 1000))
    assert torch.device("cuda:256") == torch.device("cuda", 256) == torch.device("cuda:0")


@given(
    name=st.sampled_from(["add", "mul", "eq"]),
    shape=st.lists(st.integers(0, 3), min_size=1, max_size=3),
    spread=st.lists(st.booleans(), min_size=3, max_size=3),
)
def test_tensors_on_two_devices_do_not_mix_for_every_shape(device_pair, name, shape, spread):
    """`torch.add`, `mul` and `eq` raise RuntimeError for two tensors of one to three dimensions on different devices if
    their shapes broadcast, whatever the shapes; empty tensors are no exception.

    A tensor with one element, `torch.ones(1)`, raises as well. A CPU tensor without dimensions mixes: see above.

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


@given(
    values=st.lists(st.integers(0, 100), max_size=6),
    dtype=st.sampled_from(
        [torch.float32, torch.float16, torch.int64, torch.int32, torch.int8, torch.uint8, torch.bool]
    ),
)
def test_a_round_trip_changes_nothing_for_every_dtype(device, values, dtype):
    """A tensor of float32, float16, int64, int32, int8, uint8 or bool that moves to a device with numbers and back has
    the values, the dtype and the shape it had.

    Moving is a copy, not a computation, so nothing is rounded. `meta` keeps no numbers: the way back raises.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.to.html
    """
    tensor = torch.tensor(values).to(dtype).reshape(-1, 1)
    there = tensor.to(device)
    back = there.cpu()

    assert (there.device, there.dtype, there.shape) == (device, dtype, tensor.shape)
    assert (back.device, back.dtype) == (CPU, dtype)
    assert torch.equal(back, tensor)
    assert back.tolist() == tensor.tolist()
    with pytest.raises(NotImplementedError, match="no data"):
        tensor.to("meta").cpu()
