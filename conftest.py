"""The fixtures that say where a note runs. What else the notes need not think about is in torchnotes/harness."""

import pytest

pytest_plugins = "torchnotes.harness"


@pytest.fixture
def device(request, use):
    """Each device of this machine in turn, as the `torch.device` that its tensors report."""
    return use(request.param)


@pytest.fixture
def device_pair(request, use):
    """Two different devices. `meta` stands in for the second one where there is no accelerator."""
    one, another = request.param
    return use(one), use(another)


@pytest.fixture
def accelerator(request, use):
    """Each accelerator of this machine in turn, for what the CPU cannot show; without one the note is unchecked."""
    return use(request.param)


@pytest.fixture
def on_cuda(request, use, simulated):
    """Calls a function where `device="cuda"` works: on the GPU, or where there is none with a simulated one."""
    if request.param == "fake cuda":
        return simulated
    use(request.param)
    return lambda function: function()
