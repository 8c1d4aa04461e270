"""A convolution of images whose channels come first, and last in memory: the same numbers in another order.

NVIDIA's Tensor cores, and oneDNN on some CPUs, want the channels of a pixel side by side.
"""

import functools

import pytest
import torch
from torch import nn

from torchnotes.harness.numerics import rounding_bound
from torchnotes.measuring import limits

pytestmark = pytest.mark.section("12")

CHANNELS, SIDE = 64, 56
LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


@pytest.mark.limit(
    "a convolution of {images:,} images reaches {share} of the limit ({dtype}, contiguous)", "contiguous"
)
@pytest.mark.limit(
    "a convolution of {images:,} images reaches {share} of the limit ({dtype}, channels_last)", "channels_last"
)
@pytest.mark.finding(
    "a convolution of {images:,} images takes {times} as long with channels_last as contiguous ({dtype})",
    "channels_last",
    "contiguous",
    at_most=0.9,
)
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("entry", list(LAYOUTS))
def test_convolution(race, sizes, device, entry, dtype):
    kind = getattr(torch, dtype)
    try:
        convolving(1, device, kind, torch.contiguous_format)()
    except (RuntimeError, TypeError) as error:
        pytest.skip(f"no convolutions in {dtype} on {device.type}: {str(error).splitlines()[0]}")

    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):  # TF32 is another dtype in all but name
        images = sizes.largest(
            lambda images: convolving(images, device, kind, torch.contiguous_format), [2**power for power in range(9)]
        )
        entries = {name: convolving(images, device, kind, layout) for name, layout in LAYOUTS.items()}
        numbers = 2 * images * CHANNELS * SIDE**2 + CHANNELS**2 * 9
        work = limits.Work(kind, 2 * images * SIDE**2 * CHANNELS**2 * 9, numbers * limits.bytes_of(kind))

        found = race(entry, entries, {"images": images}, dict.fromkeys(entries, work))

    layer, x = entries[entry].func, entries[entry].args[0]
    exact = layer.cpu().double()(x[:1].cpu().double())
    # All terms are positive, and are summed in float32; an algorithm such as Winograd's adds some of them before.
    bound = rounding_bound(CHANNELS * 9, torch.float32) + rounding_bound(16, kind)
    assert found.shape == (images, CHANNELS, SIDE, SIDE)
    assert found.is_contiguous(memory_format=LAYOUTS[entry])
    assert ((found[:1].cpu().double() - exact).abs() <= bound * exact).all()


def convolving(images, device, dtype, layout):
    """A call of a convolution of so many images; weights and pixels are positive."""
    layer = nn.Conv2d(CHANNELS, CHANNELS, kernel_size=3, padding=1, bias=False)
    nn.init.uniform_(layer.weight, 0, 1 / (9 * CHANNELS))
    x = torch.rand(images, CHANNELS, SIDE, SIDE, device=device)
    return functools.partial(layer.to(device, dtype, memory_format=layout), x.to(dtype, memory_format=layout))
