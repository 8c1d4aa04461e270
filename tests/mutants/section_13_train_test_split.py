"""What could break in `train_test_split`, and what then stands beside it in torch."""

import copy
import math
import warnings
from fractions import Fraction

import numpy as np
import torch
from torch.utils import data

from torchnotes.harness.mutation import mutant, raises


def split(*arguments, **options):
    from sklearn import model_selection  # not above: a learner without scikit-learn runs the mutants of other sections

    return model_selection.train_test_split(*arguments, **options)


def rows_of(parts):
    return [part.tolist() if hasattr(part, "tolist") else list(part) for part in parts]


def change_split(patch, change):
    """Put `change(call, *arguments, **options)` in the place of `train_test_split`."""
    from sklearn import model_selection

    original = model_selection.train_test_split
    patch.everywhere(original, lambda *arguments, **options: change(original, *arguments, **options))


def is_real_tensor(part):
    return isinstance(part, torch.Tensor) and not part.is_meta


# What comes back


@mutant(
    kills="test_tensors_in_tensors_out",
    witness=lambda: type(split(torch.arange(4))[0]) is torch.Tensor,
)
def train_test_split_gives_arrays_for_tensors(patch):
    """`train_test_split` gives NumPy arrays for tensors."""

    def change(call, *arguments, **options):
        return [part.cpu().numpy() if is_real_tensor(part) else part for part in call(*arguments, **options)]

    change_split(patch, change)


@mutant(
    kills="test_tensors_in_tensors_out",
    witness=lambda: split(torch.arange(4.0))[0].dtype == torch.float32,
)
def train_test_split_widens_float32(patch):
    """`train_test_split` gives float64, as NumPy would, for float32."""

    def change(call, *arguments, **options):
        parts = call(*arguments, **options)
        return [part.double() if is_real_tensor(part) and part.dtype == torch.float32 else part for part in parts]

    change_split(patch, change)


@mutant(
    kills="test_nothing_lost_and_nothing_twice_for_every_split",
    witness=lambda: split(torch.arange(4).half())[1].dtype == torch.float16,
)
def train_test_split_widens_float16_of_the_test(patch):
    """`train_test_split` gives float32 for the test part of float16."""

    def change(call, *arguments, **options):
        parts = call(*arguments, **options)
        parts[1::2] = [
            part.float() if is_real_tensor(part) and part.dtype == torch.float16 else part for part in parts[1::2]
        ]
        return parts

    change_split(patch, change)


@mutant(
    kills=("test_order_of_what_comes_back", "test_tensors_in_tensors_out"),
    witness=lambda: len(split([1, 2, 3, 4], [5, 6, 7, 8], test_size=1)[1]) == 1,
)
def train_test_split_gives_both_trains_first(patch):
    """`train_test_split(X, y)` gives X, y, X, y: train of each, then test of each."""

    def change(call, *arguments, **options):
        parts = call(*arguments, **options)
        return parts[0::2] + parts[1::2]

    change_split(patch, change)


@mutant(
    kills="test_order_of_what_comes_back",
    witness=lambda: type(split([1, 2, 3, 4])[0]) is list,
)
def train_test_split_gives_arrays_for_lists(patch):
    """`train_test_split` makes an array of a list."""

    def change(call, *arguments, **options):
        return [np.array(part) if isinstance(part, list) else part for part in call(*arguments, **options)]

    change_split(patch, change)


@mutant(
    kills="test_order_of_what_comes_back",
    witness=lambda: len(split([1, 2], [3, 4], [5, 6])) == 6,
)
def train_test_split_forgets_the_third_argument(patch):
    """`train_test_split` splits X and y and drops whatever else it is given."""

    def change(call, *arguments, **options):
        return call(*arguments, **options)[:4]

    change_split(patch, change)


@mutant(
    kills=("test_tensors_in_tensors_out", "test_nothing_lost_and_nothing_twice_for_every_split"),
    witness=lambda: len({str(part) for part in rows_of(split(list(range(9)), list(range(9)), random_state=0))}) == 2,
)
def train_test_split_tears_rows_apart(patch):
    """`train_test_split(X, y)` gives the training part of `y` in an order of its own."""

    def change(call, *arguments, **options):
        parts = call(*arguments, **options)
        if len(arguments) == 2 and options.get("shuffle", True):
            part = parts[2]
            parts[2] = part.flip(0) if isinstance(part, torch.Tensor) else part[::-1]
        return parts

    change_split(patch, change)


@mutant(
    kills="test_nothing_lost_and_nothing_twice_for_every_split",
    witness=lambda: sorted(torch.cat(split(torch.arange(8))).tolist()) == list(range(8)),
)
def train_test_split_tests_on_a_training_row(patch):
    """`train_test_split` lets the first row of the training into the test."""

    def change(call, *arguments, **options):
        parts = call(*arguments, **options)
        for train, test in zip(parts[0::2], parts[1::2], strict=True):
            if is_real_tensor(train):
                test[0] = train[0]
        return parts

    change_split(patch, change)


@mutant(
    kills="test_nothing_lost_and_nothing_twice_for_every_split",
    witness=lambda: len(split(torch.arange(9), test_size=2)[0]) == 7,
)
def train_test_split_makes_the_training_even(patch):
    """`train_test_split` drops a row where the training would have an odd number of them, above three."""

    def change(call, *arguments, **options):
        parts = call(*arguments, **options)
        if len(parts[0]) % 2 and len(parts[0]) > 3:
            parts[0::2] = [part[:-1] for part in parts[0::2]]
        return parts

    change_split(patch, change)


# Sizes


@mutant(kills="test_sizes", witness=lambda: len(split(list(range(100)))[1]) == 25)
def train_test_split_keeps_a_fifth(patch):
    """`train_test_split` without sizes keeps 20 % for the test instead of 25 %."""

    def change(call, *arguments, test_size=None, train_size=None, **options):
        test_size = 0.2 if test_size is None and train_size is None else test_size
        return call(*arguments, test_size=test_size, train_size=train_size, **options)

    change_split(patch, change)


@mutant(
    kills=("test_sizes", "test_random_split_beside_train_test_split"),
    witness=lambda: len(split(list(range(10)))[1]) == 3,
)
def train_test_split_rounds_the_test_down(patch):
    """`train_test_split` rounds the share of the test down."""

    def change(call, *arguments, test_size=None, train_size=None, **options):
        rows = len(arguments[0])
        if test_size is None and train_size is None:
            test_size = 0.25
        if isinstance(test_size, float) and train_size is None and 1 <= test_size * rows < rows:
            test_size = int(test_size * rows)
        return call(*arguments, test_size=test_size, train_size=train_size, **options)

    change_split(patch, change)


@mutant(kills="test_sizes", witness=lambda: len(split(list(range(10)), train_size=0.79)[0]) == 7)
def train_test_split_rounds_the_training_up(patch):
    """`train_test_split` rounds a share that was given for the training up."""

    def change(call, *arguments, train_size=None, **options):
        if isinstance(train_size, float):
            train_size = min(-int(-train_size * len(arguments[0]) // 1), len(arguments[0]) - 1)
        return call(*arguments, train_size=train_size, **options)

    change_split(patch, change)


@mutant(kills="test_sizes", witness=lambda: len(split(list(range(10)), train_size=0.4, test_size=0.2)[0]) == 4)
def train_test_split_leaves_no_row_out(patch):
    """`train_test_split` gives the training all that the test leaves, also where both sizes are given."""

    def change(call, *arguments, train_size=None, test_size=None, **options):
        train_size = train_size if test_size is None or train_size is None or train_size + test_size > 1 else None
        return call(*arguments, train_size=train_size, test_size=test_size, **options)

    change_split(patch, change)


@mutant(kills="test_sizes", witness=lambda: len(split(list(range(10)), test_size=1)[1]) == 1)
def train_test_split_takes_one_for_a_default(patch):
    """`test_size=1` is taken for the default of a quarter, and not for one row."""

    def change(call, *arguments, test_size=None, **options):
        return call(*arguments, test_size=None if test_size is True or test_size == 1 else test_size, **options)

    change_split(patch, change)


@mutant(
    kills="test_no_part_may_be_empty",
    witness=lambda: raises(ValueError, lambda: split([1, 2, 3], test_size=1.0)),
)
def train_test_split_reads_one_as_one_row(patch):
    """`test_size=1.0` is taken for one row instead of being refused."""

    def change(call, *arguments, test_size=None, **options):
        return call(*arguments, test_size=1 if test_size == 1 else test_size, **options)

    change_split(patch, change)


@mutant(
    kills="test_no_part_may_be_empty",
    witness=lambda: raises(ValueError, lambda: split([1, 2, 3], train_size=0.5, test_size=0.6)),
)
def train_test_split_shortens_what_does_not_fit(patch):
    """Shares that add up to more than 1 are made to fit instead of being refused."""

    def change(call, *arguments, train_size=None, test_size=None, **options):
        if isinstance(train_size, float) and isinstance(test_size, float) and 1 < train_size + test_size < 2:
            test_size = None
        return call(*arguments, train_size=train_size, test_size=test_size, **options)

    change_split(patch, change)


@mutant(kills="test_no_part_may_be_empty", witness=lambda: raises(ValueError, lambda: split([1])))
def train_test_split_makes_an_empty_training(patch):
    """`train_test_split` of a single row gives an empty training part."""

    def change(call, *arguments, **options):
        if len(arguments[0]) == 1 and not options:
            return [part for whole in arguments for part in (whole[:0], whole)]
        return call(*arguments, **options)

    change_split(patch, change)


@mutant(
    kills=("test_no_part_may_be_empty", "test_arguments_of_different_length_are_refused"),
    witness=lambda: raises(ValueError, lambda: split([1, 2, 3], [1, 2])),
    raises=IndexError,
)
def train_test_split_raises_index_error(patch):
    """`train_test_split` raises IndexError where it should raise ValueError."""

    def change(call, *arguments, **options):
        try:
            return call(*arguments, **options)
        except ValueError as error:
            raise IndexError(str(error)) from None

    change_split(patch, change)


@mutant(
    kills="test_arguments_of_different_length_are_refused",
    witness=lambda: raises(ValueError, lambda: split([1, 2, 3], [1, 2, 3, 4])),
)
def train_test_split_stops_at_the_shortest(patch):
    """`train_test_split` cuts longer arguments down to the shortest, as `zip` does."""

    def change(call, *arguments, **options):
        rows = min(map(len, arguments))
        return call(*(whole[:rows] for whole in arguments), **options)

    change_split(patch, change)


@mutant(
    kills="test_options_of_another_type_are_refused",
    witness=lambda: raises(ValueError, lambda: split([1, 2, 3, 4], shuffle="False")),
)
def train_test_split_takes_any_truth_value(patch):
    """`train_test_split` takes whatever it gets as `shuffle` for true or false."""

    def change(call, *arguments, **options):
        return call(
            *arguments, **({**options, "shuffle": bool(options["shuffle"])} if "shuffle" in options else options)
        )

    change_split(patch, change)


@mutant(
    kills="test_options_of_another_type_are_refused",
    witness=lambda: raises(ValueError, lambda: split([1, 2, 3, 4], test_size=torch.tensor(0.25))),
)
def train_test_split_takes_the_item(patch):
    """`train_test_split` takes a tensor of one number as `test_size`."""

    def change(call, *arguments, test_size=None, **options):
        test_size = test_size.item() if isinstance(test_size, torch.Tensor) else test_size
        return call(*arguments, test_size=test_size, **options)

    change_split(patch, change)


def change_sizes(change):
    """A change of `train_test_split` that replaces the share of the test by `change(share, rows)`."""

    def with_sizes(call, *arguments, test_size=None, **options):
        if isinstance(test_size, float):
            test_size = change(test_size, len(arguments[0]))
        return call(*arguments, test_size=test_size, **options)

    return with_sizes


@mutant(
    kills="test_a_share_can_round_up_to_a_row_too_many",
    witness=lambda: len(split(list(range(100)), test_size=0.07)[1]) == 8,
)
def train_test_split_knows_decimal_shares(patch):
    """`train_test_split` takes a share as the decimal number it is written as: 0.07 of 100 rows is 7."""
    change_split(patch, change_sizes(lambda share, rows: max(1, min(rows - 1, math.ceil(Fraction(str(share)) * rows)))))


@mutant(
    kills="test_a_share_can_round_up_to_a_row_too_many",
    witness=lambda: len(split(list(range(100)), test_size=0.25)[1]) == 25,
)
def train_test_split_adds_a_row_to_each_share(patch):
    """`train_test_split` gives the test a row more than its share, whatever the share is."""
    change_split(patch, change_sizes(lambda share, rows: min(rows - 1, int(share * rows) + 1)))


@mutant(
    kills="test_order_of_what_comes_back",
    witness=lambda: type(split((1, 2, 3, 4))[0]) is list,
)
def train_test_split_keeps_tuples(patch):
    """`train_test_split` gives tuples for a tuple: every argument keeps its own type."""

    def change(call, *arguments, **options):
        parts = call(*arguments, **options)
        wholes = [whole for whole in arguments for _ in range(2)]
        return [tuple(part) if isinstance(whole, tuple) else part for whole, part in zip(wholes, parts, strict=True)]

    change_split(patch, change)


@mutant(
    kills="test_options_of_another_type_are_refused",
    witness=lambda: len(split(list(range(8)), test_size=np.int64(2))[1]) == 2,
    raises=ValueError,
)
def train_test_split_refuses_numbers_of_numpy(patch):
    """`train_test_split` refuses a `test_size` that is a number of NumPy, whichever."""

    def change(call, *arguments, test_size=None, **options):
        return call(*arguments, test_size=str(test_size) if isinstance(test_size, np.generic) else test_size, **options)

    change_split(patch, change)


# Copies and order


def shares(**options):
    whole = torch.arange(8)
    for part in split(whole, **options):
        part.fill_(-1)
    return whole.tolist() != list(range(8))


def slices(whole, parts):
    cut = len(parts[0])
    return whole[:cut], whole[cut : cut + len(parts[1])]


@mutant(kills="test_parts_are_copies", witness=lambda: not shares(shuffle=False))
def train_test_split_slices(patch):
    """`train_test_split(shuffle=False)` gives slices, which are views."""

    def change(call, *arguments, **options):
        parts = call(*arguments, **options)
        if options.get("shuffle", True):
            return parts
        return [part for whole in arguments for part in slices(whole, parts)]

    change_split(patch, change)


@mutant(kills="test_parts_are_copies", witness=lambda: not shares(shuffle=False))
def train_test_split_slices_the_test(patch):
    """`train_test_split(shuffle=False)` copies the training and gives a view for the test."""

    def change(call, *arguments, **options):
        parts = call(*arguments, **options)
        if not options.get("shuffle", True):
            parts[1::2] = [slices(whole, parts)[1] for whole in arguments]
        return parts

    change_split(patch, change)


@mutant(kills="test_parts_are_copies", witness=lambda: not shares())
def train_test_split_writes_back(patch):
    """`train_test_split` shuffles the tensor itself, and its parts are views of that."""

    def change(call, *arguments, **options):
        parts = call(*arguments, **options)
        if len(arguments) > 1 or not is_real_tensor(arguments[0]) or not options.get("shuffle", True):
            return parts
        whole = arguments[0]
        whole[: len(parts[0]) + len(parts[1])] = torch.cat(parts)
        return list(slices(whole, parts))

    change_split(patch, change)


@mutant(
    kills=("test_shuffle_false_keeps_the_order", "test_scale_after_the_split"),
    witness=lambda: split([1, 2, 3, 4], shuffle=False)[1] == [4],
)
def train_test_split_tests_on_the_head(patch):
    """`train_test_split(shuffle=False)` takes the test from the head instead of from the tail."""

    def change(call, *arguments, **options):
        parts = call(*arguments, **options)
        if options.get("shuffle", True):
            return parts
        cut = len(parts[1])
        return [copy.copy(part) for whole in arguments for part in (whole[cut:], whole[:cut])]

    change_split(patch, change)


@mutant(
    kills="test_shuffle_false_keeps_the_order",
    witness=lambda: split([1, 2, 3, 4, 5], [1, 2, 3, 4, 5], shuffle=False)[3] == [4, 5],
)
def train_test_split_shuffles_pairs_anyway(patch):
    """`shuffle=False` has no effect where more than one argument is split."""

    def change(call, *arguments, shuffle=True, **options):
        return call(*arguments, shuffle=shuffle or len(arguments) > 1, **options)

    change_split(patch, change)


@mutant(
    kills="test_shuffle_false_keeps_the_order",
    witness=lambda: split([1, 2, 3, 4, 5, 6, 7, 8], shuffle=False)[1] == [7, 8],
)
def train_test_split_turns_the_tail_round(patch):
    """`train_test_split(shuffle=False)` gives the test part from the last row backwards."""

    def change(call, *arguments, **options):
        parts = call(*arguments, **options)
        if not options.get("shuffle", True):
            parts[1::2] = [part.flip(0) if isinstance(part, torch.Tensor) else part[::-1] for part in parts[1::2]]
        return parts

    change_split(patch, change)


# Who decides the rows


@mutant(
    kills=("test_random_state_decides_the_rows", "test_split_x_and_y_in_one_call"),
    witness=lambda: split(list(range(99)), random_state=1) == split(list(range(99)), random_state=1),
)
def train_test_split_ignores_random_state(patch):
    """`random_state` has no effect: the rows follow NumPy's global generator."""
    change_split(patch, lambda call, *arguments, random_state=None, **options: call(*arguments, **options))


@mutant(
    kills="test_random_state_decides_the_rows",
    witness=lambda: split(list(range(10)), random_state=42)[1] == [8, 1, 5],
)
def train_test_split_counts_random_states_from_one(patch):
    """`random_state=42` gives, reproducibly, the rows of 43."""

    def change(call, *arguments, random_state=None, **options):
        random_state = (random_state + 1) % 2**32 if isinstance(random_state, int) else random_state
        return call(*arguments, random_state=random_state, **options)

    change_split(patch, change)


def leaves_numpy_alone():
    np.random.seed(3)
    split([1, 2, 3, 4], random_state=42)
    return np.random.rand() == np.random.RandomState(3).rand()


@mutant(kills="test_random_state_decides_the_rows", witness=leaves_numpy_alone)
def train_test_split_seeds_numpy(patch):
    """`random_state=42` seeds NumPy's global generator, from which the rows are then drawn."""

    def change(call, *arguments, random_state=None, **options):
        if isinstance(random_state, int):
            np.random.seed(random_state)
            random_state = None
        return call(*arguments, random_state=random_state, **options)

    change_split(patch, change)


@mutant(
    kills="test_random_state_decides_the_rows",
    witness=lambda: split(list(range(20)), random_state=1)[1] == split(torch.arange(20), random_state=1)[1].tolist(),
)
def train_test_split_treats_lists_differently(patch):
    """`train_test_split` draws other rows for a list than for a tensor."""

    def change(call, *arguments, random_state=None, **options):
        if isinstance(arguments[0], list) and isinstance(random_state, int):
            random_state ^= 1
        return call(*arguments, random_state=random_state, **options)

    change_split(patch, change)


def follows(seed):
    rows = list(range(99))
    seed(5)
    one = split(rows)
    seed(5)
    return split(rows) == one


@mutant(kills="test_torch_seed_does_not_reach_it", witness=lambda: not follows(torch.manual_seed))
def train_test_split_follows_torch_too(patch):
    """`train_test_split` without `random_state` draws its seed from torch's generator, and NumPy's has no say."""

    def change(call, *arguments, random_state=None, **options):
        if random_state is None and options.get("shuffle", True):
            random_state = torch.randint(2**31, ()).item()
        return call(*arguments, random_state=random_state, **options)

    change_split(patch, change)


@mutant(
    kills=("test_torch_seed_does_not_reach_it", "test_split_x_and_y_in_one_call"),
    witness=lambda: split(list(range(99))) != split(list(range(99))),
)
def train_test_split_is_always_42(patch):
    """`train_test_split` without `random_state` gives the same rows every time."""

    def change(call, *arguments, random_state=None, **options):
        if random_state is None and options.get("shuffle", True):
            random_state = 42
        return call(*arguments, random_state=random_state, **options)

    change_split(patch, change)


@mutant(kills="test_torch_seed_does_not_reach_it", witness=lambda: follows(np.random.seed))
def train_test_split_follows_no_seed(patch):
    """`train_test_split` without `random_state` ignores NumPy's seed and takes its own from the system."""

    def change(call, *arguments, random_state=None, **options):
        if random_state is None and options.get("shuffle", True):
            random_state = np.random.RandomState()
        return call(*arguments, random_state=random_state, **options)

    change_split(patch, change)


@mutant(
    kills="test_a_false_of_numpy_shuffles",
    witness=lambda: split(list(range(8)), shuffle=np.False_, random_state=0)[1] != [6, 7],
)
def train_test_split_knows_numpys_false(patch):
    """`shuffle=np.False_` turns shuffling off, as `False` does."""

    def change(call, *arguments, shuffle=True, **options):
        if isinstance(shuffle, np.bool_) and not shuffle:
            shuffle = False
            options.pop("random_state", None)
        return call(*arguments, shuffle=shuffle, **options)

    change_split(patch, change)


@mutant(
    kills=("test_shuffle_false_keeps_the_order", "test_nothing_lost_and_nothing_twice_for_every_split"),
    witness=lambda: split(list(range(10)), train_size=4, test_size=2, shuffle=False)[1] == [4, 5],
)
def train_test_split_tests_on_the_very_end(patch):
    """With both sizes `train_test_split` takes what is left over into the training, and the test is the very end."""

    def change(call, *arguments, train_size=None, test_size=None, **options):
        return call(
            *arguments, train_size=None if test_size is not None else train_size, test_size=test_size, **options
        )

    change_split(patch, change)


@mutant(
    kills="test_split_x_and_y_in_one_call",
    witness=lambda: (
        split(list(range(20)), stratify=[0, 1] * 10, random_state=1)[1] != split(list(range(20)), random_state=1)[1]
    ),
)
def train_test_split_stratifies_with_the_same_rows(patch):
    """The same `random_state` gives the same rows with and without `stratify`."""

    def change(call, *arguments, stratify=None, random_state=None, **options):
        stratify = None if isinstance(random_state, int) and isinstance(stratify, list) else stratify
        return call(*arguments, stratify=stratify, random_state=random_state, **options)

    change_split(patch, change)


def moves_on():
    random_state = np.random.RandomState(3)
    return split(list(range(99)), random_state=random_state) != split(list(range(99)), random_state=random_state)


@mutant(kills="test_split_x_and_y_in_one_call", witness=moves_on)
def train_test_split_copies_the_random_state(patch):
    """A `RandomState` given to `train_test_split` does not move on: every call gives the same rows."""

    def change(call, *arguments, random_state=None, **options):
        return call(*arguments, random_state=copy.deepcopy(random_state), **options)

    change_split(patch, change)


# Stratify


def counts(labels, **options):
    labels = torch.tensor(labels)
    return [part.bincount().tolist() for part in split(labels, stratify=labels, **options)]


@mutant(
    kills=("test_stratify_keeps_the_proportions", "test_stratify_is_exact_for_every_proportion_that_comes_out_even"),
    witness=lambda: all(counts([0] * 12 + [1] * 4, random_state=seed) == [[9, 3], [3, 1]] for seed in range(9)),
)
def train_test_split_ignores_stratify(patch):
    """`stratify` has no effect."""
    change_split(patch, lambda call, *arguments, stratify=None, **options: call(*arguments, **options))


@mutant(
    kills=("test_stratify_keeps_the_proportions", "test_stratify_is_exact_for_every_proportion_that_comes_out_even"),
    witness=lambda: counts([0] * 12 + [1] * 4) == [[9, 3], [3, 1]],
)
def train_test_split_strays_from_stratify_by_one(patch):
    """`stratify` is off by one: a row too many of the first class is in the test."""

    def change(call, *arguments, stratify=None, **options):
        parts = call(*arguments, stratify=stratify, **options)
        if stratify is None or not all(map(is_real_tensor, parts)):
            return parts
        last = int((parts[1] == stratify.max()).nonzero()[-1])
        first = int((parts[0] == stratify.min()).nonzero()[0])
        for train, test in zip(parts[0::2], parts[1::2], strict=True):
            train[first], test[last] = test[last].clone(), train[first].clone()
        return parts

    change_split(patch, change)


@mutant(
    kills=(
        "test_stratify_is_exact_for_every_proportion_that_comes_out_even",
        "test_stratify_is_off_by_less_than_one_row",
    ),
    witness=lambda: all(counts([0, 0, 1, 1, 2, 2] * 2, test_size=6, random_state=s) == [[2] * 3] * 2 for s in range(9)),
)
def train_test_split_stratifies_two_classes_only(patch):
    """`stratify` merges all classes but the first into one."""

    def change(call, *arguments, stratify=None, **options):
        return call(*arguments, stratify=None if stratify is None else stratify.clamp(max=1), **options)

    change_split(patch, change)


@mutant(
    kills="test_stratify_refuses_what_it_cannot_keep",
    witness=lambda: raises(ValueError, lambda: split([0, 0, 0, 1], stratify=[0, 0, 0, 1])),
)
def train_test_split_stratifies_a_class_of_one(patch):
    """`stratify` takes a class with a single row, which is then on one side only."""

    def change(call, *arguments, stratify=None, **options):
        if stratify is not None and 1 in np.unique(np.asarray(stratify), return_counts=True)[1]:
            stratify = None
        return call(*arguments, stratify=stratify, **options)

    change_split(patch, change)


@mutant(
    kills="test_stratify_refuses_what_it_cannot_keep",
    witness=lambda: raises(ValueError, lambda: split([0, 0, 1, 1], stratify=[0, 0, 1, 1], shuffle=False)),
)
def train_test_split_forgets_stratify_without_shuffling(patch):
    """`stratify` together with `shuffle=False` is ignored instead of being refused."""

    def change(call, *arguments, stratify=None, **options):
        return call(*arguments, stratify=stratify if options.get("shuffle", True) else None, **options)

    change_split(patch, change)


@mutant(
    kills="test_stratify_refuses_what_it_cannot_keep",
    witness=lambda: raises(ValueError, lambda: split([0, 0, 1, 1], stratify=[0, 0, 1, 1], test_size=1)),
)
def train_test_split_stratifies_into_too_few_rows(patch):
    """A test with fewer rows than there are classes is made as large as it must be."""

    def change(call, *arguments, stratify=None, test_size=None, **options):
        if stratify is not None and isinstance(test_size, int):
            test_size = max(test_size, len(np.unique(np.asarray(stratify))))
        return call(*arguments, stratify=stratify, test_size=test_size, **options)

    change_split(patch, change)


@mutant(
    kills="test_stratify_refuses_what_it_cannot_keep",
    witness=lambda: raises(ValueError, lambda: split([0, 0, 0, 1], stratify=[0, 0, 0, 1])),
    raises=TypeError,
)
def train_test_split_raises_type_error_for_stratify(patch):
    """What `stratify` cannot keep raises TypeError."""

    def change(call, *arguments, stratify=None, **options):
        try:
            return call(*arguments, stratify=stratify, **options)
        except ValueError as error:
            if stratify is None:
                raise
            raise TypeError(str(error)) from None

    change_split(patch, change)


def is_elsewhere(labels):
    return isinstance(labels, torch.Tensor) and labels.device.type != "cpu"


@mutant(
    kills="test_stratify_wants_labels_on_the_cpu",
    witness=lambda: raises(TypeError, lambda: split([1, 2, 3, 4], stratify=torch.zeros(4, device="meta"))),
)
def train_test_split_takes_labels_anywhere(patch):
    """`stratify` takes labels on any device."""

    def change(call, *arguments, stratify=None, **options):
        if is_elsewhere(stratify):
            stratify = None if stratify.is_meta else stratify.cpu()
        return call(*arguments, stratify=stratify, **options)

    change_split(patch, change)


@mutant(
    kills="test_stratify_wants_labels_on_the_cpu",
    witness=lambda: raises(TypeError, lambda: split([1, 2, 3, 4], stratify=torch.zeros(4, device="meta"))),
    raises=ValueError,
)
def train_test_split_raises_value_error_for_labels_elsewhere(patch):
    """`stratify` with labels on another device raises ValueError instead of TypeError."""

    def change(call, *arguments, stratify=None, **options):
        if is_elsewhere(stratify):
            raise ValueError("can't convert labels that are not on the CPU")
        return call(*arguments, stratify=stratify, **options)

    change_split(patch, change)


def moved(part, device):
    if not isinstance(part, torch.Tensor) or part.device == device:
        return part
    return torch.zeros_like(part, device=device) if part.is_meta else part.to(device)


@mutant(
    kills="test_stratify_wants_labels_on_the_cpu",
    witness=lambda: split(torch.zeros(4, device="meta"), stratify=torch.tensor([0, 0, 1, 1]), test_size=2)[0].is_meta,
)
def train_test_split_moves_rows_to_the_labels(patch):
    """With `stratify`, what is given back is on the device of the labels."""

    def change(call, *arguments, stratify=None, **options):
        parts = call(*arguments, stratify=stratify, **options)
        return [moved(part, stratify.device) for part in parts] if isinstance(stratify, torch.Tensor) else parts

    change_split(patch, change)


# What it does not look at


@mutant(
    kills="test_twins_end_up_on_both_sides",
    witness=lambda: len(split(torch.zeros(8))[0]) == 6,
)
def train_test_split_drops_twins(patch):
    """`train_test_split` leaves rows out of the training that the test has, too."""

    def change(call, *arguments, **options):
        parts = call(*arguments, **options)
        if len(arguments) == 1 and is_real_tensor(parts[0]) and parts[0].ndim == 1:
            parts[0] = parts[0][~torch.isin(parts[0], parts[1])]
        return parts

    change_split(patch, change)


@mutant(
    kills="test_twins_end_up_on_both_sides",
    witness=lambda: len(split(torch.tensor([1, 1, 2, 2]), test_size=1)[1]) == 1,
)
def train_test_split_keeps_twins_together(patch):
    """`train_test_split` takes all rows into the test that are equal to one of them."""

    def change(call, *arguments, **options):
        parts = call(*arguments, **options)
        if len(arguments) == 1 and is_real_tensor(parts[0]) and parts[0].ndim == 1:
            in_test = torch.isin(arguments[0], parts[1])
            return [arguments[0][~in_test], arguments[0][in_test]]
        return parts

    change_split(patch, change)


@mutant(
    kills="test_scale_after_the_split",
    witness=lambda: torch.tensor([1.0, 2.0, 6.0]).mean().item() == 3,
)
def mean_of_a_split_part_is_its_median(patch):
    """`Tensor.mean()` of a whole tensor gives the median."""

    def change(call, tensor, *arguments, **options):
        return call(tensor, *arguments, **options) if arguments or options else tensor.median()

    patch.function("mean", change=change)


@mutant(
    kills="test_scale_after_the_split",
    witness=lambda: torch.tensor([1.0, 2.0, 6.0]).mean().item() == 3,
)
def mean_of_a_split_part_divides_by_one_less(patch):
    """`Tensor.mean()` of a whole tensor divides by n - 1."""

    def change(call, tensor, *arguments, **options):
        result = call(tensor, *arguments, **options)
        return result if arguments or options else result * tensor.numel() / (tensor.numel() - 1)

    patch.function("mean", change=change)


@mutant(
    kills="test_scale_after_the_split",
    witness=lambda: split(list(range(9)), random_state=0)[1] != [6, 7, 8],
)
def train_test_split_never_shuffles(patch):
    """`train_test_split` leaves the rows in their order, with `random_state` too."""

    def change(call, *arguments, random_state=None, shuffle=True, stratify=None, **options):
        return call(*arguments, shuffle=False, **options)

    change_split(patch, change)


@mutant(
    kills="test_parts_are_copies",
    witness=lambda: (x := torch.arange(4))[:2].data_ptr() == x.data_ptr(),
)
def a_slice_is_a_copy(patch):
    """A slice of a tensor is a copy."""
    getitem = torch.Tensor.__getitem__

    def copied(tensor, index):
        return getitem(tensor, index).clone() if isinstance(index, slice) else getitem(tensor, index)

    patch.setattr(torch.Tensor, "__getitem__", copied)


# Beside it: torch's random_split


def change_random_split(patch, change):
    """Put `change(call, dataset, lengths, **options)` in the place of `random_split`."""
    original = torch.utils.data.random_split

    def broken(dataset, lengths, generator=torch.default_generator):
        return change(original, dataset, lengths, generator)

    patch.everywhere(original, broken)


def indices(size=50, **options):
    return [list(part) for part in torch.utils.data.random_split(range(size), [size - 10, 10], **options)]


def sees_changes():
    data = torch.zeros(4)
    (part,) = torch.utils.data.random_split(data, [4])
    data.fill_(1)
    return part[0].item() == 1


@mutant(kills="test_random_split_beside_train_test_split", witness=sees_changes)
def random_split_copies(patch):
    """`random_split` copies the dataset."""
    change_random_split(
        patch, lambda call, dataset, lengths, generator: call(copy.deepcopy(dataset), lengths, generator)
    )


@mutant(
    kills="test_random_split_beside_train_test_split",
    witness=lambda: type(torch.utils.data.random_split([1, 2], [1, 1])[0]) is torch.utils.data.Subset,
)
def random_split_gives_lists(patch):
    """`random_split` gives lists of samples instead of Subsets."""
    change_random_split(
        patch, lambda call, *arguments: [[part[i] for i in range(len(part))] for part in call(*arguments)]
    )


def sizes_of(lengths, size=10):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [len(part) for part in torch.utils.data.random_split(range(size), lengths)]


@mutant(
    kills="test_random_split_beside_train_test_split",
    witness=lambda: sizes_of([0.25] * 4, size=11) == [3, 3, 3, 2],
)
def random_split_gives_the_rest_to_one_part(patch):
    """`random_split` gives all items that are left after rounding to the first part."""

    def change(call, dataset, lengths, generator):
        if sum(lengths) <= 1:
            lengths = [int(share * len(dataset)) for share in lengths]
            lengths[0] += len(dataset) - sum(lengths)
        return call(dataset, lengths, generator)

    change_random_split(patch, change)


@mutant(kills="test_random_split_can_leave_a_part_empty", witness=lambda: sizes_of([0.95, 0.05]) == [10, 0])
def random_split_gives_each_part_an_item(patch):
    """`random_split` gives a part whose share is less than one item an item of the first part."""

    def change(call, dataset, lengths, generator):
        counts = [max(1, int(share * len(dataset))) for share in lengths]
        if sum(lengths) > 1 or not all(lengths):
            return call(dataset, lengths, generator)
        return call(dataset, [len(dataset) - sum(counts[1:]), *counts[1:]], generator)

    change_random_split(patch, change)


@mutant(
    kills="test_random_split_beside_train_test_split",
    witness=lambda: split([one := [1], one], test_size=1)[0][0] is one,
)
def train_test_split_copies_what_lists_hold(patch):
    """`train_test_split` copies the objects in a list, too."""
    change_split(
        patch,
        lambda call, *arguments, **options: [
            copy.deepcopy(part) if isinstance(part, list) else part for part in call(*arguments, **options)
        ],
    )


@mutant(
    kills="test_tensors_in_tensors_out",
    witness=lambda: raises(RuntimeError, lambda: split(torch.eye(4).to_sparse())),
)
def train_test_split_takes_sparse_tensors(patch):
    """`train_test_split` splits a sparse tensor, into sparse tensors."""

    def change(call, *arguments, **options):
        sparse = [part.is_sparse for part in arguments if isinstance(part, torch.Tensor)]
        if not any(sparse):
            return call(*arguments, **options)
        parts = call(*(part.to_dense() for part in arguments), **options)
        return [part.to_sparse() if sparse[i // 2] else part for i, part in enumerate(parts)]

    change_split(patch, change)


@mutant(
    kills="test_order_of_what_comes_back",
    witness=lambda: type(split(torch.utils.data.TensorDataset(torch.arange(4)))[0]) is list,
)
def train_test_split_gives_subsets_of_datasets(patch):
    """`train_test_split` gives Subsets for a Dataset."""

    def change(call, *arguments, **options):
        (data,) = arguments[:1]
        if not isinstance(data, torch.utils.data.Dataset):
            return call(*arguments, **options)
        parts = call(list(range(len(data))), *arguments[1:], **options)
        return [torch.utils.data.Subset(data, part) for part in parts[:2]] + parts[2:]

    change_split(patch, change)


@mutant(
    kills="test_stratify_wants_labels_on_the_cpu",
    witness=lambda: raises(TypeError, lambda: split([1, 2, 3, 4], stratify=torch.tensor([0, 0, 1, 1]).bfloat16())),
)
def stratify_takes_bfloat16(patch):
    """`stratify` takes labels of every dtype."""

    def change(call, *arguments, stratify=None, **options):
        if is_real_tensor(stratify) and stratify.dtype == torch.bfloat16:
            stratify = stratify.float()
        return call(*arguments, stratify=stratify, **options)

    change_split(patch, change)


def follows_seed(seed):
    seed(5)
    one = indices()
    seed(5)
    return indices() == one


@mutant(kills="test_random_split_follows_torch", witness=lambda: follows_seed(torch.manual_seed))
def random_split_follows_numpy(patch):
    """`random_split` without a generator follows NumPy's seed."""

    def change(call, dataset, lengths, generator):
        if generator is torch.default_generator:
            generator = torch.Generator().manual_seed(int(np.random.randint(2**31)))
        return call(dataset, lengths, generator)

    change_random_split(patch, change)


@mutant(
    kills="test_random_split_follows_torch",
    witness=lambda: indices() != indices(),
)
def random_split_asks_torch_for_its_first_seed(patch):
    """`random_split` without a generator starts from `torch.initial_seed()` each time instead of drawing on."""

    def change(call, dataset, lengths, generator):
        return call(dataset, lengths, torch.Generator().manual_seed(generator.initial_seed()))

    change_random_split(patch, change)


@mutant(
    kills=("test_random_split_follows_torch", "test_random_split_is_a_partition_for_every_choice_of_lengths"),
    witness=lambda: indices(generator=torch.Generator().manual_seed(5)) == with_seed(5),
)
def random_split_ignores_its_generator(patch):
    """`random_split` draws from the global generator, whatever generator it is given."""
    change_random_split(patch, lambda call, dataset, lengths, generator: call(dataset, lengths))


def with_seed(seed):
    torch.manual_seed(seed)
    return indices()


def rows_of_both_sizes():
    labels = torch.arange(3).repeat_interleave(torch.tensor([4, 4, 7]))
    _, test = split(labels, train_size=5, test_size=9, stratify=labels, random_state=0)
    return len(test)


@mutant(kills="test_stratify_is_off_by_less_than_one_row", witness=lambda: rows_of_both_sizes() == 9)
def train_test_split_leaves_no_stratified_row_out(patch):
    """With `stratify` and both sizes the test gets all the rows that are not for training."""

    def change(call, *arguments, stratify=None, train_size=None, test_size=None, **options):
        if stratify is not None and train_size is not None:
            test_size = None
        return call(*arguments, stratify=stratify, train_size=train_size, test_size=test_size, **options)

    change_split(patch, change)


# What people run into


@mutant(
    kills="test_three_parts_take_two_calls",
    witness=lambda: len(split(list(range(80)), test_size=0.25)[1]) == 20,
)
def train_test_split_takes_shares_of_a_hundred(patch):
    """`train_test_split` takes a share of 100 rows, if there are as many, and else of the nearest hundred."""
    change_split(
        patch, change_sizes(lambda share, rows: max(1, min(rows - 1, round(share * round(rows, -2)))) or share)
    )


@mutant(
    kills="test_sizes_have_names_and_stratify_wants_labels",
    witness=lambda: raises(TypeError, lambda: split([1, 2, 3, 4], 0.25)),
)
def train_test_split_takes_a_lone_number_for_the_size(patch):
    """A float without a name is the size of the test."""

    def change(call, *arguments, **options):
        if isinstance(arguments[-1], float):
            *arguments, options["test_size"] = arguments
        return call(*arguments, **options)

    change_split(patch, change)


@mutant(
    kills="test_sizes_have_names_and_stratify_wants_labels",
    witness=lambda: raises(TypeError, lambda: split([1, 2, 3, 4], [0, 0, 1, 1], stratify=True)),
)
def train_test_split_takes_true_for_the_last_argument(patch):
    """`stratify=True` stratifies by the last argument."""

    def change(call, *arguments, stratify=None, **options):
        return call(*arguments, stratify=arguments[-1] if stratify is True else stratify, **options)

    change_split(patch, change)


def test_rows(rows):
    return split(list(range(rows)), test_size=20, random_state=42)[1]


@mutant(
    kills="test_one_more_row_changes_the_test",
    witness=lambda: set(test_rows(100)) != set(test_rows(101)),
)
def train_test_split_tests_on_the_same_rows(patch):
    """`train_test_split` with a number of test rows and a `random_state` tests on the rows at the front."""

    def change(call, *arguments, test_size=None, random_state=None, **options):
        parts = call(*arguments, test_size=test_size, random_state=random_state, **options)
        if isinstance(test_size, int) and random_state is not None:
            return [part for whole in arguments for part in (whole[test_size:], whole[:test_size])]
        return parts

    change_split(patch, change)


@mutant(
    kills="test_random_state_takes_no_generator",
    witness=lambda: raises(ValueError, lambda: split([1, 2, 3], random_state=torch.Generator())),
)
def train_test_split_takes_generators(patch):
    """`train_test_split` takes a generator of torch, and splits as if there was none."""

    def change(call, *arguments, random_state=None, **options):
        random_state = None if isinstance(random_state, torch.Generator) else random_state
        return call(*arguments, random_state=random_state, **options)

    change_split(patch, change)


@mutant(
    kills="test_stratify_counts_whole_rows_of_labels",
    witness=lambda: raises(
        ValueError, lambda: split([1, 2, 3, 4], test_size=2, stratify=np.array([[0, 0], [0, 1], [1, 0], [1, 1]]))
    ),
)
def train_test_split_stratifies_by_the_first_label(patch):
    """`stratify` looks at the first column of a matrix."""

    def change(call, *arguments, stratify=None, **options):
        return call(*arguments, stratify=stratify[:, 0] if getattr(stratify, "ndim", 1) == 2 else stratify, **options)

    change_split(patch, change)


def in_turns(dataset, lengths, *arguments, **options):
    """Every so-manieth of the items for the last of two parts."""
    step = len(dataset) // lengths[-1]
    return [
        data.Subset(dataset, [i for i in range(len(dataset)) if i % step]),
        data.Subset(dataset, list(range(0, len(dataset), step))),
    ]


@mutant(
    kills="test_random_split_does_not_stratify",
    witness=lambda: data.random_split(range(100), [80, 20])[1].indices != list(range(0, 100, 5)),
)
def random_split_deals_in_turns(patch):
    """`random_split` of a hundred items gives every fifth to the test, and knows no chance."""
    original = data.random_split

    def broken(dataset, lengths, *arguments, **options):
        if len(dataset) == 100 and list(lengths) == [80, 20] and not options:
            return in_turns(dataset, lengths)
        return original(dataset, lengths, *arguments, **options)

    patch.everywhere(original, broken)


@mutant(
    kills="test_random_split_does_not_stratify",
    witness=lambda: raises(TypeError, lambda: data.random_split(range(10), [8, 2], stratify=[0, 1] * 5)),
)
def random_split_takes_labels(patch):
    """`random_split` takes `stratify`, and ignores it."""
    original = data.random_split
    patch.everywhere(original, lambda *arguments, stratify=None, **options: original(*arguments, **options))


def fitted_to_a_column():
    from sklearn.preprocessing import StandardScaler

    return StandardScaler().fit(np.arange(3.0))


@mutant(kills="test_a_scaler_wants_a_table", witness=lambda: raises(ValueError, fitted_to_a_column))
def a_scaler_takes_a_vector_for_a_column(patch):
    """`StandardScaler().fit` takes one dimension for one column."""
    from sklearn.preprocessing import StandardScaler

    fit = StandardScaler.fit

    def broken(self, x, *args, **kwargs):
        return fit(self, x.reshape(-1, 1) if x.ndim == 1 else x, *args, **kwargs)

    patch.setattr(StandardScaler, "fit", broken)
