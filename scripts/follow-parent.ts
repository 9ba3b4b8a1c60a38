// Loaded first into the programs that start.ts runs. It ends them when start.ts ends, also if start.ts was killed.

process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
process.channel?.unref(); // this channel alone must not keep a finished program alive
