# D. What can only be seen when something changes.
package davychange

import data.lib.davy

governed {
	davy.prod
}

governed {
	davy.kind == "ClusterAnalysisTemplate"
}

rollout_update {
	davy.rollout
	davy.prod
	davy.changed
}

# What holds a version back: changed together with the version it holds back nothing. So does what users come by:
# where the two Services trade places, those of the stable version meet the other one.
gates(found) = kept {
	strategy := davy.map(found, ["spec", "strategy"])
	kept := {
		"steps": davy.list(strategy, ["canary", "steps"]),
		"analysis": davy.map(strategy, ["canary", "analysis"]),
		"before": davy.map(strategy, ["blueGreen", "prePromotionAnalysis"]),
		"after": davy.map(strategy, ["blueGreen", "postPromotionAnalysis"]),
		"promotes": davy.at(strategy, ["blueGreen", "autoPromotionEnabled"], true),
		"waits": davy.at(strategy, ["blueGreen", "autoPromotionSeconds"], 0),
		"aborts": davy.at(found, ["spec", "progressDeadlineAbort"], false),
		"window": davy.at(found, ["spec", "rollbackWindow", "revisions"], 0),
		"routing": davy.map(strategy, ["canary", "trafficRouting"]),
		"canary_service": davy.text(strategy, ["canary", "canaryService"]),
		"stable_service": davy.text(strategy, ["canary", "stableService"]),
		"active_service": davy.text(strategy, ["blueGreen", "activeService"]),
		"preview_service": davy.text(strategy, ["blueGreen", "previewService"]),
	}
}

fields := {
	"steps": ["spec", "strategy", "canary", "steps"],
	"analysis": ["spec", "strategy", "canary", "analysis"],
	"before": ["spec", "strategy", "blueGreen", "prePromotionAnalysis"],
	"after": ["spec", "strategy", "blueGreen", "postPromotionAnalysis"],
	"promotes": ["spec", "strategy", "blueGreen", "autoPromotionEnabled"],
	"waits": ["spec", "strategy", "blueGreen", "autoPromotionSeconds"],
	"aborts": ["spec", "progressDeadlineAbort"],
	"window": ["spec", "rollbackWindow", "revisions"],
	"routing": ["spec", "strategy", "canary", "trafficRouting"],
	"canary_service": ["spec", "strategy", "canary", "canaryService"],
	"stable_service": ["spec", "strategy", "canary", "stableService"],
	"active_service": ["spec", "strategy", "blueGreen", "activeService"],
	"preview_service": ["spec", "strategy", "blueGreen", "previewService"],
}

moved[name] {
	old := gates(davy.before)
	new := gates(davy.subject)
	fields[name]
	old[name] != new[name]
}

# What runs: by its images, or by the workload that says them.
images(found) = kept {
	own := [image |
		list := ["initContainers", "containers"][_]
		image := davy.text(davy.list(found, ["spec", "template", "spec", list])[_], ["image"])
	]
	kept := array.concat(own, [davy.text(found, ["spec", "workloadRef", "kind"]), davy.text(found, ["spec", "workloadRef", "name"])])
}

violation[found] {
	davy.enforced("PD041")
	rollout_update
	images(davy.before) != images(davy.subject)
	moved[name]
	found := davy.violation("PD041", fields[name], "the image and what judges it change in one update: change the gate first, and on its own")
}

violation[found] {
	davy.enforced("PD042")
	rollout_update
	stable := davy.text(davy.before, ["status", "stableRS"])
	current := davy.text(davy.before, ["status", "currentPodHash"])
	stable != ""
	current != ""
	current != stable
	moved[name]
	found := davy.violation("PD042", fields[name], sprintf("the gates of %s change while the version %s is before them", [davy.name, current]))
}

# ---------- promotion by hand ----------

by_hand {
	davy.rollout
	davy.prod
	davy.changed
	not davy.controller
}

violation[found] {
	davy.enforced("PD043")
	by_hand
	davy.at(davy.subject, ["status", "promoteFull"], false) == true
	davy.at(davy.before, ["status", "promoteFull"], false) != true
	found := davy.violation("PD043", ["status", "promoteFull"], sprintf("%s promotes %s past all of its steps and analyses", [who, davy.name]))
}

violation[found] {
	davy.enforced("PD043")
	by_hand
	old := davy.number(davy.at(davy.before, ["status", "currentStepIndex"], 0), 0)
	new := davy.number(davy.at(davy.subject, ["status", "currentStepIndex"], 0), 0)
	new > old
	found := davy.violation("PD043", ["status", "currentStepIndex"], sprintf("%s takes %s from step %d to step %d, and what is between them is skipped", [who, davy.name, old, new]))
}

# An abort ends pauses, too; nothing is ever in its way.
violation[found] {
	davy.enforced("PD043")
	by_hand
	count(davy.list(davy.before, ["status", "pauseConditions"])) > 0
	count(davy.list(davy.subject, ["status", "pauseConditions"])) == 0
	davy.at(davy.subject, ["status", "abort"], false) != true
	not ends_as_meant
	found := davy.violation("PD043", ["status", "pauseConditions"], sprintf("%s ends a pause of %s that waits for something else than a person", [who, davy.name]))
}

violation[found] {
	davy.enforced("PD043")
	by_hand
	davy.at(davy.before, ["spec", "paused"], false) == true
	davy.at(davy.spec, ["paused"], false) != true
	not davy.parameter("manualPromotion", false) == true
	found := davy.violation("PD043", ["spec", "paused"], sprintf("%s lets %s go on by hand", [who, davy.name]))
}

# The rest of the status is the controller's. It believes whoever takes the stable version's name away, says that
# an analysis was successful, or that a pause began long ago.
violation[found] {
	davy.enforced("PD043")
	by_hand
	davy.sub_resource == "status"
	field := written_for_the_controller[_]
	found := davy.violation("PD043", ["status", field], sprintf("%s writes status.%s of %s, which Argo Rollouts goes by and nobody else writes", [who, field, davy.name]))
}

of_people := {"abort", "promoteFull", "currentStepIndex", "pauseConditions", "controllerPause"}

written_for_the_controller[field] {
	[old_status, new_status][_][field]
	not of_people[field]
	davy.at(old_status, [field], null) != davy.at(new_status, [field], null)
}

written_for_the_controller["currentStepIndex"] {
	davy.number(davy.at(new_status, ["currentStepIndex"], 0), 0) < davy.number(davy.at(old_status, ["currentStepIndex"], 0), 0)
}

# A pause is ended or stays what it is.
written_for_the_controller["pauseConditions"] {
	count(davy.list(new_status, ["pauseConditions"])) > 0
	davy.list(new_status, ["pauseConditions"]) != davy.list(old_status, ["pauseConditions"])
}

written_for_the_controller["controllerPause"] {
	davy.at(new_status, ["controllerPause"], false) != davy.at(old_status, ["controllerPause"], false)
	davy.list(new_status, ["pauseConditions"]) == davy.list(old_status, ["pauseConditions"])
}

old_status := davy.map(davy.before, ["status"])

new_status := davy.map(davy.subject, ["status"])

# A pause without an end waits for a person, and any who may promote by hand is one.
ends_as_meant {
	davy.parameter("manualPromotion", false) == true
	waits_for_a_person
	reasons := {reason | reason := davy.text(davy.list(davy.before, ["status", "pauseConditions"])[_], ["reason"])}
	count(reasons - {"CanaryPauseStep", "BlueGreenPause"}) == 0
}

waits_for_a_person {
	index := davy.number(davy.at(davy.before, ["status", "currentStepIndex"], 0), 0)
	pause := davy.at(davy.before, ["spec", "strategy", "canary", "steps", index, "pause"], null)
	is_object(pause)
	davy.at(pause, ["duration"], null) == null
}

waits_for_a_person {
	is_object(davy.at(davy.before, ["spec", "strategy", "blueGreen"], null))
	davy.at(davy.before, ["spec", "strategy", "blueGreen", "autoPromotionEnabled"], true) == false
}

who = davy.user {
	davy.user != ""
} else = "somebody" {
	true
}

# ---------- deletion ----------

violation[found] {
	davy.enforced("PD044")
	davy.operation == "DELETE"
	governed
	davy.group == "argoproj.io"
	davy.kind == {"Rollout", "AnalysisTemplate", "ClusterAnalysisTemplate"}[_]
	not davy.trusted
	not davy.system
	found := davy.violation("PD044", [], sprintf("without its %s, what comes next is a first deploy, and nothing judges those", [davy.kind]))
}

violation[found] {
	davy.enforced("PD044")
	davy.operation == "DELETE"
	davy.kind == "Namespace"
	production_namespace
	not davy.trusted
	found := davy.violation("PD044", [], sprintf("with %s go all of its rollouts, and what comes next is a first deploy that nothing judges", [davy.name]))
}

production_namespace {
	davy.production(davy.name, davy.map(davy.metadata, ["labels"]))
}

# ---------- Argo CD ----------

forcing = {"Force=true", "Replace=true"}

violation[found] {
	davy.enforced("PD045")
	governed
	davy.written
	davy.group == "argoproj.io"
	option := trim_space(split(davy.text(davy.metadata, ["annotations", "argocd.argoproj.io/sync-options"]), ",")[_])
	forcing[option]
	found := davy.violation("PD045", ["metadata", "annotations", "argocd.argoproj.io/sync-options"], sprintf("%s makes Argo CD delete it and create it anew, and nothing judges a first deploy", [option]))
}

violation[found] {
	davy.enforced("PD046")
	davy.operation != "DELETE"
	application
	place := [["spec", "syncPolicy", "syncOptions"], ["spec", "template", "spec", "syncPolicy", "syncOptions"], ["operation", "sync", "syncOptions"]][_]
	option := davy.list(davy.subject, place)[index]
	forcing[option]
	found := davy.violation("PD046", array.concat(place, [index]), sprintf("%s makes Argo CD delete rollouts and create them anew, and nothing judges a first deploy", [option]))
}

# What `argocd app sync --force` asks for.
violation[found] {
	davy.enforced("PD046")
	davy.operation != "DELETE"
	application
	place := ["operation", "sync", "syncStrategy", ["apply", "hook"][_], "force"]
	davy.at(davy.subject, place, false) == true
	davy.at(davy.before, place, false) != true
	found := davy.violation("PD046", place, "a sync by force deletes rollouts and creates them anew, and nothing judges a first deploy")
}

application {
	davy.group == "argoproj.io"
	davy.kind == {"Application", "ApplicationSet"}[_]
}

# ---------- who acts on it ----------

# Argo Rollouts leaves a rollout alone whose label names another instance; then nothing is ever aborted.
instance_label := "argo-rollouts.argoproj.io/controller-instance-id"

violation[found] {
	davy.enforced("PD064")
	governed
	davy.operation != "DELETE"
	davy.group == "argoproj.io"
	davy.kind == {"Rollout", "AnalysisRun", "Experiment"}[_]
	new := davy.text(davy.metadata, ["labels", instance_label])
	not davy.controller
	not expected(new)
	found := davy.violation("PD064", ["metadata", "labels", instance_label], sprintf("the instance %q of Argo Rollouts is to act on it, and there is none of that name here", [new]))
}

expected(instance) {
	instance == davy.parameter("instanceIds", [""])[_]
}
