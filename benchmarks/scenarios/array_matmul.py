"""Array: a matrix of 6000 x 6000 times its transpose.

Chunks of 1000 x 1000.
"""

CHUNKS = (1000, 1000)


def _answer(product):
    return [[round(float(product), 3)]]


def penstock(inputs):
    import numpy as np

    import penstock.array as da

    x = da.from_array(np.random.default_rng(0).random((inputs.order,) * 2), chunks=CHUNKS)
    return _answer((x @ x.T).sum().compute())


def dask(inputs):
    import dask.array as da
    import numpy as np

    x = da.from_array(np.random.default_rng(0).random((inputs.order,) * 2), chunks=CHUNKS)
    return _answer((x @ x.T).sum().compute())
