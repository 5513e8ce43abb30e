# What every rule of the pack asks of a review. Rego v0, as stock Gatekeeper runs it.
#
# Everything here has a value for every input: a field that is absent, null or of another type is `otherwise`.
# An undefined operand would make a whole rule undefined, and a rule that is undefined lets everything through.
# So no rule looks into an object but through `at`, `list`, `map` and `text`.
package lib.davy

# ---------- reading ----------

# What stands at a path of keys and numbers; absent and null are one.
at(thing, steps, otherwise) = found {
	found := object.get(thing, steps, null)
	found != null
} else = otherwise {
	true
}

# The list at a path; what is no list is an empty one.
list(thing, steps) = found {
	found := object.get(thing, steps, [])
	is_array(found)
} else = [] {
	true
}

# The object at a path; what is no object is an empty one.
map(thing, steps) = found {
	found := object.get(thing, steps, {})
	is_object(found)
} else = {} {
	true
}

# The text at a path; what is no text is empty.
text(thing, steps) = found {
	found := object.get(thing, steps, "")
	is_string(found)
} else = "" {
	true
}

# A text as people read it in a sentence.
quoted(value) = sprintf("%q", [value]) {
	value != ""
} else = "nothing" {
	true
}

# A number, or a text that is one; anything else, a placeholder too, is `otherwise`.
number(value, otherwise) = value {
	is_number(value)
} else = found {
	is_string(value)
	regex.match("^-?[0-9]+$", value)
	found := to_number(value)
} else = otherwise {
	true
}

units = {"h": 3600, "m": 60, "s": 1, "ms": 0.001, "us": 0.000001, "ns": 0.000000001}

# A duration in seconds, as Argo Rollouts reads one: 90, "90", "1m30s"; what cannot be read lasts 0.
seconds(value) = value {
	is_number(value)
} else = found {
	is_string(value)
	regex.match("^[0-9]+$", value)
	found := to_number(value)
} else = found {
	is_string(value)
	regex.match("^([0-9]+([.][0-9]+)?(ns|us|ms|s|m|h))+$", value)
	parts := regex.find_all_string_submatch_n("([0-9]+(?:[.][0-9]+)?)(ns|us|ms|s|m|h)", value, -1)
	found := sum([piece | part := parts[_]; piece := to_number(part[1]) * units[part[2]]])
} else = 0 {
	true
}

# The parameter of a constraint, or what it is unless it is given.
parameter(name, otherwise) = found {
	found := at(input, ["parameters", name], otherwise)
}

# ---------- what is under review ----------

review := map(input, ["review"])

kind := text(review, ["kind", "kind"])

group := text(review, ["kind", "group"])

operation := text(review, ["operation"])

subject = found {
	found := at(review, ["object"], null)
	is_object(found)
} else = found {
	found := map(review, ["oldObject"])
}

before := map(review, ["oldObject"])

metadata := map(subject, ["metadata"])

before_metadata := map(before, ["metadata"])

spec := map(subject, ["spec"])

name = found {
	found := text(metadata, ["name"])
	found != ""
} else = found {
	found := text(metadata, ["generateName"])
}

# Where it is to be: what the object says, else the request.
namespace = found {
	found := text(metadata, ["namespace"])
	found != ""
} else = found {
	found := text(review, ["namespace"])
}

sub_resource = found {
	found := text(review, ["subResource"])
	found != ""
} else = found {
	found := text(review, ["requestSubResource"])
}

resource = found {
	found := text(review, ["resource", "resource"])
	found != ""
} else = found {
	found := text(review, ["requestResource", "resource"])
}

# ---------- who ----------

user := text(review, ["userInfo", "username"])

# Exact names, here and below. Whoever may choose a name that begins like one of these must gain nothing by it.
# What moves a rollout: Argo Rollouts.
controller {
	user == parameter("controllers", ["system:serviceaccount:argo-rollouts:argo-rollouts"])[_]
}

# Who may change guardrails and take rollouts away: what brings to the cluster what was agreed to in Git.
trusted {
	controller
}

trusted {
	user == parameter("trustedUsers", ["system:serviceaccount:argocd:argocd-application-controller"])[_]
}

# The controllers of Kubernetes itself, which own, scale and collect pods.
system {
	user == parameter("systemUsers", [
		"system:kube-controller-manager",
		"system:serviceaccount:kube-system:replicaset-controller",
		"system:serviceaccount:kube-system:deployment-controller",
		"system:serviceaccount:kube-system:statefulset-controller",
		"system:serviceaccount:kube-system:daemon-set-controller",
		"system:serviceaccount:kube-system:replication-controller",
		"system:serviceaccount:kube-system:job-controller",
		"system:serviceaccount:kube-system:cronjob-controller",
		"system:serviceaccount:kube-system:generic-garbage-collector",
		"system:serviceaccount:kube-system:namespace-controller",
	])[_]
}

# ---------- where ----------

# A name and a pattern with a star at its ends, as Gatekeeper matches namespaces.
globs(pattern, text_) {
	pattern == text_
}

globs(pattern, text_) {
	endswith(pattern, "*")
	startswith(text_, trim_suffix(pattern, "*"))
}

globs(pattern, text_) {
	startswith(pattern, "*")
	endswith(text_, trim_prefix(pattern, "*"))
}

globs(pattern, text_) {
	startswith(pattern, "*")
	endswith(pattern, "*")
	contains(text_, trim(pattern, "*"))
}

# Whether a namespace of this name and with these labels is production.
production(name_, labels) {
	globs(parameter("prodNamespaces", ["prod", "prod-*", "*-prod", "production"])[_], name_)
}

production(name_, labels) {
	at(labels, [env_label], "") == env_value
}

env_label := parameter("envLabel", "env")

env_value := parameter("envValue", "prod")

prod {
	production(namespace, map(review, ["namespaceObject", "metadata", "labels"]))
}

# What is in no namespace serves all of them.
cluster_scoped {
	kind == {"ClusterAnalysisTemplate", "Namespace"}[_]
}

# ---------- when ----------

# A manifest is to be: not an object that goes away, nor what is told of one beside its manifest, nor an update
# that leaves all that is judged as it was. So neither an abort nor a controller's own bookkeeping is ever held
# up by what an object looks like, and an object that is being deleted is judged like any other.
written {
	operation != "DELETE"
	sub_resource == ""
	not untouched
}

untouched {
	operation == "UPDATE"
	user != ""
	map(before, ["spec"]) == spec
	map(before, ["metadata", "annotations"]) == map(metadata, ["annotations"])
}

changed {
	operation == "UPDATE"
}

# ---------- rollouts ----------

rollout {
	kind == "Rollout"
	group == "argoproj.io"
}

# ---------- what is said ----------

# Whether a constraint wants this rule; one that names none wants all of them.
enforced(rule) {
	wanted[rule]
}

enforced(rule) {
	wants_all
}

wanted := {rule | rule := list(input, ["parameters", "rules"])[_]}

wants_all {
	at(input, ["parameters", "rules"], null) == null
}

# A violation that points to a field, or to the nearest thing around it that is there.
violation(rule, steps, message) = found {
	found := {"msg": concat(": ", [rule, message]), "details": {"rule": rule, "path": path(there(steps))}}
}

there(steps) = steps {
	at(subject, steps, null) != null
} else = found {
	lengths := [length |
		length := numbers.range(1, count(steps))[_]
		at(subject, array.slice(steps, 0, length), null) != null
	]
	found := array.slice(steps, 0, count(lengths))
}

# A path in the spelling of Davy's findings: spec.steps[0], metadata.labels["app.kubernetes.io/name"].
path(steps) = found {
	found := trim_prefix(concat("", [piece | step := steps[_]; piece := written_step(step)]), ".")
}

written_step(step) = found {
	is_number(step)
	found := sprintf("[%d]", [step])
} else = found {
	regex.match("^[A-Za-z_][A-Za-z0-9_-]*$", step)
	found := concat("", [".", step])
} else = found {
	found := concat("", ["[", json.marshal(step), "]"])
}
