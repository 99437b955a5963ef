from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from penstock.errors import SinkError, TargetExistsError, UnsupportedError
from penstock.io import s3, transaction_local, transaction_s3
from penstock.io.transaction import Transaction
from tests.support.proxy import FaultPlan, FaultProxy


def write(target, files, mode="error", options=None):
    run = Transaction(target, options, mode)
    for name, data in files.items():
        with run.open(name) as file:
            file.write(data)
    return run


def contents(folder):
    files = (path for path in Path(folder).rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_text() for path in files}


def test_nothing_is_visible_before_commit(tmp_path):
    target = tmp_path / "sub" / "out"
    run = write(target, {"a": b"1", "k=v/b": b"2"})
    assert not target.exists()
    assert run.commit(["a", "k=v/b"]) == [str(target / "a"), str(target / "k=v/b")]
    assert contents(target) == {"a": "1", "k=v/b": "2"}
    assert os.listdir(tmp_path / "sub") == ["out"]


def test_files_not_committed_are_dropped_and_reopening_replaces(tmp_path):
    target = tmp_path / "out"
    run = write(target, {"a": b"first", "failed/b": b"2"})
    with run.open("a") as file:
        file.write(b"2")
    run.commit(["a"])
    assert contents(target) == {"a": "2"}
    assert os.listdir(target) == ["a"]


def test_abort_leaves_no_trace(tmp_path):
    run = write(tmp_path / "out", {"a": b"1"})
    run.abort()
    run.abort()
    assert os.listdir(tmp_path) == []
    with pytest.raises(SinkError, match="over"):
        run.open("b")


def test_mode_error_refuses_what_is_there(tmp_path):
    target = tmp_path / "out"
    target.mkdir()
    write(target, {"a": b"1"}).commit(["a"])  # an empty directory is no output
    with pytest.raises(TargetExistsError, match=r"out exists already.*mode='overwrite'"):
        Transaction(target)
    with pytest.raises(SinkError, match="is a directory"):
        Transaction(target, single_file=True)
    file = tmp_path / "file"
    file.write_bytes(b"x")
    with pytest.raises(TargetExistsError):
        Transaction(file, single_file=True)
    with pytest.raises(SinkError, match="is a file"):
        Transaction(file, mode="overwrite")


def test_mode_error_notices_a_target_that_came_meanwhile(tmp_path):
    run = write(tmp_path / "out", {"a": b"1"})
    single = write(tmp_path / "file", {}, "error")
    single.abort()
    single = Transaction(tmp_path / "file", single_file=True)
    single.open().close()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "other").write_bytes(b"2")
    (tmp_path / "file").write_bytes(b"other")
    with pytest.raises(TargetExistsError):
        run.commit(["a"])
    with pytest.raises(TargetExistsError):
        single.commit()
    run.abort()
    single.abort()
    assert contents(tmp_path) == {"out/other": "2", "file": "other"}


@pytest.mark.parametrize("exchange", [True, False])
def test_overwrite_replaces_the_whole_directory(tmp_path, monkeypatch, exchange):
    if not exchange:
        monkeypatch.setattr(transaction_local, "_rename_flags", lambda *_: False)
    target = tmp_path / "out"
    write(target, {"a": b"1", "b": b"1"}).commit(["a", "b"])
    target.chmod(0o750)
    run = write(target, {"a": b"2"}, "overwrite")
    assert contents(target) == {"a": "1", "b": "1"}
    assert run.existing == ["a", "b"]
    run.commit(["a"])
    assert contents(target) == {"a": "2"}
    assert target.stat().st_mode & 0o777 == 0o750
    assert os.listdir(tmp_path) == ["out"]


def test_overwriting_a_file_and_a_link(tmp_path):
    target = tmp_path / "file"
    target.write_bytes(b"old")
    target.chmod(0o640)
    link = tmp_path / "link"
    link.symlink_to(target)
    run = Transaction(link, mode="overwrite", single_file=True)
    with run.open() as file:
        file.write(b"new")
    assert target.read_bytes() == b"old"
    run.commit()
    assert target.read_bytes() == b"new"
    assert link.is_symlink()
    assert target.stat().st_mode & 0o777 == 0o640


def test_the_working_directory_is_not_replaced(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "inside").mkdir()
    monkeypatch.chdir(tmp_path / "inside")
    with pytest.raises(SinkError, match="working or the home directory"):
        Transaction(tmp_path, mode="overwrite")


def test_append_adds_and_never_replaces(tmp_path):
    target = tmp_path / "out"
    write(target, {"a.txt": b"1"}, "append").commit(["a.txt"])
    run = write(target, {"a.txt": b"2", "k=1/b": b"3"}, "append")
    assert contents(target) == {"a.txt": "1"}
    first, second = run.commit(["a.txt", "k=1/b"])
    assert second == str(target / "k=1/b")
    assert sorted(contents(target).values()) == ["1", "2", "3"]
    assert os.path.basename(first).startswith("a-")
    assert first.endswith(".txt")
    with pytest.raises(UnsupportedError):
        Transaction(tmp_path / "file", mode="append", single_file=True)


def test_names_stay_inside_the_target(tmp_path):
    run = Transaction(tmp_path / "out")
    for name in ("/etc/passwd", "../x", "a/../../x"):
        with pytest.raises(SinkError, match="not a file name inside"):
            run.open(name)
    run.abort()


def test_only_local_and_s3_targets(tmp_path):
    with pytest.raises(UnsupportedError, match="memory://"):
        Transaction("memory://out")
    with pytest.raises(ValueError, match="mode must be one of"):
        Transaction(tmp_path / "out", mode="replace")


# ----------------------------------------------------------------- processes


KILLED = """
    import os, sys, signal
    from penstock.io.transaction import Transaction
    target, mode, step = sys.argv[1:]
    if mode == "fallback":
        from penstock.io import transaction_local
        transaction_local._rename_flags = lambda *_: False
        mode = "overwrite"
    run = Transaction(target, mode=mode)
    for number in range(20):
        with run.open(f"new.{number}") as file:
            file.write(b"new")
    calls = 0
    def trace(event, arguments):
        global calls
        if event.split(".")[0] in ("os", "open", "shutil"):
            calls += 1
            if calls == int(step):
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(trace)
    run.commit([f"new.{number}" for number in range(20)])
    calls = -10**9
    print("done", flush=True)
"""


def run_killed(tmp_path, target, mode, step):
    script = tmp_path / "killed.py"
    script.write_text(textwrap.dedent(KILLED))
    command = [sys.executable, str(script), str(target), mode, str(step)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode == 0


OLD = {f"old.{number}": "old" for number in range(5)}
NEW = {f"new.{number}": "new" for number in range(20)}


KILL_STEPS = sorted({1, *random.Random(7).sample(range(2, 30), 4), 40, 90})


@pytest.mark.chaos
@pytest.mark.parametrize("mode", ["error", "overwrite", "fallback"])
def test_a_kill_during_commit_leaves_absent_old_or_complete(tmp_path, mode):
    seen = set()
    for step in KILL_STEPS:
        target = tmp_path / f"{mode}-{step}"
        if mode != "error":
            write(target, dict.fromkeys(OLD, b"old")).commit(list(OLD))
        finished = run_killed(tmp_path, target, mode, step)
        if mode == "fallback":  # the next start puts right what a plain rename cannot
            Transaction(target, mode="append").abort()
        found = contents(target)
        assert found in ([{}, NEW] if mode == "error" else [OLD, NEW])
        assert not finished or found == NEW
        seen.add(frozenset(found))
        Transaction(target, mode="append").abort()
        left = [name for name in os.listdir(tmp_path) if name.startswith(f".{target.name}.")]
        assert left == []
    assert len(seen) == 2  # both before and after the moment of the change were hit


@pytest.mark.chaos
def test_a_killed_append_is_taken_back_by_the_next_transaction(tmp_path):
    partial = 0
    for step in (20, 40, 70, 90, 110, 400):
        target = tmp_path / f"append-{step}"
        write(target, dict.fromkeys(OLD, b"old")).commit(list(OLD))
        finished = run_killed(tmp_path, target, "append", step)
        partial += 0 < len(set(contents(target)) & set(NEW)) < len(NEW)
        Transaction(target, mode="append").abort()
        assert contents(target) in (OLD, {**OLD, **NEW})
        assert not finished or len(contents(target)) == 25
    assert partial


def test_live_transactions_are_left_alone(tmp_path):
    first = write(tmp_path / "out", {"a": b"1"})
    write(tmp_path / "out", {"b": b"2"}).abort()
    first.commit(["a"])
    assert contents(tmp_path / "out") == {"a": "1"}


def test_a_lock_protects_processes_that_cannot_be_seen(tmp_path, monkeypatch):
    first = write(tmp_path / "out", {"a": b"1"})
    monkeypatch.setattr(transaction_local, "_start_time", lambda _: 0)  # as in a container
    write(tmp_path / "out", {"b": b"2"}).abort()
    first.commit(["a"])
    assert contents(tmp_path / "out") == {"a": "1"}


def test_a_directory_may_be_read_while_it_is_replaced(tmp_path):
    target = tmp_path / "out"
    write(target, {"a": b"12"}).commit(["a"])
    run = Transaction(target, mode="overwrite")
    with run.open("a") as new, open(target / "a", "rb") as old:
        new.write(old.read() * 2)
    run.commit(["a"])
    assert contents(target) == {"a": "1212"}


# ------------------------------------------------------------------------ S3


@pytest.fixture(params=["moto_s3", "seaweed_s3"])
def endpoint(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def bucket(endpoint):
    return f"s3://{endpoint.new_bucket()}"


def filesystem_of(endpoint):
    return s3.s3_filesystem(endpoint.storage_options)


def objects(endpoint, uri):
    filesystem = filesystem_of(endpoint)
    path = uri.removeprefix("s3://")
    found = filesystem.find(path, detail=True)
    names = [name for name, facts in found.items() if facts["type"] == "file"]
    return {name.removeprefix(path): filesystem.cat(name) for name in names}


@pytest.mark.s3
def test_s3_files_appear_at_commit(endpoint, bucket):
    target = f"{bucket}/out"
    run = write(target, {"a": b"1" * 9_000_000, "k=v/b": b"2", "no": b"3"}, "error",
                endpoint.storage_options)  # fmt: skip
    assert objects(endpoint, bucket) == {}
    assert run.commit(["a", "k=v/b"]) == [f"{target}/a", f"{target}/k=v/b"]
    assert objects(endpoint, target) == {"/a": b"1" * 9_000_000, "/k=v/b": b"2"}
    assert s3.unfinished_uploads(filesystem_of(endpoint), target) == []
    with pytest.raises(TargetExistsError):
        Transaction(target, endpoint.storage_options)


@pytest.mark.s3
def test_s3_overwrite_keeps_the_old_until_commit_then_deletes_it(endpoint, bucket):
    options = endpoint.storage_options
    target = f"{bucket}/out"
    write(target, {"a": b"1", "b": b"1"}, "error", options).commit(["a", "b"])
    filesystem_of(endpoint).pipe(f"{target}-2/c", b"neighbour")
    run = write(target, {"a": b"2"}, "overwrite", options)
    assert objects(endpoint, target) == {"/a": b"1", "/b": b"1"}
    run.commit(["a"])
    assert objects(endpoint, target) == {"/a": b"2"}
    assert objects(endpoint, f"{target}-2") == {"/c": b"neighbour"}


@pytest.mark.s3
def test_s3_abort_discards_and_single_files_do_not_replace(endpoint, bucket):
    options = endpoint.storage_options
    run = Transaction(f"{bucket}/x.bin", options, single_file=True)
    with run.open() as file:
        file.write(b"1")
    run.abort()
    assert s3.unfinished_uploads(filesystem_of(endpoint), bucket) == []
    run = Transaction(f"{bucket}/x.bin", options, single_file=True)
    run.open().close()
    filesystem_of(endpoint).pipe(f"{bucket}/x.bin", b"other")
    with pytest.raises(TargetExistsError):
        run.commit()
    run.abort()
    assert objects(endpoint, bucket) == {"/x.bin": b"other"}


@pytest.mark.s3
@pytest.mark.parametrize("mode", ["error", "overwrite"])
def test_s3_commit_whose_answers_are_lost(endpoint, bucket, mode, monkeypatch):
    monkeypatch.setattr(s3, "_FIRST_WAIT", 0.01)
    names = [f"k={number}/part" for number in range(4)]
    plan = FaultPlan(cut=1.0, methods=("POST",), at_most=1)
    with FaultProxy(endpoint.endpoint_url, plan) as proxy:
        options = proxy.storage_options(endpoint.storage_options)
        run = write(f"{bucket}/out", dict.fromkeys(names, b"1"), mode, options)
        assert len(run.commit(names)) == 4
    assert objects(endpoint, f"{bucket}/out") == {f"/{name}": b"1" for name in names}


@pytest.mark.s3
def test_s3_commit_that_fails_halfway_takes_back_its_files(endpoint, bucket, monkeypatch):
    monkeypatch.setattr(s3, "ATTEMPTS", 2)  # moto answers 500 where others say 404
    run = write(f"{bucket}/out", {"a": b"1", "b": b"2"}, "error", endpoint.storage_options)
    for _, upload_id, _ in s3.unfinished_uploads(filesystem_of(endpoint), f"{bucket}/out/b"):
        s3.abort_upload(filesystem_of(endpoint), f"{bucket}/out/b", upload_id)
    with pytest.raises(SinkError, match="cannot write"):
        run.commit(["a", "b"])
    run.abort()
    assert objects(endpoint, f"{bucket}/out") == {}


@pytest.mark.s3
def test_s3_uploads_of_a_killed_run_are_dropped_by_the_next(endpoint, bucket, monkeypatch):
    options = endpoint.storage_options
    write(f"{bucket}/out", {"a": b"1"}, "error", options)
    write(f"{bucket}/out-2", {"a": b"1"}, "error", options)
    live = Transaction(f"{bucket}/out", options)
    assert (
        len(s3.unfinished_uploads(filesystem_of(endpoint), f"{bucket}/out/")) == 1
    )  # may be alive
    live.abort()
    monkeypatch.setattr(transaction_s3, "_live_uploads", set())  # as after a restart
    Transaction(f"{bucket}/out", options).abort()
    left = s3.unfinished_uploads(filesystem_of(endpoint), f"{bucket}/out")
    assert [uri for uri, _, _ in left] == [f"{bucket}/out-2/a"]


@pytest.mark.s3
def test_s3_buffers_one_part_only(endpoint, bucket):
    run = Transaction(f"{bucket}/x.bin", endpoint.storage_options, single_file=True)
    with run.open() as file:
        for _ in range(6):
            file.write(bytes(5 << 20))
            assert len(file._buffer) <= s3.PART_BYTES
    start = time.monotonic()
    run.commit()
    assert time.monotonic() - start < 5
    assert filesystem_of(endpoint).info(f"{bucket}/x.bin")["size"] == 30 << 20


def test_commit_waits_until_all_files_are_on_the_disk(tmp_path, monkeypatch):
    synced, fsync = [], os.fsync

    def slow(descriptor):
        time.sleep(0.05)
        fsync(descriptor)
        synced.append(os.fstat(descriptor).st_size)

    monkeypatch.setattr(os, "fsync", slow)
    names = [str(number) for number in range(9)]
    run = write(tmp_path / "out", {name: b"x" * (number + 1) for number, name in enumerate(names)})
    run.commit(names)
    assert set(range(1, 10)) <= set(synced)


@pytest.mark.parametrize("end", ["commit", "abort"])
def test_a_file_that_cannot_be_synced_fails_the_commit(tmp_path, monkeypatch, end):
    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        run = write(tmp_path / "out", {"a": b"1"})
        if end == "commit":
            with pytest.raises(SinkError, match=r"out.*No space.*free some space"):
                run.commit(["a"])
    run.abort()
    assert os.listdir(tmp_path) == []
