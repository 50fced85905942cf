import { normalName, normalSchema } from './registered-table.ts'

/** In which order tables depend on each other (§3.4). Keys are `schema.table`. */
export interface DiscoveredSchema {
  /** Parents before children; the members of a cycle side by side. */
  readonly tableOrder: readonly string[]
  /** Position in `tableOrder`. */
  readonly orderIndex: ReadonlyMap<string, number>
  /** Child → parents, sorted. A table's references to itself are left out. */
  readonly dependencies: ReadonlyMap<string, readonly string[]>
  /** Table → its cycle, for tables in cycles of several tables. */
  readonly cycleGroup: ReadonlyMap<string, number>
  /** Cycle → its tables, sorted. */
  readonly cycles: ReadonlyMap<number, readonly string[]>
}

/** `schema.table`, or `table` of the schema `public`, → what it shall come after. */
export type DependencyOverrides = Readonly<Record<string, readonly string[]>>

/**
 * Orders tables by their references and by `overrides`, which change the order and nothing else; an override that names an
 * unknown table, or a table itself, is ignored as upstream ignores it. The same input gives the same order.
 */
export function orderTables(
  tables: readonly string[],
  references: readonly { readonly child: string; readonly parent: string }[],
  overrides: DependencyOverrides = {},
): DiscoveredSchema {
  const parents = new Map<string, Set<string>>(tables.map((table) => [table, new Set()]))
  const depend = (child: string, parent: string) => {
    if (child !== parent && parents.has(parent)) parents.get(child)?.add(parent)
  }
  for (const { child, parent } of references) depend(child, parent)
  for (const [child, list] of Object.entries(overrides))
    for (const parent of list) depend(overrideKey(child), overrideKey(parent))

  const components = stronglyConnected(parents)
  const ordered = orderComponents(components, parents)
  const tableOrder = ordered.flat()
  const cycles = ordered.filter((members) => members.length > 1)
  return {
    tableOrder,
    orderIndex: new Map(tableOrder.map((table, i) => [table, i])),
    dependencies: new Map([...parents].map(([table, set]) => [table, [...set].sort()])),
    cycleGroup: new Map(cycles.flatMap((members, id) => members.map((table) => [table, id]))),
    cycles: new Map(cycles.map((members, id) => [id, members])),
  }
}

function overrideKey(name: string): string {
  const [first = '', second] = name.split('.')
  return second === undefined ? `public.${normalName(first)}` : `${normalSchema(first)}.${normalName(second)}`
}

/** Tarjan's algorithm; each component sorted. Recursion is as deep as there are tables at most. */
function stronglyConnected(parents: ReadonlyMap<string, ReadonlySet<string>>): string[][] {
  const index = new Map<string, number>()
  const low = new Map<string, number>()
  const stack: string[] = []
  const components: string[][] = []
  const visit = (table: string) => {
    index.set(table, index.size)
    low.set(table, index.get(table)!)
    stack.push(table)
    for (const parent of parents.get(table)!) {
      if (!index.has(parent)) visit(parent)
      else if (!stack.includes(parent)) continue
      low.set(table, Math.min(low.get(table)!, low.get(parent)!))
    }
    if (low.get(table) === index.get(table)) components.push(stack.splice(stack.indexOf(table)).sort())
  }
  for (const table of parents.keys()) if (!index.has(table)) visit(table)
  return components
}

/** Parents first; of those that are ready the one with the smallest member. */
function orderComponents(
  components: readonly (readonly string[])[],
  parents: ReadonlyMap<string, ReadonlySet<string>>,
): (readonly string[])[] {
  const placed = new Set<string>()
  let rest = [...components].sort((a, b) => (a[0]! < b[0]! ? -1 : 1))
  const ordered: (readonly string[])[] = []
  while (rest.length > 0) {
    const ready = rest.find((members) =>
      members.every((table) =>
        [...parents.get(table)!].every((parent) => placed.has(parent) || members.includes(parent)),
      ),
    )!
    ordered.push(ready)
    for (const table of ready) placed.add(table)
    rest = rest.filter((members) => members !== ready)
  }
  return ordered
}
