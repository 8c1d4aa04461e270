"""What an optimizer trains, what a model saves, and how a saved model comes back.

After this section you can say what `model.parameters()` and `model.state_dict()` hold, keep the best weights of a
training run, save a model and load it into a new one, read the messages "Missing key", "Unexpected key" and "size
mismatch", go on with a training that was interrupted, and tell which files are safe to load. The state_dict of a model
is a dictionary from names to tensors: its parameters, and its buffers, such as the statistics of a BatchNorm.
"""

import argparse
import copy
import enum
import importlib
import io
import itertools
import os
import pathlib
import pickle
import sys
import types
import warnings
from collections import Counter, OrderedDict, defaultdict, namedtuple

import numpy as np
import pytest
import torch
from hypothesis import example, given, strategies as st
from torch import nn


class Slope(nn.Module):
    """The model `weight * x` with one parameter of two numbers."""

    def __init__(self, device="cpu"):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([8.0, -4.0], device=device))

    def forward(self, x):
        return self.weight * x


def descend(model, optimizer, steps):
    """Train towards zero: the loss is half the sum of squares, so that the gradient is the weight itself."""
    for _ in range(steps):
        optimizer.zero_grad()
        loss = (model(1) ** 2).sum() / 2
        loss.backward()
        optimizer.step()
    return model.weight.tolist()


def saved_and_loaded(value, **options):
    """What `torch.load` gives back after `torch.save`, by way of a file in memory."""
    file = io.BytesIO()
    torch.save(value, file)
    file.seek(0)
    return torch.load(file, **options)


# What an optimizer gets


def test_parameters_are_what_the_optimizer_updates(device):
    """An SGD optimizer holds the model's own parameters, and `step()` changes those that have a gradient in place.

    Nothing has to be copied back into the model. A parameter whose `grad` is None, because no loss used it, stays as it
    is, even with `weight_decay`.

    https://docs.pytorch.org/docs/stable/optim.html
    """
    model, unused = Slope(device), nn.Parameter(torch.tensor([1.0], device=device))
    weight, address = model.weight, model.weight.data_ptr()
    optimizer = torch.optim.SGD([*model.parameters(), unused], lr=0.25, weight_decay=1.0)

    descend(model, optimizer, steps=1)

    assert optimizer.param_groups[0]["params"][0] is weight
    assert model.weight is weight
    assert weight.data_ptr() == address
    assert weight.tolist() == [4, -2]  # 8 - 0.25 * (8 + 1.0 * 8)
    assert unused.grad is None
    assert unused.tolist() == [1]


OPTIMIZERS = [
    kind
    for kind in vars(torch.optim).values()
    if isinstance(kind, type) and issubclass(kind, torch.optim.Optimizer) and kind is not torch.optim.Optimizer
]


def take_a_step(parameter, optimizer):
    """Minimise the sum of squares; SparseAdam wants its gradient sparse, and LBFGS asks for the loss several times."""

    def closure():
        parameter.grad = 2 * parameter.detach()
        if isinstance(optimizer, torch.optim.SparseAdam):
            parameter.grad = parameter.grad.to_sparse()
        return (parameter.detach() ** 2).sum()

    optimizer.step(closure)


def test_every_optimizer_writes_into_the_same_memory():
    """Every optimizer of `torch.optim` changes a parameter in place: the tensor keeps its memory and gets new numbers.

    A `detach()` of a weight therefore changes with training. Write `weight.detach().clone()` to keep numbers.

    https://docs.pytorch.org/docs/stable/optim.html
    """
    # On the CPU: not every accelerator has every optimizer.
    for kind in OPTIMIZERS:
        parameter = nn.Parameter(torch.ones(2, 2))
        view, copied = parameter.detach(), parameter.detach().clone()

        take_a_step(parameter, kind([parameter], lr=0.25))

        assert torch.equal(view, parameter), kind
        assert not torch.equal(copied, parameter), kind


def test_parameters_is_used_up_by_one_pass(device):
    """`model.parameters()` returns a generator: it has no `len`, and after one pass it is empty.

    An SGD that gets a used-up generator raises "ValueError: optimizer got an empty parameter list". Call
    `model.parameters()` again, or keep `list(model.parameters())`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    model = nn.Linear(3, 2, device=device)
    parameters = model.parameters()

    assert [tuple(parameter.shape) for parameter in parameters] == [(2, 3), (2,)]
    assert list(parameters) == []
    assert len(list(model.parameters())) == 2
    with pytest.raises(ValueError, match="optimizer got an empty parameter list"):
        torch.optim.SGD(parameters, lr=0.1)
    with pytest.raises(TypeError, match="generator"):
        len(model.parameters())


def test_optimizer_keeps_the_parameters_it_was_given(device):
    """A layer that replaces another one after the optimizer was made is not trained: the optimizer still holds the
    parameters of the old layer.

    Nothing raises, and the loss may fall all the same, because the other layers learn. Replace layers before you make
    the optimizer, or give an SGD the new one: `optimizer.add_param_group({"params": new_layer.parameters()})`.

    https://docs.pytorch.org/docs/stable/optim.html
    """
    model = nn.Sequential(nn.Linear(1, 1, bias=False, device=device))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    old = model[0].weight

    model[0] = nn.Linear(1, 1, bias=False, device=device)
    before = model[0].weight.item()
    model(torch.tensor([2.0], device=device)).backward()
    optimizer.step()

    assert model[0].weight.grad.tolist() == [[2]]
    assert model[0].weight.item() == before
    assert optimizer.param_groups[0]["params"][0] is old
    assert old.grad is None

    optimizer.add_param_group({"params": model[0].parameters()})
    optimizer.step()
    assert model[0].weight.tolist() == (torch.tensor([[before]]) - 1).tolist()  # 0.5 * 2

    pair, losses = nn.Sequential(Slope(device), Slope(device)), []
    optimizer = torch.optim.SGD(pair.parameters(), lr=0.001)
    pair[1] = Slope(device)
    for _ in range(2):
        losses.append((pair(1.0) ** 2).sum())
        losses[-1].backward()
        optimizer.step()
    assert losses[1] < losses[0]  # thanks to pair[0]
    assert pair[1].weight.tolist() == [8, -4]


# What a state_dict holds


def test_batch_norm_has_two_parameters_and_five_entries(device):
    """`nn.BatchNorm1d`, `2d` and `3d` with default arguments have 2 parameters and 5 entries in their state_dict: the
    other three are buffers, which `parameters()` leaves out.

    An optimizer of `parameters()` does not train them; a forward pass in training mode updates them. `affine=False`
    leaves out the two parameters, `track_running_stats=False` the three buffers.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BatchNorm1d.html
    """
    parameters, buffers = ["weight", "bias"], ["running_mean", "running_var", "num_batches_tracked"]
    for kind in (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d):
        layer = kind(4, device=device)
        state = layer.state_dict()

        assert [name for name, parameter in layer.named_parameters()] == parameters
        assert [name for name, buffer in layer.named_buffers()] == buffers
        assert list(state) == parameters + buffers
        assert [tuple(tensor.shape) for tensor in state.values()] == [(4,), (4,), (4,), (4,), ()]
        assert state["num_batches_tracked"].dtype == torch.int64
        assert list(kind(4, affine=False, device=device).state_dict()) == buffers
        assert list(kind(4, track_running_stats=False, device=device).state_dict()) == parameters

    layer = nn.BatchNorm1d(4, device=device)
    layer(torch.ones(2, 4, device=device))
    assert layer.num_batches_tracked.item() == 1
    assert (layer.running_mean > 0).all()
    assert (layer.running_var < 1).all()


class Everything(nn.Module):
    """One attribute of each kind."""

    in_the_class = nn.Parameter(torch.tensor([0.0]))

    def __init__(self, device):
        super().__init__()
        self.parameter = nn.Parameter(torch.tensor([1.0, 2.0], device=device))
        self.frozen = nn.Parameter(torch.tensor([3.0], device=device), requires_grad=False)
        self.register_buffer("buffer", torch.tensor([4.0], device=device))
        self.register_buffer("cache", torch.tensor([5.0], device=device), persistent=False)
        self.tensor = torch.tensor([6.0], device=device)
        self.number = 7.0
        self.listed = [nn.Parameter(torch.tensor([8.0], device=device))]


@pytest.mark.parametrize(
    ("name", "in_parameters", "in_buffers", "in_state_dict"),
    [
        ("parameter", True, False, True),
        ("frozen", True, False, True),
        ("buffer", False, True, True),
        ("cache", False, True, False),
        ("tensor", False, False, False),
        ("number", False, False, False),
        ("listed", False, False, False),
    ],
    ids=[
        "parameter",
        "frozen parameter",
        "buffer",
        "buffer that is not persistent",
        "plain tensor",
        "plain number",
        "parameter in a list",
    ],
)
def test_which_attribute_is_in_which(device, name, in_parameters, in_buffers, in_state_dict):
    """`parameters()` has what was assigned to `self` as `nn.Parameter`, frozen or not. `state_dict()` adds persistent
    buffers.

    A plain tensor, a number, a Parameter in a Python list and one in the body of the class are in neither, and nothing
    says so. Write `nn.Parameter` for what is trained, `register_buffer` for a tensor that is only kept,
    `nn.ParameterList` for a list of parameters.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    model = Everything(device)

    assert (name in [key.split(".")[0] for key, _ in model.named_parameters()]) is in_parameters
    assert (name in [key.split(".")[0] for key, _ in model.named_buffers()]) is in_buffers
    assert (name in [key.split(".")[0] for key in model.state_dict()]) is in_state_dict
    assert "in_the_class" not in [*dict(model.named_parameters()), *model.state_dict()]


def test_order_of_the_keys(device):
    """In a state_dict each module has its parameters first, then its buffers, then its submodules, each in the order in
    which the names were registered, and dots join the levels, as in `layers.0.weight`.

    A Parameter that is assigned again keeps its place. `named_parameters()` has the same order, and an optimizer that
    is given `model.parameters()` numbers the parameters in it.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    model = nn.Module()
    model.layers = nn.ModuleList([nn.Linear(2, 1), nn.BatchNorm1d(1, affine=False)])
    model.register_buffer("mean", torch.zeros(2))
    model.scale = nn.Parameter(torch.ones(2))
    model.bias = nn.Parameter(torch.ones(2))
    model.scale = nn.Parameter(torch.zeros(2))  # again
    model.to(device)

    assert list(model.state_dict()) == [
        "scale",
        "bias",
        "mean",
        "layers.0.weight",
        "layers.0.bias",
        "layers.1.running_mean",
        "layers.1.running_var",
        "layers.1.num_batches_tracked",
    ]
    names = ["scale", "bias", "layers.0.weight", "layers.0.bias"]
    assert [name for name, parameter in model.named_parameters()] == names
    numbered = torch.optim.SGD(model.parameters(), lr=0.1).param_groups[0]["params"]
    assert [id(parameter) for parameter in numbered] == [id(model.get_parameter(name)) for name in names]
    assert list(model.layers.state_dict()) == [
        name.removeprefix("layers.") for name in model.state_dict() if name.startswith("layers.")
    ]


def test_state_dict_holds_plain_tensors(device):
    """A state_dict holds the parameters and buffers of a model as tensors outside of any graph, and not as Parameters,
    unless a lazy layer has no shape yet; `state_dict(keep_vars=True)` gives the model's own Parameters and buffers.

    `requires_grad` is False for each of these tensors, so a state_dict does not say what is frozen: ask
    `model.named_parameters()`. The next note is about lazy layers.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    model = Slope(device)
    model.register_buffer("doubled", model.weight * 2)  # with a graph
    state, kept = model.state_dict(), model.state_dict(keep_vars=True)

    for entry in state.values():
        assert type(entry) is torch.Tensor
        assert (entry.requires_grad, entry.grad_fn) == (False, None)
        assert entry.device == device
    assert [state["weight"].tolist(), state["doubled"].tolist()] == [[8, -4], [16, -8]]
    assert kept["weight"] is model.weight
    assert kept["doubled"] is model.doubled
    assert [model.weight.requires_grad, model.doubled.requires_grad] == [True, True]


def test_state_dict_of_a_lazy_layer_is_not_for_saving():
    """The state_dict of an `nn.LazyLinear` that has neither computed nor loaded holds Parameters without a shape, and a
    file of it makes `weights_only=True` raise UnpicklingError.

    Send one batch through a model before you save it.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.LazyLinear.html
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch 2.0 says that lazy modules are new
        lazy, loaded = nn.LazyLinear(2), nn.LazyLinear(2)

    entry = lazy.state_dict()["weight"]
    assert type(entry) is nn.parameter.UninitializedParameter
    assert entry.requires_grad
    with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
        saved_and_loaded(lazy.state_dict(), weights_only=True)

    lazy(torch.ones(1, 3))
    assert type(lazy.state_dict()["weight"]) is torch.Tensor
    assert saved_and_loaded(lazy.state_dict())["weight"].shape == (2, 3)
    loaded.load_state_dict(lazy.state_dict())
    assert type(loaded.state_dict()["weight"]) is torch.Tensor


def test_tied_weights_are_one_parameter_and_two_entries(device):
    """A Parameter with two names counts once in `parameters()` and twice in `state_dict()`, both times on the same
    memory; `load_state_dict` without `assign=True` keeps the two names tied.

    Tied weights are usual between an embedding and an output layer. To count parameters use `parameters()`. If a file
    has other numbers under the second name, the first name gets those too, and nothing says so.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """

    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(5, 3, device=device)
            self.output = nn.Linear(3, 5, bias=False, device=device)
            self.output.weight = self.embedding.weight

    model, loaded = Tied(), Tied()
    state = model.state_dict()

    assert [name for name, parameter in model.named_parameters()] == ["embedding.weight"]
    assert list(state) == ["embedding.weight", "output.weight"]
    assert state["embedding.weight"].data_ptr() == state["output.weight"].data_ptr()
    loaded.load_state_dict(state)
    assert loaded.output.weight is loaded.embedding.weight
    assert torch.equal(loaded.output.weight, model.output.weight)

    loaded.load_state_dict({"output.weight": torch.full((5, 3), 7.0), "embedding.weight": torch.ones(5, 3)})
    assert loaded.embedding.weight.unique().tolist() == [7]


# Save a model and load it


def test_saving_and_loading_a_state_dict(device, tmp_path):
    """`torch.save(model.state_dict(), path)` saves the parameters and persistent buffers of a model, and
    `new.load_state_dict(torch.load(path))` restores them in a new model with the same names, shapes and dtypes.

    Names, order, values, dtypes and devices all survive in the file. The code that builds the model is not in it.
    For lazy layers see their note above.

    https://docs.pytorch.org/docs/stable/notes/serialization.html
    """
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2), nn.Linear(2, 1).half()).to(device)
    model[:2](torch.randn(4, 3, device=device))  # so that BatchNorm has seen something
    path = tmp_path / "model.pt"

    torch.save(model.state_dict(), path)
    state = torch.load(path)
    new = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2), nn.Linear(2, 1).half()).to(device)
    new.load_state_dict(state)

    assert list(state) == list(model.state_dict())
    for name, tensor in model.state_dict().items():
        assert torch.equal(state[name], tensor)
        assert (state[name].dtype, state[name].device) == (tensor.dtype, device)
        assert torch.equal(new.state_dict()[name], tensor)


def test_saving_makes_no_directory(device, tmp_path):
    """`torch.save` to a path in a directory that does not exist raises RuntimeError, "Parent directory ... does not
    exist".

    Write `path.parent.mkdir(parents=True, exist_ok=True)` before a long training and not after it. `torch.load` of a
    file that is not there raises FileNotFoundError.

    https://docs.pytorch.org/docs/stable/generated/torch.save.html
    """
    path = tmp_path / "runs" / "3" / "model.pt"
    state = Slope(device).state_dict()

    with pytest.raises(RuntimeError, match=r"Parent directory .* does not exist"):
        torch.save(state, path)
    with pytest.raises(FileNotFoundError):
        torch.load(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(state, path)
    assert list(torch.load(path)) == list(state)


def test_a_buffer_in_memory_must_be_rewound(device, tmp_path):
    """`torch.load(buffer)` directly after `torch.save(state, buffer)` into an `io.BytesIO` raises EOFError: the buffer
    stands at its end.

    Write `buffer.seek(0)` in between. An empty file raises EOFError, too. With `weights_only=False` the text is "Ran
    out of input" for both.

    https://docs.pytorch.org/docs/stable/generated/torch.load.html
    """
    buffer, state = io.BytesIO(), Slope(device).state_dict()
    torch.save(state, buffer)
    empty = tmp_path / "model.pt"
    empty.touch()

    for at_its_end in (buffer, empty):
        with pytest.raises(EOFError):
            torch.load(at_its_end)
        with pytest.raises(EOFError, match="Ran out of input"):
            torch.load(at_its_end, weights_only=False)
    buffer.seek(0)
    assert list(torch.load(buffer)) == list(state)


def test_neither_load_gives_back_a_model(device, tmp_path):
    """After `model = model.load_state_dict(state)` or `model = torch.load(path)` of a saved state_dict, `model.eval()`
    raises AttributeError: the one returns a report on the names, the other the dictionary.

    The texts are "'_IncompatibleKeys' object has no attribute 'eval'" and "'collections.OrderedDict' object has no
    attribute 'eval'", or with `model(x)` TypeError, "object is not callable". Write
    `model.load_state_dict(torch.load(path))` without an assignment. `load_state_dict` takes no path: for a str it
    raises TypeError, "Expected state_dict to be dict-like".

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    model, path = Slope(device), tmp_path / "model.pt"
    torch.save(model.state_dict(), path)

    report, loaded = model.load_state_dict(model.state_dict()), torch.load(path)

    with pytest.raises(AttributeError, match="'_IncompatibleKeys' object has no attribute 'eval'"):
        report.eval()
    with pytest.raises(AttributeError, match=r"'collections\.OrderedDict' object has no attribute 'eval'"):
        loaded.eval()
    for no_model in (report, loaded):
        with pytest.raises(TypeError, match="object is not callable"):
            no_model(1)
    with pytest.raises(TypeError, match="Expected state_dict to be dict-like"):
        model.load_state_dict(str(path))


def test_a_checkpoint_is_not_the_state_dict_in_it(device):
    """`model.load_state_dict(checkpoint)` of a dictionary that holds the state_dict under a name raises RuntimeError:
    "Unexpected key(s) in state_dict: "epoch", "model_state_dict"".

    Write `model.load_state_dict(checkpoint["model_state_dict"])`, with the name that the file has: look at
    `checkpoint.keys()`. With `strict=False` nothing raises, and nothing is loaded.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    model, saved = Slope(device), Slope(device)
    with torch.no_grad():
        saved.weight.fill_(7)
        model.weight.fill_(3)
    checkpoint = {"epoch": 3, "model_state_dict": saved.state_dict()}

    with pytest.raises(RuntimeError, match=r'Unexpected key\(s\) in state_dict: "epoch", "model_state_dict"'):
        model.load_state_dict(checkpoint)
    model.load_state_dict(checkpoint, strict=False)
    assert set(model.weight.tolist()) == {3}

    model.load_state_dict(checkpoint["model_state_dict"])
    assert set(model.weight.tolist()) == {7}


def test_what_is_not_in_the_state_dict_is_not_loaded(device):
    """`load_state_dict` restores parameters and persistent buffers.

    Plain attributes, other buffers and gradients stay here those of the new model. Build the new model with the same
    arguments. Register as a buffer what the model finds out from its data, such as a mean: a plain attribute is not in
    the file.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    model, new = Everything(device), Everything(device)
    with torch.no_grad():
        for tensor in (model.parameter, model.frozen, model.buffer, model.cache, model.tensor, model.listed[0]):
            tensor.mul_(10)
    model.number = 70.0
    model.parameter.grad = torch.ones(2, device=device)
    new.parameter.grad = torch.full((2,), 5.0, device=device)

    new.load_state_dict(model.state_dict())

    assert [new.parameter.tolist(), new.frozen.tolist(), new.buffer.tolist()] == [[10, 20], [30], [40]]
    assert [new.cache.tolist(), new.tensor.tolist(), new.number, new.listed[0].tolist()] == [[5], [6], 7, [8]]
    assert [new.parameter.grad.tolist(), new.frozen.grad] == [[5, 5], None]


class Labelled(Slope):
    """A model that saves its labels, too."""

    def __init__(self, labels):
        super().__init__()
        self.labels = labels

    def get_extra_state(self):
        return {"labels": self.labels}

    def set_extra_state(self, state):
        self.labels = state["labels"]


def test_buffer_that_is_none_has_no_entry(device):
    """A buffer that is None has no entry in the state_dict, and a strict `load_state_dict` raises RuntimeError,
    "Unexpected key(s)", if the state_dict has an entry for it because another model had filled this buffer.

    It hits buffers that are filled from the data later. Register them in their final shape, with `torch.zeros(3)`, and
    load into that. A buffer with `persistent=False` never has an entry, filled or not: nothing is raised.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """

    class Centred(nn.Module):
        def __init__(self, mean=None):
            super().__init__()
            self.register_buffer("mean", mean)

    fitted = Centred()
    assert list(fitted.state_dict()) == []
    fitted.mean = torch.tensor([1.0, 2.0, 3.0], device=device)
    assert list(fitted.state_dict()) == ["mean"]

    with pytest.raises(RuntimeError, match=r'Unexpected key\(s\) in state_dict: "mean"'):
        Centred().load_state_dict(fitted.state_dict())

    new = Centred(torch.zeros(3, device=device))
    new.load_state_dict(fitted.state_dict())
    assert new.mean.tolist() == [1, 2, 3]

    fitted.register_buffer("mean", torch.ones(3, device=device), persistent=False)
    Centred().load_state_dict(fitted.state_dict())


def test_extra_state_is_saved_and_loaded():
    """A module that defines `get_extra_state` and `set_extra_state` saves more than tensors: what the first returns is
    the entry `_extra_state` of the state_dict, and loading hands it to the second.

    Use them for a vocabulary or for labels. A strict load of a state_dict without the entry raises RuntimeError,
    "Missing key(s)".

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    trained, new = Labelled(["cat", "dog"]), Labelled(None)
    state = saved_and_loaded(trained.state_dict())

    new.load_state_dict(state)

    assert list(state) == ["weight", "_extra_state"]
    assert state["_extra_state"] == {"labels": ["cat", "dog"]}
    assert new.labels == ["cat", "dog"]
    with pytest.raises(RuntimeError, match=r'Missing key\(s\) in state_dict: "_extra_state"'):
        new.load_state_dict(Slope().state_dict())


def test_map_location_moves_a_saved_state_dict(device_pair):
    """`torch.load` puts each tensor on the device it was saved from, unless `map_location` names another device.

    Write `torch.load(path, map_location="cpu")` for a file that may come from a GPU, and move the model afterwards.

    https://docs.pytorch.org/docs/stable/generated/torch.load.html
    """
    here, there = device_pair
    state = Slope(here).state_dict()

    assert saved_and_loaded(state)["weight"].device == here
    assert saved_and_loaded(state, map_location=there)["weight"].device == there
    assert saved_and_loaded(state, map_location=str(there))["weight"].device == there
    assert saved_and_loaded(state, map_location="cpu")["weight"].tolist() == [8, -4]


def test_a_device_that_is_not_there_cannot_be_loaded_onto():
    """`torch.load` raises RuntimeError, or in old releases with `weights_only=True` UnpicklingError, with the text
    "Attempting to deserialize object on", if the file or `map_location="cuda:1"` names a CUDA device that this machine
    does not have.

    It is what a file from a GPU says on a laptop without one. Pass `map_location="cpu"`.

    https://docs.pytorch.org/docs/stable/generated/torch.load.html
    """
    state = {"weight": torch.tensor([1.0, 2.0])}

    with pytest.raises(RuntimeError, match="Attempting to deserialize object on"):
        saved_and_loaded(state, map_location="cuda:99")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch 2.0 deprecates what it does itself
        with pytest.raises((RuntimeError, pickle.UnpicklingError), match="Attempting to deserialize object on"):
            saved_and_loaded(state, map_location="cuda:99", weights_only=True)
    assert saved_and_loaded(state, map_location="cpu")["weight"].tolist() == [1, 2]


def test_saved_meta_tensor_stays_on_meta():
    """A tensor that was saved from the device `meta` comes back on `meta`, even with `map_location="cpu"`: it has a
    shape and no numbers.

    A checkpoint of a model on `meta` therefore holds no weights. Look at `tensor.device` before you save.

    https://docs.pytorch.org/docs/stable/meta.html
    """
    state = nn.Linear(2, 1, device="meta").state_dict()

    loaded = saved_and_loaded(state, map_location="cpu")

    assert [tensor.device.type for tensor in loaded.values()] == ["meta", "meta"]
    assert [tuple(tensor.shape) for tensor in loaded.values()] == [(1, 2), (1,)]


def test_state_dict_knows_nothing_of_forward(device):
    """A state_dict has names and tensors and no computation: a model that computes something else loads it, if its
    names and shapes are the same.

    Here no error tells you that a Tanh has taken the place of a ReLU. Keep the code, or its commit, with the file. A
    module that defines `get_extra_state` adds more, as a note above shows.

    https://docs.pytorch.org/docs/stable/notes/serialization.html
    """
    model = nn.Sequential(nn.Linear(1, 1, device=device), nn.ReLU())
    other = nn.Sequential(nn.Linear(1, 1, device=device), nn.Tanh())
    for parameter in model.parameters():
        nn.init.constant_(parameter, -1)
    x = torch.tensor([[1.0]], device=device)

    report = other.load_state_dict(model.state_dict())

    assert str(report) == "<All keys matched successfully>"
    assert model(x).item() == 0
    assert other(x).item() < -0.9  # tanh(-2)


def test_whole_model_needs_its_class(device, monkeypatch):
    """`torch.load(path, weights_only=False)` of a whole model raises AttributeError, "Can't get attribute 'Net' on
    <module '__main__'", in a program that does not define the class `Net` of the model, as the one that saved it did.

    `torch.save(model, path)` writes the name of the class and of its module, and none of its code. If the module is not
    there, as after a move to another folder, it is ModuleNotFoundError, "No module named". Define or import the class
    under its old name first, or save `model.state_dict()`.

    https://docs.pytorch.org/docs/stable/notes/serialization.html
    """

    def saved(module):
        net = type("Net", (Slope,), {"__module__": module.__name__})
        monkeypatch.setattr(module, "Net", net, raising=False)
        torch.save(net(device), file := io.BytesIO())
        return file.getvalue()

    def load(content):
        return torch.load(io.BytesIO(content), weights_only=False)

    script, module = types.ModuleType("__main__"), types.ModuleType("a_module_that_was_moved")
    monkeypatch.setitem(sys.modules, "__main__", script)
    monkeypatch.setitem(sys.modules, "a_module_that_was_moved", module)
    of_the_script, of_the_module = saved(script), saved(module)
    assert [load(of_the_script).weight.tolist(), load(of_the_module).weight.tolist()] == [[8, -4], [8, -4]]

    monkeypatch.delattr(script, "Net")
    with pytest.raises(AttributeError, match="Can't get attribute 'Net' on <module '__main__'"):
        load(of_the_script)
    monkeypatch.delitem(sys.modules, "a_module_that_was_moved")
    with pytest.raises(ModuleNotFoundError, match="No module named 'a_module_that_was_moved'"):
        load(of_the_module)


@given(sizes=st.lists(st.integers(1, 4), min_size=2, max_size=4), normalise=st.booleans())
def test_loaded_model_answers_the_same_for_every_architecture(device, sizes, normalise):
    """A small stack of Linear layers with BatchNorm or Tanh that loads the state_dict of another stack with the same
    layers answers the same to the last bit, in eval mode and on the same device.

    Do not expect it of a model whose `forward` draws random numbers or uses a plain attribute that was set later: these
    are not in the state_dict.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """

    def build():
        layers = []
        for inputs, outputs in itertools.pairwise(sizes):
            layers += [nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs) if normalise else nn.Tanh()]
        return nn.Sequential(*layers).to(device)

    model, loaded = build(), build()
    x = torch.randn(3, sizes[0], device=device)
    model(x)  # in training mode, so that BatchNorm has seen something

    loaded.load_state_dict(model.state_dict())

    assert torch.equal(loaded.eval()(x), model.eval()(x))


def test_part_of_a_model_loads_by_itself(device):
    """Every submodule has a state_dict of its own, whose names lack the prefix of the submodule: a new model can load
    the body of a trained one and keep a head of another size.

    Write `new.body.load_state_dict(trained.body.state_dict())` to fine-tune for other classes.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    trained = nn.ModuleDict({"body": nn.Linear(3, 2, device=device), "head": nn.Linear(2, 10, device=device)})
    new = nn.ModuleDict({"body": nn.Linear(3, 2, device=device), "head": nn.Linear(2, 4, device=device)})

    new["body"].load_state_dict(trained["body"].state_dict())

    assert list(trained["body"].state_dict()) == ["weight", "bias"]
    assert torch.equal(new["body"].weight, trained["body"].weight)
    assert torch.equal(new["body"].bias, trained["body"].bias)
    assert new["head"].weight.shape == (4, 2)


# Keep the best weights: is a state_dict a copy?


def test_state_dict_shares_memory_with_the_model(device):
    """A state_dict is no copy: a write into one of its tensors changes the model, while replacing or deleting an entry
    changes only the dictionary.

    Write `copy.deepcopy(model.state_dict())` before you edit the tensors.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    model = Slope(device)
    state, copied = model.state_dict(), copy.deepcopy(model.state_dict())

    copied["weight"][1] = 9
    assert model.weight.tolist() == [8, -4]
    state["weight"][1] = 5
    assert model.weight.tolist() == [8, 5]

    state["weight"] = torch.zeros(2, device=device)
    assert model.weight.tolist() == [8, 5]
    del state["weight"]
    assert list(model.state_dict()) == ["weight"]


@pytest.mark.myth("best = model.state_dict() keeps the best model")
@pytest.mark.parametrize(
    ("keep", "kept"),
    [
        (lambda model: model.state_dict(), [6, -3]),
        (lambda model: model.state_dict().copy(), [6, -3]),
        (lambda model: copy.copy(model.state_dict()), [6, -3]),
        (lambda model: copy.deepcopy(model.state_dict()), [8, -4]),
        (lambda model: copy.deepcopy(model).state_dict(), [8, -4]),
        (lambda model: {name: tensor.clone() for name, tensor in model.state_dict().items()}, [8, -4]),
        (lambda model: saved_and_loaded(model.state_dict()), [8, -4]),
    ],
    ids=["state_dict", "its copy()", "copy.copy", "copy.deepcopy", "deepcopy of the model", "clones", "save and load"],
)
def test_kept_state_dict_changes_as_training_goes_on(device, keep, kept):
    """A state_dict that you keep changes with each optimizer step, and so does a shallow copy of it.

    A deepcopy, a clone of each tensor and a saved file stay as they were. Otherwise "restore the best weights" restores
    the last ones. Write `best = copy.deepcopy(model.state_dict())`.

    https://docs.pytorch.org/docs/stable/notes/serialization.html
    """
    model = Slope(device)
    best = keep(model)

    now = descend(model, torch.optim.SGD(model.parameters(), lr=0.25), steps=1)

    assert now == [6, -3]
    assert best["weight"].tolist() == kept


def test_converted_model_leaves_a_kept_state_dict_behind(device):
    """`model.bfloat16()` gives the parameters of a float32 model new memory: a state_dict from before the conversion no
    longer follows them.

    So whether a kept state_dict changes depends on what happened to the model since. Make a copy if it must not change,
    and call `model.state_dict()` again if it must.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    model = Slope(device)
    kept = model.state_dict()

    model.bfloat16()
    with torch.no_grad():
        model.weight.zero_()

    assert model.state_dict()["weight"].tolist() == [0, 0]
    assert model.state_dict()["weight"].dtype == torch.bfloat16
    assert kept["weight"].tolist() == [8, -4]
    assert kept["weight"].dtype == torch.float32


# When the names do not fit: missing and unexpected keys


def test_loading_goes_by_name_not_by_order(device):
    """`load_state_dict` finds each entry by its name, in any order, and returns a report that is printed as
    `<All keys matched successfully>` if no name is missing and none is unexpected.

    So a state_dict can be built by hand, of tensors, or sorted; a NumPy array in it raises RuntimeError. Two layers
    that swapped their names swap their weights. In code ask for `report.missing_keys`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    layer = nn.Linear(1, 1, device=device)

    report = layer.load_state_dict({"bias": torch.tensor([3.0]), "weight": torch.tensor([[2.0]])})

    assert [layer.weight.tolist(), layer.bias.tolist()] == [[[2]], [3]]
    assert (report.missing_keys, report.unexpected_keys) == ([], [])
    assert str(report) == "<All keys matched successfully>"
    assert report != "<All keys matched successfully>"
    with pytest.raises(RuntimeError, match=r"expected torch\.Tensor or Tensor-like object"):
        layer.load_state_dict({"bias": np.ones(1), "weight": np.ones((1, 1))})


def test_loading_is_strict(device):
    """By default `load_state_dict` raises RuntimeError if the state_dict lacks a parameter of the model, "Missing
    key(s)", or has a name that the model lacks, "Unexpected key(s)".

    The message lists both. Compare `list(state)` with `list(model.state_dict())`: the difference is usually a prefix or
    a layer that was renamed. The next three notes show cases that a strict load overlooks.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    model = nn.ModuleDict({"head": nn.Linear(2, 1, device=device)})
    weight, bias = torch.tensor([[1.0, 2.0]]), torch.tensor([3.0])

    with pytest.raises(RuntimeError, match=r'Missing key\(s\) in state_dict: "head.bias"'):
        model.load_state_dict({"head.weight": weight})
    with pytest.raises(RuntimeError, match=r'Unexpected key\(s\) in state_dict: "scale"'):
        model.load_state_dict({"head.weight": weight, "head.bias": bias, "scale": bias})
    with pytest.raises(RuntimeError, match="Missing key") as caught:
        model.load_state_dict({"head.weight": weight, "head.b": bias})
    assert 'Missing key(s) in state_dict: "head.bias"' in str(caught.value)
    assert 'Unexpected key(s) in state_dict: "head.b"' in str(caught.value)


@pytest.mark.holds("torch>=2.4", otherwise=AssertionError, change="raises", concerns="torch.nn.Module.load_state_dict?")
def test_name_that_goes_on_after_a_parameter_is_unexpected():
    """From torch 2.4 on a strict `load_state_dict` raises RuntimeError, "Unexpected key(s)", for a name that goes on
    after the name of a parameter, such as `weight.scale`, and for the bare name of a layer; up to 2.3 it skips such
    entries silently.

    Some quantised checkpoints have such names. In an older release compare the names yourself.

    https://github.com/pytorch/pytorch/issues/123510
    """
    state = {"weight": torch.tensor([1.0, 2.0]), "weight.scale": torch.tensor([3.0])}

    with pytest.raises(RuntimeError, match=r'Unexpected key\(s\) in state_dict: "weight.scale"'):
        Slope().load_state_dict(state)

    model = nn.ModuleDict({"head": Slope()})
    with pytest.raises(RuntimeError, match=r'Unexpected key\(s\) in state_dict: "head"'):
        model.load_state_dict({**model.state_dict(), "head": torch.tensor([3.0])})


def test_names_below_a_layer_set_to_none_are_not_unexpected():
    """After a layer is set to None, as in `model.head = None`, a strict `load_state_dict` skips its entries silently;
    after `model.head = nn.Identity()` it raises RuntimeError, "Unexpected key(s)".

    A model with such a None by accident therefore loads. Write `nn.Identity()` for a layer that you take out.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    model = nn.ModuleDict({"body": nn.Linear(1, 1), "head": nn.Linear(1, 1)})
    state = copy.deepcopy(model.state_dict())

    model.head = None
    assert str(model.load_state_dict(state)) == "<All keys matched successfully>"

    model.head = nn.Identity()
    with pytest.raises(RuntimeError, match=r'Unexpected key\(s\) in state_dict: "head.weight", "head.bias"'):
        model.load_state_dict(state)


def test_batch_norm_does_not_miss_its_counter_in_a_plain_dict():
    """A plain dict without `num_batches_tracked` loads into a BatchNorm with no error.

    A state_dict that lacks it raises RuntimeError, "Missing key(s)". `state_dict()` notes the version of each layer in
    an attribute, `_metadata`, that a plain dict does not have, and without a version BatchNorm takes the entries for
    those of an older release. `state.copy()`, `dict(state)` and a comprehension lose `_metadata`; `copy.copy(state)`,
    `copy.deepcopy(state)` and a file keep it.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BatchNorm1d.html
    """
    layer = nn.BatchNorm1d(2)
    state = nn.BatchNorm1d(2).state_dict()
    del state["num_batches_tracked"]

    with pytest.raises(RuntimeError, match=r'Missing key\(s\) in state_dict: "num_batches_tracked"'):
        layer.load_state_dict(state)
    for plain in (dict(state), state.copy(), {name: tensor for name, tensor in state.items()}):
        assert not hasattr(plain, "_metadata")
        assert str(layer.load_state_dict(plain)) == "<All keys matched successfully>"
    for copied in (copy.copy(state), copy.deepcopy(state), saved_and_loaded(state)):
        assert copied._metadata[""] == {"version": 2}
        with pytest.raises(RuntimeError, match=r'Missing key\(s\) in state_dict: "num_batches_tracked"'):
            layer.load_state_dict(copied)


def test_failed_load_has_changed_what_fitted(device):
    """A `load_state_dict` that raises RuntimeError for a missing key or a wrong shape has already loaded the entries
    that fit.

    Code that catches the error goes on with a mixture of two models. Load into a new model, or keep a deepcopy of the
    old state_dict to go back to.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    layer = nn.Linear(2, 1, device=device)
    bias = layer.bias.tolist()

    with pytest.raises(RuntimeError, match="Missing key"):
        layer.load_state_dict({"weight": torch.tensor([[7.0, 8.0]])})
    assert layer.weight.tolist() == [[7, 8]]
    assert layer.bias.tolist() == bias

    with pytest.raises(RuntimeError, match="size mismatch for bias"):
        layer.load_state_dict({"bias": torch.zeros(3), "weight": torch.tensor([[5.0, 6.0]])})
    assert layer.weight.tolist() == [[5, 6]]
    assert layer.bias.tolist() == bias


def test_strict_false_reports_instead_of_raising(device):
    """`load_state_dict(state, strict=False)` loads the entries whose names fit, and returns as `missing_keys` and
    `unexpected_keys` the names for which a strict load raises.

    A "size mismatch" still raises RuntimeError; a name does not, and nothing is printed. Look at both lists: only the
    names that you left out on purpose should be in them. What a strict load overlooks, such as the entries of a layer
    that is now None, is in neither.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    layer = nn.Linear(2, 1, device=device)
    bias = layer.bias.tolist()

    report = layer.load_state_dict({"weight": torch.tensor([[7.0, 8.0]]), "scale": torch.ones(1)}, strict=False)

    assert report.missing_keys == ["bias"]
    assert report.unexpected_keys == ["scale"]
    assert [layer.weight.tolist(), layer.bias.tolist()] == [[[7, 8]], bias]

    model = nn.ModuleDict({"body": layer, "head": nn.Linear(1, 1, device=device)})
    state = model.state_dict()
    model.head = None
    assert model.load_state_dict(state, strict=False) == ([], [])


def test_wrong_prefix_loads_nothing(device):
    """A state_dict of `nn.DataParallel(model)` has `module.` before every name: loading it into the model itself raises
    RuntimeError, "Missing key(s)", and with `strict=False` loads no entry and raises nothing.

    The message goes on with 'Unexpected key(s) in state_dict: "module.weight"'. Cut the prefix off with
    `name.removeprefix("module.")`, or save the state_dict of the model inside, `parallel.module`. The wrapper that
    `torch.compile(model)` makes puts `_orig_mod.` there. A plain state_dict loaded into `nn.DataParallel(model)` lacks
    "module.weight".

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    model, trained = Slope(device), Slope(device)
    trained.load_state_dict({"weight": torch.tensor([1.0, 2.0])})
    parallel = nn.DataParallel(trained)
    saved = parallel.state_dict()

    with pytest.raises(RuntimeError, match=r'Missing key\(s\) in state_dict: "weight"') as caught:
        model.load_state_dict(saved)
    assert 'Unexpected key(s) in state_dict: "module.weight"' in str(caught.value)
    with pytest.raises(RuntimeError, match=r'Missing key\(s\) in state_dict: "module.weight"'):
        parallel.load_state_dict(model.state_dict())

    report = model.load_state_dict(saved, strict=False)
    assert model.weight.tolist() == [8, -4]
    assert (report.missing_keys, report.unexpected_keys) == (["weight"], ["module.weight"])

    model.load_state_dict({name.removeprefix("module."): tensor for name, tensor in saved.items()})
    assert model.weight.tolist() == [1, 2]
    assert list(parallel.module.state_dict()) == ["weight"]

    dynamo = importlib.import_module("torch._dynamo")  # torch 2.0 does not bring it by itself
    compiled = dynamo.run(trained)  # wraps as `torch.compile` does, which not every Python has
    assert list(compiled.state_dict()) == ["_orig_mod.weight"]
    assert compiled._orig_mod is trained


@pytest.mark.holds(
    "torch>=2.1", otherwise=AttributeError, change="new", concerns="torch.nn.utils.parametrizations.weight_norm"
)
def test_old_weight_norm_cannot_read_the_names_of_the_new(device):
    """A layer with `nn.utils.parametrizations.weight_norm`, which torch 2.1 brought, loads the state_dict of one with
    `nn.utils.weight_norm`, but not the other way round: that raises RuntimeError, "Missing key(s)".

    The old one calls its two tensors `weight_g` and `weight_v`, the new one `parametrizations.weight.original0` and
    `parametrizations.weight.original1`. Rename the entries, in this order, to read a new file with old code.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.parametrizations.weight_norm.html
    """
    weight_norm = nn.utils.parametrizations.weight_norm
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # newer releases deprecate the old one
        old, other = (nn.utils.weight_norm(nn.Linear(2, 1)).to(device) for _ in range(2))
    new, x = weight_norm(nn.Linear(2, 1)).to(device), torch.ones(1, 2, device=device)

    new.load_state_dict(old.state_dict())
    assert torch.allclose(new(x), old(x))
    assert list(old.state_dict()) == ["bias", "weight_g", "weight_v"]
    original = "parametrizations.weight.original"
    assert list(new.state_dict()) == ["bias", f"{original}0", f"{original}1"]

    with pytest.raises(RuntimeError, match=r'Missing key\(s\) in state_dict: "weight_g", "weight_v"'):
        other.load_state_dict(new.state_dict())
    names = {f"{original}0": "weight_g", f"{original}1": "weight_v"}
    other.load_state_dict({names.get(name, name): tensor for name, tensor in new.state_dict().items()})
    assert torch.allclose(other(x), new(x))


# When the shape, the dtype or the device does not fit


@given(
    own=st.lists(st.integers(0, 3), min_size=1, max_size=3),
    given_shape=st.lists(st.integers(0, 3), max_size=3),
    strict=st.booleans(),
)
@example(own=[1, 2], given_shape=[2, 1], strict=True)  # would fit transposed
@example(own=[1, 2], given_shape=[2], strict=True)  # could be broadcast
@example(own=[1, 2], given_shape=[1, 3], strict=True)  # could be cut
@example(own=[1, 2], given_shape=[1, 1], strict=False)
@example(own=[1], given_shape=[], strict=True)
def test_shapes_must_agree(device, own, given_shape, strict):
    """`load_state_dict` raises RuntimeError, "size mismatch for weight: copying a param with shape", if the entry
    `weight` has another shape than a parameter of one dimension or more, and `strict=False` does not change that.

    `strict` is about names. Nothing is broadcast, transposed or cut. A head for another number of classes is the usual
    reason. Take the entry out of the dictionary, with `del state[name]`, to keep the model's own, and pass
    `strict=False`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    model = nn.ParameterDict({"weight": nn.Parameter(torch.zeros(own, device=device))})
    entry = torch.ones(given_shape)

    if own == given_shape:
        model.load_state_dict({"weight": entry}, strict=strict)
        assert model["weight"].tolist() == entry.tolist()
    else:
        with pytest.raises(RuntimeError, match="size mismatch for weight: copying a param with shape"):
            model.load_state_dict({"weight": entry}, strict=strict)
        assert model["weight"].tolist() == torch.zeros(own).tolist()


def test_one_number_in_a_list_loads_into_a_scalar_parameter(device):
    """An entry of shape `(1,)` loads into a parameter of shape `()`; an entry of shape `()` raises RuntimeError, "size
    mismatch", for a parameter of shape `(1,)`.

    It hits learned temperatures and scales. Torch 2.9 and older even take the first number of a longer entry for such a
    parameter (https://github.com/pytorch/pytorch/issues/165873): check the shape yourself.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    scalar = nn.ParameterDict({"temperature": nn.Parameter(torch.tensor(1.0, device=device))})
    vector = nn.ParameterDict({"temperature": nn.Parameter(torch.tensor([1.0], device=device))})

    scalar.load_state_dict({"temperature": torch.tensor([5.0])})
    with pytest.raises(RuntimeError, match="size mismatch for temperature"):
        vector.load_state_dict({"temperature": torch.tensor(5.0)})

    assert scalar["temperature"].shape == ()
    assert [scalar["temperature"].item(), vector["temperature"].tolist()] == [5, [1]]


def test_lazy_layer_takes_the_shape_that_it_loads():
    """An `nn.LazyLinear` that has neither computed nor loaded takes the shape of the weight that it loads, even with
    another number of outputs than it was made for.

    Its weight has no shape to compare with. Once it has one, and in an `nn.Linear`, a wrong file raises RuntimeError,
    "size mismatch".

    https://docs.pytorch.org/docs/stable/generated/torch.nn.LazyLinear.html
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch 2.0 says that lazy modules are new
        lazy = nn.LazyLinear(2)

    lazy.load_state_dict(nn.Linear(3, 7).state_dict())

    assert lazy.weight.shape == (7, 3)
    with pytest.raises(RuntimeError, match="size mismatch for weight"):
        lazy.load_state_dict(nn.Linear(3, 2).state_dict())
    assert lazy(torch.ones(1, 3)).shape == (1, 7)
    with pytest.raises(RuntimeError, match="size mismatch for weight"):
        nn.Linear(3, 2).load_state_dict(nn.Linear(3, 7).state_dict())


def test_loading_copies_into_the_parameters_there_are(device):
    """`load_state_dict` without `assign=True` copies the values of a file or of another model into the model's own
    Parameters, which stay the same objects and share no memory with what was loaded.

    So an optimizer that was made before loading goes on training the model. A model on the device `meta` has no memory
    to copy into and stays empty.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    model = Slope(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    weight, address = model.weight, model.weight.data_ptr()
    state = {"weight": torch.tensor([1.0, 2.0], device=device)}

    model.load_state_dict(state)
    state["weight"][0] = 99

    assert model.weight is weight
    assert weight.data_ptr() == address
    assert weight.tolist() == [1, 2]
    assert weight.is_leaf
    assert descend(model, optimizer, steps=1) == [0.5, 1]

    empty = Slope("meta")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # newer releases warn
        empty.load_state_dict(state)
    assert empty.weight.is_meta


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.int64], ids=str)
def test_loading_converts_to_what_the_model_has(device, dtype):
    """`load_state_dict` without `assign=True` keeps the dtype, the device, the `requires_grad` and the mode of the
    model: float16, bfloat16 or int64 entries become float32 in a float32 model.

    A float16 file gives no float16 model: call `model.half()`. A real number that the model's dtype does not have
    becomes another one silently: 1.7 in an int64 buffer becomes 1, and 1e6 in a float16 parameter inf.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    model = Slope(device).eval()
    model.weight.requires_grad_(False)

    model.load_state_dict({"weight": torch.tensor([3, 257], dtype=dtype)})  # a tensor on the CPU

    assert model.weight.tolist() == [3, 256 if dtype == torch.bfloat16 else 257]
    assert model.weight.dtype == torch.float32
    assert model.weight.device == device
    assert model.weight.requires_grad is False
    assert model.training is False

    model.register_buffer("count", torch.tensor([0], device=device))
    model.load_state_dict({"weight": torch.zeros(2), "count": torch.tensor([1.7])})
    assert model.count.tolist() == [1]
    assert model.count.dtype == torch.int64

    half = Slope(device).half()
    half.load_state_dict({"weight": torch.tensor([1.0, 1e6])})
    assert half.weight.tolist() == [1, float("inf")]


def test_complex_entry_loses_its_imaginary_part():
    """A complex entry loads into a real parameter by losing its imaginary part, with a UserWarning for the first such
    cast in a process only.

    An earlier `.float()` of a complex tensor uses the warning up. Compare `state[name].dtype` with the model's if a
    file may be complex.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    model = Slope()

    with pytest.warns(UserWarning, match="discards the imaginary part"):
        model.load_state_dict({"weight": torch.tensor([1 + 2j, 3 - 4j])})

    assert model.weight.tolist() == [1, 3]
    assert model.weight.dtype == torch.float32

    always = torch.is_warn_always_enabled()
    torch.set_warn_always(False)  # the default
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.tensor([1j]).float()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model.load_state_dict({"weight": torch.tensor([5 + 2j, 6 - 4j])})
    finally:
        torch.set_warn_always(always)
    assert model.weight.tolist() == [5, 6]


# Load without copying: assign=True


@pytest.mark.holds("torch>=2.1", otherwise=TypeError, change="new")
def test_assign_puts_the_loaded_tensors_in_place(device):
    """From torch 2.1 on `load_state_dict(state, assign=True)` does not copy: for a parameter, a floating-point tensor
    becomes a new Parameter on the same memory, in its own dtype, and a given Parameter is put into the model itself.

    An optimizer that was made before holds the old Parameters: make it afterwards. A tensor of integers raises
    RuntimeError in place of a parameter that is trained. Torch 2.0 lacks the argument. A model on the device `meta`
    needs it: without it you get a UserWarning, "copying from a non-meta parameter in the checkpoint to a meta parameter
    in the current model, which is a no-op", and an empty model.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    model = Slope(device)
    before = model.weight
    tensor = torch.tensor([1.0, 2.0], device=device, dtype=torch.float16)

    model.load_state_dict({"weight": tensor}, assign=True)
    tensor[0] = 9

    assert model.weight.tolist() == [9, 2]
    assert model.weight.dtype == torch.float16
    assert model.weight is not before
    assert isinstance(model.weight, nn.Parameter)
    assert [model.weight.requires_grad, before.tolist()] == [True, [8, -4]]

    other = Slope(device)
    model.load_state_dict(other.state_dict(keep_vars=True), assign=True)
    assert model.weight is other.weight

    with pytest.raises(RuntimeError, match="Only Tensors of floating point"):
        model.load_state_dict({"weight": torch.tensor([1, 2], device=device)}, assign=True)

    empty = Slope("meta")
    with pytest.warns(UserWarning, match="copying from a non-meta parameter in the checkpoint to a meta parameter"):
        empty.load_state_dict(other.state_dict())
    assert empty.weight.is_meta
    empty.load_state_dict(other.state_dict(), assign=True)
    assert [empty.weight.device, empty.weight.tolist()] == [device, [8, -4]]


@pytest.mark.holds(
    "torch>=2.3",
    otherwise=(AssertionError, TypeError),
    change="result",
    concerns="torch.nn.Module.load_state_dict(assign=True)",
)
def test_assign_keeps_what_is_frozen(device):
    """From torch 2.3 on `load_state_dict(state, assign=True)` leaves the `requires_grad` of the model's parameters as
    it is; in 2.1 and 2.2 a frozen layer came out trainable.

    For 2.1 and 2.2 call `requires_grad_(False)` once more after loading. A Parameter of another model that is assigned
    is frozen or unfrozen for that model as well.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    frozen, trained = Slope(device).requires_grad_(False), Slope(device)
    values = torch.tensor([1.0, 2.0], device=device)

    frozen.load_state_dict({"weight": values}, assign=True)
    trained.load_state_dict({"weight": nn.Parameter(values, requires_grad=False)}, assign=True)

    assert [frozen.weight.requires_grad, trained.weight.requires_grad] == [False, True]
    assert [frozen.weight.tolist(), trained.weight.tolist()] == [[1, 2], [1, 2]]

    other = Slope(device)
    frozen.load_state_dict(other.state_dict(keep_vars=True), assign=True)
    assert other.weight.requires_grad is False


@pytest.mark.holds(
    "torch>=2.1", otherwise=TypeError, change="new", concerns="torch.nn.Module.load_state_dict(assign=True)"
)
def test_assign_makes_two_parameters_of_tied_weights(device):
    """From torch 2.1 on `load_state_dict(model.state_dict(), assign=True)` makes two Parameters on one memory of a
    weight that two layers share.

    An SGD with `foreach=False` here applies its weight decay to that memory twice in each step. Tie the weights again
    after loading: `output.weight = embedding.weight`. One layer that stands in the model twice keeps its one Parameter.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """

    def decayed(model):
        for parameter in model.parameters():
            parameter.grad = torch.zeros(2, device=device)
        torch.optim.SGD(model.parameters(), lr=0.5, weight_decay=0.5, foreach=False).step()
        return model[0].weight.tolist()

    tied = nn.ModuleList([Slope(device), Slope(device)])
    tied[1].weight = tied[0].weight

    tied.load_state_dict(copy.deepcopy(tied.state_dict()), assign=True)
    assert tied[1].weight is not tied[0].weight
    assert tied[1].weight.data_ptr() == tied[0].weight.data_ptr()
    assert len(list(tied.parameters())) == 2
    assert decayed(tied) == [4.5, -2.25]  # 8 * 0.75 * 0.75

    tied[1].weight = tied[0].weight
    assert len(list(tied.parameters())) == 1
    assert decayed(tied) == [3.375, -1.6875]  # 4.5 * 0.75

    twice = nn.ModuleList([tied[0], tied[0]])
    twice.load_state_dict(twice.state_dict(), assign=True)
    assert len(list(twice.parameters())) == 1


# Go on with training: the optimizer's state_dict


def test_training_goes_on_only_with_the_optimizers_state(device):
    """Training with SGD and momentum, and with nothing else that has a state, goes on after an interruption as if there
    had been none, if the state_dicts of the model and of the optimizer are restored; with the model's alone the next
    step is another one.

    Save both: `torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, path)`. Save the
    state_dicts of a scheduler and a GradScaler, too, and the states of the generators if anything is drawn at random.

    https://docs.pytorch.org/docs/stable/generated/torch.optim.Optimizer.load_state_dict.html
    """

    def new():
        model = Slope(device)
        return model, torch.optim.SGD(model.parameters(), lr=0.25, momentum=0.5)

    model, optimizer = new()
    descend(model, optimizer, steps=2)
    checkpoint = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
    checkpoint = saved_and_loaded(checkpoint)

    restored, restored_optimizer = new()
    restored.load_state_dict(checkpoint["model"])
    restored_optimizer.load_state_dict(checkpoint["optimizer"])
    forgetful, forgetful_optimizer = new()
    forgetful.load_state_dict(checkpoint["model"])

    assert descend(model, optimizer, steps=1) == [1.375, -0.6875]
    assert descend(restored, restored_optimizer, steps=1) == [1.375, -0.6875]
    assert descend(forgetful, forgetful_optimizer, steps=1) == [2.625, -1.3125]


def test_scheduler_goes_on_with_two_state_dicts(device):
    """The schedule of a StepLR goes on after an interruption if the state_dicts of both the optimizer and the scheduler
    are loaded; with the scheduler's alone, the optimizer keeps the learning rate that it was made with.

    `StepLR(optimizer, ..., last_epoch=3)` with a new optimizer raises KeyError, "param 'initial_lr' is not specified in
    param_groups[0]": a scheduler without `last_epoch` writes `initial_lr` there. Make both as for a new training, and
    then load both.

    https://docs.pytorch.org/docs/stable/optim.html
    """

    def new():
        optimizer = torch.optim.SGD(Slope(device).parameters(), lr=1.0)
        return optimizer, torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)

    def rates(optimizer, scheduler, steps):
        seen = []
        for _ in range(steps):
            seen.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
        return seen

    optimizer, scheduler = new()
    assert optimizer.param_groups[0]["initial_lr"] == 1
    assert rates(optimizer, scheduler, 3) == [1, 1, 0.5]
    saved, schedule = copy.deepcopy([optimizer.state_dict(), scheduler.state_dict()])
    assert rates(optimizer, scheduler, 3) == [0.5, 0.25, 0.25]

    both, alone = new(), new()
    both[0].load_state_dict(saved)
    both[1].load_state_dict(schedule)
    alone[1].load_state_dict(schedule)
    assert rates(*both, 3) == [0.5, 0.25, 0.25]
    assert rates(*alone, 3) == [1, 0.5, 0.5]

    with pytest.raises(KeyError, match=r"param 'initial_lr' is not specified in param_groups\[0\]"):
        torch.optim.lr_scheduler.StepLR(torch.optim.SGD(Slope(device).parameters(), lr=1.0), 2, last_epoch=3)


def test_optimizer_state_goes_by_position(device):
    """The state_dict of an optimizer made from `model.parameters()` numbers the parameters and has no names: its
    `param_groups` hold the settings, its `state` holds what the optimizer remembers, such as the momentum.

    Load it into an optimizer that was given the parameters in the same order. As many parameters of other shapes load
    silently. Another number of them raises ValueError, "loaded state dict contains a parameter group that doesn't match
    the size of optimizer's group", and another number of groups "loaded state dict has a different number of parameter
    groups": the model has changed, or layers were frozen or added, since the file was saved.

    https://docs.pytorch.org/docs/stable/generated/torch.optim.Optimizer.state_dict.html
    """
    model = Slope(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.25, momentum=0.5)
    descend(model, optimizer, steps=2)
    state = optimizer.state_dict()

    assert sorted(state) == ["param_groups", "state"]
    assert state["param_groups"][0]["params"] == [0]
    assert [state["param_groups"][0]["lr"], state["param_groups"][0]["momentum"]] == [0.25, 0.5]
    assert list(state["state"]) == [0]
    assert state["state"][0]["momentum_buffer"].tolist() == [10, -5]  # 0.5 * 8 + 6

    other = nn.Parameter(torch.tensor([1.0, 2.0, 3.0], device=device))  # not even the shape is looked at
    another = torch.optim.SGD([other], lr=0.25, momentum=0.5)
    another.load_state_dict(state)
    assert another.state[other]["momentum_buffer"].tolist() == [10, -5]
    with pytest.raises(ValueError, match="contains a parameter group that doesn't match the size of optimizer's group"):
        torch.optim.SGD([other, model.weight], lr=0.25).load_state_dict(state)
    with pytest.raises(ValueError, match="loaded state dict has a different number of parameter groups"):
        torch.optim.SGD([{"params": [other]}, {"params": [model.weight]}], lr=0.25).load_state_dict(state)


def test_adagrad_alone_remembers_before_the_first_step():
    """Before the first step the `state` of an optimizer is empty, for every optimizer of `torch.optim` but Adagrad.

    Adagrad makes its sums when it is made. Code that looks into `optimizer.state[parameter]` before a step finds an
    empty dictionary with the others: ask with `.get`.

    https://docs.pytorch.org/docs/stable/generated/torch.optim.Optimizer.state_dict.html
    """
    remembering = []
    for kind in OPTIMIZERS:
        optimizer = kind([nn.Parameter(torch.ones(2, 2))], lr=0.25)
        if optimizer.state_dict()["state"]:
            remembering.append(kind)
        else:
            assert optimizer.state[optimizer.param_groups[0]["params"][0]] == {}

    assert remembering == [torch.optim.Adagrad]


def test_loading_overrides_the_learning_rate(device):
    """Loading an optimizer's state_dict replaces the settings of its parameter groups: the saved learning rate wins
    over the one that the optimizer was made with.

    To go on with another learning rate, set `optimizer.param_groups[0]["lr"]` after loading.

    https://docs.pytorch.org/docs/stable/generated/torch.optim.Optimizer.load_state_dict.html
    """
    model = Slope(device)
    saved = torch.optim.SGD(model.parameters(), lr=0.25).state_dict()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)

    optimizer.load_state_dict(saved)
    assert optimizer.param_groups[0]["lr"] == 0.25
    assert descend(model, optimizer, steps=1) == [6, -3]

    optimizer.param_groups[0]["lr"] = 0.5
    assert descend(model, optimizer, steps=1) == [3, -1.5]


def test_group_added_after_loading_has_the_rate_of_the_constructor(device):
    """`add_param_group` gives a new group that says no `lr` the one of the constructor, even after a state_dict with
    another one was loaded.

    Here two groups then train at two rates. Say it: `optimizer.add_param_group({"params": ..., "lr": 0.25})`.

    https://docs.pytorch.org/docs/stable/generated/torch.optim.Optimizer.add_param_group.html
    """
    model, added = Slope(device), nn.Parameter(torch.tensor([1.0], device=device))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)

    optimizer.load_state_dict(torch.optim.SGD(model.parameters(), lr=0.25).state_dict())
    optimizer.add_param_group({"params": [added]})

    assert [group["lr"] for group in optimizer.param_groups] == [0.25, 0.5]


def test_kept_optimizer_state_changes_as_training_goes_on(device):
    """The state_dict of an SGD with momentum that has made a step shares the momentum with the optimizer: in one that
    you keep it changes with each further step.

    A learning rate that is a number stays as it was. Write `copy.deepcopy(optimizer.state_dict())` to keep both as
    they are.

    https://docs.pytorch.org/docs/stable/generated/torch.optim.Optimizer.state_dict.html
    """
    model = Slope(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.25, momentum=0.5)
    descend(model, optimizer, steps=1)
    kept, copied = optimizer.state_dict(), copy.deepcopy(optimizer.state_dict())

    descend(model, optimizer, steps=1)
    optimizer.param_groups[0]["lr"] = 0.125

    assert kept["state"][0]["momentum_buffer"].tolist() == [10, -5]
    assert copied["state"][0]["momentum_buffer"].tolist() == [8, -4]
    assert [kept["param_groups"][0]["lr"], copied["param_groups"][0]["lr"]] == [0.25, 0.25]


@pytest.mark.holds(
    "torch>=2.1", otherwise=AssertionError, change="result", concerns="torch.optim.Optimizer.load_state_dict?"
)
def test_loaded_optimizer_state_is_shared_with_the_checkpoint(device):
    """From torch 2.1 on an SGD that loads a state_dict takes over its momentum tensors, if they have the dtype and
    device of the parameters: going on with training changes the checkpoint.

    Torch 2.0 copied them. Whoever loads the checkpoint once more gets another momentum. Load
    `copy.deepcopy(checkpoint)`.

    https://docs.pytorch.org/docs/stable/generated/torch.optim.Optimizer.load_state_dict.html
    """
    model = Slope(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.25, momentum=0.5)
    descend(model, optimizer, steps=1)
    checkpoint = copy.deepcopy(optimizer.state_dict())

    for _ in range(2):
        restored = Slope(device)
        restored_optimizer = torch.optim.SGD(restored.parameters(), lr=0.25, momentum=0.5)
        restored_optimizer.load_state_dict(checkpoint)
        descend(restored, restored_optimizer, steps=1)

    assert optimizer.state_dict()["state"][0]["momentum_buffer"].tolist() == [8, -4]
    assert checkpoint["state"][0]["momentum_buffer"].tolist() == [14, -7]  # 0.5 * (0.5 * 8 + 8) + 8


def test_loaded_momentum_gets_the_dtype_of_the_parameter(device):
    """An SGD that loads a state_dict converts the momentum of a floating-point parameter to the dtype of that
    parameter, and the converted momentum is not shared with the checkpoint.

    A momentum from a float32 training is rounded when it is loaded for a bfloat16 model: 257 becomes 256. The momentum
    of a complex parameter keeps the dtype of the checkpoint.

    https://docs.pytorch.org/docs/stable/generated/torch.optim.Optimizer.load_state_dict.html
    """
    model = Slope(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.25, momentum=0.5)
    descend(model, optimizer, steps=1)
    checkpoint = copy.deepcopy(optimizer.state_dict())
    checkpoint["state"][0]["momentum_buffer"].fill_(257)

    smaller = Slope(device).bfloat16()
    restored = torch.optim.SGD(smaller.parameters(), lr=0.25, momentum=0.5)
    restored.load_state_dict(checkpoint)

    momentum = restored.state[smaller.weight]["momentum_buffer"]
    assert momentum.dtype == torch.bfloat16
    assert momentum.tolist() == [256, 256]
    momentum.zero_()
    assert checkpoint["state"][0]["momentum_buffer"].tolist() == [257, 257]

    # On the CPU: not every accelerator has complex128.
    wave = nn.Parameter(torch.ones(2, dtype=torch.complex64))
    checkpoint["state"][0]["momentum_buffer"] = torch.ones(2, dtype=torch.complex128)
    restored = torch.optim.SGD([wave], lr=0.25, momentum=0.5)
    restored.load_state_dict(checkpoint)
    assert restored.state[wave]["momentum_buffer"].dtype == torch.complex128


@pytest.mark.holds("torch>=2.4", otherwise=AssertionError, change="gone")
def test_plain_sgd_has_an_empty_state(device):
    """From torch 2.4 on the `state` of an SGD without momentum is empty even after a step; up to 2.3 it had an entry
    for each parameter with a gradient, with None for its momentum.

    Code that looks into `optimizer.state[parameter]["momentum_buffer"]` should ask with `.get`.

    https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html
    """
    model = Slope(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.25)

    assert descend(model, optimizer, steps=1) == [6, -3]
    assert optimizer.state_dict()["state"] == {}
    assert len(optimizer.state) == 0


@pytest.mark.holds("torch>=2.6", otherwise=TypeError, change="new", concerns="torch.nn.Module.named_parameters?")
def test_optimizer_keeps_the_names_it_is_given(device):
    """From torch 2.6 on an optimizer takes `model.named_parameters()` and saves the names as `param_names`, but loading
    still goes by position.

    Compare the names before loading, if the order may differ. In older releases SGD raises TypeError for names.

    https://docs.pytorch.org/docs/stable/generated/torch.optim.Optimizer.load_state_dict.html
    """
    layer = nn.Linear(2, 1, device=device)
    optimizer = torch.optim.SGD(layer.named_parameters(), lr=0.25, momentum=0.5)
    layer(torch.tensor([[3.0, 4.0]], device=device)).backward()
    optimizer.step()
    state = optimizer.state_dict()
    assert state["param_groups"][0]["param_names"] == ["weight", "bias"]
    assert state["param_groups"][0]["params"] == [0, 1]

    reversed_optimizer = torch.optim.SGD([("bias", layer.bias), ("weight", layer.weight)], lr=0.25, momentum=0.5)
    reversed_optimizer.load_state_dict(state)

    assert reversed_optimizer.state[layer.bias]["momentum_buffer"].tolist() == [[3, 4]]  # that of the weight
    assert reversed_optimizer.state[layer.weight]["momentum_buffer"].tolist() == [1]


@pytest.mark.holds("torch>=2.7", otherwise=AssertionError, change="result", concerns="isinstance(_, torch.optim.Adam)?")
def test_adamw_is_an_adam(device):
    """From torch 2.7 on AdamW is a subclass of Adam with the setting `decoupled_weight_decay=True`, and a state_dict of
    an AdamW carries that setting into an Adam that loads it.

    Such an Adam decays its weights as an AdamW does. Load a state_dict into an optimizer of its own kind, and ask
    `isinstance(optimizer, torch.optim.AdamW)` before you ask for Adam.

    https://docs.pytorch.org/docs/stable/generated/torch.optim.AdamW.html
    """
    parameter = nn.Parameter(torch.tensor([1.0], device=device))
    adam, adamw = torch.optim.Adam([parameter]), torch.optim.AdamW([parameter])

    assert [isinstance(adam, torch.optim.AdamW), isinstance(adamw, torch.optim.Adam)] == [False, True]
    settings = [optimizer.state_dict()["param_groups"][0] for optimizer in (adam, adamw)]
    assert [group["decoupled_weight_decay"] for group in settings] == [False, True]
    adam.load_state_dict(adamw.state_dict())
    assert adam.param_groups[0]["decoupled_weight_decay"] is True

    parameter.grad = torch.zeros(1, device=device)
    adam.step()
    assert 0.9999 < parameter.item() < 1  # less 0.001 * 0.01; an Adam's own decay would be a step of 0.001


def test_adamw_loads_a_state_from_before_2_7(device):
    """An AdamW that loads a state_dict of torch 2.6 or older, which lacks the setting `decoupled_weight_decay`, still
    decays as an AdamW.

    An Adam that loads such a file decays as an Adam, because nothing in the file says AdamW. No conversion is needed.

    https://docs.pytorch.org/docs/stable/generated/torch.optim.AdamW.html
    """

    def stepped(kind, state=None):
        parameter = nn.Parameter(torch.tensor([1.0], device=device))
        optimizer = kind([parameter], lr=0.1, weight_decay=0.5)
        if state is not None:
            optimizer.load_state_dict(state)
        parameter.grad = torch.ones_like(parameter)
        optimizer.step()
        return parameter.item(), optimizer.state_dict()

    new = torch.optim.AdamW([nn.Parameter(torch.tensor([1.0], device=device))], lr=0.1, weight_decay=0.5).state_dict()
    old = copy.deepcopy(new)
    old["param_groups"][0].pop("decoupled_weight_decay", None)  # as torch 2.6 saved it

    assert stepped(torch.optim.AdamW, old)[0] == stepped(torch.optim.AdamW, new)[0] == stepped(torch.optim.AdamW)[0]
    assert stepped(torch.optim.Adam, old)[0] == stepped(torch.optim.Adam)[0]
    assert stepped(torch.optim.AdamW)[0] < 0.86 < 0.89 < stepped(torch.optim.Adam)[0]
    again = stepped(torch.optim.AdamW, old)[1]
    assert again["param_groups"][0].get("decoupled_weight_decay") == new["param_groups"][0].get(
        "decoupled_weight_decay"
    )


@pytest.mark.holds("torch>=2.4", otherwise=NotImplementedError, change="new", concerns="torch.optim.Adam(fused=True)")
def test_checkpoint_of_a_fused_optimizer_goes_on_on_the_cpu(rounding_bound):
    """From torch 2.4 on an Adam on the CPU can load and go on with a checkpoint that says `fused=True`, as one from a
    GPU may; up to 2.3 its next step raises NotImplementedError.

    For 2.3 and older set `fused` to None in the `param_groups` of the checkpoint before you load it.

    https://docs.pytorch.org/docs/stable/generated/torch.optim.Adam.html
    """
    model = Slope()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.25)
    checkpoint = copy.deepcopy(optimizer.state_dict())
    checkpoint["param_groups"][0]["fused"] = True  # as a GPU may have saved it

    optimizer.load_state_dict(checkpoint)
    after = descend(model, optimizer, steps=1)

    assert optimizer.param_groups[0]["fused"] is True
    # The first step of Adam is as long as the learning rate, but for its epsilon, which is a rounding here.
    assert after == pytest.approx([7.75, -3.75], rel=rounding_bound(16, torch.float32), abs=0)


# Which files are safe to load: weights_only


class MakesAFolder:
    """Anything that can be pickled may say what to call when it is unpickled; this one makes a folder."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_file_can_run_code_when_it_is_loaded(tmp_path):
    """`torch.load(path, weights_only=False)` runs code that the file asks for; with `weights_only=True` the same file
    raises UnpicklingError and nothing is run.

    Here the code makes a folder. It could do anything you can: load only what you trust that way. Keep torch new, too:
    files made for it got past `weights_only=True` before 2.6 (CVE-2025-32434) and before 2.10 (CVE-2026-24747).

    https://docs.pytorch.org/docs/stable/notes/serialization.html
    """
    path, folder = tmp_path / "model.pt", tmp_path / "made by the file"
    torch.save({"weight": 1.0, "harmless": MakesAFolder(folder)}, path)
    assert not folder.exists()

    with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
        torch.load(path, weights_only=True)
    assert not folder.exists()

    torch.load(path, weights_only=False)
    assert folder.is_dir()


@pytest.mark.holds("torch>=2.6", otherwise=AssertionError, change="raises", concerns="torch.load(not weights_only)")
def test_code_in_a_file_is_refused_by_default(tmp_path):
    """From torch 2.6 on `torch.load(path)` raises UnpicklingError for a file that asks to run code, and runs nothing.

    Up to 2.5 it runs the code. Write `weights_only=True` wherever an older release may read the file.

    https://docs.pytorch.org/docs/stable/generated/torch.load.html
    """
    path, folder = tmp_path / "model.pt", tmp_path / "made by the file"
    torch.save(MakesAFolder(folder), path)

    with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
        torch.load(path)
    assert not folder.exists()


def test_pickle_module_lets_a_file_run_code(tmp_path, monkeypatch):
    """`torch.load(path, pickle_module=pickle)` runs code that the file asks for, in all releases; with
    `weights_only=True` besides, or TORCH_FORCE_WEIGHTS_ONLY_LOAD=1 in the environment, it raises RuntimeError.

    Naming a pickle module turns the refusal of torch 2.6 off, even if it is the usual one. Leave the argument out.

    https://docs.pytorch.org/docs/stable/generated/torch.load.html
    """
    path, folder = tmp_path / "model.pt", tmp_path / "made by the file"
    torch.save(MakesAFolder(folder), path)

    with pytest.raises(RuntimeError, match="explicit pickle_module"):
        torch.load(path, pickle_module=pickle, weights_only=True)
    monkeypatch.setenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "1")
    with pytest.raises(RuntimeError, match="explicit pickle_module"):
        torch.load(path, pickle_module=pickle)
    assert not folder.exists()

    monkeypatch.delenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD")
    torch.load(path, pickle_module=pickle)
    assert folder.is_dir()


@pytest.mark.holds("torch>=2.6", otherwise=AssertionError, change="raises", concerns="torch.load(not weights_only)")
def test_whole_model_is_refused_by_default(device, tmp_path):
    """From torch 2.6 on `torch.load(path)` raises UnpicklingError, "Weights only load failed", for a file made by
    `torch.save(model, path)`, because the class of a model is not among the few that are taken to be safe; up to 2.5 it
    loads the model.

    "Unsupported global: GLOBAL" in the message names the class. Save `model.state_dict()`. For a file that you trust
    pass `weights_only=False`; the class of the model must then be where it was when the file was saved.

    https://docs.pytorch.org/docs/stable/notes/serialization.html
    """
    model = nn.Linear(2, 1, device=device)
    path = tmp_path / "model.pt"
    torch.save(model, path)

    with pytest.raises(pickle.UnpicklingError, match="Weights only load failed") as caught:
        torch.load(path)
    assert "Unsupported global: GLOBAL torch.nn.modules.linear.Linear" in str(caught.value)

    loaded = torch.load(path, weights_only=False)
    assert type(loaded) is nn.Linear
    assert torch.equal(loaded.weight, model.weight)


@pytest.mark.holds("torch>=2.4,<2.6", otherwise=AssertionError, change="warns", concerns="torch.load(not weights_only)")
def test_loading_by_default_warns_in_2_4_and_2_5(device):
    """In torch 2.4 and 2.5 alone, `torch.load(path)` gives a FutureWarning, even for a plain state_dict.

    It announces the default of 2.6. Pass `weights_only=True`, or False for a file that you trust with everything: then
    neither of the two warns.

    https://docs.pytorch.org/docs/stable/generated/torch.load.html
    """
    state = Slope(device).state_dict()

    with pytest.warns(FutureWarning, match="weights_only=False"):
        saved_and_loaded(state)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for weights_only in (True, False):
            assert saved_and_loaded(state, weights_only=weights_only)["weight"].tolist() == [8, -4]


@pytest.mark.holds(
    "torch<2.4",
    otherwise=(FutureWarning, pickle.UnpicklingError),
    change="warns",
    concerns="torch.load(not weights_only)",
)
def test_whole_model_is_loaded_without_a_word_before_2_4(device):
    """Up to torch 2.3 `torch.load(path)` loads a whole pickled model silently; 2.4 and 2.5 give a FutureWarning, and
    2.6 and later raise UnpicklingError.

    A silent load means that the file could have run any code. Pass `weights_only=True` in old releases.

    https://docs.pytorch.org/docs/stable/notes/serialization.html
    """
    model = nn.Linear(2, 1, device=device)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded = saved_and_loaded(model)

    assert type(loaded) is nn.Linear
    assert torch.equal(loaded.weight, model.weight)


@pytest.mark.holds("torch>=2.6", otherwise=AssertionError, change="new", concerns="$TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD")
def test_environment_variable_brings_the_old_default_back(device, monkeypatch):
    """From torch 2.6 on, with `TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1` in the environment, a `torch.load` that does not say
    `weights_only` loads whole models again, with a UserWarning; one that says `weights_only=True` still refuses them.

    It is for old programs that cannot be changed, and for files that you trust.

    https://docs.pytorch.org/docs/stable/notes/serialization.html
    """
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")

    with pytest.warns(UserWarning, match="TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"):
        assert type(saved_and_loaded(nn.Linear(2, 1, device=device))) is nn.Linear
    with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
        saved_and_loaded(nn.Linear(2, 1, device=device), weights_only=True)


def test_environment_variable_refuses_what_the_call_allows(device, monkeypatch):
    """With `TORCH_FORCE_WEIGHTS_ONLY_LOAD=1` in the environment `torch.load` raises UnpicklingError for a whole model,
    even if the call says `weights_only=False`.

    Set it where programs of others load files that you do not trust. Plain values and tensors still load.

    https://docs.pytorch.org/docs/stable/notes/serialization.html
    """
    monkeypatch.setenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "1")

    with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
        saved_and_loaded(nn.Linear(2, 1, device=device))
    with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
        saved_and_loaded(nn.Linear(2, 1, device=device), weights_only=False)
    loaded = saved_and_loaded({"epoch": 3, "weight": torch.tensor([1.0], device=device)}, weights_only=False)
    assert loaded == {"epoch": 3, "weight": 1}


# What else a checkpoint may hold


def test_checkpoint_of_plain_values_is_accepted():
    """With `weights_only=True` a checkpoint may hold int, float, bool, str, None, list, tuple and dict beside the
    tensors, and they come back in their type.

    An int of 2**2039 or more, or below -(2**2039), is refused. Put the epoch, the loss and the settings into it as such
    values, and every release loads it.

    https://docs.pytorch.org/docs/stable/notes/serialization.html
    """
    checkpoint = {
        "epoch": 3,
        "loss": 0.5,
        "name": "best",
        "done": True,
        "note": None,
        "sizes": [1, (2, 3)],
        7: {},
        "large": 2**2039 - 1,
    }

    loaded = saved_and_loaded(checkpoint, weights_only=True)

    assert loaded == checkpoint
    assert {key: type(value) for key, value in loaded.items()} == {
        key: type(value) for key, value in checkpoint.items()
    }
    with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
        saved_and_loaded({"larger": 2**2039}, weights_only=True)
    with pytest.raises(pickle.UnpicklingError):
        saved_and_loaded({"smaller": -(2**2039) - 1}, weights_only=True)
    assert comes_back(-(2**2039))


def comes_back(value):
    """Whether a value comes back from a file with `weights_only=True`, in the same type."""
    loaded = saved_and_loaded({"value": value}, weights_only=True)["value"]
    return type(loaded) is type(value) and loaded == value


Size = namedtuple("Size", ["height", "width"])


class Phase(enum.IntEnum):
    WARMUP = 1


@pytest.mark.parametrize(
    ("value", "convert", "plain"),
    [
        (Size(2, 3), tuple, (2, 3)),
        (Phase.WARMUP, int, 1),
        (defaultdict(list, a=[1]), dict, {"a": [1]}),
        (frozenset([1]), list, [1]),
        (range(2), list, [0, 1]),
        (pathlib.Path("runs"), str, "runs"),
        (argparse.Namespace(lr=0.5), vars, {"lr": 0.5}),
    ],
    ids=["namedtuple", "IntEnum", "defaultdict", "frozenset", "range", "Path", "Namespace"],
)
def test_relatives_of_plain_values_are_refused(value, convert, plain):
    """A namedtuple, an IntEnum, a defaultdict, a frozenset, a range, a `pathlib.Path` or an `argparse.Namespace` in a
    checkpoint makes `weights_only=True` raise UnpicklingError, "Weights only load failed".

    The file names their classes, and these are not among the few that are taken to be safe. Save `tuple(size)`,
    `int(phase)`, `dict(counts)`, `list(values)`, `str(path)` or `vars(args)`: these load.

    https://docs.pytorch.org/docs/stable/notes/serialization.html
    """
    with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
        saved_and_loaded({"epoch": 3, "value": value}, weights_only=True)

    assert convert(value) == plain
    assert comes_back(convert(value))


@pytest.mark.holds(
    "torch>=2.4", otherwise=pickle.UnpicklingError, change="new", concerns="torch.load(weights_only=True)"
)
@pytest.mark.parametrize("value", [torch.device("cpu"), Counter("abba")], ids=["torch.device", "Counter"])
def test_checkpoint_may_hold_a_device_or_a_counter(value):
    """From torch 2.4 on `weights_only=True` accepts a `torch.device` and a `collections.Counter`; older releases raise
    UnpicklingError.

    If an older release must read the file, save `str(device)` and `dict(counter)`.

    https://docs.pytorch.org/docs/stable/notes/serialization.html
    """
    assert comes_back(value)


@pytest.mark.holds(
    "torch>=2.6", otherwise=pickle.UnpicklingError, change="new", concerns="torch.load(weights_only=True)"
)
@pytest.mark.parametrize("value", [{3, 7}, 0.5 + 2j], ids=["set", "complex"])
def test_checkpoint_may_hold_a_set_or_a_complex_number(value):
    """From torch 2.6 on `weights_only=True` accepts a `set` and a `complex` number; older releases raise
    UnpicklingError.

    If an older release must read the file, save `list(value)`, and the real and imaginary part.

    https://docs.pytorch.org/docs/stable/notes/serialization.html
    """
    assert comes_back(value)


@pytest.mark.holds(
    "torch>=2.5", otherwise=pickle.UnpicklingError, change="new", concerns="torch.load(weights_only=True)"
)
@pytest.mark.parametrize("kind", [bytes, bytearray])
def test_checkpoint_may_hold_bytes(kind):
    """From torch 2.5 on `weights_only=True` accepts `bytes` and `bytearray` that are not empty; older releases raise
    UnpicklingError, and the empty `b""` is refused by all.

    In the file bytes are a call of `_codecs.encode`, and that is the name in the message of older releases. If an
    older release must read the file, save `list(data)` or `torch.frombuffer(bytearray(data), dtype=torch.uint8)`.

    https://github.com/pytorch/pytorch/issues/133163
    """
    every = bytes(range(256))
    torch.save({"value": every}, file := io.BytesIO())
    assert b"_codecs\nencode" in file.getvalue()
    with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
        saved_and_loaded({"value": b""}, weights_only=True)
    assert comes_back(list(every))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch 2.0 and 2.1 deprecate what they do themselves
        tensor = saved_and_loaded(torch.frombuffer(bytearray(every), dtype=torch.uint8), weights_only=True)
    assert bytes(tensor.tolist()) == every

    said = "_codecs.encode"
    try:
        saved_and_loaded({"value": every}, weights_only=True)
    except pickle.UnpicklingError as error:  # before torch 2.5
        said = str(error)
    assert "_codecs.encode" in said
    for data in (every, b"a", b"\x00"):
        assert comes_back(kind(data))


@pytest.mark.holds(
    "torch>=2.4", otherwise=pickle.UnpicklingError, change="new", concerns="torch.load(weights_only=True)"
)
@pytest.mark.parametrize(
    "schedule",
    [
        lambda optimizer: torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones=[2, 4]),
        lambda optimizer: torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.5, total_steps=8),
    ],
    ids=["MultiStepLR", "OneCycleLR"],
)
def test_states_of_two_schedulers_are_accepted(schedule):
    """From torch 2.4 on `weights_only=True` loads the state_dict of a MultiStepLR and of a OneCycleLR; older releases
    raise UnpicklingError, "Weights only load failed".

    There, load a file of your own with `weights_only=False`. The states of StepLR, CosineAnnealingLR and
    ReduceLROnPlateau load in every release.

    https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.OneCycleLR.html
    """
    optimizer = torch.optim.SGD(Slope().parameters(), lr=0.5, momentum=0.5)
    for plain in (
        torch.optim.lr_scheduler.StepLR(optimizer, step_size=2),
        torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=8),
        torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer),
    ):
        assert saved_and_loaded(plain.state_dict(), weights_only=True)["last_epoch"] == 0

    scheduler = schedule(optimizer)
    assert saved_and_loaded(scheduler.state_dict(), weights_only=False).keys() == scheduler.state_dict().keys()
    optimizer.step()
    scheduler.step()
    state = saved_and_loaded(scheduler.state_dict(), weights_only=True)

    other = schedule(torch.optim.SGD(Slope().parameters(), lr=0.5, momentum=0.5))
    other.load_state_dict(state)
    assert [other.last_epoch, other.get_last_lr()] == [1, scheduler.get_last_lr()]


def test_checkpoint_with_numpy_values_is_refused():
    """A NumPy array or number in a checkpoint makes `weights_only=True` raise UnpicklingError for the whole file.

    What `.tolist()` makes of it is accepted for every NumPy integer type, for bool, and for float16, float32 and
    float64. A loss that is still an `np.float64` is enough, and the weights beside it are out of reach. `.tolist()`
    does not help for `np.longdouble`, which stays one, and an `np.datetime64` of days, which becomes a `datetime.date`.

    https://docs.pytorch.org/docs/stable/notes/serialization.html
    """
    for code in np.typecodes["AllInteger"] + "?efd":
        array = np.array([1, 0], dtype=code)
        for value in (array, array[0]):
            with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
                saved_and_loaded({"epoch": 3, "loss": value}, weights_only=True)
            assert comes_back(value.tolist())

    for value in (np.longdouble(1.5), np.datetime64("2020-01-01")):
        with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
            saved_and_loaded({"epoch": 3, "loss": value.tolist()}, weights_only=True)
    assert comes_back(np.datetime64("2020-01-01", "ns").tolist())  # nanoseconds are an int


@pytest.mark.holds("torch>=2.6", otherwise=AssertionError, change="raises", concerns="torch.load(not weights_only)")
@pytest.mark.parametrize(
    "value",
    [np.float64(1.5), np.array([1.5, 2.5])],
    ids=["NumPy number", "NumPy array"],
)
def test_checkpoint_with_numpy_values_is_refused_by_default(value):
    """From torch 2.6 on `torch.load(path)` raises UnpicklingError for a checkpoint with a NumPy number or array; up to
    2.5 it loads the checkpoint.

    A single `np.mean(losses)` among the values is enough. Save `.item()` or `.tolist()` of it. For files that exist and
    that you trust, pass `weights_only=False`.

    https://docs.pytorch.org/docs/stable/notes/serialization.html
    """
    with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
        saved_and_loaded({"epoch": 3, "loss": value})

    loaded = saved_and_loaded({"epoch": 3, "loss": value}, weights_only=False)
    assert type(loaded["loss"]) is type(value)
    assert loaded["loss"].tolist() == value.tolist()


@pytest.mark.holds("numpy>=2", otherwise=AssertionError, change="result", concerns="torch.save?")
def test_saved_numpy_array_names_the_insides_of_numpy():
    """From NumPy 2 on the file that `torch.save` writes for an `np.ndarray` says `numpy._core`, where NumPy 1 wrote
    `numpy.core`: a NumPy without that module cannot load it.

    For an array of float64 save `torch.from_numpy(array)` or `array.tolist()`, which do not mention NumPy. The numbers
    in `list(array)` do, because each is still a number of NumPy.

    https://numpy.org/doc/stable/numpy_2_0_migration_guide.html
    """
    file = io.BytesIO()
    torch.save({"loss": np.array([1.5, 2.5])}, file)

    assert b"numpy._core.multiarray" in file.getvalue()
    assert b"numpy.core" not in file.getvalue()

    plain = io.BytesIO()
    torch.save({"loss": torch.from_numpy(np.array([1.5, 2.5])), "losses": np.array([1.5, 2.5]).tolist()}, plain)
    assert b"numpy" not in plain.getvalue()

    listed = io.BytesIO()
    torch.save({"losses": list(np.array([1.5, 2.5]))}, listed)
    assert b"numpy._core.multiarray" in listed.getvalue()


@pytest.mark.holds("numpy>=1.26.1", otherwise=ModuleNotFoundError, change="new", concerns="numpy._core")
def test_numpy_1_26_1_knows_the_names_of_numpy_2():
    """From NumPy 1.26.1 on the module `numpy._core.multiarray` exists, so that a checkpoint with an array from NumPy 2
    can be loaded; older ones raise ModuleNotFoundError.

    "No module named 'numpy._core'" means that the checkpoint comes from a newer NumPy: upgrade NumPy, or save the
    checkpoint again with a tensor in place of the array.

    https://github.com/numpy/numpy/pull/24906
    """
    module = importlib.import_module("numpy._core.multiarray")

    assert module._reconstruct is np.array([1.5]).__reduce__()[0]


# Trust a class of your own


class Settings:
    """A class of one's own, as people put it into checkpoints."""

    def __init__(self, lr):
        self.lr = lr


class Trainer:
    """A class with a class inside."""

    class Settings(Settings):
        pass


@pytest.mark.holds("torch>=2.4", otherwise=AttributeError, change="new")
def test_class_can_be_declared_safe():
    """From torch 2.4 on `torch.serialization.add_safe_globals([Settings])` lets `weights_only=True` load objects of the
    class `Settings`, one without `__slots__`, whose attributes are plain values.

    In older releases `weights_only=True` refuses them. Saving plain values, `vars(settings)`, needs no declaration. The
    next two notes show classes for which declaring is not enough.

    https://docs.pytorch.org/docs/stable/notes/serialization.html
    """
    before = list(torch.serialization.get_safe_globals())
    with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
        saved_and_loaded(Settings(lr=0.5), weights_only=True)

    torch.serialization.add_safe_globals([Settings])
    try:
        loaded = saved_and_loaded(Settings(lr=0.5), weights_only=True)
    finally:
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals(before)

    assert type(loaded) is Settings
    assert loaded.lr == 0.5
    assert saved_and_loaded(vars(Settings(lr=0.5)), weights_only=True) == {"lr": 0.5}


@pytest.mark.holds("torch>=2.4", otherwise=AttributeError, change="new")
def test_declared_class_does_not_bring_what_it_holds():
    """A class given to `torch.serialization.add_safe_globals` is not enough if its objects hold objects of another
    class of yours: it must be declared, too.

    The message names the class that was not declared. Plain values need no declaration: save those instead.

    https://docs.pytorch.org/docs/stable/notes/serialization.html
    """
    before = list(torch.serialization.get_safe_globals())
    try:
        torch.serialization.add_safe_globals([Settings])
        with pytest.raises(pickle.UnpicklingError, match="Trainer"):
            saved_and_loaded(Settings(lr=Trainer()), weights_only=True)

        torch.serialization.add_safe_globals([Trainer])
        assert type(saved_and_loaded(Settings(lr=Trainer()), weights_only=True).lr) is Trainer
    finally:
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals(before)


@pytest.mark.holds("torch>=2.4", otherwise=AttributeError, change="new")
def test_class_inside_a_class_cannot_be_declared_safe():
    """An object whose class is defined inside another class makes `weights_only=True` raise UnpicklingError, although
    both classes were given to `torch.serialization.add_safe_globals`.

    The file asks for `getattr` to find the inner class, and declaring `getattr` safe opens far more than you want.
    Define such a class at the top of its module, or save plain values: `vars(settings)`.

    https://docs.pytorch.org/docs/stable/notes/serialization.html
    """
    before = list(torch.serialization.get_safe_globals())
    try:
        torch.serialization.add_safe_globals([Trainer, Trainer.Settings, Settings])
        with pytest.raises(pickle.UnpicklingError, match="getattr"):
            saved_and_loaded(Trainer.Settings(lr=0.5), weights_only=True)
        assert saved_and_loaded(Settings(lr=0.5), weights_only=True).lr == 0.5
    finally:
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals(before)
    assert saved_and_loaded(vars(Trainer.Settings(lr=0.5)), weights_only=True) == {"lr": 0.5}


@pytest.mark.holds("torch>=2.5", otherwise=AttributeError, change="new", concerns="torch.serialization.safe_globals")
def test_class_is_safe_for_a_block():
    """From torch 2.5 on `with torch.serialization.safe_globals([Settings]):` lets `weights_only=True` load objects of
    that class inside the block, and forgets the class afterwards, even if it had been declared safe before the block.

    Declare a class in one way only: with `add_safe_globals` for the process, or with the block.

    https://docs.pytorch.org/docs/stable/notes/serialization.html
    """
    with torch.serialization.safe_globals([Settings]):
        loaded = saved_and_loaded({"settings": Settings(lr=0.5)}, weights_only=True)
    with pytest.raises(KeyError), torch.serialization.safe_globals([Settings]):
        raise KeyError

    assert type(loaded["settings"]) is Settings
    assert loaded["settings"].lr == 0.5
    with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
        saved_and_loaded({"settings": Settings(lr=0.5)}, weights_only=True)

    torch.serialization.add_safe_globals([Settings])
    with torch.serialization.safe_globals([Settings]):
        pass
    with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
        saved_and_loaded({"settings": Settings(lr=0.5)}, weights_only=True)


@pytest.mark.holds("torch>=2.6", otherwise=AttributeError, change="new")
def test_what_a_file_would_need_can_be_asked(device, tmp_path):
    """From torch 2.6 on `torch.serialization.get_unsafe_globals_in_checkpoint(path)` lists the classes and functions in
    a file of the default format that `weights_only=True` does not accept, without loading anything.

    What this process declared safe is left out. Call it on your checkpoints before you turn `weights_only=False` into
    True, in a process that declares nothing.

    https://docs.pytorch.org/docs/stable/notes/serialization.html
    """
    safe, unsafe = tmp_path / "safe.pt", tmp_path / "unsafe.pt"
    torch.save({"model": Slope(device).state_dict(), "epoch": 3}, safe)
    torch.save({"model": Slope(device).state_dict(), "settings": Settings(lr=0.5)}, unsafe)

    assert torch.serialization.get_unsafe_globals_in_checkpoint(safe) == []
    assert torch.serialization.get_unsafe_globals_in_checkpoint(unsafe) == [f"{__name__}.Settings"]
    with torch.serialization.safe_globals([Settings]):
        assert torch.serialization.get_unsafe_globals_in_checkpoint(unsafe) == []


@pytest.mark.parametrize("protocol", [1, 4, 5])
def test_other_pickle_protocols_are_refused(protocol):
    """`weights_only=True` raises UnpicklingError for a file saved with `pickle_protocol` 1, 4 or 5, even if it holds
    one tensor only; `weights_only=False` loads it.

    Protocol 2 is the default of `torch.save`: leave the argument out.

    https://docs.pytorch.org/docs/stable/generated/torch.save.html
    """
    file = io.BytesIO()
    torch.save({"weight": torch.tensor([1.0, 2.0])}, file, pickle_protocol=protocol)

    file.seek(0)
    with warnings.catch_warnings(), pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
        warnings.simplefilter("ignore")  # newer releases warn of the protocol, too
        torch.load(file, weights_only=True)
    file.seek(0)
    assert torch.load(file, weights_only=False)["weight"].tolist() == [1, 2]


# What of a tensor is in the file


def test_slice_is_saved_with_all_it_was_cut_from(device):
    """`torch.save` of a slice saves the whole memory that the slice looks into; a clone of the slice is saved alone.

    A file of two numbers can be as large as the data set they were cut from. Write `torch.save(big[:2].clone(), path)`.

    https://docs.pytorch.org/docs/stable/notes/serialization.html
    """
    big = torch.arange(1000.0, device=device)

    loaded = saved_and_loaded(big[2:4])
    cloned = saved_and_loaded(big[2:4].clone())

    assert [loaded.tolist(), cloned.tolist()] == [[2, 3], [2, 3]]
    assert [loaded.untyped_storage().nbytes(), cloned.untyped_storage().nbytes()] == [4000, 8]


def test_tensors_that_share_memory_share_it_after_loading(device):
    """A tensor and a slice of it that are saved in one `torch.save` still share memory when they are loaded, and share
    none with the originals.

    Tied weights are in the file once for this reason. Save clones if the loaded tensors are to be independent.

    https://docs.pytorch.org/docs/stable/notes/serialization.html
    """
    whole = torch.tensor([1.0, 2.0, 3.0], device=device)

    loaded = saved_and_loaded({"whole": whole, "tail": whole[1:]})
    loaded["tail"][0] = 7

    assert loaded["whole"].tolist() == [1, 7, 3]
    assert whole.tolist() == [1, 2, 3]


def test_array_wrapped_twice_comes_back_as_two_tensors():
    """Two calls of `torch.from_numpy` on one array give tensors that share its memory; after `torch.save` and
    `torch.load` they share none.

    Call `from_numpy` once and take slices of the tensor, as in the note before.

    https://docs.pytorch.org/docs/stable/notes/serialization.html
    """
    array = np.array([1.0, 2.0])
    first, second = torch.from_numpy(array), torch.from_numpy(array)

    loaded_first, loaded_second = saved_and_loaded([first, second])
    array[0] = 5
    loaded_first[0] = 7

    assert [first.tolist(), second.tolist()] == [[5, 2], [5, 2]]
    assert [loaded_first.tolist(), loaded_second.tolist()] == [[7, 2], [1, 2]]


@pytest.mark.parametrize(
    "both",
    [
        lambda x: [x, x.view(torch.int32)],
        lambda x: [torch.view_as_complex(x), x],
    ],
    ids=["view(torch.int32)", "view_as_complex"],
)
def test_two_dtypes_on_one_memory_cannot_be_saved(both):
    """`torch.save` raises RuntimeError, "Cannot save multiple tensors", for a float32 tensor together with a view of it
    in int32 or complex64 on the same memory, such as `[x, x.view(torch.int32)]`.

    Clone one of the two before saving, or save them in two files.

    https://docs.pytorch.org/docs/stable/generated/torch.save.html
    """
    first, second = both(torch.tensor([1.0, 2.0]))

    with pytest.raises(RuntimeError, match="Cannot save multiple tensors or storages that view the same data"):
        torch.save([first, second], io.BytesIO())

    loaded = saved_and_loaded([first, second.clone()])
    assert [tensor.dtype for tensor in loaded] == [first.dtype, second.dtype]


DTYPES = [torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64]
DTYPES += [torch.bfloat16, torch.float16, torch.float32, torch.float64, torch.complex64, torch.complex128]


def test_saving_keeps_every_bit_for_every_dtype():
    """The bits of a tensor come back from a file unchanged, infinities, nan and negative zero included, for bool,
    uint8, int8 to int64, bfloat16, float16 to float64, complex64 and complex128.

    So a checkpoint loses no precision. Not every release can save every rarer dtype: see the next three notes.

    https://docs.pytorch.org/docs/stable/generated/torch.save.html
    """
    # On the CPU: a file holds the same bytes whatever device they come from.
    patterns = torch.arange(2**16, dtype=torch.int32).to(torch.int16).view(torch.uint8)  # all there are of 16 bits
    special = torch.tensor([-0.0, torch.inf, -torch.inf, torch.nan]).view(torch.uint8)

    for dtype in DTYPES:
        tensor = torch.cat([patterns, special]).view(dtype)
        loaded = saved_and_loaded(tensor)

        assert loaded.dtype == dtype
        assert loaded.shape == tensor.shape
        assert torch.equal(loaded.view(torch.uint8), tensor.view(torch.uint8))


@pytest.mark.holds(
    "torch>=2.2",
    otherwise=(KeyError, AttributeError),
    change="new",
    concerns=("torch.float8_e4m3fn", "torch.float8_e5m2"),
)
@pytest.mark.parametrize("name", ["float8_e4m3fn", "float8_e5m2"])
def test_float8_can_be_saved(name):
    """From torch 2.2 on tensors of float8_e4m3fn and float8_e5m2 can be saved; they came with 2.1, where `torch.save`
    raises KeyError, "not recognized".

    In 2.1 save the bytes, `tensor.view(torch.uint8)`, and view them as the dtype after loading.

    https://github.com/pytorch/pytorch/issues/114634
    """
    # On the CPU: not every accelerator has these dtypes.
    every = torch.arange(256, dtype=torch.uint8)
    tensor = every.view(getattr(torch, name))
    assert torch.equal(saved_and_loaded(tensor.view(torch.uint8)), every)

    loaded = saved_and_loaded(tensor)

    assert loaded.dtype == tensor.dtype
    assert torch.equal(loaded.view(torch.uint8), every)


@pytest.mark.holds(
    "torch>=2.6",
    otherwise=(KeyError, AttributeError),
    change="new",
    concerns=("torch.uint16", "torch.uint32", "torch.uint64"),
)
@pytest.mark.parametrize("name", ["uint16", "uint32", "uint64"])
def test_wide_unsigned_integers_can_be_saved(name):
    """From torch 2.6 on tensors of uint16, uint32 and uint64 can be saved; they came with 2.3, but up to 2.5
    `torch.save` raises KeyError for them.

    For 2.3 to 2.5 save `.to(torch.int64)` and convert back after loading: a uint64 of 2**63 or more is negative in the
    file, and right again afterwards.

    https://docs.pytorch.org/docs/stable/generated/torch.save.html
    """
    # On the CPU: not every accelerator has these dtypes.
    tensor = torch.tensor([1, 65535], dtype=getattr(torch, name))

    loaded = saved_and_loaded(tensor)

    assert loaded.dtype == tensor.dtype
    assert loaded.tolist() == [1, 65535]
    large = torch.tensor([2**63, 2**64 - 1], dtype=torch.uint64).to(torch.int64)
    assert [large.tolist(), large.to(torch.uint64).tolist()] == [[-(2**63), -1], [2**63, 2**64 - 1]]


@pytest.mark.holds(
    "torch>=2.6",
    otherwise=AttributeError,
    change="new",
    concerns=(
        "torch.int1",
        "torch.int2",
        "torch.int3",
        "torch.int4",
        "torch.int5",
        "torch.int6",
        "torch.int7",
        "torch.uint1",
        "torch.uint2",
        "torch.uint3",
        "torch.uint4",
        "torch.uint5",
        "torch.uint6",
        "torch.uint7",
    ),
)
@pytest.mark.parametrize("bits", range(1, 8))
def test_integers_narrower_than_a_byte_cannot_be_saved(bits):
    """`torch.save` raises KeyError, "not recognized", for a tensor of int1 to int7 or uint1 to uint7.

    The signed ones came with torch 2.6. Save the bytes, `tensor.view(torch.uint8)`, and view them as the dtype after
    loading.

    https://docs.pytorch.org/docs/stable/generated/torch.save.html
    """
    for dtype in (getattr(torch, f"int{bits}"), getattr(torch, f"uint{bits}")):
        tensor = torch.tensor([1, 0], dtype=torch.uint8).view(dtype)
        with pytest.raises(KeyError, match="not recognized"):
            torch.save(tensor, io.BytesIO())

        loaded = saved_and_loaded(tensor.view(torch.uint8)).view(dtype)
        assert loaded.dtype == dtype
        assert loaded.view(torch.uint8).tolist() == [1, 0]


@pytest.mark.holds("torch>=2.1", otherwise=TypeError, change="new")
def test_mapped_file_is_read_when_it_is_needed(tmp_path):
    """From torch 2.1 on `torch.load(path, mmap=True)` maps the file into memory, and by default a write to such a
    tensor does not reach the file.

    Use it for a model that hardly fits into memory. Pass the path as a str; an open file raises ValueError.

    https://docs.pytorch.org/docs/stable/generated/torch.load.html
    """
    path = tmp_path / "model.pt"  # of CPU tensors: it is their memory that a file can stand in for
    torch.save({"weight": torch.tensor([1.0, 2.0])}, path)

    weight = torch.load(str(path), mmap=True)["weight"]
    weight[0] = 7

    assert weight.tolist() == [7, 2]
    assert torch.load(path)["weight"].tolist() == [1, 2]
    with path.open("rb") as file, pytest.raises(ValueError, match="mmap argument"):
        torch.load(file, mmap=True)


# Files that are broken, or that torch did not write


@pytest.mark.parametrize("weights_only", [True, False])
def test_file_that_was_cut_short(weights_only):
    """A file of `torch.save` of one small tensor, of which 22 bytes or more are left, but not all, makes `torch.load`
    raise RuntimeError, "PytorchStreamReader failed reading zip archive: failed finding central directory".

    What is needed first stands at the end of the file. A download or a `torch.save` that was interrupted and a full
    disk leave such a file. Get it again or compare its size. Save to another name and rename it with `os.replace`: then
    the old file stays whole. A file without a byte raises EOFError.

    https://docs.pytorch.org/docs/stable/notes/serialization.html
    """
    torch.save({"weight": torch.tensor([1.0, 2.0])}, file := io.BytesIO())
    whole = file.getvalue()

    for left in range(22, len(whole), 9):
        with pytest.raises(
            RuntimeError, match="PytorchStreamReader failed reading zip archive: failed finding central"
        ):
            torch.load(io.BytesIO(whole[:left]), weights_only=weights_only)
    with pytest.raises(RuntimeError, match="failed finding central directory"):
        torch.load(io.BytesIO(whole[:-1]), weights_only=weights_only)
    with pytest.raises(EOFError):
        torch.load(io.BytesIO(b""), weights_only=weights_only)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch 2.0 and 2.1 deprecate what they do themselves
        assert torch.load(io.BytesIO(whole), weights_only=weights_only)["weight"].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("content", "trusting", "safe"),
    [
        (b"<!DOCTYPE html>\n<html>", "invalid load key, '<'", "Unsupported operand 60"),
        (b"version https://git-lfs.github.com/spec/v1", "invalid load key, 'v'", "Unsupported operand 118"),
        (pickle.dumps({"weight": 1.0}, protocol=4), "Invalid magic number; corrupt file?", "Unsupported operand 149"),
    ],
    ids=["web page", "pointer of Git LFS", "pickle.dump"],
)
def test_file_that_torch_did_not_write(content, trusting, safe):
    """With `weights_only=True` `torch.load` raises UnpicklingError, "Weights only load failed", for a file that begins
    with `<`, as web pages do, "Unsupported operand 60", and for a pointer of Git LFS, "Unsupported operand 118".

    With `weights_only=False` it is UnpicklingError, "invalid load key, '<'" or "'v'". `weights_only` is not to blame:
    the download went wrong. Open the file in an editor, and call `git lfs pull` for a pointer. A dictionary in a file
    of `pickle.dump` with protocol 4 raises "Unsupported operand 149", and with `weights_only=False` RuntimeError,
    "Invalid magic number; corrupt file?": use `pickle.load`.

    https://docs.pytorch.org/docs/stable/generated/torch.load.html
    """
    with warnings.catch_warnings(), pytest.raises(pickle.UnpicklingError, match="Weights only load failed") as caught:
        warnings.simplefilter("ignore")  # newer releases warn of the protocol, too
        torch.load(io.BytesIO(content), weights_only=True)
    assert safe in str(caught.value)
    with pytest.raises((pickle.UnpicklingError, RuntimeError), match=r"invalid load key|Invalid magic") as caught:
        torch.load(io.BytesIO(content), weights_only=False)
    assert trusting in str(caught.value)
    assert isinstance(caught.value, RuntimeError) == content.startswith(b"\x80")
    if content.startswith(b"\x80"):
        assert pickle.loads(content) == {"weight": 1.0}


# What deprecated calls warn with


@pytest.mark.holds(
    "torch>=2.4",
    otherwise=(AssertionError, UserWarning),
    change="warns",
    concerns=("torch.nn.utils.weight_norm", "torch.nn.Module.state_dict(_)"),
)
@pytest.mark.parametrize(
    "deprecated",
    [
        lambda layer: nn.utils.weight_norm(layer),
        lambda layer: layer.state_dict(OrderedDict()),
    ],
    ids=["nn.utils.weight_norm", "state_dict by position"],
)
def test_deprecations_are_future_warnings(device, deprecated):
    """From torch 2.4 on `nn.utils.weight_norm(layer)` and `layer.state_dict(destination)` give a FutureWarning; up to
    2.3 they gave a UserWarning or none.

    A filter for UserWarning does not catch a FutureWarning: name both classes. Better change the call, to
    `nn.utils.parametrizations.weight_norm(layer)`, which torch 2.0 does not have yet, and to
    `layer.state_dict(destination=destination)`.

    https://docs.python.org/3/library/warnings.html
    """
    with pytest.warns(FutureWarning, match="deprecated"):
        deprecated(nn.Linear(2, 1, device=device))
