import { z } from 'zod'
import { keyScopes } from '../../node/api-key.ts'
import { component, time } from './component.ts'

const scopes = z
  .array(z.enum(keyScopes))
  .min(1)
  .describe('What the key may do. `admin` includes `write`, `write` includes `read`.')

export const apiKey = component(
  'ApiKey',
  'A key, without its token.',
  z.strictObject({
    id: z.string(),
    name: z.string(),
    key_prefix: z.string().describe('The first 8 characters of the token.'),
    scopes,
    created_at: time,
    expires_at: time.nullable(),
    last_used_at: time.nullable().describe('Noted at most once a minute.'),
  }),
)

export const createdApiKey = component(
  'CreatedApiKey',
  'A new key. The token is in this answer and nowhere else.',
  apiKey.extend({ token: z.string().regex(/^rlk_[A-Za-z0-9_-]{43}$/), message: z.string() }),
)

export const newApiKey = component(
  'NewApiKey',
  'The envelope of relay.rb, with scopes and an end.',
  z.object({
    api_key: z.strictObject({
      name: z.string().max(200),
      scopes: scopes.optional().describe('Default: read and write.'),
      expires_at: time.optional().describe('Default: never.'),
    }),
  }),
)
