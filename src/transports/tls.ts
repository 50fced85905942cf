import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { ClientRequestArgs } from 'node:http'
import { isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import {
  checkServerIdentity,
  connect,
  createSecureContext,
  type SecureContext,
  type TLSSocket,
} from 'node:tls'
import type { Address, TlsSettings } from '../kernel/peer.ts'
import { SyncError } from '../kernel/sync-error.ts'
import { guardedLookup } from './public-address.ts'
import { isPinned } from './tls-chain.ts'
import { tlsError } from './tls-error.ts'

type Connected = (error: Error | null, socket: Duplex) => void

/**
 * How `ws` and `node:https` reach `url`: they get the socket only once the peer has passed every check, so that nothing of
 * ours leaves before. `signal` ends a handshake under way and means nothing afterwards.
 */
export function tlsConnection(url: URL, { tls, publicOnly }: Address, signal: AbortSignal) {
  return (_options: ClientRequestArgs, connected: Connected): undefined => {
    // The callback takes a socket or an error, its type asks for both.
    const failed = connected as (error: unknown) => void
    connectTls(url, tls ?? {}, publicOnly, signal).then((socket) => connected(null, socket), failed)
  }
}

/**
 * A TLS connection to a peer that is who the settings say (specs events §2.6).
 *
 * @throws SyncError `peer/rejected` when a check fails, `config/invalid` when a file of the settings cannot be used, and
 *   what the socket reports
 */
async function connectTls(
  url: URL,
  settings: TlsSettings,
  publicOnly: boolean | undefined,
  signal: AbortSignal,
): Promise<TLSSocket> {
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  const name = settings.hostname ?? host
  const secureContext = await readTlsFiles(settings)
  signal.throwIfAborted()
  const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>()
  // No session is ever given: a resumed one brings no certificate chain, and the pins would go unchecked.
  const socket = connect({
    host,
    port: Number(url.port || 443),
    ...guardedLookup(host, publicOnly),
    secureContext,
    minVersion: settings.minVersion ?? 'TLSv1.2',
    // RFC 6066 §3 knows no addresses in SNI.
    ...(isIP(name) === 0 ? { servername: name } : {}),
    checkServerIdentity: (_host, certificate) => checkServerIdentity(name, certificate),
  })
  const onAbort = () => socket.destroy(new Error('the connection is no longer wanted'))
  signal.addEventListener('abort', onAbort, { once: true })
  let failure: unknown
  const onError = (error: unknown) => {
    failure = tlsError(url.href, error) ?? error
    reject(failure)
  }
  socket.once('error', onError)
  socket.once('secureConnect', () => {
    if (settings.pins === undefined || settings.pins.length === 0 || isPinned(socket, settings.pins)) {
      return resolve(socket)
    }
    socket.destroy()
    const what = 'neither its certificate nor one that issued it has a key that is pinned here (pin mismatch)'
    const message = `${url.href}: ${what}; pin the new key if the change is genuine`
    reject(new SyncError('peer/rejected', message, { fault: 'pin_mismatch' }))
  })
  try {
    await promise
    // Under TLS 1.3 a refusal of our certificate comes after the handshake, if need be in the same packet as its end.
    if (socket.destroyed) throw failure ?? new SyncError('peer/unreachable', `${url.href} hung up`)
    return socket
  } finally {
    signal.removeEventListener('abort', onAbort)
    socket.off('error', onError)
  }
}

/**
 * Reads the files of TLS settings, and so says whether they can be used.
 *
 * @throws SyncError `config/invalid` naming the setting and the file
 */
export async function readTlsFiles(settings: TlsSettings): Promise<SecureContext> {
  const ca = await pem('caCertFile', settings.caCertFile)
  const cert = await pem('clientCertFile', settings.clientCertFile)
  const key = await pem('clientKeyFile', settings.clientKeyFile)
  // Node takes a CA file without a certificate in silence, and then trusts nobody without saying why.
  if (ca !== undefined) usable('caCertFile', settings.caCertFile, () => new X509Certificate(ca))
  if (cert !== undefined) usable('clientCertFile', settings.clientCertFile, () => new X509Certificate(cert))
  return usable('clientKeyFile', settings.clientKeyFile, () =>
    createSecureContext({
      ...(ca && { ca }),
      ...(cert && { cert }),
      ...(key && { key }),
      minVersion: settings.minVersion ?? 'TLSv1.2',
    }),
  )
}

async function pem(field: keyof TlsSettings, path: string | undefined): Promise<Buffer | undefined> {
  if (path === undefined) return undefined
  try {
    return await readFile(path)
  } catch (cause) {
    throw unusable(field, path, cause)
  }
}

function usable<T>(field: keyof TlsSettings, path: string | undefined, make: () => T): T {
  try {
    return make()
  } catch (cause) {
    throw unusable(field, path, cause)
  }
}

function unusable(field: keyof TlsSettings, path: string | undefined, cause: unknown): SyncError {
  const why = cause instanceof Error ? cause.message : String(cause)
  return new SyncError('config/invalid', `tls.${field}: ${path ?? 'nothing'} cannot be used: ${why}`, {
    cause,
    // It may be in the middle of being replaced.
    retry: 'slowly',
    fault: 'tls_material_unreadable',
  })
}
