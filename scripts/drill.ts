import { withServers } from './with-servers.ts'

// Injects faults and counts what is lost, doubled, unexpected or left behind: bun run drill --help
process.exitCode = await withServers(
  () => ['tests/drills/run.ts', ...process.argv.slice(2)],
  (code) => code ?? 130,
)
