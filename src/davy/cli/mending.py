"""Mend files by machine on the way to checking them: a diff first, then the files, then what is left."""

from collections.abc import Sequence
from pathlib import Path

from davy.analysis.fix import fix
from davy.cli.fix import diff, replace_file
from davy.cli.manifests import STDIN
from davy.cli.setting import talk


def mend(texts: Sequence[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """Mend what has one right answer, write the files, and return all of them as they are now.

    What is no text, and what came over standard input, stays as it is.

    Raises:
        UsageError: a file cannot be written.
    """
    mended = []
    for name, content in texts:
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError:
            mended.append((name, content))
            continue
        fresh = text if name == STDIN else fix(text, name).text
        if fresh != text:
            for line in diff(name, text, fresh):
                talk(line)
            replace_file(Path(name), fresh)
            talk(f"{name} mended")
        mended.append((name, fresh.encode("utf-8")))
    return mended
