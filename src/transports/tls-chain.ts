import { createHash, timingSafeEqual, X509Certificate } from 'node:crypto'
import type { DetailedPeerCertificate, TLSSocket } from 'node:tls'

/** Longer chains are not in use; a peer could make us verify signatures for ever. */
const maxChain = 10

/**
 * Whether a pin is the key of the peer's certificate or of one above it (specs events §2.6). To be asked only of a
 * connection that was made in full: a resumed one no longer knows the chain.
 */
export function isPinned(socket: TLSSocket, pins: readonly string[]): boolean {
  const wanted = pins.map((pin) => Buffer.from(pin, 'base64'))
  return issuers(socket.getPeerCertificate(true)).some((certificate) => {
    const key = keyHash(certificate)
    return wanted.some((pin) => pin.length === key.length && timingSafeEqual(pin, key))
  })
}

/**
 * The certificate and those that signed it, up to the root. A peer may send any certificate along, and Node links them by
 * name alone: without looking at the signatures, whoever copies a pinned public key into one of its own passes.
 */
function issuers(leaf: DetailedPeerCertificate): X509Certificate[] {
  if (leaf.raw === undefined) return []
  let below = new X509Certificate(leaf.raw)
  const chain = [below]
  for (
    let at = leaf;
    at.issuerCertificate !== undefined && chain.length < maxChain;
    at = at.issuerCertificate
  ) {
    if (at.issuerCertificate === at) break
    const above = new X509Certificate(at.issuerCertificate.raw)
    if (!above.ca || !below.checkIssued(above) || !below.verify(above.publicKey)) break
    chain.push(above)
    below = above
  }
  return chain
}

function keyHash(certificate: X509Certificate): Buffer {
  const key = certificate.publicKey.export({ type: 'spki', format: 'der' })
  return createHash('sha256').update(key).digest()
}
