import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from davy.adapters.pod_template import (
    DEFAULT_CONTAINER,
    PodFacts,
    container_of,
    environment,
    expand,
    local_port,
    port_map,
    port_names,
)
from davy.errors import Refused
from davy.model.key import Key
from davy.model.meta import PodMeta
from davy.model.pod import (
    Container,
    ContainerPort,
    EnvVar,
    EnvVarSource,
    ExecAction,
    HTTPGetAction,
    KeySelector,
    Lifecycle,
    LifecycleHandler,
    ObjectFieldSelector,
    PodSpec,
    PodTemplateSpec,
    Probe,
    TCPSocketAction,
)

FACTS = PodFacts(
    "payments-5d9-x7k2p", "0000-1111", Key("shop", "payments"), "5d9", {"8080": 20001, "http": 20001}
)


def template(*containers: Container, **metadata: dict[str, str]) -> PodTemplateSpec:
    return PodTemplateSpec(metadata=PodMeta(**metadata), spec=PodSpec(containers=containers))  # type: ignore[arg-type]


def field(name: str, path: str) -> EnvVar:
    return EnvVar(name, value_from=EnvVarSource(field_ref=ObjectFieldSelector(path)))


def environment_of(*variables: EnvVar, facts: PodFacts = FACTS, **metadata: dict[str, str]) -> dict[str, str]:
    container = Container("app", env=variables)
    return environment({"PATH": "/bin"}, template(container, **metadata), container, facts)


# https://github.com/kubernetes/kubernetes/blob/master/third_party/forked/golang/expansion/expand_test.go
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$(VAR_A)", "A"),
        ("___$(VAR_B)___", "___B___"),
        ("$(VAR_A)_$(VAR_B)", "A_B"),
        ("$$(VAR_B)_$(VAR_A)", "$(VAR_B)_A"),
        ("$$$(VAR_A)", "$A"),
        ("$$$$", "$$"),
        ("$(VAR_DNE)", "$(VAR_DNE)"),
        ("$(VAR_EMPTY)|", "|"),
        ("foo$(", "foo$("),
        ("$VAR_A", "$VAR_A"),
        ("f000-$", "f000-$"),
        ("$($(VAR_A))", "$($(VAR_A))"),
    ],
)
def test_references_are_expanded_as_in_kubernetes(text: str, expected: str) -> None:
    assert expand(text, {"VAR_A": "A", "VAR_B": "B", "VAR_EMPTY": ""}) == expected


@given(st.text(alphabet=st.characters(exclude_characters="$")))
@settings(max_examples=50)
def test_text_without_references_stays_as_it_is(text: str) -> None:
    assert expand(text, {"A": "b"}) == text
    assert expand(text.replace("a", "$$"), {}) == text.replace("a", "$")


def test_a_replica_knows_its_ports_and_its_name() -> None:
    values = environment_of(
        facts=PodFacts("p", "u", Key("n", "r"), "h", {"8080": 1, "metrics-x": 2, "PORT": 3})
    )
    assert values == {
        "PATH": "/bin",
        "PORT": "1",
        "PORT_8080": "1",
        "PORT_METRICS_X": "2",
        "POD_NAME": "p",
        "HOSTNAME": "p",
    }


def test_a_variable_sees_those_before_it_and_the_ports() -> None:
    values = environment_of(
        EnvVar("A", "1"), EnvVar("B", "$(A)-$(PORT)-$(C)"), EnvVar("C", "3"), EnvVar("PORT", "9")
    )
    assert values["B"] == "1-20001-$(C)"
    assert values["PORT"] == "9"


def test_a_replica_can_ask_who_it_is() -> None:
    paths = {
        "NAME": "metadata.name",
        "NAMESPACE": "metadata.namespace",
        "UID": "metadata.uid",
        "IP": "status.podIP",
        "APP": "metadata.labels['app.kubernetes.io/name']",
        "HASH": "metadata.labels['rollouts-pod-template-hash']",
        "NOTE": "metadata.annotations['note']",
        "NOTHING": "metadata.annotations['other']",
    }
    values = environment_of(
        *(field(name, path) for name, path in paths.items()),
        labels={"app.kubernetes.io/name": "pay"},
        annotations={"note": "n"},
    )
    assert {name: values[name] for name in paths} == {
        "NAME": "payments-5d9-x7k2p",
        "NAMESPACE": "shop",
        "UID": "0000-1111",
        "IP": "127.0.0.1",
        "APP": "pay",
        "HASH": "5d9",
        "NOTE": "n",
        "NOTHING": "",
    }


def test_an_optional_secret_is_gone_without() -> None:
    optional = EnvVarSource(secret_key_ref=KeySelector("token", name="s", optional=True))
    assert "TOKEN" not in environment_of(EnvVar("TOKEN", value_from=optional))


def test_the_default_container_is_the_one_that_runs() -> None:
    app, sidecar = Container("app"), Container("sidecar")
    assert container_of(template(app)) == app
    assert container_of(template(sidecar, app, annotations={DEFAULT_CONTAINER: "app"})) == app


def env(source: EnvVarSource) -> Container:
    return Container("app", env=(EnvVar("X", value_from=source),))


@pytest.mark.parametrize(
    ("refused", "why"),
    [
        (template(), "no container"),
        (template(Container("app"), annotations={DEFAULT_CONTAINER: "web"}), "no container named web"),
        (template(Container("app"), Container("sidecar")), "app, sidecar"),
        (template(Container("app", env_from=({"secretRef": {}},))), "envFrom"),
        (template(env(EnvVarSource(secret_key_ref=KeySelector("k", name="s")))), "X comes from the Secret s"),
        (
            template(env(EnvVarSource(config_map_key_ref=KeySelector("k", name="c")))),
            "X comes from the ConfigMap c",
        ),
        (template(env(EnvVarSource(resource_field_ref={"resource": "limits.cpu"}))), "a resource or a file"),
        (template(env(EnvVarSource(field_ref=ObjectFieldSelector("spec.nothing")))), "the field spec.nothing"),
        (template(Container("app", readiness_probe=Probe(grpc={"port": 1}))), "grpc"),
        (template(Container("app", liveness_probe=Probe(tcp_socket=TCPSocketAction("web")))), "names port web"),
        (
            PodTemplateSpec(spec=PodSpec(containers=(Container("app"),), init_containers=(Container("i"),))),
            "init containers",
        ),
    ],
)
def test_what_would_become_another_program_is_refused(refused: PodTemplateSpec, why: str) -> None:
    with pytest.raises(Refused, match=why):
        container_of(refused)


def test_every_port_that_anything_speaks_to_is_needed_the_declared_one_first() -> None:
    hook = Lifecycle(pre_stop=LifecycleHandler(http_get=HTTPGetAction(port=9001)))
    container = Container(
        "app",
        ports=(ContainerPort(8080, name="http"), ContainerPort(53, protocol="UDP")),
        readiness_probe=Probe(http_get=HTTPGetAction(port="http")),
        liveness_probe=Probe(tcp_socket=TCPSocketAction(9000)),
        startup_probe=Probe(exec=ExecAction(("true",))),
        lifecycle=hook,
    )
    assert port_names(container) == ["8080", "9000", "9001"]
    local = {"8080": 20001, "9000": 20002, "9001": 20003}
    ports = port_map(container, local)
    assert ports == {**local, "http": 20001}
    assert local_port("http", ports) == 20001
    assert local_port(9000, ports) == local_port("9000", ports) == 20002
    assert local_port(1234, ports) == 1234


def test_a_port_on_another_host_is_none_of_ours() -> None:
    container = Container("app", readiness_probe=Probe(tcp_socket=TCPSocketAction(5432, host="db")))
    assert port_names(container) == ["PORT"]
    assert port_names(Container("app", lifecycle=Lifecycle())) == ["PORT"]
