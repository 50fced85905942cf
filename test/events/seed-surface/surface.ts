import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import type { Command } from 'commander'
import { createProgram } from '../../../src/cli/main.ts'
import { Terminal } from '../../../src/cli/terminal.ts'
import { createSigner, generateSecretKey } from '../../../src/planes/events/signer.ts'
import { type AdminWorld, adminWorld } from '../../helpers/admin-world.ts'

/** What the seeds promised, row by row: where it lives here, and a check that it really does. */
export interface Row {
  /** As the fact sheet calls it, behind its section. */
  readonly name: string
  /** The file one would open first. */
  readonly lives: string
  /** Throws when it is not there, or is not what was promised. */
  readonly check: (surface: Surface) => Promise<unknown> | unknown
}

export interface Table {
  /** Section of the fact sheet. */
  readonly section: string
  readonly rows: readonly Row[]
}

/** A running node with everything the outside world can ask it by. */
export class Surface implements AsyncDisposable {
  readonly world: AdminWorld
  readonly #administrator: ReturnType<typeof createSigner>
  readonly #terminal = new Terminal(process)
  readonly #program = createProgram(this.#terminal)

  private constructor(world: AdminWorld, administrator: ReturnType<typeof createSigner>) {
    this.world = world
    this.#administrator = administrator
  }

  static async open(): Promise<Surface> {
    const administrator = createSigner(generateSecretKey())
    return new Surface(await adminWorld({ adminPubkeys: administrator.pubkey }), administrator)
  }

  get sync() {
    return this.world.node.sync
  }

  /** A command of the program by the words that call it. */
  command(...words: readonly string[]): Command {
    let command = this.#program
    for (const word of words) {
      const found = command.commands.find((one) => one.name() === word || one.aliases().includes(word))
      assert.ok(found, `${word} is not among the commands of ${command.name()}`)
      command = found
    }
    return command
  }

  /** An operation of the OpenAPI document, by method and path below the base. */
  operation(method: string, path: string): { readonly responses: Record<string, unknown> } {
    const { paths } = this.world.document as { paths: Record<string, Record<string, never>> }
    const operation = paths[path]?.[method]
    assert.ok(operation, `${method} ${path} is not in the document`)
    return operation
  }

  /** Calls a method of Parrhesia's management, signed by an administrator (NIP-98). */
  async manage(
    method: string,
    params: object = {},
  ): Promise<{ status: number; body: Record<string, unknown> }> {
    const url = `${this.world.url}/management`
    const body = JSON.stringify({ method, params })
    const tags = [
      ['u', url],
      ['method', 'POST'],
      ['payload', hash('sha256', body, 'hex')],
      ['nonce', crypto.randomUUID()],
    ]
    const event = this.#administrator.sign({
      kind: 27_235,
      created_at: Math.floor(Date.now() / 1_000),
      tags,
      content: '',
    })
    const authorization = `Nostr ${Buffer.from(JSON.stringify(event)).toString('base64')}`
    const headers = { authorization, 'content-type': 'application/json' }
    const response = await fetch(url, { method: 'POST', body, headers })
    return { status: response.status, body: (await response.json()) as Record<string, unknown> }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#terminal[Symbol.dispose]()
    await this.world[Symbol.asyncDispose]()
  }
}
