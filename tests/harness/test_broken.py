"""The harness is tested by tests that can fail: each broken part of it is noticed by one of them."""

import os
import subprocess
import sys
from pathlib import Path

import broken
import pytest

HERE = Path(__file__).parent
NOTICED_BY = {
    "a_device_is_forgotten": "test_command_line.py::test_a_note_runs_once_on_each_chosen_device",
    "a_device_that_cannot_compute_passes_the_probe": "test_devices.py::test_a_device_that_computes_something_else",
    "a_listing_looks_for_devices": "test_command_line.py::test_a_listing_looks_at_no_device",
    "a_driver_is_initialised_by_asking": "test_devices.py::test_asking_for_devices",
    "skips_count_as_held": "test_summary.py::test_claims_are_counted",
    "problems_do_not_fail_the_run": "test_summary.py::test_no_note_on_a_required_device",
    "leaks_are_mended_in_silence": "test_isolation.py::test_a_leak_fails_the_note",
    "leaks_are_reported_and_stay": "test_isolation.py::test_a_leak_fails_the_note",
    "notes_go_on_with_the_random_numbers_of_the_last": "test_command_line.py::test_every_note_starts_from_the_seed",
    "the_other_side_is_skipped": "test_claims.py::test_a_note_runs_on_both_sides",
    "only_the_first_boundary_counts": "test_claims.py::test_a_note_runs_on_both_sides",
    "versions_are_compared_as_text": "test_command_line.py::test_an_expectation_that_is_not_met",
    "a_missing_package_is_no_matter": "test_claims.py::test_a_boundary_of_a_package",
    "causes_are_recited": "test_failures.py::test_a_numpy_that_torch_cannot_use",
    "absence_is_not_explained": "test_diagnosis.py::test_why_there_is_no_cuda",
    "a_lost_device_is_used_again": "test_devices.py::test_after_a_device_is_lost",
    "one_note_on_a_device_is_enough": "test_devices.py::test_a_run_can_state",
    "what_is_simulated_counts_as_cuda": "test_simulation.py::test_what_is_simulated_does_not_count",
    "announcements_are_dropped": "test_summary.py::test_an_announced_change",
    "a_record_forgets_failures": "test_record.py::test_everything_is_in_it",
    "a_crossed_boundary_is_no_change": "test_page.py::test_each_way_an_outcome_can_change",
    "a_ratio_is_one_of_medians": "test_timing.py::test_the_interval_is_that_of_the_median",
    "a_launch_is_taken_for_the_work": "test_timing.py::test_what_a_device_still_has_to_do",
    "the_bound_is_twice_as_wide": "test_numerics.py::test_one_operation",
}


def run(name, test):
    file, _, words = test.partition("::")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST_")}
    environment |= {"BROKEN": name, "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent.parent)])}
    command = [sys.executable, "-m", "pytest", "-p", "broken", "-p", "no:cacheprovider", "-q", "-x", "--tb=line"]
    return subprocess.run(
        [*command, "-k", f"{words} and not two", str(HERE / file)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_every_mutant_of_the_harness_is_tried():
    assert set(NOTICED_BY) == set(broken.MUTANTS)


@pytest.mark.parametrize("name", NOTICED_BY)
def test_a_harness_that_is_broken_is_noticed(name):
    result = run(name, NOTICED_BY[name])

    assert result.returncode == pytest.ExitCode.TESTS_FAILED, result.stdout + result.stderr
    assert " failed" in result.stdout.splitlines()[-1]
