import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openapi } from '@elysiajs/openapi'
import { Elysia } from 'elysia'
import type { Figuras } from '../figura/load.ts'
import type { Caller } from './caller.ts'
import { completeDocument, type RouteDocument } from './openapi.ts'

const VERSION: string = JSON.parse(readFileSync(join(import.meta.dir, '../../package.json'), 'utf8')).version

/** Where the documentation as data is. */
const DOCUMENT = '/docs/json'

/**
 * The page needs nothing but these, from the package swagger-ui-dist: it works without a way to the internet.
 */
const ASSETS = {
  '/docs/swagger-ui.css': 'swagger-ui.css',
  '/docs/swagger-ui.css.map': 'swagger-ui.css.map',
  '/docs/swagger-ui-bundle.js': 'swagger-ui-bundle.js',
  '/favicon.ico': 'favicon-32x32.png',
}

/** Lets the browser load from this service alone, whatever a later swagger-ui may want. */
const PAGE_POLICY =
  "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' " +
  "data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/** Documents that are kept. One has 130 kB, and 1 kB more for each figura. */
const KEPT = 16

/**
 * /docs, a page to read and try the API on, and /docs/json, the same as OpenAPI 3.1. The plugin describes the
 * routes once; figuras come and go, so they are added as they are now: those that the caller knows, and none for who
 * shows no key.
 */
export function createDocs(guest: (request: Request) => Promise<Caller>) {
  const textOf = keepTexts()
  const app = new Elysia({ name: 'docs' }).onAfterHandle(async ({ request, response, path, set }) => {
    if (path.startsWith(DOCUMENT)) {
      const text = textOf(response as RouteDocument, (await guest(request)).figuras)
      return new Response(text, { headers: { 'content-type': 'application/json;charset=utf-8' } })
    }
    set.headers['content-security-policy'] = PAGE_POLICY
  })
  const assets = new Elysia({ name: 'docs-assets' })
  for (const [path, file] of Object.entries(ASSETS)) {
    const asset = Bun.file(fileURLToPath(import.meta.resolve(`swagger-ui-dist/${file}`)))
    const headers = { 'content-type': asset.type, 'cache-control': 'public, max-age=86400' }
    assets.get(path, () => new Response(asset, { headers }), { detail: { hide: true } })
  }
  return app.use(plugin()).use(assets)
}

/**
 * Makes a document once for all who know the same figuras in the same state: it takes 3 ms, with 200 figuras 8, and
 * anybody may ask for it as often as he likes.
 */
function keepTexts(): (document: RouteDocument, figuras: Figuras) => string {
  const kept = new Map<string, string>()
  return (document, figuras) => {
    const served = figuras.list().flatMap((one) => (one.figura ? [one.hash] : []))
    const known = served.join()
    const text = kept.get(known) ?? JSON.stringify(completeDocument(document, figuras))
    // the one that was asked for last stays longest
    kept.delete(known)
    kept.set(known, text)
    const [oldest] = kept.keys()
    if (kept.size > KEPT && oldest !== undefined) kept.delete(oldest)
    return text
  }
}

function plugin() {
  const swagger = {
    // absolute: relative to /docs/ the plugin's own would be /docs/docs/json
    url: DOCUMENT,
    cdn: '/docs/swagger-ui-bundle.js',
    theme: '/docs/swagger-ui.css',
    // the badge that sends the address of the document to swagger.io
    validatorUrl: 'none',
    deepLinking: true,
    displayRequestDuration: true,
    docExpansion: 'list' as const,
    defaultModelsExpandDepth: 0,
  }
  return openapi({
    path: '/docs',
    specPath: DOCUMENT,
    provider: 'swagger-ui',
    swagger,
    documentation: {
      info: {
        title: 'Bulk ingestion',
        version: VERSION,
        description:
          'Loads files (parquet, Avro, CSV, NDJSON) into PostgreSQL tables. Send the address of a file with ' +
          'PUT /{figura}/_bulk, then ask the status_url of the answer how the job fares.',
      },
      tags: [
        { name: 'Jobs', description: 'Send files, and see what became of them.' },
        { name: 'Figuras', description: 'What can be sent.' },
        { name: 'Service', description: 'The service itself.' },
      ],
    },
  })
}
