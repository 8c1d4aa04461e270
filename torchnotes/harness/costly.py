"""Notes that take a second or more wait for --costly, so that a plain run stays quick; they are named."""

from __future__ import annotations

import pytest

from torchnotes.harness import boundaries


def pytest_addoption(parser):
    parser.getgroup("what PyTorch does").addoption(
        "--costly",
        action="store_true",
        help="run the notes, too, that take a second or more",
    )


def pytest_itemcollected(item):
    if not item.config.getoption("costly"):
        for costly in boundaries.of(item, "costly"):
            item.add_marker(pytest.mark.skip(reason=f"it {costly.why}: run it with --costly"))
