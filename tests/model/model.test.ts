import { afterAll, beforeAll, expect, test } from 'bun:test'
import { loadOf, MODES, type Column, type Figura, type Load } from '../../src/figura/types.ts'
import { startInProcess, type InProcess } from '../support/in-process.ts'
import { type Dice, drawContract, drawSent, throwDice } from './dice.ts'
import { writeSent } from './files.ts'
import { applyJob, type Contract, type Sent, type Stats, type Table, type TableRow } from './model.ts'

/** MODEL_RUNS=500 ./scripts/test tests/model makes more of them; MODEL_SEED=17 makes that one alone. */
const RUNS = Number(process.env.MODEL_RUNS ?? 200)
const ONLY = process.env.MODEL_SEED === undefined ? undefined : Number(process.env.MODEL_SEED)
const GROUP = 25

/** A load goes straight into the table, by way of a stage, or over several connections. */
const WAYS: Record<string, string>[] = [
  {},
  { DIRECT_ROWS: '0', FIRST_LOAD_ROWS: '0' },
  { DIRECT_ROWS: '0', FIRST_LOAD_ROWS: '0', MERGE_PART_ROWS: '1', MERGE_CONNECTIONS: '3' },
]
let ways: InProcess[] = []

beforeAll(async () => {
  ways = await Promise.all(WAYS.map((env) => startInProcess(env)))
})
afterAll(() => Promise.all(ways.map((way) => way[Symbol.asyncDispose]())))

for (const first of firstSeeds()) {
  const last = ONLY ?? Math.min(RUNS, first + GROUP) - 1
  test(`after each job of the sequences ${first} to ${last} the table is the model's`, async () => {
    // a sequence is a figura of its own; those of different ways can run at once
    await Promise.all(
      WAYS.map(async (_, way) => {
        for (let seed = first; seed <= last; seed++) if (seed % WAYS.length === way) await runSequence(seed)
      }),
    )
  })
}

function firstSeeds(): number[] {
  if (ONLY !== undefined) return [ONLY]
  return Array.from({ length: Math.ceil(RUNS / GROUP) }, (_, group) => group * GROUP)
}

async function runSequence(seed: number): Promise<void> {
  const at = ways[seed % WAYS.length]!
  const dice = throwDice(seed)
  const contract = drawContract(dice)
  const figura = figuraOf(at, `modelo_${seed}`, contract)
  const history: { sent: Sent; asked: object }[] = []
  let table: Table = new Map()
  for (let no = 4 + dice.below(5); no > 0; no--) {
    const sent = drawSent(dice, contract)
    // the key of a row that is appended is looked at by the table alone, which a trial does not touch
    const asked = {
      mode: sent.mode,
      ...(sent.mode !== 'append' && dice.chance(0.12) ? { dryRun: 'impact' as const } : {}),
    }
    history.push({ sent, asked })
    try {
      table = await runJob({ at, dice, contract, figura, table }, sent, asked)
    } catch (error) {
      const told = history.map(({ sent: one, asked: by }) => JSON.stringify({ ...by, ...one }))
      const said = [`MODEL_SEED=${seed}: ${String(error)}`, JSON.stringify(contract), ...told].join('\n')
      throw new Error(said, { cause: error })
    }
  }
  await at.sql.unsafe(`drop table if exists ${figura.name}, ${figura.name}_history`)
}

type Running = { at: InProcess; dice: Dice; contract: Contract; figura: Figura; table: Table }

async function runJob(
  { at, dice, contract, figura, table }: Running,
  sent: Sent,
  asked: { mode: Sent['mode']; dryRun?: 'impact' },
): Promise<Table> {
  const expected = applyJob(contract, table, sent)
  const job = await at.load(figura, await writeSent(at, dice, sent), asked)
  expect({ status: job.status, error: job.error }).toMatchObject(
    expected ? { status: 'completo', error: null } : { status: 'erro' },
  )
  const after = expected && !asked.dryRun ? expected.table : table
  if (expected) {
    if (asked.dryRun) expect(job.impact).toMatchObject(foretold(expected.stats))
    else expect(job).toMatchObject(expected.stats)
  }
  expect(await rowsOf(at, figura.name)).toEqual(sorted(after))
  if (figura.load?.history) expect(await openVersions(at, figura.name)).toEqual(present(after))
  return after
}

function foretold({ inserted, updated, unchanged, stale, deleted, removed }: Stats): Partial<Stats> {
  return { inserted, updated, unchanged, stale, deleted, removed }
}

function figuraOf(at: InProcess, name: string, contract: Contract): Figura {
  const types = {
    id: 'bigint',
    grupo: 'smallint',
    nome: 'text',
    n: 'integer',
    versao: 'integer',
    criado: 'text',
  }
  const rules: Record<string, Partial<Column>> = {
    nome: { required: contract.nameRequired, missing: contract.nameMissing },
    n: { min: 0 },
    criado: { onlyInsert: contract.createdOnlyInsert },
  }
  const plain = at.figura(name, types)
  const marker: Pick<Load, 'deleteMarker'> =
    contract.marker === 'none'
      ? {}
      : {
          deleteMarker:
            contract.marker === 'hard'
              ? { from: 'excluido', how: 'hard' }
              : { from: 'excluido', how: 'soft', at: 'excluido_em' },
        }
  return {
    ...plain,
    columns: plain.columns.map((column) => ({ ...column, ...rules[column.name] })),
    rejects: {
      none: undefined,
      two: { maxRows: 2, maxPercent: null },
      any: { maxRows: null, maxPercent: 100 },
    }[contract.rejects],
    load: {
      ...loadOf({}),
      ...marker,
      ...(contract.version ? { version: 'versao' } : {}),
      allow: [...MODES],
      duplicates: contract.duplicates,
      scope: contract.scope ? ['grupo'] : [],
      maxDeletePercent: contract.maxDeletePercent,
      history: name.endsWith('0') || name.endsWith('5'),
    },
  }
}

async function rowsOf(at: InProcess, name: string): Promise<unknown[]> {
  const [there] = await at.sql`select to_regclass(${name}) is not null as found`
  if (!there?.found) return []
  const rows = await at.sql.unsafe(`select to_jsonb(one) as row from ${name} as one order by id`)
  return rows.map(({ row: { excluido_em, ...row } }) => ({ ...row, gone: Boolean(excluido_em) }))
}

async function openVersions(at: InProcess, name: string): Promise<unknown[]> {
  const [there] = await at.sql`select to_regclass(${`${name}_history`}) is not null as found`
  if (!there?.found) return []
  return [
    ...(await at.sql.unsafe(
      `select id::int, grupo, nome, n, versao, criado from ${name}_history where valid_to is null order by id`,
    )),
  ]
}

function sorted(table: Table): TableRow[] {
  return [...table.values()].toSorted((one, other) => one.id - other.id)
}

/** Rows that are softly deleted have no version that holds. */
function present(table: Table): object[] {
  return sorted(table).flatMap(({ gone, ...row }) => (gone ? [] : [row]))
}
