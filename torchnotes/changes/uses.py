"""Which names of libraries some Python code uses, and where: read with `ast`, never imported or run.

Imports and aliases are followed to the qualified name. What an object is, is known where the code says so plainly: it
was made by a call that is in sight (`x = torch.ones(3)`), annotated, or is `self` of a class with a base in sight.
Everything else is unknown, and a method of it is no more than a name behind a dot.
"""

from __future__ import annotations

import ast
import builtins
import re
from dataclasses import dataclass, field
from typing import NamedTuple

TENSOR = "torch.Tensor"
MAKES_TENSORS = re.compile(r"torch\.(?:nn\.functional\.|linalg\.|special\.|fft\.)?_?[a-z]\w*")
MAKES_NONE = {
    *("torch.load", "torch.device", "torch.compile", "torch.finfo", "torch.iinfo", "torch.typename"),
    *("torch.no_grad", "torch.enable_grad", "torch.inference_mode", "torch.autocast", "torch.set_grad_enabled"),
    *("torch.get_default_dtype", "torch.get_default_device", "torch.is_tensor", "torch.numel", "torch.equal"),
    *("torch.initial_seed", "torch.get_num_threads", "torch.dtype", "torch.save", "torch.split", "torch.chunk"),
}
"""Functions right under `torch` that return something else."""
NO_TENSOR = {
    "item",
    "tolist",
    "numpy",
    "size",
    "dim",
    "numel",
    "stride",
    "data_ptr",
    "split",
    "chunk",
    "unbind",
    "max",
    "min",
}
NO_TENSOR |= {
    "element_size",
    "storage",
    "untyped_storage",
    "nelement",
    "backward",
    "sort",
    "topk",
    "unique",
    "get_device",
}
"""Methods of a tensor that return something else, or several."""
TENSOR_ATTRIBUTES = {"grad", "data", "T", "mT", "H", "real", "imag"}

GUARD = re.compile(r"version|hasattr|_AVAILABLE|(?:TORCH|PYTORCH|PT)_?(?:GE|GREATER|LESS|LT|\d)", re.IGNORECASE)
GUARDED = ""
"""Beside the exceptions that are handled around some code: that it is guarded."""
HANDLED = {"ImportError", "ModuleNotFoundError", "AttributeError", "TypeError"}
VARIABLE = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")


class Arguments(NamedTuple):
    """Of a call: expressions with names resolved where they can be. `open` where `*` or `**` may add others."""

    positional: list
    named: dict
    open: bool


@dataclass(frozen=True)
class Use:
    """One place in some code where a name is used."""

    name: str
    """Qualified, such as `torch.load`; `.clamp` is a method or attribute of an object."""
    line: int
    column: int
    """From 0."""
    how: str = "name"
    """`call`, `name`, `import`, `class` (a base in a class statement), `type` (an annotation), `isinstance`, or `text`
    (in quotes)."""
    arguments: Arguments | None = None
    """Of a call; of a class statement the methods it defines."""
    owner: str | None = None
    """Of `.clamp`: what the object is, such as `torch.Tensor` or the class it was made by; None if unknown."""
    on: str = ""
    """As a decorator: `def` or `class`, what it stands above."""
    guarded: bool = False
    """Whether the code asks first what is there: for a version, with hasattr, or in a `try` that can do without."""
    caught: frozenset[str] = frozenset()
    """The exceptions that a `try` around it handles."""
    of: str = ""
    """Of `.clamp`: the last name of what it is asked of, in the words of the code."""


class Value(NamedTuple):
    """What an expression is known to be: a `name` of a library, an object made by `name`, or a method of one."""

    kind: str
    """`name`, `object`, `class` (one of the code's own, derived from `name`), or `method`."""
    name: str
    method: str = ""


OTHER = Value("object", "?")
"""Something of Python's own, or of a library that is not asked about."""


@dataclass
class Scope:
    parent: Scope | None = None
    node: ast.AST | None = None
    bound: dict = field(default_factory=dict)
    attributes: dict = field(default_factory=dict)
    """Of a class: what `self.name` is given in its methods, as (expression, scope)."""
    known: dict = field(default_factory=dict)

    @property
    def is_class(self):
        return isinstance(self.node, ast.ClassDef)


FUNCTIONS = ast.FunctionDef, ast.AsyncFunctionDef
DEFINITIONS = {*FUNCTIONS, ast.ClassDef}
IMPORTS = {ast.Import, ast.ImportFrom}
SIGNS = ast.expr_context, ast.operator, ast.unaryop, ast.cmpop, ast.boolop
BUILTINS = set(dir(builtins))


def uses(tree):
    """Every `Use` in a parsed module, in the order of its lines."""
    reader = _Reader()
    scope = reader.enter(Scope(node=tree), tree.body)
    reader.block(tree.body, scope, frozenset())
    return sorted(reader.found, key=lambda use: (use.line, use.column))


class _Reader:
    def __init__(self):
        self.found = []
        self.scopes = {}
        self.pending = set()
        self.visitors = {name[6:]: getattr(self, name) for name in dir(self) if name.startswith("visit_")}

    # What names are bound to.

    def enter(self, scope, body):
        """Collect what the statements of a scope bind, and open the scopes of the functions and classes in it."""
        stack = list(reversed(body))
        while stack:
            node = stack.pop()
            kind = type(node)
            if kind in IMPORTS:
                for name, target in _imported(node):
                    scope.bound.setdefault(name, []).append(Value("name", target))
                continue
            if kind in DEFINITIONS:
                scope.bound.setdefault(node.name, []).append(node)
                inner = self.scopes[node] = Scope(scope, node)
                if kind is not ast.ClassDef:
                    self.parameters(node, inner)
                self.enter(inner, node.body)
                continue
            if kind in (ast.Assign, ast.AnnAssign, ast.NamedExpr):
                annotation = getattr(node, "annotation", None)
                for target in node.targets if kind is ast.Assign else [node.target]:
                    self.bind(target, annotation or node.value, scope, bool(annotation))
            elif kind in (ast.For, ast.AsyncFor, ast.comprehension):
                self.bind(node.target, None, scope)
            elif kind is ast.withitem and node.optional_vars is not None:
                self.bind(node.optional_vars, node.context_expr, scope)
            elif kind is ast.ExceptHandler and node.name:
                scope.bound.setdefault(node.name, []).append(OTHER)
            stack.extend(reversed(_children(node)))
        return scope

    def parameters(self, node, scope):
        arguments = node.args
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        for each in every:
            scope.bound[each.arg] = [(each.annotation, scope.parent, True) if each.annotation else None]
        for each in (arguments.vararg, arguments.kwarg):
            if each:
                scope.bound[each.arg] = [OTHER]
        if scope.parent.is_class and every and not any(_is_static(each) for each in node.decorator_list):
            scope.bound[every[0].arg] = ["self"]

    def bind(self, target, value, scope, annotated=False):
        if isinstance(target, ast.Name):
            scope.bound.setdefault(target.id, []).append((value, scope, annotated) if value is not None else None)
        elif isinstance(target, (ast.Tuple, ast.List)):
            for each in target.elts:
                self.bind(each, None, scope)
        elif isinstance(target, ast.Starred):
            self.bind(target.value, None, scope)
        elif isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
            owner = self.self_class(target.value.id, scope)
            if owner is not None:
                owner.attributes.setdefault(target.attr, []).append(
                    (value, scope, annotated) if value is not None else None
                )

    def self_class(self, name, scope):
        """The scope of the class whose object `name` is, where it is the `self` of a method."""
        while scope is not None:
            if name in scope.bound:
                return scope.parent if scope.bound[name] == ["self"] else None
            scope = scope.parent
        return None

    def look_up(self, name, scope):
        first = scope
        while scope is not None:
            if name in scope.bound and (scope is first or not scope.is_class):
                return self.known(scope, name, scope.bound[name])
            scope = scope.parent
        return OTHER if name in BUILTINS else None

    def known(self, scope, name, bindings, of=""):
        key = of + name
        if key not in scope.known:
            if (id(scope), key) in self.pending:
                return None
            self.pending.add((id(scope), key))
            scope.known[key] = self.agreed(bindings, scope)
            self.pending.discard((id(scope), key))
        return scope.known[key]

    def agreed(self, bindings, scope):
        """What all bindings of a name come to; an import wins, as in `try: import it except ImportError: it = None`."""
        for each in bindings:
            if isinstance(each, Value) and each.kind == "name":
                return each
        values = {self.bound_value(each, scope) for each in bindings}
        if len(values) > 1:  # such as `x = x.relu()` after `x = torch.ones(3)`: the name itself is not known yet
            values.discard(None)
            if len(bindings) > 1 and None in bindings:
                return None
        return values.pop() if len(values) == 1 else None

    def bound_value(self, binding, scope):
        if binding is None or isinstance(binding, Value):
            return binding
        if binding == "self":
            return Value("object", self.base(scope.parent))
        if isinstance(binding, ast.ClassDef):
            return Value("class", self.base(self.scopes[binding]))
        if isinstance(binding, FUNCTIONS):
            return Value("object", "?")
        expression, scope, annotated = binding
        if not annotated:
            return self.value(expression, scope)
        return self.annotated(expression, scope)

    def annotated(self, node, scope):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            try:
                node = ast.parse(node.value, mode="eval").body
            except SyntaxError:
                return None
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            return self.annotated(node.left, scope)
        if isinstance(node, ast.Subscript):
            container = self.value(node.value, scope)
            if container and container.name in ("typing.Optional", "typing.Annotated"):
                return self.annotated(node.slice, scope)
            return OTHER
        value = self.value(node, scope)
        if value is None or value.kind not in ("name", "class"):
            return value if value is OTHER else None
        return Value("object", value.name) if value.name.partition(".")[0] != "typing" else None

    def base(self, scope):
        """The class of a library that a class statement derives from, through others of the same file, or `?`."""
        if "base" not in scope.known:
            scope.known["base"] = "?"
            for each in scope.node.bases:
                value = self.value(each, scope.parent)
                if value is None:
                    scope.known["base"] = "~"  # from where nobody can see
                elif value.kind in ("name", "class") and value.name not in ("?", "~", "abc.ABC", "typing.Generic"):
                    scope.known["base"] = value.name
                    break
        return scope.known["base"]

    # What expressions are.

    def value(self, node, scope):
        """The `Value` of an expression, or None where it is unknown."""
        if isinstance(node, ast.Name):
            return self.look_up(node.id, scope)
        if isinstance(node, ast.Attribute):
            return self.attribute(node, scope)
        if isinstance(node, ast.Call):
            return self.result(node, scope)
        if isinstance(node, (ast.BinOp, ast.Compare, ast.UnaryOp, ast.Subscript)):
            operands = {
                ast.BinOp: lambda: [node.left, node.right],
                ast.Compare: lambda: [node.left],
                ast.UnaryOp: lambda: [node.operand],
                ast.Subscript: lambda: [node.value],
            }[type(node)]()
            tensor = Value("object", TENSOR)
            return tensor if any(self.value(each, scope) == tensor for each in operands) else None
        if isinstance(node, (ast.Await, ast.Starred, ast.IfExp, ast.BoolOp, ast.NamedExpr, ast.Lambda)):
            return self.value(node.value, scope) if isinstance(node, ast.NamedExpr) else None
        return OTHER  # a constant, a list, a dict

    def attribute(self, node, scope):
        if isinstance(node.value, ast.Name) and (owner := self.self_class(node.value.id, scope)):
            if node.attr in owner.attributes:
                return self.known(owner, node.attr, owner.attributes[node.attr], of=".")
            if node.attr in owner.bound:
                return OTHER
        value = self.value(node.value, scope)
        if value is None:
            return None
        if value.kind == "name":
            return Value("name", f"{value.name}.{node.attr}")
        if value.kind == "class":
            return Value("name", f"{value.name}.{node.attr}")
        if value == Value("object", TENSOR) and node.attr in TENSOR_ATTRIBUTES:
            return value
        return OTHER if value is OTHER else Value("method", value.name, node.attr)

    def result(self, node, scope):
        if isinstance(node.func, ast.Name) and node.func.id == "super":
            inside = _class_around(scope)
            return Value("class", self.base(inside)) if inside else None
        if named := self.named_by_getattr(node, scope):
            return named
        value = self.value(node.func, scope)
        if value is None or value is OTHER:
            return value
        if value.kind == "class":
            return Value("object", value.name)
        if value.kind == "name":
            makes_tensors = MAKES_TENSORS.fullmatch(value.name) and value.name not in MAKES_NONE
            return Value("object", TENSOR if makes_tensors else value.name)
        if value.kind == "method":
            tensor = value.name == TENSOR and value.method not in NO_TENSOR
            return Value("object", TENSOR) if tensor else None
        is_layer = value.name.startswith("torch.nn.") and "LSTM" not in value.name and "GRU" not in value.name
        return Value("object", TENSOR) if is_layer and value.name != "torch.nn.Module" else None

    def named_by_getattr(self, node, scope):
        """`getattr(torch, "load")` is `torch.load`."""
        if isinstance(node.func, ast.Name) and node.func.id == "getattr" and len(node.args) >= 2:
            value, name = self.value(node.args[0], scope), node.args[1]
            if value and value.kind == "name" and isinstance(name, ast.Constant) and isinstance(name.value, str):
                return Value("name", f"{value.name}.{name.value}")
        return None

    # Where they are used.

    def block(self, body, scope, around):
        for node in body:
            self.visit(node, scope, around)

    def visit(self, node, scope, around):
        visit = self.visitors.get(type(node).__name__)
        if visit:
            visit(node, scope, around)
        else:
            for child in _children(node):
                self.visit(child, scope, around)

    def visit_Import(self, node, scope, around):
        for alias in node.names:
            self.add(Value("name", alias.name), node, "import", around=around)

    def visit_ImportFrom(self, node, scope, around):
        for _, target in _imported(node):
            self.add(Value("name", target), node, "import", around=around)

    def visit_FunctionDef(self, node, scope, around):
        self.decorators(node, "def", scope, around)
        arguments = node.args
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
        for each in [*(each.annotation for each in every if each), node.returns]:
            self.types(each, scope, around)
        for each in [*arguments.defaults, *arguments.kw_defaults]:
            if each is not None:
                self.visit(each, scope, around)
        self.block(node.body, self.scopes[node], around)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_ClassDef(self, node, scope, around):
        self.decorators(node, "class", scope, around)
        inner = self.scopes[node]
        methods = Arguments([], {each.name: None for each in node.body if isinstance(each, FUNCTIONS)}, False)
        for each in node.bases:
            value = self.value(each, scope)
            if value and value.kind in ("name", "class"):
                self.add(Value("name", value.name), each, "class", methods, around=around)
            else:
                self.visit(each, scope, around)
        for word in node.keywords:
            self.visit(word.value, scope, around)
        self.block(node.body, inner, around)

    def decorators(self, node, on, scope, around):
        for each in node.decorator_list:
            self.visit(each, scope, around) if not self.reference(each, scope, around, on) else None

    def types(self, node, scope, around, how="type"):
        """Names that say what type something is, and do nothing."""
        for each in ast.walk(node) if node is not None else ():
            if isinstance(each, (ast.Name, ast.Attribute)):
                value = self.value(each, scope)
                if value and value.kind == "name":
                    self.add(value, each, how, around=around)

    def visit_AnnAssign(self, node, scope, around):
        self.types(node.annotation, scope, around)
        for each in (node.target, node.value):
            if each is not None:
                self.visit(each, scope, around)

    def visit_Subscript(self, node, scope, around):
        container = self.value(node.value, scope)
        if container and container.name.startswith("typing."):
            self.types(node.slice, scope, around)
        else:
            self.block([node.value, node.slice], scope, around)

    def visit_Call(self, node, scope, around, on=""):
        function, given, words = node.func, node.args, node.keywords
        if isinstance(function, ast.Name) and function.id in ("isinstance", "issubclass") and len(given) == 2:
            self.visit(given[0], scope, around)
            self.types(given[1], scope, around, "isinstance")
            return
        value = self.value(function, scope)
        if value and value.name == "typing.cast" and given:
            self.types(given[0], scope, around)
            given = given[1:]
        elif value and value.name == "functools.partial" and given:
            function, given = given[0], given[1:]
        elif named := self.named_by_getattr(node, scope):
            self.add(named, node, "name", around=around)
        self.operators(function, given, scope, around)
        arguments = Arguments(
            [self.written(each, scope) for each in given if not isinstance(each, ast.Starred)],
            {word.arg: self.written(word.value, scope) for word in words if word.arg},
            any(isinstance(each, ast.Starred) for each in given) or any(word.arg is None for word in words),
        )
        if isinstance(function, (ast.Name, ast.Attribute)):
            self.use(function, scope, around, "call", arguments, on)
        else:
            self.visit(function, scope, around)
        for each in [*given, *words]:
            self.visit(each, scope, around)

    def operators(self, function, given, scope, around):
        """`float(x)` of a tensor is its `__float__`."""
        if isinstance(function, ast.Name) and function.id in ("float", "int", "bool", "len") and len(given) == 1:
            value = self.value(given[0], scope)
            if value and value.kind == "object" and value.name == TENSOR:
                self.add(Value("method", TENSOR, f"__{function.id}__"), function, "call", around=around)

    def written(self, node, scope):
        """An argument as it can be compared: (name,) of what it is or was made by, or [constant]; else the node."""
        value = self.value(node, scope)
        if value and value.kind in ("name", "object") and value is not OTHER:
            return (value.name,)
        try:
            return [ast.literal_eval(node)]
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            return node

    def visit_Name(self, node, scope, around):
        self.use(node, scope, around)

    def visit_Attribute(self, node, scope, around):
        self.use(node, scope, around)

    def visit_Constant(self, node, scope, around):
        if isinstance(node.value, str) and VARIABLE.fullmatch(node.value):
            self.add(Value("name", f"${node.value}"), node, "text", around=around)

    def visit_Compare(self, node, scope, around):
        sides = [self.value(each, scope) for each in (node.left, *node.comparators)]
        with_array = any(side and side.kind == "object" and side.name.startswith("numpy.") for side in sides)
        if with_array and Value("object", TENSOR) in sides and isinstance(node.ops[0], (ast.Eq, ast.NotEq)):
            self.add(Value("method", TENSOR, "__eq__"), node, "call", around=around)
        self.block(_children(node), scope, around)

    def visit_If(self, node, scope, around):
        self.visit(node.test, scope, around)
        inside = around | {GUARDED} if self.asks(node.test) else around
        self.block(node.body, scope, inside)
        self.block(node.orelse, scope, inside)

    def visit_IfExp(self, node, scope, around):
        inside = around | {GUARDED} if self.asks(node.test) else around
        self.visit(node.test, scope, around)
        self.visit(node.body, scope, inside)
        self.visit(node.orelse, scope, inside)

    def asks(self, test):
        """Whether a condition is about what there is in this version."""
        return any(
            GUARD.search(each.id if isinstance(each, ast.Name) else each.attr)
            for each in ast.walk(test)
            if isinstance(each, (ast.Name, ast.Attribute))
        )

    def visit_Try(self, node, scope, around):
        names = {each for handler in node.handlers for each in _caught(handler)}
        handled = around | {GUARDED} if names & HANDLED else around
        self.block(node.body, scope, handled | names)
        self.block(node.orelse, scope, around)
        for handler in node.handlers:
            self.block(handler.body, scope, handled)
        self.block(node.finalbody, scope, around)

    visit_TryStar = visit_Try

    def reference(self, node, scope, around, on):
        """A decorator: whether it was one that is looked at here."""
        if isinstance(node, ast.Call):
            self.visit_Call(node, scope, around, on)
        elif isinstance(node, (ast.Name, ast.Attribute)):
            self.use(node, scope, around, on=on)
        else:
            return False
        return True

    def use(self, node, scope, around, how="name", arguments=None, on=""):
        value = self.value(node, scope)
        if isinstance(node, ast.Name):
            if value and value.kind == "name":
                self.add(value, node, how, arguments, on, around)
            return
        if value and value.kind == "name":
            if value.name.startswith(("?", "~")):
                return
            self.add(value, node, how, arguments, on, around)
            return
        owner = self.value(node.value, scope)
        if owner is not None and owner.kind == "object":
            own = isinstance(node.value, ast.Name) and self.self_class(node.value.id, scope)
            if not (own and node.attr in {*own.bound, *own.attributes}):
                self.add(Value("method", owner.name, node.attr), node, how, arguments, on, around)
        elif owner is None or owner.kind == "method":
            self.add(Value("method", "", node.attr), node, how, arguments, on, around)
        self.visit(node.value, scope, around)

    def add(self, value, node, how, arguments=None, on="", around=frozenset()):
        if value.kind == "method":
            owner = None if value.name in ("", "~") else value.name
            name = f".{value.method}"
        else:
            owner, name = None, value.name
        line, column = node.lineno, node.col_offset
        if isinstance(node, ast.Attribute):  # a chain over several lines: the line of the name itself
            line = node.end_lineno
            column = max(node.end_col_offset - len(node.attr.encode()) - 1, 0) if line != node.lineno else column
        of = ""
        if value.kind == "method" and isinstance(node, ast.Attribute):
            of = getattr(node.value, "attr", getattr(node.value, "id", ""))
        guarded, caught = GUARDED in around, around - {GUARDED}
        self.found.append(Use(name, line, column, how, arguments, owner, on, guarded, caught, of))


def _children(node):
    """What `ast.iter_child_nodes` gives, without signs such as `+`: half the time of reading goes by here."""
    found = []
    for name in node._fields:
        value = getattr(node, name, None)
        if isinstance(value, list):
            found += [each for each in value if isinstance(each, ast.AST)]
        elif isinstance(value, ast.AST) and not isinstance(value, SIGNS):
            found.append(value)
    return found


def _imported(node):
    """The names that an import binds, each with what it is; a relative one begins with a dot."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield (
                alias.asname or alias.name.partition(".")[0],
                alias.name if alias.asname else alias.name.partition(".")[0],
            )
    else:
        module = "." * node.level + (node.module or "")
        for alias in node.names:
            if alias.name != "*":
                yield alias.asname or alias.name, f"{module}.{alias.name}"


def _is_static(decorator):
    return isinstance(decorator, ast.Name) and decorator.id in ("staticmethod", "classmethod")


def _class_around(scope):
    while scope is not None and not scope.is_class:
        scope = scope.parent
    return scope


def _caught(handler):
    types = getattr(handler.type, "elts", [handler.type])
    return [each.id if isinstance(each, ast.Name) else "Exception" for each in types]
