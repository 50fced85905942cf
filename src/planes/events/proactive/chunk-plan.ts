/** Values of one layer that one relay is asked about in the same filters. */
export interface Chunk {
  readonly layer: string
  /** Sorted, without repeats; never empty. */
  readonly values: readonly string[]
}

/** A chunk as it should be. */
export interface PlannedChunk<Held extends Chunk = Chunk> extends Chunk {
  /**
   * The chunks whose values it has. What all of them knew completely is known here completely; without any, or with a
   * value among them that is new, nothing is, and its history is asked for from the start.
   */
  readonly from: readonly Held[]
}

export interface ChunkPlan<Held extends Chunk = Chunk> {
  readonly add: readonly PlannedChunk<Held>[]
  readonly drop: readonly Held[]
}

export interface ChunkPlanOptions {
  /** Values in one filter at most. */
  readonly chunkSize: number
  /** Bytes of JSON of the values of one filter at most: a relay takes no longer message. One value alone may be longer. */
  readonly chunkBytes: number
  /** Chunks of one relay beyond which small ones are merged, wherever that makes fewer. */
  readonly maxChunks: number
}

/**
 * The difference between what a relay should be asked (want) and what it is being asked, confirmed or in flight
 * (specs proactive §3.3, §5.6): pure, deterministic, and nothing when both agree. New values come in chunks of their own,
 * so that what is already known completely is not asked again; values that are no longer wanted leave their chunk, which
 * keeps what it had; when there are too many chunks, the smallest are merged.
 */
export function planChunks<Held extends Chunk>(
  wanted: ReadonlyMap<string, ReadonlySet<string>>,
  held: readonly Held[],
  options: ChunkPlanOptions,
): ChunkPlan<Held> {
  const kept: PlannedChunk<Held>[] = []
  const covered = new Map<string, Set<string>>()
  for (const chunk of held) {
    const want = wanted.get(chunk.layer)
    if (want === undefined) continue
    const seen = covered.get(chunk.layer) ?? new Set()
    covered.set(chunk.layer, seen)
    const values = chunk.values.filter((value) => want.has(value) && !seen.has(value))
    for (const value of values) seen.add(value)
    // A relay may have told meanwhile that it takes less at once.
    for (const part of parts(values, options)) kept.push({ layer: chunk.layer, values: part, from: [chunk] })
  }
  const planned = [...kept]
  for (const [layer, want] of wanted) {
    const seen = covered.get(layer)
    const fresh = [...want].filter((value) => seen?.has(value) !== true).sort()
    for (const values of parts(fresh, options)) planned.push({ layer, values, from: [] })
  }
  const merged = merge(planned, options)
  const stays = new Set(merged.filter(isUnchanged).map(({ from }) => from[0]))
  return {
    add: merged.filter((chunk) => !isUnchanged(chunk)),
    drop: held.filter((chunk) => !stays.has(chunk)),
  }
}

function isUnchanged({ values, from: [first, ...others] }: PlannedChunk): boolean {
  return first !== undefined && others.length === 0 && first.values.length === values.length
}

/** Merges within each layer, smallest first, until there are few enough or nothing fits together any more. */
function merge<Held extends Chunk>(
  chunks: readonly PlannedChunk<Held>[],
  options: ChunkPlanOptions,
): PlannedChunk<Held>[] {
  if (chunks.length <= options.maxChunks) return [...chunks]
  const byLayer = Map.groupBy(chunks, ({ layer }) => layer)
  const result: PlannedChunk<Held>[] = []
  for (const [layer, ofLayer] of byLayer) {
    const open = [...ofLayer].sort((a, b) => a.values.length - b.values.length)
    let current: PlannedChunk<Held> | undefined
    for (const chunk of open) {
      if (current === undefined) current = chunk
      else if (fits([...current.values, ...chunk.values], options)) current = joined(layer, current, chunk)
      else {
        result.push(current)
        current = chunk
      }
    }
    if (current !== undefined) result.push(current)
  }
  return result
}

/** As few as go into one filter each, in their order. */
function parts(values: readonly string[], options: ChunkPlanOptions): string[][] {
  const all: string[][] = []
  let current: string[] = []
  for (const value of values) {
    if (current.length > 0 && !fits([...current, value], options)) {
      all.push(current)
      current = []
    }
    current.push(value)
  }
  return current.length === 0 ? all : [...all, current]
}

function fits(values: readonly string[], { chunkSize, chunkBytes }: ChunkPlanOptions): boolean {
  if (values.length > chunkSize) return false
  let bytes = 0
  for (const value of values) bytes += Buffer.byteLength(JSON.stringify(value)) + 1
  return bytes <= chunkBytes
}

function joined<Held extends Chunk>(
  layer: string,
  a: PlannedChunk<Held>,
  b: PlannedChunk<Held>,
): PlannedChunk<Held> {
  // With a part that was never asked about, the whole was never asked about.
  const from = a.from.length === 0 || b.from.length === 0 ? [] : [...a.from, ...b.from]
  return { layer, values: [...a.values, ...b.values].sort(), from }
}
