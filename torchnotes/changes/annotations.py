"""What an upgrade changes in some code, as other programs show it beside the code: SARIF, and GitHub's annotations."""

from __future__ import annotations

from pathlib import PurePath

from torchnotes.changes.upgrade import CERTAIN, NEW, RESULT, STOPS, WARNS

LEVELS = {STOPS: "error", RESULT: "error", WARNS: "warning", NEW: "note"}
"""Of SARIF; what is only possible is a note."""

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def _level(crossing, place):
    return LEVELS[crossing.change] if place.found == CERTAIN else "note"


def _title(crossing):
    return f"{crossing.package} {crossing.release}: {crossing.topic}"


def as_sarif(crossed):
    """A log of SARIF 2.1.0 with a rule for each note that some place concerns, as plain data."""
    used = [each for each in crossed if each.places]
    rules = {each.boundary.name: each for each in used}
    numbers = {name: number for number, name in enumerate(rules)}
    results = [
        {
            "ruleId": each.boundary.name,
            "ruleIndex": numbers[each.boundary.name],
            "level": _level(each, place),
            "message": {"text": _message(each, place)},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": _address(place.file)},
                        "region": {"startLine": place.line, "startColumn": place.column},
                    }
                }
            ],
            "properties": {"found": place.found, "change": each.change, "release": f"{each.package} {each.release}"},
        }
        for each in used
        for place in each.places
    ]
    tool = {"name": "torchnotes upgrade", "rules": [_rule(each) for each in rules.values()]}
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [{"tool": {"driver": tool}, "results": results}]}


def _rule(crossing):
    boundary = crossing.boundary
    rule = {
        "id": boundary.name,
        "shortDescription": {"text": _title(crossing)},
        "fullDescription": {"text": crossing.sentence},
        "help": {"text": boundary.explanation or crossing.sentence},
        "defaultConfiguration": {"level": LEVELS[crossing.change]},
    }
    return rule | ({"helpUri": boundary.links[-1]} if boundary.links else {})


def _message(crossing, place):
    first = crossing.boundary.explanation.partition("\n\n")[0]
    cell = f"Cell {place.cell[0]}, line {place.cell[1]}. " if place.cell else ""
    return f"{cell}{crossing.sentence} {' '.join(first.split())}".strip()


def _address(path):
    """A path as SARIF takes it: with slashes; a relative one is relative to what was checked out."""
    pure = PurePath(path)
    return pure.as_uri() if pure.is_absolute() else pure.as_posix()


def as_github(crossed):
    """Workflow commands of GitHub Actions, one for each place, the gravest first."""
    names = {"error": "error", "warning": "warning", "note": "notice"}
    for each in crossed:
        for place in each.places:
            where = f"file={_property(PurePath(place.file).as_posix())},line={place.line},col={place.column}"
            title = _property(_title(each))
            yield f"::{names[_level(each, place)]} {where},title={title}::{_data(_message(each, place))}"


def _data(text):
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text):
    return _data(text).replace(":", "%3A").replace(",", "%2C")
