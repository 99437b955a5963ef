from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

import s3_server
from s3_server import S3ServerError, SeaweedServer
from tests.support.proxy import FaultPlan, FaultProxy

pytestmark = pytest.mark.s3

EXAMPLES = Path(s3_server.__file__).parent


@pytest.fixture(params=["moto_s3", "seaweed_s3"])
def endpoint(request):
    return request.getfixturevalue(request.param)


def test_stores_lists_and_reads_ranges(endpoint):
    filesystem = endpoint.filesystem()
    bucket = endpoint.new_bucket()
    data = bytes(range(256)) * 100
    filesystem.pipe(f"{bucket}/folder/object", data)
    assert filesystem.cat(f"{bucket}/folder/object") == data
    assert filesystem.cat_file(f"{bucket}/folder/object", start=100, end=300) == data[100:300]
    assert filesystem.ls(f"{bucket}/folder") == [f"{bucket}/folder/object"]
    with pytest.raises(FileNotFoundError):
        filesystem.cat(f"{bucket}/none")
    assert endpoint.new_bucket() != bucket


def test_pandas_writes_and_reads(endpoint):
    import pandas as pd

    frame = pd.DataFrame({"a": [1, 2, 3]})
    path = f"s3://{endpoint.new_bucket()}/frame.parquet"
    frame.to_parquet(path, storage_options=endpoint.storage_options)
    back = pd.read_parquet(path, storage_options=endpoint.storage_options)
    pd.testing.assert_frame_equal(back, frame)


def test_proxy_counts_bytes_and_keeps_signatures_valid(endpoint):
    bucket = endpoint.new_bucket()
    endpoint.filesystem().pipe(f"{bucket}/object", bytes(100_000))
    with FaultProxy(endpoint.endpoint_url) as proxy:
        filesystem = through(proxy, endpoint)
        filesystem.cat_file(f"{bucket}/object", start=10_000, end=30_000)
        assert proxy.totals("GET").bytes_sent == 20_000
        (exchange,) = proxy.exchanges("GET")
        assert exchange.byte_range == "bytes=10000-29999"
        filesystem.pipe(f"{bucket}/copy", bytes(50_000))
        assert proxy.totals("PUT").bytes_received >= 50_000
    assert endpoint.filesystem().info(f"{bucket}/copy")["size"] == 50_000


def test_client_survives_slow_down(endpoint):
    bucket = endpoint.new_bucket()
    endpoint.filesystem().pipe(f"{bucket}/object", b"data")
    with FaultProxy(endpoint.endpoint_url, FaultPlan(unavailable=1.0, at_most=1)) as proxy:
        filesystem = through(proxy, endpoint)
        assert filesystem.cat_file(f"{bucket}/object", start=0, end=4) == b"data"
        assert proxy.totals().faults == {"unavailable": 1}


def through(proxy, endpoint):
    import s3fs

    return s3fs.S3FileSystem(
        **proxy.storage_options(endpoint.storage_options), skip_instance_cache=True
    )


def test_wrong_secret_is_refused_by_seaweed(seaweed_s3):
    import s3fs

    options = {**seaweed_s3.storage_options, "secret": "wrong"}
    filesystem = s3fs.S3FileSystem(**options, skip_instance_cache=True)
    with pytest.raises(PermissionError):
        filesystem.ls("")


def test_secret_is_not_shown(seaweed_s3):
    assert seaweed_s3.storage_options["secret"] not in repr(seaweed_s3)


def test_server_goes_when_its_program_is_killed(seaweed_s3, tmp_path):
    script = """
        import os, signal
        from s3_server import SeaweedServer

        server = SeaweedServer(os.environ["WHERE"]).start()
        print(server.endpoint_url, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    killed = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        cwd=EXAMPLES,
        env={**os.environ, "WHERE": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert killed.stdout.startswith("http://127.0.0.1:")
    deadline = time.monotonic() + 20
    while any(tmp_path.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert list(tmp_path.iterdir()) == []


def test_server_that_fails_shows_its_log(monkeypatch, tmp_path):
    fake = tmp_path / "weed"
    fake.write_text("#!/bin/sh\necho the disk is on fire >&2\nexit 7\n")
    fake.chmod(0o700)
    monkeypatch.setattr(s3_server, "find_weed", lambda: str(fake))
    server = SeaweedServer(tmp_path)
    with pytest.raises(S3ServerError, match=r"status 7(.|\n)*the disk is on fire"):
        server.start()
    assert not server.running
    assert list(tmp_path.iterdir()) == [fake]


def test_server_that_is_not_installed(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda *args, **kwargs: None)
    server = SeaweedServer()
    with pytest.raises(S3ServerError, match=r"penstock\[demo\]"):
        server.start()
    with pytest.raises(S3ServerError, match="call start"):
        server.storage_options  # noqa: B018
    assert repr(server) == "<SeaweedServer stopped>"
