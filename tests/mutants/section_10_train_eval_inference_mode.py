"""What could break in train, eval, no_grad and inference_mode."""

import asyncio
import contextlib
import copy
import functools
import inspect
import io
import itertools
import math
import sys
import threading
import warnings

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations
from torch.utils import _contextlib, checkpoint

from torchnotes.harness.mutation import error_of, mutant


def broken(patch, name, change):
    """Make the function of this name, and the layer that calls it, `change(call, x, **settings)`."""
    original = getattr(F, name)
    signature = inspect.signature(original)

    @functools.wraps(original)
    def function(*args, **kwargs):
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        (_, x), *settings = bound.arguments.items()
        return change(original, x, **dict(settings))

    patch.setattr(F, name, function)


def refuse(error, message):
    """Raise this error; an expression can't do it."""
    raise error(message)


def undisturbed(expression):
    """The value of the expression; grad mode is put back afterwards, however broken the modes are."""

    def witness():
        before = torch.is_grad_enabled()
        try:
            return expression()
        finally:
            torch._C._set_grad_enabled(before)

    return witness


def modes():
    """Whether autograd records, and whether inference mode is on."""
    return torch.is_grad_enabled(), torch.is_inference_mode_enabled()


def flags(model):
    """The mode of each module of a model."""
    return [module.training for module in model.modules()]


def nested():
    """A model of four modules, on three levels."""
    return nn.Sequential(nn.Linear(1, 1), nn.Sequential(nn.Dropout()))


# The flag.


NEW = "test_a_new_model_is_in_training_mode"
REACH = "test_eval_and_train_reach_every_submodule_and_return_the_model"
PART = "test_eval_of_a_part_leaves_the_rest"
ADDED = "test_a_layer_added_after_eval_is_in_training_mode"


def _starts_in_evaluation(patch, layer):
    init = layer.__init__

    @functools.wraps(init)
    def started(self, *args, **kwargs):
        init(self, *args, **kwargs)
        self.training = False

    patch.setattr(layer, "__init__", started)


@mutant(kills=(NEW, ADDED), witness=lambda: nn.Linear(1, 1).training)
def modules_start_in_evaluation(patch):
    """A new module is in evaluation mode."""
    _starts_in_evaluation(patch, nn.Module)


@mutant(kills=(NEW, "test_the_mode_is_not_in_the_state_dict"), witness=lambda: nn.Dropout().training)
def dropout_starts_in_evaluation(patch):
    """A new `nn.Dropout` is in evaluation mode."""
    _starts_in_evaluation(patch, nn.Dropout)


@mutant(kills=NEW, witness=lambda: nn.BatchNorm1d(1).training)
def batchnorm_starts_in_evaluation(patch):
    """A new `nn.BatchNorm1d` is in evaluation mode."""
    _starts_in_evaluation(patch, nn.BatchNorm1d)


@mutant(
    kills=(REACH, "test_predictions_do_not_depend_on_the_autograd_mode"),
    witness=lambda: flags(nested().eval()) == [False] * 4,
)
def eval_stays_at_the_top(patch):
    """`eval()` sets the flag of the module and of nothing in it."""

    def evaluate(self):
        self.training = False
        return self

    patch.setattr(nn.Module, "eval", evaluate)


@mutant(kills=REACH, witness=lambda: flags(nested().eval()) == [False] * 4)
def eval_goes_one_level_down(patch):
    """`eval()` sets the flag of the module and of its children, not of theirs."""

    def evaluate(self):
        for module in (self, *self.children()):
            module.training = False
        return self

    patch.setattr(nn.Module, "eval", evaluate)


@mutant(kills=REACH, witness=lambda: nn.Linear(1, 1).eval() is not None)
def eval_returns_nothing(patch):
    """`eval()` returns None."""
    patch.around(nn.Module, "eval", lambda call, self: call(self) and None)


@mutant(kills=REACH, witness=lambda: flags(nested().train(False)) == [False] * 4)
def train_false_does_nothing(patch):
    """`train(False)` leaves the mode as it is; `eval()` works."""
    patch.around(
        nn.Module,
        "train",
        lambda call, self, mode=True: (
            call(self, mode) if mode or sys._getframe(2).f_code.co_name in ("eval", "train") else self
        ),
    )


@mutant(kills=(REACH, PART), witness=lambda: flags(nested().eval().train()) == [True] * 4)
def train_stays_at_the_top(patch):
    """`train()` sets the flag of the module and of nothing in it."""

    def train(call, self, mode=True):
        if mode is not True:
            return call(self, mode)
        self.training = True
        return self

    patch.around(nn.Module, "train", train)


class _AlwaysEvaluated(nn.Dropout):
    def train(self, mode=True):
        return super().train(False)


@mutant(kills=REACH, witness=lambda: flags(nn.Sequential(_AlwaysEvaluated()).train()) == [True, False])
def train_passes_by_what_a_class_overrides(patch):
    """`train()` sets the flag of every module itself, whatever the `train` of its class does."""

    def train(call, self, mode=True):
        call(self, mode)
        for module in self.modules():
            module.training = mode
        return self

    patch.around(nn.Module, "train", train)


def _frozen():
    model = nested()
    model[1].eval()
    return flags(model.train())


@mutant(kills=PART, witness=lambda: _frozen() == [True] * 4)
def train_skips_what_was_evaluated_alone(patch):
    """`train()` leaves alone what was put into evaluation mode in a model in training."""

    def train(call, self, mode=True):
        alone = [module for module in self.children() if mode and self.training and not module.training]
        call(self, mode)
        for module in alone:
            module.eval()
        return self

    patch.around(nn.Module, "train", train)


def _added(add):
    model = nn.Sequential(nn.Linear(1, 1)).eval()
    add(model)
    return flags(model)


@mutant(kills=ADDED, witness=lambda: _added(lambda model: model.append(nn.Dropout())) == [False, False, True])
def appended_layers_take_the_mode(patch):
    """`nn.Sequential.append` puts the layer into the mode of the model."""
    patch.around(nn.Sequential, "append", lambda call, self, module: call(self, module.train(self.training)))


@mutant(kills=ADDED, witness=lambda: _added(lambda model: model.__setitem__(0, nn.Dropout())) == [False, True])
def replaced_layers_take_the_mode(patch):
    """A layer that replaces another in `nn.Sequential` is put into the mode of the model."""
    patch.around(nn.Sequential, "__setitem__", lambda call, self, i, module: call(self, i, module.train(self.training)))


@mutant(kills=ADDED, witness=lambda: _added(lambda model: model.append(nn.Dropout())) == [False, False, True])
def append_puts_the_model_back_into_training(patch):
    """`nn.Sequential.append` puts the whole model into training mode."""
    patch.around(nn.Sequential, "append", lambda call, self, module: call(self, module).train())


LISTED = "test_eval_does_not_reach_layers_in_a_python_list"


class _Listed(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = [nn.Dropout()]


@mutant(kills=LISTED, witness=lambda: _Listed().eval().layers[0].training)
def eval_reaches_python_lists(patch):
    """`eval()` reaches the layers that a module keeps in a list."""

    def evaluate(call, self):
        for value in vars(self).values():
            for layer in value if isinstance(value, list) else ():
                layer.eval()
        return call(self)

    patch.around(nn.Module, "eval", evaluate)


def _listed_attribute():
    model = nn.Sequential(nn.Dropout())
    model.layers = [model[0]]
    return model.eval()[0].training


@mutant(kills=LISTED, witness=lambda: not _listed_attribute())
def eval_skips_what_is_in_a_python_list(patch):
    """`eval()` does not reach a layer that is in a list of the module, be it registered or not."""

    def evaluate(call, self):
        call(self)
        for value in vars(self).values():
            for layer in value if isinstance(value, list) else ():
                layer.training = True
        return self

    patch.around(nn.Module, "eval", evaluate)


BOOL = "test_train_takes_only_a_bool"


@mutant(kills=BOOL, witness=lambda: error_of(lambda: nn.Dropout().train("eval")) is ValueError)
def train_takes_anything(patch):
    """`train(mode)` takes everything for True or False."""
    patch.around(nn.Module, "train", lambda call, self, mode=True: call(self, bool(mode)))


@mutant(kills=BOOL, witness=lambda: error_of(lambda: nn.Dropout().train(1)) is ValueError)
def train_takes_numbers(patch):
    """`train(mode)` takes 0 and 1."""
    patch.around(nn.Module, "train", lambda call, self, mode=True: call(self, mode != 0 if mode in (0, 1) else mode))


@mutant(kills=BOOL, witness=lambda: error_of(lambda: nn.Dropout().train(None)) is ValueError, raises=TypeError)
def train_raises_type_error(patch):
    """`train(mode)` raises TypeError for what is neither True nor False."""
    patch.around(
        nn.Module,
        "train",
        lambda call, self, mode=True: (
            call(self, mode) if isinstance(mode, bool) else refuse(TypeError, "training mode is expected to be boolean")
        ),
    )


SAVED = "test_the_mode_is_not_in_the_state_dict"


def _loaded():
    model = nn.Linear(1, 1)
    model.load_state_dict(nn.Linear(1, 1).eval().state_dict())
    return model.training


@mutant(kills=SAVED, witness=_loaded)
def state_dict_keeps_the_mode(patch):
    """The state_dict remembers the mode, and `load_state_dict` restores it."""

    def save(call, self, *args, **kwargs):
        state = call(self, *args, **kwargs)
        state.mode = self.training
        return state

    def load(call, self, state, *args, **kwargs):
        self.train(getattr(state, "mode", self.training))
        return call(self, state, *args, **kwargs)

    patch.around(nn.Module, "state_dict", save)
    patch.around(nn.Module, "load_state_dict", load)


@mutant(kills=SAVED, witness=_loaded)
def load_state_dict_is_for_evaluation(patch):
    """`load_state_dict` puts the model into evaluation mode."""
    patch.around(nn.Module, "load_state_dict", lambda call, self, *args, **kwargs: call(self.eval(), *args, **kwargs))


WHOLE_MODEL = "test_a_model_that_is_saved_whole_keeps_its_mode"


def _saved_and_loaded(mode):
    file = io.BytesIO()
    torch.save(nn.Dropout().train(mode), file)
    file.seek(0)
    return torch.load(file, weights_only=False).training


def _unpickled_in(patch, *, training):
    def restore(call, self, state):
        call(self, state)
        self.training = training

    patch.around(nn.Module, "__setstate__", restore)


@mutant(kills=WHOLE_MODEL, witness=lambda: _saved_and_loaded(False) is False)
def unpickled_modules_are_in_training(patch):
    """A module that is unpickled is in training mode."""
    _unpickled_in(patch, training=True)


@mutant(kills=WHOLE_MODEL, witness=lambda: _saved_and_loaded(True) is True)
def unpickled_modules_are_in_evaluation(patch):
    """A module that is unpickled is in evaluation mode."""
    _unpickled_in(patch, training=False)


@mutant(kills=SAVED, witness=lambda: not _loaded_in_evaluation())
def load_state_dict_is_for_training(patch):
    """`load_state_dict` puts the model into training mode."""
    patch.around(nn.Module, "load_state_dict", lambda call, self, *args, **kwargs: call(self.train(), *args, **kwargs))


def _loaded_in_evaluation():
    model = nn.Linear(1, 1).eval()
    model.load_state_dict(nn.Linear(1, 1).state_dict())
    return model.training


# Three switches.


SWITCHES = "test_three_switches_are_independent"
EVAL = "test_eval_does_not_turn_gradients_off"
KEPT = "test_gradients_keep_what_backward_needs_and_no_grad_keeps_nothing"
SAME = "test_predictions_do_not_depend_on_the_autograd_mode"


@mutant(kills=(SWITCHES, EVAL, KEPT), witness=lambda: nn.Linear(1, 1).eval()(torch.ones(1)).requires_grad)
def evaluated_models_run_without_gradients(patch):
    """A model in evaluation mode runs under `no_grad`."""
    patch.around(
        nn.Module,
        "__call__",
        lambda call, self, *args, **kwargs: (
            call(self, *args, **kwargs)
            if self.training or torch.is_inference_mode_enabled()
            else torch.no_grad()(call)(self, *args, **kwargs)
        ),
    )


@mutant(kills=(EVAL, SWITCHES, KEPT), witness=lambda: nn.Linear(1, 1).eval().weight.requires_grad)
def eval_freezes_the_parameters(patch):
    """`eval()` sets `requires_grad` of all parameters to False."""
    patch.around(nn.Module, "eval", lambda call, self: call(self).requires_grad_(False))


@mutant(kills=EVAL, witness=lambda: _slope_in_evaluation() == 3)
def linear_learns_its_bias_only_in_evaluation(patch):
    """In evaluation mode the gradient of a weight is 0."""
    patch.around(
        nn.Linear,
        "forward",
        lambda call, self, x: (
            call(self, x) if self.training else F.linear(x, self.weight * 0 + self.weight.detach(), self.bias)
        ),
    )


def _slope_in_evaluation():
    model = nn.Linear(1, 1).eval()
    model(torch.tensor([3.0])).backward()
    return model.weight.grad.item()


OFF = "test_inference_mode_does_not_turn_dropout_off"


def _drops():
    return not torch.equal(F.dropout(torch.ones(100)), torch.ones(100))


@mutant(kills=(SWITCHES, OFF), witness=lambda: torch.no_grad()(_drops)())
def dropout_is_off_without_gradients(patch):
    """Dropout does nothing where gradients are off."""
    broken(
        patch,
        "dropout",
        lambda call, x, training, **more: call(x, training=training and torch.is_grad_enabled(), **more),
    )


@mutant(kills=(SWITCHES, OFF), witness=lambda: torch.inference_mode()(_drops)())
def dropout_is_off_in_inference_mode(patch):
    """Dropout does nothing in inference mode."""
    broken(
        patch,
        "dropout",
        lambda call, x, training, **more: call(x, training=training and not torch.is_inference_mode_enabled(), **more),
    )


CHANGES = "test_evaluating_in_training_mode_changes_the_model"


def _running_mean(settings, *batches):
    layer = nn.BatchNorm1d(1, **settings)
    for batch in batches:
        layer(torch.tensor(batch))
    return layer.running_mean.item()


def _forgetful(patch, when):
    def change(call, x, running_mean, running_var, **more):
        if when():
            running_mean, running_var = running_mean.clone(), running_var.clone()
        return call(x, running_mean=running_mean, running_var=running_var, **more)

    broken(patch, "batch_norm", change)


@mutant(kills=CHANGES, witness=lambda: torch.no_grad()(_running_mean)({}, [[1.0], [3.0]]) > 0)
def batchnorm_remembers_nothing_without_gradients(patch):
    """BatchNorm doesn't move its running statistics where gradients are off."""
    _forgetful(patch, lambda: not torch.is_grad_enabled())


@mutant(kills=CHANGES, witness=lambda: torch.inference_mode()(_running_mean)({}, [[1.0], [3.0]]) > 0)
def batchnorm_remembers_nothing_in_inference_mode(patch):
    """BatchNorm doesn't move its running statistics in inference mode."""
    _forgetful(patch, torch.is_inference_mode_enabled)


def _keeps():
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor), lambda tensor: tensor):
        nn.Linear(1, 1)(torch.ones(1))
    return len(kept)


@mutant(kills=KEPT, witness=lambda: torch.no_grad()(_keeps)() == 0)
def linear_keeps_its_input_without_gradients(patch):
    """Under `no_grad` a Linear keeps what backward would need, and only its result doesn't show it."""

    def forward(call, self, x):
        if torch.is_grad_enabled() or torch.is_inference_mode_enabled():
            return call(self, x)
        return torch.enable_grad()(call)(self, x).detach()

    patch.around(nn.Linear, "forward", forward)


@mutant(kills=SAME, witness=lambda: torch.no_grad()(_products)() == _products())
def linear_rounds_without_gradients(patch):
    """Without gradients a Linear is wrong in the last digit."""
    patch.function(
        "linear", change=lambda call, *args: call(*args) if torch.is_grad_enabled() else call(*args) * (1 + 2e-7)
    )


def _products():
    return F.linear(torch.full((1, 3), 0.1), torch.full((2, 3), 0.7)).tolist()


@mutant(kills=SAME, witness=lambda: torch.inference_mode()(_products)() == _products())
def linear_rounds_in_inference_mode(patch):
    """In inference mode a Linear computes in bfloat16."""

    def change(call, *args):
        if not torch.is_inference_mode_enabled():
            return call(*args)
        return call(*(x.bfloat16() for x in args)).to(args[0].dtype)

    patch.function("linear", change=change)


@mutant(kills=EVAL, witness=lambda: not nn.Linear(1, 1).requires_grad_(False)(torch.ones(1)).requires_grad)
def frozen_models_are_recorded(patch):
    """`nn.Linear` records in evaluation and in training whether its parameters require grad or not."""
    patch.around(
        nn.Linear,
        "forward",
        lambda call, self, x: call(self, x) + torch.zeros(1, device=x.device, requires_grad=True),
    )


@mutant(kills=KEPT, witness=lambda: _kept_by_a_sum() == 0)
def sums_keep_their_operands(patch):
    """A recorded sum keeps its first operand for backward."""
    patch.function(
        "add",
        "__add__",
        change=lambda call, x, y: (
            call(x * torch.ones_like(x, requires_grad=True), y) if torch.is_grad_enabled() else call(x, y)
        ),
    )


def _kept_by_a_sum():
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor), lambda tensor: tensor):
        torch.ones(1, requires_grad=True) + 1
    return len(kept)


@mutant(kills=CHANGES, witness=lambda: _running_mean({"momentum": 0.0}, [[1.0], [3.0]]) == 0)
def batchnorm_takes_momentum_0_for_a_tenth(patch):
    """BatchNorm with `momentum=0` uses 0.1."""
    broken(patch, "batch_norm", lambda call, x, momentum, **more: call(x, momentum=momentum or 0.1, **more))


@mutant(kills=CHANGES, witness=lambda: math.isnan(_running_mean({"momentum": 0.0}, [[1.0], [math.nan]])))
def batchnorm_with_momentum_0_ignores_nan(patch):
    """BatchNorm with `momentum=0` has the same statistics after a nan."""

    def change(call, x, running_mean, running_var, momentum, **more):
        if momentum == 0:
            running_mean, running_var = running_mean.clone(), running_var.clone()
        return call(x, running_mean=running_mean, running_var=running_var, momentum=momentum, **more)

    broken(patch, "batch_norm", change)


NAN = "test_one_nan_in_training_mode_spoils_batchnorm_for_good"


@mutant(kills=(NAN, CHANGES), witness=lambda: math.isnan(_running_mean({}, [[1.0], [math.nan]])))
def batchnorm_leaves_out_batches_with_nan(patch):
    """BatchNorm doesn't move its statistics for a batch with a nan."""

    def change(call, x, running_mean, running_var, **more):
        if x.isnan().any():
            running_mean, running_var = running_mean.clone(), running_var.clone()
        return call(x, running_mean=running_mean, running_var=running_var, **more)

    broken(patch, "batch_norm", change)


@mutant(kills=NAN, witness=lambda: math.isnan(_running_mean({}, [[1.0], [math.nan]], [[1.0], [3.0]])))
def batchnorm_recovers_from_nan(patch):
    """BatchNorm starts its statistics anew at the first batch after one with a nan."""

    def change(call, x, running_mean, running_var, **more):
        if not x.isnan().any():
            running_mean.nan_to_num_(0.0)
            running_var.nan_to_num_(1.0)
        return call(x, running_mean=running_mean, running_var=running_var, **more)

    broken(patch, "batch_norm", change)


EMBEDDING = "test_an_embedding_with_max_norm_changes_its_weight_in_evaluation"


def _looked_up():
    embedding = nn.Embedding(1, 1, max_norm=1.0).eval()
    embedding.weight.data.fill_(5.0)
    with torch.no_grad():
        embedding(torch.tensor([0]))
    return embedding.weight.item()


@mutant(kills=EMBEDDING, witness=lambda: _looked_up() < 2)
def embedding_leaves_its_weight_in_evaluation(patch):
    """`nn.Embedding` shortens no row in evaluation mode."""
    patch.around(
        nn.Embedding,
        "forward",
        lambda call, self, x: call(self, x) if self.training else F.embedding(x, self.weight),
    )


@mutant(kills=EMBEDDING, witness=lambda: _looked_up() < 2)
def embedding_shortens_a_copy(patch):
    """`F.embedding` with `max_norm` shortens the result and not the weight."""

    def embedding(call, input, weight, padding_idx=None, max_norm=None, *more):
        copied = weight.detach().clone() if max_norm is not None else weight
        return call(input, copied, padding_idx, max_norm, *more)

    patch.around(F, "embedding", embedding)


PADDING = "test_a_transformer_encoder_returns_zeros_for_padding_without_gradients"


def _encoded(**settings):
    layer = nn.TransformerEncoderLayer(2, 2, 2, batch_first=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = nn.TransformerEncoder(layer, 1, **settings).eval()
        with torch.no_grad():
            return model(torch.randn(2, 2, 2), src_key_padding_mask=torch.tensor([[False, True], [False, False]]))


@mutant(kills=PADDING, witness=lambda: _encoded()[0, 1].tolist() == [0, 0])
def transformer_encoder_computes_its_padding(patch):
    """`nn.TransformerEncoder` takes the same path with and without gradients."""

    def forward(call, self, *args, **kwargs):
        with torch.inference_mode(False):
            return call(self, *(x.clone() for x in args), **kwargs).detach()

    patch.around(nn.TransformerEncoder, "forward", forward)


def _encoded_by_a_frozen_model():
    model = nn.TransformerEncoder(nn.TransformerEncoderLayer(2, 2, 2, batch_first=True), 1).eval().requires_grad_(False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model(torch.randn(2, 2, 2), src_key_padding_mask=torch.tensor([[False, True], [False, False]]))


@mutant(kills=PADDING, witness=lambda: _encoded_by_a_frozen_model()[0, 1].tolist() == [0, 0])
def a_frozen_transformer_encoder_computes_its_padding(patch):
    """`nn.TransformerEncoder` returns 0 for padding under `no_grad` only, and not because its parameters are frozen."""

    def forward(call, self, x, *args, **kwargs):
        return call(self, x.clone().requires_grad_() if torch.is_grad_enabled() else x, *args, **kwargs)

    patch.around(nn.TransformerEncoder, "forward", forward)


@mutant(kills=PADDING, witness=lambda: (_encoded(enable_nested_tensor=False)[0, 1] != 0).any())
def transformer_encoder_always_zeroes_its_padding(patch):
    """`nn.TransformerEncoder` returns 0 for padding without gradients, whatever `enable_nested_tensor` is."""

    def forward(call, self, x, *mask, src_key_padding_mask):
        y = call(self, x, *mask, src_key_padding_mask=src_key_padding_mask)
        return y if torch.is_grad_enabled() else y.masked_fill(src_key_padding_mask[:, : y.shape[1], None], 0)

    patch.around(nn.TransformerEncoder, "forward", forward)


def _encoded_with(padding, *mask):
    model = nn.TransformerEncoder(nn.TransformerEncoderLayer(2, 2, 2, batch_first=True), 1).eval()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        y = model(torch.randn(1, len(padding), 2), *mask, src_key_padding_mask=torch.tensor([padding]))
    return y[0, padding.index(True)]


@mutant(kills=PADDING, witness=lambda: (_encoded_with([True, False]) != 0).any())
def transformer_encoder_zeroes_padding_that_comes_first(patch):
    """`nn.TransformerEncoder` returns 0 for padding at the start of a row without gradients."""

    def forward(call, self, x, *mask, src_key_padding_mask):
        y = call(self, x, *mask, src_key_padding_mask=src_key_padding_mask)
        first = src_key_padding_mask[:, 0].any() and not torch.is_grad_enabled()
        return y.masked_fill(src_key_padding_mask[..., None], 0) if first else y

    patch.around(nn.TransformerEncoder, "forward", forward)


@mutant(kills=PADDING, witness=lambda: (_encoded_with([False, True, False]) != 0).any())
def transformer_encoder_zeroes_padding_between_data(patch):
    """`nn.TransformerEncoder` returns 0 for padding in the middle of a row without gradients."""

    def forward(call, self, x, *mask, src_key_padding_mask):
        y = call(self, x, *mask, src_key_padding_mask=src_key_padding_mask)
        padding = src_key_padding_mask
        between = (padding[:, :-1] & ~padding[:, 1:]).any() and not padding[:, 0].any()
        return y.masked_fill(padding[..., None], 0) if between and not torch.is_grad_enabled() else y

    patch.around(nn.TransformerEncoder, "forward", forward)


@mutant(kills=PADDING, witness=lambda: (_encoded_with([False, True], torch.zeros(2, 2) > 0) != 0).any())
def transformer_encoder_zeroes_padding_under_a_mask(patch):
    """`nn.TransformerEncoder` returns 0 for padding without gradients, if a `mask` is given, too."""

    def forward(call, self, x, *mask, src_key_padding_mask):
        y = call(self, x, *mask, src_key_padding_mask=src_key_padding_mask)
        return y.masked_fill(src_key_padding_mask[..., None], 0) if mask and not torch.is_grad_enabled() else y

    patch.around(nn.TransformerEncoder, "forward", forward)


def _encoded_with_a_norm():
    norm = nn.LayerNorm(2)
    nn.init.ones_(norm.bias)
    return _encoded(norm=norm)[0, 1].tolist()


@mutant(kills=PADDING, witness=lambda: _encoded_with_a_norm() == [1, 1])
def transformer_encoder_zeroes_padding_behind_its_norm(patch):
    """`nn.TransformerEncoder` returns 0 for padding without gradients, with a `norm`, too."""

    def forward(call, self, x, *mask, src_key_padding_mask):
        y = call(self, x, *mask, src_key_padding_mask=src_key_padding_mask)
        zeroes = self.norm is not None and not torch.is_grad_enabled()
        return y.masked_fill(src_key_padding_mask[:, : y.shape[1], None], 0) if zeroes else y

    patch.around(nn.TransformerEncoder, "forward", forward)


@mutant(
    kills="test_cudnn_refuses_backward_through_an_lstm_in_evaluation",
    witness=lambda: nn.LSTM(1, 1).eval()(torch.ones(1, 1, 1))[0].requires_grad,
)
def lstm_has_no_gradient_in_evaluation(patch):
    """`nn.LSTM` in evaluation mode records nothing."""
    patch.around(
        nn.LSTM,
        "forward",
        lambda call, self, x: call(self, x) if self.training else torch.no_grad()(call)(self, x),
    )


# Dropout.


ZEROES = "test_dropout_zeroes_some_and_scales_the_rest"
SHARE = "test_dropout_zeroes_a_share_p"
EXPECTATION = "test_dropout_keeps_the_expectation"
GRADIENT = "test_dropout_scales_the_gradient_like_the_value_for_every_p"
PROBABILITIES = "test_dropout_takes_probabilities"
IDENTITY = "test_dropout_is_the_identity_in_evaluation"
MASK = "test_every_call_of_dropout_draws_a_new_mask"
CHANNELS = "test_dropout2d_drops_whole_channels"
FUNCTION = "test_the_function_dropout_knows_nothing_of_eval"


@mutant(kills=ZEROES, witness=lambda: (F.dropout(torch.full((100,), 3e38)) == math.inf).any())
def dropout_does_not_overflow(patch):
    """`F.dropout` scales up to the largest number of the dtype at most."""
    broken(
        patch,
        "dropout",
        lambda call, x, inplace, **more: call(x, inplace=inplace, **more) if inplace else call(x, **more).nan_to_num(),
    )


@mutant(
    kills=PROBABILITIES, witness=lambda: error_of(lambda: nn.Dropout(math.nan).eval()(torch.ones(1))) is RuntimeError
)
def dropout_checks_its_p_in_training_only(patch):
    """`nn.Dropout(nan)` returns its input in evaluation mode."""
    broken(
        patch,
        "dropout",
        lambda call, x, training, **more: call(x, training=training, **more) if training else x,
    )


@mutant(kills=IDENTITY, witness=lambda: error_of(lambda: nn.Dropout1d().eval()(torch.ones(1))) is RuntimeError)
def dropout1d_takes_any_shape_in_evaluation(patch):
    """`nn.Dropout1d` returns an input of any shape in evaluation mode."""
    broken(
        patch,
        "dropout1d",
        lambda call, x, training, **more: call(x, training=training, **more) if training else x,
    )


def _values(x=(1.0,) * 100, **settings):
    return set(F.dropout(torch.tensor(x), **settings).tolist())


def _zeros(p):
    return 1 - F.dropout(torch.ones(10_000), p).count_nonzero().item() / 10_000


@mutant(kills=(ZEROES, EXPECTATION, GRADIENT), witness=lambda: _values() == {0, 2})
def dropout_does_not_scale(patch):
    """Dropout leaves what it keeps as it is."""
    broken(
        patch,
        "dropout",
        lambda call, x, p, training, **more: (
            call(x, p=p, training=training, **more) * (1 - p if training and p < 1 else 1)
        ),
    )


@mutant(kills=(ZEROES, EXPECTATION, GRADIENT), witness=lambda: max(_values(p=0.75)) == 4)
def dropout_scales_by_2(patch):
    """Dropout doubles what it keeps, whatever p is."""
    broken(
        patch,
        "dropout",
        lambda call, x, p, training, **more: (
            call(x, p=p, training=training, **more) * (2 * (1 - p) if training and p < 1 else 1)
        ),
    )


@mutant(kills=(SHARE, ZEROES), witness=lambda: abs(_zeros(0.1) - 0.1) < 0.05)
def dropout_keeps_a_share_p(patch):
    """The p of dropout is the probability of being kept."""
    broken(
        patch,
        "dropout",
        lambda call, x, p, training, **more: call(
            x, p=1 - p if 0 < p < 1 and training else p, training=training, **more
        ),
    )


@mutant(kills=SHARE, witness=lambda: abs(_zeros(0.5) - 0.5) < 0.03)
def dropout_drops_a_seventh_too_many(patch):
    """Dropout zeroes a seventh more than p, and scales by p."""
    broken(
        patch,
        "dropout",
        lambda call, x, p, training, **more: (
            call(x, p=p * 8 / 7, training=training, **more) * ((1 - p * 8 / 7) / (1 - p))
            if training and p < 7 / 8
            else call(x, p=p, training=training, **more)
        ),
    )


@mutant(kills=SHARE, witness=lambda: F.dropout(torch.ones(100, 100), 0.9).count_nonzero() < 2000)
def dropout_drops_half_of_a_matrix(patch):
    """`F.dropout` of a matrix zeroes half of it, whatever p is, and scales by p."""
    broken(
        patch,
        "dropout",
        lambda call, x, p, training, **more: (
            call(x, p=0.5, training=True, **more) / (2 * (1 - p))
            if training and x.dim() == 2 and p < 1
            else call(x, p=p, training=training, **more)
        ),
    )


@mutant(kills=ZEROES, witness=lambda: F.dropout(torch.ones(2)).dtype == torch.float32)
def dropout_is_float64(patch):
    """Dropout gives float64."""
    broken(patch, "dropout", lambda call, x, **more: call(x, **more).double())


@mutant(kills=ZEROES, witness=lambda: _untouched())
def dropout_writes_to_its_input(patch):
    """Dropout zeroes its input, too."""

    def change(call, x, inplace, **more):
        result = call(x, inplace=False, **more)
        if not x.requires_grad:
            x.copy_(result)
        return result

    broken(patch, "dropout", change)


def _untouched():
    x = torch.ones(100)
    F.dropout(x)
    return torch.equal(x, torch.ones(100))


@mutant(kills=EXPECTATION, witness=lambda: F.dropout(torch.tensor([math.inf]), 1.0).isnan().all())
def dropout_makes_zeros_of_infinities(patch):
    """Dropout with `p=1` turns infinity and nan into 0."""
    broken(patch, "dropout", lambda call, x, **more: call(x.nan_to_num(), **more))


@mutant(kills=EXPECTATION, witness=lambda: min(_values((-2.0,) * 100)) == -4)
def dropout_shrinks_negative_numbers(patch):
    """Dropout doesn't scale negative numbers."""
    broken(
        patch,
        "dropout",
        lambda call, x, p, training, **more: (
            call(x, p=p, training=training, **more) * (torch.where(x < 0, 1 - p, 1.0) if training and p < 1 else 1)
        ),
    )


def _gradient():
    x = torch.ones(100, requires_grad=True)
    y = F.dropout(x)
    y.sum().backward()
    return torch.equal(x.grad, y)


@mutant(kills=GRADIENT, witness=_gradient)
def dropout_lets_every_gradient_pass(patch):
    """The gradient of dropout is 1 everywhere."""
    broken(patch, "dropout", lambda call, x, **more: x + (call(x, **more) - x).detach())


@mutant(kills=GRADIENT, witness=_gradient)
def dropout_does_not_scale_the_gradient(patch):
    """The gradient of dropout is 1 where it keeps."""

    def change(call, x, **more):
        y = call(x.detach(), **more)
        kept = x * (y != 0)
        return y + (kept - kept.detach())

    broken(patch, "dropout", change)


@mutant(kills=(PROBABILITIES, FUNCTION), witness=lambda: max(_values()) == 2)
def dropout_function_has_p_of_a_tenth(patch):
    """The p of `F.dropout` is 0.1 unless given."""
    dropout = F.dropout
    patch.setattr(
        F,
        "dropout",
        lambda x, p=0.1, training=True, inplace=False: dropout(x, p, training, inplace),
    )


@mutant(kills=PROBABILITIES, witness=lambda: nn.Dropout().p == 0.5)
def dropout_class_has_p_of_a_tenth(patch):
    """The p of `nn.Dropout` is 0.1 unless given."""
    init = nn.Dropout.__init__
    patch.setattr(nn.Dropout, "__init__", lambda self, p=0.1, inplace=False: init(self, p, inplace))


@mutant(kills=(PROBABILITIES, SWITCHES), witness=lambda: _values(p=1.0) == {0})
def dropout_of_everything_is_nan(patch):
    """Dropout with p=1 gives nan."""
    broken(
        patch,
        "dropout",
        lambda call, x, p, training, **more: (
            call(x, p=p, training=training, **more) + (math.nan if training and p == 1 else 0)
        ),
    )


@mutant(kills=(PROBABILITIES, GRADIENT), witness=lambda: _values(p=1.0) == {0})
def dropout_of_everything_drops_nothing(patch):
    """Dropout with p=1 drops nothing."""
    broken(patch, "dropout", lambda call, x, p, **more: call(x, p=p % 1, **more))


@mutant(
    kills=PROBABILITIES,
    witness=lambda: error_of(lambda: nn.Dropout(1.5)) is ValueError and error_of(lambda: F.dropout(torch.ones(1), 1.5)),
)
def dropout_function_clips_p(patch):
    """`F.dropout` takes a p outside [0, 1] for 0 or 1."""
    broken(patch, "dropout", lambda call, x, p, **more: call(x, p=min(max(p, 0), 1), **more))


@mutant(kills=PROBABILITIES, witness=lambda: error_of(lambda: nn.Dropout(-0.25)) is ValueError)
def dropout_class_takes_any_p(patch):
    """`nn.Dropout` takes any p and complains when it is called."""

    def init(self, p=0.5, inplace=False):
        nn.Module.__init__(self)
        self.p, self.inplace = p, inplace

    patch.setattr(nn.Dropout, "__init__", init)


def _draws():
    torch.manual_seed(7)
    F.dropout(torch.ones(3), training=False)
    drawn = torch.rand(1)
    torch.manual_seed(7)
    return not torch.equal(drawn, torch.rand(1))


@mutant(kills=IDENTITY, witness=lambda: not _draws())
def dropout_draws_in_evaluation(patch):
    """Dropout uses up a random number in evaluation."""

    def change(call, x, training, **more):
        if not training:
            torch.rand(1, device=x.device)
        return call(x, training=training, **more)

    broken(patch, "dropout", change)


@mutant(kills=(IDENTITY, OFF), witness=lambda: _values(training=False) == {1})
def dropout_scales_in_evaluation(patch):
    """Dropout multiplies by 1 - p in evaluation."""
    broken(
        patch,
        "dropout",
        lambda call, x, p, training, **more: call(x, p=p, training=training, **more) if training else x * (1 - p),
    )


@mutant(kills=IDENTITY, witness=lambda: F.dropout1d(torch.ones(2, 50, 1), training=False).sum() == 100)
def dropout1d_drops_in_evaluation(patch):
    """`nn.Dropout1d` drops in evaluation mode too."""
    broken(patch, "dropout1d", lambda call, x, training, **more: call(x, training=True, **more))


@mutant(kills=IDENTITY, witness=lambda: F.feature_alpha_dropout(torch.ones(2, 50, 1), training=False).sum() == 100)
def feature_alpha_dropout_drops_in_evaluation(patch):
    """`nn.FeatureAlphaDropout` drops in evaluation mode too."""
    broken(patch, "feature_alpha_dropout", lambda call, x, training, **more: call(x, training=True, **more))


def _masked(patch, generator):
    def change(call, x, p, training, inplace):
        if not training or not 0 < p < 1:
            return call(x, p=p, training=training, inplace=inplace)
        mask = torch.rand(x.shape, generator=generator(x)) >= p
        return x * mask.to(x.device) / (1 - p)

    broken(patch, "dropout", change)


def _two_calls():
    x = torch.ones(100)
    torch.manual_seed(7)
    first, second = F.dropout(x), F.dropout(x)
    torch.manual_seed(7)
    return torch.equal(first, second), torch.equal(first, F.dropout(x))


@mutant(kills=(MASK, OFF), witness=lambda: not _two_calls()[0])
def dropout_always_draws_the_same_mask(patch):
    """Dropout has one mask for each shape."""
    _masked(patch, lambda x: torch.Generator().manual_seed(x.numel()))


@mutant(kills=MASK, witness=lambda: _two_calls()[1])
def dropout_ignores_the_seed(patch):
    """Dropout draws its masks from a generator of its own."""
    own = torch.Generator().manual_seed(1)
    _masked(patch, lambda x: own)


@mutant(kills=MASK, witness=lambda: len(set(F.dropout(torch.ones(20, 2)).sum(dim=1).tolist())) > 1)
def dropout_has_one_mask_for_all_rows(patch):
    """Dropout draws one mask for all rows of a batch."""
    broken(
        patch,
        "dropout",
        lambda call, x, training, **more: (
            x * call(torch.ones_like(x[:1]), training=True, **more)
            if training and x.dim() > 1
            else call(x, training=training, **more)
        ),
    )


def _dropped(function):
    return set(function(torch.ones(2, 40, 2, 2), 0.5).sum(dim=(2, 3)).flatten().tolist())


@mutant(kills=CHANNELS, witness=lambda: _dropped(F.dropout2d) == {0, 8})
def dropout2d_drops_pixels(patch):
    """`nn.Dropout2d` zeroes single pixels."""
    broken(patch, "dropout2d", lambda call, x, **more: F.dropout(x, **more))


@mutant(kills=CHANNELS, witness=lambda: len(_dropped(F.dropout)) > 2)
def dropout_drops_channels_of_images(patch):
    """`nn.Dropout` zeroes whole channels of what has four dimensions."""
    broken(patch, "dropout", lambda call, x, **more: F.dropout2d(x, **more) if x.dim() == 4 else call(x, **more))


@mutant(kills=CHANNELS, witness=lambda: len(set(F.dropout2d(torch.ones(30, 1, 2, 2)).flatten().tolist())) == 2)
def dropout2d_drops_the_same_channels_of_all_images(patch):
    """`nn.Dropout2d` zeroes the same channels of every image of a batch."""
    broken(
        patch,
        "dropout2d",
        lambda call, x, training, **more: (
            x * call(torch.ones_like(x[:1]), training=True, **more) if training else call(x, training=False, **more)
        ),
    )


@mutant(kills=FUNCTION, witness=lambda: _values(training=False) == {1})
def dropout_function_ignores_training(patch):
    """`F.dropout` drops whatever `training` is."""
    broken(patch, "dropout", lambda call, x, training, **more: call(x, training=True, **more))


@mutant(kills=FUNCTION, witness=lambda: _Careless().eval()(torch.ones(100)).max() == 2)
def dropout_function_asks_the_caller(patch):
    """`F.dropout` is off where the module that calls it is in evaluation mode."""
    broken(
        patch,
        "dropout",
        lambda call, x, training, **more: call(
            x, training=training and getattr(sys._getframe(2).f_locals.get("self"), "training", True), **more
        ),
    )


class _Careless(nn.Module):
    def forward(self, x):
        return F.dropout(x)


WHOLE = "test_dropout_does_not_take_whole_numbers"


@mutant(kills=WHOLE, witness=lambda: error_of(lambda: F.dropout(torch.ones(2, dtype=torch.int64))) is RuntimeError)
def dropout_makes_floats_of_whole_numbers(patch):
    """Dropout of whole numbers gives floats."""
    broken(
        patch,
        "dropout",
        lambda call, x, **settings: call(
            x if x.is_floating_point() or not settings["training"] else x.float(), **settings
        ),
    )


@mutant(
    kills=WHOLE,
    witness=lambda: F.dropout(torch.ones(2, dtype=torch.int64), training=False).dtype == torch.int64,
)
def dropout_in_evaluation_makes_floats_of_whole_numbers(patch):
    """Dropout in evaluation gives floats for whole numbers."""
    broken(
        patch,
        "dropout",
        lambda call, x, **settings: call(x, **settings) if settings["training"] else call(x, **settings).float(),
    )


@mutant(
    kills=WHOLE,
    witness=lambda: error_of(lambda: F.dropout(torch.ones(2, dtype=torch.int64), 0.0)) is None,
    raises=RuntimeError,
)
def dropout_refuses_whole_numbers_for_every_p(patch):
    """Dropout of whole numbers raises RuntimeError in training for p=0 and p=1 too."""
    broken(
        patch,
        "dropout",
        lambda call, x, p, training, **more: (
            refuse(RuntimeError, "result type Float can't be cast")
            if training and p in (0, 1) and not x.is_floating_point()
            else call(x, p=p, training=training, **more)
        ),
    )


@mutant(kills=PROBABILITIES, witness=lambda: error_of(lambda: nn.Dropout(math.nan)) is None, raises=ValueError)
def dropout_class_refuses_nan(patch):
    """`nn.Dropout(math.nan)` raises ValueError."""
    patch.around(
        nn.Dropout,
        "__init__",
        lambda call, self, p=0.5, inplace=False: (
            refuse(ValueError, "dropout probability has to be between 0 and 1") if p != p else call(self, p, inplace)
        ),
    )


SAME_TENSOR = "test_dropout_that_drops_nothing_returns_its_input_itself"


def _is_input(**settings):
    x = torch.ones(1)
    return F.dropout(x, **settings) is x


@mutant(kills=SAME_TENSOR, witness=lambda: _is_input(training=False))
def dropout_copies_in_evaluation(patch):
    """Dropout returns a copy in evaluation."""
    broken(patch, "dropout", lambda call, x, **more: call(x, **more) if more["training"] else x.clone())


@mutant(kills=SAME_TENSOR, witness=lambda: _is_input(p=0.0))
def dropout_copies_with_p_of_0(patch):
    """Dropout with p=0 returns a copy."""
    broken(patch, "dropout", lambda call, x, **more: x.clone() if more["p"] == 0 else call(x, **more))


ATTENTION = "test_scaled_dot_product_attention_drops_in_evaluation"


class _Attends(nn.Module):
    def forward(self, x):
        return F.scaled_dot_product_attention(x, x, x, dropout_p=0.5)


@mutant(
    kills=ATTENTION, witness=lambda: len({_Attends().eval()(torch.ones(1, 9, 9)).sum().item() for _ in range(9)}) > 1
)
def attention_asks_the_caller(patch):
    """`F.scaled_dot_product_attention` drops nothing if the module that calls it is in evaluation mode."""
    attention = F.scaled_dot_product_attention

    def ask(query, key, value, *args, dropout_p=0.0, **more):
        caller = sys._getframe(1).f_locals.get("self")
        dropout_p = dropout_p if getattr(caller, "training", True) else 0.0
        return attention(query, key, value, *args, dropout_p=dropout_p, **more)

    patch.setattr(F, "scaled_dot_product_attention", ask)


@mutant(kills=ATTENTION, witness=lambda: _attention_repeats())
def multihead_attention_drops_in_evaluation(patch):
    """`nn.MultiheadAttention` drops in evaluation mode too."""

    def forward(call, self, *args, **kwargs):
        before, self.training = self.training, True
        try:
            return call(self, *args, **kwargs)
        finally:
            self.training = before

    patch.around(nn.MultiheadAttention, "forward", forward)


def _attention_repeats():
    layer, x = nn.MultiheadAttention(2, 1, dropout=0.5).eval(), torch.randn(9, 1, 2)
    return torch.equal(layer(x, x, x)[0], layer(x, x, x)[0])


IMAGE = "test_dropout2d_of_one_image_drops_rows"


def _one_image():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return len(set(F.dropout2d(torch.ones(16, 40, 1)).sum(dim=(1, 2)).tolist()))


@mutant(kills=IMAGE, witness=lambda: _one_image() > 2)
def dropout2d_takes_one_image(patch):
    """`F.dropout2d` of three dimensions zeroes whole channels of one image, with the warning of before."""

    def change(call, x, **more):
        if x.dim() != 3:
            return call(x, **more)
        warnings.warn("channel-wise 1D dropout behavior is desired", stacklevel=1)
        return call(x[None], **more)[0]

    broken(patch, "dropout2d", change)


@mutant(kills=IMAGE, witness=lambda: _warns_of_one_image())
def dropout2d_of_one_image_is_silent(patch):
    """`F.dropout2d` of three dimensions gives no warning."""

    def change(call, x, **more):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return call(x, **more)

    broken(patch, "dropout2d", change)


def _warns_of_one_image():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        F.dropout2d(torch.ones(2, 2, 2))
    return bool(caught)


INF = "test_a_dropped_inf_becomes_nan"


@mutant(kills=INF, witness=lambda: F.dropout(torch.full((100,), math.inf)).isnan().any())
def dropout_selects(patch):
    """Dropout puts 0 in place of what it drops, whatever it is."""

    def change(call, x, **more):
        y = call(x, **more)
        return torch.where(y.isnan() & ~x.isnan(), 0.0, y) if more["training"] else y

    broken(patch, "dropout", change)


@mutant(kills=INF, witness=lambda: F.dropout(torch.full((100,), math.nan)).isnan().all())
def dropout_drops_nan(patch):
    """Dropout turns some nan into 0."""
    broken(
        patch,
        "dropout",
        lambda call, x, **more: (
            call(torch.where(x.isnan(), 0.0, x), **more) if more["training"] and x.isnan().any() else call(x, **more)
        ),
    )


DEFAULTS = "test_other_layers_have_other_defaults_for_dropout"


@mutant(kills=DEFAULTS, witness=lambda: nn.MultiheadAttention(1, 1).dropout == 0)
def multihead_attention_drops_half(patch):
    """The dropout of `nn.MultiheadAttention` is 0.5 unless given."""
    init = nn.MultiheadAttention.__init__
    patch.setattr(
        nn.MultiheadAttention,
        "__init__",
        lambda self, size, heads, dropout=0.5, **more: init(self, size, heads, dropout, **more),
    )


@mutant(kills=DEFAULTS, witness=lambda: F.alpha_dropout(torch.ones(100)).sum() == 100)
def alpha_dropout_drops(patch):
    """`F.alpha_dropout` drops unless it is told not to."""
    broken(patch, "alpha_dropout", lambda call, x, training, **more: call(x, training=True, **more))


@mutant(kills=DEFAULTS, witness=lambda: F.alpha_dropout(torch.ones(100), training=True).sum() != 100)
def alpha_dropout_never_drops(patch):
    """`F.alpha_dropout` drops nothing with `training=True` either."""
    broken(patch, "alpha_dropout", lambda call, x, **more: x)


# BatchNorm.


TRAINING = "test_batchnorm_in_training_uses_the_batch_and_remembers_it"
EVALUATION = "test_batchnorm_in_evaluation_uses_what_it_remembers"
BATCH = "test_in_training_a_prediction_depends_on_its_batch"
ONE = "test_batchnorm_cannot_train_on_a_batch_of_one"
MOMENTUM = "test_batchnorm_momentum_is_the_share_of_the_new"
WITHOUT = "test_batchnorm_without_statistics_is_always_in_training"
FROZEN = "test_frozen_parameters_do_not_stop_the_statistics"

PAIR = [[1.0], [3.0]]
"""Mean 2, biased variance 1, unbiased variance 2."""


def _layer(**settings):
    layer = nn.BatchNorm1d(1, **settings)
    return layer, layer(torch.tensor(PAIR))


@mutant(kills=(TRAINING, BATCH), witness=lambda: abs(_layer()[1][1].item() - 1) < 0.01)
def batchnorm_divides_by_the_unbiased_variance(patch):
    """In training BatchNorm divides by the unbiased standard deviation."""
    broken(
        patch,
        "batch_norm",
        lambda call, x, training, **more: (
            call(x, training=training, **more) * (math.sqrt(1 - 1 / len(x)) if training else 1)
        ),
    )


@mutant(kills=(TRAINING, CHANGES), witness=lambda: abs(_layer(momentum=1.0)[0].running_var.item() - 2) < 0.01)
def batchnorm_remembers_the_biased_variance(patch):
    """BatchNorm remembers the biased variance."""

    def change(call, x, running_var, training, momentum, **more):
        before = None if running_var is None else running_var.clone()
        y = call(x, running_var=running_var, training=training, momentum=momentum, **more)
        if training and before is not None:
            new = x.detach().transpose(0, 1).flatten(1).var(1, unbiased=False)
            running_var.copy_((1 - momentum) * before + momentum * new)
        return y

    broken(patch, "batch_norm", change)


@mutant(kills=(TRAINING, EVALUATION), witness=lambda: _layer()[0].num_batches_tracked == 1)
def batchnorm_does_not_count_batches(patch):
    """BatchNorm sets the number of batches to 0."""

    def forward(call, self, x):
        y = call(self, x)
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.zero_()
        return y

    patch.around(nn.BatchNorm1d, "forward", forward)


@mutant(kills=(TRAINING, MOMENTUM, CHANGES), witness=lambda: abs(_running_mean({}, PAIR) - 0.2) < 0.01)
def batchnorm_momentum_is_of_the_past(patch):
    """The momentum of BatchNorm is the weight of the past."""
    broken(patch, "batch_norm", lambda call, x, momentum, **more: call(x, momentum=1 - momentum, **more))


@mutant(kills=MOMENTUM, witness=lambda: abs(_running_mean({"momentum": None}, PAIR, PAIR) - 2) < 0.01)
def batchnorm_without_momentum_uses_a_tenth(patch):
    """`nn.BatchNorm1d(momentum=None)` is that with 0.1."""
    init = nn.BatchNorm1d.__init__
    patch.setattr(
        nn.BatchNorm1d,
        "__init__",
        lambda self, features, eps=1e-5, momentum=0.1, **more: init(self, features, eps, momentum or 0.1, **more),
    )


@mutant(kills=(MOMENTUM, TRAINING), witness=lambda: nn.BatchNorm1d(1).momentum == 0.1)
def batchnorm_momentum_is_a_hundredth(patch):
    """The momentum of BatchNorm is 0.01 unless given."""
    init = nn.BatchNorm1d.__init__
    patch.setattr(
        nn.BatchNorm1d,
        "__init__",
        lambda self, features, eps=1e-5, momentum=0.01, **more: init(self, features, eps, momentum, **more),
    )


def _evaluated(**settings):
    layer = nn.BatchNorm1d(1, **settings).eval()
    return layer, layer(torch.tensor(PAIR))


@mutant(kills=(EVALUATION, BATCH), witness=lambda: _evaluated()[1][0] > 0)
def batchnorm_uses_the_batch_in_evaluation(patch):
    """In evaluation BatchNorm uses the statistics of the batch, unless it is of one."""
    broken(
        patch,
        "batch_norm",
        lambda call, x, running_mean, running_var, training, **more: (
            call(x, running_mean=None, running_var=None, training=True, **more)
            if len(x) > 1 and not training
            else call(x, running_mean=running_mean, running_var=running_var, training=training, **more)
        ),
    )


@mutant(kills=(EVALUATION, FROZEN, SAME), witness=lambda: _evaluated()[0].running_mean == 0)
def batchnorm_learns_in_evaluation(patch):
    """BatchNorm moves its running mean in evaluation too."""

    def change(call, x, running_mean, training, **more):
        y = call(x, running_mean=running_mean, training=training, **more)
        if not training and running_mean is not None:
            with torch.no_grad():
                running_mean.mul_(0.9).add_(0.1 * x.mean(dim=0))
        return y

    broken(patch, "batch_norm", change)


@mutant(kills=EVALUATION, witness=lambda: abs(_evaluated(eps=3)[1][0].item() - 0.5) < 0.01)
def batchnorm_ignores_eps(patch):
    """BatchNorm uses an eps of 1e-5."""
    broken(patch, "batch_norm", lambda call, x, eps, **more: call(x, eps=1e-5, **more))


@mutant(
    kills=EVALUATION,
    witness=lambda: F.batch_norm(torch.ones(1, 1), torch.zeros(1), torch.ones(1), torch.tensor([5.0])) > 4,
)
def batchnorm_ignores_its_weight_in_evaluation(patch):
    """In evaluation BatchNorm doesn't multiply by its weight."""
    broken(
        patch,
        "batch_norm",
        lambda call, x, weight, training, **more: call(
            x, weight=weight if training else None, training=training, **more
        ),
    )


@mutant(kills=(TRAINING, BATCH), witness=lambda: abs(_layer()[1][1].item() - 1) < 0.01)
def batchnorm_uses_what_it_remembers_in_training(patch):
    """In training BatchNorm normalises with its running statistics."""

    def change(call, x, running_mean, running_var, training, **more):
        if not training or running_mean is None:
            return call(x, running_mean=running_mean, running_var=running_var, training=training, **more)
        old = running_mean.clone(), running_var.clone()
        call(x, running_mean=running_mean, running_var=running_var, training=True, **more)
        return call(x, running_mean=old[0], running_var=old[1], training=False, **more)

    broken(patch, "batch_norm", change)


def _of_one():
    return error_of(lambda: nn.BatchNorm1d(1)(torch.ones(1, 1)))


@mutant(kills=(TRAINING, ONE, WITHOUT), witness=lambda: _of_one() is ValueError)
def batchnorm_trains_on_a_batch_of_one(patch):
    """BatchNorm takes a batch of one in training."""
    patch.setattr(F, "_verify_batch_size", lambda size: None)


@mutant(kills=(ONE, WITHOUT), witness=lambda: _of_one() is ValueError, raises=RuntimeError)
def batchnorm_of_one_raises_runtime_error(patch):
    """BatchNorm raises RuntimeError for a batch of one in training."""
    verify = F._verify_batch_size

    def check(size):
        try:
            verify(size)
        except ValueError as error:
            raise RuntimeError(str(error)) from error

    patch.setattr(F, "_verify_batch_size", check)


@mutant(
    kills=ONE,
    witness=lambda: error_of(lambda: nn.BatchNorm2d(1)(torch.ones(1, 1, 2, 2))) is None,
    raises=ValueError,
)
def batchnorm_counts_images_and_not_pixels(patch):
    """BatchNorm refuses a single image in training."""
    broken(
        patch,
        "batch_norm",
        lambda call, x, training, **more: (
            refuse(ValueError, "Expected more than 1 value per channel when training")
            if training and len(x) == 1
            else call(x, training=training, **more)
        ),
    )


@mutant(kills=ONE, witness=lambda: _refused_mean() == 0)
def batchnorm_remembers_what_it_refuses(patch):
    """BatchNorm moves its running mean before it raises ValueError."""

    def change(call, x, running_mean, training, **more):
        if training and running_mean is not None and len(x) == 1 and x.dim() == 2:
            running_mean.add_(x.detach()[0])
        return call(x, running_mean=running_mean, training=training, **more)

    broken(patch, "batch_norm", change)


def _refused_mean():
    layer = nn.BatchNorm1d(1)
    error_of(lambda: layer(torch.ones(1, 1)))
    return layer.running_mean.item()


@mutant(kills=WITHOUT, witness=lambda: _evaluated(track_running_stats=False)[1][0] < 0)
def batchnorm_without_statistics_does_nothing_in_evaluation(patch):
    """BatchNorm without statistics gives back what it got in evaluation."""
    patch.around(
        nn.BatchNorm1d,
        "forward",
        lambda call, self, x: call(self, x) if self.training or self.running_mean is not None else x,
    )


@mutant(kills=WITHOUT, witness=lambda: nn.BatchNorm1d(1, track_running_stats=False).running_mean is None)
def batchnorm_always_has_statistics(patch):
    """`nn.BatchNorm1d(track_running_stats=False)` keeps statistics."""
    init = nn.BatchNorm1d.__init__
    patch.setattr(
        nn.BatchNorm1d,
        "__init__",
        lambda self, *args, track_running_stats=True, **more: init(self, *args, **more),
    )


@mutant(kills=FROZEN, witness=lambda: _frozen_mean() > 0)
def frozen_batchnorm_remembers_nothing(patch):
    """BatchNorm whose weight doesn't require grad keeps its running statistics."""

    def change(call, x, running_mean, running_var, weight, **more):
        if weight is not None and not weight.requires_grad and more["training"]:
            running_mean, running_var = running_mean.clone(), running_var.clone()
        return call(x, running_mean=running_mean, running_var=running_var, weight=weight, **more)

    broken(patch, "batch_norm", change)


def _frozen_mean():
    layer = nn.BatchNorm1d(1).requires_grad_(False)
    layer(torch.tensor(PAIR))
    return layer.running_mean.item()


MOST = "test_most_layers_do_not_look_at_the_mode"


def _modes_agree(layer, x=((1.0, 2.0),)):
    x = torch.tensor(x)
    return torch.equal(layer.train()(x), layer.eval()(x))


@mutant(kills=MOST, witness=lambda: _modes_agree(nn.LayerNorm(2)))
def layer_norm_looks_at_the_mode(patch):
    """`nn.LayerNorm` is a little larger in training."""
    patch.around(nn.LayerNorm, "forward", lambda call, self, x: call(self, x) * (1 + 1e-5 * self.training))


@mutant(kills=MOST, witness=lambda: _learned().weight.tolist() == [1, 1])
def group_norm_remembers_the_data(patch):
    """`nn.GroupNorm` moves its weight by itself in training."""

    def forward(call, self, x):
        y = call(self, x)
        if self.training:
            self.weight.data.mul_(1.01)
        return y

    patch.around(nn.GroupNorm, "forward", forward)


def _learned():
    layer = nn.GroupNorm(1, 2)
    layer(torch.tensor([[1.0, 2.0]]))
    return layer


@mutant(kills=MOST, witness=lambda: _modes_agree(nn.Linear(2, 2)))
def linear_adds_noise_in_training(patch):
    """`nn.Linear` adds noise in training."""
    patch.around(
        nn.Linear,
        "forward",
        lambda call, self, x: call(self, x) + (1e-3 * torch.randn(1, device=x.device) if self.training else 0),
    )


@mutant(kills="test_track_running_stats_set_later_keeps_the_old_statistics", witness=lambda: _told_later() > 0)
def batchnorm_looks_at_track_running_stats_in_evaluation(patch):
    """BatchNorm with `track_running_stats` False uses the batch in evaluation, even with statistics."""
    patch.around(
        nn.BatchNorm1d,
        "forward",
        lambda call, self, x: (
            call(self, x)
            if self.track_running_stats
            else F.batch_norm(x, None, None, self.weight, self.bias, True, 0.0, self.eps)
        ),
    )


def _told_later():
    layer = nn.BatchNorm1d(1).eval()
    layer.track_running_stats = False
    return layer(torch.tensor(PAIR))[0].item()


READS = "test_which_layers_look_at_the_mode"


@mutant(kills=READS, witness=lambda: "training" not in nn.Linear.forward.__code__.co_names)
def linear_looks_at_the_mode(patch):
    """`nn.Linear` reads the flag `training`."""

    def forward(self, x):
        return F.linear(x, self.weight * (1 if self.training else 2), self.bias)

    patch.setattr(nn.Linear, "forward", forward)


@mutant(kills=READS, witness=lambda: nn.InstanceNorm1d(1).running_mean is None)
def instance_norm_keeps_statistics(patch):
    """`nn.InstanceNorm1d` has running statistics unless it is told not to."""
    init = nn.InstanceNorm1d.__init__
    patch.setattr(
        nn.InstanceNorm1d,
        "__init__",
        lambda self, size, track_running_stats=True, **more: init(
            self, size, track_running_stats=track_running_stats, **more
        ),
    )


SPECTRAL = "test_spectral_norm_makes_a_linear_look_at_the_mode"


def _spectral(mode):
    torch.manual_seed(0)
    layer = nn.Linear(2, 2)
    layer.weight.data = torch.tensor([[1.0, 0.0], [0.0, 0.96]])
    layer = parametrizations.spectral_norm(layer).train(mode)
    return torch.equal(layer.weight, layer.weight)


def _normed(patch, mode):
    def forward(call, self, weight):
        before, self.training = self.training, mode
        try:
            return call(self, weight)
        finally:
            self.training = before

    patch.around(parametrizations._SpectralNorm, "forward", forward)


@mutant(kills=SPECTRAL, witness=lambda: not _spectral(mode=True))
def spectral_norm_keeps_its_estimate(patch):
    """`spectral_norm` takes no step in a forward pass."""
    _normed(patch, mode=False)


@mutant(kills=SPECTRAL, witness=lambda: _spectral(mode=False))
def spectral_norm_does_not_look_at_the_mode(patch):
    """`spectral_norm` takes a step in evaluation mode, too."""
    _normed(patch, mode=True)


def _of_one_output():
    layer = parametrizations.spectral_norm(nn.Linear(2, 1))
    return torch.equal(layer.weight, layer.weight)


@mutant(kills=SPECTRAL, witness=_of_one_output)
def spectral_norm_changes_every_weight(patch):
    """In training each use of a weight with `spectral_norm` changes it."""
    patch.around(
        parametrizations._SpectralNorm,
        "forward",
        lambda call, self, weight: call(self, weight) * (1 + torch.rand(()) / 8 if self.training else 1),
    )


# Modes of autograd.


RESULTS = "test_under_no_grad_results_need_no_gradient"
NESTED = "test_nested_modes"
BACK = "test_modes_come_back_after_an_exception"
STATEMENT = "test_no_grad_without_with_does_nothing"
DECORATE = "test_modes_decorate_functions"
BARE = "test_modes_decorate_without_parentheses"
GENERATOR = "test_a_with_block_in_a_generator_leaks_to_its_consumer"
THREAD = "test_a_thread_starts_with_gradients_on"
VIEW = "test_a_view_made_under_no_grad_loses_the_gradient_silently"
ITSELF = "test_one_no_grad_object_cannot_be_nested_in_itself"
BELOW = "test_no_grad_goes_below_classmethod_and_staticmethod"
AWAIT = "test_await_inside_no_grad_turns_gradients_off_for_other_tasks"
SIDE = "test_two_generators_with_blocks_leave_gradients_off"


def _inside(*contexts):
    """The modes inside of these contexts."""
    with contextlib.ExitStack() as stack:
        for context in contexts:
            stack.enter_context(context())
        return modes()


def _after_error(context):
    """The modes after an exception in this context."""
    with contextlib.suppress(KeyError), context():
        raise KeyError
    return modes()


def _exit(patch, mode, change):
    patch.around(mode, "__exit__", change)


@mutant(kills=RESULTS, witness=undisturbed(lambda: _inside(torch.no_grad) == (False, False)))
def no_grad_does_nothing(patch):
    """`torch.no_grad()` leaves gradients on."""
    patch.setattr(torch.no_grad, "__enter__", lambda self: setattr(self, "prev", torch.is_grad_enabled()))


@mutant(
    kills=(RESULTS, "test_no_grad_allows_changing_parameters_in_place"),
    witness=lambda: _untouched_requires_grad(),
)
def operations_under_no_grad_freeze(patch):
    """Under `no_grad` arithmetic sets `requires_grad` of its operand to False."""

    def change(call, x, *args, **more):
        result = call(x, *args, **more)
        if not torch.is_grad_enabled() and x.is_leaf:
            x.requires_grad_(False)
        return result

    patch.function("mul", "__mul__", "sub_", change=change)


def _untouched_requires_grad():
    x = torch.ones(1, requires_grad=True)
    with torch.no_grad():
        x * 2
    return x.requires_grad


@mutant(kills=RESULTS, witness=lambda: torch.no_grad()(torch.ones)(1, requires_grad=True).requires_grad)
def leaves_made_under_no_grad_require_no_gradient(patch):
    """Under `no_grad` `torch.ones(..., requires_grad=True)` doesn't require grad."""
    patch.function(
        "ones",
        change=lambda call, *args, requires_grad=False, **more: call(
            *args, requires_grad=requires_grad and torch.is_grad_enabled(), **more
        ),
    )


IN_PLACE = "test_no_grad_allows_changing_parameters_in_place"


@mutant(kills=IN_PLACE, witness=lambda: error_of(lambda: torch.ones(1, requires_grad=True).sub_(1)) is RuntimeError)
def parameters_may_be_changed_anywhere(patch):
    """A leaf that requires grad can be changed in place anywhere."""
    patch.function("sub_", change=lambda call, *args, **more: torch.no_grad()(call)(*args, **more))


@mutant(kills=IN_PLACE, witness=lambda: _subtracted() == 0)
def sub_under_no_grad_changes_a_copy(patch):
    """Under `no_grad` `sub_` leaves a leaf that requires grad as it was."""
    patch.function(
        "sub_",
        change=lambda call, x, *args, **more: call(
            x.clone() if x.requires_grad and not torch.is_grad_enabled() else x, *args, **more
        ),
    )


def _subtracted():
    x = torch.ones(1, requires_grad=True)
    with torch.no_grad():
        x.sub_(1)
    return x.item()


@mutant(kills=IN_PLACE, witness=lambda: error_of(lambda: torch.ones(1).sub_(1)) is None, raises=RuntimeError)
def no_leaf_may_be_changed_while_recording(patch):
    """An in-place `sub_` of any leaf raises RuntimeError while autograd records."""
    patch.function(
        "sub_",
        change=lambda call, x, *args: (
            refuse(RuntimeError, "a leaf Variable that requires grad")
            if x.is_leaf and torch.is_grad_enabled()
            else call(x, *args)
        ),
    )


def _view_under_no_grad():
    x = torch.ones(2, requires_grad=True)
    with torch.no_grad():
        return x.view(2)


@mutant(kills=VIEW, witness=lambda: _view_under_no_grad().requires_grad)
def views_under_no_grad_are_detached(patch):
    """Under `no_grad` `view` gives a tensor that doesn't require grad."""
    patch.function(
        "view", change=lambda call, x, *args: call(x, *args) if torch.is_grad_enabled() else call(x.detach(), *args)
    )


@mutant(kills=VIEW, witness=lambda: _view_under_no_grad().grad_fn is None)
def views_under_no_grad_are_recorded(patch):
    """Under `no_grad` and `inference_mode` `view` is recorded all the same."""

    def change(call, x, *args):
        with torch.inference_mode(False):
            return call(x, *args)

    patch.function("view", change=change)


def _nested_in_itself():
    quiet = torch.no_grad()
    with quiet, quiet:
        pass
    return torch.is_grad_enabled()


@mutant(kills=ITSELF, witness=undisturbed(lambda: not _nested_in_itself()))
def no_grad_remembers_every_mode(patch):
    """One `no_grad` object can be nested in itself."""

    def enter(call, self):
        before = getattr(self, "all", [])
        call(self)
        self.all = [*before, self.prev]

    def leave(call, self, *error):
        torch._C._set_grad_enabled(self.all.pop())

    patch.around(torch.no_grad, "__enter__", enter)
    _exit(patch, torch.no_grad, leave)


def _nested_with_gradients_between():
    quiet = torch.no_grad()
    with quiet, torch.enable_grad(), quiet:
        pass
    return torch.is_grad_enabled()


@mutant(kills=ITSELF, witness=undisturbed(_nested_with_gradients_between))
def no_grad_in_itself_always_leaves_gradients_off(patch):
    """One `no_grad` object that is nested in itself leaves gradients off, whatever stands between the blocks."""

    def enter(call, self):
        call(self)
        self.depth = getattr(self, "depth", 0) + 1
        self.prev = self.prev and self.depth == 1

    def leave(call, self, *error):
        self.depth -= 1
        call(self, *error)

    patch.around(torch.no_grad, "__enter__", enter)
    _exit(patch, torch.no_grad, leave)


@mutant(kills=ITSELF, witness=undisturbed(lambda: _used_twice()))
def no_grad_works_once(patch):
    """A `no_grad` object turns gradients off in its first block only."""

    def enter(call, self):
        if not hasattr(self, "used"):
            call(self)
        self.used = True

    patch.around(torch.no_grad, "__enter__", enter)


def _used_twice():
    quiet = torch.no_grad()
    with quiet:
        pass
    with quiet:
        return not torch.is_grad_enabled()


def _statement(*lines):
    for line in lines:
        line()
    return modes()


@mutant(kills=STATEMENT, witness=undisturbed(lambda: _statement(torch.no_grad)[0]))
def no_grad_acts_at_once(patch):
    """`torch.no_grad()` turns gradients off before any `with`."""

    def init(call, self):
        call(self)
        torch._C._set_grad_enabled(False)

    patch.around(torch.no_grad, "__init__", init)


@mutant(kills=STATEMENT, witness=undisturbed(lambda: not _statement(lambda: torch.set_grad_enabled(False))[0]))
def set_grad_enabled_waits_for_with(patch):
    """`torch.set_grad_enabled(False)` on a line of its own does nothing."""

    def init(self, mode):
        self.prev, self.mode = torch.is_grad_enabled(), mode

    patch.setattr(torch.set_grad_enabled, "__init__", init)


@mutant(
    kills=STATEMENT,
    witness=undisturbed(
        lambda: _statement(lambda: torch.set_grad_enabled(False), lambda: torch.set_grad_enabled(True))[0]
    ),
)
def set_grad_enabled_cannot_turn_on(patch):
    """`torch.set_grad_enabled(True)` on a line of its own does nothing."""

    def init(call, self, mode):
        before = torch.is_grad_enabled()
        call(self, mode)
        torch._C._set_grad_enabled(mode and before)

    patch.around(torch.set_grad_enabled, "__init__", init)


@mutant(kills=(NESTED, BACK, SIDE), witness=undisturbed(lambda: not _after_inner(torch.no_grad, torch.no_grad)[0]))
def no_grad_always_ends_with_gradients_on(patch):
    """After a `no_grad` inside another gradients are on."""
    _exit(patch, torch.no_grad, lambda call, self, *error: torch._C._set_grad_enabled(True))


def _after_inner(outer, inner):
    with outer():
        with inner():
            pass
        return modes()


@mutant(
    kills=(NESTED, BACK, STATEMENT),
    witness=undisturbed(lambda: not _after_inner(torch.no_grad, torch.enable_grad)[0]),
)
def enable_grad_stays_on(patch):
    """After `enable_grad` inside `no_grad` gradients stay on."""
    _exit(patch, torch.enable_grad, lambda call, self, *error: None)


@mutant(
    kills=NESTED,
    witness=undisturbed(lambda: _inside(torch.inference_mode, torch.enable_grad)[1]),
)
def enable_grad_ends_inference_mode(patch):
    """`enable_grad` inside `inference_mode` ends it."""

    def enter(self):
        self.inner = torch.inference_mode(False)
        self.inner.__enter__()

    patch.setattr(torch.enable_grad, "__enter__", enter)
    _exit(patch, torch.enable_grad, lambda call, self, *error: self.inner.__exit__(*error))


@mutant(
    kills=(NESTED, DECORATE),
    witness=undisturbed(lambda: _inside(torch.no_grad, lambda: torch.inference_mode(False))[0]),
)
def inference_mode_false_does_nothing(patch):
    """`torch.inference_mode(False)` changes nothing."""

    def enter(call, self):
        return call(self) if self.mode else None

    def leave(call, self, *error):
        return call(self, *error) if self.mode else None

    patch.around(torch.inference_mode, "__enter__", enter)
    patch.around(torch.inference_mode, "__exit__", leave)


@mutant(
    kills=NESTED,
    witness=undisturbed(lambda: _inside(torch.no_grad, lambda: torch.inference_mode(False))[0]),
)
def inference_mode_false_does_not_record(patch):
    """`torch.inference_mode(False)` inside `no_grad` leaves gradients off."""

    def enter(call, self):
        before = torch.is_grad_enabled()
        call(self)
        if not self.mode and not torch.is_inference_mode_enabled():
            torch._C._set_grad_enabled(before)

    patch.around(torch.inference_mode, "__enter__", enter)


@mutant(
    kills=(SWITCHES, NESTED, THREAD, "test_inference_tensors_have_no_version_counter"),
    witness=undisturbed(lambda: _inside(torch.inference_mode)[1]),
)
def inference_mode_is_no_grad(patch):
    """`torch.inference_mode()` does what `no_grad` does and no more."""

    def enter(self):
        self.before = torch.is_grad_enabled()
        torch._C._set_grad_enabled(not self.mode)

    patch.setattr(torch.inference_mode, "__enter__", enter)
    _exit(patch, torch.inference_mode, lambda call, self, *error: torch._C._set_grad_enabled(self.before))


@mutant(
    kills=(SWITCHES, NESTED, DECORATE, THREAD),
    witness=undisturbed(lambda: not _inside(torch.no_grad)[1]),
    raises=RuntimeError,  # a model that was moved has parameters that nothing can be saved of for backward
)
def no_grad_is_inference_mode(patch):
    """`torch.no_grad()` does what `inference_mode` does."""

    def enter(self):
        self.inner = torch.inference_mode()
        self.inner.__enter__()

    patch.setattr(torch.no_grad, "__enter__", enter)
    _exit(patch, torch.no_grad, lambda call, self, *error: self.inner.__exit__(*error))


def _after_an_error(mode, context=None):
    return undisturbed(lambda: _after_error(context or mode) == (True, False))


def _stays_after_an_error(patch, mode):
    _exit(patch, mode, lambda call, self, kind, *error: None if kind else call(self, kind, *error))


@mutant(kills=BACK, witness=_after_an_error(torch.no_grad))
def no_grad_stays_after_an_exception(patch):
    """After an exception in `no_grad` gradients stay off."""
    _stays_after_an_error(patch, torch.no_grad)


@mutant(kills=BACK, witness=_after_an_error(None, lambda: torch.set_grad_enabled(False)))
def set_grad_enabled_stays_after_an_exception(patch):
    """After an exception in `set_grad_enabled(False)` gradients stay off."""
    _stays_after_an_error(patch, torch.set_grad_enabled)


@mutant(kills=BACK, witness=_after_an_error(torch.inference_mode))
def inference_mode_leaves_gradients_off_after_an_exception(patch):
    """After an exception inference mode ends, but gradients stay off."""

    def leave(call, self, kind, *error):
        call(self, kind, *error)
        if kind and self.mode:
            torch._C._set_grad_enabled(False)

    _exit(patch, torch.inference_mode, leave)


def _decorator(patch, change):
    """Let `@torch.no_grad()` and its like make `change(self, function)` of a function."""
    patch.setattr(_contextlib._DecoratorContextManager, "__call__", change)


def _decorated(mode=torch.no_grad):
    @mode()
    def function():
        return modes()

    return function


@mutant(kills=(DECORATE, BARE, GENERATOR), witness=lambda: _decorated()() == (False, False))
def modes_do_not_decorate(patch):
    """`@torch.no_grad()` leaves a function as it is."""
    _decorator(patch, lambda self, function: function)


@mutant(kills=DECORATE, witness=lambda: _decorated()() is not None)
def decorated_functions_return_nothing(patch):
    """A function under `@torch.no_grad()` returns None."""

    def change(self, function):
        @functools.wraps(function)
        def decorated(*args, **kwargs):
            with self.clone():
                function(*args, **kwargs)

        return decorated

    _decorator(patch, change)


def _calls(function, count):
    return [function() for _ in range(count)]


@mutant(kills=DECORATE, witness=lambda: _calls(_decorated(), 2) == [(False, False)] * 2)
def modes_decorate_the_first_call_only(patch):
    """A function under `@torch.no_grad()` runs under it the first time only."""

    def change(self, function):
        calls = itertools.count()

        @functools.wraps(function)
        def decorated(*args, **kwargs):
            with contextlib.nullcontext() if next(calls) else self.clone():
                return function(*args, **kwargs)

        return decorated

    _decorator(patch, change)


@mutant(kills=DECORATE, witness=lambda: _decorated().__name__ == "function")
def decorated_functions_lose_their_name(patch):
    """A function under `@torch.no_grad()` is called `decorated`."""

    def change(self, function):
        def decorated(*args, **kwargs):
            with self.clone():
                return function(*args, **kwargs)

        return decorated

    _decorator(patch, change)


@mutant(kills=BACK, witness=undisturbed(lambda: error_of(torch.no_grad()(_raise)) and torch.is_grad_enabled()))
def decorated_functions_leave_gradients_off_after_an_exception(patch):
    """After an exception in a function under `@torch.no_grad()` gradients stay off."""

    def change(self, function):
        @functools.wraps(function)
        def decorated(*args, **kwargs):
            context = self.clone()
            context.__enter__()
            result = function(*args, **kwargs)
            context.__exit__(None, None, None)
            return result

        return decorated

    _decorator(patch, change)


def _raise():
    raise KeyError


def _generated():
    @torch.no_grad()
    def generate():
        yield torch.is_grad_enabled()

    return [(inside, torch.is_grad_enabled()) for inside in generate()]


@mutant(kills=GENERATOR, witness=undisturbed(lambda: _generated() == [(False, True)]))
def decorated_generators_leak(patch):
    """A generator under `@torch.no_grad()` leaves gradients off for its consumer."""
    decorate = _contextlib._DecoratorContextManager.__call__

    def change(self, function):
        if not inspect.isgeneratorfunction(function):
            return decorate(self, function)

        @functools.wraps(function)
        def decorated(*args, **kwargs):
            with self.clone():
                yield from function(*args, **kwargs)

        return decorated

    _decorator(patch, change)


@mutant(kills=GENERATOR, witness=undisturbed(lambda: _generated() == [(False, True)]))
def decorated_generators_record(patch):
    """A generator under `@torch.no_grad()` runs with gradients on."""
    decorate = _contextlib._DecoratorContextManager.__call__
    _decorator(
        patch,
        lambda self, function: function if inspect.isgeneratorfunction(function) else decorate(self, function),
    )


def _in_a_thread():
    seen = []
    thread = threading.Thread(target=lambda: seen.append(modes()))
    thread.start()
    thread.join()
    return seen[0]


def _inherit(patch, read, enter):
    """Let threads start in the mode of the thread that starts them."""

    def start(call, self):
        self.mode_of_parent = read()
        call(self)

    def run(call, self):
        with enter(self.mode_of_parent):
            call(self)

    patch.around(threading.Thread, "start", start)
    patch.around(threading.Thread, "run", run)


@mutant(kills=THREAD, witness=lambda: torch.no_grad()(_in_a_thread)() == (True, False))
def threads_inherit_no_grad(patch):
    """A thread that is started under `no_grad` runs without gradients."""
    _inherit(patch, torch.is_grad_enabled, torch.set_grad_enabled)


@mutant(kills=THREAD, witness=lambda: torch.inference_mode()(_in_a_thread)() == (True, False))
def threads_inherit_inference_mode(patch):
    """A thread that is started in inference mode runs in it."""
    _inherit(patch, torch.is_inference_mode_enabled, torch.inference_mode)


def _above_classmethod():
    return torch.no_grad()(classmethod(lambda cls: modes())).__get__(None, int)()


@mutant(kills=BELOW, witness=lambda: error_of(_above_classmethod) is TypeError)
def no_grad_decorates_class_methods(patch):
    """`@torch.no_grad()` above `@classmethod` makes a class method."""
    original = _contextlib._DecoratorContextManager.__call__

    def decorate(self, function):
        if isinstance(function, classmethod):
            return classmethod(original(self, function.__func__))
        return original(self, function)

    _decorator(patch, decorate)


@mutant(kills=BELOW, witness=lambda: _decorated()() == (False, False))
def decorated_functions_run_with_gradients(patch):
    """`@torch.no_grad()` above a function does nothing; above `@classmethod` it raises TypeError when called."""
    original = _contextlib._DecoratorContextManager.__call__
    _decorator(
        patch,
        lambda self, function: original(self, function) if isinstance(function, classmethod) else function,
    )


def _other_task():
    seen = []

    async def quiet():
        with torch.no_grad():
            await asyncio.sleep(0)

    async def other():
        seen.append(torch.is_grad_enabled())

    async def main():
        await asyncio.gather(quiet(), other())

    asyncio.run(main())
    return seen[0]


@mutant(kills=AWAIT, witness=undisturbed(lambda: _other_task() is False))
def tasks_have_a_mode_of_their_own(patch):
    """In an asyncio task `torch.is_grad_enabled()` does not see the `no_grad` of another task."""
    enabled = torch.is_grad_enabled
    owners = {}

    def current():
        try:
            return asyncio.current_task()
        except RuntimeError:
            return None

    def enter(call, self):
        call(self)
        owners[current()] = True

    def read():
        return enabled() if current() is None or current() in owners else True

    patch.around(torch.no_grad, "__enter__", enter)
    patch.setattr(torch, "is_grad_enabled", read)


SET_DECORATOR = "test_decorating_with_set_grad_enabled_leaves_the_mode_alone"


def _mode_after_decorating():
    with torch.enable_grad():
        function = torch.set_grad_enabled(False)(torch.is_grad_enabled)
        return torch.is_grad_enabled(), function()


@mutant(kills=SET_DECORATOR, witness=lambda: _mode_after_decorating() == (True, False))
def set_grad_enabled_acts_when_it_decorates(patch):
    """`@torch.set_grad_enabled(False)` turns gradients off from there on, as until torch 2.1."""

    def call(original, self, function):
        decorated = original(self, function)
        torch._C._set_grad_enabled(self.mode)
        return decorated

    patch.around(torch.set_grad_enabled, "__call__", call)


@mutant(kills=SET_DECORATOR, witness=lambda: _mode_after_decorating() == (True, False))
def set_grad_enabled_does_not_decorate(patch):
    """`@torch.set_grad_enabled(False)` leaves a function as it is."""
    patch.around(
        torch.set_grad_enabled,
        "__call__",
        lambda call, self, function: (torch._C._set_grad_enabled(self.prev), function)[1],
    )


CLASS = "test_decorating_a_class_is_deprecated"


def _decorating_a_class():
    """The warnings, whether gradients are on when an object is made, and in its method."""

    class Model:
        def __init__(self):
            self.when_made = torch.is_grad_enabled()

        def predict(self):
            return torch.is_grad_enabled()

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = torch.no_grad()(Model)()
    return [warning.category for warning in caught], model.when_made, model.predict()


@mutant(kills=CLASS, witness=lambda: _decorating_a_class()[0] == [FutureWarning])
def decorating_a_class_is_silent(patch):
    """`@torch.no_grad()` above a class gives no warning."""
    original = _contextlib._DecoratorContextManager.__call__

    def decorate(self, function):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return original(self, function)

    _decorator(patch, decorate)


@mutant(kills=CLASS, witness=lambda: _decorating_a_class()[1] is False)
def decorating_a_class_does_nothing(patch):
    """`@torch.no_grad()` above a class warns and covers nothing, not even the making of an object."""
    original = _contextlib._DecoratorContextManager.__call__

    def decorate(self, function):
        decorated = original(self, function)
        return (lambda *args: function(*args)) if inspect.isclass(function) else decorated

    _decorator(patch, decorate)


COROUTINE = "test_a_decorated_coroutine_records_all_the_same"


def _decorated_coroutine():
    @torch.no_grad()
    async def function():
        return torch.is_grad_enabled()

    try:
        function().send(None)
    except StopIteration as end:
        return end.value


@mutant(kills=COROUTINE, witness=lambda: _decorated_coroutine() is True)
def decorated_coroutines_record_nothing(patch):
    """`@torch.no_grad()` above an `async def` covers what it does when it runs."""
    original = _contextlib._DecoratorContextManager.__call__

    def decorate(self, function):
        if not inspect.iscoroutinefunction(function):
            return original(self, function)

        async def covered(*args, **kwargs):
            with self.clone():
                return await function(*args, **kwargs)

        return covered

    _decorator(patch, decorate)


# Inference tensors.


WHAT = "test_what_is_an_inference_tensor"
BACKWARD = "test_inference_tensors_cannot_be_saved_for_backward"
WRITTEN = "test_inference_tensors_are_not_to_be_written_to_outside"
COUNTER = "test_inference_tensors_have_no_version_counter"
HIDE = "test_inference_mode_does_not_hide_writes_to_normal_tensors"
MADE = "test_a_model_made_in_inference_mode_learns_its_biases_only"
SILENTLY = "test_detach_and_data_write_to_inference_tensors_silently"


def _made():
    return torch.inference_mode()(torch.ones)(2)


def _outside(x):
    return isinstance(x, torch.Tensor) and x.is_inference() and not torch.is_inference_mode_enabled()


@mutant(kills=(WHAT, NESTED, MADE), witness=lambda: _made().is_inference())
def no_tensor_says_that_it_is_an_inference_tensor(patch):
    """`Tensor.is_inference()` is always False."""
    patch.function("is_inference", change=lambda call, x: False)


@mutant(
    kills=WHAT, witness=lambda: not torch.inference_mode()(torch.Tensor.__getitem__)(torch.ones(2), 0).is_inference()
)
def views_in_inference_mode_are_inference_tensors(patch):
    """In inference mode a part of a normal tensor is an inference tensor."""
    patch.around(
        torch.Tensor,
        "__getitem__",
        lambda call, *args: call(*args).clone() if torch.is_inference_mode_enabled() else call(*args),
    )


@mutant(
    kills=WHAT, witness=lambda: torch.inference_mode()(torch.Tensor.view)(torch.ones(2), torch.int32).is_inference()
)
def views_as_another_dtype_are_views(patch):
    """In inference mode a view of a normal tensor as another dtype is normal."""

    def change(call, x, *args):
        if args == (torch.int32,) and torch.is_inference_mode_enabled() and not x.is_inference():
            with torch.inference_mode(False), torch.no_grad():
                return call(x, *args)
        return call(x, *args)

    patch.function("view", change=change)


@mutant(kills=(WHAT, SILENTLY), witness=lambda: _made().detach().is_inference())
def detach_makes_a_normal_tensor(patch):
    """`detach()` of an inference tensor outside is a normal tensor."""
    patch.function("detach", change=lambda call, x: call(x.clone()) if _outside(x) else call(x))


@mutant(kills=(WHAT, BACKWARD, WRITTEN), witness=lambda: not _made().clone().is_inference(), raises=RuntimeError)
def clones_of_inference_tensors_are_inference_tensors(patch):
    """`clone()` of an inference tensor outside is an inference tensor."""
    patch.function(
        "clone",
        change=lambda call, x, **more: torch.inference_mode()(call)(x, **more) if _outside(x) else call(x, **more),
    )


def _normal(call, *args, **more):
    return call(*(x.clone() if _outside(x) else x for x in args), **more)


@mutant(kills=BACKWARD, witness=lambda: error_of(lambda: torch.ones(2, requires_grad=True) * _made()) is RuntimeError)
def products_with_inference_tensors_are_recorded(patch):
    """A product with an inference tensor keeps a clone for backward."""
    patch.function("mul", "__mul__", "__rmul__", change=_normal)


@mutant(kills=BACKWARD, witness=lambda: error_of(lambda: nn.Linear(2, 1)(_made())) is RuntimeError)
def linear_takes_inference_tensors(patch):
    """`nn.Linear` of an inference tensor keeps a clone for backward."""
    patch.function("linear", change=_normal)


@mutant(
    kills=BACKWARD,
    witness=lambda: error_of(lambda: torch.ones(2, requires_grad=True) + _made()) is None,
    raises=RuntimeError,
)
def sums_with_inference_tensors_are_refused(patch):
    """A sum with an inference tensor raises RuntimeError outside."""
    patch.function(
        "add",
        "__add__",
        change=lambda call, x, y, **more: (
            refuse(RuntimeError, "Inference tensors cannot be saved for backward")
            if x.requires_grad and _outside(y)
            else call(x, y, **more)
        ),
    )


@mutant(kills=WRITTEN, witness=lambda: error_of(lambda: _made().add_(1)) is RuntimeError)
def inference_tensors_may_be_written_to(patch):
    """`add_` writes to inference tensors outside."""
    patch.function(
        "add_",
        change=lambda call, x, *args, **more: (
            torch.inference_mode()(call)(x, *args, **more) if _outside(x) else call(x, *args, **more)
        ),
    )


@mutant(kills=WRITTEN, witness=lambda: _after_write() == 2)
def writes_to_inference_tensors_are_stopped_in_time(patch):
    """`add_` raises RuntimeError for an inference tensor outside before it writes."""
    patch.function(
        "add_",
        change=lambda call, x, *args, **more: (
            refuse(RuntimeError, "Inplace update to inference tensor outside InferenceMode is not allowed.")
            if _outside(x)
            else call(x, *args, **more)
        ),
    )


def _after_write():
    x = _made()
    error_of(lambda: x.add_(1))
    return x[0].item()


@mutant(
    kills=WRITTEN,
    witness=lambda: error_of(lambda: torch.no_grad()(torch.Tensor.__setitem__)(_made(), 0, 7)) is RuntimeError,
)
def inference_tensors_may_be_written_to_under_no_grad(patch):
    """Under `no_grad` elements of inference tensors may be set outside."""
    patch.function(
        "__setitem__",
        change=lambda call, x, *args: (
            torch.inference_mode()(call)(x, *args) if _outside(x) and not torch.is_grad_enabled() else call(x, *args)
        ),
    )


@mutant(kills=WRITTEN, witness=lambda: error_of(lambda: _made().requires_grad_()) is RuntimeError)
def inference_tensors_may_require_grad(patch):
    """`requires_grad_()` of an inference tensor outside does nothing, without a word."""
    patch.function("requires_grad_", change=lambda call, x, *args: x if _outside(x) else call(x, *args))


@mutant(kills=COUNTER, witness=lambda: error_of(lambda: _made()._version) is RuntimeError)
def inference_tensors_have_a_version(patch):
    """The version of an inference tensor is 0."""
    version = torch.Tensor._version
    patch.setattr(torch.Tensor, "_version", property(lambda self: 0 if self.is_inference() else version.__get__(self)))


@mutant(kills=COUNTER, witness=lambda: _version_under_no_grad() == 1)
def no_grad_stops_the_version_counter(patch):
    """Writes under `no_grad` aren't counted."""
    patch.function("add_", change=_uncounted(lambda: modes() == (False, False)))


def _uncounted(when):
    def change(call, x, *args, **more):
        if when() and not x.is_inference():
            call(x.data, *args, **more)
            return x
        return call(x, *args, **more)

    return change


def _version_under_no_grad():
    x = torch.ones(1)
    with torch.no_grad():
        x.add_(1)
    return x._version


def _written_in_inference_mode():
    x = torch.ones(2)
    with torch.inference_mode():
        x[:1].mul_(3)
    return x.tolist(), x._version


@mutant(kills=HIDE, witness=lambda: _written_in_inference_mode()[1] == 1)
def inference_mode_stops_the_version_counter(patch):
    """Writes in inference mode aren't counted."""
    patch.function("mul_", change=_uncounted(torch.is_inference_mode_enabled))


@mutant(kills=HIDE, witness=lambda: _written_in_inference_mode()[0] == [3, 1])
def inference_mode_protects_normal_tensors(patch):
    """In inference mode a write to a normal tensor changes a copy."""
    patch.function(
        "mul_",
        change=lambda call, x, *args: call(
            x.clone() if torch.is_inference_mode_enabled() and not x.is_inference() else x, *args
        ),
    )


@mutant(kills=COUNTER, witness=lambda: _version_of_data() == 0)
def writes_through_data_are_counted(patch):
    """`tensor.data` shares the version counter of the tensor."""
    patch.setattr(torch.Tensor, "data", property(lambda self: self.detach()))


def _version_of_data():
    x = torch.ones(1)
    x.data.add_(1)
    return x._version


@mutant(kills=SILENTLY, witness=lambda: error_of(lambda: _made().data.add_(1)) is None, raises=RuntimeError)
def data_of_inference_tensors_is_protected(patch):
    """`add_` on `tensor.data` of an inference tensor raises RuntimeError outside."""
    patch.setattr(torch.Tensor, "data", property(lambda self: self))


@mutant(kills=WHAT, witness=lambda: not copy.deepcopy(_made()).is_inference())
def deepcopies_of_inference_tensors_are_inference_tensors(patch):
    """`copy.deepcopy` of an inference tensor outside is an inference tensor."""
    patch.around(
        torch.Tensor,
        "__deepcopy__",
        lambda call, x, memo: torch.inference_mode()(torch.clone)(x) if _outside(x) else call(x, memo),
    )


@mutant(kills=MADE, witness=lambda: error_of(_load_into_a_model_made_in_inference_mode) is RuntimeError)
def load_state_dict_writes_to_inference_tensors(patch):
    """`load_state_dict` writes to the parameters of a model that was built in inference mode."""
    patch.around(nn.Module, "load_state_dict", lambda call, *args: torch.inference_mode()(call)(*args))


def _load_into_a_model_made_in_inference_mode():
    with torch.inference_mode():
        model = nn.Linear(1, 1)
    model.load_state_dict(nn.Linear(1, 1).state_dict())


def _bias_of_a_model_made_in_inference_mode():
    with torch.inference_mode():
        model = nn.Linear(1, 1)
    model(torch.ones(1, 1)).backward()
    return model.bias.grad.item()


@mutant(kills=MADE, witness=lambda: _bias_of_a_model_made_in_inference_mode() == 1, raises=RuntimeError)
def models_made_in_inference_mode_cannot_be_used_outside(patch):
    """`nn.Linear` raises RuntimeError outside if it was built in inference mode."""
    patch.function(
        "linear",
        change=lambda call, x, weight, *bias: (
            refuse(RuntimeError, "Inference tensors cannot be saved for backward")
            if _outside(weight)
            else call(x, weight, *bias)
        ),
    )


@mutant(kills=MADE, witness=lambda: _bias_of_a_model_made_in_inference_mode() == 1)
def models_made_in_inference_mode_learn_half(patch):
    """The bias of an `nn.Linear` that was built in inference mode gets half of its gradient."""
    patch.function(
        "linear",
        change=lambda call, x, weight, bias: call(
            x, weight, bias / 2 + (bias / 2).detach() if _outside(bias) else bias
        ),
    )


# Memory of an accelerator.


@mutant(
    kills="test_no_grad_frees_the_memory_of_the_layers_between",
    witness=lambda: not (torch.no_grad()(lambda: torch.ones(1, requires_grad=True) * 2)()).requires_grad,
)
def no_grad_keeps_the_graph_and_its_memory(patch):
    """Under `no_grad` everything is recorded."""
    patch.setattr(torch.no_grad, "__enter__", lambda self: setattr(self, "prev", torch.is_grad_enabled()))


# What sentences once promised and torch does not do


def _float_under_no_grad():
    weight = torch.ones(1, requires_grad=True)
    return torch.no_grad()(weight.float)().requires_grad


@mutant(kills="test_under_no_grad_results_need_no_gradient", witness=_float_under_no_grad)
def float_detaches_under_no_grad(patch):
    """Under `no_grad` the result of `float()` is a new tensor that does not require grad."""
    patch.function("float", change=lambda call, x, **more: call(x, **more) if modes()[0] else call(x, **more).detach())


@mutant(kills=WHAT, witness=lambda: _made().float().is_inference())
def float_makes_normal_tensors(patch):
    """Outside of the mode `float()` of an inference tensor is a normal tensor."""
    patch.function("float", change=lambda call, x, **more: call(x, **more).clone() if _outside(x) else call(x, **more))


def _bias_alone_learns():
    layer = nn.Linear(2, 1)
    layer.weight.requires_grad_(False)
    layer(_made()).backward()
    return layer.bias.grad.item()


@mutant(kills=BACKWARD, witness=lambda: _bias_alone_learns() == 1, raises=RuntimeError)
def a_linear_that_learns_a_bias_refuses_inference_tensors(patch):
    """`nn.Linear` raises for an inference tensor, even if its weight is frozen."""
    patch.function(
        "linear",
        change=lambda call, x, weight, bias: (
            refuse(RuntimeError, "Inference tensors cannot be saved for backward")
            if _outside(x) and bias.requires_grad
            else call(x, weight, bias)
        ),
    )


def _version_after_a_fused_step():
    weight = nn.Parameter(torch.ones(1))
    weight.grad = torch.ones(1)
    torch.optim.Adam([weight], fused=True).step()
    return weight._version


@mutant(kills="test_a_fused_step_is_not_counted", witness=lambda: _version_after_a_fused_step() == 0)
def a_fused_step_is_counted(patch):
    """A step of an Adam with `fused=True` counts as a change of its parameters."""

    def change(step, self, *args, **more):
        step(self, *args, **more)
        with torch.no_grad():
            for group in self.param_groups:
                for parameter in group["params"]:
                    parameter.add_(0)

    patch.around(torch.optim.Adam, "step", change)


@mutant(
    kills="test_a_fused_step_is_not_counted", witness=lambda: error_of(_default_step_before_backward) is RuntimeError
)
def no_step_is_counted(patch):
    """No step of an Adam counts as a change of its parameters."""
    patch.setattr(torch.optim.Adam, "__init__", _fused(torch.optim.Adam.__init__))


def _fused(init):
    @functools.wraps(init)
    def start(self, params, lr=1e-3, fused=None):
        init(self, params, lr=lr, fused=True)

    return start


def _default_step_before_backward():
    weight = nn.Parameter(torch.ones(1))
    loss = (weight**2).sum()
    weight.grad = torch.ones(1)
    torch.optim.Adam([weight]).step()
    loss.backward()


def _numpy_is_counted():
    x = torch.ones(2)
    x.apply_(lambda number: number)
    return x._version > 0


@mutant(kills=COUNTER, witness=lambda: not _numpy_is_counted())
def apply_is_counted(patch):
    """`apply_` counts as a change."""
    patch.function("apply_", change=lambda call, x, *args: call(x, *args).add_(0))


@mutant(
    kills="test_frozen_parameters_do_not_stop_the_statistics",
    witness=lambda: _bias_with_a_gradient_from_before() == -1,
)
def sgd_leaves_frozen_parameters_alone(patch):
    """A step of SGD leaves parameters alone that do not require grad, even if they have a gradient."""

    def change(step, self, *args, **more):
        for group in self.param_groups:
            for parameter in group["params"]:
                if not parameter.requires_grad:
                    parameter.grad = None
        return step(self, *args, **more)

    patch.around(torch.optim.SGD, "step", change)


def _bias_with_a_gradient_from_before():
    layer = nn.BatchNorm1d(1).requires_grad_(False)
    layer.bias.grad = torch.ones(1)
    torch.optim.SGD(layer.parameters(), lr=1).step()
    return layer.bias.item()


def _gradient_of_a_frozen_layer_after_zero_grad():
    layer = nn.BatchNorm1d(1).requires_grad_(False)
    layer.bias.grad = torch.ones(1)
    layer.zero_grad()
    return layer.bias.grad


@mutant(
    kills="test_frozen_parameters_do_not_stop_the_statistics",
    witness=lambda: _gradient_of_a_frozen_layer_after_zero_grad() is None,
)
def zero_grad_skips_frozen_parameters(patch):
    """`model.zero_grad()` leaves the gradients of parameters alone that do not require grad."""

    def change(zero_grad, self, *args, **more):
        kept = [(parameter, parameter.grad) for parameter in self.parameters() if not parameter.requires_grad]
        zero_grad(self, *args, **more)
        for parameter, grad in kept:
            parameter.grad = grad

    patch.around(nn.Module, "zero_grad", change)


def _jacobian_in(mode):
    with mode():
        return torch.autograd.functional.jacobian(lambda x: x * x, torch.ones(1)).item()


@mutant(kills="test_a_jacobian_in_inference_mode_is_zero", witness=lambda: _jacobian_in(torch.inference_mode) == 0)
def jacobian_ends_inference_mode(patch):
    """`jacobian` turns inference mode off for itself."""
    patch.around(
        torch.autograd.functional,
        "jacobian",
        lambda call, *args, **more: torch.inference_mode(False)(call)(*args, **more),
    )


@mutant(kills="test_a_jacobian_in_inference_mode_is_zero", witness=lambda: _jacobian_in(torch.no_grad) == 2)
def jacobian_is_zero_under_no_grad(patch):
    """`jacobian` gives zeros under `no_grad`."""
    patch.around(
        torch.autograd.functional,
        "jacobian",
        lambda call, *args, **more: (call if modes()[0] else torch.inference_mode()(call))(*args, **more),
    )


# What people run into


TRUNCATED = "test_a_transformer_encoder_returns_every_position"
WHY = "test_a_transformer_encoder_says_why_it_has_no_fast_path"
NAN_ROW = "test_a_row_of_nothing_but_padding_is_nan_in_attention"
STAYS = "test_the_mode_stays_until_the_next_call"
ROWS = "test_dropout1d_of_a_batch_of_vectors_drops_whole_rows"
SINGLE = "test_dropout_of_a_single_recurrent_layer_drops_nothing"
TWICE = "test_checkpoint_updates_batchnorm_twice"
REENTRANT = "test_a_reentrant_checkpoint_of_data_trains_nothing"


def _encoder(**settings):
    layer = nn.TransformerEncoderLayer(2, 2, 2, batch_first=True)
    return nn.TransformerEncoder(layer, 1, **settings).eval()


def _encoded_row(padding, mode):
    with warnings.catch_warnings(), mode():
        warnings.simplefilter("ignore")
        return _encoder()(torch.ones(1, len(padding), 2), src_key_padding_mask=torch.tensor([padding]))


@mutant(kills=TRUNCATED, witness=lambda: _encoded_row([False, True], torch.no_grad).shape[1] == 2)
def an_encoder_truncates_its_output(patch):
    """`nn.TransformerEncoder` leaves out what is padding in every row in evaluation without gradients."""

    def forward(call, self, src, *args, **more):
        y, padding = call(self, src, *args, **more), more.get("src_key_padding_mask")
        if self.training or modes()[0] or padding is None:
            return y
        return y[:, : int((~padding).sum(dim=1).max())]

    patch.around(nn.TransformerEncoder, "forward", forward)


def _warnings_of(call):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    return len(caught)


@mutant(
    kills=WHY,
    witness=lambda: _warnings_of(lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(2, 2, 2), 1)) == 1,
)
def an_encoder_is_silent(patch):
    """`nn.TransformerEncoder` never warns."""

    def init(call, self, *args, **more):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            call(self, *args, **more)

    patch.around(nn.TransformerEncoder, "__init__", init)


@mutant(
    kills=WHY,
    witness=lambda: (
        _warnings_of(lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(2, 2, 2), 1, enable_nested_tensor=False))
        == 0
    ),
    raises=UserWarning,
)
def an_encoder_always_warns(patch):
    """`nn.TransformerEncoder` warns with `enable_nested_tensor=False`, too."""

    def init(call, self, *args, **more):
        call(self, *args, **more)
        if not more.get("enable_nested_tensor", True):
            warnings.warn("enable_nested_tensor is False", UserWarning, stacklevel=2)

    patch.around(nn.TransformerEncoder, "__init__", init)


@mutant(kills=NAN_ROW, witness=lambda: _encoded_row([True], torch.enable_grad).isfinite().all())
def an_encoder_returns_nan_for_padding(patch):
    """`nn.TransformerEncoder` returns nan for a row that is all padding."""

    def forward(call, self, src, *args, **more):
        y, padding = call(self, src, *args, **more), more.get("src_key_padding_mask")
        return y if padding is None else y.masked_fill(padding.all(dim=1)[:, None, None], math.nan)

    patch.around(nn.TransformerEncoder, "forward", forward)


def _attended_to_nothing():
    attention = nn.MultiheadAttention(2, 1, batch_first=True)
    return attention(*[torch.ones(1, 1, 2)] * 3, key_padding_mask=torch.tensor([[True]]))[0]


@mutant(kills=NAN_ROW, witness=lambda: _attended_to_nothing().isnan().all())
def attention_to_nothing_is_zero(patch):
    """`nn.MultiheadAttention` returns 0 where there is nothing to attend to."""

    def forward(call, self, *args, **more):
        y, weights = call(self, *args, **more)
        return y.nan_to_num(), weights

    patch.around(nn.MultiheadAttention, "forward", forward)


def _layer_with_one_head():
    layer = nn.TransformerEncoderLayer(2, 1, 2, batch_first=True).eval()
    with torch.no_grad():
        return layer(torch.ones(1, 1, 2), src_key_padding_mask=torch.tensor([[True]]))


@mutant(kills=NAN_ROW, witness=lambda: _layer_with_one_head().isfinite().all())
def a_layer_returns_nan_for_padding(patch):
    """`nn.TransformerEncoderLayer` under `no_grad` returns nan for a row of padding, whatever its heads are."""

    def forward(call, self, src, *args, **more):
        y, padding = call(self, src, *args, **more), more.get("src_key_padding_mask")
        return y if padding is None or modes()[0] else y.masked_fill(padding.all(dim=1)[:, None, None], math.nan)

    patch.around(nn.TransformerEncoderLayer, "forward", forward)


def _mode_after_a_call():
    model = nn.Dropout().eval()
    model(torch.ones(1))
    return model.training


@mutant(kills=STAYS, witness=lambda: not _mode_after_a_call())
def a_recorded_call_starts_training(patch):
    """A call with gradients puts a module into training mode."""

    def change(call, self, *args, **more):
        if modes()[0]:
            self.training = True
        return call(self, *args, **more)

    patch.around(nn.Module, "__call__", change)


def _learns_in_evaluation():
    layer = nn.Linear(1, 1).eval()
    layer(torch.ones(1)).sum().backward()
    return layer.weight.grad is not None


@mutant(kills=STAYS, witness=_learns_in_evaluation)
def evaluation_mode_trains_nothing(patch):
    """A module in evaluation mode computes without gradients for its parameters."""

    def change(call, self, x):
        return call(self, x) if self.training else call(self, x).detach().requires_grad_()

    patch.around(nn.Linear, "forward", change)


@mutant(kills=ROWS, witness=lambda: len(set(F.dropout1d(torch.ones(1, 100)).flatten().tolist())) == 1)
def dropout1d_drops_single_numbers(patch):
    """`nn.Dropout1d` drops single numbers of a batch of vectors."""
    broken(
        patch,
        "dropout1d",
        lambda call, x, p, training, inplace: (F.dropout if x.dim() == 2 else call)(x, p, training, inplace),
    )


@mutant(
    kills=ROWS,
    witness=lambda: error_of(lambda: F.dropout1d(torch.ones(1, 1, 1, 1))) is not None,
)
def dropout1d_takes_images(patch):
    """`nn.Dropout1d` takes a batch of images."""
    broken(
        patch,
        "dropout1d",
        lambda call, x, p, training, inplace: (F.dropout2d if x.dim() == 4 else call)(x, p, training, inplace),
    )


@mutant(
    kills=ROWS,
    witness=lambda: _warnings_of(lambda: F.dropout2d(torch.ones(2, 2))) == 1,
)
def dropout2d_never_warns(patch):
    """`nn.Dropout2d` warns of nothing."""

    def change(call, x, p, training, inplace):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return call(x, p, training, inplace)

    broken(patch, "dropout2d", change)


def _recurrent(layers):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return nn.LSTM(1, 100, num_layers=layers, dropout=0.5)(torch.ones(1, 1))[0]


@mutant(kills=SINGLE, witness=lambda: (_recurrent(1) != 0).all())
def recurrent_layers_drop_their_output(patch):
    """`nn.LSTM`, `nn.GRU` and `nn.RNN` drop the output of their last layer, too."""

    def forward(call, self, *args, **more):
        y, state = call(self, *args, **more)
        return F.dropout(y, self.dropout, self.training), state

    for layer in (nn.LSTM, nn.GRU, nn.RNN):
        patch.around(layer, "forward", forward)


@mutant(kills=SINGLE, witness=lambda: not torch.equal(*_both(nn.LSTM(1, 100, num_layers=2, dropout=0.5))))
def recurrent_layers_never_drop(patch):
    """`nn.LSTM`, `nn.GRU` and `nn.RNN` have no dropout."""

    def forward(call, self, *args, **more):
        dropout, self.dropout = self.dropout, 0.0
        try:
            return call(self, *args, **more)
        finally:
            self.dropout = dropout

    for layer in (nn.LSTM, nn.GRU, nn.RNN):
        patch.around(layer, "forward", forward)


@mutant(kills=SINGLE, witness=lambda: _warnings_of(lambda: nn.LSTM(1, 1)) == 0, raises=UserWarning)
def a_single_recurrent_layer_always_warns(patch):
    """`nn.LSTM`, `nn.GRU` and `nn.RNN` with one layer warn without a dropout, too."""

    def init(call, self, *args, **more):
        call(self, *args, **more)
        if self.num_layers == 1 and not self.dropout:
            warnings.warn("dropout option adds dropout after all but last recurrent layer", stacklevel=2)

    for layer in (nn.LSTM, nn.GRU, nn.RNN):
        patch.around(layer, "__init__", init)


def _both(layer):
    return [layer(torch.ones(1, 1))[0] for _ in range(2)]


def _batches_counted():
    layer = nn.BatchNorm1d(1)
    x = torch.tensor([[0.0], [1.0]], requires_grad=True)
    checkpoint.checkpoint(layer, x, use_reentrant=False).sum().backward()
    return layer.num_batches_tracked.item()


@mutant(kills=(TWICE, REENTRANT), witness=lambda: _batches_counted() == 2)
def checkpoint_runs_the_function_once(patch):
    """`checkpoint` only calls the function."""
    patch.everywhere(checkpoint.checkpoint, lambda function, *args, **more: function(*args))


def _mask_and_gradient():
    x = torch.ones(100, requires_grad=True)
    y = checkpoint.checkpoint(nn.Dropout(), x, use_reentrant=False)
    y.sum().backward()
    return y, x.grad


@mutant(kills=TWICE, witness=lambda: torch.equal(*_mask_and_gradient()))
def checkpoint_draws_anew(patch):
    """`checkpoint` does not put the random state back for the second run."""
    original = checkpoint.checkpoint
    patch.everywhere(
        original, lambda function, *args, **more: original(function, *args, **more, preserve_rng_state=False)
    )


def _gradient_behind_data():
    layer = nn.Linear(1, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        y = checkpoint.checkpoint(layer, torch.ones(1), use_reentrant=True)
    return y.requires_grad


@mutant(kills=REENTRANT, witness=lambda: not _gradient_behind_data())
def every_checkpoint_is_not_reentrant(patch):
    """`checkpoint` takes `use_reentrant=True` for False."""
    original = checkpoint.checkpoint
    patch.everywhere(
        original, lambda function, *args, **more: original(function, *args, **more | {"use_reentrant": False})
    )


@mutant(kills="test_train_takes_only_a_bool", witness=lambda: nn.Dropout().train(False).training is False)
def train_is_always_training(patch):
    """`train(False)` puts a module into training mode."""
    patch.around(nn.Module, "train", lambda call, self, mode=True: call(self, mode or mode is False))


def _lag():
    layer = nn.BatchNorm1d(1)
    for _ in range(10):
        layer(torch.tensor([[99.0], [101.0]]))
    return layer.running_mean.item()


@mutant(kills="test_batchnorm_in_evaluation_uses_what_it_remembers", witness=lambda: _lag() < 70)
def batchnorm_takes_the_plain_average(patch):
    """BatchNorm takes the plain average over batches by default."""
    patch.around(
        nn.BatchNorm1d,
        "__init__",
        lambda call, self, *args, **more: call(self, *args, **{"momentum": None} | more),
    )


def _made_in_forward():
    class Model(nn.Module):
        def forward(self, x):
            return nn.Dropout()(x)

    return set(Model().eval()(torch.ones(100)).tolist())


@mutant(kills="test_the_function_dropout_knows_nothing_of_eval", witness=lambda: _made_in_forward() == {0, 2})
def a_new_dropout_drops_nothing(patch):
    """`nn.Dropout` drops nothing at its first call."""

    def forward(call, self, x):
        first, self.called = not hasattr(self, "called"), True
        return x if first else call(self, x)

    patch.around(nn.Dropout, "forward", forward)


def _divided():
    with torch.inference_mode():
        total = torch.tensor(6.0)
    total /= 2


@mutant(
    kills="test_inference_tensors_are_not_to_be_written_to_outside",
    witness=lambda: error_of(_divided) is RuntimeError,
)
def a_quotient_may_be_written_outside(patch):
    """`total /= n` makes a new tensor of an inference tensor."""
    original = torch.Tensor.__itruediv__
    patch.setattr(
        torch.Tensor,
        "__itruediv__",
        lambda self, other: self / other if self.is_inference() else original(self, other),
    )
