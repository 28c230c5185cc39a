"""Debian's Chromium without a window, driven over a pipe: its DevTools protocol needs no library and no port."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import itertools
import json
import os
import select
import signal
import subprocess
from pathlib import Path
from typing import Any

EXECUTABLE = "chromium"
FLAGS = (
    "--headless",
    "--remote-debugging-pipe",
    "--no-sandbox",  # which root, and a container, cannot have; it opens nothing but this project's pages
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-sync",
    "--no-first-run",
)
WAIT_S = 60
A4_PX = 688
"""What the style sheet's margins leave of 210 mm, in CSS pixels."""
LAUNCH = 'exec "$@" 3<&"$FROM_TEST" 4>&"$TO_TEST"'
"""Chromium reads commands from file descriptor 3 and answers on 4; of bash, as dash knows only small numbers."""


class Chromium:
    """One browser process; ``tell`` gives it a command; what it reports meanwhile waits in ``events``."""

    def __init__(self, profile: Path) -> None:
        read_by_browser, self._to = os.pipe()
        self._from, written_by_browser = os.pipe()
        inherited = [fcntl.fcntl(fd, fcntl.F_DUPFD, 10) for fd in (read_by_browser, written_by_browser)]
        names = {"FROM_TEST": str(inherited[0]), "TO_TEST": str(inherited[1]), "HOME": str(profile)}
        self._process = subprocess.Popen(
            ["bash", "-c", LAUNCH, "bash", EXECUTABLE, *FLAGS, f"--user-data-dir={profile}"],
            env=os.environ | names, pass_fds=inherited, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        for fd in (read_by_browser, written_by_browser, *inherited):
            os.close(fd)
        self._numbers, self._unread = itertools.count(1), b""
        self.events: list[dict[str, Any]] = []

    def tell(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """The answer to a command; raises RuntimeError where it is an error."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters} | ({"sessionId": session} if session else {})
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._to, data) :]
        while (answer := self._message()).get("id") != number:
            pass
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def wait_for(self, method: str) -> None:
        """Until the browser has reported that, since the events were last cleared."""
        while not any(event["method"] == method for event in self.events):
            self._message()

    def close(self) -> None:
        """Ends the browser with all its processes."""
        with contextlib.suppress(OSError, RuntimeError):
            self.tell("Browser.close")
        for fd in (self._to, self._from):
            os.close(fd)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(10)
        with contextlib.suppress(ProcessLookupError):  # a group of its own
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _message(self) -> dict[str, Any]:
        """The next one; what is no answer is kept as an event."""
        while b"\0" not in self._unread:
            if not select.select([self._from], [], [], WAIT_S)[0]:
                raise RuntimeError(f"{EXECUTABLE} says nothing for {WAIT_S} s")
            data = os.read(self._from, 1 << 20)
            if not data:
                raise RuntimeError(f"{EXECUTABLE} is gone")
            self._unread += data
        raw, _, self._unread = self._unread.partition(b"\0")
        message = json.loads(raw)
        if "method" in message:
            self.events.append(message)
        return message


class Page:
    """A tab of its own."""

    def __init__(self, browser: Chromium) -> None:
        self._browser = browser
        target = browser.tell("Target.createTarget", url="about:blank")["targetId"]
        self._session = browser.tell("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._tell(f"{domain}.enable")

    def open(self, file: Path, width: int) -> None:
        """Shows a file in a window of ``width`` CSS pixels; returns when all of it is there."""
        self._tell("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=False)
        self._browser.events.clear()
        self._tell("Page.navigate", url=file.as_uri())
        self._browser.wait_for("Page.loadEventFired")

    def evaluate(self, script: str) -> Any:
        """The value of a script, which the page's own policy does not hold back; waits for a promise."""
        found = self._tell("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in found:
            raise RuntimeError(str(found["exceptionDetails"]))
        return found["result"].get("value")

    def pdf(self) -> bytes:
        """As printed."""
        return base64.b64decode(self._tell("Page.printToPDF", preferCSSPageSize=True)["data"])

    def in_print(self, script: str) -> Any:
        """``evaluate`` while it is laid out as for an A4 page."""
        self._tell("Emulation.setEmulatedMedia", media="print")
        self._tell("Emulation.setDeviceMetricsOverride", width=A4_PX, height=800, deviceScaleFactor=1, mobile=False)
        try:
            return self.evaluate(script)
        finally:
            self._tell("Emulation.setEmulatedMedia", media="")

    def picture(self) -> bytes:
        """All of the page, as PNG."""
        return base64.b64decode(self._tell("Page.captureScreenshot", captureBeyondViewport=True)["data"])

    def complaints(self) -> list[str]:
        """What the console, scripts and the page's policy had to say since it was opened."""
        told = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")
        return [json.dumps(event["params"]) for event in self._browser.events if event["method"] in told]

    def requests(self) -> list[str]:
        """What it loaded, without what was in it."""
        asked = [event for event in self._browser.events if event["method"] == "Network.requestWillBeSent"]
        urls = [event["params"]["request"]["url"] for event in asked]
        return [url for url in urls if not url.startswith("data:")]

    def _tell(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self._browser.tell(method, self._session, **parameters)
