"""What a client hears that sends bytes which are no message."""

from collections.abc import Awaitable, Callable
from typing import Any

import grpc


class RefuseUndecodable(grpc.aio.ServerInterceptor):
    """Ends such calls with INTERNAL, as gRPC's C++ servers do, and a sentence.

    Without it, grpc.aio says UNKNOWN, and writes a stack trace to the log for each.
    """

    def __init__(self) -> None:
        self._handlers: dict[str, grpc.RpcMethodHandler | None] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler | None:
        """GRPC's hook: the handler of a method."""
        method = handler_call_details.method
        if method not in self._handlers:
            handler = await continuation(handler_call_details)
            if handler is None or handler.unary_unary is None:  # unknown, or not this server's
                return handler
            self._handlers[method] = _decoding(handler)
        return self._handlers[method]


def _decoding(handler: grpc.RpcMethodHandler) -> grpc.RpcMethodHandler:
    async def answer(message: bytes, context: grpc.aio.ServicerContext) -> Any:
        try:
            request = handler.request_deserializer(message)
        except Exception as error:  # the error's type is another one in every protobuf
            await context.abort(grpc.StatusCode.INTERNAL, f"Failed to parse the request: {error}")
        return await handler.unary_unary(request, context)

    return grpc.unary_unary_rpc_method_handler(
        answer, response_serializer=handler.response_serializer
    )
