"""scikit-learn's `train_test_split`: keeping some of the data away from the training.

A model is judged on data it has not seen, so part of the data is set aside before anything is learned. The function
that nearly everybody uses for it comes from scikit-learn, which knows nothing of PyTorch. What it does to tensors, who
decides which rows go where, and how it differs from torch's own `random_split`, is what this section settles.
"""

import numpy as np
import pytest
import torch
from hypothesis import example, given, strategies as st
from sklearn.model_selection import train_test_split
from torch.utils.data import Subset, TensorDataset, random_split


def test_tensors_in_tensors_out(device):
    """`train_test_split` gives back tensors for tensors, with their dtype, on their device, and the same rows for every
    argument.

    No detour over NumPy is needed. A GPU tensor stays on the GPU.

    https://scikit-learn.org/stable/modules/generated/sklearn.model_selection.train_test_split.html
    """
    X = torch.arange(20.0, device=device).reshape(10, 2)
    y = torch.arange(10, device=device)

    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=42)

    for part, whole, rows in [(X_train, X, 7), (X_test, X, 3), (y_train, y, 7), (y_test, y, 3)]:
        assert type(part) is torch.Tensor
        assert (part.dtype, part.device) == (whole.dtype, device)
        assert part.shape == (rows, *whole.shape[1:])
    assert X_train.tolist() == X[y_train].tolist()
    assert X_test.tolist() == X[y_test].tolist()


def test_order_of_what_comes_back(device):
    """The parts come as train, test of the first argument, then train, test of the second, and so on: X, X, y, y and
    not X, y, X, y.

    Any number of arguments will do, each keeps its own type, and all are cut at the same rows.

    https://scikit-learn.org/stable/modules/generated/sklearn.model_selection.train_test_split.html
    """
    tensor, array = torch.tensor([1, 2, 3, 4], device=device), np.array([1.5, 2.5, 3.5, 4.5])
    names = ["one", "two", "three", "four"]

    parts = train_test_split(tensor, array, names, test_size=1, shuffle=False)

    assert [type(part) for part in parts] == [torch.Tensor] * 2 + [np.ndarray] * 2 + [list] * 2
    assert [list(part) for part in parts] == [[1, 2, 3], [4], [1.5, 2.5, 3.5], [4.5], ["one", "two", "three"], ["four"]]


@pytest.mark.parametrize(
    ("rows", "sizes", "expected"),
    [
        (1000, {}, (750, 250)),
        (10, {}, (7, 3)),
        (11, {}, (8, 3)),
        (10, {"test_size": 0.21}, (7, 3)),
        (10, {"train_size": 0.79}, (7, 3)),
        (10, {"test_size": 0.5}, (5, 5)),
        (10, {"test_size": 1}, (9, 1)),
        (10, {"test_size": 9}, (1, 9)),
        (10, {"train_size": 2}, (2, 8)),
        (10, {"train_size": 0.4, "test_size": 0.21}, (4, 3)),
    ],
    ids=lambda value: "-".join(f"{key}={size}" for key, size in value.items()) if isinstance(value, dict) else None,
)
def test_sizes(device, rows, sizes, expected):
    """A float is a share of the rows, an int is a number of rows, and without either a quarter is for the test.

    The test's share is rounded up and the training's down, so the test of ten rows has three. Where both are given,
    rows can be left out of either part without a word: the last line uses seven of ten.

    https://scikit-learn.org/stable/modules/generated/sklearn.model_selection.train_test_split.html
    """
    train, test = train_test_split(torch.arange(rows, device=device), **sizes)

    assert (len(train), len(test)) == expected


@pytest.mark.parametrize(
    ("rows", "arguments", "message"),
    [
        (10, {"test_size": 1.0}, "test_size"),
        (10, {"test_size": 0}, "test_size"),
        (10, {"test_size": 10}, "test_size=10"),
        (10, {"train_size": 0.5, "test_size": 0.6}, "sum of test_size and train_size"),
        (1, {}, "train set will be empty"),
    ],
    ids=["all", "none", "every row", "more than all", "one row"],
)
def test_no_part_may_be_empty(device, rows, arguments, message):
    """Sizes that leave either part without a row, or ask for more rows than there are, raise ValueError.

    `test_size=1` is legal and means one row; `test_size=1.0` means all of them and is not.

    https://scikit-learn.org/stable/modules/generated/sklearn.model_selection.train_test_split.html
    """
    with pytest.raises(ValueError, match=message):
        train_test_split(torch.arange(rows, device=device), **arguments)


@pytest.mark.holds("scikit-learn>=1.3", otherwise=AssertionError)
@pytest.mark.parametrize(
    "option",
    [
        {"shuffle": "False"},
        {"shuffle": None},
        {"test_size": torch.tensor(0.25)},
        {"test_size": np.float32(0.25)},
    ],
    ids=["text", "None", "tensor", "np.float32"],
)
def test_options_of_another_type_are_refused(option):
    """From scikit-learn 1.3 on, a `shuffle` that is no bool, or a `test_size` that is no Python number, raises
    ValueError; 1.2 took what it got.

    There `shuffle="False"`, as it comes from a command line, counted as true, and the rows of a time series were mixed.

    https://scikit-learn.org/stable/modules/generated/sklearn.model_selection.train_test_split.html
    """
    (name,) = option

    with pytest.raises(ValueError, match=f"The '{name}' parameter"):
        train_test_split(torch.arange(8), **option)


def test_arguments_of_different_length_are_refused(device):
    """Arguments with different numbers of rows raise ValueError: rows are matched by position and by nothing else.

    https://scikit-learn.org/stable/modules/generated/sklearn.model_selection.train_test_split.html
    """
    X = torch.zeros(3, 2, device=device)
    y = torch.zeros(4, device=device)

    with pytest.raises(ValueError, match=r"inconsistent numbers of samples: \[3, 4\]"):
        train_test_split(X, y)


@pytest.mark.parametrize("shuffle", [True, False], ids="shuffle={}".format)
def test_parts_are_copies(device, shuffle):
    """The parts are copies, even without shuffling, where slices would do: a write to either part leaves the whole as
    it was.

    Until the whole is let go, a split doubles the memory. The slice `whole[:7]` would have been a view.

    https://scikit-learn.org/stable/modules/generated/sklearn.model_selection.train_test_split.html
    """
    whole = torch.arange(10, device=device)

    train, test = train_test_split(whole, shuffle=shuffle)
    train.fill_(-1)
    test.fill_(-2)

    assert whole.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert (train.tolist(), test.tolist()) == ([-1] * 7, [-2] * 3)


def test_shuffle_false_keeps_the_order(device):
    """`shuffle=False` cuts once: the head is for training and the tail for testing, in their order.

    That is right for a time series and wrong for data that is sorted by class: here every row of the test is of class
    1, and none of the training is.

    https://scikit-learn.org/stable/modules/generated/sklearn.model_selection.train_test_split.html
    """
    y = torch.tensor([0, 0, 0, 0, 0, 0, 1, 1], device=device)
    X = torch.arange(8, device=device)

    X_train, X_test, y_train, y_test = train_test_split(X, y, shuffle=False)

    assert (X_train.tolist(), X_test.tolist()) == ([0, 1, 2, 3, 4, 5], [6, 7])
    assert (y_train.tolist(), y_test.tolist()) == ([0, 0, 0, 0, 0, 0], [1, 1])


@given(
    sizes=st.integers(2, 40).flatmap(lambda rows: st.tuples(st.just(rows), st.integers(1, rows - 1))),
    random_state=st.integers(0, 2**32 - 1),
    shuffle=st.booleans(),
    dtype=st.sampled_from([torch.float32, torch.float16, torch.int64, torch.uint8]),
)
@example(sizes=(5, 2), random_state=0, shuffle=True, dtype=torch.float16)
def test_nothing_lost_and_nothing_twice_for_every_split(device, sizes, random_state, shuffle, dtype):
    """For every size, dtype and random state, each row lands in exactly one part, and X and y stay together.

    https://scikit-learn.org/stable/modules/generated/sklearn.model_selection.train_test_split.html
    """
    rows, test_size = sizes
    random_state = random_state if shuffle else None
    X = torch.arange(rows, device=device)
    y = (X * 5).to(dtype)

    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=test_size, shuffle=shuffle, random_state=random_state
    )

    assert sorted(X_train.tolist() + X_test.tolist()) == list(range(rows))
    assert (len(X_train), len(X_test)) == (rows - test_size, test_size)
    assert (y_train.dtype, y_test.dtype) == (dtype, dtype)
    assert (y_train.tolist(), y_test.tolist()) == ((X_train * 5).tolist(), (X_test * 5).tolist())


def test_random_state_decides_the_rows(device):
    """A number as `random_state` gives the same rows every time, in every process, for tensors as for lists, whatever
    the global seeds are.

    The rows for 42 are written out here: NumPy has frozen the generator behind it, `RandomState`, so only another way
    of using it in scikit-learn could move them.

    https://scikit-learn.org/stable/glossary.html#term-random_state
    """
    for seed in (1, 2):
        torch.manual_seed(seed)
        np.random.seed(seed)

        train, test = train_test_split(torch.arange(10, device=device), random_state=42)

        assert (train.tolist(), test.tolist()) == ([0, 7, 2, 9, 4, 3, 6], [8, 1, 5])
        assert [train.tolist(), test.tolist()] == train_test_split(list(range(10)), random_state=42)
        assert np.random.rand() == np.random.RandomState(seed).rand()  # the global one was not used


@pytest.mark.myth("torch.manual_seed makes the whole program reproducible")
def test_torch_seed_does_not_reach_it(device):
    """Without `random_state` the rows follow NumPy's global seed, and `torch.manual_seed` has no say in them.

    Give each split a `random_state`: then nothing else that draws from NumPy's generator can move a row into the test.

    https://scikit-learn.org/stable/common_pitfalls.html#controlling-randomness
    """
    rows = torch.arange(50, device=device)

    torch.manual_seed(42)
    first, _ = train_test_split(rows)
    torch.manual_seed(42)
    second, _ = train_test_split(rows)
    np.random.seed(42)
    third, _ = train_test_split(rows)
    np.random.seed(42)
    fourth, _ = train_test_split(rows)

    assert first.tolist() != second.tolist()
    assert third.tolist() == fourth.tolist()


def test_split_x_and_y_in_one_call(device):
    """Split in two calls, X and y lose each other unless both calls have the same number as `random_state`.

    A `RandomState` object is no such number: it moves on with each call, as the global generator does. Nothing raises,
    the model just learns from wrong answers.

    https://scikit-learn.org/stable/common_pitfalls.html#controlling-randomness
    """
    X, y = torch.arange(50, device=device), torch.arange(50, device=device)
    together = {}

    for name, random_state in [("None", None), ("RandomState", np.random.RandomState(42)), ("42", 42)]:
        X_train, _ = train_test_split(X, random_state=random_state)
        y_train, _ = train_test_split(y, random_state=random_state)
        together[name] = X_train.tolist() == y_train.tolist()

    assert together == {"None": False, "RandomState": False, "42": True}


def test_stratify_keeps_the_proportions(device):
    """`stratify=y` gives each part the classes in the proportions of the whole, as nearly as whole rows can; chance
    alone can leave a rare class out of the test.

    So can `stratify`, where the class is too rare for the size of the test: of two rows in a hundred, a test of ten
    gets none. The labels are counted on the CPU: see below for a GPU.

    https://scikit-learn.org/stable/modules/cross_validation.html#stratification
    """
    y = torch.tensor([0] * 16 + [1] * 4, device=device)

    by_chance_train, by_chance_test = train_test_split(y, random_state=10)
    train, test = train_test_split(y, stratify=y.cpu(), random_state=10)

    assert (by_chance_train.bincount().tolist(), by_chance_test.bincount().tolist()) == ([11, 4], [5])
    assert (train.bincount().tolist(), test.bincount().tolist()) == ([12, 3], [4, 1])
    rare = torch.tensor([0] * 98 + [1] * 2, device=device)
    train, test = train_test_split(rare, stratify=rare.cpu(), test_size=10)
    assert (train.bincount().tolist(), test.bincount().tolist()) == ([88, 2], [10])


@given(
    share=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    classes=st.lists(st.integers(1, 5), min_size=2, max_size=3),
    random_state=st.integers(0, 1000),
)
def test_stratify_is_exact_for_every_proportion_that_comes_out_even(device, share, classes, random_state):
    """Wherever the proportions come out in whole rows, stratified parts have exactly them, and still nothing is lost or
    doubled.

    https://scikit-learn.org/stable/modules/cross_validation.html#stratification
    """
    in_train, in_test = share
    labels = torch.arange(len(classes)).repeat_interleave(torch.tensor(classes) * (in_train + in_test))
    y, rows = labels.to(device), torch.arange(len(labels), device=device)

    y_train, y_test, train, test = train_test_split(
        y, rows, test_size=in_test * sum(classes), stratify=labels, random_state=random_state
    )

    assert y_train.bincount().tolist() == [in_train * count for count in classes]
    assert y_test.bincount().tolist() == [in_test * count for count in classes]
    assert sorted(train.tolist() + test.tolist()) == rows.tolist()
    assert (y_train.tolist(), y_test.tolist()) == (y[train].tolist(), y[test].tolist())


# On the CPU, where the labels of `stratify` have to be.
@pytest.mark.parametrize(
    ("labels", "arguments", "message"),
    [
        ([0, 0, 0, 0, 0, 0, 0, 1], {}, "only 1 member"),
        ([0.5, 1.5, 1.25, 2.0, 3.5, 0.75, 2.5, 0.5], {}, "only 1 member"),
        ([0, 0, 0, 0, 1, 1, 1, 1], {"shuffle": False}, "shuffle=False"),
        ([0, 0, 1, 1, 2, 2, 3, 3], {"test_size": 3}, "number of classes = 4"),
    ],
    ids=["a class of one", "continuous", "without shuffling", "fewer rows than classes"],
)
def test_stratify_refuses_what_it_cannot_keep(labels, arguments, message):
    """`stratify` raises ValueError for a class with a single row, for parts with fewer rows than classes, and with
    `shuffle=False`.

    Continuous targets are refused for the first of these reasons: nearly every value is a class of its own. Bin them
    first.

    https://scikit-learn.org/stable/modules/generated/sklearn.model_selection.train_test_split.html
    """
    y = torch.tensor(labels)

    with pytest.raises(ValueError, match=message):
        train_test_split(y, stratify=y, **arguments)


def test_stratify_wants_labels_on_the_cpu(device_pair):
    """Data on another device is split there, but the labels of `stratify` must be on the CPU: NumPy counts them.

    Write `stratify=y.cpu()`. The rows that are given back stay where they were.

    https://scikit-learn.org/stable/modules/generated/sklearn.model_selection.train_test_split.html
    """
    here, elsewhere = torch.device("cpu"), device_pair[1]
    y = torch.tensor([0, 0, 0, 0, 1, 1, 1, 1])
    y_elsewhere = y.to(elsewhere)

    y_train, y_test, rows_train, rows_test = train_test_split(y_elsewhere, torch.arange(8), stratify=y, random_state=0)
    with pytest.raises(TypeError, match="can't convert"):
        train_test_split(y_elsewhere, stratify=y_elsewhere)

    assert [part.device for part in (y_train, y_test, rows_train, rows_test)] == [elsewhere, elsewhere, here, here]
    assert (y_train.shape, y_test.shape) == ((6,), (2,))
    assert (y[rows_train].bincount().tolist(), y[rows_test].bincount().tolist()) == ([3, 3], [1, 1])


def test_twins_end_up_on_both_sides(device):
    """A row that occurs twice can land in both parts: the split goes by position and does not look at values.

    A model is then tested on what it was trained on. Here it must happen: five pairs, and an odd number of rows for the
    test. Remove duplicates before the split, and keep what belongs together (one patient, one video) together with
    `GroupShuffleSplit`.

    https://scikit-learn.org/stable/modules/cross_validation.html#group-cv
    """
    values = torch.tensor([10, 10, 11, 11, 12, 12, 13, 13, 14, 14], device=device)

    train, test = train_test_split(values, test_size=3)

    assert set(train.tolist()) & set(test.tolist())


@pytest.mark.advice("scikit-learn's user guide, Common pitfalls and recommended practices: Data leakage")
def test_scale_after_the_split(device):
    """What is learned from the data, such as its mean, has to be learned from the training part alone.

    Here the test part moves the mean of the whole, so that training rows centred on it carry news of the test. The
    limit: in a large, well shuffled set of data the two means hardly differ.

    https://scikit-learn.org/stable/common_pitfalls.html#data-leakage
    """
    x = torch.tensor([0.0, 2.0, 4.0, 6.0, 88.0, 96.0, 100.0, 104.0], device=device)
    train, test = train_test_split(x, test_size=4, shuffle=False)

    leaked, clean = x.mean(), train.mean()

    assert (train - leaked).tolist() == [-50, -48, -46, -44]
    assert (train - clean).tolist() == [-3, -1, 1, 3]
    assert (test - clean).tolist() == [85, 93, 97, 101]


def test_random_split_beside_train_test_split(device):
    """`random_split` of torch gives `Subset`s, which are lists of indices into the one dataset, and rounds shares
    differently.

    `train_test_split` copies rows and rounds the test's share up. `random_split` shares the data, rounds each share
    down and hands what is left to the first parts.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.random_split
    """
    copied, shared = torch.zeros(10, device=device), torch.zeros(10, device=device)

    train_rows, test_rows = train_test_split(copied, test_size=0.25)
    train, test = random_split(TensorDataset(shared), [0.75, 0.25])
    copied.fill_(7)
    shared.fill_(7)

    assert (len(train_rows), len(test_rows)) == (7, 3)
    assert (len(train), len(test)) == (8, 2)
    assert (type(train_rows), type(train)) == (torch.Tensor, Subset)
    assert [row.item() for row in train_rows] == [0] * 7
    assert [row.item() for (row,) in train] == [7] * 8


def test_random_split_follows_torch(device):
    """`random_split` follows `torch.manual_seed` or the generator it is given, and not NumPy's seed: the opposite of
    `train_test_split`.

    The generator is one of the CPU, wherever the data are.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.random_split
    """
    data = torch.arange(50, device=device)

    def rows(**arguments):
        parts = random_split(data, [40, 10], **arguments)
        return [torch.stack(list(part)).tolist() for part in parts]

    torch.manual_seed(42)
    global_seed = rows()
    np.random.seed(42)
    numpy_seed = rows()
    np.random.seed(42)

    assert rows() != numpy_seed
    assert rows(generator=torch.Generator().manual_seed(42)) == global_seed
    assert rows(generator=torch.Generator().manual_seed(42)) == global_seed
    assert rows(generator=torch.Generator().manual_seed(43)) != global_seed
