"""The browser that is here: `python tests/browser/chromium.py` prints where, or how to get one and exit code 1."""

import os
import shutil
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "msedge")
ADVICE = """\
no browser is here to look at the page with; do one of these:
  playwright install chromium                         Playwright's own, which `nox -s browser` does by itself
  apt-get install --no-install-recommends chromium    on Debian
  export CHROMIUM=/path/to/a/chromium                 the one you have"""


def find(*others):
    """The path of the browser that CHROMIUM names, or of the first on the PATH, or of one of the others; else None."""
    named = os.environ.get("CHROMIUM")
    return next(filter(None, map(shutil.which, [named] if named else [*NAMES, *others])), None)


if __name__ == "__main__":
    print(find() or sys.exit(ADVICE))
