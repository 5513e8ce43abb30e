"""What the store on PostgreSQL consists of: the schema `davy`, which is only ever added to."""

LOCK = 0x64617679
"""The advisory lock of whoever sequences: `davy` in ASCII."""

CHANNEL = "davy_sequenced"
"""Where a sequencer says which rows of the inbox have their places now."""

FENCED = "DV001"
"""The SQLSTATE of a sequencer that another one has replaced."""

FORMAT = 1
"""Of what is below; whoever finds another one keeps off."""

TREE_STEP = 8
"""Hashes of subtrees are kept at every eighth level, as tiles have them; those between are worked out."""

SCHEMA = """
CREATE SCHEMA IF NOT EXISTS davy;

CREATE TABLE davy.records (
    bucket text NOT NULL,
    key    text NOT NULL,
    body   bytea NOT NULL,
    PRIMARY KEY (bucket, key)
);

-- What producers hand in; `receipts` is null until it has its places. The producer takes its row away.
CREATE TABLE davy.inbox (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ticket   uuid NOT NULL UNIQUE,
    items    bytea NOT NULL,
    receipts bytea,
    since    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX inbox_waiting ON davy.inbox (id) WHERE receipts IS NULL;

-- `uid` is the SHA-256 of what an event from outside is known by, so that its length does not matter.
CREATE TABLE davy.ledger (
    seq     bigint PRIMARY KEY,
    uid     bytea UNIQUE,
    subject bytea NOT NULL,
    kind    text NOT NULL,
    body    bytea NOT NULL,
    leaf    bytea NOT NULL
);
CREATE INDEX ledger_by_subject ON davy.ledger (sha256(subject), seq);

CREATE TABLE davy.nodes (
    level smallint NOT NULL,
    index bigint NOT NULL,
    hash  bytea NOT NULL,
    PRIMARY KEY (level, index)
);

-- The tree after each batch; `ticket` says whose it was.
CREATE TABLE davy.heads (
    size   bigint PRIMARY KEY,
    root   bytea NOT NULL,
    epoch  bigint NOT NULL,
    ticket uuid NOT NULL UNIQUE
);

-- One row: who sequenced last, and the tree as it left it (`stack`, the roots of its complete subtrees).
CREATE TABLE davy.sequencer (
    one    boolean PRIMARY KEY DEFAULT true CHECK (one),
    format integer NOT NULL DEFAULT 1,
    epoch  bigint NOT NULL DEFAULT 0,
    holder uuid,
    size   bigint NOT NULL DEFAULT 0,
    stack  bytea NOT NULL DEFAULT ''
);
INSERT INTO davy.sequencer DEFAULT VALUES;

CREATE FUNCTION davy.append_only() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'the ledger is append-only'; END $$;
CREATE TRIGGER is_never_edited BEFORE UPDATE OR DELETE ON davy.ledger
    FOR EACH ROW EXECUTE FUNCTION davy.append_only();
CREATE TRIGGER is_never_cut BEFORE TRUNCATE ON davy.ledger EXECUTE FUNCTION davy.append_only();
CREATE TRIGGER is_never_edited BEFORE UPDATE OR DELETE ON davy.nodes
    FOR EACH ROW EXECUTE FUNCTION davy.append_only();
CREATE TRIGGER is_never_cut BEFORE TRUNCATE ON davy.nodes EXECUTE FUNCTION davy.append_only();
CREATE TRIGGER is_never_edited BEFORE UPDATE OR DELETE ON davy.heads
    FOR EACH ROW EXECUTE FUNCTION davy.append_only();
CREATE TRIGGER is_never_cut BEFORE TRUNCATE ON davy.heads EXECUTE FUNCTION davy.append_only();

-- The fence: a batch grows the tree that it was made for, or the transaction it is in fails.
CREATE FUNCTION davy.advance(
    old_epoch bigint, old_size bigint, new_epoch bigint, new_holder uuid, new_size bigint, new_stack bytea,
    new_root bytea, batch uuid, levels smallint[], indices bigint[], hashes bytea[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE davy.sequencer SET epoch = new_epoch, holder = new_holder, size = new_size, stack = new_stack
        WHERE epoch = old_epoch AND size = old_size;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'another sequencer has taken over' USING ERRCODE = 'DV001';
    END IF;
    INSERT INTO davy.nodes (level, index, hash) SELECT * FROM unnest(levels, indices, hashes);
    INSERT INTO davy.heads (size, root, epoch, ticket) VALUES (new_size, new_root, new_epoch, batch);
END $$;
"""
