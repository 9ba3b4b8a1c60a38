// Loaded into a program by `--import`, measures the longest time for which the program held its event loop, and its highest
// memory. The time is CPU time of that thread, which does not count the work of other programs. They still slow it, because they share
// the processor's caches and its clock. So the time of a fixed piece of work is measured beside it, and `paceNow` says how slow the
// machine is at the moment.

const LOOK_MS = 2;
/** What `work` takes on the machine for which the tests' bounds were chosen, while nothing else runs. */
const WORK_MS = 3.5;
const ROUNDS = 20;
const text = JSON.stringify(Object.fromEntries(Array.from({ length: 3_000 }, (_, i) => [`k${i}`, i])));
const work = () => JSON.stringify({ ...JSON.parse(text) });

let from = process.threadCpuUsage();
let longestUs = 0;
let highest = 0;

setInterval(() => {
  longestUs = Math.max(longestUs, spentUs(from));
  highest = Math.max(highest, process.memoryUsage.rss());
  from = process.threadCpuUsage();
}, LOOK_MS).unref();

function spentUs(since: { user: number; system: number }): number {
  const { user, system } = process.threadCpuUsage(since);
  return user + system;
}

/**
 * 1 on that machine; 2 where the same work takes twice as long. A machine is slow for some tenths of a second at a time, and the longest
 * time is that of a slow moment: so it is compared with the slow rounds, and not with the usual ones.
 */
function paceNow(): number {
  const rounds = Array.from({ length: ROUNDS }, () => {
    const begin = process.threadCpuUsage();
    work();
    return spentUs(begin) / 1_000;
  });
  const slow = rounds.sort((a, b) => a - b)[Math.floor(ROUNDS * 0.9)] ?? WORK_MS;
  return Math.max(1, slow / WORK_MS);
}

/** On SIGUSR2, prints both since the last time as `probe <ms> <bytes>`, and begins anew. */
process.on('SIGUSR2', () => {
  process.stdout.write(`probe ${longestUs / 1_000 / paceNow()} ${highest}\n`);
  longestUs = 0;
  highest = 0;
  from = process.threadCpuUsage();
});
