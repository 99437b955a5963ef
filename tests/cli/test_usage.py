"""Exit codes, messages and settings of the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from penstock._version import __version__

ROOT = Path(__file__).resolve().parents[2]


def test_version_and_help(run):
    assert run("--version").stdout == f"penstock {__version__}\n"
    assert "convert" in run("--help").stdout
    for command in ("convert", "info", "head"):
        assert "--storage-option" in run(command, "-h").stdout


def test_the_version_needs_no_heavy_library(command):
    code = (
        "import sys, penstock.cli\n"
        "heavy = {'numpy', 'pandas', 'pyarrow', 'rich', 'fsspec', 'yaml'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code], check=True, env=env)
    process = command("--version")
    assert process.communicate()[0] == f"penstock {__version__}\n"
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["convert"], "Missing argument"),
        (["convert", "SRC"], "Missing argument"),
        (["unknown"], "No such command"),
        (["convert", "SRC", "o.parquet", "--nope"], "--nope"),
        (["convert", "SRC", "o.parquet", "--memory-limit", "3 parsecs"], "'3 parsecs'"),
        (["convert", "SRC", "o.parquet", "--blocksize", "tiny"], "'tiny'"),
        (["convert", "SRC", "o.parquet", "--blocksize", "0"], "nothing"),
        (["convert", "SRC", "o.parquet", "--num-workers", "0"], "--num-workers"),
        (["convert", "SRC", "o.parquet", "--dtype", "zone"], "column=type"),
        (["convert", "SRC", "o.parquet", "--columns", "a,,b"], "empty"),
        (["convert", "SRC", "o", "--overwrite", "--append"], "--overwrite and --append"),
        (["convert", "SRC", "o", "--append", "--error-if-exists"], "contradict"),
        (["convert", "SRC", "o.parquet", "--append"], "one file"),
        (["convert", "SRC", "o.parquet", "--partition-on", "zone"], "one file"),
        (["convert", "SRC", "o", "--to", "csv", "--partition-on", "zone"], "Parquet"),
        (["convert", "SRC", "o.parquet", "--compression", "rar"], "'rar'"),
        (["convert", "SRC", "o.csv", "--compression", "snappy"], "'snappy'"),
        (["convert", "SRC", "o.parquet", "--to-sep", ";"], "CSV"),
        (["convert", "SRC", "o.parquet", "--where", "fare >"], "fare >"),
        (["convert", "SRC", "o.parquet", "--where", "__import__('os').getcwd()"], "Call"),
        (["head", "SRC", "-n", "-1"], "-n"),
        (["convert", "SRC", "o.parquet", "--from", "nope"], "'nope'"),
        (["convert", "SRC", "o", "--to", "text"], "not written"),
    ],
)
def test_bad_usage_exits_with_2_and_does_nothing(run, trips_csv, monkeypatch, arguments, told):
    monkeypatch.chdir(trips_csv.parent)
    arguments = [trips_csv if argument == "SRC" else argument for argument in arguments]
    refused = run(*arguments, code=2)
    assert told in refused.stderr
    assert "Traceback" not in refused.output
    assert os.listdir(trips_csv.parent) == [trips_csv.name]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["convert", "none.csv", "o.parquet"], "none.csv"),
        (["convert", "none-*.csv", "o.parquet"], "none-*.csv"),
        (["convert", "SRC", "o.parquet", "--columns", "fair"], "'fair'"),
        (["convert", "SRC", "o.parquet", "--where", "fair > 0"], "did you mean 'fare'"),
        (["convert", "SRC", "o.parquet", "--where", "fare > @options"], "'options'"),
        (["convert", "SRC", "o", "--partition-on", "years"], "'years'"),
        (["convert", "SRC", "o.parquet", "--dtype", "years=str"], "'years'"),
        (["convert", "SRC", "o.parquet", "--dtype", "zone=strr"], "strr"),
        (["convert", "SRC", "/proc/none/o.parquet"], "/proc/none/o.parquet"),
        (["convert", "SRC", "gopher://x/o.parquet"], "gopher"),
        (["convert", "SRC", "o.parquet", "--memory-limit", "1MB"], "memory_limit"),
        (["info", "."], "."),
    ],
)
def test_a_failed_job_exits_with_1_and_leaves_nothing(run, trips_csv, monkeypatch, arguments, told):
    monkeypatch.chdir(trips_csv.parent)
    if arguments == ["info", "."]:
        monkeypatch.chdir((trips_csv.parent / "empty").mkdir() or trips_csv.parent / "empty")
    arguments = [trips_csv if argument == "SRC" else argument for argument in arguments]
    failed = run(*arguments, code=1)
    assert failed.stdout == ""
    assert told in failed.stderr
    assert "Traceback" not in failed.stderr
    assert set(os.listdir(trips_csv.parent)) <= {trips_csv.name, "empty"}


def test_debug_shows_the_traceback(run):
    for arguments in (["--debug", "info", "none.csv"], ["info", "none.csv", "--debug"]):
        failed = run(*arguments, code=1)
        assert "Traceback" in failed.stderr
        assert "MissingFileError" in failed.stderr


def test_a_value_that_cannot_be_read_names_file_line_and_column(run, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("n,t\n" + "1,x\n" * 50 + "oops,x\n")
    failed = run("convert", path, tmp_path / "o.parquet", "--dtype", "n=int64", code=1)
    assert str(path) in failed.stderr
    assert "'oops'" in failed.stderr
    assert "'n'" in failed.stderr
    assert failed.stderr.count("\n") <= 2


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("html_named_yellow.parquet", "HTML page"),
        ("lfs_pointer_named_zones.csv", "Git LFS pointer"),
        ("truncated_yellow_2024-01.parquet", "cut off"),
        ("xml_error_named_yellow.csv", "AccessDenied"),
        ("html_named.h5", "HTML page"),
    ],
)
def test_corrupt_files_are_named_with_what_they_are(run, shared_data, tmp_path, name, told):
    path = shared_data / "taxi" / "corrupt" / name
    for arguments in (["info", path], ["head", path], ["convert", path, tmp_path / "o.csv"]):
        failed = run(*arguments, code=1)
        assert name in failed.stderr
        assert told in failed.stderr
    assert list(tmp_path.iterdir()) == []


def test_damage_inside_a_file_fails_the_job_with_the_files_name(run, trips, tmp_path):
    path = tmp_path / "a.parquet"
    trips.to_parquet(path, compression="zstd")
    data = bytearray(path.read_bytes())
    column = pq.read_metadata(path).row_group(0).column(1)
    start = column.dictionary_page_offset or column.data_page_offset
    middle = start + column.total_compressed_size // 2
    data[middle : middle + 200] = b"\xff" * 200
    path.write_bytes(data)
    failed = run("convert", path, tmp_path / "o.csv", code=1)
    assert "a.parquet" in failed.stderr
    assert [found.name for found in tmp_path.iterdir()] == ["a.parquet"]


def test_secrets_are_never_echoed(run, trips_csv, tmp_path):
    secret = "S3cr3t-Access-Phrase"
    given = ["--storage-option", f"secret={secret}", "--storage-option", "key=AKIDEXAMPLE42"]
    for arguments in (
        ["info", "s3://bucket/a.csv", "--storage-option", "endpoint_url=http://127.0.0.1:9"],
        ["info", f"gopher://me:{secret}@example.org/a.csv"],
        ["info", "s3://bucket/a.csv", "--storage-option", f"nonsense_{secret}=1"],
    ):
        for debug in ([], ["--debug"]):
            failed = run(*arguments, *given, *debug, code=1)
            assert secret not in failed.output
            assert "AKIDEXAMPLE42" not in failed.output
    for address in (
        f"gopher://me:{secret}@example.org/a.csv",
        f"https://127.0.0.1:9/a.csv?X-Amz-Signature={secret}",
    ):
        failed = run("convert", address, tmp_path / "o.parquet", "--debug", code=1)
        assert secret not in failed.output
        failed = run("convert", trips_csv, address, "--to", "csv", code=1)
        assert secret not in failed.output
    for broken in (secret, f"client_kwargs={{{secret}"):
        refused = run("info", trips_csv, "--storage-option", broken, code=2)
        assert secret not in refused.output
    done = run("convert", trips_csv, tmp_path / "o.parquet", *given)
    assert secret not in done.output


def test_settings_come_from_the_environment(command, trips_csv, tmp_path):
    def told(**env: str) -> tuple[int, str]:
        process = command("convert", trips_csv, tmp_path / "o.parquet", "--overwrite", **env)
        out, err = process.communicate()
        return process.returncode, out + err

    code, text = told(PENSTOCK_MEMORY_LIMIT="700MB")
    assert code == 0
    assert "of 700 MB" in text
    code, text = told(PENSTOCK_MEMORY_LIMIT="no size")
    assert code == 2
    assert "'no size'" in text
    code, text = told(PENSTOCK_SCHEDULER="nope")
    assert code == 1
    assert "no scheduler 'nope'" in text
    trips_csv.write_text("a,b\n" + "1,some text\n" * 5_000_000)
    code, text = told(PENSTOCK_PROGRESS="true", PENSTOCK_PROGRESS_DELAY="0")
    assert code == 0
    assert "━" in text


def test_options_change_settings_for_one_command_only(run, trips_csv):
    from penstock import config
    from penstock.scheduler import current_pool

    before = current_pool().limit
    run("info", trips_csv, "--memory-limit", "300MB", "--num-workers", 1)
    assert current_pool().limit == before
    assert config.get("num-workers") is None


def test_a_reader_that_goes_away_is_no_traceback(command, trips_csv):
    process = command("head", trips_csv, "-n", 5000, "--csv")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 1
    assert "Traceback" not in errors


def test_an_unknown_encoding_is_bad_usage(run, trips_csv, tmp_path):
    done = run("convert", trips_csv, tmp_path / "o.parquet", "--encoding", "nope", code=2)
    assert "'nope' is not known" in done.output


def test_names_given_twice_or_empty_are_bad_usage(run, trips_csv, tmp_path):
    done = run("convert", trips_csv, tmp_path / "o.parquet", "-c", "zone,zone", code=2)
    assert "'zone' is there twice" in done.output
    assert "it is empty" in run("convert", "", tmp_path / "o.parquet", code=2).output
    assert "it is empty" in run("convert", trips_csv, "", code=2).output


@pytest.mark.parametrize("sep", ["", ";;", '"', "\n"])
def test_what_cannot_separate_columns_is_bad_usage(run, trips_csv, tmp_path, sep):
    run("convert", trips_csv, tmp_path / "o.csv", "--to-sep", sep, code=2)
    assert not list(tmp_path.glob(".*penstock*"))


@pytest.mark.parametrize("target", ["o.json", "o.xlsx", "o.h5", "-"])
def test_names_that_ask_for_another_kind_are_bad_usage(run, trips_csv, tmp_path, target):
    target = target if target == "-" else tmp_path / target
    assert "nothing of that kind" in run("convert", trips_csv, target, code=2).output
    assert {path.name for path in tmp_path.iterdir()} == {"trips.csv"}


def test_a_program_without_standard_streams(tmp_path, trips_csv):
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    lines = f"{sys.executable} -m penstock convert {trips_csv} o.parquet >&- 2>&-"
    done = subprocess.run(["sh", "-c", lines], cwd=tmp_path, env=env, check=False)
    assert done.returncode == 0
    assert pq.read_metadata(tmp_path / "o.parquet").num_rows == 5_000
    lines = f"{sys.executable} -m penstock head {trips_csv} >&-"
    assert subprocess.run(["sh", "-c", lines], env=env, check=False).returncode == 0
