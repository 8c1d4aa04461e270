"""The notes that settle an error, the closest first: `python -m torchnotes explain "ERROR TEXT"`.

A message is compared with every text that a note says or met. A word that two texts share counts the more, the fewer
notes have it (its inverse document frequency), so that "tensor" says little and "singleton" much; numbers do not count,
and names that no note knows hardly. RapidFuzz compares the order of the words. Of several notes that met the same error
the one comes first that speaks of the words of the message and of the functions around the error.
"""

from __future__ import annotations

import math
import re
import textwrap
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cached_property

from rapidfuzz import fuzz

from torchnotes import note as notes
from torchnotes.answers import pasted, texts
from torchnotes.answers.texts import CASED, CITED, CLAIM, CLAIMED, MET, SYMPTOM

MOST, FAR = 3, 0.7
"""How many notes an answer has at most, and the share of the best score below which another is none."""

CLOSE = 0.44
"""The least score of an answer: tests/harness/test_explain.py measures how many right ones it gives, and wrong ones."""

COMPARED = 300
"""How many of the texts that share words with a message are compared word by word."""

ENOUGH = 9
"""The weight that two texts share from which on it cannot be chance: one or two words that few notes have."""

SENTENCES = (SYMPTOM, CLAIM)
"""The sources whose texts can be the answer to a question."""

TRUST = {CLAIMED: 1.06, CASED: 1.03, CITED: 1.02, MET: 1, SYMPTOM: 0.98, CLAIM: 0.9}
"""How much the source of a text says for its note: what a claim quotes, the note is about."""

CAUSE = 0.95
"""What is left of the score for an error that led to another one."""

WORD = re.compile(r"[^\W\d]\w*")
PLACEHOLDER = re.compile(r"\b0x[0-9a-fA-F]+|'(?:Net|Model|Module|Sequential|Linear)'(?= object)")
"""An address, and a class that stands in a note for one of the reader's."""


def words_of(text, whole=False):
    """The words of a text in order, in small letters and without a plural.

    A name with underscores is several words, and with `whole` one more.
    """
    for found in WORD.findall(PLACEHOLDER.sub("", text)):
        parts = [_singular(part) for part in found.lower().split("_") if part]
        yield from parts
        if whole and len(parts) > 1:
            yield "_".join(parts)


def _singular(word):
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


PYTHON = frozenset(
    word
    for message in (
        "object has no attribute",
        "'NoneType' object is not callable, iterable, subscriptable",
        "No module named",
        "cannot import name from",
        "name is not defined",
        "got an unexpected keyword argument",
        "missing required positional argument",
        "takes positional arguments but was given, were given",
        "unsupported operand type(s) for",
        "list index out of range",
        "division by zero",
        "local variable referenced before assignment",
        "codec, decode, byte in position",
        "[Errno 2] No such file or directory",
        "int() str() dict() __init__() function, invalid value, file, key, Error, Warning",
    )
    for word in words_of(message)
)
"""Words of the messages of Python itself, which anything can raise: the names between them say what it is about."""

PYTHONS_SHARE, UNKNOWN = 0.15, 1.0
"""How much of its weight such a word keeps, and the weight of a word that no note has."""

ASKING = frozenset(
    words_of(
        "why how what when where which who is are do does did can could should must may will would I my me it the a an"
        " you there this that of to in on at for with and or if same use get"
    )
)
"""Words of a question that say nothing of what it is about."""


@dataclass(frozen=True)
class Found:
    """A note, its score, and the text by which it was found; a score of 1 is the very message, with nothing more."""

    note: texts.Note
    score: float
    text: texts.Text


class Index:
    """What the notes say and met, ready to be compared."""

    def __init__(self, found):
        self.notes = found
        every = ((note, text) for note in found.values() for text in note.texts)
        self.texts = [(note, text) for note, text in every if not _is_pythons(text)]
        self.words = [list(words_of(text.text, whole=text.source in SENTENCES)) for _, text in self.texts]
        self.about = {
            name: {*words_of(f"{note.words.claim} {note.words.explanation} {name}", whole=True)}
            for name, note in found.items()
        }
        known = {name: {*words} for name, words in self.about.items()}
        self.places = defaultdict(list)
        for place, ((note, text), words) in enumerate(zip(self.texts, self.words, strict=True)):
            known[note.name].update(words)
            if text.source == SYMPTOM:
                self.about[note.name].update(words)
            for word in {*words}:
                self.places[word].append(place)
        self.weights = {
            word: rarity * (PYTHONS_SHARE if word in PYTHON else 1) for word, rarity in _rarities(known).items()
        }
        self.mass = [self.weight({*words}) for words in self.words]
        self.met = Counter(note.name for note, text in self.texts if text.source == MET)

    def weight(self, words):
        """How much words say together."""
        return sum(self.weights.get(word) or UNKNOWN * (PYTHONS_SHARE if word in PYTHON else 1) for word in words)

    @cached_property
    def names(self):
        """The names in the code that each note speaks of, as `pasted` writes those around an error."""
        return {
            name: {
                pasted.plain(word)
                for code in texts.CODE.findall(f"{note.words.claim} {note.words.explanation}")
                for word in WORD.findall(code)
            }
            for name, note in self.notes.items()
        }

    @cached_property
    def rarities(self):
        return _rarities(self.names)

    def closest(self, text):
        """The notes that share something with a text, as `Found`, the closest first. Raises `NoText`."""
        seen = pasted.read(text)
        best = {}
        for back, error in enumerate(seen.errors):
            for found in self._like(error, seen.called):
                found = Found(found.note, found.score * CAUSE**back, found.text)
                if (before := best.get(found.note.name)) is None or found.score > before.score:
                    best[found.note.name] = found
        return sorted(best.values(), key=lambda found: (-found.score, found.note.file, found.note.name))

    def _like(self, error, called):
        """The notes that share words with one error, each by its closest text."""
        asks = not error.kind
        words = list(words_of(error.message, whole=asks))
        asked = {*words}
        mass = self.weight(asked)
        line = " ".join(word for word in words if word in self.weights)
        around = {name: self._around(name, called) for name in self.notes} if called else Counter()
        best = {}
        for place, common in self._sharing(asked, mass):
            note, text = self.texts[place]
            if text.source == CLAIM and not asks:
                continue
            score = TRUST[text.source] * min(1, (common + around[note.name]) / ENOUGH) ** 0.5
            score *= (common / self.mass[place]) ** 0.7 * (common / mass) ** 0.35  # a message goes on behind a quote
            score *= 0.6 + 0.4 * fuzz.partial_ratio(line, " ".join(self.words[place])) / 100
            if error.kind and text.kind and error.kind != text.kind:  # classes change from release to release
                score *= 0.95
            if asks and text.source in SENTENCES:
                score = max(score, self._answers(asked, place))
            if note.name not in best or score > best[note.name].score:
                best[note.name] = Found(note, score, text)
        for name, found in best.items():
            near = 0.1 * self.weight(asked & self.about[name]) / mass
            alone = 0.04 / max(1, self.met[name])
            yield Found(found.note, found.score * (1 + near + alone) * (1 + 0.01 * around[name]), found.text)

    def _sharing(self, asked, mass):
        """The places of the texts that share most with some words, and the weight of what they share."""
        shared = defaultdict(float)
        for word in asked:
            for place in self.places.get(word, ()):
                shared[place] += self.weights[word]
        order = sorted(shared.items(), key=lambda each: -each[1] / (mass + self.mass[each[0]] - each[1] + 1))
        return [(place, common) for place, common in order if common > 0][:COMPARED]

    def _around(self, name, called):
        """How much the functions around an error say for a note: the two of them that the fewest notes speak of."""
        return sum(sorted((self.rarities[call] for call in called & self.names[name]), reverse=True)[:2])

    def _answers(self, asked, place):
        """How much of what a question is about a sentence speaks of."""
        about = asked - ASKING
        common = self.weight(about & {*self.words[place]})
        if not common:
            return 0
        whole = (common / self.weight(about)) ** 0.8 * (common / self.mass[place]) ** 0.25
        return 1.35 * whole * min(1, common / 12)


def _is_pythons(text):
    """Whether a note met nothing but words of Python's own, such as those of a file that is not there."""
    return text.source == MET and {*words_of(text.text)} <= PYTHON


def _rarities(words_by_name):
    """How few notes have each word: the logarithm of the number of notes by that of those."""
    frequency = Counter(word for words in words_by_name.values() for word in words)
    return {word: math.log((len(words_by_name) + 1) / number) for word, number in frequency.items()}


def answers(closest):
    """Of `Index.closest`, those that are close enough to be an answer."""
    return [found for found in closest[:MOST] if found.score >= max(CLOSE, FAR * closest[0].score)]


def as_json(closest):
    """The answers as plain data; `score` is from 0 to 1. Nothing close enough is an empty list."""
    return [
        {
            "name": found.note.name,
            "section": found.note.section,
            "claim": found.note.words.claim,
            "reason": found.note.words.explanation,
            "link": found.note.words.link,
            "score": round(min(1, found.score), 2),
        }
        for found in answers(closest)
    ]


def as_text(closest):
    """The answers line by line, or that there is none and which section is the nearest."""
    if not (found := answers(closest)):
        yield "Nothing close enough: no note settles this."
        if closest:
            section = nearest(closest)
            yield f"The nearest section is {notes.section(section)}: tests/notes/{section}"
        return
    for number, each in enumerate(found, start=1):
        if number > 1:
            yield ""
        yield from textwrap.wrap(f"{number}. {each.note.words.claim}", 116, subsequent_indent="   ")
        yield from (f"   {line}".rstrip() for line in each.note.words.explanation.splitlines())
        yield f"   {each.note.section}: {each.note.name}"
        yield f"   {each.note.words.link}"


def nearest(closest):
    """The file of the section whose notes are nearest, taken together."""
    scores = Counter()
    for found in closest[:10]:
        scores[found.note.file] += found.score
    return scores.most_common(1)[0][0]
