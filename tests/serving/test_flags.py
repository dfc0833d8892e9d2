import pytest

from serving.flags import ServerFlags, parse_flags


def refusal(capsys, *argv):
    with pytest.raises(SystemExit) as caught:
        parse_flags(argv)
    return caught.value.code, capsys.readouterr().err


def test_both_ways_to_write_a_value():
    flags = parse_flags(
        ["--model_base_path=/m", "--port", "0", "--rest_api_port=8501", "--model_name", "x"]
    )
    assert flags == ServerFlags("/m", "x", port=0, rest_api_port=8501)


def test_true_and_false_and_nothing():
    base = "--model_base_path=/m"
    assert parse_flags([base, "--enable_batching"]).enable_batching
    assert parse_flags([base, "--enable_batching=TRUE"]).enable_batching
    assert not parse_flags([base, "--enable_model_warmup=false"]).enable_model_warmup


def test_a_configuration_file_needs_no_base_path():
    assert parse_flags(["--model_config_file=/c"]).model_base_path == ""


def test_defaults_are_those_of_tensorflow_model_server_but_the_address():
    flags = parse_flags(["--model_base_path=/m"])
    assert (flags.model_name, flags.port, flags.rest_api_port) == ("default", 8500, 0)
    assert (flags.file_system_poll_wait_seconds, flags.max_num_load_retries) == (1, 5)
    assert flags.bind_address == "127.0.0.1"


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--modle_base_path=/m"], "nearest flag that does something here is --model_base_path"),
        (["--model_base_path=/m", "--rest_port=1"], "is --rest_api_port"),
        (["--model_base_path=/m", "--rest-api-port=1"], "is --rest_api_port"),
        (["--model_base_path=/m", "--use_alts_credentials"], "unknown argument --use_alts_cred"),
        (["--model_base_path=/m", "--enable_batching=maybe"], "'maybe' is neither true nor false"),
        (
            ["--model_base_path=/m", "--batching_parameters_file=b"],
            "without --enable_batching=true",
        ),
        (["--model_base_path=/m", "--monitoring_config_file=m"], "needs --rest_api_port"),
        (["--model_base_path=/m", "--max_request_bytes=0"], "must be at least 1"),
        (["--model_base_path=/m", "--model=x"], "unknown argument --model;"),
        (["--model_base_path=/m", "stray"], "unknown argument stray"),
        ([], "--model_base_path=PATH is required"),
        (["--model_base_path"], "expected one argument"),
        (["--model_base_path=/m", "--port=-1"], "'-1' is not a whole number"),
        (["--model_base_path=/m", "--port=70000"], "70000 is not a TCP port"),
        (["--model_base_path=/m", "--rest_api_port=8500"], "give them different ports"),
    ],
)
def test_refusals_name_the_argument_and_what_to_do(capsys, argv, words):
    code, error = refusal(capsys, *argv)
    assert code == 2
    assert words in error


def test_help_names_every_flag(capsys):
    with pytest.raises(SystemExit) as caught:
        parse_flags(["--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    for name in ServerFlags.__dataclass_fields__:
        assert f"--{name} " in shown
