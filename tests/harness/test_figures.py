"""The pictures that explain: what is in them, that they are safe, and what is refused."""

import copy
import math
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import extents
import numpy as np
import pytest
import torch

from torchnotes import markers
from torchnotes.drawing import explained
from torchnotes.harness import pictured
from torchnotes.record import reader

ROOT = Path(__file__).parent.parent.parent
SVG = "{http://www.w3.org/2000/svg}"
NOTE = "tests/notes/test_01_first.py::test_it"


def record(*cases, device=None, outcome="held"):
    """A record of one note with these values for each row of its table."""
    results = [
        {"case": str(at), "device": device, "outcome": outcome, "reason": "", "seconds": 0.1, "values": values}
        for at, values in enumerate(cases)
    ]
    return reader.check("a.json", document(results))


def document(results):
    note = {"note": NOTE, "line": 3, "section": "01 first", "claim": "It is so.", "link": "", "markers": []}
    environment = {"torch": "2.6.0", "build": "CPU", "python": "3.12.1", "implementation": "CPython", "seed": 0}
    environment |= {"platform": "Linux", "machine": "x86_64", "devices": []}
    environment["packages"] = {"torch": "2.6.0", "numpy": "2.2.0"}
    return {
        "format": reader.FORMAT,
        "version": reader.VERSION,
        "made": "2026-01-02T03:04:05+00:00",
        "environment": environment,
        "counts": {"held": 1, "failed": 0, "unchecked": 0, "elsewhere": 0},
        "missing": {},
        "notes": [note | {"results": results}],
    }


def taken(kind, **local):
    return [{"kind": kind, "of": pictured.of(local, list(local))}]


def drawn(*cases, **about):
    """The only picture of such a record."""
    ((picture,),) = explained.of(record(*cases, **about)).values()
    return picture


def texts(picture):
    tree = ElementTree.fromstring(picture.svg("picture"))
    return [element.text for element in tree.iter(f"{SVG}text")]


def dropped(p):
    x = torch.arange(1.0, 201.0).reshape(20, 10)
    generator = torch.Generator().manual_seed(3)
    return taken("masks", x=x, y=x * (torch.rand(20, 10, generator=generator) > p) / (1 - p), p=p)


def forms(target, ends=17):
    logits = torch.arange(-50.0, 51.0)
    losses, slopes = torch.nn.functional.softplus(logits) - target * logits, logits.sigmoid() - target
    lost = torch.where(logits < ends, slopes, 0)
    return taken("curves", logits=logits, target=target, one=(losses, slopes), two=(losses, lost))


def doubled(start, times):
    x = torch.tensor(start, requires_grad=True)
    y = x
    for _ in range(times):
        y = y * 2
    y.backward()
    return taken("graph", x=x, y=y)


def memory():
    array = np.array([7.0, 8.0])
    tensor = torch.from_numpy(array)
    return taken("memory", array=array, tensor=tensor, tail=tensor[1:], copied=tensor.clone())


def strides():
    tensor = torch.tensor([[1, 2, 3], [4, 5, 6]])
    return taken("strides", tensor=tensor, turned=tensor.T)


CASES = {
    "memory": [memory()],
    "strides": [strides()],
    "masks": [dropped(0.25), dropped(0.5)],
    "curves": [forms(0.0)],
    "graph": [doubled(70.0, 1), doubled(30.0, 2)],
}
EVERY_KIND = pytest.mark.parametrize("kind", CASES)


def test_every_kind_is_tried():
    assert CASES.keys() == explained.KINDS.keys() == set(markers.PICTURE_KINDS)


@EVERY_KIND
def test_a_picture_is_well_formed_says_what_it_shows_and_fits_a_phone(kind):
    picture = drawn(*CASES[kind])
    tree = ElementTree.fromstring(picture.svg("picture"))

    title, words = tree.find(f"{SVG}title"), tree.find(f"{SVG}desc")
    assert title.text == picture.title.replace("`", "")
    assert words.text == picture.words.replace("`", "")
    assert len(words.text) > 40
    assert (tree.get("role"), tree.get("aria-labelledby")) == ("img", f"{title.get('id')} {words.get('id')}")
    assert texts(picture)
    assert float(tree.get("viewBox").split()[2]) <= 7 * 72


@EVERY_KIND
def test_the_same_record_gives_the_same_bytes_and_two_pictures_share_no_identifier(kind):
    first, again = (drawn(*copy.deepcopy(CASES[kind])).svg("one") for _ in range(2))
    other = drawn(*CASES[kind]).svg("two")

    assert first == again
    ids = [set(re.findall(r'\bid="([^"]+)"', svg)) for svg in (first, other)]
    assert not ids[0] & ids[1]
    for svg, found in zip((first, other), ids, strict=True):
        assert set(re.findall(r"url\(#([^)]+)\)", svg)) <= found
        assert len(re.findall(r'\bid="', svg)) == len(found)


@EVERY_KIND
def test_drawing_it_twice_gives_the_same_bytes(kind):
    picture = drawn(*CASES[kind])

    assert picture.svg("one") == picture.svg("one")


LONG = "a_name_that_is_rather_long"
CROWDED = {
    "cells that hold long numbers": [taken("memory", x=torch.tensor([math.nan, -math.inf, -1.25e30, 1e-30, -0.125]))],
    "as many cells as there may be": [taken("memory", x=torch.arange(-12.0, 0.0), y=torch.arange(3))],
    "a long name beside few cells": [taken("memory", **{LONG: torch.zeros(3), "x": torch.zeros(2)})],
    "many memories": [taken("memory", **{f"tensor_{n}": torch.zeros(1 + n % 3) for n in range(6)})],
    "strides of long numbers": [taken("strides", x=(x := torch.tensor([[-1e30, 1.25], [0.125, 1e7]])), y=x.T)],
    "strides under long names": [taken("strides", **{LONG: (x := torch.zeros(2, 1)), "x": x.T})],
    "masks of long settings": [
        [{"kind": "masks", "of": dropped(p)[0]["of"] | {"a_long_setting": 1e-9, "another": True}}]
        for p in (0.1, 0.2, 0.3, 0.4)
    ],
    "curves of long settings": [
        [{"kind": "curves", "of": forms(target)[0]["of"] | {"a_long_setting": 1e-9}}] for target in (0.0, 1.0)
    ],
    "a graph of many nodes": [doubled(30.0, 7)],
    "a graph under a long name": [
        taken("graph", **{LONG: (x := torch.ones(3, requires_grad=True)), f"{LONG}_y": x.sin()})
    ],
}


@pytest.mark.parametrize("cases", [*CASES.values(), *CROWDED.values()], ids=[*CASES, *CROWDED])
def test_no_text_lies_on_another_or_reaches_beyond_the_picture(cases):
    assert extents.misplaced(drawn(*cases)) == []


def test_the_pictures_of_the_repositorys_newest_record_have_no_text_on_another():
    found = explained.of(reader.read(max((ROOT / "records").glob("torch-*.json"), key=release)))

    assert len(found) >= 8
    assert {note: [extents.misplaced(each) for each in pictures] for note, pictures in found.items()} == {
        note: [[]] * len(pictures) for note, pictures in found.items()
    }


def release(path):
    return [int(number) for number in path.stem.removeprefix("torch-").split(".")]


def test_memory_shows_which_name_sees_which_cell():
    picture = drawn(memory())

    assert picture.title == "`array`, `tensor` and `tail` are names of one memory; `copied` has its own"
    assert "tail sees cells 1." in picture.words
    assert texts(picture).count("one memory") == texts(picture).count("memory of its own") == 1


def test_strides_show_how_an_index_finds_its_cell():
    picture = drawn(strides())

    assert picture.title == "`tensor` and `turned` read the same cells of one memory; only their strides differ"
    assert "tensor[1, 2] is cell 0 + 1*3 + 2*1 = 5." in picture.words.replace("\N{MULTIPLICATION SIGN}", "*")
    assert "turned[2, 1] is cell 0 + 2*1 + 1*3 = 5." in picture.words.replace("\N{MULTIPLICATION SIGN}", "*")
    assert "strides (1, 3)" in texts(picture)


def test_strides_of_what_is_repeated_and_of_a_slice():
    tensor = torch.arange(12).reshape(3, 4)[1:, 1:3]
    picture = drawn(taken("strides", tensor=tensor, wide=tensor[:1].expand(2, 2)))

    assert "tensor[1, 1] is cell 5 + 1*4 + 1*1 = 10." in picture.words.replace("\N{MULTIPLICATION SIGN}", "*")
    assert "shape (2, 2), strides (0, 1), [5, 6, 5, 6]" in picture.words


def test_masks_count_what_became_0_and_by_how_much_the_rest_grew():
    picture = drawn(*CASES["masks"])

    zeros = [case[0]["of"]["y"]["values"].count(0) for case in CASES["masks"]]
    assert f"At p = 0.25: {zeros[0]} of 200 numbers are 0, the others are 1.33 times the input." in picture.words
    assert f"At p = 0.5: {zeros[1]} of 200 numbers are 0, the others are 2 times the input." in picture.words
    assert picture.title.startswith(
        f"Dropout zeroed {zeros[0] / 2:.0f} % at p = 0.25 and {zeros[1] / 2:.0f} % at p = 0.5"
    )


def test_masks_see_whole_rows():
    ones = torch.ones(2, 6, 5)
    rows = ones * torch.tensor([2.0, 0, 2, 0, 0, 2])[:, None]

    assert "50 % in `rows` (whole rows)" in drawn(taken("masks", ones=ones, rows=rows)).title


def test_curves_say_where_the_gradient_is_lost():
    lost, kept = drawn(forms(0.0)), drawn(forms(0.0, ends=math.inf))

    assert lost.title == "`two` loses the gradient that `one` keeps, from a logit of 17 on for target 0"
    assert kept.title == "`two` has the gradient that `one` has, everywhere"


def test_graphs_of_several_calls_are_counted():
    picture = drawn(*CASES["graph"])

    assert (
        picture.title == "One function, another graph for each call: behind `y` are 2 nodes for x = 70 and 3 for x = 30"
    )
    assert texts(picture).count("mul") == 3
    assert "x.grad = 4" in texts(picture)


def test_a_graph_shows_every_way_to_a_leaf():
    x = torch.tensor([3.0, -1.0], requires_grad=True)
    y = x * x + 4 * x + x[0]
    y.sum().backward()

    picture = drawn(taken("graph", x=x, y=y))

    assert picture.title == "Behind `y` is a graph of 6 nodes; `backward` reaches `x` on 4 edges, and adds up"
    assert [text for text in texts(picture) if text in ("add", "mul", "select", "x", "y")].count("add") == 2
    assert "x.grad = [12, 2]" in texts(picture)


def test_the_cpus_values_are_drawn_where_there_are_several_devices():
    results = document([])["notes"][0]["results"]
    for device, start in (("cuda", 3.0), ("cpu", 70.0)):
        about = {"case": device, "device": device, "outcome": "held", "reason": "", "seconds": 0.1}
        results.append(about | {"values": doubled(start, 1)})

    ((picture,),) = explained.of(reader.check("a.json", document(results))).values()
    assert "x = 70" in picture.words
    assert "x = 3 " not in picture.words
    ((picture,),) = explained.of(reader.check("a.json", document(results[:1]))).values()
    assert "x = 3 " in picture.words


def test_what_did_not_hold_and_what_is_of_an_unknown_kind_is_not_drawn():
    assert explained.of(record(memory(), outcome="failed")) == {}
    assert explained.of(record([{"kind": "of a later version", "of": {"x": 1}}])) == {}


def broken(case, *way, to):
    case = copy.deepcopy(case)
    *before, last = way
    inner = case[0]["of"]
    for step in before:
        inner = inner[step]
    inner[last] = to
    return case


TOO_MUCH = {
    "cells": taken("memory", x=torch.arange(40.0)),
    "nothing": taken("memory", x=torch.zeros(0)),
    "two dtypes in one memory": taken("memory", x=torch.zeros(2), y=(z := torch.zeros(2)), w=z.view(torch.int32)),
    "a memory that is larger than all that was taken": broken(memory(), "copied", "start", to=10**12),
    "dimensions": taken("strides", x=torch.zeros(2, 2, 2)),
    "rows": taken("strides", x=torch.zeros(9, 1)),
    "columns": taken("masks", x=torch.zeros(2, 50), y=torch.zeros(2, 50)),
    "nodes": doubled(1.0, 20),
    "a name that leaves no room for cells": taken("memory", **{LONG * 2: torch.zeros(4)}),
    "names that leave no room for grids": taken("strides", **{LONG: (x := torch.zeros(2, 2)), f"{LONG}_2": x.T}),
    "names that leave no room for a legend": taken(
        "curves", x=(x := torch.arange(2.0)), **{LONG: [x, x], f"{LONG}_2": [x, x]}
    ),
}


@pytest.mark.parametrize("case", TOO_MUCH.values(), ids=TOO_MUCH)
def test_what_cannot_be_drawn_well_is_left_out(case):
    assert explained.of(record(case)) == {}


def test_curves_for_three_targets_are_left_out():
    assert explained.of(record(*map(forms, (0.0, 0.5, 1.0)))) == {}


X = torch.ones(2)
NONSENSE = {
    "tensor has the shape (2, 4) and 6 values": broken(strides(), "tensor", "shape", to=[2, 4]),
    "turned has the shape (3, 2) and the strides (1,)": broken(strides(), "turned", "stride", to=[1]),
    "tensor has the shape (1000000000000, 0)": broken(strides(), "tensor", "shape", to=[10**12, 0]),
    "turned has other values than its memory": broken(strides(), "turned", "stride", to=[2, 1]),
    "turned reaches beyond its memory": broken(strides(), "turned", "offset", to=1),
    "tensor holds what is no number": broken(strides(), "tensor", "values", 0, to="<script>"),
    "there is an input, but nothing that was made of it": taken("masks", x=torch.ones(2, 2)),
    "what was made of the input is not of its size": taken("masks", x=torch.ones(2, 2), y=torch.ones(2, 3)),
    "it takes one tensor to go by, and two pairs": taken("curves", x=torch.ones(2)),
    "the curves are not of one length": taken("curves", x=X, one=[X, X], two=[torch.ones(3)] * 2),
    "x is nothing to go by": taken("curves", x=X / 0, one=[X, X], two=[X, X]),
    "no tensor in it has a graph": taken("graph", x=torch.ones(2)),
    "an edge leads to a node that is not there": broken(doubled(1.0, 2), "y", "graph", "edges", 0, to=[0, 7]),
    "list indices must be integers": broken(doubled(1.0, 1), "y", "start", to=0.0),
    "not enough values to unpack": [{"kind": "curves", "of": {"x": 1}}],
    "TypeError: 'float' object is not subscriptable": broken(doubled(1.0, 1), "x", to=1.5),
    "its graph goes in a circle": broken(doubled(1.0, 2), "y", "graph", "edges", 1, to=[1, 0]),
}


@pytest.mark.parametrize("why", NONSENSE)
def test_values_that_no_run_can_have_left_are_refused_with_file_and_note(why):
    with pytest.raises(reader.BadRecord) as refusal:
        explained.of(record(NONSENSE[why]), "b.json")

    assert str(refusal.value).startswith(f"b.json: {NOTE}: values of its picture (")
    assert why in str(refusal.value)


UNFIT = {
    "a name with a tag": [{"kind": "memory", "of": {"<b>": memory()[0]["of"]["copied"]}}],
    "a dtype with a tag": broken(memory(), "copied", "dtype", to="<b>"),
    "a node with a control character": broken(doubled(1.0, 1), "y", "graph", "nodes", 0, "name", to="Mul\x00"),
    "a tensor without a shape": [{"kind": "memory", "of": {"x": {"kind": "tensor", "values": []}}}],
    "nothing": [{"kind": "memory", "of": {}}],
    "no list": {"kind": "memory"},
}


@pytest.mark.parametrize("values", UNFIT.values(), ids=UNFIT)
def test_values_that_are_not_written_as_they_should_be_are_no_record(values):
    with pytest.raises(reader.BadRecord, match=r"a\.json: is not a record of version 1"):
        record(values)


def test_texts_are_escaped_and_are_no_formulas():
    hostile = '</text><script>"&$\\frac$\x00'
    case = forms(0.0)
    case[0]["of"]["target"] = hostile
    node = broken(doubled(1.0, 1), "y", "graph", "nodes", 0, "name", to="a<b>&$x$")

    for values in (case, node):
        svg = drawn(values).svg("picture")
        ElementTree.fromstring(svg)
        assert "<script>" not in svg
        assert "<b>" not in svg


def test_numbers_that_are_none_and_huge_ones_are_drawn():
    picture = drawn(taken("memory", x=torch.tensor([math.nan, -math.inf, 1e30, 1e-30, -0.5, 0.0])))

    shown = [text.replace("\N{MINUS SIGN}", "-") for text in texts(picture)]
    assert shown[2:8] == ["nan", "-inf", "1.0e+30", "1.0e-30", "-0.5", "0"]


def test_drawing_needs_neither_torch_nor_pytest_nor_what_runs_the_notes():
    code = (
        "import sys; sys.modules |= dict.fromkeys(('torch', 'pytest', 'torchnotes.harness'))\n"
        "from torchnotes.drawing import explained, measured"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr


def test_the_notes_that_are_marked_can_be_drawn(tmp_path):
    marked = {
        f"{path.relative_to(ROOT).as_posix()}::{name}"
        for path in (ROOT / "tests" / "notes").glob("test_*.py")
        for name in re.findall(
            r"^@pytest\.mark\.picture\((?:.|\n)*?\ndef (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE
        )
    }
    files = sorted({note.partition("::")[0] for note in marked})
    names = " or ".join(sorted(note.partition("::")[2] for note in marked))
    command = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--device", "cpu", "--record", tmp_path / "a.json"]
    done = subprocess.run([sys.executable, *command, *files, "-k", names], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout

    found = explained.of(reader.read(tmp_path / "a.json"))

    assert found.keys() == marked
    assert len(found) >= 8
    for note, drawings in found.items():
        for picture in drawings:
            assert re.search(r"`\w+`|p = ", picture.title), note
            ElementTree.fromstring(picture.svg("picture"))
