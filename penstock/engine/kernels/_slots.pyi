from typing_extensions import Buffer

def add_to_groups(codes: Buffer, values: Buffer | None, kind: str, sums: Buffer, /) -> None: ...
def number_rows(
    columns: tuple[tuple[str, Buffer, Buffer | None, int, int, int], ...],
    codes: Buffer,
    first: Buffer,
    /,
) -> int: ...
