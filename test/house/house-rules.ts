import { dirname, join, normalize } from 'node:path/posix'

/** A source file, by its path from the root of the repository with forward slashes. */
export interface SourceFile {
  readonly path: string
  readonly text: string
}

export interface Violation {
  readonly path: string
  /** 1-based; 0 where it concerns the whole file. */
  readonly line: number
  readonly found: string
  readonly rule: string
}

interface Room {
  /** Other rooms it may import. */
  readonly rooms: readonly string[]
  /** Packages and `node:` modules it may import; undefined: any. */
  readonly packages?: readonly string[]
}

const underNode = ['kernel', 'negentropy', 'planes', 'transports', 'stores', 'jobs', 'telemetry', 'config']

/** kernel ← planes, transports, stores, jobs, telemetry, config ← node ← api, cli, sdk; web → sdk. */
const rooms: Readonly<Record<string, Room>> = {
  kernel: { rooms: [], packages: [] },
  negentropy: { rooms: [], packages: ['@noble/hashes'] },
  planes: { rooms: ['kernel', 'negentropy'] },
  transports: { rooms: ['kernel'] },
  stores: { rooms: ['kernel'] },
  jobs: { rooms: ['kernel'] },
  telemetry: { rooms: ['kernel'] },
  config: { rooms: ['kernel'] },
  node: { rooms: underNode },
  sdk: { rooms: [...underNode, 'node', 'api'] },
  api: { rooms: [...underNode, 'node'] },
  cli: { rooms: [...underNode, 'node', 'api', 'sdk'] },
  web: { rooms: ['sdk'] },
}

const maxLines = 400
/** One noun, then at most suffixes that name an engine, an environment or a test. */
const kebabCase = /^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+(-[a-z0-9]+)*)*\.tsx?$/

interface Import {
  readonly specifier: string
  readonly line: number
}

/** Everything in `files` that breaks a rule of the house, in the order of the files. */
export function violations(files: readonly SourceFile[]): Violation[] {
  return files.flatMap((file) => [...shape(file), ...words(file), ...directions(file)])
}

export function describeViolation({ path, line, found, rule }: Violation): string {
  return `${path}${line === 0 ? '' : `:${line}`}  ${found}\n    ${rule}`
}

function shape({ path, text }: SourceFile): Violation[] {
  const broken: Violation[] = []
  const lines = text.split('\n').length - (text.endsWith('\n') ? 1 : 0)
  if (lines > maxLines)
    broken.push({
      path,
      line: 0,
      found: `${lines} lines`,
      rule: `a file has at most ${maxLines} lines: split it by decision`,
    })
  for (const name of path.split('/').slice(1, -1))
    if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(name))
      broken.push({ path, line: 0, found: name, rule: 'folders are named in kebab-case' })
  const name = path.split('/').at(-1)!
  if (!kebabCase.test(name))
    broken.push({ path, line: 0, found: name, rule: 'files are named in kebab-case' })
  return broken
}

function words(file: SourceFile): Violation[] {
  const { path, text } = file
  const code = withoutComments(text)
  const room = roomOf(path)
  const broken = find(
    path,
    text,
    /\b(TODO|FIXME|XXX)\b/g,
    'finish it, or write it down where work is planned',
  )
  if (room !== 'cli') {
    broken.push(
      ...find(
        path,
        code,
        /\bconsole\.\w+/g,
        'only telemetry and the CLI write to the terminal: take a Logger',
      ),
    )
    broken.push(...find(path, code, /\bprocess\.exit\b/g, 'only the CLI ends the process: throw instead'))
  }
  if (room === 'kernel' && path !== 'src/kernel/clock.ts' && !isTest(path))
    broken.push(
      ...find(
        path,
        code,
        /\b(Date\.now|new Date\(\)|Math\.random|performance\.now|setTimeout|setInterval|setImmediate)\b/g,
        'the kernel takes time and randomness as arguments: use Clock and Random',
      ),
    )
  return broken
}

/** Tests may use whatever they need to run the real thing. */
function directions({ path, text }: SourceFile): Violation[] {
  if (isTest(path)) return []
  const room = roomOf(path)
  const allowed = rooms[room]
  if (allowed === undefined)
    return [
      {
        path,
        line: 0,
        found: `src/${room}`,
        rule: `there is no such room; there are ${Object.keys(rooms).join(', ')}`,
      },
    ]
  return imports(text).flatMap(({ specifier, line }) => {
    const rule = specifier.startsWith('.')
      ? crossing(path, room, allowed, specifier)
      : foreign(room, allowed, specifier)
    return rule === undefined ? [] : [{ path, line, found: `imports ${specifier}`, rule }]
  })
}

function foreign(room: string, { packages }: Room, specifier: string): string | undefined {
  if (packages === undefined) return undefined
  if (packages.some((name) => specifier === name || specifier.startsWith(`${name}/`))) return undefined
  const only = packages.length === 0 ? 'no package and no node: module' : `only ${packages.join(', ')}`
  return `${room} imports ${only}: it must run in a browser`
}

function crossing(path: string, room: string, allowed: Room, specifier: string): string | undefined {
  const target = normalize(join(dirname(path), specifier))
  // The version is read from there; it lies in the same place beside dist.
  if (target === 'package.json' && room === 'node') return undefined
  if (!target.startsWith('src/') && !target.startsWith('web/'))
    return 'nothing in a room imports from outside the rooms'
  const other = roomOf(target)
  if (other === room) {
    const [here, there] = [planeOf(path), planeOf(target)]
    return here === there ? undefined : `planes never import each other: ${here} must not know ${there}`
  }
  if (room === 'planes' && other === 'stores') {
    const engine = target.split('/')[2]!
    return path.endsWith(`.${engine}.ts`)
      ? undefined
      : `only *.${engine}.ts files of a plane import stores/${engine}`
  }
  if (allowed.rooms.includes(other)) return undefined
  const may = allowed.rooms.length === 0 ? 'no other room' : `only ${allowed.rooms.join(', ')}`
  return `${room} imports ${may}, not ${other}`
}

/** Static, re-exporting and dynamic imports, and workers started by URL. */
function imports(text: string): Import[] {
  const code = withoutComments(text)
  const patterns = [
    /^[ \t]*(?:import|export)\s[\w\s{},*$]*?\bfrom\s*['"]([^'"]+)['"]/gm,
    /^[ \t]*import\s*['"]([^'"]+)['"]/gm,
    /\bimport\(\s*['"]([^'"]+)['"]/g,
    /\bnew URL\(\s*['"](\.[^'"]+)['"]\s*,\s*import\.meta\.url/g,
  ]
  return patterns
    .flatMap((pattern) =>
      [...code.matchAll(pattern)].map((match) => ({
        specifier: match[1]!,
        line: lineOf(code, match.index + match[0].length - 1),
      })),
    )
    .sort((a, b) => a.line - b.line)
}

function find(path: string, text: string, pattern: RegExp, rule: string): Violation[] {
  return [...text.matchAll(pattern)].map((match) => ({
    path,
    line: lineOf(text, match.index),
    found: match[0],
    rule,
  }))
}

/** Blanks comments, keeping every line where it was. A `//` after a colon is a URL. */
function withoutComments(text: string): string {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ' '))
    .replace(/(^|[^:'"`])\/\/[^\n]*/g, '$1')
}

function lineOf(text: string, index: number): number {
  return text.slice(0, index).split('\n').length
}

function roomOf(path: string): string {
  const [top, room = ''] = path.split('/')
  return top === 'web' ? 'web' : room
}

function planeOf(path: string): string | undefined {
  const [, room, plane] = path.split('/')
  return room === 'planes' ? plane : undefined
}

function isTest(path: string): boolean {
  return path.endsWith('.test.ts')
}
