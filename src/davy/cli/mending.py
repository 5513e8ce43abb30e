"""Mend files by machine on the way to checking them: a diff first, then the files, then what is left."""

from collections.abc import Sequence
from pathlib import Path

from davy.analysis.fix import fix
from davy.cli.fix import diff, replace_file
from davy.cli.manifests import STDIN
from davy.cli.setting import talk
from davy.control.field_edits import mended
from davy.model.finding import Finding


def mend(texts: Sequence[tuple[str, bytes]], findings: Sequence[Finding]) -> list[tuple[str, bytes]]:
    """Mend what has one right answer, write the files, and return all of them as they are now.

    That is what `davy fix` mends, and what rules of the pack have found that a machine can mend.

    What is no text, and what came over standard input, stays as it is.

    Raises:
        UsageError: a file cannot be written.
    """
    now = []
    for name, content in texts:
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError:
            now.append((name, content))
            continue
        own = [finding for finding in findings if finding.place.file == name]
        fresh = text if name == STDIN else fix(mended(text, name, own), name).text
        if fresh != text:
            for line in diff(name, text, fresh):
                talk(line)
            replace_file(Path(name), fresh)
            talk(f"{name} mended")
        now.append((name, fresh.encode("utf-8")))
    return now
