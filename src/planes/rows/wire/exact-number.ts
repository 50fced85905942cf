/** Newer than TypeScript's library: a JSON text that `JSON.stringify` writes as it is. */
const rawJson = (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON

/** Sign, digits without zeros at either end, and the power of ten of the first digit. */
interface Decimal {
  readonly negative: boolean
  readonly digits: string
  readonly exponent: number
}

/**
 * A JSON number that a double cannot hold: an integer beyond ±2^53, or more digits than 17. It keeps its literal, so that
 * int64 and numeric columns cross unchanged; peers that read doubles (0.2.x) see it rounded, and hash it rounded.
 */
export class ExactNumber {
  /** As it stood in the text, a valid JSON number. */
  readonly literal: string

  constructor(literal: string) {
    this.literal = literal
  }

  /** Written into JSON text as the literal. */
  toJSON(): unknown {
    return rawJson(this.literal)
  }

  toString(): string {
    return this.literal
  }

  /** The nearest double; infinite if it is out of range. */
  toNumber(): number {
    return Number(this.literal)
  }

  /** The value as an integer; undefined if it has a fraction or more than 40 digits. */
  toBigInt(): bigint | undefined {
    const { negative, digits, exponent } = decimalOf(this.literal)
    if (digits === '') return 0n
    if (exponent < digits.length - 1 || exponent > 40) return undefined
    const value = BigInt(digits.padEnd(exponent + 1, '0'))
    return negative ? -value : value
  }
}

/** An integer for JSON text, whatever its size. */
export function exactInteger(value: bigint): number | ExactNumber {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : new ExactNumber(value.toString())
}

/** Whether a double holds the decimal value of `literal` and its shortest text gives it back. */
export function isExactAsDouble(literal: string): boolean {
  const text = String(Number(literal))
  if (text === literal) return true
  if (text === 'Infinity' || text === '-Infinity') return false
  const [a, b] = [decimalOf(literal), decimalOf(text)]
  return (
    a.digits === b.digits && (a.digits === '' || (a.exponent === b.exponent && a.negative === b.negative))
  )
}

function decimalOf(literal: string): Decimal {
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(literal)
  if (match === null) throw new RangeError(`not a JSON number: ${literal.slice(0, 40)}`)
  const [, sign, whole, fraction = '', power = '0'] = match
  const all = whole! + fraction
  const leading = /^0*/.exec(all)![0].length
  const digits = all.slice(leading).replace(/0+$/, '')
  return { negative: sign === '-', digits, exponent: Number(power) + whole!.length - 1 - leading }
}
