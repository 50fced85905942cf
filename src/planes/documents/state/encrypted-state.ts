import { decrypt, encrypt } from '../crypto/password-key.ts'
import { blake3 } from '../entry/blake3.ts'
import type { StateType } from './store-type.ts'

/** The same state from encrypted payloads; it is saved encrypted too, under a name only this key has. */
export function encryptedState<State>(type: StateType<State>, key: Uint8Array): StateType<State> {
  const keyName = Buffer.from(blake3(Buffer.concat([Buffer.from('state under '), key]))).toString('hex')
  return {
    name: `${type.name} under ${keyName}`,
    empty: () => type.empty(),
    apply: (state, payload, owner) => type.apply(state, decrypt(key, payload), owner),
    encode: (state) => encrypt(key, type.encode(state)),
    decode: (bytes) => type.decode(decrypt(key, bytes)),
  }
}
