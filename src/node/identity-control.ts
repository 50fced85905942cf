import type { Identity, IdentityControl } from './identity.ts'

/** @param reconnect called after a change: connections made as somebody else must not go on */
export function createIdentityControl(identity: Identity, reconnect: () => Promise<void>): IdentityControl {
  const changed = async () => {
    await reconnect()
    return identity.view
  }
  return {
    show: async () => identity.view,
    import: async (secretKey) => {
      await identity.import(secretKey)
      return changed()
    },
    rotate: async () => {
      await identity.rotate()
      return changed()
    },
  }
}
