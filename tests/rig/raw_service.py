"""The least that stands for the service where its answers are to be such as no library would send."""

from __future__ import annotations

import json
import socketserver
import threading
from types import TracebackType
from typing import Self

SESSION = (
    b'{"message":"made","data":{"wsUrl":"wss://ingest.example/videosdk?ref=vs_0123456789abcdef",'
    b'"callId":"call-1","expiresIn":90}}'
)


def answer(body: bytes, status: str = "200 OK", *fields: bytes) -> bytes:
    """An answer with these further lines in its head."""
    lines = [f"HTTP/1.1 {status}".encode(), b"Content-Length: %d" % len(body), *fields]
    return b"\r\n".join([*lines, b"Content-Type: application/json", b"Connection: close", b"", body])


class RawService:
    """Answers every POST with `said`, in bare bytes, and every GET with the public key; a context manager."""

    def __init__(self, public_key_pem: str) -> None:
        self.said = answer(SESSION)
        service = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                first = self.rfile.readline()
                length = 0
                while (line := self.rfile.readline()).strip():
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.partition(b":")[2])
                self.rfile.read(length)
                key = answer(json.dumps({"publicKey": public_key_pem}).encode())
                self.wfile.write(key if first.startswith(b"GET") else service.said)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name="raw service")
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
