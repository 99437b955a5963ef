"""An HTTP proxy in front of an S3 endpoint that counts what passes, and breaks some of it.

A client is given the proxy's address as its endpoint. Requests go on unchanged (the signed Host
header too), so that signatures stay valid; answers come back with the faults of a `FaultPlan`:

    with FaultProxy(server.endpoint_url, FaultPlan(truncate=0.05, seed=1)) as proxy:
        options = proxy.storage_options(server.storage_options)
        ...
        assert proxy.totals().bytes_sent <= 1.1 * size

Whether a request fails depends on the seed, the request and how often it came before, never on
the order in which threads get through: a run can be repeated.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import http.server
import os
import socket
import struct
import threading
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PIECE = 64 * 1024
# Headers of one connection, not of the message: each side of the proxy has its own.
_HOP_HEADERS = {"connection", "keep-alive", "proxy-connection", "te", "transfer-encoding"}
_SLOW_DOWN = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n'
    b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
)


@dataclass(frozen=True)
class FaultPlan:
    """Which part of the requests fails, and how.

    Parameters
    ----------
    unavailable : float
        Rate (0 to 1) of requests answered by ``503 SlowDown``; they do not reach the server.
    reset : float
        Rate of connections reset before the answer; the request does not reach the server.
    cut : float
        Rate of connections reset halfway through the answer's body.
    truncate : float
        Rate of answers that end halfway through the body, with the connection closed in order.
    stall : float
        Rate of answers that stop halfway for `stall_seconds`, then go on.
    stall_seconds : float
        Length of a stall.
    latency : float
        Seconds added to every request.
    methods : tuple of str
        The requests that may fail.
    at_most : int, optional
        Most faults of one and the same request; ``at_most=1`` lets every second attempt pass.
    seed : int
        Another seed, other victims.
    """

    unavailable: float = 0.0
    reset: float = 0.0
    cut: float = 0.0
    truncate: float = 0.0
    stall: float = 0.0
    stall_seconds: float = 5.0
    latency: float = 0.0
    methods: tuple[str, ...] = ("GET",)
    at_most: int | None = None
    seed: int = 0

    def fault(self, request: str, attempt: int) -> str | None:
        """Return the name of the fault for the given attempt (from 0) of a request, or None."""
        if request.split(" ", 1)[0] not in self.methods:
            return None
        digest = hashlib.blake2b(f"{self.seed} {attempt} {request}".encode(), digest_size=8)
        draw = int.from_bytes(digest.digest(), "big") / 2**64
        for name in ("unavailable", "reset", "cut", "truncate", "stall"):
            draw -= getattr(self, name)
            if draw < 0:
                return name
        return None


@dataclass
class Exchange:
    """One request and its answer, as far as it has come.

    Attributes
    ----------
    method, path : str
        Of the request; the path includes the query.
    byte_range : str or None
        The Range header, such as ``bytes=0-99``.
    fault : str or None
        Name of the fault that was injected.
    status : int
        Of the answer, 0 if there was none.
    bytes_received, bytes_sent : int
        Bytes of the request's body from the client, and of the answer's body to it.
    """

    method: str
    path: str
    byte_range: str | None
    fault: str | None
    status: int = 0
    bytes_received: int = 0
    bytes_sent: int = 0


@dataclass
class Totals:
    """Sums over the exchanges of a proxy.

    Attributes
    ----------
    requests : int
        All requests, those that failed included.
    bytes_received, bytes_sent : int
        Bytes of bodies from clients (uploads), and to them (downloads).
    methods, faults : Counter
        Requests by method; injected faults by name.
    """

    requests: int = 0
    bytes_received: int = 0
    bytes_sent: int = 0
    methods: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)


class FaultProxy:
    """The proxy: started by ``with`` or `start`, ended by `stop`.

    Parameters
    ----------
    target : str
        The endpoint behind it, such as ``http://127.0.0.1:8333``.
    plan : FaultPlan, optional
        The faults; by default none, and the proxy only counts. The attribute `plan` may be
        replaced at any time.
    """

    def __init__(self, target: str, plan: FaultPlan | None = None) -> None:
        parts = urlsplit(target)
        if parts.scheme != "http" or parts.hostname is None:
            raise ValueError(f"the target must be an http:// address, not {target!r}")
        self.target = (parts.hostname, parts.port or 80)
        self.plan = plan or FaultPlan()
        self._lock = threading.Lock()
        self._exchanges: list[Exchange] = []
        self._attempts: Counter[str] = Counter()
        self._faults: Counter[str] = Counter()
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def start(self) -> Self:
        """Listen on a free port of 127.0.0.1."""
        if self._server is None:
            self._server = _Server(self)
            # The short poll is what `stop` waits for.
            self._thread = threading.Thread(
                target=self._server.serve_forever, args=(0.02,), name="fault-proxy", daemon=True
            )
            self._thread.start()
        return self

    def stop(self) -> None:
        """Stop listening, break the open connections and end their threads."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            self._server = self._thread = None

    @property
    def endpoint_url(self) -> str:
        """The address that clients are given."""
        if self._server is None:
            raise RuntimeError("the proxy has not been started")
        return f"http://127.0.0.1:{self._server.server_port}"

    def storage_options(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return fsspec options for the server behind, changed to go through the proxy."""
        client = {**options.get("client_kwargs", {}), "endpoint_url": self.endpoint_url}
        return {**options, "client_kwargs": client}

    def exchanges(self, method: str | None = None) -> list[Exchange]:
        """Return the exchanges in the order they began, all or those of one method."""
        with self._lock:
            return [replace(each) for each in self._exchanges if method in (None, each.method)]

    def totals(self, method: str | None = None) -> Totals:
        """Return the sums over the exchanges, all or those of one method."""
        totals = Totals()
        for each in self.exchanges(method):
            totals.requests += 1
            totals.bytes_received += each.bytes_received
            totals.bytes_sent += each.bytes_sent
            totals.methods[each.method] += 1
            if each.fault is not None:
                totals.faults[each.fault] += 1
        return totals

    def reset(self) -> None:
        """Forget what has passed, the attempts of each request too."""
        with self._lock:
            self._exchanges.clear()
            self._attempts.clear()
            self._faults.clear()

    def _begin(self, method: str, path: str, byte_range: str | None) -> Exchange:
        """Note a new request, and decide its fault."""
        plan = self.plan
        request = f"{method} {path} {byte_range or ''}".rstrip()
        with self._lock:
            fault = plan.fault(request, self._attempts[request])
            self._attempts[request] += 1
            if plan.at_most is not None and self._faults[request] >= plan.at_most:
                fault = None
            self._faults[request] += fault is not None
            exchange = Exchange(method, path, byte_range, fault)
            self._exchanges.append(exchange)
            return exchange


class _Server(http.server.ThreadingHTTPServer):
    """Listens for the proxy, and knows its open connections so that it can break them."""

    daemon_threads = False  # joined by server_close
    request_queue_size = 128

    def __init__(self, proxy: FaultProxy) -> None:
        self.proxy = proxy
        self.stopping = threading.Event()
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._open_lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._open_lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        self.stopping.set()
        with self._open_lock:
            for connection in self._open:
                with contextlib.suppress(OSError):  # the client was faster
                    connection.shutdown(socket.SHUT_RDWR)
        super().server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients break connections, as the tests make them do."""


class _Handler(http.server.BaseHTTPRequestHandler):
    """One connection of a client; each request goes on over a connection of its own."""

    server: _Server
    protocol_version = "HTTP/1.1"

    def finish(self) -> None:
        with contextlib.suppress(OSError):
            super().finish()

    def log_message(self, format: str, *args: Any) -> None:
        """Keep no log: `FaultProxy.exchanges` has it all."""

    def do_GET(self) -> None:
        proxy = self.server.proxy
        self._now = proxy._begin(self.command, self.path, self.headers.get("Range"))
        try:
            self._answer(proxy.plan)
        except (OSError, http.client.HTTPException):
            # The client or the server behind went away: let the other side see that as well.
            self._break_connection()

    do_HEAD = do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815

    def _answer(self, plan: FaultPlan) -> None:
        if plan.latency:
            self.server.stopping.wait(plan.latency)
        if self._now.fault == "reset":
            self._break_connection()
        elif self._now.fault == "unavailable":
            for _ in self._request_body():
                pass
            self._answer_unavailable()
        else:
            upstream = http.client.HTTPConnection(*self.server.proxy.target)
            with contextlib.closing(upstream):
                self._forward_request(upstream)
                self._forward_answer(upstream.getresponse(), plan)

    def _forward_request(self, upstream: http.client.HTTPConnection) -> None:
        upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        chunked = "chunked" in self.headers.get("Transfer-Encoding", "").lower()
        for name, value in self.headers.items():
            # "Expect" was answered by this side.
            if name.lower() not in _HOP_HEADERS | {"expect"}:
                upstream.putheader(name, value)
        if chunked:
            upstream.putheader("Transfer-Encoding", "chunked")
        upstream.endheaders()
        for piece in self._request_body():
            upstream.send(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
        if chunked:
            upstream.send(b"0\r\n\r\n")

    def _request_body(self) -> Iterator[bytes]:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            while size := int(self.rfile.readline().split(b";")[0], 16):
                yield self._read_request(size)
                self.rfile.readline()
            while self.rfile.readline().strip():  # trailers
                pass
            return
        remaining = int(self.headers.get("Content-Length", 0))
        while remaining:
            piece = self._read_request(min(remaining, _PIECE))
            remaining -= len(piece)
            yield piece

    def _read_request(self, size: int) -> bytes:
        piece = self.rfile.read(size)
        if len(piece) < size:
            raise ConnectionResetError("the client left in the middle of its request")
        self._now.bytes_received += size
        return piece

    def _forward_answer(self, response: http.client.HTTPResponse, plan: FaultPlan) -> None:
        self._now.status = response.status
        self.send_response_only(response.status, response.reason)
        for name, value in response.getheaders():
            if name.lower() not in _HOP_HEADERS:
                self.send_header(name, value)
        has_body = self.command != "HEAD" and response.status not in (204, 304)
        chunked = has_body and response.length is None
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        half = None
        if has_body and self._now.fault in ("cut", "truncate", "stall"):
            half = (response.length or 0) // 2
        while piece := response.read(_PIECE):
            if half is not None and self._now.bytes_sent + len(piece) > half:
                kept = half - self._now.bytes_sent
                self._send(piece[:kept], chunked)
                piece, half = piece[kept:], None
                if not self._go_on(plan):
                    return
            self._send(piece, chunked)
        if chunked:
            self.wfile.write(b"0\r\n\r\n")

    def _go_on(self, plan: FaultPlan) -> bool:
        """Let the fault happen in the middle of a body; return whether the rest follows."""
        if self._now.fault == "stall":
            self.server.stopping.wait(plan.stall_seconds)
            return True
        if self._now.fault == "cut":
            self._break_connection()
        self.close_connection = True
        return False

    def _send(self, piece: bytes, chunked: bool) -> None:
        # Counted before it is sent: who has received all of it also finds all of it counted.
        self._now.bytes_sent += len(piece)
        if piece:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)

    def _answer_unavailable(self) -> None:
        body = b"" if self.command == "HEAD" else _SLOW_DOWN
        self._now.status = 503
        self.send_response_only(503)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(_SLOW_DOWN)))
        self.end_headers()
        self._send(body, chunked=False)

    def _break_connection(self) -> None:
        """Close with a reset instead of an orderly end."""
        self.close_connection = True
        if self.connection.fileno() != -1:
            # No lingering: the kernel sends RST. Not through socket.close(), which only takes
            # effect after the last of the file objects on it is closed.
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            os.close(self.connection.detach())
