"""TorchMetrics: measuring a model over many batches.

A loss is a number for the optimizer, a metric is a number for people. After this section you can choose the metric for
your task, feed it batch by batch and read it once per epoch. You will know what it takes for a prediction, what it
averages over, which wrong labels it lets through, on which device it counts and what makes it forget its counts.
"""

import warnings

import pytest
import torch
import torchmetrics.functional
from hypothesis import given, strategies as st
from torch import nn
from torchmetrics import (
    Accuracy,
    CatMetric,
    MaxMetric,
    MeanMetric,
    MeanSquaredError,
    MetricCollection,
    R2Score,
    Recall,
    SumMetric,
)
from torchmetrics.classification import (
    BinaryAccuracy,
    BinaryAUROC,
    BinaryAveragePrecision,
    BinaryConfusionMatrix,
    BinaryF1Score,
    BinaryPrecision,
    BinaryPrecisionRecallCurve,
    BinaryRecall,
    BinaryROC,
    MulticlassAccuracy,
    MulticlassAUROC,
    MulticlassConfusionMatrix,
    MulticlassF1Score,
    MulticlassPrecision,
    MulticlassRecall,
    MultilabelAccuracy,
    MultilabelExactMatch,
)


@pytest.fixture(scope="module")
def sklearn_metrics():
    # A fixture, so that only two notes need scikit-learn, and before the note: the import sets environment variables.
    from sklearn import metrics

    return metrics


# Choosing a metric: which task, which shapes, and can it be a loss?


def test_accuracy_needs_a_task():
    """`Accuracy()` raises TypeError, because it needs a `task`: "binary", "multiclass" or "multilabel".

    With `task="multiclass"` write `num_classes=` too, with `task="multilabel"` write `num_labels=`: without it
    `Accuracy` raises ValueError, "Optional arg `num_classes` must be type `int`"; for `task="regression"` it
    raises ValueError, too. `functional.accuracy` without a task raises TypeError, "accuracy() missing 1 required
    positional argument: 'task'". Old code fails in other ways as well: `compute_on_step=`, `mdmc_average=` and
    `subset_accuracy=` raise ValueError, "Unexpected keyword arguments", and "cannot import name 'F1'" or 'IoU' is an
    ImportError: import `F1Score` and `JaccardIndex`.

    https://lightning.ai/docs/torchmetrics/stable/classification/accuracy.html
    """
    with pytest.raises(TypeError, match="task"):
        Accuracy()
    with pytest.raises(ValueError, match="expected one of"):
        Accuracy(task="regression")
    for task, size in (("multiclass", "num_classes"), ("multilabel", "num_labels")):
        with pytest.raises(ValueError, match=f"Optional arg `{size}` must be type `int`"):
            Accuracy(task=task)
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'task'"):
        torchmetrics.functional.accuracy(torch.tensor([1, 0]), torch.tensor([1, 1]))
    for old in ("compute_on_step", "mdmc_average", "subset_accuracy"):
        with pytest.raises(ValueError, match=f"Unexpected keyword arguments: `{old}`"):
            Accuracy(task="binary", **{old: False})
    with pytest.raises(ImportError, match="cannot import name 'F1'"):
        from torchmetrics import F1  # noqa: F401
    with pytest.raises(ImportError, match="cannot import name 'IoU'"):
        from torchmetrics import IoU  # noqa: F401
    from torchmetrics import F1Score, JaccardIndex

    assert F1Score(task="binary") is not JaccardIndex(task="binary")


def test_the_task_chooses_the_class():
    """`Accuracy(task=...)` returns a `BinaryAccuracy`, a `MulticlassAccuracy` or a `MultilabelAccuracy`.

    `isinstance(metric, Accuracy)` is therefore False. Check for the class it returned, such as
    `BinaryAccuracy`.

    https://lightning.ai/docs/torchmetrics/stable/classification/accuracy.html
    """
    assert type(Accuracy(task="binary")) is BinaryAccuracy
    assert type(Accuracy(task="multiclass", num_classes=3)) is MulticlassAccuracy
    assert type(Accuracy(task="multilabel", num_labels=3)) is MultilabelAccuracy
    assert not isinstance(Accuracy(task="binary"), Accuracy)


def test_a_hand_made_accuracy_can_say_250_percent(device):
    """`predictions == targets` broadcasts shapes [N, 1] and [N] to [N, N], and the accuracy of four rows can come out
    as 250 %.

    The limit for four rows is 400 %. A mean over all pairs hides the mistake: 62.5 % looks possible. `BinaryAccuracy`
    raises RuntimeError for these shapes, unless `validate_args=False`. Write `predictions.squeeze(1)`.

    https://docs.pytorch.org/docs/stable/notes/broadcasting.html
    """
    predictions = torch.tensor([[1], [1], [1], [0]], device=device)
    targets = torch.tensor([1, 1, 1, 0], device=device)

    equal = predictions == targets

    assert equal.shape == (4, 4)
    assert equal.sum().item() / len(targets) == 2.5
    assert equal.float().mean().item() == 0.625
    assert (torch.ones_like(predictions) == torch.ones_like(targets)).sum().item() / len(targets) == 4
    with pytest.raises(RuntimeError, match="same shape"):
        BinaryAccuracy().to(device)(predictions, targets)
    BinaryAccuracy(validate_args=False).to(device)(predictions, targets)
    assert BinaryAccuracy().to(device)(predictions.squeeze(1), targets).item() == 1


def test_result_is_a_tensor_without_a_graph(device):
    """By default `BinaryAccuracy` returns a 0-d float32 tensor on the metric's device, and `backward()` on that tensor
    raises RuntimeError, because it has no graph.

    Counting right answers has no useful gradient: minimise a loss, report a metric. Here a call to `MeanSquaredError`
    returns a value with a graph, and its `compute` one without. A `CatMetric` can keep the graph even in `compute`.

    https://lightning.ai/docs/torchmetrics/stable/pages/overview.html
    """
    probabilities = torch.tensor([0.75, 0.25, 0.75, 0.25], device=device, requires_grad=True)
    metric = BinaryAccuracy().to(device)
    error = MeanSquaredError().to(device)

    accuracy = metric(probabilities, torch.tensor([1, 0, 1, 1], device=device))

    assert (accuracy.item(), accuracy.dtype, accuracy.shape) == (0.75, torch.float32, ())
    assert (accuracy.device, accuracy.requires_grad) == (device, False)
    with pytest.raises(RuntimeError, match="does not require grad"):
        accuracy.backward()
    assert error(probabilities, torch.ones(4, device=device)).requires_grad
    assert not error.compute().requires_grad
    kept = CatMetric().to(device)
    kept.update(probabilities * 2)
    assert kept.compute().requires_grad


# Binary predictions: what counts as class 1?


def test_threshold_is_strict(device):
    """`BinaryAccuracy` counts a probability as class 1 only if it is above the threshold: exactly 0.5 is class 0 by
    default.

    `torch.round` turns 0.5 into 0 too, but a hand-written `probability >= 0.5` gives class 1. A curve differs:
    `BinaryPrecisionRecallCurve(thresholds=[0.5])` counts 0.5 as class 1.

    https://lightning.ai/docs/torchmetrics/stable/classification/accuracy.html
    """
    probabilities = torch.tensor([0.25, 0.5, 0.75, 0.875], device=device)
    all_class_1 = torch.ones(4, dtype=torch.int64, device=device)

    share_of_class_1 = {
        threshold: BinaryAccuracy(threshold=threshold).to(device)(probabilities, all_class_1).item()
        for threshold in (0.125, 0.25, 0.5, 0.75)
    }

    assert share_of_class_1 == {0.125: 1, 0.25: 0.75, 0.5: 0.5, 0.75: 0.25}
    assert BinaryAccuracy().to(device)(probabilities, all_class_1).item() == 0.5
    assert probabilities.round().tolist() == [0, 0, 1, 1]
    assert (probabilities >= 0.5).tolist() == [False, True, True, True]
    curve = BinaryPrecisionRecallCurve(thresholds=[0.5]).to(device)
    _, recall, _ = curve(probabilities[:2], torch.tensor([0, 1], device=device))
    assert recall.tolist() == [1, 0]  # class 1 was found at 0.5; a curve ends with recall 0


def test_labels_are_taken_as_they_are(device):
    """`BinaryAccuracy` reads predictions of dtype bool, uint8 or a signed integer as labels, and by default raises
    RuntimeError for an integer label other than 0 and 1, unless it is a target equal to `ignore_index`.

    Targets of -1 and 1 raise, and so does a class 2 among predictions or targets. `validate_args=False` turns the check
    off: a row with target 2 then silently counts nowhere. `BinaryROC` needs scores and by default raises ValueError for
    integer predictions. `BinaryAccuracy()` raises AttributeError for lists, and for a NumPy array of predictions:
    "'numpy.ndarray' object has no attribute 'is_floating_point'".

    https://lightning.ai/docs/torchmetrics/stable/classification/accuracy.html
    """
    metric = BinaryAccuracy().to(device)

    def labels(*values):
        return torch.tensor(values, device=device)

    for dtype in (torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64):
        assert metric(labels(1, 0, 1, 1).to(dtype), labels(1, 0, 0, 1)).item() == 0.75
    with pytest.raises(RuntimeError, match=r"in `target`.*expected only the following values"):
        metric(labels(1, 0), labels(1, -1))
    with pytest.raises(RuntimeError, match=r"in `preds`.*expected only the following values"):
        metric(labels(1, 2), labels(1, 0))
    assert BinaryAccuracy(ignore_index=-1).to(device)(labels(1, 0), labels(1, -1)).item() == 1
    with pytest.raises(RuntimeError, match=r"in `target`.*expected only the following values"):
        metric(labels(1, 0), labels(1, 2))
    assert BinaryAccuracy(validate_args=False).to(device)(labels(1, 0), labels(1, 2)).item() == 1
    with pytest.raises(ValueError, match="floating tensor"):
        BinaryROC().to(device)(labels(1, 0), labels(1, 0))
    with pytest.raises(AttributeError, match=r"'numpy\.ndarray' object has no attribute 'is_floating_point'"):
        BinaryAccuracy()(torch.tensor([1, 0]).numpy(), torch.tensor([1, 0]))
    with pytest.raises(AttributeError, match="'list' object has no attribute"):
        BinaryAccuracy()([1, 0], [1, 0])
    with pytest.raises(AttributeError, match="'list' object has no attribute"):
        BinaryAccuracy()(torch.tensor([1, 0]), [1, 0])


def test_float_targets_pass_or_raise(device):
    """By default, `BinaryAccuracy` takes targets 0.0 and 1.0 and raises RuntimeError for a soft label such as 0.5, and
    `BinaryROC`, `BinaryAveragePrecision` and `MulticlassAUROC` raise ValueError for any targets of floats.

    The messages are "Detected the following values in `target`" and "Expected argument `target` to be an int or long
    tensor". Keep the targets of `BCEWithLogitsLoss` as floats, and write `metric(predictions, targets.long())`, or for
    soft labels `metric(predictions, (targets > 0.5).long())`.

    https://lightning.ai/docs/torchmetrics/stable/classification/roc.html
    """
    predictions = torch.tensor([0.25, 0.75, 0.625, 0.125], device=device)
    targets, soft = torch.tensor([[0.0, 1.0, 1.0, 1.0], [0.0, 1.0, 0.5, 1.0]], device=device)

    assert BinaryAccuracy().to(device)(predictions, targets).item() == 0.75
    with pytest.raises(RuntimeError, match=r"Detected the following values in `target`.*0\.5"):
        BinaryAccuracy().to(device)(predictions, soft)
    assert BinaryAccuracy().to(device)(predictions, (soft > 0.5).long()).item() == 0.5
    for metric in (BinaryROC(), BinaryAveragePrecision()):
        with pytest.raises(ValueError, match="Expected argument `target` to be an int or long tensor"):
            metric.to(device)(predictions, targets)
        metric(predictions, targets.long())
    with pytest.raises(ValueError, match="Expected argument `target` to be an int or long tensor"):
        MulticlassAUROC(num_classes=2).to(device)(torch.stack([1 - predictions, predictions], 1), targets)


def test_binary_auroc_checks_nothing(device):
    """`BinaryAUROC()` checks neither predictions nor targets, not even with `validate_args=True`: integer labels as
    predictions, targets of 0.0 and 1.0, and shapes [N, 1] and [N] pass silently.

    The area under the curve needs scores: labels in their place give one threshold and another number here, 0.75
    instead of 1. `BinaryROC` and `BinaryAveragePrecision` by default raise for all three. Pass `logits.sigmoid()` and
    not `predictions.round()`.

    https://lightning.ai/docs/torchmetrics/stable/classification/auroc.html
    """
    scores, targets = torch.tensor([0.125, 0.25, 0.375, 0.75], device=device), torch.tensor([0, 0, 1, 1], device=device)
    labels = (scores > 0.5).long()

    for options in ({}, {"validate_args": True}):
        assert BinaryAUROC(**options).to(device)(scores, targets).item() == 1
        assert BinaryAUROC(**options).to(device)(labels, targets).item() == 0.75
        assert BinaryAUROC(**options).to(device)(scores, targets.float()).item() == 1
        assert BinaryAUROC(**options).to(device)(scores.unsqueeze(1), targets).item() == 1
    for metric in (BinaryROC().to(device), BinaryAveragePrecision().to(device)):
        for wrong in [(labels, targets), (scores, targets.float()), (scores.unsqueeze(1), targets)]:
            with pytest.raises((ValueError, RuntimeError), match=r"Expected argument|same shape"):
                metric(*wrong)


@pytest.mark.myth("TorchMetrics accepts logits")
def test_logits_between_0_and_1_are_read_as_probabilities(device):
    """`BinaryAccuracy` applies a sigmoid to logits only if the batch has a value outside [0, 1], and otherwise reads
    the same numbers as probabilities.

    The same logit can be class 0 or class 1, depending on its neighbours in the batch. Write `metric(logits.sigmoid(),
    targets)`.

    https://lightning.ai/docs/torchmetrics/stable/classification/accuracy.html
    """
    logits = torch.tensor([0.25, 0.875, 0.0625, 3.0], device=device)  # class 1, all of them
    all_class_1 = torch.tensor([1, 1, 1, 1], device=device)
    metric = BinaryAccuracy().to(device)

    assert metric(logits, all_class_1).item() == 1
    assert metric(logits[:2], all_class_1[:2]).item() == 0.5
    assert metric(logits[:2].sigmoid(), all_class_1[:2]).item() == 1
    assert metric(logits[:2].neg(), all_class_1[:2]).item() == 0
    assert metric(logits[[0, 3]], all_class_1[:2]).item() == 1  # the logit 0.25 beside 3.0
    assert metric(logits[[0]], all_class_1[:1]).item() == 0  # the logit 0.25 alone


@given(
    outside=st.sampled_from([[-20.0], [-0.25], [1.25], [20.0], [-3.0, 7.0]]),
    eighths=st.lists(st.integers(0, 8), max_size=5),
    targets=st.lists(st.integers(0, 1), min_size=8, max_size=8),
    threshold=st.sampled_from([0.25, 0.5, 0.75]),
)
def test_logits_get_a_sigmoid_for_every_batch_with_one_outside(device, outside, eighths, targets, threshold):
    """If a batch has a value below 0 or above 1, `BinaryConfusionMatrix` without `ignore_index` applies a sigmoid to
    every prediction and counts class 1 if the result is above the threshold.

    At the threshold 0.5 that is a logit above 0, unless the sigmoid rounds to 0.5, as it does for 1e-8 in float32. At
    0.75 the logit 1.0 is class 0: its probability is 0.73. A value in a row that `ignore_index` leaves out does not
    count for `BinaryConfusionMatrix`, and counts for `BinaryAccuracy`. Pass probabilities: `logits.sigmoid()`.

    https://lightning.ai/docs/torchmetrics/stable/classification/accuracy.html
    """
    logits = torch.tensor([*outside, 0.25, *(eighth / 8 for eighth in eighths)], device=device)
    targets = targets[: len(logits)]

    matrix = BinaryConfusionMatrix(threshold=threshold).to(device)
    counts = matrix(logits, torch.tensor(targets, device=device))

    least = {0.25: -1.0986, 0.5: 0, 0.75: 1.0986}[threshold]  # the logit of the threshold
    pairs = list(zip(targets, (logits > least).int().tolist(), strict=True))
    assert counts.tolist() == [[pairs.count((target, predicted)) for predicted in (0, 1)] for target in (0, 1)]
    tiny = torch.tensor([1e-8, -5.0], device=device)
    assert BinaryConfusionMatrix().to(device)(tiny, torch.tensor([1, 0], device=device)).tolist() == [[1, 0], [1, 0]]
    assert round(torch.tensor(1.0, device=device).sigmoid().item(), 2) == 0.73
    ignored = torch.tensor([0.25, 0.75, 9.0], device=device), torch.tensor([0, 1, -1], device=device)
    assert BinaryConfusionMatrix(ignore_index=-1).to(device)(*ignored).tolist() == [[1, 0], [0, 1]]
    assert BinaryAccuracy(ignore_index=-1).to(device)(*ignored).item() == 0.5


@given(
    eighths=st.lists(st.tuples(st.integers(0, 8), st.integers(0, 1)), min_size=1, max_size=8),
    threshold=st.integers(0, 8),
)
def test_probabilities_for_every_batch_inside(device, eighths, threshold):
    """If every value of a batch is in [0, 1], ends included, `BinaryConfusionMatrix` reads each prediction as a
    probability and counts class 1 if it is above the threshold.

    A batch of nothing but 0.0 and 1.0 is therefore read as probabilities, even if your model returns logits.

    https://lightning.ai/docs/torchmetrics/stable/classification/accuracy.html
    """
    probabilities = torch.tensor([eighth / 8 for eighth, _ in eighths], device=device)
    targets = torch.tensor([target for _, target in eighths], device=device)

    counts = BinaryConfusionMatrix(threshold=threshold / 8).to(device)(probabilities, targets)

    pairs = [(target, int(eighth > threshold)) for eighth, target in eighths]
    assert counts.tolist() == [[pairs.count((target, predicted)) for predicted in (0, 1)] for target in (0, 1)]


def test_one_nan_makes_logits_of_probabilities():
    """`BinaryAccuracy` on the CPU applies a sigmoid to all probabilities of a batch if one of its predictions is nan.

    A nan is not in [0, 1]. The sigmoid of 0.2 is 0.55, and so both healthy rows here count as class 1.
    `logits.sigmoid()` is no help, since the sigmoid of nan is nan: check `predictions.isfinite().all()` before the
    metric.

    https://lightning.ai/docs/torchmetrics/stable/classification/accuracy.html
    """
    # On the CPU alone: TorchMetrics looks at the values in another way on an accelerator.
    probabilities = torch.tensor([0.2, 0.3, float("nan")])
    targets = torch.tensor([0, 0, 1])

    assert BinaryAccuracy()(probabilities[:2], targets[:2]).item() == 1
    assert BinaryAccuracy()(probabilities, targets).item() == 0
    assert BinaryConfusionMatrix()(probabilities, targets).tolist() == [[0, 2], [1, 0]]
    assert round(torch.tensor(0.2).sigmoid().item(), 2) == 0.55
    assert probabilities.sigmoid().isnan().tolist() == [False, False, True]
    assert not probabilities.isfinite().all()


# Several classes and labels: which predictions and targets pass, and what is skipped?


def test_multiclass_takes_scores_or_labels(device):
    """`MulticlassAccuracy` compares targets of shape [N] with floating-point predictions of shape [N, C], of which the
    largest score wins, or with integer predictions of shape [N], which are labels.

    Scores can be logits or probabilities. Dimension 1 holds the classes, also for more dimensions: compare an image of
    shape [N, C, H, W] with targets of shape [N, H, W]. Integers of shape [N, C] raise ValueError for targets of shape
    [N].

    https://lightning.ai/docs/torchmetrics/stable/classification/accuracy.html
    """
    scores = torch.tensor([[5.0, -1.0, 2.0], [0.1, 0.2, 0.7], [-3.0, -1.0, -2.0], [0.0, 9.0, 8.0]], device=device)
    targets = torch.tensor([0, 2, 1, 2], device=device)
    metric = MulticlassAccuracy(num_classes=3, average="micro").to(device)

    assert metric(scores, targets).item() == 0.75
    assert metric(scores.softmax(dim=1), targets).item() == 0.75
    assert metric(scores.argmax(dim=1), targets).item() == 0.75
    assert metric(scores.T.reshape(1, 3, 4), targets.reshape(1, 4)).item() == 0.75
    with pytest.raises(ValueError, match="number of classes"):
        metric(scores.reshape(1, 4, 3), targets.reshape(1, 4))
    assert metric(scores.T.reshape(1, 3, 2, 2), targets.reshape(1, 2, 2)).item() == 0.75
    with pytest.raises(ValueError, match="float tensor"):
        metric(scores.long(), targets)


def test_one_hot_targets_pass_and_count_as_labels(device):
    """`MulticlassAccuracy(average="micro")` takes one-hot targets silently and compares each score with its 0 or 1: the
    accuracy of right answers is 0 here.

    Predictions of the same shape as the targets are labels to the metric, one per place, even if they are decimals.
    `CrossEntropyLoss` takes one-hot targets of floats as probabilities, so a loop that trains well can report 0. Write
    `metric(scores, targets.argmax(dim=1))`.

    https://lightning.ai/docs/torchmetrics/stable/classification/accuracy.html
    """
    scores = torch.tensor([[0.1, 0.2, 0.7], [0.9, 0.05, 0.05]], device=device)
    one_hot = torch.tensor([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]], device=device)
    metric = MulticlassAccuracy(num_classes=3, average="micro").to(device)

    assert nn.CrossEntropyLoss()(scores.log(), one_hot).item() < 0.3
    assert metric(scores, one_hot).item() == metric(scores, one_hot.long()).item() == 0
    assert metric(scores.round(), one_hot).item() == 1  # six places, all equal
    assert metric(scores, one_hot.argmax(dim=1)).item() == 1


def test_probabilities_of_class_1_are_no_multiclass_scores(device):
    """`Accuracy(task="multiclass", num_classes=2)` of probabilities of shape [N] compares 0.75 with the label 1 and
    counts it as wrong, without an error: the accuracy of right answers is 0 here.

    Only a probability of exactly 0.0 or 1.0 can count as right. A model with one output and a sigmoid is binary: write
    `Accuracy(task="binary")`. The task "multiclass" needs two scores a row, shape [N, 2], or labels. Shape [N, 1]
    beside targets of shape [N] raises ValueError.

    https://lightning.ai/docs/torchmetrics/stable/classification/accuracy.html
    """
    probabilities = torch.tensor([0.25, 0.75, 0.875, 0.125], device=device)
    targets = torch.tensor([0, 1, 1, 0], device=device)
    multiclass = Accuracy(task="multiclass", num_classes=2).to(device)

    assert multiclass(probabilities, targets).item() == 0
    assert multiclass(targets.float(), targets).item() == 1
    assert Accuracy(task="binary").to(device)(probabilities, targets).item() == 1
    assert multiclass(torch.stack([1 - probabilities, probabilities], dim=1), targets).item() == 1
    assert multiclass((probabilities > 0.5).long(), targets).item() == 1
    with pytest.raises(ValueError, match="number of classes"):
        multiclass(probabilities.unsqueeze(1), targets)


@pytest.mark.myth("validate_args=True finds wrong labels")
@pytest.mark.holds(
    "torchmetrics>=1.3",
    otherwise=RuntimeError,
    change="result",
    concerns="torchmetrics.classification.MulticlassAccuracy(average='micro')",
)
def test_a_class_too_many_can_pass(device):
    """`MulticlassAccuracy(num_classes=3, average="micro")` checks how many different targets stand beside predicted
    labels and not which, and from TorchMetrics 1.3 on beside scores not even that: targets 7 and -1 pass silently here.

    One-based targets only give an accuracy of 0 here. `average="macro"` raises RuntimeError about a shape on the CPU
    for target 7, but after `torch.use_deterministic_algorithms(True)` it silently drops these rows and gives 1.0 here.
    Check that `targets.min() >= 0` and `targets.max() < num_classes`.

    https://lightning.ai/docs/torchmetrics/stable/classification/accuracy.html
    """
    metric = MulticlassAccuracy(num_classes=3, average="micro").to(device)
    predictions = torch.tensor([0, 1, 0, 2], device=device)

    assert metric(predictions, torch.tensor([0, 1, 7, 7], device=device)).item() == 0.5
    assert metric(predictions, torch.tensor([0, 1, -1, -1], device=device)).item() == 0.5
    assert metric(predictions, torch.tensor([1, 2, 1, 3], device=device)).item() == 0
    with pytest.raises(RuntimeError, match=r"more unique values in `target`"):
        metric(predictions, torch.tensor([0, 1, 2, 7], device=device))
    scores = torch.eye(3, device=device)[predictions]
    assert metric(scores, torch.tensor([0, 1, 2, 7], device=device)).item() == 0.5
    macro = MulticlassAccuracy(num_classes=3, average="macro")
    with pytest.raises(RuntimeError, match="shape"):
        macro.update(predictions.cpu(), torch.tensor([0, 1, 7, 7]))
    torch.use_deterministic_algorithms(True)
    macro.update(predictions.cpu(), torch.tensor([0, 1, 7, 7]))
    torch.use_deterministic_algorithms(False)
    assert macro.compute().item() == 1


@pytest.mark.holds(
    "torchmetrics>=1.6.1",
    otherwise=AssertionError,
    change="result",
    concerns=(
        "torchmetrics.classification.MulticlassPrecision(top_k, average='micro')",
        "torchmetrics.classification.MulticlassF1Score(top_k, average='micro')",
    ),
)
def test_top_k_is_one_answer_a_row(device):
    """From TorchMetrics 1.6.1 on, `MulticlassPrecision` and `MulticlassF1Score` with `top_k=2, average="micro"` count a
    row as right if its class is among its two best scores, as `MulticlassAccuracy` does.

    Before, precision and F1 counted each of the two best classes as an answer of its own, and one of the two had to be
    wrong. Do not compare numbers from before and after the upgrade.

    https://lightning.ai/docs/torchmetrics/stable/classification/precision.html
    """
    scores = torch.tensor([[0.1, 0.2, 0.7], [0.3, 0.6, 0.1], [0.5, 0.4, 0.1], [0.2, 0.3, 0.5]], device=device)
    targets = torch.tensor([1, 2, 0, 2], device=device)  # second best, worst, best, best

    def over_rows(metric, top_k):
        return metric(num_classes=3, average="micro", top_k=top_k).to(device)(scores, targets).item()

    for metric in (MulticlassAccuracy, MulticlassPrecision, MulticlassF1Score):
        assert (over_rows(metric, top_k=1), over_rows(metric, top_k=2)) == (0.5, 0.75)


@pytest.mark.holds(
    "torchmetrics>=1.3",
    otherwise=RuntimeError,
    change="result",
    concerns="torchmetrics.classification.MulticlassAccuracy(ignore_index, average='micro')",
)
def test_ignore_index_leaves_rows_out(device):
    """`MulticlassAccuracy(average="micro", ignore_index=-100)` counts rows with target -100 neither as right nor as
    wrong.

    Give the metric the number that pads your targets. `CrossEntropyLoss` skips -100 by default, the metric does not:
    from TorchMetrics 1.3 on -100 counts as wrong in a micro accuracy of scores. A `BinaryAccuracy` raises RuntimeError,
    and so does a macro accuracy of labels on the CPU.

    https://lightning.ai/docs/torchmetrics/stable/classification/accuracy.html
    """
    predictions = torch.tensor([0, 1, 2, 2, 1], device=device)
    targets = torch.tensor([0, 2, -100, 2, 1], device=device)

    metric = MulticlassAccuracy(num_classes=3, average="micro", ignore_index=-100).to(device)

    assert metric(predictions, targets).item() == 0.75
    scores = torch.eye(3, device=device)[predictions]
    unaware = MulticlassAccuracy(num_classes=3, average="micro").to(device)
    with pytest.raises(RuntimeError, match="more unique values in `target`"):
        unaware(predictions, targets)
    assert round(unaware(scores, targets).item(), 4) == 0.6
    assert unaware(predictions[:4], targets[:4]).item() == 0.5
    with pytest.raises(RuntimeError, match="expected only the following values"):
        BinaryAccuracy().to(device)(torch.tensor([1, 0], device=device), torch.tensor([1, -100], device=device))
    with pytest.raises(RuntimeError, match="non-negative"):
        MulticlassAccuracy(num_classes=3, average="macro")(predictions[:4].cpu(), targets[:4].cpu())


def test_an_ignored_class_counts_in_a_macro_average(device):
    """`MulticlassRecall(num_classes=2, average="macro", ignore_index=0)` takes the mean over both classes if a row of
    class 1 is predicted as class 0: the ignored class counts with a recall of 0.

    A class of its own, such as the background, is then no class to ignore. Take `average=None` and the mean of the
    classes that you want.

    https://lightning.ai/docs/torchmetrics/stable/classification/recall.html
    """
    predictions = torch.tensor([1, 0, 1, 1], device=device)
    targets = torch.tensor([1, 1, 0, 0], device=device)

    def recall(average):
        return MulticlassRecall(num_classes=2, average=average, ignore_index=0).to(device)(predictions, targets)

    assert recall("macro").item() == 0.25
    assert recall(None).tolist() == [0, 0.5]
    assert recall(None)[1:].mean().item() == 0.5
    predictions[1] = 1  # now nothing but ignored rows is predicted as class 0
    assert recall("macro").item() == 1


@pytest.mark.holds("torchmetrics>=1.7.2", otherwise=AssertionError, change="result")
def test_exact_match_counts_an_ignored_row_as_right(device):
    """From TorchMetrics 1.7.2 on, `MultilabelExactMatch(ignore_index=-100)` counts a row whose targets are all -100 as
    a right answer.

    Before, such a row counted as wrong. Drop these rows first: `keep = (targets != -100).any(1)`.

    https://lightning.ai/docs/torchmetrics/stable/classification/exact_match.html
    """
    predictions = torch.tensor([[0.1, 0.9], [0.1, 0.1]], device=device)  # the first row is wrong
    targets = torch.tensor([[1, 0], [-100, -100]], device=device)
    keep = (targets != -100).any(1)
    metric = MultilabelExactMatch(num_labels=2, ignore_index=-100).to(device)

    assert metric(predictions, targets).item() == 0.5
    assert metric(predictions[keep], targets[keep]).item() == 0


def test_multilabel_counts_answers_and_not_rows(device):
    """`MultilabelAccuracy` gives the share of right answers for each label, averaged over the labels, and
    `MultilabelExactMatch` the share of rows without a mistake.

    A model that is right for most labels can be wrong in most rows. `average=None` gives one accuracy per label.

    https://lightning.ai/docs/torchmetrics/stable/classification/exact_match.html
    """
    predictions = torch.tensor([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.4, 0.3]], device=device)
    targets = torch.tensor([[0, 0], [0, 0], [1, 1], [0, 0]], device=device)

    per_label = MultilabelAccuracy(num_labels=2, average=None).to(device)(predictions, targets)
    answers = MultilabelAccuracy(num_labels=2).to(device)(predictions, targets)
    rows = MultilabelExactMatch(num_labels=2).to(device)(predictions, targets)

    assert per_label.tolist() == [0.75, 0.5]
    assert (answers.item(), rows.item()) == (0.625, 0.25)


# Over many batches: what does a metric remember, and what loses it?


def test_forward_update_compute_reset(device):
    """Calling a `BinaryAccuracy` returns the value of that batch and remembers the batch, `update` only remembers it,
    and `compute` returns the value of all batches since the last `reset`.

    `compute` does not reset the metric: without `reset()`, the number of the second epoch includes the first epoch.

    https://lightning.ai/docs/torchmetrics/stable/pages/overview.html
    """
    metric = BinaryAccuracy().to(device)
    right, wrong = torch.ones(8, dtype=torch.int64, device=device), torch.zeros(8, dtype=torch.int64, device=device)

    assert metric(right[:6], torch.tensor([1, 1, 1, 0, 0, 0], device=device)).item() == 0.5
    assert metric(right[:2], right[:2]).item() == 1
    assert metric.compute().item() == 0.625
    assert metric.update(wrong, right) is None
    assert metric.compute().item() == metric.compute().item() == 0.3125
    metric.reset()
    metric.update(right[:4], torch.tensor([1, 1, 0, 1], device=device))
    assert metric.compute().item() == 0.75


def test_compute_is_not_the_mean_of_the_batches(device):
    """`compute` of a `BinaryAccuracy` gives each row the same weight, but a mean of the batches' values gives the rows
    of a short batch more weight.

    For recall the mean over batches can be wrong even with equal batches. Report `compute()`, not a mean of batch
    values.

    https://lightning.ai/docs/torchmetrics/stable/pages/overview.html
    """
    targets = torch.tensor([1, 0, 0, 0, 1, 1, 1, 0], device=device)
    predictions = torch.tensor([1, 0, 0, 0, 0, 0, 0, 0], device=device)
    accuracy, recall = BinaryAccuracy().to(device), BinaryRecall().to(device)

    accuracies = [accuracy(predictions[rows], targets[rows]).item() for rows in (slice(0, 4), slice(4, 6), slice(6, 8))]
    recalls = [recall(predictions[rows], targets[rows]).item() for rows in (slice(0, 4), slice(4, 8))]

    assert (accuracies, accuracy.compute().item()) == ([1, 0, 0.5], 0.625)  # and not 0.5
    assert (recalls, recall.compute().item()) == ([1, 0], 0.25)  # and not 0.5


def test_auroc_keeps_every_prediction(device):
    """`BinaryAUROC()` keeps each batch of predictions and targets until `reset`, so that its memory grows: this looks
    like a memory leak, or ends in "out of memory".

    On the CPU it keeps 1-d probabilities with the graph behind them: pass `predictions.detach()`.
    `BinaryAUROC(thresholds=5)` holds a tensor of 5 matrices instead, however many rows come. Use it with more
    thresholds for many rows, and call `reset()` after each epoch. `BinaryAveragePrecision` keeps its batches, too, and
    `BinaryAccuracy(multidim_average="samplewise")` its counts of each row.

    https://lightning.ai/docs/torchmetrics/stable/pages/overview.html#metrics-and-memory-management
    """
    weight = torch.tensor(0.5, device=device, requires_grad=True)
    inputs, targets = torch.tensor([0.25, 0.75, 1.0], device=device), torch.tensor([0, 1, 1], device=device)
    exact, binned = BinaryAUROC().to(device), BinaryAUROC(thresholds=5).to(device)
    precision = BinaryAveragePrecision().to(device)

    for _ in range(4):
        for metric in (exact, binned, precision):
            metric.update(weight * inputs, targets)

    assert [len(batch) for batch in exact.preds] == [len(batch) for batch in precision.preds] == [3, 3, 3, 3]
    if device.type == "cpu":  # newer releases make a new tensor on an accelerator
        assert exact.preds[0].requires_grad
    assert (binned.confmat.shape, binned.confmat.requires_grad) == ((5, 2, 2), False)
    rowwise = BinaryAccuracy(multidim_average="samplewise").to(device)
    for _ in range(4):
        rowwise.update(targets.unsqueeze(1), targets.unsqueeze(1))
    assert [len(batch) for batch in rowwise.tp] == [3, 3, 3, 3]
    exact.reset()
    exact.update((weight * inputs).detach(), targets)
    assert [batch.requires_grad for batch in exact.preds] == [False]


def test_r2_score_needs_two_rows(device):
    """Calling `R2Score` on a batch of one row raises ValueError, "Needs at least two samples to calculate r2 score",
    as the last batch of an epoch may be.

    An `update` with one row is fine, if there are two rows by the time of `compute`. Write `metric.update(predictions,
    targets)` for each batch and `metric.compute()` at the end, or `drop_last=True`.

    https://lightning.ai/docs/torchmetrics/stable/regression/r2_score.html
    """
    metric = R2Score().to(device)
    targets = torch.tensor([0.0, 2.0, 4.0], device=device)
    predictions = torch.tensor([0.0, 2.0, 2.0], device=device)

    with pytest.raises(ValueError, match="Needs at least two samples to calculate r2 score"):
        metric(predictions[:1], targets[:1])
    metric.reset()
    for row in range(3):
        metric.update(predictions[row : row + 1], targets[row : row + 1])

    assert metric.compute().item() == 0.5  # 1 - 4 / 8


def test_r2_score_loses_small_changes_of_large_targets(device, sklearn_metrics):
    """`R2Score` of float32 targets from 4096 to 4096.75 is off here by more than 0.1 from the 0.8 of scikit-learn.

    It subtracts sums of squares, and float32 has too few digits for these. The same targets and predictions less 4096
    give 0.8. Subtract a constant near the mean from both, such as the mean of the training targets.

    https://lightning.ai/docs/torchmetrics/stable/regression/r2_score.html
    """
    targets = torch.tensor([4096.0, 4096.25, 4096.5, 4096.75], device=device)
    predictions = targets + 0.125

    expected = sklearn_metrics.r2_score(targets.tolist(), predictions.tolist())
    assert round(expected, 4) == 0.8
    assert abs(R2Score().to(device)(predictions, targets).item() - expected) > 0.1
    assert round(R2Score().to(device)(predictions - 4096, targets - 4096).item(), 4) == 0.8


@pytest.mark.holds(
    "torchmetrics>=1.6", otherwise=AttributeError, change="new", concerns="torchmetrics.Metric.merge_state"
)
def test_merge_state_adds_another_metric(device):
    """From TorchMetrics 1.6 on, `metric.merge_state(other)` adds the counts of another `BinaryAccuracy` and leaves
    `other` as it was.

    Use it for an evaluation in parts. `MaxMetric` raises RuntimeError, and `MetricCollection`
    has no `merge_state`. `compute` of a metric that only merged and never had an `update` of its own warns.

    https://lightning.ai/docs/torchmetrics/stable/references/metric.html
    """
    metric, other = BinaryAccuracy().to(device), BinaryAccuracy().to(device)
    metric.update(torch.tensor([1, 0], device=device), torch.tensor([1, 0], device=device))
    other.update(torch.tensor([1, 1, 1, 0, 0, 0], device=device), torch.tensor([1, 1, 0, 1, 1, 0], device=device))

    metric.merge_state(other)

    assert (metric.compute().item(), other.compute().item()) == (0.625, 0.5)  # 5 of 8, 3 of 6
    with pytest.raises(RuntimeError, match="full_state_update"):
        MaxMetric().to(device).merge_state(MaxMetric().to(device))
    assert not hasattr(MetricCollection({"accuracy": metric}), "merge_state")
    empty = BinaryAccuracy().to(device)
    empty.merge_state(other)
    with pytest.warns(UserWarning, match="before the ``update`` method"):
        assert empty.compute().item() == 0.5


@pytest.mark.holds(
    "torchmetrics>=1.6", otherwise=AttributeError, change="new", concerns="torchmetrics.Metric.merge_state"
)
def test_compute_after_merge_state_can_be_the_old_value(device):
    """After `compute`, `merge_state` adds counts to a `BinaryAccuracy`, but by default its `compute` silently returns
    the old value until the next `update`.

    `compute` keeps its result, unless `compute_with_cache=False`, and `merge_state` does not throw that result away.
    Merge first, compute once at the end.

    https://lightning.ai/docs/torchmetrics/stable/references/metric.html
    """
    metric, other = BinaryAccuracy().to(device), BinaryAccuracy().to(device)
    right, wrong = torch.tensor([1, 1], device=device), torch.tensor([0, 0], device=device)
    metric.update(right, right)
    other.update(wrong, right)

    assert metric.compute().item() == 1
    metric.merge_state(other)

    assert (metric.tp.item(), metric.fn.item()) == (2, 2)  # added
    assert metric.compute().item() == 1  # and not 0.5
    metric.update(right.repeat(2), right.repeat(2))
    assert metric.compute().item() == 0.75  # 6 of 8

    forgetful = BinaryAccuracy(compute_with_cache=False).to(device)
    forgetful.update(right, right)
    assert forgetful.compute().item() == 1
    forgetful.merge_state(other)
    assert forgetful.compute().item() == 0.5


def test_compute_before_update_warns(device):
    """`BinaryAccuracy().compute()` without any `update` returns 0, as if every answer had been wrong, and warns.

    In a loop, Python shows this warning once, unless a filter of warnings says otherwise. The same happens right after
    `reset()`: read the value first. A `MeanMetric` returns nan, `BinaryAUROC()` raises ValueError, and
    `BinaryAUROC(thresholds=5)` returns 0.

    https://lightning.ai/docs/torchmetrics/stable/references/metric.html
    """
    metric = BinaryAccuracy().to(device)

    with pytest.warns(UserWarning, match="before the ``update`` method"):
        assert metric.compute().item() == 0

    metric.update(torch.tensor([1, 1], device=device), torch.tensor([1, 1], device=device))
    assert metric.compute().item() == 1
    metric.reset()
    with pytest.warns(UserWarning, match="before the ``update`` method"):
        assert metric.compute().item() == 0
    with pytest.warns(UserWarning, match="before the ``update`` method"):
        assert MeanMetric().to(device).compute().isnan().item()
    with pytest.warns(UserWarning, match="before the ``update`` method"), pytest.raises(ValueError, match="No samples"):
        BinaryAUROC().to(device).compute()
    with pytest.warns(UserWarning, match="before the ``update`` method"):
        assert BinaryAUROC(thresholds=5).to(device).compute().item() == 0

    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("default")  # the filter of a program that sets none
        for _ in range(3):
            BinaryAccuracy().to(device).compute()
    assert len(shown) == 1


def test_a_call_that_raises_loses_what_was_counted(device):
    """If calling `metric(preds, target)` of a `BinaryAccuracy` raises on wrong labels, all earlier counts are lost.

    A loop that catches the error and goes on silently reports too few rows. Use `update` and `compute` in such a loop:
    an `update` that raises on wrong labels keeps the counts. A batch without rows raises RuntimeError too, "cannot
    reshape tensor of 0 elements": skip it, `if len(targets):`.

    https://lightning.ai/docs/torchmetrics/stable/pages/overview.html
    """
    called, updated = BinaryAccuracy().to(device), BinaryAccuracy().to(device)
    ones, twos = torch.tensor([1, 1], device=device), torch.tensor([2, 2], device=device)
    for metric in (called, updated):
        metric.update(ones, ones)

    with pytest.raises(RuntimeError, match="expected only the following values"):
        called(twos, ones)
    with pytest.raises(RuntimeError, match="expected only the following values"):
        updated.update(twos, ones)

    assert (called.tp.item(), updated.tp.item()) == (0, 2)
    with pytest.raises(RuntimeError, match="cannot reshape tensor of 0 elements"):
        updated.update(ones[:0], ones[:0])
    for metric in (called, updated):
        metric.update(1 - ones, ones)
    assert (called.compute().item(), updated.compute().item()) == (0, 0.5)


# Averages: which number do you report?


def test_micro_or_macro_depends_on_the_door(device):
    """`Accuracy(task="multiclass")` averages over rows by default (`average="micro"`), but `MulticlassAccuracy`
    averages over classes (`average="macro"`).

    In a macro average a rare class weighs as much as a common one. The functions `accuracy` and `multiclass_accuracy`
    differ in the same way. Always write `average=`.

    https://lightning.ai/docs/torchmetrics/stable/classification/accuracy.html
    """
    predictions = torch.tensor([0, 0, 0, 0, 1, 0, 1, 3], device=device)
    targets = torch.tensor([0, 0, 0, 0, 1, 1, 2, 3], device=device)
    functional = torchmetrics.functional

    values = {
        "Accuracy": Accuracy(task="multiclass", num_classes=4).to(device)(predictions, targets),
        "functional.accuracy": functional.accuracy(predictions, targets, task="multiclass", num_classes=4),
        "MulticlassAccuracy": MulticlassAccuracy(num_classes=4).to(device)(predictions, targets),
        "multiclass_accuracy": functional.classification.multiclass_accuracy(predictions, targets, num_classes=4),
    }
    per_class = MulticlassAccuracy(num_classes=4, average=None).to(device)(predictions, targets)

    assert {name: value.item() for name, value in values.items()} == {
        "Accuracy": 0.75,
        "functional.accuracy": 0.75,
        "MulticlassAccuracy": 0.625,
        "multiclass_accuracy": 0.625,
    }
    assert per_class.tolist() == [1, 0.5, 0, 1]


def test_four_metrics_averaged_over_rows_are_one_number(device):
    """With `average="micro"` and `top_k=1`, the accuracy, precision, recall and F1 score of several classes are one and
    the same number, up to rounding: the share of rows that are right.

    Each wrong row is one answer too many for one class and one too few for another. Precision, recall and F1 can differ
    with `average="macro"`, which is the mean over the classes. `MulticlassAccuracy` then gives here what
    `MulticlassRecall` gives.

    https://lightning.ai/docs/torchmetrics/stable/classification/f1_score.html
    """
    predictions = torch.tensor([0, 0, 0, 0, 0, 1, 2, 1], device=device)
    targets = torch.tensor([0, 0, 0, 0, 1, 1, 2, 2], device=device)

    def four(average):
        metrics = MulticlassAccuracy, MulticlassRecall, MulticlassPrecision, MulticlassF1Score
        return [metric(num_classes=3, average=average).to(device)(predictions, targets).item() for metric in metrics]

    assert four("micro") == [0.75] * 4
    accuracy, recall, precision, f1 = four("macro")
    assert accuracy == recall
    assert len({recall, precision, f1}) == 3


def test_auroc_of_one_class_is_zero(device):
    """If all targets of a batch are of one class, `BinaryAUROC()` returns 0 and warns "No positive samples in targets"
    or "No negative samples in targets", although the area is not defined.

    0 looks like a model that ranks every pair in the wrong order. `BinaryAUROC(thresholds=5)` returns 0 without a
    warning. A small or sorted batch often has one class: `update` with each batch and `compute` over all of them.

    https://lightning.ai/docs/torchmetrics/stable/classification/auroc.html
    """
    scores, targets = torch.tensor([0.125, 0.25, 0.625, 0.75], device=device), torch.tensor([0, 0, 1, 1], device=device)
    metric = BinaryAUROC().to(device)

    for batch, message in [(slice(0, 2), "No positive samples"), (slice(2, 4), "No negative samples")]:
        with pytest.warns(UserWarning, match=f"{message} in targets"):
            assert metric(scores[batch], targets[batch]).item() == 0
        assert BinaryAUROC(thresholds=5).to(device)(scores[batch], targets[batch]).item() == 0
    assert metric.compute().item() == 1
    assert BinaryAUROC().to(device)(scores.flip(0), targets).item() == 0


def test_accuracy_of_a_rare_class(device):
    """If one row in sixteen is of class 1, always answering 0 has a `BinaryAccuracy` of 93.75 %, and a `BinaryRecall`,
    `BinaryPrecision` and `BinaryF1Score` of 0.

    Compare an accuracy with the share of the most common class. Use the binary metrics: `Recall(task="multiclass",
    num_classes=2)` averages over rows and gives 93.75 % too.

    https://lightning.ai/docs/torchmetrics/stable/classification/f1_score.html
    """
    targets = torch.tensor([0] * 15 + [1], device=device)
    always_0 = torch.zeros_like(targets)

    values = {
        metric.__name__: metric().to(device)(always_0, targets).item()
        for metric in (BinaryAccuracy, BinaryRecall, BinaryPrecision, BinaryF1Score)
    }

    assert values == {"BinaryAccuracy": 0.9375, "BinaryRecall": 0, "BinaryPrecision": 0, "BinaryF1Score": 0}
    assert Recall(task="multiclass", num_classes=2).to(device)(always_0, targets).item() == 0.9375


@pytest.mark.holds("torchmetrics>=1.4", otherwise=ValueError, change="new")
def test_zero_division_says_what_no_answer_is_worth(device):
    """From TorchMetrics 1.4 on, `BinaryPrecision(zero_division=1)` returns 1 for a model that never predicts class 1,
    and the default `zero_division=0` returns 0.

    The precision of such a model is 0 divided by 0. Before 1.4 the argument was unknown and raised ValueError.

    https://lightning.ai/docs/torchmetrics/stable/classification/precision.html
    """
    never, targets = torch.tensor([0, 0, 0, 0], device=device), torch.tensor([0, 1, 0, 0], device=device)

    precision = {value: BinaryPrecision(zero_division=value).to(device)(never, targets).item() for value in (0, 1)}

    assert precision == {0: 0, 1: 1}
    assert BinaryPrecision().to(device)(never, targets).item() == 0
    assert BinaryPrecision(zero_division=1).to(device)(1 - never, targets).item() == 0.25


def test_predictions_come_first(device, sklearn_metrics):
    """`BinaryPrecision` takes predictions first and targets second, scikit-learn's `precision_score` takes targets
    first, and the wrong order of binary labels turns precision into recall.

    A micro accuracy of labels is the same in both orders and does not show the mistake. A macro accuracy can change,
    and so can an `R2Score`: 0.5 becomes 0 here. Write `metric(preds=predictions, target=targets)`.

    https://lightning.ai/docs/torchmetrics/stable/classification/precision.html
    """
    predictions = torch.tensor([1, 1, 1, 1, 0, 0, 0, 0, 0], device=device)
    targets = torch.tensor([1, 0, 0, 0, 0, 0, 0, 0, 0], device=device)
    precision, recall = BinaryPrecision().to(device), BinaryRecall().to(device)
    over_rows = MulticlassAccuracy(num_classes=2, average="micro").to(device)
    over_classes = MulticlassAccuracy(num_classes=2, average="macro").to(device)

    assert (precision(predictions, targets).item(), recall(predictions, targets).item()) == (0.25, 1)
    assert (precision(targets, predictions).item(), recall(targets, predictions).item()) == (1, 0.25)
    assert precision(preds=predictions, target=targets).item() == 0.25
    assert sklearn_metrics.precision_score(targets.tolist(), predictions.tolist()) == 0.25
    assert sklearn_metrics.precision_score(predictions.tolist(), targets.tolist()) == 1
    assert over_rows(predictions, targets).item() == over_rows(targets, predictions).item()
    assert (over_classes(predictions, targets).item(), over_classes(targets, predictions).item()) == (0.8125, 0.625)
    guesses, truth = torch.tensor([[0.0, 2.0, 2.0, 4.0], [0.0, 0.0, 4.0, 4.0]], device=device)
    assert (R2Score().to(device)(guesses, truth).item(), R2Score().to(device)(truth, guesses).item()) == (0.5, 0)
    assert sklearn_metrics.r2_score(truth.tolist(), guesses.tolist()) == 0.5


def test_rows_of_a_confusion_matrix_are_the_targets(device):
    """In a `MulticlassConfusionMatrix` the row is the true class and the column the predicted class.

    Counts are int64 by default. `normalize="true"` gives float32 shares of each true class.

    https://lightning.ai/docs/torchmetrics/stable/classification/confusion_matrix.html
    """
    predictions = torch.tensor([0, 1, 1, 2, 2, 2], device=device)
    targets = torch.tensor([0, 0, 1, 1, 1, 2], device=device)

    counts = MulticlassConfusionMatrix(num_classes=3).to(device)(predictions, targets)

    assert counts.tolist() == [[1, 1, 0], [0, 1, 2], [0, 0, 1]]
    assert counts.dtype == torch.int64
    shares = MulticlassConfusionMatrix(num_classes=3, normalize="true").to(device)(predictions, targets)
    assert shares.dtype == torch.float32
    torch.testing.assert_close(shares.cpu(), torch.tensor([[1 / 2, 1 / 2, 0], [0, 1 / 3, 2 / 3], [0, 0, 1]]))


# Devices and checkpoints: where are the counts kept?


def test_a_metric_is_moved_like_a_module(device):
    """A `BinaryAccuracy` starts on the default device, which is the CPU unless you set another, and `.to(device)` moves
    it together with its counts.

    `.to` returns the same metric, and `reset` leaves the metric on its device. Write `BinaryAccuracy().to(device)`.

    https://lightning.ai/docs/torchmetrics/stable/pages/overview.html
    """
    metric = BinaryAccuracy()
    assert (metric.device, metric.tp.device) == (torch.device("cpu"), torch.device("cpu"))
    with torch.device("meta"):
        assert BinaryAccuracy().tp.device == torch.device("meta")
    metric.update(torch.tensor([1, 1, 0]), torch.tensor([1, 0, 0]))

    assert metric.to(device) is metric
    metric.update(torch.tensor([1], device=device), torch.tensor([1], device=device))

    assert (metric.compute().item(), metric.compute().device) == (0.75, device)
    assert (metric.device, metric.tp.device) == (device, device)
    metric.reset()
    assert (metric.tp.tolist(), metric.tp.device) == ([0], device)


def test_a_metric_left_on_the_cpu_refuses_an_accelerators_tensors(accelerator):
    """A `BinaryAccuracy` on the CPU raises RuntimeError for predictions and targets on an accelerator, and one on the
    accelerator raises it for predictions on the CPU and targets on the accelerator.

    The error says "Encountered different devices in metric calculation" or "Expected all tensors to be on the same
    device". Predictions and targets that are both on the CPU are counted there without a word. Move the metric once,
    with `.to(device)`, when you move the model. `meta` cannot stand in here: the metric looks at values.

    https://lightning.ai/docs/torchmetrics/stable/pages/overview.html
    """
    here = torch.tensor([1, 0, 1])
    there = here.to(accelerator)

    message = "Encountered different devices in metric calculation|Expected all tensors to be on the same device"
    with pytest.raises(RuntimeError, match=message):
        BinaryAccuracy().update(there, there)
    with pytest.raises(RuntimeError, match=message):
        BinaryAccuracy().to(accelerator).update(here, there)
    metric = BinaryAccuracy().to(accelerator)
    metric.update(here.to(accelerator), there)
    assert (metric.compute().item(), metric.compute().device) == (1, accelerator)
    metric.update(here, 1 - here)
    assert (metric.compute().item(), metric.compute().device) == (0.5, accelerator)


def test_a_metric_in_a_module_moves_with_it(device_pair):
    """A metric that is an attribute of a Module is a submodule that `model.to(device)` moves, but a metric in a plain
    list stays behind.

    Put several metrics into an `nn.ModuleList` or a `MetricCollection`. A `BinaryAccuracy` adds no parameter to the
    model.

    https://lightning.ai/docs/torchmetrics/stable/pages/overview.html
    """
    here, elsewhere = device_pair

    class Classifier(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(3, 1)
            self.accuracy = BinaryAccuracy()
            self.hidden = [BinaryAccuracy().to(here)]
            self.several = nn.ModuleList([BinaryAccuracy()])
            self.named = MetricCollection({"recall": BinaryRecall()})

    model = Classifier().to(elsewhere)

    assert [name for name, _ in model.named_children()] == ["linear", "accuracy", "several", "named"]
    assert {model.several[0].tp.device, model.named["recall"].tp.device} == {elsewhere}
    assert (model.accuracy.device, model.accuracy.tp.device) == (elsewhere, elsewhere)
    assert (model.hidden[0].device, model.hidden[0].tp.device) == (here, here)
    assert [name for name, _ in model.named_parameters()] == ["linear.weight", "linear.bias"]


def test_counts_are_saved_only_if_persistent(device):
    """The counts of a `BinaryAccuracy` are in its `state_dict` only after `metric.persistent(True)`.

    A checkpoint that is made of `state_dict`s in the middle of an epoch therefore has no counts by default. If a model
    with a persistent metric is saved, a model without the metric raises RuntimeError, "Unexpected key(s) in
    state_dict", when it loads: drop these keys, or pass `strict=False`.

    https://lightning.ai/docs/torchmetrics/stable/references/metric.html
    """
    metric = BinaryAccuracy().to(device)
    metric.update(torch.tensor([1, 1, 0, 0, 0], device=device), torch.tensor([1, 0, 1, 1, 0], device=device))
    assert list(metric.state_dict()) == []

    metric.persistent(True)
    saved = {name: count.tolist() for name, count in metric.state_dict().items()}

    assert saved == {"tp": [1], "fp": [1], "tn": [1], "fn": [2]}
    model = nn.ModuleDict({"linear": nn.Linear(1, 1), "metric": metric})
    without = nn.ModuleDict({"linear": nn.Linear(1, 1)})
    with pytest.raises(RuntimeError, match=r"Unexpected key\(s\) in state_dict.*metric\.tp"):
        without.load_state_dict(model.state_dict())
    without.load_state_dict(model.state_dict(), strict=False)


# Collections and losses: several metrics at once, and the mean of a loss.


def test_metric_collection(device):
    """A `MetricCollection` updates several metrics with one call and returns a dict of their values, with a prefix
    before each key if you give one.

    Use one prefix per split, such as `prefix="val_"`, and the keys in your log do not clash.

    https://lightning.ai/docs/torchmetrics/stable/pages/overview.html
    """
    metrics = {"accuracy": BinaryAccuracy(), "recall": BinaryRecall(), "precision": BinaryPrecision()}
    collection = MetricCollection(metrics, prefix="val_").to(device)

    def batch(*values):
        return torch.tensor(values, device=device)

    first = collection(batch(1, 1, 0, 0), batch(1, 0, 0, 0))
    collection.update(batch(1, 1, 0, 0), batch(0, 0, 1, 0))
    both = collection.compute()
    collection.reset()
    collection.update(batch(1, 0, 0, 0), batch(1, 1, 0, 0))
    afterwards = collection.compute()

    for values, accuracy, recall, precision in [
        (first, 0.75, 1, 0.5),
        (both, 0.5, 0.5, 0.25),
        (afterwards, 0.75, 0.5, 1),
    ]:
        values = {key: value.item() for key, value in values.items()}
        assert values == {"val_accuracy": accuracy, "val_recall": recall, "val_precision": precision}


def test_a_collection_merges_metrics_that_start_equal():
    """A `MetricCollection` lets two `BinaryAccuracy` with different thresholds share one state if their counts are
    equal after the first `update`: from then on `compute` gives the value of the first for both, silently.

    These are its `compute_groups`: metrics that look alike after one batch are updated once. The identical results are
    wrong for metrics that only look alike by chance. Pass `compute_groups=False`.

    https://lightning.ai/docs/torchmetrics/stable/pages/overview.html#metriccollection
    """

    def values(**options):
        metrics = MetricCollection({"a": BinaryAccuracy(threshold=0.3), "b": BinaryAccuracy(threshold=0.7)}, **options)
        metrics.update(torch.tensor([0.1, 0.9]), torch.tensor([0, 1]))
        metrics.update(torch.tensor([0.5, 0.5]), torch.tensor([1, 1]))
        return {name: value.item() for name, value in metrics.compute().items()}

    assert values() == {"a": 1, "b": 1}
    assert values(compute_groups=False) == {"a": 1, "b": 0.5}


@pytest.mark.holds("torchmetrics>=1.4", otherwise=KeyError, change="new", concerns="torchmetrics.MetricCollection?")
def test_a_collection_answers_to_the_names_in_its_results():
    """From TorchMetrics 1.4 on, `collection["val_accuracy"]` finds the metric by the key of its result, prefix
    included.

    Before, only the name without the prefix found the metric. `collection["accuracy"]` works in both.

    https://lightning.ai/docs/torchmetrics/stable/pages/overview.html
    """
    accuracy = BinaryAccuracy()
    collection = MetricCollection({"accuracy": accuracy, "recall": BinaryRecall()}, prefix="val_")

    assert collection["accuracy"] is accuracy
    assert collection["val_accuracy"] is accuracy
    assert list(collection.keys()) == ["val_accuracy", "val_recall"]


def test_mean_metric_weighs_batches(device):
    """`MeanMetric` gives the mean loss over the rows of an epoch if each batch's mean loss is passed with its size as
    `weight`.

    Without `weight` a short last batch counts as much as a full one. Write `metric.update(loss, weight=len(targets))`.
    `len(batch)` is 2 for every batch of inputs and targets, and then nothing is weighted.

    https://lightning.ai/docs/torchmetrics/stable/aggregation/mean.html
    """
    weighted, unweighted = MeanMetric().to(device), MeanMetric().to(device)

    for loss, size in [(2.0, 3), (6.0, 1)]:
        loss = torch.tensor(loss, device=device)
        weighted.update(loss, weight=size)
        unweighted.update(loss)

    assert (weighted.compute().item(), unweighted.compute().item()) == (3, 4)

    pairs = MeanMetric().to(device)
    for loss, batch in [(2.0, [torch.zeros(3, 5), torch.zeros(3)]), (6.0, [torch.zeros(1, 5), torch.zeros(1)])]:
        pairs.update(loss, weight=len(batch))
    assert pairs.compute().item() == 4


def test_mean_metric_drops_a_nan_loss(device):
    """By default `MeanMetric` warns of a nan loss and leaves it out of the mean, which looks healthy.

    Write `MeanMetric(nan_strategy="error")` to raise RuntimeError at the first nan.

    https://lightning.ai/docs/torchmetrics/stable/aggregation/mean.html
    """
    metric = MeanMetric().to(device)
    nan = torch.tensor(float("nan"), device=device)

    metric.update(torch.tensor(1.0, device=device))
    with pytest.warns(UserWarning, match="nan"):
        metric.update(nan)
    metric.update(torch.tensor(3.0, device=device))

    assert metric.compute().item() == 2
    with pytest.raises(RuntimeError, match="nan"):
        MeanMetric(nan_strategy="error").to(device).update(nan)


def test_a_mean_in_bfloat16_stops_growing(device):
    """`model.to(torch.bfloat16)` turns the sums of a `MeanMetric` in the model into bfloat16, and the mean of 300
    losses of 1 and 300 losses of 3, given one by one, comes out as 4, while `model.bfloat16()` and `model.half()` leave
    them in float32.

    A count by ones in bfloat16 stops at 256, because 256 + 1 is rounded to 256. In float32 it stops at 2**24: a
    `SumMetric` of that many cannot count one more. Write `metric.set_dtype(torch.float32)` after the `.to`, and
    `torch.float64` for more than 16 million rows.

    https://lightning.ai/docs/torchmetrics/stable/references/metric.html
    """

    def mean(convert):
        model = nn.ModuleDict({"linear": nn.Linear(1, 1), "loss": MeanMetric()}).to(device)
        convert(model)
        for loss in (1.0, 3.0):
            for _ in range(300):
                model["loss"].update(torch.tensor(loss, device=device))
        return model["loss"].weight.dtype, model["loss"].compute().item()

    assert mean(lambda model: model.to(torch.bfloat16)) == (torch.bfloat16, 4)
    assert mean(lambda model: model.bfloat16()) == mean(lambda model: model.half()) == (torch.float32, 2)
    restored = mean(lambda model: model.to(torch.bfloat16)["loss"].set_dtype(torch.float32))
    assert restored == (torch.float32, 2)
    assert (torch.tensor(256, dtype=torch.bfloat16, device=device) + 1).item() == 256
    single, double = SumMetric(), SumMetric().set_dtype(torch.float64)
    for value in (2.0**24, 1.0):
        single.update(value)
        double.update(value)
    assert (single.compute().item(), double.compute().item()) == (2**24, 2**24 + 1)


def test_mean_metric_holds_no_graph(device):
    """`MeanMetric.update(loss)` keeps a number and not the graph behind the loss, so the loss needs no `.item()` to
    save memory.

    `total += loss` keeps the graphs of all batches alive. The value that `metric(loss)` returns has a graph, but
    `compute` returns a value without one.

    https://lightning.ai/docs/torchmetrics/stable/aggregation/mean.html
    """
    weight = torch.tensor(2.0, device=device, requires_grad=True)
    metric, total = MeanMetric().to(device), 0

    for x in (1, 3):
        loss = weight * x
        metric.update(loss)
        total += loss

    assert (metric.compute().item(), metric.compute().requires_grad) == (4, False)
    assert (total.item(), total.requires_grad) == (8, True)
    assert metric(weight * 2).requires_grad
    assert not metric.compute().requires_grad


# Inference mode: what goes on outside it?


def test_a_metric_outlives_inference_mode(device):
    """A `BinaryAccuracy` that was updated under `torch.inference_mode()` can be computed, updated and reset outside it.

    A `torch.zeros(2)` made there raises RuntimeError when it is changed in-place outside. A `MeanMetric` that was
    called there, as `metric(loss)`, raises "Inplace update to inference tensor outside InferenceMode is not allowed" at
    the next `update` outside, until you `reset` it outside. So does a `MeanMetric` that was made there.

    https://docs.pytorch.org/docs/stable/generated/torch.autograd.grad_mode.inference_mode.html
    """
    metric, mean = BinaryAccuracy().to(device), MeanMetric().to(device)
    predictions, targets = torch.tensor([1, 0], device=device), torch.tensor([1, 1], device=device)

    with torch.inference_mode():
        metric.update(predictions, targets)
        other = torch.zeros(2, device=device)
        mean(torch.tensor(2.0, device=device))
    metric.update(targets, targets)

    assert metric.compute().item() == 0.75
    metric.reset()
    metric.update(targets, targets)
    assert metric.compute().item() == 1
    with pytest.raises(RuntimeError, match="Inplace update to inference tensor"):
        other.add_(1)
    with pytest.raises(RuntimeError, match="Inplace update to inference tensor"):
        mean.update(torch.tensor(4.0, device=device))
    with torch.inference_mode():
        made_there = MeanMetric().to(device)
    with pytest.raises(RuntimeError, match="Inplace update to inference tensor outside InferenceMode is not allowed"):
        made_there.update(torch.tensor(4.0, device=device))
    for metric in (mean, made_there):
        metric.reset()
        metric.update(torch.tensor(4.0, device=device))
        assert metric.compute().item() == 4


@pytest.mark.holds(
    "torchmetrics>=1.6.2", otherwise=RuntimeError, change="new", concerns="torchmetrics.classification.BinaryAccuracy?"
)
def test_a_metric_called_or_reset_in_inference_mode_goes_on_outside(device):
    """From TorchMetrics 1.6.2 on, a `BinaryAccuracy` that was called or reset under `torch.inference_mode()` can be
    updated outside.

    Before, that update raises RuntimeError: use `metric.update` under `inference_mode`, as in the note before.

    https://docs.pytorch.org/docs/stable/generated/torch.autograd.grad_mode.inference_mode.html
    """
    called, restarted = BinaryAccuracy().to(device), BinaryAccuracy().to(device)
    predictions, targets = torch.tensor([1, 0], device=device), torch.tensor([1, 1], device=device)

    with torch.inference_mode():
        called(predictions, targets)
        restarted.reset()
    for metric in (called, restarted):
        metric.update(targets, targets)

    assert (called.compute().item(), restarted.compute().item()) == (0.75, 1)


# Every outcome: do TorchMetrics and scikit-learn agree, up to rounding?


@given(
    batches=st.lists(
        st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=6), min_size=1, max_size=3
    )
)
def test_agrees_with_scikit_learn_for_every_outcome(device, rounding_bound, sklearn_metrics, batches):
    """`MulticlassAccuracy` fed batch by batch gives what scikit-learn gives for all rows at once, up to float32
    rounding: micro is `accuracy_score`, macro is `recall_score(average="macro")`.

    The macro average is over the classes that occur in the targets or in the predictions. Macro precision and macro F1
    agree with scikit-learn's `zero_division=0` too.

    https://scikit-learn.org/stable/modules/model_evaluation.html#classification-metrics
    """
    collection = MetricCollection(
        {
            "accuracy": MulticlassAccuracy(num_classes=4, average="micro"),
            "recall": MulticlassAccuracy(num_classes=4, average="macro"),
            "precision": MulticlassPrecision(num_classes=4, average="macro"),
            "f1": MulticlassF1Score(num_classes=4, average="macro"),
        }
    ).to(device)
    for batch in batches:
        collection.update(*torch.tensor(batch, device=device).unbind(1))

    predictions, targets = zip(*(pair for batch in batches for pair in batch), strict=True)
    accuracy = sklearn_metrics.accuracy_score(targets, predictions)
    precision, recall, f1, _ = sklearn_metrics.precision_recall_fscore_support(
        targets, predictions, average="macro", zero_division=0
    )
    expected = {"accuracy": accuracy, "recall": recall, "precision": precision, "f1": f1}
    bound = rounding_bound(16, torch.float32)  # four classes, four roundings each at most
    for name, value in collection.compute().items():
        torch.testing.assert_close(value.cpu(), torch.tensor(expected.pop(name)).float(), rtol=bound, atol=0)
    assert expected == {}
