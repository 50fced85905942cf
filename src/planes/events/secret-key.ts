const alphabet = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l'
const generators = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3]

/** The 64 hex digits of a secret key given as hex or as `nsec1…` (NIP-19); undefined for anything else. */
export function parseSecretKey(text: string): string | undefined {
  const key = text.trim().toLowerCase()
  if (/^[0-9a-f]{64}$/.test(key)) return key
  return key.startsWith('nsec1') ? decodeNsec(key) : undefined
}

/** Bech32 with the checksum of BIP-173. */
function decodeNsec(text: string): string | undefined {
  const values = [...text.slice('nsec1'.length)].map((character) => alphabet.indexOf(character))
  // 52 groups of 5 bits hold 32 bytes, 6 more the checksum.
  if (values.length !== 58 || values.includes(-1)) return undefined
  const prefix = [...'nsec'].map((character) => character.charCodeAt(0))
  const expanded = [...prefix.map((code) => code >> 5), 0, ...prefix.map((code) => code & 31)]
  if (polymod([...expanded, ...values]) !== 1) return undefined
  const bits = values.slice(0, 52).map((value) => value.toString(2).padStart(5, '0'))
  const binary = bits.join('')
  if (binary.slice(256) !== '0000') return undefined
  return (binary.slice(0, 256).match(/.{8}/g) ?? [])
    .map((byte) => Number.parseInt(byte, 2).toString(16).padStart(2, '0'))
    .join('')
}

function polymod(values: readonly number[]): number {
  let checksum = 1
  for (const value of values) {
    const top = checksum >>> 25
    checksum = ((checksum & 0x1ffffff) << 5) ^ value
    for (const [i, generator] of generators.entries()) if ((top >> i) & 1) checksum ^= generator
  }
  return checksum
}
