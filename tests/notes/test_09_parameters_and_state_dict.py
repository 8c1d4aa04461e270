"""`model.parameters()`, `model.state_dict()`, and what is saved.

`parameters()` is what an optimizer is given: the model's Parameters themselves, frozen ones included. `state_dict()` is
what one saves: a dictionary from names to tensors, with the parameters and the buffers, such as the statistics of a
BatchNorm. They overlap without being the same, and both are windows onto the model rather than copies of it. This
section settles what is in each, what loading does and does not do, and what a file may contain.
"""

import copy
import io
import itertools
import os
import pickle
import warnings
from collections import Counter, OrderedDict

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


# parameters


def test_parameters_are_what_the_optimizer_updates(device):
    """`parameters()` gives the model's own tensors, and an optimizer keeps and changes exactly those, in place.

    https://docs.pytorch.org/docs/stable/optim.html
    """
    model = Slope(device)
    weight, address = model.weight, model.weight.data_ptr()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.25)

    descend(model, optimizer, steps=1)

    assert optimizer.param_groups[0]["params"][0] is weight
    assert model.weight is weight
    assert weight.data_ptr() == address
    assert weight.tolist() == [6, -3]


def test_parameters_is_used_up_by_one_pass(device):
    """`model.parameters()` is a generator, not a list: it has no length, and after one pass nothing is left.

    An optimizer that is given a used one says that it got an empty list. Call `parameters()` again, or make a list of
    it.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    model = nn.Linear(3, 2, device=device)
    parameters = model.parameters()

    assert [tuple(parameter.shape) for parameter in parameters] == [(2, 3), (2,)]
    assert list(parameters) == []
    assert len(list(model.parameters())) == 2
    with pytest.raises(ValueError, match="empty parameter list"):
        torch.optim.SGD(parameters, lr=0.1)
    with pytest.raises(TypeError, match="generator"):
        len(model.parameters())


def test_batch_norm_has_two_parameters_and_five_entries(device):
    """BatchNorm has 2 parameters and 5 entries in its state_dict: the other three are buffers, which no optimizer sees.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BatchNorm1d.html
    """
    layer = nn.BatchNorm1d(4, device=device)
    state = layer.state_dict()

    assert [name for name, parameter in layer.named_parameters()] == ["weight", "bias"]
    assert [name for name, buffer in layer.named_buffers()] == ["running_mean", "running_var", "num_batches_tracked"]
    assert list(state) == ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
    assert [tuple(tensor.shape) for tensor in state.values()] == [(4,), (4,), (4,), (4,), ()]
    assert state["num_batches_tracked"].dtype == torch.int64


class Everything(nn.Module):
    """One attribute of each kind."""

    def __init__(self, device):
        super().__init__()
        self.parameter = nn.Parameter(torch.tensor([1.0, 2.0], device=device))
        self.frozen = nn.Parameter(torch.tensor([3.0], device=device), requires_grad=False)
        self.register_buffer("buffer", torch.tensor([4.0], device=device))
        self.register_buffer("cache", torch.tensor([5.0], device=device), persistent=False)
        self.tensor = torch.tensor([6.0], device=device)
        self.number = 7.0


@pytest.mark.parametrize(
    ("name", "in_parameters", "in_buffers", "in_state_dict"),
    [
        ("parameter", True, False, True),
        ("frozen", True, False, True),
        ("buffer", False, True, True),
        ("cache", False, True, False),
        ("tensor", False, False, False),
        ("number", False, False, False),
    ],
    ids=["parameter", "frozen parameter", "buffer", "buffer that is not persistent", "plain tensor", "plain number"],
)
def test_which_attribute_is_in_which(device, name, in_parameters, in_buffers, in_state_dict):
    """parameters() has the Parameters, frozen or not; state_dict() adds the persistent buffers; plain attributes are in
    neither.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    model = Everything(device)

    assert (name in dict(model.named_parameters())) is in_parameters
    assert (name in dict(model.named_buffers())) is in_buffers
    assert (name in model.state_dict()) is in_state_dict


def test_what_is_not_in_the_state_dict_is_not_loaded(device):
    """Loading restores parameters and persistent buffers; plain attributes, other buffers and gradients are those of
    the new model.

    So build the new model with the same arguments, and keep in buffers what else it found out from the data.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    model, new = Everything(device), Everything(device)
    with torch.no_grad():
        for tensor in (model.parameter, model.frozen, model.buffer, model.cache, model.tensor):
            tensor.mul_(10)
    model.number = 70.0
    model.parameter.grad = torch.ones(2, device=device)

    new.load_state_dict(model.state_dict())

    assert [new.parameter.tolist(), new.frozen.tolist(), new.buffer.tolist()] == [[10, 20], [30], [40]]
    assert [new.cache.tolist(), new.tensor.tolist(), new.number] == [[5], [6], 7]
    assert new.parameter.grad is None


def test_order_of_the_keys(device):
    """In each module come first its parameters, then its buffers, then its parts, each in order of assignment, with
    dots between the levels.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    model = nn.Module()
    model.layers = nn.ModuleList([nn.Linear(2, 1), nn.BatchNorm1d(1, affine=False)])
    model.register_buffer("mean", torch.zeros(2))
    model.scale = nn.Parameter(torch.ones(2))
    model.bias = nn.Parameter(torch.ones(2))
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
    assert [name for name, parameter in model.named_parameters()] == [
        "scale",
        "bias",
        "layers.0.weight",
        "layers.0.bias",
    ]
    assert list(model.layers.state_dict()) == [
        name.removeprefix("layers.") for name in model.state_dict() if name.startswith("layers.")
    ]


def test_state_dict_holds_plain_tensors(device):
    """The entries of a state_dict are plain tensors outside of any graph; `keep_vars=True` gives the Parameters
    themselves.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    model = Slope(device)
    entry = model.state_dict()["weight"]

    assert type(entry) is torch.Tensor
    assert [entry.requires_grad, model.weight.requires_grad] == [False, True]
    assert entry.device == device
    assert model.state_dict(keep_vars=True)["weight"] is model.weight


# A state_dict is a window


def test_state_dict_shares_memory_with_the_model(device):
    """A state_dict is no snapshot: writing into its tensors changes the model, while replacing or deleting entries
    changes only the dictionary.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    model = Slope(device)
    state = model.state_dict()

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
    """A state_dict that was put aside follows the model through training, also as a shallow copy; deepcopy, clone or
    save to keep it.

    https://docs.pytorch.org/docs/stable/notes/serialization.html
    """
    model = Slope(device)
    best = keep(model)

    now = descend(model, torch.optim.SGD(model.parameters(), lr=0.25), steps=1)

    assert now == [6, -3]
    assert best["weight"].tolist() == kept


def test_optimizer_keeps_the_parameters_it_was_given(device):
    """A layer that is replaced after the optimizer was made is not trained: the optimizer still holds the old layer's
    parameters.

    Loading does not have this problem, because it writes into the parameters there are, unless told `assign=True`.

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


# Loading


def test_loading_copies_into_the_parameters_there_are(device):
    """`load_state_dict` writes the values into the model's own Parameters: they stay the same objects, and nothing is
    shared afterwards.

    So an optimizer made before loading goes on working.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    model = Slope(device)
    weight, address = model.weight, model.weight.data_ptr()
    state = {"weight": torch.tensor([1.0, 2.0], device=device)}

    model.load_state_dict(state)
    state["weight"][0] = 99

    assert model.weight is weight
    assert weight.data_ptr() == address
    assert weight.tolist() == [1, 2]
    assert weight.is_leaf


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.int64], ids=str)
def test_loading_converts_to_what_the_model_has(device, dtype):
    """Loading keeps the model's dtype, device and requires_grad, and its mode, whatever those of the saved tensors are.

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


def test_loading_is_strict(device):
    """`load_state_dict` raises RuntimeError unless the names are exactly the model's, and lists both what is missing
    and what is unexpected.

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


def test_loading_goes_by_name_not_by_order(device):
    """Entries find their place by name, in whatever order they come; success is reported as two empty lists.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    layer = nn.Linear(1, 1, device=device)

    report = layer.load_state_dict({"bias": torch.tensor([3.0]), "weight": torch.tensor([[2.0]])})

    assert [layer.weight.tolist(), layer.bias.tolist()] == [[[2]], [3]]
    assert (report.missing_keys, report.unexpected_keys) == ([], [])
    assert str(report) == "<All keys matched successfully>"


def test_failed_load_has_changed_what_fitted(device):
    """A `load_state_dict` that raises has already loaded every entry that fitted, so a caught exception leaves a
    mixture.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    layer = nn.Linear(2, 1, device=device)
    bias = layer.bias.tolist()

    with pytest.raises(RuntimeError, match="Missing key"):
        layer.load_state_dict({"weight": torch.tensor([[7.0, 8.0]])})

    assert layer.weight.tolist() == [[7, 8]]
    assert layer.bias.tolist() == bias


def test_strict_false_reports_instead_of_raising(device):
    """`strict=False` loads the names that fit and returns the others as `missing_keys` and `unexpected_keys`: read
    them.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    layer = nn.Linear(2, 1, device=device)
    bias = layer.bias.tolist()

    report = layer.load_state_dict({"weight": torch.tensor([[7.0, 8.0]]), "scale": torch.ones(1)}, strict=False)

    assert report.missing_keys == ["bias"]
    assert report.unexpected_keys == ["scale"]
    assert [layer.weight.tolist(), layer.bias.tolist()] == [[[7, 8]], bias]


def test_wrong_prefix_loads_nothing(device):
    """With `strict=False` a state_dict whose names all have another prefix, such as `module.`, loads nothing and raises
    nothing.

    DataParallel puts `module.` before every name and torch.compile `_orig_mod.`: cut it off, or save the model that is
    inside.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    model = Slope(device)
    saved = nn.ModuleDict({"module": Slope()}).state_dict()
    saved["module.weight"].copy_(torch.tensor([1.0, 2.0]))

    report = model.load_state_dict(saved, strict=False)
    assert model.weight.tolist() == [8, -4]
    assert (report.missing_keys, report.unexpected_keys) == (["weight"], ["module.weight"])

    model.load_state_dict({name.removeprefix("module."): tensor for name, tensor in saved.items()})
    assert model.weight.tolist() == [1, 2]


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("shape", [(2, 1), (1, 3), (2,), (1, 1)], ids=str)
def test_shapes_must_agree(device, strict, shape):
    """An entry of another shape raises RuntimeError, also with `strict=False`, which is about names; nothing is
    broadcast or transposed.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    layer = nn.Linear(2, 1, device=device)
    before = layer.weight.tolist()

    with pytest.raises(RuntimeError, match="size mismatch for weight"):
        layer.load_state_dict({"weight": torch.ones(shape), "bias": torch.ones(1)}, strict=strict)
    assert layer.weight.tolist() == before


@pytest.mark.holds("torch>=2.1", otherwise=TypeError)
def test_assign_puts_the_loaded_tensors_in_place(device):
    """From torch 2.1 on `load_state_dict(state, assign=True)` takes the given tensors as they are, with their dtype and
    memory, as new Parameters; torch 2.0 does not know the argument.

    An optimizer made before holds the old Parameters, so make it afterwards. Tied weights come apart: tie them again.

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

    tied = nn.ModuleList([Slope(device), Slope(device)])
    tied[1].weight = tied[0].weight
    tied.load_state_dict(tied.state_dict(), assign=True)
    assert tied[1].weight is not tied[0].weight


@pytest.mark.holds("torch>=2.3", otherwise=(AssertionError, TypeError))
def test_assign_keeps_what_is_frozen(device):
    """From torch 2.3 on a load with `assign=True` leaves requires_grad as it is in the model; in 2.1 and 2.2 a frozen
    layer came out trainable.

    For those call `requires_grad_(False)` once more after loading.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    frozen, trained = Slope(device).requires_grad_(False), Slope(device)
    values = torch.tensor([1.0, 2.0], device=device)

    frozen.load_state_dict({"weight": values}, assign=True)
    trained.load_state_dict({"weight": nn.Parameter(values, requires_grad=False)}, assign=True)

    assert [frozen.weight.requires_grad, trained.weight.requires_grad] == [False, True]
    assert [frozen.weight.tolist(), trained.weight.tolist()] == [[1, 2], [1, 2]]


def test_state_dict_knows_nothing_of_forward(device):
    """A state_dict has names and numbers and no computation: a model that computes something else loads it without
    complaint.

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


def test_tied_weights_are_one_parameter_and_two_entries(device):
    """A Parameter under two names counts once in parameters() and twice in state_dict(), as the same memory, and
    loading keeps the tie, unless told `assign=True`.

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


def test_part_of_a_model_loads_by_itself(device):
    """Each part of a model has a state_dict of its own, with its prefix cut off, so that a body can be loaded under a
    new head.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    trained = nn.ModuleDict({"body": nn.Linear(3, 2, device=device), "head": nn.Linear(2, 10, device=device)})
    new = nn.ModuleDict({"body": nn.Linear(3, 2, device=device), "head": nn.Linear(2, 4, device=device)})

    new["body"].load_state_dict(trained["body"].state_dict())

    assert list(trained["body"].state_dict()) == ["weight", "bias"]
    assert torch.equal(new["body"].weight, trained["body"].weight)
    assert torch.equal(new["body"].bias, trained["body"].bias)
    assert new["head"].weight.shape == (4, 2)


@given(sizes=st.lists(st.integers(1, 4), min_size=2, max_size=4), normalise=st.booleans())
def test_loaded_model_answers_the_same_for_every_architecture(device, sizes, normalise):
    """A model built the same way that has loaded another's state_dict gives, in evaluation mode, the same answers to
    the last bit.

    That is so on the same device, and if all that it computes with is in the state_dict: a plain attribute is not.

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


# The optimizer has one too


def test_optimizer_state_goes_by_position(device):
    """An optimizer's state_dict holds its settings and, once it has stepped, its memory: parameters are numbered there
    and not named.

    So load it into an optimizer that was given the parameters in the same order: one of as many other parameters takes
    it without complaint.

    https://docs.pytorch.org/docs/stable/generated/torch.optim.Optimizer.state_dict.html
    """
    model = Slope(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.25, momentum=0.5)

    assert optimizer.state_dict()["state"] == {}
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


def test_training_goes_on_only_with_the_optimizers_state(device):
    """Training with momentum goes on after an interruption as if there had been none if the state_dicts of model and
    optimizer are restored; with the model's alone it differs.

    Plain SGD remembers nothing. A scheduler and a GradScaler have a state_dict too, and where anything is random
    (dropout, shuffling) the generators' states belong to a checkpoint as well.

    https://docs.pytorch.org/docs/stable/generated/torch.optim.Optimizer.load_state_dict.html
    """

    def new():
        model = Slope(device)
        return model, torch.optim.SGD(model.parameters(), lr=0.25, momentum=0.5)

    model, optimizer = new()
    descend(model, optimizer, steps=2)
    checkpoint = saved_and_loaded({"model": model.state_dict(), "optimizer": optimizer.state_dict()})

    restored, restored_optimizer = new()
    restored.load_state_dict(checkpoint["model"])
    restored_optimizer.load_state_dict(checkpoint["optimizer"])
    forgetful, forgetful_optimizer = new()
    forgetful.load_state_dict(checkpoint["model"])

    assert descend(model, optimizer, steps=1) == [1.375, -0.6875]
    assert descend(restored, restored_optimizer, steps=1) == [1.375, -0.6875]
    assert descend(forgetful, forgetful_optimizer, steps=1) == [2.625, -1.3125]


def test_loading_overrides_the_learning_rate(device):
    """Loading an optimizer's state_dict replaces the settings it was made with: the saved learning rate wins over the
    new one.

    https://docs.pytorch.org/docs/stable/generated/torch.optim.Optimizer.load_state_dict.html
    """
    model = Slope(device)
    saved = torch.optim.SGD(model.parameters(), lr=0.25).state_dict()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)

    optimizer.load_state_dict(saved)

    assert optimizer.param_groups[0]["lr"] == 0.25
    assert descend(model, optimizer, steps=1) == [6, -3]


def test_kept_optimizer_state_changes_as_training_goes_on(device):
    """An optimizer's state_dict shares its tensors too: the momentum in one that was put aside follows the training.

    https://docs.pytorch.org/docs/stable/generated/torch.optim.Optimizer.state_dict.html
    """
    model = Slope(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.25, momentum=0.5)
    descend(model, optimizer, steps=1)
    kept, copied = optimizer.state_dict(), copy.deepcopy(optimizer.state_dict())

    descend(model, optimizer, steps=1)

    assert kept["state"][0]["momentum_buffer"].tolist() == [10, -5]
    assert copied["state"][0]["momentum_buffer"].tolist() == [8, -4]


@pytest.mark.holds("torch>=2.1", otherwise=AssertionError)
def test_loaded_optimizer_state_is_shared_with_the_checkpoint(device):
    """From torch 2.1 on an optimizer takes the tensors of a loaded state_dict as they are, so that training on changes
    the checkpoint; 2.0 copied them.

    Load `copy.deepcopy(checkpoint)` where a checkpoint is loaded twice. `load_state_dict` of a model copies.

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


@pytest.mark.holds("torch>=2.4", otherwise=AssertionError)
def test_plain_sgd_has_an_empty_state(device):
    """From torch 2.4 on SGD without momentum has an empty state also after a step; up to 2.3 there was an entry for
    each parameter, with None for its momentum.

    Code that looks into `optimizer.state` should ask with `.get` whether there is anything.

    https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html
    """
    model = Slope(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.25)

    assert descend(model, optimizer, steps=1) == [6, -3]
    assert optimizer.state_dict()["state"] == {}
    assert len(optimizer.state) == 0


@pytest.mark.holds("torch>=2.6", otherwise=TypeError)
def test_optimizer_keeps_the_names_it_is_given(device):
    """From torch 2.6 on an optimizer takes `model.named_parameters()` and saves the names, but loading goes by position
    even then.

    Older releases take `model.parameters()` only. Compare the names before loading if the order may differ.

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


@pytest.mark.holds("torch>=2.7", otherwise=AssertionError)
def test_adamw_is_an_adam(device):
    """From torch 2.7 on AdamW is a subclass of Adam, and what makes the difference is a setting,
    `decoupled_weight_decay`, which a state_dict carries into an Adam.

    So ask `isinstance(optimizer, torch.optim.AdamW)` first, and load a state_dict into an optimizer of its own kind.

    https://docs.pytorch.org/docs/stable/generated/torch.optim.AdamW.html
    """
    parameter = nn.Parameter(torch.tensor([1.0], device=device))
    adam, adamw = torch.optim.Adam([parameter]), torch.optim.AdamW([parameter])

    assert [isinstance(adam, torch.optim.AdamW), isinstance(adamw, torch.optim.Adam)] == [False, True]
    settings = [optimizer.state_dict()["param_groups"][0] for optimizer in (adam, adamw)]
    assert [group["decoupled_weight_decay"] for group in settings] == [False, True]
    adam.load_state_dict(adamw.state_dict())
    assert adam.param_groups[0]["decoupled_weight_decay"] is True


@pytest.mark.holds("torch>=2.4", otherwise=RuntimeError)
def test_checkpoint_of_a_fused_optimizer_goes_on_on_the_cpu(rounding_bound):
    """From torch 2.4 on the checkpoint of an Adam that was `fused=True` on a GPU trains on the CPU; up to 2.3 the
    setting comes with it and raises RuntimeError there.

    For those, set `fused` to None in the `param_groups` of a checkpoint from a GPU before loading it.

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


# Files


def test_saving_and_loading_a_state_dict(device, tmp_path):
    """`torch.save(model.state_dict(), path)`, then a new model built the same way and
    `load_state_dict(torch.load(path))`, gives back the same parameters and buffers.

    In the file names, order, values, dtypes and devices all survive.

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


DTYPES = [torch.float32, torch.float16, torch.bfloat16, torch.complex64, torch.int64, torch.int32, torch.uint8]


@given(dtype=st.sampled_from(DTYPES), pattern=st.binary(max_size=12))
@example(dtype=torch.float32, pattern=bytes.fromhex("00000080 0100c07f 0000807f"))  # -0.0, a nan and infinity
def test_saving_keeps_every_bit_for_every_dtype(dtype, pattern):
    """Whatever the bits of a tensor mean, infinities, nan and negative zero included, they come back from a file
    unchanged.

    https://docs.pytorch.org/docs/stable/generated/torch.save.html
    """
    # On the CPU: a file holds the same bytes whatever device they come from.
    tensor = torch.tensor(list(pattern * 8), dtype=torch.uint8).view(dtype)

    loaded = saved_and_loaded(tensor)

    assert loaded.dtype == dtype
    assert loaded.shape == tensor.shape
    assert loaded.view(torch.uint8).tolist() == list(pattern * 8)


def test_map_location_moves_a_saved_state_dict(device_pair):
    """Tensors are loaded onto the device they were saved from, unless `map_location` names another.

    On a machine without that device loading raises; `map_location="cpu"` always works.

    https://docs.pytorch.org/docs/stable/generated/torch.load.html
    """
    here, there = device_pair
    state = Slope(here).state_dict()

    assert saved_and_loaded(state)["weight"].device == here
    assert saved_and_loaded(state, map_location=there)["weight"].device == there
    assert saved_and_loaded(state, map_location=str(there))["weight"].device == there
    assert saved_and_loaded(state, map_location="cpu")["weight"].tolist() == [8, -4]


def test_slice_is_saved_with_all_it_was_cut_from(device):
    """Saving a slice saves the whole memory it looks into; clone it first to save only what is seen.

    https://docs.pytorch.org/docs/stable/notes/serialization.html
    """
    big = torch.arange(1000.0, device=device)

    loaded, cloned = saved_and_loaded(big[2:4]), saved_and_loaded(big[2:4].clone())

    assert [loaded.tolist(), cloned.tolist()] == [[2, 3], [2, 3]]
    assert [loaded.untyped_storage().nbytes(), cloned.untyped_storage().nbytes()] == [4000, 8]


def test_tensors_that_share_memory_share_it_after_loading(device):
    """Two tensors saved together that share memory still share it when they are loaded, and share none with the
    originals.

    https://docs.pytorch.org/docs/stable/notes/serialization.html
    """
    whole = torch.tensor([1.0, 2.0, 3.0], device=device)

    loaded = saved_and_loaded({"whole": whole, "tail": whole[1:]})
    loaded["tail"][0] = 7

    assert loaded["whole"].tolist() == [1, 7, 3]
    assert whole.tolist() == [1, 2, 3]


@pytest.mark.holds("torch>=2.6", otherwise=(KeyError, AttributeError))
@pytest.mark.parametrize("name", ["uint16", "uint32", "uint64"])
def test_wide_unsigned_integers_can_be_saved(name):
    """From torch 2.6 on tensors of uint16, uint32 and uint64 can be saved; they came with 2.3, but there `torch.save`
    raises KeyError.

    For older releases save `.to(torch.int64)`, or the bytes with `.view(torch.uint8)`.

    https://docs.pytorch.org/docs/stable/generated/torch.save.html
    """
    # On the CPU: not every accelerator has these dtypes.
    tensor = torch.tensor([1, 65535], dtype=getattr(torch, name))

    loaded = saved_and_loaded(tensor)

    assert loaded.dtype == tensor.dtype
    assert loaded.tolist() == [1, 65535]


@pytest.mark.holds("torch>=2.1", otherwise=TypeError)
def test_mapped_file_is_read_when_it_is_needed(tmp_path):
    """From torch 2.1 on `torch.load(path, mmap=True)` maps the file into memory instead of reading it, and a write to
    such a tensor doesn't reach the file.

    What is never looked at is never read. It takes a path and not an open file, in 2.1 and 2.2 as a text only.

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


class MakesAFolder:
    """Anything that can be pickled may say what to call when it is unpickled; this one makes a folder."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_file_can_run_code_when_it_is_loaded(tmp_path):
    """Loading with `weights_only=False` runs whatever code the file asks for; with `weights_only=True` this file raises
    UnpicklingError and nothing is run.

    Here the code makes a folder. It could do anything you can: load only what you trust that way. Files made for the
    purpose got past `weights_only=True` as well, before torch 2.6 (CVE-2025-32434) and before 2.10 (CVE-2026-24747).

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


@pytest.mark.holds("torch>=2.6", otherwise=AssertionError)
def test_code_in_a_file_is_refused_by_default(tmp_path):
    """From torch 2.6 on `torch.load` without further arguments does not run code from a file but raises
    UnpicklingError; up to 2.5 it runs the code.

    Say `weights_only=True` wherever an older release may read the file.

    https://docs.pytorch.org/docs/stable/generated/torch.load.html
    """
    path, folder = tmp_path / "model.pt", tmp_path / "made by the file"
    torch.save(MakesAFolder(folder), path)

    with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
        torch.load(path)
    assert not folder.exists()


@pytest.mark.holds("torch>=2.6", otherwise=AssertionError)
def test_whole_model_is_refused_by_default(device, tmp_path):
    """From torch 2.6 on `torch.load` of a file with a whole pickled model raises UnpicklingError: by default it takes
    only tensors and plain containers.

    Up to 2.3 it loads the model without a word, in 2.4 and 2.5 with a FutureWarning. Save the state_dict. For a file
    that you trust there is `weights_only=False`, the same in all releases, and that needs the model's class, where it
    was.

    https://docs.pytorch.org/docs/stable/notes/serialization.html
    """
    model = nn.Linear(2, 1, device=device)
    path = tmp_path / "model.pt"
    torch.save(model, path)

    with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
        torch.load(path)

    loaded = torch.load(path, weights_only=False)
    assert type(loaded) is nn.Linear
    assert torch.equal(loaded.weight, model.weight)


@pytest.mark.holds("torch>=2.4,<2.6", otherwise=AssertionError)
def test_loading_by_default_warns_in_2_4_and_2_5(device):
    """In torch 2.4 and 2.5 only, `torch.load` without `weights_only` gives a FutureWarning, for any file, a plain
    state_dict too.

    It announces the default of 2.6. Say `weights_only=True`, or False for a file that you trust with everything: then
    there is no warning, and all releases do the same.

    https://docs.pytorch.org/docs/stable/generated/torch.load.html
    """
    state = Slope(device).state_dict()

    with pytest.warns(FutureWarning, match="weights_only=False"):
        saved_and_loaded(state)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for weights_only in (True, False):
            assert saved_and_loaded(state, weights_only=weights_only)["weight"].tolist() == [8, -4]


@pytest.mark.holds("torch<2.4", otherwise=(FutureWarning, pickle.UnpicklingError))
def test_whole_model_is_loaded_without_a_word_before_2_4(device):
    """Up to torch 2.3 `torch.load` gives back whole models, and runs whatever else a file asks for, without a word.

    From 2.4 on it warns, from 2.6 on it raises.

    https://docs.pytorch.org/docs/stable/notes/serialization.html
    """
    model = nn.Linear(2, 1, device=device)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded = saved_and_loaded(model)

    assert type(loaded) is nn.Linear
    assert torch.equal(loaded.weight, model.weight)


@pytest.mark.holds("torch>=2.6", otherwise=AssertionError)
def test_environment_variable_brings_the_old_default_back(device, monkeypatch):
    """From torch 2.6 on `TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1` in the environment lets calls that say nothing load whole
    models again, with a UserWarning; `weights_only=True` still refuses them.

    It is for old programs that cannot be changed, and for files that you trust.

    https://docs.pytorch.org/docs/stable/notes/serialization.html
    """
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")

    with pytest.warns(UserWarning, match="TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"):
        assert type(saved_and_loaded(nn.Linear(2, 1, device=device))) is nn.Linear
    with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
        saved_and_loaded(nn.Linear(2, 1, device=device), weights_only=True)


class Settings:
    """A class of one's own, as people put it into checkpoints."""

    def __init__(self, lr):
        self.lr = lr


@pytest.mark.holds("torch>=2.4", otherwise=AttributeError)
def test_class_can_be_declared_safe():
    """From torch 2.4 on `torch.serialization.add_safe_globals([Class])` lets `weights_only=True` load objects of that
    class, for the rest of the process.

    In older releases only `weights_only=False` loads them. Saving plain values, such as `vars(settings)`, does without.

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


@pytest.mark.holds("torch>=2.5", otherwise=AttributeError)
def test_class_is_safe_for_a_block():
    """From torch 2.5 on `with torch.serialization.safe_globals([Class]):` lets `weights_only=True` load objects of that
    class in a block, and forgets the class afterwards.

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


@pytest.mark.holds("torch>=2.6", otherwise=AttributeError)
def test_what_a_file_would_need_can_be_asked(device, tmp_path):
    """From torch 2.6 on `get_unsafe_globals_in_checkpoint` names what `weights_only=True` would refuse in a file,
    without loading anything.

    Call it before an upgrade on the checkpoints you have: where the list is empty, 2.6 loads the file as before.

    https://docs.pytorch.org/docs/stable/notes/serialization.html
    """
    safe, unsafe = tmp_path / "safe.pt", tmp_path / "unsafe.pt"
    torch.save({"model": Slope(device).state_dict(), "epoch": 3}, safe)
    torch.save({"model": Slope(device).state_dict(), "settings": Settings(lr=0.5)}, unsafe)

    assert torch.serialization.get_unsafe_globals_in_checkpoint(safe) == []
    assert torch.serialization.get_unsafe_globals_in_checkpoint(unsafe) == [f"{__name__}.Settings"]


@pytest.mark.parametrize(
    "value",
    [np.float64(1.5), np.array([1.5, 2.5])],
    ids=["NumPy number", "NumPy array"],
)
def test_checkpoint_with_numpy_values_is_refused(value):
    """A NumPy number or array in a checkpoint makes `weights_only=True` refuse the whole file, while what `.tolist()`
    makes of it, a number or a list of Python, is accepted.

    https://docs.pytorch.org/docs/stable/notes/serialization.html
    """
    with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
        saved_and_loaded({"epoch": 3, "loss": value}, weights_only=True)

    assert saved_and_loaded({"epoch": 3, "loss": value.tolist()}, weights_only=True) == {
        "epoch": 3,
        "loss": value.tolist(),
    }


@pytest.mark.holds("torch>=2.6", otherwise=AssertionError)
@pytest.mark.parametrize(
    "value",
    [np.float64(1.5), np.array([1.5, 2.5])],
    ids=["NumPy number", "NumPy array"],
)
def test_checkpoint_with_numpy_values_is_refused_by_default(value):
    """From torch 2.6 on a checkpoint with a NumPy number or array is refused by a plain `torch.load`, which up to 2.5
    gave it back.

    A single `np.mean(losses)` among the values is enough. Save `.item()` or `.tolist()` of it; for files that exist,
    say `weights_only=False` if you trust them.

    https://docs.pytorch.org/docs/stable/notes/serialization.html
    """
    with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
        saved_and_loaded({"epoch": 3, "loss": value})

    loaded = saved_and_loaded({"epoch": 3, "loss": value}, weights_only=False)
    assert type(loaded["loss"]) is type(value)
    assert loaded["loss"].tolist() == value.tolist()


@pytest.mark.holds("numpy>=2", otherwise=AssertionError)
def test_saved_numpy_array_names_the_insides_of_numpy():
    """From NumPy 2 on a pickled array says `numpy._core`, where NumPy 1 said `numpy.core`: such a checkpoint can't be
    loaded everywhere.

    NumPy 1.26 knows both names, older ones do not. A tensor or a list in the checkpoint knows nothing of NumPy.

    https://numpy.org/doc/stable/numpy_2_0_migration_guide.html
    """
    file = io.BytesIO()
    torch.save({"loss": np.array([1.5, 2.5])}, file)

    assert b"numpy._core.multiarray" in file.getvalue()
    assert b"numpy.core" not in file.getvalue()

    plain = io.BytesIO()
    torch.save({"loss": torch.from_numpy(np.array([1.5, 2.5]))}, plain)
    assert b"numpy" not in plain.getvalue()


def test_checkpoint_of_plain_values_is_accepted():
    """A checkpoint may hold numbers, texts, None, lists, tuples and dictionaries beside the tensors, and they come back
    as they were.

    https://docs.pytorch.org/docs/stable/notes/serialization.html
    """
    checkpoint = {"epoch": 3, "loss": 0.5, "name": "best", "done": True, "note": None, "sizes": [1, (2, 3)], 7: {}}

    loaded = saved_and_loaded(checkpoint, weights_only=True)

    assert loaded == checkpoint
    assert {key: type(value) for key, value in loaded.items()} == {
        key: type(value) for key, value in checkpoint.items()
    }


def comes_back(value):
    """Whether a value comes back from a file with `weights_only=True`, in the same type."""
    loaded = saved_and_loaded({"value": value}, weights_only=True)["value"]
    return type(loaded) is type(value) and loaded == value


@pytest.mark.holds("torch>=2.4", otherwise=pickle.UnpicklingError)
@pytest.mark.parametrize("value", [torch.device("cpu"), Counter("abba")], ids=["torch.device", "Counter"])
def test_checkpoint_may_hold_a_device_or_a_counter(value):
    """From torch 2.4 on `weights_only=True` accepts a `torch.device` and a Counter; older releases refuse the file.

    Where they have to read it, save `str(device)` and `dict(counter)`.

    https://docs.pytorch.org/docs/stable/notes/serialization.html
    """
    assert comes_back(value)


@pytest.mark.holds("torch>=2.6", otherwise=pickle.UnpicklingError)
@pytest.mark.parametrize("value", [{3, 7}, 0.5 + 2j], ids=["set", "complex"])
def test_checkpoint_may_hold_a_set_or_a_complex_number(value):
    """From torch 2.6 on `weights_only=True` accepts sets and complex numbers; older releases refuse the file.

    Where they have to read it, save `sorted(value)`, and the real and the imaginary part.

    https://docs.pytorch.org/docs/stable/notes/serialization.html
    """
    assert comes_back(value)


# What deprecated calls warn with


@pytest.mark.holds("torch>=2.4", otherwise=(AssertionError, UserWarning))
@pytest.mark.parametrize(
    "deprecated",
    [
        lambda layer: nn.utils.weight_norm(layer),
        lambda layer: layer.state_dict(OrderedDict()),
    ],
    ids=["nn.utils.weight_norm", "state_dict by position"],
)
def test_deprecations_are_future_warnings(device, deprecated):
    """From torch 2.4 on deprecated calls such as these two give a FutureWarning, where up to 2.3 they gave a
    UserWarning or none.

    So a filter for one of the two does not catch the other: name both, or the message, and better, change the call. A
    destination is given to `state_dict` by name.

    https://docs.python.org/3/library/warnings.html
    """
    with pytest.warns(FutureWarning, match="deprecated"):
        deprecated(nn.Linear(2, 1, device=device))
