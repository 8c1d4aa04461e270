"""What PyTorch is, and running it.

Having read this section you can check that an installation computes correctly, say what autograd records and what
`backward` puts into `.grad`, and read the errors that everybody meets: "backward through the graph a second time",
"does not require grad", "modified by an inplace operation". You also know the mistakes that raise nothing: a loss that
was cut from its graph, a write that autograd does not notice, a nan that goes on.

PyTorch is two things in one library: arrays ("tensors") that compute on the CPU or on an accelerator, and autograd,
which records what was computed so that it can be differentiated. The record is a graph, built anew each time the Python
code runs and, as a rule, good for one `backward`.
"""

import copy
import math
import re
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import example, given, strategies as st
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint


def graph_size(tensor):
    """How many nodes the graph behind a tensor has, leaves included; 0 for a number, and for a tensor without one."""
    seen, waiting = set(), [getattr(tensor, "grad_fn", None)]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen:
            seen.add(node)
            waiting += [before for before, _ in node.next_functions]
    return len(seen)


# Does this installation compute?


def test_matmul_of_small_integers_is_exact(device):
    """`a @ b` of two matrices is their product: entry (i, j) is the sum of the products of row i of `a` and column j of
    `b`, and float32 computes that sum exactly for small whole numbers.

    float32 holds every whole number up to 2**24, so a difference here means a broken installation. `a * b` multiplies
    entry by entry instead, and raises RuntimeError for shapes such as (2, 3) and (3, 2).

    https://docs.pytorch.org/docs/stable/generated/torch.matmul.html
    """
    a = torch.tensor([[1.0, -2.0, 3.0], [4.0, 0.0, -5.0]], device=device)
    b = torch.tensor([[2.0, 7.0], [-1.0, 3.0], [6.0, -4.0]], device=device)

    for product in (a @ b, a.matmul(b), torch.matmul(a, b), torch.mm(a, b)):
        assert product.tolist() == [[22, -11], [-22, 48]]
        assert product.dtype == torch.float32
        assert product.device == device
    assert torch.tensor([2.0**24 - 1, 2.0**24 + 1], device=device).tolist() == [2**24 - 1, 2**24]
    with pytest.raises(RuntimeError, match="must match the size"):
        a * b


def test_the_numpy_bridge_is_there(device):
    """A new float32 NumPy array, such as `np.ones((2, 3), np.float32)`, becomes a tensor by `torch.from_numpy` and an
    array again by `.cpu().numpy()`, with the same numbers, shape and dtype.

    `array[::-1]` and foreign byte order (">f4") raise ValueError: pass `array[::-1].copy()`, or `.astype(np.float32)`.
    Text raises TypeError; section 03 has the other dtypes. If torch answers "Numpy is not available", install a NumPy
    of the major version that this torch was built for.

    https://docs.pytorch.org/docs/stable/generated/torch.from_numpy.html
    """
    array = np.array([[1.5, -2.0, 3.0], [4.0, 5.0, 6.25]], dtype=np.float32)

    tensor = torch.from_numpy(array).to(device)
    back = tensor.cpu().numpy()

    assert tensor.tolist() == [[1.5, -2, 3], [4, 5, 6.25]]
    assert (tensor.dtype, tensor.shape, tensor.device) == (torch.float32, (2, 3), device)
    assert (back == array).all()
    assert (back.dtype, back.shape) == (np.float32, (2, 3))
    with pytest.raises(TypeError, match="can't convert"):
        torch.from_numpy(np.array(["1.5", "2"]))

    for refused in (array[::-1], array.astype(">f4")):
        with pytest.raises(ValueError, match=r"negative|byte order"):
            torch.from_numpy(refused)
    assert torch.from_numpy(array[::-1].copy()).tolist() == [[4, 5, 6.25], [1.5, -2, 3]]
    assert torch.from_numpy(array.astype(">f4").astype(np.float32)).tolist() == array.tolist()


# What does autograd record?


def test_backward_computes_the_slope(device):
    """For `y = x * x + 4 * x`, where `x` is a new number made with `requires_grad=True`, `y.backward()` computes the
    derivative of `y` with respect to `x` and stores it in `x.grad`.

    Gradient descent needs this slope for a weight: it says how the loss changes when the weight grows a little.
    `backward` does not move `x`; that is the optimizer's step.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.backward.html
    """
    x = torch.tensor(3.0, device=device, requires_grad=True)
    y = x * x + 4 * x
    y.backward()

    assert y.item() == 21
    assert x.grad.item() == 10  # 2 x + 4 at 3
    assert x.item() == 3


def test_only_what_depends_on_requires_grad_is_recorded(device):
    """Multiplying by a tensor that requires grad is recorded: the product has a `grad_fn`, requires grad and is no
    leaf, unless recording is off, as under `torch.no_grad()`, `torch.inference_mode()` and
    `torch.set_grad_enabled(False)`.

    `round()` is recorded too, with the gradient 0. `weight > 3` and `weight.argmax()` are not recorded. `.float()` of a
    float32 tensor computes nothing and returns the tensor itself, so that a leaf stays a leaf.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.is_leaf.html
    """
    data = torch.tensor([1.0, 2.0], device=device)
    weight = torch.tensor([3.0, 4.0], device=device, requires_grad=True)
    tensors = {"data": data, "data * 2": data * 2, "weight": weight, "weight * data": weight * data}
    tensors |= {"detached": (weight * data).detach(), "weight > 3": weight > 3, "argmax": weight.argmax()}
    tensors |= {"rounded": weight.round(), "float": weight.float()}
    with torch.no_grad():
        tensors["under no_grad"] = weight * data
    with torch.inference_mode():
        tensors["under inference_mode"] = weight * data
    with torch.set_grad_enabled(False):
        tensors["under set_grad_enabled(False)"] = weight * data

    seen = {name: (t.requires_grad, t.is_leaf, t.grad_fn and t.grad_fn.name()) for name, t in tensors.items()}

    assert seen == {
        "data": (False, True, None),
        "data * 2": (False, True, None),
        "weight": (True, True, None),
        "weight * data": (True, False, "MulBackward0"),
        "detached": (False, True, None),
        "weight > 3": (False, True, None),
        "argmax": (False, True, None),
        "rounded": (True, False, "RoundBackward0"),
        "float": (True, True, None),
        "under no_grad": (False, True, None),
        "under inference_mode": (False, True, None),
        "under set_grad_enabled(False)": (False, True, None),
    }
    assert weight.float() is weight
    weight.round().sum().backward()
    assert weight.grad.tolist() == [0, 0]


def test_the_gradient_follows_the_branch_that_was_taken(device):
    """A Python `if` in a function leaves only the branch that ran in the graph, so the gradient is that of this branch.

    The graph is built while Python runs, so ordinary `if` and `for` work inside a model. `torch.where(x > 1, left,
    right)` is different: both sides are computed, and if both require grad, both get a gradient, which is 0 for what
    was not picked.

    https://docs.pytorch.org/docs/stable/notes/autograd.html
    """

    def bent(x):
        return x * x if x > 1 else -3 * x

    x = torch.tensor([4.0, 0.5], device=device, requires_grad=True)
    (bent(x[0]) + bent(x[1])).backward()

    assert x.grad.tolist() == [8, -3]

    left, right = torch.zeros(2, device=device, requires_grad=True), torch.ones(2, device=device, requires_grad=True)
    torch.where(x > 1, left, right).sum().backward()
    assert (left.grad.tolist(), right.grad.tolist()) == ([1, 0], [0, 1])


def test_equal_maxima_share_the_gradient_or_not(device):
    """If two elements of a vector `x` are both the largest, `x.max()` and `x.amax(dim=0)` give each of them half of the
    gradient, and `x.max(dim=0).values` gives one of them all of it.

    `torch.maximum(x, y)` gives half where `x` and `y` are equal. `F.max_pool1d` gives all of it to one element.

    https://docs.pytorch.org/docs/stable/generated/torch.amax.html
    """
    x = torch.tensor([3.0, 1.0, 3.0], device=device, requires_grad=True)

    def slopes(result):
        return torch.autograd.grad(result.sum(), x)[0].tolist()

    assert slopes(x.max()) == slopes(x.amax(dim=0)) == [0.5, 0, 0.5]
    assert slopes(torch.maximum(x, torch.full_like(x, 3))) == [0.5, 0, 0.5]
    for result in (x.max(dim=0).values, torch.nn.functional.max_pool1d(x[None, None], 3)):
        assert slopes(result) in ([1, 0, 0], [0, 0, 1])


@pytest.mark.picture("graph", "x", "y")
@pytest.mark.parametrize(
    ("start", "end", "slope", "nodes"),
    [(70.0, 140, 2, 2), (30.0, 120, 4, 3), (3.0, 192, 64, 7)],
    ids=["1 doubling", "2 doublings", "6 doublings"],
)
def test_every_call_builds_a_graph_as_long_as_its_loop_ran(device, start, end, slope, nodes):
    """A Python loop is recorded step by step: if `x` requires grad, each multiplication in `while x < 100: x = x * 2`
    adds one node to the graph.

    The same function gives a longer graph if its loop runs longer. Training an unrolled recurrent network therefore
    needs more memory for a longer text.

    https://docs.pytorch.org/docs/stable/notes/autograd.html
    """

    def double_until_100(x):
        while x < 100:
            x = x * 2
        return x

    x = torch.tensor(start, device=device, requires_grad=True)
    y = double_until_100(x)
    y.backward()

    assert y.item() == end
    assert x.grad.item() == slope  # 2 for each doubling
    assert graph_size(y) == nodes  # one for each doubling, and one for x


@example(coefficients=[3, 0], at=2)
@given(coefficients=st.lists(st.integers(-9, 9), min_size=1, max_size=6), at=st.integers(-4, 4))
def test_the_gradient_is_the_derivative_for_every_polynomial(device, coefficients, at):
    """`backward` gives the exact derivative of a polynomial computed in a loop, for each degree up to 5, whole
    coefficients from -9 to 9 and whole `x` from -4 to 4.

    Whole numbers this small are not rounded in float32. With other numbers the last digits may differ from a derivative
    by hand: compare with `torch.testing.assert_close`.

    https://docs.pytorch.org/docs/stable/notes/autograd.html
    """
    x = torch.tensor(float(at), device=device, requires_grad=True)
    y = 0 * x
    for coefficient in coefficients:  # the highest power first
        y = y * x + coefficient
    y.backward()

    powers = range(len(coefficients) - 1, -1, -1)
    assert y.item() == sum(c * at**k for c, k in zip(coefficients, powers, strict=True))
    assert x.grad.item() == sum(k * c * at ** (k - 1) for c, k in zip(coefficients, powers, strict=True) if k)


# What does backward put into .grad?


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_a_gradient_is_like_its_tensor(device, dtype):
    """By default the `.grad` of a floating-point leaf has the shape, the dtype and the device of the leaf: one slope
    for each number.

    By default, setting `.grad` to a tensor of another shape or dtype raises RuntimeError, which speaks of the gradient
    that is assigned. The layout may differ: `nn.Embedding(..., sparse=True)` gets a sparse gradient for its dense
    weight, and `Adam` refuses it with RuntimeError; `SparseAdam` and plain `SGD` take it.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.grad.html
    """
    x = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], dtype=dtype, device=device, requires_grad=True)
    (x * x).sum().backward()

    assert x.grad.tolist() == [[2, 4, 6], [8, 10, 12]]
    assert (x.grad.shape, x.grad.dtype, x.grad.device) == ((2, 3), dtype, device)
    for other in (x.grad[0], x.grad.to(torch.float32 if dtype == torch.float16 else torch.float16)):
        with pytest.raises(RuntimeError, match="assign"):
            x.grad = other

    table = nn.Embedding(4, 2, sparse=True)
    table(torch.tensor([1])).sum().backward()
    assert (table.weight.layout, table.weight.grad.layout) == (torch.strided, torch.sparse_coo)
    assert table.weight.grad.shape == table.weight.shape
    with pytest.raises(RuntimeError, match="sparse"):
        torch.optim.Adam(table.parameters()).step()
    for optimizer in (torch.optim.SparseAdam(table.parameters()), torch.optim.SGD(table.parameters(), lr=0.1)):
        before = table.weight.detach().clone()
        optimizer.step()
        assert (table.weight != before).all(dim=1).tolist() == [False, True, False, False]


@pytest.mark.myth("backward replaces the gradient of the step before")
def test_gradients_accumulate(device):
    """`backward` adds to the `.grad` of each leaf it reaches and does not replace it; the `.grad` of a new leaf is None
    before the first `backward`.

    Call `optimizer.zero_grad()` in every step of a training loop, or each step uses the sum of all gradients since the
    start. `zero_grad()` sets `.grad` to None again.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.backward.html
    """
    x = torch.tensor([1.0, -2.0], device=device, requires_grad=True)
    seen = [x.grad]

    for factor in (3, 5):
        (factor * x * x).sum().backward()
        seen.append(x.grad.tolist())

    assert seen == [None, [6, -12], [16, -32]]
    torch.optim.SGD([x], lr=0.1).zero_grad()
    assert x.grad is None


def test_there_is_no_gradient_before_the_first_backward(device):
    """Before the first `backward()` the `.grad` of a new leaf is None, so `w.grad.zero_()` raises AttributeError,
    "'NoneType' object has no attribute 'zero_'".

    It stays None if the loss does not depend on `w`, and it is None again after `optimizer.zero_grad()`. In a loop by
    hand write `w.grad = None` after the step, or ask first: `if w.grad is not None: w.grad.zero_()`.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.grad.html
    """
    w, unused = (torch.tensor([3.0], device=device, requires_grad=True) for _ in range(2))

    assert w.grad is None
    with pytest.raises(AttributeError, match="'NoneType' object has no attribute 'zero_'"):
        w.grad.zero_()
    with pytest.raises(AttributeError, match="'NoneType' object has no attribute 'data'"):
        w.grad.data.zero_()
    (2 * w).backward()
    assert (w.grad.tolist(), unused.grad) == ([2], None)

    w.grad.zero_()
    assert w.grad.tolist() == [0]
    torch.optim.SGD([w], lr=0.5).zero_grad()
    assert w.grad is None


@pytest.mark.picture("graph", "x", "y")
def test_all_uses_of_a_tensor_add_up_in_its_gradient(device):
    """A leaf that requires grad and is used in several places of one computation gets the sum of the gradients of all
    these uses.

    Shared weights work because of this: a layer that is called twice learns from both calls.

    https://docs.pytorch.org/docs/stable/notes/autograd.html
    """
    x = torch.tensor([3.0, -1.0], device=device, requires_grad=True)
    y = x * x + 4 * x + x[0]
    y.sum().backward()

    assert x.grad.tolist() == [2 * 3 + 4 + 2, 2 * -1 + 4]


def test_only_leaves_keep_their_gradient(device):
    """By default a result that requires grad, computed between a leaf and the loss, has `.grad` None after
    `loss.backward()`, and reading that `.grad` gives a UserWarning, "The .grad attribute of a Tensor that is not a leaf
    Tensor".

    To see the gradient of a result, call `result.retain_grad()` before `backward`, or name it:
    `loss.backward(inputs=[result])` fills `result.grad` and leaves the leaves alone. A result that requires no grad,
    such as a mask `x > 0`, counts as a leaf: its `.grad` is None without a warning.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.retain_grad.html
    """
    x = torch.tensor([2.0, 3.0], device=device, requires_grad=True)
    forgotten = x * 4
    kept = forgotten * forgotten
    kept.retain_grad()
    (kept * 10).sum().backward()

    with pytest.warns(UserWarning, match=r"The \.grad attribute of a Tensor that is not a leaf Tensor"):
        assert forgotten.grad is None
    assert kept.grad.tolist() == [10, 10]
    assert x.grad.tolist() == [640, 960]

    named = x * 4
    (named * named).sum().backward(inputs=[named])
    assert named.grad.tolist() == [16, 24]
    assert x.grad.tolist() == [640, 960]

    mask = x > 2.5
    (x * mask).sum().backward()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (mask.is_leaf, mask.grad) == (True, None)


def test_what_is_computed_from_a_leaf_is_no_leaf(device):
    """`w = torch.ones(2, requires_grad=True) * 0.1` is no leaf: `torch.optim.SGD([w], lr=0.1)` raises ValueError,
    "can't optimize a non-leaf Tensor", and `w.grad` stays None after `backward`.

    The leaf is the tensor of ones, which has no name. Compute first, and let the result require grad:
    `w = (torch.ones(2) * 0.1).requires_grad_()`. `w.requires_grad = False` raises RuntimeError, "you can only change
    requires_grad flags of leaf variables", and so does `copy.deepcopy(w)`, "Only Tensors created explicitly by the
    user": write `w.detach()` and `w.detach().clone()`.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.is_leaf.html
    """
    w = torch.ones(2, device=device, requires_grad=True) * 0.1
    (3 * w).sum().backward()

    assert not w.is_leaf
    with pytest.warns(UserWarning, match="not a leaf Tensor"):
        assert w.grad is None
    with pytest.raises(ValueError, match="can't optimize a non-leaf Tensor"):
        torch.optim.SGD([w], lr=0.1)
    with pytest.raises(RuntimeError, match="you can only change requires_grad flags of leaf variables"):
        w.requires_grad = False
    with pytest.raises(RuntimeError, match="Only Tensors created explicitly by the user"):
        copy.deepcopy(w)
    assert not w.detach().requires_grad
    assert copy.deepcopy(w.detach()).tolist() == w.detach().clone().tolist() == w.tolist()

    w = (torch.ones(2, device=device) * 0.1).requires_grad_()
    (3 * w).sum().backward()
    torch.optim.SGD([w], lr=0.5).step()
    assert w.grad.tolist() == [3, 3]
    assert w.tolist() == (torch.full((2,), 0.1) - 1.5).tolist()


def test_a_weight_that_is_computed_anew_loses_its_gradient(device):
    """After `w = w - 0.5 * w.grad` the name `w` stands for a new tensor, which is no leaf: the next `backward` leaves
    its `.grad` None.

    The same line then raises TypeError, "unsupported operand type(s) for *: 'float' and 'NoneType'". Under
    `torch.no_grad()` the new tensor does not require grad, and if nothing else does, `backward` raises RuntimeError,
    "element 0 of tensors does not require grad". Write in-place:
    `with torch.no_grad(): w -= 0.5 * w.grad`, then `w.grad = None`.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.is_leaf.html
    """
    w = torch.tensor([4.0], device=device, requires_grad=True)
    (w * w).sum().backward()
    with torch.no_grad():
        unrecorded = w - 0.5 * w.grad
    w = w - 0.5 * w.grad
    (w * w).sum().backward()

    with pytest.warns(UserWarning, match="not a leaf Tensor"):
        assert w.grad is None
    with (
        pytest.warns(UserWarning, match="not a leaf Tensor"),
        pytest.raises(TypeError, match=r"unsupported operand type\(s\) for \*: 'float' and 'NoneType'"),
    ):
        w = w - 0.5 * w.grad
    with pytest.raises(RuntimeError, match="element 0 of tensors does not require grad"):
        (unrecorded * unrecorded).sum().backward()

    w, seen = torch.tensor([4.0], device=device, requires_grad=True), []
    for _ in range(3):
        (w * w).sum().backward()
        with torch.no_grad():
            w -= 0.25 * w.grad
        w.grad = None
        seen.append(w.item())
    assert seen == [2, 1, 0.5]


def test_autograd_grad_returns_gradients_and_stores_none(device):
    """`torch.autograd.grad(y, [a, b])` returns the gradients in the order of the list and leaves the `.grad` of leaves
    as it was.

    Use it for a gradient that no optimizer should see, such as a gradient penalty. Two surprises: by default a leaf
    that requires grad and that `y` does not depend on raises RuntimeError, "appears to not have been used in the
    graph", and with `allow_unused=True` None stands for its gradient; and a result on the way to the list that was told
    to `retain_grad()` gets its `.grad` filled all the same.

    https://docs.pytorch.org/docs/stable/generated/torch.autograd.grad.html
    """
    a = torch.tensor(3.0, device=device, requires_grad=True)
    b = torch.tensor(5.0, device=device, requires_grad=True)
    a.grad = torch.tensor(7.0, device=device)

    gradients = torch.autograd.grad(a * a * b, [b, a])

    assert [gradient.item() for gradient in gradients] == [9, 30]
    assert (a.grad.item(), b.grad) == (7, None)

    with pytest.raises(RuntimeError, match="not have been used in the graph"):
        torch.autograd.grad(a * a, [a, b])
    assert torch.autograd.grad(a * a, [a, b], allow_unused=True)[1] is None
    square = a * a
    square.retain_grad()
    torch.autograd.grad(2 * square, a)
    assert (square.grad.item(), a.grad.item()) == (2, 7)

    aside = 5 * b
    aside.retain_grad()
    torch.autograd.grad(a * aside, a)
    assert aside.grad is None


def test_create_graph_makes_the_gradient_differentiable(device):
    """`torch.autograd.grad(x**3, x, create_graph=True)` returns a gradient with a graph of its own, which can be
    differentiated again.

    Gradient penalties and second derivatives need it. The gradient of `3 * x` is a constant and has no graph even with
    `create_graph=True`: differentiating it again raises RuntimeError "does not require grad". `create_graph=True` also
    keeps the first graph for another `backward`. `y.backward(create_graph=True)` warns, once per process, that it "will
    create a reference cycle" between a leaf and its gradient: use `grad`, or set `.grad = None` after it.

    https://docs.pytorch.org/docs/stable/generated/torch.autograd.grad.html
    """
    x = torch.tensor(2.0, device=device, requires_grad=True)

    (first,) = torch.autograd.grad(x**3, x, create_graph=True)
    (second,) = torch.autograd.grad(first, x)

    assert (first.item(), second.item()) == (12, 12)  # 3 x^2 and 6 x at 2
    assert (first.requires_grad, second.requires_grad) == (True, False)

    (constant,) = torch.autograd.grad(3 * x, x, create_graph=True)
    assert (constant.item(), constant.requires_grad) == (3, False)
    with pytest.raises(RuntimeError, match="does not require grad"):
        torch.autograd.grad(constant, x)

    y = x**3
    torch.autograd.grad(y, x, create_graph=True)
    y.backward()
    assert x.grad.item() == 12

    torch.set_warn_always(True)  # from here on it warns each time
    with pytest.warns(UserWarning, match="will create a reference cycle"):
        (x**3).backward(create_graph=True)
    x.grad = None


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.int64, torch.bool], ids=str)
def test_integers_cannot_require_grad(device, dtype):
    """`torch.tensor([1, 0], requires_grad=True)` raises RuntimeError, because integers and booleans cannot require
    grad.

    The message is "Only Tensors of floating point and complex dtype can require gradients". Python ints make an int64
    tensor: write `torch.tensor([1.0, 0.0], requires_grad=True)`, or convert with `.float()` first. Indices stay
    integers; they need no gradient.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.requires_grad_.html
    """
    with pytest.raises(RuntimeError, match="ensors of floating point"):
        torch.tensor([1, 0], dtype=dtype, device=device, requires_grad=True)
    with pytest.raises(RuntimeError, match="Only Tensors of floating point and complex dtype can require gradients"):
        torch.tensor([1, 0], device=device, requires_grad=True)

    tensor = torch.tensor([1, 0], dtype=dtype, device=device)
    with pytest.raises(RuntimeError, match="ensors of floating point"):
        tensor.requires_grad_()
    assert tensor.float().requires_grad_().requires_grad
    assert not tensor.requires_grad


@pytest.mark.filterwarnings("ignore:.*support is experimental", "ignore:torch.quantize_per_tensor")
def test_which_dtypes_can_require_grad():
    """The floating-point and complex dtypes can require grad, and all other dtypes of torch raise RuntimeError.

    Look it up with `dtype.is_floating_point` and `dtype.is_complex`: float16, bfloat16 and the float8 dtypes can, uint8
    images and quantized dtypes cannot.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.requires_grad_.html
    """
    dtypes = {dtype for dtype in vars(torch).values() if isinstance(dtype, torch.dtype)}

    assert {torch.float16, torch.bfloat16, torch.complex64, torch.uint8, torch.bool, torch.qint8} <= dtypes
    for dtype in dtypes:
        if dtype.is_floating_point or dtype.is_complex:
            assert torch.empty(2, dtype=dtype, requires_grad=True).requires_grad
            assert torch.empty(2, dtype=dtype).requires_grad_().requires_grad
        else:
            with pytest.raises(RuntimeError, match="ensors of floating point"):
                torch.empty(2, dtype=dtype, requires_grad=True)
            with pytest.raises(RuntimeError, match="ensors of floating point"):
                torch.empty(2, dtype=dtype).requires_grad_()


def test_gradients_find_the_way_back_through_to(accelerator):
    """`tensor.to(device)` between two devices is recorded: a leaf on the CPU gets its gradient on the CPU from a loss
    on the accelerator, and the other way round.

    The moved tensor is no leaf, and an optimizer refuses it with ValueError "can't optimize a non-leaf Tensor". Make
    the tensor on its device first, and let it require grad there.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.to.html
    """
    here = torch.tensor([1.0, -2.0], requires_grad=True)
    there = torch.tensor([3.0, 5.0], device=accelerator, requires_grad=True)
    moved, fetched = here.to(accelerator), there.cpu()
    (moved * moved * there.detach()).sum().backward()
    (fetched * fetched * here.detach()).sum().backward()

    assert (here.grad.device.type, here.grad.tolist()) == ("cpu", [6, -20])
    assert (there.grad.device, there.grad.tolist()) == (accelerator, [6, -20])
    assert (moved.device, fetched.device.type) == (accelerator, "cpu")
    assert (moved.is_leaf, moved.grad_fn.name(), fetched.is_leaf) == (False, "ToCopyBackward0", False)
    with pytest.raises(ValueError, match="can't optimize a non-leaf Tensor"):
        torch.optim.SGD([moved], lr=0.1)


def test_a_tensor_hook_sees_and_replaces_a_gradient(device):
    """`y.register_hook(f)` calls `f` with the gradient of `y` in `backward`, and what `f` returns takes its place; None
    leaves it as it is.

    Use it to look at the gradient of a result, or to limit it. `backward` calls `f` with gradients off, so that
    `gradient * x` in `f` has no graph, unless `create_graph=True` is given. `register_hook` returns a handle, whose
    `remove()` takes the hook away.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.register_hook.html
    """
    x = torch.tensor([3.0], device=device, requires_grad=True)
    seen = []

    def limited(gradient):
        seen.append((gradient.item(), torch.is_grad_enabled(), (gradient * x).requires_grad))
        return gradient.clamp(max=1.0)

    y = x * 2
    handle = y.register_hook(limited)
    (y * 5).backward()

    assert seen == [(5, False, False)]
    assert x.grad.tolist() == [2]

    y = x * 2
    y.register_hook(lambda gradient: seen.append(torch.is_grad_enabled()))
    (gradient,) = torch.autograd.grad(y * 5, x, create_graph=True)
    assert (gradient.tolist(), seen[1:]) == ([10], [True])

    handle.remove()
    y = x * 2
    y.register_hook(limited).remove()
    assert torch.autograd.grad(y * 5, x)[0].tolist() == [10]


# Why does backward raise, and when does it not?


def test_backward_of_a_vector_raises(device):
    """`backward()` without arguments needs a tensor of one real number, of shape `()`, `(1,)` or `(1, 1)` alike: from a
    tensor of more numbers, or of none, that requires grad it raises RuntimeError "grad can be implicitly created only
    for scalar outputs".

    For a loss of many numbers, as `reduction="none"` gives for a batch, write `.mean()` or `.sum()` before
    `.backward()`.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.backward.html
    """
    x = torch.tensor([1.0, 2.0, 3.0], device=device, requires_grad=True)

    with pytest.raises(RuntimeError, match="grad can be implicitly created only for scalar outputs"):
        (x * x).backward()

    with pytest.raises(RuntimeError, match="grad can be implicitly created only for scalar outputs"):
        (x * x)[:0].backward()

    assert x.grad is None
    (x * x)[2:].backward()  # of shape (1,)
    assert x.grad.tolist() == [0, 0, 6]
    (x * x)[2:].reshape(1, 1).backward()
    assert x.grad.tolist() == [0, 0, 12]
    (x * x).mean().backward()
    assert torch.allclose(x.grad * 3, x.grad.new_tensor([2, 4, 42]))
    with pytest.raises(RuntimeError, match="grad can be implicitly created only for scalar outputs"):
        nn.MSELoss(reduction="none")(x, x.detach()).backward()


def test_backward_of_a_vector_takes_a_weight_for_each_number(device):
    """For a real `y` and constant `weights` of the same shape, `y.backward(weights)` gives the gradient of `(weights *
    y).sum()`.

    The weights are not broadcast: another shape raises RuntimeError "Mismatch in shape". They get no gradient of their
    own; write out the sum if they should.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.backward.html
    """
    x = torch.tensor([1.0, 2.0, 3.0], device=device, requires_grad=True)
    weights = torch.tensor([1.0, 10.0, 100.0], device=device, requires_grad=True)
    (x * x).backward(weights)

    assert x.grad.tolist() == [2, 40, 600]
    assert weights.grad is None
    x.grad = None
    (weights * x * x).sum().backward()
    assert x.grad.tolist() == [2, 40, 600]
    assert weights.grad.tolist() == [1, 4, 9]
    with pytest.raises(RuntimeError, match="Mismatch in shape"):
        (x * x).backward(weights[:1])


def test_backward_without_a_graph_raises(device):
    """`backward()` of a tensor that does not require grad raises RuntimeError "element 0 of tensors does not require
    grad and does not have a grad_fn".

    Typical causes: the loss was computed under `no_grad`, from `.detach()`, put into a new tensor by
    `torch.tensor(...)`, made from `argmax` or a comparison, as an accuracy is, or from a model whose parameters are all
    frozen. Compute the loss again without the cut.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.backward.html
    """
    weight = torch.tensor(2.0, device=device, requires_grad=True)
    with torch.no_grad():
        unrecorded = 3 * weight
    wrapped = torch.tensor((3 * weight).item(), device=device)

    frozen = nn.Linear(2, 1, device=device).requires_grad_(False)(torch.ones(2, device=device)).sum()
    accuracy = ((weight * 3).reshape(1).argmax() == 0).float()

    for loss in (3 * weight.detach(), unrecorded, wrapped, frozen, accuracy):
        with pytest.raises(RuntimeError, match="element 0 of tensors does not require grad and does not have a grad"):
            loss.backward()
    (3 * weight).backward()
    assert weight.grad.item() == 3


def test_requires_grad_on_a_loss_trains_nothing(device):
    """`loss.requires_grad_()` silences the error of a floating-point loss that `detach` or `no_grad` cut from its
    graph, and `backward()` then gives the weights no gradient.

    `backward()` stops at the loss itself, so the model never learns although nothing raises. `torch.tensor(number,
    requires_grad=True)` does the same: look for the `detach`, `no_grad` or `.item()` that made the cut. A loss of an
    integer dtype raises RuntimeError at `requires_grad_()` instead, and so does, after the `with` block, a loss from
    `torch.inference_mode()`.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.requires_grad_.html
    """
    weight = torch.tensor(2.0, device=device, requires_grad=True)
    cut = (3 * weight).detach()
    cut.requires_grad_()
    rebuilt = torch.tensor((3 * weight).item(), device=device, requires_grad=True)
    with torch.no_grad():
        unrecorded = (3 * weight).requires_grad_()

    for loss in (cut, rebuilt, unrecorded):
        loss.backward()
        assert loss.grad.item() == 1
        assert weight.grad is None

    with torch.inference_mode():
        inferred = 3 * weight
    for loss in (inferred, (weight > 1).sum()):
        with pytest.raises(RuntimeError, match=r"inference tensor|floating point"):
            loss.requires_grad_()


def test_a_second_backward_raises(device):
    """`backward` frees the values that the graph saved, so a second `backward` that needs one of them raises
    RuntimeError "Trying to backward through the graph a second time".

    Run the forward pass again, from the inputs on: that builds a new graph. The message also names `retain_graph=True`,
    which has a note below; what was computed once before the loop, or comes from the last batch, belongs into the loop
    or behind `.detach()`.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.backward.html
    """
    x = torch.tensor(3.0, device=device, requires_grad=True)
    y = x * x
    y.backward()

    with pytest.raises(RuntimeError, match=r"backward through the graph a second time .* Specify retain_graph=True"):
        y.backward()

    assert x.grad.item() == 6
    (x * x).backward()
    assert x.grad.item() == 12


def test_two_losses_from_one_hidden_result(device):
    """Two losses computed from the same hidden result cannot each call `backward()` without `retain_graph=True` if the
    graph behind that result saved values: the second call raises RuntimeError.

    Write `(a + b).backward()`, or pass `retain_graph=True` to the first call. Computing a loss again from the old
    hidden result does not help, because its graph is freed.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.backward.html
    """
    x = torch.tensor(3.0, device=device, requires_grad=True)
    hidden = x * x
    a, b = 2 * hidden, 5 * hidden
    a.backward()

    for loss in (b, 2 * hidden):
        with pytest.raises(RuntimeError, match="backward through the graph a second time"):
            loss.backward()
    assert x.grad.item() == 12

    x.grad = None
    hidden = x * x
    (2 * hidden + 5 * hidden).backward()
    assert x.grad.item() == 42

    x.grad = None
    hidden = x * x
    (2 * hidden).backward(retain_graph=True)
    (5 * hidden).backward()
    assert x.grad.item() == 42


def test_retain_graph_lets_backward_run_again(device):
    """`backward(retain_graph=True)` keeps the values that the graph saved, so `backward` can run once more and adds its
    gradient.

    The second call here frees them, and a third raises: every call but the last needs `retain_graph=True`. In a
    training loop it usually hides a mistake, and it keeps memory.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.backward.html
    """
    x = torch.tensor(3.0, device=device, requires_grad=True)
    y = x * x
    y.backward(retain_graph=True)
    y.backward()

    assert x.grad.item() == 12
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        y.backward()


def test_a_hidden_state_brings_the_graph_of_the_last_batch(device):
    """A hidden state that an `nn.RNNCell` is given again in the next batch brings the graph of the last batch along:
    the second `loss.backward()` raises RuntimeError, "Trying to backward through the graph a second time".

    Write `hidden = hidden.detach()` between two batches; for an `nn.LSTM`, whose state is a tuple, `state =
    tuple(part.detach() for part in state)`. `retain_graph=True` is no way out: once a `step()` of
    `SGD(..., foreach=False)` has changed the weights that the old graph needs, `backward` raises "modified by an
    inplace operation".

    https://docs.pytorch.org/docs/stable/generated/torch.nn.RNNCell.html
    """
    batches = torch.tensor([[[1.0], [2.0]], [[3.0], [4.0]]], device=device)  # two batches of a sequence of two

    def train(between, **options):
        cell = nn.RNNCell(1, 3, device=device)
        optimizer = torch.optim.SGD(cell.parameters(), lr=0.1, foreach=False)
        hidden = torch.zeros(3, device=device)
        for batch in batches:
            for x in batch:
                hidden = cell(x, hidden)
            hidden.sum().backward(**options)
            optimizer.step()
            hidden = between(hidden)
        return cell.weight_hh.grad

    with pytest.raises(RuntimeError, match="Trying to backward through the graph a second time"):
        train(lambda hidden: hidden)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        train(lambda hidden: hidden, retain_graph=True)
    assert train(torch.Tensor.detach).abs().sum() > 0

    lstm, state = nn.LSTM(1, 3).to(device), None
    for batch in batches:
        output, state = lstm(batch, state)
        output.sum().backward()
        state = tuple(part.detach() for part in state)


@pytest.mark.myth("a second backward through the same graph always raises")
def test_a_graph_that_saved_nothing_can_be_walked_twice(device):
    """A second `backward` runs, and adds its gradient, if the graph saved no values, as in `(x + 1).sum()`.

    So code without the error may still count a gradient twice. `x * 2` saves its factor 2: `(x * 2).sum()` raises in
    the second `backward`.

    https://docs.pytorch.org/docs/stable/notes/autograd.html
    """
    x = torch.tensor([1.0, 2.0], device=device, requires_grad=True)
    y = (x + 1).sum()
    y.backward()
    y.backward()

    assert x.grad.tolist() == [2, 2]
    y = (x * 2).sum()
    y.backward()
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        y.backward()


def test_detach_cuts_the_graph_and_shares_the_memory(device):
    """`x.detach()` gives a tensor on the same memory outside of the graph: no gradient flows through it, and a write to
    either shows in both.

    Write `x.detach().clone()` for a copy, for instance to keep the weights of an earlier epoch.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.detach.html
    """
    x = torch.tensor([1.0, 2.0], device=device, requires_grad=True)
    outside = x.detach()
    (x * outside).sum().backward()

    assert x.grad.tolist() == [1, 2]  # outside counts as a constant, or it would be [2, 4]
    assert (outside.requires_grad, outside.grad_fn) == (False, None)
    outside[0] = 7
    assert x.tolist() == [7, 2]
    assert x.requires_grad
    copy = x.detach().clone()
    copy[0] = 100
    with torch.no_grad():
        x[1] = 9
    assert (x.tolist(), outside.tolist(), copy.tolist()) == ([7, 9], [7, 9], [100, 2])


# Which in-place changes does autograd allow?


@pytest.mark.parametrize(
    ("change", "after"),
    [
        ("x += 1", [2, 3]),
        ("x.add_(5)", [6, 7]),
        ("x[0] = 5", [5, 2]),
        ("x[1].mul_(4)", [1, 8]),
        ("x.zero_()", [0, 0]),
    ],
)
def test_a_leaf_that_requires_grad_cannot_be_changed_in_place(device, change, after):
    """While autograd records, `x += 1`, `x.add_(5)`, `x[0] = 5`, `x[1].mul_(4)` and `x.zero_()` of a vector `x` that
    is a leaf and requires grad raise RuntimeError and change nothing.

    These say "a leaf Variable that requires grad is being used in an in-place operation", or "a view of a leaf".
    Write to weights under `torch.no_grad()`, as optimizers do. `x.detach()` is a view that requires no grad: a write to
    it is allowed and changes `x`. `x.requires_grad_(False)` ends in `_` too, but writes no number and is allowed.

    https://docs.pytorch.org/docs/stable/notes/autograd.html
    """
    x = torch.tensor([1.0, 2.0], device=device, requires_grad=True)

    with pytest.raises(RuntimeError, match="leaf Variable that requires grad is being used in an in-place operation"):
        exec(change)
    assert x.tolist() == [1, 2]

    with torch.no_grad():
        exec(change)
    assert x.tolist() == after
    assert (x.requires_grad, x.is_leaf) == (True, True)
    x.detach()[0] = 7
    assert x[0].item() == 7
    assert not x.requires_grad_(False).requires_grad


def test_an_in_place_change_of_a_saved_value_is_caught(device):
    """For `y = x.exp()`, `backward` after `y.add_(1)` raises RuntimeError "one of the variables needed for gradient
    computation has been modified by an inplace operation".

    The gradient of exp is its result, so `y.add_(1)` spoils what `backward` needs; write `y = y + 1`. Even after
    `y.mul_(1)`, which changes no number, `backward` raises. Writes that are not noticed have notes of their own below.

    https://docs.pytorch.org/docs/stable/notes/autograd.html
    """
    x = torch.tensor([0.0, 0.0], device=device, requires_grad=True)
    y = x.exp()
    y.add_(1)

    with pytest.raises(RuntimeError, match="needed for gradient computation has been modified by an inplace operation"):
        y.sum().backward()

    y = x.exp()
    y.mul_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()

    y = x.exp()
    y = y + 1
    y.sum().backward()
    assert x.grad.tolist() == [1, 1]


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.Adam], ids=["SGD", "Adam"])
def test_a_step_before_the_second_backward_is_caught(optimizer):
    """If `step()` of `SGD` or `Adam` with their default settings changes a weight on the CPU that a later `backward`
    needs, that `backward` raises RuntimeError, "one of the variables needed for gradient computation has been modified
    by an inplace operation".

    That is met where two networks are trained in turn, as in a GAN: the loss of the generator went through the
    discriminator before its step. The message counts the writes to the weight: "is at version 1; expected version 0
    instead". Compute the second loss after the first step. With both `backward` before both steps nothing raises, but
    the gradients of both losses add up in the discriminator.

    https://docs.pytorch.org/docs/stable/notes/autograd.html
    """
    generator = nn.Parameter(torch.tensor([2.0]))
    discriminator = nn.Parameter(torch.tensor([3.0]))
    step = optimizer([discriminator], lr=0.5).step

    made = 5 * generator
    loss = -(discriminator * made).sum()  # for the generator
    (discriminator * made.detach()).sum().backward()
    step()
    with pytest.raises(RuntimeError, match=r"modified by an inplace operation: .* is at version 1; expected version 0"):
        loss.backward()

    made = 5 * generator
    (discriminator * made.detach()).sum().backward()
    step()
    loss = -(discriminator * made).sum()
    loss.backward()
    assert generator.grad.tolist() == (-5 * discriminator).tolist()

    made, discriminator.grad = 5 * generator, None
    loss = -(discriminator * made).sum()
    (discriminator * made.detach()).sum().backward()
    assert discriminator.grad.tolist() == [10]
    loss.backward()
    assert discriminator.grad.tolist() == [10 - 10]


@pytest.mark.myth("in-place operations break autograd")
def test_an_in_place_change_of_a_value_that_was_not_saved_is_fine(device):
    """`y.mul_(5)` and `y.add_(1)` on the result `y` of a product are recorded, and the gradient is right, because the
    product saved its factors and not its result.

    In-place operations save memory on results that no `backward` needs, such as `nn.ReLU(inplace=True)` behind a linear
    layer or a convolution. Other operations may save `y`: `y.mul_(y)` does, and so does `z = y.sin()`; after a write to
    `y`, `backward` through them raises RuntimeError.

    https://docs.pytorch.org/docs/stable/notes/autograd.html
    """
    x = torch.tensor([3.0, -2.0], device=device, requires_grad=True)
    y = x * x
    y.mul_(5).add_(1)
    y.sum().backward()

    assert y.tolist() == [46, 21]
    assert x.grad.tolist() == [30, -20]
    layer = nn.Linear(2, 2, device=device)
    nn.ReLU(inplace=True)(layer(x.detach())).sum().backward()
    nn.ReLU(inplace=True)(F.conv2d(x.reshape(1, 1, 1, 2), x.detach().reshape(1, 1, 1, 2))).sum().backward()
    assert x.grad.tolist() == [33, -22]

    y = x * x
    z = y.sin()
    y.add_(1)
    squared = x * x
    for spoiled in (z, squared.mul_(squared)):
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            spoiled.sum().backward()


def test_a_row_of_a_loop_cannot_be_changed_in_place(device):
    """While autograd records, `for row in y: row.add_(1)` raises RuntimeError "is a view and is being modified inplace"
    if `y` has a `grad_fn`, and so do the pieces of `y.unbind()`, `y.split(1)` and `y.chunk(2)`.

    Autograd does not record a write to one of several views that were made together. Index instead: `y[0].add_(1)` is
    recorded. Under `torch.no_grad()` the loop runs, and no gradient knows of it.

    https://docs.pytorch.org/docs/stable/notes/autograd.html
    """
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]], device=device, requires_grad=True)

    for pieces in (list(x * 2), (x * 2).unbind(), (x * 2).split(1), (x * 2).chunk(2)):
        with pytest.raises(RuntimeError, match="is a view and is being modified inplace"):
            pieces[0].add_(1)

    y = x * 2
    y[0].add_(1)
    y.sum().backward()
    assert y.tolist() == [[3, 5], [6, 8]]
    assert x.grad.tolist() == [[2, 2], [2, 2]]

    y = x * 2
    with torch.no_grad():
        for row in y:
            row.mul_(10)
    y.sum().backward()
    assert y.tolist() == [[20, 40], [60, 80]]
    assert x.grad.tolist() == [[4, 4], [4, 4]]  # 2 more, and not 20


def test_an_in_place_operation_raises_the_version_counter(device):
    """`add_`, `mul_`, `zero_` and `x[0] = 5` raise `x._version` by one each, also through a view or `x.detach()`; `x +
    1` does not.

    `backward` compares this number with the one at the time of saving. It counts operations and not changes:
    `x.unsqueeze_(0)` writes no number and counts. `x + 1` under `inference_mode` has no counter. Read `_version` only
    to debug.

    https://docs.pytorch.org/docs/stable/notes/autograd.html
    """
    x = torch.tensor([1.0, 2.0, 3.0], device=device)
    versions = [x._version]

    x + 1
    versions.append(x._version)
    x.add_(1)
    versions.append(x._version)
    x[0] = 5
    versions.append(x._version)
    x[1:].zero_()
    versions.append(x._version)
    x.detach().mul_(2)
    versions.append(x._version)

    assert versions == [0, 0, 1, 2, 3, 4]
    x.unsqueeze_(0)
    assert x._version == 5
    with torch.inference_mode():
        uncounted = x + 1
    with pytest.raises(RuntimeError, match="do not track version counter"):
        uncounted._version


# Which writes does autograd not notice?


def test_a_write_through_data_makes_the_gradient_silently_wrong(device):
    """For `y = x.exp()`, a write through `y.data` does not raise the version counter of `y`, so `backward` silently
    computes the gradient from the new numbers.

    Write through `y.detach()`, which is counted, so that `backward` raises RuntimeError. Change a weight under
    `torch.no_grad()`, before the forward pass.

    https://docs.pytorch.org/docs/stable/notes/autograd.html
    """
    x = torch.tensor([0.0, 0.0], device=device, requires_grad=True)
    y = x.exp()
    y.data.add_(6)
    y.sum().backward()

    assert y._version == 0
    assert x.grad.tolist() == [7, 7]  # the slope of exp at 0 is 1

    y = x.exp()
    y.detach().add_(6)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_a_write_through_numpy_makes_the_gradient_silently_wrong():
    """For `y = x.exp()`, a write to the NumPy array from `y.detach().numpy()` does not raise the version counter of
    `y`, so `backward` silently computes a wrong gradient.

    NumPy writes to the shared memory and torch does not see it. Write `y.detach().numpy().copy()` before you change the
    array.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.numpy.html
    """
    x = torch.tensor([0.0, 0.0], requires_grad=True)
    y = x.exp()
    array = y.detach().numpy()
    array[:] = 7
    y.sum().backward()

    assert y._version == 0
    assert x.grad.tolist() == [7, 7]  # the slope of exp at 0 is 1


@pytest.mark.holds(
    "torch>=2.4",
    otherwise=RuntimeError,
    change="new",
    concerns=("torch.optim.SGD(fused=True)", "torch.optim.Adam(fused=True)", "torch.optim.AdamW(fused=True)"),
)
def test_a_fused_optimizer_makes_the_gradient_silently_wrong():
    """On the CPU from torch 2.4 on, `SGD`, `Adam` and `AdamW` with `fused=True` change weights without raising their
    version counter, so `backward` through a graph from before the step silently uses the new weights.

    Without `fused=True` the same mistake raises RuntimeError "modified by an inplace operation". Call `backward` for
    all losses of a batch before `optimizer.step()`.

    https://docs.pytorch.org/docs/stable/optim.html
    """
    for optimizer in (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD):
        for fused in (True, None):  # None is the default
            weight = nn.Parameter(torch.tensor([3.0]))
            x = torch.tensor([2.0], requires_grad=True)
            loss = (x * weight).sum()
            weight.grad = torch.tensor([1.0])
            optimizer([weight], lr=1.0, fused=fused).step()

            if fused:
                assert weight._version == 0
                loss.backward()
                assert x.grad.tolist() == weight.tolist()
                assert x.grad.item() < 2.5  # the slope of the loss that was computed is 3
            else:
                with pytest.raises(RuntimeError, match="modified by an inplace operation"):
                    loss.backward()


# Which operations have no derivative, and how do I write my own?


def test_floor_division_raises_in_backward_only(device):
    """For an `x` that requires grad, `x // 2.3` computes its result, and only `backward()` raises RuntimeError,
    "derivative for aten::floor_divide is not implemented".

    `backward()` through `y //= 2.3` for a result `y` and through `torch.heaviside(x, values)` raises RuntimeError too,
    and through `x.unique()` NotImplementedError. Write `torch.div(x, 2.3, rounding_mode="floor")`: its gradient is 0,
    as that of `round` and `floor`. `(x / 0.1).floor()` may be another number than `x // 0.1`: for 1.0 they are 10 and
    9. To pass the gradient on as if nothing had been rounded, write `x + (x.round() - x).detach()`.

    https://docs.pytorch.org/docs/stable/generated/torch.floor_divide.html
    """
    x = torch.tensor([7.0, 5.0], device=device, requires_grad=True)
    in_place = x * 1
    in_place //= 2.3
    floor_divided = x // 2.3

    assert floor_divided.tolist() == in_place.tolist() == [3, 2]
    for y in (floor_divided, in_place, torch.heaviside(x, x.detach())):
        with pytest.raises(RuntimeError, match=r"derivative for aten::(floor_divide_?|heaviside) is not implemented"):
            y.sum().backward()
    with pytest.raises(NotImplementedError, match="is not implemented"):
        x.unique().sum().backward()

    floored = torch.div(x, 2.3, rounding_mode="floor")
    assert floored.tolist() == [3, 2]
    for y in (floored, (x / 2.3).floor(), x.round()):
        assert torch.autograd.grad(y.sum(), x)[0].tolist() == [0, 0]
    one = torch.tensor(1.0, device=device)
    assert torch.div(one, 0.1, rounding_mode="floor").item() == (one // 0.1).item() == 9
    assert (one / 0.1).floor().item() == 10
    third = x / 4
    y = third + (third.round() - third).detach()
    assert y.tolist() == [2, 1]
    assert torch.autograd.grad(y.sum(), x)[0].tolist() == [0.25, 0.25]


def test_out_takes_no_gradient(device):
    """While gradients are recorded, `torch.add(w, 1, out=buffer)` raises RuntimeError if `w` or `buffer` requires grad:
    "functions with out=... arguments don't support automatic differentiation".

    `torch.mm`, `torch.exp` and `torch.cat` with `out=` raise as well. Write `buffer = torch.add(w, 1)`. Under
    `torch.no_grad()` the call with `out=` computes. If `buffer` does not require grad, it computes with `w.detach()`,
    too, and `buffer.copy_(w + 1)` passes the gradient on.

    https://docs.pytorch.org/docs/stable/notes/autograd.html
    """
    w = torch.tensor([[3.0]], device=device, requires_grad=True)
    buffer = torch.zeros(1, 1, device=device)

    for function, arguments in ((torch.add, (w, 1)), (torch.mm, (w, w)), (torch.exp, (w,)), (torch.cat, ([w],))):
        with pytest.raises(RuntimeError, match=r"functions with out=\.\.\. arguments don't support automatic differen"):
            function(*arguments, out=buffer)
    with pytest.raises(RuntimeError, match=r"functions with out=\.\.\. arguments don't support automatic differen"):
        torch.add(buffer, 1, out=w)

    with torch.no_grad():
        assert torch.add(w, 1, out=buffer).item() == buffer.item() == 4
        assert torch.add(buffer, -1, out=w).item() == w.item() == 3
    assert torch.add(w.detach(), 2, out=buffer).item() == 5
    copied = buffer.copy_(w + 1)
    copied.backward()
    assert (copied.item(), w.grad.item()) == (4, 1)


class Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, factor=2):
        ctx.factor = factor
        return x * factor

    @staticmethod
    def backward(ctx, grad):
        return grad * ctx.factor, None


class Incomplete(Product):
    @staticmethod
    def backward(ctx, grad):
        return grad * ctx.factor


def test_a_function_of_your_own_is_called_by_apply(device):
    """A `torch.autograd.Function` with static methods is called as `Product.apply(x, 3)`; `Product()(x, 3)` raises
    RuntimeError, "Legacy autograd function with non-static forward method is deprecated".

    Old code that calls an object needs `@staticmethod` before `forward` and `backward`, `ctx` in place of `self`, and
    `apply`. `backward` returns one gradient for each argument of `apply`, None where there is none to give; if it
    returns fewer, RuntimeError says "returned an incorrect number of gradients (expected 2, got 1)".

    https://docs.pytorch.org/docs/stable/notes/extending.html
    """
    x = torch.tensor([2.0, -1.0], device=device, requires_grad=True)

    product = Product.apply(x, 3)
    product.sum().backward()
    assert (product.tolist(), x.grad.tolist()) == ([6, -3], [3, 3])

    with pytest.warns(DeprecationWarning, match="should not be instantiated"):
        legacy = Product()
    with pytest.raises(RuntimeError, match="Legacy autograd function with non-static forward method is deprecated"):
        legacy(x, 3)
    with pytest.raises(RuntimeError, match=r"incorrect number of gradients \(expected 2, got 1\)"):
        Incomplete.apply(x, 3).sum().backward()


@pytest.mark.holds("torch>=2.13", otherwise=TypeError, change="new", concerns="torch.autograd.Function.apply")
def test_apply_takes_arguments_by_name(device):
    """From torch 2.13 on, `apply` of a `torch.autograd.Function` takes arguments by name, as in
    `Product.apply(x, factor=3)`.

    Up to torch 2.12 that raises TypeError, "apply() takes no keyword arguments". Write `Product.apply(x, 3)`, which
    works in every release.

    https://docs.pytorch.org/docs/stable/autograd.html#torch.autograd.Function
    """
    x = torch.tensor([2.0, -1.0], device=device, requires_grad=True)
    assert Product.apply(x, 3).tolist() == [6, -3]

    product = Product.apply(x, factor=3)
    product.sum().backward()

    assert (product.tolist(), x.grad.tolist()) == ([6, -3], [3, 3])


class InPlace(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.mul_(2)

    @staticmethod
    def backward(ctx, grad):
        return grad * 2


class MarkedInPlace(InPlace):
    @staticmethod
    def forward(ctx, x):
        ctx.mark_dirty(x)
        return x.mul_(2)


def test_a_function_of_your_own_marks_what_it_changes(device):
    """A `torch.autograd.Function` whose `forward` runs `x.mul_(2)` on its input `x = w * 1` makes the gradient of a
    loss that uses `x` afterwards silently wrong, unless `forward` calls `ctx.mark_dirty(x)` and returns `x`.

    Without the mark, autograd takes `x` for unchanged, and the slope of 2 is missing in its gradient. Behind `x =
    torch.exp(w)`, which keeps `x` for its own gradient, `backward` raises RuntimeError. While gradients are recorded, a
    leaf that requires grad raises with the mark, "a leaf Variable that requires grad has been used in an in-place
    operation"; without it the leaf is changed silently. Simpler is `return x * 2`, which leaves `x` as it was.

    https://docs.pytorch.org/docs/stable/notes/extending.html
    """
    for function, after, slope in ((InPlace, [4, -2], 1), (MarkedInPlace, [4, -2], 2), (Product, [2, -1], 1)):
        w = torch.tensor([2.0, -1.0], device=device, requires_grad=True)
        x = w * 1
        y = function.apply(x)
        x.sum().backward()
        assert (y.tolist(), x.tolist(), w.grad.tolist()) == ([4, -2], after, [slope, slope])

    for function in (InPlace, MarkedInPlace):
        x = torch.exp(w)
        function.apply(x)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            x.sum().backward()

    leaf = torch.tensor([2.0, -1.0], device=device, requires_grad=True)
    InPlace.apply(leaf)
    assert leaf.tolist() == [4, -2]
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad has been used in an in-place operation"):
        MarkedInPlace.apply(leaf)


class Reversal(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x

    @staticmethod
    def backward(ctx, grad):
        return -grad


class ReversalOfACopy(Reversal):
    @staticmethod
    def forward(ctx, x):
        return x.clone()


class FirstOfTwo(Reversal):
    @staticmethod
    def forward(ctx, x):
        return x[:1]


def test_a_view_from_a_function_of_your_own_cannot_be_changed_in_place(device):
    """If `forward` of a `torch.autograd.Function` returns its unchanged input or a slice of it, an in-place change of
    the result raises RuntimeError, "is a view and is being modified inplace".

    That goes for an input that requires grad and a `forward` with one result and no mark, while gradients are recorded.
    The message goes on: "This view was created inside a custom Function". A layer that reverses the gradient is such a
    function, and `nn.ReLU(inplace=True)` behind it such a change. Write `return x.clone()` in `forward`, or make a new
    tensor outside: `y = y + 1`.

    https://docs.pytorch.org/docs/stable/notes/extending.html
    """
    w = torch.tensor([2.0, -1.0], device=device, requires_grad=True)
    changes = (lambda y: y.add_(1), lambda y: y.mul_(2), lambda y: torch.nn.ReLU(inplace=True)(y))

    for function in (Reversal, FirstOfTwo):
        for x in (w, w * 1):
            for change in changes:
                with pytest.raises(RuntimeError, match=r"view.*modified inplace.*created inside a custom Function"):
                    change(function.apply(x))
    for y in (ReversalOfACopy.apply(w).add_(1), Reversal.apply(w) + 1, Reversal.apply(w).clone().add_(1)):
        assert y.tolist() == [3, 0]
        assert torch.autograd.grad(y.sum(), w)[0].tolist() == [-1, -1]


class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**2

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return 2 * x * grad


class SquareWithAttribute(Square):
    @staticmethod
    def forward(ctx, x):
        ctx.x = x
        return x**2

    @staticmethod
    def backward(ctx, grad):
        return 2 * ctx.x * grad


class SquareThatSavesANumber(Square):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x, 2)
        return x**2


def test_save_for_backward_notices_an_in_place_change(device):
    """A `torch.autograd.Function` that keeps its input `x = w * 1` by `ctx.save_for_backward(x)` raises RuntimeError
    when `backward` reads it, if `x.mul_(5)` ran in between; one that reads it from `ctx.x = x` silently gives a wrong
    gradient.

    The error is "one of the variables needed for gradient computation has been modified by an inplace operation". A
    second `backward` without `retain_graph=True` in the first raises "Trying to backward through the graph a second
    time" with `save_for_backward`, and with the attribute only if another step of the graph raises it. For an input
    that requires grad, while gradients are recorded, `ctx.save_for_backward(x, 2)` raises TypeError, "save_for_backward
    can only save variables": keep a number as an attribute, `ctx.exponent = 2`.

    https://docs.pytorch.org/docs/stable/notes/extending.html
    """
    for function in (Square, SquareWithAttribute):
        w = torch.tensor([3.0], device=device, requires_grad=True)
        function.apply(w).backward()
        assert w.grad.tolist() == [6]

    x = w * 1
    y = Square.apply(x)
    x.mul_(5)
    with pytest.raises(RuntimeError, match="needed for gradient computation has been modified by an inplace operation"):
        y.backward()
    x = w * 1
    y = SquareWithAttribute.apply(x)
    x.mul_(5)
    assert torch.autograd.grad(y, w)[0].tolist() == [30]  # not 6

    once, twice = Square.apply(w), SquareWithAttribute.apply(w)
    once.backward()
    with pytest.raises(RuntimeError, match="Trying to backward through the graph a second time"):
        once.backward()
    twice.backward()
    twice.backward()
    twice = SquareWithAttribute.apply(w).exp()
    twice.backward()
    with pytest.raises(RuntimeError, match="Trying to backward through the graph a second time"):
        twice.backward()
    with pytest.raises(TypeError, match="save_for_backward can only save variables"):
        SquareThatSavesANumber.apply(w).backward()


class DoubledAndRounded(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        rounded = x.round()
        ctx.mark_non_differentiable(rounded)
        return x * 2, rounded, x.argmax(), x > 0

    @staticmethod
    def backward(ctx, grad, *rest):
        return grad * 2


class OneGradient(DoubledAndRounded):
    @staticmethod
    def backward(ctx, grad):
        return grad * 2


def test_a_result_that_is_marked_has_no_gradient(device):
    """A result that `forward` of a `torch.autograd.Function` gives to `ctx.mark_non_differentiable` does not require
    grad, and neither does an int64 or bool result without the mark.

    A loss of marked results alone raises RuntimeError, "does not require grad". `backward` still gets one gradient for
    each result: `backward(ctx, grad)` of a function with four results raises TypeError, "takes 2 positional arguments
    but 5 were given".

    https://docs.pytorch.org/docs/stable/notes/extending.html
    """
    w = torch.tensor([2.25, -1.0], device=device, requires_grad=True)

    doubled, rounded, place, positive = DoubledAndRounded.apply(w)

    assert (doubled.tolist(), rounded.tolist(), place.item()) == ([4.5, -2], [2, -1], 0)
    assert [result.requires_grad for result in (doubled, rounded, place, positive)] == [True, False, False, False]
    with pytest.raises(RuntimeError, match="does not require grad"):
        rounded.sum().backward()
    (doubled + rounded).sum().backward()
    assert w.grad.tolist() == [2, 2]
    with pytest.raises(TypeError, match="takes 2 positional arguments but 5 were given"):
        OneGradient.apply(w)[0].sum().backward()


# Why does memory grow, and where does nan come from?


def test_a_running_total_of_losses_keeps_every_graph(device):
    """`train_loss += loss` keeps the graph of every batch whose loss requires grad; `loss.item()` and `loss.detach()`
    add it without the graph.

    `backward` frees the values that these graphs saved, not their nodes. In a validation loop without `no_grad` nothing
    calls `backward`, so the values stay too, which may end in "out of memory". Write `train_loss += loss.item()`.

    https://docs.pytorch.org/docs/stable/notes/faq.html
    """
    weight = torch.tensor(2.0, device=device, requires_grad=True)
    total, detached, number = 0.0, 0.0, 0.0
    sizes = []
    for batch in torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], device=device):
        loss = (weight * batch).sum()
        loss.backward()
        total += loss
        detached += loss.detach()
        number += loss.item()
        sizes.append((graph_size(total), graph_size(detached), graph_size(number)))

    assert sizes == [(4, 0, 0), (7, 0, 0), (10, 0, 0)]  # mul, sum and += of each batch, and the weight once
    assert (total.item(), detached.item(), number) == (42, 42, 42)
    assert (type(total), type(detached), type(number)) == (torch.Tensor, torch.Tensor, float)

    product = weight * batch
    loss = product.sum()
    assert product.grad_fn._saved_other.tolist() == [5, 6]  # kept as long as the loss is
    loss.backward()
    with pytest.raises(RuntimeError, match="they have already been freed"):
        product.grad_fn._saved_other


@pytest.mark.holds("torch>=2.8", otherwise=AssertionError, change="warns", concerns="torch.Tensor.__float__?")
def test_float_of_a_loss_warns(device):
    """From torch 2.8 on `float(loss)` warns, once per process, if the loss requires grad and gradients are recorded,
    and so do `math.sqrt(loss)` and `torch.tensor([loss])`.

    The message is "Converting a tensor with requires_grad=True to a scalar may lead to unexpected behavior". The number
    has left the graph: it passes no gradient on. Write `loss.item()` or `float(loss.detach())`, which do not
    warn; neither does `f"{loss:.3f}"`, nor `float(loss)` under `torch.no_grad()`.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.item.html
    """
    torch.set_warn_always(True)  # from here on it warns each time
    weight = torch.tensor(2.0, device=device, requires_grad=True)
    loss = weight * 3

    for convert in (float, math.sqrt, lambda loss: torch.tensor([loss])):
        with pytest.warns(UserWarning, match="Converting a tensor with requires_grad=True to a scalar may lead"):
            convert(loss)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (loss.item(), f"{loss:.3f}", float(loss.detach())) == (6, "6.000", 6)
        with torch.no_grad():
            assert float(loss) == 6


def test_where_does_not_keep_nan_out_of_the_gradient(device):
    """`torch.where(x > 0, x.sqrt(), 0.0)` has the right value 0 at `x = 0` and the gradient nan, because `backward`
    also goes through the side that was not picked.

    The side not picked gets the gradient 0, the slope of sqrt at 0 is infinite, and 0 * inf is nan. Such a nan can
    spoil the weights that `x` was computed from. Make the argument safe first: `torch.where(x > 0, x, 1.0).sqrt()`.

    https://docs.pytorch.org/docs/stable/generated/torch.where.html
    """
    x = torch.tensor([0.0, 4.0], device=device, requires_grad=True)
    y = torch.where(x > 0, x.sqrt(), 0.0)
    y.sum().backward()

    assert y.tolist() == [0, 2]
    assert x.grad.isnan().tolist() == [True, False]

    x.grad = None
    safe = torch.where(x > 0, x, 1.0)
    y = torch.where(x > 0, safe.sqrt(), 0.0)
    y.sum().backward()
    assert y.tolist() == [0, 2]
    assert x.grad.tolist() == [0, 0.25]


def test_the_root_of_a_sum_of_squares_has_no_slope_at_zero(device):
    """For `x = torch.zeros(2)`, `(x * x).sum().sqrt()` has the gradient nan and `x.norm()` has the gradient 0, although
    both are the length of `x`.

    The slope of sqrt at 0 is infinite and that of `x * x` is 0, and inf * 0 is nan. The distance of a point to itself
    is such a length. Write `x.norm()` or `torch.linalg.vector_norm(x)`, or add a small number below the root:
    `((x * x).sum() + 1e-12).sqrt()`, whose gradient is 0 there. `x.std()` has the gradient 0 here, too, and `x.sqrt()`
    alone has the gradient inf.

    https://docs.pytorch.org/docs/stable/generated/torch.linalg.vector_norm.html
    """
    x = torch.zeros(2, device=device, requires_grad=True)

    def gradient(length):
        return torch.autograd.grad(length, x)[0]

    assert gradient((x * x).sum().sqrt()).isnan().all()
    assert gradient((x - x.detach()).square().sum().sqrt()).isnan().all()

    for length in (x.norm(), torch.linalg.vector_norm(x), ((x * x).sum() + 1e-12).sqrt(), x.std()):
        assert gradient(length).tolist() == [0, 0]
    assert gradient(x.sqrt().sum()).tolist() == [math.inf, math.inf]

    x = torch.tensor([3.0, 4.0], device=device, requires_grad=True)
    assert torch.allclose(gradient((x * x).sum().sqrt()), gradient(x.norm()))


@pytest.mark.filterwarnings("ignore:Anomaly Detection has been enabled", "ignore:Error detected in")
def test_detect_anomaly_names_the_operation_that_made_nan(device):
    """Under `torch.autograd.detect_anomaly()` with its default `check_nan=True`, `backward` raises RuntimeError at the
    first operation whose backward returns nan, and names it; otherwise nan goes on into `.grad`.

    The message is "returned nan values", after the name. Infinity is not reported. A nan that came in with the data is
    blamed on the first operation whose backward passes it on, so look at the data first. It is slow: switch it off
    again.

    https://docs.pytorch.org/docs/stable/autograd.html#anomaly-detection
    """
    x = torch.tensor([0.0, 4.0], device=device, requires_grad=True)
    (x.sqrt() * 0).sum().backward()
    assert x.grad[0].isnan()
    assert x.grad[1].item() == 0
    x.grad = None

    with torch.autograd.detect_anomaly():
        with pytest.raises(RuntimeError, match=r"Sqrt.* returned nan values"):
            (x.sqrt() * 0).sum().backward()
        with pytest.raises(RuntimeError, match=r"Mul.* returned nan values"):
            (x * math.nan).sum().backward()
        x.sqrt().sum().backward()
    assert x.grad.tolist() == [math.inf, 0.25]


# What does an installation say of itself?


def test_an_installation_describes_its_build():
    """`torch.__config__.show()` says how this torch was built, `torch.version.__version__` is its version, and
    `torch.version.cuda` is the version of CUDA it was built for, or None.

    Put the output of `python -m torch.utils.collect_env` into a bug report; it has more.

    https://docs.pytorch.org/docs/stable/config_mod.html
    """
    lines = torch.__config__.show().splitlines()
    release = re.match(r"\d+\.\d+\.\d+", torch.__version__)[0]  # without what follows in a nightly build

    assert lines[0] == "PyTorch built with:"
    assert any(f"TORCH_VERSION={release}" in line for line in lines)
    assert torch.version.__version__ == torch.__version__
    assert torch.version.cuda is None or torch.backends.cuda.is_built()


@pytest.mark.myth("a version can be compared as text")
def test_versions_are_not_texts():
    """As text "2.10" comes before "2.9", but `torch.__version__` is a text that compares as a version.

    Write `torch.__version__ >= (2, 9)`. Two traps: `torch.version.__version__` and `torch.__version__.split("+")[0]`
    are ordinary texts, and a version "2.10.0+cpu" is greater than "2.10.0", so write `< (2, 11)` instead of
    `<= (2, 10)` or `==`.

    https://docs.python.org/3/tutorial/datastructures.html#comparing-sequences-and-other-types
    """
    as_version = type(torch.__version__)

    assert "2.10.0" < "2.9.0"
    assert as_version("2.10.0") > "2.9.0"
    assert as_version("2.10.0+cu128") > (2, 9)
    assert isinstance(torch.__version__, str)
    assert torch.__version__ >= (2, 0)

    installed = as_version("2.10.0+cpu")
    assert installed > (2, 9)
    assert type(installed.split("+")[0]) is type(torch.version.__version__) is str
    assert installed.split("+")[0] < "2.9"
    assert (installed == "2.10.0", installed <= (2, 10)) == (False, False)
    assert installed < (2, 11)


@pytest.mark.myth("a build with CUDA means that there is a GPU")
def test_built_for_a_device_is_not_the_same_as_having_one():
    """`torch.cuda.is_available()` is True only if this torch is built for CUDA or ROCm and there is a GPU, while
    `torch.backends.cuda.is_built()` asks about the build alone; `torch.backends.mps` has both questions.

    A CUDA build runs on a machine without a GPU too, so choose a device by `is_available()`.

    https://docs.pytorch.org/docs/stable/backends.html
    """
    built = {"cuda": torch.backends.cuda.is_built(), "mps": torch.backends.mps.is_built()}
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}

    assert all(built[name] for name in available if available[name])
    assert available["cuda"] == (torch.cuda.device_count() > 0)


def test_the_number_of_threads_can_be_asked_for_and_set():
    """`torch.get_num_threads()` is how many CPU threads one operation may use in the calling Python thread, and
    `torch.set_num_threads(n)` changes it for that thread.

    Another Python thread that sets its own number does not change yours once you have asked for it or set it, but a
    thread made later starts with the number that was set last: set it in each thread that computes. At the start torch
    goes by the machine or by a variable such as `OMP_NUM_THREADS`; lower the number if several processes share the
    machine.

    https://docs.pytorch.org/docs/stable/generated/torch.set_num_threads.html
    """
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = torch.get_num_threads()
        torch.set_num_threads(3)
        three = torch.get_num_threads()
        report = torch.__config__.parallel_info()
        with ThreadPoolExecutor(1) as other:
            other.submit(torch.set_num_threads, 2).result()
            seen = other.submit(torch.get_num_threads).result(), torch.get_num_threads()
        with ThreadPoolExecutor(1) as later:
            first = later.submit(torch.get_num_threads).result()
    finally:
        torch.set_num_threads(before)

    assert before >= 1
    assert (one, three, torch.get_num_threads()) == (1, 3, before)
    assert "at::get_num_threads() : 3" in report
    assert seen == (2, 3)
    assert first == 2


# What moved between releases?


@pytest.mark.holds(
    "torch>=2.1",
    otherwise=AssertionError,
    change="warns",
    concerns="torch.utils.checkpoint.checkpoint(not use_reentrant)",
)
def test_checkpoint_asks_which_of_its_two_ways_to_go(device):
    """From torch 2.1 on `checkpoint(function, x)` without `use_reentrant=` warns.

    Write `use_reentrant=False`; torch 2.0 takes it too. `checkpoint` saves memory because `backward` calls the function
    a second time instead of keeping the values it saved. With `use_reentrant=False` a function that saves none, such as
    `x + 1`, is called once, with `use_reentrant=True` twice.

    https://docs.pytorch.org/docs/stable/checkpoint.html
    """
    x = torch.tensor([3.0, -1.0], device=device, requires_grad=True)
    calls = []

    def square(x):
        calls.append(x.tolist())
        return x * x

    with pytest.warns(UserWarning, match="use_reentrant"):
        checkpoint(square, x).sum().backward()
    checkpoint(square, x, use_reentrant=False).sum().backward()

    assert calls == [[3, -1]] * 4
    assert x.grad.tolist() == [6 + 6, -2 - 2]

    for use_reentrant, times in ((False, 1), (True, 2)):
        calls.clear()
        checkpoint(lambda x: (calls.append(0), x + 1)[1], x, use_reentrant=use_reentrant).sum().backward()
        assert len(calls) == times


@pytest.mark.holds("torch>=2.14", otherwise=AssertionError, change="result", concerns="torch.Tensor.clamp?")
def test_a_number_on_a_limit_of_clamp_gets_no_gradient(device):
    """From torch 2.14 on the gradient of `clamp` with numbers as limits is 0 on a limit as well as beyond it; before, a
    number on a limit counted as inside and got 1.

    Nothing warns. At 0, `clamp(min=0)` and `relu`, which give the same values, now have the same gradient. With the
    tensors 0 and 1 as limits the gradient on a limit is 0.5 now.

    https://docs.pytorch.org/docs/stable/generated/torch.clamp.html
    """
    x = torch.tensor([-2.0, 0.0, 0.25, 1.0, 3.0], device=device, requires_grad=True)

    clamped = [torch.clamp(x, 0, 1), x.clamp(0, 1), x.clamp(min=0), x.clamp(max=1), x.relu()]
    slopes = [torch.autograd.grad(y.sum(), x)[0].tolist() for y in clamped]

    assert slopes == [[0, 0, 1, 0, 0], [0, 0, 1, 0, 0], [0, 0, 1, 1, 1], [1, 1, 1, 0, 0], [0, 0, 1, 1, 1]]
    clamped = x.clamp(torch.zeros((), device=device), torch.ones((), device=device))
    assert torch.autograd.grad(clamped.sum(), x)[0].tolist() == [0, 0.5, 1, 0.5, 0]


@pytest.mark.holds("torch>=2.10", otherwise=AssertionError, change="result", concerns="torch.Tensor.atan2?")
def test_the_gradient_of_atan2_is_zero_at_the_origin(device):
    """From torch 2.10 on the first gradient of `torch.atan2(y, x)` is 0 if y and x are both 0; before, it was nan.

    No direction is defined at (0, 0), and one nan can spoil the weights behind it. In older releases keep the pair away
    from (0, 0): for y = 0 and x = 1e-10 the first gradient of y is 1e10. In float32 it is now also 0 for y = x = 1e-30,
    because `x * x + y * y` is rounded to 0. A second derivative at (0, 0) is still nan.

    https://docs.pytorch.org/docs/stable/generated/torch.atan2.html
    """
    y = torch.tensor([0.0, 0.0, -4.0], device=device, requires_grad=True)
    x = torch.tensor([0.0, 2.0, 0.0], device=device, requires_grad=True)
    torch.atan2(y, x).sum().backward()

    assert y.grad.tolist() == [0, 0.5, 0]
    assert x.grad.tolist() == [0, 0, 0.25]

    y = torch.tensor(0.0, device=device, requires_grad=True)
    (slope,) = torch.autograd.grad(torch.atan2(y, torch.tensor(1e-10, device=device)), y)
    assert math.isclose(slope.item(), 1e10, rel_tol=1e-5)
    near = torch.tensor(1e-30, device=device, requires_grad=True)
    assert torch.autograd.grad(torch.atan2(near, near.detach()), near)[0].item() == 0  # 5e29 in truth
    zero = torch.tensor(0.0, device=device, requires_grad=True)
    (first,) = torch.autograd.grad(torch.atan2(zero, zero.detach()), zero, create_graph=True)
    assert torch.autograd.grad(first, zero)[0].isnan()


@pytest.mark.holds("torch>=2.10", otherwise=AssertionError, change="warns")
def test_torchscript_is_deprecated(device):
    """From torch 2.10 on `torch.jit.script` still works and warns that it is deprecated, or not supported if Python is
    3.14 or newer.

    Use `torch.compile` to make a model faster and `torch.export` to take it out of Python.

    https://docs.pytorch.org/docs/stable/jit.html
    """

    def double(x):
        return 2 * x

    with pytest.warns((DeprecationWarning, FutureWarning), match="`torch.jit.script` is (deprecated|not supported)"):
        scripted = torch.jit.script(double)

    assert scripted(torch.tensor([3.0, -1.0], device=device)).tolist() == [6, -2]


@pytest.mark.holds('torch>=2.1; python_version >= "3.11"', otherwise=RuntimeError, change="new")
@pytest.mark.holds('torch>=2.4; python_version >= "3.12"', otherwise=RuntimeError, change="new")
@pytest.mark.holds('torch>=2.6; python_version >= "3.13"', otherwise=RuntimeError, change="new")
@pytest.mark.holds('torch>=2.10; python_version >= "3.14"', otherwise=RuntimeError, change="new")
@pytest.mark.holds('torch>=2.2; sys_platform == "win32"', otherwise=RuntimeError, change="new")
def test_compile_wants_a_release_that_knows_this_python():
    """`torch.compile(f)` raises RuntimeError as soon as it is called if torch is older than 2.1 on Python 3.11, 2.4 on
    3.12, 2.6 on 3.13 or 2.10 on 3.14, or older than 2.2 on Windows.

    Torch 2.0 says "Python 3.11+ not yet supported for torch.compile" there. Such a torch raises even for
    `torch.compile(f, disable=True)`, which otherwise returns `f` itself. On it, leave `torch.compile` out; the rest of
    torch may work.

    https://docs.pytorch.org/docs/stable/generated/torch.compile.html
    """

    def double(x):
        return 2 * x

    uncompiled = torch.compile(double, disable=True)

    assert uncompiled is double
    assert uncompiled(torch.tensor([3.0, -1.0])).tolist() == [6, -2]


# Numerical analysis: how exact are the numbers?


def test_a_float32_sum_is_right_within_its_rounding(device, rounding_bound):
    """The float32 sum of a thousand times 0.1 differs from 100 by at most the rounding of 0.1 and of a thousand
    additions.

    0.1 is not a float32, and each addition may round: compare sums with `torch.testing.assert_close` and not with `==`.
    A float32 sum beyond 3.41e38 is infinite.

    https://docs.pytorch.org/docs/stable/generated/torch.sum.html
    """
    tenths = torch.full((1000,), 0.1, device=device)

    total = tenths.sum()

    exact = 1000 * float(np.float32(0.1))  # what the stored numbers add up to: 0.1 itself is not a float32
    assert exact != 100
    assert abs(total.item() - exact) <= rounding_bound(1000, torch.float32) * exact
    assert total.dtype == torch.float32
    assert total.shape == ()
    assert abs(total.item() - 100) <= rounding_bound(1001, torch.float32) * exact
    assert torch.tensor([3e38, 3e38], device=device).sum().item() == math.inf


@given(numbers=st.lists(st.integers(-(2**23), 2**23).map(lambda n: n / 1024), min_size=1, max_size=40))
def test_a_sum_is_within_rounding_for_every_list_of_numbers(device, rounding_bound, numbers):
    """The float32 sum of up to 40 numbers differs from their exact sum by at most the rounding bound times the sum of
    their sizes, shown for multiples of 1/1024 up to 8192.

    The bound grows with the sizes and not with the result: large numbers that cancel can leave few right digits.

    https://docs.pytorch.org/docs/stable/notes/numerical_accuracy.html
    """
    tensor = torch.tensor(numbers, device=device)
    bound = rounding_bound(len(numbers), torch.float32) * math.fsum(map(abs, numbers))

    assert abs(tensor.sum().item() - math.fsum(numbers)) <= bound
    assert abs(torch.sum(tensor, dim=0).item() - math.fsum(numbers)) <= bound


def test_matmul_agrees_with_float64(device, rounding_bound):
    """A float32 matrix product of normally distributed numbers is as close to NumPy's float64 product as the rounding
    of its sums allows.

    If you compare two results, derive the tolerance from the length of the sum. `torch.set_float32_matmul_precision`
    allows a coarser product, and the bound here grows with it.

    https://docs.pytorch.org/docs/stable/notes/numerical_accuracy.html
    """
    a, b = torch.randn(7, 33), torch.randn(33, 5)
    tf32_allowed = torch.get_float32_matmul_precision() != "highest"

    actual = (a.to(device) @ b.to(device)).cpu().numpy()

    exact_a, exact_b = a.numpy().astype(np.float64), b.numpy().astype(np.float64)
    bound = rounding_bound(33, torch.float32, tf32=tf32_allowed) * (np.abs(exact_a) @ np.abs(exact_b))
    assert actual.dtype == np.float32
    assert (np.abs(actual - exact_a @ exact_b) <= bound).all()


def test_conv2d_agrees_with_float64(device, rounding_bound):
    """`conv2d` is the sum of products over a window that moves across the padded image, without flipping the kernel,
    and its float32 numbers are within rounding of float64.

    Mathematics flips the kernel of a convolution; here it is a cross-correlation. On an NVIDIA GPU a convolution may
    round its inputs to TF32, so the bound is wider on cuda.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.conv2d.html
    """
    image, kernel = torch.randn(2, 3, 5, 6), torch.randn(4, 3, 2, 3)

    actual = F.conv2d(image.to(device), kernel.to(device), stride=(2, 1), padding=(1, 0)).cpu().numpy()

    padded = np.pad(image.numpy().astype(np.float64), ((0, 0), (0, 0), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (2, 3), axis=(2, 3))[:, :, ::2]
    weights = kernel.numpy().astype(np.float64)
    expected = np.einsum("nchwij,ocij->nohw", windows, weights)
    terms = np.einsum("nchwij,ocij->nohw", np.abs(windows), np.abs(weights))
    assert actual.shape == (2, 4, 3, 4)
    assert actual.dtype == np.float32
    assert (np.abs(actual - expected) <= rounding_bound(18, torch.float32, tf32=device.type == "cuda") * terms).all()


def test_solve_finds_the_exact_solution_where_no_step_rounds(device):
    """`torch.linalg.solve(A, b)` returns the x with A x = b, to the last digit if no step of the elimination has to
    round.

    Write `solve(A, b)` instead of `inv(A) @ b`. A singular A such as [[1, 1], [1, 1]] raises RuntimeError. A rounding
    may hide that A is singular: for A = [[56169, 237], [237, 1]] and b = [1, 1] `solve` gives numbers
    beyond 10000 in size.

    https://docs.pytorch.org/docs/stable/generated/torch.linalg.solve.html
    """
    a = torch.tensor([[8.0, 4.0, -4.0], [4.0, 6.0, 0.0], [2.0, 3.0, 2.0]], device=device)
    b = torch.tensor([12.0, 6.0, 7.0], device=device)

    x = torch.linalg.solve(a, b)

    assert x.tolist() == [3, -1, 2]
    assert x.dtype == torch.float32
    assert x.device == device
    with pytest.raises(RuntimeError, match="singular"):
        torch.linalg.solve(torch.ones(2, 2), torch.ones(2))
    hidden = torch.tensor([[237.0**2, 237.0], [237.0, 1.0]])
    assert torch.linalg.solve(hidden, torch.ones(2)).abs().max() > 1e4


def test_solve_leaves_a_residual_within_rounding(device, rounding_bound):
    """Put back into four random equations, the solution that `torch.linalg.solve` finds misses the right-hand side by
    rounding alone.

    Elimination of n unknowns with row exchanges leaves |b - A x| below gamma_3n |L| |U| |x|, and no entry of |L| |U| is
    above n * 2**(n - 1) times the largest of A: Higham, Accuracy and Stability, theorem 9.4 and section 9.3.

    https://docs.pytorch.org/docs/stable/generated/torch.linalg.solve.html
    """
    n = 4
    a, b = torch.randn(n, n), torch.randn(n, 2)

    x = torch.linalg.solve(a.to(device), b.to(device)).cpu().double()

    growth = n * 2 ** (n - 1) * a.abs().max()
    bound = rounding_bound(3 * n, torch.float32) * growth * x.abs().sum(dim=0)
    assert x.shape == (n, 2)
    assert ((b.double() - a.double() @ x).abs() <= bound).all()


@given(numbers=st.lists(st.integers(-5, 5), min_size=15, max_size=15))
def test_the_gradient_is_the_central_difference_for_every_quadratic(device, numbers):
    """For a quadratic function of three variables with whole coefficients and a whole point from -5 to 5, the gradient
    is (f(x + 1) - f(x - 1)) / 2 along each axis, exactly.

    A central difference has no error on a quadratic function, and whole numbers this small are not rounded. For most
    other functions the step has to be small, and rounding gets in.

    https://docs.pytorch.org/docs/stable/autograd.html
    """
    tensor = torch.tensor(numbers, dtype=torch.float32, device=device)
    square, linear, x = tensor[:9].reshape(3, 3), tensor[9:12], tensor[12:]

    def f(x):
        return x @ square @ x + linear @ x

    x.requires_grad_()
    f(x).backward()

    differences = [((f(x.detach() + step) - f(x.detach() - step)) / 2).item() for step in torch.eye(3, device=device)]
    assert x.grad.tolist() == differences


# gradcheck needs float64, which not every accelerator has: the notes about it stay on the CPU.
SMOOTH = [torch.exp, torch.sin, torch.tanh, torch.sigmoid, torch.atan, F.softplus, F.silu, F.gelu]


@pytest.mark.parametrize("function", SMOOTH)
def test_backward_agrees_with_finite_differences(function):
    """`torch.autograd.gradcheck` compares a gradient with the slope measured by moving each input a little, and agrees
    for `exp`, `sin` and six other smooth functions of torch.

    Check a backward of your own in this way, and in float64: in float32 the differences are too coarse, and by default
    `gradcheck` raises for the right gradients of these functions at 0.3, -1.2 and 2.5. At 0 `sin` passes all the same.

    https://docs.pytorch.org/docs/stable/generated/torch.autograd.gradcheck.gradcheck.html
    """
    x = torch.tensor([0.3, -1.2, 2.5], dtype=torch.float64, requires_grad=True)

    assert torch.autograd.gradcheck(function, x) is True
    with pytest.warns(UserWarning, match="double precision"), pytest.raises(RuntimeError, match="Jacobian mismatch"):
        torch.autograd.gradcheck(function, x.detach().float().requires_grad_())
    with pytest.warns(UserWarning, match="double precision"):
        assert torch.autograd.gradcheck(torch.sin, torch.zeros(3, requires_grad=True)) is True


@given(chain=st.lists(st.sampled_from(SMOOTH[1:]), min_size=2, max_size=3), at=st.lists(st.floats(-3, 3), min_size=1))
def test_backward_agrees_with_finite_differences_for_every_chain(chain, at):
    """For two or three in a row of `sin`, `tanh`, `sigmoid`, `atan`, `softplus`, `silu` and `gelu`, at float64 points
    from -3 to 3, autograd's gradient is the slope that `gradcheck` measures.

    A chain of `exp` overflows: `x.exp().exp().exp()` is infinite at 3, and then there is no slope to measure.

    https://docs.pytorch.org/docs/stable/generated/torch.autograd.gradcheck.gradcheck.html
    """

    def function(x):
        for link in chain:
            x = link(x)
        return x

    x = torch.tensor(at[:4], dtype=torch.float64, requires_grad=True)

    assert torch.autograd.gradcheck(function, x) is True
    assert torch.tensor(3.0, dtype=torch.float64).exp().exp().exp().isinf()


def test_gradcheck_finds_a_wrong_backward():
    """By default `torch.autograd.gradcheck` raises RuntimeError "Jacobian mismatch" if a backward differs from the
    derivative by more than the tolerance at the points it is given.

    Give it several points: a backward without its factor `x` passes at 1. An error of 0.01 percent passes the default
    tolerance here. The right backward of relu raises at 0, where relu has a kink, and that of `x * x` at 1e10, where
    rounding swallows the step.

    https://docs.pytorch.org/docs/stable/generated/torch.autograd.gradcheck.gradcheck.html
    """

    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, wrong):
            ctx.save_for_backward(x)
            ctx.wrong = wrong
            return x * x

        @staticmethod
        def backward(ctx, grad):
            (x,) = ctx.saved_tensors
            return grad * ctx.wrong(x), None

    x = torch.tensor([0.3, -1.2], dtype=torch.float64, requires_grad=True)
    one = torch.tensor([1.0], dtype=torch.float64, requires_grad=True)
    zero = torch.tensor([0.0], dtype=torch.float64, requires_grad=True)
    huge = torch.tensor([1e10], dtype=torch.float64, requires_grad=True)

    with pytest.raises(RuntimeError, match="Jacobian mismatch"):
        torch.autograd.gradcheck(Square.apply, (x, lambda x: x))  # the factor 2 is missing
    with pytest.raises(RuntimeError, match="Jacobian mismatch"):
        torch.autograd.gradcheck(Square.apply, (x, lambda x: 2))  # the factor x is missing
    assert torch.autograd.gradcheck(Square.apply, (one, lambda x: 2)) is True
    assert torch.autograd.gradcheck(Square.apply, (x, lambda x: 2.0002 * x)) is True
    with pytest.raises(RuntimeError, match="Jacobian mismatch"):
        torch.autograd.gradcheck(torch.relu, zero)
    with pytest.raises(RuntimeError, match="Jacobian mismatch"):
        torch.autograd.gradcheck(lambda x: x * x, huge)
