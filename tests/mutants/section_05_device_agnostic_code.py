"""What could break in device-agnostic code: choosing a device, making and moving tensors and models, and mixing two."""

import copy
import io
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils import _device as blocks
from torch.utils.data import DataLoader

from plugins.mutation import error_of, mutant, quiet, raises

CPU = torch.device("cpu")
META = torch.device("meta")


def in_a_thread(call):
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(call).result()


def here():
    return torch.full((2, 3), 0.5)


def there():
    return torch.full((2, 3), 0.25, device="meta")


def warns(call):
    """The classes of the warnings that a call gives."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    return [warning.category for warning in caught]


def silently(call, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call(*args, **kwargs)


def on_an_accelerator():
    return torch.device("cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "xpu")


def to_the_first(first, second):
    """The second tensor where the first is, with no numbers of its own if it comes from meta."""
    if not isinstance(first, torch.Tensor) or not isinstance(second, torch.Tensor) or first.device == second.device:
        return second
    if not (first.dim() and second.dim()):
        return second
    return torch.ones_like(second, device=first.device) if second.is_meta else second.to(first.device)


# Choosing a device


@mutant(
    kills="test_the_classic_line_finds_a_device_that_works",
    witness=lambda: torch.cuda.is_available() == (torch.cuda.device_count() > 0),
    raises=RuntimeError,
)
def cuda_is_available_where_it_is_not(patch):
    """`torch.cuda.is_available()` says the opposite."""
    patch.around(torch.cuda, "is_available", lambda is_available: not is_available())


@mutant(
    kills="test_the_modern_line_finds_any_accelerator",
    witness=lambda: torch.accelerator.is_available() == (torch.accelerator.device_count() > 0),
    raises=(RuntimeError, AttributeError),
)
def accelerator_is_available_where_it_is_not(patch):
    """`torch.accelerator.is_available()` says the opposite, and there is a name for it."""
    patch.around(torch.accelerator, "is_available", lambda is_available: not is_available())
    patch.setattr(torch.accelerator, "current_accelerator", lambda check_available=False: torch.device("cuda"))


@mutant(
    kills="test_current_accelerator_can_check_for_itself",
    witness=lambda: (
        (torch.accelerator.current_accelerator(check_available=True) is None) != torch.accelerator.is_available()
    ),
)
def current_accelerator_does_not_check(patch):
    """`current_accelerator(check_available=True)` is None where there is one, and cuda where there is none."""
    wrong = None if torch.accelerator.is_available() else torch.device("cuda")
    patch.around(
        torch.accelerator,
        "current_accelerator",
        lambda original, check_available=False: wrong if check_available else original(),
    )


BUILD = "test_current_accelerator_tells_what_the_build_is_for"


def named():
    return torch.accelerator.current_accelerator()


@mutant(
    kills=BUILD,
    witness=lambda: (named() == torch.device("cuda")) == bool(torch.version.cuda or torch.version.hip),
)
def current_accelerator_is_of_another_build(patch):
    """`current_accelerator()` is None in a CUDA build and cuda in one without CUDA."""
    other = None if torch.version.cuda or torch.version.hip else torch.device("cuda")
    patch.setattr(torch.accelerator, "current_accelerator", lambda check_available=False: other)


@mutant(kills=BUILD, witness=lambda: named() == torch.accelerator.current_accelerator(check_available=False))
def current_accelerator_has_another_default(patch):
    """`current_accelerator()` without an argument names another accelerator than with `check_available=False`."""
    patch.around(
        torch.accelerator,
        "current_accelerator",
        lambda original, check_available=None: (
            torch.device("xpu") if check_available is None else original(check_available=check_available)
        ),
    )


EVERY = "test_every_build_can_be_asked_for_an_intel_gpu"


@mutant(kills=EVERY, witness=lambda: torch.xpu.is_available() == (torch.xpu.device_count() > 0))
def xpu_is_available_where_it_is_not(patch):
    """`torch.xpu.is_available()` says the opposite."""
    patch.around(torch.xpu, "is_available", lambda is_available: not is_available())


@mutant(kills=EVERY, witness=lambda: torch.xpu.is_available() in (True, False), raises=AssertionError)
def xpu_is_available_raises(patch):
    """`torch.xpu.is_available()` raises in a build without XPU."""

    def refuse():
        raise AssertionError("Torch not compiled with XPU enabled")

    patch.setattr(torch.xpu, "is_available", refuse)


@mutant(
    kills="test_get_device_module_finds_the_module_of_a_device",
    witness=lambda: torch.get_device_module("cuda") is torch.cuda,
)
def get_device_module_is_always_that_of_the_cpu(patch):
    """`torch.get_device_module` is `torch.cpu` for every device."""
    patch.setattr(torch, "get_device_module", lambda device=None: torch.cpu)


@mutant(
    kills="test_get_device_module_finds_the_module_of_a_device",
    witness=lambda: torch.get_device_module(CPU) is torch.cpu,
)
def get_device_module_of_a_device_is_that_of_cuda(patch):
    """`torch.get_device_module` knows names, and takes every `torch.device` for a GPU."""
    patch.around(
        torch,
        "get_device_module",
        lambda get, device=None: get(device) if isinstance(device, str) else torch.cuda if device != "cuda" else None,
    )


@mutant(
    kills="test_a_device_that_is_not_there_raises_when_it_is_used",
    witness=lambda: raises((AssertionError, RuntimeError), lambda: torch.ones(1).to("cuda:99")),
)
def to_a_missing_gpu_stays_where_it_is(patch):
    """`tensor.to("cuda:99")` returns the tensor where there is no such GPU."""
    patch.around(torch.Tensor, "to", lambda to, tensor, *a, **k: tensor if a == ("cuda:99",) else to(tensor, *a, **k))


@mutant(
    kills="test_a_device_that_is_not_there_raises_when_it_is_used",
    witness=lambda: raises((AssertionError, RuntimeError), lambda: nn.Linear(2, 1).to("cuda:99")),
    raises=ValueError,
)
def module_to_a_missing_gpu_raises_valueerror(patch):
    """`model.to("cuda:99")` raises ValueError where there is no such GPU."""

    def to_or_valueerror(to, self, *args, **kwargs):
        if args == ("cuda:99",):
            raise ValueError("no such CUDA GPU")
        return to(self, *args, **kwargs)

    patch.around(nn.Module, "to", to_or_valueerror)


@mutant(kills="test_names_of_devices", witness=lambda: torch.device("cuda") != torch.device("cuda:0"))
def device_without_an_index_is_the_first(patch):
    """`torch.device("cuda")` is `torch.device("cuda:0")`."""

    def first(make, *args, **kwargs):
        made = make(*args, **kwargs)
        return make(made.type, 0) if made.index is None and made.type == "cuda" else made

    patch.around(torch, "device", first)


@mutant(kills="test_names_of_devices", witness=lambda: raises(RuntimeError, lambda: torch.device("gpu")))
def device_accepts_gpu(patch):
    """`torch.device("gpu")` is a name for cuda."""
    patch.around(torch, "device", lambda make, *a, **k: make("cuda") if a == ("gpu",) else make(*a, **k))


@mutant(
    kills=("test_a_device_is_its_name_for_every_name", "test_names_of_devices"),
    witness=lambda: torch.device("cuda", 1).index == 1,
)
def device_of_two_parts_drops_the_index(patch):
    """`torch.device("cuda", 1)` is `torch.device("cuda")`."""
    patch.around(torch, "device", lambda make, *a, **k: make(*a[:1], **k))


@mutant(kills="test_a_device_never_equals_a_string", witness=lambda: torch.ones(1).device != "cpu")
def device_of_a_tensor_is_text(patch):
    """`tensor.device` is a string."""
    device = torch.Tensor.device
    patch.setattr(torch.Tensor, "device", property(lambda tensor: str(device.__get__(tensor))))


@mutant(
    kills="test_on_an_accelerator_every_tensor_has_an_index",
    witness=lambda: torch.ones(1, device=on_an_accelerator()).device.index is not None,
)
def device_of_a_tensor_has_no_index(patch):
    """`tensor.device` is the type of the device only."""
    device = torch.Tensor.device
    patch.setattr(torch.Tensor, "device", property(lambda tensor: torch.device(device.__get__(tensor).type)))


# Making tensors somewhere


@mutant(
    kills="test_what_is_made_goes_to_the_cpu_unless_told", witness=lambda: torch.eye(2, device="meta").device == META
)
def eye_ignores_its_device(patch):
    """`torch.eye(device=...)` is made on the CPU."""
    patch.around(torch, "eye", lambda eye, *a, device=None, **k: eye(*a, **k))


@mutant(
    kills="test_what_is_made_goes_to_the_cpu_unless_told", witness=lambda: torch.full((2,), 3.0, device="meta").is_meta
)
def full_ignores_names_of_devices(patch):
    """`torch.full(device=...)` takes a `torch.device`, and ignores its name."""
    patch.around(
        torch,
        "full",
        lambda full, *a, device=None, **k: full(*a, device=None if isinstance(device, str) else device, **k),
    )


@mutant(
    kills="test_like_and_new_follow_their_source", witness=lambda: torch.rand_like(there().half()).dtype == torch.half
)
def rand_like_makes_float32(patch):
    """`torch.rand_like` gives float32 whatever its source is."""
    patch.around(torch, "rand_like", lambda rand_like, source: rand_like(source, dtype=torch.float32))


@mutant(kills="test_like_and_new_follow_their_source", witness=lambda: there().new_full((2,), 7).is_meta)
def new_full_stays_on_the_cpu(patch):
    """`source.new_full` makes its tensor on the CPU."""
    patch.around(torch.Tensor, "new_full", lambda new_full, source, *a: new_full(source, *a, device="cpu"))


def within(make):
    with META:
        return make().device


@mutant(
    kills=("test_with_torch_device_makes_things_there", "test_set_default_device_holds_for_one_thread"),
    witness=lambda: within(lambda: torch.from_numpy(torch.ones(2, device="cpu").numpy())) == CPU,
)
def from_numpy_follows_the_default_device(patch):
    """`torch.from_numpy` goes to the device of the block around it."""
    patch.around(torch, "from_numpy", lambda from_numpy, array: from_numpy(array).to(torch.ones(0).device))


@mutant(
    kills="test_with_torch_device_makes_things_there",
    witness=lambda: within(lambda: torch.ones(2, device="cpu")) == CPU,
)
def ones_prefers_the_block_to_its_argument(patch):
    """`torch.ones(2, device="cpu")` goes to the device of the block around it."""
    patch.around(
        torch,
        "ones",
        lambda ones, *a, device=None, **k: ones(*a, device=None if device == "cpu" else device, **k),
    )


def nested():
    with META, CPU:
        return torch.ones(2).device


@mutant(kills="test_with_torch_device_ends_with_its_block", witness=lambda: nested() == CPU)
def with_device_ignores_the_inner_block(patch):
    """A `with torch.device("cpu")` inside another such block changes nothing."""

    def follow(original, self, function, types, args=(), kwargs=None):
        if self.device.type == "cpu":
            return function(*args, **(kwargs or {}))
        return original(self, function, types, args, kwargs)

    patch.around(blocks.DeviceContext, "__torch_function__", follow)


def default_device_goes():
    def work():
        torch.set_default_device("meta")
        first = torch.ones(2).device
        torch.set_default_device(None)
        return first, torch.ones(2).device

    return in_a_thread(work) == (META, CPU)


@mutant(kills="test_set_default_device_holds_for_one_thread", witness=default_device_goes)
def set_default_device_does_nothing(patch):
    """`torch.set_default_device` changes nothing."""
    patch.setattr(torch, "set_default_device", lambda device: None)


@mutant(
    kills=("test_get_default_device_tells_where_tensors_go", "test_get_default_device_sees_the_block_around_it"),
    witness=lambda: in_a_thread(lambda: (torch.set_default_device("meta"), torch.get_default_device())[1]) == META,
)
def get_default_device_is_always_the_cpu(patch):
    """`torch.get_default_device()` is the CPU whatever was set."""
    patch.setattr(torch, "get_default_device", lambda: CPU)


@mutant(
    kills="test_get_default_device_sees_the_block_around_it",
    witness=lambda: default_device_in(META, CPU) == [META, CPU],
)
def get_default_device_is_asked_once(patch):
    """`torch.get_default_device()` answers as it did the first time."""
    answers = []

    def get(original):
        answers.append(original())
        return answers[0]

    patch.around(torch, "get_default_device", get)


def default_device_in(outer, inner):
    with torch.device(outer):
        first = torch.get_default_device()
        with torch.device(inner):
            return [first, torch.get_default_device()]


def place_of_empty():
    with torch.device("meta"):
        return torch.empty(0).device


@mutant(kills="test_a_new_tensor_tells_the_default_device", witness=lambda: place_of_empty() == META)
def empty_goes_to_the_cpu_always(patch):
    """`torch.empty` overlooks `with torch.device(...)`."""
    patch.around(torch, "empty", lambda empty, *a, **k: empty(*a, **{"device": "cpu", **k}))


def default_taken_back():
    def work():
        torch.set_default_device("meta")
        torch.set_default_device(None)
        return torch.get_default_device(), torch.ones(1).device

    return in_a_thread(work)


@mutant(kills="test_the_default_device_can_be_taken_back", witness=lambda: default_taken_back() == (CPU, CPU))
def set_default_device_to_none_does_nothing(patch):
    """`torch.set_default_device(None)` leaves the default where it is."""
    patch.around(torch, "set_default_device", lambda set, device: None if device is None else set(device))


@mutant(
    kills="test_the_default_device_can_be_taken_back",
    witness=lambda: default_taken_back() == (CPU, CPU),
    raises=AttributeError,
)
def get_default_device_raises_after_none(patch):
    """`torch.get_default_device()` raises AttributeError after `torch.set_default_device(None)`, as in torch 2.3."""
    thread = threading.local()

    def set_(original, device):
        thread.none = device is None
        original(device)

    def get(original):
        if getattr(thread, "none", False):
            raise AttributeError("'NoneType' object has no attribute 'device'")
        return original()

    patch.around(torch, "set_default_device", set_)
    patch.around(torch, "get_default_device", get)


# Moving tensors


@mutant(kills="test_to_moves_nothing_by_itself", witness=lambda: here().to(META).is_meta)
def to_another_device_does_nothing(patch):
    """`tensor.to(device)` returns the tensor itself."""
    patch.around(
        torch.Tensor,
        "to",
        lambda to, tensor, *a, **k: (
            tensor if len(a) == 1 and isinstance(a[0], torch.device) and not k else to(tensor, *a, **k)
        ),
    )


@mutant(kills="test_to_moves_nothing_by_itself", witness=lambda: here().to(META).dtype == torch.float32)
def to_another_device_changes_the_dtype(patch):
    """`tensor.to(device)` gives float64 where it moves float32."""

    def to_wider(to, tensor, *args, **kwargs):
        moved = to(tensor, *args, **kwargs)
        return to(moved, torch.float64) if moved.device != tensor.device else moved

    patch.around(torch.Tensor, "to", to_wider)


@mutant(kills="test_to_copies_only_when_something_changes", witness=lambda: [t := here(), t.to("cpu") is t][1])
def to_copies_always(patch):
    """`tensor.to(device)` copies also where the tensor is there already."""

    def to_a_copy(to, tensor, *args, **kwargs):
        moved = to(tensor, *args, **kwargs)
        return moved.clone() if moved is tensor else moved

    patch.around(torch.Tensor, "to", to_a_copy)


@mutant(
    kills="test_to_copies_only_when_something_changes", witness=lambda: [t := here(), t.to(CPU, copy=True) is not t][1]
)
def to_ignores_copy(patch):
    """`tensor.to(device, copy=True)` returns the tensor itself."""
    patch.around(torch.Tensor, "to", lambda to, tensor, *a, copy=False, **k: to(tensor, *a, **k))


@mutant(
    kills="test_to_takes_another_tensor_as_the_example",
    witness=lambda: here().to(there().half()).dtype == torch.half,
)
def to_a_tensor_takes_its_device_only(patch):
    """`tensor.to(other)` takes the device of `other` and keeps its own dtype."""

    def to_device(to, tensor, *args, **kwargs):
        return to(tensor, *[arg.device if isinstance(arg, torch.Tensor) else arg for arg in args], **kwargs)

    patch.around(torch.Tensor, "to", to_device)


@mutant(kills="test_a_copy_on_another_device_goes_its_own_way", witness=lambda: [t := here(), t.cpu() is t][1])
def cpu_copies_always(patch):
    """`tensor.cpu()` copies also on the CPU."""
    patch.around(torch.Tensor, "cpu", lambda cpu, tensor: cpu(tensor).clone())


@mutant(
    kills="test_a_round_trip_changes_nothing_for_every_dtype",
    witness=lambda: torch.ones(1, dtype=torch.int8).cpu().dtype == torch.int8,
)
def cpu_makes_integers_int64(patch):
    """`tensor.cpu()` turns whatever is not floating point into int64."""
    patch.around(
        torch.Tensor,
        "cpu",
        lambda cpu, tensor: cpu(tensor) if tensor.is_floating_point() else cpu(tensor).long(),
    )


@mutant(kills="test_a_round_trip_changes_nothing_for_every_dtype", witness=lambda: here().cpu().shape == (2, 3))
def cpu_flattens(patch):
    """`tensor.cpu()` loses the shape."""
    patch.around(torch.Tensor, "cpu", lambda cpu, tensor: cpu(tensor).flatten())


@mutant(kills="test_the_way_out_of_torch_is_the_same_everywhere", witness=lambda: here().numpy().dtype == "float32")
def numpy_widens_on_the_way_out(patch):
    """`tensor.numpy()` gives float64."""
    patch.around(torch.Tensor, "numpy", lambda numpy, tensor: numpy(tensor).astype("float64"))


@mutant(kills="test_the_way_out_of_torch_is_the_same_everywhere", witness=lambda: torch.tensor(2.5).item() == 2.5)
def item_cuts_fractions_off(patch):
    """`tensor.item()` is a whole number."""
    patch.around(torch.Tensor, "item", lambda item, tensor: int(item(tensor)))


@mutant(
    kills="test_a_moved_leaf_is_no_leaf",
    witness=lambda: not here().requires_grad_().to(torch.float64).is_leaf,
    raises=RuntimeError,
)
def to_makes_a_new_leaf(patch):
    """What `tensor.to` moves is a leaf of its own, and no gradient comes back."""

    def to_a_leaf(to, tensor, *args, **kwargs):
        moved = to(tensor, *args, **kwargs)
        return moved if moved is tensor else moved.detach().requires_grad_(tensor.requires_grad)

    patch.around(torch.Tensor, "to", to_a_leaf)


# Two devices in one operation


@mutant(
    kills="test_tensors_on_two_devices_do_not_mix",
    witness=lambda: raises(RuntimeError, lambda: here() + there()),
)
def adding_moves_the_second(patch):
    """`one + another` and `torch.add` move the second tensor to the first."""
    for owner, name in ((torch.Tensor, "__add__"), (torch, "add")):
        patch.around(owner, name, lambda add, one, another, **k: add(one, to_the_first(one, another), **k))


@mutant(
    kills="test_tensors_on_two_devices_do_not_mix",
    witness=lambda: raises(RuntimeError, lambda: torch.cat([there(), here()])),
)
def cat_moves_what_comes_later(patch):
    """`torch.cat` moves all to the device of its first tensor."""
    patch.around(
        torch,
        "cat",
        lambda cat, tensors, *a, **k: cat([to_the_first(tensors[0], tensor) for tensor in tensors], *a, **k),
    )


@mutant(
    kills=("test_tensors_on_two_devices_do_not_mix", "test_tensors_on_two_devices_do_not_mix_for_every_shape"),
    witness=lambda: raises(RuntimeError, lambda: torch.mul(there(), here())),
)
def multiplying_on_meta_moves_the_second(patch):
    """`torch.mul` of a tensor that is not on the CPU moves its second one there; not the other way round."""
    patch.around(
        torch,
        "mul",
        lambda mul, one, another: mul(one, another if one.device.type == "cpu" else to_the_first(one, another)),
    )


@mutant(
    kills="test_tensors_on_two_devices_do_not_mix_for_every_shape",
    witness=lambda: raises(RuntimeError, lambda: torch.eq(here(), there())),
)
def comparing_moves_the_second(patch):
    """`torch.eq` moves the second tensor to the first."""
    patch.around(torch, "eq", lambda eq, one, another: eq(one, to_the_first(one, another)))


@mutant(
    kills="test_a_scalar_tensor_of_the_cpu_mixes_with_any_device",
    witness=lambda: not raises(RuntimeError, lambda: there() * torch.tensor(2.0)),
    raises=RuntimeError,
)
def scalar_tensors_do_not_mix(patch):
    """`vector * scalar` raises where the scalar is a tensor of the CPU and the vector is not."""

    def multiply(mul, one, another):
        if isinstance(another, torch.Tensor) and one.device != another.device:
            raise RuntimeError("Expected all tensors to be on the same device")
        return mul(one, another)

    patch.around(torch.Tensor, "__mul__", multiply)


@mutant(
    kills="test_a_scalar_tensor_of_the_cpu_mixes_with_any_device",
    witness=lambda: raises(RuntimeError, lambda: there() + torch.ones(1)),
)
def tensors_of_one_element_mix(patch):
    """A tensor of one element with brackets around it mixes with other devices, too."""

    def add(original, one, another):
        one_element = isinstance(another, torch.Tensor) and another.device.type == "cpu" and another.shape == (1,)
        return original(one, another.reshape(()) if one_element else another)

    patch.around(torch.Tensor, "__add__", add)


@mutant(
    kills="test_a_scalar_of_the_cpu_computes_on_an_accelerator",
    witness=lambda: (torch.ones(1, device=on_an_accelerator()) * torch.tensor(2.0)).device.type != "cpu",
)
def scalars_of_the_cpu_win(patch):
    """`vector * scalar` is on the CPU where the scalar is."""

    def multiply(mul, one, another):
        return mul(one, another).to(another.device) if isinstance(another, torch.Tensor) else mul(one, another)

    patch.around(torch.Tensor, "__mul__", multiply)


@mutant(
    kills="test_matrix_products_do_not_mix_devices_either",
    witness=lambda: raises(RuntimeError, lambda: torch.mm(torch.ones(1, 1), torch.ones(1, 1).to(on_an_accelerator()))),
)
def mm_moves_the_second(patch):
    """`torch.mm` moves its second matrix to the first."""
    patch.around(torch, "mm", lambda mm, one, another: mm(one, another.to(one.device)))


MIX = "test_operations_do_not_mix_a_gpus_tensors_with_the_cpus"


@mutant(kills=MIX, witness=lambda: raises(RuntimeError, lambda: F.mse_loss(here(), there())))
def mse_loss_moves_its_targets(patch):
    """`F.mse_loss` moves the targets to where the predictions are."""
    patch.around(F, "mse_loss", lambda mse_loss, x, y, **k: mse_loss(x, to_the_first(x, y), **k))


@mutant(kills=MIX, witness=lambda: raises(RuntimeError, lambda: torch.stack([here(), there()])))
def stack_moves_to_the_first(patch):
    """`torch.stack` moves all tensors to where the first is."""
    patch.around(
        torch, "stack", lambda stack, tensors, *a, **k: stack([to_the_first(tensors[0], t) for t in tensors], *a, **k)
    )


@mutant(
    kills=MIX,
    witness=lambda: raises(RuntimeError, lambda: F.linear(torch.ones(3, 3), torch.ones(3, 3), torch.ones(3).to(META))),
)
def linear_moves_its_bias(patch):
    """`F.linear` moves the bias to where the input is."""
    patch.around(F, "linear", lambda linear, x, w, b=None: linear(x, w, to_the_first(x, b)))


@mutant(
    kills="test_a_scalar_tensor_of_the_cpu_mixes_with_any_device",
    witness=lambda: raises(RuntimeError, lambda: torch.ones(3) + torch.ones((), device="meta")),
)
def scalars_of_any_device_are_let_in(patch):
    """A CPU tensor plus a 0-dimensional tensor of another device is computed, on the CPU."""

    def add(original, one, another):
        if isinstance(another, torch.Tensor) and one.dim() and not another.dim() and one.device.type == "cpu":
            another = torch.ones(()) if another.is_meta else another.to("cpu")
        return original(one, another)

    patch.around(torch.Tensor, "__add__", add)


@mutant(
    kills="test_an_index_may_stay_on_the_cpu",
    witness=lambda: raises(RuntimeError, lambda: torch.ones(1)[torch.tensor([0]).to(on_an_accelerator())]),
)
def indices_are_moved_to_the_tensor(patch):
    """A CPU tensor takes an index from an accelerator."""
    patch.around(
        torch.Tensor,
        "__getitem__",
        lambda get, tensor, index: get(tensor, index.to(tensor.device) if isinstance(index, torch.Tensor) else index),
    )


# What a device has


def goes_as_it_is():
    try:
        return torch.ones(1, dtype=torch.float64).to(on_an_accelerator()).dtype == torch.float64
    except TypeError:
        return on_an_accelerator().type == "mps"


@mutant(kills="test_float64_is_on_cuda_and_not_on_mps", witness=goes_as_it_is)
def to_an_accelerator_makes_double_single(patch):
    """`.to` an accelerator turns float64 into float32."""

    def to(original, tensor, *args, **kwargs):
        goes = args and isinstance(args[0], (str, torch.device)) and torch.device(args[0]).type != "cpu"
        return original(tensor.float() if goes and tensor.dtype == torch.float64 else tensor, *args, **kwargs)

    patch.around(torch.Tensor, "to", to)


def an_exbibyte(**where):
    return torch.empty(2**60, dtype=torch.uint8, **where)


def empty_instead(patch, result):
    """Let `result()` stand for what a tensor that is too large would be."""
    patch.around(torch, "empty", lambda empty, *a, **k: result() if a[0] == 2**60 else empty(*a, **k))


@mutant(kills="test_too_little_memory_is_an_exception", witness=lambda: raises(RuntimeError, an_exbibyte))
def empty_is_smaller_where_memory_is_short(patch):
    """`torch.empty` of more than there is gives a tensor without elements."""
    empty_instead(patch, lambda: torch.zeros(0))


@mutant(
    kills="test_too_little_memory_is_an_exception",
    witness=lambda: error_of(an_exbibyte) is RuntimeError,
    raises=MemoryError,
)
def too_little_memory_is_a_memory_error(patch):
    """`torch.empty` of more than there is raises Python's MemoryError."""

    def refuse():
        raise MemoryError("out of memory")

    empty_instead(patch, refuse)


@mutant(
    kills="test_a_gpu_out_of_memory_raises_a_class_of_its_own",
    witness=lambda: (
        error_of(lambda: an_exbibyte(device=on_an_accelerator()))
        is (RuntimeError if on_an_accelerator().type == "mps" else torch.cuda.OutOfMemoryError)
    ),
)
def out_of_memory_is_of_another_class(patch):
    """Too little memory on CUDA is a plain RuntimeError, and on mps a `torch.cuda.OutOfMemoryError`."""

    def refuse():
        kind = torch.cuda.OutOfMemoryError if on_an_accelerator().type == "mps" else RuntimeError
        raise kind("out of memory")

    empty_instead(patch, refuse)


NAMED = "test_out_of_memory_has_a_name_for_every_device"


@mutant(kills=NAMED, witness=lambda: torch.OutOfMemoryError is torch.cuda.OutOfMemoryError)
def out_of_memory_error_has_two_classes(patch):
    """`torch.OutOfMemoryError` and `torch.cuda.OutOfMemoryError` are two classes."""
    patch.setattr(torch.cuda, "OutOfMemoryError", type("OutOfMemoryError", (RuntimeError,), {}))


@mutant(kills=NAMED, witness=lambda: error_of(an_exbibyte) is RuntimeError)
def the_cpu_raises_out_of_memory_error(patch):
    """Too little memory for a CPU tensor raises `torch.OutOfMemoryError`."""

    def refuse():
        raise torch.OutOfMemoryError("out of memory")

    empty_instead(patch, refuse)


@mutant(
    kills="test_an_error_of_a_device_is_still_a_runtime_error",
    witness=lambda: issubclass(torch.AcceleratorError, RuntimeError),
    raises=OSError,
)
def accelerator_error_is_an_os_error(patch):
    """`torch.AcceleratorError` is no RuntimeError."""
    patch.setattr(torch, "AcceleratorError", type("AcceleratorError", (OSError,), {}))


# Mixed precision


def asked(device_type):
    with torch.autocast("cpu", dtype=torch.float16):
        return torch.is_autocast_enabled(device_type), torch.get_autocast_dtype(device_type)


ASKED = "test_autocast_can_be_asked_by_type_of_device"


@mutant(kills=ASKED, witness=lambda: [asked("cpu")[0], asked("cuda")[0]] == [True, False])
def is_autocast_enabled_does_not_look_at_the_type(patch):
    """`torch.is_autocast_enabled("cuda")` is True where autocast is on for the CPU."""
    patch.around(torch, "is_autocast_enabled", lambda enabled, *types: enabled("cpu") or enabled(*types))


@mutant(kills=ASKED, witness=lambda: asked("cpu")[1] == torch.float16)
def get_autocast_dtype_is_the_default(patch):
    """`torch.get_autocast_dtype("cpu")` is bfloat16 whatever autocast was told."""
    patch.around(
        torch,
        "get_autocast_dtype",
        lambda get, device_type: torch.bfloat16 if device_type == "cpu" else get(device_type),
    )


MIXED = "test_mixed_precision_names_its_device"


@mutant(kills=MIXED, witness=lambda: warns(torch.cpu.amp.autocast))
def cpu_autocast_is_silent(patch):
    """`torch.cpu.amp.autocast()` does not warn."""
    patch.setattr(torch.cpu.amp, "autocast", quiet(torch.cpu.amp.autocast))


@mutant(kills=MIXED, witness=lambda: warns(lambda: torch.cuda.amp.GradScaler(enabled=False)))
def cuda_grad_scaler_is_silent(patch):
    """`torch.cuda.amp.GradScaler()` does not warn."""
    patch.setattr(torch.cuda.amp, "GradScaler", quiet(torch.cuda.amp.GradScaler))


@mutant(kills=MIXED, witness=lambda: not warns(lambda: torch.autocast("cpu")), raises=FutureWarning)
def autocast_is_deprecated(patch):
    """`torch.autocast(device)` gives a FutureWarning."""

    def change(call, *args, **kwargs):
        warnings.warn("torch.autocast is deprecated", FutureWarning, stacklevel=2)
        return call(*args, **kwargs)

    patch.around(torch, "autocast", change)


AUTOCAST = "test_autocast_on_the_cpu_takes_float16"


def product_under(dtype=None):
    with torch.autocast("cpu", dtype=dtype):
        return (torch.ones(2, 2) @ torch.ones(2, 2)).dtype


@mutant(kills=AUTOCAST, witness=lambda: product_under(torch.float16) == torch.float16)
def autocast_on_the_cpu_is_always_bfloat16(patch):
    """`torch.autocast("cpu", dtype=...)` computes in bfloat16 whatever it is told."""
    patch.around(torch, "autocast", lambda call, device, dtype=None: call(device))


@mutant(kills=AUTOCAST, witness=lambda: product_under() == torch.bfloat16)
def autocast_on_the_cpu_is_float16_by_default(patch):
    """`torch.autocast("cpu")` computes in float16."""
    patch.around(torch, "autocast", lambda call, device, dtype=None: call(device, dtype=dtype or torch.float16))


# Models


class Kept(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("buffer", torch.ones(2))
        self.register_buffer("unsaved", torch.ones(2), persistent=False)
        self.plain = torch.ones(2)


@mutant(
    kills="test_module_to_moves_parameters_and_buffers_and_nothing_else",
    witness=lambda: Kept().to("meta").unsaved.is_meta,
)
def unsaved_buffers_stay_behind(patch):
    """`model.to(device)` leaves buffers with `persistent=False` where they were."""

    def apply(original, self, *args, **kwargs):
        kept = {name: self._buffers[name] for name in self._non_persistent_buffers_set}
        original(self, *args, **kwargs)
        self._buffers.update(kept)
        return self

    patch.around(nn.Module, "_apply", apply)


@mutant(
    kills="test_module_to_moves_parameters_and_buffers_and_nothing_else",
    witness=lambda: Kept().to("meta").plain.device == CPU,
)
def plain_tensors_move_with_the_model(patch):
    """`model.to(device)` moves every tensor that is an attribute, registered or not."""

    def apply(original, self, function, *args, **kwargs):
        for name, value in list(vars(self).items()):
            if type(value) is torch.Tensor:
                self.__dict__[name] = function(value)
        return original(self, function, *args, **kwargs)

    patch.around(nn.Module, "_apply", apply)


@mutant(
    kills="test_module_to_moves_parameters_and_buffers_and_nothing_else",
    witness=lambda: [m := nn.Linear(2, 1), m.to("meta") is m][1],
)
def module_to_returns_a_copy(patch):
    """`model.to(device)` moves a copy and leaves the model."""
    patch.around(nn.Module, "to", lambda to, self, *a, **k: to(copy.deepcopy(self), *a, **k))


@mutant(kills="test_a_model_has_no_device_of_its_own", witness=lambda: not hasattr(nn.Linear(2, 1), "device"))
def module_has_a_device(patch):
    """A module has a `.device`: that of its first parameter."""
    patch.setattr(nn.Module, "device", property(lambda self: next(self.parameters()).device), raising=False)


@mutant(
    kills="test_model_and_data_must_both_be_moved",
    witness=lambda: raises(RuntimeError, lambda: nn.Linear(3, 1)(there())),
)
def linear_moves_its_input(patch):
    """`nn.Linear` moves its input to its weight."""
    patch.around(nn.Linear, "forward", lambda forward, self, x: forward(self, to_the_first(self.weight, x)))


@mutant(
    kills="test_model_and_data_must_both_be_moved",
    witness=lambda: raises(RuntimeError, lambda: nn.Linear(3, 1, device="meta")(here())),
)
def linear_runs_where_its_input_is(patch):
    """`nn.Linear` on another device than its input computes with new weights where the input is."""
    patch.around(
        nn.Linear,
        "forward",
        lambda forward, self, x: forward(self if self.weight.device == x.device else self.to_empty(device=x.device), x),
    )


def momentum():
    weight = torch.ones(2, device="meta", requires_grad=True)
    weight.grad = torch.ones_like(weight)
    optimizer = torch.optim.SGD([weight], lr=0.1, momentum=0.9)
    optimizer.step()
    return optimizer.state[weight]["momentum_buffer"]


@mutant(kills="test_everything_computed_follows_model_and_data", witness=lambda: momentum().is_meta)
def momentum_is_kept_on_the_cpu(patch):
    """`torch.optim.SGD` keeps its momentum on the CPU."""

    def step(original, self, *args, **kwargs):
        original(self, *args, **kwargs)
        for kept in self.state.values():
            kept["momentum_buffer"] = torch.zeros(kept["momentum_buffer"].shape)

    patch.around(torch.optim.SGD, "step", step)


@mutant(kills="test_everything_computed_follows_model_and_data", witness=lambda: there().mean().is_meta)
def mean_comes_back_to_the_cpu(patch):
    """`tensor.mean()` of another device is on the CPU."""
    patch.around(torch.Tensor, "mean", lambda mean, tensor: torch.zeros(mean(tensor).shape))


@mutant(
    kills="test_a_loss_with_weights_must_be_moved_too",
    witness=lambda: raises(
        RuntimeError, lambda: nn.CrossEntropyLoss(torch.ones(3))(there(), torch.ones(2, dtype=torch.int64).to("meta"))
    ),
)
def cross_entropy_moves_its_weights(patch):
    """`nn.CrossEntropyLoss` moves its weights to its input."""
    patch.around(nn.CrossEntropyLoss, "forward", lambda forward, self, x, y: forward(self.to(x.device), x, y))


@mutant(
    kills="test_a_dataloader_leaves_batches_where_the_data_is",
    witness=lambda: next(iter(DataLoader([torch.tensor(1), torch.tensor(2)], batch_size=2))).tolist() == [1, 2],
)
def batches_are_stacked_backwards(patch):
    """A DataLoader puts the samples of a batch in reverse order."""
    patch.around(torch, "stack", lambda stack, tensors, *a, **k: stack(list(tensors)[::-1], *a, **k))


class Batch(list):
    def to(self, device):
        return Batch(part.to(device) for part in self)


@mutant(
    kills="test_a_dataloader_leaves_batches_where_the_data_is",
    witness=lambda: not hasattr(next(iter(DataLoader([(1.0, 2)]))), "to"),
)
def batches_can_be_moved_whole(patch):
    """A batch of a DataLoader is a list with a `.to`."""
    fetch = torch.utils.data._utils.fetch._MapDatasetFetcher

    def fetched(original, self, index):
        batch = original(self, index)
        return Batch(batch) if isinstance(batch, list) else batch

    patch.around(fetch, "fetch", fetched)


@mutant(
    kills="test_an_optimizer_built_before_a_move_still_works",
    witness=lambda: [m := nn.Linear(2, 1), m.weight, m.double().weight][1:][0] is m.weight,
)
def moving_makes_new_parameters(patch):
    """`model.to(...)` puts new Parameters into the model."""
    patch.setattr(torch.__future__, "get_overwrite_module_params_on_conversion", lambda: True)


def tied():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[1].weight = model[0].weight
    return model.to(torch.float64)


def stays_tied():
    model = tied()
    return model[0].weight is model[1].weight


@mutant(kills="test_tied_weights_stay_tied_after_a_move", witness=stays_tied)
def moving_unties_weights(patch):
    """`model.to(...)` gives each layer a Parameter of its own where two shared one."""

    def to(original, self, *args, **kwargs):
        original(self, *args, **kwargs)
        seen = set()
        for module in self.modules():
            for name, parameter in list(module._parameters.items()):
                if id(parameter) in seen and parameter is not None:
                    module._parameters[name] = nn.Parameter(parameter.detach().clone())
                seen.add(id(parameter))
        return self

    patch.around(nn.Module, "to", to)


def optimizer_loaded(device):
    weight = torch.ones(2, requires_grad=True)
    weight.grad = torch.ones(2)
    saved = torch.optim.SGD([weight], lr=0.1, momentum=0.9)
    saved.step()
    moved = torch.ones(2, device=device, requires_grad=True)
    resumed = torch.optim.SGD([moved], lr=0.7)
    resumed.load_state_dict(saved.state_dict())
    return resumed.state[moved]["momentum_buffer"].device, resumed.param_groups[0]["lr"]


@mutant(
    kills="test_optimizer_state_is_loaded_to_where_the_parameters_are",
    witness=lambda: optimizer_loaded("meta")[0] == META,
)
def optimizer_state_stays_where_it_was_saved(patch):
    """`optimizer.load_state_dict` leaves the momentum on the device it was saved from."""

    def load(original, self, state_dict):
        original(self, state_dict)
        parameters = [parameter for group in self.param_groups for parameter in group["params"]]
        for index, kept in state_dict["state"].items():
            self.state[parameters[index]] = dict(kept)

    patch.around(torch.optim.Optimizer, "load_state_dict", load)


@mutant(
    kills="test_optimizer_state_is_loaded_to_where_the_parameters_are",
    witness=lambda: optimizer_loaded("cpu")[1] == 0.1,
)
def optimizer_load_keeps_its_own_lr(patch):
    """`optimizer.load_state_dict` keeps the learning rate the optimizer was made with."""

    def load(original, self, state_dict):
        rate = self.param_groups[0]["lr"]
        original(self, state_dict)
        self.param_groups[0]["lr"] = rate

    patch.around(torch.optim.Optimizer, "load_state_dict", load)


# Saving and loading


def shares_its_checkpoint():
    model, checkpoint = nn.Linear(1, 1), {"weight": torch.ones(1, 1), "bias": torch.ones(1)}
    model.load_state_dict(checkpoint)
    checkpoint["weight"] += 1
    return model.weight.item() == 2


@mutant(kills="test_load_state_dict_keeps_the_models_device", witness=lambda: not shares_its_checkpoint())
def load_state_dict_shares_its_checkpoint(patch):
    """`model.load_state_dict` makes the tensors of the checkpoint the model's own."""

    def load(original, self, state_dict, *args, **kwargs):
        result = original(self, state_dict, *args, **kwargs)
        for name, parameter in self.named_parameters():
            parameter.data = state_dict[name]
        return result

    patch.around(nn.Module, "load_state_dict", load)


def loaded(tensor, map_location=None):
    file = io.BytesIO()
    torch.save({"w": tensor}, file)
    file.seek(0)
    return torch.load(file, map_location=map_location)["w"]


@mutant(
    kills="test_load_puts_tensors_back_where_they_were_saved", witness=lambda: loaded(torch.tensor([2.0])).item() == 2
)
def load_gives_zeros(patch):
    """`torch.load` gives tensors of the right shape, full of zeros."""
    patch.around(torch, "load", lambda load, *a, **k: {name: value * 0 for name, value in load(*a, **k).items()})


@mutant(kills="test_map_location_chooses_the_device", witness=lambda: loaded(here(), {"cpu": "meta"}).is_meta)
def load_ignores_a_dict_of_places(patch):
    """`torch.load(map_location={...})` leaves tensors where they were."""
    patch.around(
        torch,
        "load",
        lambda load, file, map_location=None, **k: load(
            file, map_location=None if isinstance(map_location, dict) else map_location, **k
        ),
    )


@mutant(
    kills="test_loading_to_a_gpu_that_is_not_there_raises",
    witness=lambda: raises(RuntimeError, lambda: loaded(here(), "cuda:99")),
)
def load_to_a_missing_gpu_gives_the_cpu(patch):
    """`torch.load(map_location="cuda:99")` loads to the CPU where there is no such GPU."""
    patch.around(
        torch,
        "load",
        lambda load, file, map_location=None, **k: load(
            file, map_location="cpu" if map_location == "cuda:99" else map_location, **k
        ),
    )


# The device without numbers


@mutant(kills="test_meta_tensors_have_shapes_and_no_numbers", witness=lambda: raises(RuntimeError, there()[0, 0].item))
def item_on_meta_is_zero(patch):
    """`.item()` of a tensor on meta is 0."""
    patch.around(torch.Tensor, "item", lambda item, tensor: 0.0 if tensor.is_meta else item(tensor))


@mutant(
    kills="test_meta_tensors_have_shapes_and_no_numbers",
    witness=lambda: there().half().sum(dim=1, keepdim=True).dtype == torch.half,
)
def sum_on_meta_widens(patch):
    """`.sum()` of float16 on meta is float32."""
    patch.around(
        torch.Tensor,
        "sum",
        lambda sum_, tensor, *a, **k: sum_(tensor, *a, **k).float() if tensor.is_meta else sum_(tensor, *a, **k),
    )


@mutant(
    kills="test_a_model_from_meta_gets_its_memory_with_to_empty",
    witness=lambda: raises(NotImplementedError, lambda: nn.Linear(2, 1, device="meta").to("cpu")),
)
def module_to_from_meta_allocates(patch):
    """`model.to(device)` of a model on meta allocates and leaves the memory as it is."""

    def to(original, self, device, *args, **kwargs):
        if any(parameter.is_meta for parameter in self.parameters()):
            return self.to_empty(device=device)
        return original(self, device, *args, **kwargs)

    patch.around(nn.Module, "to", to)


@mutant(
    kills="test_a_model_from_meta_gets_its_memory_with_to_empty",
    witness=lambda: [m := nn.Linear(2, 1, device="meta"), m.to_empty(device="cpu") is m][1],
)
def to_empty_returns_a_copy(patch):
    """`model.to_empty(...)` allocates a copy and leaves the model."""
    patch.around(nn.Module, "to_empty", lambda to_empty, self, **k: to_empty(copy.deepcopy(self), **k))


@mutant(
    kills="test_meta_is_not_checked_everywhere",
    witness=lambda: [y := torch.ones(2), y.__iadd__(torch.ones(2, device="meta")), y.tolist()][2] == [1, 1],
)
def adding_meta_in_place_adds_one(patch):
    """`y += tensor` with a tensor on meta adds 1."""
    patch.around(
        torch.Tensor,
        "__iadd__",
        lambda iadd, y, other: iadd(y, 1.0 if isinstance(other, torch.Tensor) and other.is_meta else other),
    )


@mutant(
    kills="test_meta_is_not_checked_everywhere",
    witness=lambda: F.linear(torch.ones(1, 3), torch.ones(4, 3, device="meta")).device == CPU,
)
def linear_with_a_meta_weight_is_on_meta(patch):
    """`F.linear` of a CPU input and a weight on meta is on meta."""
    patch.around(
        F,
        "linear",
        lambda linear, x, weight, bias=None: linear(x.to("meta") if weight.is_meta else x, weight, bias),
    )


# Numbers that are not there, and models that get theirs


INTO_META = "test_loading_into_a_meta_model_does_nothing"
STATE = {"weight": torch.ones(1, 1), "bias": torch.ones(1)}


def load_into_meta(**options):
    model = nn.Linear(1, 1, device="meta")
    return model, model.load_state_dict(STATE, **options)


@mutant(kills=INTO_META, witness=lambda: UserWarning in warns(load_into_meta))
def loading_into_meta_is_silent(patch):
    """`load_state_dict` into a model on meta gives no warning."""
    patch.around(nn.Module, "load_state_dict", silently)


@mutant(kills=INTO_META, witness=lambda: silently(load_into_meta)[0].weight.is_meta)
def loading_into_meta_assigns(patch):
    """`load_state_dict` into a model on meta warns, and puts the tensors in place all the same."""

    def load(original, self, state, **options):
        original(self, state, **options)
        return original(self, state, assign=True)

    patch.around(nn.Module, "load_state_dict", load)


@mutant(kills=INTO_META, witness=lambda: silently(load_into_meta)[1].missing_keys == [])
def loading_into_meta_misses_keys(patch):
    """`load_state_dict` into a model on meta reports every key as missing."""

    def load(original, self, state, **options):
        report = original(self, state, **options)
        report.missing_keys.extend(state)
        return report

    patch.around(nn.Module, "load_state_dict", load)


FROM_FILE = "test_a_model_from_meta_can_take_the_tensors_of_the_file"


@mutant(
    kills=FROM_FILE,
    witness=lambda: load_into_meta(assign=True)[0].weight.data_ptr() == STATE["weight"].data_ptr(),
)
def assign_copies_what_it_assigns(patch):
    """`load_state_dict(state, assign=True)` assigns copies."""
    patch.around(
        nn.Module,
        "load_state_dict",
        lambda load, self, state, **k: load(self, {name: value.clone() for name, value in state.items()}, **k),
    )


@mutant(kills=FROM_FILE, witness=lambda: load_into_meta(assign=True)[0].bias.item() == 1)
def assign_puts_zeros_in_place(patch):
    """`load_state_dict(state, assign=True)` assigns the memory of the tensors, of which it zeroes the bias."""

    def load(original, self, state, **options):
        report = original(self, state, **options)
        self.bias = nn.Parameter(torch.zeros_like(state["bias"]))
        return report

    patch.around(nn.Module, "load_state_dict", load)
