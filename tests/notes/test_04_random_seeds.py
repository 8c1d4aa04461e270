"""Random seeds: how chance is made repeatable.

A computer's random numbers come from a generator: a state, and a rule that turns it into the next number and the
next state.
A seed chooses the first state. Same seed, same draws in the same order: same numbers. This section settles what a seed
reaches and what it does not, what uses up numbers without saying so, and what no seed promises.
"""

import copy
import pickle
import random

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, get_worker_info

RANDOM_SEED = 42
SEEDS = st.integers(0, 2**64 - 1)


def test_seed_42_prints_these_two_tables():
    """After `torch.manual_seed(42)` the CPU draws the first table, and then the second one, in every release since 2.0.

    The seed is set once and the numbers go on from there, so the two tables have no number in common, place by place.

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


def test_seeding_once_repeats_the_whole_sequence(device):
    """One `torch.manual_seed` at the start repeats every later draw, although the draws differ from each other.

    It seeds every device at once: nothing else is needed for a GPU.

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
    """Seeding again before each draw makes all draws the same one, so the noise in an experiment stops being noise.

    Two tables that must be equal are better made once and cloned. Seed at the top of a script, and not inside a loop.

    https://docs.pytorch.org/docs/stable/notes/randomness.html
    """
    epochs = []
    for _ in range(4):
        torch.manual_seed(RANDOM_SEED)
        epochs.append((torch.randperm(50, device=device), F.dropout(torch.ones(64, device=device))))

    shuffles, masks = zip(*epochs, strict=True)
    assert all(torch.equal(shuffle, shuffles[0]) for shuffle in shuffles)  # each epoch in the same order
    assert all(torch.equal(mask, masks[0]) for mask in masks)  # and each drops the same units


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
def test_everything_random_in_torch_follows_the_seed(draw, device):
    """Draws, shuffles, the first weights of layers and dropout masks all follow the seed, and all go on from
    draw to draw.

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
        pytest.param(lambda: torch.randperm(10), [2, 6, 1, 8, 4, 5, 0, 9, 3, 7], id="randperm"),
        pytest.param(lambda: torch.bernoulli(torch.full((8,), 0.5)), [0, 0, 1, 0, 1, 0, 1, 0], id="bernoulli"),
        pytest.param(lambda: torch.multinomial(torch.arange(1.0, 7), 5, True), [1, 1, 1, 1, 4], id="multinomial"),
        pytest.param(lambda: nn.Linear(2, 1).weight[0], [0.5406, 0.5869], id="Linear"),
        pytest.param(lambda: nn.Embedding(2, 2).weight[0], [0.3367, 0.1288], id="Embedding"),
    ],
)
def test_these_have_been_the_numbers_of_seed_42_since_2_0(draw, expected):
    """On the CPU, seed 42 has given these integers, normal numbers and first weights in every release from 2.0 on.

    That is an observation and no promise: see further below what did move.

    https://docs.pytorch.org/docs/stable/notes/randomness.html
    """
    torch.manual_seed(RANDOM_SEED)

    assert [round(number, 4) for number in draw().tolist()] == expected


@given(seed=st.integers(0, 2**32 - 1), size=st.integers(1, 40))
def test_rand_is_numpys_mersenne_twister_for_every_seed(seed, size):
    """The CPU's generator is the Mersenne Twister of `np.random.seed`: `torch.rand` takes the last 24 bits of each of
    its 32-bit numbers as a fraction.

    24 bits are what float32 has room for; float64 takes 53 bits of two numbers. So it has been since 2.0, at least.

    https://numpy.org/doc/stable/reference/random/bit_generators/mt19937.html
    """
    bits = np.random.RandomState(seed).randint(0, 2**32, 2 * size, dtype=np.uint32).tolist()

    torch.manual_seed(seed)
    assert torch.rand(2 * size).tolist() == [number % 2**24 / 2**24 for number in bits]

    torch.manual_seed(seed)
    pairs = [2**32 * one + another for one, another in zip(bits[::2], bits[1::2], strict=True)]
    assert torch.rand(size, dtype=torch.float64).tolist() == [pair % 2**53 / 2**53 for pair in pairs]


@given(seed=SEEDS, size=st.integers(1, 40))
def test_same_seed_same_numbers_for_every_seed(device, seed, size):
    """For every seed and size, seeding again repeats two draws in a row bit for bit.

    https://docs.pytorch.org/docs/stable/generated/torch.manual_seed.html
    """
    torch.manual_seed(seed)
    uniform, normal = torch.rand(size, device=device), torch.randn(size, device=device)

    torch.manual_seed(seed)
    assert torch.equal(torch.rand(size, device=device), uniform)
    assert torch.equal(torch.randn(size, device=device), normal)


def test_different_spellings_of_one_draw(device):
    """`rand`, `rand_like` and `uniform_()` are one draw in three spellings; so are `randn`, `randn_like`,
    `normal_()`, `normal`.

    https://docs.pytorch.org/docs/stable/torch.html#random-sampling
    """
    template = torch.zeros(5, device=device)
    uniform = [lambda: torch.rand(5, device=device), lambda: torch.rand_like(template), template.clone().uniform_]
    normal = [lambda: torch.randn(5, device=device), lambda: torch.randn_like(template), template.clone().normal_]
    normal.append(lambda: torch.normal(0.0, 1.0, (5,), device=device))

    for spellings in (uniform, normal):
        numbers = []
        for draw in spellings:
            torch.manual_seed(RANDOM_SEED)
            numbers.append(draw())
        assert all(torch.equal(number, numbers[0]) for number in numbers)


def test_randint_leaves_out_its_end(device):
    """`torch.randint(0, 3, ...)` gives 0, 1 and 2, as NumPy's `randint` does; Python's `random.randint(0, 3)`
    gives 3 too.

    With 200 draws the chance that one of at most four values stays out is below 4 * (3/4)**200, less than 1e-24.

    https://docs.pytorch.org/docs/stable/generated/torch.randint.html
    """
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


# What a seed is


def test_initial_seed_names_the_seed_and_not_the_state(device):
    """`torch.initial_seed()` is the seed that was set last: it stays the same while numbers are drawn.

    So it can go into a log to repeat a run from its start, and cannot continue a run from its middle.

    https://docs.pytorch.org/docs/stable/generated/torch.initial_seed.html
    """
    torch.manual_seed(RANDOM_SEED)
    torch.rand(1000, device=device)

    assert torch.initial_seed() == 42


def test_torch_seed_draws_a_new_seed_and_tells_it(device):
    """`torch.seed()` takes a new seed from the system, sets it and returns it: written down, it repeats a run
    nobody planned.

    Two calls agree by chance once in 2**64 times.

    https://docs.pytorch.org/docs/stable/generated/torch.seed.html
    """
    earlier = torch.seed()
    seed = torch.seed()
    numbers = torch.rand(5, device=device)

    assert torch.initial_seed() == seed != earlier
    torch.manual_seed(seed)
    assert torch.equal(torch.rand(5, device=device), numbers)


@given(seed=st.integers(-(2**63), 2**64 - 1))
def test_negative_seeds_count_back_from_2_to_the_64_for_every_seed(device, seed):
    """Every whole number from -2**63 to 2**64 - 1 is a seed, and a negative one is the same seed as 2**64 more.

    https://docs.pytorch.org/docs/stable/generated/torch.manual_seed.html
    """
    torch.manual_seed(seed)
    numbers = torch.rand(5, device=device)

    assert torch.initial_seed() == seed % 2**64
    torch.manual_seed(seed % 2**64)
    assert torch.equal(torch.rand(5, device=device), numbers)


@pytest.mark.myth("torch has 2**64 seeds, and each gives other numbers")
@given(seed=st.integers(0, 2**32 - 1), more=st.integers(1, 2**32 - 1))
def test_the_cpu_looks_at_32_bits_of_a_seed_for_every_seed(seed, more):
    """Seeds that differ by a multiple of 2**32 give the same numbers on the CPU, whose generator takes the last 32 bits
    of a seed.

    `torch.initial_seed()` tells them apart all the same. Take seeds below 2**32, and they differ in every library.

    https://docs.pytorch.org/docs/stable/generated/torch.manual_seed.html
    """
    torch.manual_seed(seed)
    uniform, normal = torch.rand(5), torch.randn(5)

    torch.manual_seed(seed + more * 2**32)
    assert torch.initial_seed() == seed + more * 2**32
    assert torch.equal(torch.rand(5), uniform)
    assert torch.equal(torch.randn(5), normal)


def test_which_seeds_torch_and_numpy_refuse():
    """torch takes 64-bit seeds and cuts a float short; `np.random.seed` takes 32 bits, no sign and no float.

    A torch seed passed on to `np.random.seed` therefore needs `% 2**32`, or NumPy raises.

    https://numpy.org/doc/stable/reference/random/generated/numpy.random.seed.html
    """
    torch.manual_seed(1.9)
    assert torch.initial_seed() == 1
    with pytest.raises((RuntimeError, ValueError), match="Overflow"):  # ValueError from torch 2.9 on
        torch.manual_seed(2**64)
    with pytest.raises((RuntimeError, ValueError), match="Overflow"):
        torch.manual_seed(-(2**63) - 1)
    assert torch.initial_seed() == 1  # a seed that is refused changes nothing

    for seed in (-1, 2**32):
        with pytest.raises(ValueError, match=r"between 0 and 2\*\*32 - 1"):
            np.random.seed(seed)
    with pytest.raises(TypeError):
        np.random.seed(1.9)


# What a seed reaches


@pytest.mark.myth("torch.manual_seed makes the whole script reproducible")
def test_each_library_has_a_seed_of_its_own(device):
    """torch, NumPy and Python's `random` each have a generator of their own, and seeding one leaves the other
    two alone.

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
    """`np.random.seed` does not reach `np.random.default_rng()`: a generator of that kind follows only the seed
    it was made with.

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


def test_the_seeds_of_cuda_do_not_reach_the_cpu():
    """`torch.cuda.manual_seed_all` leaves the CPU's generator alone, and on a machine without CUDA it does
    nothing and says nothing.

    `torch.manual_seed` covers the CPU and every accelerator, so the others are hardly ever needed.

    https://docs.pytorch.org/docs/stable/generated/torch.cuda.manual_seed_all.html
    """
    torch.manual_seed(RANDOM_SEED)
    expected = torch.rand(4)

    torch.manual_seed(RANDOM_SEED)
    torch.cuda.manual_seed(7)
    torch.cuda.manual_seed_all(7)

    assert torch.equal(torch.rand(4), expected)


def test_numbers_drawn_on_the_cpu_are_the_same_on_every_device(device):
    """Numbers that must not depend on the device are drawn on the CPU and then moved.

    https://docs.pytorch.org/docs/stable/notes/randomness.html
    """
    torch.manual_seed(RANDOM_SEED)
    tensor = torch.rand(3).to(device)

    assert tensor.device == device
    assert [round(number, 4) for number in tensor.tolist()] == [0.8823, 0.9150, 0.3829]


def test_same_seed_other_device_other_numbers(accelerator):
    """One seed gives one sequence on the CPU and another one on an accelerator, whose generator works in another way.

    https://docs.pytorch.org/docs/stable/notes/randomness.html
    """
    torch.manual_seed(RANDOM_SEED)
    here, there = torch.rand(100), torch.rand(100, device=accelerator).cpu()

    assert torch.initial_seed() == RANDOM_SEED
    assert not torch.equal(here, there)


def test_drawing_on_one_device_does_not_move_another(device_pair):
    """Each device has a generator of its own: what is drawn on one does not shift the numbers of another.

    So a dropout on the GPU leaves the shuffling of the data, which is drawn on the CPU, as it was.

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


def test_the_cpus_state_is_not_the_accelerators(accelerator):
    """Drawing on an accelerator moves its own generator on; `torch.get_rng_state` and the CPU's next numbers do
    not change.

    So a checkpoint of a run needs `torch.get_rng_state()` and, besides, `torch.cuda.get_rng_state_all()` or its like.

    https://docs.pytorch.org/docs/stable/random.html
    """
    before = torch.get_rng_state()
    first = torch.rand(5, device=accelerator)

    assert torch.equal(torch.get_rng_state(), before)
    torch.set_rng_state(before)
    assert not torch.equal(torch.rand(5, device=accelerator), first)  # it was not rewound


# What uses up numbers


def test_a_draw_in_between_shifts_everything_after_it(device):
    """A layer's first weights depend on what was drawn before it: one more layer above it, and it starts elsewhere.

    That is why a small change of a model can change a result as much as another seed does.

    https://docs.pytorch.org/docs/stable/notes/randomness.html
    """
    torch.manual_seed(RANDOM_SEED)
    layer = nn.Linear(3, 2, device=device)
    torch.manual_seed(RANDOM_SEED)
    same = nn.Linear(3, 2, device=device)
    torch.manual_seed(RANDOM_SEED)
    nn.Linear(4, 4, device=device)
    shifted = nn.Linear(3, 2, device=device)

    assert torch.equal(same.weight, layer.weight)
    assert torch.equal(same.bias, layer.bias)
    assert not torch.equal(shifted.weight, layer.weight)
    assert not torch.equal(shifted.bias, layer.bias)


def test_dropout_draws_in_training_only(device):
    """Dropout uses up random numbers in training mode; in eval mode it leaves the generator where it was.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Dropout.html
    """
    dropout = nn.Dropout(0.5)
    x = torch.ones(8, device=device)
    torch.manual_seed(RANDOM_SEED)
    undisturbed = torch.rand(4, device=device)

    torch.manual_seed(RANDOM_SEED)
    dropout.eval()(x)
    F.dropout(x, training=False)
    assert torch.equal(torch.rand(4, device=device), undisturbed)

    torch.manual_seed(RANDOM_SEED)
    dropout.train()(x)
    assert not torch.equal(torch.rand(4, device=device), undisturbed)


def test_one_draw_of_24_is_two_draws_of_12():
    """On the CPU, `torch.rand` uses one step of the generator for each float32 number, however the numbers are cut into
    draws and shapes.

    A float64 number takes two steps.

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
    """The first 15 of `randn(16)` are not `randn(15)`: from 16 numbers on, the CPU fills normal numbers in by
    another routine.

    `rand` keeps its beginning. To get the same numbers again, make the same calls with the same shapes, dtypes and
    device, in the same release on the same platform: more is promised nowhere.

    https://docs.pytorch.org/docs/stable/notes/randomness.html
    """

    def draws(draw, size):
        torch.manual_seed(RANDOM_SEED)
        return draw(size)

    begins_like_the_shorter_one = {
        "rand, 15 of 16": torch.equal(draws(torch.rand, 16)[:15], draws(torch.rand, 15)),
        "randn, 14 of 15": torch.equal(draws(torch.randn, 15)[:14], draws(torch.randn, 14)),
        "randn, 15 of 16": torch.equal(draws(torch.randn, 16)[:15], draws(torch.randn, 15)),
    }

    assert begins_like_the_shorter_one == {"rand, 15 of 16": True, "randn, 14 of 15": True, "randn, 15 of 16": False}
    assert [round(number, 4) for number in draws(torch.randn, 15)[:2].tolist()] == [0.3367, 0.1288]
    assert [round(number, 4) for number in draws(torch.randn, 16)[:2].tolist()] == [1.9269, 1.4873]


def test_another_dtype_is_another_draw():
    """The same seed in float64 gives other numbers, and not the same ones with more digits.

    https://docs.pytorch.org/docs/stable/generated/torch.rand.html
    """
    torch.manual_seed(RANDOM_SEED)
    single = torch.rand(3)
    torch.manual_seed(RANDOM_SEED)
    double = torch.rand(3, dtype=torch.float64)

    assert (single.dtype, double.dtype) == (torch.float32, torch.float64)
    assert [round(number, 4) for number in single.tolist()] == [0.8823, 0.9150, 0.3829]
    assert [round(number, 4) for number in double.tolist()] == [0.0582, 0.0629, 0.1236]


# Generators and their states


def test_a_generator_is_a_stream_of_its_own(device):
    """Draws from a `torch.Generator` leave the global generator alone, and `torch.manual_seed` leaves the
    Generator alone.

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


@given(seed=SEEDS, size=st.integers(1, 40))
def test_a_generator_gives_the_global_numbers_of_its_seed_for_every_seed(device, seed, size):
    """For every seed, a Generator gives the very numbers that the global generator gives after
    `torch.manual_seed` of that seed.

    https://docs.pytorch.org/docs/stable/generated/torch.Generator.html
    """
    generator = torch.Generator(device=device).manual_seed(seed)
    torch.manual_seed(seed)

    assert generator.initial_seed() == seed
    for draw in (torch.rand, torch.randn, torch.randperm):
        assert torch.equal(draw(size, device=device, generator=generator), draw(size, device=device))


def test_unseeded_generators_are_all_alike(device):
    """A new `torch.Generator` always starts from 67280421310721: two that nobody seeds give the same numbers,
    in every run.

    Call `.seed()` on it for a seed from the system, or give each one a seed of its own.

    https://docs.pytorch.org/docs/stable/generated/torch.Generator.html
    """
    one, another = torch.Generator(device=device), torch.Generator(device=device)

    assert one.initial_seed() == another.initial_seed() == 67280421310721
    first, same = (torch.rand(5, device=device, generator=generator) for generator in (one, another))
    assert torch.equal(first, same)
    assert another.seed() == another.initial_seed() != 67280421310721


def test_manual_seed_returns_the_global_generator():
    """`generator = torch.manual_seed(42)` makes no new generator: it seeds the global one and hands that one out.

    https://docs.pytorch.org/docs/stable/generated/torch.manual_seed.html
    """
    generator = torch.manual_seed(RANDOM_SEED)
    one = torch.rand(3, generator=generator)
    two = torch.rand(3)

    assert generator is torch.default_generator
    torch.manual_seed(RANDOM_SEED)
    assert torch.equal(torch.cat([one, two]), torch.rand(6))  # both came from the one stream


def test_a_generator_works_on_its_own_device_only(accelerator):
    """A Generator belongs to a device, the CPU unless another is named, and drawing on another device with it raises.

    https://docs.pytorch.org/docs/stable/generated/torch.Generator.html
    """
    assert torch.Generator().device == torch.device("cpu")
    assert torch.Generator(device=accelerator).device.type == accelerator.type  # the one of mps may have no index
    with pytest.raises(RuntimeError, match="generator"):
        torch.rand(2, device=accelerator, generator=torch.Generator())
    with pytest.raises(RuntimeError, match="generator"):
        torch.rand(2, generator=torch.Generator(device=accelerator))


def test_a_state_is_a_bookmark(device):
    """`get_state` copies where a generator stands and `set_state` goes back there, unlike a seed, which goes to
    the start.

    The copy does not follow the generator as it moves on, so it can be used again and again.

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
    """From wherever it is taken, `torch.get_rng_state` followed by `torch.set_rng_state` repeats all that the
    CPU drew in between.

    https://docs.pytorch.org/docs/stable/generated/torch.set_rng_state.html
    """
    torch.manual_seed(seed)
    torch.randn(drawn)  # an odd number of normal numbers leaves one waiting: the state must hold that too
    state = torch.get_rng_state()
    normal, uniform, order = torch.randn(size), torch.rand(size), torch.randperm(size)

    torch.set_rng_state(state)
    assert torch.equal(torch.randn(size), normal)
    assert torch.equal(torch.rand(size), uniform)
    assert torch.equal(torch.randperm(size), order)


def test_fork_rng_gives_the_stream_back():
    """What torch draws or seeds inside `torch.random.fork_rng` does not show after it, nor after an exception
    left the block.

    It saves the CPU's generator and those of the accelerators in `devices`. NumPy's and Python's run on.

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


@pytest.mark.only("cuda", "xpu", because="what torch.mps.set_rng_state goes back to has moved, and was not tried")
def test_an_accelerators_state_is_read_and_set_by_its_module(accelerator):
    """`torch.cuda.get_rng_state(device)` is the state of that GPU's generator, and with `set_rng_state` it goes back
    there; what the CPU draws in between is not in it.

    `torch.get_rng_state()` is the CPU's alone. A checkpoint needs both.

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
    """`torch.random.fork_rng(devices=[...])` gives back the streams of the CPU and of the GPUs in the list, and of no
    other.

    Without `devices` it takes every GPU, with a warning where there are several.

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


@pytest.mark.holds("torch>=2.4", otherwise=TypeError)
@pytest.mark.parametrize(
    "duplicate",
    [lambda generator: copy.deepcopy(generator), lambda generator: pickle.loads(pickle.dumps(generator))],
    ids=["deepcopy", "pickle"],
)
def test_a_generator_can_be_copied(duplicate):
    """From torch 2.4 on, a `torch.Generator` can be copied and pickled, and the copy goes on from where the original
    stands.

    Up to 2.3 both raise TypeError, and so does a copy of any object that holds a generator, such as a sampler:
    pass on `generator.get_state()` there.

    https://docs.pytorch.org/docs/stable/generated/torch.Generator.html
    """
    # On the CPU alone: an mps generator was copied at its start until 2026, wherever it stood.
    generator = torch.Generator().manual_seed(RANDOM_SEED)
    torch.rand(5, generator=generator)

    twin = duplicate(generator)

    numbers = torch.rand(3, generator=generator)
    assert torch.equal(torch.rand(3, generator=twin), numbers)
    assert not torch.equal(torch.rand(3, generator=twin), numbers)
    assert twin.initial_seed() == RANDOM_SEED


@pytest.mark.holds("torch>=2.2", otherwise=TypeError)
@pytest.mark.parametrize("name", ["uniform_", "normal_", "xavier_uniform_", "kaiming_normal_"])
def test_first_weights_can_have_a_generator_of_their_own(name, device):
    """From torch 2.2 on, the functions of `nn.init` take `generator=`, so first weights can follow a seed of their own.

    Up to 2.1 that raises TypeError. Layers themselves, `nn.Linear` and the like, take none even now: seed before them,
    or draw their weights again.

    https://docs.pytorch.org/docs/stable/nn.init.html
    """
    init = getattr(nn.init, name)
    torch.manual_seed(RANDOM_SEED)
    expected, undisturbed = init(torch.empty(3, 4, device=device)), torch.rand(3, device=device)

    generator = torch.Generator(device=device).manual_seed(RANDOM_SEED)
    own = init(torch.empty(3, 4, device=device), generator=generator)
    after = torch.rand(3, device=device, generator=generator)

    assert torch.equal(own, expected)
    assert torch.equal(after, undisturbed)


@pytest.mark.holds("torch>=2.10", otherwise=TypeError)
@pytest.mark.parametrize(
    "draw",
    [
        pytest.param(lambda tensor, **kwargs: torch.rand_like(tensor, **kwargs), id="rand_like"),
        pytest.param(lambda tensor, **kwargs: torch.randn_like(tensor, **kwargs), id="randn_like"),
        pytest.param(lambda tensor, **kwargs: torch.randint_like(tensor, 1000, **kwargs), id="randint_like"),
    ],
)
def test_draws_like_a_tensor_take_a_generator(draw, device):
    """From torch 2.10 on, `rand_like`, `randn_like` and `randint_like` take `generator=`, as `rand` does in every
    release; up to 2.9 that raises TypeError.

    `torch.rand(x.shape, dtype=x.dtype, device=x.device, generator=generator)` works everywhere.

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


# Shuffling


@given(size=st.integers(0, 60))
def test_randperm_holds_every_index_once_for_every_size(device, size):
    """`torch.randperm(n)` is the numbers 0 to n - 1 in some order: int64, none missing, none twice.

    https://docs.pytorch.org/docs/stable/generated/torch.randperm.html
    """
    order = torch.randperm(size, device=device)

    assert sorted(order.tolist()) == list(range(size))
    assert order.dtype == torch.int64
    assert order.device == device


def test_one_permutation_keeps_pairs_together(device):
    """Inputs and labels stay together when one `randperm` indexes both; with one each, nearly every pair is torn apart.

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
    """`random.shuffle(tensor)` loses values and repeats others: it swaps by `a, b = b, a`, and `a` and `b` are
    views of the tensor.

    Shuffle with `tensor[torch.randperm(len(tensor))]`.

    https://docs.python.org/3/library/random.html
    """
    tensor = torch.arange(100, device=device)
    pair = torch.tensor([1, 2], device=device)

    random.shuffle(tensor)
    pair[0], pair[1] = pair[1], pair[0]

    assert len(set(tensor.tolist())) < 100
    assert pair.tolist() == [2, 2]


def test_a_dataloader_shuffles_by_its_generator():
    """With a `generator`, a DataLoader's orders follow that generator alone; a second epoch has another order
    all the same.

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


@pytest.mark.myth("without shuffling, a DataLoader has nothing random about it")
@pytest.mark.parametrize("shuffle", [False, True], ids=["in order", "shuffled"])
def test_iterating_a_dataloader_uses_up_global_numbers(shuffle):
    """Each pass over a DataLoader draws a seed for its workers from the global generator, with or without
    workers and shuffling.

    So one more pass, for a look at the validation loss, changes the training after it. With `generator=` it does not.

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


class Draws(Dataset):
    """Six items, each the worker it came from, the worker's seed, and a number from each library."""

    def __len__(self):
        return 6

    def __getitem__(self, index):
        return get_worker_info().id, torch.initial_seed(), torch.rand(()).item(), np.random.rand(), random.random()


def seed_every_worker_alike(worker_id):
    torch.manual_seed(0)
    np.random.seed(0)
    random.seed(0)


# A machine with a single core warns that two workers are many.
few_cores = pytest.mark.filterwarnings("ignore:This DataLoader will create")


@few_cores
@pytest.mark.myth("every worker of a DataLoader draws the same NumPy numbers")
def test_every_worker_has_its_own_seed_in_every_library():
    """A worker's seed is one base seed plus the worker's number; torch, `random` and NumPy follow it, and a
    seeded run repeats.

    That NumPy drew the same numbers in all workers was true before 1.9.

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


@few_cores
def test_a_constant_seed_in_worker_init_fn_makes_workers_repeat_each_other():
    """`worker_init_fn` runs in each worker after PyTorch has seeded it: seed a constant there, and all workers
    draw the same.

    If it must seed something, it starts from `torch.initial_seed()`, which differs from worker to worker; for
    `np.random.seed`, take that `% 2**32`.

    https://docs.pytorch.org/docs/stable/notes/randomness.html
    """
    loader = DataLoader(Draws(), batch_size=None, num_workers=2, worker_init_fn=seed_every_worker_alike)

    items = [tuple(item) for item in loader]

    assert [item[0] for item in items] == [0, 1, 0, 1, 0, 1]
    for one, another in zip(items[0::2], items[1::2], strict=True):
        assert one[1:] == another[1:]


# What no seed promises


def test_deterministic_mode_refuses_what_it_cannot_do():
    """Under `torch.use_deterministic_algorithms(True)` an operation without a deterministic algorithm raises
    RuntimeError.

    A seed does not help there: what comes out depends on the order in which threads write to one place, or add to it.
    Which operations have none differs by device; `put_` has none on the CPU either.

    https://docs.pytorch.org/docs/stable/generated/torch.use_deterministic_algorithms.html
    """
    tensor, index, values = torch.zeros(4), torch.tensor([2, 1]), torch.tensor([5.0, 6.0])

    torch.use_deterministic_algorithms(True)
    try:
        with pytest.raises(RuntimeError, match="put_ does not have a deterministic implementation"):
            tensor.put_(index, values)
        assert tensor.tolist() == [0, 0, 0, 0]
        torch.use_deterministic_algorithms(True, warn_only=True)
        with pytest.warns(UserWarning, match="put_ does not have a deterministic implementation"):
            tensor.put_(index, values)
    finally:
        torch.use_deterministic_algorithms(False)

    assert tensor.tolist() == [0, 6, 5, 0]
    assert tensor.put_(torch.tensor([3]), torch.tensor([7.0])).tolist() == [0, 6, 5, 7]  # as usual again


@pytest.mark.holds("torch>=2.1", otherwise=AssertionError)
def test_deterministic_mode_fills_what_is_left_empty(device):
    """From torch 2.1 on, `torch.empty` in deterministic mode holds NaN, or the largest integer, rather than whatever
    lay in memory there.

    https://docs.pytorch.org/docs/stable/deterministic.html
    """
    torch.use_deterministic_algorithms(True)
    try:
        floats, integers = torch.empty(2, 3, device=device), torch.empty(3, dtype=torch.int32, device=device)
    finally:
        torch.use_deterministic_algorithms(False)

    assert floats.isnan().tolist() == [[True] * 3] * 2
    assert integers.tolist() == [2**31 - 1] * 3


@pytest.mark.only("cuda", because="the list of such operations is CUDA's own: mps and xpu have others")
def test_what_a_gpu_cannot_do_deterministically(accelerator):
    """In deterministic mode a CUDA tensor's `bincount` with weights raises RuntimeError, because a GPU adds in an order
    that changes; `index_add`, which computes the same, takes a slower way that is deterministic.

    The CPU adds one after the other and has no such trouble. The documentation of the switch lists what raises, what
    changes its way, and on which device.

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
@pytest.mark.holds("torch>=2.10", otherwise=RuntimeError)
def test_matrix_products_are_deterministic_without_a_variable(accelerator, monkeypatch):
    """From torch 2.10 on, deterministic mode takes matrix products on CUDA as they are; up to 2.9 they raise
    RuntimeError unless the environment variable CUBLAS_WORKSPACE_CONFIG is `:4096:8` or `:16:8`.

    Set it before the script starts. PyTorch gives cuBLAS its workspace now, which is what the variable was for.

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
    """`torch.backends.cudnn.benchmark` and `.deterministic` are False at first, and
    `torch.use_deterministic_algorithms(True)` leaves them so.

    `benchmark = True` lets cuDNN try several algorithms for convolutions and take the fastest, which may be another one
    in the next run. The mode makes a convolution deterministic, but not that choice: leave `benchmark` as it is.

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
    """In deterministic mode a convolution on CUDA and its gradients are the same to the last bit each time.

    `torch.backends.cudnn.deterministic = True` promises that for convolutions alone. It says nothing of another GPU,
    driver or release.

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
    """The same training from another seed starts elsewhere and, stopped after a few steps, ends elsewhere: report the
    spread of several seeds, not one.

    How wide it is depends on the problem. Each step of this one halves the distance to the line y = 2x + 1, and every
    start lies less than 3 away from it, so the ends are close; a network with hidden layers may end far from another.

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
    """Two networks whose hidden units stand in another order have other parameters and compute the same:
    compare losses, not weights.

    A hidden layer of n units has n! such orders, and nothing but the seed favours one of them.

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


# What moved from one release to another


@pytest.mark.parametrize("probability", [0.25, 0.5, 0.9])
def test_bernoulli_compares_rand_with_the_probabilities(probability):
    """On the CPU, `torch.bernoulli` of float32 probabilities is 1 where `torch.rand` of the same seed is below them, in
    every release from 2.0 on.

    A mask that must stay the same from release to release is best written out: `torch.rand(shape) < probability`.

    https://docs.pytorch.org/docs/stable/generated/torch.bernoulli.html
    """
    torch.manual_seed(RANDOM_SEED)
    ones = torch.bernoulli(torch.full((100,), probability))

    torch.manual_seed(RANDOM_SEED)
    assert torch.equal(ones, (torch.rand(100) < probability).float())


# Up to torch 2.6, builds for these processors drew dropout masks and exponentials with Intel's library MKL.
INTEL_OR_AMD = 'platform_machine == "x86_64" or platform_machine == "AMD64"'


@pytest.mark.holds(f"torch>=2.7; {INTEL_OR_AMD}", otherwise=AssertionError)
@pytest.mark.parametrize(
    "drop",
    [lambda x: F.dropout(x, 0.25), nn.Dropout(0.25), lambda x: F.dropout2d(x[..., None, None], 0.25).flatten(1)],
    ids=["F.dropout", "nn.Dropout", "F.dropout2d"],
)
def test_dropout_masks_changed_in_2_7(drop):
    """From torch 2.7 on, dropout on the CPU keeps what `torch.rand` in float64 puts below 1 - p; up to 2.6 a seed gave
    other masks on Intel's and AMD's processors.

    So a network with dropout trains to other weights after the upgrade, even though its first weights are the same.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Dropout.html
    """
    torch.manual_seed(RANDOM_SEED)
    dropped = drop(torch.ones(5, 20))

    torch.manual_seed(RANDOM_SEED)
    kept = torch.rand(5, 20, dtype=torch.float64) < 0.75
    assert torch.equal(dropped, kept / torch.tensor(0.75))


@pytest.mark.holds(f"torch>=2.7; {INTEL_OR_AMD}", otherwise=AssertionError)
def test_exponential_draws_changed_in_2_7():
    """From torch 2.7 on, `exponential_` on the CPU is -log(1 - u) of the float64 draws u; up to 2.6 one seed gave other
    numbers on Intel's and AMD's processors.

    It moved because the old generator was poor: some results of `multinomial` could never come out.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.exponential_.html
    """
    torch.manual_seed(RANDOM_SEED)
    exponential = torch.empty(50).exponential_()

    torch.manual_seed(RANDOM_SEED)
    uniform = torch.rand(50, dtype=torch.float64)
    torch.testing.assert_close(exponential.double(), -torch.log1p(-uniform), rtol=2**-23, atol=0)


@pytest.mark.parametrize("count", [1, 3, 8])
def test_multinomial_is_a_race(count):
    """On the CPU a single `torch.multinomial` draw, or several without replacement, is a race of `exponential_` draws
    divided by the weights: so it moved in torch 2.7 with them.

    `Categorical(...).sample()`, the next token of a language model and `F.gumbel_softmax` moved, too. Several draws
    with replacement are made in another way, and did not.

    https://docs.pytorch.org/docs/stable/generated/torch.multinomial.html
    """
    weights = torch.tensor([1.0, 6.0, 2.0, 8.0, 3.0, 5.0, 4.0, 7.0])

    for seed in range(5):
        torch.manual_seed(seed)
        drawn = torch.multinomial(weights, count)
        torch.manual_seed(seed)
        race = torch.empty(8).exponential_() / weights
        assert torch.equal(drawn, race.argsort()[:count])


@pytest.mark.holds("torch>=2.7", otherwise=AssertionError)
@pytest.mark.parametrize(("low", "high"), [(0, 2**28), (-(2**30), 2**30), (1, 2**32)])
def test_integers_of_wide_ranges_changed_in_2_7(low, high):
    """From torch 2.7 on, `torch.randint` over 2**28 integers or more takes two steps of the CPU's generator for each,
    and so gives other integers.

    One step of 32 bits does not spread evenly over so many. Up to 2.6 it took two from 2**32 integers on. Ranges that
    are less wide have not moved.

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


@pytest.mark.holds("torch>=2.12", otherwise=AssertionError)
def test_truncated_normal_weights_changed_in_2_12():
    """From torch 2.12 on, `nn.init.trunc_normal_` keeps those normal numbers of the seed that lie within its bounds and
    draws the others again.

    Up to 2.11 it bent uniform numbers instead, so vision transformers, which start from it, start elsewhere after the
    upgrade. The other functions of `nn.init` have not moved.

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


@pytest.mark.holds("torch>=2.12", otherwise=AssertionError)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_draws_changed_in_2_12(dtype):
    """From torch 2.12 on, `torch.rand` in float16 and bfloat16 on the CPU rounds the float32 draws; up to 2.11 one seed
    gave other numbers.

    (A draw that would round up to 1 comes out as 0, for 1 is out of range.) A seed is no contract between releases:
    numbers that must last are saved in a file.

    https://docs.pytorch.org/docs/stable/notes/randomness.html
    """
    torch.manual_seed(RANDOM_SEED)
    single = torch.rand(12)
    torch.manual_seed(RANDOM_SEED)
    half = torch.rand(12, dtype=dtype)

    assert torch.equal(half, single.to(dtype))
