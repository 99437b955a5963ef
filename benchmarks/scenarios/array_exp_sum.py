"""Array: 400,000,000 random numbers, exp, sum.

Chunks of 1000 x 1000. The mean has two digits in common whatever the random numbers.
"""

CHUNKS = (1000, 1000)


def _answer(total, side):
    return [[round(float(total) / side**2, 2)]]


def penstock(inputs):
    import penstock.array as da

    numbers = da.random.random((inputs.side, inputs.side), chunks=CHUNKS)
    return _answer(da.exp(numbers).sum().compute(), inputs.side)


def dask(inputs):
    import dask.array as da

    numbers = da.random.random((inputs.side, inputs.side), chunks=CHUNKS)
    return _answer(da.exp(numbers).sum().compute(), inputs.side)


def cubed(inputs):
    import cubed.array_api as xp
    import cubed.random

    numbers = cubed.random.random((inputs.side, inputs.side), chunks=CHUNKS)
    return _answer(xp.sum(xp.exp(numbers)).compute(), inputs.side)
