"""Records that tests make up, note by note, and the command line that reads them."""

import copy
import json
import os
import subprocess
import sys
from pathlib import Path

from torchnotes.record import reader

ROOT = Path(__file__).parent.parent.parent


def note(name, *results, section="01 first", claim=None):
    cases = [{"case": "", "reason": "", "seconds": 0.1, **result} for result in results]
    claim = claim or f"The claim of {name}."
    return {
        "note": f"tests/notes/test_{section.replace(' ', '_')}.py::{name}",
        "line": 1,
        "section": section,
        "claim": claim,
        "link": "",
        "markers": [],
        "results": cases,
    }


def held(device="cpu", **more):
    return {"device": device, "outcome": "held", **more}


def failed(device="cpu", reason="assert 1 == 2"):
    return {"device": device, "outcome": "failed", "reason": reason}


def elsewhere(reason="holds only with torch>=2.6"):
    return {"device": "cpu", "outcome": "elsewhere", "reason": reason}


def unchecked(device="cpu", reason="no accelerator"):
    return {"device": device, "outcome": "unchecked", "reason": reason}


def a_record(*notes, torch="2.5.1", numpy="2.0.0", python="3.11.7"):
    document = {
        "format": reader.FORMAT,
        "version": reader.VERSION,
        "made": "2026-01-01T00:00:00+00:00",
        "environment": {
            "torch": torch,
            "build": "CPU",
            "python": python,
            "implementation": "CPython",
            "platform": "Linux",
            "machine": "x86_64",
            "packages": {"torch": torch, "numpy": numpy},
            "devices": [{"name": "cpu", "description": None, "problem": None}],
            "seed": 0,
        },
        "counts": {"failed": 0, "held": len(notes), "elsewhere": 0, "unchecked": 0},
        "missing": {},
        "notes": list(notes),
    }
    return reader.Record(document)


def written(folder, name, record):
    path = folder / name
    path.write_text(json.dumps(record.document), encoding="utf-8")
    return path


def command(*arguments, cwd=ROOT):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    line = [sys.executable, "-m", "torchnotes", *map(str, arguments)]
    return subprocess.run(line, cwd=cwd, env=environment, capture_output=True, text=True, encoding="utf-8")


def broken(change):
    document = copy.deepcopy(a_record(note("test_it", held())).document)
    change(document)
    return json.dumps(document)
