"""Which split a record belongs to: a pure function of its key or its group's name."""

import hashlib

from components.example_gen.config import SplitConfig


def assign_split(key: str, config: SplitConfig) -> str:
    """The split of a key, whatever the file it came from, its neighbours or the number of workers.

    Args:
        key: of a record, or the name of its group.
        config: the settings.

    Returns:
        "train", "eval" or "test".

    Raises:
        ValueError: see `check_key`.
    """
    check_key(key, config)
    place = _fraction(key, config.salt)
    if config.test_rule is not None:
        if int(key) % config.test_rule.modulus == config.test_rule.remainder:
            return "test"
        return "eval" if place < config.eval else "train"
    test = config.test or 0.0
    if place < test:
        return "test"
    return "eval" if place < test + config.eval else "train"


def check_key(key: str, config: SplitConfig) -> None:
    """Looks whether a key or a group's name can be given a split.

    Raises:
        ValueError: `test_rule` is set and the key is not a non-negative integer.
    """
    if config.test_rule is not None and not (key.isascii() and key.isdigit()):
        raise ValueError(f"test_rule needs an integer key, found {key[:50]!r}")


def _fraction(key: str, salt: str) -> float:
    """A number in [0, 1), evenly spread over keys."""
    digest = hashlib.sha256(f"{salt}\0{key}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
