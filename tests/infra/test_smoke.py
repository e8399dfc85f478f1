"""The smoke test, against the real receiving door: it must pass when all is well and fail when anything is not."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from scripts import smoke


class Refuses(BaseHTTPRequestHandler):
    """Answers as Google's front does to whoever has no identity."""

    def do_POST(self) -> None:
        """Refuse."""
        self.send_error(403)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name that http.server gives it
        """Say nothing."""


@pytest.fixture(scope="module")
def private_url() -> Iterator[str]:
    """Yield the address of a door that refuses everybody."""
    server = HTTPServer(("127.0.0.1", 0), Refuses)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def receive_url(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the address of the real receiving door under functions-framework."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "PYTHONPATH": str(repository),
        "ASIENTO_HOME": str(tmp_path_factory.mktemp("home")),
        "ASIENTO_PROVIDERS": "stripe",
        "ASIENTO_SECRET_STRIPE_WEBHOOK": "whsec_of_the_smoke_test",
    }
    source = str(repository / "functions" / "receive" / "main.py")
    arguments = ["--target", "receive", "--source", source, "--host", "127.0.0.1", "--port", str(port)]
    program = "from functions_framework._cli import _cli; _cli()"
    process = subprocess.Popen(  # noqa: S603  our own interpreter and our own door
        [sys.executable, "-c", program, *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        yield _answering(f"http://127.0.0.1:{port}", process)
    finally:
        process.terminate()
        process.communicate(timeout=10)


def test_the_smoke_test_passes_where_all_is_well(
    receive_url: str, private_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Asiento's deployment is called good when receive refuses for the right reasons and the others refuse at all."""
    smoke.main(["--outputs", str(_outputs(tmp_path, receive_url, ["stripe"], [private_url]))])
    assert capsys.readouterr().out == "2 doors answer as they should, for stripe\n"


def test_the_smoke_test_fails_for_a_provider_that_is_not_listened_to(receive_url: str) -> None:
    """Asiento's deployment is called bad when a provider that should be listened to is not."""
    assert list(smoke.faults(receive_url, ["betterez"], [])) == [
        f"POST {receive_url}/betterez answered 404 unknown_provider, not 401 signature_missing"
    ]


def test_the_smoke_test_fails_for_a_private_door_that_answers(
    receive_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Asiento's deployment is called bad when a private door lets a stranger talk to its code."""
    with pytest.raises(SystemExit) as ended:
        smoke.main(["--outputs", str(_outputs(tmp_path, receive_url, ["stripe"], [f"{receive_url}/derive"]))])
    assert ended.value.code == 1
    assert "must refuse whoever has no identity" in capsys.readouterr().err


def test_the_smoke_test_fails_where_nobody_answers() -> None:
    """Asiento's deployment is called bad when there is nothing at its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        silent = f"http://127.0.0.1:{free.getsockname()[1]}"
    assert len(list(smoke.faults(silent, ["stripe"], [silent]))) == 4


def test_the_smoke_test_reads_what_terraform_prints(terraform: Path) -> None:
    """Asiento's smoke test finds its three inputs among Terraform's outputs."""
    declared = (terraform / "outputs.tf").read_text()
    assert all(f'output "{name}"' in declared for name in ("receive_url", "providers", "private_urls"))


def _outputs(folder: Path, receive_url: str, providers: list[str], private_urls: list[str]) -> Path:
    values = {"receive_url": receive_url, "providers": providers, "private_urls": private_urls}
    path = folder / "outputs.json"
    path.write_text(json.dumps({name: {"value": value} for name, value in values.items()}))
    return path


def _answering(url: str, process: subprocess.Popen[bytes]) -> str:
    """Wait until the door answers at all and return its address."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        if smoke.knock("GET", url).status:
            return url
        time.sleep(0.05)
    process.terminate()
    pytest.fail(f"the receiving door did not start: {process.communicate()[0].decode()}")
