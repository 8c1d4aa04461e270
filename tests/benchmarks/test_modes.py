"""The same model in grad mode, without gradients, scripted, and the same function compiled: what each of them saves.

What it saves is a fixed amount for each operation, so it shows for one row and disappears behind the work for many.
"""

import functools
import sys
import time

import pytest
import torch
from torch import nn

from torchnotes.harness import devices
from torchnotes.harness.numerics import of_layers, rounding_bound

pytestmark = pytest.mark.section("10")

MODES = {"grad mode": torch.enable_grad, "no_grad": torch.no_grad, "inference_mode": torch.inference_mode}


def mlp(device):
    return nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10)).to(device)


def check(found, model, x):
    exact, bound = of_layers(model, x, rounding_bound(128 + 1, torch.float32))
    assert found.dtype == torch.float32
    assert ((found.detach().cpu().double() - exact).abs() <= bound).all()


@pytest.mark.finding(
    "an MLP with a batch of {rows} takes {times} as long under `no_grad` as in grad mode",
    "no_grad",
    "grad mode",
    at_most=0.9,
)
@pytest.mark.finding(
    "an MLP with a batch of {rows} takes {times} as long under `inference_mode` as under `no_grad`",
    "inference_mode",
    "no_grad",
    at_most=0.9,
)
@pytest.mark.parametrize("rows", [1, 256])
@pytest.mark.parametrize("entry", list(MODES))
def test_grad_mode(race, device, entry, rows):
    model, x = mlp(device), torch.rand(rows, 64, device=device)

    def forward(mode):
        with mode():
            return model(x)

    found = race(entry, {name: lambda mode=mode: forward(mode) for name, mode in MODES.items()})

    assert (found.grad_fn is None) == (entry != "grad mode")
    assert found.is_inference() == (entry == "inference_mode")
    check(found, model, x)


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="TorchScript does not support Python 3.14")
@pytest.mark.finding(
    "an MLP with a batch of {rows} takes {times} as long scripted by TorchScript as eager",
    "scripted",
    "eager",
    at_most=0.9,
)
@pytest.mark.parametrize("rows", [1, 1024])
@pytest.mark.parametrize("entry", ["eager", "scripted"])
def test_scripted_model(race, device, entry, rows):
    model, x = mlp(device), torch.rand(rows, 64, device=device)
    models = {"eager": model, "scripted": torch.jit.script(model)}

    with torch.no_grad():
        found = race(entry, {name: lambda model=model: model(x) for name, model in models.items()})

    check(found, model, x)


def gelu(x):
    """Nine elementwise operations, each of which makes a tensor of its own unless they are compiled into one."""
    return 0.5 * x * (1 + torch.tanh(0.7978845608 * (x + 0.044715 * x * x * x)))


@functools.cache
def compiled(device):
    """`gelu` compiled and tried, and the seconds that took; or why this machine cannot, in words."""
    function, start = None, time.perf_counter()
    try:
        function = torch.compile(gelu)
        function(torch.rand(2**18, device=device))
        devices.synchronize(device)
    except Exception as error:  # no compiler, a release that does not know this Python, a GPU too old for Triton, ...
        return None, f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"
    return function, time.perf_counter() - start


@pytest.mark.finding(
    "a chain of elementwise operations takes {times} as long with `torch.compile` as eager",
    "compiled",
    "eager",
    at_most=0.67,
)
@pytest.mark.filterwarnings("ignore")  # those of the compiler about itself
@pytest.mark.parametrize("entry", ["eager", "compiled"])
def test_compiled_function(race, benchmark, device, entry):
    if benchmark.disabled:
        pytest.skip("compiling takes longer than all else here: only where it is timed")
    function, outcome = compiled(device)
    if function is None:
        pytest.skip(f"torch.compile does not work here: {outcome}")
    x = torch.randn(2**18, device=device)
    benchmark.extra_info["seconds to compile"] = outcome

    found = race(entry, {"eager": lambda: gelu(x), "compiled": lambda: function(x)})

    exact, x = gelu(x.cpu().double()), x.cpu().double()
    # Half of 1 + tanh is off by a few units in the last place of 1, whatever its value, and x times that is the result.
    assert found.dtype == torch.float32
    assert ((found.cpu().double() - exact).abs() <= rounding_bound(16, torch.float32) * x.abs()).all()
