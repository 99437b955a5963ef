from typing_extensions import Buffer

def number_rows(
    columns: tuple[tuple[str, Buffer, Buffer | None, int, int, int], ...],
    codes: Buffer,
    first: Buffer,
    /,
) -> int: ...
