import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openapi } from '@elysiajs/openapi'
import { Elysia } from 'elysia'
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

/**
 * /docs, a page to read and try the API on, and /docs/json, the same as OpenAPI 3.1. The plugin describes the
 * routes once; figuras come and go, so they are added at each request: those that the caller knows, and none for
 * who shows no key.
 */
export function createDocs(guest: (request: Request) => Promise<Caller>) {
  const app = new Elysia({ name: 'docs' }).onAfterHandle(async ({ request, response, path, set }) => {
    if (path.startsWith(DOCUMENT))
      return completeDocument(response as RouteDocument, (await guest(request)).figuras)
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
          'Loads parquet files into PostgreSQL tables. Send the address of a file with PUT ' +
          '/{figura}/_bulk, then ask the status_url of the answer how the job fares.',
      },
      tags: [
        { name: 'Jobs', description: 'Send files, and see what became of them.' },
        { name: 'Figuras', description: 'What can be sent.' },
        { name: 'Service', description: 'The service itself.' },
      ],
    },
  })
}
