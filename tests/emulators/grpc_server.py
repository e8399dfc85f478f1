"""What the gRPC emulators share: serving protocol messages by method name, with faults and counts at every call."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Self

import grpc

from tests.emulators.faults import Fault, Faults

Answer = Any
"""A protocol message, or an iterable of them where the method streams its answer."""


class RpcRefused(Exception):  # noqa: N818  it is the service that refuses, not our code that errs
    """A call that the service would refuse, with the code and the words that it uses."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        """Name the status."""
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Method:
    """One method of a service: its messages (protobuf classes), what it does, and whether its answer is a stream."""

    request: Any
    response: Any
    handle: Callable[[Any], Answer]
    streams: bool = False


class GrpcEmulator:
    """A server of one or more services: `with SomeEmulator() as emulator:` answers at `emulator.host`."""

    def __init__(self, services: Mapping[str, Mapping[str, Method]], *, threads: int = 24) -> None:
        """Bind a free port; nothing is served before the block is entered."""
        self.faults = Faults()
        self._server = grpc.server(ThreadPoolExecutor(threads), options=[("grpc.max_receive_message_length", 16 << 20)])
        for service, methods in services.items():
            handlers = {name: self._handler(name, method) for name, method in methods.items()}
            self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
        self.host = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"

    def __enter__(self) -> Self:
        """Start serving."""
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop serving and free the port."""
        self._server.stop(grace=None).wait()

    def _handler(self, name: str, method: Method) -> "grpc.RpcMethodHandler[Any, Any]":
        def answer_once(request: Any, context: grpc.ServicerContext) -> Any:
            return self._answered(name, method, request, context)[0]

        def answer_many(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
            return self._answered_many(name, method, request, context)

        make = grpc.unary_stream_rpc_method_handler if method.streams else grpc.unary_unary_rpc_method_handler
        return make(
            answer_many if method.streams else answer_once,
            request_deserializer=method.request.FromString,
            response_serializer=method.response.SerializeToString,
        )

    def _answered(
        self, name: str, method: Method, request: Any, context: grpc.ServicerContext
    ) -> tuple[Answer, Fault | None]:
        """Do what a call asks, or fail as planned."""
        fault = self.faults.on_call(name)
        if fault not in (None, Fault.ANSWER_LOST):
            context.abort(fault.code, f"{fault.name} by plan")
        try:
            answer = list(method.handle(request)) if method.streams else method.handle(request)
        except RpcRefused as refused:
            context.abort(refused.code, str(refused))
        if fault is Fault.ANSWER_LOST and not method.streams:
            context.abort(fault.code, "the answer is lost by plan")
        return answer, fault

    def _answered_many(self, name: str, method: Method, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        """Stream an answer; where it is to be lost, it breaks off half-way."""
        answer, fault = self._answered(name, method, request, context)
        if fault is Fault.ANSWER_LOST:
            yield from answer[: len(answer) // 2]
            context.abort(fault.code, "the answer breaks off by plan")
        yield from answer
