import { Elysia } from 'elysia'
import { findPause } from '../db/pause.ts'
import type { Sql } from '../db/postgres.ts'
import type { LoadedFigura } from '../figura/load.ts'
import { type Figura, tableName } from '../figura/types.ts'
import type { CallerOf } from './caller.ts'
import { columnView, loadView } from './contract-view.ts'
import { FiguraList, FiguraView } from './figura-schemas.ts'
import { findFigura, type ServedFigura } from './find-figura.ts'
import { inTime } from './in-time.ts'
import { says } from './operation.ts'
import { FiguraParams } from './schema-parts.ts'
import { pauseView } from './view.ts'

/** What can be sent: the figuras as their files have them at this moment. */
export function createFiguras(sql: Sql, callerOf: CallerOf) {
  return new Elysia({ name: 'figuras' })
    .get('/figuras', ({ request }) => ({ figuras: callerOf(request).figuras.list().map(summary) }), {
      response: { 200: FiguraList },
      detail: says({
        id: 'listFiguras',
        summary: 'List the figuras',
        description:
          'Those that the key may do something with. One whose file has errors is among them, with the errors.',
        tag: 'Figuras',
        scope: 'key',
      }),
    })
    .get(
      '/figuras/:figura',
      async ({ params, request }) => {
        const { figuras, id } = callerOf(request)
        const served = findFigura(figuras, params.figura)
        const paused = pauseView(await inTime(findPause(sql, served.name)))
        return {
          ...contract(served, URL.parse(request.url)?.origin ?? 'http://localhost', { withKey: id !== '' }),
          paused,
        }
      },
      {
        params: FiguraParams,
        response: { 200: FiguraView },
        detail: says({
          id: 'readFigura',
          summary: 'Read a figura',
          description: 'The whole contract: columns, types, sources, and how to send a file.',
          tag: 'Figuras',
          scope: 'read',
          errors: ['figura_unknown', 'figura_broken', 'unavailable'],
        }),
      },
    )
}

/** An address that the figura admits, to show how one looks. */
export function exampleUrl({ name, sources }: Figura): string {
  const source = sources[0] ?? 's3://bucket/'
  if (/\.\w+$/.test(source.replace(/^\w+:\/\/[^/]*/, ''))) return source
  return `${source.replace(/\/$/, '')}/${name}.parquet`
}

function summary(loaded: LoadedFigura): FiguraList['figuras'][number] {
  const { name, figura, errors } = loaded
  return {
    name,
    ok: errors === undefined,
    description: figura?.description ?? null,
    table: figura ? tableName(figura) : null,
    key: figura?.key ?? null,
    columns: figura?.columns.length ?? null,
    errors: errors ?? [],
    links: links(name),
  }
}

function contract(
  { name, figura, hash }: ServedFigura,
  origin: string,
  { withKey }: { withKey: boolean },
): Omit<FiguraView, 'paused'> {
  const key = withKey ? ' -H "Authorization: Bearer $BULK_KEY"' : ''
  const url = exampleUrl(figura)
  const body = JSON.stringify({ url }).replaceAll("'", "'\\''")
  return {
    name,
    description: figura.description,
    table: tableName(figura),
    key: figura.key,
    columns: figura.columns.map(columnView),
    ...loadView(figura),
    sources: figura.sources,
    contract: hash,
    links: links(name),
    example: {
      url,
      curl: `curl -X PUT ${origin}/${name}/_bulk${key} -H 'Content-Type: application/json' -d '${body}'`,
    },
  }
}

function links(name: string): FiguraView['links'] {
  return { self: `/figuras/${name}`, bulk: `/${name}/_bulk` }
}
