// Loaded into a program by `--import`: how long its thread worked at most without coming back to the event loop, and how much
// memory it took. In CPU time of that one thread: on a busy machine the clock goes on while others work, this does not.

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

/** Says it since the last time, as `probe <ms> <bytes>`. */
process.on('SIGUSR2', () => {
  process.stdout.write(`probe ${longestUs / 1_000} ${highest}\n`);
  longestUs = 0;
  highest = 0;
  from = process.threadCpuUsage();
});
