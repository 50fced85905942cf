import { type Permission, parsePermission } from '../../planes/documents/index.ts'

/** Below an owner, who has 0, so that an owner can take it back; with room above and below. */
const usualPriority = 10

/** `read`, `write`, `admin`, or with a priority, `write:20`. Throws `document/bad-value`. */
export function permissionIn(text: string): Permission {
  return parsePermission(text === 'write' || text === 'admin' ? `${text}:${usualPriority}` : text)
}
