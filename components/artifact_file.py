"""Files of an artifact, on whatever file system it lies."""

from tfx.dsl.io import fileio


def write_artifact_file(path: str, content: str | bytes) -> None:
    """Writes beside, then renames, so that nothing half-written is ever visible.

    Args:
        path: replaced if it exists; its folder does.
        content: of the file; text is written as UTF-8.
    """
    part = f"{path}.part"
    with fileio.open(part, "wb" if isinstance(content, bytes) else "w") as file:
        file.write(content)
    fileio.rename(part, path, overwrite=True)
