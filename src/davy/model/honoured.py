"""The tables of `davy.model.honour`: which fields the embedded engine acts on, which not, and why not.

`[]` stands for any item of a list. `IGNORED[""]` holds for every kind.
"""

_CANARY = "spec.strategy.canary"
_BLUE_GREEN = "spec.strategy.blueGreen"
_ROUTING = f"{_CANARY}.trafficRouting"
_EXPERIMENT = f"{_CANARY}.steps[].experiment"
_POD = "spec.template.spec"
_CONTAINER = f"{_POD}.containers[]"
_PROBES = tuple(f"{_CONTAINER}.{name}Probe" for name in ("readiness", "liveness", "startup"))
_PROVIDER = "spec.metrics[].provider"

_ONE_MACHINE = "all replicas run on this machine"
_NO_CONTAINER = "replicas are processes of this machine, and nothing isolates them"
_OWN_PROXY = "the embedded engine splits traffic with its own Envoy, and writes to no other router"
_RUNS = "runs are in the record, by rollout, revision and step"
_LOOPBACK = "the embedded engine is reached on the loopback interface, at the port it says"
_NOT_RUN = "it is not run by itself; what its rollout says counts"
_ONE_ENVIRONMENT = "replicas have the names and addresses of this machine"

SERVER_SIDE = frozenset(
    f"{place}.{field}"
    for place in ("metadata", "spec.template.metadata")
    for field in (
        "clusterName",
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "generation",
        "managedFields",
        "resourceVersion",
        "selfLink",
        "uid",
    )
)
"""What only a server writes; it comes along in the output of `kubectl get`, and means nothing to anyone."""

_ALWAYS = frozenset(
    {"apiVersion", "kind", "metadata.name", "metadata.namespace", "metadata.labels", "metadata.annotations"}
)

HONOURED: dict[str, frozenset[str]] = {
    "Rollout": _ALWAYS
    | {
        "spec.replicas",
        "spec.selector",
        "spec.workloadRef",
        "spec.minReadySeconds",
        "spec.revisionHistoryLimit",
        "spec.paused",
        "spec.progressDeadlineSeconds",
        "spec.progressDeadlineAbort",
        "spec.restartAt",
        "spec.rollbackWindow",
        f"{_BLUE_GREEN}.activeService",
        f"{_BLUE_GREEN}.previewService",
        f"{_BLUE_GREEN}.previewReplicaCount",
        f"{_BLUE_GREEN}.autoPromotionEnabled",
        f"{_BLUE_GREEN}.autoPromotionSeconds",
        f"{_BLUE_GREEN}.maxUnavailable",
        f"{_BLUE_GREEN}.scaleDownDelaySeconds",
        f"{_BLUE_GREEN}.scaleDownDelayRevisionLimit",
        f"{_BLUE_GREEN}.abortScaleDownDelaySeconds",
        f"{_BLUE_GREEN}.previewMetadata",
        f"{_BLUE_GREEN}.activeMetadata",
        f"{_CANARY}.canaryService",
        f"{_CANARY}.stableService",
        f"{_CANARY}.steps[].setWeight",
        f"{_CANARY}.steps[].pause",
        f"{_CANARY}.steps[].setCanaryScale",
        f"{_CANARY}.steps[].setHeaderRoute",
        f"{_CANARY}.steps[].setMirrorRoute",
        f"{_EXPERIMENT}.templates[].name",
        f"{_EXPERIMENT}.templates[].specRef",
        f"{_EXPERIMENT}.templates[].replicas",
        f"{_EXPERIMENT}.templates[].metadata",
        f"{_EXPERIMENT}.templates[].weight",
        f"{_EXPERIMENT}.templates[].service",
        f"{_EXPERIMENT}.duration",
        f"{_EXPERIMENT}.analyses",
        f"{_EXPERIMENT}.dryRun",
        f"{_EXPERIMENT}.scaleDownDelaySeconds",
        f"{_CANARY}.canaryMetadata",
        f"{_CANARY}.stableMetadata",
        f"{_CANARY}.dynamicStableScale",
        f"{_CANARY}.scaleDownDelayRevisionLimit",
        f"{_CANARY}.replicaProgressThreshold",
        f"{_ROUTING}.managedRoutes",
        f"{_CANARY}.maxSurge",
        f"{_CANARY}.maxUnavailable",
        f"{_CANARY}.analysis.startingStep",
        f"{_CANARY}.scaleDownDelaySeconds",
        f"{_CANARY}.abortScaleDownDelaySeconds",
        f"{_CANARY}.minPodsPerReplicaSet",
        f"{_ROUTING}.maxTrafficWeight",
        "spec.template.metadata.labels",
        "spec.template.metadata.annotations",
        f"{_POD}.terminationGracePeriodSeconds",
        f"{_POD}.restartPolicy",
        f"{_CONTAINER}.name",
        f"{_CONTAINER}.image",
        f"{_CONTAINER}.command",
        f"{_CONTAINER}.args",
        f"{_CONTAINER}.env[].name",
        f"{_CONTAINER}.env[].value",
        f"{_CONTAINER}.env[].valueFrom.fieldRef",
        f"{_CONTAINER}.ports[].containerPort",
        f"{_CONTAINER}.ports[].name",
        f"{_CONTAINER}.lifecycle.preStop",
        f"{_CONTAINER}.lifecycle.stopSignal",
    }
    | {
        f"{place}.{field}"
        for place in (
            f"{_CANARY}.steps[].analysis",
            f"{_CANARY}.analysis",
            f"{_BLUE_GREEN}.prePromotionAnalysis",
            f"{_BLUE_GREEN}.postPromotionAnalysis",
        )
        for field in ("templates", "args", "dryRun", "measurementRetention")
    }
    | {
        f"{probe}.{field}"
        for probe in _PROBES
        for field in (
            "httpGet",
            "tcpSocket",
            "exec",
            "initialDelaySeconds",
            "periodSeconds",
            "timeoutSeconds",
            "successThreshold",
            "failureThreshold",
        )
    },
    "Service": _ALWAYS | {"spec.ports[].port", "spec.ports[].name", "spec.ports[].targetPort", "spec.selector"},
    "VirtualService": _ALWAYS,
    "HTTPRoute": _ALWAYS,
    "ImageMap": _ALWAYS | {"spec.images"},
    "FeatureFlag": _ALWAYS | {"spec"},
    "Judge": _ALWAYS
    | {
        f"spec.{field}"
        for field in (
            "service",
            "metrics",
            "alpha",
            "beta",
            "riskBudget",
            "assurance",
            "warmUp",
            "warmUpEach",
            "bake",
            "interval",
            "steps",
            "patience",
        )
    },
    "Waiver": _ALWAYS | {"spec"},
    "Deployment": _ALWAYS | {"spec.selector", "spec.template"},
    "ReplicaSet": _ALWAYS | {"spec.selector", "spec.template"},
    "PodTemplate": _ALWAYS | {"template"},
}

_GATE = _ALWAYS | {
    "spec.args[].name",
    "spec.args[].value",
    "spec.args[].valueFrom.fieldRef",
    "spec.dryRun",
    "spec.measurementRetention",
    "spec.templates",
    f"{_PROVIDER}.prometheus.address",
    f"{_PROVIDER}.prometheus.query",
    f"{_PROVIDER}.prometheus.timeout",
    f"{_PROVIDER}.prometheus.insecure",
    f"{_PROVIDER}.prometheus.headers",
    f"{_PROVIDER}.prometheus.rangeQuery",
    f"{_PROVIDER}.prometheus.authentication.basicAuth",
    *(
        f"{_PROVIDER}.web.{field}"
        for field in (
            "url",
            "method",
            "headers",
            "body",
            "jsonBody",
            "timeoutSeconds",
            "jsonPath",
            "insecure",
            "authentication.oauth2",
        )
    ),
    f"{_PROVIDER}.job",
    f"{_PROVIDER}.datadog",
    "spec.args[].valueFrom.secretKeyRef",
    "spec.metrics[].name",
    "spec.metrics[].interval",
    "spec.metrics[].initialDelay",
    "spec.metrics[].count",
    "spec.metrics[].successCondition",
    "spec.metrics[].failureCondition",
    "spec.metrics[].failureLimit",
    "spec.metrics[].inconclusiveLimit",
    "spec.metrics[].consecutiveErrorLimit",
    "spec.metrics[].consecutiveSuccessLimit",
}
HONOURED |= {"AnalysisTemplate": _GATE, "ClusterAnalysisTemplate": _GATE, "AnalysisRun": _ALWAYS}

IGNORED: dict[str, dict[str, str]] = {
    "": {
        "metadata.generateName": "an object has the name that is written",
        "metadata.ownerReferences": "objects are removed when somebody removes them",
        "metadata.finalizers": "objects are removed at once",
    },
    "Rollout": {
        "spec.analysis": "the record keeps every analysis run",
        f"{_CANARY}.antiAffinity": _ONE_MACHINE,
        f"{_BLUE_GREEN}.antiAffinity": _ONE_MACHINE,
        f"{_BLUE_GREEN}.prePromotionAnalysis.analysisRunMetadata": _RUNS,
        f"{_BLUE_GREEN}.postPromotionAnalysis.analysisRunMetadata": _RUNS,
        f"{_EXPERIMENT}.analysisRunMetadata": _RUNS,
        f"{_EXPERIMENT}.templates[].selector": "the replicas of a side are known by its hash",
        f"{_CANARY}.pingPong": "versions keep their parts, and services are not rewritten",
        f"{_CANARY}.analysis.analysisRunMetadata": _RUNS,
        f"{_CANARY}.steps[].analysis.analysisRunMetadata": _RUNS,
        f"{_ROUTING}.istio": f"{_OWN_PROXY}; weights go into no VirtualService",
        f"{_ROUTING}.nginx": f"{_OWN_PROXY}; no Ingress is made",
        f"{_ROUTING}.alb": f"{_OWN_PROXY}; no Ingress is changed",
        f"{_ROUTING}.smi": f"{_OWN_PROXY}; no TrafficSplit is made",
        f"{_ROUTING}.ambassador": f"{_OWN_PROXY}; no Mapping is made",
        f"{_ROUTING}.appMesh": f"{_OWN_PROXY}; no VirtualRouter is changed",
        f"{_ROUTING}.traefik": f"{_OWN_PROXY}; no TraefikService is changed",
        f"{_ROUTING}.apisix": f"{_OWN_PROXY}; no ApisixRoute is changed",
        f"{_ROUTING}.plugins": f"{_OWN_PROXY}; no plug-in is asked",
        "spec.template.metadata.generateName": "a replica is named after its revision",
        "spec.template.metadata.finalizers": "replicas are removed at once",
        "spec.template.metadata.ownerReferences": "replicas belong to their rollout",
        "spec.template.metadata.name": "a replica is named after its revision",
        "spec.template.metadata.namespace": "a replica is in the namespace of its rollout",
        f"{_CONTAINER}.workingDir": "a process runs in the directory that its ImageMap names",
        f"{_CONTAINER}.resources": f"{_NO_CONTAINER}: nothing limits or reserves",
        f"{_CONTAINER}.volumeMounts": f"{_NO_CONTAINER}: they see its files",
        f"{_CONTAINER}.volumeDevices": f"{_NO_CONTAINER}: they see its files",
        f"{_CONTAINER}.securityContext": f"{_NO_CONTAINER}: they run as the user who runs Davy",
        f"{_CONTAINER}.imagePullPolicy": "nothing is pulled: an ImageMap says what an image stands for",
        f"{_CONTAINER}.resizePolicy": f"{_NO_CONTAINER}: nothing limits or reserves",
        f"{_CONTAINER}.restartPolicy": "a process that ends is started again",
        f"{_CONTAINER}.restartPolicyRules": "a process that ends is started again",
        f"{_CONTAINER}.terminationMessagePath": "the last words of a process are in its log",
        f"{_CONTAINER}.terminationMessagePolicy": "the last words of a process are in its log",
        f"{_CONTAINER}.stdin": "a process has nothing to read from its standard input",
        f"{_CONTAINER}.stdinOnce": "a process has nothing to read from its standard input",
        f"{_CONTAINER}.tty": "a process has no terminal",
        f"{_CONTAINER}.ports[].protocol": "only TCP is routed",
        f"{_CONTAINER}.ports[].hostPort": "every replica gets a port of its own",
        f"{_CONTAINER}.ports[].hostIP": "replicas listen on the loopback interface",
        f"{_CONTAINER}.lifecycle.postStart": "nothing is done after a process started; let its command do it",
        **{f"{probe}.terminationGracePeriodSeconds": "the pod's is used" for probe in _PROBES},
        f"{_POD}.activeDeadlineSeconds": "replicas run until they are stopped",
        f"{_POD}.automountServiceAccountToken": "there is no API server to sign in to",
        f"{_POD}.serviceAccount": "there is no API server to sign in to",
        f"{_POD}.serviceAccountName": "there is no API server to sign in to",
        f"{_POD}.imagePullSecrets": "nothing is pulled: an ImageMap says what an image stands for",
        f"{_POD}.ephemeralContainers": f"{_NO_CONTAINER}; look at them from a shell",
        f"{_POD}.readinessGates": "a replica is ready when its probe says so",
        f"{_POD}.schedulingGates": "replicas start at once",
        f"{_POD}.resources": f"{_NO_CONTAINER}: nothing limits or reserves",
        f"{_POD}.resourceClaims": f"{_NO_CONTAINER}: nothing limits or reserves",
        f"{_POD}.overhead": f"{_NO_CONTAINER}: nothing limits or reserves",
        f"{_POD}.securityContext": f"{_NO_CONTAINER}: they run as the user who runs Davy",
        f"{_POD}.runtimeClassName": _NO_CONTAINER,
        f"{_POD}.shareProcessNamespace": _NO_CONTAINER,
        f"{_POD}.hostIPC": _NO_CONTAINER,
        f"{_POD}.hostPID": _NO_CONTAINER,
        f"{_POD}.hostNetwork": _NO_CONTAINER,
        f"{_POD}.hostUsers": _NO_CONTAINER,
        f"{_POD}.os": _NO_CONTAINER,
        f"{_POD}.volumes": f"{_NO_CONTAINER}: they see its files",
        **{
            f"{_POD}.{field}": _ONE_ENVIRONMENT
            for field in (
                "dnsConfig",
                "dnsPolicy",
                "enableServiceLinks",
                "hostAliases",
                "hostname",
                "hostnameOverride",
                "setHostnameAsFQDN",
                "subdomain",
            )
        },
        **{
            f"{_POD}.{field}": _ONE_MACHINE
            for field in (
                "affinity",
                "nodeName",
                "nodeSelector",
                "preemptionPolicy",
                "priority",
                "priorityClassName",
                "schedulerName",
                "tolerations",
                "topologySpreadConstraints",
            )
        },
    },
    "Service": {
        "spec.ports[].protocol": "only TCP is routed",
        "spec.ports[].appProtocol": "HTTP/1.1 is routed",
        "spec.ports[].nodePort": _LOOPBACK,
        **{
            f"spec.{field}": _LOOPBACK
            for field in (
                "allocateLoadBalancerNodePorts",
                "clusterIP",
                "clusterIPs",
                "externalIPs",
                "externalName",
                "externalTrafficPolicy",
                "healthCheckNodePort",
                "internalTrafficPolicy",
                "ipFamilies",
                "ipFamily",
                "ipFamilyPolicy",
                "loadBalancerClass",
                "loadBalancerIP",
                "loadBalancerSourceRanges",
                "publishNotReadyAddresses",
                "sessionAffinity",
                "sessionAffinityConfig",
                "topologyKeys",
                "trafficDistribution",
                "type",
            )
        },
    },
    "VirtualService": {"spec": f"{_OWN_PROXY}; it is only held against the rollout"},
    "HTTPRoute": {"spec": f"{_OWN_PROXY}; it is only held against the rollout"},
    "Judge": {"spec.prometheus": "its own proxy counts; `davy serve --judges` asks a Prometheus"},
    "AnalysisRun": {"spec": "runs are made by rollouts, from templates"},
    "Deployment": {
        "spec.minReadySeconds": _NOT_RUN,
        "spec.paused": _NOT_RUN,
        "spec.progressDeadlineSeconds": _NOT_RUN,
        "spec.replicas": _NOT_RUN,
        "spec.revisionHistoryLimit": _NOT_RUN,
        "spec.strategy": _NOT_RUN,
    },
    "ReplicaSet": {"spec.minReadySeconds": _NOT_RUN, "spec.replicas": _NOT_RUN},
}

REFUSED: dict[str, dict[str, str]] = {
    "Rollout": {
        f"{_CANARY}.steps[].plugin": "use an analysis with the provider job, which runs any program",
        f"{_POD}.initContainers": "let the build of its ImageMap or its command do what they do",
        f"{_CONTAINER}.envFrom": "one machine has no ConfigMaps or Secrets; write the variables into env",
        **{
            f"{_CONTAINER}.env[].valueFrom.{source}": "one machine has none; give the variable a plain value"
            for source in ("configMapKeyRef", "secretKeyRef", "resourceFieldRef", "fileKeyRef")
        },
        **{f"{probe}.grpc": "use tcpSocket or exec" for probe in _PROBES},
    },
}

_MEASURES = (
    {
        f"{_PROVIDER}.{name}": "none of that name is installed; install one, or use prometheus, web or job"
        for name in (
            "cloudWatch",
            "graphite",
            "influxdb",
            "kayenta",
            "newRelic",
            "plugin",
            "skywalking",
            "wavefront",
        )
    }
    | {
        f"{_PROVIDER}.prometheus.authentication.{way}": "use basicAuth or a header, or a proxy that signs in"
        for way in ("oauth2", "sigv4")
    }
    | {
        f"{_PROVIDER}.web.authentication.{way}": "Argo Rollouts passes it over; write a header"
        for way in ("basicAuth", "sigv4")
    }
)
REFUSED |= {"AnalysisTemplate": _MEASURES, "ClusterAnalysisTemplate": _MEASURES}
