import { z } from 'zod'
import { count, settingInfo } from './setting-info.ts'

/** How the node finds by itself what it should mirror (GRASP-02, NIP-65). */
export const proactive = z.strictObject({
  domain: z
    .string()
    .regex(/^[a-z0-9.-]+(:\d{1,5})?$/)
    .optional()
    .register(settingInfo, {
      description:
        'The host, with its port if that is not 443 or 80, under which this node is listed in announcements of git repositories. Giving it turns on the mirroring of repositories (GRASP-02).',
      allowed: 'a host name in lower case, with a port if need be',
      defaultText: 'none',
    }),
  bootstrapRelays: z.array(z.string().min(1).max(512)).max(100).default([]).register(settingInfo, {
    description:
      'Relays that are asked for announcements from the start, although nothing accepted here names them yet. They are never given up.',
    allowed: 'a list of at most 100 relay URLs',
  }),
  outboxAuthors: z
    .array(z.string().regex(/^[0-9a-f]{64}$/))
    .max(10_000)
    .default([])
    .register(settingInfo, {
      description:
        'Authors whose events are mirrored from the relays they write to, as their relay lists (NIP-65) say.',
      allowed: 'a list of at most 10000 public keys of 64 lowercase hex digits',
    }),
  outboxKinds: z.array(z.int().min(0).max(65_535)).max(1_000).default([]).register(settingInfo, {
    description: 'Of those authors, only these kinds besides their profiles and lists.',
    allowed: 'a list of at most 1000 kinds from 0 to 65535; an empty list is everything they publish',
  }),
  maxRelays: count(1, 10_000, 500, 'Relays that one profile mirrors at most.'),
  batchWindowMs: count(
    10,
    600_000,
    5_000,
    'How long accepted events are collected before what they ask for is looked at, in milliseconds.',
  ),
  privateAddresses: z.boolean().default(false).register(settingInfo, {
    description:
      'Whether relays and git servers that events name may lie in private networks. Anybody who may publish here can then make this node connect to machines of its own network.',
    allowed: 'true or false',
  }),
})
