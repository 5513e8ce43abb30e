"""Events in columns, for DuckDB: a name is its number in the order of names, so that numbers are compared.

They are in the memory of a connection, or in a directory of Parquet files that is read without the events.
"""

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import duckdb
import msgspec

from davy.reports.event import ChangeEvent

_BATCH = 100_000
_ENCODER = msgspec.json.Encoder()

_RAW = """
CREATE OR REPLACE TEMP TABLE raw (
    type VARCHAR, time BIGINT, repo VARCHAR, commit VARCHAR, service VARCHAR, environment VARCHAR,
    rollout VARCHAR, attempt BIGINT, kind VARCHAR, weight BIGINT, audience VARCHAR, remediates VARCHAR[],
    cause VARCHAR, incident VARCHAR, received BIGINT, committed BIGINT, requests BIGINT, bad BIGINT,
    waiver VARCHAR, team VARCHAR, seq BIGINT
)
"""

_READ = """
INSERT INTO raw SELECT * FROM read_json(?, format = 'newline_delimited', columns = {
    type: 'VARCHAR', time: 'BIGINT', repo: 'VARCHAR', commit: 'VARCHAR', service: 'VARCHAR',
    environment: 'VARCHAR', rollout: 'VARCHAR', attempt: 'BIGINT', kind: 'VARCHAR', weight: 'BIGINT',
    audience: 'VARCHAR', remediates: 'VARCHAR[]', cause: 'VARCHAR', incident: 'VARCHAR', received: 'BIGINT',
    committed: 'BIGINT', requests: 'BIGINT', bad: 'BIGINT', waiver: 'VARCHAR', team: 'VARCHAR', seq: 'BIGINT'
})
"""

_TABLES = {
    "services": """
        SELECT row_number() OVER (ORDER BY name) AS id, name
        FROM (SELECT DISTINCT service AS name FROM raw WHERE service IS NOT NULL)
    """,
    "changes": """
        SELECT row_number() OVER (ORDER BY repo, commit) AS id, repo, commit FROM (
            SELECT repo, commit FROM raw WHERE repo IS NOT NULL
            UNION SELECT remediates[1], remediates[2] FROM raw WHERE remediates IS NOT NULL
        )
    """,
    "rollouts": """
        SELECT row_number() OVER (ORDER BY name) AS id, name
        FROM (SELECT DISTINCT rollout AS name FROM raw WHERE rollout IS NOT NULL)
    """,
    "teams": """
        SELECT row_number() OVER (ORDER BY name) AS id, name
        FROM (SELECT DISTINCT team AS name FROM raw WHERE team IS NOT NULL)
    """,
    "coded": """
        SELECT
            (CASE type
                WHEN 'created' THEN 0 WHEN 'merged' THEN 1 WHEN 'promoted' THEN 3 WHEN 'rolled_back' THEN 4
                WHEN 'aborted_unexposed' THEN 5 WHEN 'opened' THEN 6 WHEN 'restored' THEN 7
                ELSE CASE WHEN audience IS NULL AND weight IS DISTINCT FROM 0 THEN 2 ELSE 8 END
            END)::TINYINT AS type,
            time, received, raw.environment, services.id AS service, changes.id AS change,
            rollouts.id AS rollout,
            greatest(coalesce(attempt, 1), 1)
                + CASE WHEN kind = 'rollback' THEN 1073741824 ELSE 0 END AS attempt,
            (CASE kind WHEN 'config' THEN 1 WHEN 'flag' THEN 2 WHEN 'infra' THEN 3 WHEN 'migration' THEN 4
                WHEN 'rollback' THEN 5 END)::TINYINT AS kind,
            weight, mended.id AS remediates, cause, incident, committed, requests, bad,
            waiver IS NOT NULL AS waived, teams.id AS team, coalesce(seq, 0) AS seq
        FROM raw
        LEFT JOIN services ON services.name = raw.service
        LEFT JOIN changes ON changes.repo = raw.repo AND changes.commit = raw.commit
        LEFT JOIN rollouts ON rollouts.name = raw.rollout
        LEFT JOIN teams ON teams.name = raw.team
        LEFT JOIN changes AS mended ON mended.repo = raw.remediates[1] AND mended.commit = raw.remediates[2]
    """,
}
"""`coded` has the events; its type 8 is an exposure that no user of ours meets. The others have the names."""

KINDS = ("code", "config", "flag", "infra", "migration", "rollback")
"""The kinds of changes by number; `code`, which any other takes the place of, is absent in `coded`."""


def connect(memory_mb: int = 750, threads: int = 0) -> duckdb.DuckDBPyConnection:
    """Open a database in memory that reads no extensions; what does not fit goes to a directory for a while."""
    settings: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": f"{memory_mb}MB",
        "autoinstall_known_extensions": False,
        "preserve_insertion_order": False,
    }
    if threads:
        settings["threads"] = threads
    connection = duckdb.connect(":memory:", config=settings)
    connection.execute("SET enable_progress_bar = false")  # it would go among the figures
    return connection


def load(connection: duckdb.DuckDBPyConnection, events: Iterable[ChangeEvent]) -> None:
    """Put events into the tables of a connection, in the place of those that are there."""
    connection.execute(_RAW)
    batch: list[ChangeEvent] = []
    for event in events:
        batch.append(event)
        if len(batch) == _BATCH:
            _insert(connection, batch)
            batch = []
    if batch:
        _insert(connection, batch)
    for name, select in _TABLES.items():
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {select}")
    connection.execute("DROP TABLE raw")


def save(connection: duckdb.DuckDBPyConnection, directory: Path) -> None:
    """Write the tables of a connection to Parquet files in a directory.

    What belongs together lies together there, so that grouping it finds most of it where it was a moment ago.
    """
    directory.mkdir(parents=True, exist_ok=True)
    for name in _TABLES:
        table = connection.table(name)
        ordered = table.order("change, service, attempt, incident") if name == "coded" else table
        ordered.write_parquet(str(directory / f"{name}.parquet"), compression="zstd")


def open_saved(connection: duckdb.DuckDBPyConnection, directory: Path) -> None:
    """Let a connection read the Parquet files of a directory as its tables."""
    for name in _TABLES:
        connection.read_parquet(str(directory / f"{name}.parquet")).create_view(name, replace=True)


def _insert(connection: duckdb.DuckDBPyConnection, events: Sequence[ChangeEvent]) -> None:
    """Add events by way of a file in JSON, which DuckDB reads in parallel: twice as fast as rows one by one."""
    with tempfile.NamedTemporaryFile(suffix=".ndjson") as file:
        file.write(_ENCODER.encode_lines(events))
        file.flush()
        connection.execute(_READ, [file.name])
