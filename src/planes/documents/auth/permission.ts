import { DocumentError } from '../document-error.ts'

/** What a key may do. A smaller priority is stronger; both are compared by `rankOf`. */
export type Permission =
  | { readonly type: 'admin' | 'write'; readonly priority: number }
  | { readonly type: 'read' }

/** What a delegation lets through. */
export interface PermissionBounds {
  readonly max: Permission
  readonly min?: Permission
}

export const maxPriority = 2 ** 32 - 1
export const owner: Permission = { type: 'admin', priority: 0 }
export const read: Permission = { type: 'read' }

/** A total order: every admin above every writer above every reader, smaller priorities above larger ones. */
export function rankOf(permission: Permission): number {
  if (permission.type === 'read') return 0
  const base = permission.type === 'write' ? 1 + maxPriority : 2 + 2 * maxPriority
  return base - permission.priority
}

/** At least as strong. */
export function covers(have: Permission, need: Permission): boolean {
  return rankOf(have) >= rankOf(need)
}

export function canWrite(permission: Permission): boolean {
  return permission.type !== 'read'
}

export function canAdmin(permission: Permission): boolean {
  return permission.type === 'admin'
}

/** A `min` above `max` says nothing. */
export function clamp(permission: Permission, { max, min }: PermissionBounds): Permission {
  if (!covers(max, permission)) return max
  if (min !== undefined && covers(max, min) && !covers(permission, min)) return min
  return permission
}

/** The bounds of a chain: the lowest of the maxima, the highest of the minima. */
export function narrow(outer: PermissionBounds, inner: PermissionBounds): PermissionBounds {
  const max = covers(outer.max, inner.max) ? inner.max : outer.max
  const min = strongest([outer.min, inner.min])
  return min === undefined ? { max } : { max, min }
}

function strongest(permissions: readonly (Permission | undefined)[]): Permission | undefined {
  return permissions.reduce((best, next) => {
    return best === undefined || (next !== undefined && covers(next, best)) ? next : best
  }, undefined)
}

/** `read`, `write:10`, `admin:0`. */
export function formatPermission(permission: Permission): string {
  return permission.type === 'read' ? 'read' : `${permission.type}:${permission.priority}`
}

/** Throws `document/bad-value`. */
export function parsePermission(text: string): Permission {
  const [, type, digits] = /^(?:read|(write|admin):(\d{1,10}))$/.exec(text) ?? []
  if (text === 'read') return read
  const priority = Number(digits)
  if (type === undefined || priority > maxPriority)
    throw new DocumentError('document/bad-value', `${JSON.stringify(text)} is none of read, write:N, admin:N`)
  return { type: type as 'write' | 'admin', priority }
}
