"""The command line: ``penstock convert``, ``compact``, ``info`` and ``head``.

Here are arguments, printing and exit codes; the work is in
`penstock.collections.conversion` and `compacting`, imported when a command runs.
"""

from __future__ import annotations

import codecs
import contextlib
import errno
import json
import os
import re
import signal
import sys
import traceback
import warnings
from typing import TYPE_CHECKING, Any

import click

from penstock._version import __version__
from penstock.errors import PenstockError, TargetExistsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa

    from penstock.collections.compacting import Compaction
    from penstock.collections.conversion import Conversion, Preview

_FAILED, _INTERRUPTED = 1, 130
_HARMLESS = ("endpoint_url", "region_name", "anon", "profile", "use_ssl", "verify", "version_aware")
_SECRETS = "penstock.secrets"
_DEBUG = "penstock.debug"
_FILE = ".parquet"
_NAME = re.compile(r'(?:^|(?<=,))(?:\s*"(?P<quoted>(?:[^"]|"")*)"\s*(?=,|$)|(?P<plain>[^,]*))')

_BAD_LINES = ("error", "warn", "skip")
_ENCODING_ERRORS = ("strict", "replace", "backslashreplace", "ignore")
# How advice in messages names what are options here.
_PARAMETER = re.compile(r"\b(encoding_errors|encoding|on_bad_lines|sep|blocksize)=\s*")
_TYPES = re.compile(r"\bdtype=\{'([^']*)': \.\.\.\}")


class _Terminated(KeyboardInterrupt):
    """A signal that ends a command as Ctrl-C does."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.code = 128 + number


class _Commands(click.Group):
    """The commands, with errors as one message and the exit codes they promise."""

    def invoke(self, ctx: click.Context) -> Any:
        ctx.meta[_SECRETS] = []
        try:
            with _terminable(), _one_line_warnings(ctx):
                return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit):
            raise
        except (KeyboardInterrupt, click.Abort) as stop:
            # It may have come when everything was written.
            click.echo("penstock: interrupted; the target is as it was, or complete", err=True)
            ctx.exit(stop.code if isinstance(stop, _Terminated) else _INTERRUPTED)
        except Exception as error:  # noqa: BLE001 - the one place that turns errors into messages
            _fail(ctx, error)


def _fail(ctx: click.Context, error: Exception) -> None:
    """Print `error` and exit."""
    from penstock.config import ConfigError

    if isinstance(error, OSError) and error.errno == errno.EPIPE:  # as in `penstock head | head`
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        ctx.exit(_FAILED)
    if ctx.meta.get(_DEBUG):
        click.echo(_without_secrets(ctx, "".join(traceback.format_exception(error))), err=True)
    message = _without_secrets(ctx, _message(error))
    if isinstance(error, ConfigError):
        raise click.UsageError(message) from error
    click.echo(f"Error: {message}", err=True)
    ctx.exit(_FAILED)


def _message(error: Exception) -> str:
    """Return one message: what happened and, unless it says so itself, on which input."""
    text = _in_options(str(error).strip()) or type(error).__name__
    if isinstance(error, TargetExistsError):
        text = f"{text.partition(';')[0]}; pass --overwrite, or --append to a directory"
    expected = (PenstockError, OSError, ValueError, MemoryError)
    if not isinstance(error, expected):
        text = f"{type(error).__name__}: {text} (run again with --debug for the traceback)"
    for note in getattr(error, "__notes__", ()):
        place = note.removeprefix("on ")
        if place != note and place.partition(",")[0] not in text:
            text = f"{text} ({note})"
    return text


def _in_options(text: str) -> str:
    """Return a message whose advice names options of the command line, not parameters."""
    before, advises, advice = text.rpartition("pass ")
    if not advises:
        return text
    advice = _PARAMETER.sub(lambda name: f"--{name[1].replace('_', '-')} ", advice)
    return before + advises + _TYPES.sub(r"--dtype '\1=...'", advice)


def _without_secrets(ctx: click.Context, text: str) -> str:
    for secret in sorted(ctx.meta.get(_SECRETS, ()), key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM, and the end of the terminal, end the command through its clean-up."""

    def stop(number: int, frame: Any) -> None:
        raise _Terminated(number)

    before = {}
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is None or signal.getsignal(number) is signal.SIG_IGN:  # as nohup wants it
            continue
        with contextlib.suppress(ValueError):  # not the main thread
            before[number] = signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _one_line_warnings(ctx: click.Context) -> Iterator[None]:
    """Print warnings as lines of stderr, each once, without source code."""
    told = set()

    def show(message: Any, category: Any, *_: Any, **__: Any) -> None:
        text = _without_secrets(ctx, _in_options(str(message)))
        if text not in told and not issubclass(category, DeprecationWarning | ResourceWarning):
            told.add(text)
            click.echo(f"Warning: {text}", err=True)

    with warnings.catch_warnings():
        warnings.showwarning = show
        warnings.simplefilter("always", UserWarning)
        yield


# ---------------------------------------------------------------- options


def _names(ctx: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> Any:
    """Split ``a,b`` and repeated options into names; quotes protect commas."""
    names = []
    for text in value:
        for match in _NAME.finditer(text):
            quoted, plain = match["quoted"], match["plain"]
            names.append(plain.strip() if quoted is None else quoted.replace('""', '"'))
    if not all(names):
        raise click.BadParameter("a name is empty", ctx, parameter)
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise click.BadParameter(f"{twice!r} is there twice", ctx, parameter)
    return tuple(names)


def _dtypes(ctx: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> Any:
    found = {}
    for item in value:
        name, equals, kind = item.rpartition("=")
        if not equals or not name or not kind:
            raise click.BadParameter(f"{item!r} is not column=type", ctx, parameter)
        found[name] = kind
    return found


def _storage(ctx: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> Any:
    """Read ``key=value`` pairs, whose values may be secrets and are never shown."""
    found: dict[str, Any] = {}
    for item in value:
        name, equals, text = item.partition("=")
        if not equals or not name:
            raise click.BadParameter("give it as key=value (its text is not shown)", ctx, parameter)
        found[name] = text
        if text[:1] in "{[" or text in ("true", "false", "null"):
            try:
                found[name] = json.loads(text)
            except ValueError:
                reason = f"the value of {name!r} is not valid JSON (it is not shown)"
                raise click.BadParameter(reason, ctx, parameter) from None
        if name not in _HARMLESS:
            secrets = ctx.meta.setdefault(_SECRETS, [])
            secrets += [text for text in _texts(found[name]) if len(text) > 3]
    return found


def _addresses(ctx: click.Context, parameter: click.Parameter, value: Any) -> Any:
    """Remember what in an address must not be shown: user, password, signature."""
    secrets = ctx.meta.setdefault(_SECRETS, [])
    for address in (value,) if isinstance(value, str) else value or ():
        if not address:
            raise click.BadParameter("it is empty", ctx, parameter)
        _, remote, rest = address.partition("://")
        account = rest.partition("/")[0].rpartition("@")[0]
        signature = address.partition("?")[2] if address.startswith("http") else ""
        secrets += [text for text in (account, *account.split(":"), signature) if remote and text]
    return value


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, one in value.items():
            if name not in _HARMLESS:
                yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)


def _size(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None:
        from penstock.config import ConfigError, parse_bytes

        try:
            if not parse_bytes(value):
                raise ConfigError("it must be more than nothing")
        except ConfigError as error:
            raise click.BadParameter(str(error), ctx, parameter) from error
    return value


def _encoding(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None:
        try:
            codecs.lookup(value)
        except LookupError:
            raise click.BadParameter(f"{value!r} is not known", ctx, parameter) from None
    return value


def _separator(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is None:
        return None
    text = value.replace("\\t", "\t")
    if not text or set(text) & set('"\r\n'):
        raise click.BadParameter(f"{value!r} separates no columns", ctx, parameter)
    if parameter.name == "to_sep" and len(text) > 1:
        raise click.BadParameter(f"{value!r} is more than one character", ctx, parameter)
    return text


def _debug(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        ctx.meta[_DEBUG] = True


def _common(function: Any) -> Any:
    """Add the options that every command has."""
    options = [
        click.option("--from", "from_", metavar="FORMAT", help="Format of SRC; by default what "
                     "its name or its content tells."),
        click.option("--columns", "-c", multiple=True, metavar="A,B", callback=_names,
                     help="Only these columns, in this order. Repeatable."),
        click.option("--where", "-w", metavar="EXPR", help="Only rows for which this holds, e.g. "
                     "'fare > 0 and zone in [1, 2]'."),
        click.option("--dtype", multiple=True, metavar="COL=TYPE", callback=_dtypes,
                     help="Type of a CSV column, e.g. zip=str. Repeatable."),
        click.option("--sep", callback=_separator, help="What separates CSV columns in SRC, or in "
                     "DST where SRC is not CSV; \\t is a tab."),
        click.option("--encoding", callback=_encoding, help="Encoding of CSV in SRC."),
        click.option("--encoding-errors", type=click.Choice(_ENCODING_ERRORS), help="What to do "
                     "with bytes that are not of that encoding; strict by default."),
        click.option("--on-bad-lines", type=click.Choice(_BAD_LINES), help="What to do with CSV "
                     "rows of too many fields; error by default, otherwise they are counted."),
        click.option("--blocksize", metavar="SIZE", callback=_size, help="Bytes of a block."),
        click.option("--memory-limit", "-m", metavar="SIZE", help="Most memory of the process, "
                     "e.g. 480MB, or a share such as 0.5."),
        click.option("--num-workers", type=click.IntRange(min=1), help="Tasks run at once."),
        click.option("--storage-option", multiple=True, metavar="KEY=VALUE", callback=_storage,
                     help="For the filesystem, e.g. endpoint_url=http://127.0.0.1:8333. "
                     "Never echoed. Repeatable."),
        click.option("--debug", is_flag=True, expose_value=False, callback=_debug,
                     help="Show the traceback of an error."),
    ]  # fmt: skip
    for option in reversed(options):
        function = option(function)
    return function


def _reading(src: tuple[str, ...], options: Mapping[str, Any]) -> Any:
    from penstock.collections.conversion_files import Reading

    return Reading(
        src,
        format=options["from_"],
        columns=options["columns"] or None,
        where=options["where"],
        dtypes=options["dtype"],
        sep=options["sep"],
        encoding=options["encoding"],
        encoding_errors=options["encoding_errors"],
        on_bad_lines=options["on_bad_lines"],
        blocksize=options["blocksize"],
        storage_options=options["storage_option"],
    )


@contextlib.contextmanager
def _settings(options: Mapping[str, Any]) -> Iterator[None]:
    """Let the options stand for the settings of the same names."""
    from penstock import config
    from penstock.scheduler import current_pool

    names = {"memory_limit": "memory-limit", "num_workers": "num-workers", "progress": "progress"}
    given = {names[key]: options[key] for key in names if options.get(key) is not None}
    try:
        with config.set(given):
            # Before pyarrow is imported, whose allocator is chosen here.
            current_pool()
            yield
    finally:
        current_pool()  # the limit that holds again


# ---------------------------------------------------------------- commands


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="penstock", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, expose_value=False, callback=_debug,
              help="Show the traceback of an error.")  # fmt: skip
def main() -> None:
    """Data bigger than memory, converted and looked at under a hard memory limit.

    Exit status: 0 done, 1 the job failed, 2 bad usage, 130 interrupted.
    """


@main.command()
@click.argument("src", nargs=-1, required=True, callback=_addresses)
@click.argument("dst", callback=_addresses)
@click.option("--to", "to", metavar="FORMAT", help="Format of DST; by default what its name tells.")
@click.option("--compression", metavar="CODEC", help="Parquet: snappy (default), zstd, lz4, gzip, "
              "brotli, none. CSV: gzip, bz2, xz, zstd, none.")  # fmt: skip
@click.option("--partition-on", multiple=True, metavar="A,B", callback=_names,
              help="Columns that become key=value folders (Parquet). Repeatable.")  # fmt: skip
@click.option("--to-sep", callback=_separator, help="What separates CSV columns in DST.")
@click.option("--overwrite", is_flag=True, help="Replace DST when everything is written.")
@click.option("--append", is_flag=True, help="Add files to the directory DST.")
@click.option("--error-if-exists", is_flag=True, help="Refuse when DST is there (the default).")
@click.option("--dry-run", is_flag=True, help="Show what would be done; read only a sample.")
@click.option("--progress/--no-progress", default=None, help="Show progress; by default in a "
              "terminal only.")  # fmt: skip
@_common
def convert(src: tuple[str, ...], dst: str, **options: Any) -> None:
    """Convert files SRC... (paths, globs, directories, URLs) to DST.

    DST is one file, in the order of SRC, when its name ends in .parquet or .csv,
    and a directory of files otherwise. It is as it was until everything is
    written and the rows are counted.
    """
    modes = [mode for mode in ("overwrite", "append", "error_if_exists") if options[mode]]
    if len(modes) > 1:
        raise click.UsageError(" and ".join(f"--{mode}" for mode in modes).replace("_", "-")
                               + " contradict each other")  # fmt: skip
    mode = modes[0] if modes and modes[0] != "error_if_exists" else "error"
    with _settings(options):
        from penstock.collections import conversion
        from penstock.collections.conversion_files import Writing, source_format

        reading = _reading(src, options)
        source = source_format(reading)
        writing = Writing(
            dst,
            format=options["to"],
            mode=mode,  # type: ignore[arg-type]
            compression=options["compression"],
            partition_on=options["partition_on"],
            sep=options["to_sep"] or (options["sep"] if source != "csv" else None),
            storage_options=options["storage_option"],
        )
        if options["dry_run"]:
            _print_preview(conversion.preview(reading, writing))
        else:
            _print_summary(conversion.convert(reading, writing))


@main.command()
@click.argument("src", callback=_addresses)
@click.argument("dst", required=False, callback=_addresses)
@click.option("--file-size", default="128MB", show_default=True, metavar="SIZE", callback=_size,
              help="Bytes of the rows of one file in memory; files are smaller.")  # fmt: skip
@click.option("--compression", metavar="CODEC", help="snappy, zstd, lz4, gzip, brotli, none; by "
              "default as in SRC.")  # fmt: skip
@click.option("--partition-on", multiple=True, metavar="A,B", callback=_names,
              help="Columns that become key=value folders; by default as in SRC. "
              "Repeatable.")  # fmt: skip
@click.option("--overwrite", is_flag=True, help="Replace DST when everything is written.")
@click.option("--memory-limit", "-m", metavar="SIZE", help="Most memory of the process, "
              "e.g. 480MB, or a share such as 0.5.")  # fmt: skip
@click.option("--num-workers", type=click.IntRange(min=1), help="Tasks run at once.")
@click.option("--storage-option", multiple=True, metavar="KEY=VALUE", callback=_storage,
              help="For the filesystem, e.g. endpoint_url=http://127.0.0.1:8333. Never echoed. "
              "Repeatable.")  # fmt: skip
@click.option("--progress/--no-progress", default=None, help="Show progress; by default in a "
              "terminal only.")  # fmt: skip
@click.option("--debug", is_flag=True, expose_value=False, callback=_debug,
              help="Show the traceback of an error.")  # fmt: skip
def compact(src: str, dst: str | None, **options: Any) -> None:
    """Write the Parquet files of SRC again as fewer larger ones, to the directory DST.

    Without DST, the directory SRC itself is replaced when everything is written. Rows keep
    their order, and key=value folders stay.
    """
    pattern = any(sign in src for sign in "*?[") and not os.path.exists(os.path.expanduser(src))
    if dst is None and pattern:
        raise click.UsageError("SRC is a pattern, which cannot be replaced: give DST")
    if (src.endswith(_FILE) and dst is None) or (dst or "").endswith(_FILE):
        raise click.UsageError("compact writes a directory of files: for one file use convert")
    with _settings(options):
        from penstock.collections.compacting import compact_files

        done = compact_files(
            src,
            src if dst is None else dst,
            mode="overwrite" if dst is None or options["overwrite"] else "error",
            file_size=options["file_size"],
            compression=options["compression"],
            partition_on=list(options["partition_on"]) or None,
            storage_options=options["storage_option"] or None,
        )
    _print_compaction(done)


@main.command()
@click.argument("src", nargs=-1, required=True, callback=_addresses)
@click.option("--count", is_flag=True, help="Read SRC to count its rows where they are not known.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@_common
def info(src: tuple[str, ...], count: bool, as_json: bool, **options: Any) -> None:
    """Tell format, schema, rows, blocks, files, sizes, codec and schema drift of SRC..."""
    with _settings(options):
        from penstock.collections import conversion

        found = conversion.facts(_reading(src, options), count=count)
    if as_json:
        click.echo(json.dumps(found, indent=2, default=str))
    else:
        _print_facts(found)


@main.command()
@click.argument("src", nargs=-1, required=True, callback=_addresses)
@click.option("-n", "--rows", type=click.IntRange(min=0), default=10, show_default=True,
              help="How many rows.")  # fmt: skip
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@_common
def head(src: tuple[str, ...], rows: int, as_csv: bool, **options: Any) -> None:
    """Print the first rows of SRC..."""
    with _settings(options):
        from penstock.collections import conversion

        table = conversion.first_rows(_reading(src, options), rows)
    if as_csv:
        click.echo(conversion.as_csv(table), nl=False)
    else:
        _print_table(table)


# ---------------------------------------------------------------- printing


def _print_preview(plan: Preview) -> None:
    from penstock.config import format_bytes

    kind = "one file, in order" if plan.single_file else "a directory of files"
    click.echo(f"reads    {plan.source_format}: {_count(plan.files, 'file')}, "
               f"{format_bytes(plan.stored_bytes)}, in {_count(plan.splits, 'split')}")  # fmt: skip
    click.echo(f"writes   {plan.target_format}: {kind}"
               + (" (DST exists already)" if plan.target_exists else ""))  # fmt: skip
    click.echo(f"in memory about {format_bytes(plan.total_bytes)} in all, "
               f"{format_bytes(plan.block_bytes)} a block")  # fmt: skip
    click.echo(
        f"memory   projected {format_bytes(plan.projected_memory)} of limit "
        f"{format_bytes(plan.memory_limit)}: {format_bytes(plan.base_memory)} and "
        f"{_count(plan.workers, 'task')} of {format_bytes(plan.task_memory)}"
    )
    _print_schema([(one.name, str(one.type)) for one in plan.schema])


def _print_summary(done: Conversion) -> None:
    from penstock.config import format_bytes

    filtered = f" ({done.rows_filtered:,} filtered out)" if done.rows_filtered else ""
    click.echo(f"read     {_count(done.rows_read, 'row')}{filtered}, "
               f"{format_bytes(done.bytes_read)} in {_count(done.files_read, 'file')} "
               f"({done.source_format})")  # fmt: skip
    click.echo(f"wrote    {_count(done.rows_written, 'row')}, "
               f"{format_bytes(done.bytes_written)} in {_count(done.files_written, 'file')} "
               f"({done.target_format})")  # fmt: skip
    click.echo(f"in {done.seconds:.2f} s, peak memory {format_bytes(done.peak_memory)} of "
               f"{format_bytes(done.memory_limit)}, {format_bytes(done.spilled)} spilled")  # fmt: skip


def _print_compaction(done: Compaction) -> None:
    from penstock.config import format_bytes

    click.echo(f"rows     {done.rows:,}")
    click.echo(f"before   {_count(done.files_before, 'file')}, {format_bytes(done.bytes_before)}")
    click.echo(f"after    {_count(done.files_after, 'file')}, {format_bytes(done.bytes_after)}")
    click.echo(f"in {done.seconds:.2f} s, peak memory {format_bytes(done.peak_memory)} of "
               f"{format_bytes(done.memory_limit)}")  # fmt: skip


def _print_facts(found: Mapping[str, Any]) -> None:
    from penstock.config import format_bytes

    rows = "not known without reading (--count)" if found["rows"] is None else f"{found['rows']:,}"
    shown = {
        "format": found["format"],
        "rows": rows,
        "blocks": f"{found['blocks']:,}",
        "files": f"{found['files']:,}",
        "size": format_bytes(found["bytes"]),
        "codec": ", ".join(found["codec"]) or "none",
    }
    told = {*shown, "paths", "bytes", "schema", "drift"}
    shown.update((name, str(value)) for name, value in found.items() if name not in told)
    width = max(map(len, shown)) + 1
    for name, value in shown.items():
        click.echo(f"{name.replace('_', ' '):<{width}} {_plain(value)}")
    _print_schema([(column["name"], column["type"]) for column in found["schema"]])
    if found["drift"]:
        click.echo("schema drift")
        for drift in found["drift"]:
            files = ", ".join(os.path.basename(name) for name in drift["files"])
            click.echo(f"  {_plain(drift['column'])}: {_plain(drift['what'])} ({_plain(files)})")


def _print_schema(columns: list[tuple[str, str]]) -> None:
    click.echo(f"schema ({_count(len(columns), 'column')})")
    width = max((len(_plain(name)) for name, _ in columns), default=0)
    for name, kind in columns:
        click.echo(f"  {_plain(name):<{width}}  {kind}")


def _print_table(table: pa.Table) -> None:
    """Print rows in columns: cut to the terminal's width, whole into a pipe."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    terminal = sys.stdout is not None and sys.stdout.isatty()
    console = Console(width=None if terminal else 100_000)
    grid = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for one in table.schema:
        numeric = str(one.type).startswith(("int", "uint", "float", "double", "half", "decimal"))
        grid.add_column(Text(_plain(one.name)), justify="right" if numeric else "left")
    for row in zip(*(column.to_pylist() for column in table.columns), strict=True):
        grid.add_row(*("" if value is None else Text(_plain(str(value))) for value in row))
    console.print(grid)


def _plain(text: str) -> str:
    """Return `text` with what would steer a terminal made visible."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


if __name__ == "__main__":
    main()
