/** The 21 promises of the seeds (§1.2), each with the rows of the other tables that show it, by section and name. */
export const promises: readonly (readonly [promise: string, ...shownBy: readonly string[]])[] = [
  [
    '1 create or replace, fetch, list and remove a server',
    '2.1 putServer answers the server with its runtime',
    '2.1 getServer',
    '2.1 listServers is sorted by id',
    '2.1 removeServer',
  ],
  [
    '2 the documented map is taken, normalised and kept',
    '2.2 mode is "req_stream" by default',
    '2.2 tls → invalid_tls',
  ],
  ['3 start, stop and sync now', '2.1 startServer', '2.1 stopServer', '2.1 syncNow'],
  [
    '4 statistics of one and of all, and health',
    '2.16 serverStats has exactly its keys',
    '2.16 syncStats has exactly its keys',
    '2.16 syncHealth has its keys, and is ok without servers',
  ],
  [
    '5 several managers in one process',
    '2.1 manager chooses another manager',
    '2.1 name chooses another manager',
  ],
  [
    '6 NIP-42, NIP-11 and TLS by certificate',
    '2.2 auth.mode → invalid_auth_mode',
    '2.2 relay_info_mode → invalid_relay_info_mode',
    '2.2 tls.pins[].value → invalid_tls_pin',
  ],
  [
    '7 pages of local events with keyset cursors and a callback',
    '3.2 after_key, exclusive',
    '3.2 authorize_event',
  ],
  ['8 a lazy stream over pages', '3.4 streamEvents'],
  [
    '9 copies with progress and summary',
    '3.5 copyEvents to {fun}',
    '3.5 progress: page, imported, completed',
  ],
  ['10 import of a batch with counts', '3.6 importEvents answers counts and results in order'],
  ['11 the same paging over the wire', '3.8 SYNC-PAGE is advertised and answered'],
  ['12 relays over REST with keys', '4.4 POST /relays', '4.4 POST /api_keys'],
  [
    '13 directions, flags, notes and overrides',
    '4.1 direction is "down" by default',
    '4.1 backfill is true by default',
    '4.2 config.batch_size is taken, and checked',
  ],
  [
    '14 realtime, backfill, upload and full, by schedule and on demand',
    '4.6 schedule.realtime',
    '4.6 schedule.full',
    '4.4 POST /relays/{id}/sync',
  ],
  ['15 polling, resumable', '2.9 mode poll', '4.2 config.polling_window_minutes is taken, and checked'],
  [
    '16 negentropy in windows, both ways',
    '2.9 mode negentropy',
    '4.2 config.negentropy_chunk_hours is taken, and checked',
  ],
  [
    '17 upload in batches, with delays',
    '4.2 config.upload_batch_size is taken, and checked',
    '4.2 config.upload_delay_ms is taken, and checked',
  ],
  [
    '18 connections that come back, each with its status',
    '2.13 runtime.connected?',
    '2.13 runtime.reconnects',
    '2.13 runtime.next_retry_at',
  ],
  [
    '19 a state for each relay, filter and direction',
    '4.4 GET /sync_states',
    '4.4 GET /relays/{id}/state',
    '2.13 runtime.status',
  ],
  [
    '20 recovery of what is stale and retry of what failed',
    '4.6 schedule.recovery',
    '4.2 config.stale_threshold_minutes is taken, and checked',
  ],
  [
    '21 a command line for all of it',
    '4.19 syncline status (--json)',
    '4.19 syncline relays (--json)',
    '4.19 syncline config (--json)',
  ],
]
