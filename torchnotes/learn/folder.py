"""The folder that a learner works in: written, and written again without losing what was solved."""

from __future__ import annotations

import ast
import re
import textwrap
from collections import Counter
from pathlib import Path

from torchnotes.learn import making
from torchnotes.record import exercises as contract
from torchnotes.record.exercises import BLANK, CHANGED, OPEN, SOLVED, BadFolder, Progress


def chapters(notes, section=None):
    """The chapters of a folder of notes; with `section`, a number or words of its name, that one alone.

    Raises `BadFolder` where there is no such section, and `BadRecord` where its file cannot be read.
    """
    paths = sorted(Path(notes).glob("test_*.py"))
    if not paths:
        raise BadFolder(f"{notes}: there are no notes in it, files named test_*.py")
    if section is not None:
        there = [path.stem.removeprefix("test_").replace("_", " ") for path in paths]
        paths = [path for path, label in zip(paths, there, strict=True) if _is_called(label, section)]
        if not paths:
            raise BadFolder(
                f"--section {section}: the sections are {', '.join(there)}; write --section {there[0][:2]}, for example"
            )
    return [making.chapter(path) for path in paths]


def _is_called(label, text):
    return label.startswith(f"{int(text):02} ") if text.isdecimal() else text.replace("_", " ").lower() in label


def write(out, found, level=None):
    """Write the chapters `found` into the folder `out`, of one level or all, and keep what a learner has filled in.

    Returns all exercises that the folder has now. Raises `BadFolder` where something else is in the folder.
    """
    out = _ours(out)
    before = {exercise.note: exercise for exercise in contract.read(out)} if contract.is_folder(out) else {}
    progress = contract.read_progress(out)
    files = {chapter.file for chapter in found}
    kept = [exercise for exercise in before.values() if exercise.file not in files]
    for chapter in found:
        filled = _filled(out / chapter.file, [each for each in before.values() if each.file == chapter.file])
        chosen, texts = [], {}
        for exercise in chapter.exercises:
            old, text = before.get(exercise.note), filled.get(exercise.note)
            is_same = text is not None and _asked(old.code) == _asked(exercise.code)
            if is_same:
                texts[exercise.number] = text.replace(f"def {old.name}(", f"def {exercise.name}(", 1)
            elif old is not None and progress.get(exercise.note, Progress()).state != OPEN:
                progress[exercise.note] = Progress(CHANGED)
            if level in (None, exercise.level) or is_same or progress.get(exercise.note, Progress()).state == CHANGED:
                chosen.append(exercise)
        _write(out / chapter.file, chapter, chosen, texts)
        kept += chosen
    kept.sort(key=lambda exercise: (exercise.file, exercise.number))
    keys = {exercise.note for exercise in kept}
    contract.write_progress(out, {key: each for key, each in progress.items() if key in keys})
    contract.write(out, kept)
    return kept


def write_solutions(out, found):
    """Write the chapters with every blank filled, as a folder that pytest checks too, and say so."""
    out = _ours(out)
    for chapter in found:
        _write(
            out / chapter.file, chapter, chapter.exercises, {each.number: solved(each) for each in chapter.exercises}
        )
    exercises = [exercise for chapter in found for exercise in chapter.exercises]
    contract.write(out, exercises)
    return f"{out}: {len(exercises)} exercises with their answers"


def solved(exercise, answers=None):
    """The code of an exercise with these answers in its blanks; without any, with its own."""
    head, question, body = exercise.code.split('"""', 2)
    for answer in answers or exercise.answers:
        body = re.sub(rf"\b{BLANK}\b", lambda _, answer=answer: answer, body, count=1)
    return f'{head}"""{question}"""{body}'


def _ours(out):
    out = Path(out)
    if out.exists() and not contract.is_folder(out) and (not out.is_dir() or any(out.iterdir())):
        raise BadFolder(f"{out}: it holds something else; name another folder, such as --out exercises")
    out.mkdir(parents=True, exist_ok=True)
    return out


def _asked(code):
    """What an exercise asks, whatever its number and its question: equal for two that ask the same."""
    function = ast.parse(code).body[0]
    return ast.dump(function.args), [ast.dump(statement) for statement in function.body[1:]]


def _filled(path, exercises):
    """The functions of a file that a learner changed, by the key of the exercise."""
    if not path.is_file():
        return {}
    text = path.read_text(encoding="utf-8-sig")
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError) as error:
        where = f"line {error.lineno}: {error.msg}" if isinstance(error, SyntaxError) else error
        raise BadFolder(f"{path}: is not Python ({where}); mend it first, so that what you solved is kept") from None
    lines = text.split("\n")
    found = {
        node.name: "\n".join(lines[node.lineno - 1 : node.end_lineno])
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
    }
    return {
        exercise.note: found[exercise.name]
        for exercise in exercises
        if exercise.name in found and found[exercise.name].strip() != exercise.code.strip()
    }


def _write(path, chapter, exercises, texts):
    """A file of exercises, each as its text in `texts` has it, or else with its blanks."""
    title = textwrap.fill(f"Exercises: {chapter.title}", 118)
    parts = [
        f'"""{title}\n\nWrite what belongs in place of each {BLANK}, and check it: pytest {path.as_posix()}\n"""\n'
    ]
    parts.append(chapter.head)
    topic = ""
    for exercise in exercises:
        if topic != (topic := chapter.topics[exercise.number - 1]):
            parts.append("\n" + textwrap.fill(topic, 118, initial_indent="# ", subsequent_indent="# ") + "\n")
        parts.append(f"\n{texts.get(exercise.number, exercise.code).rstrip()}\n")
    path.write_text("\n".join(parts), encoding="utf-8", newline="\n")


def states(out):
    """Each exercise of a folder with what became of it. Raises `BadFolder` where it is none."""
    progress = contract.read_progress(out)
    return [(exercise, progress.get(exercise.note, Progress())) for exercise in contract.read(out)]


def function(path, exercise):
    """The line at which an exercise begins in its file, and what stands there: its own code where that is no Python."""
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
        found = ast.parse("\n".join(lines)).body
    except (OSError, SyntaxError, ValueError):
        return 1, exercise.code.rstrip()
    for node in found:
        if isinstance(node, ast.FunctionDef) and node.name == exercise.name:
            return node.lineno, "\n".join(lines[node.lineno - 1 : node.end_lineno])
    return 1, exercise.code.rstrip()


def summary(out, notes):
    """What is in a folder, what became of it, and what to type next."""
    found = states(out)
    count = Counter(progress.state for _, progress in found)
    changed = f", {count[CHANGED]} changed since they were solved" if count[CHANGED] else ""
    yield f"{out}: {len(found)} exercises, {count[SOLVED]} solved{changed}"
    for exercise, progress in found:
        if progress.state == CHANGED:
            yield f"  changed: {exercise.file}::{exercise.name}"
    root = Path(notes).resolve().parent.parent
    outside = "" if root in Path(out).resolve().parents else "python -m pytest -p conftest -c pytest.ini "
    yield f"check them:  {outside or 'pytest '}{out}"
    yield f"at a screen: python -m torchnotes exercises watch{'' if str(out) == 'exercises' else f' --out {out}'}"
