"""The image: what its Dockerfile says, and, where stack B runs, what its steps make and can do.

No docker daemon is needed: the COPY and RUN instructions are done in a folder that stands in for /app, on
a system with the packages that the Dockerfile gets with apt-get, such as the root of `make test-current`.
"""

import contextlib
import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import dockerfile
import pytest

from kubeflow.local.processes import TIMED_OUT, Processes

ROOT = Path(__file__).parents[2]
STAMP = Path(sys.prefix, "sciformer-install")
UV_CACHE = Path.home() / ".cache" / "uv"
COMPILERS = re.compile(r"(g\+\+|gcc|clang|cpp|make|build-essential|\S*-dev)$")


@pytest.fixture(scope="module")
def stages():
    return dockerfile.read_stages(ROOT / "kubeflow" / "Dockerfile")


def test_stages(stages):
    base, packages, image = stages
    assert [stage.base for stage in stages] == ["${BASE}", "base", "base"]
    assert packages.name == "packages"
    assert not any("apt-get" in run for run in image.of("RUN"))
    [run] = base.of("RUN")
    assert not [name for name in dockerfile.installed(run) if COMPILERS.match(name)]
    assert [name for name in dockerfile.installed(packages.of("RUN")[0]) if COMPILERS.match(name)]


def test_its_system_is_the_one_that_stack_b_is_tested_on(stages):
    """But for libstdc++6, which g++ brings."""
    script = (ROOT / "requirements" / "debian_root.sh").read_text()
    [names] = re.findall(r"^packages=(\S+)$", script, re.MULTILINE)
    base, packages, _ = stages
    wanted = dockerfile.installed(base.of("RUN")[0]) | dockerfile.installed(packages.of("RUN")[0])
    assert wanted - {"libstdc++6"} <= set(names.split(","))
    assert "suite=trixie" in script
    assert "ARG BASE=debian:trixie-slim\n" in (ROOT / "kubeflow" / "Dockerfile").read_text()


def test_the_context_holds_no_more_than_the_project(tmp_path):
    checkout = tmp_path / "checkout"
    for name in (".env", ".git/config", "runs/a/model", "models/a.py", "models/__pycache__/a.pyc"):
        path = checkout / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    for name in ("LICENSE", "README.md", "pyproject.toml", "setup.py"):
        (checkout / name).touch()
    for name in ("components", "configs", "kubeflow", "pipeline", "requirements", "serving"):
        (checkout / name).mkdir()
    shutil.copy(ROOT / ".dockerignore", checkout)
    image = tmp_path / "image"
    image.mkdir()
    dockerfile.copy_context(checkout, image, ".", ".")
    assert (image / "models" / "a.py").exists()
    assert not {path.name for path in image.rglob("*")} & {".env", ".git", "runs", "__pycache__"}


class Image(Processes):
    """A folder that stands in for /app of the image, and its processes.

    Args:
        folder: in place of /app.
        stage: the last one: its environment and user are those of the processes.
    """

    def __init__(self, folder: Path, stage: dockerfile.Stage):
        self.folder = folder
        pairs = [pair.split("=", 1) for line in stage.of("ENV") for pair in line.split()]
        self._environment = {name: value.replace("/app", str(folder)) for name, value in pairs}
        self._environment["HOME"] = str(folder.parent / "home")
        self._user = int(stage.of("USER")[0]) if os.geteuid() == 0 else None
        self.own(Path(self._environment["HOME"]))

    def own(self, path: Path) -> None:
        """Makes a folder which the image's user may write to."""
        path.mkdir(exist_ok=True)
        if self._user is not None:
            os.chown(path, self._user, 0)

    def run(self, command, log: Path, seconds: int | None) -> int:
        self.own(log.parent)  # which the launcher, being the same user, would have made
        who = {} if self._user is None else {"user": self._user, "group": 0, "extra_groups": []}
        with log.open("ab") as output, contextlib.suppress(subprocess.TimeoutExpired):
            program = shutil.which(command[0], path=self._environment["PATH"])
            return subprocess.run(
                [program, *command[1:]],
                cwd=self.folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                timeout=seconds,
                **who,
            ).returncode
        return TIMED_OUT


def build(stages: list[dockerfile.Stage], app: Path) -> None:
    """Does the instructions that change /app. uv is the one already here, and reads its cache only."""
    shutil.copytree(Path(sys.prefix).parent / ".venv-uv", app / ".venv-uv", symlinks=True)
    environment = {**os.environ, "UV_OFFLINE": "1"}
    for stage in stages:
        for word, rest in stage.instructions:
            if word == "COPY" and "--from" not in rest:
                dockerfile.copy_context(ROOT, app, *rest.split())
            elif word == "COPY":
                assert rest == "--from=packages /app/.venv .venv"  # it is there already
            elif word == "RUN" and not rest.startswith(("apt-get ", "useradd ")):
                done = subprocess.run(
                    ["sh", "-c", rest], cwd=app, env=environment, capture_output=True
                )
                assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()


@pytest.fixture(scope="module")
def image(stages):
    if not STAMP.exists() or not STAMP.read_text().startswith("tfx121\n"):
        pytest.skip("the image has stack B, which does not run here")
    if not UV_CACHE.is_dir():
        pytest.skip("uv has no cache here, and the test shall not need a network")
    # Not tmp_path, which is kept for a while and may be in memory: this has some gigabytes.
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        os.chmod(folder, 0o755)  # the image's user must get through
        app = Path(folder, "app")
        app.mkdir()
        build(stages, app)
        yield Image(app, stages[-1])


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_step_runs_in_the_image(image, stages, finetune_config):
    from kubeflow.compile import compile_line, write_ir
    from kubeflow.local.executor import LocalExecutor
    from kubeflow.local.ir import fill_parameters, read_ir

    work = image.folder.parent / "work"
    image.own(work)
    write_ir(*compile_line(finetune_config()), work / "line.yaml")
    ir = read_ir(work / "line.yaml")
    [step] = [task for task in ir.tasks if task.name == "SchemaWriter"]
    executor = LocalExecutor(dataclasses.replace(ir, tasks=[step]), work / "root", image)
    runs = executor.run("r", fill_parameters(ir, {}))
    [schema] = runs["SchemaWriter"].outputs["schema"]
    assert "feature" in Path(schema["uri"], "schema.pbtxt").read_text()

    [check] = stages[-1].of("HEALTHCHECK")
    command = json.loads(check.split(" CMD ")[1])
    (work / "check").mkdir()
    assert image.run(command, work / "check" / "log.txt", 60) == 0


@pytest.mark.slow
def test_it_holds_no_tools_of_tests_and_lint(image):
    [packages] = image.folder.glob(".venv/lib/python3.*/site-packages")
    assert (packages / "tfx").is_dir()
    tools = ("pytest", "mypy", "ruff", "hypothesis", "kubernetes_validate", "debugpy")
    assert [name for name in tools if (packages / name).exists()] == []
