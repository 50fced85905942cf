import { randomUUID } from 'node:crypto'
import { DocumentError } from '../document-error.ts'

/**
 * Where an item of a list stands: a rational number, and a name of its own for items that two peers put in the same
 * place. Numerator and denominator are unbounded, so there is always room between two positions.
 */
export interface Position {
  readonly numerator: bigint
  /** Positive. */
  readonly denominator: bigint
  /** A UUID; breaks ties. */
  readonly uniqueId: string
}

/** Bits of a numerator or denominator. Each insert into the same gap costs one. */
const maxBits = 65_536

export type NewUniqueId = () => string

export function comparePositions(a: Position, b: Position): number {
  if (a.denominator !== b.denominator || a.numerator !== b.numerator) {
    const left = a.denominator === b.denominator ? a.numerator : a.numerator * b.denominator
    const right = a.denominator === b.denominator ? b.numerator : b.numerator * a.denominator
    if (left !== right) return left < right ? -1 : 1
  }
  return a.uniqueId < b.uniqueId ? -1 : Number(a.uniqueId > b.uniqueId)
}

/** Between two positions; `undefined`: before the first, or after the last. Whole numbers at the ends. */
export function positionBetween(
  before: Position | undefined,
  after: Position | undefined,
  newId: NewUniqueId = randomUUID,
): Position {
  if (before === undefined && after === undefined) return reduced(0n, 1n, newId())
  if (after === undefined) return reduced(floor(before!) + 1n, 1n, newId())
  if (before === undefined)
    return reduced(-floor({ ...after, numerator: -after.numerator }) - 1n, 1n, newId())
  const numerator = before.numerator * after.denominator + after.numerator * before.denominator
  return reduced(numerator, 2n * before.denominator * after.denominator, newId())
}

/** In lowest terms. Throws `document/bad-value` when the list has been split too often in one place. */
export function reduced(numerator: bigint, denominator: bigint, uniqueId: string): Position {
  const divisor = gcd(numerator < 0n ? -numerator : numerator, denominator)
  const position = { numerator: numerator / divisor, denominator: denominator / divisor, uniqueId }
  if (isTooLong(position.denominator) || isTooLong(position.numerator))
    throw new DocumentError(
      'document/bad-value',
      'too many items were inserted in one place of a list; rewrite the list',
    )
  return position
}

export function isTooLong(value: bigint): boolean {
  const bound = 1n << BigInt(maxBits)
  return value > bound || value < -bound
}

function floor({ numerator, denominator }: Position): bigint {
  const quotient = numerator / denominator
  return numerator < 0n && quotient * denominator !== numerator ? quotient - 1n : quotient
}

function gcd(a: bigint, b: bigint): bigint {
  let [x, y] = [a, b]
  while (y !== 0n) [x, y] = [y, x % y]
  return x === 0n ? 1n : x
}
