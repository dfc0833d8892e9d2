"""Evaluates the conditions that TFX compiles: a small part of the Common Expression Language."""

import ast
import operator
import re
from collections.abc import Mapping
from typing import Any

_COMPARISONS = {ast.Eq: operator.eq, ast.Lt: operator.lt, ast.Gt: operator.gt}
_STRINGS = re.compile(r"('(?:[^'\\]|\\.)*')")


class ConditionError(Exception):
    """The condition is beyond what TFX compiles."""


def holds(condition: str, inputs: Mapping[str, Any]) -> bool:
    """Whether a step's `triggerPolicy.condition` is true.

    Args:
        condition: e.g. `(inputs.artifacts['blessing'].artifacts[0].metadata['blessed'] == 1.0)`; comparisons,
            `&&`, `||`, `!`, `+`, and access by name and index.
        inputs: of the step's ExecutorInput.

    Raises:
        ConditionError: it cannot be evaluated.
    """
    # Outside of strings the two languages differ in the words for and, or, not.
    parts = _STRINGS.split(condition)
    parts[::2] = [
        part.replace("&&", " and ").replace("||", " or ").replace("!", " not ")
        for part in parts[::2]
    ]
    try:
        tree = ast.parse("".join(parts).strip(), mode="eval")
        return bool(_value(tree.body, {"inputs": inputs}))
    except (SyntaxError, KeyError, IndexError, TypeError) as error:
        raise ConditionError(f"{condition}: {error!r}") from None


def _value(node: ast.expr, names: Mapping[str, Any]) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return names[node.id]
    if isinstance(node, ast.Attribute):
        return _value(node.value, names)[node.attr]
    if isinstance(node, ast.Subscript):
        return _value(node.value, names)[_value(node.slice, names)]
    if isinstance(node, ast.BoolOp):
        quantifier = all if isinstance(node.op, ast.And) else any
        return quantifier(_value(each, names) for each in node.values)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return not _value(node.operand, names)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _value(node.left, names) + _value(node.right, names)
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _COMPARISONS:
        compare = _COMPARISONS[type(node.ops[0])]
        return compare(_value(node.left, names), _value(node.comparators[0], names))
    raise ConditionError(f"{ast.unparse(node)} is nothing that TFX compiles")
