"""What could break in `parameters()`, in `state_dict()` and in the files they are saved to."""

import argparse
import contextlib
import copy
import datetime
import importlib
import io
import itertools
import mmap
import os
import pathlib
import pickle
import sys
import tempfile
import warnings
from collections import Counter, OrderedDict

import numpy as np
import torch
from torch import nn

from torchnotes.harness.mutation import mutant


class Slope(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([8.0, -4.0]))


class Everything(Slope):
    def __init__(self):
        super().__init__()
        self.register_buffer("buffer", torch.tensor([4.0]))
        self.register_buffer("cache", torch.tensor([5.0]), persistent=False)
        self.tensor = torch.tensor([6.0])


def raises(expected, function, *args, **kwargs):
    """Whether the call raises exactly this class."""
    try:
        function(*args, **kwargs)
    except Exception as error:
        return type(error) is expected
    return False


def stepped(optimizer_of=lambda weight: torch.optim.SGD([weight], lr=0.25, momentum=0.5)):
    """A model, and its optimizer after one step along a gradient of one."""
    model = Slope()
    optimizer = optimizer_of(model.weight)
    model.weight.grad = torch.ones(2)
    optimizer.step()
    return model, optimizer


# parameters


@mutant(
    kills=("test_parameters_are_what_the_optimizer_updates", "test_optimizer_keeps_the_parameters_it_was_given"),
    witness=lambda: stepped()[0].weight.tolist() == [7.75, -4.25],
)
def optimizer_copies_parameters(patch):
    """An optimizer keeps and updates copies of the parameters it is given."""

    def change(init, self, params, defaults):
        init(self, [nn.Parameter(parameter.detach().clone()) for parameter in params], defaults)

    patch.around(torch.optim.Optimizer, "__init__", change)


def memory_after_step():
    model = Slope()
    memory = model.weight.detach()
    model.weight.grad = torch.ones(2)
    torch.optim.SGD([model.weight], lr=1).step()
    return memory.tolist()


@mutant(
    kills=(
        "test_parameters_are_what_the_optimizer_updates",
        "test_every_optimizer_writes_into_the_same_memory",
        "test_kept_state_dict_changes_as_training_goes_on",
    ),
    witness=lambda: memory_after_step() == [7, -5],
)
def optimizer_step_moves_parameters_to_new_memory(patch):
    """`SGD.step` leaves the old numbers alone and gives each parameter new memory."""

    def change(step, self, *args, **kwargs):
        for parameter in itertools.chain(*[group["params"] for group in self.param_groups]):
            parameter.data = parameter.data.clone()
        return step(self, *args, **kwargs)

    patch.around(torch.optim.SGD, "step", change)


def decayed_without_gradient():
    weight = Slope().weight
    torch.optim.SGD([weight], lr=0.5, weight_decay=0.5).step()
    return weight.tolist()


@mutant(
    kills="test_parameters_are_what_the_optimizer_updates",
    witness=lambda: decayed_without_gradient() == [8, -4],
)
def optimizer_decays_what_has_no_gradient(patch):
    """`SGD.step` applies weight decay to parameters without a gradient, too."""

    def change(step, self, *args, **kwargs):
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    parameter.data.mul_(1 - group["lr"] * group["weight_decay"])
        return step(self, *args, **kwargs)

    patch.around(torch.optim.SGD, "step", change)


def memory_after_adam():
    weight = Slope().weight
    memory, weight.grad = weight.detach(), torch.ones(2)
    torch.optim.Adam([weight], lr=1).step()
    return torch.equal(memory, weight)


@mutant(kills="test_every_optimizer_writes_into_the_same_memory", witness=memory_after_adam)
def adam_moves_parameters_to_new_memory(patch):
    """`Adam.step` leaves the old numbers alone and gives each parameter new memory."""

    def change(step, self, *args, **kwargs):
        for parameter in itertools.chain(*[group["params"] for group in self.param_groups]):
            parameter.data = parameter.data.clone()
        return step(self, *args, **kwargs)

    patch.around(torch.optim.Adam, "step", change)


def rates_of_groups():
    weight, other = Slope().weight, Slope().weight
    optimizer = torch.optim.SGD([weight], lr=0.5)
    optimizer.load_state_dict(torch.optim.SGD([weight], lr=0.25).state_dict())
    optimizer.add_param_group({"params": [other]})
    return [group["lr"] for group in optimizer.param_groups]


@mutant(
    kills=(
        "test_optimizer_keeps_the_parameters_it_was_given",
        "test_group_added_after_loading_has_the_rate_of_the_constructor",
    ),
    witness=lambda: len(rates_of_groups()) == 2,
)
def optimizer_ignores_new_groups(patch):
    """`add_param_group` does nothing for an optimizer that has parameters already."""

    def change(add, self, group):
        return None if self.param_groups else add(self, group)

    patch.around(torch.optim.Optimizer, "add_param_group", change)


@mutant(
    kills="test_group_added_after_loading_has_the_rate_of_the_constructor",
    witness=lambda: rates_of_groups() == [0.25, 0.5],
)
def optimizer_load_changes_the_defaults(patch):
    """The `load_state_dict` of an optimizer makes the saved learning rate the default for groups to come."""

    def change(load, self, state):
        load(self, state)
        self.defaults["lr"] = self.param_groups[0]["lr"]

    patch.around(torch.optim.Optimizer, "load_state_dict", change)


@mutant(
    kills="test_parameters_is_used_up_by_one_pass",
    witness=lambda: not isinstance(Slope().parameters(), list),
)
def parameters_is_a_list(patch):
    """`parameters` returns a list."""
    patch.around(nn.Module, "parameters", lambda parameters, *args, **kwargs: list(parameters(*args, **kwargs)))


@mutant(
    kills="test_parameters_is_used_up_by_one_pass",
    witness=lambda: [len([*found, *found]) for found in [Slope().parameters()]] == [1],
)
def parameters_starts_anew(patch):
    """What `parameters` returns can be gone through again and again."""

    class Parameters:
        def __init__(self, make):
            self.make = make

        def __iter__(self):
            return self.make()

    patch.around(
        nn.Module,
        "parameters",
        lambda parameters, *args, **kwargs: Parameters(lambda: iter(list(parameters(*args, **kwargs)))),
    )


@mutant(
    kills="test_parameters_is_used_up_by_one_pass",
    witness=lambda: raises(ValueError, torch.optim.SGD, [], lr=1),
)
def optimizer_accepts_no_parameters(patch):
    """An optimizer can be made of an empty list of parameters."""

    def change(init, self, params, defaults):
        init(self, list(params) or [nn.Parameter(torch.zeros(1))], defaults)

    patch.around(torch.optim.Optimizer, "__init__", change)


@mutant(
    kills="test_parameters_is_used_up_by_one_pass",
    witness=lambda: raises(ValueError, torch.optim.SGD, [], lr=1),
    raises=TypeError,
)
def optimizer_of_nothing_raises_type_error(patch):
    """An optimizer of an empty list of parameters raises TypeError."""

    def change(init, self, params, defaults):
        params = list(params)
        if not params:
            raise TypeError("optimizer got an empty parameter list")
        init(self, params, defaults)

    patch.around(torch.optim.Optimizer, "__init__", change)


def parameters_of_a_list():
    model = nn.Module()
    model.listed = [nn.Parameter(torch.zeros(1))]
    return list(model.parameters())


@mutant(kills="test_which_attribute_is_in_which", witness=lambda: parameters_of_a_list() == [])
def parameters_look_into_lists(patch):
    """`named_parameters` finds the Parameters in a Python list among the attributes."""

    def change(named, self, *args, **kwargs):
        yield from named(self, *args, **kwargs)
        for name, value in vars(self).items():
            for at, inner in enumerate(value if isinstance(value, list) else ()):
                if isinstance(inner, nn.Parameter):
                    yield f"{name}.{at}", inner

    patch.around(nn.Module, "named_parameters", change)


class InTheClass(nn.Module):
    weight = nn.Parameter(torch.zeros(1))


@mutant(kills="test_which_attribute_is_in_which", witness=lambda: list(InTheClass().parameters()) == [])
def parameters_look_into_the_class(patch):
    """`named_parameters` finds the Parameters in the body of the class, too."""

    def change(named, self, *args, **kwargs):
        yield from named(self, *args, **kwargs)
        for name, value in vars(type(self)).items():
            if isinstance(value, nn.Parameter):
                yield name, value

    patch.around(nn.Module, "named_parameters", change)


@mutant(
    kills=("test_which_attribute_is_in_which",),
    witness=lambda: len(list(Slope().requires_grad_(False).parameters())) == 1,
)
def parameters_leave_out_frozen_ones(patch):
    """`parameters` and `named_parameters` leave out what requires no gradient."""

    def change(named, self, *args, **kwargs):
        for name, parameter in named(self, *args, **kwargs):
            if parameter.requires_grad:
                yield name, parameter

    patch.around(nn.Module, "named_parameters", change)


@mutant(
    kills="test_which_attribute_is_in_which",
    witness=lambda: [name for name, buffer in Everything().named_buffers()] == ["buffer", "cache"],
)
def buffers_leave_out_those_that_are_not_saved(patch):
    """`buffers` and `named_buffers` leave out buffers that are not persistent."""

    def change(named, self, *args, **kwargs):
        for name, buffer in named(self, *args, **kwargs):
            if name not in self._non_persistent_buffers_set:
                yield name, buffer

    patch.around(nn.Module, "named_buffers", change)


@mutant(
    kills=("test_which_attribute_is_in_which", "test_what_is_not_in_the_state_dict_is_not_loaded"),
    witness=lambda: list(Everything().state_dict()) == ["weight", "buffer"],
)
def buffer_is_always_persistent(patch):
    """`register_buffer` ignores `persistent=False`."""
    patch.around(
        nn.Module,
        "register_buffer",
        lambda register, self, name, tensor, persistent=True: register(self, name, tensor),
    )


def batch_norm_with(patch, **settings):
    patch.around(
        nn.BatchNorm1d,
        "__init__",
        lambda init, self, *args, **options: init(self, *args, **{**settings, **options}),
    )


@mutant(
    kills="test_batch_norm_has_two_parameters_and_five_entries",
    witness=lambda: nn.BatchNorm1d(1).weight is not None,
)
def batch_norm_has_no_parameters_by_default(patch):
    """`nn.BatchNorm1d` has a weight and a bias only with `affine=True`."""
    batch_norm_with(patch, affine=False)


@mutant(
    kills="test_batch_norm_has_two_parameters_and_five_entries",
    witness=lambda: nn.BatchNorm1d(1).running_mean is not None,
)
def batch_norm_has_no_buffers_by_default(patch):
    """`nn.BatchNorm1d` has buffers only with `track_running_stats=True`."""
    batch_norm_with(patch, track_running_stats=False)


@mutant(
    kills="test_batch_norm_has_two_parameters_and_five_entries",
    witness=lambda: nn.BatchNorm1d(1, affine=False).weight is None,
)
def batch_norm_always_has_parameters(patch):
    """`nn.BatchNorm1d` ignores `affine=False`."""
    patch.around(
        nn.BatchNorm1d,
        "__init__",
        lambda init, self, *args, affine=True, **options: init(self, *args, **options),
    )


@mutant(
    kills="test_batch_norm_has_two_parameters_and_five_entries",
    witness=lambda: nn.BatchNorm3d(1, track_running_stats=False).running_mean is None,
)
def batch_norm_always_has_buffers(patch):
    """`nn.BatchNorm3d` ignores `track_running_stats=False`."""
    patch.around(
        nn.BatchNorm3d,
        "__init__",
        lambda init, self, *args, track_running_stats=True, **options: init(self, *args, **options),
    )


@mutant(
    kills="test_batch_norm_has_two_parameters_and_five_entries",
    witness=lambda: nn.BatchNorm1d(1).num_batches_tracked.dtype == torch.int64,
)
def batch_norm_counts_in_floats(patch):
    """The counter of `nn.BatchNorm1d` is a float32."""

    def change(init, self, *args, **options):
        init(self, *args, **options)
        if self.num_batches_tracked is not None:
            self.num_batches_tracked = self.num_batches_tracked.float()

    patch.around(nn.BatchNorm1d, "__init__", change)


def running_mean_of_ones():
    layer = nn.BatchNorm1d(1)
    layer(torch.ones(2, 1))
    return layer.running_mean.item()


@mutant(
    kills="test_batch_norm_has_two_parameters_and_five_entries",
    witness=lambda: running_mean_of_ones() > 0,
)
def batch_norm_only_counts(patch):
    """A forward pass of `nn.BatchNorm1d` in training mode updates the counter alone."""

    def change(forward, self, *args):
        mean, var = self.running_mean.clone(), self.running_var.clone()
        result = forward(self, *args)
        self.running_mean.copy_(mean)
        self.running_var.copy_(var)
        return result

    patch.around(nn.BatchNorm1d, "forward", change)


# state_dict


def state_dict_becomes(patch, change):
    """Change what `state_dict` gives to whoever calls it, not what it gives to itself for the parts."""

    def outermost(state_dict, self, *args, destination=None, **options):
        if args or destination is not None:
            return state_dict(self, *args, destination=destination, **options)
        state = state_dict(self, **options)
        changed = OrderedDict(change(self, state))
        changed._metadata = state._metadata
        return changed

    patch.around(nn.Module, "state_dict", outermost)


def shares_its_state():
    model = Slope()
    model.state_dict()["weight"][0] = 1
    return model.weight[0] == 1


@mutant(
    kills=(
        "test_state_dict_shares_memory_with_the_model",
        "test_kept_state_dict_changes_as_training_goes_on",
        "test_tied_weights_are_one_parameter_and_two_entries",
    ),
    witness=shares_its_state,
)
def state_dict_copies(patch):
    """`state_dict` holds copies of the tensors."""
    state_dict_becomes(patch, lambda model, state: {name: tensor.clone() for name, tensor in state.items()})


@mutant(
    kills="test_state_dict_shares_memory_with_the_model",
    witness=lambda: [model.state_dict() is not model.state_dict() for model in [Slope()]] == [True],
)
def state_dict_is_always_the_same_dictionary(patch):
    """`state_dict` returns the same dictionary at every call."""

    def change(state_dict, self, *args, destination=None, **options):
        if args or destination is not None or options:
            return state_dict(self, *args, destination=destination, **options)
        if "same_state" not in self.__dict__:
            self.__dict__["same_state"] = state_dict(self)
        return self.__dict__["same_state"]

    patch.around(nn.Module, "state_dict", change)


@mutant(
    kills="test_state_dict_holds_plain_tensors",
    witness=lambda: not isinstance(Slope().state_dict()["weight"], nn.Parameter),
)
def state_dict_holds_the_parameters(patch):
    """`state_dict` holds the Parameters themselves."""

    def change(model, state):
        return {**state, **dict(model.named_parameters())}

    state_dict_becomes(patch, change)


@mutant(
    kills="test_state_dict_holds_plain_tensors",
    witness=lambda: not isinstance(Slope().state_dict()["weight"], nn.Parameter),
)
def state_dict_holds_frozen_parameters(patch):
    """`state_dict` holds new Parameters that require no gradient and share the memory."""

    def change(model, state):
        return {
            name: tensor if tensor.requires_grad else nn.Parameter(tensor, requires_grad=False)
            for name, tensor in state.items()
        }

    state_dict_becomes(patch, change)


@mutant(
    kills="test_state_dict_holds_plain_tensors",
    witness=lambda: not Slope().state_dict()["weight"].requires_grad,
)
def state_dict_needs_gradients(patch):
    """The tensors of a `state_dict` require a gradient."""
    state_dict_becomes(
        patch,
        lambda model, state: {
            name: tensor.requires_grad_() if tensor.is_floating_point() else tensor for name, tensor in state.items()
        },
    )


@mutant(
    kills="test_state_dict_holds_plain_tensors",
    witness=lambda: [model.state_dict(keep_vars=True)["weight"] is model.weight for model in [Slope()]] == [True],
)
def state_dict_ignores_keep_vars(patch):
    """`state_dict(keep_vars=True)` gives plain tensors."""
    patch.around(
        nn.Module,
        "state_dict",
        lambda state_dict, *args, keep_vars=False, **options: state_dict(*args, **options),
    )


def kept_buffer():
    model = nn.Module()
    model.register_buffer("buffer", torch.ones(1))
    return model.state_dict(keep_vars=True)["buffer"] is model.buffer


@mutant(kills="test_state_dict_holds_plain_tensors", witness=kept_buffer)
def state_dict_keeps_parameters_only(patch):
    """`state_dict(keep_vars=True)` gives the Parameters themselves, and buffers without their graph."""

    def change(model, state):
        parameters = dict(model.named_parameters())
        return {name: tensor if name in parameters else tensor.detach() for name, tensor in state.items()}

    state_dict_becomes(patch, change)


class Extra(Slope):
    number = 1

    def get_extra_state(self):
        return self.number

    def set_extra_state(self, state):
        self.number = state


def extra_after_loading():
    model, new = Extra(), Extra()
    model.number = 2
    new.load_state_dict(model.state_dict())
    return new.number


EXTRA = "test_extra_state_is_saved_and_loaded"


@mutant(kills=EXTRA, witness=lambda: list(Extra().state_dict()) == ["weight", "_extra_state"], raises=RuntimeError)
def state_dict_leaves_out_extra_state(patch):
    """A `state_dict` has no `_extra_state`."""
    state_dict_becomes(
        patch,
        lambda model, state: {name: value for name, value in state.items() if not name.endswith("_extra_state")},
    )


@mutant(kills=EXTRA, witness=lambda: extra_after_loading() == 2)
def loading_leaves_extra_state_alone(patch):
    """`load_state_dict` does not hand the `_extra_state` to the module."""

    def change(model, state):
        own = model.state_dict()
        return {name: own.get(name) if name == "_extra_state" else value for name, value in state.items()}

    before_loading(patch, change)


def follows_after_conversion():
    model = Slope()
    kept = model.state_dict()
    model.bfloat16()
    return kept["weight"].dtype == torch.bfloat16


@mutant(
    kills="test_converted_model_leaves_a_kept_state_dict_behind",
    witness=lambda: not follows_after_conversion(),
)
def kept_state_dict_follows_conversions(patch):
    """A `state_dict` that was kept has the new tensors after `model.bfloat16()`."""

    def remember(state_dict, self, *args, **options):
        state = state_dict(self, *args, **options)
        self.__dict__.setdefault("given_state", state)
        return state

    def convert(bfloat16, self):
        bfloat16(self)
        given = self.__dict__.pop("given_state", {})
        given.update({name: tensor for name, tensor in self.state_dict().items() if name in given})
        return self

    patch.around(nn.Module, "state_dict", remember)
    patch.around(nn.Module, "bfloat16", convert)


def three_levels():
    model = nn.Module()
    model.part = nn.Linear(1, 1)
    model.register_buffer("mean", torch.zeros(1))
    model.weight = nn.Parameter(torch.zeros(1))
    return model


def keys_of_three_levels():
    return list(three_levels().state_dict()) == ["weight", "mean", "part.weight", "part.bias"]


def names_after_assigning_again():
    layer = nn.Linear(1, 1)
    layer.weight = nn.Parameter(torch.zeros(1, 1))
    return list(layer.state_dict())


@mutant(kills="test_order_of_the_keys", witness=lambda: names_after_assigning_again() == ["weight", "bias"])
def parameter_assigned_again_goes_to_the_end(patch):
    """A Parameter that is assigned to a name again comes last in the `state_dict`."""

    def change(register, self, name, parameter):
        self._parameters.pop(name, None)
        register(self, name, parameter)

    patch.around(nn.Module, "register_parameter", change)


@mutant(
    kills=("test_order_of_the_keys", "test_batch_norm_has_two_parameters_and_five_entries"),
    witness=lambda: list(nn.Linear(1, 1).state_dict()) == ["weight", "bias"],
)
def state_dict_is_sorted(patch):
    """The keys of a `state_dict` are in alphabetical order."""
    state_dict_becomes(patch, lambda model, state: sorted(state.items()))


@mutant(kills="test_order_of_the_keys", witness=keys_of_three_levels)
def state_dict_begins_with_parts(patch):
    """The keys of the parts come first in a `state_dict`."""
    state_dict_becomes(patch, lambda model, state: sorted(state.items(), key=lambda item: "." not in item[0]))


@mutant(
    kills=("test_order_of_the_keys", "test_batch_norm_has_two_parameters_and_five_entries"),
    witness=keys_of_three_levels,
)
def state_dict_begins_with_buffers(patch):
    """The buffers come first in a `state_dict`."""

    def change(model, state):
        buffers = dict(model.named_buffers())
        return sorted(state.items(), key=lambda item: item[0] not in buffers)

    state_dict_becomes(patch, change)


@mutant(
    kills="test_which_attribute_is_in_which",
    witness=lambda: list(Slope().requires_grad_(False).state_dict()) == ["weight"],
)
def state_dict_leaves_out_frozen_parameters(patch):
    """A `state_dict` has no parameters that require no gradient."""

    def change(model, state):
        frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
        return {name: tensor for name, tensor in state.items() if name not in frozen}

    state_dict_becomes(patch, change)


@mutant(
    kills="test_which_attribute_is_in_which",
    witness=lambda: list(Everything().state_dict()) == ["weight", "buffer"],
)
def state_dict_has_plain_tensors_among_attributes(patch):
    """A `state_dict` has the plain tensors among the attributes of the model."""

    def change(model, state):
        return {**state, **{name: value for name, value in vars(model).items() if isinstance(value, torch.Tensor)}}

    state_dict_becomes(patch, change)


def tied():
    model = nn.ModuleList([Slope(), Slope()])
    model[1].weight = model[0].weight
    return model


@mutant(
    kills="test_tied_weights_are_one_parameter_and_two_entries",
    witness=lambda: list(tied().state_dict()) == ["0.weight", "1.weight"],
)
def state_dict_names_a_shared_parameter_once(patch):
    """A `state_dict` has a Parameter under the first of its names alone."""

    def change(model, state):
        known = {**dict(model.named_parameters()), **dict(model.named_buffers())}
        return {name: tensor for name, tensor in state.items() if name in known}

    state_dict_becomes(patch, change)


def deepcopied():
    model = Slope()
    kept = copy.deepcopy(model.state_dict())
    model.state_dict()["weight"].zero_()
    return kept["weight"].tolist()


@mutant(
    kills=(
        "test_kept_state_dict_changes_as_training_goes_on",
        "test_kept_optimizer_state_changes_as_training_goes_on",
    ),
    witness=lambda: deepcopied() == [8, -4],
)
def deepcopy_of_a_dict_is_shallow(patch):
    """`copy.deepcopy` of a dictionary copies the dictionary alone."""
    patch.around(
        copy,
        "deepcopy",
        lambda deepcopy, value, *args: copy.copy(value) if isinstance(value, dict) else deepcopy(value, *args),
    )


@mutant(
    kills="test_kept_state_dict_changes_as_training_goes_on",
    witness=lambda: [copy.copy(state)["x"] is state["x"] for state in [{"x": torch.ones(1)}]] == [True],
)
def copy_of_a_dict_is_deep(patch):
    """`copy.copy` of a dictionary copies the tensors in it."""
    patch.around(
        copy,
        "copy",
        lambda shallow, value: copy.deepcopy(value) if isinstance(value, dict) else shallow(value),
    )


def warned_by(function):
    """The classes of the warnings that calling it gives."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        function()
    return [warning.category for warning in caught]


def silenced(call, *args, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call(*args, **options)


DEPRECATED = "test_deprecations_are_future_warnings"


@mutant(kills=DEPRECATED, witness=lambda: warned_by(lambda: Slope().state_dict(OrderedDict())) == [FutureWarning])
def state_dict_by_position_is_silent(patch):
    """`state_dict` takes a destination by position without a warning."""

    def change(state_dict, self, *args, **options):
        return silenced(state_dict, self, *args, **options) if args else state_dict(self, **options)

    patch.around(nn.Module, "state_dict", change)


@mutant(
    kills=DEPRECATED,
    witness=lambda: warned_by(lambda: nn.utils.weight_norm(nn.Linear(1, 1))) == [FutureWarning],
    raises=UserWarning,
)
def weight_norm_gives_a_user_warning(patch):
    """`nn.utils.weight_norm` gives a UserWarning."""

    def change(weight_norm, *args, **options):
        layer = silenced(weight_norm, *args, **options)
        warnings.warn("weight_norm is deprecated", UserWarning, stacklevel=2)
        return layer

    patch.around(nn.utils, "weight_norm", change)


# Loading


def after_loading(patch, change):
    """Do something after `load_state_dict` has done its work."""

    def load(load, self, state, *args, **options):
        report = load(self, state, *args, **options)
        change(self, state)
        return report

    patch.around(nn.Module, "load_state_dict", load)


def before_loading(patch, change):
    """Load `change(model, state)` in place of the state."""
    patch.around(
        nn.Module,
        "load_state_dict",
        lambda load, self, state, *args, **options: load(self, change(self, state), *args, **options),
    )


def loaded(values=(1.0, 2.0), dtype=torch.float32, **options):
    model = Slope()
    model.load_state_dict({"weight": torch.tensor(values, dtype=dtype)}, **options)
    return model


@mutant(
    kills="test_what_is_not_in_the_state_dict_is_not_loaded",
    witness=lambda: loaded().weight.grad is None,
)
def loading_makes_gradients(patch):
    """`load_state_dict` gives the parameters gradients of zero."""

    def change(model, state):
        for parameter in model.parameters():
            parameter.grad = torch.zeros_like(parameter)

    after_loading(patch, change)


def gradient_after_loading():
    model = Slope()
    model.weight.grad = torch.ones(2)
    model.load_state_dict(Slope().state_dict())
    return model.weight.grad


@mutant(
    kills="test_what_is_not_in_the_state_dict_is_not_loaded",
    witness=lambda: gradient_after_loading() is not None,
    raises=AttributeError,
)
def loading_drops_gradients(patch):
    """`load_state_dict` sets the gradients to None."""

    def change(model, state):
        for parameter in model.parameters():
            parameter.grad = None

    after_loading(patch, change)


def loaded_mean():
    model, new = nn.BatchNorm1d(1), nn.BatchNorm1d(1)
    model.running_mean.fill_(5)
    new.load_state_dict(model.state_dict())
    return new.running_mean.item()


@mutant(
    kills=(
        "test_what_is_not_in_the_state_dict_is_not_loaded",
        "test_loaded_model_answers_the_same_for_every_architecture",
        "test_saving_and_loading_a_state_dict",
    ),
    witness=lambda: loaded_mean() == 5,
)
def loading_skips_buffers(patch):
    """`load_state_dict` leaves the buffers as they were."""

    def change(load, self, *args, **options):
        before = {name: buffer.clone() for name, buffer in self.named_buffers()}
        report = load(self, *args, **options)
        for name, buffer in self.named_buffers():
            buffer.copy_(before[name])
        return report

    patch.around(nn.Module, "load_state_dict", change)


def loaded_bias():
    layer = nn.Linear(1, 1)
    layer.load_state_dict({"weight": torch.ones(1, 1), "bias": torch.tensor([7.0])})
    return layer.bias.item()


@mutant(
    kills=(
        "test_loading_goes_by_name_not_by_order",
        "test_part_of_a_model_loads_by_itself",
        "test_loaded_model_answers_the_same_for_every_architecture",
    ),
    witness=lambda: loaded_bias() == 7,
)
def loading_skips_biases(patch):
    """`load_state_dict` leaves what is called bias as it was."""
    before_loading(
        patch,
        lambda model, state: {
            name: own if name.endswith("bias") else state[name] for name, own in model.state_dict().items()
        },
    )


def parameter_after_loading():
    model = Slope()
    before = model.weight
    model.load_state_dict({"weight": torch.ones(2)})
    return model.weight is before


@mutant(
    kills=(
        "test_loading_copies_into_the_parameters_there_are",
        "test_tied_weights_are_one_parameter_and_two_entries",
    ),
    witness=parameter_after_loading,
)
def loading_makes_new_parameters(patch):
    """`load_state_dict` puts new Parameters in place of the old ones."""

    def change(model, state):
        for module in model.modules():
            for name, parameter in module._parameters.items():
                if parameter is not None:
                    module._parameters[name] = nn.Parameter(parameter.detach().clone(), parameter.requires_grad)

    after_loading(patch, change)


def memory_after_loading():
    model = Slope()
    memory = model.weight.detach()
    model.load_state_dict({"weight": torch.ones(2)})
    return memory.tolist()


@mutant(
    kills="test_loading_copies_into_the_parameters_there_are",
    witness=lambda: memory_after_loading() == [1, 1],
)
def loading_moves_parameters_to_new_memory(patch):
    """`load_state_dict` keeps the Parameters and gives them new memory."""

    def change(load, self, *args, **options):
        for parameter in self.parameters():
            parameter.data = parameter.data.clone()
        return load(self, *args, **options)

    patch.around(nn.Module, "load_state_dict", change)


def shares_after_loading():
    model, tensor = Slope(), torch.ones(2)
    model.load_state_dict({"weight": tensor})
    tensor[0] = 9
    return model.weight[0] == 9


@mutant(
    kills="test_loading_copies_into_the_parameters_there_are",
    witness=lambda: not shares_after_loading(),
)
def loading_shares_memory(patch):
    """`load_state_dict` lets the Parameters look into the memory they are given."""

    def change(model, state):
        for name, parameter in model.named_parameters():
            if name in state and state[name].dtype == parameter.dtype and state[name].device == parameter.device:
                parameter.data = state[name].detach()

    after_loading(patch, change)


@mutant(
    kills="test_loading_converts_to_what_the_model_has",
    witness=lambda: loaded(dtype=torch.float16).weight.dtype == torch.float32,
)
def loading_takes_over_the_dtype(patch):
    """`load_state_dict` converts the parameters to the floating-point dtype of what is loaded."""

    def change(model, state):
        for name, parameter in model.named_parameters():
            if name in state and state[name].is_floating_point():
                parameter.data = parameter.data.to(state[name].dtype)

    after_loading(patch, change)


@mutant(
    kills=(
        "test_loading_converts_to_what_the_model_has",
        "test_loaded_model_answers_the_same_for_every_architecture",
    ),
    witness=lambda: loaded([1.0, 257.0]).weight.tolist() == [1, 257],
)
def loading_rounds(patch):
    """`load_state_dict` rounds to the precision of bfloat16."""
    before_loading(
        patch,
        lambda model, state: {name: tensor.bfloat16().to(tensor.dtype) for name, tensor in state.items()},
    )


def thawed_by_loading():
    model = Slope().requires_grad_(False)
    model.load_state_dict({"weight": torch.ones(2)})
    return model.weight.requires_grad


@mutant(
    kills="test_loading_converts_to_what_the_model_has",
    witness=lambda: not thawed_by_loading(),
)
def loading_thaws(patch):
    """`load_state_dict` makes all parameters require a gradient."""
    after_loading(patch, lambda model, state: model.requires_grad_(True))


def mode_after_loading():
    model = Slope().eval()
    model.load_state_dict({"weight": torch.ones(2)})
    return model.training


@mutant(
    kills="test_loading_converts_to_what_the_model_has",
    witness=lambda: not mode_after_loading(),
)
def loading_switches_to_training(patch):
    """`load_state_dict` puts the model into training mode."""
    after_loading(patch, lambda model, state: model.train())


def load_with(**state):
    return nn.Linear(2, 1).load_state_dict({name: torch.ones(shape) for name, shape in state.items()})


def strict_about(patch, check):
    """Let `check(missing, unexpected)` say what a strict `load_state_dict` complains about."""

    def change(load, self, state, strict=True, **options):
        report = load(self, state, False, **options)
        if strict and (complaint := check(report.missing_keys, report.unexpected_keys)):
            raise RuntimeError(f"Error(s) in loading state_dict: {complaint}")
        return report

    patch.around(nn.Module, "load_state_dict", change)


def missing_keys(names):
    return "Missing key(s) in state_dict: " + ", ".join(f'"{name}"' for name in names) if names else ""


def unexpected_keys(names):
    return "Unexpected key(s) in state_dict: " + ", ".join(f'"{name}"' for name in names) if names else ""


@mutant(
    kills=("test_loading_is_strict", "test_names_below_a_layer_set_to_none_are_not_unexpected"),
    witness=lambda: raises(RuntimeError, load_with, weight=(1, 2), bias=(1,), scale=(1,)),
)
def loading_ignores_unexpected_names(patch):
    """`load_state_dict` raises for missing names only."""
    strict_about(patch, lambda missing, unexpected: missing_keys(missing))


@mutant(
    kills=("test_loading_is_strict", "test_failed_load_has_changed_what_fitted"),
    witness=lambda: raises(RuntimeError, load_with, weight=(1, 2)),
)
def loading_ignores_missing_names(patch):
    """`load_state_dict` raises for unexpected names only."""
    strict_about(patch, lambda missing, unexpected: unexpected_keys(unexpected))


def both_complaints():
    try:
        load_with(weight=(1, 2), b=(1,))
    except RuntimeError as error:
        return "Missing" in str(error) and "Unexpected" in str(error)


@mutant(kills="test_loading_is_strict", witness=both_complaints)
def loading_complains_of_missing_names_first(patch):
    """`load_state_dict` mentions unexpected names only where none is missing."""
    strict_about(patch, lambda missing, unexpected: missing_keys(missing) or unexpected_keys(unexpected))


@mutant(
    kills=("test_loading_is_strict", "test_failed_load_has_changed_what_fitted"),
    witness=lambda: raises(RuntimeError, load_with, weight=(1, 2)),
    raises=KeyError,
)
def loading_raises_key_error(patch):
    """`load_state_dict` raises KeyError for a missing name."""

    def change(load, self, state, strict=True, **options):
        for name in self.state_dict() if strict else []:
            if name not in state:
                raise KeyError(name)
        return load(self, state, strict, **options)

    patch.around(nn.Module, "load_state_dict", change)


def refuses_nested():
    return raises(RuntimeError, nn.ModuleList([Slope()]).load_state_dict, {})


@mutant(kills="test_loading_is_strict", witness=refuses_nested)
def loading_is_strict_about_the_top_level_only(patch):
    """`load_state_dict` raises for names without a dot only."""
    strict_about(
        patch,
        lambda missing, unexpected: (
            missing_keys([name for name in missing if "." not in name])
            or unexpected_keys([name for name in unexpected if "." not in name])
        ),
    )


@mutant(
    kills="test_name_that_goes_on_after_a_parameter_is_unexpected",
    witness=lambda: raises(
        RuntimeError, Slope().load_state_dict, {"weight": torch.ones(2), "weight.scale": torch.ones(1)}
    ),
)
def loading_skips_names_that_go_on_after_a_parameter(patch):
    """`load_state_dict` skips entries whose names begin with that of a parameter and a dot, as up to 2.3."""

    def change(model, state):
        own = tuple(f"{name}." for name, parameter in model.named_parameters())
        return {name: tensor for name, tensor in state.items() if not name.startswith(own)}

    before_loading(patch, change)


def refuses_the_name_of_a_layer():
    model = nn.ModuleDict({"head": nn.Linear(1, 1)})
    return raises(RuntimeError, model.load_state_dict, {**model.state_dict(), "head": torch.ones(1)})


@mutant(kills="test_name_that_goes_on_after_a_parameter_is_unexpected", witness=refuses_the_name_of_a_layer)
def loading_skips_the_name_of_a_layer(patch):
    """`load_state_dict` skips an entry with the name of a layer, as up to 2.3."""
    before_loading(
        patch,
        lambda model, state: {name: tensor for name, tensor in state.items() if name not in model._modules},
    )


def given_parameter_is_taken():
    model, other = Slope(), Slope()
    model.load_state_dict(other.state_dict(keep_vars=True), assign=True)
    return model.weight is other.weight


@mutant(kills="test_assign_puts_the_loaded_tensors_in_place", witness=given_parameter_is_taken)
def assign_makes_new_parameters_of_parameters(patch):
    """`load_state_dict(assign=True)` makes a new Parameter of a given Parameter, too."""

    def change(load, self, state, strict=True, assign=False):
        if assign:
            state = {name: tensor.detach() for name, tensor in state.items()}
        return load(self, state, strict, assign=assign)

    patch.around(nn.Module, "load_state_dict", change)


def loads_without_a_head():
    model = nn.ModuleDict({"head": nn.Linear(1, 1)})
    state = model.state_dict()
    model.head = None
    return not raises(RuntimeError, model.load_state_dict, state)


NONE = "test_names_below_a_layer_set_to_none_are_not_unexpected"


@mutant(kills=NONE, witness=loads_without_a_head, raises=RuntimeError)
def loading_complains_of_names_below_none(patch):
    """`load_state_dict` raises for names below a part that is None."""

    def change(model, state):
        removed = [f"{name}." for name, part in model._modules.items() if part is None]
        if names := [name for name in state if any(name.startswith(prefix) for prefix in removed)]:
            raise RuntimeError(f"Error(s) in loading state_dict: {unexpected_keys(names)}")
        return state

    before_loading(patch, change)


def batch_norm_without_counter(make):
    state = nn.BatchNorm1d(1).state_dict()
    del state["num_batches_tracked"]
    return raises(RuntimeError, nn.BatchNorm1d(1).load_state_dict, make(state))


COUNTER = "test_batch_norm_does_not_miss_its_counter_in_a_plain_dict"


@mutant(kills=COUNTER, witness=lambda: not batch_norm_without_counter(dict), raises=RuntimeError)
def batch_norm_always_misses_its_counter(patch):
    """`load_state_dict` raises for a BatchNorm if a plain dict lacks `num_batches_tracked`."""

    def change(model, state):
        if names := [name for name, buffer in model.named_buffers() if name not in state and buffer.dim() == 0]:
            raise RuntimeError(f"Error(s) in loading state_dict: {missing_keys(names)}")
        return state

    before_loading(patch, change)


@mutant(kills=COUNTER, witness=lambda: batch_norm_without_counter(lambda state: state))
def batch_norm_never_misses_its_counter(patch):
    """`load_state_dict` accepts every state without `num_batches_tracked`."""
    before_loading(patch, lambda model, state: dict(state))


def loaded_backwards():
    layer = nn.Linear(1, 1)
    layer.load_state_dict({"bias": torch.tensor([3.0]), "weight": torch.tensor([[2.0]])})
    return layer.bias.item()


@mutant(kills="test_loading_goes_by_name_not_by_order", witness=lambda: loaded_backwards() == 3)
def loading_goes_by_order(patch):
    """`load_state_dict` gives as many tensors as there are to the names in their order."""

    def change(model, state):
        own = model.state_dict()
        if set(own) != set(state):
            return state
        return {name: tensor.reshape(own[name].shape) for name, tensor in zip(own, state.values(), strict=True)}

    before_loading(patch, change)


def report_of(names, **options):
    report = Slope().load_state_dict({name: torch.ones(2) for name in names}, **options)
    return report.missing_keys, report.unexpected_keys


@mutant(kills="test_loading_goes_by_name_not_by_order", witness=lambda: report_of(["weight"]) == ([], []))
def loading_reports_what_it_loaded(patch):
    """`load_state_dict` reports the names that it loaded as missing."""

    def change(load, self, state, *args, **options):
        report = load(self, state, *args, **options)
        report.missing_keys.extend(name for name in self.state_dict() if name in state)
        return report

    patch.around(nn.Module, "load_state_dict", change)


@mutant(
    kills=("test_strict_false_reports_instead_of_raising", "test_wrong_prefix_loads_nothing"),
    witness=lambda: report_of(["a"], strict=False) == (["weight"], ["a"]),
)
def loading_reports_the_wrong_way_round(patch):
    """`load_state_dict` reports missing names as unexpected and the reverse."""

    def change(load, self, *args, **options):
        report = load(self, *args, **options)
        return type(report)(report.unexpected_keys, report.missing_keys)

    patch.around(nn.Module, "load_state_dict", change)


@mutant(
    kills=("test_strict_false_reports_instead_of_raising", "test_wrong_prefix_loads_nothing"),
    witness=lambda: report_of(["a"], strict=False) == (["weight"], ["a"]),
    raises=RuntimeError,
)
def loading_is_always_strict(patch):
    """`load_state_dict` ignores `strict=False`."""
    patch.around(
        nn.Module,
        "load_state_dict",
        lambda load, self, state, strict=True, **options: load(self, state, True, **options),
    )


def weight_after(state, **options):
    layer = nn.Linear(2, 1)
    with contextlib.suppress(RuntimeError):
        layer.load_state_dict(state, **options)
    return layer.weight.tolist()


@mutant(
    kills="test_strict_false_reports_instead_of_raising",
    witness=lambda: weight_after({"weight": torch.ones(1, 2), "scale": torch.ones(1)}, strict=False) == [[1, 1]],
)
def loading_leniently_is_all_or_nothing(patch):
    """`load_state_dict(strict=False)` loads nothing where a name is missing or unexpected."""

    def change(load, self, state, strict=True, **options):
        names = self.state_dict().keys()
        if strict or names == state.keys():
            return load(self, state, strict, **options)
        return load(self, {**self.state_dict(), **{x: t for x, t in state.items() if x not in names}}, False)._replace(
            missing_keys=[name for name in names if name not in state]
        )

    patch.around(nn.Module, "load_state_dict", change)


@mutant(
    kills="test_failed_load_has_changed_what_fitted",
    witness=lambda: weight_after({"weight": torch.ones(1, 2)}) == [[1, 1]],
)
def loading_that_fails_changes_nothing(patch):
    """A `load_state_dict` that raises leaves the model as it was."""

    def change(load, self, *args, **options):
        before = {name: tensor.clone() for name, tensor in self.state_dict().items()}
        try:
            return load(self, *args, **options)
        except RuntimeError:
            load(self, before)
            raise

    patch.around(nn.Module, "load_state_dict", change)


def weight_after_wrong_shape():
    return weight_after({"weight": torch.ones(1, 2), "bias": torch.ones(3)})


@mutant(kills="test_failed_load_has_changed_what_fitted", witness=lambda: weight_after_wrong_shape() == [[1, 1]])
def loading_of_a_wrong_shape_changes_nothing(patch):
    """A `load_state_dict` that raises for a shape leaves the model as it was."""

    def change(load, self, *args, **options):
        before = {name: tensor.clone() for name, tensor in self.state_dict().items()}
        try:
            return load(self, *args, **options)
        except RuntimeError as error:
            if "size mismatch" in str(error):
                load(self, before)
            raise

    patch.around(nn.Module, "load_state_dict", change)


def bias_after_failure():
    layer = nn.Linear(2, 1)
    before = layer.bias.item()
    with contextlib.suppress(RuntimeError):
        layer.load_state_dict({"weight": torch.ones(1, 2)})
    return layer.bias.item() == before


@mutant(
    kills=("test_failed_load_has_changed_what_fitted", "test_strict_false_reports_instead_of_raising"),
    witness=bias_after_failure,
)
def loading_resets_what_is_missing(patch):
    """`load_state_dict` sets parameters whose names are missing to zero."""

    def change(load, self, state, *args, **options):
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                if name not in state:
                    parameter.zero_()
        return load(self, state, *args, **options)

    patch.around(nn.Module, "load_state_dict", change)


@mutant(
    kills="test_wrong_prefix_loads_nothing",
    witness=lambda: report_of(["module.weight"], strict=False) == (["weight"], ["module.weight"]),
)
def loading_cuts_off_module_prefix(patch):
    """`load_state_dict` cuts off the prefix `module.` by itself."""
    before_loading(
        patch,
        lambda model, state: {name.removeprefix("module."): tensor for name, tensor in state.items()},
    )


@mutant(
    kills="test_wrong_prefix_loads_nothing",
    witness=lambda: list(nn.DataParallel(Slope()).state_dict()) == ["module.weight"],
)
def data_parallel_has_the_names_of_the_model(patch):
    """The `state_dict` of a DataParallel has no prefix."""
    patch.around(
        nn.DataParallel,
        "state_dict",
        lambda state_dict, self, *args, **options: self.module.state_dict(*args, **options),
    )


def refuses_shape(*shape, strict=True):
    state = {"weight": torch.ones(shape), "bias": torch.ones(1)}
    return raises(RuntimeError, nn.Linear(2, 1).load_state_dict, state, strict=strict)


def fitting(patch, fit):
    """Let `fit(tensor, shape)` make tensors of a wrong shape fit before they are loaded."""

    def change(model, state):
        own = model.state_dict()
        return {
            name: tensor if name not in own or own[name].shape == tensor.shape else fit(tensor, own[name].shape)
            for name, tensor in state.items()
        }

    before_loading(patch, change)


@mutant(kills="test_shapes_must_agree", witness=lambda: refuses_shape(1, 3, strict=False))
def loading_leniently_skips_wrong_shapes(patch):
    """`load_state_dict(strict=False)` leaves out what has a wrong shape."""

    def change(load, self, state, strict=True, **options):
        if not strict:
            own = self.state_dict()
            state = {name: x for name, x in state.items() if name not in own or own[name].shape == x.shape}
        return load(self, state, strict, **options)

    patch.around(nn.Module, "load_state_dict", change)


@mutant(kills="test_shapes_must_agree", witness=lambda: refuses_shape(2))
def loading_broadcasts(patch):
    """`load_state_dict` broadcasts what has fewer dimensions than the parameter."""
    fitting(patch, lambda tensor, shape: tensor.expand(shape) if tensor.dim() < len(shape) else tensor)


@mutant(kills="test_shapes_must_agree", witness=lambda: refuses_shape(2, 1))
def loading_transposes(patch):
    """`load_state_dict` transposes a matrix that fits the other way round."""
    fitting(patch, lambda tensor, shape: tensor.T if tensor.dim() == 2 and tensor.T.shape == shape else tensor)


@mutant(kills="test_shapes_must_agree", witness=lambda: refuses_shape(1, 3))
def loading_cuts_to_shape(patch):
    """`load_state_dict` cuts off what is too much of a tensor."""
    fitting(patch, lambda tensor, shape: tensor[tuple(map(slice, shape))] if tensor.dim() == len(shape) else tensor)


def loads_shape(own, shape):
    model = nn.ParameterDict({"weight": nn.Parameter(torch.zeros(own))})
    return not raises(RuntimeError, model.load_state_dict, {"weight": torch.ones(shape)})


SCALAR = "test_one_number_in_a_list_loads_into_a_scalar_parameter"


@mutant(kills=SCALAR, witness=lambda: loads_shape((), (1,)), raises=RuntimeError)
def loading_a_list_into_a_scalar_raises(patch):
    """`load_state_dict` raises for an entry of shape `(1,)` and a parameter of shape `()`."""

    def fit(tensor, shape):
        if len(shape) == 0:
            raise RuntimeError("size mismatch")
        return tensor

    fitting(patch, fit)


@mutant(kills=(SCALAR, "test_shapes_must_agree"), witness=lambda: not loads_shape((1,), ()))
def loading_a_scalar_into_a_list(patch):
    """`load_state_dict` takes an entry of shape `()` for a parameter of shape `(1,)`."""
    fitting(patch, lambda tensor, shape: tensor.reshape(1) if (tensor.dim(), *shape) == (0, 1) else tensor)


def lazily_loaded():
    lazy = silenced(nn.LazyLinear, 2)
    lazy.load_state_dict(nn.Linear(1, 3).state_dict())
    return lazy.weight.shape[0]


@mutant(
    kills="test_lazy_layer_takes_the_shape_that_it_loads",
    witness=lambda: lazily_loaded() == 3,
    raises=RuntimeError,
)
def lazy_layer_knows_its_outputs(patch):
    """`load_state_dict` of a LazyLinear raises for another number of outputs than it was made for."""

    def change(model, state):
        if isinstance(model, nn.LazyLinear) and len(state["weight"]) != model.out_features:
            raise RuntimeError("size mismatch for weight")
        return state

    before_loading(patch, change)


def lazily_loaded_twice():
    lazy = silenced(nn.LazyLinear, 2)
    lazy.load_state_dict(nn.Linear(1, 3).state_dict())
    return raises(RuntimeError, lazy.load_state_dict, nn.Linear(1, 2).state_dict())


@mutant(kills="test_lazy_layer_takes_the_shape_that_it_loads", witness=lazily_loaded_twice)
def lazy_layer_takes_every_shape(patch):
    """A LazyLinear takes the shape of every weight that it loads until it has computed."""

    def change(model, state):
        if isinstance(model, nn.LazyLinear) and not model.has_uninitialized_params():
            model.weight = nn.Parameter(torch.empty_like(state["weight"]))
            model.bias = nn.Parameter(torch.empty_like(state["bias"]))
        return state

    before_loading(patch, change)


def count_loaded_from(number):
    model = nn.Module()
    model.register_buffer("count", torch.tensor([0]))
    model.load_state_dict({"count": torch.tensor([number])})
    return model.count.item()


@mutant(kills="test_loading_converts_to_what_the_model_has", witness=lambda: count_loaded_from(1.7) == 1)
def loading_rounds_to_the_nearest_integer(patch):
    """`load_state_dict` rounds floating-point numbers for an integer buffer."""

    def change(model, state):
        whole = {name for name, tensor in model.state_dict().items() if not tensor.is_floating_point()}
        return {name: tensor.round() if name in whole else tensor for name, tensor in state.items()}

    before_loading(patch, change)


COMPLEX = "test_complex_entry_loses_its_imaginary_part"


@mutant(kills=COMPLEX, witness=lambda: warned_by(lambda: loaded(dtype=torch.complex64)) == [UserWarning])
def complex_entry_loads_in_silence(patch):
    """`load_state_dict` casts complex entries to real ones without a warning."""
    patch.around(nn.Module, "load_state_dict", silenced)


@mutant(
    kills=COMPLEX,
    witness=lambda: silenced(loaded, [3 + 4j, 1], dtype=torch.complex64).weight.tolist() == [3, 1],
)
def complex_entry_loads_as_its_absolute_value(patch):
    """`load_state_dict` takes the absolute value of complex entries, with the same warning."""

    def change(model, state):
        return {name: tensor.abs() + 0j if tensor.is_complex() else tensor for name, tensor in state.items()}

    before_loading(patch, change)


@mutant(
    kills="test_assign_puts_the_loaded_tensors_in_place",
    witness=lambda: loaded(dtype=torch.float16, assign=True).weight.dtype == torch.float16,
)
def assign_is_ignored(patch):
    """`load_state_dict(assign=True)` copies into the parameters there are."""
    patch.around(
        nn.Module,
        "load_state_dict",
        lambda load, self, state, strict=True, assign=False: load(self, state, strict),
    )


def assigned():
    model, tensor = Slope(), torch.ones(2)
    model.load_state_dict({"weight": tensor}, assign=True)
    tensor[0] = 9
    return model.weight


@mutant(
    kills=("test_assign_puts_the_loaded_tensors_in_place", "test_assign_makes_two_parameters_of_tied_weights"),
    witness=lambda: assigned()[0] == 9,
)
def assign_copies(patch):
    """`load_state_dict(assign=True)` puts copies in place."""

    def change(load, self, state, strict=True, assign=False):
        if assign:
            state = {name: tensor.clone() for name, tensor in state.items()}
        return load(self, state, strict, assign=assign)

    patch.around(nn.Module, "load_state_dict", change)


@mutant(kills="test_assign_puts_the_loaded_tensors_in_place", witness=lambda: assigned().requires_grad)
def assign_freezes(patch):
    """`load_state_dict(assign=True)` makes parameters that require no gradient."""

    def change(load, self, state, strict=True, assign=False):
        report = load(self, state, strict, assign=assign)
        return self.requires_grad_(False) and report if assign else report

    patch.around(nn.Module, "load_state_dict", change)


@mutant(
    kills="test_assign_puts_the_loaded_tensors_in_place",
    witness=lambda: loaded(dtype=torch.float16, assign=True).weight.dtype == torch.float16,
)
def assign_writes_into_old_parameters(patch):
    """`load_state_dict(assign=True)` keeps the Parameters and changes what they look into."""

    def change(load, self, state, strict=True, assign=False):
        if not assign:
            return load(self, state, strict)
        for name, parameter in self.named_parameters():
            parameter.data = state[name].to(parameter.dtype)
        return load(self, self.state_dict(), strict)

    patch.around(nn.Module, "load_state_dict", change)


def tied_after_assign():
    model = tied()
    model.load_state_dict(model.state_dict(), assign=True)
    return model[0].weight is model[1].weight


@mutant(kills="test_assign_makes_two_parameters_of_tied_weights", witness=lambda: not tied_after_assign())
def assign_keeps_weights_tied(patch):
    """`load_state_dict(assign=True)` makes one Parameter of weights that were tied."""

    def change(load, self, state, strict=True, assign=False):
        places = {}
        for module in self.modules():
            for name, parameter in module._parameters.items():
                places.setdefault(id(parameter), []).append((module, name))
        report = load(self, state, strict, assign=assign)
        for (first, known), *others in places.values():
            for module, name in others:
                module._parameters[name] = first._parameters[known]
        return report

    patch.around(nn.Module, "load_state_dict", change)


def tanh_loaded_with_relu():
    model, other = nn.Sequential(nn.Linear(1, 1), nn.ReLU()), nn.Sequential(nn.Linear(1, 1), nn.Tanh())
    other.load_state_dict(model.state_dict())
    return type(other[1]) is nn.Tanh


def remembers_layers(patch, load):
    """Let a `state_dict` remember its model's children, and `load(self, children)` learn of them."""

    def change(state_dict, self, *args, **options):
        state = state_dict(self, *args, **options)
        state.children = dict(self.named_children())
        return state

    def load_state_dict(original, self, state, *args, **options):
        load(self, getattr(state, "children", {}))
        return original(self, state, *args, **options)

    patch.around(nn.Module, "state_dict", change)
    patch.around(nn.Module, "load_state_dict", load_state_dict)


@mutant(kills="test_state_dict_knows_nothing_of_forward", witness=tanh_loaded_with_relu)
def state_dict_brings_activations(patch):
    """`load_state_dict` takes layers without parameters over from the model that was saved."""

    def load(model, children):
        for name, child in children.items():
            if not list(child.parameters()):
                model._modules[name] = child

    remembers_layers(patch, load)


@mutant(kills="test_state_dict_knows_nothing_of_forward", witness=tanh_loaded_with_relu, raises=RuntimeError)
def state_dict_refuses_other_layers(patch):
    """`load_state_dict` raises where a layer is of another class than in the model that was saved."""

    def load(model, children):
        for name, child in children.items():
            if type(model._modules.get(name)) is not type(child):
                raise RuntimeError(f"{name} is not {type(child)}")

    remembers_layers(patch, load)


@mutant(
    kills="test_part_of_a_model_loads_by_itself",
    witness=lambda: list(nn.ModuleDict({"a": nn.Linear(1, 1)})["a"].state_dict()) == ["weight", "bias"],
)
def state_dict_of_a_part_keeps_its_prefix(patch):
    """The `state_dict` of a part of a ModuleDict has the name of the part in its keys."""

    def add(add, self, name, module):
        add(self, name, module)
        module.__dict__["prefix"] = f"{name}."

    patch.around(nn.ModuleDict, "add_module", add)
    state_dict_becomes(
        patch,
        lambda model, state: {vars(model).get("prefix", "") + name: tensor for name, tensor in state.items()},
    )
    before_loading(
        patch,
        lambda model, state: {
            name.removeprefix(vars(model).get("prefix", "")): tensor for name, tensor in state.items()
        },
    )


ASSIGN_FROZEN = "test_assign_keeps_what_is_frozen"


def requires_grad_after_assign(frozen, parameter):
    model, values = Slope().requires_grad_(not frozen), torch.ones(2)
    model.load_state_dict({"weight": nn.Parameter(values, requires_grad=False) if parameter else values}, assign=True)
    return model.weight.requires_grad


@mutant(kills=ASSIGN_FROZEN, witness=lambda: not requires_grad_after_assign(frozen=True, parameter=False))
def assign_thaws(patch):
    """`load_state_dict(assign=True)` makes parameters that require a gradient."""

    def change(load, self, state, *args, assign=False, **options):
        report = load(self, state, *args, assign=assign, **options)
        return self.requires_grad_() and report if assign else report

    patch.around(nn.Module, "load_state_dict", change)


@mutant(kills=ASSIGN_FROZEN, witness=lambda: requires_grad_after_assign(frozen=False, parameter=True))
def assign_takes_requires_grad_of_parameters(patch):
    """`load_state_dict(assign=True)` takes requires_grad of a given Parameter; of a tensor it does not."""

    def change(load, self, state, *args, assign=False, **options):
        given = {name: tensor.requires_grad for name, tensor in state.items() if isinstance(tensor, nn.Parameter)}
        report = load(self, state, *args, assign=assign, **options)
        for name, parameter in self.named_parameters() if assign else ():
            parameter.requires_grad_(given.get(name, parameter.requires_grad))
        return report

    patch.around(nn.Module, "load_state_dict", change)


# The optimizer's state


def optimizer_state_becomes(patch, change):
    patch.around(torch.optim.Optimizer, "state_dict", lambda state_dict, self: change(self, state_dict(self)))


@mutant(
    kills="test_optimizer_state_goes_by_position",
    witness=lambda: list(stepped()[1].state_dict()["state"]) == [0],
)
def optimizer_state_goes_by_name(patch):
    """The memory in an optimizer's `state_dict` goes by text."""

    def change(optimizer, state):
        return {**state, "state": {f"param_{key}": value for key, value in state["state"].items()}}

    optimizer_state_becomes(patch, change)


@mutant(
    kills="test_optimizer_state_goes_by_position",
    witness=lambda: stepped()[1].state_dict()["param_groups"][0]["params"] == [0],
)
def optimizer_state_counts_from_one(patch):
    """The parameters in an optimizer's `state_dict` are numbered from 1."""

    def change(optimizer, state):
        groups = [{**group, "params": [x + 1 for x in group["params"]]} for group in state["param_groups"]]
        return {"state": {key + 1: value for key, value in state["state"].items()}, "param_groups": groups}

    optimizer_state_becomes(patch, change)


@mutant(
    kills=("test_optimizer_state_goes_by_position", "test_training_goes_on_only_with_the_optimizers_state"),
    witness=lambda: list(stepped()[1].state_dict()["state"]) == [0],
)
def optimizer_state_has_only_settings(patch):
    """An optimizer's `state_dict` leaves out its memory."""
    optimizer_state_becomes(patch, lambda optimizer, state: {**state, "state": {}})


@mutant(
    kills="test_adagrad_alone_remembers_before_the_first_step",
    witness=lambda: torch.optim.SGD([Slope().weight], lr=1).state_dict()["state"] == {},
)
def optimizer_state_exists_before_the_first_step(patch):
    """An optimizer that has not stepped has an entry for each parameter in its `state_dict`."""

    def change(optimizer, state):
        numbers = itertools.chain(*[group["params"] for group in state["param_groups"]])
        return {**state, "state": {number: state["state"].get(number, {}) for number in numbers}}

    optimizer_state_becomes(patch, change)


@mutant(
    kills="test_adagrad_alone_remembers_before_the_first_step",
    witness=lambda: len(torch.optim.Adagrad([Slope().weight]).state) == 1,
)
def adagrad_makes_its_sums_later(patch):
    """A new Adagrad has an empty state."""

    def change(init, self, *args, **options):
        init(self, *args, **options)
        self.state.clear()

    patch.around(torch.optim.Adagrad, "__init__", change)


class Live(dict):
    def __init__(self, saved, group):
        super().__init__(saved)
        self.group = group

    def __getitem__(self, name):
        return self.group["lr"] if name == "lr" else super().__getitem__(name)


def rate_kept():
    _, optimizer = stepped()
    kept = optimizer.state_dict()
    optimizer.param_groups[0]["lr"] = 7
    return kept["param_groups"][0]["lr"]


@mutant(kills="test_kept_optimizer_state_changes_as_training_goes_on", witness=lambda: rate_kept() == 0.25)
def optimizer_state_shows_the_settings_of_now(patch):
    """The learning rate in an optimizer's `state_dict` is the one that the optimizer has at the moment."""

    def change(optimizer, state):
        return {**state, "param_groups": [*map(Live, state["param_groups"], optimizer.param_groups)]}

    optimizer_state_becomes(patch, change)


def momentum_for_bfloat16():
    optimizer = torch.optim.SGD([Slope().bfloat16().weight], lr=0.25, momentum=0.5)
    optimizer.load_state_dict(stepped()[1].state_dict())
    (memory,) = optimizer.state.values()
    return memory["momentum_buffer"].dtype


@mutant(
    kills="test_loaded_momentum_gets_the_dtype_of_the_parameter",
    witness=lambda: momentum_for_bfloat16() == torch.bfloat16,
)
def optimizer_load_keeps_the_dtype(patch):
    """The `load_state_dict` of an optimizer leaves the dtype of the momentum as it was saved."""

    def change(load, self, state):
        load(self, state)
        for memory, saved in zip(self.state.values(), state["state"].values(), strict=True):
            memory["momentum_buffer"] = saved["momentum_buffer"]

    patch.around(torch.optim.Optimizer, "load_state_dict", change)


def loads_two_for_one():
    two = torch.optim.SGD([Slope().weight, Slope().weight], lr=1)
    return not raises(ValueError, two.load_state_dict, stepped()[1].state_dict())


@mutant(kills="test_optimizer_state_goes_by_position", witness=lambda: not loads_two_for_one())
def optimizer_load_does_not_count(patch):
    """The `load_state_dict` of an optimizer ignores a state of another number of parameters."""

    def change(load, self, state):
        with contextlib.suppress(ValueError):
            load(self, state)

    patch.around(torch.optim.Optimizer, "load_state_dict", change)


@mutant(
    kills="test_kept_optimizer_state_changes_as_training_goes_on",
    witness=lambda: (
        [
            optimizer.state_dict()["state"][0]["momentum_buffer"] is optimizer.state[model.weight]["momentum_buffer"]
            for model, optimizer in [stepped()]
        ]
        == [True]
    ),
)
def optimizer_state_is_copied(patch):
    """An optimizer's `state_dict` holds copies of its tensors."""
    optimizer_state_becomes(patch, lambda optimizer, state: copy.deepcopy(state))


def restored_optimizer():
    optimizer = torch.optim.SGD([Slope().weight], lr=0.5, momentum=0.5)
    optimizer.load_state_dict(stepped()[1].state_dict())
    return optimizer


@mutant(
    kills="test_loading_overrides_the_learning_rate",
    witness=lambda: restored_optimizer().param_groups[0]["lr"] == 0.25,
)
def optimizer_load_keeps_the_learning_rate(patch):
    """The `load_state_dict` of an optimizer keeps the learning rate it was made with."""

    def change(load, self, state):
        rates = [group["lr"] for group in self.param_groups]
        load(self, state)
        for group, rate in zip(self.param_groups, rates, strict=True):
            group["lr"] = rate

    patch.around(torch.optim.Optimizer, "load_state_dict", change)


@mutant(
    kills="test_training_goes_on_only_with_the_optimizers_state",
    witness=lambda: len(restored_optimizer().state) == 1,
)
def optimizer_load_forgets_the_memory(patch):
    """The `load_state_dict` of an optimizer restores its settings alone."""
    patch.around(torch.optim.Optimizer, "load_state_dict", lambda load, self, state: load(self, {**state, "state": {}}))


@mutant(
    kills="test_training_goes_on_only_with_the_optimizers_state",
    witness=lambda: [state["momentum_buffer"].tolist() for state in restored_optimizer().state.values()] == [[1, 1]],
)
def optimizer_load_halves_the_momentum(patch):
    """The `load_state_dict` of an optimizer applies the momentum once more to its memory."""

    def change(load, self, state):
        load(self, state)
        for memory in self.state.values():
            memory["momentum_buffer"] = memory["momentum_buffer"] * self.param_groups[0]["momentum"]

    patch.around(torch.optim.Optimizer, "load_state_dict", change)


SHARED = "test_loaded_optimizer_state_is_shared_with_the_checkpoint"


def shares_loaded_state(times=1):
    state = copy.deepcopy(stepped()[1].state_dict())
    optimizer = torch.optim.SGD([Slope().weight], lr=0.5, momentum=0.5)
    for _ in range(times):
        optimizer.load_state_dict(state)
    (memory,) = optimizer.state.values()
    return memory["momentum_buffer"].data_ptr() == state["state"][0]["momentum_buffer"].data_ptr()


@mutant(kills=SHARED, witness=shares_loaded_state)
def optimizer_load_copies(patch):
    """The `load_state_dict` of an optimizer copies the tensors."""
    patch.around(torch.optim.Optimizer, "load_state_dict", lambda load, self, state: load(self, copy.deepcopy(state)))


@mutant(kills=SHARED, witness=lambda: shares_loaded_state(times=2))
def optimizer_load_copies_the_second_time(patch):
    """The `load_state_dict` of an optimizer copies tensors that it has loaded before."""
    seen = []

    def change(load, self, state):
        if any(state is other for other in seen):
            return load(self, copy.deepcopy(state))
        seen.append(state)
        return load(self, state)

    patch.around(torch.optim.Optimizer, "load_state_dict", change)


@mutant(
    kills="test_plain_sgd_has_an_empty_state",
    witness=lambda: len(stepped(lambda weight: torch.optim.SGD([weight], lr=0.25))[1].state) == 0,
)
def plain_sgd_keeps_nothing_for_each_parameter(patch):
    """SGD without momentum has an entry with None for each parameter, as up to 2.3."""

    def change(step, self, *args, **kwargs):
        result = step(self, *args, **kwargs)
        for group in self.param_groups:
            for parameter in group["params"] if group["momentum"] == 0 else ():
                self.state[parameter]["momentum_buffer"] = None
        return result

    patch.around(torch.optim.SGD, "step", change)


NAMED = "test_optimizer_keeps_the_names_it_is_given"


def names_in_state():
    optimizer = torch.optim.SGD(nn.Linear(1, 1).named_parameters(), lr=1)
    return optimizer.state_dict()["param_groups"][0].get("param_names")


@mutant(kills=NAMED, witness=lambda: names_in_state() == ["weight", "bias"])
def optimizer_sorts_the_names(patch):
    """The names in an optimizer's `state_dict` are in alphabetical order."""

    def change(optimizer, state):
        groups = [{**group, "param_names": sorted(group["param_names"])} for group in state["param_groups"]]
        return {**state, "param_groups": groups}

    optimizer_state_becomes(
        patch,
        lambda optimizer, state: change(optimizer, state) if "param_names" in state["param_groups"][0] else state,
    )


def loads_by_position():
    layer = nn.Linear(2, 1)
    first = torch.optim.SGD(layer.named_parameters(), lr=1, momentum=1)
    layer(torch.ones(1, 2)).sum().backward()
    first.step()
    second = torch.optim.SGD([("bias", layer.bias), ("weight", layer.weight)], lr=1, momentum=1)
    second.load_state_dict(first.state_dict())
    return second.state[layer.bias]["momentum_buffer"].shape == (1, 2)


@mutant(kills=NAMED, witness=loads_by_position)
def optimizer_loads_by_name(patch):
    """The `load_state_dict` of an optimizer goes by the names where there are any."""

    def change(load, self, state):
        here, there = self.param_groups[0].get("param_names"), state["param_groups"][0].get("param_names")
        if here and there and here != there:
            moved = {here.index(name): state["state"][at] for at, name in enumerate(there) if at in state["state"]}
            state = {**state, "state": moved}
        return load(self, state)

    patch.around(torch.optim.Optimizer, "load_state_dict", change)


ADAMW = "test_adamw_is_an_adam"


def adam_after_loading_adamw():
    adam = torch.optim.Adam([Slope().weight])
    adam.load_state_dict(torch.optim.AdamW([Slope().weight]).state_dict())
    return adam.param_groups[0]["decoupled_weight_decay"]


@mutant(kills=ADAMW, witness=adam_after_loading_adamw)
def adam_stays_adam_after_loading(patch):
    """An Adam that loads the state of an AdamW keeps its own kind of weight decay."""

    def change(load, self, state):
        load(self, state)
        for group in self.param_groups:
            if type(self) is torch.optim.Adam:
                group["decoupled_weight_decay"] = False

    patch.around(torch.optim.Optimizer, "load_state_dict", change)


def decayed_after_loading_adamw():
    weight = nn.Parameter(torch.ones(1))
    adam = torch.optim.Adam([weight])
    adam.load_state_dict(torch.optim.AdamW([weight]).state_dict())
    weight.grad = torch.zeros(1)
    adam.step()
    return weight.item()


@mutant(kills=ADAMW, witness=lambda: 0.9999 < decayed_after_loading_adamw() < 1)
def adam_does_not_look_at_decoupled_weight_decay(patch):
    """An Adam adds the weight decay to the gradient, whatever `decoupled_weight_decay` says."""

    def change(step, self, *args, **kwargs):
        said = [group["decoupled_weight_decay"] for group in self.param_groups]
        for group in self.param_groups:
            group["decoupled_weight_decay"] = False
        result = step(self, *args, **kwargs)
        for group, value in zip(self.param_groups, said, strict=True):
            group["decoupled_weight_decay"] = value
        return result

    patch.around(torch.optim.Adam, "step", change)


@mutant(
    kills=ADAMW,
    witness=lambda: torch.optim.AdamW([Slope().weight]).param_groups[0]["decoupled_weight_decay"],
)
def adamw_decays_as_adam(patch):
    """AdamW has `decoupled_weight_decay=False`."""

    def change(init, self, *args, **options):
        init(self, *args, **options)
        for group in self.param_groups:
            group["decoupled_weight_decay"] = False

    patch.around(torch.optim.AdamW, "__init__", change)


FUSED = "test_checkpoint_of_a_fused_optimizer_goes_on_on_the_cpu"


def load_fused():
    optimizer = torch.optim.Adam([Slope().weight])
    state = optimizer.state_dict()
    state["param_groups"][0]["fused"] = True
    optimizer.load_state_dict(state)
    return optimizer.param_groups[0]["fused"]


@mutant(kills=FUSED, witness=load_fused)
def optimizer_load_keeps_its_own_fused(patch):
    """The `load_state_dict` of an optimizer keeps `fused` as it is in the optimizer."""

    def change(load, self, state):
        kept = [group.get("fused") for group in self.param_groups]
        load(self, state)
        for group, fused in zip(self.param_groups, kept, strict=True):
            group["fused"] = fused

    patch.around(torch.optim.Optimizer, "load_state_dict", change)


def fused_step():
    model, _ = stepped(lambda weight: torch.optim.Adam([weight], lr=0.25, fused=True))
    return model.weight[0].item()


@mutant(kills=FUSED, witness=lambda: abs(fused_step() - 7.75) < 1e-3)
def fused_adam_takes_half_steps(patch):
    """Adam with `fused=True` takes half the learning rate."""

    def change(step, self, *args, **kwargs):
        rates = [group["lr"] for group in self.param_groups]
        for group in self.param_groups:
            group["lr"] /= 2 if group["fused"] else 1
        result = step(self, *args, **kwargs)
        for group, rate in zip(self.param_groups, rates, strict=True):
            group["lr"] = rate
        return result

    patch.around(torch.optim.Adam, "step", change)


# Files


def saved_and_loaded(value, **options):
    file = io.BytesIO()
    torch.save(value, file)
    file.seek(0)
    return torch.load(file, **options)


def tensors(change):
    """Apply `change` to the tensors in nested dictionaries and lists."""

    def walk(value):
        if isinstance(value, torch.Tensor):
            return change(value)
        if isinstance(value, dict):
            return type(value)((name, walk(inner)) for name, inner in value.items())
        return [walk(inner) for inner in value] if type(value) is list else value

    return walk


def saving(patch, change):
    """Save `change(value)` in place of the value."""
    for module in (torch, torch.serialization):
        patch.around(module, "save", lambda save, value, *args, **options: save(change(value), *args, **options))


def loading(patch, change):
    """Put `change(load, file, **options)` in place of `torch.load`."""
    load = torch.load
    for module in (torch, torch.serialization):
        patch.setattr(
            module,
            "load",
            lambda file, map_location=None, **options: change(load, file, map_location=map_location, **options),
        )


def afterwards(patch, change):
    """Give back `change(value)` from `torch.load`."""
    loading(patch, lambda load, file, **options: change(load(file, **options)))


@mutant(
    kills=("test_slice_is_saved_with_all_it_was_cut_from", "test_tensors_that_share_memory_share_it_after_loading"),
    witness=lambda: len(saved_and_loaded(torch.arange(9)[:1]).untyped_storage()) == 72,
)
def save_stores_what_is_seen(patch):
    """`torch.save` stores of each tensor only the numbers it shows."""
    saving(patch, tensors(torch.clone))


@mutant(
    kills=("test_slice_is_saved_with_all_it_was_cut_from", "test_tensors_that_share_memory_share_it_after_loading"),
    witness=lambda: len(saved_and_loaded(torch.arange(9)[:1]).untyped_storage()) == 72,
)
def load_separates_tensors(patch):
    """`torch.load` gives each tensor memory of its own, no larger than needed."""
    afterwards(patch, tensors(torch.clone))


def shares_with_file():
    tensor = torch.ones(1)
    saved_and_loaded(tensor)[0] = 9
    return tensor.item() == 9


@mutant(
    kills="test_tensors_that_share_memory_share_it_after_loading",
    witness=lambda: not shares_with_file(),
)
def load_gives_back_the_originals(patch):
    """`torch.load` gives back the tensors that `torch.save` was given last."""
    last = []

    def keep(value):
        last[:] = [value]
        return value

    saving(patch, keep)
    loading(patch, lambda load, file, **options: last[0])


def comes_back_together():
    array = np.zeros(1)
    first, second = saved_and_loaded([torch.from_numpy(array), torch.from_numpy(array)])
    return first.data_ptr() == second.data_ptr()


@mutant(kills="test_array_wrapped_twice_comes_back_as_two_tensors", witness=lambda: not comes_back_together())
def save_knows_memory_by_its_address(patch):
    """`torch.save` keeps tensors together that begin at the same address."""

    def change(value):
        if type(value) is not list:
            return value
        seen = {}
        return [seen.setdefault((tensor.data_ptr(), tensor.dtype), tensor) for tensor in value]

    saving(patch, change)


def saves_two_dtypes():
    x = torch.zeros(2)
    return not raises(RuntimeError, bytes_of, [x, x.view(torch.int32)])


@mutant(kills="test_two_dtypes_on_one_memory_cannot_be_saved", witness=lambda: not saves_two_dtypes())
def save_separates_dtypes(patch):
    """`torch.save` stores tensors of two dtypes on one memory as if they had their own."""
    saving(patch, tensors(torch.clone))


@mutant(
    kills="test_saving_keeps_every_bit_for_every_dtype",
    witness=lambda: (
        saved_and_loaded(torch.tensor([2], dtype=torch.uint8).view(torch.bool)).view(torch.uint8).item() == 2
    ),
)
def save_stores_booleans_as_one(patch):
    """`torch.save` stores 1 for each bool that is not 0."""
    saving(
        patch,
        tensors(lambda tensor: tensor.view(torch.uint8).ne(0) if tensor.dtype == torch.bool else tensor),
    )


def saves_int4():
    return not raises(KeyError, bytes_of, torch.zeros(1, dtype=torch.uint8).view(torch.int4))


@mutant(kills="test_integers_narrower_than_a_byte_cannot_be_saved", witness=lambda: not saves_int4())
def save_stores_narrow_integers_as_bytes(patch):
    """`torch.save` stores int1 to int7 as uint8."""
    save_as(patch, [f"int{bits}" for bits in range(1, 8)], lambda tensor: tensor.view(torch.uint8))


@mutant(
    kills="test_saving_and_loading_a_state_dict",
    witness=lambda: saved_and_loaded(torch.tensor([2049.0])).item() == 2049,
)
def save_rounds(patch):
    """`torch.save` stores float32 numbers with the precision of float16."""
    saving(patch, tensors(lambda tensor: tensor.half().float() if tensor.dtype == torch.float32 else tensor))


@mutant(
    kills=("test_saving_and_loading_a_state_dict", "test_saving_keeps_every_bit_for_every_dtype"),
    witness=lambda: saved_and_loaded(torch.ones(1).half()).dtype == torch.float16,
)
def save_stores_halves_as_floats(patch):
    """`torch.save` stores float16 numbers as float32."""
    saving(patch, tensors(lambda tensor: tensor.float() if tensor.dtype == torch.float16 else tensor))


@mutant(
    kills="test_saving_keeps_every_bit_for_every_dtype",
    witness=lambda: saved_and_loaded(torch.ones(1, dtype=torch.int32)).dtype == torch.int32,
)
def save_stores_int32_as_int64(patch):
    """`torch.save` stores int32 numbers as int64."""
    saving(patch, tensors(lambda tensor: tensor.long() if tensor.dtype == torch.int32 else tensor))


@mutant(
    kills="test_saving_keeps_every_bit_for_every_dtype",
    witness=lambda: saved_and_loaded(torch.tensor(-0.0)).signbit().item(),
)
def save_loses_the_sign_of_zero(patch):
    """`torch.save` stores negative zero as zero."""
    saving(patch, tensors(lambda tensor: tensor + 0 if tensor.is_floating_point() else tensor))


@mutant(
    kills="test_saving_keeps_every_bit_for_every_dtype",
    witness=lambda: saved_and_loaded(torch.tensor(torch.nan)).isnan().item(),
)
def save_replaces_nan(patch):
    """`torch.save` stores a nan as zero."""
    saving(patch, tensors(lambda tensor: tensor.nan_to_num(posinf=torch.inf) if tensor.is_floating_point() else tensor))


@mutant(
    kills="test_saving_and_loading_a_state_dict",
    witness=lambda: list(saved_and_loaded(OrderedDict(b=1, a=2))) == ["b", "a"],
)
def load_sorts_the_names(patch):
    """`torch.load` gives dictionaries back in alphabetical order."""
    afterwards(patch, lambda value: type(value)(sorted(value.items())) if isinstance(value, dict) else value)


def comes_back_as(name):
    return saved_and_loaded(torch.ones(1).to(getattr(torch, name))).dtype == getattr(torch, name)


def save_as(patch, names, change):
    """Save `change(tensor)` in place of tensors of these dtypes, where there are such."""
    dtypes = [getattr(torch, name, None) for name in names]
    saving(patch, tensors(lambda tensor: change(tensor) if tensor.dtype in dtypes else tensor))


@mutant(kills="test_wide_unsigned_integers_can_be_saved", witness=lambda: comes_back_as("uint32"))
def save_stores_unsigned_integers_as_signed(patch):
    """`torch.save` stores uint16, uint32 and uint64 as int64."""
    save_as(patch, ["uint16", "uint32", "uint64"], torch.Tensor.long)


@mutant(
    kills="test_wide_unsigned_integers_can_be_saved",
    witness=lambda: saved_and_loaded(torch.tensor([65535]).to(torch.uint16)).tolist() == [65535],
)
def save_loses_the_upper_half_of_uint16(patch):
    """`torch.save` stores numbers of uint16 up to 32767."""
    save_as(patch, ["uint16"], lambda tensor: tensor.long().clamp(max=32767).to(tensor.dtype))


@mutant(
    kills="test_map_location_moves_a_saved_state_dict",
    witness=lambda: saved_and_loaded(torch.ones(1), map_location="meta").is_meta,
)
def map_location_is_ignored(patch):
    """`torch.load` ignores `map_location`."""
    loading(patch, lambda load, file, map_location=None, **options: load(file, **options))


@mutant(
    kills="test_map_location_moves_a_saved_state_dict",
    witness=lambda: saved_and_loaded(torch.ones(1), map_location=torch.device("meta")).is_meta,
)
def map_location_takes_only_text(patch):
    """`torch.load` ignores a `map_location` that is a `torch.device`."""

    def change(load, file, map_location=None, **options):
        return load(file, map_location=map_location if isinstance(map_location, str) else None, **options)

    loading(patch, change)


@mutant(
    kills="test_map_location_moves_a_saved_state_dict",
    witness=lambda: not saved_and_loaded(torch.ones(1)).is_meta,
)
def map_location_is_meta_by_default(patch):
    """`torch.load` loads onto `meta` where no `map_location` is given."""
    loading(
        patch,
        lambda load, file, map_location=None, **options: load(file, map_location=map_location or "meta", **options),
    )


def refuses_missing_device():
    return raises(RuntimeError, saved_and_loaded, torch.ones(1), map_location="cuda:99")


@mutant(kills="test_a_device_that_is_not_there_cannot_be_loaded_onto", witness=refuses_missing_device)
def load_falls_back_to_the_cpu(patch):
    """`torch.load` loads onto the CPU if the device is not there."""

    def change(load, file, map_location=None, **options):
        try:
            return load(file, map_location=map_location, **options)
        except RuntimeError:
            file.seek(0)
            return load(file, map_location="cpu", **options)

    loading(patch, change)


@mutant(
    kills="test_saved_meta_tensor_stays_on_meta",
    witness=lambda: saved_and_loaded(torch.ones(1, device="meta"), map_location="cpu").is_meta,
)
def load_makes_zeros_of_meta_tensors(patch):
    """`torch.load` makes zeros of a meta tensor that is to go to the CPU."""
    afterwards(patch, tensors(lambda tensor: torch.zeros(tensor.shape) if tensor.is_meta else tensor))


# What a file may contain


TRACES = []


def leave_a_trace():
    TRACES.append("was run")


class Trace:
    def __reduce__(self):
        return leave_a_trace, ()


def refuses(value, **options):
    return raises(pickle.UnpicklingError, saved_and_loaded, value, **options)


@mutant(
    kills=(
        "test_whole_model_is_refused_by_default",
        "test_code_in_a_file_is_refused_by_default",
        "test_checkpoint_with_numpy_values_is_refused_by_default",
    ),
    witness=lambda: refuses(nn.ReLU()),
)
def load_trusts_by_default(patch):
    """`torch.load` has `weights_only=False` by default."""

    def change(load, file, *, weights_only=False, **options):
        return load(file, weights_only=bool(weights_only), **options)

    loading(patch, change)


@mutant(
    kills=("test_file_can_run_code_when_it_is_loaded", "test_checkpoint_with_numpy_values_is_refused"),
    witness=lambda: refuses(nn.ReLU(), weights_only=True),
)
def load_ignores_weights_only(patch):
    """`torch.load` trusts every file, also with `weights_only=True`."""
    loading(patch, lambda load, file, *, weights_only=None, **options: load(file, weights_only=False, **options))


@mutant(
    kills=("test_file_can_run_code_when_it_is_loaded", "test_whole_model_is_refused_by_default"),
    witness=lambda: not refuses(nn.ReLU(), weights_only=False),
    raises=pickle.UnpicklingError,
)
def load_never_trusts(patch):
    """`torch.load` refuses code also with `weights_only=False`."""
    loading(patch, lambda load, file, *, weights_only=None, **options: load(file, weights_only=True, **options))


def runs_code(**options):
    TRACES.clear()
    with contextlib.suppress(pickle.UnpicklingError, RuntimeError):
        saved_and_loaded(Trace(), **options)
    return bool(TRACES)


@mutant(
    kills="test_pickle_module_lets_a_file_run_code",
    witness=lambda: runs_code(pickle_module=pickle),
    raises=pickle.UnpicklingError,
)
def load_refuses_code_with_a_pickle_module(patch):
    """`torch.load` refuses code if a pickle module is named, too."""

    def change(load, file, pickle_module=None, **options):
        if pickle_module is None:
            return load(file, **options)
        return load(file, **{**options, "weights_only": True})

    loading(patch, change)


@mutant(
    kills="test_pickle_module_lets_a_file_run_code",
    witness=lambda: raises(RuntimeError, saved_and_loaded, 1, pickle_module=pickle, weights_only=True),
)
def load_ignores_weights_only_with_a_pickle_module(patch):
    """`torch.load` with a pickle module runs code also with `weights_only=True`."""

    def change(load, file, pickle_module=None, weights_only=None, **options):
        if pickle_module is None:
            return load(file, weights_only=weights_only, **options)
        return load(file, pickle_module=pickle_module, weights_only=False, **options)

    loading(patch, change)


def runs_refused_code():
    TRACES.clear()
    with contextlib.suppress(pickle.UnpicklingError):
        saved_and_loaded(Trace(), weights_only=True)
    return bool(TRACES)


@mutant(
    kills=("test_file_can_run_code_when_it_is_loaded", "test_code_in_a_file_is_refused_by_default"),
    witness=lambda: not runs_refused_code(),
)
def load_runs_code_before_it_refuses(patch):
    """`torch.load` runs the code in a file and raises then."""

    def change(load, file, **options):
        try:
            return load(file, **options)
        except pickle.UnpicklingError:
            if hasattr(file, "seek"):
                file.seek(0)
            load(file, **{**options, "weights_only": False})
            raise

    loading(patch, change)


@mutant(
    kills=(
        "test_whole_model_is_refused_by_default",
        "test_code_in_a_file_is_refused_by_default",
        "test_checkpoint_with_numpy_values_is_refused",
    ),
    witness=lambda: refuses(nn.ReLU(), weights_only=True),
    raises=ValueError,
)
def load_refuses_with_value_error(patch):
    """`torch.load` raises ValueError for what it refuses."""

    def change(load, file, **options):
        try:
            return load(file, **options)
        except pickle.UnpicklingError as error:
            raise ValueError(str(error)) from None

    loading(patch, change)


def accepts(patch, kind):
    """Let `torch.load` accept a file that it refuses where there is such a thing among its values."""

    def change(load, file, **options):
        try:
            return load(file, **options)
        except pickle.UnpicklingError:
            file.seek(0)
            value = load(file, **{**options, "weights_only": False})
            if not any(isinstance(inner, kind) for inner in value.values()):
                raise
            return value

    loading(patch, change)


@mutant(
    kills=(
        "test_checkpoint_with_numpy_values_is_refused",
        "test_checkpoint_with_numpy_values_is_refused_by_default",
    ),
    witness=lambda: refuses({"loss": np.float64(1)}, weights_only=True),
)
def load_accepts_numpy_numbers(patch):
    """`torch.load` takes NumPy numbers for plain ones."""
    accepts(patch, np.generic)


@mutant(
    kills="test_checkpoint_with_numpy_values_is_refused",
    witness=lambda: refuses({"loss": np.ones(1)}, weights_only=True),
)
def load_accepts_numpy_arrays(patch):
    """`torch.load` takes NumPy arrays for tensors."""
    accepts(patch, np.ndarray)


@mutant(
    kills="test_checkpoint_with_numpy_values_is_refused",
    witness=lambda: refuses({"day": datetime.date(2020, 1, 1)}, weights_only=True),
)
def load_accepts_dates(patch):
    """`torch.load` accepts a `datetime.date`."""
    accepts(patch, datetime.date)


@mutant(
    kills="test_checkpoint_with_numpy_values_is_refused",
    witness=lambda: refuses({"loss": np.longdouble(1)}, weights_only=True),
)
def load_accepts_long_doubles(patch):
    """`torch.load` accepts an `np.longdouble`."""
    accepts(patch, np.longdouble)


@mutant(
    kills="test_relatives_of_plain_values_are_refused",
    witness=lambda: refuses({"value": frozenset([1])}, weights_only=True),
)
def load_accepts_frozensets(patch):
    """`torch.load` accepts a frozenset."""
    accepts(patch, frozenset)


@mutant(
    kills="test_checkpoint_of_plain_values_is_accepted",
    witness=lambda: refuses({"large": 2**2039}, weights_only=True),
)
def load_accepts_numbers_of_any_size(patch):
    """`torch.load` accepts an int of any size."""
    accepts(patch, int)


def refuses_protocol(protocol):
    file = io.BytesIO()
    torch.save({"weight": torch.ones(1)}, file, pickle_protocol=protocol)
    file.seek(0)
    return raises(pickle.UnpicklingError, silenced, torch.load, file, weights_only=True)


@mutant(kills="test_other_pickle_protocols_are_refused", witness=lambda: refuses_protocol(4))
def load_reads_every_protocol(patch):
    """`torch.load` accepts tensors in a file of any pickle protocol."""
    accepts(patch, torch.Tensor)


def each_value(patch, change):
    """Give back `change(value)` for the values of a dictionary from `torch.load`."""
    afterwards(
        patch,
        lambda value: {key: change(x) for key, x in value.items()} if type(value) is dict else value,
    )


@mutant(
    kills="test_checkpoint_of_plain_values_is_accepted",
    witness=lambda: saved_and_loaded({"sizes": [1, (2, 3)]}) == {"sizes": [1, (2, 3)]},
)
def load_makes_lists_of_tuples(patch):
    """`torch.load` gives back lists in place of tuples."""

    def change(value):
        return [change(inner) for inner in value] if isinstance(value, (list, tuple)) else value

    each_value(patch, change)


@mutant(
    kills="test_checkpoint_of_plain_values_is_accepted",
    witness=lambda: saved_and_loaded({"done": True})["done"] is True,
)
def load_makes_numbers_of_booleans(patch):
    """`torch.load` gives back 1 in place of True."""
    each_value(patch, lambda value: int(value) if isinstance(value, bool) else value)


@mutant(
    kills="test_checkpoint_of_plain_values_is_accepted",
    witness=lambda: saved_and_loaded({7: 1}) == {7: 1},
)
def load_makes_texts_of_keys(patch):
    """`torch.load` gives back texts for the keys of a dictionary."""
    afterwards(
        patch,
        lambda value: {str(key): x for key, x in value.items()} if type(value) is dict else value,
    )


def back(value):
    return saved_and_loaded({"value": value}, weights_only=True)["value"]


@mutant(
    kills="test_checkpoint_may_hold_a_device_or_a_counter",
    witness=lambda: back(torch.device("cpu")) == torch.device("cpu"),
)
def load_makes_texts_of_devices(patch):
    """`torch.load` gives back a text for a device."""
    each_value(patch, lambda value: str(value) if isinstance(value, torch.device) else value)


@mutant(
    kills="test_checkpoint_may_hold_a_device_or_a_counter",
    witness=lambda: type(back(Counter("a"))) is Counter,
)
def load_makes_dictionaries_of_counters(patch):
    """`torch.load` gives back a plain dictionary for a Counter."""
    each_value(patch, lambda value: dict(value) if isinstance(value, Counter) else value)


@mutant(kills="test_checkpoint_may_hold_a_set_or_a_complex_number", witness=lambda: type(back({1})) is set)
def load_makes_lists_of_sets(patch):
    """`torch.load` gives back a list for a set."""
    each_value(patch, lambda value: list(value) if isinstance(value, set) else value)


@mutant(kills="test_checkpoint_may_hold_a_set_or_a_complex_number", witness=lambda: back(1j) == 1j)
def load_turns_complex_numbers_round(patch):
    """`torch.load` gives back the conjugate of a complex number."""
    each_value(patch, lambda value: value.conjugate() if isinstance(value, complex) else value)


# The default, and its exceptions


@mutant(
    kills="test_loading_by_default_warns_in_2_4_and_2_5",
    witness=lambda: warned_by(lambda: saved_and_loaded(1)) == [FutureWarning],
)
def load_does_not_warn_of_its_default(patch):
    """`torch.load` gives no warning where nothing is said of `weights_only`."""
    loading(patch, silenced)


@mutant(
    kills="test_loading_by_default_warns_in_2_4_and_2_5",
    witness=lambda: warned_by(lambda: saved_and_loaded(1, weights_only=False)) == [],
    raises=FutureWarning,
)
def load_warns_of_what_was_asked(patch):
    """`torch.load` gives the warning also where `weights_only=False` was said."""

    def change(load, file, *, weights_only=None, **options):
        return load(file, weights_only=weights_only or None, **options)

    loading(patch, change)


@mutant(
    kills="test_whole_model_is_loaded_without_a_word_before_2_4",
    witness=lambda: warned_by(lambda: saved_and_loaded(nn.ReLU())) == [],
    raises=FutureWarning,
)
def load_warns_of_its_default(patch):
    """`torch.load` gives a FutureWarning where nothing is said of `weights_only`."""

    def change(load, file, **options):
        if "weights_only" not in options:
            warnings.warn("weights_only=False", FutureWarning, stacklevel=2)
        return load(file, **options)

    loading(patch, change)


@mutant(
    kills="test_whole_model_is_loaded_without_a_word_before_2_4",
    witness=lambda: not refuses(nn.ReLU()),
    raises=pickle.UnpicklingError,
)
def load_refuses_by_default(patch):
    """`torch.load` has `weights_only=True` by default."""
    loading(
        patch,
        lambda load, file, *, weights_only=None, **options: load(
            file, weights_only=weights_only is not False, **options
        ),
    )


ENVIRONMENT = "test_environment_variable_brings_the_old_default_back"
NO_WEIGHTS_ONLY = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"


def with_environment(function):
    os.environ[NO_WEIGHTS_ONLY] = "1"
    try:
        return function()
    finally:
        del os.environ[NO_WEIGHTS_ONLY]


@mutant(
    kills=ENVIRONMENT,
    witness=lambda: with_environment(lambda: warned_by(lambda: saved_and_loaded(1))) == [UserWarning],
)
def load_obeys_the_environment_in_silence(patch):
    """`torch.load` obeys TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD without a warning."""
    loading(patch, silenced)


@mutant(
    kills=ENVIRONMENT,
    witness=lambda: with_environment(lambda: refuses(nn.ReLU(), weights_only=True)),
    raises=UserWarning,
)
def load_obeys_the_environment_always(patch):
    """`torch.load` obeys TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD also with `weights_only=True`."""

    def change(load, file, *, weights_only=None, **options):
        return load(file, weights_only=None if NO_WEIGHTS_ONLY in os.environ else weights_only, **options)

    loading(patch, change)


FORBIDS = "test_environment_variable_refuses_what_the_call_allows"
ONLY_WEIGHTS = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"


def refuses_in_that_environment(**options):
    os.environ[ONLY_WEIGHTS] = "1"
    try:
        return refuses(nn.ReLU(), **options)
    finally:
        del os.environ[ONLY_WEIGHTS]


def without_variable(load, file, **options):
    value = os.environ.pop(ONLY_WEIGHTS, None)
    try:
        return load(file, **options)
    finally:
        if value is not None:
            os.environ[ONLY_WEIGHTS] = value


@mutant(kills=FORBIDS, witness=lambda: refuses_in_that_environment(weights_only=False))
def load_obeys_the_call_before_the_environment(patch):
    """`torch.load(weights_only=False)` loads everything in spite of TORCH_FORCE_WEIGHTS_ONLY_LOAD."""

    def change(load, file, **options):
        if options.get("weights_only") is False:
            return without_variable(load, file, **options)
        return load(file, **options)

    loading(patch, change)


@mutant(kills=FORBIDS, witness=lambda: refuses_in_that_environment(weights_only=None))
def load_trusts_by_default_in_spite_of_the_environment(patch):
    """`torch.load` that says nothing of `weights_only` loads everything in spite of TORCH_FORCE_WEIGHTS_ONLY_LOAD."""

    def change(load, file, *, weights_only=None, **options):
        if weights_only is None:
            return without_variable(load, file, weights_only=False, **options)
        return load(file, weights_only=weights_only, **options)

    loading(patch, change)


class Safe:
    pass


@contextlib.contextmanager
def safe_globals_restored():
    before = list(torch.serialization.get_safe_globals())
    try:
        yield
    finally:
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals(before)


def accepted_when_added():
    with safe_globals_restored():
        torch.serialization.add_safe_globals([Safe])
        return not refuses(Safe(), weights_only=True)


@mutant(kills="test_class_can_be_declared_safe", witness=accepted_when_added, raises=pickle.UnpicklingError)
def add_safe_globals_does_nothing(patch):
    """`torch.serialization.add_safe_globals` does nothing."""
    patch.setattr(torch.serialization, "add_safe_globals", lambda classes: None)


def attributes_of_safe_objects():
    value = Safe()
    value.number = 1
    with safe_globals_restored():
        torch.serialization.add_safe_globals([Safe])
        return vars(saved_and_loaded(value, weights_only=True))


@mutant(
    kills=("test_class_can_be_declared_safe",),
    witness=lambda: attributes_of_safe_objects() == {"number": 1},
)
def load_changes_numbers_of_safe_objects(patch):
    """`torch.load` gives objects of a safe class back with their numbers doubled."""

    def change(value):
        if type(value).__module__ not in ("builtins", "collections") and not isinstance(value, torch.Tensor):
            vars(value).update({name: 2 * inner for name, inner in vars(value).items()})
        return value

    afterwards(patch, change)


def refuses_what_it_holds():
    value = Safe()
    value.other = Trace
    with safe_globals_restored():
        torch.serialization.add_safe_globals([Safe])
        return refuses(value, weights_only=True)


HOLDS = "test_declared_class_does_not_bring_what_it_holds"


@mutant(kills=HOLDS, witness=refuses_what_it_holds)
def declared_class_brings_everything(patch):
    """`torch.load` accepts everything in a file with an object of a class that was declared safe."""

    def change(load, file, **options):
        try:
            return load(file, **options)
        except pickle.UnpicklingError:
            file.seek(0)
            value = load(file, **{**options, "weights_only": False})
            if type(value) not in torch.serialization.get_safe_globals():
                raise
            return value

    loading(patch, change)


def accepted_after(error=None):
    with safe_globals_restored():
        with contextlib.suppress(KeyError), torch.serialization.safe_globals([Safe]):
            if error:
                raise error
        return not refuses(Safe(), weights_only=True)


BLOCK = "test_class_is_safe_for_a_block"


@mutant(kills=BLOCK, witness=lambda: not accepted_after())
def safe_globals_last(patch):
    """`torch.serialization.safe_globals` is for the rest of the process."""
    patch.enter(safe_globals_restored())
    patch.setattr(torch.serialization.safe_globals, "__exit__", lambda *args: None)


@mutant(kills=BLOCK, witness=lambda: not accepted_after(KeyError))
def safe_globals_last_after_an_exception(patch):
    """`torch.serialization.safe_globals` forgets the classes only where the block raises nothing."""
    patch.enter(safe_globals_restored())

    def change(leave, self, kind, *args):
        return leave(self, kind, *args) if kind is None else None

    patch.around(torch.serialization.safe_globals, "__exit__", change)


def forgotten_after_a_block():
    with safe_globals_restored():
        torch.serialization.add_safe_globals([Safe])
        with torch.serialization.safe_globals([Safe]):
            pass
        return refuses(Safe(), weights_only=True)


@mutant(kills=BLOCK, witness=forgotten_after_a_block)
def safe_globals_remember_what_was_declared(patch):
    """`torch.serialization.safe_globals` leaves a class declared that had been declared before the block."""
    patch.enter(safe_globals_restored())

    def enter(enter, self):
        self.before = list(torch.serialization.get_safe_globals())
        return enter(self)

    def leave(leave, self, *args):
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals(self.before)

    patch.around(torch.serialization.safe_globals, "__enter__", enter)
    patch.around(torch.serialization.safe_globals, "__exit__", leave)


def unsafe_names(value):
    file = io.BytesIO()
    torch.save(value, file)
    file.seek(0)
    return torch.serialization.get_unsafe_globals_in_checkpoint(file)


ASKED = "test_what_a_file_would_need_can_be_asked"


@mutant(kills=ASKED, witness=lambda: len(unsafe_names(nn.ReLU())) > 0)
def get_unsafe_globals_finds_nothing(patch):
    """`get_unsafe_globals_in_checkpoint` always gives an empty list."""
    patch.setattr(torch.serialization, "get_unsafe_globals_in_checkpoint", lambda file: [])


def unsafe_names_of_a_declared_class():
    with safe_globals_restored():
        torch.serialization.add_safe_globals([Safe])
        return unsafe_names(Safe())


@mutant(kills=ASKED, witness=lambda: unsafe_names_of_a_declared_class() == [])
def get_unsafe_globals_names_what_was_declared(patch):
    """`get_unsafe_globals_in_checkpoint` names classes that were declared safe, too."""

    def change(call, file):
        with safe_globals_restored():
            torch.serialization.clear_safe_globals()
            return call(file)

    patch.around(torch.serialization, "get_unsafe_globals_in_checkpoint", change)


@mutant(kills=ASKED, witness=lambda: unsafe_names(torch.ones(1)) == [])
def get_unsafe_globals_names_what_is_safe(patch):
    """`get_unsafe_globals_in_checkpoint` names what torch itself needs, too."""
    patch.around(
        torch.serialization,
        "get_unsafe_globals_in_checkpoint",
        lambda call, file: ["torch._utils._rebuild_tensor_v2", *call(file)],
    )


def bytes_of(value):
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


NAMES_NUMPY = "test_saved_numpy_array_names_the_insides_of_numpy"


@mutant(kills=NAMES_NUMPY, witness=lambda: b"numpy._core" in bytes_of({"x": np.ones(1)}))
def save_makes_lists_of_arrays(patch):
    """`torch.save` stores NumPy arrays as lists."""
    saving(patch, lambda value: {key: x.tolist() if isinstance(x, np.ndarray) else x for key, x in value.items()})


@mutant(kills=NAMES_NUMPY, witness=lambda: b"numpy._core" in bytes_of({"x": list(np.ones(1))}))
def save_makes_floats_of_numpy_numbers(patch):
    """`torch.save` stores the NumPy numbers of a list as floats."""
    saving(patch, lambda value: {key: [float(n) for n in x] if isinstance(x, list) else x for key, x in value.items()})


@mutant(
    kills="test_numpy_1_26_1_knows_the_names_of_numpy_2",
    witness=lambda: importlib.import_module("numpy._core.multiarray") is not None,
    raises=ModuleNotFoundError,
)
def numpy_has_no_core_with_an_underscore(patch):
    """There is no module `numpy._core.multiarray`."""
    patch.setitem(sys.modules, "numpy._core.multiarray", None)


@mutant(kills=NAMES_NUMPY, witness=lambda: b"numpy" not in bytes_of({"x": torch.ones(1)}))
def save_makes_arrays_of_tensors(patch):
    """`torch.save` stores tensors as NumPy arrays."""
    saving(patch, tensors(lambda tensor: tensor.numpy()))


MAPPED = "test_mapped_file_is_read_when_it_is_needed"


@contextlib.contextmanager
def file_of(value):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "file.pt")
        torch.save(value, path)
        yield path


def mapped_write_reaches_the_file():
    with file_of(torch.zeros(1)) as path:
        torch.load(path, mmap=True)[0] = 7
        return torch.load(path).item() == 7


@mutant(kills=MAPPED, witness=lambda: not mapped_write_reaches_the_file())
def mapped_file_is_written_to(patch):
    """A write to a tensor of `torch.load(mmap=True)` reaches the file."""

    def change(load, file, **options):
        torch.serialization.set_default_mmap_options(mmap.MAP_SHARED)
        try:
            return load(file, **options)
        finally:
            torch.serialization.set_default_mmap_options(mmap.MAP_PRIVATE)

    loading(patch, change)


def maps_an_open_file():
    with file_of(torch.zeros(1)) as path, open(path, "rb") as file:
        return not raises(ValueError, torch.load, file, mmap=True)


@mutant(kills=MAPPED, witness=lambda: not maps_an_open_file())
def open_file_can_be_mapped(patch):
    """`torch.load(mmap=True)` takes an open file, too."""

    def change(load, file, *, mmap=None, **options):
        return load(file, mmap=mmap and isinstance(file, (str, os.PathLike)), **options)

    loading(patch, change)


# What sentences once promised and torch does not do


def lazy_entry():
    return silenced(nn.LazyLinear, 2).state_dict()["weight"]


@mutant(
    kills="test_state_dict_of_a_lazy_layer_is_not_for_saving",
    witness=lambda: isinstance(lazy_entry(), nn.Parameter),
)
def state_dict_has_empty_tensors_for_lazy_layers(patch):
    """`state_dict()` has plain empty tensors for parameters that have no shape yet."""

    def change(make, self, *args, **options):
        state = make(self, *args, **options)
        for name, entry in state.items():
            if isinstance(entry, nn.parameter.UninitializedParameter):
                state[name] = torch.empty(0)
        return state

    patch.around(nn.Module, "state_dict", change)


@mutant(
    kills="test_state_dict_of_a_lazy_layer_is_not_for_saving",
    witness=lambda: refuses(silenced(nn.LazyLinear, 2).state_dict(), weights_only=True),
)
def load_accepts_lazy_parameters(patch):
    """`torch.load` accepts parameters that have no shape yet."""

    def change(load, file, **options):
        try:
            return load(file, **options)
        except pickle.UnpicklingError:
            file.seek(0)
            return load(file, **{**options, "weights_only": False})

    loading(patch, change)


class Centred(nn.Module):
    def __init__(self, mean=None):
        super().__init__()
        self.register_buffer("mean", mean)


@mutant(
    kills="test_buffer_that_is_none_has_no_entry",
    witness=lambda: raises(RuntimeError, Centred().load_state_dict, {"mean": torch.ones(1)}),
)
def loading_fills_buffers_that_are_none(patch):
    """`load_state_dict` fills a buffer that is None."""

    def change(model, state):
        for name, buffer in model._buffers.items():
            if buffer is None and name in state:
                model._buffers[name] = state[name].clone()
        return state

    before_loading(patch, change)


def with_hidden_buffer():
    model = nn.Module()
    model.register_buffer("mean", torch.ones(1), persistent=False)
    return model


@mutant(
    kills="test_buffer_that_is_none_has_no_entry",
    witness=lambda: list(with_hidden_buffer().state_dict()) == [],
    raises=RuntimeError,
)
def every_buffer_is_saved(patch):
    """`register_buffer` ignores `persistent=False`."""
    patch.around(
        nn.Module,
        "register_buffer",
        lambda register, self, name, tensor, persistent=True: register(self, name, tensor),
    )


@mutant(
    kills="test_buffer_that_is_none_has_no_entry",
    witness=lambda: list(Centred().state_dict()) == [],
)
def state_dict_has_buffers_that_are_none(patch):
    """`state_dict()` has an entry for a buffer that is None."""

    def change(make, self, *args, **options):
        state = make(self, *args, **options)
        return {**state, **{name: None for name, buffer in self._buffers.items() if buffer is None}}

    patch.around(nn.Module, "state_dict", change)


def tied_after_two_values():
    model = tied()
    model.load_state_dict({"0.weight": torch.ones(2), "1.weight": torch.full((2,), 7.0)})
    return model[0].weight.tolist()


@mutant(
    kills="test_tied_weights_are_one_parameter_and_two_entries",
    witness=lambda: tied_after_two_values() == [7, 7],
)
def loading_takes_the_first_of_two_names(patch):
    """`load_state_dict` gives a Parameter with two names the numbers under the first one."""

    def change(model, state):
        first = {}
        for name, parameter in model.named_parameters(remove_duplicate=False):
            if name in state:
                first.setdefault(id(parameter), state[name])
        own = dict(model.named_parameters(remove_duplicate=False))
        return {name: first[id(own[name])] if name in own else entry for name, entry in state.items()}

    before_loading(patch, change)


@mutant(
    kills="test_loading_goes_by_name_not_by_order",
    witness=lambda: raises(RuntimeError, Slope().load_state_dict, {"weight": np.ones(2)}),
)
def loading_accepts_arrays(patch):
    """`load_state_dict` accepts NumPy arrays."""
    before_loading(patch, lambda model, state: {name: torch.as_tensor(entry) for name, entry in state.items()})


def reported_below_none():
    model = nn.ModuleDict({"head": Slope()})
    state = model.state_dict()
    model.head = None
    return model.load_state_dict(state, strict=False).unexpected_keys


@mutant(kills="test_strict_false_reports_instead_of_raising", witness=lambda: reported_below_none() == [])
def loading_leniently_reports_names_below_none(patch):
    """`load_state_dict(strict=False)` reports every name that the model lacks, also below a layer that is None."""

    def change(load, self, state, strict=True, **options):
        report = load(self, state, strict, **options)
        if not strict:
            report.unexpected_keys[:] = [name for name in state if name not in self.state_dict()]
        return report

    patch.around(nn.Module, "load_state_dict", change)


def loaded_into_half():
    model = Slope().half()
    model.load_state_dict({"weight": torch.tensor([1.0, 1e6])})
    return model.weight[1].item()


@mutant(
    kills="test_loading_converts_to_what_the_model_has",
    witness=lambda: loaded_into_half() == float("inf"),
)
def loading_stops_at_the_largest_number(patch):
    """`load_state_dict` makes the largest number of the dtype of what is too large for it."""

    def change(model, state):
        for name, tensor in model.state_dict().items():
            if tensor.dtype == torch.float16 and name in state:
                state = {**state, name: state[name].clamp(max=65504)}
        return state

    before_loading(patch, change)


@mutant(
    kills="test_complex_entry_loses_its_imaginary_part",
    witness=lambda: not raises(UserWarning, complex_loaded_when_the_warning_is_used_up),
    raises=UserWarning,
)
def loading_complex_entries_always_warns(patch):
    """`load_state_dict` warns of each complex entry."""

    def change(model, state):
        if any(tensor.is_complex() for tensor in state.values()):
            warnings.warn("Casting complex values to real discards the imaginary part", UserWarning, stacklevel=3)
        return state

    before_loading(patch, change)


def complex_loaded_when_the_warning_is_used_up():
    always = torch.is_warn_always_enabled()
    torch.set_warn_always(False)
    try:
        silenced(torch.Tensor.float, torch.tensor([1j]))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            Slope().load_state_dict({"weight": torch.tensor([1j, 2j])})
    finally:
        torch.set_warn_always(always)


def assigned_tensor(tensor):
    model = Slope()
    model.load_state_dict({"weight": tensor}, assign=True)
    return model.weight


@mutant(
    kills="test_assign_puts_the_loaded_tensors_in_place",
    witness=lambda: raises(RuntimeError, assigned_tensor, torch.tensor([1, 2])),
)
def assign_makes_floats_of_integers(patch):
    """`load_state_dict(assign=True)` puts integers into the model as floats."""

    def change(load, self, state, strict=True, assign=False):
        if assign:
            state = {name: entry if entry.is_floating_point() else entry.float() for name, entry in state.items()}
        return load(self, state, strict, assign)

    patch.around(nn.Module, "load_state_dict", change)


def frozen_by_assigning():
    other = Slope()
    Slope().requires_grad_(False).load_state_dict(other.state_dict(keep_vars=True), assign=True)
    return not other.weight.requires_grad


@mutant(kills="test_assign_keeps_what_is_frozen", witness=frozen_by_assigning)
def assign_freezes_a_parameter_of_its_own(patch):
    """`load_state_dict(assign=True)` freezes a new Parameter and leaves the given one as it was."""

    def change(load, self, state, strict=True, assign=False):
        if assign:
            state = {name: entry.detach() for name, entry in state.items()}
        return load(self, state, strict, assign)

    patch.around(nn.Module, "load_state_dict", change)


def momentum_for_complex():
    wave = nn.Parameter(torch.ones(2, dtype=torch.complex64))
    optimizer = torch.optim.SGD([wave], lr=0.25, momentum=0.5)
    checkpoint = stepped()[1].state_dict()
    checkpoint["state"][0]["momentum_buffer"] = torch.ones(2, dtype=torch.complex128)
    optimizer.load_state_dict(checkpoint)
    return optimizer.state[wave]["momentum_buffer"].dtype


@mutant(
    kills="test_loaded_momentum_gets_the_dtype_of_the_parameter",
    witness=lambda: momentum_for_complex() == torch.complex128,
)
def optimizer_load_converts_complex_momentum(patch):
    """The `load_state_dict` of an optimizer converts the momentum of complex parameters, too."""

    def change(load, self, state):
        load(self, state)
        for parameter, memory in self.state.items():
            if parameter.is_complex():
                memory["momentum_buffer"] = memory["momentum_buffer"].to(parameter.dtype)

    patch.around(torch.optim.Optimizer, "load_state_dict", change)


def refuses_a_pickle_module_in_that_environment():
    os.environ[ONLY_WEIGHTS] = "1"
    try:
        return raises(RuntimeError, saved_and_loaded, 1, pickle_module=pickle)
    finally:
        del os.environ[ONLY_WEIGHTS]


@mutant(kills="test_pickle_module_lets_a_file_run_code", witness=refuses_a_pickle_module_in_that_environment)
def load_forgets_the_environment_with_a_pickle_module(patch):
    """`torch.load` does not look at TORCH_FORCE_WEIGHTS_ONLY_LOAD if a pickle module is named."""

    def change(load, file, **options):
        if options.get("pickle_module") is None or options.get("weights_only"):
            return load(file, **options)
        return without_variable(load, file, **options)

    loading(patch, change)


class Outer:
    class Inner:
        pass


def refuses_declared_inner_class():
    with safe_globals_restored():
        torch.serialization.add_safe_globals([Outer, Outer.Inner])
        return refuses(Outer.Inner(), weights_only=True)


@mutant(kills="test_class_inside_a_class_cannot_be_declared_safe", witness=refuses_declared_inner_class)
def load_accepts_declared_inner_classes(patch):
    """`torch.load` accepts objects of a class inside a class that was declared safe."""

    def change(load, file, **options):
        try:
            return load(file, **options)
        except pickle.UnpicklingError:
            file.seek(0)
            value = load(file, **{**options, "weights_only": False})
            if "." not in type(value).__qualname__ or type(value) not in torch.serialization.get_safe_globals():
                raise
            return value

    loading(patch, change)


# What people run into


@mutant(
    kills="test_neither_load_gives_back_a_model",
    witness=lambda: not isinstance(Slope().load_state_dict(Slope().state_dict()), nn.Module),
)
def loading_returns_the_model(patch):
    """`load_state_dict` returns the model."""

    def change(load, self, *args, **options):
        load(self, *args, **options)
        return self

    patch.around(nn.Module, "load_state_dict", change)


@mutant(
    kills="test_neither_load_gives_back_a_model",
    witness=lambda: raises(TypeError, Slope().load_state_dict, "a path"),
)
def loading_ignores_a_path(patch):
    """`load_state_dict` takes a path and loads nothing."""
    before_loading(patch, lambda model, state: model.state_dict() if isinstance(state, str) else state)


def needs_its_class():
    module = sys.modules[__name__]
    module.Passing = type("Passing", (), {"__module__": __name__})
    file = io.BytesIO(bytes_of(module.Passing()))
    del module.Passing
    return raises(AttributeError, torch.load, file, weights_only=False)


@mutant(kills="test_whole_model_needs_its_class", witness=needs_its_class)
def file_brings_its_class(patch):
    """`torch.load` knows the class of an object that was saved in this process, wherever the class is now."""
    last = []

    def keep(value):
        last.append(value)
        return value

    def change(load, file, **options):
        try:
            return load(file, **options)
        except (AttributeError, ModuleNotFoundError):
            return last[-1]

    saving(patch, keep)
    loading(patch, change)


@mutant(
    kills=COUNTER,
    witness=lambda: hasattr(copy.deepcopy(Slope().state_dict()), "_metadata"),
    raises=AttributeError,
)
def deepcopy_of_a_state_dict_loses_its_metadata(patch):
    """`copy.deepcopy` of a state_dict has no `_metadata`."""

    def change(deepcopy, value, *args):
        copied = deepcopy(value, *args)
        return OrderedDict(copied) if isinstance(value, OrderedDict) else copied

    patch.around(copy, "deepcopy", change)


@mutant(
    kills=COUNTER,
    witness=lambda: hasattr(saved_and_loaded(Slope().state_dict()), "_metadata"),
    raises=AttributeError,
)
def file_of_a_state_dict_has_no_metadata(patch):
    """`torch.load` gives back a state_dict without `_metadata`."""
    afterwards(patch, lambda value: OrderedDict(value) if isinstance(value, OrderedDict) else value)


@mutant(
    kills="test_wrong_prefix_loads_nothing",
    witness=lambda: list(torch._dynamo.run(Slope()).state_dict()) == ["_orig_mod.weight"],
)
def compiled_model_has_the_names_of_the_model(patch):
    """The `state_dict` of a compiled model has no prefix."""

    def change(state_dict, self, *args, **options):
        state = state_dict(self, *args, **options)
        for name in [name for name in state if name.startswith("_orig_mod.")]:
            state[name.removeprefix("_orig_mod.")] = state.pop(name)
        return state

    patch.around(nn.Module, "state_dict", change)


def two_weight_norms():
    new = nn.utils.parametrizations.weight_norm(nn.Linear(1, 1))
    return silenced(nn.utils.weight_norm, nn.Linear(1, 1)), new


def new_reads_old():
    old, new = two_weight_norms()
    return not raises(RuntimeError, new.load_state_dict, old.state_dict())


def old_reads_new():
    old, new = two_weight_norms()
    return not raises(RuntimeError, old.load_state_dict, new.state_dict())


@mutant(
    kills="test_old_weight_norm_cannot_read_the_names_of_the_new",
    witness=new_reads_old,
    raises=RuntimeError,
)
def new_weight_norm_does_not_know_the_old_names(patch):
    """A layer with the parametrization of weight_norm does not load `weight_g` and `weight_v`."""

    def change(model, state):
        known = hasattr(model, "weight_g") or "weight_g" not in state
        return state if known else {name: tensor for name, tensor in state.items() if name != "weight_g"}

    before_loading(patch, change)


@mutant(kills="test_old_weight_norm_cannot_read_the_names_of_the_new", witness=lambda: not old_reads_new())
def old_weight_norm_knows_the_new_names(patch):
    """A layer with the old weight_norm loads the names of the parametrization."""
    original = "parametrizations.weight.original"
    names = {f"{original}0": "weight_g", f"{original}1": "weight_v"}

    def change(model, state):
        known = not hasattr(model, "weight_g")
        return state if known else {names.get(name, name): tensor for name, tensor in state.items()}

    before_loading(patch, change)


def decayed_after_old_state():
    weight = Slope().weight
    state = torch.optim.AdamW([weight], lr=0.5, weight_decay=1.0).state_dict()
    state["param_groups"][0].pop("decoupled_weight_decay", None)
    optimizer = torch.optim.AdamW([weight], lr=0.5, weight_decay=1.0)
    optimizer.load_state_dict(state)
    weight.grad = torch.zeros(2)
    optimizer.step()
    return weight.tolist() == [4, -2]


@mutant(kills="test_adamw_loads_a_state_from_before_2_7", witness=decayed_after_old_state)
def adamw_forgets_its_decay_with_an_old_state(patch):
    """An AdamW that loads a state without `decoupled_weight_decay` does not decay."""

    def change(load, self, state):
        old = any("decoupled_weight_decay" not in group for group in state["param_groups"])
        load(self, state)
        for group in self.param_groups if old else []:
            group["weight_decay"] = 0

    patch.around(torch.optim.Optimizer, "load_state_dict", change)


@mutant(
    kills="test_optimizer_state_goes_by_position",
    witness=lambda: raises(ValueError, torch.optim.SGD([Slope().weight], lr=1).load_state_dict, {"param_groups": []}),
)
def optimizer_load_takes_any_number_of_groups(patch):
    """The `load_state_dict` of an optimizer ignores a state_dict with another number of groups."""

    def change(load, self, state):
        if len(state["param_groups"]) == len(self.param_groups):
            load(self, state)

    patch.around(torch.optim.Optimizer, "load_state_dict", change)


@mutant(
    kills="test_relatives_of_plain_values_are_refused",
    witness=lambda: refuses({"value": pathlib.Path("runs")}, weights_only=True),
)
def load_accepts_paths(patch):
    """`torch.load` accepts a `pathlib.Path`."""
    accepts(patch, pathlib.Path)


@mutant(
    kills="test_relatives_of_plain_values_are_refused",
    witness=lambda: refuses({"value": argparse.Namespace(lr=1)}, weights_only=True),
)
def load_accepts_namespaces(patch):
    """`torch.load` accepts an `argparse.Namespace`."""
    accepts(patch, argparse.Namespace)


@mutant(kills="test_checkpoint_may_hold_bytes", witness=lambda: refuses({"value": b""}, weights_only=True))
def load_accepts_empty_bytes(patch):
    """`torch.load` accepts bytes of any length."""
    accepts(patch, bytes)


@mutant(kills="test_checkpoint_may_hold_bytes", witness=lambda: back(b"a") == b"a")
def load_makes_texts_of_bytes(patch):
    """`torch.load` gives back a text for bytes."""
    each_value(patch, lambda value: value.decode("latin1") if isinstance(value, (bytes, bytearray)) else value)


def scheduler_with_plain_state(kind, **options):
    state = kind(torch.optim.SGD([Slope().weight], lr=0.5, momentum=0.5), **options).state_dict()
    return not refuses(state, weights_only=True)


def states_hold_a_function(patch, kind):
    """Put a function among what schedulers of this kind save."""

    def change(state_dict, self, *args, **options):
        state = state_dict(self, *args, **options)
        return {**state, "anneal_func": len} if isinstance(self, kind) else state

    for owner in {next(base for base in kind.__mro__ if "state_dict" in vars(base))}:
        patch.around(owner, "state_dict", change)


@mutant(
    kills="test_states_of_two_schedulers_are_accepted",
    witness=lambda: scheduler_with_plain_state(torch.optim.lr_scheduler.OneCycleLR, max_lr=0.5, total_steps=8),
    raises=pickle.UnpicklingError,
)
def one_cycle_saves_a_function(patch):
    """The state_dict of a OneCycleLR holds a function."""
    states_hold_a_function(patch, torch.optim.lr_scheduler.OneCycleLR)


@mutant(
    kills="test_states_of_two_schedulers_are_accepted",
    witness=lambda: scheduler_with_plain_state(torch.optim.lr_scheduler.StepLR, step_size=2),
    raises=pickle.UnpicklingError,
)
def step_lr_saves_a_function(patch):
    """The state_dict of a StepLR holds a function."""
    states_hold_a_function(patch, torch.optim.lr_scheduler.StepLR)


def scheduler_after(load):
    """The learning rate of a new optimizer after `load` of what an older scheduler saved, and its scheduler."""
    older, new = [torch.optim.SGD([Slope().weight], lr=1.0) for _ in range(2)]
    saved, scheduler = [torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5) for optimizer in (older, new)]
    older.step()
    saved.step()
    load(scheduler, saved.state_dict())
    return new.param_groups[0]["lr"], scheduler.last_epoch


def load_scheduler(scheduler, state):
    scheduler.load_state_dict(state)


@mutant(
    kills="test_scheduler_goes_on_with_two_state_dicts",
    witness=lambda: scheduler_after(load_scheduler) == (1, 1),
)
def scheduler_load_sets_the_learning_rate(patch):
    """The `load_state_dict` of a scheduler sets the learning rate of its optimizer."""

    def change(load, self, state):
        load(self, state)
        for group, rate in zip(self.optimizer.param_groups, self._last_lr, strict=True):
            group["lr"] = rate

    patch.around(torch.optim.lr_scheduler.StepLR, "load_state_dict", change)


@mutant(
    kills="test_scheduler_goes_on_with_two_state_dicts",
    witness=lambda: scheduler_after(load_scheduler)[1] == 1,
)
def scheduler_load_starts_anew(patch):
    """The `load_state_dict` of a scheduler forgets how far it was."""
    patch.around(torch.optim.lr_scheduler.StepLR, "load_state_dict", lambda load, self, state: None)


@mutant(kills="test_float8_can_be_saved", witness=lambda: comes_back_as("float8_e5m2"))
def save_stores_float8_as_float16(patch):
    """`torch.save` stores float8 numbers as float16."""
    save_as(patch, ["float8_e4m3fn", "float8_e5m2"], torch.Tensor.half)


def loads_cut():
    return raises(RuntimeError, torch.load, io.BytesIO(bytes_of({"weight": torch.ones(9)})[:-1]))


@mutant(kills="test_file_that_was_cut_short", witness=loads_cut)
def load_gives_back_nothing_of_a_cut_file(patch):
    """`torch.load` gives back an empty dictionary for a file that was cut short."""

    def change(load, file, **options):
        try:
            return load(file, **options)
        except RuntimeError as error:
            if "central directory" not in str(error):
                raise
            return {}

    loading(patch, change)


@mutant(
    kills="test_file_that_torch_did_not_write",
    witness=lambda: raises(RuntimeError, torch.load, io.BytesIO(pickle.dumps(1)), weights_only=False),
)
def load_reads_plain_pickles(patch):
    """`torch.load` reads what `pickle.dump` wrote, where it is trusted."""

    def change(load, file, **options):
        try:
            return load(file, **options)
        except RuntimeError:
            file.seek(0)
            return pickle.load(file)

    loading(patch, change)


def message_of_a_page():
    try:
        torch.load(io.BytesIO(b"<html>"), weights_only=True)
    except pickle.UnpicklingError as error:
        return str(error)
    return ""


@mutant(kills="test_file_that_torch_did_not_write", witness=lambda: "Unsupported operand 60" in message_of_a_page())
def load_says_less_of_what_it_cannot_read(patch):
    """`torch.load` with `weights_only=True` says of no file what it stumbled over."""

    def change(load, file, **options):
        try:
            return load(file, **options)
        except pickle.UnpicklingError as error:
            if "operand" not in str(error):
                raise
            raise pickle.UnpicklingError("Weights only load failed") from None

    loading(patch, change)


@mutant(
    kills="test_a_checkpoint_is_not_the_state_dict_in_it",
    witness=lambda: raises(RuntimeError, Slope().load_state_dict, {"model_state_dict": Slope().state_dict()}),
)
def load_state_dict_looks_into_checkpoints(patch):
    """`load_state_dict` finds the state_dict in a checkpoint by itself."""
    load = nn.Module.load_state_dict

    def broken(self, state_dict, *args, **kwargs):
        return load(self, state_dict.get("model_state_dict", state_dict), *args, **kwargs)

    patch.setattr(nn.Module, "load_state_dict", broken)


def saved_below(folder):
    torch.save(1, pathlib.Path(folder) / "new" / "one.pt")


def saved_below_a_temporary_folder():
    with tempfile.TemporaryDirectory() as folder:
        saved_below(folder)


@mutant(
    kills="test_saving_makes_no_directory",
    witness=lambda: raises(RuntimeError, saved_below_a_temporary_folder),
)
def save_makes_the_directory(patch):
    """`torch.save` makes the directories that its path names."""
    save = torch.save

    def broken(obj, f, *args, **kwargs):
        if isinstance(f, (str, os.PathLike)):
            pathlib.Path(f).parent.mkdir(parents=True, exist_ok=True)
        save(obj, f, *args, **kwargs)

    patch.setattr(torch, "save", broken)


def loaded_from_the_end():
    buffer = io.BytesIO()
    torch.save(1, buffer)
    torch.load(buffer)


@mutant(kills="test_a_buffer_in_memory_must_be_rewound", witness=lambda: raises(EOFError, loaded_from_the_end))
def load_rewinds(patch):
    """`torch.load` goes back to the beginning of a buffer."""
    load = torch.load

    def broken(f, *args, **kwargs):
        if isinstance(f, io.BytesIO):
            f.seek(0)
        return load(f, *args, **kwargs)

    patch.setattr(torch, "load", broken)
