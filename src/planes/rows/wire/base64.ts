/** Standard alphabet, padded, nothing else: what a bytea is on the wire (§2.14.5). */
const standard = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

/** `String.fromCharCode` takes its units as arguments; more of them overflow the stack. */
const unitsPerCall = 8_192

export function isBase64(text: string): boolean {
  return standard.test(text)
}

export function bytesToBase64(bytes: Uint8Array): string {
  let units = ''
  for (let i = 0; i < bytes.length; i += unitsPerCall)
    units += String.fromCharCode(...bytes.subarray(i, i + unitsPerCall))
  return btoa(units)
}

/** Undefined if `text` is not standard padded base64. */
export function base64ToBytes(text: string): Uint8Array | undefined {
  return isBase64(text) ? Uint8Array.from(atob(text), (unit) => unit.charCodeAt(0)) : undefined
}
