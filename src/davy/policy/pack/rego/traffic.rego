# F. Traffic that is moved beside the Rollout, and neighbours that look away.
package davytraffic

import data.lib.davy

hash_label := "rollouts-pod-template-hash"

neighbours[rollout] {
	rollout := data.inventory.namespace[davy.namespace][_].Rollout[_]
}

# ---------- services ----------

selector(service) = found {
	found := davy.map(service, ["spec", "selector"])
}

violation[found] {
	davy.enforced("PD060")
	service
	davy.operation == {"CREATE", "UPDATE"}[_]
	davy.text(selector(davy.before), [hash_label]) != davy.text(selector(davy.subject), [hash_label])
	not davy.controller
	found := davy.violation("PD060", ["spec", "selector", hash_label], sprintf("%s would lead to the version %q, and no step of a rollout leads there", [davy.name, davy.text(selector(davy.subject), [hash_label])]))
}

# All but the hash; a selector of other pods leads past every version.
violation[found] {
	davy.enforced("PD060")
	service
	davy.changed
	rollout := neighbours[_]
	strategy := ["canary", "blueGreen"][_]
	field := ["canaryService", "stableService", "activeService", "previewService"][_]
	davy.text(rollout, ["spec", "strategy", strategy, field]) == davy.name
	without_hash(davy.before) != without_hash(davy.subject)
	not davy.controller
	found := davy.violation("PD060", ["spec", "selector"], sprintf("%s would lead to other pods than those of the Rollout %s", [davy.name, davy.text(rollout, ["metadata", "name"])]))
}

service {
	davy.kind == "Service"
	davy.prod
	davy.operation != "DELETE"
}

without_hash(service_) = found {
	found := {key: value | value := selector(service_)[key]; key != hash_label}
}

# ---------- routes ----------

violation[found] {
	davy.enforced("PD061")
	davy.prod
	davy.changed
	rollout := neighbours[_]
	davy.name == routes_of(rollout)[_]
	field := moved[_]
	not davy.controller
	found := davy.violation("PD061", field, sprintf("the Rollout %s says how many users each version gets, and here somebody else does", [davy.text(rollout, ["metadata", "name"])]))
}

# The routes that a Rollout moves traffic on.
routes_of(rollout) = found {
	routing := davy.map(rollout, ["spec", "strategy", "canary", "trafficRouting"])
	gateway := davy.map(routing, ["plugins", "argoproj-labs/gatewayAPI"])
	single := {name | name := davy.text(routing, [
		["istio", "virtualService", "name"],
		["istio", "destinationRule", "name"],
		["nginx", "stableIngress"],
		["alb", "ingress"],
		["traefik", "weightedTraefikServiceName"],
		["appMesh", "virtualService", "name"],
	][_])}
	listed := {name | name := davy.text(davy.list(routing, ["istio", "virtualServices"])[_], ["name"])}
	ingresses := {name | name := davy.list(routing, ["nginx", "stableIngresses"])[_]; is_string(name)}
	gateways := {name | name := davy.text(gateway, [["httpRoute", "grpcRoute", "tcpRoute"][_]])}
	many := {name | name := davy.text(davy.list(gateway, [["httpRoutes", "grpcRoutes", "tcpRoutes"][_]])[_], ["name"])}
	splits := {name |
		is_object(davy.at(routing, ["smi"], null))
		name := davy.at(routing, ["smi", "trafficSplitName"], davy.text(rollout, ["metadata", "name"]))
	}
	found := ((((single | listed) | ingresses) | gateways) | many) | splits
}

# Where the shares and what they lead to are written, for each kind of route.
moved[field] {
	davy.kind == "VirtualService"
	protocol := ["http", "tcp", "tls"][_]
	leads(davy.before, protocol, "route") != leads(davy.subject, protocol, "route")
	field := ["spec", protocol]
}

moved[field] {
	davy.kind == {"HTTPRoute", "GRPCRoute", "TCPRoute", "TLSRoute"}[_]
	leads(davy.before, "rules", "backendRefs") != leads(davy.subject, "rules", "backendRefs")
	field := ["spec", "rules"]
}

moved[field] {
	davy.kind == {"TrafficSplit", "TraefikService", "DestinationRule"}[_]
	field := [["spec", "backends"], ["spec", "weighted"], ["spec", "subsets"]][_]
	davy.at(davy.before, field, null) != davy.at(davy.subject, field, null)
}

moved[field] {
	davy.kind == "Ingress"
	places := {key | davy.map([davy.before, davy.subject][_], ["metadata", "annotations"])[key]}
	key := places[_]
	regex.match("^(nginx\\.ingress\\.kubernetes\\.io/canary|alb\\.ingress\\.kubernetes\\.io/actions\\.)", key)
	field := ["metadata", "annotations", key]
	davy.at(davy.before, field, null) != davy.at(davy.subject, field, null)
}

leads(route, list, field) = found {
	found := [davy.list(rule, [field]) | rule := davy.list(route, ["spec", list])[_]]
}

# ---------- neighbours ----------

violation[found] {
	davy.enforced("PD062")
	davy.prod
	davy.kind == "Canary"
	davy.group == "flagger.app"
	davy.operation != "DELETE"
	davy.at(davy.spec, ["skipAnalysis"], false) == true
	found := davy.violation("PD062", ["spec", "skipAnalysis"], "Flagger promotes it without looking: skipAnalysis is true")
}

violation[found] {
	davy.enforced("PD063")
	davy.prod
	davy.kind == "HorizontalPodAutoscaler"
	davy.operation != "DELETE"
	davy.text(davy.spec, ["scaleTargetRef", "kind"]) == "Deployment"
	found := davy.violation("PD063", ["spec", "scaleTargetRef", "kind"], sprintf("it scales the Deployment %s beside the Rollout", [davy.text(davy.spec, ["scaleTargetRef", "name"])]))
}

# KEDA takes a target without a kind for a Deployment.
violation[found] {
	davy.enforced("PD063")
	davy.prod
	davy.kind == "ScaledObject"
	davy.group == "keda.sh"
	davy.operation != "DELETE"
	davy.at(davy.spec, ["scaleTargetRef", "kind"], "Deployment") == "Deployment"
	found := davy.violation("PD063", ["spec", "scaleTargetRef"], sprintf("it scales the Deployment %s beside the Rollout", [davy.text(davy.spec, ["scaleTargetRef", "name"])]))
}
