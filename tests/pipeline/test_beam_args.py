"""Beam's options are checked before anything starts."""

import pytest

from pipeline.beam_args import check_beam_args, is_remote

DATAFLOW = ("--runner=DataflowRunner", "--project=p", "--region=r", "--temp_location=gs://b/t")


@pytest.mark.parametrize(
    "args",
    [
        (),
        ("--direct_running_mode=multi_processing", "--direct_num_workers=4"),
        (*DATAFLOW, "--experiments=shuffle_mode=service", "--no_use_public_ips"),
        ("--runner=FlinkRunner", "--flink_master=flink:8081", "--objectReuse=true"),
        ("--runner=portable", "--job_endpoint=server:8099", "--environment_type=LOOPBACK"),
        ("--runner=my.package.Runner",),
    ],
)
def test_what_beam_knows_passes(args):
    assert check_beam_args(args) == args


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--runner=DataFlowRuner",), "no runner DataFlowRuner; did you mean DataflowRunner"),
        (("--runner=Dask",), "no runner Dask; there is DataflowRunner, "),
        (DATAFLOW[:2] + DATAFLOW[3:], "--runner=DataflowRunner needs --region"),
        (DATAFLOW[:3], "needs --temp_location"),
        (("--runner=PortableRunner",), "needs --job_endpoint"),
        ((*DATAFLOW, "--max_num_worker=3"), "no option --max_num_worker; did you mean max_num_wor"),
        (
            ("--direct_running_mod=x",),
            "no option --direct_running_mod; did you mean direct_running",
        ),
        (("--runner=FlinkRunner", "--flink_mastr=x"), "did you mean flink_master"),
        (("--frobnicate",), "no option --frobnicate$"),
        (("--direct_num_workers=many",), "invalid int value: 'many'"),
        (("--direct_running_mode=threads",), "invalid choice: 'threads'"),
        (("runner=DirectRunner",), "'runner=DirectRunner' is no option"),
    ],
)
def test_what_beam_does_not_know_is_refused(args, message):
    with pytest.raises(ValueError, match=message):
        check_beam_args(args)


def test_workers_on_other_machines():
    assert is_remote(DATAFLOW)
    assert is_remote(("--runner=spark",))
    assert not is_remote(("--runner=PrismRunner",))
    assert not is_remote(())
