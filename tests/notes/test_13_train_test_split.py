"""scikit-learn's `train_test_split`: keeping some of the data away from the training.

A model is judged on data it has not seen, so part of the data is set aside before anything is learned. After this
section you can split tensors with scikit-learn's `train_test_split`, say how many rows each part gets, repeat a split,
keep the proportions of the classes, and avoid the splits that let the test data leak into the training. The last
heading compares it with torch's own `random_split`.
"""

import numpy as np
import pytest
import torch
from hypothesis import example, given, strategies as st
from sklearn.model_selection import GroupShuffleSplit, train_test_split
from sklearn.preprocessing import StandardScaler
from torch.utils.data import Subset, TensorDataset, random_split

# What comes back


def test_tensors_in_tensors_out(device):
    """`train_test_split(X, y)` of two dense tensors of one length, two rows or more, returns tensors of the same dtype
    on the same device, and picks the same rows from both.

    Nothing has to be converted to NumPy first, and a GPU tensor stays on the GPU. A sparse COO tensor raises
    NotImplementedError: pass `X.to_dense()`.

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

    with pytest.raises(NotImplementedError, match="Sparse"):
        train_test_split(X.to_sparse(), y)
    assert len(train_test_split(X.to_sparse().to_dense(), y)) == 4


def test_order_of_what_comes_back(device):
    """`train_test_split(X, y)` returns `X_train, X_test, y_train, y_test`: both parts of X come before those of y.

    Unpacked as `X_train, y_train, X_test, y_test` the names stand for the wrong parts, and a later step may complain of
    "inconsistent numbers of samples". A third argument adds two more parts. Tensors, NumPy arrays and lists come back
    as what they were; a tuple, a range, a text or a `TensorDataset` comes back as a list.

    https://scikit-learn.org/stable/modules/generated/sklearn.model_selection.train_test_split.html
    """
    tensor, array = torch.tensor([1, 2, 3, 4], device=device), np.array([1.5, 2.5, 3.5, 4.5])
    names = ["one", "two", "three", "four"]

    parts = train_test_split(tensor, array, names, test_size=1, shuffle=False)

    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        train_test_split(parts[0], parts[1])  # the training and the test part of the first argument
    assert [type(part) for part in parts] == [torch.Tensor] * 2 + [np.ndarray] * 2 + [list] * 2
    assert [list(part) for part in parts] == [[1, 2, 3], [4], [1.5, 2.5, 3.5], [4.5], ["one", "two", "three"], ["four"]]
    for sequence in [(7, 8, 9), range(7, 10)]:
        assert train_test_split(sequence, test_size=1, shuffle=False) == [[7, 8], [9]]
    assert train_test_split("abc", test_size=1, shuffle=False) == [["a", "b"], ["c"]]
    dataset = TensorDataset(tensor)
    assert train_test_split(dataset, test_size=1, shuffle=False) == [[dataset[0], dataset[1], dataset[2]], [dataset[3]]]


# How many rows


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
    """A float size is a share of the rows, an int size is a number of rows, and without a size a quarter of the rows is
    for the test.

    A share of the test is rounded up and a share of the training is rounded down, so the test of ten rows gets three.
    If you give both sizes, rows can be left out silently: `train_size=0.4, test_size=0.21` uses seven rows of ten.

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
        (0, {}, "With n_samples=0, test_size=0.25 and train_size=None, the resulting train set will be empty"),
        (10, {"test_size": 20}, "test_size=20 should be either positive and smaller than the number of samples 10"),
    ],
    ids=["all", "none", "every row", "more than all", "one row", "no row", "percent"],
)
def test_no_part_may_be_empty(device, rows, arguments, message):
    """Sizes that leave a part without a row, or ask for more rows than there are, raise ValueError.

    `test_size=1` means one row and is allowed. `test_size=1.0` means all of the rows and is not, and `test_size=20`
    means 20 rows and not 20 %. "With n_samples=0 ... the resulting train set will be empty" says that there is no data:
    look at what was read before.

    https://scikit-learn.org/stable/modules/generated/sklearn.model_selection.train_test_split.html
    """
    with pytest.raises(ValueError, match=message):
        train_test_split(torch.arange(rows, device=device), **arguments)
    assert len(train_test_split(torch.arange(10, device=device), test_size=1)[1]) == 1


@pytest.mark.parametrize(("share", "rows"), [(0.07, 8), (0.14, 15), (0.28, 29), (0.06, 6), (0.25, 25)])
def test_a_share_can_round_up_to_a_row_too_many(device, share, rows):
    """`test_size=0.07` of 100 rows gives a test of 8 rows: `0.07 * 100` is 7.000000000000001 in floating point.

    The share is rounded up after the multiplication, and 0.14 and 0.28 do the same. Write the number of rows,
    `test_size=7`, if it has to be exact. With `train_size=0.93` besides, 101 rows are asked for: ValueError.

    https://scikit-learn.org/stable/modules/generated/sklearn.model_selection.train_test_split.html
    """
    train, test = train_test_split(torch.arange(100, device=device), test_size=share)

    assert (len(train), len(test)) == (100 - rows, rows)
    assert 0.07 * 100 == 7.000000000000001
    assert len(train_test_split(torch.arange(100, device=device), test_size=7)[1]) == 7
    with pytest.raises(ValueError, match="The sum of train_size and test_size = 101"):
        train_test_split(torch.arange(100, device=device), test_size=0.07, train_size=0.93)


@pytest.mark.holds(
    "scikit-learn>=1.3",
    otherwise=AssertionError,
    change="raises",
    concerns=(
        "sklearn.model_selection.train_test_split(shuffle='False')",
        "sklearn.model_selection.train_test_split(shuffle=None)",
    ),
)
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
    """From scikit-learn 1.3 on, `shuffle="False"`, `shuffle=None`, and a `test_size` that is a tensor or a NumPy
    float32 raise ValueError.

    Up to 1.2 `shuffle="False"`, as it comes from a command line, counted as true, and the rows of a time series were
    shuffled. Write `float(size)` for a share and `int(size)` for a number of rows; an np.float64 and an np.int64 are
    accepted as they are.

    https://scikit-learn.org/stable/modules/generated/sklearn.model_selection.train_test_split.html
    """
    (name,) = option

    with pytest.raises(ValueError, match=f"The '{name}' parameter"):
        train_test_split(torch.arange(8), **option)

    for size in (float(torch.tensor(0.25)), int(torch.tensor(2)), np.float64(0.25), np.int64(2)):
        assert len(train_test_split(torch.arange(8), test_size=size)[1]) == 2


def test_arguments_of_different_length_are_refused(device):
    """Arguments with different numbers of rows raise ValueError: "Found input variables with inconsistent numbers of
    samples".

    Row i of X goes with row i of y. If the two are in a different order, `train_test_split` cannot notice.

    https://scikit-learn.org/stable/modules/generated/sklearn.model_selection.train_test_split.html
    """
    X = torch.zeros(3, 2, device=device)
    y = torch.zeros(4, device=device)

    with pytest.raises(ValueError, match=r"inconsistent numbers of samples: \[3, 4\]"):
        train_test_split(X, y)


def test_three_parts_take_two_calls(device):
    """For a training, a validation and a test part call `train_test_split` twice; the second share is one of the rows
    that the first call left.

    For 60, 20 and 20 % of 100 rows, split off 0.2 and then 0.25 of the 80 rows that are left. Twice 0.2 gives 64, 16
    and 20 rows. `random_split(dataset, [0.6, 0.2, 0.2])` makes three parts in one call.

    https://scikit-learn.org/stable/modules/generated/sklearn.model_selection.train_test_split.html
    """
    rows = torch.arange(100, device=device)

    rest, test = train_test_split(rows, test_size=0.2, random_state=42)
    train, validation = train_test_split(rest, test_size=0.25, random_state=42)
    smaller = train_test_split(rest, test_size=0.2, random_state=42)

    assert [len(part) for part in (train, validation, test)] == [60, 20, 20]
    assert torch.cat([train, validation, test]).sort().values.tolist() == rows.tolist()
    assert [len(part) for part in smaller] == [64, 16]
    assert [len(part) for part in random_split(rows, [0.6, 0.2, 0.2])] == [60, 20, 20]


@pytest.mark.parametrize("stratify", [{}, {"stratify": True}], ids=["a size without its name", "stratify=True"])
def test_sizes_have_names_and_stratify_wants_labels(device, stratify):
    """`train_test_split(X, y, 0.2)` and `train_test_split(X, y, stratify=True)` raise TypeError: what comes without a
    name is data to split, and `stratify` wants the labels.

    Old texts are "Singleton array array(0.2) cannot be considered a valid collection" and the same with `array(True)`;
    newer ones speak of a scalar or of an array-like. Write `test_size=0.2` and `stratify=y`.

    https://scikit-learn.org/stable/modules/generated/sklearn.model_selection.train_test_split.html
    """
    X, y = torch.arange(10, device=device), [0, 1] * 5
    sizes = () if stratify else (0.2,)

    with pytest.raises(TypeError, match=r"Singleton array array\((0\.2|True)\) cannot be considered|scalar|array-like"):
        train_test_split(X, y, *sizes, **stratify)

    assert [len(part) for part in train_test_split(X, y, test_size=0.2, stratify=y)] == [8, 2, 8, 2]


# Copies, and the order of the rows


@pytest.mark.parametrize("shuffle", [True, False], ids="shuffle={}".format)
def test_parts_are_copies(device, shuffle):
    """The parts of a tensor are copies, without shuffling too: a write to a part leaves the whole as it was.

    The whole stays in memory beside the parts as long as something refers to it. The slice `whole[:7]` is a view and
    copies nothing.

    https://scikit-learn.org/stable/modules/generated/sklearn.model_selection.train_test_split.html
    """
    whole = torch.arange(10, device=device)

    train, test = train_test_split(whole, shuffle=shuffle)
    train.fill_(-1)
    test.fill_(-2)

    assert whole.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert (train.tolist(), test.tolist()) == ([-1] * 7, [-2] * 3)
    assert whole[:7].data_ptr() == whole.data_ptr()


def test_shuffle_false_keeps_the_order(device):
    """`shuffle=False` keeps the order: the first rows are for training and the rows right behind them for the test.

    Use it for a time series, and not for data sorted by class: here every test row is of class 1 and no training row
    is. If you give both sizes, the test ends where its size says, and the last rows are in neither part.

    https://scikit-learn.org/stable/modules/generated/sklearn.model_selection.train_test_split.html
    """
    y = torch.tensor([0, 0, 0, 0, 0, 0, 1, 1], device=device)
    X = torch.arange(8, device=device)

    X_train, X_test, y_train, y_test = train_test_split(X, y, shuffle=False)

    assert (X_train.tolist(), X_test.tolist()) == ([0, 1, 2, 3, 4, 5], [6, 7])
    assert (y_train.tolist(), y_test.tolist()) == ([0, 0, 0, 0, 0, 0], [1, 1])
    train, test = train_test_split(torch.arange(10, device=device), train_size=0.4, test_size=0.2, shuffle=False)
    assert (train.tolist(), test.tolist()) == ([0, 1, 2, 3], [4, 5])


def test_a_false_of_numpy_shuffles():
    """`train_test_split(..., shuffle=np.False_)` shuffles, and raises nothing: the value is compared with `is False`.

    A comparison of NumPy numbers, such as `shuffle=array[0] > 3`, gives such a value. Write `bool(...)` around it.

    https://scikit-learn.org/stable/modules/generated/sklearn.model_selection.train_test_split.html
    """
    rows = list(range(8))

    by_numpy = train_test_split(rows, shuffle=np.False_, random_state=0)

    assert by_numpy == train_test_split(rows, shuffle=True, random_state=0)
    assert by_numpy != train_test_split(rows, shuffle=False)
    assert train_test_split(rows, shuffle=bool(np.False_)) == [[0, 1, 2, 3, 4, 5], [6, 7]]


@given(
    part=st.sampled_from(["train_size", "test_size"]),
    sizes=st.integers(2, 40).flatmap(lambda rows: st.tuples(st.just(rows), st.integers(1, rows - 1))),
    random_state=st.integers(0, 2**32 - 1),
    shuffle=st.booleans(),
    dtype=st.sampled_from([torch.float32, torch.float16, torch.int64, torch.uint8]),
)
@example(part="test_size", sizes=(5, 2), random_state=0, shuffle=True, dtype=torch.float16)
def test_nothing_lost_and_nothing_twice_for_every_split(device, part, sizes, random_state, shuffle, dtype):
    """If you give one size, as a number of rows, every row lands in exactly one part, whatever the random state is, and
    X and y stay together.

    If you give both sizes and they do not add up to the number of rows, the rest of the rows is in neither part.

    https://scikit-learn.org/stable/modules/generated/sklearn.model_selection.train_test_split.html
    """
    rows, size = sizes
    random_state = random_state if shuffle else None
    X = torch.arange(rows, device=device)
    y = (X * 5).to(dtype)

    X_train, X_test, y_train, y_test = train_test_split(
        X, y, **{part: size}, shuffle=shuffle, random_state=random_state
    )

    assert sorted(X_train.tolist() + X_test.tolist()) == list(range(rows))
    assert len(X_train if part == "train_size" else X_test) == size
    assert (y_train.dtype, y_test.dtype) == (dtype, dtype)
    assert (y_train.tolist(), y_test.tolist()) == ((X_train * 5).tolist(), (X_test * 5).tolist())
    train, test = train_test_split(torch.arange(rows + 1, device=device), train_size=1, test_size=rows - 1)
    assert len({*train.tolist(), *test.tolist()}) == rows


# Which rows: seeds


def test_random_state_decides_the_rows(device):
    """An int as `random_state` gives the same call the same rows every time, for tensors as for lists, whatever the
    global seeds are.

    The rows for 42 are written out in the code here, and a new process gets the same ones. The generator behind them is
    NumPy's `RandomState`, which NumPy has frozen.

    https://scikit-learn.org/stable/glossary.html#term-random_state
    """
    for seed in (1, 2):
        torch.manual_seed(seed)
        np.random.seed(seed)

        train, test = train_test_split(torch.arange(10, device=device), random_state=42)

        assert (train.tolist(), test.tolist()) == ([0, 7, 2, 9, 4, 3, 6], [8, 1, 5])
        assert [train.tolist(), test.tolist()] == train_test_split(list(range(10)), random_state=42)
        assert np.random.rand() == np.random.RandomState(seed).rand()  # the global one was not used


@pytest.mark.myth("random_state=42 keeps the test set the same")
def test_one_more_row_changes_the_test(device):
    """`random_state=42` fixes the rows for one number of rows only: with `test_size=20`, 7 of the 20 test rows of 100
    are training rows once there are 101.

    A model that was trained before the new row came has then seen part of the new test. Keep the positions of the test
    in a file.

    https://scikit-learn.org/stable/glossary.html#term-random_state
    """
    rows = torch.arange(101, device=device)

    train_before, before = train_test_split(rows[:100], test_size=20, random_state=42)
    _, after = train_test_split(rows, test_size=20, random_state=42)

    assert len({*before.tolist()} - {*after.tolist()}) == 7
    assert {*train_before.tolist()} & {*after.tolist()}
    _, again = train_test_split(rows[:100], test_size=20, random_state=42)
    assert again.tolist() == before.tolist()


@pytest.mark.parametrize(
    "generator",
    [torch.Generator(), np.random.default_rng(42), torch.tensor(42), 42.0, -1, 2**32],
    ids=lambda g: type(g).__name__,
)
def test_random_state_takes_no_generator(generator):
    """`random_state=torch.Generator()` raises ValueError, and so do NumPy's `default_rng(42)`, a tensor, the float 42.0
    and -1.

    An int of 0 or more (the largest is 4294967295), a `np.random.RandomState` or None will do: write `random_state=42`.

    https://scikit-learn.org/stable/glossary.html#term-random_state
    """
    rows = list(range(8))

    with pytest.raises(ValueError, match=r"(?i)random_state|seed"):
        train_test_split(rows, random_state=generator)

    assert train_test_split(rows, random_state=np.random.RandomState(42)) == train_test_split(rows, random_state=42)
    assert [len(part) for part in train_test_split(rows, random_state=2**32 - 1)] == [6, 2]


@pytest.mark.myth("torch.manual_seed makes the whole program reproducible")
def test_torch_seed_does_not_reach_it(device):
    """Without `random_state` the shuffled rows follow `np.random.seed`, and `torch.manual_seed` does not change them.

    Give each split an int as `random_state`. Then nothing else that draws from NumPy's generator can move a row into
    the test.

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
    torch.manual_seed(43)
    fourth, _ = train_test_split(rows)

    assert first.tolist() != second.tolist()
    assert third.tolist() == fourth.tolist()


def test_split_x_and_y_in_one_call(device):
    """X and y of 50 rows no longer match if you shuffle them in two calls of `train_test_split` without `random_state`
    and without `np.random.seed` in between.

    Nothing raises, and the model learns from wrong answers. One `RandomState` object for both calls does not help,
    because it moves on. The same int helps in two calls that are alike, and so does the same `np.random.seed` before
    each of them, but not if one of the two has `stratify`. Write `train_test_split(X, y)`.

    https://scikit-learn.org/stable/common_pitfalls.html#controlling-randomness
    """
    X, y = torch.arange(50, device=device), torch.arange(50, device=device)
    together = {}

    for name, random_state in [("None", None), ("RandomState", np.random.RandomState(42)), ("42", 42)]:
        X_train, _ = train_test_split(X, random_state=random_state)
        y_train, _ = train_test_split(y, random_state=random_state)
        together[name] = X_train.tolist() == y_train.tolist()
    np.random.seed(42)
    X_seeded, _ = train_test_split(X)
    np.random.seed(42)
    y_seeded, _ = train_test_split(y)
    together["np.random.seed"] = X_seeded.tolist() == y_seeded.tolist()
    y_train, _ = train_test_split(y, random_state=42, stratify=[0, 1] * 25)
    together["42 and stratify"] = X_train.tolist() == y_train.tolist()

    assert [name for name, match in together.items() if match] == ["42", "np.random.seed"]
    assert [name for name, match in together.items() if not match] == ["None", "RandomState", "42 and stratify"]


# Classes: stratify


def test_stratify_keeps_the_proportions(device):
    """If you give one size or none, `stratify=y` keeps the proportions of the classes in both parts, as far as whole
    rows allow, where chance can leave a rare class out of the test.

    A class that is too rare for the size of the test is left out by `stratify` too: of two rows in a hundred, a test of
    ten gets none. Pass `y.cpu()` if the labels are on a GPU.

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
    """If the proportions of the classes come out in whole rows in both parts, stratified parts have exactly these
    numbers of rows.

    Here too every row is in one part, and in one only.

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


@given(
    classes=st.lists(st.integers(2, 30), min_size=2, max_size=6),
    share=st.floats(0.2, 0.8),
    random_state=st.integers(0, 1000),
)
@example(classes=[2, 3, 5], share=0.5, random_state=0)
def test_stratify_is_off_by_less_than_one_row(classes, share, random_state):
    """If you give one size, the number of rows of each class in a stratified part differs from the exact proportion by
    less than one row.

    One row is much for a small class: a part that should have 0.6 rows of it has one or none. If you give both sizes
    and leave rows out, the test can be off by more than one row.

    https://scikit-learn.org/stable/modules/cross_validation.html#stratification
    """
    labels = torch.arange(len(classes)).repeat_interleave(torch.tensor(classes))
    rows = max(len(classes), min(round(share * len(labels)), len(labels) - len(classes)))

    train, test = train_test_split(labels, test_size=rows, stratify=labels, random_state=random_state)

    for part in (train, test):
        exact = torch.tensor(classes, dtype=torch.float64) * len(part) / len(labels)
        assert (part.bincount(minlength=len(classes)) - exact).abs().max() < 1
    both = torch.arange(3).repeat_interleave(torch.tensor([4, 4, 7]))
    _, test = train_test_split(both, train_size=5, test_size=9, stratify=both, random_state=random_state)
    assert (test.bincount() - both.bincount() * 9 / len(both)).abs().max() > 1


# On the CPU, where the labels of `stratify` have to be.
@pytest.mark.parametrize(
    ("labels", "arguments", "message"),
    [
        ([0, 0, 0, 0, 0, 0, 0, 1], {}, "only 1 member"),
        ([0.5, 1.5, 1.25, 2.0, 3.5, 0.75, 2.5, 0.5], {}, "only 1 member"),
        ([0, 0, 0, 0, 1, 1, 1, 1], {"shuffle": False}, "shuffle=False"),
        ([0, 0, 1, 1, 2, 2, 3, 3], {"test_size": 3}, "number of classes = 4"),
        ([0, 0, 1, 1, 2, 2, 3, 3], {"train_size": 3}, "number of classes = 4"),
    ],
    ids=["a class of one", "continuous", "without shuffling", "a test too small", "a training too small"],
)
def test_stratify_refuses_what_it_cannot_keep(labels, arguments, message):
    """`stratify` raises ValueError for a class with a single row, for a part with fewer rows than classes, and with
    `shuffle=False`.

    "only 1 member" in the message is also what a continuous target gets: a value that occurs once is a class of its
    own. Put the values into bins first.

    https://scikit-learn.org/stable/modules/generated/sklearn.model_selection.train_test_split.html
    """
    y = torch.tensor(labels)

    with pytest.raises(ValueError, match=message):
        train_test_split(y, stratify=y, **arguments)


def test_stratify_counts_whole_rows_of_labels():
    """If the labels for `stratify` are a matrix, each different row of it is a class of its own.

    One-hot labels thus keep the proportions of the classes as class numbers do, but other rows may be picked. With
    several labels to a sample, the combinations are counted: a combination that occurs once raises ValueError, "The
    least populated class" has only 1 member, although here each single label is frequent. Stratify by the label that
    matters most: `stratify=y[:, 0]`.

    https://scikit-learn.org/stable/modules/cross_validation.html#stratification
    """
    y = torch.tensor([0, 0, 0, 0, 1, 1, 1, 1])
    one_hot = torch.nn.functional.one_hot(y)

    rows = list(range(8))
    *by_number, _, test = train_test_split(y, rows, stratify=y, random_state=0)
    *by_row, _, test_by_row = train_test_split(y, rows, stratify=one_hot, random_state=0)
    assert test != test_by_row
    assert [part.bincount().tolist() for part in by_number] == [part.bincount().tolist() for part in by_row]
    assert [part.bincount().tolist() for part in by_row] == [[3, 3], [1, 1]]

    several = torch.tensor([[0, 0], [0, 0], [0, 1], [1, 0], [1, 1], [1, 1]])
    with pytest.raises(ValueError, match="The least populated class"):
        train_test_split(several, stratify=several, test_size=0.5)
    train, test = train_test_split(several, stratify=several[:, 0], test_size=1 / 3)
    assert (train[:, 0].sum().item(), test[:, 0].sum().item()) == (2, 1)


def test_stratify_wants_labels_on_the_cpu(device_pair):
    """The labels for `stratify` must be on the CPU, or `train_test_split` raises TypeError; the data can be anywhere.

    NumPy counts the labels. Write `stratify=y.cpu()`: the parts stay on the device of the data. Labels in bfloat16,
    which NumPy lacks, raise TypeError as well: pass `y.float()`. Labels that require grad raise RuntimeError, "Can't
    call numpy() on Tensor that requires grad": pass `y.detach()`.

    https://scikit-learn.org/stable/modules/generated/sklearn.model_selection.train_test_split.html
    """
    here, elsewhere = torch.device("cpu"), device_pair[1]
    y = torch.tensor([0, 0, 0, 0, 1, 1, 1, 1])
    y_elsewhere = y.to(elsewhere)

    y_train, y_test, rows_train, rows_test = train_test_split(y_elsewhere, torch.arange(8), stratify=y, random_state=0)
    with pytest.raises(TypeError, match="can't convert"):
        train_test_split(y_elsewhere, stratify=y_elsewhere)
    with pytest.raises(TypeError, match="BFloat16"):
        train_test_split(y, stratify=y.bfloat16())
    assert [len(part) for part in train_test_split(y, stratify=y.bfloat16().float())] == [6, 2]
    with_grad = y.float().requires_grad_()
    with pytest.raises(RuntimeError, match=r"Can't call numpy\(\) on Tensor that requires grad"):
        train_test_split(y, stratify=with_grad)
    assert [len(part) for part in train_test_split(y, stratify=with_grad.detach())] == [6, 2]

    assert [part.device for part in (y_train, y_test, rows_train, rows_test)] == [elsewhere, elsewhere, here, here]
    assert (y_train.shape, y_test.shape) == ((6,), (2,))
    assert (y[rows_train].bincount().tolist(), y[rows_test].bincount().tolist()) == ([3, 3], [1, 1])


# Leaks: what the test must not tell the training


def test_twins_end_up_on_both_sides(device):
    """A row that occurs twice can land in both parts: the split goes by position and does not look at values.

    The model is then tested on what it was trained on. Here it must happen: five pairs, and an odd number of rows for
    the test. Remove duplicates before the split. Rows that belong together (one patient, one video) stay together with
    scikit-learn's `GroupShuffleSplit`; `train_test_split` takes no `groups`, and raises TypeError.

    https://scikit-learn.org/stable/modules/cross_validation.html#group-cv
    """
    values = torch.tensor([10, 10, 11, 11, 12, 12, 13, 13, 14, 14], device=device)

    train, test = train_test_split(values, test_size=3)

    assert set(train.tolist()) & set(test.tolist())
    with pytest.raises(TypeError, match="groups"):
        train_test_split(values, groups=values)
    ((train, test),) = GroupShuffleSplit(n_splits=1, test_size=0.4).split(values, groups=values.tolist())
    assert {*values[train].tolist()}.isdisjoint(values[test].tolist())
    assert (len(train), len(test)) == (6, 4)


@pytest.mark.advice("scikit-learn's user guide, Common pitfalls and recommended practices: Data leakage")
def test_scale_after_the_split(device):
    """Compute the mean that you subtract from the data on the training part alone: the test part changes the mean of
    the whole.

    This is data leakage: training rows centred on the mean of the whole contain information about the test. It is small
    in many shuffled rows: for 1,000 rows of the numbers 0 to 999 and the random states 0 to 49 the two means differ by
    less than 10 % of the standard deviation, and for some by more than 3 %.

    https://scikit-learn.org/stable/common_pitfalls.html#data-leakage
    """
    x = torch.tensor([0.0, 2.0, 4.0, 6.0, 88.0, 96.0, 100.0, 104.0], device=device)
    train, test = train_test_split(x, test_size=4, shuffle=False)

    leaked, clean = x.mean(), train.mean()

    assert (train - leaked).tolist() == [-50, -48, -46, -44]
    assert (train - clean).tolist() == [-3, -1, 1, 3]
    assert (test - clean).tolist() == [85, 93, 97, 101]
    many = torch.arange(1000.0, device=device)
    parts = [train_test_split(many, random_state=seed)[0] for seed in range(50)]
    assert 0.03 < max((part.mean() - many.mean()).abs() / many.std() for part in parts) < 0.1


def test_a_scaler_wants_a_table():
    """`StandardScaler().fit(column)` of one dimension raises ValueError, "Expected 2D array, got 1D array instead":
    write `column.reshape(-1, 1)`.

    Fitted to two columns, `transform` of three raises ValueError, "X has 3 features, but StandardScaler is expecting 2
    features as input". `fit_transform` gives a NumPy array for a tensor that is on the CPU and does not require grad:
    write `torch.from_numpy(scaled).float()`.

    https://scikit-learn.org/stable/modules/generated/sklearn.preprocessing.StandardScaler.html
    """
    column = torch.tensor([1.0, 3.0, 8.0])

    with pytest.raises(ValueError, match="Expected 2D array, got 1D array instead"):
        StandardScaler().fit(column)
    scaled = StandardScaler().fit_transform(column.reshape(-1, 1))
    assert isinstance(scaled, np.ndarray)
    assert torch.from_numpy(scaled).float().shape == (3, 1)
    scaler = StandardScaler().fit(column.reshape(-1, 1).repeat(1, 2))
    with pytest.raises(ValueError, match="X has 3 features, but StandardScaler is expecting 2 features as input"):
        scaler.transform(column.reshape(-1, 1).repeat(1, 3))


# Beside it: torch's random_split


def test_random_split_beside_train_test_split(device):
    """`torch.utils.data.random_split` returns `Subset`s that share the dataset, while `train_test_split` copies the
    rows of a tensor.

    `train_test_split` copies a list, but not the objects in the list. The two round differently: of ten rows a test
    share of 0.25 is 3 rows for `train_test_split` and 2 for `random_split`, which rounds each share down and gives what
    is left to the first parts.

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

    (kept,), _ = train_test_split([objects := [1], objects], test_size=1)
    assert kept is objects
    assert [len(part) for part in random_split(range(11), [0.25] * 4)] == [3, 3, 3, 2]


def test_random_split_can_leave_a_part_empty():
    """`random_split(dataset, [0.95, 0.05])` of ten items returns a second part without items and warns;
    `train_test_split(rows, test_size=0.05)` of ten rows gives the test one row.

    `random_split` rounds both shares down and gives the item that is left to the first part. A loop over the empty part
    does nothing, and the mean of an empty tensor is nan. Write the numbers of items: `random_split(dataset, [9, 1])`.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.random_split
    """
    with pytest.warns(UserWarning, match="Length of split at index 1 is 0"):
        parts = random_split(range(10), [0.95, 0.05])

    assert [len(part) for part in parts] == [10, 0]
    assert list(parts[1]) == []
    assert torch.tensor([]).mean().isnan()
    assert [len(part) for part in train_test_split(range(10), test_size=0.05)] == [9, 1]
    assert [len(part) for part in random_split(range(10), [9, 1])] == [9, 1]


def test_random_split_follows_torch(device):
    """`random_split` follows `torch.manual_seed` or the generator you give it, and `np.random.seed` does not change it.

    That is the opposite of `train_test_split`. The generator is one of the CPU, also for data on a GPU.

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


def test_random_split_does_not_stratify(device):
    """`random_split` knows nothing of labels: with 5 rows of a rare class in 100, a test part of 20 rows can have none
    of them, and there is no `stratify`.

    Split the positions with scikit-learn and take them with Subset: `train_test_split(range(100), test_size=20,
    stratify=y)`. Here it gives each test part one row of the rare class.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.random_split
    """
    y = [1] * 5 + [0] * 95
    dataset = TensorDataset(torch.tensor(y, device=device))

    tests = [random_split(dataset, [80, 20], torch.Generator().manual_seed(seed))[1] for seed in range(50)]
    rare = [sum(label.item() for (label,) in test) for test in tests]
    assert (min(rare), max(rare) > 1) == (0, True)

    for seed in range(5):
        _, positions = train_test_split(range(100), test_size=20, stratify=y, random_state=seed)
        assert sum(label.item() for (label,) in Subset(dataset, positions)) == 1
    with pytest.raises(TypeError, match="stratify"):
        random_split(dataset, [80, 20], stratify=y)
