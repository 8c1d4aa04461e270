"""`python -m torchnotes upgrade`: which boundaries an upgrade crosses, and where some code uses what changes."""

import ast
import contextlib
import importlib
import itertools
import json
import re
import sys

import pytest
from packaging.version import Version

from tests.harness.upgrade.corpus import BEFORE, CORPUS
from torchnotes import __main__ as command_line, markers
from torchnotes.changes import annotations, boundaries, code, concerns, upgrade, uses
from torchnotes.record import reader

NOTES = command_line.ROOT / "tests" / "notes"
RECORDS = upgrade.recorded(command_line.ROOT / "records")
OF_THE_NOTES = boundaries.read(NOTES)
CONCERNS = sorted({each.text for boundary in OF_THE_NOTES for each in boundary.concerns})


def found(text, lines, *, gone=False):
    """How certainly a piece of code is what a concern is about."""
    concern = concerns.read(text)
    matches = [concerns.match(concern, use, gone=gone) for use in uses.uses(ast.parse(lines))]
    return next((each for each in (concerns.CERTAIN, concerns.POSSIBLE) if each in matches), None)


# What the boundaries of the notes are about.


@pytest.mark.parametrize("text", CONCERNS)
def test_every_concern_has_code_that_is_found_and_a_near_miss_that_is_not(text):
    assert text in CORPUS, f'add to tests/harness/upgrade/corpus.py: {text!r}: ("code it is about", "near miss"),'
    about, near_miss = CORPUS[text]

    assert found(text, BEFORE + about)
    assert not found(text, BEFORE + near_miss)


def test_the_corpus_has_nothing_else():
    assert set(CORPUS) <= set(CONCERNS)


@pytest.mark.parametrize("boundary", OF_THE_NOTES, ids=lambda boundary: boundary.name)
def test_every_boundary_says_what_it_is_about(boundary):
    assert boundary.stated or boundary.concerns, (
        f"{boundary.note}: no name in backticks of the claim is used in its body: write concerns= in its `holds` "
        "marker, as torchnotes/changes/concerns.py describes, or concerns=() if no name in code shows it"
    )
    if boundary.stated:
        texts = [each.text for each in boundary.concerns]
        assert texts != [each.text for each in boundary.derived] or not texts, "its claim says so already: leave it out"


def looked_up(name):
    """What the packages that are installed here have under a name. Raises `AttributeError` where it is nothing."""
    package, *rest = name.split(".")
    value = importlib.import_module(package)
    for part in rest:
        if not hasattr(value, part):
            with contextlib.suppress(ImportError):
                importlib.import_module(f"{getattr(value, '__name__', '')}.{part}")
        value = getattr(value, part)
    return value


def exists(name):
    try:
        looked_up(name)
    except AttributeError:
        return False
    return True


@pytest.mark.parametrize("boundary", OF_THE_NOTES, ids=lambda boundary: boundary.name)
def test_every_concern_names_what_some_release_has(boundary):
    """The installed one, or those in which the note ran: its own body has the name."""
    source = (NOTES / boundary.note.partition("::")[0].rpartition("/")[2]).read_text(encoding="utf-8")
    for concern in boundary.concerns:
        last = concern.name.rpartition(".")[2]
        assert concern.name.startswith("$") or exists(concern.name) or re.search(rf"\b{last}\b", source), concern.name


def test_aliases_are_the_same_thing():
    for one, other in concerns.ALIASES.items():
        if exists(one):
            value = looked_up(one)
            assert value is looked_up(other) or f"Alias of :func:`{other}`" in value.__doc__


@pytest.mark.parametrize(
    "text", ["torch load", "torch.load(weights_only", "3", "torch.load(f(x))", "torch.load on for"]
)
def test_what_is_no_concern_is_refused(text):
    with pytest.raises(concerns.Misunderstood, match=re.escape(repr(text))):
        concerns.read(text)


@pytest.mark.parametrize(
    ("text", "said"),
    {
        "torch.load(not weights_only)": "torch.load without weights_only",
        "torch.optim.SGD(fused=True)": "torch.optim.SGD with fused=True",
        "torch.cross(_, not dim)": "torch.cross with an argument without dim",
        "torch.no_grad() on class": "@torch.no_grad() above a class",
        "torch.no_grad on def": "@torch.no_grad above a function",
        "class torch.utils.data.Subset(__getitem__)": "a class derived from torch.utils.data.Subset with __getitem__",
        "isinstance(_, torch.optim.Adam)?": "isinstance(..., torch.optim.Adam)",
        "torch.cat except RuntimeError": "torch.cat in a try that handles RuntimeError",
        "torch.cat except OSError not KeyError": "torch.cat in a try that handles OSError and not KeyError",
        "torch.Generator()": "torch.Generator without arguments",
        "torch.Generator(...)": "torch.Generator",
        "torch.rand(dtype=torch.half)": "torch.rand with dtype=torch.half",
        "$TQDM_DISABLE": "TQDM_DISABLE",
    }.items(),
)
def test_a_concern_in_words(text, said):
    assert concerns.read(text).said == said


def test_a_marker_takes_concerns_and_a_record_keeps_them():
    one = markers.Holds.of("torch>=2.6", otherwise=TypeError, change="raises", concerns="torch.load")
    none = markers.Holds.of("torch>=2.6", otherwise=TypeError, change="raises", concerns=())
    derived = markers.Holds.of("torch>=2.6", otherwise=TypeError, change="raises")

    assert [each.concerns for each in (one, none, derived)] == [("torch.load",), (), None]
    assert [markers.from_data(each.as_data()).concerns for each in (one, none, derived)] == [("torch.load",), (), None]
    with pytest.raises(markers.Misused, match="concerns takes texts"):
        markers.Holds.of("torch>=2.6", otherwise=TypeError, concerns=(3,))


# How names in code are found.


@pytest.mark.parametrize(
    ("text", "lines", "how"),
    [
        ("torch.load", "import torch as t; t.load(x)", "certain"),
        ("torch.load", "from torch import load as l; l(x)", "certain"),
        ("torch.load", "from torch import load", None),
        ("torch.load", "import torch; read = torch.load; read(x)", "certain"),
        ("torch.load", "def f():\n    import torch\n    return torch.load(x)", "certain"),
        ("torch.load", "from . import torch; torch.load(x)", None),
        ("torch.load", "from .torch import load; load(x)", None),
        ("torch.load", "import torch\ndef f(torch):\n    return torch.load(x)", None),
        (
            "torch.load",
            "import torch\nclass A:\n    torch = 3\n    def f(self):\n        return torch.load(x)",
            "certain",
        ),
        ("torch.load", "import torch\ndef f(x: torch.load): ...", None),
        ("torch.load(not weights_only)", "import torch; torch.load(x, **options)", "possible"),
        ("torch.load(not weights_only)", "import torch; read = dict(load=torch.load)", "possible"),
        ("torch.load(not weights_only)", "import torch; torch.load", "possible"),
        ("torch.load(weights_only=True)", "import torch; torch.load(x, weights_only=safe)", "possible"),
        ("torch.load(mmap)", "import torch; torch.load(x, **options)", None),
        ("torch.load(mmap)", "import torch; read = dict(load=torch.load)", None),
        ("torch.cuda.amp.GradScaler", "import torch.cuda.amp; torch.cuda.amp.GradScaler()", "certain"),
        (
            "torch.cuda.amp.GradScaler",
            "try:\n    from torch.amp import GradScaler\nexcept ImportError:\n"
            "    from torch.cuda.amp import GradScaler\nGradScaler()",
            None,
        ),
        ("torch.load", 'import torch\nif torch.__version__ < "2.6":\n    torch.load(x)', "possible"),
        ("torch.load", 'import torch\ny = torch.load(x) if hasattr(torch, "load") else 3', "possible"),
        ("torch.load", "import torch\ntry:\n    torch.load(x)\nexcept AttributeError:\n    pass", "possible"),
        ("torch.load", "import torch\ntry:\n    torch.load(x)\nexcept OSError:\n    pass", "certain"),
        ("torch.Tensor.clamp", "def f(x):\n    return x.clamp(0)", "possible"),
        ("torch.Tensor.clamp", "import torch\ndef f(x: torch.Tensor):\n    return x.clamp(0)", "certain"),
        ("torch.Tensor.clamp", "import torch\ndef f(x: 'torch.Tensor | None'):\n    return x.clamp(0)", "certain"),
        ("torch.Tensor.clamp", "import torch\nx = torch.ones(3)\nx = x.relu()\n(x + 1)[0].clamp_(0)", "certain"),
        ("torch.Tensor.clamp", "import numpy as np\nx = np.ones(3)\nx.clamp(0)", None),
        ("torch.Tensor.clamp", "x = [1]\nx.clamp(0)", None),
        ("torch.Tensor.std", "def f(x):\n    return x.std()", None),
        ("torch.Tensor.std", "import torch\ntorch.ones(3).std()", "certain"),
        (
            "torch.Tensor.clamp",
            "from torch import nn\nclass A(nn.Module):\n    def __init__(self):\n        self.a = nn.Linear(3, 3)\n"
            "    def forward(self, x):\n        return self.a(x).clamp(0)",
            "certain",
        ),
        ("torch.Tensor.clamp", "class A:\n    def clamp(self): ...\n    def f(self):\n        self.clamp(0)", None),
        (
            "torch.nn.Module.load_state_dict",
            "from torch import nn\nclass A(nn.Module): ...\nclass B(A): ...\nB().load_state_dict(x)",
            "certain",
        ),
        ("torch.nn.Module.load_state_dict", "def f(optimizer):\n    optimizer.load_state_dict(x)", None),
        ("torch.optim.Optimizer.load_state_dict", "def f(optimizer):\n    optimizer.load_state_dict(x)", "possible"),
        (
            "torch.optim.Optimizer.load_state_dict",
            "from torch import optim\na = optim.SGD(x)\na.load_state_dict(x)",
            "certain",
        ),
        ("torch.Tensor.atan2(_)", "import torch; torch.atan2(a, b)", "certain"),
        ("torch.Tensor.atan2(_)", "import torch; torch.atan2(a, b, c)", None),
        ("torch.cat", "import torch; torch.concat(a)", "certain"),
        ("torch.cat?", "import torch; torch.cat(a)", "possible"),
        ("torch.Tensor.clamp", "class A: ...\nA().clamp(0)", None),
        ("torch.load(...)", "import torch; isinstance(x, torch.load)", None),
        ("torch.load(...)", "from typing import cast\nimport torch; cast(torch.load, x)", None),
        ("torch.nn.Buffer(...)", "from typing import Union\nfrom torch import nn\nA = Union[nn.Buffer, int]", None),
    ],
)
def test_names_are_followed(text, lines, how):
    assert found(text, lines) == how


def test_an_import_and_a_type_count_where_the_name_is_gone():
    for text in ("from torch import qr", "import torch\ndef f(x: torch.qr): ..."):
        assert (found("torch.qr", text, gone=True), found("torch.qr", text)) == ("certain", None)


def test_a_name_is_where_it_is_written_and_not_where_its_chain_begins():
    (use,) = (
        use for use in uses.uses(ast.parse("def f(x):\n    (x\n     .relu()\n     .clamp(0))")) if use.name == ".clamp"
    )

    assert (use.line, use.column) == (4, 5)


# Which boundaries are crossed.


def a_note(name, *requirements, claim="Something is so.", change="raises", concern="torch.load"):
    marks = "\n".join(
        f"@pytest.mark.holds({each!r}, otherwise=TypeError, change={change!r}, concerns={concern!r})"
        for each in requirements
    )
    return f'{marks}\ndef test_{name}():\n    """{claim}\n\n    Write something else.\n    """\n'


def crossed(tmp_path, before, after, *requirements, others=(), **said):
    (tmp_path / "test_01_it.py").write_text(f"import pytest\n{a_note('it', *requirements, **said)}", encoding="utf-8")
    spans = [upgrade.span(before, after, RECORDS), *map(upgrade.other_span, others)]
    return upgrade.crossings(boundaries.read(tmp_path), spans)


@pytest.mark.parametrize(
    ("before", "after", "requirement", "release", "change"),
    [
        ("2.5", "2.6", "torch>=2.6", "2.6", "stops"),
        ("2.5", "2.15", "torch>=2.6", "2.6", "stops"),
        ("2.6", "2.15", "torch>=2.6", None, None),
        ("2.0", "2.5", "torch>=2.6", None, None),
        ("2.3", "2.15", "torch<2.4", "2.4", "stops"),
        ("2.3", "2.5", "torch>=2.4,<2.9", "2.4", "stops"),
        ("2.5", "2.15", "torch>=2.4,<2.9", "2.9", "new"),
        ("2.3", "2.15", "torch>=2.4,<2.9", None, None),
        ("2.9", "2.10", "torch!=2.10.*", "2.10", "new"),
        ("2.10", "2.15", "torch!=2.10.*", "2.11", "stops"),
        ("2.9", "2.15", "torch!=2.10.*", None, None),
        ("2.5", "2.15", "torch>=2.7.1", "2.7.1", "stops"),
        ("2.5", "2.15", "numpy>=2", None, None),
    ],
)
def test_a_boundary_is_crossed_between_its_two_sides(tmp_path, before, after, requirement, release, change):
    found = crossed(tmp_path, before, after, requirement)

    assert [(each.release, each.change) for each in found] == ([(release, change)] if release else [])


def test_stacked_boundaries_of_one_package_are_one_and_of_another_a_condition(tmp_path):
    assert not crossed(tmp_path, "2.3", "2.15", "torch>=2.4", "torch<2.9")
    (found,) = crossed(tmp_path, "2.3", "2.15", "torch>=2.4", "numpy>=2.1")
    assert (found.release, found.condition) == ("2.4", "with numpy >=2.1")


def test_an_environment_marker_is_a_condition(tmp_path):
    found = crossed(
        tmp_path, "2.0", "2.15", 'torch>=2.2; sys_platform == "win32"', 'torch>=2.4; python_version >= "3.12"'
    )

    assert [(each.release, each.condition) for each in found] == [
        ("2.2", "on Windows"),
        ("2.4", "with Python 3.12 or newer"),
    ]


def test_another_package_is_crossed_where_it_is_said(tmp_path):
    (found,) = crossed(tmp_path, "2.5", "2.6", "numpy>=2.1", others=["numpy=1.26:2.4"])

    assert (found.package, found.release, found.sentence) == ("numpy", "2.1", "From 2.1 on: Something is so.")


@pytest.mark.parametrize(
    ("requirement", "claim", "sentence"),
    [
        ("torch>=2.6", "It raises.", "From 2.6 on: It raises."),
        ("torch<2.6", "It is silent.", "Until 2.5: It is silent."),
        ("torch>=2.6", "From torch 2.6 on it raises.", "From torch 2.6 on it raises."),
        ("torch<2.6", "Up to torch 2.5 it is silent.", "Up to torch 2.5 it is silent."),
        ("torch>=2.6", "It takes 12.6 numbers.", "From 2.6 on: It takes 12.6 numbers."),
    ],
)
def test_a_sentence_says_when_it_is_true(tmp_path, requirement, claim, sentence):
    (found,) = crossed(tmp_path, "2.3", "2.15", requirement, claim=claim)

    assert found.sentence == sentence


def test_the_gravest_comes_first_and_then_the_earliest(tmp_path):
    notes = [
        a_note("new", "torch>=2.1", change="new"),
        a_note("warns", "torch>=2.2", change="warns"),
        a_note("result", "torch>=2.3", change="result"),
        a_note("gone", "torch>=2.9", change="gone"),
        a_note("raises", "torch>=2.10", change="raises"),
    ]
    (tmp_path / "test_01_it.py").write_text("import pytest\n" + "\n".join(notes), encoding="utf-8")

    found = upgrade.crossings(boundaries.read(tmp_path), [upgrade.span("2.0", "2.15", RECORDS)])

    assert [each.boundary.name for each in found] == [
        "test_gone",
        "test_raises",
        "test_result",
        "test_warns",
        "test_new",
    ]


def test_the_records_say_the_same():
    """Of every pair of neighbouring releases: where both records checked a note, it turned just where it is crossed."""
    releases = list(RECORDS)
    read = {each: reader.read(RECORDS[each]) for each in releases}
    checked = 0
    for before, after in itertools.pairwise(releases):
        for each in upgrade.crossings(OF_THE_NOTES, [upgrade.Span("torch", before, after, tuple(releases))]):
            one, other = upgrade.evidence(each, {"before": read[before], "after": read[after]}).values()
            if {one, other} <= {"held", "elsewhere"} and not each.condition and len(each.boundary.marks) == 1:
                assert (one == "held", other == "held") == (not each.begins, each.begins), each.boundary.note
                checked += 1
    assert checked > 100


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("2.5", "2.5.1", "both torch 2.5.1 here"),
        ("2.15", "2.5", "the way back; what an upgrade changes: upgrade 2.5 2.15"),
        ("2.5", "2.99", "no record of torch 2.99; there are records of torch 2.0.1, 2.1.2"),
        ("2", "2.15", "no record of torch 2;"),
        ("new", "2.15", "'new' is no release; there are records of torch 2.0.1"),
        ("2.16.0.dev1", "2.15", "no record of torch 2.16.0.dev1"),
    ],
)
def test_a_way_that_nobody_can_go_is_one_clear_line(before, after, says):
    with pytest.raises(upgrade.Unknown, match=re.escape(says)):
        upgrade.span(before, after, RECORDS)


def test_what_stands_for_a_release_without_a_record_is_said():
    way = upgrade.span("2.5.0", "2.7", RECORDS)

    assert (way.before, way.after) == (Version("2.5.1"), Version("2.7.1"))
    assert list(way.stand_ins) == ["there is no record of torch 2.5.0: 2.5.1 stands for it"]
    assert not list(upgrade.span("2.5.1+cu124", "2.7", RECORDS).stand_ins)


@pytest.mark.parametrize("text", ["numpy", "numpy=1.26", "numpy=2.4:1.26", "numpy=a:b"])
def test_another_package_is_said_in_one_way(text):
    with pytest.raises(upgrade.Unknown, match=r"write, for example, numpy=1\.26:2\.4"):
        upgrade.other_span(text)


# Code in files, folders and notebooks.


def sources(*paths):
    return list(code.read(paths))


def test_folders_are_walked_without_other_peoples_code(tmp_path):
    kept = ["a.py", "pkg/b.py", "pkg/c.ipynb"]
    left_out = [".git/d.py", "venv/e.py", "own/lib/f.py", "x/site-packages/g.py", "pkg/__pycache__/h.py", "i.txt"]
    for name in [*kept, *left_out]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text('{"cells": []}', encoding="utf-8")
    (tmp_path / "own" / "pyvenv.cfg").touch()

    assert [each.path for each in sources(tmp_path)] == [str(tmp_path / name) for name in kept]


def test_what_cannot_be_read_is_named_and_the_rest_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(code, "LARGEST", 60)
    files = {
        "a_python2.py": b"print 'hello'",
        "b_latin.py": b"# \xe9",
        "c_zero.py": b"\x00",
        "d_large.py": b"#" * 61,
        "e_deep.py": b"(" * 50 + b")",
        "f_good.py": b"import torch",
        "g_notebook.ipynb": b"[]",
        "h_mark.py": b"\xef\xbb\xbfimport torch",
        "i_escape.py": rb"'\d'",
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)

    found = [each if isinstance(each, str) else each.path for each in sources(tmp_path)]

    told = [each.removeprefix(f"{tmp_path}").lstrip("/\\") for each in found]
    assert told[0].startswith("a_python2.py: is not Python of this version (line 1:")
    assert told[1] == "b_latin.py: is no text in UTF-8"
    assert told[2].startswith("c_zero.py: is not Python")
    assert told[3] == "d_large.py: too large to be read (61 bytes)"
    assert told[4].startswith("e_deep.py: is not Python")
    assert told[6] == "g_notebook.ipynb: is no notebook of Jupyter's format 4"
    assert [told[5], *told[7:]] == ["f_good.py", "h_mark.py", "i_escape.py"]


def test_a_path_without_code_is_refused(tmp_path):
    for path, says in (
        (tmp_path / "none", "there is no such file or folder"),
        (tmp_path, "no Python file and no notebook"),
    ):
        with pytest.raises(code.NoCode, match=says):
            code.read([path])


def a_notebook(*cells):
    """A notebook as Jupyter writes it, of texts."""
    written = [
        {"cell_type": "markdown" if text.startswith("#md") else "code", "source": text.splitlines(keepends=True)}
        for text in cells
    ]
    return json.dumps({"cells": written, "nbformat": 4}, indent=1, ensure_ascii=False)


NOTEBOOK = a_notebook(
    "#md torch.load",
    "%matplotlib inline\n!pip install torch\nimport torch\nfiles = !ls\ntorch?\nif x:\n    %time x = torch.load('é')",
    "%%bash\nif then torch.load(",
    "this does not parse",
    "%%time\ntorch.load(path)",
)


def test_a_notebook_is_read_cell_by_cell(tmp_path):
    path = tmp_path / "a.ipynb"
    path.write_text(NOTEBOOK, encoding="utf-8")
    (tmp_path / "test_01_it.py").write_text(f"import pytest\n{a_note('it', 'torch>=2.6')}", encoding="utf-8")
    found = upgrade.crossings(boundaries.read(tmp_path), [upgrade.span("2.5", "2.6", RECORDS)])

    problems = upgrade.find(found, code.read([path]))

    assert [each.partition(": ")[2].partition(" (")[0] for each in problems] == [
        "cell 4: is not Python of this version"
    ]
    places = found[0].places
    assert [place.where for place in places] == [f"{path}: cell 2, line 7", f"{path}: cell 5, line 2"]
    lines = NOTEBOOK.split("\n")
    assert "torch.load('é')" in lines[places[0].line - 1]
    assert "torch.load(path)" in lines[places[1].line - 1]


# The command.


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Type a command beside some files: its exit code, what it printed and what it said on the side."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(boundaries, "read", lambda folder: OF_THE_NOTES)

    def typed(*arguments, **files):
        for name, text in files.items():
            (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
        monkeypatch.setattr(sys, "argv", ["torchnotes", "upgrade", *arguments])
        result = command_line.main()
        said = capsys.readouterr()
        return result, said.out, said.err

    return typed


TRAINS = """\
import torch
import torch.nn.functional as F
raise SystemExit("this code was run")
state = torch.load("model.pt")
with torch.cuda.amp.autocast():
    loss = F.cross_entropy(x, y.clamp(0, 1))
"""


def test_without_paths_everything_that_changes_is_said(run):
    result, out, err = run("2.5", "2.15")

    assert (result, err) == (1, "")
    heads = [line.partition(" (")[0] for line in out.splitlines() if line and not line.startswith(" ")]
    assert heads[:5] == ["torch 2.5.1 -> 2.15.0", *upgrade.HEADS.values()]
    assert "  torch 2.6  torch.load without weights_only\n    From torch 2.6 on `torch.load(path)` raises" in out
    assert "      records: 2.5.1 not true, 2.15.0 true\n" in out
    assert "AssertionError |" not in out
    assert "must fail" not in out


def test_with_paths_only_what_the_code_uses(run):
    result, out, err = run("2.3", "2.15", "train.py", train=TRAINS)

    assert (result, err) == (1, "")
    stops, warns, possible = (out.index(head) for head in ("stops:", "warns, or does so", "possibly computes"))
    assert stops < warns < possible
    assert "  torch 2.6  torch.load without weights_only\n    train.py:4: state = torch.load" in out
    assert (
        "  torch 2.4  torch.cuda.amp.autocast\n    train.py:5: with torch.cuda.amp.autocast():\n    From torch 2.4"
        in out
    )
    assert "  torch 2.14  torch.Tensor.clamp\n    train.py:6: loss = F.cross_entropy(x, y.clamp(0, 1))" in out
    assert "GradScaler with" not in out
    assert "BCELoss" not in out


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("import torch\ntorch.load(x)", 1),
        ("import torch\ntorch.load(x, weights_only=True)", 0),
        ("import torch\ntorch.cuda.amp.autocast()", 0),
        ("import torch\nx.clamp(0)", 0),
        ("import math", 0),
    ],
    ids=["stops", "nothing", "warns", "possible", "no torch"],
)
def test_the_exit_code_is_about_what_surely_stops_or_changes(run, text, result):
    assert run("2.3", "2.15", "a.py", a=text)[0] == result


def test_methods_in_code_without_torch_are_nobodys(run):
    _, out, _ = run("2.13", "2.15", "a.py", a="def f(x):\n    return x.clamp(0)")

    assert "0 of" in out
    assert "; 0 more may be" in out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["2.15", "2.5"], "python -m torchnotes: from torch 2.15.0 to 2.5.1 is the way back"),
        (["2.5", "2.6", "nowhere"], "python -m torchnotes: nowhere: there is no such file or folder"),
        (["2.5", "2.6", "--also", "numpy"], "python -m torchnotes: 'numpy': write, for example, numpy=1.26:2.4"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(run, arguments, says):
    result, out, err = run(*arguments)

    assert (result, out) == (2, "")
    assert err.startswith(says)
    assert err.count("\n") == 1


def test_a_file_that_is_not_python_is_named_on_the_side(run):
    result, out, err = run("2.5", "2.15", "a.py", "b.py", a="print 'hello'", b=TRAINS)

    assert result == 1
    assert err.startswith("not read: a.py: is not Python of this version (line 1:")
    assert "b.py:4" in out


def test_json_has_every_place(run):
    text = "import torch\n" + "torch.nn.Dropout()\n" * 30
    result, out, _ = run("2.6", "2.7", "a.py", "--json", a=text)

    report = json.loads(out)
    (dropout,) = (each for each in report["changes"] if each["note"].endswith("::test_dropout_masks_changed_in_2_7"))
    assert result == 1
    assert report["upgrades"] == [{"package": "torch", "before": "2.6.0", "after": "2.7.1", "stand_ins": []}]
    assert [place["line"] for place in dropout["places"]] == list(range(2, 32))
    assert dropout["places"][0] == {
        "file": "a.py",
        "line": 2,
        "column": 1,
        "cell": None,
        "code": "torch.nn.Dropout()",
        "about": "torch.nn.Dropout",
        "found": "certain",
    }
    assert (dropout["change"], dropout["release"], dropout["condition"]) == ("result", "2.7", "on x86_64 or on AMD64")
    assert dropout["records"] == {"2.6.0": "elsewhere", "2.7.1": "held"}


SHOWN = """\
import torch
from torch import nn
from torch.optim import SGD, lr_scheduler

model, x, y = nn.Linear(3, 1), torch.rand(8, 3), torch.rand(8, 1)
loss_function = nn.L1Loss()

state = torch.load("model.pt", map_location="cpu")
optimizer = SGD(model.parameters(), lr=0.1)
scheduler = lr_scheduler.StepLR(optimizer, 30, verbose=True)

for _ in range(90):
    optimizer.zero_grad()
    loss = loss_function(model(x).clamp(0, 1), y)
    loss.backward()
    optimizer.step()
    scheduler.step()
"""


def test_the_readme_shows_what_is_printed(run):
    text = (command_line.ROOT / "README.md").read_text(encoding="utf-8")
    _, _, after = text.partition("<!-- real output: upgrade ")
    prompt, *shown = after.partition("```console\n")[2].partition("\n```")[0].split("\n")

    _, out, _ = run(*prompt.split()[5:], train=SHOWN)

    assert [line for line in shown if line not in {*out.split("\n"), "..."}] == []


def test_many_places_are_listed_by_file(run):
    text = "import torch\n" + "torch.nn.Dropout()\n" * 30
    _, out, _ = run("2.6", "2.7", "a.py", a=text)

    assert f"    a.py:2, {', '.join(map(str, range(3, 15)))}" in out


def test_annotations_of_github_are_escaped(run):
    _, out, _ = run("2.3", "2.15", "train.py", "--github", train=TRAINS)

    lines = out.splitlines()
    assert all(
        re.match(r"::(error|warning|notice) file=train\.py,line=\d,col=\d+,title=torch 2\.\d+%3A ", line)
        for line in lines
    )
    assert lines[0].startswith(
        "::error file=train.py,line=4,col=9,title=torch 2.6%3A torch.load without weights_only::"
    )
    assert any(line.startswith("::warning file=train.py,line=5") for line in lines)
    assert any(line.startswith("::notice file=train.py,line=6") for line in lines)


def test_sarif_has_a_rule_for_each_note_and_a_result_for_each_place(run):
    result, out, _ = run("2.3", "2.15", "train.py", "--sarif", train=TRAINS)

    log = json.loads(out)
    (part,) = log["runs"]
    rules = part["tool"]["driver"]["rules"]
    assert (result, log["version"]) == (1, "2.1.0")
    assert len({rule["id"] for rule in rules}) == len(rules)
    for each in part["results"]:
        assert rules[each["ruleIndex"]]["id"] == each["ruleId"]
        (location,) = each["locations"]
        assert location["physicalLocation"]["artifactLocation"]["uri"] == "train.py"
    levels = {
        (each["locations"][0]["physicalLocation"]["region"]["startLine"], each["level"]) for each in part["results"]
    }
    assert {(4, "error"), (5, "warning"), (6, "note")} <= levels


def test_an_absolute_path_is_an_address_in_sarif(tmp_path):
    assert annotations._address(str(tmp_path / "a b.py")).startswith("file:///")
    assert annotations._address("a/b.py") == "a/b.py"
