"""Pictures that explain: drawn from the values that notes leave in a record (torchnotes/harness/pictured.py).

A picture is 4.8 inches wide and not more, so that its text can be read on a phone, and has neither a heading nor a
background: its title stands beside it, as the page's own text, and its colours are the page's. Each is written as a
custom property with the colour for white paper to fall back on, `var(--ink, #1b1b1b)`; COLOURS lists them. What a note
is marked for but cannot be drawn well (too many cells, too many dimensions) is left out; values that contradict each
other, or that are not what the kind of picture needs, are refused with `reader.BadRecord`.
"""

from __future__ import annotations

import itertools
import math
import re
from collections import defaultdict
from dataclasses import dataclass

import matplotlib.style
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle
from matplotlib.path import Path
from matplotlib.ticker import MaxNLocator

from torchnotes.drawing import measured
from torchnotes.drawing.measured import BLUE, GREEN, GREY, ORANGE, PINK, listed, number
from torchnotes.record import reader

INK, LINE = "#1b1b1b", "#c4c4c4"
COLOURS = {"ink": INK, "muted": GREY, "line": LINE, "blue": BLUE, "orange": ORANGE, "green": GREEN, "pink": PINK}
"""The custom properties of the pictures, and what each is where the page does not set it."""

NAMES = (BLUE, ORANGE, GREEN, PINK)
STYLE = measured.STYLE | {
    "font.size": 9.5,
    "text.color": INK,
    "axes.labelcolor": GREY,
    "axes.edgecolor": LINE,
    "axes.facecolor": "none",
    "axes.titlesize": 9.5,
    "axes.titlecolor": INK,
    "figure.facecolor": "none",
    "grid.color": LINE,
    "grid.alpha": 0.5,
    "savefig.facecolor": "none",
    "text.parse_math": False,
}
CODE = {"family": ["DejaVu Sans Mono", "monospace"]}
WIDTH = 4.8
LETTER = 0.082
"""How wide a letter of code is, in inches."""
LARGEST = 4096
"""As in torchnotes/harness/pictured.py: how many numbers a picture is made of, and so how many cells it can have."""


class Nonsense(ValueError):
    """Values that no run can have left."""


def of(record, source="the record"):
    """The pictures of each note that has values for them: {node id: [picture, ...]}.

    Raises `reader.BadRecord`, which names `source` and the note, where the values contradict each other.
    """
    found = {}
    for name, note in record.notes.items():
        pictures_of_note = []
        for kind, cases in _cases(note):
            if kind not in KINDS:
                continue
            try:
                with matplotlib.style.context(STYLE, after_reset=True):
                    pictures_of_note.append(KINDS[kind](cases))
            except Nonsense as error:
                raise reader.BadRecord(f"{source}: {name}: values of its picture ({kind}): {error}") from None
            except (ValueError, TypeError, LookupError, ArithmeticError) as error:
                why = f"they are not what it is drawn of ({reader.reason(error)})"
                raise reader.BadRecord(f"{source}: {name}: values of its picture ({kind}): {why}") from None
        if pictures_of_note := [picture for picture in pictures_of_note if picture]:
            found[name] = pictures_of_note
    return found


def _cases(note):
    """For each picture of a note its kind, and the values of every row of the note's table, on one device."""
    results = [result for result in note["results"] if result["outcome"] == "held" and result.get("values")]
    devices = [result["device"] for result in results]
    chosen = [result["values"] for result in results if result["device"] == ("cpu" if "cpu" in devices else devices[0])]
    for same in zip(*chosen, strict=False):
        kind = same[0]["kind"]
        yield kind, [value["of"] for value in same if value["kind"] == kind]


@dataclass(frozen=True)
class Explanation(measured.Picture):
    """A picture in the page's colours: names of code stand between backticks in its title, and not in its SVG."""

    def svg(self, name):
        plain = measured.Picture(self.figure, self.title.replace("`", ""), self.words.replace("`", ""))
        with matplotlib.style.context(STYLE, after_reset=True):
            text = plain.svg(name)
        # The page has many pictures: no rule for all that is on it, and no identifier twice.
        text, style = re.sub(r"\s*<style.*?</style>", "", text, count=1, flags=re.DOTALL), "stroke-linejoin: round"
        text = text.replace("<svg ", f'<svg style="{style}" ', 1)
        text = re.sub(r'<g id="[^"]*"', "<g", text)
        text = re.sub(' d="[^"]+"', lambda path: re.sub(r"(\.\d)\d+", r"\1", path[0]), text)  # no one sees a hundredth
        for custom, colour in COLOURS.items():
            text = text.replace(colour.lower(), f"var(--{custom}, {colour})")
        return text


class Canvas:
    """A sheet on which one places things by inches, from the left and from the top, and which grows downwards."""

    def __init__(self):
        self.figure = Figure(figsize=(WIDTH, 1))
        self.axes = self.figure.add_axes([0, 0, 1, 1])
        self.axes.set_axis_off()

    def text(self, x, y, text, **look):
        self.axes.text(x, y, text, **{"va": "center", **look})

    def code(self, x, y, text, **look):
        self.text(x, y, text, **CODE, **look)

    def box(self, x, y, width, height, colour=INK, filled=0.0, text="", rounding=0.0, **look):
        """A box with its upper left corner at (x, y), `filled` with so much of its colour, and a text in its middle."""
        shape = {"facecolor": to_rgba(colour, filled) if filled else "none", "edgecolor": colour, "linewidth": 0.9}
        if rounding:
            pad = {"boxstyle": f"round,pad=0,rounding_size={rounding}", "mutation_aspect": 1}
            self.axes.add_patch(FancyBboxPatch((x, y), width, height, **pad, **shape))
        else:
            self.axes.add_patch(Rectangle((x, y), width, height, **shape))
        if text:
            self.code(x + width / 2, y + height / 2 + 0.01, text, ha="center", **look)

    def cells(self, corners, size, colour, filled):
        """Many small squares as one shape."""
        square = [(0, 0), (size, 0), (size, size), (0, size), (0, 0)]
        points = [(x + dx, y + dy) for x, y in corners for dx, dy in square]
        codes = [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY] * len(corners)
        if points:
            look = {"facecolor": to_rgba(colour, filled) if filled else "none", "edgecolor": colour}
            self.axes.add_patch(matplotlib.patches.PathPatch(Path(points, codes), linewidth=0.6, **look))

    def picture(self, height, title, sentences):
        self.figure.set_size_inches(WIDTH, height)
        self.axes.set(xlim=(0, WIDTH), ylim=(height, 0))
        return Explanation(self.figure, title, " ".join(sentences))


@dataclass(frozen=True)
class View:
    """A tensor or array: which cells of which memory it looks at, and how."""

    name: str
    about: dict

    def __post_init__(self):
        if not isinstance(self.about, dict):
            raise Nonsense(f"{self.name} is no tensor")
        if len(self.about["stride"]) != len(self.shape) or not all(0 <= size <= LARGEST for size in self.shape):
            raise Nonsense(f"{self.name} has the shape {self.shape} and the strides {self.stride}")
        try:
            self.numbers
        except ValueError:
            raise Nonsense(f"{self.name} holds what is no number") from None
        if math.prod(self.shape) != len(self.values):
            raise Nonsense(f"{self.name} has the shape {self.shape} and {len(self.values)} values")
        places = [place - self.start for _, place in self.elements()]
        if not all(0 <= place < len(self.storage) for place in places):
            raise Nonsense(f"{self.name} reaches beyond its memory")
        if [self.storage[place] for place in places] != self.values:
            raise Nonsense(f"{self.name} has other values than its memory")

    @property
    def shape(self):
        return tuple(self.about["shape"])

    @property
    def stride(self):
        return tuple(self.about["stride"])

    @property
    def values(self):
        return self.about["values"]

    @property
    def storage(self):
        return self.about.get("storage", self.values)

    @property
    def memory(self):
        return self.about["memory"]

    @property
    def dtype(self):
        return self.about["dtype"]

    @property
    def start(self):
        """Where its storage begins in the memory, counted in its own elements."""
        bits = re.search(r"\d{1,3}", self.dtype)
        return self.about["start"] // max(1, int(bits[0]) // 8 if bits else 1)

    def place(self, index):
        return self.start + self.about["offset"] + sum(i * step for i, step in zip(index, self.stride, strict=True))

    def elements(self):
        """Each index with the cell of the memory that it leads to."""
        for index in itertools.product(*map(range, self.shape)):
            yield index, self.place(index)

    @property
    def numbers(self):
        return [float(value) for value in self.values]


def _views(values):
    return [View(name, about) for name, about in values.items() if isinstance(about, dict)]


def _memories(views):
    """Views by the memory they look at, and what lies there, cell by cell; None where that cannot be drawn as cells."""
    groups = defaultdict(list)
    for view in views:
        groups[view.memory].append(view)
    found = []
    for group in groups.values():
        if len({view.dtype for view in group}) > 1:
            return None
        cells = {view.start + at: value for view in group for at, value in enumerate(view.storage)}
        if max(cells, default=0) > LARGEST:
            return None
        found.append((group, [cells.get(place, "") for place in range(max(cells, default=-1) + 1)]))
    return found


def _said(value, digits=3):
    """A value as people write it."""
    if isinstance(value, list):
        return f"[{', '.join(_said(each, digits) for each in value)}]"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return "".join(letter for letter in str(value) if letter.isprintable())
    common = math.isfinite(value) and (value == 0 or 1e-4 <= abs(value) < 1e7)
    return (number(value, digits) if common else f"{value:.1e}").replace("-", "\N{MINUS SIGN}")


def _names(views):
    return listed([f"`{view.name}`" for view in views])


def memory(cases):
    """The cells of each memory, and under them which name sees which."""
    groups = _memories(_views(cases[0]))
    if not groups or any(not 0 < len(cells) <= 16 for _, cells in groups):
        return None
    canvas, cell, row, gap = Canvas(), 0.5, 0.3, 0.45
    colours = dict(zip((view.name for group, _ in groups for view in group), itertools.cycle(NAMES), strict=False))
    x, y, bottom = 0.05, 0.0, 0.0
    for group, cells in groups:
        gutter = LETTER * max(len(view.name) for view in group) + 0.14
        width = max(gutter + cell * len(cells), 1.6)
        if x > 0.05 and x + width > WIDTH:
            x, y = 0.05, bottom + 0.3
        shrunk = min(cell, (WIDTH - x - 0.05 - gutter) / len(cells))
        if shrunk < 0.35:
            return None
        shared = "one memory" if len(group) > 1 else "memory of its own"
        canvas.text(x, y + 0.12, shared, size=9, weight="bold")
        canvas.text(x, y + 0.3, f"{len(cells)} \N{MULTIPLICATION SIGN} {group[0].dtype}", size=8.5, color=GREY)
        left, top = x + gutter, y + 0.46
        for place, value in enumerate(cells):
            canvas.box(left + place * shrunk, top, shrunk, 0.4, INK, 0.05, _said(value))
        for below, view in enumerate(group):
            middle, colour = top + 0.4 + gap / 2 + row * below, colours[view.name]
            canvas.code(x, middle, view.name, weight="bold")
            seen = defaultdict(list)
            for index, place in view.elements():
                seen[place].append(",".join(map(str, index)))
            ends = [left - 0.06, *(left + shrunk * (place + side) for place in sorted(seen) for side in (0, 1))]
            for start, end in zip(ends[0::2], ends[1::2], strict=False):  # between the cells it sees
                canvas.axes.plot([start - 0.07, end + 0.07], [middle] * 2, color=colour, lw=0.9, alpha=0.6)
            for place, indices in seen.items():
                pill = (left + place * shrunk + 0.07, middle - 0.1, shrunk - 0.14, 0.2)
                label = f"[{indices[0]}]" if len(view.shape) < 2 else indices[0]
                canvas.box(*pill, colour, 0.16, label, rounding=0.09, size=8.5)
        bottom = max(bottom, top + 0.4 + gap / 2 + row * len(group) - 0.1)
        x += width + 0.35
    together = [f"{_names(group)} are names of one memory" for group, _ in groups if len(group) > 1]
    alone = [view for group, _ in groups if len(group) == 1 for view in group]
    if alone:
        together.append(f"{_names(alone)} {'each have their own' if len(alone) > 1 else 'has its own'}")
    sentences = [
        f"{_names(group)}: {_said(cells)}, {group[0].dtype}; "
        + "; ".join(f"{view.name} sees cells {listed([str(place) for _, place in view.elements()])}" for view in group)
        + "."
        for group, cells in groups
    ]
    return canvas.picture(bottom + 0.05, "; ".join(together), sentences)


def strides(cases):
    """Grids as they read, the one memory below them, and how an index of each finds its cell."""
    groups = _memories(_views(cases[0]))
    if not groups or any(len(view.shape) != 2 or 0 in view.shape for group, _ in groups for view in group):
        return None
    if any(len(cells) > 12 or max(view.shape) > 6 or len(group) > 3 for group, cells in groups for view in group):
        return None
    canvas, cell = Canvas(), 0.36
    y, words = 0.0, []
    for group, cells in groups:
        wanted = group[0].place([size - 1 for size in group[0].shape])
        x, tallest = 0.25, max(view.shape[0] for view in group)
        formulas = []
        for view, colour in zip(group, NAMES, strict=False):
            canvas.code(x, y + 0.12, view.name, weight="bold")
            steps = ", ".join(map(str, view.stride))
            canvas.text(x, y + 0.3, f"strides ({steps})", size=8.5, color=GREY)
            rows, columns = view.shape
            for (i, j), place in view.elements():
                value = _said(view.values[i * columns + j])
                chosen = place == wanted
                canvas.box(x + j * cell, y + 0.62 + i * cell, cell, cell, colour, 0.35 if chosen else 0.08, value)
            for j in range(columns):
                canvas.code(x + (j + 0.5) * cell, y + 0.53, str(j), size=7.5, color=GREY, ha="center")
            for i in range(rows):
                canvas.code(x - 0.06, y + 0.62 + (i + 0.5) * cell, str(i), size=7.5, color=GREY, ha="right")
            index = [index for index, place in view.elements() if place == wanted]
            if index:
                offset = view.start + view.about["offset"]
                times = "\N{MULTIPLICATION SIGN}"
                sums = " + ".join(f"{i}{times}{step}" for i, step in zip(index[-1], view.stride, strict=True))
                formulas.append(
                    (f"{view.name}[{', '.join(map(str, index[-1]))}]", f"{offset} + {sums} = {wanted}", colour)
                )
            x += max(columns * cell, LETTER * len(view.name), 0.068 * len(f"strides ({steps})")) + 0.45
        y += 0.62 + tallest * cell + 0.22
        what = "the memory of " + listed([view.name for view in group])
        canvas.text(0.25, y + 0.05, what, size=8.5, color=GREY)
        for place, value in enumerate(cells):
            chosen = place == wanted
            canvas.box(0.25 + place * cell, y + 0.2, cell, cell, INK, 0.22 if chosen else 0.05, _said(value))
            canvas.code(
                0.25 + (place + 0.5) * cell, y + 0.2 + cell + 0.1, str(place), size=7.5, color=INK if chosen else GREY,
                ha="center", weight="bold" if chosen else "normal",
            )  # fmt: skip
        y += 0.2 + cell + 0.36
        gutter = max(LETTER * len(left) for left, _, _ in formulas) + 0.1
        for left, right, colour in formulas:
            canvas.box(0.25, y - 0.06, 0.12, 0.12, colour, 0.35)
            canvas.code(0.45, y, left, weight="bold")
            canvas.code(0.45 + gutter, y, right)
            y += 0.22
            words.append(f"{left} is cell {right}.")
        y += 0.2
    several = [group for group, _ in groups if len(group) > 1]
    if several:
        views = several[0]
        title = f"{_names(views)} read the same cells of one memory; only their strides differ"
        if len({view.stride for view in views}) == 1:
            title = f"{_names(views)} read the same cells of one memory"
    else:
        title = f"{_names([view for group, _ in groups for view in group])} find their cells by strides"
    views = [view for group, _ in groups for view in group]
    about = [f"{view.name}: shape {view.shape}, strides {view.stride}, {_said(view.values)}." for view in views]
    return canvas.picture(y - 0.2, title, about + words)


def masks(cases):
    """What dropout made of its input: which numbers became 0, and by how much the others grew."""
    grids = []
    for values in cases:
        given, *made = _views(values)
        if not made:
            raise Nonsense("there is an input, but nothing that was made of it")
        settings = [f"{name} = {_said(value)}" for name, value in values.items() if not isinstance(value, (dict, list))]
        for view in made:
            grids.append((given, view, ", ".join(settings)))
    if any(len(view.values) != len(given.values) for given, view, _ in grids):
        raise Nonsense("what was made of the input is not of its size")
    if len(grids) > 4 or any(
        not 2 <= len(view.shape) <= 3 or 0 in view.shape or view.shape[-1] > 24 or view.shape[-2] > 40
        for _, view, _ in grids
    ):
        return None
    canvas = Canvas()
    gap = 0.3
    width = (WIDTH - 0.1 - gap * (len(grids) - 1)) / len(grids)
    size = min(0.135, width / max(view.shape[-1] for _, view, _ in grids))
    y, said, words = 0.0, [], []
    first = grids[0][0]
    columns = grids[0][1].shape[-1]
    varied = len(set(first.values)) > 1 and columns <= 10
    if varied:  # the first row in numbers
        step = (WIDTH - 0.1 - 0.85) / columns
        rows = [(first.name, first.values, None)]
        rows += [(settings or view.name, view.values, BLUE) for _, view, settings in grids]
        canvas.text(0.05, y + 0.1, "the first row", size=9, weight="bold")
        y += 0.26
        for name, values, colour in rows:
            canvas.code(0.05, y + 0.15, name, size=8.5)
            for at, value in enumerate(values[:columns]):
                zero = colour and float(value) == 0
                look = {"color": GREY} if zero else {}
                filled = 0.0 if zero else 0.18 if colour else 0.05
                canvas.box(
                    0.9 + at * step,
                    y,
                    step,
                    0.28,
                    LINE if zero else colour or INK,
                    filled,
                    _short(value),
                    size=7.5,
                    **look,
                )
            y += 0.28 + (0.1 if colour is None else 0.05)
        y += 0.22
        canvas.text(0.05, y, "all of it", size=9, weight="bold")
        y += 0.14
    bottom = y
    for at, (given, view, settings) in enumerate(grids):
        x = 0.05 + at * (width + gap)
        pairs = list(zip(map(float, given.values), view.numbers, strict=True))
        zeros = sum(now == 0 != before for before, now in pairs)
        share = f"{100 * zeros / len(pairs):.0f} %"
        ratios = sorted(now / before for before, now in pairs if now and before)
        scale = _said(ratios[len(ratios) // 2]) if ratios else "1"
        canvas.code(x, y + 0.12, settings or view.name, weight="bold")
        canvas.text(x, y + 0.31, f"{zeros} of {len(pairs)} are 0", size=8.5, color=GREY)
        canvas.text(x, y + 0.47, f"the rest \N{MULTIPLICATION SIGN} {scale}", size=8.5, color=GREY)
        *_, height, columns = view.shape
        shown = view.numbers[: height * columns]
        corners = {False: [], True: []}
        for place, value in enumerate(shown):
            corners[value != 0].append((x + place % columns * size, y + 0.62 + place // columns * size))
        canvas.cells(corners[False], size, LINE, 0.0)
        canvas.cells(corners[True], size, BLUE, 0.6)
        bottom = max(bottom, y + 0.62 + height * size)
        parts = [view.numbers[start : start + columns] for start in range(0, len(pairs), columns)]
        whole = all(len({value == 0 for value in part}) == 1 for part in parts)
        where = f"at {settings}" if settings else f"in `{view.name}`"
        said.append(f"{share} {where}{' (whole rows)' if whole else ''}")
        words.append(
            f"{where.capitalize()}: {zeros} of {len(pairs)} numbers are 0, the others are {scale} times the input."
        )
    canvas.cells([(0.05, bottom + 0.14)], 0.12, BLUE, 0.6)
    canvas.cells([(0.75, bottom + 0.14)], 0.12, LINE, 0.0)
    canvas.text(0.22, bottom + 0.205, "kept", size=8.5, color=GREY)
    several = any(len(view.shape) == 3 and view.shape[0] > 1 for _, view, _ in grids)
    zeroed = "became 0; the first of the batch is shown" if several else "became 0"
    canvas.text(0.92, bottom + 0.205, zeroed, size=8.5, color=GREY)
    title = f"Dropout zeroed {listed(said)}, and scaled the rest so that the average stays"
    return canvas.picture(bottom + 0.34, title, words)


def _short(value):
    return (
        _said(float(value), 3).removeprefix("0") if abs(float(value)) < 1 and float(value) else _said(float(value), 3)
    )


def curves(cases):
    """Loss and gradient by logit, of each form, for each target."""
    drawn = []
    for values in cases:
        (x, *rest), settings = _views(values), [
            f"{name} {_said(value)}" for name, value in values.items() if not isinstance(value, (dict, list))
        ]  # fmt: skip
        forms = {
            name: [View(name, each) for each in value] for name, value in values.items() if isinstance(value, list)
        }
        if rest or len(forms) != 2 or any(len(pair) != 2 for pair in forms.values()):
            raise Nonsense("it takes one tensor to go by, and two pairs of a loss and a gradient")
        if any(len(view.values) != len(x.values) for pair in forms.values() for view in pair):
            raise Nonsense("the curves are not of one length")
        if len(x.values) < 2 or not all(map(math.isfinite, x.numbers)):
            raise Nonsense(f"{x.name} is nothing to go by")
        drawn.append((x, ", ".join(settings), forms))
    height = 4.1
    figure = Figure(figsize=(WIDTH, height))
    figure.subplots_adjust(
        left=0.5 / WIDTH, right=1 - 0.08 / WIDTH, top=1 - 0.55 / height, bottom=0.62 / height, hspace=0.28, wspace=0.14
    )
    panels = figure.subplots(2, len(drawn), squeeze=False, sharex=True, sharey="row")
    looks = [{"color": BLUE, "lw": 4.5, "alpha": 0.45}, {"color": ORANGE, "lw": 1.6, "ls": "--"}]
    words, lost = [], []
    for column, (x, settings, forms) in enumerate(drawn):
        (stable, naive) = forms.values()
        apart = [abs(one - other) > 0.5 for one, other in zip(stable[1].numbers, naive[1].numbers, strict=True)]
        where = [at for at, far in zip(x.numbers, apart, strict=True) if far]
        for axes, what, which in zip(panels[:, column], ("loss", "gradient"), (0, 1), strict=True):
            for (name, pair), look in zip(forms.items(), looks, strict=True):
                axes.plot(x.numbers, pair[which].numbers, label=name, **look)
            if where:
                axes.axvspan(min(where), max(where), color=ORANGE, alpha=0.1, lw=0, zorder=0.5)
            axes.set_xlim(min(x.numbers), max(x.numbers))
            axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
            axes.yaxis.set_major_locator(MaxNLocator(5))
            axes.tick_params(length=0, labelsize=8.5)
            axes.set_title(f"{what}, {settings}" if settings else what)
        panels[1, column].set_xlabel(x.name.rstrip("s"))
        if where:
            nearest = min(where, key=abs)
            lost.append(
                f"from a {x.name.rstrip('s')} of {_said(nearest)} on" + (f" for {settings}" if settings else "")
            )
            words.append(
                f"{settings}: the gradients differ by more than a half "
                f"from {_said(nearest)} to {_said(max(where, key=abs))}."
            )
        for at in range(0, len(x.values), max(1, len(x.values) // 5)):
            words.append(
                f"{settings}, {x.name.rstrip('s')} {_said(x.values[at])}: "
                + ", ".join(
                    f"{name} loss {_said(pair[0].values[at])}, gradient {_said(pair[1].values[at])}"
                    for name, pair in forms.items()
                )
                + "."
            )
    names = list(drawn[0][2])
    handles = panels[0, 0].get_lines()
    figure.legend(
        handles,
        names,
        loc="upper left",
        bbox_to_anchor=(0.42 / WIDTH, 1),
        ncols=2,
        prop={**CODE, "size": 9},
        labelcolor=INK,
        borderpad=0.2,
    )
    first, second = names
    title = f"`{second}` has the gradient that `{first}` has, everywhere"
    if lost:
        title = f"`{second}` loses the gradient that `{first}` keeps, {listed(lost)}"
        figure.text(0.05 / WIDTH, 0.02, "Shaded: the gradients differ by more than a half.", size=8.5, color=GREY)
    return Explanation(figure, title, " ".join(words))


def graph(cases):
    """What autograd recorded in each call: nodes in layers, from the leaves on the left to the result on the right."""
    rows = []
    for values in cases:
        for view in _views(values):
            if "graph" in view.about:
                rows.append((values, view, *_layers(view.about["graph"])))
    if not rows:
        raise Nonsense("no tensor in it has a graph")
    longest = max(max(depth) for _, _, depth, _, _ in rows)
    most = max(len(layer) for *_, layers, _ in rows for layer in layers)
    if longest > 8 or most > 6 or len(rows) > 6:
        return None
    canvas, y, words, counted = Canvas(), 0.0, [], []
    step = min(1.15, (WIDTH - 0.85) / max(longest, 1))
    box = min(0.62, step - 0.18)
    for values, view, depth, layers, ways in rows:
        nodes = view.about["graph"]["nodes"]
        leaves = [name for name in dict.fromkeys(node.get("leaf") for node in nodes) if name in values]
        gives = ", ".join(f"{name} = {_value(values[name])}" for name in leaves)
        canvas.code(0.05, y + 0.12, f"{gives} \N{RIGHTWARDS ARROW} {view.name} = {_value(view.about)}")
        tall = max(map(len, layers))
        row = 0.42
        top = y + 0.34
        deepest = max(depth)
        place = {}
        for at, layer in enumerate(layers):
            for order, item in enumerate(layer):
                place[item] = (
                    0.05 + box / 2 + (deepest - at) * step,
                    top + row * (order + 0.5 + (tall - len(layer)) / 2),
                )
        doubled = defaultdict(int)
        for way in ways:
            count = ways.count(way)
            shift = 0.0 if count == 1 else 0.16 * (doubled[tuple(way)] / (count - 1) - 0.5)
            doubled[tuple(way)] += 1
            _arrow(canvas, [place[item] for item in way], box / 2, shift)
        for item, (x, middle) in place.items():
            if isinstance(item, tuple):
                continue
            node = nodes[item]
            leaf = node["name"].endswith("AccumulateGrad")
            label = node.get("leaf", "leaf") if leaf else re.sub(r"Backward\d*$", "", node["name"]).lower()
            size = 8.5 if len(label) * LETTER * 0.9 < box else 8.5 * box / (len(label) * LETTER * 0.9)
            look = {"weight": "bold"} if leaf else {}
            canvas.box(
                x - box / 2, middle - 0.13, box, 0.26, GREEN if leaf else BLUE, 0.2, label, 0.08, size=size, **look
            )
        x, middle = place[0]
        canvas.code(x + box / 2 + 0.07, middle + 0.01, view.name, weight="bold")
        y = top + row * tall + 0.02
        if slopes := [
            f"{name}.grad = {_said(_flat(values[name], 'grad'))}" for name in leaves if "grad" in values[name]
        ]:
            canvas.code(0.05, y + 0.06, ", ".join(slopes), size=8.5)
            y += 0.2
        y += 0.2
        counted.append(f"{len(nodes)}{' nodes' * (not counted)} for {gives}")
        edges = [f"{nodes[start]['name']} to {nodes[end]['name']}" for start, end in view.about["graph"]["edges"]]
        words.append(f"{gives} gives {view.name} = {_value(view.about)}: {'; '.join(edges)}. {', '.join(slopes)}.")
    canvas.text(0.05, y, "Arrows: the way that backward goes.", size=8.5, color=GREY)
    title = f"One function, another graph for each call: behind `{rows[0][1].name}` are {listed(counted)}"
    if len(rows) == 1:
        _, view, *_ = rows[0]
        nodes, edges = view.about["graph"]["nodes"], view.about["graph"]["edges"]
        into = {node["leaf"]: sum(end == at for _, end in edges) for at, node in enumerate(nodes) if "leaf" in node}
        ends = listed([f"`{name}` on {count} edge{'s' * (count != 1)}" for name, count in into.items()])
        title = f"Behind `{view.name}` is a graph of {len(nodes)} nodes; `backward` reaches {ends}, and adds up"
    return canvas.picture(y + 0.14, title, words)


def _flat(about, what):
    return about[what][0] if not about["shape"] and about[what] else about[what]


def _value(about):
    return _said(_flat(about, "values"))


def _layers(about):
    """How far each node is from the first; the nodes by that distance, ordered so that few edges cross; and the ways.

    A way is an edge with a place, a tuple, in each layer that it passes.
    """
    nodes, edges = about["nodes"], about["edges"]
    if any(place >= len(nodes) for edge in edges for place in edge):
        raise Nonsense("an edge leads to a node that is not there")
    depth = [0] * len(nodes)
    for _ in nodes:
        for start, end in edges:
            depth[end] = max(depth[end], depth[start] + 1)
    if any(depth[end] <= depth[start] for start, end in edges) or max(depth) >= len(nodes):
        raise Nonsense("its graph goes in a circle")
    last = max(depth)
    inner = {start for start, _ in edges}
    depth = [last if at not in inner else deep for at, deep in enumerate(depth)]  # leaves stand in one column
    ways = [[start, *((start, end, at) for at in range(depth[start] + 1, depth[end])), end] for start, end in edges]
    layers = [[] for _ in range(last + 1)]
    for at, deep in enumerate(depth):
        layers[deep].append(at)
    for way in ways:
        for item in way[1:-1]:
            if item not in layers[item[2]]:
                layers[item[2]].append(item)
    for before, layer in itertools.pairwise(layers):
        above = defaultdict(list)
        for way in ways:
            for start, end in itertools.pairwise(way):
                if start in before:
                    above[end].append(before.index(start))
        layer.sort(key=lambda item, above=above: sum(above[item]) / max(1, len(above[item])))
    return depth, layers, ways


def _arrow(canvas, points, half, shift):
    """A curve through the points, level at each of them, from the left edge of a box to the right edge of another."""
    (first_x, first_y), *_, (last_x, last_y) = points
    stops = [(first_x - half, first_y + shift), *points[1:-1], (last_x + half + 0.02, last_y + shift)]
    path, codes = [stops[0]], [Path.MOVETO]
    for (x, y), (next_x, next_y) in itertools.pairwise(stops):
        middle = (x + next_x) / 2
        path += [(middle, y), (middle, next_y), (next_x, next_y)]
        codes += [Path.CURVE4] * 3
    arrow = FancyArrowPatch(path=Path(path, codes), arrowstyle="-|>", mutation_scale=7, lw=1.1, color=GREY)
    canvas.axes.add_patch(arrow)


KINDS = {"memory": memory, "strides": strides, "masks": masks, "curves": curves, "graph": graph}
