# B. Whoever would rather not be asked: the label, the webhook and the constraint that do the asking.
package davytampering

import data.lib.davy

ignore_labels := davy.parameter("ignoreLabels", ["admission.gatekeeper.sh/ignore", "control-plane"])

violation[found] {
	davy.enforced("PD010")
	davy.kind == "Namespace"
	davy.changed
	label(davy.before_metadata, davy.env_label) == davy.env_value
	label(davy.metadata, davy.env_label) != davy.env_value
	not davy.trusted
	found := davy.violation("PD010", ["metadata", "labels", davy.env_label], sprintf("%s would be production no more: %s was %q and becomes %s", [davy.name, davy.env_label, davy.env_value, davy.quoted(label(davy.metadata, davy.env_label))]))
}

violation[found] {
	davy.enforced("PD011")
	davy.kind == "Namespace"
	davy.operation != "DELETE"
	ignored := ignore_labels[_]
	davy.at(davy.metadata, ["labels", ignored], null) != null
	davy.at(davy.before_metadata, ["labels", ignored], null) == null
	not platform_namespace
	not davy.trusted
	found := davy.violation("PD011", ["metadata", "labels", ignored], sprintf("the label %s takes all of %s out of sight of the policies", [ignored, davy.name]))
}

violation[found] {
	davy.enforced("PD012")
	hook := our_hooks[index]
	davy.operation != "DELETE"
	davy.text(hook, ["failurePolicy"]) == "Ignore"
	found := davy.violation("PD012", ["webhooks", index, "failurePolicy"], sprintf("%s lets everything through while it is down: failurePolicy is Ignore", [davy.text(hook, ["name"])]))
}

violation[found] {
	davy.enforced("PD012")
	hook := our_hooks[index]
	davy.operation != "DELETE"
	limit := davy.parameter("minWebhookSeconds", 3)
	timeout := davy.number(davy.at(hook, ["timeoutSeconds"], 10), 10)
	timeout < limit
	found := davy.violation("PD012", ["webhooks", index, "timeoutSeconds"], sprintf("%s is given %d s to answer, and needs at least %d", [davy.text(hook, ["name"]), timeout, limit]))
}

# What a webhook is asked about. A narrower one is a webhook that does not see.
scope := ["rules", "namespaceSelector", "objectSelector", "matchConditions", "matchPolicy"]

violation[found] {
	davy.enforced("PD012")
	davy.changed
	hook := our_hooks[index]
	old := davy.list(davy.before, ["webhooks"])[_]
	davy.text(old, ["name"]) == davy.text(hook, ["name"])
	field := scope[_]
	davy.at(hook, [field], null) != davy.at(old, [field], null)
	not davy.trusted
	found := davy.violation("PD012", ["webhooks", index, field], sprintf("%s would be asked about other things than before: %s changes", [davy.text(hook, ["name"]), field]))
}

violation[found] {
	davy.enforced("PD012")
	davy.changed
	davy.kind == "ValidatingWebhookConfiguration"
	lost := names(davy.before) - names(davy.subject)
	gone := lost[_]
	ours(gone)
	not davy.trusted
	found := davy.violation("PD012", ["webhooks"], sprintf("%s would not be asked any more", [gone]))
}

violation[found] {
	davy.enforced("PD012")
	davy.operation == "DELETE"
	davy.kind == "ValidatingWebhookConfiguration"
	gone := names(davy.subject)[_]
	ours(gone)
	not davy.trusted
	found := davy.violation("PD012", ["webhooks"], sprintf("%s would not be asked any more", [gone]))
}

violation[found] {
	davy.enforced("PD013")
	davy.changed
	davy.group == "constraints.gatekeeper.sh"
	denies(davy.before)
	not denies(davy.subject)
	not davy.trusted
	found := davy.violation("PD013", ["spec", "enforcementAction"], sprintf("%s would deny nothing any more: its action becomes %q", [davy.name, davy.text(davy.spec, ["enforcementAction"])]))
}

violation[found] {
	davy.enforced("PD013")
	davy.changed
	davy.group == "constraints.gatekeeper.sh"
	denies(davy.before)
	field := ["match", "parameters"][_]
	davy.at(davy.before, ["spec", field], {}) != davy.at(davy.spec, [field], {})
	not davy.trusted
	found := davy.violation("PD013", ["spec", field], sprintf("%s would deny other things than before: %s changes", [davy.name, field]))
}

violation[found] {
	davy.enforced("PD013")
	davy.operation == "DELETE"
	guardrail
	not davy.trusted
	found := davy.violation("PD013", [], sprintf("what %s denies would be denied no more", [davy.name]))
}

violation[found] {
	davy.enforced("PD013")
	davy.changed
	davy.group == "templates.gatekeeper.sh"
	davy.spec != davy.map(davy.before, ["spec"])
	not davy.trusted
	found := davy.violation("PD013", ["spec"], sprintf("the constraints of %s would ask something else than before", [davy.name]))
}

# A label says what is governed, so that another value is as good as none.
violation[found] {
	davy.enforced("PD067")
	davy.changed
	was := davy.map(davy.before_metadata, ["labels"])[key]
	startswith(key, "davy.dev/")
	davy.at(davy.metadata, ["labels", key], "") != was
	not davy.trusted
	found := davy.violation("PD067", ["metadata", "labels", key], sprintf("%s of %s was %q and becomes %s, and with it what is asked of it", [key, davy.name, was, davy.quoted(label(davy.metadata, key))]))
}

violation[found] {
	davy.enforced("PD067")
	davy.changed
	davy.prod
	davy.map(davy.before_metadata, ["annotations"])[key]
	startswith(key, "davy.dev/")
	davy.at(davy.metadata, ["annotations", key], null) == null
	not davy.trusted
	found := davy.violation("PD067", ["metadata", "annotations"], sprintf("%s of %s would be gone, and with it what is asked of it", [key, davy.name]))
}

label(metadata, key) = found {
	found := davy.text(metadata, ["labels", key])
}

platform_namespace {
	davy.name == davy.parameter("platformNamespaces", ["kube-system", "gatekeeper-system", "kyverno", "argo-rollouts", "argocd"])[_]
}

our_hooks[index] = hook {
	davy.kind == "ValidatingWebhookConfiguration"
	hook := davy.list(davy.subject, ["webhooks"])[index]
	ours(davy.text(hook, ["name"]))
}

ours(name) {
	davy.globs(davy.parameter("webhookNames", ["validation.gatekeeper.sh", "check-ignore-label.gatekeeper.sh", "*.davy.dev"])[_], name)
}

names(configuration) = found {
	found := {name | hook := davy.list(configuration, ["webhooks"])[_]; name := davy.text(hook, ["name"])}
}

# Whether a constraint refuses anything: one that says nothing does.
denies(constraint) {
	davy.at(constraint, ["spec", "enforcementAction"], "deny") == "deny"
}

denies(constraint) {
	davy.text(constraint, ["spec", "enforcementAction"]) == "scoped"
	davy.at(davy.list(constraint, ["spec", "scopedEnforcementActions"])[_], ["action"], "") == "deny"
}

guardrail {
	davy.group == "constraints.gatekeeper.sh"
	denies(davy.subject)
}

guardrail {
	davy.group == "templates.gatekeeper.sh"
}
