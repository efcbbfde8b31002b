// A worker process that hears no signal: it ends only when it is killed.
process.on('SIGTERM', () => {})
process.on('disconnect', () => process.exit(0))
process.send?.('ready')
setInterval(() => {}, 1000)
