"""What a note is: a function in the folder `notes`, whose section is its file and whose words are its docstring."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

FOLDER = "notes"


def is_note_file(path):
    """Whether a file lies in the folder of the notes."""
    return Path(path).parent.name == FOLDER


def section(path):
    """`tests/notes/test_03_numpy_bridge.py` is section `03 numpy bridge`."""
    return Path(path).stem.removeprefix("test_").replace("_", " ")


def file_of(node):
    """The file of a node id such as `tests/notes/test_03_numpy_bridge.py::test_it[cpu]`."""
    return node.partition("::")[0]


def without_case(node):
    """The node id of the note that a node id with a case in brackets is a run of."""
    return node.partition("[")[0]


def name(node):
    """The name of the function in a node id without a case."""
    return node.rpartition("::")[2]


class Words(NamedTuple):
    """The claim in one line, the explanation as it is written, and the pages of documentation at the end."""

    claim: str
    explanation: str
    links: list[str]

    @property
    def link(self):
        """The last page, which is the one a failure names, or an empty text."""
        return self.links[-1] if self.links else ""


def words(docstring):
    """The `Words` of a docstring, which may be None; its indentation is taken away already."""
    first, _, rest = (docstring or "").strip().partition("\n\n")
    lines = rest.rstrip().splitlines()
    links = []
    while lines and (not lines[-1].strip() or lines[-1].strip().startswith("https://")):
        if last := lines.pop().strip():
            links.insert(0, last)
    return Words(" ".join(first.split()), "\n".join(lines).strip("\n"), links)
