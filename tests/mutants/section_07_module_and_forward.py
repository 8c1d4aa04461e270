"""What could break in `nn.Module`, in its call and in the first layers one meets."""

import contextlib
import copy
import warnings
from collections import OrderedDict

import torch
from torch import nn
from torch.nn import functional as F

from torchnotes.harness.mutation import mutant, quiet


def around_parameter(patch, change):
    """Put `change(make, data, requires_grad)` in place of making an `nn.Parameter`; `None` is not said."""
    metaclass = type(nn.Parameter)
    original = metaclass.__call__

    def call(cls, data=None, requires_grad=None, **options):
        def make(data, requires_grad):
            if requires_grad is None:
                return original(cls, data, **options)
            return original(cls, data, requires_grad, **options)

        return change(make, data, requires_grad) if cls is nn.Parameter else make(data, requires_grad)

    patch.setattr(metaclass, "__call__", call, raising=False)


class Scale(nn.Module):
    def forward(self, x, shift=0, *, times=1):
        return x * times + shift, times


class Forgetful(nn.Module):
    def __init__(self):
        self.factor = 3

    def forward(self, x):
        return x * self.factor


class TooLate(nn.Module):
    def __init__(self, name, value):
        setattr(self, name, value)
        super().__init__()


def raises(expected, function, *args):
    """Whether the call raises exactly this class."""
    try:
        function(*args)
    except Exception as error:
        return type(error) is expected
    return False


def linear(*, inputs=2, outputs=1, bias=True):
    """A Linear with the weights 1, 2, 3, ... and the biases 10, 11, ..."""
    layer = nn.Linear(inputs, outputs, bias=bias)
    with torch.no_grad():
        layer.weight.copy_(torch.arange(1.0, inputs * outputs + 1).reshape(outputs, inputs))
        if layer.bias is not None:
            layer.bias.copy_(torch.arange(10.0, outputs + 10))
    return layer


def holding(value):
    model = nn.Module()
    model.x = value
    return model


def names(model):
    return [name for name, parameter in model.named_parameters()]


# forward and the call


@mutant(
    kills="test_calling_a_module_runs_its_forward",
    witness=lambda: Scale()(torch.ones(1), times=3)[1] == 3,
)
def call_drops_keyword_arguments(patch):
    """Calling a module does not hand keyword arguments to `forward`."""
    patch.around(nn.Module, "__call__", lambda call, self, *args, **kwargs: call(self, *args))


@mutant(
    kills=("test_calling_a_module_runs_its_forward", "test_layer_made_in_forward_is_new_at_every_call"),
    witness=lambda: [relu(torch.tensor(x)).item() for relu in [nn.ReLU()] for x in (1.0, 2.0)] == [1, 2],
)
def call_remembers_its_first_answer(patch):
    """Calling a module for the second time gives back what the first call gave."""

    def change(call, self, *args, **kwargs):
        if "first_answer" not in self.__dict__:
            self.__dict__["first_answer"] = call(self, *args, **kwargs)
        return self.__dict__["first_answer"]

    patch.around(nn.Module, "__call__", change)


@mutant(
    kills="test_calling_a_module_runs_its_forward",
    witness=lambda: Scale()(torch.ones(1), 10, times=2)[0].item() == 12,
)
def call_drops_positional_after_first_if_keywords(patch):
    """Calling a module with keyword arguments hands only the first positional argument to `forward`."""
    patch.around(
        nn.Module,
        "__call__",
        lambda call, self, *args, **kwargs: call(self, *(args[:1] if kwargs else args), **kwargs),
    )


@mutant(
    kills=("test_module_without_forward_is_made_but_cannot_be_called", "test_module_list_only_holds_layers"),
    witness=lambda: raises(NotImplementedError, nn.Module(), 1),
)
def module_without_forward_is_the_identity(patch):
    """A module without `forward` gives back its input."""
    patch.setattr(nn.Module, "forward", lambda self, x: x)


@mutant(
    kills="test_module_without_forward_is_made_but_cannot_be_called",
    witness=lambda: raises(NotImplementedError, nn.Module(), 1),
    raises=RuntimeError,
)
def module_without_forward_raises_runtime_error(patch):
    """Calling a module without `forward` raises a plain RuntimeError."""

    def forward(self, *args):
        raise RuntimeError(f'Module [{type(self).__name__}] is missing the required "forward" function')

    patch.setattr(nn.Module, "forward", forward)


@mutant(
    kills="test_module_without_forward_is_made_but_cannot_be_called",
    witness=lambda: nn.Module() is not None,
    raises=NotImplementedError,
)
def module_without_forward_cannot_be_made(patch):
    """A module without `forward` raises already when it is made."""

    def change(init, self, *args, **kwargs):
        if type(self).forward is nn.Module.forward:
            raise NotImplementedError('missing the required "forward" function')
        init(self, *args, **kwargs)

    patch.around(nn.Module, "__init__", change)


@mutant(
    kills="test_module_without_forward_is_made_but_cannot_be_called",
    witness=lambda: raises(NotImplementedError, type("M", (nn.Module,), {"Forward": lambda self, x: x})(), 1),
)
def misspelt_forward_is_found(patch):
    """A module's `forward` is found whatever the case it is written in."""

    def forward(self, *args):
        found = [name for name in vars(type(self)) if name.lower() == "forward"]
        if not found:
            raise NotImplementedError('missing the required "forward" function')
        return getattr(self, found[0])(*args)

    patch.setattr(nn.Module, "forward", forward)


@mutant(
    kills="test_wrong_arguments_are_an_error_of_forward",
    witness=lambda: raises(TypeError, linear(), torch.zeros(2), torch.zeros(2)),
)
def call_ignores_surplus_arguments(patch):
    """Calling a Linear with too many arguments ignores those behind the first."""
    patch.around(
        nn.Module,
        "__call__",
        lambda call, self, *args, **kwargs: call(self, *args[:1] if isinstance(self, nn.Linear) else args, **kwargs),
    )


@mutant(
    kills="test_wrong_arguments_are_an_error_of_forward",
    witness=lambda: raises(TypeError, linear()),
)
def call_without_input_gives_bias(patch):
    """Calling a Linear without an input answers as if the input were zero."""
    patch.around(nn.Linear, "forward", lambda forward, self, *args: forward(self, *args) if args else self.bias)


@mutant(
    kills="test_wrong_arguments_are_an_error_of_forward",
    witness=lambda: raises(TypeError, linear()),
    raises=RuntimeError,
)
def call_turns_type_error_into_runtime_error(patch):
    """Calling a module with wrong arguments raises RuntimeError."""

    def change(call, self, *args, **kwargs):
        try:
            return call(self, *args, **kwargs)
        except TypeError as error:
            raise RuntimeError(str(error)) from error

    patch.around(nn.Module, "__call__", change)


@mutant(
    kills="test_misspelt_forward_in_a_subclass_of_a_layer_is_never_called",
    witness=lambda: type("Derived", (nn.Linear,), {})(2, 1)(torch.ones(2)).shape == (1,),
    raises=NotImplementedError,
)
def forward_is_not_inherited_from_linear(patch):
    """A class derived from `nn.Linear` without a `forward` of its own raises NotImplementedError when called."""

    def change(forward, self, *args):
        if type(self) is not nn.Linear and "forward" not in vars(type(self)):
            raise NotImplementedError('missing the required "forward" function')
        return forward(self, *args)

    patch.around(nn.Linear, "forward", change)


# Hooks


def hooked(*, calls):
    events = []
    layer = linear()
    layer.register_forward_pre_hook(lambda module, args: events.append("before"))
    layer.register_forward_hook(lambda module, args, output: events.append("after"))
    for _ in range(calls):
        layer(torch.ones(2))
    return events


def answer_with(**hooks):
    relu = nn.ReLU()
    for name, hook in hooks.items():
        getattr(relu, name)(hook)
    return relu(torch.tensor(2.0)).item()


@mutant(
    kills=("test_only_the_call_runs_hooks", "test_hooks_see_the_parts_and_can_replace_what_passes"),
    witness=lambda: hooked(calls=1) == ["before", "after"],
)
def call_runs_no_hooks(patch):
    """Calling a module runs its `forward` and no hooks."""
    patch.setattr(nn.Module, "__call__", lambda self, *args, **kwargs: self.forward(*args, **kwargs))


@mutant(
    kills=("test_only_the_call_runs_hooks", "test_hooks_see_the_parts_and_can_replace_what_passes"),
    witness=lambda: hooked(calls=2) == ["before", "after"] * 2,
)
def hooks_run_on_first_call_only(patch):
    """Only the first call of a module runs its hooks."""

    def change(call, self, *args, **kwargs):
        if self.__dict__.setdefault("calls", 0):
            return self.forward(*args, **kwargs)
        self.__dict__["calls"] = 1
        return call(self, *args, **kwargs)

    patch.around(nn.Module, "__call__", change)


def steps_of_a_call():
    events = []

    class Watched(nn.Module):
        def forward(self):
            events.append("forward")

    model = Watched()
    model.register_forward_pre_hook(lambda module, args: events.append("before"))
    model.register_forward_hook(lambda module, args, output: events.append("after"))
    model()
    return events


@mutant(
    kills=("test_only_the_call_runs_hooks", "test_hooks_see_the_parts_and_can_replace_what_passes"),
    witness=lambda: steps_of_a_call() == ["before", "forward", "after"],
)
def pre_hooks_run_after_forward(patch):
    """`register_forward_pre_hook` lets its hook run after `forward`."""
    patch.setattr(
        nn.Module,
        "register_forward_pre_hook",
        lambda self, hook: self.register_forward_hook(lambda module, args, output: (hook(module, args), None)[1]),
    )


@mutant(kills="test_only_the_call_runs_hooks", witness=lambda: steps_of_a_call() == ["before", "forward", "after"])
def forward_hooks_run_before_forward(patch):
    """`register_forward_hook` lets its hook run before `forward`."""
    patch.setattr(
        nn.Module,
        "register_forward_hook",
        lambda self, hook: self.register_forward_pre_hook(lambda module, args: (hook(module, args, None), None)[1]),
    )


def forward_by_hand_is_silent():
    events = []

    class Watched(nn.Module):
        def forward(self):
            return 1

    model = Watched()
    model.register_forward_hook(lambda module, args, output: events.append("after"))
    model.forward()
    return events == []


@mutant(kills="test_only_the_call_runs_hooks", witness=forward_by_hand_is_silent)
def forward_by_hand_runs_hooks(patch):
    """`model.forward(x)` runs the hooks, as `model(x)` does."""
    inside = []

    def call(call, self, *args, **kwargs):
        inside.append(self)
        try:
            return call(self, *args, **kwargs)
        finally:
            inside.pop()

    def getattribute(read, self, name):
        value = read(self, name)
        if name != "forward" or (inside and inside[-1] is self):
            return value
        return lambda *args, **kwargs: self(*args, **kwargs)

    original = nn.Module.__getattribute__
    patch.around(nn.Module, "__call__", call)
    patch.setattr(nn.Module, "__getattribute__", lambda self, name: getattribute(original, self, name), raising=False)


@mutant(
    kills=("test_calling_a_module_runs_its_forward", "test_hooks_see_the_parts_and_can_replace_what_passes"),
    witness=lambda: answer_with(register_forward_hook=lambda module, args, output: -output) == -2,
)
def forward_hook_cannot_replace_output(patch):
    """What a forward hook returns is ignored."""
    patch.around(
        nn.Module,
        "register_forward_hook",
        lambda register, self, hook: register(self, lambda *args: (hook(*args), None)[1]),
    )


@mutant(
    kills="test_hooks_see_the_parts_and_can_replace_what_passes",
    witness=lambda: answer_with(register_forward_pre_hook=lambda module, args: (args[0] + 5,)) == 7,
)
def pre_hook_cannot_replace_input(patch):
    """What a forward pre-hook returns is ignored."""
    patch.around(
        nn.Module,
        "register_forward_pre_hook",
        lambda register, self, hook: register(self, lambda *args: (hook(*args), None)[1]),
    )


def removed_hook_is_silent():
    relu, events = nn.ReLU(), []
    relu.register_forward_hook(lambda *args: events.append(1)).remove()
    relu(torch.ones(1))
    return events == []


@mutant(kills="test_hooks_see_the_parts_and_can_replace_what_passes", witness=removed_hook_is_silent)
def removed_hook_stays(patch):
    """The `remove` of a hook's handle does nothing."""
    patch.setattr(torch.utils.hooks.RemovableHandle, "remove", lambda self: None)


def hook_on_part_runs():
    relu, events = nn.ReLU(), []
    relu.register_forward_hook(lambda *args: events.append(1))
    nn.Sequential(relu)(torch.ones(1))
    return events == [1]


@mutant(kills="test_hooks_see_the_parts_and_can_replace_what_passes", witness=hook_on_part_runs)
def sequential_runs_no_hooks_of_parts(patch):
    """A Sequential runs the `forward` of its parts without their hooks."""

    def forward(self, x):
        for part in self:
            x = part.forward(x)
        return x

    patch.setattr(nn.Sequential, "forward", forward)


BACKWARD_HOOK = "test_a_backward_hook_warns_where_no_input_needs_a_gradient"


def seen_by_a_backward_hook(*, x_requires_grad=False):
    """What a full backward hook got for the input, and what was warned."""
    layer, seen = nn.Linear(2, 1), []
    layer.register_full_backward_hook(lambda module, of_inputs, of_outputs: seen.append(of_inputs[0]))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        layer(torch.ones(1, 2, requires_grad=x_requires_grad)).sum().backward()
    return seen[0], [warning.category for warning in caught]


@mutant(kills=BACKWARD_HOOK, witness=lambda: seen_by_a_backward_hook()[1] == [UserWarning])
def backward_hooks_without_inputs_are_silent(patch):
    """A full backward hook gives no warning where no input requires a gradient."""
    patch.around(
        warnings,
        "warn",
        lambda warn, message, *a, **k: None if "backward hook" in str(message) else warn(message, *a, **k),
    )


@mutant(kills=BACKWARD_HOOK, witness=lambda: seen_by_a_backward_hook()[0] is None)
def backward_hooks_get_zeros_for_none(patch):
    """A full backward hook gets zeros for the gradient of an input that requires none."""

    def register(original, self, hook, **options):
        def with_zeros(module, of_inputs, of_outputs):
            hook(module, tuple(torch.zeros(1) if grad is None else grad for grad in of_inputs), of_outputs)

        return original(self, with_zeros, **options)

    patch.around(nn.Module, "register_full_backward_hook", register)


@mutant(
    kills=BACKWARD_HOOK,
    witness=lambda: seen_by_a_backward_hook(x_requires_grad=True)[1] == [],
    raises=UserWarning,
)
def backward_hooks_warn_always(patch):
    """A full backward hook warns where the input requires a gradient, too."""

    def register(original, self, hook, **options):
        def warning(module, of_inputs, of_outputs):
            if of_inputs[0] is not None:
                warnings.warn("Full backward hook: no inputs require gradients", UserWarning, stacklevel=2)
            hook(module, of_inputs, of_outputs)

        return original(self, warning, **options)

    patch.around(nn.Module, "register_full_backward_hook", register)


def hooks_of_out_proj():
    attention, events, x = nn.MultiheadAttention(4, 1), [], torch.ones(2, 1, 4)
    attention.out_proj.register_forward_hook(lambda *args: events.append(1))
    attention(x, x, x)
    return len(events)


@mutant(kills="test_a_hook_on_the_out_proj_of_attention_never_runs", witness=lambda: hooks_of_out_proj() == 0)
def attention_runs_the_hooks_of_out_proj(patch):
    """`nn.MultiheadAttention` runs the forward hooks of its `out_proj`."""

    def change(forward, self, *args, **kwargs):
        output = forward(self, *args, **kwargs)
        for hook in self.out_proj._forward_hooks.values():
            hook(self.out_proj, (), output[0])
        return output

    patch.around(nn.MultiheadAttention, "forward", change)


def arguments_seen_by_a_hook():
    relu, seen = nn.ReLU(), []
    relu.register_forward_hook(lambda module, args, output: seen.append(len(args)))
    relu(input=torch.ones(1))
    return seen


@mutant(
    kills="test_hooks_see_the_parts_and_can_replace_what_passes",
    witness=lambda: arguments_seen_by_a_hook() == [0],
)
def hooks_get_keyword_arguments_as_positional_ones(patch):
    """A forward hook gets the keyword arguments among the positional ones."""

    def change(register, self, hook, **options):
        if options:
            return register(self, hook, **options)
        return register(
            self, lambda module, args, kwargs, output: hook(module, (*args, *kwargs.values()), output), with_kwargs=True
        )

    patch.around(nn.Module, "register_forward_hook", change)


# super().__init__()


@mutant(
    kills=(
        "test_super_init_comes_first",
        "test_without_super_init_plain_values_are_accepted_and_the_call_fails",
    ),
    witness=lambda: raises(AttributeError, TooLate, "layer", nn.ReLU()),
)
def super_init_is_called_by_first_assignment(patch):
    """The first assignment to a module calls `Module.__init__` if that was not yet called."""

    def change(assign, self, name, value):
        if "_parameters" not in self.__dict__:
            nn.Module.__init__(self)
        assign(self, name, value)

    patch.around(nn.Module, "__setattr__", change)


@mutant(
    kills="test_super_init_comes_first",
    witness=lambda: raises(AttributeError, lambda: nn.Module.register_buffer(Forgetful(), "mean", torch.ones(1))),
)
def super_init_is_called_by_register_buffer(patch):
    """`register_buffer` calls `Module.__init__` if that was not yet called."""

    def change(register, self, *args, **kwargs):
        if "_buffers" not in self.__dict__:
            nn.Module.__init__(self)
        register(self, *args, **kwargs)

    patch.around(nn.Module, "register_buffer", change)


@mutant(
    kills="test_super_init_comes_first",
    witness=lambda: raises(AttributeError, TooLate, "layer", nn.ReLU()),
    raises=TypeError,
)
def super_init_missing_raises_type_error(patch):
    """Assigning a layer before `super().__init__()` raises TypeError."""

    def change(assign, self, name, value):
        if "_parameters" not in self.__dict__ and isinstance(value, nn.Module):
            raise TypeError("cannot assign module before Module.__init__() call")
        assign(self, name, value)

    patch.around(nn.Module, "__setattr__", change)


@mutant(
    kills="test_super_init_comes_first",
    witness=lambda: raises(AttributeError, TooLate, "weight", nn.Parameter(torch.ones(1))),
)
def super_init_late_takes_parameter_for_plain(patch):
    """A Parameter assigned before `super().__init__()` becomes a plain attribute."""

    def change(assign, self, name, value):
        if "_parameters" not in self.__dict__ and isinstance(value, nn.Parameter):
            object.__setattr__(self, name, value)
        else:
            assign(self, name, value)

    patch.around(nn.Module, "__setattr__", change)


@mutant(
    kills="test_without_super_init_plain_values_are_accepted_and_the_call_fails",
    witness=lambda: raises(AttributeError, Forgetful(), 2),
)
def super_init_is_not_needed_for_the_call(patch):
    """A module can be called without `super().__init__()`."""

    def change(call, self, *args, **kwargs):
        return (call if "_parameters" in self.__dict__ else type(self).forward)(self, *args, **kwargs)

    patch.around(nn.Module, "__call__", change)


@mutant(
    kills="test_without_super_init_plain_values_are_accepted_and_the_call_fails",
    witness=lambda: Forgetful() is not None,
    raises=AttributeError,
)
def super_init_is_needed_for_plain_values(patch):
    """Assigning a plain value before `super().__init__()` raises AttributeError."""

    def change(assign, self, name, value):
        if "_parameters" not in self.__dict__:
            raise AttributeError("cannot assign before Module.__init__() call")
        assign(self, name, value)

    patch.around(nn.Module, "__setattr__", change)


def message_of_a_forgetful_call():
    try:
        Forgetful()(2)
    except AttributeError as error:
        return str(error)


@mutant(
    kills="test_without_super_init_plain_values_are_accepted_and_the_call_fails",
    witness=lambda: "__init__" not in message_of_a_forgetful_call(),
)
def super_init_missing_is_named_by_the_call(patch):
    """Calling a module without `super().__init__()` raises an AttributeError that names the cause."""

    def change(call, self, *args, **kwargs):
        if "_parameters" not in self.__dict__:
            name = type(self).__name__
            raise AttributeError(f"'{name}' object has no attribute '_parameters': call super().__init__()")
        return call(self, *args, **kwargs)

    patch.around(nn.Module, "__call__", change)


# What is registered


def assigned_as(patch, test, convert):
    """Convert a value before it is assigned to an attribute of a module."""

    def change(assign, self, name, value):
        if "_parameters" in self.__dict__ and not name.startswith("_") and test(value):
            value = convert(value)
        assign(self, name, value)

    patch.around(nn.Module, "__setattr__", change)


def collection(value, kind, part):
    """Whether it is exactly such a collection, not empty and of nothing else."""
    if type(value) is not kind or not value:
        return False
    return all(isinstance(x, part) for x in (value.values() if kind is dict else value))


def is_plain_tensor(value):
    return isinstance(value, torch.Tensor) and not isinstance(value, nn.Parameter)


@mutant(
    kills=("test_what_an_attribute_registers", "test_layers_in_a_plain_list_are_not_trained"),
    witness=lambda: names(holding([nn.Linear(1, 1)])) == [],
)
def plain_list_registers_layers(patch):
    """A list of layers assigned to a module is registered."""
    assigned_as(patch, lambda value: collection(value, list, nn.Module), nn.ModuleList)


@mutant(
    kills="test_what_an_attribute_registers",
    witness=lambda: names(holding((nn.Linear(1, 1),))) == [],
)
def plain_tuple_registers_layers(patch):
    """A tuple of layers assigned to a module is registered."""
    assigned_as(patch, lambda value: collection(value, tuple, nn.Module), nn.ModuleList)


@mutant(
    kills="test_what_an_attribute_registers",
    witness=lambda: names(holding({"a": nn.Linear(1, 1)})) == [],
)
def plain_dict_registers_layers(patch):
    """A dict of layers assigned to a module is registered."""
    assigned_as(patch, lambda value: collection(value, dict, nn.Module), nn.ModuleDict)


@mutant(
    kills="test_what_an_attribute_registers",
    witness=lambda: names(holding([nn.Parameter(torch.ones(1))])) == [],
)
def plain_list_registers_parameters(patch):
    """A list of Parameters assigned to a module is registered."""
    assigned_as(patch, lambda value: collection(value, list, nn.Parameter), nn.ParameterList)


@mutant(
    kills="test_what_an_attribute_registers",
    witness=lambda: names(holding(torch.ones(1, requires_grad=True))) == [],
)
def tensor_with_gradient_is_registered(patch):
    """A tensor with `requires_grad=True` assigned to a module becomes a Parameter."""
    assigned_as(patch, lambda value: is_plain_tensor(value) and value.requires_grad and value.is_leaf, nn.Parameter)


@mutant(
    kills=("test_what_an_attribute_registers", "test_which_attribute_is_in_which"),
    witness=lambda: list(holding(torch.ones(1)).state_dict()) == [],
)
def tensor_is_registered_as_buffer(patch):
    """A tensor assigned to a module becomes a buffer."""

    def change(assign, self, name, value):
        known = {**self.__dict__.get("_parameters", {}), **self.__dict__.get("_buffers", {})}
        if is_plain_tensor(value) and "_buffers" in self.__dict__ and name not in known:
            self.register_buffer(name, value)
        else:
            assign(self, name, value)

    patch.around(nn.Module, "__setattr__", change)


@mutant(
    kills="test_what_an_attribute_registers",
    witness=lambda: names(holding(nn.ParameterList([nn.Parameter(torch.ones(1))] * 2))) == ["x.0"],
)
def parameter_list_counts_from_one(patch):
    """The parameters of a ParameterList are named from 1."""

    def change(named, self, *args, **kwargs):
        for name, parameter in named(self, *args, **kwargs):
            head, dot, last = name.rpartition(".")
            inside = dot and isinstance(self.get_submodule(head), nn.ParameterList)
            yield f"{head}.{int(last) + 1}" if inside else name, parameter

    patch.around(nn.Module, "named_parameters", change)


@mutant(
    kills=("test_assignment_registers_parameters_and_layers", "test_tied_weights_are_one_parameter_and_two_entries"),
    witness=lambda: [holding(weight).x is weight for weight in [nn.Parameter(torch.ones(1))]] == [True],
)
def assigned_parameter_is_copied(patch):
    """Assigning a Parameter to a module registers a copy of it."""
    assigned_as(
        patch,
        lambda value: isinstance(value, nn.Parameter),
        lambda value: nn.Parameter(value.detach().clone(), value.requires_grad),
    )


def model_of_three():
    model = nn.Module()
    model.b = nn.ReLU()
    model.a = nn.Linear(1, 1)
    model.weight = nn.Parameter(torch.ones(1))
    return model


@mutant(
    kills="test_assignment_registers_parameters_and_layers",
    witness=lambda: [name for name, child in model_of_three().named_children()] == ["b", "a"],
)
def children_in_alphabetical_order(patch):
    """`named_children` and `children` go by the names of the parts."""
    patch.around(nn.Module, "named_children", lambda named, self: iter(sorted(named(self), key=lambda item: item[0])))


@mutant(
    kills=("test_assignment_registers_parameters_and_layers", "test_order_of_the_keys"),
    witness=lambda: names(model_of_three()) == ["weight", "a.weight", "a.bias"],
)
def own_parameters_come_last(patch):
    """`named_parameters` and `parameters` give those of the parts before the module's own."""

    def change(named, self, *args, **kwargs):
        yield from sorted(named(self, *args, **kwargs), key=lambda item: "." not in item[0])

    patch.around(nn.Module, "named_parameters", change)


@mutant(
    kills=("test_layers_in_a_plain_list_are_not_trained", "test_parameter_count_for_every_chain_of_linear_layers"),
    witness=lambda: names(nn.Sequential(nn.Linear(1, 1))) == ["0.weight", "0.bias"],
)
def parameters_of_the_module_alone(patch):
    """`named_parameters` and `parameters` leave out the parts."""

    def change(named, self, prefix="", recurse=True, remove_duplicate=True):
        return named(self, prefix, False, remove_duplicate)

    patch.around(nn.Module, "named_parameters", change)


@mutant(
    kills="test_module_list_only_holds_layers",
    witness=lambda: raises(NotImplementedError, nn.ModuleList([nn.ReLU()]), torch.ones(1)),
)
def module_list_can_be_called(patch):
    """A ModuleList runs its layers in a row, like a Sequential."""
    patch.setattr(nn.ModuleList, "forward", nn.Sequential.forward)


@mutant(
    kills="test_module_list_only_holds_layers",
    witness=lambda: raises(NotImplementedError, nn.ModuleDict({"a": nn.ReLU()}), torch.ones(1)),
)
def module_dict_can_be_called(patch):
    """A ModuleDict runs its layers in a row, like a Sequential."""

    def forward(self, x):
        for layer in self.values():
            x = layer(x)
        return x

    patch.setattr(nn.ModuleDict, "forward", forward)


@mutant(
    kills="test_module_list_only_holds_layers",
    witness=lambda: [type(layer) for layer in nn.ModuleList([nn.ReLU(), nn.Tanh()])] == [nn.ReLU, nn.Tanh],
)
def module_list_iterates_backwards(patch):
    """Going through a ModuleList starts at its last layer."""
    patch.around(nn.ModuleList, "__iter__", lambda go, self: reversed(list(go(self))))


@mutant(kills="test_what_an_attribute_registers", witness=lambda: names(holding({nn.Linear(1, 1)})) == [])
def plain_set_registers_layers(patch):
    """A set of layers assigned to a module is registered."""
    assigned_as(patch, lambda value: collection(value, set, nn.Module), nn.ModuleList)


@mutant(
    kills="test_what_an_attribute_registers",
    witness=lambda: names(holding(nn.ParameterList([torch.ones(1)]))) == ["x.0"],
)
def parameter_list_leaves_tensors_plain(patch):
    """An `nn.ParameterList` keeps a plain tensor as it is."""

    def change(put, self, index, value):
        if is_plain_tensor(value):
            object.__setattr__(self, str(index), value)
        else:
            put(self, index, value)

    patch.around(nn.ParameterList, "__setitem__", change)


def order_after_replacing():
    model = model_of_three()
    model.b = nn.Tanh()
    return [name for name, child in model.named_children()]


@mutant(kills="test_assignment_registers_parameters_and_layers", witness=lambda: order_after_replacing() == ["b", "a"])
def replaced_layer_goes_to_the_end(patch):
    """A layer assigned where there is one comes last among the parts."""

    def change(assign, self, name, value):
        if isinstance(value, nn.Module):
            self.__dict__.get("_modules", {}).pop(name, None)
        assign(self, name, value)

    patch.around(nn.Module, "__setattr__", change)


@mutant(
    kills="test_assignment_registers_parameters_and_layers",
    witness=lambda: raises(TypeError, setattr, nn.Linear(1, 1), "weight", nn.ReLU()),
)
def a_layer_takes_the_place_of_a_parameter(patch):
    """A layer assigned to the name of a Parameter replaces it."""

    def change(assign, self, name, value):
        if isinstance(value, nn.Module):
            self.__dict__.get("_parameters", {}).pop(name, None)
        assign(self, name, value)

    patch.around(nn.Module, "__setattr__", change)


@mutant(
    kills="test_optimizer_refuses_a_model_with_all_layers_in_a_plain_list",
    witness=lambda: raises(ValueError, torch.optim.SGD, [], 0.1),
)
def optimizer_takes_an_empty_list(patch):
    """An optimizer can be made without parameters."""

    def change(init, self, params, defaults):
        init(self, list(params) or [torch.zeros(1, requires_grad=True)], defaults)

    patch.around(torch.optim.Optimizer, "__init__", change)


@mutant(
    kills="test_layer_in_the_class_body_is_not_registered",
    witness=lambda: names(type("Model", (nn.Module,), {"layer": nn.Linear(1, 1)})()) == [],
)
def layer_in_the_class_body_is_registered(patch):
    """A module registers the layers in the body of its class."""

    def change(init, self, *args, **kwargs):
        init(self, *args, **kwargs)
        self._modules.update({name: part for name, part in vars(type(self)).items() if isinstance(part, nn.Module)})

    patch.around(nn.Module, "__init__", change)


# Buffers


def with_buffer(**options):
    model = nn.Module()
    model.register_buffer("mean", torch.tensor([1.0]), **options)
    return model


@mutant(
    kills=(
        "test_buffer_is_registered_but_not_a_parameter",
        "test_batch_norm_has_two_parameters_and_five_entries",
        "test_which_attribute_is_in_which",
    ),
    witness=lambda: names(with_buffer()) == [],
)
def parameters_include_buffers(patch):
    """`parameters` and `named_parameters` give the buffers, too."""

    def change(named, self, *args, **kwargs):
        yield from named(self, *args, **kwargs)
        yield from self.named_buffers()

    patch.around(nn.Module, "named_parameters", change)


@mutant(
    kills="test_buffer_is_registered_but_not_a_parameter",
    witness=lambda: with_buffer().mean.requires_grad is False,
)
def buffer_needs_a_gradient(patch):
    """`register_buffer` makes the tensor require a gradient."""

    def change(register, self, name, tensor, persistent=True):
        register(self, name, tensor, persistent)
        if tensor is not None and tensor.is_floating_point():
            tensor.requires_grad_()

    patch.around(nn.Module, "register_buffer", change)


@mutant(
    kills=(
        "test_buffer_is_registered_but_not_a_parameter",
        "test_batch_norm_has_two_parameters_and_five_entries",
        "test_which_attribute_is_in_which",
        "test_order_of_the_keys",
    ),
    witness=lambda: list(with_buffer().state_dict()) == ["mean"],
)
def buffer_is_never_persistent(patch):
    """A registered buffer is not part of the state_dict."""
    patch.around(
        nn.Module,
        "register_buffer",
        lambda register, self, name, tensor, persistent=True: register(self, name, tensor, False),
    )


def buffer_after_assignment():
    model = with_buffer()
    model.mean = torch.tensor([3.0])
    return dict(model.named_buffers())


@mutant(
    kills="test_a_tensor_assigned_to_a_buffer_is_the_new_buffer",
    witness=lambda: list(buffer_after_assignment()) == ["mean"],
)
def buffer_is_lost_on_assignment(patch):
    """Assigning a tensor to the name of a buffer makes it a plain attribute."""

    def change(assign, self, name, value):
        if name in self.__dict__.get("_buffers", {}):
            del self._buffers[name]
            object.__setattr__(self, name, value)
        else:
            assign(self, name, value)

    patch.around(nn.Module, "__setattr__", change)


@mutant(
    kills="test_a_tensor_assigned_to_a_buffer_is_the_new_buffer",
    witness=lambda: buffer_after_assignment()["mean"].item() == 3,
)
def buffer_keeps_its_old_values(patch):
    """Assigning a tensor to the name of a buffer leaves the buffer as it was."""

    def change(assign, self, name, value):
        if name not in self.__dict__.get("_buffers", {}):
            assign(self, name, value)

    patch.around(nn.Module, "__setattr__", change)


@mutant(
    kills="test_nn_buffer_registers_by_assignment",
    witness=lambda: [name for name, _ in holding(nn.Buffer(torch.ones(1))).named_buffers()] == ["x"],
)
def nn_buffer_is_a_plain_tensor(patch):
    """`nn.Buffer` gives back the tensor it was given."""
    for module in (nn, nn.parameter):
        patch.setattr(module, "Buffer", lambda tensor, persistent=True: tensor)


@mutant(
    kills="test_nn_buffer_registers_by_assignment",
    witness=lambda: names(holding(nn.Buffer(torch.ones(1)))) == [],
)
def nn_buffer_is_a_parameter(patch):
    """`nn.Buffer` makes a frozen Parameter."""
    for module in (nn, nn.parameter):
        patch.setattr(module, "Buffer", lambda tensor, persistent=True: nn.Parameter(tensor, requires_grad=False))


@mutant(
    kills="test_nn_buffer_registers_by_assignment",
    witness=lambda: list(holding(nn.Buffer(torch.ones(1))).state_dict()) == ["x"],
)
def nn_buffer_is_not_persistent_by_default(patch):
    """`nn.Buffer` is not persistent unless told so."""
    buffer = nn.Buffer
    for module in (nn, nn.parameter):
        patch.setattr(module, "Buffer", lambda tensor, *, persistent=False: buffer(tensor, persistent=persistent))


@mutant(
    kills="test_buffer_is_registered_but_not_a_parameter",
    witness=lambda: next(m.x.requires_grad for m in [buffer_of(torch.ones(1, requires_grad=True))]),
)
def buffer_never_requires_a_gradient(patch):
    """`register_buffer` registers the tensor without its gradient."""

    def change(register, self, name, tensor, persistent=True):
        register(self, name, None if tensor is None else tensor.detach(), persistent)

    patch.around(nn.Module, "register_buffer", change)


@mutant(
    kills="test_buffer_is_registered_but_not_a_parameter",
    witness=lambda: list(buffer_of(torch.ones(1), persistent=False).state_dict()) == [],
)
def buffer_cannot_be_left_out_of_the_state_dict(patch):
    """`register_buffer` ignores `persistent=False`."""

    def change(register, self, name, tensor, persistent=True):
        register(self, name, tensor)

    patch.around(nn.Module, "register_buffer", change)


def buffer_of(tensor, **options):
    model = nn.Module()
    model.register_buffer("x", tensor, **options)
    return model


def buffers_after(value):
    model = buffer_of(torch.ones(1))
    model.x = value
    return list(model.buffers())


ASSIGNED_BUFFER = "test_a_tensor_assigned_to_a_buffer_is_the_new_buffer"


@mutant(kills=ASSIGNED_BUFFER, witness=lambda: buffers_after(nn.Parameter(torch.ones(1))) == [])
def parameter_over_buffer_is_a_buffer(patch):
    """A Parameter assigned to the name of a buffer becomes the buffer."""

    def change(assign, self, name, value):
        if isinstance(value, nn.Parameter) and name in self.__dict__.get("_buffers", {}):
            value = value.detach()
        assign(self, name, value)

    patch.around(nn.Module, "__setattr__", change)


@mutant(kills=ASSIGNED_BUFFER, witness=lambda: buffers_after(nn.Parameter(torch.ones(1)) * 2)[0].requires_grad)
def tensor_over_buffer_is_detached(patch):
    """A tensor assigned to the name of a buffer is cut from its graph."""

    def change(assign, self, name, value):
        if is_plain_tensor(value) and name in self.__dict__.get("_buffers", {}):
            value = value.detach()
        assign(self, name, value)

    patch.around(nn.Module, "__setattr__", change)


def put_nn_buffer_over_an_attribute():
    holding(torch.ones(1)).x = nn.Buffer(torch.ones(1))


@mutant(
    kills="test_nn_buffer_registers_by_assignment",
    witness=lambda: raises(KeyError, put_nn_buffer_over_an_attribute),
)
def nn_buffer_takes_the_place_of_a_plain_attribute(patch):
    """An `nn.Buffer` assigned to the name of a plain attribute takes its place."""

    def change(register, self, name, *args, **kwargs):
        self.__dict__.pop(name, None)
        register(self, name, *args, **kwargs)

    patch.around(nn.Module, "register_buffer", change)


# to


def model_of_all_kinds():
    model = nn.Module()
    model.weight = nn.Parameter(torch.ones(1))
    model.register_buffer("mean", torch.ones(1))
    model.register_buffer("count", torch.tensor(3))
    model.tensor = torch.ones(1)
    model.layers = [nn.Linear(1, 1)]
    return model


def after_half():
    model = model_of_all_kinds()
    model.half()
    return model


@mutant(kills="test_to_converts_what_is_registered", witness=lambda: next(m.to(torch.half) is m for m in [nn.ReLU()]))
def to_works_on_a_copy_of_the_model(patch):
    """`model.to(dtype)` leaves the model and returns a converted copy."""
    patch.around(nn.Module, "to", lambda to, self, *args, **kwargs: to(copy.deepcopy(self), *args, **kwargs))


@mutant(kills="test_to_converts_what_is_registered", witness=lambda: nn.ReLU().to(torch.half) is not None)
def to_of_a_model_returns_none(patch):
    """`model.to(...)` converts the model and returns None."""

    def change(to, self, *args, **kwargs):
        to(self, *args, **kwargs)

    patch.around(nn.Module, "to", change)


@mutant(kills="test_to_converts_what_is_registered", witness=lambda: raises(TypeError, nn.ReLU().to, torch.int64))
def to_passes_over_a_dtype_of_whole_numbers(patch):
    """`model.to(torch.int64)` leaves the model as it is."""
    patch.around(nn.Module, "to", lambda to, self, *args: self if args == (torch.int64,) else to(self, *args))


@mutant(
    kills="test_to_converts_what_is_registered",
    witness=lambda: model_of_all_kinds().to(torch.float16).count.dtype == torch.int64,
)
def to_converts_whole_numbers(patch):
    """`model.to(dtype)` converts buffers of integers, too."""

    def change(to, self, *args, **kwargs):
        to(self, *args, **kwargs)
        for module in self.modules():
            for name, buffer in module._buffers.items():
                if buffer is not None:
                    module._buffers[name] = buffer.to(*args, **kwargs)
        return self

    patch.around(nn.Module, "to", change)


@mutant(
    kills="test_to_converts_what_is_registered",
    witness=lambda: after_half().tensor.dtype == torch.float32,
)
def to_reaches_plain_tensors(patch):
    """`model.to(...)` and its like convert and move plain tensors among the attributes."""

    def change(apply, self, function, *args):
        apply(self, function, *args)
        for name, value in self.__dict__.items():
            if isinstance(value, torch.Tensor):
                self.__dict__[name] = function(value)
        return self

    patch.around(nn.Module, "_apply", change)


@mutant(
    kills="test_to_converts_what_is_registered",
    witness=lambda: after_half().layers[0].weight.dtype == torch.float32,
)
def to_reaches_layers_in_lists(patch):
    """`model.to(...)` and its like convert and move layers in plain lists."""

    def change(apply, self, function, *args):
        apply(self, function, *args)
        for value in self.__dict__.values():
            for layer in value if type(value) is list else []:
                if isinstance(layer, nn.Module):
                    layer._apply(function)
        return self

    patch.around(nn.Module, "_apply", change)


@mutant(
    kills="test_to_converts_what_is_registered",
    witness=lambda: after_half().mean.dtype == torch.float16,
)
def to_leaves_buffers(patch):
    """`model.to(...)` and its like convert and move parameters and leave buffers."""

    def change(apply, self, function, *args):
        before = dict(self._buffers)
        apply(self, function, *args)
        self._buffers.update(before)
        return self

    patch.around(nn.Module, "_apply", change)


@mutant(
    kills="test_to_converts_what_is_registered",
    witness=lambda: next(m.half().weight is weight for m in [linear()] for weight in [m.weight]),
)
def to_makes_new_parameters(patch):
    """`model.to(dtype)` and its like put new Parameters in place of the old ones."""

    def change(apply, self, function, *args):
        apply(self, function, *args)
        for name, parameter in self._parameters.items():
            if parameter is not None:
                self._parameters[name] = nn.Parameter(parameter.detach(), parameter.requires_grad)
        return self

    patch.around(nn.Module, "_apply", change)


@mutant(
    kills="test_to_converts_what_is_registered",
    witness=lambda: model_of_all_kinds().to("meta").count.device.type == "meta",
)
def to_a_device_leaves_whole_numbers(patch):
    """`model.to(device)` leaves buffers of integers where they are."""

    def change(to, self, *args, **kwargs):
        before = {name: buffer for name, buffer in self._buffers.items() if not buffer.is_floating_point()}
        to(self, *args, **kwargs)
        self._buffers.update(before)
        return self

    patch.around(nn.Module, "to", change)


def complex_parameter(convert):
    model = holding(nn.Parameter(torch.tensor([1j])))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        convert(model)
    return model.x.dtype


@mutant(
    kills="test_to_a_float_dtype_makes_complex_parameters_real",
    witness=lambda: complex_parameter(lambda model: model.to(torch.float64)) == torch.float64,
)
def to_a_float_dtype_leaves_complex_parameters(patch):
    """`model.to(torch.float64)` leaves complex parameters as they are."""

    def change(to, self, *args, **kwargs):
        return self.double() if args == (torch.float64,) else to(self, *args, **kwargs)

    patch.around(nn.Module, "to", change)


@mutant(
    kills="test_to_a_float_dtype_makes_complex_parameters_real",
    witness=lambda: complex_parameter(lambda model: model.double()) == torch.complex64,
    raises=UserWarning,
)
def double_makes_complex_parameters_real(patch):
    """`model.double()` turns complex parameters into real ones."""
    patch.setattr(nn.Module, "double", lambda self: self.to(torch.float64))


# Replacing and walking


def replaced():
    model = holding(nn.Linear(1, 3))
    model.x = nn.Linear(1, 2, bias=False)
    return model


@mutant(
    kills="test_assigning_again_replaces",
    witness=lambda: [tuple(parameter.shape) for parameter in replaced().parameters()] == [(2, 1)],
)
def replaced_layer_stays_registered(patch):
    """A layer assigned where there is one becomes a plain attribute, and the old one stays registered."""

    def change(assign, self, name, value):
        if name in self.__dict__.get("_modules", {}):
            object.__setattr__(self, name, value)
        else:
            assign(self, name, value)

    patch.around(nn.Module, "__setattr__", change)


@mutant(
    kills=("test_assigning_again_replaces", "test_optimizer_keeps_the_parameters_it_was_given"),
    witness=lambda: [tuple(parameter.shape) for parameter in replaced().parameters()] == [(2, 1)],
)
def replaced_layer_leaves_its_parameters(patch):
    """A layer assigned where there is one takes over the old one's Parameters."""

    def change(assign, self, name, value):
        old = self.__dict__.get("_modules", {}).get(name)
        if isinstance(old, nn.Module) and isinstance(value, nn.Module):
            value._parameters.update(old._parameters)
        assign(self, name, value)

    patch.around(nn.Module, "__setattr__", change)


def deleted():
    model = holding(nn.Linear(1, 3))
    del model.x
    return model


@mutant(kills="test_assigning_again_replaces", witness=lambda: not hasattr(deleted(), "x"))
def deleted_layer_stays(patch):
    """Deleting an attribute that is a layer does nothing."""

    def change(delete, self, name):
        if name not in self._modules:
            delete(self, name)

    patch.around(nn.Module, "__delattr__", change)


@mutant(kills="test_assigning_again_replaces", witness=lambda: not hasattr(deleted(), "x"))
def deleted_layer_becomes_none(patch):
    """Deleting an attribute that is a layer leaves None in its place."""

    def change(delete, self, name):
        if name in self._modules:
            self._modules[name] = None
        else:
            delete(self, name)

    patch.around(nn.Module, "__delattr__", change)


def nested():
    return nn.Sequential(nn.Sequential(nn.Linear(1, 1), nn.ReLU()), nn.Tanh())


@mutant(kills="test_children_modules_and_names", witness=lambda: len(list(nested().children())) == 2)
def children_are_parts_at_any_depth(patch):
    """`children` and `named_children` go to any depth."""
    patch.around(
        nn.Module,
        "named_children",
        lambda named, self: ((name, module) for name, module in self.named_modules() if name),
    )


@mutant(kills="test_children_modules_and_names", witness=lambda: len(list(nested().modules())) == 5)
def modules_without_the_model(patch):
    """`modules` and `named_modules` leave out the model itself."""

    def change(named, self, memo=None, prefix="", remove_duplicate=True):
        for name, module in named(self, memo, prefix, remove_duplicate):
            if name:
                yield name, module

    patch.around(nn.Module, "named_modules", change)


@mutant(
    kills="test_children_modules_and_names",
    witness=lambda: [name for name, module in nested().named_modules()] == ["", "0", "0.0", "0.1", "1"],
)
def modules_level_by_level(patch):
    """`modules` and `named_modules` give the parts level by level."""

    def change(named, self, *args, **kwargs):
        yield from sorted(named(self, *args, **kwargs), key=lambda item: (bool(item[0]), item[0].count(".")))

    patch.around(nn.Module, "named_modules", change)


@mutant(
    kills=("test_children_modules_and_names", "test_order_of_the_keys"),
    witness=lambda: names(nested()) == ["0.0.weight", "0.0.bias"],
)
def parameter_names_with_slashes(patch):
    """`named_parameters` puts slashes between the levels."""

    def change(named, self, *args, **kwargs):
        for name, parameter in named(self, *args, **kwargs):
            yield name.replace(".", "/"), parameter

    patch.around(nn.Module, "named_parameters", change)


@mutant(
    kills="test_children_modules_and_names",
    witness=lambda: isinstance(nested().get_submodule("0.1"), nn.ReLU),
)
def get_submodule_stops_at_first_level(patch):
    """`get_submodule` gives the part named before the first dot."""
    patch.around(nn.Module, "get_submodule", lambda get, self, target: get(self, target.partition(".")[0]))


def visited():
    seen = []
    nested().apply(lambda module: seen.append(type(module).__name__))
    return seen


@mutant(kills="test_apply_visits_parts_before_the_whole", witness=lambda: visited()[-1] == "Sequential")
def apply_visits_the_whole_first(patch):
    """`apply` visits a module before its parts."""

    def apply(self, function):
        for module in list(self.modules()):
            function(module)
        return self

    patch.setattr(nn.Module, "apply", apply)


@mutant(kills="test_apply_visits_parts_before_the_whole", witness=lambda: len(visited()) == 5)
def apply_goes_one_level_deep(patch):
    """`apply` visits the direct parts and the model."""

    def apply(self, function):
        for module in [*self.children(), self]:
            function(module)
        return self

    patch.setattr(nn.Module, "apply", apply)


@mutant(kills="test_apply_visits_parts_before_the_whole", witness=lambda: nn.ReLU().apply(id) is not None)
def apply_returns_none(patch):
    """`apply` returns None."""

    def change(apply, self, function):
        apply(self, function)

    patch.around(nn.Module, "apply", change)


@mutant(
    kills="test_parameter_count_for_every_chain_of_linear_layers",
    witness=lambda: len(list(nn.Linear(2, 1).parameters())) == 2,
)
def parameters_leave_out_single_numbers(patch):
    """`parameters` and `named_parameters` leave out a Parameter of a single number."""

    def change(named, self, *args, **kwargs):
        for name, parameter in named(self, *args, **kwargs):
            if parameter.numel() != 1:
                yield name, parameter

    patch.around(nn.Module, "named_parameters", change)


@mutant(
    kills="test_parameter_count_for_every_chain_of_linear_layers",
    witness=lambda: nn.Linear(2, 1).bias is not None,
)
def linear_has_no_bias_by_default(patch):
    """`nn.Linear` has no bias unless it is asked for."""

    def change(init, self, in_features, out_features, bias=False, **options):
        init(self, in_features, out_features, bias, **options)

    patch.around(nn.Linear, "__init__", change)


def twice():
    layer = nn.ReLU()
    return nn.Sequential(layer, layer)


SET = "test_set_submodule_replaces_a_part_by_its_dotted_name"


def after_set_submodule(name, **options):
    """The names of the parts of a model of two levels after `set_submodule` of an Identity, and which are Identity."""
    model = nn.Sequential(nn.Sequential(nn.ReLU(), nn.ReLU()), nn.ReLU())
    model.set_submodule(name, nn.Identity(), **options)
    return [where for where, part in model.named_modules() if isinstance(part, nn.Identity)]


@mutant(kills=SET, witness=lambda: after_set_submodule("1") == ["1"])
def set_submodule_does_nothing(patch):
    """`set_submodule` leaves the model as it is."""
    patch.setattr(nn.Module, "set_submodule", lambda self, target, module, strict=False: None)


@mutant(kills=SET, witness=lambda: after_set_submodule("0.1") == ["0.1"])
def set_submodule_stays_on_top(patch):
    """`set_submodule("0.1", layer)` replaces part 1 of the model itself."""
    patch.around(
        nn.Module,
        "set_submodule",
        lambda set, self, target, *args, **k: set(self, target.rpartition(".")[2], *args, **k),
    )


@mutant(kills=SET, witness=lambda: after_set_submodule("0.7") == ["0.7"], raises=AttributeError)
def set_submodule_refuses_a_new_name(patch):
    """`set_submodule` raises AttributeError for a name that does not exist."""

    def change(put, self, target, *args, **kwargs):
        self.get_submodule(target)
        put(self, target, *args, **kwargs)

    patch.around(nn.Module, "set_submodule", change)


def visits_of_a_shared_part():
    relu, seen = nn.ReLU(), []
    nn.Sequential(nn.Sequential(relu), nn.Sequential(relu)).apply(seen.append)
    return sum(module is relu for module in seen)


@mutant(kills="test_apply_visits_parts_before_the_whole", witness=lambda: visits_of_a_shared_part() == 2)
def apply_visits_a_shared_part_once(patch):
    """`apply` calls its function once on a part that two containers share."""

    def change(apply, self, function):
        seen = set()

        def once(module):
            if module not in seen:
                seen.add(module)
                function(module)

        return apply(self, once)

    patch.around(nn.Module, "apply", change)


# Parameters


@mutant(
    kills="test_parameter_needs_a_gradient_by_default",
    witness=lambda: nn.Parameter(torch.ones(1)).requires_grad,
)
def parameter_is_frozen_by_default(patch):
    """An `nn.Parameter` requires a gradient only where the tensor it is made of does."""
    around_parameter(
        patch,
        lambda make, data, requires_grad: make(data, data.requires_grad if requires_grad is None else requires_grad),
    )


@mutant(
    kills="test_parameter_needs_a_gradient_by_default",
    witness=lambda: not nn.Parameter(torch.ones(1), requires_grad=False).requires_grad,
)
def parameter_always_needs_a_gradient(patch):
    """An `nn.Parameter` of floating-point numbers ignores `requires_grad=False`."""
    around_parameter(
        patch,
        lambda make, data, requires_grad: make(data, data.is_floating_point() or requires_grad),
    )


@mutant(
    kills="test_parameter_needs_a_gradient_by_default",
    witness=lambda: next(nn.Parameter(x).data_ptr() == x.data_ptr() for x in [torch.ones(1)]),
)
def parameter_copies_its_tensor(patch):
    """An `nn.Parameter` has memory of its own."""
    around_parameter(patch, lambda make, data, requires_grad: make(data.detach().clone(), requires_grad))


@mutant(
    kills="test_parameter_needs_a_gradient_by_default",
    witness=lambda: [(nn.Parameter(x), x.requires_grad)[1] for x in [torch.ones(1)]] == [False],
)
def parameter_makes_its_tensor_trainable(patch):
    """Making an `nn.Parameter` makes the tensor it is made of require a gradient."""

    def change(make, data, requires_grad):
        parameter = make(data, requires_grad)
        if data.is_leaf and not data.requires_grad:
            data.requires_grad_(parameter.requires_grad)
        return parameter

    around_parameter(patch, change)


@mutant(
    kills="test_whole_numbers_make_no_trainable_parameter",
    witness=lambda: raises(RuntimeError, nn.Parameter, torch.tensor([1])),
)
def parameter_of_integers_is_frozen(patch):
    """An `nn.Parameter` of integers is made and requires no gradient."""
    around_parameter(
        patch,
        lambda make, data, requires_grad: make(data, requires_grad if data.is_floating_point() else False),
    )


@mutant(
    kills="test_whole_numbers_make_no_trainable_parameter",
    witness=lambda: raises(RuntimeError, nn.Parameter, torch.tensor([1])),
)
def parameter_of_integers_becomes_float(patch):
    """An `nn.Parameter` of integers that is to be trained is converted to float32."""
    around_parameter(
        patch,
        lambda make, data, requires_grad: make(data.float() if requires_grad is None else data, requires_grad),
    )


@mutant(
    kills="test_whole_numbers_make_no_trainable_parameter",
    witness=lambda: nn.Parameter(torch.tensor([1]), requires_grad=False).dtype == torch.int64,
)
def parameter_of_integers_is_float_where_frozen(patch):
    """A frozen `nn.Parameter` of integers is converted to float32."""

    def change(make, data, requires_grad):
        return make(data.float() if requires_grad is False else data, requires_grad)

    around_parameter(patch, change)


@mutant(
    kills="test_whole_numbers_make_no_trainable_parameter",
    witness=lambda: raises(RuntimeError, nn.Parameter, torch.tensor([1])),
    raises=TypeError,
)
def parameter_of_integers_raises_type_error(patch):
    """An `nn.Parameter` of integers raises TypeError."""

    def change(make, data, requires_grad):
        if requires_grad is None and not (data.is_floating_point() or data.is_complex()):
            raise TypeError("Only Tensors of floating point and complex dtype can require gradients")
        return make(data, requires_grad)

    around_parameter(patch, change)


def wraps_results(call, *args, **kwargs):
    result = call(*args, **kwargs)
    return nn.Parameter(result.detach()) if isinstance(args[0], nn.Parameter) else result


@mutant(
    kills="test_what_is_computed_from_a_parameter_is_not_one",
    witness=lambda: not isinstance(nn.Parameter(torch.ones(1)) * 2, nn.Parameter),
)
def parameter_times_number_is_a_parameter(patch):
    """A Parameter multiplied by something is a Parameter."""
    patch.function("mul", "__mul__", "__rmul__", change=wraps_results)


@mutant(
    kills="test_what_is_computed_from_a_parameter_is_not_one",
    witness=lambda: not isinstance(nn.Parameter(torch.ones(1)).to(torch.float16), nn.Parameter),
)
def parameter_converted_is_a_parameter(patch):
    """A Parameter converted by `to` is a Parameter."""
    patch.function("to", change=wraps_results)


@mutant(
    kills="test_what_is_computed_from_a_parameter_is_not_one",
    witness=lambda: names(holding(nn.Parameter(torch.ones(1))[:1])) == [],
)
def assigned_result_becomes_parameter(patch):
    """A tensor with a graph assigned to a module becomes a Parameter."""
    assigned_as(
        patch,
        lambda value: isinstance(value, torch.Tensor) and not value.is_leaf,
        lambda value: nn.Parameter(value.detach()),
    )


def assign_tensor_to_weight():
    linear().weight = torch.ones(1, 2)


@mutant(
    kills="test_tensor_cannot_take_the_place_of_a_parameter",
    witness=lambda: raises(TypeError, assign_tensor_to_weight),
)
def tensor_over_parameter_is_wrapped(patch):
    """A tensor assigned where a Parameter is registered becomes a Parameter."""

    def change(assign, self, name, value):
        wrong = is_plain_tensor(value) and name in self.__dict__.get("_parameters", {})
        assign(self, name, nn.Parameter(value) if wrong else value)

    patch.around(nn.Module, "__setattr__", change)


@mutant(
    kills="test_tensor_cannot_take_the_place_of_a_parameter",
    witness=lambda: raises(TypeError, assign_tensor_to_weight),
)
def tensor_over_parameter_is_copied_in(patch):
    """A tensor assigned where a Parameter is registered has its values copied into the Parameter."""

    def change(assign, self, name, value):
        if is_plain_tensor(value) and name in self.__dict__.get("_parameters", {}):
            with torch.no_grad():
                self._parameters[name].copy_(value)
        else:
            assign(self, name, value)

    patch.around(nn.Module, "__setattr__", change)


@mutant(
    kills="test_tensor_cannot_take_the_place_of_a_parameter",
    witness=lambda: raises(TypeError, assign_tensor_to_weight),
    raises=RuntimeError,
)
def tensor_over_parameter_raises_runtime_error(patch):
    """A tensor assigned where a Parameter is registered raises RuntimeError."""

    def change(assign, self, name, value):
        try:
            assign(self, name, value)
        except TypeError as error:
            raise RuntimeError(str(error)) from error

    patch.around(nn.Module, "__setattr__", change)


@mutant(
    kills="test_parameter_needs_a_gradient_by_default",
    witness=lambda: nn.Parameter(nn.Parameter(torch.ones(1), requires_grad=False)).requires_grad,
)
def parameter_of_a_frozen_parameter_stays_frozen(patch):
    """An `nn.Parameter` made of a frozen Parameter is frozen unless told otherwise."""

    def change(make, data, requires_grad):
        if isinstance(data, nn.Parameter) and requires_grad is None:
            requires_grad = data.requires_grad
        return make(data, requires_grad)

    around_parameter(patch, change)


@mutant(
    kills="test_whole_numbers_make_no_trainable_parameter",
    witness=lambda: raises(RuntimeError, nn.Parameter, torch.tensor([True])),
)
def parameter_of_booleans_is_frozen(patch):
    """An `nn.Parameter` of booleans is made and requires no gradient."""
    around_parameter(
        patch,
        lambda make, data, requires_grad: make(data, False if data.dtype == torch.bool else requires_grad),
    )


@mutant(
    kills="test_what_is_computed_from_a_parameter_is_not_one",
    witness=lambda: next(p.to("cpu") is p for p in [nn.Parameter(torch.ones(1))]),
)
def parameter_to_makes_a_new_tensor(patch):
    """`parameter.to(device)` makes a new tensor even if there is nothing to do."""
    patch.function("to", change=lambda to, *args, **kwargs: to(*args, **kwargs).clone())


def weight_after_assigning_a_parameter():
    layer = linear()
    before = layer.weight
    layer.weight = nn.Parameter(torch.ones(1, 2))
    return layer.weight is before


@mutant(
    kills="test_tensor_cannot_take_the_place_of_a_parameter",
    witness=lambda: not weight_after_assigning_a_parameter(),
)
def parameter_over_parameter_is_copied_in(patch):
    """A Parameter assigned where one is registered has its values copied into that one."""

    def change(assign, self, name, value):
        old = self.__dict__.get("_parameters", {}).get(name)
        if isinstance(value, nn.Parameter) and old is not None:
            with torch.no_grad():
                old.copy_(value)
        else:
            assign(self, name, value)

    patch.around(nn.Module, "__setattr__", change)


# Freezing


def frozen(model):
    model.requires_grad_(False)
    return [parameter.requires_grad for parameter in model.parameters()]


@mutant(
    kills=("test_frozen_parameters_get_no_gradient_and_do_not_move", "test_frozen_layer_passes_the_gradient_on"),
    witness=lambda: frozen(nn.Linear(1, 1)) == [False, False],
)
def freezing_has_no_effect(patch):
    """`requires_grad_` of a module does nothing."""
    patch.setattr(nn.Module, "requires_grad_", lambda self, requires_grad=True: self)


@mutant(
    kills="test_frozen_parameters_get_no_gradient_and_do_not_move",
    witness=lambda: frozen(nn.Sequential(nn.Sequential(nn.Linear(1, 1)))) == [False, False],
)
def freezing_goes_one_level_deep(patch):
    """`requires_grad_` of a module reaches the module and its direct parts."""

    def requires_grad_(self, requires_grad=True):
        for module in [self, *self.children()]:
            for parameter in module.parameters(recurse=False):
                parameter.requires_grad_(requires_grad)
        return self

    patch.setattr(nn.Module, "requires_grad_", requires_grad_)


@mutant(
    kills="test_frozen_parameters_get_no_gradient_and_do_not_move",
    witness=lambda: frozen(nn.Linear(1, 1)) == [False, False],
)
def freezing_spares_biases(patch):
    """`requires_grad_` of a module leaves biases trainable."""

    def requires_grad_(self, requires_grad=True):
        for name, parameter in self.named_parameters():
            if not name.endswith("bias"):
                parameter.requires_grad_(requires_grad)
        return self

    patch.setattr(nn.Module, "requires_grad_", requires_grad_)


@mutant(
    kills="test_frozen_parameters_get_no_gradient_and_do_not_move",
    witness=lambda: nn.ReLU().requires_grad_(False) is not None,
)
def freezing_returns_none(patch):
    """`requires_grad_` of a module returns None."""

    def change(freeze, self, requires_grad=True):
        freeze(self, requires_grad)

    patch.around(nn.Module, "requires_grad_", change)


def gradient_through_frozen():
    x = torch.ones(1, requires_grad=True)
    F.linear(x, torch.tensor([[5.0]])).backward()
    return x.grad.item()


@mutant(kills="test_frozen_layer_passes_the_gradient_on", witness=lambda: gradient_through_frozen() == 5)
def frozen_layer_stops_the_gradient(patch):
    """A Linear with a frozen weight passes a gradient of zero on."""

    def change(linear, x, weight, bias=None):
        return linear(x if weight.requires_grad else x.detach() + 0 * x, weight, bias)

    patch.around(F, "linear", change)


@mutant(kills="test_frozen_layer_passes_the_gradient_on", witness=lambda: gradient_through_frozen() == 5)
def frozen_layer_passes_the_gradient_unscaled(patch):
    """A Linear with a frozen weight passes the gradient on as if its weight were one."""

    def change(linear, x, weight, bias=None):
        y = linear(x, weight, bias)
        return y if weight.requires_grad or y.shape != x.shape else y.detach() + x - x.detach()

    patch.around(F, "linear", change)


LATE = "test_a_layer_frozen_late_moves_until_zero_grad"


def frozen_late(*, set_to_none=None):
    """The weight 1 of a layer that is frozen between backward and a step with learning rate 1 and momentum."""
    layer = linear(inputs=1, bias=False)
    optimizer = torch.optim.SGD(layer.parameters(), lr=1, momentum=0.5)
    layer(torch.ones(1)).backward()
    layer.requires_grad_(False)
    optimizer.step()
    if set_to_none is not None:
        optimizer.zero_grad(set_to_none=set_to_none)
        optimizer.step()
    return layer.weight.item()


@mutant(kills=LATE, witness=lambda: frozen_late() == 0)
def optimizer_skips_frozen_parameters(patch):
    """SGD leaves a Parameter alone that requires no gradient, even if it has one."""

    def change(step, self, *args, **kwargs):
        for group in self.param_groups:
            for parameter in group["params"]:
                if not parameter.requires_grad:
                    parameter.grad = None
        return step(self, *args, **kwargs)

    patch.around(torch.optim.SGD, "step", change)


@mutant(kills=LATE, witness=lambda: frozen_late(set_to_none=False) == -0.5)
def zero_grad_always_sets_none(patch):
    """`optimizer.zero_grad(set_to_none=False)` sets the gradients to None."""
    patch.around(torch.optim.Optimizer, "zero_grad", lambda zero, self, set_to_none=True: zero(self))


def mean_of_frozen_batch_norm():
    layer = nn.BatchNorm1d(1, momentum=0.5).requires_grad_(False)
    layer(torch.tensor([[3.0], [5.0]]))
    return layer.running_mean.item()


@mutant(
    kills="test_a_frozen_batch_norm_still_changes_its_running_statistics",
    witness=lambda: mean_of_frozen_batch_norm() == 2,
)
def frozen_batch_norm_keeps_its_statistics(patch):
    """A frozen BatchNorm leaves its running mean and variance as they are."""

    def change(forward, self, x):
        before = self.running_mean.clone(), self.running_var.clone()
        y = forward(self, x)
        if not self.weight.requires_grad:
            self.running_mean.copy_(before[0])
            self.running_var.copy_(before[1])
        return y

    patch.around(nn.modules.batchnorm._BatchNorm, "forward", change)


# One module in two places, and layers made in forward


def shared():
    layer = linear(inputs=1, bias=False)
    return nn.Sequential(layer, layer)


@mutant(
    kills=(
        "test_shared_module_counts_once",
        "test_parameter_count_for_every_chain_of_linear_layers",
        "test_tied_weights_are_one_parameter_and_two_entries",
    ),
    witness=lambda: len(list(shared().parameters())) == 1,
)
def parameters_count_a_shared_one_twice(patch):
    """`parameters` and `named_parameters` give a Parameter once for each of its names."""

    def change(named, self, prefix="", recurse=True, remove_duplicate=True):
        return named(self, prefix, recurse, False)

    patch.around(nn.Module, "named_parameters", change)


@mutant(
    kills=("test_shared_module_counts_once", "test_children_modules_and_names"),
    witness=lambda: len(list(shared().modules())) == 2,
)
def modules_count_a_shared_one_twice(patch):
    """`modules` and `named_modules` give a module once for each of its names."""

    def change(named, self, memo=None, prefix="", remove_duplicate=True):
        return named(self, memo, prefix, False)

    patch.around(nn.Module, "named_modules", change)


def gradient_of_shared():
    model = shared()
    with torch.no_grad():
        model[0].weight.fill_(3)
    model(torch.tensor([2.0])).backward()
    return model[0].weight.grad.item()


@mutant(kills="test_shared_module_counts_once", witness=lambda: gradient_of_shared() == 12)
def shared_weight_gets_gradient_of_first_use(patch):
    """A weight that is used twice gets the gradient of the first use alone."""

    def change(linear, x, weight, bias=None):
        used, weight.used = getattr(weight, "used", False), True
        return linear(x, weight.detach() if used else weight, bias)

    patch.around(F, "linear", change)


@mutant(
    kills="test_shared_module_counts_once",
    witness=lambda: nn.Sequential(*[linear(inputs=1)] * 2)(torch.zeros(1)).item() == 20,
)
def sequential_runs_a_repeated_layer_once(patch):
    """A Sequential runs a layer that it has twice only once."""

    def forward(self, x):
        for layer in self.children():
            x = layer(x)
        return x

    patch.setattr(nn.Sequential, "forward", forward)


@mutant(
    kills=("test_layer_made_in_forward_is_new_at_every_call", "test_linear_starts_from_small_random_numbers"),
    witness=lambda: not torch.equal(nn.Linear(3, 3).weight, nn.Linear(3, 3).weight),
)
def linear_starts_always_the_same(patch):
    """Every new Linear of the same size starts from the same numbers."""

    def change(reset, self):
        reset(self)
        generator = torch.Generator(self.weight.device).manual_seed(3)
        bound = self.in_features**-0.5
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.uniform_(-bound, bound, generator=generator)

    patch.around(nn.Linear, "reset_parameters", change)


class MadeOnce(nn.Module):
    def forward(self, x):
        if not hasattr(self, "layer"):
            self.layer = nn.Linear(3, 3)
        return self.layer(x)


@mutant(
    kills="test_layer_made_in_forward_is_new_at_every_call",
    witness=lambda: [m := MadeOnce(), m(torch.ones(3)), hasattr(m, "layer")][-1],
)
def a_call_drops_the_layers_it_made(patch):
    """A module does not keep a layer that its `forward` put into it."""

    def change(call, self, *args, **kwargs):
        before = set(self._modules)
        found = call(self, *args, **kwargs)
        for name in set(self._modules) - before:
            del self._modules[name]
        return found

    patch.around(nn.Module, "__call__", change)


@mutant(
    kills="test_shared_module_counts_once",
    witness=lambda: list(shared().state_dict()) == ["0.weight", "1.weight"],
)
def state_dict_lists_a_shared_module_once(patch):
    """`state_dict()` lists a Parameter under the first of its names alone."""

    def change(state_dict, self, *args, **kwargs):
        entries = state_dict(self, *args, **kwargs)
        if not (args or kwargs):
            seen = set()
            for name, value in list(entries.items()):
                if value.data_ptr() in seen:
                    del entries[name]
                seen.add(value.data_ptr())
        return entries

    patch.around(nn.Module, "state_dict", change)


@mutant(
    kills="test_layer_made_in_forward_is_new_at_every_call",
    witness=lambda: torch.equal(nn.LayerNorm(3).weight, nn.LayerNorm(3).weight),
)
def layer_norm_starts_from_random_numbers(patch):
    """A new LayerNorm has random weights."""
    patch.around(nn.LayerNorm, "reset_parameters", lambda reset, self: (reset(self), self.weight.data.normal_())[0])


# Linear


@mutant(
    kills=("test_linear_is_x_times_weight_transposed_plus_bias", "test_linear_for_every_shape"),
    witness=lambda: linear()(torch.zeros(1, 2)).item() == 10,
)
def linear_subtracts_its_bias(patch):
    """`nn.Linear` and `F.linear` subtract the bias."""
    patch.around(
        F,
        "linear",
        lambda linear, x, weight, bias=None: linear(x, weight, None if bias is None else -bias),
    )


@mutant(
    kills=(
        "test_linear_is_x_times_weight_transposed_plus_bias",
        "test_parameter_count_for_every_chain_of_linear_layers",
    ),
    witness=lambda: nn.Linear(1, 1, bias=False).bias is None,
)
def linear_without_bias_has_a_frozen_one(patch):
    """`nn.Linear(..., bias=False)` has a bias of zeros that requires no gradient."""

    def change(init, self, in_features, out_features, bias=True, **options):
        init(self, in_features, out_features, bias, **options)
        if not bias:
            self.bias = nn.Parameter(torch.zeros(out_features), requires_grad=False)

    patch.around(nn.Linear, "__init__", change)


@mutant(
    kills=("test_linear_for_every_shape", "test_two_linear_layers_are_one_for_every_size"),
    witness=lambda: linear(inputs=2, outputs=2, bias=False)(torch.tensor([1.0, 0.0])).tolist() == [1, 3],
)
def linear_does_not_transpose_square_weights(patch):
    """`nn.Linear` and `F.linear` compute `x @ weight` where the weight is square."""

    def change(linear, x, weight, bias=None):
        return linear(x, weight.T if weight.dim() == 2 and weight.shape[0] == weight.shape[1] else weight, bias)

    patch.around(F, "linear", change)


@mutant(
    kills=("test_linear_works_on_the_last_dimension", "test_linear_for_every_shape"),
    witness=lambda: linear()(torch.zeros(1, 1, 2)).item() == 10,
)
def linear_forgets_bias_of_three_dimensions(patch):
    """`nn.Linear` and `F.linear` add no bias to inputs of more than two dimensions."""
    patch.around(
        F,
        "linear",
        lambda linear, x, weight, bias=None: linear(x, weight, bias if x.dim() < 3 else None),
    )


@mutant(
    kills=("test_linear_works_on_the_last_dimension", "test_linear_for_every_shape"),
    witness=lambda: linear()(torch.zeros(0, 2)).shape == (0, 1),
)
def linear_loses_the_empty_batch(patch):
    """`nn.Linear` and `F.linear` give one row of zeros for an empty batch."""

    def change(linear, x, weight, bias=None):
        return linear(x, weight, bias) if x.numel() else torch.zeros(1, len(weight), device=x.device)

    patch.around(F, "linear", change)


@mutant(
    kills=("test_linear_works_on_the_last_dimension", "test_linear_for_every_shape"),
    witness=lambda: linear()(torch.zeros(2, 3, 2)).shape == (2, 3, 1),
)
def linear_joins_dimensions_of_the_batch(patch):
    """`nn.Linear` and `F.linear` answer with two dimensions whatever the number they are given."""

    def change(linear, x, weight, bias=None):
        y = linear(x, weight, bias)
        return y.flatten(0, -2) if y.dim() > 2 else y

    patch.around(F, "linear", change)


@mutant(
    kills="test_linear_for_every_shape",
    witness=lambda: linear()(torch.zeros(2)).shape == (1,),
)
def linear_gives_a_single_sample_a_batch(patch):
    """`nn.Linear` and `F.linear` answer to a vector with a batch of one."""

    def change(linear, x, weight, bias=None):
        y = linear(x, weight, bias)
        return y.unsqueeze(0) if x.dim() == 1 else y

    patch.around(F, "linear", change)


@mutant(
    kills=("test_linear_for_every_shape", "test_linear_computes_in_the_dtype_of_its_weights"),
    witness=lambda: linear()(torch.zeros(1, 2)).dtype == torch.float32,
)
def linear_answers_in_another_dtype(patch):
    """`nn.Linear` and `F.linear` answer in float64, or in float32 to what is not float32."""

    def change(linear, x, weight, bias=None):
        y = linear(x, weight, bias)
        if y.is_complex():
            return y.to(torch.complex128)
        return y.to(torch.float64 if y.dtype == torch.float32 else torch.float32)

    patch.around(F, "linear", change)


@mutant(
    kills="test_linear_computes_in_the_dtype_of_its_weights",
    witness=lambda: linear().double()(torch.zeros(1, 2).double()).item() == 10,
)
def linear_forgets_bias_in_other_dtypes(patch):
    """`nn.Linear` and `F.linear` add no bias where the weights are not float32."""
    patch.around(
        F,
        "linear",
        lambda linear, x, weight, bias=None: linear(x, weight, bias if weight.dtype == torch.float32 else None),
    )


@mutant(
    kills="test_linear_computes_in_the_dtype_of_its_weights",
    witness=lambda: linear().double()(torch.tensor([2**-40, 0]).double()).item() > 10,
)
def linear_computes_doubles_as_floats(patch):
    """`nn.Linear` and `F.linear` compute float64 with the precision of float32."""

    def change(linear, x, weight, bias=None):
        y = linear(x, weight, bias)
        return y.float().double() if y.dtype == torch.float64 else y

    patch.around(F, "linear", change)


def starts_from(patch, change):
    patch.around(nn.Linear, "reset_parameters", lambda reset, self: (reset(self), change(self.weight, self.bias)))


def squares(tensor):
    return (tensor.detach() ** 2).mean().item()


def big():
    return nn.Linear(16, 1000)


@mutant(
    kills="test_linear_starts_from_small_random_numbers",
    witness=lambda: big().weight.abs().max() <= 1 / 4,
)
def linear_starts_from_normal_numbers(patch):
    """A new Linear has normally distributed weights, of the right variance."""
    starts_from(patch, lambda weight, bias: weight.data.normal_(0, (1 / 3 / weight.shape[1]) ** 0.5))


@mutant(
    kills="test_linear_starts_from_small_random_numbers",
    witness=lambda: big().bias.abs().max() > 0,
)
def linear_starts_from_biases_of_zero(patch):
    """A new Linear has biases of zero."""
    starts_from(patch, lambda weight, bias: bias is not None and bias.data.zero_())


@mutant(
    kills="test_linear_starts_from_small_random_numbers",
    witness=lambda: squares(big().weight) > 0.016,
)
def linear_starts_from_outputs(patch):
    """A new Linear has weights between -b and b with b = 1 / sqrt(outputs)."""
    starts_from(patch, lambda weight, bias: weight.data.mul_((weight.shape[1] / weight.shape[0]) ** 0.5))


@mutant(
    kills="test_linear_starts_from_small_random_numbers",
    witness=lambda: big().weight.min() < 0,
)
def linear_starts_from_positive_numbers(patch):
    """A new Linear has weights between 0 and b."""
    starts_from(patch, lambda weight, bias: weight.data.abs_())


@mutant(
    kills="test_linear_starts_from_small_random_numbers",
    witness=lambda: squares(big().weight) > 0.02,
)
def linear_starts_from_smaller_numbers(patch):
    """A new Linear has weights a tenth smaller than it should."""
    starts_from(patch, lambda weight, bias: weight.data.mul_(0.9))


@mutant(
    kills="test_wrong_number_of_features_raises",
    witness=lambda: raises(RuntimeError, linear(), torch.ones(1, 3)),
)
def linear_ignores_surplus_features(patch):
    """`nn.Linear` and `F.linear` cut off what is too much in the last dimension."""
    patch.around(
        F,
        "linear",
        lambda linear, x, weight, bias=None: linear(x[..., : weight.shape[1]], weight, bias),
    )


@mutant(
    kills=("test_wrong_number_of_features_raises", "test_one_feature_needs_its_own_dimension"),
    witness=lambda: raises(RuntimeError, linear(), torch.ones(1, 3)),
    raises=ValueError,
)
def linear_raises_value_error_for_wrong_features(patch):
    """`nn.Linear` and `F.linear` raise ValueError for a wrong number of features."""

    def change(linear, x, weight, bias=None):
        if x.shape[-1] != weight.shape[-1]:
            rows, columns, outputs = x.numel() // x.shape[-1], x.shape[-1], len(weight)
            raise ValueError(
                f"mat1 and mat2 shapes cannot be multiplied ({rows}x{columns} and {weight.shape[1]}x{outputs})"
            )
        return linear(x, weight, bias)

    patch.around(F, "linear", change)


@mutant(
    kills="test_one_feature_needs_its_own_dimension",
    witness=lambda: raises(RuntimeError, linear(inputs=1), torch.ones(3)),
)
def linear_takes_numbers_for_samples_of_one_feature(patch):
    """`nn.Linear(1, ...)` and `F.linear` take N numbers for N samples."""

    def change(linear, x, weight, bias=None):
        alone = x.dim() == 1 and weight.shape[1] == 1 != len(x)
        return linear(x.unsqueeze(-1) if alone else x, weight, bias)

    patch.around(F, "linear", change)


@mutant(
    kills="test_linear_wants_the_dtype_of_its_weights",
    witness=lambda: raises(RuntimeError, linear(), torch.ones(1, 2, dtype=torch.float64)),
)
def linear_converts_its_input(patch):
    """`nn.Linear` and `F.linear` convert the input to the dtype of the weights."""
    patch.around(
        F,
        "linear",
        lambda linear, x, weight, bias=None: linear(x.to(weight.dtype), weight, bias),
    )


@mutant(
    kills="test_linear_wants_the_dtype_of_its_weights",
    witness=lambda: raises(RuntimeError, linear(), torch.ones(1, 2, dtype=torch.int64)),
)
def linear_converts_whole_numbers(patch):
    """`nn.Linear` and `F.linear` convert an input of integers."""
    patch.around(
        F,
        "linear",
        lambda linear, x, weight, bias=None: linear(x if x.is_floating_point() else x.to(weight.dtype), weight, bias),
    )


@mutant(
    kills="test_two_linear_layers_are_one_for_every_size",
    witness=lambda: linear()(torch.tensor([-50.0, 0.0])).item() == -40,
)
def linear_is_never_negative(patch):
    """`nn.Linear` and `F.linear` give zero in place of negative numbers."""
    patch.around(F, "linear", lambda linear, x, weight, bias=None: linear(x, weight, bias).clamp(min=0))


@mutant(
    kills="test_linear_for_every_shape",
    witness=lambda: raises(RuntimeError, linear(inputs=1), torch.tensor(3.0)),
)
def linear_takes_a_single_number(patch):
    """`nn.Linear` and `F.linear` take a 0-d tensor for a vector of one feature."""
    patch.around(
        F,
        "linear",
        lambda linear, x, weight, bias=None: linear(x.reshape(1) if x.dim() == 0 else x, weight, bias),
    )


def message_of_wrong_features():
    try:
        linear(inputs=3)(torch.ones(5, 2, 4))
    except RuntimeError as error:
        return str(error)


@mutant(kills="test_wrong_number_of_features_raises", witness=lambda: "10x4" in message_of_wrong_features())
def linear_shows_all_dimensions_of_a_wrong_input(patch):
    """`nn.Linear` and `F.linear` show the whole shape of an input with the wrong number of features."""

    def change(linear, x, weight, bias=None):
        if x.shape[-1] != weight.shape[-1]:
            shape = "x".join(map(str, x.shape))
            raise RuntimeError(f"shapes cannot be multiplied ({shape} and {weight.shape[1]}x{len(weight)})")
        return linear(x, weight, bias)

    patch.around(F, "linear", change)


@mutant(
    kills="test_one_feature_needs_its_own_dimension",
    witness=lambda: linear(inputs=1)(torch.ones(1)).shape == (1,),
    raises=RuntimeError,
)
def linear_refuses_a_vector(patch):
    """`nn.Linear` and `F.linear` raise RuntimeError for a 1-d tensor."""

    def change(linear, x, weight, bias=None):
        if x.dim() == 1:
            raise RuntimeError(f"shapes cannot be multiplied (1x{len(x)} and {weight.shape[1]}x{len(weight)})")
        return linear(x, weight, bias)

    patch.around(F, "linear", change)


def linear_under_autocast(dtype):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return linear()(torch.ones(1, 2, dtype=dtype)).dtype


@mutant(
    kills="test_linear_wants_the_dtype_of_its_weights",
    witness=lambda: linear_under_autocast(torch.float16) == torch.bfloat16,
    raises=RuntimeError,
)
def autocast_converts_nothing(patch):
    """Under `torch.autocast` a Linear converts its input as little as without."""
    patch.setattr(torch, "autocast", lambda *args, **kwargs: contextlib.nullcontext())


@mutant(
    kills="test_linear_computes_in_the_dtype_of_its_weights",
    witness=lambda: raises(RuntimeError, lambda: nn.Linear(1, 1, dtype=torch.int64)),
)
def linear_of_integers_is_made_in_float(patch):
    """`nn.Linear(..., dtype=torch.int64)` makes a layer of float32."""

    def change(init, self, *args, dtype=None, **options):
        init(self, *args, dtype=torch.float32 if dtype == torch.int64 else dtype, **options)

    patch.around(nn.Linear, "__init__", change)


@mutant(
    kills="test_linear_starts_from_small_random_numbers",
    witness=lambda: nn.Linear(7, 5000, dtype=torch.bfloat16).weight.min().item() < -(7**-0.5),
)
def linear_starts_inside_the_bound_in_every_dtype(patch):
    """A new bfloat16 Linear has weights that keep to the bound after rounding, too."""

    def change(weight, bias):
        if weight.dtype == torch.bfloat16:
            weight.data.clamp_(min=-0.99 * weight.shape[1] ** -0.5)

    starts_from(patch, change)


@mutant(
    kills="test_linear_starts_from_small_random_numbers",
    witness=lambda: nn.MultiheadAttention(4, 1).out_proj.bias.abs().max() == 0,
)
def attention_starts_from_random_biases(patch):
    """The `out_proj` of a new `nn.MultiheadAttention` has random biases, as a Linear has."""
    patch.around(
        nn.MultiheadAttention,
        "_reset_parameters",
        lambda reset, self: (reset(self), self.out_proj.bias.data.uniform_(-0.5, 0.5))[0],
    )


def encoder_layers():
    layer = nn.TransformerEncoderLayer(4, nhead=1, dim_feedforward=8)
    return nn.TransformerEncoder(layer, num_layers=2, enable_nested_tensor=False).layers


@mutant(
    kills="test_the_layers_of_a_transformer_encoder_start_equal",
    witness=lambda: next(torch.equal(a.linear1.weight, b.linear1.weight) for a, b in [encoder_layers()]),
)
def transformer_encoder_draws_new_numbers(patch):
    """`nn.TransformerEncoder` draws new numbers for each of its layers."""

    def change(init, self, *args, **kwargs):
        init(self, *args, **kwargs)
        for layer in self.layers:
            layer.linear1.reset_parameters()

    patch.around(nn.TransformerEncoder, "__init__", change)


# Layers that came or changed


LAZY = "test_a_lazy_layer_counts_its_inputs_itself"


def lazy(features=2):
    layer = nn.LazyLinear(3)
    layer(torch.ones(4, features))
    return layer


def warnings_of_lazy():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        nn.LazyLinear(3)
    return len(caught)


@mutant(kills=LAZY, witness=lambda: warnings_of_lazy() == 0, raises=UserWarning)
def lazy_layers_warn(patch):
    """`nn.LazyLinear` gives a UserWarning, as until torch 2.3."""

    def init(original, self, *args, **kwargs):
        warnings.warn("Lazy modules are a new feature under heavy development", UserWarning, stacklevel=2)
        original(self, *args, **kwargs)

    patch.around(nn.LazyLinear, "__init__", init)


@mutant(kills=LAZY, witness=lambda: lazy().in_features == 2)
def lazy_linear_forgets_its_inputs(patch):
    """`nn.LazyLinear` has the right weight after the first batch, and 0 for `in_features`."""

    def initialize(original, self, *args, **kwargs):
        original(self, *args, **kwargs)
        self.in_features = 0

    patch.around(nn.LazyLinear, "initialize_parameters", initialize)


RMS = "test_rmsnorm_divides_by_the_root_of_the_mean_square"


@mutant(kills=RMS, witness=lambda: nn.RMSNorm(2)(torch.ones(1, 2)).sum() > 1.9)
def rmsnorm_subtracts_the_mean(patch):
    """`nn.RMSNorm` subtracts the mean first, as LayerNorm does."""
    patch.around(nn.RMSNorm, "forward", lambda forward, self, x: forward(self, x - x.mean(-1, keepdim=True)))


@mutant(kills=RMS, witness=lambda: abs(nn.RMSNorm(2)(torch.tensor([[3.0, 4.0]]))[0, 0].item() - 3 / 12.5**0.5) < 0.001)
def rmsnorm_divides_by_the_norm(patch):
    """`nn.RMSNorm` divides by the root of the sum of squares."""
    patch.around(nn.RMSNorm, "forward", lambda forward, self, x: forward(self, x) / x.shape[-1] ** 0.5)


@mutant(kills="test_layer_norm_without_a_bias", witness=lambda: nn.LayerNorm(2, bias=False).bias is None)
def layer_norm_keeps_its_bias(patch):
    """`nn.LayerNorm(bias=False)` has a bias."""
    patch.around(nn.LayerNorm, "__init__", lambda init, self, *a, bias=True, **k: init(self, *a, **k))


WEIGHT_NORM = "test_weight_norm_lives_in_parametrizations"


def normed():
    """The weight [10 / sqrt(2)] * 2 of a normed layer, from what the old function saved."""
    layer = nn.utils.parametrizations.weight_norm(nn.Linear(2, 1, bias=False))
    layer.load_state_dict({"weight_g": torch.tensor([[10.0]]), "weight_v": torch.tensor([[2.0, 2.0]])})
    return layer.weight[0, 0].item()


@mutant(kills=WEIGHT_NORM, witness=lambda: 7 < normed() < 7.1)
def weight_norm_does_not_normalise(patch):
    """The weight under `weight_norm` is g * v, whatever the length of v."""
    patch.around(torch, "_weight_norm", lambda norm, v, g, dim: v * g)


@mutant(kills=WEIGHT_NORM, witness=lambda: 7 < normed() < 7.1)
def weight_norm_does_not_scale(patch):
    """The weight under `weight_norm` has the length 1, whatever g."""
    patch.around(torch, "_weight_norm", lambda norm, v, g, dim: norm(v, torch.ones_like(g), dim))


@mutant(kills=RMS, witness=lambda: nn.RMSNorm(2)(torch.zeros(1, 2)).tolist() == [[0, 0]])
def rmsnorm_has_no_eps(patch):
    """`nn.RMSNorm` divides by the bare root of the mean square."""
    patch.setattr(nn.RMSNorm, "forward", lambda self, x: x / x.square().mean(-1, keepdim=True).sqrt() * self.weight)


@mutant(
    kills="test_layer_norm_without_a_bias",
    witness=lambda: list(nn.LayerNorm(2, elementwise_affine=False).parameters()) == [],
)
def layer_norm_is_always_affine(patch):
    """`nn.LayerNorm` ignores `elementwise_affine=False`."""
    patch.around(nn.LayerNorm, "__init__", lambda init, self, *a, elementwise_affine=True, **k: init(self, *a, **k))


@mutant(
    kills=BACKWARD_HOOK,
    witness=lambda: seen_by_a_backward_hook(x_requires_grad=True)[0] is not None,
    raises=AttributeError,
)
def backward_hooks_never_see_the_gradient_of_the_input(patch):
    """A full backward hook gets None for the gradient of every input."""

    def register(original, self, hook, **options):
        return original(self, lambda module, inputs, outputs: hook(module, (None,) * len(inputs), outputs), **options)

    patch.around(nn.Module, "register_full_backward_hook", register)


# Activations


@mutant(
    kills=("test_activation_makes_two_layers_more_than_one", "test_layer_is_made_first_and_called_then"),
    witness=lambda: F.relu(torch.tensor([-1.0])).item() == 0,
)
def relu_is_the_absolute_value(patch):
    """`F.relu`, `nn.ReLU` and their like turn the sign of negative numbers."""
    patch.aten("relu", change=lambda relu, x: x.abs())


@mutant(
    kills=("test_activation_makes_two_layers_more_than_one", "test_layer_is_made_first_and_called_then"),
    witness=lambda: F.relu(torch.tensor([-1.0])).item() == 0,
)
def relu_leaks(patch):
    """`F.relu`, `nn.ReLU` and their like let a hundredth of negative numbers through."""
    patch.aten("relu", change=lambda relu, x: x.where(x > 0, 0.01 * x))


@mutant(
    kills=("test_activation_makes_two_layers_more_than_one", "test_layer_is_made_first_and_called_then"),
    witness=lambda: nn.ReLU()(torch.tensor([-1.0])).item() == 0,
)
def relu_layer_is_the_identity(patch):
    """`nn.ReLU` gives back its input; `F.relu` does not."""
    patch.setattr(nn.ReLU, "forward", lambda self, x: x)


@mutant(
    kills="test_layer_is_made_first_and_called_then",
    witness=lambda: [(torch.relu(x), x.item())[1] for x in [torch.tensor(-1.0)]] == [-1],
)
def relu_writes_into_its_input(patch):
    """`torch.relu`, `Tensor.relu`, `F.relu` and `nn.ReLU` change their input."""

    def change(relu, x):
        y = relu(x)
        x.copy_(y)
        return y

    patch.aten("relu", change=change)


@mutant(
    kills="test_layer_is_made_first_and_called_then",
    witness=lambda: isinstance(nn.ReLU(torch.ones(1)), nn.Module),
)
def relu_layer_is_applied_when_made(patch):
    """`nn.ReLU(x)` applies the activation to x."""
    layer = nn.ReLU
    patch.setattr(
        nn,
        "ReLU",
        lambda inplace=False: F.relu(inplace) if isinstance(inplace, torch.Tensor) else layer(inplace),
    )


@mutant(kills="test_layer_is_made_first_and_called_then", witness=lambda: raises(TypeError, nn.Tanh, torch.ones(1)))
def tanh_layer_takes_an_option(patch):
    """`nn.Tanh(x)` takes x for an option."""
    patch.setattr(nn.Tanh, "__init__", lambda self, *args: nn.Module.__init__(self))


# Sequential and Flatten


@mutant(
    kills="test_sequential_runs_its_layers_in_order",
    witness=lambda: nn.Sequential(nn.ReLU(), nn.LogSigmoid())(torch.ones(1)).item() < 0,
)
def sequential_runs_backwards(patch):
    """A Sequential runs its last layer first."""

    def forward(self, x):
        for layer in reversed(list(self)):
            x = layer(x)
        return x

    patch.setattr(nn.Sequential, "forward", forward)


@mutant(
    kills="test_sequential_runs_its_layers_in_order",
    witness=lambda: nn.Sequential(nn.ReLU(), nn.ReLU(), nn.LogSigmoid())(torch.ones(1)).item() < 0,
)
def sequential_runs_two_layers_at_most(patch):
    """A Sequential runs its first two layers."""

    def forward(self, x):
        for layer in list(self)[:2]:
            x = layer(x)
        return x

    patch.setattr(nn.Sequential, "forward", forward)


@mutant(
    kills="test_sequential_runs_its_layers_in_order",
    witness=lambda: next(nn.Sequential()(x) is x for x in [torch.ones(1)]),
)
def sequential_without_layers_copies(patch):
    """An empty Sequential gives back a copy of its input."""
    patch.around(nn.Sequential, "forward", lambda forward, self, x: forward(self, x) if len(self) else x.clone())


@mutant(
    kills="test_sequential_is_a_list_of_named_layers",
    witness=lambda: isinstance(nested()[:1], nn.Sequential),
)
def sequential_slice_is_a_list(patch):
    """A slice of a Sequential is a list."""
    patch.around(
        nn.Sequential,
        "__getitem__",
        lambda get, self, index: list(self)[index] if isinstance(index, slice) else get(self, index),
    )


@mutant(
    kills="test_sequential_is_a_list_of_named_layers",
    witness=lambda: [name for name, child in nested().named_children()] == ["0", "1"],
)
def sequential_counts_from_one(patch):
    """The layers of a Sequential are named from 1."""

    def change(init, self, *layers):
        if layers and isinstance(layers[0], nn.Module):
            init(self, OrderedDict((str(number), layer) for number, layer in enumerate(layers, 1)))
        else:
            init(self, *layers)

    patch.around(nn.Sequential, "__init__", change)


@mutant(
    kills="test_sequential_is_a_list_of_named_layers",
    witness=lambda: next(iter(nn.Sequential(OrderedDict(a=nn.ReLU())).named_children()))[0] == "a",
)
def sequential_ignores_given_names(patch):
    """A Sequential made of an OrderedDict numbers its layers."""

    def change(init, self, *layers):
        if layers and isinstance(layers[0], OrderedDict):
            layers = layers[0].values()
        init(self, *layers)
        for name, layer in zip("ab", layers, strict=False):
            object.__setattr__(self, {"a": "body", "b": "head"}[name], layer)

    patch.around(nn.Sequential, "__init__", change)


@mutant(
    kills="test_sequential_is_a_list_of_named_layers",
    witness=lambda: next(isinstance(model[-1], nn.Tanh) for model in [nested()]),
)
def sequential_counts_wrong_from_the_end(patch):
    """The last layer of a Sequential has the index -2, and -1 is the first."""
    patch.around(
        nn.Sequential,
        "__getitem__",
        lambda get, self, index: (
            get(self, (index + 1) if index == -1 else index) if type(index) is int else get(self, index)
        ),
    )


def shape_of(y):
    return tuple(y.shape)


@mutant(
    kills=("test_flatten_layer_keeps_the_batch", "test_flatten_needs_a_batch"),
    witness=lambda: shape_of(nn.Flatten()(torch.ones(2, 3))) == (2, 3),
)
def flatten_layer_joins_the_batch_by_default(patch):
    """`nn.Flatten()` joins all dimensions."""

    def change(init, self, start_dim=0, end_dim=-1):
        init(self, start_dim, end_dim)

    patch.around(nn.Flatten, "__init__", change)


@mutant(
    kills="test_flatten_layer_keeps_the_batch",
    witness=lambda: shape_of(nn.Flatten(0, 1)(torch.ones(2, 3, 4))) == (6, 4),
)
def flatten_layer_ignores_its_end(patch):
    """`nn.Flatten(start, end)` joins all dimensions from the start on."""
    patch.setattr(nn.Flatten, "forward", lambda self, x: x.flatten(self.start_dim))


@mutant(
    kills="test_flatten_layer_keeps_the_batch",
    witness=lambda: nn.Flatten()(torch.arange(4).reshape(1, 2, 2)).tolist() == [[0, 1, 2, 3]],
)
def flatten_layer_goes_by_columns(patch):
    """`nn.Flatten` puts the numbers in the order of columns."""

    def change(forward, self, x):
        return forward(self, x.transpose(1, -1) if x.dim() == 3 and self.start_dim == 1 else x)

    patch.around(nn.Flatten, "forward", change)


@mutant(
    kills="test_flatten_layer_keeps_the_batch",
    witness=lambda: shape_of(torch.flatten(torch.ones(2, 3))) == (6,),
)
def flatten_function_keeps_the_batch(patch):
    """`torch.flatten` and `Tensor.flatten` leave the first dimension unless told otherwise."""
    for owner in (torch, torch.Tensor):
        patch.around(owner, "flatten", lambda flatten, x, start_dim=1, end_dim=-1: flatten(x, start_dim, end_dim))


@mutant(
    kills="test_flatten_needs_a_batch",
    witness=lambda: shape_of(nn.Flatten()(torch.ones(2, 3))) == (2, 3),
)
def flatten_layer_takes_a_matrix_for_one_sample(patch):
    """`nn.Flatten()` adds the batch to a matrix."""
    patch.around(
        nn.Flatten,
        "forward",
        lambda forward, self, x: x.reshape(1, -1) if x.dim() == 2 else forward(self, x),
    )


@mutant(
    kills="test_flatten_layer_keeps_the_batch",
    witness=lambda: raises(IndexError, nn.Flatten(), torch.ones(3)),
)
def flatten_layer_leaves_a_vector(patch):
    """`nn.Flatten()` gives back a 1-d tensor."""
    patch.around(nn.Flatten, "forward", lambda forward, self, x: x if x.dim() == 1 else forward(self, x))


@mutant(
    kills="test_flatten_needs_a_batch",
    witness=lambda: shape_of(nn.Flatten()(torch.ones(3, 2, 2))) == (3, 4),
)
def flatten_layer_takes_three_dimensions_for_one_image(patch):
    """`nn.Flatten()` takes a tensor of three dimensions for one image with channels."""
    patch.around(
        nn.Flatten,
        "forward",
        lambda forward, self, x: x.reshape(1, -1) if x.dim() == 3 and self.start_dim == 1 else forward(self, x),
    )


@mutant(
    kills="test_sequential_is_a_list_of_named_layers",
    witness=lambda: [name for name, child in nested()[1:].named_children()] == ["1"],
)
def sequential_slice_counts_anew(patch):
    """A slice of a Sequential names its layers from 0."""
    patch.around(
        nn.Sequential,
        "__getitem__",
        lambda get, self, index: nn.Sequential(*list(self)[index]) if isinstance(index, slice) else get(self, index),
    )


@mutant(
    kills="test_sequential_is_a_list_of_named_layers",
    witness=lambda: raises(TypeError, nn.Sequential, {"a": nn.ReLU()}),
)
def sequential_takes_a_plain_dict(patch):
    """A Sequential can be made of a plain dict."""

    def change(init, self, *layers):
        init(self, *(OrderedDict(layer) if type(layer) is dict else layer for layer in layers))

    patch.around(nn.Sequential, "__init__", change)


@mutant(
    kills="test_sequential_runs_its_layers_in_order",
    witness=lambda: raises(TypeError, nn.Sequential(nn.LSTM(2, 3), nn.Linear(3, 1)), torch.ones(1, 1, 2)),
)
def sequential_hands_on_the_first_of_a_tuple(patch):
    """A Sequential hands the first element of a tuple to the next layer."""

    def forward(self, x):
        for layer in self:
            x = layer(x)
            x = x[0] if isinstance(x, tuple) else x
        return x

    patch.setattr(nn.Sequential, "forward", forward)


# What the sentences of this section do not say


@mutant(
    kills="test_module_without_forward_is_made_but_cannot_be_called",
    witness=lambda: raises(TypeError, lambda: nn.Module()(x=1)),
    raises=NotImplementedError,
)
def module_without_forward_takes_keywords(patch):
    """Calling a module without `forward` raises NotImplementedError for keywords, too."""

    def forward(self, *args, **kwargs):
        raise NotImplementedError(f'Module [{type(self).__name__}] is missing the required "forward" function')

    patch.setattr(nn.Module, "forward", forward)


@mutant(
    kills="test_misspelt_forward_in_a_subclass_of_a_layer_is_never_called",
    witness=lambda: raises(NotImplementedError, type("Derived", (nn.ModuleList,), {})(), 1),
)
def only_direct_children_of_module_lack_a_forward(patch):
    """A class that derives from `nn.Module` by way of another class gives back its input."""
    patch.around(
        nn.Module,
        "__call__",
        lambda call, self, x, *args, **kwargs: (
            x
            if type(self).forward is nn.Module.forward and nn.Module not in type(self).__bases__
            else call(self, x, *args, **kwargs)
        ),
    )


def hooks_of_a_copy():
    relu = nn.ReLU()
    handle = relu.register_forward_hook(lambda module, args, output: -output)
    copied = copy.deepcopy(relu)
    handle.remove()
    return copied(torch.tensor(2.0)).item()


@mutant(
    kills="test_hooks_see_the_parts_and_can_replace_what_passes",
    witness=lambda: hooks_of_a_copy() == -2,
)
def deepcopy_drops_hooks(patch):
    """`copy.deepcopy` of a model leaves out its forward hooks."""

    def change(deepcopy, value, *args):
        copied = deepcopy(value, *args)
        if isinstance(copied, nn.Module):
            for module in copied.modules():
                module._forward_hooks.clear()
        return copied

    patch.around(copy, "deepcopy", change)


HIDDEN = "test_a_name_of_the_class_hides_a_layer"


def head_over_a_default():
    model = type("Model", (nn.Module,), {"head": None})()
    model.head = nn.ReLU()
    return model.head


@mutant(kills=HIDDEN, witness=lambda: head_over_a_default() is None)
def layer_is_found_before_the_class(patch):
    """A layer assigned to a name of the class is what `model.name` gives."""

    def change(assign, self, name, value):
        assign(self, name, value)
        if isinstance(value, nn.Module) and hasattr(type(self), name):
            self.__dict__[name] = value

    patch.around(nn.Module, "__setattr__", change)


@mutant(kills=HIDDEN, witness=lambda: raises(KeyError, setattr, nn.Module(), "half", nn.Parameter(torch.ones(1))))
def parameter_takes_a_name_of_the_class(patch):
    """A Parameter can be assigned to the name of a method."""

    def change(register, self, name, value):
        if hasattr(type(self), name):
            self._parameters[name] = value
        else:
            register(self, name, value)

    patch.around(nn.Module, "register_parameter", change)


@mutant(kills=HIDDEN, witness=lambda: raises(KeyError, nn.Module().register_buffer, "half", torch.ones(1)))
def buffer_takes_a_name_of_the_class(patch):
    """A buffer can have the name of a method."""

    def change(register, self, name, value, persistent=True):
        if hasattr(type(self), name):
            self._buffers[name] = value
        else:
            register(self, name, value, persistent)

    patch.around(nn.Module, "register_buffer", change)


@mutant(
    kills="test_a_module_dict_refuses_some_names",
    witness=lambda: all(raises(KeyError, nn.ModuleDict, {name: nn.ReLU()}) for name in ("type", "a.b", "")),
)
def module_dict_takes_every_name(patch):
    """`nn.ModuleDict` takes every string for a key."""

    def change(add, self, name, module):
        if isinstance(self, nn.ModuleDict):
            self._modules[name] = module
        else:
            add(self, name, module)

    patch.around(nn.Module, "add_module", change)


@mutant(
    kills="test_what_an_attribute_registers",
    witness=lambda: raises(RuntimeError, nn.ParameterDict, {"a": torch.tensor([1])}),
)
def parameter_dict_freezes_integers(patch):
    """`nn.ParameterDict` makes a frozen Parameter of a tensor of integers."""

    def change(put, self, key, value):
        whole = isinstance(value, torch.Tensor) and not value.is_floating_point()
        put(self, key, nn.Parameter(value, requires_grad=False) if whole else value)

    patch.around(nn.ParameterDict, "__setitem__", change)


def registered_beside_a_list():
    model = nn.Module()
    model.layers = [nn.Linear(1, 1)]
    model.first = model.layers[0]
    return names(model)


@mutant(
    kills="test_layers_in_a_plain_list_are_not_trained",
    witness=lambda: registered_beside_a_list() == ["first.weight", "first.bias"],
)
def layer_of_a_list_is_not_registered_by_assignment(patch):
    """A layer that is in a plain list of the model is not registered when it is assigned as well."""

    def change(assign, self, name, value):
        lists = [plain for plain in self.__dict__.values() if type(plain) is list]
        if isinstance(value, nn.Module) and any(value is part for plain in lists for part in plain):
            self.__dict__[name] = value
        else:
            assign(self, name, value)

    patch.around(nn.Module, "__setattr__", change)


@mutant(
    kills="test_optimizer_refuses_a_model_with_all_layers_in_a_plain_list",
    witness=lambda: torch.optim.SGD([{"params": []}], lr=0.1) is not None,
    raises=ValueError,
)
def optimizer_refuses_an_empty_group(patch):
    """An optimizer raises ValueError for a group without parameters."""

    def change(add, self, group):
        group["params"] = params = list(group["params"])
        if not params:
            raise ValueError("optimizer got an empty parameter list")
        add(self, group)

    patch.around(torch.optim.Optimizer, "add_param_group", change)


@mutant(
    kills="test_nn_buffer_registers_by_assignment",
    witness=lambda: raises(TypeError, setattr, nn.Linear(1, 1), "weight", nn.Buffer(torch.ones(1, 1))),
)
def nn_buffer_takes_the_place_of_a_parameter(patch):
    """An `nn.Buffer` assigned to the name of a Parameter takes its place."""

    def change(assign, self, name, value):
        if isinstance(value, nn.Buffer):
            self.__dict__.get("_parameters", {}).pop(name, None)
        assign(self, name, value)

    patch.around(nn.Module, "__setattr__", change)


def complex_model():
    model = holding(nn.Parameter(torch.ones(1)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.to(torch.complex128).x.dtype


@mutant(
    kills="test_to_a_float_dtype_makes_complex_parameters_real",
    witness=lambda: complex_model() == torch.complex128,
)
def to_a_complex_dtype_leaves_real_parameters(patch):
    """`model.to(torch.complex128)` converts complex parameters alone."""

    def change(to, self, *args, **kwargs):
        kept = {name: p.data for name, p in self.named_parameters() if not p.is_complex()}
        to(self, *args, **kwargs)
        for name, data in kept.items():
            if args == (torch.complex128,):
                self.get_parameter(name).data = data
        return self

    patch.around(nn.Module, "to", change)


def parameter_of_an_inference_tensor():
    with torch.inference_mode():
        x = torch.ones(1)
    return nn.Parameter(x)


@mutant(
    kills="test_parameter_needs_a_gradient_by_default",
    witness=lambda: raises(RuntimeError, parameter_of_an_inference_tensor),
)
def parameter_copies_an_inference_tensor(patch):
    """`nn.Parameter` copies a tensor that was made under inference mode."""
    around_parameter(
        patch, lambda make, data, requires_grad: make(data.clone() if data.is_inference() else data, requires_grad)
    )


class Assigning(nn.Module):
    def forward(self, x):
        self.layer = nn.Linear(3, 3)
        return self.layer(x)


@mutant(
    kills="test_layer_made_in_forward_is_new_at_every_call",
    witness=lambda: next(not torch.equal(m(x), m(x)) for m, x in [(Assigning(), torch.ones(3))]),
)
def second_layer_of_a_name_is_ignored(patch):
    """A layer assigned where there is one is ignored."""

    def change(assign, self, name, value):
        if not (isinstance(value, nn.Module) and name in self.__dict__.get("_modules", {})):
            assign(self, name, value)

    patch.around(nn.Module, "__setattr__", change)


@mutant(
    kills="test_layer_made_in_forward_is_new_at_every_call",
    witness=lambda: next(names(m) for m in [Assigning()] if m(torch.ones(3)) is not None) != [],
    raises=ValueError,
)
def layer_assigned_in_forward_is_not_registered(patch):
    """A layer assigned inside `forward` is a plain attribute."""

    def call(original, self, *args, **kwargs):
        before = dict(self.__dict__.get("_modules", {}))
        output = original(self, *args, **kwargs)
        for name in set(self._modules) - set(before):
            self.__dict__[name] = self._modules.pop(name)
        return output

    patch.around(nn.Module, "__call__", call)


def linear_of_another_dtype(**options):
    try:
        nn.Linear(2, 1, **options)(torch.ones(1, 2, dtype=torch.float64))
    except RuntimeError as error:
        return str(error)


@mutant(
    kills="test_linear_wants_the_dtype_of_its_weights",
    witness=lambda: "must have" not in linear_of_another_dtype(bias=False),
    raises=RuntimeError,
)
def linear_without_bias_says_the_same_of_a_dtype(patch):
    """A Linear without a bias raises "must have the same dtype", as one with a bias does."""

    def change(linear, x, weight, bias=None):
        if x.dtype != weight.dtype and not torch.is_autocast_enabled():
            raise RuntimeError("mat1 and mat2 must have the same dtype")
        return linear(x, weight, bias)

    patch.around(F, "linear", change)


@mutant(
    kills="test_sequential_runs_its_layers_in_order",
    witness=lambda: raises(AttributeError, nn.Flatten(), (torch.ones(1),)),
    raises=TypeError,
)
def flatten_layer_raises_type_error_for_a_tuple(patch):
    """`nn.Flatten` raises TypeError for a tuple."""
    patch.around(nn.Flatten, "forward", lambda forward, self, x: forward(self, torch.abs(x) if type(x) is tuple else x))


@mutant(
    kills="test_sequential_runs_its_layers_in_order",
    witness=lambda: nn.Identity()((1, 2)) == (1, 2),
    raises=TypeError,
)
def identity_wants_a_tensor(patch):
    """`nn.Identity` raises TypeError for what is not a tensor."""
    patch.setattr(nn.Identity, "forward", lambda self, x: x + 0)


def names_after_append():
    model = nn.Sequential(nn.ReLU(), nn.Tanh(), nn.GELU())[1:]
    return [name for name, child in model.append(nn.ReLU()).named_children()]


@mutant(
    kills="test_append_to_a_slice_replaces_its_last_layer",
    witness=lambda: names_after_append() == ["1", "2"],
)
def append_takes_a_free_name(patch):
    """`append` of a Sequential gives the new layer the first number that is free."""

    def append(self, module):
        number = len(self)
        while str(number) in self._modules:
            number += 1
        self.add_module(str(number), module)
        return self

    patch.setattr(nn.Sequential, "append", append)


@mutant(
    kills="test_append_to_a_slice_replaces_its_last_layer",
    witness=lambda: len(nn.Sequential(OrderedDict(a=nn.ReLU(), b=nn.Tanh()))[1:].append(nn.GELU())) == 2,
)
def append_replaces_a_layer_with_a_name(patch):
    """`append` of a Sequential made of an OrderedDict replaces its last layer."""

    def append(original, self, module):
        if not next(iter(self._modules), "0").isdigit():
            self._modules.popitem()
        return original(self, module)

    patch.around(nn.Sequential, "append", append)


@mutant(
    kills="test_append_to_a_slice_replaces_its_last_layer",
    witness=lambda: next(len(m) for m in [nn.Sequential(nn.ReLU(), nn.Tanh())] if m[1:].append(nn.GELU())) == 2,
)
def append_to_a_slice_reaches_the_whole(patch):
    """`append` on a slice of a Sequential appends to the whole, too."""
    whole = {}

    def get(original, self, index):
        part = original(self, index)
        if isinstance(index, slice):
            whole[id(part)] = self
        return part

    def append(original, self, module):
        if id(self) in whole:
            original(whole[id(self)], module)
        return original(self, module)

    patch.around(nn.Sequential, "__getitem__", get)
    patch.around(nn.Sequential, "append", append)


@mutant(
    kills="test_layer_is_made_first_and_called_then",
    witness=lambda: raises(AttributeError, nn.Flatten(), nn.ReLU()),
    raises=TypeError,
)
def flatten_layer_raises_type_error_for_a_layer(patch):
    """`nn.Flatten` raises TypeError for a layer."""
    patch.around(
        nn.Flatten,
        "forward",
        lambda forward, self, x: forward(self, torch.abs(x) if isinstance(x, nn.Module) else x),
    )


@mutant(
    kills=RMS,
    witness=lambda: nn.RMSNorm(2).half()(torch.full((1, 2), 0.001, dtype=torch.float16)).max() < 0.99,
)
def rmsnorm_has_no_eps_in_half_precision(patch):
    """`nn.RMSNorm` without a given `eps` has none for half precision."""

    def forward(original, self, x):
        if x.dtype != torch.float16 or self.eps is not None:
            return original(self, x)
        return (x.float() / x.float().square().mean(-1, keepdim=True).sqrt()).half()

    patch.around(nn.RMSNorm, "forward", forward)


@mutant(
    kills=RMS,
    witness=lambda: nn.RMSNorm(2).double()(torch.full((1, 2), 1e-8, dtype=torch.float64)).max() > 0.5,
)
def rmsnorm_takes_the_eps_of_float32(patch):
    """`nn.RMSNorm` takes the `eps` of float32 for float64, too."""

    def forward(original, self, x):
        if x.dtype != torch.float64 or self.eps is not None:
            return original(self, x)
        eps = torch.finfo(torch.float32).eps
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps) * self.weight

    patch.around(nn.RMSNorm, "forward", forward)


def runs_of_a_backward_hook(first):
    runs = []
    first.register_full_backward_hook(lambda *args: runs.append(1))
    nn.Sequential(first, nn.Linear(2, 1))(torch.ones(1, 2)).sum().backward()
    return len(runs)


@mutant(kills=BACKWARD_HOOK, witness=lambda: runs_of_a_backward_hook(nn.Flatten()) == 0)
def backward_hooks_run_on_every_layer(patch):
    """A full backward hook runs on a layer whose output requires no gradient, with None for everything."""

    def register(original, self, hook, **options):
        def after(module, args, output):
            if not output.requires_grad:
                hook(module, (None,) * len(args), (None,))

        self.register_forward_hook(after)
        return original(self, hook, **options)

    patch.around(nn.Module, "register_full_backward_hook", register)


def encoder_of_a_transformer():
    options = {"num_encoder_layers": 2, "num_decoder_layers": 1, "dim_feedforward": 8, "batch_first": True}
    return [layer.linear1.weight for layer in nn.Transformer(4, 2, **options).encoder.layers]


@mutant(
    kills="test_the_layers_of_a_transformer_encoder_start_equal",
    witness=lambda: not torch.equal(*encoder_of_a_transformer()),
)
def transformer_draws_nothing_anew(patch):
    """`nn.Transformer` leaves its layers as its encoder and decoder copied them."""
    patch.setattr(nn.Transformer, "_reset_parameters", lambda self: None)


# What people run into


SEQUENTIAL_ONE = "test_sequential_passes_one_argument_on"
IN_PLACE = "test_an_in_place_relu_overwrites_its_input"
CONV = "test_conv2d_takes_the_channels_first"
SAME = "test_same_padding_is_for_a_stride_of_one"
BATCH_SECOND = "test_attention_takes_the_batch_second"
FAST_HOOKS = "test_hooks_inside_a_transformer_layer_run_without_gradients"
IN_PLACE_HOOK = "test_a_backward_hook_next_to_an_in_place_layer_raises"
PROPERTY = "test_a_property_that_fails_seems_to_be_missing"
COPY = "test_a_model_that_keeps_a_result_cannot_be_copied"


@mutant(
    kills=SEQUENTIAL_ONE,
    witness=lambda: raises(TypeError, nn.Sequential(nn.Bilinear(1, 1, 1)), torch.ones(1), torch.ones(1)),
)
def sequential_takes_several_inputs(patch):
    """`nn.Sequential` hands several inputs to its first layer."""

    def forward(self, *inputs):
        for layer in self:
            inputs = (layer(*inputs),)
        return inputs[0]

    patch.setattr(nn.Sequential, "forward", forward)


@mutant(
    kills=SEQUENTIAL_ONE,
    witness=lambda: raises(TypeError, nn.Sequential(nn.Identity(), nn.Bilinear(1, 1, 1)), (torch.ones(1),) * 2),
)
def sequential_unpacks_tuples(patch):
    """`nn.Sequential` hands the parts of a tuple on as arguments of their own."""

    def forward(self, value):
        for layer in self:
            several = isinstance(value, tuple) and not isinstance(layer, nn.Identity)
            value = layer(*value) if several else layer(value)
        return value

    patch.setattr(nn.Sequential, "forward", forward)


def runs_of_a_hook_on_attention():
    layer, seen = nn.TransformerEncoderLayer(2, 2, 2, batch_first=True).eval(), []
    layer.self_attn.register_forward_hook(lambda module, args, output: seen.append(output[1]))
    with torch.no_grad():
        layer(torch.ones(1, 1, 2))
    return seen


@mutant(kills=FAST_HOOKS, witness=lambda: len(runs_of_a_hook_on_attention()) == 1)
def the_fast_path_runs_no_hooks(patch):
    """An `nn.TransformerEncoderLayer` runs no hooks of its attention without gradients."""

    def forward(original, self, *args, **options):
        hooks = self.self_attn._forward_hooks
        if not torch.is_grad_enabled():
            self.self_attn._forward_hooks = OrderedDict()
        try:
            return original(self, *args, **options)
        finally:
            self.self_attn._forward_hooks = hooks

    patch.around(nn.TransformerEncoderLayer, "forward", forward)


@mutant(kills=FAST_HOOKS, witness=lambda: runs_of_a_hook_on_attention() == [None])
def the_layer_asks_for_its_weights(patch):
    """An `nn.TransformerEncoderLayer` asks its attention for the weights."""

    def forward(original, self, *args, **options):
        return original(self, *args, **options | {"need_weights": True})

    patch.around(nn.MultiheadAttention, "forward", forward)


@mutant(
    kills=FAST_HOOKS,
    witness=lambda: nn.MultiheadAttention(2, 1)(*[torch.ones(1, 1, 2)] * 3)[1].shape == (1, 1, 1),
    raises=AttributeError,
)
def attention_returns_no_weights(patch):
    """`nn.MultiheadAttention` returns None for its weights."""
    patch.around(
        nn.MultiheadAttention,
        "forward",
        lambda forward, self, *args, **options: (forward(self, *args, **options)[0], None),
    )


def hooked_in_place():
    model = nn.Sequential(nn.Linear(1, 1), nn.ReLU(inplace=True))
    model[0].register_full_backward_hook(lambda *args: None)
    return raises(RuntimeError, model, torch.ones(1, 1))


@mutant(kills=IN_PLACE_HOOK, witness=hooked_in_place)
def a_backward_hook_does_nothing_to_the_output(patch):
    """A full backward hook lets in-place operations pass."""
    patch.around(nn.Module, "register_full_backward_hook", lambda *args, **options: None)


def runs_with_a_gradient():
    layer, runs = nn.Linear(1, 1), []
    layer.register_full_backward_hook(lambda *args: runs.append(1))
    layer(torch.ones(1, 1, requires_grad=True)).sum().backward()
    return len(runs)


@mutant(kills=IN_PLACE_HOOK, witness=lambda: runs_with_a_gradient() == 1)
def a_backward_hook_never_runs(patch):
    """A full backward hook never runs."""
    patch.around(
        nn.Module,
        "register_full_backward_hook",
        lambda register, self, hook, **options: register(self, lambda *args: None, **options),
    )


class WithProperty(nn.Module):
    @property
    def size(self):
        return self.missing

    @property
    def share(self):
        return 1 / 0


def message_of_a_property():
    try:
        return WithProperty().size
    except AttributeError as error:
        return str(error)


@mutant(kills=PROPERTY, witness=lambda: "'size'" in message_of_a_property())
def a_property_names_what_is_missing(patch):
    """The error of a property of a module names the attribute that is missing."""

    def change(original, self, name):
        found = vars(type(self)).get(name)
        return found.fget(self) if isinstance(found, property) else original(self, name)

    patch.around(nn.Module, "__getattr__", change)


@mutant(
    kills=PROPERTY,
    witness=lambda: raises(ZeroDivisionError, lambda: WithProperty().share),
    raises=AttributeError,
)
def every_error_of_a_property_is_hidden(patch):
    """Any error of a property of a module becomes an AttributeError."""

    def get(self, name):
        try:
            return object.__getattribute__(self, name)
        except ArithmeticError:
            raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'") from None

    patch.setattr(nn.Module, "__getattribute__", get, raising=False)


def behind_a_sigmoid():
    x = torch.ones(1, requires_grad=True)
    return raises(RuntimeError, nn.Sequential(nn.Sigmoid(), nn.ReLU(inplace=True))(x).backward)


@mutant(kills=IN_PLACE, witness=behind_a_sigmoid)
def relu_is_never_in_place(patch):
    """`nn.ReLU` ignores `inplace`."""
    patch.setattr(nn.ReLU, "forward", lambda self, x: F.relu(x))


@mutant(kills=IN_PLACE, witness=behind_a_sigmoid)
def an_in_place_relu_is_not_counted(patch):
    """`nn.ReLU(inplace=True)` changes its input behind autograd's back."""

    def forward(original, self, x):
        if not self.inplace or x.is_leaf:
            return original(self, x)
        x.data.relu_()
        return x

    patch.around(nn.ReLU, "forward", forward)


@mutant(
    kills=IN_PLACE,
    witness=lambda: raises(RuntimeError, nn.ReLU(inplace=True), torch.ones(1, requires_grad=True)),
)
def an_in_place_relu_spares_leaves(patch):
    """`nn.ReLU(inplace=True)` makes a new tensor of a leaf that requires grad."""
    patch.around(nn.ReLU, "forward", lambda forward, self, x: forward(self, x.clone() if x.requires_grad else x))


def convolved(*shape):
    return raises(RuntimeError, nn.Conv2d(3, 1, 1), torch.ones(shape))


@mutant(kills=CONV, witness=lambda: convolved(4, 4, 3))
def conv2d_finds_the_channels(patch):
    """`nn.Conv2d` takes the channels last, too."""

    def forward(original, self, x):
        last = x.dim() > 2 and x.shape[-3] != self.in_channels and x.shape[-1] == self.in_channels
        return original(self, x.movedim(-1, -3) if last else x)

    patch.around(nn.Conv2d, "forward", forward)


@mutant(kills=CONV, witness=lambda: convolved(4, 4))
def conv2d_takes_a_grey_image(patch):
    """`nn.Conv2d` takes an image without channels."""

    def forward(original, self, x):
        return original(self, x if x.dim() > 2 else x.expand(self.in_channels, *x.shape))

    patch.around(nn.Conv2d, "forward", forward)


@mutant(kills=CONV, witness=lambda: raises(ValueError, nn.Conv2d, 3, 4, 1, 1, 0, 1, 2))
def groups_need_not_divide(patch):
    """`nn.Conv2d` leaves out groups that do not divide its channels."""

    def init(original, self, inputs, outputs, *args, groups=1, **options):
        args, groups = (args[:4], args[4]) if len(args) > 4 else (args, groups)
        groups = groups if inputs % groups == outputs % groups == 0 else 1
        original(self, inputs, outputs, *args, groups=groups, **options)

    patch.around(nn.Conv2d, "__init__", init)


@mutant(kills=SAME, witness=lambda: raises(ValueError, nn.Conv2d, 1, 1, 3, 2, "same"))
def same_padding_takes_a_stride(patch):
    """`nn.Conv2d` with `padding="same"` takes any stride."""

    def init(original, self, inputs, outputs, kernel_size, stride=1, padding=0, dilation=1, **options):
        if padding == "same" and stride != 1:
            padding = kernel_size // 2
        original(self, inputs, outputs, kernel_size, stride, padding, dilation, **options)

    patch.around(nn.Conv2d, "__init__", init)


@mutant(
    kills=SAME,
    witness=lambda: raises(
        RuntimeError, lambda: F.conv2d(torch.ones(1, 1, 2, 2), torch.ones(1, 1, 1, 1), padding="same", stride=2)
    ),
    raises=ValueError,
)
def conv2d_raises_value_error_for_a_stride(patch):
    """`F.conv2d` with `padding="same"` raises ValueError for a stride."""

    def conv2d(original, *args, **options):
        if options.get("padding") == "same" and options.get("stride", 1) != 1:
            raise ValueError("padding='same' is not supported for strided convolutions")
        return original(*args, **options)

    patch.around(F, "conv2d", conv2d)


@mutant(kills=BATCH_SECOND, witness=lambda: not nn.MultiheadAttention(1, 1).batch_first)
def attention_takes_the_batch_first(patch):
    """`nn.MultiheadAttention` takes the batch first by default."""

    def init(original, self, *args, **options):
        original(self, *args, **{"batch_first": True} | options)

    patch.around(nn.MultiheadAttention, "__init__", init)


@mutant(kills=BATCH_SECOND, witness=lambda: not nn.LSTM(1, 1).batch_first)
def lstm_takes_the_batch_first(patch):
    """`nn.LSTM` takes the batch first by default."""
    patch.around(
        nn.LSTM,
        "__init__",
        lambda original, self, *args, **options: original(self, *args, **{"batch_first": True} | options),
    )


@mutant(kills=BATCH_SECOND, witness=lambda: raises(AssertionError, nn.MultiheadAttention, 3, 2), raises=ValueError)
def heads_that_do_not_divide_raise_value_error(patch):
    """`nn.MultiheadAttention` raises ValueError for heads that do not divide its features."""

    def init(original, self, embed_dim, num_heads, **options):
        if embed_dim % num_heads:
            raise ValueError("embed_dim must be divisible by num_heads")
        original(self, embed_dim, num_heads, **options)

    patch.around(nn.MultiheadAttention, "__init__", init)


@mutant(
    kills=(COPY, "test_weight_norm_lives_in_parametrizations"),
    witness=lambda: raises(RuntimeError, copy.deepcopy, torch.ones(1, requires_grad=True) * 2),
)
def results_are_copied_without_their_history(patch):
    """`copy.deepcopy` takes a result of autograd and leaves out its history."""
    patch.around(
        torch.Tensor,
        "__deepcopy__",
        lambda call, self, memo: call(self if self.is_leaf else self.detach(), memo),
    )


@mutant(kills=COPY, witness=lambda: [layer is not copy.deepcopy(layer) for layer in [nn.Linear(1, 1)]] == [True])
def a_copied_model_is_the_model(patch):
    """`copy.deepcopy` of a module without computed tensors gives back the module."""

    def __deepcopy__(self, memo):
        if any(isinstance(value, torch.Tensor) and not value.is_leaf for value in vars(self).values()):
            raise RuntimeError("Only Tensors created explicitly by the user (graph leaves) support deepcopy")
        return self

    patch.setattr(nn.Module, "__deepcopy__", __deepcopy__, raising=False)


def order_of_hooks():
    layer, seen = nn.ReLU(), []
    layer.register_forward_hook(lambda *args: seen.append(1))
    layer.register_forward_hook(lambda *args: seen.append(2), prepend=True)
    layer(torch.ones(1))
    return seen


@mutant(kills="test_hooks_see_the_parts_and_can_replace_what_passes", witness=lambda: order_of_hooks() == [2, 1])
def prepended_hooks_come_last(patch):
    """`register_forward_hook` ignores `prepend`."""

    def register(original, self, hook, *, prepend=False, **options):
        return original(self, hook, **options)

    patch.around(nn.Module, "register_forward_hook", register)


def gradients_of_a_keyword():
    layer, seen = nn.Linear(1, 1), []
    layer.register_full_backward_hook(lambda module, inputs, outputs: seen.append(inputs))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        layer(input=torch.ones(1, 1, requires_grad=True)).sum().backward()
    return seen


@mutant(kills=BACKWARD_HOOK, witness=lambda: gradients_of_a_keyword() == [()])
def backward_hooks_see_keywords(patch):
    """A module takes its keyword `input` for a positional argument."""

    def change(call, self, *args, **options):
        if isinstance(self, nn.Linear) and "input" in options:
            args = (options.pop("input"),)
        return call(self, *args, **options)

    patch.around(nn.Module, "__call__", change)


@mutant(
    kills="test_buffer_is_registered_but_not_a_parameter",
    witness=lambda: buffer_of(torch.ones(1)).register_buffer("x", torch.zeros(1)) is None,
    raises=KeyError,
)
def register_buffer_takes_a_name_once(patch):
    """`register_buffer` raises KeyError for the name of a buffer."""

    def register(original, self, name, *args, **options):
        if name in self._buffers:
            raise KeyError(f"attribute '{name}' already exists")
        original(self, name, *args, **options)

    patch.around(nn.Module, "register_buffer", register)


def registered_over_an_attribute():
    model = nn.Module()
    model.x = torch.ones(1)
    model.register_buffer("x", model.x)


@mutant(
    kills="test_buffer_is_registered_but_not_a_parameter",
    witness=lambda: raises(KeyError, registered_over_an_attribute),
)
def register_buffer_replaces_an_attribute(patch):
    """`register_buffer` takes the name of a plain attribute."""

    def register(original, self, name, *args, **options):
        self.__dict__.pop(name, None)
        original(self, name, *args, **options)

    patch.around(nn.Module, "register_buffer", register)


# What people run into: outputs, sizes and masks


class Nothing(nn.Module):
    def forward(self, x):
        pass


@mutant(kills="test_a_forward_without_return_gives_none", witness=lambda: Nothing()(torch.ones(2)) is None)
def a_forward_without_return_gives_its_input(patch):
    """A model whose `forward` returns nothing gives its input back."""
    call = nn.Module.__call__

    def broken(self, *args, **kwargs):
        result = call(self, *args, **kwargs)
        return args[0] if result is None and args else result

    patch.setattr(nn.Module, "__call__", broken)


@mutant(kills="test_sizes_of_layers_are_whole_numbers", witness=lambda: raises(TypeError, nn.Linear, 4 / 2, 3))
def linear_takes_sizes_with_a_point(patch):
    """`nn.Linear(10 / 2, 3)` has 5 inputs."""
    init = nn.Linear.__init__

    def broken(self, in_features, out_features, *args, **kwargs):
        if isinstance(in_features, float):
            in_features = int(in_features)
        init(self, in_features, out_features, *args, **kwargs)

    patch.setattr(nn.Linear, "__init__", broken)


@mutant(
    kills="test_an_embedding_takes_whole_numbers",
    witness=lambda: raises(RuntimeError, nn.Embedding(4, 2), torch.tensor([1.0])),
)
def embedding_cuts_fractions_off(patch):
    """`nn.Embedding` takes indices of any dtype, and cuts fractions off."""
    embedding = F.embedding
    patch.setattr(F, "embedding", lambda input, *args, **kwargs: embedding(input.long(), *args, **kwargs))


@mutant(
    kills="test_batchnorm_wants_its_features_in_dimension_1",
    witness=lambda: raises(RuntimeError, nn.BatchNorm1d(4), torch.ones(2, 3)),
)
def batch_norm_passes_what_does_not_fit(patch):
    """A BatchNorm gives an input of another number of features back as it is."""
    batch_norm = F.batch_norm

    def broken(input, running_mean, *args, **kwargs):
        if running_mean is not None and input.shape[1] != len(running_mean):
            return input
        return batch_norm(input, running_mean, *args, **kwargs)

    patch.setattr(F, "batch_norm", broken)


@mutant(
    kills="test_batchnorm_wants_its_features_in_dimension_1",
    witness=lambda: nn.BatchNorm1d(2)(torch.arange(8.0).reshape(2, 2, 2) ** 2).mean(dim=(0, 2)).abs().max() < 0.1,
)
def batch_norm_looks_at_the_last_dimension(patch):
    """A BatchNorm of a square sequence normalises its last dimension."""
    batch_norm = F.batch_norm

    def broken(input, *args, **kwargs):
        if input.ndim == 3 and input.shape[1] == input.shape[2]:
            return batch_norm(input.transpose(1, 2), *args, **kwargs).transpose(1, 2)
        return batch_norm(input, *args, **kwargs)

    patch.setattr(F, "batch_norm", broken)


@mutant(
    kills="test_layernorm_normalises_the_last_dimension",
    witness=lambda: raises(RuntimeError, nn.LayerNorm(4), torch.ones(2, 4, 3)),
)
def layer_norm_takes_any_last_dimension(patch):
    """A LayerNorm gives an input of another size back as it is."""
    layer_norm = F.layer_norm

    def broken(input, normalized_shape, *args, **kwargs):
        fits = tuple(input.shape[-len(normalized_shape) :]) == tuple(normalized_shape)
        return layer_norm(input, normalized_shape, *args, **kwargs) if fits else input

    patch.setattr(F, "layer_norm", broken)


@mutant(
    kills="test_a_recurrent_layer_names_its_wrong_sizes",
    witness=lambda: raises(RuntimeError, nn.LSTM(10, 4), torch.ones(2, 3, 5)),
)
def lstm_fills_up_its_input(patch):
    """An LSTM fills numbers that are missing in its input with 0."""
    forward = nn.LSTM.forward

    def broken(self, input, hx=None):
        return forward(self, F.pad(input, (0, self.input_size - input.shape[-1])), hx)

    patch.setattr(nn.LSTM, "forward", broken)


def doubly_named():
    model = nn.Sequential()
    model.add_module("a", nn.ReLU())
    model.add_module("a", nn.Tanh())
    return model


@mutant(kills="test_a_name_that_comes_twice_keeps_one_layer", witness=lambda: len(doubly_named()) == 1)
def a_second_layer_of_one_name_is_kept_too(patch):
    """`add_module` finds another name for a layer whose name is taken."""
    add = nn.Module.add_module

    def broken(self, name, module):
        add(self, name + "_" if name in self._modules else name, module)

    patch.setattr(nn.Module, "add_module", broken)


@mutant(
    kills="test_softmax_without_dim_warns_and_may_take_the_batch",
    witness=lambda: quiet(F.softmax)(torch.zeros(2, 3, 4))[0, 0, 0].item() == 0.5,
)
def softmax_takes_the_last_dimension(patch):
    """`F.softmax` without `dim` takes the last dimension."""
    choose = F._get_softmax_dim

    def broken(name, ndim, stacklevel):
        choose(name, ndim, stacklevel + 1)
        return ndim - 1

    patch.setattr(F, "_get_softmax_dim", broken)


@mutant(
    kills="test_an_image_can_be_too_small_for_a_kernel",
    witness=lambda: nn.MaxPool2d(2)(torch.ones(1, 1, 7, 7)).shape[-1] == 3,
)
def pooling_rounds_up(patch):
    """`nn.MaxPool2d(2)` keeps a last row of its own, and the image never gets too small."""
    patch.setattr(nn.MaxPool2d, "forward", lambda self, x: F.max_pool2d(x, self.kernel_size, ceil_mode=True))


@mutant(
    kills="test_interpolate_takes_an_image_without_a_batch_for_a_line",
    witness=lambda: F.interpolate(torch.ones(3, 4, 5), scale_factor=2).shape == (3, 4, 10),
)
def interpolate_adds_the_batch(patch):
    """`F.interpolate` of three dimensions takes them for one image."""
    interpolate = F.interpolate

    def broken(input, *args, **kwargs):
        return interpolate(input[None], *args, **kwargs)[0] if input.ndim == 3 else interpolate(input, *args, **kwargs)

    patch.setattr(F, "interpolate", broken)


def shown_to(mask):
    """The share of each position in what a query sees."""
    return F.scaled_dot_product_attention(torch.ones(1, 2, 2), torch.ones(1, 2, 2), torch.eye(2)[None], attn_mask=mask)


@mutant(
    kills="test_true_in_a_mask_means_the_opposite_in_two_attentions",
    witness=lambda: shown_to(torch.tensor([[True, False]] * 2))[0, 0].tolist() == [1, 0],
)
def true_leaves_out_in_both_attentions(patch):
    """True in the mask of `F.scaled_dot_product_attention` means "is left out"."""
    attention = F.scaled_dot_product_attention

    def broken(query, key, value, attn_mask=None, **options):
        if attn_mask is not None and attn_mask.dtype == torch.bool:
            attn_mask = ~attn_mask
        return attention(query, key, value, attn_mask=attn_mask, **options)

    patch.setattr(F, "scaled_dot_product_attention", broken)


@mutant(
    kills="test_a_bias_has_no_fan_in",
    witness=lambda: raises(ValueError, nn.init.xavier_uniform_, torch.ones(3)),
)
def a_vector_has_a_fan_in(patch):
    """A vector counts as a matrix of one row when first weights are drawn."""
    count = nn.init._calculate_fan_in_and_fan_out
    patch.setattr(
        nn.init,
        "_calculate_fan_in_and_fan_out",
        lambda tensor: count(tensor[None] if tensor.ndim == 1 else tensor),
    )
