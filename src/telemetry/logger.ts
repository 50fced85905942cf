import { type DestinationStream, destination, type Logger as Pino, pino } from 'pino'
import type { LogFields, Logger } from '../kernel/logger.ts'
import { humanLine } from './human-line.ts'
import { safeFields, safeText } from './log-fields.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

export interface LoggerOptions {
  readonly level?: LogLevel
  /** `json`: one object per line, for machines. `human`: one readable line. `auto`: human on a terminal. */
  readonly format?: 'auto' | 'json' | 'human'
  /** Where lines go; standard error unless told otherwise, so that standard output stays a command's answer. */
  readonly output?: { write(line: string): void }
}

/**
 * The logger of a node. Fields named like secrets are redacted and every field is cut to 2 kB, so that neither a
 * careless call nor hostile content can leak a key or fill a disk.
 */
export function createLogger(options: LoggerOptions = {}): Logger {
  const { level = 'info', format = 'auto' } = options
  // Synchronous: what a process said just before it died is what one needs to read.
  const output: DestinationStream = options.output ?? destination({ fd: 2, sync: true })
  const human =
    format === 'human' || (format === 'auto' && options.output === undefined && process.stderr.isTTY)
  const stream = human ? { write: (line: string) => output.write(humanLine(line)) } : output
  return wrap(
    pino(
      {
        level,
        base: null,
        timestamp: () => `,"time":"${new Date().toISOString()}"`,
        formatters: { level: (label) => ({ level: label }) },
        messageKey: 'message',
      },
      stream,
    ),
  )
}

function wrap(sink: Pino): Logger {
  const line = (level: 'debug' | 'info' | 'warn' | 'error') => (message: string, fields?: LogFields) => {
    // Before anything is copied or cut: a debug line that is switched off costs nothing.
    if (sink.isLevelEnabled(level)) sink[level](own(fields), safeText(message))
  }
  return {
    debug: line('debug'),
    info: line('info'),
    warn: line('warn'),
    error: line('error'),
    child: (fields) => wrap(sink.child(own(fields))),
  }
}

/** Fields that would overwrite the line's own are renamed: a reader must be able to trust level, time and message. */
function own(fields: LogFields = {}): Record<string, unknown> {
  const safe = safeFields(fields)
  for (const key of ['level', 'time', 'message']) {
    if (!(key in safe)) continue
    safe[`${key}_`] = safe[key]
    delete safe[key]
  }
  return safe
}
