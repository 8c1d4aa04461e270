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


GROUPS = [
    "from_numpy as_tensor tensor Tensor asarray",
    "zeros ones empty eye zeros_like ones_like",
    "view reshape permute transpose flatten squeeze unsqueeze expand repeat swapaxes ravel",
    "cat stack hstack vstack dstack concatenate",
    "sum mean amax amin prod std var argmax argmin median cumsum max min",
    "clone detach contiguous cpu numpy detach_ requires_grad_",
    "no_grad enable_grad inference_mode set_grad_enabled",
    "eval train zero_grad requires_grad_ cpu",
    "parameters buffers children modules named_parameters named_buffers named_children named_modules state_dict",
    "sigmoid softmax relu tanh log_softmax logsigmoid softplus",
    "CrossEntropyLoss NLLLoss BCELoss BCEWithLogitsLoss MSELoss L1Loss SmoothL1Loss HuberLoss KLDivLoss",
    "cross_entropy nll_loss binary_cross_entropy binary_cross_entropy_with_logits mse_loss l1_loss kl_div huber_loss",
    "Linear LazyLinear Bilinear Conv1d BatchNorm1d LayerNorm Dropout Identity ReLU Flatten Embedding",
    "Sequential ModuleList ModuleDict ParameterList ParameterDict",
    "SGD Adam AdamW RMSprop Adagrad Rprop",
    "step zero_grad state_dict backward register_hook",
    "manual_seed seed initial_seed get_rng_state set_rng_state get_state",
    "add_ mul_ copy_ fill_ zero_ sub_ neg_",
    "equal allclose eq isclose",
    "item tolist numpy data_ptr size",
    "float double half long int bool bfloat16",
    "register_buffer register_parameter register_module add_module register_forward_hook",
    "update compute forward reset clone",
    "update reset refresh close set_postfix write set_description clear unpause",
    "argmax argmin max min sort argsort topk",
    "matmul mm mv dot bmm outer",
    "where masked_fill masked_select gather take index_select",
    "TensorDataset Subset ConcatDataset ChainDataset IterableDataset",
    "RandomSampler SequentialSampler SubsetRandomSampler BatchSampler WeightedRandomSampler",
    "apply to to_empty share_memory cpu",
    "save load",
    "numel dim size stride nelement element_size storage_offset",
    "rand randn randint randperm empty",
    "round floor ceil trunc sign abs neg",
    "div true_divide floor_divide remainder mul sub add",
    "nan_to_num isnan isinf isfinite isreal",
    "is_contiguous is_floating_point is_complex is_signed is_pinned",
    "promote_types result_type can_cast",
    "narrow select split chunk unbind unfold diagonal",
    "unique bincount histc unique_consecutive",
    "pin_memory contiguous cpu clone",
    "Parameter Buffer Linear Module UninitializedParameter",
]
"""Names that people take for one another: of each that a learner is to write, three others must fail."""


def names_beside(name):
    """The names that could be taken for this one."""
    beside = [other for group in GROUPS if name in group.split() for other in group.split()]
    return [other for other in dict.fromkeys(beside) if other != name]
