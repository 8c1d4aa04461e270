"""train, eval, no_grad, inference_mode.

Having read this section you can evaluate a model in two lines, `model.eval()` and `with torch.inference_mode():`, and
say what each of them does. `model.eval()` is about layers: dropout stops dropping, and BatchNorm uses the statistics
that it has collected. `torch.no_grad()` and `torch.inference_mode()` are about autograd: nothing is recorded for a
backward pass. You know what goes wrong silently when one of them is missing, and what the errors about inference
tensors mean.
"""

import asyncio
import copy
import gc
import inspect
import io
import math
import threading

import pytest
import torch
from hypothesis import example, given, strategies as st
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint


def modes():
    """Whether autograd records, and whether inference mode is on."""
    return torch.is_grad_enabled(), torch.is_inference_mode_enabled()


# Two switches: what does `eval()` do, and what do `no_grad` and `inference_mode` do?


def test_a_new_model_is_in_training_mode():
    """A model that is built from new `torch.nn` layers is in training mode, so that the first epoch needs no
    `model.train()`.

    A layer that was put into evaluation mode before stays in it. If a library gives you a trained model, look at
    `model.training` and call `model.train()` before you go on training it.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    model = nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.Dropout(), nn.BatchNorm1d(3)))

    assert [module.training for module in model.modules()] == [True] * 5
    for layer in (nn.Embedding(2, 2), nn.LSTM(2, 2), nn.Conv2d(1, 1, 1), nn.MultiheadAttention(2, 1)):
        assert all(module.training for module in layer.modules())
    assert [module.training for module in nn.Sequential(nn.Dropout().eval()).modules()] == [True, False]


@pytest.mark.parametrize(
    ("mode", "autograd", "effects"),
    [
        ("train", torch.enable_grad, {"drops", "updates statistics", "records a graph"}),
        ("train", torch.no_grad, {"drops", "updates statistics"}),
        ("train", torch.inference_mode, {"drops", "updates statistics", "gives inference tensors"}),
        ("eval", torch.enable_grad, {"records a graph"}),
        ("eval", torch.no_grad, set()),
        ("eval", torch.inference_mode, {"gives inference tensors"}),
    ],
    ids=lambda value: value if isinstance(value, str) else getattr(value, "__name__", ""),
)
def test_three_switches_are_independent(device, mode, autograd, effects):
    """`model.eval()` turns off `nn.Dropout` and stops the statistics of BatchNorm but not the recording for backward,
    and `no_grad` and `inference_mode` turn off the recording but neither dropout nor BatchNorm.

    To evaluate a model you usually want both: `model.eval()` and `with torch.inference_mode():`. The output of
    this model is an inference tensor then; the notes on those say what training code may not do with it.

    https://docs.pytorch.org/docs/stable/notes/autograd.html#locally-disabling-gradient-computation
    """
    model = nn.Sequential(nn.Linear(1, 1), nn.BatchNorm1d(1), nn.Dropout(p=1)).to(device)  # p=1: drops everything
    getattr(model, mode)()

    with autograd():
        y = model(torch.tensor([[1.0], [2.0], [4.0]], device=device))

    seen = {
        "drops": y.tolist() == [[0], [0], [0]],
        "updates statistics": model[1].num_batches_tracked.item() == 1,
        "records a graph": y.requires_grad and y.grad_fn is not None,
        "gives inference tensors": y.is_inference(),
    }
    assert {effect for effect, happened in seen.items() if happened} == effects


@pytest.mark.myth("model.eval() turns gradients off")
def test_eval_does_not_turn_gradients_off(device):
    """A Linear in evaluation mode records its forward pass, and `backward()` gives its parameters the same gradients as
    in training mode.

    Without `no_grad` or `inference_mode` an evaluation loop therefore records for a backward pass that never comes.
    Nothing is recorded if no parameter and no input requires grad.

    https://docs.pytorch.org/docs/stable/notes/autograd.html#evaluation-mode-nn-module-eval
    """
    model = nn.Linear(2, 1).to(device).eval()
    x = torch.tensor([[1.0, 2.0], [3.0, 5.0]], device=device)

    loss = model(x).sum()
    assert loss.requires_grad
    loss.backward()
    assert model.weight.grad.tolist() == [[4, 7]]
    assert model.bias.grad.tolist() == [2]

    model.train()
    model.zero_grad()
    model(x).sum().backward()
    assert model.weight.grad.tolist() == [[4, 7]]
    assert model.bias.grad.tolist() == [2]

    model.requires_grad_(False)
    assert not model(x).requires_grad


@pytest.mark.myth("inference_mode (or no_grad) turns dropout off")
@pytest.mark.parametrize("autograd", [torch.no_grad, torch.inference_mode])
def test_inference_mode_does_not_turn_dropout_off(device, autograd):
    """Under `no_grad` and `inference_mode` an `nn.Dropout(0.5)` in training mode goes on dropping, so that two calls
    with the same 100 ones give different results until you call `eval()`.

    If a model gives another answer each time you ask it, a forgotten `model.eval()` is the first thing to look for.

    https://docs.pytorch.org/docs/stable/generated/torch.autograd.grad_mode.inference_mode.html
    """
    dropout = nn.Dropout(p=0.5)
    x = torch.ones(100, device=device)

    with autograd():
        first, second = dropout(x), dropout(x)
        quiet = dropout.eval()(x)

    assert set(first.tolist()) == {0, 2}
    assert not torch.equal(first, second)  # two draws of 100 coins agree once in 2**100
    assert torch.equal(quiet, x)


@pytest.mark.myth("under no_grad nothing in the model changes")
@pytest.mark.parametrize("autograd", [torch.no_grad, torch.inference_mode])
def test_evaluating_in_training_mode_changes_the_model(device, autograd):
    """Under `no_grad` and `inference_mode` a forward pass in training mode still updates the running mean and variance
    of a BatchNorm with the default settings.

    An evaluation that forgets `model.eval()` lets the test data into the model. A BatchNorm with `momentum=0` keeps
    both as they are, if the mean and the variance of the batch are finite.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BatchNorm1d.html
    """
    model = nn.BatchNorm1d(1).to(device)
    constant = nn.BatchNorm1d(1, momentum=0.0).to(device)

    with autograd():
        model(torch.tensor([[60.0], [100.0]], device=device))
        constant(torch.tensor([[60.0], [100.0]], device=device))

    near = {"rel": 2**-20, "abs": 0}  # four operations of float32
    assert model.running_mean.tolist() == pytest.approx([0.9 * 0 + 0.1 * 80], **near)
    assert model.running_var.tolist() == pytest.approx([0.9 * 1 + 0.1 * 800], **near)
    assert (constant.running_mean.tolist(), constant.running_var.tolist()) == ([0], [1])
    constant(torch.tensor([[60.0], [math.nan]], device=device))
    assert constant.running_mean.isnan().all()


@pytest.mark.parametrize("autograd", [torch.enable_grad, torch.no_grad])
def test_one_nan_in_training_mode_spoils_batchnorm_for_good(device, autograd):
    """A nan in one batch in training mode makes the running mean and variance of its channel nan in a BatchNorm with
    default settings, and no later batch repairs them.

    An average with nan is nan. In evaluation mode the channel is then nan for each input, though in training mode the
    good batches that follow here have finite outputs. Check the inputs with `torch.isfinite(x).all()`, and call
    `reset_running_stats()` on the layer to start its statistics anew.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BatchNorm1d.html
    """
    layer = nn.BatchNorm1d(2).to(device)
    good = torch.tensor([[60.0, 60.0], [100.0, 100.0]], device=device)
    bad = torch.tensor([[60.0, math.nan], [100.0, 100.0]], device=device)

    with autograd():
        for batch in (bad, good, good, good):
            y = layer(batch)

    assert y.isfinite().all()
    assert layer.running_mean.isnan().tolist() == layer.running_var.isnan().tolist() == [False, True]
    assert layer.eval()(good).isnan().tolist() == [[False, True], [False, True]]
    layer.reset_running_stats()
    assert layer(good).isfinite().all()


@pytest.mark.myth("in evaluation mode a forward pass changes nothing in the model")
@pytest.mark.parametrize("autograd", [torch.enable_grad, torch.no_grad])
def test_an_embedding_with_max_norm_changes_its_weight_in_evaluation(autograd):
    """An `nn.Embedding` with `max_norm` shortens those rows of its weight that it looks up and that are longer, in
    evaluation mode and under `no_grad` too.

    The change is made in-place and silently: after such a look-up the model is no longer the one that you saved. Leave
    `max_norm` out of a model that has to stay as it is.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Embedding.html
    """
    embedding = nn.Embedding(2, 2, max_norm=1.0).eval()
    embedding.load_state_dict({"weight": torch.tensor([[3.0, 4.0], [6.0, 8.0]])})

    with autograd():
        embedding(torch.tensor([0]))

    assert embedding.weight[0].tolist() == pytest.approx([0.6, 0.8], rel=1e-6)  # it adds 1e-7 to the norm
    assert embedding.weight[1].tolist() == [6, 8]


def test_predictions_do_not_depend_on_the_autograd_mode(device):
    """A model of Linear, BatchNorm, ReLU and Dropout layers in evaluation mode predicts the same bit for bit with and
    without `no_grad` or `inference_mode`.

    For such a model `no_grad` costs no accuracy. The next note has a model whose outputs do differ.

    https://docs.pytorch.org/docs/stable/notes/autograd.html#locally-disabling-gradient-computation
    """
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Dropout(), nn.Linear(4, 2)).to(device)
    x = torch.randn(5, 3, device=device)
    model(x)  # so that the statistics aren't those of a new layer
    model.eval()

    expected = model(x)
    with torch.no_grad():
        under_no_grad = model(x)
    with torch.inference_mode():
        under_inference_mode = model(x)

    assert torch.equal(under_no_grad, expected)
    assert torch.equal(under_inference_mode, expected)
    assert torch.equal(model(x), expected)


@pytest.mark.myth("no_grad never changes what a model computes")
@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors:UserWarning")
@pytest.mark.filterwarnings("ignore:Converting mask without torch.bool dtype to bool:UserWarning")
@pytest.mark.parametrize("autograd", [torch.no_grad, torch.inference_mode])
def test_a_transformer_encoder_returns_zeros_for_padding_without_gradients(autograd):
    """On the CPU an `nn.TransformerEncoder` without `norm=`, of layers with `batch_first=True`, an even number of heads
    and otherwise default settings, returns 0 in evaluation mode for padding behind the data of a batch's rows under
    `no_grad` and `inference_mode`, and other numbers if gradients are recorded.

    Without gradients, as of a frozen model, a fast path leaves the padding out, unless some row has padding before data
    or a `mask` is given. At other positions the results agree up to rounding. An `nn.LayerNorm` as the `norm` turns
    these zeros into its bias. With `enable_nested_tensor=False` padding is computed as well. In torch 2.0 the output
    also lacks positions that are padding in every row. Average over the others only.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.TransformerEncoder.html
    """
    layer = nn.TransformerEncoderLayer(4, nhead=2, dim_feedforward=8, batch_first=True)
    model = nn.TransformerEncoder(layer, num_layers=2).eval()
    x = torch.randn(2, 3, 4)
    padding = torch.tensor([[False, False, True], [False, False, False]])

    recorded = model(x, src_key_padding_mask=padding)
    with autograd():
        unrecorded = model(x, src_key_padding_mask=padding)

    assert (recorded[0, 2] != 0).any()
    assert unrecorded[0, 2].tolist() == [0, 0, 0, 0]
    frozen = copy.deepcopy(model).requires_grad_(False)
    assert frozen(x, src_key_padding_mask=padding)[0, 2].tolist() == [0, 0, 0, 0]
    with autograd():
        assert (model(x, src_key_padding_mask=padding.flip(1))[0, 0] != 0).any()  # padding comes first
        hole = torch.tensor([[False, True, False], [False, False, True]])
        assert (model(x, src_key_padding_mask=hole)[hole] != 0).any(dim=1).all()
        assert (model(x, torch.zeros(3, 3) > 0, src_key_padding_mask=padding)[0, 2] != 0).any()
    torch.testing.assert_close(unrecorded[~padding], recorded[~padding])
    normed = nn.TransformerEncoder(layer, num_layers=2, norm=nn.LayerNorm(4)).eval()
    nn.init.constant_(normed.norm.bias, 0.5)
    with autograd():
        assert normed(x, src_key_padding_mask=padding)[0, 2].tolist() == [0.5] * 4
        assert model(x[:1], src_key_padding_mask=padding[:1]).shape[1] in (2, 3)  # 2 in torch 2.0

    model = nn.TransformerEncoder(layer, num_layers=2, enable_nested_tensor=False).eval()
    with autograd():
        unrecorded = model(x, src_key_padding_mask=padding)
    torch.testing.assert_close(unrecorded, recorded)


@pytest.mark.holds("torch>=2.1", otherwise=AssertionError, change="result", concerns="torch.nn.TransformerEncoder?")
@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors:UserWarning")
@pytest.mark.filterwarnings("ignore:Converting mask without torch.bool dtype to bool:UserWarning")
@pytest.mark.parametrize("autograd", [torch.no_grad, torch.inference_mode])
def test_a_transformer_encoder_returns_every_position(autograd):
    """From torch 2.1 on the output of an `nn.TransformerEncoder` has as many positions as its input, if that is not all
    padding; in torch 2.0 its fast path, in evaluation mode without gradients, truncates it: positions that are padding
    in every row are missing.

    Code that puts the output beside its input may then fail in validation only. In torch 2.0 write
    `enable_nested_tensor=False`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.TransformerEncoder.html
    """
    layer = nn.TransformerEncoderLayer(4, nhead=2, dim_feedforward=8, batch_first=True)
    x = torch.randn(2, 5, 4)
    padding = torch.tensor([[False, False, False, True, True], [False, True, True, True, True]])

    for options in ({"enable_nested_tensor": False}, {}):
        model = nn.TransformerEncoder(layer, num_layers=1, **options).eval()
        assert model(x, src_key_padding_mask=padding).shape == (2, 5, 4)
        with autograd():
            assert model(x, src_key_padding_mask=padding).shape == (2, 5, 4)


@pytest.mark.holds("torch>=2.1", otherwise=AssertionError, change="warns", concerns="torch.nn.TransformerEncoder?")
@pytest.mark.parametrize(
    ("heads", "options", "why"),
    [
        (2, {}, "batch_first was not True"),
        (1, {"batch_first": True}, "num_heads is odd"),
        (2, {"batch_first": True, "norm_first": True}, "norm_first was True"),
    ],
)
def test_a_transformer_encoder_says_why_it_has_no_fast_path(heads, options, why):
    """From torch 2.1 on `nn.TransformerEncoder` warns "enable_nested_tensor is True, but self.use_nested_tensor is
    False because" of a layer without `batch_first=True`, with an odd number of heads or with `norm_first=True`.

    The encoder works all the same, without a fast path for padding in evaluation. `enable_nested_tensor=False` silences
    it and returns the same numbers. Do not add `batch_first=True` for the warning's sake: it swaps the meaning of the
    first two dimensions of the input. `nn.Transformer()` warns, too, and takes no `enable_nested_tensor`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.TransformerEncoder.html
    """
    layer = nn.TransformerEncoderLayer(4, heads, dim_feedforward=8, **options)
    x = torch.randn(3, 2, 4)

    with pytest.warns(UserWarning, match=f"enable_nested_tensor is True, but self.use_nested_tensor is False.*{why}"):
        warned = nn.TransformerEncoder(layer, num_layers=1).eval()
    silent = nn.TransformerEncoder(layer, num_layers=1, enable_nested_tensor=False).eval()

    with torch.no_grad():
        torch.testing.assert_close(silent(x), warned(x))
    with pytest.warns(UserWarning, match="batch_first was not True"):
        nn.Transformer(4, 2, num_encoder_layers=1, num_decoder_layers=1, dim_feedforward=8)
    assert "enable_nested_tensor" not in inspect.signature(nn.Transformer).parameters


@pytest.mark.holds("torch>=2.5", otherwise=AssertionError, change="result", concerns="torch.nn.TransformerEncoder?")
@pytest.mark.filterwarnings("ignore:Converting mask without torch.bool dtype to bool:UserWarning")
def test_a_row_of_nothing_but_padding_is_nan_in_attention():
    """For a row that is all padding an `nn.TransformerEncoder` that records gradients on the CPU returns nan before
    torch 2.5 and finite numbers from then on.

    Attention to nothing is a softmax over nothing. A default `nn.MultiheadAttention`, which returns the attention
    weights, still gives nan for such a row, which spoils the gradients of its own weights. So does, in evaluation under
    `no_grad`, a single `nn.TransformerEncoderLayer` with `batch_first=True` and an even number of heads; with an odd
    one it is finite from torch 2.5 on. Leave such rows out: `x[~padding.all(dim=1)]`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.MultiheadAttention.html
    """
    x = torch.randn(2, 3, 4)
    padding = torch.tensor([[False, False, True], [True, True, True]])
    attention = nn.MultiheadAttention(4, 2, batch_first=True)
    layer = nn.TransformerEncoderLayer(4, 2, dim_feedforward=8, batch_first=True)

    y, _ = attention(x, x, x, key_padding_mask=padding)
    assert y.isnan().all(dim=2).tolist() == [[False] * 3, [True] * 3]
    y.sum().backward()
    for weight in (attention.in_proj_weight, attention.out_proj.weight):
        assert weight.grad.isnan().any()
    with torch.no_grad():
        assert layer.eval()(x, src_key_padding_mask=padding)[1].isnan().all()
        odd = nn.TransformerEncoderLayer(4, 1, dim_feedforward=8, batch_first=True).eval()
        assert odd(x, src_key_padding_mask=padding).isfinite().all()
    attention.zero_grad()
    kept = ~padding.all(dim=1)
    attention(x[kept], x[kept], x[kept], key_padding_mask=padding[kept])[0].sum().backward()
    assert attention.in_proj_weight.grad.isfinite().all()

    for mode in (True, False):
        model = nn.TransformerEncoder(layer, num_layers=1).train(mode)
        assert model(x, src_key_padding_mask=padding).isfinite().all()


def test_gradients_keep_what_backward_needs_and_no_grad_keeps_nothing(device):
    """A recorded forward pass of Linear and Sigmoid layers keeps tensors for backward, in evaluation mode too, and
    under `no_grad` or `inference_mode` it keeps none.

    This is the memory that `no_grad` saves. How much it is depends on the operation: `x + 1` keeps nothing in either
    case.

    https://docs.pytorch.org/docs/stable/generated/torch.autograd.graph.saved_tensors_hooks.html
    """
    model = nn.Sequential(nn.Linear(4, 3), nn.Sigmoid(), nn.Linear(3, 1)).to(device).eval()
    x = torch.ones(2, 4, device=device)
    kept = []

    def keep(tensor):
        kept[-1] += 1
        return tensor

    for autograd in (torch.enable_grad, torch.no_grad, torch.inference_mode):
        kept.append(0)
        with autograd(), torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            model(x)
    assert kept[0] >= 3  # two inputs of a Linear and what Sigmoid gave; which others depends on the release
    assert kept[1:] == [0, 0]

    kept.append(0)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model[0].bias + 1
    assert kept[-1] == 0  # the gradient of a sum needs no numbers


def test_no_grad_frees_the_memory_of_the_layers_between(accelerator):
    """On an accelerator ten outputs are in memory after a recorded forward pass of ten Sigmoid layers, and only the
    last one after a pass under `no_grad` or `inference_mode`.

    The model is in evaluation mode: `eval()` does not save this memory. `del y` frees all ten outputs. At "CUDA out of
    memory" in an evaluation loop, look first whether `no_grad` is missing.

    https://docs.pytorch.org/docs/stable/notes/autograd.html#locally-disabling-gradient-computation
    """
    module = getattr(torch, accelerator.type)
    on_mps = accelerator.type == "mps"
    allocated = module.current_allocated_memory if on_mps else lambda: module.memory_allocated(accelerator)
    model = nn.Sequential(*[nn.Sigmoid() for _ in range(10)]).eval()
    x = torch.zeros(128, 1024, device=accelerator, requires_grad=True)
    size = 128 * 1024 * 4  # bytes of an output
    gc.collect()  # what lies in reference cycles is given back now, and not while something is counted

    kept = []
    for autograd in (torch.enable_grad, torch.no_grad, torch.inference_mode):
        before = allocated()
        with autograd():
            y = model(x)
        kept.append(allocated() - before)
        del y
        assert allocated() == before

    slack = size // 2 if on_mps else 0  # Metal rounds the sizes of tensors up, CUDA not these
    assert 10 * size <= kept[0] <= 10 * (size + slack)
    assert size <= kept[1] <= size + slack
    assert size <= kept[2] <= size + slack


@pytest.mark.only("nvidia", because="the rule is cuDNN's: the CPU, mps and xpu have other recurrent layers")
def test_cudnn_refuses_backward_through_an_lstm_in_evaluation(accelerator):
    """On CUDA with cuDNN, `backward()` through an `nn.LSTM` in evaluation mode raises RuntimeError "RNN backward can
    only be called in training mode".

    If you need gradients of a trained LSTM, for a saliency map for instance, call `lstm.train()` on an LSTM with
    dropout 0 and leave the rest in evaluation mode, or compute under `torch.backends.cudnn.flags(enabled=False)`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTM.html
    """
    model = nn.LSTM(2, 3).to(accelerator).eval()
    x = torch.ones(4, 1, 2, device=accelerator)

    output, _ = model(x)
    with pytest.raises(RuntimeError, match="RNN backward can only be called in training mode"):
        output.sum().backward()

    with torch.backends.cudnn.flags(enabled=False):
        output, _ = model(x)
        output.sum().backward()
    model.zero_grad()
    output, _ = model.train()(x)
    output.sum().backward()
    assert model.weight_ih_l0.grad is not None


# train() and eval(): which modules do they reach, and for how long?


def test_eval_and_train_reach_every_submodule_and_return_the_model(device):
    """`model.eval()` and `model.train()` set the flag `training` of the model and of every module that is registered in
    it, unless a class overrides `train`, and return the model.

    `eval()` is the same as `train(False)`. `model.to(device)` does not change the mode. Because the model is returned,
    `model = build().eval()` works.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.eval
    """
    model = nn.Sequential(nn.Linear(2, 3), nn.ModuleList([nn.Dropout(), nn.BatchNorm1d(3)]))

    for switch, training in [
        (model.eval, False),
        (model.train, True),
        (lambda: model.train(False), False),
        (lambda: model.train(True), True),
    ]:
        assert switch() is model
        model.cpu().to(device)
        assert [module.training for module in model.modules()] == [training] * 5

    class Frozen(nn.BatchNorm1d):
        def train(self, mode=True):
            return super().train(False)

    assert [module.training for module in nn.Sequential(Frozen(3)).train().modules()] == [True, False]


def test_eval_does_not_reach_layers_in_a_python_list():
    """`model.eval()` does not reach a layer that the model keeps only in a plain Python list, so that its dropout goes
    on dropping.

    A list does not register its layers; an attribute of its own registers a layer. Write `nn.ModuleList([...])`, or
    `nn.ModuleDict` in place of a dict.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.ModuleList.html
    """

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.attribute = nn.Dropout()
            self.in_a_list = [nn.Dropout(), self.attribute]
            self.registered = nn.ModuleList([nn.Dropout()])

    model = Model().eval()

    assert model.in_a_list[0].training
    assert not model.in_a_list[1].training
    assert not model.registered[0].training
    assert list(model.modules()) == [model, model.attribute, model.registered, model.registered[0]]
    assert not nn.ModuleDict({"a": nn.Dropout()}).eval()["a"].training


def test_eval_of_a_part_leaves_the_rest():
    """`eval()` of one part of a model changes that part and what is in it, and leaves the rest in training mode.

    The next `model.train()` puts the part back into training mode. To keep the statistics of a BatchNorm as they are,
    call its `eval()` after each `model.train()`, or override `train` in your model.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.train
    """
    model = nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.BatchNorm1d(3)))

    model[1].eval()
    assert [module.training for module in (model, model[0], model[1], model[1][0])] == [True, True, False, False]

    model.train()
    assert [module.training for module in model.modules()] == [True] * 4


def test_a_layer_added_after_eval_is_in_training_mode(device):
    """A new layer that is added to a model after `model.eval()`, or that replaces a layer of it, is in training mode.

    `eval()` reaches the layers that are in the model when you call it. Call it last, just before the evaluation.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.eval
    """
    model = nn.Sequential(nn.Linear(2, 3), nn.Dropout()).to(device).eval()

    model[0] = nn.Linear(2, 3, device=device)
    model.append(nn.Dropout())

    assert [module.training for module in (model, *model)] == [False, True, False, True]
    x = torch.ones(100, 2, device=device)
    assert not torch.equal(model(x), model(x))  # two draws of 300 coins
    assert [module.training for module in model.eval()] == [False, False, False]


def test_the_mode_stays_until_the_next_call(device):
    """After a validation with `model.eval()` the model stays in evaluation mode until `model.train()` is called: the
    next epoch trains without dropout and with the statistics of BatchNorm at rest.

    Nothing warns here, and the weights go on learning. The end of a `with torch.no_grad():` block brings gradients back
    and not the mode. Write `model.train()` as the first line of each epoch, not once before the loop. `model.eval`
    without its brackets does nothing.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.train
    """
    model = nn.Sequential(nn.BatchNorm1d(2), nn.Dropout(0.5), nn.Linear(2, 1)).to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x = torch.arange(8.0, device=device).reshape(4, 2)

    model.eval
    assert model.training
    model.eval()
    with torch.no_grad():
        model(x)
    assert (torch.is_grad_enabled(), model.training) == (True, False)

    weight, mean = model[2].weight.detach().clone(), model[0].running_mean.clone()
    model(x).sum().backward()
    optimizer.step()
    assert not torch.equal(model[2].weight, weight)
    assert torch.equal(model[0].running_mean, mean)
    assert torch.equal(model(x), model(x))

    model.train()(x)
    assert not torch.equal(model[0].running_mean, mean)
    assert model[1].training


@pytest.mark.myth("weights saved in evaluation mode are loaded in evaluation mode")
def test_the_mode_is_not_in_the_state_dict(device):
    """The mode is not in the `state_dict`: a new model that loads the `state_dict` of a model in evaluation mode stays
    in training mode.

    `load_state_dict` does not touch the mode, so that a model in evaluation mode stays in it too. Call `model.eval()`
    after loading if you want to predict.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.load_state_dict
    """
    trained = nn.Sequential(nn.Linear(2, 3), nn.Dropout()).to(device).eval()
    loaded = nn.Sequential(nn.Linear(2, 3), nn.Dropout()).to(device)

    loaded.load_state_dict(trained.state_dict())

    assert list(trained.state_dict()) == ["0.weight", "0.bias"]
    assert [module.training for module in loaded.modules()] == [True, True, True]
    loaded.eval().load_state_dict(trained.train().state_dict())
    assert [module.training for module in loaded.modules()] == [False, False, False]


@pytest.mark.parametrize("mode", [True, False])
def test_a_model_that_is_saved_whole_keeps_its_mode(mode):
    """A whole model that is saved with `torch.save(model, file)` comes back from `torch.load(file, weights_only=False)`
    in the mode in which it was saved.

    The flag `training` is an attribute of each module, and a pickle keeps attributes; `copy.deepcopy(model)` keeps the
    mode too. After loading call `train()` or `eval()` and do not rely on the file.

    https://docs.pytorch.org/docs/stable/notes/serialization.html
    """
    model = nn.Sequential(nn.Linear(2, 3), nn.Dropout()).train(mode)
    file = io.BytesIO()

    torch.save(model, file)
    file.seek(0)
    loaded = torch.load(file, weights_only=False)

    assert [module.training for module in loaded.modules()] == [mode, mode, mode]
    assert [module.training for module in copy.deepcopy(model).modules()] == [mode, mode, mode]


@pytest.mark.parametrize("mode", [0, 1, None, "eval", torch.tensor(True)], ids=str)
def test_train_takes_only_a_bool(mode):
    """`model.train(mode)` raises ValueError for a `mode` that is not `True` or `False`, such as 0, 1, None, a text or a
    tensor.

    Write `model.eval()`, and `model.train(bool(flag))` for a flag that was read as a number. `model.train(False)` is
    `eval()`. After `model.train = False` the next `model.train()` raises TypeError "'bool' object is not callable".

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.train
    """
    with pytest.raises(ValueError, match="training mode is expected to be boolean"):
        nn.Dropout().train(mode)
    assert not nn.Dropout().train(False).training
    model = nn.Dropout()
    model.train = False
    with pytest.raises(TypeError, match="'bool' object is not callable"):
        model.train()


def test_which_layers_look_at_the_mode():
    """The layer classes of `torch.nn` whose own code reads the flag `training` are the dropout, BatchNorm and
    InstanceNorm layers, RNN, LSTM, GRU, MultiheadAttention, the Transformer encoders and RReLU.

    Other layer classes, such as Conv2d, LayerNorm or GELU, do not read it. A layer inside them may, or a
    parametrization or hook on them: see the next note. By default an LSTM and a MultiheadAttention have dropout 0, and
    InstanceNorm collects no statistics: `eval()` then has nothing to turn off.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.eval
    """

    def looks_at_the_mode(layer):
        classes = [cls for cls in layer.__mro__ if cls not in (nn.Module, object)]
        functions = [value for cls in classes for value in vars(cls).values() if inspect.isfunction(value)]
        return any("training" in function.__code__.co_names for function in functions)

    layers = [value for value in vars(nn).values() if isinstance(value, type) and issubclass(value, nn.Module)]

    assert {layer.__name__ for layer in layers if looks_at_the_mode(layer)} == {
        *("Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout"),
        *("BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "SyncBatchNorm"),
        *("LazyBatchNorm1d", "LazyBatchNorm2d", "LazyBatchNorm3d"),
        *("InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d"),
        *("LazyInstanceNorm1d", "LazyInstanceNorm2d", "LazyInstanceNorm3d"),
        *("RNN", "LSTM", "GRU", "MultiheadAttention", "TransformerEncoder", "TransformerEncoderLayer", "RReLU"),
    }
    assert nn.LSTM(2, 2).dropout == nn.MultiheadAttention(2, 1).dropout == 0
    assert nn.InstanceNorm1d(2).running_mean is None


def test_spectral_norm_makes_a_linear_look_at_the_mode():
    """`nn.utils.parametrizations.spectral_norm` makes a Linear look at the mode: in training mode a forward pass can
    change its weight, under `no_grad` too, and in evaluation mode none does.

    The weight is divided by an estimate of its largest singular value, and in training mode each use of the weight
    takes the estimate a step further. With a single output it is exact from the start, and the weight stays. A
    discriminator that is scored in training mode can be changed by that: call `eval()`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.parametrizations.spectral_norm.html
    """
    layer = nn.Linear(2, 2, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 0.96]]))
    torch.manual_seed(0)  # the estimate starts from random vectors
    nn.utils.parametrizations.spectral_norm(layer)
    x = torch.tensor([[1.0, 1.0]])

    with torch.no_grad():
        assert not torch.equal(layer(x), layer(x))
        state = copy.deepcopy(layer.state_dict())
        layer(x)
        assert any(not torch.equal(tensor, state[name]) for name, tensor in layer.state_dict().items())
        layer.eval()
        state = copy.deepcopy(layer.state_dict())
        assert torch.equal(layer(x), layer(x))
        assert all(torch.equal(tensor, state[name]) for name, tensor in layer.state_dict().items())

    one_output = nn.utils.parametrizations.spectral_norm(nn.Linear(2, 1))
    assert torch.equal(one_output(x), one_output(x))


@pytest.mark.parametrize(
    "make",
    [lambda: nn.Linear(4, 2), lambda: nn.LayerNorm(4), lambda: nn.GroupNorm(2, 4), lambda: nn.Softmax(dim=1)],
    ids=["Linear", "LayerNorm", "GroupNorm", "Softmax"],
)
def test_most_layers_do_not_look_at_the_mode(device, make):
    """Linear, LayerNorm, GroupNorm and Softmax give the same result in training and in evaluation mode, and a forward
    pass does not change their state.

    Of the activations, RReLU does look at the mode: in training it draws a random slope for each negative number.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.LayerNorm.html
    """
    layer = make().to(device)
    x = torch.tensor([[1.0, 2.0, 4.0, 8.0], [0.0, -3.0, 5.0, 1.0]], device=device)
    state = {name: tensor.clone() for name, tensor in layer.state_dict().items()}

    assert torch.equal(layer.train()(x), layer.eval()(x))
    assert all(torch.equal(tensor, state[name]) for name, tensor in layer.state_dict().items())
    below = torch.tensor([-1.0, -2.0, -3.0])  # on the CPU, as not every device has an RReLU
    rrelu = nn.RReLU()
    assert not torch.equal(rrelu.train()(below), rrelu.train()(below))
    assert torch.equal(rrelu.eval()(below), rrelu.eval()(below))


# Dropout: what does it do in training, and when is it off?


@pytest.mark.picture("masks", "x", "y", "p")
@pytest.mark.parametrize(("p", "scale"), [(0.25, 4 / 3), (0.5, 2), (0.75, 4)])
def test_dropout_zeroes_some_and_scales_the_rest(device, p, scale):
    """In training `nn.Dropout(p)` and `F.dropout(x, p)` turn each finite float x into 0 or, up to rounding, into `x /
    (1 - p)`, and leave the input as it was.

    Because of this scaling evaluation needs none. Rounding includes overflow: at `p=0.5` 3e38 becomes 0 or inf in
    float32. With `inplace=True` the layer writes the result into its input and returns that.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Dropout.html
    """
    x = torch.arange(1.0, 201.0, device=device).reshape(20, 10)

    for y in (nn.Dropout(p)(x), F.dropout(x, p)):
        ratio = y / x
        assert y.dtype == torch.float32
        assert tuple(y.shape) == (20, 10)
        kept = ratio != 0
        assert ratio[kept].tolist() == pytest.approx([scale] * int(kept.sum()), rel=2**-21)  # three roundings
        assert 0 < kept.sum() < 200  # 200 alike at p=3/4: less than one in 10**24
    assert torch.equal(x, torch.arange(1.0, 201.0, device=device).reshape(20, 10))
    assert set(nn.Dropout(p)(torch.full((200,), 3e38, device=device)).tolist()) == {0, math.inf}
    own = x.clone()
    assert nn.Dropout(p, inplace=True)(own) is own
    assert (own == 0).any()


def test_dropout_takes_probabilities(device):
    """`nn.Dropout(p)` takes a probability from 0, which drops nothing, to 1, which in training turns each finite number
    into 0, and raises ValueError for a `p` below 0 or above 1.

    `p` is 0.5 unless you give it, for `F.dropout` too. A `p` of nan passes this check and raises RuntimeError in the
    first forward pass, in evaluation mode too.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Dropout.html
    """
    x = torch.tensor([1.0, -2.0, 5.0], device=device)

    assert nn.Dropout().p == 0.5
    assert set(F.dropout(torch.ones(100, device=device)).tolist()) == {0, 2}
    assert nn.Dropout(0)(x).tolist() == [1, -2, 5]
    assert nn.Dropout(1)(x).tolist() == [0, 0, 0]
    not_a_number = nn.Dropout(math.nan)
    for mode in (not_a_number.train, not_a_number.eval):
        with pytest.raises(RuntimeError, match="has to be between 0 and 1"):
            mode()(x)
    for p in (-0.25, 1.5):
        with pytest.raises(ValueError, match="has to be between 0 and 1"):
            nn.Dropout(p)
        with pytest.raises(ValueError, match="has to be between 0 and 1"):
            F.dropout(x, p)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_dropout_zeroes_a_share_p(device, p):
    """The `p` of `nn.Dropout(p)` is the probability of being zeroed and not of being kept: of n elements about `n * p`
    become 0.

    Code that speaks of a share to keep has to pass 1 minus that share. The number of zeros has the standard deviation
    `sqrt(n * p * (1 - p))`, and a normal variable is further than six of them from its mean about once in 500 million
    draws.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Dropout.html
    """
    n = 10_000
    assert 1 / math.erfc(6 / math.sqrt(2)) == pytest.approx(500e6, rel=0.02)
    for y in (nn.Dropout(p)(torch.ones(n, device=device)), F.dropout(torch.ones(100, 100, device=device), p)):
        zeros = int((y == 0).sum())
        assert abs(zeros - n * p) <= 6 * math.sqrt(n * p * (1 - p))


def test_every_call_of_dropout_draws_a_new_mask(device):
    """Each call of `nn.Dropout(0.5)` in training draws a new mask, in which each row of the batch has zeros of its own,
    as two rows of 100 numbers show.

    The same seed gives the same mask for the same tensor here. Call `torch.manual_seed` before the forward pass to
    repeat a run.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Dropout.html
    """
    dropout, x = nn.Dropout(0.5), torch.ones(2, 100, device=device)

    torch.manual_seed(7)
    first, second = dropout(x), dropout(x)
    torch.manual_seed(7)
    again = dropout(x)

    assert not torch.equal(first, second)
    assert not torch.equal(first[0], first[1])
    assert torch.equal(first, again)


def test_dropout_is_the_identity_in_evaluation(device):
    """In evaluation mode each of the six dropout layers of `torch.nn` returns the values of an input that it takes,
    without scaling them and without drawing a random number.

    The dropout layers of an evaluation therefore do not change the masks of the next training step. `nn.Dropout1d`
    raises RuntimeError for a vector in evaluation mode, too: it takes (N, C, L) and (C, L).

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Dropout.html
    """
    x = torch.tensor([[[1.0, -2.0], [math.inf, 0.3]]], device=device)
    torch.manual_seed(7)
    expected = torch.rand(3, device=device)

    torch.manual_seed(7)
    for layer in (nn.Dropout(0.3), nn.Dropout(1), nn.Dropout1d(0.3), nn.AlphaDropout(0.3), nn.FeatureAlphaDropout(0.3)):
        assert torch.equal(layer.eval()(x), x)
    for layer in (nn.Dropout2d(0.3), nn.Dropout3d(0.3)):
        assert torch.equal(layer.eval()(x[None]), x[None])
    assert torch.equal(F.dropout(x, 0.3, training=False), x)
    assert torch.equal(torch.rand(3, device=device), expected)
    with pytest.raises(RuntimeError, match="Expected 2D or 3D input, but received a 1D input"):
        nn.Dropout1d().eval()(x[0, 0])


def test_dropout_that_drops_nothing_returns_its_input_itself(device):
    """In evaluation mode, and with `p=0`, `nn.Dropout` returns its input itself and not a copy, so that an in-place
    change of the output changes the input.

    With `p=0.5` code such as `y = dropout(x); y.mul_(10)` spoils `x` in evaluation only, because in training the result
    is a new tensor. Write `y = dropout(x) * 10`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Dropout.html
    """
    x = torch.tensor([1.0, -2.0, 5.0], device=device)

    assert nn.Dropout(0.5).eval()(x) is x
    assert nn.Dropout(0.0).train()(x) is x

    y = nn.Dropout(0.5).eval()(x)
    y.mul_(10)
    assert x.tolist() == [10, -20, 50]

    y = nn.Dropout(0.5).train()(x)
    y.zero_()
    assert x.tolist() == [10, -20, 50]


@pytest.mark.myth("model.eval() turns every dropout off")
def test_the_function_dropout_knows_nothing_of_eval(device):
    """`F.dropout(x)` drops after `model.eval()` too, because its argument `training` is True unless you give it.

    Write `F.dropout(x, training=self.training)`, or make a layer `nn.Dropout` in `__init__`, which does this for you.
    One that is made in `forward`, as in `nn.Dropout()(x)`, is new at each call and drops as well.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.dropout.html
    """

    class Careless(nn.Module):
        def forward(self, x):
            return F.dropout(x)

    class AlwaysNew(nn.Module):
        def forward(self, x):
            return nn.Dropout()(x)

    class Careful(nn.Module):
        def forward(self, x):
            return F.dropout(x, training=self.training)

    x = torch.ones(100, device=device)

    assert set(Careless().eval()(x).tolist()) == {0, 2}
    assert set(AlwaysNew().eval()(x).tolist()) == {0, 2}
    assert set(Careful().eval()(x).tolist()) == {1}
    assert set(Careful().train()(x).tolist()) == {0, 2}


@pytest.mark.myth("model.eval() turns the dropout of scaled_dot_product_attention off")
def test_scaled_dot_product_attention_drops_in_evaluation():
    """`F.scaled_dot_product_attention` with `dropout_p=0.5` drops after `model.eval()` too: the function does not know
    the mode of the model.

    Write `dropout_p=self.p if self.training else 0.0`. The layer `nn.MultiheadAttention` does this for you.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.scaled_dot_product_attention.html
    """

    # On the CPU: each accelerator has kernels of its own.
    class Careless(nn.Module):
        def forward(self, x):
            return F.scaled_dot_product_attention(x, x, x, dropout_p=0.5)

    class Careful(nn.Module):
        def forward(self, x):
            return F.scaled_dot_product_attention(x, x, x, dropout_p=0.5 if self.training else 0.0)

    x = torch.ones(1, 1, 30, 30)
    careless, careful = Careless().eval(), Careful().eval()

    assert not torch.equal(careless(x), careless(x))
    assert torch.equal(careful(x), careful(x))
    assert not torch.equal(careful.train()(x), careful(x))
    attention, x = nn.MultiheadAttention(4, 2, dropout=0.5).eval(), torch.randn(9, 1, 4)
    assert torch.equal(attention(x, x, x)[0], attention(x, x, x)[0])


@pytest.mark.picture("masks", "images", "by_channel", "by_pixel")
def test_dropout2d_drops_whole_channels(device):
    """In training `nn.Dropout2d` zeroes whole channels of each image of a batch `(N, C, H, W)`, and `nn.Dropout` single
    numbers.

    Neighbouring pixels of a feature map are often alike, so that a single dropped number is hardly missed: Dropout2d is
    meant for use after a convolution. It draws the channels anew for each image of the batch.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Dropout2d.html
    """
    images = torch.ones(2, 32, 3, 5, device=device)

    by_channel = nn.Dropout2d(0.5)(images).flatten(start_dim=2)
    by_pixel = nn.Dropout(0.5)(images).flatten(start_dim=2)

    assert set(by_channel.sum(dim=2).flatten().tolist()) == {0, 2 * 15}
    assert len(set(by_pixel.sum(dim=2).flatten().tolist())) > 2
    assert not torch.equal(by_channel[0], by_channel[1])


def test_dropout2d_of_one_image_drops_rows():
    """In training `nn.Dropout2d` of one image `(C, H, W)` without a batch dimension zeroes single rows of pixels, not
    whole channels.

    It takes the three dimensions for `(N, C, L)` and warns about it. Write `dropout(image[None])[0]`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Dropout2d.html
    """
    image = torch.ones(64, 8, 5)

    with pytest.warns(UserWarning, match="channel-wise 1D dropout behavior is desired"):
        y = nn.Dropout2d(0.5)(image)
    batch = nn.Dropout2d(0.5)(image[None])

    assert set(y.sum(dim=2).flatten().tolist()) == {0, 2 * 5}  # a row is dropped or kept as a whole
    assert len(set(y.sum(dim=(1, 2)).tolist())) > 2  # and a channel has some of each
    assert set(batch.sum(dim=(2, 3)).flatten().tolist()) == {0, 2 * 8 * 5}


def test_dropout1d_of_a_batch_of_vectors_drops_whole_rows():
    """In training `nn.Dropout1d` of a batch of vectors `(N, F)` zeroes whole rows, so that samples are lost silently.

    It takes two dimensions for one sample `(C, L)`. `nn.Dropout3d` does the same and `nn.Dropout2d` zeroes single
    numbers; both warn "which is deprecated and will result in an error in a future release". Use `nn.Dropout` behind an
    `nn.Linear`: the 1d, 2d and 3d layers are for channels. `nn.Dropout1d` raises RuntimeError for images
    `(N, C, H, W)`, "Expected 2D or 3D input".

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Dropout1d.html
    """
    batch = torch.ones(64, 8)

    assert set(nn.Dropout1d(0.5)(batch).sum(dim=1).tolist()) == {0, 2 * 8}
    with pytest.warns(UserWarning, match="2-D input to dropout3d, which is deprecated and will result in an error"):
        assert set(nn.Dropout3d(0.5)(batch).sum(dim=1).tolist()) == {0, 2 * 8}
    with pytest.warns(UserWarning, match="2-D input to dropout2d, which is deprecated and will result in an error"):
        single = nn.Dropout2d(0.5)(batch)

    for y in (single, nn.Dropout(0.5)(batch)):
        assert set(y.flatten().tolist()) == {0, 2}
        assert len(set(y.sum(dim=1).tolist())) > 2
    with pytest.raises(RuntimeError, match="dropout1d: Expected 2D or 3D input"):
        nn.Dropout1d(0.5)(torch.ones(2, 3, 4, 5))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.bool], ids=str)
def test_dropout_does_not_take_whole_numbers(dtype):
    """On the CPU `nn.Dropout` with its default `p` raises RuntimeError "result type Float can't be cast" for signed
    integers, uint8 and bool in training, and returns them in evaluation mode.

    In training it would have to scale them. With `p=0` and `p=1` there is nothing to scale and nothing is raised. Write
    `dropout(x.float())`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Dropout.html
    """
    # On the CPU: accelerators have dropouts of their own, with other messages.
    x = torch.ones(100, dtype=dtype)

    with pytest.raises(RuntimeError, match="result type Float can't be cast"):
        nn.Dropout(0.5)(x)
    y = nn.Dropout(0.5).eval()(x)
    assert (y.dtype, y.tolist()) == (dtype, x.tolist())
    for p in (0, 1):
        y = nn.Dropout(p)(x)
        assert (y.dtype, y.tolist()) == (dtype, [1 - p] * 100)


def test_a_dropped_inf_becomes_nan():
    """On the CPU `nn.Dropout` in training turns an `inf` that it drops into nan and not into 0, because it multiplies
    by a mask and `inf * 0` is nan.

    A nan is not dropped either. Fill a mask of attention scores with `-inf` after the dropout, or drop after the
    softmax.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Dropout.html
    """
    # On the CPU: accelerators have dropouts of their own.
    x = torch.tensor([math.inf] * 100)

    y = nn.Dropout(0.5)(x)

    assert 0 < y.isnan().sum() < 100
    assert (y[~y.isnan()] == math.inf).all()
    assert nn.Dropout(1.0)(x).isnan().all()
    assert nn.Dropout(0.5)(torch.full((100,), math.nan)).isnan().all()
    assert torch.equal(nn.Dropout(0.5).eval()(x), x)


def test_other_layers_have_other_defaults_for_dropout():
    """`nn.LSTM` and `nn.MultiheadAttention` have a dropout of 0 by default, `nn.TransformerEncoderLayer` of 0.1, and
    the six dropout layers of 0.5.

    `F.alpha_dropout(x)` drops nothing unless you give it `training=True`, contrary to `F.dropout(x)`. Write the `p`
    that you want instead of remembering all these.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.TransformerEncoderLayer.html
    """
    encoder = nn.TransformerEncoderLayer(4, nhead=2, dim_feedforward=4)

    assert nn.LSTM(2, 3, num_layers=2).dropout == 0
    assert nn.MultiheadAttention(4, 2).dropout == 0
    assert encoder.dropout.p == encoder.dropout1.p == encoder.dropout2.p == encoder.self_attn.dropout == 0.1
    assert nn.Dropout().p == nn.Dropout1d().p == nn.Dropout2d().p == nn.Dropout3d().p == 0.5
    assert nn.AlphaDropout().p == nn.FeatureAlphaDropout().p == 0.5
    assert torch.equal(F.alpha_dropout(torch.ones(100)), torch.ones(100))
    assert not torch.equal(F.alpha_dropout(torch.ones(100), training=True), torch.ones(100))


@pytest.mark.parametrize("make", [nn.LSTM, nn.GRU, nn.RNN])
def test_dropout_of_a_single_recurrent_layer_drops_nothing(make):
    """`nn.LSTM`, `nn.GRU` and `nn.RNN` with a `dropout` above 0 drop nothing if `num_layers` is 1, and warn: "dropout
    option adds dropout after all but last recurrent layer".

    With more layers it is applied between them, and the output of the last layer is not dropped. To drop that, put an
    `nn.Dropout` behind.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTM.html
    """
    x = torch.randn(3, 2, 4)

    with pytest.warns(UserWarning, match="dropout option adds dropout after all but last recurrent layer"):
        single = make(4, 50, dropout=0.9)
    assert torch.equal(single(x)[0], single(x)[0])
    make(4, 50, dropout=0.0)  # and no warning

    double = make(4, 50, num_layers=2, dropout=0.9)
    assert not torch.equal(double(x)[0], double(x)[0])
    assert (double(x)[0] != 0).all()
    assert (nn.Dropout(0.9)(double(x)[0]) == 0).any()


# BatchNorm: which statistics does it use, and when do they change?


def test_batchnorm_in_training_uses_the_batch_and_remembers_it(device, rounding_bound):
    """In training a new BatchNorm with default settings subtracts from each channel its mean in a batch of two rows or
    more and divides by its standard deviation, and moves its running statistics a tenth of the way to those of the
    batch.

    It divides by the biased deviation (squares over n) with `eps` added to the variance, and stores the unbiased
    variance (over n - 1). A single row of features raises ValueError. `weight` and `bias`, which training learns, are 1
    and 0 at first.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BatchNorm1d.html
    """
    layer = nn.BatchNorm1d(2).to(device)
    y = layer(torch.tensor([[1.0, 10.0], [3.0, 30.0], [8.0, 20.0]], device=device))

    # Means 4 and 20. Squared deviations add up to 26 and 200. No number is further from 0 than 4 standard deviations.
    std = [math.sqrt(26 / 3 + 1e-5), math.sqrt(200 / 3 + 1e-5)]
    expected = [[-3 / std[0], -10 / std[1]], [-1 / std[0], 10 / std[1]], [4 / std[0], 0]]
    bound = rounding_bound(16, torch.float32)
    torch.testing.assert_close(y.detach().cpu(), torch.tensor(expected), rtol=bound, atol=bound * 8)
    assert layer.running_mean.tolist() == pytest.approx([0.1 * 4, 0.1 * 20], rel=bound, abs=0)
    assert layer.running_var.tolist() == pytest.approx([0.9 + 0.1 * 13, 0.9 + 0.1 * 100], rel=bound, abs=0)
    assert layer.num_batches_tracked.item() == 1
    assert (layer.weight.tolist(), layer.bias.tolist()) == ([1, 1], [0, 0])
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        layer(torch.tensor([[1.0, 10.0]], device=device))


def test_batchnorm_in_evaluation_uses_what_it_remembers(device, rounding_bound):
    """In evaluation mode a BatchNorm with running statistics computes `(x - running_mean) / sqrt(running_var + eps) *
    weight + bias` and does not change its statistics.

    A new layer has the running mean 0 and the running variance 1. With the default `eps` of 1e-5 it changes hardly
    anything: evaluated before it was trained, it does not normalise your data. With the default `momentum` a share of
    `0.9**k` of the first values is left after k batches, a third after ten: results in evaluation can be far from those
    in training. What a layer lacks, as it lacks `weight` and `bias` with `affine=False`, is not in the formula.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BatchNorm1d.html
    """
    layer = nn.BatchNorm1d(1, eps=1).to(device).eval()
    x = torch.tensor([[1.0], [3.0], [9.0]], device=device)
    untouched = layer(x)

    layer.load_state_dict(
        {
            "weight": torch.tensor([2.0]),
            "bias": torch.tensor([-1.0]),
            "running_mean": torch.tensor([3.0]),
            "running_var": torch.tensor([15.0]),
            "num_batches_tracked": torch.tensor(5),
        }
    )
    y = layer(x)

    bound = rounding_bound(8, torch.float32)
    new = nn.BatchNorm1d(1).to(device).eval()
    assert (new.eps, new.running_mean.tolist(), new.running_var.tolist()) == (1e-5, [0], [1])
    torch.testing.assert_close(new(x), x, rtol=1e-5, atol=0)
    torch.testing.assert_close(untouched, x / math.sqrt(1 + 1), rtol=bound, atol=0)
    assert y.flatten().tolist() == pytest.approx([-2, -1, 2], rel=0, abs=bound * 8)
    assert (layer.running_mean.tolist(), layer.running_var.tolist()) == ([3], [15])
    assert layer.num_batches_tracked.item() == 5
    plain = nn.BatchNorm1d(1, affine=False).to(device).eval()
    assert (plain.weight, plain.bias) == (None, None)
    torch.testing.assert_close(plain(x), x, rtol=1e-5, atol=0)
    new.train()
    for _ in range(10):
        new(torch.tensor([[99.0], [101.0]], device=device))  # mean 100, variance 2
    assert new.running_mean.item() == pytest.approx(100 * (1 - 0.9**10), rel=1e-5)
    assert new.running_var.item() == pytest.approx(2 - 0.9**10, rel=1e-5)


def test_in_training_a_prediction_depends_on_its_batch(device, rounding_bound):
    """In training the output of a BatchNorm with running statistics depends for each sample on the other samples of the
    batch, and in evaluation mode, up to rounding, on the sample alone.

    If a prediction changes with the batch that the sample is in, a forgotten `model.eval()` is the likely cause.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BatchNorm1d.html
    """
    layer = nn.BatchNorm1d(2).to(device)
    sample = torch.tensor([[1.0, 10.0]], device=device)
    one_batch = torch.cat([sample, torch.tensor([[3.0, 30.0]], device=device)])
    another = torch.cat([sample, torch.tensor([[-5.0, 8.0], [0.0, 0.0]], device=device)])

    trained = [layer(batch)[0].tolist() for batch in (one_batch, another)]
    layer.eval()
    evaluated = [layer(batch)[0] for batch in (one_batch, another, sample)]

    assert trained[0] == pytest.approx([-1, -1], abs=1e-5)  # two samples are always at -1 and 1, but for eps
    assert all(number > 0 for number in trained[1])
    bound = rounding_bound(8, torch.float32)
    for output in evaluated[1:]:
        torch.testing.assert_close(output, evaluated[0], rtol=bound, atol=bound)


def test_batchnorm_cannot_train_on_a_batch_of_one(device):
    """In training BatchNorm raises ValueError "Expected more than 1 value per channel when training" if a channel has
    exactly one value, as in a single row of features.

    The last batch of an epoch may have one row: `DataLoader(..., drop_last=True)` leaves it out. One image of several
    pixels is enough, one image of 1 x 1 pixel is not. In evaluation mode the running statistics serve a single row.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BatchNorm1d.html
    """
    layer = nn.BatchNorm1d(2).to(device)
    one = torch.tensor([[4.0, -8.0]], device=device)

    with pytest.raises(ValueError, match="Expected more than 1 value per channel when training"):
        layer(one)
    assert layer.running_mean.tolist() == [0, 0]
    assert layer.eval()(one).flatten().tolist() == pytest.approx([4, -8], rel=1e-5)  # eps
    with pytest.raises(ValueError, match="Expected more than 1 value per channel when training"):
        nn.BatchNorm2d(2).to(device)(torch.ones(1, 2, 1, 1, device=device))
    assert tuple(nn.BatchNorm2d(2).to(device)(torch.ones(1, 2, 3, 5, device=device)).shape) == (1, 2, 3, 5)


def test_frozen_parameters_do_not_stop_the_statistics(device):
    """After `requires_grad_(False)` the weight and bias of a BatchNorm get no gradients any more, and its running
    statistics go on changing in training mode.

    To freeze the layer whole, call its `eval()` as well, after each `model.train()`, and `zero_grad()`: an optimizer
    still uses a gradient from before.

    https://docs.pytorch.org/docs/stable/notes/autograd.html#evaluation-mode-nn-module-eval
    """
    layer = nn.BatchNorm1d(1, momentum=0.5).to(device).requires_grad_(False)
    x = torch.tensor([[4.0], [8.0]], device=device)

    layer(x)
    assert layer.running_mean.tolist() == [3]

    layer.eval()
    assert not layer(x).requires_grad
    assert layer.running_mean.tolist() == [3]

    layer.bias.grad = torch.ones(1, device=device)  # from a backward pass before the freezing
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.5)
    optimizer.step()
    assert layer.bias.tolist() == [-0.5]
    layer.zero_grad()
    optimizer.step()
    assert layer.bias.tolist() == [-0.5]


@pytest.mark.myth("BatchNorm's momentum=0.9 keeps 90 % of the old statistics")
def test_batchnorm_momentum_is_the_share_of_the_new(device):
    """The `momentum` of BatchNorm is the weight of the new batch in the running statistics, 0.1 by default, whereas the
    `momentum` of SGD is the weight of the past.

    Who comes from a library that means the past writes `momentum=0.1` for its 0.9. `momentum=None` takes the plain
    average over batches, in which a small batch counts as much as a large one.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BatchNorm1d.html
    """
    means = {}
    for momentum in (0.1, 0.75, None):
        layer = nn.BatchNorm1d(1, momentum=momentum).to(device)
        for batch in ([[8.0], [8.0]], [[4.0], [4.0]], [[0.0], [0.0], [0.0], [0.0]]):
            layer(torch.tensor(batch, device=device))
        means[momentum] = layer.running_mean.item()

    assert nn.BatchNorm1d(1).momentum == 0.1
    near = {"rel": 2**-20, "abs": 0}  # six operations of float32
    assert means[0.1] == pytest.approx((0.8 * 0.9 + 0.4) * 0.9, **near)
    assert means[0.75] == pytest.approx((6 * 0.25 + 3) * 0.25, **near)
    assert means[None] == pytest.approx(4, **near)  # over samples it would be 3

    weight = torch.zeros(1, device=device, requires_grad=True)
    optimizer = torch.optim.SGD([weight], lr=1.0, momentum=0.75)
    for gradient in (8.0, 0.0):
        weight.grad = torch.tensor([gradient], device=device)
        optimizer.step()
    assert weight.tolist() == [-8 - 0.75 * 8]


@pytest.mark.parametrize("use_reentrant", [True, False])
def test_checkpoint_updates_batchnorm_twice(device, use_reentrant):
    """`checkpoint` of a default BatchNorm in training mode updates its running statistics twice for each batch that
    requires grad, in the forward pass and again in `backward()`.

    With `use_reentrant=False` that is so for plain data too. `checkpoint` saves memory by running the function a second
    time. A dropout has the same mask both times, because by default the random state is put back. With the `momentum` m
    `1 - math.sqrt(1 - m)` gives, up to rounding, the statistics of m without a checkpoint.

    https://docs.pytorch.org/docs/stable/checkpoint.html
    """
    x = torch.tensor([[0.0], [2.0]], device=device, requires_grad=True)

    def trained(layer, *, checkpointed):
        layer = layer.to(device)
        y = checkpoint(layer, x, use_reentrant=use_reentrant) if checkpointed else layer(x)
        y.sum().backward()
        return layer

    layer = nn.BatchNorm1d(1).to(device)
    checkpoint(layer, x, use_reentrant=use_reentrant)
    assert layer.num_batches_tracked.item() == 1  # before `backward()`
    once, twice = (trained(nn.BatchNorm1d(1), checkpointed=checkpointed) for checkpointed in (False, True))
    assert (once.num_batches_tracked.item(), twice.num_batches_tracked.item()) == (1, 2)
    assert [round(layer.running_mean.item(), 4) for layer in (once, twice)] == [0.1, 0.19]
    mended = trained(nn.BatchNorm1d(1, momentum=1 - math.sqrt(1 - 0.1)), checkpointed=True)
    for name in ("running_mean", "running_var"):
        torch.testing.assert_close(getattr(mended, name), getattr(once, name))
    of_data = nn.BatchNorm1d(1).to(device)
    checkpoint(of_data, x.detach(), use_reentrant=False).sum().backward()
    assert of_data.num_batches_tracked.item() == 2

    ones = torch.ones(100, device=device, requires_grad=True)
    y = checkpoint(nn.Dropout(0.5), ones, use_reentrant=use_reentrant)
    y.sum().backward()
    assert torch.equal(ones.grad, y.detach())


def test_batchnorm_without_statistics_is_always_in_training(device):
    """A BatchNorm that is built with `track_running_stats=False` uses the statistics of the batch in evaluation mode
    too, so that `eval()` changes nothing.

    It has no running statistics. A batch of shape (1, features) therefore raises ValueError in evaluation mode as well.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BatchNorm1d.html
    """
    layer = nn.BatchNorm1d(1, track_running_stats=False).to(device)
    x = torch.tensor([[1.0], [3.0], [8.0]], device=device)

    assert layer.running_mean is None
    assert torch.equal(layer.eval()(x), layer.train()(x))
    with pytest.raises(ValueError, match="Expected more than 1 value per channel"):
        layer.eval()(x[:1])


def test_track_running_stats_set_later_keeps_the_old_statistics(device):
    """Setting `layer.track_running_stats = False` on a BatchNorm that has running statistics stops their update, and
    `eval()` still uses the old ones.

    It is not the same as building the layer with `track_running_stats=False`. To use the statistics of the batch in
    evaluation mode, set `layer.running_mean = layer.running_var = None` as well, or build a new layer.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BatchNorm1d.html
    """
    layer = nn.BatchNorm1d(1, momentum=1.0).to(device)
    layer(torch.tensor([[4.0], [8.0]], device=device))

    layer.track_running_stats = False
    layer(torch.tensor([[40.0], [80.0]], device=device))
    assert layer.running_mean.tolist() == [6]

    layer.eval()
    assert layer(torch.tensor([[6.0], [6.0]], device=device)).tolist() == [[0], [0]]
    far = torch.tensor([[40.0], [80.0]], device=device)
    assert (layer(far) > 10).all()
    layer.running_mean = layer.running_var = None
    assert layer(far).flatten().tolist() == pytest.approx([-1, 1], rel=1e-5)


# no_grad: what does it do inside its block, and what does it leave on?


def test_under_no_grad_results_need_no_gradient(device):
    """Under `no_grad` the new tensor that arithmetic such as `weight * 2` makes of tensors that require grad does not
    require grad, so that `backward()` on it raises RuntimeError.

    The tensors themselves go on requiring grad, and so does a result that is the tensor itself, as of `weight += 1` or,
    in float32, `weight.float()`, and a new leaf that asks for it: `nn.Parameter(...)` or `requires_grad=True`. A model
    may be built under `no_grad`.

    https://docs.pytorch.org/docs/stable/generated/torch.autograd.grad_mode.no_grad.html
    """
    weight = torch.tensor([2.0, 3.0], device=device, requires_grad=True)

    with torch.no_grad():
        result = weight * 2
        leaf = torch.ones(2, device=device, requires_grad=True)
        parameter = nn.Parameter(torch.ones(2, device=device))
        same = leaf.float()

    assert [tensor.requires_grad for tensor in (result, weight, leaf, parameter)] == [False, True, True, True]
    assert same is leaf
    with torch.no_grad():
        leaf += 1
    leaf.sum().backward()
    assert leaf.grad.tolist() == [1, 1]
    assert result.tolist() == [4, 6]
    assert result.grad_fn is None
    with pytest.raises(RuntimeError, match="does not require grad"):
        result.sum().backward()


@pytest.mark.myth("nothing that is made under no_grad requires grad")
@pytest.mark.parametrize("autograd", [torch.no_grad, torch.inference_mode])
def test_a_view_made_under_no_grad_loses_the_gradient_silently(device, autograd):
    """The views `weight[0]`, `weight.T` and `weight.view(2)` of a parameter that are made under `no_grad` or
    `inference_mode` say that they require grad, and a later `backward()` through them silently gives the parameter no
    gradient.

    While autograd records, an in-place change of such a view raises RuntimeError "A view was created in", and so does
    `view * 3` after a `weight.add_(1)` under `no_grad`. Make the view outside, or write `weight.view(2).clone()` if you
    only want the numbers.

    https://docs.pytorch.org/docs/stable/generated/torch.autograd.grad_mode.no_grad.html
    """
    weight = torch.tensor([[2.0, 3.0]], device=device, requires_grad=True)

    with autograd():
        views = weight.view(2), weight[0], weight.T
        same = weight.to(torch.float32)

    assert same is weight
    for view in views:
        assert view.requires_grad
        assert view.grad_fn is None
        (view * 3).sum().backward()
        assert weight.grad is None
        with pytest.raises(RuntimeError, match="A view was created in"):
            view.add_(1)
    with torch.no_grad():
        weight.add_(1)  # as a step of an optimizer does
        views[0].add_(1)
    with pytest.raises(RuntimeError, match="A view was created in"):
        views[0] * 3
    with autograd():
        assert not weight.view(2).clone().requires_grad

    (weight.view(2) * 3).sum().backward()
    assert weight.grad.tolist() == [[3, 3]]


def test_a_reentrant_checkpoint_of_data_trains_nothing(device):
    """`checkpoint(layer, x, use_reentrant=True)` of an x that does not require grad warns "None of the inputs have
    requires_grad=True", and the layer is not trained.

    The warning goes on "Gradients will be None". Data do not require grad. The layers behind it train, so that no error
    says it; if there are none, `backward()` raises "does not require grad". Write `use_reentrant=False`, with which the
    layer gets its gradient.

    https://docs.pytorch.org/docs/stable/checkpoint.html
    """
    x = torch.ones(3, 2, device=device)

    def gradients(**options):
        first, last = nn.Linear(2, 2).to(device), nn.Linear(2, 1).to(device)
        last(checkpoint(first, x, **options)).sum().backward()
        return [layer.weight.grad is not None for layer in (first, last)]

    with pytest.warns(UserWarning, match="None of the inputs have requires_grad=True. Gradients will be None"):
        assert gradients(use_reentrant=True) == [False, True]
    assert gradients(use_reentrant=False) == [True, True]
    with pytest.warns(UserWarning, match="None of the inputs have requires_grad=True"):
        y = checkpoint(nn.Linear(2, 1).to(device), x, use_reentrant=True)
    with pytest.raises(RuntimeError, match="does not require grad"):
        y.sum().backward()


def test_no_grad_allows_changing_parameters_in_place(device):
    """An in-place change such as `weight.sub_(0.5)` of a leaf that requires grad raises RuntimeError "a leaf Variable
    that requires grad" while autograd records, and works under `no_grad`.

    That is how an optimizer steps, and how you write your own update of the weights. The functions of `nn.init` need no
    `no_grad` around them.

    https://docs.pytorch.org/docs/stable/notes/autograd.html#no-grad-mode
    """
    weight = torch.tensor([2.0, 3.0], device=device, requires_grad=True)
    frozen = torch.tensor([2.0, 3.0], device=device)

    with pytest.raises(RuntimeError, match="leaf Variable that requires grad"):
        weight.sub_(0.5)
    with torch.no_grad():
        weight.sub_(0.5)
    frozen.sub_(0.5)

    assert weight.tolist() == [1.5, 2.5]
    assert weight.requires_grad
    assert weight.is_leaf
    assert frozen.tolist() == [1.5, 2.5]
    for init in (nn.init.normal_, nn.init.uniform_, nn.init.trunc_normal_, nn.init.ones_, nn.init.zeros_):
        init(weight)  # it has a no_grad of its own
    assert weight.tolist() == [0, 0]


@pytest.mark.myth("a line `torch.no_grad()` turns gradients off from there on")
def test_no_grad_without_with_does_nothing(device):
    """`torch.no_grad()` and `torch.inference_mode()` alone on a line do nothing: they work in a `with` statement and as
    decorators.

    `torch.set_grad_enabled(False)` on a line does turn gradients off, and `torch.set_grad_enabled(True)` turns them on
    again. The end of a surrounding block of `no_grad`, `enable_grad`, `inference_mode` or `set_grad_enabled` brings
    back the mode from before that block. A block of `enable_grad` inside has gradients.

    https://docs.pytorch.org/docs/stable/generated/torch.autograd.grad_mode.set_grad_enabled.html
    """
    x = torch.tensor([2.0, 3.0], device=device, requires_grad=True)

    torch.no_grad()
    torch.inference_mode()
    assert modes() == (True, False)
    assert (x * 2).requires_grad

    torch.set_grad_enabled(False)
    assert modes() == (False, False)
    assert not (x * 2).requires_grad
    torch.set_grad_enabled(True)
    assert modes() == (True, False)
    assert (x * 2).requires_grad

    for block in (torch.enable_grad(), torch.no_grad(), torch.inference_mode(), torch.set_grad_enabled(True)):
        with block:
            torch.set_grad_enabled(False)
            assert not torch.is_grad_enabled()
            with torch.enable_grad():
                assert torch.is_grad_enabled()
            assert not torch.is_grad_enabled()
        assert modes() == (True, False)


@pytest.mark.parametrize(
    ("outer", "inner", "requires_grad", "is_inference"),
    [
        (torch.no_grad, torch.enable_grad, True, False),
        (torch.no_grad, lambda: torch.set_grad_enabled(True), True, False),
        (torch.enable_grad, lambda: torch.set_grad_enabled(False), False, False),
        (torch.no_grad, torch.inference_mode, False, True),
        (torch.inference_mode, torch.no_grad, False, True),
        (torch.inference_mode, torch.enable_grad, False, True),
        (torch.inference_mode, lambda: torch.set_grad_enabled(True), False, True),
        (torch.inference_mode, lambda: torch.inference_mode(False), True, False),
        (torch.no_grad, lambda: torch.inference_mode(False), True, False),
    ],
    ids=[
        "no_grad-enable_grad",
        "no_grad-set_grad_enabled(True)",
        "enable_grad-set_grad_enabled(False)",
        "no_grad-inference_mode",
        "inference_mode-no_grad",
        "inference_mode-enable_grad",
        "inference_mode-set_grad_enabled(True)",
        "inference_mode-inference_mode(False)",
        "no_grad-inference_mode(False)",
    ],
)
def test_nested_modes(device, outer, inner, requires_grad, is_inference):
    """Of nested blocks the innermost decides whether autograd records, except that inside `inference_mode` neither
    `enable_grad` nor `set_grad_enabled(True)` records anything.

    `inference_mode(False)` does record there, and inside `no_grad` too. A `no_grad` inside `inference_mode` does not
    end it: the results are still inference tensors.

    https://docs.pytorch.org/docs/stable/notes/autograd.html#locally-disabling-gradient-computation
    """
    x = torch.tensor([2.0, 3.0], device=device, requires_grad=True)

    with outer():
        before = modes()
        with inner():
            y = x * 2
        after = modes()

    assert (y.requires_grad, y.is_inference()) == (requires_grad, is_inference)
    assert after == before
    assert modes() == (True, False)


SWITCHES = {
    "no_grad": torch.no_grad,
    "enable_grad": torch.enable_grad,
    "inference_mode": torch.inference_mode,
    "inference_mode(False)": lambda: torch.inference_mode(False),
    "set_grad_enabled(False)": lambda: torch.set_grad_enabled(False),
}


@pytest.mark.myth("a function that computes a derivative turns on what it needs for it")
def test_a_jacobian_in_inference_mode_is_zero(device):
    """For a function such as `(x * x).sum()` `torch.autograd.functional.jacobian` computes the derivative under
    `no_grad`, and silently gives zeros in `inference_mode`.

    It turns gradients on for itself, which has no effect inside `inference_mode`. Call it outside of the block; with
    `strict=True` it raises RuntimeError in place of the zeros. For a view such as `x[0]` of an input that was made
    outside of the block, it raises one without `strict` too.

    https://docs.pytorch.org/docs/stable/generated/torch.autograd.functional.jacobian.html
    """
    jacobian = torch.autograd.functional.jacobian
    x = torch.tensor([3.0, 5.0], device=device)

    def sum_of_squares(x):
        return (x * x).sum()

    with torch.no_grad():
        assert jacobian(sum_of_squares, x).tolist() == [6, 10]
    with torch.inference_mode():
        assert jacobian(sum_of_squares, x).tolist() == [0, 0]
        with pytest.raises(RuntimeError, match="does not require gradients"):
            jacobian(sum_of_squares, x, strict=True)
        with pytest.raises(RuntimeError, match="does not require grad"):
            jacobian(lambda x: x[0], x)
        assert jacobian(lambda x: x[0], x.clone()).tolist() == [0, 0]


@pytest.mark.parametrize("switch", SWITCHES.values(), ids=SWITCHES)
@pytest.mark.parametrize("outer", [torch.enable_grad, torch.no_grad, torch.inference_mode])
def test_modes_come_back_after_an_exception(switch, outer):
    """A `with torch.no_grad():` block and a decorated function leave the mode as they found it, whether they end
    normally, by `return` or by an exception, and so do the blocks of the other switches.

    An evaluation that fails does not leave the training loop without gradients.

    https://docs.pytorch.org/docs/stable/generated/torch.autograd.grad_mode.no_grad.html
    """

    def leave_by_return():
        with switch():
            return modes()

    def fail():
        raise KeyError("on purpose")

    with outer():
        before = modes()
        leave_by_return()
        assert modes() == before
        with pytest.raises(KeyError), switch():
            fail()
        assert modes() == before
        with switch():
            decorated = torch.no_grad()(fail)
        with pytest.raises(KeyError):
            decorated()
        assert modes() == before
    assert modes() == (True, False)


def test_one_no_grad_object_cannot_be_nested_in_itself():
    """One `no_grad` object in a `with` directly inside its own `with` leaves gradients off after both.

    The object remembers one earlier mode only, that of the inner block: with `torch.enable_grad()` between the two,
    gradients are on after both. Using it in one block after another is fine. Call `torch.no_grad()` anew in each
    `with`, and do not store it in a global variable.

    https://docs.pytorch.org/docs/stable/generated/torch.autograd.grad_mode.no_grad.html
    """
    quiet = torch.no_grad()

    with quiet:
        pass
    with quiet:
        assert not torch.is_grad_enabled()
    assert torch.is_grad_enabled()

    with quiet, quiet:
        pass
    assert not torch.is_grad_enabled()
    torch.set_grad_enabled(True)

    with quiet, torch.enable_grad(), quiet:
        pass
    assert torch.is_grad_enabled()

    with torch.no_grad(), torch.no_grad():
        pass
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("autograd", [torch.no_grad, torch.inference_mode])
def test_a_thread_starts_with_gradients_on(device, autograd):
    """A `threading.Thread` that is started under `no_grad` or `inference_mode` records as usual, because the mode
    belongs to one thread.

    Put the `with` into the function that the thread runs, or decorate that function.

    https://docs.pytorch.org/docs/stable/notes/autograd.html#multithreaded-autograd
    """
    x = torch.tensor([2.0, 3.0], device=device, requires_grad=True)
    seen = []

    with autograd():
        here = modes()
        thread = threading.Thread(target=lambda: seen.append((modes(), (x * 2).requires_grad)))
        thread.start()
        thread.join()

    assert here == (False, autograd is torch.inference_mode)
    assert seen == [((True, False), True)]


# Decorators: above what does `@torch.no_grad()` work?


@pytest.mark.parametrize(
    ("decorate", "inside"),
    [
        (torch.no_grad(), (False, False)),
        (torch.inference_mode(), (False, True)),
        (torch.inference_mode(mode=False), (True, False)),
        (torch.enable_grad(), (True, False)),
    ],
    ids=["no_grad", "inference_mode", "inference_mode(False)", "enable_grad"],
)
def test_modes_decorate_functions(device, decorate, inside):
    """`@torch.no_grad()` above a plain function runs each of its calls under `no_grad`, and arguments, result and name
    stay as they are.

    `@torch.inference_mode()` and `@torch.enable_grad()` do the same for their mode. A decorator spares the indented
    `with` in a `predict` function.

    https://docs.pytorch.org/docs/stable/generated/torch.autograd.grad_mode.no_grad.html
    """

    @decorate
    def predict(x, *, times):
        return x * times, modes()

    outer = torch.no_grad() if inside[0] else torch.enable_grad()
    with outer:
        before = modes()
        results = [predict(3, times=5), predict(2, times=4)]
        of_a_tensor = predict(torch.tensor([2.0, 3.0], device=device, requires_grad=True), times=2)
        assert modes() == before

    assert results == [(15, inside), (8, inside)]
    y, found = of_a_tensor
    assert found == inside
    assert (y.tolist(), y.requires_grad, y.is_inference()) == ([4, 6], *inside)
    assert predict.__name__ == "predict"


def test_no_grad_goes_below_classmethod_and_staticmethod():
    """`@torch.no_grad()` works between `@classmethod` and the function, and above `@classmethod` it makes a method that
    raises TypeError "'classmethod' object is not callable".

    Nothing is raised when the class is made, only when the method is called. Keep `@torch.no_grad()` next to `def`,
    below `@staticmethod` too.

    https://docs.pytorch.org/docs/stable/generated/torch.autograd.grad_mode.no_grad.html
    """

    class Model:
        @classmethod
        @torch.no_grad()
        def below_classmethod(cls):
            return torch.is_grad_enabled()

        @staticmethod
        @torch.no_grad()
        def below_staticmethod():
            return torch.is_grad_enabled()

        @torch.no_grad()
        @classmethod
        def above_classmethod(cls):
            return torch.is_grad_enabled()

    assert Model.below_classmethod() is False
    assert Model.below_staticmethod() is False
    with pytest.raises(TypeError, match="'classmethod' object is not callable"):
        Model().above_classmethod()


@pytest.mark.myth("@torch.no_grad() works above any function")
def test_a_decorated_coroutine_records_all_the_same():
    """`@torch.no_grad()` above an `async def` covers the making of the coroutine only, so that gradients are on when
    the coroutine runs.

    Write `with torch.no_grad():` inside the function, and do not `await` in that block: see the next note.

    https://docs.pytorch.org/docs/stable/generated/torch.autograd.grad_mode.no_grad.html
    """

    @torch.no_grad()
    async def predict():
        return torch.is_grad_enabled()

    async def predict_with_a_block():
        with torch.no_grad():
            return torch.is_grad_enabled()

    results = []
    for coroutine in (predict(), predict_with_a_block()):
        with pytest.raises(StopIteration) as end:  # runs it to its end, as an event loop would
            coroutine.send(None)
        results.append(end.value.value)
    assert results == [True, False]


def test_await_inside_no_grad_turns_gradients_off_for_other_tasks():
    """An `await` inside `with torch.no_grad():` lets other asyncio tasks of the same thread run with gradients off.

    The mode belongs to the thread and not to the task. Await first, and open the block around the computation only.

    https://docs.pytorch.org/docs/stable/generated/torch.autograd.grad_mode.no_grad.html
    """
    seen = {}

    async def predict():
        with torch.no_grad():
            await asyncio.sleep(0)

    async def train():
        seen["at once"] = torch.is_grad_enabled()
        await asyncio.sleep(0)
        seen["after predict"] = torch.is_grad_enabled()

    async def main():
        await asyncio.gather(predict(), train())

    asyncio.run(main())

    assert seen == {"at once": False, "after predict": True}


def test_a_with_block_in_a_generator_leaks_to_its_consumer(device):
    """A generator that yields inside `with torch.no_grad():` turns gradients off for the loop that consumes it, and a
    generator function under `@torch.no_grad()` does not.

    `backward()` of a loss that is computed in such a loop fails with "does not require grad". Decorate the generator
    function, or leave the `with` block before each `yield`.

    https://docs.pytorch.org/docs/stable/generated/torch.autograd.grad_mode.no_grad.html
    """

    def with_block():
        with torch.no_grad():
            yield torch.is_grad_enabled()
            yield torch.is_grad_enabled()

    @torch.no_grad()
    def decorated():
        yield torch.is_grad_enabled()
        yield torch.is_grad_enabled()

    x = torch.tensor([2.0, 3.0], device=device, requires_grad=True)
    leaking = [(inside, (x * 2).requires_grad) for inside in with_block()]
    tight = [(inside, (x * 2).requires_grad) for inside in decorated()]

    assert leaking == [(False, False), (False, False)]
    assert tight == [(False, True), (False, True)]
    assert torch.is_grad_enabled()
    generator = with_block()
    next(generator)
    with pytest.raises(RuntimeError, match="does not require grad"):
        (x * 2).sum().backward()
    generator.close()


def test_two_generators_with_blocks_leave_gradients_off():
    """Two generators that yield inside `with torch.no_grad():` and are consumed side by side leave gradients off if the
    one that started first ends first.

    The second block starts under the first one and ends after it, so that it puts back "off". This is what a loop over
    `zip(batches(), batches())` does; if the second one is shorter, gradients are on again. Decorate the generator
    functions.

    https://docs.pytorch.org/docs/stable/generated/torch.autograd.grad_mode.no_grad.html
    """

    def with_block(length=1):
        with torch.no_grad():
            yield from [1] * length

    @torch.no_grad()
    def decorated():
        yield 1

    assert list(zip(decorated(), decorated(), strict=False)) == [(1, 1)]
    assert torch.is_grad_enabled()

    first, second = with_block(), with_block()
    assert (next(first), next(second)) == (1, 1)
    first.close()
    assert torch.is_grad_enabled()
    second.close()
    assert not torch.is_grad_enabled()
    torch.set_grad_enabled(True)

    assert list(zip(with_block(2), with_block(1), strict=False)) == [(1, 1)]
    assert torch.is_grad_enabled()
    assert list(zip(with_block(), with_block(), strict=False)) == [(1, 1)]
    assert not torch.is_grad_enabled()
    torch.set_grad_enabled(True)


@pytest.mark.myth("@torch.no_grad() above a class applies to its methods")
@pytest.mark.parametrize("decorate", [torch.no_grad(), torch.inference_mode()], ids=["no_grad", "inference_mode"])
@pytest.mark.holds(
    "torch>=2.4", otherwise=(AssertionError, UserWarning), change="warns", concerns="torch.no_grad() on class"
)
def test_decorating_a_class_is_deprecated(decorate):
    """From torch 2.4 on `@torch.no_grad()` above a class gives a FutureWarning, turns the class into a function, and
    covers the making of an object but not the methods that you call on the object later.

    Before 2.4 it gave a UserWarning. `isinstance(x, Model)` then raises TypeError. Decorate the methods.

    https://docs.pytorch.org/docs/stable/generated/torch.autograd.grad_mode.no_grad.html
    """

    class Model:
        def __init__(self):
            self.when_made = torch.is_grad_enabled()

        def predict(self):
            return torch.is_grad_enabled()

    with pytest.warns(FutureWarning, match="Decorating classes is deprecated"):
        decorated = decorate(Model)

    with pytest.raises(TypeError, match="isinstance"):
        isinstance(Model(), decorated)
    assert not isinstance(decorated, type)
    assert (decorated().when_made, decorated().predict()) == (False, True)


@pytest.mark.holds(
    "torch>=2.1",
    otherwise=(TypeError, AttributeError),
    change="new",
    concerns=("torch.no_grad on def", "torch.inference_mode on def", "torch.enable_grad on def"),
)
@pytest.mark.parametrize(
    ("decorate", "requires_grad"),
    [(torch.no_grad, False), (torch.inference_mode, False), (torch.enable_grad, True)],
)
def test_modes_decorate_without_parentheses(device, decorate, requires_grad):
    """From torch 2.1 on `@torch.no_grad`, `@torch.inference_mode` and `@torch.enable_grad` also work without
    parentheses.

    In torch 2.0 `@torch.no_grad` raised TypeError, and under `@torch.inference_mode` a function of one argument gave
    another function in place of its result. Write the parentheses if your code has to run there.

    https://docs.pytorch.org/docs/stable/generated/torch.autograd.grad_mode.inference_mode.html
    """

    @decorate
    def predict(x):
        return x * 2

    x = torch.tensor([2.0, 3.0], device=device, requires_grad=True)
    with torch.set_grad_enabled(not requires_grad):
        y = predict(x)
        assert modes() == (not requires_grad, False)

    assert y.tolist() == [4, 6]
    assert (y.requires_grad, y.is_inference()) == (requires_grad, decorate is torch.inference_mode)


@pytest.mark.holds(
    "torch>=2.2", otherwise=AssertionError, change="result", concerns="torch.set_grad_enabled(...) on def"
)
def test_decorating_with_set_grad_enabled_leaves_the_mode_alone():
    """From torch 2.2 on `@torch.set_grad_enabled(False)` above a function turns gradients off inside the calls of that
    function only.

    In torch 2.0 and 2.1 the decorator also turned them off for the code that follows the function. `@torch.no_grad()`
    above a function never did.

    https://docs.pytorch.org/docs/stable/generated/torch.autograd.grad_mode.set_grad_enabled.html
    """
    with torch.enable_grad():  # whatever happens inside, the mode comes back
        torch.no_grad()(torch.is_grad_enabled)
        assert torch.is_grad_enabled()

        @torch.set_grad_enabled(False)
        def predict():
            return torch.is_grad_enabled()

        assert torch.is_grad_enabled()
        assert predict() is False
        assert torch.is_grad_enabled()
        with torch.no_grad():
            assert predict() is False
            assert not torch.is_grad_enabled()


# Inference tensors: what is not allowed with the results of `inference_mode`?


def test_what_is_an_inference_tensor(device):
    """A new tensor that `torch.tensor`, arithmetic or `clone()` makes in `inference_mode` is an inference tensor and
    remains one after the block, while a slice of a normal tensor and the result of an in-place operation on it are
    normal.

    Outside of the block, `made * 2`, `made.clone()` and `copy.deepcopy(made)` of an inference tensor `made` are normal.
    A slice, `detach()` and what gives back the tensor itself, as `made.float()` does here, are inference tensors. A
    view as another dtype, `view(torch.int32)`, counts as a new tensor.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.is_inference.html
    """
    normal = torch.tensor([2.0, 3.0, 5.0], device=device)
    with torch.inference_mode():
        made = torch.tensor([2.0, 3.0, 5.0], device=device)
        inside = {"computed": normal * 2, "cloned": normal.clone(), "view": normal[:2], "in-place": normal.add_(0)}
    outside = {"made": made, "view": made[:2], "detached": made.detach(), "computed": made * 2, "cloned": made.clone()}
    outside["copied"], outside["itself"] = copy.deepcopy(made), made.float()
    outside["as integers"] = made.view(torch.int32)
    with torch.inference_mode():
        inside["as integers"] = normal.view(torch.int32)

    assert {name: tensor.is_inference() for name, tensor in inside.items()} == {
        "computed": True,
        "cloned": True,
        "view": False,
        "in-place": False,
        "as integers": True,
    }
    assert {name: tensor.is_inference() for name, tensor in outside.items()} == {
        "made": True,
        "view": True,
        "detached": True,
        "computed": False,
        "cloned": False,
        "copied": False,
        "itself": True,
        "as integers": False,
    }


def test_inference_tensors_cannot_be_saved_for_backward(device):
    """An inference tensor raises RuntimeError "Inference tensors cannot be saved for backward" as a factor of a weight
    that requires grad, and as the contiguous input of a Linear whose weight requires grad.

    Autograd would have to keep it. In a sum, and in a Linear whose bias alone learns, nothing is kept and nothing is
    raised. Compute features for a later training under `no_grad` instead, or `clone()` them outside of the block.

    https://docs.pytorch.org/docs/stable/generated/torch.autograd.grad_mode.inference_mode.html
    """
    weight = torch.tensor([2.0, 3.0], device=device, requires_grad=True)
    with torch.inference_mode():
        features = torch.tensor([5.0, 7.0], device=device)

    with pytest.raises(RuntimeError, match="Inference tensors cannot be saved for backward"):
        weight * features
    with pytest.raises(RuntimeError, match="Inference tensors cannot be saved for backward"):
        nn.Linear(2, 1).to(device)(features)
    (weight * features.clone()).sum().backward()
    assert weight.grad.tolist() == [5, 7]

    (weight + features).sum().backward()
    assert weight.grad.tolist() == [6, 8]

    layer = nn.Linear(2, 1).to(device)
    layer.weight.requires_grad_(False)
    layer(features).backward()
    assert layer.bias.grad.tolist() == [1]


def test_inference_tensors_are_not_to_be_written_to_outside(device):
    """Outside of `inference_mode`, `add_` on an inference tensor and an assignment to one of its elements raise
    RuntimeError "Inplace update to inference tensor", but the numbers have been changed by then.

    A sum that the block makes, such as `total += loss` after `total = 0`, is such a tensor: `total /= n` behind the
    block raises, and `total = total / n` does not. `no_grad` does not help, and `requires_grad_()` raises RuntimeError
    too. Do not go on with the tensor after such an error: write to `tensor.clone()`.

    https://docs.pytorch.org/docs/stable/notes/autograd.html#inference-mode
    """
    with torch.inference_mode():
        tensor = torch.tensor([2.0, 3.0], device=device)
        tensor.add_(1)  # inside it may be written to

    with pytest.raises(RuntimeError, match="Inplace update to inference tensor outside InferenceMode"):
        tensor.add_(10)
    assert tensor.tolist() == [13, 14]
    with torch.no_grad(), pytest.raises(RuntimeError, match="Inplace update to inference tensor outside InferenceMode"):
        tensor[0] = 7
    assert tensor.tolist() == [7, 14]

    with pytest.raises(RuntimeError, match="Setting requires_grad=True on inference tensor outside InferenceMode"):
        tensor.requires_grad_()
    assert not tensor.requires_grad
    clone = tensor.clone().requires_grad_()
    assert clone.add(1).tolist() == [8, 15]
    assert tensor.clone().add_(1).tolist() == [8, 15]

    total, made_outside = 0, torch.zeros((), device=device)
    with torch.inference_mode():
        total += torch.tensor(6.0, device=device)
        made_outside += total
    made_outside /= 2
    assert made_outside.item() == 3
    assert (total / 2).item() == 3
    with pytest.raises(RuntimeError, match="Inplace update to inference tensor outside InferenceMode"):
        total /= 2


@pytest.mark.myth("an inference tensor is safe from writes outside of inference_mode")
def test_detach_and_data_write_to_inference_tensors_silently(device):
    """`tensor.detach().add_(10)` and `tensor.data.add_(10)` change an inference tensor outside of `inference_mode` and
    raise nothing.

    The error of the note above is no protection for results that you want to keep: hand out a `clone()`.

    https://docs.pytorch.org/docs/stable/notes/autograd.html#inference-mode
    """
    with torch.inference_mode():
        tensor = torch.tensor([2.0, 3.0], device=device)

    tensor.detach().add_(10)
    assert tensor.tolist() == [12, 13]

    tensor.data.add_(10)
    assert tensor.tolist() == [22, 23]


def test_inference_tensors_have_no_version_counter(device):
    """A normal tensor counts in-place operations such as `add_`, under `no_grad` too, and reading the counter
    `_version` of an inference tensor raises RuntimeError.

    The counter is how `backward()` notices that a value it needs was overwritten. A change through `.data`, through
    NumPy or by `apply_` is not counted, one through `.detach()` is.

    https://docs.pytorch.org/docs/stable/notes/autograd.html#in-place-correctness-checks
    """
    with torch.no_grad():
        counted = torch.tensor([2.0, 3.0], device=device)
        counted.add_(1)
    with torch.inference_mode():
        uncounted = torch.tensor([2.0, 3.0], device=device)
        uncounted.add_(1)

    assert counted._version == 1
    with pytest.raises(RuntimeError, match="Inference tensors do not track version counter"):
        uncounted._version

    counted.data.add_(1)
    assert counted._version == 1
    counted.detach().add_(1)
    assert counted._version == 2

    on_the_cpu = torch.ones(2)  # for NumPy and `apply_` there is no other place
    on_the_cpu.numpy()[0] = 5
    on_the_cpu.apply_(lambda number: number + 1)
    assert on_the_cpu.tolist() == [6, 2]
    assert on_the_cpu._version == 0


@pytest.mark.myth("backward() raises if a weight that it needs has changed since the forward pass")
@pytest.mark.holds("torch>=2.4", otherwise=RuntimeError, change="new", concerns="torch.optim.Adam(fused=True)")
def test_a_fused_step_is_not_counted():
    """From torch 2.4 on a step of an Adam with `fused=True` changes a weight on the CPU without counting it, so that a
    later `backward()` that needs the old weight silently computes with the new one.

    Without `fused` that `backward()` raises "modified by an inplace operation". Call `backward()` before `step()`, with
    each loss from a forward pass of its own. Older releases have no fused Adam for the CPU.

    https://docs.pytorch.org/docs/stable/notes/autograd.html#in-place-correctness-checks
    """
    gradients = []
    for fused in (True, False):
        weight = nn.Parameter(torch.tensor([2.0]))
        optimizer = torch.optim.Adam([weight], lr=0.5, fused=fused)
        loss = (weight**2).sum()  # its gradient at 2 is 4
        weight.grad = torch.ones(1)
        optimizer.step()

        weight.grad = None
        if fused:
            assert weight._version == 0
            loss.backward()
            gradients.append((weight.item(), weight.grad.item()))
        else:
            assert weight._version > 0
            with pytest.raises(RuntimeError, match="modified by an inplace operation"):
                loss.backward()

    assert gradients == [(pytest.approx(1.5), pytest.approx(3))]


def test_inference_mode_does_not_hide_writes_to_normal_tensors(device):
    """An in-place operation such as `mul_` on a normal tensor inside `inference_mode` is counted, so that `backward()`
    raises RuntimeError "modified by an inplace operation" if it needs the old value.

    The tensor stays a normal one. Inside the block, too, write to a copy of what the training still needs.

    https://docs.pytorch.org/docs/stable/notes/autograd.html#in-place-correctness-checks
    """
    x = torch.tensor([0.0, 1.0], device=device, requires_grad=True)
    y = x.exp()  # exp keeps its result for backward

    with torch.inference_mode():
        y[:1].mul_(3)

    assert (y.tolist()[0], y.is_inference(), y._version) == (3, False, 1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_a_model_made_in_inference_mode_learns_its_biases_only():
    """On the CPU a Linear with a bias that was built in `inference_mode` gets a gradient for the bias and silently none
    for its weight, if its input does not require grad.

    By default a step of SGD and `load_state_dict` raise RuntimeError "Inplace update to inference tensor", and so does,
    with other words, a forward pass whose input requires grad. Build models outside of `inference_mode`; outside,
    `copy.deepcopy(model)` gives one that learns.

    https://docs.pytorch.org/docs/stable/notes/autograd.html#inference-mode
    """
    # Only on the CPU: it comes from the way in which a Linear is computed, which MPS has its own of.
    with torch.inference_mode():
        model, second = nn.Linear(2, 1), nn.Linear(1, 1)
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])

    model(x).sum().backward()

    assert model.weight.is_inference()
    assert model.weight.requires_grad
    assert model.weight.grad is None
    assert model.bias.grad.tolist() == [2]
    with pytest.raises(RuntimeError, match="Inplace update to inference tensor"):
        torch.optim.SGD(model.parameters(), lr=0.1).step()
    with pytest.raises(RuntimeError, match="Inplace update to inference tensor"):
        model.load_state_dict(nn.Linear(2, 1).state_dict())
    with pytest.raises(RuntimeError, match="Inference tensors cannot be saved for backward"):
        second(model(x))
    with pytest.raises(RuntimeError, match="Inference tensors cannot be saved for backward"):
        model(x.clone().requires_grad_())
    repaired = copy.deepcopy(model)
    repaired(x).sum().backward()
    assert (repaired.weight.is_inference(), repaired.weight.grad.tolist()) == (False, [[4, 6]])
    with torch.inference_mode():
        no_bias = nn.Linear(2, 1, bias=False)
    with pytest.raises(RuntimeError, match="does not require grad"):
        no_bias(x).sum().backward()


# Fine print: averages, gradients and chance


def test_dropout_keeps_the_expectation(device):
    """For `p` below 1 and float32 numbers x with a finite `x / (1 - p)` the mean of many outputs of `nn.Dropout(p)` in
    training comes close to x, within what chance allows.

    A kept number is `x / (1 - p)` with probability `1 - p`, so that its mean is x and its variance `x**2 * p / (1 -
    p)`. With `p=1` each finite number becomes 0, and inf becomes nan. What follows the dropout need not keep the mean:
    the square of the output has a larger one.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Dropout.html
    """
    x = torch.tensor([1.0, -2.0, 5.0], device=device)
    draws, p = 4_000, 0.2

    many = nn.Dropout(p)(x.repeat(draws, 1))
    mean = many.mean(dim=0)

    standard_error = x.abs() * math.sqrt(p / (1 - p) / draws)
    assert ((mean - x).abs() <= 6 * standard_error).all()
    assert nn.Dropout(1.0)(x).tolist() == [0, 0, 0]
    assert nn.Dropout(1.0)(torch.tensor([math.inf, math.nan], device=device)).isnan().all()
    assert (many.square().mean(dim=0) > x.square()).all()


@given(p=st.floats(0, 1), x=st.lists(st.floats(-1000, 1000, width=32), min_size=1, max_size=20))
@example(p=1.0, x=[2.0, -3.0])
def test_dropout_scales_the_gradient_like_the_value_for_every_p(device, p, x):
    """For each `p` from 0 to 1 the gradient of `nn.Dropout(p)` in training has the mask of the forward pass: 0 where a
    number was dropped and, up to rounding, `1 / (1 - p)` where it was kept.

    Through this layer a dropped number teaches the layers before it nothing in this step.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Dropout.html
    """
    ones = torch.ones(len(x), device=device, requires_grad=True)
    x = torch.tensor(x, device=device)

    y = nn.Dropout(p)(ones)
    (y * x).sum().backward()

    kept = y.detach() != 0
    scale = 1 / (1 - p) if p < 1 else 0
    torch.testing.assert_close(y.detach(), kept * torch.full_like(x, scale), rtol=2**-21, atol=0)
    torch.testing.assert_close(ones.grad, y.detach() * x, rtol=2**-21, atol=0)
