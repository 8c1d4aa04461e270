"""What could break in random seeds: what a seed reaches, what uses up numbers, and how a state comes back."""

import builtins
import contextlib
import copy
import os
import pickle
import random

import numpy as np
import torch
import torch.utils.data.dataloader as loading
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, DistributedSampler, WeightedRandomSampler

from torchnotes.harness.mutation import mutant, raises

# `with torch.device(...)` lists the functions that it changes when it is first used: that must not be under a mutant.
with torch.device("meta"):
    torch.empty(0)


@contextlib.contextmanager
def aside():
    """What is drawn in here does not show outside."""
    gpus = list(range(torch.cuda.device_count()))
    states = torch.default_generator.get_state(), [torch.cuda.get_rng_state(gpu) for gpu in gpus]
    try:
        yield
    finally:
        torch.default_generator.set_state(states[0])
        for gpu, state in zip(gpus, states[1], strict=True):
            torch.cuda.set_rng_state(state, gpu)


def from_the_system(original, *args, **kwargs):
    with aside():
        torch.default_generator.seed()
        if torch.cuda.is_available():
            torch.cuda.seed_all()
        return original(*args, **kwargs)


def without_moving_on(original, *args, **kwargs):
    with aside():
        return original(*args, **kwargs)


def one_more(generator=None):
    torch.empty(1).uniform_(generator=generator)


def one_more_on_each_device():
    one_more()
    if torch.cuda.is_available():
        torch.rand(1, device="cuda")


def state():
    return torch.default_generator.get_state().tolist()


def seeded(draw, seed=42):
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_available():
        torch.cuda.manual_seed_all(seed)
    return draw()


def repeats(draw):
    return torch.equal(seeded(draw), seeded(draw))


def moves_on(draw):
    before = state()
    draw()
    return state() != before


def moves_by_one(draw, numbers=1):
    seeded(draw)
    after = state()
    seeded(lambda: torch.empty(numbers).uniform_())
    return state() == after


# Draws and the seed


@mutant(
    kills=(
        "test_seed_42_prints_these_two_tables",
        "test_seeding_once_repeats_the_whole_sequence",
        "test_draws_first_weights_and_dropout_follow_the_seed",
        "test_same_seed_same_numbers_for_every_seed",
    ),
    witness=lambda: repeats(lambda: torch.rand(3)),
)
def rand_takes_its_numbers_from_the_system(patch):
    """`torch.rand` follows no seed."""
    patch.around(torch, "rand", from_the_system)


@mutant(
    kills=(
        "test_seed_42_prints_these_two_tables",
        "test_seeding_once_repeats_the_whole_sequence",
        "test_draws_first_weights_and_dropout_follow_the_seed",
    ),
    witness=lambda: moves_on(lambda: torch.rand(3)),
)
def rand_leaves_the_generator_where_it_was(patch):
    """`torch.rand` does not move the generator on: the next draw is the same one."""
    patch.around(torch, "rand", without_moving_on)


@mutant(
    kills=(
        "test_seed_42_prints_these_two_tables",
        "test_one_draw_of_24_is_two_draws_of_12",
        "test_numbers_drawn_on_the_cpu_are_the_same_on_every_device",
    ),
    witness=lambda: moves_by_one(lambda: torch.rand(3), 3),
)
def rand_skips_a_number_first(patch):
    """`torch.rand` takes one number more than it gives, from the front."""
    patch.around(torch, "rand", lambda rand, *a, **k: (one_more(), rand(*a, **k))[1])


@mutant(
    kills=("test_one_draw_of_24_is_two_draws_of_12", "test_manual_seed_returns_the_global_generator"),
    witness=lambda: moves_by_one(lambda: torch.rand(3), 3),
)
def rand_takes_numbers_in_pairs(patch):
    """`torch.rand` of an odd number of numbers uses up one more."""

    def rand_in_pairs(rand, *args, **kwargs):
        tensor = rand(*args, **kwargs)
        if tensor.numel() % 2:
            one_more(kwargs.get("generator"))
        return tensor

    patch.around(torch, "rand", rand_in_pairs)


@mutant(
    kills=("test_seed_42_prints_these_two_tables", "test_rand_in_float64_is_another_draw"),
    witness=lambda: torch.rand(1).dtype == torch.float32,
)
def rand_makes_float64(patch):
    """`torch.rand` gives the right numbers as float64."""
    patch.around(torch, "rand", lambda rand, *a, **k: rand(*a, **k).to(k.get("dtype") or torch.float64))


@mutant(
    kills="test_rand_in_float64_is_another_draw",
    witness=lambda: (
        seeded(lambda: torch.rand(1, dtype=torch.float64)).item() != seeded(lambda: torch.rand(1)).double().item()
    ),
)
def rand_in_float64_is_the_float32_draw(patch):
    """`torch.rand(..., dtype=torch.float64)` gives the float32 numbers with zeros behind them."""

    def rand_in_float32(rand, *args, dtype=None, **kwargs):
        return rand(*args, **kwargs).to(dtype) if dtype == torch.float64 else rand(*args, dtype=dtype, **kwargs)

    patch.around(torch, "rand", rand_in_float32)


@mutant(
    kills="test_rand_is_numpys_mersenne_twister_for_every_seed",
    witness=lambda: bool((torch.rand(64).double() * 2**24 % 2 == 1).any()),
)
def rand_has_23_bits(patch):
    """`torch.rand` in float32 leaves the last of its 24 bits 0."""

    def rand_of_23_bits(rand, *args, dtype=None, **kwargs):
        tensor = rand(*args, dtype=dtype, **kwargs)
        return tensor.mul(2**23).floor().div(2**23) if tensor.dtype == torch.float32 else tensor

    patch.around(torch, "rand", rand_of_23_bits)


@mutant(
    kills="test_rand_is_numpys_mersenne_twister_for_every_seed",
    witness=lambda: bool((torch.rand(64, dtype=torch.float64) * 2**32 % 1 != 0).any()),
)
def rand_in_float64_has_32_bits(patch):
    """`torch.rand` in float64 takes its two steps and uses 32 bits of them."""

    def rand_of_32_bits(rand, *args, dtype=None, **kwargs):
        tensor = rand(*args, dtype=dtype, **kwargs)
        return tensor.mul(2**32).floor().div(2**32) if dtype == torch.float64 else tensor

    patch.around(torch, "rand", rand_of_32_bits)


@mutant(
    kills="test_the_cpu_looks_at_32_bits_of_a_seed_for_every_seed",
    witness=lambda: torch.equal(
        [torch.manual_seed(7), torch.rand(3)][1], [torch.manual_seed(7 + 3 * 2**32), torch.rand(3)][1]
    ),
)
def manual_seed_looks_at_64_bits(patch):
    """`torch.manual_seed` gives the CPU other numbers for seeds that differ in their upper 32 bits."""

    def seed_with_all_bits(manual_seed, seed):
        generator = manual_seed(seed)
        torch.empty(int(seed) % 2**64 // 2**32 % 1000 + 1 if int(seed) % 2**64 >= 2**32 else 0).uniform_()
        return generator

    patch.around(torch, "manual_seed", seed_with_all_bits)


@mutant(
    kills="test_the_cpu_looks_at_32_bits_of_a_seed_for_every_seed",
    witness=lambda: torch.manual_seed(7 + 2**32).initial_seed() == 7 + 2**32,
)
def manual_seed_forgets_the_upper_bits(patch):
    """`torch.manual_seed` takes the last 32 bits of a seed already, so that `initial_seed` tells no more."""
    patch.around(torch, "manual_seed", lambda manual_seed, seed: manual_seed(int(seed) % 2**32))


# What moved from one release to another


def below(numbers, p):
    return (numbers < p).float()


@mutant(
    kills="test_bernoulli_compares_rand_with_the_probabilities",
    witness=lambda: torch.equal(
        seeded(lambda: torch.bernoulli(torch.full((50,), 0.3))), seeded(lambda: below(torch.rand(50), 0.3))
    ),
)
def bernoulli_is_1_above(patch):
    """`torch.bernoulli` is 1 where the draw is above 1 - p: as often, elsewhere."""
    patch.around(torch, "bernoulli", lambda bernoulli, p, *a, **k: 1 - bernoulli(1 - p, *a, **k))


@mutant(
    kills="test_bernoulli_compares_rand_with_the_probabilities",
    witness=lambda: (
        not torch.equal(
            seeded(lambda: torch.bernoulli(torch.zeros(50), 0.3)), seeded(lambda: below(torch.rand(50), 0.3))
        )
    ),
)
def bernoulli_by_a_number_is_the_same_draw(patch):
    """`torch.bernoulli(x, p)` is 1 where `torch.rand` is below p."""

    def single(bernoulli, tensor, p=None, **kwargs):
        return bernoulli(tensor, **kwargs) if p is None else below(torch.rand(tensor.shape, **kwargs), p)

    patch.around(torch, "bernoulli", single)


@mutant(
    kills="test_bernoulli_compares_rand_with_the_probabilities",
    witness=lambda: torch.equal(
        seeded(lambda: torch.bernoulli(torch.full((50,), 0.3))), seeded(lambda: below(torch.rand(50), 0.3))
    ),
)
def bernoulli_draws_in_float64(patch):
    """`torch.bernoulli` of float32 probabilities draws in float64."""

    def double(bernoulli, tensor, p=None, **kwargs):
        if p is not None:
            return bernoulli(tensor, p, **kwargs)
        return below(torch.rand(tensor.shape, dtype=torch.float64, **kwargs), tensor)

    patch.around(torch, "bernoulli", double)


def masks():
    dropped = seeded(lambda: F.dropout(torch.ones(50), 0.25))
    return torch.equal(dropped != 0, seeded(lambda: torch.rand(50, dtype=torch.float64)) < 0.75)


@mutant(kills="test_dropout_masks_changed_in_2_7", witness=masks)
def dropout_draws_in_float32(patch):
    """`F.dropout`, and with it `nn.Dropout`, compares float32 draws with 1 - p."""

    def single(dropout, x, p=0.5, training=True, inplace=False):
        return below(torch.rand(x.shape), 1 - p) * x / (1 - p) if training else x

    patch.around(F, "dropout", single)


@mutant(kills="test_dropout_masks_changed_in_2_7", witness=masks)
def dropout_keeps_what_is_above(patch):
    """`F.dropout`, and with it `nn.Dropout`, drops what is drawn below p and keeps the rest."""

    def above(dropout, x, p=0.5, training=True, inplace=False):
        return (1 - below(torch.rand(x.shape, dtype=torch.float64), p)).to(x.dtype) * x / (1 - p) if training else x

    patch.around(F, "dropout", above)


def exponentials():
    return seeded(lambda: torch.empty(3).exponential_()).tolist()


@mutant(
    kills=("test_exponential_draws_changed_in_2_7", "test_multinomial_is_a_race"),
    witness=lambda: raced(5),
)
def exponential_draws_in_float32(patch):
    """`exponential_` is -log(1 - u) of the float32 draws."""
    patch.around(
        torch.Tensor,
        "exponential_",
        lambda call, tensor, **k: tensor.copy_(-torch.log1p(-torch.rand(tensor.shape, **k))),
    )


def turned():
    transposed = seeded(lambda: torch.empty(3, 2).T.exponential_())
    return torch.equal(transposed.T.flatten(), seeded(lambda: torch.empty(6).exponential_()))


@mutant(kills="test_exponential_draws_changed_in_2_7", witness=turned)
def exponential_fills_by_index(patch):
    """`exponential_` fills a tensor of any layout in the order of its indices."""

    def by_index(call, tensor, *args, **kwargs):
        return tensor.copy_(call(torch.empty_like(tensor, memory_format=torch.contiguous_format), *args, **kwargs))

    patch.around(torch.Tensor, "exponential_", by_index)


@mutant(kills="test_exponential_draws_changed_in_2_7", witness=lambda: round(exponentials()[0], 4) == 0.0599)
def exponential_is_minus_log_u(patch):
    """`exponential_` is -log(u) of the float64 draws: as well distributed."""

    def minus_log(call, tensor):
        return tensor.copy_(-torch.log(torch.rand(tensor.shape, dtype=torch.float64)))

    patch.around(torch.Tensor, "exponential_", minus_log)


def raced(count):
    weights = torch.tensor([5.0, 1.0, 4.0, 2.0, 3.0])
    for seed in range(5):
        drawn = seeded(lambda: torch.multinomial(weights, count), seed)
        if not torch.equal(drawn, seeded(lambda: torch.empty(5).exponential_() / weights, seed).argsort()[:count]):
            return False
    return True


@mutant(kills="test_multinomial_is_a_race", witness=lambda: raced(1))
def one_multinomial_draw_looks_up_a_uniform_number(patch):
    """A single `torch.multinomial` draw is where a uniform number falls among the weights laid end to end."""

    def look_up(multinomial, weights, count, *args, **kwargs):
        if count > 1 or weights.ndim > 1:
            return multinomial(weights, count, *args, **kwargs)
        ends = weights.cumsum(0)
        return torch.searchsorted(ends, torch.rand(1) * ends[-1])

    patch.around(torch, "multinomial", look_up)


@mutant(kills="test_multinomial_is_a_race", witness=lambda: raced(5))
def multinomial_gives_the_winners_in_order(patch):
    """`torch.multinomial` without replacement gives its results sorted."""
    patch.around(torch, "multinomial", lambda multinomial, *a, **k: multinomial(*a, **k).sort().values)


def takes(steps, high):
    after = seeded(lambda: [torch.randint(0, high, (4,)), torch.rand(3)][1])
    return torch.equal(after, seeded(lambda: torch.rand(steps + 3))[steps:])


def randint_takes_two_steps_from(patch, limit):
    def randint_of(randint, low, high, shape, **kwargs):
        start = torch.get_rng_state()
        numbers = randint(low, high, shape, **kwargs)
        torch.set_rng_state(start)
        torch.empty(numbers.numel() * (2 if high - low >= limit else 1)).uniform_()
        return numbers

    patch.around(torch, "randint", randint_of)


@mutant(kills="test_integers_of_wide_ranges_changed_in_2_7", witness=lambda: takes(8, 2**28))
def randint_takes_two_steps_from_2_to_the_32(patch):
    """`torch.randint` takes two steps of the generator for 2**32 integers or more only, as up to 2.6."""
    randint_takes_two_steps_from(patch, 2**32)


@mutant(kills="test_integers_of_wide_ranges_changed_in_2_7", witness=lambda: takes(4, 2**28 - 1))
def randint_takes_two_steps_one_too_early(patch):
    """`torch.randint` takes two steps of the generator from 2**28 - 1 integers on."""
    randint_takes_two_steps_from(patch, 2**28 - 1)


def truncated():
    weights, normal = seeded(lambda: nn.init.trunc_normal_(torch.empty(50))), seeded(lambda: torch.randn(50))
    return torch.equal(weights[normal.abs() <= 2], normal[normal.abs() <= 2]) and bool((weights.abs() <= 2).all())


@mutant(kills="test_truncated_normal_weights_changed_in_2_12", witness=truncated)
def trunc_normal_bends_uniform_numbers(patch):
    """`nn.init.trunc_normal_` bends uniform numbers, as up to 2.11."""

    def bend(trunc_normal, tensor, *args, **kwargs):
        ends = torch.distributions.Normal(0.0, 1.0).cdf(torch.tensor([-2.0, 2.0])) * 2 - 1
        return tensor.uniform_(*ends.tolist()).erfinv_().mul_(2**0.5).clamp_(-2, 2)

    patch.around(nn.init, "trunc_normal_", bend)


def kept(bound):
    weights = seeded(lambda: nn.init.trunc_normal_(torch.empty(200), a=-bound, b=bound))
    normal = seeded(lambda: torch.randn(200))
    return torch.equal(weights[normal.abs() <= bound], normal[normal.abs() <= bound])


@mutant(kills="test_truncated_normal_weights_changed_in_2_12", witness=lambda: not kept(0.1))
def trunc_normal_keeps_what_fits_any_bounds(patch):
    """`nn.init.trunc_normal_` keeps the normal numbers within its bounds, however narrow these are."""

    def draw_again(trunc_normal, tensor, mean=0.0, std=1.0, a=-2.0, b=2.0):
        with torch.no_grad():
            tensor.normal_(mean, std)
            while (outside := (tensor < a) | (tensor > b)).any():
                tensor.copy_(torch.where(outside, torch.empty_like(tensor).normal_(mean, std), tensor))
        return tensor

    patch.around(nn.init, "trunc_normal_", draw_again)


@mutant(kills="test_truncated_normal_weights_changed_in_2_12", witness=truncated)
def trunc_normal_does_not_cut(patch):
    """`nn.init.trunc_normal_` keeps every normal number."""
    patch.around(nn.init, "trunc_normal_", lambda trunc_normal, tensor, *a, **k: tensor.normal_())


@mutant(
    kills=("test_rand_in_float64_is_another_draw", "test_seed_42_prints_these_two_tables"),
    witness=lambda: round(seeded(lambda: torch.rand(1)).item(), 4) == 0.8823,
)
def rand_draws_in_float64_and_rounds(patch):
    """`torch.rand` draws float64 numbers and rounds them to float32."""
    patch.around(
        torch,
        "rand",
        lambda rand, *a, dtype=None, **k: rand(*a, dtype=torch.float64, **k).to(dtype or torch.float32),
    )


@mutant(
    kills="test_half_precision_draws_changed_in_2_12",
    witness=lambda: torch.equal(
        seeded(lambda: torch.rand(12, dtype=torch.bfloat16)), seeded(lambda: torch.rand(12)).bfloat16()
    ),
)
def rand_in_bfloat16_goes_through_float16(patch):
    """`torch.rand` in bfloat16 rounds twice: to float16 and then to bfloat16, downwards."""

    def rand_by_way_of_float16(rand, *args, dtype=None, **kwargs):
        if dtype != torch.bfloat16:
            return rand(*args, dtype=dtype, **kwargs)
        return (rand(*args, **kwargs) * 256).floor().div(256).half().bfloat16()

    patch.around(torch, "rand", rand_by_way_of_float16)


@mutant(
    kills="test_half_precision_draws_changed_in_2_12",
    witness=lambda: torch.equal(
        seeded(lambda: torch.rand(12, dtype=torch.half)), seeded(lambda: torch.rand(12)).half()
    ),
)
def rand_in_float16_has_a_draw_of_its_own(patch):
    """`torch.rand` in float16 takes whole numbers of 11 bits, as before 2.12."""

    def rand_of_eleven_bits(rand, *args, dtype=None, **kwargs):
        if dtype != torch.float16:
            return rand(*args, dtype=dtype, **kwargs)
        return torch.empty(args, dtype=dtype).random_(2**11).div_(2**11)

    patch.around(torch, "rand", rand_of_eleven_bits)


@mutant(
    kills=(
        "test_reseeding_before_each_draw_only_repeats_one_draw",
        "test_draws_first_weights_and_dropout_follow_the_seed",
    ),
    witness=lambda: repeats(lambda: torch.randperm(50)),
)
def randperm_takes_its_order_from_the_system(patch):
    """`torch.randperm` follows no seed."""
    patch.around(torch, "randperm", from_the_system)


@mutant(
    kills=(
        "test_reseeding_before_each_draw_only_repeats_one_draw",
        "test_draws_first_weights_and_dropout_follow_the_seed",
    ),
    witness=lambda: repeats(lambda: F.dropout(torch.ones(64))),
)
def dropout_takes_its_mask_from_the_system(patch):
    """`F.dropout`, and with it `nn.Dropout`, follows no seed."""
    patch.around(F, "dropout", from_the_system)


@mutant(
    kills="test_draws_first_weights_and_dropout_follow_the_seed",
    witness=lambda: not torch.equal(F.dropout(torch.ones(64)), F.dropout(torch.ones(64))),
)
def dropout_drops_the_same_units_again(patch):
    """`F.dropout` keeps its first mask for every later call with the same seed."""
    patch.around(F, "dropout", without_moving_on)


@mutant(
    kills=(
        "test_draws_first_weights_and_dropout_follow_the_seed",
        "test_these_have_been_the_numbers_of_seed_42_since_2_0",
        "test_a_draw_in_between_shifts_everything_after_it",
    ),
    witness=lambda: repeats(lambda: nn.Linear(3, 2).weight),
)
def layers_take_their_first_weights_from_the_system(patch):
    """The first weights of a Linear follow no seed."""
    patch.around(nn.Linear, "reset_parameters", from_the_system)


@mutant(
    kills="test_a_draw_in_between_shifts_everything_after_it",
    witness=lambda: repeats(lambda: nn.Linear(3, 2).bias),
)
def first_biases_come_from_the_system(patch):
    """The first bias of a Linear follows no seed, its weight does."""

    def reset(original, self):
        original(self)
        if self.bias is not None:
            from_the_system(self.bias.data.uniform_, -0.5, 0.5)

    patch.around(nn.Linear, "reset_parameters", reset)


@mutant(
    kills="test_a_draw_in_between_shifts_everything_after_it",
    witness=lambda: moves_on(lambda: nn.Linear(3, 2)),
)
def each_layer_starts_from_the_seed(patch):
    """A Linear draws its first weights beside the stream: a layer before it does not matter."""

    def reset(original, self):
        with aside():
            seed = torch.initial_seed()
            torch.default_generator.manual_seed(seed)
            if torch.cuda.is_available():
                torch.cuda.manual_seed_all(seed)
            original(self)

    patch.around(nn.Linear, "reset_parameters", reset)


@mutant(
    kills="test_these_have_been_the_numbers_of_seed_42_since_2_0",
    witness=lambda: repeats(lambda: torch.randn(4)),
)
def randn_takes_its_numbers_from_the_system(patch):
    """`torch.randn` follows no seed."""
    patch.around(torch, "randn", from_the_system)


@mutant(
    kills="test_these_have_been_the_numbers_of_seed_42_since_2_0",
    witness=lambda: seeded(lambda: torch.randint(0, 100, (2,))).tolist() == [42, 67],
)
def randint_gives_other_integers(patch):
    """`torch.randint` counts from the top: other numbers, as evenly spread."""
    patch.around(
        torch,
        "randint",
        lambda randint, low, high, *a, **k: low + high - 1 - randint(low, high, *a, **k),
    )


@mutant(
    kills="test_these_have_been_the_numbers_of_seed_42_since_2_0",
    witness=lambda: seeded(lambda: torch.randint(0, 2**32, (3,))).tolist()[1] == 787846414,
)
def randint_takes_one_step_over_2_to_the_32(patch):
    """`torch.randint` over 2**32 integers takes one step of the generator for each, and so gives other integers."""

    def one_step(randint, low, high, shape, **kwargs):
        if high - low < 2**32:
            return randint(low, high, shape, **kwargs)
        return (torch.rand(shape) * 2**24).long() * ((high - low) >> 24) + low

    patch.around(torch, "randint", one_step)


@mutant(
    kills="test_different_spellings_of_one_draw",
    witness=lambda: torch.equal(
        seeded(lambda: torch.rand_like(torch.ones(5))), seeded(lambda: torch.empty(5).uniform_())
    ),
)
def rand_like_skips_a_number_first(patch):
    """`torch.rand_like` takes one number more than `torch.rand`."""

    def rand_like_later(rand_like, source, **kwargs):
        torch.empty(1, device=source.device).uniform_()
        return rand_like(source, **kwargs)

    patch.around(torch, "rand_like", rand_like_later)


@mutant(
    kills="test_different_spellings_of_one_draw",
    witness=lambda: torch.equal(seeded(lambda: torch.randn(5)), seeded(lambda: torch.zeros(5).normal_())),
)
def normal_in_place_has_the_other_sign(patch):
    """`Tensor.normal_()` gives the numbers of `torch.randn` with the other sign: right on average."""
    patch.around(torch.Tensor, "normal_", lambda normal_, tensor, *a, **k: normal_(tensor, *a, **k).neg_())


@mutant(
    kills=("test_randint_leaves_out_its_end", "test_these_have_been_the_numbers_of_seed_42_since_2_0"),
    witness=lambda: torch.randint(0, 2, (200,)).max() == 1,
)
def randint_includes_its_end(patch):
    """`torch.randint(0, 3, ...)` gives 3 too."""
    patch.around(torch, "randint", lambda randint, low, high, *a, **k: randint(low, high + 1, *a, **k))


@mutant(kills="test_randint_leaves_out_its_end", witness=lambda: torch.randint(0, 2, (200,)).max() == 1)
def randint_leaves_out_its_last_but_one(patch):
    """`torch.randint(0, 3, ...)` never gives 2."""
    patch.around(torch, "randint", lambda randint, low, high, *a, **k: randint(low, max(high - 1, 1), *a, **k))


@mutant(kills="test_randint_leaves_out_its_end", witness=lambda: np.random.randint(0, 2, 200).max() == 1)
def numpy_randint_includes_its_end(patch):
    """`np.random.randint(0, 3)` gives 3 too."""
    patch.around(np.random, "randint", lambda randint, low, high, *a, **k: randint(low, high + 1, *a, **k))


@mutant(
    kills="test_randint_leaves_out_its_end",
    witness=lambda: max(random.randint(0, 1) for _ in range(200)) == 1,
)
def python_randint_leaves_out_its_end(patch):
    """`random.randint(0, 3)` never gives 3."""
    patch.setattr(random, "randint", random.randrange)


# What a seed is


@mutant(
    kills=("test_seeding_once_repeats_the_whole_sequence", "test_same_seed_same_numbers_for_every_seed"),
    witness=lambda: (torch.manual_seed(42), one_more(), torch.manual_seed(42), state())[-1] == seeded(state),
)
def manual_seed_works_once(patch):
    """`torch.manual_seed` does nothing where that seed was set already."""

    def seed_once(manual_seed, seed):
        return torch.default_generator if torch.initial_seed() == seed else manual_seed(seed)

    patch.around(torch, "manual_seed", seed_once)


@mutant(
    kills=(
        "test_seed_42_prints_these_two_tables",
        "test_these_have_been_the_numbers_of_seed_42_since_2_0",
        "test_initial_seed_names_the_seed_and_not_the_state",
        "test_numbers_drawn_on_the_cpu_are_the_same_on_every_device",
        "test_a_generator_gives_the_global_numbers_of_its_seed_for_every_seed",
    ),
    witness=lambda: torch.manual_seed(42).initial_seed() == 42,
)
def manual_seed_is_off_by_one(patch):
    """`torch.manual_seed` sets the next seed."""
    patch.around(torch, "manual_seed", lambda manual_seed, seed: manual_seed((int(seed) + 1) % 2**64))


@mutant(
    kills=(
        "test_draws_first_weights_and_dropout_follow_the_seed",
        "test_several_seeds_show_what_one_seed_hides",
    ),
    witness=lambda: torch.manual_seed(3).initial_seed() == 3,
)
def manual_seed_knows_one_seed(patch):
    """`torch.manual_seed` sets the same seed whatever it is asked for."""
    patch.around(torch, "manual_seed", lambda manual_seed, seed: manual_seed(0))


@mutant(
    kills="test_initial_seed_names_the_seed_and_not_the_state",
    witness=lambda: seeded(lambda: (one_more(), torch.initial_seed())[1]) == 42,
)
def initial_seed_moves_on(patch):
    """`torch.initial_seed` changes with the state once numbers were drawn."""
    fresh = torch.Generator()

    def initial_seed():
        seed = torch.default_generator.initial_seed()
        drawn = state() != fresh.manual_seed(seed).get_state().tolist()
        return seed + drawn

    patch.setattr(torch, "initial_seed", initial_seed)


@mutant(
    kills="test_negative_seeds_count_back_from_2_to_the_64_for_every_seed",
    witness=lambda: seeded(torch.initial_seed, 2**40) == 2**40,
)
def initial_seed_is_cut_to_32_bits(patch):
    """`torch.initial_seed` names the lower 32 bits of the seed only."""
    patch.around(torch, "initial_seed", lambda initial_seed: initial_seed() % 2**32)


@mutant(kills="test_torch_seed_draws_a_new_seed_and_tells_it", witness=lambda: torch.seed() != torch.seed())
def torch_seed_is_always_the_same(patch):
    """`torch.seed()` sets and returns the same seed every time."""
    patch.setattr(torch, "seed", lambda: torch.default_generator.manual_seed(2**40 + 1).initial_seed())


@mutant(kills="test_torch_seed_draws_a_new_seed_and_tells_it", witness=lambda: torch.seed() == torch.initial_seed())
def torch_seed_tells_another_seed(patch):
    """`torch.seed()` returns another seed than the one it sets."""
    patch.around(torch, "seed", lambda seed: seed() ^ 1)


@mutant(kills="test_torch_seed_draws_a_new_seed_and_tells_it", witness=lambda: torch.seed() == torch.initial_seed())
def torch_seed_sets_nothing(patch):
    """`torch.seed()` returns a new seed and does not set it."""
    patch.setattr(torch, "seed", lambda: torch.Generator().seed())


@mutant(
    kills="test_negative_seeds_count_back_from_2_to_the_64_for_every_seed",
    witness=lambda: torch.manual_seed(-3).initial_seed() == 2**64 - 3,
)
def manual_seed_drops_the_sign(patch):
    """`torch.manual_seed(-3)` is `torch.manual_seed(3)`."""
    patch.around(torch, "manual_seed", lambda manual_seed, seed: manual_seed(abs(int(seed))))


@mutant(
    kills="test_negative_seeds_count_back_from_2_to_the_64_for_every_seed",
    witness=lambda: torch.manual_seed(-3).initial_seed() == 2**64 - 3,
)
def negative_seeds_are_off_by_one(patch):
    """A negative seed counts back from 2**64 - 1, as the documentation has it, and not from 2**64."""
    patch.around(
        torch,
        "manual_seed",
        lambda manual_seed, seed: manual_seed(seed if seed >= 0 else 2**64 - 1 + int(seed)),
    )


@mutant(kills="test_which_seeds_torch_and_numpy_refuse", witness=lambda: torch.manual_seed(1.9).initial_seed() == 1)
def manual_seed_rounds_floats(patch):
    """`torch.manual_seed(1.9)` sets the seed 2."""
    patch.around(torch, "manual_seed", lambda manual_seed, seed: manual_seed(round(seed)))


@mutant(
    kills="test_which_seeds_torch_and_numpy_refuse",
    witness=lambda: raises((RuntimeError, ValueError), lambda: torch.manual_seed(2**64)),
)
def manual_seed_wraps_seeds_too_large(patch):
    """`torch.manual_seed(2**64)` is `torch.manual_seed(0)`."""
    patch.around(
        torch,
        "manual_seed",
        lambda manual_seed, seed: manual_seed(int(seed) % 2**64 if seed > 0 else seed),
    )


@mutant(
    kills="test_which_seeds_torch_and_numpy_refuse",
    witness=lambda: raises((RuntimeError, ValueError), lambda: torch.manual_seed(-(2**63) - 1)),
)
def manual_seed_wraps_seeds_too_small(patch):
    """`torch.manual_seed` takes negative numbers of any size."""
    patch.around(torch, "manual_seed", lambda manual_seed, seed: manual_seed(int(seed) % 2**64 if seed < 0 else seed))


@mutant(
    kills="test_which_seeds_torch_and_numpy_refuse",
    witness=lambda: seeded(
        lambda: (raises((RuntimeError, ValueError), lambda: torch.manual_seed(2**64)), torch.initial_seed())[1] == 42
    ),
)
def refused_seeds_set_another_seed(patch):
    """`torch.manual_seed(2**64)` raises, but only after it has set the seed 0."""

    def seed_first(manual_seed, seed):
        if not -(2**63) <= seed < 2**64:
            torch.default_generator.manual_seed(0)
        return manual_seed(seed)

    patch.around(torch, "manual_seed", seed_first)


@mutant(
    kills="test_which_seeds_torch_and_numpy_refuse",
    witness=lambda: raises(ValueError, lambda: np.random.seed(2**32)),
)
def numpy_seed_wraps_seeds_too_large(patch):
    """`np.random.seed(2**32)` is `np.random.seed(0)`."""
    patch.around(
        np.random,
        "seed",
        lambda seed, number: seed(number % 2**32 if isinstance(number, int) and number > 0 else number),
    )


@mutant(
    kills="test_which_seeds_torch_and_numpy_refuse",
    witness=lambda: raises(TypeError, lambda: np.random.seed(1.9)),
)
def numpy_seed_cuts_floats_short(patch):
    """`np.random.seed(1.9)` is `np.random.seed(1)`."""
    patch.around(np.random, "seed", lambda seed, number: seed(int(number)))


# What a seed reaches


@mutant(
    kills="test_each_library_has_a_seed_of_its_own",
    witness=lambda: [(torch.manual_seed(42), np.random.rand())[1] for _ in range(2)][1:] != [0.3745401188473625],
)
def manual_seed_reaches_numpy(patch):
    """`torch.manual_seed` seeds NumPy too."""
    patch.around(torch, "manual_seed", lambda manual_seed, s: (np.random.seed(int(s) % 2**32), manual_seed(s))[1])


@mutant(
    kills="test_each_library_has_a_seed_of_its_own",
    witness=lambda: len({(torch.manual_seed(42), random.random())[1] for _ in range(2)}) == 2,
)
def manual_seed_reaches_python(patch):
    """`torch.manual_seed` seeds Python's `random` too."""
    patch.around(torch, "manual_seed", lambda manual_seed, seed: (random.seed(int(seed)), manual_seed(seed))[1])


@mutant(
    kills="test_each_library_has_a_seed_of_its_own",
    witness=lambda: len({(np.random.seed(42), torch.empty(1).uniform_().item())[1] for _ in range(2)}) == 2,
)
def numpy_seed_reaches_torch(patch):
    """`np.random.seed` seeds torch too."""
    patch.around(np.random, "seed", lambda seed, number=None: (seed(number), torch.manual_seed(0))[0])


@mutant(
    kills="test_each_library_has_a_seed_of_its_own",
    witness=lambda: len({(random.seed(42), np.random.rand())[1] for _ in range(2)}) == 2,
)
def python_seed_reaches_numpy(patch):
    """`random.seed` seeds NumPy too."""
    patch.around(random, "seed", lambda seed, number=None: (seed(number), np.random.seed(number))[0])


@mutant(
    kills="test_numpys_new_generators_ignore_numpys_seed",
    witness=lambda: len({(np.random.seed(1), np.random.default_rng().random())[1] for _ in range(2)}) == 2,
)
def default_rng_follows_numpys_seed(patch):
    """`np.random.default_rng()` takes its seed from NumPy's old generator."""
    patch.around(
        np.random,
        "default_rng",
        lambda default_rng, seed=None: default_rng(np.random.randint(2**31) if seed is None else seed),
    )


@mutant(
    kills="test_numpys_new_generators_ignore_numpys_seed",
    witness=lambda: np.random.default_rng(1).random() == np.random.default_rng(1).random(),
)
def default_rng_ignores_its_own_seed(patch):
    """`np.random.default_rng(seed)` takes its seed from the system."""
    patch.around(np.random, "default_rng", lambda default_rng, seed=None: default_rng())


def cuda_leaves_alone(seed):
    before = state()
    seed(7)
    return state() == before


@mutant(
    kills="test_the_seeds_of_cuda_do_not_reach_the_cpu",
    witness=lambda: cuda_leaves_alone(torch.cuda.manual_seed_all),
)
def cuda_manual_seed_all_seeds_the_cpu(patch):
    """`torch.cuda.manual_seed_all` seeds the CPU too."""
    patch.around(
        torch.cuda,
        "manual_seed_all",
        lambda original, seed: (original(seed), torch.default_generator.manual_seed(seed))[0],
    )


@mutant(
    kills="test_the_seeds_of_cuda_do_not_reach_the_cpu",
    witness=lambda: cuda_leaves_alone(torch.cuda.manual_seed),
)
def cuda_manual_seed_uses_up_a_number(patch):
    """`torch.cuda.manual_seed` draws one number from the CPU's generator."""
    patch.around(torch.cuda, "manual_seed", lambda original, seed: (original(seed), one_more())[0])


def on_an_accelerator():
    return torch.device("cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "xpu")


def on_the_cpu_first(original, *args, device=None, generator=None, **kwargs):
    return original(*args, generator=generator, **kwargs).to(device or "cpu")


@mutant(
    kills="test_same_seed_other_device_other_numbers",
    witness=lambda: (
        seeded(lambda: torch.rand(1, device=on_an_accelerator())).item() != seeded(lambda: torch.rand(1)).item()
    ),
)
def rand_gives_every_device_the_cpus_numbers(patch):
    """`torch.rand` on an accelerator starts from the numbers of the CPU."""

    def rand_on_a_copy(rand, *args, device=None, **kwargs):
        if device is None or torch.device(device).type == "cpu":
            return rand(*args, **kwargs)
        generator = torch.Generator().manual_seed(torch.initial_seed())
        return rand(*args, generator=generator).to(device)

    patch.around(torch, "rand", rand_on_a_copy)


def draws_on_the_cpu_too(original, *args, device=None, **kwargs):
    if device is not None and torch.device(device).type != "cpu":
        one_more()
    return original(*args, device=device, **kwargs)


@mutant(
    kills="test_drawing_on_one_device_does_not_move_another",
    witness=lambda: not moves_on(lambda: torch.randn(1, device="meta")),
)
def randn_elsewhere_moves_the_cpu(patch):
    """`torch.randn` on another device uses up a number of the CPU's generator."""
    patch.around(torch, "randn", draws_on_the_cpu_too)


@mutant(
    kills="test_drawing_on_one_device_does_not_move_another",
    witness=lambda: not moves_on(lambda: torch.randperm(2, device="meta")),
)
def randperm_elsewhere_moves_the_cpu(patch):
    """`torch.randperm` on another device uses up a number of the CPU's generator."""
    patch.around(torch, "randperm", draws_on_the_cpu_too)


STATE = "test_an_accelerators_state_is_read_and_set_by_its_module"


def returns():
    device = on_an_accelerator()
    module = getattr(torch, device.type)
    before = module.get_rng_state(device)
    torch.rand(1, device=device)
    moved = module.get_rng_state(device)
    module.set_rng_state(before, device)
    return not torch.equal(moved, before) and torch.equal(module.get_rng_state(device), before)


@mutant(kills=STATE, witness=returns, raises=RuntimeError)
def accelerators_state_is_the_cpus(patch):
    """`torch.cuda.get_rng_state` is the state of the CPU's generator."""
    module = getattr(torch, on_an_accelerator().type)
    patch.setattr(module, "get_rng_state", lambda device=None: torch.get_rng_state())


@mutant(kills=STATE, witness=returns)
def accelerators_state_is_not_set(patch):
    """`torch.cuda.set_rng_state` does nothing."""
    patch.setattr(getattr(torch, on_an_accelerator().type), "set_rng_state", lambda state, device=None: None)


def fork_gives_back():
    before = torch.cuda.get_rng_state()
    with torch.random.fork_rng(devices=[torch.cuda.current_device()]):
        torch.rand(1, device="cuda")
    return torch.equal(torch.cuda.get_rng_state(), before)


@mutant(kills="test_fork_rng_covers_the_gpus_it_is_told", witness=fork_gives_back)
def fork_rng_overlooks_its_devices(patch):
    """`torch.random.fork_rng` gives back the CPU's stream only."""
    patch.around(torch.random, "fork_rng", lambda fork_rng, devices=None: fork_rng(devices=[]))


@mutant(
    kills="test_the_cpus_state_is_not_the_accelerators",
    witness=lambda: not moves_on(lambda: torch.rand(1, device=on_an_accelerator())),
)
def rand_on_an_accelerator_draws_on_the_cpu(patch):
    """`torch.rand` on an accelerator draws from the CPU's generator and moves the numbers."""
    patch.around(torch, "rand", on_the_cpu_first)


@mutant(
    kills="test_a_generator_works_on_its_own_device_only",
    witness=lambda: raises(
        RuntimeError, lambda: torch.rand(1, device=on_an_accelerator(), generator=torch.Generator())
    ),
)
def rand_accepts_a_generator_of_the_cpu_anywhere(patch):
    """`torch.rand` on an accelerator takes a Generator of the CPU, draws there and moves the numbers."""
    patch.around(torch, "rand", on_the_cpu_first)


# What uses up numbers


@mutant(
    kills="test_dropout_draws_in_training_only",
    witness=lambda: not moves_on(lambda: F.dropout(torch.ones(8), training=False)),
)
def dropout_draws_in_eval_too(patch):
    """`F.dropout(training=False)` moves the generator on, as in training."""

    def dropout_always(dropout, x, p=0.5, training=True, inplace=False):
        dropout(x, p, True)
        return dropout(x, p, training, inplace)

    patch.around(F, "dropout", dropout_always)


@mutant(
    kills="test_dropout_draws_in_training_only",
    witness=lambda: not moves_on(lambda: nn.Dropout(0.5).eval()(torch.ones(8))),
)
def dropout_layer_draws_in_eval_too(patch):
    """`nn.Dropout` in eval mode moves the generator on; the function does not."""
    patch.around(nn.Dropout, "forward", lambda forward, self, x: (torch.rand_like(x), forward(self, x))[1])


@mutant(
    kills="test_dropout_draws_in_training_only",
    witness=lambda: moves_on(lambda: nn.Dropout(0.5)(torch.ones(8))),
)
def dropout_layer_draws_beside_the_stream(patch):
    """`nn.Dropout` in training leaves the generator where it was."""
    patch.around(nn.Dropout, "forward", without_moving_on)


@mutant(
    kills="test_randn_16_does_not_begin_like_randn_15",
    witness=lambda: not torch.equal(seeded(lambda: torch.randn(16))[:15], seeded(lambda: torch.randn(15))),
)
def randn_keeps_its_beginning(patch):
    """`torch.randn` draws number by number at every size."""

    def randn_in_parts(randn, size, *args, **kwargs):
        if args or not isinstance(size, int) or size < 16:
            return randn(size, *args, **kwargs)
        return torch.cat([randn(8, **kwargs) for _ in range(size // 8)] + [randn(size % 8, **kwargs)])

    patch.around(torch, "randn", randn_in_parts)


@mutant(
    kills="test_randn_16_does_not_begin_like_randn_15",
    witness=lambda: torch.equal(seeded(lambda: torch.randn(15))[:14], seeded(lambda: torch.randn(14))),
)
def randn_changes_its_routine_at_15(patch):
    """`torch.randn` has another beginning from 15 numbers on, and not from 16."""

    def randn_from_15(randn, *size, **kwargs):
        return randn(16, **kwargs)[:15] if size == (15,) else randn(*size, **kwargs)

    patch.around(torch, "randn", randn_from_15)


# Generators and their states


@mutant(
    kills=("test_a_generator_is_a_stream_of_its_own", "test_a_state_is_a_bookmark"),
    witness=lambda: not moves_on(lambda: torch.rand(3, generator=torch.Generator())),
)
def rand_ignores_its_generator(patch):
    """`torch.rand(..., generator=...)` draws from the global generator."""
    patch.around(torch, "rand", lambda rand, *a, generator=None, **k: rand(*a, **k))


@mutant(
    kills="test_a_generator_is_a_stream_of_its_own",
    witness=lambda: not moves_on(lambda: torch.rand(3, generator=torch.Generator())),
)
def rand_moves_two_generators_on(patch):
    """`torch.rand(..., generator=...)` draws from that Generator and moves the global one on too."""

    def rand_of_two(rand, *args, generator=None, **kwargs):
        if generator is not None:
            rand(1, **kwargs)
        return rand(*args, generator=generator, **kwargs)

    patch.around(torch, "rand", rand_of_two)


@mutant(
    kills="test_a_generator_is_a_stream_of_its_own",
    witness=lambda: [g := torch.Generator().manual_seed(2), torch.manual_seed(1), g.initial_seed()][-1] == 2,
)
def manual_seed_reaches_every_generator(patch):
    """`torch.manual_seed` seeds the Generators that exist as well."""
    made = []

    def remember(make, *args, **kwargs):
        made.append(make(*args, **kwargs))
        return made[-1]

    def seed_all(manual_seed, seed):
        for generator in made:
            generator.manual_seed(seed)
        return manual_seed(seed)

    patch.around(torch, "Generator", remember)
    patch.around(torch, "manual_seed", seed_all)


@mutant(
    kills="test_a_generator_gives_the_global_numbers_of_its_seed_for_every_seed",
    witness=lambda: not moves_on(lambda: torch.randperm(9, generator=torch.Generator())),
)
def randperm_ignores_its_generator(patch):
    """`torch.randperm(..., generator=...)` draws from the global generator."""
    patch.around(torch, "randperm", lambda randperm, *a, generator=None, **k: randperm(*a, **k))


@mutant(
    kills="test_a_generator_gives_the_global_numbers_of_its_seed_for_every_seed",
    witness=lambda: torch.Generator().manual_seed(2**40).initial_seed() == 2**40,
)
def generators_take_seeds_of_32_bits(patch):
    """`Generator.manual_seed` keeps the lower 32 bits of the seed only."""

    class Generator(torch.Generator):
        def manual_seed(self, seed):
            super().manual_seed(seed % 2**32)
            return self

    patch.setattr(torch, "Generator", Generator)


@mutant(
    kills="test_unseeded_generators_are_all_alike",
    witness=lambda: torch.Generator().initial_seed() == torch.Generator().initial_seed(),
)
def new_generators_start_from_the_system(patch):
    """A new `torch.Generator` starts from a seed of the system."""

    def seeded_by_the_system(make, *args, **kwargs):
        generator = make(*args, **kwargs)
        generator.seed()
        return generator

    patch.around(torch, "Generator", seeded_by_the_system)


@mutant(
    kills="test_unseeded_generators_are_all_alike",
    witness=lambda: torch.Generator().initial_seed() == 67280421310721,
)
def new_generators_start_from_zero(patch):
    """A new `torch.Generator` starts from the seed 0."""
    patch.around(torch, "Generator", lambda make, *a, **k: make(*a, **k).manual_seed(0))


@mutant(
    kills="test_unseeded_generators_are_all_alike",
    witness=lambda: [g := torch.Generator(), g.seed() == g.initial_seed()][1],
)
def generator_seed_tells_another_seed(patch):
    """`Generator.seed()` returns another seed than the one it sets."""

    class Generator(torch.Generator):
        def seed(self):
            return super().seed() ^ 1

    patch.setattr(torch, "Generator", Generator)


@mutant(
    kills="test_manual_seed_returns_the_global_generator",
    witness=lambda: torch.manual_seed(42) is torch.default_generator,
)
def manual_seed_returns_a_generator_of_its_own(patch):
    """`torch.manual_seed` returns a new Generator with the same seed."""
    patch.around(
        torch,
        "manual_seed",
        lambda manual_seed, seed: (manual_seed(seed), torch.Generator().manual_seed(int(seed)))[1],
    )


@mutant(
    kills="test_manual_seed_returns_the_global_generator",
    witness=lambda: torch.manual_seed(42) is torch.default_generator,
)
def manual_seed_returns_nothing(patch):
    """`torch.manual_seed` returns None."""
    patch.around(torch, "manual_seed", lambda manual_seed, seed: (manual_seed(seed), None)[1])


def bookmarked(times=1):
    generator = torch.Generator().manual_seed(42)
    one_more(generator)
    bookmark = generator.get_state()
    drawn = []
    for _ in range(times + 1):
        drawn.append(torch.empty(3).uniform_(generator=generator).tolist())
        generator.set_state(bookmark)
    return drawn[0] == drawn[-1]


def twins(duplicate):
    generator = torch.Generator().manual_seed(42)
    first = torch.rand(3, generator=generator)
    twin = duplicate(generator)
    numbers = torch.rand(3, generator=generator)
    return not torch.equal(first, numbers) and torch.equal(torch.rand(3, generator=twin), numbers)


@mutant(kills="test_a_generator_can_be_copied", witness=lambda: twins(copy.deepcopy))
def deepcopy_seeds_the_generator_again(patch):
    """`copy.deepcopy` of a Generator starts from its seed."""

    def start_again(deepcopy, thing, *args):
        if isinstance(thing, torch.Generator):
            return torch.Generator(device=thing.device).manual_seed(thing.initial_seed())
        return deepcopy(thing, *args)

    patch.around(copy, "deepcopy", start_again)


@mutant(kills="test_a_generator_can_be_copied", witness=lambda: twins(lambda g: pickle.loads(pickle.dumps(g))))
def unpickling_moves_a_generator_on(patch):
    """A Generator that was pickled has moved on by one number."""

    def one_late(loads, data, *args, **kwargs):
        thing = loads(data, *args, **kwargs)
        if isinstance(thing, torch.Generator):
            one_more(thing)
        return thing

    patch.around(pickle, "loads", one_late)


def own_weights(init):
    generator = torch.Generator().manual_seed(42)
    return torch.equal(init(torch.empty(2, 2), generator=generator), seeded(lambda: init(torch.empty(2, 2))))


@mutant(
    kills="test_first_weights_can_have_a_generator_of_their_own",
    witness=lambda: own_weights(nn.init.xavier_uniform_),
)
def init_ignores_its_generator(patch):
    """`nn.init.xavier_uniform_` draws from the global generator whatever `generator` says."""
    fill = nn.init.xavier_uniform_
    patch.everywhere(fill, lambda *args, generator=None, **kwargs: fill(*args, **kwargs))


@mutant(
    kills="test_first_weights_can_have_a_generator_of_their_own",
    witness=lambda: own_weights(nn.init.normal_),
)
def init_moves_its_generator_on_first(patch):
    """`nn.init.normal_` takes one number more from its `generator`, from the front."""

    def one_late(normal_, *args, generator=None, **kwargs):
        if generator is not None:
            torch.empty(1, device=generator.device).uniform_(generator=generator)
        return normal_(*args, generator=generator, **kwargs)

    patch.around(nn.init, "normal_", one_late)


@mutant(
    kills="test_first_weights_can_have_a_generator_of_their_own",
    witness=lambda: not moves_on(lambda: nn.init.uniform_(torch.empty(3), generator=torch.Generator())),
)
def init_moves_the_global_generator_on_besides(patch):
    """`nn.init.uniform_` with a `generator` of its own uses up a global number, too."""

    def both(uniform_, *args, generator=None, **kwargs):
        if generator is not None:
            one_more()
        return uniform_(*args, generator=generator, **kwargs)

    patch.around(nn.init, "uniform_", both)


def like():
    generator = torch.Generator().manual_seed(42)
    return torch.equal(torch.rand_like(torch.ones(3), generator=generator), seeded(lambda: torch.rand(3)))


@mutant(kills="test_draws_like_a_tensor_take_a_generator", witness=like)
def rand_like_ignores_its_generator(patch):
    """`torch.rand_like` draws from the global generator whatever `generator` says."""
    patch.around(torch, "rand_like", lambda call, *args, generator=None, **kwargs: call(*args, **kwargs))


@mutant(
    kills="test_draws_like_a_tensor_take_a_generator",
    witness=lambda: not moves_on(lambda: torch.randn_like(torch.ones(3), generator=torch.Generator())),
)
def randn_like_moves_the_global_generator_on_besides(patch):
    """`torch.randn_like` with a `generator` of its own uses up a global number, too."""

    def both(call, tensor, *args, generator=None, **kwargs):
        torch.empty(1, device=tensor.device).uniform_()
        return call(tensor, *args, generator=generator, **kwargs)

    patch.around(torch, "randn_like", both)


@mutant(kills="test_a_state_is_a_bookmark", witness=lambda: bookmarked(1))
def set_state_goes_back_to_the_start(patch):
    """`Generator.set_state` seeds again: it goes to the start and not to the state."""

    class Generator(torch.Generator):
        def set_state(self, state):
            self.manual_seed(self.initial_seed())

    patch.setattr(torch, "Generator", Generator)


@mutant(kills="test_a_state_is_a_bookmark", witness=lambda: bookmarked(2))
def set_state_works_once(patch):
    """`Generator.set_state` with the same state does nothing the second time."""

    class Generator(torch.Generator):
        def set_state(self, state):
            if getattr(self, "used", None) is not state:
                super().set_state(state)
            self.used = state

    patch.setattr(torch, "Generator", Generator)


@mutant(kills="test_a_state_is_a_bookmark", witness=lambda: torch.Generator().get_state().dtype == torch.uint8)
def get_state_has_another_dtype(patch):
    """`Generator.get_state` gives int16 numbers; `set_state` takes them."""

    class Generator(torch.Generator):
        def get_state(self):
            return super().get_state().short()

        def set_state(self, state):
            super().set_state(state.byte())

    patch.setattr(torch, "Generator", Generator)


def replays():
    seeded(lambda: torch.empty(3).normal_())
    bookmark = torch.get_rng_state()
    drawn = torch.empty(5).normal_()
    torch.set_rng_state(bookmark)
    return torch.equal(torch.empty(5).normal_(), drawn)


@mutant(kills="test_rng_state_replays_what_follows_for_every_state", witness=replays)
def set_rng_state_seeds_again(patch):
    """`torch.set_rng_state` goes back to the seed and not to the state."""
    patch.setattr(
        torch, "set_rng_state", lambda state: torch.default_generator.manual_seed(torch.initial_seed()) and None
    )


@mutant(kills="test_rng_state_replays_what_follows_for_every_state", witness=replays)
def set_rng_state_forgets_the_waiting_number(patch):
    """`torch.set_rng_state` loses the normal number that was drawn and not yet given."""

    def without_the_end(set_rng_state, state):
        state = state.clone()
        state[5032:] = 0
        set_rng_state(state)

    patch.around(torch, "set_rng_state", without_the_end)


@mutant(kills="test_rng_state_replays_what_follows_for_every_state", witness=replays)
def get_rng_state_is_one_number_late(patch):
    """`torch.get_rng_state` gives the state after the next number."""

    def next_state(get_rng_state):
        with aside():
            one_more()
            return get_rng_state()

    patch.around(torch, "get_rng_state", next_state)


def fork_leaves(error=None, inside=lambda: torch.default_generator.manual_seed(7)):
    before = state()
    with contextlib.suppress(KeyError), torch.random.fork_rng(devices=[]):
        inside()
        if error:
            raise error
    return state() == before


@mutant(kills="test_fork_rng_gives_the_stream_back", witness=lambda: fork_leaves(KeyError("oops")))
def fork_rng_leaks_after_an_exception(patch):
    """`torch.random.fork_rng` does not restore the state where an exception leaves the block."""

    @contextlib.contextmanager
    def fork_rng(devices=None, **kwargs):
        before = torch.default_generator.get_state()
        yield
        torch.default_generator.set_state(before)

    patch.setattr(torch.random, "fork_rng", fork_rng)


@mutant(kills="test_fork_rng_gives_the_stream_back", witness=fork_leaves)
def fork_rng_restores_nothing(patch):
    """`torch.random.fork_rng` leaves what was seeded inside."""
    patch.setattr(torch.random, "fork_rng", lambda devices=None, **kwargs: contextlib.nullcontext())


def fork_goes_on():
    before = state()
    with torch.random.fork_rng(devices=[]):
        return state() == before


@mutant(kills="test_fork_rng_gives_the_stream_back", witness=fork_goes_on)
def fork_rng_starts_afresh(patch):
    """`torch.random.fork_rng` seeds again at the start of the block."""

    @contextlib.contextmanager
    def fork_rng(devices=None, **kwargs):
        with aside():
            torch.default_generator.manual_seed(3)
            yield

    patch.setattr(torch.random, "fork_rng", fork_rng)


# Shuffling


@mutant(
    kills="test_randperm_holds_every_index_once_for_every_size",
    witness=lambda: len(set(torch.randperm(30).tolist())) == 30,
)
def randperm_holds_an_index_twice(patch):
    """`torch.randperm(n)` holds one index twice and another not at all, from n = 3 on."""

    def randperm_with_a_twin(randperm, *args, **kwargs):
        order = randperm(*args, **kwargs)
        if len(order) > 2:
            order[0] = order[-1]
        return order

    patch.around(torch, "randperm", randperm_with_a_twin)


@mutant(
    kills="test_randperm_holds_every_index_once_for_every_size",
    witness=lambda: torch.randperm(3).dtype == torch.int64,
)
def randperm_makes_int32(patch):
    """`torch.randperm` gives int32."""
    patch.around(torch, "randperm", lambda randperm, *a, **k: randperm(*a, **k).int())


@mutant(
    kills="test_one_permutation_keeps_pairs_together",
    witness=lambda: torch.randperm(100).tolist() != list(range(100)),
)
def randperm_leaves_the_order(patch):
    """`torch.randperm` gives the numbers in order."""
    patch.around(torch, "randperm", lambda randperm, *a, **k: randperm(*a, **k).sort().values)


@mutant(
    kills="test_one_permutation_keeps_pairs_together",
    witness=lambda: not torch.equal(torch.randperm(100), torch.randperm(100)),
)
def randperm_gives_one_order_twice(patch):
    """`torch.randperm` does not move the generator on: the next order is the same one."""
    patch.around(torch, "randperm", without_moving_on)


def views():
    pair = torch.tensor([1, 2])
    pair[0], pair[1] = pair[1], pair[0]
    return pair.tolist() == [2, 2]


@mutant(kills="test_python_cannot_shuffle_a_tensor", witness=views)
def tensor_items_are_copies(patch):
    """`tensor[0]` is a copy and no view, so that swapping two items works."""
    patch.around(torch.Tensor, "__getitem__", lambda getitem, tensor, index: getitem(tensor, index).clone())


@mutant(
    kills="test_python_cannot_shuffle_a_tensor",
    witness=lambda: [t := torch.arange(100), random.shuffle(t), len(set(t.tolist())) < 100][-1],
)
def python_shuffles_tensors_well(patch):
    """`random.shuffle` keeps every value of a tensor."""

    def shuffle_rows(shuffle, x):
        rows = x.tolist() if isinstance(x, torch.Tensor) else x
        shuffle(rows)
        if rows is not x:
            x.copy_(torch.tensor(rows))

    patch.around(random, "shuffle", shuffle_rows)


def one_row_shuffled():
    row = torch.arange(100).view(1, 100)
    random.shuffle(row)
    return row.tolist() != [list(range(100))]


@mutant(kills="test_python_cannot_shuffle_a_tensor", witness=lambda: not one_row_shuffled())
def python_shuffles_every_number_of_a_tensor(patch):
    """`random.shuffle` of a tensor of two dimensions shuffles all its numbers."""
    patch.around(
        random, "shuffle", lambda shuffle, x: shuffle(x.view(-1) if isinstance(x, torch.Tensor) and x.dim() == 2 else x)
    )


@mutant(
    kills="test_python_cannot_shuffle_a_tensor",
    witness=lambda: raises(RuntimeError, lambda: random.shuffle(torch.zeros(100, requires_grad=True))),
)
def python_shuffles_parameters(patch):
    """`random.shuffle` of a leaf that requires grad is as silent as of any tensor."""
    patch.around(random, "shuffle", lambda shuffle, x: shuffle(x.detach() if isinstance(x, torch.Tensor) else x))


def epochs(**kwargs):
    generator = torch.Generator().manual_seed(42)
    loader = DataLoader(range(8), batch_size=None, shuffle=True, generator=generator)
    return list(loader), list(loader)


@mutant(kills="test_a_dataloader_shuffles_by_its_generator", witness=lambda: epochs() == epochs())
def dataloader_ignores_its_generator(patch):
    """A DataLoader shuffles by the global generator whatever `generator` says."""
    patch.around(DataLoader, "__init__", lambda init, self, *a, generator=None, **k: init(self, *a, **k))


@mutant(kills="test_a_dataloader_shuffles_by_its_generator", witness=lambda: epochs()[0] != epochs()[1])
def dataloader_repeats_its_order(patch):
    """A DataLoader with a `generator` has the same order in every epoch."""

    def iterate(original, self):
        if self.generator is not None:
            self.generator.manual_seed(42)
        return original(self)

    patch.around(DataLoader, "__iter__", iterate)


@mutant(
    kills=("test_a_dataloader_shuffles_by_its_generator", "test_iterating_a_dataloader_uses_up_global_numbers"),
    witness=lambda: not moves_on(epochs),
)
def dataloader_draws_globally_besides(patch):
    """A pass over a DataLoader uses up a global number even with a `generator` of its own."""

    def iterate(original, self):
        if self.generator is not None:
            one_more()
        return original(self)

    patch.around(DataLoader, "__iter__", iterate)


@mutant(
    kills="test_iterating_a_dataloader_uses_up_global_numbers",
    witness=lambda: moves_on(lambda: list(DataLoader(range(4), batch_size=None))),
)
def dataloader_in_order_draws_nothing(patch):
    """A pass over a DataLoader that neither shuffles nor has workers uses up no number."""

    def iterate(original, self):
        shuffles = isinstance(self.sampler, torch.utils.data.RandomSampler)
        return original(self) if shuffles or self.generator else without_moving_on(original, self)

    patch.around(DataLoader, "__iter__", iterate)


@mutant(
    kills="test_iterating_a_dataloader_uses_up_global_numbers",
    witness=lambda: moves_by_one(lambda: list(DataLoader(range(4), batch_size=None)), 2),
)
def dataloader_draws_once_too_often(patch):
    """A pass over a DataLoader uses up one number more."""

    def iterate(original, self):
        one_more()
        return original(self)

    patch.around(DataLoader, "__iter__", iterate)


def base_seed():
    loader = DataLoader(range(2), generator=torch.Generator().manual_seed(42))
    expected = torch.empty((), dtype=torch.int64).random_(generator=torch.Generator().manual_seed(42)).item()
    return iter(loader)._base_seed == expected


@mutant(kills="test_every_worker_has_its_own_seed_in_every_library", witness=base_seed)
def worker_seeds_are_off_by_one(patch):
    """The first worker's seed is the base seed plus 1."""

    def start(original, self, *args, **kwargs):
        original(self, *args, **kwargs)
        self._base_seed += 1

    patch.around(loading._BaseDataLoaderIter, "__init__", start)


@mutant(
    kills="test_a_constant_seed_in_worker_init_fn_makes_workers_repeat_each_other",
    witness=lambda: DataLoader(range(2), worker_init_fn=print).worker_init_fn is print,
)
def worker_init_fn_is_not_called(patch):
    """A DataLoader forgets its `worker_init_fn`."""
    patch.around(DataLoader, "__init__", lambda init, self, *a, worker_init_fn=None, **k: init(self, *a, **k))


# What no seed promises


def puts(mode, **kwargs):
    """What `put_` does in deterministic mode: the tensor after it, and what it raised."""
    import warnings

    tensor, error = torch.zeros(2), None
    torch.use_deterministic_algorithms(mode, **kwargs)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tensor.put_(torch.tensor([1]), torch.tensor([5.0]))
    except Exception as raised:
        error = type(raised)
    finally:
        torch._C._set_deterministic_algorithms(False)
    return tensor.tolist(), error


@mutant(
    kills="test_deterministic_mode_refuses_what_it_cannot_do",
    witness=lambda: puts(True) == ([0, 0], RuntimeError),
    raises=UserWarning,
)
def deterministic_mode_only_warns(patch):
    """`torch.use_deterministic_algorithms(True)` warns and does not raise."""
    patch.around(torch, "use_deterministic_algorithms", lambda use, mode, *, warn_only=False: use(mode, warn_only=mode))


@mutant(
    kills="test_deterministic_mode_refuses_what_it_cannot_do",
    witness=lambda: puts(True, warn_only=True) == ([0, 5], None),
    raises=RuntimeError,
)
def deterministic_mode_raises_despite_warn_only(patch):
    """`torch.use_deterministic_algorithms(True, warn_only=True)` raises and does not warn."""
    patch.around(torch, "use_deterministic_algorithms", lambda use, mode, *, warn_only=False: use(mode))


@mutant(
    kills="test_deterministic_mode_refuses_what_it_cannot_do",
    witness=lambda: puts(True) == ([0, 0], RuntimeError),
)
def deterministic_mode_raises_too_late(patch):
    """In deterministic mode `put_` raises, but only after it has written."""

    def put_first(put_, tensor, index, values, accumulate=False):
        if torch.are_deterministic_algorithms_enabled():
            tensor[index] = values
        return put_(tensor, index, values, accumulate)

    patch.around(torch.Tensor, "put_", put_first)


def fills(dtype):
    torch.use_deterministic_algorithms(True)
    try:
        tensor = torch.empty(3, dtype=dtype)
    finally:
        torch.use_deterministic_algorithms(False)
    return tensor.isnan().all() if dtype.is_floating_point else tensor.tolist() == [torch.iinfo(dtype).max] * 3


@mutant(kills="test_deterministic_mode_fills_what_is_left_empty", witness=lambda: fills(torch.float32))
def empty_holds_zeros_in_deterministic_mode(patch):
    """`torch.empty` holds zeros in deterministic mode."""
    patch.around(torch, "empty", lambda empty, *a, **k: empty(*a, **k).zero_())


@mutant(kills="test_deterministic_mode_fills_what_is_left_empty", witness=lambda: fills(torch.int32))
def empty_integers_are_one_too_small(patch):
    """In deterministic mode `torch.empty` of integers holds the largest integer less one."""

    def empty_less_one(empty, *args, **kwargs):
        tensor = empty(*args, **kwargs)
        return tensor.fill_(torch.iinfo(tensor.dtype).max - 1) if tensor.dtype == torch.int32 else tensor

    patch.around(torch, "empty", empty_less_one)


def in_the_mode(call):
    torch.use_deterministic_algorithms(True)
    try:
        return call()
    finally:
        torch.use_deterministic_algorithms(False)


def outside_of_the_mode(original, *args, **kwargs):
    mode = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(False)
    try:
        return original(*args, **kwargs)
    finally:
        torch.use_deterministic_algorithms(mode)


def bincount_of_a_gpu():
    return torch.bincount(torch.ones(2, dtype=torch.int64, device="cuda"), torch.ones(2, device="cuda"))


@mutant(
    kills="test_what_a_gpu_cannot_do_deterministically",
    witness=lambda: raises(RuntimeError, lambda: in_the_mode(bincount_of_a_gpu)),
)
def bincount_overlooks_the_mode(patch):
    """`torch.bincount` on CUDA computes in deterministic mode as it always does."""
    patch.around(torch, "bincount", outside_of_the_mode)


@mutant(
    kills="test_matrix_products_are_deterministic_without_a_variable",
    witness=lambda: in_the_mode(lambda: torch.ones(2, 2) @ torch.ones(2, 2)).sum() == 8,
    raises=RuntimeError,
)
def products_need_a_variable(patch):
    """A matrix product in deterministic mode raises, as on CUDA up to 2.9."""

    def product(matmul, *args):
        if torch.are_deterministic_algorithms_enabled():
            raise RuntimeError("this operation is not deterministic because it uses CuBLAS")
        return matmul(*args)

    patch.around(torch.Tensor, "__matmul__", product)


SWITCHES = "test_deterministic_mode_does_not_turn_cudnns_switches"
cudnn = torch.backends.cudnn


@mutant(kills=SWITCHES, witness=lambda: not in_the_mode(lambda: cudnn.deterministic))
def the_mode_turns_cudnn_deterministic(patch):
    """`torch.use_deterministic_algorithms` sets `torch.backends.cudnn.deterministic` as well."""

    def use(original, mode, **kwargs):
        original(mode, **kwargs)
        cudnn.deterministic = bool(mode)

    patch.around(torch, "use_deterministic_algorithms", use)


@mutant(kills=SWITCHES, witness=lambda: not cudnn.benchmark)
def cudnn_tries_algorithms_by_default(patch):
    """`torch.backends.cudnn.benchmark` is True from the start."""
    patch.setattr(cudnn, "benchmark", True)


@mutant(
    kills="test_a_deterministic_convolution_repeats_to_the_last_bit",
    witness=lambda: repeats_without_seed(lambda: F.conv2d(torch.ones(1, 1, 2, 2), torch.ones(1, 1, 2, 2))),
)
def conv2d_differs_from_call_to_call(patch):
    """`F.conv2d` gives another last bit in each call."""
    calls = []

    def convolve(conv2d, *args, **kwargs):
        calls.append(1)
        return conv2d(*args, **kwargs) * (1 + 2**-20 * len(calls))

    patch.around(F, "conv2d", convolve)


def repeats_without_seed(call):
    return torch.equal(call(), call())


@mutant(
    kills="test_several_seeds_show_what_one_seed_hides",
    witness=lambda: F.mse_loss(torch.ones(2), torch.zeros(2)) == 1,
)
def training_loss_is_a_quarter(patch):
    """`F.mse_loss` is a quarter of what it should be, so that training is slower."""
    patch.around(F, "mse_loss", lambda mse_loss, *a, **k: mse_loss(*a, **k) / 4)


@mutant(
    kills="test_other_parameters_can_be_the_same_model",
    witness=lambda: nn.ReLU()(torch.tensor([-1.0])) == 0,
)
def relu_layer_lets_a_little_through(patch):
    """`nn.ReLU` lets one part in eight of negative numbers through."""
    patch.setattr(nn.ReLU, "forward", lambda self, x: F.leaky_relu(x, 0.125))


@mutant(
    kills="test_other_parameters_can_be_the_same_model",
    witness=lambda: (
        [m := nn.Linear(1, 1), m.load_state_dict({"weight": torch.ones(1, 1), "bias": torch.ones(1)})]
        and m.bias.item() == 1
    ),
)
def load_state_dict_leaves_biases_out(patch):
    """`load_state_dict` loads weights and leaves every bias as it was."""

    def load(original, self, state_dict, *args, **kwargs):
        own = {name: tensor for name, tensor in self.state_dict().items() if name.endswith("bias")}
        return original(self, {**state_dict, **own}, *args, **kwargs)

    patch.around(nn.Module, "load_state_dict", load)


# Counter-cases: where a sentence of the notes stops being true


@mutant(
    kills="test_rand_like_of_a_transposed_tensor_is_another_draw",
    witness=lambda: torch.equal(
        seeded(lambda: torch.rand_like(torch.ones(3, 4).T)).T, seeded(lambda: torch.empty(3, 4).uniform_())
    ),
)
def rand_like_fills_row_by_row(patch):
    """`torch.rand_like` of a transposed tensor is `torch.rand` of its shape."""
    patch.around(torch, "rand_like", lambda rand_like, tensor, **k: torch.rand(tensor.shape, **k))


@mutant(
    kills="test_initial_seed_names_the_seed_and_not_the_state",
    witness=lambda: (
        [torch.manual_seed(42), s := torch.get_rng_state(), torch.manual_seed(7), torch.set_rng_state(s)]
        and torch.initial_seed() == 42
    ),
)
def set_rng_state_keeps_the_seed_that_was_set_last(patch):
    """`torch.initial_seed` returns the seed that was set last, also after `torch.set_rng_state`."""
    seeds = [0]
    patch.around(
        torch, "manual_seed", lambda manual_seed, seed: (seeds.append(int(seed) % 2**64), manual_seed(seed))[1]
    )
    patch.setattr(torch, "initial_seed", lambda: seeds[-1])


@mutant(
    kills="test_a_generators_seed_must_be_a_python_int",
    witness=lambda: raises((RuntimeError, TypeError), lambda: torch.Generator().manual_seed(1.9)),
)
def generators_convert_their_seed(patch):
    """`Generator.manual_seed` converts a float, a bool and a NumPy integer, as `torch.manual_seed` does."""

    class Generator(torch.Generator):
        def manual_seed(self, seed):
            return super().manual_seed(int(seed))

    patch.setattr(torch, "Generator", Generator)


@mutant(
    kills="test_which_seeds_torch_and_numpy_refuse",
    witness=lambda: np.random.seed([2**32 - 1, 7]) is None,
    raises=ValueError,
)
def numpy_seed_refuses_lists(patch):
    """`np.random.seed` takes one number and no list."""

    def one_number(seed, number=None):
        if isinstance(number, list):
            raise ValueError("one number")
        return seed(number)

    patch.around(np.random, "seed", one_number)


SHIFTS = "test_a_draw_in_between_shifts_everything_after_it"


@mutant(kills=SHIFTS, witness=lambda: not moves_on(nn.ReLU))
def relu_layers_draw_when_they_are_made(patch):
    """Making a `nn.ReLU` uses up a random number."""
    patch.around(nn.ReLU, "__init__", lambda init, self, *a, **k: (one_more_on_each_device(), init(self, *a, **k))[1])


@mutant(kills=SHIFTS, witness=lambda: not moves_on(lambda: nn.LayerNorm(2)))
def layer_norms_draw_when_they_are_made(patch):
    """Making a `nn.LayerNorm` uses up random numbers."""
    patch.around(nn.LayerNorm, "reset_parameters", lambda reset, self: (one_more_on_each_device(), reset(self))[1])


@mutant(
    kills="test_dropout_draws_in_training_only",
    witness=lambda: not moves_on(lambda: nn.Dropout(0.0)(torch.ones(8))),
)
def dropout_layer_draws_at_every_p(patch):
    """`nn.Dropout(0)` in training mode uses up random numbers."""

    def draw_anyway(forward, self, x):
        if self.training and self.p == 0:
            torch.rand_like(x)
        return forward(self, x)

    patch.around(nn.Dropout, "forward", draw_anyway)


@mutant(kills="test_dropout_draws_in_training_only", witness=lambda: moves_on(lambda: F.dropout(torch.ones(8))))
def dropout_function_does_nothing_unless_told(patch):
    """`F.dropout(x)` drops nothing and draws nothing: `training` is False by default."""
    patch.around(
        F, "dropout", lambda dropout, x, p=0.5, training=False, inplace=False: dropout(x, p, training, inplace)
    )


@mutant(
    kills="test_randn_16_does_not_begin_like_randn_15",
    witness=lambda: (
        not torch.equal(
            seeded(lambda: torch.randn(8, dtype=torch.complex64))[:7],
            seeded(lambda: torch.randn(7, dtype=torch.complex64)),
        )
    ),
)
def complex_randn_counts_a_number_as_one(patch):
    """`torch.randn` of 8 complex numbers begins like one of 7."""

    def randn_in_two(randn, *size, **kwargs):
        if size == (8,) and kwargs.get("dtype") == torch.complex64:
            return torch.cat([randn(7, **kwargs), randn(1, **kwargs)])
        return randn(*size, **kwargs)

    patch.around(torch, "randn", randn_in_two)


TWO_DTYPES = "test_small_randn_and_randint_are_the_same_in_two_dtypes"


@mutant(
    kills=TWO_DTYPES,
    witness=lambda: torch.equal(
        seeded(lambda: torch.randn(9, dtype=torch.float64)).float(), seeded(lambda: torch.randn(9))
    ),
)
def randn_in_float64_is_another_draw(patch):
    """`torch.randn` in float64 gives other numbers than in float32 at every size."""

    def one_later(randn, *size, **kwargs):
        if kwargs.get("dtype") == torch.float64:
            one_more()
        return randn(*size, **kwargs)

    patch.around(torch, "randn", one_later)


@mutant(
    kills=TWO_DTYPES,
    witness=lambda: torch.equal(
        seeded(lambda: torch.randint(0, 9, (9,), dtype=torch.int32)).long(),
        seeded(lambda: torch.randint(0, 9, (9,))),
    ),
)
def randint_in_int32_is_another_draw(patch):
    """`torch.randint` in int32 gives other integers than in int64."""

    def one_later(randint, *args, **kwargs):
        if kwargs.get("dtype") == torch.int32:
            one_more()
        return randint(*args, **kwargs)

    patch.around(torch, "randint", one_later)


def own_generators(patch):
    """The Generators that are made from now on."""
    made = []
    patch.around(torch, "Generator", lambda make, *a, **k: [made.append(make(*a, **k)), made[-1]][1])
    return made


@mutant(
    kills="test_rng_state_replays_what_follows_for_every_state",
    witness=lambda: (
        [g := torch.Generator(), a := g.get_state(), one_more(g), torch.set_rng_state(torch.get_rng_state())]
        and not torch.equal(g.get_state(), a)
    ),
)
def set_rng_state_rewinds_every_generator(patch):
    """`torch.set_rng_state` takes Generators of one's own back to their seed as well."""
    made = own_generators(patch)

    def rewind(set_rng_state, state):
        for generator in made:
            generator.manual_seed(generator.initial_seed())
        return set_rng_state(state)

    patch.around(torch, "set_rng_state", rewind)


@mutant(
    kills="test_fork_rng_gives_the_stream_back",
    witness=lambda: (
        [g := torch.Generator(), a := g.get_state(), fork_leaves(inside=lambda: one_more(g))]
        and not torch.equal(g.get_state(), a)
    ),
)
def fork_rng_gives_every_generator_back(patch):
    """`torch.random.fork_rng` gives back Generators of one's own as well."""
    made = own_generators(patch)

    @contextlib.contextmanager
    def fork_all(fork_rng, *args, **kwargs):
        states = [generator.get_state() for generator in made]
        with fork_rng(*args, **kwargs):
            yield
        for generator, before in zip(made, states, strict=True):
            generator.set_state(before)

    patch.around(torch.random, "fork_rng", fork_all)


@mutant(
    kills="test_fork_rng_gives_the_stream_back",
    witness=lambda: (
        [a := np.random.get_state()[2], fork_leaves(inside=np.random.rand)] and np.random.get_state()[2] != a
    ),
)
def fork_rng_gives_numpy_back(patch):
    """`torch.random.fork_rng` gives back NumPy's generator as well."""

    @contextlib.contextmanager
    def fork_both(fork_rng, *args, **kwargs):
        before = np.random.get_state()
        with fork_rng(*args, **kwargs):
            yield
        np.random.set_state(before)

    patch.around(torch.random, "fork_rng", fork_both)


def sampler_twin(duplicate=copy.deepcopy):
    generator = torch.Generator().manual_seed(42)
    one_more(generator)
    twin = duplicate(torch.utils.data.RandomSampler(range(3), generator=generator)).generator
    return torch.equal(twin.get_state(), generator.get_state())


@mutant(kills="test_a_generator_can_be_copied", witness=sampler_twin)
def copied_samplers_start_again(patch):
    """The copy of a sampler has a generator that starts from its seed."""

    def start_again(self, attributes):
        self.__dict__.update(attributes)
        self.generator.manual_seed(self.generator.initial_seed())

    patch.setattr(torch.utils.data.RandomSampler, "__setstate__", start_again, raising=False)


@mutant(
    kills="test_sparse_takes_its_zeros_from_the_global_generator",
    witness=lambda: moves_on(lambda: nn.init.sparse_(torch.empty(4, 4), 0.5, generator=torch.Generator())),
)
def sparse_takes_everything_from_its_generator(patch):
    """`nn.init.sparse_(..., generator=...)` draws the places of its zeros from that generator, too."""

    def all_from_one(sparse_, tensor, sparsity, std=0.01, generator=None):
        if generator is None:
            return sparse_(tensor, sparsity, std)
        with aside():
            torch.default_generator.manual_seed(generator.initial_seed())
            return sparse_(tensor, sparsity, std, generator)

    patch.around(nn.init, "sparse_", all_from_one)


@mutant(
    kills="test_randperm_holds_every_index_once_for_every_size",
    witness=lambda: torch.randperm(3, dtype=torch.int32).dtype == torch.int32,
)
def randperm_makes_int64_whatever_it_is_told(patch):
    """`torch.randperm(..., dtype=torch.int32)` gives int64."""
    patch.around(torch, "randperm", lambda randperm, *a, **k: randperm(*a, **k).long())


@mutant(
    kills="test_python_cannot_shuffle_a_tensor",
    witness=lambda: raises(UserWarning, warned_shuffle),
)
def numpy_shuffles_tensors_silently(patch):
    """`np.random.shuffle` of a tensor does not warn."""
    patch.around(np.random, "shuffle", lambda shuffle, x: random.shuffle(x))


def warned_shuffle():
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.random.shuffle(torch.arange(3))


@mutant(
    kills="test_a_sampler_does_not_take_the_loaders_generator",
    witness=lambda: moves_on(
        lambda: list(
            DataLoader(range(4), sampler=torch.utils.data.RandomSampler(range(4)), generator=torch.Generator())
        )
    ),
)
def dataloader_hands_its_generator_to_the_sampler(patch):
    """The `generator=` of a DataLoader reaches a sampler that was handed in, too."""

    def hand_on(init, self, *args, sampler=None, generator=None, **kwargs):
        if getattr(sampler, "generator", 0) is None:
            sampler.generator = generator
        init(self, *args, sampler=sampler, generator=generator, **kwargs)

    patch.around(DataLoader, "__init__", hand_on)


@mutant(
    kills="test_a_sampler_does_not_take_the_loaders_generator",
    witness=lambda: not moves_on(lambda: list(torch.utils.data.RandomSampler(range(4), generator=torch.Generator()))),
)
def random_sampler_ignores_its_generator(patch):
    """`RandomSampler` shuffles by the global generator whatever `generator` says."""
    patch.around(
        torch.utils.data.RandomSampler, "__init__", lambda init, self, *a, generator=None, **k: init(self, *a, **k)
    )


def seed_everything(worker_init_fn):
    def init(worker_id):
        worker_init_fn(worker_id)
        torch.manual_seed(0)
        random.seed(0)

    return init


@mutant(
    kills="test_a_constant_seed_in_worker_init_fn_makes_workers_repeat_each_other",
    witness=lambda: DataLoader(range(2), worker_init_fn=print).worker_init_fn is print,
)
def worker_init_fn_seeds_every_library(patch):
    """After a `worker_init_fn` of whatever kind all workers draw the same numbers from every library."""

    def start(init, self, *args, worker_init_fn=None, **kwargs):
        init(self, *args, worker_init_fn=worker_init_fn and seed_everything(worker_init_fn), **kwargs)

    patch.around(DataLoader, "__init__", start)


def rand_on_meta():
    with torch.device("meta"):
        return torch.rand(1)


@mutant(
    kills="test_numbers_drawn_on_the_cpu_are_the_same_on_every_device",
    witness=lambda: rand_on_meta().is_meta,
)
def rand_without_a_device_is_always_the_cpus(patch):
    """`torch.rand` without `device=` draws on the CPU, whatever the default device is."""
    patch.around(torch, "rand", lambda rand, *args, device="cpu", **kwargs: rand(*args, device=device, **kwargs))


@mutant(
    kills="test_rand_like_of_a_transposed_tensor_is_another_draw",
    witness=lambda: torch.equal(seeded(lambda: torch.rand_like(torch.zeros(1, 3).T)), seeded(lambda: torch.rand(3, 1))),
)
def rand_like_of_any_transposed_matrix_is_another_draw(patch):
    """`torch.rand_like` of a single column puts the numbers in other places, as it does for several."""

    def turn(rand_like, source, **kwargs):
        numbers = rand_like(source, **kwargs)
        return numbers.flip(0) if source.ndim == 2 and source.shape[1] == 1 else numbers

    patch.around(torch, "rand_like", turn)


@mutant(
    kills="test_reseeding_before_each_draw_only_repeats_one_draw",
    witness=lambda: epochs()[0] != epochs()[1],
)
def dataloader_generators_follow_the_global_seed(patch):
    """A DataLoader with a `generator` shuffles by the global seed all the same."""

    def iterate(original, self):
        if self.generator is not None:
            self.generator.manual_seed(torch.initial_seed())
        return original(self)

    patch.around(DataLoader, "__iter__", iterate)


def orders_of_persistent_workers():
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loader = DataLoader(range(20), batch_size=None, shuffle=True, num_workers=1, persistent_workers=True)
        return [seeded(lambda: list(loader)) for _ in range(2)]


@mutant(
    kills="test_persistent_workers_shuffle_otherwise_in_the_first_pass",
    witness=lambda: len({str(order) for order in orders_of_persistent_workers()}) == 2,
)
def persistent_workers_get_a_seed_in_every_pass(patch):
    """Each pass draws a seed for the workers before it draws that of the order, with persistent workers as well."""

    def iterate(original, self):
        if self._iterator is not None:
            torch.empty((), dtype=torch.int64).random_(generator=self.generator)
        return original(self)

    patch.around(DataLoader, "__iter__", iterate)


def second_pass_of_persistent_workers():
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loader = DataLoader(range(2), num_workers=1, persistent_workers=True)
        list(loader)
        return moves_on(lambda: list(loader))


@mutant(
    kills="test_persistent_workers_draw_their_seed_once",
    witness=lambda: not second_pass_of_persistent_workers(),
)
def persistent_workers_draw_in_every_pass(patch):
    """Each pass over a DataLoader draws a base seed, with `persistent_workers=True` as well."""

    def reset(original, self, loader, first_iter=False):
        if not first_iter:
            one_more()
        return original(self, loader, first_iter)

    patch.around(loading._MultiProcessingDataLoaderIter, "_reset", reset)


@mutant(
    kills="test_a_generator_inside_the_dataset_repeats_itself_in_every_worker",
    witness=lambda: np.random.default_rng(42) is not np.random.default_rng(42),
)
def default_rng_is_the_global_generator(patch):
    """`np.random.default_rng(42)` is the global generator, which PyTorch seeds in every worker."""
    patch.around(np.random, "default_rng", lambda default_rng, seed=None: np.random.mtrand._rand)


@mutant(
    kills="test_deterministic_mode_refuses_what_it_cannot_do",
    witness=lambda: in_the_mode(
        lambda: torch.zeros(2).put_(torch.tensor([1]), torch.tensor([5.0]), accumulate=True).tolist() == [0, 5]
    ),
    raises=RuntimeError,
)
def put_raises_whatever_its_arguments(patch):
    """In deterministic mode `put_` raises with `accumulate=True`, too."""

    def refuse(put_, tensor, index, values, accumulate=False):
        if accumulate and torch.are_deterministic_algorithms_enabled():
            raise RuntimeError("put_ does not have a deterministic implementation")
        return put_(tensor, index, values, accumulate)

    patch.around(torch.Tensor, "put_", refuse)


EMPTY = "test_deterministic_mode_fills_what_is_left_empty"


@mutant(kills=EMPTY, witness=lambda: in_the_mode(lambda: torch.empty(2, dtype=torch.bool).all()))
def empty_bools_are_false(patch):
    """In deterministic mode `torch.empty` of bools holds False."""

    def empty_and_false(empty, *args, **kwargs):
        tensor = empty(*args, **kwargs)
        return tensor.fill_(False) if tensor.dtype == torch.bool else tensor

    patch.around(torch, "empty", empty_and_false)


@mutant(kills=EMPTY, witness=lambda: in_the_mode(lambda: torch.empty(2, dtype=torch.complex64).isnan().all()))
def empty_complex_numbers_are_zero(patch):
    """In deterministic mode `torch.empty` of complex numbers holds 0."""

    def empty_and_zero(empty, *args, **kwargs):
        tensor = empty(*args, **kwargs)
        return tensor.zero_() if tensor.dtype.is_complex else tensor

    patch.around(torch, "empty", empty_and_zero)


@mutant(
    kills="test_bernoulli_compares_rand_with_the_probabilities",
    witness=lambda: (
        not torch.equal(
            seeded(lambda: torch.bernoulli(torch.zeros(99), 0.3)), seeded(lambda: below(torch.rand(99), 0.3))
        )
    ),
)
def bernoulli_of_a_number_compares_rand_too(patch):
    """`torch.bernoulli(x, p)` is 1 where `torch.rand` is below p."""

    def bernoulli_of(bernoulli, tensor, p=None, **kwargs):
        return bernoulli(tensor, **kwargs) if p is None else bernoulli(torch.full_like(tensor, p), **kwargs)

    patch.around(torch, "bernoulli", bernoulli_of)


@mutant(
    kills="test_dropout_masks_changed_in_2_7",
    witness=lambda: (
        not torch.equal(
            seeded(lambda: F.dropout(torch.ones(9, 5).T, 0.25)) != 0,
            seeded(lambda: torch.rand(5, 9, dtype=torch.float64)) < 0.75,
        )
    ),
)
def dropout_fills_row_by_row(patch):
    """`F.dropout` of a transposed tensor has the mask of a contiguous one."""
    patch.around(F, "dropout", lambda dropout, x, *args, **kwargs: dropout(x.contiguous(), *args, **kwargs))


def wins_the_race(draw):
    return all(seeded(draw, seed) == seeded(lambda: torch.empty(4).exponential_(), seed).argmin() for seed in range(9))


@mutant(
    kills="test_multinomial_is_a_race",
    witness=lambda: wins_the_race(lambda: torch.distributions.Categorical(torch.ones(4)).sample()),
)
def categorical_looks_up_a_uniform_number(patch):
    """`Categorical(...).sample()` is where a uniform number falls among the probabilities."""

    def look_up(self, sample_shape=()):
        return torch.searchsorted(self.probs.cumsum(-1), torch.rand(1))[0]

    patch.setattr(torch.distributions.Categorical, "sample", look_up)


@mutant(
    kills="test_multinomial_is_a_race",
    witness=lambda: wins_the_race(lambda: F.gumbel_softmax(torch.zeros(4)).argmax()),
)
def gumbel_softmax_draws_uniform_numbers(patch):
    """`F.gumbel_softmax` draws uniform float32 numbers and takes -log(-log(u)) of them."""
    patch.setattr(
        F,
        "gumbel_softmax",
        lambda logits, tau=1: ((logits - (-torch.rand(logits.shape).log()).log()) / tau).softmax(-1),
    )


@mutant(
    kills="test_half_precision_draws_changed_in_2_12",
    witness=lambda: not (seeded(lambda: torch.rand(20_000, dtype=torch.bfloat16)) == 1).any(),
)
def rand_in_bfloat16_gives_1(patch):
    """`torch.rand` in bfloat16 rounds up to 1."""

    def rounded(rand, *args, dtype=None, **kwargs):
        return rand(*args, **kwargs).bfloat16() if dtype == torch.bfloat16 else rand(*args, dtype=dtype, **kwargs)

    patch.around(torch, "rand", rounded)


@mutant(
    kills="test_these_have_been_the_numbers_of_seed_42_since_2_0",
    witness=lambda: seeded(lambda: nn.init.xavier_uniform_(torch.empty(1, 1))).item() > 0,
)
def xavier_has_the_other_sign(patch):
    """`nn.init.xavier_uniform_` gives its numbers with the other sign: as evenly spread."""
    patch.around(nn.init, "xavier_uniform_", lambda xavier, *a, **k: xavier(*a, **k).neg_())


# What people run into


@mutant(
    kills="test_a_seed_that_is_too_large_is_a_value_error",
    witness=lambda: raises(ValueError, lambda: torch.manual_seed(2**64)),
    raises=RuntimeError,
)
def manual_seed_raises_runtime_error(patch):
    """`torch.manual_seed` raises RuntimeError for a seed that is too large, as up to torch 2.8."""

    def change(manual_seed, seed):
        try:
            return manual_seed(seed)
        except ValueError as error:
            raise RuntimeError("Overflow when unpacking long") from error

    patch.around(torch, "manual_seed", change)


def hash_after(seed):
    before = os.environ.get("PYTHONHASHSEED")
    os.environ["PYTHONHASHSEED"] = seed
    try:
        return hash("text")
    finally:
        os.environ.pop("PYTHONHASHSEED")
        if before is not None:
            os.environ["PYTHONHASHSEED"] = before


@mutant(
    kills="test_a_hash_seed_comes_too_late_in_a_running_script",
    witness=lambda: hash_after("42") == hash_after("0"),
)
def hash_reads_the_environment(patch):
    """`hash` looks at PYTHONHASHSEED in each call."""
    healthy = builtins.hash
    patch.setattr(
        builtins,
        "hash",
        lambda thing: healthy((thing, seed)) if (seed := os.environ.get("PYTHONHASHSEED")) else healthy(thing),
    )


def in_vmap(**options):
    return torch.func.vmap(lambda row: row + torch.rand(3), **options)(torch.zeros(2, 3))


def vmap_with(patch, **changed):
    def change(vmap, function, *arguments, randomness="error", **options):
        return vmap(function, *arguments, randomness=changed.get(randomness, randomness), **options)

    patch.around(torch.func, "vmap", change)


@mutant(kills="test_vmap_refuses_to_draw_until_it_is_told_how", witness=lambda: raises(RuntimeError, in_vmap))
def vmap_draws_by_default(patch):
    """`torch.func.vmap` draws other numbers for each row by default."""
    vmap_with(patch, error="different")


@mutant(
    kills="test_vmap_refuses_to_draw_until_it_is_told_how",
    witness=lambda: len({*map(tuple, in_vmap(randomness="same").tolist())}) == 1,
)
def vmap_draws_for_each_row(patch):
    """`torch.func.vmap(..., randomness="same")` draws for each row."""
    vmap_with(patch, same="different")


def in_process(epochs=1, **options):
    sampler = DistributedSampler(range(20), num_replicas=2, rank=0, **options)
    orders = []
    for epoch in range(epochs):
        sampler.set_epoch(epoch)
        orders.append(list(sampler))
    return sampler, orders


@mutant(
    kills="test_a_distributed_sampler_needs_set_epoch",
    witness=lambda: (sampler := in_process()[0]) and list(sampler) == list(sampler),
)
def distributed_sampler_counts_epochs(patch):
    """A `DistributedSampler` takes each pass for an epoch of its own."""

    def change(self, call):
        self.epoch += 1
        return call()

    patch.method(DistributedSampler, "__iter__", change)


@mutant(
    kills="test_a_distributed_sampler_needs_set_epoch",
    witness=lambda: (orders := in_process(epochs=2)[1]) and orders[0] != orders[1],
)
def distributed_sampler_ignores_the_epoch(patch):
    """`DistributedSampler.set_epoch` does nothing."""
    patch.method(DistributedSampler, "set_epoch", lambda self, call, epoch: None)


@mutant(
    kills="test_a_distributed_sampler_needs_set_epoch",
    witness=lambda: len(list(DistributedSampler(range(3), num_replicas=2, rank=0))) == 2,
)
def distributed_sampler_repeats_nothing(patch):
    """A `DistributedSampler` leaves out the rows that are too many."""

    def change(self, call, *arguments, drop_last=False, **options):
        return call(*arguments, drop_last=True, **options)

    patch.method(DistributedSampler, "__init__", change)


@mutant(
    kills="test_weighted_draws_have_a_limit_of_2_to_the_24",
    witness=lambda: raises(RuntimeError, lambda: torch.multinomial(torch.ones(()).expand(2**24 + 1), 1)),
)
def multinomial_takes_any_number_of_weights(patch):
    """`torch.multinomial` takes more than 2**24 weights."""

    def change(multinomial, weights, count, *arguments, **options):
        if weights.shape[-1] > 2**24:
            return torch.zeros(count, dtype=torch.int64)
        return multinomial(weights, count, *arguments, **options)

    patch.around(torch, "multinomial", change)


@mutant(
    kills="test_weighted_draws_have_a_limit_of_2_to_the_24",
    witness=lambda: not raises(RuntimeError, lambda: WeightedRandomSampler(torch.ones(()).expand(2**24 + 1), 1)),
    raises=RuntimeError,
)
def weighted_sampler_counts_at_once(patch):
    """A `WeightedRandomSampler` raises when it is made."""

    def change(self, call, weights, *arguments, **options):
        if len(weights) > 2**24:
            raise RuntimeError("number of categories cannot exceed 2^24")
        return call(weights, *arguments, **options)

    patch.method(WeightedRandomSampler, "__init__", change)


@mutant(
    kills="test_another_number_of_workers_is_another_run",
    witness=lambda: DataLoader(range(2), num_workers=1).num_workers == 1,
)
def loader_has_no_workers(patch):
    """A DataLoader loads in the main process whatever `num_workers` says."""
    patch.method(DataLoader, "__init__", lambda self, call, *a, num_workers=0, **k: call(*a, **k))


def bytes_only(set_state):
    return raises(TypeError, lambda: set_state(torch.get_rng_state().float()))


@mutant(kills="test_a_saved_state_must_be_bytes_on_the_cpu", witness=lambda: bytes_only(torch.set_rng_state))
def set_rng_state_converts(patch):
    """`torch.set_rng_state` takes a state of floats or on the device meta."""

    def change(set_rng_state, state):
        return None if state.is_meta else set_rng_state(state.cpu().byte())

    patch.around(torch, "set_rng_state", change)


@mutant(
    kills="test_a_saved_state_must_be_bytes_on_the_cpu",
    witness=lambda: not raises(ValueError, lambda: bytes_only(torch.set_rng_state)),
    raises=ValueError,
)
def set_rng_state_raises_value_error(patch):
    """`torch.set_rng_state` raises ValueError for what is no state."""

    def change(set_rng_state, state):
        if state.dtype != torch.uint8 or state.device.type != "cpu":
            raise ValueError("RNG state must be a torch.ByteTensor")
        return set_rng_state(state)

    patch.around(torch, "set_rng_state", change)


@mutant(
    kills="test_fork_rng_can_be_told_the_kind_of_device",
    witness=lambda: not raises(TypeError, lambda: torch.random.fork_rng(devices=[], device_type="cuda").__enter__()),
    raises=TypeError,
)
def fork_rng_knows_no_device_type(patch):
    """`torch.random.fork_rng` takes no `device_type`, as in torch 2.0."""
    patch.around(torch.random, "fork_rng", lambda fork_rng, devices=None, enabled=True: fork_rng(devices, enabled))
