"""Building a model: the whole way from a table of numbers to a prediction.

Having read this section you can write the training loop of a classifier yourself: turn arrays into tensors, split and
scale the rows, choose the loss, call `zero_grad`, `backward` and `step` in the right order, change the learning rate,
evaluate, save, load, and ask about new rows. You know what each forgotten step costs, most of all where nothing raises.

The data are real and come with scikit-learn: measurements of tumours and handwritten digits.
"""

import copy
import inspect
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


# The data: what does a table need before a model can learn from it?


def test_arrays_become_float32_tensors(device, cancer):
    """A new `nn.Linear` has float32 weights by default and raises RuntimeError for float64 features.

    The message for a matrix of features and a layer with a bias is "mat1 and mat2 must have the same dtype"; that of
    an `nn.Conv2d` with a bias and a number as its padding is "Input type (double) and bias type (float) should be the
    same", and with `padding="same"` it is "expected scalar type Double but found Float". The features of
    `load_breast_cancer` are float64: write `torch.tensor(features, dtype=torch.float32)`. `nn.ReLU` has no weights and
    returns float64 without an error.

    On the CPU, `CrossEntropyLoss()` of a matrix of logits takes class numbers as int64 or uint8 and raises RuntimeError
    for int32, "expected scalar type Long but found Int", or in newer releases "expected target dtype to be Long or
    Byte, but got Int": write `labels.long()`. `BCEWithLogitsLoss` of float32 logits raises RuntimeError ("result
    type Float can't be cast") for targets of uint8 or int8 to int64: write `labels.float()`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html
    """
    features, labels = cancer
    model = nn.Linear(30, 1, device=device)

    assert (features.dtype, features.shape) == (np.float64, (569, 30))
    assert (labels.dtype.kind, labels.shape) == ("i", (569,))
    with pytest.raises(RuntimeError, match="mat1 and mat2 must have the same dtype"):
        nn.Linear(30, 1)(torch.from_numpy(features))  # on the CPU: not every accelerator has float64
    with pytest.raises(RuntimeError, match=r"have the same dtype|expected scalar type"):
        nn.Linear(30, 1, bias=False)(torch.from_numpy(features))
    with pytest.raises(RuntimeError, match=r"Input type \(double\) and bias type \(float\) should be the same"):
        nn.Conv2d(1, 1, 1)(torch.from_numpy(features[:, None, None]))
    with pytest.raises(RuntimeError, match="expected scalar type Double but found Float"):
        nn.Conv2d(1, 1, 1, padding="same")(torch.from_numpy(features[:, None, None]))
    assert nn.ReLU()(torch.from_numpy(features)).dtype == torch.float64
    x = torch.tensor(features, dtype=torch.float32).to(device)
    assert np.array_equal(x.cpu().numpy(), features.astype(np.float32))
    assert model(x).dtype == torch.float32

    whole = torch.tensor(labels, dtype=torch.int64).to(device)
    for dtype in (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64):
        with pytest.raises(RuntimeError, match="result type Float can't be cast"):
            nn.BCEWithLogitsLoss()(model(x).squeeze(1), whole.to(dtype))
    assert nn.BCEWithLogitsLoss()(model(x).squeeze(1), whole.float()).dtype == torch.float32
    assert nn.CrossEntropyLoss()(nn.Linear(30, 2, device=device)(x), whole).dtype == torch.float32
    with pytest.raises(RuntimeError, match=r"expected .* Long but found Int|expected .* Long or Byte, but got Int"):
        nn.CrossEntropyLoss()(torch.zeros(1, 2), torch.tensor([1], dtype=torch.int32))
    byte = nn.CrossEntropyLoss()(torch.tensor([[0.5, 2.0]]), torch.tensor([1], dtype=torch.uint8))
    assert byte == nn.CrossEntropyLoss()(torch.tensor([[0.5, 2.0]]), torch.tensor([1]))


def test_a_mask_of_pixels_needs_int64():
    """`CrossEntropyLoss` of logits for every pixel, of shape (N, C, H, W), takes a mask of class numbers of shape
    (N, H, W) and dtype int64; on the CPU a mask of uint8, as an image file gives it, raises RuntimeError, "expected
    scalar type Long but found Byte".

    Write `mask.long()`. With the two classes here, a mask with a channel, (N, 1, H, W), raises "only batches of spatial
    targets supported (3D tensors) but got targets of dimension: 4": write `mask.squeeze(1)`. A border marked with 255
    raises IndexError with them, on the CPU, "Target 255 is out of bounds", unless you pass `ignore_index=255`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
    """
    logits = torch.tensor([[1.0, 0.0], [0.0, 2.0]]).reshape(1, 2, 1, 2)  # the second pixel is of class 1, more or less
    mask = torch.tensor([[[0, 1]]], dtype=torch.uint8)
    border = torch.tensor([[[0, 255]]])

    with pytest.raises(RuntimeError, match="expected scalar type Long but found Byte"):
        nn.CrossEntropyLoss()(logits, mask)
    with pytest.raises(RuntimeError, match=r"only batches of spatial targets supported .* of dimension: 4"):
        nn.CrossEntropyLoss()(logits, mask.long().unsqueeze(1))
    with pytest.raises(IndexError, match="Target 255 is out of bounds"):
        nn.CrossEntropyLoss()(logits, border)

    losses = nn.CrossEntropyLoss(reduction="none")(logits, mask.long())
    assert losses.shape == (1, 1, 2)
    assert [round(loss, 3) for loss in losses.flatten().tolist()] == [0.313, 0.127]
    assert nn.CrossEntropyLoss(ignore_index=255)(logits, border).item() == losses[0, 0, 0].item()


@pytest.mark.myth("63 % of the answers are right, so the model has learned something")
def test_always_the_same_answer_is_right_for_most_tumours(device, cancer):
    """Answering "benign" for every tumour of `load_breast_cancer` is right 357 times in 569 (63 %), without a look at
    the measurements.

    The share of the most frequent class is the baseline. Compare an accuracy with the baseline before you say that a
    model has learned something.

    https://scikit-learn.org/stable/modules/generated/sklearn.datasets.load_breast_cancer.html
    """
    _, labels = cancer
    targets = torch.from_numpy(labels).to(device)
    predictions = torch.ones_like(targets)

    assert targets.bincount().tolist() == [212, 357]
    assert (predictions == targets).sum().item() == 357
    assert round(357 / 569, 2) == 0.63


def test_one_permutation_splits_features_and_labels_alike(device):
    """Indexing features and labels with the same shuffled row numbers keeps each row with its label, and cutting the
    row numbers in two puts no row on both sides of the split.

    Call `torch.randperm` once. A second call draws a new order, and rows get the labels of other rows without an error.

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
    assert not torch.equal(x[order].sum(dim=1), y[torch.randperm(10, device=device)])


def test_scaling_uses_the_training_rows_only(cancer, rounding_bound):
    """Scaling all rows of `load_breast_cancer` with the mean and the standard deviation of the training rows gives each
    training column mean 0 and deviation 1, up to rounding, but not the test columns.

    Test columns with another mean are no mistake: test rows stand for rows that nobody has seen. The mean of all rows
    would leak test rows into the training. A constant column becomes nan, or infinite or finite numbers, as the mean
    and the deviation are rounded: find it by `x.amin(dim=0) == x.amax(dim=0)`, and drop it.

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
    assert (abs(scaled[400:].std(axis=0, ddof=1) - 1) > bound.max()).all()

    constant = torch.full((4,), 3.0)
    assert ((constant - constant.mean(dim=0)) / constant.std(dim=0)).isnan().all()
    tenths = [torch.full((n,), 0.1) for n in range(100, 200)]
    assert any(((column - column.mean(dim=0)) / column.std(dim=0)).isfinite().all() for column in tenths)
    assert all(column.amin(dim=0) == column.amax(dim=0) for column in tenths)
    tables = [column.unsqueeze(1).repeat(1, 2) for column in tenths]
    assert any(((table - table.mean(dim=0)) / table.std(dim=0)).isinf().all() for table in tables)


def test_unscaled_features_spoil_the_training(cancer, device):
    """Ten SGD steps with `lr=0.1` bring the loss of a linear model on `load_breast_cancer` below ln 2 with scaled
    measurements and leave the loss above ln 2 with raw measurements.

    The loss of guessing is ln 2. The means of the raw columns run from less than 0.01 to more than 800, and a learning
    rate that suits one column is far too large for another: scale first.

    https://scikit-learn.org/stable/modules/preprocessing.html
    """
    scaled, y = as_tensors(cancer, device)
    raw = torch.tensor(cancer[0], dtype=torch.float32, device=device)
    assert raw.mean(dim=0).min().item() < 0.01
    assert raw.mean(dim=0).max().item() > 800

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
    """`nn.CrossEntropyLoss()` of equal finite logits for C classes is ln C for every class number as the target: 0.693
    for two classes.

    The loss before the first training step should be near ln C. A much larger one often means that the first weights or
    the inputs are too large. `BCEWithLogitsLoss()` of logit 0 is ln 2 for the targets 0 and 1.

    `reduction="sum"` adds one ln C for each row. A batch with nothing but `ignore_index` gives nan by default, and 0
    with `reduction="sum"`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
    """

    def close(loss, expected, classes):
        # A sum of `classes` exponentials and one of as many rows; exp and log may be off by a few roundings more.
        rtol = rounding_bound(2 * classes + 8, torch.float32)
        torch.testing.assert_close(loss, torch.tensor(expected, device=device), rtol=rtol, atol=0)

    for classes in (2, 3, 10, 100):
        every_class = torch.arange(classes, device=device)
        logits = torch.full((classes, classes), 0.25, device=device)
        close(nn.CrossEntropyLoss()(logits, every_class), math.log(classes), classes)
        close(nn.CrossEntropyLoss(reduction="none")(logits, every_class), [math.log(classes)] * classes, classes)
        close(nn.CrossEntropyLoss(reduction="sum")(logits, every_class), classes * math.log(classes), classes)
        ignored = torch.full_like(every_class, -100)  # -100 is ignore_index
        assert nn.CrossEntropyLoss()(logits, ignored).isnan()
        assert nn.CrossEntropyLoss(reduction="sum")(logits, ignored).item() == 0

    binary = nn.BCEWithLogitsLoss(reduction="none")
    close(binary(torch.zeros(2, device=device), torch.tensor([0.0, 1], device=device)), [math.log(2)] * 2, 2)
    close(nn.BCEWithLogitsLoss()(torch.zeros(8, device=device), torch.ones(8, device=device)), math.log(2), 8)
    assert round(math.log(2), 3) == 0.693


# One step: what do zero_grad, backward and step do?


def test_zero_grad_leaves_none(device):
    """`optimizer.zero_grad()` and `model.zero_grad()` set `.grad` of their own parameters to None, as before the first
    `backward()`, instead of filling `.grad` with zeros.

    Code that reads `.grad` has to expect None. `set_to_none=False` fills gradients with zeros, the default before
    PyTorch 2.0.

    An optimizer does not reach a parameter that the optimizer was not given: that gradient goes on adding up.

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

    model(x).sum().backward()
    torch.optim.SGD([model.weight], lr=0.1).zero_grad()
    assert (model.weight.grad, model.bias.grad.tolist()) == (None, [2])


def test_without_zero_grad_every_step_uses_the_sum_of_all_gradients(device):
    """Without `zero_grad()`, `backward()` adds to `.grad`, and every step uses the sum of all gradients so far.

    Nothing raises, and the loss may even fall for a while. Here the loss is w²/2, the gradient is w, and the sum of the
    gradients carries w past the minimum at 0. Call `optimizer.zero_grad()` once in every round of the loop.

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
    """A step of `torch.optim.SGD` with its default options subtracts `lr * p.grad` from each parameter `p` that has a
    gradient and leaves the gradient as it is.

    The default options are no momentum, no weight decay and no `maximize`. `maximize=True` adds instead of subtracting.
    A parameter whose `.grad` is None stays where it is.

    https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html
    """
    w = nn.Parameter(torch.tensor([[1.0, -2, 3], [0.5, 8, 0]], device=device))
    slopes = torch.tensor([[4.0, 2, -1], [0, 16, -8]], device=device)
    idle = nn.Parameter(torch.ones(2, device=device))
    optimizer = torch.optim.SGD([w, idle], lr=0.25)
    (w * slopes).sum().backward()

    optimizer.step()
    assert w.tolist() == [[0, -2.5, 3.25], [0.5, 4, 2]]
    optimizer.step()
    assert w.tolist() == [[-1, -3, 3.5], [0.5, 0, 4]]
    assert torch.equal(w.grad, slopes)
    assert (idle.tolist(), idle.grad) == ([1, 1], None)

    torch.optim.SGD([w], lr=0.25, maximize=True).step()
    assert w.tolist() == [[0, -2.5, 3.25], [0.5, 4, 2]]


@pytest.mark.holds("torch>=2.2", otherwise=ValueError, change="new", concerns="torch.optim.SGD(_, not lr)")
def test_sgd_has_a_default_learning_rate(device):
    """`torch.optim.SGD` without `lr` uses a learning rate of 0.001 from torch 2.2 on; before, the same call raised
    ValueError.

    0.001 is Adam's default and often slow for SGD: if a loss hardly falls, check whether `lr` was forgotten.

    https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html
    """
    start, gradient = torch.tensor([1.0, 2.0], device=device), torch.tensor([500.0, -2000.0], device=device)
    unsaid, said = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    for w, options in [(unsaid, {}), (said, {"lr": 0.001})]:
        w.grad = gradient
        torch.optim.SGD([w], **options).step()

    assert torch.equal(unsaid, said)
    assert torch.optim.Adam([unsaid]).defaults["lr"] == 0.001
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
    """A loop with SGD and its default options over new parameters moves none of them, and raises no error, if the loop
    leaves out `backward()` or `step()`, or calls `zero_grad()` between the two.

    If a model is not learning and its loss stays exactly the same, look at these three calls first: `zero_grad`,
    `backward`, `step`. `zero_grad` may also come last. With `weight_decay`, `zero_grad(set_to_none=False)` between the
    two still lets `step` shrink the parameter. Here the loss is w²/2 from w = 1, and each row of the table runs
    twice.

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

    shrinking = nn.Parameter(torch.tensor(1.0, device=device))
    optimizer = torch.optim.SGD([shrinking], lr=0.5, weight_decay=0.5)
    (shrinking**2 / 2).backward()
    optimizer.zero_grad(set_to_none=False)
    optimizer.step()
    assert shrinking.item() == 0.75


def test_a_gradient_of_none_is_not_a_gradient_of_zero(device):
    """SGD with momentum goes on moving a parameter after its gradient has become zero, but leaves a parameter alone
    whose gradient is None.

    `zero_grad()` sets gradients to None, so a parameter that took no part in the loss is skipped. With zeros
    (`set_to_none=False`) momentum and weight decay would still move the parameter. Without weight decay, a gradient of
    zero in the very first step moves nothing: no momentum has built up.

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

    for options, end in [({"momentum": 0.5}, 8), ({"weight_decay": 0.5}, 6)]:
        first = nn.Parameter(torch.tensor([8.0], device=device))
        for gradient in (None, torch.zeros(1, device=device)):
            first.grad = gradient
            torch.optim.SGD([first], lr=0.5, **options).step()
            assert first.item() == (8 if gradient is None else end)


def test_the_loss_is_that_of_before_the_step(device):
    """The `loss` of a training loop is the loss of the parameters before the step: `optimizer.step()` does not change
    the number.

    The last loss that a loop prints is one step old. Compute the loss again to know how good the finished model is.

    https://docs.pytorch.org/docs/stable/optim.html
    """
    w = nn.Parameter(torch.tensor(2.0, device=device))
    optimizer = torch.optim.SGD([w], lr=0.25)
    loss = w**2
    loss.backward()
    optimizer.step()

    assert loss.item() == 4
    assert (w**2).item() == 1


def test_a_python_number_has_no_backward(device):
    """Begun with `total = 0`, `total += loss.item()` adds up a Python float, and `total.backward()` raises
    AttributeError, "'float' object has no attribute 'backward'".

    `item()` leaves the graph behind. Call `loss.backward()` for each batch, and keep `loss.item()` for the report. A
    `total = 0` to which no batch was added is an int: "'int' object has no attribute 'backward'".

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.item.html
    """
    w = nn.Parameter(torch.tensor([1.0], device=device))
    total = 0

    with pytest.raises(AttributeError, match="'int' object has no attribute 'backward'"):
        total.backward()
    for target in (3.0, 5.0):
        loss = ((w - target) ** 2).sum()
        loss.backward()
        total += loss.item()

    assert total == 4 + 16
    assert w.grad.tolist() == [-4 - 8]
    with pytest.raises(AttributeError, match="'float' object has no attribute 'backward'"):
        total.backward()


def test_a_learning_rate_can_be_too_large(device):
    """Up to rounding, SGD with its default options on the loss `a * w**2` with a > 0 reaches the minimum in one step
    with a learning rate of `1 / (2 * a)`, jumps back and forth with `1 / a`, and diverges with more.

    A loss that grows or jumps is often the sign of a learning rate that is too large: try a third or a tenth of it.
    Each step multiplies w by 1 - 2 * a * lr, and w starts at 1 here. With `1.5 / a` the loss becomes inf and then nan
    within 200 steps.

    https://docs.pytorch.org/docs/stable/optim.html
    """
    for a in (0.5, 1, 4):
        path = {}
        for step in (0.25, 0.5, 1, 1.5):
            w = nn.Parameter(torch.tensor(1.0, device=device))
            optimizer = torch.optim.SGD([w], lr=step / a)
            path[step] = []
            for _ in range(3):
                optimizer.zero_grad()
                (a * w**2).backward()
                optimizer.step()
                path[step].append(w.item())
        assert path == {0.25: [0.5, 0.25, 0.125], 0.5: [0, 0, 0], 1: [-1, 1, -1], 1.5: [-2, 4, -8]}

        w, losses = nn.Parameter(torch.tensor(1.0, device=device)), []
        optimizer = torch.optim.SGD([w], lr=1.5 / a)
        for _ in range(200):
            optimizer.zero_grad()
            loss = a * w**2
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        assert math.inf in losses
        assert math.isnan(losses[-1])


def test_adam_starts_with_steps_of_lr(device, rounding_bound):
    """The first step of Adam with its default options moves a float32 parameter by about `lr`, up to the rounding of
    the parameter, for gradients of size 1e-6 to 1e15, whereas SGD moves a parameter by `lr` times the gradient.

    A gradient near `eps` (1e-8) moves a parameter less: 1e-8 gives half of `lr`. A gradient of 0 gives no move, and a
    gradient of 1e30 gives none either, because its square overflows to inf. A parameter of 1e5 does not move by 0.001:
    float32 rounds the step away. A learning rate that suits SGD says little about Adam.

    https://docs.pytorch.org/docs/stable/generated/torch.optim.Adam.html
    """
    gradients = torch.tensor([1e15, 1024, 1, -0.5, 1e-6, 1e-8, 0, 1e30], device=device)
    moved = {}
    for optimizer_class in (torch.optim.SGD, torch.optim.Adam):
        w = nn.Parameter(torch.zeros(8, device=device))
        w.grad = gradients
        optimizer_class([w], lr=0.25).step()
        moved[optimizer_class] = w.detach().cpu()

    assert torch.equal(moved[torch.optim.SGD], -0.25 * gradients.cpu())
    # Adam divides by |gradient| + 1e-8 and rounds less than 16 times on the way.
    exact = gradients.cpu().double()
    expected = (-0.25 * exact / (exact.abs() + 1e-8)).float()
    assert expected.abs()[:5].min() > 0.25 * 0.99
    expected[-1] = 0
    rtol = rounding_bound(16, torch.float32)
    torch.testing.assert_close(moved[torch.optim.Adam], expected, rtol=rtol, atol=0)

    large = nn.Parameter(torch.tensor(1e5, device=device))
    large.grad = torch.ones_like(large)
    torch.optim.Adam([large], lr=0.001).step()
    assert large.item() == 1e5


@pytest.mark.filterwarnings("ignore:Converting a tensor with requires_grad=True")  # of LBFGS itself, in torch 2.8
def test_lbfgs_wants_a_function_that_computes_the_loss(device):
    """`optimizer.step()` of `torch.optim.LBFGS` raises TypeError, "missing 1 required positional argument: 'closure'".

    LBFGS needs a function that computes the loss and its gradient, because one step may ask for them several times.
    The function calls `zero_grad()` and `backward()` and returns the loss; one that returns None raises TypeError.
    `step(closure)` returns the first of these losses. LBFGS takes one group of parameters: two raise ValueError.

    https://docs.pytorch.org/docs/stable/generated/torch.optim.LBFGS.html
    """
    w = nn.Parameter(torch.tensor([4.0], device=device))
    optimizer = torch.optim.LBFGS([w], lr=1)
    losses = []

    def closure():
        optimizer.zero_grad()
        loss = ((w - 1) ** 2).sum()
        loss.backward()
        losses.append(loss.item())
        return loss

    with pytest.raises(TypeError, match="missing 1 required positional argument: 'closure'"):
        optimizer.step()
    first = optimizer.step(closure)

    assert len(losses) > 1
    assert first.item() == losses[0] == 9
    assert w.item() == pytest.approx(1, rel=0, abs=1e-3)
    with pytest.raises(TypeError):
        optimizer.step(lambda: None)
    with pytest.raises(ValueError, match="LBFGS doesn't support per-parameter options"):
        torch.optim.LBFGS([{"params": [w]}, {"params": [nn.Parameter(torch.ones(1))]}])


def test_a_layer_replaced_afterwards_is_not_trained(device):
    """An optimizer keeps the parameters that the optimizer was made with: a new layer put into the model later gets
    gradients, but `step()` does not move the new layer.

    Replacing the last layer of a pretrained model is the usual way into this trap. Make the optimizer when the model is
    complete, or call `optimizer.add_param_group` with the new parameters.

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


def test_what_an_optimizer_refuses_to_train(device):
    """SGD raises ValueError, "can't optimize a non-leaf Tensor", for `torch.ones(2, requires_grad=True) * 0.1`: it is
    the result of a computation.

    Scale first and make the leaf then: `nn.Parameter(torch.ones(2) * 0.1)`. A parameter in two groups raises
    ValueError, "some parameters appear in more than one parameter group". A tensor without a list around it raises
    TypeError, "params argument given to the optimizer should be an iterable of Tensors or dicts", and an `nn.Linear`
    raises TypeError, "'Linear' object is not iterable", and an `nn.Sequential` "optimizer can only optimize Tensors":
    write `[w]` and `model.parameters()`.

    https://docs.pytorch.org/docs/stable/optim.html
    """
    leaf, model = torch.ones(2, device=device, requires_grad=True), nn.Linear(2, 1).to(device)

    with pytest.raises(ValueError, match="can't optimize a non-leaf Tensor"):
        torch.optim.SGD([leaf * 0.1], lr=0.5)
    with pytest.raises(ValueError, match="some parameters appear in more than one parameter group"):
        torch.optim.SGD([{"params": [model.weight]}, {"params": model.parameters()}], lr=0.5)
    with pytest.raises(TypeError, match="params argument given to the optimizer should be an iterable of Tensors or"):
        torch.optim.SGD(leaf, lr=0.5)
    with pytest.raises(TypeError, match="'Linear' object is not iterable"):
        torch.optim.SGD(model, lr=0.5)
    with pytest.raises(TypeError, match="optimizer can only optimize Tensors"):
        torch.optim.SGD(nn.Sequential(model), lr=0.5)

    parameter = nn.Parameter(torch.ones(2, device=device) * 0.1)
    assert torch.optim.SGD([parameter], lr=0.5).param_groups[0]["params"] == [parameter]


@pytest.mark.myth("weight_decay means the same in Adam and in AdamW")
def test_weight_decay_is_another_thing_in_adam_than_in_adamw(device):
    """With a gradient of zero, `weight_decay=0.25` and `lr=0.5` take a weight of 8 to 7 in the first step of SGD or
    AdamW, and to about 7.5 in the first step of Adam, where `weight_decay=0.001` gives 7.5 too.

    SGD and AdamW take `lr * weight_decay * w` off the weight here. Adam adds `weight_decay * w` to the gradient (an L2
    penalty) and then divides by the size of the gradient. For decoupled weight decay, write AdamW. The default of AdamW
    is `weight_decay=0.01`, that of SGD and Adam is 0.

    https://docs.pytorch.org/docs/stable/generated/torch.optim.AdamW.html
    """

    def stepped(optimizer_class, **options):
        w = nn.Parameter(torch.tensor([8.0], device=device))
        w.grad = torch.zeros_like(w)
        optimizer_class([w], lr=0.5, **options).step()
        return pytest.approx(w.item(), rel=0, abs=1e-4)

    assert stepped(torch.optim.SGD, weight_decay=0.25) == 8 - 0.5 * 0.25 * 8
    assert stepped(torch.optim.AdamW, weight_decay=0.25) == 7
    assert stepped(torch.optim.Adam, weight_decay=0.25) == stepped(torch.optim.Adam, weight_decay=0.001) == 7.5
    assert (stepped(torch.optim.SGD), stepped(torch.optim.Adam), stepped(torch.optim.AdamW)) == (8, 8, 8 - 0.04)


def test_weight_decay_is_half_a_square_in_the_loss(device):
    """In plain SGD `weight_decay=0.25` makes the step of a loss to which `0.125 * (w ** 2).sum()` was added: half of
    the number stands before the square.

    It acts on each parameter that has a gradient, on a bias like on a weight; one whose gradient is None stays. To
    spare some, put them into a group of their own, `{"params": biases, "weight_decay": 0}`. SGD has no option for an L1
    penalty: add `0.25 * w.abs().sum()` to the loss.

    https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html
    """

    def after_a_step(penalty=lambda w: 0, group=None, **options):
        w, unused = (nn.Parameter(torch.tensor([3.0, -1.0], device=device)) for _ in range(2))
        optimizer = torch.optim.SGD([{"params": [w, unused], **(group or {})}], lr=0.5, **options)
        ((2 * w).sum() + penalty(w)).backward()
        optimizer.step()
        assert unused.tolist() == [3, -1]
        return w.tolist()

    decayed = after_a_step(weight_decay=0.25)
    assert decayed == after_a_step(lambda w: 0.125 * (w**2).sum()) == [3 - 1 - 0.375, -1 - 1 + 0.125]
    assert after_a_step(group={"weight_decay": 0}, weight_decay=0.25) == after_a_step() == [2, -2]
    assert after_a_step(lambda w: 0.25 * w.abs().sum()) == [2 - 0.125, -2 + 0.125]

    layer = nn.Linear(1, 1).to(device)
    nn.init.ones_(layer.bias)
    layer.bias.grad = torch.zeros_like(layer.bias)
    torch.optim.SGD(layer.parameters(), lr=0.5, weight_decay=0.25).step()
    assert layer.bias.item() == 1 - 0.125


# The learning rate: who changes it, and when?


def test_the_learning_rate_is_in_the_param_groups(device):
    """`optimizer.param_groups[0]["lr"] = 0.25` changes the learning rate from the next step of SGD on; `optimizer.lr =
    0.25` and `optimizer.defaults["lr"] = 0.25` change nothing for the parameters that are there.

    Neither of the two complains. Write `for group in optimizer.param_groups: group["lr"] = 0.25`: an optimizer made
    with several groups, such as one for the backbone and one for the head, has a rate for each of them. Adam keeps its
    averages over such a change; a new optimizer would forget them.

    https://docs.pytorch.org/docs/stable/optim.html
    """
    w, head = (nn.Parameter(torch.tensor([8.0], device=device)) for _ in range(2))
    w.grad = head.grad = torch.ones(1, device=device)
    optimizer = torch.optim.SGD([{"params": [w]}, {"params": [head], "lr": 2.0}], lr=0.5)
    optimizer.step()
    assert (w.item(), head.item()) == (7.5, 6)

    optimizer.lr = 0.25
    optimizer.defaults["lr"] = 0.25
    optimizer.step()
    assert (w.item(), head.item()) == (7, 4)

    optimizer.param_groups[0]["lr"] = 0.25
    optimizer.step()
    assert (w.item(), head.item()) == (6.75, 2)

    adam = torch.optim.Adam([w], lr=0.5)
    adam.step()
    adam.param_groups[0]["lr"] = 0.25
    assert adam.state[w]["exp_avg"].item() > 0
    assert len(torch.optim.Adam([w], lr=0.25).state) == 0


def test_a_scheduler_steps_after_the_optimizer(device):
    """`StepLR` multiplies the optimizer's learning rate by `gamma` after every `step_size` calls of `scheduler.step()`.

    Call `scheduler.step()` after `optimizer.step()`, usually once per epoch. A first `step()` of a new StepLR before
    any `optimizer.step()` gives a UserWarning, "Detected call of `lr_scheduler.step()` before `optimizer.step()`", and
    the first rate is used for one step less. Steps from before the StepLR was made do not count. `scheduler.step(3)`
    warns that "the epoch parameter" is deprecated: write `scheduler.step()`.

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
    early = torch.optim.lr_scheduler.StepLR(torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=8.0), step_size=2)
    with pytest.warns(UserWarning, match=r"Detected call of `lr_scheduler.step\(\)` before `optimizer.step\(\)`"):
        early.step()
    early.optimizer.step()
    early.step()
    assert early.get_last_lr() == [pytest.approx(0.8)]  # after one step of the optimizer instead of two
    with pytest.warns(UserWarning, match="(?i)the epoch parameter in `scheduler.step"):
        early.step(3)

    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=8.0)
    optimizer.step()
    late = torch.optim.lr_scheduler.StepLR(optimizer, step_size=2)
    with pytest.warns(UserWarning, match="before `optimizer.step"):
        late.step()


def test_a_scheduler_may_change_the_rate_when_it_is_made(device):
    """A new `ConstantLR`, `LinearLR`, `CyclicLR` or `OneCycleLR` sets the optimizer's learning rate to its own first
    rate as soon as the scheduler is made, before any `step()`.

    Read the learning rate from `optimizer.param_groups` after making the scheduler. `OneCycleLR` and `CyclicLR` set
    the momentum of SGD too, unless you pass `cycle_momentum=False`. A new `StepLR` waits for its `step()`.

    https://docs.pytorch.org/docs/stable/optim.html
    """

    def made(scheduler, **options):
        optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1, device=device))], lr=8.0, momentum=0.5)
        getattr(torch.optim.lr_scheduler, scheduler)(optimizer, **options)
        return optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["momentum"]

    assert made("ConstantLR", factor=0.25) == (2, 0.5)
    assert made("LinearLR", start_factor=0.25) == (2, 0.5)
    assert made("CyclicLR", base_lr=1.0, max_lr=4.0, cycle_momentum=False) == (1, 0.5)
    assert made("CyclicLR", base_lr=1.0, max_lr=4.0, max_momentum=0.75) == (1, 0.75)
    assert made("OneCycleLR", max_lr=4.0, total_steps=9, div_factor=4.0, cycle_momentum=False) == (1, 0.5)
    assert made("OneCycleLR", max_lr=4.0, total_steps=9, div_factor=4.0, max_momentum=0.75) == (1, 0.75)
    assert made("StepLR", step_size=2) == (8, 0.5)


def test_get_last_lr_is_what_the_scheduler_set(device):
    """With a learning rate that is a Python number, `get_last_lr()` of `StepLR` returns the rate that this scheduler
    set last, even after the optimizer's rate was changed by hand or by a second scheduler.

    Log `optimizer.param_groups[0]["lr"]`, which is what the next step uses. `get_lr()` is not for asking: it gives a
    UserWarning, "To get the last learning rate computed by the scheduler, please use `get_last_lr()`".

    https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.StepLR.html
    """
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1, device=device))], lr=8.0)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)
    second = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.25)
    optimizer.step()
    scheduler.step()
    second.step()
    assert (scheduler.get_last_lr(), second.get_last_lr()) == ([4], [1])
    assert optimizer.param_groups[0]["lr"] == 1

    optimizer.param_groups[0]["lr"] = 3.0
    assert (scheduler.get_last_lr(), second.get_last_lr()) == ([4], [1])
    with pytest.warns(UserWarning, match=r"To get the last learning rate .* please use `get_last_lr\(\)`"):
        scheduler.get_lr()


@pytest.mark.holds(
    "torch>=2.10", otherwise=AssertionError, change="result", concerns="torch.optim.SGD(lr=torch.Tensor)"
)
def test_a_rate_in_a_tensor_is_changed_in_place_and_logged_as_a_copy(device):
    """From torch 2.10 on, a `StepLR` over SGD with a learning rate in a tensor writes into that tensor, and
    `get_last_lr()` returns a copy, so that a list of logged rates keeps the rates of the past.

    In torch 2.4 to 2.9 `get_last_lr()` returned the tensor itself: all rates in the log became the last one. Write
    `scheduler.get_last_lr()[0].item()` there. Torch 2.0 to 2.3 put a new tensor in place of the first.

    https://github.com/pytorch/pytorch/issues/163103
    """
    rate = torch.tensor(8.0, device=device)
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1, device=device))], lr=rate)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)
    logged = []
    for _ in range(3):
        logged += scheduler.get_last_lr()
        optimizer.step()
        scheduler.step()

    assert optimizer.param_groups[0]["lr"] is rate
    assert rate.item() == 1
    assert [tensor.item() for tensor in logged] == [8, 4, 2]


def test_one_cycle_ends_after_its_steps(device):
    """A `OneCycleLR` for four steps raises ValueError in the fifth call of `step()`: "Tried to step 5 times".

    The message goes on with "The specified number of total steps is 4". `OneCycleLR` counts batches: call `step()` once
    a batch, and pass `epochs=` and `steps_per_epoch=len(loader)`, or their product as `total_steps=`. The rate after
    the fourth `step()` is meant for no batch: here it goes up again, or below 0 with `anneal_strategy="linear"`. A
    `CosineAnnealingLR` with `T_max=4` raises nothing: its rate is lowest after four steps and goes up again.

    https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.OneCycleLR.html
    """
    for length in ({"total_steps": 4}, {"epochs": 2, "steps_per_epoch": 2}):
        optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1, device=device))], lr=1.0, momentum=0.9)
        scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=8.0, **length)
        rates = scheduler.get_last_lr()
        for _ in range(4):
            optimizer.step()
            scheduler.step()
            rates += scheduler.get_last_lr()

        assert max(rates) == pytest.approx(8, rel=0.2)
        assert rates[3] < rates[0] < rates[4]
        with pytest.raises(ValueError, match=r"Tried to step 5 times. The specified number of total steps is 4"):
            scheduler.step()

    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1, device=device))], lr=1.0, momentum=0.9)
    linear = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=8.0, total_steps=4, anneal_strategy="linear")
    for _ in range(4):
        optimizer.step()
        linear.step()
    assert linear.get_last_lr()[0] < 0

    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1, device=device))], lr=1.0)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=4)
    rates = []
    for _ in range(6):
        rates.append(round(cosine.get_last_lr()[0], 2))
        optimizer.step()
        cosine.step()
    assert rates == [1, 0.85, 0.5, 0.15, 0, 0.15]


@pytest.mark.holds(
    "torch>=2.2",
    otherwise=AssertionError,
    change="result",
    concerns="isinstance(_, torch.optim.lr_scheduler.LRScheduler)?",
)
def test_reduce_on_plateau_is_a_scheduler_like_the_others(device):
    """`ReduceLROnPlateau` is an `LRScheduler` from torch 2.2 on and has `get_last_lr()` after its first step, but its
    `step` still needs the number to watch.

    Write `scheduler.step(loss)`: `step()` alone raises TypeError, "missing 1 required positional argument: 'metrics'".
    Code that asked `isinstance(scheduler, LRScheduler)` to tell `ReduceLROnPlateau` from the others has to ask for
    `ReduceLROnPlateau` itself. `isinstance(scheduler, _LRScheduler)`, with the old private name, is False for
    `ReduceLROnPlateau` and for `StepLR`.

    https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ReduceLROnPlateau.html
    """
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1, device=device))], lr=8.0)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
    assert isinstance(scheduler, torch.optim.lr_scheduler.LRScheduler)
    for one in (scheduler, torch.optim.lr_scheduler.StepLR(optimizer, step_size=2)):
        assert not isinstance(one, torch.optim.lr_scheduler._LRScheduler)

    rates = []
    for loss in (5.0, 3.0, 4.0, 4.0, 2.0):  # worse than the best twice: more than the patience
        scheduler.step(loss)
        rates += scheduler.get_last_lr()
    assert rates == [8, 8, 8, 4, 4]
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'metrics'"):
        scheduler.step()


def test_reduce_on_plateau_waits_for_a_fall_unless_told(device):
    """`ReduceLROnPlateau` watches for a number that falls: given an accuracy that rises in every epoch it lowers the
    learning rate when its patience is over, unless it is made with `mode="max"`.

    An improvement of a positive number has to be larger than `threshold`, by default one in 10,000 of the best so far,
    and nan is no improvement. A negative number that stays the same counts as one: pass `threshold_mode="abs"` for a
    negative loss. With `patience=1` the first fall comes with the second epoch in a row without an improvement.

    https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ReduceLROnPlateau.html
    """

    def rates(numbers, **options):
        optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1, device=device))], lr=8.0)
        scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1, **options)
        seen = []
        for number in numbers:
            scheduler.step(number)
            seen.append(optimizer.param_groups[0]["lr"])
        return seen

    accuracies = [0.5, 0.6, 0.7, 0.8]
    assert rates(accuracies) == [8, 8, 4, 4]
    assert rates(accuracies, mode="max") == [8, 8, 8, 8]
    assert rates([0.5, math.nan, math.nan, math.nan]) == [8, 8, 4, 4]
    assert rates([1.0, 0.99999, 0.99998, 0.99997]) == [8, 8, 4, 4]
    assert rates([1.0, 0.9995, 0.999, 0.9985]) == [8, 8, 8, 8]
    assert rates([-1.0, -1.0, -1.0, -1.0]) == [8, 8, 8, 8]
    assert rates([-1.0, -1.0, -1.0, -1.0], threshold_mode="abs") == [8, 8, 4, 4]


@pytest.mark.filterwarnings("ignore:.*scheduler.step")  # before 2.9 making a SequentialLR warns
@pytest.mark.holds(
    "torch>=2.13",
    otherwise=AssertionError,
    change="result",
    concerns="torch.optim.lr_scheduler.SequentialLR(milestones=[0])",
)
def test_a_milestone_at_0_leaves_the_first_scheduler_out(device):
    """From torch 2.13 on `SequentialLR(optimizer, [first, second], milestones=[0])` starts with the rate of `second`
    alone; before, it started with the rate of `first`.

    Up to 2.12 the rates in this note were 4 and 1 instead of 2 and 2: after a step both factors, 0.5 and 0.25, counted.
    A warm-up of 0 steps makes such a milestone: leave `SequentialLR` out then.

    https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.SequentialLR.html
    """
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1, device=device))], lr=8.0)
    first = torch.optim.lr_scheduler.ConstantLR(optimizer, factor=0.5, total_iters=9)
    second = torch.optim.lr_scheduler.ConstantLR(optimizer, factor=0.25, total_iters=9)

    scheduler = torch.optim.lr_scheduler.SequentialLR(optimizer, [first, second], milestones=[0])
    rates = [optimizer.param_groups[0]["lr"]]
    optimizer.step()
    scheduler.step()
    rates.append(optimizer.param_groups[0]["lr"])

    assert rates == [2, 2]


@pytest.mark.holds("torch>=2.9", otherwise=UserWarning, change="warns")
def test_schedulers_in_sequence_no_longer_warn(device):
    """`SequentialLR` goes from one scheduler to the next at its milestone, from torch 2.9 on without a UserWarning.

    Use `SequentialLR` for a warm-up before a decay. Until 2.8 the sequence in this note gave a UserWarning about the
    parameter `epoch` of `step`, which `SequentialLR` passed itself. From torch 2.4 on, `ReduceLROnPlateau` in a
    sequence raises ValueError.

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
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer)
    with pytest.raises(ValueError, match="ReduceLROnPlateau"):
        torch.optim.lr_scheduler.SequentialLR(optimizer, [warm_up, plateau], milestones=[2])


# Training: how do you see that the loop works?


def test_training_finds_the_line_behind_the_data(device, rounding_bound):
    """Forty steps of SGD on `MSELoss` take `nn.Linear(1, 1)` from its random first weights to the line 0.7 x + 0.3
    behind the points.

    Data whose answer you know is the quickest test of a training loop: the weight must come out as 0.7 and the bias as
    0.3, whatever the seed of the first weights.

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
    """SGD on all rows with a learning rate of 0.125, which is below 2 / L, lowers the loss of a linear model on the
    scaled `load_breast_cancer` in each of 15 steps.

    L is how fast the gradient can change: for `BCEWithLogitsLoss` at most a quarter of the mean squared length of a
    row, (30 + 1) / 4 for 30 scaled columns and the bias. A learning rate of 20 more than doubles the loss in its first
    step from weights of 0.

    The losses of minibatches are those of different rows: they may rise although the training goes well.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html
    """
    x, y = as_tensors(cancer, device)
    model = nn.Linear(30, 1).to(device)

    def losses(model, lr):
        optimizer = torch.optim.SGD(model.parameters(), lr=lr)
        for _ in range(15):
            optimizer.zero_grad()
            loss = nn.BCEWithLogitsLoss()(model(x).squeeze(1), y)
            loss.backward()
            optimizer.step()
            yield loss.item()

    steepest = (x**2).sum(dim=1).add(1).mean().item() / 4
    assert steepest == pytest.approx((30 + 1) / 4, rel=1e-5)
    assert 0.125 < 2 / steepest < 20
    assert all(later < earlier for earlier, later in pairwise(losses(model, lr=0.125)))

    nn.init.zeros_(model.weight)
    nn.init.zeros_(model.bias)
    first, second, *_ = losses(model, lr=20)
    assert second > 2 * first


@pytest.mark.advice("Andrej Karpathy, A Recipe for Training Neural Networks, 2019: overfit one batch")
def test_a_network_can_learn_eight_rows_by_heart(cancer, device):
    """A network with one hidden layer of 64 learns the labels of eight scaled rows by heart in 25 steps of Adam with
    `lr=0.05`, even labels from a tossed coin, and then is right about half of the tosses for the other rows.

    If a model cannot learn eight rows, look for a bug in the training loop first, then at the learning rate. Being
    right about the training rows proves nothing about other rows.

    https://docs.pytorch.org/docs/stable/optim.html
    """
    x, _ = as_tensors(cancer, device)
    x = x[torch.randperm(569)]
    tossed = torch.randint(2, (569,)).float().to(device)
    model = nn.Sequential(nn.Linear(30, 64), nn.ReLU(), nn.Linear(64, 1)).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(25):
        optimizer.zero_grad()
        F.binary_cross_entropy_with_logits(model(x[:8]).squeeze(1), tossed[:8]).backward()
        optimizer.step()
    right = ((model(x).squeeze(1) > 0) == (tossed == 1)).float()

    assert right[:8].mean().item() == 1
    # Of 561 tosses a share of one half is guessed, give or take six standard errors.
    assert right[8:].mean().item() == pytest.approx(0.5, rel=0, abs=6 * 0.5 / 561**0.5)


# Evaluation: how do you ask a model without changing it?


def new_network():
    """A network with all that makes training and evaluation differ."""
    return nn.Sequential(nn.Linear(30, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 1))


def test_evaluation_leaves_the_model_untouched(cancer, device):
    """A model of `nn.Linear`, `nn.BatchNorm1d`, `nn.ReLU` and `nn.Dropout` in eval mode under `torch.inference_mode()`
    gives the same answer every time, and no parameter, buffer or gradient changes.

    `eval()` reaches layers, not functions: a bare `F.dropout(x)` in `forward` still drops in eval mode. Use
    `nn.Dropout`, or write `F.dropout(x, training=self.training)`.

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

    class Bare(nn.Module):
        def forward(self, x):
            return F.dropout(x)

    ones = torch.ones(1000, device=device)
    assert (Bare().eval()(ones) == 0).any()
    assert torch.equal(F.dropout(ones, training=model.training), ones)


def test_without_eval_the_answers_are_random_and_the_model_changes(cancer, device):
    """Without `model.eval()`, `nn.Dropout(0.5)` draws anew in each call what to drop, so that the answers for these 569
    rows differ, and `nn.BatchNorm1d` updates its running statistics from the rows.

    `torch.inference_mode()` does not help: it turns off gradients, not dropout. Call `model.eval()` before evaluating
    and `model.train()` before the next epoch.

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
    """`nn.Linear(30, 1)` gives a batch of one row, `x[:1]`, the same answer as the same row among others, up to
    rounding, in the shape (1, 1) instead of the (1,) of `x[0]`.

    Call `eval()` before asking about one row: in training mode `nn.BatchNorm1d` raises ValueError for a batch of one
    row, "Expected more than 1 value per channel when training".

    Scale a new row with the mean and the standard deviation of the training rows, not with its own.

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
    with pytest.raises(ValueError, match="Expected more than 1 value per channel when training"):
        network(x[:1])
    assert network.eval()(x[:1]).shape == (1, 1)


# Saving and loading: what has to be in the file?


def test_a_loaded_model_predicts_the_same_bits(cancer, device, tmp_path):
    """A second network of `nn.Linear`, `nn.BatchNorm1d`, `nn.ReLU` and `nn.Dropout`, built by the same code, gives bit
    for bit the predictions of the saved one after `load_state_dict`, if both are in eval mode and on one device.

    The `state_dict` holds their tensors and no code: build the same model first. The mode and the slope of a
    `LeakyReLU` are not loaded, nor by default the dtype: call `eval()` on the loaded model too. A tensor that is a
    plain attribute, such as `self.scale = torch.rand(1)`, is not in the `state_dict`: write `register_buffer`.

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

    trained.eval()
    fresh.train().load_state_dict(trained.state_dict())
    assert fresh.training
    assert nn.LeakyReLU(0.5).state_dict() == {}
    fresh.load_state_dict(new_network().half().state_dict())
    assert fresh[0].weight.dtype == torch.float32

    layer = nn.Linear(1, 1)
    layer.scale = torch.rand(1)
    layer.register_buffer("shift", torch.rand(1))
    assert list(layer.state_dict()) == ["weight", "bias", "shift"]


def test_a_checkpoint_needs_the_optimizer_too(cancer, device, tmp_path):
    """SGD with momentum that goes on from a checkpoint ends at the weights of uninterrupted training only if the
    checkpoint has the state of the optimizer too.

    Without `optimizer.state_dict()` the momentum starts from nothing, and nothing raises. Save everything else that has
    a state as well: the scheduler, and the random generators behind shuffling and dropout.

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


def test_a_scheduler_made_after_loading_overwrites_the_rate(device):
    """To resume, make the scheduler before you load the optimizer's `state_dict`: made after it without `last_epoch=`,
    a `LinearLR` with a `start_factor` below 1, a `LambdaLR` or a `OneCycleLR` overwrites the loaded learning rate.

    Training goes on with a wrong rate, with LambdaLR and OneCycleLR up to the next `scheduler.step()`, and nothing
    raises: `scheduler.load_state_dict` does not put the rate right, and `get_last_lr()` reports a rate that the
    optimizer does not have. In this order all is well: optimizer, scheduler, and then `load_state_dict` of both. A late
    `LinearLR` that starts with a factor of 1 does no harm, and neither does a lambda that still gives its first number.

    https://github.com/pytorch/pytorch/issues/119168
    """
    schedulers = torch.optim.lr_scheduler
    kinds = {
        "LinearLR": lambda optimizer: schedulers.LinearLR(optimizer, start_factor=0.25, total_iters=3),
        "LambdaLR": lambda optimizer: schedulers.LambdaLR(optimizer, lambda epoch: 2.0**-epoch),
        "OneCycleLR": lambda optimizer: schedulers.OneCycleLR(optimizer, 9.0, total_steps=9, cycle_momentum=False),
    }
    for kind, make in kinds.items():
        trained, early, late = (torch.optim.SGD([nn.Parameter(torch.ones(1, device=device))], lr=8.0) for _ in "abc")
        scheduler, first = make(trained), make(early)
        for _ in range(3):
            trained.step()
            scheduler.step()
        saved = copy.deepcopy((trained.state_dict(), scheduler.state_dict()))
        rate = trained.param_groups[0]["lr"]

        early.load_state_dict(saved[0])
        first.load_state_dict(saved[1])
        assert early.param_groups[0]["lr"] == rate

        late.load_state_dict(saved[0])
        second = make(late)
        second.load_state_dict(saved[1])
        assert late.param_groups[0]["lr"] != rate == second.get_last_lr()[0], kind

        for optimizer, its_scheduler in ((early, first), (late, second)):
            optimizer.step()
            its_scheduler.step()
        right = late.param_groups[0]["lr"] == pytest.approx(early.param_groups[0]["lr"])
        assert right == (kind != "LinearLR"), kind

    late.load_state_dict(saved[0])
    schedulers.LinearLR(late, start_factor=1.0, end_factor=0.1)
    assert late.param_groups[0]["lr"] == rate


def test_last_epoch_alone_does_not_resume(device):
    """`StepLR(optimizer, step_size=2, last_epoch=4)` with a new optimizer raises KeyError, "param 'initial_lr' is not
    specified in param_groups[0] when resuming".

    The first rate is in the groups of an optimizer that had a scheduler before. Leave `last_epoch` out, and load what
    was saved: `scheduler.load_state_dict(saved)` after `optimizer.load_state_dict(...)` goes on where training stopped.

    https://docs.pytorch.org/docs/stable/optim.html
    """

    def start():
        optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1, device=device))], lr=8.0)
        return optimizer, torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)

    def rates(optimizer, scheduler):
        for _ in range(3):
            yield optimizer.param_groups[0]["lr"]
            optimizer.step()
            scheduler.step()

    with pytest.raises(KeyError, match=r"param 'initial_lr' is not specified in param_groups\[0\] when resuming"):
        new = torch.optim.SGD([nn.Parameter(torch.ones(1, device=device))], lr=8.0)
        torch.optim.lr_scheduler.StepLR(new, step_size=2, last_epoch=4)

    optimizer, scheduler = start()
    assert list(rates(optimizer, scheduler)) == [8, 8, 4]
    assert optimizer.param_groups[0]["initial_lr"] == 8
    resumed = start()
    for part, trained in zip(resumed, (optimizer, scheduler), strict=True):
        part.load_state_dict(trained.state_dict())
    assert list(rates(*resumed)) == [4, 2, 2]


# All of it: what does the whole way look like?


def test_the_whole_way_from_arrays_to_predictions(cancer, device):
    """Thirty steps on 380 tumours make a small network clearly better on the other 189 tumours than always answering
    "benign".

    This is the whole loop to copy: shuffle, split, scale with the training rows, train, `eval()`, predict. Clearly
    means by more than six standard errors of the baseline.

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
    """Ten outputs, `nn.CrossEntropyLoss` and integer targets make the same training loop read handwritten digits
    clearly better than always answering the most frequent digit.

    The prediction is the class with the largest logit: write `logits.argmax(dim=1)`, without a softmax. Clearly means
    by more than six standard errors of the baseline.

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


# What moved between releases?


@pytest.mark.holds(
    "torch>=2.4",
    otherwise=(TypeError, RuntimeError),
    change="new",
    concerns=("torch.optim.SGD(fused=True)", "torch.optim.Adam(fused=True)"),
)
@pytest.mark.parametrize(
    ("optimizer_class", "expected"), [(torch.optim.SGD, [-1.0, 2.75]), (torch.optim.Adam, [0.5, 2.5])]
)
def test_a_fused_optimizer_runs_on_the_cpu(optimizer_class, expected, rounding_bound):
    """`SGD` and `Adam` with `fused=True` take the same first step as without `fused`, up to rounding, for contiguous
    float32 parameters and gradients on the CPU from torch 2.4 on; before, both raised.

    Try `fused=True` if the optimizer takes much of the time, and measure. Complex parameters raise RuntimeError,
    "`fused=True` requires all the params to be floating point Tensors of supported devices". A parameter with gaps in
    its memory, `nn.Parameter(matrix[:, 0])`, becomes silently wrong, and its neighbours too: add `.contiguous()`.

    https://docs.pytorch.org/docs/stable/optim.html
    """

    def stepped(start, gradient, **options):
        w = nn.Parameter(torch.tensor(start))
        w.grad = torch.tensor(gradient)
        optimizer_class([w], lr=0.5, **options).step()
        return w.detach()

    # Adam's first step is lr * gradient / (|gradient| + 1e-8), with less than 16 roundings on the way.
    rtol = 1e-8 + rounding_bound(16, torch.float32)
    for options in ({"fused": True}, {}):
        end = stepped([1.0, 2.0], [4.0, -1.5], **options)
        torch.testing.assert_close(end, torch.tensor(expected), rtol=2 * rtol, atol=0)
    with pytest.raises(RuntimeError, match="requires all the params to be floating point Tensors of supported devices"):
        stepped([1j], [1j], fused=True)

    matrix = torch.tensor([[1.0, 5.0], [2.0, 6.0]])
    column = nn.Parameter(matrix[:, 0])
    column.grad = torch.tensor([4.0, -1.5])
    optimizer_class([column], lr=0.5, fused=True).step()
    assert column[1].item() == 2  # not moved
    assert matrix[0, 1].item() != 5  # moved instead


@pytest.mark.holds("torch>=2.15", otherwise=AssertionError, change="warns", concerns=())
def test_parameters_in_a_set_are_deprecated(device):
    """From torch 2.15 on, SGD gives a FutureWarning for a `set` of parameters: pass a list.

    A set has no order, and the `state_dict` of an optimizer knows parameters by their place in the order. A set inside
    a parameter group raises TypeError.

    https://docs.pytorch.org/docs/stable/optim.html
    """
    with pytest.warns(FutureWarning, match="ordered collections"):
        torch.optim.SGD({nn.Parameter(torch.ones(size, device=device)) for size in (1, 2)}, lr=0.5)
    with pytest.raises(TypeError, match="ordered collections"):
        torch.optim.SGD([{"params": {nn.Parameter(torch.ones(1, device=device))}}], lr=0.5)


@pytest.mark.holds(
    "torch>=2.7", otherwise=(AssertionError, UserWarning), change="raises", concerns="torch.optim.lr_scheduler(verbose)"
)
def test_schedulers_no_longer_take_verbose(device):
    """From torch 2.7 on no scheduler in `torch.optim.lr_scheduler` has a parameter `verbose`, and `verbose=` raises
    TypeError.

    Leave `verbose` out and print `scheduler.get_last_lr()`. From 2.2 to 2.6 `StepLR(verbose=True)` gave a UserWarning.
    The method `print_lr()` is gone with it.

    https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.StepLR.html
    """
    schedulers = [c for c in vars(torch.optim.lr_scheduler).values() if inspect.isclass(c) and hasattr(c, "step")]
    named = [c.__name__ for c in schedulers if "verbose" in inspect.signature(c).parameters]
    assert (len(schedulers) > 10, named) == (True, [])

    assert [c.__name__ for c in schedulers if hasattr(c, "print_lr")] == []

    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1, device=device))], lr=0.5)
    with pytest.raises(TypeError, match="unexpected keyword argument 'verbose'"):
        torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, verbose=False)
    with pytest.raises(TypeError, match="unexpected keyword argument 'verbose'"):
        torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, verbose=False)


# Fine print: how exact is a step?


NUMBERS = st.floats(-1e6, 1e6, width=32, allow_subnormal=False)


@given(pairs=st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=5), lr=st.floats(0.001, 1))
def test_sgd_step_is_lr_times_gradient_for_every_gradient(device, rounding_bound, pairs, lr):
    """A step of SGD with its default options ends at `p - lr * g`, up to three roundings, for float32 parameters `p`
    and gradients `g` up to a million and learning rates from 0.001 to 1.

    The three roundings are those of `lr`, of the product and of the difference: an optimizer on another device may
    round differently, so compare weights with a tolerance.

    https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html
    """
    start, gradient = torch.tensor(pairs).unbind(dim=1)
    w = nn.Parameter(start.to(device, copy=True))
    w.grad = gradient.to(device, copy=True)
    torch.optim.SGD([w], lr=lr).step()

    expected = start.double() - lr * gradient.double()
    # Three roundings: of lr to float32, of the product, of the difference. A product below `tiny` may become 0.
    bound = rounding_bound(3, torch.float32) * (start.double().abs() + lr * gradient.double().abs())
    bound += torch.finfo(torch.float32).tiny
    assert ((w.detach().cpu().double() - expected).abs() <= bound).all()


def test_a_step_can_be_too_small_for_the_dtype(device):
    """SGD does not move a bfloat16 parameter of 1 by a step of 0.001, however often: the step is less than half of the
    distance to the next bfloat16 number, and the difference rounds back to 1.

    A model with bfloat16 parameters can stop learning without an error, long before the minimum. Keep the parameters in
    float32 and compute in bfloat16 under `torch.autocast`.

    https://docs.pytorch.org/docs/stable/type_info.html
    """
    ends = {}
    for dtype in (torch.bfloat16, torch.float32):
        w = nn.Parameter(torch.ones(1, device=device, dtype=dtype))
        w.grad = torch.ones_like(w)
        optimizer = torch.optim.SGD([w], lr=0.001)
        for _ in range(50):
            optimizer.step()
        ends[dtype] = w.item()

    assert ends[torch.bfloat16] == 1
    assert ends[torch.float32] == pytest.approx(0.95, rel=0, abs=1e-5)
    # Below 1 the bfloat16 numbers are half of `eps` apart.
    assert torch.finfo(torch.bfloat16).eps / 2 == 2 * 0.001953125 > 2 * 0.001
