"""Pictures of what the benchmarks measured, from the file that `nox -s bench` leaves.

Each says in its title what was found, in its caption on what machine, and in its description the numbers in words.
"""

from __future__ import annotations

from pathlib import Path

from torchnotes.drawing.alignment import Alignment
from torchnotes.drawing.canvas import Picture, styled
from torchnotes.drawing.conversion import Conversion
from torchnotes.drawing.findings import Findings
from torchnotes.drawing.roofline import Roofline
from torchnotes.drawing.sizes import Sizes
from torchnotes.drawing.stability import Stability
from torchnotes.record import reader

KINDS = {
    "findings": Findings,
    "batch-size": Sizes,
    "alignment": Alignment,
    "roofline": Roofline,
    "conversion": Conversion,
    "stability": Stability,
}
"""Each reads what there is of one device, or returns None, and has a title, sentences and a figure."""


def drawn(bench):
    """Each picture there are numbers for, after its name. Raises `reader.BadRecord` where they make no picture."""
    for kind, subject_of in KINDS.items():
        for device in bench.devices:
            name = f"{kind}-{device.replace(':', '-').replace('+', '-')}"
            try:
                with styled():
                    subject = subject_of.read(bench, device)
                    picture = subject and Picture(subject.figure(), subject.title, " ".join(subject.sentences))
            except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
                why = f"the benchmarks for it are not as nox -s bench leaves them ({reader.reason(error)})"
                raise reader.BadRecord(f"{bench.source}: {kind} on {device} cannot be drawn: {why}") from None
            if picture:
                yield name, picture


def draw(bench, folder):
    """Write each picture there are numbers for into `folder`; the paths, one after another."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in list(drawn(bench)):  # all of them, or none
        path = folder / f"{name}.svg"
        path.write_text(picture.svg(name), encoding="utf-8", newline="\n")
        yield path
