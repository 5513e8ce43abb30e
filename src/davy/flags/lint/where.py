"""Whether code runs in front of users, where everybody can read what a flag says."""

import re
from collections.abc import Iterable

import re2

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
_DIRECTIVE = re2.compile(rb"""(?s)\A(?:\s|//[^\n]*\n|/\*.*?\*/)*['"]use (client|server)['"]""")
"""What a file says of itself before all else; by RE2, since comments can be read in many ways by others."""
_PATH = re.compile(r"(?i)(?:^|/)(front-?end|browser|web-?app|mobile|android|ios|public|client-side|spa)(?:/|$)")
_SCRIPTS = (Language.JAVASCRIPT, Language.TYPESCRIPT, Language.TSX)


def client_side(text: bytes, file: str, language: Language, modules: Iterable[str]) -> str:
    """Return why a file is taken to run in front of users, empty where it runs on servers."""
    modules = tuple(modules)
    if language in _SCRIPTS:
        said = _DIRECTIVE.match(text[:2048])
        if said and said[1] == b"client":
            return "'use client'"
        if said or any(_SERVER.search(each) for each in modules):
            return ""
    for why, pattern in _MODULES:
        if (found := next((each for each in modules if pattern.search(each)), None)) is not None:
            return f"{why}: {found}"
    if language in _SCRIPTS and (path := _PATH.search(file)) is not None:
        return f"its path: {path[1]}/"
    return ""
