// Prepares the database with the rights of its owner, so that the service itself can run under a role that has few:
// DATABASE_URL=… bun run migrate [role]
import { readDatabaseUrl } from './config.ts'
import { grantService } from './db/grants.ts'
import { migrate } from './db/migrate.ts'
import { openPostgres } from './db/postgres.ts'
import { createLog, errorFields } from './log.ts'

const log = createLog({ role: 'migrate' })

try {
  const databaseUrl = readDatabaseUrl()
  await migrate(databaseUrl)
  log.info('the database is of this version')
  const [role] = process.argv.slice(2)
  if (role) await grant(databaseUrl, role)
} catch (error) {
  log.error('the database is not prepared', errorFields(error))
  process.exit(1)
}

async function grant(databaseUrl: string, role: string): Promise<void> {
  const sql = openPostgres(databaseUrl, { max: 1, name: 'bulk migrate' })
  try {
    await grantService(sql, role)
    log.info('the role has what the service needs of its own tables', { granted: role })
  } finally {
    await sql.end({ timeout: 5 })
  }
}
