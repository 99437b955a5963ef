from typing_extensions import Buffer

def read_chunks(
    file: int,
    chunks: tuple[tuple[int, int, int, int, bool, Buffer, Buffer | None, int], ...],
    /,
) -> list[int]: ...
