"""From events to facts, in SQL: the ten steps of docs/reference/delivery-metrics.md, in their order.

Every instant is in whole microseconds, every share in millionths, and nothing is a fraction, so that no order
of adding up makes a difference. Each statement makes one table or view; later ones rest on the ones before.
"""

import duckdb

_STEPS = """
CREATE OR REPLACE TEMP VIEW told AS
SELECT *, CASE WHEN received < time - 5000000 THEN received ELSE time END AS happened
FROM coded
WHERE coalesce(received, time) <= getvariable('received_by');

CREATE OR REPLACE TEMP VIEW counted AS
SELECT * FROM told
WHERE type < 2 OR (type < 8 AND CASE
    WHEN getvariable('environment') = ''
    THEN environment IS NULL OR environment IN ('production', 'prod') OR starts_with(environment, 'prod-')
    ELSE environment IS NOT DISTINCT FROM getvariable('environment') END);

CREATE OR REPLACE TEMP TABLE said_of_changes AS
SELECT change, min(happened) FILTER (type = 0) AS created, min(happened) FILTER (type = 1) AS merged,
    coalesce(min(committed), min(happened) FILTER (type = 0)) AS committed,
    min(remediates) FILTER (remediates <> change) AS remediates,
    min(kind) FILTER (type < 2 AND kind <> 5) AS told_kind
FROM counted
WHERE type < 2 OR remediates IS NOT NULL
GROUP BY change;

CREATE OR REPLACE TEMP TABLE attempts AS
WITH tried AS (
    SELECT change, service, attempt, min(rollout) AS rollout, max(rollout) AS last_rollout,
        min(happened) FILTER (type = 2) AS exposed, min(happened) FILTER (type = 3) AS promoted,
        min(happened) FILTER (type = 4) AS rolled_back, min(happened) FILTER (type = 5) AS aborted,
        min(kind) AS told_of_it, bool_or(waived) AS waived, min(team) AS team,
        max(weight) FILTER (type = 2) AS weight, max(weight) FILTER (type = 4 AND weight > 0) AS weight_back,
        max(requests) AS requests, max(bad) AS bad
    FROM counted
    WHERE type BETWEEN 2 AND 5
    GROUP BY change, service, attempt
)
SELECT tried.* EXCLUDE (last_rollout, told_of_it), last_rollout <> rollout AS in_several,
    coalesce(told_of_it, told_kind, 0) AS kind
FROM tried LEFT JOIN (SELECT change, told_kind FROM said_of_changes WHERE told_kind IS NOT NULL) USING (change);

CREATE OR REPLACE TEMP TABLE moves AS
SELECT change, service, attempt, coalesce(counted.rollout, several.rollout) AS rollout,
    min(happened) FILTER (type = 2) AS exposed, min(happened) FILTER (type = 3) AS promoted,
    min(happened) FILTER (type = 4) AS rolled_back, any_value(several.kind) AS kind, min(team) AS team
FROM counted JOIN (SELECT change, service, attempt, rollout, kind FROM attempts WHERE in_several) AS several
    USING (change, service, attempt)
WHERE type BETWEEN 2 AND 5
GROUP BY ALL;

CREATE OR REPLACE TEMP TABLE fixes AS
SELECT said.change AS fix, said.remediates AS mended, service, arg_min(exposed, attempt) AS first,
    arg_min_null(rollout, attempt) AS rollout, min(exposed) AS earliest
FROM said_of_changes AS said JOIN attempts USING (change)
WHERE said.remediates IS NOT NULL AND exposed IS NOT NULL AND kind <> 5
GROUP BY ALL;

CREATE OR REPLACE TEMP TABLE mendable AS
SELECT change, service, attempt, exposed, rollout
FROM attempts SEMI JOIN fixes ON fixes.mended = attempts.change
WHERE exposed IS NOT NULL AND kind <> 5;

CREATE OR REPLACE TEMP VIEW met AS
SELECT DISTINCT fix FROM fixes JOIN mendable ON mendable.change = mended AND mendable.service = fixes.service;

CREATE OR REPLACE TEMP TABLE marks AS
WITH candidates AS (
    SELECT fix, mendable.*, fixes.first AS marked
    FROM fixes JOIN mendable ON mendable.change = mended AND mendable.service = fixes.service
    WHERE mendable.exposed < fixes.first AND NOT coalesce(mendable.rollout = fixes.rollout, false)
    UNION ALL
    SELECT fix, mendable.*, marked
    FROM (SELECT fix, mended, min(earliest) AS marked FROM fixes ANTI JOIN met USING (fix) GROUP BY fix, mended)
    JOIN mendable ON mendable.change = mended
    WHERE mendable.exposed < marked
), latest AS (
    SELECT * FROM candidates
    QUALIFY row_number() OVER (PARTITION BY fix, service ORDER BY exposed DESC, attempt DESC) = 1
)
SELECT change, service, attempt, min(marked) AS remediated FROM latest GROUP BY ALL;

CREATE OR REPLACE TEMP TABLE exposures AS
SELECT change, service, attempt, exposed, promoted, rolled_back, remediated,
    least(rolled_back, remediated) AS failed_at, kind, waived, team,
    CASE WHEN promoted <= least(rolled_back, remediated) THEN 1000000
        ELSE coalesce(weight_back, weight, 1000000) END AS share,
    requests, bad
FROM attempts LEFT JOIN marks USING (change, service, attempt)
WHERE exposed IS NOT NULL AND kind <> 5;

CREATE OR REPLACE TEMP TABLE firsts AS
WITH again AS (
    SELECT DISTINCT change, service FROM exposures WHERE attempt > 1
), met AS (
    SELECT change, service, exposed, kind, coalesce(team, 0) AS team, promoted,
        CASE WHEN failed_at IS NULL THEN exposed END AS success
    FROM exposures ANTI JOIN again USING (change, service)
    UNION ALL BY NAME
    SELECT change, service, arg_min(exposed, attempt) AS exposed, arg_min(kind, attempt) AS kind,
        arg_min(coalesce(team, 0), attempt) AS team, min(promoted) AS promoted,
        arg_min(exposed, attempt) FILTER (failed_at IS NULL) AS success
    FROM exposures SEMI JOIN again USING (change, service) GROUP BY change, service
)
SELECT met.*, merged, committed FROM met LEFT JOIN said_of_changes USING (change);

CREATE OR REPLACE TEMP VIEW parts AS
SELECT change, service, attempt, coalesce(rollout, -(change * 2147483648 + attempt)) AS rollout,
    exposed, promoted, rolled_back, nullif(kind, 0) AS kind, team
FROM attempts WHERE in_several IS NOT TRUE
UNION ALL
SELECT change, service, attempt, rollout, exposed, promoted, rolled_back, nullif(kind, 0) AS kind, team
FROM moves;

CREATE OR REPLACE TEMP TABLE rollouts_made AS
SELECT service, rollout, min(exposed) AS exposed, min(promoted) AS promoted, min(rolled_back) AS rolled_back,
    coalesce(min(parts.kind), 0) AS kind, min(team) AS team,
    min(rolled_back) IS NOT NULL OR bool_or(exposed IS NOT NULL AND remediated IS NOT NULL) AS failed,
    bool_or(exposed IS NOT NULL AND remediates IS NOT NULL) AS rework
FROM parts LEFT JOIN marks USING (change, service, attempt)
LEFT JOIN (SELECT change, remediates FROM said_of_changes WHERE remediates IS NOT NULL) USING (change)
WHERE parts.kind IS DISTINCT FROM 5
GROUP BY service, rollout
HAVING min(exposed) IS NOT NULL;

CREATE OR REPLACE TEMP TABLE incident_events AS
SELECT *, sum(begins::INT) OVER spell AS instance FROM (
    SELECT service, incident, happened, type, min(cause) AS cause, min(change) AS change, min(team) AS team,
        type = 6 AND (
            count(*) FILTER (type = 6) OVER before = 0
            OR (lag(type) OVER spell = 7 AND lag(happened) OVER spell < happened - 86400000000)
        ) AS begins
    FROM counted WHERE type IN (6, 7)
    GROUP BY service, incident, happened, type
    WINDOW spell AS (PARTITION BY service, incident ORDER BY happened, type),
        before AS (PARTITION BY service, incident ORDER BY happened, type
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
)
WINDOW spell AS (PARTITION BY service, incident ORDER BY happened, type ROWS UNBOUNDED PRECEDING);

CREATE OR REPLACE TEMP TABLE spells AS
SELECT service, incident, min(happened) AS opened,
    CASE WHEN arg_max(type, happened * 10 + type) = 7 THEN max(happened) END AS restored,
    min(cause) AS cause, min(change) AS change, min(team) AS team
FROM incident_events WHERE instance > 0
GROUP BY service, incident, instance;

CREATE OR REPLACE TEMP TABLE incidents AS
WITH ranked AS (
    SELECT *, coalesce(NOT (opened BETWEEN lag(restored) OVER spell AND lag(restored) OVER spell + 86400000000),
        true) AS begins, row_number() OVER spell AS place
    FROM spells WHERE cause IS NOT NULL
    WINDOW spell AS (PARTITION BY service, cause ORDER BY opened, restored NULLS LAST, incident)
), chained AS (
    SELECT *, sum(begins::INT) OVER (PARTITION BY service, cause ORDER BY place
        ROWS UNBOUNDED PRECEDING) AS chain
    FROM ranked
), joined AS (
    SELECT service, arg_min(incident, place) AS incident, arg_min(opened, place) AS opened,
        CASE WHEN count(restored) = count(*) THEN arg_max(restored, place) END AS restored,
        min(change) AS change, min(team) AS team, cause
    FROM chained GROUP BY service, cause, chain
    UNION ALL
    SELECT service, incident, opened, restored, change, team, cause FROM spells WHERE cause IS NULL
)
SELECT *, row_number() OVER () AS id FROM joined;

CREATE OR REPLACE TEMP TABLE blamed AS
SELECT id, change, service, attempt, exposed, kind
FROM incidents JOIN exposures USING (change, service)
QUALIFY row_number() OVER (PARTITION BY id ORDER BY exposed > opened,
    CASE WHEN exposed > opened THEN exposed ELSE -exposed END,
    CASE WHEN exposed > opened THEN attempt ELSE -attempt END) = 1;

CREATE OR REPLACE TEMP TABLE active AS
WITH unblamed AS (
    SELECT id, service, opened FROM incidents ANTI JOIN blamed USING (id)
), ending AS (
    SELECT service, rollout, exposed, CASE WHEN rolled_back IS NOT NULL THEN rolled_back
        ELSE coalesce(promoted + 3600000000, exposed + 86400000000) - 1 END AS until
    FROM rollouts_made SEMI JOIN unblamed USING (service)
), hourly AS (
    SELECT *, unnest(range(exposed // 3600000000, until // 3600000000 + 1)) AS hour
    FROM ending WHERE until >= exposed AND until - exposed <= 864000000000
), matched AS (
    SELECT id, opened, hourly.* EXCLUDE (hour)
    FROM unblamed JOIN hourly ON hourly.service = unblamed.service AND hour = opened // 3600000000
    UNION ALL
    SELECT id, opened, ending.*
    FROM unblamed JOIN ending ON ending.service = unblamed.service WHERE until - exposed > 864000000000
)
SELECT id, service, rollout, exposed FROM matched WHERE opened BETWEEN exposed AND until
QUALIFY rank() OVER (PARTITION BY id ORDER BY exposed DESC) = 1;

CREATE OR REPLACE TEMP TABLE chosen AS
SELECT active.id, service, rollout
FROM active LEFT JOIN rollouts ON rollouts.id = rollout
LEFT JOIN changes ON changes.id = -rollout // 2147483648
QUALIFY row_number() OVER (PARTITION BY active.id ORDER BY coalesce(
    rollouts.name, repo || '@' || commit || '#' || (-rollout % 2147483648)) DESC) = 1;

CREATE OR REPLACE TEMP TABLE held AS
SELECT * FROM blamed
UNION
SELECT chosen.id, change, service, attempt, exposures.exposed, exposures.kind
FROM chosen JOIN parts USING (service, rollout) JOIN exposures USING (change, service, attempt)
WHERE parts.exposed IS NOT NULL;

CREATE OR REPLACE TEMP TABLE outages AS
SELECT incidents.*, causes.exposed AS exposed, coalesce(causes.kind, -1) AS kind
FROM incidents LEFT JOIN (
    SELECT id, min(exposed) AS exposed, coalesce(min(kind) FILTER (kind > 0), 0) AS kind FROM held GROUP BY id
) AS causes USING (id);
"""

STEPS = tuple(step.strip() for step in _STEPS.split(";\n") if step.strip())
"""The statements; `told`, `counted`, `met` and `parts` are views, everything else tables.

`moves` has only attempts that are in several rollouts, which are rare: what each of them has of an attempt.
"""


def derive(connection: duckdb.DuckDBPyConnection, environment: str, received_by: int) -> None:
    """Make the facts of the events in a connection, of those only that were received by an instant."""
    connection.execute("SET VARIABLE environment = ?", [environment])
    connection.execute("SET VARIABLE received_by = ?", [received_by])
    for step in STEPS:
        connection.execute(step)
