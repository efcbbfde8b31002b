import type { WaitReason } from '../job.ts'
import { fenced, type Fence, releaseLease, uncounted } from './claims.ts'
import { storableText, type Sql } from './postgres.ts'

/** How long a job has been put off for this reason, without anything of it done in between; in milliseconds. */
export async function waitedFor(sql: Sql, job: string, reason: WaitReason): Promise<number> {
  const [row] = await sql<{ waitedMs: number }[]>`
    select extract(epoch from now() - (waiting ->> 'since')::timestamptz)::float8 * 1000 as waited_ms
    from bulk.job where id = ${job} and waiting ->> 'reason' = ${reason}
  `
  return row?.waitedMs ?? 0
}

/**
 * Gives a job (or a chunk of it) back to be tried later, and tells why in its row. The try is not counted. False: the
 * job is no longer ours.
 */
export async function putOff(
  sql: Sql,
  fence: Fence,
  { reason, detail, delayMs }: { reason: WaitReason; detail: string; delayMs: number },
): Promise<boolean> {
  // other chunks of the job go on meanwhile: the job itself is held back only where it is tried as a whole
  const whole = !('chunk' in fence)
  if (!whole) await releaseLease(sql, fence, { uncount: true })
  const until = sql`now() + ${delayMs} * interval '1 millisecond'`
  const { count } = await sql`
    update bulk.job set
      waiting = jsonb_build_object(
        'reason', ${reason}::text,
        'detail', ${storableText(detail)}::text,
        'since', case when waiting ->> 'reason' = ${reason} then (waiting ->> 'since')::timestamptz else now() end,
        'until', ${until}
      ),
      lease_until = case when ${whole} then ${until} else lease_until end,
      ring_at = case when ${whole} then ${until} + interval '10 seconds' else ring_at end,
      attempts = ${uncounted(sql, whole ? 1 : 0)}
    where id = ${fence.job} and status = 'processando' and ${fenced(sql, fence)}
  `
  return count === 1
}
