"""How other libraries see an array: the array API, DLPack, notebooks."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np

_VERSIONS = ("2021.12", "2022.12", "2023.12", "2024.12")


class Interoperable:
    """Methods of an Array that other libraries ask for."""

    def __array_namespace__(self, *, api_version: str | None = None) -> ModuleType:
        if api_version is not None and api_version not in _VERSIONS:
            raise ValueError(f"the array API is that of {_VERSIONS[-1]}, not of {api_version!r}")
        return import_module("penstock.array")

    @property
    def device(self) -> str:
        """Where the elements are: always ``"cpu"``."""
        return "cpu"

    def to_device(self, device: str, /, *, stream: Any = None) -> Any:
        """Return the array itself: there is one device."""
        if device != "cpu" or stream is not None:
            raise ValueError(f"arrays are on the device 'cpu', not on {device!r}")
        return self

    @property
    def mT(self) -> Any:  # noqa: N802
        """The matrices of the last two axes, transposed."""
        return import_module("penstock.array").matrix_transpose(self)

    def __dlpack__(
        self,
        *,
        stream: Any = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        values = np.asarray(self.compute())  # type: ignore[attr-defined]
        # the values are new memory, which nobody else sees
        return values.__dlpack__(
            stream=stream, max_version=max_version, dl_device=dl_device, copy=copy or None
        )

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)  # the processor, the only one

    def _repr_html_(self) -> str:
        picture = import_module("penstock.collections.arrays.picture")
        return str(picture.as_html(self))
