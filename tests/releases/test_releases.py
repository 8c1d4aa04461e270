"""Whether versions.csv has every release there is. This asks the package index, so it runs in a session of its own."""

import csv
import json
import subprocess
import sys
from pathlib import Path

from packaging.version import Version

TABLE = Path(__file__).parent.parent.parent / "versions.csv"


def test_the_newest_release_of_each_minor_version_is_in_the_table():
    command = [sys.executable, "-m", "pip", "index", "versions", "torch", "--json", "--ignore-requires-python"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    there = {Version(Version(text).public) for text in json.loads(answer)["versions"]}
    newest = {}
    for version in sorted(version for version in there if version.major >= 2 and not version.is_prerelease):
        newest[version.release[:2]] = str(version)

    with TABLE.open(encoding="utf-8") as table:
        supported = [row["torch"] for row in csv.DictReader(table)]

    missing = [text for text in newest.values() if text not in supported]
    assert newest, "the package index names no release of torch"
    assert not missing, f"add a line to versions.csv for torch {' and '.join(missing)}, and drop the patch it replaces"
