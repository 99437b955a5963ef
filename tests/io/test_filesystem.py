from __future__ import annotations

import os
import pickle
import time
from pathlib import Path

import pytest

from penstock.errors import SourceError
from penstock.io import s3
from penstock.io.filesystem import (
    FileInfo,
    bytes_read,
    coalesce,
    expand,
    get_filesystem,
    natural_key,
    open_stream,
    read_range,
    read_ranges,
)
from tests.support.proxy import FaultPlan, FaultProxy


def names(files):
    return [Path(info.uri).name for info in files]


@pytest.fixture
def folder(tmp_path):
    for name in ("part.10.csv", "part.9.csv", "_SUCCESS", ".hidden", "year=2/x.csv"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x" * len(name))
    (tmp_path / "_temporary").mkdir()
    (tmp_path / "_temporary" / "y.csv").write_bytes(b"")
    return tmp_path


def test_directories_are_listed_naturally_without_hidden_names(folder):
    assert names(expand(folder)) == ["part.9.csv", "part.10.csv", "x.csv"]


def test_globs_are_sorted_and_lists_keep_their_order(folder):
    assert names(expand(str(folder / "part.*.csv"))) == ["part.9.csv", "part.10.csv"]
    assert names(expand(str(folder / "**"))) == ["part.9.csv", "part.10.csv", "x.csv"]
    listed = [folder / "part.10.csv", str(folder / "part.9.csv")]
    assert names(expand(listed)) == ["part.10.csv", "part.9.csv"]
    assert names(expand(path for path in listed)) == ["part.10.csv", "part.9.csv"]


def test_a_file_named_outright_may_be_hidden_or_hold_glob_characters(folder):
    (folder / "a[1].csv").write_bytes(b"1")
    assert names(expand(folder / "a[1].csv")) == ["a[1].csv"]
    assert names(expand(f"file://{folder}/_SUCCESS")) == ["_SUCCESS"]


def test_a_missing_file_is_named(folder):
    for path in (folder / "nope.csv", folder / "nope-*.csv", folder / "none"):
        with pytest.raises(FileNotFoundError, match=r"nope|none") as caught:
            expand(path)
        assert isinstance(caught.value, SourceError)
    (folder / "empty").mkdir()
    with pytest.raises(SourceError, match="holds no data file"):
        expand(folder / "empty")
    with pytest.raises(SourceError, match="empty"):
        expand([])


def test_file_infos_are_values(folder):
    (info,) = expand(folder / "part.9.csv")
    assert info == expand(folder / "part.9.csv")[0]
    assert hash(info) == hash(pickle.loads(pickle.dumps(info)))
    assert info.version == str((folder / "part.9.csv").stat().st_mtime_ns)


def test_natural_key_orders_any_names():
    shuffled = ["a", "a2", "a10", "2", "10", "", "a02", "b1"]
    assert sorted(shuffled, key=natural_key) == ["", "2", "10", "a", "a02", "a2", "a10", "b1"]


def test_ranges_are_read_and_counted(tmp_path):
    path = tmp_path / "data"
    data = os.urandom(10_000)
    path.write_bytes(data)
    (info,) = expand(path)
    before = bytes_read().get("file", 0)
    assert read_range(info, 100, 50) == data[100:150]
    assert read_range(info, 9_990, 50) == data[9_990:]
    assert read_range(info, 20_000, 5) == b""
    assert read_ranges(info, [(5, 5), (0, 3)]) == [data[5:10], data[:3]]
    assert bytes_read()["file"] - before == 50 + 10 + 0 + 8


def test_a_changed_or_vanished_file_is_refused(tmp_path):
    path = tmp_path / "data"
    path.write_bytes(b"0123456789")
    (info,) = expand(path)
    stream = open_stream(info)
    assert stream.read(0) == b""
    path.write_bytes(b"abcdefghij")
    os.utime(path, ns=(1, int(info.version) + 5))
    with pytest.raises(SourceError, match="changed after the plan was made"):
        read_range(info, 0, 5)
    with stream, pytest.raises(SourceError, match="changed"):
        stream.read()
    path.unlink()
    with pytest.raises(SourceError, match=r"cannot read .*data"):
        read_range(info, 0, 5)


def test_local_streams_read_everything_and_seek(tmp_path):
    path = tmp_path / "data"
    data = os.urandom(300_000)
    path.write_bytes(data)
    (info,) = expand(path)
    before = bytes_read().get("file", 0)
    with open_stream(info) as stream:
        assert stream.read(10) == data[:10]
        assert stream.read() == data[10:]
        stream.seek(-5, os.SEEK_END)
        assert stream.read() == data[-5:]
    assert bytes_read()["file"] - before >= len(data)


def test_coalescing_joins_near_ranges_only():
    ranges = [(1000, 10), (0, 100), (110, 20), (5000, 1)]
    assert coalesce(ranges, gap=10) == [(0, 130), (1000, 10), (5000, 1)]
    assert coalesce(ranges, gap=10_000, most=1010) == [(0, 1010), (5000, 1)]
    assert coalesce([(0, 10), (2, 3)]) == [(0, 10)]


def test_other_filesystems_come_from_fsspec():
    filesystem, path = get_filesystem("memory://filesystem-test/a.txt")
    filesystem.pipe(path, b"0123456789")
    (info,) = expand("memory://filesystem-test/*.txt")
    assert read_range(info, 2, 3) == b"234"
    with open_stream(info) as stream:
        assert stream.read() == b"0123456789"
    with pytest.raises(SourceError, match="no filesystem is known"):
        expand("nonsense://x")


# ------------------------------------------------------------------------ S3


@pytest.mark.s3
def test_s3_listing_matches_the_local_rules(moto_s3):
    bucket = moto_s3.new_bucket()
    filesystem = moto_s3.filesystem()
    for name in ("part.10.csv", "part.9.csv", "_SUCCESS", "year=2/x.csv"):
        filesystem.pipe(f"{bucket}/d/{name}", b"x")
    filesystem.pipe(f"{bucket}/d2.csv", b"x")
    options = moto_s3.storage_options
    for path in (f"s3://{bucket}/d", f"s3://{bucket}/d/"):
        assert names(expand(path, options)) == ["part.9.csv", "part.10.csv", "x.csv"]
    assert names(expand(f"s3://{bucket}/d/p*.csv", options)) == ["part.9.csv", "part.10.csv"]
    (info,) = expand(f"s3a://{bucket}/d/year=2/x.csv", options)
    assert info.uri == f"s3://{bucket}/d/year=2/x.csv"
    for missing in ("nope", "nope*"):
        with pytest.raises(FileNotFoundError, match="nope"):
            expand(f"s3://{bucket}/{missing}", options)


@pytest.mark.s3
def test_s3_ranges_survive_every_kind_of_fault(moto_s3, monkeypatch):
    monkeypatch.setattr(s3, "_FIRST_WAIT", 0.01)
    bucket = moto_s3.new_bucket()
    data = os.urandom(1_000_000)
    moto_s3.filesystem().pipe(f"{bucket}/data", data)
    with FaultProxy(moto_s3.endpoint_url) as proxy:
        options = proxy.storage_options(moto_s3.storage_options)
        (info,) = expand(f"s3://{bucket}/data", options)
        ranges = [(start, 200_000) for start in range(0, len(data), 200_000)]
        for kind in ("unavailable", "reset", "cut", "truncate"):
            proxy.reset()
            # every range fails once
            proxy.plan = FaultPlan(**{kind: 1.0}, at_most=1, seed=1)
            assert b"".join(read_ranges(info, ranges, options)) == data
            assert proxy.totals().faults[kind] > 1
        with open_stream(info, options) as stream:
            assert stream.read() == data


@pytest.mark.s3
def test_s3_gives_up_with_the_address_in_the_message(moto_s3, monkeypatch):
    monkeypatch.setattr(s3, "_FIRST_WAIT", 0.001)
    monkeypatch.setattr(s3, "ATTEMPTS", 2)
    bucket = moto_s3.new_bucket()
    moto_s3.filesystem().pipe(f"{bucket}/data", b"x" * 1000)
    with FaultProxy(moto_s3.endpoint_url) as proxy:
        options = proxy.storage_options(moto_s3.storage_options)
        (info,) = expand(f"s3://{bucket}/data", options)
        proxy.plan = FaultPlan(truncate=1.0)
        with pytest.raises(SourceError, match=f"cannot read s3://{bucket}/data") as caught:
            read_range(info, 0, 1000, options)
        assert "unchecked" not in str(caught.value)  # the secret


@pytest.mark.s3
def test_s3_objects_are_pinned(moto_s3):
    bucket = moto_s3.new_bucket()
    filesystem = moto_s3.filesystem()
    filesystem.pipe(f"{bucket}/data", b"0123456789")
    (info,) = expand(f"s3://{bucket}/data", moto_s3.storage_options)
    filesystem.pipe(f"{bucket}/data", b"abcdefghij")
    with pytest.raises(SourceError, match="changed after the plan was made"):
        read_range(info, 0, 5, moto_s3.storage_options)
    filesystem.rm(f"{bucket}/data")
    with pytest.raises(SourceError, match="does not exist"):
        read_range(info, 0, 5, moto_s3.storage_options)


@pytest.mark.s3
def test_s3_reads_count_the_bytes_that_came(moto_s3):
    bucket = moto_s3.new_bucket()
    moto_s3.filesystem().pipe(f"{bucket}/data", bytes(50_000))
    (info,) = expand(f"s3://{bucket}/data", moto_s3.storage_options)
    before = bytes_read().get("s3", 0)
    read_range(info, 10, 1_000, moto_s3.storage_options)
    assert bytes_read()["s3"] - before == 1_000


def test_half_set_credentials_raise(monkeypatch):
    with pytest.raises(SourceError, match="key is set in storage_options but secret is not"):
        get_filesystem("s3://bucket/x", {"key": "half"})
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "verysecret")
    with pytest.raises(SourceError, match="AWS_ACCESS_KEY_ID is not") as caught:
        get_filesystem("s3://bucket/x")
    assert "verysecret" not in str(caught.value)


def test_without_credentials_access_is_anonymous_and_nothing_stalls(monkeypatch):
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED", raising=False)
    monkeypatch.setattr(s3, "_on_amazon", lambda: False)
    start = time.monotonic()
    filesystem, path = get_filesystem("s3://bucket/x", {"endpoint_url": "http://127.0.0.1:9"})
    assert filesystem.anon
    assert path == "bucket/x"
    assert time.monotonic() - start < 2
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    assert not get_filesystem("s3://bucket/x", {"endpoint_url": "http://127.0.0.1:9"})[0].anon


@pytest.mark.s3
def test_refused_anonymous_access_says_what_to_do(seaweed_s3):
    bucket = seaweed_s3.new_bucket()
    seaweed_s3.filesystem().pipe(f"{bucket}/data", b"x")
    with pytest.raises(SourceError, match="no credentials were found"):
        expand(f"s3://{bucket}/data", {"endpoint_url": seaweed_s3.endpoint_url})


def test_infos_hold_no_options():
    assert set(FileInfo.__dataclass_fields__) == {"uri", "size", "version"}


@pytest.mark.s3
def test_s3_names_that_look_like_patterns(moto_s3):
    bucket = moto_s3.new_bucket()
    moto_s3.filesystem().pipe(f"{bucket}/d/[2024].csv", b"x")
    (info,) = expand(f"s3://{bucket}/d/[2024].csv", moto_s3.storage_options)
    assert info.uri == f"s3://{bucket}/d/[2024].csv"
    with pytest.raises(SourceError, match="no file matches the pattern"):
        expand(f"s3://{bucket}/d/[1-3].csv", moto_s3.storage_options)
