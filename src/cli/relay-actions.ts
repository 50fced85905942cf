import { writeFile } from 'node:fs/promises'
import { type Command, Option } from 'commander'
import { type DispatchMode, dispatchModes, type SyncRun } from '../node/sync-control.ts'
import { openControl } from './open-control.ts'
import { type CommonOptions, command } from './options.ts'
import { number } from './progress-line.ts'
import { namedRelay } from './relay-view.ts'
import { settled } from './settled.ts'
import type { Terminal } from './terminal.ts'
import { duration } from './time-words.ts'
import { trigger } from './trigger.ts'

/** What can be done with one relay besides changing what it is. */
export function relayActions(terminal: Terminal): Command[] {
  return [
    startCommand(terminal),
    stopCommand(terminal),
    syncCommand(terminal),
    runsCommand(terminal),
    deadLettersCommand(terminal),
    exportCommand(terminal),
  ]
}

function startCommand(terminal: Terminal): Command {
  return command('start', 'let a stopped relay run; its failures are forgotten', terminal)
    .argument('<relay>', 'URL or id')
    .action(async (which: string, options: CommonOptions) => {
      await using node = await openControl(options)
      const { id, url } = await namedRelay(node, which)
      settled(await node.sync.startServer(id))
      await terminal.result({ started: url }, () => `Started ${url}.`)
    })
}

function stopCommand(terminal: Terminal): Command {
  return command('stop', 'stop a relay until it is started, also over a restart', terminal)
    .argument('<relay>', 'URL or id')
    .action(async (which: string, options: CommonOptions) => {
      await using node = await openControl(options)
      const { id, url } = await namedRelay(node, which)
      settled(await node.sync.stopServer(id))
      await terminal.result({ stopped: url }, () => `Stopped ${url}.`)
    })
}

function syncCommand(terminal: Terminal): Command {
  return command('sync', 'ask one relay for a sync now', terminal)
    .argument('<relay>', 'URL or id')
    .addOption(new Option('--mode <mode>', 'what to sync').choices(dispatchModes).default('realtime'))
    .action(async (which: string, options: CommonOptions & { readonly mode: DispatchMode }) => {
      await using node = await openControl(options)
      const { url } = await namedRelay(node, which)
      await trigger(node, terminal, options.mode, url)
    })
}

function runsCommand(terminal: Terminal): Command {
  return command('runs', 'the latest attempts with a relay, newest first', terminal)
    .argument('<relay>', 'URL or id')
    .action(async (which: string, options: CommonOptions) => {
      await using node = await openControl(options)
      await namedRelay(node, which)
      const runs = await node.sync.runs(which)
      await terminal.result(runs, () => (runs.length === 0 ? 'Not tried yet.' : runs.map(runLine).join('\n')))
    })
}

const triggerWords: Readonly<Record<string, string>> = {
  due: 'was due',
  retry: 'tried again',
  asked: 'asked for',
}

function runLine({
  id,
  trigger: why,
  started_at,
  finished_at,
  outcome,
  reason,
  strategy,
  counters,
}: SyncRun) {
  const took = finished_at === null ? 'running' : duration(Date.parse(finished_at) - Date.parse(started_at))
  const { accepted = 0, uploaded = 0 } = counters
  const moved = `${number(accepted)} down, ${number(uploaded)} up`
  const parts = [`#${id}`, started_at, took, outcome ?? '…', moved, triggerWords[why] ?? `asked for ${why}`]
  return [...parts, ...(strategy === null ? [] : [strategy]), ...(reason === null ? [] : [reason])].join('  ')
}

function deadLettersCommand(terminal: Terminal): Command {
  return command('dead-letters', 'events a relay refused for good, newest first', terminal)
    .argument('<relay>', 'URL or id')
    .option('--revive', 'offer all of them again')
    .action(async (which: string, options: CommonOptions & { readonly revive?: boolean }) => {
      await using node = await openControl(options)
      await namedRelay(node, which)
      if (options.revive === true) {
        const revived = await node.sync.reviveDeadLetters(which)
        await terminal.result(revived, () => `${revived.revived} events will be offered again.`)
        return
      }
      const letters = await node.sync.deadLetters(which)
      await terminal.result(letters, () =>
        letters.length === 0
          ? 'None.'
          : letters.map(({ key, reason }) => `${key}  ${reason ?? 'no reason given'}`).join('\n'),
      )
    })
}

function exportCommand(terminal: Terminal): Command {
  return command('export', 'all relays with how far they are, as "relay import" reads them', terminal)
    .argument('[file]', 'where to; standard output when left out')
    .action(async (file: string | undefined, options: CommonOptions) => {
      await using node = await openControl(options)
      const text = JSON.stringify(settled(await node.sync.exportServers()), null, 2)
      if (file === undefined) return terminal.print(text)
      // Definitions name key files.
      await writeFile(file, `${text}\n`, { mode: 0o600 })
      await terminal.result({ file }, () => `Written to ${file}.`)
    })
}
