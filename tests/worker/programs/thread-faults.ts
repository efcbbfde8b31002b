// A thread that has the handlers of src/worker/thread.ts (argument `guarded`) or not (`bare`), and fails while DuckDB
// is at work. Run by traps.test.ts as a process of its own, since without the handlers the process aborts.
const guarded = process.argv[2] === 'guarded'
const fault = process.argv[3] ?? 'throw'

const handlers = `
  process.on('uncaughtException', () => postMessage('fault'))
  process.on('unhandledRejection', () => postMessage('fault'))
`
const source = `
  ${guarded ? handlers : ''}
  self.onmessage = async () => {
    const { DuckDBInstance } = await import('@duckdb/node-api')
    const connection = await (await DuckDBInstance.create(':memory:', { threads: '1' })).connect()
    const sql = 'select count(*) from range(20000000) t(i) where i % 7 = '
    for (let at = 0; at < 8; at++) void connection.run(sql + at).then(() => {})
    setTimeout(() => {
      if ('${fault}' === 'throw') throw new Error('uncaught')
      void Promise.reject(new Error('unhandled'))
    }, 30)
  }
`
const worker = new Worker(URL.createObjectURL(new Blob([source], { type: 'application/typescript' })))
worker.onmessage = (event) => {
  console.log(event.data)
  setTimeout(() => process.exit(0), 200)
}
worker.onerror = () => setTimeout(() => process.exit(3), 500)
worker.postMessage('go')
