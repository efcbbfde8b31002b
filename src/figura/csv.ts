import { quoted } from './fault.ts'
import { length } from './literal.ts'
import { checkText } from './name.ts'
import { type Part, textOf, within, wordOf } from './part.ts'
import { type Csv, csvOf } from './types.ts'

/** Reads how CSV files are written, with all that the file leaves out. */
export function readCsv(whole: Part): Csv | undefined {
  const part = within(whole, 'csv')
  const { values, say } = part
  if (Object.keys(values).length === 0) return undefined
  const usual = csvOf({})
  const csv: Csv = {
    delimiter: textOf(values.delimiter) ?? usual.delimiter,
    quote: textOf(values.quote) ?? usual.quote,
    nullText: textOf(values.null) ?? usual.nullText,
    decimal: wordOf(values.decimal, ['.', ',']) ?? usual.decimal,
  }
  const { delimiter, quote, nullText, decimal } = csv
  const sound = [
    checkSign('delimiter', delimiter, part),
    quote === '' || checkSign('quote', quote, part),
    checkText(nullText, 'a text', ['null'], say),
  ]
  if (sound.includes(false)) return csv
  if (delimiter === quote)
    say(['quote'], `the quote ${quoted(quote)}, which is the delimiter`, 'another character')
  if (delimiter === decimal) {
    const path = values.decimal === undefined ? ['delimiter'] : ['decimal']
    say(path, `${quoted(decimal)} as delimiter and as decimal`, `one of them only, such as delimiter: ';'`)
  }
  const sign = [delimiter, quote, '\n', '\r'].find((one) => one !== '' && nullText.includes(one))
  if (sign !== undefined)
    say(
      ['null'],
      `the null ${quoted(nullText)} with ${quoted(sign)} in it`,
      'a text without delimiter, quote and line end',
    )
  return csv
}

function checkSign(name: 'delimiter' | 'quote', sign: string, { say }: Part): boolean {
  if (!checkText(sign, `the ${name}`, [name], say)) return false
  // a single byte, by which the reader goes
  if (length(sign) === 1 && sign < '\x80' && sign !== '\n' && sign !== '\r') return true
  const none = name === 'quote' ? ', or an empty text for none' : ''
  say([name], `the ${name} ${quoted(sign)}`, `one character of ASCII that ends no line${none}`)
  return false
}
