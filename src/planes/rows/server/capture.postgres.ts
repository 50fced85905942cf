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
  is_uuid boolean := tg_argv[1] = '${syncKeyCode.uuid}';
  before_row jsonb;
  after_row jsonb;
  before_key bytea;
  after_key bytea;
begin
  if tg_op <> 'INSERT' then
    before_row := to_jsonb(old);
    before_key := case when is_uuid then uuid_send((before_row ->> tg_argv[0])::uuid)
      else convert_to(before_row ->> tg_argv[0], 'UTF8') end;
  end if;
  if tg_op <> 'DELETE' then
    after_row := to_jsonb(new) - '${scopeColumn}';
    after_key := case when is_uuid then uuid_send((after_row ->> tg_argv[0])::uuid)
      else convert_to(after_row ->> tg_argv[0], 'UTF8') end;
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
      body: `before insert or delete or update ${on} for each row execute function sync.enforce_registered_row_owner()`,
    },
    {
      name: 'oversync_bundle_capture_row',
      body: `after insert or delete or update ${on} for each row execute function sync.capture_registered_row_change(${captured.join(', ')})`,
    },
    {
      name: 'syncline_refuse_truncate',
      body: `before truncate ${on} for each statement execute function sync.syncline_refuse_truncate()`,
    },
  ]
}

export function createTrigger({ name, body }: Trigger): string {
  return `create or replace trigger ${quoteName(name)} ${body}`
}
