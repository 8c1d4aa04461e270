"""A pytest plugin that breaks one thing in the harness: the one that the environment variable BROKEN names.

test_broken.py loads it to see that the tests of the harness notice.
"""

import contextlib
import os

import pytest


def a_device_is_forgotten(patch):
    """With more than one device, notes do not run on the last."""
    discover = devices.discover
    patch(devices, "discover", lambda wanted: discover(wanted)[: max(1, len(discover(wanted)) - 1)])


def a_device_that_cannot_compute_passes_the_probe(patch):
    """The probe allocates, but does not look at what was computed."""
    probe = devices.probe
    patch(devices, "probe", lambda name: None if (probe(name) or "").startswith("a product") else probe(name))


def a_listing_looks_for_devices(patch):
    """--collect-only discovers and probes like a run."""
    device = devices.Device
    patch(devices, "Device", lambda name, problem=None: device(name, problem or devices.probe(name)))


def skips_count_as_held(patch):
    """The census takes a skipped note for one that held."""
    count = census.Census.pytest_runtest_logreport

    def generous(self, report):
        if not report.skipped:
            count(self, report)
        elif report.when == "setup":
            report.outcome = "passed"
            count(self, report)
            report.outcome = "skipped"

    patch(census.Census, "pytest_runtest_logreport", generous)


def problems_do_not_fail_the_run(patch):
    """What the census finds wrong is printed, and the exit code stays 0."""
    patch(census.Census, "pytest_sessionfinish", lambda self, session: None)


def leaks_are_mended_in_silence(patch):
    """Isolation restores what a note left, and does not report it."""
    restore = isolation.restore
    patch(isolation, "restore", lambda before: restore(before) and [])


def leaks_are_reported_and_stay(patch):
    """Isolation reports what a note left, and does not restore it."""
    patch(
        isolation,
        "restore",
        lambda before: [name for name, state in isolation.snapshot().items() if state != before[name]],
    )


def notes_go_on_with_the_random_numbers_of_the_last(patch):
    """Only the first note starts from the seed."""
    seeded = []
    seed = isolation.seed_everything
    patch(isolation, "seed_everything", lambda *given: None if seeded else (seeded.append(1), seed(*given)))


def the_other_side_is_skipped(patch):
    """A note on the other side of its boundary is skipped and not run."""
    apply = boundaries.pytest_itemcollected

    def lazy(item):
        apply(item)
        if any(marker.name == "xfail" for marker in item.own_markers):
            item.add_marker(pytest.mark.skip(reason="another version"))

    patch(boundaries, "pytest_itemcollected", lazy)


def only_the_first_boundary_counts(patch):
    """Of stacked `holds` markers only one is looked at."""
    every = boundaries.of
    patch(boundaries, "of", lambda item, *names: every(item, *names)[: 1 if names == ("holds",) else None])


def versions_are_compared_as_text(patch):
    """`==` is met by every version that begins like it."""
    is_met = versions.is_met

    def begins_like(requirement):
        (part, *more) = requirement.specifier or [None]
        if part is None or more or part.operator != "==":
            return is_met(requirement)
        return str(versions.installed(requirement.name)).startswith(part.version.removesuffix(".*"))

    patch(versions, "is_met", begins_like)


def a_missing_package_is_no_matter(patch):
    """A section whose package is missing does not fail the run."""
    real = census.Census

    patch(census, "Census", lambda machine, allow_missing, *more: real(machine, True, *more))


def causes_are_recited(patch):
    """The same likely cause is given for every failure."""
    patch(failures, "causes", lambda item: ["the belief itself: nothing was looked at"])


def the_bound_is_twice_as_wide(patch):
    """Rounding errors may be twice as large as they can be."""
    bound = numerics.rounding_bound
    patch(numerics, "rounding_bound", lambda *given, **options: 2 * bound(*given, **options))


def a_driver_is_initialised_by_asking(patch):
    """Discovery does not ask CUDA to count its devices through NVML."""
    patch(devices, "_asking_only", contextlib.nullcontext)


def absence_is_not_explained(patch):
    """A device that was asked for and is not there is refused without a cause."""
    patch(diagnosis, "of_absence", lambda device_type: "")


def a_lost_device_is_used_again(patch):
    """Notes go on with a device that cannot compute any more."""
    patch(devices, "pytest_runtest_setup", lambda item: None)


def one_note_on_a_device_is_enough(patch):
    """However many notes must have run on a device, one of them satisfies."""
    ran_on = census.Census.ran_on
    patch(census.Census, "ran_on", lambda census, name: range(1000) if ran_on(census, name) else ())


def what_is_simulated_counts_as_cuda(patch):
    """The column of the simulated device is that of the real one."""
    of = devices.of
    patch(devices, "of", lambda item: "cuda" if of(item) == verdicts.SIMULATED else of(item))


def announcements_are_dropped(patch):
    """A change that is announced to a note is no finding."""
    patch(census, "ANNOUNCEMENTS", ())


def a_record_forgets_failures(patch):
    """What failed is not in the record."""
    document = recording.document

    def kind(config, census):
        census.outcomes = {name: outcome for name, outcome in census.outcomes.items() if outcome.verdict != "failed"}
        return document(config, census)

    patch(recording, "document", kind)


def a_crossed_boundary_is_no_change(patch):
    """Between two records only failures count."""
    kind_of = compare.kind_of
    patch(
        compare, "kind_of", lambda *pair: kind if (kind := kind_of(*pair)) in (compare.BROKE, compare.MENDED) else None
    )


def a_ratio_is_one_of_medians(patch):
    """The medians of two entries are compared, and not what they took in the same round."""
    patch(timing.Ratio, "of", classmethod(lambda cls, one, other: cls(*[one.median / other.median] * 3)))


def a_launch_is_taken_for_the_work(patch):
    """A race does not wait for the device."""
    patch(timing._Block, "synchronize", property(lambda block: lambda: None, lambda block, value: None))


MUTANTS = {name: value for name, value in globals().items() if getattr(value, "__module__", None) == __name__}


def pytest_configure(config):
    """Break what BROKEN names in the run of the tests; the runs they try share its process and are broken with it."""
    from torchnotes import verdicts
    from torchnotes.changes import compare
    from torchnotes.harness import (
        boundaries,
        census,
        devices,
        diagnosis,
        failures,
        isolation,
        numerics,
        recording,
        simulation,
        versions,
    )
    from torchnotes.measuring import timing

    globals().update(locals())
    if name := os.environ.pop("BROKEN", None):
        MUTANTS[name](setattr)
