"""What a note may be marked with: a class for each marker, which validates itself.

pytest gives the arguments of a marker as objects, the source gives them as text (`reading`), and a record as plain data
(`from_data`): all three end in the same object.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from packaging.requirements import InvalidRequirement, Requirement

from torchnotes import kinds


class Misused(ValueError):
    """A marker says too little or something else; the message says what it takes."""


CHANGES = {
    "raises": "an upgrade stops code: what ran raises",
    "gone": "an upgrade stops code: what it used is not there any more",
    "result": "an upgrade changes what code computes, without a word",
    "warns": "an upgrade makes code warn, or no longer",
    "new": "an upgrade brings it: before, it raises or is not there",
}
"""What crossing a boundary from an older release to a newer one does to code, the gravest first."""

PICTURE_KINDS = ("memory", "strides", "masks", "curves", "graph")


@dataclass(frozen=True)
class Myth:
    """What people say, which is wrong, or wrong in part: the note shows what is true."""

    name: ClassVar = "myth"
    usage: ClassVar = "myth(belief): what people say is wrong, or wrong in part; the note shows what is true"
    takes: ClassVar = "what people say"

    text: str

    @classmethod
    def of(cls, *texts, **named):
        if named or len(texts) != 1 or not isinstance(texts[0], str) or not texts[0].strip():
            name = cls.name
            raise Misused(f'@pytest.mark.{name} takes one text, {cls.takes}: @pytest.mark.{name}("...")')
        return cls(texts[0])

    def as_data(self):
        return {"name": self.name, "text": self.text}


@dataclass(frozen=True)
class Advice(Myth):
    """A recommendation and who gives it: the note proves the mechanism under it and its limit."""

    name: ClassVar = "advice"
    usage: ClassVar = "advice(source): a recommendation and who gives it; the note proves the mechanism under it"
    takes: ClassVar = "who says so, and where"


@dataclass(frozen=True)
class Only:
    """The kinds of device that a note runs on, and why it is unchecked on others."""

    name: ClassVar = "only"
    usage: ClassVar = (
        f"only(*kinds, because): the note runs on these kinds of device ({', '.join(kinds.names())}) and is unchecked "
        "on others, for the reason"
    )

    kinds: tuple[str, ...]
    because: str

    @classmethod
    def of(cls, *names, because=None, **named):
        if named or not names or not set(names) <= set(kinds.names()) or not isinstance(because, str) or not because:
            raise Misused(
                f"@pytest.mark.only takes kinds of device ({', '.join(kinds.names())}) and the reason why not on "
                'others: @pytest.mark.only("cuda", because="...")'
            )
        return cls(names, because)

    def as_data(self):
        return {"name": self.name, "kinds": list(self.kinds), "text": self.because}


@dataclass(frozen=True)
class Holds:
    """A boundary: where the requirement is met the note holds, and elsewhere it must fail with one of the exceptions.

    The exceptions are classes where pytest runs, and names where a source or a record was read.
    """

    name: ClassVar = "holds"
    usage: ClassVar = (
        "holds(requirement, otherwise, change, concerns): true where the PEP 508 requirement is met; elsewhere the "
        "note must fail with the exception `otherwise`; `change` says what an upgrade across the boundary does to "
        "code, and `concerns` to which code, where the names in the claim do not"
    )

    requirement: Requirement
    otherwise: tuple
    change: str | None
    concerns: tuple[str, ...] | None = None
    """The code that the boundary is about, as `changes.concerns` reads it: none where no name in code shows it, and
    None where the claim and the body of the note tell it."""

    @classmethod
    def of(cls, *arguments, **named):
        usage = 'write, for example, @pytest.mark.holds("torch>=2.6", otherwise=AttributeError)'
        try:
            text, otherwise, change, concerns = _holds(*arguments, **named)
        except TypeError:
            raise Misused(
                f"@pytest.mark.holds takes a requirement and the exception raised otherwise; {usage}"
            ) from None
        try:
            requirement = Requirement(text)
        except (InvalidRequirement, TypeError) as error:
            reason = str(error).splitlines()[0]
            raise Misused(f"@pytest.mark.holds({text!r}) is not a PEP 508 requirement ({reason}); {usage}") from None
        if change not in (None, *CHANGES):
            raise Misused(f"change={change!r} is none of {', '.join(CHANGES)}")
        if concerns is not None and not all(isinstance(each, str) for each in concerns):
            raise Misused('concerns takes texts: concerns="torch.load(not weights_only)", or several in parentheses')
        for exception in otherwise or [otherwise]:
            if not (isinstance(exception, type) and issubclass(exception, BaseException)):
                raise Misused(f"otherwise={exception!r} is not an exception class; {usage}")
            if exception in (Exception, BaseException):
                raise Misused(
                    f"otherwise={exception.__name__} would accept any failure; name the one that is raised; {usage}"
                )
        return cls(requirement, otherwise, change, concerns)

    @property
    def names(self):
        return [each if isinstance(each, str) else each.__name__ for each in self.otherwise]

    def as_data(self):
        said = {"change": self.change} if self.change else {}
        said |= {"concerns": list(self.concerns)} if self.concerns is not None else {}
        return {"name": self.name, "requirement": str(self.requirement), "otherwise": self.names, **said}


def _holds(requirement, otherwise, change=None, concerns=None):
    concerns = concerns if concerns is None or isinstance(concerns, tuple) else (concerns,)
    return requirement, otherwise if isinstance(otherwise, tuple) else (otherwise,), change, concerns


@dataclass(frozen=True)
class Picture:
    """What the page draws of a note, and the locals that hold its values."""

    name: ClassVar = "picture"
    usage: ClassVar = (
        "picture(kind, *names): what the page draws of the note, and the locals that hold its values; "
        f"a kind is one of {', '.join(PICTURE_KINDS)}"
    )

    kind: str
    names: tuple[str, ...]

    @classmethod
    def of(cls, kind=None, *names, **named):
        if named or kind not in PICTURE_KINDS or not names or not all(isinstance(each, str) for each in names):
            raise Misused(
                f"@pytest.mark.picture takes a kind ({', '.join(PICTURE_KINDS)}) and the names of locals: "
                '@pytest.mark.picture("memory", "array", "tensor")'
            )
        return cls(kind, names)


@dataclass(frozen=True)
class Costly:
    """Why a note takes a second or more: it compiles, starts an interpreter, waits."""

    name: ClassVar = "costly"
    usage: ClassVar = "costly(why): takes a second or more, and runs with --costly alone"

    why: str

    @classmethod
    def of(cls, *texts, **named):
        if named or len(texts) != 1 or not isinstance(texts[0], str) or not texts[0].strip():
            raise Misused('@pytest.mark.costly takes one text, what costs so much: @pytest.mark.costly("...")')
        return cls(texts[0])


MARKERS = {marker.name: marker for marker in (Myth, Advice, Only, Holds, Picture, Costly)}
"""Every marker, by its name."""

RECORDED = ("myth", "advice", "only", "holds")
"""Those that a record repeats of a note."""


def of(name, arguments, named):
    """The marker of this name with these arguments. Raises `Misused` where they are not what it takes."""
    return MARKERS[name].of(*arguments, **named)


def from_data(data):
    """The marker that a record has as plain data, as `as_data` of this or of another version left it."""
    if data["name"] == Holds.name:
        concerns = tuple(data["concerns"]) if "concerns" in data else None
        return Holds(Requirement(data["requirement"]), tuple(data["otherwise"]), data.get("change"), concerns)
    if data["name"] == Only.name:
        return Only(tuple(data.get("kinds", ())), data["text"])
    return MARKERS[data["name"]](data["text"])
