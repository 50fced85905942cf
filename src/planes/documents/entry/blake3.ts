import { createBLAKE3 } from 'hash-wasm'

const hasher = await createBLAKE3()

/** BLAKE3-256. One hasher for the thread: everything between init and digest is synchronous. */
export function blake3(bytes: Uint8Array): Uint8Array {
  hasher.init()
  hasher.update(bytes)
  return hasher.digest('binary')
}
