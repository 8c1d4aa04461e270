"""Refresh what the README shows of real runs: the counts of a run, the comparison, the table of releases.

    python tests/harness/readme.py

A line of a run that the README shows is replaced by the line of a new run that differs from it in its numbers alone.
What has no such line any more is named, with the exit code 1: choose another yourself.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
README = ROOT / "README.md"


def form(line):
    """A line without its numbers and without how wide it is."""
    return re.sub(r"\s+", " ", re.sub(r"\d[\d,.]*", "#", line)).strip("= ")


def refreshed(shown, printed):
    """The lines that are shown with the numbers of those that were printed, and those that have no like."""
    alike = {form(line): line for line in printed}
    lost = [line for line in shown if line.strip() not in ("", "...") and form(line) not in alike]
    return [alike.get(form(line), line) for line in shown], lost


def python(*arguments):
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True).stdout.splitlines()


def renewed(text, title, printed):
    """The README with a console block renewed, and the lines that have no like."""
    block = re.compile(rf"(<!-- real output: {re.escape(title)} -->\n```console\n\$ [^\n]*\n)(.*?)(\n```\n)", re.DOTALL)
    head, body, tail = block.search(text).groups()
    new, lost = refreshed(body.split("\n"), printed)
    return text.replace(f"{head}{body}{tail}", head + "\n".join(new) + tail), lost


def main():
    sys.path.insert(0, str(ROOT))
    from torchnotes.changes import compare, counts
    from torchnotes.record import reader

    releases = {path.stem.removeprefix("torch-"): path for path in (ROOT / "records").glob("torch-*.json")}
    text = README.read_text(encoding="utf-8")
    run = python("-m", "pytest", "-p", "no:cacheprovider", "--device", "cpu")
    text, lost = renewed(text, "the end of `pytest`", run)
    before, after = (reader.read(releases[release]) for release in ("2.5.1", "2.6.0"))
    text, more = renewed(text, "from 2.5.1 to 2.6.0", list(compare.as_text(before, after)))
    table = "\n".join(counts.as_markdown(map(reader.read, releases.values())))
    text = re.sub(r"(<!-- real output: nox -s counts -->\n\n)(?:\|.*\n)+", lambda match: f"{match[1]}{table}\n", text)
    README.write_text(text, encoding="utf-8")
    for line in (gone := lost + more):
        print(f"not printed any more: {line.strip()}")
    sys.exit(bool(gone))


if __name__ == "__main__":
    main()
