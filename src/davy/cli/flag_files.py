"""What commands about flags read: settings, the registry, code, and who owns it."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from davy.cli.manifests import read_manifests
from davy.errors import NotFound, UsageError
from davy.flags.lint.prefilter import language_of
from davy.flags.lint.rules.paths import Ownership, codeowners
from davy.flags.lint.rules.settings import LintSettings, check
from davy.flags.lint.scan import scan_texts
from davy.flags.lint.usage import Scan
from davy.flags.registry import Registry, read_registry
from davy.model.finding import BadManifest, Finding
from davy.model.settings import load_settings

CONFIG = "davy-flags.yaml"
CODEOWNERS = ("CODEOWNERS", ".github/CODEOWNERS", ".gitlab/CODEOWNERS", "docs/CODEOWNERS")
LARGEST = 2 * 1024 * 1024
"""Bytes of a file of code; what is larger was made by a program, and is passed over."""

_PASSED_OVER = {"node_modules", "vendor", "__pycache__", "dist", "build", "target", "venv", "site-packages"}


class Declared(NamedTuple):
    """What is declared, what there is to say of it, and the texts that it stands in."""

    registry: Registry
    findings: tuple[Finding, ...]
    texts: Mapping[str, bytes]


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


def read_declared(sources: Sequence[str]) -> Declared:
    """Read the registry.

    Raises:
        DavyError: nobody says where it is, it cannot be read, or there is nothing in it.
    """
    if not sources:
        raise UsageError(
            "nobody says where flags are declared", hint=f"--flags flags/, or `flags: [flags]` in {CONFIG}"
        )
    texts = read_manifests(sources)
    registry, findings = read_registry(texts)
    if not registry.flags and not registry.retired and not findings:
        raise UsageError(
            f"there is no flag in {', '.join(sources)}",
            hint="a flag is a FeatureFlag, or stands under `flags` of a document of flagd",
        )
    return Declared(registry, findings, dict(texts))


def read_code(paths: Sequence[str]) -> Code:
    """Read code, and what it reads of flags.

    Raises:
        DavyError: a path is not there, or cannot be read.
    """
    texts = {name: text for path in paths for name, text in _files(Path(path))}
    return Code(tuple(scan_texts(texts)), texts)


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


def _files(path: Path) -> list[tuple[str, bytes]]:
    """Return the files of code at and below a path, named as seen from the working directory."""
    if path.is_file():
        return [(_shown(path), path.read_bytes())]
    if not path.is_dir():
        raise NotFound(f"there is no {path}", hint="name a file or a directory that is there")
    found = []
    for directory, below, names in os.walk(path):
        below[:] = sorted(name for name in below if name[0] != "." and name not in _PASSED_OVER)
        for name in sorted(names):
            file = Path(directory, name)
            if language_of(name) is not None and file.is_file() and file.stat().st_size <= LARGEST:
                found.append((_shown(file), file.read_bytes()))
    return found


def _shown(path: Path) -> str:
    shown = os.path.relpath(path)
    return str(path) if shown.startswith("..") else shown
