"""Opening input files, wherever they lie and however they are compressed."""

import contextlib
import gzip
import io
import zlib
from collections.abc import Iterator

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

ByteStream = io.BufferedReader | gzip.GzipFile
GZIP_ERRORS = (EOFError, zlib.error, gzip.BadGzipFile)


@contextlib.contextmanager
def open_bytes(path: str) -> Iterator[ByteStream]:
    """Opens a file of any Beam file system for reading; a name ending in `.gz` is decompressed.

    Reading raises one of GZIP_ERRORS where the compressed data are cut or damaged; everything
    before that point can be read by `read1` or line by line; `read` may lose the last chunk.
    """
    with FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as raw:
        if not path.endswith(".gz"):
            yield raw
            return
        with gzip.GzipFile(fileobj=raw, mode="rb") as stream:
            yield stream


def gzip_damage(error: Exception) -> tuple[str, str]:
    """Reason and detail of one of GZIP_ERRORS, for the quarantine."""
    if isinstance(error, EOFError):
        return "truncated_gzip", "the compressed file ends before its data do; what follows is lost"
    return "corrupt_gzip", f"{error}; what follows is lost"
