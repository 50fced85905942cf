import { z } from 'zod'
import { type ApiKey, type KeyScope, keyScopes } from '../../node/api-key.ts'
import type { KeyControl } from '../../node/api-keys.ts'
import { invalid, notFound } from '../http-error.ts'
import { type Route, route } from '../route.ts'
import { apiKey, createdApiKey, newApiKey } from '../schema/api-key.ts'

/** Unlike relay.rb's, a key made without a wish cannot make further keys. */
const defaultScopes: readonly KeyScope[] = ['read', 'write']

export function apiKeyRoutes(keys: KeyControl): Route[] {
  const common = { tag: 'API keys', scope: 'admin' } as const
  return [
    route({
      ...common,
      id: 'listApiKeys',
      method: 'get',
      path: '/api_keys',
      summary: 'The keys that were not revoked.',
      answer: z.array(apiKey),
      handle: async () => (await keys.list()).filter(inForce).map(shown),
    }),
    route({
      ...common,
      id: 'createApiKey',
      method: 'post',
      path: '/api_keys',
      summary: 'Makes a key. Its token is shown in this answer and never again.',
      body: newApiKey,
      status: 201,
      answer: createdApiKey,
      errors: [422],
      handle: async ({ body: { api_key: wanted } }) => {
        if (wanted.name.trim() === '') throw invalid(["Name can't be blank"])
        const expiresAt = wanted.expires_at === undefined ? undefined : Date.parse(wanted.expires_at)
        const created = await keys.create({
          name: wanted.name,
          scopes: wanted.scopes ?? defaultScopes,
          expiresAt,
        })
        const message = 'Save this token: it is not shown again.'
        return { ...shown(created), token: created.token, message }
      },
    }),
    route({
      ...common,
      id: 'revokeApiKey',
      method: 'delete',
      path: '/api_keys/{id}',
      summary: 'Revokes a key at once.',
      errors: [404],
      handle: async ({ params: { id } }) => {
        const known = (await keys.list()).some((key) => inForce(key) && key.id === id)
        if (!known || id === undefined) throw notFound()
        await keys.revoke(id)
      },
    }),
  ]
}

const inForce = ({ revoked_at }: ApiKey): boolean => revoked_at === null

function shown({ id, name, key_prefix, scopes, created_at, expires_at, last_used_at }: ApiKey) {
  const inOrder = keyScopes.filter((scope) => scopes.includes(scope))
  return { id, name, key_prefix, scopes: inOrder, created_at, expires_at, last_used_at }
}
