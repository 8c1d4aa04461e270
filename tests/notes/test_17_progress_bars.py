"""Progress bars.

`for batch in tqdm(loader)` draws a line that grows while the loop runs: how far it is, how fast, how long it will take.
After this section you can put a bar around a DataLoader, show a loss beside it, turn bars off, nest them, and say why a
bar has no percentage, draws a new line at each step, or changed the random numbers of a seeded program.

Bars draw when a tenth of a second has passed. So that these notes do not depend on the clock, theirs draw at every step
(`mininterval=0, miniters=1`), into a text (`file=io.StringIO()`), and leave out the times (`bar_format`).
"""

import importlib.util
import io
import logging
import sys
import types
import warnings
from multiprocessing.pool import ThreadPool

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from torch.utils.data import DataLoader, IterableDataset, TensorDataset
from tqdm import TqdmWarning, tqdm as text_tqdm
from tqdm.auto import tqdm, trange
from tqdm.contrib import tenumerate
from tqdm.contrib.logging import logging_redirect_tqdm

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
    """Calling `tqdm(...)` after `import tqdm` raises TypeError "'module' object is not callable".

    The function has the name of its module. Write `from tqdm.auto import tqdm`, or `tqdm.tqdm(...)`. After `from tqdm
    import tqdm` it is the other way round: `tqdm.notebook` raises AttributeError, "type object 'tqdm' has no attribute
    'notebook'".

    https://tqdm.github.io/docs/tqdm
    """
    import tqdm  # what people write

    with pytest.raises(TypeError, match="'module' object is not callable"):
        tqdm(range(3))

    assert list(tqdm.tqdm(range(3), file=io.StringIO())) == [0, 1, 2]
    with pytest.raises(AttributeError, match="type object 'tqdm' has no attribute 'notebook'"):
        tqdm.tqdm.notebook


def test_auto_draws_text_outside_a_notebook():
    """In a script the bar of `from tqdm.auto import tqdm` is drawn as text.

    In a Jupyter notebook with ipywidgets the same import gives a widget, so that a notebook and the script made from it
    need no different lines.

    https://tqdm.github.io/docs/shortcuts
    """
    text = io.StringIO()
    bar = tqdm(range(2), file=text, bar_format=COUNT)

    assert isinstance(bar, text_tqdm)
    assert type(bar).__module__ == "tqdm.asyncio"  # not tqdm.notebook

    bar.close()
    assert text.getvalue() == "\r0/2\r0/2\n"


def test_a_widget_needs_ipywidgets(monkeypatch):
    """Without ipywidgets the bar of `tqdm.notebook` raises ImportError, "IProgress not found", and in a notebook
    `from tqdm.auto import tqdm` gives a TqdmWarning with this text and draws text.

    The message goes on with "Please update jupyter and ipywidgets". Install it where the kernel of the notebook runs,
    `%pip install ipywidgets`, and restart the kernel; or stay with text: `from tqdm import tqdm`.

    https://tqdm.github.io/docs/notebook
    """
    monkeypatch.setattr("tqdm.notebook.IProgress", None)  # what tqdm finds without ipywidgets
    with pytest.raises(ImportError, match=r"IProgress not found\. Please update jupyter and ipywidgets"):
        importlib.import_module("tqdm.notebook").tqdm.status_printer(None, 3)  # what such a bar calls first

    shell = types.SimpleNamespace(config={"IPKernelApp": {}})
    monkeypatch.setitem(sys.modules, "ipykernel.zmqshell", types.ModuleType("ipykernel.zmqshell"))
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    module = importlib.util.module_from_spec(importlib.util.find_spec("tqdm.autonotebook"))
    with pytest.warns(TqdmWarning, match=r"IProgress not found\. Please update jupyter and ipywidgets"):
        module.__spec__.loader.exec_module(module)  # as `from tqdm.auto import tqdm` does in a notebook

    assert module.tqdm is text_tqdm


def test_the_items_come_through_untouched(device):
    """`for item in tqdm(items)` gets the very objects of the list `items`, in the same order: no copies.

    A loop over a list computes the same with a bar as without. A loop over a DataLoader that shuffles may not: see the
    notes on random numbers below.

    https://tqdm.github.io/docs/tqdm
    """
    items = [torch.tensor([1.0, 2.0], device=device), "text", None, [3]]

    received = list(tqdm(items, file=io.StringIO()))

    assert len(received) == 4
    assert all(one is other for one, other in zip(received, items, strict=True))


@given(items=st.lists(st.integers(), max_size=20))
def test_the_items_come_through_for_every_iterable(items):
    """`bar = tqdm(items)` passes on all items of a list, an iterator or a generator, and `bar.n` is their number in the
    end.

    With `initial=5` the count starts at 5, and with `disable=True` it stays where it starts: count yourself if you need
    the number. An iterator and a generator are used up by the loop, as they are without a bar.

    https://tqdm.github.io/docs/tqdm
    """
    for iterable in [items, iter(items), (item for item in items)]:
        bar = tqdm(iterable, file=io.StringIO(), **EVERY_STEP)

        assert list(bar) == items
        assert bar.n == len(items)
        assert list(iterable) == (items if iterable is items else [])

    bar = tqdm(items, disable=True)
    assert (list(bar), bar.n) == (items, 0)
    bar = tqdm(items, disable=True, initial=5)
    assert (list(bar), bar.n) == (items, 5)
    bar = tqdm(items, file=io.StringIO(), initial=5)
    assert (list(bar), bar.n) == (items, 5 + len(items))


def test_it_is_a_wrapper_not_a_list():
    """A bar around a list has a length and can be looped over, but indexing it or calling `next` on it raises
    TypeError.

    `tqdm(items)` is an iterable around `items`, neither a list nor an iterator. Write `next(iter(bar))`, or index what
    is inside. Around a generator `len(bar)` raises TypeError, unless you pass `total=`.

    https://tqdm.github.io/docs/tqdm
    """
    bar = tqdm(["a", "b", "c"], file=io.StringIO())

    assert len(bar) == 3
    with pytest.raises(TypeError, match="not subscriptable"):
        bar[0]
    with pytest.raises(TypeError, match="not an iterator"):
        next(bar)

    with pytest.raises(TypeError, match="NoneType"):
        len(tqdm((item for item in "abc"), file=io.StringIO()))

    assert len(tqdm((item for item in "abc"), total=3, file=io.StringIO())) == 3
    assert next(iter(bar)) == "a"
    assert bar.iterable[0] == "a"
    assert list(tqdm(["a", "b", "c"], file=io.StringIO())) == ["a", "b", "c"]


def test_trange_is_tqdm_of_range():
    """`trange(2, 8, 3)` is short for `tqdm(range(2, 8, 3))`: it counts 2 and 5, and its total is 2.

    `for epoch in trange(10)` is the usual bar over epochs. A loop over `tqdm(10)` raises TypeError, "'int' object is
    not iterable".

    https://tqdm.github.io/docs/shortcuts
    """
    bar = trange(2, 8, 3, file=io.StringIO())

    assert bar.iterable == range(2, 8, 3)
    assert bar.total == 2
    assert list(bar) == [2, 5]
    with pytest.raises(TypeError, match="'int' object is not iterable"):
        list(tqdm(10, file=io.StringIO()))


# Where it draws.


def test_it_draws_to_stderr(capsys):
    """A text bar is drawn to stderr, and what the program prints goes to stdout.

    So `python train.py > log.txt` has no bars in it. To keep bars out of a log of both, use `disable=None`.

    https://tqdm.github.io/docs/tqdm
    """
    for epoch in tqdm(range(3), bar_format=COUNT, **EVERY_STEP):
        print("epoch", epoch)

    captured = capsys.readouterr()
    assert captured.out == "epoch 0\nepoch 1\nepoch 2\n"
    assert captured.err == "\r0/3\r1/3\r2/3\r3/3\r3/3\n"


def test_write_prints_past_the_bar(capsys):
    """`tqdm.write` wipes the bar, prints a line to stdout and draws the bar again; `print` leaves the bar where it is.

    After `print` inside the loop a terminal shows pieces of the bar between the lines. A bar that is drawn to a file of
    its own (`file=`) is left alone by both.

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

    text = io.StringIO()
    with tqdm(total=3, file=text, bar_format=COUNT):
        tqdm.write("a checkpoint")
        assert text.getvalue() == "\r0/3"


def test_log_lines_pass_the_bar_in_a_block(capsys):
    """A line of `logging` on stderr is written into the bar; inside `with logging_redirect_tqdm():` the bar is wiped
    first and drawn again below the line.

    Write `from tqdm.contrib.logging import logging_redirect_tqdm`. Name a logger that has a handler of its own,
    `loggers=[logger]`: otherwise the block is about the root logger.

    https://tqdm.github.io/docs/contrib.logging
    """
    logger = logging.Logger("training")
    logger.addHandler(logging.StreamHandler(sys.stderr))

    with tqdm(total=3, bar_format=COUNT, **EVERY_STEP):
        logger.warning("loss is nan")
        assert capsys.readouterr().err == "\r0/3loss is nan\n"

        with logging_redirect_tqdm(loggers=[logger]):
            logger.warning("loss is nan")
            assert capsys.readouterr().err == "\r   \rloss is nan\n\r0/3"

        with logging_redirect_tqdm():
            logger.warning("loss is nan")
            assert capsys.readouterr().err == "loss is nan\n"


def test_a_console_without_blocks_gets_number_signs():
    """A text bar is drawn with `#` where the encoding of its file lacks some of the blocks, as cp1252 and cp437 do, and
    with blocks where it has them, as UTF-8 and gbk do.

    In a file in cp1252 a bar with `ascii=False` raises UnicodeEncodeError, "'charmap' codec can't encode".

    A Windows console can say UTF-8 and show the blocks badly or break the line: pass `ascii=True` there.

    https://tqdm.github.io/docs/tqdm
    """

    def drawn(encoding, **options):
        raw = io.BytesIO()
        file = io.TextIOWrapper(raw, encoding=encoding, write_through=True)
        with tqdm(total=4, file=file, bar_format="{bar:8}|", **EVERY_STEP, **options) as bar:
            bar.update(2)
        return raw.getvalue().decode(encoding)

    assert "\r####    |" in drawn("cp1252")
    assert "\r####    |" in drawn("cp437")
    assert "\r████    |" in drawn("utf-8")
    assert "\r████    |" in drawn("gbk")
    assert "\r####    |" in drawn("utf-8", ascii=True)
    with pytest.raises(UnicodeEncodeError, match="'charmap' codec can't encode"):
        drawn("cp1252", ascii=False)


def test_disable_draws_nothing_and_counts_nothing():
    """`tqdm(items, disable=True)` passes the items on, draws nothing, and counts nothing: `bar.n` stays as it is.

    `disable=None` does this if the output is not a terminal, but a log file, or a text as here. A program that reads
    `bar.n` breaks silently.

    https://tqdm.github.io/docs/tqdm
    """
    text = io.StringIO()
    silent = tqdm([5, 6, 7], disable=True, file=text)
    no_terminal = tqdm([5, 6, 7], disable=None, file=text)
    drawn = tqdm([5, 6, 7], disable=False, file=io.StringIO())

    assert [list(bar) for bar in [silent, no_terminal, drawn]] == [[5, 6, 7]] * 3
    assert [bar.n for bar in [silent, no_terminal, drawn]] == [0, 0, 3]
    assert text.getvalue() == ""


def tqdm_of_a_new_program():
    """The function as a program gets it that starts now: tqdm reads the environment when it is imported."""
    module = importlib.util.module_from_spec(importlib.util.find_spec("tqdm.std"))
    module.__spec__.loader.exec_module(module)
    module.tqdm.monitor_interval = 0  # no thread
    return module.tqdm


@pytest.mark.holds("tqdm>=4.66", otherwise=AssertionError, change="new")
def test_the_environment_turns_bars_off(monkeypatch):
    """From tqdm 4.66 on, `TQDM_DISABLE=1` in the environment turns off the bars of a program that does not pass
    `disable=` itself.

    `TQDM_MININTERVAL=10` changes another default. tqdm reads these variables when it is imported, and `import torch`
    imports tqdm: set them before the program starts. Before 4.66 they are ignored.

    https://tqdm.github.io/docs/tqdm
    """
    monkeypatch.setenv("TQDM_DISABLE", "1")
    monkeypatch.setenv("TQDM_MININTERVAL", "10")
    tqdm = tqdm_of_a_new_program()

    silent = tqdm([5, 6, 7], file=io.StringIO())
    drawn = tqdm([5, 6, 7], file=io.StringIO(), disable=False)

    assert (silent.disable, drawn.disable) == (True, False)
    assert drawn.mininterval == 10
    assert list(silent) == list(drawn) == [5, 6, 7]
    assert torch.hub.tqdm.__module__.startswith("tqdm.")


@pytest.mark.holds("tqdm>=4.66", otherwise=AssertionError, change="result")
@pytest.mark.myth("TQDM_DISABLE=0 turns bars on")
@pytest.mark.parametrize("value", ["0", "False", "no"])
def test_a_variable_that_says_no_turns_bars_off_too(monkeypatch, value):
    """`TQDM_DISABLE=0` turns bars off: any text that is not empty counts as true.

    `TQDM_LEAVE=0` leaves the bar for the same reason. Unset the variable, or set it to nothing, to have the bars back.

    https://tqdm.github.io/docs/tqdm
    """
    monkeypatch.setenv("TQDM_DISABLE", value)
    monkeypatch.setenv("TQDM_LEAVE", value)
    bar = tqdm_of_a_new_program()([5, 6, 7], file=io.StringIO())

    assert bar.disable is True
    monkeypatch.setenv("TQDM_DISABLE", "")
    bar = tqdm_of_a_new_program()([5, 6, 7], file=io.StringIO())
    assert (bar.disable, bar.leave) == (False, True)
    assert list(bar) == [5, 6, 7]


# What it counts.


def test_the_total_is_the_length():
    """`tqdm(items)` takes `len(items)` for the total; a generator has no length, so its bar shows no percentage and no
    remaining time.

    Pass `total=3` if you know how many items there will be. The bar then shows both.

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
    """`enumerate(tqdm(items))` shows the total, and `tqdm(enumerate(items))` does not: an `enumerate` object has no
    length.

    The same goes for `zip`, `map` and the `imap` of a pool. Put the bar inside, pass `total=len(items)`, or use
    `tqdm.contrib.tenumerate`, which counts a NumPy array by tuples: (0,), (1,) and so on.

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
    with ThreadPool(1) as pool:
        assert tqdm(pool.imap(str.upper, items), file=io.StringIO()).total is None
        known = tqdm(pool.imap(str.upper, items), total=len(items), file=io.StringIO())
        assert (known.total, list(known)) == (3, ["A", "B", "C"])
    assert list(enumerate(around)) == list(inside[0]) == [(0, "a"), (1, "b"), (2, "c")]
    assert list(tenumerate(items, file=io.StringIO())) == [(0, "a"), (1, "b"), (2, "c")]
    assert list(tenumerate(np.array([7, 8]), file=io.StringIO())) == [((0,), 7), ((1,), 8)]


def test_the_bar_comes_first_in_zip():
    """The bar in `zip(labels, tqdm(images))` stops at 2/3 for three pairs, though the loop gets all three; in
    `zip(tqdm(images), labels)` it comes to 3/3.

    `zip` asks its arguments from left to right and stops at the first that is used up. A bar counts a step when it is
    asked for the next item, so a bar that stands second never hears of the last step. Put the bar first, or pass
    `strict=True`: then `zip` asks them all.

    https://docs.python.org/3/library/functions.html#zip
    """
    images, labels = ["a", "b", "c"], [0, 1, 2]
    second, first, strict = io.StringIO(), io.StringIO(), io.StringIO()

    pairs = list(zip(labels, tqdm(images, file=second, bar_format=COUNT, **EVERY_STEP), strict=False))
    assert pairs == [(0, "a"), (1, "b"), (2, "c")]
    assert second.getvalue() == "\r0/3\r1/3\r2/3\r2/3\n"

    pairs = list(zip(tqdm(images, file=first, bar_format=COUNT, **EVERY_STEP), labels, strict=False))
    assert pairs == [("a", 0), ("b", 1), ("c", 2)]
    assert first.getvalue() == "\r0/3\r1/3\r2/3\r3/3\r3/3\n"

    pairs = list(zip(labels, tqdm(images, file=strict, bar_format=COUNT, **EVERY_STEP), strict=True))
    assert pairs == [(0, "a"), (1, "b"), (2, "c")]
    assert strict.getvalue() == first.getvalue()


def test_over_a_dataloader_it_counts_batches(device):
    """`tqdm(loader)` counts batches, not samples: ten samples in batches of four are three steps.

    The speed is in batches per second too: multiply it by the batch size before you compare batch sizes. A loader over
    an IterableDataset without `__len__` has no total: pass `total=`.

    https://docs.pytorch.org/docs/stable/data.html
    """
    x = torch.arange(20.0).reshape(10, 2)
    loader = DataLoader(TensorDataset(x), batch_size=4)
    text = io.StringIO()

    batches = [batch.to(device) for (batch,) in tqdm(loader, file=text, bar_format=COUNT, **EVERY_STEP)]

    assert text.getvalue() == "\r0/3\r1/3\r2/3\r3/3\r3/3\n"
    assert [tuple(batch.shape) for batch in batches] == [(4, 2), (4, 2), (2, 2)]
    assert torch.cat(batches).tolist() == x.tolist()

    class Stream(IterableDataset):
        def __iter__(self):
            yield from x

    stream = DataLoader(Stream(), batch_size=4)
    assert tqdm(stream, file=io.StringIO()).total is None
    assert tqdm(stream, total=3, file=io.StringIO()).total == 3


def calls_of_iter(bar):
    calls = []

    class Loader:
        def __iter__(self):
            calls.append("iter")
            return iter([1, 2])

    assert list(bar(Loader(), file=io.StringIO())) == [1, 2]
    return len(calls)


def seeded_epoch(decorate, device):
    loader = DataLoader(torch.arange(20), batch_size=6, shuffle=True)
    torch.manual_seed(42)
    return [
        (batch.tolist(), [torch.rand(2, device=place).tolist() for place in ("cpu", device)])
        for batch in decorate(loader)
    ]


def test_the_plain_bar_leaves_random_numbers_alone(device):
    """With the bar of `from tqdm import tqdm`, a seeded loop over a DataLoader shuffles and draws the same random
    numbers as without a bar.

    This is the bar for a program that has to be reproducible: see the next note.

    https://docs.pytorch.org/docs/stable/notes/randomness.html
    """
    without_bar = seeded_epoch(lambda loader: loader, device)
    with_bar = seeded_epoch(lambda loader: text_tqdm(loader, file=io.StringIO(), **EVERY_STEP), device)

    assert with_bar == without_bar
    assert sorted(sample for batch, _ in with_bar for sample in batch) == list(range(20))


def seeded_late(**options):
    """The orders without a bar and with one, each seeded right before its loop."""
    orders = []
    for decorate in (lambda loader: loader, lambda loader: tqdm(loader, file=io.StringIO())):
        decorated = decorate(DataLoader(torch.arange(20), batch_size=None, shuffle=True, **options))
        torch.manual_seed(42)
        orders.append([item.item() for item in decorated])
    return orders


@pytest.mark.myth("A progress bar cannot change what a seeded program computes")
def test_the_auto_bar_shifts_random_numbers(device):
    """The bar of `from tqdm.auto import tqdm` changes the shuffle of a DataLoader if the seed was set before the bar
    was made: it calls `iter(loader)` once more than the loop does, and that draws a random number.

    Two calls of `iter` also start worker processes twice (tqdm issue 1467), unless `persistent_workers=True`. Use
    `from tqdm import tqdm`. To seed after the bar is made helps too, but not with `persistent_workers=True`.

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

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a machine with a single core warns of workers
        orders = [seeded_late(), seeded_late(num_workers=1, persistent_workers=True)]

    assert orders[0][0] == orders[0][1]
    assert orders[1][0] != orders[1][1]
    assert with_bar == again != without_bar
    assert torch.equal(after_plain, before)
    assert not torch.equal(after_auto, before)
    assert [calls_of_iter(bar) for bar in (text_tqdm, tqdm)] == [1, 2]


def test_update_counts_by_hand():
    """`bar.update(k)` adds k to `bar.n`; a step past the total the bar shows no percentage any more.

    Write `with tqdm(total=10) as bar` for a loop that counts samples or bytes and not steps. In a loop over the bar
    itself leave `update` out: the loop counts, and in the end its count is what stays. The percentage is rounded: 996
    of 1000 is 100%.

    https://tqdm.github.io/docs/tqdm
    """
    with tqdm(total=10, file=io.StringIO()) as bar:
        bar.update(4)
        bar.update()
        assert bar.n == 5
        assert str(bar).startswith(" 50%|#####     | 5/10 [")

        bar.update(6)
        assert bar.n == 11
        assert str(bar).startswith("11it [")

    with tqdm(total=1000, initial=996, file=io.StringIO()) as bar:
        assert str(bar).startswith("100%|#########9| 996/1000 [")

    for _ in (bar := tqdm(range(4), file=io.StringIO(), **EVERY_STEP)):
        bar.update()
    assert bar.n == 4


def test_unit_scale_multiplies_what_is_shown():
    """`tqdm(loader, unit_scale=4)` shows four times the number of steps, and `unit_scale=True` shortens numbers: 1500
    of 3000 is 1.50k/3.00k.

    With the batch size for `unit_scale` a bar over a loader counts samples, but takes a smaller last batch for a full
    one: ten samples in batches of four end at 12/12. For exact numbers write `tqdm(total=10)` and
    `bar.update(len(batch))`. `bar.n` is not scaled. For bytes there is `unit="B", unit_scale=True, unit_divisor=1024`.

    https://tqdm.github.io/docs/tqdm
    """
    loader = DataLoader(torch.arange(10), batch_size=4)

    scaled = tqdm(loader, unit_scale=4, file=io.StringIO(), bar_format=COUNT)
    assert len(list(scaled)) == 3
    assert (str(scaled), scaled.n) == ("12/12", 3)

    with tqdm(total=10, file=io.StringIO(), bar_format=COUNT) as bar:
        for batch in loader:
            bar.update(len(batch))
        assert str(bar) == "10/10"

    for options, shown in [({}, "1.50k/3.00k"), ({"unit_divisor": 1024}, "1.46k/2.93k")]:
        with tqdm(total=3000, unit_scale=True, file=io.StringIO(), bar_format=COUNT, **options) as bar:
            bar.update(1500)
            assert str(bar) == shown


@pytest.mark.myth("The remaining time is reckoned from the average of all steps")
def test_the_speed_is_that_of_the_last_steps(monkeypatch):
    """The speed and the remaining time that a bar shows while it is open are reckoned from the last steps more than
    from the first, and with `smoothing=0` from the average of all.

    After a first step of ten seconds and three of one second the average is 3.25 seconds, and a bar with the default,
    `smoothing=0.3`, shows less. So one slow step, such as a validation, changes the remaining time more than it should:
    pass `smoothing=0`. With `smoothing=1` it is reckoned from the steps since the bar was drawn before. The last line,
    which is drawn when the bar is closed, shows the average whatever `smoothing` is.

    https://tqdm.github.io/docs/tqdm
    """
    now = [0.0]
    monkeypatch.setattr("tqdm.std.time", lambda: now[0])  # the clock of the bars

    def shown(**options):
        text = io.StringIO()
        with tqdm(total=10, file=text, bar_format="{remaining} {rate_inv_fmt}", **EVERY_STEP, **options) as bar:
            for seconds in [10, 1, 1, 1]:
                now[0] += seconds
                bar.update()
            line, rate = str(bar), bar.format_dict["rate"]
        assert text.getvalue().endswith("\r00:19  3.25s/it\n")
        return line, rate

    average, default, last = shown(smoothing=0), shown(), shown(smoothing=1)

    assert average[0] == "00:19  3.25s/it"  # 4 steps in 13 seconds, and 6 to go
    assert last[0] == "00:06  1.00s/it"
    assert default[1] == shown(smoothing=0.3)[1]
    assert 4 / 13 < default[1] < 1


@pytest.mark.myth("Inside the loop, bar.n is the number of the step")
def test_n_lags_behind_inside_the_loop():
    """Inside a loop over the bar `bar.n` is the count at which the loop last drew the bar by itself, which may be long
    ago.

    After the loop `bar.n` is right, unless the bar is disabled and counts nothing. Use `enumerate` if you need the
    number of the step. `set_postfix` draws the bar at once, but with the old count.

    https://tqdm.github.io/docs/tqdm
    """
    rarely = tqdm(range(4), file=io.StringIO(), mininterval=3600)
    always = tqdm(range(4), file=io.StringIO(), **EVERY_STEP)

    assert [rarely.n for _ in rarely] == [0, 0, 0, 0]
    assert [always.n for _ in always] == [0, 1, 2, 3]
    assert (rarely.n, always.n) == (4, 4)
    disabled = tqdm(range(4), disable=True)
    assert ([disabled.n for _ in disabled], disabled.n) == ([0, 0, 0, 0], 0)

    text = io.StringIO()
    bar = tqdm(range(4), file=text, bar_format=COUNT, mininterval=3600)
    for step in bar:
        bar.set_postfix(step=step)
    assert "0/4, step=3" in text.getvalue()


# What it costs, and what it says.


def redraws(**options):
    text = io.StringIO()
    for _ in tqdm(range(100), file=text, **options):
        pass
    return text.getvalue().count("\r")


def test_mininterval_is_what_keeps_it_cheap():
    """By itself a `tqdm` loop of quick steps draws its bar at the start, at the end, and between the two at most once
    in 0.1 seconds, which is the default of `mininterval`.

    So drawing hardly slows down a loop of many quick steps. With `mininterval=0` and `miniters=10` such a loop draws at
    every tenth step.

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

    Called at every step, they make a quick loop slow and a log file long. Pass `refresh=False`: the next time that the
    bar is drawn it shows the newest values.

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


def test_a_postfix_set_after_the_update_comes_a_step_late():
    """On a bar that draws at every step, a postfix that `bar.set_postfix(loss=loss, refresh=False)` sets after
    `bar.update()` is drawn one step late: set it before `bar.update()`.

    `bar.update(0)` does not draw such a bar (`mininterval=0, miniters=1`), and `bar.refresh()` draws at once. A postfix
    set after the last `bar.update()` appears when the bar is closed, and with `leave=False` not at all.

    https://tqdm.github.io/docs/tqdm
    """

    def last_lines(*, before, **options):
        text, lines = io.StringIO(), []
        with tqdm(total=2, file=text, bar_format=COUNT, **EVERY_STEP, **options) as bar:
            for step in (1, 2):
                if before:
                    bar.set_postfix(step=step, refresh=False)
                bar.update()
                if not before:
                    bar.set_postfix(step=step, refresh=False)
                lines.append(text.getvalue().split("\r")[-1].rstrip())
            bar.update(0)
            assert text.getvalue().split("\r")[-1].rstrip() == lines[-1]
        return lines, "step=2" in text.getvalue()

    assert last_lines(before=True) == (["1/2, step=1", "2/2, step=2"], True)
    assert last_lines(before=False) == (["1/2", "2/2, step=1"], True)
    assert last_lines(before=False, leave=False) == (["1/2", "2/2, step=1"], False)
    text = io.StringIO()
    with tqdm(total=2, file=text, bar_format=COUNT, mininterval=3600) as bar:
        bar.set_postfix(step=1, refresh=False)
        assert text.getvalue() == "\r0/2"
        bar.refresh()
        assert text.getvalue() == "\r0/2\r0/2, step=1"


def test_description_before_postfix_after():
    """`set_postfix` replaces all of the postfix before it, and shows a number with three significant digits if that is
    shorter.

    An accuracy of 0.9996 is shown as 1: pass a text, `f"{accuracy:.4f}"`, if the fourth digit matters. The description
    stands before the bar and the postfix behind it, keywords sorted and a dictionary in its own order.

    https://tqdm.github.io/docs/tqdm
    """
    with tqdm(total=2, file=io.StringIO(), bar_format=COUNT) as bar:
        bar.set_description("epoch 3")
        bar.set_postfix(loss=0.123456, accuracy=0.9996)
        assert str(bar) == "epoch 3: 0/2, accuracy=1, loss=0.123"

        bar.set_postfix(perplexity=1234.5, steps=1234567890)
        assert str(bar) == "epoch 3: 0/2, perplexity=1234.5, steps=1.23e+9"

        bar.set_postfix({"loss": 0.5, "accuracy": 0.25})
        assert str(bar) == "epoch 3: 0/2, loss=0.5, accuracy=0.25"

        bar.set_postfix(accuracy=f"{0.9996:.4f}")
        assert str(bar) == "epoch 3: 0/2, accuracy=0.9996"

    with tqdm(total=2, desc="epoch 3", postfix={"loss": 0.5}, file=io.StringIO()) as bar:
        assert str(bar).startswith("epoch 3:   0%|")
        assert str(bar).endswith(", loss=0.5]")


def test_set_postfix_takes_no_text():
    """`bar.set_postfix("loss 0.5")` raises ValueError, "need more than 1 value to unpack".

    `set_postfix` takes names and values, as in `set_postfix(loss=0.5)`. For a text of your own write
    `bar.set_postfix_str("loss 0.5")`, or `bar.set_description("loss 0.5")` to have it before the bar.

    https://tqdm.github.io/docs/tqdm
    """
    with tqdm(total=2, file=io.StringIO(), bar_format=COUNT) as bar:
        with pytest.raises(ValueError, match="need more than 1 value to unpack"):
            bar.set_postfix("loss 0.5")
        bar.set_postfix(loss=0.5)
        assert str(bar) == "0/2, loss=0.5"
        bar.set_postfix_str("loss 0.5")
        assert str(bar) == "0/2, loss 0.5"
        bar.set_postfix_str("")
        bar.set_description("loss 0.5")
        assert str(bar).startswith("loss 0.5: 0/2")


def test_a_tensor_in_the_postfix_is_shown_as_a_tensor(device):
    """`set_postfix(loss=loss)` shows a loss tensor as torch prints it, here `tensor(0.2500, grad_fn=<PowBackward0>)`,
    and `set_postfix(loss=loss.item())` shows 0.25.

    On a GPU the text names the device too. Both wait for the GPU: do it every hundredth step.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.item.html
    """
    loss = torch.tensor(0.5, device=device, requires_grad=True) ** 2

    with tqdm(total=2, file=io.StringIO(), bar_format=COUNT) as bar:
        bar.set_postfix(loss=loss)
        assert str(bar) == "0/2, loss=" + str(loss)
        assert str(loss).startswith("tensor(0.2500")
        assert str(loss).endswith("grad_fn=<PowBackward0>)")
        assert ("device=" in str(loss)) == (device.type != "cpu")

        bar.set_postfix(loss=loss.item())
        assert str(bar) == "0/2, loss=0.25"


# How it ends.


def test_an_inner_bar_goes_one_line_down():
    """A bar inside the loop of another bar is drawn one line below it, and with `leave=False` it is wiped when it is
    done.

    Without `leave=False` each epoch leaves the line of its inner bar behind.

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
    for _ in tqdm(range(1), desc="epoch ", **options):
        for _ in tqdm(range(1), desc="left ", **options):
            pass
    assert "|left 1/1\n|epoch 1/1" in text.getvalue().replace("\r", "|")


def test_a_bar_that_was_left_open_keeps_its_line():
    """While there is a bar that is not closed, the next bar is drawn one line below, with a line feed at each step; in
    an output that cannot move up, such as a log, each step is then on a new line.

    In a notebook it can be a bar that an interrupted cell counted with `update`. A loop over a bar closes it in the
    end, `update` does not, even at the total. Call `bar.close()`, or write `with tqdm(total=3) as bar`. `position=0`
    draws the next bar on the first line all the same.

    https://tqdm.github.io/docs/tqdm
    """

    def drawn(**options):
        text = io.StringIO()
        for _ in tqdm(range(2), file=text, bar_format=COUNT, **EVERY_STEP, **options):
            pass
        return text.getvalue()

    left = tqdm(total=3, file=io.StringIO())
    left.update(1)

    up = "\x1b[A"
    assert drawn() == f"\n\r0/2{up}\n\r1/2{up}\n\r2/2{up}\r2/2\n"
    left.update(2)
    assert drawn() == f"\n\r0/2{up}\n\r1/2{up}\n\r2/2{up}\r2/2\n"
    assert drawn(position=0) == "\r0/2\r1/2\r2/2\r2/2\n"

    left.close()
    assert drawn() == "\r0/2\r1/2\r2/2\r2/2\n"


def test_an_exception_closes_the_bar():
    """Leaving `for step in tqdm(...)` by an exception or a `break` closes the bar: it draws its last count and ends its
    line.

    A bar that is counted with `update` stays open as long as a name refers to it: write `with tqdm(total=5) as bar`.
    With `leave=False` the bar is wiped instead, and a disabled bar draws nothing.

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

    wiped = io.StringIO()
    for _ in tqdm(range(5), file=wiped, bar_format=COUNT, leave=False, **EVERY_STEP):
        break
    assert wiped.getvalue() == "\r0/5\r   \r"

    text = io.StringIO()
    bar = tqdm(total=5, file=text, bar_format=COUNT, **EVERY_STEP)
    for _ in range(3):
        bar.update()
    assert text.getvalue() == "\r0/5\r1/5\r2/5\r3/5"
    del bar
    assert text.getvalue() == "\r0/5\r1/5\r2/5\r3/5\r3/5\n"

    nothing = io.StringIO()
    for _ in tqdm(range(5), file=nothing, disable=True):
        break
    assert nothing.getvalue() == ""


def test_a_kept_iterator_keeps_the_bar_open():
    """After `pairs = enumerate(bar)` and a `break` from the loop over `pairs`, the bar stays open until `pairs` is gone
    or something closes the bar.

    What is printed meanwhile stands on the line of the bar. Write `enumerate(...)` into the `for` line. `bar.close()`
    ends the line as well, but with the count that the bar was last drawn with, which may be 0.

    https://tqdm.github.io/docs/tqdm
    """
    text = io.StringIO()
    bar = tqdm(range(5), file=text, bar_format=COUNT, **EVERY_STEP)
    pairs = enumerate(bar)

    for step, _ in pairs:
        if step == 3:
            break

    assert text.getvalue() == "\r0/5\r1/5\r2/5\r3/5"
    del pairs
    assert text.getvalue() == "\r0/5\r1/5\r2/5\r3/5\r3/5\n"

    text = io.StringIO()
    bar = tqdm(range(5), file=text, bar_format=COUNT, mininterval=3600)
    pairs = enumerate(bar)
    for step, _ in pairs:
        if step == 3:
            break
    bar.close()
    assert text.getvalue() == "\r0/5\r0/5\n"


def test_a_finished_bar_stays_finished():
    """A second loop over the same bar around a list gets the items again and draws nothing.

    `bar.reset()` does not change that. Around a generator the second loop gets no items. Make a new bar for each epoch:
    `for batch in tqdm(loader)`.

    https://tqdm.github.io/docs/tqdm
    """
    text = io.StringIO()
    bar = tqdm(["a", "b"], file=text, bar_format=COUNT, **EVERY_STEP)

    first_epoch = list(bar)
    drawn = text.getvalue()
    second_epoch = list(bar)
    bar.reset()
    third_epoch = list(bar)

    assert first_epoch == second_epoch == third_epoch == ["a", "b"]
    assert drawn == text.getvalue() == "\r0/2\r1/2\r2/2\r2/2\n"
    lazy = tqdm((item for item in "ab"), file=io.StringIO())
    assert (list(lazy), list(lazy)) == (["a", "b"], [])


def test_reset_keeps_the_total_unless_it_gets_another():
    """`bar.reset()` sets the count to 0 and keeps the total, and so does `bar.reset(total=None)`.

    One bar for several epochs shows a wrong total and a wrong percentage if the epochs differ in length. Pass the new
    total, `bar.reset(total=len(loader))`, or set `bar.total = None` for a loader without a length.

    https://tqdm.github.io/docs/tqdm
    """
    bar = tqdm(total=10, file=io.StringIO(), **EVERY_STEP)
    bar.update(10)

    totals = []
    for options in ({}, {"total": None}, {"total": 4}, {"total": None}):
        bar.reset(**options)
        totals.append((bar.n, bar.total))
    bar.total = None
    bar.reset()
    bar.update(1)

    assert totals == [(0, 10), (0, 10), (0, 4), (0, 4)]
    assert (bar.n, bar.total) == (1, None)
    bar.close()
