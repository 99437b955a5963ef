"""Array: rows less their means, from compressed HDF5 to Zarr.

320 MB of floats; both files are stored by gzip and by Zarr's default codec.
"""

INPUT = "hdf5"
OUTPUT = "zarr"
CHUNKS = (1000, 2000)


def penstock(inputs):
    import h5py

    import penstock.array as da

    with h5py.File(inputs.hdf5) as file:
        x = da.from_array(file["big-data"], chunks=CHUNKS)
        da.to_zarr(x - x.mean(axis=1, keepdims=True), inputs.output)


def dask(inputs):
    import dask.array as da
    import h5py

    with h5py.File(inputs.hdf5) as file:
        x = da.from_array(file["big-data"], chunks=CHUNKS)
        da.to_zarr(x - x.mean(axis=1, keepdims=True), inputs.output)
