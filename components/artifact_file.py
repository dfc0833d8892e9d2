"""Files of an artifact, on whatever file system it lies."""

import os

from tfx.dsl.io import fileio


def write_artifact_file(path: str, content: str | bytes, durable: bool = False) -> None:
    """Writes beside, then renames, so that nothing half-written is ever visible.

    Args:
        path: replaced if it exists; its folder does.
        content: of the file; text is written as UTF-8.
        durable: whether a power cut right after it may not undo it.
    """
    part = f"{path}.part"
    with fileio.open(part, "wb" if isinstance(content, bytes) else "w") as file:
        file.write(content)
    if durable:
        sync(part)
    fileio.rename(part, path, overwrite=True)
    if durable:
        sync(os.path.dirname(path))


def sync(path: str) -> None:
    """Waits until a file's bytes, or a folder's names, are on the disk; nothing to do for an object store."""
    if not os.path.exists(path):
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
