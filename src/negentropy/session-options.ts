import { NegentropyError } from './negentropy-error.ts'
import { referenceTuning, type Tuning } from './tuning.ts'

export interface SessionOptions {
  /** How ranges are divided; default `referenceTuning`. Any peer understands any tuning. */
  readonly tuning?: Tuning | undefined
  /**
   * Bytes of one message of ours, before hex; 0: no limit, else at least 1,300 (public implementations demand 4,096).
   * Default 60,000 for the initiator and 500,000 for the responder.
   */
  readonly frameLimit?: number | undefined
  /** Bytes of one message of the peer; longer ones are refused unread. Default 32 MiB. */
  readonly maxMessageBytes?: number | undefined
  /** Messages of the peer in one session; default 10,000. */
  readonly maxRounds?: number | undefined
  /**
   * Moves the borders between ranges at random, another way each session: ids made to cancel each other out in one
   * range's sum show up in another. Default false: the same set gives the same message.
   */
  readonly randomBounds?: boolean | undefined
  /** Uniform in [0, 1); default `Math.random`. */
  readonly random?: (() => number) | undefined
}

/** Smallest frame limit, bytes, under which every range still fits into a message of its own. */
export const minFrameLimit = 1300

export interface SessionLimits {
  readonly tuning: Tuning
  readonly frameLimit: number
  readonly maxMessageBytes: number
  readonly maxRounds: number
  readonly randomBounds: boolean
  readonly random: () => number
}

export function sessionLimits(options: SessionOptions, frameLimit: number): SessionLimits {
  const limits = {
    tuning: options.tuning ?? referenceTuning,
    frameLimit: options.frameLimit ?? frameLimit,
    maxMessageBytes: options.maxMessageBytes ?? 32 * 1024 * 1024,
    maxRounds: options.maxRounds ?? 10_000,
    randomBounds: options.randomBounds ?? false,
    random: options.random ?? Math.random,
  }
  if (limits.frameLimit !== 0) atLeast('frameLimit', limits.frameLimit, minFrameLimit)
  atLeast('maxMessageBytes', limits.maxMessageBytes, 1)
  atLeast('maxRounds', limits.maxRounds, 1)
  return limits
}

export function atLeast(option: string, value: number, minimum: number): void {
  if (value >= minimum) return
  throw new NegentropyError('negentropy/invalid-option', `${option} is ${value}, must be at least ${minimum}`)
}
