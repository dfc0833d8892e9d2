"""What is stable, and how it comes to be: status, promote, rollback."""

import contextlib
import json
import os
import tempfile
from pathlib import Path

import pytest
from google.protobuf import text_format
from hypothesis import given, settings
from hypothesis import strategies as st
from pushing import Push
from rich.console import Console
from tensorflow_serving.config import model_server_config_pb2
from typer.testing import CliRunner

from components.pusher.store import Store
from pipeline.__main__ import app
from pipeline.configs import PipelineConfig, local_paths
from pipeline.versions import VersionError, promote, rollback, standing, status
from pipeline.versions_table import versions_table

CONFIG = {
    "name": "toy",
    "data": {"path": "data", "text": {"label_column": "label"}},
    "model": {"weights": "minilm_l6"},
    "gate": {"min_accuracy": 0.5},
    "push": {"wait_seconds": 0, "served_as": "/models/toy"},
}


@pytest.fixture
def config(tmp_path) -> PipelineConfig:
    return PipelineConfig.model_validate(CONFIG | {"root": str(tmp_path / "runs")})


@pytest.fixture
def push(config, tmp_path) -> Push:
    return Push(tmp_path / "made", local_paths(config)["serving"])


@pytest.fixture
def store(push) -> Store:
    return Store(str(push.base))


@pytest.fixture
def three(push) -> list[int]:
    """Three versions, each pushed as stable."""
    return [push.push(str(i)) for i in range(3)]


def served(store: Store) -> model_server_config_pb2.ModelConfig:
    """What servers are told."""
    text = Path(store.base, "models.config").read_text()
    config = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    [model] = config.model_config_list.config
    return model


def labels(store: Store) -> dict[str, int]:
    told = dict(served(store).version_labels)
    assert told == store.state().labels
    return told


def test_servers_are_told_by_their_own_path(push, store):
    push.push("a", served_as="/models/toy")
    model = served(store)
    assert (model.name, model.base_path, model.model_platform) == (
        *("toy", "/models/toy"),
        "tensorflow",
    )
    push.push("b")
    assert served(store).base_path == str(push.base)


def test_a_canary_is_promoted(config, push, store):
    stable = push.push("a")
    canary = push.push("b", canary=True)
    assert labels(store) == {"stable": stable, "canary": canary}
    change = promote(config, why="no complaints")
    assert (change.version, change.stable, change.canary) == (canary, canary, None)
    assert labels(store) == {"stable": canary}
    assert store.served() == [stable, canary]  # a rollback need not wait


def test_without_a_canary_a_promotion_needs_a_version(config, three, store):
    with pytest.raises(VersionError, match=rf"no canary .* {three[1]}, {three[2]} \(stable\)"):
        promote(config)
    promote(config, three[0])
    assert labels(store) == {"stable": three[0]}
    assert store.served() == [three[0]]  # a newer one would answer what asks for no label


def test_a_rollback_goes_back_step_by_step(config, three, store):
    rollback(config, why="wrong on children")
    assert labels(store) == {"stable": three[1]}
    assert store.served() == three[:2]
    rollback(config, why="wrong on adults")
    assert labels(store) == {"stable": three[0]}
    with pytest.raises(VersionError, match=f"no version was stable before {three[0]}"):
        rollback(config, why="wrong")
    assert store.versions() == three


def test_a_rollback_to_a_version(config, three, store):
    rollback(config, three[0], why="both are wrong")
    assert labels(store) == {"stable": three[0]}
    assert list(store.state().withdrawn) == [three[2]]
    with pytest.raises(VersionError, match="no version was stable before"):
        rollback(config, why="and this")


def test_what_was_rolled_back_does_not_come_back_silently(config, push, three, store):
    rollback(config, why="wrong on children")
    with pytest.raises(VersionError, match=r"rolled back by .*: wrong on children; --again"):
        promote(config, three[2])
    with pytest.raises(VersionError, match=f"promote {three[2]} --again"):
        rollback(config, three[2], why="it was right")
    with pytest.raises(ValueError, match=r"rolled back \(wrong on children\)"):
        push.push("2")  # trained anew with the same outcome
    assert labels(store) == {"stable": three[1]}
    promote(config, three[2], why="the children were wrong", again=True)
    assert labels(store) == {"stable": three[2]}
    assert not store.state().withdrawn
    rollback(config, why="no, they were not")
    assert labels(store) == {"stable": three[1]}


def test_a_push_after_a_rollback_is_stable_and_goes_back_past_it(config, push, three, store):
    rollback(config, why="wrong")
    newest = push.push("3")
    assert labels(store) == {"stable": newest}
    rollback(config, why="wrong again")
    assert labels(store) == {"stable": three[1]}


def test_a_canary_is_withdrawn(config, push, store):
    stable = push.push("a")
    canary = push.push("b", canary=True)
    rollback(config, canary=True, why="slow")
    assert labels(store) == {"stable": stable}
    assert store.state().withdrawn[canary].why == "slow"
    with pytest.raises(VersionError, match="no canary to withdraw"):
        rollback(config, canary=True, why="slow")


def test_a_rollback_beside_a_canary_leaves_it(config, push, store):
    first, second = push.push("a"), push.push("b")
    canary = push.push("c", canary=True)
    rollback(config, why="wrong")
    assert labels(store) == {"stable": first, "canary": canary}
    assert second in store.state().withdrawn


@pytest.mark.parametrize("change", [promote, lambda config, to: rollback(config, to, why="x")])
def test_an_unknown_version_is_told_with_those_there_are(config, three, change):
    with pytest.raises(VersionError, match=rf"no version 5; the versions are {three[0]}, "):
        change(config, 5)
    with pytest.raises(VersionError, match=f"version {three[2]} is stable already"):
        change(config, three[2])


@pytest.mark.parametrize("change", [promote, lambda config: rollback(config, why="x")])
def test_nothing_pushed_yet(config, change, tmp_path):
    with pytest.raises(VersionError, match=r"no pushed model in .*: run the pipeline toy first"):
        change(config)
    assert status(config).versions == ()
    assert not (tmp_path / "runs").exists()


def test_a_version_is_found_wherever_it_lies(config, push, three):
    pushed = [{"version": str(v), "path": str(push.base / str(v))} for v in three]
    kept = [one | {"path": str(push.base / "kept" / one["version"])} for one in pushed]
    promote(config, three[0])
    assert standing(config, pushed[0]) == pushed[0] | {"label": "stable"}
    assert standing(config, pushed[2]) == kept[2] | {"label": "kept"}
    made = rollback(config, three[1], why="wrong")
    assert standing(config, pushed[0] | {"label": "stable"}) == kept[0] | {
        "label": "rolled back",
        "rollback": {
            "when": made.when.isoformat(timespec="seconds"),
            "who": made.who,
            "why": "wrong",
        },
    }
    gone = {"version": "5", "path": "/5"}
    assert standing(config, gone) == gone | {"label": "deleted"}


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("push"), st.booleans(), st.integers(1, 3)),
        st.tuples(st.just("promote"), st.none() | st.integers(0, 5), st.booleans()),
        st.tuples(st.just("rollback"), st.none() | st.integers(0, 5), st.booleans()),
    ),
    max_size=8,
)


@settings(max_examples=10, deadline=None, derandomize=True)
@given(STEPS)
def test_whatever_is_done_what_is_served_is_whole_and_has_a_label(steps):
    with tempfile.TemporaryDirectory() as folder:
        config = PipelineConfig.model_validate(CONFIG | {"root": f"{folder}/runs"})
        push = Push(Path(folder, "made"), local_paths(config)["serving"])
        store = Store(str(push.base))
        pushed = [push.push("the first")]
        for number, (action, first, second) in enumerate(steps):
            version = pushed[first % len(pushed)] if isinstance(first, int) else None
            with contextlib.suppress(VersionError):
                if action == "push":
                    pushed.append(push.push(str(number), canary=first, keep=second))
                elif action == "promote":
                    promote(config, version, again=second)
                else:
                    rollback(config, version, canary=second, why="wrong")
            told, state = labels(store), store.state()
            assert told["stable"] not in state.withdrawn
            assert {*told.values()} <= {*store.served()}
            assert max(store.served()) == max(told.values())
            assert all(store.damage(v) == [] for v in store.versions())
            assert state.previous is None or state.previous in store.versions()
            assert set(os.listdir(store.base)) <= {
                *map(str, store.versions()),
                *("kept", "history.json", "models.config", ".lock"),
            }


def test_a_rollback_needs_a_reason(config, three):
    with pytest.raises(VersionError, match="needs a reason"):
        rollback(config, why=" ")


def test_a_damaged_version_is_told_and_not_gone_back_to(config, three, store):
    Path(store.path(three[1]), "variables/weights").write_text("?")
    found = {version.version: version for version in status(config).versions}
    assert found[three[1]].hash == "damaged"
    assert found[three[1]].damage == ("variables/weights has other bytes",)
    assert {found[three[0]].hash, found[three[2]].hash} == {"ok"}
    with pytest.raises(VersionError, match="is damaged: variables/weights has other bytes"):
        rollback(config, why="wrong")
    rollback(config, three[0], why="wrong")
    assert labels(store) == {"stable": three[0]}


def test_status_tells_all(config, push, three):
    canary = int(push_run(push, "c").get_string_custom_property("pushed_version"))
    rollback(config, why="wrong [on] children")
    found = status(config)
    assert (found.stable, found.canary, found.previous) == (three[1], canary, three[0])
    assert [v.version for v in found.versions] == [canary, *reversed(three)]
    by_number = {v.version: v for v in found.versions}
    assert by_number[canary].run == "r8"
    assert by_number[canary].blessed_by == ("Evaluator", "ServingValidator")
    assert by_number[canary].bytes > len("graph") + len("c")
    assert [v.label for v in found.versions] == ["canary", "rolled back", "stable", None]
    assert by_number[three[2]].why == "wrong [on] children"
    assert [change.action for change in found.history] == ["push"] * 4 + ["rollback"]
    console = Console(width=200)
    with console.capture() as capture:
        console.print(versions_table(found))
    text = capture.get()
    for part in ("rolled back: wrong [on] children", "canary", "r8", "ok", str(three[0])):
        assert part in text


def push_run(push: Push, weights: str):
    push.train(weights)
    return push.run(run_id="r8", canary=True)


def test_every_change_is_recorded(config, three, store):
    rollback(config, why="wrong")
    promote(config, three[0], why="better")
    back, forth = store.history()[-2:]
    assert (back.action, back.version, back.why) == ("rollback", three[2], "wrong")
    assert (forth.action, forth.version, forth.why) == ("promote", three[0], "better")
    assert "@" in back.who
    assert back.when <= forth.when
    assert not list(Path(store.base).glob("*.part"))


def test_the_command_line(config, push, three, tmp_path):
    path = tmp_path / "toy.yaml"
    path.write_text(json.dumps(config.model_dump(mode="json", exclude_defaults=True)))

    def call(*args):
        return CliRunner().invoke(app, [args[0], "--config", str(path), *map(str, args[1:])])

    assert call("rollback").exit_code == 2  # --why is missing
    done = call("rollback", "--why", "wrong")
    assert (done.exit_code, done.stdout) == (
        0,
        f"rolled back version {three[2]}; stable is {three[1]}\n",
    )
    done = call("promote", three[2])
    assert done.exit_code == 1
    assert "--again" in done.stderr
    done = call("promote", three[2], "--again", "--json")
    assert json.loads(done.stdout)["stable"] == three[2]
    done = call("status", "--json")
    assert done.exit_code == 0
    assert [version["label"] for version in json.loads(done.stdout)["versions"]] == [
        *("stable", None, None)
    ]
    assert str(three[0]) in call("status").stdout
    Path(push.base, str(three[2]), "saved_model.pb").write_text("?")
    done = call("status")
    assert done.exit_code == 1
    assert "damaged" in done.stdout
    Path(push.base, "history.json").write_text("[{}]")
    for command in (["status"], ["promote"], ["rollback", "--why", "wrong"]):
        done = call(*command)
        assert done.exit_code == 1
        assert f"{push.base}/history.json is no history" in done.stderr
    elsewhere = call("status", "--json", "--folder", tmp_path)
    assert json.loads(elsewhere.stdout)["versions"] == []
