# G. Feature flags that somebody answers for, and that are where they may be.
package davyflags

import data.lib.davy

flag {
	davy.kind == "FeatureFlag"
	davy.group == "davy.dev"
	davy.written
}

# Without a pattern of a team's own a ticket is a project and a number.
ticket_pattern := davy.parameter("ticketPattern", "^[A-Z][A-Z0-9]+-[1-9][0-9]*$")

server_only := davy.parameter("serverOnly", ["payments.*", "auth.*"])

chosen(field, otherwise) = found {
	found := davy.text(davy.spec, [field])
	found != ""
} else = otherwise {
	true
}

violation[found] {
	davy.enforced("PD072")
	flag
	trim_space(davy.text(davy.spec, ["owner"])) == ""
	found := davy.violation("PD072", ["spec", "owner"], sprintf("no team answers for %s", [davy.name]))
}

violation[found] {
	davy.enforced("PD072")
	flag
	ticket := davy.text(davy.spec, ["jira"])
	not regex.match(ticket_pattern, ticket)
	found := davy.violation("PD072", ["spec", "jira"], sprintf("the ticket of %s is %s, which is none", [davy.name, davy.quoted(ticket)]))
}

violation[found] {
	davy.enforced("PD073")
	flag
	expiry := davy.text(davy.spec, ["expiry"])
	not regex.match("^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]+)?)?([Zz]|[+-][0-9]{2}:[0-9]{2}))?$", expiry)
	found := davy.violation("PD073", ["spec", "expiry"], sprintf("the end of %s is %s, which is neither a day nor an instant with its zone", [davy.name, davy.quoted(expiry)]))
}

violation[found] {
	davy.enforced("PD074")
	flag
	chosen("exposure", "server") == "client"
	pattern := server_only[_]
	davy.globs(pattern, davy.name)
	found := davy.violation("PD074", ["spec", "exposure"], sprintf("%s is for servers only (%s), and is handed to browsers", [davy.name, pattern]))
}

violation[found] {
	davy.enforced("PD075")
	flag
	chosen("kind", "release") == "release"
	davy.text(davy.spec, ["rollout", "name"]) == ""
	davy.at(davy.spec, ["retired"], false) != true
	found := davy.violation("PD075", ["spec", "rollout"], sprintf("%s may be on in production before any canary has passed", [davy.name]))
}

violation[found] {
	davy.enforced("PD076")
	flag
	chosen("kind", "release") == "kill-switch"
	davy.seconds(davy.text(davy.spec, ["drillEvery"])) <= 0
	davy.at(davy.spec, ["retired"], false) != true
	found := davy.violation("PD076", ["spec", "drillEvery"], sprintf("nobody ever kills %s for practice", [davy.name]))
}

violation[found] {
	davy.enforced("PD077")
	flag
	chosen("criticality", "medium") == "high"
	chosen("onError", "safe") == "code"
	found := davy.violation("PD077", ["spec", "onError"], sprintf("without an answer %s would be what each call says", [davy.name]))
}

violation[found] {
	davy.enforced("PD078")
	was_retired
	davy.operation != "DELETE"
	davy.at(davy.spec, ["retired"], false) != true
	found := davy.violation("PD078", ["spec", "retired"], sprintf("%s was retired, and would be served again", [davy.name]))
}

violation[found] {
	davy.enforced("PD078")
	was_retired
	davy.operation == "DELETE"
	found := davy.violation("PD078", [], sprintf("%s was retired, and its key would be free again", [davy.name]))
}

was_retired {
	davy.kind == "FeatureFlag"
	davy.group == "davy.dev"
	davy.at(davy.before, ["spec", "retired"], false) == true
	not davy.trusted
}

violation[found] {
	davy.enforced("PD080")
	flag
	not davy.trusted
	was := linked(davy.map(davy.before, ["spec"]))
	was != ""
	davy.at(davy.spec, ["retired"], false) != true
	now := linked(davy.spec)
	now != was
	found := davy.violation("PD080", ["spec", "rollout"], sprintf("%s waited for %s, and would wait for %s", [davy.name, was, otherwise_nothing(now)]))
}

violation[found] {
	davy.enforced("PD080")
	flag
	not davy.trusted
	linked(davy.map(davy.before, ["spec"])) == linked(davy.spec)
	davy.at(davy.spec, ["retired"], false) != true
	was := weight(davy.map(davy.before, ["spec"]))
	now := weight(davy.spec)
	now < was
	found := davy.violation("PD080", ["spec", "rollout", "weight"], sprintf("%s waited for a canary at %v percent, and would wait for one at %v", [davy.name, was, now]))
}

# The rollout that a flag waits for; a name alone is one of the flag's own namespace.
linked(what) = found {
	name := davy.text(what, ["rollout", "name"])
	name != ""
	found := concat("/", [link_namespace(what), name])
} else = "" {
	true
}

link_namespace(what) = found {
	found := davy.text(what, ["rollout", "namespace"])
	found != ""
} else = davy.namespace {
	true
}

weight(what) = found {
	found := davy.at(what, ["rollout", "weight"], 100)
	is_number(found)
} else = 100 {
	true
}

otherwise_nothing(link) = "nothing" {
	link == ""
} else = link {
	true
}
