from typing_extensions import Buffer

def read_numbers(
    data: Buffer,
    records: int,
    columns: tuple[tuple[bool, Buffer, Buffer], ...],
    delimiter: int,
    /,
) -> tuple[int, ...] | None: ...
