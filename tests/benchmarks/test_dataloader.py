"""An epoch over 256 digits: what a DataLoader adds to slicing, by batch size and workers, and where workers pay.

A loader fetches one sample at a time and stacks them. Workers do that in other processes, and each batch has to travel.
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


class Slices:
    """Batches cut from whole tensors, without a loader."""

    def __init__(self, images, labels, size):
        self.images, self.labels, self.size = images, labels, size

    def __iter__(self):
        for start in range(0, len(self.labels), self.size):
            yield self.images[start : start + self.size], self.labels[start : start + self.size]


@pytest.mark.finding(
    "in batches of 32 rows, an epoch of a DataLoader takes {times} as long as slices, which copy nothing",
    "no workers, 32",
    "slices, 32",
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
@pytest.mark.parametrize("entry", [f"{name}, {size}" for size in SIZES for name in ("slices", *WORKERS)])
def test_rows_in_memory(race, digits, entry):
    data = TensorDataset(*digits)
    batches = {f"slices, {size}": Slices(*digits, size) for size in SIZES}
    batches |= {f"{name}, {size}": loader(data, size, number) for name, number in WORKERS.items() for size in SIZES}

    found = race(entry, {name: lambda each=each: epoch(each) for name, each in batches.items()})

    assert found == ROWS
    check(batches[entry], digits)


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


@pytest.mark.finding(
    "an epoch with its copies to the device takes {times} as long with pin_memory as without (batches of {size:,})",
    "pinned",
    "pageable",
    at_most=0.9,
)
@pytest.mark.parametrize("size", [32, 256])
@pytest.mark.parametrize("entry", ["pinned", "pageable"])
def test_pinned_memory(race, accelerator, digits, entry, size):
    if accelerator.type == "mps":
        pytest.skip("the memory of an Apple GPU is that of its host: there is none to pin")
    data = TensorDataset(*digits)
    batches = {name: loader(data, size, pin_memory=name == "pinned") for name in ("pinned", "pageable")}

    def copies(each):
        return [(x.to(accelerator, non_blocking=True), y.to(accelerator, non_blocking=True)) for x, y in each]

    found = race(entry, {name: lambda each=each: copies(each) for name, each in batches.items()})

    assert {x.device for x, _ in found} == {accelerator}
    check([(x.cpu(), y.cpu()) for x, y in found], digits)
