import { ByteWriter, ParquetWriter } from 'hyparquet-writer'
import type { RejectedRow } from '../db/rejects-read.ts'

/** Makes a parquet file of rejects in parts: one row group for each batch, so that no more is held. */
export function parquetWriter(columns: string[]) {
  const writer = new ByteWriter()
  const file = new ParquetWriter({
    writer,
    createdBy: 'bulk-ingestion',
    schema: schemaOf(columns),
    statistics: false,
  })
  const take = () => {
    const bytes = writer.getBytes().slice()
    // offsets of the file go on; what was taken is not kept
    writer.index = 0
    return bytes
  }
  return {
    head: take,
    rows: (rejects: RejectedRow[]) => {
      const columnData = [...fileColumns(rejects, columns), ...addedColumns(rejects)]
      void file.write({ columnData, rowGroupSize: rejects.length })
      return take()
    },
    end: () => {
      void file.finish()
      return take()
    },
  }
}

function fileColumns(rejects: RejectedRow[], columns: string[]) {
  return columns.map((name) =>
    text(
      name,
      rejects.map(({ record }) => record?.[name] ?? undefined),
    ),
  )
}

function addedColumns(rejects: RejectedRow[]) {
  return [
    { name: '_file', data: rejects.map(({ file }) => file), offsetIndex: false },
    { name: '_row', data: rejects.map(({ row }) => BigInt(row)), offsetIndex: false },
    text(
      '_column',
      rejects.map(({ columnName }) => columnName ?? undefined),
    ),
    text(
      '_rule',
      rejects.map(({ rule }) => rule),
    ),
    text(
      '_reason',
      rejects.map(({ reason }) => reason),
    ),
  ]
}

function text(name: string, data: (string | undefined)[]) {
  return { name, data, offsetIndex: false }
}

function schemaOf(columns: string[]): ConstructorParameters<typeof ParquetWriter>[0]['schema'] {
  const optional = (name: string) => ({
    name,
    type: 'BYTE_ARRAY' as const,
    converted_type: 'UTF8' as const,
    repetition_type: 'OPTIONAL' as const,
  })
  return [
    { name: 'rejects', num_children: columns.length + 5 },
    ...columns.map(optional),
    { name: '_file', type: 'INT32', repetition_type: 'REQUIRED' },
    { name: '_row', type: 'INT64', repetition_type: 'REQUIRED' },
    optional('_column'),
    optional('_rule'),
    optional('_reason'),
  ]
}
