"""For each concern of a boundary two pieces of code: one that it is about, and a near miss that it is not.

`BEFORE` stands in front of each. What is found in the first may be certain or only possible; a second one is not found.
"""

BEFORE = """
import functools, os
import numpy as np, torch, torchmetrics, torch.nn as nn, torch.nn.functional as F
from torch import optim
from torch.optim import lr_scheduler
from torch.utils import data
from torchmetrics import classification
def unknown(): ...
a, b, model, path, x = unknown(), unknown(), unknown(), unknown(), unknown()
"""

NARROW = {f"torch.{sign}int{bits}" for sign in ("", "u") for bits in range(1, 8)}

CORPUS = {
    # Shapes, devices and batches.
    "torch.Tensor.new_tensor": ("x.new_tensor(a)", "x.new_zeros(3)"),
    "torch.nn.LSTM?": ("nn.LSTM(10, 4)", "nn.GRU(10, 4)"),
    "torch.nn.functional.cross_entropy?": ("F.cross_entropy(a, b)", "F.nll_loss(a, b)"),
    "torch.utils.data.default_collate?": ("data.default_collate(a)", "data.default_convert(a)"),
    # Saving and loading.
    "torch.load(not weights_only)": ("torch.load(path)", "torch.load(path, weights_only=False)"),
    "torch.load(weights_only=True)": ("torch.load(path, weights_only=True)", "torch.load(path, weights_only=False)"),
    "torch.load(mmap)": ("torch.load(path, mmap=True)", "torch.hub.load(path, mmap=True)"),
    "torch.save?": ("torch.save(x, path)", "np.save(path, x)"),
    "torch.serialization.add_safe_globals": (
        "from torch.serialization import add_safe_globals as add; add([int])",
        "torch.serialization.clear_safe_globals()",
    ),
    "torch.serialization.safe_globals": (
        "with torch.serialization.safe_globals([int]): pass",
        "torch.serialization.skip_data()",
    ),
    "torch.serialization.get_unsafe_globals_in_checkpoint": (
        "torch.serialization.get_unsafe_globals_in_checkpoint(path)",
        "torch.serialization.get_safe_globals()",
    ),
    "numpy._core": ("import numpy._core.multiarray as m; m.scalar", "np.core.multiarray"),
    "$TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": (
        'os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"',
        'os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] = "1"',
    ),
    # Modules and their state.
    "torch.nn.Module.load_state_dict?": ("model.load_state_dict(x)", "scheduler.load_state_dict(x)"),
    "torch.nn.Module.load_state_dict(assign)": (
        "model.load_state_dict(x, assign=True)",
        "optimizer = optim.SGD([x]); optimizer.load_state_dict(x, assign=True)",
    ),
    "torch.nn.Module.load_state_dict(assign=True)": (
        "nn.Linear(3, 3).load_state_dict(x, assign=True)",
        "nn.Linear(3, 3).load_state_dict(x, assign=False)",
    ),
    "torch.nn.Module.load_state_dict(not assign)?": (
        "model.load_state_dict(x)",
        "model.load_state_dict(x, assign=True)",
    ),
    "torch.nn.Module.state_dict(_)": ("model.state_dict(x)", "model.state_dict(prefix='model.')"),
    "torch.nn.Module.named_parameters?": ("model.named_parameters()", "model.named_buffers()"),
    "torch.nn.Module.register_full_backward_hook?": (
        "model.register_full_backward_hook(x)",
        "model.register_forward_hook(x)",
    ),
    "torch.nn.Module.set_submodule": ("model.set_submodule('0', x)", "model.get_submodule('0')"),
    "torch.nn.Buffer": ("nn.Buffer(x)", "nn.Parameter(x)"),
    "torch.nn.Dropout": ("class Drop(nn.Dropout): pass", "nn.Dropout1d(0.5)"),
    "torch.nn.LayerNorm(bias)": ("nn.LayerNorm(3, bias=False)", "nn.LayerNorm(3)"),
    "torch.nn.LazyLinear": ("nn.LazyLinear(3)", "nn.Linear(3, 3)"),
    "torch.nn.RMSNorm": ("nn.RMSNorm(3)", "nn.LayerNorm(3)"),
    "torch.nn.TransformerEncoder?": ("nn.TransformerEncoder(x, 2)", "nn.TransformerDecoder(x, 2)"),
    "torch.nn.TransformerEncoderLayer?": ("nn.TransformerEncoderLayer(8, 2)", "nn.TransformerDecoderLayer(8, 2)"),
    "torch.nn.init(generator)": ("nn.init.normal_(x, generator=a)", "nn.init.normal_(x)"),
    "torch.nn.init.sparse_(generator)": ("nn.init.sparse_(x, 0.1, generator=a)", "nn.init.sparse_(x, 0.1)"),
    "torch.nn.init.trunc_normal_": ("nn.init.trunc_normal_(x)", "nn.init.normal_(x)"),
    "torch.nn.utils.weight_norm": (
        "nn.utils.weight_norm(model)",
        "nn.utils.parametrizations.weight_norm(model)",
    ),
    "torch.nn.utils.parametrizations.weight_norm": (
        "nn.utils.parametrizations.weight_norm(model)",
        "nn.utils.weight_norm(model)",
    ),
    "torch.nn.utils.clip_grad_norm_?": ("nn.utils.clip_grad_norm_(x, 1.0)", "nn.utils.clip_grad_value_(x, 1.0)"),
    "torch.nn.utils.get_total_norm": ("nn.utils.get_total_norm(x)", "nn.utils.clip_grad_norm_(x, 1.0)"),
    # Losses.
    "torch.nn.BCELoss?": ("nn.BCELoss()", "nn.BCEWithLogitsLoss()"),
    "torch.nn.functional.binary_cross_entropy?": ("F.binary_cross_entropy(a, b)", "F.cross_entropy(a, b)"),
    "torch.nn.BCEWithLogitsLoss": ("torch.nn.modules.loss.BCEWithLogitsLoss()", "nn.BCELoss()"),
    "torch.nn.functional.binary_cross_entropy_with_logits": (
        "loss = F.binary_cross_entropy_with_logits; loss(a, b)",
        "F.binary_cross_entropy(a, b)",
    ),
    "torch.nn.MSELoss?": ("nn.MSELoss()", "nn.L1Loss()"),
    "torch.nn.functional.mse_loss(weight)": ("F.mse_loss(a, b, weight=x)", "F.mse_loss(a, b)"),
    "torch.nn.functional.l1_loss(weight)": ("F.l1_loss(a, b, weight=x)", "F.l1_loss(a, b)"),
    "torch.nn.functional.huber_loss(weight)": ("F.huber_loss(a, b, weight=x)", "F.huber_loss(a, b, delta=2.0)"),
    "torch.nn.TripletMarginLoss(margin=0)": ("nn.TripletMarginLoss(margin=0.0)", "nn.TripletMarginLoss(margin=1.0)"),
    "torch.nn.functional.triplet_margin_loss(margin=0)": (
        "F.triplet_margin_loss(a, b, x, margin=0)",
        "F.triplet_margin_loss(a, b, x)",
    ),
    "torch.nn.functional.linear_cross_entropy": ("F.linear_cross_entropy(a, b, x)", "F.cross_entropy(a, b)"),
    "torch.nn.LinearCrossEntropyLoss": ("nn.LinearCrossEntropyLoss(3, 2)", "nn.CrossEntropyLoss()"),
    "torch.nn.functional.dropout": ("F.dropout(x, 0.5)", "F.dropout1d(x, 0.5)"),
    "torch.nn.functional.grouped_mm": ("F.grouped_mm(a, b)", "torch.mm(a, b)"),
    # Tensors.
    "torch.Tensor.__eq__": ("torch.ones(3) == np.ones(3)", "torch.ones(3) == torch.ones(3)"),
    "torch.Tensor.__float__?": ("loss = F.mse_loss(a, b); float(loss)", "float(F.mse_loss(a, b).item())"),
    "torch.Tensor.all(dim)?": ("torch.all(x, dim=(0, 1))", "torch.all(x)"),
    "torch.Tensor.any(dim)?": ("(torch.ones(3) > 0).any(dim=0)", "np.ones(3).any(dim=0)"),
    "torch.Tensor.atan2?": ("torch.atan2(a, b)", "np.arctan2(a, b)"),
    "torch.Tensor.clamp?": ("x.clamp_(0, 1)", "np.ones(3).clamp(0, 1)"),
    "torch.Tensor.quantile?": ("torch.quantile(x, 0.5)", "np.quantile(x, 0.5)"),
    "torch.Tensor.std?": ("torch.ones(1).std()", "np.ones(1).std()"),
    "torch.Tensor.var?": ("torch.var(x)", "torch.var_mean(x)"),
    "torch.Tensor.cross(_, not dim)": ("torch.cross(a, b)", "torch.cross(a, b, 1)"),
    "torch.Tensor.qr": ("torch.qr(x)", "torch.linalg.qr(x)"),
    "torch.Tensor.cholesky": ("x.cholesky()", "np.linalg.cholesky(x)"),
    "torch.Tensor.masked_fill?": ("x.masked_fill(a, 0)", "np.putmask(x, a, 0)"),
    "torch.Tensor.masked_select?": ("torch.masked_select(x, a)", "torch.index_select(x, 0, a)"),
    "torch.Tensor.gather?": ("torch.gather(x, 0, a)", "torch.distributed.gather(x)"),
    "torch.Tensor.scatter?": ("torch.zeros(3).scatter(0, a, b)", "torch.distributed.scatter(x)"),
    "torch.Tensor.nbytes": ("torch.ones(3).nbytes", "np.ones(3).nbytes"),
    "torch.Tensor.itemsize": ("torch.ones(3).itemsize", "np.ones(3).itemsize"),
    "torch.Tensor.exponential_": ("x.exponential_()", "torch.distributions.Exponential(1.0)"),
    "torch.Tensor.to_sparse?": ("x.to_sparse()", "x.to_dense()"),
    "torch.sparse_coo_tensor?": ("torch.sparse_coo_tensor(a, b)", "torch.sparse_csr_tensor(a, b, x)"),
    "torch.unravel_index": ("torch.unravel_index(x, (2, 3))", "np.unravel_index(x, (2, 3))"),
    "torch.cat except RuntimeError not ValueError?": (
        "try:\n    torch.cat(x)\nexcept RuntimeError:\n    pass",
        "try:\n    torch.cat(x)\nexcept (RuntimeError, ValueError) as error:\n    pass",
    ),
    "torch.tensor(not dtype) except RuntimeError not ValueError?": (
        "try:\n    torch.tensor(x)\nexcept RuntimeError:\n    pass",
        "try:\n    torch.tensor(x, dtype=torch.int64)\nexcept RuntimeError:\n    pass",
    ),
    "torch.Tensor.softmax except NotImplementedError?": (
        "try:\n    torch.softmax(x, 0)\nexcept NotImplementedError:\n    pass",
        "torch.softmax(x, 0)",
    ),
    "torch.Tensor.normal_ except NotImplementedError?": (
        "try:\n    x.normal_()\nexcept NotImplementedError:\n    pass",
        "try:\n    pass\nexcept NotImplementedError:\n    x.normal_()",
    ),
    "torch.Tensor.histc except NotImplementedError?": (
        "try:\n    torch.histc(x)\nexcept NotImplementedError:\n    pass",
        "try:\n    torch.histc(x)\nexcept IndexError:\n    pass",
    ),
    "torch.tensor?": ("torch.tensor(x)", "torch.as_tensor(x)"),
    "torch.from_numpy?": ("torch.from_numpy(x)", "torch.from_dlpack(x)"),
    "torch.from_dlpack": ("torch.from_dlpack(x)", "torch.from_numpy(x)"),
    # Named dimensions.
    "torch.zeros(names)": ('torch.zeros(2, names=("N",))', "torch.zeros(2)"),
    "torch.ones(names)": ('torch.ones(2, names=("N",))', "torch.ones(2)"),
    "torch.empty(names)": ('torch.empty(2, names=("N",))', "torch.empty(2)"),
    "torch.rand(names)": ('torch.rand(2, names=("N",))', "torch.rand(2)"),
    "torch.randn(names)": ('torch.randn(2, names=("N",))', "torch.randn(2, **x)"),
    "torch.tensor(names)": ('torch.tensor([1], names=("N",))', "torch.tensor([1])"),
    "torch.Tensor.names": ("torch.ones(2).names", "x.names"),
    "torch.Tensor.refine_names": ('x.refine_names("N")', "x.refine()"),
    "torch.Tensor.align_to": ('x.align_to("N")', "x.align()"),
    # Dtypes.
    "torch.float16": ("x.to(torch.half)", "x.to(torch.float)"),
    "torch.float8_e4m3fn": ("torch.float8_e4m3fn", "torch.float8_e4m3fnuz"),
    "torch.float8_e5m2": ("torch.float8_e5m2", "torch.float8_e5m2fnuz"),
    "torch.float32.itemsize": ("torch.float32.itemsize", "torch.float32.is_complex"),
    "torch.float16.itemsize": ("torch.float16.itemsize", "torch.float16.is_complex"),
    "torch.bfloat16.itemsize": ("torch.bfloat16.itemsize", "np.float32.itemsize"),
    "torch.uint16": ("torch.uint16", "np.uint16"),
    "torch.uint32": ("torch.uint32", "np.uint32"),
    "torch.uint64": ("torch.uint64", "np.uint64"),
    **{name: (name, "torch.int8") for name in sorted(NARROW)},
    "torch.rand(dtype=torch.float16)": ("torch.rand(3, dtype=torch.half)", "torch.rand(3, dtype=torch.float32)"),
    "torch.rand(dtype=torch.bfloat16)": ("torch.rand(3, dtype=torch.bfloat16)", "torch.rand(3)"),
    # Seeds.
    "torch.manual_seed except RuntimeError not ValueError?": (
        "try:\n    torch.manual_seed(x)\nexcept RuntimeError:\n    pass",
        "torch.manual_seed(x)",
    ),
    "torch.Generator": ("torch.Generator()", "np.random.Generator(x)"),
    "torch.rand_like(generator)": ("torch.rand_like(x, generator=a)", "torch.rand_like(x)"),
    "torch.randn_like(generator)": ("torch.randn_like(x, generator=a)", "torch.randn_like(x)"),
    "torch.randint_like(generator)": ("torch.randint_like(x, 3, generator=a)", "torch.randint_like(x, 3)"),
    "torch.randint?": ("torch.randint(0, 3, (2,))", "np.random.randint(0, 3)"),
    "torch.random.fork_rng(device_type)": ('torch.random.fork_rng(device_type="xpu")', "torch.random.fork_rng()"),
    "torch.use_deterministic_algorithms(True)": (
        "torch.use_deterministic_algorithms(True, warn_only=True)",
        "torch.use_deterministic_algorithms(False)",
    ),
    "$CUBLAS_WORKSPACE_CONFIG": ('os.environ["CUBLAS_WORKSPACE_CONFIG"] = x', 'print("set CUBLAS_WORKSPACE_CONFIG")'),
    # Devices.
    "torch.accelerator.current_accelerator": ("torch.accelerator.current_accelerator()", "torch.cuda.current_device()"),
    "torch.accelerator.current_accelerator(check_available)": (
        "torch.accelerator.current_accelerator(check_available=True)",
        "torch.accelerator.current_accelerator()",
    ),
    "torch.accelerator.current_accelerator(not check_available)": (
        "torch.accelerator.current_accelerator()",
        "torch.accelerator.current_accelerator(check_available=True)",
    ),
    "torch.accelerator.is_available": ("torch.accelerator.is_available()", "torch.cuda.is_available()"),
    "torch.accelerator.synchronize": ("torch.accelerator.synchronize()", "torch.cuda.synchronize()"),
    "torch.cpu.synchronize": ("torch.cpu.synchronize()", "torch.cuda.synchronize()"),
    "torch.xpu.is_available": ('getattr(torch, "xpu").is_available()', "torch.cuda.is_available()"),
    "torch.get_device_module": ("torch.get_device_module(x)", "torch.get_default_device()"),
    "torch.get_default_device": ("torch.get_default_device()", "torch.get_default_dtype()"),
    "torch.get_default_device?": ("torch.get_default_device()", "torch.get_default_dtype()"),
    "torch.set_default_device?": ("torch.set_default_device(x)", "torch.set_default_dtype(x)"),
    "torch.set_default_device(None)": ("torch.set_default_device(None)", 'torch.set_default_device("cpu")'),
    "torch.set_default_tensor_type": ("torch.set_default_tensor_type(x)", "torch.set_default_dtype(x)"),
    "torch.OutOfMemoryError": ("torch.OutOfMemoryError", "torch.cuda.OutOfMemoryError"),
    "torch.AcceleratorError": ("torch.AcceleratorError", "torch.OutOfMemoryError"),
    "torch.Event": ("torch.Event('cpu')", "torch.cuda.Event()"),
    "torch.mps.event.Event": ("torch.mps.event.Event()", "torch.cuda.Event()"),
    "torch.backends.fp32_precision": (
        'torch.backends.fp32_precision = "tf32"',
        'torch.backends.cudnn.fp32_precision = "tf32"',
    ),
    "torch.backends.cuda.matmul.fp32_precision": (
        'torch.backends.cuda.matmul.fp32_precision = "tf32"',
        "torch.backends.cuda.matmul.allow_tf32 = True",
    ),
    # Mixed precision.
    "torch.cuda.amp.autocast(...)": (
        "from torch.cuda import amp\nwith amp.autocast(): pass",
        'with torch.autocast("cuda"): pass',
    ),
    "torch.cuda.amp.GradScaler(...)": (
        "from torch.cuda.amp import GradScaler\nGradScaler(enabled=False)",
        "scaler: torch.cuda.amp.GradScaler = x",
    ),
    "torch.cpu.amp.autocast(...)": ("with torch.cpu.amp.autocast(): pass", "isinstance(x, torch.cpu.amp.autocast)"),
    "torch.cpu.amp.GradScaler(...)": ("torch.cpu.amp.GradScaler()", "torch.amp.GradScaler()"),
    "torch.amp.GradScaler": ("torch.amp.GradScaler()", "torch.cuda.amp.GradScaler()"),
    "torch.autocast('cpu', dtype=torch.float16)": (
        'with torch.autocast("cpu", dtype=torch.float16): pass',
        'with torch.autocast("cpu", dtype=torch.bfloat16): pass',
    ),
    "torch.autocast('cpu')?": ('with torch.amp.autocast("cpu"): pass', 'with torch.autocast("cuda"): pass'),
    "torch.autocast(device_type='cpu')?": (
        'with torch.autocast(device_type="cpu"): pass',
        'with torch.autocast(device_type="cuda"): pass',
    ),
    "torch.is_autocast_enabled": ('torch.is_autocast_enabled("cpu")', "torch.is_autocast_cpu_enabled()"),
    "torch.get_autocast_dtype": ('torch.get_autocast_dtype("cpu")', "torch.get_autocast_gpu_dtype()"),
    # Autograd, compiling and timing.
    "torch.autograd.Function.apply": (
        "class Square(torch.autograd.Function): pass\nSquare.apply(x)",
        "x.apply(unknown)",
    ),
    "torch.utils.checkpoint.checkpoint(not use_reentrant)": (
        "from torch.utils.checkpoint import checkpoint\ncheckpoint(model, x)",
        "from torch.utils.checkpoint import checkpoint\ncheckpoint(model, x, use_reentrant=False)",
    ),
    "torch.jit.script": ("@torch.jit.script\ndef f(): pass", "@torch.jit.ignore\ndef f(): pass"),
    "torch.compile": ("torch.compile(model)", "compile(path, path, 'exec')"),
    "torch.no_grad() on class": ("@torch.no_grad()\nclass Net: pass", "@torch.no_grad()\ndef f(): pass"),
    "torch.no_grad on def": ("@torch.no_grad\ndef f(): pass", "@torch.no_grad()\ndef f(): pass"),
    "torch.enable_grad on def": ("@torch.enable_grad\ndef f(): pass", "@torch.enable_grad()\ndef f(): pass"),
    "torch.inference_mode on def": ("@torch.inference_mode\ndef f(): pass", "with torch.inference_mode(): pass"),
    "torch.set_grad_enabled(...) on def": (
        "@torch.set_grad_enabled(False)\ndef f(): pass",
        "with torch.set_grad_enabled(False): pass",
    ),
    "torch.utils.benchmark.Timer": (
        "from torch.utils import benchmark as b; b.Timer(x)",
        "import timeit; timeit.Timer(x)",
    ),
    "torch.autograd.profiler.profile(use_cuda)": (
        "torch.autograd.profiler.profile(use_cuda=True)",
        "torch.autograd.profiler.profile()",
    ),
    "torch.profiler.profile(use_cuda)": (
        "functools.partial(torch.profiler.profile, use_cuda=True)",
        "functools.partial(torch.profiler.profile, with_stack=True)",
    ),
    "torch.autograd.profiler_util.FunctionEventAvg.cuda_time_total": (
        "x.cuda_time_total",
        'x.table("cuda_time_total")',
    ),
    # Optimizers and schedulers.
    "torch.optim.SGD(fused=True)": ("optim.SGD(x, fused=True)", "optim.SGD(x, fused=False)"),
    "torch.optim.Adam(fused=True)": ("torch.optim.adam.Adam(x, fused=a)", "optim.Adam(x, foreach=True)"),
    "torch.optim.AdamW(fused=True)": ("optim.AdamW(x, fused=True)", "optim.Adam(x, fused=True)"),
    "torch.optim.SGD(_, not lr)": ("optim.SGD(x)", "optim.SGD(x, 0.1)"),
    "torch.optim.SGD(lr=torch.Tensor)": ("optim.SGD(x, lr=torch.tensor(0.1))", "optim.SGD(x, lr=0.1)"),
    "torch.optim.SGD.state": ("o = optim.SGD(x); o.state[x]", "o = optim.Adam(x); o.state[x]"),
    "torch.optim.Optimizer.load_state_dict?": (
        "self_optimizer = x.opt; x.opt.load_state_dict(a)",
        "model.load_state_dict(a)",
    ),
    "isinstance(_, torch.optim.Adam)?": ("isinstance(x, optim.Adam)", "optim.Adam(x)"),
    "isinstance(_, torch.optim.lr_scheduler.LRScheduler)?": (
        "isinstance(x, (lr_scheduler.LRScheduler, int))",
        "isinstance(x, lr_scheduler.StepLR)",
    ),
    "torch.optim.lr_scheduler(verbose)": ("lr_scheduler.StepLR(x, 3, verbose=True)", "lr_scheduler.StepLR(x, 3)"),
    "torch.optim.lr_scheduler.SequentialLR": ("lr_scheduler.SequentialLR(x, a, b)", "lr_scheduler.ChainedScheduler(a)"),
    "torch.optim.lr_scheduler.SequentialLR(milestones=[0])": (
        "lr_scheduler.SequentialLR(x, a, milestones=[0])",
        "lr_scheduler.SequentialLR(x, a, milestones=[5])",
    ),
    # Datasets and loaders.
    "class torch.utils.data.Dataset(__getitems__)": (
        "class Rows(data.Dataset):\n    def __getitems__(self, places): ...",
        "class Rows(data.Dataset):\n    def __getitem__(self, place): ...",
    ),
    "class torch.utils.data.Subset(__getitem__, not __getitems__)": (
        "class Part(data.Subset):\n    def __getitem__(self, place): ...",
        "class Part(data.Subset):\n    def __getitem__(self, place): ...\n    def __getitems__(self, places): ...",
    ),
    "torch.utils.data.Sampler.__init__()": (
        "class Own(data.Sampler):\n    def __init__(self):\n        super().__init__()",
        "class Own(data.Dataset):\n    def __init__(self):\n        super().__init__()",
    ),
    "torch.utils.data.Sampler.__init__(_)": (
        "class Own(data.Sampler):\n    def __init__(self, rows):\n        super().__init__(rows)",
        "class Own(data.Sampler):\n    def __init__(self, rows):\n        super().__init__()",
    ),
    "torch.utils.data.Sampler.__init__(data_source)": (
        "class Own(data.Sampler):\n    def __init__(self):\n        super().__init__(data_source=None)",
        "class Own(data.Sampler):\n    def __init__(self, data_source):\n        super().__init__()",
    ),
    "torch.utils.data.DataLoader?": ("data.DataLoader(x)", "data.TensorDataset(x)"),
    "torch.utils.data.DataLoader(in_order)": ("data.DataLoader(x, in_order=False)", "data.DataLoader(x)"),
    "torch.utils.data.DataLoader(pin_memory=True)?": (
        "data.DataLoader(x, pin_memory=True)",
        "data.DataLoader(x, pin_memory=False)",
    ),
    "torch.utils.data.DataLoader(pin_memory_device)": (
        'data.DataLoader(x, pin_memory=True, pin_memory_device="cuda")',
        "data.DataLoader(x, pin_memory=True)",
    ),
    "torch.utils.data.StackDataset": ("data.StackDataset(image=a, label=b)", "data.TensorDataset(a, b)"),
    "torch.utils.data.TensorDataset?": ("data.TensorDataset(a, b)", "data.StackDataset(a, b)"),
    # Neighbours.
    "numpy.NaN": ("np.NaN", "np.nan"),
    "numpy.complex_": ("np.complex_", "np.complex128"),
    "numpy.float_": ("np.float_", "np.float64"),
    "numpy.float64?": ("np.float64(2)", "np.float32(2)"),
    "numpy.argmax(torch.Tensor)": ("np.argmax(torch.ones(3))", "np.argmax(x)"),
    "numpy.sqrt(torch.Tensor)": ("np.sqrt(torch.ones(3))", "np.sqrt(np.ones(3))"),
    "numpy.array(torch.Tensor)": ("t = torch.ones(3); np.array(t)", "np.array([1, 2])"),
    "numpy.array(copy=False)": ("np.array(x, copy=False)", "np.array(x, copy=True)"),
    "numpy.array(not dtype)?": ("np.array([1, 2])", "np.array([1, 2], dtype=np.int64)"),
    "sklearn.model_selection.train_test_split(shuffle='False')": (
        'from sklearn.model_selection import train_test_split as split\nsplit(x, shuffle="False")',
        "from sklearn.model_selection import train_test_split as split\nsplit(x, shuffle=False)",
    ),
    "sklearn.model_selection.train_test_split(shuffle=None)": (
        "from sklearn.model_selection import train_test_split\ntrain_test_split(x, shuffle=None)",
        "from sklearn.model_selection import train_test_split\ntrain_test_split(x)",
    ),
    "torchmetrics.Metric.merge_state": (
        "metric = classification.BinaryAccuracy(); metric.merge_state(x)",
        "x.merge(a)",
    ),
    "torchmetrics.MetricCollection?": ("torchmetrics.MetricCollection([x])", "classification.BinaryAccuracy()"),
    "torchmetrics.classification.BinaryAccuracy?": ("classification.BinaryAccuracy()", "classification.BinaryRecall()"),
    "torchmetrics.classification.BinaryPrecision(zero_division)": (
        "classification.BinaryPrecision(zero_division=1)",
        "classification.BinaryPrecision()",
    ),
    "torchmetrics.classification.MulticlassAccuracy(average='micro')": (
        'classification.MulticlassAccuracy(num_classes=3, average="micro")',
        'classification.MulticlassAccuracy(num_classes=3, average="macro")',
    ),
    "torchmetrics.classification.MulticlassAccuracy(ignore_index, average='micro')": (
        'classification.MulticlassAccuracy(num_classes=3, average="micro", ignore_index=-100)',
        'classification.MulticlassAccuracy(num_classes=3, average="micro")',
    ),
    "torchmetrics.classification.MulticlassF1Score(top_k, average='micro')": (
        'classification.MulticlassF1Score(num_classes=3, average="micro", top_k=2)',
        'classification.MulticlassF1Score(num_classes=3, average="macro", top_k=2)',
    ),
    "torchmetrics.classification.MulticlassPrecision(top_k, average='micro')": (
        'classification.MulticlassPrecision(num_classes=3, average="micro", top_k=2)',
        'classification.MulticlassPrecision(num_classes=3, average="micro")',
    ),
    "torchmetrics.classification.MultilabelExactMatch(ignore_index)": (
        "classification.MultilabelExactMatch(num_labels=3, ignore_index=-100)",
        "classification.MultilabelExactMatch(num_labels=3)",
    ),
    "$TQDM_DISABLE": ('os.environ["TQDM_DISABLE"] = "1"', 'os.environ["TQDM_ENABLE"] = "1"'),
}
