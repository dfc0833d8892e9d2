"""TFX's Pusher with a model card."""

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


class PusherSpec(TfxPusherSpec):
    """The stock specification with the card."""

    PARAMETERS = {
        **TfxPusherSpec.PARAMETERS,
        "code_fingerprint": ExecutionParameter(type=str),
    }
    INPUTS = {
        **TfxPusherSpec.INPUTS,
        executor.MODEL_CARD_KEY: ChannelParameter(type=ModelCard),
    }


class Pusher(TfxPusher):
    """Pushes a blessed model and its card as one version, which is seen whole or not at all.

    Args:
        model: the candidate.
        model_blessing: the gate's.
        infra_blessing: the serving check's.
        model_card: goes into the version's `assets.extra/`.
        base_directory: gets the version, a folder named after the time.
    """

    SPEC_CLASS = PusherSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        model: types.BaseChannel,
        model_blessing: types.BaseChannel,
        infra_blessing: types.BaseChannel,
        model_card: types.BaseChannel,
        base_directory: str,
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
            code_fingerprint=code_fingerprint(executor.__name__),
            pushed_model=types.Channel(type=standard_artifacts.PushedModel),
        )
        # Past the stock constructor, which builds the stock specification.
        base_component.BaseComponent.__init__(self, spec=spec)
