import { z } from 'zod'

import { count, settingInfo } from './setting-info.ts'

const names = (description: string) =>
  z.array(z.string().min(1).max(512)).max(10_000).default([]).register(settingInfo, {
    description,
    allowed: 'a list of at most 10000 entries of the forms npub1…, npub1…/identifier and identifier',
  })

/** What a service for git repositories keeps (GRASP-01, GRASP-05). It applies once `proactive.domain` is given. */
export const grasp = z.strictObject({
  policy: z.enum(['strict', 'open']).default('strict').register(settingInfo, {
    description:
      'What is kept once `proactive.domain` is given. `strict`: repositories announced here and what belongs to them, nothing else. `open`: everything the other policies let in.',
    allowed: 'strict or open',
  }),
  archiveAll: z.boolean().default(false).register(settingInfo, {
    description:
      'Whether announcements that do not list this service are kept as well, all of them (GRASP-05).',
    allowed: 'true or false',
  }),
  archive: names('Repositories that are kept although they do not list this service (GRASP-05).'),
  archiveServices: z
    .array(z.string().regex(/^[a-z0-9.-]+(:\d{1,5})?$/))
    .max(1_000)
    .default([])
    .register(settingInfo, {
      description: 'Services whose repositories are all kept (GRASP-05), by host and port.',
      allowed: 'a list of at most 1000 host names in lower case, with a port if need be',
    }),
  archiveReadOnly: z.boolean().default(false).register(settingInfo, {
    description: 'Whether only what the archive settings select is kept, and what lists this service is not.',
    allowed: 'true or false',
  }),
  allow: names('Of the repositories that list this service, only these are kept. Empty: all.'),
  deny: names('Repositories that are not kept, whatever else selects them.'),
  denyAuthors: z
    .array(z.string().regex(/^[0-9a-f]{64}$/))
    .max(100_000)
    .default([])
    .register(settingInfo, {
      description: 'Authors of whom nothing is taken, whatever its kind.',
      allowed: 'a list of at most 100000 public keys of 64 lowercase hex digits',
    }),
  holdSeconds: count(
    10,
    86_400,
    600,
    'How long an event is held that comes before what it belongs to.',
    ' of seconds',
  ),
  maxHeld: count(0, 1_000_000, 50_000, 'Events that are held at the same time.'),
})
