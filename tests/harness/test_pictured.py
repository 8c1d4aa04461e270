"""`@pytest.mark.picture`: which locals of a note are taken, when, and how they are written down."""

import sys

import numpy as np
import pytest
import torch

from torchnotes.harness import devices, pictured
from torchnotes.record import reader


@pytest.fixture
def values(project, monkeypatch):
    """The values in the record of a small note, by the name of the local."""
    monkeypatch.setattr(devices, "visible", lambda: ["cpu"])

    def taken(body, *options):
        project.note(f"import numpy as np\n\n{body}")
        result = project.run("--record", "record.json", *options)
        (note,) = reader.read(project.path / "record.json").document["notes"]
        assert note["results"][0]["outcome"] == "held", result.text
        return [result.get("values") for result in note["results"]]

    return taken


SHARED = """
@pytest.mark.picture("memory", "array", "tensor", "tail", "copy", "number")
def test_it():
    array = np.array([1.0, 2.0, float("inf")])
    tensor = torch.from_numpy(array)
    tail, copy, number = tensor[1:], tensor.clone(), 3
    array[0] = 7
"""


@pytest.mark.parametrize("options", [[], ["-n", "1"]], ids=["one process", "a process of its own"])
def test_locals_are_taken_as_they_are_at_the_end(values, options):
    ((found,),) = values(SHARED, *options)

    assert found["kind"] == "memory"
    assert list(found["of"]) == ["array", "tensor", "tail", "copy", "number"]
    array, tensor, tail, copy, number = found["of"].values()
    everything = {"dtype": "float64", "shape": [3], "stride": [1], "offset": 0, "memory": 0, "start": 0}
    assert array == {"kind": "array", **everything, "values": [7, 2, "inf"]}
    assert tensor == {"kind": "tensor", **everything, "values": [7, 2, "inf"]}
    assert tail == {**tensor, "shape": [2], "offset": 1, "values": [2, "inf"], "storage": [7, 2, "inf"]}
    assert copy == {**tensor, "memory": 1, "values": [1, 2, "inf"]}
    assert number == 3


def test_without_a_record_nothing_is_taken_and_nothing_is_profiled(project):
    project.note(
        "import sys\n\n@pytest.mark.picture('memory', 'x')\n"
        "def test_it(request):\n    x = object()\n    assert sys.getprofile() is None\n"
        "    assert not request.config.pluginmanager.has_plugin('pictured')\n"
    )

    assert project.run().counts == {"passed": 1}


def test_the_lines_of_the_note_run_under_the_profile_function_of_before(values):
    seen = []

    def profiler(frame, event, argument):
        seen.append((event, frame.f_code.co_name))

    sys.setprofile(profiler)
    try:
        values(
            "import sys\n\n@pytest.mark.picture('memory', 'which')\n"
            "def test_it():\n    which = sys.getprofile().__name__\n    assert which == 'profiler'\n"
        )
        assert sys.getprofile() is profiler
    finally:
        sys.setprofile(None)

    assert ("call", "test_it") in seen
    assert ("return", "test_it") in seen


def test_a_note_that_fails_leaves_no_values_and_no_profile_function(project):
    project.note("@pytest.mark.picture('memory', 'x')\ndef test_it():\n    x = torch.ones(1)\n    assert 0\n")

    project.run("--record", "record.json")

    (note,) = reader.read(project.path / "record.json").document["notes"]
    assert "values" not in note["results"][0]
    assert "assert 0" in note["results"][0]["reason"]
    assert sys.getprofile() is None


def test_each_row_of_a_table_and_each_marker_has_values_of_its_own(values):
    found = values(
        "@pytest.mark.picture('memory', 'x')\n@pytest.mark.picture('strides', 'turned')\n"
        "@pytest.mark.parametrize('size', [1, 2])\n"
        "def test_it(size):\n    x = torch.zeros(size, 3)\n    turned = x.T\n"
    )

    assert [[each["kind"] for each in row] for row in found] == [["strides", "memory"]] * 2
    assert [row[0]["of"]["turned"]["shape"] for row in found] == [[3, 1], [3, 2]]


def test_a_graph_is_written_as_nodes_and_the_edges_that_backward_takes(values):
    ((found,),) = values(
        "@pytest.mark.picture('graph', 'x', 'y')\n"
        "def test_it():\n    x = torch.tensor([3.0], requires_grad=True)\n    y = x * x + 1\n    y.sum().backward()\n"
    )

    assert found["of"]["x"]["grad"] == [6]
    assert "graph" not in found["of"]["x"]
    nodes = [{"name": "AddBackward0"}, {"name": "MulBackward0"}]
    nodes.append({"name": "torch::autograd::AccumulateGrad", "leaf": "x"})
    assert found["of"]["y"]["graph"] == {"nodes": nodes, "edges": [[0, 1], [1, 2], [1, 2]]}


REFUSED = {
    "del x": "'x' is no local of the note when it ends",
    "x = {}": "'x' is of dict, of which no picture is made",
    "x = torch.zeros(5000)": "'x' holds more than 4,096 numbers",
    "x = torch.zeros(5000)[:2]": "'x' holds more than 4,096 numbers",
    "x = np.zeros(5000)[:2]": "'x' holds more than 4,096 numbers",
    "x = [torch.zeros(4000)] * 2": "x hold 8,000 numbers; a picture takes at most 4,096",
    "x = torch.zeros(2, device='meta')": "has no memory to draw",
    "x = torch.zeros(2, 2).to_sparse()": "has no memory to draw",
    "x = torch.tensor([1j])": "'x' holds torch.complex64, of which no picture is made",
    "x = np.array(['a'])": "'x' holds <U1, of which no picture is made",
}


@pytest.mark.parametrize("line", REFUSED)
def test_what_cannot_be_taken_fails_the_note_and_says_why(project, line):
    project.note(f"import numpy as np\n\n@pytest.mark.picture('memory', 'x')\ndef test_it():\n    x = 1\n    {line}\n")

    result = project.run("--record", "record.json")

    assert result.counts == {"failed": 1}
    assert "Failed: @pytest.mark.picture: " in result.out
    assert REFUSED[line] in result.out


MALFORMED = {
    '@pytest.mark.picture("painting", "x")': "takes a kind (memory, strides, masks, curves, graph) and the names",
    '@pytest.mark.picture("memory")': "takes a kind",
    "@pytest.mark.picture": "takes a kind",
    '@pytest.mark.picture("memory", 3)': "takes a kind",
    '@pytest.mark.picture("memory", x="x")': "takes a kind",
    '@pytest.mark.picture("memory", "y")': "'y' is no local of the note",
}


@pytest.mark.parametrize("marker", MALFORMED)
def test_a_marker_without_sense_is_an_error_at_its_line_with_and_without_a_record(project, marker):
    file = project.note(f"{marker}\ndef test_it():\n    x = 1\n")

    result = project.run()

    assert result.counts == {"error": 1}
    assert f"{file.name}:5: test_it: @pytest.mark.picture" in result.out
    assert MALFORMED[marker] in result.out


def test_what_no_call_was_seen_of_is_said():
    with pytest.raises(pytest.fail.Exception, match=r"@pytest.mark.picture: the call of the note was not seen"):
        pictured._taken([], [])


def test_a_profiler_that_could_not_be_put_back_is_left_alone(monkeypatch):
    monkeypatch.setattr(sys, "getprofile", lambda: "a profiler written in C")
    monkeypatch.setattr(sys, "setprofile", None)

    with pytest.raises(pytest.fail.Exception, match="record without it"):
        pictured._watch(None, [])


def test_memory_is_one_where_the_bytes_overlap():
    series = np.arange(6.0)
    windows = [torch.from_numpy(series[:3]), torch.from_numpy(series[2:5]), series[::-1], series.view(np.int64)]
    local = {f"x{at}": window for at, window in enumerate([*windows, series.copy()])}

    found = pictured.of(local, list(local))

    assert [each["memory"] for each in found.values()] == [0, 0, 0, 0, 1]
    assert [each["start"] for each in found.values()] == [0, 16, 0, 0, 0]
    assert (found["x2"]["stride"], found["x2"]["offset"]) == ([-1], 5)
    assert found["x2"]["storage"] == series.tolist()


def test_an_array_of_a_tensor_is_in_the_tensors_memory():
    tensor = torch.arange(6.0).reshape(2, 3)
    local = {"tensor": tensor, "array": tensor.T.numpy(), "row": tensor[1].numpy(), "apart": np.array(tensor.tolist())}

    found = pictured.of(local, list(local))

    assert [each["memory"] for each in found.values()] == [0, 0, 0, 1]
    assert found["array"]["stride"] == [1, 3]
    assert (found["row"]["start"], found["row"]["values"]) == (12, [3, 4, 5])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.bool, torch.uint8], ids=str)
def test_every_dtype_of_numbers_is_taken(dtype):
    found = pictured.of({"x": torch.tensor([[0, 1]], dtype=dtype).T}, ["x"])["x"]

    assert found["values"] == [0, 1]
    assert found["dtype"] == str(dtype).removeprefix("torch.")


def test_what_is_empty_or_has_no_dimension_is_taken():
    found = pictured.of({"x": torch.zeros(0, 2), "y": np.zeros((0, 2)), "z": torch.tensor(3), "w": np.array(4)}, "xyzw")

    assert [each["values"] for each in found.values()] == [[], [], [3], [4]]
