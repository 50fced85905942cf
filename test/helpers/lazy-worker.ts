import { parentPort } from 'node:worker_threads'

/** A thread that is busy for ever: it takes requests and never answers one. */
parentPort?.on('message', () => {})
