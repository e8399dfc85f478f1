"""Serves the APIs on a loopback port, in a thread beside whoever asks them."""

import socket
import threading
from types import TracebackType
from typing import Self

import uvicorn

from local.simulator.api.app import Api

_HOST = "127.0.0.1"
_STOP_S_MAX = 20


class ApiServer:
    """A context in which the APIs of a season answer: `with ApiServer(Api(season.company)) as server: ...`."""

    def __init__(self, api: Api, port: int = 0) -> None:
        """Serve on a port; 0 takes a free one."""
        self.api = api
        self._socket = socket.create_server((_HOST, port))
        config = uvicorn.Config(api.app, log_level="warning", access_log=False, lifespan="off", ws="none")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="provider-apis", daemon=True)

    @property
    def port(self) -> int:
        """Return the port on which it answers."""
        return int(self._socket.getsockname()[1])

    def base_url(self, provider: str) -> str:
        """Return the base URL of a provider's API."""
        return f"http://{_HOST}:{self.port}/{provider}"

    def __enter__(self) -> Self:
        """Start; connections wait in the socket's queue until it answers."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, and wait until the port is free."""
        self._server.should_exit = True
        self._thread.join(_STOP_S_MAX)
        self._socket.close()

    def _run(self) -> None:
        self._server.run(sockets=[self._socket])
