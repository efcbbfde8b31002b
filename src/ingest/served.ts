import { loadOf, type Column, type Figura, type Mode } from '../figura/types.ts'

/** The table's column that gathers what only the file has; undefined where the figura keeps none of that. */
export function keptColumn({ extra }: Figura): Column | undefined {
  if (extra === undefined || typeof extra === 'string') return undefined
  return { name: extra.keep, type: { kind: 'jsonb' }, required: false, from: extra.keep }
}

/** Columns of the table that no file brings: the service fills them in. */
export function servedColumns(figura: Figura): Column[] {
  const { audit, deleteMarker } = loadOf(figura)
  const served: Column[] = []
  const add = (name: string | undefined, kind: 'timestamptz' | 'uuid') => {
    if (name !== undefined) served.push({ name, type: { kind }, required: false, from: name })
  }
  if (deleteMarker?.how === 'soft') add(deleteMarker.at, 'timestamptz')
  add(audit.loadedAt, 'timestamptz')
  add(audit.jobId, 'uuid')
  return served
}

/** The columns that a file fills: those of the figura, and the one that gathers the others. */
export function filledColumns(figura: Figura): Column[] {
  const kept = keptColumn(figura)
  return kept ? [...figura.columns, kept] : figura.columns
}

/** All columns that the figura's table has to have. */
export function tableColumns(figura: Figura): Column[] {
  return [...filledColumns(figura), ...servedColumns(figura)]
}

/** What loading means for a job: what was asked for with it, else what its figura says. */
export function modeOf(job: { mode: Mode | null; definition: Figura }): Mode {
  return job.mode ?? loadOf(job.definition).mode
}
