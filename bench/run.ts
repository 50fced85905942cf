import { readdir, stat } from 'node:fs/promises'
import { availableParallelism } from 'node:os'

/** What `bench/<name>/bench.ts` exports. */
interface Bench {
  run(): Promise<object | readonly object[]>
}

const here = new URL('.', import.meta.url)
const names = await available()
const wanted = process.argv.slice(2)
const unknown = wanted.filter((name) => !names.includes(name))

if (wanted.length === 0) {
  console.log(`usage: npm run bench -- NAME…\n\n${names.map((name) => `  ${name}`).join('\n')}`)
} else if (unknown.length > 0) {
  console.error(`no bench named ${unknown.join(', ')}; there are: ${names.join(', ')}`)
  process.exitCode = 2
} else {
  for (const name of wanted) await print(name)
}

async function print(name: string): Promise<void> {
  const { run } = (await import(new URL(`${name}/bench.ts`, here).href)) as Bench
  const results = [await run()].flat()
  for (const result of results) {
    const machine = { node: process.version, cpus: availableParallelism(), date: new Date().toISOString() }
    console.log(JSON.stringify({ bench: name, ...result, ...machine }))
  }
}

async function available(): Promise<string[]> {
  const found: string[] = []
  for (const entry of await readdir(here, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue
    const file = await stat(new URL(`${entry.name}/bench.ts`, here)).catch(() => undefined)
    if (file?.isFile()) found.push(entry.name)
  }
  return found.sort()
}
