"""The delivery metrics once more, in plain SQLite, as naively as they can be written.

Each table is a sentence of docs/reference/delivery-metrics.md. There is no Python in the arithmetic but to hand
over the events and to take out the cells, and nothing is shared with what it is compared with.
"""

import sqlite3
from collections.abc import Iterable

import msgspec

from davy.reports.cells import Cell, Spread
from davy.reports.cloudevents import encode
from davy.reports.event import ChangeEvent

FACTS = """
-- 1. Twice the same: of each content the first receipt, of each name the content that was received first.
CREATE TABLE version AS
    SELECT source, id, content, type, time, repo, "commit", service, environment, rollout, attempt, kind,
        weight, audience, mends_repo, mends_commit, cause, incident, committed, requests, bad, waiver, team,
        min(received) AS received
    FROM told GROUP BY source, id, content;
CREATE TABLE ranked AS
    SELECT *, row_number() OVER (
        PARTITION BY source, id ORDER BY received IS NULL, received, content) AS receipt
    FROM version;

-- 2. and 3. Clocks, and what counts.
CREATE TABLE settled AS
    SELECT *, CASE WHEN time > received + 5000000 THEN received ELSE time END AS at
    FROM ranked WHERE receipt = 1;
CREATE TABLE happened AS
    SELECT * FROM settled WHERE type IN ('created', 'merged') OR (
        (environment IN ('', 'production', 'prod') OR environment LIKE 'prod-%')
        AND NOT (type = 'exposed' AND audience <> 'users')
        AND NOT (type = 'exposed' AND weight IS NOT NULL AND weight = 0));
CREATE INDEX happened_by_incident ON happened (service, incident);
CREATE TABLE of_change AS SELECT * FROM happened WHERE incident = '';
CREATE INDEX of_change_by_change ON of_change (repo, "commit");
CREATE TABLE on_target AS
    SELECT * FROM of_change WHERE type IN ('exposed', 'promoted', 'rolled_back', 'aborted_unexposed');
CREATE INDEX on_target_by_attempt ON on_target (service, repo, "commit", attempt);

-- 4. A change.
CREATE TABLE change AS
    SELECT repo, "commit", min(CASE WHEN type = 'merged' THEN at END) AS merged, min(committed) AS committed
    FROM of_change GROUP BY repo, "commit";
CREATE TABLE mends AS
    SELECT repo, "commit", mends_repo, mends_commit FROM (
        SELECT *, row_number() OVER (PARTITION BY repo, "commit" ORDER BY mends_repo, mends_commit) AS place
        FROM of_change
        WHERE mends_commit IS NOT NULL AND NOT (mends_repo = repo AND mends_commit = "commit"))
    WHERE place = 1;
CREATE INDEX mends_by_change ON mends (repo, "commit");

-- 5. An attempt.
CREATE TABLE tried AS
    SELECT service, repo, "commit", attempt,
        min(CASE WHEN type = 'exposed' THEN at END) AS exposed,
        min(CASE WHEN type = 'promoted' THEN at END) AS promoted,
        min(CASE WHEN type = 'rolled_back' THEN at END) AS rolled_back,
        min(CASE WHEN type = 'aborted_unexposed' THEN at END) AS aborted,
        coalesce(min(CASE WHEN kind <> 'code' THEN kind END), 'code') AS kind,
        coalesce(min(CASE WHEN waiver <> '' THEN waiver END), '') AS waiver,
        max(CASE WHEN type = 'exposed' THEN weight END) AS weight,
        max(CASE WHEN type = 'rolled_back' AND weight > 0 THEN weight END) AS weight_back,
        max(requests) AS requests,
        max(bad) AS bad
    FROM on_target GROUP BY service, repo, "commit", attempt;
CREATE TABLE exposed AS SELECT * FROM tried WHERE exposed IS NOT NULL AND kind <> 'rollback';
CREATE INDEX exposed_by_change ON exposed (repo, "commit", service);

-- 6. Remediation.
CREATE TABLE first_exposed AS
    SELECT * FROM exposed e WHERE attempt = (
        SELECT min(attempt) FROM exposed o
        WHERE o.repo = e.repo AND o."commit" = e."commit" AND o.service = e.service);
CREATE TABLE mended_there AS
    SELECT m.mends_repo AS repo, m.mends_commit AS "commit", y.service, y.exposed AS at
    FROM mends m JOIN first_exposed y ON y.repo = m.repo AND y."commit" = m."commit";
CREATE TABLE mended_elsewhere AS
    SELECT m.mends_repo AS repo, m.mends_commit AS "commit", x.service, (
        SELECT min(exposed) FROM exposed y WHERE y.repo = m.repo AND y."commit" = m."commit") AS at
    FROM mends m JOIN (SELECT DISTINCT repo, "commit", service FROM exposed) x
        ON x.repo = m.mends_repo AND x."commit" = m.mends_commit
    WHERE NOT EXISTS (
        SELECT 1 FROM exposed y JOIN exposed z ON z.service = y.service
        WHERE y.repo = m.repo AND y."commit" = m."commit" AND z.repo = x.repo AND z."commit" = x."commit");
CREATE TABLE mark AS
    SELECT service, repo, "commit", at, (
        SELECT attempt FROM exposed e
        WHERE e.repo = m.repo AND e."commit" = m."commit" AND e.service = m.service AND e.exposed <= m.at
        ORDER BY e.exposed DESC, e.attempt DESC LIMIT 1) AS attempt
    FROM (SELECT * FROM mended_there UNION SELECT * FROM mended_elsewhere) m WHERE at IS NOT NULL;
CREATE TABLE remediated AS
    SELECT service, repo, "commit", attempt, min(at) AS at FROM mark
    WHERE attempt IS NOT NULL GROUP BY service, repo, "commit", attempt;
CREATE INDEX remediated_by_attempt ON remediated (service, repo, "commit", attempt);

-- 7. Failed.
CREATE TABLE judged AS
    SELECT e.*, CASE WHEN r.at IS NULL THEN rolled_back WHEN rolled_back IS NULL THEN r.at
        ELSE min(rolled_back, r.at) END AS failed_at
    FROM exposed e LEFT JOIN remediated r
        ON r.service = e.service AND r.repo = e.repo AND r."commit" = e."commit" AND r.attempt = e.attempt;
CREATE INDEX judged_by_change ON judged (repo, "commit", service);

-- 8. A rollout.
CREATE TABLE in_rollout AS
    SELECT o.*, CASE WHEN o.rollout <> '' THEN o.rollout ELSE coalesce((
        SELECT min(p.rollout) FROM on_target p WHERE p.service = o.service AND p.repo = o.repo
            AND p."commit" = o."commit" AND p.attempt = o.attempt AND p.rollout <> ''),
        o.repo || '@' || o."commit" || '#' || o.attempt) END AS name
    FROM on_target o;
CREATE INDEX in_rollout_by_name ON in_rollout (service, name);
CREATE TABLE rolled AS
    SELECT service, name,
        min(CASE WHEN type = 'exposed' THEN at END) AS exposed,
        min(CASE WHEN type = 'promoted' THEN at END) AS promoted,
        min(CASE WHEN type = 'rolled_back' THEN at END) AS rolled_back,
        coalesce(min(CASE WHEN kind <> 'code' THEN kind END), 'code') AS kind,
        max(i.type = 'exposed'
            AND EXISTS (SELECT 1 FROM mends m WHERE m.repo = i.repo AND m."commit" = i."commit")) AS rework,
        max(i.type = 'exposed' AND EXISTS (SELECT 1 FROM remediated r WHERE r.service = i.service
            AND r.repo = i.repo AND r."commit" = i."commit" AND r.attempt = i.attempt)) AS mended
    FROM in_rollout i GROUP BY service, name;
CREATE TABLE rollout AS
    SELECT *, rolled_back IS NOT NULL OR mended AS failed FROM rolled
    WHERE exposed IS NOT NULL AND kind <> 'rollback';
CREATE INDEX rollout_by_service ON rollout (service, exposed);

-- 9. Incidents.
CREATE TABLE told_incident AS
    SELECT service, incident, at, type FROM happened WHERE incident <> '' GROUP BY service, incident, at, type;
CREATE TABLE told_in_order AS
    SELECT *, lag(at) OVER w AS last_at, lag(type) OVER w AS last_type,
        count(CASE WHEN type = 'opened' THEN 1 END) OVER w AS begun
    FROM told_incident WINDOW w AS (PARTITION BY service, incident ORDER BY at, type);
CREATE TABLE in_episode AS
    SELECT *, sum(type = 'opened' AND (begun = 1 OR (last_type = 'restored' AND at > last_at + 86400000000)))
        OVER (PARTITION BY service, incident ORDER BY at, type) AS episode,
        row_number() OVER (PARTITION BY service, incident ORDER BY at DESC, type DESC) AS from_last
    FROM told_in_order;
CREATE TABLE lasted AS
    SELECT *, row_number() OVER (
        PARTITION BY service, incident, episode ORDER BY at DESC, type DESC) AS from_end
    FROM in_episode WHERE episode > 0;
CREATE TABLE told_of AS
    SELECT e.service, e.incident, e.episode, h.cause, h.repo, h."commit"
    FROM in_episode e JOIN happened h
        ON h.service = e.service AND h.incident = e.incident AND h.at = e.at AND h.type = e.type;
CREATE INDEX told_of_by_incident ON told_of (service, incident, episode);
CREATE TABLE episode AS
    SELECT service, incident, episode, min(at) AS opened,
        max(CASE WHEN from_end = 1 AND type = 'restored' THEN at END) AS restored,
        (SELECT min(cause) FROM told_of t WHERE t.service = l.service AND t.incident = l.incident
            AND t.episode = l.episode AND cause <> '') AS cause
    FROM lasted l GROUP BY service, incident, episode;
CREATE TABLE followed AS
    SELECT *, row_number() OVER w AS place, lag(restored) OVER w AS last_restored
    FROM episode
    WINDOW w AS (PARTITION BY service, cause ORDER BY opened, restored IS NULL, restored, incident);
CREATE TABLE united AS
    SELECT *, CASE WHEN cause IS NULL THEN incident || char(10) || episode ELSE cause || char(10) || sum(NOT (
        last_restored IS NOT NULL AND opened BETWEEN last_restored AND last_restored + 86400000000))
        OVER (PARTITION BY service, cause ORDER BY place) END AS whole
    FROM followed;
CREATE TABLE incident AS
    SELECT service, whole, cause IS NULL AS alone, min(place) AS first, max(place) AS last,
        min(opened) AS opened
    FROM united GROUP BY service, whole, cause IS NULL;
CREATE TABLE ended AS
    SELECT i.*, u.restored FROM incident i JOIN united u
        ON u.service = i.service AND u.whole = i.whole AND (u.cause IS NULL) = i.alone AND u.place = i.last;

-- 10. Attribution.
CREATE TABLE named AS
    SELECT service, whole, alone, repo, "commit" FROM (
        SELECT u.service, u.whole, u.cause IS NULL AS alone, h.repo, h."commit", row_number() OVER (
            PARTITION BY u.service, u.whole, u.cause IS NULL ORDER BY h.repo, h."commit") AS place
        FROM united u JOIN told_of h
            ON h.service = u.service AND h.incident = u.incident AND h.episode = u.episode AND h.repo <> '')
    WHERE place = 1;
CREATE TABLE explicit AS
    SELECT d.service, d.whole, d.alone, n.repo, n."commit", coalesce(
        (SELECT attempt FROM exposed e WHERE e.repo = n.repo AND e."commit" = n."commit"
            AND e.service = d.service AND e.exposed <= d.opened
            ORDER BY e.exposed DESC, e.attempt DESC LIMIT 1),
        (SELECT attempt FROM exposed e WHERE e.repo = n.repo AND e."commit" = n."commit"
            AND e.service = d.service ORDER BY e.exposed, e.attempt LIMIT 1)) AS attempt
    FROM ended d JOIN named n ON n.service = d.service AND n.whole = d.whole AND n.alone = d.alone;
CREATE TABLE suspected AS
    SELECT d.service, d.whole, d.alone, (
        SELECT name FROM rollout r WHERE r.service = d.service AND r.exposed <= d.opened AND CASE
            WHEN r.rolled_back IS NOT NULL THEN d.opened <= r.rolled_back
            WHEN r.promoted IS NOT NULL THEN d.opened < r.promoted + 3600000000
            ELSE d.opened < r.exposed + 86400000000 END
        ORDER BY r.exposed DESC, r.name DESC LIMIT 1) AS name
    FROM ended d WHERE NOT EXISTS (SELECT 1 FROM explicit x WHERE x.service = d.service AND x.whole = d.whole
        AND x.alone = d.alone AND x.attempt IS NOT NULL);
CREATE TABLE responsible AS
    SELECT service, whole, alone, repo, "commit", attempt FROM explicit WHERE attempt IS NOT NULL
    UNION SELECT s.service, s.whole, s.alone, i.repo, i."commit", i.attempt
        FROM suspected s JOIN in_rollout i ON i.service = s.service AND i.name = s.name AND i.type = 'exposed'
        JOIN exposed e ON e.service = i.service AND e.repo = i.repo AND e."commit" = i."commit"
            AND e.attempt = i.attempt;
CREATE INDEX responsible_by_attempt ON responsible (service, repo, "commit", attempt);
CREATE TABLE caused AS
    SELECT d.service, d.opened, d.restored, d.whole, (
        SELECT min(t.exposed) FROM responsible r JOIN tried t ON t.service = r.service AND t.repo = r.repo
            AND t."commit" = r."commit" AND t.attempt = r.attempt
        WHERE r.service = d.service AND r.whole = d.whole AND r.alone = d.alone) AS exposed
    FROM ended d;
"""

FIGURES = """
CREATE TABLE sized AS
    SELECT *, CASE WHEN promoted <= failed_at THEN 1000000
            ELSE coalesce(weight_back, weight, 1000000) END AS share,
        EXISTS (SELECT 1 FROM responsible r WHERE r.service = j.service AND r.repo = j.repo
            AND r."commit" = j."commit" AND r.attempt = j.attempt) AS guilty
    FROM judged j;
CREATE TABLE figure (name TEXT, service TEXT, week INTEGER, value INTEGER);
CREATE TABLE span (name TEXT, service TEXT, week INTEGER, value INTEGER);

CREATE TABLE counted AS SELECT *, {monday:exposed} AS week FROM sized;
INSERT INTO figure SELECT 'attempts', service, week, 1 FROM counted;
INSERT INTO figure SELECT 'failed', service, week, 1 FROM counted WHERE failed_at IS NOT NULL;
INSERT INTO figure SELECT 'escaped', service, week, 1 FROM counted WHERE guilty OR failed_at >= promoted;
INSERT INTO figure SELECT 'impact', service, week, share FROM counted WHERE failed_at IS NOT NULL;
-- The product of a share and a hundred days does not fit into 64 bits: whole seconds apart from the rest.
INSERT INTO figure SELECT 'bad_time', service, week, share * ((failed_at - exposed) / 1000000)
        + share * ((failed_at - exposed) % 1000000) / 1000000
    FROM counted WHERE failed_at > exposed;
INSERT INTO figure SELECT 'asked', service, week, requests
    FROM counted WHERE requests IS NOT NULL AND bad IS NOT NULL;
INSERT INTO figure SELECT 'bad', service, week, bad
    FROM counted WHERE requests IS NOT NULL AND bad IS NOT NULL;
INSERT INTO figure SELECT 'waived', service, week, 1 FROM counted WHERE waiver <> '';
INSERT INTO figure SELECT 'waived_failed', service, week, 1
    FROM counted WHERE waiver <> '' AND failed_at IS NOT NULL;

CREATE TABLE cohort AS
    SELECT service, min(exposed) AS exposed, max(failed_at IS NOT NULL) AS failed
    FROM judged GROUP BY repo, "commit", service
    UNION ALL SELECT '', min(exposed), max(failed_at IS NOT NULL) FROM judged GROUP BY repo, "commit";
INSERT INTO figure SELECT 'changes', service, {monday:exposed}, 1 FROM cohort;
INSERT INTO figure SELECT 'changes_failed', service, {monday:exposed}, failed FROM cohort;

INSERT INTO figure SELECT 'rollouts', service, {monday:exposed}, 1 FROM rollout;
INSERT INTO figure SELECT 'rollouts_failed', service, {monday:exposed}, failed FROM rollout;
INSERT INTO figure SELECT 'rework', service, {monday:exposed}, rework FROM rollout;
INSERT INTO figure SELECT 'promoted', service, {monday:promoted}, 1 FROM rollout WHERE promoted IS NOT NULL;
INSERT INTO figure SELECT 'promoted_days', service, week, count(DISTINCT day) FROM (
    SELECT service, {monday:promoted} AS week, promoted / 86400000000 AS day FROM rollout
    WHERE promoted IS NOT NULL) GROUP BY service, week;

INSERT INTO figure SELECT 'rollbacks', service, {monday:exposed}, 1
    FROM tried WHERE kind = 'rollback' AND exposed IS NOT NULL;
INSERT INTO figure SELECT 'rollbacks_failed', service, {monday:exposed}, 1
    FROM tried WHERE kind = 'rollback' AND exposed IS NOT NULL AND rolled_back IS NOT NULL;
INSERT INTO figure SELECT 'unexposed', service, {monday:aborted}, 1 FROM tried
    WHERE exposed IS NULL AND promoted IS NULL AND rolled_back IS NULL AND aborted IS NOT NULL;

CREATE TABLE led AS
    SELECT f.service, {monday:f.exposed} AS week, f.exposed, c.merged, c.committed,
        (SELECT exposed FROM judged j
            WHERE j.service = f.service AND j.repo = f.repo AND j."commit" = f."commit" AND failed_at IS NULL
            ORDER BY attempt LIMIT 1) AS success,
        (SELECT min(promoted) FROM judged j
            WHERE j.service = f.service AND j.repo = f.repo AND j."commit" = f."commit") AS promoted
    FROM first_exposed f JOIN change c ON c.repo = f.repo AND c."commit" = f."commit";
INSERT INTO figure SELECT 'no_merge', service, week, 1 FROM led WHERE merged IS NULL;
INSERT INTO figure SELECT 'negative', service, week, 1 FROM led WHERE exposed - merged < -5000000;
INSERT INTO span SELECT name, service, week, max(value, 0) FROM (
    SELECT 'lead_time' AS name, service, week, exposed - merged AS value FROM led
    UNION ALL SELECT 'lead_to_success', service, week, success - merged FROM led
    UNION ALL SELECT 'lead_to_full', service, week, promoted - merged FROM led
    UNION ALL SELECT 'dora_lead', service, week, promoted - committed FROM led) WHERE value >= -5000000;

INSERT INTO span SELECT 'mttr', service, {monday:restored}, restored - opened
    FROM caused WHERE restored IS NOT NULL;
INSERT INTO span SELECT 'fdrt', service, {monday:restored}, restored - opened
    FROM caused WHERE restored IS NOT NULL AND exposed IS NOT NULL;
INSERT INTO span SELECT 'fdrt_from_exposure', service, {monday:restored}, max(restored - exposed, 0)
    FROM caused WHERE restored IS NOT NULL AND exposed IS NOT NULL;
INSERT INTO figure SELECT 'opened', service, {monday:opened}, 1 FROM caused WHERE restored IS NULL;

-- What is impaired: between two instants at which anything begins or ends, all of the time is or none of it.
CREATE TABLE suffering AS
    SELECT service, opened AS begun, coalesce(restored, (SELECT max(at) FROM settled)) AS done FROM caused;
CREATE TABLE mondays AS
    WITH RECURSIVE week (begun) AS (
        SELECT {monday:(SELECT min(begun) FROM suffering)} WHERE EXISTS (SELECT 1 FROM suffering)
        UNION ALL SELECT begun + 604800000000 FROM week WHERE begun < (SELECT max(done) FROM suffering))
    SELECT begun FROM week;
CREATE TABLE instant AS
    SELECT service, begun AS at FROM suffering UNION SELECT service, done FROM suffering
    UNION SELECT s.service, m.begun FROM suffering s JOIN mondays m ON m.begun BETWEEN s.begun AND s.done;
CREATE TABLE between_two AS
    SELECT service, at, lead(at) OVER (PARTITION BY service ORDER BY at) AS till FROM instant;
CREATE INDEX suffering_by_service ON suffering (service, begun);
INSERT INTO figure SELECT 'impaired', service, {monday:at}, till - at FROM between_two b
    WHERE till IS NOT NULL AND EXISTS (
        SELECT 1 FROM suffering s WHERE s.service = b.service AND s.begun <= b.at AND s.done >= b.till);

-- All services together.
INSERT INTO figure SELECT name, '', week, value FROM figure
    WHERE name NOT IN ('changes', 'changes_failed', 'promoted_days');
INSERT INTO figure SELECT 'promoted_days', '', week, count(DISTINCT day) FROM (
    SELECT {monday:promoted} AS week, promoted / 86400000000 AS day FROM rollout
    WHERE promoted IS NOT NULL) GROUP BY week;
INSERT INTO span SELECT name, '', week, value FROM span;
CREATE TABLE placed AS
    SELECT *, row_number() OVER w AS place, count(*) OVER (PARTITION BY name, service, week) AS n
    FROM span WINDOW w AS (PARTITION BY name, service, week ORDER BY value);
"""

SPREADS = """
SELECT name, service, week, n, sum(value),
    max(CASE WHEN place = (n * 50 + 99) / 100 THEN value END),
    max(CASE WHEN place = (n * 75 + 99) / 100 THEN value END),
    max(CASE WHEN place = (n * 90 + 99) / 100 THEN value END),
    max(CASE WHEN place = (n * 95 + 99) / 100 THEN value END)
FROM placed GROUP BY name, service, week
"""


def cells(events: Iterable[ChangeEvent]) -> list[Cell]:
    """Return the cells of events in an environment of production."""
    db = sqlite3.connect(":memory:")
    db.execute(
        """CREATE TABLE told (source TEXT, id TEXT, type TEXT, time INTEGER, repo TEXT, "commit" TEXT,
        service TEXT, environment TEXT, rollout TEXT, attempt INTEGER, kind TEXT, weight INTEGER, audience TEXT,
        mends_repo TEXT, mends_commit TEXT, cause TEXT, incident TEXT, received INTEGER, committed INTEGER,
        requests INTEGER, bad INTEGER, waiver TEXT, team TEXT, content BLOB)"""
    )
    db.executemany(f"INSERT INTO told VALUES ({','.join('?' * 24)})", map(_row, events))
    db.executescript("PRAGMA case_sensitive_like = ON;" + _with_weeks(FACTS + FIGURES))
    found: dict[tuple[str, int], dict[str, object]] = {}
    for name, service, week, value in db.execute(
        "SELECT name, service, week, sum(value) FROM figure GROUP BY name, service, week"
    ):
        found.setdefault((service, week), {})[name] = value
    for name, service, week, *values in db.execute(SPREADS):
        found.setdefault((service, week), {})[name] = Spread(*values)
    db.close()
    return [Cell(service, week, **fields) for (service, week), fields in found.items()]  # type: ignore[arg-type]


def _with_weeks(script: str) -> str:
    """Write out `{monday:X}`: the Monday of the week of an instant, also before 1970."""
    while (begin := script.find("{monday:")) >= 0:
        end = script.index("}", begin)
        instant = script[begin + len("{monday:") : end]
        monday = f"({instant} - (({instant} - 345600000000) % 604800000000 + 604800000000) % 604800000000)"
        script = script[:begin] + monday + script[end + 1 :]
    return script


def _row(event: ChangeEvent) -> tuple[object, ...]:
    mends = event.remediates or (None, None)
    return (
        *(event.source, event.id, event.type, event.time, event.repo, event.commit, event.service),
        *(event.environment, event.rollout, event.attempt, event.kind, event.weight, event.audience),
        *mends,
        *(event.cause, event.incident, event.received, event.committed, event.requests, event.bad),
        *(event.waiver, event.team, encode(msgspec.structs.replace(event, received=None))),
    )
