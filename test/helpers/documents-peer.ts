import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { type CommandResult, callCommand } from './command.ts'
import { type RunningNode, startNode } from './running-node.ts'

export interface DatabaseState {
  readonly tips: readonly string[]
  readonly value: unknown
}

/** A node in a process of its own, and the commands about its documents. It keeps its port over restarts. */
export class DocumentsPeer implements AsyncDisposable {
  readonly data: string
  readonly #flags: readonly string[]
  #node: RunningNode | undefined
  #port: string | undefined

  constructor(data: string, flags: readonly string[] = []) {
    this.data = data
    this.#flags = flags
  }

  get node(): RunningNode {
    assert.ok(this.#node, 'the node runs')
    return this.#node
  }

  get http(): string {
    return this.node.url.replace('ws', 'http')
  }

  async start(): Promise<void> {
    this.#node = await startNode(this.data, [
      ...(this.#port === undefined ? [] : ['--port', this.#port]),
      ...this.#flags,
    ])
    this.#port = new URL(this.#node.url).port
  }

  async kill(): Promise<void> {
    await this.node.kill('SIGKILL')
    this.#node = undefined
  }

  call(...args: readonly string[]): Promise<CommandResult> {
    return callCommand(['doc', ...args, '--data', this.data, '--json'])
  }

  /** The result of `syncline doc …`, which has to succeed. */
  async doc<T = Record<string, unknown>>(...args: readonly string[]): Promise<T> {
    const { code, stdout, stderr } = await this.call(...args)
    assert.equal(code, 0, `doc ${args.join(' ')}: ${stderr}`)
    return JSON.parse(stdout) as T
  }

  /** The code of the error of `syncline doc …`, which has to fail. */
  async refusal(...args: readonly string[]): Promise<string> {
    const { code, stderr } = await this.call(...args)
    assert.notEqual(code, 0, `doc ${args.join(' ')} is refused`)
    return (JSON.parse(stderr) as { readonly error: { readonly code: string } }).error.code
  }

  async state(database: string, store: string): Promise<DatabaseState> {
    const { tips } = await this.doc<{ readonly tips: string[] }>('show', database)
    const { value } = await this.doc<{ readonly value: unknown }>('get', database, store)
    return { tips, value }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#node?.[Symbol.asyncDispose]()
  }
}

/** A port of UDP on loopback that was free a moment ago. */
export async function freeUdpPort(): Promise<number> {
  const socket = createSocket('udp4')
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const { port } = socket.address()
  await new Promise<void>((resolve) => socket.close(() => resolve()))
  return port
}
