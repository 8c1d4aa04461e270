"""Pictures of what the benchmarks measured, as SVG, from the JSON file that `nox -s bench` leaves.

Each says in its title what was found, in its caption on what machine, and in its description the numbers in words.
"""

from __future__ import annotations

import io
import json
import math
import statistics
import textwrap
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from xml.sax.saxutils import escape

import jsonschema
import matplotlib.style
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator
from matplotlib.transforms import Affine2D, blended_transform_factory

from torchnotes.record import reader

BLUE, ORANGE, GREEN, PINK, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#595959"
"""Colours of Okabe and Ito, which people with any kind of colour vision can tell apart; a marker goes with each."""

INKS = {ORANGE: "#a34700", GREEN: "#00694c", PINK: "#96437a"}
"""The same for words, which are thin: dark enough to be read on white (WCAG AA asks for a contrast of 4.5)."""

STYLE = {
    "font.family": ["DejaVu Sans", "sans-serif"],
    "font.size": 9,
    "text.parse_math": False,  # a claim may hold dollar signs
    "svg.fonttype": "none",  # text stays text: it can be searched, selected and enlarged
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.titlelocation": "left",
    "axes.titlesize": 9.5,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#e3e3e3",
    "grid.linewidth": 0.7,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "lines.markersize": 4.5,
    "legend.frameon": False,
}

WIDTH = 8.5
"""Of each picture, in inches: 816 pixels."""

MARGIN = 0.05
"""As in torchnotes/measuring/timing.py: a ratio within this of the limit of a claim is too close to call."""

VERDICTS = {
    "holds here": ("o", GREEN, GREEN),
    "does not hold here": ("D", ORANGE, ORANGE),
    "inconclusive": ("s", GREY, "white"),
}
"""How the dot of a finding looks: marker, colour, filling."""

LARGEST = 1e18
NUMBER = {"type": "number", "minimum": -LARGEST, "maximum": LARGEST}
NUMBERS = {"type": "array", "items": NUMBER}
POSITIVE = {"type": "number", "exclusiveMinimum": 0, "maximum": LARGEST}
TIMES = {"type": "array", "items": POSITIVE}
TEXT = {"type": ["string", "null"]}
DEVICE = r"^(-|[a-z]+(:[0-9]+)?(\+[a-z]+(:[0-9]+)?)?)\Z"
"""Also a part of the name of a file, and of an identifier."""

SCHEMA = {
    "type": "object",
    "required": ["benchmarks", "machine_info", "datetime"],
    "properties": {
        "datetime": {"type": "string"},
        "machine_info": {
            "type": "object",
            "properties": {
                "devices": {"type": "object", "additionalProperties": TEXT},
                "cpu": {"type": "object", "properties": {"brand_raw": TEXT}},
            },
        },
        "benchmarks": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["group", "name", "fullname", "stats", "extra_info"],
                "properties": {
                    "group": TEXT,
                    "fullname": {"type": "string"},
                    "params": {"type": ["object", "null"]},
                    "stats": {
                        "type": "object",
                        "required": ["median", "q1", "q3", "data"],
                        "properties": {"data": TIMES, **dict.fromkeys(("median", "q1", "q3"), POSITIVE)},
                    },
                    "extra_info": {
                        "type": "object",
                        "properties": {
                            "device": {"type": "string", "pattern": DEVICE},
                            **{name: NUMBERS for name in ("logits", "values", "gradients")},
                        },
                    },
                },
            },
        },
        "findings": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["claim", "found", "group", "verdict", "low", "high"],
                "oneOf": [{"required": ["ratio", limit]} for limit in ("at_most", "at_least")]
                + [{"required": ["knee", "reached"]}],
                "properties": {
                    **{name: {"type": "string"} for name in ("claim", "found", "group")},
                    "verdict": {"enum": list(VERDICTS)},
                    "reached": {"type": "boolean"},
                    **{name: POSITIVE for name in ("ratio", "low", "high", "at_most", "at_least", "knee")},
                },
            },
        },
    },
}
"""What is read of a file that pytest-benchmark and tests/benchmarks/conftest.py wrote."""


@dataclass(frozen=True)
class Row:
    """One benchmark: in what group, of which test, with what parameters, and its seconds a call."""

    group: str
    test: str
    device: str
    about: dict
    median: float
    q1: float
    q3: float
    data: list
    parameters: str

    @property
    def entry(self):
        return self.about.get("entry")


@dataclass(frozen=True)
class Bench:
    """What one run of the benchmarks measured."""

    document: dict
    source: str = "the file"

    @cached_property
    def rows(self):
        found = []
        for entry in self.document["benchmarks"]:
            stats, about = entry["stats"], entry["extra_info"]
            test = entry["fullname"].rpartition("::")[2].partition("[")[0].removeprefix("test_").replace("_", " ")
            names = (entry.get("params") or {}).keys() - {"entry", "device"}
            parameters = ", ".join(str(value) for name, value in about.items() if name in names)
            measured = (stats[name] for name in ("median", "q1", "q3", "data"))
            found.append(Row(entry["group"], test, _device(about), about, *measured, parameters))
        return found

    @property
    def devices(self):
        return list(dict.fromkeys(row.device for row in self.rows))

    def race(self, group):
        return [row for row in self.rows if row.group == group]

    def findings(self, device, kind):
        """Those that have a `kind` of number: a ratio, or a knee."""
        of_group = {row.group: row.device for row in self.rows}
        found = self.document.get("findings", [])
        return [each for each in found if kind in each and of_group.get(each["group"]) == device]

    def caption(self, device):
        """What was measured where: device, torch, threads, date."""
        machine = self.document["machine_info"]
        brand = machine.get("cpu", {}).get("brand_raw")
        description = machine.get("devices", {}).get(device)
        names = [name for name in (brand if device == "cpu" else None, description) if name]
        about = [
            f"{device}: {', '.join(names)}" if names else device,
            f"torch {machine.get('torch', 'unknown')}",
            f"threads: {machine.get('threads', 'unknown')}",
            self.document["datetime"][:10],
        ]
        return " · ".join(about)


def _device(about):
    device = about.get("device", "-")
    return "cpu" if device == "-" else device  # what takes no device is computed by the processor


@dataclass(frozen=True)
class Picture:
    """A figure and what it says: in one sentence, and in words for whoever cannot see it."""

    figure: Figure
    title: str
    words: str

    def svg(self, name):
        """The same text for the same data: no date, and identifiers that depend on the name only."""
        stream = io.StringIO()
        with matplotlib.rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}):
            nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
            self.figure.savefig(stream, format="svg", metadata=nothing)
        before, svg, after = stream.getvalue().partition("<svg ")
        head, end, body = after.partition(">\n")
        return (
            f'{before}{svg}role="img" aria-labelledby="{name}-title {name}-words" {head}{end}'
            f' <title id="{name}-title">{escape(self.title)}</title>\n'
            f' <desc id="{name}-words">{escape(self.words)}</desc>\n{body}'
        )


def read(path):
    """The file at `path` as a `Bench`. Raises `reader.BadRecord`, which names the file, where it is none."""
    document = reader.load(path)
    make = "make one with: nox -s bench"
    if not isinstance(document, dict) or "benchmarks" not in document:
        raise reader.BadRecord(f"{path}: is not what pytest-benchmark writes; {make}")
    if not document["benchmarks"]:
        raise reader.BadRecord(f"{path}: there are no benchmarks in it; {make}")
    if error := jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(SCHEMA).iter_errors(document)):
        raise reader.BadRecord(f"{path}: is not what pytest-benchmark writes: {reader.said(error)}")
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise reader.BadRecord(f"{path}: holds half a character, which cannot be drawn ({error.reason})") from None
    groups = {entry["group"] for entry in document["benchmarks"]}
    for at, each in enumerate(document.get("findings", [])):
        if each["group"] not in groups:
            raise reader.BadRecord(f"{path}: $.findings[{at}]: there is no benchmark of its group {each['group']!r}")
        if not each["low"] <= each.get("ratio", each.get("knee")) <= each["high"]:
            raise reader.BadRecord(f"{path}: $.findings[{at}]: its number is not between its `low` and its `high`")
    return Bench(document, str(path))


def drawn(bench):
    """Each picture there are numbers for, after its name."""
    for kind, picture_of in PICTURES.items():
        for device in bench.devices:
            name = f"{kind}-{device.replace(':', '-').replace('+', '-')}"
            with matplotlib.style.context(STYLE, after_reset=True):
                try:
                    picture = picture_of(bench, device)
                except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
                    why = f"the benchmarks for it are not as nox -s bench leaves them ({reader.reason(error)})"
                    raise reader.BadRecord(f"{bench.source}: {kind} on {device} cannot be drawn: {why}") from None
                if picture is not None:
                    yield name, picture


def draw(bench, folder):
    """Write each picture there are numbers for into `folder`; the paths, one after another."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in list(drawn(bench)):  # all of them, or none
        path = folder / f"{name}.svg"
        path.write_text(picture.svg(name), encoding="utf-8", newline="\n")
        yield path


class Sheet:
    """A figure with a title and a note above its panels, which may take several lines, and a caption below."""

    def __init__(self, title, note, caption, panels=(1, 1), height=2.6, left=0.8, right=0.3, gaps=(0.7, 0.8), **more):
        rows, columns = panels
        self.width = (WIDTH - left - right - (columns - 1) * gaps[1]) / columns
        title_lines, note_lines = textwrap.wrap(title, 78), textwrap.wrap(note, 118)
        top = 0.12 + 0.22 * len(title_lines) + 0.17 * len(note_lines) + 0.42
        bottom = 0.85
        total = top + rows * height + (rows - 1) * gaps[0] + bottom
        self.title = title
        self.figure = Figure(figsize=(WIDTH, total), facecolor="white")
        self.axes = self.figure.subplots(
            rows,
            columns,
            squeeze=False,
            gridspec_kw={
                "left": left / WIDTH,
                "right": 1 - right / WIDTH,
                "top": 1 - top / total,
                "bottom": bottom / total,
                "hspace": gaps[0] / height,
                "wspace": gaps[1] / self.width,
            },
            **more,
        )
        self._lines(title_lines, 1 - 0.12 / total, 0.22 / total, size=11.5, weight="bold")
        self._lines(note_lines, 1 - (0.16 + 0.22 * len(title_lines)) / total, 0.17 / total, size=8.5, color=GREY)
        self._lines([caption], 0.24 / total, 0, size=7.5, color=GREY)

    def _lines(self, lines, y, step, **look):
        for count, line in enumerate(lines):
            self.figure.text(0.12 / WIDTH, y - count * step, line, va="top", **look)

    def beside(self, axes):
        """Coordinates: inches from the left edge of the axes, and the numbers of its y axis."""
        return blended_transform_factory(Affine2D().scale(1 / self.width, 1) + axes.transAxes, axes.transData)

    def picture(self, sentences):
        return Picture(self.figure, self.title, " ".join(sentences))


def number(value, digits=2):
    """So many digits that say something: 0.034, 3.4, 34, 3,400."""
    places = 0 if value == 0 else digits - 1 - math.floor(math.log10(abs(value)))
    text = f"{round(value, places):,.{max(places, 0)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def seconds(value):
    """A time as people write it: 12 µs, 3.4 ms."""
    units = {"s": 1, "ms": 1e-3, "µs": 1e-6, "ns": 1e-9}
    unit = next((unit for unit, scale in units.items() if value > 0.999 * scale), "ns")
    return f"{number(value / units[unit])} {unit}"


def amount(value):
    """How many: 10, 1,000, 1 million."""
    return f"{number(value / 1e6, 3)} million" if value >= 1e6 else number(value, 4)


def ratio(value):
    """A factor as torchnotes/measuring/timing.py writes it: 1.50, 42, 1/2,500."""
    if value < 0.1:
        return f"1/{ratio(1 / value)}"
    return f"{value:.2f}" if value < 10 else number(value)


def interval(finding):
    return f"{ratio(finding['low'])} to {ratio(finding['high'])}"


def longer(rows):
    """How many times as long the last takes as the first, in words."""
    return longer_than_one(rows[-1].median / rows[0].median)


def longer_than_one(times):
    if abs(times - 1) <= MARGIN:
        return "as long"
    return f"{number(times, 3 if times < 10 else 2)} times as long"


def listed(words):
    """One, two and three."""
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def log_axis(axis, form):
    """Ticks a reader can count with, in their own units; between them some more where the axis is short."""
    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=(1,) if high / low > 200 else (1, 2, 5), numticks=20))
    axis.set_major_formatter(FuncFormatter(lambda value, _: form(value)))
    axis.set_minor_locator(NullLocator())


def line(axes, x, rows, value=lambda row, seconds: seconds, **look):
    """The medians of some rows, with the interquartile range as a band."""
    lower, middle, upper = ([value(row, getattr(row, name)) for row in rows] for name in ("q1", "median", "q3"))
    axes.fill_between(x, lower, upper, color=look["color"], alpha=0.2, lw=0)
    axes.plot(x, middle, lw=1.4, **look)
    return middle


def label_ends(axes, ends):
    """Write each name beside the end of its line, a little apart where two ends are close: {name: (x, y, colour)}."""
    low, high = map(math.log, axes.get_ylim())
    apart, last = (high - low) / 16, -math.inf
    for name, (x, y, color) in sorted(ends.items(), key=lambda each: each[1][1]):
        last = max(math.log(y), last + apart)
        axes.annotate(
            name,
            (x, math.exp(last)),
            (8, 0),
            textcoords="offset points",
            va="center",
            color=INKS.get(color, color),
            weight="bold",
        )


def findings(bench, device):
    """Each finding as a dot with its interval, beside what the claim allows."""
    found = bench.findings(device, "ratio")
    if not found:
        return None
    of_verdict = {verdict: [each for each in found if each["verdict"] == verdict] for verdict in VERDICTS}
    hold, fail, unclear = map(len, of_verdict.values())
    rows = []
    for verdict, some in of_verdict.items():
        rows += [(verdict, 0.4)] * bool(some)
        rows += [(each, 0.1 + 0.15 * len(_wrapped(each))) for each in some]
    height = sum(inches for _, inches in rows) + 0.05
    sheet = Sheet(
        f"{len(found)} claims about {device}: {hold} hold here, {fail} do not, {unclear} are too close to call",
        "Dot: the number of the sentence, the median of the rounds. Line: its 95 % interval. "
        "Shaded: what the claim allows; the dark edge, 5 % either way, is too close to call.",
        bench.caption(device),
        height=height,
        left=3.95,
        right=2.05,
    )
    (axes,) = sheet.axes.flat
    axes.set(xscale="log", xlim=SHOWN, ylim=(height, 0), xlabel="times (logarithmic)")
    axes.spines[["left", "right"]].set_visible(False)
    axes.yaxis.set_major_locator(NullLocator())
    axes.xaxis.set_major_locator(FixedLocator([0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.tick_params(top=True, labeltop=True)
    axes.axvline(1, color=GREY, lw=0.8)
    y = 0
    for row, inches in rows:
        middle, y = y + inches / 2, y + inches
        if isinstance(row, str):
            marker, edge, face = VERDICTS[row]
            axes.plot(
                -3.8, middle + 0.05, marker, mec=edge, mfc=face, ms=6.5, clip_on=False, transform=sheet.beside(axes)
            )
            _beside(
                sheet,
                axes,
                -3.68,
                middle + 0.05,
                f"{row}: {len(of_verdict[row])}",
                color=INKS.get(edge, edge),
                weight="bold",
                size=9.5,
            )
        else:
            _dot(axes, row, middle, inches)
            _beside(sheet, axes, -3.88, middle, "\n".join(_wrapped(row)))
            _beside(sheet, axes, sheet.width + 0.12, middle, interval(row))
    return sheet.picture(
        f"{each['found']}, 95 % interval {interval(each)}: {verdict}."
        for verdict, some in of_verdict.items()
        for each in some
    )


SHOWN = (0.04, 25)
"""What the axis of ratios shows; what lies outside is an arrow at its edge, and its number stands beside it."""


def _wrapped(finding):
    return textwrap.wrap(finding["found"].replace("`", ""), 64)


def _beside(sheet, axes, inches, y, text, **look):
    """Text at so many inches from the left edge of the axes."""
    axes.text(inches, y, text, transform=sheet.beside(axes), va="center", **{"size": 8, "linespacing": 1.25, **look})


def _dot(axes, finding, y, inches):
    marker, edge, face = VERDICTS[finding["verdict"]]
    thick = inches - 0.04
    limit = finding.get("at_most") or finding["at_least"]
    near, far = (min(max(limit * (1 + side * MARGIN), SHOWN[0]), SHOWN[1]) for side in (-1, 1))
    start, end = (SHOWN[0], near) if "at_most" in finding else (far, SHOWN[1])
    axes.barh(y, end - start, thick, start, color="#e6edf5", lw=0, zorder=0.6)
    axes.barh(y, far - near, thick, near, color="#aebfd2", lw=0, zorder=0.7)
    low, middle, high = (min(max(finding[name], SHOWN[0]), SHOWN[1]) for name in ("low", "ratio", "high"))
    axes.plot([low, high], [y, y], color=edge, lw=1.6, solid_capstyle="butt")
    if middle == SHOWN[0]:
        marker = "<"
    elif middle == SHOWN[1]:
        marker = ">"
    axes.plot(middle, y, marker, mec=edge, mfc=face, ms=5.5, mew=1.3, clip_on=False)


def batch_size(bench, device):
    """Samples a second and time a step by batch size, with the knee: of the races that a knee was looked for in."""
    knees = {each["group"]: each for each in bench.findings(device, "knee")}
    if not knees:
        return None
    races = {group: sorted(bench.race(group), key=lambda row: row.entry) for group in knees}
    tests = list(dict.fromkeys(rows[0].test for rows in races.values()))
    labels = list(dict.fromkeys(rows[0].parameters for rows in races.values()))
    named = {group: each["claim"].partition(":")[0] for group, each in knees.items()}
    least, most = (
        f"{each['knee']:,}{'' if each['reached'] else ' or more'}"
        for each in (pick(knees.values(), key=lambda each: each["knee"]) for pick in (min, max))
    )
    sheet = Sheet(
        f"Doubling the batch pays up to {least} samples on {device}"
        if least == most
        else f"How far doubling the batch pays on {device} depends on the model: here up to {least} samples, "
        f"there up to {most}",
        "Median of the rounds, with the interquartile range as a band. Ring: the knee, the last size before a "
        "doubling that gains less than a quarter more samples a second; several rings if it is not certain which, none "
        "if no knee was reached for certain.",
        bench.caption(device),
        panels=(2, len(tests)),
        height=2.4,
        sharex=True,
        sharey="row",
        gaps=(0.45, 0.3),
    )
    for group, rows in races.items():
        look = dict(zip(("color", "marker"), LINES[labels.index(rows[0].parameters)], strict=True))
        sizes = [row.entry for row in rows]
        column = tests.index(rows[0].test)
        for axes, value in (
            (sheet.axes[0, column], lambda row, taken: row.entry / taken),
            (sheet.axes[1, column], lambda row, taken: taken),
        ):
            middle = line(axes, sizes, rows, value, label=rows[0].parameters, **look)
            if not knees[group]["reached"]:
                continue
            rings = [
                (size, point)
                for size, point in zip(sizes, middle, strict=True)
                if knees[group]["low"] <= size <= knees[group]["high"]
            ]
            axes.plot(*zip(*rings, strict=True), look["marker"], ms=11, mfc="none", mec=look["color"], mew=1.4)
            knee = knees[group]["knee"]
            axes.annotate(
                f"{knee:,}",
                (knee, middle[sizes.index(knee)]),
                (9, -9),
                textcoords="offset points",
                va="top",
                color=INKS.get(look["color"], look["color"]),
                weight="bold",
            )
    for axes in sheet.axes.flat:
        axes.set(xscale="log", yscale="log")
    every = sorted({row.entry for rows in races.values() for row in rows})
    for column, test in enumerate(tests):
        for axes, what in zip(sheet.axes[:, column], ("samples a second", "time"), strict=True):
            axes.set_title(f"{test}: {what}")
        sheet.axes[1, column].set_xlabel("batch size")
        for axes in sheet.axes[:, column]:
            axes.xaxis.set_major_locator(FixedLocator(every[:: 2 if len(every) > 7 else 1]))
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axes.xaxis.set_minor_locator(NullLocator())
    log_axis(sheet.axes[0, 0].yaxis, amount)
    log_axis(sheet.axes[1, 0].yaxis, seconds)
    sheet.axes[0, 0].legend(loc="upper left")
    return sheet.picture(
        f"{named[group]}: "
        + ", ".join(
            f"{row.entry} samples in {seconds(row.median)}, {number(row.entry / row.median)} a second" for row in rows
        )
        + (
            f"; the knee is at {knees[group]['knee']:,}, between {knees[group]['low']:,} and {knees[group]['high']:,}."
            if knees[group]["reached"]
            else f"; no knee was reached for certain up to {rows[-1].entry:,}."
        )
        for group, rows in races.items()
    )


def alignment(bench, device):
    """Products and training steps whose width is a multiple of eight, beside those one narrower and one wider."""
    rows = [row for row in bench.rows if row.device == device]
    by_width = sorted((row for row in rows if row.test == "matrix product by width"), key=lambda row: row.entry)
    races = {test: defaultdict(dict) for test in ("matrix product", "training step")}
    for row in rows:
        if row.test in races and row.entry in OFFSETS:
            races[row.test][row.about["dtype"], row.about["k"]][row.entry] = row
    if not by_width or not all(races.values()):
        return None
    at = {row.entry: row.median for row in by_width}
    off = [
        at[neighbour] / at[width]
        for width in at
        if width % 8 == 0
        for neighbour in (width - 1, width + 1)
        if neighbour in at
    ]
    dtype = by_width[0].about["dtype"].removeprefix("torch.")
    sheet = Sheet(
        f"A width next to a multiple of 8 takes {longer_than_one(statistics.median(off))} on {device} in {dtype}; "
        f"other dtypes stand below",
        "Median of the rounds, with the interquartile range. Large dots: multiples of 8.",
        bench.caption(device),
        panels=(2, 2),
        height=2.3,
        gaps=(0.8, 0.3),
    )
    top, *below = sheet.axes[0, 0], *sheet.axes[1]
    sheet.axes[0, 1].remove()
    top.set_subplotspec(top.get_gridspec()[0, :])
    widths = list(at)
    line(top, widths, by_width, color=BLUE, marker=".")
    eights = [width for width in widths if width % 8 == 0]
    top.plot(eights, [at[width] for width in eights], "o", color=BLUE, ms=9)
    top.set(title=f"time of a matrix product in {dtype} by its width", ylim=(0, 1.1 * max(at.values())))
    top.xaxis.set_major_locator(FixedLocator(widths))
    top.xaxis.grid(False)
    top.yaxis.set_major_formatter(FuncFormatter(lambda value, _: seconds(value) if value else "0"))
    for axes, (test, found) in zip(below, races.items(), strict=True):
        axes.set_title(f"{test}: times as long as with 8k")
        for place, entries in enumerate(found.values()):
            for entry, (color, marker, shift) in OFFSETS.items():
                pairs = zip(entries[entry].data, entries["8k"].data, strict=True)
                low, middle, high = statistics.quantiles([one / other for one, other in pairs], n=4)
                x = place + shift
                axes.plot([x, x], [low, high], color=color, lw=1.4)
                axes.plot(x, middle, marker, color=color, ms=6, label=entry if place == 0 else None)
        axes.xaxis.set_major_locator(FixedLocator(range(len(found))))
        axes.xaxis.set_major_formatter(
            FuncFormatter(lambda value, _, names=list(found): "\n".join(map(str, names[int(value)])))
        )
        axes.xaxis.grid(False)
    below[0].sharey(below[1])
    below[0].legend(loc="lower right", bbox_to_anchor=(1, 1.1), ncols=3)
    return sheet.picture(f"Width {width}: {seconds(taken)}." for width, taken in at.items())


def conversion(bench, device):
    """What it costs to make a tensor of an array, by size."""
    ways = defaultdict(list)
    for row in bench.rows:
        if (row.test, row.device) == ("array to tensor", device) and row.parameters in WAYS:
            ways[row.parameters].append(row)
    if not {"from_numpy", "tensor"} <= ways.keys():
        return None
    for rows in ways.values():
        rows.sort(key=lambda row: row.entry)
    shared, copied = ways["from_numpy"], ways["tensor"]
    sheet = Sheet(
        f"{amount(shared[-1].entry)} numbers instead of {amount(shared[0].entry)} take from_numpy "
        f"{longer(shared)}, for it copies none, and torch.tensor {longer(copied)}",
        "Time to make a tensor of a NumPy array. Median of the rounds, with the interquartile range as a band.",
        bench.caption(device),
        height=3.6,
        right=1.4,
    )
    (axes,) = sheet.axes.flat
    for entry, rows in ways.items():
        color, marker = WAYS[entry]
        sizes = [row.entry for row in rows]
        line(axes, sizes, rows, color=color, marker=marker)
    axes.set(xscale="log", yscale="log", xlabel="numbers in the array", title="time")
    label_ends(axes, {entry: (rows[-1].entry, rows[-1].median, WAYS[entry][0]) for entry, rows in ways.items()})
    log_axis(axes.xaxis, amount)
    log_axis(axes.yaxis, seconds)
    return sheet.picture(
        f"{entry}: " + ", ".join(f"{amount(row.entry)} numbers in {seconds(row.median)}" for row in rows) + "."
        for entry, rows in ways.items()
    )


def stability(bench, device):
    """What BCEWithLogitsLoss and a sigmoid with BCELoss give far from zero: values, not times."""
    rows = {
        (row.entry, row.about["target"]): row.about
        for row in bench.rows
        if row.device == device and {"entry", "target", "logits", "values", "gradients"} <= row.about.keys()
    }
    targets = sorted({target for _, target in rows})
    if not targets:
        return None
    lost = [_lost(rows["with logits", target], rows["sigmoid, BCELoss", target]) for target in targets]
    where = [f"{logit:g} for target {target}" for target, logit in zip(targets, lost, strict=True) if logit]
    sheet = Sheet(
        "A model that is sure and wrong learns nothing from a sigmoid and BCELoss: the gradient is lost from a logit "
        f"of {listed(where)} on; BCEWithLogitsLoss keeps it"
        if where
        else "A sigmoid and BCELoss give the gradient that BCEWithLogitsLoss gives, at every logit that was tried",
        "Loss of one example in float32, and its gradient with respect to the logit. Shaded: where less than half of "
        "the gradient is left. These are values, not times.",
        bench.caption(device),
        panels=(2, len(targets)),
        height=2.1,
        gaps=(0.45, 0.3),
        sharex=True,
        sharey="row",
    )
    looks = {
        "with logits": {"color": BLUE, "lw": 4.5, "alpha": 0.45, "label": "BCEWithLogitsLoss"},
        "sigmoid, BCELoss": {"color": ORANGE, "lw": 1.6, "ls": "--", "label": "sigmoid, then BCELoss"},
    }
    for (loss, gradient), target, logit in zip(sheet.axes.T, targets, lost, strict=True):
        for entry, look in looks.items():
            about = rows[entry, target]
            loss.plot(about["logits"], about["values"], **look)
            gradient.plot(about["logits"], [abs(value) for value in about["gradients"]], **look)
        ends = min(about["logits"]), max(about["logits"])
        for axes in (loss, gradient):
            axes.set_xlim(ends)
            if logit is not None:
                axes.axvspan(logit, ends[logit > 0], color="#fbe9df", lw=0, zorder=0.5)
        side = "right" if target == 0 else "left"
        loss.set_title(f"loss with target {target}: the model is wrong on the {side}")
        gradient.set_title(f"size of the gradient with target {target}")
        gradient.set_xlabel("logit")
    sheet.axes[0, 0].legend(loc="upper left")
    return sheet.picture(
        f"Target {target}, logit {about['logits'][at]}: {looks[entry]['label']} gives a loss of "
        f"{number(about['values'][at], 3)} and a gradient of {number(about['gradients'][at], 3)}."
        for (entry, target), about in rows.items()
        for at in range(0, len(about["logits"]), 20)
    )


def _lost(stable, naive):
    """The logit nearest to 0 at which less than half of the gradient is left, where there should be much of it."""
    pairs = zip(stable["logits"], stable["gradients"], naive["gradients"], strict=True)
    lost = [logit for logit, right, found in pairs if abs(right) > 0.5 and abs(found) < abs(right) / 2]
    return min(lost, key=abs, default=None)


OFFSETS = {"8k-1": (ORANGE, "v", -0.2), "8k": (BLUE, "o", 0), "8k+1": (PINK, "^", 0.2)}
WAYS = {"tensor": (ORANGE, "s"), "as_tensor": (PINK, "^"), "from_numpy": (BLUE, "o")}
LINES = [(BLUE, "o"), (ORANGE, "s"), (GREEN, "^"), (PINK, "D")]
PICTURES = {
    "findings": findings,
    "batch-size": batch_size,
    "alignment": alignment,
    "conversion": conversion,
    "stability": stability,
}
