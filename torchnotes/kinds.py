"""The kinds of device there are: an entry each, with what is to be asked of torch about it.

Whoever adds a kind adds an entry. Nothing here imports torch: what is asked gets the module.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """A type of device, as `torch.device(...).type` has it, and what torch can be asked about it."""

    is_there: Callable
    """Of `torch`, in a release before 2.6, which has no `torch.accelerator`: whether there is one."""
    describe: Callable = lambda torch, name: None
    """Of `torch` and a device's name: what kind of device it is, such as a GPU's name, capability and memory."""
    absence: Callable = lambda torch: ""
    """Of `torch`: why it sees none, in one line, or an empty text where there is no more to say."""
    makers: Callable = lambda torch: ()
    """Of `torch`: other names by which the marker `only` may call it, such as `nvidia`."""
    toolkits: tuple[str, ...] = ()
    """What `torch.version` has a version of in a build for it."""


def _instruction_set(torch, name):
    ask = getattr(getattr(torch.backends, "cpu", None), "get_cpu_capability", lambda: None)
    return ask()


def _properties(torch, name):
    properties = getattr(torch, name.partition(":")[0]).get_device_properties(name)
    architecture = f"sm_{properties.major}{properties.minor}, " if hasattr(properties, "major") else ""
    return f"{properties.name}, {architecture}{properties.total_memory / 2**30:.0f} GiB"


def _absence_of_mps(torch):
    if sys.platform != "darwin":
        return ""
    if torch.backends.mps.is_built():
        return "macOS finds no GPU that MPS can use"
    return f"this torch ({torch.__version__}) was built without MPS"


def _absence_of_xpu(torch):
    built = getattr(torch.version, "xpu", None)
    return "" if built else f"this torch ({torch.__version__}) was not built for XPU"


KINDS = {
    "cpu": Kind(is_there=lambda torch: True, describe=_instruction_set),
    "cuda": Kind(
        is_there=lambda torch: torch.cuda.is_available(),
        describe=_properties,
        makers=lambda torch: ("nvidia",) if torch.version.cuda else (),
        toolkits=("cuda", "hip"),
    ),
    "mps": Kind(is_there=lambda torch: torch.backends.mps.is_available(), absence=_absence_of_mps),
    "xpu": Kind(
        is_there=lambda torch: hasattr(torch, "xpu") and torch.xpu.is_available(),
        describe=_properties,
        absence=_absence_of_xpu,
        toolkits=("xpu",),
    ),
}

MAKERS = ("nvidia",)
"""Names of part of a kind that the marker `only` takes."""


def of(name):
    """The kind of the device of this name, or an entry that nobody can say more of, such as a backend of one's own."""
    return KINDS.get(name.partition(":")[0], Kind(is_there=lambda torch: False))


def names():
    """What the marker `only` may name."""
    return (*KINDS, *MAKERS)
