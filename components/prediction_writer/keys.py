"""Finds out how many rows share their key, in 8 bytes a row."""

import array
import hashlib
from collections.abc import Iterable

import apache_beam as beam
import numpy as np

from components.prediction_writer.artifact import RepeatedKeys


class CountRepeated(beam.CombineFn):
    """Keys -> RepeatedKeys.

    Keys are compared by 64 bits of a hash: among a million rows, two different keys are taken for one with a
    chance of 1 in 37 million.
    """

    def create_accumulator(self) -> array.array:
        """No key yet."""
        return array.array("Q")

    def add_input(self, accumulator: array.array, key: str) -> array.array:
        """One more."""
        digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
        accumulator.append(int.from_bytes(digest, "little"))
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[array.array]) -> array.array:
        """Those of several bundles."""
        merged = self.create_accumulator()
        for accumulator in accumulators:
            merged.extend(accumulator)
        return merged

    def extract_output(self, accumulator: array.array) -> RepeatedKeys:
        """Counts them."""
        _, counts = np.unique(np.frombuffer(accumulator, np.uint64), return_counts=True)
        repeated = counts[counts > 1]
        return RepeatedKeys(keys=len(repeated), rows=int(repeated.sum()))
