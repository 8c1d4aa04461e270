"""Records, notes and measurements that are made up: many of them, failing ones, hostile ones."""

import ast
import copy

HOSTILE = (
    '"\'`><img src=x onerror="pwned=1"></script></style></title></textarea></svg><script>pwned=1</script>'
    "<svg onload=pwned=1><!--<script> --> ]]> {{ 7*7 }} {% raw %} ${pwned=1} $x$ &lt;b&gt; \u2028 javascript:pwned=1 "
)
"""What ends each context a text may stand in on a page, and then tries to run something."""

LINKS = ("javascript:pwned=1", 'https://example.org/"onmouseover="pwned=1', "data:text/html,<script>pwned=1</script>")
FIXED = {"made", "format", "version", "torch", "outcome", "kind", "change"}
"""Keys of a record whose values cannot be just anything."""
MARKERS = {"myth", "advice", "only", "holds"}


def poisoned(value, key=""):
    """A record with something hostile in each of its texts."""
    if isinstance(value, dict):
        free = key in ("packages", "missing")
        return {
            name + HOSTILE * (free and name not in ("torch", "numpy")): poisoned(each, name)
            for name, each in value.items()
        }
    if isinstance(value, list):
        return [poisoned(each, key) for each in value]
    if not isinstance(value, str) or key in FIXED or (key == "name" and value in MARKERS):
        return value
    return value + HOSTILE


def hostile_record(document):
    """A few notes of each sort from a record, failing and not, first with the ids they have, then with worse ones."""
    document = few_of_each_sort(document)
    document["missing"] = {"99 nothing": "no package"}
    for device in document["environment"]["devices"]:
        device["problem"] = "it is broken"
    for number, note in enumerate(document["notes"]):
        outcome = ("failed", "unchecked", "elsewhere", "held")[number % 4]
        note["link"] = LINKS[number % len(LINKS)]
        for result in note["results"]:
            result |= {"outcome": outcome, "reason": "because", "explanation": ["claim: ", "found: "]}
            result["will_change"] = ["FutureWarning: soon"]
            if "said" in result:  # a record keeps 300 characters of each, and what is added is to fit
                result["said"] = [{"type": "RuntimeError", "text": "no"}]
    names = [note["note"] for note in document["notes"]]
    worse = poisoned(document)
    familiar = copy.deepcopy(worse["notes"])
    for note, name in zip(familiar, names, strict=True):
        note["note"] = name
    worse["notes"] = familiar + worse["notes"]
    return worse


def few_of_each_sort(document):
    document = copy.deepcopy(document)
    sorts = {}
    for note in document["notes"]:
        markers = tuple(marker["name"] for marker in note["markers"])
        sorts.setdefault((markers, note["results"][0]["device"], note["results"][0]["outcome"]), []).append(note)
    document["notes"] = [note for same in sorts.values() for note in same[:2]]
    return document


HOSTILE_NOTES = '''\
"""A section: {text}

Its introduction. {text}
"""

import pytest


# {comment}


@pytest.mark.myth({literal})
@pytest.mark.parametrize("value", [{literal}], ids=[{literal}])
def test_a_belief(value):
    """A claim. {text}

    An explanation. {text}

    - a list {text}

    https://docs.pytorch.org/"onmouseover="pwned=1
    """
    text = {literal}  # {comment}

    assert value == text


@pytest.mark.advice({literal})
@pytest.mark.only("cpu", because={literal})
@pytest.mark.holds("torch>=2.0", otherwise=ValueError)
def test_another(device):
    """Another claim. {text}"""
    assert {literal}
'''


def hostile_notes(folder):
    """A folder with a section whose every text is hostile."""
    folder.mkdir()
    words = HOSTILE.replace("\u2028", "")
    text = HOSTILE_NOTES.format(text=words.replace("\\", ""), literal=repr(HOSTILE), comment=words)
    (folder / "test_01_first.py").write_text(text, encoding="utf-8")
    return folder


def failing(document, reason):
    """A record in which the first, a middle and the last note failed, with a text that teaches."""
    document = copy.deepcopy(document)
    notes = document["notes"]
    for note in (notes[0], notes[len(notes) // 2], notes[-1]):
        note["results"] = [
            {
                "case": "",
                "device": "cpu",
                "outcome": "failed",
                "reason": f"assert {reason}",
                "explanation": [f"claim:   {note['claim']}", f"found:   {reason}", "likely:  1. the belief itself"],
            }
        ]
    document["made"] = "2100-01-01T00:00:00+00:00"
    return document


def thinned(document, keep, devices=()):
    """A record with some of its notes; where devices are named, each of them checked on every one."""
    document = copy.deepcopy(document)
    document["notes"] = [note for note in document["notes"] if note["note"] in keep]
    if devices:
        document["environment"]["devices"] = [{"name": name, "description": None, "problem": None} for name in devices]
        for note in document["notes"]:
            note["results"] = [{**result, "device": device} for device in devices for result in note["results"]]
    return document


def thinned_notes(source, folder, keep):
    """The sources of some notes, with all that is around them."""
    names = {note.rpartition("/")[2] for note in keep}
    folder.mkdir()
    for path in sorted(source.glob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        lines = text.splitlines(keepends=True)
        for node in reversed(ast.parse(text).body):
            is_note = isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
            if is_note and f"{path.name}::{node.name}" not in names:
                begin = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
                del lines[begin - 1 : node.end_lineno]
        (folder / path.name).write_text("".join(lines), encoding="utf-8")
    return folder


def bench(text=""):
    """What a run of the benchmarks leaves, with fewer numbers."""

    def entry(number):
        seconds = 1e-5 * (1 + number / 16)
        return {
            "group": "inference, model MLP on cpu",
            "name": f"test_inference[cpu-{number}-MLP]{text}",
            "fullname": f"tests/benchmarks/test_batch_size.py::test_inference[cpu-{number}-MLP]{text}",
            "params": {"device": "cpu", "entry": number, "model": "MLP"},
            "extra_info": {"device": "cpu", "model": f"MLP{text}", "entry": number},
            "stats": {"median": seconds, "q1": seconds * 0.9, "q3": seconds * 1.1, "data": [seconds] * 5},
        }

    def finding(verdict, **figures):
        words = f"A claim about time that {verdict}.{text}"
        about = {"claim": words, "found": words, "group": "inference, model MLP on cpu"}
        return {**about, "verdict": verdict, "low": 0.1, "high": 0.4, **figures}

    return {
        "datetime": "2026-01-01T00:00:00",
        "machine_info": {"torch": f"2.13.0{text}", "threads": 2, "cpu": {"brand_raw": f"A processor{text}"}},
        "benchmarks": [entry(number) for number in (1, 2, 4, 8, 16, 32, 64)],
        "findings": [
            finding("holds here", ratio=0.2, at_most=0.5),
            finding("does not hold here", ratio=0.2, at_most=0.05),
            finding("inconclusive", ratio=0.2, at_most=0.2),
        ],
    }
