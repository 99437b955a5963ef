"""1.2 GB: Zarr of 3.2 GB from rows to columns.

20,000 x 20,000 floats in chunks of 200 x 20,000, written in chunks of 20,000 x 200.
"""

INPUT = "zarr"
OUTPUT = "zarr"
CGROUP, MEMORY_LIMIT = "1.2GB", "1100MB"


def penstock(inputs):
    import penstock.array as da

    x = da.from_zarr(inputs.zarr)
    da.to_zarr(x.rechunk((x.shape[0], inputs.thickness)), inputs.output)


def dask(inputs):
    import dask.array as da

    x = da.from_zarr(inputs.zarr)
    da.to_zarr(x.rechunk((x.shape[0], inputs.thickness)), inputs.output)


def cubed(inputs):
    import cubed

    # for one task; two run at once, and with more than this the process was killed
    spec = cubed.Spec(work_dir="work", allowed_mem="500MB")
    x = cubed.from_zarr(inputs.zarr, spec=spec)
    cubed.to_zarr(x.rechunk((x.shape[0], inputs.thickness)), inputs.output)
