"""The program: its commands, imported when they are used, and the one place where its errors end.

What a person meets here: the answer on standard output, everything else on standard error, an exit code of
the public contract (docs/reference/exit-codes.md), and never a traceback.
"""

import errno
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import click

from davy import __version__
from davy.cli.paint import visible
from davy.cli.setting import Setting, default_home, from_process, talk
from davy.errors import DavyError

SECTIONS: dict[str, dict[str, tuple[str, str]]] = {
    "Rollouts": {
        "apply": ("davy.cli.apply", "Accept manifests; a gate that says no refuses all of them."),
        "get": ("davy.cli.get", "Look at rollouts: get rollouts, get rollout NAME [-w]."),
        "status": ("davy.cli.status", "Say how a rollout is, or wait until it is done."),
        "why": ("davy.cli.why", "Say in one sentence why a rollout is as it is."),
        "set": ("davy.cli.set", "Go to another version: set image NAME CONTAINER=IMAGE."),
        "undo": ("davy.cli.undo", "Go back to an earlier revision."),
        "promote": ("davy.cli.promote", "End the pause that an update is in."),
        "pause": ("davy.cli.pause", "Freeze a rollout where it is."),
        "resume": ("davy.cli.resume", "Let a frozen rollout go on."),
        "abort": ("davy.cli.abort", "Give the traffic back to the stable version."),
        "retry": ("davy.cli.retry", "Start an aborted update again."),
        "restart": ("davy.cli.restart", "Replace every replica, a few at a time."),
        "scale": ("davy.cli.scale", "Ask for another number of replicas."),
        "delete": ("davy.cli.delete", "Take a rollout away: delete rollout NAME."),
        "record": ("davy.cli.record", "Read what happened, who did it and why."),
    },
    "Record": {
        "ledger": ("davy.cli.ledger", "Read, verify, prove and hand on the record."),
        "event": ("davy.cli.event", "Tell of changes and incidents that no engine sees: event emit TYPE."),
        "git": ("davy.cli.git", "Read from Git repositories what becomes of changes."),
        "dora": ("davy.cli.dora", "Compute the delivery metrics: CFR, lead time, recovery and more."),
    },
    "Files": {
        "check": ("davy.cli.check", "Hold manifests to the gates, without an engine."),
        "judge": ("davy.cli.judge", "Judge a canary that is told tick by tick, as JSON lines."),
        "fix": ("davy.cli.fix", "Mend what can be mended by machine; shows a diff first."),
        "scaffold": ("davy.cli.scaffold", "Write manifests to begin with: scaffold argo-judge NAME."),
    },
    "Policy": {
        "policy": ("davy.cli.policy", "Run, test, compare and export policies."),
        "waiver": ("davy.cli.waiver", "Ask for, approve, revoke and list waivers."),
    },
    "Flags": {
        "flag": ("davy.cli.flag", "Evaluate, lint, toggle and kill flags."),
    },
    "Engine": {
        "up": ("davy.cli.up", "Run the engine on this machine until Ctrl-C."),
        "down": ("davy.cli.down", "Stop the workloads and the proxy that an engine left running."),
        "demo": ("davy.cli.demo", "See a good and a bad release, on a real Envoy, in about a minute."),
        "drill": ("davy.cli.drill", "Play a simulated world, and hold the engine to its invariants."),
        "serve": ("davy.cli.serve", "Answer a cluster that asks before anything is changed."),
        "doctor": ("davy.cli.doctor", "Look for what is missing on this machine."),
        "version": ("davy.cli.version", "Print the version of this command and of the engine."),
    },
}
"""Every command: where it lives and what it is for, so that help needs none of them."""

COMMANDS = {name: entry for section in SECTIONS.values() for name, entry in section.items()}

INSTEAD = {
    "lint": "davy check",
    "list": "davy get rollouts",
    "rollback": "davy undo",
    "terminate": "davy abort, which ends an update with all its runs",
}
"""What others call differently, or have and Davy does not."""

READER_LEFT = 141  # 128 + SIGPIPE, as a shell reports it
INTERRUPTED = 130
UNWRITABLE = (errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Program(click.Group):
    """A group whose commands are imported when they are called, and the edge where errors become exit codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        module = import_module(COMMANDS[cmd_name][0])
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is meant, or say which ones come near."""
        name = args[0]
        if name not in COMMANDS:
            meant = f"; there is {INSTEAD[name]}" if name in INSTEAD else nearest(name, list(COMMANDS))
            raise click.UsageError(f"there is no command {name!r}{meant}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands by what they are about."""
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, text) for name, (_, text) in commands.items()])

    def main(self, args: Any = None, prog_name: Any = None, **extra: Any) -> NoReturn:  # type: ignore[override]
        """Run, and leave with an exit code. `extra` may hold `obj`, a setting to start from."""
        setting = extra.pop("obj", None) or from_process()
        arguments = [str(argument) for argument in (sys.argv[1:] if args is None else args)]
        code = self._complete(setting) if "_DAVY_COMPLETE" in setting.environment else None
        sys.exit(self._guarded(arguments, setting) if code is None else code)

    def _complete(self, setting: Setting) -> int:
        """Answer a shell that completes a line; `eval "$(_DAVY_COMPLETE=bash_source davy)"` asks it to."""
        from click.shell_completion import shell_complete

        instruction = setting.environment["_DAVY_COMPLETE"]
        return shell_complete(self, {"obj": setting}, "davy", "_DAVY_COMPLETE", instruction)

    def _guarded(self, arguments: list[str], setting: Setting) -> int:
        """Run a command and turn however it ends into an exit code and at most a few lines."""
        context = None
        try:
            speak_any_text()
            context = self.make_context("davy", list(arguments), obj=setting)
            with context:
                self.invoke(context)
            flush()
            return 0
        except click.exceptions.Exit as leaving:
            return leaving.exit_code
        except (KeyboardInterrupt, EOFError, click.Abort):
            talk("\ninterrupted")
            return INTERRUPTED
        except click.exceptions.NoArgsIsHelpError as error:
            talk(error.format_message())
            return 2
        except click.ClickException as error:
            setting = settled(context, setting)
            return complain(setting, "usage", error.format_message(), usage_hint(error), 2)
        except DavyError as error:
            setting = settled(context, setting)
            return complain(setting, error.code, error.message, error.hint, error.exit_code)
        except Exception as error:  # noqa: BLE001 - the last edge: a fault of ours becomes a report
            if isinstance(error, OSError) and error.errno in UNWRITABLE and not error.filename:
                return give_up_output(setting, error)
            return confess(settled(context, setting), error, arguments)


def settled(context: click.Context | None, otherwise: Setting) -> Setting:
    """Return the setting that the options made, if they were read at all."""
    return context.obj if context and isinstance(context.obj, Setting) else otherwise


def confess(setting: Setting, error: Exception, arguments: list[str]) -> int:
    """Report a fault of ours."""
    from davy.serve.bugs import filed

    if setting.debugging:
        import traceback

        traceback.print_exception(error)
    where = setting.reports if setting.home != Path() else Path(default_home(setting.environment), "reports")
    bug = filed(where, error, f"davy {' '.join(arguments)}"[:2000])
    return complain(setting, bug.code, bug.message, bug.hint, bug.exit_code)


def complain(setting: Setting, code: str, message: str, hint: str, exit_code: int) -> int:
    """Print an error in the one shape they all have."""
    lines = [click.style(f"error[{code}]", fg="red", bold=True) + f": {visible(message)}"]
    lines += [f"  hint: {visible(hint)}"] if hint else []
    if sys.stderr:
        click.echo("\n".join(lines), err=True, color=setting.colored)
    return exit_code


def usage_hint(error: click.ClickException) -> str:
    """Say where the right way to call it is described."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    return f"{context.command_path if context else 'davy'} --help"


def nearest(name: str, known: list[str]) -> str:
    """Return `; did you mean …?` when something known is near."""
    import difflib

    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(near)}?" if near else ""


def speak_any_text() -> None:
    """Let output spell what its encoding cannot, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure:
            reconfigure(errors="backslashreplace")


def flush() -> None:
    """Write out what is buffered, so that a full disk or a reader who left is noticed while it can be told."""
    if sys.stdout:
        sys.stdout.flush()


def give_up_output(setting: Setting, error: OSError) -> int:
    """End when standard output takes no more; what is buffered goes nowhere, so that it fails only once."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    if sys.stdout is sys.__stdout__:
        os.dup2(nowhere, 1)
    os.close(nowhere)
    if error.errno == errno.EPIPE:
        return READER_LEFT
    return complain(setting, "output", f"the output cannot be written: {error.strerror}", "", 2)


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "--version", message="davy %(version)s")
@click.option(
    "--home",
    type=click.Path(path_type=Path),
    envvar="DAVY_HOME",
    show_envvar=True,
    help="State directory.  [default: $XDG_STATE_HOME/davy or ~/.local/state/davy]",
)
@click.option(
    "-n", "--namespace", envvar="DAVY_NAMESPACE", show_envvar=True, default="default", show_default=True
)
@click.option("--color", type=click.Choice(["auto", "always", "never"]), default="auto", show_default=True)
@click.pass_context
def program(context: click.Context, home: Path | None, namespace: str, color: str) -> None:
    """Progressive delivery with teeth.

    Start with: davy demo, davy doctor, davy check -f FILE.
    """
    setting: Setting = context.obj
    directory = (home or default_home(setting.environment)).absolute()
    given = context.get_parameter_source("namespace") is not click.core.ParameterSource.DEFAULT
    context.obj = setting._replace(home=directory, namespace=namespace, color=color, namespace_given=given)
    context.color = context.obj.colored
