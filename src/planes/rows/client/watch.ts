import { parseJson } from '../wire/json-text.ts'
import { bundleChangeEventSchema } from '../wire/watch.ts'
import { isRowsClientError } from './client-error.ts'
import { EventStreamParser, type StreamEvent } from './event-stream.ts'
import type { SyncCore } from './sync-core.ts'

/** Silence after which a stream counts as broken: several heartbeats (25 s by default). */
const silenceMs = 120_000

/** How a watch ended. `forbidden` and `disabled` will not change soon: poll instead. */
export type WatchEnd = 'ended' | 'forbidden' | 'disabled'

/**
 * Listens for hints that newer bundles exist (§8.15), and calls `onHint` for each. Hints carry no data and may be lost:
 * the caller pulls, and pulls now and then anyway.
 */
export async function watch(
  core: SyncCore,
  after: number,
  signal: AbortSignal,
  onHint: () => void,
): Promise<WatchEnd> {
  let response: Response
  try {
    response = await core.api.watch(core.caller(signal), after)
  } catch (error) {
    if (isRowsClientError(error, 'rows/server-refused')) {
      if (error.details.serverCode === 'bundle_change_watch_forbidden') return 'forbidden'
      if (error.details.serverCode === 'bundle_change_watch_disabled') return 'disabled'
    }
    throw error
  }
  if (response.body === null) return 'ended'
  await readHints(core, response.body.getReader(), signal, onHint)
  return 'ended'
}

async function readHints(
  core: SyncCore,
  reader: ReadableStreamDefaultReader<Uint8Array>,
  signal: AbortSignal,
  onHint: () => void,
): Promise<void> {
  const parser = new EventStreamParser()
  const decoder = new TextDecoder()
  try {
    for (;;) {
      const read = await withinSilence(core, reader, signal)
      if (read === undefined || read.done) return
      for (const event of parser.push(decoder.decode(read.value, { stream: true }))) {
        if (!isHint(event)) continue
        onHint()
      }
    }
  } finally {
    await reader.cancel().catch(() => {})
  }
}

/** The next piece; undefined when none came for too long. */
async function withinSilence(
  core: SyncCore,
  reader: ReadableStreamDefaultReader<Uint8Array>,
  signal: AbortSignal,
): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined } | undefined> {
  const heard = new AbortController()
  const silence = core.settings.clock.sleep(silenceMs, AbortSignal.any([heard.signal, signal])).then(
    () => undefined,
    () => undefined,
  )
  try {
    return await Promise.race([reader.read(), silence])
  } finally {
    heard.abort()
  }
}

/** @throws when a `bundle` event cannot be read: the stream is not to be trusted any further */
function isHint({ name, data }: StreamEvent): boolean {
  if (name !== 'bundle') return false
  bundleChangeEventSchema.parse(parseJson(data))
  return true
}
