import type { Plane } from '../../../kernel/plane.ts'
import type { Outcome, Progress } from '../../../kernel/progress.ts'
import type { Migration } from '../../../kernel/store.ts'
import { SyncError } from '../../../kernel/sync-error.ts'
import type { EventStore } from '../event-store.ts'
import { parseSyncFilter } from '../filter-parser.ts'
import type { Ingest } from '../ingest.ts'
import type { Limits } from '../limits.ts'
import type { Signer } from '../signer.ts'
import { AttemptState, type EventsScope, type EventsSession } from './attempt-state.ts'
import { catchUp } from './catch-up.ts'
import { checkpointSchema, type EventsCheckpoint } from './checkpoint.ts'
import { Live } from './live.ts'
import { prove } from './proof.ts'
import { RelayClient } from './relay-client.ts'
import { fetchRelayInfo, type ReadDocument } from './relay-info.ts'

export interface EventsPlaneOptions<Tx> {
  readonly store: EventStore<Tx>
  readonly ingest: Ingest<Tx>
  /** Who we are to relays that ask (NIP-42). */
  readonly signer: Signer
  readonly limits: Limits
  /** Reads what a relay says about itself (NIP-11). */
  readonly readDocument: ReadDocument
  readonly migrations: readonly Migration<Tx>[]
}

export type EventsPlane<Tx> = Plane<EventsScope, EventsCheckpoint, Tx>

/** Signed Nostr events, kept in step with one relay per link. */
export function createEventsPlane<Tx>(options: EventsPlaneOptions<Tx>): EventsPlane<Tx> {
  return {
    name: 'events',
    scope: {
      parse: (input) => ({
        filter: parseSyncFilter((input as EventsScope | undefined)?.filter, options.limits),
      }),
    },
    checkpoint: checkpointSchema,
    migrations: options.migrations,
    sync: (session) => sync(options, session),
  }
}

async function* sync<Tx>(
  options: EventsPlaneOptions<Tx>,
  session: EventsSession<Tx>,
): AsyncGenerator<Progress, Outcome> {
  const address = session.peer.addresses[0]
  if (address === undefined) throw new SyncError('config/invalid', `relay ${session.peer.name} has no URL`)
  yield { phase: 'connecting', done: 0 }
  const { signer, store, ingest, readDocument } = options
  const info = await fetchRelayInfo(address, readDocument, session.signal)
  const { clock, log, signal } = session
  await using client = new RelayClient({
    channel: await session.open('nostr'),
    url: address.value,
    signer,
    clock,
    log,
    signal,
  })
  const state = new AttemptState({ session, client, store, ingest, info })
  await using live = session.link.live ? await Live.open(state) : undefined
  let negentropy = false
  yield* during(state, async () => {
    negentropy = (await catchUp(state)) === 'negentropy'
  })
  state.phase = 'verifying'
  yield state.progress()
  const proof = await prove(state, negentropy)
  if (live === undefined) {
    yield state.progress()
    return { kind: 'caught-up', proof }
  }
  state.phase = 'live'
  yield { ...state.progress(), proof }
  yield* during(state, () => live.run())
  throw new SyncError('internal/bug', 'a live link ended without a reason')
}

/** Reports progress whenever something moved, until `work` ends. */
async function* during<Tx>(
  state: AttemptState<Tx>,
  work: () => Promise<void>,
): AsyncGenerator<Progress, void> {
  let ended = false
  let failure: { readonly error: unknown } | undefined
  const running = work()
    .catch((error: unknown) => {
      failure = { error }
    })
    .finally(() => {
      ended = true
      state.pulse.notify()
    })
  while (!ended) {
    await state.pulse.wait()
    yield state.progress()
  }
  await running
  if (failure !== undefined) throw failure.error
}
