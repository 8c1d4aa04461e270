"""Minibatches: a few rows for each step, instead of all of them or one.

A DataLoader cuts the rows into batches, and an epoch is one pass over all of them. After this section you can say how
many steps an epoch has, average a loss over an epoch, choose a learning rate for a batch size, accumulate gradients of
small batches, and say why BatchNorm dislikes a batch of one row. "Not higher than 32" is advice, given by people with
experience, and not a law: here is what the advice rests on, and what it leaves open.
"""

import gc
import math
import weakref
from fractions import Fraction
from functools import partial
from itertools import combinations, product
from statistics import pvariance

import pytest
import torch
from hypothesis import example, given, strategies as st
from sklearn.datasets import load_breast_cancer
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, RandomSampler, TensorDataset


@pytest.fixture(scope="module")
def cancer():
    """512 tumours: 30 measurements, each with mean 0 and standard deviation 1, and a label, 0 or 1; float32."""
    features, labels = load_breast_cancer(return_X_y=True)
    features = (features - features.mean(axis=0)) / features.std(axis=0)
    return torch.tensor(features[:512], dtype=torch.float32), torch.tensor(labels[:512], dtype=torch.float32)


# Cutting rows into batches


def test_an_epoch_has_ceil_n_over_b_steps():
    """A DataLoader of a list or a TensorDataset of N rows, in batches of B, has ceil(N / B) steps per epoch, and
    floor(N / B) with `drop_last=True`.

    `len(loader)` is this number of steps, and `len(loader.dataset)` the number of rows. A scheduler that is stepped
    after each batch takes `epochs * len(loader)` steps. If you pass a `sampler=`, N is the number of rows that the
    sampler draws.

    https://docs.pytorch.org/docs/stable/data.html
    """
    steps = {
        (rows, batch_size): (
            len(DataLoader(range(rows), batch_size=batch_size)),
            len(DataLoader(range(rows), batch_size=batch_size, drop_last=True)),
        )
        for rows, batch_size in [(64, 32), (65, 32), (63, 32), (20, 32), (5, 1)]
    }

    assert steps == {(64, 32): (2, 2), (65, 32): (3, 2), (63, 32): (2, 1), (20, 32): (1, 0), (5, 1): (5, 5)}
    assert len(DataLoader(range(65), batch_size=32).dataset) == 65
    draws = RandomSampler(range(10), replacement=True, num_samples=20)
    assert len(DataLoader(range(10), batch_size=4, sampler=draws)) == 5


@given(
    rows=st.integers(0, 40),
    batch_size=st.integers(1, 45),
    drop_last=st.booleans(),
)
@example(rows=7, batch_size=3, drop_last=False)
@example(rows=8, batch_size=3, drop_last=True)
@example(rows=6, batch_size=3, drop_last=True)
@example(rows=2, batch_size=3, drop_last=True)
def test_the_batches_for_every_number_of_rows(rows, batch_size, drop_last):
    """A DataLoader of a list, told a batch size B and nothing else, gives the rows in order, B at a time, and what is
    left over in a last, short batch.

    `drop_last=True` leaves the short batch out.

    https://docs.pytorch.org/docs/stable/data.html
    """
    loader = DataLoader(range(rows), batch_size=batch_size, drop_last=drop_last)
    batches = [batch.tolist() for batch in loader]

    starts = range(0, rows - batch_size + 1 if drop_last else rows, batch_size)
    assert batches == [list(range(start, min(start + batch_size, rows))) for start in starts]
    assert len(loader) == len(batches)


def test_the_batch_size_is_one_by_default():
    """`DataLoader(dataset)` gives batches of a single row, in order: `batch_size` is 1 by default, and not 32.

    A training loop that forgets `batch_size=` makes one step for each row. BatchNorm1d in training refuses such a batch
    of shape (1, features).

    https://docs.pytorch.org/docs/stable/data.html
    """
    loader = DataLoader(range(20, 40))

    assert loader.batch_size == 1
    assert [batch.tolist() for batch in loader] == [[row] for row in range(20, 40)]
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        nn.BatchNorm1d(2)(next(iter(DataLoader(torch.ones(6, 2)))))


def test_batches_have_rows_first_and_keep_their_labels(device):
    """A batch of a TensorDataset is a list of tensors whose first dimension is the rows, and each row keeps its label.

    Write `for x, y in loader`. Shuffling moves a row and its label together. With `batch_size=None` the loader gives
    one row at a time, without a dimension for the rows.

    https://docs.pytorch.org/docs/stable/data.html
    """
    x = torch.arange(60, device=device).reshape(10, 3, 2)
    y = x.sum(dim=(1, 2))
    loader = DataLoader(TensorDataset(x, y), batch_size=4, shuffle=True)
    batches = list(loader)

    assert [(type(batch), batch[0].shape, batch[1].shape) for batch in batches] == [
        (list, (4, 3, 2), (4,)),
        (list, (4, 3, 2), (4,)),
        (list, (2, 3, 2), (2,)),
    ]
    assert all(torch.equal(x_batch.sum(dim=(1, 2)), y_batch) for x_batch, y_batch in batches)
    assert sorted(label for _, y_batch in batches for label in y_batch.tolist()) == y.tolist()
    assert batches[0][0].device == device
    assert next(iter(DataLoader(TensorDataset(x, y), batch_size=None)))[0].shape == (3, 2)


def test_drop_last_can_drop_everything(device):
    """`DataLoader(data, batch_size=8, drop_last=True)` of 5 rows is empty: the loop runs zero times, silently.

    Without `drop_last` the 5 rows are one batch. A small validation set can vanish in this way.

    https://docs.pytorch.org/docs/stable/data.html
    """
    data = torch.arange(5, device=device)

    assert list(DataLoader(data, batch_size=8, drop_last=True)) == []
    assert [batch.tolist() for batch in DataLoader(data, batch_size=8)] == [[0, 1, 2, 3, 4]]


def test_sorted_rows_make_batches_of_one_class(device):
    """Without `shuffle=True` and without a sampler, a DataLoader makes batches of a single class of rows that are
    sorted by label, except for a batch in which a class ends and another begins.

    At a logit of 0, the gradient of the binary cross entropy of a batch of zeros pushes the bias down, and that of a
    batch of ones pushes the bias up as much.

    https://docs.pytorch.org/docs/stable/data.html
    """
    labels = torch.cat([torch.zeros(96), torch.ones(96)]).to(device)

    def pulls(shuffle):
        for targets in DataLoader(labels, batch_size=32, shuffle=shuffle):
            bias = torch.zeros(1, device=device, requires_grad=True)
            F.binary_cross_entropy_with_logits(bias.expand(32), targets).backward()
            yield bias.grad.item()

    assert list(pulls(shuffle=False)) == [0.5, 0.5, 0.5, -0.5, -0.5, -0.5]
    # The force is half the difference of the two shares. One class only in a shuffled batch: less than once in 10**9.
    shuffled = list(pulls(shuffle=True))
    assert sum(shuffled) == 0
    assert max(shuffled) < 0.5
    assert min(shuffled) > -0.5
    assert [batch.unique().tolist() for batch in DataLoader(labels, batch_size=64)] == [[0], [0, 1], [1]]


@pytest.mark.myth("x.view(batch_size, -1) makes one row for each sample")
def test_a_batch_size_that_is_written_out_fails_at_the_short_batch(device):
    """`x.view(32, -1)` of a short, contiguous last batch raises RuntimeError "shape '[32, -1]' is invalid for input of
    size", or cuts the samples up silently, if the sizes happen to fit.

    Eight samples of 12 numbers are 96 numbers, which are 32 rows of 3: four from each sample. So are 24 samples of 4
    numbers: then half of the rows mix two samples. Write `x.flatten(1)` or, here, `x.view(len(x), -1)`: each sample
    stays a row. The loss may notice: "Expected input batch_size (32) to match target batch_size (8)".

    https://docs.pytorch.org/docs/stable/generated/torch.flatten.html
    """
    full, last, fitting = (torch.zeros(rows, 3, 4, device=device) for rows in (32, 9, 8))

    assert full.view(32, -1).shape == full.flatten(1).shape == (32, 12)
    with pytest.raises(RuntimeError, match=r"shape '\[32, -1\]' is invalid for input of size 108"):
        last.view(32, -1)
    assert fitting.view(32, -1).shape == (32, 3)
    for rows, mixed in ((8, 0), (24, 16)):
        numbers = torch.arange(rows, device=device).repeat_interleave(96 // rows)  # the number of the sample
        cut = numbers.view(rows, -1).view(32, -1)
        assert (cut[:, 0] != cut[:, -1]).sum().item() == mixed
    for batch in (last, fitting):
        assert batch.flatten(1).shape == batch.view(len(batch), -1).shape == (len(batch), 12)
    with pytest.raises(ValueError, match=r"Expected input batch_size \(32\) to match target batch_size \(8\)"):
        F.cross_entropy(fitting.view(32, -1), torch.zeros(8, dtype=torch.int64, device=device))


def test_a_hidden_state_is_made_for_one_batch_size(device):
    """An LSTM or a GRU with a state for 32 sequences raises RuntimeError "Expected hidden[0] size" or "Expected hidden
    size" for a batch of any other size, such as the short last one.

    Leave the state out, and it starts at zeros of the right size, or make it from the batch: here, for one layer of
    size 4 with `batch_first=True`, `torch.zeros(1, x.shape[0], 4)`. The state has the batch second even with
    `batch_first=True`. `drop_last=True` avoids the short batch.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTM.html
    """
    last = torch.ones(9, 5, 3, device=device)  # 9 sequences of 5 steps
    state = torch.zeros(1, 32, 4, device=device)
    lstm, gru = nn.LSTM(3, 4, batch_first=True).to(device), nn.GRU(3, 4, batch_first=True).to(device)

    with pytest.raises(RuntimeError, match=r"Expected hidden\[0\] size \(1, 9, 4\), got \[1, 32, 4\]"):
        lstm(last, (state, state))
    with pytest.raises(RuntimeError, match=r"Expected hidden size \(1, 9, 4\), got \[1, 32, 4\]"):
        gru(last, state)

    right = torch.zeros(1, last.shape[0], 4, device=device)
    assert torch.equal(lstm(last)[0], lstm(last, (right, right))[0])
    assert torch.equal(gru(last)[0], gru(last, right)[0])


def test_pad_sequence_puts_time_first(device):
    """`nn.utils.rnn.pad_sequence` of two sequences of the lengths 3 and 1 gives shape (3, 2): time first, and the batch
    second, unless you pass `batch_first=True`.

    The short sequence is filled with 0, which may be a class or a word: pass `padding_value=-100` for targets that
    `CrossEntropyLoss` is to ignore. Only dimension 0 may differ: (2, 3) and (2, 2) raise RuntimeError, but (2, 1)
    after (2, 3) is broadcast silently. Call `pad_sequence` in the `collate_fn` of a DataLoader, which by default raises
    RuntimeError for sequences of two lengths.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.rnn.pad_sequence.html
    """
    long, short = torch.tensor([5, 6, 7], device=device), torch.tensor([8], device=device)
    pad = nn.utils.rnn.pad_sequence

    assert pad([long, short]).tolist() == [[5, 8], [6, 0], [7, 0]]
    assert pad([long, short], batch_first=True).tolist() == [[5, 6, 7], [8, 0, 0]]
    assert pad([long, short], batch_first=True, padding_value=-100).tolist() == [[5, 6, 7], [8, -100, -100]]
    matrix = torch.ones(2, 3, device=device)
    with pytest.raises(RuntimeError):
        pad([matrix, matrix[:, :2]])
    assert pad([matrix, 2 * matrix[:, :1]], batch_first=True).tolist() == [[[1, 1, 1]] * 2, [[2, 2, 2]] * 2]

    with pytest.raises(RuntimeError, match="stack expects each tensor to be equal size"):
        next(iter(DataLoader([long, short], batch_size=2)))
    (batch,) = DataLoader([long, short], batch_size=2, collate_fn=lambda rows: pad(rows, batch_first=True))
    assert batch.tolist() == [[5, 6, 7], [8, 0, 0]]


def test_packed_sequences_come_longest_first(device):
    """`pack_padded_sequence` with the lengths [2, 3] raises RuntimeError, "must be sorted in decreasing order when
    `enforce_sorted` is True": pass `enforce_sorted=False`.

    A length of 0 raises "Length of all samples has to be greater than 0". The lengths stay on the CPU: on another
    device they raise "'lengths' argument should be a 1D CPU int64 tensor". `pad_packed_sequence` gives back as many
    steps as the longest sequence has; pass `total_length=` for a fixed number.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.rnn.pack_padded_sequence.html
    """
    pack, unpack = nn.utils.rnn.pack_padded_sequence, nn.utils.rnn.pad_packed_sequence
    batch = torch.arange(10.0, device=device).reshape(2, 5, 1)
    lengths = torch.tensor([2, 3])

    with pytest.raises(RuntimeError, match="must be sorted in decreasing order when `enforce_sorted` is True"):
        pack(batch, lengths, batch_first=True)
    with pytest.raises(RuntimeError, match="Length of all samples has to be greater than 0"):
        pack(batch, torch.tensor([2, 0]), batch_first=True)
    with pytest.raises(RuntimeError, match="'lengths' argument should be a 1D CPU int64 tensor"):
        pack(batch, torch.tensor([3, 2], device="meta"), batch_first=True)

    packed = pack(batch, lengths, batch_first=True, enforce_sorted=False)
    back, counted = unpack(packed, batch_first=True)
    assert back[:, :, 0].tolist() == [[0, 1, 0], [5, 6, 7]]
    assert counted.tolist() == [2, 3]
    assert unpack(packed, batch_first=True, total_length=5)[0].shape == batch.shape


# What a batch's loss says about all rows


@pytest.mark.myth("the loss of an epoch is the sum of the batch losses divided by the number of batches")
def test_the_mean_of_batch_means_is_not_the_mean(device):
    """If the last batch is short and a loss is the mean of its rows, the mean of the batch losses gives the rows of the
    last batch too much weight.

    Sum `loss.item() * len(y)` and divide by the number of rows. If `ignore_index` leaves rows out of a loss without
    class weights, the mean is over the other rows: weight by their number.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.L1Loss.html
    """
    errors = torch.tensor([1.0, 1, 1, 1, 6], device=device)
    batches = errors.split(4)
    means = [F.l1_loss(batch, torch.zeros_like(batch)).item() for batch in batches]

    assert means == [1, 6]
    assert sum(means) / len(batches) == 3.5
    assert sum(mean * len(batch) for mean, batch in zip(means, batches, strict=True)) / 5 == 2
    assert errors.mean().item() == 2
    two_rows = torch.tensor([[-6.0], [-2.0]], device=device)
    assert F.nll_loss(two_rows, torch.tensor([0, -100], device=device), ignore_index=-100).item() == 6


ERRORS = st.lists(st.integers(-1000, 1000).map(float), min_size=1, max_size=12)


@given(errors=ERRORS, batch_size=st.integers(1, 13))
@example(errors=[1.0, 1.0, 1.0, 1.0, 6.0], batch_size=4)
def test_batch_means_weighted_by_size_for_every_batch_size(device, rounding_bound, errors, batch_size):
    """Mean squared errors of batches, weighted by the sizes of the batches, give the error of all rows up to rounding,
    for every batch size.

    The same goes for another loss that is the sum of a number for each row, divided by the number of rows. With class
    weights or `ignore_index` the mean of `cross_entropy` can divide by another number.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.MSELoss.html
    """
    errors = torch.tensor(errors, device=device)
    batches = errors.split(batch_size)
    total = sum(F.mse_loss(batch, torch.zeros_like(batch)).item() * len(batch) for batch in batches)

    expected = errors.cpu().double().square().mean().item()
    # All terms are positive; a batch's mean rounds a square, a sum and a quotient of its rows.
    bound = rounding_bound(len(errors) + 2, torch.float32) * expected
    assert total / len(errors) == pytest.approx(expected, rel=0, abs=bound)
    logits, classes = torch.tensor([[-6.0, 0.0], [-2.0, 0.0]], device=device), torch.tensor([0, 1], device=device)
    sum_and_mean = [F.nll_loss(logits, classes, ignore_index=1, reduction=way).item() for way in ("sum", "mean")]
    assert sum_and_mean == [6, 6]


# What a batch's gradient says about all rows


def gradient(x, y, reduction="mean"):
    """The gradient of the squared error of the line w * x, at w = 1."""
    w = torch.ones((), device=x.device, requires_grad=True)
    return torch.autograd.grad(nn.MSELoss(reduction=reduction)(w * x, y), w)[0].item()


def test_the_mean_of_minibatch_gradients_is_the_full_gradient(device):
    """For a model that treats each row by itself, without dropout, the mean of the MSE gradients of equally large
    minibatches, at the same parameters, is the gradient of all their rows, up to rounding.

    If the rows are shuffled, a minibatch gradient is wrong by chance only, and right on average. With BatchNorm in
    training it is not: see the note on its small batches below.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.MSELoss.html
    """
    x = torch.tensor([1.0, 2, 3, -1, 4, 0, -2, 5], device=device)
    y = torch.tensor([0.0, 5, 1, 2, 4, 3, 6, -3], device=device)
    gradients = [gradient(*batch) for batch in zip(x.split(2), y.split(2), strict=True)]

    assert gradients == [-5, 9, 0, 56]
    assert gradient(x, y) == sum(gradients) / 4 == 15


ROWS = st.lists(st.tuples(st.integers(-50, 50), st.integers(-50, 50)), min_size=1, max_size=12)


@given(rows=ROWS, batch_size=st.integers(1, 13))
def test_minibatch_gradients_weighted_by_size_for_every_batch_size(device, rounding_bound, rows, batch_size):
    """For a model that treats each row by itself, without dropout, MSE gradients of minibatches, weighted by the sizes
    of the batches, give the gradient of all rows up to rounding, for every batch size.

    Plain averaging gives the rows of a short last batch too much weight.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.MSELoss.html
    """
    x, y = torch.tensor(rows, dtype=torch.float32, device=device).unbind(dim=1)
    batches = list(zip(x.split(batch_size), y.split(batch_size), strict=True))
    weighted = sum(gradient(*batch) * len(batch[0]) for batch in batches) / len(rows)

    terms = [2 * feature * (feature - label) / len(rows) for feature, label in rows]  # exact but for the division
    bound = rounding_bound(len(rows) + 5, torch.float32) * sum(map(abs, terms))
    assert gradient(x, y) == pytest.approx(sum(terms), rel=0, abs=bound)
    assert weighted == pytest.approx(sum(terms), rel=0, abs=bound)
    ones, labels = torch.ones(3, device=device), torch.tensor([0.0, 0.0, 3.0], device=device)
    assert [gradient(ones[:2], labels[:2]), gradient(ones[2:], labels[2:]), gradient(ones, labels)] == [2, -4, 0]


def test_a_summed_loss_makes_steps_grow_with_the_batch(device):
    """For the squared error of a line `w * x`, each row twice makes twice the gradient with `reduction="sum"`; with the
    default, `reduction="mean"`, the gradient stays the same, up to rounding.

    With a summed loss you have to make the learning rate of plain SGD smaller for a larger batch, only to keep the step
    size.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.MSELoss.html
    """
    x = torch.tensor([1.0, 2, 3, -1], device=device)
    y = torch.tensor([0.0, 5, 1, 3], device=device)
    once, twice = (x, y), (x.repeat(2), y.repeat(2))

    assert [gradient(*rows) for rows in (once, twice)] == [2.5, 2.5]
    assert [gradient(*rows, reduction="sum") for rows in (once, twice)] == [10, 20]


def gradients_of_batches(x, y, rows, loss_fn):
    """The gradient of each batch by itself, at w = 1: one row of `rows` has the row numbers of one batch."""
    w = torch.ones(len(rows), 1, device=x.device, requires_grad=True)
    loss_fn(w * x[rows], y[rows], reduction="none").mean(dim=1).sum().backward()
    return w.grad.squeeze(1)


def test_the_noise_of_a_gradient_falls_as_one_over_b(device):
    """For a model that treats each row by itself, without dropout, the variance of the gradient of the mean loss of B
    rows is that of a single row divided by B, if the rows are drawn with replacement.

    Four times the rows halve the noise, for four times the work. In a shuffled epoch no row comes twice, and the
    variance is smaller by the factor (N - B) / (N - 1): it is 0 if the batch is all N rows.

    https://docs.pytorch.org/docs/stable/optim.html
    """
    x = torch.tensor([1.0, 2, 3, -1], device=device)
    y = torch.tensor([0.0, 5, 1, 2], device=device)

    def variance(batches):
        rows = torch.tensor(list(batches), device=device)
        return pvariance(map(Fraction, gradients_of_batches(x, y, rows, F.mse_loss).tolist()))

    single = variance(combinations(range(4), 1))
    assert single == 78
    assert [variance(product(range(4), repeat=size)) for size in (2, 4)] == [single / 2, single / 4]
    assert [variance(combinations(range(4), size)) for size in (2, 4)] == [single / 2 * Fraction(2, 3), 0]


@pytest.mark.parametrize("batch_size", [1, 4, 16, 64])
def test_the_noise_of_a_gradient_on_real_data(cancer, device, batch_size):
    """In a thousand random batches of real data the variance of the gradient is about that of single rows divided by
    the batch size.

    The variance of a thousand draws is itself off by chance: the note allows six standard errors.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html
    """
    x, y = cancer[0][:, 0].to(device), cancer[1].to(device)
    rows = torch.randint(512, (1000, batch_size)).to(device)
    found = gradients_of_batches(x, y, rows, F.binary_cross_entropy_with_logits).cpu().double().var().item()

    single = gradients_of_batches(x, y, torch.arange(512, device=device)[:, None], F.binary_cross_entropy_with_logits)
    deviations = single.cpu().double() - single.cpu().double().mean()
    variance = deviations.square().mean().item()
    kurtosis = 3 + (deviations.pow(4).mean().item() / variance**2 - 3) / batch_size
    standard_error = ((kurtosis - 1) / 1000) ** 0.5  # of a variance of 1000 draws, relative to that variance
    assert found == pytest.approx(variance / batch_size, rel=6 * standard_error)


# The batch size and the training


def trained_loss(data, device, batch_size, lr, epochs=1):
    """The loss over all rows of a linear model after training; the same start and the same shuffling every time."""
    x, y = (tensor.to(device) for tensor in data)
    torch.manual_seed(torch.initial_seed())
    model = nn.Linear(30, 1).to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).to(device).split(batch_size):  # what a DataLoader does, but quicker
            optimizer.zero_grad()
            F.binary_cross_entropy_with_logits(model(x[rows]).squeeze(1), y[rows]).backward()
            optimizer.step()
    with torch.inference_mode():
        return F.binary_cross_entropy_with_logits(model(x).squeeze(1), y).item()


def test_small_batches_get_further_in_an_epoch(cancer, device):
    """After one epoch of this linear classifier from a random start, at a learning rate of 0.02, the loss is lower with
    batches of 32 than of 128, and lower with 128 than with 512.

    An epoch of 512 rows is 16 steps of 32 rows, 4 of 128, and 1 of 512. With a large rate it can be the other way
    round: at a rate of 32, batches of 64 rows end lower here than batches of 4.

    https://docs.pytorch.org/docs/stable/optim.html
    """
    losses = [trained_loss(cancer, device, batch_size, lr=0.02) for batch_size in (512, 128, 32)]

    assert losses[0] > losses[1] > losses[2]
    assert trained_loss(cancer, device, batch_size=64, lr=32) < trained_loss(cancer, device, batch_size=4, lr=32)


@pytest.mark.advice(
    "Priya Goyal and others, Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour, 2017: the linear scaling rule"
)
def test_a_larger_rate_makes_up_for_fewer_steps(cancer, device):
    """Four times the learning rate for four times the batch size closes more than half of the gap in the loss of this
    linear classifier after an epoch.

    Four small steps go about as far as one step with four times the rate, as long as the gradient changes little on
    the way.

    https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html
    """
    small = trained_loss(cancer, device, batch_size=32, lr=0.02)
    large = trained_loss(cancer, device, batch_size=128, lr=0.02)
    scaled = trained_loss(cancer, device, batch_size=128, lr=0.02 * 4)

    assert abs(scaled - small) < (large - small) / 2


@pytest.mark.myth("twice the batch size, twice the learning rate, always")
def test_a_scaled_rate_can_be_too_large(device):
    """For the loss `w**2 / 2` plain SGD with a learning rate of 2 jumps back and forth, and with a rate of 4 it moves
    away from the minimum, however large the batch is.

    A step multiplies w by 1 - lr. A loss that is curved at its minimum has such a limit, and a rate that grows with the
    batch size reaches it. The loss `F.softplus(-w)` of a number w, which falls for ever, has none.

    https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html
    """
    ends = {}
    for batch_size, lr in ((1, 0.5), (2, 1), (4, 2), (8, 4)):
        w = nn.Parameter(torch.tensor(1.0, device=device))
        optimizer = torch.optim.SGD([w], lr=lr)
        for batch in torch.zeros(8, device=device).split(batch_size):
            optimizer.zero_grad()
            ((w - batch) ** 2 / 2).mean().backward()
            optimizer.step()
        ends[batch_size] = w.item()

    assert ends == {1: 2**-8, 2: 0, 4: 1, 8: -3}
    w = nn.Parameter(torch.tensor(0.0, device=device))
    F.softplus(-w).backward()
    torch.optim.SGD([w], lr=10_000).step()
    assert F.softplus(-w).item() == 0


@pytest.mark.advice(
    "Dominic Masters and Carlo Luschi, Revisiting Small Batch Training for Deep Neural Networks, 2018; "
    'Yann LeCun, on Twitter, April 2018: "Friends dont let friends use minibatches larger than 32."'
)
def test_32_is_advice_and_not_a_law(cancer, device):
    """After one epoch of this linear classifier batches of 32 give a lower loss than batches of 256, and after as many
    steps the difference is less than a tenth of that.

    So 32 is no border here. The advice is also about results on new rows, which this note does not show. What a step of
    256 rows costs, next to a step of 32, depends on the machine.

    https://docs.pytorch.org/docs/stable/optim.html
    """
    small = trained_loss(cancer, device, batch_size=32, lr=0.02)
    same_epochs = trained_loss(cancer, device, batch_size=256, lr=0.02)
    same_steps = trained_loss(cancer, device, batch_size=256, lr=0.02, epochs=8)

    assert small < same_epochs
    assert abs(same_steps - small) < (same_epochs - small) / 10


# A large batch in small pieces


def test_accumulated_small_batches_equal_a_large_one(device):
    """The MSE gradients of a Linear layer for 2 equally large batches add up, but for rounding, to that of one large
    batch if you divide each loss by 2 before `backward`.

    Without the division they add up to twice as much. Call `optimizer.step()` and `zero_grad()` after every second
    batch only.

    https://docs.pytorch.org/docs/stable/notes/amp_examples.html
    """
    x = torch.tensor([[1.0, 2], [3, -1], [0, 4], [2, 2]], device=device)
    y = torch.tensor([[0.0], [5], [1], [2]], device=device)
    model = nn.Linear(2, 1).to(device)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[1.0, -2]]))
        model.bias.fill_(3)
    gradients = {}
    for name, batches, divisor in (("one", 1, 1), ("divided", 2, 2), ("undivided", 2, 1)):
        model.zero_grad()
        for x_batch, y_batch in zip(x.chunk(batches), y.chunk(batches), strict=True):
            (F.mse_loss(model(x_batch), y_batch) / divisor).backward()
        gradients[name] = model.weight.grad.tolist() + [model.bias.grad.tolist()]

    assert gradients["one"] == [[3.5, -14.5], [-2]]
    assert gradients["divided"] == gradients["one"]
    assert gradients["undivided"] == [[7, -29], [-4]]


@pytest.mark.parametrize("flush", [False, True])
def test_what_is_left_of_an_accumulation_waits_for_the_next_epoch(device, flush):
    """With `if (i + 1) % 4 == 0: optimizer.step(); optimizer.zero_grad()` the gradient of the last 2 of 6 batches makes
    no step of its own, and is added to that of the first 4 batches of the next epoch.

    A `zero_grad()` at the start of an epoch throws it away instead. Write `if (i + 1) % 4 == 0 or i + 1 ==
    len(loader):`, and divide the losses of the last group by its own size.

    https://docs.pytorch.org/docs/stable/notes/amp_examples.html
    """
    weight = nn.Parameter(torch.zeros(1, device=device))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    steps = []
    for _ in range(2):
        for i in range(6):
            weight.sum().backward()  # a gradient of 1 from each batch
            if (i + 1) % 4 == 0 or (flush and i + 1 == 6):
                steps.append(weight.grad.item())
                optimizer.step()
                optimizer.zero_grad()

    assert steps == ([4, 2, 4, 2] if flush else [4, 2 + 4])
    left = 0 if weight.grad is None else weight.grad.item()
    assert left == (0 if flush else 2)


def test_a_running_total_of_losses_cannot_be_differentiated_again(device):
    """`total = total + loss` and `total.backward()` in each batch raises RuntimeError "Trying to backward through the
    graph a second time" at the second batch, if the graph of the first loss saved values.

    The total leads back into the graphs of the batches before, which `backward()` has freed. Call `loss.backward()` for
    each batch and add numbers, `total += loss.item()`; or add tensors, and call `total.backward()` once, which holds
    the graphs of all batches in memory until then.

    https://docs.pytorch.org/docs/stable/notes/faq.html
    """
    weight = nn.Parameter(torch.tensor(3.0, device=device))
    losses = [lambda x=x: (weight * x) ** 2 for x in (1.0, 2.0)]

    total = losses[0]()
    total.backward()
    total = total + losses[1]()
    with pytest.raises(RuntimeError, match="Trying to backward through the graph a second time"):
        total.backward()

    weight.grad, number = None, 0
    for loss in (compute() for compute in losses):
        loss.backward()
        number += loss.item()
    assert (number, weight.grad.item()) == (9 + 36, 6 + 24)
    weight.grad = None
    total = sum(compute() for compute in losses)
    total.backward()
    assert (total.item(), weight.grad.item()) == (9 + 36, 6 + 24)


@given(sizes=st.lists(st.integers(1, 5), min_size=1, max_size=5))
def test_accumulation_weighted_by_size_for_every_split(device, rounding_bound, sizes):
    """Accumulated MSE gradients of batches of any sizes are that of all rows, up to rounding, if each loss is weighted
    by its share of the rows and the model treats each row by itself, without dropout.

    With a short last batch, dividing by the number of batches gives its rows too much weight. For a loss with
    `ignore_index` or with class weights the share of the rows can be wrong too: see the next two notes.

    https://docs.pytorch.org/docs/stable/notes/amp_examples.html
    """
    x = torch.arange(1.0, sum(sizes) + 1).remainder(7).to(device)
    y = torch.arange(1.0, sum(sizes) + 1).remainder(5).to(device)
    w = torch.ones((), device=device, requires_grad=True)
    for x_batch, y_batch in zip(x.split(sizes), y.split(sizes), strict=True):
        (F.mse_loss(w * x_batch, y_batch) * len(x_batch) / len(x)).backward()

    terms = (2 * x * (x - y)).cpu().double() / len(x)
    bound = rounding_bound(len(x) + 8, torch.float32) * terms.abs().sum().item()
    assert w.grad.item() == pytest.approx(terms.sum().item(), rel=0, abs=bound)
    ones, labels = torch.ones(3, device=device), torch.tensor([0.0, 0.0, 3.0], device=device)
    w.grad = None
    for x_batch, y_batch in zip(ones.split(2), labels.split(2), strict=True):
        (F.mse_loss(w * x_batch, y_batch) / 2).backward()
    assert w.grad.item() == (2 - 4) / 2  # and 0 is that of all rows


@pytest.mark.myth("Divide the loss of each accumulated batch by the number of batches")
def test_accumulation_with_ignored_targets_divides_by_the_targets_that_count(device, rounding_bound):
    """To accumulate a cross entropy with `ignore_index` and without class weights, add up `reduction="sum"` losses
    divided by the number of targets that are not ignored in all batches together.

    The mean loss of a batch divides by its own number of such targets. Dividing by the number of batches therefore
    weights the targets wrongly, unless each batch has equally many.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
    """
    logits = torch.tensor([[2.0, 0, 0], [0, 1, 0], [0, 0, 3], [1, 1, 0]], device=device, requires_grad=True)
    targets = torch.tensor([0, -100, 1, 2], device=device)
    batches = [slice(0, 2), slice(2, 4)]

    full = F.cross_entropy(logits, targets, ignore_index=-100)
    means = [F.cross_entropy(logits[rows], targets[rows]).item() for rows in batches]
    for rows in batches:
        (F.cross_entropy(logits[rows], targets[rows], reduction="sum") / 3).backward()

    (expected,) = torch.autograd.grad(full, logits)
    near = {"rel": 0, "abs": rounding_bound(64, torch.float32) * 4}
    torch.testing.assert_close(logits.grad, expected, rtol=0, atol=near["abs"])
    assert full.item() == pytest.approx((means[0] + 2 * means[1]) / 3, **near)
    assert abs(sum(means) / 2 - full.item()) > 0.3
    weighted = {"weight": torch.tensor([1.0, 2.0, 5.0], device=device), "ignore_index": -100}
    total = F.cross_entropy(logits, targets, reduction="sum", **weighted).item()
    assert abs(F.cross_entropy(logits, targets, **weighted).item() - total / 3) > 0.3


def test_accumulation_with_class_weights_divides_by_the_weights(device, rounding_bound):
    """The mean of a cross entropy with class weights divides by the weights of the targets if these are class numbers,
    so accumulate it with the share of the weights and not of the rows.

    Two batches of two rows each are not halves of the loss if their targets weigh 3 and 7. If the targets are
    probabilities of shape (rows, classes), the mean divides by the number of rows, with class weights too.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
    """
    logits = torch.tensor([[2.0, 0, 0], [0, 1, 0], [0, 0, 3], [1, 1, 0]], device=device)
    targets = torch.tensor([0, 1, 1, 2], device=device)
    weight = torch.tensor([1.0, 2.0, 5.0], device=device)

    full = F.cross_entropy(logits, targets, weight=weight).item()
    first, second = (F.cross_entropy(logits[rows], targets[rows], weight=weight).item() for rows in ([0, 1], [2, 3]))

    near = {"rel": 0, "abs": rounding_bound(64, torch.float32) * 4}
    assert [weight[targets[:2]].sum().item(), weight[targets[2:]].sum().item()] == [3, 7]
    assert 0.3 * first + 0.7 * second == pytest.approx(full, **near)
    assert abs(0.5 * first + 0.5 * second - full) > 0.3
    shares = F.one_hot(targets, 3).float()
    total = F.cross_entropy(logits, shares, weight=weight, reduction="sum").item()
    assert F.cross_entropy(logits, shares, weight=weight).item() == pytest.approx(total / 4, **near)


@pytest.mark.holds("torch>=2.6", otherwise=AttributeError, change="new", concerns="torch.nn.utils.get_total_norm")
def test_the_length_of_a_gradient_without_clipping(device, rounding_bound):
    """From torch 2.6 on `nn.utils.get_total_norm` returns the norm of all gradients that you give it and leaves them
    alone; `clip_grad_norm_` takes the parameters, and scales their gradients down if the norm is above `max_norm`.

    `clip_grad_norm_` returns the norm before clipping, and with `max_norm=float("inf")` it clips nothing if the norm is
    finite, which works before 2.6 too. Two gradients of 1e30 in float32 have a norm of inf, and all become nan then.
    Call it after the last accumulated batch, before `optimizer.step()`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.get_total_norm.html
    """
    parameters = [nn.Parameter(torch.zeros(1, device=device)), nn.Parameter(torch.zeros(2, device=device))]
    parameters[0].grad = torch.tensor([3.0], device=device)
    parameters[1].grad = torch.tensor([4.0, -12.0], device=device)

    length = nn.utils.get_total_norm(parameter.grad for parameter in parameters)
    kept = [parameter.grad.tolist() for parameter in parameters]
    clipped_from = nn.utils.clip_grad_norm_(parameters, max_norm=6.5)
    clipped_to = nn.utils.get_total_norm([parameter.grad for parameter in parameters])

    near = {"rel": rounding_bound(16, torch.float32), "abs": 0}
    assert [length.item(), clipped_from.item()] == pytest.approx([13, 13], **near)
    assert kept == [[3], [4, -12]]
    assert clipped_to.item() == pytest.approx(6.5 * 13 / (13 + 1e-6), **near)  # it divides by the length plus 1e-6
    untouched = nn.utils.clip_grad_norm_(parameters, max_norm=float("inf"))
    assert untouched.item() == clipped_to.item() == nn.utils.get_total_norm([p.grad for p in parameters]).item()
    parameters[1].grad.fill_(1e30)
    assert nn.utils.clip_grad_norm_(parameters, max_norm=float("inf")).item() == float("inf")
    assert [parameter.grad.isnan().tolist() for parameter in parameters] == [[True], [True, True]]


@pytest.mark.myth("get_total_norm wants model.parameters(), as clip_grad_norm_ does")
@pytest.mark.holds("torch>=2.6", otherwise=AttributeError, change="new")
def test_get_total_norm_of_parameters_is_that_of_the_weights(device):
    """From torch 2.6 on `nn.utils.get_total_norm(model.parameters())` returns the norm of the weights, and not of their
    gradients.

    Nothing complains. Write `get_total_norm([p.grad for p in model.parameters() if p.grad is not None])`: None, the
    gradient of a frozen layer, raises AttributeError if it comes first in the list, and RuntimeError if it comes later.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.get_total_norm.html
    """
    weight = nn.Parameter(torch.tensor([3.0, 4.0], device=device))
    frozen = nn.Parameter(torch.tensor([12.0], device=device), requires_grad=False)
    (weight * torch.tensor([0.0, 8.0], device=device)).sum().backward()

    assert round(nn.utils.get_total_norm([weight, frozen]).item(), 3) == 13
    assert round(nn.utils.clip_grad_norm_([weight, frozen], max_norm=100).item(), 3) == 8
    assert round(nn.utils.get_total_norm([weight.grad]).item(), 3) == 8
    with pytest.raises(RuntimeError, match="defined"):
        nn.utils.get_total_norm([weight.grad, frozen.grad])
    with pytest.raises(AttributeError, match="NoneType"):
        nn.utils.get_total_norm([frozen.grad, weight.grad])


def test_clipping_by_value_turns_a_gradient(device, rounding_bound):
    """`clip_grad_value_` cuts each number of a gradient to the range from -clip_value to clip_value by itself, which
    can turn the gradient; `clip_grad_norm_` scales all numbers by one factor.

    Both change `.grad`: call them after `backward()` and before `optimizer.step()`. After the step they come too late.
    A negative `max_norm` turns all gradients round silently. `clip_grad_norm`, without the underscore, is deprecated
    and warns.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.clip_grad_value_.html
    """
    weight = nn.Parameter(torch.zeros(2, device=device))

    def after(clip, *limits):
        weight.grad = torch.tensor([3.0, -0.5], device=device)
        clip([weight], *limits)
        return weight.grad.tolist()

    near = {"rel": rounding_bound(16, torch.float32) + 1e-6, "abs": 0}  # it divides by the length plus 1e-6
    factor = 2 / math.hypot(3, 0.5)
    assert after(nn.utils.clip_grad_value_, 2.0) == [2, -0.5]
    assert after(nn.utils.clip_grad_norm_, 2.0) == pytest.approx([3 * factor, -0.5 * factor], **near)
    assert after(nn.utils.clip_grad_norm_, -2.0) == pytest.approx([-3 * factor, 0.5 * factor], **near)
    with pytest.warns((FutureWarning, UserWarning), match="clip_grad_norm.* is now deprecated"):
        assert after(nn.utils.clip_grad_norm, 2.0) == pytest.approx([3 * factor, -0.5 * factor], **near)
    for clip_first, expected in ((True, [-2, 0.5]), (False, [-3, 0.5])):
        weight.data.zero_()
        weight.grad = torch.tensor([3.0, -0.5], device=device)
        calls = [lambda: nn.utils.clip_grad_value_([weight], 2.0), torch.optim.SGD([weight], lr=1.0).step]
        for call in calls if clip_first else calls[::-1]:
            call()
        assert weight.tolist() == expected


@pytest.mark.holds("torch>=2.8", otherwise=AssertionError, change="warns", concerns="torch.nn.utils.clip_grad_norm_?")
def test_a_generator_that_was_used_up_clips_nothing(device):
    """From torch 2.8 on `clip_grad_norm_` warns "`parameters` is an empty generator, no gradient clipping will occur"
    if it gets a generator, such as `model.parameters()`, that a loop has used up before.

    It returns a norm of 0 and leaves the gradients alone, which older releases do silently. A generator can be walked
    through once: call `model.parameters()` anew each time, or keep `list(model.parameters())`. `clip_grad_value_` of
    such a generator raises RuntimeError from torch 2.1 on. With an empty list `clip_grad_norm_` does not warn.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.clip_grad_norm_.html
    """
    model = nn.Linear(1, 1, bias=False).to(device)
    model(torch.full((1, 1), 100.0, device=device)).backward()
    parameters = model.parameters()
    assert sum(parameter.numel() for parameter in parameters) == 1

    with pytest.warns(UserWarning, match="`parameters` is an empty generator, no gradient clipping will occur"):
        norm = nn.utils.clip_grad_norm_(parameters, max_norm=1.0)

    assert (norm.item(), model.weight.grad.item()) == (0, 100)
    with pytest.raises(RuntimeError, match="Expected"):
        nn.utils.clip_grad_value_(parameters, 1.0)
    assert nn.utils.clip_grad_norm_([], max_norm=1.0).item() == 0
    assert nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0).item() == 100
    assert round(model.weight.grad.item(), 5) == 1


@pytest.mark.myth('clip_grad_norm_ with max_norm=float("inf") changes nothing')
def test_clipping_spreads_an_infinite_gradient(device):
    """`clip_grad_norm_` with `max_norm=float("inf")`, by the default norm, makes every gradient nan if a single one is
    inf.

    With a finite `max_norm` the inf becomes nan and the other gradients 0. One step of SGD or Adam then makes weights
    nan (Rprop leaves these weights alone): pass `error_if_nonfinite=True` to have RuntimeError instead, or look at the
    returned norm before `optimizer.step()`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.clip_grad_norm_.html
    """

    def clip(max_norm, **options):
        weights = nn.Parameter(torch.zeros(2, device=device)), nn.Parameter(torch.zeros(1, device=device))
        weights[0].grad = torch.tensor([float("inf"), 1.0], device=device)
        weights[1].grad = torch.tensor([3.0], device=device)
        norm = nn.utils.clip_grad_norm_(weights, max_norm, **options)
        return [repr(number) for number in (norm.item(), *weights[0].grad.tolist(), *weights[1].grad.tolist())]

    assert clip(max_norm=float("inf")) == ["inf", "nan", "nan", "nan"]
    assert clip(max_norm=5.0) == ["inf", "nan", "0.0", "0.0"]
    with pytest.raises(RuntimeError, match="non-finite"):
        clip(max_norm=5.0, error_if_nonfinite=True)

    def after_a_step(optimizer):
        weight = nn.Parameter(torch.zeros(1, device=device))
        weight.grad = torch.tensor([float("nan")], device=device)
        optimizer([weight], lr=0.1).step()
        return repr(weight.item())

    assert [after_a_step(torch.optim.SGD), after_a_step(torch.optim.Adam)] == ["nan", "nan"]
    assert after_a_step(torch.optim.Rprop) == "0.0"


# What a large batch costs


def memory_counters(accelerator):
    """Functions that count bytes here: of tensors, and of what torch took from the driver to put tensors in."""
    gc.collect()  # what lies in reference cycles is given back now, and not while something is counted
    if accelerator.type == "mps":
        return torch.mps.current_allocated_memory, torch.mps.driver_allocated_memory
    module = getattr(torch, accelerator.type)
    return partial(module.memory_allocated, accelerator), partial(module.memory_reserved, accelerator)


def test_a_tensor_counts_while_it_lives(accelerator):
    """`torch.cuda.memory_allocated()` counts a tensor until nothing refers to its data any more, and a view of one row
    keeps all of the tensor.

    On MPS the counter is `torch.mps.current_allocated_memory()`. A loss that is kept for a plot without `backward()`
    keeps its graph, as the next note shows: append `loss.item()`.

    https://docs.pytorch.org/docs/stable/generated/torch.cuda.memory.memory_allocated.html
    """
    allocated, _ = memory_counters(accelerator)
    counts = [allocated()]

    tensor = torch.empty(250, 1000, device=accelerator)
    counts.append(allocated())
    view = tensor[:1]
    counts.append(allocated())
    del tensor
    counts.append(allocated())
    del view
    counts.append(allocated())

    assert counts[1] - counts[0] >= 250 * 1000 * 4
    assert counts == [counts[0], counts[1], counts[1], counts[1], counts[0]]


@pytest.mark.filterwarnings("ignore:Using backward.. with create_graph=True:UserWarning")
def test_backward_frees_what_the_graph_saved(device):
    """A loss keeps the tensors that its graph saved for `backward()`, until `backward()` has run: then a loss that you
    keep holds them no more.

    A list of losses of an evaluation without `no_grad` holds what was saved for every batch, and the list of a training
    loop does not, unless you pass `retain_graph=True` or `create_graph=True`. Append `loss.item()` in both.

    https://docs.pytorch.org/docs/stable/notes/faq.html
    """

    class Saved:
        def __init__(self, tensor):
            self.tensor = tensor

    def held(after):
        boxes = weakref.WeakSet()

        def pack(tensor):
            boxes.add(box := Saved(tensor))
            return box

        weight = torch.ones(1, device=device, requires_grad=True)
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda box: box.tensor):
            loss = (torch.ones(1000, device=device) * weight).exp().sum()
        after(loss)
        return len(boxes) > 0 and loss.requires_grad

    assert held(after=lambda loss: loss.item())
    assert not held(after=lambda loss: loss.backward())
    assert held(after=lambda loss: loss.backward(retain_graph=True))
    assert held(after=lambda loss: loss.backward(create_graph=True))


@pytest.mark.only("cuda", "xpu", because="blocks of 512 bytes are CUDA's and XPU's: Metal chooses their size on MPS")
def test_cuda_memory_comes_in_blocks_of_512_bytes(accelerator):
    """torch's allocator for CUDA rounds the memory of a small tensor up to a multiple of 512 bytes: a tensor of one
    number takes 512 bytes.

    A thousand losses that are kept as tensors take half a megabyte, and their graphs much more if `backward()` does not
    run. XPU rounds to 512 bytes as well.

    https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-memory-management
    """
    allocated, _ = memory_counters(accelerator)
    blocks = {}
    for size in (0, 1, 512, 513, 100_000):
        before = allocated()
        tensor = torch.empty(size, dtype=torch.uint8, device=accelerator)
        blocks[size] = (allocated() - before) / 512
        del tensor

    assert blocks == {0: 0, 1: 1, 512: 1, 513: 2, 100_000: 196}


@pytest.mark.myth("del gives the memory of a tensor back to other programs")
def test_deleted_tensors_leave_their_memory_reserved(accelerator):
    """The memory of a large deleted tensor, here 32 MiB, stays reserved for the next tensors of this process, and
    `torch.cuda.empty_cache()` gives it back to the driver.

    A monitor such as nvidia-smi counts all reserved memory. `empty_cache()` is for other programs: torch reuses what it
    has reserved by itself, and gives it back before it raises for lack of memory. It can help if the reserved memory is
    in pieces that are too small (fragmentation). Small tensors share a piece, which stays reserved while one of them
    lives.

    https://docs.pytorch.org/docs/stable/generated/torch.cuda.memory.empty_cache.html
    """
    empty_cache = getattr(torch, accelerator.type).empty_cache
    allocated, reserved = memory_counters(accelerator)
    empty_cache()
    counts = {"before": (allocated(), reserved())}
    size = 32 * 2**20  # too large for the gaps between other tensors

    tensor = torch.empty(size, dtype=torch.uint8, device=accelerator)
    counts["made"] = allocated(), reserved()
    del tensor
    counts["deleted"] = allocated(), reserved()
    another = torch.empty(size, dtype=torch.uint8, device=accelerator)
    counts["another"] = allocated(), reserved()
    del another
    empty_cache()
    counts["emptied"] = allocated(), reserved()

    assert all(in_tensors <= in_all for in_tensors, in_all in counts.values())
    assert counts["made"][0] - counts["before"][0] >= size
    assert counts["made"][1] - counts["before"][1] >= size
    assert counts["deleted"] == (counts["before"][0], counts["made"][1])
    assert counts["another"] == counts["made"]
    assert counts["emptied"][0] == counts["before"][0]
    assert counts["deleted"][1] - counts["emptied"][1] >= size


@pytest.mark.only("cuda", "xpu", because="a counter of the peak is CUDA's and XPU's: MPS has none")
def test_peak_memory_grows_in_proportion_to_the_batch(accelerator):
    """In a forward pass of 10 Sigmoid layers with gradients the peak memory is 10 outputs of the whole batch, and under
    `no_grad` it is 2.

    Twice the rows take twice that memory; CUDA counts an output of 40 bytes as 512, and rounds others up to a multiple
    of it. Parameters, gradients and the state of the optimizer do not grow with the batch.
    `torch.cuda.max_memory_allocated()` is the peak since `reset_peak_memory_stats()`.

    https://docs.pytorch.org/docs/stable/generated/torch.cuda.memory.max_memory_allocated.html
    """
    module = getattr(torch, accelerator.type)
    allocated, _ = memory_counters(accelerator)
    model = nn.Sequential(*[nn.Sigmoid() for _ in range(10)])  # layers without weights, each of which keeps its output

    peaks = {}
    for autograd in (torch.enable_grad, torch.no_grad):
        for batch_size in (32, 64, 128):
            x = torch.zeros(batch_size, 1024, device=accelerator, requires_grad=True)
            before = allocated()
            module.reset_peak_memory_stats(accelerator)
            with autograd():
                model(x)
            peaks[autograd.__name__, batch_size] = module.max_memory_allocated(accelerator) - before

    row = 1024 * 4  # bytes, a multiple of 512: nothing is rounded up
    with_graph = {("enable_grad", batch_size): 10 * batch_size * row for batch_size in (32, 64, 128)}
    without_graph = {("no_grad", batch_size): 2 * batch_size * row for batch_size in (32, 64, 128)}
    assert peaks == {**with_graph, **without_graph}


# What in a model looks at the whole batch


def test_batchnorm_makes_a_row_depend_on_its_neighbours(device, rounding_bound):
    """In training BatchNorm1d turns the same row into about -1 or +1, depending on the other row of the batch; in eval
    mode, with running statistics, it does not look at the other row.

    LayerNorm of the features looks at one row at a time, in both modes.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BatchNorm1d.html
    """
    neighbours = (torch.tensor([[1.0], [3.0]], device=device), torch.tensor([[1.0], [-1.0]], device=device))
    batchnorm = nn.BatchNorm1d(1).to(device)
    in_eval = [batchnorm.eval()(batch)[0].item() for batch in neighbours]
    in_training = [batchnorm.train()(batch)[0].item() for batch in neighbours]

    one = (1 + batchnorm.eps) ** -0.5  # the variance is 1 in each batch, and in a new layer
    rel = rounding_bound(16, torch.float32)  # to normalise two numbers takes fewer operations than that
    assert in_training == pytest.approx([-one, one], rel=rel)
    assert in_eval == pytest.approx([one, one], rel=rel)

    layernorm = nn.LayerNorm(2).to(device)
    one = 2 / (4 + layernorm.eps) ** 0.5  # the mean of 1 and 5 is 3, their variance 4
    for mode in (layernorm.train, layernorm.eval):
        for other in ([0.0, 0], [9.0, -4]):
            row = mode()(torch.tensor([[1.0, 5], other], device=device))[0]
            assert row.tolist() == pytest.approx([-one, one], rel=rel)


def test_batchnorm_refuses_a_last_batch_of_one_row(device):
    """BatchNorm1d in training raises ValueError "Expected more than 1 value per channel when training" for a batch of
    shape (1, features), such as the last of 33 rows in batches of 32.

    `drop_last=True` leaves that row out, and eval mode with running statistics takes it. A single sequence of shape (1,
    features, length) is accepted if it is longer than 1, and so is a single image of more than one pixel by
    BatchNorm2d: one of shape (1, C, 1, 1), as global pooling makes it, raises the same. InstanceNorm1d refuses length 1
    in training, also in a batch of many: "Expected more than 1 spatial element when training".

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BatchNorm1d.html
    """
    x = torch.arange(66.0, device=device).reshape(33, 2)
    model = nn.BatchNorm1d(2).to(device)
    first, last = DataLoader(x, batch_size=32)
    assert (model(first).shape, last.shape) == ((32, 2), (1, 2))

    with pytest.raises(ValueError, match="more than 1 value per channel"):
        model(last)
    assert [model(batch).shape for batch in DataLoader(x, batch_size=32, drop_last=True)] == [(32, 2)]
    assert model.eval()(last).shape == (1, 2)
    assert nn.BatchNorm1d(2).to(device)(torch.rand(1, 2, 5, device=device)).shape == (1, 2, 5)
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        nn.BatchNorm1d(2, track_running_stats=False).to(device).eval()(last)
    assert nn.BatchNorm2d(3).to(device)(torch.rand(1, 3, 2, 2, device=device)).shape == (1, 3, 2, 2)
    with pytest.raises(ValueError, match="Expected more than 1 value per channel when training"):
        nn.BatchNorm2d(3).to(device)(nn.AdaptiveAvgPool2d(1)(torch.rand(1, 3, 2, 2, device=device)))
    with pytest.raises(ValueError, match="Expected more than 1 spatial element when training"):
        nn.InstanceNorm1d(2)(torch.rand(8, 2, 1, device=device))


def test_batchnorm_sees_the_small_batches_of_an_accumulation(device, rounding_bound):
    """BatchNorm normalises each small batch of an accumulation by itself, and updates its running statistics for each.

    So with BatchNorm in training accumulated gradients are not those of one large batch. LayerNorm and GroupNorm
    normalise each row by itself.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BatchNorm1d.html
    """
    x = torch.tensor([[1.0], [3], [10], [30]], device=device)

    def outputs(batches):
        batchnorm = nn.BatchNorm1d(1).to(device)
        out = torch.cat([batchnorm(batch) for batch in x.chunk(batches)]).detach().cpu().double()
        return out, batchnorm.num_batches_tracked.item()

    def gradient_of_weight(batches):
        batchnorm, y = nn.BatchNorm1d(1).to(device), torch.tensor([[0.0], [0], [0], [1]], device=device)
        for x_batch, y_batch in zip(x.chunk(batches), y.chunk(batches), strict=True):
            (F.mse_loss(batchnorm(x_batch), y_batch) / batches).backward()
        return batchnorm.weight.grad.item()

    def normalised(batch):
        return (batch - batch.mean()) / (batch.var(unbiased=False) + 1e-5).sqrt()

    reference = x.cpu().double()
    rtol = rounding_bound(32, torch.float32)  # fewer operations than that, none of which loses digits here
    large, large_updates = outputs(batches=1)
    torch.testing.assert_close(large, normalised(reference), rtol=rtol, atol=0)
    small, small_updates = outputs(batches=2)
    torch.testing.assert_close(small, torch.cat([normalised(half) for half in reference.chunk(2)]), rtol=rtol, atol=0)
    assert large.round().flatten().tolist() == [-1, -1, 0, 2]
    assert small.round().flatten().tolist() == [-1, 1, -1, 1]
    assert (large_updates, small_updates) == (1, 2)
    assert round(gradient_of_weight(batches=2), 2) == 1.5
    assert gradient_of_weight(batches=1) < 1.25
    rows = torch.tensor([[1.0, 5.0], [9.0, -4.0]], device=device)
    for layer in (nn.LayerNorm(2).to(device), nn.GroupNorm(1, 2).to(device)):
        torch.testing.assert_close(layer(rows)[:1], layer(rows[:1]), rtol=rtol, atol=0)


def test_predictions_do_not_depend_on_the_batch_size(cancer, device, rounding_bound):
    """A model of Linear and ReLU layers gives the same predictions for batches of 1, 7, 32 and 65 rows, up to rounding.

    So an evaluation may use batches as large as memory allows. Layers that look at the whole batch in eval mode break
    this: `nn.BatchNorm1d(1, track_running_stats=False)` does.

    https://docs.pytorch.org/docs/stable/notes/numerical_accuracy.html
    """
    x = cancer[0][:65]
    model = nn.Sequential(nn.Linear(30, 16), nn.ReLU(), nn.Linear(16, 1)).eval()
    w1, b1, w2, b2 = (parameter.detach().double() for parameter in model.parameters())
    expected = torch.relu(x.double() @ w1.T + b1) @ w2.T + b2
    sizes = (x.double().abs() @ w1.abs().T + b1.abs()) @ w2.abs().T + b2.abs()

    model.to(device)
    for batch_size in (1, 7, 32, 65):
        with torch.inference_mode():
            logits = torch.cat([model(batch) for batch in x.to(device).split(batch_size)])
        # One rounding for each product and each sum on the way through both layers.
        bound = rounding_bound(31 + 17, torch.float32) * sizes
        assert logits.shape == (65, 1)
        assert ((logits.cpu().double() - expected).abs() <= bound).all()
    batchnorm = nn.BatchNorm1d(1, track_running_stats=False).eval().to(device)
    with torch.inference_mode():
        pairs = [batchnorm(torch.tensor([[1.0], [other]], device=device)) for other in (3.0, -1.0)]
    assert [pair[0].sign().item() for pair in pairs] == [-1, 1]
