"""Datasets and DataLoaders: from single samples to batches.

A Dataset answers two questions: how many samples are there, and which is number i. A DataLoader decides in which order
they are asked for, puts several together into a batch, and can have worker processes do it. What each of them takes for
granted, and what changes on the way from a sample to a batch, is what this section settles.
"""

import itertools
import math
import multiprocessing
import warnings
from collections import Counter, namedtuple

import numpy as np
import pytest
import torch
from hypothesis import example, given, strategies as st
from torch import nn
from torch.utils.data import (
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    Sampler,
    Subset,
    TensorDataset,
    WeightedRandomSampler,
    default_collate,
    get_worker_info,
    random_split,
)


class Squares(Dataset):
    """Number i and its square, for i from 0 on."""

    def __init__(self, size):
        self.size = size

    def __len__(self):
        return self.size

    def __getitem__(self, i):
        return i, i * i


def test_a_dataset_is_len_and_getitem():
    """`__len__` and `__getitem__` are all that a Dataset needs; the DataLoader asks for 0 to len - 1 and puts the
    answers together.

    https://docs.pytorch.org/tutorials/beginner/basics/data_tutorial.html
    """
    batches = list(DataLoader(Squares(5), batch_size=2))

    assert [[part.tolist() for part in batch] for batch in batches] == [
        [[0, 1], [0, 1]],
        [[2, 3], [4, 9]],
        [[4], [16]],
    ]


@pytest.mark.parametrize(
    "dataset",
    [[3, 2, 1], (3, 2, 1), np.array([3, 2, 1], dtype=np.int64), torch.tensor([3, 2, 1]), range(3, 0, -1)],
    ids=["list", "tuple", "array", "tensor", "range"],
)
def test_any_sequence_will_do(dataset):
    """Whatever has a `__len__` and a `__getitem__` that takes 0 to len - 1 will do as a dataset: a list, an array, a
    tensor, a range; no base class is needed.

    https://docs.pytorch.org/docs/stable/data.html#map-style-datasets
    """
    batches = list(DataLoader(dataset, batch_size=2))

    assert [(batch.tolist(), batch.dtype) for batch in batches] == [([3, 2], torch.int64), ([1], torch.int64)]


def test_what_is_missing_shows_late():
    """A Dataset without `__getitem__` or `__len__` can be made; what is missing raises only when it is needed.

    Without `__getitem__` that is at the first sample, without `__len__` when somebody wants to know how many there are:
    shuffling at once, else the first batch.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.Dataset
    """

    class NoGetitem(Dataset):
        def __len__(self):
            return 3

    class NoLen(Dataset):
        def __getitem__(self, i):
            return i

    with pytest.raises(NotImplementedError):
        next(iter(DataLoader(NoGetitem())))
    loader = DataLoader(NoLen())
    with pytest.raises(TypeError, match="has no len"):
        next(iter(loader))
    with pytest.raises(TypeError, match="has no len"):
        DataLoader(NoLen(), shuffle=True)


def test_looping_over_a_dataset_may_never_end():
    """`for sample in dataset` asks for 0, 1, 2, ... until IndexError and never looks at `__len__`: a Dataset that
    computes its samples has no end.

    A DataLoader stops at `len(dataset)`. Lists and tensors raise IndexError by themselves, so there the loop ends.

    https://docs.python.org/3/reference/datamodel.html#object.__getitem__
    """
    dataset = Squares(3)

    by_itself = list(itertools.islice(dataset, 6))
    by_loader = [i.item() for i, _ in DataLoader(dataset)]

    assert by_itself == [(0, 0), (1, 1), (2, 4), (3, 9), (4, 16), (5, 25)]
    assert by_loader == [0, 1, 2]


def test_tensor_dataset(device):
    """`TensorDataset(x, y)` pairs tensors row by row: sample i is the tuple `(x[i], y[i])`, on their device.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.TensorDataset
    """
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], device=device)
    y = torch.tensor([7, 8, 9], device=device)

    dataset = TensorDataset(x, y)
    sample = dataset[1]

    assert len(dataset) == 3
    assert type(sample) is tuple
    assert [(part.tolist(), part.dtype, part.device) for part in sample] == [
        ([3, 4], torch.float32, device),
        (8, torch.int64, device),
    ]
    assert [part.tolist() for part in dataset[-1]] == [[5, 6], 9]


@pytest.mark.holds("torch!=2.10.*", otherwise=AssertionError)
def test_tensor_dataset_wants_equal_lengths(device):
    """Tensors of different lengths make no TensorDataset: AssertionError, and not an IndexError in the middle of an
    epoch; torch 2.10 alone lets them pass.

    There the length is that of the first tensor, and a longer second one is cut without a word. Compare lengths
    yourself where 2.10 may be met.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.TensorDataset
    """
    with pytest.raises(AssertionError, match="Size mismatch"):
        TensorDataset(torch.zeros(4, 2, device=device), torch.zeros(3, device=device))


def test_samples_are_views_and_batches_are_copies(device):
    """A sample of a TensorDataset is a view of its tensor, a batch is a copy: writing to a sample changes the data for
    good.

    So an augmentation in place in `__getitem__` hits the stored sample, and again in each epoch. Work on `x.clone()`.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.TensorDataset
    """
    x = torch.tensor([1.0, 2.0, 3.0], device=device)
    dataset = TensorDataset(x)

    dataset[1][0].mul_(10)
    for (batch,) in DataLoader(dataset, batch_size=2):
        batch.fill_(-1)
    for batch in DataLoader(x, batch_size=2):
        batch.fill_(-2)

    assert x.tolist() == [1, 20, 3]


@pytest.mark.holds("torch>=2.1", otherwise=AttributeError)
def test_stack_dataset_names_the_parts(device):
    """From torch 2.1 on `StackDataset(image=..., label=...)` pairs datasets, as TensorDataset pairs tensors, and its
    samples are dicts.

    In torch 2.0 a Dataset of your own, whose `__getitem__` gives a dict, does the same.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.StackDataset
    """
    images = torch.tensor([[1.0, 2.0], [3.0, 4.0]], device=device)
    dataset = torch.utils.data.StackDataset(image=images, label=["cat", "dog"])

    (batch,) = DataLoader(dataset, batch_size=2)

    assert (len(dataset), type(dataset[1]), dataset[1]["label"]) == (2, dict, "dog")
    assert (batch["image"].tolist(), batch["image"].device) == ([[1, 2], [3, 4]], device)
    assert batch["label"] == ["cat", "dog"]


def test_subset_is_a_list_of_indices(device):
    """`Subset(dataset, indices)` copies nothing: it translates indices, in the order given, and sees later changes of
    the data.

    An index that does not exist is noticed when it is asked for, not before.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.Subset
    """
    x = torch.arange(5, device=device)
    subset = Subset(x, [4, 0, 4, 9])

    x[4] = 40

    assert len(subset) == 4
    assert [subset[i].item() for i in range(3)] == [40, 0, 40]
    with pytest.raises(IndexError):
        subset[3]


def test_concat_dataset_puts_one_after_the_other(device):
    """`ConcatDataset` numbers the samples of several datasets through, and `+` of two Datasets is one.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.ConcatDataset
    """
    numbers = torch.arange(10, 16, device=device)

    dataset = ConcatDataset([numbers[:2], numbers[2:3], numbers[3:]])

    assert len(dataset) == 6
    assert [dataset[i].item() for i in range(6)] == [10, 11, 12, 13, 14, 15]
    assert [dataset[-i].item() for i in range(1, 7)] == [15, 14, 13, 12, 11, 10]
    assert {dataset[i].device for i in range(6)} == {device}
    both = Squares(2) + Squares(3)
    assert type(both) is ConcatDataset
    assert [both[i] for i in range(5)] == [(0, 0), (1, 1), (0, 0), (1, 1), (2, 4)]


@given(
    lengths=st.lists(st.integers(1, 8), min_size=1, max_size=5),
    seed=st.integers(0, 2**32 - 1),
)
def test_random_split_is_a_partition_for_every_choice_of_lengths(device, lengths, seed):
    """However long the parts, `random_split` puts every sample into exactly one of them, at random, reproducibly by its
    generator.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.random_split
    """
    dataset = torch.arange(100, 100 + sum(lengths), device=device)

    def split():
        parts = random_split(dataset, lengths, generator=torch.Generator().manual_seed(seed))
        return [[sample.item() for sample in part] for part in parts]

    parts = split()

    assert [len(part) for part in parts] == lengths
    assert sorted(itertools.chain(*parts)) == dataset.tolist()
    permutation = torch.randperm(len(dataset), generator=torch.Generator().manual_seed(seed))
    assert list(itertools.chain(*parts)) == (100 + permutation).tolist()
    assert split() == parts


@pytest.mark.parametrize(
    ("size", "shares", "expected"),
    [
        (10, [0.8, 0.2], [8, 2]),
        (10, [0.75, 0.25], [8, 2]),
        (11, [0.5, 0.3, 0.2], [6, 3, 2]),
        (10, [0.25, 0.25, 0.25, 0.25], [3, 3, 2, 2]),
    ],
    ids=str,
)
def test_random_split_by_shares(device, size, shares, expected):
    """`random_split` also takes shares that add up to 1: each is rounded down, and what is left goes one by one to the
    parts from the first on.

    Numbers have to add up to the length of the dataset, shares to 1; what does not raises ValueError.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.random_split
    """
    dataset = torch.arange(size, device=device)

    parts = random_split(dataset, shares)

    assert [len(part) for part in parts] == expected
    for wrong in ([0.5, 0.4], [0.7, 0.4], [size - 1], [size, 1]):
        with pytest.raises(ValueError, match="Sum of input lengths"):
            random_split(dataset, wrong)


def test_a_seed_gives_the_same_rows_in_every_release(device):
    """Under one seed, shuffling, `random_split` and drawing with replacement give the same samples in torch 2.0 as in
    every release since, wherever the data are.

    So a split can be made again after an upgrade. It has stayed so and nobody promises it: to be sure, save the
    indices. Drawing without replacement did change, in torch 2.7 on x86: see section 04.

    https://docs.pytorch.org/docs/stable/notes/randomness.html
    """
    rows = torch.arange(10, device=device)

    def seed_42():
        return torch.Generator().manual_seed(42)

    (shuffled,) = DataLoader(rows, batch_size=10, shuffle=True, generator=seed_42())
    parts = random_split(rows, [7, 3], generator=seed_42())
    drawn = WeightedRandomSampler(range(1, 11), num_samples=8, generator=seed_42())

    assert shuffled.tolist() == [6, 5, 4, 0, 8, 9, 2, 1, 3, 7]
    assert [[row.item() for row in part] for part in parts] == [[2, 6, 1, 8, 4, 5, 0], [9, 3, 7]]
    assert list(drawn) == [2, 2, 3, 1, 7, 6, 9, 9]


def test_defaults_of_a_dataloader(device):
    """By default a DataLoader gives batches of one, in order, keeps a short last batch and works in this process.

    `shuffle=True` is for training; for testing the order makes no difference, and keeping it makes errors easier to
    find.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.DataLoader
    """
    loader = DataLoader(torch.arange(20, 25, device=device))

    assert [(batch.tolist(), batch.device) for batch in loader] == [([i], device) for i in range(20, 25)]
    assert (loader.batch_size, loader.drop_last, loader.num_workers, loader.pin_memory) == (1, False, 0, False)
    assert type(loader.sampler) is torch.utils.data.SequentialSampler


@given(size=st.integers(0, 12), batch_size=st.integers(1, 13), drop_last=st.booleans(), shuffle=st.booleans())
@example(size=6, batch_size=3, drop_last=True, shuffle=False)
def test_batches_for_every_size(device, size, batch_size, drop_last, shuffle):
    """Every sample comes exactly once an epoch, in full batches and at most a last short one; `drop_last=True` leaves
    that out.

    So there are ceil(N/B) batches, or floor(N/B) with `drop_last`, and `len(loader)` says so.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.DataLoader
    """
    size += shuffle  # an empty dataset cannot be shuffled
    x = torch.arange(size, device=device)
    loader = DataLoader(TensorDataset(x, -x), batch_size=batch_size, drop_last=drop_last, shuffle=shuffle)

    for _ in range(2):
        batches = [(first.tolist(), second.tolist()) for first, second in loader]
        seen = [i for first, _ in batches for i in first]
        whole, rest = divmod(size, batch_size)

        assert [len(first) for first, _ in batches] == [batch_size] * whole + [rest] * (rest > 0 and not drop_last)
        assert len(loader) == len(batches) == (size // batch_size if drop_last else math.ceil(size / batch_size))
        assert [-i for i in seen] == [i for _, second in batches for i in second]
        assert len(set(seen)) == len(seen)
        assert shuffle or seen == list(range(len(seen)))
        assert set(seen) <= set(range(size))


def test_a_batch_of_pairs_is_a_list(device):
    """Samples that are tuples come out as a list, one tensor for each place: `for x, y in loader` unpacks it, on the
    device of the data.

    The batch is dimension 0. A DataLoader moves nothing: for data on the CPU, call `.to(device)` in the loop.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.default_collate
    """
    x = torch.arange(6.0, device=device).reshape(3, 2)
    y = torch.tensor([7, 8, 9], device=device)

    first, last = DataLoader(TensorDataset(x, y), batch_size=2)

    assert (type(first), type(last)) == (list, list)
    assert [part.tolist() for part in first] == [[[0, 1], [2, 3]], [7, 8]]
    assert [part.tolist() for part in last] == [[[4, 5]], [9]]
    assert [(part.dtype, part.device) for part in first] == [(torch.float32, device), (torch.int64, device)]


def test_next_iter_is_always_the_first_batch(device):
    """`iter(loader)` starts a new epoch: `next(iter(loader))` in a loop sees only first batches, and a loop that was
    left with `break` does not go on later.

    https://docs.python.org/3/library/functions.html#iter
    """
    loader = DataLoader(torch.arange(6, device=device), batch_size=2)

    again = [next(iter(loader)).tolist() for _ in range(3)]
    iterator = iter(loader)
    onwards = [next(iterator).tolist() for _ in range(3)]

    assert again == [[0, 1], [0, 1], [0, 1]]
    assert onwards == [[0, 1], [2, 3], [4, 5]]
    with pytest.raises(StopIteration):
        next(iterator)


# On the CPU, where numbers and arrays become tensors. A tensor's batch is where the tensor is: see the next but one.
@pytest.mark.parametrize(
    ("samples", "values", "dtype"),
    [
        ([1, 2], [1, 2], torch.int64),
        ([0.5, 1.5], [0.5, 1.5], torch.float64),
        ([True, False], [True, False], torch.bool),
        ([np.float32(0.5), np.float32(1.5)], [0.5, 1.5], torch.float32),
        ([np.int32(1), np.int32(2)], [1, 2], torch.int32),
        ([np.array([1, 2], dtype=np.uint8), np.array([3, 4], dtype=np.uint8)], [[1, 2], [3, 4]], torch.uint8),
        ([np.array([0.5]), np.array([1.5])], [[0.5], [1.5]], torch.float64),
        ([torch.tensor(0.5), torch.tensor(1.5)], [0.5, 1.5], torch.float32),
        ([torch.tensor([1, 2]).half(), torch.tensor([3, 4]).half()], [[1, 2], [3, 4]], torch.float16),
    ],
    ids=["int", "float", "bool", "np.float32", "np.int32", "uint8 array", "array", "tensor", "half tensor"],
)
def test_what_becomes_of_a_sample(samples, values, dtype):
    """Ints become int64, floats float64, bools bool; NumPy values and tensors keep their dtype and are stacked along a
    new dimension 0.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.default_collate
    """
    (batch,) = DataLoader(samples, batch_size=2)

    assert (batch.tolist(), batch.dtype) == (values, dtype)
    assert (default_collate(samples).tolist(), default_collate(samples).dtype) == (values, dtype)


# On the CPU: mps has no float64.
def test_python_floats_do_not_fit_a_model():
    """A Dataset that answers with Python floats, or NumPy's default floats, gives batches in float64, which a float32
    model refuses.

    Answer with float32 tensors, or call `.float()` on the batch.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.default_collate
    """
    (of_floats,) = DataLoader([0.5, 1.5], batch_size=2)
    (of_arrays,) = DataLoader([np.array([0.5, 1.5]), np.array([2.5, 3.5])], batch_size=2)
    model = nn.Linear(2, 1)

    for batch in (of_floats.reshape(1, 2), of_arrays):
        with pytest.raises(RuntimeError, match="dtype"):
            model(batch)
        assert model(batch.float()).dtype == torch.float32


def test_containers_keep_their_names(device):
    """Dicts stay dicts, namedtuples stay namedtuples, and tuples become lists, to any depth; strings are listed as they
    are.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.default_collate
    """
    Point = namedtuple("Point", ["x", "y"])
    samples = [
        {"name": "a", "at": Point(1, 2), "more": (torch.tensor([1, 2], device=device), {"size": 3})},
        {"name": "b", "at": Point(4, 5), "more": (torch.tensor([3, 4], device=device), {"size": 6})},
    ]

    (batch,) = DataLoader(samples, batch_size=2)

    assert (type(batch), list(batch)) == (dict, ["name", "at", "more"])
    assert batch["name"] == ["a", "b"]
    assert type(batch["at"]).__name__ == "Point"
    assert (batch["at"].x.tolist(), batch["at"].y.tolist()) == ([1, 4], [2, 5])
    assert type(batch["more"]) is list
    assert (batch["more"][0].tolist(), batch["more"][0].device) == ([[1, 2], [3, 4]], device)
    assert (batch["more"][1]["size"].tolist(), batch["more"][1]["size"].dtype) == ([3, 6], torch.int64)
    assert type(default_collate([Point(1, 2), Point(4, 5)])).__name__ == "Point"
    assert (samples[0]["name"], samples[1]["at"]) == ("a", Point(4, 5))  # the batch is a new dict
    assert list(DataLoader(["a", "b", "c"], batch_size=2)) == [["a", "b"], ["c"]]


@pytest.mark.holds("torch>=2.9", otherwise=(TypeError, DeprecationWarning))
def test_numpy_truth_values_make_a_batch():
    """From torch 2.9 on, NumPy's truth values, such as `array[i] > 0`, are put together to bool; before, NumPy 2 raises
    TypeError there and NumPy 1 announces one.

    `bool(array[i] > 0)` works with any torch and any NumPy.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.default_collate
    """
    array = np.array([0.5, -0.5])
    samples = [array[0] > 0, array[1] > 0]

    with warnings.catch_warnings():
        warnings.simplefilter("error")  # the announcement of NumPy 1
        (batch,) = DataLoader(samples, batch_size=2)

    assert (batch.tolist(), batch.dtype) == ([True, False], torch.bool)
    assert type(samples[0]) is np.bool_


@pytest.mark.myth("a batch of lists is a matrix with a row for each sample")
def test_lists_of_numbers_are_turned_round(device):
    """A sample that is a list of numbers is not a row: the batch is a list with one tensor for each place, of the
    values of all samples there.

    Make the sample a tensor or an array to get a matrix.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.default_collate
    """
    samples = [[1, 2, 3], [4, 5, 6]]

    (of_lists,) = DataLoader(samples, batch_size=2)
    (of_arrays,) = DataLoader([np.array(sample) for sample in samples], batch_size=2)
    (of_tensors,) = DataLoader([torch.tensor(sample, device=device) for sample in samples], batch_size=2)

    assert type(of_lists) is list
    assert [column.tolist() for column in of_lists] == [[1, 4], [2, 5], [3, 6]]
    assert of_arrays.tolist() == of_tensors.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert of_tensors.device == device


@pytest.mark.parametrize(
    ("samples", "error", "message"),
    [
        ([torch.zeros(2), torch.zeros(3)], RuntimeError, "stack expects each tensor to be equal size"),
        ([np.zeros((2, 3)), np.zeros((3, 2))], RuntimeError, "stack expects each tensor to be equal size"),
        ([[1, 2], [3]], RuntimeError, "each element in list of batch should be of equal size"),
        ([None, None], TypeError, "NoneType"),
        ([{1}, {2}], TypeError, "set"),
        ([np.array(["a"]), np.array(["b"])], TypeError, "must contain tensors, numpy arrays, numbers, dicts or lists"),
        ([{"a": 1}, {"b": 1}], KeyError, "a"),
    ],
    ids=["tensors", "arrays", "lists", "None", "set", "array of strings", "dicts"],
)
def test_what_makes_no_batch(samples, error, message):
    """Samples of different shape raise RuntimeError, and what is no tensor, array, number, string, dict or sequence
    raises TypeError.

    `None` for a sample that could not be read is the common case: leave it out in a `collate_fn` of your own.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.default_collate
    """
    with pytest.raises(error, match=message):
        next(iter(DataLoader(samples, batch_size=2)))


def test_collate_fn_makes_the_batch(device):
    """`collate_fn` gets the list of samples and returns the batch, whatever that may be: here texts of different length
    are padded.

    https://docs.pytorch.org/docs/stable/data.html#working-with-collate-fn
    """
    samples = [torch.tensor([1, 2, 3], device=device), torch.tensor([4], device=device), None]

    def pad(samples):
        there = [sample for sample in samples if sample is not None]
        lengths = torch.tensor([len(sample) for sample in there])
        return nn.utils.rnn.pad_sequence(there, batch_first=True), lengths

    ((batch, lengths),) = DataLoader(samples, batch_size=3, collate_fn=pad)

    assert batch.tolist() == [[1, 2, 3], [4, 0, 0]]
    assert (batch.device, lengths.tolist()) == (device, [3, 1])


def test_batch_size_none_turns_batching_off(device):
    """With `batch_size=None` each sample comes by itself, without a new dimension, its arrays as tensors and its
    numbers as they are.

    That is for data which are stored in batches already. A batch size of 1 adds a dimension.

    https://docs.pytorch.org/docs/stable/data.html#disable-automatic-batching
    """
    samples = [torch.tensor([4, 5], device=device), np.array([1, 2, 3]), {"number": 0.5, "array": np.array([3])}]

    tensor, array, mapping = DataLoader(samples, batch_size=None)
    batch_of_one = next(iter(DataLoader(samples, batch_size=1)))

    assert (tensor.tolist(), tensor.device) == ([4, 5], device)
    assert (type(array), array.tolist()) == (torch.Tensor, [1, 2, 3])
    assert (type(mapping["number"]), mapping["number"]) == (float, 0.5)
    assert (type(mapping["array"]), mapping["array"].tolist()) == (torch.Tensor, [3])
    assert batch_of_one.tolist() == [[4, 5]]


def test_shuffle_is_new_each_epoch(device):
    """`shuffle=True` makes a new permutation for each epoch, and everything comes exactly once in each.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.RandomSampler
    """
    loader = DataLoader(torch.arange(50, device=device), batch_size=50, shuffle=True)

    epochs = [next(iter(loader)).tolist() for _ in range(3)]

    assert len({tuple(epoch) for epoch in [*epochs, range(50)]}) == 4
    assert [sorted(epoch) for epoch in epochs] == [list(range(50))] * 3


@given(size=st.integers(1, 12), seed=st.integers(0, 2**32 - 1))
def test_a_seeded_generator_fixes_the_epochs_for_every_seed(device, size, seed):
    """For every seed, two loaders with generators of that seed give the same epochs, whatever the global seed, and
    leave the global generator alone.

    The generator is one of the CPU, wherever the data are. Without it a loader follows `torch.manual_seed`, and all
    that was drawn since.

    https://docs.pytorch.org/docs/stable/notes/randomness.html#dataloader
    """

    def epochs(**arguments):
        loader = DataLoader(torch.arange(size, device=device), batch_size=size, shuffle=True, **arguments)
        return [next(iter(loader)).tolist() for _ in range(3)]

    torch.manual_seed(1)
    one = epochs(generator=torch.Generator().manual_seed(seed))
    untouched = torch.rand(1)
    other = epochs(generator=torch.Generator().manual_seed(seed))

    assert one == other
    assert [sorted(epoch) for epoch in one] == [list(range(size))] * 3
    assert torch.equal(untouched, torch.rand(1, generator=torch.Generator().manual_seed(1)))
    torch.manual_seed(seed)
    by_global_seed = epochs()
    torch.manual_seed(seed)
    assert epochs() == by_global_seed


def test_a_loop_draws_a_random_number(device):
    """Each loop over a DataLoader draws a number from torch's global generator on the CPU, for its workers, even
    without workers, and a second one to shuffle.

    So an extra look at the test data changes what comes after it: the next shuffle, and dropout on the CPU. (A GPU has
    a generator of its own.) A `generator=` of the loader's own prevents that.

    https://docs.pytorch.org/docs/stable/notes/randomness.html#dataloader
    """

    def draw_after(loops, **arguments):
        loader = DataLoader(torch.arange(4, device=device), **arguments)
        torch.manual_seed(0)
        for _ in range(loops):
            list(loader)
        return torch.randint(2**31, ()).item()

    def draw_after_numbers(count):
        torch.manual_seed(0)
        for _ in range(count):
            torch.empty((), dtype=torch.int64).random_()
        return torch.randint(2**31, ()).item()

    assert len({draw_after_numbers(count) for count in range(5)}) == 5
    assert [draw_after(loops) for loops in range(3)] == [draw_after_numbers(count) for count in (0, 1, 2)]
    assert [draw_after(loops, shuffle=True) for loops in range(3)] == [draw_after_numbers(count) for count in (0, 2, 4)]
    assert draw_after(2, generator=torch.Generator()) == draw_after(0)


def test_a_sampler_gives_the_order(device):
    """`sampler=` takes any iterable of indices and asks for these samples in this order; `batch_sampler=` takes
    iterables of whole batches.

    https://docs.pytorch.org/docs/stable/data.html#data-loading-order-and-sampler
    """
    x = torch.tensor([10, 11, 12, 13], device=device)

    by_sampler = DataLoader(x, batch_size=2, sampler=[3, 0, 3])
    by_batch_sampler = DataLoader(x, batch_sampler=[[2], [1, 0, 3]])

    assert [batch.tolist() for batch in by_sampler] == [[13, 10], [13]]
    assert [batch.tolist() for batch in by_batch_sampler] == [[12], [11, 10, 13]]
    assert (len(by_sampler), len(by_batch_sampler)) == (2, 2)


def test_weighted_sampler_balances(device):
    """`WeightedRandomSampler` draws with replacement in proportion to weights that are one for each sample, not for
    each class.

    Weights of 1 / (size of the class) make rare classes as frequent as common ones. Rare samples then come often in one
    epoch and some common ones not at all.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.WeightedRandomSampler
    """
    y = torch.tensor([0] * 90 + [1] * 10, device=device)
    weights = (1 / y.bincount()[y]).tolist()  # the sampler draws on the CPU, in float64, which mps has not

    drawn = y[list(WeightedRandomSampler(weights, num_samples=2500))]

    share = drawn.sum().item() / len(drawn)
    standard_error = 0.5 / math.sqrt(2500)
    assert len(drawn) == 2500
    assert abs(share - 0.5) < 6 * standard_error
    assert set(WeightedRandomSampler([0.0, 2.0, 0.0, 1.0], num_samples=100)) == {1, 3}
    assert sorted(WeightedRandomSampler(range(1, 21), num_samples=20, replacement=False)) == list(range(20))


class Backwards(Sampler):
    """The order from the last sample to the first; hands `arguments` to the base class."""

    def __init__(self, size, *arguments):
        super().__init__(*arguments)
        self.size = size

    def __iter__(self):
        return iter(range(self.size)[::-1])


@pytest.mark.holds("torch>=2.1", otherwise=TypeError)
def test_a_sampler_of_your_own_starts_without_arguments(device):
    """In a Sampler of your own, `super().__init__()` needs no argument from torch 2.1 on; torch 2.0 wants the data, or
    raises TypeError.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.Sampler
    """
    x = torch.tensor([10, 11, 12], device=device)

    batches = list(DataLoader(x, sampler=Backwards(3), batch_size=2))

    assert [batch.tolist() for batch in batches] == [[12, 11], [10]]


@pytest.mark.holds("torch>=2.10", otherwise=(UserWarning, AssertionError))
def test_a_sampler_does_not_take_the_data():
    """From torch 2.10 on, `super().__init__(data)` in a Sampler raises TypeError; 2.1 to 2.9 warn, and 2.0 wants it.

    Without a call of `super().__init__`, for which there is nothing to do, a sampler works in all of them.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.Sampler
    """

    class Forwards(Backwards):
        def __init__(self, size):
            self.size = size

    with pytest.raises(TypeError):
        Backwards(3, [10, 11, 12])
    assert list(Forwards(3)) == [2, 1, 0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "batch_size should be a positive integer"),
        ({"batch_size": 2.5}, "batch_size should be a positive integer"),
        ({"shuffle": True, "sampler": [0]}, "mutually exclusive with shuffle"),
        ({"batch_sampler": [[0]], "batch_size": 2}, "mutually exclusive with batch_size"),
        ({"batch_size": None, "drop_last": True}, "mutually exclusive with drop_last"),
        ({"num_workers": -1}, "non-negative"),
        ({"prefetch_factor": 2}, "num_workers > 0"),
        ({"persistent_workers": True}, "num_workers > 0"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_arguments_that_contradict_each_other(arguments, message):
    """Arguments of a DataLoader that contradict each other, or mean nothing together, raise ValueError when it is made.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.DataLoader
    """
    with pytest.raises(ValueError, match=message):
        DataLoader([10, 11], **arguments)


def test_a_loader_is_not_changed_afterwards(device):
    """A DataLoader's batch size cannot be set later: that raises ValueError, because the sampler was built with the
    old one, so make a new loader.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.DataLoader
    """
    loader = DataLoader(torch.arange(4, device=device), batch_size=2)

    for name, value in [("batch_size", 4), ("sampler", [0]), ("drop_last", True), ("dataset", range(8))]:
        with pytest.raises(ValueError, match=f"{name} attribute should not be set"):
            setattr(loader, name, value)
    assert [batch.tolist() for batch in loader] == [[0, 1], [2, 3]]


def test_nothing_to_load(device):
    """An empty dataset gives no batches and no error; shuffled, it raises ValueError when the loader is made.

    A glob that found no files can thus look like a very fast epoch.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.DataLoader
    """
    for nothing in ([], torch.zeros(0, 3, device=device)):
        loader = DataLoader(nothing, batch_size=4)

        assert (list(loader), len(loader)) == ([], 0)
        with pytest.raises(ValueError, match="num_samples=0"):
            DataLoader(nothing, shuffle=True)


def test_getitems_fetches_a_batch_at_once(device):
    """A Dataset that has `__getitems__` is asked once a batch, with the list of indices, instead of once a sample.

    For data that are cheaper to read in one go. It returns a list of samples, which is collated as ever.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.Dataset
    """
    asked = []
    squares = torch.tensor([0, 1, 4, 9, 16], device=device)

    class Many(Squares):
        def __getitems__(self, indices):
            asked.append(indices)
            return list(squares[indices])

    batches = list(DataLoader(Many(5), batch_size=3))

    assert asked == [[0, 1, 2], [3, 4]]
    assert [batch.tolist() for batch in batches] == [[0, 1, 4], [9, 16]]


@pytest.mark.holds("torch>=2.1", otherwise=AssertionError)
def test_a_subset_hands_getitems_on(device):
    """From torch 2.1 on, a `Subset`, and so a part from `random_split`, asks the dataset's `__getitems__` for a whole
    batch, by the dataset's own indices; before, it asks for one sample after the other.

    Both give the same batches. A dataset that is slow sample by sample was slow again as soon as it was split.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.Subset
    """
    asked = []
    squares = torch.tensor([0, 1, 4, 9, 16], device=device)

    class Many(Squares):
        def __getitem__(self, i):
            return squares[i]

        def __getitems__(self, indices):
            asked.append(list(indices))
            return list(squares[indices])

    batches = list(DataLoader(Subset(Many(5), [4, 1, 3]), batch_size=2))

    assert asked == [[4, 1], [3]]
    assert [batch.tolist() for batch in batches] == [[16, 1], [9]]


def test_batches_move_in_one_line(device):
    """What a DataLoader makes of data on the CPU is on the CPU: one line in the loop moves a batch, and the data stay
    where they are.

    So the device has to hold one batch and not all data. The line is `x, y = x.to(device), y.to(device)`.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.DataLoader
    """
    features, labels = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), torch.tensor([7, 8, 9])
    moved = []

    for x, y in DataLoader(TensorDataset(features, labels), batch_size=2):
        assert {x.device, y.device} == {torch.device("cpu")}
        x, y = x.to(device), y.to(device)
        moved.append((x, y))

    assert [(x.tolist(), y.tolist()) for x, y in moved] == [([[1, 2], [3, 4]], [7, 8]), ([[5, 6]], [9])]
    assert {(x.device, y.device, x.dtype, y.dtype) for x, y in moved} == {(device, device, torch.float32, torch.int64)}
    assert {features.device, labels.device} == {torch.device("cpu")}


def test_the_generator_of_a_loader_is_one_of_the_cpu(accelerator):
    """A DataLoader draws on the CPU, wherever the data are: a generator of an accelerator raises RuntimeError when the
    loop starts.

    https://docs.pytorch.org/docs/stable/generated/torch.Generator.html
    """
    x = torch.arange(4, device=accelerator)

    (shuffled,) = DataLoader(x, batch_size=4, shuffle=True, generator=torch.Generator())
    loader = DataLoader(x, shuffle=True, generator=torch.Generator(device=accelerator))
    with pytest.raises(RuntimeError, match="device type for generator"):
        next(iter(loader))

    assert sorted(shuffled.tolist()) == [0, 1, 2, 3]
    assert shuffled.device == accelerator


def test_a_default_device_breaks_shuffling(accelerator):
    """With an accelerator as default device, `shuffle=True` raises RuntimeError: the loader's own generator is one of
    the CPU, but its numbers are now to be drawn on the accelerator.

    Give it `generator=torch.Generator(device=...)` of that device, or better, set no default device: name it.

    https://docs.pytorch.org/docs/stable/generated/torch.set_default_device.html
    """
    with torch.device(accelerator):
        with pytest.raises(RuntimeError, match="device type for generator"):
            next(iter(DataLoader(range(4), shuffle=True)))
        generator = torch.Generator(device=accelerator)
        (shuffled,) = DataLoader(range(4), batch_size=4, shuffle=True, generator=generator)

    assert sorted(shuffled.tolist()) == [0, 1, 2, 3]


@pytest.mark.myth("pin_memory=True loads batches to the GPU")
def test_pin_memory_moves_nothing():
    """`pin_memory=True` leaves the batch on the CPU, in page-locked memory where there is CUDA, and without an
    accelerator it does nothing.

    It is your loop that moves it. Other accelerators pin in new releases only, or not at all, and then torch warns.

    https://docs.pytorch.org/docs/stable/data.html#memory-pinning
    """
    loader = DataLoader(TensorDataset(torch.tensor([1.0, 2.0, 3.0])), batch_size=2, pin_memory=True)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        batches = [batch for (batch,) in loader]

    assert [(batch.tolist(), batch.device.type) for batch in batches] == [([1, 2], "cpu"), ([3], "cpu")]
    assert all("pin_memory" in str(warning.message) for warning in caught)  # the next note tells more
    pinned = {batch.is_pinned() for batch in batches}
    assert pinned == {torch.cuda.is_available()} or torch.xpu.is_available()  # xpu pins from torch 2.7 on
    assert pinned == {False} or UserWarning not in {warning.category for warning in caught}


@pytest.mark.holds("torch>=2.7", otherwise=(AttributeError, AssertionError))
def test_pin_memory_without_an_accelerator_warns(monkeypatch):
    """From torch 2.7 on, `pin_memory=True` warns on a machine without an accelerator that it does nothing; before, it
    does nothing without a word.

    `pin_memory=torch.cuda.is_available()` is quiet in all releases.

    https://docs.pytorch.org/docs/stable/data.html#memory-pinning
    """
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)  # wherever this runs
    loader = DataLoader(torch.tensor([1, 2, 3]), batch_size=2, pin_memory=True)

    with pytest.warns(UserWarning, match="no accelerator is found"):
        batches = list(loader)

    assert [batch.tolist() for batch in batches] == [[1, 2], [3]]
    assert [batch.is_pinned() for batch in batches] == [False, False]


@pytest.mark.holds("torch>=2.9", otherwise=RuntimeError)
def test_pin_memory_device_is_ignored():
    """From torch 2.9 on, `pin_memory_device=` warns and is ignored, whatever it says; before, it named the kind of
    device that memory is pinned for.

    CUDA never needed it. For another kind of accelerator than CUDA, releases before 2.7 do.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.DataLoader
    """
    loader = DataLoader(torch.tensor([1, 2, 3]), batch_size=2, pin_memory=True, pin_memory_device="toaster")

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        batches = list(loader)

    assert [batch.tolist() for batch in batches] == [[1, 2], [3]]
    told = [warning.category for warning in caught if "pin_memory_device is deprecated" in str(warning.message)]
    assert set(told) == {UserWarning}


@pytest.mark.only("cuda", because="which other devices pin memory, and how, differs from release to release")
def test_pin_memory_copies_into_locked_pages(accelerator):
    """On a machine with CUDA, `tensor.pin_memory()` is a copy in memory that the system never swaps out, still on the
    CPU; a tensor that is pinned comes back as it is.

    `is_pinned()` tells. What is made of a pinned tensor, such as a clone, is not pinned.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.pin_memory.html
    """
    tensor = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])

    pinned = tensor.pin_memory()
    tensor[0, 0] = 7

    assert (tensor.is_pinned(), pinned.is_pinned(), torch.zeros(2, pin_memory=True).is_pinned()) == (False, True, True)
    assert (pinned.device, pinned.dtype, pinned.tolist()) == (tensor.device, torch.float32, [[1, 2, 3], [4, 5, 6]])
    assert pinned.pin_memory().data_ptr() == pinned.data_ptr()
    assert not pinned.clone().is_pinned()
    assert pinned.to(accelerator).tolist() == [[1, 2, 3], [4, 5, 6]]


@pytest.mark.only("cuda", because="which other devices pin memory, and how, differs from release to release")
def test_pinned_batches_keep_their_form(accelerator):
    """On a machine with CUDA, `pin_memory=True` pins every tensor of a batch, to any depth, and leaves the rest as it
    is.

    What a `collate_fn` makes of a class of its own needs a method `pin_memory`.

    https://docs.pytorch.org/docs/stable/data.html#memory-pinning
    """
    samples = [{"x": torch.tensor([1.0, 2.0]), "more": (3, "a")}, {"x": torch.tensor([4.0, 5.0]), "more": (6, "b")}]

    (pageable,) = DataLoader(samples, batch_size=2)
    (batch,) = DataLoader(samples, batch_size=2, pin_memory=True)

    assert (batch["x"].tolist(), batch["more"][0].tolist()) == ([[1, 2], [4, 5]], [3, 6])
    assert (list(batch), list(batch["more"][1])) == (["x", "more"], ["a", "b"])
    assert (batch["x"].is_pinned(), batch["more"][0].is_pinned(), batch["x"].device.type) == (True, True, "cpu")
    assert (pageable["x"].is_pinned(), pageable["more"][0].is_pinned()) == (False, False)
    assert not samples[0]["x"].is_pinned()


@pytest.mark.only("cuda", because="which other devices pin memory, and how, differs from release to release")
def test_a_copy_to_the_gpu_that_nobody_waits_for_is_right(accelerator):
    """`pinned.to("cuda", non_blocking=True)` may return before the copy is done, and what you compute with the result
    is right all the same: the GPU takes its orders in turn.

    Only the CPU must not write to the pinned tensor before the copy is done; `torch.cuda.synchronize()` waits for it.

    https://docs.pytorch.org/tutorials/intermediate/pinmem_nonblock.html
    """
    pinned = torch.arange(1000.0).pin_memory()

    with torch.cuda.device(accelerator):
        copy = pinned.to(accelerator, non_blocking=True)
        doubled = copy * 2
        torch.cuda.synchronize()
        pinned.fill_(-1)  # not before

    assert (copy.device, doubled.device) == (accelerator, accelerator)
    assert copy.tolist() == list(range(1000))
    assert doubled.tolist() == list(range(0, 2000, 2))


@pytest.mark.only("cuda", because="which other devices pin memory, and how, differs from release to release")
@pytest.mark.myth("what is on the CPU can be read")
def test_a_copy_from_the_gpu_that_nobody_waits_for_comes_late(accelerator):
    """`tensor.to("cpu", non_blocking=True)` from CUDA gives a tensor on the CPU at once, whose numbers arrive later:
    wait before you read them.

    Reading too early raises nothing and gives whatever is there. Without `non_blocking` the call waits by itself.

    https://docs.pytorch.org/tutorials/intermediate/pinmem_nonblock.html
    """
    x = torch.arange(1000.0, device=accelerator)
    pending = []

    with torch.cuda.device(accelerator):
        for _ in range(3):  # the first round also loads and allocates, which may wait
            torch.cuda._sleep(10_000_000)  # cycles, a few milliseconds in which the GPU gets to nothing else
            late = (x * 2).to("cpu", non_blocking=True)
            event = torch.cuda.Event()
            event.record()
            pending.append(not event.query())
            torch.cuda.synchronize()

            assert late.tolist() == list(range(0, 2000, 2))

        assert any(pending)
        torch.cuda._sleep(10_000_000)
        at_once = (x * 2).to("cpu")  # waits, so there is nothing left to do
        assert torch.cuda.current_stream().query()

    assert at_once.tolist() == late.tolist()
    assert (late.device.type, late.is_pinned(), at_once.is_pinned()) == ("cpu", True, False)


class Stream(IterableDataset):
    """A stream of numbers; with `shared`, each worker gives every so-manieth of them."""

    def __init__(self, numbers, shared=False):
        self.numbers = numbers
        self.shared = shared

    def __iter__(self):
        worker = get_worker_info()
        if self.shared and worker is not None:
            return iter(self.numbers[worker.id :: worker.num_workers])
        return iter(self.numbers)


def test_an_iterable_dataset_has_no_length_and_no_order(device):
    """An IterableDataset is a stream: without a `__len__` of its own the loader has no `len`, and `shuffle` or a
    `sampler` raises ValueError.

    Its batches are cut as the stream comes. Shuffle inside it, for example in a buffer.

    https://docs.pytorch.org/docs/stable/data.html#iterable-style-datasets
    """
    stream = Stream(torch.arange(6, device=device))
    loader = DataLoader(stream, batch_size=4)

    for _ in range(2):
        assert [batch.tolist() for batch in loader] == [[0, 1, 2, 3], [4, 5]]
    assert [batch.tolist() for batch in DataLoader(stream, batch_size=4, drop_last=True)] == [[0, 1, 2, 3]]
    with pytest.raises(TypeError, match="has no len"):
        len(loader)
    with pytest.raises(ValueError, match="shuffle"):
        DataLoader(stream, shuffle=True)
    with pytest.raises(ValueError, match="sampler"):
        DataLoader(stream, sampler=[0, 1])


# With workers, everything is on the CPU: a process that was forked cannot use CUDA.
def test_workers_repeat_a_stream():
    """Each worker has a copy of an IterableDataset, so two workers give everything twice, unless `__iter__` shares it
    out.

    `get_worker_info()` tells a worker its number and how many there are; in the main process it is None.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.IterableDataset
    """
    stream = Stream(range(3)) + Stream(range(10, 15), shared=True)  # one after the other

    seen = Counter(DataLoader(stream, batch_size=None, num_workers=2))

    assert seen == {0: 2, 1: 2, 2: 2, 10: 1, 11: 1, 12: 1, 13: 1, 14: 1}
    assert get_worker_info() is None
    assert list(DataLoader(stream, batch_size=None)) == [0, 1, 2, 10, 11, 12, 13, 14]


class Overtaken(Squares):
    """Sample i and the worker that was asked for it. Number 0 waits until the other worker has come to number 6."""

    def __init__(self, size):
        super().__init__(size)
        self.further = multiprocessing.Event()

    def __getitem__(self, i):
        if i == 6:
            self.further.set()
        if i == 0:
            self.further.wait(timeout=10)
        return i, get_worker_info().id


def test_workers_keep_the_order():
    """Two workers take turns, a batch each, and the batches come in order even where the second overtakes the first.

    One slow batch holds up all that come after it.

    https://docs.pytorch.org/docs/stable/data.html#single-and-multi-process-data-loading
    """
    loader = DataLoader(Overtaken(8), batch_size=2, num_workers=2)

    batches = [(i.tolist(), worker.tolist()) for i, worker in loader]

    assert batches == [([0, 1], [0, 0]), ([2, 3], [1, 1]), ([4, 5], [0, 0]), ([6, 7], [1, 1])]


@pytest.mark.holds("torch>=2.6", otherwise=TypeError)
def test_in_order_false_is_for_workers(device):
    """From torch 2.6 on, `in_order=False` lets a fast worker's batches come before a slow one's; without workers, where
    nobody overtakes, batches come in order whatever it says.

    With workers the order then depends on the clock, and the same seed no longer gives the same epoch. Before 2.6 a
    DataLoader does not know that argument and raises TypeError.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.DataLoader
    """
    x = torch.arange(4, device=device)
    loader = DataLoader(x, batch_size=2, in_order=False)

    assert (loader.in_order, DataLoader(x).in_order) == (False, True)
    assert [batch.tolist() for batch in loader] == [[0, 1], [2, 3]]


class Unreadable(Squares):
    """Number 3 cannot be read, and number 7 cannot be decoded."""

    def __getitem__(self, i):
        if i == 3:
            raise ValueError(f"sample {i} is broken")
        if i == 7:
            b"\xff".decode("utf-8")
        return i


def test_an_exception_in_a_worker_reaches_you():
    """An exception in a worker is raised in the loop, with the traceback of the worker in its text, and with its own
    type where a text is enough to make one.

    A UnicodeDecodeError wants more than a text, and comes as RuntimeError. The batch is lost, the worker lives on: an
    iterator that is asked again goes on with the next batch.

    https://docs.pytorch.org/docs/stable/data.html#single-and-multi-process-data-loading
    """
    iterator = iter(DataLoader(Unreadable(10), batch_size=2, num_workers=1))

    assert next(iterator).tolist() == [0, 1]
    with pytest.raises(ValueError, match="sample 3 is broken") as caught:
        next(iterator)
    assert next(iterator).tolist() == [4, 5]
    with pytest.raises(RuntimeError, match="Caught UnicodeDecodeError"):
        next(iterator)
    rest = [batch.tolist() for batch in iterator]  # to the end, where the worker stops

    assert "in DataLoader worker process 0" in str(caught.value)
    assert "in __getitem__" in str(caught.value)
    assert rest == [[8, 9]]
