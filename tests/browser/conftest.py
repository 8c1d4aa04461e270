"""A real browser, the pages it opens, and what no page may ever do in it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import chromium
import pytest
import samples
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parent.parent.parent
FLAGS = ("--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync")
DESKTOP, PHONE, SMALL_PHONE = (
    {"width": width, "height": height} for width, height in ((1280, 800), (390, 844), (360, 740))
)


def pytest_addoption(parser):
    parser.addoption("--screenshots", metavar="DIR", type=Path, help="keep the pictures of the page in this folder")


FIGURES = pytest.StashKey[list]()


def pytest_configure(config):
    config.stash[FIGURES] = []


def pytest_terminal_summary(terminalreporter, config):
    for line in config.stash[FIGURES]:
        terminalreporter.write_line(line)


@pytest.fixture
def say(pytestconfig):
    """`say(text)`: a line for the end of the run."""
    return pytestconfig.stash[FIGURES].append


@pytest.fixture(scope="session")
def browser():
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    with sync_playwright() as playwright:
        path = chromium.find(playwright.chromium.executable_path)
        if path is None:
            pytest.exit(chromium.ADVICE, returncode=pytest.ExitCode.USAGE_ERROR)
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS, chromium_sandbox=not is_root)
        yield browser
        browser.close()


class Visits:
    """Opens pages, each in a browser that remembers nothing; keeps what they logged and what they asked for."""

    def __init__(self, browser):
        self.browser = browser
        self.contexts = []
        self.complaints = []

    def __call__(self, path, fragment="", **options):
        context = self.browser.new_context(**{"viewport": DESKTOP, "color_scheme": "light", **options})
        context.set_default_timeout(120_000)  # patience for a busy machine: speed has a test of its own
        self.contexts.append(context)
        address = path.as_uri()
        context.on("request", lambda request: self._asked(request, address))
        context.route(lambda url: url.partition("#")[0].partition("?")[0] != address, lambda route: route.abort())
        context.on("console", self._logged)
        context.on("weberror", lambda error: self.complaints.append(f"uncaught: {error.error}"))
        context.on("dialog", self._asked_the_reader)
        page = context.new_page()
        page.goto(address + fragment)
        return page

    def _asked(self, request, address):
        asked = request.url.partition("#")[0].partition("?")[0]
        if asked != address and not asked.startswith("data:"):
            self.complaints.append(f"request: {request.url}")

    def _logged(self, message):
        if message.type in ("error", "warning", "assert"):
            self.complaints.append(f"console {message.type}: {message.text}")

    def _asked_the_reader(self, dialog):
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def close(self):
        for context in self.contexts:
            context.close()


@pytest.fixture
def visit(browser):
    """`visit(path)` opens a page. None may log an error, break its own policy, or ask anything of the network."""
    visits = Visits(browser)
    yield visits
    visits.close()
    assert visits.complaints == []


class Built:
    """A page, and what it was built from."""

    def __init__(self, folder, records, *options):
        folder.mkdir(parents=True, exist_ok=True)
        self.paths = list(records)
        command = [sys.executable, "-m", "torchnotes", "page", *records, "--out", folder, *options]
        subprocess.run(list(map(str, command)), cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        self.path = folder / "index.html"

    @property
    def html(self):
        return self.path.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def build(tmp_path_factory):
    """`build(documents, *options)` is a page made of records that a test made up."""

    def build(documents, *options):
        folder = tmp_path_factory.mktemp("page")
        paths = []
        for number, document in enumerate(documents):
            paths.append(folder / f"record-{number:02}.json")
            paths[-1].write_text(json.dumps(document), encoding="utf-8")
        return Built(folder / "site", paths, *options)

    return build


@pytest.fixture(scope="session")
def records_of_here():
    return sorted((ROOT / "records").glob("torch-*.json"))


@pytest.fixture(scope="session")
def bench(tmp_path_factory):
    """What was measured here, or else something in its form."""
    measured = ROOT / "records" / "bench.json"
    if not measured.is_file():
        measured = tmp_path_factory.mktemp("bench") / "bench.json"
        measured.write_text(json.dumps(samples.bench()), encoding="utf-8")
    return measured


@pytest.fixture(scope="session")
def site(tmp_path_factory, records_of_here, bench):
    """The page of the records that the project keeps."""
    return Built(tmp_path_factory.mktemp("site"), records_of_here, "--bench", bench)


@pytest.fixture
def page(visit, site):
    """The page, opened on a desktop."""
    return visit(site.path)
