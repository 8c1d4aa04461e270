"""What could break in TorchMetrics."""

import importlib
import itertools
import warnings

import torch
from torch import nn

from torchnotes.harness.mutation import mutant, raises

# TorchMetrics is imported where it is needed: a learner without it runs the mutants of other sections.


def classification():
    return importlib.import_module("torchmetrics.classification")


def functional(name):
    return importlib.import_module(f"torchmetrics.functional.classification.{name}")


def metric_class():
    return importlib.import_module("torchmetrics.metric").Metric


def binary(name="Accuracy", **options):
    return getattr(classification(), f"Binary{name}")(**options)


def several(name="Accuracy", average="micro", num_classes=3, **options):
    return getattr(classification(), f"Multiclass{name}")(num_classes=num_classes, average=average, **options)


def accuracy(*arguments, **options):
    return importlib.import_module("torchmetrics").Accuracy(*arguments, **options)


def ints(*values):
    return torch.tensor(values)


def change_function(patch, file, name, change):
    """Put `change(call, ...)` in the place of a function of torchmetrics.functional.classification."""
    original = getattr(functional(file), name)
    patch.everywhere(original, lambda *arguments, **options: change(original, *arguments, **options))


# The door: Accuracy(task=...)


def change_accuracy(patch, change):
    torchmetrics = importlib.import_module("torchmetrics")
    original = torchmetrics.Accuracy
    patch.everywhere(original, lambda *arguments, **options: change(original, *arguments, **options))


@mutant(kills="test_accuracy_needs_a_task", witness=lambda: raises(TypeError, accuracy))
def accuracy_is_binary_by_default(patch):
    """`Accuracy()` without a task is binary."""
    change_accuracy(patch, lambda call, task="binary", **options: call(task=task, **options))


@mutant(kills="test_accuracy_needs_a_task", witness=lambda: raises(ValueError, lambda: accuracy(task="multiclass")))
def accuracy_has_ten_classes_by_default(patch):
    """`Accuracy(task="multiclass")` takes ten classes where it is not told how many."""

    def change(call, *arguments, **options):
        return call(*arguments, **{"num_classes": 10, **options})

    change_accuracy(patch, change)


@mutant(kills="test_accuracy_needs_a_task", witness=lambda: raises(ValueError, lambda: accuracy(task="regression")))
def accuracy_takes_any_task(patch):
    """`Accuracy` takes a task that it does not know for a binary one."""

    def change(call, *arguments, **options):
        if options.get("task") not in (None, "binary", "multiclass", "multilabel"):
            options["task"] = "binary"
        return call(*arguments, **options)

    change_accuracy(patch, change)


@mutant(
    kills="test_accuracy_needs_a_task",
    witness=lambda: raises(TypeError, accuracy),
    raises=ValueError,
)
def accuracy_raises_value_error_without_a_task(patch):
    """`Accuracy()` raises ValueError instead of TypeError."""

    def change(call, *arguments, **options):
        if not arguments and "task" not in options:
            raise ValueError("task is missing")
        return call(*arguments, **options)

    change_accuracy(patch, change)


@mutant(
    kills="test_the_task_chooses_the_class",
    witness=lambda: type(accuracy(task="binary")) is classification().BinaryAccuracy,
)
def accuracy_takes_two_classes_for_binary(patch):
    """`Accuracy(task="binary")` is a MulticlassAccuracy of two classes."""

    def change(call, *arguments, **options):
        if options.get("task") == "binary":
            options |= {"task": "multiclass", "num_classes": 2}
        return call(*arguments, **options)

    change_accuracy(patch, change)


@mutant(
    kills="test_the_task_chooses_the_class",
    witness=lambda: (
        type(accuracy(task="multilabel", num_labels=2)) is not type(classification().MultilabelExactMatch(num_labels=2))
    ),
)
def accuracy_of_labels_is_an_exact_match(patch):
    """`Accuracy(task="multilabel")` is a MultilabelExactMatch."""

    def change(call, *arguments, num_labels=None, **options):
        if options.get("task") == "multilabel":
            return classification().MultilabelExactMatch(num_labels=num_labels)
        return call(*arguments, num_labels=num_labels, **options)

    change_accuracy(patch, change)


def door(door_function):
    return door_function(ints(0, 0, 0, 0), ints(0, 0, 0, 1)).item()


@mutant(
    kills="test_micro_or_macro_depends_on_the_door",
    witness=lambda: door(accuracy(task="multiclass", num_classes=2)) == 0.75,
)
def accuracy_averages_over_classes(patch):
    """`Accuracy(task="multiclass")` averages over classes, as MulticlassAccuracy does."""

    def change(call, *arguments, **options):
        return call(*arguments, **{"average": "macro", **options})

    change_accuracy(patch, change)


@mutant(
    kills="test_micro_or_macro_depends_on_the_door",
    witness=lambda: door(classification().MulticlassAccuracy(num_classes=2)) == 0.5,
)
def multiclass_accuracy_averages_over_rows(patch):
    """`MulticlassAccuracy` averages over rows by default."""
    cls = classification().MulticlassAccuracy
    original = cls.__init__

    def broken(self, num_classes=None, top_k=1, average="micro", *arguments, **options):
        original(self, num_classes, top_k, average, *arguments, **options)

    patch.setattr(cls, "__init__", broken)


def functional_door(name, **options):
    return door(lambda *batch: getattr(functional("accuracy"), name)(*batch, num_classes=2, **options))


@mutant(
    kills="test_micro_or_macro_depends_on_the_door",
    witness=lambda: functional_door("accuracy", task="multiclass") == 0.75,
)
def functional_accuracy_averages_over_classes(patch):
    """`torchmetrics.functional.accuracy` averages over classes by default."""

    def change(call, *arguments, **options):
        return call(*arguments, **{"average": "macro", **options})

    change_function(patch, "accuracy", "accuracy", change)


@mutant(
    kills="test_micro_or_macro_depends_on_the_door",
    witness=lambda: functional_door("multiclass_accuracy") == 0.5,
)
def functional_multiclass_accuracy_averages_over_rows(patch):
    """`multiclass_accuracy` averages over rows by default."""

    def change(call, preds, target, num_classes=None, average="micro", *arguments, **options):
        return call(preds, target, num_classes, average, *arguments, **options)

    change_function(patch, "accuracy", "multiclass_accuracy", change)


@mutant(
    kills=("test_micro_or_macro_depends_on_the_door", "test_agrees_with_scikit_learn_for_every_outcome"),
    witness=lambda: several(average="macro")(ints(0, 0, 0, 1, 1), ints(0, 0, 0, 0, 1)).item() == 0.875,
)
def macro_is_weighted(patch):
    """`average="macro"` weighs each class with its number of rows."""

    def change(call, score, average, *arguments, **options):
        return call(score, "weighted" if average == "macro" else average, *arguments, **options)

    original = importlib.import_module("torchmetrics.utilities.compute")._adjust_weights_safe_divide
    patch.everywhere(original, lambda *arguments, **options: change(original, *arguments, **options))


@mutant(
    kills="test_agrees_with_scikit_learn_for_every_outcome",
    witness=lambda: several(average="macro")(ints(0, 1), ints(0, 1)).item() == 1,
)
def macro_counts_absent_classes(patch):
    """`average="macro"` counts a class that does not occur as 0."""

    def change(call, score, average, *arguments, **options):
        return score.mean(-1) if average == "macro" else call(score, average, *arguments, **options)

    original = importlib.import_module("torchmetrics.utilities.compute")._adjust_weights_safe_divide
    patch.everywhere(original, lambda *arguments, **options: change(original, *arguments, **options))


def f1_of_three():
    return several("F1Score", "macro")(ints(0, 0, 1, 1, 2), ints(0, 1, 1, 2, 2)).item()


@mutant(
    kills="test_agrees_with_scikit_learn_for_every_outcome",
    witness=lambda: several("Precision", "macro")(ints(0, 0, 0, 1), ints(0, 1, 2, 1)).item() < 0.45,
)
def macro_precision_is_a_recall(patch):
    """Precision is computed as recall where it is averaged over classes."""

    def change(call, stat, *counts, average, **options):
        return call("recall" if average == "macro" else stat, *counts, average=average, **options)

    change_function(patch, "precision_recall", "_precision_recall_reduce", change)


@mutant(
    kills="test_agrees_with_scikit_learn_for_every_outcome",
    witness=lambda: abs(f1_of_three() - 11 / 18) < 1e-6,
)
def macro_f1_comes_from_averages(patch):
    """The macro F1 is the harmonic mean of precision and recall with all classes counted together."""

    def change(call, tp, fp, fn, tn, beta, average, *arguments, **options):
        return call(tp, fp, fn, tn, beta, "micro" if average == "macro" else average, *arguments, **options)

    change_function(patch, "f_beta", "_fbeta_reduce", change)


# Shapes and dtypes


@mutant(
    kills="test_a_hand_made_accuracy_can_say_250_percent",
    witness=lambda: raises(RuntimeError, lambda: binary()(torch.ones(2, 1).int(), ints(1, 0))),
)
def binary_accuracy_squeezes(patch):
    """`BinaryAccuracy` takes predictions of shape [N, 1] and squeezes them."""
    original = importlib.import_module("torchmetrics.utilities.checks")._check_same_shape
    patch.everywhere(original, lambda preds, target: None)


@mutant(
    kills="test_a_hand_made_accuracy_can_say_250_percent",
    witness=lambda: raises(RuntimeError, lambda: binary()(torch.ones(2, 1).int(), ints(1, 0))),
    raises=ValueError,
)
def binary_accuracy_raises_value_error_for_shapes(patch):
    """`BinaryAccuracy` refuses different shapes with ValueError instead of RuntimeError."""
    original = importlib.import_module("torchmetrics.utilities.checks")._check_same_shape

    def broken(preds, target):
        if preds.shape != target.shape:
            raise ValueError("Predictions and targets are expected to have the same shape")

    patch.everywhere(original, broken)


@mutant(
    kills="test_a_hand_made_accuracy_can_say_250_percent",
    witness=lambda: (torch.ones(2, 1) == torch.ones(2)).shape == (2, 2),
)
def equality_matches_rows(patch):
    """`==` compares a column with a vector row by row instead of each with each."""

    def change(call, one, other):
        column = isinstance(other, torch.Tensor) and one.ndim == 2 and one.shape[1] == 1 and other.ndim == 1
        return call(one.squeeze(1), other) if column else call(one, other)

    patch.function("eq", "__eq__", change=change)


def change_result(patch, change):
    """Change what a binary accuracy gives, by all ways to it."""
    patch.method(classification().BinaryAccuracy, "compute", lambda self, call: change(call()))


@mutant(
    kills="test_result_is_a_tensor_without_a_graph",
    witness=lambda: binary()(ints(1, 0), ints(1, 1)).dtype == torch.float32,
)
def binary_accuracy_is_float64(patch):
    """A binary accuracy is a float64 tensor."""
    change_result(patch, torch.Tensor.double)


@mutant(
    kills="test_result_is_a_tensor_without_a_graph",
    witness=lambda: binary()(ints(1, 0), ints(1, 1)).ndim == 0,
)
def metric_called_gives_a_vector(patch):
    """Calling a metric gives a tensor of shape [1]."""
    patch.method(classification().BinaryAccuracy, "forward", lambda self, call, *batch: call(*batch).reshape(1))


@mutant(
    kills="test_result_is_a_tensor_without_a_graph",
    witness=lambda: not binary()(torch.rand(2, requires_grad=True), ints(1, 1)).requires_grad,
)
def binary_accuracy_keeps_a_graph(patch):
    """A binary accuracy requires a gradient, which is 0, where its predictions do."""

    def change(self, call, preds, target):
        self.from_graph = preds.requires_grad
        call(preds, target)

    cls = classification().BinaryAccuracy
    patch.method(cls, "update", change)
    patch.method(cls, "compute", lambda self, call: call().requires_grad_() if self.from_graph else call().clone())


# Thresholds, labels, logits


def change_binary_inputs(patch, change, *, accuracy_only=False):
    """Change predictions and threshold before a binary metric looks at them."""

    def broken(call, preds, target, threshold=0.5, *arguments, **options):
        if preds.is_floating_point():
            preds, threshold = change(preds, threshold)
        return call(preds, target, threshold, *arguments, **options)

    change_function(patch, "stat_scores", "_binary_stat_scores_format", broken)
    if not accuracy_only:
        change_function(patch, "confusion_matrix", "_binary_confusion_matrix_format", broken)


def positives(*values, threshold=0.5):
    """How many of the predictions count as class 1."""
    return binary("ConfusionMatrix", threshold=threshold)(torch.tensor(values), torch.ones(len(values)).int())[1, 1]


def recalled(*values, threshold=0.5):
    """The share of the predictions that count as class 1."""
    return binary("Recall", threshold=threshold)(torch.tensor(values), torch.ones(len(values)).int())


@mutant(
    kills=("test_threshold_is_strict", "test_probabilities_for_every_batch_inside"),
    witness=lambda: positives(0.5, 0.25) == 0 and recalled(0.5, 0.25) == 0,
)
def threshold_is_reached(patch):
    """A probability that is equal to the threshold counts as class 1."""
    change_binary_inputs(patch, lambda preds, threshold: (preds, threshold - 1e-6))


@mutant(kills="test_threshold_is_strict", witness=lambda: recalled(0.5, 0.25) == 0)
def threshold_of_a_half_is_reached(patch):
    """A probability of 0.5 counts as class 1 where the threshold is the default."""
    change_binary_inputs(
        patch,
        lambda preds, threshold: (preds, threshold - 1e-6 if threshold == 0.5 else threshold),
        accuracy_only=True,
    )


@mutant(
    kills=("test_threshold_is_strict", "test_probabilities_for_every_batch_inside"),
    witness=lambda: positives(0.5, 0.25, threshold=0.25) == 1 and recalled(0.5, 0.25, threshold=0.25) == 0.5,
)
def threshold_is_always_a_half(patch):
    """A metric takes a `threshold` and uses 0.5."""
    change_binary_inputs(patch, lambda preds, threshold: (preds, 0.5))


@mutant(
    kills="test_labels_are_taken_as_they_are",
    witness=lambda: raises(RuntimeError, lambda: binary()(ints(1, 0), ints(1, -1))),
)
def binary_targets_may_be_negative(patch):
    """A binary metric takes a target of -1 for a 0."""

    def change(call, preds, target, *arguments, **options):
        return call(preds, target.clamp(min=0), *arguments, **options)

    change_function(patch, "stat_scores", "_binary_stat_scores_tensor_validation", change)


@mutant(
    kills="test_labels_are_taken_as_they_are",
    witness=lambda: raises(RuntimeError, lambda: binary()(ints(2, 0), ints(1, 0))),
)
def binary_predictions_may_be_two(patch):
    """A binary metric does not look whether predicted labels are 0 or 1."""

    def change(call, preds, target, *arguments, **options):
        return call(preds.clamp(0, 1), target, *arguments, **options)

    change_function(patch, "stat_scores", "_binary_stat_scores_tensor_validation", change)


@mutant(
    kills="test_labels_are_taken_as_they_are",
    witness=lambda: binary()(ints(1, 0), ints(1, 0)) == 1,
)
def binary_labels_get_a_threshold_of_one(patch):
    """Predictions of an integer dtype count as class 1 only above 1, so none does."""

    def change(call, preds, *arguments, **options):
        return call(preds if preds.is_floating_point() else torch.zeros_like(preds), *arguments, **options)

    change_function(patch, "stat_scores", "_binary_stat_scores_format", change)


@mutant(
    kills=("test_logits_between_0_and_1_are_read_as_probabilities", "test_threshold_is_strict"),
    witness=lambda: recalled(0.25, 0.5) == 0,
)
def logits_always_get_a_sigmoid(patch):
    """All predictions of a floating dtype get a sigmoid, probabilities too."""
    change_binary_inputs(patch, lambda preds, threshold: (preds.sigmoid(), threshold))


@mutant(
    kills=(
        "test_logits_between_0_and_1_are_read_as_probabilities",
        "test_logits_get_a_sigmoid_for_every_batch_with_one_outside",
    ),
    witness=lambda: positives(0.25, 3.0, -0.5) == 2 and recalled(0.25, 3.0) == 1,
)
def logits_never_get_a_sigmoid(patch):
    """Logits are cut off at 0 and 1 and read as probabilities."""
    change_binary_inputs(patch, lambda preds, threshold: (preds.clamp(0, 1), threshold))


@mutant(
    kills=(
        "test_logits_between_0_and_1_are_read_as_probabilities",
        "test_logits_get_a_sigmoid_for_every_batch_with_one_outside",
    ),
    witness=lambda: positives(0.25, 3.0) == 2 and recalled(0.25, 3.0) == 1,
)
def logits_get_a_sigmoid_one_by_one(patch):
    """Only those values get a sigmoid that are outside [0, 1] themselves."""
    change_binary_inputs(
        patch, lambda preds, threshold: (torch.where((preds < 0) | (preds > 1), preds.sigmoid(), preds), threshold)
    )


@mutant(
    kills="test_logits_get_a_sigmoid_for_every_batch_with_one_outside",
    witness=lambda: positives(0.25, -0.25) == 1,
)
def logits_are_known_by_values_above_one(patch):
    """A batch gets a sigmoid only if a value is above 1; one below 0 does not count."""
    change_binary_inputs(patch, lambda preds, threshold: (preds.clamp(min=0) if preds.max() <= 1 else preds, threshold))


@mutant(
    kills="test_logits_get_a_sigmoid_for_every_batch_with_one_outside",
    witness=lambda: positives(0.25, 1.25) == 2,
)
def logits_are_known_by_values_below_zero(patch):
    """A batch gets a sigmoid only if a value is below 0; one above 1 does not count."""
    change_binary_inputs(patch, lambda preds, threshold: (preds.clamp(max=1) if preds.min() >= 0 else preds, threshold))


@mutant(
    kills="test_probabilities_for_every_batch_inside",
    witness=lambda: positives(0.25, 1.0) == 1,
)
def probability_of_one_is_a_logit(patch):
    """A batch with a probability of exactly 0 or 1 gets a sigmoid."""
    change_binary_inputs(
        patch,
        lambda preds, threshold: (preds.sigmoid() if ((preds <= 0) | (preds >= 1)).any() else preds, threshold),
    )


# Several classes, several labels


def scores():
    return torch.tensor([[5.0, -1.0, 2.0], [0.1, 0.2, 0.7]])


@mutant(
    kills="test_multiclass_takes_scores_or_labels",
    witness=lambda: several()(scores(), ints(0, 2)) == 1,
)
def multiclass_takes_the_smallest_score(patch):
    """For several classes the smallest score wins."""

    def change(call, preds, *arguments, **options):
        return call(-preds if preds.is_floating_point() else preds, *arguments, **options)

    change_function(patch, "stat_scores", "_multiclass_stat_scores_format", change)


@mutant(
    kills="test_multiclass_takes_scores_or_labels",
    witness=lambda: several()(scores(), ints(0, 2)) == 1,
)
def multiclass_overlooks_the_last_class(patch):
    """For several classes the last one never wins."""

    def change(call, preds, target, *arguments, **options):
        preds = preds[:, :-1] if preds.ndim == target.ndim + 1 else preds
        return call(preds, target, *arguments, **options)

    change_function(patch, "stat_scores", "_multiclass_stat_scores_format", change)


@mutant(
    kills="test_multiclass_takes_scores_or_labels",
    witness=lambda: raises(ValueError, lambda: several()(scores().reshape(1, 2, 3), ints(0, 2).reshape(1, 2))),
)
def multiclass_takes_classes_last(patch):
    """For several classes, predictions may also have the classes in the last dimension."""

    def change(call, preds, target, *arguments, **options):
        last = preds.ndim == target.ndim + 1 and preds.shape[:-1] == target.shape
        return call(preds.movedim(-1, 1) if last else preds, target, *arguments, **options)

    for name in ("_multiclass_stat_scores_tensor_validation", "_multiclass_stat_scores_format"):
        change_function(patch, "stat_scores", name, change)


@mutant(
    kills="test_a_class_too_many_can_pass",
    witness=lambda: raises(RuntimeError, lambda: several()(ints(0, 1, 2, 0), ints(0, 1, 2, 7))),
)
def multiclass_never_counts_labels(patch):
    """For several classes the labels are not looked at, however many there are."""

    def change(call, preds, target, num_classes, *arguments, **options):
        return call(preds, target, None, *arguments, **options)

    change_function(patch, "stat_scores", "_multiclass_stat_scores_tensor_validation", change)


@mutant(
    kills=("test_a_class_too_many_can_pass", "test_ignore_index_leaves_rows_out"),
    witness=lambda: not raises(RuntimeError, lambda: several()(torch.eye(3)[[0, 1, 2, 0]], ints(0, 1, 2, 7))),
    raises=RuntimeError,
)
def multiclass_counts_targets_beside_scores(patch):
    """For several classes too many different targets raise beside scores, too."""

    def change(call, preds, target, num_classes, average="global", ignore_index=None):
        call(preds, target, num_classes, average, ignore_index)
        if len(target.unique()) > num_classes + (ignore_index is not None):
            raise RuntimeError("Detected more unique values in `target` than expected")

    change_function(patch, "stat_scores", "_multiclass_stat_scores_tensor_validation", change)


@mutant(
    kills="test_a_class_too_many_can_pass",
    witness=lambda: not raises(RuntimeError, lambda: several()(ints(0, 1), ints(0, 7))),
    raises=RuntimeError,
)
def multiclass_finds_wrong_labels(patch):
    """For several classes a label that is too large raises, as people expect."""

    def change(call, preds, target, num_classes, average="global", ignore_index=None):
        call(preds, target, num_classes, average, ignore_index)
        if (target >= num_classes).any():
            raise RuntimeError("Detected a label in `target` that is too large")

    change_function(patch, "stat_scores", "_multiclass_stat_scores_tensor_validation", change)


@mutant(
    kills="test_a_class_too_many_can_pass",
    witness=lambda: several()(ints(0, 1), ints(0, 7)) == 0.5,
)
def multiclass_skips_wrong_labels(patch):
    """For several classes a row whose target is too large is left out."""

    def change(call, preds, target, num_classes, *arguments, **options):
        known = target < num_classes
        return call(preds[known], target[known], num_classes, *arguments, **options)

    change_function(patch, "stat_scores", "_multiclass_stat_scores_update", change)


def padded(**options):
    return several(**options)(ints(0, 1, 2), ints(0, 2, -100)).item()


def change_ignored(patch, change):
    def broken(
        call, preds, target, num_classes, top_k=1, average="macro", multidim_average="global", ignore_index=None
    ):
        preds, ignore_index = change(preds, target, ignore_index)
        return call(preds, target, num_classes, top_k, average, multidim_average, ignore_index)

    change_function(patch, "stat_scores", "_multiclass_stat_scores_update", broken)


@mutant(kills="test_ignore_index_leaves_rows_out", witness=lambda: padded(ignore_index=-100) == 0.5)
def ignore_index_counts_as_wrong(patch):
    """Rows whose target is `ignore_index` count as wrong."""
    change_ignored(patch, lambda preds, target, ignore_index: (preds, None))


@mutant(kills="test_ignore_index_leaves_rows_out", witness=lambda: padded(ignore_index=-100) == 0.5)
def ignore_index_counts_as_right(patch):
    """Rows whose target is `ignore_index` count as right."""

    def change(preds, target, ignore_index):
        return preds if ignore_index is None else torch.where(target == ignore_index, target, preds), None

    change_ignored(patch, change)


@mutant(
    kills="test_ignore_index_leaves_rows_out",
    witness=lambda: raises(RuntimeError, lambda: several()(ints(0, 1, 2, 0), ints(0, 1, 2, -100))),
)
def ignore_index_is_minus_100_by_default(patch):
    """A metric skips targets of -100 without being told, as CrossEntropyLoss does."""

    def change(call, preds, target, num_classes, average="global", ignore_index=None):
        return call(preds, target, num_classes, average, -100 if ignore_index is None else ignore_index)

    change_function(patch, "stat_scores", "_multiclass_stat_scores_tensor_validation", change)
    change_ignored(patch, lambda preds, target, index: (preds, -100 if index is None else index))


def labels(name, **options):
    metric = getattr(classification(), f"Multilabel{name}")(num_labels=2, **options)
    return metric(torch.tensor([[0.9, 0.1], [0.1, 0.1]]), torch.tensor([[1, 1], [0, 0]])).item()


@mutant(kills="test_multilabel_counts_answers_and_not_rows", witness=lambda: labels("Accuracy") == 0.75)
def multilabel_accuracy_is_a_recall(patch):
    """A multilabel accuracy forgets the answers that are rightly no."""

    def change(call, tp, fp, tn, fn, **options):
        return call(tp, fp, tn, fn, **{**options, "multilabel": False})

    change_function(patch, "accuracy", "_accuracy_reduce", change)


@mutant(kills="test_multilabel_counts_answers_and_not_rows", witness=lambda: labels("ExactMatch") == 0.5)
def multilabel_exact_match_allows_a_mistake(patch):
    """`MultilabelExactMatch` counts a row with one right answer as right."""

    def change(call, preds, target, *arguments, **options):
        right = (preds == target).any(1, keepdim=True)
        return call(torch.where(right, target, preds), target, *arguments, **options)

    change_function(patch, "exact_match", "_multilabel_exact_match_update", change)


@mutant(
    kills="test_multilabel_counts_answers_and_not_rows",
    witness=lambda: labels("Accuracy", threshold=0.05) == 0.5,
)
def multilabel_averages_nothing_out(patch):
    """`average=None` of a multilabel accuracy gives the same mean for each label."""

    def change(call, tp, fp, tn, fn, **options):
        score = call(tp, fp, tn, fn, **options)
        return score.mean().expand_as(score) + (0 if options["average"] is None else 1e-3)

    change_function(patch, "accuracy", "_accuracy_reduce", change)


# What a metric remembers


def two_batches(metric=binary):
    metric = metric()
    values = [metric(ints(1, 1, 1), ints(1, 1, 0)).item(), metric(ints(1), ints(0)).item()]
    return [*values, metric.compute().item()]


def healthy(values):
    return [round(value, 3) for value in values] == [0.667, 0, 0.5]


@mutant(
    kills=("test_forward_update_compute_reset", "test_compute_is_not_the_mean_of_the_batches"),
    witness=lambda: healthy(two_batches()),
)
def metric_called_gives_all_so_far(patch):
    """Calling a metric gives the value of all so far instead of that of the batch."""

    def change(self, call, *batch, **options):
        self.update(*batch, **options)
        return self.compute()

    patch.method(metric_class(), "forward", change)


@mutant(
    kills="test_forward_update_compute_reset",
    witness=lambda: healthy(two_batches()),
)
def metric_called_forgets_what_was_before(patch):
    """Calling a metric remembers its batch and forgets all batches before it."""

    def change(self, call, *batch, **options):
        self.reset()
        return call(*batch, **options)

    patch.method(metric_class(), "forward", change)


def updated(times=1):
    metric = binary()
    for _ in range(times):
        metric.update(ints(1, 1), ints(1, 1))
    metric.update(ints(1, 1), ints(0, 0))
    return metric


@mutant(kills="test_forward_update_compute_reset", witness=lambda: updated().update(ints(1), ints(1)) is None)
def metric_update_returns_the_metric(patch):
    """`metric.update(...)` returns the metric."""

    def change(self, call, update):
        wrapped = call(update)

        def broken(*arguments, **options):
            wrapped(*arguments, **options)
            return self

        return broken

    patch.method(metric_class(), "_wrap_update", change)


@mutant(
    kills=("test_forward_update_compute_reset", "test_metric_collection"),
    witness=lambda: two_computes() == [0.5, 0.75],
)
def metric_compute_starts_anew(patch):
    """`compute` resets the metric."""

    def change(self, call):
        value = call().clone()
        for name, default in self._defaults.items():
            setattr(self, name, default.clone())
        return value

    for name in ("BinaryAccuracy", "BinaryRecall", "BinaryPrecision"):
        patch.method(getattr(classification(), name), "compute", change)


def two_computes():
    metric = updated()
    values = [metric.compute().item()]
    metric.update(ints(1, 1, 1, 1), ints(1, 1, 1, 1))
    return [*values, metric.compute().item()]


def after_reset():
    metric = updated()
    metric.reset()
    metric.update(ints(1, 0), ints(1, 0))
    return metric.compute().item()


@mutant(
    kills=("test_forward_update_compute_reset", "test_a_metric_outlives_inference_mode"),
    witness=lambda: after_reset() == 1,
)
def metric_reset_keeps_everything(patch):
    """`reset` of a binary accuracy does nothing."""
    patch.method(classification().BinaryAccuracy, "reset", lambda self, call: None)


@mutant(kills="test_forward_update_compute_reset", witness=lambda: keeps_misses() == 1)
def metric_reset_keeps_false_negatives(patch):
    """`reset` forgets all but the false negatives."""

    def change(self, call):
        kept = self.fn if self._update_count > 1 and isinstance(self.fn, torch.Tensor) else None
        call()
        if kept is not None:
            self.fn = kept

    patch.method(classification().BinaryAccuracy, "reset", change)


def keeps_misses():
    metric = binary()
    for _ in range(2):
        metric.update(ints(0), ints(1))
    metric.reset()
    metric.update(ints(1), ints(1))
    return metric.compute().item()


def mean_of_batches(patch, *names):
    def remember(self, call, *batch, **options):
        value = call(*batch, **options)
        self.__dict__.setdefault("values", []).append(value)
        return value

    def mean(self, call):
        values = self.__dict__.get("values")
        return torch.stack(values).mean() if values and len(values) == self._update_count else call()

    for name in names:
        patch.method(getattr(classification(), name), "forward", remember)
        patch.method(getattr(classification(), name), "compute", mean)


@mutant(kills="test_compute_is_not_the_mean_of_the_batches", witness=lambda: healthy(two_batches()))
def metric_compute_is_the_mean_of_the_batches(patch):
    """`compute` gives the mean of the values of the batches."""
    mean_of_batches(patch, "BinaryAccuracy")


@mutant(
    kills="test_compute_is_not_the_mean_of_the_batches",
    witness=lambda: two_batches(lambda: binary("Precision"))[-1] == 0.5 == two_recalls(),
)
def recall_is_the_mean_of_the_batches(patch):
    """`compute` gives the mean of the values of the batches for recall alone."""
    mean_of_batches(patch, "BinaryRecall")


def two_recalls():
    metric = binary("Recall")
    metric(ints(1, 0), ints(1, 0))
    metric(ints(1, 0, 0), ints(1, 1, 1))
    return metric.compute().item()


def warns_of_compute(metric):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        metric.compute()
    return any(issubclass(warning.category, UserWarning) for warning in caught)


def reset_one():
    metric = updated()
    metric.reset()
    return metric


@mutant(kills="test_compute_before_update_warns", witness=lambda: warns_of_compute(binary()))
def metric_compute_before_update_is_silent(patch):
    """`compute` before any `update` does not warn."""
    patch.setattr(importlib.import_module("torchmetrics.metric"), "rank_zero_warn", lambda *arguments, **options: None)


@mutant(kills="test_compute_before_update_warns", witness=lambda: warns_of_compute(reset_one()))
def metric_compute_after_reset_is_silent(patch):
    """`compute` after `reset` does not warn if there was an `update` before."""

    def change(self, call):
        before = self._update_count
        call()
        self._update_count = before

    patch.method(metric_class(), "reset", change)


def times_shown():
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("default")
        for _ in range(3):
            binary().compute()
    return len(shown)


@mutant(kills="test_compute_before_update_warns", witness=lambda: times_shown() == 1)
def metric_compute_before_update_warns_each_time(patch):
    """Each `compute` before any `update` shows its warning again."""
    module = importlib.import_module("torchmetrics.metric")
    warn, numbers = module.rank_zero_warn, itertools.count()
    patch.setattr(
        module, "rank_zero_warn", lambda text, *more, **options: warn(f"{text} {next(numbers)}", *more, **options)
    )


def binned_without_update():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return binary("AUROC", thresholds=5).compute().item()


@mutant(
    kills="test_compute_before_update_warns",
    witness=lambda: not raises(ValueError, binned_without_update),
    raises=ValueError,
)
def binned_auroc_without_update_raises(patch):
    """`BinaryAUROC(thresholds=5)` raises ValueError too if there was no `update`."""

    def change(self, call):
        if not self._update_count:
            raise ValueError("No samples to concatenate")
        return call()

    patch.method(classification().BinaryAUROC, "compute", change)


def value_without_update():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return binary().compute().item()


@mutant(kills="test_compute_before_update_warns", witness=lambda: value_without_update() == 0)
def metric_compute_before_update_is_nan(patch):
    """`compute` before any `update` warns and gives NaN."""
    patch.method(
        classification().BinaryAccuracy,
        "compute",
        lambda self, call: call() if self._update_count else torch.full_like(call(), torch.nan),
    )


# Which number it is


def all_zero(name):
    return binary(name)(ints(0, 0, 0, 0), ints(0, 0, 0, 1)).item()


@mutant(
    kills="test_accuracy_of_a_rare_class",
    witness=lambda: [all_zero(name) for name in ("Precision", "Recall", "F1Score")] == [0, 0, 0],
)
def metric_zero_by_zero_is_one(patch):
    """Precision is 1 where class 1 is never predicted."""
    original = importlib.import_module("torchmetrics.utilities.compute")._safe_divide

    def broken(num, denom, *arguments, **options):
        return torch.where(denom != 0, original(num, denom, *arguments, **options), 1.0)

    patch.everywhere(original, broken)


@mutant(kills="test_accuracy_of_a_rare_class", witness=lambda: all_zero("Accuracy") == 0.75)
def binary_accuracy_is_balanced(patch):
    """A binary accuracy is the mean of the accuracies of both classes."""

    def change(call, tp, fp, tn, fn, average, **options):
        if average == "binary":
            return (tp / (tp + fn).clamp(min=1) + tn / (tn + fp).clamp(min=1)) / 2
        return call(tp, fp, tn, fn, average, **options)

    change_function(patch, "accuracy", "_accuracy_reduce", change)


@mutant(kills="test_accuracy_of_a_rare_class", witness=lambda: all_zero("F1Score") == 0)
def binary_f1_looks_at_class_0_too(patch):
    """`BinaryF1Score` is the F1 of class 0 where class 1 was never found."""

    def change(call, tp, fp, fn, tn, *arguments, **options):
        return call(tn if tp.sum() == 0 else tp, fp, fn, tn, *arguments, **options)

    change_function(patch, "f_beta", "_fbeta_reduce", change)


def precision_and_recall():
    batch = ints(1, 1, 0, 0), ints(1, 0, 0, 0)
    return [binary("Precision")(*batch).item(), binary("Recall")(*batch).item()]


@mutant(
    kills=("test_predictions_come_first", "test_counts_are_saved_only_if_persistent"),
    witness=lambda: precision_and_recall() == [0.5, 1],
)
def binary_metrics_take_targets_first(patch):
    """Binary metrics take targets first and predictions second."""

    def change(call, preds, target, *arguments, **options):
        return call(target, preds, *arguments, **options)

    change_function(patch, "stat_scores", "_binary_stat_scores_update", change)


@mutant(kills="test_predictions_come_first", witness=lambda: precision_and_recall() == [0.5, 1])
def recall_takes_targets_first(patch):
    """`BinaryRecall` alone takes targets first."""

    def change(self, call, preds, target):
        return call(target, preds)

    patch.method(classification().BinaryRecall, "update", change)


def matrix(*batch):
    return classification().MulticlassConfusionMatrix(num_classes=2)(*batch)


@mutant(
    kills="test_rows_of_a_confusion_matrix_are_the_targets",
    witness=lambda: matrix(ints(1, 1), ints(0, 1)).tolist() == [[0, 1], [0, 1]],
)
def confusion_matrix_is_transposed(patch):
    """In a confusion matrix of several classes the row is the predicted class."""

    def change(call, preds, target, *arguments, **options):
        return call(target, preds, *arguments, **options)

    change_function(patch, "confusion_matrix", "_multiclass_confusion_matrix_update", change)


@mutant(
    kills="test_rows_of_a_confusion_matrix_are_the_targets",
    witness=lambda: matrix(ints(1, 1), ints(0, 1)).dtype == torch.int64,
)
def confusion_matrix_counts_in_float32(patch):
    """A confusion matrix of several classes is counted in float32."""

    def change(call, *arguments, **options):
        return call(*arguments, **options).float()

    change_function(patch, "confusion_matrix", "_multiclass_confusion_matrix_compute", change)


@mutant(
    kills=(
        "test_logits_get_a_sigmoid_for_every_batch_with_one_outside",
        "test_probabilities_for_every_batch_inside",
    ),
    witness=lambda: binary("ConfusionMatrix")(ints(1, 1), ints(0, 1)).tolist() == [[0, 1], [0, 1]],
)
def confusion_matrix_of_two_is_transposed(patch):
    """In a binary confusion matrix the row is the predicted class."""

    def change(call, *arguments, **options):
        return call(*arguments, **options).T

    change_function(patch, "confusion_matrix", "_binary_confusion_matrix_update", change)


# Devices, modules, checkpoints


@mutant(kills="test_a_metric_is_moved_like_a_module", witness=lambda: (lambda metric: metric.cpu() is metric)(binary()))
def metric_to_gives_a_copy(patch):
    """`metric.to(device)` gives a copy, as the `to` of a tensor may."""
    cls = metric_class()

    def broken(self, *arguments, **options):
        return nn.Module.to(self.clone(), *arguments, **options)

    patch.setattr(cls, "to", broken)
    patch.setattr(cls, "cpu", lambda self: broken(self, "cpu"))


@mutant(
    kills="test_a_metric_is_moved_like_a_module",
    witness=lambda: updated(times=3).to("cpu").compute().item() == 0.75,
)
def metric_to_starts_anew(patch):
    """`metric.to(device)` resets the metric."""

    def change(self, call, *arguments, **options):
        result = call(*arguments, **options)
        for name, default in self._defaults.items():
            setattr(self, name, default.clone())
        return result

    patch.method(metric_class(), "_apply", change)


def refuses_other_devices():
    elsewhere = torch.ones(2, device="meta").int()
    return raises(RuntimeError, lambda: binary().update(elsewhere, elsewhere))


@mutant(
    kills="test_a_metric_left_on_the_cpu_refuses_an_accelerators_tensors",
    witness=refuses_other_devices,
    raises=TypeError,
)
def metric_raises_type_error_for_other_devices(patch):
    """A metric that was left on the CPU raises TypeError for predictions that are not there."""

    def change(self, call, preds, target):
        if preds.device.type != self.device.type:
            raise TypeError(f"expected tensors on device {self.device}")
        call(preds, target)

    patch.method(classification().BinaryAccuracy, "update", change)


@mutant(
    kills="test_a_metric_left_on_the_cpu_refuses_an_accelerators_tensors",
    witness=refuses_other_devices,
)
def metric_fetches_its_tensors(patch):
    """A metric moves predictions and targets to its own device."""

    def fetch(self, tensor):
        return torch.zeros_like(tensor, device=self.device) if tensor.is_meta else tensor.to(self.device)

    def change(self, call, preds, target):
        return call(fetch(self, preds), fetch(self, target))

    patch.method(classification().BinaryAccuracy, "update", change)


def module_with(value):
    module = nn.Module()
    module.value = value
    return module.to("meta")


@mutant(
    kills="test_a_metric_in_a_module_moves_with_it",
    witness=lambda: module_with(binary()).value.tp.is_meta,
)
def module_leaves_metrics_behind(patch):
    """`model.to(device)` leaves the metrics of the model where they are."""
    patch.method(metric_class(), "_apply", lambda self, call, *arguments, **options: self)


@mutant(
    kills="test_a_metric_in_a_module_moves_with_it",
    witness=lambda: module_with(binary()).value.device.type == "meta",
)
def metric_forgets_where_it_is(patch):
    """`metric.device` still says where the metric was before it was moved."""

    def change(self, call, *arguments, **options):
        before = self._device
        result = call(*arguments, **options)
        self._device = before
        return result

    patch.method(metric_class(), "_apply", change)


@mutant(
    kills="test_a_metric_in_a_module_moves_with_it",
    witness=lambda: type(module_with([binary()]).value) is list,
)
def module_finds_metrics_in_lists(patch):
    """A list of metrics that is an attribute of a Module is registered, too."""

    def change(self, call, name, value):
        found = type(value) is list and value and all(isinstance(item, metric_class()) for item in value)
        call(name, nn.ModuleList(value) if found else value)

    patch.method(nn.Module, "__setattr__", change)


@mutant(kills="test_counts_are_saved_only_if_persistent", witness=lambda: not updated().state_dict())
def metric_is_persistent_by_default(patch):
    """What a metric has counted is in its `state_dict` without being asked for."""

    def change(self, call, *arguments, **options):
        call(*arguments, **options)
        self.persistent(True)

    patch.method(metric_class(), "add_state", change)


def saved():
    metric = updated()
    metric.persistent(True)
    return sorted(metric.state_dict())


@mutant(
    kills="test_counts_are_saved_only_if_persistent",
    witness=lambda: saved() == ["fn", "fp", "tn", "tp"],
)
def metric_is_never_persistent(patch):
    """`persistent(True)` has no effect."""
    patch.method(metric_class(), "persistent", lambda self, call, mode=False: None)


@mutant(
    kills="test_counts_are_saved_only_if_persistent",
    witness=lambda: saved() == ["fn", "fp", "tn", "tp"],
)
def metric_persists_in_part(patch):
    """`persistent(True)` saves the counts of right answers only."""

    def change(self, call, mode=False):
        call(mode)
        self._persistent.update(dict.fromkeys({"fp", "fn"} & self._persistent.keys(), False))

    patch.method(metric_class(), "persistent", change)


# Collections and means


def collection_class():
    return importlib.import_module("torchmetrics").MetricCollection


def collected(*, call=False):
    collection = collection_class()({"a": binary(), "r": binary("Recall")}, prefix="val_")
    batch = ints(1, 0, 1), ints(1, 1, 1)
    return collection(*batch) if call else (collection.update(*batch), collection.compute())[1]


@mutant(kills="test_metric_collection", witness=lambda: list(collected()) == ["val_a", "val_r"])
def collection_puts_the_prefix_behind(patch):
    """The prefix of a `MetricCollection` is put behind the names."""

    def change(self, call, base):
        return f"{base}{self.prefix or ''}{self.postfix or ''}"

    patch.method(collection_class(), "_set_name", change)


@mutant(kills="test_metric_collection", witness=lambda: list(collected()) == ["val_a", "val_r"])
def collection_computes_without_its_prefix(patch):
    """The prefix of a `MetricCollection` is missing in what `compute` gives."""

    def change(self, call):
        return {name.removeprefix(self.prefix or ""): value for name, value in call().items()}

    patch.method(collection_class(), "compute", change)


@mutant(
    kills=("test_metric_collection", "test_agrees_with_scikit_learn_for_every_outcome"),
    witness=lambda: round(collected()["val_r"].item(), 3) == 0.667,
)
def collection_feeds_only_the_first(patch):
    """`MetricCollection.update` feeds the first of its metrics only."""

    def change(self, call, preds, target):
        for i, metric in enumerate(self._modules.values()):
            metric.update(*((preds, target) if i == 0 else (target, target)))

    patch.method(collection_class(), "update", change)


@mutant(kills="test_metric_collection", witness=lambda: reset_collection() == 1)
def collection_reset_does_nothing(patch):
    """`MetricCollection.reset` does nothing."""
    patch.method(collection_class(), "reset", lambda self, call: None)


def reset_collection():
    collection = collection_class()([binary()])
    collection.update(ints(1, 0), ints(1, 1))
    collection.reset()
    collection.update(ints(1, 1), ints(1, 1))
    return collection.compute()["BinaryAccuracy"].item()


def mean_class():
    return importlib.import_module("torchmetrics").MeanMetric


def mean(*losses):
    metric = mean_class()()
    for loss, weight in losses:
        metric.update(loss, weight=weight)
    return metric.compute()


@mutant(kills="test_mean_metric_weighs_batches", witness=lambda: mean((2.0, 3), (6.0, 1)) == 3)
def mean_metric_ignores_the_weight(patch):
    """`MeanMetric.update` ignores `weight`."""
    patch.method(mean_class(), "update", lambda self, call, value, weight=None: call(value))


@mutant(kills="test_mean_metric_weighs_batches", witness=lambda: mean((2.0, 3), (6.0, 1)) == 3)
def mean_metric_divides_by_the_first_weight(patch):
    """`MeanMetric` divides by the weight of the first batch times the number of batches."""

    def change(self, call, value, weight=None):
        before = self.weight.clone()
        call(value) if weight is None else call(value, weight)
        if before:
            self.weight = 2 * before

    patch.method(mean_class(), "update", change)


@mutant(kills="test_mean_metric_weighs_batches", witness=lambda: mean((2.0, 1), (6.0, 1)) == 4)
def mean_metric_remembers_the_last(patch):
    """`MeanMetric` gives the last value where no weight is given."""

    def change(self, call, value, weight=None):
        if weight is not None and weight != 1:
            return call(value, weight)
        count = self._update_count
        self.reset()
        self._update_count = count
        return call(value)

    patch.method(mean_class(), "update", change)


@mutant(
    kills="test_mean_metric_holds_no_graph",
    witness=lambda: not mean((torch.ones(1, requires_grad=True), 1)).requires_grad,
)
def mean_metric_keeps_the_graph(patch):
    """`MeanMetric.update` keeps the graph of the loss."""

    def change(self, call, *arguments, **options):
        with torch.enable_grad():
            self.mean_value, self.weight = self.mean_value.clone(), self.weight.clone()
            call(*arguments, **options)

    patch.method(mean_class(), "update", change)


@mutant(
    kills="test_mean_metric_holds_no_graph",
    witness=lambda: (0 + torch.ones(1, requires_grad=True)).requires_grad,
)
def sum_with_a_number_drops_the_graph(patch):
    """`0 + loss`, as in `total += loss`, is cut off from the graph."""
    patch.function("add", "add_", change=lambda call, *pair: call(*pair).detach())


def under_inference_mode():
    metric = binary()
    with torch.inference_mode():
        metric.update(ints(1, 0), ints(1, 1))
    metric.update(ints(1, 1), ints(1, 1))
    return metric.compute().item()


@mutant(kills="test_a_metric_outlives_inference_mode", witness=lambda: under_inference_mode() == 0.75)
def metric_sleeps_under_inference_mode(patch):
    """`update` does nothing under `inference_mode`."""

    def change(self, call, preds, target):
        return None if torch.is_inference_mode_enabled() else call(preds, target)

    patch.method(classification().BinaryAccuracy, "update", change)


@mutant(
    kills="test_a_metric_outlives_inference_mode",
    witness=lambda: under_inference_mode() == 0.75,
    raises=RuntimeError,
)
def metric_counts_in_place(patch):
    """A metric counts in place, so that what it counted under `inference_mode` cannot be changed outside."""

    def change(self, call, preds, target):
        if not torch.is_inference_mode_enabled():
            self.tp.add_(0)
        call(preds, target)

    patch.method(classification().BinaryAccuracy, "update", change)


@mutant(kills="test_a_metric_outlives_inference_mode", witness=lambda: raises(RuntimeError, add_outside))
def inference_tensor_beside_a_metric_takes_add(patch):
    """`add_` changes a tensor that was made under `inference_mode`, also outside it."""

    def change(call, tensor, *arguments, **options):
        with torch.inference_mode():
            return call(tensor, *arguments, **options)

    patch.function("add_", change=change)


def add_outside():
    with torch.inference_mode():
        tensor = torch.zeros(2)
    tensor.add_(1)


# What came with a release of TorchMetrics


def two_best(name):
    scores = torch.tensor([[0.1, 0.2, 0.7], [0.3, 0.6, 0.1]])
    return several(name, top_k=2)(scores, ints(1, 2)).item()


@mutant(kills="test_top_k_is_one_answer_a_row", witness=lambda: two_best("Precision") == 0.5)
def precision_counts_each_guess(patch):
    """With `top_k=2` a precision over rows counts both of the best classes as answers."""
    patch.method(classification().MulticlassPrecision, "compute", lambda self, call: call() / self.top_k)


@mutant(kills="test_top_k_is_one_answer_a_row", witness=lambda: two_best("F1Score") == 0.5)
def f1_forgets_top_k(patch):
    """An F1 takes the best class only, whatever `top_k` is."""

    def change(self, call, *arguments, **options):
        call(*arguments, **options)
        self.top_k = 1

    patch.method(classification().MulticlassF1Score, "__init__", change)


def of_no_answer(**options):
    return binary("Precision", **options)(ints(0, 0), ints(0, 1)).item()


@mutant(
    kills="test_zero_division_says_what_no_answer_is_worth",
    witness=lambda: of_no_answer(zero_division=1) == 1,
)
def zero_division_is_ignored(patch):
    """A binary precision of no answer is 0, whatever `zero_division` is."""

    def change(self, call, *arguments, zero_division=0, **options):
        call(*arguments, **options)

    patch.method(classification().BinaryPrecision, "__init__", change)


@mutant(kills="test_zero_division_says_what_no_answer_is_worth", witness=lambda: of_no_answer() == 0)
def zero_division_is_one_by_default(patch):
    """A binary precision of no answer is 1 by default."""

    def change(self, call, *arguments, zero_division=1, **options):
        call(*arguments, zero_division=zero_division, **options)

    patch.method(classification().BinaryPrecision, "__init__", change)


def merged():
    one, other = binary(), binary()
    one.update(ints(1, 0, 0), ints(1, 0, 0))
    other.update(ints(1), ints(0))  # wrong
    one.merge_state(other)
    return one.compute().item(), int(other.tp + other.fp)


def empty(metric):
    for name in ("tp", "fp", "tn", "fn"):
        setattr(metric, name, torch.zeros_like(getattr(metric, name)))


@mutant(kills="test_merge_state_adds_another_metric", witness=lambda: merged() == (0.75, 1))
def merge_state_replaces(patch):
    """`merge_state` forgets what the metric itself has counted."""

    def change(self, call, other):
        empty(self)
        call(other)

    patch.method(metric_class(), "merge_state", change)


@mutant(kills="test_merge_state_adds_another_metric", witness=lambda: merged() == (0.75, 1))
def merge_state_empties_the_other(patch):
    """`merge_state` takes from the other metric what it adds."""

    def change(self, call, other):
        call(other)
        empty(other)

    patch.method(metric_class(), "merge_state", change)


def in_a_collection():
    return collection_class()({"a": binary()}, prefix="val_")


@mutant(
    kills="test_a_collection_answers_to_the_names_in_its_results",
    witness=lambda: not raises(KeyError, lambda: in_a_collection()["val_a"]),
    raises=KeyError,
)
def collection_does_not_know_its_prefix(patch):
    """`collection[name]` does not find a metric by its name with the prefix."""

    def change(self, call, key, *arguments, **options):
        if self.prefix and key.startswith(self.prefix):
            raise KeyError(key)
        return call(key, *arguments, **options)

    patch.method(collection_class(), "__getitem__", change)


@mutant(
    kills="test_a_collection_answers_to_the_names_in_its_results",
    witness=lambda: list(in_a_collection().keys()) == ["val_a"],
)
def collection_lists_names_without_prefix(patch):
    """`collection.keys()` gives the names without the prefix."""
    patch.method(collection_class(), "keys", lambda self, call, keep_base=False: call(keep_base=True))


def goes_on(start):
    metric = binary()
    with torch.inference_mode():
        start(metric)
    return not raises(RuntimeError, lambda: metric.update(ints(1), ints(1)))


@mutant(
    kills="test_a_metric_called_or_reset_in_inference_mode_goes_on_outside",
    witness=lambda: goes_on(lambda metric: metric(ints(1), ints(1))),
    raises=RuntimeError,
)
def metric_adds_in_place(patch):
    """A metric adds to its counts in place."""

    def change(self, call, tp, fp, tn, fn):
        for name, count in {"tp": tp, "fp": fp, "tn": tn, "fn": fn}.items():
            getattr(self, name).add_(count)

    patch.method(classification().BinaryAccuracy, "_update_state", change)


@mutant(
    kills="test_a_metric_called_or_reset_in_inference_mode_goes_on_outside",
    witness=lambda: goes_on(lambda metric: metric.reset()),
    raises=RuntimeError,
)
def reset_in_inference_mode_sticks(patch):
    """After a `reset` under `inference_mode` a metric cannot be updated outside."""

    def update(self, call, *batch):
        if not torch.is_inference_mode_enabled() and getattr(self, "reset_there", False):
            raise RuntimeError("Inplace update to inference tensor outside InferenceMode is not allowed")
        call(*batch)

    def reset(self, call):
        call()
        self.reset_there = torch.is_inference_mode_enabled()

    patch.method(classification().BinaryAccuracy, "update", update)
    patch.method(classification().BinaryAccuracy, "reset", reset)


# Counter-cases that became notes


@mutant(
    kills="test_logits_get_a_sigmoid_for_every_batch_with_one_outside",
    witness=lambda: positives(1.0, -5.0, threshold=0.75) == 0,
)
def logits_above_zero_are_class_1(patch):
    """In a batch with a value outside [0, 1] a logit above 0 is class 1, whatever the threshold and the rounding."""

    def change(preds, threshold):
        outside = ((preds < 0) | (preds > 1)).any()
        return ((preds > 0).to(preds.dtype), 0.5) if outside else (preds, threshold)

    change_binary_inputs(patch, change)


@mutant(
    kills="test_labels_are_taken_as_they_are",
    witness=lambda: not raises(RuntimeError, lambda: binary(validate_args=False)(ints(1, 0), ints(1, 2))),
    raises=RuntimeError,
)
def binary_accuracy_always_checks_labels(patch):
    """`BinaryAccuracy` checks labels even with `validate_args=False`."""

    def change(self, call, *arguments, validate_args=True, **options):
        call(*arguments, **options)

    patch.method(classification().BinaryAccuracy, "__init__", change)


def ignored_rows():
    metric = classification().MultilabelExactMatch(num_labels=2, ignore_index=-100)
    return metric(torch.tensor([[0.1, 0.9], [0.1, 0.1]]), torch.tensor([[1, 0], [-100, -100]])).item()


@mutant(kills="test_exact_match_counts_an_ignored_row_as_right", witness=lambda: ignored_rows() == 0.5)
def exact_match_leaves_ignored_rows_out(patch):
    """`MultilabelExactMatch` leaves out a row whose targets are all `ignore_index`."""

    def change(self, call, preds, target):
        keep = (target != self.ignore_index).any(1)
        return call(preds[keep], target[keep])

    patch.method(classification().MultilabelExactMatch, "update", change)


@mutant(kills="test_exact_match_counts_an_ignored_row_as_right", witness=lambda: ignored_rows() == 0.5)
def exact_match_counts_ignored_labels_as_wrong(patch):
    """`MultilabelExactMatch` takes no notice of `ignore_index`: no prediction is right there."""

    def change(call, *arguments, ignore_index=None, **options):
        return call(*arguments, **options)

    change_function(patch, "exact_match", "_multilabel_exact_match_update", change)


def after_a_failed_call():
    metric = binary()
    metric.update(ints(1, 1), ints(1, 1))
    raises(RuntimeError, lambda: metric(ints(2), ints(1)))
    return metric.tp.item()


@mutant(kills="test_a_call_that_raises_loses_what_was_counted", witness=lambda: after_a_failed_call() == 0)
def metric_call_that_raises_keeps_the_counts(patch):
    """A call to a metric that raises leaves the counts as they were."""

    def change(self, call, *arguments, **options):
        before, count = {name: getattr(self, name) for name in self._defaults}, self._update_count
        try:
            return call(*arguments, **options)
        except RuntimeError:
            for name, value in before.items():
                setattr(self, name, value)
            self._update_count = count
            raise

    patch.method(metric_class(), "forward", change)


def merged_after_compute(**options):
    one, other = classification().BinaryAccuracy(**options), binary()
    one.update(ints(1), ints(1))
    other.update(ints(0), ints(1))
    one.compute()
    one.merge_state(other)
    return one.compute().item()


@mutant(kills="test_compute_after_merge_state_can_be_the_old_value", witness=lambda: merged_after_compute() == 1)
def merge_state_forgets_the_kept_value(patch):
    """`merge_state` throws the kept result of `compute` away."""

    def change(self, call, other):
        call(other)
        self._computed = None

    patch.method(metric_class(), "merge_state", change)


@mutant(
    kills="test_compute_after_merge_state_can_be_the_old_value",
    witness=lambda: merged_after_compute(compute_with_cache=False) == 0.5,
)
def compute_always_keeps_its_result(patch):
    """A `BinaryAccuracy` keeps the result of `compute`, whatever `compute_with_cache` says."""

    def change(self, call, *arguments, compute_with_cache=True, **options):
        call(*arguments, **options)

    patch.method(classification().BinaryAccuracy, "__init__", change)


def mean_beside_nan():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return mean((1.0, 1), (float("nan"), 1), (3.0, 1))


@mutant(kills="test_mean_metric_drops_a_nan_loss", witness=lambda: mean_beside_nan() == 2)
def mean_metric_counts_nan_as_zero(patch):
    """`MeanMetric` warns of a nan and counts it as 0."""

    def change(self, call, value, *arguments, **options):
        call(value, *arguments, **options)
        if torch.as_tensor(value).isnan().all():
            call(torch.zeros_like(torch.as_tensor(value)), *arguments, **options)

    patch.method(mean_class(), "update", change)


def ignoring(name):
    """A metric of two rows with probabilities beside a third row, which is ignored and has a logit."""
    return binary(name, ignore_index=-1)(torch.tensor([0.25, 0.75, 9.0]), ints(0, 1, -1)).tolist()


@mutant(
    kills="test_logits_get_a_sigmoid_for_every_batch_with_one_outside",
    witness=lambda: ignoring("ConfusionMatrix") == [[1, 0], [0, 1]],
)
def confusion_matrix_looks_at_ignored_rows(patch):
    """A value outside [0, 1] in an ignored row counts for `BinaryConfusionMatrix` too."""

    def change(call, preds, target, *arguments, **options):
        outside = preds.is_floating_point() and ((preds < 0) | (preds > 1)).any()
        return call(preds.sigmoid() if outside else preds, target, *arguments, **options)

    change_function(patch, "confusion_matrix", "_binary_confusion_matrix_format", change)


@mutant(
    kills="test_logits_get_a_sigmoid_for_every_batch_with_one_outside",
    witness=lambda: ignoring("Accuracy") == 0.5,
)
def accuracy_overlooks_ignored_rows(patch):
    """A value outside [0, 1] in an ignored row does not count for `BinaryAccuracy` either."""

    def change(call, preds, target, threshold=0.5, ignore_index=None):
        healthy = preds if ignore_index is None else preds.masked_fill(target == ignore_index, 0)
        return call(healthy, target, threshold, ignore_index)

    change_function(patch, "stat_scores", "_binary_stat_scores_format", change)


@mutant(
    kills="test_one_nan_makes_logits_of_probabilities",
    witness=lambda: binary()(torch.tensor([0.2, 0.3, float("nan")]), ints(0, 0, 1)) == 0,
)
def nan_is_read_as_a_probability(patch):
    """A nan counts as class 0, and the other predictions of the batch stay probabilities."""
    change_binary_inputs(patch, lambda preds, threshold: (preds.nan_to_num(0), threshold))


@mutant(
    kills="test_one_hot_targets_pass_and_count_as_labels",
    witness=lambda: several()(scores(), torch.tensor([[1, 0, 0], [0, 0, 1]])) == 0,
)
def one_hot_targets_are_classes(patch):
    """One-hot targets are read as classes."""

    def change(call, preds, target, *arguments, **options):
        is_one_hot = preds.is_floating_point() and preds.shape == target.shape and target.ndim == 2
        return call(preds, target.argmax(1) if is_one_hot else target, *arguments, **options)

    for name in ("_multiclass_stat_scores_tensor_validation", "_multiclass_stat_scores_format"):
        change_function(patch, "stat_scores", name, change)


@mutant(
    kills=(
        "test_one_hot_targets_pass_and_count_as_labels",
        "test_probabilities_of_class_1_are_no_multiclass_scores",
    ),
    witness=lambda: not raises(ValueError, lambda: several()(scores(), torch.tensor([[1, 0, 0], [0, 0, 1]]))),
    raises=ValueError,
)
def one_hot_targets_raise(patch):
    """Predictions of a floating dtype with the shape of the targets raise ValueError."""

    def change(call, preds, target, *arguments, **options):
        if preds.is_floating_point() and preds.shape == target.shape:
            raise ValueError("`preds` should be a tensor of integers")
        return call(preds, target, *arguments, **options)

    change_function(patch, "stat_scores", "_multiclass_stat_scores_tensor_validation", change)


@mutant(
    kills="test_ignore_index_leaves_rows_out",
    witness=lambda: raises(RuntimeError, lambda: binary()(ints(1, 0), ints(1, -100))),
)
def binary_metrics_count_minus_100_as_wrong(patch):
    """A target of -100 counts as a wrong answer in a `BinaryAccuracy`, too."""

    def change(call, preds, target, *arguments, **options):
        return call(preds, target.where(target != -100, 1 - preds), *arguments, **options)

    for name in ("_binary_stat_scores_tensor_validation", "_binary_stat_scores_format"):
        change_function(patch, "stat_scores", name, change)


@mutant(
    kills="test_ignore_index_leaves_rows_out",
    witness=lambda: raises(RuntimeError, lambda: several(average="macro")(ints(0, 1, 2), ints(0, 1, -100))),
)
def macro_averages_count_minus_100_as_wrong(patch):
    """A target of -100 counts as a wrong answer in a macro average, too."""

    def broken(call, preds, target, *arguments, **options):
        padding = (target == -100) & (options.get("ignore_index") != -100) & (-100 not in arguments)
        return call(preds, target.where(~padding, (preds + 1) % 3), *arguments, **options)

    change_function(patch, "stat_scores", "_multiclass_stat_scores_update", broken)


# What people run into


@mutant(
    kills="test_accuracy_needs_a_task",
    witness=lambda: raises(ValueError, lambda: binary(compute_on_step=False)),
)
def metric_takes_old_arguments(patch):
    """A metric overlooks the arguments of older releases."""

    def change(self, call, **options):
        return call(**{k: v for k, v in options.items() if k != "compute_on_step"})

    patch.method(metric_class(), "__init__", change)


@mutant(
    kills="test_accuracy_needs_a_task",
    witness=lambda: not hasattr(importlib.import_module("torchmetrics"), "F1"),
)
def torchmetrics_has_the_old_names(patch):
    """`torchmetrics.F1` is still there."""
    torchmetrics = importlib.import_module("torchmetrics")
    patch.setattr(torchmetrics, "F1", torchmetrics.F1Score, raising=False)


@mutant(
    kills="test_float_targets_pass_or_raise",
    witness=lambda: raises(RuntimeError, lambda: binary()(ints(1, 0), torch.tensor([1.0, 0.5]))),
)
def binary_accuracy_takes_soft_labels(patch):
    """`BinaryAccuracy` takes a target of 0.5."""

    def change(call, preds, target, *arguments, **options):
        return None if target.is_floating_point() else call(preds, target, *arguments, **options)

    change_function(patch, "stat_scores", "_binary_stat_scores_tensor_validation", change)


@mutant(
    kills="test_float_targets_pass_or_raise",
    witness=lambda: not raises(ValueError, lambda: binary()(ints(1, 0), torch.tensor([1.0, 0.0]))),
    raises=ValueError,
)
def binary_accuracy_refuses_float_targets(patch):
    """`BinaryAccuracy` raises ValueError for targets of floats."""

    def change(call, preds, target, *arguments, **options):
        if target.is_floating_point():
            raise ValueError("Expected argument `target` to be an int or long tensor")
        return call(preds, target, *arguments, **options)

    change_function(patch, "stat_scores", "_binary_stat_scores_tensor_validation", change)


def halves():
    return torch.tensor([0.5, 0.25])


@mutant(
    kills=("test_float_targets_pass_or_raise", "test_binary_auroc_checks_nothing"),
    witness=lambda: raises(ValueError, lambda: binary("AveragePrecision")(halves(), torch.tensor([1.0, 0.0]))),
)
def curves_take_float_targets(patch):
    """`BinaryROC` and `BinaryAveragePrecision` take targets of floats."""

    def change(call, preds, target, *arguments, **options):
        return call(preds, target.long(), *arguments, **options)

    change_function(patch, "precision_recall_curve", "_binary_precision_recall_curve_tensor_validation", change)


@mutant(
    kills="test_binary_auroc_checks_nothing",
    witness=lambda: not raises(ValueError, lambda: binary("AUROC")(ints(1, 0), ints(1, 0))),
    raises=ValueError,
)
def auroc_checks_its_arguments(patch):
    """`BinaryAUROC` checks what it is given, as `BinaryROC` does."""

    def change(self, call, *arguments, **options):
        call(*arguments, **options)
        self.validate_args = True

    patch.method(classification().BinaryAUROC, "__init__", change)


@mutant(
    kills="test_probabilities_of_class_1_are_no_multiclass_scores",
    witness=lambda: several(num_classes=2)(torch.tensor([0.75]), ints(1)).item() == 0,
)
def multiclass_rounds_decimals(patch):
    """The multiclass metrics take decimals of the shape of the targets for probabilities of class 1."""

    def change(call, preds, target, *arguments, **options):
        if preds.is_floating_point() and preds.shape == target.shape:
            preds = preds.round().long()
        return call(preds, target, *arguments, **options)

    change_function(patch, "stat_scores", "_multiclass_stat_scores_format", change)


def fed(*batches, **options):
    metric = binary("AUROC", **options)
    for preds, target in batches:
        metric.update(preds, target)
    return metric


@mutant(
    kills="test_auroc_keeps_every_prediction",
    witness=lambda: len(fed((halves(), ints(1, 0)), (halves(), ints(1, 0))).preds) == 2,
)
def auroc_keeps_the_last_batch(patch):
    """`BinaryAUROC` keeps the last batch only."""

    def change(self, call, preds, target):
        call(preds, target)
        if self.thresholds is None:
            self.preds, self.target = self.preds[-1:], self.target[-1:]

    patch.method(classification().BinaryAUROC, "update", change)


@mutant(
    kills="test_auroc_keeps_every_prediction",
    witness=lambda: fed((halves().requires_grad_(), ints(1, 0))).preds[0].requires_grad,
    cpu_only=True,
)
def auroc_drops_the_graph(patch):
    """`BinaryAUROC` keeps predictions without their graph."""
    patch.method(classification().BinaryAUROC, "update", lambda self, call, preds, target: call(preds.detach(), target))


def ranked(call, *batch):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        value = call(*batch)
    return value.item(), len(caught)


@mutant(
    kills="test_auroc_of_one_class_is_zero",
    witness=lambda: ranked(binary("AUROC"), halves(), ints(1, 1))[0] == 0,
)
def auroc_of_one_class_is_a_half(patch):
    """`BinaryAUROC` gives 0.5 where all targets are of one class."""

    def change(self, call):
        return call() if self.thresholds is not None or len(set(torch.cat(self.target).tolist())) > 1 else call() + 0.5

    patch.method(classification().BinaryAUROC, "compute", change)


@mutant(
    kills="test_auroc_of_one_class_is_zero",
    witness=lambda: ranked(binary("AUROC"), halves(), ints(0, 0))[1] > 0,
)
def auroc_of_one_class_is_silent(patch):
    """`BinaryAUROC` does not warn where all targets are of one class."""

    def change(self, call):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return call()

    patch.method(classification().BinaryAUROC, "compute", change)


def r2_class():
    return importlib.import_module("torchmetrics").R2Score


@mutant(
    kills="test_r2_score_needs_two_rows",
    witness=lambda: raises(ValueError, lambda: r2_class()()(torch.ones(1), torch.ones(1))),
)
def r2_of_one_row_is_nan(patch):
    """`R2Score` gives nan for one row."""
    patch.method(
        r2_class(), "compute", lambda self, call: call() if self.total > 1 else self.residual.sum() * float("nan")
    )


@mutant(
    kills="test_r2_score_needs_two_rows",
    witness=lambda: not raises(ValueError, lambda: r2_class()().update(torch.ones(1), torch.ones(1))),
    raises=ValueError,
)
def r2_refuses_a_row_at_once(patch):
    """`R2Score.update` raises ValueError for one row already."""

    def change(self, call, preds, target):
        if len(preds) < 2:
            raise ValueError("Needs at least two samples to calculate r2 score.")
        return call(preds, target)

    patch.method(r2_class(), "update", change)


def three_right_of_four(name, average="micro"):
    return several(name, average=average)(ints(0, 0, 0, 2), ints(0, 1, 0, 2)).item()


@mutant(
    kills="test_four_metrics_averaged_over_rows_are_one_number",
    witness=lambda: three_right_of_four("F1Score") == 0.75,
)
def micro_f1_is_below_accuracy(patch):
    """A micro F1 score is the square of the accuracy."""
    patch.method(
        classification().MulticlassF1Score,
        "compute",
        lambda self, call: call() ** 2 if self.average == "micro" else call(),
    )


@mutant(
    kills="test_four_metrics_averaged_over_rows_are_one_number",
    witness=lambda: three_right_of_four("Precision", "macro") != three_right_of_four("Recall", "macro"),
)
def macro_precision_is_macro_accuracy(patch):
    """The macro precision is the macro recall."""

    def change(self, call):
        if self.average == "macro":
            self.fp, self.fn = self.fn, self.fp
        return call()

    patch.method(classification().MulticlassPrecision, "compute", change)


def two_thresholds():
    collection = collection_class()({"a": binary(threshold=0.3), "b": binary(threshold=0.7)})
    collection.update(torch.tensor([0.1, 0.9]), ints(0, 1))
    collection.update(torch.tensor([0.5, 0.5]), ints(1, 1))
    return len({value.item() for value in collection.compute().values()})


@mutant(kills="test_a_collection_merges_metrics_that_start_equal", witness=lambda: two_thresholds() == 1)
def collection_updates_each_metric(patch):
    """A `MetricCollection` has no compute groups by default."""
    patch.method(
        collection_class(),
        "__init__",
        lambda self, call, *arguments, compute_groups=True, **options: call(
            *arguments, compute_groups=False, **options
        ),
    )


def kept_in(dtype, convert):
    metric = mean_class()()
    convert(nn.ModuleDict({"metric": metric}))
    return metric.weight.dtype == dtype


@mutant(
    kills="test_a_mean_in_bfloat16_stops_growing",
    witness=lambda: kept_in(torch.bfloat16, lambda model: model.to(torch.bfloat16)),
)
def metric_keeps_its_dtype_in_to(patch):
    """`.to(dtype)` of a model leaves a metric in its dtype."""

    def change(self, call, fn, *arguments, **options):
        if "Module.to." in str(fn):
            return call(lambda tensor: tensor.to(fn(tensor).device), *arguments, **options)
        return call(fn, *arguments, **options)

    patch.method(metric_class(), "_apply", change)


@mutant(
    kills="test_a_mean_in_bfloat16_stops_growing",
    witness=lambda: kept_in(torch.float32, lambda model: model.bfloat16()),
)
def metric_follows_bfloat16(patch):
    """`.bfloat16()` of a model converts a metric, too."""
    patch.method(metric_class(), "_apply", lambda self, call, fn, *a, **k: call(lambda tensor: fn(tensor), *a, **k))


@mutant(
    kills="test_a_mean_in_bfloat16_stops_growing",
    witness=lambda: importlib.import_module("torchmetrics").SumMetric().sum_value.dtype == torch.float32,
)
def sum_metric_adds_in_float64(patch):
    """A `SumMetric` adds in float64."""

    def change(self, call, *arguments, **options):
        call(*arguments, **options)
        self.set_dtype(torch.float64)

    patch.method(importlib.import_module("torchmetrics").SumMetric, "__init__", change)


def empty_batch():
    return raises(RuntimeError, lambda: binary().update(ints(1)[:0], ints(1)[:0]))


@mutant(kills="test_a_call_that_raises_loses_what_was_counted", witness=empty_batch)
def metric_skips_an_empty_batch(patch):
    """`BinaryAccuracy.update` takes a batch without rows."""
    patch.method(
        classification().BinaryAccuracy,
        "update",
        lambda self, call, preds, target: call(preds, target) if len(target) else None,
    )


def made_in_inference_mode():
    with torch.inference_mode():
        metric = mean_class()()
    return raises(RuntimeError, lambda: metric.update(1.0))


@mutant(kills="test_a_metric_outlives_inference_mode", witness=made_in_inference_mode, cpu_only=True)
def metric_is_made_outside_inference_mode(patch):
    """A `MeanMetric` that is made under `inference_mode` has ordinary tensors."""

    def change(self, call, *arguments, **options):
        with torch.inference_mode(False):
            call(*arguments, **options)

    patch.method(mean_class(), "__init__", change)


def unexpected_keys():
    metric = binary()
    metric.persistent(True)
    model = nn.ModuleDict({"metric": metric})
    return raises(RuntimeError, lambda: nn.ModuleDict().load_state_dict(model.state_dict()))


@mutant(kills="test_counts_are_saved_only_if_persistent", witness=unexpected_keys)
def module_overlooks_unexpected_keys(patch):
    """`load_state_dict` overlooks keys that the module does not have."""
    patch.method(nn.Module, "load_state_dict", lambda self, call, state, strict=True: call(state, strict=False))


def r2_far_out():
    targets = torch.tensor([4096.0, 4096.25, 4096.5, 4096.75])
    return r2_class()()(targets + 0.125, targets).item()


@mutant(
    kills="test_r2_score_loses_small_changes_of_large_targets",
    witness=lambda: abs(r2_far_out() - 0.8) > 0.1,
)
def r2_subtracts_a_mean_first(patch):
    """`R2Score` takes the first target from all targets and predictions before it squares them."""

    def change(self, call, preds, target):
        if not self.total:
            self.first = target[0].clone()
        return call(preds - self.first, target - self.first)

    patch.method(r2_class(), "update", change)


def rowwise(batches):
    metric = binary(multidim_average="samplewise")
    for _ in range(batches):
        metric.update(ints([1], [0]), ints([1], [1]))
    return len(metric.tp)


@mutant(kills="test_auroc_keeps_every_prediction", witness=lambda: rowwise(3) == 3)
def samplewise_metrics_keep_one_batch(patch):
    """A metric with `multidim_average="samplewise"` keeps the counts of its last batch only."""

    def change(self, call, preds, target):
        call(preds, target)
        if self.multidim_average == "samplewise":
            self.tp = self.tp[-1:]

    patch.method(classification().BinaryAccuracy, "update", change)


@mutant(
    kills="test_an_ignored_class_counts_in_a_macro_average",
    witness=lambda: mean_recall_without_the_first() == 0.25,
)
def an_ignored_class_is_left_out_of_the_mean(patch):
    """The macro average of `MulticlassRecall(ignore_index=0)` is that of the other classes."""
    from torchmetrics.classification import MulticlassRecall

    def change(call, metric):
        if metric.average != "macro" or metric.ignore_index is None:
            return call(metric)
        metric.average = "none"
        try:
            found = call(metric)
        finally:
            metric.average = "macro"
        return found[[number for number in range(len(found)) if number != metric.ignore_index]].mean()

    patch.around(MulticlassRecall, "compute", change)


@mutant(
    kills="test_an_ignored_class_counts_in_a_macro_average",
    witness=lambda: mean_recall_without_the_first([1, 1, 0, 0]) == 1,
)
def an_ignored_class_always_counts_in_the_mean(patch):
    """The macro average of `MulticlassRecall(ignore_index=0)` is over all classes, predicted or not."""
    from torchmetrics.classification import MulticlassRecall

    def change(call, metric):
        if metric.average != "macro" or metric.ignore_index is None:
            return call(metric)
        metric.average = "none"
        try:
            return call(metric).mean()
        finally:
            metric.average = "macro"

    patch.around(MulticlassRecall, "compute", change)


def mean_recall_without_the_first(predictions=(1, 0, 1, 1)):
    from torchmetrics.classification import MulticlassRecall

    metric = MulticlassRecall(num_classes=2, average="macro", ignore_index=0)
    metric.update(torch.tensor(predictions), torch.tensor([1, 1, 0, 0]))
    return metric.compute().item()
