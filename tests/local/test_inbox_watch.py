"""Asiento notices what is dropped into the inbox of one machine, and asks for it to be taken in."""

import asyncio
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from structlog.testing import capture_logs

from local import inbox_watch
from local.inbox_watch import InboxWatch
from shared.adapters.embedded.inbox import FolderInbox
from shared.ports.inbox import Dropped


class Door:
    """Stands where reconcile answers: takes the files away, all but those that it is to leave."""

    def __init__(self, folder: Path) -> None:
        """Listen on a free port of loopback."""
        self.calls: list[object] = []
        door = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                door.calls.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                for path in folder.rglob("taken*"):
                    path.unlink()
                self.send_response(500 if any(folder.rglob("left*")) else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    """A door for one test."""
    door = Door(tmp_path)
    yield door
    door.server.shutdown()
    door.server.server_close()


def test_asks_once_for_what_is_new(tmp_path: Path, door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asiento asks for the job `inbox` when a file comes, and not again for what the job has left until anything changes."""
    monkeypatch.setattr(inbox_watch, "LOOK_EVERY_S", 0)
    watch = InboxWatch(FolderInbox(tmp_path, settled_after_s=0), door.url)

    async def drop_and_watch() -> None:
        watching = asyncio.create_task(watch.run())
        for names in (["taken.csv"], ["left.csv"], ["taken-2.csv"]):
            before = len(door.calls)
            for name in names:
                (tmp_path / "statement").mkdir(exist_ok=True)
                (tmp_path / "statement" / name).write_text("x")
            async with asyncio.timeout(20):
                while len(door.calls) == before:  # noqa: ASYNC110  the door is a thread and sets no event here
                    await asyncio.sleep(0)
            for _ in range(50):
                await asyncio.sleep(0.001)
        watch.is_stopped = True
        await watching

    asyncio.run(drop_and_watch())
    assert door.calls == [{"job": "inbox"}] * 3


def test_goes_on_where_reconcile_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asiento asks again while reconcile cannot be reached: a file waits and is not forgotten."""
    monkeypatch.setattr(inbox_watch, "LOOK_EVERY_S", 0)

    class LookedIntoThrice(FolderInbox):
        looks = 0

        def waiting(self) -> Iterator[Dropped]:
            self.looks += 1
            watch.is_stopped = self.looks == 3
            return super().waiting()

    (tmp_path / "statement").mkdir()
    (tmp_path / "statement" / "a.csv").write_text("x")
    watch = InboxWatch(LookedIntoThrice(tmp_path, settled_after_s=0), "http://127.0.0.1:1")
    with capture_logs() as told:
        asyncio.run(watch.run())
    assert [each["event"] for each in told] == ["inbox job not reached"] * 3
    assert watch._left == ()
