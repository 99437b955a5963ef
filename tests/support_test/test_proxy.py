from __future__ import annotations

import http.client
import http.server
import threading
import time
from contextlib import contextmanager

import pytest

from tests.support.proxy import FaultPlan, FaultProxy

BODY = bytes(range(256)) * 1024


class Origin(http.server.BaseHTTPRequestHandler):
    """Serves BODY (whole, or chunked at /chunked), and returns what it is sent."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        if self.path == "/chunked":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for piece in (BODY[:1000], BODY[1000:]):
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")
        else:
            self.send_header("Content-Length", str(len(BODY)))
            self.send_header("X-Host", self.headers["Host"])
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(BODY)

    do_HEAD = do_GET  # noqa: N815

    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):
        pass


@pytest.fixture(scope="module")
def origin():
    with Server(("127.0.0.1", 0), Origin) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@contextmanager
def client_of(proxy, timeout=10):
    host, port = proxy.endpoint_url.removeprefix("http://").split(":")
    client = http.client.HTTPConnection(host, int(port), timeout=timeout)
    try:
        yield client
    finally:
        client.close()


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        """Broken connections are what the tests make."""


def get(client, path="/object", **headers):
    client.request("GET", path, headers=headers)
    return client.getresponse().read()


@pytest.mark.parametrize("path", ["/object", "/chunked"])
def test_passes_and_counts(origin, path):
    with FaultProxy(origin) as proxy, client_of(proxy) as client:
        for _ in range(3):
            assert get(client, path, Range="bytes=0-9") == BODY
        (first, *_) = proxy.exchanges()
        assert (first.method, first.path, first.byte_range) == ("GET", path, "bytes=0-9")
        totals = proxy.totals()
        assert (totals.requests, totals.bytes_sent) == (3, 3 * len(BODY))
        proxy.reset()
        assert proxy.totals().requests == 0


def test_host_header_is_the_clients(origin):
    with FaultProxy(origin) as proxy, client_of(proxy) as client:
        client.request("HEAD", "/object")
        response = client.getresponse()
        response.read()
        assert f"http://{response.headers['X-Host']}" == proxy.endpoint_url
        assert proxy.totals("HEAD").bytes_sent == 0
        assert get(client) == BODY  # the connection is still in step


def test_upload(origin):
    with FaultProxy(origin) as proxy, client_of(proxy) as client:
        client.request("PUT", "/object", body=BODY, headers={"Expect": "100-continue"})
        assert client.getresponse().read() == BODY
        assert proxy.totals("PUT").bytes_received == len(BODY)


def test_unavailable(origin):
    plan = FaultPlan(unavailable=1.0, at_most=1)
    with FaultProxy(origin, plan) as proxy, client_of(proxy) as client:
        client.request("GET", "/object")
        response = client.getresponse()
        assert response.status == 503
        assert b"SlowDown" in response.read()
        assert get(client) == BODY
        assert proxy.totals().faults == {"unavailable": 1}


def test_reset(origin):
    with FaultProxy(origin, FaultPlan(reset=1.0)) as proxy:
        with client_of(proxy) as client, pytest.raises(ConnectionResetError):
            get(client)
        assert proxy.totals().bytes_sent == 0


def test_cut_resets_halfway(origin):
    with FaultProxy(origin, FaultPlan(cut=1.0)) as proxy:
        with client_of(proxy) as client, pytest.raises(ConnectionResetError):
            get(client)
        assert proxy.totals().bytes_sent == len(BODY) // 2


def test_truncate_ends_halfway(origin):
    with FaultProxy(origin, FaultPlan(truncate=1.0)) as proxy, client_of(proxy) as client:
        with pytest.raises(http.client.IncompleteRead) as raised:
            get(client)
        assert raised.value.partial == BODY[: len(BODY) // 2]


def test_stall_outlasts_an_impatient_client_only(origin):
    with FaultProxy(origin, FaultPlan(stall=1.0, stall_seconds=0.5)) as proxy:
        with client_of(proxy, timeout=0.1) as client, pytest.raises(TimeoutError):
            get(client)
        with client_of(proxy) as client:
            assert get(client) == BODY


def test_latency(origin):
    with FaultProxy(origin, FaultPlan(latency=0.2)) as proxy, client_of(proxy) as client:
        started = time.monotonic()
        get(client)
        assert time.monotonic() - started >= 0.2


def test_only_the_given_methods_fail(origin):
    plan = FaultPlan(reset=1.0, methods=("GET",))
    with FaultProxy(origin, plan) as proxy, client_of(proxy) as client:
        client.request("HEAD", "/object")
        assert client.getresponse().status == 200


def test_faults_depend_on_the_seed_alone():
    def faults(seed):
        plan = FaultPlan(unavailable=0.1, truncate=0.1, seed=seed)
        return [plan.fault(f"GET /{number}", attempt=0) for number in range(2000)]

    assert faults(1) == faults(1) != faults(2)
    for name in ("unavailable", "truncate"):
        assert 140 < faults(1).count(name) < 260
    plan = FaultPlan(truncate=0.5)
    assert {plan.fault("GET /a", attempt) for attempt in range(20)} == {None, "truncate"}


def test_stop_breaks_open_connections(origin):
    proxy = FaultProxy(origin, FaultPlan(stall=1.0, stall_seconds=60)).start()
    with client_of(proxy) as idle, client_of(proxy) as stalled:
        idle.connect()
        stalled.request("GET", "/object")
        stalled.getresponse().read(10)
        started = time.monotonic()
        proxy.stop()
        assert time.monotonic() - started < 5
    with pytest.raises(RuntimeError, match="not been started"):
        proxy.endpoint_url  # noqa: B018
    proxy.stop()


def test_target_must_be_http():
    with pytest.raises(ValueError, match="http://"):
        FaultProxy("s3://bucket")
