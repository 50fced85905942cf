import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'

/** A real disk of so many MiB at `path`, gone with the test; undefined without the right to mount one. */
export function mountSmallDisk(path: string, mebibytes: number): Disposable | undefined {
  try {
    mkdirSync(path)
    const options = ['-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'none', path]
    execFileSync('/bin/mount', options, { stdio: 'ignore' })
  } catch {
    return undefined
  }
  return { [Symbol.dispose]: () => execFileSync('/bin/umount', ['-l', path]) }
}
