import { syncKeyCode } from '../wire/sync-key.ts'
import { quoteLiteral, quoteName } from './quote.postgres.ts'
import type { SyncTable } from './sync-table.ts'

/** The hidden column with the owner of a row (§1). It never appears on the wire. */
export const scopeColumn = '_sync_scope_id'

/** Transaction-local settings that say on whose behalf a transaction writes (§3.5). */
export const bundleContext = {
  userId: 'oversync.bundle_user_id',
  userPk: 'oversync.bundle_user_pk',
  sourceId: 'oversync.bundle_source_id',
  sourceBundleId: 'oversync.bundle_source_bundle_id',
  initializationId: 'oversync.bundle_initialization_id',
} as const

/**
 * `push id,first,last` while a run of staged rows is applied by one statement: then one statement captures what it did, too,
 * at a fraction of what a call per row costs. `direct` while nothing is to be captured, because the statements themselves
 * return what they did. Otherwise empty.
 */
export const setBasedRun = 'syncline.set_based_run'
export const appliedDirectly = 'direct'

const rowByRow = `when (coalesce(current_setting('${setBasedRun}', true), '') = '')`
const asSet = `when (coalesce(current_setting('${setBasedRun}', true), '') <> '')`

/** SQL for the key's bytes in a capture function, whose arguments say which column it is and of which type. */
const keyOf = (row: string) =>
  `case when tg_argv[1] = '${syncKeyCode.uuid}' then uuid_send((${row} ->> tg_argv[0])::uuid)
      else convert_to(${row} ->> tg_argv[0], 'UTF8') end`

/**
 * The trigger functions of §3.5. A refused write raises a counter that outlives the rollback. TRUNCATE fires no row
 * trigger, so a statement trigger of our own refuses it: it would empty the table of every user unseen (§12 item 14).
 */
export const captureFunctions = `
create or replace function sync.enforce_registered_row_owner() returns trigger language plpgsql as $$
declare
  owner text := current_setting('${bundleContext.userId}', true);
begin
  if owner is null or owner = '' then
    perform nextval('sync.rejected_registered_write_seq');
    raise exception 'write to registered table %.% outside of a sync bundle', tg_table_schema, tg_table_name
      using errcode = 'P0001', hint = 'Write through withinSyncBundle or ScopeManager.execWrite.';
  end if;
  if tg_op = 'INSERT' then
    if new.${scopeColumn} is null or new.${scopeColumn} = '' then
      new.${scopeColumn} := owner;
    elsif new.${scopeColumn} <> owner then
      raise exception 'row of another scope inserted into %.%', tg_table_schema, tg_table_name using errcode = 'P0001';
    end if;
    return new;
  end if;
  if old.${scopeColumn} is distinct from owner then
    raise exception 'row of another scope changed in %.%', tg_table_schema, tg_table_name using errcode = 'P0001';
  end if;
  if tg_op = 'DELETE' then
    return old;
  end if;
  if new.${scopeColumn} is distinct from old.${scopeColumn} then
    raise exception 'the scope of a row in %.% cannot change', tg_table_schema, tg_table_name using errcode = 'P0001';
  end if;
  return new;
end $$;

create or replace function sync.capture_registered_row_change() returns trigger language plpgsql as $$
declare
  owner_pk bigint := current_setting('${bundleContext.userPk}')::bigint;
  before_row jsonb;
  after_row jsonb;
  before_key bytea;
  after_key bytea;
begin
  if tg_op <> 'INSERT' then
    before_row := to_jsonb(old);
    before_key := ${keyOf('before_row')};
  end if;
  if tg_op <> 'DELETE' then
    after_row := to_jsonb(new) - '${scopeColumn}';
    after_key := ${keyOf('after_row')};
  end if;
  if tg_op = 'DELETE' or (tg_op = 'UPDATE' and before_key <> after_key) then
    insert into sync.bundle_capture_stage (txid, user_pk, table_id, op_code, key_bytes, payload_db)
      values (txid_current(), owner_pk, tg_argv[2]::integer, 3, before_key, null);
  end if;
  if tg_op <> 'DELETE' then
    insert into sync.bundle_capture_stage (txid, user_pk, table_id, op_code, key_bytes, payload_db)
      values (txid_current(), owner_pk, tg_argv[2]::integer,
        case when tg_op = 'INSERT' or before_key <> after_key then 1 else 2 end, after_key, after_row);
  end if;
  return null;
end $$;

create or replace function sync.syncline_capture_insert() returns trigger language plpgsql as $$
begin
  if current_setting('${setBasedRun}') = '${appliedDirectly}' then
    return null;
  end if;
  insert into sync.bundle_capture_stage (txid, user_pk, table_id, op_code, key_bytes, payload_db)
    select txid_current(), current_setting('${bundleContext.userPk}')::bigint, tg_argv[2]::integer, 1,
      ${keyOf('r.payload')}, r.payload
    from (select to_jsonb(n.*) - '${scopeColumn}' as payload from new_rows n) r;
  return null;
end $$;

-- An update goes through its rows in the order of some plan; what it did is put down in the order of the upload.
create or replace function sync.syncline_capture_update() returns trigger language plpgsql set enable_nestloop = off as $$
declare
  run text[] := string_to_array(current_setting('${setBasedRun}'), ',');
begin
  if run[1] = '${appliedDirectly}' then
    return null;
  end if;
  insert into sync.bundle_capture_stage (txid, user_pk, table_id, op_code, key_bytes, payload_db)
    select txid_current(), current_setting('${bundleContext.userPk}')::bigint, s.table_id, 2, s.key_bytes, r.payload
    from (select to_jsonb(n.*) - '${scopeColumn}' as payload from new_rows n) r
      join sync.push_session_rows s on s.push_id = run[1]::uuid
        and s.row_ordinal between run[2]::bigint and run[3]::bigint and s.key_bytes = ${keyOf('r.payload')}
    order by s.row_ordinal;
  return null;
end $$;

create or replace function sync.syncline_refuse_truncate() returns trigger language plpgsql as $$
begin
  raise exception 'registered table %.% cannot be truncated', tg_table_schema, tg_table_name
    using errcode = '55000', hint = 'Delete the rows of one scope within a sync bundle.';
end $$;
`

interface Trigger {
  readonly name: string
  /** Everything between the trigger's name and its end. */
  readonly body: string
}

/** The triggers of a registered table, and the statement that gives it them. */
export function tableTriggers(table: SyncTable): readonly Trigger[] {
  const on = `on ${table.quoted}`
  const captured = [table.keyColumn, String(syncKeyCode[table.keyKind]), String(table.id)].map(quoteLiteral)
  return [
    {
      name: 'oversync_bundle_owner_guard',
      body: `before insert or delete or update ${on} for each row ${rowByRow} execute function sync.enforce_registered_row_owner()`,
    },
    {
      name: 'oversync_bundle_capture_row',
      body: `after insert or delete or update ${on} for each row ${rowByRow} execute function sync.capture_registered_row_change(${captured.join(', ')})`,
    },
    ...(['insert', 'update'] as const).map((event) => ({
      name: `syncline_capture_${event}`,
      body: `after ${event} ${on} referencing new table as new_rows for each statement ${asSet} execute function sync.syncline_capture_${event}(${captured.join(', ')})`,
    })),
    {
      name: 'syncline_refuse_truncate',
      body: `before truncate ${on} for each statement execute function sync.syncline_refuse_truncate()`,
    },
  ]
}

export function createTrigger({ name, body }: Trigger): string {
  return `create or replace trigger ${quoteName(name)} ${body}`
}
