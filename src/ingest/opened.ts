import type { Format } from '../job.ts'
import type { Held } from '../source/ranged.ts'
import type { SourceFile } from '../source/source.ts'
import type { Stream } from './formats/stream.ts'
import type { Reading } from './rules.ts'
import type { FileShape, Places } from './shape.ts'

/**
 * What a thread knows of a file after it has opened it: enough to fetch any chunk of it without another look at the
 * footer. The source goes on to ask for the very file that was opened, by its ETag or its length.
 */
export type Opened = { source: SourceFile; format: Format; shape: FileShape; reading: Reading } & (
  { footer: Held; places: Places } | { stream: Stream }
)

/** A file, as a plan has it: a job that is planned anew has another stage, and its file is opened anew. */
export type PlannedFile = { job: string; stage: number; file: number; etag: string | null }

/** The files that a thread opened last. */
export type OpenedFiles = {
  find(planned: PlannedFile): Opened | undefined
  keep(planned: PlannedFile, opened: Opened): void
}

/** Keeps as many as fit into `maxBytes`, and lets those go first that were not asked for the longest. */
export function keepOpened(maxBytes: number): OpenedFiles {
  const files = new Map<string, Opened>()
  const id = ({ job, stage, file, etag }: PlannedFile) => `${job} ${stage} ${file} ${etag}`
  const renew = (key: string, opened: Opened) => {
    files.delete(key)
    files.set(key, opened)
  }
  return {
    find: (planned) => {
      const opened = files.get(id(planned))
      if (opened) renew(id(planned), opened)
      return opened
    },
    keep: (planned, opened) => {
      renew(id(planned), opened)
      let bytes = [...files.values()].reduce((sum, one) => sum + bytesOf(one), 0)
      for (const [key, one] of files) {
        if (bytes <= maxBytes) return
        bytes -= bytesOf(one)
        files.delete(key)
      }
    },
  }
}

/** The tail, the footer, and two numbers for each column of each row group. */
function bytesOf(opened: Opened): number {
  const tailBytes = opened.source.tail.length
  if ('stream' in opened) return tailBytes
  return tailBytes + opened.footer.bytes.length + opened.places.starts.length * 16
}
