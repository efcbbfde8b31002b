// Starts a statement that writes after some seconds, over a connection of the service, and says so; then it is killed.
import { openPostgres } from '../../../src/db/postgres.ts'

const sql = openPostgres(process.argv[2] ?? '', { max: 1, name: 'orphan' })
await sql`select 1`
console.log('started')
await sql`with slept as materialized (select pg_sleep(4)) insert into orphan select 1 from slept`
