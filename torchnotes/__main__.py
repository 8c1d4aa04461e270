"""The command line, and nothing else: `python -m torchnotes --help` lists the commands."""

import argparse
import json
import os
import sys
from pathlib import Path

SAME, CHANGED, UNUSABLE = 0, 1, 2
FOUND, NOTHING = 0, 1
ROOT = Path(__file__).resolve().parents[1]
"""Where the notes and their records lie, wherever the command is typed."""


EXAMPLES = """\
examples:
  python -m torchnotes upgrade 2.5 2.15 src
  python -m torchnotes explain "mat1 and mat2 shapes cannot be multiplied"
  python -m torchnotes compare records/torch-2.5.1.json made/here.json
  python -m torchnotes counts records/torch-*.json
  python -m torchnotes exercises --level easy
  python -m torchnotes page made/here.json --out site
  python -m torchnotes pictures records/bench.json
"""


def missing(error):
    print(
        f"python -m torchnotes: {error.name} is not installed; type: pip install -r torchnotes/requirements.txt",
        file=sys.stderr,
    )
    return UNUSABLE


try:
    from torchnotes.changes import annotations, boundaries, code, compare, counts, upgrade
    from torchnotes.record import reader
    from torchnotes.record.exercises import LEVELS
    from torchnotes.refusal import Refusal
except ModuleNotFoundError as error:
    sys.exit(missing(error))


def arguments():
    parser = argparse.ArgumentParser(
        prog="python -m torchnotes",
        description="What the notes know, without running them.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser(
        "page",
        help="one page of HTML with the notes and what became of them",
        description="One page of HTML, complete in itself. Exit code: 0 built, 2 a file cannot be used.",
    )
    command.add_argument("records", nargs="+", metavar="RECORD", help="made with: pytest --record RECORD")
    command.add_argument("--of", metavar="RECORD", help="the run the cards speak of (default: the newest)")
    command.add_argument("--bench", metavar="BENCH.json", help="what was measured, made with: nox -s bench")
    command.add_argument("--notes", metavar="DIR", default="tests/notes", help="their sources (default: %(default)s)")
    command.add_argument("--source", metavar="URL", type=an_address, help="where the sources can be read")
    command.add_argument("--out", metavar="DIR", required=True, help="the folder for index.html and behaviour.json")
    command.set_defaults(run=run_page)

    command = commands.add_parser(
        "compare",
        help="what changed between two runs in what one may believe",
        description="What changed between two runs. Exit code: 0 nothing, 1 something, 2 a record cannot be used.",
    )
    command.add_argument("before", metavar="A.json", help="a record, made with: pytest --record A.json")
    command.add_argument("after", metavar="B.json", help="another one")
    command.add_argument("--json", action="store_true", help="as JSON instead of text")
    command.set_defaults(run=run_compare)

    command = commands.add_parser(
        "upgrade",
        help="what an upgrade of torch changes, and where some code uses it",
        description="What changes between two releases of torch, gravest first; with paths, only what the code there "
        "uses, with file and line. The code is read, never imported or run. Exit code: 0 nothing stops or silently "
        "changes, 1 something does (with paths: something that is certain), 2 bad input.",
        epilog="example: python -m torchnotes upgrade 2.5 2.15 src",
    )
    command.add_argument("before", metavar="FROM", help="a release of torch, such as 2.5 (its newest) or 2.5.1")
    command.add_argument("after", metavar="TO", help="a later one")
    command.add_argument("paths", nargs="*", metavar="PATH", help="Python files, notebooks, or folders of them")
    command.add_argument(
        "--also", action="append", default=[], metavar="NAME=A:B", help="another package: numpy=1.26:2.4 (repeatable)"
    )
    shapes = command.add_mutually_exclusive_group()
    for name, what in {
        "json": "as JSON instead of text",
        "sarif": "as SARIF 2.1.0, for code scanning",
        "github": "as annotations of a pull request, in a workflow on GitHub",
    }.items():
        shapes.add_argument(f"--{name}", dest="shape", action="store_const", const=name, help=what)
    command.set_defaults(run=run_upgrade)

    command = commands.add_parser("counts", help="how many claims held in each run, as a Markdown table")
    command.add_argument("records", nargs="+", metavar="RECORD", help="made with: pytest --record RECORD")
    command.set_defaults(run=run_counts)

    command = commands.add_parser(
        "explain",
        help="the notes that settle an error: what it means, why, what to do",
        description="The notes that settle an error, a warning or a question, the closest first. Exit code: 0 found, "
        "1 nothing close enough, 2 there is no text, or a file cannot be used.",
        epilog='example: python -m torchnotes explain "mat1 and mat2 shapes cannot be multiplied (3x4 and 5x6)"',
    )
    command.add_argument(
        "text", nargs="*", metavar="TEXT", help="what the error says (default: a traceback on standard input)"
    )
    command.add_argument("--json", action="store_true", help="as JSON instead of text")
    command.set_defaults(run=run_explain)

    command = commands.add_parser(
        "pictures",
        help="what the benchmarks measured, as pictures",
        description="Pictures of what the benchmarks measured, as SVG. Exit code: 0 drawn, 2 the file cannot be used.",
    )
    command.add_argument("bench", metavar="BENCH.json", help="made with: nox -s bench")
    command.add_argument("--out", metavar="DIR", default="pictures", help="the folder for them (default: %(default)s)")
    command.set_defaults(run=run_pictures)

    command = commands.add_parser(
        "exercises",
        help="the notes with blanks to fill in, and a screen to do it at",
        description="The notes with blanks in them, as a folder of files that pytest checks. Written again, it keeps "
        "what was solved. `exercises watch` shows one after the other and checks each when its file is saved. "
        "Exit code: 0 done, 2 the folder or the notes cannot be used.",
        epilog="such as: python -m torchnotes exercises --section 3, and then: python -m torchnotes exercises watch",
    )
    command.add_argument("action", nargs="?", choices=["watch"], help="solve them one after the other at a screen")
    command.add_argument("--section", metavar="NUMBER", help="of this section alone, such as 3 or numpy")
    command.add_argument("--level", choices=LEVELS, help="of this level alone")
    command.add_argument("--out", metavar="DIR", default="exercises", help="the folder (default: %(default)s)")
    command.add_argument("--solutions", metavar="DIR", help="write them with the answers filled in, into this folder")
    command.add_argument("--notes", metavar="DIR", default="tests/notes", help="their sources (default: %(default)s)")
    command.set_defaults(run=run_exercises)
    return parser


def an_address(text):
    if not text.startswith("https://"):
        raise argparse.ArgumentTypeError(f"{text!r}: write an address that begins with https://")
    return text.rstrip("/")


def run_page(options):
    # Here, because the other commands neither draw nor fill templates.
    from torchnotes.drawing import explained
    from torchnotes.measuring import bench as benches
    from torchnotes.page import behaviour, model, render
    from torchnotes.reading import sources

    named = {os.path.realpath(path): path for path in [*options.records, *filter(None, [options.of])]}
    runs = {path: reader.read(path) for path in named.values()}
    bench = benches.read(options.bench) if options.bench else None
    newest = max(runs, key=lambda path: reader.moment(runs[path].document["made"]))
    of = named[os.path.realpath(options.of)] if options.of else newest
    columns = model.columns_of(runs.values())
    speaking = next(column for column in columns if column.record is runs[of])
    pictures = explained.of(runs[of], of)
    book = model.Book(columns, speaking, sources.read(options.notes))
    folder = Path(options.out)
    files = {
        "index.html": render.page(book, bench, options.source or "", pictures),
        "behaviour.json": behaviour.as_json(book),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")
    return str(folder / "index.html"), SAME


def run_compare(options):
    before, after = reader.read(options.before), reader.read(options.after)
    text = (
        json.dumps(compare.as_json(before, after), indent=1, ensure_ascii=False)
        if options.json
        else "\n".join(compare.as_text(before, after))
    )
    return text, CHANGED if compare.changes(before, after) else SAME


def run_upgrade(options):
    known = upgrade.recorded(ROOT / "records")
    spans = [upgrade.span(options.before, options.after, known), *map(upgrade.other_span, options.also)]
    crossed = upgrade.crossings(boundaries.read(ROOT / "tests" / "notes"), spans)
    records = {str(each): reader.read(known[each]) for each in (spans[0].before, spans[0].after)}
    problems = upgrade.find(crossed, code.read(options.paths)) if options.paths else []
    for each in problems:
        print(f"not read: {each}", file=sys.stderr)
    if options.shape == "github":
        text = "\n".join(annotations.as_github(crossed))
    elif options.shape:
        log = upgrade.as_json(spans, crossed, records, problems)
        log = annotations.as_sarif(crossed) if options.shape == "sarif" else log
        text = json.dumps(log, indent=1, ensure_ascii=False)
    else:
        text = "\n".join(upgrade.as_text(spans, crossed, records, bool(options.paths)))
    return text, CHANGED if upgrade.is_grave(crossed, bool(options.paths)) else SAME


def run_counts(options):
    return "\n".join(counts.as_markdown([reader.read(path) for path in options.records])), SAME


def run_explain(options):
    from torchnotes.answers import explain, texts  # here, because the other commands need not wait for them

    text = " ".join(options.text) or from_standard_input()
    closest = explain.Index(texts.read()).closest(text)
    said = (
        json.dumps(explain.as_json(closest), indent=1, ensure_ascii=False)
        if options.json
        else "\n".join(explain.as_text(closest))
    )
    return said, FOUND if explain.answers(closest) else NOTHING


def from_standard_input():
    """What is piped in; nothing where somebody sits at the keyboard, who would not know that the program waits."""
    return "" if sys.stdin.isatty() else sys.stdin.buffer.read().decode("utf-8", errors="replace")


def run_pictures(options):
    from torchnotes.drawing import measured  # here, because the other commands need not wait for the plotting library
    from torchnotes.measuring import bench as benches

    return "\n".join(map(str, measured.draw(benches.read(options.bench), options.out))), SAME


def run_exercises(options):
    from torchnotes.learn import folder  # here, because the other commands make none

    if options.action == "watch":
        from torchnotes.learn import watch

        return watch.run(options.out), SAME
    found = folder.chapters(options.notes, options.section)
    if options.solutions:
        return folder.write_solutions(options.solutions, found), SAME
    folder.write(options.out, found, options.level)
    return "\n".join(folder.summary(options.out, options.notes)), SAME


def main():
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(
            encoding="utf-8", errors="backslashreplace"
        )  # claims hold signs that a Windows console has no code for
    options = arguments().parse_args()
    try:
        text, result = options.run(options)
    except Refusal as error:
        print(f"python -m torchnotes: {error}", file=sys.stderr)
        return UNUSABLE
    except OSError as error:
        print(f"python -m torchnotes: {error.filename}: cannot be written ({error.strerror})", file=sys.stderr)
        return UNUSABLE
    except ModuleNotFoundError as error:
        return missing(error)
    try:
        print(text, flush=True)
    except BrokenPipeError:  # whoever reads has seen enough, as `head` has; Python would write the rest when it ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return result


if __name__ == "__main__":
    sys.exit(main())
