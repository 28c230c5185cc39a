"""``python -m sweep.report DIR``: the report of a results folder, again or somewhere else."""

from __future__ import annotations

from sweep.command import COMPLETE, ENDS, Parser, start
from sweep.output import refuse_other_results
from sweep.report.inputs import DAMAGED, open_results, unreadable
from sweep.report.page import PAGE, document, write_report
from sweep.storage import open_storage, open_to_read
from workers.schema import ScenarioError

DESCRIPTION = """\
Writes the report of a sweep: report.html, one page that needs nothing else, the same as report.md, and its figures as
figures/*.svg. Every sweep writes it at its end; this does it again, as after an update."""


def main(argv: list[str]) -> int:
    """Writes a report and prints where it is; 0. Raises ScenarioError where that cannot be."""
    parser = Parser(
        "python -m sweep.report",
        description=DESCRIPTION,
        epilog=f"exit codes: 0 written, {ENDS}",
        allow_abbrev=False,
    )
    parser.add_argument("folder", metavar="DIR", help="a results folder, or s3://BUCKET/PREFIX")
    parser.add_argument("--output", metavar="DIR2", help="where the report goes; by default beside the results")
    given = parser.parse_args(argv)
    results = open_results(open_to_read(given.folder))
    try:
        said = document(results)
    except DAMAGED as error:
        raise unreadable("DIR", results.url, error) from None
    storage = open_storage(given.folder if given.output is None else given.output, "--output")
    if storage.url != results.url:
        refuse_other_results(storage, results.manifest.get("sweep_key", ""))
    try:
        write_report(said, storage)
    except OSError as error:
        raise ScenarioError(f"--output: {storage.url} cannot be written ({error.strerror or error})") from None
    print(f"report: {storage.url}/{PAGE}")
    return COMPLETE


if __name__ == "__main__":
    start("sweep.report", main)
