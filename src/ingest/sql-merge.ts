import { loadOf, type Column, type Figura, type Mode } from '../figura/types.ts'
import { quote, quoteLiteral } from '../quote.ts'
import { GONE_COLUMN } from './sql.ts'
import { targetName } from './sql-postgres.ts'

/** A load as its statements need it. Their tables are `t`, the figura's, and `s`, the stage or a slice of it. */
export type Loading = {
  figura: Figura
  mode: Mode
  /** The columns of the stage that the table has too. */
  columns: Column[]
  /** Whether the stage says of rows that they are gone. */
  marked: boolean
  /** Whether the stage says where each row stands in its file. */
  numbered: boolean
  job: string
  /** The time of the load, as PostgreSQL writes it: one for all its rows. */
  at: string
}

/** What becomes of a staged row. */
export type Outcome = 'inserted' | 'updated' | 'unchanged' | 'stale' | 'deleted'

/** One branch of a MERGE, and what it counts as. The first that applies decides; without one, a row is unchanged. */
type Rule = { matched: boolean; when: string[]; does: string; outcome: Outcome }

/**
 * What a load does with a staged row. The MERGE, the statistics, the history and the trial of a load are all made of
 * this one list, so that they cannot tell different things.
 */
function rulesOf(load: Loading): Rule[] {
  const insert: Rule = {
    matched: false,
    when: load.marked ? [`s.${quote(GONE_COLUMN)} is not true`] : [],
    does: insertAction(load),
    outcome: 'inserted',
  }
  switch (load.mode) {
    case 'append':
    case 'insert':
      return [insert]
    case 'delete':
      return [{ matched: true, when: [], does: 'delete', outcome: 'deleted' }]
    case 'merge':
    case 'replace':
      return [...staleRules(load), ...goneRules(load), ...updateRules(load), insert]
  }
}

/** A file without the version says nothing of how new its rows are: they count as older than any that says so. */
function staleRules({ figura, columns }: Loading): Rule[] {
  const { version } = loadOf(figura)
  if (version === undefined) return []
  const [s, t] = [`s.${quote(version)}`, `t.${quote(version)}`]
  const staged = columns.some(({ name }) => name === version)
  const when = staged ? `(${s} < ${t} or (${s} is null and ${t} is not null))` : `${t} is not null`
  return [{ matched: true, when: [when], does: 'do nothing', outcome: 'stale' }]
}

/** The version is noted with a soft deletion, or an older row that comes late would bring the row back. */
function goneRules(load: Loading): Rule[] {
  const { deleteMarker, version } = loadOf(load.figura)
  if (!load.marked || !deleteMarker) return []
  const gone = `s.${quote(GONE_COLUMN)}`
  if (deleteMarker.how === 'hard')
    return [{ matched: true, when: [gone], does: 'delete', outcome: 'deleted' }]
  const at = quote(deleteMarker.at)
  const noted = load.columns.filter(({ name }) => name === version).map(({ name }) => quote(name))
  const set = [
    `${at} = ${momentOf(load)}`,
    ...noted.map((name) => `${name} = s.${name}`),
    ...audited(load).map(({ name, value }) => `${name} = ${value}`),
  ]
  return [
    {
      matched: true,
      when: [gone, `t.${at} is null`],
      does: `update set ${set.join(', ')}`,
      outcome: 'deleted',
    },
    { matched: true, when: [gone], does: 'do nothing', outcome: 'unchanged' },
  ]
}

/** Rows that are equal already are left alone: 200,000 unchanged rows write 0 bytes of WAL instead of 81 MB. */
function updateRules(load: Loading): Rule[] {
  const names = comparedColumns(load).map(({ name }) => quote(name))
  const soft = softName(load)
  const differs = [
    ...(names.length
      ? [
          `(${names.map((name) => `t.${name}`).join(', ')}) is distinct from ` +
            `(${names.map((name) => `s.${name}`).join(', ')})`,
        ]
      : []),
    ...(soft ? [`t.${soft} is not null`] : []),
  ]
  if (differs.length === 0) return []
  const set = [
    ...names.map((name) => `${name} = s.${name}`),
    ...(soft ? [`${soft} = null`] : []),
    ...audited(load).map(({ name, value }) => `${name} = ${value}`),
  ]
  const when = differs.length > 1 ? `(${differs.join(' or ')})` : differs.join('')
  return [{ matched: true, when: [when], does: `update set ${set.join(', ')}`, outcome: 'updated' }]
}

/** Columns in which a staged row and the table's may differ so that the row counts as changed. */
export function comparedColumns({ figura, columns }: Loading): Column[] {
  return columns.filter(({ name, onlyInsert }) => !figura.key.includes(name) && !onlyInsert)
}

/** The table's column with the time of a soft deletion: a row that the file has again is no longer gone. */
export function softColumn({ figura }: Pick<Loading, 'figura'>): string | undefined {
  const { deleteMarker } = loadOf(figura)
  return deleteMarker?.how === 'soft' ? deleteMarker.at : undefined
}

function softName(load: Loading): string | undefined {
  const soft = softColumn(load)
  return soft === undefined ? undefined : quote(soft)
}

/** The time of the load as SQL. */
export function momentOf({ at }: Loading): string {
  return `${quoteLiteral(at)}::timestamptz`
}

function audited(load: Loading): { name: string; value: string }[] {
  const { loadedAt, jobId } = loadOf(load.figura).audit
  return [
    ...(loadedAt === undefined ? [] : [{ name: quote(loadedAt), value: momentOf(load) }]),
    ...(jobId === undefined ? [] : [{ name: quote(jobId), value: `${quoteLiteral(load.job)}::uuid` }]),
  ]
}

/** What is inserted of a staged row, and into which columns. */
function inserted(load: Loading): { names: string; values: string } {
  const names = load.columns.map(({ name }) => quote(name))
  const served = audited(load)
  return {
    names: [...names, ...served.map(({ name }) => name)].join(', '),
    values: [...names.map((name) => `s.${name}`), ...served.map(({ value }) => value)].join(', '),
  }
}

function insertAction(load: Loading): string {
  const { names, values } = inserted(load)
  return `insert (${names}) values (${values})`
}

/** That two rows have the same key. */
export function sameKey({ figura }: Pick<Loading, 'figura'>, one = 't', other = 's'): string {
  return figura.key.map((key) => `${one}.${quote(key)} = ${other}.${quote(key)}`).join(' and ')
}

/**
 * The MERGE of staged rows into their table. Columns that the file lacks are not named, and so keep what the table
 * has.
 */
export function mergeSql(load: Loading, rows: string): string {
  const branches = rulesOf(load).map(
    ({ matched, when, does }) =>
      `when ${matched ? 'matched' : 'not matched'}${when.map((one) => ` and ${one}`).join('')} then ${does}`,
  )
  return `merge into ${targetName(load.figura)} as t using ${rows} as s on ${sameKey(load)}
    ${branches.join('\n    ')}`
}

/**
 * A statement that is carried out, and answers what PostgreSQL's executor counted: a MERGE tells by itself only how
 * many rows it touched. 1,000,000 equal rows take 0.53 s with it and without. In YAML, since of a partitioned table
 * versions 15 to 18 write JSON that is none: the counts stand without a name in the list of the partitions.
 */
export function explainedSql(statement: string): string {
  return `explain (analyze, timing off, costs off, summary off, buffers off, format yaml) ${statement}`
}

/**
 * What a MERGE comes to where no row can match, without the join and the copy of each row that it makes: 2,000,000
 * rows of 13 columns in 3.9 s instead of 4.7 s.
 */
export function insertSql(load: Loading, rows: string): string {
  const { names, values } = inserted(load)
  const rest = load.marked ? ` where s.${quote(GONE_COLUMN)} is not true` : ''
  return `insert into ${targetName(load.figura)} (${names}) select ${values} from ${rows} as s${rest}`
}

/** What becomes of a staged row, beside its key: a column of the table may be called `outcome`. */
export const OUTCOME = '_bulk_outcome'

/** The staged rows beside the table's rows of the same keys, with what becomes of each. Nothing is changed. */
export function outcomesSql(load: Loading, rows: string, selected: string[] = []): string {
  if (load.mode === 'append') return appendedSql(load, rows)
  const [key = ''] = load.figura.key
  const branches = rulesOf(load).map(({ matched, when, outcome }) => {
    const found = `t.${quote(key)} is ${matched ? 'not null' : 'null'}`
    return `when ${[found, ...when].join(' and ')} then '${outcome}'`
  })
  const outcome = `case ${branches.join(' ')} else 'unchanged' end as ${OUTCOME}`
  return `select ${[outcome, ...selected].join(', ')}
    from ${rows} as s left join ${targetName(load.figura)} as t on ${sameKey(load)}`
}

/** Nothing is looked for in the table, and there may be no key to look with. */
function appendedSql({ marked }: Loading, rows: string): string {
  const gone = marked
    ? `case when s.${quote(GONE_COLUMN)} then 'unchanged' else 'inserted' end`
    : `'inserted'`
  return `select ${gone} as ${OUTCOME} from ${rows} as s`
}

/** How many staged rows will come to what. */
export function countOutcomesSql(load: Loading, rows: string): string {
  return `select ${OUTCOME} as outcome, count(*) as rows from (${outcomesSql(load, rows)}) as o group by ${OUTCOME}`
}

/** How many rows a stage has; of those, how many the file calls gone. */
export function countStageSql({ marked }: Pick<Loading, 'marked'>, rows: string): string {
  const gone = marked ? `count(*) filter (where s.${quote(GONE_COLUMN)})` : '0::bigint'
  return `select count(*) as rows, ${gone} as gone from ${rows} as s`
}
