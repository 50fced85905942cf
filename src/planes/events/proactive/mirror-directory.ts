import type { Chunk, PlannedChunk } from './chunk-plan.ts'
import type { Profile } from './profile.ts'

/** A chunk that a relay is being asked; what identifies it is the directory's business. */
export interface MirroredChunk extends Chunk {
  readonly id: string
}

export interface MirrorRelay {
  readonly url: string
  readonly chunks: readonly MirroredChunk[]
  /** Chunks the relay can be asked at once, from what it says about its limits; undefined: not known yet. */
  readonly maxChunks: number | undefined
  /** Bytes of the values of one filter, likewise. */
  readonly maxFilterBytes: number | undefined
}

export interface MirrorChange {
  readonly url: string
  /** An operator named it: it is never removed, and may lie in a private network. */
  readonly isBootstrap: boolean
  /** Their `from` are chunks of this relay, also such that are dropped by the same change. */
  readonly add: readonly PlannedChunk<MirroredChunk>[]
  readonly drop: readonly MirroredChunk[]
}

/** Where mirrored relays are kept: what the pure part of the engine wants of the rest of the node. */
export interface MirrorDirectory {
  /** All relays of a profile, also those that are asked nothing now. */
  relays(profile: string): Promise<readonly MirrorRelay[]>
  /** Carries one relay's change out as a whole: new chunks begin with the coverage that those they come from share. */
  change(profile: Profile, change: MirrorChange): Promise<void>
  /** Forgets a relay that is asked nothing, unless another profile asks it, or an operator added it. */
  remove(profile: string, url: string): Promise<void>
}
