"""Files that are never seen half-written."""

from pathlib import Path


def write_whole_file(path: Path, content: str) -> None:
    """Writes a local file beside its place and renames it, with its folder if there is none.

    Args:
        path: replaced if it exists.
        content: written as UTF-8.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(content, encoding="utf-8")
    part.replace(path)
