"""`davy scaffold argo-judge`: what Argo Rollouts needs to ask Davy's judge at every step."""

import re

import click

from davy.cli.options import common
from davy.cli.setting import Setting
from davy.errors import NotFound, UsageError

URL = "http://davy-judge.davy-system:8080"
PROMETHEUS = "http://prometheus.monitoring:9090"

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,45}[a-z0-9])?", re.ASCII)
_URL = re.compile(r"https?://[A-Za-z0-9.:_/\[\]-]+", re.ASCII)
_WEIGHT = re.compile(r"[0-9]{1,2}", re.ASCII)


@click.command("argo-judge")
@click.argument("name")
@click.option(
    "--judge",
    "judges",
    multiple=True,
    metavar="FILE|DIR",
    help="The Judge is in these files already: do not write one, and take its steps.",
)
@click.option(
    "--url",
    default=URL,
    show_default=True,
    help="Where davy serve --judges answers, as Argo's controller reaches it.",
)
@click.option(
    "--prometheus",
    default=PROMETHEUS,
    show_default=True,
    metavar="URL",
    help="The Prometheus with the counters of both versions, as davy serve reaches it.",
)
@click.option("--steps", default="", metavar="PERCENT,…", help="The canary's weights.  [default: 5,25,50]")
@common
@click.pass_obj
def command(
    setting: Setting, name: str, judges: tuple[str, ...], url: str, prometheus: str, steps: str
) -> None:
    """Write what Argo Rollouts needs to ask Davy's judge at every step of the rollout NAME.

    A Judge, an analysis that ends a step as soon as the evidence allows, one that aborts at any time, and a
    Rollout with both, as YAML on standard output. Nothing is applied.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} is not the name of a rollout", hint="letters, digits and dashes")
    for address in (url, prometheus):
        if not _URL.fullmatch(address):
            raise UsageError(f"{address!r} is not an address of the form http://HOST:PORT", hint=URL)
    weights = _weights(steps) if steps else ()
    if judges:
        weights = weights or _weights_of(judges, setting.namespace, name)
    weights = weights or (5, 25, 50)
    parts = [] if judges else [_judge(setting.namespace, name, weights, prometheus.rstrip("/"))]
    parts += [
        _template(setting.namespace, name, url.rstrip("/")),
        _guard(setting.namespace, name, url.rstrip("/")),
        _rollout(setting.namespace, name, weights),
    ]
    click.echo("---\n".join(parts), nl=False)


def _weights(text: str) -> tuple[int, ...]:
    """Read weights.

    Raises:
        UsageError: they are no whole percents that grow.
    """
    words = text.split(",")
    weights = tuple(int(word) for word in words if _WEIGHT.fullmatch(word.strip()))
    if len(weights) < len(words) or list(weights) != sorted(set(weights)) or 0 in weights:
        raise UsageError(
            f"{text!r} are no weights: whole percents from 1 to 99 that grow", hint="--steps 5,25,50"
        )
    return weights


def _weights_of(sources: tuple[str, ...], namespace: str, name: str) -> tuple[int, ...]:
    """Return the weights of the Judge of a rollout, none where it does not say.

    Raises:
        NotFound: none of the Judges judges it.
    """
    from davy.cli.judging import read_judges

    for judge in read_judges(sources, namespace):
        if judge.key.namespace == namespace and name in (judge.key.name, judge.spec.service):
            return tuple(int(step.weight) for step in judge.spec.steps if step.weight == int(step.weight))
    raise NotFound(f"no Judge in {', '.join(sources)} judges {name}", hint="spec.service names the service")


def _judge(namespace: str, name: str, weights: tuple[int, ...], prometheus: str) -> str:
    from davy.analysis.counted.queries import ERRORS, LATENCY, REQUESTS
    from davy.analysis.judge import Judge

    times = Judge()
    steps = "".join(
        f"  - {{weight: {weight}, least: {rung.soak_s:g}s, most: {rung.cap_s:g}s}}\n"
        for weight, rung in ((weight, times.rung(weight / 100)) for weight in weights)
    )
    return JUDGE.format(
        namespace=namespace,
        name=name,
        steps=steps,
        prometheus=prometheus,
        requests=REQUESTS,
        errors=ERRORS,
        latency=LATENCY,
    )


def _template(namespace: str, name: str, url: str) -> str:
    return TEMPLATE.format(namespace=namespace, name=name, url=url)


def _guard(namespace: str, name: str, url: str) -> str:
    return GUARD.format(namespace=namespace, name=name, url=url)


def _rollout(namespace: str, name: str, weights: tuple[int, ...]) -> str:
    steps = "".join(
        STEP.format(name=name, number=number, weight=weight) for number, weight in enumerate(weights)
    )
    return ROLLOUT.format(namespace=namespace, name=name, steps=steps)


JUDGE = """\
# What canaries of {name} are judged by, and where their counters are. It is for `davy serve --judges FILE`, and
# nothing in a cluster reads it.
apiVersion: davy.dev/v1alpha1
kind: Judge
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  service: {name}
  # How often counters are read. A Prometheus that scrapes less often is waited for.
  interval: 5s
  # Of each step the least time, and the time after which it needs no proof any more.
  steps:
{steps}\
  prometheus:
    address: {prometheus}
    # Counters that only grow, of one version: {{{{version}}}} is its pod-template-hash. These are the defaults:
    # the series need the pods' labels app and rollouts-pod-template-hash (podTargetLabels of a PodMonitor, or a
    # labelmap of pod labels in Prometheus' kubernetes_sd_configs).
    requests: '{requests}'
    errors: '{errors}'
    latency: '{latency}'
"""

TEMPLATE = """\
# Asked after each step: it ends, and the rollout goes on, as soon as the judge says `advance`; it fails, and
# the rollout is aborted, when it says `abort`. With `continue` neither holds. Needs Argo Rollouts 1.8.
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {{name: {name}-judge, namespace: {namespace}}}
spec:
  args:
  - name: step
  - name: weight
  - name: canary
  - name: stable
  metrics:
  - name: judge
    interval: 5s
    # It is asked until it knows: `continue` is inconclusive, and may be as often as it takes. Argo refuses a
    # step without a count; one that is reached is inconclusive as well, and never a success.
    count: 100000
    inconclusiveLimit: 100000
    consecutiveSuccessLimit: 1
    failureLimit: 0
    # A judge that does not answer for a minute ends the rollout: nobody would see what is wrong.
    consecutiveErrorLimit: 5
    successCondition: result.verdict == "advance"
    failureCondition: result.verdict == "abort"
    provider:
      web:
        url: "{url}/v1/rollouts/{name}/verdict?namespace={namespace}&step={{{{args.step}}}}\\
          &weight={{{{args.weight}}}}&canary={{{{args.canary}}}}&stable={{{{args.stable}}}}"
        timeoutSeconds: 5
        jsonPath: "{{$}}"
"""

GUARD = """\
# Asked all the while, pauses and weight changes included: it only ever says no.
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {{name: {name}-judge-guard, namespace: {namespace}}}
spec:
  args:
  - name: canary
  - name: stable
  metrics:
  - name: judge-guard
    interval: 5s
    failureLimit: 0
    consecutiveErrorLimit: 5
    successCondition: result.verdict == "continue" || result.verdict == "advance"
    failureCondition: result.verdict == "abort"
    provider:
      web:
        url: "{url}/v1/rollouts/{name}/verdict?namespace={namespace}\\
          &canary={{{{args.canary}}}}&stable={{{{args.stable}}}}"
        timeoutSeconds: 5
        jsonPath: "{{$}}"
"""

ROLLOUT = """\
# Take over `analysis` and `steps` of `strategy.canary` into your Rollout; the rest only makes this one whole.
# No pauses are needed: each analysis takes as long as it has to.
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      containers:
      - name: {name}
        image: registry.example/{name}:1.0.0
  strategy:
    canary:
      # Add your canaryService, stableService and trafficRouting: without them weights are counted in replicas.
      analysis:
        startingStep: 1
        templates:
        - templateName: {name}-judge-guard
        args:
        - {{name: canary, valueFrom: {{podTemplateHashValue: Latest}}}}
        - {{name: stable, valueFrom: {{podTemplateHashValue: Stable}}}}
      steps:
{steps}\
"""

STEP = """\
      - setWeight: {weight}
      - analysis:
          templates:
          - templateName: {name}-judge
          args:
          - {{name: step, value: "{number}"}}
          - {{name: weight, value: "{weight}"}}
          - {{name: canary, valueFrom: {{podTemplateHashValue: Latest}}}}
          - {{name: stable, valueFrom: {{podTemplateHashValue: Stable}}}}
"""
