import { SyncError } from '../kernel/sync-error.ts'

/** What a TLS failure means for whoever configured `remote`; undefined when the error is not one of TLS. */
export function tlsError(remote: string, error: unknown): SyncError | undefined {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined
  const why = meaning(error.code)
  if (why === undefined) return undefined
  // OpenSSL's own text of a failed handshake names its source files and lines, and tells nobody more than its code.
  const detail = error.code.startsWith('ERR_SSL_') ? error.code : `${error.code}: ${error.message}`
  return new SyncError('peer/rejected', `${remote}: ${why} (${detail})`, {
    cause: error,
    fault: faultOf(error.code),
  })
}

/** The names of spec events §2.6. */
function faultOf(code: string): string {
  if (untrusted.has(code)) return 'tls_untrusted'
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID') return 'tls_expired'
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return 'tls_hostname_mismatch'
  return clientCertificate.test(code) ? 'tls_client_cert_rejected' : 'tls_handshake_failed'
}

function meaning(code: string): string | undefined {
  if (untrusted.has(code))
    return 'its certificate is not trusted: no certificate authority that counts here vouches for it; name its own with a CA file'
  if (code in certificates) return certificates[code]
  if (clientCertificate.test(code))
    return 'it refuses our client certificate, or wants one; check the client certificate and key for it'
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'ERR_SSL_PACKET_LENGTH_TOO_LONG')
    return 'no TLS is spoken there; is the address meant to begin with ws:// or http://, or to have another port?'
  if (code.startsWith('ERR_TLS_CERT')) return 'its certificate is not acceptable'
  if (code.startsWith('ERR_SSL_')) return 'the TLS handshake failed; does it speak TLS 1.2 or newer there?'
  return undefined
}

const untrusted: ReadonlySet<string> = new Set([
  'CERT_CHAIN_TOO_LONG',
  'CERT_REJECTED',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'INVALID_CA',
  'INVALID_PURPOSE',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
])

const certificates: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'its certificate has expired; it must be renewed there',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet; is the clock of this machine right?',
  CERT_REVOKED: 'its certificate was revoked',
  ERR_TLS_CERT_ALTNAME_INVALID:
    'its certificate is for another host name; check the address or the TLS host name',
}

/** The alerts a server answers a client's certificate with (RFC 8446 §6.2), as OpenSSL names them. */
const clientCertificate =
  /^ERR_SSL_\w*ALERT_(BAD_CERTIFICATE|UNSUPPORTED_CERTIFICATE|CERTIFICATE_\w+|UNKNOWN_CA|ACCESS_DENIED)$/
