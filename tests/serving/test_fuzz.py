"""Damaged and absurd requests. The 100,000 of a nightly run: `python -m benchmarks.serving_fuzz`."""

import socket

import pytest

from benchmarks.serving_fuzz import fuzz


def test_every_damaged_request_is_answered_or_refused_with_a_sentence(addresses, target):
    outcome = fuzz(*addresses, requests=600, seed=1)
    assert outcome.violations == []
    assert sum(outcome.statuses.values()) == 600
    assert outcome.statuses["OK"] > 20  # or the requests are too absurd to find anything
    assert outcome.statuses["HTTP 200"] > 20
    assert outcome.statuses["HTTP 400"] > 100
    assert target.get("/v1/models/toy").status_code == 200


@pytest.mark.parametrize(
    "noise", [b"\x00" * 100, b"GET / HTTP/9.9\r\n\r\n", b"POST \xff HTTP/1.1\r\n\r\n"]
)
def test_noise_on_the_rest_port_ends_that_connection_only(addresses, target, noise):
    host, port = addresses[1].split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(noise)
        connection.shutdown(socket.SHUT_WR)
        answer = connection.recv(1000)
    assert not answer or answer.startswith(b"HTTP/1.1 4")
    assert target.get("/v1/models/toy").status_code == 200
