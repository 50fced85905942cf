import { Child } from '../harness/child.ts'

export type Command =
  | { readonly do: 'load'; readonly file: string }
  | { readonly do: 'forge'; readonly file: string; readonly count: number }
  | { readonly do: 'listen' | 'dial' | 'usage' }
  | { readonly do: 'sync'; readonly ticket: string }
  | { readonly do: 'write'; readonly count: number; readonly label: string }
  | { readonly do: 'state'; readonly replay: boolean }

export interface Answer {
  readonly ticket?: string
  readonly ms?: number
  /** What an exchange moved, as the node itself records it. */
  readonly received?: number
  readonly sent?: number
  readonly requests?: number
  readonly messageBytes?: number
  /** Bytes of the entries that were written. */
  readonly entryBytes?: number
  readonly openedMs?: number
  readonly digest?: string
  readonly count?: number
  readonly tips?: string
  readonly refused?: number
  /** Both ways over all connections accepted so far, headers of HTTP included. */
  readonly socketBytes?: number
  readonly peakMb?: number
  readonly cpuSeconds?: number
}

export type Peer = Child<Command, Answer>

/** As an application has it that embeds the library, and as the other system is run: with V8's own settings of memory. */
export function startPeer(folder: string, writer: 0 | 1): Promise<Peer> {
  return Child.start(new URL('peer-process.ts', import.meta.url), [folder, String(writer)])
}
