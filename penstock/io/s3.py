"""S3 through s3fs: credentials, ranged reads that survive faults, multipart writes.

s3fs absorbs refused connections and 503 answers, but not a body that breaks
off while it is read; ranges are therefore read here, go on at the byte where
they broke, and carry ``If-Match`` so that an object replaced under way is an
error instead of a mixture of two versions.
"""

from __future__ import annotations

import os
import random
import threading
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from penstock.errors import SinkError, SourceError, missing_dependency

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

ATTEMPTS = 8
_FIRST_WAIT = 0.1
_LONGEST_WAIT = 5.0
_BODY_PIECE = 1 << 20
_PARALLEL_RANGES = 8
_CONNECTIONS = 32

PART_BYTES = 8 << 20
_PARTS_BEFORE_GROWTH = 1000
_MARK = "penstock-upload"  # metadata that tell whose upload an object is

_filesystems: dict[tuple[Any, ...], Any] = {}
_filesystems_lock = threading.Lock()


def s3_filesystem(storage_options: Mapping[str, Any] | None = None) -> Any:
    """Return the `s3fs.S3FileSystem` for these options, with credentials decided.

    Parameters
    ----------
    storage_options : mapping, optional
        As s3fs takes them: ``key``, ``secret``, ``token``, ``anon``, ``profile``,
        ``endpoint_url``, ``client_kwargs``, ``config_kwargs``, ...

    Returns
    -------
    s3fs.S3FileSystem

    Raises
    ------
    SourceError
        If only one half of the credentials is given.
    MissingDependencyError
        If s3fs is not installed.
    """
    try:
        import s3fs
        from fsspec.utils import tokenize
    except ImportError as error:
        raise missing_dependency("s3fs", "s3", "reading and writing s3://") from error

    options = dict(storage_options or {})
    token = (os.getpid(), threading.get_native_id() if options.get("asynchronous") else 0)
    key = (*token, tokenize(options), *_environment())
    with _filesystems_lock:
        if key not in _filesystems:
            options.setdefault("anon", _is_anonymous(options))
            options.setdefault("use_listings_cache", False)
            options["config_kwargs"] = {
                "max_pool_connections": _CONNECTIONS,
                # Two layers of many attempts would multiply: ours is the patient one.
                "retries": {"mode": "standard", "total_max_attempts": 2},
                **(options.get("config_kwargs") or {}),
            }
            filesystem = s3fs.S3FileSystem(skip_instance_cache=True, **options)
            filesystem.retries = 1
            _filesystems[key] = filesystem
        return _filesystems[key]


def _environment() -> tuple[int, ...]:
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_ENDPOINT_URL")
    return tuple(hash(os.environ.get(name)) for name in names)


def _is_anonymous(options: Mapping[str, Any]) -> bool:
    """Whether requests must go unsigned because no credentials can be found anywhere."""
    client = options.get("client_kwargs") or {}
    pairs = (
        ("key", options.get("key"), "secret", options.get("secret")),
        (
            "aws_access_key_id",
            client.get("aws_access_key_id"),
            "aws_secret_access_key",
            client.get("aws_secret_access_key"),
        ),
    )
    for name, value, other_name, other in pairs:
        _check_halves(name, value, other_name, other, "storage_options")
        if value and other:
            return False
    if options.get("session") is not None or options.get("profile"):
        return False
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    key, secret = (os.environ.get(name) for name in names)
    _check_halves(names[0], key, names[1], secret, "the environment")
    if key and secret:
        return False
    return not _credentials_elsewhere()


def _check_halves(name: str, value: Any, other_name: str, other: Any, where: str) -> None:
    if bool(value) != bool(other):
        given, missing = (name, other_name) if value else (other_name, name)
        raise SourceError(
            f"{given} is set in {where} but {missing} is not; "
            f"set both, or neither for anonymous access"
        )


def _credentials_elsewhere() -> bool:
    """Whether profiles, containers or the machine's role give credentials.

    The instance-metadata endpoint is asked on Amazon's machines only: anywhere
    else the question hangs until it times out.
    """
    import botocore.exceptions  # type: ignore[import-untyped]
    import botocore.session  # type: ignore[import-untyped]

    session = botocore.session.Session()
    resolver = session.get_component("credential_provider")
    if not _on_amazon():
        resolver.remove("iam-role")
    try:
        return resolver.load_credentials() is not None
    except botocore.exceptions.PartialCredentialsError as error:
        raise SourceError(f"the AWS credentials are half-set: {error}") from error
    except botocore.exceptions.BotoCoreError:
        return False


def _on_amazon() -> bool:
    for name in ("sys_vendor", "board_vendor", "bios_vendor"):
        try:
            if "amazon" in Path("/sys/class/dmi/id", name).read_text().lower():
                return True
        except OSError:
            continue
    return False


def split_key(uri: str) -> tuple[str, str]:
    """Return (bucket, key) of an ``s3://bucket/key`` address."""
    bucket, _, key = uri.partition("://")[2].partition("/")
    return bucket, key


def status_of(error: BaseException) -> int | None:
    """Return the HTTP status behind an exception of s3fs or botocore, if there is one."""
    seen: BaseException | None = error
    while seen is not None:
        response = getattr(seen, "response", None)
        if isinstance(response, dict):
            status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            if status:
                return int(status)
        seen = seen.__cause__
    return None


def is_transient(error: BaseException) -> bool:
    """Whether trying again may help: 5xx, throttling, resets, stalls, broken bodies."""
    import aiohttp
    import botocore.exceptions

    status = status_of(error)
    if status is not None:
        return status >= 500 or status in (408, 429)
    if isinstance(error, FileNotFoundError | PermissionError):
        return False
    faults = (
        ConnectionError,
        TimeoutError,
        aiohttp.ClientError,
        botocore.exceptions.HTTPClientError,
        botocore.exceptions.ResponseStreamingError,
        botocore.exceptions.IncompleteReadError,
        _BrokenBody,
    )
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, faults):
            return True
        if isinstance(seen, botocore.exceptions.EndpointConnectionError):
            # A connection that broke before the answer; not one that nobody takes.
            return not isinstance(seen.__context__, aiohttp.ClientConnectorError)
        seen = seen.__cause__
    return False


class _BrokenBody(Exception):
    """The connection ended before all bytes had come."""


def back_off(attempt: int) -> float:
    """Return the seconds to wait after failure number `attempt` (0, 1, ...), with jitter."""
    jitter = 0.5 + random.random() / 2  # noqa: S311
    return min(_LONGEST_WAIT, _FIRST_WAIT * 2**attempt) * jitter


def read_ranges(
    filesystem: Any,
    uri: str,
    ranges: Sequence[tuple[int, int]],
    etag: str | None,
    count: Callable[[int], None],
) -> list[bytes]:
    """Return the bytes of each (offset, length) of one object, fetched side by side."""
    import asyncio

    from fsspec.asyn import sync

    async def fetch() -> list[bytes]:
        gate = asyncio.Semaphore(_PARALLEL_RANGES)

        async def one(offset: int, length: int) -> bytes:
            async with gate:
                return await _read_range(filesystem, uri, offset, length, etag, count)

        tasks = [asyncio.ensure_future(one(*span)) for span in ranges]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()

    return sync(filesystem.loop, fetch)


async def _read_range(
    filesystem: Any,
    uri: str,
    offset: int,
    length: int,
    etag: str | None,
    count: Callable[[int], None],
) -> bytes:
    import asyncio

    if length <= 0:
        return b""
    bucket, key = split_key(uri)
    pinned = {"IfMatch": etag} if etag else {}
    pieces: list[bytes] = []
    got = 0
    failures = 0
    while True:
        before = got
        try:
            answer = await filesystem._call_s3(
                "get_object",
                Bucket=bucket,
                Key=key,
                Range=f"bytes={offset + got}-{offset + length - 1}",
                **pinned,
            )
            _check_answer(answer, uri, offset + got, etag)
            body = answer["Body"]
            try:
                while got < length:
                    piece = await body.read(min(_BODY_PIECE, length - got))
                    if not piece:
                        raise _BrokenBody(f"{uri}: body ended after {got} of {length} bytes")
                    pieces.append(piece)
                    got += len(piece)
                    count(len(piece))
            finally:
                body.close()
            return pieces[0] if len(pieces) == 1 else b"".join(pieces)
        except Exception as error:
            failures = 0 if got > before else failures + 1
            if not is_transient(error) or failures >= ATTEMPTS:
                raise source_error(error, uri, filesystem) from error
        await asyncio.sleep(back_off(max(0, failures - 1)))


def _check_answer(answer: Mapping[str, Any], uri: str, start: int, etag: str | None) -> None:
    if etag and answer.get("ETag") and answer["ETag"] != etag:
        answer["Body"].close()
        raise changed(uri)
    span = answer.get("ContentRange")
    if (span is None and start) or (span and not span.startswith(f"bytes {start}-")):
        answer["Body"].close()
        raise SourceError(f"{uri}: the server does not honour byte ranges (asked from {start})")


def changed(uri: str) -> SourceError:
    """Return the error for a file that is not the one the plan was made with."""
    return SourceError(
        f"{uri} changed after the plan was made; open it again to read its new contents"
    )


def source_error(error: BaseException, uri: str, filesystem: Any) -> SourceError:
    """Return what a failed S3 request means for the user, without credentials in it."""
    if isinstance(error, SourceError):
        return error
    status = status_of(error)
    if status == 412:
        return changed(uri)
    if status == 404 or isinstance(error, FileNotFoundError):
        return SourceError(f"{uri} does not exist (any more)")
    if status == 403 or isinstance(error, PermissionError):
        return SourceError(f"access to {uri} was refused{credentials_hint(filesystem)}")
    if status == 416:
        return SourceError(f"{uri} is shorter than when the plan was made")
    return SourceError(f"cannot read {uri}: {type(error).__name__}: {error}")


def credentials_hint(filesystem: Any) -> str:
    """Return what to do about a refusal."""
    if filesystem.anon:
        return (
            " to anonymous access, which was tried because no credentials were found; "
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, "
            "or storage_options={'key': ..., 'secret': ...}"
        )
    return "; check that the credentials in use allow it"


def retried(request: Callable[[], Any]) -> Any:
    """Return what `request` returns, tried again with back-off on transient faults."""
    for attempt in range(ATTEMPTS):
        try:
            return request()
        except Exception as error:
            if attempt == ATTEMPTS - 1 or not is_transient(error):
                raise
        time.sleep(back_off(attempt))
    raise AssertionError("unreachable")


def call(filesystem: Any, uri: str, method: str, **arguments: Any) -> Any:
    """Return the answer of one S3 request about `uri`, retried on transient faults."""
    bucket, key = split_key(uri)
    if method != "list_multipart_uploads":
        arguments["Key"] = key
    return retried(lambda: filesystem.call_s3(method, Bucket=bucket, **arguments))


class MultipartFile:
    """A sequential binary file on S3 that nobody sees until `commit`.

    At most one part of 8 MB (more for files of many gigabytes) is in memory.
    Not thread-safe: one writer a file.
    """

    def __init__(self, filesystem: Any, uri: str) -> None:
        self._filesystem = filesystem
        self.uri = uri
        self._buffer = bytearray()
        self._parts: list[dict[str, Any]] = []
        self._position = 0
        self._finished = False
        self.committed = False
        self.closed = False
        self._token = uuid.uuid4().hex
        given = getattr(filesystem, "s3_additional_kwargs", {}).get("Metadata") or {}
        created = self._call("create_multipart_upload", Metadata={**given, _MARK: self._token})
        self._upload_id = created["UploadId"]

    @property
    def upload_id(self) -> str:
        """The id of the upload, by which it is recognised as alive."""
        return self._upload_id

    def _call(self, method: str, **arguments: Any) -> Any:
        try:
            return call(self._filesystem, self.uri, method, **arguments)
        except Exception as error:
            detail = f"{type(error).__name__}: {error}"
            if status_of(error) == 403 or isinstance(error, PermissionError):
                detail = f"access was refused{credentials_hint(self._filesystem)}"
            raise SinkError(f"cannot write {self.uri}: {detail}") from error

    def writable(self) -> bool:
        """Return True."""
        return True

    def readable(self) -> bool:
        """Return False."""
        return False

    def seekable(self) -> bool:
        """Return False."""
        return False

    def tell(self) -> int:
        """Return the number of bytes written so far."""
        return self._position

    def flush(self) -> None:
        """Do nothing: parts go up when they are full."""

    def write(self, data: Any) -> int:
        """Append `data` and return its length."""
        if self.closed:
            raise ValueError(f"{self.uri}: write to a closed file")
        view = memoryview(data).cast("B")
        start = 0
        while start < len(view):
            room = self._part_bytes() - len(self._buffer)
            self._buffer += view[start : start + room]
            start += room
            if len(self._buffer) >= self._part_bytes():
                self._upload_part()
        self._position += len(view)
        return len(view)

    def _part_bytes(self) -> int:
        # S3 takes at most 10,000 parts: later parts grow so that 5 TB fit.
        return PART_BYTES * 2 ** (len(self._parts) // _PARTS_BEFORE_GROWTH)

    def _upload_part(self) -> None:
        number = len(self._parts) + 1
        body = bytes(self._buffer)
        self._buffer.clear()
        answer = self._call("upload_part", UploadId=self._upload_id, PartNumber=number, Body=body)
        self._parts.append({"PartNumber": number, "ETag": answer["ETag"]})

    def close(self) -> None:
        """Send the last part; the file stays invisible."""
        if not self.closed:
            if self._buffer or not self._parts:
                self._upload_part()
            self.closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def commit(self, *, replace: bool = True) -> None:
        """Make the file visible; with ``replace=False`` only if the key is still free."""
        self.close()
        condition = {} if replace else {"IfNoneMatch": "*"}
        try:
            self._call(
                "complete_multipart_upload",
                UploadId=self._upload_id,
                MultipartUpload={"Parts": self._parts},
                **condition,
            )
        except SinkError:
            # Where an answer was lost on its way, the next attempt finds what the first had made.
            if not self._is_visible():
                raise
        self._finished = self.committed = True

    def _is_visible(self) -> bool:
        """Whether the object of this name is the one of this very upload."""
        try:
            found = call(self._filesystem, self.uri, "head_object").get("Metadata") or {}
        except Exception:  # noqa: BLE001 - it may not be allowed; the first error is told
            return False
        return bool(found.get(_MARK) == self._token)

    def abort(self) -> None:
        """Drop all parts; nothing happens after a commit or a second time."""
        self.closed = True
        self._buffer.clear()
        if not self._finished:
            self._finished = True
            abort_upload(self._filesystem, self.uri, self._upload_id)


def abort_upload(filesystem: Any, uri: str, upload_id: str) -> None:
    """Drop an unfinished upload; one that is gone already is fine."""
    try:
        call(filesystem, uri, "abort_multipart_upload", UploadId=upload_id)
    except Exception as error:
        if status_of(error) != 404 and not isinstance(error, FileNotFoundError):
            raise SinkError(f"cannot drop the unfinished upload of {uri}: {error}") from error


def unfinished_uploads(filesystem: Any, prefix: str) -> list[tuple[str, str, float]]:
    """Return (uri, upload id, age in seconds) of uploads whose key starts with `prefix`."""
    bucket, key = split_key(prefix)
    found = []
    marker: dict[str, str] = {}
    while True:
        answer = call(filesystem, prefix, "list_multipart_uploads", Prefix=key, **marker)
        for upload in answer.get("Uploads") or ():
            started = upload.get("Initiated")
            age = time.time() - started.timestamp() if started else 0.0
            found.append((f"s3://{bucket}/{upload['Key']}", upload["UploadId"], age))
        if not answer.get("IsTruncated"):
            return found
        marker = {
            "KeyMarker": answer["NextKeyMarker"],
            "UploadIdMarker": answer["NextUploadIdMarker"],
        }
