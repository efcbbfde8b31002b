import { typeName } from '../figura/type-names.ts'
import { type Column, csvOf, type Figura, loadOf, rejectsOf } from '../figura/types.ts'
import type { FiguraView } from './figura-schemas.ts'

/** A column as it is answered; what does not apply to it is absent. */
export function columnView(column: Column): FiguraView['columns'][number] {
  const { name, type, required, from, aliases, expr, nullIf, pattern, min, max, maxLength } = column
  const { check, sensitive, missing, onlyInsert } = column
  const given = {
    ...{ aliases, expr, null_if: nullIf, default: column.default, pattern, enum: column.enum, min, max },
    ...{ max_length: maxLength, check, sensitive, missing, only_insert: onlyInsert },
  }
  // absent, since an answer with a field that is there and undefined does not fit its schema
  const present = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
  return { name, type: typeName(type), required, from, ...present }
}

/** How a figura is loaded, and what it lets through, as it is answered: presets are spelled out. */
export function loadView(
  figura: Figura,
): Pick<FiguraView, 'checks' | 'extra' | 'load' | 'rejects' | 'limits' | 'csv'> {
  const { mode, allow, version, duplicates, scope, maxDeletePercent, ...load } = loadOf(figura)
  const { maxRows, maxPercent } = rejectsOf(figura)
  const { nullText, ...csv } = csvOf(figura)
  return {
    checks: figura.checks ?? {},
    extra: figura.extra ?? 'ignore',
    load: {
      mode,
      allow: [...new Set([mode, ...allow])],
      version: version ?? null,
      duplicates,
      scope,
      max_delete_percent: maxDeletePercent,
      delete_marker: load.deleteMarker ?? null,
      history: load.history,
      audit: { loaded_at: load.audit.loadedAt ?? null, job_id: load.audit.jobId ?? null },
    },
    rejects: { max_rows: maxRows, max_percent: maxPercent },
    limits: {
      max_bytes: figura.limits?.maxBytes ?? null,
      max_rows: figura.limits?.maxRows ?? null,
      max_seconds: figura.limits?.maxSeconds ?? null,
    },
    csv: { ...csv, null: nullText },
  }
}

/** The rules of a column in words, for the documentation. */
export function rulesInWords(column: Column): string {
  const { expr, nullIf, pattern, min, max, maxLength, check, aliases } = column
  const words = [
    aliases?.length ? `or from ${aliases.join(', ')}` : '',
    expr === undefined ? '' : `is ${expr}`,
    nullIf === undefined ? '' : `null if ${nullIf.map((text) => JSON.stringify(text)).join(', ')}`,
    column.default === undefined ? '' : `else ${JSON.stringify(column.default)}`,
    pattern === undefined ? '' : `matches ${pattern}`,
    column.enum === undefined ? '' : `one of ${column.enum.join(', ')}`,
    min === undefined ? '' : `at least ${min}`,
    max === undefined ? '' : `at most ${max}`,
    maxLength === undefined ? '' : `${maxLength} characters at most`,
    check === undefined ? '' : `with ${check}`,
    column.sensitive ? 'never shown' : '',
    column.onlyInsert ? 'never updated' : '',
  ]
  return words.filter(Boolean).join('; ')
}
