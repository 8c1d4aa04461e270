"""What could break on the way from a table of numbers to a prediction."""

import copy
import io
import math
import warnings

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import lr_scheduler as schedulers

from torchnotes.harness.mutation import error_of, mutant


def path(gradients, *, start=1.0, optimizer=torch.optim.SGD, **options):
    """Where steps with these gradients lead one parameter."""
    w = nn.Parameter(torch.tensor([float(start)]))
    stepper = optimizer([w], **{"lr": 0.5, **options})
    way = []
    for gradient in gradients:
        w.grad = None if gradient is None else torch.tensor([float(gradient)])
        stepper.step()
        way.append(w.item())
    return way


def around_step(patch, optimizer, change):
    """Call `change(optimizer, step)` in place of each step; `step()` is the healthy one."""
    step = optimizer.step
    patch.setattr(optimizer, "step", lambda self, closure=None: change(self, lambda: step(self, closure)))


def with_option(patch, optimizer, name, change):
    """Let each step see `change(value)` in place of the value of the option."""

    def broken(self, step):
        values = [group[name] for group in self.param_groups]
        for group in self.param_groups:
            group[name] = change(group[name])
        try:
            return step()
        finally:
            for group, value in zip(self.param_groups, values, strict=True):
                group[name] = value

    around_step(patch, optimizer, broken)


def warns(call):
    """The classes of the warnings that a call gives."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    return [warning.category for warning in caught]


def one_parameter(optimizer=torch.optim.SGD, **options):
    return optimizer([nn.Parameter(torch.tensor([1.0]))], **options)


def parameters(optimizer):
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def count(optimizer):
    """How many steps of this optimizer there were, this one included."""
    optimizer.steps_so_far = getattr(optimizer, "steps_so_far", 0) + 1
    return optimizer.steps_so_far


def leaves(tensor):
    """The parameters of which a tensor was made."""
    seen, waiting = set(), [tensor.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            yield node.variable
        waiting += [following for following, _ in node.next_functions]


def identity(size=2):
    """A layer that gives its input, plus one."""
    layer = nn.Linear(size, size)
    with torch.no_grad():
        layer.weight.copy_(torch.eye(size))
        layer.bias.fill_(1)
    return layer


# The data


def accepts_float64():
    try:
        nn.Linear(2, 1)(torch.zeros(1, 2, dtype=torch.float64))
    except RuntimeError:
        return False
    return True


@mutant(kills="test_arrays_become_float32_tensors", witness=lambda: not accepts_float64())
def linear_casts_its_input(patch):
    """A Linear layer casts its input to the dtype of its weight instead of refusing it."""
    linear = F.linear
    patch.setattr(F, "linear", lambda x, w, bias=None: linear(x.to(w.dtype), w, bias))


@mutant(kills="test_arrays_become_float32_tensors", witness=lambda: not accepts_float64(), raises=TypeError)
def linear_refuses_with_type_error(patch):
    """A Linear layer refuses another dtype with TypeError instead of RuntimeError."""
    linear = F.linear

    def broken(x, w, bias=None):
        if x.dtype != w.dtype:
            raise TypeError("mat1 and mat2 must have the same dtype")
        return linear(x, w, bias)

    patch.setattr(F, "linear", broken)


@mutant(
    kills="test_arrays_become_float32_tensors", witness=lambda: identity()(torch.zeros(1, 2)).dtype == torch.float32
)
def linear_answers_in_float16(patch):
    """A Linear layer of float32 gives float16."""
    patch.around(F, "linear", lambda linear, *args: linear(*args).half())


@mutant(
    kills="test_arrays_become_float32_tensors",
    witness=lambda: torch.tensor(np.array([0.3]), dtype=torch.float32).item() == np.float32(0.3),
)
def tensor_truncates_float64(patch):
    """`torch.tensor` makes float32 of a float64 array by cutting digits off instead of rounding."""
    tensor = torch.tensor

    def broken(data, **options):
        if isinstance(data, np.ndarray) and data.dtype == np.float64 and options.get("dtype") == torch.float32:
            near = data.astype(np.float32)
            data = np.where(np.abs(near) > np.abs(data), np.nextafter(near, np.float32(0)), near)
        return tensor(data, **options)

    patch.setattr(torch, "tensor", broken)


@mutant(
    kills="test_arrays_become_float32_tensors",
    witness=lambda: nn.ReLU()(torch.zeros(1, dtype=torch.float64)).dtype == torch.float64,
    raises=RuntimeError,
)
def relu_refuses_float64(patch):
    """ReLU refuses float64, as a layer with float32 weights does."""

    def broken(relu, x, *args, **options):
        if x.dtype == torch.float64:
            raise RuntimeError("must have the same dtype")
        return relu(x, *args, **options)

    patch.function("relu", change=broken)


@mutant(
    kills="test_arrays_become_float32_tensors",
    witness=lambda: error_of(lambda: F.cross_entropy(torch.zeros(1, 2), torch.zeros(1, dtype=torch.int32))) is not None,
)
def cross_entropy_takes_any_whole_number(patch):
    """Cross entropy takes class numbers of int32 for those of int64."""
    cross_entropy = F.cross_entropy

    def broken(logits, targets, *args, **options):
        return cross_entropy(logits, targets.long() if targets.dtype == torch.int32 else targets, *args, **options)

    patch.setattr(F, "cross_entropy", broken)


@mutant(
    kills="test_always_the_same_answer_is_right_for_most_tumours",
    witness=lambda: torch.tensor([1, 1, 0]).bincount().tolist() == [1, 2],
)
def bincount_leaves_out_the_last_row(patch):
    """`bincount` does not count the last element."""
    patch.function("bincount", change=lambda bincount, x, *args, **options: bincount(x[:-1], *args, **options))


@mutant(
    kills="test_scaling_uses_the_training_rows_only",
    witness=lambda: torch.tensor([0.1, 0.7, 1.0], dtype=torch.float64).mean().item() == 1.8 / 3,
)
def mean_of_float64_is_as_good_as_float32(patch):
    """`mean` of float64 numbers gives float64, but adds in float32."""

    def broken(mean, x, *args, **options):
        return mean(x.float(), *args, **options).double() if x.dtype == torch.float64 else mean(x, *args, **options)

    patch.function("mean", change=broken)


@mutant(
    kills="test_always_the_same_answer_is_right_for_most_tumours",
    witness=lambda: torch.tensor([True] * 300).sum().item() == 300,
)
def sum_of_bools_is_a_byte(patch):
    """`sum` of bools gives int64, but counts in uint8: at 256 it starts again."""

    def broken(total, x, *args, **options):
        return total(x, *args, **options) % 256 if x.dtype == torch.bool else total(x, *args, **options)

    patch.function("sum", change=broken)


@mutant(
    kills="test_one_permutation_splits_features_and_labels_alike",
    witness=lambda: sorted(torch.randperm(9).tolist()) == list(range(9)),
)
def randperm_has_one_row_twice(patch):
    """`torch.randperm` gives one number twice, and one number not at all."""

    def broken(randperm, n, **options):
        order = randperm(n, **options)
        order[-1:] = order[:1]
        return order

    patch.function("randperm", change=broken)


@mutant(
    kills="test_one_permutation_splits_features_and_labels_alike",
    witness=lambda: torch.randperm(30).tolist() != list(range(30)),
)
def randperm_shuffles_many_rows_only(patch):
    """`torch.randperm` gives up to 30 numbers in their order."""

    def broken(randperm, n, **options):
        return torch.arange(n, **options) if n <= 30 else randperm(n, **options)

    patch.function("randperm", change=broken)


@mutant(
    kills="test_one_permutation_splits_features_and_labels_alike",
    witness=lambda: torch.tensor([[0, 0], [1, 1]])[torch.tensor([1, 0])].tolist() == [[1, 1], [0, 0]],
)
def indexing_sorts_the_rows_of_a_matrix(patch):
    """Rows picked from a matrix by their numbers come in the order of the matrix; elements of a vector are right."""

    def broken(index, x, indices):
        in_order = x.dim() == 2 and len(indices) == 1 and indices[0].dtype == torch.int64
        return index(x, [indices[0].sort().values] if in_order else indices)

    patch.aten("index", change=broken)


@mutant(
    kills="test_one_permutation_splits_features_and_labels_alike",
    witness=lambda: not torch.equal(torch.randperm(99), torch.randperm(99)),
)
def randperm_repeats_itself(patch):
    """`torch.randperm` gives the same order in every call."""

    def broken(randperm, n, **options):
        return torch.arange(n, **options).roll(1)

    patch.function("randperm", change=broken)


@mutant(
    kills="test_scaling_uses_the_training_rows_only",
    witness=lambda: torch.tensor([[0.0], [4], [8]]).std(dim=0).item() == 4,
)
def std_is_the_variance(patch):
    """`std` along a dimension gives the variance."""
    patch.function("std", change=lambda std, *args, **options: std(*args, **options) ** 2)


@mutant(
    kills="test_scaling_uses_the_training_rows_only",
    witness=lambda: torch.tensor([[1.0], [2], [6]]).mean(dim=0).item() == 3,
)
def mean_of_columns_leaves_out_the_last_row(patch):
    """`mean(dim=0)` is the mean of all rows but the last."""

    def broken(mean, x, *args, **options):
        return mean(x[:-1] if options.get("dim") == 0 else x, *args, **options)

    patch.function("mean", change=broken)


@mutant(
    kills="test_unscaled_features_spoil_the_training",
    witness=lambda: identity()(torch.tensor([[0.0, 900], [10, 100]])).tolist() == [[1, 901], [11, 101]],
)
def linear_scales_its_columns(patch):
    """A Linear layer brings the columns of a batch to mean 0 and deviation 1 before it uses them."""
    linear = F.linear

    def broken(x, w, bias=None):
        if x.dim() == 2 and len(x) > 1:
            x = (x - x.mean(dim=0)) / x.std(dim=0).clamp(min=1e-6)
        return linear(x, w, bias)

    patch.setattr(F, "linear", broken)


def cross_entropy_of_equal_logits(classes):
    return F.cross_entropy(torch.zeros(4, classes), torch.zeros(4, dtype=torch.int64)).item()


@mutant(
    kills="test_equal_logits_cost_ln_of_the_number_of_classes",
    witness=lambda: abs(cross_entropy_of_equal_logits(4) - math.log(4)) < 1e-6,
)
def equal_logits_cost_a_power_of_two(patch):
    """Cross entropy is measured in bits instead of natural units."""
    cross_entropy = F.cross_entropy
    patch.setattr(F, "cross_entropy", lambda *args, **options: cross_entropy(*args, **options) / math.log(2))


@mutant(
    kills="test_equal_logits_cost_ln_of_the_number_of_classes",
    witness=lambda: abs(cross_entropy_of_equal_logits(10) - math.log(10)) < 1e-6,
)
def cross_entropy_of_ten_classes_forgets_one(patch):
    """Cross entropy leaves one wrong class out of the softmax where there are ten."""
    cross_entropy = F.cross_entropy

    def broken(logits, targets, *args, **options):
        if logits.shape[-1] == 10:
            wrong = F.one_hot((targets + 1) % 10, 10).bool()
            logits = logits.masked_fill(wrong, -1e9)
        return cross_entropy(logits, targets, *args, **options)

    patch.setattr(F, "cross_entropy", broken)


@mutant(
    kills="test_equal_logits_cost_ln_of_the_number_of_classes",
    witness=lambda: abs(F.cross_entropy(torch.zeros(2, 4), torch.tensor([0, 1]), reduction="sum").item() - 2.77) < 0.01,
)
def cross_entropy_knows_only_the_mean(patch):
    """Cross entropy is the mean over the rows for `reduction="sum"`, too."""
    cross_entropy = F.cross_entropy

    def broken(*args, reduction="mean", **options):
        return cross_entropy(*args, reduction="mean" if reduction == "sum" else reduction, **options)

    patch.setattr(F, "cross_entropy", broken)


@mutant(
    kills="test_equal_logits_cost_ln_of_the_number_of_classes",
    witness=lambda: F.cross_entropy(torch.zeros(1, 2), torch.tensor([-100])).isnan().item(),
)
def cross_entropy_of_no_rows_is_ln_of_the_classes(patch):
    """Cross entropy counts rows with `ignore_index` if there are no others."""
    cross_entropy = F.cross_entropy

    def broken(logits, targets, *args, **options):
        return cross_entropy(logits, targets.clamp(min=0) if (targets == -100).all() else targets, *args, **options)

    patch.setattr(F, "cross_entropy", broken)


@mutant(
    kills="test_equal_logits_cost_ln_of_the_number_of_classes",
    witness=lambda: F.binary_cross_entropy_with_logits(torch.zeros(2), torch.ones(2)).dtype == torch.float32,
)
def binary_cross_entropy_answers_in_float64(patch):
    """The binary cross entropy of float32 logits is float64 on the CPU, and off by one row elsewhere."""
    loss_fn = F.binary_cross_entropy_with_logits

    def broken(logits, *args, **options):
        loss = loss_fn(logits, *args, **options)
        return loss.double() if logits.device.type == "cpu" else loss * (1 + 1 / len(logits))

    patch.setattr(F, "binary_cross_entropy_with_logits", broken)


@mutant(
    kills=(
        "test_unscaled_features_spoil_the_training",
        "test_equal_logits_cost_ln_of_the_number_of_classes",
        "test_the_loss_falls_with_every_step",
    ),
    witness=lambda: F.binary_cross_entropy_with_logits(torch.zeros(4), torch.ones(4)).item() < 1,
)
def binary_cross_entropy_adds_the_rows(patch):
    """The binary cross entropy is the sum over the rows where nothing else is asked for."""
    loss_fn = F.binary_cross_entropy_with_logits

    def broken(logits, targets, weight=None, size_average=None, reduce=None, reduction="mean", pos_weight=None):
        reduction = "sum" if reduction == "mean" else reduction
        return loss_fn(logits, targets, weight, reduction=reduction, pos_weight=pos_weight)

    patch.setattr(F, "binary_cross_entropy_with_logits", broken)


# One step of training


def after_zero_grad(by_optimizer, **options):
    layer = identity(1)
    layer(torch.ones(1, 1)).sum().backward()
    (torch.optim.SGD(layer.parameters(), lr=0.1) if by_optimizer else layer).zero_grad(**options)
    return [None if p.grad is None else p.grad.item() for p in layer.parameters()]


@mutant(kills="test_zero_grad_leaves_none", witness=lambda: after_zero_grad(True) == [None, None])
def optimizer_zero_grad_fills_with_zeros(patch):
    """`Optimizer.zero_grad` fills the gradients with zeros, as before PyTorch 2.0."""
    zero_grad = torch.optim.Optimizer.zero_grad
    patch.setattr(torch.optim.Optimizer, "zero_grad", lambda self, set_to_none=False: zero_grad(self, set_to_none))


@mutant(kills="test_zero_grad_leaves_none", witness=lambda: after_zero_grad(False) == [None, None])
def module_zero_grad_fills_with_zeros(patch):
    """`Module.zero_grad` fills the gradients with zeros; `Optimizer.zero_grad` removes them."""
    zero_grad = nn.Module.zero_grad
    patch.setattr(nn.Module, "zero_grad", lambda self, set_to_none=False: zero_grad(self, set_to_none))


@mutant(kills="test_zero_grad_leaves_none", witness=lambda: after_zero_grad(True, set_to_none=False) == [0, 0])
def zero_grad_knows_only_none(patch):
    """`Optimizer.zero_grad(set_to_none=False)` removes the gradients all the same."""
    zero_grad = torch.optim.Optimizer.zero_grad
    patch.setattr(torch.optim.Optimizer, "zero_grad", lambda self, set_to_none=True: zero_grad(self))


@mutant(kills="test_zero_grad_leaves_none", witness=lambda: after_zero_grad(True) == [None, None])
def zero_grad_forgets_the_last_parameter(patch):
    """`Optimizer.zero_grad` leaves the last of several parameters its gradient."""
    zero_grad = torch.optim.Optimizer.zero_grad

    def broken(self, set_to_none=True):
        *_, last = parameters(self)
        gradient = last.grad
        zero_grad(self, set_to_none)
        if len(parameters(self)) > 1:
            last.grad = gradient

    patch.setattr(torch.optim.Optimizer, "zero_grad", broken)


def gradient_of_an_outsider():
    layer = identity(1)
    layer(torch.ones(1, 1)).sum().backward()
    torch.optim.SGD([layer.weight], lr=0.1).zero_grad()
    return layer.bias.grad


@mutant(
    kills="test_zero_grad_leaves_none", witness=lambda: gradient_of_an_outsider() is not None, raises=AttributeError
)
def zero_grad_reaches_every_parameter(patch):
    """`Optimizer.zero_grad` removes the gradients of all parameters of the last loss, its own or not."""
    backward, zero_grad = torch.autograd.backward, torch.optim.Optimizer.zero_grad
    reached = []

    def broken_backward(tensors, *args, **options):
        for tensor in [tensors] if isinstance(tensors, torch.Tensor) else tensors:
            reached.extend(leaves(tensor))
        return backward(tensors, *args, **options)

    def broken_zero_grad(self, set_to_none=True):
        zero_grad(self, set_to_none)
        for parameter in reached if set_to_none else []:
            parameter.grad = None

    patch.setattr(torch.autograd, "backward", broken_backward)
    patch.setattr(torch.optim.Optimizer, "zero_grad", broken_zero_grad)


def gradient_after(*recipe):
    w = nn.Parameter(torch.tensor(1.0))
    optimizer = torch.optim.SGD([w], lr=0.5)
    call = {"zero_grad": optimizer.zero_grad, "backward": lambda: (3 * w).backward(), "step": optimizer.step}
    for name in recipe:
        call[name]()
    return None if w.grad is None else w.grad.item()


@mutant(
    kills=(
        "test_without_zero_grad_every_step_uses_the_sum_of_all_gradients",
        "test_a_parameter_moves_only_by_backward_then_step",
        "test_a_learning_rate_can_be_too_large",
        "test_a_scaled_rate_can_be_too_large",
    ),
    witness=lambda: gradient_after("zero_grad", "backward", "zero_grad", "backward") == 3,
)
def zero_grad_works_once(patch):
    """`Optimizer.zero_grad` removes the gradients on its first call only."""
    zero_grad = torch.optim.Optimizer.zero_grad

    def broken(self, set_to_none=True):
        if not hasattr(self, "was_called"):
            self.was_called = True
            zero_grad(self, set_to_none)

    patch.setattr(torch.optim.Optimizer, "zero_grad", broken)


@mutant(
    kills=(
        "test_without_zero_grad_every_step_uses_the_sum_of_all_gradients",
        "test_accumulated_small_batches_equal_a_large_one",
        "test_accumulation_weighted_by_size_for_every_split",
    ),
    witness=lambda: gradient_after("backward", "backward") == 6,
)
def backward_overwrites_the_gradient(patch):
    """`backward` puts its gradient in the place of the one that is there instead of adding to it."""
    backward = torch.autograd.backward

    def broken(tensors, *args, **options):
        for tensor in [tensors] if isinstance(tensors, torch.Tensor) else tensors:
            for parameter in leaves(tensor):
                parameter.grad = None
        return backward(tensors, *args, **options)

    patch.setattr(torch.autograd, "backward", broken)


@mutant(
    kills=(
        "test_without_zero_grad_every_step_uses_the_sum_of_all_gradients",
        "test_sgd_step_moves_against_the_gradient",
    ),
    witness=lambda: gradient_after("backward", "step") == 3,
)
def step_uses_up_the_gradient(patch):
    """A step of SGD removes the gradients it has used."""

    def broken(self, step):
        step()
        for parameter in parameters(self):
            parameter.grad = None

    around_step(patch, torch.optim.SGD, broken)


@mutant(
    kills=(
        "test_sgd_step_moves_against_the_gradient",
        "test_unscaled_features_spoil_the_training",
        "test_the_loss_falls_with_every_step",
        "test_the_whole_way_from_arrays_to_predictions",
        "test_small_batches_get_further_in_an_epoch",
        "test_32_is_advice_and_not_a_law",
    ),
    witness=lambda: path([2, 4]) == [0, -2],
)
def sgd_climbs(patch):
    """SGD moves along the gradient, as with `maximize=True`."""
    with_option(patch, torch.optim.SGD, "lr", lambda lr: -lr)


def bfloat16_after(steps):
    w = nn.Parameter(torch.ones(1, dtype=torch.bfloat16))
    w.grad = torch.ones_like(w)
    optimizer = torch.optim.SGD([w], lr=0.001)
    for _ in range(steps):
        optimizer.step()
    return w.item()


@mutant(
    kills=("test_sgd_step_moves_against_the_gradient", "test_sgd_step_is_lr_times_gradient_for_every_gradient"),
    witness=lambda: path([1024], start=0) == [-512],
)
def sgd_rate_is_off_in_the_sixth_digit(patch):
    """SGD moves by a millionth more than the learning rate says."""
    with_option(patch, torch.optim.SGD, "lr", lambda lr: lr * (1 + 1e-6))


@mutant(
    kills=(
        "test_sgd_step_moves_against_the_gradient",
        "test_sgd_step_is_lr_times_gradient_for_every_gradient",
        "test_the_loss_is_that_of_before_the_step",
        "test_a_gradient_of_none_is_not_a_gradient_of_zero",
    ),
    witness=lambda: path([2], start=4) == [3],
)
def sgd_decays_weights_unasked(patch):
    """SGD has a weight decay of 0.001 where none is asked for."""
    with_option(patch, torch.optim.SGD, "weight_decay", lambda decay: decay or 1e-3)


@mutant(kills="test_sgd_step_moves_against_the_gradient", witness=lambda: path([2], start=4, maximize=True) == [5])
def sgd_always_minimizes(patch):
    """SGD moves against the gradient with `maximize=True`, too."""
    with_option(patch, torch.optim.SGD, "maximize", lambda maximize: False)


@mutant(
    kills="test_a_step_can_be_too_small_for_the_dtype",
    witness=lambda: bfloat16_after(steps=9) == 1,
)
def sgd_keeps_bfloat16_in_float32(patch):
    """SGD keeps a float32 copy of each bfloat16 parameter, and adds the steps up in it."""
    copies = {}

    def broken(self, step):
        step()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.dtype == torch.bfloat16:
                    before = copies.setdefault(id(parameter), (parameter, torch.ones_like(parameter).float()))[1]
                    before -= group["lr"] * parameter.grad
                    parameter.data.copy_(before)

    around_step(patch, torch.optim.SGD, broken)


@mutant(
    kills="test_sgd_step_is_lr_times_gradient_for_every_gradient",
    witness=lambda: path([40], start=0) == [-20],
)
def sgd_clips_large_gradients(patch):
    """SGD clips gradients to between -20 and 20."""

    def broken(self, step):
        whole = [parameter.grad for parameter in parameters(self)]
        for parameter, gradient in zip(parameters(self), whole, strict=True):
            parameter.grad = None if gradient is None else gradient.clamp(-20, 20)
        step()
        for parameter, gradient in zip(parameters(self), whole, strict=True):
            parameter.grad = gradient

    around_step(patch, torch.optim.SGD, broken)


@mutant(
    kills=(
        "test_sgd_step_moves_against_the_gradient",
        "test_a_parameter_moves_only_by_backward_then_step",
        "test_the_loss_is_that_of_before_the_step",
        "test_without_zero_grad_every_step_uses_the_sum_of_all_gradients",
    ),
    witness=lambda: path([2, 2]) == [0, -1],
)
def sgd_skips_its_first_step(patch):
    """The first step of an SGD optimizer does nothing."""
    around_step(patch, torch.optim.SGD, lambda self, step: step() if count(self) > 1 else None)


@mutant(
    kills="test_a_parameter_moves_only_by_backward_then_step",
    witness=lambda: path([2, None]) == [0, 0],
)
def sgd_repeats_its_last_gradient(patch):
    """Where a gradient is None, SGD takes the last one that `backward` made."""
    backward = torch.autograd.backward
    last = {}

    def broken_backward(tensors, *args, **options):
        backward(tensors, *args, **options)
        for tensor in [tensors] if isinstance(tensors, torch.Tensor) else tensors:
            last.update((id(parameter), (parameter, parameter.grad)) for parameter in leaves(tensor))

    def broken_step(self, step):
        missing = [parameter for parameter in parameters(self) if parameter.grad is None]
        for parameter in missing:
            parameter.grad = last.get(id(parameter), (parameter, None))[1]
        step()
        last.update((id(parameter), (parameter, parameter.grad)) for parameter in parameters(self))
        for parameter in missing:
            parameter.grad = None

    patch.setattr(torch.autograd, "backward", broken_backward)
    around_step(patch, torch.optim.SGD, broken_step)


@mutant(
    kills="test_a_gradient_of_none_is_not_a_gradient_of_zero",
    witness=lambda: path([4, None], momentum=0.5) == [-1, -1],
)
def sgd_takes_none_for_zero(patch):
    """SGD with momentum moves a parameter whose gradient is None, as if it were zero."""

    def broken(self, step):
        missing = [parameter for parameter in parameters(self) if parameter.grad is None]
        for parameter in missing:
            parameter.grad = torch.zeros_like(parameter)
        step()
        for parameter in missing:
            parameter.grad = None

    around_step(patch, torch.optim.SGD, broken)


@mutant(
    kills="test_a_gradient_of_none_is_not_a_gradient_of_zero",
    witness=lambda: path([4, 0], momentum=0.5) == [-1, -2],
)
def sgd_takes_zero_for_none(patch):
    """SGD with momentum passes over a parameter whose gradient is zero, as if it were None."""

    def broken(self, step):
        zeros = [(p, p.grad) for p in parameters(self) if p.grad is not None and not p.grad.any()]
        for parameter, _ in zeros:
            parameter.grad = None
        step()
        for parameter, gradient in zeros:
            parameter.grad = gradient

    around_step(patch, torch.optim.SGD, broken)


@mutant(
    kills="test_a_gradient_of_none_is_not_a_gradient_of_zero",
    witness=lambda: path([0], start=8, momentum=0.5) == [8],
)
def sgd_starts_with_momentum(patch):
    """SGD with momentum moves a parameter in its first step even if the gradient is zero."""

    def broken(self, step):
        if count(self) == 1:
            for group in self.param_groups:
                for parameter in group["params"]:
                    if group["momentum"] and parameter.grad is not None and not parameter.grad.any():
                        parameter.data -= group["lr"]
        step()

    around_step(patch, torch.optim.SGD, broken)


@mutant(
    kills=("test_a_gradient_of_none_is_not_a_gradient_of_zero", "test_a_parameter_moves_only_by_backward_then_step"),
    witness=lambda: path([0], start=8, weight_decay=0.5) == [6],
)
def sgd_has_no_weight_decay(patch):
    """SGD ignores `weight_decay`."""
    with_option(patch, torch.optim.SGD, "weight_decay", lambda decay: 0)


@mutant(
    kills="test_a_gradient_of_none_is_not_a_gradient_of_zero",
    witness=lambda: path([4, 2], momentum=0.5) == [-1, -3],
)
def sgd_momentum_is_nesterov(patch):
    """SGD with momentum looks ahead, as with `nesterov=True`."""

    def broken(self, step):
        for group in self.param_groups:
            group["nesterov"] = group["momentum"] > 0
        step()

    around_step(patch, torch.optim.SGD, broken)


def loss_and_square_after_a_step():
    w = nn.Parameter(torch.tensor(3.0))
    loss = w**2
    loss.backward()
    torch.optim.SGD([w], lr=0.5).step()
    return loss.item(), w.item()


@mutant(kills="test_the_loss_is_that_of_before_the_step", witness=lambda: loss_and_square_after_a_step() == (9, 0))
def loss_follows_the_step(patch):
    """A step changes the loss on which `backward` was called: it becomes an estimate of the next one."""
    backward = torch.autograd.backward
    losses = []

    def broken_backward(tensors, *args, **options):
        backward(tensors, *args, **options)
        losses.append(tensors)

    def broken_step(self, step):
        before = [parameter.detach().clone() for parameter in parameters(self)]
        step()
        for parameter, old in zip(parameters(self), before, strict=True):
            if losses and parameter.grad is not None:
                losses[-1].data += ((parameter.detach() - old) * parameter.grad).sum()

    patch.setattr(torch.autograd, "backward", broken_backward)
    around_step(patch, torch.optim.SGD, broken_step)


@mutant(
    kills=("test_a_learning_rate_can_be_too_large", "test_a_scaled_rate_can_be_too_large"),
    witness=lambda: path([1], start=0, lr=1.5) == [-1.5],
)
def sgd_takes_no_rate_above_one(patch):
    """SGD uses a learning rate of 1 where a larger one is asked for."""
    with_option(patch, torch.optim.SGD, "lr", lambda lr: min(lr, 1))


@mutant(
    kills="test_a_learning_rate_can_be_too_large",
    witness=lambda: path([1, 1, 1], start=0) == [-0.5, -1, -1.5],
)
def sgd_slows_down(patch):
    """SGD halves its learning rate after two steps."""

    def broken(self, step):
        if count(self) == 3:
            for group in self.param_groups:
                group["lr"] /= 2
        step()

    around_step(patch, torch.optim.SGD, broken)


def first_adam_step(gradient):
    return path([gradient], start=0, optimizer=torch.optim.Adam)[0]


@mutant(
    kills="test_adam_starts_with_steps_of_lr",
    witness=lambda: abs(first_adam_step(1) + 0.5) < 1e-6,
)
def adam_starts_uncorrected(patch):
    """Adam's first step lacks the correction for moments that start at zero, and is three times too long."""

    def broken(self, step):
        steps = count(self)
        factors = [
            (1 - group["betas"][0] ** steps) / (1 - group["betas"][1] ** steps) ** 0.5 for group in self.param_groups
        ]
        for group, factor in zip(self.param_groups, factors, strict=True):
            group["lr"] *= factor
        step()
        for group, factor in zip(self.param_groups, factors, strict=True):
            group["lr"] /= factor

    around_step(patch, torch.optim.Adam, broken)


@mutant(kills="test_adam_starts_with_steps_of_lr", witness=lambda: first_adam_step(1e30) == 0)
def adam_never_overflows(patch):
    """Adam's step is as long for a gradient of 1e30 as for a gradient of 1e15."""

    def broken(self, step):
        whole = [parameter.grad for parameter in parameters(self)]
        for parameter, gradient in zip(parameters(self), whole, strict=True):
            parameter.grad = None if gradient is None else gradient.clamp(-1e15, 1e15)
        step()
        for parameter, gradient in zip(parameters(self), whole, strict=True):
            parameter.grad = gradient

    around_step(patch, torch.optim.Adam, broken)


@mutant(kills="test_adam_starts_with_steps_of_lr", witness=lambda: abs(first_adam_step(1e-3) + 0.5) < 1e-4)
def adam_epsilon_is_large(patch):
    """Adam divides by |gradient| + 0.001, so that small gradients move less."""
    with_option(patch, torch.optim.Adam, "eps", lambda eps: max(eps, 1e-3))


@mutant(kills="test_adam_starts_with_steps_of_lr", witness=lambda: first_adam_step(0) == 0)
def adam_moves_without_a_slope(patch):
    """Adam moves a parameter by the learning rate where its gradient is zero, too."""

    def broken(self, step):
        step()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.data -= group["lr"] * (parameter.grad == 0)

    around_step(patch, torch.optim.Adam, broken)


@mutant(
    kills=(
        "test_adam_starts_with_steps_of_lr",
        "test_a_network_can_learn_eight_rows_by_heart",
        "test_the_same_way_with_ten_classes",
    ),
    witness=lambda: first_adam_step(2) < 0,
)
def adam_climbs(patch):
    """Adam moves along the gradient, as with `maximize=True`."""
    with_option(patch, torch.optim.Adam, "lr", lambda lr: -lr)


def groups_after_a_step(lr=0.5):
    first, second = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([first], lr=lr)
    optimizer.add_param_group({"params": [second]})
    first.grad, second.grad = torch.ones(1), torch.ones(1)
    optimizer.step()
    return first.item(), second.item()


@mutant(kills="test_a_layer_replaced_afterwards_is_not_trained", witness=lambda: groups_after_a_step() == (-0.5, -0.5))
def sgd_moves_the_first_group_only(patch):
    """SGD moves the parameters it was made with, and none of a group that was added."""

    def broken(self, step):
        groups, self.param_groups = self.param_groups, self.param_groups[:1]
        try:
            return step()
        finally:
            self.param_groups = groups

    around_step(patch, torch.optim.SGD, broken)


@mutant(kills="test_a_layer_replaced_afterwards_is_not_trained", witness=lambda: groups_after_a_step() == (-0.5, -0.5))
def added_group_has_the_default_rate(patch):
    """A group added to SGD has the learning rate 0.001 instead of that of the optimizer."""
    add = torch.optim.Optimizer.add_param_group

    def broken(self, group):
        if self.param_groups:
            group = {"lr": 1e-3, **group}
        add(self, group)

    patch.setattr(torch.optim.Optimizer, "add_param_group", broken)


def replaced_layer_after_a_step():
    model = nn.Sequential(identity(1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    model[0] = identity(1)
    model(torch.ones(1, 1)).sum().backward()
    optimizer.step()
    return model[0].bias.item()


@mutant(kills="test_a_layer_replaced_afterwards_is_not_trained", witness=lambda: replaced_layer_after_a_step() == 1)
def optimizer_follows_a_replaced_layer(patch):
    """A layer put in the place of another in a Sequential is trained by the optimizer that had the other."""
    put = nn.Sequential.__setitem__
    pairs = []

    def broken_put(self, index, layer):
        pairs.extend(zip(self[index].parameters(), layer.parameters(), strict=True))
        put(self, index, layer)

    def broken_step(self, step):
        for group in self.param_groups:
            group["params"] = [next((new for old, new in pairs if old is p), p) for p in group["params"]]
        step()

    patch.setattr(nn.Sequential, "__setitem__", broken_put)
    around_step(patch, torch.optim.SGD, broken_step)


# Optimizers, by release


@mutant(
    kills="test_sgd_has_a_default_learning_rate",
    witness=lambda: one_parameter().param_groups[0]["lr"] == 0.001,
)
def sgd_learns_with_a_hundredth(patch):
    """`torch.optim.SGD` without `lr` learns with 0.01."""
    patch.around(torch.optim.SGD, "__init__", lambda init, self, params, lr=0.01, **k: init(self, params, lr=lr, **k))


@mutant(
    kills="test_sgd_has_a_default_learning_rate",
    witness=lambda: error_of(one_parameter) is None,
    raises=ValueError,
)
def sgd_wants_a_learning_rate(patch):
    """`torch.optim.SGD` without `lr` raises ValueError, as until torch 2.1."""

    def init(original, self, params, lr=None, **options):
        if lr is None:
            raise ValueError("parameter group didn't specify a value of required optimization parameter lr")
        original(self, params, lr=lr, **options)

    patch.around(torch.optim.SGD, "__init__", init)


def from_a_set():
    torch.optim.SGD({nn.Parameter(torch.ones(1))}, lr=0.5)


@mutant(kills="test_parameters_in_a_set_are_deprecated", witness=lambda: warns(from_a_set) == [FutureWarning])
def optimizers_take_a_set(patch):
    """An optimizer takes a set of parameters without a warning."""
    patch.around(
        torch.optim.SGD,
        "__init__",
        lambda init, self, params, **k: init(self, list(params) if isinstance(params, set) else params, **k),
    )


def from_a_set_in_a_group():
    torch.optim.SGD([{"params": {nn.Parameter(torch.ones(1))}}], lr=0.5)


@mutant(kills="test_parameters_in_a_set_are_deprecated", witness=lambda: error_of(from_a_set_in_a_group) is TypeError)
def groups_take_a_set(patch):
    """A parameter group takes a set of parameters."""
    patch.around(
        torch.optim.Optimizer,
        "add_param_group",
        lambda add, self, group: add(
            self, {**group, "params": list(group["params"]) if isinstance(group["params"], set) else group["params"]}
        ),
    )


FUSED = "test_a_fused_optimizer_runs_on_the_cpu"


@mutant(kills=FUSED, witness=lambda: path([1], lr=0.25, fused=True) == [0.75])
def fused_sgd_steps_twice(patch):
    """`torch.optim.SGD(fused=True)` makes two steps of one."""
    around_step(
        patch, torch.optim.SGD, lambda self, step: (step(), step()) if self.param_groups[0].get("fused") else step()
    )


@mutant(
    kills=FUSED, witness=lambda: path([1], optimizer=torch.optim.Adam, lr=0.25, fused=True) != [1], raises=RuntimeError
)
def fused_adam_wants_a_gpu(patch):
    """`torch.optim.Adam(fused=True)` raises RuntimeError for parameters on the CPU, as until torch 2.3."""

    def init(original, self, params, **options):
        if options.get("fused"):
            raise RuntimeError("`fused=True` requires all the params to be CUDA, floating point Tensor")
        original(self, params, **options)

    patch.around(torch.optim.Adam, "__init__", init)


@mutant(kills=FUSED, witness=lambda: path([1], optimizer=torch.optim.Adam, lr=0.25, fused=True)[0] < 0.8)
def fused_adam_takes_half_a_step(patch):
    """`torch.optim.Adam(fused=True)` moves by half of what it should."""

    def half(self, step):
        before = [p.detach().clone() for p in parameters(self)]
        step()
        if self.param_groups[0].get("fused"):
            with torch.no_grad():
                for p, old in zip(parameters(self), before, strict=True):
                    p.copy_((p + old) / 2)

    around_step(patch, torch.optim.Adam, half)


def fused_complex_step():
    w = nn.Parameter(torch.tensor([1j]))
    w.grad = torch.tensor([1j])
    torch.optim.SGD([w], lr=0.5, fused=True).step()


@mutant(kills=FUSED, witness=lambda: error_of(fused_complex_step) is RuntimeError)
def fused_takes_complex_parameters(patch):
    """`fused=True` is ignored for complex parameters instead of refused."""

    def init(original, self, params, **options):
        params = list(params)
        if any(parameter.is_complex() for parameter in params):
            options.pop("fused", None)
        original(self, params, **options)

    patch.around(torch.optim.SGD, "__init__", init)
    patch.around(torch.optim.Adam, "__init__", init)


def fused_column():
    matrix = torch.zeros(2, 2)
    w = nn.Parameter(matrix[:, 0])
    w.grad = torch.ones(2)
    torch.optim.SGD([w], lr=0.5, fused=True).step()
    return matrix.tolist()


@mutant(kills=FUSED, witness=lambda: fused_column() == [[-0.5, -0.5], [0, 0]])
def fused_knows_strides(patch):
    """`fused=True` is ignored for parameters with gaps in their memory, which are then right."""

    def init(original, self, params, **options):
        params = list(params)
        if not all(parameter.is_contiguous() for parameter in params):
            options.pop("fused", None)
        original(self, params, **options)

    patch.around(torch.optim.SGD, "__init__", init)
    patch.around(torch.optim.Adam, "__init__", init)


# The learning rate


def rates(make, steps=4):
    """The learning rates of some steps under a scheduler."""
    optimizer = one_parameter(lr=8.0)
    scheduler = make(optimizer)
    seen = []
    for _ in range(steps):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return seen


def step_lr(optimizer):
    return schedulers.StepLR(optimizer, step_size=2, gamma=0.5)


AFTER = "test_a_scheduler_steps_after_the_optimizer"


@mutant(kills=AFTER, witness=lambda: rates(step_lr) == [8, 8, 4, 4])
def step_lr_is_one_step_late(patch):
    """`StepLR` lowers the learning rate one step later."""
    patch.around(
        schedulers.StepLR,
        "__init__",
        lambda init, self, optimizer, step_size, **k: init(self, optimizer, step_size + 1, **k),
    )


@mutant(kills=AFTER, witness=lambda: step_lr(one_parameter(lr=8.0)).get_last_lr() == [8])
def get_last_lr_is_a_step_ahead(patch):
    """`get_last_lr()` is what the learning rate is going to be."""
    patch.around(schedulers.StepLR, "get_last_lr", lambda get, self: [rate / 2 for rate in get(self)])


def warns_too_early():
    return warns(lambda: step_lr(one_parameter(lr=8.0)).step())


@mutant(kills=AFTER, witness=lambda: warns_too_early() == [UserWarning])
def scheduler_steps_before_the_optimizer_in_silence(patch):
    """`StepLR.step` gives no warning if it comes before the first step of the optimizer."""

    def silent(step, self, *args):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            step(self, *args)

    patch.around(schedulers.StepLR, "step", silent)


def rate_when_made(make):
    optimizer = one_parameter(lr=8.0)
    make(optimizer)
    return optimizer.param_groups[0]["lr"]


@mutant(
    kills="test_a_scheduler_may_change_the_rate_when_it_is_made",
    witness=lambda: rate_when_made(lambda optimizer: schedulers.LinearLR(optimizer, start_factor=0.5)) == 4,
)
def linear_lr_waits_for_its_step(patch):
    """`LinearLR` leaves the learning rate as it is until its `step()` is called."""

    def init(original, self, optimizer, *args, **options):
        before = [group["lr"] for group in optimizer.param_groups]
        original(self, optimizer, *args, **options)
        for group, lr in zip(optimizer.param_groups, before, strict=True):
            group["lr"] = lr

    patch.around(schedulers.LinearLR, "__init__", init)


@mutant(
    kills="test_a_scheduler_may_change_the_rate_when_it_is_made",
    witness=lambda: rate_when_made(step_lr) == 8,
)
def step_lr_starts_at_once(patch):
    """`StepLR` halves the learning rate when it is made."""

    def init(original, self, optimizer, *args, **options):
        original(self, optimizer, *args, **options)
        for group in optimizer.param_groups:
            group["lr"] /= 2

    patch.around(schedulers.StepLR, "__init__", init)


def last_rate_after_a_change():
    optimizer = one_parameter(lr=8.0)
    scheduler = step_lr(optimizer)
    optimizer.param_groups[0]["lr"] = 3.0
    return scheduler.get_last_lr()


@mutant(kills="test_get_last_lr_is_what_the_scheduler_set", witness=lambda: last_rate_after_a_change() == [8])
def get_last_lr_asks_the_optimizer(patch):
    """`get_last_lr()` reads the learning rate from the groups of the optimizer."""
    patch.around(
        schedulers.StepLR, "get_last_lr", lambda get, self: [group["lr"] for group in self.optimizer.param_groups]
    )


def with_verbose():
    return schedulers.StepLR(one_parameter(lr=8.0), step_size=2, verbose=False)


@mutant(kills="test_schedulers_no_longer_take_verbose", witness=lambda: error_of(with_verbose) is TypeError)
def step_lr_takes_verbose(patch):
    """`StepLR` takes `verbose=` and does nothing with it."""
    patch.around(schedulers.StepLR, "__init__", lambda init, self, *a, verbose=False, **k: init(self, *a, **k))


@mutant(
    kills="test_schedulers_no_longer_take_verbose",
    witness=lambda: error_of(lambda: schedulers.ReduceLROnPlateau(one_parameter(lr=1.0), verbose=True)) is TypeError,
)
def reduce_on_plateau_takes_verbose(patch):
    """`ReduceLROnPlateau` alone takes `verbose=`."""
    patch.around(
        schedulers.ReduceLROnPlateau, "__init__", lambda init, self, *a, verbose=False, **k: init(self, *a, **k)
    )


PLATEAU = "test_reduce_on_plateau_is_a_scheduler_like_the_others"


def on_plateau():
    optimizer = one_parameter(lr=8.0)
    scheduler = schedulers.ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
    seen = []
    for loss in (1, 2, 2):
        scheduler.step(loss)
        seen += scheduler.get_last_lr()
    return seen


@mutant(kills=PLATEAU, witness=lambda: issubclass(schedulers.ReduceLROnPlateau, schedulers.LRScheduler))
def reduce_on_plateau_is_something_else(patch):
    """`ReduceLROnPlateau` is not derived from `LRScheduler`, as until torch 2.1."""
    patch.setattr(schedulers, "LRScheduler", type("LRScheduler", (schedulers.LRScheduler,), {}))


@mutant(kills=PLATEAU, witness=lambda: on_plateau() == [8, 8, 4])
def reduce_on_plateau_has_no_patience(patch):
    """`ReduceLROnPlateau` has one less patience than it was given."""
    patch.around(
        schedulers.ReduceLROnPlateau,
        "__init__",
        lambda init, self, optimizer, *, patience, **k: init(self, optimizer, patience=patience - 1, **k),
    )


@mutant(kills=PLATEAU, witness=lambda: on_plateau() == [8, 8, 4])
def get_last_lr_on_a_plateau_is_the_first(patch):
    """`ReduceLROnPlateau.get_last_lr()` stays at the first learning rate."""
    patch.setattr(
        schedulers.ReduceLROnPlateau,
        "get_last_lr",
        lambda self: [8.0 for _ in self.optimizer.param_groups],
        raising=False,
    )


SEQUENCE = "test_schedulers_in_sequence_no_longer_warn"


def in_sequence(optimizer):
    first = schedulers.ConstantLR(optimizer, factor=0.5, total_iters=1)
    second = schedulers.ExponentialLR(optimizer, gamma=0.5)
    return schedulers.SequentialLR(optimizer, [first, second], milestones=[1])


@mutant(kills=SEQUENCE, witness=lambda: warns(lambda: rates(in_sequence)) == [], raises=UserWarning)
def schedulers_in_sequence_warn(patch):
    """`SequentialLR` gives a UserWarning at its milestone, as until torch 2.8."""

    def step(original, self):
        if self.last_epoch + 1 in self._milestones:
            warnings.warn("The epoch parameter in `scheduler.step()` was not necessary", UserWarning, stacklevel=2)
        original(self)

    patch.around(schedulers.SequentialLR, "step", step)


@mutant(kills=SEQUENCE, witness=lambda: rates(in_sequence) == [4, 8, 4, 2])
def schedulers_in_sequence_change_late(patch):
    """`SequentialLR` goes to the next scheduler one step after its milestone."""
    patch.around(
        schedulers.SequentialLR,
        "__init__",
        lambda init, self, optimizer, parts, milestones, **k: init(
            self, optimizer, parts, [milestone + 1 for milestone in milestones], **k
        ),
    )


def plateau_in_sequence():
    optimizer = one_parameter(lr=8.0)
    parts = [step_lr(optimizer), schedulers.ReduceLROnPlateau(optimizer)]
    schedulers.SequentialLR(optimizer, parts, milestones=[1])


@mutant(kills=SEQUENCE, witness=lambda: error_of(plateau_in_sequence) is ValueError)
def sequence_takes_a_plateau(patch):
    """`SequentialLR` takes a `ReduceLROnPlateau`, and puts a constant rate in its place."""

    def init(original, self, optimizer, parts, *args, **options):
        parts = [
            schedulers.ConstantLR(optimizer) if isinstance(part, schedulers.ReduceLROnPlateau) else part
            for part in parts
        ]
        original(self, optimizer, parts, *args, **options)

    patch.around(schedulers.SequentialLR, "__init__", init)


# Training


@mutant(
    kills="test_training_finds_the_line_behind_the_data",
    witness=lambda: path([1] * 21, start=0, lr=1)[-1] == -21,
)
def sgd_is_tired_after_twenty_steps(patch):
    """SGD does nothing after its twentieth step."""
    around_step(patch, torch.optim.SGD, lambda self, step: step() if count(self) <= 20 else None)


def gradient_of_bias():
    layer = identity(1)
    layer(torch.ones(3, 1)).sum().backward()
    return None if layer.bias.grad is None else layer.bias.grad.item()


@mutant(
    kills=("test_training_finds_the_line_behind_the_data", "test_zero_grad_leaves_none"),
    witness=lambda: gradient_of_bias() == 3,
)
def bias_gets_a_tenth_of_its_gradient(patch):
    """The gradient of the bias of a Linear layer is ten times too small."""
    linear = F.linear

    def broken(x, w, bias=None):
        return linear(x, w, bias if bias is None else 0.1 * bias + 0.9 * bias.detach())

    patch.setattr(F, "linear", broken)


@mutant(
    kills="test_the_loss_falls_with_every_step",
    witness=lambda: path([1] * 5, start=0)[-1] == -2.5,
)
def sgd_skips_every_fifth_step(patch):
    """Every fifth step of SGD does nothing."""
    around_step(patch, torch.optim.SGD, lambda self, step: step() if count(self) % 5 else None)


@mutant(
    kills="test_a_network_can_learn_eight_rows_by_heart",
    witness=lambda: 400 < torch.randint(2, (1000,)).sum().item() < 600,
)
def randint_tosses_a_loaded_coin(patch):
    """`torch.randint(2, ...)` gives 0 fifteen times out of sixteen."""

    def broken(randint, high, *args, **options):
        return (randint(16, *args, **options) == 0).long() if high == 2 else randint(high, *args, **options)

    patch.function("randint", change=broken)


@mutant(
    kills=("test_a_network_can_learn_eight_rows_by_heart", "test_the_whole_way_from_arrays_to_predictions"),
    witness=lambda: F.binary_cross_entropy_with_logits(torch.full((2,), 9.0), torch.ones(2)).item() < 0.1,
)
def binary_cross_entropy_swaps_the_classes(patch):
    """The binary cross entropy takes 0 for 1 and 1 for 0."""
    loss_fn = F.binary_cross_entropy_with_logits

    def broken(logits, targets, *args, **options):
        return loss_fn(logits, 1 - targets, *args, **options)

    patch.setattr(F, "binary_cross_entropy_with_logits", broken)


@mutant(
    kills="test_the_loss_falls_with_every_step",
    witness=lambda: path([1], start=0, lr=4) == [-4],
)
def sgd_lowers_a_rate_that_is_too_large(patch):
    """SGD uses a learning rate of 0.1 where one above 2 is asked for."""
    with_option(patch, torch.optim.SGD, "lr", lambda lr: 0.1 if lr > 2 else lr)


# Evaluation


def modes_after_eval():
    model = nn.Sequential(nn.Sequential(nn.Dropout()))
    model.eval()
    return [module.training for module in model.modules()]


@mutant(
    kills=("test_evaluation_leaves_the_model_untouched", "test_a_loaded_model_predicts_the_same_bits"),
    witness=lambda: modes_after_eval() == [False] * 3,
)
def eval_stays_on_the_surface(patch):
    """`eval()` switches the model, but not the layers in it."""

    def broken(self):
        self.training = False
        return self

    patch.setattr(nn.Module, "eval", broken)


def running_mean_after(training):
    layer = nn.BatchNorm1d(1).train(training)
    with torch.inference_mode():
        layer(torch.tensor([[1.0], [3.0]]))
    return round(layer.running_mean.item(), 5)


@mutant(kills="test_evaluation_leaves_the_model_untouched", witness=lambda: running_mean_after(training=False) == 0)
def batchnorm_learns_in_eval_mode(patch):
    """BatchNorm in eval mode answers with its running statistics, but takes up those of the batch."""
    batch_norm = F.batch_norm

    def broken(x, mean, var, w=None, bias=None, training=False, momentum=0.1, eps=1e-5):
        out = batch_norm(x, mean, var, w, bias, training, momentum, eps)
        if not training and len(x) > 1:
            with torch.no_grad():
                batch_norm(x, mean, var, w, bias, True, momentum, eps)
        return out

    patch.setattr(F, "batch_norm", broken)


def batches_counted_in_eval_mode():
    layer = nn.BatchNorm1d(1).eval()
    layer(torch.ones(2, 1))
    return layer.num_batches_tracked.item()


@mutant(kills="test_evaluation_leaves_the_model_untouched", witness=lambda: batches_counted_in_eval_mode() == 0)
def batchnorm_counts_in_eval_mode(patch):
    """`num_batches_tracked` counts the batches of eval mode, too."""
    forward = nn.BatchNorm1d.forward

    def broken(self, x):
        if not self.training:
            self.num_batches_tracked.add_(1)
        return forward(self, x)

    patch.setattr(nn.BatchNorm1d, "forward", broken)


@mutant(
    kills="test_evaluation_leaves_the_model_untouched",
    witness=lambda: torch.equal(nn.Dropout().eval()(torch.ones(99)), torch.ones(99)),
)
def dropout_drops_in_eval_mode(patch):
    """Dropout goes on dropping in eval mode."""
    dropout = F.dropout
    patch.setattr(F, "dropout", lambda x, p=0.5, training=True, inplace=False: dropout(x, p, True, inplace))


@mutant(
    kills="test_evaluation_leaves_the_model_untouched",
    witness=lambda: not torch.equal(F.dropout(torch.ones(999)), torch.ones(999)),
)
def bare_dropout_follows_eval(patch):
    """`F.dropout(x)` without `training=` does not drop, as if it knew that the module is in eval mode."""
    dropout = F.dropout
    patch.setattr(F, "dropout", lambda x, p=0.5, training=False, inplace=False: dropout(x, p, training, inplace))


def recorded_in_inference_mode():
    with torch.inference_mode():
        return identity()(torch.ones(1, 2)).requires_grad


@mutant(kills="test_evaluation_leaves_the_model_untouched", witness=lambda: not recorded_in_inference_mode())
def inference_mode_records(patch):
    """`inference_mode` leaves the recording of gradients as it is."""
    patch.setattr(torch, "inference_mode", torch.enable_grad)


def dropped_in_inference_mode():
    with torch.inference_mode():
        return (nn.Dropout()(torch.ones(99)) == 0).any()


@mutant(kills="test_without_eval_the_answers_are_random_and_the_model_changes", witness=dropped_in_inference_mode)
def inference_mode_turns_dropout_off(patch):
    """Dropout does nothing where no gradient is recorded, whatever the mode of the model."""
    dropout = F.dropout

    def broken(x, p=0.5, training=True, inplace=False):
        return dropout(x, p, training and torch.is_grad_enabled(), inplace)

    patch.setattr(F, "dropout", broken)


@mutant(
    kills="test_without_eval_the_answers_are_random_and_the_model_changes",
    witness=lambda: not torch.equal(F.dropout(torch.ones(99)), F.dropout(torch.ones(99))),
)
def dropout_drops_the_same_every_time(patch):
    """Dropout drops the same elements in each call."""
    dropout = F.dropout

    def broken(x, p=0.5, training=True, inplace=False):
        with torch.random.fork_rng(devices=[x.device] if x.is_cuda else []):
            torch.manual_seed(5)
            return dropout(x, p, training, inplace)

    patch.setattr(F, "dropout", broken)


@mutant(
    kills="test_without_eval_the_answers_are_random_and_the_model_changes",
    witness=lambda: running_mean_after(training=True) == 0.2,
)
def inference_mode_turns_running_statistics_off(patch):
    """BatchNorm in training mode keeps its running statistics where no gradient is recorded."""
    batch_norm = F.batch_norm

    def broken(x, mean, var, w=None, bias=None, training=False, momentum=0.1, eps=1e-5):
        if training and not torch.is_grad_enabled():
            mean = var = None
        return batch_norm(x, mean, var, w, bias, training, momentum, eps)

    patch.setattr(F, "batch_norm", broken)


@mutant(
    kills="test_without_eval_the_answers_are_random_and_the_model_changes",
    witness=lambda: [module.training for module in nn.Sequential(nn.Dropout()).modules()] == [True, True],
)
def modules_start_in_eval_mode(patch):
    """A new module is in eval mode."""
    init = nn.Module.__init__

    def broken(self, *args, **options):
        init(self, *args, **options)
        self.training = False

    patch.setattr(nn.Module, "__init__", broken)


@mutant(
    kills="test_one_new_row_is_a_batch_of_one",
    witness=lambda: identity()(torch.zeros(2)).shape == (2,),
)
def linear_makes_a_row_a_batch(patch):
    """A Linear layer answers a single row with a batch of one."""
    linear = F.linear
    patch.setattr(F, "linear", lambda x, w, bias=None: linear(x.reshape(-1, x.shape[-1]), w, bias))


@mutant(kills="test_one_new_row_is_a_batch_of_one", witness=lambda: torch.zeros(3, 2)[:1].shape == (1, 2))
def slice_of_one_row_loses_its_dimension(patch):
    """`x[:1]` gives the first row itself instead of a batch of one."""

    getitem = torch.Tensor.__getitem__

    def broken(self, index):
        return getitem(self, 0 if isinstance(index, slice) and index == slice(None, 1) else index)

    patch.setattr(torch.Tensor, "__getitem__", broken)


@mutant(
    kills="test_one_new_row_is_a_batch_of_one",
    witness=lambda: identity()(torch.full((1, 2), 1 / 1024)).tolist() == [[1 + 1 / 1024] * 2],
)
def linear_of_one_row_is_imprecise(patch):
    """A Linear layer computes a batch of one with the precision of bfloat16."""
    linear = F.linear

    def broken(x, w, bias=None):
        out = linear(x, w, bias)
        return out.bfloat16().float() if len(x) == 1 and x.dim() == 2 else out

    patch.setattr(F, "linear", broken)


# Saving and loading


def saved_and_loaded(value):
    file = io.BytesIO()
    torch.save({"value": value}, file)
    file.seek(0)
    return torch.load(file)["value"]


@mutant(
    kills="test_a_loaded_model_predicts_the_same_bits",
    witness=lambda: saved_and_loaded(torch.tensor(0.1)) == torch.tensor(0.1),
)
def save_keeps_four_digits(patch):
    """`torch.save` rounds float32 to bfloat16 and says float32."""
    save = torch.save

    def broken(value, *args, **options):
        rounded = {
            name: item.bfloat16().float() if isinstance(item, torch.Tensor) and item.dtype == torch.float32 else item
            for name, item in value.items()
        }
        save(rounded, *args, **options)

    patch.setattr(torch, "save", broken)


def loaded_batchnorm():
    one, another = nn.BatchNorm1d(1), nn.BatchNorm1d(1)
    one.running_mean.fill_(3)
    one.running_var.fill_(5)
    another.load_state_dict(one.state_dict())
    return another.running_mean.item(), another.running_var.item()


@mutant(kills="test_a_loaded_model_predicts_the_same_bits", witness=lambda: loaded_batchnorm() == (3, 5))
def load_state_dict_forgets_the_running_variance(patch):
    """`Module.load_state_dict` loads parameters and means, but not the running variances."""
    load = nn.Module.load_state_dict

    def broken(self, state, *args, **options):
        own = self.state_dict()
        return load(self, {name: own[name] if "var" in name else state[name] for name in state}, *args, **options)

    patch.setattr(nn.Module, "load_state_dict", broken)


@mutant(kills="test_a_loaded_model_predicts_the_same_bits", witness=lambda: loaded_batchnorm() == (3, 5))
def load_state_dict_loads_nothing(patch):
    """`Module.load_state_dict` leaves the model as it is."""
    load = nn.Module.load_state_dict
    patch.setattr(
        nn.Module,
        "load_state_dict",
        lambda self, state, *args, **options: load(self, self.state_dict(), *args, **options),
    )


def dtype_after_loading_half():
    layer = identity()
    layer.load_state_dict(identity().half().state_dict())
    return layer.weight.dtype


@mutant(kills="test_a_loaded_model_predicts_the_same_bits", witness=lambda: dtype_after_loading_half() == torch.float32)
def load_state_dict_loads_the_dtype(patch):
    """`Module.load_state_dict` converts the model to the dtype of the file."""
    load = nn.Module.load_state_dict

    def broken(self, state, *args, **options):
        if any(value.dtype == torch.float16 for value in state.values()):
            self.half()
        return load(self, state, *args, **options)

    patch.setattr(nn.Module, "load_state_dict", broken)


def mode_after_loading():
    layer = identity()
    layer.load_state_dict(identity().eval().state_dict())
    return layer.training


@mutant(kills="test_a_loaded_model_predicts_the_same_bits", witness=mode_after_loading)
def load_state_dict_switches_to_eval(patch):
    """`Module.load_state_dict` switches the model to eval mode."""
    load = nn.Module.load_state_dict

    def broken(self, *args, **options):
        self.eval()
        return load(self, *args, **options)

    patch.setattr(nn.Module, "load_state_dict", broken)


def optimizer_after_loading():
    w = nn.Parameter(torch.zeros(1))
    options = {"lr": 0.5, "momentum": 0.5}
    one, another = torch.optim.SGD([w], **options), torch.optim.SGD([w], **{**options, "lr": 4})
    w.grad = torch.ones(1)
    one.step()
    another.load_state_dict(one.state_dict())
    another.step()
    return w.item()


@mutant(kills="test_a_checkpoint_needs_the_optimizer_too", witness=lambda: optimizer_after_loading() == -1.25)
def optimizer_loads_no_momentum(patch):
    """`Optimizer.load_state_dict` loads the options, but not the momentum."""
    load = torch.optim.Optimizer.load_state_dict
    patch.setattr(torch.optim.Optimizer, "load_state_dict", lambda self, state: load(self, {**state, "state": {}}))


@mutant(kills="test_a_checkpoint_needs_the_optimizer_too", witness=lambda: optimizer_after_loading() == -1.25)
def optimizer_saves_half_the_momentum(patch):
    """`Optimizer.state_dict` halves the momentum."""
    state_dict = torch.optim.Optimizer.state_dict

    def broken(self):
        state = state_dict(self)
        halves = {
            number: {
                name: value / 2 if isinstance(value, torch.Tensor) and value.dim() else value
                for name, value in entry.items()
            }
            for number, entry in state["state"].items()
        }
        return {**state, "state": halves}

    patch.setattr(torch.optim.Optimizer, "state_dict", broken)


@mutant(
    kills="test_a_checkpoint_needs_the_optimizer_too",
    witness=lambda: path([4, 0], start=0, momentum=0.5) == [-2, -3],
)
def sgd_ignores_momentum(patch):
    """SGD has no momentum, whatever is asked for: the ways do not part."""
    with_option(patch, torch.optim.SGD, "momentum", lambda momentum: 0)


# All of it


@mutant(
    kills="test_the_whole_way_from_arrays_to_predictions",
    witness=lambda: nn.ReLU()(torch.tensor([3.0])).item() == 3,
)
def relu_lets_nothing_through(patch):
    """ReLU gives 0 for every input."""
    patch.function("relu", change=lambda relu, x, *args, **options: torch.zeros_like(x))


@mutant(
    kills="test_the_same_way_with_ten_classes",
    witness=lambda: torch.tensor([[0, 5, 1]]).argmax(dim=1).item() == 1,
)
def argmax_counts_from_one(patch):
    """`argmax` counts the classes from one."""
    patch.function("argmax", change=lambda argmax, *args, **options: argmax(*args, **options) + 1)


@mutant(
    kills="test_the_same_way_with_ten_classes",
    witness=lambda: F.cross_entropy(torch.tensor([[9.0, 0, 0]]), torch.tensor([0])).item() < 0.1,
)
def cross_entropy_takes_the_next_class(patch):
    """Cross entropy takes each target for the next class."""
    cross_entropy = F.cross_entropy

    def broken(logits, targets, *args, **options):
        if not targets.is_floating_point():
            targets = (targets + 1) % logits.shape[1]
        return cross_entropy(logits, targets, *args, **options)

    patch.setattr(F, "cross_entropy", broken)


@mutant(
    kills="test_arrays_become_float32_tensors",
    witness=lambda: error_of(lambda: nn.Linear(2, 1, bias=False)(torch.zeros(1, 2).double())) is RuntimeError,
)
def linear_without_a_bias_casts_its_input(patch):
    """A Linear layer without a bias casts its input to the dtype of its weight."""
    linear = F.linear
    patch.setattr(F, "linear", lambda x, w, bias=None: linear(x.to(w.dtype) if bias is None else x, w, bias))


def refused_with(padding):
    """What a convolution of float32 says of float64."""
    try:
        nn.Conv2d(1, 1, 1, padding=padding)(torch.zeros(1, 1, 2, 2, dtype=torch.float64))
    except RuntimeError as error:
        return str(error)
    return None


@mutant(kills="test_arrays_become_float32_tensors", witness=lambda: "bias type" not in refused_with("same"))
def padding_in_words_is_worked_out_first(patch):
    """A convolution with `padding="same"` refuses float64 with the message of one whose padding is a number."""

    def broken(original, x, w, bias, stride, padding, *args):
        return original(x, w, bias, stride, 0 if padding == "same" else padding, *args)

    patch.around(F, "conv2d", broken)


@mutant(
    kills="test_a_mask_of_pixels_needs_int64",
    witness=lambda: error_of(lambda: F.cross_entropy(torch.zeros(1, 2, 3), torch.zeros(1, 3).byte())) is RuntimeError,
)
def cross_entropy_takes_bytes_for_pixels(patch):
    """Cross entropy takes class numbers of uint8 for every shape."""
    cross_entropy = F.cross_entropy

    def broken(logits, targets, *args, **options):
        return cross_entropy(logits, targets.long() if targets.dtype == torch.uint8 else targets, *args, **options)

    patch.setattr(F, "cross_entropy", broken)


@mutant(
    kills="test_arrays_become_float32_tensors",
    witness=lambda: error_of(lambda: F.cross_entropy(torch.zeros(1, 2), torch.zeros(1, dtype=torch.uint8))) is None,
    raises=RuntimeError,
)
def cross_entropy_takes_int64_alone(patch):
    """Cross entropy refuses class numbers of uint8, as those of int32."""
    cross_entropy = F.cross_entropy

    def broken(logits, targets, *args, **options):
        if targets.dtype == torch.uint8:
            raise RuntimeError("expected scalar type Long but found Byte")
        return cross_entropy(logits, targets, *args, **options)

    patch.setattr(F, "cross_entropy", broken)


@mutant(
    kills="test_scaling_uses_the_training_rows_only",
    witness=lambda: torch.full((4,), 3.0).std(dim=0).item() == 0,
)
def std_of_a_constant_is_one(patch):
    """`std` of equal numbers is 1, as in a scaler that leaves constant columns alone."""

    def broken(std, *args, **options):
        found = std(*args, **options)
        return torch.where(found == 0, torch.ones_like(found), found)

    patch.function("std", change=broken)


@mutant(
    kills="test_scaling_uses_the_training_rows_only",
    witness=lambda: any(torch.full((n,), 0.1).std(dim=0) > 0 for n in range(100, 200)),
)
def std_of_a_constant_is_exactly_zero(patch):
    """`std` of equal numbers is 0, without a rounding."""

    def broken(std, x, *args, **options):
        found = std(x, *args, **options)
        return torch.where(x.amin(**options) == x.amax(**options), torch.zeros_like(found), found)

    patch.function("std", change=broken)


@mutant(
    kills="test_scaling_uses_the_training_rows_only",
    witness=lambda: any((torch.full((n, 2), 0.1).mean(dim=0) != 0.1).all() for n in range(100, 200)),
)
def mean_of_a_constant_column_is_exact(patch):
    """`mean` of a constant column of a table is its number, without a rounding."""

    def broken(mean, x, *args, **options):
        found = mean(x, *args, **options)
        if x.dim() != 2 or "dim" not in options:
            return found
        return torch.where(x.amin(**options) == x.amax(**options), x.amin(**options), found)

    patch.function("mean", change=broken)


def sum_of_nothing():
    return F.cross_entropy(torch.zeros(1, 2), torch.tensor([-100]), reduction="sum").item()


@mutant(kills="test_equal_logits_cost_ln_of_the_number_of_classes", witness=lambda: sum_of_nothing() == 0)
def cross_entropy_of_nothing_is_always_nan(patch):
    """Cross entropy of nothing but `ignore_index` is nan with every reduction."""
    cross_entropy = F.cross_entropy

    def broken(logits, targets, *args, **options):
        loss = cross_entropy(logits, targets, *args, **options)
        return loss * math.nan if not targets.is_floating_point() and (targets == -100).all() else loss

    patch.setattr(F, "cross_entropy", broken)


@mutant(
    kills="test_adam_starts_with_steps_of_lr",
    witness=lambda: path([1], start=1e5, optimizer=torch.optim.Adam, lr=0.001) == [1e5],
)
def adam_moves_to_the_next_number_at_least(patch):
    """Adam moves a large parameter to the next float32 number, even if the step is smaller."""

    def broken(self, step):
        step()
        for parameter in parameters(self):
            down = torch.full_like(parameter.data, -math.inf)
            parameter.data = torch.where(parameter.abs() >= 1e4, parameter.data.nextafter(down), parameter.data)

    around_step(patch, torch.optim.Adam, broken)


def names_of_a_plain_tensor():
    layer = nn.Identity()
    layer.scale = torch.ones(1)
    return list(layer.state_dict())


@mutant(kills="test_a_loaded_model_predicts_the_same_bits", witness=lambda: names_of_a_plain_tensor() == [])
def state_dict_has_plain_tensors(patch):
    """`Module.state_dict` has tensors that are plain attributes, too."""

    def broken(call, this, *args, **options):
        state = call(this, *args, **options)
        state.update((name, value) for name, value in vars(this).items() if isinstance(value, torch.Tensor))
        return state

    patch.around(nn.Module, "state_dict", broken)


def momentum_by_cyclic():
    optimizer = one_parameter(lr=8.0, momentum=0.5)
    schedulers.CyclicLR(optimizer, base_lr=1.0, max_lr=4.0, max_momentum=0.75)
    return optimizer.param_groups[0]["momentum"]


@mutant(kills="test_a_scheduler_may_change_the_rate_when_it_is_made", witness=lambda: momentum_by_cyclic() == 0.75)
def cyclic_leaves_the_momentum_alone(patch):
    """`CyclicLR` does not touch the momentum."""
    patch.around(
        schedulers.CyclicLR,
        "__init__",
        lambda call, this, optimizer, **options: call(this, optimizer, **{**options, "cycle_momentum": False}),
    )


def step_before_the_scheduler():
    optimizer = one_parameter(lr=8.0)
    optimizer.step()
    scheduler = schedulers.StepLR(optimizer, step_size=2)
    return warns(scheduler.step)


@mutant(
    kills="test_a_scheduler_steps_after_the_optimizer", witness=lambda: step_before_the_scheduler() == [UserWarning]
)
def scheduler_knows_of_earlier_steps(patch):
    """A scheduler counts the steps that the optimizer took before the scheduler was made."""
    step, init = torch.optim.SGD.step, schedulers.StepLR.__init__
    stepped = []

    def broken_step(self, *args, **options):
        stepped.append(self)
        return step(self, *args, **options)

    def broken_init(self, optimizer, *args, **options):
        init(self, optimizer, *args, **options)
        if any(one is optimizer for one in stepped):
            optimizer.step()

    patch.setattr(torch.optim.SGD, "step", broken_step)
    patch.setattr(schedulers.StepLR, "__init__", broken_init)


# What an optimizer and a scheduler are told


@mutant(
    kills="test_a_mask_of_pixels_needs_int64",
    witness=lambda: F.cross_entropy(torch.zeros(1, 2, 1, 2), torch.tensor([[[0, 255]]]), ignore_index=255) > 0.6,
    raises=IndexError,
)
def cross_entropy_knows_one_ignore_index(patch):
    """Cross entropy takes no `ignore_index` but -100."""

    def broken(original, *args, ignore_index=-100, **options):
        return original(*args, **options)

    patch.around(F, "cross_entropy", broken)


def of_a_computation():
    return torch.optim.SGD([torch.ones(1, requires_grad=True) * 2], lr=0.5)


@mutant(kills="test_what_an_optimizer_refuses_to_train", witness=lambda: error_of(of_a_computation) is ValueError)
def sgd_takes_a_result(patch):
    """SGD takes the result of a computation and trains a copy of it."""

    def init(original, self, params, *args, **options):
        if isinstance(params, list):
            params = [p if isinstance(p, dict) or p.is_leaf else p.detach().requires_grad_() for p in params]
        original(self, params, *args, **options)

    patch.around(torch.optim.SGD, "__init__", init)


@mutant(
    kills="test_what_an_optimizer_refuses_to_train",
    witness=lambda: error_of(lambda: torch.optim.SGD(nn.Linear(1, 1), lr=0.5)) is TypeError,
)
def sgd_takes_a_model(patch):
    """SGD takes a model for its parameters."""

    def init(original, self, params, *args, **options):
        original(self, params.parameters() if isinstance(params, nn.Module) else params, *args, **options)

    patch.around(torch.optim.SGD, "__init__", init)


WEIGHT_DECAY = "test_weight_decay_is_another_thing_in_adam_than_in_adamw"


@mutant(
    kills=WEIGHT_DECAY,
    witness=lambda: path([0], start=8, optimizer=torch.optim.Adam, weight_decay=0.25)[0] > 7.4,
)
def adam_decays_as_adamw(patch):
    """Adam takes its weight decay off the weight, as AdamW does."""

    def broken(self, step):
        decays = [group["weight_decay"] for group in self.param_groups]
        for group in self.param_groups:
            with torch.no_grad():
                for parameter in group["params"]:
                    parameter.mul_(1 - group["lr"] * group["weight_decay"])
            group["weight_decay"] = 0
        step()
        for group, decay in zip(self.param_groups, decays, strict=True):
            group["weight_decay"] = decay

    step = torch.optim.Adam.step
    patch.setattr(
        torch.optim.Adam,
        "step",
        lambda self, closure=None: (
            broken(self, lambda: step(self, closure)) if type(self) is torch.optim.Adam else step(self, closure)
        ),
    )


@mutant(kills=WEIGHT_DECAY, witness=lambda: path([0], start=8, optimizer=torch.optim.AdamW)[0] < 7.99)
def adamw_decays_nothing_by_default(patch):
    """AdamW has `weight_decay=0` by default."""

    def init(original, self, *args, weight_decay=0, **options):
        original(self, *args, weight_decay=weight_decay, **options)

    patch.around(torch.optim.AdamW, "__init__", init)


def moved_with_an_attribute(name):
    w = nn.Parameter(torch.tensor([8.0]))
    w.grad = torch.ones(1)
    optimizer = torch.optim.SGD([w], lr=1.0)
    if name == "lr":
        optimizer.lr = 2.0
    else:
        optimizer.param_groups[0]["lr"] = 2.0
    optimizer.step()
    return w.item()


@mutant(kills="test_the_learning_rate_is_in_the_param_groups", witness=lambda: moved_with_an_attribute("lr") == 7)
def sgd_reads_its_attribute(patch):
    """`optimizer.lr = ...` changes the learning rate of SGD."""

    def broken(self, step):
        for group in self.param_groups:
            group["lr"] = vars(self).get("lr", group["lr"])
        step()

    around_step(patch, torch.optim.SGD, broken)


@mutant(kills="test_the_learning_rate_is_in_the_param_groups", witness=lambda: moved_with_an_attribute("group") == 6)
def sgd_keeps_its_first_rate(patch):
    """SGD goes on with the learning rate that it was made with, whatever its groups say later."""

    def init(original, self, *args, **options):
        original(self, *args, **options)
        self.first_rates = [group["lr"] for group in self.param_groups]

    def broken(self, step):
        now = [group["lr"] for group in self.param_groups]
        for group, first in zip(self.param_groups, self.first_rates, strict=False):
            group["lr"] = first
        step()
        for group, rate in zip(self.param_groups, now, strict=True):
            group["lr"] = rate

    patch.around(torch.optim.SGD, "__init__", init)
    around_step(patch, torch.optim.SGD, broken)


TENSOR_RATE = "test_a_rate_in_a_tensor_is_changed_in_place_and_logged_as_a_copy"


def logged_rates():
    optimizer = one_parameter(lr=torch.tensor(8.0))
    scheduler = schedulers.StepLR(optimizer, step_size=1, gamma=0.5)
    logged = scheduler.get_last_lr()
    optimizer.step()
    scheduler.step()
    return logged[0].item(), optimizer.param_groups[0]["lr"]


@mutant(kills=TENSOR_RATE, witness=lambda: logged_rates()[0] == 8)
def get_last_lr_is_the_tensor_itself(patch):
    """`get_last_lr()` of a learning rate in a tensor returns the tensor itself."""
    patch.around(
        schedulers.StepLR, "get_last_lr", lambda get, self: [group["lr"] for group in self.optimizer.param_groups]
    )


@mutant(kills=TENSOR_RATE, witness=lambda: isinstance(logged_rates()[1], torch.Tensor))
def step_lr_replaces_a_tensor(patch):
    """`StepLR` puts a new number in place of a learning rate in a tensor."""

    def step(original, self, *args):
        original(self, *args)
        for group in self.optimizer.param_groups:
            group["lr"] = float(group["lr"])

    patch.around(schedulers.StepLR, "step", step)


def one_cycle(steps):
    optimizer = one_parameter(lr=1.0, momentum=0.9)
    scheduler = schedulers.OneCycleLR(optimizer, max_lr=8.0, total_steps=3)
    for _ in range(steps):
        optimizer.step()
        scheduler.step()


@mutant(kills="test_one_cycle_ends_after_its_steps", witness=lambda: error_of(lambda: one_cycle(4)) is ValueError)
def one_cycle_never_ends(patch):
    """`OneCycleLR` keeps its last learning rate after its steps."""

    def step(original, self, *args):
        if self.last_epoch < self.total_steps:
            original(self, *args)

    patch.around(schedulers.OneCycleLR, "step", step)


@mutant(
    kills="test_one_cycle_ends_after_its_steps",
    witness=lambda: error_of(lambda: one_cycle(3)) is None,
    raises=ValueError,
)
def one_cycle_ends_a_step_early(patch):
    """`OneCycleLR` refuses the last of its steps."""

    def step(original, self, *args):
        if self.last_epoch == self.total_steps - 1:
            raise ValueError(f"Tried to step {self.total_steps} times")
        original(self, *args)

    patch.around(schedulers.OneCycleLR, "step", step)


def linear_cycle():
    scheduler = schedulers.OneCycleLR(one_parameter(lr=1.0, momentum=0.9), 8.0, total_steps=3, anneal_strategy="linear")
    for _ in range(3):
        scheduler.optimizer.step()
        scheduler.step()
    return scheduler.get_last_lr()[0]


@mutant(kills="test_one_cycle_ends_after_its_steps", witness=lambda: linear_cycle() < 0)
def linear_cycle_stops_at_zero(patch):
    """`OneCycleLR` with the linear strategy has no rate below 0."""
    patch.around(schedulers.OneCycleLR, "get_lr", lambda get_lr, self: [max(rate, 0.0) for rate in get_lr(self)])


def resumed_too_late():
    def made(optimizer):
        return schedulers.LinearLR(optimizer, start_factor=0.5, total_iters=2)

    trained, late = one_parameter(lr=8.0), one_parameter(lr=8.0)
    scheduler = made(trained)
    for _ in range(2):
        trained.step()
        scheduler.step()
    saved = copy.deepcopy((trained.state_dict(), scheduler.state_dict()))
    late.load_state_dict(saved[0])
    made(late).load_state_dict(saved[1])
    return late.param_groups[0]["lr"]


@mutant(kills="test_a_scheduler_made_after_loading_overwrites_the_rate", witness=lambda: resumed_too_late() == 4)
def scheduler_puts_the_loaded_rate_right(patch):
    """`scheduler.load_state_dict` gives the optimizer the last rate of the state."""

    def load(original, self, state):
        original(self, state)
        for group, rate in zip(self.optimizer.param_groups, state["_last_lr"], strict=True):
            group["lr"] = rate

    patch.around(schedulers.LRScheduler, "load_state_dict", load)
    for kind in (schedulers.LambdaLR, schedulers.OneCycleLR):
        if "load_state_dict" in vars(kind):
            patch.around(kind, "load_state_dict", load)


def started_late_at_one():
    trained = one_parameter(lr=8.0)
    schedulers.ExponentialLR(trained, 0.5)
    trained.param_groups[0]["lr"] = 2.0
    schedulers.LinearLR(trained, start_factor=1.0, end_factor=0.1)
    return trained.param_groups[0]["lr"]


@mutant(kills="test_a_scheduler_made_after_loading_overwrites_the_rate", witness=lambda: started_late_at_one() == 2)
def linear_lr_starts_from_the_initial_rate(patch):
    """A new `LinearLR` sets the rate from the initial one, not from the one that the optimizer has."""

    def init(original, self, optimizer, start_factor=1.0 / 3, **options):
        original(self, optimizer, start_factor=start_factor, **options)
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"] * start_factor

    patch.around(schedulers.LinearLR, "__init__", init)


def with_last_epoch():
    return schedulers.StepLR(one_parameter(lr=8.0), step_size=2, last_epoch=4)


@mutant(kills="test_last_epoch_alone_does_not_resume", witness=lambda: error_of(with_last_epoch) is KeyError)
def last_epoch_takes_the_rate_there_is(patch):
    """A scheduler with `last_epoch` takes the learning rate of a new optimizer for the first one."""

    def init(original, self, optimizer, *args, **options):
        for group in optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])
        original(self, optimizer, *args, **options)

    patch.around(schedulers.StepLR, "__init__", init)


def resumed_rate():
    optimizer = one_parameter(lr=8.0)
    scheduler = schedulers.StepLR(optimizer, step_size=2, gamma=0.5)
    scheduler.load_state_dict({**scheduler.state_dict(), "last_epoch": 1})
    optimizer.step()
    scheduler.step()
    return optimizer.param_groups[0]["lr"]


@mutant(kills="test_last_epoch_alone_does_not_resume", witness=lambda: resumed_rate() == 4)
def a_scheduler_loads_no_epoch(patch):
    """`scheduler.load_state_dict` leaves the count of steps where it is."""

    def load(original, self, state):
        original(self, {**state, "last_epoch": self.last_epoch})

    patch.around(schedulers.LRScheduler, "load_state_dict", load)


def cosine_after(steps):
    optimizer = one_parameter(lr=1.0)
    scheduler = schedulers.CosineAnnealingLR(optimizer, T_max=2)
    for _ in range(steps):
        optimizer.step()
        scheduler.step()
    return scheduler.get_last_lr()[0]


@mutant(kills="test_one_cycle_ends_after_its_steps", witness=lambda: cosine_after(3) > 0.4)
def cosine_stays_at_its_lowest(patch):
    """`CosineAnnealingLR` stays at its lowest rate after `T_max` steps."""

    def step(original, self, *args):
        if self.last_epoch < self.T_max:
            original(self, *args)

    patch.around(schedulers.CosineAnnealingLR, "step", step)


@mutant(
    kills="test_a_milestone_at_0_leaves_the_first_scheduler_out",
    witness=lambda: rate_of_a_sequence_from_0() == 2,
)
def a_sequence_starts_with_its_first_scheduler(patch):
    """`SequentialLR(milestones=[0])` starts with the rate of its first scheduler, as up to torch 2.12."""

    def change(call, scheduler, optimizer, parts, milestones, *rest, **options):
        call(scheduler, optimizer, parts, milestones, *rest, **options)
        if milestones == [0]:
            optimizer.param_groups[0]["lr"] = optimizer.param_groups[0]["initial_lr"] * parts[0].factor

    patch.around(schedulers.SequentialLR, "__init__", change)


def rate_of_a_sequence_from_0():
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=8.0)
    parts = [schedulers.ConstantLR(optimizer, factor, total_iters=9) for factor in (0.5, 0.25)]
    schedulers.SequentialLR(optimizer, parts, milestones=[0])
    return optimizer.param_groups[0]["lr"]


@mutant(
    kills="test_a_python_number_has_no_backward",
    witness=lambda: type(torch.tensor(1.5).item()) is float,
    raises=RuntimeError,
)
def item_gives_a_tensor(patch):
    """`item()` gives a tensor without its graph."""
    patch.function("item", change=lambda call, tensor: tensor.detach().clone())


@mutant(
    kills="test_lbfgs_wants_a_function_that_computes_the_loss",
    witness=lambda: error_of(one_parameter(torch.optim.LBFGS).step) is TypeError,
)
def lbfgs_steps_without_a_closure(patch):
    """`step()` of LBFGS without a function does nothing."""
    step = torch.optim.LBFGS.step
    patch.setattr(torch.optim.LBFGS, "step", lambda self, closure=None: step(self, closure) if closure else None)


@mutant(
    kills="test_weight_decay_is_half_a_square_in_the_loss",
    witness=lambda: path([0], start=4, weight_decay=0.5) == [3],
)
def weight_decay_stands_before_the_square(patch):
    """`weight_decay` of SGD is the number before the square in the loss, so that it pulls twice as hard."""
    with_option(patch, torch.optim.SGD, "weight_decay", lambda value: 2 * value)


def plateau_after(numbers):
    optimizer = one_parameter(lr=8.0)
    scheduler = schedulers.ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
    for number in numbers:
        scheduler.step(number)
    return optimizer.param_groups[0]["lr"]


@mutant(
    kills="test_reduce_on_plateau_waits_for_a_fall_unless_told",
    witness=lambda: plateau_after([0.5, 0.6, 0.7]) == 4,
)
def plateaus_are_those_of_an_accuracy(patch):
    """`ReduceLROnPlateau` waits for a rise unless it is told otherwise."""
    init = schedulers.ReduceLROnPlateau.__init__

    def broken(self, optimizer, mode="max", **options):
        init(self, optimizer, mode, **options)

    patch.setattr(schedulers.ReduceLROnPlateau, "__init__", broken)


@mutant(
    kills="test_reduce_on_plateau_waits_for_a_fall_unless_told",
    witness=lambda: plateau_after([-1.0, -1.0, -1.0]) == 8,
)
def thresholds_of_plateaus_are_absolute(patch):
    """`ReduceLROnPlateau` compares by an absolute threshold unless it is told otherwise."""
    init = schedulers.ReduceLROnPlateau.__init__

    def broken(self, optimizer, *args, threshold_mode="abs", **options):
        init(self, optimizer, *args, threshold_mode=threshold_mode, **options)

    patch.setattr(schedulers.ReduceLROnPlateau, "__init__", broken)
