import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import https from 'node:https'
import { type AddressInfo, createServer as createRawServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, spyOn, test } from 'bun:test'
import { webTransport } from '../../src/source/https.ts'
import type { Resolve } from '../../src/source/network.ts'
import { failure, type FileServer, open, serveFile, thrown, until } from './file-server.ts'

/**
 * A certificate for localhost that signs itself, good until 2126, and its key: they guard nothing but these
 * tests.
 */
const KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgXhNUq9rzsi6jbqOy
tdq9BLMgSh+xajyiIzfnkvJAO2ahRANCAAQmRJxGKW8UP6F/eRj9TPjwJfIqq5Zq
FmLpLWjlEbCsxFT6vb9gdCtlmhPWsoNZDo1r8HvvqL3tuFXs/rtfbwTk
-----END PRIVATE KEY-----`
const CERT = `-----BEGIN CERTIFICATE-----
MIIBlDCCATugAwIBAgIUMZqiyOIHE5OvwLz547TYIntVtQowCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMzE2MzkyOFoYDzIxMjYxMDMw
MTYzOTI4WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAQmRJxGKW8UP6F/eRj9TPjwJfIqq5ZqFmLpLWjlEbCsxFT6vb9gdCtl
mhPWsoNZDo1r8HvvqL3tuFXs/rtfbwTko2kwZzAdBgNVHQ4EFgQUsV/6/FkKl3Dl
s4Btu8G+tLrZ/gkwHwYDVR0jBBgwFoAUsV/6/FkKl3Dls4Btu8G+tLrZ/gkwDwYD
VR0TAQH/BAUwAwEB/zAUBgNVHREEDTALgglsb2NhbGhvc3QwCgYIKoZIzj0EAwID
RwAwRAIgMh3cJcMO30gM0kqTeXY16kafOXYoQ5YR7XEEtrohzmgCICFq/K+s+1jN
yX7wSgTTn/ssHi6cA95ggq4O/3d8dvN4
-----END CERTIFICATE-----`

const content = 'segredo nenhum'
const asked: string[] = []
const server = https.createServer({ key: KEY, cert: CERT }, ({ headers, socket }, response) => {
  asked.push(`${headers.host} ${'servername' in socket ? socket.servername : ''}`)
  const range = `bytes 0-${content.length - 1}/${content.length}`
  response.writeHead(206, { 'Content-Range': range, 'Content-Length': content.length }).end(content)
})
let origin: string
let dir: string
/** Only to have options made of it; nothing is asked of it. */
let plain: FileServer

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'tls-'))
  plain = await serveFile(new Uint8Array())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  origin = `localhost:${(server.address() as AddressInfo).port}`
})
afterAll(async () => {
  server.closeAllConnections()
  server.close()
  await plain[Symbol.asyncDispose]()
  rmSync(dir, { recursive: true })
})

test('a certificate that nobody vouches for is refused', async () => {
  const error = await failure(open(plain, `https://${origin}/um.parquet`))
  expect(error.code).toBe('source_unreachable')
  expect(error.message).toContain('DEPTH_ZERO_SELF_SIGNED_CERT')
  expect(asked).toBeEmpty()
})

test('a trusted host is asked by its name, though the connection goes to a checked address', async () => {
  writeFileSync(join(dir, 'ca.pem'), CERT)
  // the trust store is read when a process starts
  const code = `
    const { openSource } = await import('${join(import.meta.dir, '../../src/source/source.ts')}')
    const s3 = { endpoint: undefined, region: 'us-east-1', credentials: undefined, forcePathStyle: false }
    const options = { s3, allowLoopback: true, tailBytes: 1000 }
    const file = await openSource('https://${origin}/um.parquet', options)
    console.log(new TextDecoder().decode(file.tail))`
  const child = Bun.spawn([process.execPath, '-e', code], {
    env: { ...process.env, NODE_EXTRA_CA_CERTS: join(dir, 'ca.pem') },
    stderr: 'inherit',
  })
  expect(await child.stdout.text()).toBe(`${content}\n`)
  // and ends by itself: a connection that is kept for later holds no process
  expect(await child.exited).toBe(0)
  expect(asked).toEqual([`${origin} localhost`])
})

test('a host that takes the connection and never speaks TLS is unreachable', async () => {
  let connections = 0
  const silent = createRawServer((socket) => {
    connections++
    socket.resume()
    socket.on('close', () => connections--)
    socket.on('error', () => {})
  })
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  const url = `https://localhost:${(silent.address() as AddressInfo).port}/um.parquet`
  const error = await failure(
    open(plain, url, { patience: { connectMs: 100, idleMs: 10_000, leastBytes: 0, retryMs: [] } }),
  )
  expect(error.code).toBe('source_unreachable')
  expect(error.message).toContain('found no connection within 100 ms')
  await until(() => connections === 0)
  silent.close()
})

test('a server that speaks no TLS is unreachable', async () => {
  const error = await failure(open(plain, `${plain.origin.replace('http', 'https')}/um.parquet`))
  expect(error.code).toBe('source_unreachable')
})

test('this machine is refused where loopback is not allowed, without a connection', async () => {
  for (const url of [
    `https://${origin}/a`,
    `${plain.origin}/a`,
    'https://10.0.0.1/a',
    'https://169.254.169.254/a',
  ]) {
    expect((await failure(open(plain, url, { allowLoopback: false }))).code).toBe('source_refused')
  }
  expect(plain.asked).toBeEmpty()
})

test('a name that resolves to this machine or into a private network is refused when connecting', async () => {
  const requests = spyOn(https, 'request')
  try {
    // no name of the real world can be relied on here: the request is taken as it is made, and its look-up
    // tried
    await failure(
      open(plain, 'https://nome.invalid/a', {
        patience: { connectMs: 1, idleMs: 1, leastBytes: 0, retryMs: [] },
      }),
    )
    const [made] = requests.mock.calls.map(([options]) => options as https.RequestOptions)
    expect(made?.hostname).toBe('nome.invalid')
    const error = await new Promise((resolve) => made?.lookup?.('localhost', {}, resolve))
    expect(error).toMatchObject({ code: 'source_refused' })
  } finally {
    requests.mockRestore()
  }
})

test('a name that resolves to another address a moment later gains nothing: the checked one is taken', async () => {
  const { hits, port, stop } = await canary()
  // the system itself resolves this name to the canary's address
  const address = { scheme: 'https', origin: '', host: 'localhost', port, path: '/a', query: '' } as const
  const patience = { connectMs: 100, idleMs: 100, leastBytes: 0, retryMs: [] }
  for (const found of [
    ['2001:4860:4860::8888'],
    ['2001:4860:4860::8888', '127.0.0.1'],
    ['127.0.0.1'],
    ['::1'],
    [],
  ]) {
    const resolve: Resolve = (_, __, done) =>
      done(
        null,
        found.map((one) => ({ address: one, family: one.includes(':') ? 6 : 4 })),
      )
    const transport = webTransport({ ...address, loopback: false }, { name: 'h', patience, resolve })
    const asked = transport.get({ range: null, ifMatch: null, signal: AbortSignal.timeout(200) })
    expect(await thrown(asked)).toBeInstanceOf(Error)
  }
  expect(hits()).toBe(0)
  await stop()
})

/** Counts who connects. */
async function canary() {
  let hits = 0
  const listener = createRawServer((socket) => {
    hits++
    socket.destroy()
  })
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  const stop = () => new Promise<void>((resolve) => listener.close(() => resolve()))
  return { hits: () => hits, port: (listener.address() as AddressInfo).port, stop }
}
