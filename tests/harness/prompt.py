"""What a reader gets who copies a note into a plain Python: each note's code, line by line, in a process of its own.

    python tests/harness/prompt.py tests/notes/test_03_numpy_bridge.py [WORD...]

No conftest, no plugin and no filter for warnings stands between the reader and torch here. A warning that comes once
per process comes, the environment is as it was found, and every note is the first thing that its process does. WORDs
choose the notes whose names contain one of them. Prints the notes that fail, each with its last line, and exits with 1
if there are any.
"""

import argparse
import code
import contextlib
import io
import multiprocessing
import os
import random
import sys
import traceback
import types
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
IMPORTED_BEFORE = [
    "torch",
    "torch.utils.data",
    "torch._dynamo",  # what the first optimizer imports
    "torch._meta_registrations",  # what the first operation on the device meta imports
    "torchmetrics",
    "sklearn.datasets",
    "sklearn.model_selection",
    "pytest",
    "hypothesis",
]
"""What the server of processes imports once for all of them, which saves a second or two for each note."""


def typed(text):
    """Push the lines into a new interactive interpreter: None if all of them ran, else the traceback of the error."""
    import numpy
    import torch

    torch.manual_seed(0), numpy.random.seed(0), random.seed(0)  # so that a failure can be repeated
    module = sys.modules["__main__"] = types.ModuleType("__main__")
    prompt, errors = code.InteractiveConsole(module.__dict__), []
    prompt.showtraceback = prompt.showsyntaxerror = lambda *_, **__: errors.append(traceback.format_exc())
    silent = io.StringIO()
    unfinished = False
    with contextlib.redirect_stdout(silent), contextlib.redirect_stderr(silent):
        for line in [*text.split("\n"), ""]:
            unfinished = prompt.push(line)
            if errors:
                return errors[0]
    return "the code ends in the middle of a statement" if unfinished else None


def _answer(text, method, pipe):
    multiprocessing.set_start_method(method, force=True)  # a process begins with that of the one that made it
    warnings.resetwarnings()
    warnings.simplefilter("default")
    pipe.send(typed(text))
    pipe.close()


def outcome(text):
    """`typed(text)` in a process of its own; what ended the process, if it ended without an answer."""
    context = multiprocessing.get_context(METHOD)
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(text, multiprocessing.get_start_method(), there))
    process.start()
    there.close()
    with here, contextlib.suppress(EOFError):
        if here.poll(120):
            found = here.recv()
            process.join()
            return found
        process.kill()
    process.join()
    return f"no answer: the process ended with exit code {process.exitcode}"


def outcomes(texts):
    """The outcome of each text, in the same order, with as many processes at once as there are cores."""
    if METHOD == "forkserver":
        multiprocessing.get_context(METHOD).set_forkserver_preload([*IMPORTED_BEFORE, "code"])
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        return list(threads.map(outcome, texts))


def main():
    from torchnotes.reading import sources

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("file", type=Path, help="a section of the notes")
    parser.add_argument("words", nargs="*", metavar="WORD", help="part of a note's name")
    asked = parser.parse_args()
    section = sources.section(asked.file)
    chosen = [each for each in section.notes if not asked.words or any(word in each.name for word in asked.words)]
    able = [each for each in chosen if not each.needs]
    failed = 0
    for note, text in zip(able, outcomes([f"{each.uses}\n\n{each.code}\n" for each in able]), strict=True):
        if text:
            failed += 1
            beyond = [marker["requirement"] for marker in note.markers if marker["name"] == "holds"]
            print(f"{note.name}{f' (holds {beyond})' if beyond else ''}: {text.strip().splitlines()[-1]}")
    print(f"{len(able)} notes ran, {failed} failed; {len(chosen) - len(able)} need what a prompt cannot give")
    sys.exit(bool(failed))


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
