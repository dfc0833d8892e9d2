"""The fingerprint follows the code a module runs, and nothing else."""

import importlib.util
import shutil
from pathlib import Path

import pytest

from components import fingerprint

FILES = {
    "components/__init__.py": "",
    "components/trainer/__init__.py": "",
    "components/trainer/run_fn.py": "from models import training\nimport os\n",
    "models/__init__.py": "",
    "models/training.py": "from .tasks import Task as T\n\ndef fit():\n    import models.layers.dense\n",
    "models/tasks.py": "import numpy\n\nclass Task:\n    pass\n",
    "models/layers/__init__.py": "",
    "models/layers/dense.py": "from ..config import SIZE\nfrom . import shared\n",
    "models/layers/shared.py": "import models.training  # a circle\n",
    "models/config.py": "SIZE = 3\n",
    "models/unrelated.py": "import models.training\n",
    "pipeline/__init__.py": "import components.trainer.run_fn\n",
    "numpy.py": "'a file of another package, which is no project code'\n",
}


class Project:
    """A tree of modules with fingerprint.py in it, which fingerprints the tree it lies in."""

    def __init__(self, root: Path):
        self.root = root
        shutil.copy(fingerprint.__file__, root / "components" / "fingerprint.py")
        spec = importlib.util.spec_from_file_location(
            "fingerprint_of_a_tree", root / "components" / "fingerprint.py"
        )
        self._module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self._module)

    def write(self, name: str, content: str) -> None:
        write(self.root / name, content)

    def fingerprint(self, module="components.trainer.run_fn") -> str:
        return self._module.code_fingerprint(module)


@pytest.fixture
def project(tmp_path) -> Project:
    return make_project(tmp_path / "project")


def make_project(root: Path) -> Project:
    for name, content in FILES.items():
        write(root / name, content)
    return Project(root)


def write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


REACHED = [
    "components/trainer/run_fn.py",
    "components/trainer/__init__.py",  # importing a module runs its packages, too
    "components/__init__.py",
    "models/__init__.py",
    "models/training.py",
    "models/tasks.py",
    "models/layers/__init__.py",
    "models/layers/dense.py",
    "models/layers/shared.py",
    "models/config.py",
]


@pytest.mark.parametrize("name", REACHED)
def test_an_edit_of_imported_code_is_seen_and_its_undoing_too(project, name):
    before = project.fingerprint()
    project.write(name, FILES[name] + "X = 1\n")
    assert project.fingerprint() != before
    project.write(name, FILES[name])
    assert project.fingerprint() == before


@pytest.mark.parametrize("name", sorted(set(FILES) - set(REACHED)))
def test_an_edit_of_other_code_is_not(project, name):
    before = project.fingerprint()
    project.write(name, FILES[name] + "X = 1\n")
    assert project.fingerprint() == before


def test_a_new_import_counts_with_what_it_imports(project):
    project.write("models/tasks.py", FILES["models/tasks.py"] + "import models.extra\n")
    before = project.fingerprint()  # nothing there yet
    project.write("models/extra.py", "Y = 1\n")
    assert project.fingerprint() != before


def test_code_moved_to_another_module_is_a_change(project):
    before = project.fingerprint("models.layers.dense")
    project.write("models/config.py", FILES["models/layers/shared.py"])
    project.write("models/layers/shared.py", FILES["models/config.py"])
    assert project.fingerprint("models.layers.dense") != before


def test_the_folder_does_not_matter(project, tmp_path):
    assert make_project(tmp_path / "elsewhere" / "copy").fingerprint() == project.fingerprint()


def test_modules_have_their_own(project):
    names = ("components.trainer.run_fn", "models.training", "models.config", "models.layers")
    assert len({project.fingerprint(name) for name in names}) == 4


def test_form(project):
    assert len(project.fingerprint()) == 16
    assert int(project.fingerprint(), 16)


@pytest.mark.parametrize("name", ["models.nothing", "numpy", "tests.components", ""])
def test_what_is_no_module_of_the_project_is_refused(project, name):
    with pytest.raises(ModuleNotFoundError, match="is not a module of this project"):
        project.fingerprint(name)


def test_the_trainers_own_covers_the_models(tmp_path):
    root = Path(fingerprint.__file__).parent.parent
    for package in ("components", "models"):
        shutil.copytree(root / package, tmp_path / package)
    copy = Project(tmp_path)
    before = copy.fingerprint("components.trainer.run_fn")
    assert before == fingerprint.code_fingerprint("components.trainer.run_fn")
    for name in ("tokenizer", "training", "export", "config", "hf_weights"):
        path = tmp_path / "models" / f"{name}.py"
        path.write_text(path.read_text() + "\n# edited\n")
        before, last = copy.fingerprint("components.trainer.run_fn"), before
        assert before != last
