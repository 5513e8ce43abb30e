"""`davy flag lint`: hold what code reads of flags against what is declared."""

from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from davy import __version__
from davy.cli.findings import refuse, tell
from davy.cli.flag_files import Code, Declared, read_code, read_declared, read_owned, read_settings
from davy.cli.flag_scanning import code_options
from davy.cli.options import at_home, output
from davy.cli.reports.report import Report
from davy.cli.setting import Setting, talk
from davy.control.admission import view as shown
from davy.control.judging import Judged
from davy.errors import NotFound, UsageError
from davy.flags.lint.rules import RULES, LintSettings, View, lint
from davy.flags.lint.rules import baseline as baselines
from davy.flags.lint.rules.every import CHECKS
from davy.flags.lint.rules.excuses import NEEDLE, excused, excuses
from davy.flags.lint.rules.view import Found
from davy.model.check import nearest
from davy.model.finding import Finding
from davy.model.instant import BadInstant, parse_end

FORMS = ("text", "json", "sarif", "junit", "github", "gitlab")


@click.command("lint")
@click.argument("paths", nargs=-1, metavar="[PATH]…")
@click.option(
    "--flags",
    "sources",
    multiple=True,
    metavar="FILE|DIR",
    help="Where flags are declared; may be given again.",
)
@click.option("--config", metavar="FILE", help="Settings.  [default: davy-flags.yaml, where it is there]")
@click.option("--baseline", metavar="FILE", help="Findings that are not told of, since they were there before.")
@click.option("--write-baseline", is_flag=True, help="Write what is found now to the file of --baseline.")
@click.option("--now", "instant", metavar="INSTANT", help="What time it is taken to be; a day is its end.")
@click.option("--select", metavar="CODES", help="Only ask these rules: F001,F003.")
@click.option("--ignore", metavar="CODES", help="Do not ask these rules.")
@code_options
@output(*FORMS)
@at_home
@click.pass_obj
def command(
    setting: Setting,
    paths: tuple[str, ...],
    sources: tuple[str, ...],
    config: str | None,
    baseline: str | None,
    write_baseline: bool,
    instant: str | None,
    select: str | None,
    ignore: str | None,
    since: str,
    skip: tuple[str, ...],
    no_cache: bool,
    form: str,
) -> None:
    """Hold what code reads of flags against what is declared; needs no engine.

    Reads Python, JavaScript, TypeScript, Go, Java, C# and Ruby below PATH, the working directory where none is
    named. Nothing switches a rule off for a place but a comment with an end and a reason:
    davy: allow F009 until 2027-01-01 because …

    Exits 1 when a rule says no, 2 when something cannot be read (DV…).
    """
    if write_baseline and (baseline is None or since or select or ignore):
        raise UsageError(
            "--write-baseline writes all that is found to the file of --baseline",
            hint="--baseline flags.json --write-baseline, without --changed, --select and --ignore",
        )
    settings = read_settings(config)
    declared = read_declared(setting, sources or settings.flags or (".",))
    if any(each.severity == "error" for each in declared.findings):
        _refuse_declared(setting, declared, form)
    code = read_code(setting, paths or settings.paths, since=since, skip=skip, no_cache=no_cache)
    codes = _codes(select, ignore)
    view = View(
        declared.registry,
        code.scans,
        settings,
        _now(instant, setting),
        line=lambda place: _line(place.file, place.line, code, declared),
        owned=read_owned(settings.codeowners),
        whole=not since and _is_whole(paths, settings),
    )
    found = _without_excused(view, lint(view, codes), code, declared, codes)
    findings = [*declared.findings, *(each.finding for each in found)]
    if write_baseline and baseline is not None:
        _write_baseline(baseline, findings)
        return
    before = len(findings)
    if baseline is not None:
        findings = _beyond(view, baseline, findings, whole=not (select or ignore or since))
    known = before - len([each for each in findings if each.code != "F021"])
    if since:
        findings = _of_change(findings, since, declared)
    findings.sort(key=lambda each: (each.place, each.code))
    _show(setting, findings, declared, code, form, known)
    refuse([shown(each) for each in findings], "flags are not as they should be")


def _is_whole(paths: Sequence[str], settings: LintSettings) -> bool:
    """Say whether all of the code is looked at: what settings name, or directories and no single file."""
    if settings.paths:
        return not paths or set(paths) >= set(settings.paths)
    return all(Path(path).is_dir() for path in paths)


def _refuse_declared(setting: Setting, declared: Declared, form: str) -> None:
    """Tell what is wrong with the registry, and nothing of code: it would read flags that nobody could read.

    Raises:
        Unreadable: always.
    """
    _show(setting, declared.findings, declared, Code((), {}), form, 0)
    refuse([shown(each) for each in declared.findings], "the flags cannot be read, and code was not looked at")


def _now(instant: str | None, setting: Setting) -> float:
    """Read what time it is.

    Raises:
        UsageError: it is no instant.
    """
    if instant is None:
        return setting.wall()
    try:
        return parse_end(instant)
    except BadInstant as error:
        raise UsageError(f"--now {instant}: {error}", hint="--now 2027-01-01T00:00:00Z") from error


def _codes(select: str | None, ignore: str | None) -> list[str]:
    """Return the rules that are asked.

    Raises:
        NotFound: there is no such rule.
    """
    wanted = _named(select) if select else list(CHECKS)
    left_out = _named(ignore) if ignore else []
    return [code for code in wanted if code not in left_out]


def _named(text: str) -> list[str]:
    codes = [code for code in text.replace(",", " ").upper().split() if code]
    for code in codes:
        if code not in RULES:
            meant = nearest(code, RULES)
            raise NotFound(
                f"there is no rule {code}", hint=f"did you mean {meant}?" if meant else "F001 … F021"
            )
    return codes


def _line(file: str, number: int, code: Code, declared: Declared) -> str:
    text = code.texts.get(file) or declared.texts.get(file) or b""
    lines = text.split(b"\n", number)
    return lines[number - 1].decode("utf-8", "replace").rstrip("\r") if number <= len(lines) else ""


def _without_excused(
    view: View, found: Sequence[Found], code: Code, declared: Declared, codes: Sequence[str]
) -> Sequence[Found]:
    """Leave out what comments excuse."""
    given = [
        excuse
        for file, text in {**declared.texts, **code.texts}.items()
        if NEEDLE in text
        for excuse in excuses(file, text.decode("utf-8", "replace"))
    ]
    return excused(view, found, given, codes)


def _write_baseline(file: str, findings: Sequence[Finding]) -> None:
    """Write a baseline of what rules say; what cannot be read is no excuse.

    Raises:
        UsageError: it cannot be written.
    """
    refuse([shown(each) for each in findings if each.code not in RULES], "nothing is written")
    fit = [each for each in findings if each.code not in baselines.UNFIT]
    prints = Report(fit, (), __version__).fingerprints
    text = baselines.write([(each, prints[id(each)]) for each in fit])
    try:
        Path(file).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}") from error
    talk(f"{file} excuses {_counted(len(fit), 'finding')}; it may only grow shorter")


def _beyond(view: View, file: str, findings: Sequence[Finding], *, whole: bool) -> list[Finding]:
    """Leave out what a baseline excuses, and tell of what it excuses needlessly.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        text = Path(file).read_bytes()
        known = baselines.read(text)
    except FileNotFoundError as error:
        raise NotFound(f"there is no baseline {file}", hint="--write-baseline makes one") from error
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise UsageError(f"{file} is no baseline: {error}", hint="--write-baseline makes one") from error
    fit = [each for each in findings if each.code not in baselines.UNFIT]
    prints = Report(fit, (), __version__).fingerprints
    excuse = {entry.fingerprint for entry in known.findings}
    left = [each for each in findings if prints.get(id(each)) not in excuse]
    if whole:
        stale = baselines.gone(view, file, text.decode(), known, set(prints.values()))
        left += [each.finding for each in stale]
    return left


def _of_change(findings: Sequence[Finding], ref: str, declared: Declared) -> list[Finding]:
    """Leave out what is in declarations that are as they were in a commit; of code only the rest was read.

    Raises:
        DavyError: there is no such commit, or Git cannot be asked.
    """
    from davy.adapters.git_objects import changed_since

    changed = changed_since(ref, declared.texts)
    return [each for each in findings if each.place.file in changed or each.place.file not in declared.texts]


def _show(
    setting: Setting, findings: Sequence[Finding], declared: Declared, code: Code, form: str, known: int
) -> None:
    """Print findings, and a summary to standard error."""
    wrong = {each.path for each in findings if each.severity == "error"}
    judged = [
        Judged("FeatureFlag", "", key, flag.place.file, flag.place.line, "fail" if key in wrong else "pass")
        for key, flag in declared.registry.flags.items()
    ]
    results = {name: sum(each.result == name for each in judged) for name in ("pass", "fail")}
    if form == "text":
        tell(setting, [shown(each) for each in findings])
    elif form == "json":
        _show_json(findings, code, judged)
    else:
        from davy.cli.reports import write

        write(setting, Report(findings, judged, __version__, command="davy flag lint"), results, form)
    reads = sum(len(scan.usages) for scan in code.scans)
    files = sum(bool(scan.usages) for scan in code.scans)
    told = f"{_counted(len(judged), 'flag')}, {_counted(reads, 'read')} in {_counted(files, 'file')}"
    if known:
        told += f"; the baseline excuses {_counted(known, 'finding')}"
    talk(told)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _show_json(findings: Sequence[Finding], code: Code, judged: Sequence[Judged]) -> None:
    from davy.cli.output import show_data

    prints = Report(findings, (), __version__).fingerprints
    show_data(
        {
            "apiVersion": "davy.dev/v1alpha1",
            "kind": "FlagLint",
            "findings": [
                {**msgspec.to_builtins(shown(each)), "fingerprint": prints[id(each)]} for each in findings
            ],
            "flags": len(judged),
            "reads": sum(len(scan.usages) for scan in code.scans),
        },
        "json",
    )
