import { Type } from '@sinclair/typebox'
import { closed, name, oneOf } from './schema-kinds.ts'
import { DUPLICATES, MODES } from './types.ts'

/** The part `load` of a figura file. */
export function loadFile() {
  return closed(
    {
      mode: Type.Optional(
        oneOf(MODES, {
          description:
            'merge: new keys are inserted, changed rows updated, equal rows left alone. ' +
            'append: every row is inserted. insert: rows with a new key are inserted, the others left alone. ' +
            'replace: as merge, and rows that the file lacks are deleted. delete: rows with a key of the file ' +
            'are deleted.',
          default: 'merge',
        }),
      ),
      allow: Type.Optional(
        Type.Array(oneOf(MODES, {}), {
          description: 'Modes that a request may ask for besides.',
          examples: [['replace', 'delete']],
          uniqueItems: true,
        }),
      ),
      version: Type.Optional(
        name({
          description:
            'The column that tells which of two rows is newer. An older row never overwrites a newer one.',
          examples: ['atualizado_em'],
        }),
      ),
      duplicates: Type.Optional(
        oneOf(DUPLICATES, {
          description:
            'Which of the rows of one file with the same key counts. refuse: such a file is not loaded. ' +
            'newest: the one with the greatest version, of equal ones the last.',
          default: 'refuse',
        }),
      ),
      ...removalFile(),
      ...traceFile(),
    },
    { description: 'How rows come into the table.', examples: [{ mode: 'merge' }] },
  )
}

/** How rows leave the table. */
function removalFile() {
  return {
    scope: Type.Optional(
      Type.Array(name(), {
        description:
          'For the mode replace: only rows whose values of these columns occur in the file are deleted.',
        examples: [['filial']],
        uniqueItems: true,
      }),
    ),
    max_delete_percent: Type.Optional(
      Type.Number({
        description:
          "For the mode replace: a load that would delete a greater share of the table's rows (within the " +
          'scope) is refused.',
        minimum: 0,
        maximum: 100,
        default: 50,
      }),
    ),
    delete_marker: Type.Optional(
      closed(
        {
          from: name({
            description: 'The boolean column of the file that says so, by its name there.',
            examples: ['excluido'],
          }),
          how: oneOf(['hard', 'soft'], {
            description: 'hard: the row is deleted. soft: it stays, and the time goes into the column `at`.',
            examples: ['hard'],
          }),
          at: Type.Optional(
            name({
              description:
                'A timestamptz column of the table that the service adds and fills; not one of columns.',
              examples: ['excluido_em'],
            }),
          ),
        },
        {
          description: 'Rows of a file that say that the row of their key is gone.',
          examples: [{ from: 'excluido', how: 'hard' }],
        },
      ),
    ),
  }
}

/** What is kept of the past. */
function traceFile() {
  return {
    history: Type.Optional(
      Type.Boolean({
        description: 'Every version of every row is kept in the table <table>_history.',
        default: false,
      }),
    ),
    audit: Type.Optional(
      closed(
        {
          loaded_at: Type.Optional(
            name({
              description: 'The column (timestamptz) for the time of the load that last wrote the row.',
              examples: ['carregado_em'],
            }),
          ),
          job_id: Type.Optional(
            name({
              description: 'The column (uuid) for the job that last wrote the row.',
              examples: ['carga_id'],
            }),
          ),
        },
        {
          description: 'Columns of the table that the service adds and fills; none of columns.',
          examples: [{ loaded_at: 'carregado_em', job_id: 'carga_id' }],
        },
      ),
    ),
  }
}
