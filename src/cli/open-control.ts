import { ControlClient } from '../api/control-client.ts'
import { loadConfig } from '../config/load.ts'
import type { NodeControl } from '../node/control.ts'
import { openNode } from '../node/create-node.ts'
import type { CommonOptions } from './options.ts'

export interface ControlOptions extends CommonOptions {
  /** For a node that has to be opened; a running one knows its own. */
  readonly rows?: string
  readonly databaseUrl?: string
}

/** The node on the data directory: the running one if there is one, else one opened for this command. */
export async function openControl(options: ControlOptions): Promise<NodeControl> {
  const { data, rows, databaseUrl } = options
  const { env } = process
  // A command says itself what went wrong; the log of its short-lived node would say it a second time.
  const quiet = env.SYNCLINE_LOG_LEVEL === undefined ? { logLevel: 'error' } : {}
  const config = await loadConfig({ file: options.config, flags: { data, rows, databaseUrl, ...quiet }, env })
  return (await ControlClient.connect(config.data)) ?? (await openNode(config))
}

/** Whether the node runs in a process of its own; else this command opened it, and it ends with the command. */
export const isRunning = (node: NodeControl): boolean => node instanceof ControlClient
