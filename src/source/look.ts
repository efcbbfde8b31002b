/** How a file looks that may be a CSV. */
export const TEXT = 'a text, such as CSV'

/** Texts that are no data, and what they then are. The first that fits counts. */
const TEXTS: [RegExp, string][] = [
  [/^%PDF/, 'a PDF'],
  [/^\s*<(!doctype|html)/i, 'a page of HTML'],
  [/^\s*<\?xml/i, 'a text of XML, as buckets send it for an error'],
  [/^\s*\{/, 'a text of JSON'],
  [/^\s*\[/, 'a text of JSON, an array'],
  // in any encoding: what no text has are these controls of ASCII. It goes before the signatures, for a CSV may
  // begin with ORCAMENTO
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  [/^[^\0-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f]+$/, TEXT],
]

/** What other files begin with. */
const SIGNATURES: [string, string][] = [
  ['PAR1', 'a parquet file'],
  ['Obj\x01', 'an avro file'],
  ['\x1f\x8b', 'a gzip archive'],
  ['PK\x03\x04', 'a zip archive or a spreadsheet'],
  ['\x28\xb5\x2f\xfd', 'a zstd archive'],
  ['BZh', 'a bzip2 archive'],
  ['\xfd7zXZ', 'an xz archive'],
  ['ORC', 'an ORC file'],
  ['ARROW1', 'an Arrow file'],
  ['SQLite format 3', 'a SQLite database'],
]

/** What a file looks like by its first bytes, for a sentence: `an avro file`, `a file that begins with 00 01 02 03`. */
export function lookOf(head: Uint8Array): string {
  const start = String.fromCharCode(...head)
  if (start === '') return 'an empty file'
  const known =
    TEXTS.find(([pattern]) => pattern.test(start.replace(/^\xef\xbb\xbf/, ''))) ??
    SIGNATURES.find(([signature]) => start.startsWith(signature))
  return known?.[1] ?? `a file that begins with ${hex(head)}`
}

/** The first four bytes. */
export function hex(bytes: Uint8Array): string {
  return [...bytes.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ')
}
