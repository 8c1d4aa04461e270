"""Timing.

`from timeit import default_timer as timer`, read it before and after, and subtract: that is the whole recipe, and it
has three traps. The first call does work that no later call does. A GPU only takes the order and computes later, so the
clock must wait for it. And `timeit` and `torch.utils.benchmark` report different things. Nothing here says how fast
anything is: where a duration matters, the notes read a clock that moves only when told to.
"""

import gc
import inspect
import threading
import time
import timeit
import warnings
from concurrent.futures import ThreadPoolExecutor
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


def test_default_timer_is_perf_counter():
    """`timeit.default_timer` is `time.perf_counter`: a function that returns seconds as a float.

    One reading means nothing, because nobody says where it counts from; the difference of two is a duration.

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
    """`perf_counter` only goes forward and nobody can set it; `time.time` follows a system clock that can be set back.

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


@pytest.mark.myth("timeit gives the time of one run")
def test_timeit_returns_a_total():
    """`timeit.timeit` returns the seconds of all runs together, not their mean: divide by `number`.

    That number is a million by default: far too many for a training step.

    https://docs.python.org/3/library/timeit.html#timeit.timeit
    """
    clock = Clock()

    total = timeit.timeit(lambda: clock.take(3), timer=clock, number=5)

    assert total == 15
    assert inspect.signature(timeit.timeit).parameters["number"].default == 1_000_000


def test_timeit_does_not_count_the_setup():
    """`timeit` runs the setup once before its runs and does not count it.

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


def test_a_statement_sees_only_what_it_is_given(device):
    """A statement given as text knows none of your variables unless they come as `globals=`; else it is a NameError.

    torch's own Timer does the same, but has `torch` in it already.

    https://docs.python.org/3/library/timeit.html#timeit.Timer
    """
    x, seen = torch.tensor([1.0, 2.0], device=device), []

    with pytest.raises(NameError, match="'x' is not defined"):
        timeit.timeit("x + 1", number=1)
    timeit.timeit("seen.append((x + 1).tolist())", number=1, globals={"x": x, "seen": seen})

    with pytest.raises(NameError, match="'x' is not defined"):
        benchmark.Timer("x + 1").timeit(1)
    benchmark.Timer("seen.append(torch.add(x, 2).tolist())", globals={"x": x, "seen": seen}).timeit(1)

    assert seen[0] == [2, 3]
    assert seen[-1] == [3, 4]


def test_timeit_turns_the_garbage_collector_off():
    """While `timeit` measures, the garbage collector is off; afterwards it is as it was, after an exception too.

    Where collecting is part of what you want to know, use `setup="gc.enable()"`.

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
    """`repeat` returns a list of totals, and since disturbances only add, the least of them is nearest to the cost.

    The limit: what varies by itself (data, caches, a device that gets warm) has no single cost, and wants a median.

    https://docs.python.org/3/library/timeit.html#timeit.Timer.repeat
    """
    clock = Clock()
    disturbances = iter([0, 9, 0, 0, 4, 0])

    totals = timeit.repeat(lambda: clock.take(2 + next(disturbances)), timer=clock, repeat=3, number=2)

    assert totals == [13, 4, 8]
    assert min(totals) == 2 * 2


def test_the_first_step_allocates_what_later_steps_reuse(device):
    """The first training step makes the optimizer's state, which later steps reuse; gradients are reused only with
    `zero_grad(set_to_none=False)`.

    By default `zero_grad` drops them, and each backward makes new ones. Other reasons why a first call is not typical:
    loading kernels, choosing algorithms, compiling.

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
    """`torch.utils.benchmark.Timer` warms up before it measures and reports the time per run; `timeit` does neither.

    https://docs.pytorch.org/docs/stable/benchmark_utils.html
    """
    total, per_run = Clock(), Clock()
    first_calls_are_slow = [100, 50, 2, 2, 2, 2, 2, 2, 2, 2]
    for_timeit, for_torch = iter(first_calls_are_slow), iter(first_calls_are_slow)

    plain = timeit.timeit(lambda: total.take(next(for_timeit)), timer=total, number=5)
    names = {"clock": per_run, "costs": for_torch}
    measured = benchmark.Timer("clock.take(next(costs))", timer=per_run, globals=names).timeit(5)

    assert plain == 100 + 50 + 2 + 2 + 2
    assert (measured.mean, measured.median, measured.number_per_run) == (2, 2, 5)
    assert list(for_torch) == [2, 2, 2]  # 2 warm-up runs and 5 that count


def test_torch_benchmark_measures_on_one_thread():
    """`torch.utils.benchmark.Timer` runs its statement on one CPU thread by default, and puts the number back after.

    A plain timer uses all of them, so the two cannot be compared as they are.

    https://docs.pytorch.org/docs/stable/benchmark_utils.html
    """
    before = torch.get_num_threads()
    one, three = set(), set()

    benchmark.Timer("seen.add(torch.get_num_threads())", globals={"seen": one}).timeit(2)
    benchmark.Timer("seen.add(torch.get_num_threads())", globals={"seen": three}, num_threads=3).timeit(2)

    with pytest.raises(ZeroDivisionError):
        benchmark.Timer("1 / 0").timeit(2)

    assert (one, three) == ({1}, {3})
    assert torch.get_num_threads() == before


def test_the_median_ignores_a_disturbed_run_and_the_mean_does_not():
    """`blocked_autorange` runs until enough time has passed; its median and spread (IQR) do not follow one slow run.

    https://docs.pytorch.org/docs/stable/benchmark_utils.html
    """
    clock = Clock()
    costs = iter([7, 3, 1, 2, 4, 90, 8])  # the 7 is for the warm-up, and with the 90 the hundred seconds are over
    timer = benchmark.Timer("clock.take(next(costs))", timer=clock, globals={"clock": clock, "costs": costs})

    measured = timer.blocked_autorange(min_run_time=100)

    assert measured.times == [3, 1, 2, 4, 90]
    assert (measured.median, measured.mean, measured.iqr) == (3, 20, 2)
    assert next(costs) == 8


def test_a_timer_around_an_order_stops_before_the_work_is_done():
    """Where a call only hands work over, the clock after it is read too early: it must wait for the result.

    Here another thread does the work; on an accelerator it is the device. On the CPU torch itself hands nothing over.

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
    """Where a call only hands work over, an error of that work is raised later, where somebody waits for it: the line
    that is blamed is not the line that is wrong.

    So with CUDA kernels. Under `CUDA_LAUNCH_BLOCKING=1` each call waits, and the traceback names the right one.

    https://docs.pytorch.org/docs/stable/notes/cuda.html#asynchronous-execution
    """
    may_start = threading.Event()

    def broken():
        may_start.wait()
        raise IndexError("index out of range")

    with ThreadPoolExecutor(max_workers=1) as pool:
        ordered = pool.submit(broken)
        next_in_line = pool.submit(int, "42")
        may_start.set()

        with pytest.raises(IndexError, match="index out of range"):
            ordered.result()

    assert next_in_line.result() == 42  # for a thread; after an error of a kernel, all that follows on that GPU fails


@pytest.mark.holds("torch>=2.1", otherwise=AttributeError)
def test_one_line_synchronises_any_device(device):
    """From torch 2.1 on `getattr(torch, device.type).synchronize()` waits for the current device of that type; on the
    CPU, for which torch 2.0 has no such function, it does nothing.

    With several GPUs, name the one: `torch.cuda.synchronize("cuda:1")`. `torch.cuda.synchronize()` raises on a machine
    without CUDA, so it is not for code that is to run everywhere.

    https://docs.pytorch.org/docs/stable/generated/torch.cpu.synchronize.html
    """
    ones = torch.ones(64, 32, device=device)
    product = ones @ ones.T

    for name in ("cpu", device.type):
        assert getattr(torch, name).synchronize() is None

    assert product.unique().tolist() == [32]


@pytest.mark.holds("torch>=2.4", otherwise=AttributeError)
def test_the_cpu_has_no_events():
    """From torch 2.4 on, `torch.Event(device)` is an event of any kind of device, and on the CPU, which has none, its
    `record` raises RuntimeError.

    Before, each kind of device has a class of its own, such as `torch.cuda.Event`. What is right everywhere, also on
    the CPU, is `perf_counter` with `synchronize()` before each reading.

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
@pytest.mark.holds('torch>=2.1; sys_platform == "darwin"', otherwise=AttributeError)  # mps has no events before
def test_an_unsynchronised_timer_stops_before_the_device_is_done(accelerator):
    """On an accelerator a call returns when the work is ordered: without `synchronize()` a timer measures the launch.

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


@pytest.mark.holds('torch>=2.1; sys_platform == "darwin"', otherwise=AttributeError)
@pytest.mark.parametrize("read", ["item", "cpu", "tolist", "__bool__"])
def test_reading_a_value_waits_for_the_device(accelerator, read):
    """`.item()`, `.cpu()`, `.tolist()` and `if tensor:` wait for the device, because Python needs the number itself.

    So a loop that reads `loss.item()` at every step synchronises at every step.

    https://docs.pytorch.org/docs/stable/notes/cuda.html#asynchronous-execution
    """
    with current(accelerator):
        event, six = order_work(accelerator)

    value = getattr(six, read)()

    assert event.query()
    assert value == (True if read == "__bool__" else 6)


@pytest.mark.only("cuda", "mps", because="torch's Timer waits for xpu from torch 2.7 on")
@pytest.mark.holds('torch>=2.9; sys_platform == "darwin"', otherwise=(AssertionError, AttributeError))
def test_torch_benchmark_synchronises_by_itself(accelerator):
    """`torch.utils.benchmark.Timer` waits for the current device before it reads its clock: no `synchronize()` in it.

    So for CUDA in all releases, for xpu from torch 2.7 on, for mps from 2.9 on. Before, its times on those two are
    those of the launch.

    https://docs.pytorch.org/docs/stable/benchmark_utils.html
    """
    events = []
    names = {"events": events, "order_work": order_work, "device": accelerator}

    with current(accelerator):
        benchmark.Timer("events.append(order_work(device)[0])", globals=names).timeit(1)
        done = [event.query() for event in events]

    assert done == [True, True, True]


@pytest.mark.only("cuda", "mps", because="events of xpu tell the time in new releases only")
@pytest.mark.holds('torch>=2.1; sys_platform == "darwin"', otherwise=AttributeError)
def test_events_tell_the_devices_own_time(accelerator):
    """`start.elapsed_time(end)` of two events made with `enable_timing=True` is what the device took from one to the
    other: in milliseconds, and no more than `perf_counter`, in seconds, sees around it.

    It leaves out the launch and the way back, which a clock of the CPU has in it. Synchronise before you ask.

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
    """A `torch.cuda.Event()` keeps no time: `elapsed_time` raises unless both events were recorded and made with
    `enable_timing=True`.

    RuntimeError or, in new releases, ValueError. Without a time, an event is cheaper and still says what is done.

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
    """A CUDA stream is a queue, worked off in order, and `wait_stream` makes what comes next wait for what another
    stream has been given; work goes to the default stream unless `with torch.cuda.stream(...)` says otherwise.

    Without `wait_stream`, in either direction, numbers may be read before they are there, and nothing raises.

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
    """Under `torch.cuda.set_sync_debug_mode("error")`, what makes the CPU wait for the GPU raises RuntimeError, such as
    `.item()`, and what only hands work over does not.

    A training step under it shows which lines hold it up. `"warn"` warns instead; it does not see every wait.

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


# Another name for a profiler's column.


@pytest.mark.holds("torch>=2.4", otherwise=AttributeError)
def test_the_profiler_says_device_time():
    """From torch 2.4 on a line of the profiler's `key_averages()` has `device_time_total`; before, that is called
    `cuda_time_total`, and neither name is there on the other side.

    Ask with `hasattr` where both have to run. For work on the CPU it is 0. `count` and `cpu_time_total` have kept
    their names.

    https://docs.pytorch.org/docs/stable/autograd.html#torch.autograd.profiler.profile
    """
    with torch.autograd.profiler.profile(use_kineto=False) as profiler:  # Kineto takes a second to start
        ones = torch.ones(3)
        for _ in range(2):
            ones = ones + 1
    (line,) = [line for line in profiler.key_averages() if line.key == "aten::add"]

    assert line.device_time_total == 0
    assert not hasattr(line, "cuda_time_total")
    assert (line.count, line.cpu_time_total > 0) == (2, True)
