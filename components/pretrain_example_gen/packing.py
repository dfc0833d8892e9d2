"""Several sequences a row, so that little of it is padding."""

import bisect

import numpy as np

from components.pretrain_example_gen.documents import starts


def pack(lengths: np.ndarray, max_length: int) -> tuple[np.ndarray, np.ndarray]:
    """Longest-pack-first histogram packing (arXiv 2107.02027, section 3.1 and appendix).

    Best fit with falling lengths, on the histogram of lengths: what is placed is not a sequence but all
    sequences of a length, into all equal rows at once. Beside one sort, the time depends on `max_length`
    and not on how many sequences there are.

    Args:
        lengths: int [n], of the sequences, from 1 to `max_length`.
        max_length: ids a row.

    Returns:
        The sequences' numbers row by row, int64 [n], those of one length in their order; and how many each
        row has, int64 [rows].

    Raises:
        ValueError: a length is not in 1 … max_length.
    """
    if not len(lengths):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    if lengths.min() < 1 or lengths.max() > max_length:
        raise ValueError(
            f"lengths {lengths.min()} … {lengths.max()} do not fit rows of 1 … {max_length}"
        )
    histogram = np.bincount(lengths, minlength=max_length + 1)
    by_length = np.argsort(lengths, kind="stable")
    used = starts(histogram)  # by length, where its sequences begin in by_length; then the next one
    order, sizes = [], []
    for count, contents in _best_fit(histogram.tolist(), max_length):
        columns = []
        for length in contents:
            columns.append(by_length[used[length] : used[length] + count])
            used[length] += count
        order.append(np.stack(columns, axis=1).ravel())
        sizes.append(np.full(count, len(contents)))
    return np.concatenate(order), np.concatenate(sizes)


def _best_fit(histogram: list[int], max_length: int) -> list[tuple[int, tuple[int, ...]]]:
    """How many rows of which lengths: `(count, lengths)`.

    Rows are kept by the room they have left; a length goes where the least room that suffices is.
    """
    open_rows: dict[int, list[tuple[int, tuple[int, ...]]]] = {}
    rooms: list[int] = []  # the keys of open_rows, sorted

    def add(room: int, count: int, contents: tuple[int, ...]) -> None:
        if room not in open_rows:
            open_rows[room] = []
            bisect.insort(rooms, room)
        open_rows[room].append((count, contents))

    for length in range(max_length, 0, -1):
        left = histogram[length]
        while left:
            place = bisect.bisect_left(rooms, length)
            if place == len(rooms):
                fits = max_length // length
                if rows := left // fits:
                    add(max_length - fits * length, rows, (length,) * fits)
                if rest := left % fits:
                    add(max_length - rest * length, 1, (length,) * rest)
                break
            room = rooms[place]
            count, contents = open_rows[room].pop()
            if not open_rows[room]:
                del open_rows[room], rooms[place]
            times = min(room // length, -(-left // count))
            taken = min(count, left // times)
            add(room - times * length, taken, (*contents, *(length,) * times))
            if count > taken:
                add(room, count - taken, contents)
            left -= taken * times
    return [row for room in rooms for row in open_rows[room]]
