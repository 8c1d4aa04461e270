"""Wrong answers to exercises, of the same kind as the right one: another dtype, another order, another exception."""

import ast
import builtins
import copy
import math
import pickle

import numpy as np
import torch

NEIGHBOURS = {
    "bool": ["True", "False", "None", "2"],
    "dtype": ["{0}.float32", "{0}.float64", "{0}.int64", "{0}.int32"],
    "exception": ["Exception", "TypeError", "ValueError", "RuntimeError", "IndexError"],
}


def to(answer):
    """Three expressions that are not equal to `answer`, itself an expression, and as like it as can be."""
    node = ast.parse(answer, mode="eval").body
    right = value(answer)
    found = []
    for text in _like(answer, node, right):
        if text not in found and not _is_same(value(text), right):
            found.append(text)
    return found[:3]


def value(answer):
    names = {"torch": torch, "np": np, "math": math, "pickle": pickle} | vars(builtins)
    return eval(answer, names)


def _is_same(one, other):
    return one is other if isinstance(other, type) else repr(one) == repr(other) or one == other


def _like(answer, node, right):
    if isinstance(right, bool) or right is None:
        yield from NEIGHBOURS["bool"]
    elif isinstance(right, type) and issubclass(right, BaseException):
        yield from NEIGHBOURS["exception"]
    elif answer.startswith(("torch.", "np.")) and isinstance(node, ast.Attribute):
        yield from (text.format(answer.partition(".")[0]) for text in NEIGHBOURS["dtype"])
    else:
        yield from _devices(answer)
        yield from _turned(node)
        yield from _with_another_part(node)
        yield from (f"[{answer}]", f"[{answer}, {answer}]", "None", "[0]")


def _devices(answer):
    return [answer.replace("cpu", "meta"), answer.replace("cpu", "cuda")] if "torch.device" in answer else []


def _turned(node):
    """What is in it the other way round, as a shape that was transposed."""
    for number, each in enumerate(ast.walk(node)):
        if isinstance(each, (ast.List, ast.Tuple)) and len(each.elts) > 1:
            turned = copy.deepcopy(node)
            list(ast.walk(turned))[number].elts.reverse()
            yield ast.unparse(turned)


def _with_another_part(node):
    """One number, word or truth of it is another."""
    for number, each in enumerate(ast.walk(node)):
        if isinstance(each, ast.Constant) and "torch.device" not in ast.unparse(node):
            for change in _others(each.value):
                changed = copy.deepcopy(node)
                list(ast.walk(changed))[number].value = change
                yield ast.unparse(changed)


def _others(constant):
    if isinstance(constant, bool):
        return [not constant]
    if isinstance(constant, (int, float)):
        return [constant + 1, constant + 2, constant + 3]
    return [f"{constant}s", f"un{constant}"] if isinstance(constant, str) else [0]
