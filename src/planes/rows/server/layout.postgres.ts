/** `layout_name` and `protocol_label` of the one row of `sync.meta` (§3.1). */
export const layoutName = 'server_postgres_sync_v1'
export const protocolLabel = 'v1'

/**
 * The schema `sync`, column for column that of go-oversync 0.2, so that either program finds its way in a database of the
 * other. One thing differs: tables that hold one record per row have no foreign keys. Each costs some 8 µs a row, nine of
 * them more than all other work of a push; what they cascade is done by the triggers of `cascades`, once per statement.
 */
export const layout = `
create schema if not exists sync;

create table sync.meta (
  singleton_key boolean primary key check (singleton_key),
  protocol_label text not null default '${protocolLabel}',
  layout_name text not null
);

create table sync.table_catalog (
  table_id integer primary key,
  schema_name text not null,
  table_name text not null,
  sync_key_column text not null,
  sync_key_kind smallint not null,
  constraint table_catalog_schema_table_key unique (schema_name, table_name),
  constraint table_catalog_sync_key_kind_chk check (sync_key_kind in (1, 2))
);

create table sync.user_state (
  user_pk bigint generated always as identity primary key,
  user_id text not null unique,
  next_bundle_seq bigint not null default 1,
  retained_bundle_floor bigint not null default 0,
  constraint user_state_bundle_seq_chk check (next_bundle_seq >= 1),
  constraint user_state_retained_floor_chk
    check (retained_bundle_floor >= 0 and retained_bundle_floor <= next_bundle_seq - 1)
);

create table sync.scope_state (
  user_pk bigint primary key references sync.user_state (user_pk) on delete cascade,
  state_code smallint not null,
  initializer_source_id text,
  initialization_id uuid,
  lease_expires_at timestamptz,
  initialized_at timestamptz,
  initialized_by_source_id text,
  constraint scope_state_code_chk check (state_code in (0, 1, 2)),
  constraint scope_state_fields_chk check (
    (state_code = 0 and num_nonnulls(initializer_source_id, initialization_id, lease_expires_at, initialized_at,
      initialized_by_source_id) = 0)
    or (state_code = 1 and num_nulls(initializer_source_id, initialization_id, lease_expires_at) = 0
      and num_nonnulls(initialized_at, initialized_by_source_id) = 0)
    or (state_code = 2 and num_nonnulls(initializer_source_id, initialization_id, lease_expires_at) = 0
      and num_nulls(initialized_at, initialized_by_source_id) = 0)
  )
);

create table sync.source_state (
  user_pk bigint not null references sync.user_state (user_pk) on delete cascade,
  source_id text not null,
  state text not null,
  max_committed_source_bundle_id bigint not null default 0,
  replaced_by_source_id text not null default '',
  retirement_reason text not null default '',
  primary key (user_pk, source_id),
  constraint source_state_state_chk check (state in ('active', 'reserved', 'retired')),
  constraint source_state_max_committed_chk check (max_committed_source_bundle_id >= 0),
  constraint source_state_active_chk
    check (state <> 'active' or (replaced_by_source_id = '' and retirement_reason = '')),
  constraint source_state_reserved_chk check (state <> 'reserved'
    or (replaced_by_source_id = '' and retirement_reason = '' and max_committed_source_bundle_id = 0)),
  constraint source_state_retired_chk
    check (state <> 'retired' or (replaced_by_source_id <> '' and retirement_reason <> ''))
);

create table sync.row_state (
  user_pk bigint not null,
  table_id integer not null,
  key_bytes bytea not null,
  bundle_seq bigint not null,
  deleted boolean not null default false,
  primary key (user_pk, table_id, key_bytes)
);
create index rs_user_live_snapshot_idx on sync.row_state (user_pk, table_id, key_bytes) where deleted = false;

create table sync.bundle_capture_stage (
  capture_ordinal bigint generated always as identity primary key,
  txid bigint not null,
  user_pk bigint not null,
  table_id integer not null,
  op_code smallint not null,
  key_bytes bytea not null,
  payload_db jsonb,
  constraint bundle_capture_stage_op_code_chk check (op_code in (1, 2, 3)),
  constraint bundle_capture_stage_payload_by_op_chk check ((op_code = 3) = (payload_db is null))
);
create index bcs_tx_user_ordinal_idx on sync.bundle_capture_stage (txid, user_pk, capture_ordinal);

create table sync.bundle_log (
  user_pk bigint not null references sync.user_state (user_pk) on delete cascade,
  bundle_seq bigint not null,
  source_id text not null,
  source_bundle_id bigint not null,
  row_count bigint not null,
  byte_count bigint not null,
  bundle_hash bytea not null,
  committed_at timestamptz not null default now(),
  primary key (user_pk, bundle_seq),
  constraint bundle_log_source_tuple_key unique (user_pk, source_id, source_bundle_id)
);

create table sync.bundle_rows (
  user_pk bigint not null,
  bundle_seq bigint not null,
  row_ordinal bigint not null,
  table_id integer not null,
  key_bytes bytea not null,
  op_code smallint not null,
  payload_wire json,
  primary key (user_pk, bundle_seq, row_ordinal),
  constraint bundle_rows_op_code_chk check (op_code in (1, 2, 3)),
  constraint bundle_rows_payload_by_op_chk check ((op_code = 3) = (payload_wire is null))
);

create table sync.push_sessions (
  push_id uuid primary key,
  user_pk bigint not null references sync.user_state (user_pk) on delete cascade,
  source_id text not null,
  source_bundle_id bigint not null,
  planned_row_count bigint not null,
  next_expected_row_ordinal bigint not null default 0,
  initialization_id uuid,
  expires_at timestamptz not null,
  constraint push_sessions_source_tuple_key unique (user_pk, source_id, source_bundle_id),
  constraint push_sessions_row_count_chk check (planned_row_count > 0
    and next_expected_row_ordinal >= 0 and next_expected_row_ordinal <= planned_row_count)
);
create index ps_expires_at_idx on sync.push_sessions (expires_at);

create table sync.push_session_rows (
  push_id uuid not null,
  row_ordinal bigint not null,
  table_id integer not null,
  key_bytes bytea not null,
  op_code smallint not null,
  base_bundle_seq bigint not null,
  payload_apply json,
  primary key (push_id, row_ordinal),
  constraint push_session_rows_op_code_chk check (op_code in (1, 2, 3)),
  constraint push_session_rows_payload_by_op_chk check ((op_code = 3) = (payload_apply is null))
);

create table sync.snapshot_sessions (
  snapshot_id uuid primary key,
  user_pk bigint not null references sync.user_state (user_pk) on delete cascade,
  snapshot_bundle_seq bigint not null,
  row_count bigint not null default 0,
  byte_count bigint not null default 0,
  expires_at timestamptz not null
);
create index ss_expires_at_idx on sync.snapshot_sessions (expires_at);

create table sync.snapshot_session_rows (
  snapshot_id uuid not null,
  row_ordinal bigint not null,
  table_id integer not null,
  key_bytes bytea not null,
  bundle_seq bigint not null,
  payload_wire json not null,
  primary key (snapshot_id, row_ordinal),
  constraint snapshot_session_rows_logical_row_key unique (snapshot_id, table_id, key_bytes)
);

create sequence sync.accepted_push_replay_seq;
create sequence sync.rejected_registered_write_seq;
create sequence sync.history_pruned_error_seq;
`

/** What foreign keys would do, in one statement per parent statement, and the one table that is ours alone. */
export const cascades = `
create table if not exists sync.syncline_request_hash (
  user_pk bigint not null references sync.user_state (user_pk) on delete cascade,
  source_id text not null,
  source_bundle_id bigint not null,
  request_hash bytea not null,
  primary key (user_pk, source_id, source_bundle_id)
);

create or replace function sync.syncline_cascade_user() returns trigger language plpgsql as $$
begin
  delete from sync.row_state r using gone g where r.user_pk = g.user_pk;
  delete from sync.bundle_capture_stage r using gone g where r.user_pk = g.user_pk;
  return null;
end $$;
create or replace trigger syncline_cascade after delete on sync.user_state
  referencing old table as gone for each statement execute function sync.syncline_cascade_user();

create or replace function sync.syncline_cascade_bundle() returns trigger language plpgsql as $$
begin
  delete from sync.bundle_rows r using gone g where r.user_pk = g.user_pk and r.bundle_seq = g.bundle_seq;
  delete from sync.syncline_request_hash h using gone g
    where h.user_pk = g.user_pk and h.source_id = g.source_id and h.source_bundle_id = g.source_bundle_id;
  return null;
end $$;
create or replace trigger syncline_cascade after delete on sync.bundle_log
  referencing old table as gone for each statement execute function sync.syncline_cascade_bundle();

create or replace function sync.syncline_cascade_push() returns trigger language plpgsql as $$
begin
  delete from sync.push_session_rows r using gone g where r.push_id = g.push_id;
  return null;
end $$;
create or replace trigger syncline_cascade after delete on sync.push_sessions
  referencing old table as gone for each statement execute function sync.syncline_cascade_push();

create or replace function sync.syncline_cascade_snapshot() returns trigger language plpgsql as $$
begin
  delete from sync.snapshot_session_rows r using gone g where r.snapshot_id = g.snapshot_id;
  return null;
end $$;
create or replace trigger syncline_cascade after delete on sync.snapshot_sessions
  referencing old table as gone for each statement execute function sync.syncline_cascade_snapshot();
`
