"""Somebody's code as it lies in files and folders: Python files and notebooks, read and never run."""

from __future__ import annotations

import ast
import json
import os
import re
import warnings
from dataclasses import dataclass, field
from pathlib import Path

from torchnotes.refusal import Refusal

SUFFIXES = {".py", ".pyi", ".ipynb"}
LEFT_OUT = {"__pycache__", "site-packages", "dist-packages", "node_modules", "venv", "env"}
"""Folders that hold other people's code; so do those that begin with a dot, and a virtual environment by any name."""
LARGEST = 2_000_000
"""Bytes of a Python file; of a notebook, which may hold pictures, fifty times as many."""

ANOTHER_LANGUAGE = re.compile(r"\s*%%(?!(?:time|timeit|capture|prun)\b)")
MAGIC = re.compile(r"^(\s*)(?:[%!?]|[\w.,\s]+=\s*[%!]|[\w.]+\?\??\s*$)")
TIMED = re.compile(r"^(\s*)%time(?:it)?\s+(?!-)")


class NoCode(Refusal):
    """A path leads to no code; the message says which and why."""


@dataclass(frozen=True)
class Source:
    """A file of Python, parsed, or the cells of a notebook as one."""

    path: str
    lines: list[str]
    tree: ast.Module
    cells: list[tuple[int, int, int]] = field(default_factory=list)
    """Of a notebook, for each line: the number of its cell, its line there, and its line in the file, from 1."""


def read(paths):
    """Every `Source` under some paths, and as a text every file that cannot be read, in the order of their names.

    Raises `NoCode` where a path is not there, or none of them leads to a file of Python.
    """
    files = [file for path in paths for file in _files(path)]
    if not files:
        raise NoCode(f"{', '.join(map(str, paths))}: no Python file and no notebook there")
    return (each for file in dict.fromkeys(files) for each in _read(file))


def _files(path):
    path = Path(path)
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise NoCode(f"{path}: there is no such file or folder")
    found = []
    for folder, inside, files in os.walk(path):
        inside[:] = sorted(name for name in inside if not _is_left_out(Path(folder, name)))
        found += [Path(folder, name) for name in sorted(files) if Path(name).suffix in SUFFIXES]
    return found


def _is_left_out(folder):
    return folder.name in LEFT_OUT or folder.name.startswith(".") or (folder / "pyvenv.cfg").exists()


def _read(path):
    is_notebook = path.suffix == ".ipynb"
    try:
        size = path.stat().st_size
        if size > LARGEST * (50 if is_notebook else 1):
            yield f"{path}: too large to be read ({size} bytes)"
            return
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        yield f"{path}: cannot be read ({error.strerror})"
        return
    except UnicodeDecodeError:
        yield f"{path}: is no text in UTF-8"
        return
    if is_notebook:
        yield from _notebook(str(path), text)
        return
    tree, why = _parsed(text)
    yield Source(str(path), text.split("\n"), tree) if tree else f"{path}: {why}"


def _parsed(text):
    """A tree, or None and the reason."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as an escape that Python does not know: no business of this
            return ast.parse(text), ""
    except SyntaxError as error:
        return None, f"is not Python of this version (line {error.lineno}: {error.msg})"
    except (ValueError, RecursionError, MemoryError) as error:
        return None, f"is not Python ({error})"


def _notebook(path, text):
    try:
        cells = json.loads(text)["cells"]
        sources = [
            (number, "".join(cell["source"]).split("\n"))
            for number, cell in enumerate(cells, start=1)
            if cell["cell_type"] == "code"
        ]
    except (ValueError, LookupError, TypeError, RecursionError):
        yield f"{path}: is no notebook of Jupyter's format 4"
        return
    in_file = _lines_of(text)
    lines, places = [], []
    for number, source in sources:
        code = _without_magics(source)
        tree, why = _parsed("\n".join(code))
        if tree is None:
            yield f"{path}: cell {number}: {why}"
            code = [""] * len(code)
        for line, (written, kept) in enumerate(zip(source, code, strict=True), start=1):
            lines.append(kept)
            places.append((number, line, in_file(written)))
    tree, why = _parsed("\n".join(lines))
    yield Source(path, lines, tree, places) if tree else f"{path}: {why}"


def _lines_of(text):
    """A function that finds lines of cells in the file, asked in their order: Jupyter writes each on its own."""
    lines, last = text.split("\n"), 0

    def line_of(written):
        nonlocal last
        wanted = {json.dumps(written, ensure_ascii=ascii)[1:-1] for ascii in (True, False)}
        for number in range(last, len(lines)):
            held = lines[number].strip().rstrip(",")
            if held[1:-1].removesuffix("\\n") in wanted and held.startswith('"'):
                last = number + 1
                return last
        return max(last, 1)

    return line_of


def _without_magics(source):
    """As many lines, without what only IPython understands; empty ones for a cell in another language."""
    if ANOTHER_LANGUAGE.match(source[0]):
        return [""] * len(source)
    code = []
    for line in source:
        line = TIMED.sub(r"\1", line)
        magic = MAGIC.match(line)
        code.append(f"{magic[1]}pass" if magic and not line.lstrip().startswith("%%") else "" if magic else line)
    return code
