"""Which documents no language model may learn from."""

from tfx.dsl.io import fileio

from components.pretrain_example_gen.config import PretrainExamplesConfig


class HeldOut:
    """The keys that the settings hold out, by rule or by list."""

    def __init__(self, config: PretrainExamplesConfig):
        """Reads the list of keys, if the settings name one.

        Raises:
            ValueError: the list holds no key.
            OSError: the list cannot be read.
        """
        self._rule = config.held_out
        self._keys: frozenset[bytes] = frozenset()
        if config.held_out_keys:
            with fileio.open(config.held_out_keys, "rb") as file:
                self._keys = frozenset(filter(None, map(bytes.strip, file.read().splitlines())))
            if not self._keys:
                raise ValueError(f"held_out_keys: {config.held_out_keys} holds no key")

    def __contains__(self, key: bytes) -> bool:
        """Whether a document is held out.

        Raises:
            ValueError: there is a rule, and the key is no non-negative integer.
        """
        if key in self._keys:
            return True
        if self._rule is None:
            return False
        if not key.isdigit():
            raise ValueError(
                f"held_out needs integer keys, found {key[:50]!r}: give held_out_keys, a file, instead"
            )
        return int(key) % self._rule.modulus == self._rule.remainder
