import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A folder that is gone when the test is. */
export async function temporaryFolder(): Promise<
  AsyncDisposable & { readonly path: string; join(name: string): string }
> {
  const path = await mkdtemp(join(tmpdir(), 'syncline-test-'))
  return {
    path,
    join: (name) => join(path, name),
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  }
}
