import { type LookupAddress, type LookupOptions, lookup } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import ipaddr from 'ipaddr.js'
import { SyncError } from '../kernel/sync-error.ts'

/** Answers every address of a name, like `dns.lookup` with `all`. */
type Resolve = (
  name: string,
  options: LookupOptions & { all: true },
  done: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void

/**
 * Whether an IP address belongs to the public internet. Everything set apart for another use does not: loopback, private
 * and link-local networks (a cloud's metadata service among them), carrier NAT, multicast, and the IPv6 forms that
 * carry an IPv4 address to somewhere else (mapped, NAT64, 6to4, Teredo).
 */
export function isPublicAddress(address: string): boolean {
  const bare = address.replace(/^\[(.*)\]$/, '$1').replace(/%.*$/, '')
  return ipaddr.isValid(bare) && ipaddr.process(bare).range() === 'unicast'
}

/**
 * Looks names up and keeps the public addresses alone. A socket connects to what its lookup answered and to nothing else,
 * so a name that answers differently the next time (DNS rebinding) gains nothing.
 */
export function publicLookup(resolve: Resolve = lookup): LookupFunction {
  return (name, options, done) => {
    resolve(name, { ...options, all: true }, (error, addresses) => {
      const allowed = (addresses ?? []).filter(({ address }) => isPublicAddress(address))
      const [first] = allowed
      if (error !== null) return done(error, '')
      if (first === undefined) return done(notPublic(name), '')
      if (options.all === true) done(null, allowed)
      else done(null, first.address, first.family)
    })
  }
}

/**
 * How to connect to a host that only data named: with a lookup that keeps inside the public internet.
 *
 * @throws SyncError `peer/rejected` for a literal address outside it, which no lookup would ever see
 */
export function guardedLookup(
  host: string,
  publicOnly: boolean | undefined,
): { readonly lookup?: LookupFunction } {
  if (publicOnly !== true) return {}
  const bare = host.replace(/^\[(.*)\]$/, '$1')
  if (isIP(bare) !== 0 && !isPublicAddress(bare)) throw notPublic(host)
  return { lookup: publicLookup() }
}

function notPublic(host: string): SyncError {
  return new SyncError(
    'peer/rejected',
    `${host} has no address in the public internet; a relay that data alone names is not looked for in private networks. Add it by hand if it is yours`,
  )
}
