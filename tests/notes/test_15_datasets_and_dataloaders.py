"""Datasets and DataLoaders: from single samples to batches.

After this section you can write a Dataset, split it, and say which batches a DataLoader makes of it: how many, in which
order, of which type, dtype and device. You will know which mistakes raise, and when, and which pass silently: a sample
that is changed for good, a key that is dropped, a stream that comes twice. You can repeat a shuffled epoch from a seed,
and you know what changes when worker processes or pinned memory come in.
"""

import itertools
import math
import multiprocessing
import os
import pickle
import subprocess
import sys
import warnings
from collections import Counter, defaultdict, namedtuple
from multiprocessing.reduction import ForkingPickler

import numpy as np
import pytest
import torch
from hypothesis import example, given, strategies as st
from torch import nn
from torch.utils.data import (
    ChainDataset,
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    Sampler,
    Subset,
    TensorDataset,
    WeightedRandomSampler,
    default_collate,
    get_worker_info,
    random_split,
)

# A Dataset: how many samples are there, and which is number i?


class Squares(Dataset):
    """Number i and its square, for i from 0 on."""

    def __init__(self, size):
        self.size = size

    def __len__(self):
        return self.size

    def __getitem__(self, i):
        return i, i * i


def test_a_dataset_is_len_and_getitem():
    """A Dataset of `__len__` and `__getitem__` can be loaded: `DataLoader(dataset, batch_size=2)` asks it for the
    indices 0 to `len(dataset) - 1`, in order, and puts the samples together in batches.

    Read the file or the row in `__getitem__`, not in `__init__`: a sample is then read when its batch is made, and the
    data need not fit into memory.

    https://docs.pytorch.org/tutorials/beginner/basics/data_tutorial.html
    """
    asked = []

    class Asked(Squares):
        def __getitem__(self, i):
            asked.append(i)
            return super().__getitem__(i)

    loader = DataLoader(Asked(5), batch_size=2)
    assert asked == []

    batches = [[part.tolist() for part in batch] for batch in loader]

    assert batches == [[[0, 1], [0, 1]], [[2, 3], [4, 9]], [[4], [16]]]
    assert asked == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    "dataset",
    [[3, 2, 1], (3, 2, 1), np.array([3, 2, 1], dtype=np.int64), torch.tensor([3, 2, 1]), range(3, 0, -1)],
    ids=["list", "tuple", "array", "tensor", "range"],
)
def test_any_sequence_will_do(dataset):
    """The numbers 3, 2, 1 in a list, a tuple, an int64 array, a tensor or a `range` are a dataset for a DataLoader: no
    base class is needed.

    A generator raises TypeError because it has no length, and the dict `{"a": 3}` raises KeyError because it is asked
    for its key 0. Write `list(generator)`, or an IterableDataset.

    https://docs.pytorch.org/docs/stable/data.html#map-style-datasets
    """
    batches = list(DataLoader(dataset, batch_size=2))

    assert [(batch.tolist(), batch.dtype) for batch in batches] == [([3, 2], torch.int64), ([1], torch.int64)]
    with pytest.raises(TypeError, match="has no len"):
        next(iter(DataLoader(number for number in dataset)))
    with pytest.raises(KeyError, match="0"):
        next(iter(DataLoader({"a": 3})))


def test_what_is_missing_shows_late():
    """Without `sampler` and `batch_sampler`, a Dataset of `__getitem__` alone raises TypeError: with `shuffle=True`
    when the DataLoader is made, else when the loop starts.

    A sampler that says which samples to take makes `__len__` superfluous. A Dataset of `__len__` alone raises
    NotImplementedError at the first batch. An IterableDataset without `__iter__` raises NotImplementedError, too, or,
    in a newer torch, TypeError when it is made: "Can't instantiate abstract class". Load one batch before you start a
    long run: `next(iter(loader))`.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.Dataset
    """

    class NoGetitem(Dataset):
        def __len__(self):
            return 3

    class NoLen(Dataset):
        def __getitem__(self, i):
            return i

    loader = DataLoader(NoLen())
    with pytest.raises(TypeError, match="has no len"):
        next(iter(loader))
    with pytest.raises(TypeError, match="has no len"):
        DataLoader(NoLen(), shuffle=True)
    assert [batch.tolist() for batch in DataLoader(NoLen(), sampler=[5, 3])] == [[5], [3]]
    assert [batch.tolist() for batch in DataLoader(NoLen(), batch_sampler=[[5, 3]])] == [[5, 3]]

    loader = DataLoader(NoGetitem())
    with pytest.raises(NotImplementedError):
        next(iter(loader))

    class NoIter(IterableDataset):
        pass

    with pytest.raises((NotImplementedError, TypeError), match=r"Can't instantiate abstract class|__iter__|^$"):
        next(iter(DataLoader(NoIter())))


def test_looping_over_a_dataset_may_never_end():
    """`for sample in dataset` never ends over a Dataset without `__iter__` that answers for every index: it is asked
    for 0, 1, 2, ... until `__getitem__` raises IndexError or StopIteration, and its `__len__` is not looked at.

    A DataLoader without a sampler stops at `len(dataset)`. A `__getitem__` that returns `items[i]` of a list raises
    IndexError by itself, and the loop ends. Write `for i in range(len(dataset))`, or raise IndexError.

    https://docs.python.org/3/reference/datamodel.html#object.__getitem__
    """

    class FromAList(Squares):
        def __getitem__(self, i):
            return [0, 1, 4][i]

    by_itself = list(itertools.islice(Squares(3), 6))
    by_loader = [i.item() for i, _ in DataLoader(Squares(3))]

    assert by_itself == [(0, 0), (1, 1), (2, 4), (3, 9), (4, 16), (5, 25)]
    assert by_loader == [0, 1, 2]
    assert [sample for sample in FromAList(2)] == [0, 1, 4]


def test_stop_iteration_ends_the_epoch():
    """A StopIteration in `__getitem__` ends the epoch silently: the DataLoader gives the batches before it, and raises
    nothing.

    A forgotten default is enough: at the end `next(iterator)` raises StopIteration, and `next(iterator, None)` does
    not. Count the batches of an epoch, and compare the number with `len(loader)`.

    https://docs.python.org/3/library/exceptions.html#StopIteration
    """

    class NextLine(Squares):
        def __getitem__(self, i):
            return i if i < 3 else next(iter([]))

    loader = DataLoader(NextLine(8), batch_size=2)

    assert [batch.tolist() for batch in loader] == [[0, 1]]
    assert len(loader) == 4
    assert list(NextLine(8)) == [0, 1, 2]  # a plain loop ends in the same way


# Tensors as a Dataset: what is paired, and what is shared?


def test_tensor_dataset(device):
    """`TensorDataset(x, y)` pairs the rows of tensors: sample i is the tuple `(x[i], y[i])`, with their dtypes and on
    their device.

    Write `for x, y in DataLoader(TensorDataset(x, y), batch_size=32)` to get batches of two tensors. A
    `TensorDataset(x)` of one tensor has tuples as well, of one part: write `for (x,) in loader`.

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
    assert [part.tolist() for part in TensorDataset(y)[1]] == [8]
    assert [(len(x), y.tolist()) for x, y in DataLoader(dataset, batch_size=32)] == [(3, [7, 8, 9])]
    assert [x.tolist() for (x,) in DataLoader(TensorDataset(y), batch_size=32)] == [[7, 8, 9]]


def test_tensor_dataset_wants_tensors():
    """`TensorDataset(array)` of a NumPy array raises TypeError ("'int' object is not callable"), and of a list
    AttributeError.

    Write `TensorDataset(torch.from_numpy(array))`.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.TensorDataset
    """
    array = np.array([1.0, 2.0])

    with pytest.raises(TypeError, match="'int' object is not callable"):
        TensorDataset(array)
    with pytest.raises(AttributeError, match="size"):
        TensorDataset([1.0, 2.0])
    assert TensorDataset(torch.from_numpy(array))[1][0].item() == 2


@pytest.mark.holds(
    "torch!=2.10.*", otherwise=AssertionError, change="raises", concerns="torch.utils.data.TensorDataset?"
)
def test_tensor_dataset_wants_equal_lengths(device):
    """`TensorDataset` raises AssertionError ("Size mismatch between tensors") if the tensors have different lengths;
    torch 2.10 does not compare them.

    Without the comparison `len(dataset)` is the length of the first tensor: a longer second tensor is cut silently, a
    shorter one raises IndexError in the loop. If your code may run with 2.10, write `assert len(x) == len(y)`.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.TensorDataset
    """
    x, longer, shorter = (torch.zeros(size, device=device) for size in (3, 4, 2))

    for other in (longer, shorter):
        with pytest.raises(AssertionError, match="Size mismatch"):
            TensorDataset(x, other)

    dataset = TensorDataset(x)
    dataset.tensors = (x, longer)  # what torch 2.10 lets pass
    assert (len(dataset), len(list(DataLoader(dataset)))) == (3, 3)
    dataset.tensors = (x, shorter)
    with pytest.raises(IndexError):
        list(DataLoader(dataset))


def test_samples_are_views_and_batches_are_copies(device):
    """A sample of a TensorDataset is a view of its tensors: what you write into a sample changes the dataset.

    A batch of tensors that `default_collate` makes is a copy. Without workers, an in-place augmentation of `x[i]` in
    `__getitem__` hits the stored sample again in each epoch: work on `x[i].clone()`. `DataLoader(dataset,
    batch_size=None)` collates nothing, and gives the views.

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

    for (sample,) in DataLoader(dataset, batch_size=None):
        sample.add_(1)
    assert x.tolist() == [2, 21, 4]

    class Scaled(Squares):
        def __getitem__(self, i):
            return x[i].mul_(2)  # in place

    loader = DataLoader(Scaled(3), batch_size=3)
    assert [batch.tolist() for _ in range(2) for batch in loader] == [[4, 42, 8], [8, 84, 16]]


@pytest.mark.holds("torch>=2.1", otherwise=AttributeError, change="new", concerns="torch.utils.data.StackDataset")
def test_stack_dataset_names_the_parts(device):
    """From torch 2.1 on, `StackDataset(image=..., label=...)` pairs datasets of equal length, and each of its samples
    is a dict with these names.

    A batch is then used by name, `batch["label"]`, instead of by position. Datasets of different lengths raise
    ValueError. In torch 2.0, write a Dataset whose `__getitem__` returns a dict.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.StackDataset
    """
    images = torch.tensor([[1.0, 2.0], [3.0, 4.0]], device=device)
    dataset = torch.utils.data.StackDataset(image=images, label=["cat", "dog"])

    (batch,) = DataLoader(dataset, batch_size=2)

    assert (len(dataset), type(dataset[1]), dataset[1]["label"]) == (2, dict, "dog")
    assert (batch["image"].tolist(), batch["image"].device) == ([[1, 2], [3, 4]], device)
    assert batch["label"] == ["cat", "dog"]
    with pytest.raises(ValueError, match="Size mismatch"):
        torch.utils.data.StackDataset(image=images, label=["cat", "dog", "cow"])


# Parts and sums: how do I split a dataset, and how do I join two?


def test_subset_is_a_list_of_indices(device):
    """`Subset(dataset, indices)` copies no data: sample i of the subset is `dataset[indices[i]]`, looked up when it is
    asked for.

    A later change of the data shows in the subset, and an index may come twice. Making a subset looks at no index: one
    that the dataset does not have raises, when it is asked for, what the dataset raises, IndexError for a list or a
    tensor, and nothing if its `__getitem__` does not check. A plain `for` over the subset takes that IndexError for the
    end, and leaves the rest out without an error; a DataLoader raises it.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.Subset
    """
    x = torch.arange(5, device=device)
    subset = Subset(x, [4, 0, 4, 9])

    x[4] = 40

    assert len(subset) == 4
    assert [subset[i].item() for i in range(3)] == [40, 0, 40]
    for without_9 in (subset, Subset([0, 1], [0, 1, 2, 9])):
        with pytest.raises(IndexError):
            without_9[3]
    assert Subset(Squares(5), [9])[0] == (9, 81)
    in_the_middle = Subset(["a", "b"], [1, 9, 0])
    assert [name for name in in_the_middle] == ["b"]
    with pytest.raises(IndexError):
        list(DataLoader(in_the_middle))


def test_a_subset_has_no_attributes_of_its_dataset():
    """A `Subset` does not pass on the attributes of its dataset: `part.targets` of a part that `random_split` made
    raises AttributeError, "'Subset' object has no attribute 'targets'".

    Write `[part.dataset.targets[i] for i in part.indices]`. A `ConcatDataset` does not pass them on either. A change of
    `part.dataset.transform` reaches the other parts, too: they share one dataset.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.Subset
    """

    class Labelled(Dataset):
        targets = [7, 8, 9]
        transform = None

        def __len__(self):
            return 3

        def __getitem__(self, i):
            return self.targets[i] if self.transform is None else self.transform(self.targets[i])

    dataset = Labelled()
    part, other = random_split(dataset, [2, 1])

    for wrong in (part, Subset(dataset, [2, 0])):
        with pytest.raises(AttributeError, match="'Subset' object has no attribute 'targets'"):
            wrong.targets
    with pytest.raises(AttributeError, match="'ConcatDataset' object has no attribute 'targets'"):
        ConcatDataset([part, other]).targets
    assert sorted([*part, *other]) == [7, 8, 9]
    assert [part.dataset.targets[i] for i in part.indices] == list(part)
    part.dataset.transform = lambda label: -label
    assert other[0] < 0


def test_subset_takes_a_mask_for_indices():
    """`Subset(names, mask)` of a list of three names reads a mask that is a list or a tensor of booleans as the indices
    1 and 0: the subset is as long as the mask, and raises nothing.

    Turn the mask into indices: `mask.nonzero().flatten().tolist()`. With a NumPy mask a sample raises TypeError under
    NumPy 2.3 or newer, and gives a DeprecationWarning under an older NumPy: write `np.flatnonzero(mask)`.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.Subset
    """
    names = ["a", "b", "c"]
    mask = torch.tensor([True, False, True])

    assert list(Subset(names, mask)) == list(Subset(names, mask.tolist())) == ["b", "a", "b"]
    assert list(Subset(names, mask.nonzero().flatten().tolist())) == ["a", "c"]

    subset = Subset(names, mask.numpy())
    with pytest.raises((TypeError, DeprecationWarning), match=r"ind(ex|ices)"), warnings.catch_warnings():
        warnings.simplefilter("error")  # the announcement of an older NumPy
        subset[0]
    assert list(Subset(names, np.flatnonzero(mask.numpy()))) == ["a", "c"]


@pytest.mark.holds(
    "torch>=2.11",
    otherwise=AssertionError,
    change="raises",
    concerns="class torch.utils.data.Subset(__getitem__, not __getitems__)",
)
def test_a_subclass_of_subset_needs_getitems(device):
    """From torch 2.11 on, a subclass of Subset that overrides `__getitem__` and not `__getitems__` raises
    NotImplementedError when `Subset.__init__` runs: "overrides __getitem__ but not __getitems__".

    torch 2.1 to 2.10 raise nothing there, and the batches of a DataLoader with a batch size go past the override: a
    transform for the training part alone is silently left out. Write a Dataset of your own around the subset instead.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.Subset
    """

    class NegatedSubset(Subset):
        def __getitem__(self, i):
            return -super().__getitem__(i)

    class Negated(Dataset):
        def __init__(self, part):
            self.part = part

        def __len__(self):
            return len(self.part)

        def __getitem__(self, i):
            return -self.part[i]

    x = torch.tensor([1, 2, 3], device=device)
    with pytest.raises(NotImplementedError, match="overrides __getitem__ but not __getitems__"):
        NegatedSubset(x, [2, 0])

    subset = Subset(x, [2, 0])
    (wrapped,) = DataLoader(Negated(subset), batch_size=2)
    assert wrapped.tolist() == [-3, -1]
    subset.__class__ = NegatedSubset  # what torch 2.10 lets pass
    (batch,) = DataLoader(subset, batch_size=2)
    assert (subset[0].item(), batch.tolist()) == (-3, [3, 1])


def test_concat_dataset_puts_one_after_the_other(device):
    """`ConcatDataset([a, b])` has the samples of `a` and then those of `b`, and `a + b` of two Datasets with
    `__getitem__` is the same.

    Negative indices count from the end of the whole. `+` of two IterableDatasets is a `ChainDataset`, a stream. The two
    kinds do not mix: AssertionError, "ConcatDataset does not support IterableDataset", or in the loop "ChainDataset
    only supports IterableDataset".

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

    class Evens(IterableDataset):
        def __iter__(self):
            return itertools.count(0, 2)

    assert type(Evens() + Evens()) is ChainDataset
    with pytest.raises(AssertionError, match="ConcatDataset does not support IterableDataset"):
        Squares(2) + Evens()
    stream = ChainDataset([Squares(2), Evens()])
    with pytest.raises(AssertionError, match="ChainDataset only supports IterableDataset"):
        next(iter(stream))


@given(
    # lengths with the sum 1 are shares: see the next note but one
    lengths=st.lists(st.integers(0, 8), min_size=1, max_size=5).filter(lambda lengths: sum(lengths) != 1),
    seed=st.integers(0, 2**32 - 1),
)
@example(lengths=[8, 2], seed=42)
def test_random_split_is_a_partition_for_every_choice_of_lengths(device, lengths, seed):
    """`random_split(dataset, lengths)` with ints, 0 or more, that add up to `len(dataset)` puts every sample into
    exactly one part, at random.

    A generator with the same seed gives the same parts again: pass `generator=torch.Generator().manual_seed(42)`, or
    the next run can be tested on the training data of this one. `random_split(range(10), [7.0, 3.0])` raises TypeError:
    write `round(0.7 * len(dataset))`.

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
    with pytest.raises(TypeError, match="randperm"):
        random_split(range(10), [7.0, 3.0])


@pytest.mark.parametrize(
    ("size", "shares", "expected"),
    [
        (10, [0.8, 0.2], [8, 2]),
        (10, [0.75, 0.25], [8, 2]),
        (11, [0.5, 0.3, 0.2], [6, 3, 2]),
        (10, [0.25, 0.25, 0.25, 0.25], [3, 3, 2, 2]),
        (5, [0.0, 0.5, 0.5], [1, 2, 2]),
        (100, [0.71, 0.29], [72, 28]),
    ],
    ids=str,
)
def test_random_split_by_shares(device, size, shares, expected):
    """`random_split` takes shares that add up to 1: each part gets `floor(len(dataset) * share)` samples, and the
    samples that are left go one by one to the parts, from the first part on.

    A part of share 0 can get a sample, and `[0.71, 0.29]` of 100 samples are 72 and 28, because `100 * 0.29` is
    28.999999999999996. Pass numbers of samples if the sizes matter. Shares with the sum 0.9 or 1.1 raise ValueError,
    and so do whole numbers with a sum other than 1 and `len(dataset)`. So does a sum that is rounded to a little more
    than 1, as that of nine times `1 / 9` before Python 3.12.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.random_split
    """
    dataset = torch.arange(size, device=device)

    parts = random_split(dataset, shares)

    assert [len(part) for part in parts] == expected
    assert 100 * 0.29 == 28.999999999999996
    for wrong in ([0.5, 0.4], [0.7, 0.4], [0.5, 0.5 + 2**-52], [size - 1], [size, 1]):
        with pytest.raises(ValueError, match="Sum of input lengths"):
            random_split(dataset, wrong)


def test_whole_numbers_with_the_sum_one_are_shares():
    """`random_split(dataset, [1])` gives one part with all samples: lengths that add up to 1 are shares, whole numbers
    too.

    A split into 1 sample and 0 samples of a dataset that has more than 1 does not raise: the first part gets
    everything. For the part of 0 samples there is a UserWarning.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.random_split
    """
    dataset = range(10)

    (everything,) = random_split(dataset, [1])
    with pytest.warns(UserWarning, match="Length of split at index 1 is 0"):
        first, second = random_split(dataset, [1, 0])

    assert (len(everything), len(first), len(second)) == (10, 10, 0)
    with pytest.raises(ValueError, match="Sum of input lengths"):
        random_split(dataset, [2])


def test_shares_can_add_up_to_a_hair_more_than_one():
    """`random_split` raises ValueError for some shares that add up to 1 on paper: 0.55 + 0.34 + 0.11 is
    1.0000000000000002 in float64, which is more than 1.

    The list `[0.55, 0.34, 0.11]` raises before Python 3.12 only, because `sum` of a list of floats rounds less since
    then. A NumPy array of these shares raises with newer Pythons, too. Pass numbers of samples: `[55, 34, 11]`.

    https://github.com/pytorch/pytorch/issues/128116
    """
    shares = [0.55, 0.34, 0.11]
    assert 0.55 + 0.34 + 0.11 == sum(np.array(shares)) == 1.0000000000000002

    with pytest.raises(ValueError, match="Sum of input lengths"):
        random_split(range(100), np.array(shares))
    if sum(shares) == 1:  # as Python 3.12 adds them up
        assert [len(part) for part in random_split(range(100), shares)] == [55, 34, 11]
    else:
        with pytest.raises(ValueError, match="Sum of input lengths"):
            random_split(range(100), shares)
    assert [len(part) for part in random_split(range(100), [55, 34, 11])] == [55, 34, 11]


# DataLoader: how many batches come, and which?


def test_defaults_of_a_dataloader(device):
    """A DataLoader without options gives batches of one sample, in order, all of them, and loads in this process.

    Set `batch_size`, and `shuffle=True` for training data. For test data keep the order: prediction number i is then
    the one for row i.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.DataLoader
    """
    loader = DataLoader(torch.arange(20, 25, device=device))

    assert [(batch.tolist(), batch.device) for batch in loader] == [([i], device) for i in range(20, 25)]
    assert (loader.batch_size, loader.drop_last, loader.num_workers, loader.pin_memory) == (1, False, 0, False)
    assert type(loader.sampler) is torch.utils.data.SequentialSampler


@given(size=st.integers(0, 12), batch_size=st.integers(1, 13), drop_last=st.booleans(), shuffle=st.booleans())
@example(size=6, batch_size=3, drop_last=True, shuffle=False)
def test_batches_for_every_size(device, size, batch_size, drop_last, shuffle):
    """Over a Dataset with `__getitem__` and N samples, a DataLoader with a batch size B and neither sampler nor
    `drop_last` gives every sample once per epoch: in full batches and, if B does not divide N, a short last batch.

    `drop_last=True` leaves the short batch out, and its samples with it. So `len(loader)` is ceil(N / B), or floor(N /
    B) with `drop_last=True`.

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
    """A batch of a `TensorDataset(x, y)` is, if you give no `collate_fn`, a list of two tensors on the device of the
    data: `for x, y in loader` unpacks it.

    Dimension 0 counts the samples. A DataLoader does not move tensors to the GPU: for data on the CPU, write `x, y =
    x.to(device), y.to(device)` in the loop.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.default_collate
    """
    x = torch.arange(6.0, device=device).reshape(3, 2)
    y = torch.tensor([7, 8, 9], device=device)

    first, last = DataLoader(TensorDataset(x, y), batch_size=2)

    assert (type(first), type(last)) == (list, list)
    assert [part.tolist() for part in first] == [[[0, 1], [2, 3]], [7, 8]]
    assert [part.tolist() for part in last] == [[[4, 5]], [9]]
    assert [(part.dtype, part.device) for part in first] == [(torch.float32, device), (torch.int64, device)]


def test_enumerate_gives_a_number_and_a_batch(device):
    """`for x, y in enumerate(loader)` raises nothing: `x` is the number of the batch, and `y` the whole batch.

    Write `for i, (x, y) in enumerate(loader)`. Without the parentheses, `for i, x, y in enumerate(loader)` raises
    ValueError, "not enough values to unpack (expected 3, got 2)". A `TensorDataset(x)` of one tensor gives lists of one
    tensor: `for x, y in loader` raises "not enough values to unpack (expected 2, got 1)"; write `for (x,) in loader`.

    https://docs.python.org/3/library/functions.html#enumerate
    """
    x, y = torch.arange(4.0, device=device), torch.arange(4, device=device)
    loader, alone = (DataLoader(TensorDataset(*tensors), batch_size=2) for tensors in ((x, y), (x,)))

    assert [(type(number), type(batch)) for number, batch in enumerate(loader)] == [(int, list)] * 2
    assert [(i, a.tolist()) for i, (a, b) in enumerate(loader)] == [(0, [0, 1]), (1, [2, 3])]
    with pytest.raises(ValueError, match=r"not enough values to unpack \(expected 3, got 2\)"):
        for _i, _a, _b in enumerate(loader):
            pass
    with pytest.raises(ValueError, match=r"not enough values to unpack \(expected 2, got 1\)"):
        for _a, _b in alone:
            pass
    assert [a.tolist() for (a,) in alone] == [[0, 1], [2, 3]]


def test_next_iter_is_always_the_first_batch(device):
    """`iter(loader)` starts a new epoch if the dataset has `__getitem__` and no sampler is given: without shuffling,
    `next(iter(loader))` in a loop gives the first batch again and again.

    A loop that was left with `break` starts again from the first batch. To go on, keep `iterator = iter(loader)`. A
    DataLoader has no `state_dict()` to resume from in the middle of an epoch (AttributeError): make it again with a
    `generator=` in the state that it had before the epoch, and skip with `itertools.islice(loader, 2, None)`. Without
    workers, a stream that is its own iterator goes on by itself.

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
    with pytest.raises(AttributeError, match="state_dict"):
        loader.state_dict()
    shuffled = [DataLoader(range(6), 2, shuffle=True, generator=torch.Generator().manual_seed(1)) for _ in range(2)]
    epoch, rest = list(shuffled[0]), list(itertools.islice(shuffled[1], 2, None))
    assert [batch.tolist() for batch in rest] == [epoch[2].tolist()]
    assert [batch.tolist() for batch in shuffled[0]] != [batch.tolist() for batch in epoch]  # its generator went on

    class Counting(IterableDataset):
        position = 0

        def __iter__(self):
            return self

        def __next__(self):
            self.position += 1
            return self.position

    stream = DataLoader(Counting(), batch_size=2)
    assert [next(iter(stream)).tolist() for _ in range(2)] == [[1, 2], [3, 4]]


def test_a_loader_is_no_iterator_and_no_list(device):
    """`next(loader)` raises TypeError, "'DataLoader' object is not an iterator", and `loader[0]` raises TypeError,
    "'DataLoader' object is not subscriptable".

    Write `next(iter(loader))` for a first batch, and `loader.dataset[0]` for a sample.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.DataLoader
    """
    loader = DataLoader(torch.arange(6, device=device), batch_size=2)

    with pytest.raises(TypeError, match="'DataLoader' object is not an iterator"):
        next(loader)
    with pytest.raises(TypeError, match="'DataLoader' object is not subscriptable"):
        loader[0]
    assert next(iter(loader)).tolist() == [0, 1]
    assert loader.dataset[0].item() == 0


def test_nothing_to_load(device):
    """An empty dataset gives no batches and raises nothing; with `shuffle=True` it raises ValueError when the
    DataLoader is made: "num_samples should be a positive integer value, but got num_samples=0".

    Look at the path and the ending of the files: a search that found none is the usual reason, and without
    `shuffle=True` looks like a very fast epoch. Write `assert len(dataset) > 0`.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.DataLoader
    """
    for nothing in ([], torch.zeros(0, 3, device=device)):
        loader = DataLoader(nothing, batch_size=4)

        assert (list(loader), len(loader)) == ([], 0)
        with pytest.raises(ValueError, match="num_samples should be a positive integer value, but got num_samples=0"):
            DataLoader(nothing, shuffle=True)


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
        ({"multiprocessing_context": "spawn"}, "num_workers > 0"),
        ({"batch_size": np.int64(2)}, "batch_size should be a positive integer"),
        ({"batch_size": True}, "batch_size should be a positive integer"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_arguments_that_contradict_each_other(arguments, message):
    """`DataLoader(...)` raises ValueError when it is made with a batch size of 0 or 2.5, with `sampler` beside
    `shuffle=True`, with `batch_sampler` beside `batch_size=2`, or with `prefetch_factor=2` and no workers.

    The batch sizes `np.int64(2)` and `True` raise, too, and so do `persistent_workers=True` and
    `multiprocessing_context="spawn"` without workers. The next note shows options that do not.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.DataLoader
    """
    with pytest.raises(ValueError, match=message):
        DataLoader([10, 11], **arguments)


def test_arguments_that_do_nothing():
    """A DataLoader silently ignores `worker_init_fn` without workers, and `shuffle="no"` shuffles a list, because a
    string that is not empty counts as true.

    `timeout=5` without workers raises AssertionError, but only when the loop starts. More workers than this process has
    CPUs give a UserWarning with a "suggested max number of worker", and `num_workers` stays as it is. To seed or to
    open files for each loader without workers, do it before the loop.

    https://github.com/pytorch/pytorch/issues/106634
    """
    called = []

    batches = list(DataLoader([10, 11], worker_init_fn=called.append))

    assert ([batch.tolist() for batch in batches], called) == ([[10], [11]], [])
    assert type(DataLoader([10, 11], shuffle="no").sampler) is RandomSampler
    loader = DataLoader([10, 11], timeout=5)
    with pytest.raises(AssertionError):
        iter(loader)
    with pytest.warns(UserWarning, match="suggested max number of worker"):
        assert DataLoader([10, 11], num_workers=10**5).num_workers == 10**5  # no loop, so none is started


def test_a_loader_is_not_changed_afterwards(device):
    """`loader.batch_size = 4` raises ValueError: the batch size, the sampler, `drop_last` and the dataset of a
    DataLoader cannot be set after it is made.

    Make a new DataLoader. `loader.shuffle = True` raises nothing and does nothing. `collate_fn` can be set, and so can
    `loader.batch_sampler.batch_size`: the batches then have another size than `loader.batch_size` says.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.DataLoader
    """
    loader = DataLoader(torch.arange(4, device=device), batch_size=2)

    for name, value in [("batch_size", 4), ("sampler", [0]), ("drop_last", True), ("dataset", range(8))]:
        with pytest.raises(ValueError, match=f"{name} attribute should not be set"):
            setattr(loader, name, value)
    assert [batch.tolist() for batch in loader] == [[0, 1], [2, 3]]

    loader.shuffle = True
    assert [[batch.tolist() for batch in loader] for _ in range(20)] == [[[0, 1], [2, 3]]] * 20
    loader.batch_sampler.batch_size = 3
    loader.collate_fn = len
    assert (list(loader), loader.batch_size) == ([3, 1], 2)


# From samples to a batch: which type, dtype and shape come out?


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
    """A batch of Python ints that fit into int64 is int64, of Python floats float64, and of Python bools bool.

    The NumPy numbers, arrays and tensors here, of one dtype and shape, keep the dtype and are stacked along a new
    dimension 0. `default_collate(samples)` shows what a DataLoader without workers makes of your samples.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.default_collate
    """
    (batch,) = DataLoader(samples, batch_size=2)

    assert (batch.tolist(), batch.dtype) == (values, dtype)
    assert (default_collate(samples).tolist(), default_collate(samples).dtype) == (values, dtype)


def test_arrays_keep_every_dtype_that_torch_has():
    """A batch of NumPy arrays of one dtype has the dtype that `torch.from_numpy` gives such an array, for every dtype
    of NumPy that `torch.from_numpy` takes.

    NumPy makes float64 of Python floats, so convert in `__getitem__` if your model is float32:
    `array.astype(np.float32)`.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.default_collate
    """
    seen = set()

    for kind in {kind for kind in np.sctypeDict.values() if issubclass(kind, np.number | np.bool_)}:
        try:
            expected = torch.from_numpy(np.zeros(2, kind)).dtype
        except TypeError:  # longdouble, and the wider unsigned integers before torch 2.3
            continue
        (batch,) = DataLoader([np.zeros(2, kind), np.ones(2, kind)], batch_size=2)
        assert (batch.tolist(), batch.dtype) == ([[0, 0], [1, 1]], expected)
        seen.add(expected)

    assert seen >= {torch.float16, torch.float32, torch.float64, torch.int64, torch.uint8, torch.bool, torch.complex64}


@pytest.mark.parametrize(
    "flip",
    [lambda image: image[:, ::-1], np.flip, np.fliplr, np.rot90],
    ids=["slice", "flip", "fliplr", "rot90"],
)
def test_a_flipped_array_makes_no_batch(flip):
    """A batch of NumPy arrays that were flipped with a negative step, as `image[:, ::-1]` or `np.flip(image)` does,
    raises ValueError, because a tensor has no negative strides.

    An augmentation that flips some of the images fails at the first batch with one of those, and with `batch_size=None`
    as well. Copy what you have flipped: `image[:, ::-1].copy()`.

    https://docs.pytorch.org/docs/stable/generated/torch.from_numpy.html
    """
    image = np.array([[1.0, 2.0], [3.0, 4.0]])

    for size in (1, 2, None):
        with pytest.raises(ValueError, match="negative"):
            list(DataLoader([image, flip(image)], batch_size=size))

    (batch,) = DataLoader([image, flip(image).copy()], batch_size=2)
    assert batch.tolist() == [image.tolist(), flip(image).tolist()]
    assert torch.from_numpy(image).flip(1).tolist() == image[:, ::-1].tolist()


def test_the_first_number_decides_the_dtype():
    """The dtype of a batch of mixed Python numbers depends on the order: a batch of ints and floats is float64 if it
    begins with a float, and float32, the default dtype, if it begins with an int.

    With `shuffle=True` the dtype can then change from batch to batch. A batch of ints and bools is int64. Write
    `float(value)` in `__getitem__`.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.default_collate
    """
    first, second = DataLoader([0.5, 1, 1, 0.5], batch_size=2)

    assert (first.tolist(), first.dtype) == ([0.5, 1.0], torch.float64)
    assert (second.tolist(), second.dtype) == ([1.0, 0.5], torch.float32)
    assert default_collate([True, 2]).dtype == default_collate([2, True]).dtype == torch.int64


def test_python_floats_do_not_fit_a_model():
    """A Dataset that returns Python floats, or float64 arrays, gives batches in float64, for which a float32
    `nn.Linear` raises RuntimeError.

    Return `torch.tensor(value)`, which is float32 for a Python float but float64 for a float64 array, or call
    `.float()` on the batch.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.default_collate
    """
    (of_floats,) = DataLoader([0.5, 1.5], batch_size=2)
    (of_arrays,) = DataLoader([np.array([0.5, 1.5]), np.array([2.5, 3.5])], batch_size=2)
    model = nn.Linear(2, 1)  # on the CPU: mps has no float64

    for batch in (of_floats.reshape(1, 2), of_arrays):
        assert batch.dtype == torch.float64
        with pytest.raises(RuntimeError, match="same dtype"):
            model(batch)
        assert model(batch.float()).dtype == torch.float32
    assert default_collate([torch.tensor(0.5)]).dtype == torch.float32
    assert default_collate([torch.tensor(np.array([0.5]))]).dtype == torch.float64


def test_containers_keep_their_names(device):
    """In a batch of `default_collate`, dicts stay dicts, namedtuples stay namedtuples and plain tuples become lists, at
    any depth.

    Strings are not made a tensor: of a list of strings `default_collate` makes a list, and of strings in tuples or in
    lists a tuple. Tokenize text in `__getitem__` or in a `collate_fn`.

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
    assert default_collate([("a", 1), ("b", 2)])[0] == default_collate([["a", 1], ["b", 2]])[0] == ("a", "b")


@pytest.mark.holds(
    "torch>=2.3", otherwise=AssertionError, change="result", concerns="torch.utils.data.default_collate?"
)
def test_a_batch_of_defaultdicts_is_a_defaultdict():
    """From torch 2.3 on, a batch of samples that are each a `defaultdict(int)` is a `defaultdict(int)`; before, it was
    a plain dict.

    A missing key then gives 0 and no KeyError. Write `batch.get(key)` or `key in batch` to ask for a key, which works
    with both.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.default_collate
    """
    samples = [defaultdict(int, label=1), defaultdict(int, label=2)]

    (batch,) = DataLoader(samples, batch_size=2)

    assert isinstance(batch, dict)
    assert batch["label"].tolist() == [1, 2]
    assert batch.get("weight") is None
    assert "weight" not in batch
    assert type(batch) is defaultdict
    assert batch["weight"] == 0


def test_the_first_dict_decides_the_keys():
    """A batch of plain dicts has the keys of its first sample: a key that only a later sample has is dropped silently,
    and a key that a later sample lacks raises KeyError.

    An optional field that some samples have then comes and goes with the order. Give every sample all keys.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.default_collate
    """
    plain, with_mask = {"x": 1}, {"x": 2, "mask": 3}

    (batch,) = DataLoader([plain, with_mask], batch_size=2)

    assert list(batch) == ["x"]
    assert batch["x"].tolist() == [1, 2]
    with pytest.raises(KeyError, match="mask"):
        default_collate([with_mask, plain])


@pytest.mark.myth("a batch of lists is a matrix with a row for each sample")
def test_lists_of_numbers_are_turned_round(device):
    """Lists of ints or floats, all of one length, do not become the rows of a matrix: the batch is a list with one
    tensor for each position, which holds the numbers of all samples at this position.

    Return a tensor or an array from `__getitem__` to get a matrix with a row for each sample. Lists of different
    lengths raise RuntimeError: make them equal first, in `__getitem__` or in a `collate_fn`.

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
    with pytest.raises(RuntimeError, match="equal size"):
        list(DataLoader([[1, 2, 3], [4, 5]], batch_size=2))


@pytest.mark.parametrize(
    ("samples", "error", "message"),
    [
        ([torch.zeros(2), torch.zeros(3)], RuntimeError, "stack expects each tensor to be equal size"),
        ([torch.zeros(1), torch.zeros(3)], RuntimeError, "stack expects each tensor to be equal size"),
        ([np.zeros((2, 3)), np.zeros((3, 2))], RuntimeError, "stack expects each tensor to be equal size"),
        ([[1, 2], [3]], RuntimeError, "each element in list of batch should be of equal size"),
        ([None, None], TypeError, "NoneType"),
        ([{1}, {2}], TypeError, "set"),
        ([1j, 2j], TypeError, "complex"),
        ([object(), object()], TypeError, "found <class 'object'>"),
        ([np.array(["a"]), np.array(["b"])], TypeError, "must contain tensors, numpy arrays, numbers, dicts or lists"),
    ],
    ids=["tensors", "of size 1", "arrays", "lists", "None", "set", "complex", "object", "array of strings"],
)
def test_what_makes_no_batch(samples, error, message):
    """Tensors or arrays of different shapes in one batch raise RuntimeError, "stack expects each tensor to be equal
    size", without workers; lists of different lengths raise RuntimeError with another text.

    Samples that are None, sets, Python complex numbers, plain objects or arrays of strings raise TypeError. Nothing is
    broadcast, so a size of 1 does not fit a size of 3. Pad or convert the samples in a `collate_fn`.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.default_collate
    """
    with pytest.raises(error, match=message):
        next(iter(DataLoader(samples, batch_size=2)))


def test_shapes_are_compared_within_a_batch():
    """Tensors of different shapes raise only if they meet in one batch: a DataLoader with `batch_size=1` never compares
    them.

    The error can come with a larger batch size, or after some epochs of shuffling, although the data are the same as
    before. Look at all shapes once: `{sample.shape for sample in samples}`.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.default_collate
    """
    samples = [torch.zeros(2), torch.zeros(2), torch.zeros(3), torch.zeros(3)]

    assert [tuple(batch.shape) for batch in DataLoader(samples)] == [(1, 2), (1, 2), (1, 3), (1, 3)]
    assert [tuple(batch.shape) for batch in DataLoader(samples, batch_size=2)] == [(2, 2), (2, 3)]
    with pytest.raises(RuntimeError, match="equal size"):
        list(DataLoader(samples, batch_size=3))
    assert {sample.shape for sample in samples} == {(2,), (3,)}


def test_none_among_the_samples():
    """Without workers, a `None` after the first sample of a batch raises TypeError or RuntimeError if the first sample
    is a tensor, an array or a number.

    In a worker it can be AttributeError. If the first sample is a string, the `None` stays in the batch and nothing
    raises. Such a `None` often stands for a file that could not be read. Leave it out in a `collate_fn`, as the next
    note does.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.default_collate
    """
    for first in (torch.ones(2), np.ones(2), np.float32(1), 1, 1.0, True):
        with pytest.raises((TypeError, RuntimeError), match="None"):
            next(iter(DataLoader([first, None], batch_size=2)))

    assert list(DataLoader(["a", None], batch_size=2)) == [["a", None]]
    iterator = iter(DataLoader([torch.ones(2), None], batch_size=2, num_workers=1))
    with pytest.raises(AttributeError, match="None"):
        next(iterator)
    assert list(iterator) == []  # to the end, where the worker stops


def test_collate_fn_makes_the_batch(device):
    """`collate_fn` gets the list of the samples of a batch, and what it returns is the batch: the function here drops
    `None` and pads sequences of different lengths.

    With `batch_size=None` a `collate_fn` gets one sample instead of a list. For workers that are not forked (on Windows
    and macOS, and on Linux from Python 3.14 on), define the function at the top of a module, and not as a lambda.

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
    assert list(DataLoader(["a", "b"], batch_size=2, collate_fn=type)) == [list]
    assert list(DataLoader(["a", "b"], batch_size=None, collate_fn=type)) == [str, str]


def test_batch_size_none_turns_batching_off(device):
    """With `batch_size=None` each sample comes by itself, without a new dimension.

    An int64 array and an np.float32 become tensors, and Python ints and floats stay as they are, also inside a dict or
    a list. So does an array of strings. A plain tuple comes as a list: a sample of `TensorDataset(x, y)`, too. Use it
    for data that are stored in batches already. A batch size of 1 adds a dimension.

    https://docs.pytorch.org/docs/stable/data.html#disable-automatic-batching
    """
    mixed = {"number": 0.5, "numpy": [np.float32(0.5), 7], "array": np.array([3])}
    samples = [torch.tensor([4, 5], device=device), np.array([1, 2, 3]), mixed]

    tensor, array, mapping = DataLoader(samples, batch_size=None)
    batch_of_one = next(iter(DataLoader(samples, batch_size=1)))

    assert (tensor.tolist(), tensor.device) == ([4, 5], device)
    assert (type(array), array.tolist()) == (torch.Tensor, [1, 2, 3])
    assert (type(mapping["number"]), mapping["number"]) == (float, 0.5)
    assert (mapping["numpy"][0].dtype, type(mapping["numpy"][1])) == (torch.float32, int)
    assert (type(mapping["array"]), mapping["array"].tolist()) == (torch.Tensor, [3])
    assert batch_of_one.tolist() == [[4, 5]]
    assert [type(number) for number in DataLoader([7, 0.5], batch_size=None)] == [int, float]
    assert list(DataLoader([(1, 2)], batch_size=None)) == [[1, 2]]
    assert [type(pair) for pair in DataLoader(TensorDataset(samples[0], samples[0]), batch_size=None)] == [list, list]
    (words,) = DataLoader([np.array(["a", "b"])], batch_size=None)
    assert type(words) is np.ndarray
    assert words.tolist() == ["a", "b"]


# Order: which sample comes when, and how do I repeat it?


def test_shuffle_is_new_each_epoch(device):
    """`shuffle=True` draws a permutation of all samples at the start of each epoch, which torch's global generator
    decides unless `generator=` is given.

    Two epochs over 50 samples thus come in different orders. Without workers, `torch.manual_seed` with the same number
    before each epoch repeats the order: seed once, at the start of the program.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.RandomSampler
    """
    loader = DataLoader(torch.arange(50, device=device), batch_size=50, shuffle=True)

    epochs = [next(iter(loader)).tolist() for _ in range(3)]

    assert len({tuple(epoch) for epoch in [*epochs, range(50)]}) == 4
    assert [sorted(epoch) for epoch in epochs] == [list(range(50))] * 3

    torch.manual_seed(0)
    once = next(iter(loader)).tolist()
    torch.manual_seed(0)
    assert next(iter(loader)).tolist() == once


@given(size=st.integers(1, 12), seed=st.integers(0, 2**32 - 1))
def test_a_seeded_generator_fixes_the_epochs_for_every_seed(device, size, seed):
    """Two DataLoaders over the same data with `shuffle=True`, a `generator=` of the same seed each and otherwise the
    same options shuffle their epochs in the same orders, whatever the global seed is, and leave the global generator
    alone.

    If only one of them breaks an epoch off, the orders of the next epochs can differ. The generator is a CPU generator,
    wherever the data are. Without `generator=` the order follows `torch.manual_seed` and the numbers that were drawn on
    the CPU since.

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

    whole, broken = (DataLoader(range(9), shuffle=True, generator=torch.Generator().manual_seed(0)) for _ in range(2))
    first = [batch.item() for batch in whole]
    assert next(iter(broken)).item() == first[0]
    assert [batch.item() for batch in whole] != [batch.item() for batch in broken]


def test_persistent_workers_change_the_later_epochs():
    """With `persistent_workers=True` a DataLoader with `shuffle=True` and a seeded `generator=` shuffles the first
    epoch of 50 samples as it does without, and the second in another order.

    Without, each epoch also draws a seed for its workers from the same generator. To have the same orders either way,
    give a sampler a generator of its own: `sampler=RandomSampler(data, generator=g)`.

    https://docs.pytorch.org/docs/stable/notes/randomness.html#dataloader
    """

    def seeded():
        return torch.Generator().manual_seed(0)

    def epochs(**arguments):
        loader = DataLoader(range(50), batch_size=50, **arguments)
        return [batch.tolist() for _ in range(2) for batch in loader]

    kept = {"num_workers": 1, "persistent_workers": True}
    without = epochs(shuffle=True, generator=seeded())
    persistent = epochs(shuffle=True, generator=seeded(), **kept)

    assert [one == other for one, other in zip(without, persistent, strict=True)] == [True, False]
    by_sampler = epochs(sampler=RandomSampler(range(50), generator=seeded()))
    assert epochs(sampler=RandomSampler(range(50), generator=seeded()), **kept) == by_sampler


def test_a_sampler_needs_its_own_generator():
    """`DataLoader(..., sampler=RandomSampler(data), generator=g)` does not shuffle by `g`: the sampler draws from the
    global generator.

    Give the generator to the sampler, too: `RandomSampler(data, generator=g)`.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.RandomSampler
    """

    def order(global_seed, **arguments):
        torch.manual_seed(global_seed)
        sampler = RandomSampler(range(50), **arguments)
        (batch,) = DataLoader(range(50), 50, sampler=sampler, generator=torch.Generator().manual_seed(0))
        return batch.tolist()

    assert order(global_seed=1) == order(global_seed=1) != order(global_seed=2)
    by_its_own = [order(global_seed=seed, generator=torch.Generator().manual_seed(0)) for seed in (1, 2)]
    assert by_its_own[0] == by_its_own[1]


def test_a_loop_draws_a_random_number(device):
    """Each loop over a DataLoader without workers and without `generator=` draws a number from torch's global generator
    on the CPU.

    With `shuffle=True` the loop draws a second number. One more look at the validation data changes what is random
    after it: the next shuffle, and dropout on the CPU. A `generator=` prevents that, unless a sampler without a
    generator draws, too.

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
    sampler = RandomSampler(range(4))
    assert draw_after(1, generator=torch.Generator(), sampler=sampler) == draw_after_numbers(1)


def test_a_seed_gives_the_same_rows_in_every_release(device):
    """A generator with the seed 42 shuffles and splits ten samples, and draws from them, in the same way from torch 2.0
    to torch 2.15, wherever the data are: with `shuffle=True`, `random_split`, and eight draws of a
    `WeightedRandomSampler` with replacement.

    Nobody promises that it stays so: to be sure, save the indices. Drawing without replacement did change in torch 2.7
    on x86, see section 04, and a single draw is made in the same way.

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
    (single,) = WeightedRandomSampler(range(1, 11), num_samples=1, generator=seed_42())
    assert [single] == list(WeightedRandomSampler(range(1, 11), 1, replacement=False, generator=seed_42()))


# Samplers: how do I choose the order myself?


def test_a_sampler_gives_the_order(device):
    """`sampler=` takes an iterable of indices, and the samples come in that order. `batch_sampler=` takes an iterable
    of lists of indices, one list for each batch.

    Lists and tensors of indices will do, and for a dict its keys. A generator is used up after one epoch: the second
    epoch is empty, and raises nothing.

    https://docs.pytorch.org/docs/stable/data.html#data-loading-order-and-sampler
    """
    x = torch.tensor([10, 11, 12, 13], device=device)

    by_sampler = DataLoader(x, batch_size=2, sampler=[3, 0, 3])
    by_batch_sampler = DataLoader(x, batch_sampler=[[2], [1, 0, 3]])

    assert [batch.tolist() for batch in by_sampler] == [[13, 10], [13]]
    assert [batch.tolist() for batch in by_batch_sampler] == [[12], [11, 10, 13]]
    assert (len(by_sampler), len(by_batch_sampler)) == (2, 2)
    assert [batch.tolist() for batch in DataLoader(x, sampler=torch.tensor([2, 0]))] == [[12], [10]]
    assert [batch.item() for batch in DataLoader({"a": 1, "b": 2}, sampler=["b", "a"])] == [2, 1]

    once = DataLoader(x, sampler=(i for i in [3, 0]))
    assert [[batch.item() for batch in once] for _ in range(2)] == [[13, 10], []]


def test_weighted_sampler_balances(device):
    """`WeightedRandomSampler(weights, n)` draws n indices with replacement, in proportion to weights of which each
    sample has one.

    Weights of 1 / (size of the class) make rare classes as frequent as common ones. One weight for each class instead
    is a silent mistake: two weights draw the samples 0 and 1 alone. More than 16,777,216 weights raise RuntimeError
    when the loop starts, "number of categories cannot exceed 2^24": draw a class first, and then one of its rows.

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

    one_for_each_class = [1 / 90, 1 / 10]
    assert set(WeightedRandomSampler(one_for_each_class, num_samples=100)) == {0, 1}
    sampler = WeightedRandomSampler(torch.ones(1, dtype=torch.float64).expand(2**24 + 1), num_samples=2)
    with pytest.raises(RuntimeError, match=r"number of categories cannot exceed 2\^24"):
        iter(sampler).__next__()


class Backwards(Sampler):
    """The order from the last sample to the first; hands `arguments` to the base class."""

    def __init__(self, size, *arguments):
        super().__init__(*arguments)
        self.size = size

    def __iter__(self):
        return iter(range(self.size)[::-1])


@pytest.mark.holds("torch>=2.1", otherwise=TypeError, change="new", concerns="torch.utils.data.Sampler.__init__()")
def test_a_sampler_of_your_own_starts_without_arguments(device):
    """From torch 2.1 on, `super().__init__()` in a Sampler of your own needs no argument.

    In torch 2.0 it raises TypeError without the data. Code for torch 2.0 and later can leave `super().__init__` out:
    see the next note.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.Sampler
    """
    x = torch.tensor([10, 11, 12], device=device)

    batches = list(DataLoader(x, sampler=Backwards(3), batch_size=2))

    assert [batch.tolist() for batch in batches] == [[12, 11], [10]]


@pytest.mark.holds(
    "torch>=2.10",
    otherwise=(UserWarning, AssertionError),
    change="raises",
    concerns=("torch.utils.data.Sampler.__init__(_)", "torch.utils.data.Sampler.__init__(data_source)"),
)
def test_a_sampler_does_not_take_the_data():
    """From torch 2.10 on, `super().__init__(data)` in a Sampler of your own raises TypeError. torch 2.1 to 2.9 give a
    UserWarning, and torch 2.0 takes the data.

    A Sampler whose `__init__` does not call `super().__init__` works in every release since 2.0.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.Sampler
    """

    class WithoutInit(Backwards):
        def __init__(self, size):
            self.size = size

    assert [batch.item() for batch in DataLoader([10, 11, 12], sampler=WithoutInit(3))] == [12, 11, 10]
    with pytest.raises(TypeError):
        Backwards(3, [10, 11, 12])


# Reading in one go: can a Dataset fetch a whole batch?


def test_getitems_fetches_a_batch_at_once(device):
    """A DataLoader asks a Dataset with `__getitem__` and `__getitems__` once for each batch, with the list of its
    indices, instead of once for each sample.

    `__getitems__` returns the list of samples, for data that are cheaper to read in one go. With the default
    `collate_fn`, a tensor instead of a list raises TypeError, "must be tuple of Tensors, not Tensor", and a dict
    KeyError. With `batch_size=None`, and through a ConcatDataset, samples are asked for one by one all the same.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.Dataset
    """
    asked = []
    squares = torch.tensor([0, 1, 4, 9, 16], device=device)

    class Many(Squares):
        def __getitem__(self, i):
            asked.append(i)
            return squares[i]

        def __getitems__(self, indices):
            asked.append(indices)
            return list(squares[indices])

    batches = list(DataLoader(Many(5), batch_size=3))
    assert asked == [[0, 1, 2], [3, 4]]
    assert [batch.tolist() for batch in batches] == [[0, 1, 4], [9, 16]]

    asked.clear()
    assert [sample.item() for sample in DataLoader(Many(3), batch_size=None)] == [0, 1, 4]
    assert [batch.tolist() for batch in DataLoader(Many(1) + Many(2), batch_size=3)] == [[0, 0, 1]]
    assert asked == [0, 1, 2, 0, 0, 1]

    for whole, error in [(squares, TypeError), ({"x": squares}, KeyError)]:
        dataset = Many(5)
        dataset.__getitems__ = lambda indices, whole=whole: whole
        with pytest.raises(error, match=r"must be tuple of Tensors, not Tensor|0"):
            next(iter(DataLoader(dataset, batch_size=3)))


@pytest.mark.holds(
    "torch>=2.1", otherwise=AssertionError, change="result", concerns="class torch.utils.data.Dataset(__getitems__)"
)
def test_a_subset_hands_getitems_on(device):
    """From torch 2.1 on, a `Subset` asks the `__getitems__` of its dataset for a whole batch, by the indices of the
    dataset.

    In torch 2.0 a Subset asks for one sample after the other. The batches are the same. A dataset that is slow sample
    by sample is slow again in torch 2.0 as soon as `random_split` makes Subsets of it.

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

    assert [batch.tolist() for batch in batches] == [[16, 1], [9]]
    assert asked == [[4, 1], [3]]
    assert type(random_split(Many(5), [3, 2])[0]) is Subset


# Devices: where is a batch, and what does `pin_memory` do?


def test_batches_move_in_one_line(device):
    """A DataLoader over tensors on the CPU gives batches on the CPU.

    One line in the loop moves a batch, and the data stay where they are: `x, y = x.to(device), y.to(device)`. So the
    device need not hold all data at once. Python numbers and arrays are made a tensor on the default device, which is
    the CPU if you set none.

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
    with torch.device("meta"):  # a default device, for these lines
        assert default_collate([1, 2]).device.type == default_collate([np.float32(1)]).device.type == "meta"
        assert default_collate([np.zeros(2)]).device.type == "meta"
        assert default_collate([features, features]).device.type == "cpu"


def test_the_generator_of_a_loader_is_one_of_the_cpu(accelerator):
    """A DataLoader shuffles on the CPU, wherever the data are, unless a default device is set: a generator of an
    accelerator raises RuntimeError when the loop starts.

    Write `generator=torch.Generator().manual_seed(42)`, also for data on the GPU.

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
    """If an accelerator is the default device, `shuffle=True` raises RuntimeError when the loop starts: the
    DataLoader's own generator is a CPU generator, and the permutation is drawn on the default device.

    Pass `generator=torch.Generator(device=accelerator)`. It is better to set no default device, and to name the device
    where it is needed.

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
    """`pin_memory=True` leaves the batches of CPU data on the CPU: on a machine with CUDA in page-locked (pinned)
    memory, without an accelerator in ordinary memory.

    Your loop moves the batch: `batch.to(device, non_blocking=True)`. Other accelerators may pin or not:
    `batch.is_pinned()` tells.

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


@pytest.mark.holds(
    "torch>=2.7",
    otherwise=(AttributeError, AssertionError),
    change="warns",
    concerns="torch.utils.data.DataLoader(pin_memory=True)?",
)
def test_pin_memory_without_an_accelerator_warns(monkeypatch):
    """From torch 2.7 on, each loop over a DataLoader with `pin_memory=True` and without workers warns on a machine
    without an accelerator that none is found, and pins nothing.

    Python shows the warning once, unless the filters of `warnings` say otherwise. Earlier releases pin nothing
    silently. `pin_memory=torch.cuda.is_available()` does not warn.

    https://docs.pytorch.org/docs/stable/data.html#memory-pinning
    """
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)  # wherever this runs
    loader = DataLoader(torch.tensor([1, 2, 3]), batch_size=2, pin_memory=True)

    with pytest.warns(UserWarning, match="no accelerator is found") as caught:
        batches = [*loader, *loader]

    assert [batch.tolist() for batch in batches] == [[1, 2], [3]] * 2
    assert [batch.is_pinned() for batch in batches] == [False] * 4
    assert len(caught) == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [batch.tolist() for batch in DataLoader([1, 2], pin_memory=False)] == [[1], [2]]


@pytest.mark.holds(
    "torch>=2.9", otherwise=RuntimeError, change="warns", concerns="torch.utils.data.DataLoader(pin_memory_device)"
)
def test_pin_memory_device_is_ignored():
    """From torch 2.9 on, `pin_memory_device=` beside `pin_memory=True` gives a UserWarning that it is deprecated, and
    is ignored: even `"toaster"` raises nothing.

    Before, a name that is no device raises RuntimeError. Leave it out: memory is pinned for the accelerator of the
    machine.

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
    """On a machine with CUDA, `tensor.pin_memory()` copies a CPU tensor into page-locked memory, still on the CPU.

    A tensor that is pinned already comes back without a copy. `is_pinned()` tells. A view of a pinned tensor is pinned;
    a clone of it, or a new tensor that is computed from it, is not.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.pin_memory.html
    """
    tensor = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])

    pinned = tensor.pin_memory()
    tensor[0, 0] = 7

    assert (tensor.is_pinned(), pinned.is_pinned(), torch.zeros(2, pin_memory=True).is_pinned()) == (False, True, True)
    assert (pinned.device, pinned.dtype, pinned.tolist()) == (tensor.device, torch.float32, [[1, 2, 3], [4, 5, 6]])
    assert pinned.pin_memory().data_ptr() == pinned.data_ptr()
    assert (pinned[1].is_pinned(), pinned.T.is_pinned()) == (True, True)
    assert (pinned.clone().is_pinned(), (pinned + 1).is_pinned()) == (False, False)
    assert pinned.to(accelerator).tolist() == [[1, 2, 3], [4, 5, 6]]


@pytest.mark.only("cuda", because="which other devices pin memory, and how, differs from release to release")
def test_pinned_batches_keep_their_form(accelerator):
    """On a machine with CUDA, `pin_memory=True` pins the tensors of a batch inside dicts, lists and tuples, at any
    depth, and leaves strings as they are.

    An object of a plain class of your own that a `collate_fn` returns is pinned only if it has a method `pin_memory`.

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

    class Own:
        def __init__(self, samples):
            self.x = torch.stack([sample["x"] for sample in samples])

    class Pinnable(Own):
        def pin_memory(self):
            self.x = self.x.pin_memory()
            return self

    for kind, expected in ((Own, False), (Pinnable, True)):
        (own,) = DataLoader(samples, batch_size=2, pin_memory=True, collate_fn=kind)
        assert (type(own), own.x.is_pinned()) == (kind, expected)


@pytest.mark.only("cuda", because="which other devices pin memory, and how, differs from release to release")
def test_a_copy_to_the_gpu_that_nobody_waits_for_is_right(accelerator):
    """`pinned.to("cuda", non_blocking=True)` may return before the copy is done, and what you compute with the result
    on the same stream is right all the same: one stream of a GPU does its work in order.

    The CPU must not write to the pinned tensor before the copy is done: `torch.cuda.synchronize()` waits for it.

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
    """`tensor.to("cpu", non_blocking=True)` of a CUDA tensor returns a CPU tensor whose numbers may arrive later: wait
    with `torch.cuda.synchronize()` before you read them.

    Reading too early raises nothing and gives whatever is in that memory. Without `non_blocking=True` the call itself
    waits for the numbers.

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


# Streams: what if the data have no length?


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
    """A class of your own that inherits from IterableDataset is a stream: without a `__len__`, `len(loader)` raises
    TypeError, and `shuffle=True` or a `sampler` raises ValueError when the DataLoader is made.

    Batches are cut from the stream in the order in which it comes. Shuffle in `__iter__`, for example in a buffer.

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


class Counted(Stream):
    """A stream that says how long it is, or how long somebody thinks that it is."""

    def __init__(self, numbers, length, shared=False):
        super().__init__(numbers, shared)
        self.length = length

    def __len__(self):
        return self.length


@pytest.mark.filterwarnings("ignore:This DataLoader will create 2 worker processes")  # on a machine with one CPU
def test_the_length_of_a_stream_is_what_it_says():
    """For an IterableDataset with a `__len__`, `len(loader)` is computed from this number and the batch size, and can
    be wrong: with two workers that share out ten samples, batches of four are four, and `len(loader)` says three.

    Here each worker ends with a short batch of its own. A stream that gives more batches than it has samples by its
    `__len__` gives a UserWarning once `len(loader)` was called: "Length of IterableDataset ... was reported to be 4".

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.DataLoader
    """
    loader = DataLoader(Counted(range(10), 10, shared=True), batch_size=4, num_workers=2)
    assert (len(loader), sorted(len(batch) for batch in loader)) == (3, [1, 1, 4, 4])

    loader = DataLoader(Counted(range(6), 4), batch_size=None)
    assert len(loader) == 4
    with pytest.warns(UserWarning, match="Length of IterableDataset .* was reported to be 4"):
        assert list(loader) == [0, 1, 2, 3, 4, 5]


# Workers: what changes when other processes load? All of it is on the CPU: a forked process cannot use CUDA.


@pytest.mark.filterwarnings("ignore:This DataLoader will create 2 worker processes")  # on a machine with one CPU
def test_workers_repeat_a_stream():
    """Each worker has its own copy of an IterableDataset: with two workers every sample comes twice, unless you share
    the stream out among the workers.

    `get_worker_info()` gives a worker its number and the number of workers, and `__iter__` can skip what is not its
    share. In the main process `get_worker_info()` returns None.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.IterableDataset
    """
    stream = Stream(range(3)) + Stream(range(10, 15), shared=True)  # one after the other

    seen = Counter(DataLoader(stream, batch_size=None, num_workers=2))

    assert seen == {0: 2, 1: 2, 2: 2, 10: 1, 11: 1, 12: 1, 13: 1, 14: 1}
    assert get_worker_info() is None
    assert list(DataLoader(stream, batch_size=None)) == [0, 1, 2, 10, 11, 12, 13, 14]


class Remembering(Squares):
    """How many samples this copy of the dataset has read before."""

    def __init__(self, size):
        super().__init__(size)
        self.read = []

    def __getitem__(self, i):
        self.read.append(i)
        return len(self.read) - 1


def test_what_a_worker_writes_stays_in_the_worker():
    """A list or a dict that a Dataset fills in `__getitem__` is filled in the worker's copy: the Dataset in the main
    process stays as it was, and by default each epoch starts with new workers and new copies.

    A cache that the workers fill is thus empty again in each epoch. Without workers it stays. Fill it before the loop,
    or keep the workers with `persistent_workers=True`.

    https://docs.pytorch.org/docs/stable/data.html#single-and-multi-process-data-loading
    """
    in_a_worker, here = Remembering(3), Remembering(3)

    loader = DataLoader(in_a_worker, batch_size=None, num_workers=1)
    assert [list(loader) for _ in range(2)] == [[0, 1, 2], [0, 1, 2]]
    assert in_a_worker.read == []

    loader = DataLoader(here, batch_size=None)
    assert [list(loader) for _ in range(2)] == [[0, 1, 2], [3, 4, 5]]
    assert here.read == [0, 1, 2, 0, 1, 2]

    loader = DataLoader(in_a_worker, batch_size=None, num_workers=1, persistent_workers=True)
    assert [list(loader) for _ in range(2)] == [[0, 1, 2], [3, 4, 5]]
    assert in_a_worker.read == []


class Times(Squares):
    """Each number times a factor, which can be set."""

    factor = 1

    def __getitem__(self, i):
        return i * self.factor


def test_persistent_workers_do_not_see_later_changes():
    """`dataset.factor = 2` between two epochs does not reach workers that `persistent_workers=True` keeps: they got
    their copy of the Dataset when they started.

    By default each epoch starts new workers, which see the change. What you write into a tensor in shared memory
    reaches the workers that are kept, too. Make a new DataLoader, or leave `persistent_workers` out, if the size of the
    images or the strength of an augmentation changes from epoch to epoch.

    https://docs.pytorch.org/docs/stable/data.html#single-and-multi-process-data-loading
    """

    def epochs(**options):
        dataset = Times(3)
        loader = DataLoader(dataset, batch_size=None, num_workers=1, **options)
        seen = []
        for dataset.factor in (1, 2):
            seen.append(list(loader))
        return seen

    assert epochs() == [[0, 1, 2], [0, 2, 4]]
    assert epochs(persistent_workers=True) == [[0, 1, 2], [0, 1, 2]]

    dataset = Times(3)
    dataset.factor = torch.tensor(1).share_memory_()
    loader = DataLoader(dataset, batch_size=3, num_workers=1, persistent_workers=True)
    assert [batch.tolist() for batch in loader] == [[0, 1, 2]]
    dataset.factor.fill_(2)
    assert [batch.tolist() for batch in loader] == [[0, 2, 4]]


class Threads(Squares):
    def __getitem__(self, i):
        return torch.get_num_threads()


def test_a_worker_computes_with_one_thread():
    """A DataLoader worker computes with one thread: `torch.get_num_threads()` is 1 in it, whatever it is outside.

    A heavy operation in `__getitem__` can thus be slower in one worker than without workers. Take more workers.

    https://docs.pytorch.org/docs/stable/generated/torch.set_num_threads.html
    """
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        here = list(DataLoader(Threads(2), batch_size=None))
        in_a_worker = list(DataLoader(Threads(2), batch_size=None, num_workers=1))
    finally:
        torch.set_num_threads(before)

    assert (here, in_a_worker) == ([2, 2], [1, 1])


@pytest.mark.advice("the PyTorch documentation, torch.utils.data: Multi-process data loading")
def test_reading_a_list_writes_to_its_items():
    """Keep what forked workers read in one array or tensor instead of a list of many Python objects, which can look
    like a memory leak of the DataLoader: reading an item of a list as a rule writes to the item, to its count of
    references.

    A forked worker shares the memory of the main process until one of the two writes, and then the system copies the
    page. An item of an int64 array is a new number at each reading, and the array keeps nothing but its bytes. A list
    of paths fits into `np.array(paths)`.

    https://github.com/pytorch/pytorch/issues/13246
    """
    items = [object(), object()]
    array = np.array([7, 8], dtype=np.int64)
    stored = array.tobytes()

    before = sys.getrefcount(items[0])
    item = items[0]
    while_in_use = sys.getrefcount(items[0])

    assert item is items[0]
    assert while_in_use == before + 1
    first, again = array[0], array[0]
    assert first is not again
    assert (array.nbytes, array.tobytes()) == (16, stored)
    assert np.array(["a.png", "b.png"]).dtype.hasobject is False
    assert np.array(items).dtype.hasobject is True


def test_spawned_workers_get_their_things_by_pickle():
    """Workers that are spawned, as on Windows and macOS, get the Dataset and the `collate_fn` by pickle: a lambda
    raises AttributeError or PicklingError when the loop starts, "Can't pickle" or "Can't get local object".

    So does a Dataset of a class that is defined in a function. A Dataset that holds an open file or a generator raises
    TypeError, "cannot pickle": open files in `__getitem__`, at the first sample. Define functions and classes at the
    top of a module. On Linux, workers get their things so from Python 3.14 on.

    https://docs.pytorch.org/docs/stable/data.html#platform-specific-behaviors
    """
    spawned = {"num_workers": 1, "multiprocessing_context": "spawn"}

    def local():
        class Local(Squares):
            pass

        return Local(1)

    with warnings.catch_warnings(), open(os.devnull) as file:
        warnings.simplefilter("ignore")  # newer releases of torch warn before they raise
        for loader in (DataLoader([1], collate_fn=lambda samples: samples, **spawned), DataLoader(local(), **spawned)):
            with pytest.raises((AttributeError, pickle.PicklingError), match=r"Can't (pickle|get local object)"):
                iter(loader)
        for unfit in (file, (i for i in range(3))):
            with pytest.raises(TypeError, match="cannot pickle"):
                iter(DataLoader(Squares(unfit), sampler=[0], **spawned))


def test_a_script_without_a_main_guard_cannot_spawn(tmp_path):
    """A script that spawns a process outside `if __name__ == "__main__":` ends with RuntimeError in the new process:
    "An attempt has been made to start a new process before the current process has finished its bootstrapping phase".

    The new process first runs the script, and would start a process itself. So it is with the workers of a DataLoader
    where they are spawned, as on Windows and macOS. Put what runs into a function, and call it below `if __name__ ==
    "__main__":`.

    https://docs.python.org/3/library/multiprocessing.html#the-spawn-and-forkserver-start-methods
    """
    begin = (
        "import multiprocessing, sys\n"
        "def main():\n"
        "    process = multiprocessing.get_context('spawn').Process(target=len, args=([],))\n"
        "    process.start()\n"
        "    process.join()\n"
        "    sys.exit(process.exitcode)\n"
    )
    script = tmp_path / "script.py"
    ends = []

    for call in ("main()\n", "if __name__ == '__main__':\n    main()\n"):
        script.write_text(begin + call)
        ends.append(subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60))

    assert [end.returncode for end in ends] == [1, 0]
    assert "has finished its bootstrapping phase" in " ".join(ends[0].stderr.split())
    assert "RuntimeError" in ends[0].stderr
    assert ends[1].stderr == ""


class Crashing(Squares):
    def __getitem__(self, i):
        os._exit(3)  # as if it had run out of memory, or crashed in a library


def test_a_worker_that_dies_ends_the_loop():
    """If a worker process dies, the loop raises RuntimeError with its number: "DataLoader worker (pid 4242) ..." or
    "DataLoader worker (pid(s) 4242) exited unexpectedly".

    The text tells little of the reason, such as too little memory or shared memory, a crash in a library, or a script
    without `if __name__ == "__main__":` where workers are spawned. Look above the traceback for what the worker
    printed, and try fewer workers, smaller batches or `num_workers=0`.

    https://docs.pytorch.org/docs/stable/data.html#single-and-multi-process-data-loading
    """
    iterator = iter(DataLoader(Crashing(1), num_workers=1))

    with pytest.raises(RuntimeError, match=r"DataLoader worker \(pid"):
        next(iterator)


class Doubled(Dataset):
    """The numbers of a tensor, each doubled in place when it is read."""

    def __init__(self, x):
        self.x = x

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        return self.x[i].mul_(2)


def test_workers_write_into_shared_memory():
    """A tensor of a Dataset that is in shared memory is one for all processes: what a worker writes into it changes the
    tensor of the main process.

    `x.share_memory_()` moves a tensor there. Workers that are not forked (on Windows and macOS, and on Linux from
    Python 3.14 on) get every CPU tensor of the Dataset in shared memory, without that call. Do not write into a sample:
    work on `x.clone()`.

    https://docs.pytorch.org/docs/stable/multiprocessing.html
    """
    own, shared = torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.0]).share_memory_()
    assert (own.is_shared(), shared.is_shared()) == (False, True)

    for x in (own, shared):
        loader = DataLoader(Doubled(x), batch_size=2, num_workers=1)
        assert [batch.tolist() for batch in loader] == [[2, 4]]

    assert own.tolist() == ([2, 4] if own.is_shared() else [1, 2])  # not forked, the worker has it in shared memory
    assert shared.tolist() == [2, 4]


def test_a_worker_takes_the_dtype_of_the_first_tensor():
    """A batch of a float32 and then a float64 tensor is float64 without workers, but in a worker it has the dtype of
    its first tensor, float32.

    A batch of an int64 and then a float32 tensor is float32 without workers, and raises in a worker; the other way
    round it is float32 in a worker, too. Give all samples one dtype.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.default_collate
    """
    samples = [torch.tensor([0.5]), torch.tensor([0.5], dtype=torch.float64)]

    (here,) = DataLoader(samples, batch_size=2)
    (in_a_worker,) = DataLoader(samples, batch_size=2, num_workers=1)

    assert (here.tolist(), here.dtype) == ([[0.5], [0.5]], torch.float64)
    assert (in_a_worker.tolist(), in_a_worker.dtype) == ([[0.5], [0.5]], torch.float32)

    samples = [torch.tensor([1]), torch.tensor([0.5])]
    (here,) = DataLoader(samples, batch_size=2)
    (turned,) = DataLoader(samples[::-1], batch_size=2, num_workers=1)
    assert (here.tolist(), here.dtype) == ([[1], [0.5]], torch.float32)
    assert (turned.tolist(), turned.dtype) == ([[0.5], [1]], torch.float32)
    iterator = iter(DataLoader(samples, batch_size=2, num_workers=1))
    with pytest.raises((TypeError, RuntimeError), match="in DataLoader worker process 0"):
        next(iterator)
    assert list(iterator) == []


def test_a_worker_cannot_resize_a_storage():
    """In a worker, tensors of different shapes in a batch can raise RuntimeError with "Trying to resize storage that is
    not resizable": it does if the first tensor has more numbers than the average of the batch.

    Else, and always without workers, the text is "stack expects each tensor to be equal size". The cause is the same:
    one sample has another shape. Resize or pad in `__getitem__` or in a `collate_fn`.

    https://docs.pytorch.org/docs/stable/data.html#working-with-collate-fn
    """
    samples = [torch.zeros(3), torch.zeros(1), torch.zeros(1), torch.zeros(3)]
    messages = ["Trying to resize storage that is not resizable", "stack expects each tensor to be equal size"]

    iterator = iter(DataLoader(samples, batch_size=2, num_workers=1))
    for message in messages:
        with pytest.raises(RuntimeError, match=message):
            next(iterator)
    assert list(iterator) == []  # to the end, where the worker stops

    iterator = iter(DataLoader(samples, batch_size=2))
    for _ in messages:
        with pytest.raises(RuntimeError, match=messages[1]):
            next(iterator)


def test_tensors_that_require_grad_fail_in_a_worker():
    """Samples that require grad make a batch without workers, and raise RuntimeError in a worker: "functions with
    out=... arguments don't support automatic differentiation".

    Without workers `backward()` reaches the stored tensor. A tensor that was computed from one that requires grad
    cannot leave a process: "Cowardly refusing to serialize non-leaf tensor which requires_grad". Store `x.detach()`.

    https://docs.pytorch.org/docs/stable/notes/multiprocessing.html
    """
    x = torch.tensor([1.0, 2.0], requires_grad=True)

    (batch,) = DataLoader(x, batch_size=2)
    batch.sum().backward()
    assert x.grad.tolist() == [1, 1]

    iterator = iter(DataLoader(x, batch_size=2, num_workers=1))
    with pytest.raises(RuntimeError, match=r"out=\.\.\. arguments don't support automatic differentiation"):
        next(iterator)
    assert list(iterator) == []  # to the end, where the worker stops
    with pytest.raises(RuntimeError, match="Cowardly refusing to serialize non-leaf tensor which requires_grad"):
        ForkingPickler.dumps(x[0])
    (batch,) = DataLoader(x.detach(), batch_size=2, num_workers=1)
    assert (batch.tolist(), batch.requires_grad) == ([1, 2], False)


class Overtaken(Squares):
    """Sample i and the worker that was asked for it. Number 0 waits for the event, which number 6 sets, or you."""

    def __init__(self, size):
        super().__init__(size)
        self.further = multiprocessing.Event()

    def __getitem__(self, i):
        if i == 6:
            self.further.set()
        if i == 0:
            self.further.wait(timeout=60)
        return i, get_worker_info().id


@pytest.mark.filterwarnings("ignore:This DataLoader will create 2 worker processes")  # on a machine with one CPU
def test_workers_keep_the_order():
    """By default the batches of two workers come in the order of their indices, also if the second worker is ahead of
    the first.

    A Dataset with `__getitem__` is shared out in turns, a batch to each worker. One slow batch holds up all batches
    that come after it.

    https://docs.pytorch.org/docs/stable/data.html#single-and-multi-process-data-loading
    """
    loader = DataLoader(Overtaken(8), batch_size=2, num_workers=2)

    batches = [(i.tolist(), worker.tolist()) for i, worker in loader]

    assert batches == [([0, 1], [0, 0]), ([2, 3], [1, 1]), ([4, 5], [0, 0]), ([6, 7], [1, 1])]


@pytest.mark.holds("torch>=2.6", otherwise=TypeError, change="new", concerns="torch.utils.data.DataLoader(in_order)")
@pytest.mark.filterwarnings("ignore:This DataLoader will create 2 worker processes")  # on a machine with one CPU
def test_in_order_false_is_for_workers(device):
    """From torch 2.6 on, `in_order=False` lets a batch of a fast worker come before an earlier batch of a slow worker.

    The order of the batches then depends on how fast the workers are, and no seed fixes it. Without workers
    `in_order=False` changes nothing. Before torch 2.6 the argument raises TypeError.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.DataLoader
    """
    x = torch.arange(4, device=device)
    loader = DataLoader(x, batch_size=2, in_order=False)
    assert (loader.in_order, DataLoader(x).in_order) == (False, True)
    assert [batch.tolist() for batch in loader] == [[0, 1], [2, 3]]

    dataset = Overtaken(4)
    batches = iter(DataLoader(dataset, batch_size=2, num_workers=2, in_order=False))
    first = next(batches)
    dataset.further.set()  # until now, the batch with number 0 could not be finished
    assert [i.tolist() for i, _ in (first, *batches)] == [[2, 3], [0, 1]]


class MissingImage(Exception):
    def __init__(self, path):
        super().__init__("an image is missing")


class Unreadable(Squares):
    """Numbers 3 and 15 cannot be read, number 7 cannot be decoded, and after number 9 an iterator is used up."""

    def __getitem__(self, i):
        if i == 3:
            raise ValueError(f"sample {i} is broken")
        if i == 7:
            b"\xff".decode("utf-8")
        if i == 10:
            next(iter([]))
        if i == 15:
            raise MissingImage("15.png")
        return i


def test_an_exception_in_a_worker_reaches_you():
    """A ValueError that `__getitem__` raises in a worker is raised in the loop, with the traceback of the worker in its
    text: "Caught ValueError in DataLoader worker process 0".

    The text ends with the cause; `num_workers=0` raises it without the detour. A UnicodeDecodeError needs more than a
    text, and comes as RuntimeError. A class of your own that makes its own text comes without the traceback: hand the
    text on, `super().__init__(text)`. The iterator goes on with the next batch. StopIteration ends the loop silently,
    as it does without workers.

    https://docs.pytorch.org/docs/stable/data.html#single-and-multi-process-data-loading
    """
    iterator = iter(DataLoader(Unreadable(16), batch_size=2, num_workers=1))

    assert next(iterator).tolist() == [0, 1]
    with pytest.raises(ValueError, match="sample 3 is broken") as caught:
        next(iterator)
    assert next(iterator).tolist() == [4, 5]
    with pytest.raises(RuntimeError, match="Caught UnicodeDecodeError"):
        next(iterator)
    assert [batch.tolist() for batch in iterator] == [[8, 9]]
    assert next(iterator).tolist() == [12, 13]
    with pytest.raises(MissingImage) as bare:
        next(iterator)
    assert str(bare.value) == "an image is missing"
    rest = [batch.tolist() for batch in iterator]  # to the end, where the worker stops

    assert "Caught ValueError in DataLoader worker process 0" in str(caught.value)
    assert "in __getitem__" in str(caught.value)
    assert str(caught.value).rstrip().endswith("ValueError: sample 3 is broken")
    with pytest.raises(ValueError, match=r"^sample 3 is broken$"):
        list(DataLoader(Unreadable(16), batch_size=2))
    assert rest == []


class LocalError(Squares):
    def __getitem__(self, i):
        class BrokenImage(Exception):
            pass

        raise BrokenImage(f"number {i} is broken")


@pytest.mark.costly("waits for a second")
def test_an_exception_of_a_local_class_never_arrives():
    """An exception in a worker whose class is defined inside a function never reaches the loop, which waits for ever.

    An exception comes to the main process by pickle, which does not find classes that are defined inside a function.
    Define yours at the top level of a file. With `timeout=`, a number of seconds, the DataLoader raises RuntimeError
    instead of waiting longer.

    https://docs.python.org/3/library/pickle.html#what-can-be-pickled-and-unpickled
    """

    iterator = iter(DataLoader(LocalError(4), num_workers=1, timeout=1))

    with pytest.raises(RuntimeError, match="timed out after 1 seconds"):
        next(iterator)


# What came with a release


@pytest.mark.holds(
    "torch>=2.9", otherwise=(TypeError, DeprecationWarning), change="new", concerns="torch.utils.data.DataLoader?"
)
def test_numpy_truth_values_make_a_batch():
    """From torch 2.9 on, a batch of NumPy's truth values, such as `array[i] > 0`, is a bool tensor.

    Before, such a batch raises TypeError with NumPy 2.3 or newer, and gives a DeprecationWarning with an older NumPy.
    `bool(array[i] > 0)` works with every release of torch and of NumPy.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.default_collate
    """
    array = np.array([0.5, -0.5])
    samples = [array[0] > 0, array[1] > 0]
    (plain,) = DataLoader([bool(sample) for sample in samples], batch_size=2)
    assert (plain.tolist(), plain.dtype) == ([True, False], torch.bool)

    with warnings.catch_warnings():
        warnings.simplefilter("error")  # the announcement of an older NumPy
        (batch,) = DataLoader(samples, batch_size=2)

    assert (batch.tolist(), batch.dtype) == ([True, False], torch.bool)
    assert type(samples[0]) is np.bool_


@pytest.mark.holds(
    "torch>=2.2",
    otherwise=AssertionError,
    change="raises",
    concerns=("torch.sparse_coo_tensor?", "torch.Tensor.to_sparse?"),
)
def test_sparse_tensors_make_no_batch():
    """From torch 2.2 on, a batch of sparse COO tensors raises RuntimeError: "Batches of sparse tensors are not
    currently supported by the default collate_fn".

    Before, a DataLoader without workers stacks them. Write `collate_fn=torch.stack`, which without workers does it in
    every release.

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.default_collate
    """
    samples = [torch.eye(2).to_sparse(), torch.zeros(2, 2).to_sparse()]

    (stacked,) = DataLoader(samples, batch_size=2, collate_fn=torch.stack)

    assert (stacked.layout, stacked.to_dense().tolist()) == (torch.sparse_coo, [[[1, 0], [0, 1]], [[0, 0], [0, 0]]])
    with pytest.raises(RuntimeError, match="Batches of sparse tensors are not currently supported by the default"):
        list(DataLoader(samples, batch_size=2))
