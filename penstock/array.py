"""Arrays bigger than memory: Dask's names, NumPy's results, a hard memory limit."""

from __future__ import annotations

from penstock._faces import lazy_names

_GROUPS = {
    "array": ("Array",),
    "arrange": (
        "compress", "delete", "diagonal", "extract", "flip", "fliplr", "flipud", "insert", "pad", "repeat", "roll", "rot90", "tile",
        "trace",
    ),
    "blockwise": ("blockwise", "map_blocks"),
    "building": (
        "copy", "diag", "empty", "empty_like", "eye", "fromfunction", "full_like", "identity",
        "indices", "linspace", "meshgrid", "ones_like", "tri", "tril", "tril_indices",
        "tril_indices_from", "triu", "triu_indices", "triu_indices_from", "vander", "zeros_like",
    ),
    "core": ("normalize_chunks",),
    "differences": ("coarsen", "diff", "ediff1d", "gradient"),
    "elementwise": (
        "angle", "around", "astype", "choose", "clip", "fix", "frompyfunc", "i0", "imag",
        "isclose", "iscomplex", "isneginf", "isnull", "isposinf", "isreal", "nan_to_num", "notnull",
        "piecewise",
        "real", "round", "select", "sinc", "unify_chunks", "where",
    ),
    "gufunc": ("apply_gufunc", "as_gufunc", "gufunc"),
    "indexing": ("shuffle", "take"),
    "join": ("append", "block", "concatenate", "dstack", "hstack", "stack", "vstack"),
    "lazy_values": ("from_delayed", "to_delayed"),
    "lib": ("sliding_window_view",),
    "order": (
        "median", "nanmedian", "nanpercentile", "nanquantile", "percentile", "quantile",
    ),
    "numpy": (
        "array", "array_equiv", "array_split", "column_stack", "cross", "diagflat", "dsplit",
        "geomspace", "histogram_bin_edges", "hsplit", "interp", "intersect1d", "iscomplexobj",
        "isrealobj", "kron", "logspace", "polyval", "resize", "setdiff1d", "setxor1d", "split",
        "trapezoid", "vsplit",
    ),
    "overlap": ("map_overlap", "trim_overlap"),
    "products": (
        "dot", "einsum", "inner", "matmul", "outer", "tensordot", "vdot",
    ),
    "rechunk": ("rechunk",),
    "reduction": ("cumreduction", "reduction"),
    "reductions": (
        "all", "allclose", "amax", "amin", "any", "apply_over_axes", "argmax", "argmin",
        "argtopk", "array_equal", "average", "count_nonzero", "cumprod", "cumsum", "max", "mean",
        "min", "moment", "push", "nanargmax", "nanargmin", "nancumprod", "nancumsum", "nanmax", "nanmean",
        "nanmin", "nanprod", "nanstd", "nansum", "nanvar", "prod", "ptp", "std", "sum", "topk",
        "var",
    ),
    "shape": (
        "atleast_1d", "atleast_2d", "atleast_3d", "broadcast_arrays", "broadcast_to",
        "expand_dims", "moveaxis", "ndim", "ravel", "reshape", "rollaxis", "shape", "squeeze",
        "swapaxes", "transpose",
    ),
    "creation": ("arange", "full", "ones", "zeros"),
    "storage": (
        "asanyarray", "asarray", "from_array", "from_npy_stack", "from_zarr",
    ),
    "search": (
        "apply_along_axis", "argwhere", "digitize", "flatnonzero", "isin", "nonzero",
        "ravel_multi_index", "searchsorted", "unravel_index",
    ),
    "standard": (
        "__array_namespace_info__", "argsort", "can_cast", "concat", "cumulative_prod",
        "cumulative_sum", "finfo", "from_dlpack", "iinfo", "isdtype", "matrix_transpose",
        "permute_dims", "result_type", "sort", "take_along_axis", "unique_all", "unique_counts",
        "unique_inverse", "unique_values", "unstack", "vecdot",
    ),
    "statistics": (
        "bincount", "corrcoef", "cov", "histogram", "histogram2d", "histogramdd", "union1d",
        "unique",
    ),
    "writing": ("store", "to_hdf5", "to_npy_stack", "to_zarr"),
}  # fmt: skip

# NumPy's own functions, which an Array answers lazily, and its constants and types.
_NUMPY = (
    "absolute", "abs", "acos", "acosh", "add", "asin", "asinh", "atan", "atan2", "atanh",
    "bitwise_invert", "bitwise_left_shift", "bitwise_right_shift", "bool", "pow",
    "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2",
    "arctanh", "bitwise_and", "bitwise_count", "bitwise_not", "bitwise_or", "bitwise_xor", "cbrt", "ceil", "conj",
    "conjugate", "copysign", "cos", "cosh", "deg2rad", "degrees", "divide", "divmod", "equal",
    "exp", "exp2", "expm1", "fabs", "float_power", "floor", "floor_divide", "fmax", "fmin", "fmod",
    "frexp", "greater", "greater_equal", "hypot", "invert", "isfinite", "isinf", "isnan", "isnat", "ldexp",
    "left_shift", "less", "less_equal", "log", "log10", "log1p", "log2", "logaddexp", "logaddexp2",
    "logical_and", "logical_not", "logical_or", "logical_xor", "maximum", "minimum", "mod", "modf",
    "multiply", "negative", "nextafter", "not_equal", "positive", "power", "rad2deg", "radians",
    "reciprocal", "remainder", "right_shift", "rint", "sign", "signbit", "sin", "sinh", "spacing",
    "sqrt", "square", "subtract", "tan", "tanh", "true_divide", "trunc", "e", "euler_gamma", "inf", "nan", "newaxis",
    "pi", "heaviside", "gcd", "lcm", "bool_", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16",
    "float32", "float64", "complex64", "complex128",
)  # fmt: skip

_MODULES = {
    "core": "core",
    "fft": "fft",
    "lib": "lib",
    "linalg": "linalg",
    "ma": "masked",
    "overlap": "overlap",
    "random": "random",
    "stats": "stats",
}

_HOMES = {
    name: f"penstock.collections.arrays.{home}" for home, names in _GROUPS.items() for name in names
}
_HOMES |= dict.fromkeys(("compute", "persist"), "penstock.collections.base")
_HOMES |= dict.fromkeys(_NUMPY, "numpy")
_HOMES |= {name: f"penstock.collections.arrays.{home}:" for name, home in _MODULES.items()}

__array_api_version__ = "2024.12"

__all__ = sorted(_HOMES)  # noqa: PLE0605

__getattr__, __dir__ = lazy_names(globals(), _HOMES)
