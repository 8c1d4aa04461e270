"""The same model in grad mode, without gradients, scripted, and the same function compiled: what each of them saves.

What it saves is a fixed amount for each operation, so it shows for one row and disappears behind the work for many.
Operations that are compiled into one read and write their numbers once, which shows for many.
"""

import functools
import sys
import time

import pytest
import torch
from torch import nn

from torchnotes.harness import devices
from torchnotes.harness.numerics import of_layers, rounding_bound
from torchnotes.measuring import limits

pytestmark = pytest.mark.section("10")

MODES = {"grad mode": torch.enable_grad, "no_grad": torch.no_grad, "inference_mode": torch.inference_mode}


def mlp(device):
    return nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10)).to(device)


def check(found, model, x):
    some = slice(None, None, max(1, len(x) // 256))
    exact, bound = of_layers(model, x[some], rounding_bound(128 + 1, torch.float32))
    assert (found.dtype, len(found)) == (torch.float32, len(x))
    assert ((found[some].detach().cpu().double() - exact).abs() <= bound).all()


def number_of(rows, sizes, device):
    """One row, or so many that it is they that take the time."""

    def computing(number):
        model, x = mlp(device), torch.rand(number, 64, device=device)
        return lambda: model(x)

    return sizes.largest(computing, [2**power for power in range(8, 21)]) if rows == "many" else rows


@pytest.mark.finding(
    "an MLP with a batch of {rows:,} takes {times} as long under `no_grad` as in grad mode",
    "no_grad",
    "grad mode",
    at_most=0.9,
)
@pytest.mark.finding(
    "an MLP with a batch of {rows:,} takes {times} as long under `inference_mode` as under `no_grad`",
    "inference_mode",
    "no_grad",
    at_most=0.9,
)
@pytest.mark.parametrize("rows", [1, "many"])
@pytest.mark.parametrize("entry", list(MODES))
def test_grad_mode(race, sizes, device, entry, rows):
    rows = number_of(rows, sizes, device)
    model, x = mlp(device), torch.rand(rows, 64, device=device)

    def forward(mode):
        with mode():
            return model(x)

    found = race(entry, {name: lambda mode=mode: forward(mode) for name, mode in MODES.items()}, {"rows": rows})

    assert (found.grad_fn is None) == (entry != "grad mode")
    assert found.is_inference() == (entry == "inference_mode")
    check(found, model, x)


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="TorchScript does not support Python 3.14")
@pytest.mark.finding(
    "an MLP with a batch of {rows:,} takes {times} as long scripted by TorchScript as eager",
    "scripted",
    "eager",
    at_most=0.9,
)
@pytest.mark.parametrize("rows", [1, "many"])
@pytest.mark.parametrize("entry", ["eager", "scripted"])
def test_scripted_model(race, sizes, device, entry, rows):
    rows = number_of(rows, sizes, device)
    model, x = mlp(device), torch.rand(rows, 64, device=device)
    models = {"eager": model, "scripted": torch.jit.script(model)}

    with torch.no_grad():
        found = race(entry, {name: lambda model=model: model(x) for name, model in models.items()}, {"rows": rows})

    check(found, model, x)


def gelu(x):
    """Nine elementwise operations, each of which makes a tensor of its own unless they are compiled into one."""
    return 0.5 * x * (1 + torch.tanh(0.7978845608 * (x + 0.044715 * x * x * x)))


@functools.cache
def compiled(function, shape, device):
    """The function compiled and tried, and the seconds that took; or None and why this machine cannot, in words."""
    start = time.perf_counter()
    try:
        function = torch.compile(function)
        with torch.no_grad():
            function(torch.rand(shape, device=device))
        devices.synchronize(str(device))
    except Exception as error:  # no compiler, a release that does not know this Python, a GPU too old for Triton, ...
        return None, f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"
    return function, time.perf_counter() - start


@pytest.mark.limit("compiled, elementwise operations on {size:,} numbers reach {share} of the limit", "compiled")
@pytest.mark.limit(
    "eager, a chain of elementwise operations on {size:,} numbers reaches {share} of the device's limit", "eager"
)
@pytest.mark.finding(
    "a chain of elementwise operations on {size:,} numbers takes {times} as long with `torch.compile` as eager",
    "compiled",
    "eager",
    at_most=0.67,
)
@pytest.mark.filterwarnings("ignore")  # those of the compiler about itself
@pytest.mark.parametrize("entry", ["eager", "compiled"])
def test_compiled_function(race, benchmark, sizes, device, entry):
    if benchmark.disabled:
        pytest.skip("compiling takes longer than all else here: only where it is timed")

    def computing(size):
        x = torch.randn(size, device=device)
        return lambda: gelu(x)

    size = sizes.largest(computing, [2**power for power in range(16, 27)])
    x = torch.randn(size, device=device)
    function, outcome = compiled(gelu, (size,), device)
    if function is None:
        pytest.skip(f"torch.compile does not work here: {outcome}")
    benchmark.extra_info["seconds to compile"] = outcome
    work = limits.Work(torch.float32, operations=9 * size, bytes=2 * size * limits.bytes_of(torch.float32))
    entries = {"eager": lambda: gelu(x), "compiled": lambda: function(x)}

    found = race(entry, entries, {"size": size}, dict.fromkeys(entries, work))

    exact, x = gelu(x.cpu().double()), x.cpu().double()
    # Half of 1 + tanh is off by a few units in the last place of 1, whatever its value, and x times that is the result.
    assert found.dtype == torch.float32
    assert ((found.cpu().double() - exact).abs() <= rounding_bound(16, torch.float32) * x.abs()).all()


WIDTH, LAYERS = 64, 16


@pytest.mark.finding(
    "a small model of {layers} layers takes {times} as long with `torch.compile` as eager",
    "compiled",
    "eager",
    at_most=0.9,
)
@pytest.mark.finding(
    "a small model of {layers} layers takes {times} as long as a CUDA graph as eager",
    "CUDA graph",
    "eager",
    at_most=0.5,
)
@pytest.mark.filterwarnings("ignore")  # those of the compiler about itself
@pytest.mark.parametrize("entry", ["eager", "compiled", "CUDA graph"])
def test_many_small_layers(race, benchmark, device, entry):
    """Nearly all of their time is calls and launches, which a graph makes all at once."""
    if benchmark.disabled and entry == "compiled":
        pytest.skip("compiling takes longer than all else here: only where it is timed")
    if device.type != "cuda" and entry == "CUDA graph":
        pytest.skip(f"there are no CUDA graphs on {device.type}")
    model, x = small_model(device), torch.rand(32, WIDTH, device=device)
    entries = {"eager": lambda: model(x)}
    if device.type == "cuda":
        entries["CUDA graph"] = captured(model, x)
    if not benchmark.disabled:
        function, outcome = compiled(model, x.shape, device)
        if function is None and entry == "compiled":
            pytest.skip(f"torch.compile does not work here: {outcome}")
        entries |= {"compiled": lambda: function(x)} if function else {}

    with torch.no_grad():
        found = race(entry, entries, {"layers": LAYERS})

    exact, bound = of_layers(model, x, rounding_bound(WIDTH + 1, torch.float32))
    assert found.dtype == torch.float32
    assert ((found.cpu().double() - exact).abs() <= bound).all()


@functools.cache
def small_model(device):
    layers = [layer for _ in range(LAYERS) for layer in (nn.Linear(WIDTH, WIDTH), nn.ReLU())]
    return nn.Sequential(*layers).to(device)


@torch.no_grad()
def captured(model, x):
    """A function that replays the model on `x` as one CUDA graph, and returns the same tensor each time."""
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):  # what is done once, such as to load a library, cannot be captured
        model(x)
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        found = model(x)

    def replay():
        graph.replay()
        return found

    return replay
