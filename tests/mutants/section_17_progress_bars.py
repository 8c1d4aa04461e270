"""What could break about progress bars."""

import copy
import importlib.util
import io
import logging
import operator
import os
import sys
import types
from contextlib import contextmanager, redirect_stderr, redirect_stdout

import numpy
import pytest
import torch
import tqdm as tqdm_module
import tqdm.asyncio
import tqdm.auto
import tqdm.contrib
import tqdm.contrib.logging
import tqdm.notebook
import tqdm.utils
from torch.utils.data import DataLoader
from tqdm.std import tqdm as std

from torchnotes.harness.mutation import mutant, raises

COUNT = "{desc}{n_fmt}/{total_fmt}{postfix}"
EVERY_STEP = {"mininterval": 0, "miniters": 1}


def bar_of(*args, **options):
    """A bar that nobody sees and that leaves no line behind."""
    bar = tqdm.auto.tqdm(*args, **{"file": io.StringIO(), "bar_format": COUNT, **options})
    bar.close()
    return bar


def drawn(items, **options):
    text = io.StringIO()
    for _ in tqdm.auto.tqdm(items, **{"file": text, "bar_format": COUNT, **options}):
        pass
    return text.getvalue()


def through(items, **options):
    return list(tqdm.auto.tqdm(items, file=io.StringIO(), **options))


def before_init(patch, change):
    """Let `change` replace what is iterated over, or alter the options of a new bar, which it gets as a dict."""
    init = std.__init__

    def broken(self, iterable=None, *args, **options):
        init(self, change(iterable, options), *args, **options)

    patch.setattr(std, "__init__", broken)


def option(patch, name, change):
    """Let `change` replace the value of one option of a new bar; a value that is not given it sees as None."""

    def broken(iterable, options):
        options[name] = change(options.get(name))
        return iterable

    before_init(patch, broken)


# What it is.


class CallableModule(types.ModuleType):
    def __call__(self, *args, **options):
        return self.auto.tqdm(*args, **options)


@mutant(kills="test_the_module_is_not_the_function", witness=lambda: not callable(tqdm_module))
def module_can_be_called(patch):
    """The module `tqdm` can be called like the function in it."""
    patch.setattr(tqdm_module, "__class__", CallableModule)


@mutant(
    kills="test_auto_draws_text_outside_a_notebook",
    witness=lambda: tqdm.auto.tqdm.__module__ != "tqdm.notebook",
)
def auto_bar_is_a_widget(patch):
    """`tqdm.auto` gives the class for notebooks in a script, too."""
    widget = type("tqdm_notebook", (std,), {"__module__": "tqdm.notebook"})
    patch.everywhere(tqdm.auto.tqdm, widget)


@mutant(kills="test_auto_draws_text_outside_a_notebook", witness=lambda: drawn([1], **EVERY_STEP).endswith("\n"))
def bar_ends_without_a_new_line(patch):
    """A bar that is done leaves the cursor on its line."""

    def broken(self):
        if not self.disable and self.leave and not self.pos:
            self.refresh()
            self.disable = True
            self._decr_instances(self)
            self.fp.write("\r")
        close(self)

    close = std.close
    patch.setattr(std, "close", broken)


def after_iter(patch, change):
    """Let `change` replace the items that come through."""
    iterate = std.__iter__
    patch.setattr(std, "__iter__", lambda self: change(iterate(self)))


@mutant(
    kills="test_the_items_come_through_untouched",
    witness=lambda: through([one := [3]])[0] is one,
)
def items_are_copied(patch):
    """The loop gets copies of the items."""
    after_iter(patch, lambda items: (copy.copy(item) for item in items))


def without_last(items):
    items = list(items)
    yield from items[:-1]


@mutant(
    kills=("test_the_items_come_through_untouched", "test_the_items_come_through_for_every_iterable"),
    witness=lambda: through([5, 6]) == [5, 6],
)
def last_item_is_lost(patch):
    """The loop does not get the last item."""
    after_iter(patch, without_last)


@mutant(
    kills="test_the_items_come_through_for_every_iterable",
    witness=lambda: through(iter([5, 6])) == [5, 6],
)
def first_item_of_an_iterator_is_lost(patch):
    """Making a bar takes the first item of an iterator or generator; lists are right."""

    def broken(iterable, options):
        if hasattr(iterable, "__next__"):
            next(iterable, None)
        return iterable

    before_init(patch, broken)


def counted(items, **options):
    bar = tqdm.auto.tqdm(items, file=io.StringIO(), **options)
    for _ in bar:
        pass
    return bar.n


@mutant(
    kills=("test_the_items_come_through_for_every_iterable", "test_n_lags_behind_inside_the_loop"),
    witness=lambda: counted([5, 6]) == 2,
)
def count_starts_at_one(patch):
    """`bar.n` starts at 1."""
    option(patch, "initial", lambda initial: 1)


@mutant(
    kills="test_the_items_come_through_for_every_iterable",
    witness=lambda: counted([5, 6], initial=5) == 7,
)
def initial_is_ignored(patch):
    """`bar.n` starts at 0 whatever `initial` says."""
    option(patch, "initial", lambda initial: 0)


@mutant(
    kills="test_the_items_come_through_for_every_iterable",
    witness=lambda: counted([5, 6], initial=5, disable=True) == 5,
)
def disabled_bar_starts_at_zero(patch):
    """With `disable=True` `bar.n` is 0 whatever `initial` says."""

    def broken(iterable, options):
        if options.get("disable"):
            options["initial"] = 0
        return iterable

    before_init(patch, broken)


@mutant(kills="test_it_is_a_wrapper_not_a_list", witness=lambda: not hasattr(std, "__getitem__"))
def bar_can_be_indexed(patch):
    """A bar can be indexed like the list that it is around."""
    patch.setattr(std, "__getitem__", lambda self, index: self.iterable[index], raising=False)


@mutant(kills="test_it_is_a_wrapper_not_a_list", witness=lambda: not hasattr(std, "__next__"))
def bar_is_an_iterator(patch):
    """`next` of a bar gives the first item."""
    patch.setattr(std, "__next__", lambda self: next(iter(self.iterable)), raising=False)


@mutant(kills="test_it_is_a_wrapper_not_a_list", witness=lambda: len(bar_of([5, 6])) == 2)
def bar_counts_one_more(patch):
    """`len` of a bar is one more than that of the list."""
    length = std.__len__
    patch.setattr(std, "__len__", lambda self: length(self) + 1)


@mutant(
    kills="test_trange_is_tqdm_of_range",
    witness=lambda: tqdm.auto.trange(2, 8, 3, disable=True).iterable == range(2, 8, 3),
)
def trange_ignores_the_step(patch):
    """`trange(2, 8, 3)` goes in steps of one."""
    trange = tqdm.auto.trange
    patch.everywhere(trange, lambda *args, **options: trange(*args[:2], **options))


@mutant(
    kills="test_trange_is_tqdm_of_range",
    witness=lambda: tqdm.auto.trange(2, 8, 3, disable=True).iterable == range(2, 8, 3),
)
def trange_includes_the_end(patch):
    """`trange(2, 8, 3)` includes 8."""
    trange = tqdm.auto.trange

    def broken(*args, **options):
        numbers = range(*args)
        return trange(numbers.start, numbers.stop + 1, numbers.step, **options)

    patch.everywhere(trange, broken)


# Where it draws.


def streams(call):
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        call()
    return out.getvalue(), err.getvalue()


def draw_to_the_default():
    for _ in tqdm.auto.tqdm([1], bar_format=COUNT):
        pass


@mutant(kills="test_it_draws_to_stderr", witness=lambda: streams(draw_to_the_default)[0] == "")
def bar_goes_to_stdout(patch):
    """The bar is drawn to stdout."""
    option(patch, "file", lambda file: file or sys.stdout)


@mutant(
    kills=("test_it_draws_to_stderr", "test_over_a_dataloader_it_counts_batches"),
    witness=lambda: drawn([1, 2], **EVERY_STEP).startswith("\r0/2"),
)
def bar_is_not_drawn_at_the_start(patch):
    """The first line is drawn after the first step."""
    init = std.__init__

    def broken(self, *args, **options):
        self.refresh = lambda *args, **options: None
        init(self, *args, **options)
        del self.refresh

    patch.setattr(std, "__init__", broken)


def write_past_a_bar():
    with tqdm.auto.tqdm(total=3, bar_format=COUNT):
        std.write("text")


@mutant(kills="test_write_prints_past_the_bar", witness=lambda: streams(write_past_a_bar)[0] == "text\n")
def write_goes_to_stderr(patch):
    """`tqdm.write` writes to stderr."""
    write = std.write.__func__

    def broken(cls, text, file=None, **options):
        return write(cls, text, file=file or sys.stderr, **options)

    patch.setattr(std, "write", classmethod(broken))


@mutant(kills="test_write_prints_past_the_bar", witness=lambda: "\r   \r" in streams(write_past_a_bar)[1])
def write_cuts_the_bar(patch):
    """`tqdm.write` prints without wiping the bar and without drawing it again."""
    patch.setattr(std, "write", classmethod(lambda cls, text, file=None, **options: print(text, file=file)))


@mutant(
    kills="test_write_prints_past_the_bar",
    witness=lambda: streams(write_past_a_bar)[1].count("0/3") == 3,
)
def write_does_not_draw_again(patch):
    """`tqdm.write` wipes the bar and leaves it to the next step to draw it again."""

    def broken(cls, text, file=None, end="\n", nolock=False):
        for bar in list(cls._instances):
            bar.clear()
        (file or sys.stdout).write(text + end)

    patch.setattr(std, "write", classmethod(broken))


def written_beside():
    text = io.StringIO()
    with tqdm.auto.tqdm(total=3, file=text, bar_format=COUNT):
        streams(lambda: std.write("text"))
        return text.getvalue()


@mutant(kills="test_write_prints_past_the_bar", witness=lambda: written_beside() == "\r0/3")
def write_wipes_bars_in_files_too(patch):
    """`tqdm.write` wipes every bar, wherever it is drawn, and draws it again."""
    write = std.write.__func__

    def broken(cls, text, **options):
        elsewhere = [bar for bar in cls._instances if bar.fp not in (sys.stdout, sys.stderr)]
        for bar in elsewhere:
            bar.clear()
        write(cls, text, **options)
        for bar in elsewhere:
            bar.refresh()

    patch.setattr(std, "write", classmethod(broken))


@mutant(
    kills="test_disable_draws_nothing_and_counts_nothing",
    witness=lambda: drawn([1], disable=None) == "",
)
def disable_none_draws(patch):
    """`disable=None` draws also where there is no terminal."""
    option(patch, "disable", bool)


@mutant(
    kills="test_disable_draws_nothing_and_counts_nothing",
    witness=lambda: drawn([1], disable=True) == "",
)
def disable_is_ignored(patch):
    """`disable=True` draws all the same."""
    option(patch, "disable", lambda disable: False)


@mutant(
    kills=(
        "test_disable_draws_nothing_and_counts_nothing",
        "test_the_items_come_through_for_every_iterable",
        "test_n_lags_behind_inside_the_loop",
    ),
    witness=lambda: counted([5, 6], disable=True) == 0,
)
def disabled_bar_counts(patch):
    """With `disable=True` nothing is drawn, but `bar.n` counts."""
    iterate = std.__iter__

    def broken(self):
        for item in iterate(self):
            yield item
            self.n += self.disable

    patch.setattr(std, "__iter__", broken)


def started(**environment):
    """The bar of a program that is started with these variables in its environment."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        module = importlib.util.module_from_spec(importlib.util.find_spec("tqdm.std"))
        module.__spec__.loader.exec_module(module)
    module.tqdm.monitor_interval = 0
    return module.tqdm


def change_environment(patch, change):
    """Let `change(call, environment, self, *args, **options)` make a bar, `environment` being what it says there."""

    def envwrap(prefix, types=None, is_method=False):
        prefix = f"{prefix.rstrip('_')}_".upper()
        environment = {
            name[len(prefix) :].lower(): value for name, value in os.environ.items() if name.startswith(prefix)
        }
        if "mininterval" in environment:
            environment["mininterval"] = float(environment["mininterval"])

        def wrap(init):
            return lambda self, *args, **options: change(init, environment, self, *args, **options)

        return wrap

    patch.setattr(tqdm.utils, "envwrap", envwrap)


@mutant(
    kills="test_the_environment_turns_bars_off",
    witness=lambda: started(TQDM_DISABLE="1")([1], file=io.StringIO()).disable,
)
def environment_is_ignored(patch):
    """`TQDM_DISABLE=1` in the environment has no effect."""

    def change(call, environment, self, *args, **options):
        call(self, *args, **options)

    change_environment(patch, change)


@mutant(
    kills="test_the_environment_turns_bars_off",
    witness=lambda: not started(TQDM_DISABLE="1")([1], disable=False, file=io.StringIO()).disable,
)
def environment_goes_before_the_program(patch):
    """What the environment says goes before what the program says."""

    def change(call, environment, self, *args, **options):
        call(self, *args, **{**options, **environment})

    change_environment(patch, change)


@mutant(
    kills="test_a_variable_that_says_no_turns_bars_off_too",
    witness=lambda: started(TQDM_DISABLE="0")([1], file=io.StringIO()).disable,
)
def environment_knows_what_no_means(patch):
    """`TQDM_DISABLE=0`, and other texts that say no, leave the bars on."""

    def change(call, environment, self, *args, **options):
        no = environment.get("disable", "").lower() in ("", "0", "false", "no")
        call(self, *args, **{"disable": not no, **options})

    change_environment(patch, change)


@mutant(
    kills="test_a_variable_that_says_no_turns_bars_off_too",
    witness=lambda: started(TQDM_LEAVE="0")([1], file=io.StringIO()).leave,
)
def leave_of_the_environment_is_a_number(patch):
    """`TQDM_LEAVE=0`, and whatever else says no, wipes the bar when it is done."""

    def change(call, environment, self, *args, **options):
        disable, leave = bool(environment.get("disable")), environment.get("leave") not in ("0", "False", "no")
        call(self, *args, **{"disable": disable, "leave": leave, **options})

    change_environment(patch, change)


@mutant(
    kills="test_the_environment_turns_bars_off",
    witness=lambda: started(TQDM_MININTERVAL="9")([1], file=io.StringIO()).mininterval == 9,
)
def environment_can_only_turn_off(patch):
    """Of the environment only `TQDM_DISABLE` counts."""

    def change(call, environment, self, *args, **options):
        call(self, *args, **{"disable": bool(environment.get("disable")), **options})

    change_environment(patch, change)


# What it counts.


@mutant(
    kills="test_the_total_is_the_length",
    witness=lambda: bar_of(iter([5, 6])).total is None,
)
def total_is_a_guess(patch):
    """The total of an iterator is the length that it hints at, `operator.length_hint`."""

    def broken(iterable, options):
        if iterable is not None and options.get("total") is None:
            options["total"] = operator.length_hint(iterable) or None
        return iterable

    before_init(patch, broken)


@mutant(
    kills=("test_the_total_is_the_length", "test_the_bar_goes_inside_enumerate"),
    witness=lambda: bar_of(item for item in [5, 6]).total is None,
)
def total_of_what_has_no_length(patch):
    """A generator is run to its end to learn the total."""

    def broken(iterable, options):
        return list(iterable) if iterable is not None and not hasattr(iterable, "__len__") else iterable

    before_init(patch, broken)


@mutant(
    kills="test_the_total_is_the_length",
    witness=lambda: bar_of((item for item in [5, 6]), total=2).total == 2,
)
def total_of_a_generator_is_ignored(patch):
    """`total=` counts only for a bar without an iterable."""

    def broken(iterable, options):
        if iterable is not None:
            options.pop("total", None)
        return iterable

    before_init(patch, broken)


@mutant(
    kills=("test_the_bar_goes_inside_enumerate", "test_the_total_is_the_length"),
    witness=lambda: bar_of([5, 6]).total == 2,
)
def total_is_the_last_index(patch):
    """The total of a list is its last index."""

    def broken(iterable, options):
        if isinstance(iterable, list):
            options["total"] = len(iterable) - 1
        return iterable

    before_init(patch, broken)


@mutant(
    kills="test_over_a_dataloader_it_counts_batches",
    witness=lambda: bar_of(DataLoader(range(4), batch_size=2)).total == 2,
)
def bar_counts_samples(patch):
    """Around a DataLoader the total is the number of samples."""

    def broken(iterable, options):
        if isinstance(iterable, DataLoader):
            options["total"] = len(iterable.dataset)
        return iterable

    before_init(patch, broken)


def random_after(call):
    torch.manual_seed(0)
    call()
    return torch.rand(1).item()


def seeded_loop(bar):
    """The number drawn in the second step and the one drawn after the loop."""
    torch.manual_seed(0)
    return [torch.rand(1).item() for _ in bar([1, 2], file=io.StringIO())] + [torch.rand(1).item()]


@mutant(
    kills="test_the_plain_bar_leaves_random_numbers_alone",
    witness=lambda: seeded_loop(std) == seeded_loop(lambda items, file: items),
)
def bar_draws_a_number_at_each_step(patch):
    """Every step takes a random number from torch's generator."""

    def broken(items):
        for item in items:
            torch.rand(1)
            yield item

    after_iter(patch, broken)


@mutant(
    kills=("test_the_plain_bar_leaves_random_numbers_alone", "test_the_auto_bar_shifts_random_numbers"),
    witness=lambda: random_after(lambda: std(DataLoader([1, 2]), file=io.StringIO()).close()) == random_after(list),
)
def plain_bar_calls_iter_early(patch):
    """The bar of `from tqdm import tqdm` calls `iter` once more than the loop, like that of `tqdm.auto`."""

    def broken(iterable, options):
        if iterable is not None:
            iter(iterable)
        return iterable

    before_init(patch, broken)


@mutant(
    kills="test_the_auto_bar_shifts_random_numbers",
    witness=lambda: (
        random_after(lambda: tqdm.auto.tqdm(DataLoader([1, 2]), file=io.StringIO()).close()) != random_after(list)
    ),
)
def auto_bar_calls_iter_once(patch):
    """The bar of `tqdm.auto` calls `iter` only when the loop does."""

    def broken(self, iterable=None, *args, **options):
        std.__init__(self, iterable, *args, **options)
        self.iterable_awaitable = False

    patch.setattr(tqdm.asyncio.tqdm_asyncio, "__init__", broken)


def count_when_second():
    text = io.StringIO()
    list(zip([1, 2], tqdm.auto.tqdm([3, 4], file=text, bar_format=COUNT), strict=False))
    return text.getvalue()[-4:]


@mutant(kills="test_the_bar_comes_first_in_zip", witness=lambda: count_when_second() == "1/2\n")
def bar_counts_what_it_hands_out(patch):
    """A bar counts an item when it hands it out, and not when it is asked for the next one."""

    def broken(self):
        if self.disable:
            yield from self.iterable
            return
        try:
            for item in self.iterable:
                self.update(1)
                yield item
        finally:
            self.close()

    patch.setattr(std, "__iter__", broken)


@mutant(
    kills="test_the_auto_bar_shifts_random_numbers",
    witness=lambda: iter(kept := DataLoader([1], num_workers=1, persistent_workers=True)) is iter(kept),
)
def persistent_workers_start_anew(patch):
    """A DataLoader with `persistent_workers=True` starts new workers, and draws their seed, in every pass."""
    patch.around(DataLoader, "__iter__", lambda original, self: self._get_iterator())


def after_updates(*steps, **options):
    bar = tqdm.auto.tqdm(file=io.StringIO(), **options)
    for step in steps:
        bar.update(*step)
    bar.close()
    return bar


@mutant(kills="test_update_counts_by_hand", witness=lambda: after_updates([4], [5], total=10).n == 9)
def update_starts_over(patch):
    """`update(k)` sets `n` to k instead of adding it; `update()` adds one."""
    update = std.update
    patch.setattr(std, "update", lambda self, n=None: update(self, 1 if n is None else n - self.n))


@mutant(kills="test_update_counts_by_hand", witness=lambda: after_updates([], total=10).n == 1)
def update_adds_nothing_by_default(patch):
    """`update()` only looks whether it is time to draw."""
    update = std.update
    patch.setattr(std, "update", lambda self, n=0: update(self, n))


@mutant(kills="test_update_counts_by_hand", witness=lambda: after_updates([7], total=5).n == 7)
def update_stops_at_the_total(patch):
    """`update` never counts past the total."""
    update = std.update

    def broken(self, n=1):
        return update(self, n if self.total is None else min(n, self.total - self.n))

    patch.setattr(std, "update", broken)


def counts_inside(**options):
    bar = tqdm.auto.tqdm([5, 6], file=io.StringIO(), **options)
    return [bar.n for _ in bar]


@mutant(
    kills="test_n_lags_behind_inside_the_loop",
    witness=lambda: counts_inside(mininterval=3600) == [0, 0],
)
def n_is_always_right(patch):
    """Inside the loop `bar.n` is the number of the step."""
    iterate = std.__iter__

    def broken(self):
        for step, item in enumerate(iterate(self)):
            self.n = self.n if self.disable else step
            yield item

    patch.setattr(std, "__iter__", broken)


# What it costs, and what it says.


@mutant(kills="test_mininterval_is_what_keeps_it_cheap", witness=lambda: bar_of([1]).mininterval == 0.1)
def mininterval_is_a_second(patch):
    """Bars are drawn once a second, if nothing else is said."""
    option(patch, "mininterval", lambda mininterval: 1.0 if mininterval is None else mininterval)


@mutant(
    kills=("test_mininterval_is_what_keeps_it_cheap", "test_n_lags_behind_inside_the_loop"),
    witness=lambda: counts_inside(mininterval=3600) == [0, 0],
)
def mininterval_is_ignored(patch):
    """Bars are drawn at every step."""

    def broken(iterable, options):
        if options.get("mininterval"):
            options.update(mininterval=0, miniters=1)
        return iterable

    before_init(patch, broken)


@mutant(
    kills="test_mininterval_is_what_keeps_it_cheap",
    witness=lambda: drawn(range(4), mininterval=0, miniters=2).count("\r") == 4,
)
def miniters_is_ignored(patch):
    """`miniters` above 1 does nothing."""
    option(patch, "miniters", lambda miniters: min(miniters, 1) if miniters else miniters)


def draws_at_once(name, *args, **options):
    text = io.StringIO()
    bar = tqdm.auto.tqdm(total=3, file=text, mininterval=3600)
    before = text.getvalue()
    getattr(bar, name)(*args, **options)
    changed = text.getvalue() != before
    bar.close()
    return changed


@mutant(kills="test_set_postfix_draws_every_time", witness=lambda: draws_at_once("set_postfix", loss=1))
def set_postfix_waits(patch):
    """`set_postfix` leaves the drawing to the next step."""
    set_postfix = std.set_postfix
    patch.setattr(
        std,
        "set_postfix",
        lambda self, values=None, refresh=True, **kwargs: set_postfix(self, values, refresh=False, **kwargs),
    )


def postfix_of(**values):
    bar = bar_of([1])
    bar.set_postfix(refresh=False, **values)
    return bar.postfix


@mutant(kills="test_description_before_postfix_after", witness=lambda: postfix_of(b=1, a=2) == "a=2, b=1")
def set_postfix_keeps_the_order_of_keywords(patch):
    """`set_postfix` shows keywords in the order in which they were written."""
    patch.around(
        std,
        "set_postfix",
        lambda original, self, values=None, refresh=True, **more: original(self, {**(values or {}), **more}, refresh),
    )


@mutant(
    kills="test_a_kept_iterator_keeps_the_bar_open",
    witness=lambda: drawn_by_close() == "0/5\n",
)
def close_knows_the_right_count(patch):
    """The bar knows its count at every step, so that `bar.close()` draws the right one."""
    iterate = std.__iter__

    def broken(self):
        for step, item in enumerate(iterate(self)):
            self.n = step
            yield item

    patch.setattr(std, "__iter__", broken)


def drawn_by_close():
    text = io.StringIO()
    bar = tqdm.auto.tqdm(range(5), file=text, bar_format=COUNT, mininterval=3600)
    steps = iter(bar)
    next(steps), next(steps)
    bar.close()
    return text.getvalue()[-4:]


@mutant(
    kills="test_the_bar_goes_inside_enumerate",
    witness=lambda: list(tqdm.contrib.tenumerate(numpy.array([7]), file=io.StringIO())) == [((0,), 7)],
)
def tenumerate_counts_arrays_by_integers(patch):
    """`tenumerate` counts a NumPy array as it counts a list: 0, 1, 2."""
    patch.everywhere(
        tqdm.contrib.tenumerate,
        lambda items, start=0, **options: enumerate(tqdm.auto.tqdm(items, **options), start),
    )


@mutant(
    kills="test_set_postfix_draws_every_time",
    witness=lambda: not draws_at_once("set_postfix", loss=1, refresh=False),
)
def set_postfix_never_waits(patch):
    """`set_postfix(refresh=False)` draws at once all the same."""
    set_postfix = std.set_postfix
    patch.setattr(
        std, "set_postfix", lambda self, values=None, refresh=True, **kwargs: set_postfix(self, values, **kwargs)
    )


@mutant(kills="test_set_postfix_draws_every_time", witness=lambda: draws_at_once("set_description", "epoch"))
def set_description_waits(patch):
    """`set_description` leaves the drawing to the next step."""
    set_description = std.set_description
    patch.setattr(
        std, "set_description", lambda self, desc=None, refresh=True: set_description(self, desc, refresh=False)
    )


@mutant(
    kills="test_set_postfix_draws_every_time",
    witness=lambda: not draws_at_once("set_description", "epoch", refresh=False),
)
def set_description_never_waits(patch):
    """`set_description(refresh=False)` draws at once all the same."""
    set_description = std.set_description
    patch.setattr(std, "set_description", lambda self, desc=None, refresh=True: set_description(self, desc))


def says(change):
    bar = tqdm.auto.tqdm(total=2, file=io.StringIO(), bar_format=COUNT)
    change(bar)
    text = str(bar)
    bar.close()
    return text


@mutant(
    kills="test_description_before_postfix_after",
    witness=lambda: says(lambda bar: bar.set_description("epoch")) == "epoch: 0/2",
)
def description_has_no_colon(patch):
    """The description stands before the bar without a colon."""
    patch.setattr(std, "set_description", std.set_description_str)


@mutant(
    kills="test_description_before_postfix_after",
    witness=lambda: says(lambda bar: bar.set_postfix(accuracy=0.9996)) == "0/2, accuracy=1",
)
def postfix_has_four_digits(patch):
    """The numbers of a postfix are shown to four digits."""
    patch.setattr(std, "format_num", staticmethod(lambda number: f"{number:.4g}"))


@mutant(
    kills="test_description_before_postfix_after",
    witness=lambda: says(lambda bar: (bar.set_postfix(a=1), bar.set_postfix(b=2))) == "0/2, b=2",
)
def postfix_adds_up(patch):
    """A postfix keeps what the ones before it said."""
    set_postfix = std.set_postfix
    said = {}

    def broken(self, values=None, refresh=True, **kwargs):
        said.setdefault(id(self), {}).update(kwargs)
        return set_postfix(self, values, refresh=refresh, **said[id(self)])

    patch.setattr(std, "set_postfix", broken)


def postfix_of_tensors(patch, change):
    set_postfix = std.set_postfix

    def broken(self, values=None, refresh=True, **kwargs):
        kwargs = {name: change(value) if isinstance(value, torch.Tensor) else value for name, value in kwargs.items()}
        return set_postfix(self, values, refresh=refresh, **kwargs)

    patch.setattr(std, "set_postfix", broken)


@mutant(
    kills="test_a_tensor_in_the_postfix_is_shown_as_a_tensor",
    witness=lambda: says(lambda bar: bar.set_postfix(loss=torch.tensor(0.25))) == "0/2, loss=tensor(0.2500)",
)
def postfix_takes_the_item(patch):
    """A tensor of one number in the postfix is shown as the number."""
    postfix_of_tensors(patch, lambda tensor: tensor.item())


@mutant(
    kills="test_a_tensor_in_the_postfix_is_shown_as_a_tensor",
    witness=lambda: "requires_grad" in says(lambda bar: bar.set_postfix(loss=torch.ones(1, requires_grad=True))),
)
def postfix_detaches(patch):
    """A tensor in the postfix is shown without its history."""
    postfix_of_tensors(patch, lambda tensor: tensor.detach())


# How it ends.


def nested(**inner):
    text = io.StringIO()
    options = {"file": text, "bar_format": COUNT, **EVERY_STEP}
    for _ in tqdm.auto.tqdm(range(1), **options):
        for _ in tqdm.auto.tqdm(range(1), **inner, **options):
            pass
    return text.getvalue()


@mutant(kills="test_an_inner_bar_goes_one_line_down", witness=lambda: "\x1b[A" in nested(leave=False))
def inner_bar_overwrites_the_outer(patch):
    """A bar inside another's loop is drawn on the same line."""
    patch.setattr(std, "moveto", lambda self, lines: None)


@mutant(
    kills=("test_an_inner_bar_goes_one_line_down", "test_an_exception_closes_the_bar"),
    witness=lambda: nested(leave=False) != nested(leave=True),
)
def leave_is_ignored(patch):
    """`leave=False` leaves the bar."""
    option(patch, "leave", lambda leave: True)


def draws_again(items):
    text = io.StringIO()
    bar = tqdm.auto.tqdm(items, file=text)
    list(bar)
    before = text.getvalue()
    list(bar)
    return text.getvalue() != before


def leave_by_an_exception(around):
    text = io.StringIO()
    bar = tqdm.auto.tqdm(range(5), file=text, **EVERY_STEP)
    try:
        if around:
            with bar:
                bar.update(3)
                raise ValueError
        else:
            for _ in bar:
                raise ValueError
    except ValueError:
        went_on = True
    else:
        went_on = False
    closed = text.getvalue().endswith("\n")
    bar.close()
    return closed, went_on


def stays_open():
    text = io.StringIO()
    bar = tqdm.auto.tqdm(range(5), file=text, **EVERY_STEP)
    pairs = enumerate(bar)
    next(pairs)
    open_ = not text.getvalue().endswith("\n")
    del pairs
    return open_


@mutant(
    kills="test_a_kept_iterator_keeps_the_bar_open",
    witness=stays_open,
)
def enumerate_never_keeps_a_bar_open(patch):
    """A bar ends its line at every step, so that a `break` under `enumerate` leaves no line open either."""
    iterate = std.__iter__

    def broken(self):
        for item in iterate(self):
            self.fp.write("\n")
            yield item

    patch.setattr(std, "__iter__", broken)


@mutant(
    kills="test_an_exception_closes_the_bar",
    witness=lambda: leave_by_an_exception(around=False) == (True, True),
)
def unfinished_bar_stays_open(patch):
    """A bar that has not come to its total is not closed when the loop is left."""
    iterate = std.__iter__

    def broken(self):
        close = self.close
        self.close = lambda: None if self.total and self.n < self.total else close()
        yield from iterate(self)

    patch.setattr(std, "__iter__", broken)


@mutant(
    kills="test_an_exception_closes_the_bar",
    witness=lambda: leave_by_an_exception(around=True) == (True, True),
)
def with_swallows_the_exception(patch):
    """`with tqdm(...)` closes the bar and swallows the exception."""
    patch.setattr(std, "__exit__", lambda self, *exception: self.close() or True)


@mutant(
    kills="test_an_exception_closes_the_bar",
    witness=lambda: leave_by_an_exception(around=True) == (True, True),
)
def with_closes_only_without_exception(patch):
    """`with tqdm(...)` closes the bar at the end of the block but not after an exception."""
    patch.setattr(std, "__exit__", lambda self, kind, *exception: None if kind else self.close())


def dropped():
    text = io.StringIO()
    bar = tqdm.auto.tqdm(total=5, file=text)
    bar.update(3)
    del bar
    return text.getvalue()


@mutant(kills="test_an_exception_closes_the_bar", witness=lambda: dropped().endswith("\n"))
def dropped_bar_stays_open(patch):
    """A bar that no name refers to any more is not closed."""

    def forget(self):
        if hasattr(self, "pos"):
            self._decr_instances(self)

    patch.setattr(std, "__del__", forget)


@mutant(
    kills="test_a_finished_bar_stays_finished",
    witness=lambda: draws_again([1, 2]) is False,
)
def finished_bar_starts_again(patch):
    """A second loop over a bar draws it again."""
    iterate = std.__iter__

    def broken(self):
        again = self.disable and hasattr(self, "sp")
        options = {"mininterval": self.mininterval, "miniters": self.miniters, "bar_format": self.bar_format}
        yield from iterate(std(self.iterable, file=self.fp, **options) if again else self)

    patch.setattr(std, "__iter__", broken)


def after_reset(items):
    text = io.StringIO()
    bar = tqdm.auto.tqdm(items, file=text)
    list(bar)
    before = text.getvalue()
    bar.reset()
    list(bar)
    return text.getvalue() != before


@mutant(kills="test_a_finished_bar_stays_finished", witness=lambda: not after_reset([1, 2]))
def reset_opens_a_finished_bar(patch):
    """`bar.reset()` makes a finished bar draw again."""
    reset = std.reset

    def broken(self, total=None):
        self.disable = False
        return reset(self, total)

    patch.setattr(std, "reset", broken)


@mutant(
    kills="test_an_inner_bar_goes_one_line_down",
    witness=lambda: nested() != nested(leave=False),
)
def inner_bar_is_never_left(patch):
    """A bar inside another's loop is wiped when it is done, with `leave=True` too."""

    def change(iterable, options):
        if len(tqdm.auto.tqdm._instances) > 1:
            options["leave"] = False
        return iterable

    before_init(patch, change)


def twice(items):
    bar = tqdm.auto.tqdm(items, file=io.StringIO())
    return list(bar), list(bar)


@mutant(
    kills="test_a_finished_bar_stays_finished",
    witness=lambda: twice([5, 6]) == ([5, 6], [5, 6]),
)
def finished_bar_is_empty(patch):
    """A second loop over a bar gets no items, as over an iterator."""
    iterate = std.__iter__

    def broken(self):
        if not (self.disable and hasattr(self, "sp")):
            yield from iterate(self)

    patch.setattr(std, "__iter__", broken)


def has_no_length():
    bar = tqdm.auto.tqdm((item for item in "ab"), file=io.StringIO())
    try:
        return raises(TypeError, lambda: len(bar))
    finally:
        bar.close()


@mutant(kills="test_it_is_a_wrapper_not_a_list", witness=has_no_length)
def bar_without_a_total_has_length_0(patch):
    """The length of a bar around a generator is 0."""
    patch.around(std, "__len__", lambda call, self: call(self) or 0)


@mutant(
    kills="test_a_finished_bar_stays_finished",
    witness=lambda: twice(item for item in [5, 6]) == ([5, 6], []),
)
def bar_keeps_the_items_of_a_generator(patch):
    """A bar around a generator keeps its items for a second loop."""
    before_init(
        patch, lambda iterable, options: list(iterable) if isinstance(iterable, types.GeneratorType) else iterable
    )


def postfix_draws_the_old_count():
    text = io.StringIO()
    bar = tqdm.auto.tqdm(range(3), file=text, bar_format=COUNT, mininterval=3600)
    for step in bar:
        bar.set_postfix(step=step)
    return "0/3, step=2" in text.getvalue()


@mutant(kills="test_n_lags_behind_inside_the_loop", witness=postfix_draws_the_old_count)
def set_postfix_counts_a_step(patch):
    """`set_postfix` brings `bar.n` up to date before it draws."""

    def broken(call, self, *args, **kwargs):
        self.n += 1
        return call(self, *args, **kwargs)

    patch.around(std, "set_postfix", broken)


# What people run into.


@mutant(kills="test_the_module_is_not_the_function", witness=lambda: not hasattr(std, "notebook"))
def function_has_the_modules(patch):
    """The function `tqdm` has the module `notebook` as an attribute."""
    patch.setattr(std, "notebook", tqdm.notebook, raising=False)


@mutant(kills="test_trange_is_tqdm_of_range", witness=lambda: raises(TypeError, lambda: through(3)))
def numbers_can_be_counted_to(patch):
    """`tqdm(10)` is a bar over `range(10)`."""

    def change(init, self, iterable=None, *args, **options):
        init(self, range(iterable) if isinstance(iterable, int) else iterable, *args, **options)

    patch.around(tqdm.auto.tqdm, "__init__", change)


@contextmanager
def without_ipywidgets():
    found, tqdm.notebook.IProgress = tqdm.notebook.IProgress, None
    try:
        yield
    finally:
        tqdm.notebook.IProgress = found


def widget_complains():
    with without_ipywidgets():
        return raises(ImportError, lambda: tqdm.notebook.tqdm.status_printer(None, 3))


@mutant(kills="test_a_widget_needs_ipywidgets", witness=widget_complains)
def widget_is_nothing_without_ipywidgets(patch):
    """The bar of `tqdm.notebook` draws nothing and says nothing without ipywidgets."""
    patch.setattr(tqdm.notebook.tqdm, "status_printer", staticmethod(lambda *args, **options: None))


@mutant(
    kills="test_a_widget_needs_ipywidgets",
    witness=lambda: "IProgress not found" in tqdm.notebook.WARN_NOIPYW,
)
def warning_names_something_else(patch):
    """The warning of `tqdm.auto` does not say what was not found."""
    patch.setattr(tqdm.notebook, "WARN_NOIPYW", "no widgets here")


def logged_past_a_bar():
    text = io.StringIO()
    with redirect_stderr(text):
        logger = logging.Logger("a mutant's")
        logger.addHandler(logging.StreamHandler(sys.stderr))
        with tqdm.auto.tqdm(total=3, bar_format=COUNT), tqdm.contrib.logging.logging_redirect_tqdm([logger]):
            logger.warning("x")
            return text.getvalue()


@mutant(kills="test_log_lines_pass_the_bar_in_a_block", witness=lambda: "\r   \rx\n" in logged_past_a_bar())
def redirected_lines_leave_the_bar(patch):
    """`logging_redirect_tqdm` has lines written as if there was no bar."""
    patch.setattr(tqdm.contrib.logging._TqdmLoggingHandler, "emit", logging.StreamHandler.emit)


def drawn_in(encoding, **options):
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding, write_through=True)
    with tqdm.auto.tqdm(total=4, file=file, bar_format="{bar:8}|", **EVERY_STEP, **options) as bar:
        bar.update(2)
    return raw.getvalue().decode(encoding)


@mutant(
    kills="test_a_console_without_blocks_gets_number_signs",
    witness=lambda: "####" not in drawn_in("utf-8"),
)
def every_bar_is_ascii(patch):
    """Each bar is drawn with `#`."""
    option(patch, "ascii", lambda value: True)


@mutant(
    kills="test_a_console_without_blocks_gets_number_signs",
    witness=lambda: not raises(UnicodeEncodeError, lambda: drawn_in("cp1252")),
    raises=UnicodeEncodeError,
)
def every_file_is_taken_for_unicode(patch):
    """Each bar is drawn with blocks unless `ascii` says otherwise."""
    patch.setattr(tqdm.std, "_supports_unicode", lambda file: True)


@mutant(
    kills="test_a_console_without_blocks_gets_number_signs",
    witness=lambda: "####" not in drawn_in("gbk"),
)
def only_utf_is_taken_for_unicode(patch):
    """Each bar in a file whose encoding is not one of Unicode is drawn with `#`."""
    patch.setattr(tqdm.std, "_supports_unicode", lambda file: "utf" in str(getattr(file, "encoding", "")))


def below_a_full_bar():
    with tqdm.auto.tqdm(total=3, file=io.StringIO()) as full:
        full.update(3)
        return drawn([1])


def below_an_open_bar(**options):
    left = tqdm.auto.tqdm(total=3, file=io.StringIO())
    try:
        return drawn([1], **options)
    finally:
        left.close()


@mutant(
    kills="test_a_bar_that_was_left_open_keeps_its_line",
    witness=lambda: below_an_open_bar().startswith("\n"),
)
def every_bar_is_on_the_first_line(patch):
    """Each bar is drawn on the first line."""
    option(patch, "position", lambda value: 0)


@mutant(
    kills="test_a_bar_that_was_left_open_keeps_its_line",
    witness=lambda: below_a_full_bar().startswith("\n"),
)
def bar_is_closed_at_its_total(patch):
    """`update` closes a bar that comes to its total."""

    def update(original, self, *args):
        drawn = original(self, *args)
        if self.total and self.n >= self.total:
            self.close()
        return drawn

    patch.around(tqdm.std.tqdm, "update", update)


@mutant(
    kills="test_a_bar_that_was_left_open_keeps_its_line",
    witness=lambda: not below_an_open_bar(position=0).startswith("\n"),
)
def position_is_ignored(patch):
    """`position` is ignored."""
    option(patch, "position", lambda value: None)


def scaled(**options):
    with tqdm.auto.tqdm(total=3000, file=io.StringIO(), bar_format="{n_fmt}", **options) as bar:
        bar.update(1500)
        return str(bar)


@mutant(kills="test_unit_scale_multiplies_what_is_shown", witness=lambda: scaled(unit_scale=4) == "6000")
def unit_scale_takes_no_number(patch):
    """A number for `unit_scale` is ignored."""
    option(patch, "unit_scale", lambda value: value is True)


@mutant(
    kills="test_unit_scale_multiplies_what_is_shown",
    witness=lambda: scaled(unit_scale=True, unit_divisor=1024) == "1.46k",
)
def unit_divisor_is_ignored(patch):
    """`unit_divisor` is ignored."""
    option(patch, "unit_divisor", lambda value: 1000)


def rate_after_a_slow_step(**options):
    real, now = tqdm.std.time, [0.0]
    tqdm.std.time = lambda: now[0]
    try:
        with tqdm.auto.tqdm(total=10, file=io.StringIO(), **EVERY_STEP, **options) as bar:
            for seconds in [10, 1]:
                now[0] += seconds
                bar.update()
            return bar.format_dict["rate"]
    finally:
        tqdm.std.time = real


@mutant(
    kills="test_the_speed_is_that_of_the_last_steps",
    witness=lambda: rate_after_a_slow_step() is not None,
    raises=TypeError,
)
def speed_is_always_the_average(patch):
    """`smoothing` is 0 for each bar."""
    option(patch, "smoothing", lambda value: 0)


@mutant(
    kills="test_the_speed_is_that_of_the_last_steps",
    witness=lambda: rate_after_a_slow_step() < 1,
)
def speed_is_that_of_the_last_step(patch):
    """`smoothing` is 1 where it is not given."""
    option(patch, "smoothing", lambda value: 1 if value is None else value)


@mutant(
    kills="test_update_counts_by_hand",
    witness=lambda: std.format_meter(996, 1000, 1).startswith("100%"),
)
def percentage_is_rounded_down(patch):
    """A bar shows 99% for 996 of 1000."""
    format_meter = std.format_meter

    def broken(*args, **options):
        text = format_meter(*args, **options)
        return " 99%" + text.removeprefix("100%") if text.startswith("100%") else text

    patch.setattr(std, "format_meter", staticmethod(broken))


def counted_twice():
    bar = tqdm.auto.tqdm(range(4), file=io.StringIO(), **EVERY_STEP)
    for _ in bar:
        bar.update()
    return bar.n


@mutant(kills="test_update_counts_by_hand", witness=lambda: counted_twice() == 4)
def loop_adds_to_what_was_updated(patch):
    """After a loop over a bar its count is what the loop and `update` counted together."""

    def change(iterate, self):
        before = std.update
        added = []
        patch.setattr(self, "update", lambda k=1: (added.append(k), before(self, k))[1])
        yield from iterate(self)
        self.n += sum(added)

    patch.around(std, "__iter__", change)


@mutant(
    kills="test_reset_keeps_the_total_unless_it_gets_another",
    witness=lambda: total_after_a_reset() == 3,
)
def reset_forgets_the_total(patch):
    """`bar.reset()` without a total leaves the bar without one."""

    def change(call, bar, total=None):
        call(bar, total)
        bar.total = total

    patch.around(std, "reset", change)


def total_after_a_reset():
    with std(total=3, file=io.StringIO()) as bar:
        bar.reset()
        return bar.total


# What people run into: a postfix that comes late, or not at all


def drawn_by_an_update_of_nothing():
    text = io.StringIO()
    with tqdm.auto.tqdm(total=2, file=text, bar_format=COUNT, **EVERY_STEP) as bar:
        before = text.getvalue()
        bar.update(0)
        return text.getvalue() != before


@mutant(
    kills="test_a_postfix_set_after_the_update_comes_a_step_late",
    witness=lambda: not drawn_by_an_update_of_nothing(),
)
def an_update_of_nothing_draws(patch):
    """`bar.update(0)` draws the bar, as `refresh` does."""
    update = std.update

    def broken(self, n=1):
        if n == 0:
            return self.refresh()
        return update(self, n)

    patch.setattr(std, "update", broken)


@mutant(
    kills="test_set_postfix_takes_no_text",
    witness=lambda: raises(ValueError, lambda: bar_of(total=1).set_postfix("text")),
)
def set_postfix_takes_a_text(patch):
    """`set_postfix` of a text shows the text."""
    set_postfix = std.set_postfix

    def broken(self, ordered_dict=None, refresh=True, **values):
        if isinstance(ordered_dict, str):
            return self.set_postfix_str(ordered_dict, refresh)
        return set_postfix(self, ordered_dict, refresh, **values)

    patch.setattr(std, "set_postfix", broken)
