import pytest

from davy.adapters.images import ImageNotMapped
from davy.adapters.memory_platform import MemoryPlatform
from davy.errors import Undecided
from davy.ledger.lease import Fenced
from davy.model.images import ImageMap
from davy.model.key import Key
from davy.model.loader import load
from davy.model.pod import Container, PodSpec, PodTemplateSpec
from davy.rollout.platform import Desired, Launch, ReplicaSet, Seen
from davy.testing.platform import PROMISES, Bench, Promise

KEY = Key("default", "payments")
IMAGES = """
apiVersion: davy.dev/v1alpha1
kind: ImageMap
metadata: {name: images}
spec: {images: {"a:*": {source: {dir: /}, command: ["true"]}}}
"""


def template(image: str) -> PodTemplateSpec:
    return PodTemplateSpec(spec=PodSpec(containers=(Container("app", image=image),)))


def desired(weights: dict[str, int], *, replicas: int = 1, min_ready_s: float = 0.0) -> Desired:
    sets = (ReplicaSet(hash_, 1, template(hash_), Launch((), "/"), replicas) for hash_ in weights)
    return Desired(tuple(sets), weights, min_ready_s)


class Clock:
    now_s = 1000.0

    def now(self) -> float:
        return self.now_s


class MemoryBench:
    def __init__(self) -> None:
        self.platform = MemoryPlatform(Clock().now)

    def template(self, version: str, *, well: bool = True) -> PodTemplateSpec:
        (self.platform.sick.discard if well else self.platform.sick.add)(version)
        return template(version)


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
def test_memory_platform(promise: Promise) -> None:
    bench: Bench = MemoryBench()
    promise(bench)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def platform(clock: Clock) -> MemoryPlatform:
    return MemoryPlatform(clock.now)


def test_replicas_get_ready_when_they_are_told_to(platform: MemoryPlatform) -> None:
    platform.pods_get_ready = False
    platform.steer(KEY, desired({"a": 100}, replicas=3))
    seen = platform.look(KEY)
    assert (seen.count("a").created, seen.count("a").ready, seen.weights) == (3, 0, None)
    assert seen.trouble == "no replica of a is ready to take traffic"
    platform.make_ready(KEY, "a", count=2)
    assert platform.look(KEY).count("a").ready == 2
    assert platform.look(KEY).weights == {"a": 100}
    platform.make_ready(KEY, "a")
    assert platform.look(KEY).count("a").ready == 3


def test_a_crashed_replica_keeps_its_traffic_when_it_is_the_last(platform: MemoryPlatform) -> None:
    platform.steer(KEY, desired({"a": 50, "b": 50}))
    platform.crash(KEY, "b", "was killed by SIGKILL")
    (pod,) = [pod for pod in platform.look(KEY).pods if pod.hash == "b"]
    assert (pod.phase, pod.ready, pod.restarts, pod.message) == (
        "CrashLoopBackOff",
        False,
        1,
        "was killed by SIGKILL",
    )
    assert platform.look(KEY).weights == {"a": 50, "b": 50}
    platform.steer(KEY, desired({"a": 100, "b": 0}))
    platform.steer(KEY, desired({"a": 50, "b": 50}))
    assert platform.look(KEY).weights == {"a": 50}
    platform.make_ready(KEY, "b")
    assert platform.look(KEY).weights == {"a": 50, "b": 50}


def test_an_unready_replica_runs_on(platform: MemoryPlatform) -> None:
    platform.steer(KEY, desired({"a": 100}, replicas=2))
    platform.make_unready(KEY, "a", "GET /healthz answers 503", count=1)
    sick, well = sorted(platform.look(KEY).pods, key=lambda pod: pod.ready)
    assert (sick.phase, sick.restarts, sick.message) == ("Running", 0, "GET /healthz answers 503")
    assert well.ready


def test_a_refusal_leaves_the_split_as_it_was(platform: MemoryPlatform) -> None:
    platform.steer(KEY, desired({"a": 100, "b": 0}))
    platform.refusal = "Envoy does not answer"
    with pytest.raises(Undecided, match="Envoy does not answer"):
        platform.steer(KEY, desired({"a": 50, "b": 50}))
    assert platform.look(KEY).weights == {"a": 100, "b": 0}
    platform.steer(KEY, desired({"a": 100, "b": 0}))
    platform.refusal = ""
    platform.steer(KEY, desired({"a": 50, "b": 50}))
    assert platform.look(KEY).weights == {"a": 50, "b": 50}


def test_replicas_may_take_their_time_to_go(platform: MemoryPlatform) -> None:
    platform.pods_leave = False
    platform.steer(KEY, desired({"a": 100}, replicas=2))
    platform.steer(KEY, desired({"a": 100}, replicas=1))
    assert sorted(pod.phase for pod in platform.look(KEY).pods) == ["Running", "Terminating"]
    assert platform.look(KEY).count("a").created == 1
    platform.let_go(KEY)
    assert len(platform.look(KEY).pods) == 1


def test_a_replica_is_available_after_its_time(platform: MemoryPlatform, clock: Clock) -> None:
    platform.steer(KEY, desired({"a": 100}, min_ready_s=10))
    clock.now_s += 9
    assert platform.look(KEY).count("a").available == 0
    clock.now_s += 1
    assert platform.look(KEY).count("a").available == 1


def test_images_stand_for_what_is_said(platform: MemoryPlatform) -> None:
    platform.digests["a:1"] = "0ff1ce"
    assert platform.resolve(KEY, template("a:1")) == Launch(("a:1",), "/", "0ff1ce")
    platform.unmapped.add("b:1")
    with pytest.raises(ImageNotMapped, match="nothing says what image b:1 runs"):
        platform.resolve(KEY, template("b:1"))


def test_everything_that_was_asked_for_is_remembered(platform: MemoryPlatform) -> None:
    platform.steer(KEY, desired({"a": 1}))
    platform.forget(KEY)
    assert platform.steered == [(KEY, desired({"a": 1}))]
    assert platform.look(KEY) == Seen()


def test_an_engine_of_an_earlier_epoch_changes_nothing_any_more(platform: MemoryPlatform) -> None:
    first, told = platform.under(1), list[Key]()
    platform.changed = told.append
    images = load(IMAGES, "images.yaml")[0].value
    assert isinstance(images, ImageMap)
    first.use_images(images)
    assert first.resolve(KEY, template("a:1")).argv == ("a:1",)
    first.steer(KEY, desired({"a": 100}))
    second = platform.under(2)
    with pytest.raises(Fenced, match="epoch 2"):
        first.steer(KEY, desired({"b": 100}))
    with pytest.raises(Fenced, match="epoch 2"):
        first.forget(KEY)
    with pytest.raises(Fenced, match="epoch 2"):
        first.use_images(images)
    assert second.look(KEY).weights == first.look(KEY).weights == {"a": 100}
    platform.crash(KEY, "a")
    platform.make_ready(KEY, "a")
    platform.let_go(KEY)
    assert told == [KEY] * 4
    second.forget(KEY)
    assert platform.look(KEY) == Seen()
