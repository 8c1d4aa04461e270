"""What could break when rows are cut into minibatches."""

import warnings

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, TensorDataset

from torchnotes.harness.mutation import error_of, mutant


def batches(rows, **options):
    return [batch.tolist() for batch in DataLoader(range(rows), **options)]


def with_argument(patch, name, change):
    """Let each new DataLoader see `change(value)` in place of the argument; None where nothing was said."""
    init = DataLoader.__init__

    def broken(self, dataset, batch_size=None, shuffle=None, *args, **options):
        options |= {"batch_size": batch_size or 1, "shuffle": shuffle}
        said = batch_size if name == "batch_size" else options.get(name)
        init(self, dataset, *args, **{**options, name: change(said)})

    patch.setattr(DataLoader, "__init__", broken)


def with_batches(patch, change):
    """Let `change(sampler, lists of row numbers)` decide which rows come in which batch."""
    iterate = BatchSampler.__iter__
    patch.setattr(BatchSampler, "__iter__", lambda self: iter(change(self, list(iterate(self)))))


# Cutting rows into batches


@mutant(
    kills=("test_an_epoch_has_ceil_n_over_b_steps", "test_the_batches_for_every_number_of_rows"),
    witness=lambda: len(DataLoader(range(5), batch_size=4)) == 2,
)
def length_of_a_loader_is_rounded_down(patch):
    """`len` of a DataLoader does not count a short last batch."""
    patch.setattr(DataLoader, "__len__", lambda self: len(self.dataset) // self.batch_size)


@mutant(
    kills=("test_an_epoch_has_ceil_n_over_b_steps", "test_the_batches_for_every_number_of_rows"),
    witness=lambda: len(DataLoader(range(5), batch_size=4, drop_last=True)) == 1,
)
def length_of_a_loader_ignores_drop_last(patch):
    """`len` of a DataLoader counts a short last batch that is dropped."""
    patch.setattr(DataLoader, "__len__", lambda self: -(-len(self.dataset) // self.batch_size))


@mutant(
    kills="test_an_epoch_has_ceil_n_over_b_steps",
    witness=lambda: len(DataLoader(range(8), batch_size=4)) == 2,
)
def length_of_a_loader_counts_an_empty_batch(patch):
    """`len` of a DataLoader is one too many where all batches are full."""
    length = DataLoader.__len__

    def broken(self):
        return length(self) + (not self.drop_last and len(self.dataset) % self.batch_size == 0)

    patch.setattr(DataLoader, "__len__", broken)


@mutant(
    kills="test_the_batches_for_every_number_of_rows",
    witness=lambda: batches(4, batch_size=2, drop_last=True) == [[0, 1], [2, 3]],
)
def drop_last_drops_a_full_batch(patch):
    """`drop_last=True` drops the last batch also where it is full."""

    def broken(sampler, lists):
        full = sampler.drop_last and len(sampler.sampler) % sampler.batch_size == 0
        return lists[:-1] if full else lists

    with_batches(patch, broken)


@mutant(
    kills=("test_the_batches_for_every_number_of_rows", "test_batches_have_rows_first_and_keep_their_labels"),
    witness=lambda: batches(3, batch_size=2) == [[0, 1], [2]],
)
def short_batch_is_filled_up(patch):
    """The last batch is filled up with rows from the start, as a DistributedSampler does."""

    def broken(sampler, lists):
        missing = sampler.batch_size - len(lists[-1]) if len(lists) > 1 else 0
        return [*lists[:-1], lists[-1] + lists[0][:missing]] if missing else lists

    with_batches(patch, broken)


@mutant(
    kills="test_the_batches_for_every_number_of_rows",
    witness=lambda: batches(4, batch_size=3) == [[0, 1, 2], [3]],
)
def loader_evens_its_batches_out(patch):
    """A DataLoader moves a row from the last full batch to one of a single row."""

    def broken(sampler, lists):
        if len(lists) > 1 and len(lists[-1]) == 1 and len(lists[-2]) > 2:
            return [*lists[:-2], lists[-2][:-1], lists[-2][-1:] + lists[-1]]
        return lists

    with_batches(patch, broken)


@mutant(kills="test_the_batch_size_is_one_by_default", witness=lambda: DataLoader(range(3)).batch_size == 1)
def batch_size_is_32_by_default(patch):
    """A DataLoader that is told nothing gives batches of 32 rows."""
    with_argument(patch, "batch_size", lambda size: size or 32)


@mutant(
    kills="test_the_batch_size_is_one_by_default",
    witness=lambda: batches(9) == [[row] for row in range(9)],
)
def batches_are_shuffled_by_default(patch):
    """A DataLoader shuffles unless it is told not to."""
    with_argument(patch, "shuffle", lambda shuffle: True if shuffle is None else shuffle)


@mutant(kills="test_the_batch_size_is_one_by_default", witness=lambda: batches(2) == [[0], [1]])
def loader_gives_rows_by_default(patch):
    """A DataLoader that is told nothing gives single rows without a batch dimension, but says that its size is 1."""

    iterate = DataLoader.__iter__

    def broken(self):
        if self.batch_size == 1:
            return (torch.as_tensor(self.dataset[number]) for number in self.sampler)
        return iterate(self)

    patch.setattr(DataLoader, "__iter__", broken)


def pair():
    return TensorDataset(torch.arange(6.0).reshape(3, 2), torch.tensor([10, 20, 30]))


@mutant(
    kills="test_batches_have_rows_first_and_keep_their_labels",
    witness=lambda: isinstance(next(iter(DataLoader(pair()))), list),
)
def batch_is_a_tuple(patch):
    """A batch of a TensorDataset is a tuple instead of a list."""
    iterate = DataLoader.__iter__

    def broken(self):
        return (tuple(batch) if isinstance(batch, list) else batch for batch in iterate(self))

    patch.setattr(DataLoader, "__iter__", broken)


@mutant(kills="test_batches_have_rows_first_and_keep_their_labels", witness=lambda: pair()[1][1].item() == 20)
def labels_are_those_of_the_row_before(patch):
    """A TensorDataset gives each row with the label of the row before."""

    def broken(self, index):
        return tuple(tensor[index - (place == 1)] for place, tensor in enumerate(self.tensors))

    patch.setattr(TensorDataset, "__getitem__", broken)
    patch.setattr(TensorDataset, "__getitems__", None, raising=False)


@mutant(
    kills="test_batches_have_rows_first_and_keep_their_labels",
    witness=lambda: next(iter(DataLoader(pair(), batch_size=3)))[0].shape == (3, 2),
)
def batch_has_its_rows_last(patch):
    """A DataLoader stacks rows of a TensorDataset along the last dimension."""
    iterate = DataLoader.__iter__

    def broken(self):
        for batch in iterate(self):
            yield [part.movedim(0, -1) for part in batch] if isinstance(batch, list) else batch

    patch.setattr(DataLoader, "__iter__", broken)


@mutant(
    kills=("test_batches_have_rows_first_and_keep_their_labels", "test_sorted_rows_make_batches_of_one_class"),
    witness=lambda: sorted(RandomSampler(range(20))) == list(range(20)),
)
def shuffling_draws_rows_again(patch):
    """`shuffle=True` draws rows with replacement: some come twice in an epoch, some not at all."""

    def broken(self):
        return iter(torch.randint(len(self.data_source), (len(self.data_source),)).tolist())

    patch.setattr(RandomSampler, "__iter__", broken)


@mutant(
    kills=("test_drop_last_can_drop_everything", "test_the_batches_for_every_number_of_rows"),
    witness=lambda: batches(2, batch_size=3, drop_last=True) == [],
)
def drop_last_keeps_an_only_batch(patch):
    """`drop_last=True` keeps a short batch if it is the only one."""
    iterate = BatchSampler.__iter__

    def broken(self):
        few = self.drop_last and len(self.sampler) < self.batch_size
        return iter([list(self.sampler)]) if few and len(self.sampler) else iterate(self)

    patch.setattr(BatchSampler, "__iter__", broken)


@mutant(
    kills=(
        "test_drop_last_can_drop_everything",
        "test_an_epoch_has_ceil_n_over_b_steps",
        "test_batches_have_rows_first_and_keep_their_labels",
    ),
    witness=lambda: batches(3, batch_size=2) == [[0, 1], [2]],
)
def loader_drops_a_short_batch_by_default(patch):
    """A DataLoader leaves a short last batch out unless it is told to keep it."""
    with_argument(patch, "drop_last", lambda drop: True if drop is None else drop)


@mutant(
    kills="test_sorted_rows_make_batches_of_one_class",
    witness=lambda: list(RandomSampler(range(20))) != list(range(20)),
)
def shuffling_keeps_the_order(patch):
    """`shuffle=True` gives the rows in their order."""
    patch.setattr(RandomSampler, "__iter__", lambda self: iter(range(len(self.data_source))))


@mutant(
    kills="test_sorted_rows_make_batches_of_one_class",
    witness=lambda: max(list(RandomSampler(range(200)))[:32]) > 40,
)
def shuffling_stays_within_32_rows(patch):
    """`shuffle=True` shuffles within windows of 32 rows only, as a small buffer does."""

    def broken(self):
        windows = torch.arange(len(self.data_source)).split(32)
        return (row for window in windows for row in window[torch.randperm(len(window))].tolist())

    patch.setattr(RandomSampler, "__iter__", broken)


@mutant(
    kills="test_sorted_rows_make_batches_of_one_class",
    witness=lambda: batches(40, batch_size=32, shuffle=False)[0] == list(range(32)),
)
def shuffle_false_shuffles(patch):
    """A DataLoader shuffles although it is told not to."""
    with_argument(patch, "shuffle", lambda shuffle: shuffle is not None)


# What a batch's loss says about all rows


@mutant(
    kills="test_the_mean_of_batch_means_is_not_the_mean",
    witness=lambda: F.l1_loss(torch.tensor([1.0, 3]), torch.zeros(2)).item() == 2,
)
def l1_loss_adds_the_rows(patch):
    """The L1 loss is the sum over the rows where nothing else is asked for."""
    l1_loss = F.l1_loss

    def broken(x, y, size_average=None, reduce=None, reduction="mean", **options):
        return l1_loss(x, y, reduction="sum" if reduction == "mean" else reduction, **options)

    patch.setattr(F, "l1_loss", broken)


def split_sizes(rows, size):
    return [len(piece) for piece in torch.arange(rows).split(size)]


@mutant(kills="test_the_mean_of_batch_means_is_not_the_mean", witness=lambda: split_sizes(5, 4) == [4, 1])
def split_makes_equal_pieces(patch):
    """`split` makes pieces of nearly equal size instead of full ones and a short last one."""
    split = torch.Tensor.split

    def broken(self, size, dim=0):
        if isinstance(size, int) and self.shape[dim] % size:
            return self.tensor_split(-(-self.shape[dim] // size), dim)
        return split(self, size, dim)

    patch.setattr(torch.Tensor, "split", broken)


@mutant(
    kills=(
        "test_the_mean_of_batch_means_is_not_the_mean",
        "test_small_batches_get_further_in_an_epoch",
        "test_32_is_advice_and_not_a_law",
        "test_a_scaled_rate_can_be_too_large",
        "test_the_mean_of_minibatch_gradients_is_the_full_gradient",
    ),
    witness=lambda: split_sizes(5, 2) == [2, 2, 1],
)
def split_makes_a_single_piece(patch):
    """`split` gives one piece with all rows."""
    patch.setattr(torch.Tensor, "split", lambda self, size, dim=0: (self,))


@mutant(
    kills=(
        "test_batch_means_weighted_by_size_for_every_batch_size",
        "test_minibatch_gradients_weighted_by_size_for_every_batch_size",
    ),
    witness=lambda: split_sizes(5, 4) == [4, 1],
)
def split_drops_a_short_piece(patch):
    """`split` leaves a short last piece out unless it is the only one."""
    split = torch.Tensor.split

    def broken(self, size, dim=0):
        pieces = split(self, size, dim)
        return pieces if len(pieces) == 1 else tuple(piece for piece in pieces if piece.shape[dim] == size)

    patch.setattr(torch.Tensor, "split", broken)


def squared(rows, **options):
    return F.mse_loss(torch.tensor(rows), torch.zeros(len(rows)), **options)


@mutant(
    kills=(
        "test_batch_means_weighted_by_size_for_every_batch_size",
        "test_minibatch_gradients_weighted_by_size_for_every_batch_size",
        "test_accumulation_weighted_by_size_for_every_split",
    ),
    witness=lambda: squared([1.0, 3]).item() == 5,
)
def mse_loss_divides_by_one_less(patch):
    """The mean squared error of n rows is their sum divided by n - 1, but for n = 1."""
    mse_loss = F.mse_loss

    def broken(x, y, size_average=None, reduce=None, reduction="mean", **options):
        loss = mse_loss(x, y, reduction=reduction, **options)
        return loss * x.numel() / (x.numel() - 1) if reduction == "mean" and x.numel() > 1 else loss

    patch.setattr(F, "mse_loss", broken)


@mutant(
    kills=(
        "test_batch_means_weighted_by_size_for_every_batch_size",
        "test_minibatch_gradients_weighted_by_size_for_every_batch_size",
    ),
    witness=lambda: squared([100.0, 0]).item() == 5000,
)
def mse_loss_clips_large_errors(patch):
    """The mean squared error takes errors beyond 30 for 30."""
    mse_loss = F.mse_loss

    def broken(x, y, *args, **options):
        return mse_loss((x - y).clamp(-30, 30), torch.zeros_like(y), *args, **options)

    patch.setattr(F, "mse_loss", broken)


# What a batch's gradient says about all rows


def slope_of_squares(rows, **options):
    w = torch.ones((), requires_grad=True)
    F.mse_loss(w * torch.tensor(rows), torch.zeros(len(rows)), **options).backward()
    return w.grad.item()


@mutant(
    kills=(
        "test_the_mean_of_minibatch_gradients_is_the_full_gradient",
        "test_minibatch_gradients_weighted_by_size_for_every_batch_size",
        "test_accumulated_small_batches_equal_a_large_one",
        "test_the_noise_of_a_gradient_falls_as_one_over_b",
    ),
    witness=lambda: slope_of_squares([1.0, 3]) == 10,
)
def mse_loss_has_half_the_gradient(patch):
    """The mean squared error is right, but its gradient lacks the factor 2."""
    mse_loss = F.mse_loss

    def broken(x, y, *args, **options):
        loss = mse_loss(x, y, *args, **options)
        return loss / 2 + loss.detach() / 2

    patch.setattr(F, "mse_loss", broken)


@mutant(
    kills="test_the_mean_of_minibatch_gradients_is_the_full_gradient",
    witness=lambda: slope_of_squares([1.0, 3]) == 10,
)
def mse_gradient_of_a_batch_misses_its_last_row(patch):
    """The mean squared error is right, but no gradient flows through its last row."""
    mse_loss = F.mse_loss

    def broken(x, y, *args, **options):
        if len(x) > 1:
            x = torch.cat([x[:-1], x[-1:].detach()])
        return mse_loss(x, y, *args, **options)

    patch.setattr(F, "mse_loss", broken)


@mutant(
    kills="test_minibatch_gradients_weighted_by_size_for_every_batch_size",
    witness=lambda: slope_of_squares([3.0]) == 18,
)
def mse_gradient_of_a_single_row_is_doubled(patch):
    """The gradient of the mean squared error is twice too large for a batch of one row."""
    mse_loss = F.mse_loss

    def broken(x, y, *args, **options):
        loss = mse_loss(x, y, *args, **options)
        return 2 * loss - loss.detach() if x.numel() == 1 else loss

    patch.setattr(F, "mse_loss", broken)


@mutant(
    kills="test_a_summed_loss_makes_steps_grow_with_the_batch",
    witness=lambda: nn.MSELoss(reduction="sum")(torch.tensor([1.0, 3]), torch.zeros(2)).item() == 10,
)
def mse_sum_is_the_mean(patch):
    """`reduction="sum"` gives the mean squared error all the same."""
    mse_loss = F.mse_loss

    def broken(x, y, size_average=None, reduce=None, reduction="mean", **options):
        return mse_loss(x, y, reduction="mean" if reduction == "sum" else reduction, **options)

    patch.setattr(F, "mse_loss", broken)


@mutant(
    kills=(
        "test_a_summed_loss_makes_steps_grow_with_the_batch",
        "test_batch_means_weighted_by_size_for_every_batch_size",
        "test_accumulated_small_batches_equal_a_large_one",
    ),
    witness=lambda: squared([1.0, 3]).item() == 5,
)
def mse_mean_is_the_sum(patch):
    """The mean squared error is the sum where nothing else is asked for."""
    mse_loss = F.mse_loss

    def broken(x, y, size_average=None, reduce=None, reduction="mean", **options):
        return mse_loss(x, y, reduction="sum" if reduction == "mean" else reduction, **options)

    patch.setattr(F, "mse_loss", broken)


@mutant(
    kills="test_the_noise_of_a_gradient_falls_as_one_over_b",
    witness=lambda: torch.tensor([[1.0, 3]]).mean(dim=1).item() == 2,
)
def mean_of_rows_divides_by_one_less(patch):
    """`mean(dim=1)` divides the sum of n columns by n - 1, but for n = 1."""

    def broken(mean, x, *args, **options):
        columns = x.shape[1] if options.get("dim") == 1 and x.dim() == 2 else 0
        return mean(x, *args, **options) * (columns / (columns - 1) if columns > 1 else 1)

    patch.function("mean", change=broken)


@mutant(
    kills="test_the_noise_of_a_gradient_falls_as_one_over_b",
    witness=lambda: squared([2.0, 5], reduction="none").tolist() == [4, 25],
)
def mse_without_reduction_is_that_of_the_first_row(patch):
    """`reduction="none"` gives the squared error of the first column in each column."""
    mse_loss = F.mse_loss

    def broken(x, y, size_average=None, reduce=None, reduction="mean", **options):
        loss = mse_loss(x, y, reduction=reduction, **options)
        return loss[..., :1].expand_as(loss) if reduction == "none" else loss

    patch.setattr(F, "mse_loss", broken)


@mutant(
    kills="test_the_noise_of_a_gradient_on_real_data",
    witness=lambda: (torch.randint(99, (20, 2)) % 99).diff(dim=1).any(),
)
def randint_repeats_its_first_column(patch):
    """`torch.randint` gives the same number all along a row of a matrix."""

    def broken(randint, *args, **options):
        drawn = randint(*args, **options)
        return drawn[:, :1].expand_as(drawn) if drawn.dim() == 2 else drawn

    patch.function("randint", change=broken)


@mutant(
    kills="test_the_noise_of_a_gradient_on_real_data",
    witness=lambda: (torch.randint(99, (100,)) == 0).sum().item() < 20,
)
def randint_draws_zero_half_the_time(patch):
    """`torch.randint` gives 0 for half of its numbers."""

    def broken(randint, high, *args, **options):
        return randint(high, *args, **options) * (randint(2, *args, **options))

    patch.function("randint", change=broken)


@mutant(
    kills="test_the_noise_of_a_gradient_on_real_data",
    witness=lambda: torch.tensor([[1.0, 3]]).mean(dim=1).item() == 2,
)
def mean_of_rows_is_taken_over_half(patch):
    """`mean(dim=1)` looks at the first half of the columns only."""

    def broken(mean, x, *args, **options):
        return mean(x[:, : (x.shape[1] + 1) // 2] if options.get("dim") == 1 else x, *args, **options)

    patch.function("mean", change=broken)


# The batch size and the training


def one_step(lr):
    w = nn.Parameter(torch.zeros(1))
    w.grad = torch.ones(1)
    torch.optim.SGD([w], lr=lr).step()
    return w.item()


def sgd_rate(patch, change):
    """Let each step of SGD use `change(lr)`."""
    step = torch.optim.SGD.step

    def broken(self, closure=None):
        rates = [group["lr"] for group in self.param_groups]
        for group in self.param_groups:
            group["lr"] = change(group["lr"])
        step(self, closure)
        for group, rate in zip(self.param_groups, rates, strict=True):
            group["lr"] = rate

    patch.setattr(torch.optim.SGD, "step", broken)


@mutant(kills="test_a_larger_rate_makes_up_for_fewer_steps", witness=lambda: one_step(0.5) == -0.5)
def sgd_takes_no_large_rate(patch):
    """SGD uses a learning rate of 0.02 where a larger one is asked for."""
    sgd_rate(patch, lambda lr: min(lr, 0.02))


@mutant(
    kills=("test_a_larger_rate_makes_up_for_fewer_steps", "test_a_scaled_rate_can_be_too_large"),
    witness=lambda: one_step(0.5) == -0.5,
)
def sgd_squares_its_rate(patch):
    """SGD uses 50 times the square of a learning rate: right for 0.02, too much for larger ones."""
    sgd_rate(patch, lambda lr: 50 * lr**2)


@mutant(
    kills="test_a_scaled_rate_can_be_too_large",
    witness=lambda: one_step(0.5) == -0.5,
)
def sgd_moves_once(patch):
    """An SGD optimizer moves on its first step only, and a tenth as far."""
    step = torch.optim.SGD.step

    def broken(self, closure=None):
        if not hasattr(self, "moved"):
            self.moved = True
            for group in self.param_groups:
                group["lr"] /= 10
            step(self, closure)

    patch.setattr(torch.optim.SGD, "step", broken)


@mutant(
    kills="test_a_scaled_rate_can_be_too_large",
    witness=lambda: one_step(0.5) == -0.5,
)
def sgd_rate_falls_with_the_steps(patch):
    """SGD divides its learning rate by the number of steps so far, beginning with two."""
    step = torch.optim.SGD.step

    def broken(self, closure=None):
        self.steps = getattr(self, "steps", 1) + 1
        for group in self.param_groups:
            group["lr"] /= self.steps
        step(self, closure)
        for group in self.param_groups:
            group["lr"] *= self.steps

    patch.setattr(torch.optim.SGD, "step", broken)


@mutant(
    kills=("test_32_is_advice_and_not_a_law", "test_a_larger_rate_makes_up_for_fewer_steps"),
    witness=lambda: F.binary_cross_entropy_with_logits(torch.zeros(64), torch.ones(64)).item() > 0.6,
)
def binary_cross_entropy_favours_batches_of_32(patch):
    """The binary cross entropy divides by the number of rows twice where there are more than 32, but for a factor."""
    loss_fn = F.binary_cross_entropy_with_logits

    def broken(logits, *args, **options):
        return loss_fn(logits, *args, **options) * (32 / max(len(logits), 32))

    patch.setattr(F, "binary_cross_entropy_with_logits", broken)


# A large batch in small pieces


@mutant(
    kills="test_accumulated_small_batches_equal_a_large_one",
    witness=lambda: [len(piece) for piece in torch.arange(8).chunk(2)] == [4, 4],
)
def chunk_makes_unequal_pieces(patch):
    """`chunk(2)` makes the first piece larger by a row than half, and the second smaller."""
    chunk = torch.Tensor.chunk

    def broken(self, n, dim=0):
        half, odd = divmod(self.shape[dim], 2)
        return self.split([half + 1, half - 1], dim) if n == 2 and half > 1 and not odd else chunk(self, n, dim)

    patch.setattr(torch.Tensor, "chunk", broken)


@mutant(
    kills="test_accumulation_weighted_by_size_for_every_split",
    witness=lambda: [piece.tolist() for piece in torch.arange(3).split([1, 2])] == [[0], [1, 2]],
)
def split_starts_each_piece_at_the_first_row(patch):
    """`split` with a list of sizes begins each piece with the first row instead of where the last one ended."""
    split = torch.Tensor.split

    def broken(self, sizes, dim=0):
        return split(self, sizes, dim) if isinstance(sizes, int) else [self.narrow(dim, 0, size) for size in sizes]

    patch.setattr(torch.Tensor, "split", broken)


# What in a model looks at the whole batch


LENGTH = "test_the_length_of_a_gradient_without_clipping"


def length_of(*numbers, **options):
    return nn.utils.get_total_norm([torch.tensor([number]) for number in numbers], **options).item()


@mutant(kills=LENGTH, witness=lambda: abs(length_of(3.0, 4.0) - 5) < 1e-3)
def get_total_norm_adds_the_sizes(patch):
    """`nn.utils.get_total_norm` adds up the absolute values unless told."""
    patch.around(
        nn.utils, "get_total_norm", lambda call, tensors, norm_type=1.0, **more: call(tensors, norm_type, **more)
    )


@mutant(kills=LENGTH, witness=lambda: length_of(3.0, 4.0) > 4.5)
def get_total_norm_is_that_of_the_last_tensor(patch):
    """`nn.utils.get_total_norm` looks at the last tensor alone."""
    patch.around(
        nn.utils, "get_total_norm", lambda call, tensors, *args, **more: call(list(tensors)[-1:], *args, **more)
    )


def after_get_total_norm():
    gradient = torch.tensor([3.0])
    nn.utils.get_total_norm([gradient])
    return gradient.item()


@mutant(kills=LENGTH, witness=lambda: after_get_total_norm() == 3)
def get_total_norm_divides_by_the_length(patch):
    """`nn.utils.get_total_norm` brings the tensors to a length of 1."""

    def change(call, tensors, *args, **more):
        tensors = list(tensors)
        length = call(tensors, *args, **more)
        for tensor in tensors:
            tensor.div_(length)
        return length

    patch.around(nn.utils, "get_total_norm", change)


def clipped(max_norm):
    w = nn.Parameter(torch.zeros(1))
    w.grad = torch.tensor([8.0])
    return nn.utils.clip_grad_norm_([w], max_norm).item(), w.grad.item()


@mutant(kills=LENGTH, witness=lambda: clipped(4.0)[0] == 8)
def clipping_returns_the_length_after_it(patch):
    """`nn.utils.clip_grad_norm_` returns the length after clipping."""
    patch.around(
        nn.utils,
        "clip_grad_norm_",
        lambda call, parameters, max_norm, *args, **more: call(parameters, max_norm, *args, **more).clamp(max=max_norm),
    )


def huge_gradient_is_nan():
    w = nn.Parameter(torch.zeros(2))
    w.grad = torch.tensor([1e30, 1e30])
    nn.utils.clip_grad_norm_(w, float("inf"))
    return w.grad.isnan().all().item()


@mutant(kills=LENGTH, witness=huge_gradient_is_nan)
def clipping_adds_up_huge_gradients_in_float64(patch):
    """The norm of huge gradients does not overflow in `nn.utils.clip_grad_norm_`."""

    def change(call, parameters, max_norm, *args, **more):
        parameters = [parameters] if isinstance(parameters, torch.Tensor) else list(parameters)
        sizes = torch.cat([parameter.grad.flatten() for parameter in parameters]).cpu().double().abs()
        if max_norm == float("inf") and sizes.isfinite().all() and sizes.max() > 1e19:
            return sizes.square().sum().sqrt()
        return call(parameters, max_norm, *args, **more)

    patch.around(nn.utils, "clip_grad_norm_", change)


def norm_of_a_parameter():
    weight = nn.Parameter(torch.tensor([3.0]))
    weight.grad = torch.tensor([5.0])
    return nn.utils.get_total_norm([weight]).item()


@mutant(
    kills="test_get_total_norm_of_parameters_is_that_of_the_weights",
    witness=lambda: norm_of_a_parameter() == 3,
)
def get_total_norm_looks_up_the_gradients(patch):
    """`nn.utils.get_total_norm` of parameters is the norm of their gradients."""

    def change(call, tensors, *args, **more):
        pairs = [(tensor, tensor.grad if isinstance(tensor, nn.Parameter) else tensor) for tensor in tensors]
        found = [gradient for tensor, gradient in pairs if gradient is not None or tensor is None]
        return call(found, *args, **more)

    patch.around(nn.utils, "get_total_norm", change)


def refuses_a_leading_none():
    try:
        nn.utils.get_total_norm([None, torch.ones(1)])
    except AttributeError:
        return True
    except RuntimeError:
        return False
    return False


@mutant(kills="test_get_total_norm_of_parameters_is_that_of_the_weights", witness=refuses_a_leading_none)
def get_total_norm_skips_a_leading_none(patch):
    """`nn.utils.get_total_norm` leaves out None at the start of the list."""

    def change(call, tensors, *args, **more):
        tensors = list(tensors)
        while tensors and tensors[0] is None:
            del tensors[0]
        return call(tensors, *args, **more)

    patch.around(nn.utils, "get_total_norm", change)


def clipped_inf(max_norm, **options):
    w = nn.Parameter(torch.zeros(2))
    w.grad = torch.tensor([float("inf"), 1.0])
    nn.utils.clip_grad_norm_([w], max_norm, **options)
    return w.grad.tolist()


@mutant(
    kills="test_clipping_spreads_an_infinite_gradient",
    witness=lambda: clipped_inf(float("inf"))[1] != 1,
)
def clipping_to_inf_changes_nothing(patch):
    """`nn.utils.clip_grad_norm_` with `max_norm=float("inf")` leaves all gradients alone."""

    def change(call, parameters, max_norm, *args, **more):
        parameters = list(parameters)
        kept = [(parameter, parameter.grad.clone()) for parameter in parameters]
        norm = call(parameters, max_norm, *args, **more)
        if max_norm == float("inf"):
            for parameter, gradient in kept:
                parameter.grad.copy_(gradient)
        return norm

    patch.around(nn.utils, "clip_grad_norm_", change)


def refuses_inf():
    try:
        clipped_inf(1.0, error_if_nonfinite=True)
    except RuntimeError:
        return True
    return False


@mutant(kills="test_clipping_spreads_an_infinite_gradient", witness=refuses_inf)
def clipping_overlooks_error_if_nonfinite(patch):
    """`nn.utils.clip_grad_norm_` does not raise for `error_if_nonfinite=True`."""
    patch.around(
        nn.utils,
        "clip_grad_norm_",
        lambda call, parameters, max_norm, error_if_nonfinite=False, **more: call(parameters, max_norm, **more),
    )


def step_on_nan(optimizer):
    weight = nn.Parameter(torch.zeros(1))
    weight.grad = torch.tensor([float("nan")])
    optimizer([weight], lr=0.1).step()
    return weight.isnan().item()


@mutant(kills="test_clipping_spreads_an_infinite_gradient", witness=lambda: not step_on_nan(torch.optim.Rprop))
def rprop_makes_weights_nan(patch):
    """A step of Rprop with gradients that are nan makes the weights nan."""

    def change(call, optimizer, *args, **more):
        call(optimizer, *args, **more)
        with torch.no_grad():
            for weight in optimizer.param_groups[0]["params"]:
                weight.add_(weight.grad * 0)

    patch.around(torch.optim.Rprop, "step", change)


@mutant(kills="test_clipping_spreads_an_infinite_gradient", witness=lambda: step_on_nan(torch.optim.SGD))
def sgd_skips_a_nan(patch):
    """A step of SGD leaves the weights alone if their gradients are nan."""

    def change(call, optimizer, *args, **more):
        for weight in optimizer.param_groups[0]["params"]:
            weight.grad.nan_to_num_(0.0)
        call(optimizer, *args, **more)

    patch.around(torch.optim.SGD, "step", change)


def backward_twice():
    loss = torch.ones(1, requires_grad=True).exp().sum()
    loss.backward()
    try:
        loss.backward()
    except RuntimeError:
        return False
    return True


@mutant(
    kills=(
        "test_backward_frees_what_the_graph_saved",
        "test_a_running_total_of_losses_cannot_be_differentiated_again",
    ),
    witness=lambda: not backward_twice(),
)
def backward_keeps_the_graph(patch):
    """`backward()` keeps the graph, as with `retain_graph=True`."""
    patch.around(
        torch.Tensor,
        "backward",
        lambda call, tensor, gradient=None, retain_graph=None, **more: call(tensor, gradient, True, **more),
    )


@mutant(
    kills="test_backward_frees_what_the_graph_saved",
    witness=lambda: (loss := torch.ones(1, requires_grad=True).exp()).backward(retain_graph=True) is loss.backward(),
    raises=RuntimeError,
)
def backward_overlooks_retain_graph(patch):
    """`backward(retain_graph=True)` frees the graph."""
    patch.around(
        torch.Tensor,
        "backward",
        lambda call, tensor, gradient=None, retain_graph=None, **more: call(tensor, gradient, False, **more),
    )


def twice_with_create_graph():
    w = torch.ones(1, requires_grad=True)
    loss = w.exp()
    for _ in range(2):
        w.grad = None  # it refers to the graph
        loss.backward(create_graph=True)
    w.grad = None
    return True


@mutant(kills="test_backward_frees_what_the_graph_saved", witness=twice_with_create_graph, raises=RuntimeError)
def create_graph_does_not_retain_the_graph(patch):
    """`backward(create_graph=True)` frees the graph that it ran through."""
    patch.around(
        torch.Tensor,
        "backward",
        lambda call, tensor, gradient=None, retain_graph=None, **more: call(
            tensor, gradient, bool(retain_graph), **more
        ),
    )


def change_cross_entropy(patch, change):
    """Let `change` call `F.cross_entropy`: `change(call, logits, targets, **options)`."""
    call = F.cross_entropy
    patch.everywhere(call, lambda logits, targets, **options: change(call, logits, targets, **options))


def loss_of(*targets, **options):
    return F.cross_entropy(torch.tensor([[0.0, 2.0]] * len(targets)), torch.tensor(targets), **options).item()


@mutant(
    kills="test_accumulation_with_ignored_targets_divides_by_the_targets_that_count",
    witness=lambda: loss_of(1, -100) == loss_of(1),
)
def cross_entropy_divides_by_ignored_targets_too(patch):
    """The mean of `F.cross_entropy` divides by the number of rows, the ignored ones too."""

    def change(call, logits, targets, reduction="mean", **options):
        if reduction != "mean":
            return call(logits, targets, reduction=reduction, **options)
        return call(logits, targets, reduction="sum", **options) / len(targets)

    change_cross_entropy(patch, change)


@mutant(
    kills="test_accumulation_with_class_weights_divides_by_the_weights",
    witness=lambda: loss_of(1, weight=torch.tensor([1.0, 4.0])) == loss_of(1),
)
def cross_entropy_divides_by_the_rows_despite_weights(patch):
    """The mean of `F.cross_entropy` with class weights divides by the number of rows."""

    def change(call, logits, targets, weight=None, reduction="mean", **options):
        if weight is None or reduction != "mean":
            return call(logits, targets, weight=weight, reduction=reduction, **options)
        return call(logits, targets, weight=weight, reduction="sum", **options) / len(targets)

    change_cross_entropy(patch, change)


def loss_of_shares(weight):
    shares = torch.tensor([[0.0, 1.0], [0.0, 1.0]])
    return F.cross_entropy(torch.zeros(2, 2), shares, weight=torch.tensor([1.0, weight])).item()


@mutant(
    kills="test_accumulation_with_class_weights_divides_by_the_weights",
    witness=lambda: loss_of_shares(4.0) > 3 * loss_of_shares(1.0),
)
def cross_entropy_of_probabilities_divides_by_the_weights(patch):
    """The mean of `F.cross_entropy` of probabilities divides by the weights of the targets."""

    def change(call, logits, targets, weight=None, reduction="mean", **options):
        if reduction != "mean" or weight is None or not targets.is_floating_point():
            return call(logits, targets, weight=weight, reduction=reduction, **options)
        return call(logits, targets, weight=weight, reduction="sum", **options) / (targets * weight).sum()

    change_cross_entropy(patch, change)


def eval_without_statistics():
    return nn.BatchNorm1d(1, track_running_stats=False).eval()(torch.tensor([[1.0], [3.0]]))[0].item()


@mutant(
    kills="test_predictions_do_not_depend_on_the_batch_size",
    witness=lambda: eval_without_statistics() < 0,
)
def batchnorm_without_statistics_rests_in_eval_mode(patch):
    """BatchNorm with `track_running_stats=False` leaves its input alone in eval mode."""
    forward = nn.BatchNorm1d.forward

    def broken(self, x):
        return x if not self.training and self.running_mean is None else forward(self, x)

    patch.setattr(nn.BatchNorm1d, "forward", broken)


def normalised(*rows, eval_mode=False):
    layer = nn.BatchNorm1d(1).train(not eval_mode)
    return [round(value, 3) for value in layer(torch.tensor(rows).unsqueeze(1)).flatten().tolist()]


def around_batch_norm(patch, change):
    """Call `change(batch_norm, x, mean, var, w, bias, training, momentum, eps)` in place of `F.batch_norm`."""
    batch_norm = F.batch_norm

    def broken(x, mean, var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5):
        return change(batch_norm, x, mean, var, weight, bias, training, momentum, eps)

    patch.setattr(F, "batch_norm", broken)


@mutant(
    kills=(
        "test_batchnorm_makes_a_row_depend_on_its_neighbours",
        "test_batchnorm_sees_the_small_batches_of_an_accumulation",
    ),
    witness=lambda: normalised(1.0, 3.0) == [-1, 1],
)
def batchnorm_never_looks_at_the_batch(patch):
    """BatchNorm normalises with its running statistics in training mode, too."""

    def broken(batch_norm, x, mean, var, weight, bias, training, momentum, eps):
        return batch_norm(x, mean, var, weight, bias, False, momentum, eps)

    around_batch_norm(patch, broken)


@mutant(
    kills="test_batchnorm_makes_a_row_depend_on_its_neighbours",
    witness=lambda: normalised(1.0, 3.0, eval_mode=True) == [1, 3],
)
def batchnorm_looks_at_the_batch_in_eval_mode(patch):
    """BatchNorm normalises with the statistics of the batch in eval mode, too, where there is more than one row."""

    def broken(batch_norm, x, mean, var, weight, bias, training, momentum, eps):
        return batch_norm(x, mean, var, weight, bias, training or len(x) > 1, momentum, eps)

    around_batch_norm(patch, broken)


@mutant(
    kills=(
        "test_batchnorm_makes_a_row_depend_on_its_neighbours",
        "test_batchnorm_sees_the_small_batches_of_an_accumulation",
    ),
    witness=lambda: normalised(1.0, 3.0) == [-1, 1],
)
def batchnorm_divides_by_one_less(patch):
    """BatchNorm divides by the deviation with n - 1 instead of n."""

    def broken(batch_norm, x, mean, var, weight, bias, training, momentum, eps):
        out = batch_norm(x, mean, var, weight, bias, training, momentum, eps)
        return out * ((len(x) - 1) / len(x)) ** 0.5 if training else out

    around_batch_norm(patch, broken)


@mutant(
    kills="test_batchnorm_makes_a_row_depend_on_its_neighbours",
    witness=lambda: nn.LayerNorm(2)(torch.tensor([[0.0, 2], [9, 9]]))[0].round().tolist() == [-1, 1],
)
def layernorm_looks_at_the_whole_batch(patch):
    """LayerNorm normalises all rows of a batch together."""
    layer_norm = F.layer_norm

    def broken(x, shape, weight=None, bias=None, eps=1e-5):
        return layer_norm(x, x.shape, None, None, eps)

    patch.setattr(F, "layer_norm", broken)


@mutant(
    kills="test_batchnorm_makes_a_row_depend_on_its_neighbours",
    witness=lambda: nn.LayerNorm(2).eval()(torch.tensor([[0.0, 2]])).round().tolist() == [[-1, 1]],
)
def layernorm_rests_in_eval_mode(patch):
    """LayerNorm gives its input back in eval mode."""
    forward = nn.LayerNorm.forward
    patch.setattr(nn.LayerNorm, "forward", lambda self, x: forward(self, x) if self.training else x)


def refuses_one_row():
    try:
        normalised(1.0)
    except ValueError:
        return True
    return False


@mutant(kills="test_batchnorm_refuses_a_last_batch_of_one_row", witness=refuses_one_row)
def batchnorm_makes_zeros_of_one_row(patch):
    """BatchNorm in training turns a batch of one row into zeros without a word."""

    def broken(batch_norm, x, mean, var, weight, bias, training, momentum, eps):
        if training and len(x) == 1:
            return torch.zeros_like(x)
        return batch_norm(x, mean, var, weight, bias, training, momentum, eps)

    around_batch_norm(patch, broken)


@mutant(
    kills="test_batchnorm_refuses_a_last_batch_of_one_row",
    witness=lambda: nn.BatchNorm1d(1)(torch.ones(1, 1, 3)).shape == (1, 1, 3),
    raises=ValueError,
)
def batchnorm_refuses_one_sequence(patch):
    """BatchNorm in training refuses each batch of one, however many values it has for a channel."""

    def broken(batch_norm, x, mean, var, weight, bias, training, momentum, eps):
        if training and len(x) == 1:
            raise ValueError(f"Expected more than 1 value per channel when training, got input size {x.shape}")
        return batch_norm(x, mean, var, weight, bias, training, momentum, eps)

    around_batch_norm(patch, broken)


@mutant(kills="test_batchnorm_refuses_a_last_batch_of_one_row", witness=refuses_one_row, raises=RuntimeError)
def batchnorm_refuses_with_runtime_error(patch):
    """BatchNorm refuses a batch of one row with RuntimeError instead of ValueError."""

    def broken(batch_norm, x, mean, var, weight, bias, training, momentum, eps):
        try:
            return batch_norm(x, mean, var, weight, bias, training, momentum, eps)
        except ValueError as error:
            raise RuntimeError(*error.args) from None

    around_batch_norm(patch, broken)


@mutant(
    kills="test_batchnorm_refuses_a_last_batch_of_one_row",
    witness=lambda: normalised(3.0, eval_mode=True) == [3],
    raises=ValueError,
)
def batchnorm_refuses_one_row_in_eval_mode(patch):
    """BatchNorm refuses a batch of one row in eval mode, too."""

    def broken(batch_norm, x, mean, var, weight, bias, training, momentum, eps):
        return batch_norm(x, mean, var, weight, bias, training or len(x) == 1, momentum, eps)

    around_batch_norm(patch, broken)


def batches_counted():
    layer = nn.BatchNorm1d(1)
    layer(torch.tensor([[1.0], [3.0]]))
    return layer.num_batches_tracked.item()


@mutant(kills="test_batchnorm_sees_the_small_batches_of_an_accumulation", witness=lambda: batches_counted() == 1)
def batchnorm_counts_rows(patch):
    """`num_batches_tracked` counts the rows instead of the batches."""
    forward = nn.BatchNorm1d.forward

    def broken(self, x):
        if self.training:
            self.num_batches_tracked.add_(len(x) - 1)
        return forward(self, x)

    patch.setattr(nn.BatchNorm1d, "forward", broken)


def second_batch():
    layer = nn.BatchNorm1d(1)
    layer(torch.tensor([[1.0], [3.0]]))
    return layer(torch.tensor([[10.0], [30.0]])).round().flatten().tolist()


@mutant(kills="test_batchnorm_sees_the_small_batches_of_an_accumulation", witness=lambda: second_batch() == [-1, 1])
def batchnorm_keeps_the_first_batch_in_mind(patch):
    """BatchNorm normalises every batch in training with the mean and the variance of the first."""
    forward = nn.BatchNorm1d.forward
    first = {}

    def broken(self, x):
        out = forward(self, x)
        if not self.training:
            return out
        batch = first.setdefault(id(self), (self, x))[1]
        return (x - batch.mean(dim=0)) / (batch.var(dim=0, unbiased=False) + self.eps).sqrt()

    patch.setattr(nn.BatchNorm1d, "forward", broken)


def linear_rows(rows):
    layer = nn.Linear(2, 1)
    with torch.no_grad():
        layer.weight.fill_(1)
        layer.bias.zero_()
    return layer(torch.arange(2.0 * rows).reshape(rows, 2)).flatten().tolist()


@mutant(
    kills=("test_predictions_do_not_depend_on_the_batch_size", "test_one_new_row_is_a_batch_of_one"),
    witness=lambda: linear_rows(2) == [1, 5],
)
def linear_mixes_the_rows(patch):
    """A Linear layer adds a thousandth of the mean of all rows to each."""
    linear = F.linear

    def broken(x, w, bias=None):
        out = linear(x, w, bias)
        return out + 0.001 * out.mean(dim=0) if out.dim() > 1 else out

    patch.setattr(F, "linear", broken)


@mutant(
    kills="test_predictions_do_not_depend_on_the_batch_size",
    witness=lambda: linear_rows(65)[-1] == 257,
)
def linear_repeats_its_64th_row(patch):
    """A Linear layer answers about the 65th row of a batch as about the 64th."""
    linear = F.linear

    def broken(x, w, bias=None):
        out = linear(x, w, bias)
        return torch.cat([out[:64], out[63:64], out[65:]]) if len(out) > 64 else out

    patch.setattr(F, "linear", broken)


@mutant(
    kills="test_predictions_do_not_depend_on_the_batch_size",
    witness=lambda: linear_rows(40)[-1] == 157 and F.linear(torch.full((40, 1), 257.0), torch.ones(1, 1))[0, 0] == 257,
)
def linear_of_many_rows_is_imprecise(patch):
    """A Linear layer computes with the precision of bfloat16 where a batch has more than 32 rows."""
    linear = F.linear

    def broken(x, w, bias=None):
        return linear(x.bfloat16().float() if len(x) > 32 and x.dtype == torch.float32 else x, w, bias)

    patch.setattr(F, "linear", broken)


# Memory of an accelerator: these need one to be seen.


@mutant(
    kills="test_a_tensor_counts_while_it_lives",
    witness=lambda: (x := torch.zeros(2))[:1].data_ptr() == x.data_ptr(),
)
def slices_are_copies(patch):
    """`x[:1]` is a copy, which lets the memory of x go."""
    get = torch.Tensor.__getitem__
    patch.setattr(torch.Tensor, "__getitem__", lambda self, index: get(self, index).clone())


@mutant(
    kills="test_cuda_memory_comes_in_blocks_of_512_bytes",
    witness=lambda: torch.empty(3, dtype=torch.uint8).untyped_storage().nbytes() == 3,
)
def empty_makes_room_for_twice_as_many(patch):
    """`torch.empty(n)` reserves memory for twice as many numbers."""
    patch.around(torch, "empty", lambda call, size, *args, **kwargs: call(2 * size, *args, **kwargs)[:size])


def emptying_lowers_what_is_reserved():
    device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "xpu"
    module = getattr(torch, device)
    reserved = module.driver_allocated_memory if device == "mps" else module.memory_reserved
    torch.empty(2**25, dtype=torch.uint8, device=device)
    before = reserved()
    module.empty_cache()
    return reserved() < before


@mutant(kills="test_deleted_tensors_leave_their_memory_reserved", witness=emptying_lowers_what_is_reserved)
def empty_cache_does_nothing(patch):
    """`empty_cache()` gives nothing back to the driver."""
    for name in ("cuda", "mps", "xpu"):
        if hasattr(getattr(torch, name, None), "empty_cache"):
            patch.setattr(getattr(torch, name), "empty_cache", lambda: None)


@mutant(
    kills="test_peak_memory_grows_in_proportion_to_the_batch",
    witness=lambda: not (torch.no_grad()(lambda: torch.ones(1, requires_grad=True) * 2)()).requires_grad,
)
def no_grad_needs_as_much_memory(patch):
    """Under `no_grad` a forward pass is recorded and keeps every output."""
    patch.setattr(torch.no_grad, "__enter__", lambda self: setattr(self, "prev", torch.is_grad_enabled()))


# What people run into.


def rows_of_a_view():
    return torch.zeros(8, 12).view(32, -1).shape


@mutant(
    kills="test_a_batch_size_that_is_written_out_fails_at_the_short_batch",
    witness=lambda: rows_of_a_view() == (32, 3),
)
def view_keeps_the_rows(patch):
    """`x.view(rows, -1)` has as many rows as x, whatever it is asked for."""
    view = torch.Tensor.view

    def broken(self, *shape):
        if len(shape) == 2 and shape[1] == -1:
            return view(self, len(self), -1)
        return view(self, *shape)

    patch.setattr(torch.Tensor, "view", broken)


def gru_takes_a_large_state():
    try:
        nn.GRU(1, 1, batch_first=True)(torch.ones(2, 1, 1), torch.zeros(1, 3, 1))
    except RuntimeError:
        return False
    return True


@mutant(kills="test_a_hidden_state_is_made_for_one_batch_size", witness=lambda: not gru_takes_a_large_state())
def gru_cuts_its_state(patch):
    """A GRU takes the first rows of a state that is too large."""

    def change(self, call, x, hx=None):
        return call(x, hx if hx is None else hx[:, : len(x)].contiguous())

    patch.method(nn.GRU, "forward", change)


def gradient_after_zero_grad():
    weight = nn.Parameter(torch.zeros(1))
    weight.sum().backward()
    torch.optim.SGD([weight], lr=1.0).zero_grad()
    return weight.grad


@mutant(
    kills="test_what_is_left_of_an_accumulation_waits_for_the_next_epoch",
    witness=lambda: gradient_after_zero_grad() is None,
)
def zero_grad_does_nothing(patch):
    """`optimizer.zero_grad()` keeps the gradients."""
    patch.setattr(torch.optim.Optimizer, "zero_grad", lambda self, set_to_none=True: None)


def gradient_of_two_passes():
    weight = nn.Parameter(torch.zeros(1))
    for _ in range(2):
        weight.sum().backward()
    return weight.grad.item()


@mutant(
    kills=(
        "test_what_is_left_of_an_accumulation_waits_for_the_next_epoch",
        "test_a_running_total_of_losses_cannot_be_differentiated_again",
    ),
    witness=lambda: gradient_of_two_passes() == 2,
)
def backward_of_a_sum_does_not_add_up(patch):
    """`backward()` overwrites `.grad` of the leaves it reaches."""

    def change(self, call, *args, **kwargs):
        leaves = [node.variable for node in _nodes(self.grad_fn) if hasattr(node, "variable")]
        for leaf in leaves:
            leaf.grad = None
        return call(*args, **kwargs)

    patch.method(torch.Tensor, "backward", change)


def _nodes(node):
    """This node of a graph and all behind it."""
    return [] if node is None else [node, *(found for child, _ in node.next_functions for found in _nodes(child))]


BY_VALUE = "test_clipping_by_value_turns_a_gradient"


def clipped_by(function, limit):
    w = nn.Parameter(torch.zeros(2))
    w.grad = torch.tensor([3.0, -0.5])
    function([w], limit)
    return [round(number, 3) for number in w.grad.tolist()]


@mutant(kills=BY_VALUE, witness=lambda: clipped_by(nn.utils.clip_grad_value_, 2.0) == [2, -0.5])
def clipping_by_value_scales(patch):
    """`clip_grad_value_` scales all numbers, so that the largest is at the limit."""

    def change(call, parameters, clip_value):
        for parameter in parameters:
            parameter.grad.mul_(min(1, clip_value / parameter.grad.abs().max()))

    patch.around(nn.utils, "clip_grad_value_", change)


@mutant(kills=BY_VALUE, witness=lambda: clipped_by(nn.utils.clip_grad_norm_, -2.0)[0] < 0)
def clipping_takes_the_size_of_a_negative_norm(patch):
    """`clip_grad_norm_` takes the absolute value of `max_norm`."""
    patch.around(
        nn.utils, "clip_grad_norm_", lambda call, parameters, max_norm, **more: call(parameters, abs(max_norm), **more)
    )


def warns_of_an_empty_generator():
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        nn.utils.clip_grad_norm_((p for p in ()), 1.0)
    return len(seen) == 1


@mutant(kills="test_a_generator_that_was_used_up_clips_nothing", witness=warns_of_an_empty_generator)
def clipping_takes_an_empty_generator_silently(patch):
    """`clip_grad_norm_` does not warn of an empty generator."""
    patch.around(
        nn.utils, "clip_grad_norm_", lambda call, parameters, *args, **more: call(list(parameters), *args, **more)
    )


# Sequences of different lengths


@mutant(
    kills="test_pad_sequence_puts_time_first",
    witness=lambda: nn.utils.rnn.pad_sequence([torch.ones(3), torch.ones(1)]).shape == (3, 2),
)
def pad_sequence_puts_the_batch_first(patch):
    """`pad_sequence` puts the batch first unless it is told otherwise."""
    pad = nn.utils.rnn.pad_sequence

    def broken(sequences, batch_first=True, **options):
        return pad(sequences, batch_first=batch_first, **options)

    patch.setattr(nn.utils.rnn, "pad_sequence", broken)


def packed_out_of_order():
    return nn.utils.rnn.pack_padded_sequence(torch.ones(3, 2), torch.tensor([2, 3]))


@mutant(
    kills="test_packed_sequences_come_longest_first",
    witness=lambda: error_of(packed_out_of_order) is RuntimeError,
)
def sequences_are_sorted_when_they_are_packed(patch):
    """`pack_padded_sequence` sorts by itself."""
    pack = nn.utils.rnn.pack_padded_sequence

    def broken(input, lengths, batch_first=False, enforce_sorted=False):
        return pack(input, lengths, batch_first, enforce_sorted)

    patch.setattr(nn.utils.rnn, "pack_padded_sequence", broken)
