"""The command line: python -m pipeline COMMAND."""

import typer

from pipeline.commands import asking, looking, running, versions
from serving.quiet import quiet_tensorflow

quiet_tensorflow()

app = typer.Typer(
    help="From raw scientific text to an evaluated, served classifier.\n\n"
    "Begin with: python -m pipeline run --config configs/pubmed_disease_area_demo.yaml",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (
    running.run,
    running.continuous,
    running.demo,
    looking.validate,
    looking.show,
    looking.lineage,
    looking.report,
    looking.fetch,
    asking.predict,
    asking.predict_batch,
    versions.status,
    versions.promote,
    versions.rollback,
):
    app.command()(command)

if __name__ == "__main__":
    app()
