"""What the tests share: S3 servers, a proxy with faults, memory limits, frames, small disks."""
