"""The boundaries of the notes as their sources have them, and the names that each is about.

What a boundary is about is what its claim names in backticks and its body, or a helper of it, uses; `concerns=` of the
marker says it where that is not so. The sources are read, never imported.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from torchnotes import note as notes
from torchnotes.changes import concerns, uses
from torchnotes.record.reader import BadRecord

PACKAGES = {"scikit-learn": "sklearn"}
"""What is imported, where a package has another name on the index."""


@dataclass(frozen=True)
class Mark:
    """One `holds` of a note."""

    requirement: Requirement
    change: str


@dataclass(frozen=True)
class Boundary:
    """A note that holds on one side of a release: its words, its markers, and what it is about."""

    note: str
    """The node id, as records have it."""
    line: int
    claim: str
    explanation: str
    links: list[str]
    marks: list[Mark]
    concerns: list[concerns.Concern]
    """Empty where no name in code tells it."""
    derived: list[concerns.Concern]
    """What its claim and its body say of that; the same, unless a marker says otherwise."""
    stated: bool
    """Whether a marker says what it is about."""

    @property
    def name(self):
        return notes.name(self.note)


def read(folder):
    """The boundaries in a folder of notes, in reading order. Raises `BadRecord` where it cannot be read."""
    paths = sorted(Path(folder).glob("test_*.py"))
    if not paths:
        raise BadRecord(f"{folder}: there are no notes in it, files named test_*.py")
    return [boundary for path in paths for boundary in _in_file(path)]


def _in_file(path):
    try:
        tree = ast.parse(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise BadRecord(f"{path}: cannot be read ({error.strerror})") from None
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise BadRecord(f"{path}: is not Python ({error})") from None
    marked = [(node, list(_holds(path, node))) for node in tree.body if isinstance(node, ast.FunctionDef)]
    if not any(marks for _, marks in marked):
        return
    notes_without = [node for node, marks in marked if not marks and node.name.startswith("test_")]
    tree.body = [node for node in tree.body if node not in notes_without]
    used = uses.uses(tree)
    defined = {name: node for node in tree.body for name in _defines(node)}
    loaded = {}
    for node, marks in marked:
        if not marks:
            continue
        words = notes.words(ast.get_docstring(node) or node.name)
        stated = [text for mark, texts in marks if texts is not None for text in texts]
        is_stated = any(texts is not None for _, texts in marks)
        roots = {PACKAGES.get(mark.requirement.name, mark.requirement.name) for mark, _ in marks}
        lines = [range(part.lineno, part.end_lineno + 1) for part in _parts(node, defined, loaded)]
        inside = [use for use in used if any(use.line in each for each in lines)]
        try:
            derived = derive(words.claim, inside, roots)
            about = [concerns.read(text) for text in stated] if is_stated else derived
        except concerns.Misunderstood as error:
            raise BadRecord(f"{path}: line {node.lineno}: {node.name}: concerns={error}") from None
        yield Boundary(
            note=f"tests/notes/{path.name}::{node.name}",
            line=min(each.lineno for each in (node, *node.decorator_list)),
            claim=words.claim,
            explanation=words.explanation,
            links=words.links,
            marks=[mark for mark, _ in marks],
            concerns=about,
            derived=derived,
            stated=is_stated,
        )


def _holds(path, node):
    """The `holds` markers of a function, each with its concerns, or None where it has none."""
    for mark in node.decorator_list:
        if not isinstance(mark, ast.Call) or ast.unparse(mark.func) != "pytest.mark.holds":
            continue
        try:
            said = {word.arg: word.value for word in mark.keywords}
            requirement = Requirement(ast.literal_eval(mark.args[0]))
            change = ast.literal_eval(said["change"])
            texts = ast.literal_eval(said["concerns"]) if "concerns" in said else None
        except (ValueError, KeyError, IndexError, InvalidRequirement):
            why = 'write the requirement and change= in quotes, as in holds("torch>=2.6", ..., change="raises")'
            raise BadRecord(f"{path}: line {mark.lineno}: {node.name}: {why}") from None
        yield Mark(requirement, change), (texts,) if isinstance(texts, str) else texts


def _defines(node):
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return [node.name]
    return [each.id for each in getattr(node, "targets", ()) if isinstance(each, ast.Name)]


def _parts(node, defined, loaded):
    """A note and the definitions of its file that it leads to; `loaded` remembers the names in each."""
    found, left = {}, [node]
    while left:
        part = left.pop()
        if part in found:
            continue
        if part not in loaded:
            loaded[part] = {each.id for each in ast.walk(part) if isinstance(each, ast.Name)} & defined.keys()
        found[part] = None
        left += [defined[name] for name in loaded[part]]
    return list(found)


def derive(claim, used, roots):
    """The concerns of a claim: the names in its backticks that its note uses, with the arguments that it names."""
    chunks = [tree for text in re.findall(r"`([^`]+)`", claim) for tree in _parsed(text)]
    words = {word.arg for tree in chunks for each in ast.walk(tree) for word in getattr(each, "keywords", ())}
    found = {}
    for name in dict.fromkeys(name for tree in chunks for name in _named(tree)):
        for use in used:
            if use.how != "import" and (qualified := _qualified(name, use, roots)):
                named = sorted(words & set(use.arguments.named)) if use.arguments else []
                found[f"{qualified}({', '.join(named)})" if named else qualified] = None
    of_tensors = {text.replace(f"{uses.TENSOR}.", "torch.") for text in found if text.startswith(uses.TENSOR)}
    called = {text.partition("(")[0] for text in found if "(" in text}
    return [concerns.read(text) for text in found if text not in of_tensors | called]


def _qualified(name, use, roots):
    """The name that a use of it in a note says, or None where it is none of it."""
    if use.how == "text":
        return use.name if use.name == f"${name}" else None
    last = name.rpartition(".")[2]
    if use.name.startswith("."):
        of = use.owner or uses.TENSOR
        if use.name != f".{last}" or of.partition(".")[0] not in roots:
            return None
        if of.startswith("torch.nn."):
            of = "torch.nn.Module"
        return f"{of if of.rpartition('.')[2][:1].isupper() else uses.TENSOR}.{last}"
    is_it = "." in use.name and use.name.partition(".")[0] in roots and f".{use.name}".endswith(f".{name}")
    return use.name if is_it else None


def _parsed(text):
    """A piece of a claim as code; `assign=True` or `names=` alone as a call with it."""
    for attempt in (text, f"_({text})", f"_({text}0)"):
        try:
            yield ast.parse(attempt.strip())
            return
        except SyntaxError:
            continue


def _named(tree):
    """The names of a piece of code: what a chain of dots ends in, and each alone."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            parts = []
            while isinstance(node, ast.Attribute):
                parts.insert(0, node.attr)
                node = node.value
            yield ".".join([node.id, *parts] if isinstance(node, ast.Name) else parts)
            yield parts[-1]
        elif isinstance(node, ast.Name) and node.id != "_":
            yield node.id
