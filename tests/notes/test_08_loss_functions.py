"""Loss functions.

A loss function turns predictions and targets into one number that says how wrong the predictions are, and whose
gradient says how to change them. Each loss expects something particular: BCEWithLogitsLoss and CrossEntropyLoss want
logits (any real numbers, straight out of the last Linear layer), BCELoss wants probabilities, NLLLoss wants
logarithms of probabilities. Most of the mistakes raise no error. They only make training worse, so it pays to know
what the right numbers look like.
"""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from torch import nn
from torch.nn import functional as F

WRONG = [20.0, 40.0, 89.0, 100.0, 200.0, 1e4]
"""How far from 0 a logit is that says with great confidence the wrong class."""

small_numbers = st.floats(-1e4, 1e4, width=32)


def loss_and_gradient(loss_function, logits, targets):
    """The loss of each element, and the derivative of each by its own logit."""
    logits = logits.clone().requires_grad_()
    losses = loss_function(logits, targets)
    losses.sum().backward()
    return losses.detach(), logits.grad


def with_logits(logits, targets):
    """The binary cross entropy as it should be computed."""
    return F.binary_cross_entropy_with_logits(logits, targets, reduction="none")


def sigmoid_then_bce(logits, targets):
    """The same in two steps."""
    return F.binary_cross_entropy(torch.sigmoid(logits), targets, reduction="none")


def textbook(logits, targets):
    """The same as a textbook writes it."""
    probabilities = torch.sigmoid(logits)
    return -(targets * probabilities.log() + (1 - targets) * (1 - probabilities).log())


def test_a_loss_is_one_number_with_a_gradient(device):
    """A loss is a 0-d tensor, and calling backward on it tells each prediction in which direction it is wrong, and by
    how much.

    For the mean squared error the gradient is `2 * (prediction - target) / n`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.MSELoss.html
    """
    predictions = torch.tensor([1.0, 5.0, 2.0, 0.0], device=device, requires_grad=True)
    targets = torch.tensor([3.0, 4.0, 2.0, 1.0], device=device)

    loss = nn.MSELoss()(predictions, targets)
    loss.backward()

    assert tuple(loss.shape) == ()
    assert loss.dtype == torch.float32
    assert loss.device == device
    assert loss.item() == (4 + 1 + 0 + 1) / 4
    assert predictions.grad.tolist() == [-1, 0.5, 0, -0.5]


def test_loss_class_takes_settings_and_its_object_takes_tensors(device):
    """`nn.MSELoss(predictions, targets)` raises RuntimeError for more than one element: the class makes a loss
    function, which is called afterwards.

    With one element it only warns, and takes the tensors for settings. The functions of `torch.nn.functional` take
    tensors and settings in one call.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.MSELoss.html
    """
    predictions = torch.tensor([1.0, 2.0], device=device)
    targets = torch.tensor([3.0, 2.0], device=device)

    assert nn.MSELoss()(predictions, targets).item() == 2
    assert F.mse_loss(predictions, targets).item() == 2
    for loss_class in (nn.MSELoss, nn.L1Loss, nn.BCEWithLogitsLoss, nn.CrossEntropyLoss):
        with pytest.raises(RuntimeError, match="Boolean value of Tensor"):
            loss_class(predictions, targets)
    with pytest.warns(UserWarning, match="size_average and reduce"):
        no_number = nn.MSELoss(torch.ones(1, device=device), torch.zeros(1, device=device))
    assert no_number.reduction == "none"


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_loss_class_and_function_agree(device, reduction):
    """Every loss class gives the very numbers of its function in `torch.nn.functional`, for the same settings.

    https://docs.pytorch.org/docs/stable/nn.functional.html#loss-functions
    """
    scores = torch.tensor([[0.5, -1.0, 3.0], [-0.25, 2.0, 0.125]], device=device)
    truth = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]], device=device)
    classes = torch.tensor([2, 0], device=device)
    weight = torch.tensor([1.0, 2.0, 5.0], device=device)

    for loss_class, function, x, y, settings in [
        (nn.MSELoss, F.mse_loss, scores, truth, {}),
        (nn.L1Loss, F.l1_loss, scores, truth, {}),
        (nn.HuberLoss, F.huber_loss, scores, truth, {"delta": 0.5}),
        (nn.SmoothL1Loss, F.smooth_l1_loss, scores, truth, {"beta": 0.5}),
        (nn.BCELoss, F.binary_cross_entropy, scores.sigmoid(), truth, {"weight": weight}),
        (nn.BCEWithLogitsLoss, F.binary_cross_entropy_with_logits, scores, truth, {"pos_weight": weight}),
        (nn.CrossEntropyLoss, F.cross_entropy, scores, classes, {"weight": weight, "label_smoothing": 0.25}),
        (nn.CrossEntropyLoss, F.cross_entropy, scores, classes, {"ignore_index": 2}),
        (nn.NLLLoss, F.nll_loss, scores.log_softmax(dim=1), classes, {"weight": weight}),
    ]:
        from_class = loss_class(reduction=reduction, **settings)(x, y)
        from_function = function(x, y, reduction=reduction, **settings)
        assert from_class.tolist() == from_function.tolist()


@pytest.mark.parametrize(
    ("name", "losses"),
    [
        ("mse_loss", [[1, 4, 9], [0, 16, 0]]),
        ("l1_loss", [[1, 2, 3], [0, 4, 0]]),
        ("huber_loss", [[0.5, 1.5, 2.5], [0, 3.5, 0]]),
        ("smooth_l1_loss", [[0.5, 1.5, 2.5], [0, 3.5, 0]]),
        ("binary_cross_entropy", [[100, 0, 100], [0, 100, 100]]),
        ("cross_entropy", [20000, 10000]),
    ],
)
def test_reduction_is_mean_unless_asked(device, rounding_bound, name, losses):
    """The reduction is `"mean"` by default, and it divides by the number of losses: of elements, but of rows for
    cross entropy.

    `"sum"` adds them up and `"none"` keeps them apart.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.mse_loss.html
    """
    loss_function = getattr(F, name)
    x = torch.tensor([[1.0, 2.0, 3.0], [4.0, 0.0, 7.0]], device=device)
    y = torch.tensor([[2.0, 4.0, 0.0], [4.0, 4.0, 7.0]], device=device)
    if name == "binary_cross_entropy":
        x, y = torch.tensor([[[1.0, 0, 1], [0, 1, 0]], [[0, 0, 0], [0, 0, 1]]], device=device)
    if name == "cross_entropy":
        x, y = torch.tensor([[0.0, 0, 20000], [0, 10000, 0]], device=device), torch.tensor([1, 2], device=device)
    losses = torch.tensor(losses, dtype=torch.float32, device=device)
    bound = rounding_bound(losses.numel() + 1, torch.float32)

    assert loss_function(x, y, reduction="none").tolist() == losses.tolist()
    assert loss_function(x, y, reduction="sum").item() == losses.sum().item()
    torch.testing.assert_close(loss_function(x, y, reduction="mean"), losses.sum() / losses.numel(), rtol=bound, atol=0)
    assert loss_function(x, y).item() == loss_function(x, y, reduction="mean").item()


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits"])
def test_unknown_reduction_raises_when_called(device, name):
    """A misspelt reduction raises ValueError when the loss is called; the class takes any text without a word.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.L1Loss.html
    """
    x = torch.tensor([0.5, 0.25], device=device)
    assert nn.MSELoss(reduction="average").reduction == "average"

    with pytest.raises(ValueError, match="average is not a valid value for reduction"):
        getattr(F, name)(x, x, reduction="average")


def test_the_mean_of_nothing_is_nan(device):
    """The mean loss of an empty batch is nan, not 0, and one such batch turns a running total into nan.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
    """
    nothing = torch.zeros(0, device=device)
    no_rows, no_classes = torch.zeros(0, 3, device=device), torch.zeros(0, dtype=torch.int64, device=device)

    means = [
        F.mse_loss(nothing, nothing),
        F.binary_cross_entropy_with_logits(nothing, nothing),
        F.cross_entropy(no_rows, no_classes),
    ]

    assert [math.isnan(mean.item()) for mean in means] == [True, True, True]
    assert F.mse_loss(nothing, nothing, reduction="sum").item() == 0


def test_an_outlier_pulls_mse_by_its_size_and_l1_by_its_sign(device):
    """One bad target pulls on MSELoss in proportion to its error, on L1Loss with strength 1, and on HuberLoss with at
    most `delta`.

    SmoothL1Loss is HuberLoss divided by its threshold: the two are equal at the default of 1 and at no other.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.HuberLoss.html
    """
    errors = torch.tensor([-100.0, -3.0, -0.5, 0.0, 0.25, 2.0, 50.0], device=device)
    gradients = {}
    for loss_function in (
        nn.MSELoss(reduction="none"),
        nn.L1Loss(reduction="none"),
        nn.HuberLoss(reduction="none", delta=2),
        nn.SmoothL1Loss(reduction="none", beta=2),
    ):
        _, gradient = loss_and_gradient(loss_function, errors, torch.zeros_like(errors))
        gradients[type(loss_function).__name__] = gradient.tolist()

    assert gradients == {
        "MSELoss": [-200, -6, -1, 0, 0.5, 4, 100],
        "L1Loss": [-1, -1, -1, 0, 1, 1, 1],
        "HuberLoss": [-2, -2, -0.5, 0, 0.25, 2, 2],
        "SmoothL1Loss": [-1, -1, -0.25, 0, 0.125, 1, 1],
    }


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"])
def test_regression_losses_broadcast_a_column_against_a_row(device, rounding_bound, name):
    """Predictions of shape (N, 1) and targets of shape (N,) only warn: every prediction is compared with every target.

    Perfect predictions then cost something and good ones train towards the mean of the targets (L1Loss: the median).
    `squeeze(1)` the predictions.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.mse_loss.html
    """
    loss_function = getattr(F, name)
    targets = torch.tensor([1.0, 2.0, 4.0], device=device)
    predictions = targets.unsqueeze(1)

    with pytest.warns(UserWarning, match="that is different to the input size"):
        wrong = loss_function(predictions, targets)
    right = loss_function(predictions.squeeze(1), targets)

    expected = {"mse_loss": 28 / 9, "l1_loss": 12 / 9, "smooth_l1_loss": 9 / 9, "huber_loss": 9 / 9}[name]
    assert wrong.item() == pytest.approx(expected, rel=rounding_bound(10, torch.float32), abs=0)
    assert right.item() == 0

    lopsided = torch.tensor([1.0, 2.0, 6.0], device=device)
    centre = 3.0 if name == "mse_loss" else 2.0  # where nothing pulls: the mean, and the median
    everywhere = torch.full((3, 1), centre, device=device, requires_grad=True)
    with pytest.warns(UserWarning, match="that is different to the input size"):
        loss_function(everywhere, lopsided, reduction="sum").backward()
    assert everywhere.grad.tolist() == [[0], [0], [0]]


def test_binary_losses_refuse_a_column_against_a_row(device):
    """BCEWithLogitsLoss and BCELoss raise ValueError for (N, 1) against (N,): they never broadcast.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html
    """
    column = torch.tensor([[0.25], [0.75]], device=device)
    row = torch.tensor([0.0, 1.0], device=device)

    for loss_function in (nn.BCEWithLogitsLoss(), nn.BCELoss()):
        for x, y in ((column, row), (row, column)):
            with pytest.raises(ValueError, match=r"torch.Size\(\[2, 1\]\)"):
                loss_function(x, y)
        assert loss_function(column, row.unsqueeze(1)).item() == loss_function(column.squeeze(1), row).item()


def test_the_prediction_comes_first(device, rounding_bound):
    """A loss takes the prediction first and the target second; where both are floats of one shape, exchanging them may
    go unnoticed.

    MSELoss doesn't mind, because it is symmetrical. The binary cross entropy of the same two tensors is another number.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html
    """
    logits, targets = torch.tensor([20.0, -20.0], device=device), torch.tensor([0.0, 0.0], device=device)

    assert F.mse_loss(logits, targets).item() == F.mse_loss(targets, logits).item() == 400
    assert nn.BCEWithLogitsLoss(reduction="none")(logits, targets).tolist() == [20, 0]
    swapped = nn.BCEWithLogitsLoss(reduction="none")(targets, logits)
    assert swapped.tolist() == pytest.approx([math.log(2)] * 2, rel=rounding_bound(8, torch.float32), abs=0)


@pytest.mark.myth("it is called BCELossWithLogits")
def test_it_is_called_bce_with_logits_loss():
    """The class is `nn.BCEWithLogitsLoss`; there is no `nn.BCELossWithLogits`, and asking for it raises AttributeError.

    Its function is `F.binary_cross_entropy_with_logits`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html
    """
    with pytest.raises(AttributeError, match="BCELossWithLogits"):
        nn.BCELossWithLogits

    names = [name for name in dir(nn) if name.startswith("BCE")]
    assert names == ["BCELoss", "BCEWithLogitsLoss"]


def test_bce_with_logits_is_bce_of_sigmoid(device, rounding_bound):
    """`BCEWithLogitsLoss` of logits is `BCELoss` of their sigmoid, wherever the logits are small.

    The one takes what the last layer gives; the other takes probabilities.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html
    """
    logits = torch.tensor([-2.0, -0.5, 0.0, 1.5, 3.0], device=device)
    targets = torch.tensor([0.0, 1.0, 1.0, 0.0, 0.75], device=device)

    in_one_step = nn.BCEWithLogitsLoss(reduction="none")(logits, targets)
    in_two_steps = nn.BCELoss(reduction="none")(torch.sigmoid(logits), targets)

    expected = [math.log1p(math.exp(x)) - y * x for x, y in zip(logits.tolist(), targets.tolist(), strict=True)]
    bound = rounding_bound(8, torch.float32)
    # The terms add up to less than 6, and an error of sigmoid(3) grows 21 times in log(1 - sigmoid(3)).
    assert in_one_step.tolist() == pytest.approx(expected, rel=0, abs=bound * 6)
    assert in_two_steps.tolist() == pytest.approx(expected, rel=0, abs=bound * (6 + 21))


@given(pairs=st.lists(st.tuples(small_numbers, st.floats(0, 1, width=32)), min_size=1, max_size=5))
def test_bce_with_logits_is_exact_for_every_logit(device, rounding_bound, pairs):
    """For every logit x and target y the loss is log(1 + e^x) - x*y and its gradient sigmoid(x) - y, up to rounding.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html
    """
    x, y = torch.tensor(pairs).unbind(dim=1)
    loss, gradient = loss_and_gradient(nn.BCEWithLogitsLoss(reduction="none"), x.to(device), y.to(device))

    x, y = x.double(), y.double()  # the reference is computed on the CPU, in float64
    expected = torch.logaddexp(torch.zeros_like(x), x) - x * y
    bound = rounding_bound(8, torch.float32)
    assert loss.dtype == gradient.dtype == torch.float32
    # What is added up is x * y, max(x, 0), and the logarithm of a number from 1 to 2.
    assert ((loss.cpu() - expected).abs() <= bound * (2 * x.abs() + 1)).all()
    assert ((gradient.cpu() - (x.sigmoid() - y)).abs() <= bound * 2).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
def test_a_wrong_logit_costs_its_size_and_keeps_its_gradient(device, rounding_bound, dtype):
    """BCEWithLogitsLoss charges a confidently wrong logit its distance from 0, however large, and the gradient's size
    approaches 1 instead of 0.

    So a model that starts out badly wrong still learns.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html
    """
    if dtype == torch.bfloat16 and device.type == "mps":
        dtype = torch.float16  # the other half: MPS has bfloat16 from torch 2.3 and macOS 14 on
    logits = torch.tensor([1, 10, *WRONG], dtype=dtype, device=device)
    false, true = torch.zeros_like(logits), torch.ones_like(logits)

    loss, gradient = loss_and_gradient(with_logits, logits, false)
    mirrored_loss, mirrored_gradient = loss_and_gradient(with_logits, -logits, true)

    exact = logits.cpu().double()
    bound = rounding_bound(8, dtype)
    for losses, slopes in ((loss, gradient), (mirrored_loss, -mirrored_gradient)):
        torch.testing.assert_close(losses.cpu(), torch.logaddexp(exact, 0 * exact).to(dtype), rtol=bound, atol=0)
        torch.testing.assert_close(slopes.cpu(), exact.sigmoid().to(dtype), rtol=bound, atol=0)
        assert losses[2:].tolist() == logits[2:].tolist()
        assert slopes[2:].tolist() == [1, 1, 1, 1, 1, 1]


def test_bce_loss_of_a_wrong_sigmoid_stops_at_100_without_a_gradient(device, rounding_bound):
    """BCELoss charges 100 at most, and where a sigmoid is rounded to 0 or 1 the gradient of a wrong prediction is 0.

    In float32 the sigmoid is 1 from a logit of 17 on, so that the loss jumps from 16 to 100 there and the model stops
    learning from its worst mistakes.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BCELoss.html
    """
    logits = torch.tensor(WRONG, device=device)
    loss, gradient = loss_and_gradient(sigmoid_then_bce, logits, torch.zeros_like(logits))
    edge = torch.tensor([16.0, 17.0], device=device)
    edge_loss, edge_gradient = loss_and_gradient(sigmoid_then_bce, edge, torch.zeros_like(edge))
    mirrored_loss, mirrored_gradient = loss_and_gradient(sigmoid_then_bce, -logits, torch.ones_like(logits))

    assert loss.tolist() == [100, 100, 100, 100, 100, 100]
    assert gradient.tolist() == [0, 0, 0, 0, 0, 0]
    assert 15 < edge_loss[0] < 17  # one or two steps of 2**-24 below a sigmoid of 1
    assert edge_loss[1] == 100
    assert [round(number, 6) for number in edge_gradient.tolist()] == [1, 0]
    # A sigmoid close to 0 has more digits than one close to 1. The loss is right up to 87, but at -40 its gradient is
    # as good as 0: BCELoss divides by 1e-12 where it should divide by the sigmoid.
    close = {"rel": rounding_bound(16, torch.float32), "abs": 0}
    assert mirrored_loss.tolist() == pytest.approx([20, 40, 100, 100, 100, 100], **close)
    assert mirrored_gradient.tolist() == pytest.approx([-1, -math.exp(-40) / 1e-12, 0, 0, 0, 0], **close)


@pytest.mark.picture("curves", "logits", "target", "bce_with_logits", "bce_of_sigmoid")
@pytest.mark.parametrize(
    ("target", "no_gradient", "wrong_loss"),
    [(0.0, range(17, 51), range(17, 51)), (1.0, range(-50, -28), [])],
    ids=["no", "yes"],
)
def test_the_two_forms_part_where_the_sigmoid_ends(device, target, no_gradient, wrong_loss):
    """BCELoss of a sigmoid follows BCEWithLogitsLoss up to a logit of 16 where the target is 0 and down to -28 where it
    is 1; beyond, a wrong prediction has no gradient.

    In float32 a sigmoid is rounded to 1 from a logit of 17 on, but not to 0 before -104: there the loss stays right for
    long, and it is the gradient's own limit, a division by 1e-12, that ends it.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html
    """
    logits = torch.arange(-50.0, 51.0, device=device)
    targets = torch.full_like(logits, target)

    bce_with_logits = loss_and_gradient(with_logits, logits, targets)
    bce_of_sigmoid = loss_and_gradient(sigmoid_then_bce, logits, targets)

    losses, slopes = (abs(one - other) for one, other in zip(bce_with_logits, bce_of_sigmoid, strict=True))
    assert logits[slopes > 0.5].tolist() == list(no_gradient)
    assert logits[losses > 1].tolist() == list(wrong_loss)


def test_bce_loss_of_certainty(device, rounding_bound):
    """BCELoss takes log(0) as -100, so that certainty costs 100 where it is wrong and 0, not nan, where it is right.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BCELoss.html
    """
    probabilities = torch.tensor([1.0, 0.0, 0.0, 1.0], device=device)
    targets = torch.tensor([0.0, 1.0, 0.0, 1.0], device=device)
    loss, gradient = loss_and_gradient(nn.BCELoss(reduction="none"), probabilities, targets)

    assert loss.tolist() == [100, 100, 0, 0]
    assert gradient.tolist() == pytest.approx([1e12, -1e12, 0, 0], rel=rounding_bound(4, torch.float32), abs=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
def test_the_textbook_formula_is_inf_when_wrong_and_nan_when_right(device, dtype):
    """`-(y * log(p) + (1 - y) * log(1 - p))`, typed in as it stands, gives inf for a confident mistake and nan for
    certainty.

    Once the sigmoid is rounded to 0 or 1, every gradient is nan, and one nan is enough to turn all parameters into nan.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html
    """
    if dtype == torch.bfloat16 and device.type == "mps":
        dtype = torch.float16  # the other half: MPS has bfloat16 from torch 2.3 and macOS 14 on
    logits = torch.tensor(WRONG, dtype=dtype, device=device)
    false, true = torch.zeros_like(logits), torch.ones_like(logits)

    wrong_loss, wrong_gradient = loss_and_gradient(textbook, logits, false)
    right_loss, right_gradient = loss_and_gradient(textbook, logits, true)
    mirrored_loss, mirrored_gradient = loss_and_gradient(textbook, -logits[2:], true[2:])

    assert wrong_loss.tolist() == [math.inf] * 6
    assert right_loss.isnan().tolist() == [True] * 6
    assert mirrored_loss.tolist() == [math.inf] * 4
    for gradient in (wrong_gradient, right_gradient, mirrored_gradient):
        assert gradient.isnan().all()


@pytest.mark.holds("torch>=2.3", otherwise=AssertionError)
def test_a_confident_right_yes_costs_its_tiny_true_value(device, rounding_bound):
    """From torch 2.3 on a logit of 20 for a target of 1 costs 2.06e-9, as it should, while a logit of -20 for a target
    of 0 costs exactly 0.

    The loss is `(1 - y) * x - logsigmoid(x)`. For y = 0 two large numbers cancel there, and what is left of e^-20 is
    lost. Up to 2.2 both cost exactly 0, so a logged loss of 0 means less there.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html
    """
    logits, targets = torch.tensor([20.0, -20.0], device=device), torch.tensor([1.0, 0.0], device=device)

    yes, no = nn.BCEWithLogitsLoss(reduction="none")(logits, targets).tolist()

    assert yes == pytest.approx(math.log1p(math.exp(-20)), rel=rounding_bound(8, torch.float32), abs=0)
    assert no == 0


def test_a_second_sigmoid_goes_unnoticed(device, rounding_bound):
    """Giving probabilities to BCEWithLogitsLoss raises nothing: it squeezes them a second time, and no prediction is
    good enough.

    A target of 1 then costs at least 0.3133 and a target of 0 at least 0.6931, however sure the model is.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html
    """
    logits, targets = torch.tensor([50.0, -50.0], device=device), torch.tensor([1.0, 0.0], device=device)
    loss_function = nn.BCEWithLogitsLoss(reduction="none")

    right = loss_function(logits, targets)
    wrong = loss_function(torch.sigmoid(logits), targets)

    floor = [math.log1p(math.exp(-1)), math.log(2)]
    assert right.tolist() == pytest.approx([0, 0], rel=0, abs=2 * math.exp(-50))
    assert wrong.tolist() == pytest.approx(floor, rel=rounding_bound(8, torch.float32), abs=0)


@given(logits=st.lists(small_numbers, min_size=1, max_size=5))
def test_a_second_sigmoid_keeps_the_loss_above_its_floor_for_every_logit(device, rounding_bound, logits):
    """Whatever the logits, sigmoid before BCEWithLogitsLoss keeps the loss of a 1 above log(1 + 1/e) and that of a 0
    above log 2.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html
    """
    probabilities = torch.sigmoid(torch.tensor(logits, device=device))
    ones, zeros = torch.ones_like(probabilities), torch.zeros_like(probabilities)

    rounding = 1 - rounding_bound(8, torch.float32)
    assert (with_logits(probabilities, ones) >= math.log1p(math.exp(-1)) * rounding).all()
    assert (with_logits(probabilities, zeros) >= math.log(2) * rounding).all()
    assert (with_logits(probabilities, ones) <= math.log(2) / rounding).all()
    assert (with_logits(probabilities, zeros) <= math.log1p(math.e) / rounding).all()


@pytest.mark.parametrize("logit", [-0.5, 1.5, math.nan])
def test_bce_loss_refuses_what_is_no_probability(logit):
    """BCELoss raises RuntimeError on the CPU for a number outside [0, 1] or nan, and takes a logit that happens to lie
    inside for a probability.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BCELoss.html
    """
    # Only on the CPU: on CUDA this check is an assertion in the kernel, and no other work can be done in the process
    # afterwards.
    with pytest.raises(RuntimeError, match="all elements of input should be between 0 and 1"):
        nn.BCELoss()(torch.tensor([0.25, logit]), torch.tensor([0.0, 1.0]))

    assert nn.BCELoss()(torch.tensor([0.5]), torch.tensor([1.0])).item() == pytest.approx(math.log(2), rel=2**-22)


@pytest.mark.holds("torch>=2.1", otherwise=AssertionError)
@pytest.mark.parametrize("target", [-0.5, 2.0, math.nan])
def test_bce_loss_refuses_a_target_that_is_no_probability(target):
    """From torch 2.1 on BCELoss raises RuntimeError on the CPU for a target that is nan or outside [0, 1].

    torch 2.0 computes with it.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BCELoss.html
    """
    # Only on the CPU, like the note before.
    with pytest.raises(RuntimeError, match="all elements of target should be between 0 and 1"):
        nn.BCELoss()(torch.tensor([0.25, 0.5]), torch.tensor([1.0, target]))


@pytest.mark.only("cuda", "xpu", because="the refusal is CUDA's and XPU's: on MPS autocast lets BCELoss pass")
def test_autocast_on_cuda_refuses_bce_loss(accelerator):
    """Under autocast BCELoss raises RuntimeError on CUDA and XPU, because a probability in float16 has lost what the
    loss needs; BCEWithLogitsLoss computes, in float32.

    On MPS and on the CPU autocast lets BCELoss pass, and it is no better there.

    https://docs.pytorch.org/docs/stable/amp.html#prefer-binary-cross-entropy-with-logits-over-binary-cross-entropy
    """
    logits = torch.tensor([20.0, -20.0], dtype=torch.float16, device=accelerator)
    targets = torch.tensor([0.0, 1.0], device=accelerator)

    with torch.autocast(accelerator.type):
        with pytest.raises(RuntimeError, match="unsafe to autocast"):
            nn.BCELoss()(logits.sigmoid(), targets)
        loss = nn.BCEWithLogitsLoss()(logits, targets)

    assert loss.dtype == torch.float32
    assert loss.item() == 20


def test_bce_with_logits_checks_no_target(device):
    """BCEWithLogitsLoss takes any floating target, such as 2.0, and the loss can then fall below 0 without a limit.

    A loss below 0 is the sign of targets that are not between 0 and 1.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html
    """
    logits, targets = torch.tensor([32.0, 4096.0], device=device), torch.tensor([2.0, 2.0], device=device)

    assert nn.BCEWithLogitsLoss(reduction="none")(logits, targets).tolist() == [-32, -4096]


@pytest.mark.only("cpu", "cuda", "xpu", because="on MPS BCELoss checks no dtype: with such labels it ends the process")
def test_bce_losses_want_floating_targets(device):
    """Labels 0 and 1 as integers or booleans raise RuntimeError in both binary losses: convert them with `.float()`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html
    """
    x = torch.tensor([0.25, 0.75], device=device)
    labels = torch.tensor([0, 1], device=device)

    for dtype, name in ((torch.int64, "Long"), (torch.int32, "Int"), (torch.bool, "[bB]ool")):
        for loss_function in (nn.BCEWithLogitsLoss(), nn.BCELoss()):
            with pytest.raises(RuntimeError, match=name):
                loss_function(x, labels.to(dtype))
    assert nn.BCELoss()(x, labels.float()).item() == pytest.approx(-math.log(0.75), rel=2**-22)


def test_a_float64_target_makes_a_float64_loss():
    """float64 targets, as they come from NumPy, make the loss float64 without a word; BCELoss raises RuntimeError
    instead.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.MSELoss.html
    """
    # Only on the CPU: not every accelerator has float64.
    predictions = torch.tensor([0.25, 0.75])
    targets = torch.from_numpy(np.array([0.0, 1.0]))

    for loss_function in (nn.MSELoss(), nn.L1Loss(), nn.BCEWithLogitsLoss()):
        assert loss_function(predictions, targets).dtype == torch.float64
        assert loss_function(predictions, targets.float()).dtype == torch.float32
    with pytest.raises(RuntimeError, match="Found dtype Double but expected Float"):
        nn.BCELoss()(predictions, targets)


@pytest.mark.holds("torch>=2.12", otherwise=RuntimeError)
@pytest.mark.parametrize("dtype", [torch.float64, torch.int64], ids=str)
def test_mse_of_float32_and_float64_can_be_differentiated(dtype):
    """From torch 2.12 on MSELoss between float32 predictions and float64 or integer targets goes backward, with a
    float32 gradient.

    Older releases compute the loss and raise in `backward()`, as HuberLoss does to this day: convert the targets with
    `.float()`. L1Loss goes backward in all releases.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.MSELoss.html
    """
    # Only on the CPU: not every accelerator has float64.
    predictions = torch.tensor([0.25, 0.75], requires_grad=True)
    nn.MSELoss()(predictions, torch.tensor([0, 1], dtype=dtype)).backward()

    assert predictions.grad.tolist() == [0.25, -0.25]
    assert predictions.grad.dtype == torch.float32


def test_pos_weight_multiplies_the_positive_part(device, rounding_bound):
    """`pos_weight=3` makes a positive target count three times in the sum; the mean still divides by the number of
    elements.

    For a rare class, the number of negatives divided by that of positives balances the two. With one number for each
    column it is for multi-label targets.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html
    """
    logits = torch.tensor([[0.5, -1.0], [2.0, 0.25]], device=device)
    targets = torch.tensor([[1.0, 1.0], [0.0, 1.0]], device=device)

    plain = nn.BCEWithLogitsLoss(reduction="none")(logits, targets)
    weighted = nn.BCEWithLogitsLoss(reduction="none", pos_weight=torch.tensor([3.0, 0.5], device=device))(
        logits, targets
    )

    times = torch.tensor([[3.0, 0.5], [1.0, 0.5]], device=device)
    bound = rounding_bound(16, torch.float32)
    torch.testing.assert_close(weighted, plain * times, rtol=bound, atol=bound * 6)
    repeated = nn.BCEWithLogitsLoss(reduction="sum")(logits[[0, 0, 0, 1], 0], targets[[0, 0, 0, 1], 0])
    torch.testing.assert_close(weighted[:, 0].sum(), repeated, rtol=bound, atol=bound * 6)
    mean = nn.BCEWithLogitsLoss(pos_weight=torch.tensor([3.0, 0.5], device=device))(logits, targets)
    torch.testing.assert_close(mean, weighted.sum() / 4, rtol=bound, atol=0)


def test_weighted_means_divide_by_different_things(device, rounding_bound):
    """With weights the mean of CrossEntropyLoss divides by the sum of the weights, that of BCEWithLogitsLoss by the
    number of elements.

    Doubling all weights leaves the one as it was and doubles the other.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
    """
    logits = torch.tensor([[0.0, 16.0], [64.0, 0.0]], device=device)
    classes = torch.tensor([0, 1], device=device)  # both wrong: the losses are 16 and 64
    weight = torch.tensor([1.0, 3.0], device=device)

    cross_entropies = [F.cross_entropy(logits, classes, weight=scale * weight).item() for scale in (1, 2)]
    binary = [
        F.binary_cross_entropy_with_logits(
            logits[[0, 1], [1, 0]], torch.zeros(2, device=device), weight=scale * weight
        ).item()
        for scale in (1, 2)
    ]
    negative_log_likelihood = F.nll_loss(logits.log_softmax(dim=1), classes, weight=weight).item()

    # log(1 + e^-16) is 1.1e-7
    near = {"rel": rounding_bound(8, torch.float32), "abs": math.exp(-16)}
    assert negative_log_likelihood == cross_entropies[0]
    assert cross_entropies == pytest.approx([(16 + 3 * 64) / 4] * 2, **near)
    assert binary == pytest.approx([(16 + 3 * 64) / 2, 16 + 3 * 64], **near)


@pytest.mark.holds("torch>=2.6", otherwise=TypeError)
def test_regression_losses_take_a_weight_for_each_element(device):
    """From torch 2.6 on `F.mse_loss`, `F.l1_loss` and `F.huber_loss` take a `weight` of the same shape; the mean of the
    first two divides by the sum of the weights, that of the third by the number of elements.

    The classes, such as `nn.MSELoss`, take no weight. In any release one may write out what is meant:
    `(weight * F.mse_loss(x, y, reduction="none")).sum() / weight.sum()`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.mse_loss.html
    """
    x, y = torch.tensor([1.0, 2.0, 5.0], device=device), torch.tensor([0.0, 4.0, 1.0], device=device)
    weight = torch.tensor([1.0, 2.0, 5.0], device=device)

    for loss_function, losses, divisor in (
        (F.mse_loss, [1, 8, 80], 1 + 2 + 5),
        (F.l1_loss, [1, 4, 20], 1 + 2 + 5),
        (F.huber_loss, [0.5, 3, 17.5], 3),
    ):
        assert loss_function(x, y, weight=weight, reduction="none").tolist() == losses
        assert loss_function(x, y, weight=weight, reduction="sum").item() == sum(losses)
        assert loss_function(x, y, weight=weight).item() == sum(losses) / divisor
        with pytest.raises(ValueError, match="same size"):
            loss_function(x, y, weight=torch.tensor(2.0, device=device))


def test_cross_entropy_is_nll_of_log_softmax(device, rounding_bound):
    """CrossEntropyLoss takes logits and is `NLLLoss` of their `log_softmax`: minus the logarithm of the right class's
    probability.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
    """
    logits = torch.tensor([[1.0, 2.0, 4.0], [0.5, -1.0, 0.0]], device=device)
    targets = torch.tensor([1, 0], device=device)

    in_one_step = nn.CrossEntropyLoss(reduction="none")(logits, targets)
    in_two_steps = nn.NLLLoss(reduction="none")(nn.LogSoftmax(dim=1)(logits), targets)

    expected = [
        math.log(sum(math.exp(x) for x in row)) - row[target]
        for row, target in zip(logits.tolist(), targets.tolist(), strict=True)
    ]
    bound = rounding_bound(8, torch.float32) * (4 + 4)  # the logarithm and the logit are at most 4.2 and 4
    assert in_one_step.tolist() == pytest.approx(expected, rel=0, abs=bound)
    assert in_two_steps.tolist() == pytest.approx(expected, rel=0, abs=bound)


@given(logits=st.lists(small_numbers, min_size=1, max_size=5), target=st.integers(0, 4), shift=st.integers(-1000, 1000))
def test_cross_entropy_is_exact_for_every_logit(device, rounding_bound, logits, target, shift):
    """For all logits and classes the loss is log(sum of e^x) - x[class] up to rounding, its gradient softmax minus
    one-hot.

    Adding a constant to all logits of a row changes nothing.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
    """
    target %= len(logits)
    x, y = torch.tensor([logits]), torch.tensor([target])
    loss, gradient = loss_and_gradient(nn.CrossEntropyLoss(), x.to(device), y.to(device))
    shifted = nn.CrossEntropyLoss()((x + shift).to(device), y.to(device))

    exact = x.double()  # the reference is computed on the CPU, in float64
    expected = exact.logsumexp(dim=1) - exact[0, target]
    bound = rounding_bound(len(logits) + 8, torch.float32)
    size = 2 * exact.abs().max() + 2  # of the terms; the logarithm of a sum of 1 to 5 is below 2
    assert loss.dtype == gradient.dtype == torch.float32
    assert (loss.cpu() - expected).abs() <= bound * size
    assert (shifted.cpu() - expected).abs() <= bound * (size + 2 * abs(shift))
    # An error in a logit, relative to the largest, is an error in the exponent.
    one_hot = F.one_hot(y, len(logits))
    assert ((gradient.cpu() - (exact.softmax(dim=1) - one_hot)).abs() <= bound * size).all()


def test_cross_entropy_of_huge_logits_is_exact_where_log_of_softmax_is_inf(device):
    """CrossEntropyLoss of logits that differ by 20000 is 20000; softmax followed by log is inf.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.log_softmax.html
    """
    logits, targets = torch.tensor([[1e4, -1e4, 0.0]], device=device), torch.tensor([1], device=device)

    loss, gradient = loss_and_gradient(nn.CrossEntropyLoss(), logits, targets)

    assert loss.item() == 20000
    assert gradient.tolist() == [[1, -1, 0]]
    assert -logits.softmax(dim=1).log()[0, 1].item() == math.inf


@pytest.mark.myth("a classifier ends with Softmax, and then comes CrossEntropyLoss")
@pytest.mark.parametrize("classes", [2, 3, 10])
def test_a_softmax_before_cross_entropy_goes_unnoticed(device, rounding_bound, classes):
    """CrossEntropyLoss after a softmax raises nothing, but a perfect prediction still costs log(1 + (C - 1) / e) for
    C classes.

    The model should end with a Linear layer. Softmax is for showing probabilities to people.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
    """
    logits = torch.zeros(1, classes, device=device)
    logits[0, 1] = 1000  # as sure of class 1 as can be
    targets = torch.tensor([1], device=device)

    assert F.cross_entropy(logits, targets).item() == 0
    floor = math.log1p((classes - 1) / math.e)
    bound = rounding_bound(classes + 8, torch.float32) * 4  # the logarithm is below 3 and the probability is 1
    assert F.cross_entropy(logits.softmax(dim=1), targets).item() == pytest.approx(floor, rel=0, abs=bound)


def test_nll_loss_takes_logarithms_of_probabilities(device):
    """NLLLoss computes no logarithm: it picks the number of the right class and turns its sign, so probabilities give
    a negative loss.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.NLLLoss.html
    """
    probabilities = torch.tensor([[0.25, 0.75, 0.0], [0.5, 0.125, 0.375]], device=device)
    targets = torch.tensor([1, 0], device=device)

    assert nn.NLLLoss(reduction="none")(probabilities, targets).tolist() == [-0.75, -0.5]
    assert nn.NLLLoss()(probabilities, targets).item() == -0.625


def test_cross_entropy_of_equal_logits_is_log_of_the_number_of_classes(device, rounding_bound):
    """A model that knows nothing has a cross entropy of log(C) for C classes: 0.69 for two, 2.30 for ten.

    A first loss far above that says that the initial logits are too large, and a loss that stays there that nothing
    is learned.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
    """
    bound = rounding_bound(20, torch.float32)

    for classes in (2, 3, 10):
        logits = torch.full((4, classes), 0.5, device=device)
        targets = torch.tensor([0, 1, 1, 0], device=device)
        assert F.cross_entropy(logits, targets).item() == pytest.approx(math.log(classes), rel=bound, abs=bound)
    binary = F.binary_cross_entropy_with_logits(
        torch.zeros(3, device=device), torch.tensor([0.0, 1, 0.25], device=device)
    )
    assert binary.item() == pytest.approx(math.log(2), rel=bound, abs=0)


@given(logits=st.tuples(small_numbers, small_numbers), target=st.integers(0, 1))
def test_two_classes_are_one_logit_for_every_pair(device, rounding_bound, logits, target):
    """CrossEntropyLoss of two logits is BCEWithLogitsLoss of the second minus the first, so one output is enough for
    two classes.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html
    """
    no, yes = torch.tensor(logits, device=device)

    two_outputs = nn.CrossEntropyLoss()(torch.stack([no, yes]).unsqueeze(0), torch.tensor([target], device=device))
    one_output = nn.BCEWithLogitsLoss()(yes - no, torch.tensor(float(target), device=device))

    size = 2 * (abs(logits[0]) + abs(logits[1])) + 2
    assert abs(two_outputs.item() - one_output.item()) <= 2 * rounding_bound(10, torch.float32) * size


def test_cross_entropy_takes_class_numbers_or_probabilities(device, rounding_bound):
    """A target is a class number (int64, one dimension less than the logits) or a row of probabilities (floating, the
    same shape).

    One-hot rows give the loss of the class numbers. On the CPU uint8 numbers pass too, for logits of (N, C).

    https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
    """
    logits = torch.tensor([[1.0, 2.0, 4.0], [0.5, -1.0, 0.0]], device=device)
    classes = torch.tensor([1, 0], device=device)
    one_hot = F.one_hot(classes, num_classes=3).float()
    unsure = torch.tensor([[0.25, 0.5, 0.25], [0.0, 0.0, 1.0]], device=device)

    by_number, by_row, soft = (
        F.cross_entropy(logits, target, reduction="none") for target in (classes, one_hot, unsure)
    )

    near = {"rtol": 0, "atol": rounding_bound(12, torch.float32) * 8}
    torch.testing.assert_close(by_number, by_row, **near)
    torch.testing.assert_close(soft, -(unsure * logits.log_softmax(dim=1)).sum(dim=1), **near)
    assert tuple(soft.shape) == (2,)
    by_byte = F.cross_entropy(logits.cpu(), classes.cpu().to(torch.uint8), reduction="none")
    torch.testing.assert_close(by_byte, by_number.cpu(), **near)


@pytest.mark.only("cpu", "cuda", "xpu", because="on MPS CrossEntropyLoss computes with class numbers of other dtypes")
def test_cross_entropy_is_particular_about_the_dtype_of_its_target(device):
    """Class numbers as int32 or floats raise RuntimeError, and so do one-hot rows of integers: what `F.one_hot` gives
    needs `.float()`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
    """
    logits = torch.tensor([[1.0, 2.0, 4.0], [0.5, -1.0, 0.0]], device=device)
    classes = torch.tensor([1, 0], device=device)

    for dtype, name in ((torch.int32, "Int"), (torch.float32, "Float")):
        with pytest.raises(RuntimeError, match=name):
            F.cross_entropy(logits, classes.to(dtype))
    with pytest.raises(RuntimeError, match="Expected floating point type for target with class probabilities"):
        F.cross_entropy(logits, F.one_hot(classes, num_classes=3))


def test_cross_entropy_wants_flat_class_numbers(device):
    """Class numbers of shape (N, 1) raise RuntimeError: CrossEntropyLoss wants (N,), where BCEWithLogitsLoss wants
    (N, 1) for (N, 1).

    https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
    """
    logits = torch.tensor([[1.0, 2.0, 4.0], [0.5, -1.0, 0.0]], device=device)
    column = torch.tensor([[1], [0]], device=device)

    with pytest.raises(RuntimeError, match="0D or 1D target tensor expected"):
        F.cross_entropy(logits, column)
    with pytest.raises(ValueError, match="batch_size"):
        F.cross_entropy(logits, torch.tensor([1, 0, 1], device=device))


def test_classes_are_the_second_dimension(device, rounding_bound):
    """For logits with more dimensions the classes are dimension 1: (N, T, C) of a sequence model has to be transposed
    to (N, C, T).

    Without that it raises RuntimeError, unless T happens to be C: then the loss is wrong and nothing is said.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
    """
    logits = torch.arange(24.0, device=device).reshape(2, 4, 3).sin()  # 2 sequences of 4 steps, 3 classes
    targets = torch.tensor([[0, 1, 2, 2], [1, 0, 0, 2]], device=device)

    with pytest.raises(RuntimeError, match=r"Expected target size \[2, 3\], got \[2, 4\]"):
        F.cross_entropy(logits, targets)
    losses = F.cross_entropy(logits.transpose(1, 2), targets, reduction="none")

    step_by_step = F.cross_entropy(logits.reshape(8, 3), targets.reshape(8), reduction="none").reshape(2, 4)
    torch.testing.assert_close(losses, step_by_step, rtol=0, atol=rounding_bound(11, torch.float32) * 4)
    silent = F.cross_entropy(logits[:, :3], targets[:, :3]).item()
    assert abs(silent - losses[:, :3].mean().item()) > 0.01


def test_ignore_index_leaves_rows_out_of_the_mean(device, rounding_bound):
    """Rows whose target is `ignore_index`, by default -100, add nothing to the sum, are not counted in the mean and
    get no gradient.

    It is there for padding. A batch that is all padding has the mean of nothing: nan.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
    """
    logits = torch.tensor([[0.0, 16.0], [5.0, 1.0], [64.0, 0.0]], device=device, requires_grad=True)

    loss = nn.CrossEntropyLoss()(logits, torch.tensor([0, -100, 1], device=device))
    loss.backward()
    chosen = nn.CrossEntropyLoss(ignore_index=1)(logits, torch.tensor([0, 0, 1], device=device))
    none_left = nn.CrossEntropyLoss()(logits, torch.tensor([-100, -100, -100], device=device))

    near = {
        "rel": rounding_bound(8, torch.float32),
        "abs": 2 * math.exp(-4),
    }  # log(1 + e^-4), at most, besides the large logit
    assert loss.item() == pytest.approx((16 + 64) / 2, rel=rounding_bound(8, torch.float32), abs=math.exp(-16))
    assert chosen.item() == pytest.approx((16 + math.log1p(math.exp(-4))) / 2, rel=near["rel"], abs=math.exp(-16))
    assert logits.grad[1].tolist() == [0, 0]
    assert logits.grad[2].tolist() == [0.5, -0.5]
    assert math.isnan(none_left.item())


def test_label_smoothing_mixes_the_target_with_equal_shares(device, rounding_bound):
    """`label_smoothing=0.25` is the loss of a target that is 3/4 one-hot and 1/4 spread evenly over all classes.

    The loss of a perfect prediction is then no longer 0: it grows without limit with the logits.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
    """
    logits = torch.tensor([[1.0, 2.0, 4.0, 0.0], [0.5, -1.0, 0.0, 3.0]], device=device)
    classes = torch.tensor([2, 0], device=device)

    smoothed = nn.CrossEntropyLoss(label_smoothing=0.25, reduction="none")(logits, classes)

    mixture = 0.75 * F.one_hot(classes, num_classes=4) + 0.25 / 4
    expected = F.cross_entropy(logits, mixture, reduction="none")
    torch.testing.assert_close(smoothed, expected, rtol=0, atol=rounding_bound(16, torch.float32) * 16)
    sure = torch.tensor([[0.0, 0.0, 256.0, 0.0]], device=device)
    assert nn.CrossEntropyLoss(label_smoothing=0.25)(sure, classes[:1]).item() == 3 / 16 * 256


@pytest.mark.parametrize("target", [3, -1])
def test_a_class_number_out_of_range_raises(target):
    """A class number that is not in 0 to C-1 raises IndexError on the CPU; for classes numbered from 1 the last one
    does.

    On CUDA it is an assertion in the kernel, reported later and somewhere else: run such a failure on the CPU to
    understand it.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
    """
    with pytest.raises(IndexError, match=f"Target {target} is out of bounds"):
        nn.CrossEntropyLoss()(torch.zeros(2, 3), torch.tensor([0, target]))


def test_kl_div_loss_takes_logarithms_and_its_mean_is_not_the_divergence(device, rounding_bound):
    """KLDivLoss takes log-probabilities first, and only `reduction="batchmean"` is the divergence: "mean" divides by
    the classes too.

    It warns about that.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.KLDivLoss.html
    """
    predicted = torch.tensor([[0.25, 0.75], [0.5, 0.5]], device=device)
    true = torch.tensor([[0.5, 0.5], [0.5, 0.5]], device=device)

    divergence = nn.KLDivLoss(reduction="batchmean")(predicted.log(), true)
    with pytest.warns(UserWarning, match="batchmean"):
        mean = nn.KLDivLoss()(predicted.log(), true)

    expected = (0.5 * math.log(0.5 / 0.25) + 0.5 * math.log(0.5 / 0.75)) / 2
    bound = rounding_bound(8, torch.float32)  # times the sum of the terms, which is below 2
    assert divergence.item() == pytest.approx(expected, rel=0, abs=bound * 2)
    assert mean.item() == pytest.approx(expected / 2, rel=0, abs=bound * 2)


def test_half_a_probability_is_a_logit_of_zero(device):
    """A probability above 0.5 is a logit above 0: for the predicted class no sigmoid is needed, and comparing logits
    with 0.5 is wrong.

    https://docs.pytorch.org/docs/stable/generated/torch.sigmoid.html
    """
    logits = torch.tensor([-3.0, -0.25, 0.25, 0.375, 2.0], device=device)

    assert (torch.sigmoid(logits) > 0.5).tolist() == [False, False, True, True, True]
    assert (logits > 0).tolist() == [False, False, True, True, True]
    assert (logits > 0.5).tolist() == [False, False, False, False, True]
    assert torch.sigmoid(torch.tensor(0.0, device=device)).item() == 0.5


@given(
    logits=st.lists(
        st.one_of(small_numbers, st.floats(-(2**-10), 2**-10, width=32)).filter(lambda x: abs(x) >= 2**-20),
        min_size=1,
        max_size=5,
    )
)
def test_half_a_probability_is_a_logit_of_zero_for_every_logit(device, logits):
    """For every logit that is not within a millionth of 0, the sigmoid is above 0.5 exactly where the logit is above 0.

    https://docs.pytorch.org/docs/stable/generated/torch.sigmoid.html
    """
    # Near 0 the sigmoid is 0.5 + x/4, and 2**-20 / 4 is four roundings of a number near 0.5.
    x = torch.tensor(logits, device=device)

    assert torch.equal(torch.sigmoid(x) > 0.5, x > 0)
    assert torch.equal(torch.sigmoid(x) < 0.5, x < 0)


@pytest.mark.myth("torch.round of the probability is the predicted class, with 0.5 counting as 1")
def test_round_of_half_is_zero(device):
    """`torch.round` of a tensor of 0.5 is 0, because it rounds halves to even: in float32 a logit of 0, and of 1e-9
    too, is rounded to class 0.

    https://docs.pytorch.org/docs/stable/generated/torch.round.html
    """
    assert torch.round(torch.tensor([0.5, 1.5, 2.5, -0.5], device=device)).tolist() == [0, 2, 2, 0]

    logits = torch.tensor([-1e-9, 0.0, 1e-9, 1e-3], device=device)
    assert torch.round(torch.sigmoid(logits)).tolist() == [0, 0, 0, 1]
    assert (logits > 0).tolist() == [False, False, True, True]


# Losses in half precision: accelerators had them first, the CPU one after the other.


def test_accelerators_compute_losses_in_float16(accelerator):
    """Accelerators compute MSELoss, BCEWithLogitsLoss and CrossEntropyLoss and their gradients in float16, in all
    releases; a loss beyond 65504 is inf there.

    A training loop had better compute its losses in float32 all the same, as autocast does: squares overflow early.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.MSELoss.html
    """
    predictions = torch.tensor([1, 5, 2, 0], dtype=torch.float16, device=accelerator)
    targets = torch.tensor([3, 4, 2, 1], dtype=torch.float16, device=accelerator)
    logits = torch.tensor([20, 100, 1e4], dtype=torch.float16, device=accelerator)
    rows = torch.tensor([[0, 1000, 0]], dtype=torch.float16, device=accelerator)

    mean, slopes = loss_and_gradient(nn.MSELoss(), predictions, targets)
    losses, gradient = loss_and_gradient(with_logits, logits, torch.zeros_like(logits))
    loss, difference = loss_and_gradient(nn.CrossEntropyLoss(), rows, torch.tensor([2], device=accelerator))

    assert mean.dtype == slopes.dtype == losses.dtype == gradient.dtype == loss.dtype == torch.float16
    assert (mean.item(), slopes.tolist()) == (1.5, [-1, 0.5, 0, -0.5])
    assert (losses.tolist(), gradient.tolist()) == ([20, 100, 1e4], [1, 1, 1])
    assert (loss.item(), difference.tolist()) == (1000, [[0, 1, -1]])
    assert nn.MSELoss(reduction="none")(rows, 0 * rows).tolist() == [[0, math.inf, 0]]


@pytest.mark.holds("torch>=2.1", otherwise=RuntimeError)
def test_bce_with_logits_stays_exact_in_float16_on_the_cpu(rounding_bound):
    """From torch 2.1 on BCEWithLogitsLoss takes float16 on the CPU, and confident mistakes keep their value and their
    gradient there too; torch 2.0 raises RuntimeError.

    Compute with `.float()` where 2.0 has to run it, too.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html
    """
    logits = torch.tensor([1, 10, *WRONG], dtype=torch.float16)
    loss, gradient = loss_and_gradient(with_logits, logits, torch.zeros_like(logits))
    mirrored_loss, mirrored_gradient = loss_and_gradient(with_logits, -logits, torch.ones_like(logits))

    exact = logits.double()
    bound = rounding_bound(8, torch.float16)
    for losses, slopes in ((loss, gradient), (mirrored_loss, -mirrored_gradient)):
        torch.testing.assert_close(losses, torch.logaddexp(exact, 0 * exact).half(), rtol=bound, atol=0)
        torch.testing.assert_close(slopes, exact.sigmoid().half(), rtol=bound, atol=0)
        assert losses[2:].tolist() == logits[2:].tolist()
        assert slopes[2:].tolist() == [1, 1, 1, 1, 1, 1]


@pytest.mark.holds("torch>=2.2", otherwise=RuntimeError)
def test_softmax_takes_float16_on_the_cpu(rounding_bound):
    """From torch 2.2 on the CPU computes softmax and log_softmax in float16, and with them the cross entropy of rows of
    probabilities.

    Up to 2.1 they raise there, as CrossEntropyLoss of class numbers does up to 2.3: compute with `.float()` where all
    releases have to agree. bfloat16 was never refused.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.log_softmax.html
    """
    logits = torch.tensor([[1, 2, 4]], dtype=torch.float16)

    probabilities, logarithms = F.softmax(logits, dim=1), F.log_softmax(logits, dim=1)
    loss = F.cross_entropy(logits, torch.tensor([[0.25, 0.75, 0]], dtype=torch.float16))

    bound = rounding_bound(8, torch.float16) * (4 + 4)  # the logarithm and the logit are at most 4.2 and 4
    assert probabilities.dtype == logarithms.dtype == loss.dtype == torch.float16
    torch.testing.assert_close(probabilities, logits.double().softmax(dim=1).half(), rtol=0, atol=bound / 8)
    torch.testing.assert_close(logarithms, logits.double().log_softmax(dim=1).half(), rtol=0, atol=bound)
    expected = math.log(math.exp(1) + math.exp(2) + math.exp(4)) - (0.25 * 1 + 0.75 * 2)
    assert loss.item() == pytest.approx(expected, rel=0, abs=bound)


@pytest.mark.holds("torch>=2.4", otherwise=RuntimeError)
def test_cross_entropy_takes_float16_on_the_cpu(rounding_bound):
    """From torch 2.4 on CrossEntropyLoss takes float16 logits on the CPU and gives a float16 loss; before, it raises
    RuntimeError.

    Where older releases have to run it, too, give it `logits.float()`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
    """
    loss = nn.CrossEntropyLoss()(torch.tensor([[1, 2, 4]], dtype=torch.float16), torch.tensor([1]))

    expected = math.log(math.exp(1) + math.exp(2) + math.exp(4)) - 2
    assert loss.dtype == torch.float16
    assert loss.item() == pytest.approx(expected, rel=0, abs=rounding_bound(4, torch.float16) * (4 + 2))


@pytest.mark.holds("torch>=2.4", otherwise=RuntimeError)
@pytest.mark.parametrize(
    ("dtype", "first", "gradient_there"),
    [(torch.float16, 9, "nan"), (torch.bfloat16, 7, "0.0")],
    ids=["float16", "bfloat16"],
)
def test_bce_loss_in_half_precision_on_the_cpu_has_no_gradient(rounding_bound, dtype, first, gradient_there):
    """From torch 2.4 on BCELoss takes half precision on the CPU, and charges 100 for a logit of 10 and a target of 0,
    with a gradient of 0 in bfloat16 and nan in float16; before, it raises RuntimeError.

    The sigmoid is rounded to 1 (in bfloat16 already at 7). A logit of -10 for a target of 1 still costs 10. float16 has
    no number as small as 1e-12, which BCELoss divides by instead of 0.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BCELoss.html
    """
    logits = torch.tensor([first, 10, 20, 1e4], dtype=dtype)
    loss, gradient = loss_and_gradient(sigmoid_then_bce, logits, torch.zeros_like(logits))
    mirrored = sigmoid_then_bce(torch.tensor(-10, dtype=dtype), torch.tensor(1, dtype=dtype))

    assert loss.dtype == gradient.dtype == dtype
    assert loss.tolist() == [100, 100, 100, 100]
    assert [str(slope) for slope in gradient.tolist()] == [gradient_there] * 4
    assert mirrored.item() == pytest.approx(math.log1p(math.exp(10)), rel=rounding_bound(2, dtype), abs=0)


@pytest.mark.holds("torch>=2.6", otherwise=(RuntimeError, UserWarning))
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_mse_trains_in_half_precision_on_the_cpu(dtype):
    """From torch 2.6 on MSELoss has a value and a gradient in half precision on the CPU.

    Up to 2.5 it raises in bfloat16, and in float16 it warns and then raises in `backward()`: compare `.float()` of
    both there. L1Loss and HuberLoss took half precision in all releases.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.MSELoss.html
    """
    predictions, targets = torch.tensor([1, 5, 2, 0], dtype=dtype), torch.tensor([3, 4, 2, 1], dtype=dtype)

    loss, gradient = loss_and_gradient(nn.MSELoss(), predictions, targets)

    assert loss.dtype == gradient.dtype == dtype
    assert loss.item() == (4 + 1 + 0 + 1) / 4
    assert gradient.tolist() == [-1, 0.5, 0, -0.5]


# A new loss.


@pytest.mark.holds("torch>=2.13", otherwise=AttributeError)
def test_linear_cross_entropy_is_a_linear_layer_and_cross_entropy(device, rounding_bound):
    """From torch 2.13 on `F.linear_cross_entropy(x, weight, target)` is a Linear layer and its cross entropy in one:
    the loss and the gradients are those of the two steps.

    For a large vocabulary that leaves room not to hold all logits at once. In the class, `nn.LinearCrossEntropyLoss`,
    the layer has no bias unless asked; in older releases write `F.cross_entropy(F.linear(x, weight), target)`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.linear_cross_entropy.html
    """
    x = torch.tensor([[1.0, -2.0], [0.5, 3.0], [2.0, 1.0]], device=device, requires_grad=True)
    weight = torch.tensor([[1.0, 0.0], [-1.0, 2.0], [0.5, 0.25], [0.0, 1.0]], device=device, requires_grad=True)
    target = torch.tensor([2, 0, 3], device=device)

    one_step = F.linear_cross_entropy(x, weight, target)
    two_steps = F.cross_entropy(F.linear(x, weight), target)

    near = {"rtol": 0, "atol": rounding_bound(16, torch.float32) * 16}  # logits and losses are at most 5.5
    torch.testing.assert_close(one_step, two_steps, **near)
    gradients = torch.autograd.grad(one_step, [x, weight])
    torch.testing.assert_close(gradients, torch.autograd.grad(two_steps, [x, weight]), **near)
    layer = nn.LinearCrossEntropyLoss(2, 4, device=device)
    assert {name: tuple(tensor.shape) for name, tensor in layer.state_dict().items()} == {"linear.weight": (4, 2)}
    torch.testing.assert_close(layer(x, target), F.cross_entropy(layer.linear(x), target), **near)
