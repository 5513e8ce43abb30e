# E. Analyses that cannot say no, and runs that somebody answers for.
package davyanalysis

import data.lib.davy

template {
	davy.group == "argoproj.io"
	davy.kind == {"AnalysisTemplate", "ClusterAnalysisTemplate"}[_]
	davy.written
}

# Where what is measured decides about users in production.
governed {
	template
	davy.prod
}

governed {
	template
	davy.cluster_scoped
}

metrics := davy.list(davy.spec, ["metrics"])

at_metric(index) = ["spec", "metrics", index] {
	true
}

named(metric) = found {
	found := davy.text(metric, ["name"])
}

# A job says itself how it ended, Kayenta what it found, and a judge what to do.
self_judging(metric) {
	is_object(davy.at(metric, ["provider", ["job", "kayenta"][_]], null))
}

self_judging(metric) {
	asks_judge(metric)
}

asks_judge(metric) {
	is_object(davy.at(metric, ["provider", "plugin", "davy/judge"], null))
}

# Inconclusive is a word of a judge, and not an answer that is missing; only its word to go on ends the metric.
waits_for_judge(metric) {
	asks_judge(metric)
}

waits_for_judge(metric) {
	regex.match("^result\\.verdict\\s*==\\s*[\"']advance[\"']$", success(metric))
	davy.number(davy.at(metric, ["consecutiveSuccessLimit"], 0), 0) > 0
}

success(metric) = found {
	found := trim_space(davy.text(metric, ["successCondition"]))
}

failure(metric) = found {
	found := trim_space(davy.text(metric, ["failureCondition"]))
}

violation[found] {
	davy.enforced("PD050")
	template
	metric := metrics[index]
	success(metric) == ""
	failure(metric) == ""
	not self_judging(metric)
	found := davy.violation("PD050", at_metric(index), sprintf("%q has neither successCondition nor failureCondition: Argo Rollouts records every measurement as Successful", [named(metric)]))
}

always := [
	"^true$",
	"^!\\s*false$",
	"(^|\\|\\|)\\s*true\\s*(\\|\\||$)",
	"^1\\s*==\\s*1$",
	"^result(\\[0\\])?\\s*>=\\s*-?0*(\\.0*)?$",
	"^0*(\\.0*)?\\s*<=\\s*result(\\[0\\])?$",
	"^result(\\[0\\])?\\s*>\\s*-[0-9.]+$",
	"^len\\(result\\)\\s*(>=\\s*0|>\\s*-[0-9]+)$",
	"\\|\\|\\s*len\\(result\\)\\s*>=\\s*0",
	"^result\\s*==\\s*result$",
]

never := [
	"^false$",
	"^!\\s*true$",
	"^1\\s*==\\s*[02-9]$",
	"^result(\\[0\\])?\\s*<\\s*0*(\\.0*)?$",
	"^result(\\[0\\])?\\s*<\\s*-[0-9.]+$",
	"^len\\(result\\)\\s*<\\s*0$",
	"(^|&&)\\s*false\\s*(&&|$)",
]

violation[found] {
	davy.enforced("PD051")
	template
	metric := metrics[index]
	condition := success(metric)
	regex.match(always[_], condition)
	found := davy.violation("PD051", array.concat(at_metric(index), ["successCondition"]), sprintf("%q is true of every result: %s", [named(metric), condition]))
}

violation[found] {
	davy.enforced("PD051")
	template
	metric := metrics[index]
	success(metric) == ""
	condition := failure(metric)
	regex.match(never[_], condition)
	found := davy.violation("PD051", array.concat(at_metric(index), ["failureCondition"]), sprintf("%q fails on no result: %s", [named(metric), condition]))
}

# How many measurements there will be; a metric with an interval and no count goes on for as long as it is asked to.
counted(metric) = found {
	found := davy.number(davy.at(metric, ["count"], null), null)
	found != null
	found > 0
} else = 1 {
	davy.text(metric, ["interval"]) == ""
	davy.at(metric, ["count"], null) == null
} else = 1000000000 {
	true
}

violation[found] {
	davy.enforced("PD052")
	template
	metric := metrics[index]
	limit := davy.number(davy.at(metric, ["failureLimit"], 0), 0)
	limit >= counted(metric)
	found := davy.violation("PD052", array.concat(at_metric(index), ["failureLimit"]), sprintf("%q has a failureLimit of %v and a count of %v, so its failures never exceed the limit", [named(metric), limit, counted(metric)]))
}

violation[found] {
	davy.enforced("PD052")
	template
	metric := metrics[index]
	limit := davy.number(davy.at(metric, ["failureLimit"], 0), 0)
	limit < 0
	found := davy.violation("PD052", array.concat(at_metric(index), ["failureLimit"]), sprintf("%q may fail as often as it likes: failureLimit is %v", [named(metric), limit]))
}

passes_on_nothing := [
	"isNaN\\([^()]*\\)\\s*\\|\\|",
	"\\|\\|\\s*isNaN\\(",
	"len\\(result\\)\\s*(==\\s*0|<\\s*1|<=\\s*0)\\s*\\|\\|",
	"\\|\\|\\s*len\\(result\\)\\s*(==\\s*0|<\\s*1|<=\\s*0)",
	"result\\s*==\\s*nil\\s*\\|\\|",
	"\\|\\|\\s*result\\s*==\\s*nil",
	"default\\(result(\\[0\\])?,\\s*0(\\.0*)?\\)\\s*<",
	"\\(?result(\\[0\\])?\\s*\\?\\?\\s*0(\\.0*)?\\)?\\s*<",
]

violation[found] {
	davy.enforced("PD053")
	template
	metric := metrics[index]
	condition := success(metric)
	regex.match(passes_on_nothing[_], condition)
	found := davy.violation("PD053", array.concat(at_metric(index), ["successCondition"]), sprintf("%q is a success when there is no data: %s", [named(metric), condition]))
}

violation[found] {
	davy.enforced("PD054")
	governed
	metric := metrics[index]
	not self_judging(metric)
	limit := davy.parameter("minMeasurements", 3)
	counted(metric) < limit
	found := davy.violation("PD054", at_metric(index), sprintf("%q has a count of %v, and it takes %v measurements to tell a trend from chance", [named(metric), counted(metric), limit]))
}

queries := ["prometheus", "datadog", "newRelic", "wavefront", "graphite", "influxdb", "skywalking"]

violation[found] {
	davy.enforced("PD055")
	governed
	metric := metrics[index]
	provider := queries[_]
	query := davy.text(metric, ["provider", provider, "query"])
	query != ""
	not regex.match("\\{\\{|(?i)canary|preview|pod.template.hash", query)
	found := davy.violation("PD055", array.concat(at_metric(index), ["provider", provider, "query"]), sprintf("%q asks about all versions at once: its query names no argument", [named(metric)]))
}

violation[found] {
	davy.enforced("PD056")
	template
	metric := metrics[index]
	header := davy.list(metric, ["provider", "web", "headers"])[place]
	secret_header(lower(davy.text(header, ["key"])))
	value := davy.text(header, ["value"])
	value != ""
	not contains(value, "{{")
	found := davy.violation("PD056", array.concat(at_metric(index), ["provider", "web", "headers", place, "value"]), sprintf("the header %q of %q is a secret that everybody can read", [davy.text(header, ["key"]), named(metric)]))
}

secret_header(key) {
	key == {"authorization", "proxy-authorization", "cookie"}[_]
}

secret_header(key) {
	regex.match("token|secret|password|api-?key|app(lication)?-key", key)
}

violation[found] {
	davy.enforced("PD057")
	template
	dry := davy.list(davy.spec, ["dryRun"])[index]
	found := davy.violation("PD057", ["spec", "dryRun", index], sprintf("the metric %q only runs dry, and can stop nothing", [davy.text(dry, ["metricName"])]))
}

violation[found] {
	davy.enforced("PD058")
	template
	metric := metrics[index]
	limit := davy.parameter("maxErrorLimit", 5)
	field := ["inconclusiveLimit", "consecutiveErrorLimit"][_]
	allowed := davy.number(davy.at(metric, [field], 0), 0)
	beyond(allowed, limit)
	not excused(metric, field)
	found := davy.violation("PD058", array.concat(at_metric(index), [field]), sprintf("%q has a %s of %v, and more than %v answers that are missing are no accident", [named(metric), field, allowed, limit]))
}

excused(metric, "inconclusiveLimit") {
	waits_for_judge(metric)
}

beyond(allowed, limit) {
	allowed > limit
}

beyond(allowed, limit) {
	limit >= 0
	allowed < 0
}

# ---------- runs ----------

run {
	davy.kind == {"AnalysisRun", "Experiment"}[_]
	davy.group == "argoproj.io"
	davy.prod
	davy.user != ""
	not davy.controller
	not davy.system
}

# Phase, measurements, limits, dry runs, `terminate`: whatever it is, it is a verdict that nobody measured.
violation[found] {
	davy.enforced("PD065")
	run
	davy.changed
	field := written_by_hand
	found := davy.violation("PD065", field, sprintf("%s writes what an analysis found; only Argo Rollouts does, and what stops a bad version is an abort", [davy.user]))
}

# One that is passed off as a rollout's.
violation[found] {
	davy.enforced("PD065")
	run
	davy.kind == "AnalysisRun"
	davy.operation == "CREATE"
	owner := davy.list(davy.metadata, ["ownerReferences"])[index]
	davy.text(owner, ["kind"]) == {"Rollout", "Experiment"}[_]
	found := davy.violation("PD065", ["metadata", "ownerReferences", index], sprintf("%s passes this run off as one that %s began", [davy.user, davy.text(owner, ["name"])]))
}

violation[found] {
	davy.enforced("PD065")
	run
	davy.operation == "DELETE"
	not ended
	found := davy.violation("PD065", [], sprintf("%s takes away an analysis that has not ended", [davy.user]))
}

ended {
	davy.text(davy.subject, ["status", "phase"]) == {"Successful", "Failed", "Error", "Inconclusive"}[_]
}

written_by_hand = ["status", "phase"] {
	davy.at(davy.before, ["status", "phase"], "") != davy.at(davy.subject, ["status", "phase"], "")
} else = ["status"] {
	davy.map(davy.before, ["status"]) != davy.map(davy.subject, ["status"])
} else = ["spec", "terminate"] {
	davy.at(davy.before, ["spec", "terminate"], false) != davy.at(davy.spec, ["terminate"], false)
} else = ["spec", "dryRun"] {
	davy.list(davy.before, ["spec", "dryRun"]) != davy.list(davy.spec, ["dryRun"])
} else = ["spec"] {
	davy.map(davy.before, ["spec"]) != davy.spec
} else = ["metadata"] {
	true
}

judge {
	davy.group == "davy.dev"
	davy.kind == "Judge"
	davy.written
}

false_aborts := davy.at(davy.spec, ["alpha"], 0.01) * 10000

violation[found] {
	davy.enforced("PD081")
	judge
	limit := davy.parameter("minFalseAborts", 1)
	false_aborts < limit
	found := davy.violation("PD081", ["spec", "alpha"], sprintf("%q may abort %v of 10000 good releases: that proof takes more bad requests than most services have", [davy.name, false_aborts]))
}

violation[found] {
	davy.enforced("PD081")
	judge
	limit := davy.parameter("maxFalseAborts", 500)
	false_aborts > limit
	found := davy.violation("PD081", ["spec", "alpha"], sprintf("%q may abort %v of 10000 good releases, and will soon be overruled", [davy.name, false_aborts]))
}

violation[found] {
	davy.enforced("PD081")
	judge
	budget := davy.at(davy.spec, ["riskBudget"], 20)
	budget > davy.parameter("maxRiskBudget", 1000)
	found := davy.violation("PD081", ["spec", "riskBudget"], sprintf("a step of %q may cost %v bad requests", [davy.name, budget]))
}

judge_metrics := davy.list(davy.spec, ["metrics"])

violation[found] {
	davy.enforced("PD081")
	judge
	metric := judge_metrics[index]
	field := ["materiality", "margin"][_]
	ratio := davy.at(metric, [field], 1)
	davy.text(metric, ["kind"]) != "conversions"
	ratio > davy.parameter("maxMateriality", 3)
	found := davy.violation("PD081", ["spec", "metrics", index, field], sprintf("%q overlooks everything up to about %v times stable", [davy.name, ratio]))
}

violation[found] {
	davy.enforced("PD081")
	judge
	metric := judge_metrics[index]
	ratio := davy.at(metric, ["materiality"], 0.9)
	davy.text(metric, ["kind"]) == "conversions"
	ratio * 100 < davy.parameter("minConversions", 50)
	found := davy.violation("PD081", ["spec", "metrics", index, "materiality"], sprintf("%q overlooks a fall of conversions to about %v times stable", [davy.name, ratio]))
}

violation[found] {
	davy.enforced("PD081")
	judge
	bake := davy.text(davy.spec, ["bake"])
	bake != ""
	davy.seconds(bake) <= 0
	found := davy.violation("PD081", ["spec", "bake"], sprintf("%q watches nothing once a version has all the traffic", [davy.name]))
}
