import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'

interface Reply<Answer> {
  readonly answer?: Answer
  readonly error?: string
}

/**
 * A program of a bench in a process of its own that answers one command after the other: it says `{}` when it is ready,
 * then `{ answer }` or `{ error }` to each. Disposing kills it, as a loss of power would.
 */
export class Child<Command extends object, Answer extends object> implements AsyncDisposable {
  readonly #process: ChildProcess

  private constructor(process: ChildProcess) {
    this.#process = process
  }

  static async start<Command extends object, Answer extends object>(
    program: URL,
    args: readonly string[] = [],
  ): Promise<Child<Command, Answer>> {
    const child = new Child<Command, Answer>(fork(program, args))
    await child.#reply()
    return child
  }

  async ask(command: Command): Promise<Required<Answer>> {
    const reply = this.#reply()
    this.#process.send(command)
    return (await reply) as Required<Answer>
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    const gone = once(this.#process, 'exit')
    this.#process.kill('SIGKILL')
    await gone
  }

  #reply(): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const onExit = (code: number | null) => reject(new Error(`a program of the bench ended with ${code}`))
      this.#process.once('exit', onExit)
      this.#process.once('message', ({ answer, error }: Reply<Answer>) => {
        this.#process.off('exit', onExit)
        if (error === undefined) resolve(answer as Answer)
        else reject(new Error(error))
      })
    })
  }
}

/** The other end, in the child. It does not outlive its parent. */
export function answerParent<Command extends object, Answer extends object>(
  perform: (command: Command) => Answer | Promise<Answer>,
): void {
  process.on('message', async (command: Command) => {
    const reply = await Promise.try(perform, command).then(
      (answer) => ({ answer }),
      (error: unknown) => ({ error: error instanceof Error ? error.stack : String(error) }),
    )
    process.send!(reply)
  })
  process.on('disconnect', () => process.exit())
  process.send!({})
}
