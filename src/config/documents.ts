import { z } from 'zod'
import { seconds, settingInfo } from './setting-info.ts'

/** `host:port`; an IPv6 address in brackets. */
const socketAddress = z.string().refine((value) => {
  const [, port] = /^(?:\[[0-9a-f:.]+\]|[^[\]:/?#@\s]+):(\d{1,5})$/i.exec(value) ?? []
  return port !== undefined && Number(port) <= 65_535
})

/** Documents, kept in step with peers. */
export const documents = z.strictObject({
  enabled: z.boolean().default(false).register(settingInfo, {
    description:
      'Whether other nodes may connect for documents: at `/api/v0` of the public listener, and by Iroh where `documents.iroh` is on. Only databases that are shared are served, and only to keys they grant. Without it this node still connects to others.',
    allowed: 'true or false',
    flag: '--documents',
  }),
  intervalSeconds: seconds(
    1,
    86_400,
    300,
    'How often a database is compared with each peer when nothing happens. A change is sent at once; one of a peer that cannot connect here is seen at the latest then.',
  ),
  iroh: z.boolean().default(false).register(settingInfo, {
    description:
      'Whether documents also go by Iroh (QUIC), which finds ways through NAT. Needs the optional package `@number0/iroh`.',
    allowed: 'true or false',
  }),
  irohBind: socketAddress.optional().register(settingInfo, {
    description: 'The UDP socket of Iroh; port 0 takes a free one.',
    allowed: 'host:port with an IP address, such as 0.0.0.0:7779',
    defaultText: 'every network, a free port',
  }),
  irohRelays: z.boolean().default(true).register(settingInfo, {
    description:
      "Whether Iroh's public relays and discovery help where two nodes cannot reach each other. They learn which nodes talk, and nothing of what is said. Without them only direct addresses count.",
    allowed: 'true or false',
  }),
})
