"""What of a file of notes the code of one note needs at a prompt."""

import pytest

from torchnotes.reading import sources

FILE = '''"""Notes."""

import copy
import math

shape = (2, 3)
SIZE = shape[0]


def area(x, *, scale=SIZE):
    return scale * math.prod(x)


def test_it():
    """It is so."""
{body}
'''
AREA = ["def area(x, *, scale=SIZE):", "    return scale * math.prod(x)"]


@pytest.mark.parametrize(
    ("body", "needs"),
    [
        ("copy.copy(shape)", ["import copy", "shape = (2, 3)"]),
        ("shape = 1\nassert shape == 1", []),
        ("sorted([1], key=lambda shape: shape)", []),
        ("def inner(*, shape): return shape\ninner(shape=1)", []),
        ("def inner(*shape, **copy): return shape, copy", []),
        ("try: pass\nexcept ValueError as copy: print(copy)", []),
        ("[shape for shape in ()]", []),
        ("dict(shape=1, copy=2)", []),
        ("class A:\n    size = shape", ["shape = (2, 3)"]),
        ("count = 0\ndef more():\n    nonlocal count\n    count += 1", []),
        ("lambda: area", ["import math", "shape = (2, 3)", "SIZE = shape[0]", *AREA]),
    ],
)
def test_a_note_brings_what_it_takes_from_its_file_and_nothing_else(tmp_path, body, needs):
    path = tmp_path / "test_01_first.py"
    path.write_text(FILE.format(body="\n".join(f"    {line}" for line in body.split("\n"))), encoding="utf-8")

    (note,) = sources.section(path).notes

    assert [line for line in note.uses.splitlines() if line] == needs
