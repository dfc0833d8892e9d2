import base64
import hashlib
import zipfile

import pytest


@pytest.fixture
def make_wheel():
    def make_wheel(folder, name, files):
        """A wheel that pip accepts; returns its path and sha256."""
        path = folder / f"{name}-1.0-py3-none-any.whl"
        metadata = f"{name}-1.0.dist-info"
        members = {
            **files,
            f"{metadata}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(),
            f"{metadata}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        record = "".join(
            f"{member},sha256={_record_hash(content)},{len(content)}\n"
            for member, content in members.items()
        )
        with zipfile.ZipFile(path, "w") as archive:
            for member, content in {**members, f"{metadata}/RECORD": record.encode()}.items():
                archive.writestr(member, content)
        return path, hashlib.sha256(path.read_bytes()).hexdigest()

    return make_wheel


def _record_hash(content):
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
