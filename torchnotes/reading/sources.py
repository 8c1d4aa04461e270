"""The notes as their sources say them: what is claimed, why, and the code, ready for a Python prompt.

The sources are read and never imported, so that a page needs neither torch nor pytest.
"""

from __future__ import annotations

import ast
import re
import symtable
import textwrap
from dataclasses import dataclass, field
from pathlib import Path

from packaging.requirements import Requirement

from torchnotes import markers, note as notes
from torchnotes.record.reader import BadRecord, reason

FIXTURES = {
    "tmp_path": ("import pathlib\nimport tempfile", "tmp_path = pathlib.Path(tempfile.mkdtemp())"),
    "monkeypatch": ("import pytest", "monkeypatch = pytest.MonkeyPatch()"),
    "device_pair": ("import torch", 'device_pair = torch.device("cpu"), torch.device("meta")'),
    "accelerator": ("import torch", 'accelerator = torch.device("cuda:0")'),
    "on_cuda": ("", "def on_cuda(function):\n    return function()"),
    "rounding_bound": (
        "import torch",
        '''\
def rounding_bound(length, dtype, tf32=False):
    """The relative error that so many rounded operations may add up to: n*u / (1 - n*u)."""
    errors = length * (2.0**-11 if tf32 else torch.finfo(dtype).eps / 2)
    return errors / (1 - errors)''',
    ),
}
"""What stands at a prompt for a fixture, with the imports it needs; for `device` see `_device`."""

ACCELERATED = {"accelerator", "on_cuda"}
FROM_PYTEST = {"capsys", "capfd", "caplog", "recwarn", "request"}
"""Fixtures that nothing at a prompt can stand for."""


@dataclass(frozen=True)
class Table:
    """The rows a note is run with: expressions as their source has them."""

    names: list[str]
    rows: list[list[str]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    whole: str = ""
    """In place of rows: the expression that they come from."""
    strategies: list[str] = field(default_factory=list)
    """Of a property: where Hypothesis takes each value from; the rows are its examples."""


@dataclass(frozen=True)
class Note:
    """One note: its words, and its code in two pieces that make sense at a prompt one after the other."""

    file: str
    name: str
    line: int
    topic: str
    claim: str
    explanation: str
    links: list[str]
    markers: list[dict]
    tables: list[Table]
    uses: str
    """Imports, helpers, the device and the first row: what the code needs."""
    code: str
    takes_device: bool
    needs: str
    """What a prompt cannot give, or an empty text."""


@dataclass(frozen=True)
class Section:
    file: str
    label: str
    """Such as `03 numpy bridge`, as records have it."""
    title: str
    introduction: str
    notes: list[Note]


def read(folder):
    """The sections in a folder of notes, in the order of their files. Raises `BadRecord` where there are none."""
    paths = sorted(Path(folder).glob("test_*.py"))
    if not paths:
        raise BadRecord(f"{folder}: there are no notes in it, files named test_*.py")
    return [section(path) for path in paths]


def section(path):
    try:
        text = path.read_text(encoding="utf-8-sig")  # Python too passes over the mark that some editors write first
        module = Module(text)
    except OSError as error:
        raise BadRecord(f"{path}: cannot be read ({error.strerror})") from None
    except SyntaxError as error:
        raise BadRecord(f"{path}: is not Python (line {error.lineno}: {error.msg})") from None
    except (RecursionError, MemoryError):
        raise BadRecord(f"{path}: is nested too deeply to be read") from None
    except ValueError as error:  # no UTF-8, or a zero byte
        raise BadRecord(f"{path}: is not Python ({error})") from None
    title, introduction, _ = notes.words(ast.get_docstring(module.tree))
    label = notes.section(path)
    topics = list(_topics(text))
    found = []
    for node in module.tree.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            begin = _begin(node)
            topic = next((topic for line, topic in reversed(topics) if line < begin), "")
            try:
                found.append(_note(path.name, module, node, begin, topic))
            except (ValueError, TypeError, LookupError, AttributeError, SyntaxError, RecursionError) as error:
                why = f"it is written in a way that the page cannot show ({reason(error)})"
                raise BadRecord(f"{path}: line {begin}: {node.name}: {why}") from None
    return Section(path.name, label, title or label.capitalize(), introduction, found)


def _topics(text):
    """The comments between notes that stand alone, and the line of each."""
    for found in re.finditer(r"^((?:# .*\n)+)(?=\n)", text, re.MULTILINE):
        words = " ".join(line.removeprefix("#").strip() for line in found[1].splitlines())
        yield text.count("\n", 0, found.start()) + 1, words


def _begin(node):
    """The line a statement begins at, decorators included."""
    return min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", ()))])


def _note(file, module, node, line, topic):
    claim, explanation, links = notes.words(ast.get_docstring(node) or node.name)
    arguments = [argument.arg for argument in node.args.args]
    tables = list(_tables(module, node))
    asked = [name for name in arguments if name not in {name for table in tables for name in table.names}]
    code = module.body(node)
    return Note(
        file=file,
        name=node.name,
        line=line,
        topic=topic,
        claim=claim,
        explanation=explanation,
        links=links,
        markers=list(_markers(node)),
        tables=tables,
        uses=for_a_prompt("\n".join(_uses(module, node, asked, tables))).strip("\n"),
        code=for_a_prompt(code),
        takes_device=bool({"device", "device_pair", *ACCELERATED} & {*arguments}),
        needs=_needs(asked, code),
    )


def _needs(asked, code):
    if FROM_PYTEST & {*asked}:
        return "pytest"
    if ACCELERATED & {*asked}:
        return "an accelerator"
    return "a file or a notebook, for TorchScript reads the source" if "torch.jit.script(" in code else ""


def _markers(node):
    """Markers that are written out, as a record has them."""
    for mark in node.decorator_list:
        name = ast.unparse(mark).partition("(")[0].removeprefix("pytest.mark.")
        first = mark.args[0] if isinstance(mark, ast.Call) and mark.args else None
        if name in markers.RECORDED and isinstance(first, ast.Constant):
            yield _marker(name, mark).as_data()


def _marker(name, mark):
    """A marker whose arguments are texts; exceptions stay as they are written."""
    said = {word.arg: word.value for word in mark.keywords}
    if name == "holds":
        value = said.get("otherwise", mark.args[-1])
        names = tuple(ast.unparse(each) for each in getattr(value, "elts", [value]))
        change = ast.literal_eval(said["change"]) if "change" in said else None
        concerns = ast.literal_eval(said["concerns"]) if "concerns" in said else None
        concerns = (concerns,) if isinstance(concerns, str) else concerns
        return markers.Holds(Requirement(mark.args[0].value), names, change, concerns)
    named = {word: ast.literal_eval(value) for word, value in said.items()}
    return markers.of(name, [ast.literal_eval(each) for each in mark.args], named)


def _tables(module, node):
    """What the decorators run a note with, the outermost loop of pytest last."""
    examples = []
    for mark in node.decorator_list:
        if not isinstance(mark, ast.Call):
            continue
        name = ast.unparse(mark.func)
        if name == "pytest.mark.parametrize":
            yield _parametrized(module, mark)
        elif name in ("example", "hypothesis.example"):
            examples.append({word.arg: module.source(word.value) for word in mark.keywords})
        elif name in ("given", "hypothesis.given"):
            strategies = {word.arg: module.source(word.value) for word in mark.keywords}
            below = node.decorator_list[node.decorator_list.index(mark) + 1 :]
            given = examples + [
                {word.arg: module.source(word.value) for word in each.keywords}
                for each in below
                if isinstance(each, ast.Call) and ast.unparse(each.func) in ("example", "hypothesis.example")
            ]
            rows = [[example.get(name, "") for name in strategies] for example in given]
            yield Table(list(strategies), rows, strategies=list(strategies.values()))


def _parametrized(module, mark):
    names, values = mark.args[:2]
    names = ast.literal_eval(names)
    names = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
    if not isinstance(values, (ast.List, ast.Tuple)):
        return Table(names, whole=module.source(values))
    given = next((word.value for word in mark.keywords if word.arg == "ids"), None)
    ids = [ast.literal_eval(each) for each in given.elts] if isinstance(given, (ast.List, ast.Tuple)) else []
    rows, own = [], []
    for value in values.elts:
        cells = [value]
        if isinstance(value, ast.Call) and ast.unparse(value.func) == "pytest.param":
            cells = value.args
            own += [ast.literal_eval(word.value) for word in value.keywords if word.arg == "id"]
        elif len(names) > 1 and isinstance(value, (ast.Tuple, ast.List)):
            cells = value.elts
        rows.append([module.source(cell) for cell in cells])
    ids = next((each for each in (ids, own) if len(each) == len(rows)), [])
    return Table(names, rows, [str(each) for each in ids])


class Module:
    """A file of notes: what is defined at its top, and what of that some code uses."""

    def __init__(self, text):
        self.lines = text.split("\n")  # as Python counts them: splitlines knows more ends of a line
        self.tree = ast.parse(text)
        self.defined = {}
        for node in self.tree.body:
            for name in _names(node):
                self.defined[name] = node

    def source(self, node):
        """An expression as it is written, in one line."""
        if node.lineno != node.end_lineno:
            return ast.unparse(node)
        line = self.lines[node.lineno - 1].encode()  # ast counts bytes
        return line[node.col_offset : node.end_col_offset].decode()

    def body(self, function):
        """What a function does, without its docstring and its indentation."""
        first, *rest = function.body
        documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and rest
        begin = first.end_lineno if documented else first.lineno - 1
        return textwrap.dedent("\n".join(self.lines[begin : function.end_lineno])).strip("\n")

    def is_fixture(self, name):
        node = self.defined.get(name)
        decorators = getattr(node, "decorator_list", ())
        return any("fixture" in ast.unparse(decorator) for decorator in decorators)

    def used(self, names):
        """The definitions that some names lead to, one through another, in the order of the file."""
        found, left = {}, sorted(names)
        while left:
            name = left.pop()
            node = self.defined.get(name)
            if node is None or name in found:
                continue
            found[name] = node
            if not isinstance(node, (ast.Import, ast.ImportFrom)):
                left += sorted(_loaded([node]))
        return found

    def definitions(self, names):
        """The text of what some names lead to: imports of no more than is used first, and then the rest."""
        found = self.used(names)
        imports = {}
        for name, node in sorted(found.items(), key=lambda each: each[1].lineno):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                imports.setdefault(id(node), (node, []))[1].append(name)
        for node, wanted in imports.values():
            node = ast.parse(ast.unparse(node)).body[0]
            node.names = [alias for alias in node.names if _bound(alias) in wanted]
            yield ast.unparse(node)
        others = {id(node): node for node in found.values() if not isinstance(node, (ast.Import, ast.ImportFrom))}
        if imports and others:
            yield ""
        last = None
        for node in sorted(others.values(), key=lambda node: node.lineno):
            begin = node.lineno if any(self.is_fixture(name) for name in _names(node)) else _begin(node)
            if last is not None and (last.lineno != last.end_lineno or node.lineno != node.end_lineno):
                yield ""
            yield "\n".join(self.lines[begin - 1 : node.end_lineno])
            last = node


def _bound(alias):
    return alias.asname or alias.name.partition(".")[0]


def _names(node):
    """What a statement at the top of a file defines."""
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return [_bound(alias) for alias in node.names]
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return [node.name]
    if isinstance(node, (ast.Assign, ast.AnnAssign)):
        return [each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)]
    return []


def _loaded(statements):
    """The names that some statements, one after another, take from outside."""
    code = "\n".join(map(ast.unparse, statements)) or "pass"
    in_a_function = f"def code():\n{textwrap.indent(code, '    ')}"
    tables = symtable.symtable(in_a_function, "<note>", "exec").get_children()
    for table in tables:  # which grows while it is walked
        tables += table.get_children()
    symbols = [symbol for table in tables for symbol in table.get_symbols()]
    return {symbol.get_name() for symbol in symbols if symbol.is_global() and symbol.is_referenced()}


def _uses(module, node, asked, tables):
    """The lines that come before the body of a note at a prompt."""
    fixtures = [name for name in asked if module.is_fixture(name)]
    stand_ins = [FIXTURES[name] for name in asked if name in FIXTURES]
    if "device" in asked:
        stand_ins.insert(0, _device(node))
    first = [line for table in tables for line in _first(table)]
    names = _loaded([*ast.parse("\n".join(first)).body, *node.body])
    defined = list(module.definitions(names | {*fixtures}))
    imports = [line for needed, _ in stand_ins for line in needed.splitlines()]
    yield from (line for line in dict.fromkeys(imports) if line not in defined)
    yield from defined
    yield ""
    yield from (text for _, text in stand_ins)
    yield from (f"{name} = {name}()" for name in fixtures)
    yield from first


def _device(node):
    """The device as a text, which is what people write, where no more is asked of it than to be one."""
    loads = {id(each) for each in ast.walk(node) if isinstance(each, ast.Name) and each.id == "device"}
    for each in ast.walk(node):
        if isinstance(each, ast.keyword) and each.arg == "device":
            loads.discard(id(each.value))
        elif isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute) and each.func.attr == "to":
            loads -= {id(argument) for argument in each.args}
    return ("import torch", 'device = torch.device("cpu")') if loads else ("", 'device = "cpu"')


def _first(table):
    """The first row as assignments; of a property its first example, or one that Hypothesis finds."""
    if table.rows:
        return [f"{name} = {value}" for name, value in zip(table.names, table.rows[0], strict=True)]
    if table.strategies:
        pairs = zip(table.names, table.strategies, strict=True)
        return [f"{name} = {_operand(strategy)}.example()" for name, strategy in pairs]
    return [f"{', '.join(table.names)} = next(iter({table.whole}))"]


def _operand(text):
    plain = isinstance(ast.parse(text, mode="eval").body, (ast.Name, ast.Attribute, ast.Call))
    return text if plain else f"({text})"


BLOCKS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.If, ast.For, ast.AsyncFor, ast.While, ast.With)
BLOCKS += (
    ast.AsyncWith,
    ast.Try,
    ast.Match,
    *([ast.TryStar] if hasattr(ast, "TryStar") else []),
)  # from Python 3.11 on


def for_a_prompt(code):
    """The same code with blank lines where a prompt wants them: none inside a block, and one behind it."""
    lines = code.split("\n")
    tree = ast.parse(code)
    texts = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.Constant, ast.JoinedStr)) and node.end_lineno > node.lineno:
            texts |= {*range(node.lineno, node.end_lineno + 1)}
    inside, ends = set(), set()
    for node in tree.body:
        if isinstance(node, BLOCKS):
            inside |= {*range(_begin(node), node.end_lineno)}
            ends.add(node.end_lineno)
    kept = []
    for number, line in enumerate(lines, start=1):
        blank = not line.strip()
        if blank and number not in texts and (number in inside or not kept or not kept[-1].strip()):
            continue
        kept.append(line)
        if number in ends and number < len(lines):
            kept.append("")
    return "\n".join(kept)
