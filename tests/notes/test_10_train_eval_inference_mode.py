"""train, eval, inference_mode.

Before a model is evaluated two things are usually switched, and they have nothing to do with each other.
`model.eval()` is about layers: dropout stops dropping and BatchNorm stops learning statistics. `torch.no_grad()` and
`torch.inference_mode()` are about autograd: nothing is recorded for a backward pass. Neither does the work of the
other, so evaluation wants one of each.
"""

import gc
import math
import threading

import pytest
import torch
from hypothesis import example, given, strategies as st
from torch import nn
from torch.nn import functional as F


def modes():
    """Whether autograd records, and whether inference mode is on."""
    return torch.is_grad_enabled(), torch.is_inference_mode_enabled()


def test_a_new_model_is_in_training_mode():
    """A new module and parts that are made for it are in training mode: nobody has to call `train()` before the first
    epoch.

    A part that was in evaluation mode before stays in it, and a library may hand out its trained models in evaluation
    mode: then call `train()`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """
    model = nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.Dropout(), nn.BatchNorm1d(3)))

    assert [module.training for module in model.modules()] == [True] * 5
    assert [module.training for module in nn.Sequential(nn.Dropout().eval()).modules()] == [True, False]


def test_eval_and_train_reach_every_submodule_and_return_the_model(device):
    """`eval()` and `train()` set the flag `training` of the module and of everything in it, and return the module.

    `eval()` is `train(False)`. Moving a model to another device leaves its mode.

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


def test_eval_of_a_part_leaves_the_rest():
    """`eval()` of one layer changes that layer only, until the next `train()` of the whole model puts it back.

    Whoever keeps a frozen BatchNorm in evaluation mode has to do so again after each `model.train()`, or override
    `train`.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.train
    """
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))

    model[1].eval()
    assert [module.training for module in (model, *model)] == [True, True, False]

    model.train()
    assert [module.training for module in (model, *model)] == [True, True, True]


def test_a_layer_added_after_eval_is_in_training_mode(device):
    """`eval()` reaches the layers that are there: one that is added or replaced afterwards is in training mode.

    Call `eval()` last, just before the evaluation.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.eval
    """
    model = nn.Sequential(nn.Linear(2, 3), nn.Dropout()).to(device).eval()

    model[0] = nn.Linear(2, 3, device=device)
    model.append(nn.Dropout())

    assert [module.training for module in (model, *model)] == [False, True, False, True]
    x = torch.ones(100, 2, device=device)
    assert not torch.equal(model(x), model(x))  # two draws of 300 coins


@pytest.mark.parametrize("mode", [0, 1, None, "eval", torch.tensor(True)], ids=str)
def test_train_takes_only_a_bool(mode):
    """`train(mode)` raises ValueError for anything but True and False, numbers and texts included.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.train
    """
    with pytest.raises(ValueError, match="training mode is expected to be boolean"):
        nn.Dropout().train(mode)


@pytest.mark.myth("a model saved in evaluation mode is loaded in evaluation mode")
def test_the_mode_is_not_in_the_state_dict(device):
    """The mode is not part of the state_dict: a model that is built and loaded is in training mode, however it was
    saved.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.load_state_dict
    """
    trained = nn.Sequential(nn.Linear(2, 3), nn.Dropout()).to(device).eval()
    loaded = nn.Sequential(nn.Linear(2, 3), nn.Dropout()).to(device)

    loaded.load_state_dict(trained.state_dict())

    assert list(trained.state_dict()) == ["0.weight", "0.bias"]
    assert [module.training for module in loaded.modules()] == [True, True, True]


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
    """train/eval decides over dropout and statistics, no_grad over the graph, inference_mode over the graph and the
    kind of tensor that comes out.

    The first changes nothing of what belongs to the other two, nor they of what belongs to it.

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
    """In evaluation mode everything is recorded, and backward fills the gradients as in training.

    Without `no_grad` or `inference_mode` an evaluation keeps what a backward pass would need in memory for as long as
    its outputs live.

    https://docs.pytorch.org/docs/stable/notes/autograd.html#evaluation-mode-nn-module-eval
    """
    model = nn.Linear(2, 1).to(device).eval()

    loss = model(torch.tensor([[1.0, 2.0], [3.0, 5.0]], device=device)).sum()
    assert loss.requires_grad

    loss.backward()
    assert model.weight.grad.tolist() == [[4, 7]]
    assert model.bias.grad.tolist() == [2]


@pytest.mark.myth("inference_mode (or no_grad) turns dropout off")
@pytest.mark.parametrize("autograd", [torch.no_grad, torch.inference_mode])
def test_inference_mode_does_not_turn_dropout_off(device, autograd):
    """Under `no_grad` and `inference_mode` dropout drops as in training: predictions differ from call to call until
    `eval()`.

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
    """A forward pass in training mode moves BatchNorm's statistics towards the data it sees, under no_grad and
    inference_mode too.

    An evaluation that forgets `eval()` trains on the test set a little.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BatchNorm1d.html
    """
    model = nn.BatchNorm1d(1).to(device)

    with autograd():
        model(torch.tensor([[60.0], [100.0]], device=device))

    near = {"rel": 2**-20, "abs": 0}  # four operations of float32
    assert model.running_mean.tolist() == pytest.approx([0.9 * 0 + 0.1 * 80], **near)
    assert model.running_var.tolist() == pytest.approx([0.9 * 1 + 0.1 * 800], **near)


def test_gradients_keep_what_backward_needs_and_no_grad_keeps_nothing(device):
    """A recorded forward pass keeps tensors for backward, in evaluation mode too; under no_grad and inference_mode it
    keeps none.

    That is the memory they save.

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


def test_no_grad_frees_the_memory_of_the_layers_between(accelerator):
    """On an accelerator one can count it: after a forward pass of ten layers with gradients ten outputs are still in
    memory, after one under no_grad or inference_mode only the last.

    It is so in evaluation mode, too. `del` of the output, or a backward pass, frees the ten.

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


def test_predictions_do_not_depend_on_the_autograd_mode(device):
    """With or without no_grad or inference_mode a model in evaluation mode predicts the same up to rounding, and one of
    plain layers such as these bit for bit.

    Other layers may take a faster way where nothing is recorded, which adds up in another order: MultiheadAttention,
    TransformerEncoder and in some releases LSTM.

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


@pytest.mark.picture("masks", "x", "y", "p")
@pytest.mark.parametrize(("p", "scale"), [(0.25, 4 / 3), (0.5, 2), (0.75, 4)])
def test_dropout_zeroes_some_and_scales_the_rest(device, p, scale):
    """In training, dropout gives every element either 0 or x / (1 - p), and leaves its input as it was unless told
    `inplace=True`.

    Because of the scaling nothing has to be multiplied in evaluation.

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
    own = x.clone()
    assert nn.Dropout(p, inplace=True)(own) is own
    assert (own == 0).any()


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_dropout_zeroes_a_share_p(device, p):
    """The probability p is that of being zeroed, not that of being kept: of n elements about n * p become 0, give or
    take.

    The number of zeros has the standard deviation sqrt(n * p * (1 - p)); six of them are exceeded once in 500 million
    times.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Dropout.html
    """
    n = 10_000
    for y in (nn.Dropout(p)(torch.ones(n, device=device)), F.dropout(torch.ones(100, 100, device=device), p)):
        zeros = int((y == 0).sum())
        assert abs(zeros - n * p) <= 6 * math.sqrt(n * p * (1 - p))


def test_dropout_keeps_the_expectation(device):
    """On average dropout changes nothing: the mean of many outputs is the input, within what chance allows.

    x / (1 - p) with probability 1 - p, else 0, has the mean x and the variance x**2 * p / (1 - p).

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Dropout.html
    """
    x = torch.tensor([1.0, -2.0, 5.0], device=device)
    draws, p = 4_000, 0.2

    mean = nn.Dropout(p)(x.repeat(draws, 1)).mean(dim=0)

    standard_error = x.abs() * math.sqrt(p / (1 - p) / draws)
    assert ((mean - x).abs() <= 6 * standard_error).all()


@given(p=st.floats(0, 1), x=st.lists(st.floats(-1000, 1000, width=32), min_size=1, max_size=20))
@example(p=1.0, x=[2.0, -3.0])
def test_dropout_scales_the_gradient_like_the_value_for_every_p(device, p, x):
    """For every p in [0, 1] the gradient passes through the mask of its forward pass: 0 where dropped, 1 / (1 - p)
    where kept.

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


def test_dropout_takes_probabilities(device):
    """p is 0.5 unless given, 0 drops nothing, 1 drops everything (without nan), and ValueError is raised outside [0,
    1].

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Dropout.html
    """
    x = torch.tensor([1.0, -2.0, 5.0], device=device)

    assert nn.Dropout().p == 0.5
    assert set(F.dropout(torch.ones(100, device=device)).tolist()) == {0, 2}
    assert nn.Dropout(0)(x).tolist() == [1, -2, 5]
    assert nn.Dropout(1)(x).tolist() == [0, 0, 0]
    for p in (-0.25, 1.5):
        with pytest.raises(ValueError, match="has to be between 0 and 1"):
            nn.Dropout(p)
        with pytest.raises(ValueError, match="has to be between 0 and 1"):
            F.dropout(x, p)


@pytest.mark.parametrize("dtype", [torch.int64, torch.bool], ids=str)
def test_dropout_does_not_take_whole_numbers(dtype):
    """Dropout of whole numbers raises RuntimeError in training, since it would have to scale them; in evaluation it
    gives them back.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Dropout.html
    """
    # On the CPU: accelerators have dropouts of their own, with other messages.
    x = torch.ones(100, dtype=dtype)

    with pytest.raises(RuntimeError, match="result type Float can't be cast"):
        nn.Dropout(0.5)(x)
    y = nn.Dropout(0.5).eval()(x)
    assert (y.dtype, y.tolist()) == (dtype, x.tolist())


def test_dropout_is_the_identity_in_evaluation(device):
    """In evaluation mode every kind of dropout gives back what it got, without scaling and without using up a random
    number.

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


def test_every_call_of_dropout_draws_a_new_mask(device):
    """Each call draws a new mask, and each row of a batch has its own; the same seed gives the same mask.

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


@pytest.mark.picture("masks", "images", "by_channel", "by_pixel")
def test_dropout2d_drops_whole_channels(device):
    """Dropout2d zeroes whole channels of an image, Dropout single pixels.

    Neighbouring pixels say much the same, so that a dropped pixel is hardly missed and a dropped channel is.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.Dropout2d.html
    """
    images = torch.ones(2, 32, 3, 5, device=device)

    by_channel = nn.Dropout2d(0.5)(images).flatten(start_dim=2)
    by_pixel = nn.Dropout(0.5)(images).flatten(start_dim=2)

    assert set(by_channel.sum(dim=2).flatten().tolist()) == {0, 2 * 15}
    assert len(set(by_pixel.sum(dim=2).flatten().tolist())) > 2
    assert not torch.equal(by_channel[0], by_channel[1])


@pytest.mark.myth("model.eval() turns every dropout off")
def test_the_function_dropout_knows_nothing_of_eval(device):
    """`F.dropout(x)` drops in evaluation mode too, because its `training` is True unless told: write
    `training=self.training`.

    Or use the layer `nn.Dropout`, which does just that.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.dropout.html
    """

    class Careless(nn.Module):
        def forward(self, x):
            return F.dropout(x)

    class Careful(nn.Module):
        def forward(self, x):
            return F.dropout(x, training=self.training)

    x = torch.ones(100, device=device)

    assert set(Careless().eval()(x).tolist()) == {0, 2}
    assert set(Careful().eval()(x).tolist()) == {1}
    assert set(Careful().train()(x).tolist()) == {0, 2}


def test_batchnorm_in_training_uses_the_batch_and_remembers_it(device, rounding_bound):
    """In training BatchNorm subtracts the batch's mean, divides by its standard deviation, and moves its running
    statistics a tenth of the way to the batch's.

    The deviation that it divides by is the biased one (of n), with eps added to the variance; what it remembers is the
    unbiased variance (of n - 1).

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


def test_batchnorm_in_evaluation_uses_what_it_remembers(device, rounding_bound):
    """In evaluation BatchNorm computes (x - running_mean) / sqrt(running_var + eps) * weight + bias, and remembers
    nothing.

    A new layer remembers mean 0 and variance 1, and with the usual eps of 1e-5 it hardly changes anything.

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
    assert nn.BatchNorm1d(1).eps == 1e-5
    torch.testing.assert_close(untouched, x / math.sqrt(1 + 1), rtol=bound, atol=0)
    assert y.flatten().tolist() == pytest.approx([-2, -1, 2], rel=0, abs=bound * 8)
    assert (layer.running_mean.tolist(), layer.running_var.tolist()) == ([3], [15])
    assert layer.num_batches_tracked.item() == 5


def test_in_training_a_prediction_depends_on_its_batch(device, rounding_bound):
    """With BatchNorm a sample's output depends on the other samples of the batch in training, and in evaluation on the
    sample alone.

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
    """In training BatchNorm raises ValueError where a channel has one value only, as in a batch of one row, because one
    number has no spread; in evaluation it is fine.

    The last batch of an epoch may be such a one: a DataLoader with `drop_last=True` leaves it out. One image is enough,
    because each pixel counts.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BatchNorm1d.html
    """
    layer = nn.BatchNorm1d(2).to(device)
    one = torch.tensor([[4.0, -8.0]], device=device)

    with pytest.raises(ValueError, match="Expected more than 1 value per channel when training"):
        layer(one)
    assert layer.running_mean.tolist() == [0, 0]
    assert layer.eval()(one).flatten().tolist() == pytest.approx([4, -8], rel=1e-5)  # eps
    assert tuple(nn.BatchNorm2d(2).to(device)(torch.ones(1, 2, 3, 5, device=device)).shape) == (1, 2, 3, 5)


@pytest.mark.myth("BatchNorm's momentum=0.9 keeps 90 % of the old statistics")
def test_batchnorm_momentum_is_the_share_of_the_new(device):
    """BatchNorm's momentum is the weight of the new batch, 0.1 unless given; an optimizer's is that of the past.

    `momentum=None` averages all batches alike.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BatchNorm1d.html
    """
    means = {}
    for momentum in (0.1, 0.75, None):
        layer = nn.BatchNorm1d(1, momentum=momentum).to(device)
        for batch in ([[8.0], [8.0]], [[4.0], [4.0]], [[0.0], [0.0]]):
            layer(torch.tensor(batch, device=device))
        means[momentum] = layer.running_mean.item()

    assert nn.BatchNorm1d(1).momentum == 0.1
    near = {"rel": 2**-20, "abs": 0}  # six operations of float32
    assert means[0.1] == pytest.approx((0.8 * 0.9 + 0.4) * 0.9, **near)
    assert means[0.75] == pytest.approx((6 * 0.25 + 3) * 0.25, **near)
    assert means[None] == pytest.approx(4, **near)


def test_batchnorm_without_statistics_is_always_in_training(device):
    """With `track_running_stats=False` BatchNorm uses the batch's statistics in evaluation too, and `eval()` changes
    nothing.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.BatchNorm1d.html
    """
    layer = nn.BatchNorm1d(1, track_running_stats=False).to(device)
    x = torch.tensor([[1.0], [3.0], [8.0]], device=device)

    assert layer.running_mean is None
    assert torch.equal(layer.eval()(x), layer.train()(x))
    with pytest.raises(ValueError, match="Expected more than 1 value per channel"):
        layer.eval()(x[:1])


def test_frozen_parameters_do_not_stop_the_statistics(device):
    """`requires_grad_(False)` freezes BatchNorm's weight and bias, but its running statistics move on until `eval()`.

    https://docs.pytorch.org/docs/stable/notes/autograd.html#evaluation-mode-nn-module-eval
    """
    layer = nn.BatchNorm1d(1, momentum=0.5).to(device).requires_grad_(False)
    x = torch.tensor([[4.0], [8.0]], device=device)

    layer(x)
    assert layer.running_mean.tolist() == [3]

    layer.eval()
    layer(x)
    assert layer.running_mean.tolist() == [3]


@pytest.mark.parametrize(
    "make",
    [lambda: nn.Linear(4, 2), lambda: nn.LayerNorm(4), lambda: nn.GroupNorm(2, 4), lambda: nn.Softmax(dim=1)],
    ids=["Linear", "LayerNorm", "GroupNorm", "Softmax"],
)
def test_most_layers_do_not_look_at_the_mode(device, make):
    """Linear, LayerNorm, GroupNorm and Softmax do the same in training and evaluation, and remember nothing of the
    data.

    So do nearly all activations. Among those that ask for `self.training` are dropout, BatchNorm, the random activation
    RReLU and layers with a dropout inside, such as LSTM and MultiheadAttention.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.LayerNorm.html
    """
    layer = make().to(device)
    x = torch.tensor([[1.0, 2.0, 4.0, 8.0], [0.0, -3.0, 5.0, 1.0]], device=device)
    state = {name: tensor.clone() for name, tensor in layer.state_dict().items()}

    assert torch.equal(layer.train()(x), layer.eval()(x))
    assert all(torch.equal(tensor, state[name]) for name, tensor in layer.state_dict().items())
    below = torch.tensor([-1.0, -2.0, -3.0])  # on the CPU, as not every device has an RReLU
    assert not torch.equal(nn.RReLU().train()(below), nn.RReLU().eval()(below))


def test_under_no_grad_results_need_no_gradient(device):
    """Under no_grad a newly computed tensor doesn't require grad, whatever it is made of; its inputs, and leaves that
    ask for it, still do.

    https://docs.pytorch.org/docs/stable/generated/torch.autograd.grad_mode.no_grad.html
    """
    weight = torch.tensor([2.0, 3.0], device=device, requires_grad=True)

    with torch.no_grad():
        result = weight * 2
        leaf = torch.ones(2, device=device, requires_grad=True)
        parameter = nn.Parameter(torch.ones(2, device=device))

    assert [tensor.requires_grad for tensor in (result, weight, leaf, parameter)] == [False, True, True, True]
    assert result.tolist() == [4, 6]
    assert result.grad_fn is None
    with pytest.raises(RuntimeError, match="does not require grad"):
        result.sum().backward()


def test_no_grad_allows_changing_parameters_in_place(device):
    """Under no_grad a parameter can be changed in place, which raises RuntimeError while autograd records: that is how
    an optimizer steps.

    https://docs.pytorch.org/docs/stable/notes/autograd.html#no-grad-mode
    """
    weight = torch.tensor([2.0, 3.0], device=device, requires_grad=True)

    with pytest.raises(RuntimeError, match="leaf Variable that requires grad"):
        weight.sub_(0.5)
    with torch.no_grad():
        weight.sub_(0.5)

    assert weight.tolist() == [1.5, 2.5]
    assert weight.requires_grad
    assert weight.is_leaf


@pytest.mark.myth("a line `torch.no_grad()` turns gradients off from there on")
def test_no_grad_without_with_does_nothing(device):
    """`torch.no_grad()` and `torch.inference_mode()` alone on a line do nothing: they are for `with` and for
    decorating.

    `torch.set_grad_enabled(False)` does act as a statement, until somebody calls it with True.

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


@pytest.mark.parametrize(
    ("outer", "inner", "requires_grad", "is_inference"),
    [
        (torch.no_grad, torch.enable_grad, True, False),
        (torch.no_grad, lambda: torch.set_grad_enabled(True), True, False),
        (torch.enable_grad, lambda: torch.set_grad_enabled(False), False, False),
        (torch.no_grad, torch.inference_mode, False, True),
        (torch.inference_mode, torch.no_grad, False, True),
        (torch.inference_mode, torch.enable_grad, False, True),
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
        "inference_mode-inference_mode(False)",
        "no_grad-inference_mode(False)",
    ],
)
def test_nested_modes(device, outer, inner, requires_grad, is_inference):
    """The innermost mode counts, except that enable_grad records nothing inside inference_mode: only
    inference_mode(False) ends it.

    inference_mode(False) turns recording on as well, inside no_grad too.

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


@pytest.mark.parametrize("switch", SWITCHES.values(), ids=SWITCHES)
@pytest.mark.parametrize("outer", [torch.enable_grad, torch.no_grad, torch.inference_mode])
def test_modes_come_back_after_an_exception(switch, outer):
    """However a block or a decorated function ends, by its end, a return or an exception, the mode is what it was
    before.

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
    """`@torch.no_grad()` above a function is a `with` around each of its calls; arguments, result and name stay.

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


@pytest.mark.holds("torch>=2.1", otherwise=(TypeError, AttributeError))
@pytest.mark.parametrize(
    ("decorate", "requires_grad"),
    [(torch.no_grad, False), (torch.inference_mode, False), (torch.enable_grad, True)],
)
def test_modes_decorate_without_parentheses(device, decorate, requires_grad):
    """From torch 2.1 on `@torch.no_grad`, `@torch.inference_mode` and `@torch.enable_grad` work without parentheses as
    with them.

    In torch 2.0 a function under `@torch.inference_mode` gave back another function and no result.

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


@pytest.mark.holds("torch>=2.2", otherwise=AssertionError)
def test_decorating_with_set_grad_enabled_leaves_the_mode_alone():
    """From torch 2.2 on `@torch.set_grad_enabled(False)` above a function turns gradients off inside of its calls only.

    Until 2.1 it also turned them off for all code that came after the decorated function, unless that was called first:
    `@torch.no_grad()` never did.

    https://docs.pytorch.org/docs/stable/generated/torch.autograd.grad_mode.set_grad_enabled.html
    """
    with torch.enable_grad():  # whatever happens inside, the mode comes back

        @torch.set_grad_enabled(False)
        def predict():
            return torch.is_grad_enabled()

        assert torch.is_grad_enabled()
        assert predict() is False
        assert torch.is_grad_enabled()
        with torch.no_grad():
            assert predict() is False
            assert not torch.is_grad_enabled()


@pytest.mark.myth("@torch.no_grad() above a class applies to its methods")
@pytest.mark.parametrize("decorate", [torch.no_grad(), torch.inference_mode()], ids=["no_grad", "inference_mode"])
@pytest.mark.holds("torch>=2.4", otherwise=(AssertionError, UserWarning))
def test_decorating_a_class_is_deprecated(decorate):
    """Above a class `@torch.no_grad()` covers the making of an object and no method, and the class is a function from
    then on; from torch 2.4 on this gives a FutureWarning, before a UserWarning.

    Decorate the methods.

    https://docs.pytorch.org/docs/stable/generated/torch.autograd.grad_mode.no_grad.html
    """

    class Model:
        def __init__(self):
            self.when_made = torch.is_grad_enabled()

        def predict(self):
            return torch.is_grad_enabled()

    with pytest.warns(FutureWarning, match="Decorating classes is deprecated"):
        decorated = decorate(Model)

    assert not isinstance(decorated, type)
    assert (decorated().when_made, decorated().predict()) == (False, True)


@pytest.mark.myth("@torch.no_grad() works above any function")
def test_a_decorated_coroutine_records_all_the_same():
    """Above an `async def` `@torch.no_grad()` covers the making of the coroutine, and gradients are on when it runs.

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


def test_a_with_block_in_a_generator_leaks_to_its_consumer(device):
    """A generator that yields inside `with torch.no_grad():` leaves gradients off for whoever loops over it; a
    decorated one doesn't.

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


@pytest.mark.parametrize("autograd", [torch.no_grad, torch.inference_mode])
def test_a_thread_starts_with_gradients_on(device, autograd):
    """These modes belong to a thread: a thread that is started under no_grad or inference_mode records as usual.

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


def test_what_is_an_inference_tensor(device):
    """What is computed or created in inference mode is an inference tensor for life; views of normal tensors are not,
    nor are clones made outside.

    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.is_inference.html
    """
    normal = torch.tensor([2.0, 3.0, 5.0], device=device)
    with torch.inference_mode():
        made = torch.tensor([2.0, 3.0, 5.0], device=device)
        inside = {"made": made, "computed": normal * 2, "cloned": normal.clone(), "view": normal[:2], "same": normal}
    outside = {"made": made, "computed": made * 2, "cloned": made.clone(), "view": made[:2], "detached": made.detach()}

    assert {name: tensor.is_inference() for name, tensor in inside.items()} == {
        "made": True,
        "computed": True,
        "cloned": True,
        "view": False,
        "same": False,
    }
    assert {name: tensor.is_inference() for name, tensor in outside.items()} == {
        "made": True,
        "computed": False,
        "cloned": False,
        "view": True,
        "detached": True,
    }


def test_inference_tensors_cannot_be_saved_for_backward(device):
    """An inference tensor raises RuntimeError where autograd would have to keep it, as in a product; a clone of it
    does not.

    Where nothing is kept, as in a sum, it passes: features that were computed in inference mode fail in the first
    Linear layer that is to learn.

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


def test_inference_tensors_are_not_to_be_written_to_outside(device):
    """Outside of inference mode a write to an inference tensor raises RuntimeError, but too late: it has been done.

    It may not be made to require grad either. Under no_grad it is the same. Write to a clone.

    https://docs.pytorch.org/docs/stable/notes/autograd.html#inference-mode
    """
    with torch.inference_mode():
        tensor = torch.tensor([2.0, 3.0], device=device)
        tensor.add_(1)  # inside it may be written to

    with pytest.raises(RuntimeError, match="Inplace update to inference tensor outside InferenceMode"):
        tensor.add_(10)
    with torch.no_grad(), pytest.raises(RuntimeError, match="Inplace update to inference tensor outside InferenceMode"):
        tensor[0] = 7
    with pytest.raises(RuntimeError, match="Setting requires_grad=True on inference tensor outside InferenceMode"):
        tensor.requires_grad_()
    clone = tensor.clone().requires_grad_()

    assert tensor.tolist() == [7, 14]
    assert not tensor.requires_grad
    assert clone.requires_grad
    assert clone.add(1).tolist() == [8, 15]


def test_inference_tensors_have_no_version_counter(device):
    """A tensor counts the writes to it, so that backward notices one that comes in between; an inference tensor has
    no such counter.

    no_grad leaves the counters on.

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


def test_inference_mode_does_not_hide_writes_to_normal_tensors(device):
    """A normal tensor stays one in inference mode: writes to it count, and backward refuses a value that was
    overwritten there.

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
    """The weight of a Linear that was built in inference mode gets no gradient and backward raises nothing, while the
    bias gets its own.

    Both say that they require grad. Only the optimizer's step raises RuntimeError, or a second such layer on top, whose
    input requires grad. Build models outside of inference mode, and use them inside.

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
    with pytest.raises(RuntimeError, match="Inference tensors cannot be saved for backward"):
        second(model(x))
