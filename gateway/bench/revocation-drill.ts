// Takes somebody's rights away many times while he reads five streams of two gateways with two workers each, and prints how long it
// took until the last stream was closed, and whether anything was delivered after the bound. A test asserts no times, so this is none.
//
//   npx node gateway/bench/revocation-drill.ts [rounds]

import { RedisClient } from '../../shared/src/broker/redis/client.ts';
import { RedisBroker } from '../../shared/src/broker/redis/redis-broker.ts';
import { line } from '../../test-support/gateway.ts';
import { eventually, healthy, startProcess } from '../../test-support/process.ts';
import { freePort, randomNamespace, startRedis } from '../../test-support/redis.ts';
import { SseClient } from '../../test-support/sse-client.ts';
import { Sessions } from '../src/auth/credentials/sessions.ts';
import { sessionId } from '../src/auth/store/auth-store.ts';
import { RedisAuthStore } from '../src/auth/store/redis-auth-store.ts';

const BOUND_MS = 3_000;
/** Longer than rights may be unknown. */
const PAUSE_MS = 3_500;
const KINDS = [
  'heard',
  'heard',
  'heard',
  'heard',
  'heard',
  'heard',
  'lost',
  'lost',
  'lost',
  'paused',
] as const;
type Kind = (typeof KINDS)[number];

const rounds = Number(process.argv[2] ?? 200);
const redis = await startRedis();
const namespace = randomNamespace();
const store = RedisAuthStore.at(redis.url, namespace);
const client = new RedisClient(redis.url, 'drill', undefined);
await client.runId(5_000);
const log = new RedisBroker({ url: redis.url, namespace });
await log.open(5_000);
await store.addUser({
  name: 'alice',
  passwordHash: 'x',
  role: 'viewer',
  disabled: false,
  created: Date.now(),
});

const ports = [await freePort(), await freePort()];
const gateways = ports.map((port) =>
  startProcess(['gateway/src/main.ts'], {
    env: {
      PORT: `${port}`,
      WORKERS: '2',
      AUTH: 'on',
      REDIS_URL: redis.url,
      NAMESPACE: namespace,
      LOG_LEVEL: 'warn',
    },
  }),
);
const up = Promise.all(ports.map((port) => healthy(`http://127.0.0.1:${port}/readyz`, 180_000)));
const ended = Promise.race(gateways.map(({ exited }) => exited)).then(() => {
  throw new Error(`a gateway ended: ${gateways.map(({ output }) => output).join('')}`);
});
await Promise.race([up, ended]);
ended.catch(() => undefined);

const writer = setInterval(() => {
  log.publish([line('logs', 'x')]).catch(() => undefined);
}, 20);

const times: Record<Kind, number[]> = { heard: [], lost: [], paused: [] };
let late = 0;
for (let round = 0; round < rounds; round++) {
  const kind = KINDS[round % KINDS.length] as Kind;
  const { token, session } = await new Sessions(store).begin({ user: 'alice', address: '', agent: '' });
  const headers = { authorization: `Bearer ${token}` };
  const streams = await Promise.all([0, 1, 0, 1, 1].map((i) => openLive(ports[i] as number, headers)));
  if (kind === 'lost') await cutSubscribers();
  await store.endSession('alice', sessionId(session));
  const revoked = performance.now();
  let counted: number[] | undefined;
  const bound = setTimeout(() => {
    counted = streams.map(({ entries }) => entries.length);
  }, BOUND_MS);
  if (kind === 'paused') {
    redis.pause();
    setTimeout(() => redis.resume(), PAUSE_MS);
  }
  await Promise.all(
    streams.map(async (stream) => {
      await stream.ended();
      times[kind].push(performance.now() - revoked);
    }),
  );
  clearTimeout(bound);
  const after = counted;
  if (after !== undefined)
    late += streams.filter(({ entries }, i) => entries.length > (after[i] ?? 0)).length;
}

clearInterval(writer);
for (const [kind, list] of Object.entries(times)) {
  list.sort((a, b) => a - b);
  const at = (share: number) => `${Math.round(list[Math.floor((list.length - 1) * share)] ?? 0)} ms`;
  process.stdout.write(`${kind}: ${list.length} streams, half within ${at(0.5)}, longest ${at(1)}\n`);
}
process.stdout.write(`${late} streams got an entry later than ${BOUND_MS} ms after the revocation\n`);
for (const gateway of gateways) await gateway.stop();
await log.close();
client.close();
await store.close();
await redis.stop();
process.exit(late === 0 ? 0 : 1);

/** Those who listen for changes miss what is published before they are back. */
async function cutSubscribers(): Promise<void> {
  const list = (await client.redis.client('LIST')) as string;
  for (const one of list.split('\n'))
    if (/ sub=1 /.test(one) && / name=llm-streamer-auth/.test(one))
      await client.redis.client('KILL', 'ID', /id=(\d+)/.exec(one)?.[1] ?? '');
}

/** A gateway that has just got its Redis back may ask a viewer to come again. */
async function openLive(port: number, headers: Record<string, string>): Promise<SseClient> {
  for (;;) {
    const stream = await SseClient.open(`http://127.0.0.1:${port}/stream?channels=logs*`, { headers });
    await eventually('a beginning or an end', () => stream.named('live').length > 0 || stream.closed);
    if (!stream.closed) return stream;
    const [bye] = stream.named('bye');
    process.stderr.write(`opened again: ${stream.status} ${JSON.stringify(bye?.data.code ?? null)}\n`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
