"""TFX's Pusher with a model card, labels and a memory."""

from tfx import types
from tfx.components import Pusher as TfxPusher
from tfx.dsl.components.base import base_component, executor_spec
from tfx.proto import pusher_pb2
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ExecutionParameter
from tfx.types.standard_component_specs import PusherSpec as TfxPusherSpec
from tfx.utils import json_utils

from components.fingerprint import code_fingerprint
from components.model_card.artifact import ModelCard
from components.pusher import executor
from components.pusher.config import PushConfig


class PusherSpec(TfxPusherSpec):
    """The stock specification with the card and the settings."""

    PARAMETERS = {
        **TfxPusherSpec.PARAMETERS,
        executor.CONFIG_KEY: ExecutionParameter(type=str),
        executor.MODEL_NAME_KEY: ExecutionParameter(type=str),
        "code_fingerprint": ExecutionParameter(type=str),
    }
    INPUTS = {
        **TfxPusherSpec.INPUTS,
        executor.MODEL_CARD_KEY: ChannelParameter(type=ModelCard, optional=True),
    }


class Pusher(TfxPusher):
    """Pushes a blessed model and its card as one version, which is seen whole or not at all.

    It is pushed only if its files are those that the blessings were given for. The newest version is not
    pushed anew if it holds the same model; `pushed_model` then names that one.

    Args:
        model: the candidate.
        model_blessing: the gate's.
        base_directory: gets the version, a folder named after the time; see `components.pusher.store.Store`.
        model_name: under which it is served.
        config: what becomes of it.
        infra_blessing: the serving check's, if the model is served.
        model_card: goes into the version's `assets.extra/`.
    """

    SPEC_CLASS = PusherSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        model: types.BaseChannel,
        model_blessing: types.BaseChannel,
        base_directory: str,
        model_name: str,
        config: PushConfig,
        infra_blessing: types.BaseChannel | None = None,
        model_card: types.BaseChannel | None = None,
    ):
        spec = PusherSpec(
            model=model,
            model_blessing=model_blessing,
            infra_blessing=infra_blessing,
            model_card=model_card,
            push_destination=pusher_pb2.PushDestination(
                filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=base_directory)
            ),
            custom_config=json_utils.dumps(None),
            config=config.model_dump_json(),
            model_name=model_name,
            code_fingerprint=code_fingerprint(executor.__name__),
            pushed_model=types.Channel(type=standard_artifacts.PushedModel),
        )
        # Past the stock constructor, which builds the stock specification.
        base_component.BaseComponent.__init__(self, spec=spec)
