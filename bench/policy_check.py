"""Manifests held to gates and pack by `davy check`, from the start of the process to its end."""

import sys
import tempfile
from pathlib import Path

from bench.figure import Figure, median
from bench.startup import run

RUNS = 5
MANIFESTS = 1000
EXAMPLE = str(Path(__file__).parents[1] / "examples" / "payments")

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web-{number}
  namespace: team-{team}
  labels: {{app.kubernetes.io/name: web-{number}, app.kubernetes.io/part-of: shop}}
spec:
  replicas: 3
  selector:
    matchLabels:
      app: web-{number}
  template:
    metadata:
      labels:
        app: web-{number}
    spec:
      serviceAccountName: web
      containers:
        - name: web
          image: registry.example/web@sha256:{digest}
          args: ["--port", "8080", "--verbose"]
          ports:
            - name: http
              containerPort: 8080
          env:
            - name: LOG_LEVEL
              value: info
            - name: TOKEN
              valueFrom:
                secretKeyRef: {{name: token, key: token}}
          resources:
            requests: {{cpu: 100m, memory: 128Mi}}
            limits: {{cpu: "1", memory: 256Mi}}
          readinessProbe:
            httpGet: {{path: /healthz, port: http}}
            periodSeconds: 5
"""
ROLLOUT = """\
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata:
  name: shop-{number}
  namespace: team-{team}
spec:
  replicas: 5
  selector:
    matchLabels:
      app: shop-{number}
  template:
    metadata:
      labels:
        app: shop-{number}
    spec:
      containers:
        - name: shop
          image: registry.example/shop@sha256:{digest}
          ports:
            - containerPort: 8080
  strategy:
    canary:
      canaryService: shop-{number}-canary
      stableService: shop-{number}
      steps:
        - setWeight: 5
        - pause: {{duration: 5m}}
        - analysis:
            templates:
              - templateName: errors-{number}
            args:
              - name: hash
                valueFrom: {{podTemplateHashValue: Latest}}
        - setWeight: 25
        - pause: {{duration: 10m}}
        - setWeight: 50
        - pause: {{duration: 10m}}
---
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata:
  name: errors-{number}
  namespace: team-{team}
spec:
  args:
    - name: hash
  metrics:
    - name: error-ratio
      interval: 30s
      count: 5
      failureLimit: 1
      successCondition: len(result) > 0 && result[0] < 0.02
      failureCondition: len(result) > 0 && result[0] >= 0.02
      provider:
        prometheus:
          address: http://prometheus.monitoring:9090
          query: |
            sum(rate(http_requests_total{{rollouts_pod_template_hash="{{{{args.hash}}}}",code=~"5.."}}[1m]))
            / sum(rate(http_requests_total{{rollouts_pod_template_hash="{{{{args.hash}}}}"}}[1m]))
"""
SERVICE = """\
---
apiVersion: v1
kind: Service
metadata:
  name: {name}
  namespace: team-{team}
spec:
  selector:
    app: shop-{number}
  ports:
    - port: 80
      targetPort: 8080
"""


def measure() -> list[Figure]:
    """Check the example, and a thousand manifests, again and again."""
    with tempfile.TemporaryDirectory(prefix="davy-bench-") as directory:
        count = write_manifests(Path(directory))
        example, _ = checked(EXAMPLE)
        processor, wall = checked(directory)
    return [
        Figure("davy check examples/payments: processor, median", example, "s", RUNS, 1.0),
        Figure(f"davy check, {count} manifests: processor, median", processor, "s", RUNS, 3.0),
        Figure(f"davy check, {count} manifests: wall, median", wall, "s", RUNS),
    ]


def checked(directory: str) -> tuple[float, float]:
    """Check a directory a few times, and return median seconds of the processor and on the wall."""
    command = [sys.executable, "-m", "davy", "check", directory, "-o", "github"]
    run(command)  # the first one reads everything from the disk
    taken = [run(command) for _ in range(RUNS)]
    processor, wall = (median([each / 1000 for each in times]) for times in zip(*taken, strict=True))
    return processor, wall


def write_manifests(directory: Path) -> int:
    """Write Deployments, and Rollouts with a template and two Services each; return how many there are."""
    digest = "0123456789abcdef" * 4
    for number in range(MANIFESTS // 5):
        said = {"number": number, "team": number % 20, "digest": digest}
        names = (f"shop-{number}", f"shop-{number}-canary")
        rollout = ROLLOUT.format(**said) + "".join(SERVICE.format(name=name, **said) for name in names)
        (directory / f"shop-{number}.yaml").write_text(rollout)
        (directory / f"web-{number}.yaml").write_text(DEPLOYMENT.format(**said))
    return MANIFESTS
