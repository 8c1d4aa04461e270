"""Each solved exercise under each mutant of its note: the right answers must fail there, or it asks something else.

Run by `nox -s exercises`. The exercises, each under the name of its note, are the notes of a project of their own.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from packaging.requirements import Requirement

from torchnotes.harness import versions
from torchnotes.learn import folder
from torchnotes.note import FOLDER

ROOT = Path(__file__).parent.parent.parent


def project(where):
    """A folder with the mutants of this one, and with notes that are solved exercises. Returns the files of these."""
    notes = where / "tests" / FOLDER
    notes.mkdir(parents=True)
    for name in ("conftest.py", "pytest.ini"):
        shutil.copy(ROOT / name, where / name)
    shutil.copytree(ROOT / "tests" / "mutants", where / "tests" / "mutants")
    made, names = [], set()
    for chapter in folder.chapters(ROOT / "tests" / FOLDER):
        exercises = [
            each for each in chapter.exercises if all(versions.is_met(Requirement(text)) for text in each.holds)
        ]
        names |= {exercise.note for exercise in exercises}
        functions = [
            folder.solved(exercise).replace(f"def {exercise.name}(", f"def {exercise.note}(", 1)
            for exercise in exercises
        ]
        path = notes / f"test_{chapter.label.replace(' ', '_')}.py"
        path.write_text("\n\n".join([chapter.head, *functions]), encoding="utf-8")
        made.append(path)
    text = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests" / FOLDER).glob("test_*.py"))
    others = sorted(set(re.findall(r"^def (test_\w+)", text, re.MULTILINE)) - names)  # which mutants name, too
    stubs = "".join(f"def {name}():\n    pass\n\n\n" for name in others)
    (notes / "test_99_others.py").write_text(stubs, encoding="utf-8")
    return made


def main(arguments):
    with tempfile.TemporaryDirectory() as where:
        made = project(Path(where))
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [
            sys.executable,
            "-m",
            "pytest",
            "--mutants",
            "-q",
            "-p",
            "no:cacheprovider",
            *arguments,
            *map(str, made),
        ]
        return subprocess.run(command, cwd=where, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
