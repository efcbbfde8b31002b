// The bucket in a process of its own, so that what it costs is told apart: bun scripts/bench/bucket-process.ts DIR PORT
import { startBucket } from '../bucket.ts'
import { interruption } from '../child.ts'

const [dir = '', port = ''] = process.argv.slice(2)
const bucket = await startBucket({ dir, port: Number(port) })
await interruption()
await bucket.stop()
process.exit(0)
