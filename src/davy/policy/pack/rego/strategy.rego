# C. Strategies that look progressive and are not.
package davystrategy

import data.lib.davy

judged {
	davy.rollout
	davy.prod
	davy.written
}

strategy := davy.map(davy.spec, ["strategy"])

canary := davy.map(strategy, ["canary"])

blue_green := davy.map(strategy, ["blueGreen"])

has(name) {
	is_object(davy.at(strategy, [name], null))
}

is_canary {
	judged
	has("canary")
}

is_blue_green {
	judged
	has("blueGreen")
}

routed {
	is_object(davy.at(canary, ["trafficRouting"], null))
}

steps := davy.list(canary, ["steps"])

at_step(index) = ["spec", "strategy", "canary", "steps", index] {
	true
}

# Everything in percent: maxTrafficWeight says how many parts there are.
total := davy.number(davy.at(canary, ["trafficRouting", "maxTrafficWeight"], 100), 100)

percent(parts) = found {
	total > 0
	found := (parts * 100) / total
} else = parts {
	true
}

# The share of users that each step gives to the new version, for the steps that say one.
weights := [{"step": index, "path": ["setWeight"], "percent": percent(weight)} |
	weight := davy.at(steps[index], ["setWeight"], null)
	is_number(weight)
]

growing := [weight | weight := weights[_]; weight.percent > 0]

# An experiment gets users, too, when its templates have weights.
experiments := [{"step": index, "path": ["experiment", "templates"], "percent": percent(sum(parts))} |
	templates := davy.list(steps[index], ["experiment", "templates"])
	count(templates) > 0
	parts := [part | part := davy.number(davy.at(templates[_], ["weight"], 0), 0)]
	sum(parts) > 0
]

# A header that every request has sends everybody.
everybody := [{"step": index, "path": ["setHeaderRoute", "match"], "percent": 100} |
	match := davy.list(steps[index], ["setHeaderRoute", "match"])[_]
	meets_all(davy.map(match, ["headerValue"]))
]

meets_all(value) {
	davy.text(value, ["regex"]) == {".*", "^.*$", ".+", "^.+$", "(.*)", ".*?", "^.*", ".*$"}[_]
}

meets_all(value) {
	davy.at(value, ["prefix"], null) == ""
}

violation[found] {
	davy.enforced("PD020")
	judged
	not has("canary")
	not has("blueGreen")
	found := davy.violation("PD020", ["spec", "strategy"], "it says neither canary nor blueGreen, so there is no strategy to hold it to")
}

violation[found] {
	davy.enforced("PD020")
	judged
	has("canary")
	has("blueGreen")
	found := davy.violation("PD020", ["spec", "strategy"], "it says canary and blueGreen, and Argo Rollouts takes neither")
}

violation[found] {
	davy.enforced("PD021")
	is_canary
	count(steps) == 0
	found := davy.violation("PD021", ["spec", "strategy", "canary", "steps"], "a canary without steps is a rolling update: all users get it as fast as pods start")
}

violation[found] {
	davy.enforced("PD022")
	is_canary
	limit := davy.parameter("maxFirstWeight", 25)
	first := first_users[_]
	first.percent > limit
	found := davy.violation("PD022", array.concat(at_step(first.step), first.path), sprintf("%v%% of the users meet it first, and at most %v%% may meet what nothing has judged", [first.percent, limit]))
}

# Whatever gives users to it first, and each header route and experiment of more users than the first may be.
first_users[first] {
	first := growing[0]
}

first_users[first] {
	first := experiments[0]
	count([earlier | earlier := growing[_]; earlier.step < first.step]) == 0
}

first_users[first] {
	first := everybody[_]
}

violation[found] {
	davy.enforced("PD023")
	is_canary
	limit := davy.parameter("maxWeightStep", 50)
	from := growing[index]
	to := growing[index + 1]
	to.percent - from.percent > limit
	found := davy.violation("PD023", array.concat(at_step(to.step), to.path), sprintf("it goes from %v%% to %v%% of the users in one step, and a step is at most %v%%", [from.percent, to.percent, limit]))
}

# After the last step everybody gets it.
violation[found] {
	davy.enforced("PD023")
	is_canary
	limit := davy.parameter("maxWeightStep", 50)
	last := growing[count(growing) - 1]
	100 - last.percent > limit
	found := davy.violation("PD023", array.concat(at_step(last.step), last.path), sprintf("after the last step it goes from %v%% to all users at once, and a step is at most %v%%", [last.percent, limit]))
}

violation[found] {
	davy.enforced("PD024")
	is_canary
	from := weights[index]
	to := weights[index + 1]
	to.percent < from.percent
	found := davy.violation("PD024", array.concat(at_step(to.step), to.path), sprintf("it goes back from %v%% to %v%%, so the steps judge users twice or not at all", [from.percent, to.percent]))
}

violation[found] {
	davy.enforced("PD025")
	is_canary
	count(steps) > 0
	limit := davy.parameter("minStages", 2)
	stages := {weight.percent | weight := growing[_]; weight.percent < 100}
	count(stages) < limit
	found := davy.violation("PD025", ["spec", "strategy", "canary", "steps"], sprintf("before everybody it has %d of the %d stages that are needed", [count(stages), limit]))
}

violation[found] {
	davy.enforced("PD026")
	is_canary
	weight := growing[_]
	weight.percent < 100
	later := [index | index := weights[_].step; index > weight.step]
	next := min(array.concat(later, [count(steps)]))
	count([index | index := gates[_]; index > weight.step; index < next]) == 0
	found := davy.violation("PD026", array.concat(at_step(weight.step), weight.path), sprintf("nothing waits or measures at %v%% before it goes on", [weight.percent]))
}

gates := [index | gate(steps[index])]

gate(step) {
	is_object(davy.at(step, ["pause"], null))
	not instant(step)
}

gate(step) {
	is_object(davy.at(step, [["analysis", "experiment", "plugin"][_]], null))
}

# A pause that says how long it is, and is over at once.
instant(step) {
	duration := davy.at(step, ["pause", "duration"], null)
	duration != null
	davy.seconds(duration) == 0
}

violation[found] {
	davy.enforced("PD027")
	is_canary
	count(steps) > 0
	limit := davy.parameter("minBakeSeconds", 300)
	durations := [seconds | duration := davy.at(steps[_], ["pause", "duration"], null); seconds := davy.seconds(duration)]
	sum(durations) < limit
	not waits_for_a_person
	found := davy.violation("PD027", ["spec", "strategy", "canary", "steps"], sprintf("its pauses are %v s in all, and it takes at least %v s to see what a version does", [sum(durations), limit]))
}

waits_for_a_person {
	step := steps[_]
	is_object(davy.at(step, ["pause"], null))
	davy.at(step, ["pause", "duration"], null) == null
}

# ---------- analyses ----------

# Steps at which something is judged: an analysis, or an experiment that has one.
judging := [index | judges(steps[index])]

judges(step) {
	count(davy.list(step, ["analysis", "templates"])) > 0
}

judges(step) {
	count(davy.list(step, ["experiment", "analyses"])) > 0
}

in_background {
	count(davy.list(canary, ["analysis", "templates"])) > 0
}

starting_step := davy.number(davy.at(canary, ["analysis", "startingStep"], 0), 0)

background_starts := [starting_step | in_background]

violation[found] {
	davy.enforced("PD028")
	is_canary
	count(judging) == 0
	not in_background
	found := davy.violation("PD028", ["spec", "strategy", "canary"], "nothing is measured, so nothing but a person can stop it")
}

violation[found] {
	davy.enforced("PD029")
	is_canary
	in_background
	count(judging) == 0
	starting_step >= count(steps)
	found := davy.violation("PD029", ["spec", "strategy", "canary", "analysis", "startingStep"], sprintf("the analysis begins at step %d, and there are %d, counted from 0", [starting_step, count(steps)]))
}

# Where there is no analysis at all PD028 says so.
violation[found] {
	davy.enforced("PD030")
	is_canary
	begins := min(array.concat(judging, background_starts))
	limit := davy.parameter("maxUnjudgedWeight", 50)
	weight := growing[_]
	weight.percent > limit
	weight.step < begins
	found := davy.violation("PD030", array.concat(at_step(weight.step), weight.path), sprintf("%v%% of the users meet it before the first analysis, and at most %v%% may", [weight.percent, limit]))
}

# Every reference to a template, with where it stands.
references[[where, reference]] {
	places := [
		["spec", "strategy", "canary", "analysis", "templates"],
		["spec", "strategy", "blueGreen", "prePromotionAnalysis", "templates"],
		["spec", "strategy", "blueGreen", "postPromotionAnalysis", "templates"],
	]
	place := places[_]
	reference := davy.list(davy.subject, place)[index]
	where := array.concat(place, [index, "templateName"])
}

references[[where, reference]] {
	places := [["analysis", "templates"], ["experiment", "analyses"]]
	place := places[_]
	reference := davy.list(steps[step], place)[index]
	where := array.concat(array.concat(at_step(step), place), [index, "templateName"])
}

violation[found] {
	davy.enforced("PD031")
	judged
	[where, reference] := references[_]
	name := davy.text(reference, ["templateName"])
	not known(reference, name)
	found := davy.violation("PD031", where, sprintf("there is no analysis template %q where it looks for one", [name]))
}

known(reference, name) {
	davy.at(reference, ["clusterScope"], false) == false
	data.inventory.namespace[davy.namespace][_].AnalysisTemplate[name]
}

known(reference, name) {
	davy.at(reference, ["clusterScope"], false) == true
	data.inventory.cluster[_].ClusterAnalysisTemplate[name]
}

# Every metric that is only looked at, with where that is said.
dry_runs[[where, dry]] {
	places := [
		["spec", "strategy", "canary", "analysis", "dryRun"],
		["spec", "strategy", "blueGreen", "prePromotionAnalysis", "dryRun"],
		["spec", "strategy", "blueGreen", "postPromotionAnalysis", "dryRun"],
	]
	place := places[_]
	dry := davy.list(davy.subject, place)[index]
	where := array.concat(place, [index])
}

dry_runs[[where, dry]] {
	place := [["analysis", "dryRun"], ["experiment", "dryRun"]][_]
	dry := davy.list(steps[step], place)[index]
	where := array.concat(array.concat(at_step(step), place), [index])
}

violation[found] {
	davy.enforced("PD032")
	judged
	[where, dry] := dry_runs[_]
	found := davy.violation("PD032", where, sprintf("the metric %q only runs dry, and can stop nothing", [davy.text(dry, ["metricName"])]))
}

# ---------- blue/green ----------

pre_promotion := davy.list(blue_green, ["prePromotionAnalysis", "templates"])

violation[found] {
	davy.enforced("PD033")
	is_blue_green
	count(pre_promotion) == 0
	found := davy.violation("PD033", ["spec", "strategy", "blueGreen"], "nothing judges the preview before all users are switched to it")
}

violation[found] {
	davy.enforced("PD034")
	is_blue_green
	count(pre_promotion) == 0
	davy.at(blue_green, ["autoPromotionEnabled"], true) == true
	limit := davy.parameter("minAutoPromotionSeconds", 300)
	waits := davy.number(davy.at(blue_green, ["autoPromotionSeconds"], 0), 0)
	waits < limit
	found := davy.violation("PD034", ["spec", "strategy", "blueGreen", promotion_field], sprintf("it promotes itself after %v s, and nobody has looked; at least %v s, or a person", [waits, limit]))
}

promotion_field = "autoPromotionSeconds" {
	davy.at(blue_green, ["autoPromotionSeconds"], null) != null
} else = "autoPromotionEnabled" {
	true
}

violation[found] {
	davy.enforced("PD035")
	judged
	name := ["blueGreen", "canary"][_]
	has(name)
	stays(name)
	limit := davy.parameter("minScaleDownDelaySeconds", 30)
	delay := davy.number(davy.at(strategy, [name, "scaleDownDelaySeconds"], 30), 30)
	delay < limit
	found := davy.violation("PD035", ["spec", "strategy", name, "scaleDownDelaySeconds"], sprintf("the old version is gone %v s after the switch, and %v s are needed to go back at once", [delay, limit]))
}

# Without a router there is no old version that could stay.
stays("blueGreen") {
	true
}

stays("canary") {
	routed
}

# ---------- the rest of the specification ----------

violation[found] {
	davy.enforced("PD036")
	is_canary
	not routed
	replicas > 0
	weight := growing[_]
	weight.percent * replicas < 100
	found := davy.violation("PD036", array.concat(at_step(weight.step), weight.path), sprintf("a weight of %v%% is less than one pod where there are %d: without trafficRouting nobody would meet it, or more than are meant", [weight.percent, replicas]))
}

# With a router the pods may be asked for apart from the users, and be none.
violation[found] {
	davy.enforced("PD036")
	is_canary
	routed
	none := scales_to_nothing[_]
	later := [step | step := scalings[_]; step > none.step]
	until := min(array.concat(later, [count(steps)]))
	weight := growing[_]
	weight.step > none.step
	weight.step < until
	found := davy.violation("PD036", array.concat(at_step(none.step), ["setCanaryScale", none.field]), sprintf("%v%% of the users go to no replica at all", [weight.percent]))
}

scalings := [index | is_object(davy.at(steps[index], ["setCanaryScale"], null))]

scales_to_nothing := [{"step": index, "field": field} |
	scale := davy.map(steps[index], ["setCanaryScale"])
	field := ["weight", "replicas"][_]
	davy.at(scale, [field], null) == 0
	davy.at(scale, ["matchTrafficWeight"], false) != true
]

scalers := [scaler |
	scaler := data.inventory.namespace[davy.namespace][_].HorizontalPodAutoscaler[_]
	davy.text(scaler, ["spec", "scaleTargetRef", "kind"]) == "Rollout"
	davy.text(scaler, ["spec", "scaleTargetRef", "name"]) == davy.name
]

# Who scales it may say how many there are at least.
replicas = found {
	found := davy.number(davy.at(davy.spec, ["replicas"], null), null)
	found != null
} else = found {
	count(scalers) > 0
	found := min([least | least := davy.number(davy.at(scalers[_], ["spec", "minReplicas"], 1), 1)])
} else = 1 {
	true
}

violation[found] {
	davy.enforced("PD037")
	judged
	name := ["canary", "blueGreen"][_]
	has(name)
	unavailable := davy.at(strategy, [name, "maxUnavailable"], "25%")
	takes_all(unavailable)
	found := davy.violation("PD037", ["spec", "strategy", name, "maxUnavailable"], sprintf("%v of %d replicas may be missing, so the stable version may be gone before the new one answers", [unavailable, replicas]))
}

takes_all(unavailable) {
	is_string(unavailable)
	regex.match("^[0-9]+%$", unavailable)
	to_number(trim_suffix(unavailable, "%")) >= 100
}

takes_all(unavailable) {
	is_number(unavailable)
	replicas > 0
	unavailable >= replicas
}

violation[found] {
	davy.enforced("PD038")
	judged
	davy.at(davy.spec, ["progressDeadlineAbort"], false) != true
	found := davy.violation("PD038", ["spec", "progressDeadlineAbort"], "a version that gets stuck stays where it is: progressDeadlineAbort is not true")
}

violation[found] {
	davy.enforced("PD039")
	judged
	limit := davy.parameter("maxRollbackWindow", 3)
	revisions := davy.number(davy.at(davy.spec, ["rollbackWindow", "revisions"], 0), 0)
	revisions > limit
	found := davy.violation("PD039", ["spec", "rollbackWindow", "revisions"], sprintf("%v old revisions come back without steps or analysis, and at most %v may", [revisions, limit]))
}

violation[found] {
	davy.enforced("PD040")
	judged
	limit := davy.parameter("minRevisionHistory", 2)
	kept := davy.number(davy.at(davy.spec, ["revisionHistoryLimit"], 10), 10)
	kept < limit
	found := davy.violation("PD040", ["spec", "revisionHistoryLimit"], sprintf("%v old revisions are kept, and it takes %v to be sure of a good one to go back to", [kept, limit]))
}

violation[found] {
	davy.enforced("PD047")
	judged
	[where, image] := images[_]
	not pinned(image)
	found := davy.violation("PD047", where, sprintf("%s may be other bytes tomorrow than those that were judged: it has no digest", [image]))
}

pinned(image) {
	regex.match("@sha256:[0-9a-f]{64}$", image)
}

images[[where, image]] {
	list := ["initContainers", "containers"][_]
	container := davy.list(davy.spec, ["template", "spec", list])[index]
	image := davy.text(container, ["image"])
	image != ""
	where := ["spec", "template", "spec", list, index, "image"]
}

# The pod template of a workload that is referred to.
images[[where, image]] {
	reference := davy.map(davy.spec, ["workloadRef"])
	name := davy.text(reference, ["name"])
	workload := data.inventory.namespace[davy.namespace][_][davy.text(reference, ["kind"])][name]
	list := ["initContainers", "containers"][_]
	image := davy.text(davy.list(workload, ["spec", "template", "spec", list])[_], ["image"])
	image != ""
	where := ["spec", "workloadRef", "name"]
}

annotation(key) = found {
	found := trim_space(davy.text(davy.metadata, ["annotations", key]))
}

# What there is of an annotation, and what is wrong with it.
said(key, wrong) = sprintf("the annotation %s is missing", [key]) {
	annotation(key) == ""
} else = sprintf("%q in the annotation %s %s", [annotation(key), key, wrong]) {
	true
}

violation[found] {
	davy.enforced("PD048")
	judged
	not names_an_slo(annotation("davy.dev/slo"))
	found := davy.violation("PD048", ["metadata", "annotations", "davy.dev/slo"], sprintf("it names no SLO: %s", [said("davy.dev/slo", "does not name one")]))
}

names_an_slo(text) {
	regex.match("^https://[^/ ]+", text)
}

names_an_slo(text) {
	regex.match("^[A-Za-z0-9]([A-Za-z0-9._/-]*[A-Za-z0-9])?$", text)
	not nothing[lower(text)]
}

nothing = {"todo", "tbd", "none", "na", "n/a", "no", "false", "null", "x"}

violation[found] {
	davy.enforced("PD049")
	judged
	not regex.match("^https://[^/ ]+", annotation("davy.dev/runbook"))
	found := davy.violation("PD049", ["metadata", "annotations", "davy.dev/runbook"], sprintf("nobody is told how to go back: %s", [said("davy.dev/runbook", "is no https link")]))
}
