"""TorchMetrics: measuring a model over many batches.

A metric is a number for people, as accuracy is, where a loss is a number for the optimizer. TorchMetrics makes objects
of them that are fed batch by batch, remember what they need and are asked once at the end. What they take for a
prediction, what they average over and where they keep their memory is what this section settles.
"""

import pytest
import torch
import torchmetrics.functional
from hypothesis import given, strategies as st
from torch import nn
from torchmetrics import Accuracy, MeanMetric, MeanSquaredError, MetricCollection
from torchmetrics.classification import (
    BinaryAccuracy,
    BinaryConfusionMatrix,
    BinaryF1Score,
    BinaryPrecision,
    BinaryRecall,
    MulticlassAccuracy,
    MulticlassConfusionMatrix,
    MulticlassF1Score,
    MulticlassPrecision,
    MultilabelAccuracy,
    MultilabelExactMatch,
)


def test_accuracy_needs_a_task():
    """`Accuracy()` raises TypeError: it has to be told the `task`, and for more than two classes how many there are.

    https://lightning.ai/docs/torchmetrics/stable/classification/accuracy.html
    """
    with pytest.raises(TypeError, match="task"):
        Accuracy()
    with pytest.raises(ValueError, match="expected one of"):
        Accuracy(task="regression")
    with pytest.raises(ValueError, match="num_classes"):
        Accuracy(task="multiclass")


def test_the_task_chooses_the_class():
    """`Accuracy` is only a door: what comes out of it is a `BinaryAccuracy`, a `MulticlassAccuracy` or a
    `MultilabelAccuracy`.

    https://lightning.ai/docs/torchmetrics/stable/classification/accuracy.html
    """
    assert type(Accuracy(task="binary")) is BinaryAccuracy
    assert type(Accuracy(task="multiclass", num_classes=3)) is MulticlassAccuracy
    assert type(Accuracy(task="multilabel", num_labels=3)) is MultilabelAccuracy


def test_a_hand_made_accuracy_can_say_250_percent(device):
    """Comparing predictions of shape [N, 1] with targets of shape [N] compares each with each: with four rows up to 400
    % are right.

    A mean over all pairs hides it, as a number that looks possible. TorchMetrics refuses such shapes; without it,
    `squeeze(1)` the model's output.

    https://docs.pytorch.org/docs/stable/notes/broadcasting.html
    """
    predictions = torch.tensor([[1], [1], [1], [0]], device=device)
    targets = torch.tensor([1, 1, 1, 0], device=device)

    equal = predictions == targets

    assert equal.shape == (4, 4)
    assert equal.sum().item() / len(targets) == 2.5
    assert equal.float().mean().item() == 0.625
    with pytest.raises(RuntimeError, match="same shape"):
        BinaryAccuracy().to(device)(predictions, targets)
    assert BinaryAccuracy().to(device)(predictions.squeeze(1), targets).item() == 1


def test_result_is_a_tensor_without_a_graph(device):
    """An accuracy is a 0-d float32 tensor on the metric's device, cut off from the graph: it can't be a loss.

    Counting right answers has no useful gradient. Minimise a loss, report a metric. One that has a gradient, such as
    `MeanSquaredError`, does keep the graph in the value of a batch, and drops it in `compute`.

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


def test_threshold_is_strict(device):
    """A probability has to be above the threshold to count as class 1: exactly 0.5 is class 0, unless you set another
    threshold.

    `torch.round` makes 0 of 0.5 too, but `probability >= 0.5`, which many write by hand, is not the same.

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


def test_labels_are_taken_as_they_are(device):
    """A binary metric takes predictions of an integer dtype for labels, and any value but 0 and 1 in them or in the
    targets raises RuntimeError.

    So targets of -1 and 1 are refused, and so is a class 2 that crept in.

    https://lightning.ai/docs/torchmetrics/stable/classification/accuracy.html
    """
    metric = BinaryAccuracy().to(device)

    def labels(*values):
        return torch.tensor(values, device=device)

    assert metric(labels(1, 0, 1, 1), labels(1, 0, 0, 1)).item() == 0.75
    with pytest.raises(RuntimeError, match=r"in `target`.*expected only the following values"):
        metric(labels(1, 0), labels(1, -1))
    with pytest.raises(RuntimeError, match=r"in `preds`.*expected only the following values"):
        metric(labels(1, 2), labels(1, 0))


@pytest.mark.myth("TorchMetrics accepts logits")
def test_logits_between_0_and_1_are_read_as_probabilities(device):
    """A binary metric puts logits through a sigmoid only if the batch has a value outside [0, 1]; otherwise the same
    numbers are read as probabilities.

    So the same logit is class 0 or 1 depending on its neighbours in the batch. Apply the sigmoid before you hand them
    over: there is no argument that says what they are.

    https://lightning.ai/docs/torchmetrics/stable/classification/accuracy.html
    """
    logits = torch.tensor([0.25, 0.875, 0.0625, 3.0], device=device)  # class 1, all of them
    all_class_1 = torch.tensor([1, 1, 1, 1], device=device)
    metric = BinaryAccuracy().to(device)

    assert metric(logits, all_class_1).item() == 1
    assert metric(logits[:2], all_class_1[:2]).item() == 0.5
    assert metric(logits[:2].sigmoid(), all_class_1[:2]).item() == 1
    assert metric(logits[:2].neg(), all_class_1[:2]).item() == 0


@given(
    outside=st.sampled_from([[-20.0], [-0.25], [1.25], [20.0], [-3.0, 7.0]]),
    eighths=st.lists(st.integers(0, 8), max_size=5),
    targets=st.lists(st.integers(0, 1), min_size=8, max_size=8),
)
def test_logits_get_a_sigmoid_for_every_batch_with_one_outside(device, outside, eighths, targets):
    """In every batch with a value below 0 or above 1, a binary metric takes each prediction for a logit, and class 1
    where it is above 0.

    https://lightning.ai/docs/torchmetrics/stable/classification/accuracy.html
    """
    logits = torch.tensor([*outside, 0.25, *(eighth / 8 for eighth in eighths)], device=device)
    targets = targets[: len(logits)]

    counts = BinaryConfusionMatrix().to(device)(logits, torch.tensor(targets, device=device))

    pairs = list(zip(targets, (logits > 0).int().tolist(), strict=True))
    assert counts.tolist() == [[pairs.count((target, predicted)) for predicted in (0, 1)] for target in (0, 1)]


@given(
    eighths=st.lists(st.tuples(st.integers(0, 8), st.integers(0, 1)), min_size=1, max_size=8),
    threshold=st.integers(0, 8),
)
def test_probabilities_for_every_batch_inside(device, eighths, threshold):
    """In every batch that lies within [0, 1], ends included, each prediction is a probability, and class 1 above the
    threshold.

    https://lightning.ai/docs/torchmetrics/stable/classification/accuracy.html
    """
    probabilities = torch.tensor([eighth / 8 for eighth, _ in eighths], device=device)
    targets = torch.tensor([target for _, target in eighths], device=device)

    counts = BinaryConfusionMatrix(threshold=threshold / 8).to(device)(probabilities, targets)

    pairs = [(target, int(eighth > threshold)) for eighth, target in eighths]
    assert counts.tolist() == [[pairs.count((target, predicted)) for predicted in (0, 1)] for target in (0, 1)]


def test_multiclass_takes_scores_or_labels(device):
    """For several classes, predictions of shape [N, C] are scores, logits or probabilities, of which the largest wins;
    of shape [N] they are labels.

    Classes are dimension 1, also where more dimensions follow: an image is [N, C, H, W] against [N, H, W].

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


@pytest.mark.myth("validate_args=True finds wrong labels")
def test_a_class_too_many_can_pass(device):
    """For several classes the check counts how many different labels there are, not which: in an accuracy over rows
    (`average="micro"`), class 7 of 3 goes through unnoticed.

    With one-based labels it is then merely low. Over classes there is a RuntimeError, but one about a shape, and none
    on mps, where labels are counted in another way. Check `targets.max() < num_classes` yourself.

    https://lightning.ai/docs/torchmetrics/stable/classification/accuracy.html
    """
    metric = MulticlassAccuracy(num_classes=3, average="micro").to(device)
    predictions = torch.tensor([0, 1, 0, 2], device=device)

    assert metric(predictions, torch.tensor([0, 1, 7, 7], device=device)).item() == 0.5
    assert metric(predictions, torch.tensor([1, 2, 1, 3], device=device)).item() == 0
    with pytest.raises(RuntimeError, match=r"more unique values in `target`"):
        metric(predictions, torch.tensor([0, 1, 2, 7], device=device))
    with pytest.raises(RuntimeError, match="shape"):
        MulticlassAccuracy(num_classes=3, average="macro")(predictions.cpu(), torch.tensor([0, 1, 7, 7]))


@pytest.mark.holds("torchmetrics>=1.6.1", otherwise=AssertionError)
def test_top_k_is_one_answer_a_row(device):
    """From TorchMetrics 1.6.1 on precision and F1 with `top_k=2` count a row as right if its class is among its two
    best scores, as an accuracy always did.

    Before, each of the two counted as an answer of its own, one of which had to be wrong: the precision of a perfect
    model was 0.5. Numbers from before and after the upgrade cannot be compared.

    https://lightning.ai/docs/torchmetrics/stable/classification/precision.html
    """
    scores = torch.tensor([[0.1, 0.2, 0.7], [0.3, 0.6, 0.1], [0.5, 0.4, 0.1], [0.2, 0.3, 0.5]], device=device)
    targets = torch.tensor([1, 2, 0, 2], device=device)  # second best, worst, best, best

    def over_rows(metric, top_k):
        return metric(num_classes=3, average="micro", top_k=top_k).to(device)(scores, targets).item()

    for metric in (MulticlassAccuracy, MulticlassPrecision, MulticlassF1Score):
        assert (over_rows(metric, top_k=1), over_rows(metric, top_k=2)) == (0.5, 0.75)


def test_ignore_index_leaves_rows_out(device):
    """Rows whose target is `ignore_index` count neither as right nor as wrong.

    Give the metric the number that pads your targets, as you give it to `CrossEntropyLoss`, which by default skips
    -100: a metric skips nothing by default.

    https://lightning.ai/docs/torchmetrics/stable/classification/accuracy.html
    """
    predictions = torch.tensor([0, 1, 2, 2, 1], device=device)
    targets = torch.tensor([0, 2, -100, 2, 1], device=device)

    metric = MulticlassAccuracy(num_classes=3, average="micro", ignore_index=-100).to(device)

    assert metric(predictions, targets).item() == 0.75
    with pytest.raises(RuntimeError, match="more unique values in `target`"):
        MulticlassAccuracy(num_classes=3, average="micro").to(device)(predictions, targets)


def test_multilabel_counts_answers_and_not_rows(device):
    """Multilabel accuracy is the share of right answers to each yes-or-no question, averaged; `ExactMatch` is the share
    of rows without a mistake.

    https://lightning.ai/docs/torchmetrics/stable/classification/exact_match.html
    """
    predictions = torch.tensor([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.4, 0.3]], device=device)
    targets = torch.tensor([[0, 0], [0, 0], [1, 1], [0, 0]], device=device)

    per_label = MultilabelAccuracy(num_labels=2, average=None).to(device)(predictions, targets)
    answers = MultilabelAccuracy(num_labels=2).to(device)(predictions, targets)
    rows = MultilabelExactMatch(num_labels=2).to(device)(predictions, targets)

    assert per_label.tolist() == [0.75, 0.5]
    assert (answers.item(), rows.item()) == (0.625, 0.25)


def test_forward_update_compute_reset(device):
    """Calling a metric gives the value of that batch and remembers it; `update` only remembers; `compute` gives the
    value of all so far; `reset` forgets.

    `compute` does not start anew: without `reset` the second epoch's number has the first in it.

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
    """`compute` of a binary accuracy weighs every row alike, while the mean of the batches' values gives the rows of a
    short batch more weight.

    For precision, recall and F1 the mean over batches can be wrong even with equal batches.

    https://lightning.ai/docs/torchmetrics/stable/pages/overview.html
    """
    targets = torch.tensor([1, 0, 0, 0, 1, 1, 1, 0], device=device)
    predictions = torch.tensor([1, 0, 0, 0, 0, 0, 0, 0], device=device)
    accuracy, recall = BinaryAccuracy().to(device), BinaryRecall().to(device)

    accuracies = [accuracy(predictions[rows], targets[rows]).item() for rows in (slice(0, 4), slice(4, 6), slice(6, 8))]
    recalls = [recall(predictions[rows], targets[rows]).item() for rows in (slice(0, 4), slice(4, 8))]

    assert (accuracies, accuracy.compute().item()) == ([1, 0, 0.5], 0.625)  # and not 0.5
    assert (recalls, recall.compute().item()) == ([1, 0], 0.25)  # and not 0.5


@pytest.mark.holds("torchmetrics>=1.6", otherwise=AttributeError)
def test_merge_state_adds_another_metric(device):
    """From TorchMetrics 1.6 on, `metric.merge_state(other)` adds what another metric has counted, and leaves the other
    as it was.

    For an evaluation in parts, in threads or on files. Before, keep one metric, or compute from your own counts.

    https://lightning.ai/docs/torchmetrics/stable/references/metric.html
    """
    metric, other = BinaryAccuracy().to(device), BinaryAccuracy().to(device)
    metric.update(torch.tensor([1, 0], device=device), torch.tensor([1, 0], device=device))
    other.update(torch.tensor([1, 1, 1, 0, 0, 0], device=device), torch.tensor([1, 1, 0, 1, 1, 0], device=device))

    metric.merge_state(other)

    assert (metric.compute().item(), other.compute().item()) == (0.625, 0.5)  # 5 of 8, 3 of 6


def test_compute_before_update_warns(device):
    """`compute` without any `update` warns and gives 0 for an accuracy, as if every answer had been wrong.

    The same happens right after `reset`, for one who resets before the number is read. A `MeanMetric` gives nan.

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


def test_micro_or_macro_depends_on_the_door(device):
    """Two names, two defaults: `Accuracy(task="multiclass")` averages over rows, and the `MulticlassAccuracy` that it
    makes, called by its own name, over classes.

    Over rows is micro, over classes is macro, in which a rare class weighs as much as a common one. Say `average=` and
    there is no question.

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


def test_accuracy_of_a_rare_class(device):
    """Where one row in sixteen is of class 1, always answering 0 has an accuracy of 94 %, and recall, precision and F1
    of 0.

    Compare an accuracy with the share of the commonest class before you are pleased with it.

    https://lightning.ai/docs/torchmetrics/stable/classification/f1_score.html
    """
    targets = torch.tensor([0] * 15 + [1], device=device)
    always_0 = torch.zeros_like(targets)

    values = {
        metric.__name__: metric().to(device)(always_0, targets).item()
        for metric in (BinaryAccuracy, BinaryRecall, BinaryPrecision, BinaryF1Score)
    }

    assert values == {"BinaryAccuracy": 0.9375, "BinaryRecall": 0, "BinaryPrecision": 0, "BinaryF1Score": 0}


@pytest.mark.holds("torchmetrics>=1.4", otherwise=ValueError)
def test_zero_division_says_what_no_answer_is_worth(device):
    """From TorchMetrics 1.4 on `zero_division=` says what the precision of a model that never says 1 counts as, which
    is 0 divided by 0; before, and by default, it counts as 0.

    Before, that argument was unknown and raised ValueError. scikit-learn has one of the same name, and warns without.

    https://lightning.ai/docs/torchmetrics/stable/classification/precision.html
    """
    never, targets = torch.tensor([0, 0, 0, 0], device=device), torch.tensor([0, 1, 0, 0], device=device)

    precision = {value: BinaryPrecision(zero_division=value).to(device)(never, targets).item() for value in (0, 1)}

    assert precision == {0: 0, 1: 1}
    assert BinaryPrecision().to(device)(never, targets).item() == 0
    assert BinaryPrecision(zero_division=1).to(device)(1 - never, targets).item() == 0.25


def test_predictions_come_first(device):
    """TorchMetrics takes predictions first and targets second; scikit-learn takes them the other way round, and swapped
    they turn precision into recall.

    An accuracy over rows is the same either way, so it does not give the mistake away. One over classes is a recall,
    and may change.

    https://lightning.ai/docs/torchmetrics/stable/classification/precision.html
    """
    predictions = torch.tensor([1, 1, 1, 1, 0, 0, 0, 0, 0], device=device)
    targets = torch.tensor([1, 0, 0, 0, 0, 0, 0, 0, 0], device=device)
    precision, recall = BinaryPrecision().to(device), BinaryRecall().to(device)
    over_rows = MulticlassAccuracy(num_classes=2, average="micro").to(device)
    over_classes = MulticlassAccuracy(num_classes=2, average="macro").to(device)

    assert (precision(predictions, targets).item(), recall(predictions, targets).item()) == (0.25, 1)
    assert (precision(targets, predictions).item(), recall(targets, predictions).item()) == (1, 0.25)
    assert over_rows(predictions, targets).item() == over_rows(targets, predictions).item()
    assert (over_classes(predictions, targets).item(), over_classes(targets, predictions).item()) == (0.8125, 0.625)


def test_rows_of_a_confusion_matrix_are_the_targets(device):
    """In a confusion matrix the row is the true class and the column the predicted one, counted in int64.

    https://lightning.ai/docs/torchmetrics/stable/classification/confusion_matrix.html
    """
    predictions = torch.tensor([0, 1, 1, 2, 2, 2], device=device)
    targets = torch.tensor([0, 0, 1, 1, 1, 2], device=device)

    counts = MulticlassConfusionMatrix(num_classes=3).to(device)(predictions, targets)

    assert counts.tolist() == [[1, 1, 0], [0, 1, 2], [0, 0, 1]]
    assert counts.dtype == torch.int64


@pytest.fixture(scope="module")
def sklearn_metrics():
    # Here, so that only one note needs scikit-learn, and before that note: the import sets environment variables.
    from sklearn import metrics

    return metrics


@given(
    batches=st.lists(
        st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=6), min_size=1, max_size=3
    )
)
def test_agrees_with_scikit_learn_for_every_outcome(device, rounding_bound, sklearn_metrics, batches):
    """Batch by batch, TorchMetrics finds what scikit-learn finds on all rows at once: micro is `accuracy_score`, macro
    `recall_score`.

    Macro averages over the classes that occur, in the targets or in the predictions.

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


def test_a_metric_is_moved_like_a_module(device):
    """A metric starts on the CPU, unless you set another default device, and `.to(device)` moves it with all it has
    counted so far; `reset` leaves it there.

    https://lightning.ai/docs/torchmetrics/stable/pages/overview.html
    """
    metric = BinaryAccuracy()
    assert metric.device == torch.device("cpu")
    metric.update(torch.tensor([1, 1, 0]), torch.tensor([1, 0, 0]))

    assert metric.to(device) is metric
    metric.update(torch.tensor([1], device=device), torch.tensor([1], device=device))

    assert (metric.compute().item(), metric.compute().device) == (0.75, device)
    assert (metric.device, metric.tp.device) == (device, device)
    metric.reset()
    assert (metric.tp.tolist(), metric.tp.device) == ([0], device)


def test_a_metric_left_on_the_cpu_refuses_an_accelerators_tensors(accelerator):
    """An accuracy that was left on the CPU raises RuntimeError for predictions on an accelerator, and one that was
    moved there raises it for predictions on the CPU.

    `meta` cannot stand in here: the metric looks at values.

    https://lightning.ai/docs/torchmetrics/stable/pages/overview.html
    """
    here = torch.tensor([1, 0, 1])
    there = here.to(accelerator)

    with pytest.raises(RuntimeError, match="device"):
        BinaryAccuracy().update(there, there)
    with pytest.raises(RuntimeError, match="device"):
        BinaryAccuracy().to(accelerator).update(here, there)
    metric = BinaryAccuracy().to(accelerator)
    metric.update(here.to(accelerator), there)
    assert (metric.compute().item(), metric.compute().device) == (1, accelerator)


def test_a_metric_in_a_module_moves_with_it(device_pair):
    """A metric that is an attribute of a Module is a submodule: `model.to(device)` moves it; one in a plain list stays
    behind.

    Put several into an `nn.ModuleList` or a `MetricCollection`. Metrics that count add no parameter; one that works
    with a network, such as LPIPS, does.

    https://lightning.ai/docs/torchmetrics/stable/pages/overview.html
    """
    here, elsewhere = device_pair

    class Classifier(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(3, 1)
            self.accuracy = BinaryAccuracy()
            self.hidden = [BinaryAccuracy().to(here)]

    model = Classifier().to(elsewhere)

    assert [name for name, _ in model.named_children()] == ["linear", "accuracy"]
    assert (model.accuracy.device, model.accuracy.tp.device) == (elsewhere, elsewhere)
    assert (model.hidden[0].device, model.hidden[0].tp.device) == (here, here)
    assert [name for name, _ in model.named_parameters()] == ["linear.weight", "linear.bias"]


def test_counts_are_saved_only_if_persistent(device):
    """What a metric has counted is not in its `state_dict`, unless you ask with `persistent(True)`.

    So a checkpoint in the middle of an epoch forgets the first half of it.

    https://lightning.ai/docs/torchmetrics/stable/references/metric.html
    """
    metric = BinaryAccuracy().to(device)
    metric.update(torch.tensor([1, 1, 0, 0, 0], device=device), torch.tensor([1, 0, 1, 1, 0], device=device))
    assert list(metric.state_dict()) == []

    metric.persistent(True)
    saved = {name: count.tolist() for name, count in metric.state_dict().items()}

    assert saved == {"tp": [1], "fp": [1], "tn": [1], "fn": [2]}


def test_metric_collection(device):
    """`MetricCollection` feeds several metrics with one call and answers with a dict of their values, whose keys can
    have a prefix.

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


@pytest.mark.holds("torchmetrics>=1.4", otherwise=KeyError)
def test_a_collection_answers_to_the_names_in_its_results():
    """From TorchMetrics 1.4 on, `collection["val_accuracy"]` finds the metric by the name that its results have;
    before, only the name without the prefix does.

    The name without the prefix, `collection["accuracy"]`, works in all releases.

    https://lightning.ai/docs/torchmetrics/stable/pages/overview.html
    """
    accuracy = BinaryAccuracy()
    collection = MetricCollection({"accuracy": accuracy, "recall": BinaryRecall()}, prefix="val_")

    assert collection["val_accuracy"] is accuracy
    assert collection["accuracy"] is accuracy
    assert list(collection.keys()) == ["val_accuracy", "val_recall"]


def test_mean_metric_weighs_batches(device):
    """`MeanMetric` is the mean of a loss over an epoch, provided each batch comes with its size as `weight`.

    Without the weight a short last batch counts as much as a full one.

    https://lightning.ai/docs/torchmetrics/stable/aggregation/mean.html
    """
    weighted, unweighted = MeanMetric().to(device), MeanMetric().to(device)

    for loss, size in [(2.0, 3), (6.0, 1)]:
        loss = torch.tensor(loss, device=device)
        weighted.update(loss, weight=size)
        unweighted.update(loss)

    assert (weighted.compute().item(), unweighted.compute().item()) == (3, 4)


def test_mean_metric_holds_no_graph(device):
    """`MeanMetric.update(loss)` keeps a number and not the graph behind the loss, so that no `.item()` is needed to
    save memory.

    `total += loss` keeps every graph of the epoch alive.

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


def test_a_metric_outlives_inference_mode(device):
    """An accuracy that was updated under `inference_mode` can be computed, updated and reset outside it.

    Other tensors made there refuse to be changed in place outside. So does a `MeanMetric` that was called there, as
    `metric(loss)`, until it is reset outside.

    https://docs.pytorch.org/docs/stable/generated/torch.autograd.grad_mode.inference_mode.html
    """
    metric = BinaryAccuracy().to(device)
    predictions, targets = torch.tensor([1, 0], device=device), torch.tensor([1, 1], device=device)

    with torch.inference_mode():
        metric.update(predictions, targets)
        other = torch.zeros(2, device=device)
        mean = MeanMetric().to(device)
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
    mean.reset()
    mean.update(torch.tensor(4.0, device=device))
    assert mean.compute().item() == 4


@pytest.mark.holds("torchmetrics>=1.6.2", otherwise=RuntimeError)
def test_a_metric_called_or_reset_in_inference_mode_goes_on_outside(device):
    """From TorchMetrics 1.6.2 on, an accuracy that was called, or reset, under `inference_mode` can be updated outside;
    before, that raises RuntimeError.

    `update` under `inference_mode`, and `torch.no_grad()` in its place, work in all releases.

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
