import { expect, test } from 'bun:test'
import { Elysia } from 'elysia'
import { anonymous } from '../../src/api/caller.ts'
import { createGate } from '../../src/api/gate.ts'
import { says } from '../../src/api/operation.ts'
import type { Route } from '../../src/api/routes.ts'

const NONE = { get: () => undefined, list: () => [] }
const DETAIL = says({ id: 'stop', summary: 'Stop', tag: 'Jobs', scope: 'operate' })

/** A body that says when somebody asks for it. */
function watchedBody() {
  let read = false
  const pull = (stream: ReadableStreamDefaultController) => {
    read = true
    stream.enqueue(new TextEncoder().encode('{'))
    stream.close()
  }
  return { body: new ReadableStream({ pull }, { highWaterMark: 0 }), wasRead: () => read }
}

function appOf(callers: () => Promise<{ caller: ReturnType<typeof anonymous> }>) {
  const routes: Route[] = []
  const gate = createGate({ callers, figuras: NONE, routes })
  const app = new Elysia({ normalize: false })
    .onError(({ error }) => new Response(String(error), { status: 500 }))
    .use(gate.plugin)
    .post('/:figura/stop', ({ request }) => gate.caller(request).name, { detail: DETAIL })
    .delete('/:figura/:id', ({ request }) => gate.caller(request).name, { detail: DETAIL })
  routes.push(...app.routes)
  return app
}

test('a route that takes no body reads none, whatever is sent and however it is called', async () => {
  const app = appOf(async () => ({ caller: anonymous(NONE) }))
  for (const [method, path] of [
    ['POST', '/coisas/stop'],
    ['DELETE', '/coisas/7'],
  ] as const) {
    for (const type of [
      'application/json',
      'text/plain',
      'multipart/form-data',
      'application/x-www-form-urlencoded',
    ]) {
      const { body, wasRead } = watchedBody()
      const headers = { 'content-type': type }
      const answer = await app.handle(new Request(`http://localhost${path}`, { method, headers, body }))
      expect([type, answer.status, await answer.text(), wasRead()]).toEqual([type, 200, 'anonymous', false])
    }
  }
})

test('a caller who is refused has its body read by nobody', async () => {
  const app = appOf(() => Promise.reject(new Error('refused')))
  const { body, wasRead } = watchedBody()
  const answer = await app.handle(new Request('http://localhost/coisas/stop', { method: 'POST', body }))
  expect([answer.status, wasRead()]).toEqual([500, false])
})
