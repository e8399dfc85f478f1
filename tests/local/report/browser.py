"""A real browser for the tests: headless Chromium, spoken to over a pipe in its own protocol."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_FLAGS = (
    "--headless=new",
    "--no-sandbox",  # in a container there may be no other user to drop to; the page is our own
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--remote-debugging-pipe",
)
_AS_FILES_3_AND_4 = """
import os, sys
commands, answers = (os.dup(int(each)) for each in sys.argv[1:3])
os.dup2(commands, 3)
os.dup2(answers, 4)
os.set_inheritable(3, True)
os.set_inheritable(4, True)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""The protocol's pipe is file 3 for commands and file 4 for answers."""


def executable() -> str:
    """Return the browser that there is; skips the test where there is none."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        pytest.skip(f"no browser: none of {', '.join(_NAMES)} is on the path; apt-get install chromium")
    return found


class Page:
    """One open page, and all that the browser has told of it."""

    def __init__(self, commands: int, answers: int) -> None:
        """Take the two ends of the pipe and open an empty page."""
        self._commands = commands
        self._answers = answers
        self._rest = b""
        self._last_id = 0
        self._session = ""
        self.events: list[dict[str, Any]] = []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and return its answer; what the browser tells meanwhile is kept in `events`."""
        self._last_id += 1
        message = {"id": self._last_id, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            told = self._next()
            if told.get("id") == self._last_id:
                assert "error" not in told, f"{method}: {told['error']}"
                return dict(told["result"])
            self.events.append(told)

    def open(self, path: Path) -> None:
        """Open a file and wait until it is loaded."""
        self.events.clear()
        self.send("Page.navigate", url=path.as_uri())
        self.wait_for("Page.loadEventFired")

    def wait_for(self, method: str) -> dict[str, Any]:
        """Wait until the browser has told something under a name, and return the first of it."""
        while not (told := self.told(method)):
            self.events.append(self._next())
        return told[0]

    def ask(self, expression: str) -> Any:
        """Return what an expression comes to in the page."""
        answer = self.send("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key: str, text: str = "") -> None:
        """Press a key and let it go."""
        code = {"Tab": 9, "Enter": 13}[key]
        about = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        self.send("Input.dispatchKeyEvent", type="keyDown", text=text, **about)
        self.send("Input.dispatchKeyEvent", type="keyUp", **about)

    def width(self, pixels: int) -> None:
        """Look at the page through a screen of this width."""
        self.send(
            "Emulation.setDeviceMetricsOverride", width=pixels, height=800, deviceScaleFactor=1, mobile=pixels < 600
        )

    def told(self, method: str) -> list[dict[str, Any]]:
        """Return what the browser told under one name."""
        return [event["params"] for event in self.events if event["method"] == method]

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            read = os.read(self._answers, 1 << 16)
            assert read, "the browser has gone"
            self._rest += read
        message, _, self._rest = self._rest.partition(b"\0")
        return dict(json.loads(message))


@contextmanager
def opened(profile: Path) -> Iterator[Page]:
    """Start a browser with a profile of its own, and end it."""
    their_commands, our_commands = os.pipe()
    our_answers, their_answers = os.pipe()
    begin = [sys.executable, "-c", _AS_FILES_3_AND_4, str(their_commands), str(their_answers)]
    browser = subprocess.Popen(  # noqa: S603  a browser of this machine, on a page of ours
        [*begin, executable(), *_FLAGS, f"--user-data-dir={profile}"],
        pass_fds=(their_commands, their_answers),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(their_commands)
    os.close(their_answers)
    try:
        yield Page(our_commands, our_answers)
    finally:
        browser.kill()
        browser.wait(timeout=20)
        os.close(our_commands)
        os.close(our_answers)
