// The least that could do what the API does: a route of Elysia with the same INSERT, another with the same SELECT,
// over a pool of the same size. For row 9 of the benchmark: DATABASE_URL=… PORT=… bun scripts/bench/bare-api.ts
import { Elysia } from 'elysia'
import { readConfig } from '../../src/config.ts'
import { findJob, insertJob, saveContract } from '../../src/db/jobs.ts'
import { openPostgres } from '../../src/db/postgres.ts'

const { databaseUrl, port, bounds } = readConfig()
const sql = openPostgres(databaseUrl, { max: bounds.apiConnections, name: 'bare api' })
const figura = {
  name: 'bare',
  description: '',
  table: { schema: 'a', name: 'b' },
  key: [],
  columns: [],
  sources: [],
}
await saveContract(sql, { hash: 'bare', figura })

new Elysia()
  .put('/:figura/_bulk', async ({ params, body, set }) => {
    const id = Bun.randomUUIDv7()
    const { url } = body as { url: string }
    await insertJob(sql, { id, figura: params.figura, contract: 'bare', url, sha256: null })
    set.status = 202
    return { id }
  })
  .get('/:figura/_bulk/status/:id', ({ params }) => findJob(sql, params.figura, params.id))
  .listen({ hostname: '127.0.0.1', port })
