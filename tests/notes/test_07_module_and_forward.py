"""`nn.Module`: how a model is written, called, registered, changed and frozen.

Having read this section you can write a model as a class, call it, and say which of its attributes an optimizer,
`.to(device)` and `state_dict()` find. You can replace, share and freeze layers, and you know what `nn.Linear`,
`nn.Sequential` and `nn.Flatten` do with the shapes and dtypes they are given. You know what the usual errors mean
("shapes cannot be multiplied", "must have the same dtype", "missing the required forward function"), and the mistakes
that raise nothing: a layer in a plain list, a misspelt `forward`, a frozen BatchNorm.

A model is an object of a class that derives from `nn.Module`. Its `__init__` makes the layers and keeps them as
attributes of `self`; its `forward` says what happens to an input.
"""

import copy
import itertools
import math
from collections import OrderedDict

import numpy as np
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


# Calling: what happens when you write model(x)?


def test_calling_a_module_runs_its_forward(device):
    """`model(...)` passes its positional and keyword arguments to `forward` and returns what `forward` returns, unless
    a hook changes them.

    Write in `forward` what the model does, and call `model(x)`. `forward` runs anew at every call.

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

    model.register_forward_hook(lambda module, args, output: "from the hook")
    assert model(x) == "from the hook"


@pytest.mark.parametrize("name", ["foward", "Forward", "__forward__", "predict"])
def test_module_without_forward_is_made_but_cannot_be_called(device, name):
    """A class derived directly from `nn.Module` whose `forward` is missing or misspelt can be instantiated and raises
    NotImplementedError when it is called as `model(x)`.

    The message says that the module "is missing the required "forward" function": look for a misspelt `forward`, or for
    one that is indented too far and lies inside `__init__`. A call with a keyword, `model(x=x)`, raises TypeError and
    names `_forward_unimplemented`: the mistake is the same.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    Model = type("Model", (nn.Module,), {name: lambda self, x: x})
    model = Model()

    with pytest.raises(NotImplementedError, match='missing the required "forward" function'):
        model(torch.zeros(2, device=device))
    with pytest.raises(TypeError, match="_forward_unimplemented"):
        model(x=torch.zeros(2, device=device))


def test_misspelt_forward_in_a_subclass_of_a_layer_is_never_called(device):
    """A misspelt `forward` in a subclass of `nn.Linear` raises nothing, and a call silently runs the `forward` of
    `nn.Linear`.

    The call falls back to the `forward` of the parent class. `nn.ModuleList` has none, and a parent of your own may
    have none: the call then raises NotImplementedError. Test a new layer on an input for which you know the answer.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """

    class Negated(nn.Linear):
        def foward(self, x):
            return -super().forward(x)

    layer = with_whole_numbers(Negated(3, 2, device=device))
    x = torch.ones(4, 3, device=device)

    assert torch.equal(layer(x), F.linear(x, layer.weight, layer.bias))
    assert torch.equal(layer.foward(x), -layer(x))

    class Base(nn.Module):
        pass

    for parent in (nn.ModuleList, Base):
        with pytest.raises(NotImplementedError, match='missing the required "forward" function'):
            type("Derived", (parent,), {"foward": lambda self, x: x})()(x)


def test_wrong_arguments_are_an_error_of_forward(device):
    """Calling a model written in Python with too many, too few or unknown arguments raises Python's TypeError, which
    names `forward`.

    The message counts `self`: "takes 2 positional arguments but 3 were given" means one argument too many, and
    "forward() missing 1 required positional argument" one too few. An `nn.Sequential` takes exactly one. A list in
    place of a tensor is an error of the function that `nn.Linear` calls in its `forward`: "linear(): argument 'input'
    (position 1) must be Tensor, not list".

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """

    class Model(nn.Module):
        def forward(self, image):
            return image

    x = torch.zeros(3, device=device)
    layer = nn.Linear(3, 2, device=device)

    with pytest.raises(TypeError, match=r"forward\(\) missing 1 required positional argument: 'input'"):
        layer()
    with pytest.raises(TypeError, match=r"forward\(\) got an unexpected keyword argument 'images'"):
        Model()(images=x)
    for model in (layer, Model(), nn.Sequential(nn.ReLU())):
        with pytest.raises(TypeError, match=r"forward\(\) takes 2 positional arguments but 3 were given"):
            model(x, x)
    with pytest.raises(TypeError, match=r"^linear\(\): argument 'input' \(position 1\) must be Tensor, not list"):
        layer([1.0, 2.0, 3.0])


def test_a_forward_without_return_gives_none(device):
    """A model whose `forward` has no `return` gives None and raises nothing: the line that uses the output raises.

    `F.cross_entropy(output, target)` raises TypeError, "must be Tensor, not NoneType", and `output.shape`
    AttributeError, "'NoneType' object has no attribute 'shape'". The same comes from a `return` that stands in one
    branch only, as in `if self.training: return x`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(2, 3)

        def forward(self, x):
            x = self.layer(x)  # and no return

    class Sometimes(Net):
        def forward(self, x):
            if self.training:
                return self.layer(x)

    x, target = torch.ones(1, 2, device=device), torch.tensor([0], device=device)

    assert Sometimes().to(device)(x).shape == (1, 3)
    for model in (Net(), Sometimes().eval()):
        output = model.to(device)(x)
        assert output is None
        with pytest.raises(TypeError, match="must be Tensor, not NoneType"):
            F.cross_entropy(output, target)
        with pytest.raises(AttributeError, match="'NoneType' object has no attribute 'shape'"):
            output.shape


@pytest.mark.myth("model(x) and model.forward(x) are the same")
def test_only_the_call_runs_hooks(device):
    """`model(x)` runs the forward hooks and pre-hooks registered on `model`, and `model.forward(x)` runs none of them.

    What relies on a hook of the model silently does nothing when `forward` is called by name. The hooks of the parts of
    an `nn.Sequential` still run, because its `forward` calls the parts as `part(x)`.

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
    """A forward hook is given the positional arguments and the output of a part, and what the hook returns replaces the
    output, unless it is None.

    A forward pre-hook runs before the part and replaces the arguments in the same way. A hook stays until you call
    `remove()` on what `register_forward_hook` returned, and after that still in a `copy.deepcopy` made before. To see
    keyword arguments, register the hook with `with_kwargs=True`. `prepend=True` puts a hook before earlier ones.

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
    copied = copy.deepcopy(model)
    after.remove()
    assert model(x).tolist() == [0, 2]
    assert copied(x).tolist() == [0, -2]
    assert len(seen) == 1

    model[0].register_forward_hook(lambda module, args, output: seen.append(args))
    model[0](input=x)
    assert seen[1] == ()
    model[0].register_forward_hook(lambda module, args, kwargs, output: seen.append([*kwargs]), with_kwargs=True)
    model[0](input=x)
    assert seen[3] == ["input"]
    model[1].register_forward_hook(lambda module, args, output: seen.append("earlier"))
    model[1].register_forward_hook(lambda module, args, output: seen.append("later"), prepend=True)
    model[1](x)
    assert seen[4:] == ["later", "earlier"]


def test_a_hook_on_the_out_proj_of_attention_never_runs(device):
    """A forward hook on the `out_proj` of an `nn.MultiheadAttention` does not run when the attention is called, because
    the attention computes with the weight of `out_proj` and does not call `out_proj`.

    A hook on a part runs only if the part itself is called. Put the hook on the attention, as here.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.MultiheadAttention.html
    """
    attention = nn.MultiheadAttention(4, num_heads=1).to(device)
    x = torch.ones(2, 1, 4, device=device)
    events = []
    attention.out_proj.register_forward_hook(lambda module, args, output: events.append("out_proj"))
    attention.register_forward_hook(lambda module, args, output: events.append("attention"))

    for mode in (True, False):
        attention.train(mode)(x, x, x)
        with torch.no_grad():
            attention(x, x, x)

    assert events == ["attention"] * 4


@pytest.mark.holds(
    "torch>=2.5", otherwise=AssertionError, change="result", concerns="torch.nn.TransformerEncoderLayer?"
)
def test_hooks_inside_a_transformer_layer_run_without_gradients():
    """From torch 2.5 on a forward hook on the `self_attn` of an `nn.TransformerEncoderLayer` also runs in evaluation
    mode under `no_grad`.

    Before, the layer of this note took a fast path there that ran no hooks of its parts; with gradients on they ran in
    every release. For a map of the attention such a hook is of no use: the layer asks for no weights, and the hook sees
    None. Call the attention itself: `layer.self_attn(x, x, x)` returns its output and its weights.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.TransformerEncoderLayer.html
    """
    layer = nn.TransformerEncoderLayer(4, nhead=2, dim_feedforward=8, batch_first=True).eval()
    x = torch.randn(2, 3, 4)
    seen = []
    layer.self_attn.register_forward_hook(lambda module, args, output: seen.append(output[1]))

    layer(x)
    assert seen == [None]
    assert layer.self_attn(x, x, x)[1].shape == (2, 3, 3)
    seen.clear()
    with torch.no_grad():
        layer(x)
    assert seen == [None]


def test_a_backward_hook_next_to_an_in_place_layer_raises(device):
    """A full backward hook on a trainable `nn.Linear`, or on the `nn.ReLU(inplace=True)` behind it, makes the forward
    pass raise RuntimeError while autograd records: "is a view and is being modified inplace".

    The message begins "Output 0 of BackwardHookFunction": the hook puts a function of its own into the graph, whose
    output nobody may change in-place. Set `module.inplace = False` on each ReLU in `model.modules()`. In a `forward`,
    `y += x` behind the Linear raises in the same way: write `y = y + x`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """

    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(2, 2)

        def forward(self, x):
            y = self.layer(x)
            y += x
            return y

    x = torch.ones(1, 2, device=device)
    residual = Residual().to(device)
    assert residual(x).shape == (1, 2)
    residual.layer.register_full_backward_hook(lambda *args: None)
    with pytest.raises(
        RuntimeError, match=r"Output 0 of BackwardHookFunction.*is a view and is being modified inplace"
    ):
        residual(x)

    for position in (0, 1):
        model = nn.Sequential(nn.Linear(2, 2), nn.ReLU(inplace=True), nn.Linear(2, 1)).to(device)
        runs = []
        model[position].register_full_backward_hook(lambda *args, runs=runs: runs.append("ran"))
        with pytest.raises(RuntimeError, match=r"Output 0 of BackwardHookFunction.*is a view and is being modified"):
            model(x)
        model[1].inplace = False
        model(x.clone().requires_grad_()).sum().backward()
        assert runs == ["ran"]


# super().__init__(): what happens if it is late or forgotten?


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
    """A module that assigns a layer or a Parameter, or calls `register_buffer`, before `super().__init__()` raises
    AttributeError.

    The message ends in "before Module.__init__() call". Make `super().__init__()` the first line of `__init__`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """

    class TooLate(nn.Module):
        def __init__(self):
            assign(self, device)
            super().__init__()

    with pytest.raises(AttributeError, match=r"before Module.__init__\(\) call$"):
        TooLate()


def test_without_super_init_plain_values_are_accepted_and_the_call_fails(device):
    """A module that forgets `super().__init__()` and assigns only plain values can be made, and raises AttributeError
    when it is called.

    The message, such as "'Net' object has no attribute '_backward_hooks'", names a private attribute and not the cause.
    A plain list of layers counts as a plain value.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """

    class Forgetful(nn.Module):
        def __init__(self):
            self.factor = 3
            self.layers = [nn.ReLU()]

        def forward(self, x):
            return self.layers[0](x) * self.factor

    model = Forgetful()

    assert model.factor == 3
    with pytest.raises(AttributeError, match="'Forgetful' object has no attribute '_") as caught:
        model(torch.ones(2, device=device))
    assert "__init__" not in str(caught.value)


# Registering: which attributes do the optimizer, .to() and state_dict() find?


def test_assignment_registers_parameters_and_layers(device):
    """Assigning a Parameter or a layer to a new attribute registers it, and each kind is listed in the order of
    assignment.

    `parameters()` lists the model's own Parameters before those of its layers, even if they were assigned later. A
    layer that replaces another keeps its place. A layer assigned to the name of a Parameter raises TypeError. The next
    note shows what comes of a name that the class has already.

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

    model.second = nn.Tanh()
    assert [name for name, child in model.named_children()] == ["second", "first"]
    with pytest.raises(TypeError, match="as parameter 'scale'"):
        model.scale = nn.Tanh()


def test_a_name_of_the_class_hides_a_layer(device):
    """A layer assigned to a name that the class of the model has already is registered and hidden: `model.name` gives
    what is in the class.

    Such names are those of a default in the class body, `head = None`, and of the methods of `nn.Module`: `type`,
    `apply`, `half`. A Parameter or a buffer of such a name raises KeyError. Take other names, and set defaults in
    `__init__`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """

    class Model(nn.Module):
        head = None

    model = Model()
    model.head = nn.Linear(2, 1, device=device)
    model.type = nn.Linear(2, 1, device=device)

    assert [name for name, child in model.named_children()] == ["head", "type"]
    assert model.head is None
    assert model.type == Model.type.__get__(model)
    with pytest.raises(TypeError, match="'NoneType' object is not callable"):
        model.head(torch.ones(2, device=device))

    for name in ("head", "half", "type"):
        with pytest.raises(KeyError, match=f"attribute '{name}' already exists"):
            setattr(Model(), name, nn.Parameter(torch.ones(1, device=device)))
        with pytest.raises(KeyError, match=f"attribute '{name}' already exists"):
            Model().register_buffer(name, torch.ones(1, device=device))


def test_a_property_that_fails_seems_to_be_missing():
    """If a property of a model raises AttributeError, such as for a misspelt `self.wieght`, the error names the
    property: "'Net' object has no attribute 'size'".

    The attribute that is really missing is not in the message. Python asks `nn.Module.__getattr__` for the property
    when it fails, and that knows parameters, buffers and layers only. A plain class names the right attribute. Other
    errors in a property come through. While you search, make a method of the property.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """

    class Net(nn.Module):
        @property
        def size(self):
            return self.wieght.shape

        @property
        def share(self):
            return 1 / 0

        def get_size(self):
            return self.wieght.shape

    class Plain:
        size = Net.size

    with pytest.raises(AttributeError, match="'Net' object has no attribute 'size'") as caught:
        Net().size
    assert "wieght" not in str(caught.value)
    for fails in (Net().get_size, lambda: Plain().size):
        with pytest.raises(AttributeError, match="no attribute 'wieght'"):
            fails()
    with pytest.raises(ZeroDivisionError):
        Net().share


@pytest.mark.parametrize("name", ["type", "keys", "pop", "train", "forward", "layer1.conv", ""])
def test_a_module_dict_refuses_some_names(name):
    """`nn.ModuleDict` raises KeyError for a key that is the name of one of its methods, such as "type" or "keys", for
    one with a dot, and for the empty string.

    Keys become names in the `state_dict`, where a dot parts the levels. Put a prefix before names that come from data,
    `f"task_{name}"`, and replace the dots.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.ModuleDict.html
    """
    with pytest.raises(KeyError):
        nn.ModuleDict({name: nn.ReLU()})

    heads = nn.ModuleDict({f"task_{name}".replace(".", "_"): nn.Linear(2, 1, bias=False)})
    assert list(heads.state_dict()) == ["task_" + name.replace(".", "_") + ".weight"]


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
        pytest.param(lambda: {part()}, [], id="set of layers"),
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
        pytest.param(lambda: (weight(),), [], id="tuple of Parameters"),
        pytest.param(lambda: {"a": weight()}, [], id="dict of Parameters"),
        pytest.param(lambda: {weight()}, [], id="set of Parameters"),
        pytest.param(lambda: nn.ParameterList([weight(), weight()]), ["x.0", "x.1"], id="ParameterList"),
        pytest.param(lambda: nn.ParameterDict({"a": weight()}), ["x.a"], id="ParameterDict"),
        pytest.param(lambda: torch.ones(2), [], id="tensor"),
        pytest.param(lambda: torch.ones(2, requires_grad=True), [], id="tensor with requires_grad"),
        pytest.param(lambda: nn.ParameterList([torch.ones(2)]), ["x.0"], id="ParameterList of tensors"),
        pytest.param(lambda: nn.ParameterDict({"a": torch.ones(2)}), ["x.a"], id="ParameterDict of tensors"),
    ],
)
def test_what_an_attribute_registers(device, value, registered):
    """A model registers a layer or Parameter assigned to an attribute, alone or in torch's own containers, and not one
    that is only in a plain list, tuple, dict or set.

    What is not registered is missing from `parameters()` and `state_dict()`. A plain tensor assigned to a new name is
    not registered either. An `nn.ParameterList` or `nn.ParameterDict` turns a tensor of floating-point numbers into a
    Parameter, and raises RuntimeError for one of integers.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.ModuleList.html
    """
    model = nn.Module()
    with torch.device(device):
        model.x = value()

    assert [name for name, parameter in model.named_parameters()] == registered
    assert list(model.state_dict()) == registered
    for container in (nn.ParameterList([]).append, lambda whole: nn.ParameterDict({"a": whole})):
        with pytest.raises(RuntimeError, match="floating point and complex"):
            container(torch.tensor([1, 2], device=device))


def test_layers_in_a_plain_list_are_not_trained(device):
    """A layer that is only in a plain list takes part in `forward` and gets a gradient, but an optimizer made from
    `model.parameters()` never changes it.

    The rest of the model trains, and nothing warns. Write `self.layers = nn.ModuleList([...])`. Layers that are
    attributes as well, `[self.first, self.second]`, are registered.

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
    model = Model(list)
    model.first = model.layers[0]
    assert any(parameter is model.layers[0].weight for parameter in model.parameters())


def test_optimizer_refuses_a_model_with_all_layers_in_a_plain_list(device):
    """An optimizer made from `model.parameters()` raises ValueError, "optimizer got an empty parameter list", if the
    layers of the model are in a plain list and nothing is registered.

    One registered Parameter is enough to silence the error, and so is a group, `[{"params": model.parameters()}]`. The
    layers in the list are still not trained.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.ModuleList.html
    """
    model = nn.Module()
    model.layers = [nn.Linear(2, 2, device=device), nn.Linear(2, 1, device=device)]

    with pytest.raises(ValueError, match="empty parameter list"):
        torch.optim.SGD(model.parameters(), lr=0.1)
    assert torch.optim.SGD([{"params": model.parameters()}], lr=0.1).param_groups[0]["params"] == []

    model.shift = nn.Parameter(torch.zeros(1, device=device))
    assert len(torch.optim.SGD(model.parameters(), lr=0.1).param_groups[0]["params"]) == 1


def test_layer_in_the_class_body_is_not_registered(device):
    """A layer in the body of a class, outside `__init__`, can be used in `forward` and is not registered.

    All models of the class share that one layer, and an optimizer made from `model.parameters()` does not have it.
    Write `self.layer = nn.Linear(2, 1)` in `__init__`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """

    class Model(nn.Module):
        layer = nn.Linear(2, 1, device=device)

        def forward(self, x):
            return self.layer(x)

    model, another = Model(), Model()

    assert model(torch.ones(4, 2, device=device)).shape == (4, 1)
    assert list(model.parameters()) == []
    assert list(model.state_dict()) == []
    assert model.layer is another.layer


def test_module_list_only_holds_layers(device):
    """Calling an `nn.ModuleList` or an `nn.ModuleDict`, as in `layers(x)`, raises NotImplementedError, because these
    containers hold layers and have no `forward`.

    Loop over the layers in the `forward` of your model, or use `nn.Sequential`, which can be called.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.ModuleList.html
    """
    layers = nn.ModuleList([nn.AvgPool1d(2), nn.ReLU()])
    named = nn.ModuleDict({"relu": nn.ReLU()})
    x = torch.tensor([[-2.0, 4.0]], device=device)

    for container in (layers, named):
        with pytest.raises(NotImplementedError, match='missing the required "forward" function'):
            container(x)
    assert nn.Sequential(*layers)(x).tolist() == [[1]]
    for layer in layers:
        x = layer(x)
    assert x.tolist() == [[1]]  # the other way round it would be 2


# Buffers and .to(): what belongs to the model and is not trained?


def test_buffer_is_registered_but_not_a_parameter(device):
    """`register_buffer` puts a tensor into `buffers()` and, unless `persistent=False`, into the `state_dict`, but not
    into `parameters()`.

    A buffer is for a tensor that belongs to the model and is not trained, such as a running mean or a mask.
    `register_buffer` leaves `requires_grad` as it is: a tensor that requires a gradient still does as a buffer. The
    name of a plain attribute, made by `self.mean = x`, raises KeyError "attribute 'mean' already exists"; the name of a
    buffer does not.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    model = nn.Module()
    model.register_buffer("mean", torch.tensor([1.0, 2.0], device=device))
    model.register_buffer("mask", torch.tensor([True, False], device=device), persistent=False)
    model.register_buffer("odd", torch.tensor([5.0], device=device, requires_grad=True))

    assert {name: buffer.tolist() for name, buffer in model.named_buffers()} == {
        "mean": [1, 2],
        "mask": [True, False],
        "odd": [5],
    }
    assert list(model.parameters()) == []
    assert [model.mean.requires_grad, model.odd.requires_grad] == [False, True]
    assert list(model.state_dict()) == ["mean", "odd"]
    model.plain = torch.tensor([1.0], device=device)
    with pytest.raises(KeyError, match="attribute 'plain' already exists"):
        model.register_buffer("plain", model.plain)
    model.register_buffer("mean", model.plain)
    assert model.mean is model.plain


def test_a_tensor_assigned_to_a_buffer_is_the_new_buffer(device):
    """A plain tensor assigned to the name of a buffer becomes the buffer, while a Parameter assigned to that name
    becomes a parameter.

    Update a buffer in `forward` with `self.mean = new`. Write `new.detach()` if it was computed from parameters: the
    buffer would keep the graph of the computation alive.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    model = nn.Module()
    model.register_buffer("mean", torch.tensor([1.0, 2.0], device=device))

    model.mean = model.mean * 3
    assert [(name, buffer.tolist()) for name, buffer in model.named_buffers()] == [("mean", [3, 6])]
    assert list(model.state_dict()) == ["mean"]
    model.mean = nn.Parameter(model.mean) * 2
    assert [(name, buffer.grad_fn is None) for name, buffer in model.named_buffers()] == [("mean", False)]
    with pytest.raises(TypeError, match="cannot assign 'float' as buffer"):
        model.mean = 3.0

    model.mean = nn.Parameter(torch.ones(2, device=device))
    assert list(model.buffers()) == []
    assert [name for name, parameter in model.named_parameters()] == ["mean"]


@pytest.mark.holds("torch>=2.5", otherwise=AttributeError, change="new", concerns="torch.nn.Buffer")
def test_nn_buffer_registers_by_assignment(device):
    """From torch 2.5 on, assigning `nn.Buffer(tensor)` to a name that is free or a buffer's registers the tensor as a
    buffer.

    `register_buffer` works in every release. A name that holds a plain attribute raises KeyError, and that of a
    Parameter or a layer raises TypeError: delete the attribute first.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.parameter.Buffer.html
    """
    model = nn.Module()
    model.mean = nn.Buffer(torch.tensor([1.0, 2.0], device=device))

    assert [(name, buffer.tolist()) for name, buffer in model.named_buffers()] == [("mean", [1, 2])]
    assert list(model.parameters()) == []
    assert list(model.state_dict()) == ["mean"]

    model.count = torch.tensor(0, device=device)
    with pytest.raises(KeyError, match="already exists"):
        model.count = nn.Buffer(torch.tensor(0, device=device))
    layer = nn.Sequential(nn.Linear(2, 1, device=device))
    with pytest.raises(TypeError, match="as parameter 'weight'"):
        layer[0].weight = nn.Buffer(torch.ones(1, 2, device=device))
    with pytest.raises(TypeError, match="as child module '0'"):
        setattr(layer, "0", nn.Buffer(torch.ones(2, device=device)))
    model.mean = nn.Buffer(torch.tensor([3.0], device=device))
    assert [buffer.tolist() for buffer in model.buffers()] == [[3]]
    del model.count
    model.count = nn.Buffer(torch.tensor(0, device=device))
    assert list(model.state_dict()) == ["mean", "count"]


def test_to_converts_what_is_registered(device):
    """`model.to(torch.float16)` converts floating-point parameters and buffers in the model itself, and leaves integer
    buffers and unregistered tensors as they are.

    `model.to(...)` needs no assignment, unlike `tensor.to(...)`. `model.to(device)` moves integer buffers too. A plain
    tensor or a layer in a plain list stays behind: register the tensor as a buffer, put the layer in a ModuleList. A
    dtype of whole numbers raises TypeError.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    model = nn.Module()
    model.weight = nn.Parameter(torch.ones(2, device=device))
    model.register_buffer("mean", torch.ones(2, device=device))
    model.register_buffer("count", torch.tensor(3, device=device))
    model.tensor = torch.ones(2, device=device)
    model.layers = [nn.Linear(2, 1, device=device)]
    parameter = model.weight

    with pytest.raises(TypeError, match="only accepts floating point or complex"):
        model.to(torch.int64)
    returned = model.to(torch.float16)
    model.tensor.to(torch.float16)

    assert returned is model
    assert model.weight is parameter
    assert [model.weight.dtype, model.mean.dtype] == [torch.float16, torch.float16]
    assert [model.count.dtype, model.tensor.dtype, model.layers[0].weight.dtype] == [
        torch.int64,
        torch.float32,
        torch.float32,
    ]

    model.to("meta")
    assert [x.device.type for x in (model.weight, model.mean, model.count)] == ["meta"] * 3
    assert [x.device for x in (model.tensor, model.layers[0].weight)] == [parameter.device] * 2


def test_to_a_float_dtype_makes_complex_parameters_real():
    """`model.to(torch.float64)` turns complex parameters into real ones and drops their imaginary part, while
    `model.double()` leaves complex parameters complex.

    A UserWarning says so the first time. `model.to(torch.complex128)` converts a complex model, and makes its real
    parameters complex, too.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    model = nn.Module()
    model.weight = nn.Parameter(torch.tensor([1 + 2j]))

    model.double()
    assert model.weight.dtype == torch.complex64
    with pytest.warns(UserWarning, match="discards the imaginary part"):
        model.to(torch.float64)
    assert model.weight.dtype == torch.float64
    assert model.weight.tolist() == [1]
    model.phase = nn.Parameter(torch.tensor([1 + 2j]))
    with pytest.warns(UserWarning, match="Complex modules"):
        model.to(torch.complex128)
    assert [model.phase.tolist(), model.weight.dtype] == [[1 + 2j], torch.complex128]


# Finding and replacing: how do you get at a part of a model?


def test_assigning_again_replaces(device):
    """Assigning a new layer to an attribute replaces the old layer in `children()` and `parameters()`.

    Give a trained model a new head with `model.head = nn.Linear(3, 2)`, and make the optimizer afterwards.
    `del model.tail` removes a layer.

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


def test_children_modules_and_names(device):
    """`children()` gives the direct parts of a model, and `modules()` gives the model itself and its registered parts
    at every depth.

    `named_modules()` adds a dotted path such as "0.1", and the empty string for the model itself. A part that is used
    twice is listed once, under the first of its names.

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
    assert [name for name, module in nn.Sequential(body, body).named_modules()] == ["", "0", "0.0", "0.1"]


@pytest.mark.holds("torch>=2.5", otherwise=AttributeError, change="new", concerns="torch.nn.Module.set_submodule")
def test_set_submodule_replaces_a_part_by_its_dotted_name(device):
    """From torch 2.5 on, `model.set_submodule("0.1", layer)` replaces the part with that dotted name, at any depth.

    In every release `setattr(model.get_submodule("0"), "1", layer)` does the same. Mind the last name: by default one
    that does not exist is silently added as a new part.

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

    setattr(model.get_submodule("0"), "1", last)
    assert model[0][1] is last
    model.set_submodule("0.7", new)
    assert [name for name, module in model[0].named_children()] == ["0", "1", "7"]


def test_apply_visits_parts_before_the_whole(device):
    """`model.apply(function)` calls the function on the registered parts at every depth and on the model itself, each
    part before the module that contains it, and returns the model.

    Initialise weights with it: in the function, ask `isinstance(module, nn.Linear)`. A part that two containers share
    is visited twice.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    model = nn.Sequential(nn.Sequential(nn.Linear(2, 3), nn.ReLU()), nn.Flatten()).to(device)
    visited = []

    returned = model.apply(visited.append)

    assert visited == [model[0][0], model[0][1], model[0], model[1], model]
    assert returned is model

    shared = nn.Linear(2, 2, device=device)
    visited.clear()
    nn.Sequential(nn.Sequential(shared), nn.Sequential(shared)).apply(visited.append)
    assert [module is shared for module in visited] == [True, False, True, False, False]


@given(sizes=st.lists(st.integers(1, 5), min_size=2, max_size=4))
def test_parameter_count_for_every_chain_of_linear_layers(device, sizes):
    """An `nn.Linear` has `inputs * outputs` weights and, unless `bias=False`, `outputs` biases, and a chain of separate
    Linear layers has the sum of these numbers.

    Count the numbers in a model with `sum(p.numel() for p in model.parameters())`, which counts a layer that is used
    twice once.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html
    """

    def count(*layers):
        return sum(parameter.numel() for parameter in nn.Sequential(*layers).to(device).parameters())

    pairs = list(itertools.pairwise(sizes))
    shared = nn.Linear(4, 4)

    assert count(*[nn.Linear(i, o) for i, o in pairs]) == sum(i * o + o for i, o in pairs)
    assert count(*[nn.Linear(i, o, bias=False) for i, o in pairs]) == sum(i * o for i, o in pairs)
    assert count(shared, shared) == 4 * 4 + 4


# Parameters: what makes a tensor trainable?


def test_parameter_needs_a_gradient_by_default(device):
    """`nn.Parameter(tensor)` of floating-point numbers requires a gradient unless told otherwise, even if the tensor
    does not, and shares the memory of the tensor.

    A write to the tensor changes the Parameter: write `nn.Parameter(tensor.clone())` to keep them apart. After a block
    of `torch.inference_mode()`, a tensor computed in it raises RuntimeError without `clone()`. Wrapping a frozen
    Parameter again makes a trainable one.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.parameter.Parameter.html
    """
    tensor = torch.tensor([1.0, 2.0], device=device)
    parameter = nn.Parameter(tensor)
    frozen = nn.Parameter(tensor, requires_grad=False)
    apart = nn.Parameter(tensor.clone())

    assert [tensor.requires_grad, parameter.requires_grad] == [False, True]
    assert [frozen.requires_grad, nn.Parameter(frozen).requires_grad] == [False, True]
    tensor[0] = 7
    assert [parameter.tolist(), apart.tolist()] == [[7, 2], [1, 2]]
    assert parameter.is_leaf
    assert isinstance(parameter, torch.Tensor)

    with torch.inference_mode():
        tensor = tensor * 2
    with pytest.raises(RuntimeError, match="requires_grad=True on inference tensor"):
        nn.Parameter(tensor)
    assert nn.Parameter(tensor.clone()).requires_grad


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.bool], ids=str)
def test_whole_numbers_make_no_trainable_parameter(device, dtype):
    """`nn.Parameter` of a tensor of integers or booleans raises RuntimeError unless `requires_grad=False`.

    Only floating-point and complex tensors can require gradients. `torch.tensor([1, 2])` holds integers: write
    `torch.tensor([1.0, 2.0])`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.parameter.Parameter.html
    """
    whole = torch.tensor([1, 0], device=device).to(dtype)

    with pytest.raises(RuntimeError, match="floating point and complex"):
        nn.Parameter(whole)
    assert nn.Parameter(whole, requires_grad=False).dtype == dtype
    assert torch.tensor([1, 2]).dtype == torch.int64
    assert nn.Parameter(torch.tensor([1.0, 2.0], device=device)).requires_grad
    assert nn.Parameter(torch.tensor([1j])).requires_grad


@pytest.mark.parametrize(
    "change",
    [
        lambda parameter: parameter * 2,
        lambda parameter: parameter.to(torch.float16),
        lambda parameter: parameter[:1],
        lambda parameter: parameter.to("meta"),
    ],
    ids=["scaled", "converted", "sliced", "moved"],
)
def test_what_is_computed_from_a_parameter_is_not_one(device, change):
    """A new tensor computed from a Parameter is a plain tensor, and assigning it to a new attribute registers no
    parameter.

    `nn.Parameter(x).to(device)` hides the mistake on the CPU: `.to` returns the Parameter itself if it has nothing to
    do, so the layer loses its parameter only where `x` has to move. Move or scale the tensor first, and wrap it last.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.parameter.Parameter.html
    """
    tensor = torch.tensor([1.0, 2.0], device=device)
    model = nn.Module()
    model.wrong = change(nn.Parameter(tensor))
    model.right = nn.Parameter(change(tensor))

    assert [name for name, parameter in model.named_parameters()] == ["right"]
    assert [model.wrong.is_leaf, model.right.is_leaf] == [False, True]
    parameter = nn.Parameter(tensor)
    assert parameter.to(device) is parameter


def test_tensor_cannot_take_the_place_of_a_parameter(device):
    """Assigning a plain tensor to an attribute that is a registered Parameter raises TypeError.

    Wrap the tensor in `nn.Parameter`, or copy its values with `layer.weight.copy_(new)` under `torch.no_grad()`. An
    optimizer made before still holds the Parameter it was given, so only the copy reaches it.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.parameter.Parameter.html
    """
    layer = nn.Linear(2, 1, device=device)
    original = layer.weight
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    new = torch.tensor([[1.0, 2.0]], device=device)

    with pytest.raises(TypeError, match="as parameter 'weight'"):
        layer.weight = new
    with torch.no_grad():
        layer.weight.copy_(new)

    assert layer.weight is original
    assert layer.weight.tolist() == [[1, 2]]
    assert layer.weight.requires_grad
    layer.weight = nn.Parameter(new)
    assert layer.weight is not original
    assert optimizer.param_groups[0]["params"][0] is original


# Freezing and sharing: which parameters move?


def test_frozen_parameters_get_no_gradient_and_do_not_move(device):
    """`module.requires_grad_(False)` before the first `backward()` freezes the parameters of the module at every depth:
    they get no gradient, and the optimizer does not move them.

    The two notes below show what freezing does not stop: the last gradient, if it comes later, and buffers.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    body = nn.Sequential(nn.Linear(2, 3, device=device), nn.Sequential(nn.Linear(3, 3, device=device)))
    model = nn.Sequential(body, nn.Linear(3, 1, device=device))
    before = [parameter.tolist() for parameter in model.parameters()]

    returned = body.requires_grad_(False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9, weight_decay=0.1)
    model(torch.tensor([[1.0, 2.0]], device=device)).sum().backward()
    optimizer.step()

    assert returned is body
    assert [parameter.requires_grad for parameter in model.parameters()] == [False] * 4 + [True] * 2
    assert [parameter.grad is None for parameter in model.parameters()] == [True] * 4 + [False] * 2
    assert [parameter.tolist() for parameter in body.parameters()] == before[:4]
    assert model[1].weight.tolist() != before[4]
    assert model[1].bias.tolist() != before[5]


def test_a_layer_frozen_late_moves_until_zero_grad(device):
    """A layer frozen after a `backward()` keeps its last gradient, and each `optimizer.step()` still uses it until
    `optimizer.zero_grad()` is called.

    `zero_grad(set_to_none=False)` is not enough: it leaves a gradient of zeros, with which SGD with momentum goes on
    moving the layer.

    https://docs.pytorch.org/docs/stable/generated/torch.optim.Optimizer.zero_grad.html
    """
    layer = nn.Linear(1, 1, device=device)
    nn.init.zeros_(layer.bias)
    optimizer = torch.optim.SGD(layer.parameters(), lr=1, momentum=0.5)
    layer(torch.ones(1, 1, device=device)).backward()

    layer.requires_grad_(False)
    biases = []
    for _ in range(2):
        optimizer.step()
        biases.append(layer.bias.item())
    optimizer.zero_grad(set_to_none=False)
    optimizer.step()
    biases.append(layer.bias.item())
    optimizer.zero_grad()
    optimizer.step()
    biases.append(layer.bias.item())

    assert biases == [-1, -2.5, -3.25, -3.25]


def test_a_frozen_batch_norm_still_changes_its_running_statistics(device):
    """A frozen `nn.BatchNorm1d` in training mode still updates its running mean and variance with every batch.

    `requires_grad_(False)` freezes parameters, and the running statistics are buffers. Call `eval()` on the layer to
    stop them, again after every `model.train()`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BatchNorm1d.html
    """
    layer = nn.BatchNorm1d(1, momentum=0.5).to(device).requires_grad_(False)
    batch = torch.tensor([[3.0], [5.0]], device=device)

    layer(batch)
    assert [layer.running_mean.tolist(), layer.running_var.tolist()] == [[2], [1.5]]
    layer.eval()(batch)
    assert [layer.running_mean.tolist(), layer.running_var.tolist()] == [[2], [1.5]]
    layer.train()(batch)
    assert [layer.running_mean.tolist(), layer.running_var.tolist()] == [[3], [1.75]]


@pytest.mark.myth("a frozen layer stops the gradient")
def test_frozen_layer_passes_the_gradient_on(device):
    """A frozen `nn.Linear` gets no gradient of its own and still passes the gradient on to trainable layers before it.

    To stop the gradient in front of the frozen layer, write `frozen(first(x).detach())`, or compute both layers under
    `torch.no_grad()`.

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
    assert frozen(first(x).detach()).requires_grad is False
    with torch.no_grad():
        assert frozen(first(x)).requires_grad is False


def test_a_model_that_keeps_a_result_cannot_be_copied(device):
    """`copy.deepcopy` of a model raises RuntimeError "Only Tensors created explicitly by the user (graph leaves)
    support the deepcopy protocol" if it keeps a tensor with a gradient history, such as `self.last = y`.

    Keep `y.detach()`, or store outputs outside of the model with a forward hook that is a plain function. The copy has
    parameters of its own with the same numbers, so an optimizer of the original does not train it.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """

    class Keeping(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(2, 1)

        def forward(self, x):
            self.last = self.layer(x)
            return self.last

    model = Keeping().to(device)
    copy.deepcopy(model)
    y = model(torch.ones(3, 2, device=device))
    with pytest.raises(RuntimeError, match=r"Only Tensors created explicitly by the user \(graph leaves\) support"):
        copy.deepcopy(model)

    model.last = y.detach()
    copied, kept = copy.deepcopy(model), []
    assert torch.equal(copied.layer.weight, model.layer.weight)
    y.sum().backward()
    torch.optim.SGD(model.parameters(), lr=1.0).step()
    assert not torch.equal(copied.layer.weight, model.layer.weight)
    hooked = nn.Linear(2, 1).to(device)
    hooked.register_forward_hook(lambda module, args, output: kept.append(output))
    hooked(torch.ones(3, 2, device=device))
    assert torch.equal(copy.deepcopy(hooked).weight, hooked.weight)
    assert kept[0].requires_grad


def test_shared_module_counts_once(device):
    """A module used in two places is one module with one set of parameters, and its gradient is the sum over both uses.

    `modules()` and `parameters()` list a shared module once. `state_dict()` lists it twice, under both of its names.

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
    assert list(model.state_dict()) == ["0.weight", "1.weight"]
    assert y.item() == 3 * 3 * 2
    assert shared.weight.grad.tolist() == [[2 * 3 * 2]]  # the derivative of w * w * 2


def test_layer_made_in_forward_is_new_at_every_call(device):
    """An `nn.Linear` made in every call of `forward` starts from new random weights each time, so it is never trained.

    A local one is not in `parameters()`. `self.layer = nn.Linear(...)` is, but the optimizer has an old one or none. An
    `nn.LayerNorm` hides the mistake: it starts from ones and zeros each time. A layer made once, behind `if not
    hasattr(self, "layer")`, comes too late for an optimizer built before. Make layers in `__init__`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """

    class Careless(nn.Module):
        def forward(self, x):
            return nn.Linear(4, 4, device=x.device)(x)

    class Hidden(nn.Module):
        def forward(self, x):
            return nn.LayerNorm(4, device=x.device)(x)

    class Assigned(nn.Module):
        def forward(self, x):
            self.layer = nn.Linear(4, 4, device=x.device)
            return self.layer(x)

    class Once(Assigned):
        def forward(self, x):
            return self.layer(x) if hasattr(self, "layer") else super().forward(x)

    careless, hidden, assigned, once = Careless(), Hidden(), Assigned(), Once()
    x = torch.tensor([1.0, 2.0, 3.0, 4.0], device=device)

    assert not torch.equal(careless(x), careless(x))
    assert torch.equal(hidden(x), hidden(x))
    assert list(careless.parameters()) == list(hidden.parameters()) == list(once.parameters()) == []
    assert torch.equal(once(x), once(x))
    assert len(list(once.parameters())) == 2
    assert not torch.equal(assigned(x), assigned(x))
    optimizer = torch.optim.SGD(assigned.parameters(), lr=0.1)
    assigned(x)
    assert [name for name, parameter in assigned.named_parameters()] == ["layer.weight", "layer.bias"]
    assert all(parameter is not assigned.layer.weight for parameter in optimizer.param_groups[0]["params"])


# Linear: which shapes and dtypes does it take?


def test_linear_is_x_times_weight_transposed_plus_bias(device):
    """`nn.Linear(inputs, outputs)` computes `x @ weight.T + bias`, with a weight of shape (outputs, inputs) and a bias
    of shape (outputs,).

    Row i of the weight belongs to output i. With `bias=False` the attribute `bias` is None.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html
    """
    layer = nn.Linear(3, 2, device=device)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]))
        layer.bias.copy_(torch.tensor([10.0, 20.0]))
    x = torch.tensor([[1.0, 0.0, -1.0], [0.0, 1.0, 2.0]], device=device)

    assert layer(x).tolist() == [[8, 18], [18, 37]]
    assert (x @ layer.weight.T + layer.bias).tolist() == [[8, 18], [18, 37]]
    assert (x @ layer.weight[1] + layer.bias[1]).tolist() == [18, 37]
    assert [tuple(layer.weight.shape), tuple(layer.bias.shape)] == [(2, 3), (2,)]
    assert nn.Linear(3, 2, bias=False).bias is None


@pytest.mark.parametrize("batch", [(4,), (2, 4), (2, 5, 4), (0,)], ids=str)
def test_linear_works_on_the_last_dimension(device, batch):
    """An `nn.Linear` treats each vector along the last dimension by itself, whatever dimensions come before the last.

    A batch of sequences of shape (batch, time, features) needs no loop and no reshape.

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
@example(batch=[0], inputs=5, outputs=5, bias=True)
def test_linear_for_every_shape(device, batch, inputs, outputs, bias):
    """An `nn.Linear(inputs, outputs)` turns a tensor of shape (..., inputs) into one of shape (..., outputs), also if
    the dots stand for nothing or for an empty batch.

    A 0-d tensor has no last dimension and raises RuntimeError on the CPU: give a single number the shape (1,).

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
    with pytest.raises(RuntimeError, match=r"at least 1D|invalid index"):
        nn.Linear(1, outputs)(torch.tensor(3.0))


@pytest.mark.filterwarnings("ignore:Lazy modules are a new feature:UserWarning")
@pytest.mark.parametrize("shape", [(2, 4), (5, 2, 4), (3, 4)], ids=str)
def test_wrong_number_of_features_raises(device, shape):
    """An `nn.Linear(3, 2)` raises RuntimeError when it is called with a last dimension other than 3: for a contiguous
    float32 tensor on the CPU or on CUDA "mat1 and mat2 shapes cannot be multiplied".

    On the CPU the message shows the input as a matrix, (5, 2, 4) as 10x4, and then inputs x outputs of the layer, 3x2.
    Two layers that do not fit together raise when they are called, not when they are put into a Sequential. Behind
    convolutions and `nn.Flatten()` a Linear needs channels * height * width inputs; `nn.LazyLinear` counts them.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html
    """
    model = nn.Sequential(nn.Linear(4, 3, device=device), nn.Linear(2, 1, device=device))
    layer = nn.Linear(3, 2, device=device)
    x = torch.ones(shape, device=device)

    who = "mat1 and mat2" if device.type in ("cpu", "cuda") else ""  # mps names the input and the weight
    with pytest.raises(RuntimeError, match=who + r" shapes cannot be multiplied \([\dx]+x4 and 3x2\)"):
        layer(x)
    with pytest.raises(RuntimeError, match=r"shapes cannot be multiplied \([\dx]+x3 and 2x1\)"):
        model(x)
    with pytest.raises(RuntimeError, match=r"shapes cannot be multiplied \(10x4 and 3x2\)"):
        nn.Linear(3, 2)(torch.ones(5, 2, 4))
    with pytest.raises(RuntimeError):
        layer(torch.ones(2, 4, 5, device=device).transpose(1, 2))
    with pytest.raises(RuntimeError, match="dtype"):
        nn.Linear(3, 2)(torch.ones(5, 4, dtype=torch.float64))

    images = torch.ones(2, 3, 8, 6, device=device)
    for last in (nn.Linear(4 * 6 * 4, 1), nn.LazyLinear(1)):
        assert nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), last).to(device)(images).shape == (2, 1)
    assert last.in_features == 4 * 6 * 4


def test_sizes_of_layers_are_whole_numbers():
    """`nn.Linear(10 / 2, 3)` raises TypeError, "tuple of ints", because `10 / 2` is the float 5.0: write
    `nn.Linear(10 // 2, 3)`.

    The message names `empty()`, which makes the weight. `nn.Conv2d(3.0, 4, 3)`, `nn.Embedding(3.0, 2)` and
    `nn.BatchNorm1d(3.0)` raise it as well, and so does `nn.Linear` for None and for a NumPy float. A NumPy integer is
    taken.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html
    """
    for make in (
        lambda: nn.Linear(10 / 2, 3),
        lambda: nn.Linear(np.float64(5), 3),
        lambda: nn.Linear(None, 3),
        lambda: nn.Conv2d(3.0, 4, 3),
        lambda: nn.Embedding(3.0, 2),
        lambda: nn.BatchNorm1d(3.0),
    ):
        with pytest.raises(TypeError, match=r"empty\(\)(.|\n)*tuple of ints"):
            make()
    assert nn.Linear(10 // 2, 3).weight.shape == nn.Linear(np.int64(5), 3).weight.shape == (3, 5)


def test_one_feature_needs_its_own_dimension():
    """A 1-d tensor of N numbers is one sample of N features to `nn.Linear(1, 1)`, and on the CPU raises RuntimeError
    unless N is 1.

    For N samples of one feature give it the shape (N, 1): write `x.unsqueeze(1)`.

    https://docs.pytorch.org/docs/stable/generated/torch.unsqueeze.html
    """
    # On the CPU only: for a single sample mps raises another error, of its own message.
    layer = nn.Linear(1, 1)
    x = torch.tensor([1.0, 2.0, 3.0])

    with pytest.raises(RuntimeError, match=r"shapes cannot be multiplied \(1x3 and 1x1\)"):
        layer(x)
    assert layer(x.unsqueeze(1)).shape == (3, 1)
    assert layer(x[:1]).shape == (1,)


@pytest.mark.parametrize(
    "dtype",
    [torch.float64, torch.int64, torch.float16, torch.bfloat16, torch.uint8, torch.bool],
    ids=str,
)
def test_linear_wants_the_dtype_of_its_weights(dtype):
    """A float32 `nn.Linear` with a bias raises RuntimeError on the CPU, "must have the same dtype", for a contiguous
    2-d batch of float64, half precision, integers or booleans, outside of `torch.autocast`.

    NumPy's decimals are float64 by default: write `x.float()`. Inside `torch.autocast("cpu", dtype=torch.bfloat16)` a
    batch of float16 or float32 gives bfloat16, and one of float64 or int64 still raises. With `bias=False` the message
    is another, such as "to have the same dtype".

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html
    """
    # On the CPU only: not every accelerator has float64, and each says it in its own words.
    layer = nn.Linear(3, 2)
    x = torch.ones(2, 3, dtype=dtype)

    with pytest.raises(RuntimeError, match="must have the same dtype"):
        layer(x)
    with pytest.raises(
        RuntimeError, match=r"to have the same dtype|expected scalar type|not implemented for"
    ) as caught:
        nn.Linear(3, 2, bias=False)(x)
    assert "must have" not in str(caught.value)
    assert layer(x.float()).dtype == torch.float32
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert layer(x.half()).dtype == layer(x.float()).dtype == torch.bfloat16
        for other in (x.double(), x.long()):
            with pytest.raises(RuntimeError, match="must have the same dtype"):
                layer(other)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.complex64], ids=str)
def test_linear_computes_in_the_dtype_of_its_weights(dtype):
    """On the CPU an `nn.Linear` made with `dtype=` float64, bfloat16 or complex64 has weights of that dtype, takes
    inputs of that dtype and gives outputs of it.

    A dtype of whole numbers raises RuntimeError when the layer is made, because it cannot be trained.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html
    """
    # On the CPU: not every accelerator has these dtypes.
    layer = with_whole_numbers(nn.Linear(3, 2, dtype=dtype))
    x = torch.tensor([[1, 2, 3], [4, 5, -6]], dtype=dtype) * (1 + 2**-30)  # float64 shows whether it is kept

    y = layer(x)

    assert [layer.weight.dtype, layer.bias.dtype, y.dtype] == [dtype] * 3
    assert torch.equal(y, (x.unsqueeze(-2) * layer.weight).sum(-1) + layer.bias)
    with pytest.raises(RuntimeError, match="floating point and complex"):
        nn.Linear(3, 2, dtype=torch.int64)


def test_an_embedding_takes_whole_numbers():
    """`nn.Embedding(4, 2)` takes indices of dtype int64 or int32: a float32 tensor raises RuntimeError, "Expected
    tensor for argument #1 'indices' to have one of the following scalar types: Long, Int".

    A uint8 tensor raises it, too: write `indices.long()`. The indices are 0 to 3 here, and on the CPU 4 and -1 raise
    IndexError, "index out of range in self". One-hot rows are no indices: `rows @ embedding.weight` looks them up.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Embedding.html
    """
    embedding, indices = nn.Embedding(4, 2), torch.tensor([3, 0])

    assert embedding(indices).shape == (2, 2)
    assert (embedding(indices) == embedding(indices.int())).all()
    for dtype in (torch.float32, torch.uint8):
        with pytest.raises(RuntimeError, match="Expected tensor for argument #1 'indices' to have one of the"):
            embedding(indices.to(dtype))
    for wrong in (4, -1):
        with pytest.raises(IndexError, match="index out of range in self"):
            embedding(torch.tensor([wrong]))
    torch.testing.assert_close(F.one_hot(indices, 4).float() @ embedding.weight, embedding(indices))


def test_batchnorm_wants_its_features_in_dimension_1(device):
    """`nn.BatchNorm1d(4)` wants 4 features in dimension 1: an input of shape (2, 3) raises RuntimeError, "running_mean
    should contain 3 elements not 4".

    A sequence (batch, time, features) raises as well, unless time and features are equally many: then the wrong
    dimension is normalised silently. Write `norm(x.transpose(1, 2)).transpose(1, 2)`. `nn.BatchNorm2d` of the output of
    a Linear raises ValueError, "expected 4D input (got 2D input)": take `nn.BatchNorm1d`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BatchNorm1d.html
    """
    norm = nn.BatchNorm1d(4).to(device)
    sequence = torch.arange(24.0, device=device).reshape(2, 3, 4)

    with pytest.raises(RuntimeError, match="running_mean should contain 3 elements not 4"):
        norm(sequence[:, :, 0])
    with pytest.raises(RuntimeError, match="running_mean should contain 3 elements not 4"):
        norm(sequence)
    with pytest.raises(ValueError, match=r"expected 4D input \(got 2D input\)"):
        nn.BatchNorm2d(4).to(device)(sequence[:, 0])
    assert norm(sequence[:, 0]).shape == (2, 4)

    y = norm(sequence.transpose(1, 2)).transpose(1, 2)
    assert y.shape == (2, 3, 4)
    assert y.mean(dim=(0, 1)).abs().max() < 1e-4
    square = torch.cat([sequence, sequence[:, :1]], dim=1)  # four steps of four features
    assert norm(square).mean(dim=(0, 2)).abs().max() < 1e-4
    assert norm(square).mean(dim=(0, 1)).abs().max() > 0.1


def test_layernorm_normalises_the_last_dimension(device):
    """`nn.LayerNorm(4)` normalises the last dimension, which has to be of size 4: an input of shape (2, 4, 3) raises
    RuntimeError, "Given normalized_shape=[4], expected input with shape [*, 4]".

    For channels in dimension 1 write `norm(x.transpose(1, 2)).transpose(1, 2)`. `nn.GroupNorm(3, 4)` raises ValueError,
    "must be divisible by num_groups": it has 4 channels for 3 groups.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.LayerNorm.html
    """
    norm = nn.LayerNorm(4).to(device)
    sequence = torch.arange(24.0, device=device).reshape(2, 3, 4)
    channels_first = sequence.transpose(1, 2)

    assert norm(sequence).mean(dim=2).abs().max() < 1e-4
    with pytest.raises(RuntimeError, match=r"Given normalized_shape=\[4\], expected input with shape \[\*, 4\]"):
        norm(channels_first)
    normalised = norm(channels_first.transpose(1, 2)).transpose(1, 2)
    assert normalised.shape == channels_first.shape
    assert normalised.mean(dim=1).abs().max() < 1e-4
    with pytest.raises(ValueError, match="must be divisible by num_groups"):
        nn.GroupNorm(3, 4)


@pytest.mark.holds(
    'torch!=2.1.*,!=2.2.*; platform_machine == "x86_64" or platform_machine == "AMD64"',
    otherwise=AssertionError,
    change="result",
    concerns="torch.nn.LSTM?",
)
def test_a_recurrent_layer_names_its_wrong_sizes():
    """`nn.LSTM(10, 4)` wants 10 numbers in the last dimension: on the CPU an input of shape (2, 3, 5) raises
    RuntimeError, "input.size(-1) must be equal to input_size", but torch 2.1 and 2.2 on Intel and AMD raise nothing.

    There the call returns numbers. The message goes on: "Expected 10, got 5". Two dimensions are one sequence without
    a batch, and a state with a batch raises then: "For unbatched 2-D input, hx and cx should also be 2-D". The state
    of a batch is (layers, batch, features) even with `batch_first=True`: "Expected hidden[0] size (1, 2, 4), got [2,
    1, 4]". The layer returns a pair: write `output, (h, c) = lstm(x)`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTM.html
    """
    lstm = nn.LSTM(10, 4, batch_first=True)
    state = (torch.zeros(1, 2, 4), torch.zeros(1, 2, 4))

    with pytest.raises(RuntimeError, match=r"input\.size\(-1\) must be equal to input_size\. Expected 10, got 5"):
        lstm(torch.ones(2, 3, 5))
    with pytest.raises(RuntimeError, match="For unbatched 2-D input, hx and cx should also be 2-D"):
        lstm(torch.ones(3, 10), state)
    with pytest.raises(RuntimeError, match=r"Expected hidden\[0\] size \(1, 2, 4\), got \[2, 1, 4\]"):
        lstm(torch.ones(2, 3, 10), tuple(part.transpose(0, 1) for part in state))

    output, (h, c) = lstm(torch.ones(2, 3, 10), state)
    assert (output.shape, h.shape, c.shape) == ((2, 3, 4), (1, 2, 4), (1, 2, 4))
    assert lstm(torch.ones(3, 10))[0].shape == (3, 4)


# Layers in a row: what do Sequential, ReLU and Flatten do?


def test_sequential_runs_its_layers_in_order(device):
    """An `nn.Sequential` runs its layers in the order in which they were given, each on the output of the layer before.

    The order matters. An empty Sequential returns its input. A layer that returns a tuple, such as `nn.LSTM`, breaks
    the chain: an `nn.Linear` behind it raises TypeError, an `nn.Flatten` AttributeError, and an `nn.Identity` nothing.

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
    with pytest.raises(TypeError, match="must be Tensor, not tuple"):
        nn.Sequential(nn.LSTM(2, 3), nn.Linear(3, 1)).to(device)(x.reshape(1, 1, 2))
    with pytest.raises(AttributeError, match="'tuple' object has no attribute 'flatten'"):
        nn.Sequential(nn.LSTM(2, 3), nn.Flatten()).to(device)(x.reshape(1, 1, 2))
    assert isinstance(nn.Sequential(nn.LSTM(2, 3), nn.Identity()).to(device)(x.reshape(1, 1, 2)), tuple)


def test_sequential_passes_one_argument_on(device):
    """An `nn.Sequential` takes one input and hands each layer one argument, so that several inputs, `model(a, b)`,
    raise TypeError "takes 2 positional arguments but 3 were given".

    A tuple is one argument, too: it arrives as a tuple, and a layer with two inputs raises TypeError "missing 1
    required positional argument". Write a model with a `forward` of your own for layers with several inputs.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Sequential.html
    """

    class Swap(nn.Module):
        def forward(self, a, b):
            return b, a

    class SwapPair(nn.Module):
        def forward(self, pair):
            return pair[1], pair[0]

    a, b = torch.ones(1, device=device), torch.zeros(1, device=device)

    with pytest.raises(TypeError, match="takes 2 positional arguments but 3 were given"):
        nn.Sequential(Swap(), Swap())(a, b)
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'b'"):
        nn.Sequential(SwapPair(), Swap())((a, b))
    once, twice = nn.Sequential(SwapPair())((a, b)), nn.Sequential(SwapPair(), SwapPair())((a, b))
    assert [once[0] is b, once[1] is a] == [True, True]
    assert [twice[0] is a, twice[1] is b] == [True, True]


def test_sequential_is_a_list_of_named_layers(device):
    """An `nn.Sequential` has a length, indices and slices like a list, and names its layers "0", "1" and so on, unless
    it is made of an OrderedDict.

    A slice holds the same layers and keeps their names, so the keys of its `state_dict` may not start from 0. A plain
    dict raises TypeError, and so does a list, "list is not a Module subclass": write `nn.Sequential(*layers)`.

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
    assert list(model[1:].state_dict()) == ["2.weight", "2.bias"]
    assert [name for name, child in named.named_children()] == ["body", "head"]
    assert [named.body, named[1]] == [first, last]
    with pytest.raises(TypeError, match="dict is not a Module subclass"):
        nn.Sequential({"body": first})
    with pytest.raises(TypeError, match="list is not a Module subclass"):
        nn.Sequential([first, relu])
    assert list(nn.Sequential(*[first, relu])) == [first, relu]


def test_a_name_that_comes_twice_keeps_one_layer(device):
    """`nn.Sequential(OrderedDict([("fc", a), ("act", b), ("fc", c)]))` has two layers, `c` and `b`: Python's dictionary
    keeps one entry for each name, and nothing raises.

    `nn.ModuleDict({"fc": a, "fc": c})` keeps `c`, and a second `model.add_module("fc", c)` replaces `a`. Compare
    `len(model)` with the number of layers that you wrote. `nn.Sequential(a, b, c)` keeps all three.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Sequential.html
    """
    a, b, c = nn.Linear(2, 3).to(device), nn.ReLU(), nn.Linear(2, 4).to(device)

    model = nn.Sequential(OrderedDict([("fc", a), ("act", b), ("fc", c)]))
    assert list(model) == [c, b]
    assert model(torch.ones(1, 2, device=device)).shape == (1, 4)

    entries = [("fc", a), ("fc", c)]
    assert list(nn.ModuleDict(dict(entries)).values()) == list(nn.ModuleDict(entries).values()) == [c]
    added = nn.Sequential()
    for name, layer in entries:
        added.add_module(name, layer)
    assert list(added) == [c]
    assert list(nn.Sequential(a, b, c)) == [a, b, c]


def test_append_to_a_slice_replaces_its_last_layer(device):
    """`model[1:].append(layer)` on an `nn.Sequential` of the layers "0" and "1", or more, silently replaces the last
    layer of the slice, because `append` takes the length of the slice for the name of the new layer.

    `model[1:]` of three layers holds "1" and "2", and the new layer is named "2". `model` itself stays as it was. If an
    OrderedDict names the layers, the new one is added. Number them anew: `nn.Sequential(*model[1:], layer)`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Sequential.html
    """
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)).to(device)
    first, relu, last = model
    new = nn.Tanh()

    assert list(model[1:].append(new)) == [relu, new]
    assert [name for name, child in model[1:].append(new).named_children()] == ["1", "2"]
    assert list(model[:2].append(new)) == [first, relu, new]
    assert list(model) == [first, relu, last]
    assert list(nn.Sequential(first, relu)[1:].append(new)) == [new]
    assert list(nn.Sequential(*model[1:], new)) == [relu, last, new]
    assert list(nn.Sequential(OrderedDict(body=first, head=relu))[1:].append(new)) == [relu, new]


def test_layer_is_made_first_and_called_then(device):
    """`nn.ReLU()` makes a layer that is then applied, as in `nn.ReLU()(x)`, so `nn.ReLU(x)` gives another layer, which
    takes `x` for its option `inplace`.

    An `nn.Linear` that is given it raises "must be Tensor, not ReLU", an `nn.Flatten` "'ReLU' object has no attribute
    'flatten'". `nn.Tanh(x)` raises TypeError at once, because `nn.Tanh` has no options. To apply a function without a
    layer, write `F.relu(x)`.

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
    assert nn.ReLU(x).inplace is x
    with pytest.raises(TypeError, match="must be Tensor, not ReLU"):
        nn.Linear(2, 1, device=device)(nn.ReLU(x))
    with pytest.raises(AttributeError, match="'ReLU' object has no attribute 'flatten'"):
        nn.Flatten()(nn.ReLU(x))
    with pytest.raises(TypeError, match="takes 1 positional argument but 2 were given"):
        nn.Tanh(x)


@pytest.mark.parametrize(
    ("first", "raises"),
    [(nn.Sigmoid, True), (nn.Tanh, True), (nn.ReLU, True), (nn.Identity, False), (nn.GELU, False)],
)
def test_an_in_place_relu_overwrites_its_input(device, first, raises):
    """`nn.ReLU(inplace=True)` writes its result into its input, and `backward()` raises RuntimeError "modified by an
    inplace operation" if that is the recorded output of an `nn.Sigmoid`, `nn.Tanh` or `nn.ReLU`.

    These compute their gradient from their output. Behind an `nn.Linear` or an `nn.GELU` nothing is raised. But where
    the input is used again, as in `x + relu(x)`, it is silently the changed one. Leave `inplace=True` out. On a
    leaf that requires grad it raises RuntimeError "a leaf Variable that requires grad" at once.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.ReLU.html
    """
    layer = nn.Linear(2, 2).to(device)
    relu = nn.ReLU(inplace=True)
    x = torch.ones(3, 2, device=device)

    y = nn.Sequential(layer, first(), relu)(x).sum()
    if raises:
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            y.backward()
        nn.Sequential(layer, first(), nn.ReLU())(x).sum().backward()
    else:
        y.backward()
    assert layer.weight.grad is not None

    x = torch.tensor([-1.0, 2.0], device=device)
    assert (x + nn.ReLU()(x)).tolist() == [-1, 4]
    assert (x + relu(x)).tolist() == [0, 4]
    assert relu(x) is x
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
        relu(torch.ones(2, device=device, requires_grad=True))


@given(sizes=st.tuples(*[st.integers(1, 5)] * 4))
def test_two_linear_layers_are_one_for_every_size(device, sizes):
    """Two `nn.Linear` layers in a row compute, up to rounding, what one Linear computes with the weight `W2 @ W1` and
    the bias `W2 @ b1 + b2`.

    Put an activation such as `nn.ReLU()` between them: without one, the second layer can express nothing new.

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
    """Two `nn.Linear` layers with a ReLU between them can compute |x|, which no single Linear can.

    A single Linear draws a straight line: halfway between two inputs it gives the mean of their two outputs. |x| gives
    3 at -3 and at 3, but 0 halfway.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.ReLU.html
    """
    first, second = nn.Linear(1, 2, bias=False, device=device), nn.Linear(2, 1, bias=False, device=device)
    with torch.no_grad():
        first.weight.copy_(torch.tensor([[1.0], [-1.0]]))
        second.weight.copy_(torch.tensor([[1.0, 1.0]]))
    x = torch.tensor([[-3.0], [0.0], [3.0]], device=device)

    assert nn.Sequential(first, nn.ReLU(), second)(x).tolist() == [[3], [0], [3]]
    assert nn.Sequential(first, second)(x).tolist() == [[0], [0], [0]]
    for _ in range(5):
        low, halfway, high = with_whole_numbers(nn.Linear(1, 1, device=device))(x)
        assert (low + high).item() / 2 == halfway.item()


def test_softmax_without_dim_warns_and_may_take_the_batch(device):
    """`F.softmax(x)` without `dim` warns, "Implicit dimension choice for softmax has been deprecated", and takes
    dimension 1 of a matrix and dimension 0 of a tensor with three dimensions, which is the batch.

    Scores of shape (batch, time, classes) then add up to 1 over the samples and not over the classes. `nn.Softmax()`
    and `nn.LogSoftmax()` choose alike. Write `F.softmax(x, dim=-1)`. The method `x.softmax()` raises TypeError without
    `dim`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.softmax.html
    """
    scores = torch.arange(24.0, device=device).reshape(2, 3, 4)

    for softmax in (F.softmax, nn.Softmax(), lambda x: nn.LogSoftmax()(x).exp()):
        for x, dim in ((scores[0], 1), (scores, 0)):
            with pytest.warns(UserWarning, match="Implicit dimension choice for (log_)?softmax has been deprecated"):
                shares = softmax(x)
            torch.testing.assert_close(shares.sum(dim=dim), torch.ones_like(shares.sum(dim=dim)))
    assert not torch.allclose(shares.sum(dim=-1), torch.ones(2, 3, device=device))
    torch.testing.assert_close(F.softmax(scores, dim=-1).sum(dim=-1), torch.ones(2, 3, device=device))
    with pytest.raises(TypeError):
        scores.softmax()


def test_flatten_layer_keeps_the_batch(device):
    """`nn.Flatten()` keeps the first dimension, which is the batch, and joins all others, while `torch.flatten(x)`
    joins the first dimension too.

    Write `torch.flatten(x, 1)` in `forward` to keep the batch. `nn.Flatten()` on a 1-d tensor raises IndexError.

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
    with pytest.raises(IndexError, match="Dimension out of range"):
        nn.Flatten()(x[0, 0])


def test_flatten_needs_a_batch(device):
    """`nn.Flatten()` takes the first dimension of a single image for the batch, so an image of shape (28, 28) stays
    (28, 28).

    Add the batch with `image.unsqueeze(0)`. An image with one channel, (1, 28, 28), becomes (1, 784) and looks right by
    accident: one with three channels becomes three rows, (3, 784).

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Flatten.html
    """
    image = torch.arange(28 * 28, device=device).reshape(28, 28)

    assert nn.Flatten()(image).shape == (28, 28)
    assert nn.Flatten()(image.unsqueeze(0)).tolist() == [list(range(28 * 28))]
    assert nn.Flatten()(image.reshape(1, 28, 28)).shape == (1, 784)
    assert nn.Flatten()(image.expand(3, 28, 28)).shape == (3, 784)


# Convolution and attention: in which order do they take the dimensions?


def test_conv2d_takes_the_channels_first(device):
    """`nn.Conv2d(3, 4, 3)` takes images as (3, height, width), with or without a batch in front, and raises
    RuntimeError "to have 3 channels, but got 8 channels instead" for an image of shape (8, 6, 3).

    The message begins "Given groups=1, weight of size [4, 3, 3, 3]": outputs, inputs, and the size of the kernel.
    If the channels come last, write `image.permute(2, 0, 1)`. A grey image (height, width) raises "Expected 3D
    (unbatched) or 4D (batched) input to conv2d": write `image[None]` for an `nn.Conv2d(1, 4, 3)`. With `groups=2` each
    output sees half of the inputs; a number of either that 2 does not divide raises ValueError.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Conv2d.html
    """
    layer = nn.Conv2d(3, 4, 3).to(device)
    image = torch.ones(8, 6, 3, device=device)

    with pytest.raises(
        RuntimeError, match=r"Given groups=1, weight of size \[4, 3, 3, 3\].* to have 3 channels, but got 8 channels"
    ):
        layer(image)
    assert layer(image.permute(2, 0, 1)).shape == (4, 6, 4)
    assert layer(image.permute(2, 0, 1)[None]).shape == (1, 4, 6, 4)
    with pytest.raises(RuntimeError, match=r"Expected 3D \(unbatched\) or 4D \(batched\) input to conv2d"):
        layer(image[:, :, 0])
    assert nn.Conv2d(1, 4, 3).to(device)(image[:, :, 0][None]).shape == (4, 6, 4)

    assert nn.Conv2d(4, 6, 3, groups=2).weight.shape == (6, 2, 3, 3)
    for channels in ((3, 4), (4, 3)):
        with pytest.raises(ValueError, match="must be divisible by groups"):
            nn.Conv2d(*channels, 3, groups=2)


@pytest.mark.parametrize(("kernel", "dilation"), [(1, 1), (3, 1), (5, 1), (3, 2)])
def test_same_padding_is_for_a_stride_of_one(device, kernel, dilation):
    """`nn.Conv2d(..., padding="same")` keeps height and width, and raises ValueError "padding='same' is not supported
    for strided convolutions" for a stride other than 1.

    `F.conv2d` raises RuntimeError with these words. For an odd kernel `padding=dilation * (kernel // 2)` keeps the
    size, too, and with a stride of 2 gives half of it, rounded up. "SAME" raises ValueError.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Conv2d.html
    """
    options = {"kernel_size": kernel, "dilation": dilation}
    x = torch.ones(2, 1, 8, 9, device=device)

    assert nn.Conv2d(1, 3, **options, padding="same").to(device)(x).shape == (2, 3, 8, 9)
    with pytest.raises(ValueError, match="padding='same' is not supported for strided convolutions"):
        nn.Conv2d(1, 3, **options, padding="same", stride=2)
    with pytest.raises(RuntimeError, match="padding='same' is not supported for strided convolutions"):
        F.conv2d(x, torch.ones(3, 1, kernel, kernel, device=device), padding="same", stride=2, dilation=dilation)

    padding = dilation * (kernel // 2)
    assert nn.Conv2d(1, 3, **options, padding=padding).to(device)(x).shape == (2, 3, 8, 9)
    assert nn.Conv2d(1, 3, **options, padding=padding, stride=2).to(device)(x).shape == (2, 3, 4, 5)
    with pytest.raises(ValueError, match="Invalid padding string"):
        nn.Conv2d(1, 3, **options, padding="SAME")


def test_an_image_can_be_too_small_for_a_kernel():
    """`nn.Conv2d(1, 1, 5)` raises RuntimeError for an image of 3 by 3, "Kernel size can't be greater than actual input
    size", and `nn.MaxPool2d(2)` for one of 1 by 1, "Output size is too small".

    Each `nn.MaxPool2d(2)` halves the image and drops the rest: 28 becomes 14, 7, 3 and 1, and the fifth one raises.
    Take a larger image or fewer layers, or pad it: `nn.Conv2d(1, 1, 5, padding=2)` takes 3 by 3.
    `nn.AdaptiveAvgPool2d(1)` takes an image of any of these sizes.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.MaxPool2d.html
    """
    sizes, image = [], torch.ones(1, 1, 28, 28)

    with pytest.raises(RuntimeError, match="Kernel size can't be greater than actual input size"):
        nn.Conv2d(1, 1, 5)(image[:, :, :3, :3])
    assert nn.Conv2d(1, 1, 5, padding=2)(image[:, :, :3, :3]).shape == (1, 1, 3, 3)
    for _ in range(4):
        image = nn.MaxPool2d(2)(image)
        sizes.append(image.shape[-1])
        assert nn.AdaptiveAvgPool2d(1)(image).shape == (1, 1, 1, 1)
    assert sizes == [14, 7, 3, 1]
    with pytest.raises(RuntimeError, match="Output size is too small"):
        nn.MaxPool2d(2)(image)


def test_interpolate_takes_an_image_without_a_batch_for_a_line(device):
    """`F.interpolate(image, scale_factor=2)` of an image (3, 4, 5) without a batch enlarges its width alone: three
    dimensions are read as (batch, channels, length).

    Nothing warns. With `size=(8, 10)` the mistake raises ValueError, "Input and output must have the same number of
    spatial dimensions". Write `F.interpolate(image[None], scale_factor=2)[0]`. `nn.Upsample` does the same.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.interpolate.html
    """
    image = torch.ones(3, 4, 5, device=device)

    assert F.interpolate(image, scale_factor=2).shape == nn.Upsample(scale_factor=2)(image).shape == (3, 4, 10)
    assert F.interpolate(image[None], scale_factor=2)[0].shape == (3, 8, 10)
    for wrong in (lambda: F.interpolate(image, size=(8, 10)), lambda: nn.Upsample(size=(8, 10))(image)):
        with pytest.raises(ValueError, match="must have the same number of spatial dimensions"):
            wrong()


def test_attention_takes_the_batch_second():
    """`nn.MultiheadAttention` takes (time, batch, features) unless it is made with `batch_first=True`: given (batch,
    time, features) it raises nothing and mixes the samples of the batch.

    A position then attends to the same position of other samples and not to its own sequence.
    `nn.TransformerEncoderLayer` and `nn.LSTM` have the same default. A `key_padding_mask` of shape (batch, time) gives
    the mistake away by an AssertionError, unless the batch is as large as the time. `nn.MultiheadAttention(5, 2)` fails
    with AssertionError, too, "embed_dim must be divisible by num_heads".

    https://docs.pytorch.org/docs/stable/generated/torch.nn.MultiheadAttention.html
    """
    batch = torch.randn(2, 3, 4)
    other = torch.cat([torch.randn(1, 3, 4), batch[1:]])  # the first sample is another one, the second is the same
    padding = torch.zeros(2, 3, dtype=torch.bool)

    def second_sample(model, x):
        y = model(x, x, x) if isinstance(model, nn.MultiheadAttention) else model(x)
        return (y[0] if isinstance(y, tuple) else y)[1]

    for make in (
        lambda **options: nn.MultiheadAttention(4, 2, **options),
        lambda **options: nn.TransformerEncoderLayer(4, 2, dim_feedforward=8, dropout=0.0, **options),
        lambda **options: nn.LSTM(4, 5, **options),
    ):
        alone, mixing = make(batch_first=True), make()
        torch.testing.assert_close(second_sample(alone, batch), second_sample(alone, other))
        assert not torch.allclose(second_sample(mixing, batch), second_sample(mixing, other))
        shorter = torch.cat([batch[:, :1], torch.randn(2, 2, 4)], dim=1)  # another sequence after the first position
        torch.testing.assert_close(second_sample(mixing, batch)[0], second_sample(mixing, shorter)[0])
    with pytest.raises(AssertionError, match="key_padd"):
        nn.MultiheadAttention(4, 2)(batch, batch, batch, key_padding_mask=padding)
    square = torch.randn(3, 3, 4)
    assert nn.MultiheadAttention(4, 2)(square, square, square, key_padding_mask=padding[:1].expand(3, 3))
    with pytest.raises(AssertionError, match="embed_dim must be divisible by num_heads"):
        nn.MultiheadAttention(5, 2)


def test_true_in_a_mask_means_the_opposite_in_two_attentions():
    """In a bool `attn_mask` True means "is left out" to `nn.MultiheadAttention` and "takes part" to
    `F.scaled_dot_product_attention`.

    Passed on from one to the other without `~mask`, the mask shows each position what it must not see, and nothing
    raises. A mask of integers raises in both. One of shape (2, 3) for three positions raises RuntimeError in
    `nn.MultiheadAttention`, in train mode "The shape of the 2D attn_mask is torch.Size([2, 3]), but should be (3, 3)".

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.scaled_dot_product_attention.html
    """
    attention, x, values = nn.MultiheadAttention(4, 2, batch_first=True), torch.randn(1, 3, 4), torch.eye(3)[None]
    mask = torch.tensor([[True, False, False]] * 3)  # in each row the first position

    left_out = attention(x, x, x, attn_mask=mask)[1][0]
    takes_part = F.scaled_dot_product_attention(x, x, values, attn_mask=mask)[0]
    assert left_out[:, 0].tolist() == [0, 0, 0]
    assert (left_out[:, 1:] > 0).all()
    assert takes_part.tolist() == [[1, 0, 0]] * 3
    opposite = F.scaled_dot_product_attention(x, x, values, attn_mask=~mask)[0]
    assert opposite[:, 0].tolist() == [0, 0, 0]

    with pytest.raises(AssertionError, match="only bool and floating types of attn_mask are supported"):
        attention(x, x, x, attn_mask=mask.int())
    with pytest.raises(RuntimeError, match="Expected attn_mask dtype to be bool"):
        F.scaled_dot_product_attention(x, x, values, attn_mask=mask.int())
    with pytest.raises(RuntimeError, match=r"The shape of the 2D attn_mask is torch.Size\(\[2, 3\]\), but should be"):
        attention(x, x, x, attn_mask=mask[:2])
    with torch.no_grad(), pytest.raises(RuntimeError):
        attention.eval()(x, x, x, attn_mask=mask[:2])


# What moved between releases: from which torch on can you write it?


@pytest.mark.holds("torch>=2.1", otherwise=TypeError, change="new")
def test_layer_norm_without_a_bias(device):
    """From torch 2.1 on, `nn.LayerNorm(size, bias=False)` has a weight and no bias.

    In every release `elementwise_affine=False` leaves out both.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.LayerNorm.html
    """
    layer = nn.LayerNorm(2, bias=False, device=device)

    assert [(name, value.tolist()) for name, value in layer.named_parameters()] == [("weight", [1, 1])]
    assert layer.bias is None
    y = layer(torch.tensor([[1.0, 3.0], [50.0, -50.0]], device=device)).cpu()
    assert y.round(decimals=2).tolist() == [[-1, 1], [1, -1]]
    assert list(nn.LayerNorm(2, elementwise_affine=False).parameters()) == []


@pytest.mark.holds(
    "torch>=2.1", otherwise=AttributeError, change="new", concerns="torch.nn.utils.parametrizations.weight_norm"
)
def test_weight_norm_lives_in_parametrizations(device):
    """From torch 2.1 on, `nn.utils.parametrizations.weight_norm` replaces the deprecated `nn.utils.weight_norm`, gives
    the parameters other names, and loads what the deprecated function saved.

    Of each row of a Linear's weight both functions by default learn a length g and a vector v: the row is `g * v /
    norm(v)`. A layer of the deprecated function does not load what the new one saved, and `copy.deepcopy` of such a
    layer, just made, raises RuntimeError "Only Tensors created explicitly by the user (graph leaves) support the
    deepcopy protocol".

    https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.parametrizations.weight_norm.html
    """
    model = nn.utils.parametrizations.weight_norm(nn.Linear(2, 1)).to(device)
    names = ["bias", "parametrizations.weight.original0", "parametrizations.weight.original1"]
    assert [name for name, _ in model.named_parameters()] == names

    old = {"bias": torch.tensor([1.0]), "weight_g": torch.tensor([[10.0]]), "weight_v": torch.tensor([[3.0, 4.0]])}
    model.load_state_dict(old)
    torch.testing.assert_close(model.weight, torch.tensor([[6.0, 8.0]], device=device), rtol=2**-20, atol=0)
    with pytest.warns((UserWarning, FutureWarning), match="weight_norm.* is deprecated"):
        deprecated = nn.utils.weight_norm(nn.Linear(2, 1))
    assert [name for name, _ in deprecated.named_parameters()] == ["bias", "weight_g", "weight_v"]
    with pytest.raises(RuntimeError, match="Missing key"):
        deprecated.load_state_dict(model.state_dict())
    with pytest.raises(RuntimeError, match="Only Tensors created explicitly by the user"):
        copy.deepcopy(deprecated)
    deprecated.load_state_dict(old)
    torch.testing.assert_close(deprecated(torch.eye(2)), torch.tensor([[7.0], [9.0]]))
    assert torch.equal(copy.deepcopy(model).weight, model.weight)


@pytest.mark.holds("torch>=2.4", otherwise=UserWarning, change="warns", concerns="torch.nn.LazyLinear")
def test_a_lazy_layer_counts_its_inputs_itself(device):
    """`nn.LazyLinear(outputs)` takes its number of inputs from the first batch and becomes an `nn.Linear`, from torch
    2.4 on without a UserWarning.

    Before the first batch its parameters have no shape, and counting them raises ValueError: run one batch through the
    model before you count or initialise.

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


@pytest.mark.holds("torch>=2.4", otherwise=AttributeError, change="new", concerns="torch.nn.RMSNorm")
def test_rmsnorm_divides_by_the_root_of_the_mean_square(device):
    """From torch 2.4 on, `nn.RMSNorm(size)` divides each row by `sqrt(mean(row**2) + eps)` without subtracting the
    mean, which `nn.LayerNorm` subtracts.

    Unless given, `eps` is `torch.finfo(x.dtype).eps` for float32 and float64; for half precision some releases take
    that of float32, so give it. Before torch 2.4 write the formula of this note, times a learned weight. Do not leave
    `eps` out of the formula: a row of zeros divided by its root is nan, and `nn.RMSNorm` keeps it 0.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.RMSNorm.html
    """
    x = torch.tensor([[1.0, 7.0], [-3.0, 4.0], [0.001, 0.001], [0.0, 0.0]], device=device)
    layer = nn.RMSNorm(2).to(device)
    mean_square = x.square().mean(dim=-1, keepdim=True)

    formula = x * torch.rsqrt(mean_square + torch.finfo(x.dtype).eps)
    torch.testing.assert_close(layer(x), formula, rtol=2**-20, atol=0)
    root = torch.tensor([[5.0], [12.5**0.5]], device=device)  # (1 + 49) / 2 and (9 + 16) / 2
    torch.testing.assert_close(layer(x)[:2], x[:2] / root, rtol=2**-20, atol=0)
    assert [(name, value.tolist()) for name, value in layer.named_parameters()] == [("weight", [1, 1])]
    assert layer(x)[3].tolist() == [0, 0]
    assert (x / mean_square.sqrt()).isnan().tolist() == [[False, False]] * 3 + [[True, True]]
    assert nn.LayerNorm(2, device=device)(x)[2].tolist() == [0, 0]

    tiny = torch.full((1, 2), 1e-8, dtype=torch.float64)
    eps = torch.finfo(torch.float64).eps
    torch.testing.assert_close(nn.RMSNorm(2).double()(tiny), tiny / (1e-16 + eps) ** 0.5, rtol=2**-20, atol=0)
    half = torch.full((1, 2), 0.001, dtype=torch.float16)
    found = nn.RMSNorm(2).half()(half)[0, 0].item()
    steps = [0.001 / (1e-6 + torch.finfo(dtype).eps) ** 0.5 for dtype in (torch.float16, torch.float32)]
    assert any(abs(found - step) < 0.01 * step for step in steps)
    assert abs(nn.RMSNorm(2, eps=1e-6).half()(half)[0, 0].item() - 0.5**0.5) < 0.01


@pytest.mark.holds(
    "torch>=2.8", otherwise=AssertionError, change="warns", concerns="torch.nn.Module.register_full_backward_hook?"
)
def test_a_backward_hook_warns_where_no_input_needs_a_gradient(device):
    """A full backward hook on a trainable layer whose input requires no gradient gets None for the gradient of the
    input, and from torch 2.8 on a UserWarning says so.

    The first layer of a model is such a layer, because data require no gradient. The hook still sees the gradient of
    the output, and on a layer behind a trainable one it sees both. A first layer that has nothing to train, such as
    `nn.Flatten` or a frozen layer, never runs its hook, and nothing warns. An input passed by keyword,
    `layer(input=x)`, is not seen: the hook gets `()` for the gradients of the inputs, and the warning.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    model, seen = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1)).to(device), []
    model[0].register_full_backward_hook(
        lambda module, of_inputs, of_outputs: seen.append((of_inputs, of_outputs[0].shape))
    )
    x = torch.ones(4, 2, device=device)

    with pytest.warns(UserWarning, match="no inputs require gradients|inputs require grad"):
        model(x).sum().backward()
    assert seen == [((None,), (4, 3))]

    model(x.requires_grad_()).sum().backward()  # and no warning
    assert seen[1][0][0].shape == (4, 2)
    model[1].register_full_backward_hook(lambda module, of_inputs, of_outputs: seen.append((*of_inputs, *of_outputs)))
    model[1](model[0](x)).sum().backward()
    assert [tuple(gradient.shape) for gradient in seen[2]] == [(4, 3), (4, 1)]
    with pytest.warns(UserWarning, match="no inputs require gradients|inputs require grad"):
        model[0](input=x).sum().backward()
    assert seen[-1] == ((), (4, 3))

    runs = []
    for first in (nn.Flatten(), nn.Linear(2, 2, device=device).requires_grad_(False)):
        first.register_full_backward_hook(lambda module, of_inputs, of_outputs: runs.append(module))
        nn.Sequential(first, nn.Linear(2, 1, device=device))(x.detach()).sum().backward()
    assert runs == []


# Fine print: from which numbers does training start?


def test_linear_starts_from_small_random_numbers(device):
    """A new float32 `nn.Linear` has weights and biases drawn uniformly between -b and b, up to rounding, with b = 1 /
    sqrt(inputs), anew for every layer.

    In bfloat16 such a number may be rounded to one just below -b. The `out_proj` of an `nn.MultiheadAttention` starts
    from biases of 0.

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
    many = nn.Linear(7, 100_000, dtype=torch.bfloat16)  # one number in 20,000 is so close to -b
    assert many.weight.min().item() < -1 / math.sqrt(7)
    assert nn.MultiheadAttention(4, num_heads=1).out_proj.bias.tolist() == [0] * 4


def test_a_bias_has_no_fan_in(device):
    """`nn.init.xavier_uniform_` and `nn.init.kaiming_normal_` of a bias raise ValueError, "Fan in and fan out can not
    be computed for tensor with fewer than 2 dimensions".

    A loop over `model.parameters()` meets the biases, and the weight of an `nn.BatchNorm1d`, which is a vector, too.
    Write `if p.dim() > 1`, and `nn.init.zeros_(layer.bias)` for a bias. `nn.init.xavier_uniform`, without the
    underscore at the end, is deprecated and warns.

    https://docs.pytorch.org/docs/stable/nn.init.html
    """
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)).to(device)

    for init in (nn.init.xavier_uniform_, nn.init.kaiming_normal_):
        for vector in (model[0].bias, model[1].weight):
            with pytest.raises(ValueError, match="Fan in and fan out can not be computed for tensor with fewer than 2"):
                init(vector)
    for p in model.parameters():
        if p.dim() > 1:
            nn.init.constant_(p, 0.5)
    nn.init.zeros_(model[0].bias)
    assert (model[0].weight.tolist(), model[0].bias.tolist()) == ([[0.5, 0.5]] * 3, [0, 0, 0])
    with pytest.warns((UserWarning, FutureWarning), match="xavier_uniform.* is now deprecated"):
        nn.init.xavier_uniform(model[0].weight)


def test_the_layers_of_a_transformer_encoder_start_equal(device):
    """All layers of a new `nn.TransformerEncoder(layer, n)` start from the same weights, because it copies the layer it
    is given.

    Draw new numbers for each: `nn.init.xavier_uniform_(p)` for every parameter `p` with `p.dim() > 1`. `nn.Transformer`
    does that for its own encoder and decoder.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.TransformerEncoder.html
    """
    layer = nn.TransformerEncoderLayer(4, nhead=1, dim_feedforward=8)
    encoder = nn.TransformerEncoder(layer, num_layers=2, enable_nested_tensor=False).to(device)
    first, second = encoder.layers

    assert first.linear1.weight is not second.linear1.weight
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)
    for parameter in encoder.parameters():
        if parameter.dim() > 1:
            nn.init.xavier_uniform_(parameter)
    assert not torch.equal(first.linear1.weight, second.linear1.weight)

    whole = nn.Transformer(4, 2, num_encoder_layers=2, num_decoder_layers=2, dim_feedforward=8, batch_first=True)
    for first, second in (whole.encoder.layers, whole.decoder.layers):
        assert not torch.equal(first.linear1.weight, second.linear1.weight)
