import { isMap, isScalar, LineCounter, type Node, parseDocument } from 'yaml'
import { SyncError } from '../kernel/sync-error.ts'
import { settings } from './setting.ts'

export interface ConfigFile {
  readonly path: string
  /** By dotted key, with the line each stands on. Keys that no setting knows are kept, so that they can be refused. */
  readonly values: ReadonlyMap<string, { readonly value: unknown; readonly line: number }>
}

/**
 * Reads a YAML configuration file.
 *
 * @throws SyncError `config/invalid` naming the line
 */
export function parseConfigFile(path: string, text: string): ConfigFile {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true })
  const problem = document.errors[0] ?? document.warnings[0]
  if (problem !== undefined)
    throw new SyncError(
      'config/invalid',
      `${path}:${lines.linePos(problem.pos[0]).line} is not valid YAML: ${problem.message}`,
      { cause: problem },
    )
  const values = new Map<string, { value: unknown; line: number }>()
  const root = document.contents
  if (root === null) return { path, values }
  if (!isMap(root))
    throw new SyncError('config/invalid', `${path} must hold settings, one "key: value" per line`)

  const resolved = (node: Node, line: number): unknown => {
    try {
      return node.toJS(document, { maxAliasCount: 100 })
    } catch (error) {
      // An alias without its anchor, or too many of them: only found when they are followed.
      throw new SyncError('config/invalid', `${path}:${line}: ${String(error)}`, { cause: error })
    }
  }
  const groups = new Set(settings.flatMap(({ path: names }) => (names.length > 1 ? [names[0]!] : [])))
  const visit = (node: Node, prefix: string) => {
    if (!isMap(node)) return
    for (const pair of node.items) {
      const line = lines.linePos((pair.key as Node).range?.[0] ?? 0).line
      const name = String(resolved(pair.key as Node, line))
      const child = pair.value as Node | null
      // An empty group ("log:" with everything below it commented out) says nothing, rather than null.
      if (prefix === '' && groups.has(name) && (isMap(child) || isEmpty(child))) visit(child!, `${name}.`)
      else values.set(`${prefix}${name}`, { value: child === null ? undefined : resolved(child, line), line })
    }
  }
  visit(root, '')
  return { path, values }
}

function isEmpty(node: Node | null): boolean {
  return node === null || (isScalar(node) && node.value === null)
}
