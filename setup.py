"""The extension modules; everything else about the package stands in pyproject.toml.

They are optional: without them, as where there is no compiler, everything works, only slower. One
build serves every CPython from 3.11 on.
"""

from setuptools import Extension, setup

setup(
    ext_modules=[
        Extension(
            name,
            [f"{name.replace('.', '/')}.c"],
            define_macros=[("Py_LIMITED_API", "0x030B0000")],
            extra_compile_args=["-O3"],
            py_limited_api=True,
            optional=True,
        )
        for name in (
            "penstock.engine.kernels._slots",
            "penstock.io.csv._fields",
            "penstock.io.csv._numbers",
            "penstock.io.parquet._pages",
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
