"""What commands about flags read: settings, the registry, code, and who owns it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from davy.adapters.source_tree import SourceTree
from davy.cli.flag_scanning import scan_code
from davy.cli.manifests import read_manifests
from davy.cli.setting import Setting
from davy.errors import NotFound, UsageError
from davy.flags.lint.rules.paths import Ownership, codeowners
from davy.flags.lint.rules.settings import LintSettings, check
from davy.flags.lint.usage import Scan
from davy.flags.registry import Registry, read_registry
from davy.model.finding import BadManifest, Finding
from davy.model.settings import load_settings

CONFIG = "davy-flags.yaml"
CODEOWNERS = ("CODEOWNERS", ".github/CODEOWNERS", ".gitlab/CODEOWNERS", "docs/CODEOWNERS")


class Declared(NamedTuple):
    """What is declared, what there is to say of it, and the texts that it stands in."""

    registry: Registry
    findings: tuple[Finding, ...]
    texts: Mapping[str, bytes]


class Texts(Mapping[str, bytes]):
    """Texts of files, each read when somebody asks for it; what cannot be read is empty."""

    def __init__(self, names: Iterable[str]) -> None:
        self._tree = SourceTree(())
        self._texts: dict[str, bytes | None] = dict.fromkeys(names)

    def __getitem__(self, name: str) -> bytes:
        if (found := self._texts[name]) is None:
            found = self._texts[name] = self._tree.read(name)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)


class Code(NamedTuple):
    """What code reads, a file each, and the texts."""

    scans: tuple[Scan, ...]
    texts: Mapping[str, bytes]


def read_settings(file: str | None) -> LintSettings:
    """Read settings; without a file those of the working directory, where there are some.

    Raises:
        DavyError: it cannot be read, or says what cannot be.
    """
    path = Path(file or CONFIG)
    if file is None and not path.is_file():
        return LintSettings()
    try:
        text = path.read_bytes()
    except FileNotFoundError as error:
        raise NotFound(f"there is no {path}", hint="--config names a file that is there") from error
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    read = load_settings(text, str(path), LintSettings)
    if wrong := check(read):
        raise BadManifest(tuple(wrong))
    return read.value


def read_declared(setting: Setting, sources: Sequence[str]) -> Declared:
    """Read the registry.

    Raises:
        DavyError: it cannot be read, or there is nothing in it.
    """
    texts = read_manifests(sources)
    registry, findings = read_registry(texts, namespace=setting.namespace)
    if not registry.flags and not registry.retired and not findings:
        raise UsageError(
            f"there is no flag in {', '.join(sources)}",
            hint="a flag is a FeatureFlag, or stands under `flags` of a document of flagd",
        )
    return Declared(registry, findings, dict(texts))


def read_code(
    setting: Setting, paths: Sequence[str], *, since: str = "", skip: Sequence[str] = (), no_cache: bool = False
) -> Code:
    """Find what code reads of flags; the texts are those of files with something in them.

    Raises:
        DavyError: a path is not there, or there is no such commit.
    """
    scanned = scan_code(setting, paths, since=since, skip=skip, no_cache=no_cache)
    return Code(tuple(scanned.scans), Texts([scan.file for scan in scanned.scans]))


def read_owned(file: str) -> tuple[Ownership, ...]:
    """Read CODEOWNERS; without a name the file that a forge reads, where there is one.

    Raises:
        NotFound: the file that was named is not there.
    """
    for name in (file,) if file else CODEOWNERS:
        if Path(name).is_file():
            return codeowners(Path(name).read_text(encoding="utf-8", errors="replace"))
    if file:
        raise NotFound(f"there is no {file}", hint="`codeowners` of the settings names a file that is there")
    return ()
