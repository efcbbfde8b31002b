import type { Socket } from 'bun'

export type Requests = {
  port: number
  /** Whole requests as they go over the wire; taken in turns. */
  texts: string[]
  /** Any other status is an error. */
  status: number
  connections: number
  ms: number
}

/**
 * Sends requests over so many connections, the next on each as soon as the last is answered, and counts the answers.
 * It works on the bytes of the wire: a full HTTP client takes more of the machine than the server that it measures.
 * @returns answers per second
 */
export async function answersPerSecond({ port, texts, status, connections, ms }: Requests): Promise<number> {
  let answers = 0
  let next = 0
  const endAt = performance.now() + ms
  const ended: Promise<void>[] = []
  const failure = Promise.withResolvers<never>()
  // it may come while connections are still being made, when nobody waits for it yet
  failure.promise.catch(() => {})
  const sockets: Socket<State>[] = []
  const send = (socket: Socket<State>) => void socket.write(texts[next++ % texts.length] ?? '')
  const startedAt = performance.now()
  for (let at = 0; at < connections; at++) {
    const { promise, resolve } = Promise.withResolvers<void>()
    ended.push(promise)
    const connecting = Bun.connect<State>({
      hostname: '127.0.0.1',
      port,
      data: { rest: '', done: false },
      socket: {
        open: send,
        data: (socket, bytes) => {
          socket.data.rest += bytes.toString('latin1')
          const answer = takeAnswer(socket.data)
          if (!answer) return
          if (answer.status !== status)
            failure.reject(new Error(`found status ${answer.status}, expected ${status}`))
          answers++
          if (performance.now() < endAt) return send(socket)
          socket.data.done = true
          socket.end()
          resolve()
        },
        error: (_, error) => failure.reject(error),
        close: (socket) => {
          if (!socket.data.done) failure.reject(new Error('the server closed a connection'))
        },
      },
    })
    sockets.push(await connecting)
  }
  await Promise.race([Promise.all(ended), failure.promise]).finally(() => sockets.forEach((one) => one.end()))
  return answers / ((performance.now() - startedAt) / 1000)
}

type State = { rest: string; done: boolean }

/** The answer that has arrived, when all of it has: servers of this benchmark state the length of every body. */
export function takeAnswer(state: { rest: string }): { status: number; body: string } | undefined {
  const headEnd = state.rest.indexOf('\r\n\r\n')
  if (headEnd < 0) return undefined
  const head = state.rest.slice(0, headEnd)
  const length = /^content-length: *(\d+)/im.exec(head)?.[1]
  if (length === undefined) throw new Error(`found no length in the head of an answer: ${head}`)
  const end = headEnd + 4 + Number(length)
  if (state.rest.length < end) return undefined
  const body = state.rest.slice(headEnd + 4, end)
  state.rest = state.rest.slice(end)
  return { status: Number(head.slice(9, 12)), body }
}
