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

from torchnotes.harness.mutation import error_of, mutant, quiet, raises

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
    cpu_only=True,
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


@mutant(
    kills="test_a_device_that_is_not_there_raises_when_it_is_used",
    witness=lambda: raises((AssertionError, RuntimeError), lambda: nn.BatchNorm1d(2, affine=False).to("cuda:99")),
)
def a_module_without_parameters_moves_to_a_missing_gpu(patch):
    """`model.to("cuda:99")` moves a model without parameters anywhere, though the model has buffers."""

    def to(original, self, *args, **kwargs):
        return self if args == ("cuda:99",) and not list(self.parameters()) else original(self, *args, **kwargs)

    patch.around(nn.Module, "to", to)


@mutant(
    kills="test_a_device_that_is_not_there_raises_when_it_is_used",
    witness=lambda: not raises(RuntimeError, lambda: nn.ReLU().to("cuda:99")),
    raises=RuntimeError,
)
def an_empty_module_to_a_missing_gpu_raises(patch):
    """`model.to("cuda:99")` raises also for a model without parameters."""

    def to(original, self, *args, **kwargs):
        if args == ("cuda:99",) and not list(self.parameters()):
            raise RuntimeError("no such CUDA GPU")
        return original(self, *args, **kwargs)

    patch.around(nn.Module, "to", to)


@mutant(
    kills="test_get_device_module_finds_the_module_of_a_device",
    witness=lambda: raises(RuntimeError, lambda: torch.get_device_module("meta")),
)
def get_device_module_knows_meta(patch):
    """`torch.get_device_module("meta")` is `torch.cpu`."""
    patch.around(torch, "get_device_module", lambda get, device=None: torch.cpu if device == "meta" else get(device))


@mutant(
    kills="test_a_device_index_is_one_byte",
    witness=lambda: torch.device("cuda:256").index == 0,
)
def device_index_may_be_large(patch):
    """`torch.device("cuda:256")` has the index 256."""

    class Large:
        index = 256

    patch.around(torch, "device", lambda make, *a, **k: Large() if a == ("cuda:256",) else make(*a, **k))


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


@mutant(
    kills="test_what_is_made_goes_to_the_cpu_unless_told",
    witness=lambda: raises(TypeError, lambda: nn.ReLU(device="cpu")),
)
def relu_takes_a_device(patch):
    """`nn.ReLU(device=...)` is a ReLU."""
    patch.around(nn.ReLU, "__init__", lambda init, self, *a, device=None, **k: init(self, *a, **k))


CUT = "test_like_and_new_cut_fractions_for_an_integer_source"


@mutant(kills=CUT, witness=lambda: torch.full_like(torch.tensor([1]), 0.5).dtype == torch.int64)
def full_like_keeps_fractions(patch):
    """`torch.full_like(integers, 0.5)` is a float32 tensor of 0.5."""

    def full_like(original, source, value, **options):
        return original(source, value, **({"dtype": torch.float32} if isinstance(value, float) else {}) | options)

    patch.around(torch, "full_like", full_like)


@mutant(kills=CUT, witness=lambda: torch.tensor([1]).new_tensor([1.5]).tolist() == [1])
def new_tensor_takes_the_dtype_of_its_data(patch):
    """`integers.new_tensor([1.5])` is a float32 tensor of 1.5."""
    patch.setattr(torch.Tensor, "new_tensor", lambda source, data: torch.tensor(data, device=source.device))


def within(make):
    with META:
        return make().device


@mutant(
    kills=("test_with_torch_device_is_overlooked_by_some", "test_set_default_device_holds_for_one_thread"),
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


OVERLOOKED = "test_with_torch_device_is_overlooked_by_some"


@mutant(kills=OVERLOOKED, witness=lambda: within(lambda: torch.normal(0.0, 1.0, (2,))) == CPU)
def normal_follows_the_default_device(patch):
    """`torch.normal(0.0, 1.0, size)` goes to the device of the block around it."""
    patch.around(torch, "normal", lambda normal, *a, **k: normal(*a, **k).to(torch.ones(0).device))


@mutant(
    kills=OVERLOOKED,
    witness=lambda: within(lambda: torch.frombuffer(bytearray(4), dtype=torch.uint8)) == CPU,
)
def frombuffer_follows_the_default_device(patch):
    """`torch.frombuffer` goes to the device of the block around it."""
    patch.around(torch, "frombuffer", lambda make, *a, **k: make(*a, **k).to(torch.ones(0).device))


@mutant(kills=OVERLOOKED, witness=lambda: within(lambda: loaded(torch.ones(2, device="cpu"))) == CPU)
def load_follows_the_default_device(patch):
    """`torch.load` puts a tensor on the device of the block around it."""

    def load(original, *args, **kwargs):
        value = original(*args, **kwargs)
        if isinstance(value, dict):
            return {name: part.to(torch.ones(0).device) for name, part in value.items()}
        return value.to(torch.ones(0).device)

    patch.around(torch, "load", load)


@mutant(
    kills="test_as_tensor_moves_a_tensor_to_the_default_device",
    witness=lambda: within(lambda: torch.as_tensor(torch.ones(2, device="cpu"))) == META,
)
def as_tensor_leaves_a_tensor_where_it_is(patch):
    """`torch.as_tensor(tensor)` returns the tensor itself inside `with torch.device(...)` too."""
    patch.around(
        torch,
        "as_tensor",
        lambda make, data, **k: data if isinstance(data, torch.Tensor) and not k else make(data, **k),
    )


@mutant(
    kills="test_what_is_made_goes_to_the_cpu_unless_told",
    witness=lambda: quiet(torch.tensor)(there()).device == META,
)
def tensor_of_a_tensor_goes_to_the_cpu(patch):
    """`torch.tensor(x)` of a tensor is on the CPU, wherever `x` is."""

    def tensor(make, data, **options):
        if isinstance(data, torch.Tensor) and not options:
            return torch.zeros(data.shape, dtype=data.dtype)
        return make(data, **options)

    patch.around(torch, "tensor", tensor)


@mutant(
    kills="test_assigning_into_a_slice_copies_from_any_device",
    witness=lambda: raises(NotImplementedError, lambda: here().copy_(there())),
)
def copy_from_meta_does_nothing(patch):
    """`tensor.copy_(source)` leaves the tensor as it is if the source has no numbers."""
    patch.around(
        torch.Tensor,
        "copy_",
        lambda copy_, target, source, *a, **k: target if source.is_meta else copy_(target, source, *a, **k),
    )


def weight_and_its_state():
    layer = nn.Linear(2, 1)
    return layer.weight.data_ptr(), layer.state_dict()["weight"].data_ptr()


@mutant(
    kills="test_load_state_dict_keeps_the_models_device",
    witness=lambda: len(set(weight_and_its_state())) == 1,
)
def state_dict_is_a_copy(patch):
    """`model.state_dict()` shares no memory with the model."""

    def copied(state_dict, model, *args, **kwargs):
        state = state_dict(model, *args, **kwargs)
        for name, tensor in list(state.items()):
            state[name] = tensor.clone()
        return state

    patch.around(nn.Module, "state_dict", copied)


def double_inside_autocast():
    x = torch.ones(2, 2, dtype=torch.float64)
    with torch.autocast("cpu"):
        return (x @ x).dtype


@mutant(
    kills="test_autocast_on_the_cpu_takes_float16",
    witness=lambda: double_inside_autocast() == torch.float64,
)
def autocast_on_the_cpu_takes_doubles(patch):
    """A product of float64 inside `torch.autocast("cpu")` is rounded as well."""

    def product(call, x, y, **kwargs):
        found = call(x, y, **kwargs)
        return found.half() if found.dtype == torch.float64 else found

    patch.function("matmul", "__matmul__", change=product)


def mm_into(out):
    with torch.autocast("cpu"):
        return torch.mm(torch.ones(2, 2), torch.ones(2, 2), out=out).dtype


@mutant(
    kills="test_autocast_on_the_cpu_takes_float16",
    witness=lambda: mm_into(torch.zeros(2, 2)) == torch.float32,
)
def autocast_on_the_cpu_takes_out(patch):
    """`torch.mm(a, b, out=c)` inside `torch.autocast("cpu")` is computed in the narrow dtype as well."""
    patch.around(torch, "mm", lambda mm, a, b, out=None: mm(a, b))


def taken_in_a_cpu_block(tensor):
    with CPU:
        return torch.as_tensor(tensor)


@mutant(
    kills="test_as_tensor_moves_a_tensor_to_the_default_device",
    witness=lambda: taken_in_a_cpu_block(tensor := here()) is tensor,
)
def as_tensor_always_copies_in_a_block(patch):
    """`torch.as_tensor(tensor)` copies a tensor that is on the device of the block already, too."""

    def follow(original, self, function, types, args=(), kwargs=None):
        result = original(self, function, types, args, kwargs)
        return result.clone() if function is torch.as_tensor and not kwargs else result

    patch.around(blocks.DeviceContext, "__torch_function__", follow)


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


def set_inside_a_block():
    def work():
        with CPU:
            torch.set_default_device("meta")
            inside = torch.ones(2).device
        after = torch.ones(2).device
        torch.set_default_device(None)
        return inside, after

    return in_a_thread(work)


@mutant(
    kills="test_a_default_device_set_inside_a_block_does_not_hold_throughout",
    witness=lambda: set(set_inside_a_block()) == {CPU, META},
)
def set_default_device_holds_inside_and_after_a_block(patch):
    """`torch.set_default_device` inside a block holds for the rest of the block and after it."""
    place = threading.local()

    def ones(make, *sizes, device=None, **options):
        return make(*sizes, device=device or getattr(place, "device", None), **options)

    patch.setattr(torch, "set_default_device", lambda device: setattr(place, "device", device))
    patch.around(torch, "ones", ones)


@mutant(
    kills="test_a_default_device_set_inside_a_block_does_not_hold_throughout",
    witness=lambda: META in set_inside_a_block(),
)
def set_default_device_inside_a_block_does_nothing(patch):
    """`torch.set_default_device` inside a block changes nothing."""
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


@mutant(kills="test_to_copies_only_when_something_changes", witness=lambda: [t := here(), t.to("cpu:0") is not t][1])
def to_cpu_0_is_the_tensor_itself(patch):
    """`tensor.to("cpu:0")` returns a tensor of the CPU itself."""
    patch.around(torch.Tensor, "to", lambda to, tensor, *a, **k: tensor if a == ("cpu:0",) else to(tensor, *a, **k))


@mutant(
    kills="test_assigning_into_a_slice_copies_from_any_device",
    witness=lambda: raises(NotImplementedError, lambda: here().__setitem__(slice(0, 1), there()[:1])),
)
def assigning_from_meta_does_nothing(patch):
    """`target[:2] = source` leaves the target as it is if the source has no numbers."""

    def assign(original, target, index, value):
        nothing = isinstance(value, torch.Tensor) and value.is_meta and not target.is_meta
        return None if nothing else original(target, index, value)

    patch.around(torch.Tensor, "__setitem__", assign)


@mutant(
    kills="test_assigning_into_a_slice_copies_from_any_device",
    witness=lambda: not raises(RuntimeError, lambda: there().__setitem__(slice(0, 1), here()[:1])),
    raises=RuntimeError,
)
def assigning_across_devices_raises(patch):
    """`target[:2] = source` raises for a source on another device."""

    def assign(original, target, index, value):
        if isinstance(value, torch.Tensor) and value.device != target.device:
            raise RuntimeError("Expected all tensors to be on the same device")
        return original(target, index, value)

    patch.around(torch.Tensor, "__setitem__", assign)


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


@mutant(
    kills="test_a_round_trip_changes_nothing_for_every_dtype",
    witness=lambda: raises(NotImplementedError, there().cpu),
)
def cpu_of_meta_is_zeros(patch):
    """`tensor.cpu()` of a tensor on meta gives zeros."""
    patch.around(
        torch.Tensor,
        "cpu",
        lambda cpu, tensor: torch.zeros(tensor.shape, dtype=tensor.dtype) if tensor.is_meta else cpu(tensor),
    )


@mutant(
    kills="test_the_way_out_of_torch_is_the_same_everywhere",
    witness=lambda: raises(TypeError, here().bfloat16().numpy),
)
def numpy_of_bfloat16_is_float32(patch):
    """`tensor.numpy()` of bfloat16 gives float32."""
    patch.around(
        torch.Tensor,
        "numpy",
        lambda numpy, tensor, **k: numpy(tensor.float() if tensor.dtype == torch.bfloat16 else tensor, **k),
    )


@mutant(
    kills="test_the_way_out_of_torch_is_the_same_everywhere",
    witness=lambda: here().bfloat16()[0].tolist() == [0.5] * 3,
    raises=TypeError,
)
def tolist_refuses_bfloat16(patch):
    """`tensor.tolist()` of bfloat16 raises, as `tensor.numpy()` does."""

    def tolist(original, tensor):
        if tensor.dtype == torch.bfloat16:
            raise TypeError("Got unsupported ScalarType BFloat16")
        return original(tensor)

    patch.around(torch.Tensor, "tolist", tolist)


@mutant(
    kills="test_the_way_out_of_torch_is_the_same_everywhere",
    witness=lambda: not raises(RuntimeError, lambda: here().requires_grad_().numpy(force=True)),
    raises=(RuntimeError, TypeError),
)
def numpy_ignores_force(patch):
    """`tensor.numpy(force=True)` refuses what `tensor.numpy()` refuses."""
    patch.around(torch.Tensor, "numpy", lambda numpy, tensor, force=False: numpy(tensor))


@mutant(kills="test_the_way_out_of_torch_is_the_same_everywhere", witness=lambda: here().numpy().dtype == "float32")
def numpy_widens_on_the_way_out(patch):
    """`tensor.numpy()` gives float64."""
    patch.around(torch.Tensor, "numpy", lambda numpy, tensor, **k: numpy(tensor, **k).astype("float64"))


@mutant(
    kills="test_a_moved_leaf_is_no_leaf",
    witness=lambda: here().requires_grad_().to(torch.int64).is_leaf,
)
def only_what_requires_a_gradient_is_a_leaf(patch):
    """A tensor that requires no gradient is no leaf."""
    is_leaf = torch.Tensor.is_leaf.__get__
    patch.setattr(torch.Tensor, "is_leaf", property(lambda tensor: is_leaf(tensor) and tensor.requires_grad))


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
    kills=(
        "test_tensors_on_two_devices_do_not_mix",
        "test_a_tensor_made_in_forward_stays_on_the_cpu",
        "test_assigning_into_a_slice_copies_from_any_device",
        "test_assign_leaves_unsaved_buffers_on_meta",
        "test_module_to_moves_parameters_and_buffers_and_nothing_else",
    ),
    witness=lambda: raises(RuntimeError, lambda: here() + there()),
)
def adding_moves_the_second(patch):
    """`one + another` and `torch.add` move the second tensor to the first."""
    for owner, name in ((torch.Tensor, "__add__"), (torch, "add")):
        patch.around(owner, name, lambda add, one, another, **k: add(one, to_the_first(one, another), **k))


@mutant(
    kills="test_module_to_moves_parameters_and_buffers_and_nothing_else",
    witness=lambda: (there() + torch.tensor(2.0)).device == META,
    raises=RuntimeError,
)
def adding_refuses_a_number_of_the_cpu(patch):
    """`x + number` raises for a number without a dimension that is on another device, as for any tensor."""

    def add(original, one, another):
        if isinstance(another, torch.Tensor) and another.device != one.device:
            raise RuntimeError("Expected all tensors to be on the same device")
        return original(one, another)

    patch.around(torch.Tensor, "__add__", add)


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
    witness=lambda: raises(RuntimeError, lambda: torch.add(here()[:0], there()[:0])),
)
def empty_tensors_mix(patch):
    """`torch.add` of an empty tensor takes another device."""

    def add(original, one, another):
        return original(one, to_the_first(one, another) if one.numel() == 0 else another)

    patch.around(torch, "add", add)


@mutant(
    kills="test_tensors_on_two_devices_do_not_mix",
    witness=lambda: raises(RuntimeError, lambda: here() >= there()),
)
def at_least_moves_the_second(patch):
    """`one >= another` moves the second tensor to the first."""
    patch.around(torch.Tensor, "__ge__", lambda ge, one, another: ge(one, to_the_first(one, another)))


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
    witness=lambda: (torch.tensor(2.0) - torch.tensor(2.0, device="meta")).is_meta,
    raises=RuntimeError,
)
def two_scalar_tensors_do_not_mix(patch):
    """`scalar - scalar` raises for two 0-dimensional tensors on different devices."""

    def subtract(original, one, another):
        if isinstance(another, torch.Tensor) and not one.dim() and not another.dim() and one.device != another.device:
            raise RuntimeError("Expected all tensors to be on the same device")
        return original(one, another)

    patch.around(torch.Tensor, "__sub__", subtract)


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
    kills=("test_model_and_data_must_both_be_moved", "test_meta_is_not_checked_everywhere"),
    witness=lambda: not raises(RuntimeError, lambda: F.linear(torch.ones(2, 3), there())),
    raises=RuntimeError,
)
def linear_looks_at_the_device_of_its_weight(patch):
    """`F.linear` without bias raises RuntimeError for a weight on `meta`."""

    def linear(original, x, weight, bias=None):
        if x.device != weight.device:
            raise RuntimeError(f"Expected all tensors on one device, but found {x.device} and {weight.device}")
        return original(x, weight, bias)

    patch.around(F, "linear", linear)


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


@mutant(
    kills="test_an_index_may_stay_on_the_cpu",
    witness=lambda: not raises(RuntimeError, lambda: torch.ones(1)[torch.tensor(0).to(on_an_accelerator())]),
    raises=RuntimeError,
)
def a_scalar_index_of_an_accelerator_is_refused(patch):
    """A CPU tensor refuses a 0-dimensional index from an accelerator."""

    def get(original, tensor, index):
        if isinstance(index, torch.Tensor) and not index.dim() and index.device != tensor.device:
            raise RuntimeError("indices should be either on cpu or on the same device")
        return original(tensor, index)

    patch.around(torch.Tensor, "__getitem__", get)


@mutant(
    kills="test_gather_wants_its_index_beside_the_tensor",
    witness=lambda: raises(RuntimeError, lambda: there().masked_fill(here() > 0, 0.0)),
)
def masked_fill_moves_its_mask(patch):
    """`tensor.masked_fill` moves the mask to the tensor."""
    patch.around(torch.Tensor, "masked_fill", lambda fill, tensor, mask, value: tensor + 0.0)


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
    kills="test_too_little_memory_is_an_exception",
    witness=lambda: an_exbibyte(device="meta").is_meta,
    raises=RuntimeError,
)
def meta_has_too_little_memory(patch):
    """An exbibyte on meta is out of memory as well."""

    def empty(original, *args, device=None, **kwargs):
        if device == "meta" and args == (2**60,):
            raise RuntimeError("out of memory")
        return original(*args, device=device, **kwargs)

    patch.around(torch, "empty", empty)


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


@mutant(kills=ASKED, witness=lambda: raises(RuntimeError, lambda: torch.is_autocast_enabled("meta")))
def autocast_of_meta_is_off(patch):
    """`torch.is_autocast_enabled("meta")` is False."""
    patch.around(torch, "is_autocast_enabled", lambda ask, *a: False if a == ("meta",) else ask(*a))


MIXED = "test_mixed_precision_names_its_device"


@mutant(kills=MIXED, witness=lambda: warns(torch.cpu.amp.autocast))
def cpu_autocast_is_silent(patch):
    """`torch.cpu.amp.autocast()` does not warn."""
    patch.setattr(torch.cpu.amp, "autocast", quiet(torch.cpu.amp.autocast))


@mutant(kills=MIXED, witness=lambda: warns(lambda: torch.cuda.amp.autocast(enabled=False)))
def cuda_autocast_is_silent(patch):
    """`torch.cuda.amp.autocast()` does not warn."""
    patch.setattr(torch.cuda.amp, "autocast", quiet(torch.cuda.amp.autocast))


@mutant(kills=MIXED, witness=lambda: warns(lambda: torch.cpu.amp.GradScaler(enabled=False)))
def cpu_grad_scaler_is_silent(patch):
    """`torch.cpu.amp.GradScaler()` does not warn."""
    patch.setattr(torch.cpu.amp, "GradScaler", quiet(torch.cpu.amp.GradScaler))


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
    witness=lambda: nn.ReLU()(there()).is_meta,
    raises=RuntimeError,
)
def relu_wants_an_input_of_the_cpu(patch):
    """`nn.ReLU` is on the CPU and raises for an input from another device."""

    def forward(original, self, x):
        if x.device.type != "cpu":
            raise RuntimeError("Expected all tensors to be on the same device")
        return original(self, x)

    patch.around(nn.ReLU, "forward", forward)


@mutant(
    kills="test_a_model_has_no_device_of_its_own",
    witness=lambda: not hasattr(nn.Dropout, "device"),
)
def dropout_has_a_device(patch):
    """`nn.Dropout` has a `.device`, as the only layer."""
    patch.setattr(nn.Dropout, "device", CPU, raising=False)


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
    kills="test_a_loss_with_weights_must_be_moved_too",
    witness=lambda: nn.BCEWithLogitsLoss(pos_weight=torch.tensor(3.0))(there(), there()).is_meta,
    raises=RuntimeError,
)
def one_pos_weight_must_be_moved_too(patch):
    """`nn.BCEWithLogitsLoss` raises for logits on another device also if `pos_weight` has no dimensions."""

    def forward(original, self, x, y):
        if self.pos_weight is not None and self.pos_weight.device != x.device:
            raise RuntimeError("Expected all tensors to be on the same device")
        return original(self, x, y)

    patch.around(nn.BCEWithLogitsLoss, "forward", forward)


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


@mutant(
    kills="test_an_optimizer_built_before_a_move_still_works",
    witness=lambda: [m := nn.Linear(2, 1), w := m.weight, m.to("meta").weight is not w][2],
)
def moving_to_meta_keeps_parameters(patch):
    """`model.to("meta")` leaves the Parameters in the model."""
    patch.around(nn.Module, "to", lambda to, self, *a, **k: self if a == ("meta",) else to(self, *a, **k))


def sums_of_adagrad():
    weight = nn.Parameter(torch.ones(2, dtype=torch.float16))
    return torch.optim.Adagrad([weight]).state[weight]["sum"]


@mutant(
    kills="test_an_optimizer_built_before_a_move_still_works",
    witness=lambda: sums_of_adagrad().dtype == torch.float16,
)
def adagrad_sums_in_float32(patch):
    """Adagrad keeps its sums in float32 from the start, so that a model of float16 can become float32."""

    def init(original, self, *args, **kwargs):
        original(self, *args, **kwargs)
        for state in self.state.values():
            state["sum"] = state["sum"].float()

    patch.around(torch.optim.Adagrad, "__init__", init)


@mutant(
    kills="test_an_optimizer_built_before_a_move_still_works",
    witness=lambda: [w := nn.Parameter(torch.ones(1)), loaded_step(torch.optim.Adam([w]), w), w.item() < 1][-1],
)
def adam_forgets_moved_parameters(patch):
    """Adam leaves parameters alone in its first step."""
    patch.around(torch.optim.Adam, "step", lambda step, self, *args, **kwargs: None)


def loaded_step(optimizer, weight):
    weight.grad = torch.ones(1)
    optimizer.step()


@mutant(
    kills="test_to_empty_unties_shared_weights",
    witness=lambda: not tied_after_to_empty(),
)
def to_empty_ties_again(patch):
    """`model.to_empty` gives two layers that shared a Parameter one Parameter again."""

    def to_empty(original, self, **options):
        names = {}
        for module in self.modules():
            for name, parameter in module._parameters.items():
                names.setdefault(id(parameter), []).append((module, name))
        original(self, **options)
        for (first, its), *others in names.values():
            for module, name in others:
                module._parameters[name] = first._parameters[its]
        return self

    patch.around(nn.Module, "to_empty", to_empty)


def tied_after_to_empty():
    model = nn.Sequential(nn.Linear(2, 2, device="meta"), nn.Linear(2, 2, device="meta"))
    model[1].weight = model[0].weight
    model.to_empty(device="cpu")
    return model[0].weight is model[1].weight


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


@mutant(
    kills="test_map_location_chooses_the_device",
    witness=lambda: loaded(here(), {CPU: "meta"}).device == CPU,
)
def load_takes_devices_as_keys(patch):
    """`torch.load(map_location={torch.device("cpu"): ...})` is read as if the key were its name."""

    def load(original, file, map_location=None, **options):
        if isinstance(map_location, dict):
            map_location = {str(key): value for key, value in map_location.items()}
        return original(file, map_location=map_location, **options)

    patch.around(torch, "load", load)


@mutant(kills="test_map_location_does_not_bring_back_meta", witness=lambda: loaded(there(), "cpu").is_meta)
def load_makes_zeros_of_meta(patch):
    """`torch.load(map_location="cpu")` makes zeros of a tensor from meta."""
    patch.around(
        torch,
        "load",
        lambda load, *a, **k: {name: torch.zeros(value.shape) for name, value in load(*a, **k).items()},
    )


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


@mutant(kills="test_meta_tensors_have_shapes_and_no_numbers", witness=lambda: raises(RuntimeError, there().nonzero))
def nonzero_on_meta_is_empty(patch):
    """`.nonzero()` of a tensor on meta finds nothing."""
    patch.around(
        torch.Tensor,
        "nonzero",
        lambda nonzero, tensor: torch.empty(0, tensor.dim(), device="meta") if tensor.is_meta else nonzero(tensor),
    )


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


class Unsaved(nn.Linear):
    def __init__(self):
        super().__init__(1, 1, device="meta")
        self.register_buffer("unsaved", torch.ones(1, device="meta"), persistent=False)


def left_on_meta():
    model = Unsaved()
    model.load_state_dict(STATE, assign=True)
    return model.unsaved.is_meta


@mutant(kills="test_assign_leaves_unsaved_buffers_on_meta", witness=left_on_meta)
def assign_makes_unsaved_buffers(patch):
    """`load_state_dict(state, assign=True)` makes zeros of a buffer on meta that the state does not have."""

    def load(original, self, state, **options):
        report = original(self, state, **options)
        for name, buffer in self._buffers.items():
            if buffer.is_meta:
                self._buffers[name] = torch.zeros(buffer.shape)
        return report

    patch.around(nn.Module, "load_state_dict", load)


@mutant(
    kills="test_assign_leaves_unsaved_buffers_on_meta",
    witness=lambda: nn.Embedding(4, 2)(torch.arange(3, device="meta")).shape == (3, 2),
    raises=RuntimeError,
)
def embedding_refuses_indices_on_another_device(patch):
    """An embedding raises for indices that are not on the device of its weight."""

    def forward(original, self, indices):
        if indices.device != self.weight.device:
            raise RuntimeError("Expected all tensors to be on the same device")
        return original(self, indices)

    patch.around(nn.Embedding, "forward", forward)


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


# What is built, and what the machine has


WITHOUT = "test_a_build_without_cuda_sees_no_gpu"


@mutant(
    kills=WITHOUT,
    witness=lambda: torch.backends.cuda.is_built() == bool(torch.version.cuda or torch.version.hip),
)
def is_built_says_the_opposite(patch):
    """`torch.backends.cuda.is_built()` says the opposite."""
    patch.around(torch.backends.cuda, "is_built", lambda is_built: not is_built())


@mutant(
    kills=WITHOUT,
    witness=lambda: error_of(lambda: torch.ones(2).cuda()) is not None or torch.ones(2).cuda().is_cuda,
)
def cuda_leaves_a_tensor_on_the_cpu(patch):
    """`tensor.cuda()` returns the tensor itself."""
    patch.around(torch.Tensor, "cuda", lambda cuda, tensor, *args, **options: tensor)


@mutant(
    kills="test_a_build_has_kernels_for_some_gpus",
    witness=lambda: torch.cuda.get_arch_list() != ["sm_10"],
)
def arch_list_is_that_of_an_old_build(patch):
    """`torch.cuda.get_arch_list()` is that of a build for a GPU of 2006."""
    patch.setattr(torch.cuda, "get_arch_list", lambda: ["sm_10"])


@mutant(
    kills="test_a_convolution_names_two_types_of_tensors",
    witness=lambda: raises(RuntimeError, lambda: nn.Conv2d(1, 1, 1).to(on_an_accelerator())(torch.ones(1, 1, 1, 1))),
)
def convolution_moves_its_image(patch):
    """`nn.Conv2d` moves the image to where the weights are."""
    patch.around(nn.Conv2d, "forward", lambda forward, self, image: forward(self, image.to(self.weight.device)))


OUT_OF_RANGE = "test_the_cpu_names_an_index_that_is_out_of_range"


@mutant(
    kills=OUT_OF_RANGE,
    witness=lambda: error_of(lambda: F.embedding(torch.tensor([2]), torch.ones(2, 2))) is IndexError,
)
def embedding_takes_the_last_row_for_any_above(patch):
    """`F.embedding` takes the last row for an index that is too large."""
    patch.around(
        F, "embedding", lambda embedding, index, weight, *a, **k: embedding(index.clamp(max=len(weight) - 1), weight)
    )


@mutant(
    kills=OUT_OF_RANGE,
    witness=lambda: error_of(lambda: torch.ones(2).gather(0, torch.tensor([2]))) is RuntimeError,
    raises=IndexError,
)
def gather_raises_indexerror(patch):
    """`gather` raises IndexError for an index that is too large."""

    def gather(original, tensor, dim, index):
        if index.max() >= tensor.shape[dim]:
            raise IndexError(f"index {index.max()} is out of bounds")
        return original(tensor, dim, index)

    patch.around(torch.Tensor, "gather", gather)


def second_default_inside_a_block():
    def work():
        torch.set_default_device("meta")
        try:
            with CPU:
                torch.set_default_device("meta")
        finally:
            quiet(error_of)(lambda: torch.set_default_device(None))

    return in_a_thread(lambda: error_of(work))


@mutant(
    kills="test_a_second_default_device_inside_a_block_raises",
    witness=lambda: second_default_inside_a_block() is AssertionError,
)
def a_second_default_inside_a_block_is_ignored(patch):
    """`torch.set_default_device` inside a block does nothing where it raised."""
    patch.around(torch, "set_default_device", lambda original, device: error_of(lambda: original(device)))


@mutant(
    kills="test_autocast_for_cuda_needs_a_gpu",
    witness=lambda: (UserWarning in warns(lambda: torch.autocast("cuda"))) != torch.cuda.is_available(),
)
def autocast_warns_the_other_way_round(patch):
    """`torch.autocast("cuda")` warns where there is a GPU and is silent where there is none."""

    def init(original, self, device_type, *args, **options):
        silently(original, self, device_type, *args, **options)
        if torch.cuda.is_available():
            warnings.warn("CUDA is not available", UserWarning, stacklevel=2)

    patch.around(torch.autocast, "__init__", init)


def assigned_from_meta():
    tensor = torch.zeros(2)
    tensor[torch.tensor([0])] = torch.ones(1, device="meta")
    return tensor.tolist()


@mutant(
    kills="test_meta_is_not_checked_everywhere",
    witness=lambda: error_of(assigned_from_meta) is None,
    raises=NotImplementedError,
)
def assigning_meta_to_rows_raises(patch):
    """`tensor[rows] = values` with values on meta raises, as `tensor[0] = value` does."""

    def setitem(original, tensor, index, value):
        if isinstance(value, torch.Tensor) and value.is_meta and not tensor.is_meta:
            raise NotImplementedError("Cannot copy out of meta tensor; no data!")
        original(tensor, index, value)

    patch.around(torch.Tensor, "__setitem__", setitem)


STATE_ELSEWHERE = "test_a_recurrent_layer_wants_its_first_state_beside_the_input"


@mutant(
    kills=STATE_ELSEWHERE,
    witness=lambda: raises(
        RuntimeError, lambda: nn.GRU(1, 1, device="meta")(torch.ones(1, 1, 1, device="meta"), torch.ones(1, 1, 1))
    ),
)
def gru_moves_its_state(patch):
    """`nn.GRU` moves the first state to where the input is."""

    def forward(original, self, x, state=None):
        return original(self, x, state if state is None else state.to(x.device))

    patch.around(nn.GRU, "forward", forward)


@mutant(
    kills=STATE_ELSEWHERE,
    witness=lambda: raises(RuntimeError, lambda: nn.RNN(1, 1, device="meta")(torch.ones(1, 1, 1))),
)
def rnn_moves_its_input(patch):
    """`nn.RNN` moves an input on the CPU to where its weights are."""

    def forward(original, self, x, *args):
        return original(self, x.to(self.weight_ih_l0.device) if not args else x, *args)

    patch.around(nn.RNN, "forward", forward)


@mutant(
    kills="test_new_tensor_of_a_tensor_goes_to_the_device_of_its_source",
    witness=lambda: silently(there().new_tensor, here()).device == META,
)
def new_tensor_stays_where_the_numbers_are(patch):
    """`source.new_tensor(other)` is on the device of `other`, as before torch 2.7."""
    original = torch.Tensor.new_tensor

    def broken(self, data, **options):
        if isinstance(data, torch.Tensor):
            options = {"device": data.device} | options
        return original(self, data, **options)

    patch.setattr(torch.Tensor, "new_tensor", broken)
