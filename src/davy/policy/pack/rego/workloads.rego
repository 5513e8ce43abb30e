# A. Workloads that reach users beside a Rollout.
package davyworkloads

import data.lib.davy

plain = {"Deployment", "StatefulSet", "DaemonSet", "ReplicationController", "DeploymentConfig", "CloneSet"}

# What makes pods by itself, an Experiment of one's own among them.
bare = {"Pod", "ReplicaSet", "Experiment"}

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

# The image of a pod that runs can be changed, and what a ReplicaSet says is what its next pods are.
violation[found] {
	davy.enforced("PD068")
	davy.prod
	davy.changed
	davy.sub_resource == ""
	davy.user != ""
	not davy.controller
	not davy.system
	not exempt
	not replaced_by_a_rollout
	field := rewritten[_]
	found := davy.violation("PD068", field, sprintf("%s changes the %s %s itself, and no step of a Rollout leads its users there", [davy.user, davy.kind, davy.name]))
}

rewritten[field] {
	davy.kind == "Pod"
	list := ["initContainers", "containers"][_]
	images(davy.before, list) != images(davy.subject, list)
	field := ["spec", list]
}

# Labels are how a Service finds pods.
rewritten[field] {
	davy.kind == "Pod"
	new := davy.at(davy.metadata, ["labels", hash_label], "")
	new != ""
	new != davy.at(davy.before_metadata, ["labels", hash_label], "")
	field := ["metadata", "labels", hash_label]
}

rewritten[field] {
	davy.kind == "Pod"
	runs_to_an_end
	davy.map(davy.metadata, ["labels"]) != davy.map(davy.before_metadata, ["labels"])
	field := ["metadata", "labels"]
}

rewritten[field] {
	davy.kind == "ReplicaSet"
	field := [["spec", "template"], ["spec", "replicas"], ["spec", "selector"]][_]
	davy.at(davy.before, field, null) != davy.at(davy.subject, field, null)
}

images(pod, list) = found {
	found := [davy.text(container, ["image"]) | container := davy.list(pod, ["spec", list])[_]]
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
	not serves_anew
}

# Whatever Argo Rollouts scales down stays what it is until then, and is not made, scaled up or released itself.
serves_anew {
	davy.user != ""
	davy.operation == "CREATE"
}

serves_anew {
	davy.user != ""
	davy.changed
	davy.number(davy.at(davy.spec, ["replicas"], 1), 1) > davy.number(davy.at(davy.before, ["spec", "replicas"], 1), 1)
}

serves_anew {
	davy.user != ""
	davy.changed
	davy.map(davy.spec, ["template"]) != davy.map(davy.before, ["spec", "template"])
}

workload_references[reference] {
	rollout := data.inventory.namespace[davy.namespace][_].Rollout[_]
	reference := davy.map(rollout, ["spec", "workloadRef"])
	davy.name != ""
	davy.text(reference, ["name"]) == davy.name
	davy.text(reference, ["kind"]) == davy.kind
}
