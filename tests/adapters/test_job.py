"""Jobs as processes: real ones, that end well, badly, too late, or after the engine that began them."""

import os
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from signal import SIGKILL
from typing import Any

import msgspec
import pytest

from davy.adapters import pid
from davy.adapters.addresses import Addresses
from davy.adapters.builds import Builds
from davy.adapters.clock import Clock
from davy.adapters.fence import Fence
from davy.adapters.images import ImageNotMapped, Images
from davy.adapters.job import JobProvider, end_jobs
from davy.adapters.pid import Process
from davy.adapters.secret_files import SecretFiles
from davy.adapters.tools import Tools
from davy.analysis.phase import Phase
from davy.analysis.promql.evaluate import Engine
from davy.analysis.promql.series import SeriesStore
from davy.analysis.provider import Asking, Judged, Lasting, Provider, ProviderError
from davy.errors import Undecided
from davy.ledger.lease import Fenced
from davy.model.images import ImageMap
from davy.model.job import JobMetric, JobSpec
from davy.model.pod import PodTemplateSpec
from davy.model.providers import MetricProvider
from davy.rollout.platform import Launch
from davy.testing.patience import until
from davy.testing.provider import Expected, ProviderContract

CANARY = "c4nary-of-a-job"


class Place:
    """A state directory, and engines that come and go."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.built = True
        self.speed = 20.0  # a job that is tried again is so after half a second

    def tools(self) -> Tools:
        return Tools(
            clock=Clock.at_speed(self.speed),
            addresses=Addresses(),
            queries=Engine(SeriesStore()),
            in_process=True,
            jobs=self.home / "jobs",
            launch=self.launch,
            built=lambda _: self.built,
            environment={"PATH": os.environ["PATH"], "INHERITED": "yes"},
        )

    def launch(self, template: PodTemplateSpec) -> Launch:
        [container] = template.spec.containers
        if container.image == "unmapped":
            raise ImageNotMapped("nothing says what image unmapped runs on this machine")
        if container.image == "undecided":
            raise Undecided("Git cannot be asked")
        return Launch(argv=(*container.command, *container.args), directory=str(self.home))

    def provider(self) -> JobProvider:
        return JobProvider(self.tools())

    @property
    def job(self) -> Path:
        [found] = (self.home / "jobs").iterdir()
        return found


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    end_jobs(tmp_path / "jobs")


def job(script: str, *, image: str = "python", **fields: Any) -> MetricProvider:
    env = fields.pop("env", [])
    container = {
        "name": "c",
        "image": image,
        "command": [sys.executable, "-S", "-c", f"from sys import exit\n{script}"],
        "env": env,
    }
    pod = {"restartPolicy": "Never", "containers": [container], "terminationGracePeriodSeconds": 20}
    spec = {"template": {"spec": pod}, "backoffLimit": 0, **fields}
    return msgspec.convert({"job": {"spec": spec}}, MetricProvider)


def run(place: Place, question: MetricProvider, name: str = "run/metric/1") -> Judged:
    return place.provider().measure(question, now=1.0, asking=asking(place, name))


def asking(place: Place, name: str = "run/metric/1") -> Asking:
    return Asking(name, "default", SecretFiles(place.home / "secrets"))


class Background:
    """A measurement that is taken in a thread, as the engine does."""

    def __init__(self, provider: JobProvider, place: Place, question: MetricProvider) -> None:
        self.found: Judged | ProviderError | None = None

        def take() -> None:
            try:
                self.found = provider.measure(question, now=1.0, asking=asking(place))
            except ProviderError as error:
                self.found = error

        self.thread = threading.Thread(target=take, daemon=True)
        self.thread.start()

    def result(self) -> Judged | ProviderError:
        self.thread.join(30)
        assert self.found is not None
        return self.found


def test_it_is_one_that_lasts(place: Place) -> None:
    assert isinstance(place.provider(), Lasting)


class TestJob(ProviderContract):
    secrets = (CANARY,)

    @pytest.fixture(autouse=True)
    def _take(self, place: Place) -> None:
        self.place = place

    def provider(self) -> Provider:
        return self.place.provider()

    def answers(self) -> Sequence[Expected]:
        return [
            Expected("it succeeds", job("pass"), Phase.SUCCESSFUL, ""),
            Expected("it fails", job("exit(3)"), Phase.FAILED, ""),
            Expected("it cannot be had", job("", image="unmapped"), Phase.INCONCLUSIVE, ""),
        ]

    def troubles(self) -> Mapping[str, MetricProvider]:
        missing = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
        return {
            "not for us": MetricProvider(),
            "no secret": job("pass", env=[missing]),
            "nobody knows the image": job("", image="undecided"),
        }


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("exit(3)", "Job has reached the specified backoff limit: it exited with code 3"),
        ("print('no\\nrows', flush=True); exit(1)", "it exited with code 1: rows"),
        ("import os; os.kill(os.getpid(), 9)", "it was killed by SIGKILL"),
    ],
)
def test_why_it_failed_is_told(place: Place, script: str, message: str) -> None:
    found = run(place, job(script))
    assert found.phase is Phase.FAILED
    assert message in found.message
    assert found.metadata == {"job-name": place.job.name, "log": f"jobs/{place.job.name}/log"}


def test_it_is_tried_as_often_as_it_may_be(place: Place) -> None:
    script = "import sys; open('tries', 'a').write('x'); sys.exit(len(open('tries').read()) < 3)"
    assert run(place, job(script, backoffLimit=1)).phase is Phase.FAILED
    assert run(place, job(script, backoffLimit=1), "run/metric/2").phase is Phase.SUCCESSFUL
    assert (place.home / "tries").read_text() == "xxx"


def test_its_time_is_limited_and_what_it_started_ends_too(place: Place) -> None:
    script = "import os, time; open('pid', 'w').write(str(os.fork() or os.getpid())); time.sleep(600)"
    found = run(place, job(script, activeDeadlineSeconds=10))
    assert (found.phase, found.message) == (Phase.FAILED, "Job was active longer than specified deadline")
    assert not running(place.home / "pid")


def test_what_it_leaves_in_the_background_does_not_stay(place: Place) -> None:
    script = (
        "import os, time\nif os.fork():\n    os._exit(0)\n"
        "open('pid', 'w').write(str(os.getpid()))\ntime.sleep(600)"
    )
    assert run(place, job(script)).phase is Phase.SUCCESSFUL
    until(lambda: not running(place.home / "pid"))


def running(file: Path) -> bool:
    """Say whether a process runs whose number is in a file."""
    if not file.exists() or not file.read_text():
        return False
    found = pid.identify(int(file.read_text()))
    return found is not None and found.alive


@pytest.mark.parametrize(
    "question",
    [
        job("", image="unmapped"),
        msgspec.convert(
            {
                "job": {
                    "spec": {"template": {"spec": {"containers": [{"name": "c", "command": ["./no-such"]}]}}}
                }
            },
            MetricProvider,
        ),
    ],
)
def test_a_command_that_is_not_there_is_never_a_pass(place: Place, question: MetricProvider) -> None:
    found = run(place, question)
    assert found.phase is Phase.INCONCLUSIVE
    assert found.message.startswith("ErrImagePull: ")


def test_its_variables_are_its_own_and_its_secrets_are_told_to_nobody(place: Place) -> None:
    secret = place.home / "secrets" / "default" / "s" / "k"
    secret.parent.mkdir(parents=True)
    secret.write_text(f"{CANARY}\n")
    secret.chmod(0o600)
    env = [
        {"name": "PLAIN", "value": "a$(INHERITED)"},
        {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
        {"name": "GONE", "valueFrom": {"secretKeyRef": {"name": "s", "key": "gone", "optional": True}}},
        {"name": "SPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
    ]
    script = (
        "import os; e = os.environ; print(e['TOKEN']);"
        "exit((e['PLAIN'], e['SPACE'], e['TOKEN'], 'GONE' in e)"
        " != ('ayes', 'default', 'c4nary-of-a-job', False))"
    )
    assert run(place, job(script, env=env)).phase is Phase.SUCCESSFUL
    found = run(place, job("import os; exit(os.environ['TOKEN'])", env=env), "run/metric/2")
    assert found.message.endswith("it exited with code 1: ***")
    kept = [path for path in (place.home / "jobs").rglob("*") if path.is_file() and path.name != "log"]
    assert {path.name for path in kept} >= {"name", "keeper.json", "child.json", "outcome.json"}
    assert not any(CANARY in path.read_text() for path in kept)


def test_one_that_is_wanted_no_more_ends(place: Place) -> None:
    provider = place.provider()
    taken = Background(
        provider, place, job("import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(600)")
    )
    until(lambda: running(place.home / "pid"))
    provider.end_all_but(["run/metric/1"])
    assert running(place.home / "pid")
    provider.end_all_but([])
    assert taken.result() == Judged(
        Phase.INCONCLUSIVE,
        "Metric Terminated",
        metadata={"job-name": place.job.name, "log": f"jobs/{place.job.name}/log"},
    )
    assert not running(place.home / "pid")


def test_one_whose_image_is_still_built_ends_as_well(place: Place) -> None:
    place.built = False
    provider = place.provider()
    taken = Background(provider, place, job("pass"))
    until(lambda: bool(provider._waiting))
    provider.end_all_but([])
    found = taken.result()
    assert isinstance(found, Judged)
    assert found.message == "Metric Terminated"


def test_a_new_engine_takes_up_the_job_of_one_that_was_killed(place: Place) -> None:
    script = "import os, time\nopen('begun', 'a').write('x')\nwhile not os.path.exists('go'): time.sleep(0.01)"
    before = Background(place.provider(), place, job(script))
    until(lambda: (place.home / "begun").exists())
    after = Background(place.provider(), place, job(script))
    (place.home / "go").touch()
    for taken in (before, after):
        found = taken.result()
        assert isinstance(found, Judged)
        assert found.phase is Phase.SUCCESSFUL
    assert run(place, job("exit(1)")).phase is Phase.SUCCESSFUL  # its name has an outcome already
    assert (place.home / "begun").read_text() == "x"


def test_a_keeper_that_was_not_noted_is_found(place: Place) -> None:
    script = "import os, time\nopen('begun', 'a').write('x')\nwhile not os.path.exists('go'): time.sleep(0.01)"
    before = Background(place.provider(), place, job(script))
    until(lambda: (place.home / "begun").exists())
    (place.job / "keeper.json").unlink()
    after = Background(place.provider(), place, job(script))
    (place.home / "go").touch()
    assert [type(each.result()) for each in (before, after)] == [Judged, Judged]
    assert (place.home / "begun").read_text() == "x"


def test_a_keeper_that_is_killed_leaves_neither_a_verdict_nor_a_process(place: Place) -> None:
    taken = Background(
        place.provider(),
        place,
        job("import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(600)"),
    )
    until(lambda: running(place.home / "pid") and (place.job / "child.json").exists())
    keeper = msgspec.json.decode((place.job / "keeper.json").read_bytes(), type=Process)
    os.kill(keeper.pid, SIGKILL)
    found = taken.result()
    assert isinstance(found, ProviderError)
    assert "how the job ended is not known" in found.message
    until(lambda: not running(place.home / "pid"))
    with pytest.raises(ProviderError, match="is not known"):
        run(place, job("pass"))


def test_a_second_keeper_of_one_job_begins_nothing(place: Place) -> None:
    assert run(place, job("open('begun', 'a').write('x')")).phase is Phase.SUCCESSFUL
    arguments = [str(place.job), "0", "1", "1", "1", str(place.home), "touch", str(place.home / "again")]
    keeper = Path(pid.__file__).with_name("job_keeper.py")
    second = pid.spawn(
        [sys.executable, "-I", "-S", str(keeper), *arguments],
        directory=place.home,
        environment={},
        log=place.home / "second.log",
    )
    until(lambda: not second.alive)
    pid.reap(second)
    assert not (place.home / "again").exists()


def test_what_an_earlier_engine_left_of_ended_runs_ends_with_the_first_look(place: Place) -> None:
    taken = Background(
        place.provider(),
        place,
        job("import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(600)"),
    )
    until(lambda: running(place.home / "pid"))
    later = place.provider()
    later.end_all_but(["run/metric/1"])
    assert running(place.home / "pid")
    place.provider().end_all_but(["another"])
    assert isinstance(taken.result(), Judged)
    assert not running(place.home / "pid")


def test_one_measurement_is_taken_by_one_thread(place: Place) -> None:
    provider = place.provider()
    taken = Background(
        provider, place, job("import os, time\nwhile not os.path.exists('go'): time.sleep(0.01)")
    )
    until(lambda: bool(provider._waiting))
    with pytest.raises(ProviderError, match="is being taken already"):
        provider.measure(job("pass"), now=1.0, asking=asking(place))
    (place.home / "go").touch()
    taken.result()


def test_an_image_that_is_mapped_runs_from_where_the_map_says(place: Place) -> None:
    release = place.home / "releases" / "1"
    release.mkdir(parents=True)
    builds = Builds(place.home / "builds", environment={})
    images = Images(builds, base=place.home, environment={"PATH": os.environ["PATH"]})
    source = {"source": {"dir": "releases/{tag}"}, "command": [sys.executable, "-S", "-c", "open('here', 'w')"]}
    images.use(
        msgspec.convert({"metadata": {"name": "images"}, "spec": {"images": {"smoke:*": source}}}, ImageMap)
    )
    tools = replace(place.tools(), launch=images.resolve, built=builds.ready)
    container = {
        "name": "c",
        "image": "smoke:1",
        "env": [{"name": "A", "valueFrom": {"secretKeyRef": OPTIONAL}}],
    }
    spec = {"template": {"spec": {"restartPolicy": "Never", "containers": [container, {"name": "second"}]}}}
    question = msgspec.convert({"job": {"spec": spec}}, MetricProvider)
    found = JobProvider(tools).measure(question, now=1.0, asking=asking(place))
    assert found.phase is Phase.SUCCESSFUL
    assert (release / "here").exists()
    unmapped = JobMetric(job_spec("other:1"))
    found = JobProvider(tools).measure(MetricProvider(job=unmapped), now=1.0, asking=asking(place, "another"))
    assert found.phase is Phase.INCONCLUSIVE
    assert "nothing says what image other:1 runs on this machine" in found.message


OPTIONAL = {"name": "s", "key": "k", "optional": True}


def job_spec(image: str) -> JobSpec:
    return msgspec.convert({"template": {"spec": {"containers": [{"name": "c", "image": image}]}}}, JobSpec)


def test_an_engine_that_was_taken_over_from_begins_no_job_and_ends_none(place: Place, tmp_path: Path) -> None:
    fence = Fence.take(tmp_path / "terms")
    late = JobProvider(replace(place.tools(), check=fence.check))
    script = "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(600)"
    Background(place.provider(), place, job(script))
    until(lambda: running(place.home / "pid"))
    Fence.take(tmp_path / "terms")
    with pytest.raises(Fenced):
        late.end_all_but([])
    with pytest.raises(Fenced):
        late.measure(job("open('late', 'w')"), now=1.0, asking=asking(place, "other/metric/1"))
    assert running(place.home / "pid")
    assert not (place.home / "late").exists()
