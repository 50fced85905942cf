import { type DeviceSync, syncDevice } from './rows-device-sync.ts'

/** A device that syncs as a process of its own, and may die of it. */
await syncDevice(JSON.parse(process.argv[2]!) as DeviceSync)
