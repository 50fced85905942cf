import type { Command } from 'commander'
import { AdminServer } from '../api/admin-server.ts'
import { ControlServer } from '../api/control-server.ts'
import { loadConfig } from '../config/load.ts'
import { settings } from '../config/setting.ts'
import { openNode } from '../node/create-node.ts'
import type { Node } from '../node/node.ts'
import { type CommonOptions, command } from './options.ts'
import type { Terminal } from './terminal.ts'

/** Flags `command` adds to every command. */
const common = new Set(['--data', '--config', '--json'])

export function upCommand(terminal: Terminal): Command {
  const up = command('up', 'run the node: its relay and the sync with configured relays', terminal)
  for (const { flag, key, kind, description, default: fallback, defaultText } of settings) {
    if (common.has(flag)) continue
    // A switch without a word is on.
    up.option(
      kind === 'boolean' ? `${flag} [value]` : `${flag} <value>`,
      `${description} (default ${defaultText ?? JSON.stringify(fallback)}; ${key} in the file)`,
    )
  }
  return up.action(async (options: CommonOptions) => {
    const config = await loadConfig({ file: options.config, flags: { ...options }, env: process.env })
    await using node = await openNode(config)
    await using _control = await ControlServer.listen(node, node.directory)
    // First, so that a probe can tell that the rest is still starting.
    await using admin = config.admin.enabled
      ? await AdminServer.listen({ node, config: config.admin, log: node.log })
      : undefined
    const url = await node.listen()
    node.start()
    const { directory } = node
    const identity = node.identity.pubkey
    const rows = await node.rows.status()
    const sync = rows && { url: `${url.replace(/^ws/, 'http')}/sync`, database: rows.database }
    const documents = await documentsPlace(node, url)
    await terminal.result({ url, admin: admin?.url, directory, identity, rows: sync, documents }, () =>
      [
        `Relay listening on ${url}`,
        ...(documents === undefined ? [] : [`Documents at ${documents.url}, as ${documents.device}`]),
        ...(sync === undefined ? [] : [`Rows under ${sync.url}, from ${sync.database}`]),
        ...(admin === undefined
          ? []
          : [`Admin API on ${admin.url}/api/v1; make a key with "syncline key create"`]),
        `Data in ${directory}, identity ${identity}`,
        'Stop with Ctrl-C.',
      ].join('\n'),
    )
    await new Promise<void>((resolve) => {
      terminal.signal.addEventListener('abort', () => resolve(), { once: true })
      if (terminal.signal.aborted) resolve()
    })
    terminal.note('Stopping…')
  })
}

/** Where other nodes connect for documents; undefined where they are not served. */
async function documentsPlace(node: Node, url: string) {
  const status = await node.documents.status()
  if (status === undefined || status.addresses.length === 0) return undefined
  const { device, addresses } = status
  return { url: `${url.replace(/^ws/, 'http')}/api/v0`, device, addresses }
}
