import { startPostgres } from '../../bench/harness/postgres.ts'
import { serveTodo } from './serve.ts'

const given = process.env.DATABASE_URL
await using postgres = given === undefined ? await startPostgres() : undefined
await using server = await serveTodo(given ?? postgres!.url, Number(process.env.PORT ?? 7788))
console.log(
  `${server.url}/?device=phone\n${server.url}/?device=tablet\n\nEach is a device of its own. Ctrl-C ends it.`,
)
await new Promise((resolve) => {
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, resolve)
})
