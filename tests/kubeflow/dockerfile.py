"""kubeflow/Dockerfile and .dockerignore, as far as they are used here."""

import dataclasses
import re
import shutil
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Stage:
    """A stage of a build: its base, its name ("" for the last), and its instructions in their order."""

    base: str
    name: str
    instructions: list[tuple[str, str]]

    def of(self, word: str) -> list[str]:
        """What follows each of its instructions of a kind."""
        return [rest for found, rest in self.instructions if found == word]


def read_stages(path: Path) -> list[Stage]:
    """The stages. A here-document, an ONBUILD or an escape directive would be misread, and is refused."""
    text = path.read_text()
    assert not re.search(r"<<|^ONBUILD|^# *escape=", text, re.MULTILINE)
    text = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    stages: list[Stage] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        word, rest = line.split(maxsplit=1)
        if word == "FROM":
            base, *name = re.split(r"\s+AS\s+", rest)
            stages.append(Stage(base, name[0] if name else "", []))
        elif stages:  # an ARG before the first FROM belongs to no stage
            stages[-1].instructions.append((word, " ".join(rest.split())))
    return stages


def installed(run: str) -> set[str]:
    """The packages of a RUN with apt-get install."""
    [(_, names)] = re.findall(r"apt-get install ((?:-\S+ )*)([^&]*)", run)
    return set(names.split())


def copy_context(root: Path, to: Path, source: str, target: str) -> None:
    """COPY source target, of what .dockerignore lets through: it leaves all out but the names after "!"."""
    lines = [line for line in (root / ".dockerignore").read_text().splitlines() if line[:1] != "#"]
    assert lines[0] == "*"
    assert lines[-1] == "**/__pycache__"
    names = [line.removeprefix("!") for line in lines[1:-1] if re.fullmatch(r"!\w[\w.]*", line)]
    assert len(names) == len(lines) - 2
    for name in names if source == "." else {source} & set(names):
        path = to / (name if source == "." else target)
        if (root / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(root / name, path, ignore=ignored, dirs_exist_ok=True)
        else:
            shutil.copy(root / name, path)
