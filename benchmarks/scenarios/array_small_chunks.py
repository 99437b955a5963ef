"""Array: two operations and a sum over 100,000 chunks.

1000 x 1,000,000 ones in chunks of 10 x 1000.
"""

CHUNKS = (10, 1000)


def penstock(inputs):
    import penstock.array as da

    ones = da.ones((1000, inputs.columns), chunks=CHUNKS)
    return [[float(((ones + 1) * 2).sum().compute())]]


def dask(inputs):
    import dask.array as da

    ones = da.ones((1000, inputs.columns), chunks=CHUNKS)
    return [[float(((ones + 1) * 2).sum().compute())]]
