"""YAML files into typed, frozen settings, with errors a person can act on."""

import dataclasses
import difflib
import hashlib
import json
import re
import reprlib
import types
import typing
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pydantic
import yaml

T = TypeVar("T", bound=pydantic.BaseModel)
KeyPath = tuple[str | int, ...]

_YAML_TAG = "tag:yaml.org,2002:"
_JSON_TYPES = ("null", "bool", "int", "float", "str", "seq", "map")

# Pydantic's words for a type, where a user who knows only YAML needs others.
_EXPECTED = {
    "model_type": "a group of indented 'key: value' lines",
    "dict_type": "a group of indented 'key: value' lines",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "string_type": "text (quote it if it looks like a number, true, false or null)",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "none_required": "null",
}


class ConfigError(Exception):
    """A settings file that cannot be used; `problems` holds one line for each thing to mend."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


def load_config(model: type[T], path: Path, overrides: Sequence[str] = ()) -> T:
    """Reads a YAML file, applies `dotted.key=value` overrides and validates the result.

    Values are YAML 1.2 (core schema: `no` and `2020-01-01` are text, `1e-4` is a number) and
    are not converted: text is never taken for a number, nor a number for true or false.

    Args:
        model: the pydantic model to fill.
        path: the YAML file.
        overrides: settings that win over the file's, each value written in YAML.

    Raises:
        ConfigError: with every problem of the file and of the overrides, one a line, each with
            the file and line (or the override), the key's path, the value found and what was
            expected.
    """
    root, data = _parse(_read(path), path)
    problems = [
        _Problem(path=key_path, message="the key is given twice", line=line)
        for key_path, line in _duplicate_keys(root)
    ]
    sources = {}
    for override in overrides:
        try:
            sources[_apply(override, data)] = override
        except ConfigError as error:
            problems += [_Problem(message=text, override=override) for text in error.problems]
    try:
        config = model.model_validate_json(_as_json(data, path), strict=True)
    except pydantic.ValidationError as error:
        problems += _problems(error, model, root, sources)
    if problems:
        problems.sort(key=lambda problem: (problem.override is not None, problem.line))
        raise ConfigError([problem.render(path) for problem in problems])
    return config


def top_keys(path: Path) -> set[str]:
    """The keys at the top of a YAML file.

    Raises:
        ConfigError: the file cannot be read.
    """
    return set(_parse(_read(path), path)[1])


def config_hash(config: pydantic.BaseModel) -> str:
    """The sha256 (64 hex digits) of the settings as JSON with sorted keys."""
    canonical = json.dumps(config.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


@dataclasses.dataclass(frozen=True)
class _Problem:
    message: str
    path: KeyPath = ()
    line: int = 0
    override: str | None = None

    def render(self, file: Path) -> str:
        where = f"{file}:{self.line}" if self.override is None else f"override '{self.override}'"
        return ": ".join(part for part in (where, dotted(self.path), self.message) if part)


def dotted(path: KeyPath) -> str:
    """`("sources", 0, "pattern")` as a user writes it: `sources[0].pattern`."""
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)
    return text.removeprefix(".")


# --- Reading -----------------------------------------------------------------------------------


class _CoreLoader(yaml.SafeLoader):
    """YAML 1.2's core schema: JSON's types only, and no words that silently become true or false.

    PyYAML implements YAML 1.1, in which `no` is false, `010` is 8 and `1e-4` is text
    (yaml/pyyaml#486, #173).
    """

    yaml_implicit_resolvers: dict[str, Any] = {}
    yaml_constructors: ClassVar[dict[str | None, Any]] = {
        tag: yaml.SafeLoader.yaml_constructors[tag]
        for tag in (None, *(_YAML_TAG + name for name in _JSON_TYPES if name != "int"))
    }


for _name, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+", list("-+0123456789")),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
):
    _CoreLoader.add_implicit_resolver(_YAML_TAG + _name, re.compile(rf"^(?:{_pattern})$"), _first)


def _construct_int(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    return int(loader.construct_scalar(node))


_CoreLoader.add_constructor(_YAML_TAG + "int", _construct_int)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError([f"{path}: no such file{_nearest_file(path)}"]) from None
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8"]) from None
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from None


def _nearest_file(path: Path) -> str:
    if not path.parent.is_dir():
        return f"; the folder {path.parent} does not exist either"
    names = sorted(file.name for file in path.parent.glob("*.y*ml"))
    return f"; {_suggestion(path.name, names, 'its folder holds')}" if names else ""


def _parse(text: str, path: Path) -> tuple[yaml.Node, dict[str, Any]]:
    """The composed nodes (for line numbers) and the plain data of a one-document YAML text."""
    try:
        loader = _CoreLoader(text)
        root = loader.get_single_node()
        data = None if root is None else loader.construct_document(root)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        reason = error.problem or error.context
        raise ConfigError([f"{where}: not valid YAML: {reason}"]) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError([f"{path}:{line}: not valid YAML: {error.reason}"]) from None
    except (ValueError, KeyError) as error:  # an explicit tag on a value it does not fit: !!int x
        raise ConfigError([f"{path}: not valid YAML: {error}"]) from None
    except RecursionError:
        raise ConfigError([f"{path}: nested too deeply"]) from None
    if root is None or data is None:
        raise ConfigError([f"{path}: the file is empty; copy one of configs/*.yaml to start from"])
    if not isinstance(data, dict):
        found = reprlib.repr(data)
        raise ConfigError([f"{path}:1: found {found}; expected {_EXPECTED['model_type']}"])
    return root, data


def _as_json(data: dict[str, Any], path: Path) -> str:
    try:
        return json.dumps(data)
    except (ValueError, TypeError, RecursionError):
        raise ConfigError(
            [f"{path}: an anchor or a key refers to something it is part of"]
        ) from None


def _duplicate_keys(root: yaml.Node) -> Iterator[tuple[KeyPath, int]]:
    seen: set[int] = set()
    pending: list[tuple[KeyPath, yaml.Node]] = [((), root)]
    while pending:
        path, node = pending.pop()
        if id(node) in seen:  # an alias: its anchor was looked at
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            pending += [((*path, index), item) for index, item in enumerate(node.value)]
        elif isinstance(node, yaml.MappingNode):
            names = set()
            for key, value in node.value:
                if key.value in names:
                    yield (*path, key.value), key.start_mark.line + 1
                names.add(key.value)
                pending.append(((*path, key.value), value))


def _apply(override: str, data: dict[str, Any]) -> KeyPath:
    """Sets one `dotted.key=value` in `data` and returns the key's path."""
    name, equals, text = override.partition("=")
    path = tuple(name.strip().split("."))
    if not equals or not all(path):
        raise ConfigError(["expected dotted.key=value"])
    try:
        value = yaml.load(text, Loader=_CoreLoader)
    except (yaml.YAMLError, ValueError, KeyError, RecursionError):
        raise ConfigError([f"the value {text!r} is not valid YAML"]) from None
    group = data
    for depth, key in enumerate(path[:-1], start=1):
        if group.get(key) is None:
            group[key] = {}
        group = group[key]
        if not isinstance(group, dict):
            raise ConfigError([f"{dotted(path[:depth])} is no group of keys; set it as a whole"])
    group[path[-1]] = value
    return path


# --- Explaining --------------------------------------------------------------------------------


def _problems(
    error: pydantic.ValidationError,
    model: type[pydantic.BaseModel],
    root: yaml.Node,
    overrides: dict[KeyPath, str],
) -> list[_Problem]:
    expected: dict[tuple[KeyPath, str], list[str]] = {}
    for details in error.errors(include_url=False):
        path, owner = _key_path(model, details["loc"])
        if details["type"] in {"union_tag_invalid", "union_tag_not_found"}:
            path = (*path, details["ctx"]["discriminator"].strip("'"))
        found, wanted = _explain(details, owner, path)
        alternatives = expected.setdefault((path, found), [])
        if wanted not in alternatives:  # a union repeats itself, once for each of its members
            alternatives.append(wanted)
    return [
        _Problem(
            "; ".join(part for part in (found, _either(wanted)) if part),
            path,
            _line(root, path),
            _override(path, overrides),
        )
        for (path, found), wanted in expected.items()
    ]


def _either(wanted: list[str]) -> str:
    return " or ".join([wanted[0], *(words.removeprefix("expected ") for words in wanted[1:])])


def _explain(
    details: Any, owner: type[pydantic.BaseModel] | None, path: KeyPath
) -> tuple[str, str]:
    """What was found and what was expected, in words."""
    kind, value, context = details["type"], details["input"], details.get("ctx", {})
    found = f"found {reprlib.repr(value)}"
    if kind in {"missing", "union_tag_not_found"}:
        return "the key is missing", "it is required"
    if kind == "extra_forbidden":
        return "unknown key", _suggestion(str(path[-1]), _names(owner), "valid keys are")
    if kind in {"value_error", "assertion_error"}:
        return "" if isinstance(value, dict) else found, str(context["error"])
    if kind == "union_tag_invalid":
        names = re.findall(r"'([^']*)'", context["expected_tags"])
        return f"found {context['tag']!r}", _suggestion(context["tag"], names, "expected one of")
    if kind in {"literal_error", "enum"}:
        names = re.findall(r"'([^']*)'", context["expected"])
        near = _nearest(str(value), names)
        return found, f"did you mean {near!r}?" if near else f"expected {context['expected']}"
    words = details["msg"].removeprefix("Input should be ")
    if words.startswith(("greater", "less")):
        words = f"a value {words}"
    return found, f"expected {_EXPECTED.get(kind, words)}"


def _suggestion(word: str, names: Sequence[str], introduction: str) -> str:
    near = _nearest(word, names)
    return f"did you mean {near!r}?" if near else f"{introduction} {', '.join(names)}"


def _nearest(word: str, names: Sequence[str]) -> str | None:
    return next(iter(difflib.get_close_matches(word, names, n=1)), None)


def _override(path: KeyPath, overrides: dict[KeyPath, str]) -> str | None:
    matches = [text for key, text in overrides.items() if path[: len(key)] == key]
    return matches[-1] if matches else None


def _line(root: yaml.Node, path: KeyPath) -> int:
    """The line of the deepest key of the path that the file holds."""
    node, line = root, root.start_mark.line + 1
    for item in path:
        if isinstance(node, yaml.MappingNode):
            found = [(key, value) for key, value in node.value if key.value == str(item)]
        elif isinstance(node, yaml.SequenceNode) and isinstance(item, int):
            found = [(value, value) for value in node.value[item : item + 1]]
        else:
            found = []
        if not found:
            break
        key, node = found[-1]  # the last of two equal keys is the one that counts
        line = key.start_mark.line + 1
    return line


def _key_path(
    model: type[pydantic.BaseModel], location: tuple[str | int, ...]
) -> tuple[KeyPath, type[pydantic.BaseModel] | None]:
    """Pydantic's location without its labels of union members, and the last key's model."""
    path: list[str | int] = []
    kind: Any = model
    owner = None
    for item in location:
        members = _union_members(kind)
        if len(members) > 1:
            kind = next((member for member in members if _has_label(member, item)), None)
            continue
        kind = members[0]
        owner = kind if _is_model(kind) else None
        path.append(item)
        kind = _child(kind, item)
    return tuple(path), owner


def _union_members(kind: Any) -> list[Any]:
    while typing.get_origin(kind) is typing.Annotated:
        kind = typing.get_args(kind)[0]
    if typing.get_origin(kind) in {typing.Union, types.UnionType}:
        members = [member for member in typing.get_args(kind) if member is not types.NoneType]
        return _union_members(members[0]) if len(members) == 1 else members
    return [kind]


def _has_label(member: Any, label: str | int) -> bool:
    """Whether pydantic names this member of a union so: by its discriminator or its class."""
    if not _is_model(member):
        return False
    literals = (
        typing.get_args(field.annotation)
        for field in member.model_fields.values()
        if typing.get_origin(field.annotation) is typing.Literal
    )
    return member.__name__ == label or any(label in values for values in literals)


def _child(kind: Any, item: str | int) -> Any:
    if _is_model(kind):
        fields = kind.model_fields.items()
        return next((f.annotation for name, f in fields if item in (name, f.alias)), None)
    arguments = typing.get_args(kind)
    if isinstance(item, int) and typing.get_origin(kind) is tuple and Ellipsis not in arguments:
        return arguments[item] if item < len(arguments) else None
    return next((argument for argument in reversed(arguments) if argument is not Ellipsis), None)


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, pydantic.BaseModel)


def _names(model: type[pydantic.BaseModel] | None) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()] if model else []
