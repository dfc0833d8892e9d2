"""A version is there with its card, as it was blessed, or it is not there."""

import multiprocessing
import os
import subprocess
import time
from pathlib import Path

import pytest
from pushing import Push
from tfx.dsl.io import fileio

from components.pusher.executor import PushRefused
from components.pusher.store import Store

OURS = {".lock", "history.json", "models.config", "kept"}


@pytest.fixture
def push(tmp_path) -> Push:
    return Push(tmp_path)


def files(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def names(base: Path) -> set[str]:
    return {path.name for path in base.iterdir()} - OURS


def test_the_card_lies_beside_the_saved_model(push):
    pushed = push.run()
    [name] = names(push.base)
    version = push.base / name
    assert files(version) == {
        "saved_model.pb",
        "variables/weights",
        "assets.extra/model_card.md",
        "assets.extra/model_card.json",
        "assets.extra/SHA256SUMS",
    }
    assert files(Path(pushed.uri)) == files(version)
    assert pushed.get_int_custom_property("pushed") == 1
    assert pushed.get_string_custom_property("pushed_destination") == str(version)
    assert pushed.get_string_custom_property("pushed_version") == name


def test_sha256sum_reads_the_manifest(push):
    push.run()
    [name] = names(push.base)

    def check() -> int:
        command = ["sha256sum", "--quiet", "--check", "assets.extra/SHA256SUMS"]
        return subprocess.run(command, cwd=push.base / name, check=False).returncode

    assert check() == 0
    (push.base / name / "variables/weights").write_text("Weights")
    assert check() != 0


@pytest.mark.parametrize("which", ["gate", "infra"])
def test_what_is_not_blessed_is_not_pushed(push, which):
    blessing = getattr(push, which)
    blessing.set_int_custom_property("blessed", 0)
    blessing.set_string_custom_property("blessing_status", "INFRA_NOT_BLESSED")
    pushed = push.run()
    assert not push.base.exists()
    assert pushed.get_int_custom_property("pushed") == 0


def change(model: Path) -> None:
    (model / "variables/weights").write_text("Weights")


def remove(model: Path) -> None:
    (model / "variables/weights").unlink()


def add(model: Path) -> None:
    (model / "variables/more").write_text("")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (change, "it is not what was blessed: variables/weights has other bytes"),
        (remove, "it is not what was blessed: variables/weights is missing"),
        (add, "it is not what was blessed: variables/more was added"),
    ],
)
def test_what_was_changed_after_its_blessing_is_refused_by_name(push, damage, message):
    damage(push.model)
    with pytest.raises(PushRefused, match=message):
        push.run()
    assert names(push.base) == set()


def test_what_was_changed_between_two_blessings_is_refused(push):
    gate = push.gate
    first = Path(gate.uri, "SHA256SUMS").read_text()
    push.train("others")
    Path(gate.uri, "SHA256SUMS").write_text(first)
    with pytest.raises(PushRefused, match="variables/weights has other bytes"):
        push.run()


def test_a_blessing_that_does_not_say_of_what_is_refused(push):
    Path(push.infra.uri, "SHA256SUMS").unlink()
    with pytest.raises(PushRefused, match="does not say of which bytes"):
        push.run()


def test_pushes_within_a_second_are_versions_of_their_own(push):
    numbers = [push.push(f"weights {i}") for i in range(3)]
    assert numbers == sorted(set(numbers))
    assert Store(str(push.base)).versions() == numbers


def test_an_unchanged_model_is_not_pushed_anew(push):
    first = push.push("a")
    assert push.push("a") == first
    second = push.push("b")
    assert push.push("a") > second  # it is not the newest any more
    assert len(Store(str(push.base)).history()) == 3


def test_an_unchanged_model_is_pushed_anew_if_the_pushed_one_is_damaged(push):
    first = push.push("a")
    change(push.base / str(first))
    assert push.push("a") > first


def test_what_fails_midway_is_no_version_and_is_cleaned_up(push):
    (push.folder / "card/model_card.json").unlink()
    with pytest.raises(fileio.NotFoundError):
        push.run()
    assert not [name for name in os.listdir(push.base) if name.isdigit()]
    (push.folder / "card/model_card.json").write_text("{}")
    push.run()
    [name] = names(push.base)
    assert name.isdigit()


def test_a_push_killed_in_the_middle_of_its_copy_leaves_nothing_that_is_seen(tmp_path):
    """One file of the model is a pipe that nobody writes to: the copy waits there."""
    base = tmp_path / "serving"
    push = Push(tmp_path / "first", base)
    stable = push.push("old")
    push_second = Push(tmp_path / "second", base)
    os.mkfifo(push_second.model / "variables/zz")
    killed = multiprocessing.get_context("fork").Process(target=push_second.run)
    killed.start()
    try:
        for _ in range(600):
            if list(base.glob(".*.part/variables/*")):
                break
            assert killed.is_alive()
            time.sleep(0.05)
        else:
            pytest.fail("the copy did not begin within 60 s")
    finally:
        killed.kill()  # SIGKILL
        killed.join()
    store = Store(str(base))
    assert (store.versions(), store.state().stable) == ([stable], stable)
    assert push.push("new") > stable
    assert not list(base.glob(".*.part"))


def test_the_newest_versions_are_kept(push):
    numbers = [push.push(str(i), keep=2) for i in range(4)]
    store = Store(str(push.base))
    assert store.versions() == numbers[2:]
    assert store.damage(numbers[2]) == []
    assert not list(push.base.glob(".*.gone"))


def test_what_is_stable_and_what_a_rollback_needs_are_kept_whatever_their_age(push):
    first, second = push.push("1"), push.push("2")
    trials = [push.push(f"trial {i}", keep=1, canary=True) for i in range(4)]
    store = Store(str(push.base))
    # The last canary but one lies where servers look until they have loaded the last.
    assert store.versions() == [first, second, *trials[2:]]
    assert store.state().labels == {"stable": second, "canary": trials[3]}


def test_servers_see_what_has_a_label_and_the_version_before(push):
    numbers = [push.push(str(i)) for i in range(3)]
    store = Store(str(push.base))
    assert store.served() == numbers[1:]
    canary = push.push("trial", canary=True)
    assert store.served() == [*numbers[1:], canary]
    assert store.versions() == [*numbers, canary]
    assert Path(store.path(numbers[0])) == push.base / "kept" / str(numbers[0])


def test_the_first_version_is_stable_though_a_canary_is_asked_for(push):
    version = push.push("1", canary=True)
    assert Store(str(push.base)).state().labels == {"stable": version}


def test_versions_of_before_there_was_a_history_count(push):
    for number in (3, 20):
        (push.base / str(number)).mkdir(parents=True)
    store = Store(str(push.base))
    assert store.state().stables == (3, 20)
    assert store.damage(20) is None
    canary = push.push("new", canary=True)
    assert store.state().labels == {"stable": 20, "canary": canary}
    assert store.state().previous == 3


def test_the_history_says_where_a_version_comes_from(push):
    version = int(push.run(run_id="r7").get_string_custom_property("pushed_version"))
    [change] = Store(str(push.base)).history()
    assert (change.action, change.version, change.stable) == ("push", version, version)
    assert change.origin.run == "r7"
    assert change.origin.model == str(push.folder / "model")
    assert change.origin.blessed_by == ("Evaluator", "ServingValidator")


def test_a_folder_that_no_server_reads_gets_no_configuration(push):
    """A pretrained BERT is pushed as Hugging Face's files."""
    for name in ("a", "b", "c"):
        push.train(name)
        (push.model / "saved_model.pb").unlink()
        push.bless()
        push.run()
    assert not (push.base / "models.config").exists()
    assert len(Store(str(push.base)).served()) == 3
