import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import type { HostAnswer, HostCall, HostMethods } from './grasp-host-process.ts'

const program = new URL('./grasp-host-process.ts', import.meta.url)

/** The parent's side of a process that runs GRASP services. */
export class GraspHost implements AsyncDisposable {
  readonly #process: ChildProcess = fork(program)
  readonly #calls = new Map<number, PromiseWithResolvers<unknown>>()
  readonly #gone: Promise<unknown>
  #lastId = 0

  constructor() {
    this.#process.on('message', (answer: HostAnswer) => {
      const call = this.#calls.get(answer.id)
      this.#calls.delete(answer.id)
      if ('error' in answer) call?.reject(new Error(answer.error))
      else call?.resolve(answer.value)
    })
    this.#gone = once(this.#process, 'exit').then(([code]) => {
      for (const { reject } of this.#calls.values()) reject(new Error(`the host ended with ${code}`))
    })
  }

  async call<M extends keyof HostMethods>(
    method: M,
    ...args: Parameters<HostMethods[M]>
  ): Promise<Awaited<ReturnType<HostMethods[M]>>> {
    const id = ++this.#lastId
    const answer = Promise.withResolvers<unknown>()
    this.#calls.set(id, answer)
    this.#process.send({ id, method, args } satisfies HostCall)
    return (await answer.promise) as Awaited<ReturnType<HostMethods[M]>>
  }

  /** User and system time, and memory of the process are its own. */
  get pid(): number {
    return this.#process.pid!
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.connected) this.#process.disconnect()
    await this.#gone
  }
}
