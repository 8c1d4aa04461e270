"""Progress bars.

`for batch in tqdm(loader)` draws a line that grows while the loop runs: how far it is, how fast, how long it will take.
The items come through as they are; the surprises are about what the bar counts, when it draws, and where to.

Bars draw when a tenth of a second has passed. So that these notes do not depend on the clock, theirs draw at every step
(`mininterval=0, miniters=1`), into a text (`file=io.StringIO()`), and leave out the times (`bar_format`).
"""

import importlib.util
import io

import pytest
import torch
from hypothesis import given, strategies as st
from torch.utils.data import DataLoader, TensorDataset
from tqdm import tqdm as text_tqdm
from tqdm.auto import tqdm, trange

EVERY_STEP = {"mininterval": 0, "miniters": 1}
COUNT = "{desc}{n_fmt}/{total_fmt}{postfix}"


@pytest.fixture(autouse=True)
def close_forgotten_bars():
    """A note that fails may leave a bar open, which would push the bars of the next note one line down."""
    yield
    for bar in list(tqdm._instances):
        bar.close()


# What it is.


def test_the_module_is_not_the_function():
    """`import tqdm` gets the module, and calling that raises TypeError: it is `from tqdm.auto import tqdm`.

    https://tqdm.github.io/docs/tqdm
    """
    import tqdm  # what people write

    with pytest.raises(TypeError, match="'module' object is not callable"):
        tqdm(range(3))

    assert list(tqdm.tqdm(range(3), file=io.StringIO())) == [0, 1, 2]


def test_auto_draws_text_outside_a_notebook():
    """`tqdm.auto` looks where it runs when it is imported: in a script it is the ordinary text bar, in Jupyter a
    widget.

    So the same line suits a notebook and the script made from it.

    https://tqdm.github.io/docs/shortcuts
    """
    text = io.StringIO()
    bar = tqdm(range(2), file=text, bar_format=COUNT)

    assert isinstance(bar, text_tqdm)
    assert type(bar).__module__ == "tqdm.asyncio"  # not tqdm.notebook

    bar.close()
    assert text.getvalue() == "\r0/2\r0/2\n"


def test_the_items_come_through_untouched(device):
    """The loop gets the very objects it would get without the bar, in the same order.

    https://tqdm.github.io/docs/tqdm
    """
    items = [torch.tensor([1.0, 2.0], device=device), "text", None, [3]]

    received = list(tqdm(items, file=io.StringIO()))

    assert len(received) == 4
    assert all(one is other for one, other in zip(received, items, strict=True))


@given(items=st.lists(st.integers(), max_size=20))
def test_the_items_come_through_for_every_iterable(items):
    """Whatever is iterated over, a list, an iterator or a generator: with the bar come the same items as without.

    https://tqdm.github.io/docs/tqdm
    """
    for iterable in [items, iter(items), (item for item in items)]:
        bar = tqdm(iterable, file=io.StringIO(), **EVERY_STEP)

        assert list(bar) == items
        assert bar.n == len(items)


def test_it_is_a_wrapper_not_a_list():
    """A bar can be looped over and has a length, but it is no list and no iterator: indexing it or calling `next`
    raises TypeError.

    https://tqdm.github.io/docs/tqdm
    """
    bar = tqdm(["a", "b", "c"], file=io.StringIO())

    assert len(bar) == 3
    with pytest.raises(TypeError, match="not subscriptable"):
        bar[0]
    with pytest.raises(TypeError, match="not an iterator"):
        next(bar)

    assert list(bar) == ["a", "b", "c"]


def test_trange_is_tqdm_of_range():
    """`trange(2, 8, 3)` is short for `tqdm(range(2, 8, 3))`.

    https://tqdm.github.io/docs/shortcuts
    """
    bar = trange(2, 8, 3, file=io.StringIO())

    assert bar.iterable == range(2, 8, 3)
    assert bar.total == 2
    assert list(bar) == [2, 5]


# Where it draws.


def test_it_draws_to_stderr(capsys):
    """The bar goes to stderr, so what the program prints to stdout stays clean: `python train.py > log.txt` has no bars
    in it.

    https://tqdm.github.io/docs/tqdm
    """
    for epoch in tqdm(range(3), bar_format=COUNT, **EVERY_STEP):
        print("epoch", epoch)

    captured = capsys.readouterr()
    assert captured.out == "epoch 0\nepoch 1\nepoch 2\n"
    assert captured.err == "\r0/3\r1/3\r2/3\r3/3\r3/3\n"


def test_write_prints_past_the_bar(capsys):
    """`tqdm.write` wipes the bar, prints a line to stdout and draws the bar again, where `print` would cut the bar in
    two.

    https://tqdm.github.io/docs/tqdm
    """
    with tqdm(total=3, bar_format=COUNT, **EVERY_STEP):
        capsys.readouterr()
        tqdm.write("a checkpoint")
        written = capsys.readouterr()
        print("a cut")
        printed = capsys.readouterr()

    assert written.out == "a checkpoint\n"
    assert written.err == "\r   \r\r0/3"  # three blanks over "0/3", then the bar again
    assert (printed.out, printed.err) == ("a cut\n", "")


def test_disable_draws_nothing_and_counts_nothing():
    """With `disable=True` the items still come and nothing is drawn; nothing is counted either, `bar.n` stays 0.

    `disable=None` does this wherever the output is not a terminal: in a log file, or here.

    https://tqdm.github.io/docs/tqdm
    """
    text = io.StringIO()
    silent = tqdm([5, 6, 7], disable=True, file=text)
    no_terminal = tqdm([5, 6, 7], disable=None, file=text)
    drawn = tqdm([5, 6, 7], disable=False, file=io.StringIO())

    assert [list(bar) for bar in [silent, no_terminal, drawn]] == [[5, 6, 7]] * 3
    assert [bar.n for bar in [silent, no_terminal, drawn]] == [0, 0, 3]
    assert text.getvalue() == ""


@pytest.mark.holds("tqdm>=4.66", otherwise=AssertionError)
def test_the_environment_turns_bars_off(monkeypatch):
    """From tqdm 4.66 on, `TQDM_DISABLE=1` in the environment turns off all bars of a program, and `TQDM_MININTERVAL=10`
    slows them down; what the program itself says goes first.

    So with any option. tqdm reads them when it is imported: set them before the program starts. Before 4.66 they are
    ignored, and a program needs a `disable=` of its own.

    https://tqdm.github.io/docs/tqdm
    """
    monkeypatch.setenv("TQDM_DISABLE", "1")
    monkeypatch.setenv("TQDM_MININTERVAL", "10")
    imported = importlib.util.module_from_spec(importlib.util.find_spec("tqdm.std"))
    imported.__spec__.loader.exec_module(imported)  # as in a program that starts now
    imported.tqdm.monitor_interval = 0  # no thread

    silent = imported.tqdm([5, 6, 7], file=io.StringIO())
    drawn = imported.tqdm([5, 6, 7], file=io.StringIO(), disable=False)

    assert (silent.disable, drawn.disable) == (True, False)
    assert drawn.mininterval == 10
    assert list(silent) == list(drawn) == [5, 6, 7]


# What it counts.


def test_the_total_is_the_length():
    """The total is `len` of what is iterated over; without a length there is no percentage and no remaining time,
    unless you say `total=`.

    https://tqdm.github.io/docs/tqdm
    """
    items = ["a", "b", "c"]
    totals = {
        "list": tqdm(items, file=io.StringIO()).total,
        "generator": tqdm((item for item in items), file=io.StringIO()).total,
        "generator and total": tqdm((item for item in items), total=3, file=io.StringIO()).total,
    }
    line = {known: str(tqdm(iter(items), total=known, file=io.StringIO())) for known in [None, 3]}

    assert totals == {"list": 3, "generator": None, "generator and total": 3}
    assert line[None].startswith("0it [")
    assert line[3].startswith("  0%|          | 0/3 [")


def test_the_bar_goes_inside_enumerate():
    """`enumerate`, `zip` and `map` have no length: around the bar they keep its total, inside it they lose it.

    https://tqdm.github.io/docs/tqdm
    """
    items = ["a", "b", "c"]
    around = tqdm(items, file=io.StringIO())
    inside = [
        tqdm(lazy, file=io.StringIO())
        for lazy in [enumerate(items), zip(items, items, strict=True), map(str.upper, items)]
    ]

    assert around.total == 3
    assert [bar.total for bar in inside] == [None, None, None]
    assert list(enumerate(around)) == list(inside[0]) == [(0, "a"), (1, "b"), (2, "c")]


def test_over_a_dataloader_it_counts_batches(device):
    """Around a DataLoader the bar counts batches, not samples: ten samples in batches of four are three steps.

    https://docs.pytorch.org/docs/stable/data.html
    """
    x = torch.arange(20.0).reshape(10, 2)
    loader = DataLoader(TensorDataset(x), batch_size=4)
    text = io.StringIO()

    batches = [batch.to(device) for (batch,) in tqdm(loader, file=text, bar_format=COUNT, **EVERY_STEP)]

    assert text.getvalue() == "\r0/3\r1/3\r2/3\r3/3\r3/3\n"
    assert [tuple(batch.shape) for batch in batches] == [(4, 2), (4, 2), (2, 2)]
    assert torch.cat(batches).tolist() == x.tolist()


def seeded_epoch(decorate, device):
    loader = DataLoader(torch.arange(20), batch_size=6, shuffle=True)
    torch.manual_seed(42)
    return [(batch.tolist(), torch.rand(2, device=device).tolist()) for batch in decorate(loader)]


def test_the_plain_bar_leaves_random_numbers_alone(device):
    """With the bar of `from tqdm import tqdm`, a seeded loop shuffles and draws the same random numbers as without it.

    https://docs.pytorch.org/docs/stable/notes/randomness.html
    """
    without_bar = seeded_epoch(lambda loader: loader, device)
    with_bar = seeded_epoch(lambda loader: text_tqdm(loader, file=io.StringIO(), **EVERY_STEP), device)

    assert with_bar == without_bar
    assert sorted(sample for batch, _ in with_bar for sample in batch) == list(range(20))


@pytest.mark.myth("A progress bar cannot change what a seeded program computes")
def test_the_auto_bar_shifts_random_numbers(device):
    """The bar of `tqdm.auto` calls `iter` on a DataLoader once more than the loop does, which takes a random number: a
    seeded shuffle comes out differently with the bar than without.

    With worker processes it starts them twice (tqdm issue 1467). Seed after the bar is made, or use `from tqdm import
    tqdm`.

    https://tqdm.github.io/docs/asyncio
    """
    without_bar = seeded_epoch(lambda loader: loader, device)
    with_bar = seeded_epoch(lambda loader: tqdm(loader, file=io.StringIO()), device)
    again = seeded_epoch(lambda loader: tqdm(loader, file=io.StringIO()), device)

    torch.manual_seed(42)
    before = torch.get_rng_state()
    loader = DataLoader(torch.arange(20))
    text_tqdm(loader, file=io.StringIO()).close()
    after_plain = torch.get_rng_state()
    tqdm(loader, file=io.StringIO()).close()
    after_auto = torch.get_rng_state()

    assert with_bar == again != without_bar
    assert torch.equal(after_plain, before)
    assert not torch.equal(after_auto, before)


def test_update_counts_by_hand():
    """Without an iterable you count yourself: `update(k)` adds k to `n`, and past the total the bar gives up the
    percentage.

    For loops that work in samples, bytes or anything else than steps.

    https://tqdm.github.io/docs/tqdm
    """
    with tqdm(total=10, file=io.StringIO()) as bar:
        bar.update(4)
        bar.update()
        assert bar.n == 5
        assert str(bar).startswith(" 50%|#####     | 5/10 [")

        bar.update(7)
        assert bar.n == 12
        assert str(bar).startswith("12it [")


@pytest.mark.myth("Inside the loop, bar.n is the number of the step")
def test_n_lags_behind_inside_the_loop():
    """Inside the loop `bar.n` is what was counted when the bar was last drawn, which may be long ago; after the loop it
    is right.

    Counting would cost time at every step. Use `enumerate` for the number of the step.

    https://tqdm.github.io/docs/tqdm
    """
    rarely = tqdm(range(4), file=io.StringIO(), mininterval=3600)
    always = tqdm(range(4), file=io.StringIO(), **EVERY_STEP)

    assert [rarely.n for _ in rarely] == [0, 0, 0, 0]
    assert [always.n for _ in always] == [0, 1, 2, 3]
    assert (rarely.n, always.n) == (4, 4)


# What it costs, and what it says.


def redraws(**options):
    text = io.StringIO()
    for _ in tqdm(range(100), file=text, **options):
        pass
    return text.getvalue().count("\r")


def test_mininterval_is_what_keeps_it_cheap():
    """A bar is drawn at the start, at the end, and between them at most once in `mininterval` seconds (0.1), not at
    every step.

    https://tqdm.github.io/docs/tqdm
    """
    assert redraws(mininterval=3600) == 2
    assert redraws(mininterval=0, miniters=1) == 102
    assert redraws(mininterval=0, miniters=10) == 12

    with tqdm(file=io.StringIO()) as bar:
        assert bar.mininterval == 0.1


def test_set_postfix_draws_every_time():
    """`set_postfix` and `set_description` draw the bar at once, whatever `mininterval` says, unless you pass
    `refresh=False`.

    https://tqdm.github.io/docs/tqdm
    """
    drawn = {}
    for refresh in [True, False]:
        text = io.StringIO()
        bar = tqdm(range(2), file=text, bar_format=COUNT, mininterval=3600)
        for step in bar:
            bar.set_description(f"batch {step}", refresh=refresh)
            bar.set_postfix(loss=step / 2, refresh=refresh)
        drawn[refresh] = [line.rstrip() for line in text.getvalue().split("\r")[1:]]

    assert drawn[True] == [
        "0/2",
        "batch 0: 0/2",
        "batch 0: 0/2, loss=0",
        "batch 1: 0/2, loss=0",
        "batch 1: 0/2, loss=0.5",
        "batch 1: 2/2, loss=0.5",
    ]
    assert drawn[False] == ["0/2", "batch 1: 2/2, loss=0.5"]


def test_description_before_postfix_after():
    """The description stands before the bar, the postfix after it; a postfix replaces the one before, and shows numbers
    to three significant digits where that is shorter.

    0.9996 is shown as 1: pass a text where the fourth digit matters.

    https://tqdm.github.io/docs/tqdm
    """
    with tqdm(total=2, file=io.StringIO(), bar_format=COUNT) as bar:
        bar.set_description("epoch 3")
        bar.set_postfix(loss=0.123456, accuracy=0.9996)
        assert str(bar) == "epoch 3: 0/2, accuracy=1, loss=0.123"

        bar.set_postfix(perplexity=1234.5, steps=1234567890)
        assert str(bar) == "epoch 3: 0/2, perplexity=1234.5, steps=1.23e+9"

        bar.set_postfix(accuracy=f"{0.9996:.4f}")
        assert str(bar) == "epoch 3: 0/2, accuracy=0.9996"


def test_a_tensor_in_the_postfix_is_shown_as_a_tensor(device):
    """A loss in the postfix shows as `tensor(0.2500)`, with its device and history, until `.item()` makes it a number.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.item.html
    """
    loss = torch.tensor(0.5, device=device, requires_grad=True) ** 2

    with tqdm(total=2, file=io.StringIO(), bar_format=COUNT) as bar:
        bar.set_postfix(loss=loss)
        assert str(bar) == "0/2, loss=" + str(loss)
        assert "loss=tensor(0.2500" in str(bar)
        assert "grad_fn=" in str(bar)

        bar.set_postfix(loss=loss.item())
        assert str(bar) == "0/2, loss=0.25"


# How it ends.


def test_an_inner_bar_goes_one_line_down():
    """A bar inside another's loop is drawn one line below; with `leave=False` it is wiped when it is done, so that only
    the outer one stays.

    Without that, each epoch leaves a line behind.

    https://tqdm.github.io/docs/tqdm
    """
    text = io.StringIO()
    options = {"file": text, "bar_format": COUNT, **EVERY_STEP}

    for _ in tqdm(range(1), desc="epoch ", **options):
        for _ in tqdm(range(1), desc="step ", leave=False, **options):
            pass

    up = "\x1b[A"
    assert text.getvalue().replace("\r", "|") == (
        f"|epoch 0/1\n|step 0/1{up}\n|step 1/1{up}\n|        {up}|epoch 1/1|epoch 1/1\n"
    )


def test_an_exception_closes_the_bar():
    """If the loop is left by an exception or a `break`, the bar is closed where it stands, its line is ended, and the
    exception goes on.

    A bar that is counted by hand needs `with` for that.

    https://tqdm.github.io/docs/tqdm
    """
    texts = [io.StringIO(), io.StringIO(), io.StringIO()]
    bars = [tqdm(range(5), file=text, bar_format=COUNT, **EVERY_STEP) for text in texts]

    with pytest.raises(ValueError, match="bad batch"):
        for step in bars[0]:
            if step == 3:
                raise ValueError("bad batch")
    for step in bars[1]:
        if step == 3:
            break
    with pytest.raises(ValueError, match="bad batch"), bars[2]:
        bars[2].update(3)
        raise ValueError("bad batch")

    assert [bar.n for bar in bars] == [3, 3, 3]
    assert [text.getvalue().endswith("3/5\n") for text in texts] == [True, True, True]


def test_a_finished_bar_stays_finished():
    """A second loop over the same bar gets the items again but draws nothing: make a new bar for each epoch.

    https://tqdm.github.io/docs/tqdm
    """
    text = io.StringIO()
    bar = tqdm(["a", "b"], file=text, bar_format=COUNT, **EVERY_STEP)

    first_epoch = list(bar)
    drawn = text.getvalue()
    second_epoch = list(bar)

    assert first_epoch == second_epoch == ["a", "b"]
    assert drawn == text.getvalue() == "\r0/2\r1/2\r2/2\r2/2\n"
