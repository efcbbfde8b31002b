import type { ClaimedJob } from '../db/claims.ts'
import type { Duckdb } from '../db/duckdb.ts'
import { BulkError } from '../errors.ts'
import type { Figura } from '../figura/types.ts'
import { dedupesInStage } from './duplicates.ts'
import { readExpressions } from './expression.ts'
import { type FileColumn, fitColumns } from './fit.ts'
import { planReading, type Reading } from './rules.ts'
import { modeOf } from './served.ts'

/**
 * Decides how the rows of a file of a job are read.
 * @throws BulkError `schema_differs` with every difference, `expression_wrong`
 */
export async function fitFile(
  duck: Duckdb,
  job: Pick<ClaimedJob, 'mode' | 'definition'>,
  { columns, parquet, no, files }: { columns: FileColumn[]; parquet: boolean; no: number; files: number },
): Promise<Reading> {
  const { definition: figura } = job
  const mode = modeOf(job)
  const position = dedupesInStage({ figura, mode, parquet, files }) ? no : undefined
  const expressions = await readExpressions(duck, figura, columns)
  const fit = fitColumns(figura, columns, { mode, position }, expressions)
  if (fit.differences.length > 0) throw differs(figura, fit.differences)
  return planReading(figura, fit.columns, { file: columns, expressions })
}

function differs(figura: Figura, differences: ReturnType<typeof fitColumns>['differences']): BulkError {
  const names = differences.map((difference) => difference.column).join(', ')
  return new BulkError(
    'schema_differs',
    {
      subject: `The file for ${figura.name}`,
      found: `${differences.length} column(s) that do not fit (${names})`,
      expected: 'the columns of the figura',
    },
    { differences },
  )
}
