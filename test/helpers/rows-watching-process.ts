import { openDevice } from './rows-tables.ts'

/** A device whose client runs in the background, as a process of its own, until it is killed. */
const { path, user, url } = JSON.parse(process.argv[2]!) as { path: string; user: string; url: string }
const device = openDevice(path, {
  baseUrl: url,
  token: () => user,
  watch: 'auto',
  // So long that only a hint can be the reason for a pull while a watch is open.
  watchFallbackMs: 3_600_000,
  backoffMinMs: 10,
  backoffMaxMs: 100,
  retry: { initialBackoffMs: 10, maxBackoffMs: 100 },
})
await device.client.open()
for (;;) {
  try {
    const { status } = await device.client.attach(user)
    if (status === 'connected') break
  } catch {
    // The server is being restarted.
  }
  await new Promise((resolve) => setTimeout(resolve, 10))
}
device.client.start()
console.log('started')
