"""The pages in a real browser: nothing is blocked, nothing breaks out, and leafing works."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import runpy
import select
import shutil
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from casemix.evaluation.report.report_page import write_report
from casemix.evaluation.report.viewer_page import write_viewer

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium: apt-get install chromium")

STUBS = Path(__file__).parents[1] / "unit/evaluation/report/hostile.py"
hostile = SimpleNamespace(**runpy.run_path(str(STUBS)))
WIDTHS = {"desktop": 1280, "phone": 390}


class Browser:
    """A headless Chromium, spoken to over its DevTools pipe (file descriptors 3 and 4)."""

    def __init__(self, profile):
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        # The shell puts the pipe's ends on the two descriptors that Chromium expects.
        ends = f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}'
        flags = [
            "--headless",
            "--no-sandbox",
            "--remote-debugging-pipe",
            f"--user-data-dir={profile}",
        ]
        self._process = subprocess.Popen(
            ["bash", "-c", ends, "bash", CHROMIUM, *flags],
            pass_fds=(theirs_in, theirs_out),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._buffer, self._calls, self._session, self.events = b"", 0, "", []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method, **params):
        self._calls += 1
        message = {"id": self._calls, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._calls:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    def _read(self, seconds=60):
        until = time.monotonic() + seconds
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._in], [], [], max(until - time.monotonic(), 0))
            assert ready, "the browser does not answer"
            some = os.read(self._in, 1 << 16)
            assert some, "the browser has gone"
            self._buffer += some
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)

    def open(self, path, width, fragment=""):
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        self._load("about:blank")  # else another fragment of the same page would load nothing
        self._load(Path(path).as_uri() + fragment)

    def _load(self, url):
        self.events.clear()
        self.call("Page.navigate", url=url)
        while not any(e.get("method") == "Page.loadEventFired" for e in self.events):
            self.events.append(self._read())

    def run(self, code):
        answer = self.call("Runtime.evaluate", expression=code, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def press(self, key):
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key)

    def pdf(self):
        return base64.b64decode(self.call("Page.printToPDF", printBackground=True)["data"])

    def complaints(self):
        """Everything that the page logged: policy violations, errors, failed loads."""
        self.run("1")  # events sent before this answer have arrived
        wanted = ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled")
        return [e for e in self.events if e.get("method") in wanted]

    def requests(self):
        sent = [e for e in self.events if e.get("method") == "Network.requestWillBeSent"]
        urls = [e["params"]["request"]["url"] for e in sent]
        return [url for url in urls if not url.startswith("data:")]

    def close(self):
        with contextlib.suppress(OSError, AssertionError):  # it may have gone already
            self._session = ""
            self.call("Browser.close")
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
        os.close(self._out)
        os.close(self._in)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    made = hostile.cohort(8, "synthetic", prefix="s")
    real = hostile.cohort(6, "real", prefix="r", seed=1)
    write_report(hostile.metrics(), real, made, folder / "report.html")
    write_viewer({f"made {hostile.SCRIPT}": made, "real": real}, folder / "patients.html")
    return folder


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
@pytest.mark.parametrize("page", ["report.html", "patients.html"])
def test_page_loads_only_itself_and_breaks_no_policy(browser, pages, page, width):
    browser.open(pages / page, width)
    assert browser.run("document.title") != "broken"
    assert browser.run("document.querySelectorAll('script:not(head script)').length") == 0
    assert (
        browser.run("getComputedStyle(document.querySelector('.tag')).color")
        == "rgb(255, 255, 255)"
    )
    assert browser.complaints() == []
    assert len(browser.requests()) == 1  # the page itself


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
@pytest.mark.parametrize("page", ["report.html", "patients.html"])
def test_page_fits_the_width(browser, pages, page, width):
    browser.open(pages / page, width)
    assert browser.run("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("page", ["report.html", "patients.html"])
def test_hostile_strings_are_shown_as_text(browser, pages, page):
    browser.open(pages / page, 1280)
    text = browser.run("document.body.textContent")
    for string in hostile.STRINGS:
        assert string in text
    assert browser.run("document.querySelectorAll('[onerror]').length") == 0


def test_policy_stops_a_script_that_is_not_ours(browser, pages, tmp_path):
    # The control of the tests above: were a record to break out, the policy would still hold.
    html = (pages / "patients.html").read_text(encoding="utf-8")
    (tmp_path / "bad.html").write_text(html.replace("</main>", hostile.SCRIPT + "</main>"), "utf-8")
    browser.open(tmp_path / "bad.html", 1280)
    assert browser.run("document.title") != "broken"
    assert browser.complaints() != []


def shown(browser):
    """Return the ids of the patients that can be seen."""
    seen = "[...document.querySelectorAll('.patient')].filter(p => p.offsetParent)"
    return browser.run(f"{seen}.map(p => p.dataset.id)")


def listed(browser):
    """Return the ids in the list of patients found."""
    entries = "[...document.querySelectorAll('#list button')]"
    return browser.run(f"{entries}.map(b => b.firstChild.textContent)")


def search(browser, words):
    browser.run("document.getElementById('search').value = ''")
    browser.press("/")
    browser.call("Input.insertText", text=words)


def test_viewer_leafs_with_buttons_and_keys(browser, pages):
    browser.open(pages / "patients.html", 1280)
    assert shown(browser) == ["s-0"]
    browser.run("document.getElementById('next').click()")
    assert shown(browser) == ["s-1"]
    browser.press("ArrowRight")
    assert shown(browser) == ["s-2"]
    browser.press("ArrowLeft")
    assert shown(browser) == ["s-1"]


def test_viewer_searches_ids_and_context(browser, pages):
    browser.open(pages / "patients.html", 390)
    search(browser, "S-3")
    assert shown(browser) == listed(browser) == ["s-3"]
    browser.press("Escape")
    search(browser, "diagnoses e11")
    assert listed(browser) == ["s-2", "s-5"]
    browser.press("Escape")
    search(browser, "nobody like this")
    assert shown(browser) == listed(browser) == []
    assert browser.run("document.getElementById('nobody').hidden") is False


def test_viewer_tells_real_and_synthetic_apart(browser, pages):
    browser.open(pages / "patients.html", 1280)
    banner = "document.querySelector('.patient.current .banner')"
    colour = f"getComputedStyle({banner}).borderLeftColor"
    assert browser.run(f"{banner}.textContent").startswith("SYNTHETIC PATIENT")
    synthetic = browser.run(colour)
    browser.run("document.querySelector('input[value=\"1\"]').click()")
    assert shown(browser) == ["r-0"]
    assert browser.run(f"{banner}.textContent").startswith("REAL PATIENT")
    assert browser.run(colour) != synthetic


def test_viewer_hides_masks(browser, pages):
    browser.open(pages / "patients.html", 1280)
    visible = "getComputedStyle(document.querySelector('.patient.current .overlay')).visibility"
    assert browser.run(visible) == "visible"
    browser.press("m")
    assert browser.run(visible) == "hidden"


def test_viewer_opens_the_patient_in_its_address(browser, pages):
    browser.open(pages / "patients.html", 1280, "#1/r-3")
    assert shown(browser) == ["r-3"]


def test_report_prints_on_pages(browser, pages):
    browser.open(pages / "report.html", 1280)
    assert len(re.findall(rb"/Type /Page\b(?!s)", browser.pdf())) >= 3
