"""Loss functions.

After this section you can choose the loss for a problem, give it predictions and targets in the shape and dtype it
wants, and say whether your model must end in logits, probabilities or their logarithms. You will know what a mean
divides by, which loss a model has that has learned nothing, and which mistakes raise no error and only make training
worse. The notes on half precision, on rarer losses and on rounding come last.
"""

import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from torch import nn
from torch.nn import functional as F

# A loss and its gradient: how is a loss called?


def test_a_loss_is_one_number_with_a_gradient(device):
    """`nn.MSELoss()` of n predictions and n targets of one shape returns one number, a 0-d tensor, and
    `loss.backward()` gives each prediction the gradient `2 * (prediction - target) / n`.

    The sign of the gradient says in which direction a prediction is wrong. With `reduction="none"` `MSELoss` returns
    one loss for each element, and a bare `backward()` on more than one number raises RuntimeError: take the mean first.

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
    each = nn.MSELoss(reduction="none")(predictions, targets)
    assert each.tolist() == [4, 1, 0, 1]
    with pytest.raises(RuntimeError, match="grad can be implicitly created only for scalar outputs"):
        each.backward()
    one = torch.tensor([1.0], device=device, requires_grad=True)
    nn.MSELoss(reduction="none")(one, targets[:1]).backward()
    assert one.grad.tolist() == [-4]


def test_loss_class_takes_settings_and_its_object_takes_tensors(device):
    """`nn.MSELoss(predictions, targets)` raises RuntimeError "Boolean value of Tensor with more than one value is
    ambiguous" if the tensors have more than one element.

    A loss class takes settings, and the object it makes takes tensors: `nn.MSELoss()(predictions, targets)`. A function
    takes both in one call: `F.mse_loss(predictions, targets)`. With one element each, `nn.MSELoss` only warns and takes
    the tensors for settings; `nn.PoissonNLLLoss` takes tensors of any size for settings silently.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.MSELoss.html
    """
    predictions = torch.tensor([1.0, 2.0], device=device)
    targets = torch.tensor([3.0, 2.0], device=device)

    assert nn.MSELoss()(predictions, targets).item() == 2
    assert F.mse_loss(predictions, targets).item() == 2
    for loss_class in (nn.MSELoss, nn.L1Loss, nn.BCEWithLogitsLoss, nn.CrossEntropyLoss):
        with pytest.raises(RuntimeError, match="Boolean value of Tensor with more than one value is ambiguous"):
            loss_class(predictions, targets)
    with pytest.warns(UserWarning, match="size_average and reduce"):
        no_number = nn.MSELoss(torch.ones(1, device=device), torch.zeros(1, device=device))
    assert no_number.reduction == "none"
    assert isinstance(nn.PoissonNLLLoss(predictions, targets), nn.Module)


def test_losses_take_tensors_only(device):
    """`F.cross_entropy(logits, [2, 0])` raises TypeError, "argument 'target' (position 2) must be Tensor, not list",
    and for a model that returns a tuple "argument 'input' (position 1) must be Tensor, not tuple".

    Write `torch.tensor([2, 0])`, and `model(x)[0]` for the first of the tuple. `F.mse_loss(x, 1.0)` raises
    AttributeError, "'float' object has no attribute 'size'": write `torch.full_like(x, 1.0)`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.cross_entropy.html
    """
    logits, classes = torch.zeros(2, 3, device=device), torch.tensor([2, 0], device=device)

    with pytest.raises(TypeError, match=r"argument 'target' \(position 2\) must be Tensor, not list"):
        F.cross_entropy(logits, [2, 0])
    with pytest.raises(TypeError, match=r"argument 'input' \(position 1\) must be Tensor, not tuple"):
        F.cross_entropy((logits, None), classes)
    with pytest.raises(AttributeError, match="'float' object has no attribute 'size'"):
        F.mse_loss(logits, 1.0)
    assert F.cross_entropy(logits, classes).isfinite()
    assert F.mse_loss(logits, torch.full_like(logits, 1.0)).item() == 1


def test_the_prediction_comes_first(device, rounding_bound):
    """`BCEWithLogitsLoss` takes the prediction first and the target second; exchanging two float tensors of one shape
    raises nothing and usually returns another number.

    `MSELoss` returns the same number if they are exchanged, because it is symmetrical. Name the arguments if in doubt:
    `F.binary_cross_entropy_with_logits(input=logits, target=targets)`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html
    """
    logits, targets = torch.tensor([20.0, -20.0], device=device), torch.tensor([0.0, 0.0], device=device)

    assert F.mse_loss(logits, targets).item() == F.mse_loss(targets, logits).item() == 400
    assert nn.BCEWithLogitsLoss(reduction="none")(logits, targets).tolist() == [20, 0]
    assert F.binary_cross_entropy_with_logits(target=targets, input=logits).item() == 10
    swapped = nn.BCEWithLogitsLoss(reduction="none")(targets, logits)
    assert swapped.tolist() == pytest.approx([math.log(2)] * 2, rel=rounding_bound(8, torch.float32), abs=0)
    one, other = torch.tensor([0.0, 1.0], device=device), torch.tensor([1.0, 0.0], device=device)
    assert nn.BCEWithLogitsLoss()(one, other).item() == nn.BCEWithLogitsLoss()(other, one).item()


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_loss_class_and_function_agree(device, reduction):
    """`MSELoss`, `L1Loss`, `HuberLoss`, `SmoothL1Loss`, `BCELoss`, `BCEWithLogitsLoss`, `CrossEntropyLoss` and
    `NLLLoss` return the same numbers as their functions in `torch.nn.functional` with the same settings.

    A class is handy as an attribute of a model, and a function for one line in a training loop. A note further down
    does the same for thirteen rarer losses.

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
    """By default the functions `mse_loss`, `l1_loss`, `huber_loss`, `smooth_l1_loss` and `binary_cross_entropy` return
    the sum of the losses divided by their number, and `cross_entropy` the sum divided by the number of class numbers.

    For class numbers of shape (N, T) that is N * T. `reduction="sum"` adds the losses up and `reduction="none"` returns
    each of them. In `cross_entropy` of class numbers a `weight` and `ignore_index` change what the mean divides by; the
    `weight` of `binary_cross_entropy` does not.

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
    if name == "cross_entropy":  # (N, C, T) and (N, T): 4 * 20000 and 4 * 10000
        assert F.cross_entropy(x[:, :, None].expand(2, 3, 4), y[:, None].expand(2, 4)).item() == 15000
        weight = torch.tensor([1.0, 3.0, 1.0], device=device)
        assert F.cross_entropy(x, y, weight=weight).item() == (3 * 20000 + 10000) / (3 + 1)
        assert F.cross_entropy(x, y, ignore_index=1).item() == 10000
    if name == "binary_cross_entropy":
        assert F.binary_cross_entropy(x[:1, :1], y[:1, :1], weight=torch.tensor([[3.0]], device=device)).item() == 300


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits"])
def test_unknown_reduction_raises_when_called(device, name):
    """In `MSELoss`, `L1Loss`, `BCELoss` and `BCEWithLogitsLoss` a misspelt `reduction="average"` raises ValueError when
    the loss is called; making `nn.MSELoss(reduction="average")` raises nothing.

    A typo in a configuration file therefore shows at the first batch. In these four the old name "elementwise_mean"
    still works, with a warning; `PoissonNLLLoss` raises ValueError for it, too.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.L1Loss.html
    """
    x = torch.tensor([0.5, 0.25], device=device)
    assert nn.MSELoss(reduction="average").reduction == "average"

    with pytest.raises(ValueError, match="average is not a valid value for reduction"):
        getattr(F, name)(x, x, reduction="average")
    with pytest.warns(UserWarning, match="elementwise_mean"):
        old_name = getattr(F, name)(x, x, reduction="elementwise_mean")
    assert old_name.item() == getattr(F, name)(x, x).item()
    with pytest.raises(ValueError, match="elementwise_mean is not a valid value for reduction"):
        nn.PoissonNLLLoss(reduction="elementwise_mean")(x, x)


@pytest.mark.myth("reduction decides, because size_average and reduce are deprecated")
def test_size_average_beats_reduction(device):
    """In `MSELoss` `size_average` and `reduce`, the deprecated settings, win over `reduction`: `size_average=False`
    alone makes the loss a sum, and `reduction="mean"` and `reduction="none"` do nothing beside it.

    The warning is "size_average and reduce args will be deprecated, please use reduction='sum' instead", and it tells
    which reduction was made of them. `size_average=True` is "mean", and `reduce=False` is "none", whatever
    `size_average` says.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.MSELoss.html
    """
    x, y = torch.tensor([1.0, 2.0], device=device), torch.zeros(2, device=device)

    def reduction_of(**settings):
        with pytest.warns(UserWarning, match="size_average and reduce args will be deprecated, please use") as seen:
            loss_function = nn.MSELoss(**settings)
        assert f"please use reduction='{loss_function.reduction}' instead" in str(seen[0].message)
        return loss_function.reduction

    for reduction in ("mean", "sum", "none"):
        assert reduction_of(size_average=False, reduction=reduction) == "sum"
        assert reduction_of(size_average=True, reduction=reduction) == "mean"
        assert reduction_of(reduce=False, reduction=reduction) == "none"
        with pytest.warns(UserWarning, match="please use reduction='sum' instead"):
            assert F.mse_loss(x, y, size_average=False, reduction=reduction).item() == 5
    assert reduction_of(reduce=False, size_average=True) == reduction_of(reduce=False, size_average=False) == "none"


# Which loss for which problem?


@pytest.mark.parametrize(
    ("loss_class", "outputs", "targets"),
    [
        (nn.MSELoss, 1, [[1.5], [-2.0], [0.25]]),
        (nn.BCEWithLogitsLoss, 1, [[1.0], [0.0], [1.0]]),
        (nn.CrossEntropyLoss, 4, [3, 0, 2]),
        (nn.BCEWithLogitsLoss, 4, [[1.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 0.0]]),
    ],
    ids=["a number", "yes or no", "one of several classes", "several labels at once"],
)
def test_each_problem_has_its_loss(device, loss_class, outputs, targets):
    """`MSELoss` takes numbers as targets, `BCEWithLogitsLoss` yes and no as 1.0 and 0.0, and `CrossEntropyLoss` class
    numbers as int64; the model here ends in a Linear layer.

    For N rows: a number or a yes-or-no question has here predictions and float targets of shape (N, 1). One of C
    classes has logits of shape (N, C) and targets of shape (N,). Several labels at once have logits and float targets
    of (N, C).

    https://docs.pytorch.org/docs/stable/nn.html#loss-functions
    """
    model = nn.Linear(2, outputs).to(device)
    targets = torch.tensor(targets, device=device)

    loss = loss_class()(model(torch.tensor([[1.0, 2.0], [-3.0, 0.5], [0.25, 4.0]], device=device)), targets)
    loss.backward()

    assert targets.dtype == (torch.int64 if loss_class is nn.CrossEntropyLoss else torch.float32)
    assert loss.shape == ()
    assert loss.dtype == torch.float32
    assert (model.weight.grad != 0).any(dim=1).tolist() == [True] * outputs


@pytest.mark.myth("it is called BCELossWithLogits")
def test_it_is_called_bce_with_logits_loss():
    """The class is called `nn.BCEWithLogitsLoss`: `nn.BCELossWithLogits` raises AttributeError.

    Its function is `F.binary_cross_entropy_with_logits`. Both apply the sigmoid themselves, so the model ends without
    one.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html
    """
    with pytest.raises(AttributeError, match="BCELossWithLogits"):
        nn.BCELossWithLogits

    names = [name for name in dir(nn) if name.startswith("BCE")]
    assert names == ["BCELoss", "BCEWithLogitsLoss"]
    logits, targets = torch.tensor([0.5, -2.0]), torch.tensor([1.0, 0.0])
    assert nn.BCEWithLogitsLoss()(logits, targets).equal(F.binary_cross_entropy_with_logits(logits, targets))


@given(logits=st.tuples(st.floats(-1e4, 1e4, width=32), st.floats(-1e4, 1e4, width=32)), target=st.integers(0, 1))
def test_two_classes_are_one_logit_for_every_pair(device, rounding_bound, logits, target):
    """`CrossEntropyLoss` of two logits equals `BCEWithLogitsLoss` of the second minus the first, up to rounding, for
    logits between -10000 and 10000.

    One output is enough for two classes: use `BCEWithLogitsLoss` and turn the class numbers 0 and 1 into 0.0 and 1.0.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html
    """
    no, yes = torch.tensor(logits, device=device)

    two_outputs = nn.CrossEntropyLoss()(torch.stack([no, yes]).unsqueeze(0), torch.tensor([target], device=device))
    one_output = nn.BCEWithLogitsLoss()(yes - no, torch.tensor(float(target), device=device))

    size = 2 * (abs(logits[0]) + abs(logits[1])) + 2
    assert abs(two_outputs.item() - one_output.item()) <= 2 * rounding_bound(10, torch.float32) * size


def loss_and_gradient(loss_function, logits, targets):
    """The loss of each element, and the derivative of each by its own logit."""
    logits = logits.clone().requires_grad_()
    losses = loss_function(logits, targets)
    losses.sum().backward()
    return losses.detach(), logits.grad


def test_cross_entropy_of_one_output_is_always_0(device):
    """`CrossEntropyLoss` of logits of shape (N, 1) is 0 with a gradient of 0, for class 0 and for float targets of
    shape (N, 1), as long as all numbers are finite.

    The softmax over one class is 1. A model with such logits trains without an error and learns nothing: with one
    output use `BCEWithLogitsLoss`, with `CrossEntropyLoss` give the model one output for each class. A target of class
    1 raises IndexError on the CPU, which often is the first hint.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
    """
    outputs = torch.tensor([[-3.0], [0.0], [50.0]], device=device)
    classes = torch.tensor([0, 0, 0], device=device)
    floats = torch.tensor([[1.0], [0.0], [1.0]], device=device)

    for targets in (classes, floats):
        loss, gradient = loss_and_gradient(nn.CrossEntropyLoss(), outputs, targets)
        assert loss.item() == 0
        assert gradient.tolist() == [[0], [0], [0]]
    with pytest.raises(IndexError, match="Target 1 is out of bounds"):
        nn.CrossEntropyLoss()(outputs.cpu(), torch.tensor([1, 0, 1]))


def test_flat_logits_and_float_targets_are_one_row_of_classes(device, rounding_bound):
    """`CrossEntropyLoss` takes logits and float targets of shape (N,) for one row of N classes, and raises nothing.

    `model(x).squeeze(1)` of a model with one output has this shape. The rows of the batch then compete with each other:
    right answers with logits of 64 and -64 cost 3.30 if three of them are yes, and 0 if only one is. With one output
    use `BCEWithLogitsLoss`. int64 targets in place of the floats raise RuntimeError.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
    """
    logits = torch.tensor([64.0, -64.0, 64.0, 64.0], device=device)  # sure and right
    targets = torch.tensor([1.0, 0.0, 1.0, 1.0], device=device)

    flat = nn.CrossEntropyLoss()(logits, targets)
    row = nn.CrossEntropyLoss()(logits[None], targets[None])

    assert flat.item() == row.item()
    assert flat.item() == pytest.approx(3 * math.log(3), rel=rounding_bound(16, torch.float32) * 16, abs=0)
    assert round(flat.item(), 2) == 3.3
    assert nn.CrossEntropyLoss()(logits[:2], targets[:2]).item() == 0
    assert nn.BCEWithLogitsLoss()(logits, targets).item() < 1e-20
    with pytest.raises(RuntimeError, match="Expected floating point type for target with class probabilities"):
        nn.CrossEntropyLoss()(logits, targets.long())


def test_cross_entropy_of_equal_logits_is_log_of_the_number_of_classes(device, rounding_bound):
    """Equal finite logits for C classes have, for class numbers, a cross entropy of log(C): 0.69 for two classes, 2.30
    for ten.

    That is the loss of a model that gives each class the same probability. A first loss far above it is a sign of
    initial logits that are far apart.

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
    assert [round(math.log(2), 2), round(math.log(10), 2)] == [0.69, 2.3]


# Numbers as targets: what does an outlier do, and a wrong shape?


def test_an_outlier_pulls_mse_by_its_size_and_l1_by_its_sign(device):
    """The gradient of a single error is twice the error for `MSELoss`, 1 or -1 for `L1Loss`, and at most `delta` in
    size for `HuberLoss`.

    An error of -100 has a gradient of -200 in `MSELoss`, of -1 in `L1Loss` and of -2 in `HuberLoss(delta=2)`: choose by
    how hard a bad target may pull. At an error of 0 all of them are 0. Here `SmoothL1Loss(beta=2)` is
    `HuberLoss(delta=2)` divided by 2, and with the default of 1 the two are equal.

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
    zeros = torch.zeros_like(errors)
    assert F.smooth_l1_loss(errors, zeros, beta=2).item() == F.huber_loss(errors, zeros, delta=2).item() / 2
    assert F.smooth_l1_loss(errors, zeros).item() == F.huber_loss(errors, zeros).item()


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"])
def test_regression_losses_broadcast_a_column_against_a_row(device, rounding_bound, name):
    """`MSELoss`, `L1Loss`, `SmoothL1Loss` and `HuberLoss` broadcast predictions of shape (N, 1) and targets of shape
    (N,) to (N, N), with only a warning: "Using a target size (...) that is different to the input size (...)".

    Sizes that do not broadcast, like 3 and 4, raise RuntimeError "The size of tensor a (3) must match the size of
    tensor b (4)". Each prediction is compared with every target, and training pulls all predictions to one number: for
    targets 1, 2 and 6 to the mean 3 with `MSELoss` and to the median 2 with the defaults of the others. Write
    `predictions.squeeze(1)`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.mse_loss.html
    """
    loss_function = getattr(F, name)
    targets = torch.tensor([1.0, 2.0, 4.0], device=device)
    predictions = targets.unsqueeze(1)

    with pytest.warns(UserWarning, match=r"Using a target size \(.*\) that is different to the input size \("):
        wrong = loss_function(predictions, targets)
    right = loss_function(predictions.squeeze(1), targets)
    with pytest.warns(UserWarning, match="that is different to the input size"):
        assert loss_function(predictions, targets, reduction="none").shape == (3, 3)

    expected = {"mse_loss": 28 / 9, "l1_loss": 12 / 9, "smooth_l1_loss": 9 / 9, "huber_loss": 9 / 9}[name]
    assert wrong.item() == pytest.approx(expected, rel=rounding_bound(10, torch.float32), abs=0)
    assert right.item() == 0
    with (
        pytest.raises(RuntimeError, match=r"size of tensor a \(3\) must match the size of tensor b \(4\)"),
        pytest.warns(UserWarning, match="that is different to the input size"),
    ):
        loss_function(targets, torch.ones(4, device=device))

    lopsided = torch.tensor([1.0, 2.0, 6.0], device=device)
    centre = 3.0 if name == "mse_loss" else 2.0  # where nothing pulls
    everywhere = torch.full((3, 1), centre, device=device, requires_grad=True)
    with pytest.warns(UserWarning, match="that is different to the input size"):
        loss_function(everywhere, lopsided, reduction="sum").backward()
    assert everywhere.grad.tolist() == [[0], [0], [0]]


def test_a_class_warns_of_a_broadcast_once_per_process():
    """`nn.MSELoss` shows its warning about two different shapes not for each batch, but once per process for batches of
    one size, as long as nothing in the process changes Python's filters of warnings.

    Python shows a warning of one text once for each line of code, and the line is one in torch. A
    `with warnings.catch_warnings():` makes Python forget what it has shown. Check the shapes yourself:
    `assert predictions.shape == targets.shape`.

    https://docs.python.org/3/library/warnings.html#the-warnings-filter
    """
    predictions, targets = torch.ones(3, 1), torch.ones(3)

    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("default")  # as in a plain Python
        for _ in range(5):
            nn.MSELoss()(predictions, targets)
        assert ["different to the input size" in str(warning.message) for warning in seen] == [True]

        with warnings.catch_warnings():
            pass
        nn.MSELoss()(predictions, targets)
        assert len(seen) == 2


def test_some_losses_broadcast_silently(device):
    """`poisson_nll_loss`, `gaussian_nll_loss`, `kl_div` and `hinge_embedding_loss` broadcast (N, 1) against (N,) to (N,
    N) without a warning about the two shapes.

    Check the shapes yourself: `assert predictions.shape == targets.shape`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.PoissonNLLLoss.html
    """
    column, row = torch.ones(3, 1, device=device), torch.ones(3, device=device)

    for losses in (
        F.poisson_nll_loss(column, row, reduction="none"),
        F.gaussian_nll_loss(column, row, torch.ones_like(column), reduction="none"),
        F.kl_div(column, row, reduction="none"),
        F.hinge_embedding_loss(column, row, reduction="none"),
    ):
        assert losses.shape == (3, 3)


def test_the_root_of_mse_has_no_gradient_at_0(device):
    """`torch.sqrt(nn.MSELoss()(predictions, targets))`, the RMSE as a loss, is 0 with a gradient of nan if all
    predictions are exactly right.

    The derivative of the square root is inf at 0, and inf * 0 is nan: one step of SGD makes the weights nan. It happens
    to a model that fits a small batch exactly. Train with `MSELoss` and take the root of what you log, or write
    `torch.sqrt(mse + 1e-8)`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.MSELoss.html
    """
    predictions = torch.tensor([1.0, 2.0], device=device)

    def rmse(eps, targets):
        return loss_and_gradient(lambda x, y: torch.sqrt(F.mse_loss(x, y) + eps), predictions, targets)

    loss, gradient = rmse(0, targets=predictions)

    assert loss.item() == 0
    assert gradient.isnan().tolist() == [True, True]
    assert rmse(1e-8, targets=predictions)[1].tolist() == [0, 0]
    assert rmse(0, targets=predictions - 2)[0].item() == 2
    assert loss_and_gradient(F.mse_loss, predictions, predictions)[1].tolist() == [0, 0]
    weight = nn.Parameter(predictions.clone())
    torch.sqrt(F.mse_loss(weight, predictions)).backward()
    torch.optim.SGD([weight], lr=0.1).step()
    assert weight.isnan().tolist() == [True, True]


@pytest.mark.parametrize("name", ["mse_loss", "huber_loss", "smooth_l1_loss", "binary_cross_entropy_with_logits"])
def test_a_missing_target_is_left_out_before_the_loss(device, name):
    """If one of two targets is nan, `mse_loss(x, y, reduction="none")[known].mean()` with `known = ~y.isnan()` is a
    number, but its gradient is nan for the missing target.

    `backward()` multiplies 0 by nan there, and passes nan on to the weights of that output. Multiplying the losses by a
    mask of zeros and ones does not even make the loss a number. Pick the elements first: `mse_loss(x[known],
    y[known])`. The same goes for `huber_loss`, `smooth_l1_loss` and `binary_cross_entropy_with_logits`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.MSELoss.html
    """
    loss_function = getattr(F, name)
    x, y = torch.tensor([0.5, 0.5], device=device), torch.tensor([0.25, math.nan], device=device)
    known = ~y.isnan()

    after, bad = loss_and_gradient(lambda x, y: loss_function(x, y, reduction="none")[known].mean(), x, y)
    before, good = loss_and_gradient(lambda x, y: loss_function(x[known], y[known]), x, y)

    assert after.item() == before.item()
    assert bad.isnan().tolist() == [False, True]
    assert good.tolist() == [bad[0].item(), 0]
    assert (loss_function(x, y, reduction="none") * known).mean().isnan()

    layer = nn.Linear(1, 2).to(device)
    loss_function(layer(x[:1]), y, reduction="none")[known].mean().backward()
    assert layer.weight.grad.isnan().tolist() == [[False], [True]]


@pytest.mark.holds(
    "torch>=2.6",
    otherwise=TypeError,
    change="new",
    concerns=(
        "torch.nn.functional.mse_loss(weight)",
        "torch.nn.functional.l1_loss(weight)",
        "torch.nn.functional.huber_loss(weight)",
    ),
)
def test_regression_losses_take_a_weight_for_each_element(device):
    """From torch 2.6 on `F.mse_loss`, `F.l1_loss` and `F.huber_loss` take a `weight` of the same shape as the
    predictions.

    With it the mean of `mse_loss` and `l1_loss` divides by the sum of the weights, that of `huber_loss` by the number
    of elements. `nn.MSELoss` and `F.smooth_l1_loss` take no weight. In any release one may write out what is meant:
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
    written_out = (weight * F.mse_loss(x, y, reduction="none")).sum() / weight.sum()
    assert written_out.item() == F.mse_loss(x, y, weight=weight).item()
    for without in (nn.MSELoss, F.smooth_l1_loss):
        with pytest.raises(TypeError, match="unexpected keyword argument 'weight'"):
            without(weight=weight)


# Yes or no: logits or probabilities?


def test_bce_with_logits_is_bce_of_sigmoid(device, rounding_bound):
    """`BCEWithLogitsLoss` of logits equals `BCELoss` of their sigmoid, up to rounding, for logits between -3 and 3.

    `BCEWithLogitsLoss` takes what the last Linear layer gives, and `BCELoss` takes probabilities. In float32 a logit of
    17 for a target of 0 costs 100 in `BCELoss` of its sigmoid, and 17 in `BCEWithLogitsLoss`: prefer the latter.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html
    """
    logits = torch.tensor([-3.0, -2.0, -0.5, 0.0, 1.5, 3.0], device=device)
    targets = torch.tensor([0.25, 0.0, 1.0, 1.0, 0.0, 0.75], device=device)

    in_one_step = nn.BCEWithLogitsLoss(reduction="none")(logits, targets)
    in_two_steps = nn.BCELoss(reduction="none")(torch.sigmoid(logits), targets)

    expected = [math.log1p(math.exp(x)) - y * x for x, y in zip(logits.tolist(), targets.tolist(), strict=True)]
    bound = rounding_bound(8, torch.float32)
    # The terms add up to less than 6, and an error of sigmoid(3) grows 21 times in log(1 - sigmoid(3)).
    assert in_one_step.tolist() == pytest.approx(expected, rel=0, abs=bound * 6)
    assert in_two_steps.tolist() == pytest.approx(expected, rel=0, abs=bound * (6 + 21))
    far, no = torch.tensor([17.0], device=device), torch.tensor([0.0], device=device)
    assert (nn.BCELoss()(torch.sigmoid(far), no).item(), nn.BCEWithLogitsLoss()(far, no).item()) == (100, 17)


def test_a_second_sigmoid_goes_unnoticed(device, rounding_bound):
    """`BCEWithLogitsLoss` of probabilities raises nothing: it applies a second sigmoid, and even right and sure
    predictions have a loss.

    However sure the model is, a target of 1 then costs at least 0.31 and a target of 0 at least 0.69. End the model
    in a Linear layer, not in Sigmoid.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html
    """
    logits, targets = torch.tensor([50.0, -50.0], device=device), torch.tensor([1.0, 0.0], device=device)
    loss_function = nn.BCEWithLogitsLoss(reduction="none")

    right = loss_function(logits, targets)
    wrong = loss_function(torch.sigmoid(logits), targets)

    floor = [math.log1p(math.exp(-1)), math.log(2)]
    assert [math.floor(100 * loss) for loss in floor] == [31, 69]
    assert right.tolist() == pytest.approx([0, 0], rel=0, abs=2 * math.exp(-50))
    assert wrong.tolist() == pytest.approx(floor, rel=rounding_bound(8, torch.float32), abs=0)


def test_half_a_probability_is_a_logit_of_zero(device):
    """`logits > 0` predicts the same classes as `torch.sigmoid(logits) > 0.5`, unless a logit is so near to 0 that its
    sigmoid is rounded to 0.5.

    For the predicted class no sigmoid is needed. `logits > 0.5` is a common mistake: it asks for a probability above
    0.62.

    https://docs.pytorch.org/docs/stable/generated/torch.sigmoid.html
    """
    logits = torch.tensor([-3.0, -0.25, 0.25, 0.375, 2.0], device=device)

    assert (torch.sigmoid(logits) > 0.5).tolist() == [False, False, True, True, True]
    assert (logits > 0).tolist() == [False, False, True, True, True]
    assert (logits > 0.5).tolist() == [False, False, False, False, True]
    assert torch.sigmoid(torch.tensor(0.0, device=device)).item() == 0.5
    assert round(torch.sigmoid(torch.tensor(0.5, device=device)).item(), 2) == 0.62


@pytest.mark.myth("torch.round of the probability is the predicted class, with 0.5 counting as 1")
def test_round_of_half_is_zero(device):
    """`torch.round(torch.sigmoid(logits))` predicts class 0 for a logit of 0, because `torch.round` rounds 0.5 to 0.

    A half is rounded to the nearest even number: 1.5 and 2.5 give 2. In float32 the sigmoid of a logit of 1e-9 is 0.5,
    too, so that `torch.round` and `logits > 0` disagree there. Write `logits > 0`.

    https://docs.pytorch.org/docs/stable/generated/torch.round.html
    """
    assert torch.round(torch.tensor([0.5, 1.5, 2.5, -0.5], device=device)).tolist() == [0, 2, 2, 0]

    logits = torch.tensor([-1e-9, 0.0, 1e-9, 1e-3], device=device)
    assert torch.round(torch.sigmoid(logits)).tolist() == [0, 0, 0, 1]
    assert (logits > 0).tolist() == [False, False, True, True]


def test_binary_losses_refuse_a_column_against_a_row(device):
    """`BCEWithLogitsLoss` and `BCELoss` raise ValueError if predictions have shape (N, 1) and targets (N,), or the
    other way round.

    For two rows the messages are "Target size (torch.Size([2])) must be the same as input size (torch.Size([2, 1]))"
    and "Using a target size (torch.Size([2])) that is different to the input size (torch.Size([2, 1]))". Predictions
    and targets are never broadcast, not even (1, 1) against (1,); a `weight` is. A Linear layer with one output gives
    (N, 1): write `targets.unsqueeze(1)`, or `predictions.squeeze(1)`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html
    """
    column = torch.tensor([[0.25], [0.75]], device=device)
    row = torch.tensor([0.0, 1.0], device=device)

    sizes = r"\(torch.Size\(\[2\]\)\) {} input size \(torch.Size\(\[2, 1\]\)\)"
    for loss_function, words in (
        (nn.BCEWithLogitsLoss(), "Target size " + sizes.format("must be the same as")),
        (nn.BCELoss(), "Using a target size " + sizes.format("that is different to the")),
    ):
        with pytest.raises(ValueError, match=words):
            loss_function(column, row)
        with pytest.raises(ValueError, match=r"torch.Size\(\[2, 1\]\)"):
            loss_function(row, column)
        with pytest.raises(ValueError, match=r"torch.Size\(\[1, 1\]\)"):
            loss_function(column[:1], row[:1])
        alike = loss_function(column, row.unsqueeze(1)).item()
        assert alike == loss_function(column.squeeze(1), row).item()
        twice = type(loss_function)(weight=torch.tensor(2.0, device=device))
        assert twice(column, row.unsqueeze(1)).item() == 2 * alike


@pytest.mark.only("cpu", "cuda", "xpu", because="on MPS BCELoss checks no dtype: with such labels it ends the process")
def test_bce_losses_want_floating_targets(device):
    """On the CPU and CUDA labels of dtype bool, uint8, int8, int16, int32 or int64 raise RuntimeError in
    `BCEWithLogitsLoss` and in `BCELoss`: write `labels.float()`.

    A comparison such as `y == 3` gives booleans, for which `BCEWithLogitsLoss` says "Subtraction, the `-` operator,
    with two bool tensors is not supported" on the CPU. For int64 the messages are "result type Float can't be cast to
    the desired output type Long" and "Found dtype Long but expected Float".

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html
    """
    x = torch.tensor([0.25, 0.75], device=device)
    labels = torch.tensor([0, 1], device=device)

    for dtype, name in (
        (torch.int64, "Long"),
        (torch.int32, "Int"),
        (torch.int16, "Short"),
        (torch.int8, "Char"),
        (torch.uint8, "Byte"),
        (torch.bool, "[bB]ool"),
    ):
        for loss_function in (nn.BCEWithLogitsLoss(), nn.BCELoss()):
            with pytest.raises(RuntimeError, match=name):
                loss_function(x, labels.to(dtype))
    with pytest.raises(RuntimeError, match="result type Float can't be cast to the desired output type Long"):
        nn.BCEWithLogitsLoss()(x, labels)
    with pytest.raises(RuntimeError, match="Found dtype Long but expected Float"):
        nn.BCELoss()(x, labels)
    assert nn.BCELoss()(x, labels.float()).item() == pytest.approx(-math.log(0.75), rel=2**-22)
    assert (labels == 3).dtype == torch.bool
    with pytest.raises(RuntimeError, match="Subtraction, the `-` operator, with two bool tensors is not supported"):
        nn.BCEWithLogitsLoss()(x.cpu(), labels.cpu() == 1)


@pytest.mark.parametrize("logit", [-0.5, 1.5, math.nan])
def test_bce_loss_refuses_what_is_no_probability(logit):
    """On the CPU `BCELoss` raises RuntimeError for a prediction that is below 0, above 1 or nan.

    The check finds a forgotten sigmoid only if some logit lies outside [0, 1]: a logit of 0.5 is taken for a
    probability of 0.5.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BCELoss.html
    """
    # Only on the CPU: on CUDA this check is an assertion in the kernel, and no other work can be done in the process
    # afterwards.
    with pytest.raises(RuntimeError, match="all elements of input should be between 0 and 1"):
        nn.BCELoss()(torch.tensor([0.25, logit]), torch.tensor([0.0, 1.0]))

    assert nn.BCELoss()(torch.tensor([0.5]), torch.tensor([1.0])).item() == pytest.approx(math.log(2), rel=2**-22)


@pytest.mark.holds(
    "torch>=2.1",
    otherwise=AssertionError,
    change="raises",
    concerns=("torch.nn.BCELoss?", "torch.nn.functional.binary_cross_entropy?"),
)
@pytest.mark.parametrize("target", [-0.5, 2.0, math.nan])
def test_bce_loss_refuses_a_target_that_is_no_probability(target):
    """From torch 2.1 on `BCELoss` raises RuntimeError on the CPU for a target that is below 0, above 1 or nan.

    torch 2.0 computes with such a target. The check finds class numbers that begin at 1, if one of them is 2 or more.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BCELoss.html
    """
    # Only on the CPU, like the note before.
    with pytest.raises(RuntimeError, match="all elements of target should be between 0 and 1"):
        nn.BCELoss()(torch.tensor([0.25, 0.5]), torch.tensor([1.0, target]))


def test_bce_with_logits_checks_no_target(device):
    """`BCEWithLogitsLoss` accepts any floats as targets, such as 2.0, and the loss can then be negative without a
    limit.

    A negative loss is a sign of targets outside [0, 1], for example of classes numbered 1.0 and 2.0. A target of nan
    gives a loss of nan.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html
    """
    logits, targets = torch.tensor([32.0, 4096.0], device=device), torch.tensor([2.0, 2.0], device=device)

    assert nn.BCEWithLogitsLoss(reduction="none")(logits, targets).tolist() == [-32, -4096]
    assert nn.BCEWithLogitsLoss()(logits, math.nan * targets).isnan()


def test_pos_weight_multiplies_the_positive_part(device, rounding_bound):
    """`pos_weight=torch.tensor(3.0)` multiplies the loss of a target of 1 by 3; the mean still divides by the number of
    elements.

    `pos_weight=3` raises TypeError: it must be a tensor. For a rare class use the number of negatives divided by the
    number of positives. One number for each column is for several labels at once: two numbers, as for the classes no
    and yes, raise RuntimeError if the logits have shape (N, 1).

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html
    """
    logits = torch.tensor([[0.5, -1.0], [2.0, 0.25]], device=device)
    targets = torch.tensor([[1.0, 1.0], [0.0, 1.0]], device=device)

    plain = nn.BCEWithLogitsLoss(reduction="none")(logits, targets)
    weighted = nn.BCEWithLogitsLoss(reduction="none", pos_weight=torch.tensor([3.0, 0.5], device=device))(
        logits, targets
    )

    with pytest.raises(TypeError, match="pos_weight"):
        nn.BCEWithLogitsLoss(pos_weight=3)
    thrice = nn.BCEWithLogitsLoss(reduction="none", pos_weight=torch.tensor(3.0, device=device))(logits, targets)
    times = torch.tensor([[3.0, 0.5], [1.0, 0.5]], device=device)
    bound = rounding_bound(16, torch.float32)
    torch.testing.assert_close(weighted, plain * times, rtol=bound, atol=bound * 6)
    torch.testing.assert_close(thrice, plain * (1 + 2 * targets), rtol=bound, atol=bound * 6)
    repeated = nn.BCEWithLogitsLoss(reduction="sum")(logits[[0, 0, 0, 1], 0], targets[[0, 0, 0, 1], 0])
    torch.testing.assert_close(weighted[:, 0].sum(), repeated, rtol=bound, atol=bound * 6)
    with pytest.raises(RuntimeError, match="shape"):
        nn.BCEWithLogitsLoss(pos_weight=torch.tensor([1.0, 3.0], device=device))(logits[:, :1], targets[:, :1])
    mean = nn.BCEWithLogitsLoss(pos_weight=torch.tensor([3.0, 0.5], device=device))(logits, targets)
    torch.testing.assert_close(mean, weighted.sum() / 4, rtol=bound, atol=0)


# A confident wrong answer: which form of the binary loss still learns?


def with_logits(logits, targets):
    """The binary cross entropy as it should be computed."""
    return F.binary_cross_entropy_with_logits(logits, targets, reduction="none")


def sigmoid_then_bce(logits, targets):
    """The same in two steps."""
    return F.binary_cross_entropy(torch.sigmoid(logits), targets, reduction="none")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
def test_a_wrong_logit_costs_its_size_and_keeps_its_gradient(device, rounding_bound, dtype):
    """`BCEWithLogitsLoss` charges a single wrong logit from 20 to 10000 its size, in float32 and in bfloat16, and the
    gradient by it is 1 or -1.

    A model that starts out badly wrong therefore still learns. In float32 a logit of 1 for a target of 0 costs 1.3133,
    with a gradient of 0.7311.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html
    """
    if dtype == torch.bfloat16 and device.type == "mps":
        dtype = torch.float16  # the other half: MPS has bfloat16 from torch 2.3 and macOS 14 on
    logits = torch.tensor([1, 10, 20, 40, 89, 100, 200, 1e4], dtype=dtype, device=device)
    false, true = torch.zeros_like(logits), torch.ones_like(logits)

    loss, gradient = loss_and_gradient(with_logits, logits, false)
    mirrored_loss, mirrored_gradient = loss_and_gradient(with_logits, -logits, true)

    assert [round(math.log1p(math.e), 4), round(1 / (1 + math.exp(-1)), 4)] == [1.3133, 0.7311]
    exact = logits.cpu().double()
    bound = rounding_bound(8, dtype)
    for losses, slopes in ((loss, gradient), (mirrored_loss, -mirrored_gradient)):
        torch.testing.assert_close(losses.cpu(), torch.logaddexp(exact, 0 * exact).to(dtype), rtol=bound, atol=0)
        torch.testing.assert_close(slopes.cpu(), exact.sigmoid().to(dtype), rtol=bound, atol=0)
        assert losses[2:].tolist() == logits[2:].tolist()
        assert slopes[2:].tolist() == [1, 1, 1, 1, 1, 1]


def test_bce_loss_of_a_wrong_sigmoid_stops_at_100_without_a_gradient(device, rounding_bound):
    """In float32 `BCELoss` of a sigmoid charges a wrong answer 100 and gives it a gradient of 0, from a logit of 17 on
    for a target of 0 and from -89 on for a target of 1.

    The model cannot learn from its worst mistakes: use `BCEWithLogitsLoss`. From a logit of 16 to one of 17 the loss
    jumps from about 16 to 100, because the sigmoid is rounded to 1. A `weight` multiplies the 100.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BCELoss.html
    """
    logits = torch.tensor([20.0, 40.0, 89.0, 100.0, 200.0, 1e4], device=device)
    loss, gradient = loss_and_gradient(sigmoid_then_bce, logits, torch.zeros_like(logits))
    edge = torch.tensor([16.0, 17.0], device=device)
    edge_loss, edge_gradient = loss_and_gradient(sigmoid_then_bce, edge, torch.zeros_like(edge))
    mirrored_loss, mirrored_gradient = loss_and_gradient(sigmoid_then_bce, -logits, torch.ones_like(logits))

    assert loss.tolist() == [100, 100, 100, 100, 100, 100]
    assert gradient.tolist() == [0, 0, 0, 0, 0, 0]
    assert 15 < edge_loss[0] < 17  # one or two steps of 2**-24 below a sigmoid of 1
    assert edge_loss[1] == 100
    certain, no = torch.ones(1, device=device), torch.zeros(1, device=device)
    assert F.binary_cross_entropy(certain, no, weight=torch.tensor(2.0, device=device)).item() == 200
    assert [round(number, 6) for number in edge_gradient.tolist()] == [1, 0]
    # A sigmoid close to 0 has more digits than one close to 1. The loss is right at -40, but its gradient is as good as
    # 0: BCELoss divides by 1e-12 where it should divide by the sigmoid.
    close = {"rel": rounding_bound(16, torch.float32), "abs": 0}
    assert mirrored_loss.tolist() == pytest.approx([20, 40, 100, 100, 100, 100], **close)
    assert mirrored_gradient.tolist() == pytest.approx([-1, -math.exp(-40) / 1e-12, 0, 0, 0, 0], **close)


@pytest.mark.picture("curves", "logits", "target", "bce_with_logits", "bce_of_sigmoid")
@pytest.mark.parametrize(
    ("target", "wrong_gradient", "wrong_loss"),
    [(0.0, range(17, 51), range(17, 51)), (1.0, range(-50, -27), [])],
    ids=["no", "yes"],
)
def test_the_two_forms_part_where_the_sigmoid_ends(device, target, wrong_gradient, wrong_loss):
    """In float32 `BCELoss` of a sigmoid stays within 1 of `BCEWithLogitsLoss`, and its gradient within 0.1, up to a
    logit of 16 for a target of 0; for a target of 1 the gradient does so down to -27, and the loss down to -50 at
    least.

    From 17 on the sigmoid is rounded to 1: the loss is 100 and its gradient 0. Below -27 the gradient fades, as the
    next note shows, because `BCELoss` divides by 1e-12 there instead of by the sigmoid.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html
    """
    logits = torch.arange(-50.0, 51.0, device=device)
    targets = torch.full_like(logits, target)

    bce_with_logits = loss_and_gradient(with_logits, logits, targets)
    bce_of_sigmoid = loss_and_gradient(sigmoid_then_bce, logits, targets)

    losses, slopes = (abs(one - other) for one, other in zip(bce_with_logits, bce_of_sigmoid, strict=True))
    assert logits[slopes > 0.1].tolist() == list(wrong_gradient)
    assert logits[losses > 1].tolist() == list(wrong_loss)


def test_the_gradient_of_bce_of_a_sigmoid_fades_before_its_loss_ends():
    """For a target of 1 the gradient of `BCELoss` of a sigmoid fades from a logit of -28 on, while its loss is right
    down to -88 in float32 on the CPU.

    At -30 the gradient has shrunk to a tenth, and at -50 to less than a billionth. From -89 on the sigmoid is 0 and the
    loss 100. A loss that looks right says nothing about its gradient.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BCELoss.html
    """
    logits = torch.tensor([-27.0, -28.0, -29.0, -30.0, -50.0, -88.0, -89.0])

    loss, gradient = loss_and_gradient(sigmoid_then_bce, logits, torch.ones_like(logits))

    assert [round(number, 2) for number in loss.tolist()] == [27, 28, 29, 30, 50, 88, 100]
    assert [round(number, 2) for number in gradient.tolist()] == [-1, -0.69, -0.25, -0.09, 0, 0, 0]
    assert -1e-9 < gradient[4] < 0
    assert torch.sigmoid(logits)[-2:].gt(0).tolist() == [True, False]


@pytest.mark.only("cuda", "xpu", because="the refusal is CUDA's and XPU's: on MPS autocast lets BCELoss pass")
def test_autocast_on_cuda_refuses_bce_loss(accelerator):
    """Under `torch.autocast` on CUDA and XPU `BCELoss` raises RuntimeError "unsafe to autocast", and
    `BCEWithLogitsLoss` of float16 logits is float32.

    Let the model end without Sigmoid.

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


def test_autocast_on_the_cpu_lets_bce_loss_pass():
    """Under `torch.autocast` on the CPU `BCELoss` raises nothing, and charges a bfloat16 logit of 8 for a target of 0
    with 100 instead of 8.

    The sigmoid of a bfloat16 logit of 8 is rounded to 1, and computing the loss in float32 comes too late.
    `BCEWithLogitsLoss` returns 8.00 in float32.

    https://docs.pytorch.org/docs/stable/amp.html#prefer-binary-cross-entropy-with-logits-over-binary-cross-entropy
    """
    inputs, weight, targets = torch.ones(1, 1), torch.full((1, 1), 8.0), torch.zeros(1, 1)

    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = inputs @ weight
        two_steps = nn.BCELoss()(torch.sigmoid(logits), targets)
        one_step = nn.BCEWithLogitsLoss()(logits, targets)

    assert logits.dtype == torch.bfloat16
    assert two_steps.item() == 100
    assert one_step.dtype == torch.float32
    assert round(one_step.item(), 2) == 8


# One of several classes: logits, probabilities or their logarithms?


def test_cross_entropy_is_nll_of_log_softmax(device, rounding_bound):
    """For class numbers `CrossEntropyLoss` of logits equals `NLLLoss` of their `log_softmax`: minus the logarithm of
    the right class's probability.

    `CrossEntropyLoss` takes what the last Linear layer gives. `NLLLoss` belongs behind a model that ends in
    `nn.LogSoftmax(dim=1)`.

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


def test_nll_loss_takes_logarithms_of_probabilities(device):
    """`NLLLoss` computes no logarithm: of probabilities it returns minus the right class's probability, here a negative
    loss.

    Without a `weight` `NLLLoss` picks the number of the right class and changes its sign. A negative loss is a sign of
    a model that does not end in LogSoftmax: end it there, or in a Linear layer and use `CrossEntropyLoss`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.NLLLoss.html
    """
    probabilities = torch.tensor([[0.25, 0.75, 0.0], [0.5, 0.125, 0.375]], device=device)
    targets = torch.tensor([1, 0], device=device)

    assert nn.NLLLoss(reduction="none")(probabilities, targets).tolist() == [-0.75, -0.5]
    assert nn.NLLLoss()(probabilities, targets).item() == -0.625


@pytest.mark.myth("a classifier ends with Softmax, and then comes CrossEntropyLoss")
@pytest.mark.parametrize("classes", [2, 3, 10])
def test_a_softmax_before_cross_entropy_goes_unnoticed(device, rounding_bound, classes):
    """`CrossEntropyLoss` after a softmax raises nothing, but a perfect prediction for C classes still costs log(1 + (C
    - 1) / e), which is 0.31 for two classes and 1.46 for ten.

    `CrossEntropyLoss` applies the softmax itself. End the model in a Linear layer, and use softmax only to show
    probabilities.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
    """
    logits = torch.zeros(1, classes, device=device)
    logits[0, 1] = 1000  # as sure of class 1 as can be
    targets = torch.tensor([1], device=device)

    assert F.cross_entropy(logits, targets).item() == 0
    floor = math.log1p((classes - 1) / math.e)
    assert round(floor, 2) == {2: 0.31, 3: 0.55, 10: 1.46}[classes]
    bound = rounding_bound(classes + 8, torch.float32) * 4  # the logarithm is below 3 and the probability is 1
    assert F.cross_entropy(logits.softmax(dim=1), targets).item() == pytest.approx(floor, rel=0, abs=bound)


# One of several classes: which targets?


def test_cross_entropy_takes_class_numbers_or_probabilities(device, rounding_bound):
    """`CrossEntropyLoss` takes class numbers (int64, one dimension less than the logits) or rows of probabilities
    (floats, the same shape as the logits).

    Without class weights, one-hot rows as floats give here the same loss as class numbers, up to rounding. On the CPU
    class numbers may be uint8, too, for logits of shape (N, C).

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
    with pytest.raises(RuntimeError, match="expected"):
        F.cross_entropy(logits.cpu().unsqueeze(2), classes.cpu().to(torch.uint8).unsqueeze(1))


@pytest.mark.only("cpu", "cuda", "xpu", because="on MPS CrossEntropyLoss computes with class numbers of other dtypes")
def test_cross_entropy_is_particular_about_the_dtype_of_its_target(device):
    """On the CPU and CUDA class numbers that are int8, int16, int32, bool or float32 raise RuntimeError in
    `CrossEntropyLoss` for logits of shape (N, C), and one-hot rows of int64 do, too.

    On the CPU the message is "expected scalar type Long but found Float" or "expected target dtype to be Long or Byte,
    but got Float". Write `classes.long()` for class numbers, and `F.one_hot(classes, num_classes).float()` for rows:
    `F.one_hot` returns int64.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
    """
    logits = torch.tensor([[1.0, 2.0, 4.0], [0.5, -1.0, 0.0]], device=device)
    classes = torch.tensor([1, 0], device=device)

    for dtype, name in (
        (torch.int8, "Char"),
        (torch.int16, "Short"),
        (torch.int32, "Int"),
        (torch.bool, "Bool"),
        (torch.float32, "Float"),
    ):
        with pytest.raises(RuntimeError, match=name):
            F.cross_entropy(logits, classes.to(dtype))
        with pytest.raises(RuntimeError, match=f"(Long but found|Long or Byte, but got) {name}"):
            F.cross_entropy(logits.cpu(), classes.cpu().to(dtype))
    with pytest.raises(RuntimeError, match="Expected floating point type for target with class probabilities"):
        F.cross_entropy(logits, F.one_hot(classes, num_classes=3))
    assert F.one_hot(classes).dtype == torch.int64


def test_cross_entropy_wants_flat_class_numbers(device):
    """For logits of shape (N, C) and two classes or more, class numbers of shape (N, 1) raise RuntimeError "0D or 1D
    target tensor expected, multi-target not supported".

    `CrossEntropyLoss` wants (N,): write `classes.squeeze(1)`. `NLLLoss` of one-hot rows raises the same: write
    `one_hot.argmax(dim=1)`. Class numbers of shape (3,) for 2 rows of logits raise ValueError "Expected input
    batch_size (2) to match target batch_size (3)". (N, 1) is right for logits of shape (N, C, 1).

    https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
    """
    logits = torch.tensor([[1.0, 2.0, 4.0], [0.5, -1.0, 0.0]], device=device)
    column = torch.tensor([[1], [0]], device=device)

    with pytest.raises(RuntimeError, match="0D or 1D target tensor expected, multi-target not supported"):
        F.cross_entropy(logits, column)
    with pytest.raises(RuntimeError, match="0D or 1D target tensor expected, multi-target not supported"):
        F.nll_loss(logits, F.one_hot(column[:, 0], 3))
    assert F.one_hot(column[:, 0], 3).argmax(dim=1).tolist() == column[:, 0].tolist()
    with pytest.raises(ValueError, match=r"Expected input batch_size \(2\) to match target batch_size \(3\)"):
        F.cross_entropy(logits, torch.tensor([1, 0, 1], device=device))
    with pytest.raises(RuntimeError, match="Expected floating point type for target with class probabilities"):
        F.cross_entropy(logits[:, :1], 0 * column)  # a single class: the shape is that of probabilities
    right = F.cross_entropy(logits, column.squeeze(1), reduction="none")
    assert F.cross_entropy(logits.unsqueeze(2), column, reduction="none").shape == (2, 1)
    assert right.shape == (2,)


@pytest.mark.only("cpu", "cuda", "xpu", because="not seen on MPS")
@pytest.mark.holds("torch>=2.9", otherwise=RuntimeError, change="new", concerns="torch.nn.functional.cross_entropy?")
def test_cross_entropy_of_one_sample_takes_a_target_of_one_number(device):
    """From torch 2.9 on `F.cross_entropy` of logits of shape (3,) and a class number of shape (1,) returns what it
    returns for the class number of shape (), but `backward` of that loss raises RuntimeError, "size mismatch".

    Before, the call itself raised: "size mismatch (got input: [3], target: [1])". With `label_smoothing=0.1` it raises
    in every release. To train, write `target.squeeze()`, or give both a batch: `logits[None]` and a target of shape
    (1,), which work in every release.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
    """
    logits, target = torch.tensor([1.0, 2.0, 4.0], device=device, requires_grad=True), torch.tensor([1], device=device)
    expected = F.cross_entropy(logits, target.squeeze())

    torch.testing.assert_close(F.cross_entropy(logits[None], target), expected)
    expected.backward()
    with pytest.raises(RuntimeError):
        F.cross_entropy(logits, target, label_smoothing=0.1)
    loss = F.cross_entropy(logits, target)
    torch.testing.assert_close(loss, expected)
    with pytest.raises(RuntimeError, match="size mismatch"):
        loss.backward()


def test_a_mask_of_classes_has_no_dimension_for_channels(device):
    """For logits of shape (N, C, H, W) and two classes or more `CrossEntropyLoss` takes class numbers of shape (N, H,
    W): a mask of (N, 1, H, W) raises RuntimeError "only batches of spatial targets supported (3D tensors) but got
    targets of dimension: 4".

    So does a mask of (N, H, W, 3), as an image file in colours gives it. Write `mask.squeeze(1).long()`: floats of
    shape (N, H, W) raise RuntimeError too. The classes of a one-hot mask are `mask.argmax(dim=1)`. Class numbers of
    shape (N,) raise it with "dimension: 1". A mask of another height or width raises "size mismatch".

    https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
    """
    logits = torch.zeros(2, 3, 4, 5, device=device)
    mask = torch.zeros(2, 1, 4, 5, dtype=torch.int64, device=device)

    for wrong in (mask, torch.zeros(2, 4, 5, 3, dtype=torch.int64, device=device)):
        with pytest.raises(RuntimeError, match=r"only batches of spatial targets supported .* dimension: 4"):
            F.cross_entropy(logits, wrong)
    with pytest.raises(RuntimeError, match=r"only batches of spatial targets supported .* dimension: 1"):
        F.cross_entropy(logits, mask[:, 0, 0, 0])
    with pytest.raises(RuntimeError, match="Expected floating point type for target with class probabilities"):
        F.cross_entropy(logits[:, :1], mask)  # a single class: the shape is that of probabilities
    with pytest.raises(RuntimeError, match="size mismatch"):
        F.cross_entropy(logits, mask[:, 0, :, :4])
    with pytest.raises(RuntimeError, match="Float"):
        F.cross_entropy(logits.cpu(), mask[:, 0].float().cpu())

    assert F.cross_entropy(logits, mask.squeeze(1).long(), reduction="none").shape == (2, 4, 5)
    one_hot = F.one_hot(mask[:, 0] + 2, 3).movedim(3, 1)
    assert one_hot.argmax(dim=1).unique().tolist() == [2]


def test_classes_are_the_second_dimension(device, rounding_bound):
    """For logits of three dimensions the classes are dimension 1: transpose the (N, T, C) of a sequence model to (N, C,
    T).

    With class numbers of shape (N, T), logits of shape (N, T, C) raise RuntimeError "Expected target size" if T is not
    C. If T is C, nothing is raised, and the loss can be wrong.
    `F.cross_entropy(logits.flatten(0, 1), targets.flatten())` works as well.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
    """
    logits = torch.arange(24.0, device=device).reshape(2, 4, 3).sin()  # 2 sequences of 4 steps, 3 classes
    targets = torch.tensor([[0, 1, 2, 2], [1, 0, 0, 2]], device=device)

    with pytest.raises(RuntimeError, match=r"Expected target size \[2, 3\], got \[2, 4\]"):
        F.cross_entropy(logits, targets)
    losses = F.cross_entropy(logits.transpose(1, 2), targets, reduction="none")

    step_by_step = F.cross_entropy(logits.reshape(8, 3), targets.reshape(8), reduction="none").reshape(2, 4)
    torch.testing.assert_close(losses, step_by_step, rtol=0, atol=rounding_bound(11, torch.float32) * 4)
    flat = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
    torch.testing.assert_close(flat, losses.mean(), rtol=0, atol=rounding_bound(20, torch.float32) * 4)
    silent = F.cross_entropy(logits[:, :3], targets[:, :3]).item()
    assert abs(silent - losses[:, :3].mean().item()) > 0.01


def test_cross_entropy_does_not_check_probabilities(device, rounding_bound):
    """`CrossEntropyLoss` checks no row of probabilities: rows that do not add up to 1 or contain negative numbers raise
    nothing, and the loss can be negative.

    The classes of probabilities are dimension 1, too: logits and probabilities of shape (N, T, C) raise nothing, and
    the loss can be wrong. Check `(targets.sum(dim=1) - 1).abs().max()` once.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
    """
    logits = torch.arange(24.0, device=device).reshape(2, 4, 3).sin()  # 2 sequences of 4 steps, 3 classes
    probabilities = logits.cos().softmax(dim=2)

    right = F.cross_entropy(logits[0], probabilities[0]).item()
    doubled = F.cross_entropy(logits[0], 2 * probabilities[0]).item()
    negative = F.cross_entropy(logits[0], -probabilities[0]).item()
    right_of_all = F.cross_entropy(logits.transpose(1, 2), probabilities.transpose(1, 2)).item()
    wrong_of_all = F.cross_entropy(logits, probabilities).item()

    bound = rounding_bound(24, torch.float32)
    assert doubled == pytest.approx(2 * right, rel=bound, abs=0)
    assert negative == pytest.approx(-right, rel=bound, abs=0)
    assert abs(wrong_of_all - right_of_all) > 0.1


@pytest.mark.parametrize("target", [3, -1, 255, -99])
def test_a_class_number_out_of_range_raises(target):
    """A class number below 0 or above C-1 raises IndexError on the CPU, unless it is `ignore_index`, by default -100.

    With classes numbered from 1, the last class raises it and no target is class 0. On CUDA it is "device-side assert
    triggered", often reported at a later line: run the batch on the CPU to see which class it is.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
    """
    with pytest.raises(IndexError, match=f"Target {target} is out of bounds"):
        nn.CrossEntropyLoss()(torch.zeros(2, 3), torch.tensor([0, target]))
    ignored = nn.CrossEntropyLoss(reduction="none")(torch.zeros(2, 3), torch.tensor([0, -100]))
    assert ignored[1].item() == 0


def test_ignore_index_leaves_rows_out_of_the_mean(device, rounding_bound):
    """Rows whose target is `ignore_index`, by default -100, add nothing to the loss and are not counted in its mean.

    It is there for padding. If their logits are finite, ignored rows get a gradient of 0. A batch that is all padding
    has a mean of nan. `NLLLoss` leaves such rows out, too. The ignored class still takes part in the softmax of the
    other rows. With rows of probabilities `ignore_index=1` raises RuntimeError "ignore_index is not supported for
    floating point target".

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
    logarithms = torch.tensor([[-2.0, -5.0], [-1.0, -3.0]], device=device)
    picked = nn.NLLLoss(ignore_index=1)(logarithms, torch.tensor([0, 1], device=device))
    assert picked.item() == 2
    with pytest.raises(RuntimeError, match="ignore_index is not supported for floating point target"):
        nn.CrossEntropyLoss(ignore_index=1)(logits, torch.ones_like(logits))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_an_ignored_row_of_nan_still_has_a_gradient_of_nan(device, bad):
    """`ignore_index` keeps a row whose logits are all nan or all inf out of the loss, but the gradient of that row is
    nan.

    The loss looks healthy, and the nan can reach the weights of the model in `backward()`. Mask what is computed on
    padding before the model, not only in the loss.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
    """
    logits = torch.tensor([[0.0, 16.0], [bad, bad], [64.0, 0.0]], device=device, requires_grad=True)

    loss = nn.CrossEntropyLoss()(logits, torch.tensor([0, -100, 1], device=device))
    loss.backward()

    assert round(loss.item(), 3) == (16 + 64) / 2
    assert logits.grad.isnan().tolist() == [[False, False], [True, True], [False, False]]


def test_label_smoothing_mixes_the_target_with_equal_shares(device, rounding_bound):
    """`label_smoothing=0.25` without a `weight` gives the loss of a target that is 3/4 one-hot and 1/4 spread evenly
    over all classes.

    Being right is then no longer free: a right logit of 256 costs 48 here. Training with smoothing and evaluating
    without it gives losses that cannot be compared. With a `weight` the sums agree, but the mean of class numbers
    divides by the weights of their classes and the mean of the mixed rows by the number of rows.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
    """
    logits = torch.tensor([[1.0, 2.0, 4.0, 0.0], [0.5, -1.0, 0.0, 3.0]], device=device)
    classes = torch.tensor([2, 0], device=device)

    smoothed = nn.CrossEntropyLoss(label_smoothing=0.25, reduction="none")(logits, classes)

    mixture = 0.75 * F.one_hot(classes, num_classes=4) + 0.25 / 4
    expected = F.cross_entropy(logits, mixture, reduction="none")
    torch.testing.assert_close(smoothed, expected, rtol=0, atol=rounding_bound(16, torch.float32) * 16)
    sure = torch.tensor([[0.0, 0.0, 256.0, 0.0]], device=device)
    assert nn.CrossEntropyLoss(label_smoothing=0.25)(sure, classes[:1]).item() == 3 / 16 * 256 == 48
    weight = torch.tensor([1.0, 2.0, 3.0, 4.0], device=device)  # the two classes have 3 and 1: a sum of 4 for 2 rows
    by_number = F.cross_entropy(logits, classes, weight=weight, label_smoothing=0.25)
    by_row = F.cross_entropy(logits, mixture, weight=weight)
    torch.testing.assert_close(4 * by_number, 2 * by_row, rtol=rounding_bound(32, torch.float32), atol=0)


def test_class_weights_scale_each_share_of_the_smoothing(device, rounding_bound):
    """With `label_smoothing` and a `weight`, `CrossEntropyLoss` multiplies the share of each class by the weight of
    that class, and not all shares by the weight of the target.

    A row whose target has weight 0 still has a loss here, from the shares of the other classes. Without smoothing its
    loss is 0. Over class numbers the mean divides by the weights of the targets, as it does without smoothing.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
    """
    logits = torch.tensor([[1.0, 2.0, 4.0, 0.0], [0.5, -1.0, 0.0, 3.0]], device=device)
    classes, weight = torch.tensor([2, 0], device=device), torch.tensor([1.0, 2.0, 0.0, 4.0], device=device)
    costs = -logits.log_softmax(dim=1)

    each = F.cross_entropy(logits, classes, weight=weight, label_smoothing=0.25, reduction="none")
    mean = F.cross_entropy(logits, classes, weight=weight, label_smoothing=0.25)

    near = {"rtol": rounding_bound(32, torch.float32), "atol": rounding_bound(32, torch.float32)}
    shares = 0.75 * F.one_hot(classes, num_classes=4) + 0.25 / 4
    torch.testing.assert_close(each, (weight * shares * costs).sum(dim=1), **near)
    torch.testing.assert_close(mean, each.sum() / weight[classes].sum(), **near)
    assert each[0] > 0
    assert F.cross_entropy(logits, classes, weight=weight, reduction="none")[0] == 0


# Weights and empty batches: what does the mean divide by?


def test_weighted_means_divide_by_different_things(device, rounding_bound):
    """With a `weight` the mean of `CrossEntropyLoss` of class numbers divides by the sum of the weights of the rows'
    classes, and the mean of `BCEWithLogitsLoss` divides by the number of elements.

    Doubling all weights leaves that cross entropy as it was and doubles the binary one. `NLLLoss` divides like
    `CrossEntropyLoss`. If all rows of a batch are of classes with weight 0, the mean is nan, because 0 / 0 is.

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
    assert F.cross_entropy(logits, classes * 0, weight=torch.tensor([0.0, 1.0], device=device)).isnan()
    assert cross_entropies == pytest.approx([(16 + 3 * 64) / 4] * 2, **near)
    assert binary == pytest.approx([(16 + 3 * 64) / 2, 16 + 3 * 64], **near)


def test_class_weights_of_probabilities_divide_by_the_number_of_rows(device, rounding_bound):
    """With a `weight`, logits of shape (N, C) and rows of probabilities the mean of `CrossEntropyLoss` divides by N.

    Class numbers and their one-hot rows then usually have different losses, and doubling all weights doubles the one of
    the rows. It happens when mixup or soft labels are added to a training with class weights.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
    """
    logits = torch.tensor([[0.0, 16.0], [64.0, 0.0]], device=device)
    classes = torch.tensor([0, 1], device=device)  # both wrong: the losses are 16 and 64
    weight = torch.tensor([1.0, 3.0], device=device)
    one_hot = F.one_hot(classes).float()

    by_number = F.cross_entropy(logits, classes, weight=weight).item()
    by_row = [F.cross_entropy(logits, one_hot, weight=scale * weight).item() for scale in (1, 2)]

    near = {"rel": rounding_bound(8, torch.float32), "abs": math.exp(-16)}
    assert by_number == pytest.approx((16 + 3 * 64) / 4, **near)
    assert by_row == pytest.approx([(16 + 3 * 64) / 2, 16 + 3 * 64], **near)


def test_the_mean_of_nothing_is_nan(device):
    """The mean of an empty batch is nan for `mse_loss`, `l1_loss`, `huber_loss`, `binary_cross_entropy` with and
    without logits, `nll_loss` and `cross_entropy`; one such batch turns a running total into nan.

    The sum of these losses is 0 then. Skip empty batches: `if len(targets):`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
    """
    nothing = torch.zeros(0, device=device)
    no_rows, no_classes = torch.zeros(0, 3, device=device), torch.zeros(0, dtype=torch.int64, device=device)

    means = [
        F.mse_loss(nothing, nothing),
        F.binary_cross_entropy_with_logits(nothing, nothing),
        F.l1_loss(nothing, nothing),
        F.huber_loss(nothing, nothing),
        F.binary_cross_entropy(nothing, nothing),
        F.nll_loss(no_rows, no_classes),
        F.cross_entropy(no_rows, no_classes),
    ]

    assert [math.isnan(mean.item()) for mean in means] == [True] * 7
    assert math.isnan(1.5 + means[0].item())
    binary = F.binary_cross_entropy, F.binary_cross_entropy_with_logits
    for loss_function in (F.mse_loss, F.l1_loss, F.huber_loss, *binary):
        assert loss_function(nothing, nothing, reduction="sum").item() == 0
    for loss_function in (F.nll_loss, F.cross_entropy):
        assert loss_function(no_rows, no_classes, reduction="sum").item() == 0


@pytest.mark.only("cpu", "cuda", "xpu", because="not seen on MPS")
def test_class_weights_are_one_number_a_class_in_the_dtype_of_the_logits(device):
    """The `weight` of `CrossEntropyLoss` is a tensor of one number for each class: two numbers for three classes raise
    RuntimeError "weight tensor should be defined either for all 3 classes".

    For class numbers its dtype must be that of the logits: for float32 logits, a weight of int64 or float64, as counts
    and NumPy give it, raises RuntimeError, and so does a float32 weight for bfloat16 logits ("expected scalar type
    BFloat16 but found Float" on the CPU). Write `weight.to(logits.dtype)`. A list raises TypeError. The weight is a
    buffer: `criterion.to(device)` moves it, and a state_dict has it.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
    """
    logits, classes = torch.zeros(2, 3, device=device), torch.tensor([0, 1], device=device)
    weight = torch.tensor([1.0, 2.0, 3.0], device=device)

    with pytest.raises(RuntimeError, match="weight tensor should be defined either for all 3 classes or no classes"):
        F.cross_entropy(logits, classes, weight=weight[:2])
    with pytest.raises(RuntimeError, match="weight tensor should be defined either for all"):
        F.cross_entropy(logits[:, :, None, None], classes[:, None, None], weight=weight[:2])
    for wrong in (weight.long(), weight.bfloat16()):
        with pytest.raises(RuntimeError, match="expected scalar type Float but found"):
            F.cross_entropy(logits, classes, weight=wrong)
    with pytest.raises(RuntimeError, match="expected scalar type Float but found Double"):
        F.cross_entropy(logits.cpu(), classes.cpu(), weight=weight.cpu().double())
    with pytest.raises(RuntimeError, match="expected scalar type BFloat16 but found Float"):
        F.cross_entropy(logits.cpu().bfloat16(), classes.cpu(), weight=weight.cpu())
    with pytest.raises(TypeError, match="cannot assign 'list' object to buffer 'weight'"):
        nn.CrossEntropyLoss(weight=[1.0, 2.0, 3.0])

    halves = logits.cpu().bfloat16()
    assert F.cross_entropy(halves, classes.cpu(), weight=weight.cpu().to(halves.dtype)).dtype == torch.bfloat16
    criterion = nn.CrossEntropyLoss(weight=weight)
    assert list(criterion.state_dict()) == ["weight"]
    assert criterion.to("meta").weight.device.type == "meta"


# Targets of another dtype: which losses take float64?


def test_a_float64_target_makes_a_float64_loss():
    """float64 targets, as they come from NumPy, make the loss of `MSELoss`, `L1Loss`, `SmoothL1Loss` and
    `BCEWithLogitsLoss` of float32 predictions float64 silently.

    On the CPU `BCELoss` raises RuntimeError "Found dtype Double but expected Float". Write
    `torch.from_numpy(array).float()`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.MSELoss.html
    """
    # Only on the CPU: not every accelerator has float64.
    predictions = torch.tensor([0.25, 0.75])
    targets = torch.from_numpy(np.array([0.0, 1.0]))

    for loss_function in (nn.MSELoss(), nn.L1Loss(), nn.SmoothL1Loss(), nn.BCEWithLogitsLoss()):
        assert loss_function(predictions, targets).dtype == torch.float64
        assert loss_function(predictions, targets.float()).dtype == torch.float32
    with pytest.raises(RuntimeError, match="Found dtype Double but expected Float"):
        nn.BCELoss()(predictions, targets)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_a_half_precision_target_makes_bce_with_logits_half_precision(dtype):
    """`BCEWithLogitsLoss` of float32 logits and float16 or bfloat16 targets returns a loss in the dtype of the targets
    silently, and `MSELoss` and `L1Loss` return float32.

    The loss 100.7 is logged as 100.5 if the targets are bfloat16, and a float16 loss of 65520 or more is inf: write
    `targets.float()`. In the same way float64 logits and float32 targets have a float32 loss.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html
    """
    logits, targets = torch.tensor([100.7]), torch.tensor([0.0], dtype=dtype)

    loss = nn.BCEWithLogitsLoss()(logits, targets)

    assert loss.dtype == dtype
    assert loss.item() == torch.tensor(100.7, dtype=dtype).item() != logits.item()
    assert torch.tensor(100.7, dtype=torch.bfloat16).item() == 100.5
    assert nn.BCEWithLogitsLoss()(logits, targets.float()).item() == logits.item()
    assert nn.BCEWithLogitsLoss(reduction="sum")(torch.tensor([65520.0]), targets.half()).item() == math.inf
    assert nn.MSELoss()(logits, targets).dtype == nn.L1Loss()(logits, targets).dtype == torch.float32
    assert nn.BCEWithLogitsLoss()(logits.double(), targets.float()).dtype == torch.float32


@pytest.mark.parametrize("dtype", [torch.float64, torch.int64], ids=str)
def test_huber_loss_of_two_dtypes_raises_in_backward(dtype):
    """`HuberLoss` of float32 predictions and float64 or int64 targets returns a float32 loss, and `backward()` raises
    RuntimeError "Found dtype Double but expected Float" or "Found dtype Long but expected Float".

    The error names a dtype and comes from the backward pass, far from the line with the target. Write
    `targets.float()`. `L1Loss` of the same tensors has a float32 gradient.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.HuberLoss.html
    """
    predictions = torch.tensor([0.25, 0.75], requires_grad=True)
    targets = torch.tensor([0, 1], dtype=dtype)

    loss = nn.HuberLoss()(predictions, targets)
    name = {torch.float64: "Double", torch.int64: "Long"}[dtype]
    with pytest.raises(RuntimeError, match=f"Found dtype {name} but expected Float"):
        loss.backward()
    nn.L1Loss()(predictions, targets).backward()

    assert loss.dtype == torch.float32
    assert predictions.grad.dtype == torch.float32
    assert predictions.grad.tolist() == [0.5, -0.5]


@pytest.mark.holds("torch>=2.12", otherwise=RuntimeError, change="new", concerns="torch.nn.MSELoss?")
@pytest.mark.parametrize("dtype", [torch.float64, torch.int64], ids=str)
def test_mse_of_float32_and_float64_can_be_differentiated(dtype):
    """From torch 2.12 on `backward()` of `MSELoss` works with float32 predictions and float64 or int64 targets, and
    gives a float32 gradient.

    Older releases compute the loss and raise RuntimeError "Found dtype Double but expected Float", or Long, in
    `backward()`: write `targets.float()`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.MSELoss.html
    """
    # Only on the CPU: not every accelerator has float64.
    predictions = torch.tensor([0.25, 0.75], requires_grad=True)
    nn.MSELoss()(predictions, torch.tensor([0, 1], dtype=dtype)).backward()

    assert predictions.grad.tolist() == [0.25, -0.25]
    assert predictions.grad.dtype == torch.float32


# Divergences and rarer losses: what else is in torch.nn?


def test_kl_div_loss_takes_logarithms_and_its_mean_is_not_the_divergence(device, rounding_bound):
    """`KLDivLoss(reduction="batchmean")` of log-probabilities and probabilities of shape (N, C) is the mean divergence
    of the rows; the default `reduction="mean"` divides by C as well.

    The prediction comes first, as logarithms: `nn.KLDivLoss(reduction="batchmean")(logits.log_softmax(dim=1), target)`.
    A divergence is never negative. A negative loss may come from probabilities or logits in place of logarithms, or
    from a target that does not add up to 1. A negative number in a target of probabilities gives nan silently. Pass
    `log_target=True` if the target is logarithms too. The default warns about "batchmean". `MSELoss` does not know
    "batchmean" and raises ValueError when it is called.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.KLDivLoss.html
    """
    predicted = torch.tensor([[0.25, 0.75], [0.5, 0.5]], device=device)
    true = torch.tensor([[0.5, 0.5], [0.5, 0.5]], device=device)

    divergence = nn.KLDivLoss(reduction="batchmean")(predicted.log(), true)
    with pytest.warns(UserWarning, match="batchmean"):
        mean = nn.KLDivLoss()(predicted.log(), true)

    assert F.kl_div(predicted, true, reduction="batchmean").item() < 0
    assert F.kl_div(predicted + 5, true, reduction="batchmean").item() < 0
    assert F.kl_div(predicted.log(), true / 2, reduction="batchmean").item() < 0
    assert F.kl_div(predicted.log(), true - 0.75, reduction="batchmean").isnan()
    both_logarithms = F.kl_div(predicted.log(), true.log(), reduction="batchmean", log_target=True)
    with pytest.raises(ValueError, match="batchmean is not a valid value"):
        nn.MSELoss(reduction="batchmean")(predicted, true)
    expected = (0.5 * math.log(0.5 / 0.25) + 0.5 * math.log(0.5 / 0.75)) / 2
    bound = rounding_bound(8, torch.float32)  # times the sum of the terms, which is below 2
    assert divergence.item() == pytest.approx(expected, rel=0, abs=bound * 2)
    assert both_logarithms.item() == pytest.approx(expected, rel=0, abs=bound * 2)
    assert mean.item() == pytest.approx(expected / 2, rel=0, abs=bound * 2)


def test_batchmean_divides_by_the_first_dimension(device, rounding_bound):
    """In `KLDivLoss` `reduction="batchmean"` divides by the size of the first dimension, also without a batch: of one
    distribution of shape (C,) it returns the divergence divided by C.

    For a single distribution use `reduction="sum"`, or give it a batch dimension with `unsqueeze(0)`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.KLDivLoss.html
    """
    logarithms = torch.tensor([0.25, 0.75], device=device).log()
    target = torch.tensor([0.5, 0.5], device=device)

    without_batch = F.kl_div(logarithms, target, reduction="batchmean").item()
    total = F.kl_div(logarithms, target, reduction="sum").item()
    with_batch = F.kl_div(logarithms.unsqueeze(0), target.unsqueeze(0), reduction="batchmean").item()

    divergence = 0.5 * math.log(0.5 / 0.25) + 0.5 * math.log(0.5 / 0.75)
    bound = rounding_bound(8, torch.float32) * 2  # the terms add up to less than 2
    assert [total, with_batch] == pytest.approx([divergence] * 2, rel=0, abs=bound)
    assert without_batch == pytest.approx(divergence / 2, rel=0, abs=bound)


def test_the_mean_of_ctc_divides_by_the_length_of_each_target(rounding_bound):
    """The default mean of `CTCLoss` divides the loss of each sequence by the length of its target, before it takes the
    mean over the batch.

    It is not `reduction="sum"` divided by the batch size. The loss of an empty target is divided by 1. Of a batch
    `CTCLoss` wants logarithms of probabilities of shape (T, N, C), time first. It does not check that they are
    logarithms of probabilities: of logits it can be negative. Class 0 is the blank, and not a letter, unless you pass
    `blank=`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.CTCLoss.html
    """
    # On the CPU: not every accelerator has it. 4 steps, 2 sequences, 3 classes, each of which is equally likely.
    logarithms = torch.full((4, 2, 3), 1 / 3).log()
    targets, steps, letters = torch.tensor([[1, 2], [1, 0]]), torch.tensor([4, 4]), torch.tensor([2, 1])

    each = F.ctc_loss(logarithms, targets, steps, letters, reduction="none")
    mean = F.ctc_loss(logarithms, targets, steps, letters)

    near = {"rel": rounding_bound(32, torch.float32), "abs": 0}
    # "12" can be spread over four steps in 15 ways and "1" in 10, of 81 in all.
    assert each.tolist() == pytest.approx([-math.log(15 / 81), -math.log(10 / 81)], **near)
    assert mean.item() == pytest.approx((each[0].item() / 2 + each[1].item() / 1) / 2, **near)
    total = F.ctc_loss(logarithms, targets, steps, letters, reduction="sum").item()
    assert total == pytest.approx(each.sum().item(), **near)
    assert F.ctc_loss(torch.full((4, 2, 3), 5.0), targets, steps, letters).item() < 0
    assert abs(mean.item() - total / 2) > 0.3
    without = F.ctc_loss(logarithms, targets, steps, torch.tensor([2, 0])).item()
    assert without == pytest.approx((each[0].item() / 2 + 4 * math.log(3)) / 2, **near)
    sure = torch.tensor([[0.0, 64.0, 0.0], [64.0, 0.0, 0.0]]).log_softmax(dim=1)  # of class 1, and then of class 0
    one = sure, torch.tensor([1]), torch.tensor(2), torch.tensor(1)
    assert [round(F.ctc_loss(*one).item()), round(F.ctc_loss(*one, blank=2).item())] == [0, 63]


def test_ctc_loss_is_inf_if_the_target_does_not_fit():
    """On the CPU `CTCLoss` is inf, and its gradient by the logits nan, for a target that needs more steps than the
    input has; with `zero_infinity=True` both are 0.

    A target needs a step for each letter, and one more for the blank between two equal letters: "11" needs three. One
    such sequence makes the mean of the batch inf. `zero_infinity=True` counts it as 0 in the mean, without a word:
    count how many there are first.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.CTCLoss.html
    """

    def loss_of(target, steps, **options):
        logits = torch.zeros(steps, 3, requires_grad=True)
        lengths = torch.tensor(steps), torch.tensor(len(target))
        loss = F.ctc_loss(logits.log_softmax(dim=1), torch.tensor(target), *lengths, **options)
        loss.backward()
        return loss.item(), logits.grad

    fits = {(target, steps): loss_of(target, steps)[0] < math.inf for target in [(1, 2), (1, 1)] for steps in (1, 2, 3)}

    assert [key for key, value in fits.items() if value] == [((1, 2), 2), ((1, 2), 3), ((1, 1), 3)]
    loss, gradient = loss_of((1, 1), steps=2)
    assert (loss, gradient.isnan().all().item()) == (math.inf, True)
    loss, gradient = loss_of((1, 1), steps=2, zero_infinity=True)
    assert (loss, gradient.tolist()) == (0, [[0, 0, 0], [0, 0, 0]])
    pair = (
        torch.full((2, 2, 3), 1 / 3).log(),
        torch.tensor([[1, 2], [1, 1]]),
        torch.tensor([2, 2]),
        torch.tensor([2, 2]),
    )
    assert F.ctc_loss(*pair).item() == math.inf
    fitting = F.ctc_loss(*pair, reduction="none")[0].item() / 2  # by the length of its target
    assert F.ctc_loss(*pair, zero_infinity=True).item() == fitting / 2  # and by two sequences


@pytest.mark.holds(
    "torch>=2.4",
    otherwise=AssertionError,
    change="raises",
    concerns=("torch.nn.TripletMarginLoss(margin=0)", "torch.nn.functional.triplet_margin_loss(margin=0)"),
)
@pytest.mark.parametrize("margin", [0.0, -1.0])
def test_a_triplet_loss_wants_a_margin_above_0(device, margin):
    """From torch 2.4 on `TripletMarginLoss` and its function with a margin of 0 or less raise ValueError, which says
    that the margin must be greater than 0.

    Older releases compute with such a margin.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.TripletMarginLoss.html
    """
    x = torch.tensor([[1.0, 2.0]], device=device)

    with pytest.raises(ValueError, match="margin must be greater than 0"):
        F.triplet_margin_loss(x, x, x + 1, margin=margin)
    with pytest.raises(ValueError, match="expected margin to be greater than 0"):
        nn.TripletMarginLoss(margin=margin)


def test_ranking_losses_want_targets_of_minus_one_and_one(device):
    """`CosineEmbeddingLoss` and `MarginRankingLoss` take the targets 1 and -1: for a target of 0 the loss does not
    depend on the input, the gradient is 0, and nothing raises.

    With labels 0 and 1 the model learns from the rows with label 1 alone. Write `2 * labels - 1`. The loss of a target
    of 0 is 0 from `CosineEmbeddingLoss` and the margin from `MarginRankingLoss`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.CosineEmbeddingLoss.html
    """
    x = torch.tensor([[1.0, 0.5]], device=device, requires_grad=True)
    y = torch.tensor([[0.5, 1.0]], device=device)
    embedding, ranking = nn.CosineEmbeddingLoss(), nn.MarginRankingLoss(margin=4.0)

    for label in (0.0, 1.0, -1.0):
        target = torch.full((1,), label, device=device)
        for loss in (embedding(x, y, target), ranking(x, y, target.expand(1, 2))):
            (slope,) = torch.autograd.grad(loss, x)
            assert (slope != 0).any().item() is (label != 0)
    zero = torch.zeros(1, device=device)
    assert (embedding(x, y, zero).item(), ranking(x, y, zero.expand(1, 2)).item()) == (0, 4)


X = [[0.5, -1.0, 3.0], [-0.25, 2.0, 0.125]]
Y = [[1.0, 0.0, 1.0], [0.0, 0.5, 1.0]]


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(
    ("loss_class", "function", "arguments", "settings"),
    [
        (nn.KLDivLoss, F.kl_div, [X, Y], {"log_target": True}),
        (nn.PoissonNLLLoss, F.poisson_nll_loss, [X, Y], {"full": True}),
        (nn.GaussianNLLLoss, F.gaussian_nll_loss, [X, Y, [[1.0], [2.0]]], {"eps": 0.5}),
        (nn.HingeEmbeddingLoss, F.hinge_embedding_loss, [X, [[1, -1, 1]]], {"margin": 2.0}),
        (nn.SoftMarginLoss, F.soft_margin_loss, [X, [[1, -1, 1]] * 2], {}),
        (nn.MarginRankingLoss, F.margin_ranking_loss, [X, Y, [[1, -1, 1]]], {"margin": 0.5}),
        (nn.CosineEmbeddingLoss, F.cosine_embedding_loss, [X, Y, [1, -1]], {"margin": 0.5}),
        (nn.MultiMarginLoss, F.multi_margin_loss, [X, [2, 0]], {"p": 2}),
        (nn.MultiLabelMarginLoss, F.multilabel_margin_loss, [X, [[0, -1, 0], [2, 1, -1]]], {}),
        (nn.MultiLabelSoftMarginLoss, F.multilabel_soft_margin_loss, [X, Y], {}),
        (nn.TripletMarginLoss, F.triplet_margin_loss, [X, Y, X[::-1]], {"margin": 2.0}),
        (
            nn.TripletMarginWithDistanceLoss,
            F.triplet_margin_with_distance_loss,
            [X, Y, X[::-1]],
            {"distance_function": nn.PairwiseDistance(), "swap": True},
        ),
        (nn.CTCLoss, F.ctc_loss, [[X, X, X], [[1], [2]], [3, 3], [1, 1]], {"blank": 0}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides the total loss:UserWarning")
def test_the_rarer_loss_classes_agree_with_their_functions(loss_class, function, arguments, settings, reduction):
    """`KLDivLoss`, `CTCLoss`, `TripletMarginLoss` and ten other loss classes return the same numbers as their functions
    in `torch.nn.functional`, for each reduction.

    With the eight classes of the note on classes and functions these are the losses that `torch.nn` had in torch 2.0,
    except `NLLLoss2d`, an old name of `NLLLoss`, and `AdaptiveLogSoftmaxWithLoss`, a layer with weights of its own.

    https://docs.pytorch.org/docs/stable/nn.html#loss-functions
    """
    # On the CPU: not every accelerator has all of them.
    tensors = [torch.tensor(numbers) for numbers in arguments]

    from_class = loss_class(reduction=reduction, **settings)(*tensors)
    from_function = function(*tensors, reduction=reduction, **settings)

    assert from_class.tolist() == from_function.tolist()
    assert len(list(nn.AdaptiveLogSoftmaxWithLoss(4, 4, [2]).parameters())) > 0
    losses = {name for name in dir(nn) if "Loss" in name}
    assert {"NLLLoss2d", "AdaptiveLogSoftmaxWithLoss", loss_class.__name__} < losses
    assert issubclass(nn.NLLLoss2d, nn.NLLLoss)
    # 8 + 13 + 2; the newer one has a note of its own
    assert len(losses - {"LinearCrossEntropyLoss"}) == 23


@pytest.mark.holds(
    "torch>=2.13",
    otherwise=AttributeError,
    change="new",
    concerns=("torch.nn.functional.linear_cross_entropy", "torch.nn.LinearCrossEntropyLoss"),
)
def test_linear_cross_entropy_is_a_linear_layer_and_cross_entropy(device, rounding_bound):
    """From torch 2.13 on `F.linear_cross_entropy(x, weight, target)` for `x` of shape (N, D) returns the loss and the
    gradients of `F.cross_entropy(F.linear(x, weight), target)`, up to rounding.

    Here `target` holds class numbers. A sequence of shape (N, T, D) raises RuntimeError: write `x.flatten(0, 1)` and
    `target.flatten()`. The layer in `nn.LinearCrossEntropyLoss` has no bias by default. In older releases write the two
    steps.

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
    with pytest.raises(RuntimeError, match="expected input with dimensionality 1 or 2, got 3"):
        F.linear_cross_entropy(x[None], weight, target[None])
    sequence, targets = x[None].flatten(0, 1), target[None].flatten()
    torch.testing.assert_close(F.linear_cross_entropy(sequence, weight, targets), two_steps, **near)


# Half precision: since when, and how exact?


def test_accelerators_compute_losses_in_float16(accelerator):
    """Accelerators compute `MSELoss`, `BCEWithLogitsLoss` and `CrossEntropyLoss` and their gradients in float16.

    A float16 loss of 65520 or more is inf, and squares get there early, like that of 1000: compute losses in float32.

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


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("loss_class", [nn.L1Loss, nn.HuberLoss])
def test_l1_and_huber_train_in_half_precision_on_the_cpu(dtype, loss_class):
    """`L1Loss` and `HuberLoss` have a value and a gradient in float16 and bfloat16 on the CPU.

    They do in each release from torch 2.0 on. For `MSELoss`, `CrossEntropyLoss` and the two binary losses it depends on
    the release, as the next notes show.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.HuberLoss.html
    """
    predictions, targets = torch.tensor([1, 5], dtype=dtype), torch.tensor([3, 4], dtype=dtype)

    loss, gradient = loss_and_gradient(loss_class(), predictions, targets)

    assert loss.dtype == gradient.dtype == dtype
    assert loss.item() == {nn.L1Loss: (2 + 1) / 2, nn.HuberLoss: (1.5 + 0.5) / 2}[loss_class]
    assert gradient.tolist() == [-0.5, 0.5]


@pytest.mark.holds("torch>=2.6", otherwise=(RuntimeError, UserWarning), change="new", concerns="torch.nn.MSELoss?")
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_mse_trains_in_half_precision_on_the_cpu(dtype):
    """From torch 2.6 on `MSELoss` has a value and a gradient in float16 and bfloat16 on the CPU.

    Up to 2.5 `MSELoss` raises RuntimeError in bfloat16, and in float16 it raises in `backward()`: write
    `F.mse_loss(predictions.float(), targets.float())`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.MSELoss.html
    """
    predictions, targets = torch.tensor([1, 5, 2, 0], dtype=dtype), torch.tensor([3, 4, 2, 1], dtype=dtype)

    loss, gradient = loss_and_gradient(nn.MSELoss(), predictions, targets)

    assert loss.dtype == gradient.dtype == dtype
    assert loss.item() == (4 + 1 + 0 + 1) / 4
    assert gradient.tolist() == [-1, 0.5, 0, -0.5]


def test_cross_entropy_takes_bfloat16_on_the_cpu(rounding_bound):
    """`softmax`, `log_softmax` and `CrossEntropyLoss` compute in bfloat16 on the CPU and return bfloat16.

    They do in each release from torch 2.0 on; float16 came later. bfloat16 has 8 significant bits: a loss of 3.17 is
    rounded to a multiple of 1/64. Write `logits.float()` for a loss in float32.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
    """
    logits, target = torch.tensor([[1, 2, 4]], dtype=torch.bfloat16), torch.tensor([0])

    loss = nn.CrossEntropyLoss()(logits, target)

    assert logits.softmax(dim=1).dtype == logits.log_softmax(dim=1).dtype == loss.dtype == torch.bfloat16
    exact = F.cross_entropy(logits.float(), target).item()
    assert round(exact, 2) == 3.17
    assert loss.item() == pytest.approx(exact, rel=0, abs=rounding_bound(4, torch.bfloat16) * (4 + 1))
    assert (64 * loss).item() % 1 == 0


@pytest.mark.holds("torch>=2.2", otherwise=RuntimeError, change="new", concerns="torch.float16")
def test_softmax_takes_float16_on_the_cpu(rounding_bound):
    """From torch 2.2 on `softmax`, `log_softmax` and the cross entropy of rows of probabilities compute in float16 on
    the CPU.

    Up to 2.1 they raise RuntimeError: write `logits.float()` if older releases have to run it. `CrossEntropyLoss` of
    class numbers takes float16 from 2.4 on, as the next note shows.

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


@pytest.mark.holds("torch>=2.4", otherwise=RuntimeError, change="new", concerns="torch.float16")
def test_cross_entropy_takes_float16_on_the_cpu(rounding_bound):
    """From torch 2.4 on `CrossEntropyLoss` of class numbers takes float16 logits on the CPU and returns a float16 loss.

    Up to 2.3 it raises RuntimeError: write `logits.float()` if older releases have to run it.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
    """
    loss = nn.CrossEntropyLoss()(torch.tensor([[1, 2, 4]], dtype=torch.float16), torch.tensor([1]))

    expected = math.log(math.exp(1) + math.exp(2) + math.exp(4)) - 2
    assert loss.dtype == torch.float16
    assert loss.item() == pytest.approx(expected, rel=0, abs=rounding_bound(4, torch.float16) * (4 + 2))


@pytest.mark.holds("torch>=2.1", otherwise=RuntimeError, change="new", concerns="torch.float16")
def test_bce_with_logits_stays_exact_in_float16_on_the_cpu(rounding_bound):
    """From torch 2.1 on `BCEWithLogitsLoss` takes float16 on the CPU, and wrong logits from 20 to 10000 cost their size
    with a gradient of 1 or -1.

    torch 2.0 raises RuntimeError: write `logits.float()` if 2.0 has to run it.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html
    """
    logits = torch.tensor([1, 10, 20, 40, 89, 100, 200, 1e4], dtype=torch.float16)
    loss, gradient = loss_and_gradient(with_logits, logits, torch.zeros_like(logits))
    mirrored_loss, mirrored_gradient = loss_and_gradient(with_logits, -logits, torch.ones_like(logits))

    exact = logits.double()
    bound = rounding_bound(8, torch.float16)
    for losses, slopes in ((loss, gradient), (mirrored_loss, -mirrored_gradient)):
        torch.testing.assert_close(losses, torch.logaddexp(exact, 0 * exact).half(), rtol=bound, atol=0)
        torch.testing.assert_close(slopes, exact.sigmoid().half(), rtol=bound, atol=0)
        assert losses[2:].tolist() == logits[2:].tolist()
        assert slopes[2:].tolist() == [1, 1, 1, 1, 1, 1]


@pytest.mark.holds("torch>=2.4", otherwise=RuntimeError, change="new", concerns="torch.float16")
@pytest.mark.parametrize(
    ("dtype", "first", "gradient_there"),
    [(torch.float16, 9, "nan"), (torch.bfloat16, 7, "0.0")],
    ids=["float16", "bfloat16"],
)
def test_bce_loss_in_half_precision_on_the_cpu_has_no_gradient(rounding_bound, dtype, first, gradient_there):
    """From torch 2.4 on `BCELoss` takes half precision on the CPU, and charges the sigmoid of a logit of 10 for a
    target of 0 with 100, with a gradient by the logit of 0 in bfloat16 and nan in float16.

    The sigmoid is rounded to 1, in bfloat16 from a logit of 7 on. For a target of 1 a logit of -10 still costs 10. The
    nan comes from 1e-12, by which `BCELoss` divides instead of 0: float16 rounds it to 0. Up to 2.3 `BCELoss` raises
    RuntimeError.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BCELoss.html
    """
    logits = torch.tensor([first, 10, 20, 1e4], dtype=dtype)
    loss, gradient = loss_and_gradient(sigmoid_then_bce, logits, torch.zeros_like(logits))
    mirrored = sigmoid_then_bce(torch.tensor(-10, dtype=dtype), torch.tensor(1, dtype=dtype))

    assert torch.tensor(1e-12, dtype=torch.float16).item() == 0
    assert loss.dtype == gradient.dtype == dtype
    assert loss.tolist() == [100, 100, 100, 100]
    assert [str(slope) for slope in gradient.tolist()] == [gradient_there] * 4
    assert mirrored.item() == pytest.approx(math.log1p(math.exp(10)), rel=rounding_bound(2, dtype), abs=0)


# Rounding: how exact are the losses, and what happens at infinity?


WRONG = [20.0, 40.0, 89.0, 100.0, 200.0, 1e4]
"""How far from 0 a logit is that says with great confidence the wrong class."""

small_numbers = st.floats(-1e4, 1e4, width=32)


def textbook(logits, targets):
    """The binary cross entropy as a textbook writes it."""
    probabilities = torch.sigmoid(logits)
    return -(targets * probabilities.log() + (1 - targets) * (1 - probabilities).log())


def test_bce_loss_of_certainty(device, rounding_bound):
    """In float32 `BCELoss` takes log(0) for -100: a probability of 0 or 1 costs 100 if it is wrong and 0 if it is
    right.

    The plain formula gives inf and nan there. The gradient by a wrong probability is 1e12 in size, but the gradient by
    a wrong logit of 100 before the sigmoid is 0.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BCELoss.html
    """
    probabilities = torch.tensor([1.0, 0.0, 0.0, 1.0], device=device)
    targets = torch.tensor([0.0, 1.0, 0.0, 1.0], device=device)
    loss, gradient = loss_and_gradient(nn.BCELoss(reduction="none"), probabilities, targets)

    assert loss.tolist() == [100, 100, 0, 0]
    assert gradient.tolist() == pytest.approx([1e12, -1e12, 0, 0], rel=rounding_bound(4, torch.float32), abs=0)
    plain = -(targets * probabilities.log() + (1 - targets) * (1 - probabilities).log())
    assert [str(number) for number in plain.tolist()] == ["inf", "inf", "nan", "nan"]
    sure, no = torch.tensor([100.0], device=device), torch.tensor([0.0], device=device)
    assert loss_and_gradient(sigmoid_then_bce, sure, no)[1].item() == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
def test_the_textbook_formula_is_inf_when_wrong_and_nan_when_right(device, dtype):
    """`-(y * log(p) + (1 - y) * log(1 - p))` of a sigmoid that is rounded to 1 is inf if y is 0 and nan if y is 1.

    The gradient by the logit is nan in both cases, and one step of SGD turns both weights of a Linear layer before it
    into nan. Use `BCEWithLogitsLoss` instead of the formula.

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
    layer = nn.Linear(2, 1).to(device)
    textbook(layer(torch.tensor([[1e4, 1.0]], device=device)).abs() + 1e3, torch.ones(1, 1, device=device)).backward()
    torch.optim.SGD(layer.parameters(), lr=1e-3).step()
    assert layer.weight.isnan().tolist() == [[True, True]]
    for gradient in (wrong_gradient, right_gradient, mirrored_gradient):
        assert gradient.isnan().all()


@given(pairs=st.lists(st.tuples(small_numbers, st.floats(0, 1, width=32)), min_size=1, max_size=5))
def test_bce_with_logits_is_exact_for_every_logit(device, rounding_bound, pairs):
    """For logits x between -10000 and 10000 and targets y from 0 to 1, `BCEWithLogitsLoss` is log(1 + e^x) - x*y with
    the gradient sigmoid(x) - y, up to rounding in float32.

    The rounding is relative to the size of x: a tiny loss of a large logit may be rounded to 0.

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


@pytest.mark.holds(
    "torch>=2.3",
    otherwise=AssertionError,
    change="result",
    concerns=("torch.nn.BCEWithLogitsLoss", "torch.nn.functional.binary_cross_entropy_with_logits"),
)
def test_a_confident_right_yes_costs_its_tiny_true_value(device, rounding_bound):
    """From torch 2.3 on, in float32, `BCEWithLogitsLoss` of a logit of 20 for a target of 1 is 2.06e-9, as it should
    be, and of a logit of -20 for a target of 0 exactly 0.

    The loss is computed as `(1 - y) * x - logsigmoid(x)`: for y = 0 two large numbers cancel, and e^-20 is lost. Up to
    2.2 both are exactly 0. A logged loss of 0 does not mean that the model is perfect.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html
    """
    logits, targets = torch.tensor([20.0, -20.0], device=device), torch.tensor([1.0, 0.0], device=device)

    yes, no = nn.BCEWithLogitsLoss(reduction="none")(logits, targets).tolist()

    assert yes == pytest.approx(math.log1p(math.exp(-20)), rel=rounding_bound(8, torch.float32), abs=0)
    assert f"{yes:.2e}" == "2.06e-09"
    assert no == 0


@given(logits=st.lists(small_numbers, min_size=1, max_size=5))
def test_a_second_sigmoid_keeps_the_loss_above_its_floor_for_every_logit(device, rounding_bound, logits):
    """For logits between -10000 and 10000, a sigmoid before `BCEWithLogitsLoss` keeps the loss between log(1 + 1/e) and
    log(2) for a target of 1, and between log(2) and log(1 + e) for a target of 0, up to rounding.

    That is 0.31 to 0.69 and 0.69 to 1.31: a binary loss that never leaves this range can be a sign of a second sigmoid.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html
    """
    probabilities = torch.sigmoid(torch.tensor(logits, device=device))
    ones, zeros = torch.ones_like(probabilities), torch.zeros_like(probabilities)

    assert [round(x, 2) for x in (math.log1p(1 / math.e), math.log(2), math.log1p(math.e))] == [0.31, 0.69, 1.31]
    rounding = 1 - rounding_bound(8, torch.float32)
    assert (with_logits(probabilities, ones) >= math.log1p(math.exp(-1)) * rounding).all()
    assert (with_logits(probabilities, zeros) >= math.log(2) * rounding).all()
    assert (with_logits(probabilities, ones) <= math.log(2) / rounding).all()
    assert (with_logits(probabilities, zeros) <= math.log1p(math.e) / rounding).all()


@given(
    logits=st.lists(
        st.one_of(small_numbers, st.floats(-(2**-10), 2**-10, width=32)).filter(lambda x: abs(x) >= 2**-20),
        min_size=1,
        max_size=5,
    )
)
def test_half_a_probability_is_a_logit_of_zero_for_every_logit(device, logits):
    """In float32 the sigmoid of a logit between -10000 and 10000 is above 0.5 if the logit is above 0, and below 0.5 if
    it is below 0, unless the logit is within a millionth of 0.

    In bfloat16 the sigmoid of a logit of 0.001 is 0.5. Compare the logits with 0, not the probabilities with 0.5.

    https://docs.pytorch.org/docs/stable/generated/torch.sigmoid.html
    """
    # Near 0 the sigmoid is 0.5 + x/4, and 2**-20 / 4 is four roundings of a number near 0.5.
    x = torch.tensor(logits, device=device)

    assert torch.equal(torch.sigmoid(x) > 0.5, x > 0)
    assert torch.equal(torch.sigmoid(x) < 0.5, x < 0)
    assert torch.sigmoid(torch.tensor(0.001, dtype=torch.bfloat16)).item() == 0.5


@given(logits=st.lists(small_numbers, min_size=1, max_size=5), target=st.integers(0, 4), shift=st.integers(-1000, 1000))
def test_cross_entropy_is_exact_for_every_logit(device, rounding_bound, logits, target, shift):
    """For one to five logits between -10000 and 10000, `CrossEntropyLoss` is log(sum of e^x) - x[class] with the
    gradient softmax minus one-hot, up to rounding in float32.

    Adding a constant of up to 1000 to all logits of a row changes nothing but the rounding. Adding 1e9 in float32 wipes
    out differences of 1 or 2, and the loss is that of equal logits; a difference of 10000 becomes 9984.

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
    drowned = nn.CrossEntropyLoss()(torch.tensor([[0.0, 1.0, 2.0]], device=device) + 1e9, y.new_zeros(1).to(device))
    assert drowned.item() == pytest.approx(math.log(3), rel=rounding_bound(11, torch.float32), abs=0)
    assert nn.CrossEntropyLoss()(torch.tensor([[0.0, 10000.0]], device=device) + 1e9, y.new_zeros(1).to(device)) == 9984
    # An error in a logit, relative to the largest, is an error in the exponent.
    one_hot = F.one_hot(y, len(logits))
    assert ((gradient.cpu() - (exact.softmax(dim=1) - one_hot)).abs() <= bound * size).all()


def test_cross_entropy_of_huge_logits_is_exact_where_log_of_softmax_is_inf(device):
    """`CrossEntropyLoss` of the logits 10000, -10000 and 0 is 20000 if the second class is right; minus the log of the
    softmax is inf.

    `torch.log(torch.softmax(x, dim=1))` loses what `F.log_softmax(x, dim=1)` keeps. If the first class is right, the
    loss is 0.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.log_softmax.html
    """
    logits, targets = torch.tensor([[1e4, -1e4, 0.0]], device=device), torch.tensor([1], device=device)

    loss, gradient = loss_and_gradient(nn.CrossEntropyLoss(), logits, targets)

    assert loss.item() == 20000
    assert gradient.tolist() == [[1, -1, 0]]
    assert -logits.softmax(dim=1).log()[0, 1].item() == math.inf
    assert -logits.log_softmax(dim=1)[0, 1].item() == 20000
    assert nn.CrossEntropyLoss()(logits, torch.tensor([0], device=device)).item() == 0


def test_a_class_masked_with_minus_infinity_needs_class_numbers(device):
    """A logit of `-inf` takes a class out of `CrossEntropyLoss` if the targets are numbers of other classes; with rows
    of probabilities that are 0 for the class the loss is nan, and with `label_smoothing` and no `weight` inf.

    A probability of 0 times the infinite loss of the masked class is nan: mask with -1e4 instead. Smoothing gives the
    masked class a share of each target, so that -1e4 makes the loss huge: compute the loss of the other classes only.
    Here a target in the masked class costs inf.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
    """
    logits = torch.tensor([[-math.inf, 3.0, 3.0]], device=device)
    classes, rows = torch.tensor([1], device=device), torch.tensor([[0.0, 1.0, 0.0]], device=device)

    loss, gradient = loss_and_gradient(nn.CrossEntropyLoss(), logits, classes)

    assert round(loss.item(), 4) == round(math.log(2), 4)
    assert gradient.tolist() == [[0, -0.5, 0.5]]
    assert F.cross_entropy(logits, rows).isnan()
    assert F.cross_entropy(logits, classes, label_smoothing=0.1).item() == math.inf
    assert round(F.cross_entropy(logits.clamp(min=-1e4), rows).item(), 4) == round(math.log(2), 4)
    assert F.cross_entropy(logits.clamp(min=-1e4), classes, label_smoothing=0.1).item() > 300
    assert F.cross_entropy(logits[:, 1:], classes - 1, label_smoothing=0.1).item() < 1
    assert F.cross_entropy(logits, classes * 0).item() == math.inf
    assert F.cross_entropy(logits, torch.tensor([[0.5, 0.5, 0.0]], device=device)).item() == math.inf


def test_an_infinite_logit_makes_the_loss_nan(device):
    """`BCEWithLogitsLoss` of a logit of inf and a target of 1 is nan, and `CrossEntropyLoss` of a logit of inf for the
    right class, too.

    Neither is 0, though the answers are right: 0 * inf and inf - inf are nan. A model whose logits overflow can show it
    as nan in its loss, which `torch.isfinite(logits).all()` finds earlier.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html
    """
    infinite = torch.tensor([math.inf], device=device)

    assert F.binary_cross_entropy_with_logits(infinite, torch.ones_like(infinite)).isnan()
    logits = torch.tensor([[math.inf, 0.0]], device=device)
    assert F.cross_entropy(logits, torch.tensor([0], device=device)).isnan()
