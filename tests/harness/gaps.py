"""Which parameters of what the claims name no note passes: where a note may be missing.

    python tests/harness/gaps.py [WORD...]

Reads the notes, imports what their sections import, and asks each function, class and method that a claim names in
backticks for its parameters. A parameter counts as passed if a call of that name passes it, by keyword or by place, or
if a note whose claim has the name gives a keyword of that name to anything (through a helper, say). WORDs choose the
sections whose names contain one of them.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import re
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
NOTES = ROOT / "tests" / "notes"
NOT_ASKED = {"out", "size_average", "reduce", "memory_format", "layout"}
"""What says where an answer goes and not which it is, and what has been deprecated since torch 0.4."""


@dataclass
class Passed:
    """How a name is called in the notes."""

    places: int = 0
    keywords: set[str] = field(default_factory=set)


def claims(path):
    """The notes of a section: name, claim, and the tree of the whole function."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield node.name, (ast.get_docstring(node) or "").partition("\n\n")[0], node


def calls(paths):
    """Each name that is called in these files, without what stands before its last dot, and how it is called."""
    found = defaultdict(Passed)
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and (name := getattr(node.func, "attr", getattr(node.func, "id", None))):
                found[name].places = max(found[name].places, len(node.args))
                found[name].keywords |= {keyword.arg for keyword in node.keywords if keyword.arg}
    return found


def named(claim):
    """The dotted names in the backticks of a claim: `torch.load(path)` and `loss.backward()` name two."""
    for text in re.findall(r"`([^`]+)`", claim):
        try:
            tree = ast.parse(text, mode="eval")
        except SyntaxError:
            continue
        for node in [tree.body, *(each.func for each in ast.walk(tree) if isinstance(each, ast.Call))]:
            name = ast.unparse(node)
            if re.fullmatch(r"[A-Za-z_]\w*(\.\w+)*", name):
                yield name


def namespace(path):
    """What the imports of a section make of its names."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tree.body = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {}
    exec(compile(tree, path, "exec"), names)
    return names


def resolved(name, names):
    """What a name stands for: `F.relu` by the imports, `x.sum` and `loss.backward` as methods; else None."""
    import torch

    first, *rest = name.split(".")
    if first in names:
        known = names[first]
        for each in rest:
            known = getattr(known, each, None)
        return known if callable(known) else None
    homes = torch.Tensor, torch.nn.Module, torch.optim.Optimizer, torch.nn, torch
    return next((found for home in homes if callable(found := getattr(home, name.rpartition(".")[2], None))), None)


def parameters(function):
    """The names of a callable's parameters in their order; none where nobody can tell."""
    import torch

    try:
        signature = inspect.signature(function)
    except ValueError:
        stand_in = torch.overrides.get_testing_overrides().get(function)  # of what is written in C++
        signature = inspect.signature(stand_in) if stand_in else None
    every = signature.parameters.values() if signature else ()
    return [
        each.name
        for each in every
        if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD) and not each.name.startswith("_")
    ]


def gaps(path, called):
    """The callables that a section's claims name, each with the parameters that no note passes."""
    names = namespace(path)
    found, given = {}, defaultdict(set)
    for _, claim, tree in claims(path):
        keywords = {each.arg for each in ast.walk(tree) if isinstance(each, ast.keyword)}
        for name in set(named(claim)):
            given[name] |= keywords
            if (function := resolved(name, names)) is not None:
                found[name] = function
    for name, function in sorted(found.items()):
        passed = called[name.rpartition(".")[2]]
        every = [each for each in parameters(function) if each not in ("self", "input")]
        left = set(every[passed.places :]) - passed.keywords - given[name] - NOT_ASKED
        if left:
            yield name, [each for each in every if each in left]


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("words", nargs="*", metavar="WORD", help="part of a section's name")
    asked = parser.parse_args()
    every = sorted(NOTES.glob("test_*.py"))
    chosen = [path for path in every if not asked.words or any(word in path.stem for word in asked.words)]
    if not chosen:
        sys.exit(
            f"no section is named like {' or '.join(asked.words)}; there are: {' '.join(p.stem[5:] for p in every)}"
        )
    called = calls(every)
    for path in chosen:
        print(path.stem.removeprefix("test_").replace("_", " "))
        for name, left in gaps(path, called):
            print(f"    {name}: {', '.join(left)}")


if __name__ == "__main__":
    main()
