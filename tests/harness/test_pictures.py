"""`python -m torchnotes pictures`: what is drawn of a run of the benchmarks, its words, and what is refused."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import extents
import pytest

from torchnotes.drawing import measured, palette, svg, words
from torchnotes.measuring import bench as benches
from torchnotes.record import reader

ROOT = Path(__file__).parent.parent.parent
SVG = "{http://www.w3.org/2000/svg}"


def row(test, group, seconds, device="cpu", **about):
    """One benchmark as pytest-benchmark writes it, whose rounds took the given seconds."""
    return {
        "group": f"{group} on {device}",
        "name": f"test_{test}[{about}]",
        "fullname": f"tests/benchmarks/test_some.py::test_{test}[{about}]",
        "params": {name: value for name, value in about.items() if name != "logits"},
        "extra_info": {"device": device, **about},
        "stats": {"median": seconds, "q1": seconds * 0.99, "q3": seconds * 1.01, "data": [seconds] * 5},
    }


def finding(claim, group, ratio, at_most=1, verdict="holds here", **more):
    words = {"claim": claim, "found": f"{claim} (claimed: at most {at_most})"}
    interval = {"low": ratio * 0.99, "high": ratio * 1.01}
    return {**words, "group": group, "ratio": ratio, "at_most": at_most, "verdict": verdict, **interval, **more}


def conversion(device="-"):
    """Two ways to make a tensor of an array: one that costs the same for any size, one in proportion to it."""
    for size in (2**4, 2**10, 2**20):
        yield row("array_to_tensor", "array to tensor", 1e-6, device, entry=size, convert="from_numpy")
        yield row("array_to_tensor", "array to tensor", 1e-9 * size, device, entry=size, convert="tensor")


def stability(lost_from):
    """A loss whose gradient is lost from a logit on, for target 0, beside one that keeps it."""
    logits = [-40, -20, 0, 20, 40]
    for entry, keeps in (("with logits", True), ("sigmoid, BCELoss", False)):
        gradients = [0.0, 0.0, 0.5, *(1.0 if keeps or logit < lost_from else 0.0 for logit in logits[3:])]
        values = [0.0, 0.0, 0.7, 20.0, 40.0]
        about = {"entry": entry, "target": 0, "logits": logits, "values": values, "gradients": gradients}
        yield row("far_from_zero", "far from zero, target 0", 1e-4, **about)


def batch_size():
    """A rate that grows to 4 samples a batch and no further."""
    for size, seconds in ((1, 1e-3), (2, 1e-3), (4, 1e-3), (8, 2e-3)):
        yield row("inference", "inference, model MLP", seconds, entry=size, model="MLP")


def alignment(eight=1.0):
    """Products whose width is a multiple of eight, and others that take twice as long."""
    for width in range(248, 265):
        taken = 1e-5 * (eight if width % 8 == 0 else 9 if width == 257 else 2)  # one of them was disturbed
        yield row("matrix_product_by_width", "matrix product by width", taken, entry=width, dtype="torch.bfloat16")
    for test in ("matrix_product", "training_step"):
        for entry, times in (("8k-1", 2), ("8k", 1), ("8k+1", 2)):
            name = f"{test}, dtype float16, k 3"
            yield row(test, name, 1e-5 * times, entry=entry, dtype="float16", k=3)


def limited():
    """A product and a sum under a roof of 10 billion operations and 1 billion bytes a second."""
    for test, entry, operations, moved, seconds, dtype in (
        ("product_by_shape", "aligned", 2e9, 1e8, 0.25, "float16"),
        ("product_by_shape", "all - 1", 2e9, 1e8, 0.5, "float16"),
        ("sum_of_many", "torch", 1e6, 4e6, 0.008, "float32"),
        ("view_or_copy", "clone", 0, 4e6, 0.008, "float32"),
    ):
        limit = {"limit_of": dtype, "operations_a_second_at_most": 1e10, "bytes_a_second_at_most": 1e9}
        share = max(operations / 1e10, moved / 1e9) / seconds
        about = {"operations": operations, "bytes": moved, **limit, "share_of_limit": share}
        yield row(test, f"limits of {test}", seconds, entry=entry, **about)


def a_bench(rows, findings=()):
    machine = {"torch": "2.13.0", "threads": 2, "cpu": {"brand_raw": "Some CPU"}, "devices": {"cpu": "AVX2"}}
    rows = list(rows)
    return benches.Bench(
        {"benchmarks": rows, "machine_info": machine, "datetime": "2026-01-02T03:04:05", "findings": list(findings)}
    )


FLOOR = {
    **dict.fromkeys(
        ("claim", "found"), "MLP, inference: launches take the time up to a batch of 4; beyond, samples do"
    ),
    "group": "inference, model MLP on cpu",
    **{"floor": 4, "low": 4, "high": 4, "flat": 2, "reached": True, "verdict": "holds here"},
}
KNEE = {
    **dict.fromkeys(
        ("claim", "found"),
        "MLP, inference: doubling the batch stops to pay at 4: the samples a second grow by less beyond",
    ),
    "group": "inference, model MLP on cpu",
    **{"knee": 4, "low": 4, "high": 4, "gain": 1.25, "reached": True, "verdict": "holds here"},
}


def everything():
    found = [finding("one takes less than another", "array to tensor on -", 0.5), KNEE, FLOOR]
    return a_bench([*conversion(), *stability(20), *batch_size(), *alignment(), *limited()], found)


def drawn(bench, folder):
    return {path.name: path.read_text(encoding="utf-8") for path in measured.draw(bench, folder)}


def title_of(text):
    return ElementTree.fromstring(text).find(f"{SVG}title").text


def words_of(text):
    return ElementTree.fromstring(text).find(f"{SVG}desc").text


def test_every_kind_of_picture_is_drawn_with_a_title_and_words(tmp_path):
    found = drawn(everything(), tmp_path)

    assert sorted(found) == [f"{kind}-cpu.svg" for kind in sorted(measured.KINDS)]
    for text in found.values():
        root = ElementTree.fromstring(text)
        assert root.get("role") == "img"
        labels = root.get("aria-labelledby").split()
        assert [root.find(f"{SVG}{tag}").get("id") for tag in ("title", "desc")] == labels
        assert "cpu: Some CPU, AVX2 · torch 2.13.0 · threads: 2 · 2026-01-02" in "".join(root.itertext())


def test_the_same_numbers_give_the_same_bytes(tmp_path):
    assert drawn(everything(), tmp_path / "one") == drawn(everything(), tmp_path / "two")


def test_what_a_claim_holds_is_text_and_no_markup(tmp_path):
    claim = '<script>alert(1)</script> & "so" $x_1$ \\frac'
    bench = a_bench(conversion(), [finding(claim, "array to tensor on -", 0.5)])

    text = drawn(bench, tmp_path)["findings-cpu.svg"]

    assert "<script" not in text
    assert claim in words_of(text)
    shown = "".join("".join(text.itertext()) for text in ElementTree.fromstring(text).iter(f"{SVG}text"))
    assert "<script>alert(1)</script>" in shown
    assert "$x_1$" in shown


def test_a_claim_that_looks_like_a_style_or_a_link_stays_as_it_is_on_the_page():
    claim = 'fill: #ffffff; font-family: \'DejaVu Sans\', <g id="x"> url(#x) href="#x"'
    bench = a_bench(conversion(), [finding(claim, "array to tensor on -", 0.5)])

    part = ElementTree.fromstring(parts(bench)["findings-cpu"])

    assert claim in part.find("desc").text
    assert claim in " ".join(text.text for text in part.iter("text"))


@pytest.mark.filterwarnings("ignore:Glyph")  # nor has a font a letter for it
def test_a_character_that_xml_cannot_write_is_left_out(tmp_path):
    bench = a_bench(conversion(), [finding("a bell\x07 and an end\uffff", "array to tensor on -", 0.5)])

    text = drawn(bench, tmp_path)["findings-cpu.svg"]

    assert "a bell and an end (claimed" in words_of(text)


def test_colours_in_a_file_are_those_of_the_palette_and_on_the_page_those_of_its_style(tmp_path):
    style = (ROOT / "torchnotes" / "page" / "style.css").read_text(encoding="utf-8")

    for text in drawn(everything(), tmp_path).values():
        assert set(COLOUR.findall(text)) <= palette.ON_THE_PAGE.keys()
    for text in parts(everything()).values():
        assert not COLOUR.findall(text)
        for name in re.findall(r"var\((--[^)]*)\)", text):
            assert f"  {name}: " in style


def test_a_part_of_the_page_has_no_size_no_font_no_rule_and_no_identifier_of_another(tmp_path):
    for name, text in parts(everything()).items():
        root = ElementTree.fromstring(text)
        assert root.tag == "svg"
        assert not {"width", "height", "version"} & {*root.keys()}
        assert not list(root.iter("style"))
        assert all(group.attrib for group in root.iter("g"))
        assert "DejaVu" not in text
        identifiers = [element.get("id") for element in root.iter() if element.get("id")]
        assert len(identifiers) == len(set(identifiers))
        assert all(identifier.startswith(f"{name}-") for identifier in identifiers)
        used = re.findall(r'(?:url\(|href=")#([^)"]+)', text)
        assert {*used, f"{name}-title", f"{name}-words"} == set(identifiers)


def test_a_font_in_one_piece_as_matplotlib_3_7_writes_it_is_taken_apart():
    root = ElementTree.fromstring(
        '<svg width="1" height="1">'
        "<text style=\"font: 700 9px 'DejaVu Sans', sans-serif; fill: #1b1b1b\">a</text>"
        "<text style=\"font: 9px 'DejaVu Sans Mono', monospace\">b</text></svg>"
    )

    plain, code = (text.get("style") for text in ElementTree.fromstring(svg.as_part(root)))

    assert plain == "fill: var(--ink); font-size: 9px; font-weight: 700"
    assert code == "font-size: 9px; font-family: var(--mono)"


def test_a_path_is_shortened_to_what_can_be_seen():
    path = "M 1.04 2.06 \nL 3.04 2.06 \nL 3.04 5.5 \nL 4 6.123 \nQ 1 2 3 4 \nz\n"

    assert svg._path(path, 1) == "M1 2.1H3V5.5L4 6.1Q1 2 3 4z"


def parts(bench):
    return {name: picture.part(name) for name, picture in measured.drawn(bench)}


COLOUR = re.compile(r"#[0-9a-fA-F]{3,8}\b|\bwhite\b|\bblack\b")


def crowded():
    """Knees, ends of lines and dtypes close to each other, and numbers that are long, as a GPU may give them."""
    rows, found = [], []
    for test in ("inference", "training"):
        for place, model in enumerate(("MLP", "CNN", "transformer", "LSTM")):
            group = f"{test}, model {model}"
            for size in (2**power for power in range(23)):
                seconds = 1e-5 * max(1, size / 4096) * (1 + place / 50)
                rows.append(row(test, group, seconds, "cuda", entry=size, model=model))
            knee = {"group": f"{group} on cuda", "knee": 4096, "low": 2048, "high": 4096}
            found.append({**KNEE, **knee, "claim": f"{model}, {test}: it stops to pay at 4,096"})
            found.append({**FLOOR, "group": f"{group} on cuda", "floor": 2048, "low": 2048})
    for way, seconds in (("from_numpy", 1e-6), ("as_tensor", 1.02e-6), ("tensor", 1.04e-6)):
        for size in (2**4, 2**12, 2**30):
            rows.append(row("array_to_tensor", "array to tensor", seconds, entry=size, convert=way))
    for width in range(248, 265):
        rows.append(row("matrix_product_by_width", "by width", 1.2345e-4, "cuda", entry=width, dtype="torch.bfloat16"))
    for test in ("matrix_product", "training_step"):
        for dtype in ("float64", "float32", "TF32", "float16", "bfloat16", "float8_e4m3fn"):
            for k in (33, 125, 1025):
                for entry, times in (("8k-1", 5.4321), ("8k", 1), ("8k+1", 5.4322)):
                    rows.append(row(test, f"{test} {dtype} {k}", 1e-5 * times, "cuda", entry=entry, dtype=dtype, k=k))
    for place, dtype in enumerate(("float32", "TF32", "float16", "bfloat16", "int8")):
        for name in ("product of many words by shape", "conversion", "sum of many", "convolution"):
            about = {"operations": 1e12, "bytes": 1e9, "limit_of": dtype, "share_of_limit": 0.99}
            most = {"operations_a_second_at_most": 10.0 ** (13 + place / 2), "bytes_a_second_at_most": 1e12}
            rows.append(row(f"{name} {dtype}", f"{name} {dtype}", 0.01, "cuda", entry="it", **about, **most))
    for ratio in (1e-7, 1e-3, 0.05, 1, 1e7):
        claim = "a claim that takes several lines, with words of every length " * 3
        found.append(finding(claim, "array to tensor on cpu", ratio))
    return a_bench([*rows, *stability(20)], [*found, {**found[-1], "group": "array to tensor on cpu"}])


@pytest.mark.parametrize("bench", [everything, crowded])
def test_there_is_a_picture_of_every_kind_to_look_at(bench):
    assert {name.rpartition("-")[0] for name, _ in measured.drawn(bench())} == measured.KINDS.keys()


RECORDED = sorted((ROOT / "records").glob("bench*.json"))


@pytest.mark.parametrize("bench", [everything, crowded, *[lambda path=path: benches.read(path) for path in RECORDED]])
def test_no_text_lies_on_another_or_reaches_beyond_the_picture(bench):
    found = dict(measured.drawn(bench()))

    assert found
    assert {name: extents.misplaced(picture) for name, picture in found.items()} == {name: [] for name in found}


def test_texts_on_each_other_and_beyond_the_picture_are_seen():
    (name, picture), *_ = measured.drawn(a_bench(conversion()))
    picture.figure.text(0.3, 0.5, "one")
    picture.figure.text(0.31, 0.5, "another")
    picture.figure.text(0.99, 0.9, "too far to the right")

    assert extents.misplaced(picture) == [("one", "another"), "too far to the right"]


@pytest.mark.parametrize(("reached", "rings"), [(True, 2), (False, 0)])
def test_a_sweep_whose_knee_was_not_reached_has_no_ring(reached, rings):
    (_, picture), *_ = measured.drawn(a_bench(batch_size(), [{**KNEE, "low": 2, "reached": reached}]))

    for axes in picture.figure.axes:
        assert sum(line.get_markerfacecolor() == "none" for line in axes.get_lines()) == rings
        assert [text.get_text() for text in axes.texts] == ["4"] * reached


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (10, "10"),
        (1024, "1,024"),
        (1.05e6, "1.05 million"),
        (1e9, "1 billion"),
        (7.3e10, "73 billion"),
        (9.9e14, "990 trillion"),
    ],
)
def test_amounts_are_read_aloud(value, says):
    assert words.amount(value) == says


def test_a_picture_without_numbers_is_left_out(tmp_path):
    assert sorted(drawn(a_bench(stability(20)), tmp_path)) == ["stability-cpu.svg"]


def test_each_device_has_pictures_of_its_own(tmp_path):
    rows = [*conversion(), *batch_size()]
    rows += [row("inference", "inference, model MLP", 1e-3, "cuda:1", entry=size, model="MLP") for size in (1, 2)]
    on_gpu = {**KNEE, "group": "inference, model MLP on cuda:1", "knee": 2, "low": 2, "high": 2, "reached": False}

    found = drawn(a_bench(rows, [KNEE, on_gpu]), tmp_path)

    assert sorted(found) == ["batch-size-cpu.svg", "batch-size-cuda-1.svg", "conversion-cpu.svg"]
    assert title_of(found["batch-size-cuda-1.svg"]) == "Doubling the batch pays up to 2 or more samples on cuda:1"
    assert words_of(found["batch-size-cuda-1.svg"]).endswith("no knee was reached for certain up to 2.")


def test_the_findings_say_how_many_there_are_of_each_verdict(tmp_path):
    group = "array to tensor on -"
    verdicts = ["holds here", "holds here", "does not hold here", "inconclusive"]
    claims = [
        finding(f"claim {number}", group, 0.001 if number == 0 else 2, verdict=verdict)
        for number, verdict in enumerate(verdicts)
    ]

    text = drawn(a_bench(conversion(), claims), tmp_path)["findings-cpu.svg"]

    assert title_of(text) == "4 claims about cpu: 2 hold here, 1 do not, 1 are too close to call"
    assert "claim 2 (claimed: at most 1), 95 % interval 1.98 to 2.02: does not hold here." in words_of(text)
    assert "claim 0 (claimed: at most 1), 95 % interval 1/1,000 to 1/990: holds here." in words_of(text)


def test_the_knee_is_in_the_title_and_in_the_words(tmp_path):
    text = drawn(a_bench(batch_size(), [KNEE]), tmp_path)["batch-size-cpu.svg"]

    assert title_of(text) == "Doubling the batch pays up to 4 samples on cpu"
    assert "4 samples in 1 ms, 4,000 a second, 8 samples in 2 ms, 4,000 a second; the knee is at 4" in words_of(text)


def test_launches_are_a_bar_where_they_stop_to_take_the_time():
    (_, picture), *_ = measured.drawn(a_bench(batch_size(), [KNEE, FLOOR]))

    bars = [line for axes in picture.figure.axes for line in axes.get_lines() if line.get_marker() == "|"]
    assert [line.get_xdata()[0] for line in bars] == [4, 4]
    assert "the knee is at 4, between 4 and 4; launches take the time up to a batch of 4; beyond" in picture.words


def test_the_roofline_says_what_comes_closest_to_the_limit_and_what_stays_furthest_from_it(tmp_path):
    text = drawn(a_bench(limited()), tmp_path)["roofline-cpu.svg"]

    assert title_of(text) == (
        "The closest to what cpu can do at most: product by shape, 80 %; "
        "the furthest from it: sum of many, 50 % at best"
    )
    assert words_of(text) == (
        "limits of product_by_shape on cpu, aligned: 20 operations a byte, 8 billion operations a second, 80 % of the "
        "limit for float16. "
        "limits of product_by_shape on cpu, all - 1: 20 operations a byte, 4 billion operations a second, 40 % of the "
        "limit for float16. "
        "limits of sum_of_many on cpu, torch: 0.25 operations a byte, 125 million operations a second, 50 % of the "
        "limit for float32."
    )


def test_the_roof_is_what_bytes_allow_and_then_what_arithmetic_does():
    (_, picture), *_ = measured.drawn(a_bench(limited()))

    slope, peak = picture.figure.axes[0].get_lines()[0].get_xydata()[:2]
    assert (slope[1], peak.tolist()) == (pytest.approx(slope[0] * 1e9), [10, 1e10])


def test_one_benchmark_alone_is_the_closest_and_nothing_is_the_furthest(tmp_path):
    text = drawn(a_bench(list(limited())[:1]), tmp_path)["roofline-cpu.svg"]

    assert title_of(text) == "The closest to what cpu can do at most: product by shape, 80 %"


def test_a_share_is_a_percentage_in_the_picture_of_findings(tmp_path):
    share = finding("a sum reaches at least half", "array to tensor on -", 0.4, unit="share")

    text = drawn(a_bench(conversion(), [share]), tmp_path)["findings-cpu.svg"]

    assert "95 % interval 40 % to 40 %" in words_of(text)


@pytest.mark.parametrize(
    ("eight", "says"), [(1, "takes 2 times as long"), (2, "takes as long"), (4, "takes 0.5 times as long")]
)
def test_the_alignment_is_that_of_the_neighbours_of_multiples_of_eight(tmp_path, eight, says):
    text = drawn(a_bench(alignment(eight)), tmp_path)["alignment-cpu.svg"]

    assert title_of(text).startswith(f"A width next to a multiple of 8 {says} on cpu in bfloat16")


def test_what_grows_and_what_does_not_is_in_the_title_of_the_conversion(tmp_path):
    text = drawn(a_bench(conversion()), tmp_path)["conversion-cpu.svg"]

    assert title_of(text) == (
        "1.05 million numbers instead of 16 take from_numpy as long, for it copies none, "
        "and torch.tensor 66,000 times as long"
    )


@pytest.mark.parametrize(("lost_from", "says"), [(20, "from a logit of 20 for target 0 on"), (99, "at every logit")])
def test_the_title_of_the_losses_says_from_where_the_gradient_is_lost(tmp_path, lost_from, says):
    text = drawn(a_bench(stability(lost_from)), tmp_path)["stability-cpu.svg"]

    assert says in title_of(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "cannot be read"),
        ("{", "is not whole JSON"),
        ("[1, 2]", "is not what pytest-benchmark writes; make one with: nox -s bench"),
        ('{"benchmarks": []}', "there are no benchmarks in it"),
        (json.dumps({"benchmarks": [{}], "machine_info": {}, "datetime": ""}), r"\$\.benchmarks\[0\]: .*required"),
        (
            json.dumps(everything().document | {"findings": [finding("a", "b", 1, verdict="perhaps")]}),
            r"\$\.findings\[0\]\.verdict: 'perhaps' is not one of",
        ),
        (
            json.dumps(everything().document | {"findings": [finding("a", "b", -1)]}),
            r"\$\.findings\[0\]",
        ),
    ],
)
def test_a_file_that_is_no_run_of_the_benchmarks_is_refused_by_name(tmp_path, text, reason):
    path = tmp_path / "bench.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")

    with pytest.raises(reader.BadRecord, match=f"^{re.escape(str(path))}: .*{reason}"):
        benches.read(path)


def hostile(change):
    document = json.loads(json.dumps(everything().document))
    change(document)
    return document


def entries(document, name):
    return [entry for entry in document["benchmarks"] if name in entry["fullname"]]


UNUSABLE = {
    "a time that is negative": lambda d: d["benchmarks"][0]["stats"].update(median=-1.0),
    "a time of nothing": lambda d: d["benchmarks"][0]["stats"].update(median=0),
    "a time without end": lambda d: d["benchmarks"][0]["stats"].update(median=float("inf")),
    "a number beyond a float": lambda d: d["benchmarks"][0]["stats"].update(data=[10**400]),
    "operations that are none": lambda d: entries(d, "sum_of_many")[0]["extra_info"].update(operations=-1),
    "a limit of nothing": lambda d: entries(d, "sum_of_many")[0]["extra_info"].update(bytes_a_second_at_most=0),
    "a limit that is not said": lambda d: entries(d, "sum_of_many")[0]["extra_info"].pop("limit_of"),
    "a ratio that is none": lambda d: d["findings"][0].update(ratio=float("nan")),
    "a ratio outside its interval": lambda d: d["findings"][0].update(low=0.9, high=0.95),
    "a ratio that is claimed twice": lambda d: d["findings"][0].update(at_least=1),
    "a ratio that is not claimed": lambda d: d["findings"][0].pop("at_most"),
    "a finding of an unknown group": lambda d: d["findings"][0].update(group="another"),
    "a device that leads elsewhere": lambda d: d["benchmarks"][0]["extra_info"].update(device="../x"),
    "no device": lambda d: d["benchmarks"][0]["extra_info"].update(device=None),
    "parameters that are none": lambda d: d["benchmarks"][0].update(params=1),
    "a name that is none": lambda d: d["benchmarks"][0].update(fullname=1),
    "a description that is none": lambda d: d["machine_info"]["devices"].update(cpu=[]),
    "half a character": lambda d: d["findings"][0].update(claim="half \ud800"),
    "a size that is none": lambda d: entries(d, "array_to")[0]["extra_info"].update(entry=None),
    "a knee at no size": lambda d: d["findings"][1].update(knee=3, low=3, high=4),
    "a floor at no size": lambda d: d["findings"][2].update(floor=3, low=3),
    "a floor outside its interval": lambda d: d["findings"][2].update(high=2),
    "launches of nobody": lambda d: d["findings"][0].update(launches=[1]),
    "a unit that is none": lambda d: d["findings"][0].update(unit="furlong"),
    "a race of one": lambda d: d["benchmarks"].remove(entries(d, "training_step")[1]),
    "rounds of one only": lambda d: entries(d, "training_step")[0]["stats"]["data"].pop(),
    "curves of two lengths": lambda d: entries(d, "far_from")[0]["extra_info"]["values"].pop(),
}


@pytest.mark.parametrize("change", UNUSABLE.values(), ids=UNUSABLE)
def test_what_no_run_of_the_benchmarks_can_have_left_is_refused_by_name(tmp_path, change):
    path = tmp_path / "bench.json"
    path.write_text(json.dumps(hostile(change)), encoding="utf-8")

    with pytest.raises(reader.BadRecord, match=f"^{re.escape(str(path))}: ") as refusal:
        list(measured.draw(benches.read(path), tmp_path / "drawn"))

    assert "\n" not in str(refusal.value)
    assert not list(tmp_path.glob("**/*.svg"))


def command_line(*arguments):
    command = [sys.executable, "-m", "torchnotes", "pictures", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8")


def test_the_command_line_names_the_file_and_the_reason(tmp_path):
    absent, taken = tmp_path / "absent.json", tmp_path / "taken"
    good = tmp_path / "bench.json"
    good.write_text(json.dumps(everything().document), encoding="utf-8")
    taken.write_text("", encoding="utf-8")

    for arguments, culprit in (((absent,), absent), ((good, "--out", taken), taken)):
        run = command_line(*arguments)
        assert run.returncode == 2
        assert run.stdout == ""
        assert run.stderr.startswith(f"python -m torchnotes: {culprit}: ")
        assert run.stderr.count("\n") == 1


def test_benchmarks_leave_what_the_pictures_are_drawn_of(tmp_path, monkeypatch):
    """The pictures look benchmarks up by name: two that are quick to run are drawn, the others are there at least."""
    for name in [name for name in os.environ if name.startswith("PYTEST_XDIST_")]:
        monkeypatch.delenv(name)  # in one process of several nothing is timed
    measured = tmp_path / "bench.json"
    pytest_here = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    chosen = ["tests/benchmarks/test_stability.py", "tests/benchmarks/test_conversion.py", "-k", "array_to or far_from"]
    subprocess.run([*pytest_here, *chosen, f"--benchmark-json={measured}"], cwd=ROOT, check=True, capture_output=True)
    listing = subprocess.run(
        [*pytest_here, "tests/benchmarks", "--collect-only"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout

    run = command_line(measured, "--out", tmp_path / "pictures")

    assert run.returncode == 0, run.stderr
    names = {Path(line).name for line in run.stdout.splitlines()}
    assert {"conversion-cpu.svg", "findings-cpu.svg", "stability-cpu.svg"} <= names
    assert "node" not in json.loads(measured.read_text(encoding="utf-8"))["machine_info"]
    for name in ("test_matrix_product_by_width", "test_matrix_product[", "test_training_step[", "test_inference["):
        assert name in listing


def test_a_backend_that_is_not_installed_does_not_matter(tmp_path):
    environment = {**os.environ, "MPLBACKEND": "module://no_such_backend"}
    command = [sys.executable, "-m", "torchnotes", "pictures", "records/bench.json", "--out", str(tmp_path)]

    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)

    assert (run.returncode, run.stderr) == (0, "")
