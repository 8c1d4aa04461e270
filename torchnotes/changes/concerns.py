"""What a boundary is about, written as the code that it concerns, and whether a use of a name in some code is that.

A concern is a line that looks like the code it is about; `_` stands for anything:

| concern | is about |
| --- | --- |
| `torch.load` | every use of the name, and of what is below it: `torch.xpu.is_available` for `torch.xpu` |
| `torch.load(mmap)` | a call with this argument by name |
| `torch.load(not weights_only)` | a call without it |
| `torch.load` | every use of the name, and of what is below it: `torch.xpu` is `torch.xpu.is_available` too |
| `torch.cross(_, _, not dim)` | a call with so many arguments by position; where none is written any number will do |
| `torch.Generator()`, `torch.Generator(...)` | a call without arguments; any call |
| `torch.nn.init(generator)` | a call of anything below it |
| `torch.Tensor.clamp` | the method of an object, with arguments as above; of a tensor `clamp_` and `torch.clamp` too |
| `torch.no_grad on def` | a decorator without parentheses above a function |
| `torch.no_grad() on class` | a decorator with parentheses, whatever is in them, above a class |
| `class torch.utils.data.Subset(__getitem__, not __getitems__)` | a class derived from it, by the methods it defines |
| `isinstance(_, torch.optim.Adam)` | asking for it with `isinstance` or `issubclass` |
| `torch.cat except RuntimeError not ValueError` | a use in a `try` that handles the first, not the second |
| `$TQDM_DISABLE` | an environment variable, by its name in quotes |
| `torch.cat?` | as without `?`, but only some values or files make the difference, so that it is never certain |

A name whose part before the last begins with a capital is a method or an attribute of objects of that class.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from torchnotes.changes.uses import TENSOR

CERTAIN, POSSIBLE = "certain", "possible"

WORDS = """
    all any argmax argmin argsort astype base byteswap choose clip compress conj cumprod cumsum data diagonal dot
    dtype dump fill flags flat flatten imag item itemsize max mean min nbytes ndim nonzero partition prod ptp put
    ravel real repeat reshape resize round searchsorted shape size sort squeeze std strides sum swapaxes take
    tobytes tolist trace transpose var view quantile median apply where mask mode corr cov diff abs add sub mul div
    pow names rank cross gather scatter load save step state apply record update compute reset forward close start
    stop to run clone type train eval device float int bool half double exp log sqrt sin cos set get select cat
    stack split empty zeros synchronize register log_prob sample result wait send unique name requires share tensor
    table profile call
"""
ANYWHERE = set(WORDS.split()).union(*(dir(kind) for kind in (str, bytearray, list, dict, set, int, float, range, type)))
"""Methods that are no sign of a tensor or a module, if the object is unknown: those of Python's own types, of NumPy's
arrays, of pandas, and words that a class of any kind may have for its methods."""

ALIASES = {
    "torch.half": "torch.float16",
    "torch.amp.autocast": "torch.autocast",
    "torch.amp.autocast_mode.autocast": "torch.autocast",
    "torch.concat": "torch.cat",
    "torch.concatenate": "torch.cat",
}
"""Other names of the same thing."""


class Misunderstood(ValueError):
    """A text is no concern; the message says why."""


class Given(NamedTuple):
    """One condition on the arguments of a call."""

    name: str | None
    """None for an argument by position."""
    value: object = None
    """As `uses.Arguments` has it; None for any."""
    absent: bool = False


ANY = Given("...")


@dataclass(frozen=True)
class Concern:
    text: str
    name: str
    called: bool
    """Whether the concern has parentheses."""
    given: tuple[Given, ...] = ()
    on: str = ""
    caught: str = ""
    """An exception that a `try` around it must handle."""
    uncaught: str = ""
    """One that it must not."""
    how: str = ""
    """`class` if it is about a class statement, `isinstance`, or empty for any use that does something."""
    doubtful: bool = False
    """Whether a use says no more than that it may matter."""

    @property
    def method(self):
        """The class and the method, where it is about objects of a class."""
        of, _, method = self.name.rpartition(".")
        return (of, method) if of.rpartition(".")[2][:1].isupper() else None

    @property
    def said(self):
        """The concern in words."""
        having = [_said(each) for each in self.given if not each.absent and each is not ANY]
        lacking = [each.name for each in self.given if each.absent]
        name = f"a class derived from {self.name}" if self.how == "class" else self.name.removeprefix("$")
        if self.on:
            name = f"@{name}{'()' * self.called} above a {'class' if self.on == 'class' else 'function'}"
        name = f"isinstance(..., {self.name})" if self.how == "isinstance" else name
        words = [name]
        words += [f"with {', '.join(having)}"] if having else []
        words += [f"without {', '.join(lacking)}"] if lacking else []
        words += ["without arguments"] if self.called and not self.given and not self.on else []
        words += [f"in a try that handles {self.caught}"] if self.caught else []
        words += [f"and not {self.uncaught}"] if self.uncaught else []
        return " ".join(words)


def _said(given):
    if given.value is None:
        return given.name or "an argument"
    value = repr(given.value[0]) if isinstance(given.value, list) else given.value[0]
    return f"{given.name}={value}" if given.name else value


@cache
def read(text):
    """The `Concern` that a text says. Raises `Misunderstood`."""
    rest, _, caught = text.removesuffix("?").partition(" except ")
    caught, _, uncaught = caught.partition(" not ")
    rest, _, on = rest.partition(" on ")
    how = "class" if rest.startswith("class ") else ""
    rest = rest.removeprefix("class ")
    if rest.startswith("$"):
        return Concern(text, rest, False)
    if asked := re.fullmatch(r"isinstance\(_, (.+)\)", rest):
        rest, how = asked[1], "isinstance"
    try:
        node = ast.parse(rest, mode="eval").body
    except SyntaxError:
        raise Misunderstood(f"{text!r}: write it as code, such as torch.load(not weights_only)") from None
    called = isinstance(node, ast.Call)
    given = tuple(_given(text, node)) if called else ()
    name = ast.unparse(node.func if called else node)
    if not re.fullmatch(r"[A-Za-z_]\w*(?:\.\w+)*", name) or on not in ("", "def", "class"):
        raise Misunderstood(f"{text!r}: write a qualified name, such as torch.load")
    return Concern(text, name, called, given, on, caught, uncaught, how, text.endswith("?"))


def _given(text, call):
    for node in call.args:
        if isinstance(node, ast.Constant) and node.value is ...:
            yield ANY
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not) and isinstance(node.operand, ast.Name):
            yield Given(node.operand.id, absent=True)
        elif isinstance(node, ast.Name):
            yield Given(None) if node.id == "_" else Given(node.id)
        else:
            yield Given(None, _value(text, node))
    for word in call.keywords:
        yield Given(word.arg, _value(text, word.value))


def _value(text, node):
    if isinstance(node, ast.Attribute):
        return (ast.unparse(node),)
    try:
        return [ast.literal_eval(node)]
    except ValueError:
        raise Misunderstood(f"{text!r}: {ast.unparse(node)} is neither a constant nor a qualified name") from None


def match(concern, use, *, gone=False):
    """`CERTAIN`, `POSSIBLE` or None: whether a use is what the concern is about.

    An import and a type count where what they name is gone: elsewhere only its use does something.
    """
    if not _is_how(concern, use, gone) or not _is_caught(concern, use.caught):
        return None
    found = _name(concern, use)
    if (concern.on or use.on) and not _on(concern, use):
        return None
    if found and concern.called and not concern.on:
        found = _worse(found, _arguments(concern, use))
    return _worse(found, POSSIBLE) if use.guarded or concern.doubtful else found


def _is_how(concern, use, gone):
    if concern.how:
        return concern.how == use.how
    if use.how == "class":
        return not concern.called
    return use.how not in ("import", "type", "isinstance") or (gone and not concern.called)


def _is_caught(concern, caught):
    if not concern.caught:
        return True
    return concern.caught in caught and (not concern.uncaught or not caught & {concern.uncaught, "Exception"})


def _on(concern, use):
    if not concern.on:
        return not concern.called or use.how == "call"
    return concern.on == use.on and concern.called == (use.how == "call")


def _worse(one, other):
    if one is None or other is None:
        return None
    return POSSIBLE if POSSIBLE in (one, other) else CERTAIN


def _name(concern, use):
    if not use.name.startswith("."):
        return CERTAIN if _is_named(concern, use) else None
    if not concern.method:
        return None
    of, method = concern.method
    name = use.name[1:]
    if name != method and not (of == TENSOR and name == f"{method}_"):
        return None
    if use.owner is None:
        return None if method in ANYWHERE or not _may_be(use.of, of) else POSSIBLE
    return CERTAIN if _is_a(use.owner, of) else None


CALLED = {"torch.optim.Optimizer": "opt", "torch.optim.lr_scheduler.LRScheduler": "sched", "scaler": "scaler"}
"""What people call the objects that share methods such as `load_state_dict` with modules."""


def _may_be(word, of):
    """Whether something that the code calls by this word may be of this class."""
    if of in CALLED:
        return CALLED[of] in word.lower()
    return of != "torch.nn.Module" or not any(each in word.lower() for each in CALLED.values())


def _is_named(concern, use):
    name, written = concern.name, ALIASES.get(use.name, use.name)
    if written == name or written.startswith(f"{name}."):
        return True
    if concern.method:
        of, method = concern.method
        if of == TENSOR and written in (f"torch.{method}", f"torch.{method}_"):
            return True
        owner, _, used = written.rpartition(".")
        return used == method and _is_a(owner, of) and owner.rpartition(".")[2][:1].isupper()
    package, _, last = name.rpartition(".")
    # `torch.optim.adam.Adam` is `torch.optim.Adam`: a class is told by the package that shows it.
    return "." in package and last[:1].isupper() and written.endswith(f".{last}") and written.startswith(f"{package}.")


def _is_a(owner, of):
    """Whether objects of the class `owner` are of the class `of`, as far as the names of both tell.

    `torch.optim.SGD` is a `torch.optim.Optimizer`: a base class is the one of its package that the note names.
    """
    if owner == of or of == TENSOR:
        return owner == of
    package, _, base = of.rpartition(".")
    family = {"torch.nn.Module", "torch.optim.Optimizer", "torch.optim.lr_scheduler.LRScheduler", "torchmetrics.Metric"}
    inside = owner.startswith(f"{package}.") and owner.rpartition(".")[2][:1].isupper()
    if of in family:
        return inside
    return inside and owner.endswith(f".{base}")


def _arguments(concern, use):
    if use.arguments is None:  # handed on, to be called elsewhere: without arguments, as far as one sees
        is_it = use.name.rpartition(".")[2] == concern.name.rpartition(".")[2]
        return POSSIBLE if is_it and all(each.absent or each is ANY for each in concern.given) else None
    named, found = use.arguments.named, CERTAIN
    positional = list(use.arguments.positional)
    twin = concern.method and concern.method[0] == TENSOR and use.name.startswith("torch.") and TENSOR not in use.name
    if twin and positional:
        positional = positional[1:]
    by_position = [each for each in concern.given if each.name is None]
    if concern.given == (ANY,):
        return CERTAIN
    if not concern.given and (positional or named or use.arguments.open):
        return None
    if by_position:
        if len(by_position) != len(positional):
            return POSSIBLE if use.arguments.open and len(positional) < len(by_position) else None
        for each, value in zip(by_position, positional, strict=True):
            found = _worse(found, _same(each.value, value))
    for each in concern.given:
        if each.name is None:
            continue
        if each.name in named:
            found = None if each.absent else _worse(found, _same(each.value, named[each.name]))
        elif not each.absent and each is not ANY:
            found = None
        elif use.arguments.open:
            found = _worse(found, POSSIBLE)
        if found is None:
            return None
    return found


def _same(wanted, value):
    if wanted is None:
        return CERTAIN
    if isinstance(wanted, tuple):
        is_class = wanted[0].rpartition(".")[2][:1].isupper()  # of unknown objects few are of one class
        if isinstance(value, ast.AST):
            return None if is_class else POSSIBLE
        return CERTAIN if isinstance(value, tuple) and ALIASES.get(*value, *value) == wanted[0] else None
    if not isinstance(value, list):
        return POSSIBLE
    return CERTAIN if value == wanted and isinstance(value[0], bool) == isinstance(wanted[0], bool) else None
