"""Exercises out of notes: which notes lend themselves, what is left blank in them, and in which order they come."""

from __future__ import annotations

import ast
import io
import re
import textwrap
import tokenize
from dataclasses import dataclass

from torchnotes import markers
from torchnotes.learn import blanks, calls
from torchnotes.reading import sources
from torchnotes.record.exercises import LEVELS, PREDICT, WRITE, Exercise

LONGEST = 18
"""Lines of code in one exercise."""

MOST_BLANKS = 3

FIXTURES = {"device", "device_pair", "tmp_path", "monkeypatch", "rounding_bound"}
"""What a note may ask for to become an exercise."""

SLOW = re.compile(r"subprocess|multiprocessing|num_workers|torch\.compile|torch\.jit|perf_counter|sleep\(")

BOUNDS = (13, 20)
"""The largest weight of what is easy, and of what is in the middle."""

WIDTH = 120


@dataclass(frozen=True)
class Chapter:
    """The exercises of one section, and the Python that stands above them."""

    label: str
    """Such as `03 numpy bridge`, as records have it."""
    title: str
    head: str
    exercises: list[Exercise]
    topics: list[str]
    """The topic of each exercise."""

    @property
    def file(self):
        return file_of(self.label)


def file_of(label):
    """The name of the file for a section."""
    return f"test_exercises_{label.replace(' ', '_')}.py"


@dataclass(frozen=True)
class _Draft:
    note: sources.Note
    node: ast.FunctionDef
    kind: str
    sites: list[blanks.Site]
    weight: int


def chapter(path):
    """The exercises of a file of notes, topic by topic, from easy to hard in each.

    Raises `BadRecord` where the file cannot be read as notes.
    """
    section = sources.section(path)
    module = sources.Module(path.read_text(encoding="utf-8-sig"))
    topics = list(dict.fromkeys(note.topic for note in section.notes))
    drafts = sorted(_drafts(section, module), key=lambda draft: (topics.index(draft.note.topic), draft.weight))
    file = file_of(section.label)
    exercises = [_exercise(file, number, module, draft) for number, draft in enumerate(drafts, start=1)]
    names = {
        each.id
        for draft in drafts
        for statement in draft.node.body
        for each in ast.walk(statement)
        if isinstance(each, ast.Name)
    }
    head = "\n".join(module.definitions(names))
    return Chapter(section.label, section.title, head, exercises, [draft.note.topic for draft in drafts])


def _drafts(section, module):
    for note in section.notes:
        node = module.defined[note.name]
        if not lends_itself(note, node):
            continue
        kind = WRITE if note.name in calls.CALLS else PREDICT  # one alone: each would give the other away
        sites = calls.of(module, node) if kind == WRITE else predicted(module, node)
        if sites:
            yield _Draft(note, node, kind, sites, _weight(note, kind, sites))


def lends_itself(note, node):
    """Whether a note is quick and short, runs anywhere with the ordinary fixtures, and is no table and no property."""
    names = {ast.unparse(mark).partition("(")[0].rpartition(".")[2] for mark in node.decorator_list}
    asked = {argument.arg for argument in node.args.args}
    lines = [line for line in note.code.splitlines() if line.strip()]
    return (
        names <= {"myth", "advice", "picture", "holds"}
        and asked <= FIXTURES
        and not note.needs
        and len(lines) <= LONGEST
        and not SLOW.search(note.code)
    )


def predicted(module, node):
    """The sites to leave blank: the most telling that fit, and with them all that would give their answers away.

    A truth alone is not asked for where it is True: whoever always says so would be right.
    """
    body = node.body[1:]
    found = list(blanks.of(module, body))
    for first in sorted(found, key=_plainness):
        if _plainness(first) == PLAINEST:
            break
        start, chosen = found.index(first), [first]
        for other in found[start + 1 :]:
            if _is_next(chosen[-1], other) and _count([*chosen, other]) <= MOST_BLANKS:
                chosen.append(other)
        chosen += [other for other in found if other not in chosen and _gives_away(other, chosen)]
        if _count(chosen) <= MOST_BLANKS and not _stand_elsewhere(module, body, chosen):
            return sorted(chosen, key=lambda site: site.statement.lineno)
    return []


PLAINEST = 2


def _plainness(site):
    """How little there is to a site: a truth that is True says nothing, zeros and empty lists little.

    Among the others the first counts, for a note begins with its claim: mutants are noticed there most often.
    """
    if all(answer == "True" for answer in site.answers):
        return PLAINEST
    return int(all(answer in ("[]", "{}", "()", "0", "None", "1", "True") for answer in site.answers))


def _count(sites):
    return sum(len(site.answers) for site in sites)


def _is_next(site, other):
    """Whether a site stands on the line just below that of another, as deep as it."""
    one, two = site.statement, other.statement
    return two.lineno == one.end_lineno + 1 and two.col_offset == one.col_offset


def _gives_away(other, chosen):
    """Whether a site shows an answer to one that is blank: the same list, or the same exception."""
    answers = {answer for site in chosen for answer in site.answers if _tells(answer)}
    return bool(answers & {*other.answers})


def _tells(answer):
    return answer.startswith(("[", "(", "{")) or answer.endswith(("Error", "Warning", "Exception"))


def _stand_elsewhere(module, body, chosen):
    """Whether an answer stands in an assertion that is not blank."""
    blank = [site.statement for site in chosen]
    shown = "\n".join(module.source(statement) for statement in blanks.assertions(body) if statement not in blank)
    return any(answer in shown for site in chosen for answer in site.answers if _tells(answer))


def _weight(note, kind, sites):
    """How hard an exercise is: its lines, its blanks, and what is asked."""
    answers = [answer for site in sites for answer in site.answers]
    lines = sum(bool(line.strip()) for line in note.code.splitlines())
    asked = sum(0 if answer in ("True", "False") else 1 if "." in answer else 2 for answer in answers)
    return lines + 2 * (len(answers) - 1) + asked + 3 * (kind == WRITE)


def _exercise(file, number, module, draft):
    note = draft.note
    answers = [answer for site in draft.sites for answer in site.answers]
    questions = [question for site in draft.sites for question in site.questions]
    level = LEVELS[sum(draft.weight > bound for bound in BOUNDS)]
    edits = [edit for site in draft.sites for edit in site.edits]
    code = _code(module, draft.node, edits, f"test_{number:03}", _question(draft.kind, level, questions))
    return Exercise(
        file=file,
        number=number,
        kind=draft.kind,
        level=level,
        note=note.name,
        code=code,
        questions=questions,
        answers=answers,
        hints=list(_hints(note)),
        claim=note.claim,
        explanation=note.explanation,
        links=note.links,
        holds=[marker["requirement"] for marker in note.markers if marker["name"] == markers.Holds.name],
    )


def _question(kind, level, questions):
    asked = " ".join(f"{question[0].upper()}{question[1:]}" for question in dict.fromkeys(questions))
    return f"{kind.capitalize()}, {level}. {asked}"


def _hints(note):
    """What is said after a wrong answer, one after the other: the page, what is at work, and the claim."""
    if note.links:
        yield f"read: {' '.join(note.links)}"
    yield f"what is at work: {note.name.removeprefix('test_').replace('_', ' ')}"
    yield f"the claim: {note.claim}"


def _code(module, node, edits, name, question):
    """The function with blanks, under another name, with a question in place of its words and without comments."""
    first, second = node.body[:2]
    lines = [line.encode() for line in module.lines]
    for edit in sorted(edits, key=lambda edit: edit.begin, reverse=True):
        (top, left), (bottom, right) = edit.begin, edit.end
        joined = lines[top - 1][:left] + edit.text.encode() + lines[bottom - 1][right:]
        lines[top - 1 : bottom] = [joined]
    removed = sum(edit.end[0] - edit.begin[0] for edit in edits)
    body = b"\n".join(lines[first.end_lineno : node.end_lineno - removed]).decode()
    arguments = ast.unparse(node.args)
    text = question.replace("\\", "\\\\")
    wrapped = textwrap.wrap(text, WIDTH - 7, break_long_words=False, break_on_hyphens=False)
    words = "\n    ".join(wrapped)
    ending = "\n    " if len(wrapped) > 1 or text.endswith('"') else ""
    return without_comments(f'def {name}({arguments}):\n    """{words}{ending}"""\n{body.strip(chr(10))}\n')


def without_comments(code):
    """The code less its comments, which say what it is about, and less the lines that hold nothing else."""
    lines = code.split("\n")
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column].rstrip() or None
    return "\n".join(line for line in lines if line is not None)
