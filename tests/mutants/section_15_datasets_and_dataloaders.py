"""What could break in Datasets and DataLoaders."""

import copy
import functools
import itertools
import math
import multiprocessing.synchronize
import os
import subprocess
import sys
import tempfile
import warnings
from collections import OrderedDict, defaultdict, namedtuple
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils import data
from torch.utils.data._utils import collate, fetch, worker
from torch.utils.data.dataloader import _BaseDataLoaderIter, _MultiProcessingDataLoaderIter

from torchnotes.harness.mutation import mutant, raises

Point = namedtuple("Point", ["x", "y"])


class Numbers(data.Dataset):
    def __len__(self):
        return 3

    def __getitem__(self, i):
        return 10 * i


class Stream(data.IterableDataset):
    def __iter__(self):
        return iter(range(5))


def loaded(*arguments, **options):
    return [batch.tolist() if hasattr(batch, "tolist") else batch for batch in data.DataLoader(*arguments, **options)]


def first(samples, **options):
    return next(iter(data.DataLoader(samples, **{"batch_size": len(samples), **options})))


def change_loader(patch, change):
    """Let `change(dataset, options)` look at what a DataLoader is made with, and return other options."""

    def broken(self, call, dataset, *arguments, **options):
        options |= dict(zip(("batch_size", "shuffle", "sampler", "batch_sampler"), arguments, strict=False))
        return call(dataset, **(change(dataset, options) or options))

    patch.method(data.DataLoader, "__init__", broken)


# Datasets


@mutant(
    kills=("test_a_dataset_is_len_and_getitem", "test_any_sequence_will_do", "test_defaults_of_a_dataloader"),
    witness=lambda: loaded([1, 2]) == [[1], [2]],
)
def loader_goes_backwards(patch):
    """A DataLoader asks for len - 1 to 0."""
    patch.method(data.SequentialSampler, "__iter__", lambda self, call: iter(list(call())[::-1]))


@mutant(
    kills="test_a_dataset_is_len_and_getitem",
    witness=lambda: loaded(Numbers()) == [[0], [10], [20]],
)
def loader_counts_from_one(patch):
    """A DataLoader asks for samples 1 to len."""
    patch.method(data.SequentialSampler, "__iter__", lambda self, call: (i + 1 for i in call()))


@mutant(
    kills=("test_a_dataset_is_len_and_getitem", "test_defaults_of_a_dataloader"),
    witness=lambda: len(loaded([1, 2, 3], batch_size=2)) == 2,
)
def loader_drops_the_last_batch(patch):
    """A DataLoader drops a short last batch by default."""

    def change(dataset, options):
        if options.get("batch_sampler") is None and options.get("batch_size", 1) is not None:
            options.setdefault("drop_last", True)

    change_loader(patch, change)


@mutant(
    kills="test_any_sequence_will_do",
    witness=lambda: not raises(TypeError, lambda: data.DataLoader([1, 2])),
    raises=TypeError,
)
def loader_wants_a_dataset(patch):
    """A DataLoader refuses what is no `Dataset`."""

    def change(dataset, options):
        if not isinstance(dataset, data.Dataset):
            raise TypeError("expected a Dataset")

    change_loader(patch, change)


@mutant(
    kills="test_any_sequence_will_do",
    witness=lambda: first(range(2)).dtype == torch.int64,
)
def loader_of_a_range_gives_int32(patch):
    """The numbers of a `range` come out as int32."""

    def change(dataset, options):
        if isinstance(dataset, range):
            options.setdefault("collate_fn", lambda batch: torch.tensor(batch, dtype=torch.int32))

    change_loader(patch, change)


@mutant(
    kills="test_any_sequence_will_do",
    witness=lambda: raises(TypeError, lambda: loaded(i for i in [1, 2])),
)
def loader_reads_a_generator(patch):
    """A DataLoader reads a dataset without a length into a list."""

    def broken(self, call, dataset, *arguments, **options):
        sized = hasattr(dataset, "__len__") or hasattr(dataset, "__getitem__") or isinstance(dataset, data.Dataset)
        call(dataset if sized else list(dataset), *arguments, **options)

    patch.method(data.DataLoader, "__init__", broken)


@mutant(
    kills="test_any_sequence_will_do",
    witness=lambda: raises(KeyError, lambda: loaded({"a": 1})),
)
def loader_takes_the_values_of_a_dict(patch):
    """A DataLoader counts the values of a dict, whatever its keys are."""

    def broken(self, call, dataset, *arguments, **options):
        call(list(dataset.values()) if isinstance(dataset, dict) else dataset, *arguments, **options)

    patch.method(data.DataLoader, "__init__", broken)


@mutant(
    kills="test_a_dataset_is_len_and_getitem",
    witness=lambda: read_when_made() == [],
)
def loader_reads_a_sample_when_it_is_made(patch):
    """A DataLoader asks for the first sample when it is made."""

    def change(dataset, options):
        if isinstance(dataset, data.Dataset) and not isinstance(dataset, data.IterableDataset) and len(dataset):
            dataset[0]

    change_loader(patch, change)


def read_when_made():
    asked = []

    class Asked(Numbers):
        def __getitem__(self, i):
            asked.append(i)
            return i

    data.DataLoader(Asked())
    return asked


class WithoutGetitem(data.Dataset):
    def __len__(self):
        return 1


class WithoutLen(data.Dataset):
    def __getitem__(self, i):
        return i


@mutant(
    kills="test_what_is_missing_shows_late",
    witness=lambda: raises(NotImplementedError, lambda: WithoutGetitem()[0]),
)
def dataset_answers_with_the_index(patch):
    """A Dataset without `__getitem__` answers with the index."""
    patch.setattr(data.Dataset, "__getitem__", lambda self, index: index)


@mutant(
    kills="test_what_is_missing_shows_late",
    witness=lambda: raises(NotImplementedError, lambda: WithoutGetitem()[0]),
    raises=AttributeError,
)
def dataset_without_getitem_raises_attribute_error(patch):
    """A Dataset without `__getitem__` raises AttributeError instead of NotImplementedError."""

    def broken(self, index):
        raise AttributeError("__getitem__")

    patch.setattr(data.Dataset, "__getitem__", broken)


@mutant(
    kills="test_what_is_missing_shows_late",
    witness=lambda: raises(TypeError, lambda: len(WithoutLen())),
)
def dataset_has_one_sample_by_default(patch):
    """A Dataset without `__len__` has the length 1."""
    patch.setattr(data.Dataset, "__len__", lambda self: 1, raising=False)


@mutant(
    kills="test_what_is_missing_shows_late",
    witness=lambda: raises(TypeError, lambda: data.DataLoader(WithoutLen(), shuffle=True)),
)
def shuffling_asks_for_len_later(patch):
    """`shuffle=True` does not look at the length of the dataset before the first batch."""

    def change(self, call, *arguments, **options):
        try:
            call(*arguments, **options)
        except TypeError:
            return

    patch.method(data.RandomSampler, "__init__", change)


@mutant(
    kills="test_looping_over_a_dataset_may_never_end",
    witness=lambda: len(list(itertools.islice(Numbers(), 5))) == 5,
)
def dataset_loop_ends_at_len(patch):
    """`for sample in dataset` ends at `len(dataset)`."""
    patch.setattr(data.Dataset, "__iter__", lambda self: (self[i] for i in range(len(self))), raising=False)


@mutant(
    kills="test_looping_over_a_dataset_may_never_end",
    witness=lambda: list(itertools.islice(Numbers(), 5)) == [0, 10, 20, 30, 40],
)
def dataset_loop_starts_again(patch):
    """`for sample in dataset` starts again from 0 after the last sample."""

    def broken(self):
        return (self[i % len(self)] for i in itertools.count())

    patch.setattr(data.Dataset, "__iter__", broken, raising=False)


@mutant(
    kills="test_what_is_missing_shows_late",
    witness=lambda: loaded(WithoutLen(), sampler=[4]) == [[4]],
    raises=TypeError,
)
def loader_asks_for_len_beside_a_sampler(patch):
    """A DataLoader asks for the length of the dataset also if it has a sampler."""

    def change(dataset, options):
        if options.get("sampler") is not None:
            len(dataset)

    change_loader(patch, change)


class Ends(data.Dataset):
    def __len__(self):
        return 3

    def __getitem__(self, i):
        return i if i < 1 else next(iter([]))


ENDED = ("test_stop_iteration_ends_the_epoch", "test_an_exception_in_a_worker_reaches_you")


@mutant(kills=ENDED, witness=lambda: loaded(Ends()) == [[0]], raises=RuntimeError)
def stop_iteration_of_a_sample_is_an_error(patch):
    """A StopIteration in `__getitem__` comes out of the DataLoader as RuntimeError, as it does from a generator."""

    def change(self, call, index):
        try:
            return call(index)
        except StopIteration as error:
            raise RuntimeError("__getitem__ raised StopIteration") from error

    patch.method(fetch._MapDatasetFetcher, "fetch", change)


def pairs():
    return data.TensorDataset(torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), torch.tensor([7, 8, 9]))


@mutant(kills="test_tensor_dataset", witness=lambda: type(pairs()[1]) is tuple)
def tensor_dataset_gives_lists(patch):
    """A sample of a `TensorDataset` is a list."""
    patch.method(data.TensorDataset, "__getitem__", lambda self, call, index: list(call(index)))


@mutant(
    kills=("test_tensor_dataset", "test_a_batch_of_pairs_is_a_list"),
    witness=lambda: pairs()[1][1].ndim == 0,
)
def tensor_dataset_keeps_the_dimension(patch):
    """A sample of a `TensorDataset` is `x[i:i + 1]`."""

    def change(self, call, index):
        return tuple(tensor[index : index + 1 or None] for tensor in self.tensors)

    patch.method(data.TensorDataset, "__getitem__", change)


@mutant(kills="test_tensor_dataset", witness=lambda: pairs()[-1][1] == 9)
def tensor_dataset_is_off_by_one_from_the_end(patch):
    """Negative indices of a `TensorDataset` count from -0."""
    patch.method(data.TensorDataset, "__getitem__", lambda self, call, index: call(index - 1 if index < 0 else index))


@mutant(kills="test_tensor_dataset", witness=lambda: pairs()[0][1].dtype == torch.int64)
def tensor_dataset_has_one_dtype(patch):
    """All tensors of a `TensorDataset` take the dtype of the first."""
    patch.method(
        data.TensorDataset,
        "__getitem__",
        lambda self, call, index: tuple(part.to(self.tensors[0].dtype) for part in call(index)),
    )


@mutant(
    kills="test_tensor_dataset_wants_tensors",
    witness=lambda: raises(TypeError, lambda: data.TensorDataset(np.zeros(2))),
)
def tensor_dataset_takes_arrays(patch):
    """`TensorDataset` makes tensors of arrays and lists."""
    patch.method(data.TensorDataset, "__init__", lambda self, call, *parts: call(*map(torch.as_tensor, parts)))


@mutant(
    kills="test_tensor_dataset_wants_equal_lengths",
    witness=lambda: len(cut_dataset()) == 2,
    raises=IndexError,
)
def tensor_dataset_is_as_long_as_the_longest(patch):
    """The length of a `TensorDataset` is that of its longest tensor."""
    patch.setattr(data.TensorDataset, "__len__", lambda self: max(map(len, self.tensors)))


def cut_dataset():
    dataset = data.TensorDataset(torch.zeros(2))
    dataset.tensors = (torch.zeros(2), torch.zeros(3))
    return dataset


def unequal():
    return data.TensorDataset(torch.zeros(4, 2), torch.zeros(3))


@mutant(kills="test_tensor_dataset_wants_equal_lengths", witness=lambda: raises(AssertionError, unequal))
def tensor_dataset_takes_any_lengths(patch):
    """`TensorDataset` does not compare lengths."""
    patch.setattr(data.TensorDataset, "__init__", lambda self, *tensors: setattr(self, "tensors", tensors))


@mutant(
    kills="test_tensor_dataset_wants_equal_lengths",
    witness=lambda: raises(AssertionError, unequal),
    raises=ValueError,
)
def tensor_dataset_raises_value_error(patch):
    """`TensorDataset` refuses different lengths with ValueError instead of AssertionError."""

    def change(self, call, *tensors):
        try:
            call(*tensors)
        except AssertionError as error:
            raise ValueError(str(error)) from None

    patch.method(data.TensorDataset, "__init__", change)


def hit_by_samples():
    x = torch.zeros(2)
    data.TensorDataset(x)[1][0].add_(1)
    return x.tolist() == [0, 1]


@mutant(kills="test_samples_are_views_and_batches_are_copies", witness=hit_by_samples)
def tensor_dataset_gives_copies(patch):
    """A sample of a `TensorDataset` is a copy."""
    patch.method(
        data.TensorDataset,
        "__getitem__",
        lambda self, call, index: tuple(part.clone() for part in call(index)),
    )


@mutant(kills="test_samples_are_views_and_batches_are_copies", witness=hit_by_samples)
def tensor_dataset_copies_its_tensors(patch):
    """A `TensorDataset` has copies of its tensors."""
    patch.method(data.TensorDataset, "__init__", lambda self, call, *tensors: call(*(part.clone() for part in tensors)))


def change_collate(patch, kind, change):
    """Let samples of a type be put together by `change(call, batch)`, also inside of containers."""
    table = collate.default_collate_fn_map
    plain = dict(table)

    def call(batch):
        return collate.collate(batch, collate_fn_map=plain)

    patch.setitem(table, kind, lambda batch, *, collate_fn_map=None: change(call, batch))


def hit_by_batches():
    x = torch.zeros(3)
    for batch in data.DataLoader(x, batch_size=2):
        batch.add_(1)
    return x.any()


@mutant(kills="test_samples_are_views_and_batches_are_copies", witness=lambda: not hit_by_batches())
def collate_of_one_is_a_view(patch):
    """A batch of a single tensor is a view of it."""
    change_collate(patch, torch.Tensor, lambda call, batch: batch[0][None] if len(batch) == 1 else call(batch))


def hit_by_single_samples():
    x = torch.zeros(3)
    for sample in data.DataLoader(x, batch_size=None):
        sample.add_(1)
    return x.all()


@mutant(kills="test_samples_are_views_and_batches_are_copies", witness=hit_by_single_samples)
def batch_size_none_copies(patch):
    """With `batch_size=None` a DataLoader copies each sample."""

    def copied(sample):
        return sample.clone() if isinstance(sample, torch.Tensor) else sample

    change_convert(patch, lambda call, sample: torch.utils._pytree.tree_map(copied, call(sample)))


def stacked():
    return data.StackDataset(image=torch.ones(2, 3), label=["cat", "dog"])


def change_stack(patch, change):
    def broken(self, index):
        return change({name: (part, index) for name, part in self.datasets.items()})

    patch.setattr(data.StackDataset, "__getitem__", broken)
    patch.setattr(data.StackDataset, "__getitems__", lambda self, indices: [self[i] for i in indices], raising=False)


@mutant(kills="test_stack_dataset_names_the_parts", witness=lambda: type(stacked()[0]) is dict)
def stack_dataset_gives_ordered_dicts(patch):
    """A sample of a `StackDataset` with names is an OrderedDict."""
    change_stack(patch, lambda parts: OrderedDict((name, part[i]) for name, (part, i) in parts.items()))


@mutant(kills="test_stack_dataset_names_the_parts", witness=lambda: stacked()[1]["label"] == "dog")
def stack_dataset_is_off_by_one(patch):
    """In a sample of a `StackDataset` the second part is that of the sample before."""
    change_stack(patch, lambda parts: {name: part[i - k] for k, (name, (part, i)) in enumerate(parts.items())})


@mutant(
    kills="test_stack_dataset_names_the_parts",
    witness=lambda: raises(ValueError, lambda: data.StackDataset(a=[1], b=[1, 2])),
)
def stack_dataset_takes_any_lengths(patch):
    """`StackDataset` does not compare the lengths of its datasets."""

    def change(self, call, *parts, **named):
        try:
            call(*parts, **named)
        except ValueError:
            self.datasets, self._length = named or parts, 1

    patch.method(data.StackDataset, "__init__", change)


def seen_by_subset():
    x = torch.zeros(3)
    subset = data.Subset(x, [2, 0])
    x[2] = 1
    return subset[0] == 1


@mutant(kills="test_subset_is_a_list_of_indices", witness=seen_by_subset)
def subset_copies(patch):
    """`Subset` copies the dataset."""
    patch.method(data.Subset, "__init__", lambda self, call, dataset, indices: call(copy.deepcopy(dataset), indices))


@mutant(
    kills="test_subset_is_a_list_of_indices",
    witness=lambda: not raises(IndexError, lambda: data.Subset(torch.zeros(2), [5])),
    raises=IndexError,
)
def subset_looks_at_its_indices(patch):
    """`Subset` raises IndexError when it is made with an index that does not exist."""

    def change(self, call, dataset, indices):
        for i in indices:
            if i >= len(dataset):
                raise IndexError(f"there is no {i}")
        call(dataset, indices)

    patch.method(data.Subset, "__init__", change)


@mutant(
    kills="test_subset_is_a_list_of_indices",
    witness=lambda: list(data.Subset([5, 6, 7], [2, 9, 0])) == [7],
    raises=IndexError,
)
def subset_raises_in_a_loop(patch):
    """A plain loop over a `Subset` raises IndexError at an index that the dataset does not have."""
    patch.setattr(data.Subset, "__iter__", lambda self: (self.dataset[i] for i in self.indices), raising=False)


@mutant(
    kills=("test_subset_is_a_list_of_indices", "test_random_split_is_a_partition_for_every_choice_of_lengths"),
    witness=lambda: list(data.Subset([5, 6, 7], [2, 0])) == [7, 5],
)
def subset_sorts_its_indices(patch):
    """`Subset` sorts its indices."""
    patch.method(data.Subset, "__init__", lambda self, call, dataset, indices: call(dataset, sorted(indices)))


@mutant(
    kills="test_subset_is_a_list_of_indices",
    witness=lambda: data.Subset(Numbers(), [9])[0] == 90,
    raises=IndexError,
)
def subset_checks_what_is_asked_for(patch):
    """`Subset` raises IndexError for an index beyond the length of the dataset, when it is asked for."""

    def change(self, call, i):
        if self.indices[i] >= len(self.dataset):
            raise IndexError("index out of range")
        return call(i)

    patch.method(data.Subset, "__getitem__", change)


@mutant(
    kills="test_subset_is_a_list_of_indices",
    witness=lambda: len(data.Subset([5, 6, 7], [2, 2])) == 2,
)
def subset_takes_each_once(patch):
    """`Subset` drops an index that it has already."""
    patch.method(
        data.Subset, "__init__", lambda self, call, dataset, indices: call(dataset, list(dict.fromkeys(indices)))
    )


@mutant(
    kills="test_subset_takes_a_mask_for_indices",
    witness=lambda: list(data.Subset(["a", "b"], [True, True])) == ["b", "b"],
)
def subset_takes_a_mask(patch):
    """`Subset` takes a mask of booleans, as an array does."""

    def change(self, call, dataset, indices):
        mask = torch.as_tensor(indices)
        call(dataset, mask.nonzero().flatten().tolist() if mask.dtype == torch.bool else indices)

    patch.method(data.Subset, "__init__", change)


@mutant(
    kills="test_concat_dataset_puts_one_after_the_other",
    witness=lambda: type(Stream() + Stream()) is data.ChainDataset,
    raises=AssertionError,
)
def sum_of_streams_is_a_concat_dataset(patch):
    """`+` of two IterableDatasets is a `ConcatDataset`, as it is of other Datasets."""
    patch.setattr(data.IterableDataset, "__add__", data.Dataset.__add__)


def joined():
    return data.ConcatDataset([[1, 2], [3], [4, 5]])


@mutant(kills="test_concat_dataset_puts_one_after_the_other", witness=lambda: joined()[-1] == 5)
def concat_dataset_is_off_by_one_from_the_end(patch):
    """Negative indices of a `ConcatDataset` count from -0."""
    patch.method(
        data.ConcatDataset,
        "__getitem__",
        lambda self, call, index: call(index if index >= 0 else (index + 1) % len(self)),
    )


@mutant(kills="test_concat_dataset_puts_one_after_the_other", witness=lambda: len(joined()) == 5)
def concat_dataset_is_as_long_as_the_shortest(patch):
    """The length of a `ConcatDataset` is that of its shortest part."""
    patch.setattr(data.ConcatDataset, "__len__", lambda self: min(map(len, self.datasets)))


@mutant(
    kills="test_concat_dataset_puts_one_after_the_other",
    witness=lambda: (Numbers() + [7])[0] == 0,
)
def sum_of_datasets_is_turned_round(patch):
    """`one + other` puts the other dataset first."""
    patch.setattr(data.Dataset, "__add__", lambda self, other: data.ConcatDataset([other, self]))


@mutant(
    kills="test_concat_dataset_puts_one_after_the_other",
    witness=lambda: type(Numbers() + Numbers()) is data.ConcatDataset,
)
def sum_of_datasets_is_a_list(patch):
    """`one + other` reads both datasets into a list."""
    patch.setattr(
        data.Dataset,
        "__add__",
        lambda self, other: [part[i] for part in (self, other) for i in range(len(part))],
    )


# random_split


def change_random_split(patch, change):
    original = data.random_split

    def broken(dataset, lengths, generator=torch.default_generator):
        return change(original, dataset, lengths, generator)

    patch.everywhere(original, broken)


def split(lengths, size=20):
    return [list(part.indices) for part in data.random_split(range(size), lengths, torch.Generator().manual_seed(5))]


def permuted(size=20):
    return torch.randperm(size, generator=torch.Generator().manual_seed(5)).tolist()


PARTITION = "test_random_split_is_a_partition_for_every_choice_of_lengths"


@mutant(kills=PARTITION, witness=lambda: list(itertools.chain(*split([15, 5]))) == permuted())
def random_split_does_not_shuffle(patch):
    """`random_split` cuts the dataset as it is."""

    def change(call, dataset, lengths, generator):
        parts = call(dataset, lengths, generator)
        start = 0
        for part in parts:
            part.indices = list(range(start, start + len(part)))
            start += len(part)
        return parts

    change_random_split(patch, change)


@mutant(kills=PARTITION, witness=lambda: not set.intersection(*map(set, split([15, 5]))))
def random_split_shares_a_sample(patch):
    """The second part of a `random_split` has the first sample of the first part."""

    def change(call, dataset, lengths, generator):
        parts = call(dataset, lengths, generator)
        if len(parts) > 1 and len(parts[0]) and len(parts[1]):
            parts[1].indices = [parts[0].indices[0], *parts[1].indices[1:]]
        return parts

    change_random_split(patch, change)


@mutant(kills=PARTITION, witness=lambda: split([15, 5])[0] == permuted()[:15])
def random_split_draws_once_more(patch):
    """`random_split` draws a number from its generator before it shuffles."""

    def change(call, dataset, lengths, generator):
        torch.rand(1, generator=generator)
        return call(dataset, lengths, generator)

    change_random_split(patch, change)


def sizes(lengths, size):
    return [len(part) for part in split(lengths, size)]


def are_shares(lengths):
    return any(isinstance(length, float) for length in lengths) and math.isclose(sum(lengths), 1)


@mutant(
    kills=("test_random_split_by_shares", "test_random_split_beside_train_test_split"),
    witness=lambda: sizes([0.75, 0.25], 10) == [8, 2],
)
def random_split_gives_the_rest_to_the_last(patch):
    """`random_split` gives what is left of shares to the last part."""

    def change(call, dataset, lengths, generator):
        if are_shares(lengths):
            lengths = [math.floor(share * len(dataset)) for share in lengths]
            lengths[-1] += len(dataset) - sum(lengths)
        return call(dataset, lengths, generator)

    change_random_split(patch, change)


@mutant(
    kills="test_random_split_by_shares",
    witness=lambda: sizes([0.25] * 4, 10) == [3, 3, 2, 2],
)
def random_split_gives_the_rest_to_the_first(patch):
    """`random_split` gives all that is left of shares to the first part."""

    def change(call, dataset, lengths, generator):
        if are_shares(lengths):
            lengths = [math.floor(share * len(dataset)) for share in lengths]
            lengths[0] += len(dataset) - sum(lengths)
        return call(dataset, lengths, generator)

    change_random_split(patch, change)


@mutant(
    kills="test_random_split_by_shares",
    witness=lambda: raises(ValueError, lambda: split([0.5, 0.4])),
)
def random_split_takes_any_shares(patch):
    """`random_split` leaves samples out where shares do not add up to 1."""

    def change(call, dataset, lengths, generator):
        if any(isinstance(share, float) for share in lengths) and sum(lengths) < 1 - 1e-6:
            lengths = [math.floor(share * len(dataset)) for share in lengths]
            return call(dataset, [*lengths, len(dataset) - sum(lengths)], generator)[:-1]
        return call(dataset, lengths, generator)

    change_random_split(patch, change)


@mutant(
    kills="test_random_split_by_shares",
    witness=lambda: raises(ValueError, lambda: split([0.5, 0.5 + 2**-52])),
)
def random_split_takes_shares_up_to_rounding(patch):
    """`random_split` takes shares with a sum that is rounded to a little more than 1."""

    def change(call, dataset, lengths, generator):
        if are_shares(lengths) and sum(lengths) > 1:
            lengths = [math.floor(share * len(dataset)) for share in lengths]
            lengths[0] += len(dataset) - sum(lengths)
        return call(dataset, lengths, generator)

    change_random_split(patch, change)


@mutant(
    kills="test_random_split_by_shares",
    witness=lambda: raises(ValueError, lambda: split([19])),
)
def random_split_takes_too_few(patch):
    """`random_split` leaves samples out where numbers add up to less than the length of the dataset."""

    def change(call, dataset, lengths, generator):
        missing = len(dataset) - sum(lengths)
        if all(isinstance(length, int) for length in lengths) and missing > 0:
            return call(dataset, [*lengths, missing], generator)[:-1]
        return call(dataset, lengths, generator)

    change_random_split(patch, change)


@mutant(kills="test_random_split_by_shares", witness=lambda: sizes([0.71, 0.29], 100) == [72, 28])
def random_split_computes_shares_exactly(patch):
    """`random_split` takes 0.29 of 100 samples for 29 samples."""

    def change(call, dataset, lengths, generator):
        counts = [share * len(dataset) for share in lengths]
        if are_shares(lengths) and all(math.isclose(count, round(count)) for count in counts):
            lengths = [round(count) for count in counts]
        return call(dataset, lengths, generator)

    change_random_split(patch, change)


@mutant(kills="test_random_split_by_shares", witness=lambda: sizes([0.0, 0.5, 0.5], 5) == [1, 2, 2])
def random_split_gives_nothing_for_no_share(patch):
    """`random_split` gives what is left of shares to parts with a share alone."""

    def change(call, dataset, lengths, generator):
        if are_shares(lengths) and 0 in lengths:
            counts = [math.floor(share * len(dataset)) for share in lengths]
            takers = itertools.cycle([i for i, share in enumerate(lengths) if share])
            for i in itertools.islice(takers, len(dataset) - sum(counts)):
                counts[i] += 1
            lengths = counts
        return call(dataset, lengths, generator)

    change_random_split(patch, change)


@mutant(
    kills="test_whole_numbers_with_the_sum_one_are_shares",
    witness=lambda: sizes([1], 10) == [10],
    raises=ValueError,
)
def random_split_takes_whole_numbers_for_counts(patch):
    """`random_split` takes whole numbers for numbers of samples, also if they add up to 1."""

    def change(call, dataset, lengths, generator):
        if all(isinstance(length, int) for length in lengths) and sum(lengths) != len(dataset):
            raise ValueError("Sum of input lengths does not equal the length of the input dataset!")
        return call(dataset, lengths, generator)

    change_random_split(patch, change)


@mutant(
    kills="test_shares_can_add_up_to_a_hair_more_than_one",
    witness=lambda: raises(ValueError, lambda: split(np.array([0.55, 0.34, 0.11]))),
)
def random_split_rounds_the_sum_of_shares(patch):
    """`random_split` takes shares of which the sum is 1 but for rounding."""

    def change(call, dataset, lengths, generator):
        if any(isinstance(length, float) for length in lengths) and math.isclose(sum(lengths), 1):
            counts = [math.floor(share * len(dataset)) for share in lengths]
            counts[0] += len(dataset) - sum(counts)
            lengths = counts
        return call(dataset, lengths, generator)

    change_random_split(patch, change)


# Batches


@mutant(
    kills="test_defaults_of_a_dataloader",
    witness=lambda: loaded([1, 2]) == [[1], [2]],
)
def loader_takes_two_by_default(patch):
    """The default batch size is 2."""

    def change(dataset, options):
        if options.get("batch_sampler") is None:
            options.setdefault("batch_size", 2)

    change_loader(patch, change)


@mutant(
    kills="test_defaults_of_a_dataloader",
    witness=lambda: type(data.DataLoader([1, 2]).sampler) is data.SequentialSampler,
)
def loader_shuffles_by_default(patch):
    """A DataLoader shuffles by default."""

    def change(dataset, options):
        given = {"sampler", "batch_sampler"} & options.keys() or isinstance(dataset, data.IterableDataset)
        if not given and len(dataset):
            options.setdefault("shuffle", True)

    change_loader(patch, change)


def lengths(**options):
    return len(data.DataLoader(range(5), batch_size=2, **options))


EVERY_SIZE = "test_batches_for_every_size"


@mutant(kills=(EVERY_SIZE, "test_a_sampler_gives_the_order"), witness=lambda: lengths() == 3)
def loader_len_is_rounded_down(patch):
    """`len(loader)` leaves the short last batch out."""
    patch.setattr(data.BatchSampler, "__len__", lambda self: len(self.sampler) // self.batch_size)


@mutant(kills=EVERY_SIZE, witness=lambda: lengths(drop_last=True) == 2)
def loader_len_counts_a_dropped_batch(patch):
    """`len(loader)` counts a short last batch also with `drop_last=True`."""
    patch.setattr(data.BatchSampler, "__len__", lambda self: math.ceil(len(self.sampler) / self.batch_size))


@mutant(kills=EVERY_SIZE, witness=lambda: loaded(range(5), batch_size=2, drop_last=True) == [[0, 1], [2, 3]])
def loader_drops_nothing(patch):
    """`drop_last=True` has no effect."""

    def change(dataset, options):
        options.pop("drop_last", None)

    change_loader(patch, change)


@mutant(kills=EVERY_SIZE, witness=lambda: loaded(range(4), batch_size=2, drop_last=True) == [[0, 1], [2, 3]])
def loader_drops_a_full_last_batch(patch):
    """`drop_last=True` drops the last batch also where it is full."""

    def change(self, call):
        batches = list(call())
        return iter(batches[: (len(self.sampler) - 1) // self.batch_size] if self.drop_last else batches)

    patch.method(data.BatchSampler, "__iter__", change)


@mutant(
    kills="test_a_batch_of_pairs_is_a_list",
    witness=lambda: type(first([(1, 2), (3, 4)])) is list,
)
def collate_keeps_tuples(patch):
    """A batch of tuples is a tuple."""

    def change(call, batch):
        result = call(batch)
        return tuple(result) if type(result) is list else result

    change_collate(patch, tuple, change)


def iterators():
    loader = data.DataLoader([1, 2])
    return next(iter(loader)), next(iter(loader))


@mutant(kills="test_next_iter_is_always_the_first_batch", witness=lambda: iterators()[1] == 1)
def loader_goes_on_where_it_was(patch):
    """`iter(loader)` goes on where the last loop was left."""

    def change(self, call):
        before = self.__dict__.get("iterator")
        if before is None or before._num_yielded == len(self):
            self.__dict__["iterator"] = call()
        return self.__dict__["iterator"]

    patch.method(data.DataLoader, "__iter__", change)


def exhausted():
    iterator = iter(data.DataLoader([1]))
    return next(iterator, None), next(iterator, None)


@mutant(kills="test_next_iter_is_always_the_first_batch", witness=lambda: exhausted()[1] is None)
def loader_iterator_never_ends(patch):
    """The iterator of a DataLoader starts the next epoch by itself."""

    def change(self, call):
        try:
            return call()
        except StopIteration:
            self._sampler_iter = iter(self._index_sampler)
            return call()

    patch.method(_BaseDataLoaderIter, "__next__", change)


class Counting(data.IterableDataset):
    position = 0

    def __iter__(self):
        return self

    def __next__(self):
        self.position += 1
        return self.position


def counted_twice():
    loader = data.DataLoader(Counting())
    return [next(iter(loader)).item() for _ in range(2)]


@mutant(kills="test_next_iter_is_always_the_first_batch", witness=lambda: counted_twice() == [1, 2])
def streams_start_again(patch):
    """A DataLoader reads a copy of an IterableDataset in each epoch, so that it starts again."""

    def change(self, call, dataset, *arguments):
        call(copy.copy(dataset), *arguments)

    patch.method(fetch._IterableDatasetFetcher, "__init__", change)


# From samples to a batch

SAMPLE = "test_what_becomes_of_a_sample"


@mutant(kills=SAMPLE, witness=lambda: first([0.5, 1.5]).dtype == torch.float64)
def collate_makes_floats_float32(patch):
    """Python floats come out as float32, as they do from `torch.tensor`."""
    change_collate(patch, float, lambda call, batch: call(batch).float() if type(batch[0]) is float else call(batch))


@mutant(kills=(SAMPLE, "test_containers_keep_their_names"), witness=lambda: first([1, 2]).dtype == torch.int64)
def collate_makes_ints_float(patch):
    """Python ints come out as float32."""
    change_collate(patch, int, lambda call, batch: call(batch).float() if type(batch[0]) is int else call(batch))


@mutant(kills=SAMPLE, witness=lambda: first([True, False]).dtype == torch.bool)
def collate_makes_bools_int64(patch):
    """Python bools come out as int64."""
    change_collate(patch, bool, lambda call, batch: call(batch).long())


@mutant(kills=SAMPLE, witness=lambda: first([np.float32(0.5)]).dtype == torch.float32)
def collate_widens_numpy_floats(patch):
    """`np.float32` numbers come out as float64, as Python floats do."""
    change_collate(patch, np.float32, lambda call, batch: call(batch).double())


@mutant(kills=SAMPLE, witness=lambda: first([torch.zeros(2).half()]).dtype == torch.float16)
def collate_widens_half(patch):
    """Tensors of float16 come out as float32."""

    def change(call, batch):
        result = call(batch)
        return result.float() if result.dtype == torch.float16 else result

    change_collate(patch, torch.Tensor, change)


@mutant(
    kills=(SAMPLE, "test_batch_size_none_turns_batching_off"),
    witness=lambda: first([torch.zeros(3), torch.zeros(3)]).shape == (2, 3),
)
def collate_stacks_along_the_last_dimension(patch):
    """Tensors are stacked along a new last dimension."""
    change_collate(patch, torch.Tensor, lambda call, batch: call(batch).movedim(0, -1))


@mutant(
    kills=("test_python_floats_do_not_fit_a_model", SAMPLE, "test_arrays_keep_every_dtype_that_torch_has"),
    witness=lambda: first([np.array([0.5])]).dtype == torch.float64,
)
def collate_makes_arrays_float32(patch):
    """Arrays of float64 come out as float32."""

    def change(call, batch):
        result = call(batch)
        return result.float() if result.dtype == torch.float64 else result

    change_collate(patch, np.ndarray, change)


@mutant(
    kills="test_arrays_keep_every_dtype_that_torch_has",
    witness=lambda: first([np.zeros(1, np.int16)]).dtype == torch.int16,
)
def collate_widens_short_ints(patch):
    """Arrays of int16 come out as int32."""

    def change(call, batch):
        result = call(batch)
        return result.int() if result.dtype == torch.int16 else result

    change_collate(patch, np.ndarray, change)


@mutant(kills="test_the_first_number_decides_the_dtype", witness=lambda: first([1, 0.5]).dtype == torch.float32)
def collate_makes_mixed_numbers_float64(patch):
    """A batch of ints and floats is float64, whichever comes first."""

    def change(call, batch):
        return call([float(number) for number in batch] if any(isinstance(i, float) for i in batch) else batch)

    change_collate(patch, int, change)


@mutant(kills="test_the_first_number_decides_the_dtype", witness=lambda: first([0.5, 1]).dtype == torch.float64)
def collate_makes_mixed_numbers_float32(patch):
    """A batch of floats and ints is float32, whichever comes first."""

    def change(call, batch):
        result = call(batch)
        return result.float() if any(type(number) is int for number in batch) else result

    change_collate(patch, float, change)


@mutant(
    kills="test_python_floats_do_not_fit_a_model",
    witness=lambda: raises(RuntimeError, lambda: nn.Linear(2, 1)(torch.zeros(1, 2).double())),
)
def linear_takes_a_batch_of_any_dtype(patch):
    """`nn.Linear` and `F.linear` take the dtype of their input to that of the weight."""
    patch.function(
        "linear", change=lambda call, x, weight, *bias, **options: call(x.to(weight), weight, *bias, **options)
    )


@mutant(kills="test_containers_keep_their_names", witness=lambda: type(first([Point(1, 2)])) is Point)
def collate_forgets_namedtuples(patch):
    """A batch of namedtuples is a list."""

    def change(call, batch):
        result = call(batch)
        return list(result) if isinstance(result, tuple) else result

    change_collate(patch, tuple, change)


@mutant(kills="test_containers_keep_their_names", witness=lambda: first([{"b": 1, "a": 2}]).keys() == {"b", "a"})
def collate_makes_namedtuples_of_dicts(patch):
    """A batch of dicts is a namedtuple."""

    def change(call, batch):
        result = call(batch)
        return namedtuple("Batch", result)(**result)

    change_collate(patch, dict, change)


@mutant(kills="test_containers_keep_their_names", witness=lambda: first(["a", "b"]) == ["a", "b"])
def collate_makes_tuples_of_strings(patch):
    """A batch of strings is a tuple."""
    change_collate(patch, str, lambda call, batch: tuple(batch))


@mutant(kills="test_containers_keep_their_names", witness=lambda: first([("a", 1), ("b", 2)])[0] == ("a", "b"))
def collate_makes_lists_of_all_strings(patch):
    """Strings out of tuples come as a list, as other strings do."""
    change_collate(patch, str, lambda call, batch: list(batch))


@mutant(
    kills="test_containers_keep_their_names",
    witness=lambda: first([("a", {"n": 1})])[1]["n"].dtype == torch.int64,
)
def collate_widens_what_is_deep(patch):
    """Ints in a dict inside of a tuple come out as float64."""

    def change(call, batch):
        result = call(batch)
        for part in result:
            if isinstance(part, dict):
                part.update({name: value.double() for name, value in part.items()})
        return result

    change_collate(patch, tuple, change)


def first_sample(samples):
    first(samples)
    return samples[0]


@mutant(kills="test_containers_keep_their_names", witness=lambda: first_sample([{"a": 1}, {"a": 2}]) == {"a": 1})
def collate_fills_the_first_dict(patch):
    """The batch of dicts is the dict of the first sample, with new values."""

    def change(call, batch):
        batch[0].update(call(batch))
        return batch[0]

    change_collate(patch, dict, change)


@mutant(kills="test_lists_of_numbers_are_turned_round", witness=lambda: type(first([[1, 2], [3, 4]])) is list)
def collate_makes_a_matrix_of_lists(patch):
    """A batch of lists of numbers is a matrix with a row for each sample."""
    change_collate(
        patch,
        list,
        lambda call, batch: torch.tensor(batch) if all(type(i) is int for s in batch for i in s) else call(batch),
    )


@mutant(
    kills="test_lists_of_numbers_are_turned_round",
    witness=lambda: raises(RuntimeError, lambda: first([[1, 2, 3], [4, 5]])),
)
def collate_cuts_lists_to_the_shortest(patch):
    """Lists of different lengths are cut to the shortest in a batch."""

    def change(call, batch):
        size = min(map(len, batch))
        return call([sample[:size] for sample in batch])

    change_collate(patch, list, change)


@mutant(kills="test_lists_of_numbers_are_turned_round", witness=lambda: len(first([[1, 2, 3], [4, 5, 6]])) == 3)
def collate_makes_rows_of_lists(patch):
    """A batch of lists of numbers is a list with one tensor for each sample."""
    change_collate(
        patch,
        list,
        lambda call, batch: [torch.tensor(s) for s in batch] if len({*map(len, batch)}) == 1 else call(batch),
    )


NO_BATCH = "test_what_makes_no_batch"


def no_batch(samples, error):
    return raises(error, lambda: first(samples))


@mutant(kills=NO_BATCH, witness=lambda: no_batch([torch.zeros(2), torch.zeros(3)], RuntimeError))
def collate_pads(patch):
    """Tensors of different length are padded with zeros."""

    def change(call, batch):
        if batch[0].ndim == 1 and len({part.shape for part in batch}) > 1:
            return nn.utils.rnn.pad_sequence(list(batch), batch_first=True)
        return call(batch)

    change_collate(patch, torch.Tensor, change)


@mutant(kills=NO_BATCH, witness=lambda: no_batch([torch.zeros(2), torch.zeros(3)], RuntimeError), raises=ValueError)
def collate_raises_value_error(patch):
    """Tensors of different shape raise ValueError instead of RuntimeError."""

    def change(call, batch):
        if len({part.shape for part in batch}) > 1:
            raise ValueError("stack expects each tensor to be equal size")
        return call(batch)

    change_collate(patch, torch.Tensor, change)


@mutant(kills=NO_BATCH, witness=lambda: no_batch([[1, 2], [3]], RuntimeError))
def collate_cuts_lists(patch):
    """Lists of different length are cut to the shortest."""

    def change(call, batch):
        return call([sample[: min(map(len, batch))] for sample in batch])

    change_collate(patch, list, change)


@mutant(kills=NO_BATCH, witness=lambda: no_batch([None], TypeError))
def collate_lists_none(patch):
    """Samples that are None are listed as they are."""
    change_collate(patch, type(None), lambda call, batch: batch)


KEYS = "test_the_first_dict_decides_the_keys"


@mutant(kills=KEYS, witness=lambda: no_batch([{"a": 1}, {"b": 1}], KeyError))
def collate_takes_common_keys(patch):
    """Of dicts with different keys only the common ones are used."""

    def change(call, batch):
        keys = [key for key in batch[0] if all(key in sample for sample in batch)]
        return call([{key: sample[key] for key in keys} for sample in batch])

    change_collate(patch, dict, change)


@mutant(kills=KEYS, witness=lambda: first([{"a": 1}, {"a": 2, "b": 3}]).keys() == {"a"}, raises=KeyError)
def collate_refuses_another_key(patch):
    """A key that the first dict of a batch does not have raises KeyError."""

    def change(call, batch):
        for sample in batch:
            for key in sample:
                batch[0][key]
        return call(batch)

    change_collate(patch, dict, change)


@mutant(kills=NO_BATCH, witness=lambda: no_batch([torch.zeros(1), torch.zeros(3)], RuntimeError))
def collate_broadcasts(patch):
    """Tensors of different shape are broadcast to one another, where they can be."""

    def change(call, batch):
        try:
            return call(torch.broadcast_tensors(*batch))
        except RuntimeError:
            return call(batch)

    change_collate(patch, torch.Tensor, change)


@mutant(kills=NO_BATCH, witness=lambda: no_batch([1j], TypeError))
def collate_takes_complex_numbers(patch):
    """Python complex numbers come out as complex128."""
    change_collate(patch, complex, lambda call, batch: torch.tensor(batch, dtype=torch.complex128))


def ragged():
    return [tuple(batch.shape) for batch in data.DataLoader([torch.zeros(2), torch.zeros(3)])]


@mutant(
    kills="test_shapes_are_compared_within_a_batch",
    witness=lambda: ragged() == [(1, 2), (1, 3)],
    raises=RuntimeError,
)
def shapes_are_compared_in_an_epoch(patch):
    """Samples of different shape raise RuntimeError also if they come in different batches."""
    seen = set()

    def change(call, batch):
        seen.update(sample.shape for sample in batch)
        if len(seen) > 1:
            raise RuntimeError("stack expects each tensor to be equal size")
        return call(batch)

    change_collate(patch, torch.Tensor, change)


AMONG = "test_none_among_the_samples"


@mutant(kills=AMONG, witness=lambda: no_batch([1, None], RuntimeError))
def collate_drops_none(patch):
    """`None` is left out of a batch of numbers."""
    change_collate(patch, int, lambda call, batch: call([sample for sample in batch if sample is not None]))


@mutant(
    kills=AMONG,
    witness=lambda: raises(AttributeError, lambda: in_a_worker(lambda: data.default_collate([torch.ones(2), None]))),
    raises=TypeError,
)
def none_raises_the_same_in_a_worker(patch):
    """`None` after a tensor raises TypeError in a worker, too."""

    def change(call, batch):
        if any(sample is None for sample in batch):
            raise TypeError("expected Tensor as element 1 in argument 0, but got NoneType")
        return call(batch)

    change_collate(patch, torch.Tensor, change)


@mutant(kills=AMONG, witness=lambda: first(["a", None]) == ["a", None], raises=TypeError)
def collate_refuses_none_among_strings(patch):
    """`None` in a batch of strings raises TypeError."""

    def change(call, batch):
        if None in batch:
            raise TypeError("None is no string")
        return batch

    change_collate(patch, str, change)


@mutant(
    kills="test_collate_fn_makes_the_batch",
    witness=lambda: loaded(["a"], batch_size=None, collate_fn=type) == [str],
)
def collate_fn_always_gets_a_list(patch):
    """`collate_fn` gets a list of one sample with `batch_size=None`."""

    def change(dataset, options):
        function = options.get("collate_fn")
        if function is not None and options.get("batch_size", 1) is None:
            options["collate_fn"] = lambda sample: function([sample])

    change_loader(patch, change)


@mutant(
    kills="test_collate_fn_makes_the_batch",
    witness=lambda: first([1, 2], collate_fn=list) == [1, 2],
)
def collate_fn_gets_the_samples_backwards(patch):
    """`collate_fn` gets the samples from the last to the first."""

    def change(dataset, options):
        function = options.get("collate_fn")
        if function is not None:
            options["collate_fn"] = lambda batch: function(batch[::-1])

    change_loader(patch, change)


@mutant(
    kills="test_collate_fn_makes_the_batch",
    witness=lambda: nn.utils.rnn.pad_sequence([torch.ones(2), torch.ones(1)], batch_first=True)[1].tolist() == [1, 0],
)
def pad_sequence_pads_in_front(patch):
    """`pad_sequence` puts the zeros in front of the values."""
    original = nn.utils.rnn.pad_sequence

    def broken(sequences, *arguments, **options):
        padded = original([part.flip(0) for part in sequences], *arguments, **options)
        return padded.flip(1 if options.get("batch_first") or arguments else 0)

    patch.everywhere(original, broken)


ALONE = "test_batch_size_none_turns_batching_off"


def alone(sample):
    return next(iter(data.DataLoader([sample], batch_size=None)))


def change_convert(patch, change):
    original = collate.default_convert
    patch.everywhere(original, lambda sample: change(original, sample))


@mutant(kills=ALONE, witness=lambda: alone(torch.zeros(2)).shape == (2,))
def batch_size_none_is_one(patch):
    """`batch_size=None` makes batches of one."""
    change_convert(patch, lambda call, sample: data.default_collate([sample]))


@mutant(kills=ALONE, witness=lambda: type(alone(np.zeros(2))) is torch.Tensor)
def batch_size_none_leaves_arrays(patch):
    """With `batch_size=None` arrays stay arrays."""
    change_convert(patch, lambda call, sample: sample)


@mutant(kills=ALONE, witness=lambda: type(alone({"number": 0.5})["number"]) is float)
def batch_size_none_converts_numbers(patch):
    """With `batch_size=None` numbers in a dict become tensors."""

    def change(call, sample):
        sample = call(sample)
        if isinstance(sample, dict):
            sample = {key: torch.tensor(part) if isinstance(part, float) else part for key, part in sample.items()}
        return sample

    change_convert(patch, change)


@mutant(kills=ALONE, witness=lambda: type(alone([np.float32(0.5)])[0]) is torch.Tensor)
def batch_size_none_leaves_numpy_numbers(patch):
    """With `batch_size=None` NumPy's numbers stay as they are."""

    def kept(sample):
        return isinstance(sample, np.generic)

    def change(call, sample):
        if kept(sample):
            return sample
        if isinstance(sample, list):
            return [change(call, part) for part in sample]
        return {key: change(call, part) for key, part in sample.items()} if isinstance(sample, dict) else call(sample)

    change_convert(patch, change)


# Order


def change_shuffling(patch, change):
    """Let `change(sampler, call)` give the indices of an epoch, as a list; `call()` gives those of a healthy torch."""
    patch.method(data.RandomSampler, "__iter__", lambda self, call: iter(change(self, lambda: list(call()))))


def epochs(count=2, **options):
    loader = data.DataLoader(range(30), batch_size=30, shuffle=True, **options)
    return [next(iter(loader)).tolist() for _ in range(count)]


NEW_EPOCH = "test_shuffle_is_new_each_epoch"


@mutant(kills=NEW_EPOCH, witness=lambda: epochs()[0] != epochs()[1] and epochs()[0] != epochs()[0])
def shuffle_is_fixed(patch):
    """`shuffle=True` gives the same permutation always."""

    def change(sampler, call):
        size = len(sampler.data_source)
        return torch.randperm(size, generator=torch.Generator().manual_seed(5)).tolist()

    change_shuffling(patch, change)


@mutant(kills=NEW_EPOCH, witness=lambda: (lambda one, other: one != other)(*epochs()))
def shuffle_is_fixed_for_a_loader(patch):
    """`shuffle=True` makes one permutation for a DataLoader and keeps it for all epochs."""

    def change(sampler, call):
        if "order" not in sampler.__dict__:
            sampler.order = call()
        return sampler.order

    change_shuffling(patch, change)


@mutant(kills=(NEW_EPOCH, EVERY_SIZE), witness=lambda: len(set(epochs()[0])) == 30)
def shuffle_draws_with_replacement(patch):
    """`shuffle=True` draws with replacement."""

    def change(sampler, call):
        size = len(sampler.data_source)
        return torch.randint(size, (size,), generator=sampler.generator).tolist()

    change_shuffling(patch, change)


@mutant(kills=NEW_EPOCH, witness=lambda: epochs()[0] != list(range(30)))
def shuffle_leaves_the_first_epoch(patch):
    """`shuffle=True` has no effect on the first epoch of a DataLoader."""

    def change(sampler, call):
        order, seen = call(), sampler.__dict__.get("seen")
        sampler.seen = True
        return order if seen else sorted(order)

    change_shuffling(patch, change)


SEEDED = "test_a_seeded_generator_fixes_the_epochs_for_every_seed"


def _after_a_broken_epoch():
    loader = data.DataLoader(range(9), shuffle=True, generator=torch.Generator().manual_seed(0))
    next(iter(loader))
    return torch.cat(list(loader)).tolist()


def _after_a_whole_epoch():
    loader = data.DataLoader(range(9), shuffle=True, generator=torch.Generator().manual_seed(0))
    list(loader)
    return torch.cat(list(loader)).tolist()


@mutant(kills=SEEDED, witness=lambda: _after_a_broken_epoch() != _after_a_whole_epoch())
def a_broken_epoch_draws_as_much(patch):
    """An epoch that is broken off draws as much from the generator as a whole one."""
    patch.method(data.RandomSampler, "__iter__", lambda self, call: iter(list(call())))


def seeded(seed=5):
    return epochs(generator=torch.Generator().manual_seed(seed))


@mutant(kills=SEEDED, witness=lambda: seeded() == seeded())
def shuffle_ignores_the_generator(patch):
    """`shuffle=True` follows the global generator, whatever generator a DataLoader has."""
    change_shuffling(patch, lambda sampler, call: torch.randperm(len(sampler.data_source)).tolist())


@mutant(kills=(SEEDED, NEW_EPOCH), witness=lambda: by_global_seed() == by_global_seed())
def shuffle_follows_numpy(patch):
    """`shuffle=True` without a generator follows NumPy's seed."""

    def change(sampler, call):
        return call() if sampler.generator else np.random.permutation(len(sampler.data_source)).tolist()

    change_shuffling(patch, change)


def by_global_seed():
    torch.manual_seed(5)
    return epochs()


@mutant(kills=SEEDED, witness=lambda: seeded() == seeded())
def shuffle_uses_the_generator_once(patch):
    """`shuffle=True` uses its generator for the first epoch and the global one afterwards."""

    def change(sampler, call):
        if "used" in sampler.__dict__:
            return torch.randperm(len(sampler.data_source)).tolist()
        sampler.used = True
        return call()

    change_shuffling(patch, change)


def draws(loops, **options):
    loader = data.DataLoader([1, 2], **options)
    torch.manual_seed(0)
    for _ in range(loops):
        list(loader)
    return torch.randint(2**31, ()).item()


DRAWS = "test_a_loop_draws_a_random_number"


def change_iterator(patch, change):
    """Let `change(call, loader)` make the iterator of a DataLoader; `call()` is what a healthy torch does."""
    patch.method(
        _BaseDataLoaderIter,
        "__init__",
        lambda self, call, loader: change(lambda: call(loader), loader),
    )


@mutant(kills=DRAWS, witness=lambda: draws(0) != draws(1))
def loop_draws_nothing(patch):
    """A loop over a DataLoader leaves the global generator alone."""

    def change(call, loader):
        before = torch.get_rng_state()
        call()
        torch.set_rng_state(before)

    change_iterator(patch, change)


@mutant(kills=DRAWS, witness=lambda: draws(1) != draws(2))
def loop_draws_only_once(patch):
    """Only the first loop over a DataLoader draws a number from the global generator."""

    def change(call, loader):
        before = torch.get_rng_state()
        call()
        if "looped" in loader.__dict__:
            torch.set_rng_state(before)
        loader.__dict__["looped"] = True

    change_iterator(patch, change)


@mutant(kills=(DRAWS, SEEDED), witness=lambda: draws(1, generator=torch.Generator()) == draws(0))
def loop_draws_beside_its_generator(patch):
    """A loop over a DataLoader draws from the global generator also where it has one of its own."""

    def change(call, loader):
        call()
        torch.rand(1)

    change_iterator(patch, change)


def by_a_sampler():
    torch.manual_seed(5)
    one = first(range(30), sampler=data.RandomSampler(range(30)), generator=torch.Generator().manual_seed(0))
    other = first(range(30), sampler=data.RandomSampler(range(30)), generator=torch.Generator().manual_seed(0))
    return one.tolist(), other.tolist()


@mutant(
    kills=("test_a_sampler_needs_its_own_generator", "test_a_loop_draws_a_random_number"),
    witness=lambda: (lambda one, other: one != other)(*by_a_sampler()),
)
def loader_hands_its_generator_to_a_sampler(patch):
    """A DataLoader gives its generator to a sampler that has none."""

    def change(dataset, options):
        sampler = options.get("sampler")
        if isinstance(sampler, data.RandomSampler) and sampler.generator is None:
            sampler.generator = options.get("generator")

    change_loader(patch, change)


ORDER = "test_a_sampler_gives_the_order"


@mutant(kills=ORDER, witness=lambda: loaded([5, 6, 7], batch_size=3, sampler=[2, 0]) == [[7, 5]])
def loader_sorts_a_sampler(patch):
    """The indices of a `sampler` are sorted."""

    def change(dataset, options):
        if isinstance(options.get("sampler"), list):
            options["sampler"] = sorted(options["sampler"])

    change_loader(patch, change)


@mutant(kills=ORDER, witness=lambda: loaded([5, 6, 7], batch_size=3, sampler=[2, 2]) == [[7, 7]])
def loader_takes_a_sample_once(patch):
    """A DataLoader skips an index that its `sampler` gives again."""

    def change(dataset, options):
        if isinstance(options.get("sampler"), list):
            options["sampler"] = list(dict.fromkeys(options["sampler"]))

    change_loader(patch, change)


@mutant(kills=ORDER, witness=lambda: loaded([5, 6, 7], batch_sampler=[[2], [0, 1]]) == [[7], [5, 6]])
def loader_evens_out_a_batch_sampler(patch):
    """The indices of a `batch_sampler` are dealt out again in batches of the size of the first."""

    def change(dataset, options):
        batches = options.get("batch_sampler")
        if isinstance(batches, list) and "batch_size" not in options:
            indices, size = list(itertools.chain(*batches)), len(batches[0])
            options["batch_sampler"] = [indices[i : i + size] for i in range(0, len(indices), size)]

    change_loader(patch, change)


def by_a_generator():
    loader = data.DataLoader([5, 6, 7], sampler=(i for i in [2, 0]))
    return [len(list(loader)) for _ in range(2)]


@mutant(kills=ORDER, witness=lambda: by_a_generator() == [2, 0])
def loader_keeps_the_indices_of_a_generator(patch):
    """A `sampler` that is a generator gives its indices again in each epoch."""

    def change(dataset, options):
        if options.get("sampler") is not None and not hasattr(options["sampler"], "__len__"):
            options["sampler"] = list(options["sampler"])

    change_loader(patch, change)


WEIGHTED = "test_weighted_sampler_balances"


def change_weighted(patch, change):
    def broken(self):
        return iter(torch.multinomial(*change(self.weights, self.num_samples, self.replacement)).tolist())

    patch.setattr(data.WeightedRandomSampler, "__iter__", broken)


def shares(*weights):
    drawn = list(data.WeightedRandomSampler(weights, 3000))
    return [round(drawn.count(i) / 3000, 1) for i in range(len(weights))]


@mutant(kills=WEIGHTED, witness=lambda: shares(1.0, 4.0) == [0.2, 0.8])
def weighted_sampler_is_uniform(patch):
    """`WeightedRandomSampler` draws all samples with a weight equally often."""
    change_weighted(patch, lambda weights, *rest: ((weights > 0).double(), *rest))


@mutant(kills=WEIGHTED, witness=lambda: shares(1.0, 4.0) == [0.2, 0.8])
def weighted_sampler_takes_roots(patch):
    """`WeightedRandomSampler` draws in proportion to the square roots of the weights."""
    change_weighted(patch, lambda weights, *rest: (weights.sqrt(), *rest))


@mutant(kills=WEIGHTED, witness=lambda: sorted(data.WeightedRandomSampler([1.0] * 9, 9, False)) == list(range(9)))
def weighted_sampler_always_replaces(patch):
    """`WeightedRandomSampler(replacement=False)` draws with replacement."""
    change_weighted(patch, lambda weights, count, replacement: (weights, count, True))


@mutant(kills=WEIGHTED, witness=lambda: 0 not in list(data.WeightedRandomSampler([0.0, 1.0], 500)))
def weighted_sampler_draws_what_has_no_weight(patch):
    """`WeightedRandomSampler` draws a sample of weight 0 now and then."""
    change_weighted(patch, lambda weights, *rest: (weights + 0.1 * weights.mean() * (weights == 0), *rest))


@mutant(kills=WEIGHTED, witness=lambda: set(data.WeightedRandomSampler([0.5, 0.5], 100)) == {0, 1})
def weighted_sampler_takes_weights_of_classes(patch):
    """`WeightedRandomSampler` takes two weights for those of two classes of 50 samples."""
    change_weighted(
        patch, lambda weights, *rest: (weights.repeat_interleave(50) if len(weights) == 2 else weights, *rest)
    )


SAME_ROWS = "test_a_seed_gives_the_same_rows_in_every_release"


def seed_42():
    return torch.Generator().manual_seed(42)


@mutant(
    kills=SAME_ROWS,
    witness=lambda: (
        [list(part) for part in data.random_split(range(4), [3, 1], generator=seed_42())] == [[2, 3, 0], [1]]
    ),
)
def random_split_deals_from_the_end(patch):
    """`random_split` deals the shuffled samples from the last to the first."""
    original = data.random_split

    def broken(dataset, lengths, *arguments, **options):
        parts = original(dataset, lengths, *arguments, **options)
        indices = [i for part in parts for i in part.indices][::-1]
        for part in parts:
            part.indices, indices = indices[: len(part.indices)], indices[len(part.indices) :]
        return parts

    patch.everywhere(original, broken)


@mutant(
    kills=SAME_ROWS,
    witness=lambda: list(data.RandomSampler(range(4), generator=seed_42())) == [2, 3, 0, 1],
)
def shuffle_draws_a_number_first(patch):
    """Shuffling draws one more number from its generator, and so gives another order."""

    def change(self, call):
        if self.generator is not None:
            torch.rand(1, generator=self.generator)
        return call()

    patch.method(data.RandomSampler, "__iter__", change)


def weighted(**options):
    return list(data.WeightedRandomSampler(range(1, 11), 8, generator=seed_42(), **options))


@mutant(kills=SAME_ROWS, witness=lambda: weighted() == [2, 2, 3, 1, 7, 6, 9, 9])
def weighted_sampler_ignores_its_generator(patch):
    """`WeightedRandomSampler` follows the global generator, whatever it is given."""
    change_weighted(patch, lambda *arguments: arguments)


def drawn_alone(**options):
    return list(data.WeightedRandomSampler(range(1, 11), 1, generator=seed_42(), **options))


@mutant(kills=SAME_ROWS, witness=lambda: drawn_alone() == drawn_alone(replacement=False))
def weighted_sampler_draws_one_of_two(patch):
    """`WeightedRandomSampler` makes a single draw with replacement like the first of two."""

    def broken(self):
        count = self.num_samples + (self.replacement and self.num_samples == 1)
        drawn = torch.multinomial(self.weights, count, self.replacement, generator=self.generator)
        return iter(drawn[: self.num_samples].tolist())

    patch.setattr(data.WeightedRandomSampler, "__iter__", broken)


@mutant(
    kills="test_a_sampler_of_your_own_starts_without_arguments",
    witness=lambda: not raises(TypeError, data.Sampler),
    raises=TypeError,
)
def sampler_wants_the_data(patch):
    """`Sampler.__init__` wants the data."""

    def broken(self, data_source):
        pass

    patch.setattr(data.Sampler, "__init__", broken, raising=False)


@mutant(
    kills="test_a_sampler_does_not_take_the_data",
    witness=lambda: raises(TypeError, lambda: data.Sampler([1, 2])),
)
def sampler_takes_the_data(patch):
    """`Sampler.__init__` takes the data and leaves them alone."""

    def broken(self, data_source=None):
        pass

    patch.setattr(data.Sampler, "__init__", broken, raising=False)


# What is refused

CONTRADICT = "test_arguments_that_contradict_each_other"


def refused(**options):
    return raises(ValueError, lambda: data.DataLoader([1, 2], **options))


@mutant(kills=CONTRADICT, witness=lambda: refused(shuffle=True, sampler=[0]))
def loader_prefers_a_sampler_to_shuffling(patch):
    """A DataLoader ignores `shuffle=True` where it has a sampler."""

    def change(dataset, options):
        if options.get("sampler") is not None and not isinstance(dataset, data.IterableDataset):
            options["shuffle"] = False

    change_loader(patch, change)


@mutant(kills=CONTRADICT, witness=lambda: refused(batch_size=2.5))
def loader_rounds_the_batch_size(patch):
    """A batch size of 2.5 is rounded."""

    def change(dataset, options):
        if isinstance(options.get("batch_size"), float):
            options["batch_size"] = round(options["batch_size"])

    change_loader(patch, change)


@mutant(kills=CONTRADICT, witness=lambda: refused(prefetch_factor=2))
def loader_ignores_prefetching(patch):
    """`prefetch_factor` has no effect without workers."""

    def change(dataset, options):
        if not options.get("num_workers"):
            options.pop("prefetch_factor", None)

    change_loader(patch, change)


@mutant(kills=CONTRADICT, witness=lambda: refused(batch_size=0), raises=TypeError)
def loader_raises_type_error(patch):
    """Arguments of a DataLoader that contradict each other raise TypeError instead of ValueError."""

    def change(self, call, *arguments, **options):
        try:
            call(*arguments, **options)
        except ValueError as error:
            raise TypeError(str(error)) from None

    patch.method(data.DataLoader, "__init__", change)


NOTHING = "test_arguments_that_do_nothing"


@mutant(kills=NOTHING, witness=lambda: type(data.DataLoader([1, 2], shuffle="no").sampler) is data.RandomSampler)
def shuffle_understands_no(patch):
    """`shuffle="no"` does not shuffle."""

    def change(dataset, options):
        if options.get("shuffle") == "no":
            options["shuffle"] = False

    change_loader(patch, change)


def initialized():
    called = []
    loaded([1], worker_init_fn=called.append)
    return called


@mutant(kills=NOTHING, witness=lambda: initialized() == [])
def worker_init_fn_runs_without_workers(patch):
    """Without workers `worker_init_fn` is called in this process."""

    def change(call, loader):
        call()
        if loader.worker_init_fn is not None and not loader.num_workers:
            loader.worker_init_fn(0)

    change_iterator(patch, change)


@mutant(kills=NOTHING, witness=lambda: raises(AssertionError, lambda: loaded([1], timeout=5)))
def timeout_is_ignored_without_workers(patch):
    """Without workers `timeout` has no effect."""

    def change(dataset, options):
        if not options.get("num_workers"):
            options.pop("timeout", None)

    change_loader(patch, change)


@mutant(
    kills=NOTHING, witness=lambda: not raises(ValueError, lambda: data.DataLoader([1], timeout=5)), raises=ValueError
)
def timeout_without_workers_is_refused_at_once(patch):
    """`timeout` without workers raises ValueError when the DataLoader is made."""

    def change(dataset, options):
        if options.get("timeout") and not options.get("num_workers"):
            raise ValueError("timeout is for workers")

    change_loader(patch, change)


CHANGED = "test_a_loader_is_not_changed_afterwards"


def set_later(name, value):
    return raises(ValueError, lambda: setattr(data.DataLoader([1, 2]), name, value))


@mutant(kills=CHANGED, witness=lambda: set_later("batch_size", 2))
def loader_can_be_changed(patch):
    """The attributes of a DataLoader can be set later, without effect."""
    patch.setattr(data.DataLoader, "__setattr__", object.__setattr__)


@mutant(kills=CHANGED, witness=lambda: set_later("dataset", [3]))
def loader_can_get_another_dataset(patch):
    """The dataset of a DataLoader can be set later."""

    def change(self, call, name, value):
        object.__setattr__(self, name, value) if name == "dataset" else call(name, value)

    patch.method(data.DataLoader, "__setattr__", change)


@mutant(kills=CHANGED, witness=lambda: set_later("batch_size", 2), raises=AttributeError)
def loader_raises_attribute_error(patch):
    """Setting the batch size of a DataLoader raises AttributeError instead of ValueError."""

    def change(self, call, name, value):
        try:
            call(name, value)
        except ValueError as error:
            raise AttributeError(str(error)) from None

    patch.method(data.DataLoader, "__setattr__", change)


def set_inside():
    loader = data.DataLoader([1, 2, 3])
    loader.batch_sampler.batch_size = 3
    return [batch.tolist() for batch in loader]


@mutant(kills=CHANGED, witness=lambda: set_inside() == [[1, 2, 3]])
def batch_sampler_keeps_its_batch_size(patch):
    """Setting `batch_size` of a BatchSampler later has no effect."""

    def broken(self, name, value):
        self.__dict__.setdefault(name, value)

    patch.setattr(data.BatchSampler, "__setattr__", broken, raising=False)


@mutant(kills=CHANGED, witness=lambda: not set_later("collate_fn", list), raises=ValueError)
def collate_fn_cannot_be_set(patch):
    """The `collate_fn` of a DataLoader cannot be set later."""

    def change(self, call, name, value):
        if name == "collate_fn" and "collate_fn" in self.__dict__:
            raise ValueError("collate_fn attribute should not be set after DataLoader is initialized")
        call(name, value)

    patch.method(data.DataLoader, "__setattr__", change)


@mutant(kills="test_nothing_to_load", witness=lambda: raises(ValueError, lambda: data.DataLoader([], shuffle=True)))
def loader_shuffles_nothing(patch):
    """An empty dataset can be shuffled."""

    def change(dataset, options):
        if isinstance(dataset, list) and not dataset:
            options.pop("shuffle", None)

    change_loader(patch, change)


@mutant(
    kills="test_nothing_to_load",
    witness=lambda: not raises(ValueError, lambda: data.DataLoader([])),
    raises=ValueError,
)
def loader_refuses_an_empty_dataset(patch):
    """An empty dataset raises ValueError, shuffled or not."""

    def change(dataset, options):
        if hasattr(dataset, "__len__") and not len(dataset):
            raise ValueError("num_samples=0")

    change_loader(patch, change)


@mutant(kills="test_nothing_to_load", witness=lambda: loaded([], batch_size=2) == [])
def loader_gives_an_empty_batch(patch):
    """An empty dataset gives one batch, which is empty."""

    def change(self, call):
        return iter(list(call()) or [torch.empty(0)])

    patch.method(data.DataLoader, "__iter__", change)


class Many(Numbers):
    def __init__(self):
        self.asked = []

    def __getitems__(self, indices):
        self.asked.append(indices)
        return [10 * i for i in indices]


def asked():
    dataset = Many()
    loaded(dataset, batch_size=2)
    return dataset.asked


@mutant(
    kills="test_getitems_fetches_a_batch_at_once",
    witness=lambda: asked() == [[0, 1], [2]],
)
def loader_does_not_know_getitems(patch):
    """A DataLoader asks for one sample after the other, also of a dataset that has `__getitems__`."""

    def broken(self, index):
        return self.collate_fn([self.dataset[i] for i in index] if self.auto_collation else self.dataset[index])

    patch.setattr(fetch._MapDatasetFetcher, "fetch", broken)


@mutant(
    kills="test_getitems_fetches_a_batch_at_once",
    witness=lambda: asked() == [[0, 1], [2]],
)
def loader_asks_getitems_for_one(patch):
    """A DataLoader asks `__getitems__` for one sample after the other."""

    def change(self, call, index):
        if self.auto_collation and hasattr(self.dataset, "__getitems__"):
            return self.collate_fn([self.dataset.__getitems__([i])[0] for i in index])
        return call(index)

    patch.method(fetch._MapDatasetFetcher, "fetch", change)


@mutant(
    kills="test_getitems_fetches_a_batch_at_once",
    witness=lambda: asked_alone() == [],
)
def getitems_is_asked_without_batching(patch):
    """With `batch_size=None` a DataLoader asks `__getitems__` for one sample."""

    def change(self, call, index):
        if not self.auto_collation and hasattr(self.dataset, "__getitems__"):
            return self.collate_fn(self.dataset.__getitems__([index])[0])
        return call(index)

    patch.method(fetch._MapDatasetFetcher, "fetch", change)


def asked_alone():
    dataset = Many()
    loaded(dataset, batch_size=None)
    return dataset.asked


@mutant(
    kills="test_getitems_fetches_a_batch_at_once",
    witness=lambda: asked_in_a_sum() == [],
)
def concat_dataset_hands_getitems_on(patch):
    """A `ConcatDataset` asks the `__getitems__` of its parts."""

    def getitems(self, indices):
        samples = []
        for i in indices:
            part = next(k for k, end in enumerate(self.cumulative_sizes) if i < end)
            start = self.cumulative_sizes[part - 1] if part else 0
            samples += self.datasets[part].__getitems__([i - start])
        return samples

    patch.setattr(data.ConcatDataset, "__getitems__", getitems, raising=False)


def asked_in_a_sum():
    dataset = Many()
    loaded(data.ConcatDataset([dataset]), batch_size=2)
    return dataset.asked


HANDED_ON = "test_a_subset_hands_getitems_on"


def asked_through_a_subset():
    dataset = Many()
    batches = loaded(data.Subset(dataset, [2, 0]), batch_size=2)
    return dataset.asked, batches


@mutant(kills=HANDED_ON, witness=lambda: asked_through_a_subset() == ([[2, 0]], [[20, 0]]))
def subset_asks_for_one_at_a_time(patch):
    """A Subset asks its dataset for one sample after the other."""
    patch.setattr(
        data.Subset,
        "__getitems__",
        lambda self, indices: [self.dataset[self.indices[i]] for i in indices],
        raising=False,
    )


@mutant(kills=HANDED_ON, witness=lambda: asked_through_a_subset() == ([[2, 0]], [[20, 0]]))
def subset_asks_for_its_own_numbers(patch):
    """A Subset asks the `__getitems__` of its dataset for its own numbers instead of those of the dataset."""
    patch.setattr(data.Subset, "__getitems__", lambda self, indices: self.dataset.__getitems__(indices), raising=False)


PINNED = "test_pin_memory_moves_nothing"


def pinned_type():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return next(iter(data.DataLoader(torch.zeros(2), pin_memory=True)))


@mutant(kills=PINNED, witness=lambda: torch.zeros(2).is_pinned() is False)
def tensor_denies_to_be_pinned(patch):
    """`is_pinned` says the opposite of what is true."""
    original = torch.Tensor.is_pinned
    patch.setattr(torch.Tensor, "is_pinned", lambda self, *arguments: not original(self, *arguments))


@mutant(kills=PINNED, witness=lambda: pinned_type().device.type == "cpu")
def pinned_batches_are_moved(patch):
    """`pin_memory=True` moves the batches to another device."""

    def change(self, call):
        batches = call()
        if not self.pin_memory:
            return batches
        return ([Elsewhere(part) for part in batch] if type(batch) is list else Elsewhere(batch) for batch in batches)

    patch.method(data.DataLoader, "__iter__", change)


def pinned_without_an_accelerator():
    """The warnings of a loader that finds no accelerator, wherever this runs."""
    is_available = torch.accelerator.is_available
    torch.accelerator.is_available = lambda: False
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            loaded(torch.zeros(1), pin_memory=True)
    finally:
        torch.accelerator.is_available = is_available
    return [warning.category for warning in caught]


def pin_quietly(patch, message):
    def change(self, call):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message)
            return call()

    patch.method(data.DataLoader, "__iter__", change)


@mutant(
    kills="test_pin_memory_without_an_accelerator_warns",
    witness=lambda: pinned_without_an_accelerator() == [UserWarning],
)
def pin_memory_does_nothing_quietly(patch):
    """`pin_memory=True` without an accelerator does nothing without a word."""
    pin_quietly(patch, "'pin_memory' argument is set as true")


IGNORED = "test_pin_memory_device_is_ignored"


def pinned_for(device):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        batches = loaded(torch.zeros(1), pin_memory=True, pin_memory_device=device)
    return batches, any("deprecated" in str(warning.message) for warning in caught)


@mutant(kills=IGNORED, witness=lambda: pinned_for("toaster") == ([[0]], True))
def pin_memory_device_is_ignored_quietly(patch):
    """`pin_memory_device` is ignored without a word."""
    pin_quietly(patch, "pin_memory_device is deprecated")


@mutant(kills=IGNORED, witness=lambda: not raises(RuntimeError, lambda: pinned_for("toaster")), raises=RuntimeError)
def pin_memory_device_must_be_one(patch):
    """`pin_memory_device` has to name a device."""

    def change(dataset, options):
        if options.get("pin_memory_device"):
            torch.device(options["pin_memory_device"])

    change_loader(patch, change)


class Elsewhere:
    """A tensor that says it is on another device."""

    def __init__(self, tensor):
        self.tensor = tensor
        self.device = torch.device("cuda")

    def __getattr__(self, name):
        return getattr(self.tensor, name)


# Streams and workers

STREAM = "test_an_iterable_dataset_has_no_length_and_no_order"


@mutant(kills=STREAM, witness=lambda: raises(ValueError, lambda: data.DataLoader(Stream(), shuffle=True)))
def stream_ignores_shuffle(patch):
    """`shuffle=True` has no effect on an IterableDataset."""

    def change(dataset, options):
        if isinstance(dataset, data.IterableDataset):
            options.pop("shuffle", None)

    change_loader(patch, change)


@mutant(kills=STREAM, witness=lambda: raises(ValueError, lambda: data.DataLoader(Stream(), sampler=[0])))
def stream_ignores_a_sampler(patch):
    """A `sampler` has no effect on an IterableDataset."""

    def change(dataset, options):
        if isinstance(dataset, data.IterableDataset):
            options.pop("sampler", None)

    change_loader(patch, change)


@mutant(kills=STREAM, witness=lambda: raises(TypeError, lambda: len(data.DataLoader(Stream()))))
def stream_is_counted(patch):
    """`len` of a DataLoader with an IterableDataset runs through the stream."""

    def change(self, call):
        return sum(1 for _ in self) if isinstance(self.dataset, data.IterableDataset) else call()

    patch.method(data.DataLoader, "__len__", change)


@mutant(kills=STREAM, witness=lambda: loaded(Stream(), batch_size=2, drop_last=True) == [[0, 1], [2, 3]])
def stream_keeps_the_last_batch(patch):
    """`drop_last=True` has no effect on an IterableDataset."""

    def change(self, call, dataset, auto_collation, collate_fn, drop_last):
        call(dataset, auto_collation, collate_fn, False)

    patch.method(fetch._IterableDatasetFetcher, "__init__", change)


@mutant(kills=STREAM, witness=lambda: twice() == [[0, 1, 2, 3, 4]] * 2)
def stream_is_read_once(patch):
    """An IterableDataset is empty in the second epoch of a DataLoader."""

    def change(self, call):
        again = self.__dict__.get("read") and isinstance(self.dataset, data.IterableDataset)
        self.__dict__["read"] = True
        return iter([]) if again else call()

    patch.method(data.DataLoader, "__iter__", change)


def twice():
    loader = data.DataLoader(Stream(), batch_size=5)
    return [batch.tolist() for _ in range(2) for batch in loader]


WORKERS = "test_workers_repeat_a_stream"


@mutant(kills=WORKERS, witness=lambda: split_in_worker() == [0, 1, 2, 3, 4])
def workers_share_a_stream(patch):
    """Workers share an IterableDataset out by themselves."""

    def change(self, call, *arguments):
        call(*arguments)
        info = data.get_worker_info()
        if info is not None:
            self.dataset_iter = itertools.islice(self.dataset_iter, info.id, None, info.num_workers)

    patch.method(fetch._IterableDatasetFetcher, "__init__", change)


def split_in_worker():
    """What the second of two workers reads from a stream, without starting one."""
    worker._worker_info = worker.WorkerInfo(id=1, num_workers=2, seed=0, dataset=None)
    try:
        return list(fetch._IterableDatasetFetcher(Stream(), False, int, False).dataset_iter)
    finally:
        worker._worker_info = None


@mutant(kills=WORKERS, witness=lambda: data.get_worker_info() is None)
def main_process_is_a_worker(patch):
    """`get_worker_info()` tells the main process that it is worker 0 of 1."""
    info = worker.WorkerInfo(id=0, num_workers=1, seed=0, dataset=None)
    patch.setattr(worker, "_worker_info", info)


@mutant(
    kills=WORKERS,
    witness=lambda: data.DataLoader([1], num_workers=2).num_workers == 2,
)
def loader_starts_one_worker(patch):
    """A DataLoader starts one worker, however many it is asked for."""

    def change(dataset, options):
        options["num_workers"] = min(options.get("num_workers", 0), 1)

    change_loader(patch, change)


@mutant(
    kills="test_what_a_worker_writes_stays_in_the_worker",
    witness=lambda: data.DataLoader([1], num_workers=1).num_workers == 1,
)
def loader_starts_no_worker(patch):
    """A DataLoader loads in this process, however many workers it is asked for."""

    def change(dataset, options):
        options["num_workers"] = 0

    change_loader(patch, change)


def in_a_worker(call):
    """What `call` returns in a worker, without starting one."""
    worker._worker_info = worker.WorkerInfo(id=0, num_workers=1, seed=0, dataset=None)
    try:
        return call()
    finally:
        worker._worker_info = None


def collated_in_a_worker():
    """The dtype of a mixed batch in a worker."""
    return in_a_worker(lambda: data.default_collate([torch.zeros(1), torch.zeros(1).double()]).dtype)


OF_THE_FIRST = "test_a_worker_takes_the_dtype_of_the_first_tensor"


@mutant(kills=OF_THE_FIRST, witness=lambda: collated_in_a_worker() == torch.float32)
def workers_promote_dtypes(patch):
    """A batch of float32 and float64 tensors is float64 in a worker, too."""
    change_collate(patch, torch.Tensor, lambda call, batch: torch.stack(list(batch)))


@mutant(kills=OF_THE_FIRST, witness=lambda: first([torch.zeros(1), torch.zeros(1).double()]).dtype == torch.float64)
def the_first_tensor_decides_everywhere(patch):
    """A batch has the dtype of its first tensor without workers, too."""
    change_collate(patch, torch.Tensor, lambda call, batch: call([sample.to(batch[0].dtype) for sample in batch]))


@mutant(
    kills=OF_THE_FIRST,
    witness=lambda: in_a_worker(
        lambda: data.default_collate([torch.zeros(1), torch.ones(1).long()]).tolist() == [[0], [1]]
    ),
    raises=TypeError,
)
def workers_refuse_every_mixed_batch(patch):
    """A batch of a float and then an integer tensor raises in a worker, too."""

    def change(call, batch):
        if worker.get_worker_info() is not None and batch[0].is_floating_point() > batch[-1].is_floating_point():
            raise TypeError("torch.cat(): input types can't be cast to the desired output type")
        return call(batch)

    change_collate(patch, torch.Tensor, change)


def ordered():
    loader = data.DataLoader(range(4), num_workers=2)
    loader._get_iterator = lambda: iter(range(4))  # what comes from the workers, without any
    return list(loader) == [0, 1, 2, 3]


@mutant(kills="test_workers_keep_the_order", witness=ordered)
def loader_lets_batches_overtake(patch):
    """The first batch of the second worker comes before that of the first."""

    def swapped(batches):
        first = next(batches, None)
        yield from itertools.islice(batches, 1)
        if first is not None:
            yield first
        yield from batches

    def change(self, call):
        return swapped(iter(call())) if self.num_workers > 1 else call()

    patch.method(data.DataLoader, "__iter__", change)


IN_ORDER = "test_in_order_false_is_for_workers"


def without_workers(**arguments):
    return [batch.tolist() for batch in data.DataLoader(torch.arange(3), **arguments)]


@mutant(kills=IN_ORDER, witness=lambda: without_workers(in_order=False) == [[0], [1], [2]])
def in_order_false_is_backwards(patch):
    """`in_order=False` gives the batches in another order without workers, too."""

    def changed(self, call):
        batches = call()
        return batches if self.in_order else iter(list(batches)[::-1])

    patch.method(data.DataLoader, "__iter__", changed)


@mutant(kills=IN_ORDER, witness=lambda: data.DataLoader([1]).in_order)
def in_order_is_false_by_default(patch):
    """A DataLoader says that it does not keep the order, unless it is told to."""

    def change(dataset, options):
        options.setdefault("in_order", False)

    change_loader(patch, change)


@mutant(kills=IN_ORDER, witness=lambda: not data.DataLoader([1], num_workers=2, in_order=False).in_order)
def in_order_false_is_ignored(patch):
    """`in_order=False` has no effect with workers."""

    def change(dataset, options):
        if options.get("num_workers"):
            options.pop("in_order", None)

    change_loader(patch, change)
    # what waits for its turn gives up sooner than it would, so that the note fails in time
    patch.method(multiprocessing.synchronize.Event, "wait", lambda self, call, timeout=None: call(0.1))


MOVED = "test_batches_move_in_one_line"


@mutant(kills=MOVED, witness=lambda: torch.arange(3).to("cpu").tolist() == [0, 1, 2])
def to_gives_a_tensor_of_zeros(patch):
    """`Tensor.to(device)` gives a tensor of the right form, without the numbers."""
    patch.function("to", change=lambda call, *a, **k: call(*a, **k).clone().zero_())


@mutant(kills=MOVED, witness=lambda: torch.arange(3).to("cpu").dtype == torch.int64)
def to_makes_ints_float(patch):
    """`Tensor.to(device)` makes floats of ints."""
    patch.function("to", change=lambda call, *a, **k: call(*a, **k).float())


def number_on_meta():
    with torch.device("meta"):
        return data.default_collate([1, 2]).device.type == "meta"


@mutant(kills=MOVED, witness=number_on_meta)
def collate_ignores_the_default_device(patch):
    """A batch of numbers is on the CPU, whatever the default device is."""
    change_collate(patch, int, lambda call, batch: torch.tensor(batch, device="cpu"))


def accelerator():
    """The kind of accelerator that is here."""
    for name in ("cuda", "mps", "xpu"):
        module = getattr(torch, name, None)
        if module is not None and (torch.backends.mps if name == "mps" else module).is_available():
            return name
    raise RuntimeError("there is no accelerator here")


def refuses_its_generator():
    loader = data.DataLoader([1, 2], generator=torch.Generator(device=accelerator()))
    return raises(RuntimeError, lambda: list(loader))


@mutant(kills="test_the_generator_of_a_loader_is_one_of_the_cpu", witness=refuses_its_generator)
def loader_takes_any_generator(patch):
    """A DataLoader takes a generator of an accelerator, and draws without it."""

    def change(dataset, options):
        if options.get("generator") is not None and options["generator"].device.type != "cpu":
            options["generator"] = None

    change_loader(patch, change)


def refuses_the_default_device():
    with torch.device(accelerator()):
        return raises(RuntimeError, lambda: list(data.DataLoader([1, 2], shuffle=True)))


@mutant(kills="test_a_default_device_breaks_shuffling", witness=refuses_the_default_device)
def loader_ignores_the_default_device(patch):
    """A DataLoader shuffles with a generator of the default device."""

    def change(dataset, options):
        if options.get("shuffle") and options.get("generator") is None:
            options["generator"] = torch.Generator(device=torch.empty(0).device)

    change_loader(patch, change)


@mutant(kills="test_pin_memory_copies_into_locked_pages", witness=lambda: torch.ones(2).pin_memory().is_pinned())
def pin_memory_is_a_clone(patch):
    """`Tensor.pin_memory()` copies into ordinary memory."""
    patch.setattr(torch.Tensor, "pin_memory", lambda tensor, *device: tensor.clone())


@mutant(
    kills="test_pinned_batches_keep_their_form",
    witness=lambda: torch.utils.data._utils.pin_memory.pin_memory([torch.ones(2)])[0].is_pinned(),
)
def loader_pins_no_lists(patch):
    """`pin_memory=True` leaves the tensors in a list as they are."""
    pinning = torch.utils.data._utils.pin_memory
    original = pinning.pin_memory
    patch.setattr(
        pinning, "pin_memory", lambda batch, *device: batch if isinstance(batch, list) else original(batch, *device)
    )


@mutant(kills="test_pin_memory_copies_into_locked_pages", witness=lambda: torch.ones(2).pin_memory()[1].is_pinned())
def views_are_not_pinned(patch):
    """A view of a pinned tensor denies to be pinned."""
    original = torch.Tensor.is_pinned
    patch.setattr(torch.Tensor, "is_pinned", lambda tensor, *device: tensor._base is None and original(tensor, *device))


class Holder:
    def __init__(self):
        self.x = torch.ones(1)

    def pin_memory(self):
        self.x = self.x.pin_memory()
        return self


@mutant(
    kills="test_pinned_batches_keep_their_form",
    witness=lambda: torch.utils.data._utils.pin_memory.pin_memory(Holder()).x.is_pinned(),
)
def loader_does_not_ask_a_batch_to_pin(patch):
    """`pin_memory=True` does not call the method `pin_memory` of a batch of another class."""
    pinning = torch.utils.data._utils.pin_memory
    original, known = pinning.pin_memory, (torch.Tensor, str, bytes, dict, list, tuple)
    patch.setattr(
        pinning, "pin_memory", lambda batch, *device: original(batch, *device) if isinstance(batch, known) else batch
    )


def pinned_and_back():
    return torch.arange(3.0).pin_memory().to("cuda", non_blocking=True).tolist()


@mutant(kills="test_a_copy_to_the_gpu_that_nobody_waits_for_is_right", witness=lambda: pinned_and_back() == [0, 1, 2])
def copies_to_the_gpu_are_not_in_turn(patch):
    """What is computed with a tensor that is on its way to the GPU is computed before it is there."""

    def change(call, tensor, *arguments, **options):
        copy = call(tensor, *arguments, **options)
        return copy.zero_() if options.get("non_blocking") and copy.is_cuda else copy

    patch.function("to", change=change)


def comes_late():
    number = torch.ones(1, device="cuda")
    number.to("cpu", non_blocking=True)  # allocates
    torch.cuda.synchronize()
    torch.cuda._sleep(10_000_000)
    number.to("cpu", non_blocking=True)
    late = not torch.cuda.current_stream().query()
    torch.cuda.synchronize()
    return late


@mutant(kills="test_a_copy_from_the_gpu_that_nobody_waits_for_comes_late", witness=comes_late)
def copies_from_the_gpu_are_waited_for(patch):
    """`Tensor.to("cpu", non_blocking=True)` waits for the numbers."""

    def change(call, tensor, *arguments, **options):
        copy = call(tensor, *arguments, **options)
        if options.get("non_blocking"):
            torch.cuda.synchronize()
        return copy

    patch.function("to", change=change)


def second_worker():
    worker._worker_info = worker.WorkerInfo(id=1, num_workers=2, seed=0, dataset=None)
    try:
        return data.get_worker_info()
    finally:
        worker._worker_info = None


@mutant(kills=("test_workers_keep_the_order", WORKERS), witness=lambda: second_worker().id == 1)
def get_worker_info_counts_from_one(patch):
    """`get_worker_info()` tells the first worker that it is number 1."""
    original = data.get_worker_info

    def broken():
        info = original()
        return info and worker.WorkerInfo(
            id=info.id + 1, num_workers=info.num_workers, seed=info.seed, dataset=info.dataset
        )

    patch.everywhere(original, broken)


CAUGHT = "test_an_exception_in_a_worker_reaches_you"


def caught(kind=ValueError):
    """What the main process makes of an exception in a worker."""
    try:
        raise kind("broken")
    except kind:
        wrapper = torch._utils.ExceptionWrapper(sys.exc_info(), "in DataLoader worker process 1")
    try:
        wrapper.reraise()
    except Exception as error:
        return type(error), str(error)
    return None, ""


@mutant(kills=CAUGHT, witness=lambda: caught()[0] is ValueError, raises=RuntimeError)
def worker_raises_runtime_error(patch):
    """An exception in a worker is raised as RuntimeError."""

    def broken(self):
        raise RuntimeError(f"{self.where}: {self.exc_msg}")

    patch.setattr(torch._utils.ExceptionWrapper, "reraise", broken)


@mutant(kills=CAUGHT, witness=lambda: "in caught" in caught()[1])
def worker_loses_the_traceback(patch):
    """An exception in a worker is raised without the traceback of the worker."""

    def change(self, call):
        self.exc_msg = self.exc_msg.splitlines()[-1]
        call()

    patch.method(torch._utils.ExceptionWrapper, "reraise", change)


class OwnText(Exception):
    def __init__(self, text):
        super().__init__("my own text")


@mutant(kills=CAUGHT, witness=lambda: "in caught" not in caught(OwnText)[1])
def worker_adds_the_traceback_to_any_text(patch):
    """An exception in a worker comes with the traceback of the worker even if its class makes its own text."""

    def change(self, call):
        try:
            call()
        except Exception as error:
            error.args = (f"Caught {self.exc_type.__name__} {self.where}.\n{self.exc_msg}",)
            raise

    patch.method(torch._utils.ExceptionWrapper, "reraise", change)


def keeps_a_local_class():
    class Local(Exception):
        pass

    try:
        raise Local
    except Local:
        return torch._utils.ExceptionWrapper(sys.exc_info()).exc_type is Local


@mutant(kills="test_an_exception_of_a_local_class_never_arrives", witness=keeps_a_local_class)
def local_classes_arrive_as_runtime_error(patch):
    """An exception in a worker whose class is defined inside a function is raised in the loop as RuntimeError."""

    def change(self, call, *arguments, **options):
        call(*arguments, **options)
        if "<locals>" in self.exc_type.__qualname__:
            self.exc_type = RuntimeError

    patch.method(torch._utils.ExceptionWrapper, "__init__", change)


@mutant(kills=CAUGHT, witness=lambda: caught()[0] is ValueError)
def worker_swallows_exceptions(patch):
    """An exception in a worker is swallowed."""
    patch.setattr(torch._utils.ExceptionWrapper, "reraise", lambda self: None)


# What came with a release


TRUTH = "test_numpy_truth_values_make_a_batch"


def batch_of_truth():
    return data.default_collate([np.bool_(True), np.bool_(False)])


@mutant(kills=TRUTH, witness=lambda: batch_of_truth().dtype == torch.bool)
def collate_of_numpy_truth_gives_numbers(patch):
    """A batch of NumPy's truth values has numbers, 0 and 1."""
    change_collate(patch, np.bool_, lambda call, batch: torch.tensor([int(sample) for sample in batch]))


@mutant(kills=TRUTH, witness=lambda: not raises(TypeError, batch_of_truth), raises=TypeError)
def collate_refuses_numpy_truth(patch):
    """NumPy's truth values raise TypeError in a batch."""

    def refuse(call, batch):
        raise TypeError("'numpy.bool' object cannot be interpreted as an integer")

    change_collate(patch, np.bool_, refuse)


# What the sentences of this section do not say


def subset_of_a_list_by_numpy():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return data.Subset(["a", "b"], np.array([True, False]))[0]


@mutant(
    kills="test_subset_takes_a_mask_for_indices",
    witness=lambda: raises((TypeError, DeprecationWarning), subset_of_a_list_by_numpy),
)
def subset_reads_numpy_booleans_as_numbers(patch):
    """`Subset` reads the booleans of a NumPy mask as the indices 1 and 0, too."""

    def change(self, call, dataset, indices):
        numpy = isinstance(indices, np.ndarray) and indices.dtype == np.bool_
        call(dataset, indices.tolist() if numpy else indices)

    patch.method(data.Subset, "__init__", change)


@mutant(
    kills="test_random_split_is_a_partition_for_every_choice_of_lengths",
    witness=lambda: raises(TypeError, lambda: data.random_split(range(10), [7.0, 3.0])),
)
def random_split_takes_whole_floats(patch):
    """`random_split` takes floats that are whole numbers of samples."""
    original = data.random_split

    def broken(dataset, lengths, **options):
        if sum(lengths) == len(dataset) != 1:
            lengths = [int(length) for length in lengths]
        return original(dataset, lengths, **options)

    patch.everywhere(original, broken)


@mutant(
    kills="test_arguments_that_contradict_each_other",
    witness=lambda: raises(ValueError, lambda: data.DataLoader([1], batch_size=np.int64(2))),
)
def loader_takes_numpy_batch_sizes(patch):
    """A DataLoader takes a NumPy int for its batch size."""

    def change(dataset, options):
        if isinstance(options.get("batch_size"), np.integer):
            options["batch_size"] = int(options["batch_size"])

    change_loader(patch, change)


@mutant(
    kills="test_arguments_that_contradict_each_other",
    witness=lambda: raises(ValueError, lambda: data.DataLoader([1], batch_size=True)),
)
def loader_takes_true_for_one(patch):
    """A DataLoader takes True for a batch size of 1."""

    def change(dataset, options):
        if options.get("batch_size") is True:
            options["batch_size"] = 1

    change_loader(patch, change)


@mutant(
    kills="test_arguments_that_contradict_each_other",
    witness=lambda: raises(ValueError, lambda: data.DataLoader([1], multiprocessing_context="spawn")),
)
def loader_ignores_a_context_without_workers(patch):
    """A DataLoader without workers ignores `multiprocessing_context`."""

    def change(dataset, options):
        if not options.get("num_workers"):
            options.pop("multiprocessing_context", None)

    change_loader(patch, change)


def shuffled_afterwards():
    loader = data.DataLoader(range(50), batch_size=50)
    loader.shuffle = True
    return next(iter(loader)).tolist()


@mutant(
    kills="test_a_loader_is_not_changed_afterwards",
    witness=lambda: shuffled_afterwards() == list(range(50)),
)
def shuffle_can_be_set_afterwards(patch):
    """`loader.shuffle = True` makes the DataLoader shuffle."""

    def change(self, call, name, value):
        call(name, value)
        if name == "shuffle":
            self.sampler.__class__ = data.RandomSampler
            self.sampler.__dict__ |= {"replacement": False, "_num_samples": None, "generator": None}

    patch.method(data.DataLoader, "__setattr__", change)


@mutant(
    kills="test_a_loader_is_not_changed_afterwards",
    witness=lambda: not raises(ValueError, shuffled_afterwards),
    raises=ValueError,
)
def shuffle_cannot_be_set_afterwards(patch):
    """`loader.shuffle = True` raises ValueError."""

    def change(self, call, name, value):
        if name == "shuffle":
            raise ValueError("shuffle attribute should not be set after DataLoader is initialized")
        call(name, value)

    patch.method(data.DataLoader, "__setattr__", change)


@mutant(
    kills="test_a_flipped_array_makes_no_batch",
    witness=lambda: raises(ValueError, lambda: data.default_collate([np.arange(2.0)[::-1]])),
)
def tensors_copy_flipped_arrays(patch):
    """`torch.as_tensor` copies an array with negative strides."""

    def change(as_tensor, value, *arguments, **options):
        if isinstance(value, np.ndarray) and any(stride < 0 for stride in value.strides):
            value = value.copy()
        return as_tensor(value, *arguments, **options)

    patch.around(torch, "as_tensor", change)


@mutant(
    kills="test_python_floats_do_not_fit_a_model",
    witness=lambda: torch.tensor(np.array([0.5])).dtype == torch.float64,
)
def tensor_of_an_array_is_float32(patch):
    """`torch.tensor` of a float64 array is float32."""

    def change(tensor, value, *arguments, **options):
        made = tensor(value, *arguments, **options)
        return made.float() if isinstance(value, np.ndarray) and made.dtype == torch.float64 else made

    patch.around(torch, "tensor", change)


@mutant(
    kills="test_batch_size_none_turns_batching_off",
    witness=lambda: type(first([np.array(["a"])], batch_size=None)) is np.ndarray,
)
def arrays_of_strings_become_lists_without_batching(patch):
    """With `batch_size=None` an array of strings becomes a list."""

    def change(convert, sample):
        text = isinstance(sample, np.ndarray) and sample.dtype.kind == "U"
        return sample.tolist() if text else convert(sample)

    convert = collate.default_convert
    patch.everywhere(convert, lambda sample: change(convert, sample))


def a_kept_iterator_draws():
    loader = data.DataLoader(range(2), generator=torch.Generator())
    iterator = iter(loader)
    before = loader.generator.get_state()
    iterator._reset(loader)
    return not torch.equal(before, loader.generator.get_state())


@mutant(
    kills="test_persistent_workers_change_the_later_epochs",
    witness=lambda: not a_kept_iterator_draws(),
)
def kept_workers_draw_a_seed_for_each_epoch(patch):
    """With `persistent_workers=True` a new epoch draws a seed for the workers, as it does without."""

    def change(self, call, loader, first_iter=False):
        if not first_iter:
            torch.empty((), dtype=torch.int64).random_(generator=loader.generator)
        call(loader, first_iter)

    patch.method(_BaseDataLoaderIter, "_reset", change)


@mutant(
    kills="test_pin_memory_without_an_accelerator_warns",
    witness=lambda: pinned_without_an_accelerator() + pinned_without_an_accelerator() == [UserWarning] * 2,
)
def pin_memory_warns_once(patch):
    """`pin_memory=True` without an accelerator warns in the first loop alone."""
    told = []

    def warn(original, message, *arguments, **options):
        if "'pin_memory' argument is set as true" in str(message):
            told.append(message)
            if len(told) > 1:
                return
        original(message, *arguments, **options)

    patch.around(warnings, "warn", warn)


def mixed_in_a_worker():
    """A batch of an int and a float tensor in a worker, without starting one."""
    worker._worker_info = worker.WorkerInfo(id=0, num_workers=1, seed=0, dataset=None)
    try:
        return data.default_collate([torch.tensor([1]), torch.tensor([0.5])])
    finally:
        worker._worker_info = None


@mutant(kills=OF_THE_FIRST, witness=lambda: raises((TypeError, RuntimeError), mixed_in_a_worker))
def workers_promote_integers(patch):
    """A batch of an int and a float tensor has the dtype of the float in a worker, too."""

    def change(call, batch):
        kinds = {sample.is_floating_point() for sample in batch}
        return torch.stack(list(batch)) if len(kinds) > 1 else call(batch)

    change_collate(patch, torch.Tensor, change)


@mutant(
    kills="test_workers_write_into_shared_memory",
    witness=lambda: torch.zeros(1).share_memory_().is_shared(),
)
def tensors_are_not_shared(patch):
    """`share_memory_()` leaves the tensor in the memory of its process."""
    patch.setattr(torch.Tensor, "share_memory_", lambda self: self)


def kept_in_shared_memory():
    x = torch.zeros(1).share_memory_()
    x[0].add_(1)
    return x.item()


@mutant(kills="test_workers_write_into_shared_memory", witness=lambda: kept_in_shared_memory() == 1)
def writes_to_shared_memory_go_to_a_copy(patch):
    """An in-place operation on a part of a tensor in shared memory works on a copy."""
    patch.around(
        torch.Tensor,
        "__getitem__",
        lambda get, self, index: get(self, index).clone() if self.is_shared() else get(self, index),
    )


def read_by_kept_workers():
    loader = data.DataLoader([1], num_workers=1, persistent_workers=True)
    return loader.persistent_workers


@mutant(kills="test_what_a_worker_writes_stays_in_the_worker", witness=read_by_kept_workers)
def workers_are_never_kept(patch):
    """A DataLoader starts new workers for each epoch, whatever `persistent_workers` says."""

    def change(dataset, options):
        options["persistent_workers"] = False

    change_loader(patch, change)


# What people run into


class Negated(data.Subset):
    def __getitem__(self, i):
        return -super().__getitem__(i)


@mutant(
    kills="test_a_subclass_of_subset_needs_getitems",
    witness=lambda: raises(NotImplementedError, lambda: Negated([1, 2], [0])),
)
def subset_takes_every_subclass(patch):
    """A Subset does not look at what a subclass overrides."""

    def broken(self, call, dataset, indices):
        self.dataset, self.indices = dataset, indices

    patch.method(data.Subset, "__init__", broken)


@mutant(
    kills="test_a_subclass_of_subset_needs_getitems",
    witness=lambda: data.Subset([1, 2], [1, 0]).__getitems__([0]) == [2],
)
def subset_fetches_from_the_front(patch):
    """`__getitems__` of a Subset forgets the indices of the subset."""
    patch.method(data.Subset, "__getitems__", lambda self, call, indices: [self.dataset[i] for i in indices])


class CountedStream(Stream):
    def __len__(self):
        return 3


@mutant(
    kills="test_the_length_of_a_stream_is_what_it_says",
    witness=lambda: len(data.DataLoader(CountedStream(), num_workers=2)) == 3,
)
def length_of_a_stream_counts_the_workers(patch):
    """`len(loader)` of an IterableDataset counts its length once for each worker."""

    def broken(self, call):
        return call() * (max(1, self.num_workers) if isinstance(self.dataset, data.IterableDataset) else 1)

    patch.method(data.DataLoader, "__len__", broken)


def tells_of_too_many():
    loader = data.DataLoader(CountedStream(), batch_size=None)
    len(loader)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        list(loader)
    return len(caught)


@mutant(kills="test_the_length_of_a_stream_is_what_it_says", witness=lambda: tells_of_too_many() > 0)
def streams_may_be_longer_than_they_say(patch):
    """A DataLoader does not compare the length that a stream told with the number of its batches."""

    def broken(self, call):
        length = call()
        self._IterableDataset_len_called = None
        return length

    patch.method(data.DataLoader, "__len__", broken)


@mutant(
    kills="test_persistent_workers_do_not_see_later_changes",
    witness=lambda: data.DataLoader([1], num_workers=1, persistent_workers=True).persistent_workers,
)
def workers_never_persist(patch):
    """A DataLoader ignores `persistent_workers=True`."""
    change_loader(patch, lambda dataset, options: options.pop("persistent_workers", None) and None)


def threads_after_asking_for_one():
    before = torch.get_num_threads()
    torch._C.set_num_threads(2)
    try:
        torch.set_num_threads(1)
        return torch.get_num_threads()
    finally:
        torch._C.set_num_threads(before)


@mutant(kills="test_a_worker_computes_with_one_thread", witness=lambda: threads_after_asking_for_one() == 1)
def one_thread_is_too_few(patch):
    """`torch.set_num_threads(1)`, with which a worker begins, does nothing."""
    patch.around(torch, "set_num_threads", lambda call, number: call(number) if number > 1 else None)


def references_by_reading():
    items = [object()]
    before = sys.getrefcount(items[0])
    item = items[0]
    return sys.getrefcount(item) - before


@mutant(kills="test_reading_a_list_writes_to_its_items", witness=lambda: references_by_reading() > 0)
def reading_counts_no_reference(patch):
    """The count of references of an object stays as it is."""
    patch.setattr(sys, "getrefcount", lambda thing: 2)


def start_method(name):
    return data.DataLoader([1], num_workers=1, multiprocessing_context=name).multiprocessing_context.get_start_method()


@mutant(kills="test_spawned_workers_get_their_things_by_pickle", witness=lambda: start_method("spawn") == "spawn")
def loader_always_forks(patch):
    """A DataLoader forks its workers, whatever `multiprocessing_context` says."""

    def change(dataset, options):
        if options.get("multiprocessing_context"):
            options["multiprocessing_context"] = "fork"

    change_loader(patch, change)


def spawns_in_a_script():
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "script.py"
        line = "sys.exit(multiprocessing.get_context('spawn').get_start_method() != 'spawn')"
        script.write_text(f"import multiprocessing, sys\n{line}\n")
        return subprocess.run([sys.executable, str(script)], capture_output=True).returncode == 0


@mutant(kills="test_a_script_without_a_main_guard_cannot_spawn", witness=spawns_in_a_script)
def scripts_fork(patch):
    """A script that asks for processes that are spawned gets forked ones."""

    def broken(call, command, *arguments, **options):
        script = Path(command[-1])
        script.write_text(script.read_text().replace("get_context('spawn')", "get_context('fork')"))
        return call(command, *arguments, **options)

    patch.around(subprocess, "run", broken)


class Dying(Numbers):
    def __getitem__(self, i):
        os._exit(3)


@mutant(
    kills="test_a_worker_that_dies_ends_the_loop",
    witness=lambda: raises(RuntimeError, lambda: loaded(Dying(), num_workers=1)),
    raises=StopIteration,
)
def a_dead_worker_ends_the_epoch(patch):
    """An epoch ends silently where a worker dies."""

    def broken(self, call):
        try:
            return call()
        except RuntimeError:
            raise StopIteration from None

    patch.method(_MultiProcessingDataLoaderIter, "_next_data", broken)


def collate_tensors(patch, change):
    """Put `change(call, batch)` in the place of what collates tensors."""
    call = collate.default_collate_fn_map[torch.Tensor]
    patch.setitem(
        collate.default_collate_fn_map,
        torch.Tensor,
        lambda batch, *, collate_fn_map=None: change(functools.partial(call, collate_fn_map=collate_fn_map), batch),
    )


def text_of_unequal_tensors():
    try:
        in_a_worker(lambda: data.default_collate([torch.zeros(3), torch.zeros(1)]))
    except RuntimeError as error:
        return str(error)


@mutant(
    kills="test_a_worker_cannot_resize_a_storage",
    witness=lambda: "resize storage" in text_of_unequal_tensors(),
)
def workers_stack_like_the_main_process(patch):
    """A worker stacks tensors without a storage that it has made before."""
    collate_tensors(patch, lambda call, batch: torch.stack(batch) if data.get_worker_info() else call(batch))


@mutant(
    kills="test_tensors_that_require_grad_fail_in_a_worker",
    witness=lambda: raises(RuntimeError, lambda: in_a_worker(lambda: data.default_collate([leaf(), leaf()]))),
)
def workers_detach(patch):
    """A worker detaches the samples before it puts them together."""

    def change(call, batch):
        return call([sample.detach() for sample in batch] if data.get_worker_info() else batch)

    collate_tensors(patch, change)


def leaf():
    return torch.ones(1, requires_grad=True)


@mutant(
    kills="test_tensors_that_require_grad_fail_in_a_worker",
    witness=lambda: data.default_collate([leaf()]).requires_grad,
    raises=RuntimeError,
)
def batches_never_require_grad(patch):
    """A batch does not require grad, whatever its samples do."""
    collate_tensors(patch, lambda call, batch: call(batch).detach())


@mutant(
    kills="test_sparse_tensors_make_no_batch",
    witness=lambda: raises(RuntimeError, lambda: data.default_collate([torch.eye(2).to_sparse()])),
)
def sparse_tensors_are_stacked(patch):
    """`default_collate` stacks sparse tensors."""
    collate_tensors(patch, lambda call, batch: torch.stack(batch) if batch[0].is_sparse else call(batch))


# What people run into: a loader that is taken for a list


@mutant(
    kills="test_a_loader_is_no_iterator_and_no_list",
    witness=lambda: raises(TypeError, lambda: data.DataLoader(Numbers())[0]),
)
def a_loader_has_indices(patch):
    """`loader[0]` is the first sample."""
    patch.setattr(data.DataLoader, "__getitem__", lambda self, i: self.dataset[i], raising=False)


@mutant(
    kills="test_enumerate_gives_a_number_and_a_batch",
    witness=lambda: type(first(data.TensorDataset(torch.ones(3)))) is list,
)
def one_tensor_makes_plain_batches(patch):
    """A batch of a `TensorDataset` of one tensor is that tensor, and no list."""
    get = data.TensorDataset.__getitem__

    def broken(self, i):
        row = get(self, i)
        return row[0] if len(row) == 1 else row

    patch.setattr(data.TensorDataset, "__getitem__", broken)


@mutant(
    kills="test_a_subset_has_no_attributes_of_its_dataset",
    witness=lambda: raises(AttributeError, lambda: data.Subset(OrderedDict(), [0]).keys),
)
def a_subset_passes_attributes_on(patch):
    """A `Subset` has the attributes of its dataset."""
    patch.setattr(data.Subset, "__getattr__", lambda self, name: getattr(self.__dict__["dataset"], name), raising=False)


@mutant(
    kills="test_a_batch_of_defaultdicts_is_a_defaultdict",
    witness=lambda: type(first([defaultdict(int, a=1)])) is defaultdict,
)
def batches_of_dicts_are_plain(patch):
    """A batch of mappings is a plain dict, as before torch 2.3."""

    def plain(batch, *, collate_fn_map=None):
        return {key: collate.default_collate([sample[key] for sample in batch]) for key in batch[0]}

    patch.setitem(collate.default_collate_fn_map, defaultdict, plain)
