// A process that looks at files as the address of the first one says: it refuses, lets pass, hangs or ends.
import type { FromLooker, ToLooker } from '../../../src/worker/looks.ts'

const say = (message: FromLooker) => process.send?.(message)

process.on('disconnect', () => process.exit(0))
process.on('message', (message: ToLooker) => {
  const { id } = message
  if (message.kind === 'cancel') return
  const [url = ''] = message.sent.urls
  if (url === 'ends') process.exit(3)
  if (url === 'crashes') process.kill(process.pid, 'SIGABRT')
  if (url === 'spins') while (true);
  if (url === 'passes') say({ kind: 'answer', id, refusal: null })
  const said = { subject: 'It', found: 'this', expected: 'that', action: 'Mend it.' }
  if (url === 'refused')
    say({ kind: 'answer', id, refusal: { code: 'schema_differs', said, extra: { differences: [] } } })
})
say({ kind: 'ready' })
