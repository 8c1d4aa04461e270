"""Building a model: the whole way from a table of numbers to a prediction.

Arrays become tensors, rows are split and scaled, a model makes logits of them, a loss says how wrong those are, and an
optimizer moves the parameters against the gradient, again and again. Then the model is evaluated, saved, loaded and
asked about new rows. Each step has a note here, with what happens when it is forgotten, on real data that comes with
scikit-learn: measurements of tumours and handwritten digits.
"""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from sklearn.datasets import load_breast_cancer, load_digits
from torch import nn
from torch.nn import functional as F


@pytest.fixture(scope="module")
def cancer():
    """569 tumours: 30 measurements of each, and whether it was malignant (0) or benign (1)."""
    return load_breast_cancer(return_X_y=True)


@pytest.fixture(scope="module")
def digits():
    """600 handwritten digits: 64 pixels of each, from 0 to 16, and which digit it is."""
    features, labels = load_digits(return_X_y=True)
    return features[:600], labels[:600]


def as_tensors(data, device):
    """Features with mean 0 and standard deviation 1 in each column, and labels, both float32."""
    features, labels = data
    x = torch.tensor((features - features.mean(axis=0)) / features.std(axis=0), dtype=torch.float32, device=device)
    return x, torch.tensor(labels, dtype=torch.float32, device=device)


# The data


def test_arrays_become_float32_tensors(device, cancer):
    """Features come as a float64 array, and a new layer refuses them until they are float32.

    Labels come as integers: CrossEntropyLoss takes them so, as int64; BCEWithLogitsLoss raises until they are floats.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html
    """
    features, labels = cancer
    model = nn.Linear(30, 1, device=device)

    assert (features.dtype, features.shape) == (np.float64, (569, 30))
    assert (labels.dtype.kind, labels.shape) == ("i", (569,))
    with pytest.raises(RuntimeError, match="must have the same dtype"):
        nn.Linear(30, 1)(torch.from_numpy(features))  # on the CPU: not every accelerator has float64
    x = torch.tensor(features, dtype=torch.float32).to(device)
    assert np.array_equal(x.cpu().numpy(), features.astype(np.float32))
    assert model(x).dtype == torch.float32

    whole = torch.tensor(labels, dtype=torch.int64).to(device)
    with pytest.raises(RuntimeError, match="result type Float can't be cast"):
        nn.BCEWithLogitsLoss()(model(x).squeeze(1), whole)
    assert nn.BCEWithLogitsLoss()(model(x).squeeze(1), whole.float()).dtype == torch.float32
    assert nn.CrossEntropyLoss()(nn.Linear(30, 2, device=device)(x), whole).dtype == torch.float32


@pytest.mark.myth("63 % of the answers are right, so the model has learned something")
def test_always_the_same_answer_is_right_for_most_tumours(device, cancer):
    """The answer "benign" for every tumour is right 357 times in 569, without a look at the measurements.

    That share of the most frequent class is the plain baseline: a model has learned something when it is clearly above.

    https://scikit-learn.org/stable/modules/generated/sklearn.datasets.load_breast_cancer.html
    """
    _, labels = cancer
    targets = torch.from_numpy(labels).to(device)
    predictions = torch.ones_like(targets)

    assert targets.bincount().tolist() == [212, 357]
    assert (predictions == targets).sum().item() / 569 == 357 / 569


def test_one_permutation_splits_features_and_labels_alike(device):
    """Rows picked by the same shuffled row numbers keep their labels, and no row is on both sides of the split.

    Two permutations, one for the features and one for the labels, would deal out labels at random.

    https://docs.pytorch.org/docs/stable/generated/torch.randperm.html
    """
    x = torch.arange(20.0, device=device).reshape(10, 2)
    y = x.sum(dim=1)
    order = torch.randperm(10, device=device)
    train, test = order[:7], order[7:]

    assert sorted(train.tolist() + test.tolist()) == list(range(10))
    assert order.tolist() != list(range(10))  # that would be one permutation in 3,628,800
    assert (x[train].shape, x[test].shape) == ((7, 2), (3, 2))
    assert torch.equal(x[train].sum(dim=1), y[train])
    assert torch.equal(x[test].sum(dim=1), y[test])


def test_scaling_uses_the_training_rows_only(cancer, rounding_bound):
    """Scaled with the mean and deviation of the training rows, these have mean 0 in each column, and the test rows do
    not.

    That is as it should be: test rows stand for rows that nobody has seen. Statistics of all rows leak them into the
    training.

    https://scikit-learn.org/stable/modules/preprocessing.html
    """
    x = torch.from_numpy(cancer[0])  # in float64, so on the CPU: not every accelerator has it
    x = x[torch.randperm(569)]
    mean, std = x[:400].mean(dim=0), x[:400].std(dim=0)
    scaled = ((x - mean) / std).numpy()

    # What the roundings of two means over 400 rows can add up to; the difference and the quotient are three more.
    bound = rounding_bound(2 * 400 + 3, torch.float64) * ((x.abs().mean(dim=0) + mean.abs()) / std).numpy()
    assert (abs(scaled[:400].mean(axis=0)) <= bound).all()
    assert (abs(scaled[400:].mean(axis=0)) > bound).all()
    np.testing.assert_allclose(scaled[:400].std(axis=0, ddof=1), np.ones(30), rtol=bound.max(), atol=0)


def test_unscaled_features_spoil_the_training(cancer, device):
    """The same ten steps that get scaled measurements below the loss of guessing leave raw ones above it.

    Raw columns run from thousandths to thousands, and no learning rate suits them all. The loss of guessing is ln 2.

    https://scikit-learn.org/stable/modules/preprocessing.html
    """
    scaled, y = as_tensors(cancer, device)
    raw = torch.tensor(cancer[0], dtype=torch.float32, device=device)
    losses = {}
    for name, x in (("raw", raw), ("scaled", scaled)):
        model = nn.Linear(30, 1).to(device)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(10):
            optimizer.zero_grad()
            F.binary_cross_entropy_with_logits(model(x).squeeze(1), y).backward()
            optimizer.step()
        losses[name] = F.binary_cross_entropy_with_logits(model(x).squeeze(1), y).item()

    assert losses["scaled"] < math.log(2) < losses["raw"]


def test_equal_logits_cost_ln_of_the_number_of_classes(device, rounding_bound):
    """A model that gives C classes the same logit has a cross entropy of ln C, whatever the targets: for two classes
    0.693.

    So the loss before the first step should be near ln C. Much more says that the first weights or the inputs are too
    large.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
    """
    targets = torch.tensor([3, 1, 4, 1, 5, 9, 2, 6], device=device)
    ten_classes = nn.CrossEntropyLoss()(torch.full((8, 10), 0.25, device=device), targets)
    two_classes = nn.BCEWithLogitsLoss()(torch.zeros(8, device=device), (targets > 3).float())

    for loss, classes in ((ten_classes, 10), (two_classes, 2)):
        expected = torch.tensor(math.log(classes), device=device)
        # A sum of at most ten exponentials and one of eight rows; exp and log may be off by a few roundings more.
        torch.testing.assert_close(loss, expected, rtol=rounding_bound(10 + 8 + 8, torch.float32), atol=0)


# One step of training


def test_zero_grad_leaves_none(device):
    """`zero_grad()` does not fill gradients with zeros: it removes them, so that `.grad` is None, as before the first
    backward.

    `set_to_none=False` gives zeros, which was the default before PyTorch 2.0.

    https://docs.pytorch.org/docs/stable/generated/torch.optim.Optimizer.zero_grad.html
    """
    model = nn.Linear(2, 1).to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x = torch.tensor([[1.0, 2], [3, 5]], device=device)

    assert (model.weight.grad, model.bias.grad) == (None, None)
    for forget in (optimizer.zero_grad, model.zero_grad):
        model(x).sum().backward()
        assert (model.weight.grad.tolist(), model.bias.grad.tolist()) == ([[4, 7]], [2])
        forget()
        assert (model.weight.grad, model.bias.grad) == (None, None)

        model(x).sum().backward()
        forget(set_to_none=False)
        assert model.weight.grad is not None
        assert (model.weight.grad.tolist(), model.bias.grad.tolist()) == ([[0, 0]], [0])


def test_without_zero_grad_every_step_uses_the_sum_of_all_gradients(device):
    """Without `zero_grad` a step goes by the sum of all gradients so far, and here it runs past the minimum at 0.

    The loss is w²/2, so the gradient is w, and half of what has gathered in `w.grad` is taken off in each step.

    https://docs.pytorch.org/docs/stable/optim.html
    """

    def path(with_zero_grad):
        w = nn.Parameter(torch.tensor(1.0, device=device))
        optimizer = torch.optim.SGD([w], lr=0.5)
        for _ in range(4):
            if with_zero_grad:
                optimizer.zero_grad()
            (w**2 / 2).backward()
            optimizer.step()
            yield w.item()

    assert list(path(with_zero_grad=True)) == [0.5, 0.25, 0.125, 0.0625]
    assert list(path(with_zero_grad=False)) == [0.5, -0.25, -0.875, -1.0625]


def test_sgd_step_moves_against_the_gradient(device):
    """A step of plain SGD takes the learning rate times the gradient off each parameter, and leaves the gradient alone.

    Plain: without momentum and without weight decay, as it is by default.

    https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html
    """
    w = nn.Parameter(torch.tensor([[1.0, -2, 3], [0.5, 8, 0]], device=device))
    slopes = torch.tensor([[4.0, 2, -1], [0, 16, -8]], device=device)
    optimizer = torch.optim.SGD([w], lr=0.25)
    (w * slopes).sum().backward()

    optimizer.step()
    assert w.tolist() == [[0, -2.5, 3.25], [0.5, 4, 2]]
    optimizer.step()
    assert w.tolist() == [[-1, -3, 3.5], [0.5, 0, 4]]
    assert torch.equal(w.grad, slopes)


EIGHTHS = st.integers(-800, 800).map(lambda number: number / 8)


@given(pairs=st.lists(st.tuples(EIGHTHS, EIGHTHS), min_size=1, max_size=5), lr=st.floats(0.001, 1))
def test_sgd_step_is_lr_times_gradient_for_every_gradient(device, rounding_bound, pairs, lr):
    """Whatever the parameter p, its gradient g and the learning rate, a step of plain SGD ends at p - lr * g.

    https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html
    """
    start, gradient = torch.tensor(pairs).unbind(dim=1)
    w = nn.Parameter(start.to(device, copy=True))
    w.grad = gradient.to(device, copy=True)
    torch.optim.SGD([w], lr=lr).step()

    expected = start.double() - lr * gradient.double()
    # Three roundings: of lr to float32, of the product, of the difference.
    bound = rounding_bound(3, torch.float32) * (start.double().abs() + lr * gradient.double().abs())
    assert ((w.detach().cpu().double() - expected).abs() <= bound).all()


@pytest.mark.holds("torch>=2.2", otherwise=ValueError)
def test_sgd_has_a_default_learning_rate(device):
    """From torch 2.2 on SGD without `lr` learns with 0.001; before, it raised ValueError.

    That is Adam's default and slow for SGD: where a loss hardly falls, look whether `lr` was forgotten.

    https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html
    """
    start, gradient = torch.tensor([1.0, 2.0], device=device), torch.tensor([500.0, -2000.0], device=device)
    unsaid, said = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    for w, options in [(unsaid, {}), (said, {"lr": 0.001})]:
        w.grad = gradient
        torch.optim.SGD([w], **options).step()

    assert torch.equal(unsaid, said)
    assert [round(number, 3) for number in unsaid.tolist()] == [0.5, 4]


@pytest.mark.parametrize(
    ("recipe", "w"),
    [
        ("zero_grad backward step", 0.25),
        ("backward step zero_grad", 0.25),
        ("zero_grad backward", 1),
        ("zero_grad step", 1),
        ("backward zero_grad step", 1),
    ],
)
def test_a_parameter_moves_only_by_backward_then_step(device, recipe, w):
    """Without `backward`, without `step`, or with `zero_grad` between the two, nothing is learned, and nothing
    complains.

    The loss is w²/2 from w = 1, and each recipe is followed twice.

    https://docs.pytorch.org/docs/stable/optim.html
    """
    parameter = nn.Parameter(torch.tensor(1.0, device=device))
    optimizer = torch.optim.SGD([parameter], lr=0.5)
    call = {
        "zero_grad": optimizer.zero_grad,
        "backward": lambda: (parameter**2 / 2).backward(),
        "step": optimizer.step,
    }
    for name in recipe.split() * 2:
        call[name]()

    assert parameter.item() == w


def test_a_gradient_of_none_is_not_a_gradient_of_zero(device):
    """With momentum a parameter still moves when its gradient is zero, and stays where it is when its gradient is None.

    That is what `zero_grad` setting None changes: an optimizer passes over parameters that took no part in the loss.

    https://docs.pytorch.org/docs/stable/generated/torch.optim.Optimizer.zero_grad.html
    """
    w = nn.Parameter(torch.tensor([8.0], device=device))
    optimizer = torch.optim.SGD([w], lr=0.5, momentum=0.5)
    path = []
    for gradient in (4.0, 2.0, 0.0, None):
        w.grad = None if gradient is None else torch.tensor([gradient], device=device)
        optimizer.step()
        path.append(w.item())

    assert path == [6, 4, 3, 3]


def test_the_loss_is_that_of_before_the_step(device):
    """The `loss` of a training loop belongs to the parameters before the step: it does not change when they do.

    https://docs.pytorch.org/docs/stable/optim.html
    """
    w = nn.Parameter(torch.tensor(2.0, device=device))
    optimizer = torch.optim.SGD([w], lr=0.25)
    loss = w**2
    loss.backward()
    optimizer.step()

    assert loss.item() == 4
    assert (w**2).item() == 1


def test_a_learning_rate_can_be_too_large(device):
    """On a parabola twice the learning rate that lands on the minimum swings for ever, and more than that moves further
    away with each step.

    The loss is w² from w = 1, so each step multiplies w by 1 - 2 lr, and 0.5 lands on the minimum.

    https://docs.pytorch.org/docs/stable/optim.html
    """
    path = {}
    for lr in (0.25, 0.5, 1, 1.5):
        w = nn.Parameter(torch.tensor(1.0, device=device))
        optimizer = torch.optim.SGD([w], lr=lr)
        path[lr] = []
        for _ in range(3):
            optimizer.zero_grad()
            (w**2).backward()
            optimizer.step()
            path[lr].append(w.item())

    assert path == {0.25: [0.5, 0.25, 0.125], 0.5: [0, 0, 0], 1: [-1, 1, -1], 1.5: [-2, 4, -8]}


def test_adam_starts_with_steps_of_lr(device, rounding_bound):
    """Adam's first step moves each parameter by about the learning rate, be its gradient large or small; SGD's by lr
    times the gradient.

    So a rate that suits one optimizer says little about another. Only gradients that are not well above `eps`, which is
    1e-8, move a parameter less, and a gradient of 0 does not move it.

    https://docs.pytorch.org/docs/stable/generated/torch.optim.Adam.html
    """
    moved = {}
    for optimizer_class in (torch.optim.SGD, torch.optim.Adam):
        w = nn.Parameter(torch.zeros(5, device=device))
        w.grad = torch.tensor([1024, 1, -0.5, 1e-8, 0], device=device)
        optimizer_class([w], lr=0.25).step()
        moved[optimizer_class] = w.detach().cpu()

    assert moved[torch.optim.SGD].tolist() == [-256, -0.25, 0.125, -0.25 * torch.tensor(1e-8).item(), 0]
    # Adam divides by |gradient| + 1e-8: next to 0.5 and more that is little, next to 1e-8 it halves the step. It rounds
    # less than 16 times on the way.
    rtol = 1e-8 / 0.5 + rounding_bound(16, torch.float32)
    expected = torch.tensor([-0.25, -0.25, 0.25, -0.125, 0])
    torch.testing.assert_close(moved[torch.optim.Adam], expected, rtol=rtol, atol=0)


def test_a_layer_replaced_afterwards_is_not_trained(device):
    """An optimizer keeps the parameters it was made with: a layer put in later gets gradients, but never moves.

    Make the optimizer when the model is complete, or tell it with `add_param_group`.

    https://docs.pytorch.org/docs/stable/generated/torch.optim.Optimizer.add_param_group.html
    """
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1)).to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    model[1] = nn.Linear(3, 1).to(device)
    first, second = (layer.bias.detach().clone() for layer in model)

    model(torch.tensor([[1.0, 2]], device=device)).sum().backward()
    optimizer.step()
    assert model[1].bias.grad.tolist() == [1]
    assert torch.equal(model[1].bias, second)
    assert not torch.equal(model[0].bias, first)

    optimizer.add_param_group({"params": model[1].parameters()})
    optimizer.step()
    assert torch.equal(model[1].bias, second - 0.5)


# The learning rate


def test_a_scheduler_steps_after_the_optimizer(device):
    """A scheduler changes `lr` in the optimizer's groups when its `step()` is called, and `get_last_lr()` tells what it
    is now.

    Call it after `optimizer.step()`, mostly once an epoch.

    https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.StepLR.html
    """
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1, device=device))], lr=8.0)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
    rates = []

    for _ in range(5):
        rates.append(optimizer.param_groups[0]["lr"])
        assert scheduler.get_last_lr() == [rates[-1]]
        optimizer.step()
        scheduler.step()

    assert rates == [8, 8, 4, 4, 2]


@pytest.mark.holds("torch>=2.2", otherwise=AssertionError)
def test_reduce_on_plateau_is_a_scheduler_like_the_others(device):
    """From torch 2.2 on ReduceLROnPlateau is an LRScheduler with a `get_last_lr()` like the others, and still the one
    whose `step` wants a number to watch.

    Before, `isinstance(scheduler, LRScheduler)` told it from the others.

    https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ReduceLROnPlateau.html
    """
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1, device=device))], lr=8.0)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
    assert isinstance(scheduler, torch.optim.lr_scheduler.LRScheduler)

    rates = []
    for loss in (5.0, 3.0, 4.0, 4.0, 2.0):  # worse than the best twice: more than the patience
        scheduler.step(loss)
        rates += scheduler.get_last_lr()
    assert rates == [8, 8, 8, 4, 4]
    with pytest.raises(TypeError, match="metrics"):
        scheduler.step()


@pytest.mark.holds("torch>=2.9", otherwise=UserWarning)
def test_schedulers_in_sequence_no_longer_warn(device):
    """SequentialLR goes from one scheduler to the next, such as from a warm-up to a decay; from torch 2.9 on without a
    UserWarning.

    Until 2.8 it warned of the parameter `epoch` of `step`, which it passed itself: the rates were right all the same.

    https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.SequentialLR.html
    """
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1, device=device))], lr=8.0)
    warm_up = torch.optim.lr_scheduler.ConstantLR(optimizer, factor=0.25, total_iters=2)
    decay = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    scheduler = torch.optim.lr_scheduler.SequentialLR(optimizer, [warm_up, decay], milestones=[2])
    rates = []

    for _ in range(5):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()

    assert rates == [2, 2, 8, 4, 2]


# Training


def test_training_finds_the_line_behind_the_data(device, rounding_bound):
    """Gradient descent gets the weight 0.7 and the bias 0.3 back from points on the line 0.7 x + 0.3, from any start.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.MSELoss.html
    """
    x = torch.linspace(-1, 1, 41, device=device).unsqueeze(1)
    y = 0.7 * x + 0.3
    model = nn.Linear(1, 1).to(device)
    loss_fn = nn.MSELoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    for _ in range(40):
        optimizer.zero_grad()
        loss_fn(model(x), y).backward()
        optimizer.step()

    # The mean of x² is 0.35, so a step takes 35 % off the error of the weight, at first at most 1.7. Then only rounding
    # is left.
    tolerance = 1.7 * 0.65**40 + rounding_bound(2 * 41, torch.float32)
    assert model.weight.item() == pytest.approx(0.7, rel=0, abs=tolerance)
    assert model.bias.item() == pytest.approx(0.3, rel=0, abs=tolerance)


def test_the_loss_falls_with_every_step(cancer, device):
    """With all rows in every step and a learning rate that is small enough, the loss of a linear model falls in each
    step.

    Small enough is below 2 / L. For this loss L is at most a quarter of the mean squared length of a row: (30 + 1) /
    4, with the 1 for the bias. On minibatches, or with a larger rate, single losses may rise while the training goes
    well.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html
    """
    x, y = as_tensors(cancer, device)
    model = nn.Linear(30, 1).to(device)
    loss_fn = nn.BCEWithLogitsLoss()
    lr = 0.125
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    losses = []
    for _ in range(15):
        optimizer.zero_grad()
        loss = loss_fn(model(x).squeeze(1), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())

    assert lr < 2 / (31 / 4)
    assert all(later < earlier for earlier, later in pairwise(losses))


@pytest.mark.advice("Andrej Karpathy, A Recipe for Training Neural Networks, 2019: overfit one batch")
def test_a_network_can_learn_eight_rows_by_heart(cancer, device):
    """A small network learns the labels of eight rows by heart even if a coin was tossed for them, and nothing beyond.

    So where eight rows can't be learned, look for a bug in the loop first, then at the learning rate. The limit of the
    test: being right about the rows of the training proves nothing about others.

    https://docs.pytorch.org/docs/stable/optim.html
    """
    x, _ = as_tensors(cancer, device)
    x = x[torch.randperm(569)]
    tossed = torch.randint(2, (569,)).float().to(device)
    model = nn.Sequential(nn.Linear(30, 32), nn.ReLU(), nn.Linear(32, 1)).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(15):
        optimizer.zero_grad()
        F.binary_cross_entropy_with_logits(model(x[:8]).squeeze(1), tossed[:8]).backward()
        optimizer.step()
    right = ((model(x).squeeze(1) > 0) == (tossed == 1)).float()

    assert right[:8].mean().item() == 1
    # Of 561 tosses a share of one half is guessed, give or take six standard errors.
    assert right[8:].mean().item() == pytest.approx(0.5, rel=0, abs=6 * 0.5 / 561**0.5)


# Evaluation


def new_network():
    """A network with all that makes training and evaluation differ."""
    return nn.Sequential(nn.Linear(30, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 1))


def test_evaluation_leaves_the_model_untouched(cancer, device):
    """In eval mode under inference_mode a model can be asked as often as you like: nothing in it changes, and it
    answers the same.

    https://docs.pytorch.org/docs/stable/notes/autograd.html
    """
    x, _ = as_tensors(cancer, device)
    model = new_network().to(device)
    before = {name: value.clone() for name, value in model.state_dict().items()}

    model.eval()
    with torch.inference_mode():
        first, second = model(x), model(x)

    assert torch.equal(first, second)
    assert not first.requires_grad
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert [parameter.grad for parameter in model.parameters()] == [None] * 6


def test_without_eval_the_answers_are_random_and_the_model_changes(cancer, device):
    """Evaluated without `eval()`, a model with Dropout gives other answers each time, and BatchNorm takes up the
    statistics of the test rows.

    `inference_mode` does not help: it stops the recording of gradients only.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    x, _ = as_tensors(cancer, device)
    model = new_network().to(device)
    before = {name: value.clone() for name, value in model.state_dict().items()}

    with torch.inference_mode():
        first, second = model(x), model(x)

    assert not torch.equal(first, second)
    changed = [name for name, value in model.state_dict().items() if not torch.equal(value, before[name])]
    assert changed == ["1.running_mean", "1.running_var", "1.num_batches_tracked"]
    assert model[1].num_batches_tracked.item() == 2


def test_one_new_row_is_a_batch_of_one(cancer, device, rounding_bound):
    """A linear model answers about one row as about the same row among others, but for rounding, and `x[:1]` keeps the
    shape that `x[0]` loses.

    A model with BatchNorm has to be in eval mode for that: in training mode it refuses a single row.

    Scale a new row as the training rows were: with their mean and deviation, not with its own.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html
    """
    x, _ = as_tensors(cancer, device)
    model = nn.Linear(30, 1).to(device)
    with torch.inference_mode():
        all_logits, one_logit = model(x), model(x[:1])

    assert (all_logits.shape, one_logit.shape, model(x[0]).shape) == ((569, 1), (1, 1), (1,))
    # Each of the two is a sum of 31 terms, perhaps added in another order.
    terms = (x[0] * model.weight).abs().sum() + model.bias.abs()
    difference = (all_logits[0] - one_logit[0]).abs().item()
    assert difference <= 2 * rounding_bound(31, torch.float32) * terms.item()

    network = new_network().to(device)
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        network(x[:1])
    assert network.eval()(x[:1]).shape == (1, 1)


# Saving and loading


def test_a_loaded_model_predicts_the_same_bits(cancer, device, tmp_path):
    """A new model with the saved state_dict gives bit for bit the predictions of the one that was saved.

    The file holds numbers, not the model: build the same model first. And `eval()` it, since the mode is not in the
    file either.

    https://docs.pytorch.org/docs/stable/notes/serialization.html
    """
    x, _ = as_tensors(cancer, device)
    trained, fresh = new_network().to(device), new_network().to(device)
    trained(x)  # in training mode: BatchNorm takes up statistics, which are saved too
    torch.save(trained.state_dict(), tmp_path / "model.pt")

    with torch.inference_mode():
        before = fresh.eval()(x)
        fresh.load_state_dict(torch.load(tmp_path / "model.pt"))
        after, expected = fresh.eval()(x), trained.eval()(x)

    assert torch.equal(after, expected)
    assert not torch.equal(before, expected)


def test_a_checkpoint_needs_the_optimizer_too(cancer, device, tmp_path):
    """Training with momentum that goes on from a file ends where uninterrupted training ends only if the file has the
    optimizer's state too.

    With the model alone the momentum starts again from nothing, and the ways part. Whatever else has a state belongs in
    the file as well: a schedule of learning rates, and the random generators behind shuffling and dropout.

    https://docs.pytorch.org/docs/stable/generated/torch.optim.Optimizer.load_state_dict.html
    """
    x, y = (tensor[:8] for tensor in as_tensors(cancer, device))  # sums so short are added in one order everywhere

    def start():
        model = nn.Linear(30, 1).to(device)
        return model, torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    def train(model, optimizer):
        for _ in range(3):
            optimizer.zero_grad()
            F.binary_cross_entropy_with_logits(model(x).squeeze(1), y).backward()
            optimizer.step()
        return model.weight

    model, optimizer = start()
    train(model, optimizer)
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / "checkpoint.pt")
    uninterrupted = train(model, optimizer)
    ends = []
    for loaded in (["model", "optimizer"], ["model"]):
        checkpoint = torch.load(tmp_path / "checkpoint.pt")
        model, optimizer = start()
        for name, part in zip(loaded, (model, optimizer), strict=False):
            part.load_state_dict(checkpoint[name])
        ends.append(torch.equal(train(model, optimizer), uninterrupted))

    assert ends == [True, False]


# All of it


def test_the_whole_way_from_arrays_to_predictions(cancer, device):
    """Thirty steps on 380 tumours make a small network clearly better on the other 189 than the plain baseline,
    whatever the seed.

    Clearly: by more than six standard errors of the baseline.

    https://docs.pytorch.org/docs/stable/optim.html
    """
    order = np.random.permutation(569)
    features, labels = cancer[0][order], cancer[1][order]
    mean, std = features[:380].mean(axis=0), features[:380].std(axis=0)
    x = torch.tensor((features - mean) / std, dtype=torch.float32).to(device)
    y = torch.tensor(labels, dtype=torch.float32).to(device)

    model = nn.Sequential(nn.Linear(30, 16), nn.ReLU(), nn.Linear(16, 1)).to(device)
    loss_fn = nn.BCEWithLogitsLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    model.train()
    for _ in range(30):
        optimizer.zero_grad()
        loss = loss_fn(model(x[:380]).squeeze(1), y[:380])
        loss.backward()
        optimizer.step()

    model.eval()
    with torch.inference_mode():
        predictions = (model(x[380:]).squeeze(1) > 0).long().cpu().numpy()
    accuracy, baseline = (predictions == labels[380:]).mean(), labels[380:].mean()
    assert accuracy > baseline + 6 * (baseline * (1 - baseline) / 189) ** 0.5


def test_the_same_way_with_ten_classes(digits, device):
    """With ten outputs, CrossEntropyLoss and integer targets the same loop learns to read digits.

    The prediction is the class with the largest logit: `argmax`, and no softmax.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
    """
    order = torch.randperm(600)
    x = (torch.tensor(digits[0], dtype=torch.float32) / 16)[order].to(device)
    y = torch.tensor(digits[1], dtype=torch.int64)[order].to(device)
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10)).to(device)
    loss_fn = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(15):
        optimizer.zero_grad()
        loss_fn(model(x[:400]), y[:400]).backward()
        optimizer.step()

    with torch.inference_mode():
        predictions = model(x[400:]).argmax(dim=1)
    accuracy = (predictions == y[400:]).float().mean().item()
    baseline = y[400:].cpu().bincount().max().item() / 200
    assert accuracy > baseline + 6 * (baseline * (1 - baseline) / 200) ** 0.5


# What moved between releases


@pytest.mark.holds("torch>=2.4", otherwise=(TypeError, RuntimeError))
@pytest.mark.parametrize(
    ("optimizer_class", "expected"), [(torch.optim.SGD, [-1.0, 2.75]), (torch.optim.Adam, [0.5, 2.5])]
)
def test_a_fused_optimizer_runs_on_the_cpu(optimizer_class, expected, rounding_bound):
    """From torch 2.4 on `fused=True` works for SGD and Adam on the CPU too, and takes the same step; before, it raised.

    It does the whole step in one pass over the memory.

    https://docs.pytorch.org/docs/stable/optim.html
    """
    w = nn.Parameter(torch.tensor([1.0, 2.0]))
    w.grad = torch.tensor([4.0, -1.5])
    optimizer_class([w], lr=0.5, fused=True).step()

    # Adam's first step is lr * gradient / (|gradient| + 1e-8), with less than 16 roundings on the way.
    rtol = 1e-8 + rounding_bound(16, torch.float32)
    torch.testing.assert_close(w.detach(), torch.tensor(expected), rtol=2 * rtol, atol=0)


@pytest.mark.holds("torch>=2.15", otherwise=AssertionError)
def test_parameters_in_a_set_are_deprecated(device):
    """From torch 2.15 on an optimizer that is given a set of parameters gives a FutureWarning: give it a list.

    A set has no order, and a state_dict tells parameters apart by their place in the order.

    https://docs.pytorch.org/docs/stable/optim.html
    """
    with pytest.warns(FutureWarning, match="ordered collections"):
        torch.optim.SGD({nn.Parameter(torch.ones(size, device=device)) for size in (1, 2)}, lr=0.5)


@pytest.mark.holds("torch>=2.7", otherwise=(AssertionError, UserWarning))
def test_schedulers_no_longer_take_verbose(device):
    """From torch 2.7 on a scheduler raises TypeError for `verbose=`: leave it out and print `scheduler.get_last_lr()`.

    It was silently accepted until 2.1 and gave a UserWarning from 2.2 to 2.6.

    https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.StepLR.html
    """
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1, device=device))], lr=0.5)

    with pytest.raises(TypeError, match="unexpected keyword argument 'verbose'"):
        torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, verbose=False)
    with pytest.raises(TypeError, match="unexpected keyword argument 'verbose'"):
        torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, verbose=False)
