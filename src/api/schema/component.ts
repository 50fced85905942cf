import { z } from 'zod'

/** Schemas that have a name in the OpenAPI document: each stands there once and is referred to. */
export const components = z.registry<{ id: string; description: string }>()

export function component<T extends z.ZodType>(id: string, description: string, schema: T): T {
  components.add(schema, { id, description })
  return schema
}

/** `2026-01-31T12:00:00.000Z`; relay.rb's REST answers have milliseconds, Parrhesia's runtime fields have none. */
export const time = z.iso.datetime()

export const problem = component(
  'Problem',
  'What went wrong (RFC 9457).',
  z.strictObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string().describe('For a person.'),
    code: z.string().describe('Stable, for programs.'),
  }),
)

export const errorBody = component(
  'Error',
  "relay.rb's body of a 401 and a 404.",
  z.strictObject({ error: z.string() }),
)

export const errorsBody = component(
  'Errors',
  "relay.rb's body of a 422: one sentence for each thing that is wrong.",
  z.strictObject({ errors: z.array(z.string()).min(1) }),
)
