import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net'

/** IP addresses, one by one or as ranges such as `192.0.2.0/24`. */
export class AddressList {
  readonly #list = new BlockList()

  /** @param entries each accepted by {@link isAddressOrRange} */
  constructor(entries: readonly string[]) {
    for (const entry of entries) {
      const [address = '', bits] = plain(entry).split('/')
      if (bits === undefined) this.#list.addAddress(address, familyOf(address))
      else this.#list.addSubnet(address, Number(bits), familyOf(address))
    }
  }

  /** An IPv4 client that came through a listener on both families counts as what it is. */
  has(address: string): boolean {
    const one = plain(address)
    return isIP(one) !== 0 && this.#list.check(one, familyOf(one))
  }
}

export function isAddressOrRange(text: string): boolean {
  const [address = '', bits, ...more] = text.split('/')
  if (more.length > 0 || isIP(address) === 0) return false
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (isIPv4(address) ? 32 : 128))
}

function plain(address: string): string {
  return address.replace(/%[^/]*/, '').replace(/^::ffff:(?=\d+\.)/i, '')
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIPv6(address) ? 'ipv6' : 'ipv4'
}
