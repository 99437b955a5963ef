#!/usr/bin/env python3
"""Write sample data of any size, for example ``generate-data.py taxi --size 2GB --months 3``."""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from generators.common import MissingDependencyError, argument, parse_size

DATASETS = ("taxi", "accounts", "students", "hdf5", "array", "keys")


def natural(text: str) -> int:
    """Read a whole number that is not negative."""
    value = int(text)
    if value < 0:
        raise ValueError(f"{text} is negative")
    return value


def positive(text: str) -> int:
    """Read a whole number above zero."""
    value = int(text)
    if value < 1:
        raise ValueError(f"{text} is not above zero")
    return value


def build_parser() -> argparse.ArgumentParser:
    """Make the parser: one subcommand for each dataset."""
    parser = argparse.ArgumentParser(prog="generate-data.py", description=__doc__)
    commands = parser.add_subparsers(dest="dataset", required=True, metavar="DATASET")
    for name in DATASETS:
        module = importlib.import_module(f"generators.{name}")
        command = commands.add_parser(name, help=module.HELP, description=module.__doc__)
        amount = command.add_mutually_exclusive_group(required=True)
        amount.add_argument("--rows", type=argument(positive), help="rows in all files together")
        amount.add_argument(
            "--size", type=argument(parse_size), help="bytes in all: 300MB, 2GB, 1.5GiB"
        )
        command.add_argument("--seed", type=argument(natural), default=0, help="default 0")
        command.add_argument("--output", type=Path, default=Path("data"), help="default ./data")
        module.add_arguments(command)
        command.set_defaults(generate=module.generate)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; print each file with its size once it is complete."""
    options = vars(build_parser().parse_args(arguments))
    del options["dataset"]
    generate = options.pop("generate")
    try:
        for path in generate(options.pop("output"), **options):
            print(f"{path.stat().st_size:>15,}  {path}", flush=True)
    except (ValueError, OSError, MissingDependencyError) as error:
        print(f"generate-data.py: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    # End through the clean-up that removes half-written files.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
