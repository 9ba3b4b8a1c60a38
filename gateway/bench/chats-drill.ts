// 200 chats of two people on two gateways, 40 at the same time: a third of them is reloaded at a random point, one gateway is killed in the
// middle. Prints what became of them, and fails if anything is missing, out of order, somebody else's, or was done twice. Takes a minute or two.
//
//   npx node gateway/bench/chats-drill.ts [chats]

import { startRedis } from '../../test-support/redis.ts';
import { playChats } from '../test/e2e/chats.ts';

const chats = Number(process.argv[2] ?? 200);
const redis = await startRedis();
const began = performance.now();
const { finished, lost, reloads, faults } = await playChats({
  ...{ redisUrl: redis.url, chats, atOnce: 40 },
  random: Math.random,
});
await redis.stop();
const seconds = ((performance.now() - began) / 1_000).toFixed(0);
process.stdout.write(
  `${chats} chats: ${finished} finished, ${lost} lost with their gateway, ${reloads} reloaded, ${faults.length} faults, ${seconds} s\n`,
);
for (const fault of faults) process.stdout.write(`  ${fault}\n`);
process.exit(faults.length === 0 && finished + lost === chats ? 0 : 1);
