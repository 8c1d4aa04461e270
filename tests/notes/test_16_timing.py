"""Timing.

`from timeit import default_timer as timer`, read it before and after, and subtract: that is the whole recipe. After
this section you can avoid its three traps: the first call does work that no later call does, a GPU takes the order and
computes later, and `timeit` and `torch.utils.benchmark` report different things. Nothing here says how fast anything
is: if a duration matters, the note reads a clock that moves only when told to.
"""

import gc
import inspect
import threading
import time
import timeit
import warnings
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import nullcontext

import pytest
import torch
from torch.utils import benchmark


class Clock:
    """A clock that stands still until something `take`s time."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now

    def take(self, seconds):
        self.now += seconds


# Which clock


def test_default_timer_is_perf_counter():
    """`timeit.default_timer` is `time.perf_counter`, a function that returns seconds as a float.

    Subtract two readings to get a duration. One reading alone says nothing, because it counts from no particular time.

    https://docs.python.org/3/library/timeit.html#timeit.default_timer
    """
    from timeit import default_timer as timer

    start = timer()
    end = timer()

    assert timer is time.perf_counter
    assert (type(start), type(end)) == (float, float)
    assert end - start >= 0


@pytest.mark.myth("time.time() is good enough for a stopwatch")
def test_perf_counter_never_goes_back_and_time_may():
    """`time.perf_counter` never goes back, and nobody can set it; `time.time` follows the system's clock, which can be
    set back.

    A duration by `time.time` can be negative or hours too long, if the clock is set in between.

    https://docs.python.org/3/library/time.html#time.get_clock_info
    """
    clocks = {name: time.get_clock_info(name) for name in ("perf_counter", "monotonic", "time")}
    readings = [time.perf_counter() for _ in range(100)]

    assert {name: (clock.monotonic, clock.adjustable) for name, clock in clocks.items()} == {
        "perf_counter": (True, False),
        "monotonic": (True, False),
        "time": (False, True),
    }
    assert readings == sorted(readings)


# timeit: what it counts


@pytest.mark.myth("timeit gives the time of one run")
def test_timeit_returns_a_total():
    """`timeit.timeit` returns the seconds of all runs together: divide by `number` to get the time of one.

    `number` is a million by default, which is far too many for a training step.

    https://docs.python.org/3/library/timeit.html#timeit.timeit
    """
    clock = Clock()

    total = timeit.timeit(lambda: clock.take(3), timer=clock, number=5)

    assert total == 15
    assert inspect.signature(timeit.timeit).parameters["number"].default == 1_000_000


def test_timeit_does_not_count_the_setup():
    """`timeit.timeit` runs the setup once, before its runs, and does not count it.

    `timeit.repeat` runs the setup once for each repetition. Make models and data there.

    https://docs.python.org/3/library/timeit.html#timeit.Timer
    """
    clock, ran = Clock(), []

    def setup():
        ran.append("setup")
        clock.take(100)

    def statement():
        ran.append("run")
        clock.take(2)

    assert timeit.timeit(statement, setup, timer=clock, number=3) == 6
    assert ran == ["setup", "run", "run", "run"]
    assert timeit.repeat(statement, setup, timer=clock, number=1, repeat=2) == [2, 2]
    assert ran[4:] == ["setup", "run", "setup", "run"]


def test_a_statement_sees_only_what_it_is_given(device):
    """A statement that `timeit` gets as text does not see your variables, and raises NameError for `x`, unless you pass
    `globals=`, or the setup makes or imports them.

    Write `globals=globals()` for all variables of the module, or `setup="from __main__ import x"` in a script. Names of
    the module timeit raise nothing: a statement with your `repeat` uses the function `timeit.repeat`. The Timer of
    `torch.utils.benchmark` needs the same, but knows `torch`. It takes no function: "Currently only a `str` stmt is
    supported" (ValueError).

    https://docs.python.org/3/library/timeit.html#timeit.Timer
    """
    x, seen = torch.tensor([1.0, 2.0], device=device), []

    with pytest.raises(NameError, match="'x' is not defined"):
        timeit.timeit("x + 1", number=1)
    timeit.timeit("seen.append((x + 1).tolist())", number=1, globals={"x": x, "seen": seen})

    with pytest.raises(NameError, match="'x' is not defined"):
        benchmark.Timer("x + 1").timeit(1)
    with pytest.raises(ValueError, match="Currently only a `str` stmt is supported"):
        benchmark.Timer(lambda: x + 1)
    benchmark.Timer("seen.append(torch.add(x, 2).tolist())", globals={"x": x, "seen": seen}).timeit(1)

    assert seen[0] == [2, 3]
    assert seen[-1] == [3, 4]
    assert timeit.timeit("repeat.__call__", number=1) >= 0
    assert timeit.timeit("x + 1", "x = 2", number=1) >= 0
    assert timeit.timeit("x + 1", "from math import tau as x", number=1) >= 0
    assert benchmark.Timer("x + 1", "from math import tau as x").timeit(1).mean >= 0


def test_timeit_turns_the_garbage_collector_off():
    """`timeit` turns the garbage collector off while it measures, and on again afterwards if the garbage collector was
    on before, after an exception too.

    Pass `setup="import gc; gc.enable()"` if collecting is part of what you want to measure.

    https://docs.python.org/3/library/timeit.html#timeit.Timer.timeit
    """
    seen = []
    assert gc.isenabled()

    timeit.timeit(lambda: seen.append(gc.isenabled()), number=2)
    seen.append(gc.isenabled())
    with pytest.raises(ZeroDivisionError):
        timeit.timeit(lambda: 1 / 0, number=2)
    seen.append(gc.isenabled())
    timeit.timeit(lambda: seen.append(gc.isenabled()), "import gc; gc.enable()", number=1)
    assert seen == [False, False, True, True, True]

    gc.disable()
    try:
        timeit.timeit(number=1)
        assert not gc.isenabled()
    finally:
        gc.enable()


@pytest.mark.advice("the Python documentation, timeit.Timer.repeat")
def test_the_minimum_of_repeats_is_the_run_that_was_disturbed_least():
    """`timeit.repeat` returns a list of totals: take the smallest, since other programs can only make a run longer.

    That is for code which takes the same time in each run. If the time varies by itself, with the data, the caches or
    the heat of the device, take the median.

    https://docs.python.org/3/library/timeit.html#timeit.Timer.repeat
    """
    clock = Clock()
    disturbances = iter([0, 9, 0, 0, 4, 0])

    totals = timeit.repeat(lambda: clock.take(2 + next(disturbances)), timer=clock, repeat=3, number=2)

    assert totals == [13, 4, 8]
    assert min(totals) == 2 * 2


# The first call, and torch's own timer


def test_the_first_step_allocates_what_later_steps_reuse(device):
    """The first step of SGD with momentum allocates the momentum, which later steps reuse, so the first step is not a
    typical one.

    A first iteration that is much slower than the others is usual: warm up, and time the rest.
    `zero_grad(set_to_none=False)` keeps the gradients and their memory; by default `zero_grad` drops them, and the next
    backward makes new ones. Run a few steps before you start the clock.

    https://docs.pytorch.org/docs/stable/generated/torch.optim.Optimizer.zero_grad.html
    """
    weight = torch.tensor([1.0, 2.0], device=device, requires_grad=True)
    optimizer = torch.optim.SGD([weight], lr=0.5, momentum=0.5)

    def step(**how):
        optimizer.zero_grad(**how)
        (3 * weight).sum().backward()
        optimizer.step()

    assert (weight.grad, dict(optimizer.state)) == (None, {})
    step(set_to_none=False)
    grad, buffer = weight.grad, optimizer.state[weight]["momentum_buffer"]  # held, or others might get their memory
    first = grad.data_ptr(), buffer.data_ptr()
    step(set_to_none=False)
    assert (weight.grad.data_ptr(), optimizer.state[weight]["momentum_buffer"].data_ptr()) == first
    assert weight.tolist() == [1 - 1.5 - 2.25, 2 - 1.5 - 2.25]

    step()
    assert weight.grad.data_ptr() != grad.data_ptr()
    assert optimizer.state[weight]["momentum_buffer"].data_ptr() == buffer.data_ptr()


def test_torch_benchmark_leaves_out_the_first_calls():
    """`torch.utils.benchmark.Timer` runs its statement before it measures and reports the time per run; `timeit.timeit`
    does neither.

    So `Timer(...).timeit(5).mean` is the time of a later call, and `timeit.timeit(number=5)` is the sum of the first
    five calls, here 156 instead of 2. What the setup makes is new for the runs that count: see the next note.

    https://docs.pytorch.org/docs/stable/benchmark_utils.html
    """
    total, per_run = Clock(), Clock()
    first_calls_are_slow = [100, 50, 2, 2, 2, 2, 2, 2, 2, 2]
    for_timeit, for_torch = iter(first_calls_are_slow), iter(first_calls_are_slow)

    plain = timeit.timeit(lambda: total.take(next(for_timeit)), timer=total, number=5)
    names = {"clock": per_run, "costs": for_torch}
    measured = benchmark.Timer("clock.take(next(costs))", timer=per_run, globals=names).timeit(5)

    assert plain == 100 + 50 + 2 + 2 + 2 == 156
    assert (measured.mean, measured.median, measured.number_per_run) == (2, 2, 5)
    assert list(for_torch) == [2, 2, 2]  # 2 warm-up runs and 5 that count


@pytest.mark.myth("the Timer of torch leaves out every first call")
def test_torch_benchmark_runs_the_setup_again_before_it_measures():
    """The Timer of `torch.utils.benchmark` runs its setup again between its warm-up and the runs that count, so the
    slow first call of what the setup made is counted.

    A model that the setup makes is a new model each time. Make the model before, and pass `globals=`.

    https://docs.pytorch.org/docs/stable/benchmark_utils.html
    """
    clock, made = Clock(), []
    setup = "costs = [2, 2, 2, 2, 100]; made.append('a model')"  # the first call takes 100, later calls 2
    names = {"clock": clock, "made": made}

    in_setup = benchmark.Timer("clock.take(costs.pop())", setup, timer=clock, globals=names).timeit(5)
    assert made == ["a model", "a model"]
    assert in_setup.mean == (100 + 2 + 2 + 2 + 2) / 5

    names = {"clock": clock, "costs": [2, 2, 2, 2, 2, 2, 100]}
    before = benchmark.Timer("clock.take(costs.pop())", timer=clock, globals=names).timeit(5)
    assert before.mean == 2


def test_torch_benchmark_timeit_gives_one_time():
    """`torch.utils.benchmark.Timer(...).timeit(10)` measures its ten runs as one: `times` has one number, `median` and
    `mean` are the same, and the spread `iqr` is 0.

    For a spread write `[timer.timeit(1) for _ in range(10)]`, or `blocked_autorange(min_run_time=...)` with a time for
    many runs. `repeat` and `autorange`, as timeit's own Timer has them, raise NotImplementedError.

    https://docs.pytorch.org/docs/stable/benchmark_utils.html
    """
    clock = Clock()

    def timer():
        names = {"clock": clock, "costs": iter([7, 7, 1, 2, 3, 4, 5, 1, 2, 3, 4, 5])}  # the 7s are for the warm-up
        return benchmark.Timer("clock.take(next(costs))", timer=clock, globals=names)

    measured = timer().timeit(10)

    assert (len(measured.times), measured.number_per_run) == (1, 10)
    assert (measured.median, measured.mean, measured.iqr) == (3, 3, 0)
    for method in (timer().repeat, timer().autorange):
        with pytest.raises(NotImplementedError, match="blocked_autorange"):
            method()
    found = timer().blocked_autorange(min_run_time=20)
    assert (found.times, found.iqr > 0) == ([7, 1, 2, 3, 4, 5], True)  # its warm-up is one run shorter


def test_torch_benchmark_measures_on_one_thread():
    """`torch.utils.benchmark.Timer` runs its statement on one CPU thread by default, and puts the number of threads
    back.

    A plain timer measures with `torch.get_num_threads()` threads. Pass `num_threads=torch.get_num_threads()` to compare
    the two.

    https://docs.pytorch.org/docs/stable/benchmark_utils.html
    """
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    one, three = set(), set()

    benchmark.Timer("seen.add(torch.get_num_threads())", globals={"seen": one}).timeit(2)
    benchmark.Timer("seen.add(torch.get_num_threads())", globals={"seen": three}, num_threads=3).timeit(2)

    with pytest.raises(ZeroDivisionError):
        benchmark.Timer("1 / 0").timeit(2)

    assert (one, three) == ({1}, {3})
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)


def test_the_median_ignores_a_disturbed_run_and_the_mean_does_not():
    """How slow the slowest of five runs is changes the mean of `blocked_autorange`, but neither its median nor its
    spread (`iqr`).

    Report the median: one disturbed run of five moves it to a neighbour at most. `blocked_autorange` runs the statement
    until `min_run_time` has passed. If the first measured run is longer than that, it is the only one, and its time is
    the median: pass a `min_run_time` of many runs.

    https://docs.pytorch.org/docs/stable/benchmark_utils.html
    """
    clock = Clock()

    def measure(*seconds, min_run_time):
        costs = iter([7, *seconds, 8, 8])  # the 7 is for the warm-up
        timer = benchmark.Timer("clock.take(next(costs))", timer=clock, globals={"clock": clock, "costs": costs})
        return timer.blocked_autorange(min_run_time=min_run_time)

    for slowest, mean in ((5, 3), (90, 20)):
        measured = measure(3, 1, 2, 4, slowest, min_run_time=10 + slowest)
        assert measured.times == [3, 1, 2, 4, slowest]
        assert (measured.median, measured.mean, measured.iqr) == (3, mean, 2)

    assert measure(3, 90, 2, 4, 5, min_run_time=104).median == 4  # the 1 of above was disturbed
    assert measure(90, 8, 8, 8, 8, min_run_time=50).median == 90


@pytest.mark.only("cpu", because="other devices have rules of their own for denormal numbers")
def test_denormal_numbers_are_kept_unless_told_otherwise(device):
    """By default the CPU computes with denormal numbers, those of float32 below 1.18e-38 such as 1e-39, and after
    `torch.set_flush_denormal(True)` a product of the same thread that would be denormal is 0.

    A thread that was started before goes on with denormal numbers, and a part of a large product can be its work: call
    `set_flush_denormal` at the start of the program. It returns False where the CPU cannot do it. On many CPUs an
    operation on denormal numbers is far slower than on others, so a model whose activations or weights decay to almost
    nothing can get slower and slower.

    https://docs.pytorch.org/docs/stable/generated/torch.set_flush_denormal.html
    """
    x = torch.tensor([1e-30], device=device)
    kept = x * 1e-9

    with ThreadPoolExecutor(max_workers=1) as pool:
        pool.submit(int).result()  # the thread starts
        supported = torch.set_flush_denormal(True)
        flushed = x * 1e-9
        elsewhere = pool.submit(lambda: x * 1e-9).result()
        torch.set_flush_denormal(False)

    assert torch.equal(elsewhere, kept)
    assert 0 < kept.item() < torch.finfo(torch.float32).tiny
    assert (flushed.item() == 0) == supported
    assert torch.equal(x * 1e-9, kept)


# Work that is ordered and done later: a GPU


def test_a_timer_around_an_order_stops_before_the_work_is_done():
    """If a call only hands work over, a timer around the call need not see the work: wait for the result first.

    Here another thread does the work. On an accelerator the device does it, and you wait with `synchronize()`.

    https://docs.python.org/3/library/concurrent.futures.html#concurrent.futures.Executor.submit
    """
    clock, may_start = Clock(), threading.Event()

    def work():
        may_start.wait()
        clock.take(60)
        return 42

    with ThreadPoolExecutor(max_workers=1) as pool:
        start = clock()
        result = pool.submit(work)
        ordered, done_when_ordered = clock() - start, result.done()
        may_start.set()
        answer = result.result()  # waits, as torch.cuda.synchronize() and reading a value do
        finished = clock() - start

    assert (ordered, done_when_ordered) == (0, False)
    assert (finished, answer) == (60, 42)


# A kernel that fails would end the CUDA context of this process, so it is a thread that fails here.
def test_an_error_of_ordered_work_shows_where_somebody_waits():
    """If a call only hands work to a thread pool, an error of that work is raised at the line that asks for the result,
    and not at the line that hands the work over.

    If nobody calls `result()`, the error is not raised: `wait([ordered])` and the end of `with` are silent. A CUDA
    error ("device-side assert triggered") is raised by some later call, maybe another launch. Start the program with
    `CUDA_LAUNCH_BLOCKING=1`: then each launch waits, and the traceback names the line of the launch.

    https://docs.pytorch.org/docs/stable/notes/cuda.html#asynchronous-execution
    """
    may_start = threading.Event()

    def broken():
        may_start.wait()
        raise IndexError("index out of range")

    with ThreadPoolExecutor(max_workers=1) as pool:
        ordered = pool.submit(broken)
        forgotten = pool.submit(broken)
        next_in_line = pool.submit(int, "42")
        may_start.set()

        assert ordered in wait([ordered, forgotten]).done
        with pytest.raises(IndexError, match="index out of range"):
            ordered.result()

    assert isinstance(forgotten.exception(), IndexError)  # kept in there, and not raised
    assert next_in_line.result() == 42  # for a thread; after an error of a kernel, all that follows on that GPU fails


@pytest.mark.holds("torch>=2.1", otherwise=AttributeError, change="new", concerns="torch.cpu.synchronize")
def test_one_line_synchronises_any_device(device):
    """From torch 2.1 on `getattr(torch, device.type).synchronize()` works for the CPU too, where it does nothing.

    It waits for the current device of its type; with several GPUs name the one, `torch.cuda.synchronize("cuda:1")`.
    Plain `torch.cuda.synchronize()` needs a GPU, and torch 2.0 has no `torch.cpu.synchronize`.

    https://docs.pytorch.org/docs/stable/generated/torch.cpu.synchronize.html
    """
    ones = torch.ones(64, 32, device=device)
    product = ones @ ones.T

    for name in ("cpu", device.type):
        assert getattr(torch, name).synchronize() is None

    assert product.unique().tolist() == [32]


@pytest.mark.holds("torch>=2.6", otherwise=AttributeError, change="new")
def test_torch_accelerator_synchronises_if_there_is_one():
    """From torch 2.6 on, `torch.accelerator.synchronize()` waits for the current accelerator, of whatever kind; on a
    machine without one it raises RuntimeError.

    Write `if torch.accelerator.is_available(): torch.accelerator.synchronize()` before each reading of the clock.

    https://docs.pytorch.org/docs/stable/accelerator.html
    """
    if torch.accelerator.is_available():
        device = torch.accelerator.current_accelerator()
        with current(device):
            event, _ = order_work(device)
            torch.accelerator.synchronize()
        assert event.query()
    else:
        with pytest.raises(RuntimeError):
            torch.accelerator.synchronize()


@pytest.mark.holds("torch>=2.4", otherwise=AttributeError, change="new", concerns="torch.Event")
def test_the_cpu_has_no_events():
    """From torch 2.4 on `torch.Event("cpu")` can be made, but its `record()` raises RuntimeError.

    `torch.cuda.Event` is older and for CUDA. For code that runs on every device, take `perf_counter`, with
    `synchronize()` before each reading.

    https://docs.pytorch.org/docs/stable/generated/torch.Event.html
    """
    event = torch.Event("cpu")

    with pytest.raises(RuntimeError, match="support events"):
        event.record()

    assert event.device == torch.device("cpu")
    assert event.query()  # nothing was recorded, so nothing is left to wait for


def current(device):
    """A block where this is the current device, which events and `synchronize()` mean; mps has one device, no block."""
    return getattr(getattr(torch, device.type), "device", nullcontext)(device)


def order_work(device):
    """Hand the current device work for some milliseconds; return an event at its end, and a 6 that is made after it."""
    module = getattr(torch, device.type)
    event, three = module.Event(), torch.full((), 3.0, device=device)
    if hasattr(module, "_sleep"):
        module._sleep(10_000_000)  # cycles of the device's clock; torch's own tests wait with it
    else:
        matrix = torch.full((2048, 2048), 2.0**-11, device=device)
        for _ in range(10):
            matrix = matrix @ matrix
    six = three * 2
    event.record()
    return event, six


# Only a real device computes behind Python's back. With CUDA_LAUNCH_BLOCKING=1 it does not, and this note says so.
@pytest.mark.holds(
    'torch>=2.1; sys_platform == "darwin"', otherwise=AttributeError, change="new", concerns="torch.mps.event.Event"
)  # mps has no events before
def test_an_unsynchronised_timer_stops_before_the_device_is_done(accelerator):
    """A kernel launched on an accelerator can still run when its call has returned: without `synchronize()` a timer
    measures the launch.

    Calls that read a number do wait: see the next note. With `CUDA_LAUNCH_BLOCKING=1` every launch of a CUDA kernel
    waits.

    https://docs.pytorch.org/docs/stable/notes/cuda.html#asynchronous-execution
    """
    done_when_ordered = []

    with current(accelerator):
        for _ in range(3):  # the first round also loads kernels, which may wait
            event, six = order_work(accelerator)
            done_when_ordered.append(event.query())
            getattr(torch, accelerator.type).synchronize()

            assert event.query()

    assert not all(done_when_ordered)
    assert six.item() == 6


@pytest.mark.holds(
    'torch>=2.1; sys_platform == "darwin"', otherwise=AttributeError, change="new", concerns="torch.mps.event.Event"
)
@pytest.mark.parametrize("read", ["item", "cpu", "tolist", "__bool__"])
def test_reading_a_value_waits_for_the_device(accelerator, read):
    """`.item()`, `.cpu()`, `.tolist()` and `if tensor:` wait until the current stream of the tensor's accelerator is
    done, because the CPU gets the numbers.

    A loop that reads `loss.item()` at every step synchronises at every step.

    https://docs.pytorch.org/docs/stable/notes/cuda.html#asynchronous-execution
    """
    with current(accelerator):
        event, six = order_work(accelerator)

    value = getattr(six, read)()

    assert event.query()
    assert value == (True if read == "__bool__" else 6)


@pytest.mark.only("cuda", "mps", because="torch's Timer waits for xpu from torch 2.7 on")
@pytest.mark.holds('torch>=2.9; sys_platform == "darwin"', otherwise=(AssertionError, AttributeError), change="result")
def test_torch_benchmark_synchronises_by_itself(accelerator):
    """`torch.utils.benchmark.Timer` waits for the current device before it reads its clock: its statement needs no
    `synchronize()`.

    That goes for CUDA in all releases, and for mps from torch 2.9 on. Before 2.9 its times on mps are those of the
    launch.

    https://docs.pytorch.org/docs/stable/benchmark_utils.html
    """
    events = []
    names = {"events": events, "order_work": order_work, "device": accelerator}

    with current(accelerator):
        benchmark.Timer("events.append(order_work(device)[0])", globals=names).timeit(1)
        done = [event.query() for event in events]

    assert done == [True, True, True]


@pytest.mark.only("cuda", "mps", because="events of xpu tell the time in new releases only")
@pytest.mark.holds(
    'torch>=2.1; sys_platform == "darwin"', otherwise=AttributeError, change="new", concerns="torch.mps.event.Event"
)
def test_events_tell_the_devices_own_time(accelerator):
    """`start.elapsed_time(end)` of two events made with `enable_timing=True` is the device's own time between them, in
    milliseconds.

    It is no more than `perf_counter` sees around it. If the device has to wait for the next launch, that gap counts
    too. Synchronise before you ask.

    https://docs.pytorch.org/docs/stable/generated/torch.cuda.streams.Event.html
    """
    module = getattr(torch, accelerator.type)
    start, end = module.Event(enable_timing=True), module.Event(enable_timing=True)

    with current(accelerator):
        order_work(accelerator)
        module.synchronize()
        before = time.perf_counter()
        start.record()
        order_work(accelerator)
        end.record()
        module.synchronize()
        milliseconds = start.elapsed_time(end)
        seconds = time.perf_counter() - before

    assert type(milliseconds) is float
    assert 0 < milliseconds / 1000 <= seconds
    assert seconds < milliseconds  # in seconds it would be a thousand times as long


@pytest.mark.only("cuda", because="CUDA alone has this, or had it first")
def test_events_do_not_tell_the_time_unless_asked_to(accelerator):
    """`elapsed_time` of two `torch.cuda.Event()` made without `enable_timing=True`, or never recorded, raises
    RuntimeError, or ValueError in new releases.

    An event without a time still tells by `query()` whether the work before it is done.

    https://docs.pytorch.org/docs/stable/generated/torch.cuda.streams.Event.html
    """
    with torch.cuda.device(accelerator):
        start, end = torch.cuda.Event(), torch.cuda.Event()
        start.record()
        end.record()
        torch.cuda.synchronize()
        with pytest.raises((RuntimeError, ValueError), match=r"enable_timing|invalid"):
            start.elapsed_time(end)

        never = torch.cuda.Event(enable_timing=True)
        with pytest.raises((RuntimeError, ValueError), match="must be recorded"):
            never.elapsed_time(torch.cuda.Event(enable_timing=True))

    assert (start.query(), end.query()) == (True, True)


@pytest.mark.only("cuda", because="CUDA alone has this, or had it first")
def test_a_stream_waits_for_another_only_if_told_to(accelerator):
    """`side.wait_stream(default)` makes the next work of the CUDA stream `side` wait for what the stream `default` was
    given before.

    Work goes to the default stream unless it is inside `with torch.cuda.stream(side)` or comes after
    `torch.cuda.set_stream(side)`. Without `wait_stream` the two can run at once, numbers may be read before they are
    there, and nothing raises.

    https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-streams
    """
    with torch.cuda.device(accelerator):
        default, side = torch.cuda.default_stream(), torch.cuda.Stream()
        x = torch.zeros(1000, device=accelerator)
        x.fill_(5)
        torch.cuda.synchronize()

        torch.cuda._sleep(10_000_000)  # keeps the default stream busy
        x.fill_(3)
        side.wait_stream(default)
        with torch.cuda.stream(side):
            inside = torch.cuda.current_stream()
            torch.cuda._sleep(10_000_000)
            doubled = x * 2
        default.wait_stream(side)
        plus_one = doubled + 1

        assert (torch.cuda.current_stream(), inside) == (default, side)
        assert default != side

    assert plus_one.tolist() == [7] * 1000


@pytest.mark.only("cuda", because="CUDA alone has this, or had it first")
def test_hidden_waits_can_be_found(accelerator):
    """Under `torch.cuda.set_sync_debug_mode("error")` the lines `.item()`, `.cpu()`, `.tolist()` and `if tensor:` raise
    RuntimeError, and a product or a sum does not.

    Run a training step under it to find the lines that make the CPU wait for the GPU. The mode does not see every wait.

    https://docs.pytorch.org/docs/stable/generated/torch.cuda.set_sync_debug_mode.html
    """
    x = torch.tensor([1.0, 2.0], device=accelerator)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is a prototype, and says so
        torch.cuda.set_sync_debug_mode("error")
        try:
            total = (x * 2).sum()
            for read in ("item", "cpu", "tolist", "__bool__"):
                with pytest.raises(RuntimeError, match="synchronizing"):
                    getattr(total, read)()
        finally:
            torch.cuda.set_sync_debug_mode("default")

    assert total.item() == 6


# The profiler


@pytest.mark.holds(
    "torch>=2.4",
    otherwise=AttributeError,
    change="gone",
    concerns="torch.autograd.profiler_util.FunctionEventAvg.cuda_time_total",
)
def test_the_profiler_says_device_time():
    """From torch 2.4 on a line of the profiler's `key_averages()` has `device_time_total` and no `cuda_time_total`.

    AttributeError: 'FunctionEventAvg' object has no attribute 'cuda_time_total' means that the code is for an older
    torch. Ask with `hasattr` if both have to run. `table(sort_by="cuda_time_total")` still works. For work on the CPU
    the value is 0.

    https://docs.pytorch.org/docs/stable/autograd.html#torch.autograd.profiler.profile
    """
    with torch.autograd.profiler.profile(use_kineto=False) as profiler:  # Kineto takes a second to start
        ones = torch.ones(3)
        for _ in range(2):
            ones = ones + 1
    (line,) = [line for line in profiler.key_averages() if line.key == "aten::add"]

    assert line.device_time_total == 0
    assert not hasattr(line, "cuda_time_total")
    assert "aten::add" in profiler.key_averages().table(sort_by="cuda_time_total")
    assert (line.count, line.cpu_time_total > 0) == (2, True)


@pytest.mark.holds(
    "torch>=2.14",
    otherwise=AssertionError,
    change="gone",
    concerns=("torch.autograd.profiler.profile(use_cuda)", "torch.profiler.profile(use_cuda)"),
)
def test_the_profiler_has_no_use_cuda():
    """From torch 2.14 on, `use_cuda=` raises TypeError in `torch.autograd.profiler.profile` and in
    `torch.profiler.profile`: "unexpected keyword argument 'use_cuda'".

    Write `use_device="cuda"` for the first, and `activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]` for the
    second.

    https://docs.pytorch.org/docs/stable/autograd.html#torch.autograd.profiler.profile
    """
    for profile in (torch.autograd.profiler.profile, torch.profiler.profile):
        with pytest.raises(TypeError, match="unexpected keyword argument 'use_cuda'"):
            profile(use_cuda=False)

    assert "use_device" in inspect.signature(torch.autograd.profiler.profile).parameters
    assert "activities" in inspect.signature(torch.profiler.profile).parameters


def test_a_total_of_the_profiler_contains_the_parts():
    """In the profiler's `key_averages()`, `cpu_time_total` of an operation contains the operations that it calls, in
    microseconds: `aten::matmul` contains its `aten::mm`.

    The totals of all lines thus add up to too much: the time of `aten::mm` counts twice. Add up `self_cpu_time_total`,
    which leaves the parts out.

    https://docs.pytorch.org/docs/stable/autograd.html#torch.autograd.profiler.profile
    """
    square = torch.ones(2, 2)

    with torch.autograd.profiler.profile(use_kineto=False) as profiler:  # Kineto takes a second to start
        start = time.perf_counter()
        torch.matmul(square, square)
        seconds = time.perf_counter() - start
    lines = {line.key: line for line in profiler.key_averages()}
    whole, part = lines["aten::matmul"], lines["aten::mm"]

    assert whole.cpu_time_total >= whole.self_cpu_time_total + part.cpu_time_total
    assert 0 < whole.cpu_time_total / 1_000_000 <= seconds
    total = sum(line.cpu_time_total for line in lines.values())
    assert total > sum(line.self_cpu_time_total for line in lines.values()) >= whole.cpu_time_total
