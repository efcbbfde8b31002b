import { expect, test } from 'bun:test'
import type { Task } from '../../src/job.ts'
import { decodeTask } from '../../src/queue/decode.ts'

const common = { figura: 'fornecedores', job: '0198c0de-0000-7000-8000-00000000000a', ring: 0 }
const tasks: Task[] = [
  { kind: 'job', ...common },
  { kind: 'merge', ...common, stage: 0 },
  { kind: 'chunk', ...common, stage: 1, chunk: 2 },
]

test('a task is read back as it was written, without what else the message holds', () => {
  for (const task of tasks) expect(decodeTask(JSON.stringify({ ...task, more: 1 }))).toEqual(task)
})

test('what is no task, in any one field, is none', () => {
  for (const task of tasks) {
    for (const field of Object.keys(task)) {
      const wrong = field === 'kind' ? ['', 'x', null] : ['', 'x y', null, -1, 1.5, 2 ** 31, '1', {}]
      for (const value of wrong) {
        const text = JSON.stringify({ ...task, [field]: value })
        expect({ text, task: decodeTask(text) }).toEqual({ text, task: undefined })
      }
    }
  }
  for (const text of ['', 'x', 'null', '1', '[]', '{}']) expect(decodeTask(text)).toBeUndefined()
})
