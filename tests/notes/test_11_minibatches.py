"""Minibatches: a few rows for each step, instead of all of them or one.

A DataLoader cuts the rows into batches, and an epoch is one pass over all of them. The batch size says how many steps
an epoch has and how noisy their gradients are. "Not higher than 32" is advice about that, given by people with
experience, and not a law: here is what the advice rests on, and what it leaves open.
"""

import gc
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
from torch.utils.data import DataLoader, TensorDataset


@pytest.fixture(scope="module")
def cancer():
    """512 tumours: 30 measurements, each with mean 0 and standard deviation 1, and a label, 0 or 1; float32."""
    features, labels = load_breast_cancer(return_X_y=True)
    features = (features - features.mean(axis=0)) / features.std(axis=0)
    return torch.tensor(features[:512], dtype=torch.float32), torch.tensor(labels[:512], dtype=torch.float32)


# Cutting rows into batches


def test_an_epoch_has_ceil_n_over_b_steps():
    """N rows in batches of B are ceil(N / B) steps an epoch, and with `drop_last=True` floor(N / B).

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


@given(
    rows=st.integers(0, 40),
    batch_size=st.integers(1, 45),
    drop_last=st.booleans(),
)
@example(rows=7, batch_size=3, drop_last=False)
@example(rows=8, batch_size=3, drop_last=True)
def test_the_batches_for_every_number_of_rows(rows, batch_size, drop_last):
    """Unshuffled batches are the rows in order, B at a time; what is left over is a last, short batch, unless it is
    dropped.

    https://docs.pytorch.org/docs/stable/data.html
    """
    loader = DataLoader(range(rows), batch_size=batch_size, drop_last=drop_last)
    batches = [batch.tolist() for batch in loader]

    starts = range(0, rows - batch_size + 1 if drop_last else rows, batch_size)
    assert batches == [list(range(start, min(start + batch_size, rows))) for start in starts]
    assert len(loader) == len(batches)


def test_the_batch_size_is_one_by_default():
    """A DataLoader that is told nothing gives batches of a single row, in order: 32 is not its default.

    Libraries differ: `fit` of Keras does take 32 when told nothing.

    https://docs.pytorch.org/docs/stable/data.html
    """
    loader = DataLoader(range(20, 40))

    assert loader.batch_size == 1
    assert [batch.tolist() for batch in loader] == [[row] for row in range(20, 40)]


def test_batches_have_rows_first_and_keep_their_labels(device):
    """A batch of a TensorDataset is a list of tensors with the rows as first dimension, each row with its own label.

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


def test_drop_last_can_drop_everything(device):
    """With fewer rows than a batch takes, `drop_last=True` leaves an empty loader: the loop runs zero times, without a
    word.

    Without it a batch size beyond the number of rows gives a single batch of all of them.

    https://docs.pytorch.org/docs/stable/data.html
    """
    data = torch.arange(5, device=device)

    assert list(DataLoader(data, batch_size=8, drop_last=True)) == []
    assert [batch.tolist() for batch in DataLoader(data, batch_size=8)] == [[0, 1, 2, 3, 4]]


def test_sorted_rows_make_batches_of_one_class(device):
    """Rows sorted by label make batches of a single class unless they are shuffled, and each such batch pulls its own
    way.

    At the start a batch of only zeros pushes the bias down, one of only ones pushes it up, each with the same force.

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


# What a batch's loss says about all rows


@pytest.mark.myth("the loss of an epoch is the sum of the batch losses divided by the number of batches")
def test_the_mean_of_batch_means_is_not_the_mean(device):
    """When the last batch is short, the mean of the batch means gives its rows too much weight.

    Weight each batch by its size: sum `loss * len(y)` and divide by the number of rows. The same goes for an accuracy.
    Where NLLLoss or CrossEntropyLoss ignores rows, their mean is over the others, and it is those that count.

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
def test_batch_means_weighted_by_size_for_every_batch_size(device, rounding_bound, errors, batch_size):
    """Batch losses weighted by their sizes give the loss of all rows, whatever the batch size.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.MSELoss.html
    """
    errors = torch.tensor(errors, device=device)
    batches = errors.split(batch_size)
    total = sum(F.mse_loss(batch, torch.zeros_like(batch)).item() * len(batch) for batch in batches)

    expected = errors.cpu().double().square().mean().item()
    # All terms are positive; a batch's mean rounds a square, a sum and a quotient of its rows.
    bound = rounding_bound(len(errors) + 2, torch.float32) * expected
    assert total / len(errors) == pytest.approx(expected, rel=0, abs=bound)


# What a batch's gradient says about all rows


def gradient(x, y, reduction="mean"):
    """The gradient of the squared error of the line w * x, at w = 1."""
    w = torch.ones((), device=x.device, requires_grad=True)
    return torch.autograd.grad(nn.MSELoss(reduction=reduction)(w * x, y), w)[0].item()


def test_the_mean_of_minibatch_gradients_is_the_full_gradient(device):
    """The gradients of equally large minibatches of one epoch, at the same parameters, have the full-batch gradient as
    mean.

    So if the rows are shuffled, a minibatch gradient is wrong by chance only: on the average it is that of all rows.

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
    """Minibatch gradients weighted by the sizes of their batches give the full-batch gradient, whatever the batch size.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.MSELoss.html
    """
    x, y = torch.tensor(rows, dtype=torch.float32, device=device).unbind(dim=1)
    batches = list(zip(x.split(batch_size), y.split(batch_size), strict=True))
    weighted = sum(gradient(*batch) * len(batch[0]) for batch in batches) / len(rows)

    terms = [2 * feature * (feature - label) / len(rows) for feature, label in rows]  # exact but for the division
    bound = rounding_bound(len(rows) + 5, torch.float32) * sum(map(abs, terms))
    assert gradient(x, y) == pytest.approx(sum(terms), rel=0, abs=bound)
    assert weighted == pytest.approx(sum(terms), rel=0, abs=bound)


def test_a_summed_loss_makes_steps_grow_with_the_batch(device):
    """With `reduction="sum"` the same rows twice make twice the gradient; with the mean, the default, the same one.

    So with a sum the learning rate of SGD has to shrink as the batch grows, only to make steps of the same size.

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
    """Over all batches of B rows the variance of the gradient is that of single rows divided by B, if rows may come
    twice.

    In the batches of an epoch no row comes twice, and the variance falls faster: to (N - B) / (N - 1) of that, so to
    zero for B = N. Four times the rows halve the noise, for four times the work.

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
    """A thousand random batches of tumours show that variance: that of single rows divided by the batch size.

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
    """With the same small learning rate and the same number of epochs, the smaller the batch, the lower the loss: it
    takes more steps.

    One epoch of 512 rows is 1 step of 512 rows, 4 of 128, 16 of 32. With a large rate the noise of small batches weighs
    more than the number of their steps.

    https://docs.pytorch.org/docs/stable/optim.html
    """
    losses = [trained_loss(cancer, device, batch_size, lr=0.02) for batch_size in (512, 128, 32)]

    assert losses[0] > losses[1] > losses[2]
    assert trained_loss(cancer, device, batch_size=64, lr=32) < trained_loss(cancer, device, batch_size=4, lr=32)


@pytest.mark.advice(
    "Priya Goyal and others, Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour, 2017: the linear scaling rule"
)
def test_a_larger_rate_makes_up_for_fewer_steps(cancer, device):
    """A learning rate that grows with the batch size closes most of the gap between large and small batches.

    k small steps go about as far as one step with k times the rate, as long as the gradient changes little on the way.

    https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html
    """
    small = trained_loss(cancer, device, batch_size=32, lr=0.02)
    large = trained_loss(cancer, device, batch_size=128, lr=0.02)
    scaled = trained_loss(cancer, device, batch_size=128, lr=0.02 * 4)

    assert abs(scaled - small) < (large - small) / 2


@pytest.mark.myth("twice the batch size, twice the learning rate, always")
def test_a_scaled_rate_can_be_too_large(device):
    """The learning rate can't grow with the batch size for ever: beyond a limit, set by the loss, a step lands further
    away.

    The loss of each of eight rows is w²/2, so a step multiplies w by 1 - lr: eight small ones get close to zero, one
    large one jumps over it.

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


@pytest.mark.advice(
    "Dominic Masters and Carlo Luschi, Revisiting Small Batch Training for Deep Neural Networks, 2018; "
    'Yann LeCun, on Twitter, April 2018: "Friends dont let friends use minibatches larger than 32."'
)
def test_32_is_advice_and_not_a_law(cancer, device):
    """After the same epochs batches of 32 beat batches of 256, after as many steps the two are about even: 32 is no
    border.

    The advice is about epochs, and about results on new rows, which this does not show. With as many steps, so with
    eight times the epochs, the large batches are less than a tenth of the gap away. What a step of 256 rows costs, next
    to one of 32, depends on the machine.

    https://docs.pytorch.org/docs/stable/optim.html
    """
    small = trained_loss(cancer, device, batch_size=32, lr=0.02)
    same_epochs = trained_loss(cancer, device, batch_size=256, lr=0.02)
    same_steps = trained_loss(cancer, device, batch_size=256, lr=0.02, epochs=8)

    assert small < same_epochs
    assert abs(same_steps - small) < (same_epochs - small) / 10


# A large batch in small pieces


def test_accumulated_small_batches_equal_a_large_one(device):
    """The gradients of k equally small batches add up to that of one large batch if each mean loss is divided by k
    before `backward`.

    Undivided they add up to k times as much. `step` and `zero_grad` come after every k-th batch only.

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


@given(sizes=st.lists(st.integers(1, 5), min_size=1, max_size=5))
def test_accumulation_weighted_by_size_for_every_split(device, rounding_bound, sizes):
    """Small batches of any sizes add up to the large one's gradient if each mean loss is weighted by its share of the
    rows.

    So with a short last batch, dividing by the number of batches is not quite right.

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


@pytest.mark.holds("torch>=2.6", otherwise=AttributeError)
def test_the_length_of_a_gradient_without_clipping(device, rounding_bound):
    """From torch 2.6 on `nn.utils.get_total_norm` gives the length of a gradient and leaves it alone, where
    `clip_grad_norm_` also shortens it.

    Both belong after the last small batch and before the step. Up to 2.5, `clip_grad_norm_` with `max_norm=math.inf`
    tells the length too.

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


# What a large batch costs


def memory_counters(accelerator):
    """Functions that count bytes here: of tensors, and of what torch took from the driver to put tensors in."""
    gc.collect()  # what lies in reference cycles is given back now, and not while something is counted
    if accelerator.type == "mps":
        return torch.mps.current_allocated_memory, torch.mps.driver_allocated_memory
    module = getattr(torch, accelerator.type)
    return partial(module.memory_allocated, accelerator), partial(module.memory_reserved, accelerator)


def test_a_tensor_counts_while_it_lives(accelerator):
    """A tensor on an accelerator counts with at least its bytes from its making until nothing refers to its data any
    more; a view adds nothing, and keeps all of it.

    The counter is `torch.cuda.memory_allocated()` or `torch.mps.current_allocated_memory()`. A loss kept for a plot,
    with its graph, keeps a whole batch in this way: keep `loss.item()`.

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


@pytest.mark.only("cuda", "xpu", because="blocks of 512 bytes are CUDA's and XPU's: Metal chooses their size on MPS")
def test_cuda_memory_comes_in_blocks_of_512_bytes(accelerator):
    """torch's allocator for CUDA rounds the memory of each tensor up to a multiple of 512 bytes, so that one number
    takes 512 bytes; no numbers take none.

    A thousand losses kept as tensors are half a megabyte. XPU does the same.

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
    """What a deleted tensor took stays reserved for the next tensors of this process; `empty_cache()` gives it back to
    the driver.

    So a monitor such as nvidia-smi shows the reserved memory, and calling `empty_cache()` makes no room for this
    process's own tensors. On MPS `driver_allocated_memory` counts what is reserved.

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
    """Twice the rows take twice the memory in a forward pass with gradients: one output of each layer, at least; under
    no_grad two outputs are enough for any number of layers.

    What does not grow are parameters, their gradients and the optimizer's state. `torch.cuda.max_memory_allocated()` is
    the most since `reset_peak_memory_stats()`; MPS has no such counter.

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
    """In training BatchNorm turns the same row into -1 or +1, depending on the other row of the batch; in eval it does
    not.

    LayerNorm looks at one row at a time, in both modes.

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
    """33 rows in batches of 32 end the epoch with ValueError where a model has BatchNorm1d: one number has no spread.

    `drop_last=True` leaves that row out; in eval mode a single row is fine. BatchNorm2d takes a single image, which has
    many pixels per channel.

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
    assert nn.BatchNorm2d(3).to(device)(torch.rand(1, 3, 2, 2, device=device)).shape == (1, 3, 2, 2)


def test_batchnorm_sees_the_small_batches_of_an_accumulation(device, rounding_bound):
    """With BatchNorm accumulated small batches are not one large batch: each is normalised by itself, and each updates
    the running statistics.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BatchNorm1d.html
    """
    x = torch.tensor([[1.0], [3], [10], [30]], device=device)

    def outputs(batches):
        batchnorm = nn.BatchNorm1d(1).to(device)
        out = torch.cat([batchnorm(batch) for batch in x.chunk(batches)]).detach().cpu().double()
        return out, batchnorm.num_batches_tracked.item()

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


def test_predictions_do_not_depend_on_the_batch_size(cancer, device, rounding_bound):
    """In eval mode rows don't see each other: batches of any size give the same predictions, but for rounding.

    So an evaluation may use batches as large as memory allows. Bit for bit the same is more than anyone promises.

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
