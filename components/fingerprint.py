"""A fingerprint of a component's code, so that TFX's cache sees an edit.

TFX's cache key holds a component's inputs and parameters, not the code behind a dotted path such as
`run_fn="components.trainer.run_fn.run_fn"`. Each component therefore carries this fingerprint as a parameter.
"""

import ast
import functools
import hashlib
import importlib.util
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_PROJECT_PACKAGES = frozenset({"components", "models", "pipeline", "serving"})


def code_fingerprint(module_name: str) -> str:
    """Hashes the source of a module, of every project module it imports, directly or not, and their packages.

    Args:
        module_name: dotted name inside the project, e.g. `"components.trainer.run_fn"`.

    Returns:
        16 hexadecimal digits (SHA-256, shortened); equal wherever the source is equal, whatever the folder.

    Raises:
        ModuleNotFoundError: no such module in the project.
    """
    digest = hashlib.sha256()
    for name, path in sorted(_closure(module_name).items()):
        digest.update(name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _closure(module_name: str) -> dict[str, Path]:
    """The module and all project modules reachable from its import statements."""
    path = _source(module_name)
    if path is None:
        raise ModuleNotFoundError(f"{module_name} is not a module of this project under {_ROOT}")
    found = {module_name: path}
    waiting = [module_name]
    while waiting:
        name = waiting.pop()
        for imported in _imported(found[name], name):
            source = _source(imported)
            if source is not None and imported not in found:
                found[imported] = source
                waiting.append(imported)
    return found


def _source(module_name: str) -> Path | None:
    if module_name.partition(".")[0] not in _PROJECT_PACKAGES:
        return None
    base = _ROOT.joinpath(*module_name.split("."))
    for candidate in (base.with_suffix(".py"), base / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


@functools.cache
def _parse(path: Path, modified_ns: int) -> ast.Module:
    del modified_ns  # part of the cache key only
    return ast.parse(path.read_bytes(), filename=str(path))


def _imported(path: Path, module_name: str) -> set[str]:
    """Dotted names the file may import; names that are no modules are sorted out by the caller."""
    package = module_name if path.name == "__init__.py" else module_name.rpartition(".")[0]
    names: set[str] = set()
    for node in ast.walk(_parse(path, path.stat().st_mtime_ns)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            relative = "." * node.level + (node.module or "")
            base = importlib.util.resolve_name(relative, package) if node.level else relative
            names.add(base)
            names.update(f"{base}.{alias.name}" for alias in node.names)
    return names.union(*map(_packages, names), _packages(module_name))


def _packages(name: str) -> set[str]:
    """`{"a", "a.b"}` of "a.b.c": importing a module runs its packages first."""
    parts = name.split(".")
    return {".".join(parts[:i]) for i in range(1, len(parts))}
