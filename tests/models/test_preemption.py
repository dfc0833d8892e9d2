"""SIGTERM is a flag inside the block, and what it was outside."""

import os
import signal
import threading

import pytest

from models.preemption import PreemptionFlag


@pytest.fixture
def heard():
    """What the process's own handler hears."""
    signals = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: signals.append(number))
    yield signals
    signal.signal(signal.SIGTERM, before)


def test_sigterm_raises_the_flag_and_nothing_else(heard):
    with PreemptionFlag() as flag:
        assert not flag.is_raised
        os.kill(os.getpid(), signal.SIGTERM)
        assert flag.is_raised
    assert heard == []


def test_the_handler_of_before_is_back_after_the_block(heard):
    with PreemptionFlag() as flag:
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    assert not flag.is_raised
    assert heard == [signal.SIGTERM]


def test_the_handler_of_before_is_back_after_an_error(heard):
    with pytest.raises(RuntimeError, match="on purpose"), PreemptionFlag():
        raise RuntimeError("on purpose")
    os.kill(os.getpid(), signal.SIGTERM)
    assert heard == [signal.SIGTERM]


def test_in_a_thread_the_flag_stays_down(heard):
    flags = []

    def work():
        with PreemptionFlag() as flag:
            os.kill(os.getpid(), signal.SIGTERM)
            flags.append(flag)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert [flag.is_raised for flag in flags] == [False]
    assert heard == [signal.SIGTERM]
