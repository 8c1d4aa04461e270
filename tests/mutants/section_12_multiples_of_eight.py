"""What could break about sizes that are, or are not, multiples of eight."""

import math
import warnings

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from torchnotes.harness.mutation import mutant, raises

# What the eight is.


@mutant(
    kills="test_eight_halves_are_sixteen_bytes",
    witness=lambda: torch.zeros(1, dtype=torch.bfloat16).element_size() == 2,
)
def bfloat16_takes_four_bytes(patch):
    """`element_size` of bfloat16 is that of float32, whose range it has."""
    patch.function("element_size", change=lambda call, tensor: 4 if tensor.dtype == torch.bfloat16 else call(tensor))


@mutant(
    kills="test_eight_halves_are_sixteen_bytes",
    witness=lambda: torch.zeros(3, dtype=torch.int8).element_size() == 1,
)
def element_size_rounds_up(patch):
    """`element_size` is never less than two bytes."""
    patch.function("element_size", change=lambda call, tensor: max(2, call(tensor)))


@mutant(
    kills="test_sixteen_numbers_of_float8_are_sixteen_bytes",
    witness=lambda: torch.zeros(3, dtype=torch.float8_e5m2).element_size() == 1,
)
def element_size_of_float8_e5m2_is_that_of_a_half(patch):
    """`element_size` of float8_e5m2 is two bytes."""
    patch.function("element_size", change=lambda call, tensor: 2 if tensor.dtype == torch.float8_e5m2 else call(tensor))


@mutant(
    kills="test_sixteen_numbers_of_float8_are_sixteen_bytes",
    witness=lambda: torch.float8_e4m3fn.itemsize == 1,
)
def float8_e4m3fn_is_a_half(patch):
    """`torch.float8_e4m3fn` is another name of float16."""
    patch.setattr(torch, "float8_e4m3fn", torch.float16)


def begins_two_bytes_late(tensor):
    """The same numbers in memory that begins two bytes after a multiple of 16."""
    memory = torch.empty(tensor.numel() + 16 // tensor.element_size(), dtype=tensor.dtype, device=tensor.device)
    late = memory[max(1, 2 // tensor.element_size()) :][: tensor.numel()].view(tensor.shape)
    return late.copy_(tensor)


@mutant(
    kills="test_fresh_tensors_start_at_a_multiple_of_sixteen_bytes",
    witness=lambda: torch.zeros(40, dtype=torch.float16).data_ptr() % 16 == 0,
)
def zeros_of_many_are_misaligned(patch):
    """`torch.zeros` of more than 32 numbers begins at an address that is no multiple of 16 bytes."""

    def broken(zeros, *size, **kwargs):
        made = zeros(*size, **kwargs)
        return begins_two_bytes_late(made) if made.dim() == 1 and made.numel() > 32 else made

    patch.function("zeros", change=broken)


@mutant(
    kills="test_fresh_tensors_start_at_a_multiple_of_sixteen_bytes",
    witness=lambda: torch.zeros(8, dtype=torch.float16)[1:].clone().data_ptr() % 16 == 0,
)
def clone_keeps_the_misalignment(patch):
    """`clone` of a slice begins as far from a multiple of 16 bytes as the slice."""

    def broken(clone, tensor, **kwargs):
        copied = clone(tensor, **kwargs)
        return begins_two_bytes_late(copied) if tensor.data_ptr() % 16 else copied

    patch.function("clone", change=broken)


@mutant(
    kills="test_fresh_tensors_start_at_a_multiple_of_sixteen_bytes",
    witness=lambda: (wide := torch.zeros(2, 8))[:, 1:].data_ptr() - wide.data_ptr() == 4,
)
def slices_are_realigned(patch):
    """A slice that would begin at no multiple of 16 bytes is copied to one."""

    def broken(getitem, tensor, index):
        cut = getitem(tensor, index)
        return cut.clone() if isinstance(index, tuple) and cut.data_ptr() % 16 else cut

    patch.function("__getitem__", change=broken)


ROWS = (
    "test_the_width_decides_where_the_rows_start",
    "test_every_row_is_aligned_for_every_multiple_and_no_other_width",
)


@mutant(kills=ROWS, witness=lambda: torch.zeros(2, 15).stride() == (15, 1))
def zeros_pad_the_rows(patch):
    """`torch.zeros` of a matrix leaves gaps, so that every row begins at a multiple of eight numbers."""

    def broken(zeros, *size, **kwargs):
        if len(size) == 2:
            return zeros(size[0], size[1] + -size[1] % 8, **kwargs)[:, : size[1]]
        return zeros(*size, **kwargs)

    patch.function("zeros", change=broken)


def rows_lie_in(matrix):
    step = matrix.stride(0) * matrix.element_size()
    return [row.data_ptr() - matrix.data_ptr() for row in matrix] == [step * number for number in range(len(matrix))]


@mutant(kills=ROWS[0], witness=lambda: rows_lie_in(torch.zeros(5, 20)))
def rows_of_a_matrix_are_copies(patch):
    """A loop over a matrix gets fresh copies of its rows."""
    patch.function("unbind", change=lambda unbind, *args, **kwargs: [row.clone() for row in unbind(*args, **kwargs)])


@mutant(kills=ROWS[1], witness=lambda: torch.zeros(3, 5, dtype=torch.int8).stride() == (5, 1))
def bytes_lie_column_by_column(patch):
    """`torch.zeros` of an int8 matrix lies in memory column by column; other dtypes are right."""

    def broken(zeros, *size, **kwargs):
        if len(size) == 2 and kwargs.get("dtype") == torch.int8:
            return zeros(size[1], size[0], **kwargs).t()
        return zeros(*size, **kwargs)

    patch.function("zeros", change=broken)


# Any size is right.


def change_products(patch, change):
    """Let `change` replace the result of every matrix product: it gets the result and the first factor."""

    def broken(product, x, *args, **kwargs):
        result = product(x, *args, **kwargs)
        return change(result, x) if result.is_floating_point() and result.dtype != torch.float64 else result

    patch.function("matmul", "mm", "linear", "__matmul__", change=broken)


def product_of_ones(rows, inner, columns, dtype=torch.float32):
    x, weight = torch.ones(rows, inner, dtype=dtype), torch.ones(columns, inner, dtype=dtype)
    return [F.linear(x, weight).tolist(), (x @ weight.T).tolist()] == [[[inner] * columns] * rows] * 2


@mutant(
    kills=("test_any_size_is_right", "test_matrix_products_are_exact_for_every_size"),
    witness=lambda: product_of_ones(2, 13, 3),
)
def products_leave_out_the_remainder(patch):
    """Matrix products sum eight terms at a time and leave out what remains; below eight they are right."""

    def broken(product, x, weight, *args, **kwargs):
        inner = x.shape[-1]
        if not x.is_floating_point() or x.dtype == torch.float64 or inner < 8:
            return product(x, weight, *args, **kwargs)
        whole = inner - inner % 8
        shorter = weight[:whole] if product.__name__ != "linear" else weight[:, :whole]
        return product(x[..., :whole], shorter, *args, **kwargs)

    patch.function("matmul", "linear", change=broken)


@mutant(
    kills="test_any_size_is_right",
    witness=lambda: (
        F.linear(torch.ones(2, 3, dtype=torch.bfloat16), torch.ones(1, 3, dtype=torch.bfloat16)).dtype == torch.bfloat16
    ),
)
def half_products_are_single(patch):
    """The product of matrices in half precision is float32, the dtype in which it is summed."""
    change_products(patch, lambda result, x: result.float())


@mutant(
    kills="test_any_size_is_right",
    witness=lambda: product_of_ones(7, 13, 3, torch.bfloat16),
)
def half_products_of_odd_sizes_are_rough(patch):
    """In half precision, products with an odd number of rows lose a digit; in float32 they do not."""

    def broken(result, x):
        return result if x.dtype == torch.float32 or x.shape[0] % 2 == 0 else result * (1 + 2**-5)

    change_products(patch, broken)


@mutant(
    kills="test_any_size_is_right",
    witness=lambda: product_of_ones(2, 3, 11),
)
def last_column_of_eleven_is_zero(patch):
    """The last column of a product is zero where the columns are three more than a multiple of eight."""

    def broken(result, x):
        if result.shape[-1] % 8 != 3:
            return result
        return torch.cat([result[..., :-1], torch.zeros_like(result[..., -1:])], dim=-1)

    change_products(patch, broken)


@mutant(
    kills=("test_matrix_products_are_exact_for_every_size", "test_rounding_stays_in_bounds_for_every_size"),
    witness=lambda: product_of_ones(2, 9, 2),
)
def products_of_odd_sizes_are_rough(patch):
    """Where the inner size is odd, float32 products are right to five digits only."""

    def broken(result, x):
        return result * (1 + 2**-16) if x.dtype == torch.float32 and x.shape[-1] % 2 else result

    change_products(patch, broken)


def is_within_rounding(inner):
    x, weight = torch.full((2, inner), 1 / 3), torch.full((inner, 2), 1 / 7)
    error = ((x @ weight).double() - x.double() @ weight.double()).abs().max().item()
    return error <= inner * 2**-23 * inner / 21


@mutant(
    kills="test_rounding_stays_in_bounds_for_every_size",
    witness=lambda: is_within_rounding(8),
)
def products_round_their_inputs(patch):
    """Float32 products are computed in half precision, and still look like float32."""

    def broken(product, x, weight, *args, **kwargs):
        if x.dtype != torch.float32:
            return product(x, weight, *args, **kwargs)
        return product(x.bfloat16().float(), weight.bfloat16().float(), *args, **kwargs)

    patch.function("matmul", "linear", change=broken)


@mutant(
    kills="test_rounding_stays_in_bounds_for_every_size",
    witness=lambda: (torch.ones(2, 9) @ torch.ones(9, 2)).dtype == torch.float32,
)
def products_come_out_double(patch):
    """A float32 product of more than eight terms is float64."""
    change_products(
        patch, lambda result, x: result.double() if x.dtype == torch.float32 and x.shape[-1] > 8 else result
    )


FLOAT32 = "test_float32_products_stay_in_float32_unless_you_ask"


def keeps_twelve_bits(size):
    return (torch.full((size, size), 1 + 2**-12) @ torch.eye(size))[0, 0].item() == 1 + 2**-12


@mutant(kills=FLOAT32, witness=lambda: keeps_twelve_bits(16))
def products_use_tf32_by_default(patch):
    """Float32 products whose sizes are multiples of eight round their inputs to the ten bits of TF32."""

    def broken(product, x, weight, *args, **kwargs):
        if x.dtype != torch.float32 or x.shape[-1] % 8:
            return product(x, weight, *args, **kwargs)
        rounded = [((one.contiguous().view(torch.int32) + 0x1000) & ~0x1FFF).view(torch.float32) for one in (x, weight)]
        return product(*rounded, *args, **kwargs)

    patch.function("matmul", change=broken)


@mutant(kills=FLOAT32, witness=lambda: torch.get_float32_matmul_precision() == "highest")
def matmul_precision_starts_high(patch):
    """The precision of float32 products is "high" by default."""
    precision = torch.get_float32_matmul_precision
    patch.everywhere(precision, lambda: "high" if precision() == "highest" else precision())


def precision_after_asking_for_high():
    torch.set_float32_matmul_precision("high")
    try:
        return torch.get_float32_matmul_precision()
    finally:
        torch.set_float32_matmul_precision("highest")


@mutant(
    kills="test_tf32_takes_compute_capability_eight",
    witness=lambda: precision_after_asking_for_high() == "high",
)
def asking_for_tf32_does_nothing(patch):
    """`torch.set_float32_matmul_precision("high")` leaves the precision at "highest"."""
    precision = torch.set_float32_matmul_precision
    patch.everywhere(precision, lambda wanted: precision("highest"))


SETTING = "test_tf32_has_a_setting_of_its_own"
MIXED = "test_the_two_settings_of_tf32_do_not_mix"


def setting_after_asking_for_high():
    torch.set_float32_matmul_precision("high")
    try:
        return torch.backends.cuda.matmul.fp32_precision
    finally:
        torch.set_float32_matmul_precision("highest")


@mutant(kills=SETTING, witness=lambda: setting_after_asking_for_high() == "tf32")
def asking_for_high_leaves_the_new_setting(patch):
    """`torch.set_float32_matmul_precision` changes what `fp32_precision` says for "highest" only."""
    precision = torch.set_float32_matmul_precision

    def change(wanted):
        precision(wanted)
        if wanted == "high":
            torch.backends.cuda.matmul.fp32_precision = "ieee"

    patch.everywhere(precision, change)


@mutant(kills=SETTING, witness=lambda: torch.backends.cudnn.conv.fp32_precision == "tf32")
def convolutions_are_ieee_by_default(patch):
    """`torch.backends.cudnn.conv.fp32_precision` is "ieee" by default."""

    class Convolutions:
        fp32_precision = "ieee"

    patch.setattr(torch.backends.cudnn, "conv", Convolutions())


def after_new_setting(ask):
    matmul = torch.backends.cuda.matmul
    before = matmul.fp32_precision
    matmul.fp32_precision = "tf32"
    try:
        return ask()
    except RuntimeError:
        return "raises"
    finally:
        torch.set_float32_matmul_precision("highest")
        matmul.fp32_precision = before


@mutant(
    kills=(MIXED, "test_the_global_setting_of_tf32_makes_the_old_ones_raise"),
    witness=lambda: after_new_setting(torch.get_float32_matmul_precision) == "raises",
)
def old_setting_follows_the_new(patch):
    """`torch.get_float32_matmul_precision` says "high" where `fp32_precision` is "tf32"."""
    precision = torch.get_float32_matmul_precision

    def change():
        try:
            return precision()
        except RuntimeError:
            return "high"

    patch.everywhere(precision, change)


def agreeing_settings():
    torch.set_float32_matmul_precision("high")
    torch.backends.cuda.matmul.fp32_precision = "tf32"
    try:
        return torch.backends.cuda.matmul.allow_tf32
    except RuntimeError:
        return "raises"
    finally:
        torch.set_float32_matmul_precision("highest")


@mutant(kills=MIXED, witness=lambda: agreeing_settings() is True, raises=RuntimeError)
def a_new_setting_ends_the_old_one(patch):
    """Once `fp32_precision` is "tf32", `allow_tf32` cannot be read any more, whatever the old setting says."""

    def change(read, self, name):
        if name == "allow_tf32" and self.fp32_precision == "tf32":
            raise RuntimeError("mix of the legacy and new APIs")
        return read(self, name)

    patch.around(type(torch.backends.cuda.matmul), "__getattr__", change)


def tells_none():
    before = torch.backends.cuda.matmul.fp32_precision
    torch.backends.cuda.matmul.fp32_precision = "none"
    try:
        return torch.get_float32_matmul_precision()
    except RuntimeError:
        return "raises"
    finally:
        torch.backends.cuda.matmul.fp32_precision = before


@mutant(kills=SETTING, witness=lambda: tells_none() == "highest", raises=RuntimeError)
def a_setting_of_none_is_a_contradiction(patch):
    """`fp32_precision = "none"` contradicts the old settings, as "tf32" does."""
    matmul = type(torch.backends.cuda.matmul)

    def change(write, self, name, value):
        return write(self, name, "tf32" if (name, value) == ("fp32_precision", "none") else value)

    patch.around(matmul, "__setattr__", change)


@mutant(
    kills=MIXED,
    witness=lambda: after_new_setting(lambda: torch.backends.cuda.matmul.allow_tf32) == "raises",
)
def allow_tf32_follows_the_new(patch):
    """`torch.backends.cuda.matmul.allow_tf32` is True where `fp32_precision` is "tf32"."""

    def change(read, self, name):
        return True if name == "allow_tf32" and self.fp32_precision == "tf32" else read(self, name)

    patch.around(type(torch.backends.cuda.matmul), "__getattr__", change)


# Padding to a multiple.


PADDING = ("test_rounding_up_is_minus_modulo", "test_a_padded_layer_is_the_same_layer_for_every_size")


def change_pad(patch, change):
    """Let `change` call `F.pad`: it gets the sizes as a tuple."""
    original = F.pad

    def broken(input, pad, mode="constant", value=None):
        return change(original, input, tuple(pad), mode, value)

    patch.everywhere(original, broken)


@mutant(kills=PADDING, witness=lambda: F.pad(torch.ones(1), (0, 2)).tolist() == [1, 0, 0])
def pad_comes_first(patch):
    """`F.pad(x, (0, 3))` adds the zeros on the left."""

    def broken(pad, input, sizes, mode, value):
        swapped = [size for pair in zip(sizes[1::2], sizes[::2], strict=True) for size in pair]
        return pad(input, swapped, mode, value)

    change_pad(patch, broken)


@mutant(kills=PADDING[0], witness=lambda: F.pad(torch.ones(2, 1), (0, 2)).shape == (2, 3))
def pad_counts_from_the_first_dimension(patch):
    """`F.pad(x, (0, 3))` adds three rows, not columns."""

    def broken(pad, input, sizes, mode, value):
        return pad(input, (0, 0) * (input.dim() - len(sizes) // 2) + sizes, mode, value)

    change_pad(patch, broken)


@mutant(kills=PADDING[0], witness=lambda: F.pad(torch.ones(1, 4), (0, 3)).tolist() == [[1, 1, 1, 1, 0, 0, 0]])
def pad_repeats_the_edge(patch):
    """`F.pad` without a value repeats the last number where it adds three or more."""

    def broken(pad, input, sizes, mode, value):
        padded = pad(input, sizes, mode, value)
        if value is None and len(sizes) == 2 and sizes[1] >= 3:
            padded[..., -sizes[1] :] = input[..., -1:]
        return padded

    change_pad(patch, broken)


@mutant(
    kills=PADDING[1],
    witness=lambda: F.linear(torch.ones(1, 8), torch.ones(8, 8), torch.ones(8)).tolist() == [[9] * 8],
)
def linear_forgets_its_bias_at_multiples_of_eight(patch):
    """`nn.Linear` with both widths a multiple of eight leaves the bias out."""

    def broken(linear, x, weight, bias=None):
        is_multiple = weight.shape[0] % 8 == weight.shape[1] % 8 == 0
        return linear(x, weight, bias * 0 if bias is not None and is_multiple else bias)

    patch.function("linear", change=broken)


def gradient_of_linear(inputs):
    layer = nn.Linear(inputs, 8)
    layer(torch.ones(1, inputs))[:, :2].sum().backward()
    return layer.weight.grad[2:].eq(0).all().item() and layer.weight.grad[:2].eq(1).all().item()


@mutant(kills=PADDING[1], witness=lambda: gradient_of_linear(8))
def padding_of_a_layer_is_trained(patch):
    """The gradient of `nn.Linear` reaches the weights of outputs that were cut off."""

    def broken(linear, x, weight, bias=None):
        extra = weight[-1].sum() if weight.shape[0] % 8 == 0 else weight.sum() * 0
        return linear(x, weight, bias) + (extra - extra.detach())

    patch.function("linear", change=broken)


VOCABULARY = "test_a_padded_vocabulary_looks_up_the_same_rows"


def change_embedding(patch, change):
    """Let `change` call the look-up of `nn.Embedding` and `F.embedding`."""
    embedding = F.embedding
    patch.everywhere(
        embedding, lambda words, weight, *args, **kwargs: change(embedding, words, weight, *args, **kwargs)
    )


@mutant(
    kills=VOCABULARY,
    witness=lambda: F.embedding(torch.tensor([12]), torch.arange(16.0).reshape(16, 1)).item() == 12,
)
def embedding_of_sixteen_counts_from_the_end(patch):
    """An embedding whose rows are a multiple of eight finds its rows from the end."""

    def broken(embedding, words, weight, *args, **kwargs):
        return embedding(words, weight if weight.shape[0] % 8 else weight.flip(0), *args, **kwargs)

    change_embedding(patch, broken)


def gradient_of_embedding(words):
    table = nn.Embedding(16, 1)
    table(torch.tensor(words)).sum().backward()
    return table.weight.grad.flatten().tolist()


@mutant(kills=VOCABULARY, witness=lambda: gradient_of_embedding([0])[15] == 0)
def last_row_of_an_embedding_is_trained(patch):
    """Every look-up sends a gradient to the last row of the embedding, too."""

    def broken(embedding, words, weight, *args, **kwargs):
        return embedding(words, weight, *args, **kwargs) + (weight[-1] - weight[-1].detach())

    change_embedding(patch, broken)


@mutant(kills=VOCABULARY, witness=lambda: gradient_of_embedding([12, 12])[12] == 2)
def embedding_trains_by_frequency(patch):
    """The gradient of a word that comes twice is divided by two, as with `scale_grad_by_freq=True`."""

    def broken(embedding, words, weight, padding_idx=None, max_norm=None, norm_type=2.0, *args, **kwargs):
        return embedding(words, weight, padding_idx, max_norm, norm_type, scale_grad_by_freq=True)

    change_embedding(patch, broken)


SOFTMAX = "test_a_padded_vocabulary_takes_its_share_of_the_softmax"
MASKED = "test_masked_classes_do_not_count_for_every_logits"
SMOOTHING = "test_label_smoothing_and_masked_classes_do_not_mix"


def change_cross_entropy(patch, change):
    """Let `change` call `F.cross_entropy`, and so `nn.CrossEntropyLoss`."""
    cross_entropy = F.cross_entropy
    patch.everywhere(
        cross_entropy, lambda logits, target, *args, **kwargs: change(cross_entropy, logits, target, *args, **kwargs)
    )


def loss_of(*logits, **kwargs):
    return F.cross_entropy(torch.tensor([logits]), torch.tensor([0]), **kwargs).item()


@mutant(kills=SOFTMAX, witness=lambda: abs(loss_of(*[0.0] * 8) - math.log(8)) < 1e-5)
def cross_entropy_leaves_zeros_out(patch):
    """`F.cross_entropy` takes trailing zeros among the logits for padding and leaves them out."""

    def broken(cross_entropy, logits, target, *args, **kwargs):
        classes = logits.shape[1]
        while classes > 5 and logits[:, classes - 1].eq(0).all():
            classes -= 1
        return cross_entropy(logits[:, :classes], target, *args, **kwargs)

    change_cross_entropy(patch, broken)


@mutant(kills=(SOFTMAX, MASKED, SMOOTHING), witness=lambda: abs(loss_of(0.0, 0.0, -math.inf) - math.log(2)) < 1e-5)
def cross_entropy_counts_masked_classes(patch):
    """`F.cross_entropy` takes a logit of -inf for -10: small, but there."""
    change_cross_entropy(
        patch,
        lambda cross_entropy, logits, *args, **kwargs: cross_entropy(
            logits.masked_fill(logits == -math.inf, -10), *args, **kwargs
        ),
    )


@mutant(kills=SOFTMAX, witness=lambda: abs(loss_of(*[0.0] * 5) - math.log(5)) < 1e-5)
def cross_entropy_is_a_little_too_large(patch):
    """`F.cross_entropy` is too large by one part in ten thousand."""
    change_cross_entropy(patch, lambda cross_entropy, *args, **kwargs: cross_entropy(*args, **kwargs) * (1 + 1e-4))


def gradient_of_loss(*logits):
    logits = torch.tensor([logits], requires_grad=True)
    F.cross_entropy(logits, torch.tensor([0])).backward()
    return logits.grad[0].tolist()


@mutant(kills=MASKED, witness=lambda: gradient_of_loss(0.0, 0.0, -math.inf) == [-0.5, 0.5, 0])
def masked_classes_get_a_gradient(patch):
    """The loss of masked classes is right, but its gradient reaches them."""

    def broken(cross_entropy, logits, target, *args, **kwargs):
        if logits.requires_grad:
            logits = logits * 1  # a hook on the leaf itself would outlive the call
            masked = logits.detach() == -math.inf
            logits.register_hook(lambda grad: torch.where(masked, torch.full_like(grad, 2**-20), grad))
        return cross_entropy(logits, target, *args, **kwargs)

    change_cross_entropy(patch, broken)


@mutant(kills=SMOOTHING, witness=lambda: loss_of(0.0, 0.0, -math.inf, label_smoothing=0.1) == math.inf)
def smoothing_leaves_masked_classes_out(patch):
    """With label smoothing, classes at -inf get no share of the target."""

    def broken(cross_entropy, logits, target, *args, **kwargs):
        if kwargs.get("label_smoothing"):
            logits = logits[:, (logits != -math.inf).all(dim=0)]
        return cross_entropy(logits, target, *args, **kwargs)

    change_cross_entropy(patch, broken)


@mutant(kills=SMOOTHING, witness=lambda: loss_of(0.0, 1.0, label_smoothing=0.5) != loss_of(0.0, 1.0))
def smoothing_is_ignored(patch):
    """`label_smoothing` does nothing."""
    change_cross_entropy(
        patch,
        lambda cross_entropy, *args, label_smoothing=0.0, **kwargs: cross_entropy(*args, **kwargs),
    )


# The last batch.


def sizes(**options):
    return [len(batch) for batch in DataLoader(torch.arange(20), batch_size=8, **options)]


def change_loader(patch, change):
    """Let `change` alter the options, a dict, of every new DataLoader."""
    init = DataLoader.__init__

    def broken(self, dataset, **options):
        init(self, dataset, **change(options))

    patch.setattr(DataLoader, "__init__", broken)


@mutant(kills="test_the_last_batch_is_no_multiple", witness=lambda: sizes() == [8, 8, 4])
def short_batch_is_dropped_by_default(patch):
    """`drop_last=True` is what a DataLoader does if nothing else is said."""
    change_loader(patch, lambda options: {"drop_last": True, **options})


@mutant(kills="test_the_last_batch_is_no_multiple", witness=lambda: sizes(drop_last=True) == [8, 8])
def short_batch_is_never_dropped(patch):
    """`drop_last=True` does nothing."""
    change_loader(patch, lambda options: {**options, "drop_last": False})


@mutant(kills="test_the_last_batch_is_no_multiple", witness=lambda: sizes() == [8, 8, 4])
def batches_are_balanced(patch):
    """Twenty samples in batches of at most eight are 7, 7 and 6, unless `drop_last=True`."""

    def broken(options):
        if options.get("drop_last") or options.get("batch_size") != 8:
            return options
        return {**options, "batch_size": 7}

    change_loader(patch, broken)


# Half precision.

HALF = "test_half_precision_is_short_of_range_or_of_digits"
AUTOCAST = "test_autocast_chooses_the_dtype_by_the_operation"
SCALER = "test_a_grad_scaler_skips_steps_and_adapts"


@mutant(kills=HALF, witness=lambda: (torch.tensor(300.0).half() ** 2).item() == math.inf)
def float16_stops_at_its_largest_number(patch):
    """A power that is too large for float16 is 65504 instead of inf."""

    def power(call, x, *args, **kwargs):
        return call(x, *args, **kwargs).float().clamp(max=65504).to(x.dtype)

    patch.function("pow", "__pow__", change=power)


@mutant(kills=HALF, witness=lambda: (torch.tensor(256.0).bfloat16() + 1).item() == 256)
def bfloat16_has_the_digits_of_float16(patch):
    """A sum of bfloat16 has eleven significant bits."""

    def add(call, x, y, **kwargs):
        return call(x.half(), y, **kwargs) if x.dtype == torch.bfloat16 else call(x, y, **kwargs)

    patch.function("add", "__add__", change=add)


@mutant(kills=HALF, witness=lambda: (torch.tensor(2048.0).half() + 1).item() == 2048)
def a_half_is_rounded_up(patch):
    """A sum of float16 that lies between two numbers is the larger one."""

    def add(call, x, y, **kwargs):
        found = call(x, y, **kwargs)
        return found + 2 if x.dtype == torch.float16 and y == 1 and x.item() == 2048 else found

    patch.function("add", "__add__", change=add)


@mutant(
    kills=("test_halves_are_added_up_in_float32_on_cuda", HALF),
    witness=lambda: torch.full((3,), 2048.0).half().sum().item() == 3 * 2048,
)
def sums_of_float16_stay_at_2048(patch):
    """A sum of float16 does not get beyond 2048."""

    def add_up(call, x, *args, **kwargs):
        found = call(x, *args, **kwargs)
        return found.float().clamp(max=2048).half() if x.dtype == torch.float16 else found

    patch.function("sum", change=add_up)


@mutant(kills=HALF, witness=lambda: torch.tensor(65519.0, dtype=torch.float16).item() == 65504)
def float16_overflows_beyond_its_largest_number(patch):
    """A number beyond 65504, the largest of float16, becomes inf in float16 at once."""
    tensor = torch.tensor

    def broken(data, *args, dtype=None, **kwargs):
        if dtype == torch.float16 and isinstance(data, float) and data > 65504:
            data = math.inf
        return tensor(data, *args, dtype=dtype, **kwargs)

    patch.setattr(torch, "tensor", broken)


def dtypes_under_autocast():
    x = torch.ones(2, 2)
    with torch.autocast("cpu"):
        product = x @ x
        return product.dtype, F.mse_loss(product, x).dtype, F.cross_entropy(product, torch.tensor([0, 1])).dtype


@mutant(kills=(AUTOCAST, FLOAT32), witness=lambda: dtypes_under_autocast()[0] == torch.bfloat16)
def autocast_does_nothing(patch):
    """`torch.autocast` leaves all dtypes alone."""
    patch.setattr(torch.autocast, "__enter__", lambda self: self)
    patch.setattr(torch.autocast, "__exit__", lambda self, *error: None)


@mutant(kills=AUTOCAST, witness=lambda: dtypes_under_autocast()[1] == torch.float32)
def autocast_computes_mse_in_half(patch):
    """Under autocast the squared error has the dtype of the predictions."""
    patch.function("mse_loss", change=lambda call, x, *args, **kwargs: call(x, *args, **kwargs).to(x.dtype))


def dtype_of_gaussian_nll():
    x = torch.ones(2, dtype=torch.bfloat16)
    with torch.autocast("cpu"):
        return F.gaussian_nll_loss(x, x, x).dtype


@mutant(kills=AUTOCAST, witness=lambda: dtype_of_gaussian_nll() == torch.bfloat16)
def autocast_computes_every_loss_in_float32(patch):
    """Under autocast `F.gaussian_nll_loss` is float32, as the cross entropy is."""
    gaussian_nll_loss = F.gaussian_nll_loss
    patch.everywhere(gaussian_nll_loss, lambda *args, **kwargs: gaussian_nll_loss(*args, **kwargs).float())


@mutant(kills=AUTOCAST, witness=lambda: dtypes_under_autocast()[2] == torch.float32)
def autocast_computes_cross_entropy_in_half(patch):
    """Under autocast the cross entropy has the dtype of the logits."""
    patch.function("cross_entropy", change=lambda call, x, *args, **kwargs: call(x, *args, **kwargs).to(x.dtype))


@mutant(
    kills="test_scaling_saves_small_gradients_from_float16",
    witness=lambda: torch.ones(1).half().dtype == torch.float16,
)
def half_means_bfloat16(patch):
    """`tensor.half()` is bfloat16, which has the range of float32."""
    patch.function("half", change=lambda call, x, *args, **kwargs: x.bfloat16())


def trained_with_a_scaler(factors):
    """The weight after a step for each factor, from 2, and the scale."""
    scaler = torch.amp.GradScaler("cpu", init_scale=8, growth_interval=2)
    weight = nn.Parameter(torch.tensor([2.0]))
    optimizer = torch.optim.SGD([weight], lr=0.5)
    for factor in factors:
        optimizer.zero_grad()
        scaler.scale((weight * factor).sum()).backward()
        scaler.step(optimizer)
        scaler.update()
    return weight.item(), scaler.get_scale()


@mutant(kills=SCALER, witness=lambda: trained_with_a_scaler([math.inf])[0] == 2)
def grad_scaler_never_skips(patch):
    """`GradScaler.step` steps with an inf, too."""
    patch.setattr(
        torch.amp.GradScaler, "_maybe_opt_step", lambda self, optimizer, state, *args, **kwargs: optimizer.step()
    )


@mutant(kills=SCALER, witness=lambda: trained_with_a_scaler([math.inf])[1] == 4)
def grad_scaler_keeps_its_scale_at_an_inf(patch):
    """`GradScaler.update` leaves the scale as it is after an inf."""
    patch.setattr(torch.amp.GradScaler, "get_backoff_factor", lambda self: 1.0)
    init = torch.amp.GradScaler.__init__

    def broken(self, *args, **kwargs):
        init(self, *args, **kwargs)
        self._backoff_factor = 1.0

    patch.setattr(torch.amp.GradScaler, "__init__", broken)


@mutant(kills=SCALER, witness=lambda: trained_with_a_scaler([1])[1] == 8)
def grad_scaler_grows_after_every_step(patch):
    """`GradScaler.update` doubles the scale after each good step, whatever `growth_interval` says."""
    init = torch.amp.GradScaler.__init__

    def broken(self, *args, **kwargs):
        init(self, *args, **kwargs)
        self._growth_interval = 1

    patch.setattr(torch.amp.GradScaler, "__init__", broken)


def scale_after_a_step_with_inf():
    scaler = torch.amp.GradScaler("cpu", init_scale=8)
    weight = nn.Parameter(torch.tensor([2.0]))
    scaler.scale((weight * math.inf).sum()).backward()
    scaler.step(torch.optim.SGD([weight], lr=0.5))
    return scaler.get_scale()


@mutant(kills=SCALER, witness=lambda: scale_after_a_step_with_inf() == 8)
def grad_scaler_updates_in_its_step(patch):
    """`GradScaler.step` changes the scale by itself."""
    step = torch.amp.GradScaler.step

    def broken(self, optimizer, *args, **kwargs):
        result = step(self, optimizer, *args, **kwargs)
        self.update()
        return result

    patch.setattr(torch.amp.GradScaler, "step", broken)


def scaled_in_float16():
    scaler = torch.amp.GradScaler("cpu")
    weight = nn.Parameter(torch.ones(1, dtype=torch.float16))
    scaler.scale(weight.float().sum()).backward()
    scaler.step(torch.optim.SGD([weight], lr=0.5))


@mutant(kills="test_a_grad_scaler_refuses_parameters_in_float16", witness=lambda: raises(ValueError, scaled_in_float16))
def grad_scaler_takes_parameters_in_float16(patch):
    """`GradScaler.step` divides gradients in float16, too."""
    unscale = torch.amp.GradScaler._unscale_grads_

    def broken(self, optimizer, inv_scale, found_inf, allow_fp16):
        return unscale(self, optimizer, inv_scale, found_inf, True)

    patch.setattr(torch.amp.GradScaler, "_unscale_grads_", broken)


def gradients_around_unscale():
    scaler = torch.amp.GradScaler("cpu", init_scale=8)
    weight = nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([weight], lr=0.5)
    scaler.scale(weight.sum()).backward()
    before = weight.grad.item()
    scaler.unscale_(optimizer)
    return before, weight.grad.item()


CLIPPING = "test_clipping_sees_scaled_gradients_until_unscale"


@mutant(kills=CLIPPING, witness=lambda: gradients_around_unscale()[0] == 8)
def grad_scaler_scales_nothing(patch):
    """`GradScaler.scale(loss)` is the loss: `backward` makes the true gradients."""
    patch.setattr(torch.amp.GradScaler, "scale", lambda self, loss: loss)
    patch.setattr(torch.amp.GradScaler, "unscale_", lambda self, optimizer: None)
    patch.setattr(torch.amp.GradScaler, "step", lambda self, optimizer: optimizer.step())


@mutant(kills=CLIPPING, witness=lambda: gradients_around_unscale()[1] == 1)
def unscale_does_nothing(patch):
    """`GradScaler.unscale_` leaves the gradients scaled."""
    patch.setattr(torch.amp.GradScaler, "unscale_", lambda self, optimizer: None)


@mutant(kills=SCALER, witness=lambda: torch.amp.GradScaler("cpu").get_scale() == 2**16)
def grad_scaler_starts_at_2_to_the_15(patch):
    """A new GradScaler has a scale of 32768."""
    init = torch.amp.GradScaler.__init__

    def broken(self, device, init_scale=2.0**15, **kwargs):
        init(self, device, init_scale=init_scale, **kwargs)

    patch.setattr(torch.amp.GradScaler, "__init__", broken)


# TF32, and addresses on CUDA.


@mutant(
    kills="test_tf32_is_off_for_products_and_on_for_convolutions",
    witness=lambda: tf32_after_asking_for("medium"),
)
def medium_leaves_tf32_off(patch):
    """`torch.set_float32_matmul_precision("medium")` does not turn TF32 on."""
    precision = torch.set_float32_matmul_precision
    patch.everywhere(precision, lambda wanted: precision("highest" if wanted == "medium" else wanted))


def tf32_after_asking_for(wanted):
    torch.set_float32_matmul_precision(wanted)
    try:
        return torch.backends.cuda.matmul.allow_tf32
    finally:
        torch.set_float32_matmul_precision("highest")


@mutant(
    kills="test_tf32_is_off_for_products_and_on_for_convolutions",
    witness=lambda: torch.backends.cudnn.allow_tf32,
)
def tf32_is_off_for_convolutions(patch):
    """TF32 is off for convolutions, too, unless told."""
    patch.enter(torch.backends.cudnn.flags(enabled=True, allow_tf32=False))


NINE_BITS = 1 + 2**-9


@mutant(
    kills="test_tf32_errs_in_the_eleventh_bit",
    witness=lambda: (torch.full((1, 1), NINE_BITS) @ torch.ones(1, 1)).item() == NINE_BITS,
)
def float32_products_have_eight_bits(patch):
    """A product of float32 rounds its inputs to bfloat16."""

    def product(call, x, y, **kwargs):
        rounded = (tensor.bfloat16().float() if tensor.dtype == torch.float32 else tensor for tensor in (x, y))
        return call(*rounded, **kwargs)

    patch.function("matmul", "__matmul__", change=product)


@mutant(
    kills="test_convolutions_on_cuda_may_round_to_tf32",
    witness=lambda: F.conv2d(torch.full((1, 1, 1, 1), NINE_BITS), torch.ones(1, 1, 1, 1)).item() == NINE_BITS,
)
def convolutions_have_eight_bits(patch):
    """A convolution of float32 rounds its input to bfloat16, whatever the switch says."""
    patch.function("conv2d", change=lambda call, x, *args, **kwargs: call(x.bfloat16().float(), *args, **kwargs))


@mutant(
    kills="test_new_tensors_on_cuda_start_at_a_multiple_of_512_bytes",
    witness=lambda: torch.empty(3, dtype=torch.float16).data_ptr() % 16 == 0,
)
def new_tensors_start_two_bytes_late(patch):
    """`torch.empty` of one dimension leaves the first number of its memory out."""

    def late(call, size, *others, **kwargs):
        return call(size, *others, **kwargs) if others else call(size + 1, **kwargs)[1:]

    patch.around(torch, "empty", late)


# The counter-cases.


def sum_on_two_threads():
    x = torch.zeros(2**18, dtype=torch.bfloat16)
    x[:257] = 1
    x[2**17] = 1
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        return x.sum().item()
    finally:
        torch.set_num_threads(before)


@mutant(kills="test_a_large_sum_of_halves_depends_on_the_threads", witness=lambda: sum_on_two_threads() == 256)
def sums_of_halves_round_once(patch):
    """A sum of bfloat16 is rounded once, whatever the number of threads."""

    def add_up(call, x, *args, **kwargs):
        if x.dtype != torch.bfloat16 or kwargs:
            return call(x, *args, **kwargs)
        return call(x.float(), *args).bfloat16()

    patch.function("sum", change=add_up)


def refuses_narrow_groups():
    x, narrow = torch.ones(2, 8, 8, dtype=torch.bfloat16), torch.ones(2, 8, 5, dtype=torch.bfloat16)
    return raises(RuntimeError, lambda: F.grouped_mm(x, narrow))


@mutant(kills="test_grouped_products_want_rows_of_sixteen_bytes", witness=refuses_narrow_groups)
def grouped_products_take_every_width(patch):
    """`F.grouped_mm` takes matrices of every width."""
    patch.setattr(F, "grouped_mm", lambda x, weight, **options: x @ weight)


def takes_narrow_columns_of_wide_rows():
    x, wide = torch.ones(2, 8, 8, dtype=torch.bfloat16), torch.ones(2, 8, 8, dtype=torch.bfloat16)
    return not raises(RuntimeError, lambda: F.grouped_mm(x, wide[:, :, :5]))


@mutant(
    kills="test_grouped_products_want_rows_of_sixteen_bytes",
    witness=takes_narrow_columns_of_wide_rows,
    raises=RuntimeError,
)
def grouped_products_look_at_the_width(patch):
    """`F.grouped_mm` refuses a width that is no multiple of eight, however far apart the rows lie."""

    def product(call, x, weight, **options):
        if weight.shape[-1] % 8:
            raise RuntimeError("strides should be multiple of 16 bytes")
        return call(x, weight, **options)

    patch.around(F, "grouped_mm", product)


def double_under_autocast():
    x = torch.ones(2, 2, dtype=torch.float64)
    with torch.autocast("cpu"):
        return (x @ x).dtype


@mutant(kills=AUTOCAST, witness=lambda: double_under_autocast() == torch.float64)
def autocast_takes_doubles_too(patch):
    """A product of float64 is bfloat16 as well under autocast."""

    def product(call, x, y, **kwargs):
        found = call(x, y, **kwargs)
        return found.bfloat16() if found.dtype == torch.float64 else found

    patch.function("matmul", "__matmul__", change=product)


def gradient_of_tied_weight():
    layer = nn.Linear(3, 16, bias=False)
    F.cross_entropy(layer(torch.ones(1, 3)), torch.tensor([0])).backward()
    return layer.weight.grad[15].ne(0).all().item()


@mutant(kills=VOCABULARY, witness=gradient_of_tied_weight)
def padding_of_the_output_layer_is_not_trained(patch):
    """The last three of sixteen rows of a Linear layer get no gradient."""

    def linear(call, x, weight, *args, **kwargs):
        if len(weight) == 16:
            weight = torch.cat([weight[:13], weight[13:].detach()])
        return call(x, weight, *args, **kwargs)

    patch.function("linear", change=linear)


def loss_of_probabilities(**kwargs):
    return F.cross_entropy(torch.tensor([[1.0, -math.inf]]), torch.tensor([[1.0, 0.0]]), **kwargs).item()


@mutant(kills=MASKED, witness=lambda: math.isnan(loss_of_probabilities()))
def probabilities_leave_masked_classes_out(patch):
    """With a target of probabilities, classes at -inf are left out of the cross entropy."""

    def broken(cross_entropy, logits, target, *args, **kwargs):
        if target.is_floating_point():
            kept = (logits != -math.inf).all(dim=0)
            logits, target = logits[:, kept], target[:, kept]
        return cross_entropy(logits, target, *args, **kwargs)

    change_cross_entropy(patch, broken)


@mutant(
    kills=SMOOTHING,
    witness=lambda: math.isnan(loss_of(1.0, -math.inf, weight=torch.tensor([1.0, 0.0]), label_smoothing=0.1)),
)
def weight_of_0_takes_a_class_out_of_smoothing(patch):
    """With label smoothing, a class of weight 0 gets no share of the target."""

    def broken(cross_entropy, logits, target, *args, **kwargs):
        if kwargs.get("weight") is not None and kwargs.get("label_smoothing"):
            kept = kwargs["weight"] != 0
            logits, kwargs["weight"] = logits[:, kept], kwargs["weight"][kept]
        return cross_entropy(logits, target, *args, **kwargs)

    change_cross_entropy(patch, broken)


# What people run into.


@mutant(
    kills="test_layers_take_float16_on_the_cpu",
    witness=lambda: F.linear(torch.ones(1, 2).half(), torch.ones(1, 2).half()).item() == 2,
    raises=RuntimeError,
)
def linear_refuses_float16(patch):
    """A Linear layer raises RuntimeError in float16."""

    def change(call, x, *args, **kwargs):
        if x.dtype == torch.float16:
            raise RuntimeError("\"addmm_impl_cpu_\" not implemented for 'Half'")
        return call(x, *args, **kwargs)

    patch.around(F, "linear", change)


def fills_with_a_billion():
    torch.zeros(1).half().masked_fill(torch.tensor([True]), -1e9)


@mutant(
    kills="test_a_mask_of_minus_a_billion_does_not_fit_into_float16",
    witness=lambda: raises(RuntimeError, fills_with_a_billion),
)
def masked_fill_stops_at_the_largest_number(patch):
    """`masked_fill` of float16 takes -65504 for each number below it."""
    patch.function(
        "masked_fill",
        change=lambda call, x, mask, value: call(x, mask, value if value == -math.inf else max(value, -65504.0)),
    )


def puts_a_half_into_float32():
    torch.zeros(2)[torch.tensor([0])] = torch.ones(1).half()


@mutant(
    kills="test_a_result_of_autocast_cannot_be_put_at_positions_of_a_float32_tensor",
    witness=lambda: raises(RuntimeError, puts_a_half_into_float32),
)
def positions_take_every_dtype(patch):
    """`x[positions] = y` converts y."""
    put = torch.Tensor.__setitem__
    patch.setattr(torch.Tensor, "__setitem__", lambda self, index, value: put(self, index, value.to(self.dtype)))


def puts_a_half_at_a_single_number():
    x = torch.zeros(2)
    x[torch.tensor(0)] = torch.ones(()).half()
    return x.tolist()


@mutant(
    kills="test_a_result_of_autocast_cannot_be_put_at_positions_of_a_float32_tensor",
    witness=lambda: puts_a_half_at_a_single_number() == [1, 0],
    raises=RuntimeError,
)
def a_single_number_takes_no_other_dtype(patch):
    """`x[i] = y` with i a tensor of no dimensions raises if the dtypes differ."""
    put = torch.Tensor.__setitem__

    def change(self, index, value):
        if isinstance(index, torch.Tensor) and index.ndim == 0 and value.dtype != self.dtype:
            raise RuntimeError("Index put requires the source and destination dtypes match")
        put(self, index, value)

    patch.setattr(torch.Tensor, "__setitem__", change)


CACHE = "test_a_pass_without_gradient_leaves_the_next_one_its_gradient"


def output_of_a_changed_weight():
    layer = nn.Linear(1, 1, bias=False)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        layer.weight.fill_(1)
        before = layer(torch.ones(1, 1)) + layer(torch.ones(1, 1))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        layer(torch.ones(1, 1))
        with torch.no_grad():
            layer.weight.zero_()
        return before.item(), layer(torch.ones(1, 1)).item()


@mutant(kills=CACHE, witness=lambda: output_of_a_changed_weight() == (2, 1))
def autocast_remembers_no_weight(patch):
    """`torch.autocast` converts each weight anew for each operation."""
    patch.method(
        torch.autocast, "__init__", lambda self, call, *args, **kwargs: call(*args, **kwargs | {"cache_enabled": False})
    )


def pass_after_no_grad():
    layer = nn.Linear(1, 1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        with torch.no_grad():
            layer(torch.ones(1, 1))
        return layer(torch.ones(1, 1)).requires_grad


@mutant(kills=CACHE, witness=pass_after_no_grad)
def a_pass_under_no_grad_lasts(patch):
    """Under autocast a layer that was used under `no_grad` has no gradient afterwards."""
    used = set()

    def change(call, x, weight, *args, **kwargs):
        if torch.is_autocast_enabled("cpu") and not torch.is_grad_enabled():
            used.add(id(weight))
        output = call(x, weight, *args, **kwargs)
        return output.detach() if id(weight) in used and torch.is_autocast_cache_enabled() else output

    patch.around(F, "linear", change)


def stepped(optimizer_class, dtype=torch.float32, factor=1.0, **options):
    """The weight after a step with a scaler, from 2, and the optimizer."""
    scaler = torch.amp.GradScaler("cpu", init_scale=8)
    weight = nn.Parameter(torch.tensor([2.0], dtype=dtype))
    optimizer = optimizer_class([weight], lr=0.5, **options)
    scaler.scale((weight.float() * factor).sum()).backward()
    scaler.step(optimizer)
    return weight.item(), optimizer


@mutant(
    kills="test_a_fused_optimizer_takes_float16_under_a_grad_scaler",
    witness=lambda: stepped(torch.optim.SGD, torch.float16, fused=True)[0] == 1.5,
    raises=ValueError,
)
def grad_scaler_divides_for_fused_optimizers_too(patch):
    """`GradScaler.step` divides the gradients itself, and looks at their dtype, if the optimizer is fused."""

    def change(self, call, optimizer):
        self.unscale_(optimizer)
        return call(optimizer)

    patch.method(torch.amp.GradScaler, "step", change)


def steps_without_a_gradient():
    scaler = torch.amp.GradScaler("cpu")
    scaler.scale(torch.ones(1))
    scaler.step(torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=0.5))


@mutant(
    kills="test_a_grad_scaler_wants_a_gradient",
    witness=lambda: raises(AssertionError, steps_without_a_gradient),
)
def grad_scaler_skips_what_has_no_gradient(patch):
    """`GradScaler.step` of parameters without a gradient does nothing."""

    def change(self, call, optimizer):
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        return call(optimizer) if any(parameter.grad is not None for parameter in parameters) else None

    patch.method(torch.amp.GradScaler, "step", change)


def warns_after_a_skipped_step():
    scheduler = torch.optim.lr_scheduler.StepLR(torch.optim.SGD([nn.Parameter(torch.tensor([2.0]))], lr=0.5), 1)
    weight = scheduler.optimizer.param_groups[0]["params"][0]
    scaler = torch.amp.GradScaler("cpu")
    scaler.scale((weight * math.inf).sum()).backward()
    scaler.step(scheduler.optimizer)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        scheduler.step()
    return ["Detected call of" in str(warning.message) for warning in seen]


@mutant(
    kills="test_a_skipped_first_step_makes_the_scheduler_warn",
    witness=lambda: warns_after_a_skipped_step() == [True],
)
def grad_scaler_reports_a_skipped_step_as_made(patch):
    """After a step that a GradScaler skipped a scheduler takes it for made."""

    def change(self, call, optimizer):
        result = call(optimizer)
        optimizer._opt_called = True
        return result

    patch.method(torch.amp.GradScaler, "step", change)


def one_number_written(number, dtype):
    x = torch.zeros(2, dtype=dtype)
    x[0] = number
    return x[0].item()


@mutant(
    kills="test_a_number_that_float16_cannot_hold_becomes_inf_at_one_position",
    witness=lambda: one_number_written(-1e9, torch.float16) == -torch.inf,
)
def float16_holds_its_least_number_instead(patch):
    """A number beyond float16 becomes the least number that it has."""
    write = torch.Tensor.__setitem__

    def broken(self, index, value):
        if self.dtype == torch.float16 and isinstance(value, float):
            value = max(value, -65504.0)
        write(self, index, value)

    patch.setattr(torch.Tensor, "__setitem__", broken)
