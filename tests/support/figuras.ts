import type { Column, Figura } from '../../src/figura/types.ts'

/** A small figura for tests that need no file: key `id`, one text column. */
export function smallFigura(name = 'coisas', columns: Column[] = COLUMNS): Figura {
  return {
    name,
    description: '',
    table: { schema: 'public', name },
    key: ['id'],
    columns,
    sources: ['s3://b/'],
  }
}

const COLUMNS: Column[] = [
  { name: 'id', type: { kind: 'bigint' }, required: true, from: 'id' },
  { name: 'nome', type: { kind: 'text' }, required: false, from: 'nome' },
]
