import type { ServerControl, SyncNowOptions } from '../sync-control.ts'

/** The functions of the control plane that act on the servers of one manager. */
export interface ManagedServers {
  putServer(server: unknown): ReturnType<ServerControl['putServer']>
  getServer(id: string): ReturnType<ServerControl['getServer']>
  listServers(): ReturnType<ServerControl['listServers']>
  removeServer(id: string): ReturnType<ServerControl['removeServer']>
  startServer(id: string): ReturnType<ServerControl['startServer']>
  stopServer(id: string): ReturnType<ServerControl['stopServer']>
  syncNow(id: string, options?: SyncNowOptions): ReturnType<ServerControl['syncNow']>
  serverStats(id: string): ReturnType<ServerControl['serverStats']>
  syncStats(): ReturnType<ServerControl['syncStats']>
  syncHealth(): ReturnType<ServerControl['syncHealth']>
}

export function managedServers(control: ServerControl, manager: string): ManagedServers {
  const options = { manager }
  return {
    putServer: (server) => control.putServer(server, options),
    getServer: (id) => control.getServer(id, options),
    listServers: () => control.listServers(options),
    removeServer: (id) => control.removeServer(id, options),
    startServer: (id) => control.startServer(id, options),
    stopServer: (id) => control.stopServer(id, options),
    syncNow: (id, more) => control.syncNow(id, { ...more, manager }),
    serverStats: (id) => control.serverStats(id, options),
    syncStats: () => control.syncStats(options),
    syncHealth: () => control.syncHealth(options),
  }
}
