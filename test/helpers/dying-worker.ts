import { parentPort } from 'node:worker_threads'

/** A thread that dies of the first thing it is asked to do. */
parentPort?.on('message', () => {
  throw new Error('out of memory, say')
})
