"""How to reach an API server: from a kubeconfig, or from within a pod.

What a kubeconfig names is used as kubectl uses it: tokens, token files, client certificates, and programs that
hand out credentials (EKS, GKE). Such a program is run by its argv, never by a shell.
"""

import base64
import binascii
import json
import os
import ssl
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from davy.errors import UsageError
from davy.model.finding import BadManifest
from davy.model.loader import load_raw

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod has its token and the authority of its API server."""

PLUGIN_S = 30.0
"""Real seconds for a program that hands out credentials."""

_AHEAD_S = 60.0


class BadAccess(UsageError):
    """What says how to reach a cluster cannot be used."""

    code = "bad-kubeconfig"


@dataclass(slots=True)
class Access:
    """An API server, and how to be known to it.

    Args:
        server: its URL.
        context: whom to believe, and what certificate to show.
        token: one that does not change.
        token_file: where there is one that does; it is read for each request.
        plugin: a program that hands out tokens: its argv and its environment.
        server_name: the name in the server's certificate where it is not that of the URL.
    """

    server: str
    context: ssl.SSLContext
    token: str = ""
    token_file: Path | None = None
    plugin: tuple[tuple[str, ...], Mapping[str, str]] | None = None
    server_name: str = ""
    _given: tuple[str, float] = ("", 0.0)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def headers(self, now: float) -> dict[str, str]:
        """Return what a request has to carry.

        Raises:
            BadAccess: a token cannot be had.
        """
        token = self.token
        if self.token_file is not None:
            token = _read(self.token_file).strip()
        elif self.plugin is not None:
            token = self._from_plugin(now)
        return {"Authorization": f"Bearer {token}"} if token else {}

    def forget(self) -> None:
        """Ask the plug-in anew next time: the server refused what it gave."""
        with self._guard:
            self._given = ("", 0.0)

    def _from_plugin(self, now: float) -> str:
        assert self.plugin is not None
        with self._guard:
            token, ends_s = self._given
            if not token or now >= ends_s - _AHEAD_S:
                token, ends_s = self._given = _credential(*self.plugin)
            return token


def in_cluster(environment: Mapping[str, str], directory: Path = ACCOUNT) -> Access:
    """Reach the API server of the cluster that this process runs in.

    Raises:
        BadAccess: it runs in none.
    """
    host, port = (environment.get(f"KUBERNETES_SERVICE_{name}", "") for name in ("HOST", "PORT"))
    if not host or not port:
        raise BadAccess(
            "this is no pod: KUBERNETES_SERVICE_HOST is not set", hint="--kubeconfig FILE elsewhere"
        )
    host = f"[{host}]" if ":" in host else host
    context = _context(_read(directory / "ca.crt"), str(directory / "ca.crt"))
    return Access(f"https://{host}:{port}", context, token_file=directory / "token")


def from_kubeconfig(path: Path, environment: Mapping[str, str], context: str = "") -> Access:
    """Reach the API server that a kubeconfig names.

    Raises:
        BadAccess: it names none, or in a way that is not understood.
    """
    try:
        documents = load_raw(_read(path), str(path))
    except BadManifest as error:
        raise BadAccess(f"{path} is no kubeconfig: {error.message}") from error
    if len(documents) != 1 or documents[0].value.get("kind", "Config") != "Config":
        raise BadAccess(f"{path} is no kubeconfig: it is not one document of the kind Config")
    config = documents[0].value
    chosen = context or config.get("current-context") or ""
    if not chosen:
        raise BadAccess(f"{path} has no current-context", hint="kubectl config use-context NAME")
    pair = _named(config, "context", chosen, path)
    cluster = _named(config, "cluster", str(pair.get("cluster", "")), path)
    user = _named(config, "user", str(pair["user"]), path) if pair.get("user") else {}
    return _access(cluster, user, path, environment)


def _access(
    cluster: Mapping[str, Any], user: Mapping[str, Any], path: Path, environment: Mapping[str, str]
) -> Access:
    server = str(cluster.get("server", "")).rstrip("/")
    if not server.startswith("https://"):
        raise BadAccess(
            f"{path}: the server {server!r} is not asked over https, so nobody would know who it is"
        )
    if cluster.get("insecure-skip-tls-verify"):
        raise BadAccess(f"{path}: insecure-skip-tls-verify is not done here", hint="name certificate-authority")
    if strange := {"auth-provider", "username", "as"} & user.keys():
        raise BadAccess(f"{path}: {min(strange)} of a user is not understood here")
    authority = _content(cluster, "certificate-authority", path)
    context = _context(authority, str(path))
    certificate, key = (_content(user, name, path) for name in ("client-certificate", "client-key"))
    if certificate and key:
        _show(context, certificate, key, path)
    plugin = user.get("exec")
    token_file = user.get("tokenFile")
    return Access(
        server,
        context,
        token=str(user.get("token", "")),
        token_file=path.parent / token_file if token_file else None,
        plugin=_plugin(plugin, path, environment) if plugin else None,
        server_name=str(cluster.get("tls-server-name", "")),
    )


def _named(config: Mapping[str, Any], what: str, name: str, path: Path) -> Mapping[str, Any]:
    every = config.get(f"{what}s") or []
    for each in every if isinstance(every, list) else []:
        if isinstance(each, dict) and each.get("name") == name and isinstance(each.get(what), dict):
            found: Mapping[str, Any] = each[what]
            return found
    raise BadAccess(f"{path} has no {what} {name!r}")


def _content(found: Mapping[str, Any], name: str, path: Path) -> str:
    """Return what is written in a kubeconfig, or in the file that it names, seen from where it is."""
    data, file = found.get(f"{name}-data"), found.get(name)
    if data:
        try:
            return base64.b64decode(str(data), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise BadAccess(f"{path}: {name}-data is not base64 of a text") from error
    return _read(path.parent / str(file)) if file else ""


def _context(authority: str, where: str) -> ssl.SSLContext:
    """Believe one authority, or those of this machine where none is named."""
    try:
        context = ssl.create_default_context(cadata=authority or None)
    except ssl.SSLError as error:
        raise BadAccess(f"{where}: the certificate authority cannot be read: {error.reason}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _show(context: ssl.SSLContext, certificate: str, key: str, path: Path) -> None:
    """Show a client certificate. OpenSSL reads files only; this one is in memory, and nobody else's."""
    memory = os.memfd_create("davy-client-certificate", os.MFD_CLOEXEC)
    try:
        os.write(memory, f"{certificate}\n{key}".encode())
        context.load_cert_chain(f"/proc/self/fd/{memory}")
    except ssl.SSLError as error:
        raise BadAccess(f"{path}: the client certificate and its key cannot be used: {error.reason}") from error
    finally:
        os.close(memory)


def _plugin(
    found: Mapping[str, Any], path: Path, environment: Mapping[str, str]
) -> tuple[tuple[str, ...], Mapping[str, str]]:
    """Return how a program is called; a relative path begins at the kubeconfig, as with kubectl."""
    command, version = str(found.get("command", "")), str(found.get("apiVersion", ""))
    if not command or not version.startswith("client.authentication.k8s.io/"):
        raise BadAccess(
            f"{path}: exec of a user names no command, or no apiVersion of client.authentication.k8s.io"
        )
    if "/" in command and not command.startswith("/"):
        command = str(path.parent.absolute() / command)
    own = {str(each["name"]): str(each["value"]) for each in found.get("env") or []}
    info = {"apiVersion": version, "kind": "ExecCredential", "spec": {"interactive": False}}
    argv = (command, *map(str, found.get("args") or []))
    return argv, {**environment, **own, "KUBERNETES_EXEC_INFO": json.dumps(info)}


def _credential(argv: tuple[str, ...], environment: Mapping[str, str]) -> tuple[str, float]:
    """Ask a program for a token, and until when it is good."""
    try:
        done = subprocess.run(
            argv,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PLUGIN_S,
            check=True,
        )
        status = json.loads(done.stdout)["status"]
        ends = status.get("expirationTimestamp")
        ends_s = datetime.fromisoformat(ends).timestamp() if ends else float("inf")
        return str(status["token"]), ends_s
    except subprocess.TimeoutExpired as error:
        raise BadAccess(f"{argv[0]} gave no credentials within {PLUGIN_S:g} s") from error
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().splitlines()
        raise BadAccess(
            f"{argv[0]} gave no credentials: {said[-1][:200] if said else error.returncode}"
        ) from error
    except OSError as error:
        raise BadAccess(f"{argv[0]} cannot be run: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError):
        # No cause: what it printed holds a credential.
        raise BadAccess(f"{argv[0]} printed no ExecCredential with a token") from None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadAccess(
            f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is no text'}"
        ) from error
