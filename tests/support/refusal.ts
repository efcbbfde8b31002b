/**
 * The message that a promise rejects with. For work that waits for sockets: while expect().rejects waits, Bun
 * turns a loop of its own, in which the callbacks of streams may never come.
 */
export async function refusal(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'nothing was refused',
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  )
}
