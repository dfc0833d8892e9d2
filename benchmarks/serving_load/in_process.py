"""The SavedModel without a server around it: as many threads as cores, each with a batch at a time.

`python -m benchmarks.serving_load.in_process VERSION_FOLDER TEXTS` reads `{"rows": …, "threads": …,
"seconds": …, "warm_up_seconds": …}` a line and answers with what `measure` returns. It loads and runs the
model with the development server's own class, so that the server is all that differs.
"""

import json
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from serving.servable import Servable


def main(version: str, texts_file: str) -> None:
    """Answers orders until standard input ends."""
    from serving.servable import Servable

    folder = Path(version)
    servable = Servable("model", int(folder.name), folder)
    texts = [text.encode() for text in json.loads(Path(texts_file).read_text(encoding="utf-8"))]
    for line in sys.stdin:
        print(json.dumps(measure(servable, texts, **json.loads(line))), flush=True)


def measure(
    servable: "Servable",
    texts: list[bytes],
    rows: int,
    threads: int,
    seconds: float,
    warm_up_seconds: float,
) -> dict[str, float]:
    """Runs the model with `threads` threads and `rows` texts at a time.

    Returns:
        `texts` that were answered in `seconds`, which last until one batch at least was answered, and
        `cpu_ms`, this process's processor time a text.
    """
    signature = servable.signature_defs["serving_text"]
    fetches = [output.name for output in signature.outputs.values()]
    feed = signature.inputs["text"].name
    begin = time.monotonic() + warm_up_seconds
    end = begin + seconds
    answered: list[int] = []
    run: list[int] = []
    last = [end]

    def work(number: int) -> None:
        turn = number * len(texts) // threads
        while time.monotonic() < end or not answered:
            batch = [texts[(turn + row) % len(texts)] for row in range(rows)]
            servable.run({feed: np.array(batch, object)}, fetches)
            turn += rows
            run.append(rows)
            if begin <= (now := time.monotonic()) and (now < end or not answered):
                answered.append(rows)
                last[0] = now

    workers = [threading.Thread(target=work, args=[number]) for number in range(threads)]
    cpu = time.process_time()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    cpu = time.process_time() - cpu
    return {
        "texts": sum(answered),
        "seconds": max(seconds, last[0] - begin),
        "cpu_ms": 1e3 * cpu / sum(run),
    }


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
