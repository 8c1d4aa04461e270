"""What a note met: with `--record`, the texts of the exceptions and warnings that it waited for.

They are the words in which torch and its neighbours say what the note is about, and the wording moves from release to
release: `python -m torchnotes explain` finds a note by them. What a line `raise` of the note itself says is left out.
"""

from __future__ import annotations

import dis
import re
import warnings
from contextlib import contextmanager
from functools import wraps

import pytest

from torchnotes.harness import about

LONGEST, MOST = 300, 16
"""How many characters of a text are kept, and how many texts of one run of a note: a record is to stay small."""

DIFFERING = (
    (re.compile(r"\b0x[0-9a-fA-F]+"), "0x…"),
    (re.compile(r"(?<![\w:/.])(?:[A-Za-z]:)?(?:[\\/][\w.+@~-]+){2,}"), "…"),  # a path; the one of a web page stays
    (re.compile(r"\bpid(\(s\))?([ =:]+)\d+(, \d+)*"), r"pid\1\2…"),
)
"""What differs from run to run, and what is written in its place."""

TRACEBACK = re.compile(r"(?:Original )?Traceback \(most recent call last\):.*\n", re.DOTALL)
"""What stands, in the text of a worker's error, between what happened and the line with the error itself."""

SET = re.compile(r"\{'[^'{}]*'(?:, '[^'{}]*')+\}")
"""A set of texts, whose order differs from process to process."""

DETAIL = re.compile(r"\d+|\w+(?=\(\))")
"""Numbers and the names of functions: texts that differ in no more than these are kept once."""


def in_one_line(text):
    """The first characters of a text in one line, without what differs from run to run and without a traceback."""
    text = TRACEBACK.sub("", text.strip())
    for pattern, instead in DIFFERING:
        text = pattern.sub(instead, text)
    text = SET.sub(lambda found: "{" + ", ".join(sorted(found[0][1:-1].split(", "))) + "}", text)
    return " ".join(text.split())[:LONGEST]


def as_data(kind, error):
    return {"type": kind.__name__, "text": in_one_line(str(error))}


def is_own(error, path):
    """Whether a line `raise` in the file of the note raised an exception."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    if last is None or last.tb_frame.f_code.co_filename != str(path):
        return False
    return last.tb_frame.f_code.co_code[last.tb_lasti] == dis.opmap["RAISE_VARARGS"]


@contextmanager
def listening(path, met, logs):
    """For a while, put what `pytest.raises` catches into `met` as data, and each list of caught warnings into `logs`.

    An exception itself is not kept: its traceback would keep the locals of the note alive, which some notes are about.
    """
    fill, enter = pytest.ExceptionInfo.fill_unfilled, warnings.catch_warnings.__enter__

    @wraps(fill)
    def fill_unfilled(self, exc_info):
        if not is_own(exc_info[1], path):
            met.append(as_data(*exc_info[:2]))
        return fill(self, exc_info)

    @wraps(enter)
    def entered(self):
        if (log := enter(self)) is not None:
            logs.append(log)
        return log

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pytest.ExceptionInfo, "fill_unfilled", fill_unfilled)
        patch.setattr(warnings.catch_warnings, "__enter__", entered)
        yield


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem):
    if pyfuncitem.config.getoption("record") is None:
        return (yield)
    met, logs = [], []
    try:
        with listening(pyfuncitem.path, met, logs):
            return (yield)
    except Exception as error:
        if is_expected(pyfuncitem, error):
            met.append(as_data(type(error), error))
        raise
    finally:
        met += [as_data(warning.category, warning.message) for log in logs for warning in log]
        about.add(pyfuncitem, said=distinct(met))


def is_expected(item, error):
    """Whether a note on the other side of a boundary fails with something that torch or a neighbour says."""
    return not isinstance(error, AssertionError) and any(
        isinstance(error, mark.kwargs["raises"]) for mark in item.iter_markers("xfail") if "raises" in mark.kwargs
    )


def distinct(met):
    """In the order of the alphabet, for a note may go through a set; no more of them than a record shall keep."""
    by_form = {}
    for each in sorted(met, key=lambda each: (each["type"], each["text"])):
        if each["text"]:
            by_form.setdefault((each["type"], DETAIL.sub("", each["text"])), each)
    return list(by_form.values())[:MOST]
