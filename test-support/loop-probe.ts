// Loaded into a program by `--import`, measures the longest time for which the program held its event loop, and its highest
// memory. The time is CPU time of that thread, which does not count the work of other programs on a busy machine.

const LOOK_MS = 2;
let from = process.threadCpuUsage();
let longestUs = 0;
let highest = 0;

setInterval(() => {
  const { user, system } = process.threadCpuUsage(from);
  longestUs = Math.max(longestUs, user + system);
  highest = Math.max(highest, process.memoryUsage.rss());
  from = process.threadCpuUsage();
}, LOOK_MS).unref();

/** On SIGUSR2, prints both since the last time as `probe <ms> <bytes>`, and begins anew. */
process.on('SIGUSR2', () => {
  process.stdout.write(`probe ${longestUs / 1_000} ${highest}\n`);
  longestUs = 0;
  highest = 0;
  from = process.threadCpuUsage();
});
