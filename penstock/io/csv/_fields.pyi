from typing_extensions import Buffer

def narrow(
    data: Buffer,
    out: Buffer,
    width: int,
    wanted: tuple[int, ...],
    delimiter: int,
    quote: int,
    /,
) -> tuple[int, int] | None: ...
