"""`python -m torchnotes`: records that are read or refused, and what is said of two or more of them."""

import json
import subprocess
import sys

import pytest
from builders import ROOT, a_record, broken, command, elsewhere, failed, held, note, unchecked, written

from torchnotes.changes import compare, counts
from torchnotes.record import reader


def kinds(before, after):
    return [(change.kind, change.note, change.device) for change in compare.changes(before, after)]


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        (held(), held(), None),
        (failed(), failed(), None),
        (elsewhere(), elsewhere(), None),
        (unchecked(), unchecked(), None),
        (held(), failed(), "fails now"),
        (elsewhere(), failed(), "fails now"),
        (failed(), held(), "holds again"),
        (held(), elsewhere(), "no longer true"),
        (failed(), elsewhere(), "no longer true"),
        (elsewhere(), held(), "true now"),
        (held(), unchecked(), "checked in one run only"),
        (unchecked(), failed(), "checked in one run only"),
        (held(), held(will_change=["FutureWarning: soon"]), "will change"),
        (held(will_change=["FutureWarning: soon"]), held(), "no longer announced"),
        (held(will_change=["FutureWarning: soon"]), held(will_change=["FutureWarning: soon"]), None),
    ],
)
def test_each_way_an_outcome_can_change_has_its_name(before, after, kind):
    found = kinds(a_record(note("test_it", before)), a_record(note("test_it", after)))

    assert found == ([(kind, "test_it", "cpu")] if kind else [])


def test_the_worst_case_of_a_note_counts():
    before = a_record(note("test_it", held(), held()))
    after = a_record(note("test_it", held(), failed(reason="the second row")))

    (change,) = compare.changes(before, after)

    assert (change.kind, change.reason) == ("fails now", "the second row")


def test_each_device_is_compared_with_itself():
    before = a_record(note("test_it", held("cpu"), held("cuda")))
    after = a_record(note("test_it", held("cpu"), failed("cuda")))

    assert kinds(before, after) == [("fails now", "test_it", "cuda")]


def test_a_note_or_a_device_of_one_run_only_is_named():
    before = a_record(note("test_old", held()), note("test_both", held()), note("test_gpu", unchecked("accelerator")))
    after = a_record(note("test_both", held(), held("cuda")), note("test_new", held()), note("test_gpu", held("cuda")))

    assert sorted(kinds(before, after)) == [
        ("checked in one run only", "test_both", "cuda"),
        ("checked in one run only", "test_gpu", "cuda"),
        ("checked in one run only", "test_new", "cpu"),
        ("checked in one run only", "test_old", "cpu"),
    ]


def test_the_gravest_comes_first_and_then_the_order_of_reading():
    one = note("test_b", held()), note("test_a", held()), note("test_c", elsewhere(), section="02 second")
    other = note("test_b", elsewhere()), note("test_a", elsewhere()), note("test_c", failed(), section="02 second")

    assert [name for _, name, _ in kinds(a_record(*one), a_record(*other))] == ["test_c", "test_b", "test_a"]


def test_among_boundaries_the_one_that_stops_code_comes_first():
    def crossed(name, *changes):
        markers = [
            {"name": "holds", "requirement": f"torch>=2.{6 + place}", "otherwise": ["TypeError"], "change": change}
            for place, change in enumerate(changes)
        ]
        return [
            {**note(name, outcome), "markers": markers}
            for outcome in (elsewhere(reason="holds only with torch>=2.6"), held())
        ]

    pairs = crossed("test_new", "new", "raises"), crossed("test_raises", "raises"), crossed("test_result", "result")
    before, after = (a_record(*notes) for notes in zip(*pairs, strict=True))

    found = compare.changes(before, after)
    assert [(change.note, change.crossing) for change in found] == [
        ("test_raises", "raises"),
        ("test_result", "result"),
        ("test_new", "new"),  # torch>=2.7 was not crossed
    ]
    assert "    an upgrade changes what code computes, without a word" in compare.as_text(before, after)


def test_a_boundary_that_begins_like_another_is_not_taken_for_it():
    markers = [
        {"name": "holds", "requirement": requirement, "otherwise": ["TypeError"], "change": change}
        for requirement, change in [("torch>=2.1", "raises"), ("torch>=2.13", "new")]
    ]
    before = a_record(
        note("test_it", elsewhere(reason="holds only with torch>=2.13 (here 2.9)")) | {"markers": markers}
    )
    after = a_record(note("test_it", held()) | {"markers": markers})

    (change,) = compare.changes(before, after)

    assert (change.boundary, change.crossing) == ("torch>=2.13", "new")


@pytest.mark.parametrize(
    ("requirement", "torches", "crossing"),
    [
        ("torch>=2.2,<2.15", ("2.1.0", "2.3.0"), "raises"),
        ("torch>=2.2,<2.15", ("2.3.0", "2.15.0"), "new"),
        ("torch>=2.2,<2.15", ("2.15.0", "2.3.0"), "new"),
        ("torch>=2.2,<2.15", ("2.3.0", "2.1.0"), "raises"),
        ("torch<2.15", ("2.3.0", "2.15.0"), "raises"),
    ],
)
def test_the_end_of_a_range_of_releases_does_the_opposite_of_its_beginning(requirement, torches, crossing):
    marker = {"name": "holds", "requirement": requirement, "otherwise": ["TypeError"], "change": "raises"}
    before, after = (
        a_record(
            note("test_it", held() if torch == "2.3.0" else elsewhere(reason=f"holds only with {requirement} (here)"))
            | {"markers": [marker]},
            torch=torch,
        )
        for torch in torches
    )

    (change,) = compare.changes(before, after)

    assert change.crossing == crossing


def test_the_number_of_a_process_in_an_announcement_is_no_change():
    before, after = (
        a_record(note("test_it", held(will_change=[f"DeprecationWarning: This process (pid={pid}) is multi-threaded"])))
        for pid in (123, 4567)
    )

    assert compare.changes(before, after) == []
    assert before.outcomes == after.outcomes


def test_every_effect_of_a_boundary_has_its_place_in_the_order():
    assert [crossing for crossings in compare.EFFECTS.values() for crossing in crossings] == [
        crossing for crossing in compare.CROSSINGS if crossing
    ]


def test_a_gpu_is_called_by_its_name():
    record = a_record(note("test_it", held(), held("cuda")))
    record.environment["devices"].append(
        {"name": "cuda", "description": "NVIDIA H200, sm_90, 140 GiB", "problem": None}
    )

    assert record.about()["devices"] == "cpu, cuda (NVIDIA H200)"


def test_the_text_says_it_in_words():
    claim = "A whole pickled model is not loaded unless one asks for it."
    before = a_record(note("test_load", elsewhere(), claim=claim), note("test_same", held()), torch="2.5.1")
    after = a_record(note("test_load", held(), claim=claim), note("test_same", held()), torch="2.6.0", numpy="2.1.0")

    assert list(compare.as_text(before, after)) == [
        "torch 2.5.1 -> torch 2.6.0",
        "  NumPy: 2.0.0 -> 2.1.0",
        "",
        "true now (1): a known boundary was crossed: you may rely on these from here on",
        f"  01 first: {claim}",
        "    test_load on cpu",
        "    holds only with torch>=2.6",
        "",
        "1 claim is as it was, 1 is not",
    ]


def test_what_fails_in_both_runs_is_said_and_is_no_change():
    record = a_record(note("test_it", failed()), note("test_other", held()))

    assert list(compare.as_text(record, record))[-2:] == [
        "1 note fails in both runs: test_it",
        "2 claims, and nothing changed",
    ]


def test_the_exit_code_says_whether_anything_changed(tmp_path):
    one = written(tmp_path, "one.json", a_record(note("test_it", held())))
    other = written(tmp_path, "other.json", a_record(note("test_it", failed())))

    same, changed = command("compare", one, one, cwd=tmp_path), command("compare", one, other, cwd=tmp_path)

    assert (same.returncode, changed.returncode) == (0, 1)
    assert "nothing changed" in same.stdout
    assert "fails now (1)" in changed.stdout
    assert same.stderr == changed.stderr == ""


def test_as_json_it_is_the_same_and_for_machines(tmp_path):
    one = written(tmp_path, "one.json", a_record(note("test_it", held(), claim="Ünïcode — “it” holds.")))
    other = written(tmp_path, "other.json", a_record(note("test_it", failed(), claim="Ünïcode — “it” holds.")))

    result = command("compare", one, other, "--json")

    assert result.returncode == 1
    document = json.loads(result.stdout)
    assert document["after"]["torch"] == "2.5.1"
    assert document["changes"] == [
        {
            "kind": "fails now",
            "section": "01 first",
            "note": "test_it",
            "claim": "Ünïcode — “it” holds.",
            "device": "cpu",
            "before": "held",
            "after": "failed",
            "reason": "assert 1 == 2",
            "crossing": "",
            "node": "tests/notes/test_01_first.py::test_it",
            "boundary": "",
        }
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot be read"),
        (b"", "is not whole JSON"),
        (b"\xff\xfe\x00", "is not a text in UTF-8"),
        (json.dumps(a_record(note("test_it", held())).document)[:-40].encode(), "is not whole JSON (line 1"),
        (b'{"a":' + b"1" * 5000 + b"}", "cannot be read (Exceeds the limit"),
        (b"[" * 200_000, "cannot be read ("),
        (
            broken(lambda d: d["environment"].update(torch="new")).encode(),
            "$.environment.torch: Invalid version: 'new'",
        ),
        (broken(lambda d: d["environment"]["packages"].pop("numpy")).encode(), "'numpy' is a required property"),
        (b"[1, 2]", "is not a record; make one with: pytest --record FILE"),
        (b'{"a": 1}', "is not a record; make one with: pytest --record FILE"),
        (b"null", "is not a record"),
        (broken(lambda d: d.update(version=2)).encode(), "version 2 is newer than what this `page` reads, 1"),
        (broken(lambda d: d.update(version="1")).encode(), "$.version"),
        (broken(lambda d: d.pop("notes")).encode(), "'notes' is a required property"),
        (broken(lambda d: d["notes"][0].pop("claim")).encode(), "$.notes[0]: 'claim' is a required property"),
        (broken(lambda d: d["notes"][0].update(results=[])).encode(), "$.notes[0].results"),
        (
            broken(lambda d: d["notes"][0]["results"][0].update(outcome="passed")).encode(),
            "$.notes[0].results[0].outcome: 'passed' is not one of",
        ),
        (broken(lambda d: d["notes"][0].update(markers=[{"name": "holds"}])).encode(), "$.notes[0].markers[0]"),
        (broken(lambda d: d["environment"].update(packages=[])).encode(), "$.environment.packages"),
    ],
)
def test_what_is_no_record_is_refused_with_its_file_and_reason(tmp_path, content, reason):
    good = written(tmp_path, "good.json", a_record(note("test_it", held())))
    bad = tmp_path / "bad.json"
    if content is not None:
        bad.write_bytes(content)

    with pytest.raises(reader.BadRecord) as refusal:
        reader.read(bad)

    assert str(refusal.value).startswith(f"{bad}: ")
    assert reason in str(refusal.value)
    if content in (None, b"", b"null"):  # the same for all of them on the command line, so a few will do
        result = command("compare", good, bad)
        assert result.returncode == 2
        assert result.stderr.strip().splitlines() == [f"python -m torchnotes: {refusal.value}"]


def test_a_record_with_properties_that_are_not_known_yet_is_read():
    document = a_record(note("test_it", held(new="of tomorrow"))).document | {"new": 1}

    assert reader.check("a file", document).outcomes


def test_counts_are_a_table_in_markdown_with_the_oldest_torch_first():
    rows = counts.as_markdown(
        [
            a_record(note("test_it", held()), torch="2.10.0+cpu"),
            a_record(note("test_it", held(will_change=["FutureWarning: soon"])), torch="2.9.1+cu124", python="3.12.1"),
            a_record(note("test_it", held()), torch="2.9.1+cu124"),
        ]
    )

    assert list(rows) == [
        "| torch | Python | NumPy | held | other side of a boundary | not checked | failed | will change |",
        "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: |",
        "| 2.9.1 | 3.11.7 | 2.0.0 | 1 | 0 | 0 | 0 | 0 |",
        "| 2.9.1 | 3.12.1 | 2.0.0 | 1 | 0 | 0 | 0 | 1 |",
        "| 2.10.0 | 3.11.7 | 2.0.0 | 1 | 0 | 0 | 0 | 0 |",
    ]


def test_counts_name_the_platform_and_the_devices_where_they_differ():
    linux, mac = a_record(note("test_it", held())), a_record(note("test_it", held()))
    mac.environment["platform"] = "Darwin"
    mac.environment["devices"] = [*mac.environment["devices"], {"name": "mps", "description": None, "problem": None}]

    head, _, *rows = counts.as_markdown([linux, mac])

    assert head.startswith("| torch | Python | NumPy | platform | devices | held |")
    assert [row.split(" | ")[3:6] for row in rows] == [["Darwin", "cpu, mps", "1"], ["Linux", "cpu", "1"]]


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path):
    notes = [note(f"test_{number}", held(), claim="A claim. " * 20) for number in range(1000)]
    one, other = written(tmp_path, "one.json", a_record()), written(tmp_path, "other.json", a_record(*notes))
    command = [sys.executable, "-m", "torchnotes", "compare", str(one), str(other), "--json"]

    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.read(10)
    process.stdout.close()

    assert process.stderr.read() == b""
    assert process.wait() == 1
    process.stderr.close()


def test_a_package_that_is_missing_is_not_taken_for_a_change():
    result = subprocess.run(
        [sys.executable, "-S", "-m", "torchnotes", "--help"], cwd=ROOT, capture_output=True, text=True
    )

    assert result.returncode == 2
    assert result.stderr.startswith("python -m torchnotes: packaging is not installed; type: pip install")


def test_without_a_command_or_with_a_wrong_one_it_says_which_there_are():
    for arguments in [], ["compere"], ["compare", "one"]:
        result = command(*arguments)

        assert result.returncode == 2
        assert "usage: python -m torchnotes" in result.stderr


def test_the_page_reads_records_and_never_pytest():
    code = "import sys, torchnotes.__main__; print({'pytest', 'torch', 'torchnotes.harness'} & sys.modules.keys())"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert result.stdout.strip() == "set()"
