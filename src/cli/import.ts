import { createReadStream } from 'node:fs'
import type { Command } from 'commander'
import type { ImportReport } from '../node/control.ts'
import { textLines } from '../node/text-lines.ts'
import { defaultLimits } from '../planes/events/limits.ts'
import { openControl } from './open-control.ts'
import { type CommonOptions, command } from './options.ts'
import { number } from './progress-line.ts'
import type { Terminal } from './terminal.ts'

export function importCommand(terminal: Terminal): Command {
  return command('import', 'store events from a JSONL file or stdin', terminal)
    .argument('[file]', 'one event per line; stdin when left out')
    .option('--no-verify', 'take signatures on trust (ids and shapes are still checked)')
    .action(async (file: string | undefined, options: CommonOptions & { readonly verify: boolean }) => {
      await using node = await openControl(options)
      const stream = file === undefined ? terminal.input : createReadStream(file)
      const lines = textLines(stream, 4 * defaultLimits.maxEventBytes)
      const onProgress = (report: ImportReport) => terminal.progress(() => `importing…  ${summary(report)}`)
      const report = await node.import(lines, { verify: options.verify, signal: terminal.signal, onProgress })
      for (const { line, reason } of report.reasons) terminal.note(`line ${line}: ${reason}`)
      await terminal.result(report, () => summary(report))
      if (report.rejected > 0 && report.accepted + report.duplicates === 0) terminal.exitCode = 1
    })
}

const summary = ({ accepted, duplicates, rejected }: ImportReport): string =>
  `${number(accepted)} stored, ${number(duplicates)} already there, ${number(rejected)} refused`
