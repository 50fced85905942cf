#!/usr/bin/env node
// Nothing here may need a newer Node than the one it warns about: the rest is only loaded after the check.
const required = 24
const running = Number(process.versions.node.split('.')[0])
if (running < required) {
  process.stderr.write(
    `syncline needs Node.js ${required} or newer, this is ${process.version}: see https://nodejs.org\n`,
  )
  process.exitCode = 1
} else {
  // V8 keeps room for garbage by the memory of the machine, as if nothing else ran on it. A small young generation, which
  // can only be asked for when a process begins, and collecting sooner save a third of a node's memory, and a sync is not
  // measurably slower. The process is replaced, not followed by another: pid, streams and signals stay what they are.
  const small = '--max-semi-space-size=4'
  const { argv, env, execArgv, execPath, platform } = process
  if (platform !== 'win32' && process.execve !== undefined && !execArgv.includes(small))
    process.execve(execPath, [execPath, small, ...execArgv, ...argv.slice(1)], env)
  const { setFlagsFromString } = await import('node:v8')
  setFlagsFromString('--heap-growing-percent=20')
  const { main } = await import('./main.ts')
  process.exitCode = await main(argv.slice(2))
}
