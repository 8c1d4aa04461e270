"""The command line: `python -m torchnotes page RECORD...`, `compare A.json B.json`, `counts RECORD...`, and others."""

import argparse
import json
import os
import sys
from pathlib import Path

SAME, CHANGED, UNUSABLE = 0, 1, 2


def missing(error):
    print(
        f"python -m torchnotes: {error.name} is not installed; type: pip install -r torchnotes/requirements.txt",
        file=sys.stderr,
    )
    return UNUSABLE


try:
    from torchnotes.changes import compare, counts
    from torchnotes.record import reader
    from torchnotes.record.exercises import LEVELS, BadFolder
except ModuleNotFoundError as error:
    sys.exit(missing(error))


def arguments():
    parser = argparse.ArgumentParser(prog="python -m torchnotes", description="What runs of the notes found.")
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
    command.add_argument("--out", metavar="DIR", required=True, help="the folder for index.html")
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

    command = commands.add_parser("counts", help="how many claims held in each run, as a Markdown table")
    command.add_argument("records", nargs="+", metavar="RECORD", help="made with: pytest --record RECORD")
    command.set_defaults(run=run_counts)

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
    from torchnotes.drawing import explained, measured
    from torchnotes.page import build
    from torchnotes.reading import sources

    named = {os.path.realpath(path): path for path in [*options.records, *filter(None, [options.of])]}
    runs = {path: reader.read(path) for path in named.values()}
    bench = measured.read(options.bench) if options.bench else None
    newest = max(runs, key=lambda path: reader.moment(runs[path].document["made"]))
    of = named[os.path.realpath(options.of)] if options.of else newest
    columns = build.columns_of(runs.values())
    speaking = next(column for column in columns if column.record is runs[of])
    pictures = explained.of(runs[of], of)
    text = build.page(columns, speaking, sources.read(options.notes), bench, options.source or "", pictures)
    path = Path(options.out) / "index.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")
    return str(path), SAME


def run_compare(options):
    before, after = reader.read(options.before), reader.read(options.after)
    text = (
        json.dumps(compare.as_json(before, after), indent=1, ensure_ascii=False)
        if options.json
        else "\n".join(compare.as_text(before, after))
    )
    return text, CHANGED if compare.changes(before, after) else SAME


def run_counts(options):
    return "\n".join(counts.as_markdown([reader.read(path) for path in options.records])), SAME


def run_pictures(options):
    from torchnotes.drawing import measured  # here, because the other commands need not wait for the plotting library

    return "\n".join(map(str, measured.draw(measured.read(options.bench), options.out))), SAME


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
        text, code = options.run(options)
    except (reader.BadRecord, BadFolder) as error:
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
    return code


if __name__ == "__main__":
    sys.exit(main())
