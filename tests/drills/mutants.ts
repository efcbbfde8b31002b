/** A guard that is taken out: what stands in `file` once, and what comes in its place. */
type Cut = { file: string; find: string; put: string }

/** `drill` is the one that has to notice, with so many runs; `only`: of its cases, those whose name has this text. */
export type Mutant = { guard: string; cuts: Cut[]; drill: string; runs: number; only?: string }

/** The guards that every promise hangs on. The quick ones come first: they run with the tests. */
export const MUTANTS: Mutant[] = [
  one('the scope of a key', 'authorisation', 600, {
    file: 'src/api/gate.ts',
    find: 'if (caller.allows(need, figura)) return',
    put: 'if (caller.knows(figura)) return',
  }),
  one("the figura of a job's id", 'authorisation', 600, {
    file: 'src/db/jobs.ts',
    find: 'where id = ${id} and figura = ${figura}`',
    put: 'where id = ${id} and ${figura} is not null`',
  }),
  one('the secret of a key', 'authorisation', 600, {
    file: 'src/api/callers.ts',
    find: '!seen || !timingSafeEqual(seen.key.hash, shown.hash)',
    put: '!seen',
  }),
  one('the SHA-256 of a file', 'source-lies', 40, {
    file: 'src/ingest/check.ts',
    find: '  if (found === sha256) return\n',
    put: '  if (found.length === sha256.length) return\n',
  }),
  {
    ...one('the check of each address that a name has', 'ssrf', 30, {
      file: 'src/source/network.ts',
      find: "  if (parsed.range() !== 'unicast') return false\n",
      put: "  if (parsed.range() !== 'unicast') return parsed.range() === 'loopback'\n",
    }),
    only: 'rebinding',
  },
  {
    ...one("the allow-list of a figura's sources", 'ssrf', 30, {
      file: 'src/source/check.ts',
      find: 'if (sources.some((source) => admits(source, address))) return',
      put: 'if (sources.length > 0) return',
    }),
    only: 'strangers',
  },
  one('the count of bytes against their headers', 'source-lies', 1, {
    file: 'src/source/request.ts',
    find: '  if (got < expected) throw truncated(transport, got, expected)\n}',
    put: '}',
  }),
  one('the ETag of all ranges', 'source-lies', 1, {
    file: 'src/source/reading.ts',
    find: 'if (answer.etag === file.etag) return null',
    put: 'if (answer.etag !== undefined) return null',
  }),
  one('the seal on presigned addresses', 'secrets', 1, {
    file: 'src/api/accept.ts',
    find: 'const shown = { url: publicUrl(url), urls: urls?.map(publicUrl) ?? null }',
    put: 'const shown = { url, urls }',
  }),
  one('the count of attempts before a byte is read', 'bombs', 7, {
    file: 'src/db/claims.ts',
    find: 'then 0 else 1 end',
    put: 'then 0 else 0 end',
  }),
  one('the lock on the table', 'concurrency', 200, {
    file: 'src/db/locks.ts',
    find: 'await tx`select pg_advisory_xact_lock(hashtextextended(${tableName({ table })}, 0))`',
    put: 'await tx`select ${tableName({ table })}::text`',
  }),
  one('the order of acceptance', 'concurrency', 40, {
    file: 'src/db/ends.ts',
    find: 'return (await findEarlier(sql, job)) !== undefined',
    put: 'return (await findEarlier(sql, job)) === null',
  }),
  one("the sweeper's rings", 'nats-purge', 5, {
    file: 'src/db/jobs.ts',
    find: 'and ring_at <= now() -',
    put: "and ring_at <= now() - interval '1 day' -",
  }),
  one('the number of the ring in the id of a message', 'nats-purge', 5, {
    file: 'src/queue/publish.ts',
    find: 'return `${task.job}:job:${task.ring}`',
    put: 'return `${task.job}:job`',
  }),
  {
    // each of the three stands behind the one before it, and one alone is enough
    guard: 'the counts of chunks and of staged rows against the plan, and the sums of a load',
    cuts: [
      {
        file: 'src/ingest/ingest.ts',
        find: '  if (marks.total !== expected)\n',
        put: '  if (marks.total > expected)\n',
      },
      {
        file: 'src/ingest/merge-rows.ts',
        find: 'const whole = total > 0 && done === total && (job.rows === null || copied.read === job.rows)',
        put: 'const whole = total >= 0 && done >= 0 && job.rows !== -1',
      },
      {
        file: 'src/ingest/merge-stats.ts',
        find: '  if (breach) throw differs(breach, counted)\n',
        put: '  if (breach?.[0] === undefined && breach) throw differs(breach, counted)\n',
      },
    ],
    drill: 'postgres-crash',
    runs: 6,
  },
  one('the mark of a chunk', 'overtaken', 1, {
    file: 'src/db/marks.ts',
    find: "    if (count !== 1) return { kind: 'lost' }\n",
    put: "    if (count > 1) return { kind: 'lost' }\n",
  }),
  {
    ...one('the attempt at the end of a load in one transaction', 'named-points', 3, {
      file: 'src/db/ends.ts',
      find: `\${impact && inOrder(tx, impact)}
    where id = \${fence.job} and attempts = \${fence.attempt} and status = 'processando' and stage is null`,
      put: `\${impact && inOrder(tx, impact)}
    where id = \${fence.job} and \${fence.attempt}::int > 0`,
    }),
    only: 'direct: after MERGE, SIGSTOP',
  },
]

function one(guard: string, drill: string, runs: number, cut: Cut): Mutant {
  return { guard, cuts: [cut], drill, runs }
}
