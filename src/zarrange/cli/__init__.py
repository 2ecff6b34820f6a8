"""The command line: `zarrange COMMAND`.

Of layouts: `check | render | match | diff | explain | schema`; of stores: `find | tree | doctor | init`, what changes
them: `remove | prune | migrate | undo`, and pictures: `show | compare`; in a browser, `serve` shows one.

Exit status 0 is clean or done, 1 means findings (a path that no kind has, a store that is in the way of what is to be
done), 2 that the command was called wrongly.
Everything that costs time is imported by the command that needs it: `--help` must come at once.
"""

from __future__ import annotations

import argparse
import io
import os
import sys

from zarrange.cli import changes, layouts, pictures, stores, web
from zarrange.cli.options import CLEAN, help_formatter, parse, reason, usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

__all__ = ["main"]

INTERRUPTED = 130
"""What a shell calls a command that was ended by Ctrl-C."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave with its exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # What a terminal cannot show is shown as an escape; names of files need not even be text.
            stream.reconfigure(errors="backslashreplace")
    options = parse(_parser(), arguments)
    try:
        status = options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has seen enough. Nothing may be flushed into the closed pipe on the way out.
        sys.stdout = None
        status = CLEAN
    except KeyboardInterrupt:
        # An orderly end would wait for threads that wait for a server.
        os._exit(INTERRUPTED)
    except OSError as error:
        # What the commands did not expect, such as a full disk behind the standard output.
        sys.stdout = None
        status = usage(reason(error))
    sys.exit(status)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="zarrange",
        description="Where every artifact of a training run lives: layouts checked, paths rendered and read back.",
        epilog="LAYOUT is the name of a shipped layout (such as training or dacapo) or the path of a YAML file. "
        "Exit status: 0 clean, or done; 1 findings, or the store is in the way; 2 wrong usage.",
        allow_abbrev=False,
        formatter_class=help_formatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    for part in (layouts, stores, changes, pictures, web):
        part.add_commands(commands)
    return parser


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from zarrange import __version__

        print(f"zarrange {__version__}")
        parser.exit()
