"""What could break in the arithmetic, in the graph that autograd records, and in what a torch says of itself."""

import contextlib
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch.autograd.gradcheck import GradcheckError
from torch.nn import functional as F

from torchnotes.harness.mutation import error_of, mutant, quiet


def leaf(*numbers):
    """A tensor that requires grad: a vector, or of one number a scalar."""
    return torch.tensor(numbers if len(numbers) > 1 else numbers[0], dtype=torch.float32, requires_grad=True)


def graph(tensor):
    """The nodes of the graph behind a tensor."""
    seen, waiting = set(), [tensor.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen:
            seen.add(node)
            waiting += [before for before, _ in node.next_functions]
    return seen


def leaves(tensor):
    """The tensors in whose `.grad` a backward from this tensor ends."""
    return [node.variable for node in graph(tensor) if hasattr(node, "variable")]


def slope(function, *numbers):
    """The gradient of the sum of `function` there, by `backward`."""
    x = leaf(*numbers)
    function(x).sum().backward()
    return x.grad.tolist()


def raises(exception, function, *args, **kwargs):
    """Whether the call raises exactly this exception."""
    try:
        function(*args, **kwargs)
    except Exception as error:
        return type(error) is exception
    return False


def warns(function, *args):
    """Whether the call warns."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        function(*args)
    return bool(caught)


def change_result(patch, *names, change):
    """Change what functions of these names return."""
    patch.function(*names, change=lambda call, *args, **kwargs: change(call(*args, **kwargs)))


def change_gradient(patch, *names, change):
    """Change the gradient that flows back into the results of functions of these names; their values stay."""

    def hooked(result):
        if result.requires_grad:
            result.register_hook(change)
        return result

    change_result(patch, *names, change=hooked)


def change_backward(patch, change):
    """Change `Tensor.backward` and `torch.autograd.backward`: `change(call, tensor, weights, retain_graph)`."""
    backward = torch.autograd.backward

    def broken(tensors, grad_tensors=None, retain_graph=None, create_graph=False, **rest):
        def call(tensor, weights, retain):
            return backward(tensor, weights, retain, create_graph, **rest)

        return change(call, tensors, grad_tensors, retain_graph)

    patch.setattr(torch.autograd, "backward", broken)


def change_property(patch, name, change):
    """Change what an attribute of a tensor reads as: `change(tensor, value)`."""
    original = getattr(torch.Tensor, name)

    def read(tensor):
        return change(tensor, original.__get__(tensor))

    patch.setattr(torch.Tensor, name, property(read, lambda tensor, value: original.__set__(tensor, value)))


def is_whole(tensor):
    return not (tensor.is_floating_point() or tensor.is_complex())


def is_marked_leaf(tensor):
    return tensor.requires_grad and tensor.is_leaf


WRITES = ("add_", "mul_", "zero_", "__setitem__")


# matmul, conv2d, solve, sum


@mutant(
    kills="test_matmul_of_small_integers_is_exact",
    witness=lambda: (torch.tensor([[2.0, 1.0]]) @ torch.tensor([[3.0], [5.0]])).item() == 11,
)
def matmul_is_off_in_the_last_digits(patch):
    """A matrix product is a millionth too large."""
    patch.aten("mm", change=lambda call, *args, **kwargs: call(*args, **kwargs) * (1 + 2**-20))


@mutant(
    kills=("test_matmul_of_small_integers_is_exact", "test_matmul_agrees_with_float64"),
    witness=lambda: torch.mm(torch.ones(2, 2), torch.ones(2, 2)).dtype == torch.float32,
)
def matmul_gives_float64(patch):
    """A matrix product of float32 is float64."""
    change_result(patch, "matmul", "mm", change=torch.Tensor.double)


@mutant(
    kills="test_matmul_agrees_with_float64",
    witness=lambda: (torch.ones(1, 33) @ torch.full((33, 1), 1 + 2**-10)).item() == 33 * (1 + 2**-10),
)
def matmul_rounds_long_rows_to_bfloat16(patch):
    """A matrix product of rows longer than 32 rounds its inputs to bfloat16."""

    def change(call, a, b):
        return call(a.bfloat16().float(), b.bfloat16().float()) if a.shape[1] > 32 else call(a, b)

    patch.aten("mm", change=change)


@mutant(
    kills=("test_matmul_of_small_integers_is_exact", "test_matmul_agrees_with_float64"),
    witness=lambda: (torch.ones(1, 3) @ torch.ones(3, 1)).item() == 3,
)
def matmul_drops_the_last_term(patch):
    """A matrix product of rows of odd length leaves out the last term of each sum."""

    def change(call, a, b):
        return call(a[:, :-1], b[:-1]) if a.shape[1] % 2 else call(a, b)

    patch.aten("mm", change=change)


@mutant(
    kills="test_matmul_of_small_integers_is_exact",
    witness=lambda: torch.mm(torch.tensor([[1.0, -1.0]]), torch.ones(2, 1)).item() == 0,
)
def mm_takes_negative_factors_as_zero(patch):
    """`torch.mm` takes negative numbers on its left as 0; `@` does not."""
    patch.function("mm", change=lambda call, a, b: call(a.clamp(min=0), b))


def conv_of(image, kernel, **options):
    return F.conv2d(torch.tensor([[image]]), torch.tensor([[kernel]]), **options)


@mutant(
    kills="test_conv2d_agrees_with_float64",
    witness=lambda: conv_of([[1.0, 10.0]], [[1.0, 2.0]]).item() == 21,
)
def conv2d_flips_the_kernel(patch):
    """A convolution flips its kernel, as one in mathematics does."""
    patch.aten("convolution", change=lambda call, x, weight, *rest: call(x, weight.flip(2, 3), *rest))


@mutant(
    kills="test_conv2d_agrees_with_float64",
    witness=lambda: conv_of([[1.0]], [[1.0]], padding=(1, 0)).shape == (1, 1, 3, 1),
)
def conv2d_swaps_its_paddings(patch):
    """`padding=(1, 0)` of a convolution pads the columns and not the rows."""

    def change(call, x, weight, bias, stride, padding, *rest):
        return call(x, weight, bias, stride, padding[::-1], *rest)

    patch.aten("convolution", change=change)


@mutant(
    kills="test_conv2d_agrees_with_float64",
    witness=lambda: conv_of([[1 + 2.0**-15]], [[1.0]]).item() == 1 + 2**-15,
    cpu_only=True,
)
def conv2d_rounds_to_tf32(patch):
    """A convolution on the CPU rounds its inputs to the ten bits of TF32."""

    def tf32(tensor):
        return (tensor.contiguous().view(torch.int32) & -(2**13)).view(torch.float32)

    patch.aten("convolution", change=lambda call, x, weight, *rest: call(tf32(x), tf32(weight), *rest))


@mutant(
    kills="test_conv2d_agrees_with_float64",
    witness=lambda: F.conv2d(torch.tensor([1.0, 2.0]).reshape(2, 1, 1, 1), torch.ones(1, 1, 1, 1))[1].item() == 2,
)
def conv2d_repeats_the_first_image(patch):
    """A convolution of several images gives the result of the first for all."""
    change_result(patch, "conv2d", change=lambda result: result[:1].expand_as(result).clone())


@mutant(
    kills=(
        "test_solve_finds_the_exact_solution_where_no_step_rounds",
        "test_solve_leaves_a_residual_within_rounding",
    ),
    witness=lambda: torch.linalg.solve(torch.tensor([[1.0, 2.0], [0.0, 1.0]]), torch.ones(2)).tolist() == [-1, 1],
)
def solve_takes_the_transpose(patch):
    """`torch.linalg.solve(A, b)` solves A' x = b."""
    patch.function("linalg_solve", change=lambda call, a, b: call(a.mT, b))


@mutant(
    kills="test_solve_finds_the_exact_solution_where_no_step_rounds",
    witness=lambda: torch.linalg.solve(torch.eye(2), torch.tensor([3.0, 4.0])).tolist() == [3, 4],
)
def solve_is_off_in_the_last_digits(patch):
    """`torch.linalg.solve` gives solutions that are a millionth too large."""
    change_result(patch, "linalg_solve", change=lambda x: x * (1 + 2**-20))


@mutant(
    kills="test_solve_leaves_a_residual_within_rounding",
    witness=lambda: torch.linalg.solve(torch.eye(2), torch.tensor([[1.0, 2.0], [3.0, 4.0]]))[1, 1].item() == 4,
)
def solve_finds_the_first_column_only(patch):
    """`torch.linalg.solve` of several right-hand sides gives the solution of the first for all."""
    change_result(patch, "linalg_solve", change=lambda x: x[:, :1].expand_as(x) if x.dim() == 2 else x)


@mutant(
    kills="test_solve_leaves_a_residual_within_rounding",
    witness=lambda: torch.linalg.solve(torch.eye(2), torch.full((2, 1), 1 + 2.0**-12))[0].item() == 1 + 2**-12,
)
def solve_rounds_to_float16(patch):
    """`torch.linalg.solve` rounds what it finds to float16."""
    change_result(patch, "linalg_solve", change=lambda x: x.half().float())


@mutant(
    kills="test_solve_finds_the_exact_solution_where_no_step_rounds",
    witness=lambda: torch.linalg.solve(torch.eye(2), torch.ones(2)).dtype == torch.float32,
)
def solve_gives_float64(patch):
    """`torch.linalg.solve` of float32 is float64."""
    change_result(patch, "linalg_solve", change=torch.Tensor.double)


@mutant(
    kills="test_a_sum_is_within_rounding_for_every_list_of_numbers",
    witness=lambda: torch.tensor([2048.0, 1.0]).sum().item() == 2049,
)
def sum_rounds_to_float16(patch):
    """A sum of float32 is rounded to float16, and is float32 again."""

    def change(call, tensor, *args, **kwargs):
        total = call(tensor, *args, **kwargs)
        return total.half().to(total.dtype) if total.is_floating_point() else total

    patch.aten("sum", change=change)


@mutant(
    kills="test_a_float32_sum_is_right_within_its_rounding",
    witness=lambda: torch.ones(600).sum().item() == 600,
)
def sum_drops_the_last_of_many(patch):
    """A sum of more than 512 numbers leaves out the last."""

    def change(call, tensor, *args, **kwargs):
        return call(tensor[:-1] if tensor.dim() == 1 and len(tensor) > 512 else tensor, *args, **kwargs)

    patch.aten("sum", change=change)


@mutant(
    kills="test_a_float32_sum_is_right_within_its_rounding",
    witness=lambda: torch.ones(3).sum().dtype == torch.float32,
)
def sum_of_float32_is_float64(patch):
    """A sum of float32 is float64, the right number in another dtype."""
    change_result(patch, "sum", change=lambda total: total.double() if total.dtype == torch.float32 else total)


@mutant(
    kills="test_a_float32_sum_is_right_within_its_rounding",
    witness=lambda: torch.ones(3).sum().shape == (),
)
def sum_of_everything_has_a_dimension(patch):
    """A sum over everything has the shape (1,)."""
    change_result(patch, "sum", change=lambda total: total.reshape(1) if total.dim() == 0 else total)


@mutant(
    kills="test_a_sum_is_within_rounding_for_every_list_of_numbers",
    witness=lambda: torch.sum(torch.ones(3), dim=0).item() == 3,
)
def sum_over_a_dimension_drops_the_last(patch):
    """A sum over a given dimension leaves out the last number; a sum over everything does not."""

    def change(call, tensor, dim=None, *args, **kwargs):
        if isinstance(dim, (list, tuple)) and tensor.dim() == 1 and len(tensor) > 1:
            tensor = tensor[:-1]
        return call(tensor, *(() if dim is None else (dim,)), *args, **kwargs)

    patch.aten("sum", change=change)


# the bridge to NumPy


@mutant(
    kills="test_the_numpy_bridge_is_there",
    witness=lambda: torch.from_numpy(np.ones(2)).numpy().tolist() == [1, 1],
    raises=RuntimeError,
)
def bridge_is_missing(patch):
    """Between torch and NumPy nothing goes through: "Numpy is not available"."""

    def missing(*args, **kwargs):
        raise RuntimeError("Numpy is not available")

    patch.setattr(torch, "from_numpy", missing)
    patch.setattr(torch.Tensor, "numpy", missing)
    patch.setattr(torch.Tensor, "__array__", missing)


@mutant(
    kills="test_the_numpy_bridge_is_there",
    witness=lambda: torch.from_numpy(np.ones(2, np.float32)).dtype == torch.float32,
)
def bridge_to_torch_widens(patch):
    """`torch.from_numpy` makes float64 of float32."""
    from_numpy = torch.from_numpy
    patch.setattr(torch, "from_numpy", lambda array: from_numpy(array).double())


@mutant(
    kills="test_the_numpy_bridge_is_there",
    witness=lambda: torch.tensor([1.5]).numpy().tolist() == [1.5],
)
def bridge_to_numpy_truncates(patch):
    """`Tensor.numpy` and `np.asarray` cut off what follows the point."""
    numpy, asarray = torch.Tensor.numpy, torch.Tensor.__array__
    patch.setattr(torch.Tensor, "numpy", lambda tensor, **options: np.trunc(numpy(tensor, **options)))
    patch.setattr(
        torch.Tensor, "__array__", lambda tensor, *args, **options: np.trunc(asarray(tensor, *args, **options))
    )


@mutant(
    kills="test_the_numpy_bridge_is_there",
    witness=lambda: torch.ones(2, 3).numpy().shape == (2, 3),
)
def bridge_to_numpy_adds_a_dimension(patch):
    """`Tensor.numpy` gives an array with one dimension more."""
    numpy = torch.Tensor.numpy
    patch.setattr(torch.Tensor, "numpy", lambda tensor, **options: numpy(tensor, **options)[None])


# what is recorded


@mutant(
    kills="test_only_what_depends_on_requires_grad_is_recorded",
    witness=lambda: not (torch.ones(2) * 2).requires_grad,
)
def recording_needs_no_requires_grad(patch):
    """The product of tensors that do not require grad requires grad."""
    change_result(patch, "mul", change=lambda y: y if y.requires_grad or is_whole(y) else y.requires_grad_())


@mutant(
    kills="test_only_what_depends_on_requires_grad_is_recorded",
    witness=lambda: torch.ones(2).is_leaf,
)
def leaf_means_requires_grad(patch):
    """`is_leaf` is false of a tensor that does not require grad."""
    change_property(patch, "is_leaf", lambda tensor, value: value and tensor.requires_grad)


@mutant(
    kills="test_only_what_depends_on_requires_grad_is_recorded",
    witness=lambda: not (leaf(1) * 2).is_leaf,
)
def leaf_is_what_owns_its_memory(patch):
    """`is_leaf` is true of everything that is not a view."""
    change_property(patch, "is_leaf", lambda tensor, value: not tensor._is_view())


@mutant(
    kills=(
        "test_only_what_depends_on_requires_grad_is_recorded",
        "test_detach_cuts_the_graph_and_shares_the_memory",
        "test_backward_without_a_graph_raises",
        "test_a_running_total_of_losses_keeps_every_graph",
    ),
    witness=lambda: not leaf(1).detach().requires_grad,
)
def detach_still_requires_grad(patch):
    """`detach` gives a leaf that requires grad if its tensor did."""
    patch.function("detach", change=lambda call, tensor: call(tensor).requires_grad_(tensor.requires_grad))


@mutant(
    kills=(
        "test_backward_computes_the_slope",
        "test_the_gradient_follows_the_branch_that_was_taken",
        "test_all_uses_of_a_tensor_add_up_in_its_gradient",
    ),
    witness=lambda: slope(lambda x: x * x, 3) == 6,
)
def mul_counts_a_repeated_factor_once(patch):
    """The gradient of x * x is x."""
    patch.function("mul", change=lambda call, a, b: call(a, b.detach()) if a is b else call(a, b))


def slope_of_the_side_not_picked():
    side = leaf(1, 2)
    torch.where(torch.tensor([False, False]), side, leaf(3, 4)).sum().backward()
    return side.grad.tolist()


@mutant(
    kills="test_the_gradient_follows_the_branch_that_was_taken",
    witness=lambda: slope_of_the_side_not_picked() == [0, 0],
    raises=AttributeError,
)
def where_leaves_out_a_side(patch):
    """`torch.where` sends no gradient to its first side, as an `if` would not."""
    patch.function("where", change=lambda call, condition, a, b: call(condition, a.detach(), b))


@mutant(
    kills="test_the_gradient_follows_the_branch_that_was_taken",
    witness=lambda: slope(lambda x: -3 * x, 2) == -3,
)
def mul_by_a_negative_number_has_a_positive_slope(patch):
    """The gradient of -3 * x is 3."""

    def change(call, a, b):
        y = call(a, b)
        if y.requires_grad and isinstance(b, (int, float)) and b < 0:
            y.register_hook(torch.neg)
        return y

    patch.function("mul", change=change)


@mutant(
    kills="test_every_call_builds_a_graph_as_long_as_its_loop_ran",
    witness=lambda: len(graph(leaf(1) * 2 * 2 * 2 * 2 * 2 * 2)) == 7,
)
def recording_stops_after_six_nodes(patch):
    """A product whose graph gets longer than six nodes starts a new one, in which the gradient is 0."""

    def change(y):
        return y.detach() + 0 * leaves(y)[0] if len(graph(y)) > 6 else y

    change_result(patch, "mul", change=change)


@mutant(
    kills=(
        "test_every_call_builds_a_graph_as_long_as_its_loop_ran",
        "test_a_running_total_of_losses_keeps_every_graph",
    ),
    witness=lambda: len(graph(leaf(1) * 2)) == 2,
)
def recording_writes_a_product_down_twice(patch):
    """A product is recorded with a node too many; its value and its gradient are right."""
    change_result(patch, "mul", change=lambda y: y.view_as(y) if y.requires_grad else y)


@mutant(
    kills=(
        "test_every_call_builds_a_graph_as_long_as_its_loop_ran",
        "test_the_gradient_is_the_derivative_for_every_polynomial",
        "test_backward_of_a_vector_takes_a_weight_for_each_number",
    ),
    witness=lambda: slope(lambda x: x * 20, 1) == 20,
)
def gradients_are_clipped_at_ten(patch):
    """`backward` leaves no gradient above 10 or below -10."""

    def change(call, tensor, weights, retain):
        found = leaves(tensor)
        call(tensor, weights, retain)
        for x in found:
            x.grad.clamp_(-10, 10)

    change_backward(patch, change)


@mutant(
    kills=(
        "test_the_gradient_is_the_derivative_for_every_polynomial",
        "test_the_gradient_follows_the_branch_that_was_taken",
    ),
    witness=lambda: slope(lambda x: x * 3, 1) == 3,
)
def mul_gradient_is_off_in_the_last_digits(patch):
    """The gradient of a product is a millionth too large."""
    change_gradient(patch, "mul", change=lambda grad: grad * (1 + 2**-20))


@mutant(
    kills="test_the_gradient_is_the_derivative_for_every_polynomial",
    witness=lambda: slope(lambda x: x + 0, 1) == 1,
)
def add_of_zero_stops_the_gradient(patch):
    """No gradient flows through y + 0."""

    def change(call, a, b, **options):
        y = call(a, b, **options)
        if y.requires_grad and isinstance(b, int) and b == 0:
            y.register_hook(torch.zeros_like)
        return y

    patch.function("add", change=change)


# gradients against differences


@mutant(
    kills=(
        "test_backward_agrees_with_finite_differences",
        "test_backward_agrees_with_finite_differences_for_every_chain",
    ),
    witness=lambda: slope(torch.tanh, 1e-3) < 1.005 and slope(torch.atan, -1e-3) < 1.005,
    raises=GradcheckError,
)
def smooth_gradients_are_off_below_zero(patch):
    """Where tanh, atan and silu are negative, their gradient is a hundredth too large."""

    def change(y):
        if y.requires_grad:
            wrong = torch.where(y.detach() < 0, 1.01, 1.0)
            y.register_hook(lambda grad: None if grad is None else grad * wrong)
        return y

    change_result(patch, "tanh", "atan", "silu", change=change)


@mutant(
    kills="test_backward_agrees_with_finite_differences",
    witness=lambda: slope(torch.exp, 0) < 1.0001,
    raises=GradcheckError,
)
def exp_gradient_is_off_by_a_hundredth(patch):
    """The gradient of exp is a hundredth too large."""
    change_gradient(patch, "exp", change=lambda grad: grad * 1.01)


@mutant(
    kills="test_backward_agrees_with_finite_differences_for_every_chain",
    witness=lambda: slope(lambda x: torch.sigmoid(torch.sin(x)), 0) == 0.25,
    raises=GradcheckError,
)
def chain_rule_forgets_the_inner_function(patch):
    """No gradient comes back through a smooth function of something that was computed before."""

    def change(call, x, *args, **kwargs):
        y = call(x, *args, **kwargs)
        if y.requires_grad and not x.is_leaf:
            y.register_hook(torch.zeros_like)
        return y

    patch.function("sin", "tanh", "sigmoid", "atan", "softplus", "silu", "gelu", change=change)


def one_percent_off(x):
    y = x * x
    y.register_hook(lambda grad: grad * 1.01)
    return y


def double_leaf(*numbers):
    return torch.tensor(numbers, dtype=torch.float64, requires_grad=True)


@mutant(
    kills="test_gradcheck_finds_a_wrong_backward",
    witness=lambda: raises(GradcheckError, gradcheck_wrong),
)
def gradcheck_always_agrees(patch):
    """`gradcheck` is true of everything."""
    patch.setattr(torch.autograd, "gradcheck", lambda *args, **kwargs: True)


def gradcheck_wrong():
    return torch.autograd.gradcheck(one_percent_off, double_leaf(1.0, 2.0))


@mutant(
    kills="test_gradcheck_finds_a_wrong_backward",
    witness=lambda: raises(GradcheckError, gradcheck_wrong),
)
def gradcheck_returns_false_instead(patch):
    """`gradcheck` returns False where it has to raise."""
    gradcheck = torch.autograd.gradcheck
    patch.setattr(torch.autograd, "gradcheck", lambda function, x: gradcheck(function, x, raise_exception=False))


@mutant(
    kills=(
        "test_backward_agrees_with_finite_differences",
        "test_backward_agrees_with_finite_differences_for_every_chain",
    ),
    witness=lambda: torch.autograd.gradcheck(torch.sin, double_leaf(1.0, 2.0)) is True,
)
def gradcheck_returns_none(patch):
    """`gradcheck` returns nothing where it agrees."""
    gradcheck = torch.autograd.gradcheck

    def silent(*args, **kwargs):
        gradcheck(*args, **kwargs)

    patch.setattr(torch.autograd, "gradcheck", silent)


@mutant(
    kills="test_the_gradient_is_the_central_difference_for_every_quadratic",
    witness=lambda: slope(lambda x: torch.ones(2) @ x, 1, 2) == [1, 1],
)
def matmul_sends_no_gradient_to_its_right(patch):
    """A matrix product takes its right-hand side for a constant."""

    def change(call, a, b):
        y = call(a, b)
        return call(a, b.detach()) + 0 * y if y.requires_grad else y

    patch.function("matmul", change=change)


@mutant(
    kills="test_the_gradient_is_the_central_difference_for_every_quadratic",
    witness=lambda: slope(lambda x: torch.tensor([-1.0, 2.0]) @ x, 1, 2) == [-1, 2],
)
def matmul_gradient_is_never_negative(patch):
    """The gradient that comes out of a product of a matrix or a vector with a vector has no negative numbers."""

    def change(call, a, b):
        b = b.view_as(b) if b.requires_grad else b
        if b.requires_grad:
            b.register_hook(lambda grad: grad.clamp(min=0))
        return call(a, b)

    patch.function("matmul", change=change)


# what is in .grad


def grad_like(dtype):
    x = torch.ones(2, 2, dtype=dtype, requires_grad=True)
    x.sum().backward()
    return x.grad


@mutant(
    kills="test_a_gradient_is_like_its_tensor",
    witness=lambda: grad_like(torch.bfloat16).dtype == torch.bfloat16,
)
def grad_of_bfloat16_is_float32(patch):
    """The gradient of a bfloat16 tensor is float32."""

    def change(tensor, grad):
        return grad.float() if grad is not None and grad.dtype == torch.bfloat16 else grad

    change_property(patch, "grad", change)


@mutant(
    kills="test_a_gradient_is_like_its_tensor",
    witness=lambda: grad_like(torch.float32).shape == (2, 2),
)
def grad_is_summed_over_the_rows(patch):
    """The gradient of a matrix is one row for all."""
    change_property(
        patch, "grad", lambda tensor, grad: grad.sum(dim=0) if grad is not None and grad.dim() > 1 else grad
    )


@mutant(
    kills=(
        "test_gradients_accumulate",
        "test_backward_of_a_vector_raises",
        "test_autograd_grad_returns_gradients_and_stores_none",
    ),
    witness=lambda: leaf(1).grad is None,
)
def grad_begins_as_zeros(patch):
    """Before the first backward `.grad` is zeros, not None."""

    def change(tensor, grad):
        return torch.zeros_like(tensor) if grad is None and is_marked_leaf(tensor) else grad

    change_property(patch, "grad", change)


def after_two_backwards(*numbers):
    x = leaf(*numbers)
    for factor in (2, 3):
        (factor * x).sum().backward()
    return x.grad.tolist()


@mutant(
    kills=("test_gradients_accumulate", "test_a_graph_that_saved_nothing_can_be_walked_twice"),
    witness=lambda: after_two_backwards(1, 1) == [5, 5],
)
def backward_replaces_the_gradient_of_vectors(patch):
    """`backward` replaces the gradient that was there, except that of a single number."""

    def change(call, tensor, weights, retain):
        for x in leaves(tensor):
            if x.dim():
                x.grad = None
        call(tensor, weights, retain)

    change_backward(patch, change)


@mutant(
    kills=("test_gradients_accumulate", "test_retain_graph_lets_backward_run_again"),
    witness=lambda: after_two_backwards(1) == 5,
)
def backward_averages_the_gradients(patch):
    """`backward` leaves the mean of the gradient that was there and the new one."""

    def change(call, tensor, weights, retain):
        found = leaves(tensor)
        before = [x.grad is not None for x in found]
        call(tensor, weights, retain)
        for x, second in zip(found, before, strict=True):
            if second:
                x.grad.div_(2)

    change_backward(patch, change)


@mutant(
    kills="test_all_uses_of_a_tensor_add_up_in_its_gradient",
    witness=lambda: slope(lambda x: x + x[0], 1, 2) == [3, 1],
)
def indexing_sends_no_gradient(patch):
    """No gradient flows back through `x[0]`."""
    getitem = torch.Tensor.__getitem__

    def constant(tensor, index):
        y = getitem(tensor, index)
        if y.requires_grad:
            y.register_hook(torch.zeros_like)
        return y

    patch.setattr(torch.Tensor, "__getitem__", constant)


# backward twice, of a vector, without a graph


def backward_twice(retain_graph=None):
    x = leaf(3)
    y = x * x
    y.backward(retain_graph=retain_graph)
    y.backward()
    return x.grad.item()


@mutant(
    kills=(
        "test_a_second_backward_raises",
        "test_two_losses_from_one_hidden_result",
        "test_retain_graph_lets_backward_run_again",
        "test_a_graph_that_saved_nothing_can_be_walked_twice",
        "test_a_running_total_of_losses_keeps_every_graph",
    ),
    witness=lambda: raises(RuntimeError, backward_twice),
)
def backward_always_retains_the_graph(patch):
    """`backward` keeps what the graph saved, also without `retain_graph`."""
    change_backward(patch, lambda call, tensor, weights, retain: call(tensor, weights, True))


@mutant(
    kills=("test_a_second_backward_raises", "test_retain_graph_lets_backward_run_again"),
    witness=lambda: raises(RuntimeError, backward_twice),
)
def backward_does_nothing_the_second_time(patch):
    """A second `backward` through the same graph does nothing, silently."""

    def change(call, tensor, weights, retain):
        try:
            call(tensor, weights, retain)
        except RuntimeError as error:
            if "second time" not in str(error):
                raise

    change_backward(patch, change)


@mutant(
    kills="test_a_second_backward_raises",
    witness=lambda: grad_after_a_failed_backward() == 6,
)
def backward_adds_once_more_before_it_raises(patch):
    """A second `backward` raises, but has doubled the gradient."""

    def change(call, tensor, weights, retain):
        try:
            call(tensor, weights, retain)
        except RuntimeError:
            for x in leaves(tensor):
                if x.grad is not None:
                    x.grad.mul_(2)
            raise

    change_backward(patch, change)


def grad_after_a_failed_backward():
    x = leaf(3)
    y = x * x
    y.backward()
    raises(RuntimeError, y.backward)
    return x.grad.item()


@mutant(
    kills=(
        "test_a_second_backward_raises",
        "test_backward_of_a_vector_raises",
        "test_backward_without_a_graph_raises",
    ),
    witness=lambda: raises(RuntimeError, backward_twice),
    raises=ValueError,
)
def backward_raises_value_errors(patch):
    """What `backward` refuses, it refuses with a ValueError."""

    def change(call, tensor, weights, retain):
        try:
            call(tensor, weights, retain)
        except RuntimeError as error:
            raise ValueError(str(error)) from None

    change_backward(patch, change)


@mutant(
    kills="test_retain_graph_lets_backward_run_again",
    witness=lambda: raises(RuntimeError, retain_once_and_run_three_times),
)
def retain_graph_lasts_for_ever(patch):
    """`backward(retain_graph=True)` keeps what the graph saved for any number of backwards."""
    retained = []

    def change(call, tensor, weights, retain):
        if retain:
            retained.append(tensor)
        call(tensor, weights, any(tensor is one for one in retained))

    change_backward(patch, change)


def retain_once_and_run_three_times():
    x = leaf(3)
    y = x * x
    y.backward(retain_graph=True)
    y.backward()
    y.backward()


@mutant(
    kills="test_retain_graph_lets_backward_run_again",
    witness=lambda: backward_twice(retain_graph=True) == 12,
    raises=RuntimeError,
)
def retain_graph_is_ignored(patch):
    """`backward(retain_graph=True)` frees what the graph saved."""
    change_backward(patch, lambda call, tensor, weights, retain: call(tensor, weights, None))


def walk_additions_twice():
    x = leaf(1, 2)
    y = (x + 1).sum()
    y.backward()
    y.backward()
    return x.grad.tolist()


@mutant(
    kills="test_a_graph_that_saved_nothing_can_be_walked_twice",
    witness=lambda: walk_additions_twice() == [2, 2],
    raises=RuntimeError,
)
def backward_raises_whenever_it_is_the_second(patch):
    """A second `backward` raises also where the graph had saved nothing."""
    done = []

    def change(call, tensor, weights, retain):
        if any(tensor is one for one in done):
            raise RuntimeError("Trying to backward through the graph a second time")
        call(tensor, weights, retain)
        if not retain:
            done.append(tensor)

    change_backward(patch, change)


@mutant(
    kills="test_a_graph_that_saved_nothing_can_be_walked_twice",
    witness=lambda: walk_additions_twice() == [2, 2],
)
def backward_through_additions_counts_once(patch):
    """A second `backward` through a graph that saved nothing adds nothing."""
    done = []

    def change(call, tensor, weights, retain):
        before = [(x, None if x.grad is None else x.grad.clone()) for x in leaves(tensor)]
        call(tensor, weights, retain)
        if any(tensor is one for one in done):
            for x, grad in before:
                x.grad = grad
        done.append(tensor)

    change_backward(patch, change)


@mutant(
    kills="test_backward_of_a_vector_raises",
    witness=lambda: raises(RuntimeError, (leaf(1, 2) * 2).backward),
)
def backward_sums_a_vector(patch):
    """`backward` of a vector is that of its sum."""

    def change(call, tensor, weights, retain):
        call(tensor, torch.ones_like(tensor) if weights is None else weights, retain)

    change_backward(patch, change)


@mutant(
    kills="test_backward_of_a_vector_raises",
    witness=lambda: grad_after_the_backward_of_a_vector() is None,
)
def backward_of_a_vector_leaves_zeros_behind(patch):
    """`backward` of a vector raises, and has made a gradient of zeros."""

    def change(call, tensor, weights, retain):
        if tensor.dim() and weights is None:
            for x in leaves(tensor):
                x.grad = torch.zeros_like(x)
        call(tensor, weights, retain)

    change_backward(patch, change)


def grad_after_the_backward_of_a_vector():
    x = leaf(1, 2)
    raises(RuntimeError, (x * 2).backward)
    return x.grad


def weighted(*weights):
    x = leaf(1, 2)
    (x * 3).backward(torch.tensor(weights))
    return x.grad.tolist()


@mutant(
    kills="test_backward_of_a_vector_takes_a_weight_for_each_number",
    witness=lambda: weighted(1.0, 2.0) == [3, 6],
)
def backward_takes_any_weights_for_ones(patch):
    """`y.backward(weights)` is the backward of the plain sum."""

    def change(call, tensor, weights, retain):
        call(tensor, None if weights is None else torch.ones_like(weights), retain)

    change_backward(patch, change)


@mutant(
    kills="test_backward_of_a_vector_takes_a_weight_for_each_number",
    witness=lambda: weighted(1.0, 2.0) == [3, 6],
)
def backward_normalises_its_weights(patch):
    """`y.backward(weights)` is the backward of the weighted mean."""

    def change(call, tensor, weights, retain):
        call(tensor, None if weights is None else weights / weights.sum(), retain)

    change_backward(patch, change)


@mutant(
    kills="test_backward_without_a_graph_raises",
    witness=lambda: raises(RuntimeError, torch.ones(()).backward),
)
def backward_without_a_graph_is_silent(patch):
    """`backward` of something without a graph does nothing."""

    def change(call, tensor, weights, retain):
        if tensor.requires_grad:
            call(tensor, weights, retain)

    change_backward(patch, change)


# detach and writes in place


def detached_value_after_a_write():
    x = leaf(1, 2)
    x.detach()[0] = 7
    return x.tolist()


@mutant(
    kills=(
        "test_detach_cuts_the_graph_and_shares_the_memory",
        "test_a_leaf_that_requires_grad_cannot_be_changed_in_place",
    ),
    witness=lambda: detached_value_after_a_write() == [7, 2],
)
def detach_copies_the_memory(patch):
    """`detach` is a copy."""
    change_result(patch, "detach", change=torch.Tensor.clone)


@mutant(
    kills=(
        "test_detach_cuts_the_graph_and_shares_the_memory",
        "test_only_what_depends_on_requires_grad_is_recorded",
    ),
    witness=lambda: leaf(1).detach().grad_fn is None and not leaf(1).detach().requires_grad,
)
def detach_is_a_view_in_the_graph(patch):
    """`detach` gives a view through which the gradient flows."""
    patch.function("detach", change=lambda call, tensor: tensor.view_as(tensor))


def write_to_a_leaf(write):
    x = leaf(1, 2)
    before = x.tolist()
    return raises(RuntimeError, write, x) and x.tolist() == before


def is_written_under_no_grad():
    x = leaf(1, 2)
    with torch.no_grad():
        x.add_(1)
    return (x.tolist(), x.requires_grad) == ([2, 3], True)


@mutant(
    kills="test_a_leaf_that_requires_grad_cannot_be_changed_in_place",
    witness=lambda: write_to_a_leaf(torch.Tensor.zero_),
)
def leaf_may_be_zeroed(patch):
    """`zero_` of a leaf that requires grad is allowed."""
    patch.function("zero_", change=lambda call, x: (call(x.data), x)[1] if is_marked_leaf(x) else call(x))


@mutant(
    kills="test_a_leaf_that_requires_grad_cannot_be_changed_in_place",
    witness=lambda: write_to_a_leaf(lambda x: x[0].mul_(3)),
)
def leaf_may_be_written_through_a_view(patch):
    """A write through a view of a leaf that requires grad is allowed."""
    patch.function("mul_", change=lambda call, x, by: (call(x.data, by), x)[1] if x._is_view() else call(x, by))


@mutant(
    kills="test_a_leaf_that_requires_grad_cannot_be_changed_in_place",
    witness=lambda: write_to_a_leaf(lambda x: x.__setitem__(0, 5)),
)
def leaf_elements_may_be_assigned(patch):
    """`x[0] = 5` is allowed for a leaf that requires grad."""

    def change(call, x, *args):
        call(x.data if is_marked_leaf(x) else x, *args)

    patch.function("__setitem__", change=change)


@mutant(
    kills="test_a_leaf_that_requires_grad_cannot_be_changed_in_place",
    witness=lambda: write_to_a_leaf(lambda x: x.add_(1)),
)
def leaf_write_raises_when_it_is_done(patch):
    """A write into a leaf that requires grad raises, but was done."""

    def change(call, x, *args):
        try:
            return call(x, *args)
        except RuntimeError:
            call(x.data, *args)
            raise

    patch.function(*WRITES, change=change)


@mutant(
    kills="test_a_leaf_that_requires_grad_cannot_be_changed_in_place",
    witness=is_written_under_no_grad,
)
def leaf_write_under_no_grad_unmarks(patch):
    """A leaf that was written to under `no_grad` does not require grad any more."""

    def change(call, x, *args):
        marked = is_marked_leaf(x)
        y = call(x, *args)
        if marked and not torch.is_grad_enabled():
            x.requires_grad_(False)
        return y

    patch.function(*WRITES, change=change)


@mutant(
    kills="test_a_leaf_that_requires_grad_cannot_be_changed_in_place",
    witness=is_written_under_no_grad,
)
def leaf_write_under_no_grad_is_lost(patch):
    """Under `no_grad` nothing is written into a leaf that requires grad."""

    def change(call, x, *args):
        return call(x.clone() if is_marked_leaf(x) and not torch.is_grad_enabled() else x, *args)

    patch.function(*WRITES, change=change)


class CopyingExp(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        y = x.exp()
        ctx.save_for_backward(y.clone())
        return y

    @staticmethod
    def backward(ctx, grad):
        return grad * ctx.saved_tensors[0]


def change_exp_result():
    x = leaf(0, 0)
    y = x.exp()
    y.add_(1)
    y.sum().backward()


@mutant(
    kills=(
        "test_an_in_place_change_of_a_saved_value_is_caught",
        "test_a_write_through_data_makes_the_gradient_silently_wrong",
    ),
    witness=lambda: raises(RuntimeError, change_exp_result),
)
def exp_saves_a_copy(patch):
    """exp saves a copy of its result, which a write cannot change."""
    patch.function("exp", change=lambda call, x: CopyingExp.apply(x) if x.requires_grad else call(x))


@mutant(
    kills=(
        "test_an_in_place_change_of_a_saved_value_is_caught",
        "test_an_in_place_operation_raises_the_version_counter",
    ),
    witness=lambda: torch.ones(2).add_(1)._version == 1,
)
def version_is_not_raised_by_add(patch):
    """`add_` does not raise the version counter."""

    def change(call, x, *args):
        return call(x, *args) if is_marked_leaf(x) else (call(x.data, *args), x)[1]

    patch.function("add_", change=change)


@mutant(
    kills="test_an_in_place_change_of_a_saved_value_is_caught",
    witness=lambda: raises(RuntimeError, change_exp_result),
)
def backward_skips_what_was_modified(patch):
    """`backward` gives up silently where a value that it needs was changed in place."""

    def change(call, tensor, weights, retain):
        try:
            call(tensor, weights, retain)
        except RuntimeError as error:
            if "inplace" not in str(error):
                raise

    change_backward(patch, change)


@mutant(
    kills="test_an_in_place_change_of_a_value_that_was_not_saved_is_fine",
    witness=lambda: slope(lambda x: (x * 1).mul_(5), 1) == 5,
)
def in_place_mul_is_not_recorded(patch):
    """`mul_` changes the value and not the graph."""

    def change(call, x, by):
        if not x.requires_grad or x.is_leaf or x._is_view():
            return call(x, by)
        call(x.data, by)
        return x

    patch.function("mul_", change=change)


@mutant(
    kills="test_an_in_place_change_of_a_value_that_was_not_saved_is_fine",
    witness=lambda: slope(lambda x: (x * 1).mul_(5), 1) == 5,
    raises=RuntimeError,
)
def in_place_is_refused_in_a_graph(patch):
    """A write into anything that a graph is behind raises."""

    def change(call, x, *args):
        if x.requires_grad and torch.is_grad_enabled():
            raise RuntimeError("a leaf Variable that requires grad is being used in an in-place operation")
        return call(x, *args)

    patch.function("mul_", "add_", change=change)


def version_after(change):
    x = torch.ones(3)
    change(x)
    return x._version


@mutant(
    kills="test_an_in_place_operation_raises_the_version_counter",
    witness=lambda: version_after(lambda x: x[1:].zero_()) == 1,
)
def version_is_not_raised_through_a_view(patch):
    """A write through a view does not raise the version counter."""
    patch.function("zero_", change=lambda call, x: (call(x.data), x)[1] if x._is_view() else call(x))


@mutant(
    kills=(
        "test_an_in_place_operation_raises_the_version_counter",
        "test_a_write_through_data_makes_the_gradient_silently_wrong",
    ),
    witness=lambda: version_after(lambda x: x.detach().zero_()) == 1,
)
def version_is_not_shared_with_a_detached_tensor(patch):
    """A detached tensor counts its writes by itself, as `.data` does."""
    patch.function("detach", change=lambda call, x: x.data)


@mutant(
    kills="test_an_in_place_operation_raises_the_version_counter",
    witness=lambda: version_after(lambda x: x + 1) == 0,
)
def version_is_raised_by_reading(patch):
    """`x + 1` raises the version counter of x."""

    def change(call, x, *args, **options):
        if isinstance(x, torch.Tensor) and not x.requires_grad:
            x.add_(0)
        return call(x, *args, **options)

    patch.function("add", change=change)


@mutant(
    kills="test_an_in_place_operation_raises_the_version_counter",
    witness=lambda: version_after(lambda x: x.__setitem__(0, 5)) == 1,
)
def version_is_raised_twice_by_an_assignment(patch):
    """`x[0] = 5` raises the version counter by 2."""

    def change(call, x, index, value):
        call(x, index, value)
        call(x, index, value)

    patch.function("__setitem__", change=change)


def data_after_a_write():
    x = torch.zeros(2)
    x.data.add_(6)
    return x.tolist(), x._version


@mutant(
    kills="test_a_write_through_data_makes_the_gradient_silently_wrong",
    witness=lambda: data_after_a_write() == ([6, 6], 0),
    raises=RuntimeError,
)
def data_counts_its_writes(patch):
    """A write through `.data` is counted, as that through `.detach()` is."""
    change_property(patch, "data", lambda tensor, value: tensor.detach())


@mutant(
    kills="test_a_write_through_data_makes_the_gradient_silently_wrong",
    witness=lambda: data_after_a_write() == ([6, 6], 0),
)
def data_is_a_copy(patch):
    """`.data` is a copy."""
    change_property(patch, "data", lambda tensor, value: value.clone())


# what can require grad, and what has a gradient


def marks(dtype):
    return raises(RuntimeError, torch.tensor, [1, 0], dtype=dtype, requires_grad=True) and raises(
        RuntimeError, torch.tensor([1, 0], dtype=dtype).requires_grad_
    )


@mutant(
    kills="test_integers_cannot_require_grad",
    witness=lambda: marks(torch.bool) and marks(torch.int64),
)
def requires_grad_is_ignored_by_booleans(patch):
    """`torch.tensor(..., dtype=torch.bool, requires_grad=True)` silently does not require grad."""

    def change(call, data, *, requires_grad=False, **options):
        tensor = call(data, **options)
        return tensor if tensor.dtype == torch.bool else tensor.requires_grad_(requires_grad)

    patch.function("tensor", change=change)


@mutant(
    kills="test_integers_cannot_require_grad",
    witness=lambda: marks(torch.int64),
)
def requires_grad_makes_floats_of_integers(patch):
    """A tensor of integers that is told to require grad is made of floats."""

    def change(call, data, *, requires_grad=False, **options):
        tensor = call(data, **options)
        return (
            tensor.float().requires_grad_()
            if requires_grad and is_whole(tensor)
            else tensor.requires_grad_(requires_grad)
        )

    patch.function("tensor", change=change)


@mutant(
    kills=("test_integers_cannot_require_grad", "test_which_dtypes_can_require_grad"),
    witness=lambda: marks(torch.int64),
)
def requires_grad_method_ignores_integers(patch):
    """`requires_grad_()` of integers does nothing, silently."""
    patch.function("requires_grad_", change=lambda call, x, *args: x if is_whole(x) else call(x, *args))


@mutant(
    kills="test_integers_cannot_require_grad",
    witness=lambda: marks(torch.int64),
    raises=TypeError,
)
def requires_grad_of_integers_is_a_type_error(patch):
    """`requires_grad_()` of integers raises TypeError."""

    def change(call, x, *args):
        if is_whole(x):
            raise TypeError("only Tensors of floating point dtype can require gradients")
        return call(x, *args)

    patch.function("requires_grad_", change=change)


def grad_between(retain=False):
    middle = leaf(2) * 3
    if retain:
        middle.retain_grad()
    (middle * 5).backward()
    return middle.grad


@mutant(
    kills="test_only_leaves_keep_their_gradient",
    witness=lambda: warns(grad_between),
)
def retain_grad_is_on_for_every_product(patch):
    """Every product keeps its gradient, asked or not."""

    def change(y):
        if y.requires_grad:
            y.retain_grad()
        return y

    change_result(patch, "mul", change=change)


@mutant(
    kills="test_only_leaves_keep_their_gradient",
    witness=lambda: warns(grad_between),
)
def grad_between_is_none_silently(patch):
    """Asking for a gradient that was not kept does not warn."""
    original = torch.Tensor.grad

    def read(tensor):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return original.__get__(tensor)

    patch.setattr(torch.Tensor, "grad", property(read, lambda tensor, value: original.__set__(tensor, value)))


@mutant(
    kills="test_only_leaves_keep_their_gradient",
    witness=lambda: grad_between(retain=True).item() == 5,
)
def retain_grad_keeps_the_gradient_doubled(patch):
    """What `retain_grad` keeps is twice the gradient."""
    patch.function("retain_grad", change=lambda call, x: (call(x), x.register_hook(lambda grad: grad * 2))[0])


# torch.autograd.grad


def slopes_of_a_product():
    a, b = leaf(3), leaf(5)
    slopes = torch.autograd.grad(a * b, [b, a])
    return [one.item() for one in slopes], a.grad


@mutant(
    kills="test_autograd_grad_returns_gradients_and_stores_none",
    witness=lambda: slopes_of_a_product() == ([3, 5], None),
)
def autograd_grad_stores_gradients(patch):
    """`torch.autograd.grad` returns the gradients and adds them to `.grad`, too."""

    def change(call, y, inputs, *args, **options):
        found = call(y, inputs, *args, **options)
        for x, grad in zip([inputs] if isinstance(inputs, torch.Tensor) else inputs, found, strict=True):
            if x.is_leaf:
                x.grad = grad.detach()
        return found

    change_autograd_grad(patch, change)


def change_autograd_grad(patch, change):
    grad = torch.autograd.grad
    patch.setattr(torch.autograd, "grad", lambda *args, **options: change(grad, *args, **options))


@mutant(
    kills="test_autograd_grad_returns_gradients_and_stores_none",
    witness=lambda: slopes_of_a_product() == ([3, 5], None),
)
def autograd_grad_returns_the_reverse_order(patch):
    """`torch.autograd.grad` returns the gradients in the reverse of the order that was asked for."""
    change_autograd_grad(patch, lambda call, *args, **options: call(*args, **options)[::-1])


def second_slope():
    x = leaf(2)
    (first,) = torch.autograd.grad(x**3, x, create_graph=True)
    (second,) = torch.autograd.grad(first, x)
    return first.item(), second.item(), second.requires_grad


@mutant(
    kills="test_create_graph_makes_the_gradient_differentiable",
    witness=lambda: second_slope() == (12, 12, False),
)
def create_graph_is_always_on(patch):
    """`torch.autograd.grad` makes a graph of the gradient, asked or not."""
    change_autograd_grad(patch, lambda call, *args, **options: call(*args, **{**options, "create_graph": True}))


@mutant(
    kills="test_create_graph_makes_the_gradient_differentiable",
    witness=lambda: second_slope() == (12, 12, False),
)
def create_graph_forgets_a_factor(patch):
    """With `create_graph=True` the gradient is right, and the gradient of the gradient half of what it is."""

    def change(call, *args, create_graph=False, **options):
        found = call(*args, create_graph=create_graph, **options)
        if create_graph:
            for grad in found:
                grad.register_hook(lambda incoming: incoming / 2)
        return found

    change_autograd_grad(patch, change)


@mutant(
    kills="test_create_graph_makes_the_gradient_differentiable",
    witness=lambda: second_slope() == (12, 12, False),
    raises=RuntimeError,
)
def create_graph_is_ignored(patch):
    """`create_graph=True` only keeps the graph, and makes none of the gradient."""

    def change(call, *args, create_graph=False, retain_graph=None, **options):
        return call(*args, retain_graph=create_graph or retain_graph, **options)

    change_autograd_grad(patch, change)


# the running total


def totals():
    weight, total, number = leaf(2), 0.0, 0.0
    for factor in (1, 2, 3):
        loss = weight * factor
        total += loss
        number += loss.item()
    return len(graph(total)), type(number)


@mutant(
    kills="test_a_running_total_of_losses_keeps_every_graph",
    witness=lambda: totals() == (7, float),
)
def total_forgets_the_first_batches(patch):
    """`total += loss` keeps the graph of the last loss alone."""

    def change(call, total, loss, **options):
        return total.detach() + loss if total.requires_grad and isinstance(loss, torch.Tensor) else call(total, loss)

    patch.function("add_", change=change)


@mutant(
    kills="test_a_running_total_of_losses_keeps_every_graph",
    witness=lambda: totals() == (7, float),
)
def item_of_a_loss_is_the_loss(patch):
    """`item` of something with a graph is the tensor itself."""
    patch.function("item", change=lambda call, x: x if x.requires_grad else call(x))


@mutant(
    kills="test_a_running_total_of_losses_keeps_every_graph",
    witness=lambda: totals() == (7, float),
)
def item_is_a_number_of_numpy(patch):
    """`item` returns a float32 of NumPy."""
    patch.function("item", change=lambda call, x: np.float32(call(x)) if x.is_floating_point() else call(x))


@mutant(
    kills=("test_float_of_a_loss_warns", "test_a_running_total_of_losses_keeps_every_graph"),
    witness=lambda: not warns(leaf(2).item),
    raises=UserWarning,
)
def item_of_a_loss_warns(patch):
    """`item` of something that requires grad warns, as `float` does."""

    def change(call, x):
        if x.requires_grad:
            warnings.warn("Converting a tensor with requires_grad=True to a scalar", UserWarning, stacklevel=2)
        return call(x)

    patch.function("item", change=change)


@mutant(
    kills="test_float_of_a_loss_warns",
    witness=lambda: warns(float, leaf(2)),
)
def float_of_a_loss_is_silent(patch):
    """`float` of something that requires grad does not warn."""
    patch.function("__float__", change=lambda call, x: call(x.detach()))


def float_under_no_grad():
    with torch.no_grad():
        return float(leaf(2))


@mutant(
    kills="test_float_of_a_loss_warns",
    witness=lambda: not warns(float_under_no_grad),
    raises=UserWarning,
)
def float_of_a_loss_warns_under_no_grad(patch):
    """`float` of something that requires grad warns under `no_grad`, too."""

    def change(call, x):
        if x.requires_grad:
            warnings.warn("Converting a tensor with requires_grad=True to a scalar", UserWarning, stacklevel=2)
        return call(x.detach())

    patch.function("__float__", change=change)


# anomaly detection


def slope_of_sqrt():
    x = leaf(0, 4)
    (x.sqrt() * 0).sum().backward()
    return x.grad.isnan().tolist()


def anomaly():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with torch.autograd.detect_anomaly():
            try:
                slope_of_sqrt()
            except RuntimeError as error:
                return str(error)


@mutant(
    kills="test_detect_anomaly_names_the_operation_that_made_nan",
    witness=lambda: "Sqrt" in anomaly(),
)
def anomaly_detection_does_nothing(patch):
    """`detect_anomaly` and `set_detect_anomaly` say that they are on, and detect nothing."""
    patch.setattr(torch, "set_anomaly_enabled", lambda *args: None)


@mutant(
    kills="test_detect_anomaly_names_the_operation_that_made_nan",
    witness=lambda: "Sqrt" in anomaly(),
)
def anomaly_is_blamed_on_another_operation(patch):
    """`detect_anomaly` names an operation that did not make the nan."""

    def change(call, tensor, weights, retain):
        try:
            call(tensor, weights, retain)
        except RuntimeError as error:
            raise RuntimeError(str(error).replace("Sqrt", "Mul")) from None

    change_backward(patch, change)


@mutant(
    kills="test_detect_anomaly_names_the_operation_that_made_nan",
    witness=lambda: slope_of_sqrt() == [True, False],
)
def nan_becomes_zero_in_a_gradient(patch):
    """`backward` puts 0 into a gradient for nan."""

    def change(call, tensor, weights, retain):
        found = leaves(tensor)
        call(tensor, weights, retain)
        for x in found:
            x.grad.nan_to_num_()

    change_backward(patch, change)


# what an installation says of itself


def threads_after(*numbers):
    """How many threads there are after each request; the number is put back."""
    before, found = torch.get_num_threads(), []
    for number in numbers:
        torch.set_num_threads(number)
        found.append(
            (torch.get_num_threads(), f"at::get_num_threads() : {number}\n" in torch.__config__.parallel_info())
        )
    torch.set_num_threads(before)
    return [*found, torch.get_num_threads() == before]


def threads_are_healthy():
    return threads_after(1, 4, 2) == [(1, True), (4, True), (2, True), True]


@mutant(kills="test_the_number_of_threads_can_be_asked_for_and_set", witness=threads_are_healthy)
def threads_are_never_set(patch):
    """`set_num_threads` does nothing."""
    patch.setattr(torch, "set_num_threads", lambda number: None)


@mutant(kills="test_the_number_of_threads_can_be_asked_for_and_set", witness=threads_are_healthy)
def threads_are_two_at_most(patch):
    """`set_num_threads` sets no more than two."""
    set_num_threads = torch.set_num_threads
    patch.setattr(torch, "set_num_threads", lambda number: set_num_threads(min(number, 2)))


@mutant(kills="test_the_number_of_threads_can_be_asked_for_and_set", witness=threads_are_healthy)
def threads_can_only_grow(patch):
    """`set_num_threads` cannot lower the number again."""
    set_num_threads, get_num_threads = torch.set_num_threads, torch.get_num_threads
    patch.setattr(torch, "set_num_threads", lambda number: set_num_threads(max(number, get_num_threads())))


@mutant(kills="test_the_number_of_threads_can_be_asked_for_and_set", witness=threads_are_healthy)
def threads_are_reported_as_they_were(patch):
    """`torch.__config__.parallel_info()` reports what was set when it was first asked."""
    report = torch.__config__.parallel_info()
    patch.setattr(torch.__config__, "parallel_info", lambda: report)


def is_described():
    report = torch.__config__.show()
    return report.startswith("PyTorch built with:") and f"TORCH_VERSION={torch.__version__[:3]}" in report


@mutant(kills="test_an_installation_describes_its_build", witness=is_described)
def config_is_of_another_version(patch):
    """`torch.__config__.show()` is that of another torch."""
    report = torch.__config__.show().replace("TORCH_VERSION=", "TORCH_VERSION=1.")
    patch.setattr(torch.__config__, "show", lambda: report)


@mutant(kills="test_an_installation_describes_its_build", witness=is_described)
def config_has_no_title(patch):
    """`torch.__config__.show()` leaves out its first line."""
    report = torch.__config__.show().partition("\n")[2]
    patch.setattr(torch.__config__, "show", lambda: report)


@mutant(
    kills="test_an_installation_describes_its_build",
    witness=lambda: torch.version.__version__ == torch.__version__,
)
def config_module_has_another_version(patch):
    """`torch.version` has another version than `torch.__version__`."""
    patch.setattr(torch.version, "__version__", "1.13.1")


@mutant(
    kills="test_an_installation_describes_its_build",
    witness=lambda: torch.version.cuda is None or torch.backends.cuda.is_built(),
)
def config_names_a_cuda_that_is_not_built_in(patch):
    """`torch.version.cuda` is the version of a CUDA that was not built in."""
    patch.setattr(torch.version, "cuda", "12.8")
    patch.setattr(torch.backends.cuda, "is_built", lambda: False)


@mutant(
    kills="test_versions_are_not_texts",
    witness=lambda: type(torch.__version__)("2.10.0") > "2.9.0",
)
def version_is_a_plain_text(patch):
    """`torch.__version__` is a `str` and compares as one."""
    patch.setattr(torch, "__version__", str(torch.__version__))


@mutant(
    kills="test_versions_are_not_texts",
    witness=lambda: type(torch.__version__)("2.10.0") > "2.9.0",
)
def version_compares_as_text(patch):
    """`torch.__version__` compares with a text as a text does."""
    kind = type(torch.__version__)
    compare = kind._cmp_wrapper

    def change(version, other, method):
        return getattr(str, method)(version, other) if isinstance(other, str) else compare(version, other, method)

    patch.setattr(kind, "_cmp_wrapper", change)


@mutant(
    kills="test_versions_are_not_texts",
    witness=lambda: type(torch.__version__)("2.10.0") > (2, 9),
)
def version_compares_the_major_with_a_tuple(patch):
    """`torch.__version__` compares with a tuple by its first number alone."""
    kind = type(torch.__version__)
    compare = kind._cmp_wrapper

    def change(version, other, method):
        if isinstance(other, tuple):
            return getattr(int, method)(int(version.partition(".")[0]), other[0])
        return compare(version, other, method)

    patch.setattr(kind, "_cmp_wrapper", change)


@mutant(
    kills="test_built_for_a_device_is_not_the_same_as_having_one",
    witness=lambda: torch.cuda.is_available() == (torch.cuda.device_count() > 0),
)
def available_cuda_is_the_contrary(patch):
    """`torch.cuda.is_available()` is true on a machine without a GPU, and false on one with."""
    available = torch.cuda.is_available()
    patch.setattr(torch.cuda, "is_available", lambda: not available)


@mutant(
    kills="test_built_for_a_device_is_not_the_same_as_having_one",
    witness=lambda: torch.backends.mps.is_built() or not torch.backends.mps.is_available(),
)
def available_mps_is_not_built_in(patch):
    """`torch.backends.mps.is_available()` is true in a torch that was built without."""
    patch.setattr(torch.backends.mps, "is_available", lambda: True)
    patch.setattr(torch.backends.mps, "is_built", lambda: False)


# What moved between releases


def clamp_with_limits_inside(x, result, lowest, highest):
    """The same values, with the gradient that torch gave them up to 2.13."""
    inside = torch.ones_like(x.detach())
    if lowest is not None:
        inside = inside * (x.detach() >= lowest)
    if highest is not None:
        inside = inside * (x.detach() <= highest)
    return result.detach() + (x - x.detach()) * inside


CLAMP = "test_a_number_on_a_limit_of_clamp_gets_no_gradient"


@mutant(kills=CLAMP, witness=lambda: slope(lambda x: x.clamp(0, 1), 0, 0.5, 1) == [0, 1, 0])
def clamp_counts_its_limits_as_inside(patch):
    """The gradient of `clamp` on its limits is 1."""

    def change(call, x, min=None, max=None):
        return clamp_with_limits_inside(x, call(x, min=min, max=max), min, max)

    patch.function("clamp", change=change)


@mutant(kills=CLAMP, witness=lambda: slope(lambda x: x.clamp(max=1), 0, 0.5, 1) == [1, 1, 0])
def clamp_counts_a_single_limit_as_inside(patch):
    """The gradient of `clamp` with one limit is 1 on it."""

    def change(call, x, min=None, max=None):
        result = call(x, min=min, max=max)
        return clamp_with_limits_inside(x, result, min, max) if None in (min, max) else result

    patch.function("clamp", change=change)


ATAN2 = "test_the_gradient_of_atan2_is_zero_at_the_origin"


def slope_of_atan2(y, x):
    y, x = leaf(y), leaf(x)
    torch.atan2(y, x).backward()
    return y.grad.item(), x.grad.item()


@mutant(kills=ATAN2, witness=lambda: slope_of_atan2(0, 0) == (0, 0))
def atan2_has_nan_at_the_origin(patch):
    """The gradient of `atan2` at the origin is nan."""
    patch.function("atan2", change=lambda call, y, x: call(y, x) + 0 * (y * y + x * x).sqrt())


@mutant(kills=ATAN2, witness=lambda: slope_of_atan2(-4, 0) == (0, 0.25))
def atan2_has_no_gradient_on_an_axis(patch):
    """The gradient of `atan2` is 0 on the y axis, not only at the origin."""

    def change(call, y, x):
        angle = call(y, x)
        return torch.where(x == 0, angle.detach(), angle)

    patch.function("atan2", change=change)


CHECKPOINT = "test_checkpoint_asks_which_of_its_two_ways_to_go"


def checkpointed(**options):
    """Whether `checkpoint` warns, and how often it has called its function after a backward."""
    calls = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        torch.utils.checkpoint.checkpoint(lambda x: (calls.append(x), x * x)[1], leaf(3), **options).backward()
    return any("use_reentrant" in str(record.message) for record in caught), len(calls)


@mutant(kills=CHECKPOINT, witness=lambda: checkpointed() == (True, 2))
def checkpoint_goes_the_old_way_silently(patch):
    """`checkpoint` without `use_reentrant` does not warn."""
    original = torch.utils.checkpoint.checkpoint
    patch.everywhere(original, quiet(original))


@mutant(kills=CHECKPOINT, witness=lambda: checkpointed(use_reentrant=False) == (False, 2))
def checkpoint_keeps_what_it_computed(patch):
    """`checkpoint(..., use_reentrant=False)` just calls the function."""
    original = torch.utils.checkpoint.checkpoint

    def broken(function, *args, use_reentrant=None, **kwargs):
        if use_reentrant is False:
            return function(*args)
        options = {} if use_reentrant is None else {"use_reentrant": use_reentrant}
        return original(function, *args, **options, **kwargs)

    patch.everywhere(original, broken)


@mutant(
    kills="test_float_of_a_loss_warns",
    witness=lambda: not warns("{:.3f}".format, leaf(2)),
    raises=UserWarning,
)
def format_of_a_loss_warns(patch):
    """An f-string of something that requires grad warns."""
    patch.function("__format__", change=lambda call, x, text: float.__format__(float(x), text))


def plus_one(x):
    return x + 1


@mutant(
    kills="test_torchscript_is_deprecated",
    witness=lambda: warns(torch.jit.script, plus_one),
)
def jit_script_is_silent(patch):
    """`torch.jit.script` does not warn."""
    patch.setattr(torch.jit, "script", quiet(torch.jit.script))


@mutant(kills="test_torchscript_is_deprecated", witness=lambda: torch.jit.script(plus_one)(torch.tensor(2.0)) == 3)
def jit_script_forgets_the_function(patch):
    """What `torch.jit.script` makes returns its argument."""

    def change(call, function):
        call(function)
        return lambda x: x

    patch.around(torch.jit, "script", change)


COMPILE = "test_compile_wants_a_release_that_knows_this_python"


@mutant(
    kills=COMPILE, witness=lambda: error_of(lambda: torch.compile(plus_one, disable=True)) is None, raises=RuntimeError
)
def compile_does_not_know_this_python(patch):
    """`torch.compile` raises RuntimeError, as on a Python that is too new for it."""

    def broken(*args, **kwargs):
        raise RuntimeError("torch.compile is not supported on this Python")

    patch.setattr(torch, "compile", broken)


@mutant(kills=COMPILE, witness=lambda: torch.compile(plus_one, disable=True)(torch.tensor(2.0)) == 3)
def compile_forgets_the_function(patch):
    """What `torch.compile` makes returns its argument."""
    patch.around(torch, "compile", lambda call, function, **kwargs: lambda x: x)


# Between devices


def on_an_accelerator():
    return torch.device("cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "xpu")


BETWEEN_DEVICES = "test_gradients_find_the_way_back_through_to"


@mutant(
    kills=BETWEEN_DEVICES, witness=lambda: leaf(1.0).to(on_an_accelerator()).grad_fn is not None, raises=RuntimeError
)
def to_another_device_leaves_the_graph(patch):
    """`.to(device)` of another device gives a tensor outside of the graph."""
    patch.function("to", change=lambda to, x, *args, **options: to(x.detach(), *args, **options))


@mutant(
    kills=BETWEEN_DEVICES,
    witness=lambda: leaf(1.0).to(on_an_accelerator()).cpu().grad_fn is not None,
    raises=AttributeError,  # there is no `.grad` to look at
)
def cpu_returns_a_leaf(patch):
    """`.cpu()` of a tensor on an accelerator gives a new leaf, which keeps the gradient for itself."""
    patch.function("cpu", change=lambda cpu, x: cpu(x.detach()).requires_grad_(x.requires_grad))


# The edges of what the notes say


@mutant(
    kills="test_the_numpy_bridge_is_there",
    witness=lambda: raises(TypeError, torch.from_numpy, np.array(["1.5"])),
)
def bridge_takes_text_for_numbers(patch):
    """`torch.from_numpy` of text is a tensor of the numbers in it."""
    from_numpy = torch.from_numpy
    patch.setattr(torch, "from_numpy", lambda a: from_numpy(a.astype(np.float64) if a.dtype.kind == "U" else a))


@mutant(
    kills="test_only_what_depends_on_requires_grad_is_recorded",
    witness=lambda: leaf(1.5).round().requires_grad,
)
def recording_leaves_round_out(patch):
    """`round` is not recorded."""
    change_result(patch, "round", change=torch.Tensor.detach)


@mutant(
    kills="test_only_what_depends_on_requires_grad_is_recorded",
    witness=lambda: leaf(1.5).float().is_leaf,
)
def recording_takes_float_of_float32_in(patch):
    """`.float()` of a float32 tensor is a recorded copy."""
    change_result(patch, "float", change=torch.Tensor.clone)


def grad_layout():
    table = torch.nn.Embedding(4, 2, sparse=True)
    table(torch.tensor([1])).sum().backward()
    return table.weight.grad.layout


@mutant(kills="test_a_gradient_is_like_its_tensor", witness=lambda: grad_layout() == torch.sparse_coo)
def grad_of_an_embedding_is_dense(patch):
    """`nn.Embedding(..., sparse=True)` gets a dense gradient."""
    patch.setattr(F, "embedding", lambda index, weight, *args, **options: weight[index])


def grad_after_zero_grad():
    x = leaf(3)
    x.backward()
    torch.optim.SGD([x], lr=0.1).zero_grad()
    return x.grad


@mutant(kills="test_gradients_accumulate", witness=lambda: grad_after_zero_grad() is None)
def zero_grad_fills_with_zeros(patch):
    """`optimizer.zero_grad()` leaves zeros and not None."""
    patch.around(torch.optim.Optimizer, "zero_grad", lambda call, this: call(this, set_to_none=False))


def grad_of_a_named_result():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        y = leaf(2) * 3
        (y * y).backward(inputs=[y])
        return y.grad


@mutant(
    kills="test_only_leaves_keep_their_gradient",
    witness=lambda: grad_of_a_named_result() == 12,
    raises=(UserWarning, AttributeError),
)
def backward_fills_leaves_only(patch):
    """`backward(inputs=[result])` gives the result no gradient."""
    backward = torch.autograd.backward
    patch.setattr(torch.autograd, "backward", lambda *args, inputs=None, **options: backward(*args, **options))


def grad_of_what_is_not_used():
    x = leaf(3)
    return torch.autograd.grad(x * x, [x, leaf(1)])


@mutant(
    kills="test_autograd_grad_returns_gradients_and_stores_none",
    witness=lambda: raises(RuntimeError, grad_of_what_is_not_used),
)
def autograd_grad_allows_what_is_not_used(patch):
    """`torch.autograd.grad` returns None for a tensor that was not used."""
    change_autograd_grad(patch, lambda call, *args, **options: call(*args, **options, allow_unused=True))


def grad_of_a_retained_result():
    x = leaf(3)
    square = x * x
    square.retain_grad()
    torch.autograd.grad(2 * square, x)
    return square


def is_retained():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return grad_of_a_retained_result().grad is not None


@mutant(
    kills="test_autograd_grad_returns_gradients_and_stores_none",
    witness=is_retained,
    raises=(UserWarning, AttributeError),
)
def autograd_grad_leaves_every_grad_alone(patch):
    """`torch.autograd.grad` does not fill the `.grad` of a result that was told to `retain_grad()`."""
    forget = torch.Tensor.retain_grad
    patch.setattr(
        torch.Tensor, "retain_grad", lambda tensor: None if "Mul" in tensor.grad_fn.name() else forget(tensor)
    )


def grad_of_a_line():
    x = leaf(2)
    return torch.autograd.grad(3 * x, x, create_graph=True)[0].requires_grad


@mutant(kills="test_create_graph_makes_the_gradient_differentiable", witness=lambda: not grad_of_a_line())
def create_graph_makes_a_graph_of_a_constant(patch):
    """With `create_graph=True` a constant gradient has a graph, too."""

    def change(call, y, x, *args, create_graph=False, **options):
        found = call(y, x, *args, create_graph=create_graph, **options)
        return [grad if grad.requires_grad else grad + 0 * x for grad in found] if create_graph else found

    change_autograd_grad(patch, change)


@mutant(
    kills="test_which_dtypes_can_require_grad",
    witness=lambda: torch.empty(2, dtype=torch.bfloat16, requires_grad=True).requires_grad,
)
def requires_grad_is_ignored_by_bfloat16(patch):
    """A bfloat16 tensor cannot require grad."""
    change_result(patch, "empty", change=lambda x: x.detach() if x.dtype == torch.bfloat16 else x)


@mutant(
    kills="test_backward_of_a_vector_raises",
    witness=lambda: raises(RuntimeError, (leaf(1, 2) * 2)[:0].backward),
)
def backward_of_nothing_is_silent(patch):
    """`backward` of a tensor without numbers does nothing, silently."""

    def change(call, tensor, weights, retain):
        if tensor.numel():
            call(tensor, weights, retain)

    change_backward(patch, change)


@mutant(
    kills="test_backward_of_a_vector_takes_a_weight_for_each_number",
    witness=lambda: raises(RuntimeError, (leaf(1, 2) * 2).backward, torch.ones(1)),
)
def backward_broadcasts_its_weights(patch):
    """`backward` stretches weights to the shape of its tensor."""

    def change(call, tensor, weights, retain):
        call(tensor, weights if weights is None else weights.expand_as(tensor), retain)

    change_backward(patch, change)


def grad_of_weights():
    weights = leaf(1, 10)
    (leaf(1, 2) * 2).backward(weights)
    return weights.grad


@mutant(
    kills="test_backward_of_a_vector_takes_a_weight_for_each_number",
    witness=lambda: grad_of_weights() is None,
)
def backward_differentiates_its_weights(patch):
    """`y.backward(weights)` gives weights that require grad a gradient, too."""

    def change(call, tensor, weights, retain):
        call(tensor if weights is None else (weights * tensor).sum(), None, retain)

    change_backward(patch, change)


@mutant(
    kills="test_requires_grad_on_a_loss_trains_nothing",
    witness=lambda: not raises(RuntimeError, leaf(3).backward),
    raises=RuntimeError,
)
def backward_of_a_leaf_raises(patch):
    """`backward` of a leaf raises RuntimeError, also if the leaf requires grad."""

    def change(call, tensor, weights, retain):
        if tensor.is_leaf:
            raise RuntimeError("element 0 of tensors does not require grad and does not have a grad_fn")
        call(tensor, weights, retain)

    change_backward(patch, change)


@mutant(
    kills="test_detach_cuts_the_graph_and_shares_the_memory",
    witness=lambda: (x := torch.ones(2)).clone() is not x,
)
def clone_of_a_detached_tensor_is_no_copy(patch):
    """`clone` returns the tensor itself."""
    patch.function("clone", change=lambda call, x, **options: x)


@mutant(
    kills="test_a_leaf_that_requires_grad_cannot_be_changed_in_place",
    witness=lambda: not leaf(1, 2).requires_grad_(False).requires_grad,
    raises=RuntimeError,
)
def leaf_cannot_be_unmarked(patch):
    """`requires_grad_(False)` of a leaf that requires grad raises, as an in-place operation."""

    def change(call, x, flag=True):
        if is_marked_leaf(x) and not flag:
            raise RuntimeError("a leaf Variable that requires grad is being used in an in-place operation")
        return call(x, flag)

    patch.function("requires_grad_", change=change)


@mutant(
    kills="test_an_in_place_change_of_a_saved_value_is_caught",
    witness=lambda: version_after(lambda x: x.mul_(1)) == 1,
)
def version_is_not_raised_by_a_change_of_nothing(patch):
    """`mul_(1)` does not raise the version counter."""
    patch.function("mul_", change=lambda call, x, by: x if by == 1 else call(x, by))


@mutant(
    kills="test_a_row_of_a_loop_cannot_be_changed_in_place",
    witness=lambda: raises(RuntimeError, (leaf(1, 2) * 2).split(1)[0].add_, 1),
)
def split_gives_views_one_by_one(patch):
    """`split` makes its pieces one after the other, by indexing."""
    patch.function("split", change=lambda call, x, size, dim=0: [x[at : at + size] for at in range(0, len(x), size)])


@mutant(
    kills="test_an_in_place_operation_raises_the_version_counter",
    witness=lambda: version_after(lambda x: x.unsqueeze_(0)) == 1,
)
def version_is_not_raised_by_unsqueeze(patch):
    """`unsqueeze_`, which writes no number, does not raise the version counter."""

    def change(call, x, dim):
        x.data = x.data.unsqueeze(dim)
        return x

    patch.function("unsqueeze_", change=change)


def slope_after_a_write_by_numpy():
    x = leaf(0, 0)
    y = x.exp()
    y.detach().numpy()[:] = 7
    y.sum().backward()
    return x.grad.tolist()


@mutant(
    kills="test_a_write_through_numpy_makes_the_gradient_silently_wrong",
    witness=lambda: slope_after_a_write_by_numpy() == [7, 7],
)
def numpy_of_a_result_is_a_copy(patch):
    """`Tensor.numpy` is a copy."""
    numpy = torch.Tensor.numpy
    patch.setattr(torch.Tensor, "numpy", lambda tensor, **options: numpy(tensor, **options).copy())


def version_after_a_step(**options):
    weight = torch.nn.Parameter(torch.ones(2))
    weight.grad = torch.ones(2)
    torch.optim.SGD([weight], lr=1.0, **options).step()
    return weight._version


@mutant(
    kills="test_a_fused_optimizer_makes_the_gradient_silently_wrong",
    witness=lambda: version_after_a_step(fused=True) == 0,
)
def fused_optimizers_count_their_writes(patch):
    """Optimizers with `fused=True` raise the version counter, as the others do."""

    def change(this, call, *args, fused=None, **options):
        call(*args, **options)

    for optimizer in (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD):
        patch.method(optimizer, "__init__", change)


@mutant(
    kills="test_a_fused_optimizer_makes_the_gradient_silently_wrong",
    witness=lambda: version_after_a_step(fused=False) > 0,
)
def optimizers_never_count_their_writes(patch):
    """Optimizers do not raise the version counter, fused or not."""

    def change(this, call, *args, fused=None, **options):
        call(*args, fused=True, **options)

    for optimizer in (torch.optim.Adam, torch.optim.SGD):
        patch.method(optimizer, "__init__", change)


@mutant(
    kills="test_where_does_not_keep_nan_out_of_the_gradient",
    witness=lambda: slope_of_sqrt() == [True, False],
)
def sqrt_has_a_finite_slope_at_zero(patch):
    """The gradient of sqrt at 0 is finite."""
    patch.function("sqrt", change=lambda call, x: call(x) if x.detach().min() > 0 else call(x + 1e-30))


@mutant(
    kills="test_detect_anomaly_names_the_operation_that_made_nan",
    witness=lambda: slope(torch.sqrt, 0, 4) == [float("inf"), 0.25],
)
def infinity_becomes_a_number_in_a_gradient(patch):
    """`backward` puts the largest number into a gradient for infinity."""

    def change(call, tensor, weights, retain):
        found = leaves(tensor)
        call(tensor, weights, retain)
        for x in found:
            x.grad.nan_to_num_(nan=float("nan"))

    change_backward(patch, change)


@mutant(
    kills="test_versions_are_not_texts",
    witness=lambda: type(torch.__version__)("2.10.0+cpu") > "2.10.0",
)
def version_ignores_its_local_label(patch):
    """`torch.__version__` compares without what follows the "+"."""
    kind = type(torch.__version__)
    compare = kind._cmp_wrapper

    def change(version, other, method):
        return compare(kind(str(version).partition("+")[0]), other, method)

    patch.setattr(kind, "_cmp_wrapper", change)


def threads_seen_by_two():
    before = torch.get_num_threads()
    with ThreadPoolExecutor(1) as other:
        other.submit(torch.set_num_threads, before + 3).result()
    return torch.get_num_threads() == before


@mutant(kills="test_the_number_of_threads_can_be_asked_for_and_set", witness=threads_seen_by_two)
def threads_are_one_number_for_all(patch):
    """`set_num_threads` holds for every Python thread."""
    last, set_num_threads = [torch.get_num_threads()], torch.set_num_threads

    def change(number):
        last[:] = [number]
        set_num_threads(number)

    patch.setattr(torch, "set_num_threads", change)
    patch.setattr(torch, "get_num_threads", lambda: last[0])


def calls_of_an_addition(use_reentrant=False):
    calls = []
    call = torch.utils.checkpoint.checkpoint
    call(lambda x: (calls.append(x), x + 1)[1], leaf(3), use_reentrant=use_reentrant).backward()
    return len(calls)


@mutant(kills=CHECKPOINT, witness=lambda: calls_of_an_addition(use_reentrant=True) == 2)
def checkpoint_never_goes_the_old_way(patch):
    """`checkpoint(..., use_reentrant=True)` does what it does with `use_reentrant=False`."""
    original = torch.utils.checkpoint.checkpoint

    def broken(function, *args, **options):
        return original(function, *args, **{**options, **({"use_reentrant": False} if options else {})})

    patch.everywhere(original, broken)


@mutant(kills=CHECKPOINT, witness=lambda: calls_of_an_addition() == 1)
def checkpoint_calls_an_addition_twice(patch):
    """`checkpoint` calls its function a second time even if nothing was saved."""
    original = torch.utils.checkpoint.checkpoint

    def broken(function, *args, **options):
        result = original(function, *args, **options)
        if "Add" in result.grad_fn.name():
            function(*args)
        return result

    patch.everywhere(original, broken)


@mutant(kills=ATAN2, witness=lambda: slope_of_atan2(1e-30, 1e-30) == (0, 0))
def atan2_is_steep_near_the_origin(patch):
    """The gradient of `atan2` near the origin is large, as in truth."""

    def change(call, y, x):
        near = ((y != 0) & (y.abs() < 1e-20)).detach()
        return call(y, x) + torch.where(near, (y - y.detach()) * 1e10, torch.zeros_like(y))

    patch.function("atan2", change=change)


@mutant(kills=COMPILE, witness=lambda: torch.compile(plus_one, disable=True) is plus_one)
def compile_wraps_what_it_leaves_alone(patch):
    """`torch.compile(function, disable=True)` returns another function that does the same."""
    patch.around(torch, "compile", lambda call, function, **options: lambda *args: function(*args))


@mutant(
    kills="test_a_float32_sum_is_right_within_its_rounding",
    witness=lambda: torch.full((2,), 3e38).sum() == float("inf"),
)
def sum_stops_at_the_largest_number(patch):
    """A sum that is too large for float32 is the largest number of float32."""
    change_result(patch, "sum", change=lambda result: result.clamp(max=torch.finfo(torch.float32).max))


def solve_singular():
    return torch.linalg.solve(torch.ones(2, 2), torch.ones(2))


@mutant(
    kills="test_solve_finds_the_exact_solution_where_no_step_rounds",
    witness=lambda: error_of(solve_singular) is not None,
)
def solve_finds_something_for_singular_equations(patch):
    """`torch.linalg.solve` of a singular matrix finds a solution of least squares."""

    def change(call, a, b):
        try:
            return call(a, b)
        except RuntimeError:
            return torch.linalg.pinv(a) @ b

    patch.function("linalg_solve", change=change)


def gradcheck_in_float32():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.autograd.gradcheck(torch.sin, leaf(0.3, -1.2))


@mutant(
    kills="test_backward_agrees_with_finite_differences",
    witness=lambda: raises(GradcheckError, gradcheck_in_float32),
)
def gradcheck_computes_in_float64(patch):
    """`gradcheck` of a float32 tensor computes in float64."""
    gradcheck = torch.autograd.gradcheck

    def broken(function, x):
        return gradcheck(function, x.detach().double().requires_grad_() if isinstance(x, torch.Tensor) else x)

    patch.setattr(torch.autograd, "gradcheck", broken)


def overflowing_chain():
    return torch.tensor(3.0, dtype=torch.float64).exp().exp().exp()


@mutant(
    kills="test_backward_agrees_with_finite_differences_for_every_chain",
    witness=lambda: overflowing_chain() == float("inf"),
)
def exp_stops_at_the_largest_number(patch):
    """exp of a number that is too large is the largest number."""
    change_result(patch, "exp", change=lambda y: y.clamp(max=torch.finfo(y.dtype).max))


def slightly_off(x):
    return x * x + 1e-4 * (x * x).detach()


@mutant(
    kills="test_gradcheck_finds_a_wrong_backward",
    witness=lambda: torch.autograd.gradcheck(slightly_off, double_leaf(1.0, 2.0)),
    raises=GradcheckError,
)
def gradcheck_notices_a_hundredth_of_a_percent(patch):
    """`gradcheck` has a relative tolerance of a millionth."""
    patch.around(torch.autograd, "gradcheck", lambda call, function, x: call(function, x, rtol=1e-6))


@mutant(
    kills="test_the_numpy_bridge_is_there",
    witness=lambda: raises(ValueError, torch.from_numpy, np.ones(2, np.float32)[::-1]),
)
def bridge_copies_what_runs_backwards(patch):
    """`torch.from_numpy` of a reversed array makes a tensor of a copy."""
    from_numpy = torch.from_numpy
    patch.setattr(torch, "from_numpy", lambda a: from_numpy(a.copy() if min(a.strides, default=0) < 0 else a))


@mutant(
    kills="test_the_numpy_bridge_is_there",
    witness=lambda: raises(ValueError, torch.from_numpy, np.ones(2, ">f4" if np.little_endian else "<f4")),
)
def bridge_swaps_bytes(patch):
    """`torch.from_numpy` of an array in foreign byte order makes a tensor of its numbers."""
    from_numpy = torch.from_numpy
    patch.setattr(torch, "from_numpy", lambda a: from_numpy(a.astype(a.dtype.newbyteorder("="))))


def is_recorded_when_recording_is_off():
    with torch.set_grad_enabled(False):
        return (leaf(1) * 2).requires_grad


@mutant(
    kills="test_only_what_depends_on_requires_grad_is_recorded",
    witness=lambda: not is_recorded_when_recording_is_off(),
)
def recording_cannot_be_switched_off(patch):
    """`torch.set_grad_enabled` changes nothing."""
    patch.setattr(torch, "set_grad_enabled", lambda mode: contextlib.nullcontext())


@mutant(
    kills="test_only_leaves_keep_their_gradient",
    witness=lambda: not warns(lambda: (leaf(1) > 0).grad),
    raises=UserWarning,
)
def grad_of_a_mask_warns(patch):
    """Asking for the gradient of a comparison warns, as for any result."""

    def change(tensor, value):
        if tensor.dtype == torch.bool:
            warnings.warn("The .grad attribute of a Tensor that is not a leaf Tensor is being accessed", stacklevel=3)
        return value

    change_property(patch, "grad", change)


def grad_of_a_result_aside():
    a, b = leaf(3), leaf(5)
    aside = b * 2
    aside.retain_grad()
    torch.autograd.grad(a * aside, a)
    return aside.grad


@mutant(
    kills="test_autograd_grad_returns_gradients_and_stores_none",
    witness=lambda: grad_of_a_result_aside() is None,
)
def autograd_grad_fills_what_lies_aside(patch):
    """`torch.autograd.grad` fills the `.grad` of every result that was told to `retain_grad()`."""
    retained = []
    patch.function("retain_grad", change=lambda call, x: (retained.append(x), call(x))[1])

    def change(call, *args, **options):
        found = call(*args, **options)
        for tensor in retained:
            if tensor.grad is None:
                tensor.grad = torch.zeros_like(tensor)
        return found

    change_autograd_grad(patch, change)


def inferred():
    with torch.inference_mode():
        return leaf(1) * 2


@mutant(
    kills="test_requires_grad_on_a_loss_trains_nothing",
    witness=lambda: raises(RuntimeError, inferred().requires_grad_),
)
def requires_grad_takes_inference_tensors(patch):
    """`requires_grad_()` of a tensor from `inference_mode` gives a tensor that requires grad."""

    def change(call, x, flag=True):
        return call(x.clone() if x.is_inference() else x, flag)

    patch.function("requires_grad_", change=change)


@mutant(
    kills="test_requires_grad_on_a_loss_trains_nothing",
    witness=lambda: raises(RuntimeError, torch.tensor(1).requires_grad_),
)
def requires_grad_takes_whole_numbers(patch):
    """`requires_grad_()` of a whole number gives a float32 tensor that requires grad."""
    patch.function("requires_grad_", change=lambda call, x, flag=True: call(x.float() if is_whole(x) else x, flag))


@mutant(
    kills="test_an_in_place_change_of_a_value_that_was_not_saved_is_fine",
    witness=lambda: raises(RuntimeError, slope, lambda x: (y := x * 1).mul_(y), 3),
)
def in_place_square_saves_a_copy(patch):
    """`y.mul_(y)` saves a copy of its factor, and `backward` is right."""
    patch.function("mul_", change=lambda call, x, by: call(x, by.clone() if isinstance(by, torch.Tensor) else by))


def rows_doubled_under_no_grad():
    y = leaf(1, 2) * 1
    with torch.no_grad():
        for row in y:
            row.mul_(2)
    return y.tolist()


@mutant(
    kills="test_a_row_of_a_loop_cannot_be_changed_in_place",
    witness=lambda: rows_doubled_under_no_grad() == [2, 4],
    raises=RuntimeError,
)
def rows_cannot_be_written_under_no_grad(patch):
    """A write to a row of a loop raises under `no_grad`, too."""

    def change(call, x, by):
        if x._is_view() and not torch.is_grad_enabled():
            raise RuntimeError("Output 0 of UnbindBackward0 is a view and is being modified inplace")
        return call(x, by)

    patch.function("mul_", change=change)


def threads_of_a_later_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(before + 2)
    try:
        with ThreadPoolExecutor(1) as later:
            return later.submit(torch.get_num_threads).result() - before
    finally:
        torch.set_num_threads(before)


@mutant(kills="test_the_number_of_threads_can_be_asked_for_and_set", witness=lambda: threads_of_a_later_thread() == 2)
def threads_start_with_one(patch):
    """A thread made later has one thread to compute with until it sets a number of its own."""
    here, mine = threading.get_ident(), threading.local()
    set_num_threads, get_num_threads = torch.set_num_threads, torch.get_num_threads

    def change(number):
        mine.number = number
        set_num_threads(number)

    patch.setattr(torch, "set_num_threads", change)
    patch.setattr(
        torch,
        "get_num_threads",
        lambda: get_num_threads() if threading.get_ident() == here or hasattr(mine, "number") else 1,
    )


def solve_hidden():
    return torch.linalg.solve(torch.tensor([[237.0**2, 237.0], [237.0, 1.0]]), torch.ones(2))


@mutant(
    kills="test_solve_finds_the_exact_solution_where_no_step_rounds",
    witness=lambda: error_of(solve_hidden) is None,
    raises=RuntimeError,
)
def solve_looks_at_the_rank(patch):
    """`torch.linalg.solve` raises for a singular matrix even if a rounding hides it."""

    def change(call, a, b):
        if np.linalg.matrix_rank(a.detach().cpu().numpy()) < len(a):
            raise RuntimeError("torch.linalg.solve: The solver failed because the input matrix is singular.")
        return call(a, b)

    patch.function("linalg_solve", change=change)


@mutant(kills="test_versions_are_not_texts", witness=lambda: type(torch.version.__version__) is str)
def version_is_a_version_in_both_places(patch):
    """`torch.version.__version__` compares as a version, as `torch.__version__` does."""
    patch.setattr(torch.version, "__version__", torch.__version__)


@mutant(
    kills="test_backward_of_a_vector_raises",
    witness=lambda: not raises(RuntimeError, (leaf(3) * 2).reshape(1, 1).backward),
    raises=RuntimeError,
)
def backward_refuses_a_matrix_of_one(patch):
    """`backward()` of a tensor of shape (1, 1) raises."""

    def change(call, tensor, weights, retain):
        if tensor.dim() > 1 and weights is None:
            raise RuntimeError("grad can be implicitly created only for scalar outputs")
        call(tensor, weights, retain)

    change_backward(patch, change)


# What is no leaf, hidden states, steps, roots and functions of one's own


@mutant(
    kills=(
        "test_what_is_computed_from_a_leaf_is_no_leaf",
        "test_a_weight_that_is_computed_anew_loses_its_gradient",
    ),
    witness=quiet(lambda: (leaf(1) * 1).grad is None),
)
def results_have_a_gradient_of_zero(patch):
    """The `.grad` of a result is zeros and not None."""
    change_property(
        patch,
        "grad",
        lambda x, grad: torch.zeros_like(x) if grad is None and x.requires_grad and not x.is_leaf else grad,
    )


@mutant(
    kills="test_what_is_computed_from_a_leaf_is_no_leaf",
    witness=lambda: raises(ValueError, torch.optim.SGD, [leaf(1) * 1], lr=0.1),
)
def optimizers_take_results(patch):
    """An optimizer takes a result of a computation, and changes it in each step."""
    add = torch.optim.Optimizer.add_param_group

    def broken(self, group):
        group["params"] = [x if x.is_leaf else x.detach() for x in group["params"]]
        add(self, group)

    patch.setattr(torch.optim.Optimizer, "add_param_group", broken)


@mutant(
    kills="test_a_weight_that_is_computed_anew_loses_its_gradient",
    witness=lambda: recorded_without_recording() is False,
)
def differences_under_no_grad_require_grad(patch):
    """A difference that is computed under `no_grad` requires grad, as its minuend does."""

    def broken(call, a, *rest, **options):
        y = call(a, *rest, **options)
        return y if torch.is_grad_enabled() or not a.requires_grad else y.requires_grad_()

    patch.function("sub", "__sub__", change=broken)


def recorded_without_recording():
    with torch.no_grad():
        return (leaf(1) - 1).requires_grad


def graph_of_the_last_batch():
    """Whether a second backward through what an RNNCell made of its own state raises."""
    cell = torch.nn.RNNCell(1, 1)
    hidden = cell(torch.ones(1))
    hidden.sum().backward()
    return raises(RuntimeError, cell(torch.ones(1), hidden).sum().backward)


@mutant(kills="test_a_hidden_state_brings_the_graph_of_the_last_batch", witness=graph_of_the_last_batch)
def cells_detach_the_state_they_are_given(patch):
    """An RNNCell computes with a detached state, so that each call has a graph of its own."""
    forward = torch.nn.RNNCell.forward
    patch.setattr(
        torch.nn.RNNCell, "forward", lambda self, x, hx=None: forward(self, x, None if hx is None else hx.detach())
    )


def version_after_two_steps():
    x = leaf(1, 2)
    x.grad = torch.ones(2)
    torch.optim.SGD([x], lr=0.1).step()
    torch.optim.Adam([x], lr=0.1).step()
    return x._version


@mutant(kills="test_a_step_before_the_second_backward_is_caught", witness=lambda: version_after_two_steps() == 2)
def steps_are_not_counted(patch):
    """`step` changes the weights without raising their version."""

    def step(self, closure=None):
        for group in self.param_groups:
            for x in group["params"]:
                x.data.sub_(x.grad, alpha=group["lr"])

    patch.setattr(torch.optim.SGD, "step", step)
    patch.setattr(torch.optim.Adam, "step", step)


@mutant(
    kills="test_floor_division_raises_in_backward_only",
    witness=lambda: raises(RuntimeError, (leaf(7, 5) // 2.3).sum().backward),
)
def floor_division_has_the_slope_zero(patch):
    """`//` has the gradient 0, as `floor` has."""
    patch.function("floor_divide", "__floordiv__", change=lambda call, a, b: (a / b).floor())


@mutant(
    kills="test_floor_division_raises_in_backward_only",
    witness=lambda: torch.div(torch.tensor(1.0), 0.1, rounding_mode="floor").item() == 9,
)
def floor_of_the_rounded_quotient(patch):
    """`torch.div` with `rounding_mode="floor"` rounds the quotient twice: to a float32, and down."""

    def change(call, a, b, rounding_mode=None):
        return call(a, b).floor() if rounding_mode == "floor" else call(a, b, rounding_mode=rounding_mode)

    patch.function("div", change=change)


@mutant(
    kills="test_the_root_of_a_sum_of_squares_has_no_slope_at_zero",
    witness=lambda: slope(torch.Tensor.norm, 0, 0) == [0, 0],
)
def norm_is_the_root_of_a_sum(patch):
    """`norm` is computed as the root of the sum of squares, and has no slope at 0."""
    patch.function("norm", change=lambda call, x, *args, **kwargs: (x * x).sum().sqrt())


class Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, times=2):
        return x * times

    @staticmethod
    def backward(ctx, grad):
        return grad * 2, None


@mutant(
    kills="test_a_function_of_your_own_is_called_by_apply",
    witness=quiet(lambda: raises(RuntimeError, Double(), leaf(1))),
)
def functions_can_be_called(patch):
    """An object of a Function can be called, as in PyTorch 1.2."""
    patch.setattr(torch.autograd.Function, "__call__", lambda self, *args: type(self).apply(*args))


@mutant(kills="test_apply_takes_arguments_by_name", witness=lambda: Double.apply(leaf(1), times=2).item() == 2)
def apply_takes_arguments_by_position_alone(patch):
    """`apply` refuses arguments by name, as up to torch 2.12."""
    apply = torch.autograd.Function.apply.__func__

    def broken(cls, *args, **kwargs):
        assert not kwargs, "apply() takes no keyword arguments"
        return apply(cls, *args)

    patch.setattr(torch.autograd.Function, "apply", classmethod(broken))


@mutant(
    kills="test_a_tensor_hook_sees_and_replaces_a_gradient",
    witness=lambda: gradient_behind_a_hook() == 1,
)
def hooks_of_tensors_only_look(patch):
    """What a hook of a tensor returns is ignored."""

    def change(call, tensor, hook):
        return call(tensor, lambda gradient: hook(gradient) and None)

    patch.around(torch.Tensor, "register_hook", change)


def gradient_behind_a_hook(hook=lambda gradient: gradient.clamp(max=1.0)):
    x = torch.ones(1, requires_grad=True)
    y = x * 1
    y.register_hook(hook)
    (y * 5).backward()
    return x.grad.item()


@mutant(
    kills="test_a_tensor_hook_sees_and_replaces_a_gradient",
    witness=lambda: gradient_behind_a_hook(lambda gradient: None) == 5,
)
def a_hook_without_a_result_stops_the_gradient(patch):
    """A hook that returns None makes the gradient 0."""

    def change(call, tensor, hook):
        def stopping(gradient):
            result = hook(gradient)
            return torch.zeros_like(gradient) if result is None else result

        return call(tensor, stopping)

    patch.around(torch.Tensor, "register_hook", change)


# Functions of your own, `out=`, and what has no gradient yet


class Marking(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.mark_dirty(x)
        return x.mul_(2)

    @staticmethod
    def backward(ctx, grad):
        return grad * 2


class Passing(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x

    @staticmethod
    def backward(ctx, grad):
        return grad


class Squaring(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, grad):
        return 2 * ctx.saved_tensors[0] * grad


class Rounding(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        rounded = x.round()
        ctx.mark_non_differentiable(rounded)
        return rounded

    @staticmethod
    def backward(ctx, grad):
        return grad


def change_of_a_saved_input():
    x = leaf(3.0) * 1
    square = Squaring.apply(x)
    x.mul_(2)
    square.backward()


@mutant(
    kills="test_a_function_of_your_own_marks_what_it_changes",
    witness=lambda: raises(RuntimeError, Marking.apply, leaf(1.0)),
)
def marks_of_dirty_inputs_are_ignored(patch):
    """`ctx.mark_dirty` of a Function of one's own does nothing."""
    patch.setattr(torch.autograd.function.FunctionCtx, "mark_dirty", lambda ctx, *tensors: None)


@mutant(
    kills="test_a_view_from_a_function_of_your_own_cannot_be_changed_in_place",
    witness=lambda: raises(RuntimeError, lambda: Passing.apply(leaf(1.0)).add_(1)),
)
def functions_return_copies(patch):
    """What a Function of one's own returns is a copy and may be changed in place."""
    apply = torch.autograd.Function.apply.__func__

    def broken(cls, *args, **kwargs):
        result = apply(cls, *args, **kwargs)
        return result.clone() if isinstance(result, torch.Tensor) else result

    patch.setattr(torch.autograd.Function, "apply", classmethod(broken))


@mutant(
    kills="test_save_for_backward_notices_an_in_place_change",
    witness=lambda: raises(RuntimeError, change_of_a_saved_input),
)
def saved_inputs_are_copies(patch):
    """`ctx.save_for_backward` keeps copies, which no in-place change reaches."""
    save = torch.autograd.function.FunctionCtx.save_for_backward

    def broken(ctx, *tensors):
        save(ctx, *(tensor.clone() if isinstance(tensor, torch.Tensor) else tensor for tensor in tensors))

    patch.setattr(torch.autograd.function.FunctionCtx, "save_for_backward", broken)


@mutant(
    kills="test_a_result_that_is_marked_has_no_gradient",
    witness=lambda: not Rounding.apply(leaf(1.5)).requires_grad,
)
def marks_of_results_are_ignored(patch):
    """`ctx.mark_non_differentiable` of a Function of one's own does nothing."""
    patch.setattr(torch.autograd.function.FunctionCtx, "mark_non_differentiable", lambda ctx, *tensors: None)


@mutant(
    kills="test_out_takes_no_gradient",
    witness=lambda: raises(RuntimeError, torch.add, leaf(1.0), 1, out=torch.zeros(())),
)
def out_is_written_without_a_graph(patch):
    """A function with `out=` computes without recording, whoever requires grad."""

    def broken(call, *args, **kwargs):
        with torch.no_grad() if kwargs.get("out") is not None else contextlib.nullcontext():
            return call(*args, **kwargs)

    patch.function("add", "mm", "exp", "cat", change=broken)


@mutant(kills="test_there_is_no_gradient_before_the_first_backward", witness=lambda: leaf(1.0).grad is None)
def gradients_start_as_zeros(patch):
    """The `.grad` of a leaf is zeros before the first backward."""
    change_property(
        patch,
        "grad",
        lambda tensor, value: torch.zeros_like(tensor) if value is None and is_marked_leaf(tensor) else value,
    )


@mutant(
    kills="test_equal_maxima_share_the_gradient_or_not",
    witness=lambda: slope(lambda x: x.max(), 3.0, 3.0) == [0.5, 0.5],
)
def one_of_two_equal_maxima_gets_all(patch):
    """`x.max()` gives the whole gradient to one of two equal elements."""

    def broken(call, x, *args, **kwargs):
        return call(x, *args, **kwargs) if args or kwargs else call(x.flatten(), 0).values

    patch.function("max", change=broken)


@mutant(
    kills="test_equal_maxima_share_the_gradient_or_not",
    witness=lambda: slope(lambda x: x.max(dim=0).values, 3.0, 3.0) != [0.5, 0.5],
)
def equal_maxima_along_a_dimension_share(patch):
    """`x.max(dim=0).values` shares the gradient between two equal elements, as `amax` does."""

    def broken(call, x, *args, **kwargs):
        found = call(x, *args, **kwargs)
        if not args and "dim" not in kwargs:
            return found
        return torch.return_types.max((x.amax(*args, **kwargs), found.indices))

    patch.function("max", change=broken)
