"""What the process started with that changes what torch does: taken away before the notes, and said in the header."""

from __future__ import annotations

import os
import sys

PREFIXES = ("TORCH_", "TORCHDYNAMO_", "TORCHINDUCTOR_", "PYTORCH_", "TQDM_")
OTHERS = ("CUBLAS_WORKSPACE_CONFIG", "NVIDIA_TF32_OVERRIDE")
KEPT = ("_HOME", "_DIR", "_PATH", "_CONF", "_LIST", "_RATIO", "_AUTOLOAD", "_CUDA_CHECK")
"""Ends of names that say where things are, how much memory there is, or which devices: that changes no result."""


def changes_results(name):
    """Whether torch or tqdm reads this environment variable and then does something else."""
    return name in OTHERS or (name.startswith(PREFIXES) and not name.endswith(KEPT))


def clean_environment():
    """Delete such variables before torch and tqdm read them, and return them as `NAME=VALUE`.

    tqdm reads its own when it is imported. If somebody imported it before, it is imported again.
    """
    names = sorted(name for name in os.environ if changes_results(name))
    found = [f"{name}={os.environ.pop(name)}" for name in names]
    if any(name.startswith("TQDM_") for name in names):
        for module in [name for name in sys.modules if name.partition(".")[0] == "tqdm"]:
            del sys.modules[module]
    return found
