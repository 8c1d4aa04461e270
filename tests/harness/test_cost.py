"""`nox -s cost`: what it times is what it says, and its figures follow from the times."""

import re
import sys

import pytest

from tests.benchmarks import cost


def runs(*seconds, output=""):
    return [cost.Run(each, 100.0, output) for each in seconds]


def lines(text):
    return "\n".join(text)


def test_the_ratio_is_that_of_each_round_and_has_its_range():
    report = lines(cost.of_self_check({"import": runs(2, 2, 4), "self-check": runs(4, 5, 8)}))

    assert re.search(r"^import +2\.00 s, 100 MiB at its peak \(median of 3 processes\)$", report, re.MULTILINE)
    assert re.search(r"^self-check +5\.00 s", report, re.MULTILINE)
    assert re.search(r"^ratio +2\.00 \(2\.00 to 2\.50\); at most 2 is the aim$", report, re.MULTILINE)
    assert "speed-up of -n 2: not measured, pytest-xdist is not installed" in report


def test_the_slowest_notes_are_those_that_pytest_names():
    output = (
        "....\n0.50s call     tests/notes/test_a.py::test_slow\n0.10s setup    tests/notes/test_a.py::test_b\n4 passed"
    )
    timed = {"import": runs(1), "self-check": runs(2, output=output), "self-check -n 2": runs(1.5)}

    report = lines(cost.of_self_check(timed))

    assert report.endswith("the ten slowest:\n" + "\n".join(output.splitlines()[1:3]))
    assert "speed-up of -n 2 1.33 (1.33 to 1.33)" in report


def growth(late=1.0, devices=1.0):
    """Times of notes that cost 2 ms each at first and `late` times as much beyond 500, over a second for the rest."""
    few, more, many = cost.NOTES
    at = {few: 1 + 0.002 * few, more: 1 + 0.002 * more}
    at[many] = at[more] + 0.002 * late * (many - more)
    timed = {("notes", number): runs(seconds) for number, seconds in at.items()}
    timed |= {
        ("devices", number): runs(at[more] + 0.002 * devices * more * (number - 1)) for number in cost.DEVICES[1:]
    }
    seven, seventy = cost.EXAMPLES
    timed[("examples", seven)] = runs(1.5)
    timed[("examples", seventy)] = runs(1.5 + 0.0001 * cost.PROPERTIES * (seventy - seven))
    return lines(cost.of_growth(timed))


def test_what_is_linear_is_said_to_be_so():
    report = growth()

    assert "a note more, up to 500: 2.00 (2.00 to 2.00) ms; up to 5000: 2.00 (2.00 to 2.00) ms" in report
    assert "the latter in terms of the former: 1.00 (1.00 to 1.00); 1 is linear" in report
    assert "500 notes on 4 devices: 2.50 (2.50 to 2.50) times as long as on one, 2.00 (2.00 to 2.00) ms a" in report
    assert "100 properties with 70 examples: 1.42 (1.42 to 1.42) times as long as with 7, 0.10 (0.10" in report


def test_what_is_not_linear_shows():
    assert "the latter in terms of the former: 3.00 (3.00 to 3.00)" in growth(late=3)
    assert "500 notes on 2 devices: 1.25 (1.25 to 1.25) times as long" in growth(devices=0.5)


@pytest.mark.parametrize(
    ("size", "passed"), [({"notes": 3}, 3), ({"notes": 3, "devices": 2}, 6), ({"properties": 2, "examples": 5}, 2)]
)
def test_a_project_has_so_many_notes_that_all_hold(tmp_path, size, passed):
    run = cost.measure(cost.write_project(tmp_path, **size))

    assert re.search(rf"^{passed} passed in ", run.output, re.MULTILINE), run.output
    assert run.seconds > 0


def test_a_process_that_fails_is_no_measurement(tmp_path):
    command = cost.Command((sys.executable, "-c", "print('so it was'); raise SystemExit(3)"), tmp_path)

    with pytest.raises(SystemExit, match=r"(?s)failed with exit code 3: nothing was measured.*so it was"):
        cost.measure(command)


def test_every_kind_of_process_takes_its_turn_in_each_round(monkeypatch):
    asked = []
    monkeypatch.setattr(cost, "measure", lambda command: asked.append(command) or cost.Run(1.0, None, ""))

    found = cost.in_turns({"one": 1, "other": 2}, rounds=2)

    assert asked == [1, 2] * 3  # once to warm up, and then two rounds
    assert {name: len(some) for name, some in found.items()} == {"one": 2, "other": 2}
