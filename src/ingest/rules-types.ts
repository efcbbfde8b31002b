import { typeName } from '../figura/type-names.ts'
import type { Column, ColumnType } from '../figura/types.ts'
import type { Rule } from './rules.ts'
import { isOddJson } from './rules-json.ts'

/** What each type cannot hold, as DuckDB sees it; the limits are those of PostgreSQL's manual, chapter 8. */
export function typeRules({ name, type }: Pick<Column, 'name' | 'type'>, value: string): Rule[] {
  return refusalsOf(type, value).map((rule) => ({ ...rule, column: name, rule: 'type', shown: null }))
}

type Refusal = { breaks: string; found: string; expected: string }

function refusalsOf(type: ColumnType, expression: string): Refusal[] {
  switch (type.kind) {
    case 'text':
      return [nul(expression)]
    case 'varchar':
    case 'char': {
      const expected = `at most ${type.length} characters (${typeName(type)})`
      const length = type.kind === 'char' ? `length(rtrim(${expression}, ' '))` : `length(${expression})`
      return [nul(expression), { breaks: `${length} > ${type.length}`, found: 'longer text', expected }]
    }
    case 'jsonb':
      return [
        { breaks: `not json_valid(${expression})`, found: 'text that is not JSON', expected: 'JSON' },
        {
          breaks: isOddJson(expression),
          found: 'JSON with \\u0000, NaN, Infinity, a comma before a bracket, or a number of too many digits',
          expected: 'JSON without them',
        },
      ]
    case 'date':
      return [
        outside(
          expression,
          `< date '4714-11-24 (BC)' or ${expression} > date '5874897-12-31'`,
          '4713 BC to 5874897',
        ),
      ]
    case 'timestamp':
      return [outside(expression, `< timestamp '4714-11-24 (BC) 00:00:00'`, '4713 BC on')]
    case 'timestamptz':
      return [outside(expression, `< timestamptz '4714-11-24 (BC) 00:00:00+00'`, '4713 BC on')]
    case 'array':
      return refusalsOf(type.of, 'one').map(({ breaks, ...said }) => ({
        ...said,
        breaks: `list_bool_or(list_transform(${expression}, one -> ${breaks}))`,
      }))
    default:
      return []
  }
}

function nul(expression: string): Refusal {
  return {
    breaks: `contains(${expression}, chr(0))`,
    found: 'text with a NUL character',
    expected: 'text without it',
  }
}

/** `limits` follows the expression. DuckDB's own last instant, 294247, is before PostgreSQL's. */
function outside(expression: string, limits: string, expected: string): Refusal {
  const breaks = `isfinite(${expression}) and (${expression} ${limits})`
  return { breaks, found: 'a date out of range', expected: `dates from ${expected}` }
}
