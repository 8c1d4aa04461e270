"""What could break in the loss functions."""

import functools
import inspect
import math
import warnings

import torch
from torch import nn
from torch.nn import functional as F, modules

from torchnotes.harness.mutation import error_of, mutant, quiet

LN2 = math.log(2)


def broken(patch, name, change):
    """Make the function of this name, and the layer that calls it, `change(call, x, y, **settings)`."""
    original = getattr(F, name)
    signature = inspect.signature(original)

    @functools.wraps(original)
    def function(*args, **kwargs):
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        (_, x), (_, y), *settings = bound.arguments.items()
        return change(original, x, y, **dict(settings))

    patch.setattr(F, name, function)


def scaled(factor, when=lambda x, y, **settings: True):
    """A change that multiplies the loss, `when` that applies."""
    return lambda call, x, y, **more: call(x, y, **more) * (factor if when(x, y, **more) else 1)


def default(**settings):
    """A change of what a setting is where it isn't given: what is asked for is left alone."""

    def change(patch, name):
        original = getattr(F, name)
        patch.setattr(F, name, functools.wraps(original)(lambda *args, **kwargs: original(*args, **settings | kwargs)))

    return change


def reduced(losses, reduction):
    """The mean, the sum or each of these losses."""
    return losses.mean() if reduction == "mean" else losses.sum() if reduction == "sum" else losses


def refuse(error, message):
    """Raise this error; an expression can't do it."""
    raise error(message)


def value(name, x, y, **settings):
    """The loss of these numbers, as a number or a list."""
    y = torch.tensor(y) if isinstance(y, (int, list, tuple)) else y
    return getattr(F, name)(torch.tensor(x), y, **settings).tolist()


def slope(name, x, y, **settings):
    """The gradient of the loss by x."""
    leaf = torch.tensor(x, requires_grad=True)
    getattr(F, name)(leaf, torch.tensor(y), **settings).sum().backward()
    return leaf.grad.tolist()


def warns(function, text):
    """Whether calling it warns of this."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        function()
    return any(text in str(warning.message) for warning in caught)


def straight_through(value, gradient):
    """Numbers that are those of `value` and whose gradient is that of `gradient`."""
    return value.detach() + (gradient - gradient.detach())


# One number with a gradient.


@mutant(
    kills=("test_a_loss_is_one_number_with_a_gradient", "test_reduction_is_mean_unless_asked"),
    witness=lambda: value("mse_loss", [1.0], [0.0]) == 1,
)
def mse_mean_has_one_dimension(patch):
    """`F.mse_loss` gives its mean as a tensor of shape (1,)."""
    broken(patch, "mse_loss", lambda call, x, y, **more: torch.atleast_1d(call(x, y, **more)))


@mutant(
    kills=(
        "test_a_loss_is_one_number_with_a_gradient",
        "test_loss_class_takes_settings_and_its_object_takes_tensors",
        "test_an_outlier_pulls_mse_by_its_size_and_l1_by_its_sign",
    ),
    witness=lambda: value("mse_loss", [2.0], [0.0]) == 4,
)
def mse_is_halved(patch):
    """`F.mse_loss` has the factor 1/2 of the textbooks."""
    broken(patch, "mse_loss", scaled(0.5))


@mutant(
    kills=(
        "test_a_loss_is_one_number_with_a_gradient",
        "test_an_outlier_pulls_mse_by_its_size_and_l1_by_its_sign",
        "test_mse_of_float32_and_float64_can_be_differentiated",
    ),
    witness=lambda: slope("mse_loss", [2.0], [0.0]) == [4],
)
def mse_gradient_is_halved(patch):
    """The gradient of `F.mse_loss` is `x - y` and not twice that."""
    broken(patch, "mse_loss", lambda call, x, y, **more: call(straight_through(x, x / 2), y, **more))


@mutant(
    kills="test_a_loss_is_one_number_with_a_gradient",
    witness=lambda: slope("mse_loss", [2.0, 4.0], [0.0, 0.0]) == [2, 4],
)
def mse_gradient_is_not_divided_by_n(patch):
    """`F.mse_loss` is a mean whose gradient is that of the sum."""

    def change(call, x, y, reduction, **more):
        loss = call(x, y, reduction=reduction, **more)
        return loss if reduction != "mean" else straight_through(loss, call(x, y, **more | {"reduction": "sum"}))

    broken(patch, "mse_loss", change)


def _slope_of_one_number():
    leaf = torch.tensor([1.0], requires_grad=True)
    F.mse_loss(leaf, torch.tensor([0.0]), reduction="none").backward()
    return leaf.grad.tolist()


@mutant(
    kills="test_a_loss_is_one_number_with_a_gradient",
    witness=lambda: _slope_of_one_number() == [2],
    raises=RuntimeError,
)
def backward_wants_a_0d_tensor(patch):
    """`backward()` on a tensor of shape (1,) raises RuntimeError, like on one of shape (2,)."""
    patch.around(
        torch.Tensor,
        "backward",
        lambda call, self, *args, **more: (
            refuse(RuntimeError, "grad can be implicitly created only for scalar outputs")
            if self.dim()
            else call(self, *args, **more)
        ),
    )


@mutant(
    kills=("test_a_loss_is_one_number_with_a_gradient", "test_a_float64_target_makes_a_float64_loss"),
    witness=lambda: F.mse_loss(torch.ones(2), torch.zeros(2)).dtype == torch.float32,
)
def mse_is_float64(patch):
    """`F.mse_loss` of float32 is float64."""
    broken(patch, "mse_loss", lambda call, x, y, **more: call(x, y, **more).double())


# Classes and functions.


def _swallow(patch, answer):
    get = nn._reduction.legacy_get_string
    patch.setattr(
        nn._reduction,
        "legacy_get_string",
        lambda *flags, **more: answer() if isinstance(flags[0], torch.Tensor) else get(*flags, **more),
    )


@mutant(
    kills="test_loss_class_takes_settings_and_its_object_takes_tensors",
    witness=lambda: error_of(lambda: nn.MSELoss(torch.ones(2), torch.zeros(2))) is RuntimeError,
)
def loss_classes_swallow_tensors(patch):
    """`nn.MSELoss(predictions, targets)` makes a loss function without a word."""
    _swallow(patch, lambda: "mean")


@mutant(
    kills="test_loss_class_takes_settings_and_its_object_takes_tensors",
    witness=lambda: error_of(lambda: nn.MSELoss(torch.ones(2), torch.zeros(2))) is RuntimeError,
    raises=TypeError,
)
def loss_classes_raise_type_error(patch):
    """`nn.MSELoss(predictions, targets)` raises TypeError."""
    _swallow(patch, lambda: refuse(TypeError, "Boolean value of Tensor with more than one value is ambiguous"))


@mutant(
    kills="test_loss_class_takes_settings_and_its_object_takes_tensors",
    witness=lambda: error_of(lambda: nn.L1Loss(torch.ones(2), torch.zeros(2))) is RuntimeError,
)
def l1_class_computes_at_once(patch):
    """`nn.L1Loss(predictions, targets)` makes a loss function, as the only one of the classes."""
    init = nn.L1Loss.__init__
    patch.setattr(
        nn.L1Loss,
        "__init__",
        lambda self, *args, **settings: (
            init(self, **settings) if args and isinstance(args[0], torch.Tensor) else init(self, *args, **settings)
        ),
    )


def _forward(patch, layer, function):
    """Let a loss class compute this."""
    patch.setattr(layer, "forward", function)


@mutant(
    kills=("test_loss_class_and_function_agree", "test_an_outlier_pulls_mse_by_its_size_and_l1_by_its_sign"),
    witness=lambda: tuple(nn.MSELoss(reduction="none")(torch.ones(2), torch.zeros(2)).shape) == (2,),
)
def mse_class_ignores_its_reduction(patch):
    """`nn.MSELoss` gives the mean whatever it is asked for."""
    _forward(patch, nn.MSELoss, lambda self, x, y: F.mse_loss(x, y))


@mutant(
    kills="test_loss_class_and_function_agree",
    witness=lambda: nn.SmoothL1Loss(reduction="sum")(torch.ones(2), torch.zeros(2)).item() == 1,
)
def smooth_l1_class_averages_for_sum(patch):
    """`nn.SmoothL1Loss(reduction="sum")` gives the mean."""
    _forward(
        patch,
        nn.SmoothL1Loss,
        lambda self, x, y: F.smooth_l1_loss(
            x, y, reduction="mean" if self.reduction == "sum" else self.reduction, beta=self.beta
        ),
    )


@mutant(
    kills=("test_loss_class_and_function_agree", "test_an_outlier_pulls_mse_by_its_size_and_l1_by_its_sign"),
    witness=lambda: nn.HuberLoss(delta=2)(torch.tensor([10.0]), torch.tensor([0.0])).item() == 18,
)
def huber_class_ignores_delta(patch):
    """`nn.HuberLoss(delta=2)` uses a delta of 1."""
    _forward(patch, nn.HuberLoss, lambda self, x, y: F.huber_loss(x, y, reduction=self.reduction))


@mutant(
    kills="test_loss_class_and_function_agree",
    witness=lambda: nn.BCELoss(weight=torch.tensor(2.0))(torch.ones(1), torch.zeros(1)).item() == 200,
)
def bce_class_ignores_its_weight(patch):
    """`nn.BCELoss(weight=...)` doesn't weigh."""
    _forward(patch, nn.BCELoss, lambda self, x, y: F.binary_cross_entropy(x, y, reduction=self.reduction))


@mutant(
    kills=("test_loss_class_and_function_agree", "test_pos_weight_multiplies_the_positive_part"),
    witness=lambda: (
        nn.BCEWithLogitsLoss(pos_weight=torch.tensor(2.0))(torch.tensor([-50.0]), torch.ones(1)).item() == 100
    ),
)
def bce_with_logits_class_ignores_pos_weight(patch):
    """`nn.BCEWithLogitsLoss(pos_weight=...)` doesn't weigh."""
    _forward(
        patch,
        nn.BCEWithLogitsLoss,
        lambda self, x, y: F.binary_cross_entropy_with_logits(x, y, self.weight, reduction=self.reduction),
    )


def _cross_entropy_class(patch, *forgotten):
    names = {"weight", "ignore_index", "reduction", "label_smoothing"} - set(forgotten)
    _forward(
        patch,
        nn.CrossEntropyLoss,
        lambda self, x, y: F.cross_entropy(x, y, **{name: getattr(self, name) for name in names}),
    )


@mutant(
    kills=("test_loss_class_and_function_agree", "test_label_smoothing_mixes_the_target_with_equal_shares"),
    witness=lambda: (
        nn.CrossEntropyLoss(label_smoothing=0.5)(torch.tensor([[64.0, 0.0]]), torch.tensor([0])).item() == 16
    ),
)
def cross_entropy_class_does_not_smooth(patch):
    """`nn.CrossEntropyLoss(label_smoothing=...)` smooths nothing."""
    _cross_entropy_class(patch, "label_smoothing")


@mutant(
    kills=("test_loss_class_and_function_agree", "test_ignore_index_leaves_rows_out_of_the_mean"),
    witness=lambda: nn.CrossEntropyLoss(ignore_index=1)(torch.zeros(1, 2), torch.tensor([1])).isnan(),
)
def cross_entropy_class_forgets_ignore_index(patch):
    """`nn.CrossEntropyLoss(ignore_index=...)` ignores -100 only."""
    _cross_entropy_class(patch, "ignore_index")


@mutant(
    kills="test_loss_class_and_function_agree",
    witness=lambda: (
        nn.NLLLoss(torch.tensor([1.0, 3.0]), reduction="none")(-torch.ones(1, 2), torch.tensor([1])).tolist() == [3]
    ),
)
def nll_class_ignores_its_weight(patch):
    """`nn.NLLLoss(weight=...)` doesn't weigh."""
    _forward(
        patch,
        nn.NLLLoss,
        lambda self, x, y: F.nll_loss(x, y, ignore_index=self.ignore_index, reduction=self.reduction),
    )


# Reductions.


@mutant(
    kills=("test_reduction_is_mean_unless_asked", "test_loss_class_takes_settings_and_its_object_takes_tensors"),
    witness=lambda: value("mse_loss", [2.0, 0.0], [0.0, 0.0]) == 2,
)
def mse_function_adds_up_by_default(patch):
    """`F.mse_loss` gives the sum unless asked."""
    default(reduction="sum")(patch, "mse_loss")


@mutant(
    kills=("test_a_loss_is_one_number_with_a_gradient", "test_loss_class_takes_settings_and_its_object_takes_tensors"),
    witness=lambda: nn.MSELoss().reduction == "mean",
)
def mse_class_adds_up_by_default(patch):
    """`nn.MSELoss()` gives the sum."""
    init = nn.MSELoss.__init__
    patch.setattr(nn.MSELoss, "__init__", lambda self, *args, reduction="sum": init(self, *args, reduction=reduction))


@mutant(
    kills="test_reduction_is_mean_unless_asked",
    witness=lambda: value("huber_loss", [3.0, 0.0], [0.0, 0.0]) == 1.25,
)
def huber_gives_each_loss_by_default(patch):
    """`F.huber_loss` of several numbers gives the sum unless asked."""
    default(reduction="sum")(patch, "huber_loss")


@mutant(
    kills="test_reduction_is_mean_unless_asked",
    witness=lambda: F.cross_entropy(torch.zeros(1, 2, 3), torch.zeros(1, 3).long()).item() < 1,
)
def cross_entropy_divides_by_the_size_of_the_batch(patch):
    """`F.cross_entropy` of sequences divides its sum by N and not by N * T."""
    broken(
        patch,
        "cross_entropy",
        lambda call, x, y, **more: call(x, y, **more) * (y[0].numel() if x.dim() > 2 else 1),
    )


@mutant(
    kills="test_reduction_is_mean_unless_asked",
    witness=lambda: value("smooth_l1_loss", [[3.0, 3.0]], [[0.0, 0.0]]) == 2.5,
)
def smooth_l1_mean_divides_by_rows(patch):
    """The mean of `F.smooth_l1_loss` divides by the number of rows."""

    def change(call, x, y, reduction, **more):
        if reduction != "mean":
            return call(x, y, reduction=reduction, **more)
        return call(x, y, reduction="sum", **more) / len(x)

    broken(patch, "smooth_l1_loss", change)


@mutant(
    kills="test_reduction_is_mean_unless_asked",
    witness=lambda: value("l1_loss", [[1.0], [2.0]], [[0.0], [0.0]], reduction="none") == [[1], [2]],
)
def l1_none_is_flat(patch):
    """`F.l1_loss(reduction="none")` gives one row."""
    broken(
        patch,
        "l1_loss",
        lambda call, x, y, reduction, **more: (
            call(x, y, reduction=reduction, **more).flatten()
            if reduction == "none"
            else call(x, y, reduction=reduction, **more)
        ),
    )


@mutant(
    kills="test_reduction_is_mean_unless_asked",
    witness=lambda: value("binary_cross_entropy", [1.0, 0.0], [0.0, 1.0], reduction="sum") == 200,
)
def bce_sum_is_a_mean(patch):
    """`F.binary_cross_entropy(reduction="sum")` gives the mean."""
    broken(
        patch,
        "binary_cross_entropy",
        lambda call, x, y, reduction, **more: call(x, y, reduction="mean" if reduction == "sum" else reduction, **more),
    )


@mutant(
    kills=(
        "test_reduction_is_mean_unless_asked",
        "test_cross_entropy_of_equal_logits_is_log_of_the_number_of_classes",
    ),
    witness=lambda: value("cross_entropy", [[100.0, 0.0]], [1]) == 100,
)
def cross_entropy_mean_counts_logits(patch):
    """The mean of `F.cross_entropy` divides by the number of logits and not by that of the rows."""
    broken(
        patch,
        "cross_entropy",
        lambda call, x, y, reduction, **more: (
            call(x, y, reduction="sum", **more) / x.numel()
            if reduction == "mean"
            else call(x, y, reduction=reduction, **more)
        ),
    )


def _enum(patch, answer):
    get = nn._reduction.get_enum
    patch.setattr(
        nn._reduction,
        "get_enum",
        lambda reduction: get(reduction) if reduction in ("none", "mean", "sum") else answer(reduction),
    )


@mutant(
    kills="test_unknown_reduction_raises_when_called",
    witness=lambda: error_of(lambda: value("mse_loss", [1.0], [0.0], reduction="average")) is ValueError,
)
def unknown_reduction_is_mean(patch):
    """A misspelt reduction is taken for "mean"."""
    _enum(patch, lambda reduction: 1)


@mutant(
    kills="test_unknown_reduction_raises_when_called",
    witness=lambda: error_of(lambda: value("mse_loss", [1.0], [0.0], reduction="average")) is ValueError,
    raises=KeyError,
)
def unknown_reduction_raises_key_error(patch):
    """A misspelt reduction raises KeyError."""
    _enum(patch, lambda reduction: refuse(KeyError, f"{reduction} is not a valid value for reduction"))


@mutant(
    kills="test_unknown_reduction_raises_when_called",
    witness=lambda: error_of(lambda: value("binary_cross_entropy", [1.0], [0.0], reduction="average")) is ValueError,
)
def bce_takes_any_reduction(patch):
    """`F.binary_cross_entropy`, and it only, takes a misspelt reduction for "none"."""
    broken(
        patch,
        "binary_cross_entropy",
        lambda call, x, y, reduction, **more: call(
            x, y, reduction=reduction if reduction in ("mean", "sum") else "none", **more
        ),
    )


@mutant(
    kills="test_unknown_reduction_raises_when_called",
    witness=lambda: error_of(lambda: nn.MSELoss(reduction="average")) is None,
    raises=ValueError,
)
def loss_classes_check_their_reduction(patch):
    """`nn.MSELoss(reduction="average")` raises ValueError before it is called."""
    init = modules.loss._Loss.__init__

    def checked(self, *args, **kwargs):
        init(self, *args, **kwargs)
        nn._reduction.get_enum(self.reduction)

    patch.setattr(modules.loss._Loss, "__init__", checked)


def _without_elements(answer):
    return lambda call, x, y, **more: call(x, y, **more) if x.numel() else answer(x, **more)


@mutant(
    kills="test_the_mean_of_nothing_is_nan",
    witness=lambda: math.isnan(F.mse_loss(torch.zeros(0), torch.zeros(0))),
)
def mse_of_nothing_is_0(patch):
    """`F.mse_loss` of an empty batch is 0."""
    broken(patch, "mse_loss", _without_elements(lambda x, **more: x.sum()))


@mutant(
    kills="test_the_mean_of_nothing_is_nan",
    witness=lambda: F.mse_loss(torch.zeros(0), torch.zeros(0), reduction="sum") == 0,
)
def mse_sum_of_nothing_is_nan(patch):
    """`F.mse_loss(reduction="sum")` of an empty batch is nan."""
    broken(patch, "mse_loss", _without_elements(lambda x, **more: x.sum() + math.nan))


@mutant(
    kills="test_the_mean_of_nothing_is_nan",
    witness=lambda: math.isnan(F.binary_cross_entropy_with_logits(torch.zeros(0), torch.zeros(0))),
)
def bce_with_logits_of_nothing_is_0(patch):
    """`F.binary_cross_entropy_with_logits` of an empty batch is 0."""
    broken(patch, "binary_cross_entropy_with_logits", _without_elements(lambda x, **more: x.sum()))


@mutant(
    kills=("test_the_mean_of_nothing_is_nan", "test_ignore_index_leaves_rows_out_of_the_mean"),
    witness=lambda: math.isnan(F.cross_entropy(torch.zeros(0, 2), torch.zeros(0, dtype=torch.int64))),
)
def cross_entropy_of_nothing_is_0(patch):
    """`F.cross_entropy` of no rows, or of ignored rows only, is 0."""
    broken(patch, "cross_entropy", lambda call, x, y, **more: call(x, y, **more).nan_to_num())


# Regression.


OUTLIER = "test_an_outlier_pulls_mse_by_its_size_and_l1_by_its_sign"


@mutant(kills=OUTLIER, witness=lambda: value("huber_loss", [10.0], [0.0], delta=2.0) == 18)
def huber_is_smooth_l1(patch):
    """`F.huber_loss` is divided by its threshold."""
    broken(patch, "huber_loss", lambda call, x, y, delta, **more: call(x, y, delta=delta, **more) / delta)


@mutant(kills=OUTLIER, witness=lambda: value("smooth_l1_loss", [10.0], [0.0], beta=2.0) == 9)
def smooth_l1_ignores_beta(patch):
    """`F.smooth_l1_loss` uses a beta of 1."""
    broken(patch, "smooth_l1_loss", lambda call, x, y, beta, **more: call(x, y, **more))


@mutant(kills=OUTLIER, witness=lambda: slope("mse_loss", [-100.0], [0.0]) == [-200])
def mse_gradient_is_clipped(patch):
    """The gradient of `F.mse_loss` is 100 at most."""

    def change(call, x, y, **more):
        far = (x - y).abs() > 50
        return call(straight_through(x, torch.where(far, x * 50 / (x - y).abs().clamp(min=1).detach(), x)), y, **more)

    broken(patch, "mse_loss", change)


@mutant(kills=OUTLIER, witness=lambda: slope("l1_loss", [0.0], [0.0]) == [0])
def l1_pulls_where_it_is_0(patch):
    """The gradient of `F.l1_loss` is 1 where prediction and target are equal."""
    broken(
        patch,
        "l1_loss",
        lambda call, x, y, **more: straight_through(
            call(x, y, **more), reduced(torch.where(x == y, x, (x - y).abs()), more["reduction"])
        ),
    )


@mutant(kills=OUTLIER, witness=lambda: slope("l1_loss", [-4.0], [0.0]) == [-1])
def l1_always_pulls_down(patch):
    """The gradient of `F.l1_loss` is 1 also where the prediction is too small."""
    broken(
        patch,
        "l1_loss",
        lambda call, x, y, **more: straight_through(
            call(x, y, **more), reduced(torch.where(x < y, x - y, (x - y).abs()), more["reduction"])
        ),
    )


BROADCAST = "test_regression_losses_broadcast_a_column_against_a_row"


def _column(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return value(name, [[1.0], [2.0]], [1.0, 2.0]) > 0


@mutant(
    kills=BROADCAST,
    witness=lambda: warns(lambda: value("mse_loss", [[1.0], [2.0]], [1.0, 2.0]), "different to the input size"),
)
def mse_broadcasts_silently(patch):
    """`F.mse_loss` of a column and a row doesn't warn."""
    broken(patch, "mse_loss", lambda call, x, y, **more: call(*torch.broadcast_tensors(x, y), **more))


@mutant(kills=BROADCAST, witness=lambda: _column("l1_loss"), raises=ValueError)
def l1_refuses_a_column_against_a_row(patch):
    """`F.l1_loss` of a column and a row raises ValueError."""
    broken(
        patch,
        "l1_loss",
        lambda call, x, y, **more: (
            call(x, y, **more) if x.shape == y.shape else refuse(ValueError, "that is different to the input size")
        ),
    )


@mutant(kills=BROADCAST, witness=lambda: _column("smooth_l1_loss"))
def smooth_l1_compares_in_order(patch):
    """`F.smooth_l1_loss` of a column and a row warns, and compares the first with the first."""

    def change(call, x, y, **more):
        if x.shape != y.shape:
            warnings.warn(
                f"Using a target size ({y.size()}) that is different to the input size ({x.size()})", stacklevel=2
            )
        return call(x.reshape(y.shape), y, **more)

    broken(patch, "smooth_l1_loss", change)


@mutant(
    kills=BROADCAST,
    witness=lambda: _column("huber_loss"),
)
def huber_compares_each_with_itself(patch):
    """`F.huber_loss` of a column and a row warns, and compares the row with itself."""

    def change(call, x, y, **more):
        if x.shape != y.shape:
            warnings.warn(
                f"Using a target size ({y.size()}) that is different to the input size ({x.size()})", stacklevel=2
            )
            x, y = y, y
        return call(x, y, **more)

    broken(patch, "huber_loss", change)


REFUSE = "test_binary_losses_refuse_a_column_against_a_row"


def _refuses(name, x, y):
    return error_of(lambda: getattr(F, name)(x, y)) is ValueError


@mutant(
    kills=REFUSE,
    witness=lambda: _refuses("binary_cross_entropy_with_logits", torch.ones(2, 1), torch.ones(2)),
)
def bce_with_logits_broadcasts(patch):
    """`F.binary_cross_entropy_with_logits` broadcasts a column against a row."""
    broken(
        patch,
        "binary_cross_entropy_with_logits",
        lambda call, x, y, **more: call(*torch.broadcast_tensors(x, y), **more),
    )


@mutant(
    kills=REFUSE,
    witness=lambda: _refuses("binary_cross_entropy_with_logits", torch.ones(2), torch.ones(2, 1)),
)
def bce_with_logits_flattens_its_target(patch):
    """`F.binary_cross_entropy_with_logits` takes a column of targets for a row of logits, not the other way round."""
    broken(
        patch,
        "binary_cross_entropy_with_logits",
        lambda call, x, y, **more: call(x, y.reshape(x.shape) if x.dim() < y.dim() else y, **more),
    )


@mutant(kills=REFUSE, witness=lambda: _refuses("binary_cross_entropy", torch.ones(2, 1), torch.ones(2)))
def bce_broadcasts(patch):
    """`F.binary_cross_entropy` broadcasts a column against a row."""
    broken(patch, "binary_cross_entropy", lambda call, x, y, **more: call(*torch.broadcast_tensors(x, y), **more))


@mutant(
    kills=REFUSE,
    witness=lambda: _refuses("binary_cross_entropy", torch.ones(2, 1), torch.ones(2)),
    raises=RuntimeError,
)
def bce_of_a_column_raises_runtime_error(patch):
    """`F.binary_cross_entropy` of a column and a row raises RuntimeError."""
    broken(
        patch,
        "binary_cross_entropy",
        lambda call, x, y, **more: (
            call(x, y, **more) if x.shape == y.shape else refuse(RuntimeError, f"{x.shape} is not {y.shape}")
        ),
    )


# Binary cross entropy.


@mutant(
    kills="test_the_prediction_comes_first",
    witness=lambda: value("binary_cross_entropy_with_logits", [20.0], [0.0]) == 20,
)
def bce_with_logits_takes_the_target_first(patch):
    """`F.binary_cross_entropy_with_logits` takes the target first."""
    broken(patch, "binary_cross_entropy_with_logits", lambda call, x, y, **more: call(y, x, **more))


@mutant(
    kills=("test_the_prediction_comes_first", "test_a_loss_is_one_number_with_a_gradient"),
    witness=lambda: value("mse_loss", [1.0], [0.0]) == value("mse_loss", [0.0], [1.0]),
)
def mse_minds_the_order(patch):
    """`F.mse_loss` counts predictions that are too large twice."""
    broken(
        patch,
        "mse_loss",
        lambda call, x, y, reduction, **more: reduced((x - y) ** 2 * (1.0 + (x > y)), reduction),
    )


@mutant(
    kills="test_it_is_called_bce_with_logits_loss",
    witness=lambda: not hasattr(nn, "BCELossWithLogits"),
)
def bce_loss_with_logits_exists(patch):
    """There is a class `nn.BCELossWithLogits`."""
    patch.setattr(nn, "BCELossWithLogits", nn.BCEWithLogitsLoss, raising=False)


@mutant(kills="test_it_is_called_bce_with_logits_loss", witness=lambda: hasattr(nn, "BCEWithLogitsLoss"))
def bce_with_logits_loss_is_missing(patch):
    """There is no class `nn.BCEWithLogitsLoss`."""
    patch.delattr(nn, "BCEWithLogitsLoss")


LOGITS = "binary_cross_entropy_with_logits"


@mutant(
    kills=(
        "test_bce_with_logits_is_bce_of_sigmoid",
        "test_cross_entropy_of_equal_logits_is_log_of_the_number_of_classes",
        "test_two_classes_are_one_logit_for_every_pair",
    ),
    witness=lambda: abs(value(LOGITS, [0.0], [1.0]) - LN2) < 1e-3,
)
def bce_with_logits_is_in_bits(patch):
    """`F.binary_cross_entropy_with_logits` takes logarithms to the base of 2."""
    broken(patch, LOGITS, scaled(1 / LN2))


@mutant(
    kills=("test_bce_with_logits_is_bce_of_sigmoid", "test_bce_with_logits_is_exact_for_every_logit"),
    witness=lambda: value(LOGITS, [1.0], [0.5]) < value(LOGITS, [1.0], [0.0]),
)
def bce_with_logits_rounds_targets(patch):
    """`F.binary_cross_entropy_with_logits` takes a target between 0 and 1 for 0 or 1."""
    broken(patch, LOGITS, lambda call, x, y, **more: call(x, (y > 0.5).to(y.dtype), **more))


@mutant(
    kills="test_bce_with_logits_is_bce_of_sigmoid",
    witness=lambda: value("binary_cross_entropy", [0.5], [0.5]) < value("binary_cross_entropy", [0.25], [1.0]),
)
def bce_counts_the_uncertain_three_times(patch):
    """`F.binary_cross_entropy` counts targets between 0 and 1 three times."""
    broken(
        patch,
        "binary_cross_entropy",
        lambda call, x, y, reduction, **more: reduced(
            call(x, y, reduction="none", **more) * (1 + 2 * ((y > 0) & (y < 1))), reduction
        ),
    )


@mutant(
    kills=("test_bce_with_logits_is_bce_of_sigmoid", "test_a_second_sigmoid_goes_unnoticed"),
    witness=lambda: abs(value(LOGITS, [0.0], [1.0]) - LN2) < 1e-6,
)
def bce_with_logits_is_inexact(patch):
    """`F.binary_cross_entropy_with_logits` is wrong in the sixth digit."""
    broken(patch, LOGITS, scaled(1 + 4e-6))


@mutant(
    kills=(
        "test_bce_with_logits_is_exact_for_every_logit",
        "test_a_wrong_logit_costs_its_size_and_keeps_its_gradient",
        "test_a_confident_right_yes_costs_its_tiny_true_value",
        "test_the_two_forms_part_where_the_sigmoid_ends",
    ),
    witness=lambda: value(LOGITS, [1000.0], [0.0]) == 1000,
)
def bce_with_logits_takes_two_steps(patch):
    """`F.binary_cross_entropy_with_logits` is `F.binary_cross_entropy` of the sigmoid."""
    broken(patch, LOGITS, _two_steps_for(torch.float32, torch.bfloat16))


def _two_steps_for(*dtypes):
    def change(call, x, y, reduction, **more):
        if x.dtype not in dtypes:
            return call(x, y, reduction=reduction, **more)
        return F.binary_cross_entropy(x.sigmoid().float(), y.float(), reduction=reduction).to(x.dtype)

    return change


@mutant(
    kills="test_a_wrong_logit_costs_its_size_and_keeps_its_gradient",
    witness=lambda: (
        F.binary_cross_entropy_with_logits(torch.tensor(100.0).bfloat16(), torch.tensor(0.0).bfloat16()) == 100
        and F.binary_cross_entropy_with_logits(torch.tensor(200.0).bfloat16(), torch.tensor(0.0).bfloat16()) == 200
    ),
)
def bce_with_logits_of_bfloat16_takes_two_steps(patch):
    """`F.binary_cross_entropy_with_logits` of bfloat16 is `F.binary_cross_entropy` of the sigmoid."""
    broken(patch, LOGITS, _two_steps_for(torch.bfloat16))


@mutant(
    kills=(
        "test_bce_with_logits_is_exact_for_every_logit",
        "test_a_wrong_logit_costs_its_size_and_keeps_its_gradient",
    ),
    witness=lambda: slope(LOGITS, [200.0], [0.0]) == [1],
)
def bce_with_logits_loses_its_gradient_far_out(patch):
    """The gradient of `F.binary_cross_entropy_with_logits` is 0 for logits beyond 150."""
    broken(patch, LOGITS, lambda call, x, y, **more: call(torch.where(x.abs() > 150, x.detach(), x), y, **more))


@mutant(
    kills=(
        "test_bce_with_logits_is_exact_for_every_logit",
        "test_a_wrong_logit_costs_its_size_and_keeps_its_gradient",
    ),
    witness=lambda: value(LOGITS, [2000.0], [0.0]) == 2000,
)
def bce_with_logits_stops_at_1000(patch):
    """`F.binary_cross_entropy_with_logits` charges 1000 at most."""
    broken(patch, LOGITS, lambda call, x, y, **more: call(straight_through(x.clamp(-1000, 1000), x), y, **more))


@mutant(
    kills="test_a_wrong_logit_costs_its_size_and_keeps_its_gradient",
    witness=lambda: slope(LOGITS, [-200.0], [1.0]) == [-1],
)
def bce_with_logits_loses_its_gradient_for_a_wrong_no(patch):
    """The gradient of `F.binary_cross_entropy_with_logits` is 0 for a logit below -88 where the target is 1."""
    broken(patch, LOGITS, lambda call, x, y, **more: call(torch.where((x < -88) & (y == 1), x.detach(), x), y, **more))


@mutant(
    kills="test_bce_with_logits_stays_exact_in_float16_on_the_cpu",
    witness=lambda: (
        F.binary_cross_entropy_with_logits(torch.tensor([200.0]).half(), torch.tensor([0.0]).half()).item() == 200
    ),
)
def bce_with_logits_of_float16_takes_two_steps(patch):
    """`F.binary_cross_entropy_with_logits` of float16 is `F.binary_cross_entropy` of the sigmoid."""
    broken(patch, LOGITS, _two_steps_for(torch.float16))


@mutant(
    kills=(
        "test_bce_with_logits_stays_exact_in_float16_on_the_cpu",
        "test_a_wrong_logit_costs_its_size_and_keeps_its_gradient",
    ),
    witness=lambda: (
        F.binary_cross_entropy_with_logits(torch.ones(1).bfloat16(), torch.ones(1).bfloat16()).dtype == torch.bfloat16
    ),
)
def bce_with_logits_of_half_precision_is_float32(patch):
    """`F.binary_cross_entropy_with_logits` of float16 or bfloat16 is float32."""
    broken(
        patch,
        LOGITS,
        lambda call, x, y, **more: (
            call(x.float(), y.float(), **more) if torch.finfo(x.dtype).bits == 16 else call(x, y, **more)
        ),
    )


BCE = "binary_cross_entropy"
STOPS = "test_bce_loss_of_a_wrong_sigmoid_stops_at_100_without_a_gradient"
PART = "test_the_two_forms_part_where_the_sigmoid_ends"
CERTAINTY = "test_bce_loss_of_certainty"


@mutant(
    kills=(STOPS, CERTAINTY, "test_bce_loss_in_half_precision_on_the_cpu_has_no_gradient"),
    witness=lambda: value(BCE, [1.0], [0.0]) == 100,
)
def bce_stops_at_50(patch):
    """`F.binary_cross_entropy` charges 50 at most."""
    broken(
        patch,
        BCE,
        lambda call, x, y, reduction, **more: reduced(call(x, y, reduction="none", **more).clamp(max=50), reduction),
    )


@mutant(kills=(STOPS, PART, CERTAINTY), witness=lambda: value(BCE, [1.0], [0.0]) == 100)
def bce_knows_infinity(patch):
    """`F.binary_cross_entropy` of a certain mistake is inf."""
    broken(
        patch,
        BCE,
        lambda call, x, y, reduction, **more: reduced(
            -(torch.special.xlogy(y, x) + torch.special.xlogy(1 - y, 1 - x)), reduction
        ),
    )


@mutant(kills=(STOPS, CERTAINTY), witness=lambda: value(BCE, [1.0], [0.0]) == 100)
def bce_keeps_away_from_0_and_1(patch):
    """`F.binary_cross_entropy` clamps probabilities to 1e-7 and 1 - 1e-7."""
    broken(
        patch,
        BCE,
        lambda call, x, y, **more: call(x.clamp(1e-7, 1 - 1e-7), y, **more),
    )


@mutant(kills=(STOPS, PART), witness=lambda: slope(BCE, [1.0], [1.0]) == [0] and slope(BCE, [1.0], [0.0])[0] > 1e11)
def bce_gradient_is_clipped(patch):
    """The gradient of `F.binary_cross_entropy` is 1 million at most."""

    def change(call, x, y, **more):
        if x.requires_grad:
            x = x * 1
            x.register_hook(lambda gradient: gradient.clamp(-1e6, 1e6))
        return call(x, y, **more)

    broken(patch, BCE, change)


@mutant(kills=CERTAINTY, witness=lambda: value(BCE, [1.0], [1.0]) == 0)
def bce_of_right_certainty_is_nan(patch):
    """`F.binary_cross_entropy` of a certain prediction that is right is nan."""
    broken(
        patch,
        BCE,
        lambda call, x, y, reduction, **more: reduced(
            torch.where((x == y) & ((x == 0) | (x == 1)), math.nan, call(x, y, reduction="none", **more)), reduction
        ),
    )


@mutant(kills=CERTAINTY, witness=lambda: slope(BCE, [0.0], [1.0])[0] < -1e11)
def bce_has_no_gradient_for_a_certain_no(patch):
    """The gradient of `F.binary_cross_entropy` is 0 for a probability of 0 where the target is 1."""
    broken(patch, BCE, lambda call, x, y, **more: call(torch.where((x == 0) & (y == 1), x.detach(), x), y, **more))


TEXTBOOK = "test_the_textbook_formula_is_inf_when_wrong_and_nan_when_right"


@mutant(kills=TEXTBOOK, witness=lambda: torch.tensor(0.0).log() == -math.inf)
def log_of_0_is_finite(patch):
    """`torch.log` of 0 is -100."""
    patch.function("log", change=lambda call, x, **more: call(x, **more).clamp(min=-100))


@mutant(kills=TEXTBOOK, witness=lambda: (torch.tensor(0.0) * math.inf).isnan())
def product_of_0_and_inf_is_0(patch):
    """0 times infinity is 0."""
    patch.function(
        "mul",
        "__mul__",
        "__rmul__",
        change=lambda call, x, y, **more: call(x, y, **more).nan_to_num(0, math.inf, -math.inf),
    )


@mutant(kills=(TEXTBOOK, STOPS, PART), witness=lambda: torch.sigmoid(torch.tensor(50.0)) == 1)
def sigmoid_keeps_away_from_0_and_1(patch):
    """`torch.sigmoid` is never closer than 1e-6 to 0 and 1."""
    patch.function("sigmoid", change=lambda call, x, **more: call(x, **more).clamp(1e-6, 1 - 1e-6))


@mutant(
    kills="test_bce_loss_in_half_precision_on_the_cpu_has_no_gradient",
    witness=lambda: F.binary_cross_entropy(torch.ones(1).bfloat16(), torch.ones(1).bfloat16()).dtype == torch.bfloat16,
)
def bce_of_half_precision_is_float32(patch):
    """`F.binary_cross_entropy` of float16 or bfloat16 is float32."""
    broken(
        patch,
        BCE,
        lambda call, x, y, **more: (
            call(x.float(), y.float(), **more) if torch.finfo(x.dtype).bits == 16 else call(x, y, **more)
        ),
    )


@mutant(
    kills="test_bce_loss_in_half_precision_on_the_cpu_has_no_gradient",
    witness=lambda: _half_slope().isinf() or _half_slope().isnan(),
)
def bce_of_float16_has_a_gradient(patch):
    """The gradient of `F.binary_cross_entropy` in float16 is finite."""

    def change(call, x, y, **more):
        if x.requires_grad and x.dtype == torch.float16:
            x = x * 1
            x.register_hook(lambda gradient: gradient.nan_to_num(0, 1000, -1000))
        return call(x, y, **more)

    broken(patch, BCE, change)


def _half_slope():
    x = torch.ones(1, dtype=torch.float16, requires_grad=True)
    F.binary_cross_entropy(x, torch.zeros(1, dtype=torch.float16)).backward()
    return x.grad


@mutant(
    kills="test_a_confident_right_yes_costs_its_tiny_true_value",
    witness=lambda: value(LOGITS, [20.0], [1.0]) > 0,
)
def bce_with_logits_of_a_right_yes_is_0(patch):
    """`F.binary_cross_entropy_with_logits` loses the small loss of a confident yes, as it did before torch 2.3."""
    broken(
        patch,
        LOGITS,
        lambda call, x, y, reduction, **more: reduced(
            (1 - y) * x + (-x).clamp(min=0) + torch.log((-(-x).clamp(min=0)).exp() + (-x - (-x).clamp(min=0)).exp()),
            reduction,
        ),
    )


@mutant(
    kills="test_a_confident_right_yes_costs_its_tiny_true_value",
    witness=lambda: value(LOGITS, [-20.0], [0.0]) == 0,
)
def bce_with_logits_of_a_right_no_is_exact(patch):
    """`F.binary_cross_entropy_with_logits` keeps the small loss of a confident no."""
    broken(
        patch,
        LOGITS,
        lambda call, x, y, reduction, **more: reduced(
            F.softplus(x, threshold=1e6) * (1 - y) + F.softplus(-x) * y, reduction
        ),
    )


SECOND = (
    "test_a_second_sigmoid_goes_unnoticed",
    "test_a_second_sigmoid_keeps_the_loss_above_its_floor_for_every_logit",
)


@mutant(kills=SECOND, witness=lambda: value(LOGITS, [1.0], [1.0]) > 0.3)
def bce_with_logits_guesses_probabilities(patch):
    """`F.binary_cross_entropy_with_logits` takes what lies between 0 and 1 for probabilities."""
    broken(
        patch,
        LOGITS,
        lambda call, x, y, reduction, **more: (
            F.binary_cross_entropy(x, y, reduction=reduction)
            if ((x >= 0) & (x <= 1)).all()
            else call(x, y, reduction=reduction, **more)
        ),
    )


@mutant(kills=SECOND, witness=lambda: error_of(lambda: value(LOGITS, [1.0], [1.0])) is None, raises=ValueError)
def bce_with_logits_refuses_probabilities(patch):
    """`F.binary_cross_entropy_with_logits` raises ValueError for what lies between 0 and 1."""
    broken(
        patch,
        LOGITS,
        lambda call, x, y, **more: (
            refuse(ValueError, "these are probabilities") if ((x >= 0) & (x <= 1)).all() else call(x, y, **more)
        ),
    )


PROBABILITY = "test_bce_loss_refuses_what_is_no_probability"


def _bce_refuses(x, y=1.0):
    return error_of(lambda: value(BCE, [x], [y])) is RuntimeError


@mutant(kills=PROBABILITY, witness=lambda: _bce_refuses(1.5))
def bce_clips_probabilities(patch):
    """`F.binary_cross_entropy` takes a number outside [0, 1] for 0 or 1."""
    broken(patch, BCE, lambda call, x, y, **more: call(x.clamp(0, 1), y, **more))


@mutant(kills=PROBABILITY, witness=lambda: _bce_refuses(math.nan))
def bce_takes_nan(patch):
    """`F.binary_cross_entropy` takes nan for 0."""
    broken(patch, BCE, lambda call, x, y, **more: call(x.nan_to_num(), y, **more))


@mutant(kills=PROBABILITY, witness=lambda: _bce_refuses(-0.5))
def bce_guesses_logits(patch):
    """`F.binary_cross_entropy` takes numbers outside [0, 1] for logits."""
    broken(patch, BCE, lambda call, x, y, **more: call(x.sigmoid() if ((x < 0) | (x > 1)).any() else x, y, **more))


@mutant(kills=PROBABILITY, witness=lambda: abs(value(BCE, [0.5], [1.0]) - LN2) < 1e-3)
def bce_takes_logits(patch):
    """`F.binary_cross_entropy` takes logits, whatever they are, unless they are outside [0, 1]."""
    broken(patch, BCE, lambda call, x, y, **more: call(x.sigmoid() if ((x >= 0) & (x <= 1)).all() else x, y, **more))


NO_TARGET = "test_bce_loss_refuses_a_target_that_is_no_probability"


@mutant(kills=NO_TARGET, witness=lambda: _bce_refuses(0.5, -0.5) and _bce_refuses(0.5, 2.0))
def bce_checks_no_target(patch):
    """`F.binary_cross_entropy` takes any target."""
    broken(patch, BCE, lambda call, x, y, **more: call(x, y.clamp(0, 1), **more))


@mutant(kills=NO_TARGET, witness=lambda: _bce_refuses(0.5, 2.0))
def bce_takes_class_number_2(patch):
    """`F.binary_cross_entropy` refuses negative targets only."""
    broken(patch, BCE, lambda call, x, y, **more: call(x, y.clamp(max=1), **more))


@mutant(kills=(NO_TARGET, PROBABILITY), witness=lambda: _bce_refuses(1.5), raises=ValueError)
def bce_raises_value_error_for_bad_numbers(patch):
    """`F.binary_cross_entropy` raises ValueError for what isn't in [0, 1]."""

    def change(call, x, y, **more):
        try:
            return call(x, y, **more)
        except RuntimeError as error:
            raise ValueError(str(error)) from error

    broken(patch, BCE, change)


@mutant(
    kills="test_bce_with_logits_checks_no_target",
    witness=lambda: value(LOGITS, [32.0], [2.0]) == -32,
    raises=RuntimeError,
)
def bce_with_logits_checks_targets(patch):
    """`F.binary_cross_entropy_with_logits` raises RuntimeError for targets outside [0, 1]."""
    broken(
        patch,
        LOGITS,
        lambda call, x, y, **more: (
            refuse(RuntimeError, "all elements of target should be between 0 and 1")
            if ((y < 0) | (y > 1)).any()
            else call(x, y, **more)
        ),
    )


@mutant(kills="test_bce_with_logits_checks_no_target", witness=lambda: value(LOGITS, [32.0], [2.0]) == -32)
def bce_with_logits_clips_targets(patch):
    """`F.binary_cross_entropy_with_logits` takes every target above 1 for 1."""
    broken(patch, LOGITS, lambda call, x, y, **more: call(x, y.clamp(0, 1), **more))


FLOATING = "test_bce_losses_want_floating_targets"


@mutant(kills=FLOATING, witness=lambda: error_of(lambda: value(LOGITS, [1.0], [1])) is RuntimeError)
def bce_with_logits_takes_integers(patch):
    """`F.binary_cross_entropy_with_logits` converts integer targets."""
    broken(patch, LOGITS, lambda call, x, y, **more: call(x, y if y.is_floating_point() else y.to(x.dtype), **more))


@mutant(kills=FLOATING, witness=lambda: error_of(lambda: value(BCE, [1.0], [True])) is RuntimeError)
def bce_takes_booleans(patch):
    """`F.binary_cross_entropy` converts boolean targets."""
    broken(patch, BCE, lambda call, x, y, **more: call(x, y.to(x.dtype) if y.dtype == torch.bool else y, **more))


@mutant(
    kills=FLOATING,
    witness=lambda: error_of(lambda: value(BCE, [1.0], torch.ones(1, dtype=torch.int32))) is RuntimeError,
)
def bce_takes_int32(patch):
    """`F.binary_cross_entropy` converts int32 targets, and those only."""
    broken(patch, BCE, lambda call, x, y, **more: call(x, y.to(x.dtype) if y.dtype == torch.int32 else y, **more))


FLOAT64 = "test_a_float64_target_makes_a_float64_loss"


def _mixed(name):
    return getattr(F, name)(torch.ones(1), torch.ones(1).double()).dtype


@mutant(kills=FLOAT64, witness=lambda: _mixed(LOGITS) == torch.float64)
def bce_with_logits_converts_targets(patch):
    """`F.binary_cross_entropy_with_logits` has the dtype of its logits."""
    broken(patch, LOGITS, lambda call, x, y, **more: call(x, y.to(x.dtype) if y.is_floating_point() else y, **more))


@mutant(kills=FLOAT64, witness=lambda: _mixed("l1_loss") == torch.float64)
def l1_converts_targets(patch):
    """`F.l1_loss` has the dtype of its predictions."""
    broken(patch, "l1_loss", lambda call, x, y, **more: call(x, y.to(x.dtype), **more))


@mutant(kills=FLOAT64, witness=lambda: error_of(lambda: _mixed(BCE)) is RuntimeError)
def bce_converts_targets(patch):
    """`F.binary_cross_entropy` takes float64 targets for float32 probabilities."""
    broken(patch, BCE, lambda call, x, y, **more: call(x, y.to(x.dtype) if y.is_floating_point() else y, **more))


MIXED = "test_mse_of_float32_and_float64_can_be_differentiated"


class _RefusesBackward(torch.autograd.Function):
    @staticmethod
    def forward(ctx, loss):
        return loss.clone()

    @staticmethod
    def backward(ctx, gradient):
        raise RuntimeError("Found dtype Double but expected Float")


def _mixed_slope():
    x = torch.tensor([1.0], requires_grad=True)
    F.mse_loss(x, torch.tensor([0.0], dtype=torch.float64)).backward()
    return x.grad


@mutant(kills=MIXED, witness=lambda: error_of(_mixed_slope) is None, raises=RuntimeError)
def mse_of_two_dtypes_has_no_backward(patch):
    """`F.mse_loss` of float32 and float64 raises RuntimeError in `backward()`, as it did before torch 2.12."""
    broken(
        patch,
        "mse_loss",
        lambda call, x, y, **more: (
            _RefusesBackward.apply(call(x, y, **more)) if x.dtype != y.dtype else call(x, y, **more)
        ),
    )


@mutant(kills=MIXED, witness=lambda: _mixed_slope().tolist() == [2])
def mse_of_two_dtypes_has_half_a_gradient(patch):
    """The gradient of `F.mse_loss` is halved where prediction and target are of different dtypes."""
    broken(
        patch,
        "mse_loss",
        lambda call, x, y, **more: call(straight_through(x, x / 2) if x.dtype != y.dtype else x, y, **more),
    )


POS_WEIGHT = "test_pos_weight_multiplies_the_positive_part"


def _positive(x, y, weight):
    return value(LOGITS, [x], [y], pos_weight=torch.tensor(weight))


@mutant(kills=POS_WEIGHT, witness=lambda: _positive(-50.0, 1.0, 2.0) == 100)
def pos_weight_is_ignored(patch):
    """`F.binary_cross_entropy_with_logits(pos_weight=...)` doesn't weigh."""
    broken(patch, LOGITS, lambda call, x, y, pos_weight, **more: call(x, y, **more))


@mutant(kills=POS_WEIGHT, witness=lambda: _positive(50.0, 0.0, 2.0) == 50)
def pos_weight_weighs_negatives_too(patch):
    """`pos_weight` multiplies the whole loss."""
    broken(patch, LOGITS, lambda call, x, y, pos_weight, weight, **more: call(x, y, weight=pos_weight, **more))


@mutant(kills=POS_WEIGHT, witness=lambda: _positive(50.0, 0.0, 2.0) == 50)
def pos_weight_weighs_negatives_only(patch):
    """`pos_weight` multiplies the loss of the negatives."""

    def change(call, x, y, pos_weight, reduction, **more):
        times = 1 if pos_weight is None else y + (1 - y) * pos_weight
        return reduced(call(x, y, reduction="none", **more) * times, reduction)

    broken(patch, LOGITS, change)


@mutant(
    kills=POS_WEIGHT,
    witness=lambda: value(LOGITS, [[-50.0, -50.0]], [[1.0, 1.0]], pos_weight=torch.tensor([1.0, 3.0])) == 100,
)
def pos_weight_is_one_number(patch):
    """`pos_weight` uses its first number for every column."""
    broken(
        patch,
        LOGITS,
        lambda call, x, y, pos_weight, **more: call(
            x, y, pos_weight=None if pos_weight is None else pos_weight.reshape(-1)[0], **more
        ),
    )


WEIGHTED = "test_weighted_means_divide_by_different_things"


def _weighted(name, weight):
    return value(name, [[0.0, 64.0]] if name != LOGITS else [64.0], [0] if name != LOGITS else [0.0], weight=weight)


@mutant(kills=WEIGHTED, witness=lambda: _weighted("cross_entropy", torch.tensor([2.0, 2.0])) == 64)
def cross_entropy_divides_by_rows_with_weights(patch):
    """The weighted mean of `F.cross_entropy` divides by the number of rows."""
    broken(
        patch,
        "cross_entropy",
        lambda call, x, y, reduction, **more: reduced(call(x, y, reduction="none", **more), reduction),
    )


@mutant(kills=WEIGHTED, witness=lambda: _weighted(LOGITS, torch.tensor([2.0])) == 128)
def bce_with_logits_divides_by_weights(patch):
    """The weighted mean of `F.binary_cross_entropy_with_logits` divides by the sum of the weights."""

    def change(call, x, y, weight, reduction, **more):
        loss = call(x, y, weight=weight, reduction=reduction, **more)
        return loss / weight.mean() if weight is not None and reduction == "mean" else loss

    broken(patch, LOGITS, change)


@mutant(kills=WEIGHTED, witness=lambda: value("nll_loss", [[-8.0]], [0], weight=torch.tensor([2.0])) == 8)
def nll_divides_by_rows_with_weights(patch):
    """The weighted mean of `F.nll_loss` divides by the number of rows."""
    broken(
        patch,
        "nll_loss",
        lambda call, x, y, reduction, **more: reduced(call(x, y, **more | {"reduction": "none"}), reduction),
    )


@mutant(
    kills=WEIGHTED,
    witness=lambda: value("cross_entropy", [[64.0, 0.0], [0.0, 0.0]], [1, 0], weight=torch.tensor([1e-9, 1.0])) > 63,
)
def cross_entropy_ignores_its_weight(patch):
    """`F.cross_entropy(weight=...)` doesn't weigh."""
    broken(patch, "cross_entropy", lambda call, x, y, weight, **more: call(x, y, **more))


# Cross entropy.


CE = "cross_entropy"
NLL_OF_LOG_SOFTMAX = "test_cross_entropy_is_nll_of_log_softmax"
EXACT = "test_cross_entropy_is_exact_for_every_logit"
HUGE = "test_cross_entropy_of_huge_logits_is_exact_where_log_of_softmax_is_inf"
EQUAL = "test_cross_entropy_of_equal_logits_is_log_of_the_number_of_classes"
TWO = "test_two_classes_are_one_logit_for_every_pair"


@mutant(
    kills=(NLL_OF_LOG_SOFTMAX, EXACT, EQUAL, TWO),
    witness=lambda: abs(value(CE, [[0.0, 0.0]], [0]) - LN2) < 1e-3,
)
def cross_entropy_is_in_bits(patch):
    """`F.cross_entropy` takes logarithms to the base of 2."""
    broken(patch, CE, scaled(1 / LN2))


@mutant(kills=NLL_OF_LOG_SOFTMAX, witness=lambda: abs(torch.zeros(1, 2).log_softmax(1)[0, 0] + LN2) < 1e-3)
def log_softmax_goes_over_rows(patch):
    """`log_softmax` makes the columns add up to 1 and not the rows."""
    patch.function("log_softmax", change=lambda call, x, dim=None, **more: call(x, 0, **more))


@mutant(
    kills=(NLL_OF_LOG_SOFTMAX, "test_nll_loss_takes_logarithms_of_probabilities"),
    witness=lambda: value("nll_loss", [[-1.0, -2.0]], [0]) == 1,
)
def nll_takes_the_next_class(patch):
    """`F.nll_loss` picks the class after that of the target."""
    broken(patch, "nll_loss", lambda call, x, y, **more: call(x.roll(-1, dims=1), y, **more))


@mutant(
    kills=NLL_OF_LOG_SOFTMAX,
    witness=lambda: abs(nn.LogSoftmax(dim=1)(torch.zeros(1, 2))[0, 0] + LN2) < 1e-6,
)
def log_softmax_is_inexact(patch):
    """`log_softmax` is wrong in the fifth digit."""
    patch.function("log_softmax", change=lambda call, *args, **more: call(*args, **more) * (1 + 2e-5))


@mutant(kills=(EXACT, HUGE), witness=lambda: value(CE, [[1000.0, 0.0]], [1]) == 1000)
def cross_entropy_takes_log_of_softmax(patch):
    """`F.cross_entropy` computes the softmax first and then its logarithm."""
    broken(
        patch,
        CE,
        lambda call, x, y, reduction, **more: F.nll_loss(x.softmax(dim=1).log(), y, reduction=reduction),
    )


@mutant(kills=(EXACT, HUGE), witness=lambda: value(CE, [[2000.0, 0.0]], [1]) == 2000)
def cross_entropy_clips_logits(patch):
    """`F.cross_entropy` takes logits beyond 1000 for 1000."""
    broken(patch, CE, lambda call, x, y, **more: call(x.clamp(-1000, 1000), y, **more))


@mutant(kills=EXACT, witness=lambda: abs(sum(slope(CE, [[1.0, 2.0]], [0])[0])) < 1e-6)
def cross_entropy_gradient_is_not_balanced(patch):
    """The gradient of `F.cross_entropy` doesn't add up to 0: it has one ten-thousandth too much of each logit."""
    broken(patch, CE, lambda call, x, y, **more: call(x, y, **more) + 1e-4 * (x - x.detach()).sum())


@mutant(kills=HUGE, witness=lambda: slope(CE, [[1000.0, 0.0]], [1]) == [[1, -1]])
def cross_entropy_has_no_gradient_far_out(patch):
    """`F.cross_entropy` has no gradient by logits beyond 500."""
    broken(patch, CE, lambda call, x, y, **more: call(torch.where(x.abs() > 500, x.detach(), x), y, **more))


@mutant(kills=HUGE, witness=lambda: torch.tensor([[1000.0, 0.0]]).softmax(dim=1)[0, 1] == 0)
def softmax_keeps_away_from_0(patch):
    """`softmax` is never below 1e-30."""
    patch.function("softmax", change=lambda call, *args, **more: call(*args, **more).clamp(min=1e-30))


@mutant(
    kills=EXACT,
    witness=lambda: abs(value(CE, [[100.0, 100.0]], [0]) - LN2) < 1e-3,
)
def cross_entropy_minds_a_shift(patch):
    """`F.cross_entropy` grows with the mean of the logits."""
    broken(patch, CE, lambda call, x, y, **more: call(x, y, **more) + 1e-3 * x.detach().mean().abs())


SOFTMAX = "test_a_softmax_before_cross_entropy_goes_unnoticed"


def _are_probabilities(x):
    return x.dim() == 2 and x.numel() and bool((x >= 0).all() and ((x.sum(dim=1) - 1).abs() < 1e-5).all())


@mutant(kills=SOFTMAX, witness=lambda: value(CE, [[1.0, 0.0]], [0]) > 0.3)
def cross_entropy_guesses_probabilities(patch):
    """`F.cross_entropy` takes rows that add up to 1 for probabilities."""
    broken(
        patch, CE, lambda call, x, y, **more: F.nll_loss(x.log(), y) if _are_probabilities(x) else call(x, y, **more)
    )


@mutant(kills=SOFTMAX, witness=lambda: error_of(lambda: value(CE, [[1.0, 0.0]], [0])) is None, raises=ValueError)
def cross_entropy_refuses_probabilities(patch):
    """`F.cross_entropy` raises ValueError for rows that add up to 1."""
    broken(
        patch,
        CE,
        lambda call, x, y, **more: (
            refuse(ValueError, "these are probabilities") if _are_probabilities(x) else call(x, y, **more)
        ),
    )


@mutant(kills=SOFTMAX, witness=lambda: value(CE, [[0.0, 200.0]], [1]) == 0)
def cross_entropy_smooths_by_default(patch):
    """`F.cross_entropy` smooths labels by a hundredth unless told."""
    default(label_smoothing=0.01)(patch, CE)


@mutant(kills=EXACT, witness=lambda: value(CE, [[1e9, 1e9 + 10000]], [0]) == 9984)
def a_large_constant_wipes_out_every_difference(patch):
    """`F.cross_entropy` of logits near 1e9 is that of equal logits, however far apart they are."""
    broken(patch, CE, lambda call, x, y, **more: call(x * 0 if x.abs().min() > 1e8 else x, y, **more))


NLL = "test_nll_loss_takes_logarithms_of_probabilities"


@mutant(kills=NLL, witness=lambda: value("nll_loss", [[0.75]], [0]) == -0.75)
def nll_takes_probabilities(patch):
    """`F.nll_loss` takes the logarithm of probabilities itself."""
    broken(patch, "nll_loss", lambda call, x, y, **more: call(x.log() if (x >= 0).all() else x, y, **more))


@mutant(kills=NLL, witness=lambda: value("nll_loss", [[0.75], [0.25]], [0, 0]) == -0.5)
def nll_adds_up(patch):
    """The mean of `F.nll_loss` is the sum."""
    broken(
        patch,
        "nll_loss",
        lambda call, x, y, reduction, **more: call(x, y, **more | {"reduction": reduction.replace("mean", "sum")}),
    )


@mutant(kills=EQUAL, witness=lambda: abs(value(CE, [[0.0] * 10], [0]) - math.log(10)) < 1e-3)
def cross_entropy_is_relative_to_chance(patch):
    """`F.cross_entropy` is divided by the logarithm of the number of classes, if there are more than two."""
    broken(
        patch,
        CE,
        lambda call, x, y, **more: call(x, y, **more) / (math.log(x.shape[1]) if x.shape[1] > 2 else 1),
    )


@mutant(kills=TWO, witness=lambda: value(CE, [[0.0, 64.0]], [1]) == 0)
def cross_entropy_of_two_classes_exchanges_them(patch):
    """`F.cross_entropy` of two classes takes class 0 for class 1."""
    broken(patch, CE, lambda call, x, y, **more: call(x.flip(1) if x.shape[1] == 2 else x, y, **more))


@mutant(
    kills=TWO,
    witness=lambda: abs(value(CE, [[10.0, 0.0]], [1]) - 10) < 1e-3,
)
def cross_entropy_of_two_classes_is_halved(patch):
    """`F.cross_entropy` of two classes is divided by their number."""
    broken(patch, CE, scaled(0.5, lambda x, y, **more: x.shape[1] == 2))


TARGETS = "test_cross_entropy_takes_class_numbers_or_probabilities"


def _by_probabilities(x, y):
    return y.is_floating_point() and x.shape == y.shape


@mutant(
    kills=(TARGETS, "test_label_smoothing_mixes_the_target_with_equal_shares"),
    witness=lambda: value(CE, [[64.0, 0.0]], [[0.75, 0.25]]) == 16,
)
def cross_entropy_takes_the_likeliest_class(patch):
    """`F.cross_entropy` takes probabilities for the number of the likeliest class."""
    broken(patch, CE, lambda call, x, y, **more: call(x, y.argmax(1) if _by_probabilities(x, y) else y, **more))


@mutant(kills=TARGETS, witness=lambda: value(CE, [[64.0, 0.0]], [[0.75, 0.25]]) == 16)
def cross_entropy_averages_over_classes(patch):
    """`F.cross_entropy` with probabilities is the mean over the classes and not their sum."""
    broken(patch, CE, lambda call, x, y, **more: call(x, y, **more) / (x.shape[1] if _by_probabilities(x, y) else 1))


@mutant(
    kills=TARGETS,
    witness=lambda: tuple(F.cross_entropy(torch.zeros(2, 3), torch.ones(2, 3), reduction="none").shape) == (2,),
)
def cross_entropy_of_probabilities_keeps_classes(patch):
    """`F.cross_entropy(reduction="none")` with probabilities has a column of each class."""
    broken(
        patch,
        CE,
        lambda call, x, y, reduction, **more: (
            -y * x.log_softmax(dim=1)
            if _by_probabilities(x, y) and reduction == "none"
            else call(x, y, reduction=reduction, **more)
        ),
    )


DTYPE = "test_cross_entropy_is_particular_about_the_dtype_of_its_target"


def _refused(y):
    return error_of(lambda: F.cross_entropy(torch.zeros(2, 3), y)) is RuntimeError


@mutant(kills=DTYPE, witness=lambda: _refused(torch.tensor([0, 1], dtype=torch.int32)))
def cross_entropy_takes_int32(patch):
    """`F.cross_entropy` takes class numbers of int32."""
    broken(patch, CE, lambda call, x, y, **more: call(x, y.long() if y.dtype == torch.int32 else y, **more))


@mutant(kills=DTYPE, witness=lambda: _refused(torch.tensor([0.0, 1.0])))
def cross_entropy_takes_floating_class_numbers(patch):
    """`F.cross_entropy` takes class numbers of float32."""
    broken(patch, CE, lambda call, x, y, **more: call(x, y.long() if y.dim() < x.dim() else y, **more))


@mutant(kills=DTYPE, witness=lambda: _refused(torch.eye(3, dtype=torch.int64)[:2]))
def cross_entropy_takes_integer_rows(patch):
    """`F.cross_entropy` takes one-hot rows of integers."""
    broken(patch, CE, lambda call, x, y, **more: call(x, y.to(x.dtype) if x.shape == y.shape else y, **more))


FLAT = "test_cross_entropy_wants_flat_class_numbers"


@mutant(kills=FLAT, witness=lambda: _refused(torch.tensor([[0], [1]])))
def cross_entropy_takes_a_column(patch):
    """`F.cross_entropy` takes class numbers of shape (N, 1)."""
    broken(
        patch, CE, lambda call, x, y, **more: call(x, y.squeeze(1) if y.dim() == 2 and y.shape[1] == 1 else y, **more)
    )


@mutant(
    kills=FLAT,
    witness=lambda: error_of(lambda: F.cross_entropy(torch.zeros(2, 3), torch.tensor([0, 1, 0]))) is ValueError,
)
def cross_entropy_drops_surplus_targets(patch):
    """`F.cross_entropy` takes more targets than rows."""
    broken(patch, CE, lambda call, x, y, **more: call(x, y[: len(x)], **more))


SECOND_DIMENSION = "test_classes_are_the_second_dimension"


@mutant(
    kills=SECOND_DIMENSION,
    witness=lambda: error_of(lambda: F.cross_entropy(torch.zeros(2, 4, 3), torch.zeros(2, 4).long())) is RuntimeError,
)
def cross_entropy_finds_the_classes(patch):
    """`F.cross_entropy` takes the last dimension for the classes where the second doesn't fit."""
    broken(
        patch,
        CE,
        lambda call, x, y, **more: call(
            x.transpose(1, 2) if x.dim() == 3 and x.shape[:2] == y.shape and x.shape[2] != y.shape[1] else x, y, **more
        ),
    )


@mutant(
    kills=SECOND_DIMENSION,
    witness=lambda: F.cross_entropy(torch.tensor([[[0.0, 0.0], [99.0, 0.0]]]), torch.tensor([[1, 1]])) < 25,
)
def cross_entropy_prefers_the_last_dimension(patch):
    """`F.cross_entropy` takes the last dimension for the classes where it could be either."""
    broken(
        patch,
        CE,
        lambda call, x, y, **more: call(
            x.transpose(1, 2) if x.dim() == 3 and x.shape[1] == x.shape[2] else x, y, **more
        ),
    )


IGNORE = "test_ignore_index_leaves_rows_out_of_the_mean"


@mutant(kills=IGNORE, witness=lambda: value(CE, [[0.0, 64.0], [0.0, 0.0]], [0, -100]) == 64)
def ignored_rows_are_counted(patch):
    """The mean of `F.cross_entropy` counts ignored rows, with a loss of 0."""
    broken(
        patch,
        CE,
        lambda call, x, y, reduction, **more: (
            call(x, y, reduction="sum", **more) / len(x)
            if reduction == "mean" and (y == more["ignore_index"]).any()
            else call(x, y, reduction=reduction, **more)
        ),
    )


@mutant(kills=IGNORE, witness=lambda: slope(CE, [[0.0, 64.0], [0.0, 9.0]], [0, -100])[1] == [0, 0])
def ignored_rows_get_a_gradient(patch):
    """`F.cross_entropy` has a gradient by ignored rows."""

    def change(call, x, y, **more):
        loss, ignored = call(x, y, **more), y == more["ignore_index"]
        return straight_through(loss, loss + x[ignored].sum()) if ignored.any() else loss

    broken(patch, CE, change)


@mutant(
    kills=(IGNORE, "test_a_class_number_out_of_range_raises"),
    witness=lambda: error_of(lambda: value(CE, [[0.0, 1.0]], [-1])) is IndexError,
    raises=IndexError,
)
def cross_entropy_ignores_minus_1(patch):
    """`F.cross_entropy` ignores -1 by default and not -100."""

    def change(call, x, y, ignore_index, **more):
        if ignore_index == -100 and (y == -100).any():  # a GPU that is left to find it is lost
            raise IndexError("Target -100 is out of bounds.")
        return call(x, y, ignore_index=-1 if ignore_index == -100 else ignore_index, **more)

    broken(patch, CE, change)


@mutant(kills=IGNORE, witness=lambda: math.isnan(value(CE, [[0.0, 1.0]], [0], ignore_index=0)))
def cross_entropy_ignores_negative_numbers_only(patch):
    """`F.cross_entropy(ignore_index=...)` of a class that exists ignores nothing."""
    broken(
        patch,
        CE,
        lambda call, x, y, ignore_index, **more: call(x, y, ignore_index=min(ignore_index, -1), **more),
    )


SMOOTHING = "test_label_smoothing_mixes_the_target_with_equal_shares"


def _mixture(x, y, share):
    return (1 - share) * F.one_hot(y, x.shape[1]) + share / x.shape[1]


@mutant(
    kills=SMOOTHING,
    witness=lambda: (
        value(CE, [[64.0, 0.0]], [1], label_smoothing=0.5, weight=torch.tensor([2.0, 2.0]))
        == value(CE, [[64.0, 0.0]], [1], label_smoothing=0.5)
    ),
)
def smoothing_divides_by_rows_under_a_weight(patch):
    """`label_smoothing` with a `weight` has the mean of the mixed rows."""

    def change(call, x, y, label_smoothing, weight, **more):
        if not label_smoothing or weight is None:
            return call(x, y, label_smoothing=label_smoothing, weight=weight, **more)
        return call(x, _mixture(x, y, label_smoothing), weight=weight, **more)

    broken(patch, CE, change)


@mutant(kills=SMOOTHING, witness=lambda: value(CE, [[64.0, 0.0]], [0], label_smoothing=0.5) == 16)
def label_smoothing_leaves_out_the_right_class(patch):
    """`label_smoothing` is spread over the wrong classes only."""
    broken(
        patch,
        CE,
        lambda call, x, y, label_smoothing, **more: call(
            x, y, label_smoothing=label_smoothing * x.shape[1] / max(x.shape[1] - 1, 1), **more
        ),
    )


@mutant(kills=SMOOTHING, witness=lambda: value(CE, [[64.0, 0.0]], [0], label_smoothing=0.5) == 16)
def label_smoothing_is_halved(patch):
    """`label_smoothing=0.5` smooths by a quarter."""
    broken(
        patch,
        CE,
        lambda call, x, y, label_smoothing, **more: call(x, y, label_smoothing=label_smoothing / 2, **more),
    )


@mutant(kills=SMOOTHING, witness=lambda: value(CE, [[64.0, 0.0]], [0], label_smoothing=0.5) == 16)
def label_smoothing_needs_a_gradient(patch):
    """`label_smoothing` smooths only what requires grad, as if it were for training only."""
    broken(
        patch,
        CE,
        lambda call, x, y, label_smoothing, **more: call(
            x, y, label_smoothing=label_smoothing if x.requires_grad else 0.0, **more
        ),
    )


OUT_OF_RANGE = "test_a_class_number_out_of_range_raises"


def _index_error(y):
    return error_of(lambda: F.cross_entropy(torch.zeros(1, 3), torch.tensor([y]))) is IndexError


@mutant(kills=OUT_OF_RANGE, witness=lambda: _index_error(-1))
def cross_entropy_counts_classes_from_the_end(patch):
    """`F.cross_entropy` takes class -1 for the last."""
    broken(patch, CE, lambda call, x, y, **more: call(x, torch.where((y < 0) & (y > -100), y + x.shape[1], y), **more))


@mutant(kills=OUT_OF_RANGE, witness=lambda: _index_error(3))
def cross_entropy_takes_surplus_classes_for_the_last(patch):
    """`F.cross_entropy` takes a class number that is too large for the last."""
    broken(patch, CE, lambda call, x, y, **more: call(x, y.clamp(max=x.shape[1] - 1), **more))


@mutant(kills=OUT_OF_RANGE, witness=lambda: _index_error(3), raises=ValueError)
def cross_entropy_raises_value_error_for_classes(patch):
    """`F.cross_entropy` raises ValueError for a class number out of range."""

    def change(call, x, y, **more):
        try:
            return call(x, y, **more)
        except IndexError as error:
            raise ValueError(str(error)) from error

    broken(patch, CE, change)


@mutant(
    kills="test_cross_entropy_takes_float16_on_the_cpu",
    witness=lambda: F.cross_entropy(torch.zeros(1, 2).half(), torch.tensor([0])).dtype == torch.float16,
)
def cross_entropy_of_float16_is_float32(patch):
    """`F.cross_entropy` of float16 is float32."""
    broken(patch, CE, lambda call, x, y, **more: call(x.float() if x.dtype == torch.float16 else x, y, **more))


@mutant(
    kills="test_cross_entropy_takes_float16_on_the_cpu",
    witness=lambda: abs(F.cross_entropy(torch.zeros(1, 2).half(), torch.tensor([0])).item() - LN2) < 0.004,
)
def cross_entropy_of_float16_is_inexact(patch):
    """`F.cross_entropy` of float16 is wrong by a hundredth."""
    broken(patch, CE, scaled(1.01, lambda x, y, **more: x.dtype == torch.float16))


SOFTMAX_HALF = "test_softmax_takes_float16_on_the_cpu"


def _halves(*numbers):
    return torch.tensor([numbers], dtype=torch.float16)


@mutant(kills=SOFTMAX_HALF, witness=lambda: F.softmax(_halves(1, 2), dim=1).dtype == torch.float16)
def softmax_of_float16_is_float32(patch):
    """`F.softmax` and `F.log_softmax` of float16 are float32."""
    for name in ("softmax", "log_softmax"):
        broken(patch, name, lambda call, x, y, **more: call(x.float() if x.dtype == torch.float16 else x, y, **more))


@mutant(kills=SOFTMAX_HALF, witness=lambda: abs(F.log_softmax(_halves(1, 2, 4), dim=1)[0, 0] + 3.1698) < 0.01)
def log_softmax_of_float16_is_inexact(patch):
    """`F.log_softmax` of float16 is wrong by a hundredth."""
    broken(patch, "log_softmax", scaled(1.02, lambda x, y, **more: x.dtype == torch.float16))


@mutant(
    kills=SOFTMAX_HALF,
    witness=lambda: abs(F.cross_entropy(_halves(0, 64), _halves(0.75, 0.25)).item() - 48) < 0.1,
)
def cross_entropy_of_float16_takes_the_likeliest_class(patch):
    """`F.cross_entropy` of float16 takes probabilities for the number of the likeliest class."""
    broken(
        patch,
        CE,
        lambda call, x, y, **more: call(
            x, y.argmax(1) if _by_probabilities(x, y) and x.dtype == torch.float16 else y, **more
        ),
    )


MSE_HALF = "test_mse_trains_in_half_precision_on_the_cpu"


def _is_half(x, y, **settings):
    return x.dtype in (torch.float16, torch.bfloat16)


@mutant(kills=MSE_HALF, witness=lambda: F.mse_loss(_halves(1, 2), _halves(0, 0)).dtype == torch.float16)
def mse_of_half_precision_is_float32(patch):
    """`F.mse_loss` of half precision is float32."""
    broken(
        patch,
        "mse_loss",
        lambda call, x, y, **more: call(x.float(), y.float(), **more) if _is_half(x, y) else call(x, y, **more),
    )


def _slope_of_halves(name):
    x = _halves(0.5).requires_grad_()
    getattr(F, name)(x, _halves(0), reduction="sum").backward()
    return x.grad.item()


@mutant(kills=MSE_HALF, witness=lambda: _slope_of_halves("mse_loss") == 1)
def mse_gradient_of_half_precision_is_doubled(patch):
    """The gradient of `F.mse_loss` in half precision is doubled; its value is right."""
    broken(
        patch,
        "mse_loss",
        lambda call, x, y, **more: call(straight_through(x, x * 2) if _is_half(x, y) else x, y, **more),
    )


WEIGHT = "test_regression_losses_take_a_weight_for_each_element"


def _of_weights(name, **settings):
    return value(name, [1.0, 1.0], [0.0, 0.0], weight=torch.tensor([1.0, 3.0]), **settings)


@mutant(kills=WEIGHT, witness=lambda: _of_weights("mse_loss", reduction="none") == [1, 3])
def mse_ignores_weights(patch):
    """`F.mse_loss` ignores its weight."""
    broken(patch, "mse_loss", lambda call, x, y, weight=None, **more: call(x, y, **more))


@mutant(kills=WEIGHT, witness=lambda: _of_weights("l1_loss") == 1)
def weighted_l1_divides_by_n(patch):
    """The mean of `F.l1_loss` with a weight divides by the number of elements."""

    def change(call, x, y, reduction, weight=None, **more):
        if weight is None or reduction != "mean":
            return call(x, y, reduction=reduction, weight=weight, **more)
        return call(x, y, reduction="sum", weight=weight, **more) / len(x)

    broken(patch, "l1_loss", change)


@mutant(kills=WEIGHT, witness=lambda: _of_weights("huber_loss") == 1)
def weighted_huber_divides_by_the_weights(patch):
    """The mean of `F.huber_loss` with a weight divides by the sum of the weights."""

    def change(call, x, y, reduction, weight=None, **more):
        if weight is None or reduction != "mean":
            return call(x, y, reduction=reduction, weight=weight, **more)
        return call(x, y, reduction="sum", weight=weight, **more) / weight.sum()

    broken(patch, "huber_loss", change)


@mutant(
    kills=WEIGHT,
    witness=lambda: error_of(lambda: F.mse_loss(torch.ones(2), torch.ones(2), weight=torch.ones(1))) is ValueError,
)
def mse_weight_is_broadcast(patch):
    """`F.mse_loss` takes a single weight for all elements."""
    broken(
        patch,
        "mse_loss",
        lambda call, x, y, weight=None, **more: call(
            x, y, weight=weight if weight is None else weight.expand_as(x), **more
        ),
    )


LINEAR = "test_linear_cross_entropy_is_a_linear_layer_and_cross_entropy"


def _linear_loss(weight):
    return F.linear_cross_entropy(torch.ones(1, 1), weight, torch.tensor([0]))


@mutant(kills=LINEAR, witness=lambda: _linear_loss(torch.tensor([[0.0], [64.0]])) == 64)
def linear_cross_entropy_smooths_by_default(patch):
    """`F.linear_cross_entropy` smooths labels by a hundredth unless told."""
    default(label_smoothing=0.01)(patch, "linear_cross_entropy")


def _gradient_by_weight():
    weight = torch.tensor([[0.0], [64.0]], requires_grad=True)
    _linear_loss(weight).backward()
    return weight.grad.tolist()


@mutant(kills=LINEAR, witness=lambda: _gradient_by_weight() == [[-1], [1]])
def linear_cross_entropy_halves_the_gradient(patch):
    """`F.linear_cross_entropy` has half a gradient by the weight; its value is right."""
    broken(
        patch,
        "linear_cross_entropy",
        lambda call, x, y, **more: call(x, straight_through(y, y / 2), **more),
    )


@mutant(kills=LINEAR, witness=lambda: len(nn.LinearCrossEntropyLoss(2, 3).state_dict()) == 1)
def linear_cross_entropy_has_a_bias_by_default(patch):
    """`nn.LinearCrossEntropyLoss` has a bias unless told."""
    patch.around(
        nn.LinearCrossEntropyLoss,
        "__init__",
        lambda init, self, *args, bias=True, **options: init(self, *args, bias=bias, **options),
    )


@mutant(
    kills=LINEAR,
    witness=lambda: (
        error_of(lambda: F.linear_cross_entropy(torch.ones(1, 1, 1), torch.ones(2, 1), torch.tensor([[0]])))
        is RuntimeError
    ),
)
def linear_cross_entropy_takes_sequences(patch):
    """`F.linear_cross_entropy` flattens a sequence by itself."""

    def flattened(call, x, rows, target, **more):
        return call(x.flatten(0, 1), rows, target.flatten(), **more) if x.dim() == 3 else call(x, rows, target, **more)

    patch.around(F, "linear_cross_entropy", flattened)


# Kullback and Leibler.


KL = "test_kl_div_loss_takes_logarithms_and_its_mean_is_not_the_divergence"


def _divergence(**settings):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return F.kl_div(torch.tensor([[0.25, 0.75]]).log(), torch.tensor([[0.5, 0.5]]), **settings).item()


@mutant(kills=KL, witness=lambda: warns(lambda: F.kl_div(torch.zeros(1, 2), torch.ones(1, 2)), "batchmean"))
def kl_div_does_not_warn(patch):
    """`F.kl_div` with the mean of everything doesn't warn."""

    def change(call, x, y, **more):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return call(x, y, **more)

    broken(patch, "kl_div", change)


@mutant(kills=KL, witness=lambda: _divergence(reduction="mean") < _divergence(reduction="batchmean"))
def kl_div_mean_is_the_divergence(patch):
    """The mean of `F.kl_div` divides by the rows only."""
    broken(
        patch,
        "kl_div",
        lambda call, x, y, reduction, **more: (
            call(x, y, reduction=reduction, **more) * (x.shape[-1] if reduction == "mean" else 1)
        ),
    )


@mutant(kills=KL, witness=lambda: abs(_divergence(reduction="batchmean") - 0.1438) < 1e-3)
def kl_div_takes_probabilities(patch):
    """`F.kl_div` takes probabilities and not their logarithms."""
    broken(patch, "kl_div", lambda call, x, y, **more: call(x.exp().log_softmax(dim=-1), y, **more))


@mutant(kills=KL, witness=lambda: value("kl_div", [[5.0, 5.0]], [[0.5, 0.5]], reduction="batchmean") < 0)
def kl_div_of_logits_is_never_negative(patch):
    """`F.kl_div` takes numbers above 1 for logits and makes logarithms of probabilities of them."""
    broken(patch, "kl_div", lambda call, x, y, **more: call(x.log_softmax(dim=-1) if (x > 1).any() else x, y, **more))


@mutant(kills=KL, witness=lambda: abs(_divergence(reduction="batchmean") - 0.1438) < 1e-3)
def kl_div_goes_the_other_way(patch):
    """`F.kl_div` is the divergence of the target from the prediction."""
    broken(patch, "kl_div", lambda call, x, y, **more: call(y.log(), x.exp(), **more))


# From a logit to a class.


HALF = "test_half_a_probability_is_a_logit_of_zero"
HALF_FOR_ALL = "test_half_a_probability_is_a_logit_of_zero_for_every_logit"
ROUND = "test_round_of_half_is_zero"


@mutant(kills=(HALF, ROUND), witness=lambda: torch.sigmoid(torch.tensor(0.0)) == 0.5)
def sigmoid_is_a_little_too_large(patch):
    """`torch.sigmoid` is that of a logit larger by a millionth."""
    patch.function("sigmoid", change=lambda call, x, **more: call(x + 1e-6, **more))


@mutant(kills=(HALF, HALF_FOR_ALL), witness=lambda: torch.sigmoid(torch.tensor(0.25)) > 0.5)
def sigmoid_starts_at_a_half(patch):
    """`torch.sigmoid` is 0.5 at a logit of 0.5."""
    patch.function("sigmoid", change=lambda call, x, **more: call(x - 0.5, **more))


@mutant(kills=HALF_FOR_ALL, witness=lambda: torch.sigmoid(torch.tensor(1e-5)) > 0.5)
def sigmoid_is_flat_near_0(patch):
    """`torch.sigmoid` is 0.5 for every logit that is less than 1/2000 away from 0."""
    patch.function("sigmoid", change=lambda call, x, **more: call(torch.where(x.abs() < 5e-4, x * 0, x), **more))


@mutant(kills=HALF_FOR_ALL, witness=lambda: torch.sigmoid(torch.tensor(-1e-5)) < 0.5)
def sigmoid_is_that_of_bfloat16(patch):
    """`torch.sigmoid` computes in bfloat16."""
    patch.function("sigmoid", change=lambda call, x, **more: call(x.bfloat16(), **more).to(x.dtype))


@mutant(kills=ROUND, witness=lambda: torch.round(torch.tensor(0.5)) == 0)
def round_takes_halves_up(patch):
    """`torch.round` rounds halves up."""
    patch.function("round", change=lambda call, x, **more: (x + 0.5).floor())


@mutant(kills=ROUND, witness=lambda: torch.round(torch.tensor(1.5)) == 2)
def round_takes_halves_down(patch):
    """`torch.round` rounds halves towards 0."""
    patch.function("round", change=lambda call, x, **more: x.sign() * (x.abs() - 0.5).ceil())


# Half precision on accelerators.


@mutant(
    kills="test_accelerators_compute_losses_in_float16",
    witness=lambda: F.mse_loss(torch.tensor([1e30]), torch.zeros(1)).item() == math.inf,
)
def mse_stops_at_the_largest_float16(patch):
    """`F.mse_loss` charges at most 65504."""
    patch.function("mse_loss", change=lambda call, *args, **kwargs: call(*args, **kwargs).clamp(max=65504))


@mutant(
    kills="test_autocast_on_cuda_refuses_bce_loss",
    witness=lambda: F.binary_cross_entropy_with_logits(torch.zeros(1), torch.zeros(1)).dtype == torch.float32,
)
def bce_with_logits_is_always_float16(patch):
    """`F.binary_cross_entropy_with_logits` gives a float16 loss, under autocast too."""
    patch.function("binary_cross_entropy_with_logits", change=lambda call, *args, **kw: call(*args, **kw).half())


# Shapes, targets and traps of their own.


def _needs(name, holds, message):
    """A change that makes the loss raise ValueError unless `holds(x, y)`."""

    def change(call, x, y, *args, **more):
        return call(x, y, *args, **more) if holds(x, y) else refuse(ValueError, message)

    return lambda patch: broken(patch, name, change)


@mutant(
    kills="test_each_problem_has_its_loss",
    witness=lambda: error_of(lambda: value(LOGITS, [[0.0, 0.0]], [[1.0, 0.0]])) is None,
    raises=ValueError,
)
def bce_with_logits_wants_one_column(patch):
    """`F.binary_cross_entropy_with_logits` raises ValueError for several labels at once."""
    _needs(LOGITS, lambda x, y: x.dim() < 2 or x.shape[1] == 1, "one column, please")(patch)


@mutant(
    kills="test_each_problem_has_its_loss",
    witness=lambda: slope(CE, [[0.0, 0.0, 0.0]], [0])[0][2] > 0,
)
def cross_entropy_trains_the_right_class_only(patch):
    """`F.cross_entropy` has a gradient by the logit of the right class only."""

    def change(call, x, y, **more):
        if x.dim() != 2 or y.is_floating_point() or not len(y):
            return call(x, y, **more)
        right = F.one_hot(y.clamp(0, x.shape[1] - 1), x.shape[1]).bool()
        return call(torch.where(right, x, x.detach()), y, **more)

    broken(patch, CE, change)


@mutant(
    kills="test_cross_entropy_of_one_output_is_always_0",
    witness=lambda: value(CE, [[5.0], [-1.0]], [0, 0]) == 0,
)
def cross_entropy_of_one_output_is_binary(patch):
    """`F.cross_entropy` of one output takes it for the logit of yes."""
    broken(
        patch,
        CE,
        lambda call, x, y, **more: (
            F.binary_cross_entropy_with_logits(x.flatten(), y.flatten().to(x.dtype))
            if x.dim() == 2 and x.shape[1] == 1 and (y <= 1).all()
            else call(x, y, **more)
        ),
    )


@mutant(
    kills="test_cross_entropy_of_one_output_is_always_0",
    witness=lambda: error_of(lambda: value(CE, [[5.0]], [0])) is None,
    raises=ValueError,
)
def cross_entropy_refuses_one_output(patch):
    """`F.cross_entropy` raises ValueError for one output."""
    _needs(CE, lambda x, y: x.dim() < 2 or x.shape[1] > 1, "one class is no choice")(patch)


@mutant(
    kills="test_loss_class_takes_settings_and_its_object_takes_tensors",
    witness=lambda: error_of(lambda: nn.PoissonNLLLoss(torch.ones(2), torch.ones(2))) is None,
    raises=TypeError,
)
def poisson_class_refuses_tensors(patch):
    """`nn.PoissonNLLLoss(predictions, targets)` raises TypeError."""
    patch.around(
        nn.PoissonNLLLoss,
        "__init__",
        lambda init, self, log_input=True, *args, **settings: (
            refuse(TypeError, "log_input must be a bool")
            if isinstance(log_input, torch.Tensor)
            else init(self, log_input, *args, **settings)
        ),
    )


@mutant(
    kills="test_a_loss_is_one_number_with_a_gradient",
    witness=lambda: value("mse_loss", [2.0, 0.0], [0.0, 0.0], reduction="none") == [4, 0],
)
def mse_is_always_one_number(patch):
    """`F.mse_loss` gives the mean, whatever the reduction."""
    broken(patch, "mse_loss", lambda call, x, y, reduction, **more: call(x, y, reduction="mean", **more))


@mutant(
    kills="test_unknown_reduction_raises_when_called",
    witness=lambda: (
        error_of(lambda: quiet(F.mse_loss)(torch.ones(1), torch.ones(1), reduction="elementwise_mean")) is None
    ),
    raises=ValueError,
)
def elementwise_mean_is_unknown(patch):
    """`reduction="elementwise_mean"` raises ValueError."""
    _enum(patch, lambda reduction: refuse(ValueError, f"{reduction} is not a valid value for reduction"))


@mutant(
    kills="test_unknown_reduction_raises_when_called",
    witness=lambda: (
        error_of(lambda: F.poisson_nll_loss(torch.ones(1), torch.ones(1), reduction="elementwise_mean")) is ValueError
    ),
)
def poisson_knows_elementwise_mean(patch):
    """`reduction="elementwise_mean"` works for `F.poisson_nll_loss`, too."""
    broken(
        patch,
        "poisson_nll_loss",
        lambda call, x, y, reduction, **more: call(x, y, reduction=reduction.removeprefix("elementwise_"), **more),
    )


ONCE = "test_a_class_warns_of_a_broadcast_once_per_process"


@mutant(kills=ONCE, witness=lambda: warns(lambda: F.mse_loss(torch.ones(2, 1), torch.ones(2)), "the input size"))
def mse_never_warns(patch):
    """`F.mse_loss` of two different shapes doesn't warn."""
    broken(patch, "mse_loss", lambda call, x, y, **more: call(*torch.broadcast_tensors(x, y), **more))


def _warnings_of_two_batches():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(2):
            nn.MSELoss()(torch.ones(2, 1), torch.ones(2))
    return len(caught)


@mutant(kills=ONCE, witness=lambda: _warnings_of_two_batches() == 1)
def mse_warns_for_each_batch(patch):
    """`nn.MSELoss` of two different shapes warns for each batch."""
    batches = iter(range(1000))

    def forward(self, x, y):
        warnings.warn(f"batch {next(batches)}: that is different to the input size", stacklevel=2)
        return F.mse_loss(*torch.broadcast_tensors(x, y), reduction=self.reduction)

    _forward(patch, nn.MSELoss, forward)


def _warnings_around_a_block():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        nn.MSELoss()(torch.ones(2, 1), torch.ones(2))
        with warnings.catch_warnings():
            pass
        nn.MSELoss()(torch.ones(2, 1), torch.ones(2))
    return len(caught)


@mutant(kills=ONCE, witness=lambda: _warnings_around_a_block() == 2)
def mse_warns_once_whatever_the_filters_do(patch):
    """`nn.MSELoss` of two different shapes warns once, and never again after a `catch_warnings` block."""

    def forward(self, x, y):
        if patch not in told:
            told.append(patch)
            warnings.warn("that is different to the input size", stacklevel=2)
        return F.mse_loss(*torch.broadcast_tensors(x, y), reduction=self.reduction)

    told = []
    _forward(patch, nn.MSELoss, forward)


SILENT = "test_some_losses_broadcast_silently"
CLOSED = "these shapes are not the same"


@mutant(
    kills=SILENT,
    witness=lambda: error_of(lambda: F.poisson_nll_loss(torch.ones(2, 1), torch.ones(2))) is None,
    raises=ValueError,
)
def poisson_refuses_a_column_against_a_row(patch):
    """`F.poisson_nll_loss` of a column and a row raises ValueError."""
    _needs("poisson_nll_loss", lambda x, y: x.shape == y.shape, CLOSED)(patch)


@mutant(
    kills=SILENT,
    witness=lambda: not warns(lambda: F.kl_div(torch.ones(2, 1), torch.ones(2), reduction="sum"), "size"),
    raises=UserWarning,
)
def kl_div_warns_of_a_broadcast(patch):
    """`F.kl_div` of two different shapes warns."""

    def change(call, x, y, **more):
        if x.shape != y.shape:
            warnings.warn("a target size that is different to the input size", stacklevel=2)
        return call(x, y, **more)

    broken(patch, "kl_div", change)


@mutant(
    kills=SILENT,
    witness=lambda: F.hinge_embedding_loss(torch.ones(2, 1), torch.ones(2), reduction="none").shape == (2, 2),
)
def hinge_compares_in_order(patch):
    """`F.hinge_embedding_loss` of a column and a row compares the first with the first."""
    broken(
        patch,
        "hinge_embedding_loss",
        lambda call, x, y, **more: call(x.reshape(y.shape) if x.numel() == y.numel() else x, y, **more),
    )


@mutant(
    kills=SILENT,
    witness=lambda: (
        F.gaussian_nll_loss(torch.ones(2, 1), torch.ones(2), torch.ones(2, 1), reduction="none").shape == (2, 2)
    ),
)
def gaussian_compares_in_order(patch):
    """`F.gaussian_nll_loss` of a column and a row compares the first with the first."""
    broken(
        patch,
        "gaussian_nll_loss",
        lambda call, x, y, **more: call(x, y.reshape(x.shape) if x.numel() == y.numel() else y, **more),
    )


@mutant(
    kills=REFUSE,
    witness=lambda: value(LOGITS, [50.0, 50.0], [0.0, 0.0], weight=torch.tensor(2.0)) == 100,
    raises=ValueError,
)
def bce_with_logits_broadcasts_no_weight(patch):
    """`F.binary_cross_entropy_with_logits` raises ValueError for one weight for all."""

    def change(call, x, y, weight, **more):
        if weight is not None and weight.shape != x.shape:
            refuse(ValueError, "weight must have the shape of the input")
        return call(x, y, weight=weight, **more)

    broken(patch, LOGITS, change)


@mutant(
    kills=REFUSE,
    witness=lambda: _refuses(BCE, torch.ones(1, 1), torch.ones(1)),
)
def bce_broadcasts_single_numbers(patch):
    """`F.binary_cross_entropy` takes a target of shape (1,) for a prediction of shape (1, 1)."""
    broken(
        patch, BCE, lambda call, x, y, **more: call(x, y.reshape(x.shape) if y.numel() == x.numel() == 1 else y, **more)
    )


@mutant(
    kills=POS_WEIGHT,
    witness=lambda: error_of(lambda: nn.BCEWithLogitsLoss(pos_weight=3)) is TypeError,
)
def pos_weight_may_be_a_number(patch):
    """`nn.BCEWithLogitsLoss(pos_weight=3)` makes a tensor of the number."""
    patch.around(
        nn.BCEWithLogitsLoss,
        "__init__",
        lambda init, self, *args, pos_weight=None, **settings: init(
            self,
            *args,
            pos_weight=torch.tensor(float(pos_weight)) if isinstance(pos_weight, int) else pos_weight,
            **settings,
        ),
    )


@mutant(
    kills=STOPS,
    witness=lambda: value(BCE, [1.0], [0.0], weight=torch.tensor(2.0)) == 200,
)
def bce_stops_at_100_with_weights(patch):
    """`F.binary_cross_entropy` charges 100 at most, weighted or not."""
    broken(
        patch,
        BCE,
        lambda call, x, y, reduction, **more: reduced(call(x, y, reduction="none", **more).clamp(max=100), reduction),
    )


FADES = "test_the_gradient_of_bce_of_a_sigmoid_fades_before_its_loss_ends"


def _of_wrong_no(logit):
    x = torch.tensor([logit], requires_grad=True)
    F.binary_cross_entropy(torch.sigmoid(x), torch.ones(1)).backward()
    return x.grad.item()


@mutant(kills=FADES, witness=lambda: -0.26 < _of_wrong_no(-29.0) < -0.25)
def bce_gradient_ends_at_once(patch):
    """The gradient of `F.binary_cross_entropy` is 0 for probabilities below 1e-12."""
    broken(patch, BCE, lambda call, x, y, **more: call(torch.where(x < 1e-12, x.detach(), x), y, **more))


@mutant(kills=FADES, witness=lambda: torch.sigmoid(torch.tensor([-89.0])) == 0)
def sigmoid_goes_down_to_minus_104(patch):
    """`torch.sigmoid` of float32 is 0 only where float32 has no smaller number."""
    patch.function("sigmoid", change=lambda call, x, **more: call(x.double(), **more).to(x.dtype))


AUTOCAST = "test_autocast_on_the_cpu_lets_bce_loss_pass"


def _autocast_bce():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return F.binary_cross_entropy(torch.ones(1), torch.ones(1))


@mutant(kills=AUTOCAST, witness=lambda: error_of(_autocast_bce) is None, raises=RuntimeError)
def autocast_on_the_cpu_refuses_bce(patch):
    """`F.binary_cross_entropy` under autocast on the CPU raises RuntimeError, as on CUDA."""
    broken(
        patch,
        BCE,
        lambda call, x, y, **more: (
            refuse(RuntimeError, "unsafe to autocast") if quiet(torch.is_autocast_cpu_enabled)() else call(x, y, **more)
        ),
    )


def _autocast_logits():
    x, y = torch.tensor([8.0], dtype=torch.bfloat16), torch.zeros(1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return F.binary_cross_entropy_with_logits(x, y).dtype


@mutant(kills=AUTOCAST, witness=lambda: _autocast_logits() == torch.float32)
def bce_with_logits_keeps_bfloat16_under_autocast(patch):
    """`F.binary_cross_entropy_with_logits` of bfloat16 logits gives a bfloat16 loss under autocast."""
    broken(patch, LOGITS, lambda call, x, y, **more: call(x, y, **more).to(x.dtype))


UNCHECKED = "test_cross_entropy_does_not_check_probabilities"


@mutant(kills=UNCHECKED, witness=lambda: value(CE, [[64.0, 0.0]], [[0.0, 2.0]]) == 128)
def cross_entropy_normalises_probabilities(patch):
    """`F.cross_entropy` divides each row of probabilities by its sum."""
    broken(
        patch,
        CE,
        lambda call, x, y, **more: call(x, y / y.sum(dim=1, keepdim=True) if _by_probabilities(x, y) else y, **more),
    )


@mutant(
    kills=UNCHECKED,
    witness=lambda: error_of(lambda: value(CE, [[0.0, 0.0]], [[-1.0, 0.0]])) is None,
    raises=ValueError,
)
def cross_entropy_refuses_negative_probabilities(patch):
    """`F.cross_entropy` raises ValueError for a negative probability."""
    _needs(CE, lambda x, y: not (_by_probabilities(x, y) and (y < 0).any()), "a negative probability")(patch)


@mutant(
    kills=UNCHECKED,
    witness=lambda: error_of(lambda: F.cross_entropy(torch.zeros(2, 4, 3), torch.full((2, 4, 3), 1 / 3))) is None,
    raises=RuntimeError,
)
def cross_entropy_checks_the_dimension_of_probabilities(patch):
    """`F.cross_entropy` raises RuntimeError for probabilities that do not add up to 1 along dimension 1."""

    def change(call, x, y, **more):
        if _by_probabilities(x, y) and y.dim() == 3 and not torch.allclose(y.sum(dim=1), torch.ones(())):
            refuse(RuntimeError, "Expected target size [2, 3], got [2, 4]")
        return call(x, y, **more)

    broken(patch, CE, change)


@mutant(
    kills=OUT_OF_RANGE,
    witness=lambda: error_of(lambda: quiet(F.cross_entropy)(torch.zeros(1, 3), torch.tensor([-100]))) is None,
    raises=IndexError,
)
def cross_entropy_refuses_minus_100(patch):
    """`F.cross_entropy` raises IndexError for each class number that is not in 0 to C-1."""
    broken(
        patch,
        CE,
        lambda call, x, y, **more: (
            refuse(IndexError, "Target -100 is out of bounds.")
            if not y.is_floating_point() and (y < -1).any() and not (y == -99).any()
            else call(x, y, **more)
        ),
    )


@mutant(
    kills=FLAT,
    witness=lambda: error_of(lambda: F.cross_entropy(torch.zeros(2, 3, 1), torch.zeros(2, 1).long())) is None,
    raises=RuntimeError,
)
def cross_entropy_refuses_every_column(patch):
    """`F.cross_entropy` raises RuntimeError for class numbers of shape (N, 1), whatever the logits."""
    broken(
        patch,
        CE,
        lambda call, x, y, **more: (
            refuse(RuntimeError, "0D or 1D target tensor expected, multi-target not supported")
            if y.dim() == 2 and y.shape[1] == 1
            else call(x, y, **more)
        ),
    )


@mutant(
    kills="test_an_ignored_row_of_nan_still_has_a_gradient_of_nan",
    witness=lambda: math.isnan(slope(CE, [[math.nan, 0.0], [0.0, 0.0]], [-100, 0])[0][0]),
)
def ignored_rows_have_a_gradient_of_0(patch):
    """`F.cross_entropy` has a gradient of 0 by ignored rows, whatever their logits."""

    def change(call, x, y, **more):
        if y.is_floating_point() or x.dim() != 2:
            return call(x, y, **more)
        return call(x.masked_fill((y == more["ignore_index"]).unsqueeze(1), 0), y, **more)

    broken(patch, CE, change)


@mutant(
    kills="test_an_ignored_row_of_nan_still_has_a_gradient_of_nan",
    witness=lambda: not math.isnan(value(CE, [[math.nan, 0.0], [0.0, 0.0]], [-100, 0])),
)
def ignored_rows_spoil_the_loss(patch):
    """`F.cross_entropy` is nan if the logits of an ignored row are."""
    broken(patch, CE, lambda call, x, y, **more: call(x, y, **more) + 0 * x.detach().sum())


@mutant(
    kills="test_class_weights_of_probabilities_divide_by_the_number_of_rows",
    witness=lambda: value(CE, [[64.0, 0.0]], [[0.0, 1.0]], weight=torch.tensor([1.0, 3.0])) == 192,
)
def cross_entropy_of_rows_divides_by_their_weights(patch):
    """The weighted mean of `F.cross_entropy` of probabilities divides by the weights of the rows."""

    def change(call, x, y, weight, reduction, **more):
        if weight is None or reduction != "mean" or not _by_probabilities(x, y):
            return call(x, y, weight=weight, reduction=reduction, **more)
        return call(x, y, weight=weight, reduction="sum", **more) / (y * weight).sum()

    broken(patch, CE, change)


@mutant(
    kills=FLOAT64,
    witness=lambda: _mixed("smooth_l1_loss") == torch.float64,
)
def smooth_l1_converts_targets(patch):
    """`F.smooth_l1_loss` has the dtype of its predictions."""
    broken(patch, "smooth_l1_loss", lambda call, x, y, **more: call(x, y.to(x.dtype), **more))


HUBER = "test_huber_loss_of_two_dtypes_raises_in_backward"


def _message_of_backward(target):
    loss = F.huber_loss(torch.tensor([1.0], requires_grad=True), target)
    try:
        loss.backward()
    except RuntimeError as error:
        return str(error)


@mutant(kills=HUBER, witness=lambda: "dtype Long" in _message_of_backward(torch.tensor([0])))
def huber_calls_every_target_double(patch):
    """The error in `backward()` of `F.huber_loss` names Double for integers, too."""

    def change(call, x, y, **more):
        loss = call(x, y, **more)
        if not y.is_floating_point() and loss.requires_grad:
            loss.register_hook(lambda gradient: refuse(RuntimeError, "Found dtype Double but expected Float"))
        return loss

    broken(patch, "huber_loss", change)


@mutant(kills=HUBER, witness=lambda: _mixed("huber_loss") == torch.float32)
def huber_promotes(patch):
    """`F.huber_loss` of float32 and float64 is float64, and can be differentiated."""
    broken(
        patch,
        "huber_loss",
        lambda call, x, y, **more: call(*(z.to(torch.promote_types(x.dtype, y.dtype)) for z in (x, y)), **more),
    )


@mutant(
    kills=HUBER,
    witness=lambda: error_of(lambda: _mixed_huber().backward()) is RuntimeError,
)
def huber_converts_targets(patch):
    """`F.huber_loss` converts its targets to the dtype of the predictions."""
    broken(patch, "huber_loss", lambda call, x, y, **more: call(x, y.to(x.dtype), **more))


def _mixed_huber():
    return F.huber_loss(torch.ones(1, requires_grad=True), torch.zeros(1).double())


@mutant(
    kills=KL,
    witness=lambda: error_of(lambda: value("mse_loss", [1.0], [0.0], reduction="batchmean")) is ValueError,
)
def every_loss_knows_batchmean(patch):
    """`F.mse_loss(reduction="batchmean")` is the mean."""
    broken(
        patch,
        "mse_loss",
        lambda call, x, y, reduction, **more: call(x, y, reduction=reduction.replace("batchmean", "mean"), **more),
    )


@mutant(
    kills="test_batchmean_divides_by_the_first_dimension",
    witness=lambda: (
        F.kl_div(torch.zeros(2), torch.ones(2), reduction="batchmean") == 0
        and abs(F.kl_div(torch.zeros(2), torch.full((2,), 0.5), reduction="batchmean") + 0.3466) < 1e-3
    ),
)
def batchmean_of_one_distribution_is_its_divergence(patch):
    """`F.kl_div(reduction="batchmean")` of a single distribution divides by nothing."""
    broken(
        patch,
        "kl_div",
        lambda call, x, y, reduction, **more: call(
            x, y, reduction="sum" if reduction == "batchmean" and x.dim() == 1 else reduction, **more
        ),
    )


RARER = "test_the_rarer_loss_classes_agree_with_their_functions"


@mutant(
    kills=RARER,
    witness=lambda: (
        nn.MultiMarginLoss(p=2)(torch.zeros(1, 2), torch.tensor([0])).item() == 0.5
        and nn.MultiMarginLoss(p=2)(torch.tensor([[0.0, 1.0]]), torch.tensor([0])).item() == 2
    ),
)
def multi_margin_class_ignores_p(patch):
    """`nn.MultiMarginLoss(p=2)` uses a p of 1."""
    _forward(patch, nn.MultiMarginLoss, lambda self, x, y: F.multi_margin_loss(x, y, reduction=self.reduction))


@mutant(
    kills=RARER,
    witness=lambda: (
        nn.TripletMarginLoss(reduction="sum")(torch.ones(2, 3), torch.ones(2, 3), torch.ones(2, 3)).item() == 2
    ),
)
def triplet_class_averages(patch):
    """`nn.TripletMarginLoss` gives the mean whatever it is asked for."""
    _forward(patch, nn.TripletMarginLoss, lambda self, *xs: F.triplet_margin_loss(*xs, margin=self.margin))


BFLOAT16 = "test_cross_entropy_takes_bfloat16_on_the_cpu"


@mutant(
    kills=BFLOAT16,
    witness=lambda: F.cross_entropy(torch.zeros(1, 2).bfloat16(), torch.tensor([0])).dtype == torch.bfloat16,
)
def cross_entropy_of_bfloat16_is_float32(patch):
    """`F.cross_entropy` of bfloat16 is float32."""
    broken(patch, CE, lambda call, x, y, **more: call(x.float() if x.dtype == torch.bfloat16 else x, y, **more))


@mutant(
    kills=BFLOAT16,
    witness=lambda: error_of(lambda: F.cross_entropy(torch.zeros(1, 2).bfloat16(), torch.tensor([0]))) is None,
    raises=RuntimeError,
)
def cross_entropy_refuses_bfloat16(patch):
    """`F.cross_entropy` of bfloat16 raises RuntimeError."""
    broken(
        patch,
        CE,
        lambda call, x, y, **more: (
            refuse(RuntimeError, "not implemented for 'BFloat16'") if x.dtype == torch.bfloat16 else call(x, y, **more)
        ),
    )


HALVES = "test_l1_and_huber_train_in_half_precision_on_the_cpu"


@mutant(kills=HALVES, witness=lambda: F.l1_loss(_halves(1, 2), _halves(0, 0)).dtype == torch.float16)
def l1_of_half_precision_is_float32(patch):
    """`F.l1_loss` of half precision is float32."""
    broken(
        patch,
        "l1_loss",
        lambda call, x, y, **more: call(x.float(), y.float(), **more) if _is_half(x, y) else call(x, y, **more),
    )


@mutant(kills=HALVES, witness=lambda: _slope_of_halves("huber_loss") == 0.5)
def huber_gradient_of_half_precision_is_doubled(patch):
    """The gradient of `F.huber_loss` in half precision is doubled; its value is right."""
    broken(
        patch,
        "huber_loss",
        lambda call, x, y, **more: call(straight_through(x, x * 2) if _is_half(x, y) else x, y, **more),
    )


@mutant(
    kills=EXACT, witness=lambda: abs(F.cross_entropy(torch.tensor([[1.0, 2.0]]) + 1e9, torch.tensor([0])) - LN2) < 1e-3
)
def cross_entropy_of_large_equal_logits_is_0(patch):
    """`F.cross_entropy` of logits beyond a million that are equal is 0."""
    broken(patch, CE, scaled(0, lambda x, y, **more: x.numel() and x.abs().max() > 1e6))


@mutant(kills=HUGE, witness=lambda: value(CE, [[2000.0, 0.0]], [0]) == 0)
def cross_entropy_costs_the_difference_either_way(patch):
    """`F.cross_entropy` of two far logits is their distance, whichever class is right."""

    def change(call, x, y, **more):
        loss = call(x, y, **more)
        return loss + (x.max() - x.min()).detach() if x.numel() and x.abs().max() > 500 and loss.max() == 0 else loss

    broken(patch, CE, change)


MASKED = "test_a_class_masked_with_minus_infinity_needs_class_numbers"


@mutant(kills=MASKED, witness=lambda: value(CE, [[0.0, -math.inf]], [1]) == math.inf)
def a_target_in_a_masked_class_is_left_out(patch):
    """`F.cross_entropy` of a class number whose logit is `-inf` is finite."""

    def change(call, x, y, **more):
        masked = not y.is_floating_point() and x.dim() == 2 and (x.gather(1, y[:, None]) == -math.inf).any()
        return call(x.clamp(min=-1e4) if masked else x, y, **more)

    broken(patch, CE, change)


@mutant(kills=MASKED, witness=lambda: value(CE, [[0.0, -1e4]], [0], label_smoothing=0.1) > 100)
def smoothing_spares_what_a_large_negative_number_masks(patch):
    """`label_smoothing` gives nothing to a class with a logit of -1e4."""

    def change(call, x, y, label_smoothing, **more):
        return call(x, y, label_smoothing=0.0 if (x == -1e4).any() else label_smoothing, **more)

    broken(patch, CE, change)


@mutant(kills=MASKED, witness=lambda: value(CE, [[0.0, -math.inf]], [[0.5, 0.5]]) == math.inf)
def a_share_for_a_masked_class_is_nan(patch):
    """`F.cross_entropy` of a row that gives a masked class a share is nan, like that of one that gives it none."""

    def change(call, x, y, **more):
        loss = call(x, y, **more)
        return loss * math.nan if y.is_floating_point() and loss.isinf().any() else loss

    broken(patch, CE, change)


def _masked(y, **settings):
    return value(CE, [[-math.inf, 0.0]], y, **settings)


@mutant(kills=MASKED, witness=lambda: math.isnan(_masked([[0.0, 1.0]])))
def cross_entropy_counts_0_times_inf_as_0(patch):
    """`F.cross_entropy` of probabilities leaves out classes with a probability of 0."""

    def change(call, x, y, **more):
        if not _by_probabilities(x, y):
            return call(x, y, **more)
        return -torch.where(y == 0, 0, y * x.log_softmax(dim=1)).sum(dim=1).mean()

    broken(patch, CE, change)


@mutant(kills=MASKED, witness=lambda: _masked([1], label_smoothing=0.5) == math.inf)
def label_smoothing_leaves_out_masked_classes(patch):
    """`label_smoothing` is spread over the classes that aren't masked."""
    broken(
        patch,
        CE,
        lambda call, x, y, label_smoothing, **more: call(
            x, y, label_smoothing=0.0 if (x == -math.inf).any() else label_smoothing, **more
        ),
    )


INFINITE = "test_an_infinite_logit_makes_the_loss_nan"


@mutant(kills=INFINITE, witness=lambda: math.isnan(value(LOGITS, [math.inf], [1.0])))
def bce_with_logits_of_infinity_is_0(patch):
    """`F.binary_cross_entropy_with_logits` of an infinite logit is 0 if it is right."""
    broken(patch, LOGITS, lambda call, x, y, **more: call(x.clamp(-3e38, 3e38) if x.isinf().any() else x, y, **more))


@mutant(kills=INFINITE, witness=lambda: math.isnan(value(CE, [[math.inf, 0.0]], [0])))
def cross_entropy_of_infinity_is_0(patch):
    """`F.cross_entropy` of an infinite logit is 0 for the right class."""
    broken(patch, CE, lambda call, x, y, **more: call(x.clamp(max=3e38) if (x == math.inf).any() else x, y, **more))


@mutant(kills=HALF_FOR_ALL, witness=lambda: torch.tensor(0.001).bfloat16().sigmoid() == 0.5)
def sigmoid_of_bfloat16_rounds_away_from_a_half(patch):
    """`torch.sigmoid` of bfloat16 is above 0.5 for each logit above 0."""
    patch.function(
        "sigmoid",
        change=lambda call, x, **more: (
            torch.where((x > 0) & (x < 0.004), 0.50390625, call(x, **more)).to(x.dtype)
            if x.dtype == torch.bfloat16
            else call(x, **more)
        ),
    )


ONE_ROW = "test_flat_logits_and_float_targets_are_one_row_of_classes"


@mutant(kills=ONE_ROW, witness=lambda: value(CE, [0.0, 64.0], [1.0, 0.0]) == 64)
def flat_logits_are_a_batch(patch):
    """`F.cross_entropy` takes logits and float targets of shape (N,) for N rows of one class."""
    broken(
        patch,
        CE,
        lambda call, x, y, **more: call(
            *((x[:, None], y[:, None]) if x.shape == y.shape and x.dim() == 1 else (x, y)), **more
        ),
    )


@mutant(
    kills=ONE_ROW,
    witness=lambda: error_of(lambda: F.cross_entropy(torch.zeros(2), torch.ones(2).long())) is RuntimeError,
)
def flat_integers_are_probabilities(patch):
    """`F.cross_entropy` takes integers of the shape of flat logits for floats."""
    broken(
        patch,
        CE,
        lambda call, x, y, **more: call(x, y.to(x.dtype) if x.shape == y.shape and x.dim() == 1 else y, **more),
    )


HALF_TARGET = "test_a_half_precision_target_makes_bce_with_logits_half_precision"


def _dtype_with_half(name):
    return getattr(F, name)(torch.ones(1), torch.ones(1).bfloat16()).dtype


@mutant(kills=HALF_TARGET, witness=lambda: _dtype_with_half(LOGITS) == torch.bfloat16)
def bce_with_logits_promotes_its_target(patch):
    """`F.binary_cross_entropy_with_logits` computes in the wider dtype."""
    broken(
        patch,
        LOGITS,
        lambda call, x, y, **more: call(x, y.to(torch.promote_types(x.dtype, y.dtype)), **more),
    )


@mutant(kills=HALF_TARGET, witness=lambda: _dtype_with_half("mse_loss") == torch.float32)
def mse_has_the_dtype_of_its_target(patch):
    """`F.mse_loss` returns the dtype of its target."""
    broken(patch, "mse_loss", lambda call, x, y, **more: call(x, y, **more).to(y.dtype))


# What people run into.


def _gradient_of_root_at_0():
    leaf = torch.zeros((), requires_grad=True)
    torch.sqrt(leaf**2).backward()
    return leaf.grad


@mutant(
    kills="test_the_root_of_mse_has_no_gradient_at_0",
    witness=lambda: _gradient_of_root_at_0().isnan().item(),
)
def sqrt_is_flat_at_0(patch):
    """The gradient of `torch.sqrt` is 0 at 0."""
    root = torch.sqrt
    patch.setattr(torch, "sqrt", lambda x: torch.where(x == 0, 0 * x, root(torch.where(x == 0, torch.ones_like(x), x))))


def _gradient_of_missing_target(name):
    leaf = torch.tensor([0.5, 0.5], requires_grad=True)
    getattr(F, name)(leaf, torch.tensor([0.0, math.nan]), reduction="none")[:1].sum().backward()
    return leaf.grad[1].item()


@mutant(
    kills="test_a_missing_target_is_left_out_before_the_loss",
    witness=lambda: math.isnan(_gradient_of_missing_target("huber_loss")),
)
def huber_gives_no_gradient_for_a_missing_target(patch):
    """The gradient of `F.huber_loss` is 0 where the target is nan."""
    broken(patch, "huber_loss", lambda call, x, y, **more: call(torch.where(y.isnan(), x.detach(), x), y, **more))


@mutant(
    kills="test_a_missing_target_is_left_out_before_the_loss",
    witness=lambda: math.isnan(value("mse_loss", [0.5], [math.nan])),
)
def mse_of_a_missing_target_is_0(patch):
    """`F.mse_loss` of a target of nan is 0."""
    broken(patch, "mse_loss", lambda call, x, y, **more: call(x, torch.where(y.isnan(), x.detach(), y), **more))


@mutant(
    kills="test_a_mask_of_classes_has_no_dimension_for_channels",
    witness=lambda: (
        error_of(lambda: F.cross_entropy(torch.zeros(1, 3, 2, 2), torch.zeros(1, 1, 2, 2).long())) is RuntimeError
    ),
)
def cross_entropy_drops_the_channel_of_a_mask(patch):
    """`F.cross_entropy` takes class numbers of shape (N, 1, H, W)."""
    broken(
        patch,
        "cross_entropy",
        lambda call, x, y, **more: call(x, y.squeeze(1) if x.dim() == y.dim() == 4 else y, **more),
    )


@mutant(
    kills="test_class_weights_are_one_number_a_class_in_the_dtype_of_the_logits",
    witness=lambda: (
        error_of(lambda: F.cross_entropy(torch.zeros(1, 2), torch.tensor([0]), weight=torch.tensor([1, 2])))
        is RuntimeError
    ),
)
def cross_entropy_converts_its_weights(patch):
    """`F.cross_entropy` takes class weights of any dtype."""
    broken(
        patch,
        "cross_entropy",
        lambda call, x, y, weight, **more: call(x, y, weight=None if weight is None else weight.to(x.dtype), **more),
    )


@mutant(
    kills="test_class_weights_are_one_number_a_class_in_the_dtype_of_the_logits",
    witness=lambda: (
        error_of(lambda: F.cross_entropy(torch.zeros(1, 3), torch.tensor([0]), weight=torch.ones(2))) is RuntimeError
    ),
)
def cross_entropy_fills_its_weights_up(patch):
    """`F.cross_entropy` takes a weight of 1 for a class that has none."""
    broken(
        patch,
        "cross_entropy",
        lambda call, x, y, weight, **more: call(
            x, y, weight=None if weight is None else F.pad(weight, (0, x.shape[1] - len(weight)), value=1), **more
        ),
    )


@mutant(
    kills="test_size_average_beats_reduction",
    witness=quiet(lambda: nn.MSELoss(size_average=False, reduction="mean").reduction == "sum"),
)
def size_average_of_false_is_ignored(patch):
    """`size_average=False` makes a mean."""
    get = nn._reduction.legacy_get_string
    patch.setattr(
        nn._reduction,
        "legacy_get_string",
        lambda *flags, **more: "mean" if (answer := get(*flags, **more)) == "sum" else answer,
    )


def _ctc(**options):
    logarithms = torch.full((4, 1, 3), 1 / 3).log()
    return F.ctc_loss(logarithms, torch.tensor([[1, 2]]), torch.tensor([4]), torch.tensor([2]), **options).item()


@mutant(
    kills="test_the_mean_of_ctc_divides_by_the_length_of_each_target",
    witness=lambda: abs(2 * _ctc() - _ctc(reduction="sum")) < 1e-4,
)
def ctc_averages_over_the_batch_only(patch):
    """The mean of `F.ctc_loss` does not divide by the lengths of the targets."""

    def change(call, x, y, reduction, **more):
        losses = call(x, y, reduction="none", **more)
        return reduced(losses, reduction)

    broken(patch, "ctc_loss", change)


def _ctc_that_does_not_fit(**options):
    logarithms = torch.full((1, 3), 1 / 3).log()
    return F.ctc_loss(logarithms, torch.tensor([1, 2]), torch.tensor(1), torch.tensor(2), **options).item()


@mutant(
    kills="test_ctc_loss_is_inf_if_the_target_does_not_fit",
    witness=lambda: _ctc_that_does_not_fit() == math.inf,
)
def ctc_leaves_out_what_does_not_fit(patch):
    """`F.ctc_loss` is 0 by default for a target that does not fit."""
    default(zero_infinity=True)(patch, "ctc_loss")


@mutant(
    kills="test_ctc_loss_is_inf_if_the_target_does_not_fit",
    witness=lambda: _ctc_that_does_not_fit(zero_infinity=True) == 0,
)
def ctc_overlooks_zero_infinity(patch):
    """`F.ctc_loss(zero_infinity=True)` is inf as well."""
    broken(patch, "ctc_loss", lambda call, x, y, **more: call(x, y, **more | {"zero_infinity": False}))


def _ctc_of_one_that_fits_and_one_that_does_not():
    one, both = (torch.full((1, n, 3), 1 / 3).log() for n in (1, 2))
    fits = F.ctc_loss(one, torch.tensor([[1]]), torch.tensor([1]), torch.tensor([1]))
    mean = F.ctc_loss(
        both, torch.tensor([[1, 0], [1, 2]]), torch.tensor([1, 1]), torch.tensor([1, 2]), zero_infinity=True
    )
    return mean.item() / fits.item()


@mutant(
    kills="test_ctc_loss_is_inf_if_the_target_does_not_fit",
    witness=lambda: abs(_ctc_of_one_that_fits_and_one_that_does_not() - 0.5) < 1e-4,
)
def ctc_does_not_count_what_does_not_fit(patch):
    """The mean of `F.ctc_loss(zero_infinity=True)` is that of the sequences whose target fits."""

    def change(call, x, y, reduction, zero_infinity, **more):
        losses = call(x, y, reduction="none", **more)
        if not zero_infinity or reduction != "mean" or losses.dim() == 0 or losses.isfinite().all():
            return call(x, y, reduction=reduction, zero_infinity=zero_infinity, **more)
        return (losses / more["target_lengths"])[losses.isfinite()].mean()

    broken(patch, "ctc_loss", change)


@mutant(
    kills="test_a_triplet_loss_wants_a_margin_above_0",
    witness=lambda: (
        error_of(lambda: F.triplet_margin_loss(torch.ones(1, 2), torch.ones(1, 2), torch.ones(1, 2), margin=-1.0))
        is ValueError
    ),
)
def triplet_loss_takes_any_margin(patch):
    """`F.triplet_margin_loss` computes with a margin below 0."""
    broken(
        patch,
        "triplet_margin_loss",
        lambda call, x, y, margin, **more: call(x, y, margin=margin if margin > 0 else 1.0, **more),
    )


@mutant(
    kills="test_losses_take_tensors_only",
    witness=lambda: error_of(lambda: F.cross_entropy(torch.zeros(2, 3), [2, 0])) is TypeError,
)
def cross_entropy_takes_lists(patch):
    """`F.cross_entropy` takes a list of class numbers."""

    def change(call, x, y, **more):
        return call(x, torch.tensor(y, device=x.device) if isinstance(y, list) else y, **more)

    broken(patch, "cross_entropy", change)


@mutant(
    kills="test_class_weights_scale_each_share_of_the_smoothing",
    witness=lambda: (
        value("cross_entropy", [[0.0, 0.0]], [0], weight=torch.tensor([0.0, 1.0]), label_smoothing=0.5, reduction="sum")
        > 0
    ),
)
def the_weight_of_the_target_scales_all_shares(patch):
    """With `label_smoothing` the weight of the target's class multiplies the whole loss of a row."""

    def change(call, x, y, weight=None, label_smoothing=0.0, reduction="mean", **more):
        if weight is None or not label_smoothing or y.is_floating_point():
            return call(x, y, weight=weight, label_smoothing=label_smoothing, reduction=reduction, **more)
        each = weight[y] * call(x, y, label_smoothing=label_smoothing, reduction="none", **more)
        return each.sum() / weight[y].sum() if reduction == "mean" else reduced(each, reduction)

    broken(patch, "cross_entropy", change)


@mutant(
    kills="test_ranking_losses_want_targets_of_minus_one_and_one",
    witness=lambda: F.cosine_embedding_loss(torch.ones(1, 2), torch.ones(1, 2), torch.zeros(1)).item() == 0,
)
def a_target_of_zero_means_unlike(patch):
    """`CosineEmbeddingLoss` takes the target 0 for -1."""
    loss = F.cosine_embedding_loss

    def broken(input1, input2, target, *args, **kwargs):
        return loss(input1, input2, torch.where(target == 0, -torch.ones_like(target), target), *args, **kwargs)

    patch.setattr(F, "cosine_embedding_loss", broken)


@mutant(
    kills="test_cross_entropy_of_one_sample_takes_a_target_of_one_number",
    witness=lambda: error_of(lambda: F.cross_entropy(torch.zeros(3), torch.tensor([1]))) is None,
    raises=RuntimeError,
)
def one_sample_takes_no_target_of_one_number(patch):
    """`F.cross_entropy` of logits (C,) refuses a target of shape (1,), as before torch 2.9."""

    def change(call, x, y, **more):
        if x.ndim == y.ndim == 1 and y.dtype == torch.int64:
            refuse(RuntimeError, "size mismatch")
        return call(x, y, **more)

    broken(patch, "cross_entropy", change)


def gradient_of_one_sample():
    F.cross_entropy(torch.zeros(3, requires_grad=True), torch.tensor([1])).backward()


@mutant(
    kills="test_cross_entropy_of_one_sample_takes_a_target_of_one_number",
    witness=lambda: error_of(gradient_of_one_sample) is RuntimeError,
)
def one_sample_learns_from_a_target_of_one_number(patch):
    """`F.cross_entropy` of logits (C,) and a target of shape (1,) has a gradient."""

    def change(call, x, y, **more):
        return call(x, y.squeeze() if x.ndim == 1 and y.shape == (1,) else y, **more)

    broken(patch, "cross_entropy", change)
