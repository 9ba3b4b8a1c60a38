// Preloaded into the programs that start.ts runs: when start.ts is gone, however it ended, they end as well.

process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
process.channel?.unref(); // waiting for the end must not keep a finished program alive
