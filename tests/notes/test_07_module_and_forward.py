"""`nn.Module` and its `forward`.

A model is an object of a class that derives from `nn.Module`. Its `__init__` makes the layers and keeps them as
attributes; its `forward` says what happens to an input. Two bargains come with that. What is assigned to `self` is
registered, if it is of the right kind, so that optimizers, `.to(device)` and saving find it. And the model is called as
`model(x)`, never as `model.forward(x)`. This section settles what each bargain covers, and what the two layers
everybody starts with, `nn.Linear` and `nn.Sequential`, really do.
"""

import itertools
import math
from collections import OrderedDict

import pytest
import torch
from hypothesis import example, given, strategies as st
from torch import nn
from torch.nn import functional as F


def with_whole_numbers(model):
    """The model with small whole numbers for its parameters: sums and products of those are exact in every dtype and on
    every device.
    """
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randint(-3, 4, parameter.shape))
    return model


# forward and the call


def test_calling_a_module_runs_its_forward(device):
    """`model(...)` hands its arguments, positional or by keyword, to `forward` and gives back whatever that returns.

    So one says what a model does by writing `forward`, and never calls it by that name. Each call runs it afresh.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """

    class Scale(nn.Module):
        def forward(self, x, shift=0, *, times=1):
            return x * times + shift, f"times {times}"

    model = Scale()
    x = torch.tensor([1.0, 2.0], device=device)

    assert [model(x)[0].tolist(), model(x, 10)[0].tolist(), model(x, times=3, shift=20)[0].tolist()] == [
        [1, 2],
        [11, 12],
        [23, 26],
    ]
    y, comment = model(x, 10, times=3)
    assert [y.tolist(), comment] == [[13, 16], "times 3"]


@pytest.mark.parametrize("name", ["foward", "Forward", "__forward__", "predict"])
def test_module_without_forward_is_made_but_cannot_be_called(device, name):
    """A class whose `forward` is missing or misspelt can be instantiated, and raises NotImplementedError when it is
    called.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    Model = type("Model", (nn.Module,), {name: lambda self, x: x})
    model = Model()

    with pytest.raises(NotImplementedError, match='missing the required "forward" function'):
        model(torch.zeros(2, device=device))


def test_wrong_arguments_are_an_error_of_forward(device):
    """Calling a model with arguments that its `forward` does not take is Python's TypeError, and it names `forward`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    layer = nn.Linear(3, 2, device=device)

    with pytest.raises(TypeError, match=r"forward\(\) missing 1 required positional argument: 'input'"):
        layer()
    with pytest.raises(TypeError, match=r"forward\(\) takes 2 positional arguments but 3 were given"):
        layer(torch.zeros(3, device=device), torch.zeros(3, device=device))


@pytest.mark.myth("model(x) and model.forward(x) are the same")
def test_only_the_call_runs_hooks(device):
    """`model(x)` runs the model's hooks around its `forward`; `model.forward(x)` runs none of them.

    Hooks are how others look into a model or change it: summaries, feature extractors, pruning. They go silent without
    a word. The hooks of its parts still run, because `forward` calls these.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    events = []

    class Double(nn.Module):
        def forward(self, x):
            events.append("forward")
            return x * 2

    model = Double()
    model.register_forward_pre_hook(lambda module, args: events.append("before"))
    model.register_forward_hook(lambda module, args, output: events.append("after"))
    x = torch.tensor([1.0, 2.0], device=device)

    assert model.forward(x).tolist() == [2, 4]
    assert events == ["forward"]
    events.clear()
    assert model(x).tolist() == [2, 4]
    assert events == ["before", "forward", "after"]
    model(x)
    assert events == ["before", "forward", "after"] * 2
    events.clear()
    nn.Sequential(model).forward(x)
    assert events == ["before", "forward", "after"]


def test_hooks_see_the_parts_and_can_replace_what_passes(device):
    """A hook on a part sees its input and output; what a hook returns, unless it is None, takes their place until it is
    removed.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    model = nn.Sequential(nn.ReLU(), nn.Flatten(0))
    x = torch.tensor([[-1.0, 2.0]], device=device)
    seen = []

    look = model[0].register_forward_hook(lambda module, args, output: seen.append((args[0].tolist(), output.tolist())))
    assert model(x).tolist() == [0, 2]
    assert seen == [([[-1, 2]], [[0, 2]])]
    look.remove()

    before = model[0].register_forward_pre_hook(lambda module, args: (args[0] + 5,))
    assert model(x).tolist() == [4, 7]
    after = model[0].register_forward_hook(lambda module, args, output: -output)
    assert model(x).tolist() == [-4, -7]
    before.remove()
    after.remove()
    assert model(x).tolist() == [0, 2]
    assert len(seen) == 1


# super().__init__()


@pytest.mark.parametrize(
    "assign",
    [
        lambda module, device: setattr(module, "layer", nn.Linear(2, 1, device=device)),
        lambda module, device: setattr(module, "weight", nn.Parameter(torch.zeros(2, device=device))),
        lambda module, device: module.register_buffer("mean", torch.zeros(2, device=device)),
    ],
    ids=["layer", "parameter", "buffer"],
)
def test_super_init_comes_first(device, assign):
    """A module that assigns a layer, a parameter or a buffer before `super().__init__()` raises AttributeError.

    `super().__init__()` makes the places where they are registered, so it is the first line of every `__init__`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """

    class TooLate(nn.Module):
        def __init__(self):
            assign(self, device)
            super().__init__()

    with pytest.raises(AttributeError, match=r"before Module.__init__\(\) call"):
        TooLate()


def test_without_super_init_plain_values_are_accepted_and_the_call_fails(device):
    """A module that forgets `super().__init__()` and assigns only plain values can be made, and raises AttributeError
    when called.

    The message names a private attribute and not the cause: this is what to think of when it appears.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """

    class Forgetful(nn.Module):
        def __init__(self):
            self.factor = 3

        def forward(self, x):
            return x * self.factor

    model = Forgetful()

    assert model.factor == 3
    with pytest.raises(AttributeError, match="'Forgetful' object has no attribute '_"):
        model(torch.ones(2, device=device))


# What is registered


def test_assignment_registers_parameters_and_layers(device):
    """Assigning a Parameter or a module to an attribute is enough to register it, each kind in the order of assignment.

    The model's own Parameters come before those of its parts, even if they were assigned later.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    model = nn.Module()
    model.second = nn.Linear(3, 2, device=device)
    model.first = nn.ReLU()
    model.scale = scale = nn.Parameter(torch.tensor([2.0, 3.0], device=device))
    model.comment = "not a part"

    assert [name for name, child in model.named_children()] == ["second", "first"]
    assert [name for name, parameter in model.named_parameters()] == ["scale", "second.weight", "second.bias"]
    assert next(model.parameters()) is model.scale is scale


def part():
    return nn.Linear(2, 1)


def weight():
    return nn.Parameter(torch.ones(2))


@pytest.mark.parametrize(
    ("value", "registered"),
    [
        pytest.param(lambda: part(), ["x.weight", "x.bias"], id="layer"),
        pytest.param(lambda: [part()], [], id="list of layers"),
        pytest.param(lambda: (part(),), [], id="tuple of layers"),
        pytest.param(lambda: {"a": part()}, [], id="dict of layers"),
        pytest.param(
            lambda: nn.ModuleList([part(), nn.ReLU(), part()]),
            ["x.0.weight", "x.0.bias", "x.2.weight", "x.2.bias"],
            id="ModuleList",
        ),
        pytest.param(lambda: nn.Sequential(part()), ["x.0.weight", "x.0.bias"], id="Sequential"),
        pytest.param(lambda: nn.ModuleDict({"a": part()}), ["x.a.weight", "x.a.bias"], id="ModuleDict"),
        pytest.param(lambda: nn.ModuleList([nn.ModuleList([part()])]), ["x.0.0.weight", "x.0.0.bias"], id="nested"),
        pytest.param(lambda: weight(), ["x"], id="Parameter"),
        pytest.param(lambda: [weight()], [], id="list of Parameters"),
        pytest.param(lambda: {"a": weight()}, [], id="dict of Parameters"),
        pytest.param(lambda: nn.ParameterList([weight(), weight()]), ["x.0", "x.1"], id="ParameterList"),
        pytest.param(lambda: nn.ParameterDict({"a": weight()}), ["x.a"], id="ParameterDict"),
        pytest.param(lambda: torch.ones(2), [], id="tensor"),
        pytest.param(lambda: torch.ones(2, requires_grad=True), [], id="tensor with requires_grad"),
    ],
)
def test_what_an_attribute_registers(device, value, registered):
    """A layer or a Parameter is registered by itself and in torch's own containers; in a plain list, tuple or dict it
    is not, and neither is a plain tensor.

    What is not registered is not trained, not moved and not saved, and nothing says so.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.ModuleList.html
    """
    model = nn.Module()
    with torch.device(device):
        model.x = value()

    assert [name for name, parameter in model.named_parameters()] == registered
    assert list(model.state_dict()) == registered


def test_layers_in_a_plain_list_are_not_trained(device):
    """A layer in a plain list takes part in `forward` and gets a gradient, and the optimizer never moves it.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.ModuleList.html
    """

    class Model(nn.Module):
        def __init__(self, container):
            super().__init__()
            self.layers = container([nn.Linear(1, 1, bias=False, device=device)])
            self.shift = nn.Parameter(torch.zeros(1, device=device))

        def forward(self, x):
            return self.layers[0](x) + self.shift

    moved = {}
    for container in (list, nn.ModuleList):
        model = Model(container)
        before = model.layers[0].weight.item()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
        model(torch.tensor([[2.0]], device=device)).sum().backward()
        optimizer.step()
        assert model.layers[0].weight.grad.tolist() == [[2]]
        assert model.shift.item() == -0.5
        moved[container] = model.layers[0].weight.item() != before

    assert moved == {list: False, nn.ModuleList: True}


def test_module_list_only_holds_layers(device):
    """A ModuleList or ModuleDict holds layers and has no `forward`: calling it raises, the model's own `forward` walks
    through it.

    Sequential is the container that can be called.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.ModuleList.html
    """
    layers = nn.ModuleList([nn.AvgPool1d(2), nn.ReLU()])
    named = nn.ModuleDict({"relu": nn.ReLU()})
    x = torch.tensor([[-2.0, 4.0]], device=device)

    for container in (layers, named):
        with pytest.raises(NotImplementedError, match='missing the required "forward" function'):
            container(x)
    for layer in layers:
        x = layer(x)
    assert x.tolist() == [[1]]  # the other way round it would be 2


def test_buffer_is_registered_but_not_a_parameter(device):
    """`register_buffer` registers a tensor that belongs to the model and is not trained: it is no parameter and needs
    no gradient.

    A tensor assigned to that name later takes its place and stays a buffer.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    model = nn.Module()
    model.register_buffer("mean", torch.tensor([1.0, 2.0], device=device))

    model.mean = model.mean * 3

    assert [(name, buffer.tolist()) for name, buffer in model.named_buffers()] == [("mean", [3, 6])]
    assert list(model.parameters()) == []
    assert model.mean.requires_grad is False
    assert list(model.state_dict()) == ["mean"]


@pytest.mark.holds("torch>=2.5", otherwise=AttributeError)
def test_nn_buffer_registers_by_assignment(device):
    """From torch 2.5 on a tensor wrapped in `nn.Buffer` becomes a buffer by mere assignment, as a Parameter becomes a
    parameter; `register_buffer` works in every release.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.parameter.Buffer.html
    """
    model = nn.Module()
    model.mean = nn.Buffer(torch.tensor([1.0, 2.0], device=device))

    assert [(name, buffer.tolist()) for name, buffer in model.named_buffers()] == [("mean", [1, 2])]
    assert list(model.parameters()) == []
    assert list(model.state_dict()) == ["mean"]


def test_to_converts_what_is_registered(device):
    """`model.to(dtype)` changes floating-point parameters and buffers in the model itself, and leaves whole numbers and
    plain tensors.

    So it needs no assignment, unlike `tensor.to`, which leaves the tensor as it is and returns the result. A device is
    treated likewise: a plain tensor that `forward` needs stays behind when the model goes to a GPU. Make it a buffer.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    model = nn.Module()
    model.weight = nn.Parameter(torch.ones(2, device=device))
    model.register_buffer("mean", torch.ones(2, device=device))
    model.register_buffer("count", torch.tensor(3, device=device))
    model.tensor = torch.ones(2, device=device)
    model.layers = [nn.Linear(2, 1, device=device)]
    parameter = model.weight

    returned = model.to(torch.float16)

    assert returned is model
    assert model.weight is parameter
    assert [model.weight.dtype, model.mean.dtype] == [torch.float16, torch.float16]
    assert [model.count.dtype, model.tensor.dtype, model.layers[0].weight.dtype] == [
        torch.int64,
        torch.float32,
        torch.float32,
    ]


def test_assigning_again_replaces(device):
    """Assigning a new layer to a name replaces the old one, and deleting the attribute unregisters it: how a new head
    is put on a model.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    model = nn.Module()
    model.head = nn.Linear(3, 10, device=device)
    model.tail = nn.Linear(1, 1, device=device)

    model.head = nn.Linear(3, 2, bias=False, device=device)
    del model.tail

    assert {name: tuple(parameter.shape) for name, parameter in model.named_parameters()} == {"head.weight": (2, 3)}
    assert list(model.children()) == [model.head]
    assert not hasattr(model, "tail")


# Walking through a model


def test_children_modules_and_names(device):
    """`children()` are the direct parts; `modules()` is the model itself and all parts at any depth, each with a dotted
    path as its name.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    model = nn.Sequential(nn.Sequential(nn.Linear(2, 3), nn.ReLU()), nn.Linear(3, 1)).to(device)
    body, head = model

    assert list(model.children()) == [body, head]
    assert list(model.modules()) == [model, body, body[0], body[1], head]
    assert [name for name, module in model.named_modules()] == ["", "0", "0.0", "0.1", "1"]
    assert [name for name, parameter in model.named_parameters()] == ["0.0.weight", "0.0.bias", "1.weight", "1.bias"]
    assert model.get_submodule("0.0") is body[0]
    assert model.get_parameter("0.0.bias") is body[0].bias


@pytest.mark.holds("torch>=2.5", otherwise=AttributeError)
def test_set_submodule_replaces_a_part_by_its_dotted_name(device):
    """`get_submodule("0.1")` finds a part by its name at any depth, and from torch 2.5 on `set_submodule("0.1", layer)`
    puts another in its place.

    Before: `setattr` on what `get_submodule` finds for the part around it.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    model = nn.Sequential(nn.Sequential(nn.Linear(2, 3), nn.ReLU()), nn.Linear(3, 1)).to(device)
    first, last, new = model[0][0], model[1], nn.Tanh()
    assert model.get_submodule("0.0") is first

    model.set_submodule("0.1", new)

    assert [model[0][0], model[0][1], model[1]] == [first, new, last]
    assert model.get_submodule("0.1") is new
    with pytest.raises(AttributeError, match="no attribute `7`"):
        model.set_submodule("7.0", nn.Tanh())


def test_apply_visits_parts_before_the_whole(device):
    """`model.apply(function)` calls the function on every part at any depth, parts before what contains them, and
    returns the model.

    It is the usual way to initialise weights.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    model = nn.Sequential(nn.Sequential(nn.Linear(2, 3), nn.ReLU()), nn.Flatten()).to(device)
    visited = []

    returned = model.apply(visited.append)

    assert visited == [model[0][0], model[0][1], model[0], model[1], model]
    assert returned is model


@given(sizes=st.lists(st.integers(1, 5), min_size=2, max_size=4))
def test_parameter_count_for_every_chain_of_linear_layers(device, sizes):
    """A Linear has `inputs * outputs` weights and `outputs` biases, and a model has the sum of its layers.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html
    """
    pairs = list(itertools.pairwise(sizes))
    model = nn.Sequential(*[nn.Linear(inputs, outputs) for inputs, outputs in pairs]).to(device)

    assert sum(parameter.numel() for parameter in model.parameters()) == sum(i * o + o for i, o in pairs)


# Parameters


def test_parameter_needs_a_gradient_by_default(device):
    """A Parameter requires a gradient unless told otherwise, also where the tensor it was made of does not, and shares
    its memory.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.parameter.Parameter.html
    """
    tensor = torch.tensor([1.0, 2.0], device=device)
    parameter = nn.Parameter(tensor)

    assert [tensor.requires_grad, parameter.requires_grad] == [False, True]
    tensor[0] = 7
    assert nn.Parameter(tensor, requires_grad=False).requires_grad is False
    assert parameter.tolist() == [7, 2]
    assert parameter.is_leaf
    assert isinstance(parameter, torch.Tensor)


def test_whole_numbers_make_no_trainable_parameter(device):
    """A Parameter of integers raises RuntimeError, because only floating-point and complex tensors can have gradients;
    frozen, it is allowed.

    Mind the dot: `torch.tensor([1.0, 2.0])`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.parameter.Parameter.html
    """
    whole = torch.tensor([1, 2], device=device)

    with pytest.raises(RuntimeError, match="floating point"):
        nn.Parameter(whole)
    assert nn.Parameter(whole, requires_grad=False).dtype == torch.int64


@pytest.mark.parametrize(
    "change",
    [lambda parameter: parameter * 2, lambda parameter: parameter.to(torch.float16), lambda parameter: parameter[:1]],
    ids=["scaled", "converted", "sliced"],
)
def test_what_is_computed_from_a_parameter_is_not_one(device, change):
    """A new tensor computed from a Parameter is a plain tensor, which no model registers.

    `nn.Parameter(x).to(device)` hides that on the CPU: where there is nothing to do, `.to` returns the Parameter
    itself, so the layer loses its parameter on the GPU only. Finish the tensor first, and wrap it last.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.parameter.Parameter.html
    """
    tensor = torch.tensor([1.0, 2.0], device=device)
    model = nn.Module()
    model.wrong = change(nn.Parameter(tensor))
    model.right = nn.Parameter(change(tensor))

    assert [name for name, parameter in model.named_parameters()] == ["right"]
    assert [model.wrong.is_leaf, model.right.is_leaf] == [False, True]
    assert model.right.to(device) is model.right


def test_tensor_cannot_take_the_place_of_a_parameter(device):
    """Assigning a tensor where a Parameter is registered raises TypeError; wrap it, or copy its values in without
    recording a graph.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.parameter.Parameter.html
    """
    layer = nn.Linear(2, 1, device=device)
    original = layer.weight
    new = torch.tensor([[1.0, 2.0]], device=device)

    with pytest.raises(TypeError, match="as parameter 'weight'"):
        layer.weight = new
    with torch.no_grad():
        layer.weight.copy_(new)

    assert layer.weight is original
    assert layer.weight.tolist() == [[1, 2]]
    assert layer.weight.requires_grad


def test_freezing_keeps_a_layer_as_it_is(device):
    """`requires_grad_(False)` on a module freezes all parameters at any depth: they get no gradient, so the optimizer
    leaves them alone.

    Frozen in the middle of a training they still have the last one, and the optimizer goes by that: call `zero_grad()`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    body = nn.Sequential(nn.Linear(2, 3, device=device), nn.Sequential(nn.Linear(3, 3, device=device)))
    model = nn.Sequential(body, nn.Linear(3, 1, device=device))
    before = [parameter.tolist() for parameter in model.parameters()]

    returned = body.requires_grad_(False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    model(torch.tensor([[1.0, 2.0]], device=device)).sum().backward()
    optimizer.step()

    assert returned is body
    assert [parameter.requires_grad for parameter in model.parameters()] == [False] * 4 + [True] * 2
    assert [parameter.grad is None for parameter in model.parameters()] == [True] * 4 + [False] * 2
    assert [parameter.tolist() for parameter in body.parameters()] == before[:4]
    assert model[1].weight.tolist() != before[4]
    assert model[1].bias.tolist() != before[5]

    bias = model[1].requires_grad_(False).bias.item()
    optimizer.step()  # goes by the last gradient
    moved = model[1].bias.item()
    optimizer.zero_grad()
    optimizer.step()
    assert bias != moved == model[1].bias.item()


@pytest.mark.myth("a frozen layer stops the gradient")
def test_frozen_layer_passes_the_gradient_on(device):
    """A frozen layer keeps no gradient for itself and still passes it on to trainable layers before it.

    To stop it there, use `detach()` or compute that part under `torch.no_grad()`.

    https://docs.pytorch.org/docs/stable/notes/autograd.html
    """
    first, frozen = nn.Linear(1, 1, bias=False, device=device), nn.Linear(1, 1, bias=False, device=device)
    nn.init.constant_(first.weight, 2)
    nn.init.constant_(frozen.weight, 5)
    frozen.requires_grad_(False)
    x = torch.tensor([[3.0]], device=device)

    frozen(first(x)).backward()

    assert first.weight.grad.tolist() == [[15]]
    assert frozen.weight.grad is None


def test_shared_module_counts_once(device):
    """A module used in two places is one module with one set of parameters, and its gradient is the sum over both uses.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    shared = nn.Linear(1, 1, bias=False, device=device)
    nn.init.constant_(shared.weight, 3)
    model = nn.Sequential(shared, shared)

    y = model(torch.tensor([2.0], device=device))
    y.backward()

    assert [len(model), len(list(model.children())), len(list(model.modules()))] == [2, 1, 2]
    assert [name for name, parameter in model.named_parameters()] == ["0.weight"]
    assert len(list(model.parameters())) == 1
    assert y.item() == 3 * 3 * 2
    assert shared.weight.grad.tolist() == [[2 * 3 * 2]]  # the derivative of w * w * 2


def test_layer_made_in_forward_is_new_at_every_call(device):
    """A layer made inside `forward` starts from new random weights at every call and is never trained: make layers in
    `__init__`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """

    class Careless(nn.Module):
        def forward(self, x):
            return nn.Linear(4, 4, device=x.device)(x)

    model = Careless()
    x = torch.ones(4, device=device)

    assert not torch.equal(model(x), model(x))
    assert list(model.parameters()) == []


# Linear, Sequential, Flatten


def test_linear_is_x_times_weight_transposed_plus_bias(device):
    """`nn.Linear(inputs, outputs)` computes `x @ weight.T + bias`, with a weight of shape (outputs, inputs).

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html
    """
    layer = nn.Linear(3, 2, device=device)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]))
        layer.bias.copy_(torch.tensor([10.0, 20.0]))
    x = torch.tensor([[1.0, 0.0, -1.0], [0.0, 1.0, 2.0]], device=device)

    assert layer(x).tolist() == [[8, 18], [18, 37]]
    assert (x @ layer.weight.T + layer.bias).tolist() == [[8, 18], [18, 37]]
    assert [tuple(layer.weight.shape), tuple(layer.bias.shape)] == [(2, 3), (2,)]
    assert nn.Linear(3, 2, bias=False).bias is None


@pytest.mark.parametrize("batch", [(4,), (2, 4), (2, 5, 4), (0,)], ids=str)
def test_linear_works_on_the_last_dimension(device, batch):
    """A Linear treats every vector along the last dimension by itself, whatever number of dimensions comes before it.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html
    """
    layer = with_whole_numbers(nn.Linear(3, 2, device=device))
    x = torch.randint(-3, 4, (*batch, 3), device=device).float()

    y = layer(x)

    assert tuple(y.shape) == (*batch, 2)
    assert y.reshape(-1, 2).tolist() == [layer(vector).tolist() for vector in x.reshape(-1, 3)]


@given(
    batch=st.lists(st.integers(0, 4), max_size=3),
    inputs=st.integers(1, 5),
    outputs=st.integers(1, 5),
    bias=st.booleans(),
)
@example(batch=[2, 3], inputs=5, outputs=5, bias=True)
def test_linear_for_every_shape(device, batch, inputs, outputs, bias):
    """A Linear works on the last dimension, whatever comes before it: (..., inputs) becomes (..., outputs).

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html
    """
    layer = with_whole_numbers(nn.Linear(inputs, outputs, bias=bias, device=device))
    x = torch.randint(-3, 4, (*batch, inputs), device=device).float()

    expected = (x.unsqueeze(-2) * layer.weight).sum(-1)
    if bias:
        expected = expected + layer.bias

    for y in (layer(x), F.linear(x, layer.weight, layer.bias)):
        assert tuple(y.shape) == (*batch, outputs)
        assert torch.equal(y, expected)
        assert y.dtype == torch.float32


def test_linear_starts_from_small_random_numbers(device):
    """A new Linear has weights and biases drawn uniformly between -b and b, with b = 1 / sqrt(inputs), anew for every
    layer.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html
    """
    layer, another = nn.Linear(16, 1000, device=device), nn.Linear(16, 1000, device=device)
    b = 1 / math.sqrt(16)

    for parameter in (layer.weight, layer.bias):
        numbers = parameter.detach().cpu().double()
        count = numbers.numel()
        assert numbers.abs().max() <= b
        # Such a number has the variance b²/3 and its square the variance b⁴ * 4/45; six standard errors of each mean.
        assert abs(numbers.mean()) < 6 * b * math.sqrt(1 / 3 / count)
        assert abs((numbers**2).mean() - b**2 / 3) < 6 * b**2 * math.sqrt(4 / 45 / count)
    assert not torch.equal(layer.weight, another.weight)
    assert not torch.equal(layer.bias, another.bias)


@pytest.mark.parametrize("shape", [(2, 4), (5, 2, 4), (3, 4)], ids=str)
def test_wrong_number_of_features_raises(device, shape):
    """A Linear that is given a last dimension other than its number of inputs raises RuntimeError, and the message
    shows both shapes.

    It is the call that raises: making two layers that do not fit together says nothing.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html
    """
    model = nn.Sequential(nn.Linear(4, 3, device=device), nn.Linear(2, 1, device=device))
    layer = nn.Linear(3, 2, device=device)
    x = torch.ones(shape, device=device)

    with pytest.raises(RuntimeError, match=r"shapes cannot be multiplied \([\dx]+x4 and 3x2\)"):
        layer(x)
    with pytest.raises(RuntimeError, match=r"shapes cannot be multiplied \([\dx]+x3 and 2x1\)"):
        model(x)


def test_one_feature_needs_its_own_dimension():
    """N numbers of one feature are not N samples to `nn.Linear(1, 1)` but one sample of N features: give them the shape
    (N, 1).

    https://docs.pytorch.org/docs/stable/generated/torch.unsqueeze.html
    """
    # On the CPU only: for a single sample mps raises another error, of its own message.
    layer = nn.Linear(1, 1)
    x = torch.tensor([1.0, 2.0, 3.0])

    with pytest.raises(RuntimeError, match=r"shapes cannot be multiplied \(1x3 and 1x1\)"):
        layer(x)
    assert layer(x.unsqueeze(1)).shape == (3, 1)


@pytest.mark.parametrize("dtype", [torch.float64, torch.int64, torch.float16], ids=str)
def test_linear_wants_the_dtype_of_its_weights(dtype):
    """A Linear does not convert its input: float64, as NumPy makes it, or whole numbers raise RuntimeError against
    float32 weights.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html
    """
    # On the CPU only: not every accelerator has float64, and each says it in its own words.
    layer = nn.Linear(3, 2)
    x = torch.ones(2, 3, dtype=dtype)

    with pytest.raises(RuntimeError, match="must have the same dtype"):
        layer(x)
    assert layer(x.float()).dtype == torch.float32


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.complex64], ids=str)
def test_linear_computes_in_the_dtype_of_its_weights(dtype):
    """A Linear made with `dtype=` has weights of that dtype, takes inputs of that dtype and gives outputs of it.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html
    """
    # On the CPU: not every accelerator has these dtypes.
    layer = with_whole_numbers(nn.Linear(3, 2, dtype=dtype))
    x = torch.tensor([[1, 2, 3], [4, 5, -6]], dtype=dtype) * (1 + 2**-30)  # float64 shows whether it is kept

    y = layer(x)

    assert [layer.weight.dtype, layer.bias.dtype, y.dtype] == [dtype] * 3
    assert torch.equal(y, (x.unsqueeze(-2) * layer.weight).sum(-1) + layer.bias)


@given(sizes=st.tuples(*[st.integers(1, 5)] * 4))
def test_two_linear_layers_are_one_for_every_size(device, sizes):
    """Two Linear layers in a row compute, but for rounding, what one could: weight `W2 @ W1` and bias `W2 @ b1 + b2`.

    Without something nonlinear in between, more layers can express nothing more, even if they train in another way.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html
    """
    batch, inputs, hidden, outputs = sizes
    first, second = nn.Linear(inputs, hidden), nn.Linear(hidden, outputs)
    model = with_whole_numbers(nn.Sequential(first, second).to(device))
    x = torch.randint(-3, 4, (batch, inputs), device=device).float()

    one = nn.Linear(inputs, outputs, device=device)
    with torch.no_grad():
        one.weight.copy_(second.weight @ first.weight)
        one.bias.copy_(second.weight @ first.bias + second.bias)

    assert torch.equal(model(x), one(x))  # whole numbers: nothing is rounded


def test_activation_makes_two_layers_more_than_one(device):
    """With a ReLU between them two Linear layers can compute |x|, which no single Linear can.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.ReLU.html
    """
    first, second = nn.Linear(1, 2, bias=False, device=device), nn.Linear(2, 1, bias=False, device=device)
    with torch.no_grad():
        first.weight.copy_(torch.tensor([[1.0], [-1.0]]))
        second.weight.copy_(torch.tensor([[1.0, 1.0]]))
    x = torch.tensor([[-2.0], [0.0], [3.0]], device=device)

    assert nn.Sequential(first, nn.ReLU(), second)(x).tolist() == [[2], [0], [3]]
    assert nn.Sequential(first, second)(x).tolist() == [[0], [0], [0]]


def test_layer_is_made_first_and_called_then(device):
    """`nn.ReLU()` makes a layer, `nn.ReLU()(x)` and `F.relu(x)` apply one; `nn.ReLU(x)` takes x for an option and gives
    back a layer.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.ReLU.html
    """
    x = torch.tensor([-1.0, 2.0], device=device)
    results = {
        "nn.ReLU()(x)": nn.ReLU()(x),
        "F.relu(x)": F.relu(x),
        "torch.relu(x)": torch.relu(x),
        "x.relu()": x.relu(),
    }

    assert {how: y.tolist() for how, y in results.items()} == {how: [0, 2] for how in results}
    assert x.tolist() == [-1, 2]
    assert isinstance(nn.ReLU(x), nn.Module)
    with pytest.raises(TypeError, match="must be Tensor, not ReLU"):
        nn.Linear(2, 1, device=device)(nn.ReLU(x))


def test_sequential_runs_its_layers_in_order(device):
    """A Sequential hands the output of each layer to the next, in the order they were given, and order matters.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Sequential.html
    """

    class Negate(nn.Module):
        def forward(self, x):
            return -x

    x = torch.tensor([-1.0, 2.0], device=device)

    assert nn.Sequential(nn.ReLU(), Negate())(x).tolist() == [0, -2]
    assert nn.Sequential(Negate(), nn.ReLU())(x).tolist() == [1, 0]
    assert nn.Sequential(Negate(), nn.ReLU(), Negate())(x).tolist() == [-1, 0]
    assert nn.Sequential()(x) is x


def test_sequential_is_a_list_of_named_layers(device):
    """A Sequential has a length, indices, slices and names: numbers, or those of an OrderedDict.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Sequential.html
    """
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)).to(device)
    first, relu, last = model
    named = nn.Sequential(OrderedDict(body=first, head=last))

    assert len(model) == 3
    assert [model[0], model[-1]] == [first, last]
    assert list(model[:-1]) == [first, relu]
    assert isinstance(model[:-1], nn.Sequential)
    assert [name for name, child in model.named_children()] == ["0", "1", "2"]
    assert [name for name, child in named.named_children()] == ["body", "head"]
    assert [named.body, named[1]] == [first, last]


def test_flatten_layer_keeps_the_batch(device):
    """`nn.Flatten()` joins all dimensions but the first, which is the batch; `torch.flatten` joins that one too unless
    told otherwise.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Flatten.html
    """
    x = torch.arange(24, device=device).reshape(2, 3, 4)
    shapes = {
        "nn.Flatten()(x)": nn.Flatten()(x).shape,
        "nn.Flatten(0)(x)": nn.Flatten(0)(x).shape,
        "nn.Flatten(0, 1)(x)": nn.Flatten(0, 1)(x).shape,
        "torch.flatten(x)": torch.flatten(x).shape,
        "x.flatten()": x.flatten().shape,
        "torch.flatten(x, 1)": torch.flatten(x, 1).shape,
    }

    assert {how: tuple(shape) for how, shape in shapes.items()} == {
        "nn.Flatten()(x)": (2, 12),
        "nn.Flatten(0)(x)": (24,),
        "nn.Flatten(0, 1)(x)": (6, 4),
        "torch.flatten(x)": (24,),
        "x.flatten()": (24,),
        "torch.flatten(x, 1)": (2, 12),
    }
    assert nn.Flatten()(x).tolist() == [list(range(12)), list(range(12, 24))]


def test_flatten_needs_a_batch(device):
    """A single image without a batch dimension has its first dimension taken for the batch: (28, 28) stays (28, 28)
    under `nn.Flatten()`.

    Add the batch first: `image.unsqueeze(0)`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Flatten.html
    """
    image = torch.arange(28 * 28, device=device).reshape(28, 28)

    assert nn.Flatten()(image).shape == (28, 28)
    assert nn.Flatten()(image.unsqueeze(0)).tolist() == [list(range(28 * 28))]


# What moved between releases


@pytest.mark.holds("torch>=2.4", otherwise=UserWarning)
def test_a_lazy_layer_counts_its_inputs_itself(device):
    """`nn.LazyLinear(outputs)` takes its number of inputs from the first batch and is a Linear from then on; from torch
    2.4 on without a UserWarning.

    Its parameters have no shape before: run one batch through the model before counting or initialising them.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.LazyLinear.html
    """
    layer = nn.LazyLinear(3).to(device)
    with pytest.raises(ValueError, match="uninitialized parameter"):
        layer.weight.numel()

    assert layer(torch.ones(4, 2, device=device)).shape == (4, 3)
    assert type(layer) is nn.Linear
    assert (layer.in_features, layer.weight.shape) == (2, (3, 2))
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        layer(torch.ones(4, 5, device=device))


@pytest.mark.holds("torch>=2.4", otherwise=AttributeError)
def test_rmsnorm_divides_by_the_root_of_the_mean_square(device):
    """From torch 2.4 on there is `nn.RMSNorm`, which divides each row by the root of its mean square, and does not
    subtract a mean as LayerNorm does.

    Before, write `x / x.square().mean(dim=-1, keepdim=True).sqrt()`, times a weight that is learned.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.RMSNorm.html
    """
    x = torch.tensor([[1.0, 7.0], [-3.0, 4.0]], device=device)
    layer = nn.RMSNorm(2).to(device)

    root = torch.tensor([[5.0], [12.5**0.5]], device=device)  # (1 + 49) / 2 and (9 + 16) / 2
    torch.testing.assert_close(layer(x), x / root, rtol=2**-20, atol=0)
    assert [(name, value.tolist()) for name, value in layer.named_parameters()] == [("weight", [1, 1])]


@pytest.mark.holds("torch>=2.1", otherwise=TypeError)
def test_layer_norm_without_a_bias(device):
    """From torch 2.1 on `nn.LayerNorm(..., bias=False)` has a weight and no bias; before, there was only
    `elementwise_affine=False`, which leaves out both.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.LayerNorm.html
    """
    layer = nn.LayerNorm(2, bias=False, device=device)

    assert [(name, value.tolist()) for name, value in layer.named_parameters()] == [("weight", [1, 1])]
    assert layer.bias is None
    y = layer(torch.tensor([[1.0, 3.0], [50.0, -50.0]], device=device)).cpu()
    assert y.round(decimals=2).tolist() == [[-1, 1], [1, -1]]


@pytest.mark.holds("torch>=2.1", otherwise=AttributeError)
def test_weight_norm_lives_in_parametrizations(device):
    """From torch 2.1 on `nn.utils.parametrizations.weight_norm` replaces the deprecated `nn.utils.weight_norm`: its
    parameters have other names, and it loads what the old one saved.

    Weight normalisation learns the length g and the direction v of each row of a weight.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.parametrizations.weight_norm.html
    """
    model = nn.utils.parametrizations.weight_norm(nn.Linear(2, 1)).to(device)
    names = ["bias", "parametrizations.weight.original0", "parametrizations.weight.original1"]
    assert [name for name, _ in model.named_parameters()] == names

    old = {"bias": torch.tensor([1.0]), "weight_g": torch.tensor([[10.0]]), "weight_v": torch.tensor([[3.0, 4.0]])}
    model.load_state_dict(old)
    torch.testing.assert_close(model.weight, torch.tensor([[6.0, 8.0]], device=device), rtol=2**-20, atol=0)
    with pytest.warns((UserWarning, FutureWarning), match="weight_norm.* is deprecated"):
        nn.utils.weight_norm(nn.Linear(2, 1))


@pytest.mark.holds("torch>=2.8", otherwise=AssertionError)
def test_a_backward_hook_warns_where_no_input_needs_a_gradient(device):
    """A full backward hook on the first layer has no gradient of the input to look at: it gets None, and from torch 2.8
    on a UserWarning says why.

    The data needs no gradient. What the hook does see is the gradient of the output; on a later layer it sees both.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    model, seen = nn.Linear(2, 3).to(device), []
    model.register_full_backward_hook(
        lambda module, of_inputs, of_outputs: seen.append((of_inputs, of_outputs[0].shape))
    )
    x = torch.ones(4, 2, device=device)

    with pytest.warns(UserWarning, match="no inputs require gradients|inputs require grad"):
        model(x).sum().backward()
    assert seen == [((None,), (4, 3))]

    model(x.requires_grad_()).sum().backward()  # and no warning
    assert seen[1][0][0].shape == (4, 2)
