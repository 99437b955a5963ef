"""Generators of sample data: one dataset, one module.

Each module has ``add_arguments(parser)`` for its own command-line options and
``generate(output, ...)``, which yields every file once it is complete.
"""
