"""What the page draws: the locals of a note that `@pytest.mark.picture(kind, *names)` names, as plain data.

They are taken with `--record` only, when a note has come to its end, so that a picture shows what this torch did. A
profile function sees the call of the note, keeps its frame and gives way to the one before it: the note's lines run
without it, and coverage and debuggers, which trace, are left alone.
"""

from __future__ import annotations

import ctypes
import math
import sys

import pytest

from torchnotes.harness import about, boundaries
from torchnotes.record.values import MOST_NUMBERS


class NotPictured(ValueError):
    """Of a value no picture can be made; the message says why."""


def pytest_generate_tests(metafunc):
    """Refuse a marker that names no local of its note, with the file and line of the note."""
    definition = metafunc.definition
    for marker in boundaries.of(definition, "picture"):
        code = definition.function.__code__
        for name in marker.names:
            if name not in code.co_varnames + code.co_cellvars:
                path, line, _ = definition.location
                problem = f"@pytest.mark.picture: {name!r} is no local of the note"
                pytest.fail(f"{path}:{line + 1}: {definition.name}: {problem}", pytrace=False)


@pytest.hookimpl(wrapper=True, trylast=True)  # next to the note itself: nothing else is profiled
def pytest_pyfunc_call(pyfuncitem):
    markers = boundaries.of(pyfuncitem, "picture")
    if not markers or pyfuncitem.config.getoption("record") is None:
        return (yield)
    frames = []
    former = _watch(pyfuncitem.function.__code__, frames)
    try:
        result = yield
    finally:
        sys.setprofile(former)
    about.add(pyfuncitem, values=_taken(markers, frames))
    return result


def _taken(markers, frames):
    try:
        if not frames:
            raise NotPictured("the call of the note was not seen")
        local = frames[0].f_locals
        return [{"kind": marker.kind, "of": of(local, marker.names)} for marker in markers]
    except NotPictured as error:
        problem = error
    pytest.fail(f"@pytest.mark.picture: {problem}", pytrace=False)


def _watch(code, frames):
    """Put the frame of the next call of `code` into `frames`; returns the profile function that was there before."""
    former = sys.getprofile()
    if former is not None and not callable(former):
        pytest.fail("@pytest.mark.picture: a profiler runs that could not be put back; record without it")

    def watch(frame, event, argument):
        if former is not None:
            former(frame, event, argument)
        if event == "call" and frame.f_code is code:
            frames.append(frame)
            sys.setprofile(former)

    sys.setprofile(watch)
    return former


def of(local, names):
    """The locals `names`, each as plain data. Raises `NotPictured` where one is not there, too large, or no numbers."""
    missing = [name for name in names if name not in local]
    if missing:
        raise NotPictured(f"{missing[0]!r} is no local of the note when it ends")
    chosen = {name: local[name] for name in names}
    memories = _memories([_span(each) for value in chosen.values() for each in _arrays(value)])
    found = {name: _plain(name, value, memories, chosen) for name, value in chosen.items()}
    if (size := _size(list(found.values()))) > MOST_NUMBERS:
        raise NotPictured(f"{' and '.join(names)} hold {size:,} numbers; a picture takes at most {MOST_NUMBERS:,}")
    return found


def _arrays(value):
    import numpy as np
    import torch

    if isinstance(value, (list, tuple)):
        return [array for each in value for array in _arrays(each)]
    return [value] if isinstance(value, (np.ndarray, torch.Tensor)) else []


def _span(array):
    """Where the memory lies that an array or tensor looks at: device, first byte, and the byte after the last."""
    import numpy as np
    import torch

    if isinstance(array, torch.Tensor):
        if array.layout is not torch.strided or array.device.type == "meta":
            raise NotPictured(f"a tensor of layout {array.layout} on {array.device} has no memory to draw")
        storage = array.untyped_storage()
        return str(array.device), storage.data_ptr(), storage.data_ptr() + storage.nbytes()
    while isinstance(array.base, np.ndarray):
        array = array.base
    address = array.__array_interface__["data"][0]
    reach = [(size - 1) * step for size, step in zip(array.shape, array.strides, strict=True)] if array.size else []
    below, above = (sum(step for step in reach if sign * step > 0) for sign in (-1, 1))
    return "cpu", address + below, address + above + array.itemsize * bool(array.size)


def _memories(spans):
    """For each span a small number, the same where spans overlap, and how many bytes into that memory it begins."""
    found, number, end, begin = {}, 0, None, 0
    for span in sorted(set(spans)):
        device, first, last = span
        if end is None or end[0] != device or first >= end[1]:
            number, end, begin = number + 1, (device, last), first
        end = (device, max(end[1], last))
        found[span] = number, first - begin
    order = list(dict.fromkeys(found[span][0] for span in spans))  # addresses differ from run to run
    return {span: (order.index(number), start) for span, (number, start) in found.items()}


def _plain(name, value, memories, chosen):
    if isinstance(value, (list, tuple)):
        return [_plain(name, each, memories, chosen) for each in value]
    if _arrays(value):
        return _plain_array(name, value, memories, chosen)
    if value is None or isinstance(value, (bool, int, float, str)):
        return _number(value)
    raise NotPictured(f"{name!r} is of {type(value).__name__}, of which no picture is made")


def _plain_array(name, array, memories, chosen):
    import numpy as np
    import torch

    is_tensor = isinstance(array, torch.Tensor)
    _, first, last = span = _span(array)
    number, start = memories[span]
    size = array.element_size() if is_tensor else array.itemsize
    if max((last - first) // size, array.numel() if is_tensor else array.size) > MOST_NUMBERS:
        raise NotPictured(f"{name!r} holds more than {MOST_NUMBERS:,} numbers")
    if is_tensor:
        flat = array.detach()
        values, storage = flat.reshape(-1).tolist(), flat.as_strided(((last - first) // size,), (1,), 0).tolist()
        stride, offset = list(array.stride()), array.storage_offset()
    else:
        values = array.reshape(-1).tolist()
        storage = np.frombuffer((ctypes.c_char * (last - first)).from_address(first), array.dtype).tolist()
        stride = [step // size for step in array.strides]
        offset = (array.__array_interface__["data"][0] - first) // size
    if not all(isinstance(value, (bool, int, float)) for value in values):
        raise NotPictured(f"{name!r} holds {array.dtype}, of which no picture is made")
    found = {
        "kind": "tensor" if is_tensor else "array",
        "dtype": str(array.dtype).removeprefix("torch."),
        "shape": list(array.shape),
        "stride": stride,
        "offset": offset,
        "memory": number,
        "start": start,
        "values": [_number(value) for value in values],
    }
    if (storage := [_number(value) for value in storage]) != found["values"]:
        found["storage"] = storage
    if is_tensor and array.is_leaf and array.grad is not None:
        found["grad"] = [_number(value) for value in array.grad.detach().reshape(-1).tolist()]
    if is_tensor and array.grad_fn is not None:
        found["graph"] = _graph(array, chosen)
    return found


def _number(value):
    """JSON has no word for what is not finite."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _graph(tensor, chosen):
    """The nodes behind a tensor, from its own on, and the edges between them, in the direction that `backward` goes."""
    nodes, edges = [tensor.grad_fn], []
    for place, node in enumerate(nodes):  # which grows while it is walked
        for before, _ in node.next_functions:
            if before is None:
                continue
            if before not in nodes:
                nodes.append(before)
                if len(nodes) > MOST_NUMBERS:
                    raise NotPictured(f"the graph has more than {MOST_NUMBERS:,} nodes")
            edges.append([place, nodes.index(before)])
    return {"nodes": [_node(node, chosen) for node in nodes], "edges": edges}


def _node(node, chosen):
    leaf = getattr(node, "variable", None)
    names = [name for name, value in chosen.items() if leaf is not None and value is leaf]
    return {"name": node.name()} | ({"leaf": names[0]} if names else {})


def _size(value):
    if isinstance(value, dict):
        return len(value["values"]) + len(value.get("storage", ()))
    return sum(map(_size, value)) if isinstance(value, list) else 1
