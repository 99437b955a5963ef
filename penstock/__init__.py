"""Dataframes, arrays and bags bigger than memory, under a hard memory limit."""

from penstock._version import __version__ as __version__
