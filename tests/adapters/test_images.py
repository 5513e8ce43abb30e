import os
import subprocess
import tarfile
from pathlib import Path

import msgspec
import pytest
from ruamel.yaml import YAML

from davy.adapters.builds import Builds
from davy.adapters.images import COMMAND_ANNOTATION, ImageNotMapped, Images
from davy.errors import IntegrityError, Refused, Undecided
from davy.model.images import ImageMap, ImageMapSpec, ImageSource, Source
from davy.model.meta import ObjectMeta, PodMeta
from davy.model.pod import Container, PodSpec, PodTemplateSpec
from davy.rollout.platform import Launch
from davy.testing.patience import until

ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_AUTHOR_NAME": "t",
    "GIT_AUTHOR_EMAIL": "t@example.org",
    "GIT_COMMITTER_NAME": "t",
    "GIT_COMMITTER_EMAIL": "t@example.org",
}


def template(
    image: str = "", *, command: tuple[str, ...] = (), args: tuple[str, ...] = (), annotation: str = ""
) -> PodTemplateSpec:
    container = Container("app", image=image, command=command, args=args)
    annotations = {COMMAND_ANNOTATION: annotation} if annotation else {}
    return PodTemplateSpec(metadata=PodMeta(annotations=annotations), spec=PodSpec(containers=(container,)))


def image_map(images: dict[str, ImageSource], name: str = "images") -> ImageMap:
    return ImageMap(metadata=ObjectMeta(name=name), spec=ImageMapSpec(images))


@pytest.fixture
def builds(tmp_path: Path) -> Builds:
    return Builds(tmp_path / "builds", environment=ENVIRONMENT)


@pytest.fixture
def images(tmp_path: Path, builds: Builds) -> Images:
    return Images(builds, base=tmp_path, environment=ENVIRONMENT)


def git(repository: Path, *arguments: str) -> str:
    command = ["git", "-C", str(repository), *arguments]
    return subprocess.run(command, env=ENVIRONMENT, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Make a repository whose tags v1 and v2 hold a file that says so."""
    place = tmp_path / "repository"
    place.mkdir()
    git(place, "init", "-q")
    for version in ("v1", "v2"):
        (place / "version").write_text(version)
        git(place, "add", ".")
        git(place, "commit", "-qm", version)
        git(place, "tag", version)
    return place


def made(builds: Builds, launch: Launch) -> Path:
    until(lambda: builds.ready(launch))
    return Path(launch.directory)


def test_a_directory_for_each_tag(images: Images, tmp_path: Path) -> None:
    (tmp_path / "releases" / "v1").mkdir(parents=True)
    source = ImageSource(Source(dir="releases/{tag}"), command=("./serve", "--port", "$(PORT)"))
    images.use(image_map({"ghcr.io/acme/pay:*": source}))
    launch = images.resolve(template("ghcr.io/acme/pay:v1", args=("--fast",)))
    assert launch == Launch(("./serve", "--port", "$(PORT)", "--fast"), str(tmp_path / "releases" / "v1"))
    with pytest.raises(Refused, match="v2, which is not there"):
        images.resolve(template("ghcr.io/acme/pay:v2"))


def test_the_command_of_the_container_comes_before_that_of_the_map(images: Images, tmp_path: Path) -> None:
    images.use(image_map({"pay": ImageSource(Source(dir="."), command=("a",))}))
    assert images.resolve(template("pay", command=("b", "c"))).argv == ("b", "c")
    assert images.resolve(template("pay", command=("b",), annotation="d 'e f'")).argv == ("d", "e f")
    assert images.resolve(template("pay")).directory == str(tmp_path)


def test_a_map_of_the_same_name_takes_the_place_of_the_old_one(images: Images) -> None:
    images.use(image_map({"pay": ImageSource(Source(dir="."), command=("a",))}))
    images.use(image_map({"pay": ImageSource(Source(dir="."), command=("b",))}))
    images.use(image_map({"cart": ImageSource(Source(dir="."), command=("c",))}, name="others"))
    assert images.resolve(template("pay")).argv == ("b",)
    assert images.resolve(template("cart")).argv == ("c",)


def test_the_entry_that_says_most_is_taken(images: Images) -> None:
    entries = {"pay:*": "any", "pay:v1*": "one", "pay:v1.2": "exactly", "pay:very-long-but-other-*": "other"}
    images.use(
        image_map({name: ImageSource(Source(dir="."), command=(what,)) for name, what in entries.items()})
    )
    taken = {tag: images.resolve(template(f"pay:{tag}")).argv[0] for tag in ("v2", "v1.3", "v1.2")}
    assert taken == {"v2": "any", "v1.3": "one", "v1.2": "exactly"}


@pytest.mark.parametrize(
    ("image", "filled"),
    [
        ("registry:5000/pay", "latest"),
        ("registry:5000/pay:v1", "v1"),
        ("registry:5000/pay:v1@sha256:abc", "sha256-abc"),
    ],
)
def test_a_registry_may_have_a_port_and_an_image_a_digest(
    images: Images, tmp_path: Path, image: str, filled: str
) -> None:
    (tmp_path / filled).mkdir()
    images.use(image_map({"registry:5000/pay:*": ImageSource(Source(dir="{tag}"), command=("a",))}))
    assert images.resolve(template(image)).directory == str(tmp_path / filled)


@pytest.mark.parametrize("tag", ["../secrets", "..", "-x", "a/b", "a b", "a" * 129, ""])
def test_a_tag_leads_nowhere_else(images: Images, tmp_path: Path, tag: str) -> None:
    (tmp_path / "releases").mkdir()
    (tmp_path / "secrets").mkdir()
    images.use(image_map({"pay:*": ImageSource(Source(dir="releases/{tag}"), command=("a",))}))
    with pytest.raises(Refused, match=r"has no proper tag|nothing says what image"):
        images.resolve(template(f"pay:{tag}"))


def test_what_nothing_explains_is_refused_with_the_line_to_add(images: Images) -> None:
    with pytest.raises(ImageNotMapped, match=r"ghcr\.io/acme/pay:v1") as refusal:
        images.resolve(template("ghcr.io/acme/pay:v1", command=("/no/such/program",)))
    line = refusal.value.hint.removeprefix("add to an ImageMap: ")
    images.use(image_map(msgspec.convert(YAML(typ="safe").load(line), dict[str, ImageSource])))
    with pytest.raises(Refused, match=r"stands for the directory .*/releases/v1, which is not there"):
        images.resolve(template("ghcr.io/acme/pay:v1", command=("/no/such/program",)))
    assert refusal.value.code == "image-not-mapped"
    with pytest.raises(ImageNotMapped, match="\\(none\\)"):
        images.resolve(template())
    with pytest.raises(ImageNotMapped):
        images.resolve(template("pay", args=("sh",)))


def test_an_entry_without_a_command_or_a_source_says_what_is_missing(images: Images) -> None:
    images.use(image_map({"pay": ImageSource(Source(dir=".")), "cart": ImageSource(Source(), command=("a",))}))
    with pytest.raises(ImageNotMapped, match="not what it runs"):
        images.resolve(template("pay"))
    with pytest.raises(Refused, match="neither a directory nor a Git repository"):
        images.resolve(template("cart"))


def test_a_command_that_this_machine_has_needs_no_map(images: Images, tmp_path: Path) -> None:
    assert images.resolve(template("busybox", command=("sh",), args=("-c", "true"))) == Launch(
        ("sh", "-c", "true"), str(tmp_path)
    )
    (tmp_path / "serve").write_text("")
    assert images.resolve(template("pay", command=("./serve",))).argv == ("./serve",)
    assert images.resolve(template("pay", annotation="anything at all")).argv == ("anything", "at", "all")


def test_an_annotation_that_is_no_command_line_is_refused(images: Images) -> None:
    with pytest.raises(Refused, match="not a command line"):
        images.resolve(template("pay", annotation="'"))


def test_a_tag_of_a_repository_is_the_commit_that_it_is_now(
    images: Images, builds: Builds, repository: Path
) -> None:
    images.use(image_map({"pay:*": ImageSource(Source(git="repository", ref="{tag}"), command=("a",))}))
    first, second = (images.resolve(template(f"pay:{tag}")) for tag in ("v1", "v2"))
    assert first.digest == git(repository, "rev-parse", "v1")
    assert (made(builds, first) / "version").read_text() == "v1"
    assert (made(builds, second) / "version").read_text() == "v2"
    git(repository, "tag", "-f", "v1", "v2")
    assert images.resolve(template("pay:v1")) == second


def test_without_a_ref_it_is_the_head(images: Images, repository: Path) -> None:
    images.use(image_map({"pay": ImageSource(Source(git=str(repository)), command=("a",))}))
    assert images.resolve(template("pay")).digest == git(repository, "rev-parse", "HEAD")


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (Source(git="repository", ref="{tag}"), "which is not a commit there"),
        (Source(git="repository", ref="--upload-pack={tag}"), "which Git would take for an option"),
        (Source(git="nowhere"), "nowhere, which is not there"),
        (Source(git=".", ref="v1"), "which is not a commit there"),
    ],
)
def test_a_ref_that_is_no_commit_is_refused(images: Images, repository: Path, source: Source, why: str) -> None:
    images.use(image_map({"pay:*": ImageSource(source, command=("a",))}))
    with pytest.raises(Refused, match=why):
        images.resolve(template("pay:v9"))


def test_without_git_nobody_knows(builds: Builds, repository: Path, tmp_path: Path) -> None:
    images = Images(builds, base=tmp_path, environment={"PATH": str(tmp_path)})
    images.use(image_map({"pay": ImageSource(Source(git=str(repository)), command=("a",))}))
    with pytest.raises(Undecided, match="Git cannot be asked"):
        images.resolve(template("pay"))


def built(repository: Path, *build: str) -> ImageMap:
    return image_map({"pay": ImageSource(Source(git=str(repository), ref="v1"), build=build, command=("a",))})


def test_a_build_runs_once_for_a_commit(
    images: Images, builds: Builds, repository: Path, tmp_path: Path
) -> None:
    images.use(built(repository, "sh", "-c", "echo x >> ../count; cat version > built"))
    launch = images.resolve(template("pay"))
    assert (made(builds, launch) / "built").read_text() == "v1"
    other = Builds(tmp_path / "builds", environment=ENVIRONMENT)
    assert other.ready(launch)
    assert (Path(launch.directory).parent / "count").read_text() == "x\n"


def test_another_build_of_the_same_commit_is_another_thing(
    images: Images, builds: Builds, repository: Path
) -> None:
    images.use(built(repository, "true"))
    first = images.resolve(template("pay"))
    images.use(built(repository, "sh", "-c", "true"))
    second = images.resolve(template("pay"))
    assert first.digest.partition("+")[0] == second.digest.partition("+")[0]
    assert first.directory != second.directory


def test_a_build_that_fails_says_so_and_leaves_nothing_to_run(
    images: Images, builds: Builds, repository: Path
) -> None:
    images.use(built(repository, "sh", "-c", "echo no compiler; exit 4"))
    launch = images.resolve(template("pay"))
    with pytest.raises(Refused, match="cannot be built: sh ended with 4: no compiler") as refusal:
        made(builds, launch)
    assert "build.log" in refusal.value.hint
    assert not Path(launch.directory).exists()
    assert not list(Path(launch.directory).parent.glob("attempt-*"))


@pytest.mark.parametrize("filtered", [True, False], ids=["a Python that filters", "one that does not"])
def test_a_link_within_a_commit_is_kept_and_one_that_leads_out_of_it_is_refused(
    images: Images, builds: Builds, repository: Path, monkeypatch: pytest.MonkeyPatch, *, filtered: bool
) -> None:
    if not filtered:
        monkeypatch.delattr(tarfile, "data_filter", raising=False)
        extract = tarfile.TarFile.extractall
        monkeypatch.setattr(tarfile.TarFile, "extractall", lambda self, path: extract(self, path))
    source = Source(git=str(repository), ref="HEAD")
    images.use(image_map({"pay": ImageSource(source, build=("true",), command=("a",))}))
    (repository / "link").symlink_to("version")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "v3")
    assert (made(builds, images.resolve(template("pay"))) / "link").read_text() == "v2"
    (repository / "out").symlink_to("../../etc")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "v4")
    with pytest.raises(Refused, match=r"cannot be built: .*out"):
        made(builds, images.resolve(template("pay")))


def test_a_build_can_be_broken_off(images: Images, builds: Builds, repository: Path) -> None:
    images.use(built(repository, "sh", "-c", "touch ../begun; sleep 100"))
    launch = images.resolve(template("pay"))
    assert not builds.ready(launch)
    until((Path(launch.directory).parent / "begun").exists)
    builds.close()
    assert not Path(launch.directory).exists()
    assert not builds.ready(
        msgspec.structs.replace(launch, directory=str(Path(launch.directory).parent.parent / "x" / "tree"))
    )


def test_a_lost_recipe_is_said(images: Images, builds: Builds, repository: Path) -> None:
    images.use(built(repository, "true"))
    launch = images.resolve(template("pay"))
    (Path(launch.directory).parent / "recipe.json").unlink()
    with pytest.raises(IntegrityError, match="lost or spoilt"):
        builds.ready(launch)


def test_what_is_no_build_is_always_ready(builds: Builds) -> None:
    assert builds.ready(Launch(("a",), "/somewhere"))
