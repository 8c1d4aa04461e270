"""What could break in the clocks, in `timeit`, in torch's own Timer, and in who waits for whom."""

import contextlib
import gc
import inspect
import itertools
import sys
import time
import timeit
import warnings
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import Event

import torch
from torch.utils import benchmark
from torch.utils.benchmark.utils import common

from torchnotes.harness.mutation import mutant, raises


class Clock:
    """A clock that stands still until something `take`s time."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def take(self, seconds):
        self.now += seconds


def timed(number, setup="pass", seconds=2):
    clock = Clock()
    names = {"clock": clock, "seconds": seconds}
    return timeit.timeit("clock.take(seconds)", setup, timer=clock, number=number, globals=names)


def measured(*costs, number, **options):
    """What torch's Timer finds for runs of these costs, and how many of them it left."""
    clock, left = Clock(), iter(costs)
    names = {"clock": clock, "costs": left}
    found = benchmark.Timer("clock.take(next(costs))", timer=clock, globals=names, **options).timeit(number)
    return found.median, found.number_per_run, len(list(left))


def of_runs(*times):
    specification = common.TaskSpec(stmt="pass", setup="pass")
    return common.Measurement(number_per_run=1, raw_times=list(times), task_spec=specification)


def change_timeit(patch, change):
    """Change `timeit.Timer.timeit`, on which all of timeit and torch's Timer stand: `change(call, timer, number)`."""
    original = timeit.Timer.timeit
    patch.setattr(timeit.Timer, "timeit", lambda timer, number=1_000_000: change(original, timer, number))


def change_clock(patch, clock):
    patch.setattr(time, "perf_counter", clock)
    patch.setattr(timeit, "default_timer", clock)


# clocks


@mutant(kills="test_default_timer_is_perf_counter", witness=lambda: timeit.default_timer is time.perf_counter)
def default_timer_is_time(patch):
    """`timeit.default_timer` is `time.time`."""
    patch.setattr(timeit, "default_timer", time.time)


@mutant(kills="test_default_timer_is_perf_counter", witness=lambda: timeit.default_timer is time.perf_counter)
def default_timer_is_monotonic(patch):
    """`timeit.default_timer` is `time.monotonic`, which is coarser on some systems."""
    patch.setattr(timeit, "default_timer", time.monotonic)


@mutant(kills="test_default_timer_is_perf_counter", witness=lambda: type(timeit.default_timer()) is float)
def default_timer_counts_nanoseconds(patch):
    """`perf_counter` and `default_timer` return whole nanoseconds."""
    change_clock(patch, time.perf_counter_ns)


@mutant(
    kills=("test_default_timer_is_perf_counter", "test_perf_counter_never_goes_back_and_time_may"),
    witness=lambda: -time.perf_counter() + time.perf_counter() >= 0,
)
def perf_counter_counts_down(patch):
    """`perf_counter` runs backwards."""
    perf_counter = time.perf_counter
    change_clock(patch, lambda: -perf_counter())


def goes_back():
    readings = [time.perf_counter() for _ in range(60)]
    return readings != sorted(readings)


@mutant(kills="test_perf_counter_never_goes_back_and_time_may", witness=lambda: not goes_back())
def perf_counter_goes_back_at_times(patch):
    """Every fiftieth reading of `perf_counter` is a second too early."""
    perf_counter, readings = time.perf_counter, itertools.count(1)
    change_clock(patch, lambda: perf_counter() - (next(readings) % 50 == 0))


@mutant(
    kills="test_perf_counter_never_goes_back_and_time_may",
    witness=lambda: not time.get_clock_info("perf_counter").adjustable,
)
def perf_counter_is_the_system_clock(patch):
    """`time.get_clock_info` says of `perf_counter` that it can be set."""
    get_clock_info = time.get_clock_info
    patch.setattr(time, "get_clock_info", lambda name: get_clock_info("time" if name == "perf_counter" else name))


@mutant(
    kills="test_perf_counter_never_goes_back_and_time_may",
    witness=lambda: not time.get_clock_info("time").monotonic,
)
def time_is_monotonic(patch):
    """`time.get_clock_info` says of `time.time` that nobody can set it back."""
    get_clock_info = time.get_clock_info
    patch.setattr(time, "get_clock_info", lambda name: get_clock_info("monotonic" if name == "time" else name))


# timeit


@mutant(
    kills=(
        "test_timeit_returns_a_total",
        "test_timeit_does_not_count_the_setup",
        "test_the_minimum_of_repeats_is_the_run_that_was_disturbed_least",
        "test_torch_benchmark_leaves_out_the_first_calls",
    ),
    witness=lambda: timed(5) == 10,
)
def timeit_returns_a_mean(patch):
    """`timeit` returns the seconds of one run."""
    change_timeit(patch, lambda call, timer, number: call(timer, number) / max(number, 1))


@mutant(
    kills=("test_timeit_returns_a_total", "test_timeit_does_not_count_the_setup"),
    witness=lambda: timed(5) == 10,
)
def timeit_runs_once_too_often(patch):
    """`timeit` runs its statement `number + 1` times."""
    change_timeit(patch, lambda call, timer, number: call(timer, number + 1))


@mutant(
    kills=("test_timeit_does_not_count_the_setup", "test_torch_benchmark_leaves_out_the_first_calls"),
    witness=lambda: setups(3) == 1,
)
def timeit_warms_up(patch):
    """`timeit` runs its statement once before it measures."""

    def change(call, timer, number):
        call(timer, 1)
        return call(timer, number)

    change_timeit(patch, change)


def setups_of_repeat():
    ran = []
    timeit.repeat(list, lambda: ran.append("setup"), number=1, repeat=2)
    return len(ran)


@mutant(
    kills="test_timeit_does_not_count_the_setup",
    witness=lambda: setups_of_repeat() == 2,
)
def repeat_sets_up_once(patch):
    """`timeit.repeat` runs the setup before its first repetition only."""

    def changed(stmt="pass", setup="pass", timer=timeit.default_timer, repeat=5, number=1_000_000, globals=None):
        first = timeit.Timer(stmt, setup, timer, globals).timeit(number)
        return [first, *(timeit.Timer(stmt, "pass", timer, globals).timeit(number) for _ in range(repeat - 1))]

    patch.setattr(timeit, "repeat", changed)


@mutant(
    kills="test_timeit_returns_a_total",
    witness=lambda: inspect.signature(timeit.timeit).parameters["number"].default == 1_000_000,
)
def timeit_runs_a_thousand_times_by_default(patch):
    """`timeit.timeit` has a default of 1000 runs."""

    def changed(stmt="pass", setup="pass", timer=timeit.default_timer, number=1000, globals=None):
        return timeit.Timer(stmt, setup, timer, globals=globals).timeit(number)

    patch.setattr(timeit, "timeit", changed)


@mutant(kills="test_timeit_does_not_count_the_setup", witness=lambda: timed(3, "clock.take(100)") == 6)
def timeit_counts_the_setup(patch):
    """`timeit` counts its setup."""

    def change(call, timer, number):
        before = timer.timer()
        call(timer, number)
        return timer.timer() - before

    change_timeit(patch, change)


def setups(number):
    ran = []
    timeit.timeit("pass", lambda: ran.append(1), number=number)
    return len(ran)


@mutant(kills="test_timeit_does_not_count_the_setup", witness=lambda: setups(3) == 1)
def timeit_sets_up_before_each_run(patch):
    """`timeit` runs its setup before each run; it counts none of them."""
    change_timeit(patch, lambda call, timer, number: sum(call(timer, 1) for _ in range(number)))


def sees_the_caller(timer):
    here = "a variable of the caller"
    try:
        timer("here").timeit(1)
    except NameError:
        return False
    return here is not None


def with_names_of_the_caller(original):
    def changed(self, *args, **options):
        if options.get("globals") is None and len(args) < 4:
            options["globals"] = dict(sys._getframe(1).f_locals)
        original(self, *args, **options)

    return changed


@mutant(
    kills="test_a_statement_sees_only_what_it_is_given",
    witness=lambda: not sees_the_caller(timeit.Timer),
)
def timeit_sees_the_variables_of_its_caller(patch):
    """`timeit` lets a statement see the variables of the function that calls."""

    def changed(stmt="pass", setup="pass", timer=timeit.default_timer, number=1_000_000, globals=None):
        names = dict(sys._getframe(1).f_locals) if globals is None else globals
        return timeit.Timer(stmt, setup, timer, globals=names).timeit(number)

    patch.setattr(timeit.Timer, "__init__", with_names_of_the_caller(timeit.Timer.__init__))
    patch.setattr(timeit, "timeit", changed)


@mutant(
    kills="test_a_statement_sees_only_what_it_is_given",
    witness=lambda: not sees_the_caller(benchmark.Timer),
)
def benchmark_sees_the_variables_of_its_caller(patch):
    """torch's Timer lets a statement see the variables of the function that calls."""
    patch.setattr(benchmark.Timer, "__init__", with_names_of_the_caller(benchmark.Timer.__init__))


def collector_during_and_after(statement="pass"):
    seen, on = [], gc.isenabled()
    try:
        with contextlib.suppress(ZeroDivisionError):
            timeit.timeit(f"seen.append(gc.isenabled()); {statement}", number=1, globals={"seen": seen, "gc": gc})
        return [*seen, gc.isenabled() == on]
    finally:
        (gc.enable if on else gc.disable)()


@mutant(
    kills="test_timeit_turns_the_garbage_collector_off",
    witness=lambda: collector_during_and_after() == [False, True],
)
def timeit_leaves_the_collector_on(patch):
    """`timeit` collects garbage while it measures."""
    change_timeit(patch, lambda call, timer, number: timer.inner(itertools.repeat(None, number), timer.timer))


@mutant(
    kills="test_timeit_turns_the_garbage_collector_off",
    witness=lambda: collector_during_and_after() == [False, True],
)
def timeit_leaves_the_collector_off(patch):
    """After `timeit` the garbage collector stays off."""

    def change(call, timer, number):
        total = call(timer, number)
        gc.disable()
        return total

    change_timeit(patch, change)


@mutant(
    kills="test_timeit_turns_the_garbage_collector_off",
    witness=lambda: collector_during_and_after("1 / 0") == [False, True],
)
def timeit_leaves_the_collector_off_after_an_exception(patch):
    """After an exception in `timeit` the garbage collector stays off."""

    def change(call, timer, number):
        try:
            return call(timer, number)
        except ZeroDivisionError:
            gc.disable()
            raise

    change_timeit(patch, change)


def collector_that_was_off_stays_off():
    on = gc.isenabled()
    gc.disable()
    try:
        timeit.timeit(number=1)
        return not gc.isenabled()
    finally:
        (gc.enable if on else gc.disable)()


@mutant(kills="test_timeit_turns_the_garbage_collector_off", witness=collector_that_was_off_stays_off)
def timeit_turns_the_collector_on_afterwards(patch):
    """After `timeit` the garbage collector is on, also where it was off before."""

    def change(call, timer, number):
        total = call(timer, number)
        gc.enable()
        return total

    change_timeit(patch, change)


def repeated(*costs):
    clock, left = Clock(), iter(costs)
    return timeit.repeat(lambda: clock.take(next(left)), timer=clock, repeat=len(costs) // 2, number=2)


def change_repeat(patch, change):
    """Change `timeit.repeat` and `timeit.Timer.repeat`: `change(totals, number)`."""
    original = timeit.Timer.repeat

    def method(timer, repeat=5, number=1_000_000):
        return change(original(timer, repeat, number), number)

    patch.setattr(timeit.Timer, "repeat", method)


@mutant(
    kills="test_the_minimum_of_repeats_is_the_run_that_was_disturbed_least",
    witness=lambda: repeated(3, 2, 1, 1) == [5, 2],
)
def repeat_does_not_stop_its_clock(patch):
    """`repeat` returns how much time had passed after each repetition, from the first on."""
    change_repeat(patch, lambda totals, number: list(itertools.accumulate(totals)))


@mutant(
    kills="test_the_minimum_of_repeats_is_the_run_that_was_disturbed_least",
    witness=lambda: repeated(3, 2, 1, 1) == [5, 2],
)
def repeat_returns_means(patch):
    """`repeat` returns the seconds of one run, for each repetition."""
    change_repeat(patch, lambda totals, number: [total / number for total in totals])


@mutant(
    kills="test_the_minimum_of_repeats_is_the_run_that_was_disturbed_least",
    witness=lambda: repeated(3, 2, 1, 1) == [5, 2],
)
def repeat_sorts_its_totals(patch):
    """`repeat` returns its totals from the least to the greatest."""
    change_repeat(patch, lambda totals, number: sorted(totals))


# the first step


def first_two_steps():
    """Whether the second step reuses memory, whether there was state before the first, and the weight after both."""
    weight = torch.ones(2, requires_grad=True)
    optimizer = torch.optim.SGD([weight], lr=0.5, momentum=0.5)
    state = dict(optimizer.state)
    for _ in range(2):
        grad, buffer = weight.grad, optimizer.state[weight].get("momentum_buffer") if optimizer.state else None
        optimizer.zero_grad(set_to_none=False)
        weight.sum().backward()
        optimizer.step()
    reused = weight.grad is grad, optimizer.state[weight]["momentum_buffer"] is buffer
    return reused, state, weight.tolist()


def steps_are_healthy():
    return first_two_steps() == ((True, True), {}, [-0.25, -0.25])


@mutant(kills="test_the_first_step_allocates_what_later_steps_reuse", witness=steps_are_healthy)
def sgd_copies_its_momentum_at_each_step(patch):
    """SGD makes a new momentum buffer at every step."""
    step = torch.optim.SGD.step

    def changed(optimizer, *args):
        result = step(optimizer, *args)
        for state in optimizer.state.values():
            state["momentum_buffer"] = state["momentum_buffer"].clone()
        return result

    patch.setattr(torch.optim.SGD, "step", changed)


@mutant(kills="test_the_first_step_allocates_what_later_steps_reuse", witness=steps_are_healthy)
def zero_grad_always_sets_to_none(patch):
    """`zero_grad(set_to_none=False)` frees the gradients."""
    zero_grad = torch.optim.SGD.zero_grad
    patch.setattr(torch.optim.SGD, "zero_grad", lambda optimizer, set_to_none=True: zero_grad(optimizer, True))


@mutant(kills="test_the_first_step_allocates_what_later_steps_reuse", witness=steps_are_healthy)
def sgd_makes_its_momentum_at_once(patch):
    """SGD makes its momentum buffers when it is made, not at the first step."""
    original = torch.optim.SGD.__init__

    def changed(optimizer, params, *args, **options):
        params = list(params)
        original(optimizer, params, *args, **options)
        for parameter in params:
            optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)

    patch.setattr(torch.optim.SGD, "__init__", changed)


# torch's Timer


COSTS = (100, 50, 2, 2, 2, 2, 2, 2, 2, 2)


def change_measurement(patch, change):
    """Change what `benchmark.Timer.timeit` does within its number of threads: `change(timer, number)`."""

    def changed(timer, number=1_000_000):
        with common.set_torch_threads(timer._task_spec.num_threads):
            return change(timer, number)

    patch.setattr(benchmark.Timer, "timeit", changed)


def measurement(timer, number, runs):
    return common.Measurement(number_per_run=number, raw_times=[timer._timeit(number=runs)], task_spec=timer._task_spec)


@mutant(
    kills="test_torch_benchmark_leaves_out_the_first_calls",
    witness=lambda: measured(*COSTS, number=5) == (2, 5, 3),
)
def benchmark_does_not_warm_up(patch):
    """torch's Timer counts the first calls."""
    change_measurement(patch, lambda timer, number: measurement(timer, number, number))


@mutant(
    kills="test_torch_benchmark_leaves_out_the_first_calls",
    witness=lambda: measured(*COSTS, number=5) == (2, 5, 3),
)
def benchmark_warms_up_by_one_call(patch):
    """torch's Timer leaves out one call and counts the second."""

    def change(timer, number):
        timer._timeit(number=1)
        return measurement(timer, number, number)

    change_measurement(patch, change)


@mutant(
    kills="test_torch_benchmark_leaves_out_the_first_calls",
    witness=lambda: measured(*COSTS, number=5) == (2, 5, 3),
)
def benchmark_reports_a_total(patch):
    """torch's Timer reports the time of all runs together, as `timeit` does."""

    def change(timer, number):
        timer._timeit(number=2)
        return measurement(timer, 1, number)

    change_measurement(patch, change)


def threads_of_a_timer(statement="pass", **options):
    seen, before = [], torch.get_num_threads()
    with contextlib.suppress(ZeroDivisionError):
        names = {"seen": seen}
        benchmark.Timer(f"seen.append(torch.get_num_threads()); {statement}", globals=names, **options).timeit(1)
    after = torch.get_num_threads()
    torch.set_num_threads(before)
    return seen[-1], after == before


def timer_is_healthy():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    found = threads_of_a_timer(), threads_of_a_timer("1 / 0"), threads_of_a_timer(num_threads=3)
    torch.set_num_threads(before)
    return found == ((1, True), (1, True), (3, True))


def change_threads(patch, change):
    """Change with how many threads torch's Timer measures: `change(asked)`."""
    set_torch_threads = common.set_torch_threads
    patch.setattr(common, "set_torch_threads", lambda number: set_torch_threads(change(number)))


@mutant(kills="test_torch_benchmark_measures_on_one_thread", witness=timer_is_healthy)
def benchmark_ignores_num_threads(patch):
    """torch's Timer measures on one thread whatever `num_threads` says."""
    change_threads(patch, lambda number: 1)


@mutant(kills="test_torch_benchmark_measures_on_one_thread", witness=timer_is_healthy)
def benchmark_measures_on_two_threads(patch):
    """torch's Timer measures on two threads by default."""
    change_threads(patch, lambda number: max(number, 2))


@mutant(kills="test_torch_benchmark_measures_on_one_thread", witness=timer_is_healthy)
def benchmark_keeps_its_threads(patch):
    """torch's Timer does not put the number of threads back."""
    patch.setattr(common, "set_torch_threads", lambda number: contextlib.nullcontext(torch.set_num_threads(number)))


@mutant(kills="test_torch_benchmark_measures_on_one_thread", witness=timer_is_healthy)
def benchmark_keeps_its_threads_after_an_exception(patch):
    """torch's Timer does not put the number of threads back after an exception."""

    @contextlib.contextmanager
    def changed(number):
        before = torch.get_num_threads()
        torch.set_num_threads(number)
        yield
        torch.set_num_threads(before)

    patch.setattr(common, "set_torch_threads", changed)


@mutant(
    kills="test_the_median_ignores_a_disturbed_run_and_the_mean_does_not",
    witness=lambda: of_runs(1, 2, 9).median == 2,
)
def median_is_the_mean(patch):
    """The median of a measurement is the mean."""
    patch.setattr(common.Measurement, "median", property(lambda found: found.mean))


@mutant(
    kills="test_the_median_ignores_a_disturbed_run_and_the_mean_does_not",
    witness=lambda: of_runs(3, 1, 2).median == 2,
)
def median_takes_the_middle_without_sorting(patch):
    """The median of a measurement is the run in the middle, as they came."""
    patch.setattr(common.Measurement, "median", property(lambda found: found.times[len(found.times) // 2]))


@mutant(
    kills="test_the_median_ignores_a_disturbed_run_and_the_mean_does_not",
    witness=lambda: of_runs(1, 2, 3, 4, 90).mean == 20,
)
def mean_leaves_out_the_slowest(patch):
    """The mean of a measurement leaves out its slowest run."""

    def trimmed(found):
        times = sorted(found.times)[:-1] or found.times
        return sum(times) / len(times)

    patch.setattr(common.Measurement, "mean", property(trimmed))


@mutant(
    kills="test_the_median_ignores_a_disturbed_run_and_the_mean_does_not",
    witness=lambda: of_runs(1, 2, 3, 4, 90).iqr == 2,
)
def iqr_is_the_whole_range(patch):
    """The IQR of a measurement is the distance from its least to its greatest run."""
    patch.setattr(common.Measurement, "iqr", property(lambda found: max(found.times) - min(found.times)))


def blocks(seconds):
    clock = Clock()
    return len(benchmark.Timer("c.take(2)", timer=clock, globals={"c": clock}).blocked_autorange(None, seconds).times)


@mutant(
    kills="test_the_median_ignores_a_disturbed_run_and_the_mean_does_not",
    witness=lambda: blocks(7) == 4,
)
def autorange_stops_one_run_too_early(patch):
    """`blocked_autorange` leaves out the run with which its time is over."""
    original = benchmark.Timer.blocked_autorange

    def changed(timer, callback=None, min_run_time=0.2):
        found = original(timer, callback, min_run_time)
        return common.Measurement(found.number_per_run, found.raw_times[:-1], found.task_spec)

    patch.setattr(benchmark.Timer, "blocked_autorange", changed)


# who waits for whom


def order_and_ask():
    """Whether work that cannot start yet is done, and its result once it could."""
    may_start = Event()

    def work():
        may_start.wait()
        return 42

    with ThreadPoolExecutor(max_workers=1) as pool:
        result = pool.submit(work)
        done = result.done()
        may_start.set()
        return done, result.result()


@mutant(
    kills="test_a_timer_around_an_order_stops_before_the_work_is_done",
    witness=lambda: order_and_ask() == (False, 42),
)
def future_is_always_done(patch):
    """`Future.done` is true as soon as the work is ordered."""
    patch.setattr(Future, "done", lambda future: True)


@mutant(
    kills="test_a_timer_around_an_order_stops_before_the_work_is_done",
    witness=lambda: order_and_ask() == (False, 42),
)
def future_result_is_lost(patch):
    """`Future.result` waits and returns nothing."""
    result = Future.result
    patch.setattr(Future, "result", lambda future, timeout=None: result(future, timeout) and None)


@mutant(
    kills="test_a_timer_around_an_order_stops_before_the_work_is_done",
    witness=lambda: order_and_ask() == (False, 42),
)
def submit_waits_for_the_work(patch):
    """`submit` returns when the work is done; what the work waits for is let go, or it would never be."""
    submit = ThreadPoolExecutor.submit

    def changed(pool, function, *args, **options):
        for cell in function.__closure__ or ():
            if isinstance(cell.cell_contents, Event):
                cell.cell_contents.set()
        future = submit(pool, function, *args, **options)
        future.result()
        return future

    patch.setattr(ThreadPoolExecutor, "submit", changed)


@mutant(
    kills="test_one_line_synchronises_any_device",
    witness=lambda: torch.cpu.synchronize() is None,
    raises=RuntimeError,
)
def synchronize_raises_on_the_cpu(patch):
    """`torch.cpu.synchronize` raises: there is nothing to wait for."""

    def changed(device=None):
        raise RuntimeError("the CPU cannot be synchronized")

    patch.setattr(torch.cpu, "synchronize", changed)


@mutant(kills="test_one_line_synchronises_any_device", witness=lambda: torch.cpu.synchronize() is None)
def synchronize_returns_the_device(patch):
    """`torch.cpu.synchronize` returns a device."""
    patch.setattr(torch.cpu, "synchronize", lambda device=None: torch.device("cpu"))


def recorded_on_the_cpu():
    try:
        torch.Event("cpu").record()
    except RuntimeError:
        return False
    return True


@mutant(kills="test_the_cpu_has_no_events", witness=lambda: not recorded_on_the_cpu())
def cpu_event_is_recorded(patch):
    """`torch.Event("cpu").record()` does nothing, as on a device that is done at once."""

    class Event(torch.Event):
        def record(self, stream=None):
            return None

    patch.setattr(torch, "Event", Event)


@mutant(kills="test_the_cpu_has_no_events", witness=lambda: torch.Event("cpu").query())
def cpu_event_is_never_done(patch):
    """An event on the CPU says that work is left."""

    class Event(torch.Event):
        def query(self):
            return False

    patch.setattr(torch, "Event", Event)


def profiled():
    with torch.autograd.profiler.profile(use_kineto=False) as profiler:
        torch.ones(2) + 1
    (line,) = [line for line in profiler.key_averages() if line.key == "aten::add"]
    return line.count, getattr(line, "device_time_total", None), hasattr(line, "cuda_time_total")


@mutant(kills="test_the_profiler_says_device_time", witness=lambda: profiled() == (1, 0, False))
def profiler_says_cuda_time_too(patch):
    """The lines of the profiler have their device time by the old name, too."""
    lines = torch.autograd.profiler_util.FunctionEventAvg
    patch.setattr(lines, "cuda_time_total", property(lambda line: line.device_time_total), raising=False)


@mutant(kills="test_the_profiler_says_device_time", witness=lambda: profiled() == (1, 0, False))
def profiler_counts_cpu_time_as_device_time(patch):
    """The device time of the profiler has the time of the CPU in it."""

    def change(self, call, *arguments, **options):
        averages = call(*arguments, **options)
        for line in averages:
            line.device_time_total += line.cpu_time_total
        return averages

    patch.method(torch.autograd.profiler.profile, "key_averages", change)


@mutant(kills="test_the_profiler_says_device_time", witness=lambda: profiled() == (1, 0, False))
def profiler_counts_calls_twice(patch):
    """The profiler counts each call twice."""

    def change(self, call, *arguments, **options):
        averages = call(*arguments, **options)
        for line in averages:
            line.count *= 2
        return averages

    patch.method(torch.autograd.profiler.profile, "key_averages", change)


def accelerator():
    """The kind of accelerator that is here, and the module of torch for it."""
    for name in ("cuda", "mps", "xpu"):
        module = getattr(torch, name, None)
        if module is not None and (torch.backends.mps if name == "mps" else module).is_available():
            return name, module
    raise RuntimeError("there is no accelerator here")


def is_done_after(wait, products=100):
    """Whether large products are done on the accelerator after `wait(one number of the result)`."""
    name, module = accelerator()
    matrix = torch.full((2048, 2048), 2.0**-11, device=name)
    result = matrix @ matrix
    wait_for_all = module.Event()
    event = module.Event()
    for _ in range(products):
        result = result @ matrix
    event.record()
    wait(result[0, 0])
    done = event.query()
    wait_for_all.record()
    wait_for_all.synchronize()
    return done


@mutant(
    kills="test_an_unsynchronised_timer_stops_before_the_device_is_done",
    witness=lambda: is_done_after(lambda number: accelerator()[1].synchronize()),
)
def synchronize_does_not_wait(patch):
    """`synchronize` of an accelerator returns at once."""
    patch.setattr(accelerator()[1], "synchronize", lambda device=None: None)


@mutant(
    kills="test_reading_a_value_waits_for_the_device",
    witness=lambda: is_done_after(torch.Tensor.item),
)
def reading_does_not_wait(patch):
    """Reading a number from an accelerator returns what it will be, at once."""
    number = torch.tensor(6.0)
    patch.function("item", "cpu", "tolist", "__bool__", change=lambda call, x: call(number))


@mutant(
    kills="test_torch_benchmark_synchronises_by_itself",
    witness=lambda: is_done_after(lambda number: benchmark.Timer("x + 1", globals={"x": number}).timeit(1)),
)
def benchmark_does_not_wait_for_the_device(patch):
    """torch's Timer reads its clock without waiting for the accelerator."""
    original = benchmark.Timer.__init__

    def changed(self, stmt="pass", setup="pass", global_setup="", timer=timeit.default_timer, **options):
        original(self, stmt, setup, global_setup, timer, **options)

    patch.setattr(benchmark.Timer, "__init__", changed)


def broken_work():
    """Whether an order that cannot be carried out raises when it is given, and when somebody waits."""

    def broken():
        raise KeyError

    with ThreadPoolExecutor(max_workers=1) as pool:
        try:
            future = pool.submit(broken)
        except KeyError:
            return True, False
        return False, raises(KeyError, future.result)


ERROR = "test_an_error_of_ordered_work_shows_where_somebody_waits"


@mutant(kills=ERROR, witness=lambda: broken_work() == (False, True))
def future_swallows_the_error(patch):
    """`Future.result` of work that failed is None."""
    result = Future.result

    def changed(future, timeout=None):
        return None if future.exception(timeout) else result(future)

    patch.setattr(Future, "result", changed)


@mutant(kills=ERROR, witness=lambda: broken_work() == (False, True), raises=IndexError)
def submit_raises_the_error(patch):
    """`submit` raises what the work raises, at once."""
    submit = ThreadPoolExecutor.submit

    def changed(pool, function, *arguments, **options):
        for cell in getattr(function, "__closure__", None) or ():
            if isinstance(cell.cell_contents, Event):
                cell.cell_contents.set()
        future = submit(pool, function, *arguments, **options)
        if error := future.exception():
            raise error
        return future

    patch.setattr(ThreadPoolExecutor, "submit", changed)


def milliseconds_and_seconds():
    module = accelerator()[1]
    start, end = module.Event(enable_timing=True), module.Event(enable_timing=True)
    before = timeit.default_timer()
    start.record()
    is_done_after(torch.Tensor.item, products=10)
    end.record()
    module.synchronize()
    return start.elapsed_time(end), timeit.default_timer() - before


def fits():
    milliseconds, seconds = milliseconds_and_seconds()
    return seconds < milliseconds


def change_elapsed_time(patch, factor):
    event = accelerator()[1].Event
    elapsed_time = event.elapsed_time
    patch.setattr(event, "elapsed_time", lambda start, end: elapsed_time(start, end) * factor)


@mutant(kills="test_events_tell_the_devices_own_time", witness=fits)
def elapsed_time_is_in_seconds(patch):
    """`elapsed_time` returns seconds."""
    change_elapsed_time(patch, 1e-3)


def fits_in():
    milliseconds, seconds = milliseconds_and_seconds()
    return milliseconds / 1000 <= seconds


@mutant(kills="test_events_tell_the_devices_own_time", witness=fits_in)
def elapsed_time_is_in_microseconds(patch):
    """`elapsed_time` returns microseconds."""
    change_elapsed_time(patch, 1e3)


def refuses_without_timing():
    start, end = torch.cuda.Event(), torch.cuda.Event()
    start.record()
    end.record()
    torch.cuda.synchronize()
    return raises((RuntimeError, ValueError), lambda: start.elapsed_time(end))


@mutant(kills="test_events_do_not_tell_the_time_unless_asked_to", witness=refuses_without_timing)
def event_without_timing_says_zero(patch):
    """`elapsed_time` of events that keep no time is 0."""
    elapsed_time = torch.cuda.Event.elapsed_time

    def changed(start, end):
        try:
            return elapsed_time(start, end)
        except (RuntimeError, ValueError):
            return 0.0

    patch.setattr(torch.cuda.Event, "elapsed_time", changed)


def stream_waits():
    default, side = torch.cuda.current_stream(), torch.cuda.Stream()
    torch.cuda._sleep(10_000_000)
    side.wait_stream(default)
    waits = not side.query()
    torch.cuda.synchronize()
    return waits


@mutant(kills="test_a_stream_waits_for_another_only_if_told_to", witness=stream_waits)
def wait_stream_does_not_wait(patch):
    """`Stream.wait_stream` does nothing."""
    patch.setattr(torch.cuda.Stream, "wait_stream", lambda stream, other: None)


def forbids_to_wait():
    number = torch.ones((), device="cuda")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.cuda.set_sync_debug_mode("error")
        try:
            return raises(RuntimeError, number.item)
        finally:
            torch.cuda.set_sync_debug_mode("default")


@mutant(kills="test_hidden_waits_can_be_found", witness=forbids_to_wait)
def sync_debug_mode_does_nothing(patch):
    """`set_sync_debug_mode` changes nothing."""
    patch.setattr(torch.cuda, "set_sync_debug_mode", lambda mode: None)


def median_of_long_runs():
    clock, costs = Clock(), iter([7, 90, 8, 8, 8, 8, 8, 8])
    names = {"clock": clock, "costs": costs}
    return benchmark.Timer("clock.take(next(costs))", timer=clock, globals=names).blocked_autorange(None, 50).median


@mutant(
    kills="test_the_median_ignores_a_disturbed_run_and_the_mean_does_not",
    witness=lambda: median_of_long_runs() == 90,
)
def autorange_measures_three_times_at_least(patch):
    """`blocked_autorange` measures three times at least, however long that takes."""
    original = benchmark.Timer.blocked_autorange

    def changed(timer, callback=None, min_run_time=0.2):
        found = original(timer, callback, min_run_time)
        if len(found.times) >= 3:
            return found
        more = [timer.timeit(1).times[0] for _ in range(2)]
        return common.Measurement(1, [*found.times, *more], found.task_spec)

    patch.setattr(benchmark.Timer, "blocked_autorange", changed)


@mutant(
    kills="test_a_statement_sees_only_what_it_is_given",
    witness=lambda: not raises(NameError, lambda: timeit.timeit("repeat", number=1)),
    raises=NameError,
)
def timeit_hides_its_own_names(patch):
    """A statement sees nothing of the module timeit."""

    def changed(call, this, stmt="pass", setup="pass", timer=timeit.default_timer, globals=None):
        call(this, stmt, setup, timer, {} if globals is None else globals)

    patch.around(timeit.Timer, "__init__", changed)


def setups_of_a_timer():
    made = []
    benchmark.Timer("pass", "made.append(1)", globals={"made": made}).timeit(5)
    return len(made)


@mutant(
    kills="test_torch_benchmark_runs_the_setup_again_before_it_measures",
    witness=lambda: setups_of_a_timer() == 2,
    raises=IndexError,
)
def benchmark_sets_up_once(patch):
    """torch's Timer runs its setup once, before the warm-up."""

    def changed(call, this, stmt="pass", setup="pass", *, globals=None, **options):
        names = dict(globals or {})
        exec(setup, names)
        call(this, stmt, globals=names, **options)

    patch.around(benchmark.Timer, "__init__", changed)


@mutant(
    kills="test_the_median_ignores_a_disturbed_run_and_the_mean_does_not",
    witness=lambda: of_runs(3, 90, 2, 4, 5).median == 4,
)
def median_leaves_out_the_slowest(patch):
    """The median of a measurement is the middle, or the lower of the two in the middle, of all runs but the slowest."""

    def trimmed(found):
        times = sorted(found.times)[:-1] or found.times
        return times[(len(times) - 1) // 2]

    patch.setattr(common.Measurement, "median", property(trimmed))


def error_of_waiting():
    with ThreadPoolExecutor(max_workers=1) as pool:
        return raises(ZeroDivisionError, lambda: wait([pool.submit(divmod, 1, 0)]))


@mutant(
    kills="test_an_error_of_ordered_work_shows_where_somebody_waits",
    witness=lambda: not error_of_waiting(),
    raises=IndexError,
)
def wait_raises_the_error_of_the_work(patch):
    """`concurrent.futures.wait` raises the error of the work that it waits for."""

    def broken(futures, *args, **options):
        found = wait_for(futures, *args, **options)
        for future in found.done:
            future.result()
        return found

    wait_for = wait
    patch.everywhere(wait, broken)


# What people run into


@mutant(
    kills="test_torch_benchmark_timeit_gives_one_time",
    witness=lambda: len(benchmark.Timer("pass").timeit(4).times) == 1,
)
def benchmark_timeit_keeps_each_run(patch):
    """`timeit` of torch's Timer gives a time for each of its runs."""

    def broken(self, call, number=1_000_000):
        found = call(number)
        found.raw_times = found.raw_times * number
        return found

    patch.method(benchmark.Timer, "timeit", broken)


@mutant(
    kills="test_torch_benchmark_timeit_gives_one_time",
    witness=lambda: raises(NotImplementedError, benchmark.Timer("pass").repeat),
)
def benchmark_repeats(patch):
    """torch's Timer has `repeat`."""
    patch.setattr(benchmark.Timer, "repeat", lambda self, repeat=5, number=1: [])


@mutant(
    kills="test_torch_accelerator_synchronises_if_there_is_one",
    witness=lambda: raises(RuntimeError, torch.accelerator.synchronize),
    cpu_only=True,
)
def synchronising_needs_no_accelerator(patch):
    """`torch.accelerator.synchronize()` does nothing."""
    patch.setattr(torch.accelerator, "synchronize", lambda device=None: None)


@mutant(
    kills="test_the_profiler_has_no_use_cuda",
    witness=lambda: raises(TypeError, lambda: torch.autograd.profiler.profile(use_cuda=False)),
)
def profiler_takes_use_cuda(patch):
    """`torch.autograd.profiler.profile` takes `use_cuda`, and ignores it."""
    patch.method(
        torch.autograd.profiler.profile,
        "__init__",
        lambda self, call, *arguments, use_cuda=None, **options: call(*arguments, **options),
    )


def product_profiled():
    with torch.autograd.profiler.profile(use_kineto=False) as profiler:
        torch.matmul(torch.ones(2, 2), torch.ones(2, 2))
    return next(line for line in profiler.key_averages() if line.key == "aten::matmul")


@mutant(
    kills="test_a_total_of_the_profiler_contains_the_parts",
    witness=lambda: (line := product_profiled()).cpu_time_total > line.self_cpu_time_total,
)
def totals_leave_the_parts_out(patch):
    """In `key_averages()` the total of a line is its own time alone."""

    def broken(self, call, *arguments, **options):
        lines = call(*arguments, **options)
        for line in lines:
            line.cpu_time_total = line.self_cpu_time_total
        return lines

    patch.method(torch.autograd.profiler.profile, "key_averages", broken)


def in_microseconds():
    start = time.perf_counter()
    total = product_profiled().cpu_time_total
    return total / 1_000_000 <= time.perf_counter() - start


@mutant(kills="test_a_total_of_the_profiler_contains_the_parts", witness=in_microseconds)
def profiler_counts_nanoseconds(patch):
    """The profiler tells the time in nanoseconds."""

    def broken(self, call, *arguments, **options):
        lines = call(*arguments, **options)
        for line in lines:
            line.cpu_time_total = line.cpu_time_total * 1000
        return lines

    patch.method(torch.autograd.profiler.profile, "key_averages", broken)


@mutant(
    kills="test_denormal_numbers_are_kept_unless_told_otherwise",
    witness=lambda: (torch.tensor([1e-30]) * 1e-9).item() > 0,
)
def denormal_numbers_are_always_flushed(patch):
    """The CPU makes 0 of denormal numbers without being told to."""
    flush = torch.set_flush_denormal

    @contextlib.contextmanager
    def flushing():
        flush(True)
        try:
            yield
        finally:
            flush(False)

    patch.enter(flushing())
    patch.setattr(torch, "set_flush_denormal", lambda on: True)


def of_a_thread_that_ran_before():
    with ThreadPoolExecutor(max_workers=1) as pool:
        pool.submit(int).result()
        torch.set_flush_denormal(True)
        try:
            return pool.submit(lambda: (torch.tensor([1e-30]) * 1e-9).item()).result()
        finally:
            torch.set_flush_denormal(False)


@mutant(
    kills="test_denormal_numbers_are_kept_unless_told_otherwise",
    witness=lambda: of_a_thread_that_ran_before() > 0,
)
def every_thread_flushes_denormal_numbers(patch):
    """`torch.set_flush_denormal(True)` goes for the threads that run already, too."""
    flush, on = torch.set_flush_denormal, []

    def times(call, *factors):
        flush(bool(on))
        return call(*factors)

    patch.around(torch.Tensor, "__mul__", times)
    patch.setattr(torch, "set_flush_denormal", lambda mode: (on.append(1) if mode else on.clear()) or flush(mode))
