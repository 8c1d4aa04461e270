"""What PyTorch is, and running it.

PyTorch is two things in one library: arrays ("tensors") that compute on the CPU or on an accelerator, and autograd,
which records what was computed so that it can be differentiated. The record is a graph, built anew each time the Python
code runs and, as a rule, good for one `backward`. First: does this installation compute what it should? Then: what that
graph is, what goes into `.grad`, and the errors everybody meets. Last: what to ask an installation about itself, and
what moved between releases.
"""

import math
import re

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
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


def test_matmul_of_small_integers_is_exact(device):
    """A matrix product pairs each row on the left with each column on the right, and of small integers it is exact.

    Small integers and their sums have no digits to lose, so any difference here is a broken installation.

    https://docs.pytorch.org/docs/stable/generated/torch.matmul.html
    """
    a = torch.tensor([[1.0, -2.0, 3.0], [4.0, 0.0, -5.0]], device=device)
    b = torch.tensor([[2.0, 7.0], [-1.0, 3.0], [6.0, -4.0]], device=device)

    for product in (a @ b, a.matmul(b), torch.matmul(a, b), torch.mm(a, b)):
        assert product.tolist() == [[22, -11], [-22, 48]]
        assert product.dtype == torch.float32
        assert product.device == device


def test_matmul_agrees_with_float64(device, rounding_bound):
    """A float32 matrix product is as close to NumPy's float64 one as the rounding of its sums allows.

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
    """`conv2d` is the sum of products over a window that moves across the padded image, and the kernel is not flipped.

    On an NVIDIA GPU convolutions may round their inputs to TF32 by default, so there the bound is a wider one.

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
    """`torch.linalg.solve(A, b)` is the x with A x = b, to the last digit where elimination meets only small fractions.

    https://docs.pytorch.org/docs/stable/generated/torch.linalg.solve.html
    """
    a = torch.tensor([[8.0, 4.0, -4.0], [4.0, 6.0, 0.0], [2.0, 3.0, 2.0]], device=device)
    b = torch.tensor([12.0, 6.0, 7.0], device=device)

    x = torch.linalg.solve(a, b)

    assert x.tolist() == [3, -1, 2]
    assert x.dtype == torch.float32
    assert x.device == device


def test_solve_leaves_a_residual_within_rounding(device, rounding_bound):
    """Put back into the equations, the solution that `solve` finds misses the right-hand side by rounding alone.

    Elimination of n unknowns with row exchanges leaves |b - A x| below gamma_3n |L| |U| |x|, and no entry of |L| |U|
    is above n * 2**(n - 1) times the largest of A: Higham, Accuracy and Stability, theorems 9.4 and section 9.3.

    https://docs.pytorch.org/docs/stable/generated/torch.linalg.solve.html
    """
    n = 4
    a, b = torch.randn(n, n), torch.randn(n, 2)

    x = torch.linalg.solve(a.to(device), b.to(device)).cpu().double()

    growth = n * 2 ** (n - 1) * a.abs().max()
    bound = rounding_bound(3 * n, torch.float32) * growth * x.abs().sum(dim=0)
    assert x.shape == (n, 2)
    assert ((b.double() - a.double() @ x).abs() <= bound).all()


def test_a_float32_sum_is_right_within_its_rounding(device, rounding_bound):
    """A float32 sum of a thousand numbers is off by no more than a thousand roundings can take it.

    https://docs.pytorch.org/docs/stable/generated/torch.sum.html
    """
    tenths = torch.full((1000,), 0.1, device=device)

    total = tenths.sum()

    exact = 1000 * float(np.float32(0.1))  # what the stored numbers add up to: 0.1 itself is not a float32
    assert exact != 100
    assert abs(total.item() - exact) <= rounding_bound(1000, torch.float32) * exact
    assert total.dtype == torch.float32
    assert total.shape == ()


@given(numbers=st.lists(st.integers(-(2**23), 2**23).map(lambda n: n / 1024), min_size=1, max_size=40))
def test_a_sum_is_within_rounding_for_every_list_of_numbers(device, rounding_bound, numbers):
    """The sum of any numbers differs from the exact sum by at most the rounding bound times the sum of their sizes.

    https://docs.pytorch.org/docs/stable/notes/numerical_accuracy.html
    """
    tensor = torch.tensor(numbers, device=device)
    bound = rounding_bound(len(numbers), torch.float32) * math.fsum(map(abs, numbers))

    assert abs(tensor.sum().item() - math.fsum(numbers)) <= bound
    assert abs(torch.sum(tensor, dim=0).item() - math.fsum(numbers)) <= bound


def test_the_numpy_bridge_is_there(device):
    """An array becomes a tensor and a tensor an array, with the same numbers and the same dtype, on every device.

    Between NumPy and an accelerator both ways lead through the CPU. A torch that was built for another major version of
    NumPy answers "Numpy is not available": install ones that match.

    https://docs.pytorch.org/docs/stable/generated/torch.from_numpy.html
    """
    array = np.array([[1.5, -2.0, 3.0], [4.0, 5.0, 6.25]], dtype=np.float32)

    tensor = torch.from_numpy(array).to(device)
    back = tensor.cpu().numpy()

    assert tensor.tolist() == [[1.5, -2, 3], [4, 5, 6.25]]
    assert (tensor.dtype, tensor.shape, tensor.device) == (torch.float32, (2, 3), device)
    assert (back == array).all()
    assert (back.dtype, back.shape) == (np.float32, (2, 3))


def test_only_what_depends_on_requires_grad_is_recorded(device):
    """A differentiable operation is recorded where an input requires grad: its result has a `grad_fn` and is no leaf.

    Comparisons and positions (`>`, `argmax`) have no derivative, and under `no_grad` nothing is recorded.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.is_leaf.html
    """
    data = torch.tensor([1.0, 2.0], device=device)
    weight = torch.tensor([3.0, 4.0], device=device, requires_grad=True)
    tensors = {"data": data, "data * 2": data * 2, "weight": weight, "weight * data": weight * data}
    tensors |= {"detached": (weight * data).detach(), "weight > 3": weight > 3, "argmax": weight.argmax()}
    with torch.no_grad():
        tensors["under no_grad"] = weight * data

    seen = {name: (t.requires_grad, t.is_leaf, t.grad_fn and t.grad_fn.name()) for name, t in tensors.items()}

    assert seen == {
        "data": (False, True, None),
        "data * 2": (False, True, None),
        "weight": (True, True, None),
        "weight * data": (True, False, "MulBackward0"),
        "detached": (False, True, None),
        "weight > 3": (False, True, None),
        "argmax": (False, True, None),
        "under no_grad": (False, True, None),
    }


def test_the_gradient_follows_the_branch_that_was_taken(device):
    """The graph is what ran: behind a Python `if`, the gradient is that of the branch taken for these numbers.

    https://docs.pytorch.org/docs/stable/notes/autograd.html
    """

    def bent(x):
        return x * x if x > 1 else -3 * x

    x = torch.tensor([4.0, 0.5], device=device, requires_grad=True)
    (bent(x[0]) + bent(x[1])).backward()

    assert x.grad.tolist() == [8, -3]


@pytest.mark.picture("graph", "x", "y")
@pytest.mark.parametrize(
    ("start", "end", "slope", "nodes"),
    [(70.0, 140, 2, 2), (30.0, 120, 4, 3), (3.0, 192, 64, 7)],
    ids=["1 doubling", "2 doublings", "6 doublings"],
)
def test_every_call_builds_a_graph_as_long_as_its_loop_ran(device, start, end, slope, nodes):
    """A Python loop is recorded step by step: the same function gives longer graphs for numbers that loop longer.

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


@given(coefficients=st.lists(st.integers(-9, 9), min_size=1, max_size=6), at=st.integers(-4, 4))
def test_the_gradient_is_the_derivative_for_every_polynomial(device, coefficients, at):
    """For every polynomial in small integers, computed in a loop, `backward` gives its derivative: here even exactly.

    Whole numbers this small are not rounded; otherwise the derivative is as exact as float32 is.

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


SMOOTH = [torch.exp, torch.sin, torch.tanh, torch.sigmoid, torch.atan, F.softplus, F.silu, F.gelu]


# gradcheck needs float64, which not every accelerator has: these three stay on the CPU.
@pytest.mark.parametrize("function", SMOOTH)
def test_backward_agrees_with_finite_differences(function):
    """The gradient that autograd derives is, for a smooth function, the slope measured by moving each input a little.

    Check a backward of your own in this way, and in float64: the differences of float32 are too coarse.

    https://docs.pytorch.org/docs/stable/generated/torch.autograd.gradcheck.gradcheck.html
    """
    x = torch.tensor([0.3, -1.2, 2.5], dtype=torch.float64, requires_grad=True)

    assert torch.autograd.gradcheck(function, x) is True


# without exp, whose chains leave every scale
@given(chain=st.lists(st.sampled_from(SMOOTH[1:]), min_size=2, max_size=3), at=st.lists(st.floats(-3, 3), min_size=1))
def test_backward_agrees_with_finite_differences_for_every_chain(chain, at):
    """For every chain of smooth functions and every point, autograd's gradient is the slope a small step measures.

    https://docs.pytorch.org/docs/stable/generated/torch.autograd.gradcheck.gradcheck.html
    """

    def function(x):
        for link in chain:
            x = link(x)
        return x

    x = torch.tensor(at[:4], dtype=torch.float64, requires_grad=True)

    assert torch.autograd.gradcheck(function, x) is True


def test_gradcheck_finds_a_wrong_backward():
    """`gradcheck` raises where a backward that somebody wrote is not the derivative of the forward.

    https://docs.pytorch.org/docs/stable/generated/torch.autograd.gradcheck.gradcheck.html
    """

    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, grad):
            (x,) = ctx.saved_tensors
            return grad * x  # the factor 2 is missing

    x = torch.tensor([0.3, -1.2], dtype=torch.float64, requires_grad=True)

    with pytest.raises(RuntimeError, match="Jacobian mismatch"):
        torch.autograd.gradcheck(Square.apply, x)


@given(numbers=st.lists(st.integers(-5, 5), min_size=15, max_size=15))
def test_the_gradient_is_the_central_difference_for_every_quadratic(device, numbers):
    """For every quadratic function in small integers, the gradient is (f(x + 1) - f(x - 1)) / 2 each way, exactly.

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


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_a_gradient_is_like_its_tensor(device, dtype):
    """`.grad` has the shape, the dtype and the device of its tensor: one slope for each number in it.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.grad.html
    """
    x = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], dtype=dtype, device=device, requires_grad=True)
    (x * x).sum().backward()

    assert x.grad.tolist() == [[2, 4, 6], [8, 10, 12]]
    assert (x.grad.shape, x.grad.dtype, x.grad.device) == ((2, 3), dtype, device)


@pytest.mark.myth("backward replaces the gradient of the step before")
def test_gradients_accumulate(device):
    """`backward` adds to `.grad`, which is None before the first call; it does not replace it.

    This is why a training loop calls `optimizer.zero_grad()` at every step.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.backward.html
    """
    x = torch.tensor([1.0, -2.0], device=device, requires_grad=True)
    seen = [x.grad]

    for factor in (3, 5):
        (factor * x * x).sum().backward()
        seen.append(x.grad.tolist())

    assert seen == [None, [6, -12], [16, -32]]


@pytest.mark.picture("graph", "x", "y")
def test_all_uses_of_a_tensor_add_up_in_its_gradient(device):
    """A tensor used in several places gets the sum of the gradients from all of them.

    https://docs.pytorch.org/docs/stable/notes/autograd.html
    """
    x = torch.tensor([3.0, -1.0], device=device, requires_grad=True)
    y = x * x + 4 * x + x[0]
    y.sum().backward()

    assert x.grad.tolist() == [2 * 3 + 4 + 2, 2 * -1 + 4]


def test_gradients_find_the_way_back_through_to(accelerator):
    """`.to(device)` is recorded: a leaf on the CPU gets its gradient on the CPU from a loss on the accelerator, and the
    other way round.

    The moved tensor is no leaf and keeps no gradient. Give an optimizer leaves: make the tensor on its device first,
    and let it require grad there.

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


def test_a_second_backward_raises(device):
    """`backward` frees what the graph saved, so a second one that needs it raises RuntimeError.

    Compute the loss anew; that builds a new graph.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.backward.html
    """
    x = torch.tensor(3.0, device=device, requires_grad=True)
    y = x * x
    y.backward()

    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        y.backward()

    assert x.grad.item() == 6


def test_retain_graph_lets_backward_run_again(device):
    """`backward(retain_graph=True)` keeps what the graph saved for another backward, whose gradient is added.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.backward.html
    """
    x = torch.tensor(3.0, device=device, requires_grad=True)
    y = x * x
    y.backward(retain_graph=True)
    y.backward()

    assert x.grad.item() == 12
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        y.backward()


@pytest.mark.myth("a second backward through the same graph always raises")
def test_a_graph_that_saved_nothing_can_be_walked_twice(device):
    """What raises in a second backward are the values that were freed; a graph of additions saves none and runs again.

    https://docs.pytorch.org/docs/stable/notes/autograd.html
    """
    x = torch.tensor([1.0, 2.0], device=device, requires_grad=True)
    y = (x + 1).sum()
    y.backward()
    y.backward()

    assert x.grad.tolist() == [2, 2]


def test_backward_of_a_vector_raises(device):
    """`backward()` without arguments starts from one number, in whatever brackets: from more it raises RuntimeError.

    Losses are means or sums for this reason; a loss made with `reduction="none"` needs `.mean()` first.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.backward.html
    """
    x = torch.tensor([1.0, 2.0, 3.0], device=device, requires_grad=True)

    with pytest.raises(RuntimeError, match="grad can be implicitly created only for scalar outputs"):
        (x * x).backward()

    assert x.grad is None
    (x * x)[2:].backward()  # of shape (1,)
    assert x.grad.tolist() == [0, 0, 6]


def test_backward_of_a_vector_takes_a_weight_for_each_number(device):
    """`y.backward(weights)` is the backward of the weighted sum `(weights * y).sum()`.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.backward.html
    """
    x = torch.tensor([1.0, 2.0, 3.0], device=device, requires_grad=True)
    weights = torch.tensor([1.0, 10.0, 100.0], device=device)
    (x * x).backward(weights)

    assert x.grad.tolist() == [2, 40, 600]


def test_backward_without_a_graph_raises(device):
    """`backward` of a tensor without a graph, which does not require grad, raises RuntimeError.

    Typical causes: a loss computed under `no_grad`, from `.detach()`, or put into a new `torch.tensor(...)`.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.backward.html
    """
    weight = torch.tensor(2.0, device=device, requires_grad=True)
    with torch.no_grad():
        unrecorded = 3 * weight
    wrapped = torch.tensor((3 * weight).item(), device=device)

    for loss in (3 * weight.detach(), unrecorded, wrapped):
        with pytest.raises(RuntimeError, match="does not require grad and does not have a grad_fn"):
            loss.backward()
    (3 * weight).backward()
    assert weight.grad.item() == 3


def test_detach_cuts_the_graph_and_shares_the_memory(device):
    """`detach` gives the same memory outside of the graph: no gradient flows through it, and a write shows in both.

    `detach().clone()` is a copy.

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
    """An in-place operation on a leaf that requires grad, or on a view of it, raises RuntimeError and changes nothing.

    Under `no_grad` it is allowed: that is how optimizers update parameters.

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


def test_an_in_place_change_of_a_saved_value_is_caught(device):
    """`backward` raises RuntimeError where a value that it needs was changed in place after it had been saved.

    The gradient of exp is its result, so `y.add_(1)` destroys what backward needs; `y = y + 1` makes a new tensor.

    https://docs.pytorch.org/docs/stable/notes/autograd.html
    """
    x = torch.tensor([0.0, 0.0], device=device, requires_grad=True)
    y = x.exp()
    y.add_(1)

    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()

    y = x.exp()
    y = y + 1
    y.sum().backward()
    assert x.grad.tolist() == [1, 1]


@pytest.mark.myth("in-place operations break autograd")
def test_an_in_place_change_of_a_value_that_was_not_saved_is_fine(device):
    """An in-place operation on a result is recorded like any other; it is harmless unless backward needs the old value.

    https://docs.pytorch.org/docs/stable/notes/autograd.html
    """
    x = torch.tensor([3.0, -2.0], device=device, requires_grad=True)
    y = x * x
    y.mul_(5).add_(1)
    y.sum().backward()

    assert y.tolist() == [46, 21]
    assert x.grad.tolist() == [30, -20]


def test_every_in_place_change_raises_the_version_counter(device):
    """A tensor counts the writes to its memory, also those through a view or a detached tensor; reading counts nothing.

    Backward compares this number with the one at the time of saving. It is `_version`: for looking, not for use.

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


def test_a_write_through_data_makes_the_gradient_silently_wrong(device):
    """A write through `.data` is not counted, so nothing is raised and the gradient is computed from the new numbers.

    Use `detach()`, whose writes are counted, or `torch.no_grad()`.

    https://docs.pytorch.org/docs/stable/notes/autograd.html
    """
    x = torch.tensor([0.0, 0.0], device=device, requires_grad=True)
    y = x.exp()
    y.data.add_(6)
    y.sum().backward()

    assert y._version == 0
    assert x.grad.tolist() == [7, 7]  # the slope of exp at 0 is 1


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.int64, torch.bool], ids=str)
def test_integers_cannot_require_grad(device, dtype):
    """Only floating-point and complex tensors can require grad: integers and booleans raise RuntimeError.

    An int literal makes an int64 tensor: write `torch.tensor([1.0, 2.0], requires_grad=True)`.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.requires_grad_.html
    """
    with pytest.raises(RuntimeError, match="ensors of floating point"):
        torch.tensor([1, 0], dtype=dtype, device=device, requires_grad=True)
    assert torch.tensor([1, 2j], requires_grad=True).requires_grad  # not every accelerator has complex numbers

    tensor = torch.tensor([1, 0], dtype=dtype, device=device)
    with pytest.raises(RuntimeError, match="ensors of floating point"):
        tensor.requires_grad_()
    assert tensor.float().requires_grad_().requires_grad
    assert not tensor.requires_grad


def test_only_leaves_keep_their_gradient(device):
    """A result between leaf and loss has no `.grad`, and asking for it warns, unless it was told to `retain_grad()`.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.retain_grad.html
    """
    x = torch.tensor([2.0, 3.0], device=device, requires_grad=True)
    forgotten = x * 4
    kept = forgotten * forgotten
    kept.retain_grad()
    (kept * 10).sum().backward()

    with pytest.warns(UserWarning, match="not a leaf Tensor"):
        assert forgotten.grad is None
    assert kept.grad.tolist() == [10, 10]
    assert x.grad.tolist() == [640, 960]


def test_autograd_grad_returns_gradients_and_stores_none(device):
    """`torch.autograd.grad(y, [a, b])` returns the gradients in that order and leaves every `.grad` as it was.

    https://docs.pytorch.org/docs/stable/generated/torch.autograd.grad.html
    """
    a = torch.tensor(3.0, device=device, requires_grad=True)
    b = torch.tensor(5.0, device=device, requires_grad=True)

    gradients = torch.autograd.grad(a * a * b, [b, a])

    assert [gradient.item() for gradient in gradients] == [9, 30]
    assert (a.grad, b.grad) == (None, None)


def test_create_graph_makes_the_gradient_differentiable(device):
    """With `create_graph=True` the gradient has a graph of its own, so that it can be differentiated again.

    https://docs.pytorch.org/docs/stable/generated/torch.autograd.grad.html
    """
    x = torch.tensor(2.0, device=device, requires_grad=True)

    (first,) = torch.autograd.grad(x**3, x, create_graph=True)
    (second,) = torch.autograd.grad(first, x)

    assert (first.item(), second.item()) == (12, 12)  # 3 x^2 and 6 x at 2
    assert (first.requires_grad, second.requires_grad) == (True, False)


def test_a_running_total_of_losses_keeps_every_graph(device):
    """`train_loss += loss` keeps the graph of every batch; `loss.item()` and `loss.detach()` add the number alone.

    `backward` frees the numbers these graphs saved, not their nodes. In a validation without `no_grad`, where nothing
    calls `backward`, the numbers of every batch stay too: that is how memory runs out.

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


@pytest.mark.holds("torch>=2.8", otherwise=AssertionError)
def test_float_of_a_loss_warns(device):
    """From torch 2.8 on `float(loss)` warns where the loss requires grad, and so does what asks for a float, such as
    `math.sqrt(loss)` and `torch.tensor([loss])`: write `loss.item()`.

    The number has left the graph, which may not be what was meant. `loss.item()`, `f"{loss:.3f}"` and
    `float(loss.detach())` warn in no release.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.item.html
    """
    weight = torch.tensor(2.0, device=device, requires_grad=True)
    loss = weight * 3

    for convert in (float, math.sqrt, lambda loss: torch.tensor([loss])):
        with pytest.warns(UserWarning, match="requires_grad=True to a scalar"):
            convert(loss)
    assert (loss.item(), f"{loss:.3f}", float(loss.detach())) == (6, "6.000", 6)


def test_detect_anomaly_names_the_operation_that_made_nan(device):
    """Under `detect_anomaly` a backward that computes nan raises and names the operation; otherwise nan goes on.

    The gradient of sqrt at 0 is infinite, and 0 * inf is nan.

    https://docs.pytorch.org/docs/stable/autograd.html#anomaly-detection
    """
    x = torch.tensor([0.0, 4.0], device=device, requires_grad=True)
    (x.sqrt() * 0).sum().backward()
    assert x.grad[0].isnan()
    assert x.grad[1].item() == 0

    with (
        pytest.warns(UserWarning, match="Anomaly Detection has been enabled|Error detected in Sqrt"),
        torch.autograd.detect_anomaly(),
        pytest.raises(RuntimeError, match=r"Sqrt.* returned nan values"),
    ):
        (x.sqrt() * 0).sum().backward()


def test_the_number_of_threads_can_be_asked_for_and_set():
    """`torch.get_num_threads()` is how many CPU threads one operation may use, and `set_num_threads` changes it.

    https://docs.pytorch.org/docs/stable/generated/torch.set_num_threads.html
    """
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = torch.get_num_threads()
        torch.set_num_threads(3)
        three = torch.get_num_threads()
        report = torch.__config__.parallel_info()
    finally:
        torch.set_num_threads(before)

    assert before >= 1
    assert (one, three, torch.get_num_threads()) == (1, 3, before)
    assert "at::get_num_threads() : 3" in report


def test_an_installation_describes_its_build():
    """`torch.__config__.show()` says how this torch was built, and `torch.version` which version and for which CUDA.

    Put both into every bug report; `python -m torch.utils.collect_env` collects them and more.

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
    """As text "2.10" comes before "2.9"; `torch.__version__` is a text that compares as a version.

    https://docs.python.org/3/tutorial/datastructures.html#comparing-sequences-and-other-types
    """
    as_version = type(torch.__version__)

    assert "2.10.0" < "2.9.0"
    assert as_version("2.10.0") > "2.9.0"
    assert as_version("2.10.0+cu128") > (2, 9)
    assert isinstance(torch.__version__, str)
    assert torch.__version__ >= (2, 0)


@pytest.mark.myth("a build with CUDA means that there is a GPU")
def test_built_for_a_device_is_not_the_same_as_having_one():
    """What is available must be built in, but not the other way round: `is_available()` also asks the machine.

    https://docs.pytorch.org/docs/stable/backends.html
    """
    built = {"cuda": torch.backends.cuda.is_built(), "mps": torch.backends.mps.is_built()}
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}

    assert all(built[name] for name in available if available[name])
    assert available["cuda"] == (torch.cuda.device_count() > 0)


# What moved between releases


@pytest.mark.holds("torch>=2.1", otherwise=AssertionError)
def test_checkpoint_asks_which_of_its_two_ways_to_go(device):
    """From torch 2.1 on `checkpoint(function, x)` warns unless it is told `use_reentrant=False` (or True, the old way).

    It saves memory: it keeps the input alone, and calls the function once more in backward. torch 2.0 takes the keyword
    too, so write it always.

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


@pytest.mark.holds("torch>=2.14", otherwise=AssertionError)
def test_a_number_on_a_limit_of_clamp_gets_no_gradient(device):
    """From torch 2.14 on the gradient of `clamp` is 0 on its limits as well as beyond them; before, a number on a limit
    counted as inside and got 1.

    Nothing warns. At 0, `clamp(min=0)` and `relu`, which give the same values, now have the same gradient too.

    https://docs.pytorch.org/docs/stable/generated/torch.clamp.html
    """
    x = torch.tensor([-2.0, 0.0, 0.25, 1.0, 3.0], device=device, requires_grad=True)

    clamped = [torch.clamp(x, 0, 1), x.clamp(0, 1), x.clamp(min=0), x.clamp(max=1), x.relu()]
    slopes = [torch.autograd.grad(y.sum(), x)[0].tolist() for y in clamped]

    assert slopes == [[0, 0, 1, 0, 0], [0, 0, 1, 0, 0], [0, 0, 1, 1, 1], [1, 1, 1, 0, 0], [0, 0, 1, 1, 1]]


@pytest.mark.holds("torch>=2.10", otherwise=AssertionError)
def test_the_gradient_of_atan2_is_zero_at_the_origin(device):
    """From torch 2.10 on `atan2(y, x)` has the gradient 0 where y and x are both 0 and no direction is defined; before,
    it was nan.

    One nan is enough to spoil the weights behind it. In older releases keep the pair off (0, 0) before `atan2`: picking
    another result afterwards, with `torch.where`, leaves the nan in the gradient.

    https://docs.pytorch.org/docs/stable/generated/torch.atan2.html
    """
    y = torch.tensor([0.0, 0.0, -4.0], device=device, requires_grad=True)
    x = torch.tensor([0.0, 2.0, 0.0], device=device, requires_grad=True)
    torch.atan2(y, x).sum().backward()

    assert y.grad.tolist() == [0, 0.5, 0]
    assert x.grad.tolist() == [0, 0, 0.25]


@pytest.mark.holds("torch>=2.10", otherwise=AssertionError)
def test_torchscript_is_deprecated(device):
    """From torch 2.10 on `torch.jit.script` warns that it is deprecated, or from Python 3.14 on not supported: use
    `torch.compile` to make a model faster, `torch.export` to take it out of Python.

    It still works for now. `torch.jit.trace` is on its way out too.

    https://docs.pytorch.org/docs/stable/jit.html
    """

    def double(x):
        return 2 * x

    with pytest.warns((DeprecationWarning, FutureWarning), match="`torch.jit.script` is (deprecated|not supported)"):
        scripted = torch.jit.script(double)

    assert scripted(torch.tensor([3.0, -1.0], device=device)).tolist() == [6, -2]


@pytest.mark.holds('torch>=2.1; python_version >= "3.11"', otherwise=RuntimeError)
@pytest.mark.holds('torch>=2.4; python_version >= "3.12"', otherwise=RuntimeError)
@pytest.mark.holds('torch>=2.6; python_version >= "3.13"', otherwise=RuntimeError)
@pytest.mark.holds('torch>=2.10; python_version >= "3.14"', otherwise=RuntimeError)
@pytest.mark.holds('torch>=2.2; sys_platform == "win32"', otherwise=RuntimeError)
def test_compile_wants_a_release_that_knows_this_python():
    """`torch.compile` needs torch 2.1 on Python 3.11, 2.4 on 3.12, 2.6 on 3.13 and 2.10 on 3.14: an older torch raises
    RuntimeError as soon as it is called, even to do nothing.

    All else in such a release may work. On Windows it came with 2.2. `disable=True` gives the function back uncompiled.

    https://docs.pytorch.org/docs/stable/generated/torch.compile.html
    """

    def double(x):
        return 2 * x

    uncompiled = torch.compile(double, disable=True)

    assert uncompiled(torch.tensor([3.0, -1.0])).tolist() == [6, -2]
