"""An epoch over 256 digits: what a DataLoader adds to indexing, by batch size and workers, and where workers pay.

A loader fetches one sample at a time and stacks them. Workers do that in other processes, and each batch has to travel.
Rows in memory can be had for one call a batch, by an index that is shuffled: that copies them too.
"""

import zlib

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, Dataset, TensorDataset

pytestmark = pytest.mark.section("15")

ROWS = 256
SIZES = [1, 32, 256]
WORKERS = {"no workers": 0, "1 worker": 1, "2 workers": 2}
MEMORIES = ("pageable", "pinned")


@pytest.fixture(scope="module")
def digits():
    """256 images of 8 by 8 pixels as rows of 64 numbers from 0 to 16, and their labels."""
    images, labels = load_digits(return_X_y=True)
    return torch.tensor(images[:ROWS], dtype=torch.float32), torch.tensor(labels[:ROWS])


class Compressed(Dataset):
    """The digits enlarged to 512 by 512 pixels and compressed, as image files are, so that each sample is some work."""

    def __init__(self, images, labels):
        pixels = images.numpy().astype(np.uint8).reshape(-1, 8, 8)
        self.files = [zlib.compress(np.kron(image, np.ones((64, 64), np.uint8)).tobytes()) for image in pixels]
        self.labels = labels.tolist()

    def __len__(self):
        return len(self.files)

    def __getitem__(self, index):
        pixels = np.frombuffer(zlib.decompress(self.files[index]), np.uint8).reshape(8, 64, 8, 64)
        return torch.from_numpy(pixels.mean(axis=(1, 3), dtype=np.float32).reshape(64)), self.labels[index]


@pytest.fixture(scope="module")
def compressed(digits):
    return Compressed(*digits)


def loader(data, size, workers=0, **options):
    return DataLoader(data, batch_size=size, num_workers=workers, persistent_workers=workers > 0, **options)


def epoch(batches):
    """Loop over all batches and count the rows."""
    return sum(len(labels) for _, labels in batches)


def check(batches, digits):
    """All rows come, in order, each with its label."""
    images, labels = zip(*[(x.clone(), y.clone()) for x, y in batches], strict=True)
    assert torch.equal(torch.cat(images), digits[0])
    assert torch.equal(torch.cat(labels), digits[1])


def check_shuffled(batches, data):
    """Each row comes once, in whatever order, with its number."""
    images, numbers = zip(*[(x.clone(), y.clone()) for x, y in batches], strict=True)
    numbers = torch.cat(numbers)
    assert torch.equal(numbers.sort().values, torch.arange(ROWS))
    assert torch.equal(torch.cat(images), data[0][numbers])


class Indexed:
    """Shuffled batches of whole tensors, copied by their indices, without a loader."""

    def __init__(self, images, numbers, size):
        self.images, self.numbers, self.size = images, numbers, size

    def __iter__(self):
        for index in torch.randperm(len(self.numbers)).split(self.size):
            yield self.images[index], self.numbers[index]


@pytest.mark.finding(
    "in shuffled batches of 32 rows, an epoch of a DataLoader takes {times} as long as indexing whole tensors",
    "no workers, 32",
    "indexed, 32",
    at_least=10,
)
@pytest.mark.finding(
    "an epoch takes {times} as long in batches of 32 rows as in batches of one",
    "no workers, 32",
    "no workers, 1",
    at_most=0.5,
)
@pytest.mark.finding(
    "an epoch takes {times} as long in batches of 256 rows as in batches of 32",
    "no workers, 256",
    "no workers, 32",
    at_most=0.5,
)
@pytest.mark.finding(
    "an epoch of rows in memory, in batches of 32, takes {times} as long with two workers as with none",
    "2 workers, 32",
    "no workers, 32",
    at_most=0.9,
)
@pytest.mark.parametrize("entry", [f"{name}, {size}" for size in SIZES for name in ("indexed", *WORKERS)])
def test_rows_in_memory(race, digits, entry):
    data = digits[0], torch.arange(ROWS)
    batches = {f"indexed, {size}": Indexed(*data, size) for size in SIZES}
    batches |= {
        f"{name}, {size}": loader(TensorDataset(*data), size, number, shuffle=True)
        for name, number in WORKERS.items()
        for size in SIZES
    }

    found = race(entry, {name: lambda each=each: epoch(each) for name, each in batches.items()})

    assert found == ROWS
    check_shuffled(batches[entry], data)


@pytest.mark.finding(
    "an epoch of compressed images takes {times} as long with two workers as with none",
    "2 workers",
    "no workers",
    at_most=0.75,
)
@pytest.mark.finding(
    "an epoch of compressed images takes {times} as long with one worker as with none",
    "1 worker",
    "no workers",
    at_most=0.9,
)
@pytest.mark.parametrize("entry", WORKERS)
def test_compressed_images(race, digits, compressed, entry):
    batches = {name: loader(compressed, 32, number) for name, number in WORKERS.items()}

    found = race(entry, {name: lambda each=each: epoch(each) for name, each in batches.items()})

    assert found == ROWS
    check(batches[entry], digits)


LARGE = 2**15
"""Numbers of a large row: 32 of them are a batch of 4 MiB."""


@pytest.mark.finding(
    "an epoch of batches of 4 MiB, copied to the device and computed with, takes {times} as long with pin_memory as "
    "without (no workers)",
    "pinned, no workers",
    "pageable, no workers",
    at_most=0.9,
)
@pytest.mark.finding(
    "an epoch of batches of 4 MiB, copied to the device and computed with, takes {times} as long with pin_memory as "
    "without (2 workers)",
    "pinned, 2 workers",
    "pageable, 2 workers",
    at_most=0.9,
)
@pytest.mark.parametrize(
    "entry", [f"{memory}, {workers}" for memory in MEMORIES for workers in ("no workers", "2 workers")]
)
def test_pinned_memory(race, sizes, accelerator, entry):
    """The loader pins in a thread, while the device computes: a copy of pinned memory need not wait for its turn."""
    if accelerator.type == "mps":
        pytest.skip("the memory of an Apple GPU is that of its host: there is none to pin")
    side = sizes.largest(lambda side: computing(side, accelerator), [2**power for power in range(8, 14)], most=1e-3)
    rows = torch.arange(ROWS, dtype=torch.float32).repeat_interleave(LARGE).reshape(ROWS, LARGE)
    data = TensorDataset(rows, torch.arange(ROWS))
    compute = computing(side, accelerator)
    batches = {
        f"{memory}, {name}": loader(data, 32, WORKERS[name], pin_memory=memory == "pinned")
        for memory in MEMORIES
        for name in ("no workers", "2 workers")
    }

    def copied(each):
        found = []
        for x, y in each:
            found.append((x.to(accelerator, non_blocking=True), y.to(accelerator, non_blocking=True)))
            compute()
        return found

    found = race(entry, {name: lambda each=each: copied(each) for name, each in batches.items()}, {"side": side})

    assert {x.device for x, _ in found} == {accelerator}
    check([(x.cpu(), y.cpu()) for x, y in found], (rows, torch.arange(ROWS)))


def computing(side, device):
    """A function that keeps the device busy, for no longer than a model might with one batch."""
    matrix = torch.rand(side, side, device=device)
    return lambda: matrix @ matrix
