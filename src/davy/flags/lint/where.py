"""Whether code runs in front of users, where everybody can read what a flag says."""

import re
from collections.abc import Iterable

from davy.flags.lint.usage import Language

_MODULES: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "the web SDK of OpenFeature",
        re.compile(r"@openfeature/(?:web-sdk|react-sdk|angular-sdk|.*-web(?:-provider)?)$"),
    ),
    (
        "a framework of browsers",
        re.compile(r"^(?:react-dom(?:/client)?|react-native|vue|svelte|solid-js|preact|@angular/core|lit)$"),
    ),
    (
        "an SDK of a vendor for browsers",
        re.compile(r"launchdarkly-(?:js|react)|@unleash/proxy-client-react|splitio-react"),
    ),
    ("Android", re.compile(r"^androidx?\.|^dev\.openfeature\.kotlin")),
    (
        "WebAssembly",
        re.compile(r"AspNetCore\.Components\.WebAssembly|^Microsoft\.Maui|^Xamarin|^pyscript$|^pyodide$"),
    ),
)
_SERVER = re.compile(r"@openfeature/server-sdk|^node:|^(?:express|fastify|koa|server-only|@nestjs/.*|fs|http)$")
_CLIENT_DIRECTIVE = re.compile(rb"""\A(?:\s|//[^\n]*\n|/\*.*?\*/)*['"]use client['"]""", re.DOTALL)
_SERVER_DIRECTIVE = re.compile(rb"""\A(?:\s|//[^\n]*\n|/\*.*?\*/)*['"]use server['"]""", re.DOTALL)
_PATH = re.compile(r"(?i)(?:^|/)(front-?end|browser|web-?app|mobile|android|ios|public|client-side|spa)(?:/|$)")
_SCRIPTS = (Language.JAVASCRIPT, Language.TYPESCRIPT, Language.TSX)


def client_side(text: bytes, file: str, language: Language, modules: Iterable[str]) -> str:
    """Return why a file is taken to run in front of users, empty where it runs on servers."""
    modules = tuple(modules)
    if language in _SCRIPTS:
        head = text[:2048]
        if _CLIENT_DIRECTIVE.match(head):
            return "'use client'"
        if _SERVER_DIRECTIVE.match(head) or any(_SERVER.search(each) for each in modules):
            return ""
    for why, pattern in _MODULES:
        if (found := next((each for each in modules if pattern.search(each)), None)) is not None:
            return f"{why}: {found}"
    if language in _SCRIPTS and (path := _PATH.search(file)) is not None:
        return f"its path: {path[1]}/"
    return ""
