"""What memory a call takes: tensors alive at its peak, tensors kept for backward, and what an accelerator counts."""

from __future__ import annotations

import weakref

import torch
from packaging.version import Version
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten


def kept_for_backward(step, model):
    """Bytes of the tensors that autograd keeps for backward during one step, without the parameters: each once."""
    kept = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor.detach()  # the tensor itself would keep itself alive where it is the result of its own operation

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        step()
    parameters = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    return sum(size for address, size in kept.items() if address not in parameters)


def at_peak(step):
    """Bytes of the tensors that one step makes, as many as are alive at a time, on any device.

    What an operation allocates for itself alone is not counted. None before torch 2.2, which crashes when somebody
    wants to learn that a storage is gone.
    """
    if Version(torch.__version__) < Version("2.2"):
        return None
    with _Alive() as alive:
        step()
    return alive.peak


class _Alive(TorchDispatchMode):
    """Follows each storage that an operation makes until it is gone."""

    def __init__(self):
        super().__init__()
        self.now = self.peak = 0
        self.known = {}

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        for storage in _storages((args, kwargs)):
            self.known.setdefault(id(storage), weakref.ref(storage, self._forget(id(storage), 0)))
        found = function(*args, **(kwargs or {}))
        for storage in _storages(found):
            if id(storage) not in self.known:
                size = storage.nbytes()
                self.known[id(storage)] = weakref.ref(storage, self._forget(id(storage), size))
                self.now += size
        self.peak = max(self.peak, self.now)
        return found

    def _forget(self, name, size):
        def gone(_):
            del self.known[name]
            self.now -= size

        return gone


def _storages(values):
    return [each.untyped_storage() for each in tree_flatten(values)[0] if isinstance(each, torch.Tensor)]


def counted_by(device, step, synchronize):
    """What an accelerator's allocator counts of one step, in bytes; an empty dict where nobody counts.

    `bytes_at_peak`, `bytes_left` and `bytes_reserved` are beyond what was there before: at most allocated during the
    step, allocated after it, and at most reserved from the driver, which holds more than is used.
    """
    module = getattr(torch, device.type, None)
    if not hasattr(module, "reset_peak_memory_stats"):
        return {}
    step()
    synchronize()
    module.empty_cache()
    allocated, reserved = module.memory_allocated(device), module.memory_reserved(device)
    module.reset_peak_memory_stats(device)
    step()
    synchronize()
    return {
        "bytes_at_peak": module.max_memory_allocated(device) - allocated,
        "bytes_left": module.memory_allocated(device) - allocated,
        "bytes_reserved": module.max_memory_reserved(device) - reserved,
    }
