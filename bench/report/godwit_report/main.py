"""The command line of godwit-report."""
import argparse
import os
import pathlib
import sys
import tempfile

from .reader import UNREADABLE, Report, ReportError, read_report

FAILED = 1
EXAMPLE = """examples:
  godwit-report migrate.json raw.json -o report.html
  godwit-report --compare before.json after.json -o change.html

exit codes: 0 written; 1 a package is missing; 2 the command line; 9 a report of another version; 11 a file cannot be read or written; 14 not a report
(docs/reference/report.md)"""


def write_whole(file: pathlib.Path, page: str) -> None:
    """The file is there as a whole, or as it was before."""
    if file.exists() and not file.is_file():  # A pipe or a device.
        file.write_text(page, encoding="utf-8")
        return
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=file.parent, prefix=file.name, delete=False) as part:
        try:
            part.write(page)
            part.flush()
            mask = os.umask(0)
            os.umask(mask)
            os.chmod(part.name, 0o666 & ~mask)
            os.replace(part.name, file)
        except BaseException:
            os.unlink(part.name)
            raise


def main() -> int:
    parser = argparse.ArgumentParser(prog="godwit-report", description="Makes one page of the reports of godwit-bench, godwit-mpibench, "
                                     "godwit-bulk and godwit-h5stage (--report FILE): figures, tables, and a comparison of two runs.",
                                     epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", metavar="FILE", help="a report")
    parser.add_argument("-o", "--output", required=True, type=pathlib.Path, help="the page, HTML; needs no other file and no network")
    parser.add_argument("--compare", action="store_true", help="compare the two runs, the second with the first")
    arguments = parser.parse_args()
    if arguments.compare and len(arguments.files) != 2:
        parser.error(f"--compare takes two reports, not {len(arguments.files)}")
    try:
        reports: list[Report] = [read_report(file) for file in arguments.files]
        from .page import page_of  # Takes a second to load: not before the files are known to be good.
        write_whole(arguments.output, page_of(reports, arguments.compare))
    except ReportError as error:
        print(f"godwit-report: {error}", file=sys.stderr)
        return error.exit_code
    except ModuleNotFoundError as error:
        print(f"godwit-report: {error}; install python3-matplotlib, python3-jinja2 and python3-scipy", file=sys.stderr)
        return FAILED
    except OSError as error:
        print(f"godwit-report: {arguments.output}: cannot be written: {error.strerror}", file=sys.stderr)
        return UNREADABLE
    return 0
