"""Where a note can have a blank: what its assertions expect, and whether somebody can know that from what is shown."""

from __future__ import annotations

import ast
import builtins
import re
from dataclasses import dataclass

from torchnotes.record.exercises import BLANK

MODULES = ("torch", "np", "math")
"""What an answer may take a name from."""

CONSTRUCTORS = {"torch.Size", "torch.device", "range", "float", "complex", "set"}

BOOLEAN = re.compile(r"(is|has)_\w+|isinstance|issubclass|hasattr|callable|all|any|equal|allclose|\w*share\w*_memory")
"""Names of functions and methods that give True or False."""

BOOLEAN_ATTRIBUTES = ("requires_grad", "training", "writeable")

CHANCE = re.compile(r"rand|shuffle|seed|dropout|multinomial|bernoulli|normal|uniform|sampl|kaiming|xavier", re.I)
"""Names in whose neighbourhood a number may come from a generator."""

COUNTED = re.compile(r"\.(shape|dtype|ndim|size\(\)|device|type)\b|\blen\(|numel")
"""What no generator chooses."""

OF_THE_MACHINE = re.compile(
    r"data_ptr|\bid\(|hash|__version__|\bos\.|\bsys\.|platform|perf_counter|stderr|stdout|repr\(|str\(|getsource|count_"
)
"""What an answer may not depend on: addresses, clocks, the system, and how something is spelled."""

LARGEST = 10_000
LONGEST = 60
MOST = 8
"""Of an answer: its largest number, its characters, and its numbers and names."""


@dataclass(frozen=True)
class Edit:
    """Bytes of the source, by line and column, and the text in their place."""

    begin: tuple[int, int]
    end: tuple[int, int]
    text: str = BLANK


@dataclass(frozen=True)
class Site:
    """A statement with one blank or several: how it is written then, what is asked, and what the note has there."""

    statement: ast.AST
    edits: list[Edit]
    questions: list[str]
    answers: list[str]


def of(module, body):
    """The sites among the statements `body` of a note, in their order."""
    text = "\n".join(module.source(statement) for statement in body)
    for statement in assertions(body):
        if isinstance(statement, ast.Assert):
            found = _of_an_equality(module, statement.test, text) or _of_a_truth(module, statement.test)
        else:
            found = _of_an_exception(module, statement)
        if found is not None:
            yield Site(statement, *found)


def assertions(body):
    """The statements that assert: `assert`, and `with pytest.raises`; those in loops and other blocks too."""
    for statement in body:
        if isinstance(statement, ast.Assert) or is_about_an_exception(statement):
            yield statement
        elif isinstance(statement, (ast.For, ast.With)):
            yield from assertions(statement.body)


def is_about_an_exception(statement):
    if not isinstance(statement, ast.With) or len(statement.items) > 1:
        return False
    call = statement.items[0].context_expr
    return isinstance(call, ast.Call) and ast.unparse(call.func) == "pytest.raises"


def _place(node):
    return Edit((node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset))


def _of_an_equality(module, test, text):
    """`a == b == [1, 2]`; where both sides are tuples, each of their elements."""
    if not isinstance(test, ast.Compare) or not all(isinstance(each, ast.Eq) for each in test.ops):
        return None
    *left, right = [test.left, *test.comparators]
    pairs = [(left, right)]
    tuples = len(left) == 1 and isinstance(left[0], ast.Tuple) and isinstance(right, ast.Tuple)
    if tuples and len(left[0].elts) == len(right.elts) <= 3:
        pairs = [([one], other) for one, other in zip(left[0].elts, right.elts, strict=True)]
    chance = CHANCE.search(text) is not None
    known = [
        (sides, answer)
        for sides, answer in pairs
        if can_be_known(answer, text, chance and not _is_counted(sides))
        and not any(OF_THE_MACHINE.search(ast.unparse(side)) or _is_an_answer(side) for side in sides)
    ]
    if not known:
        return None
    questions = [f"what is {' and '.join(_quoted(module, side) for side in sides)}?" for sides, _ in known]
    return [_place(answer) for _, answer in known], questions, [module.source(answer) for _, answer in known]


def _is_counted(sides):
    """Whether all that is compared is a shape, a dtype or a number of things, which no generator chooses."""
    return all(
        re.search(r"\.(shape|dtype|ndim|size\(\)|device|type)\b|\blen\(|numel", ast.unparse(each)) for each in sides
    )


def _is_an_answer(node):
    return isinstance(node, (ast.Constant, ast.List, ast.Dict, ast.Set)) and not any(
        isinstance(each, (ast.Name, ast.Call)) for each in ast.walk(node)
    )


def can_be_known(node, text="", chance=False):
    """Whether an expression is a value that somebody can find by thinking: short, written out, with no name of its own.

    `text` is the code that is shown, in which a word of the answer must stand; with `chance` no number is asked for.
    """
    if (
        len(ast.unparse(node)) > LONGEST
        or sum(isinstance(each, (ast.Constant, ast.Name)) for each in ast.walk(node)) > MOST
    ):
        return False
    return all(_is_known(each, text, chance) for each in _parts(node))


def _parts(node):
    """The outermost parts of an expression that are no container and no arithmetic."""
    if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        inner = node.elts
    elif isinstance(node, ast.Dict):
        inner = [*node.keys, *node.values]
    elif isinstance(node, ast.BinOp):
        inner = [node.left, node.right]
    elif isinstance(node, ast.UnaryOp):
        inner = [node.operand]
    elif isinstance(node, ast.Call) and ast.unparse(node.func) in CONSTRUCTORS and not node.keywords:
        inner = node.args
    else:
        return [node]
    return [part for each in inner for part in _parts(each)]


def _is_known(node, text, chance):
    if isinstance(node, ast.Attribute):
        root = ast.unparse(node).partition(".")[0]
        return root in MODULES and all(isinstance(each, (ast.Attribute, ast.Name, ast.Load)) for each in ast.walk(node))
    if not isinstance(node, ast.Constant):
        return False
    value = node.value
    if isinstance(value, bool) or value is None:
        return True
    if isinstance(value, (int, float, complex)):
        return not chance and abs(value) <= LARGEST and len(repr(value)) <= 6
    return isinstance(value, str) and len(value) <= 20 and text.count(value) > 1  # once is the answer itself


def _of_a_truth(module, test):
    """`a is b`, `torch.equal(a, b)`, `not x.is_leaf`: asked in the positive, so that the answer may be False."""
    whole, answer = _place(test), True
    while isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        test, answer = test.operand, not answer
    if whole.begin[0] != whole.end[0]:
        return None
    text = module.source(test)
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        turned = {ast.IsNot: "is", ast.NotIn: "in", ast.NotEq: "=="}
        if operator := turned.get(type(test.ops[0])):
            text = f"{module.source(test.left)} {operator} {module.source(test.comparators[0])}"
            answer = not answer
        elif not isinstance(test.ops[0], (ast.Is, ast.In, ast.Eq)):
            return None
        written = f"({text}) == {BLANK}"
    elif _is_named_as_truth(test):
        written = f"{text} == {BLANK}"
    else:
        return None
    if len(text) > LONGEST or re.search(r"\b(os|sys|platform|time)\.|__version__|stderr|stdout", text):
        return None
    return [Edit(whole.begin, whole.end, written)], [f"is it True or False that `{text}`?"], [repr(answer)]


def _is_named_as_truth(node):
    if isinstance(node, ast.Call):
        return BOOLEAN.fullmatch(ast.unparse(node.func).rpartition(".")[2]) is not None
    return isinstance(node, ast.Attribute) and (
        BOOLEAN.fullmatch(node.attr) is not None or node.attr in BOOLEAN_ATTRIBUTES
    )


def _of_an_exception(module, statement):
    """`with pytest.raises(TypeError): ...`"""
    call = statement.items[0].context_expr
    exception = call.args[0] if call.args else None
    if not isinstance(exception, (ast.Name, ast.Attribute)) or not _is_exception(ast.unparse(exception)):
        return None
    last = statement.body[-1]
    asked = _quoted(module, last) if len(ast.unparse(last)) <= LONGEST and "\n" not in ast.unparse(last) else "this"
    return [_place(exception)], [f"which exception does {asked} raise?"], [module.source(exception)]


def _is_exception(name):
    found = getattr(builtins, name, None)
    return isinstance(found, type) or re.fullmatch(r"[\w.]+\.\w+(Error|Warning)", name) is not None


def _quoted(module, node):
    text = module.source(node)
    return f"`{text if len(text) <= LONGEST else f'{text[:LONGEST]} ...'}`"
