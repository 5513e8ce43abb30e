"""Which file a module is: by the names of files alone, since that is what every language goes by."""

from collections.abc import Iterable, Iterator
from posixpath import dirname, join, normpath

from davy.flags.lint.prefilter import language_of
from davy.flags.lint.usage import Language

_SCRIPTS = (Language.JAVASCRIPT, Language.TYPESCRIPT, Language.TSX)
_SCRIPT_ENDS = (".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs")
_NEAR = 64
"""How many files of a package are looked at for one name."""


class Files:
    """The names of the files that there are, with forward slashes, by how they end."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = frozenset(names)
        self._by_end: dict[str, list[str]] = {}
        self._by_directory: dict[str, list[str]] = {}
        for name in sorted(self.names):
            if language_of(name) is not None:
                directory, _, end = name.rpartition("/")
                self._by_end.setdefault(end, []).append(name)
                self._by_directory.setdefault(directory, []).append(name)

    def module(self, module: str, importer: str, language: Language, name: str = "") -> tuple[str, ...]:
        """Return the files that a module may be, the likeliest first; `name` is what is wanted of it."""
        if language is Language.PYTHON:
            return self._python(module, importer)
        if language in _SCRIPTS:
            return self._script(module, importer)
        if language is Language.GO:
            return self._go(module, importer)
        if language is Language.RUBY:
            return self._ruby(module, importer)
        return self._class(module, importer, ".java" if language is Language.JAVA else ".cs", name)

    def beside(self, file: str) -> tuple[str, ...]:
        """Return the files of the same directory and language: a package of Go, of Java."""
        language = language_of(file)
        found = self._by_directory.get(file.rpartition("/")[0], [])
        return tuple(each for each in found if each != file and language_of(each) is language)[:_NEAR]

    def called(self, name: str, importer: str, end: str) -> tuple[str, ...]:
        """Return the files that are named after a class."""
        return self._nearest(self._by_end.get(name + end, []), importer)

    def _python(self, module: str, importer: str) -> tuple[str, ...]:
        path = module.lstrip(".")
        dots = len(module) - len(path)
        path = path.replace(".", "/")
        ends = (f"{path}.py", f"{path}/__init__.py") if path else ("__init__.py",)
        if dots:
            base = dirname(importer)
            for _ in range(dots - 1):
                base = dirname(base)
            return tuple(found for each in ends if (found := normpath(join(base, each))) in self.names)
        return self._ending(ends, importer)

    def _script(self, module: str, importer: str) -> tuple[str, ...]:
        stem = module
        for end in (".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx"):
            stem = stem.removesuffix(end)
        ends = [
            *(f"{stem}{end}" for end in _SCRIPT_ENDS),
            *(f"{stem}/{index}{end}" for index in ("index", "src/index") for end in _SCRIPT_ENDS),
        ]
        if module.startswith("."):
            base = dirname(importer)
            return tuple(found for each in ends if (found := normpath(join(base, each))) in self.names)
        plain = module.lstrip("@~#").removeprefix("/")
        start = len(stem) - len(stem[len(module) - len(plain) :])
        whole = self._ending([each[start:] for each in ends], importer)
        if whole or not module.startswith("@") or module.startswith("@/"):
            return whole
        cut = module.index("/") + 1 if "/" in module else 0
        return self._ending([each[cut:] for each in ends], importer) if cut else ()

    def _go(self, module: str, importer: str) -> tuple[str, ...]:
        parts = module.split("/")
        for start in range(len(parts)):
            end = "/".join(parts[start:])
            directories = [each for each in self._by_directory if each == end or each.endswith(f"/{end}")]
            if directories:
                near = self._nearest([f"{each}/" for each in directories], importer)
                return tuple(
                    name for each in near[:1] for name in self._by_directory[each[:-1]] if name.endswith(".go")
                )[:_NEAR]
        return ()

    def _ruby(self, module: str, importer: str) -> tuple[str, ...]:
        if module.startswith("./"):
            found = normpath(join(dirname(importer), f"{module}.rb".replace(".rb.rb", ".rb")))
            return (found,) if found in self.names else ()
        return self._ending((f"{module.removesuffix('.rb')}.rb",), importer)

    def _class(self, module: str, importer: str, end: str, name: str) -> tuple[str, ...]:
        """Return the file of a class, or of one in a package."""
        path = module.replace(".", "/")
        ends = [f"{path}{end}", f"{path}/{name}{end}"]
        ends.append(f"{path.rpartition('/')[0]}{end}")  # a class within a class
        if found := self._ending([each for each in ends if each != end], importer):
            return found
        last = module.rpartition(".")[2]
        return self.called(last, importer, end) or self.called(name, importer, end)

    def _ending(self, ends: Iterable[str], importer: str) -> tuple[str, ...]:
        """Return the files whose names end so, at a boundary."""
        found = [
            name
            for end in ends
            for name in self._by_end.get(end.rpartition("/")[2], ())
            if name == end or name.endswith(f"/{end}")
        ]
        return self._nearest(list(dict.fromkeys(found)), importer)

    def _nearest(self, names: list[str], importer: str) -> tuple[str, ...]:
        """Return those that share the most directories with who asks; of several alike none is guessed at."""
        if len(names) < 2:
            return tuple(names)
        shared = {name: _shared(name, importer) for name in names}
        most = max(shared.values())
        return tuple(name for name in names if shared[name] == most)


def snake(name: str) -> Iterator[str]:
    """Yield how a file of Ruby may be called that holds a constant: `FeatureFlags` is in `feature_flags`."""
    yield "".join(f"_{each.lower()}" if each.isupper() else each for each in name).lstrip("_")
    yield name.lower()


def _shared(one: str, other: str) -> int:
    count = 0
    for here, there in zip(one.split("/")[:-1], other.split("/")[:-1], strict=False):
        if here != there:
            break
        count += 1
    return count
