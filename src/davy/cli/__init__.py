"""The command line: argv, environment, files; it chooses the adapters."""

import sys


def main() -> None:
    """Run the command line.

    `davy --version` is answered here, before anything is imported for it.
    """
    if sys.argv[1:] == ["--version"] and sys.stdout:
        from davy import __version__

        sys.stdout.write(f"davy {__version__}\n")
        return
    from davy.cli.program import program

    program()
