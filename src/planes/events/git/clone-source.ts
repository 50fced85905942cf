import { isIP } from 'node:net'

/** Which addresses of a clone URL's host may be reached. */
export interface AddressRules {
  /** Every address of a name. Rejects when there is none. */
  readonly resolve: (host: string) => Promise<readonly string[]>
  readonly isAllowed: (address: string) => boolean
}

/** Where objects are fetched from, as git is told. */
export interface CloneSource {
  readonly url: string
  /** Settings that hold git to the addresses that were looked at. */
  readonly config: readonly string[]
}

const maxLength = 2_048
/** Names alone: to curl a `+` or `-` before one, or a `*`, is an instruction. */
const hostName = /^[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?$/
/** Of a name with many addresses git tries so many. */
const maxAddresses = 8

/** Undefined for what is no web address: another scheme, credentials, no host, too long a text. */
export function cloneUrl(text: string): URL | undefined {
  if (text.length > maxLength || !URL.canParse(text)) return undefined
  const url = new URL(text)
  const isWeb = url.protocol === 'http:' || url.protocol === 'https:'
  if (!isWeb || url.username !== '' || url.password !== '') return undefined
  url.hostname = url.hostname.replace(/\.$/, '')
  if (!hostName.test(url.hostname) && isIP(bare(url.hostname)) === 0) return undefined
  url.hash = ''
  return url
}

/**
 * Looks the host up, keeps the addresses that may be reached, and has git connect to those and no others: a name that
 * answers differently the next time (DNS rebinding) gains nothing.
 *
 * @returns undefined where no address may be reached
 */
export async function pinnedSource(url: URL, rules: AddressRules): Promise<CloneSource | undefined> {
  const { hostname, href } = url
  const literal = bare(hostname)
  if (isIP(literal) !== 0) return rules.isAllowed(literal) ? { url: href, config: [] } : undefined
  const allowed = (await rules.resolve(hostname)).filter(rules.isAllowed).slice(0, maxAddresses)
  if (allowed.length === 0) return undefined
  const port = url.port || (url.protocol === 'https:' ? '443' : '80')
  const addresses = allowed.map((address) => (isIP(address) === 6 ? `[${address}]` : address))
  return { url: href, config: [`http.curloptResolve=${hostname}:${port}:${addresses.join(',')}`] }
}

function bare(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1')
}
