import type { Bulk } from '../../planes/events/bulk/bulk.ts'
import type { SyncControl } from '../sync-control.ts'
import type { Dispatch } from './dispatch.ts'
import { createDispatch, createRelayControl } from './relay-control.ts'
import { createServerControl } from './server-control.ts'
import { createServerFiles } from './server-files.ts'
import { Servers, type ServersParts } from './servers.ts'

export interface SyncParts<Tx> extends ServersParts<Tx> {
  readonly bulk: Bulk
}

/** The control plane with its two vocabularies, and what else a node needs of it. */
export interface SyncFacade {
  readonly control: SyncControl
  readonly dispatch: Dispatch
}

export function createSyncControl<Tx>(parts: SyncParts<Tx>): SyncFacade {
  const servers = new Servers(parts)
  const dispatch = createDispatch(servers, parts)
  const control: SyncControl = {
    ...createServerControl(servers, parts),
    ...createRelayControl(servers, parts, dispatch),
    ...createServerFiles(servers, parts),
    ...parts.bulk,
  }
  return { control, dispatch }
}
