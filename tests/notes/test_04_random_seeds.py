"""Random seeds: how to get the same random numbers again, and when a seed is not enough.

Torch takes its random numbers from a generator: a state, and a rule that turns it into the next number and the next
state. A seed chooses the first state. After this section you can make a run repeat itself, on the CPU and on a GPU, in
torch, NumPy and Python; you know what else draws from the same generator (layers, dropout, a DataLoader); and you can
give a part of a program a generator of its own, save where it stands, and say what no seed promises.
"""

import copy
import inspect
import io
import os
import pickle
import random
import subprocess
import sys
import zlib

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from torch import nn
from torch.nn import functional as F
from torch.utils.data import (
    DataLoader,
    Dataset,
    DistributedSampler,
    RandomSampler,
    WeightedRandomSampler,
    get_worker_info,
)

RANDOM_SEED = 42
SEEDS = st.integers(0, 2**64 - 1)


def test_seed_42_prints_these_two_tables():
    """After `torch.manual_seed(42)`, two calls of `torch.rand(3, 4)` on the CPU give these two tables, in every torch
    release since 2.0.

    The second call goes on from where the first one stopped, which is why the two tables differ in every place. If your
    first table is another one, look for a draw between the seed and your call.

    https://docs.pytorch.org/docs/stable/generated/torch.manual_seed.html
    """
    torch.manual_seed(RANDOM_SEED)
    random_tensor_a = torch.rand(3, 4)
    random_tensor_b = torch.rand(3, 4)

    assert str(random_tensor_a) == (
        "tensor([[0.8823, 0.9150, 0.3829, 0.9593],\n"
        "        [0.3904, 0.6009, 0.2566, 0.7936],\n"
        "        [0.9408, 0.1332, 0.9346, 0.5936]])"
    )
    assert str(random_tensor_b) == (
        "tensor([[0.8694, 0.5677, 0.7411, 0.4294],\n"
        "        [0.8854, 0.5739, 0.2666, 0.6274],\n"
        "        [0.2696, 0.4414, 0.2969, 0.8317]])"
    )
    assert (random_tensor_a == random_tensor_b).tolist() == [[False] * 4] * 3
    assert random_tensor_a.dtype == torch.float32


def test_seeding_once_repeats_the_whole_sequence(device):
    """One `torch.manual_seed(42)` makes all three draws after it repeat, although the three draws differ from each
    other.

    It seeds the generator of the CPU and that of a GPU. Call it once, at the top of a script.

    https://docs.pytorch.org/docs/stable/generated/torch.manual_seed.html
    """
    torch.manual_seed(RANDOM_SEED)
    first, second, third = (torch.rand(2, 3, device=device) for _ in range(3))

    torch.manual_seed(RANDOM_SEED)
    assert torch.equal(torch.rand(2, 3, device=device), first)
    assert torch.equal(torch.rand(2, 3, device=device), second)
    assert torch.equal(torch.rand(2, 3, device=device), third)
    assert not torch.equal(first, second)
    assert not torch.equal(second, third)


@pytest.mark.myth("set the same seed again before every draw")
def test_reseeding_before_each_draw_only_repeats_one_draw(device):
    """`torch.manual_seed(42)` at the start of every epoch gives every epoch the same `torch.randperm`, the same order
    of a `DataLoader(data, shuffle=True)` and the same dropout mask.

    Every epoch then has the same noise. Seed once, at the top of the script, and not inside a loop. To
    have a random tensor twice, draw it once and `clone()` it. A loader with a `generator=` follows that generator.

    https://docs.pytorch.org/docs/stable/notes/randomness.html
    """
    epochs = []
    loader = DataLoader(range(50), batch_size=None, shuffle=True)
    apart = DataLoader(range(50), batch_size=None, shuffle=True, generator=torch.Generator().manual_seed(7))
    for _ in range(4):
        torch.manual_seed(RANDOM_SEED)
        epochs.append((torch.randperm(50, device=device), list(loader), F.dropout(torch.ones(64, device=device))))

    shuffles, orders, masks = zip(*epochs, strict=True)
    assert all(torch.equal(shuffle, shuffles[0]) for shuffle in shuffles)  # each epoch in the same order
    assert all(order == orders[0] for order in orders)
    assert all(torch.equal(mask, masks[0]) for mask in masks)  # and each drops the same units
    torch.manual_seed(RANDOM_SEED)
    order = list(apart)
    torch.manual_seed(RANDOM_SEED)
    assert list(apart) != order


@pytest.mark.parametrize(
    "draw",
    [
        pytest.param(lambda device: torch.rand(100, device=device), id="rand"),
        pytest.param(lambda device: torch.randn(100, device=device), id="randn"),
        pytest.param(lambda device: torch.randint(0, 50, (100,), device=device), id="randint"),
        pytest.param(lambda device: torch.randperm(100, device=device), id="randperm"),
        pytest.param(lambda device: torch.normal(2.0, 3.0, (100,), device=device), id="normal"),
        pytest.param(lambda device: torch.bernoulli(torch.full((100,), 0.5, device=device)), id="bernoulli"),
        pytest.param(lambda device: torch.multinomial(torch.ones(200, device=device), 100), id="multinomial"),
        pytest.param(lambda device: torch.empty(100, device=device).exponential_(), id="exponential_"),
        pytest.param(lambda device: nn.Linear(10, 10, device=device).weight, id="Linear"),
        pytest.param(lambda device: nn.Conv2d(1, 4, 5, device=device).weight, id="Conv2d"),
        pytest.param(lambda device: nn.Embedding(10, 10, device=device).weight, id="Embedding"),
        pytest.param(lambda device: nn.init.xavier_uniform_(torch.empty(10, 10, device=device)), id="init"),
        pytest.param(lambda device: F.dropout(torch.ones(100, device=device)), id="F.dropout"),
        pytest.param(lambda device: nn.Dropout(0.5)(torch.ones(100, device=device)), id="nn.Dropout"),
    ],
)
def test_draws_first_weights_and_dropout_follow_the_seed(draw, device):
    """Without `generator=`, random tensors, `torch.randperm`, dropout masks and the first weights of `nn.Linear`,
    `nn.Conv2d` and `nn.Embedding` follow `torch.manual_seed`, and each call goes on from the one before.

    That is why two `nn.Linear` made one after the other start from different weights.

    https://docs.pytorch.org/docs/stable/notes/randomness.html
    """
    runs = []
    for seed in (RANDOM_SEED, RANDOM_SEED, RANDOM_SEED + 1):
        torch.manual_seed(seed)
        runs.append([draw(device), draw(device)])
    run, same_seed, other_seed = runs

    assert torch.equal(run[0], same_seed[0])
    assert torch.equal(run[1], same_seed[1])
    assert not torch.equal(run[0], run[1])
    assert not torch.equal(run[0], other_seed[0])
    assert not torch.equal(run[1], other_seed[1])


@pytest.mark.parametrize(
    ("draw", "expected"),
    [
        pytest.param(lambda: torch.randn(4), [0.3367, 0.1288, 0.2345, 0.2303], id="randn"),
        pytest.param(lambda: torch.randint(0, 100, (6,)), [42, 67, 76, 14, 26, 35], id="randint"),
        pytest.param(
            lambda: torch.randint(0, 2**28 - 1, (3,)), [266460267, 199900607, 56755051], id="randint below 2**28"
        ),
        pytest.param(
            lambda: torch.randint(0, 2**32, (3,)), [3421126067, 787846414, 3348747335], id="randint over 2**32"
        ),
        pytest.param(lambda: torch.randperm(10), [2, 6, 1, 8, 4, 5, 0, 9, 3, 7], id="randperm"),
        pytest.param(lambda: torch.bernoulli(torch.full((8,), 0.5)), [0, 0, 1, 0, 1, 0, 1, 0], id="bernoulli"),
        pytest.param(lambda: torch.multinomial(torch.arange(1.0, 7), 5, True), [1, 1, 1, 1, 4], id="multinomial"),
        pytest.param(lambda: nn.Linear(2, 1).weight[0], [0.5406, 0.5869], id="Linear"),
        pytest.param(lambda: nn.Embedding(2, 2).weight[0], [0.3367, 0.1288], id="Embedding"),
        pytest.param(
            lambda: nn.init.xavier_uniform_(torch.empty(2, 2)), [0.9364, 1.0165, -0.2869, 1.1251], id="xavier_uniform_"
        ),
        pytest.param(lambda: nn.init.kaiming_normal_(torch.empty(1, 2)), [0.3367, 0.1288], id="kaiming_normal_"),
    ],
)
def test_these_have_been_the_numbers_of_seed_42_since_2_0(draw, expected):
    """With seed 42 the CPU gives these numbers (rounded to four digits) in every torch release since 2.0.

    That was observed and is not promised. "What changed from one release to another?", below, lists draws that changed.

    https://docs.pytorch.org/docs/stable/notes/randomness.html
    """
    torch.manual_seed(RANDOM_SEED)

    assert [round(number, 4) for number in draw().flatten().tolist()] == expected


def test_randint_leaves_out_its_end(device):
    """`torch.randint(0, 3, (200,))` gives 0, 1 and 2 and not 3, as NumPy's `randint` does.

    Python's `random.randint(0, 3)` gives 3 as well. To draw positions in a list, write `torch.randint(0, len(items),
    (n,))`: without `- 1`.

    https://docs.pytorch.org/docs/stable/generated/torch.randint.html
    """
    # The chance that one of at most four values stays out of 200 draws is below 4 * (3/4)**200, less than 1e-24.
    draws = {
        "torch": torch.randint(0, 3, (200,), device=device).tolist(),
        "numpy": np.random.randint(0, 3, 200).tolist(),
        "python": [random.randint(0, 3) for _ in range(200)],
    }

    assert {name: set(numbers) for name, numbers in draws.items()} == {
        "torch": {0, 1, 2},
        "numpy": {0, 1, 2},
        "python": {0, 1, 2, 3},
    }


# Which libraries does a seed reach?


@pytest.mark.myth("torch.manual_seed makes the whole script reproducible")
def test_each_library_has_a_seed_of_its_own(device):
    """torch, NumPy and Python's `random` have three separate generators: seeding one of them does not seed the other
    two.

    Set all three at the top of a script: `torch.manual_seed(42)`, `np.random.seed(42)`, `random.seed(42)`.

    https://docs.pytorch.org/docs/stable/notes/randomness.html
    """
    libraries = {
        "torch": (torch.manual_seed, lambda: torch.rand(3, device=device).tolist()),
        "numpy": (np.random.seed, lambda: np.random.rand(3).tolist()),
        "python": (random.seed, lambda: [random.random() for _ in range(3)]),
    }

    repeats = {}
    for name, (set_seed, _) in libraries.items():
        draws = []
        for _ in range(2):
            set_seed(RANDOM_SEED)
            draws.append([draw() for _, draw in libraries.values()])
        repeats[name] = [one == another for one, another in zip(*draws, strict=True)]

    assert repeats == {
        "torch": [True, False, False],
        "numpy": [False, True, False],
        "python": [False, False, True],
    }


def test_numpys_new_generators_ignore_numpys_seed():
    """`np.random.seed(42)` does not reach `np.random.default_rng()`, which takes a new seed from the system each time.

    What is drawn from it differs from run to run. Write `np.random.default_rng(42)`, which repeats.

    https://numpy.org/doc/stable/reference/random/generator.html
    """
    draws = []
    for _ in range(2):
        np.random.seed(RANDOM_SEED)
        draws.append(
            (np.random.default_rng().random(4).tolist(), np.random.default_rng(RANDOM_SEED).random(4).tolist())
        )

    (without, with_seed), (without_again, with_seed_again) = draws
    assert without != without_again  # its seed comes from the system
    assert with_seed == with_seed_again


def test_which_seeds_torch_and_numpy_refuse():
    """`torch.manual_seed` takes integers of 64 bits, and 1.9 as 1. `np.random.seed` takes integers from 0 to
    2**32 - 1, or a list of them, and no float.

    A torch seed that is negative or larger than that, such as `torch.initial_seed()` in a worker can be, raises
    ValueError in NumPy, "Seed must be between 0 and 2**32 - 1": pass on `seed % 2**32`. In torch a seed of more than 64
    bits is an "Overflow when unpacking long".

    https://numpy.org/doc/stable/reference/random/generated/numpy.random.seed.html
    """
    torch.manual_seed(1.9)
    assert torch.initial_seed() == 1
    with pytest.raises((RuntimeError, ValueError), match="Overflow when unpacking long"):  # see the next note
        torch.manual_seed(2**64)
    with pytest.raises((RuntimeError, ValueError), match="Overflow"):
        torch.manual_seed(-(2**63) - 1)
    assert torch.initial_seed() == 1  # a seed that is refused changes nothing

    for seed in (-1, 2**32):
        with pytest.raises(ValueError, match=r"Seed must be between 0 and 2\*\*32 - 1"):
            np.random.seed(seed)
    with pytest.raises(TypeError, match="Cannot cast"):
        np.random.seed(1.9)
    for seed in (0, 2**32 - 1, -1 % 2**32, [2**32 - 1, 7]):
        np.random.seed(seed)


@pytest.mark.holds(
    "torch>=2.9",
    otherwise=RuntimeError,
    change="raises",
    concerns="torch.manual_seed except RuntimeError not ValueError?",
)
def test_a_seed_that_is_too_large_is_a_value_error():
    """From torch 2.9 on, `torch.manual_seed(2**64)` raises ValueError; up to 2.8 it raises RuntimeError.

    An `except RuntimeError:` around it catches nothing after the upgrade. Take a seed from outside `% 2**32`.

    https://docs.pytorch.org/docs/stable/generated/torch.manual_seed.html
    """
    for seed in (2**64, -(2**63) - 1):
        with pytest.raises(ValueError, match="Overflow when unpacking long"):
            torch.manual_seed(seed)


@pytest.mark.myth("os.environ['PYTHONHASHSEED'] = '42' belongs into every seed_everything")
def test_a_hash_seed_comes_too_late_in_a_running_script(monkeypatch):
    """`os.environ["PYTHONHASHSEED"] = "42"` changes no `hash` in the Python that runs it.

    The hash of a text differs from run to run in spite of such a `seed_everything`, and the order of a set of texts
    can. Set the variable before Python starts: `PYTHONHASHSEED=42 python train.py`. It is better not to depend on it:
    number classes by `sorted(set(names))`.

    https://docs.python.org/3/using/cmdline.html#envvar-PYTHONHASHSEED
    """
    words = "cat", "dog", "bird"

    def hashes():
        return [hash("".join(list(word))) for word in words]  # of new texts, since a text remembers its hash

    before = hashes()
    for seed in ("42", "0"):
        monkeypatch.setitem(os.environ, "PYTHONHASHSEED", seed)
        assert hashes() == before

    def runs(**variables):
        outside = {name: value for name, value in os.environ.items() if name != "PYTHONHASHSEED"} | variables
        script = "import os, sys; os.environ['PYTHONHASHSEED'] = '7'; sys.stdout.write(str(hash('cat')))"
        command = [sys.executable, "-c", script]
        return {subprocess.run(command, env=outside, capture_output=True, check=True).stdout for _ in range(2)}

    assert (len(runs()), len(runs(PYTHONHASHSEED="42"))) == (2, 1)
    assert sorted({*words}) == sorted({*reversed(words)}) == ["bird", "cat", "dog"]


# How is a tensor shuffled?


@given(size=st.integers(0, 60))
def test_randperm_holds_every_index_once_for_every_size(device, size):
    """`torch.randperm(n)` returns the integers from 0 to n - 1 in random order, each of them once, as int64.

    Index with it to shuffle: `tensor[torch.randperm(len(tensor))]`. `dtype=torch.int32` gives another dtype.

    https://docs.pytorch.org/docs/stable/generated/torch.randperm.html
    """
    order = torch.randperm(size, device=device)

    assert sorted(order.tolist()) == list(range(size))
    assert order.dtype == torch.int64
    assert order.device == device
    assert torch.randperm(size, dtype=torch.int32, device=device).dtype == torch.int32


def test_one_permutation_keeps_pairs_together(device):
    """Index inputs and labels with one `torch.randperm`, and each input keeps its label.

    With one `randperm` each, nearly all of 100 pairs are torn apart. Nothing raises, because the shapes still match,
    and the model trains on wrong labels. Write `order = torch.randperm(len(x))`, then `x[order], y[order]`.

    https://docs.pytorch.org/docs/stable/generated/torch.randperm.html
    """
    x = torch.arange(100, device=device)
    y = x * 10

    order = torch.randperm(100, device=device)
    assert torch.equal(y[order], x[order] * 10)
    assert not torch.equal(order, x)  # it is in another order: the same one comes once in 100! times

    another = torch.randperm(100, device=device)
    kept = (y[another] == x[order] * 10).sum().item()
    assert kept < 20  # one on average, and 20 or more with a chance below 1/20!


def test_python_cannot_shuffle_a_tensor(device):
    """`random.shuffle` of a 1-d tensor of 100 different numbers, with `requires_grad=False`, loses some of them and
    repeats others, silently.

    It swaps by `a, b = b, a`, and `a` and `b` are views of the tensor, so that one row is written twice: a tensor of
    shape (1, 100) stays as it is. `np.random.shuffle` loses numbers too, with a UserWarning. Write
    `tensor[torch.randperm(len(tensor))]`, or shuffle a list.

    https://docs.python.org/3/library/random.html
    """
    tensor, another, numbers = torch.arange(100, device=device), torch.arange(100), list(range(100))
    pair = torch.tensor([1, 2], device=device)

    random.shuffle(tensor)
    pair[0], pair[1] = pair[1], pair[0]
    one_row = torch.arange(100, device=device).view(1, 100)
    random.shuffle(one_row)
    with pytest.warns(UserWarning, match="shuffling a 'Tensor' object"):
        np.random.shuffle(another)
    random.shuffle(numbers)

    assert len(set(tensor.tolist())) < 100
    assert pair.tolist() == [2, 2]
    assert len(set(another.tolist())) < 100
    assert len(set(numbers)) == 100
    assert one_row.tolist() == [list(range(100))]
    with pytest.raises(RuntimeError, match="leaf Variable that requires grad"):
        random.shuffle(torch.zeros(100, device=device, requires_grad=True))


# What uses up random numbers?


def test_a_draw_in_between_shifts_everything_after_it(device):
    """The first weights of an `nn.Linear` depend on what was drawn before it was made: with one more `nn.Linear` above
    it, the layer starts from other weights.

    A layer that draws nothing when it is made, such as ReLU, Flatten, Dropout, BatchNorm or LayerNorm, shifts nothing.
    To compare two models, seed again right before the layers that they share.

    https://docs.pytorch.org/docs/stable/notes/randomness.html
    """
    torch.manual_seed(RANDOM_SEED)
    layer = nn.Linear(3, 2, device=device)
    torch.manual_seed(RANDOM_SEED)
    nn.Linear(4, 4, device=device)
    shifted = nn.Linear(3, 2, device=device)
    torch.manual_seed(RANDOM_SEED)
    nn.ReLU(), nn.Flatten(), nn.Dropout(), nn.BatchNorm1d(4, device=device), nn.LayerNorm(4, device=device)
    same = nn.Linear(3, 2, device=device)

    assert not torch.equal(shifted.weight, layer.weight)
    assert not torch.equal(shifted.bias, layer.bias)
    assert torch.equal(same.weight, layer.weight)
    assert torch.equal(same.bias, layer.bias)


def test_vmap_refuses_to_draw_until_it_is_told_how(device):
    """`torch.func.vmap` of a function that calls `torch.rand`, or of `nn.Dropout(0.5)` in training, raises
    RuntimeError, unless it has `randomness="different"` or `randomness="same"`.

    The error is "vmap: called random operation while in randomness error mode". With "different", `torch.rand` draws
    new numbers for each row; with "same", it gives one draw to all rows. For dropout write `randomness="different"`.
    Python's `random.random()` raises nothing and gives one draw to all rows.

    https://docs.pytorch.org/docs/stable/generated/torch.func.vmap.html
    """
    rows = torch.zeros(3, 8, device=device)

    def noisy(row):
        return row + torch.rand(8, device=device)

    for draws in (noisy, nn.Dropout(0.5)):
        with pytest.raises(RuntimeError, match="vmap: called random operation while in randomness error mode"):
            torch.func.vmap(draws)(rows)
    one, two, three = torch.func.vmap(lambda row: row + random.random())(rows)
    assert torch.equal(one, two)
    assert torch.equal(two, three)
    one, two, three = torch.func.vmap(noisy, randomness="different")(rows)
    assert not torch.equal(one, two)
    assert not torch.equal(two, three)
    one, two, three = torch.func.vmap(nn.Dropout(0.5), randomness="different")(torch.ones(3, 64, device=device))
    assert not torch.equal(one, two)
    assert not torch.equal(two, three)
    one, two, three = torch.func.vmap(noisy, randomness="same")(rows)
    assert torch.equal(one, two)
    assert torch.equal(two, three)


def test_dropout_draws_in_training_only(device):
    """`nn.Dropout(0.5)` uses up random numbers in training mode and none in eval mode.

    With `p=0` or `p=1` there is nothing to choose, and `nn.Dropout` draws none in training either. `F.dropout(x)` in
    a `forward` knows no mode and draws in both: write `F.dropout(x, training=self.training)`. Dropout takes no
    `generator=`: for a stream of its own, seed and draw inside `torch.random.fork_rng()`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Dropout.html
    """
    x = torch.ones(8, device=device)
    torch.manual_seed(RANDOM_SEED)
    undisturbed = torch.rand(4, device=device)

    draws = {
        "training": nn.Dropout(0.5).train(),
        "eval": nn.Dropout(0.5).eval(),
        "p=0": nn.Dropout(0.0).train(),
        "p=1": nn.Dropout(1.0).train(),
        "function": F.dropout,
        "training=False": lambda x: F.dropout(x, training=False),
    }
    for name, drop in draws.items():
        torch.manual_seed(RANDOM_SEED)
        drop(x)
        draws[name] = not torch.equal(torch.rand(4, device=device), undisturbed)

    assert [name for name, drew in draws.items() if drew] == ["training", "function"]
    for takes_none in (F.dropout, nn.Dropout, nn.Dropout.forward):
        assert "generator" not in inspect.signature(takes_none).parameters


@pytest.mark.myth("without shuffling, a DataLoader has nothing random about it")
@pytest.mark.parametrize("shuffle", [False, True], ids=["in order", "shuffled"])
def test_iterating_a_dataloader_uses_up_global_numbers(shuffle):
    """Each pass over a DataLoader without `generator=` and `persistent_workers=` draws a seed for its workers from the
    global generator, also if it neither shuffles nor has workers.

    So one more pass, for a look at the validation loss, changes the numbers that are drawn after it. The loader here
    draws no global number if it has a `generator=`. For `persistent_workers=True` see the next note.

    https://docs.pytorch.org/docs/stable/data.html
    """
    torch.manual_seed(RANDOM_SEED)
    torch.empty((), dtype=torch.int64).random_()  # the base seed of the workers
    if shuffle:
        torch.empty((), dtype=torch.int64).random_()  # the seed of the order
    expected = torch.rand(4)

    torch.manual_seed(RANDOM_SEED)
    loader = DataLoader(range(4), batch_size=None, shuffle=shuffle)
    numbers = list(loader)

    assert sorted(numbers) == [0, 1, 2, 3]
    assert torch.equal(torch.rand(4), expected)

    state = torch.get_rng_state()
    assert sorted(DataLoader(range(4), batch_size=None, shuffle=shuffle, generator=torch.Generator())) == [0, 1, 2, 3]
    assert torch.equal(torch.get_rng_state(), state)


# A machine with a single core warns that two workers are many.
few_cores = pytest.mark.filterwarnings("ignore:This DataLoader will create")


@few_cores
def test_persistent_workers_draw_their_seed_once():
    """A DataLoader with `persistent_workers=True` draws the seed of its workers in the first pass and none in the
    second.

    The options of a loader therefore change the random numbers that come after it.

    https://docs.pytorch.org/docs/stable/data.html
    """
    states = [torch.get_rng_state()]
    loader = DataLoader(range(4), batch_size=None, num_workers=1, persistent_workers=True)
    for _ in range(2):
        assert list(loader) == [0, 1, 2, 3]
        states.append(torch.get_rng_state())

    assert not torch.equal(states[1], states[0])
    assert torch.equal(states[2], states[1])


@few_cores
def test_persistent_workers_shuffle_otherwise_in_the_first_pass():
    """With `torch.manual_seed(42)` before each pass, a DataLoader with `shuffle=True`, `persistent_workers=True` and no
    `generator=` gives 20 rows in one order in the first pass and in another one in all later passes.

    Only the first pass draws a seed for the workers before the seed of the order. A run that seeds before every epoch
    and is resumed at epoch 5 therefore sees another order there than without the break. Hand in `RandomSampler(data,
    generator=generator)` and seed that generator before each pass: then the first pass is no exception.

    https://docs.pytorch.org/docs/stable/data.html
    """
    data = range(20)
    loader = DataLoader(data, batch_size=None, shuffle=True, num_workers=1, persistent_workers=True)
    orders = []
    for _ in range(3):
        torch.manual_seed(RANDOM_SEED)
        orders.append(list(loader))

    assert orders[0] != orders[1] == orders[2]

    generator = torch.Generator()
    sampler = RandomSampler(data, generator=generator)
    loader = DataLoader(data, batch_size=None, sampler=sampler, num_workers=1, persistent_workers=True)
    orders = []
    for _ in range(2):
        generator.manual_seed(RANDOM_SEED)
        orders.append(list(loader))

    assert orders[0] == orders[1]


# How does a DataLoader repeat its order, and its workers their numbers?


def test_a_dataloader_shuffles_by_its_generator():
    """With `shuffle=True` and `generator=`, a DataLoader's orders repeat with the seed of that generator and do not
    touch the global one; the second epoch is shuffled anew.

    Write `DataLoader(data, shuffle=True, generator=torch.Generator().manual_seed(42))`, and draws from the global
    generator do not change the order of the data. A look at a batch, by `next(iter(loader))`, does change it.

    https://docs.pytorch.org/docs/stable/data.html
    """

    def epochs():
        generator = torch.Generator().manual_seed(RANDOM_SEED)
        loader = DataLoader(range(8), batch_size=None, shuffle=True, generator=generator)
        return list(loader), list(loader)

    torch.manual_seed(1)
    undisturbed = torch.rand(3)
    torch.manual_seed(1)
    first, second = epochs()
    assert torch.equal(torch.rand(3), undisturbed)  # the global generator was not touched
    assert (first, second) == epochs()
    assert first == [4, 6, 2, 3, 0, 7, 1, 5]
    assert second != first
    assert sorted(second) == sorted(first)

    generator = torch.Generator().manual_seed(RANDOM_SEED)
    loader = DataLoader(range(8), batch_size=None, shuffle=True, generator=generator)
    assert next(iter(loader)) == first[0]
    assert list(loader) != first


def test_a_sampler_does_not_take_the_loaders_generator():
    """`DataLoader(data, sampler=RandomSampler(data), generator=generator)` shuffles by the global generator.

    The `generator=` of a DataLoader reaches the sampler that the DataLoader makes itself, and not one that is handed
    in. Pass it to the sampler: `RandomSampler(data, generator=generator)`.

    https://docs.pytorch.org/docs/stable/data.html
    """
    data = range(20)

    def order(seed, sampler):
        torch.manual_seed(seed)
        return list(DataLoader(data, batch_size=None, sampler=sampler, generator=torch.Generator().manual_seed(3)))

    assert order(1, RandomSampler(data)) == order(1, RandomSampler(data))
    assert order(1, RandomSampler(data)) != order(2, RandomSampler(data))
    own = [RandomSampler(data, generator=torch.Generator().manual_seed(3)) for _ in range(2)]
    assert order(1, own[0]) == order(2, own[1])


def test_a_distributed_sampler_needs_set_epoch():
    """By default, a `DistributedSampler` shuffles into the same order in every epoch until `sampler.set_epoch(epoch)`
    is called with another number, also after another `torch.manual_seed`.

    Call it before the loop over the loader, in every process. The sampler shuffles by its `seed` plus the epoch, so
    that all processes agree. Here 3 processes get 4 of 10 rows each: two rows come twice, and a metric counts them
    twice. Before `init_process_group`, a sampler without `num_replicas=` and `rank=` raises "Default process group has
    not been initialized".

    https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.distributed.DistributedSampler
    """
    data = range(10)
    samplers = [DistributedSampler(data, num_replicas=3, rank=rank, seed=7) for rank in range(3)]
    epochs = [[list(sampler) for sampler in samplers]]
    torch.manual_seed(RANDOM_SEED)
    epochs.append([list(sampler) for sampler in samplers])
    for sampler in samplers:
        sampler.set_epoch(1)
    epochs.append([list(sampler) for sampler in samplers])

    assert epochs[0] == epochs[1] != epochs[2]
    for epoch in epochs:
        assert [len(order) for order in epoch] == [4, 4, 4]
        assert set().union(*epoch) == set(data)
        assert sorted(sum(order.count(row) for order in epoch) for row in data) == [1] * 8 + [2] * 2
    assert epochs[2] == [list(DistributedSampler(data, num_replicas=3, rank=rank, seed=8)) for rank in range(3)]
    with pytest.raises((RuntimeError, ValueError), match="Default process group has not been initialized"):
        DistributedSampler(data)


def test_weighted_draws_have_a_limit_of_2_to_the_24():
    """On the CPU, `torch.multinomial` and a `WeightedRandomSampler` raise RuntimeError for more than 2**24 weights:
    "number of categories cannot exceed 2^24".

    The sampler raises when the loop starts, and not when it is made. To draw with replacement, look uniform numbers up
    in the sums of the weights, `ends = weights.double().cumsum(0)`: `torch.searchsorted(ends, ends[-1] * torch.rand(n,
    dtype=torch.float64), right=True)`.

    https://docs.pytorch.org/docs/stable/generated/torch.multinomial.html
    """
    many = torch.ones(()).expand(2**24 + 1)  # one number in memory
    sampler = WeightedRandomSampler(many.double(), num_samples=1)

    with pytest.raises(RuntimeError, match=r"number of categories cannot exceed 2\^24"):
        torch.multinomial(many, 1)
    with pytest.raises(RuntimeError, match=r"number of categories cannot exceed 2\^24"):
        list(sampler)
    assert torch.multinomial(many[1:], 2, replacement=True).shape == (2,)
    weights = torch.tensor([0.0, 1.0, 0.0, 3.0, 0.0])
    ends = weights.double().cumsum(0)
    drawn = torch.searchsorted(ends, ends[-1] * torch.rand(200, dtype=torch.float64), right=True)
    assert set(drawn.tolist()) == {1, 3}


class Draws(Dataset):
    """Six items, each the worker it came from, the worker's seed, and a number from each library."""

    def __len__(self):
        return 6

    def __getitem__(self, index):
        return get_worker_info().id, torch.initial_seed(), torch.rand(()).item(), np.random.rand(), random.random()


@few_cores
@pytest.mark.myth("every worker of a DataLoader draws the same NumPy numbers")
def test_every_worker_has_its_own_seed_in_every_library():
    """The two worker processes of a DataLoader draw different numbers from torch, `random` and `np.random`, and a
    seeded run repeats them.

    PyTorch seeds all three in every worker. `torch.initial_seed()` there is one base seed plus the worker's number. A
    generator that the dataset holds is not seeded: see below.

    https://docs.pytorch.org/docs/stable/data.html
    """

    def run():
        generator = torch.Generator().manual_seed(RANDOM_SEED)
        return [tuple(item) for item in DataLoader(Draws(), batch_size=None, num_workers=2, generator=generator)]

    base = torch.empty((), dtype=torch.int64).random_(generator=torch.Generator().manual_seed(RANDOM_SEED)).item()
    items = run()

    workers, seeds, *numbers = zip(*items, strict=True)
    assert workers == (0, 1, 0, 1, 0, 1)
    assert seeds == (base, base + 1) * 3
    assert [len(set(column)) for column in numbers] == [6, 6, 6]  # torch, NumPy, random: no number comes twice
    assert run() == items


def seed_every_worker_alike(worker_id):
    torch.manual_seed(0)
    np.random.seed(0)
    random.seed(0)


def seed_numpy_alike(worker_id):
    np.random.seed(0)


@few_cores
def test_a_constant_seed_in_worker_init_fn_makes_workers_repeat_each_other():
    """A `worker_init_fn` that seeds a library with a constant makes all workers draw the same numbers from that
    library.

    It runs in each worker after PyTorch has seeded that worker, and what it does not seed stays different. Leave the
    seeding to PyTorch, or start from `torch.initial_seed()`, which differs from worker to worker (for `np.random.seed`,
    take it `% 2**32`).

    https://docs.pytorch.org/docs/stable/notes/randomness.html
    """
    loader = DataLoader(Draws(), batch_size=None, num_workers=2, worker_init_fn=seed_every_worker_alike)

    items = [tuple(item) for item in loader]

    assert [item[0] for item in items] == [0, 1, 0, 1, 0, 1]
    for one, another in zip(items[0::2], items[1::2], strict=True):
        assert one[1:] == another[1:]

    only_numpy = DataLoader(Draws(), batch_size=None, num_workers=2, worker_init_fn=seed_numpy_alike)
    (_, *one), (_, *another) = list(only_numpy)[:2]
    assert [a == b for a, b in zip(one, another, strict=True)] == [False, False, True, False]


class Augments(Dataset):
    """Eight items, each its index and a random number."""

    def __init__(self, by_item=False):
        self.by_item = by_item

    def __len__(self):
        return 8

    def __getitem__(self, index):
        generator = torch.Generator().manual_seed(index) if self.by_item else None
        return index, torch.rand((), generator=generator).item()


@few_cores
def test_another_number_of_workers_is_another_run():
    """After `torch.manual_seed(42)`, a DataLoader with `shuffle=True` and 0, 1 or 2 workers gives one order in its
    first epoch, but the random numbers that the dataset draws for the items differ.

    With `num_workers=0` the dataset draws from the main process's generator, so that the order of the second epoch
    differs too: a `generator=` for the loader keeps the orders. To have augmentations that do not depend on the
    workers, seed by the item: `torch.Generator().manual_seed(epoch * len(data) + index)`.

    https://docs.pytorch.org/docs/stable/notes/randomness.html
    """

    def run(workers, epochs=2, data=None, **options):
        torch.manual_seed(RANDOM_SEED)
        loader = DataLoader(data or Augments(), batch_size=None, shuffle=True, num_workers=workers, **options)
        return [tuple(zip(*loader, strict=True)) for _ in range(epochs)]

    none, one, two = run(0), run(1), run(2, epochs=1)

    assert none[0][0] == one[0][0] == two[0][0]
    assert len({none[0][1], one[0][1], two[0][1]}) == 3
    assert none[1][0] != one[1][0]
    none, one = (run(workers, generator=torch.Generator().manual_seed(1)) for workers in (0, 1))
    assert [order for order, _ in none] == [order for order, _ in one]
    assert run(0, epochs=1, data=Augments(by_item=True)) == run(1, epochs=1, data=Augments(by_item=True))


def generator_of_its_own(worker_id):
    get_worker_info().dataset.rng = np.random.default_rng(torch.initial_seed())


class HoldsGenerator(Dataset):
    """Four items, each the worker it came from and a number from a generator that the dataset holds."""

    def __init__(self):
        self.rng = np.random.default_rng(RANDOM_SEED)

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return get_worker_info().id, self.rng.random()


@few_cores
def test_a_generator_inside_the_dataset_repeats_itself_in_every_worker():
    """A generator of NumPy that a dataset holds, such as `np.random.default_rng(42)`, is copied into every worker
    process: all workers draw the same numbers, and so do the new workers of the next epoch, unless the main process
    draws from it in between.

    PyTorch seeds only the global generators. An augmentation then repeats itself silently. Make the generator in the
    worker instead, in `worker_init_fn`: `get_worker_info().dataset.rng = np.random.default_rng(torch.initial_seed())`.
    A `torch.Generator` is copied where workers are forked; `spawn` and `forkserver` can fail to send it.

    https://docs.pytorch.org/docs/stable/data.html
    """
    loader = DataLoader(HoldsGenerator(), batch_size=None, num_workers=2)

    epochs = [[tuple(item) for item in loader] for _ in range(2)]

    workers, numbers = zip(*epochs[0], strict=True)
    assert workers == (0, 1, 0, 1)
    assert numbers[0] == numbers[1] != numbers[2] == numbers[3]
    assert epochs[1] == epochs[0]
    loader.dataset.rng.random()
    moved = list(loader)
    assert moved[0][1] == numbers[2]

    mended = DataLoader(HoldsGenerator(), batch_size=None, num_workers=2, worker_init_fn=generator_of_its_own)
    assert len({number for _ in range(2) for _, number in mended}) == 8


# A generator of its own


def test_a_generator_is_a_stream_of_its_own(device):
    """Drawing from a new `torch.Generator` does not move the global generator, and `torch.manual_seed` does not seed
    the new one.

    Give a part of a program, such as a split or an augmentation, a `generator=` of its own, and it repeats whatever
    else is drawn around it.

    https://docs.pytorch.org/docs/stable/generated/torch.Generator.html
    """
    torch.manual_seed(1)
    undisturbed = torch.rand(6, device=device)
    own = torch.rand(6, device=device, generator=torch.Generator(device=device).manual_seed(2))

    torch.manual_seed(1)
    generator = torch.Generator(device=device).manual_seed(2)
    mixed = [(torch.rand(6, device=device, generator=generator), torch.rand(6, device=device)) for _ in range(2)]
    torch.manual_seed(1)
    again = torch.rand(6, device=device, generator=generator)

    assert torch.equal(mixed[0][0], own)
    assert torch.equal(mixed[0][1], undisturbed)
    generator.manual_seed(2)
    expected = [torch.rand(6, device=device, generator=generator) for _ in range(3)]
    assert torch.equal(mixed[1][0], expected[1])
    assert torch.equal(again, expected[2])


def test_manual_seed_returns_the_global_generator():
    """`generator = torch.manual_seed(42)` makes no new generator: it seeds the global one and returns it.

    Handed on as `generator=`, it still moves when the CPU draws without a `generator=`. Write
    `torch.Generator().manual_seed(42)` for a generator of its own.

    https://docs.pytorch.org/docs/stable/generated/torch.manual_seed.html
    """
    generator = torch.manual_seed(RANDOM_SEED)
    one = torch.rand(3, generator=generator)
    two = torch.rand(3)

    assert generator is torch.default_generator
    torch.manual_seed(RANDOM_SEED)
    assert torch.equal(torch.cat([one, two]), torch.rand(6))  # both came from the one stream


def test_unseeded_generators_are_all_alike(device):
    """A new `torch.Generator` starts from the seed 67280421310721, so two of one device that nobody seeds give the same
    numbers.

    They do so in every run: what looks random was not. Call `generator.seed()` for a seed from the system, or
    `generator.manual_seed(number)` with another number for each.

    https://docs.pytorch.org/docs/stable/generated/torch.Generator.html
    """
    one, another = torch.Generator(device=device), torch.Generator(device=device)

    assert one.initial_seed() == another.initial_seed() == 67280421310721
    first, same = (torch.rand(5, device=device, generator=generator) for generator in (one, another))
    assert torch.equal(first, same)
    assert another.seed() == another.initial_seed() != 67280421310721


def test_a_generators_seed_must_be_a_python_int():
    """`Generator.manual_seed` takes a Python `int` only: a float, a bool and a NumPy integer raise, although
    `torch.manual_seed` takes all three.

    Write `generator.manual_seed(int(seed))`.

    https://docs.pytorch.org/docs/stable/generated/torch.Generator.html
    """
    generator = torch.Generator()

    for seed in (1.9, True, np.int64(1)):
        torch.manual_seed(seed)
        assert torch.initial_seed() == 1
        with pytest.raises((RuntimeError, TypeError), match=r"expected a long|integer is required"):
            generator.manual_seed(seed)
        assert generator.manual_seed(int(seed)).initial_seed() == 1


@given(seed=SEEDS, size=st.integers(1, 40))
def test_a_generator_gives_the_global_numbers_of_its_seed_for_every_seed(device, seed, size):
    """For every seed, `torch.rand`, `torch.randn` and `torch.randperm` give the same numbers with
    `torch.Generator().manual_seed(seed)` as they give without a generator after `torch.manual_seed(seed)`.

    Do not seed both with one number: a split and the first weights would then be made of the same numbers.

    https://docs.pytorch.org/docs/stable/generated/torch.Generator.html
    """
    generator = torch.Generator(device=device).manual_seed(seed)
    torch.manual_seed(seed)

    assert generator.initial_seed() == seed
    for draw in (torch.rand, torch.randn, torch.randperm):
        assert torch.equal(draw(size, device=device, generator=generator), draw(size, device=device))


CONSTANT_INITS = ["constant_", "dirac_", "eye_", "ones_", "zeros_"]
INITS = [name for name in dir(nn.init) if name.endswith("_") and not name.startswith("_")]


@pytest.mark.holds("torch>=2.2", otherwise=TypeError, change="new", concerns="torch.nn.init(generator)")
@pytest.mark.parametrize("name", sorted(set(INITS) - {*CONSTANT_INITS, "sparse_", "trunc_normal_"}))
def test_first_weights_can_have_a_generator_of_their_own(name, device):
    """From torch 2.2 on, the functions of `nn.init` that draw take `generator=`, and all but `sparse_` follow it alone;
    up to 2.1 `generator=` raises TypeError, except for `trunc_normal_` in 2.1.

    `sparse_` follows it in part: see the next note. Functions that draw nothing, such as `zeros_`, take no
    `generator=`, and neither does `nn.Linear`: seed before the layer is made, or draw its weights again.

    https://docs.pytorch.org/docs/stable/nn.init.html
    """
    for init in (getattr(nn.init, name), nn.init.trunc_normal_):
        torch.manual_seed(RANDOM_SEED)
        expected, undisturbed = init(torch.empty(3, 4, device=device)), torch.rand(3, device=device)

        generator = torch.Generator(device=device).manual_seed(RANDOM_SEED)
        before = torch.get_rng_state()
        own = init(torch.empty(3, 4, device=device), generator=generator)
        after = torch.rand(3, device=device, generator=generator)

        assert torch.equal(own, expected)
        assert torch.equal(after, undisturbed)
        assert torch.equal(torch.get_rng_state(), before)  # the global generator did not move
    for draws_nothing in [*(getattr(nn.init, constant) for constant in CONSTANT_INITS), nn.Linear]:
        assert "generator" not in inspect.signature(draws_nothing).parameters


@pytest.mark.holds("torch>=2.2", otherwise=TypeError, change="new")
def test_sparse_takes_its_zeros_from_the_global_generator(device):
    """`nn.init.sparse_(..., generator=generator)` draws its numbers from `generator` and the places of its zeros from
    the global generator.

    It is the CPU's global generator for a weight on a GPU, too. To repeat `sparse_`, call `torch.manual_seed` as well.

    https://docs.pytorch.org/docs/stable/nn.init.html
    """

    def sparse(global_seed):
        torch.default_generator.manual_seed(global_seed)  # that of the CPU
        generator = torch.Generator(device=device).manual_seed(RANDOM_SEED)
        return nn.init.sparse_(torch.empty(20, 4, device=device), sparsity=0.5, generator=generator)

    one, another = sparse(1), sparse(2)

    assert torch.equal(one, sparse(1))
    assert not torch.equal(one == 0, another == 0)
    both = (one != 0) & (another != 0)
    assert torch.equal(one[both], another[both])


@pytest.mark.holds(
    "torch>=2.10",
    otherwise=TypeError,
    change="new",
    concerns=("torch.rand_like(generator)", "torch.randn_like(generator)", "torch.randint_like(generator)"),
)
@pytest.mark.parametrize(
    "draw",
    [
        pytest.param(lambda tensor, **kwargs: torch.rand_like(tensor, **kwargs), id="rand_like"),
        pytest.param(lambda tensor, **kwargs: torch.randn_like(tensor, **kwargs), id="randn_like"),
        pytest.param(lambda tensor, **kwargs: torch.randint_like(tensor, 1000, **kwargs), id="randint_like"),
    ],
)
def test_draws_like_a_tensor_take_a_generator(draw, device):
    """From torch 2.10 on, `rand_like`, `randn_like` and `randint_like` take `generator=`; up to 2.9 that raises
    TypeError.

    `torch.rand` takes one in every release since 2.0: write
    `torch.rand(x.shape, dtype=x.dtype, device=x.device, generator=generator)`.

    https://docs.pytorch.org/docs/stable/generated/torch.rand_like.html
    """
    template = torch.zeros(2, 3, device=device)
    torch.manual_seed(RANDOM_SEED)
    expected = draw(template)

    generator = torch.Generator(device=device).manual_seed(RANDOM_SEED)
    torch.manual_seed(1)
    undisturbed = torch.rand(3, device=device)
    torch.manual_seed(1)
    assert torch.equal(draw(template, generator=generator), expected)
    assert torch.equal(torch.rand(3, device=device), undisturbed)


@pytest.mark.holds("torch>=2.4", otherwise=TypeError, change="new")
@pytest.mark.parametrize(
    "duplicate",
    [lambda thing: copy.deepcopy(thing), lambda thing: pickle.loads(pickle.dumps(thing))],
    ids=["deepcopy", "pickle"],
)
def test_a_generator_can_be_copied(duplicate):
    """From torch 2.4 on, `copy.deepcopy` and `pickle` copy a `torch.Generator` of the CPU, also one that a sampler
    holds, and the copy goes on from where the original stands.

    Up to 2.3 both raise TypeError. Pass on `generator.get_state()` there.

    https://docs.pytorch.org/docs/stable/generated/torch.Generator.html
    """
    # On the CPU alone: an mps generator was copied at its start until 2026, wherever it stood.
    generator = torch.Generator().manual_seed(RANDOM_SEED)
    torch.rand(5, generator=generator)

    twin = duplicate(generator)
    inside = duplicate(RandomSampler(range(9), generator=generator)).generator

    numbers = torch.rand(3, generator=generator)
    for copied in (twin, inside):
        assert torch.equal(torch.rand(3, generator=copied), numbers)
        assert not torch.equal(torch.rand(3, generator=copied), numbers)
        assert copied.initial_seed() == RANDOM_SEED


# Going back: how is a state saved and restored?


def test_a_state_is_a_bookmark(device):
    """On the CPU and CUDA, `generator.get_state()` copies where a generator stands, and `generator.set_state` goes back
    there, any number of times.

    A seed goes back to the start; a state goes back to the middle. Save the state in a checkpoint to go on with the
    numbers that the run would have drawn.

    https://docs.pytorch.org/docs/stable/generated/torch.Generator.html
    """
    generator = torch.Generator(device=device).manual_seed(RANDOM_SEED)
    first = torch.rand(5, device=device, generator=generator)
    bookmark = generator.get_state()
    second = torch.rand(5, device=device, generator=generator)

    assert bookmark.dtype == torch.uint8
    assert bookmark.device == torch.device("cpu")
    assert not torch.equal(first, second)
    replays = []
    for _ in range(2):
        generator.set_state(bookmark)
        replays.append(torch.rand(5, device=device, generator=generator))
    assert torch.equal(replays[0], replays[1])
    if device.type != "mps":  # whose generator went back to its seed in early releases
        assert torch.equal(replays[0], second)


@given(seed=SEEDS, drawn=st.integers(0, 20), size=st.integers(1, 20))
def test_rng_state_replays_what_follows_for_every_state(seed, drawn, size):
    """After `state = torch.get_rng_state()`, `torch.set_rng_state(state)` makes the CPU's global generator repeat what
    it drew since, wherever it stood.

    The state is that of one generator: a `torch.Generator` of your own, NumPy and Python's `random` go on. A checkpoint
    needs their states too.

    https://docs.pytorch.org/docs/stable/generated/torch.set_rng_state.html
    """
    own = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    torch.randn(drawn)  # an odd number of normal numbers leaves one waiting: the state must hold that too
    state = torch.get_rng_state()
    normal, uniform, order = torch.randn(size), torch.rand(size), torch.randperm(size)
    others = [torch.rand(4, generator=own).tolist(), np.random.rand(4).tolist(), random.random()]

    torch.set_rng_state(state)
    assert torch.equal(torch.randn(size), normal)
    assert torch.equal(torch.rand(size), uniform)
    assert torch.equal(torch.randperm(size), order)
    again = [torch.rand(4, generator=own).tolist(), np.random.rand(4).tolist(), random.random()]
    assert [one == another for one, another in zip(others, again, strict=True)] == [False] * 3


def test_a_saved_state_must_be_bytes_on_the_cpu(device_pair):
    """`torch.set_rng_state` and `Generator.set_state` raise TypeError, "RNG state must be a torch.ByteTensor", for a
    state that is on another device than the CPU or of another dtype than uint8.

    `torch.load(path, map_location="cuda")` moves the state in a checkpoint along with the weights. Write
    `torch.set_rng_state(checkpoint["rng_state"].cpu())`, or load with `map_location="cpu"`.

    https://docs.pytorch.org/docs/stable/generated/torch.set_rng_state.html
    """
    _, elsewhere = device_pair
    generator = torch.Generator().manual_seed(RANDOM_SEED)
    state = generator.get_state()
    first = torch.rand(3, generator=generator)

    for wrong in (state.to(elsewhere), state.float()):
        for set_state in (torch.set_rng_state, torch.Generator().set_state):
            with pytest.raises(TypeError, match=r"RNG state must be a torch\.ByteTensor"):
                set_state(wrong)
    for place in (elsewhere, torch.device("cpu")):
        file = io.BytesIO()
        torch.save({"rng_state": state}, file)
        file.seek(0)
        assert torch.load(file, map_location=place)["rng_state"].device == place
    torch.set_rng_state(state.float().byte().cpu())
    assert torch.equal(torch.rand(3), first)


def test_fork_rng_gives_the_stream_back():
    """After `with torch.random.fork_rng(devices=[]):` the CPU's global generator stands where it stood before, whatever
    the block drew or seeded, and also if the block raised an exception.

    Use it around code that draws, such as a look at some samples, so that the training does not change. A
    `torch.Generator` of your own, NumPy and Python's `random` are not given back; for GPUs, see the note on `devices`
    below.

    https://docs.pytorch.org/docs/stable/random.html
    """
    torch.manual_seed(RANDOM_SEED)
    before, undisturbed = torch.rand(2), torch.rand(6)

    torch.manual_seed(RANDOM_SEED)
    assert torch.equal(torch.rand(2), before)
    with torch.random.fork_rng(devices=[]):
        assert torch.equal(torch.rand(3), undisturbed[:3])  # inside, the stream goes on
        torch.manual_seed(0)
    assert torch.equal(torch.rand(3), undisturbed[:3])
    with pytest.raises(KeyError, match="oops"), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        raise KeyError("oops")
    assert torch.equal(torch.rand(3), undisturbed[3:])

    own = torch.Generator().manual_seed(RANDOM_SEED)
    with torch.random.fork_rng(devices=[]):
        inside = [torch.rand(4, generator=own).tolist(), np.random.rand(4).tolist(), random.random()]
    after = [torch.rand(4, generator=own).tolist(), np.random.rand(4).tolist(), random.random()]
    assert [one == another for one, another in zip(inside, after, strict=True)] == [False] * 3


@pytest.mark.holds("torch>=2.1", otherwise=TypeError, change="new")
def test_fork_rng_can_be_told_the_kind_of_device():
    """From torch 2.1 on, `torch.random.fork_rng` takes `device_type=`; in 2.0 that raises TypeError.

    Its default was "cuda" at first and is None in newer releases: name the kind, as `device_type="xpu"`, if your
    accelerator is another one.

    https://docs.pytorch.org/docs/stable/random.html
    """
    torch.manual_seed(RANDOM_SEED)
    expected = torch.rand(3)

    torch.manual_seed(RANDOM_SEED)
    with torch.random.fork_rng(devices=[], device_type="cuda"):
        torch.rand(5)

    assert torch.equal(torch.rand(3), expected)
    assert inspect.signature(torch.random.fork_rng).parameters["device_type"].default in ("cuda", None)


def test_initial_seed_names_the_seed_and_not_the_state(device):
    """`torch.initial_seed()` returns the seed that the global generator started from, and drawing does not change it.

    Write it into the log to repeat a run from its start. It cannot continue a run from its middle: save the state for
    that. `torch.set_rng_state` brings the seed of the saved state back, and a seed of -1 is returned as 2**64 - 1.

    https://docs.pytorch.org/docs/stable/generated/torch.initial_seed.html
    """
    torch.manual_seed(RANDOM_SEED)
    torch.rand(1000), torch.rand(1000, device=device)
    state = torch.get_rng_state()
    assert torch.initial_seed() == 42

    torch.manual_seed(-1)
    assert torch.initial_seed() == 2**64 - 1
    torch.set_rng_state(state)
    assert torch.initial_seed() == 42  # and not the seed that was set last


def test_torch_seed_draws_a_new_seed_and_tells_it(device):
    """`torch.seed()` takes a new seed from the system, sets it and returns it.

    Write the number into the log: `torch.manual_seed(number)` then repeats what torch drew.

    https://docs.pytorch.org/docs/stable/generated/torch.seed.html
    """
    earlier = torch.seed()
    seed = torch.seed()
    numbers = torch.rand(5, device=device)

    assert torch.initial_seed() == seed != earlier
    torch.manual_seed(seed)
    assert torch.equal(torch.rand(5, device=device), numbers)


# CPU and GPU: do they draw the same numbers?


def test_numbers_drawn_on_the_cpu_are_the_same_on_every_device(device):
    """`torch.rand(3, device="cpu").to(device)` gives the numbers of the CPU on any device: they are drawn first and
    moved then.

    Write that if a result on a GPU must be compared with one on the CPU. `torch.rand(3, device=device)` draws on the
    device, and so does `torch.rand(3)` inside `with device:` or after `torch.set_default_device(device)`.

    https://docs.pytorch.org/docs/stable/notes/randomness.html
    """
    torch.manual_seed(RANDOM_SEED)
    tensor = torch.rand(3, device="cpu").to(device)
    with torch.device("meta"):
        elsewhere, here = torch.rand(3), torch.rand(3, device="cpu")

    assert (elsewhere.device.type, here.device.type) == ("meta", "cpu")
    assert tensor.device == device
    assert [round(number, 4) for number in tensor.tolist()] == [0.8823, 0.9150, 0.3829]


def test_same_seed_other_device_other_numbers(accelerator):
    """After one `torch.manual_seed(42)`, `torch.rand(100)` on a GPU gives other numbers than on the CPU.

    The GPU's generator works by another rule. Draw on the CPU and move the tensor if both must have the same numbers.

    https://docs.pytorch.org/docs/stable/notes/randomness.html
    """
    torch.manual_seed(RANDOM_SEED)
    here, there = torch.rand(100), torch.rand(100, device=accelerator).cpu()

    assert torch.initial_seed() == RANDOM_SEED
    assert not torch.equal(here, there)


def test_drawing_on_one_device_does_not_move_another(device_pair):
    """`torch.randn`, `torch.randperm` and dropout on one device do not change the numbers that another device draws
    next.

    Each device has a generator of its own. `nn.init.sparse_` of a weight on a GPU draws on both: see "A generator of
    its own".

    https://docs.pytorch.org/docs/stable/random.html
    """
    one, elsewhere = device_pair
    torch.manual_seed(RANDOM_SEED)
    first, second = torch.rand(5, device=one), torch.rand(5, device=one)

    torch.manual_seed(RANDOM_SEED)
    torch.randn(7, device=elsewhere)
    assert torch.equal(torch.rand(5, device=one), first)
    torch.randperm(9, device=elsewhere)
    F.dropout(torch.ones(8, device=elsewhere))
    assert torch.equal(torch.rand(5, device=one), second)


def test_a_generator_works_on_its_own_device_only(accelerator):
    """`torch.Generator()` is one for the CPU, and drawing on a GPU with it raises RuntimeError; so does drawing on the
    CPU with the Generator of a GPU.

    The error reads like "Expected a 'cuda' device type for generator but found 'cpu'". Write
    `torch.Generator(device=device)` next to `torch.rand(..., device=device)`.

    https://docs.pytorch.org/docs/stable/generated/torch.Generator.html
    """
    assert torch.Generator().device == torch.device("cpu")
    assert torch.Generator(device=accelerator).device.type == accelerator.type  # the one of mps may have no index
    with pytest.raises(RuntimeError, match=r"Expected a .*generator.* but found"):
        torch.rand(2, device=accelerator, generator=torch.Generator())
    with pytest.raises(RuntimeError, match=r"Expected a .*generator.* but found"):
        torch.rand(2, generator=torch.Generator(device=accelerator))


def test_the_seeds_of_cuda_do_not_reach_the_cpu():
    """`torch.cuda.manual_seed` and `torch.cuda.manual_seed_all` do not seed the CPU, and without CUDA they silently do
    nothing.

    `torch.manual_seed` seeds the CPU and the GPUs: one call is enough.

    https://docs.pytorch.org/docs/stable/generated/torch.cuda.manual_seed_all.html
    """
    torch.manual_seed(RANDOM_SEED)
    expected = torch.rand(4)

    torch.manual_seed(RANDOM_SEED)
    torch.cuda.manual_seed(7)
    torch.cuda.manual_seed_all(7)

    assert torch.equal(torch.rand(4), expected)


def test_the_cpus_state_is_not_the_accelerators(accelerator):
    """`torch.get_rng_state()` and `torch.set_rng_state` are about the CPU's generator: they neither see nor rewind
    draws on a GPU.

    A checkpoint of a run on CUDA needs `torch.cuda.get_rng_state_all()` as well.

    https://docs.pytorch.org/docs/stable/random.html
    """
    before = torch.get_rng_state()
    first = torch.rand(5, device=accelerator)

    assert torch.equal(torch.get_rng_state(), before)
    torch.set_rng_state(before)
    assert not torch.equal(torch.rand(5, device=accelerator), first)  # it was not rewound


@pytest.mark.only("cuda", "xpu", because="what torch.mps.set_rng_state goes back to has moved, and was not tried")
def test_an_accelerators_state_is_read_and_set_by_its_module(accelerator):
    """`torch.cuda.get_rng_state(device)` reads the state of that GPU's generator, and `torch.cuda.set_rng_state` goes
    back there.

    What the CPU drew in between is not in it: `torch.get_rng_state()` is the CPU's. A checkpoint needs both.

    https://docs.pytorch.org/docs/stable/generated/torch.cuda.get_rng_state.html
    """
    module = getattr(torch, accelerator.type)
    torch.rand(3, device=accelerator)
    state = module.get_rng_state(accelerator)
    there, here = torch.rand(5, device=accelerator), torch.rand(5)

    assert (state.dtype, state.device) == (torch.uint8, torch.device("cpu"))
    assert not torch.equal(module.get_rng_state(accelerator), state)
    module.set_rng_state(state, accelerator)
    assert torch.equal(module.get_rng_state(accelerator), state)
    assert torch.equal(torch.rand(5, device=accelerator), there)
    assert not torch.equal(torch.rand(5), here)  # the CPU went on


@pytest.mark.only("cuda", because="up to torch 2.12 fork_rng means CUDA's devices unless it is told another type")
def test_fork_rng_covers_the_gpus_it_is_told(accelerator):
    """`torch.random.fork_rng(devices=[...])` gives back the stream of the CPU and of the GPUs in the list, and not that
    of a GPU that is not in it.

    Leave `devices` out for all GPUs.

    https://docs.pytorch.org/docs/stable/random.html
    """
    torch.manual_seed(RANDOM_SEED)
    first, second = torch.rand(5, device=accelerator), torch.rand(5, device=accelerator)

    torch.manual_seed(RANDOM_SEED)
    with torch.random.fork_rng(devices=[accelerator.index]):
        assert torch.equal(torch.rand(5, device=accelerator), first)
    assert torch.equal(torch.rand(5, device=accelerator), first)  # it was given back
    torch.manual_seed(RANDOM_SEED)
    with torch.random.fork_rng(devices=[]):
        assert torch.equal(torch.rand(5, device=accelerator), first)
    assert torch.equal(torch.rand(5, device=accelerator), second)  # it was not


# When the same seed gives other numbers: shape, dtype and layout


def test_different_spellings_of_one_draw(device):
    """With one seed, `torch.rand`, `torch.rand_like` and `uniform_()` give the same numbers for a contiguous tensor,
    and so do `torch.randn`, `torch.randn_like`, `normal_()` and `torch.normal(0.0, 1.0, size)`.

    Choose the spelling that reads best: none of them is more random than another.

    https://docs.pytorch.org/docs/stable/torch.html#random-sampling
    """
    template = torch.zeros(4, 10, device=device)
    uniform = [lambda: torch.rand(4, 10, device=device), lambda: torch.rand_like(template), template.clone().uniform_]
    normal = [lambda: torch.randn(4, 10, device=device), lambda: torch.randn_like(template), template.clone().normal_]
    normal.append(lambda: torch.normal(0.0, 1.0, (4, 10), device=device))

    for spellings in (uniform, normal):
        numbers = []
        for draw in spellings:
            torch.manual_seed(RANDOM_SEED)
            numbers.append(draw())
        assert all(torch.equal(number, numbers[0]) for number in numbers)


def test_rand_like_of_a_transposed_tensor_is_another_draw():
    """On the CPU, `torch.rand_like(x.T)` of a contiguous matrix `x` with several rows and columns puts the numbers of
    one seed in another order than `torch.rand(x.T.shape)`.

    `rand_like` keeps the layout of `x.T`, and the numbers fill the memory from front to back, as do those of
    `uniform_`. Write `torch.rand(x.T.shape)` if the layout must not matter. A single row has one layout only.

    https://docs.pytorch.org/docs/stable/generated/torch.rand_like.html
    """
    x = torch.zeros(3, 4)
    torch.manual_seed(RANDOM_SEED)
    rows_first = torch.rand(4, 3)
    torch.manual_seed(RANDOM_SEED)
    like = torch.rand_like(x.T)
    torch.manual_seed(RANDOM_SEED)
    x.T.uniform_()

    assert like.shape == rows_first.shape == (4, 3)
    assert not torch.equal(like, rows_first)
    assert torch.equal(like.T.flatten(), rows_first.flatten())  # the same numbers in the order of the memory
    assert torch.equal(like, x.T)

    row = torch.zeros(1, 4)
    torch.manual_seed(RANDOM_SEED)
    column = torch.rand(4, 1)
    torch.manual_seed(RANDOM_SEED)
    assert torch.equal(torch.rand_like(row.T), column)


def test_one_draw_of_24_is_two_draws_of_12():
    """On the CPU, `torch.rand` gives the same float32 numbers however they are cut into draws and shapes.

    Each float32 number takes one step of the generator, and each float64 number takes two. `torch.randn` is different:
    see the next note.

    https://docs.pytorch.org/docs/stable/generated/torch.rand.html
    """
    torch.manual_seed(RANDOM_SEED)
    at_once = torch.rand(24)

    torch.manual_seed(RANDOM_SEED)
    in_parts = [torch.rand(3, 4).flatten(), torch.rand(5), torch.rand(7, 1).flatten()]

    assert torch.equal(torch.cat(in_parts), at_once)

    torch.manual_seed(RANDOM_SEED)
    torch.rand(4, dtype=torch.float64)
    assert torch.equal(torch.rand(3), at_once[8:11])


@pytest.mark.myth("a longer draw begins with the numbers of a shorter one")
def test_randn_16_does_not_begin_like_randn_15():
    """On the CPU, `torch.randn(16)` does not begin with the numbers of `torch.randn(15)`, though `torch.rand(16)` does
    begin with those of `torch.rand(15)`.

    From 16 numbers on, another routine fills in the normal numbers (a complex number counts as two). Another batch size
    can therefore mean other noise. To repeat `randn`, repeat the shape as well.

    https://docs.pytorch.org/docs/stable/notes/randomness.html
    """

    def begins_like_a_shorter_one(draw, size, **kwargs):
        torch.manual_seed(RANDOM_SEED)
        longer = draw(size, **kwargs)
        torch.manual_seed(RANDOM_SEED)
        return torch.equal(longer[:-1], draw(size - 1, **kwargs))

    assert all(begins_like_a_shorter_one(torch.rand, size) for size in range(2, 20))
    assert [size for size in range(2, 18) if not begins_like_a_shorter_one(torch.randn, size)] == [16, 17]
    assert begins_like_a_shorter_one(torch.randn, 7, dtype=torch.complex64)
    assert not begins_like_a_shorter_one(torch.randn, 8, dtype=torch.complex64)
    for size, beginning in [(15, [0.3367, 0.1288]), (16, [1.9269, 1.4873])]:
        torch.manual_seed(RANDOM_SEED)
        assert [round(number, 4) for number in torch.randn(size)[:2].tolist()] == beginning


def test_rand_in_float64_is_another_draw():
    """On the CPU, `torch.rand` in float64 gives other numbers than in float32 after the same seed, and not the same
    ones with more digits.

    `torch.set_default_dtype(torch.float64)` therefore changes what `torch.rand(3)` draws. Write
    `torch.rand(3, dtype=torch.float32).double()` to have the float32 numbers in float64, whatever the default is.

    https://docs.pytorch.org/docs/stable/generated/torch.rand.html
    """
    torch.manual_seed(RANDOM_SEED)
    single = torch.rand(3)
    torch.manual_seed(RANDOM_SEED)
    double = torch.rand(3, dtype=torch.float64)
    try:
        torch.set_default_dtype(torch.float64)
        torch.manual_seed(RANDOM_SEED)
        by_default = torch.rand(3)
        torch.manual_seed(RANDOM_SEED)
        widened = torch.rand(3, dtype=torch.float32).double()
    finally:
        torch.set_default_dtype(torch.float32)

    assert torch.equal(by_default, double)
    assert torch.equal(widened, single.double())
    assert (single.dtype, double.dtype) == (torch.float32, torch.float64)
    assert [round(number, 4) for number in single.tolist()] == [0.8823, 0.9150, 0.3829]
    assert [round(number, 4) for number in double.tolist()] == [0.0582, 0.0629, 0.1236]


def test_small_randn_and_randint_are_the_same_in_two_dtypes():
    """On the CPU, `torch.randn` of 15 numbers is the same draw in float32 and float64, up to rounding, and of 16
    numbers it is not. `torch.randint(0, n, ...)` gives the same integers in int32 and int64.

    A test with a small tensor can therefore hide that a model in float64 starts from other weights: compare draws of
    the size that you use.

    https://docs.pytorch.org/docs/stable/generated/torch.randn.html
    """

    def drawn(draw, dtype):
        torch.manual_seed(RANDOM_SEED)
        return draw(dtype)

    def same(draw, narrow, wide):
        return torch.equal(drawn(draw, wide).to(narrow), drawn(draw, narrow))

    assert same(lambda dtype: torch.randn(15, dtype=dtype), torch.float32, torch.float64)
    assert not same(lambda dtype: torch.randn(16, dtype=dtype), torch.float32, torch.float64)
    assert same(lambda dtype: torch.randint(0, 1000, (50,), dtype=dtype), torch.int32, torch.int64)


# What no seed promises: deterministic mode and other seeds


def test_deterministic_mode_refuses_what_it_cannot_do():
    """After `torch.use_deterministic_algorithms(True)`, `tensor.put_(index, values)` raises RuntimeError; with
    `warn_only=True` it warns and computes.

    The error says "does not have a deterministic implementation, but you set
    'torch.use_deterministic_algorithms(True)'". A seed is no help here: threads may write to one place in another
    order. Whether an operation raises can depend on its arguments: `put_(..., accumulate=True)` is allowed on the CPU.

    https://docs.pytorch.org/docs/stable/generated/torch.use_deterministic_algorithms.html
    """
    tensor, index, values = torch.zeros(4), torch.tensor([2, 1]), torch.tensor([5.0, 6.0])

    torch.use_deterministic_algorithms(True)
    try:
        message = "put_ does not have a deterministic implementation, but you set 'torch.use_deterministic_algorithms"
        with pytest.raises(RuntimeError, match=message):
            tensor.put_(index, values)
        assert tensor.tolist() == [0, 0, 0, 0]
        assert torch.zeros(4).put_(index, values, accumulate=True).tolist() == [0, 6, 5, 0]
        torch.use_deterministic_algorithms(True, warn_only=True)
        with pytest.warns(UserWarning, match="put_ does not have a deterministic implementation"):
            tensor.put_(index, values)
    finally:
        torch.use_deterministic_algorithms(False)

    assert tensor.tolist() == [0, 6, 5, 0]
    assert tensor.put_(torch.tensor([3]), torch.tensor([7.0])).tolist() == [0, 6, 5, 7]  # as usual again


@pytest.mark.holds(
    "torch>=2.1", otherwise=AssertionError, change="result", concerns="torch.use_deterministic_algorithms(True)"
)
def test_deterministic_mode_fills_what_is_left_empty(device):
    """From torch 2.1 on, `torch.empty` in deterministic mode is filled: float16, float32 and complex64 with NaN, uint8
    and the signed integers with their largest value, and bool with True.

    Outside of the mode it holds whatever lay in memory. A NaN or a huge integer in deterministic mode can be a sign
    that the program reads a tensor before it writes to it.

    https://docs.pytorch.org/docs/stable/deterministic.html
    """
    floats = [torch.float16, torch.float32, torch.complex64]
    integers = [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64]

    torch.use_deterministic_algorithms(True)
    try:
        empty = {dtype: torch.empty(2, 3, dtype=dtype, device=device) for dtype in [*floats, *integers, torch.bool]}
    finally:
        torch.use_deterministic_algorithms(False)

    for dtype in floats:
        assert empty[dtype].isnan().tolist() == [[True] * 3] * 2
    for dtype in integers:
        assert empty[dtype].tolist() == [[torch.iinfo(dtype).max] * 3] * 2
    assert empty[torch.bool].tolist() == [[True] * 3] * 2


@pytest.mark.only("cuda", because="the list of such operations is CUDA's own: mps and xpu have others")
def test_what_a_gpu_cannot_do_deterministically(accelerator):
    """In deterministic mode `torch.bincount` with weights raises RuntimeError on CUDA and computes on the CPU.
    `index_add`, which can give the same sums, computes on both.

    A GPU may add in another order in each run. The page below lists what raises, what takes another way, and
    on which device.

    https://docs.pytorch.org/docs/stable/generated/torch.use_deterministic_algorithms.html
    """
    bins, weights = torch.tensor([2, 0, 2]), torch.tensor([0.5, 1.0, 4.0])

    torch.use_deterministic_algorithms(True)
    try:
        on_the_cpu = torch.bincount(bins, weights)
        with pytest.raises(RuntimeError, match="does not have a deterministic implementation"):
            torch.bincount(bins.to(accelerator), weights.to(accelerator))
        added = torch.zeros(3, device=accelerator).index_add(0, bins.to(accelerator), weights.to(accelerator))
    finally:
        torch.use_deterministic_algorithms(False)

    assert on_the_cpu.tolist() == added.tolist() == [1, 0, 4.5]
    assert torch.bincount(bins.to(accelerator), weights.to(accelerator)).tolist() == [1, 0, 4.5]  # as usual again


@pytest.mark.only("nvidia", because="cuBLAS is CUDA's own: ROCm, mps and xpu never asked for the variable")
@pytest.mark.holds(
    "torch>=2.10",
    otherwise=RuntimeError,
    change="new",
    concerns=("$CUBLAS_WORKSPACE_CONFIG", "torch.use_deterministic_algorithms(True)"),
)
def test_matrix_products_are_deterministic_without_a_variable(accelerator, monkeypatch):
    """From torch 2.10 on, a matrix product on CUDA computes in deterministic mode; up to 2.9 it raises RuntimeError
    unless the environment variable CUBLAS_WORKSPACE_CONFIG is `:4096:8` or `:16:8`.

    With an older torch, set the variable before the script starts.

    https://docs.pytorch.org/docs/2.9/generated/torch.use_deterministic_algorithms.html
    """
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    x = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], device=accelerator)

    torch.use_deterministic_algorithms(True)
    try:
        product = x @ x.T
    finally:
        torch.use_deterministic_algorithms(False)

    assert product.tolist() == [[14, 32], [32, 77]]  # small integers: no rounding


def test_deterministic_mode_does_not_turn_cudnns_switches():
    """`torch.backends.cudnn.benchmark` and `torch.backends.cudnn.deterministic` are False by default, and
    `torch.use_deterministic_algorithms(True)` leaves them False.

    Do not set `benchmark = True` if runs must repeat: cuDNN then times several algorithms for a convolution and takes
    the fastest, which may be another one in the next run.

    https://docs.pytorch.org/docs/stable/notes/randomness.html
    """
    cudnn = torch.backends.cudnn
    at_first = cudnn.benchmark, cudnn.deterministic

    torch.use_deterministic_algorithms(True)
    try:
        in_the_mode = cudnn.benchmark, cudnn.deterministic
    finally:
        torch.use_deterministic_algorithms(False)

    assert at_first == in_the_mode == (False, False)


@pytest.mark.only("nvidia", because="the promise is cuDNN's: ROCm, mps and xpu were not tried")
def test_a_deterministic_convolution_repeats_to_the_last_bit(accelerator):
    """In deterministic mode a convolution on CUDA and the gradient of its kernel are the same to the last bit in each
    of three runs on one GPU.

    Do not expect the same bits from another GPU, driver or release.

    https://docs.pytorch.org/docs/stable/notes/randomness.html
    """
    x = torch.randn(4, 3, 16, 16, device=accelerator)
    runs = []

    torch.use_deterministic_algorithms(True)
    try:
        for _ in range(3):
            kernel = torch.linspace(-1, 1, 8 * 3 * 3 * 3).reshape(8, 3, 3, 3).to(accelerator).requires_grad_()
            y = F.conv2d(x, kernel)
            y.backward(torch.ones_like(y))
            runs.append((y.detach(), kernel.grad))
    finally:
        torch.use_deterministic_algorithms(False)

    assert (runs[0][0].shape, runs[0][1].shape) == ((4, 8, 14, 14), (8, 3, 3, 3))
    for y, gradient in runs[1:]:
        assert torch.equal(y, runs[0][0])
        assert torch.equal(gradient, runs[0][1])


def test_several_seeds_show_what_one_seed_hides(device):
    """Here, the same training from four seeds starts from four different weights and, stopped after ten steps, ends at
    four different weights.

    Report the spread over several seeds and not the best one. The four ends are close, because this problem has one
    solution, the line y = 2x + 1, and each step halves the distance to it.

    https://docs.pytorch.org/docs/stable/notes/randomness.html
    """
    x = torch.tensor([[-1.0], [1.0]], device=device)
    y = 2 * x + 1
    starts, ends = [], []
    for seed in range(4):
        torch.manual_seed(seed)
        model = nn.Linear(1, 1).to(device)  # drawn on the CPU: the same starts on every device
        starts.append(model.weight.item())
        for _ in range(10):
            loss = F.mse_loss(model(x), y)
            gradients = torch.autograd.grad(loss, list(model.parameters()))
            with torch.no_grad():
                for parameter, gradient in zip(model.parameters(), gradients, strict=True):
                    parameter -= 0.25 * gradient
        ends.append(model.weight.item())

    assert len(set(starts)) == len(set(ends)) == 4
    assert max(abs(end - 2) for end in ends) < 3 * 0.5**10
    assert max(starts) - min(starts) > 100 * (max(ends) - min(ends))


@pytest.mark.myth("a good model learns similar parameters from every seed")
def test_other_parameters_can_be_the_same_model(device):
    """Two networks whose hidden units stand in another order have different parameters and, up to rounding, the same
    outputs.

    Compare losses or outputs, and not weights. A hidden layer of n units has n! such orders.

    https://docs.pytorch.org/docs/stable/notes/randomness.html
    """
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)).to(device)
    twin = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)).to(device)
    weights = {
        "0.weight": torch.tensor([[1.0, 2.0], [-3.0, 1.0], [2.0, -1.0]]),
        "0.bias": torch.tensor([1.0, 0.0, -2.0]),
        "2.weight": torch.tensor([[4.0, 5.0, -6.0]]),
        "2.bias": torch.tensor([0.5]),
    }
    model.load_state_dict(weights)
    order = [2, 0, 1]
    swapped = {"0.weight": weights["0.weight"][order], "0.bias": weights["0.bias"][order]}
    twin.load_state_dict(weights | swapped | {"2.weight": weights["2.weight"][:, order]})

    x = torch.tensor([[1.0, 2.0], [-2.0, 3.0], [4.0, 1.0]], device=device)
    assert not torch.equal(twin[0].weight, model[0].weight)
    assert model(x).tolist() == twin(x).tolist() == [[24.5], [65.5], [-1.5]]  # small integers: no rounding


# What changed from one release to another?


@pytest.mark.parametrize("probability", [0.25, 0.5, 0.9])
def test_bernoulli_compares_rand_with_the_probabilities(probability):
    """On the CPU, `torch.bernoulli` of a float32 tensor of probabilities is 1 where `torch.rand` of the same seed is
    below the probability, in every release since 2.0.

    `torch.bernoulli(x, p)` with a number `p` is another draw: that of dropout, which the next note is about. Write
    `torch.rand(shape) < p` for a mask that has stayed the same.

    https://docs.pytorch.org/docs/stable/generated/torch.bernoulli.html
    """
    torch.manual_seed(RANDOM_SEED)
    ones = torch.bernoulli(torch.full((100,), probability))
    torch.manual_seed(RANDOM_SEED)
    ones_by_a_number = torch.bernoulli(torch.zeros(100), probability)

    torch.manual_seed(RANDOM_SEED)
    below = (torch.rand(100) < probability).float()
    assert torch.equal(ones, below)
    assert not torch.equal(ones_by_a_number, below)
    torch.manual_seed(RANDOM_SEED)
    assert torch.equal(F.dropout(torch.ones(100), 1 - probability) != 0, ones_by_a_number == 1)


# Up to torch 2.6, builds for these processors drew dropout masks and exponentials with Intel's library MKL.
@pytest.mark.holds(
    'torch>=2.7; platform_machine == "x86_64" or platform_machine == "AMD64"',
    otherwise=AssertionError,
    change="result",
    concerns=("torch.nn.Dropout", "torch.nn.functional.dropout"),
)
@pytest.mark.parametrize(
    "drop",
    [lambda x: F.dropout(x, 0.25), nn.Dropout(0.25), lambda x: F.dropout2d(x[..., None, None], 0.25)[..., 0, 0]],
    ids=["F.dropout", "nn.Dropout", "F.dropout2d"],
)
def test_dropout_masks_changed_in_2_7(drop):
    """From torch 2.7 on, `nn.Dropout` and `F.dropout` of a contiguous tensor on the CPU keep the places where
    `torch.rand` in float64 is below 1 - p; up to 2.6 one seed gives another mask on Intel's and AMD's processors.

    There a network with dropout therefore trains to other weights after the upgrade, even from the same first weights.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Dropout.html
    """
    torch.manual_seed(RANDOM_SEED)
    dropped = drop(torch.ones(5, 20))

    torch.manual_seed(RANDOM_SEED)
    kept = torch.rand(5, 20, dtype=torch.float64) < 0.75
    assert torch.equal(dropped, kept / torch.tensor(0.75))
    torch.manual_seed(RANDOM_SEED)
    transposed = F.dropout(torch.ones(20, 5).T, 0.25)
    assert not torch.equal(transposed != 0, kept)  # the numbers fill the memory, which is in another order


@pytest.mark.holds(
    'torch>=2.7; platform_machine == "x86_64" or platform_machine == "AMD64"', otherwise=AssertionError, change="result"
)
def test_exponential_draws_changed_in_2_7():
    """From torch 2.7 on, `exponential_()` of a contiguous tensor on the CPU is -log(1 - u) of the float64 draws u, up
    to rounding; up to 2.6 one seed gives other numbers on Intel's and AMD's processors.

    On these processors, what is made of `exponential_` changed with it: see the next note. A transposed tensor is
    filled in the order of its memory, and `exponential_(2.0)` divides the numbers by 2.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.exponential_.html
    """
    torch.manual_seed(RANDOM_SEED)
    exponential = torch.empty(50).exponential_()

    torch.manual_seed(RANDOM_SEED)
    uniform = torch.rand(50, dtype=torch.float64)
    torch.testing.assert_close(exponential.double(), -torch.log1p(-uniform), rtol=2**-23, atol=0)

    torch.manual_seed(RANDOM_SEED)
    transposed = torch.empty(10, 5).T.exponential_()
    assert torch.equal(transposed.T.flatten(), exponential)
    torch.manual_seed(RANDOM_SEED)
    torch.testing.assert_close(torch.empty(50).exponential_(2.0), exponential / 2)


@pytest.mark.parametrize("count", [1, 3, 8])
def test_multinomial_is_a_race(count):
    """On the CPU, one `torch.multinomial` draw, or several without replacement, is a race: the smallest `exponential_`
    draw divided by its weight comes first.

    So it changed in torch 2.7 where `exponential_` did, and with it `Categorical(...).sample()`; `F.gumbel_softmax`
    draws from `exponential_`, too.

    https://docs.pytorch.org/docs/stable/generated/torch.multinomial.html
    """
    weights = torch.tensor([1.0, 6.0, 2.0, 8.0, 3.0, 5.0, 4.0, 7.0])

    for seed in range(5):
        torch.manual_seed(seed)
        drawn = torch.multinomial(weights, count)
        torch.manual_seed(seed)
        sample = torch.distributions.Categorical(weights).sample()
        torch.manual_seed(seed)
        soft = F.gumbel_softmax(weights.log())
        torch.manual_seed(seed)
        race = torch.empty(8).exponential_() / weights
        assert torch.equal(drawn, race.argsort()[:count])
        assert sample == race.argmin()
        assert soft.argmax() == race.argmin()


@pytest.mark.holds("torch>=2.7", otherwise=AssertionError, change="result", concerns="torch.randint?")
@pytest.mark.parametrize(("low", "high"), [(0, 2**28), (-(2**30), 2**30), (1, 2**32)])
def test_integers_of_wide_ranges_changed_in_2_7(low, high):
    """From torch 2.7 on, `torch.randint` over 2**28 to 2**32 - 1 integers takes two steps of the CPU's generator for
    each of them, and so gives other integers than before.

    Up to 2.6 two steps began at 2**32 integers. Over that many, and over 2**28 - 1 or fewer, the integers of a seed
    have stayed the same: see the numbers of seed 42 at the top.

    https://docs.pytorch.org/docs/stable/generated/torch.randint.html
    """
    torch.manual_seed(RANDOM_SEED)
    stream = torch.rand(11)

    torch.manual_seed(RANDOM_SEED)
    torch.randint(low, high, (4,))
    assert torch.equal(torch.rand(3), stream[8:])

    torch.manual_seed(RANDOM_SEED)
    torch.randint(0, 2**28 - 1, (4,))
    assert torch.equal(torch.rand(3), stream[4:7])


@pytest.mark.holds("torch>=2.12", otherwise=AssertionError, change="result")
def test_truncated_normal_weights_changed_in_2_12():
    """From torch 2.12 on, `nn.init.trunc_normal_(weights)` of contiguous weights on the CPU keeps the normal numbers of
    the seed that lie within its bounds, -2 and 2, and draws the others again; up to 2.11 one seed gives other numbers.

    A model whose layers call it, as those of vision transformers often do, starts from other weights after the upgrade.
    Bounds that hold less than 30 % of the normal numbers, such as -0.1 and 0.1, are filled in another way.

    https://docs.pytorch.org/docs/stable/nn.init.html
    """
    torch.manual_seed(RANDOM_SEED)
    normal = torch.randn(10, 20)
    torch.manual_seed(RANDOM_SEED)
    weights = nn.init.trunc_normal_(torch.empty(10, 20))

    inside = normal.abs() <= 2
    assert torch.equal(weights[inside], normal[inside])
    assert 0 < (~inside).sum() < 50
    assert weights.abs().max() <= 2

    kept = []
    for bound in (0.4, 0.37, 0.1):  # 31 %, 29 % and 8 % of the normal numbers
        torch.manual_seed(RANDOM_SEED)
        weights = nn.init.trunc_normal_(torch.empty(10, 20), a=-bound, b=bound)
        inside = normal.abs() <= bound
        kept.append(torch.equal(weights[inside], normal[inside]))
    assert kept == [True, False, False]


@pytest.mark.holds(
    "torch>=2.12",
    otherwise=AssertionError,
    change="result",
    concerns=("torch.rand(dtype=torch.float16)", "torch.rand(dtype=torch.bfloat16)"),
)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_draws_changed_in_2_12(dtype):
    """From torch 2.12 on, `torch.rand` in float16 and bfloat16 on the CPU rounds the float32 draws, and gives 0 for a
    draw that would round up to 1; up to 2.11 one seed gives other numbers.

    A seed is no contract between releases. Save numbers that must last in a file.

    https://docs.pytorch.org/docs/stable/notes/randomness.html
    """
    torch.manual_seed(RANDOM_SEED)
    rounded = torch.rand(20_000).to(dtype)
    torch.manual_seed(RANDOM_SEED)
    half = torch.rand(20_000, dtype=dtype)

    assert (rounded == 1).any()
    assert torch.equal(half, rounded.masked_fill(rounded == 1, 0))


# Fine print: which numbers are seeds, and what the CPU makes of them


@given(seed=SEEDS, size=st.integers(1, 40))
def test_same_seed_same_numbers_for_every_seed(device, seed, size):
    """For every seed from 0 to 2**64 - 1, seeding again repeats a `torch.rand` and the `torch.randn` after it bit for
    bit.

    The same device, shapes and dtypes are part of the bargain: see "When the same seed gives other numbers".

    https://docs.pytorch.org/docs/stable/generated/torch.manual_seed.html
    """
    torch.manual_seed(seed)
    uniform, normal = torch.rand(size, device=device), torch.randn(size, device=device)

    torch.manual_seed(seed)
    assert torch.equal(torch.rand(size, device=device), uniform)
    assert torch.equal(torch.randn(size, device=device), normal)


@given(seed=st.integers(-(2**63), 2**64 - 1))
def test_negative_seeds_count_back_from_2_to_the_64_for_every_seed(device, seed):
    """`torch.manual_seed` takes every whole number from -2**63 to 2**64 - 1, and a negative seed gives the numbers of
    that seed plus 2**64.

    A seed made by `hash(text)` may be negative, which `np.random.seed` refuses, and differs from run to run. Write
    `zlib.crc32(text.encode())` for a seed from a text: it stays, and it lies between 0 and 2**32 - 1.

    https://docs.pytorch.org/docs/stable/generated/torch.manual_seed.html
    """
    torch.manual_seed(seed)
    numbers = torch.rand(5, device=device)

    assert torch.initial_seed() == seed % 2**64
    torch.manual_seed(seed % 2**64)
    assert torch.equal(torch.rand(5, device=device), numbers)
    assert torch.manual_seed(zlib.crc32(b"fold 1")).initial_seed() == 2390336167


@pytest.mark.myth("torch has 2**64 seeds, and each gives other numbers")
@given(seed=st.integers(0, 2**32 - 1), more=st.integers(1, 2**32 - 1))
def test_the_cpu_looks_at_32_bits_of_a_seed_for_every_seed(seed, more):
    """On the CPU, seeds that differ by a multiple of 2**32 give the same numbers: the generator takes the last 32 bits
    of a seed.

    `torch.initial_seed()` tells the two seeds apart all the same. Choose seeds below 2**32.

    https://docs.pytorch.org/docs/stable/generated/torch.manual_seed.html
    """
    torch.manual_seed(seed)
    uniform, normal = torch.rand(5), torch.randn(5)

    torch.manual_seed(seed + more * 2**32)
    assert torch.initial_seed() == seed + more * 2**32
    assert torch.equal(torch.rand(5), uniform)
    assert torch.equal(torch.randn(5), normal)


@given(seed=st.integers(0, 2**32 - 1), size=st.integers(1, 40))
def test_rand_is_numpys_mersenne_twister_for_every_seed(seed, size):
    """For every seed from 0 to 2**32 - 1, `torch.rand` on the CPU takes the last 24 bits of each 32-bit number that
    `np.random.RandomState(seed)` draws, and divides them by 2**24.

    The CPU's generator is NumPy's old one, the Mersenne Twister. A float64 number is made of two such numbers: their
    last 53 bits, divided by 2**53.

    https://numpy.org/doc/stable/reference/random/bit_generators/mt19937.html
    """
    bits = np.random.RandomState(seed).randint(0, 2**32, 2 * size, dtype=np.uint32).tolist()

    torch.manual_seed(seed)
    assert torch.rand(2 * size).tolist() == [number % 2**24 / 2**24 for number in bits]

    torch.manual_seed(seed)
    pairs = [2**32 * one + another for one, another in zip(bits[::2], bits[1::2], strict=True)]
    assert torch.rand(size, dtype=torch.float64).tolist() == [pair % 2**53 / 2**53 for pair in pairs]
