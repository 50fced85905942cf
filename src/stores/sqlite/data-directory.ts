import { mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * Makes the directory, for this account alone, unless it exists. SQLite flushes the entries inside it but not its own
 * entry in its parent: without that, a loss of power could take the whole new store with all it acknowledged.
 */
export async function makeDataDirectory(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: 0o700 })
  // Windows cannot open directories, and journals their entries itself.
  if (first === undefined || process.platform === 'win32') return
  for (let made = path; ; made = dirname(made)) {
    await using parent = await open(dirname(made))
    await parent.sync()
    if (made === first) return
  }
}
