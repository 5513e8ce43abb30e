# A. Workloads that reach users beside a Rollout.
package davyworkloads

import data.lib.davy

plain = {"Deployment", "StatefulSet", "DaemonSet", "ReplicationController", "DeploymentConfig", "CloneSet"}

bare = {"Pod", "ReplicaSet"}

hash_label := "rollouts-pod-template-hash"

violation[found] {
	davy.enforced("PD001")
	davy.prod
	davy.written
	plain[davy.kind]
	not exempt
	not replaced_by_a_rollout
	found := davy.violation("PD001", ["kind"], sprintf("a %s goes to all users at once in %s; a Rollout goes to a few, and is judged there", [davy.kind, davy.namespace]))
}

violation[found] {
	davy.enforced("PD002")
	davy.prod
	davy.written
	bare[davy.kind]
	not exempt
	not replaced_by_a_rollout
	count([owner | owner := owners(davy.metadata)[_]; davy.at(owner, ["controller"], false) == true]) == 0
	found := davy.violation("PD002", ["kind"], sprintf("nothing owns this %s, so nothing judges it before users in %s meet it", [davy.kind, davy.namespace]))
}

violation[found] {
	davy.enforced("PD003")
	davy.prod
	davy.operation == {"CREATE", "UPDATE"}[_]
	bare[davy.kind]
	count(owners(davy.metadata)) > 0
	owners(davy.metadata) != owners(davy.before_metadata)
	davy.user != ""
	not davy.controller
	not davy.system
	found := davy.violation("PD003", ["metadata", "ownerReferences"], sprintf("%s says who owns this %s; only the controllers of the cluster do", [davy.user, davy.kind]))
}

# A pod that no Rollout made, whatever made it: Knative, KServe, an operator of one's own.
violation[found] {
	davy.enforced("PD004")
	davy.prod
	davy.kind == "Pod"
	davy.operation == {"CREATE", ""}[_]
	davy.at(davy.metadata, ["labels", hash_label], "") == ""
	not exempt
	not runs_to_an_end
	found := davy.violation("PD004", ["metadata", "labels"], sprintf("no Rollout made this pod: it has no label %s", [hash_label]))
}

# A job that passes its pods off as a Rollout's gets users through its Services.
violation[found] {
	davy.enforced("PD004")
	davy.prod
	davy.written
	template := {"Job": ["spec", "template"], "CronJob": ["spec", "jobTemplate", "spec", "template"]}[davy.kind]
	steps := array.concat(template, ["metadata", "labels", hash_label])
	davy.at(davy.subject, steps, "") != ""
	found := davy.violation("PD004", steps, sprintf("the pods of this %s pass themselves off as a Rollout's by the label %s", [davy.kind, hash_label]))
}

violation[found] {
	davy.enforced("PD005")
	davy.prod
	davy.kind == "Scale"
	davy.operation != "DELETE"
	davy.resource != "rollouts"
	not exempt_resource
	wanted := davy.number(davy.at(davy.spec, ["replicas"], 0), 0)
	wanted > davy.number(davy.at(davy.before, ["spec", "replicas"], 0), 0)
	not davy.controller
	not davy.system
	found := davy.violation("PD005", ["spec", "replicas"], sprintf("scaled to %d, %s would serve users in %s, and no Rollout stands before them", [wanted, davy.name, davy.namespace]))
}

violation[found] {
	davy.enforced("PD006")
	davy.namespace == ""
	davy.written
	placed
	found := davy.violation("PD006", ["metadata"], "it names no namespace, so nobody can tell where it goes and what is asked of it")
}

placed {
	plain[davy.kind]
}

placed {
	bare[davy.kind]
}

placed {
	davy.rollout
}

exempt {
	davy.kind == davy.parameter("exemptKinds", [])[_]
}

exempt_resource {
	davy.resource == lower(concat("", [davy.parameter("exemptKinds", [])[_], "s"]))
}

owners(metadata) = found {
	found := davy.list(metadata, ["ownerReferences"])
}

# What ends by itself serves nobody for long: jobs, those of analyses among them, and what the node itself runs.
runs_to_an_end {
	owner := owners(davy.metadata)[_]
	davy.at(owner, ["controller"], false) == true
	davy.text(owner, ["kind"]) == {"Job", "Node"}[_]
}

# A workload whose pod template a Rollout has taken over. It runs nothing, or Argo Rollouts scales it down.
replaced_by_a_rollout {
	count(workload_references) > 0
	davy.number(davy.at(davy.spec, ["replicas"], 1), 1) == 0
}

replaced_by_a_rollout {
	reference := workload_references[_]
	davy.text(reference, ["scaleDown"]) == {"onsuccess", "progressively"}[_]
}

workload_references[reference] {
	rollout := data.inventory.namespace[davy.namespace][_].Rollout[_]
	reference := davy.map(rollout, ["spec", "workloadRef"])
	davy.name != ""
	davy.text(reference, ["name"]) == davy.name
	davy.text(reference, ["kind"]) == davy.kind
}
