// Whatever state a client brings its connection into, the gateway's process lives and serves the others: a real process on
// real sockets, with the embedded log and with Redis.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, isAlive, type RunningProcess, startProcess } from '../../../test-support/process.ts';
import { type RedisServer, randomNamespace, startRedis } from '../../../test-support/redis.ts';
import { type SimulatorProcess, servedBy, startSimulator } from '../../../test-support/simulator.ts';
import { SseClient } from '../../../test-support/sse-client.ts';

let redis: RedisServer;
let models: SimulatorProcess;
beforeAll(async () => {
  redis = await startRedis();
  models = await startSimulator('--delay', '10000'); // a run that lasts
});
afterAll(async () => {
  await redis.stop();
  await models.process.stop();
});

const HOST = 'Host: localhost\r\n';
/** More than Node's parser hands over at once, so that handlers run while it still reads the packet. */
const MANY_HEADERS = Array.from({ length: 60 }, (_, i) => `x-${i}: ${i}\r\n`).join('');
const RUN = '{"message":"hello","message_id":"long"}';
const ENTRY = '{"channel":"a","msg":"hi"}';

const post = (path: string, body: string) =>
  `POST ${path} HTTP/1.1\r\n${HOST}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
const get = (path: string, headers = '', method = 'GET', version = '1.1') =>
  `${method} ${path} HTTP/${version}\r\n${HOST}${headers}\r\n`;

/** What begins a stream, or asks for one in a way that is refused. */
const STREAMS = {
  'a stream': get('/stream'),
  'a stream with history': get('/stream?channels=a&tail=5'),
  'a gzip stream': get('/stream', 'Accept-Encoding: gzip\r\n'),
  'a stream by HTTP/1.0': get('/stream', '', 'GET', '1.0'),
  'a kept stream by HTTP/1.0': get('/stream', 'Connection: keep-alive\r\n', 'GET', '1.0'),
  'a stream, closed by its client': get('/stream', 'Connection: close\r\n'),
  'a stream that may go on': get('/stream', 'Expect: 100-continue\r\n'),
  'a stream with an empty body': get('/stream', 'Content-Length: 0\r\n'),
  'a stream with a body': `${get('/stream', 'Content-Length: 5\r\n')}hello`,
  'a stream with half a body': `${get('/stream', 'Content-Length: 9\r\n')}hello`,
  'a stream with chunks': `${get('/stream', 'Transfer-Encoding: chunked\r\n')}5\r\nhello\r\n0\r\nx: y\r\n\r\n`,
  'a stream as a WebSocket': get('/stream', 'Connection: Upgrade\r\nUpgrade: websocket\r\n'),
  'a stream as HTTP/2': get('/stream', 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n'),
  'a stream by its absolute URL': get('http://localhost/stream'),
  'a HEAD for a stream': get('/stream', '', 'HEAD'),
  'a run': post('/api/process', RUN),
  'the stream of a run that goes on': get('/api/runs/long/stream'),
  'the stream of a run that ended': get('/api/runs/ended/stream'),
  'the stream of a run with a body': `${get('/api/runs/long/stream', 'Content-Length: 5\r\n')}hello`,
};

const OTHERS = {
  'a request': get('/healthz'),
  'a request with many headers': get('/healthz', MANY_HEADERS),
  'a page of history': get('/api/entries'),
  'a request for nothing': get('/nothing'),
  'a bad path': get('/%'),
  'an entry': post('/api/publish', ENTRY),
  'half an entry': post('/api/publish', ENTRY).slice(0, -9),
  'an OPTIONS': get('/stream', 'Origin: http://x\r\nAccess-Control-Request-Method: GET\r\n', 'OPTIONS'),
  'a DELETE': get('/stream', '', 'DELETE'),
  'a CONNECT': get('localhost:80', '', 'CONNECT'),
  'an expectation that nobody meets': get('/healthz', 'Expect: tea\r\n'),
  'no Host': 'GET /healthz HTTP/1.1\r\n\r\n',
  'two Hosts': get('/healthz', HOST),
  'HTTP/2': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  'a WebSocket frame': '\x81\x05hello',
  'a TLS greeting': '\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03',
  'empty lines': '\r\n\r\n',
  'another stream': STREAMS['a stream'],
  'another stream of a run': STREAMS['the stream of a run that goes on'],
  'half a request': 'GET /health',
};
const ALL = { ...STREAMS, ...OTHERS };

describe.each(['the embedded log', 'Redis'])('on %s', (kind) => {
  let gateway: RunningProcess | undefined;
  let port: number;
  let witness: SseClient;
  afterAll(async () => {
    await gateway?.stop();
  });

  /** Starts another gateway where the last one died, so that fast-check can look for a smaller example. */
  async function living(): Promise<void> {
    if (gateway && isAlive(gateway.pid)) return;
    const env = {
      PORT: '0',
      LOG_LEVEL: 'info',
      RATE_LIMIT_PER_SECOND: '0',
      ...servedBy(models),
      LLM_CHUNK_TIMEOUT_MS: '600000',
      LLM_FIRST_CONTENT_TIMEOUT_MS: '600000',
      SSE_KEEPALIVE_MS: '60000',
      ...(kind === 'Redis' && { REDIS_URL: redis.url, NAMESPACE: randomNamespace() }),
    };
    gateway = startProcess(['gateway/src/main.ts'], { env });
    const url = await gateway.saw(/http:\/\/127\.0\.0\.1:\d+/);
    port = Number(new URL(url).port);
    witness = await SseClient.open(`${url}/stream?channels=witness`);
    for (const id of ['long', 'ended']) {
      const body = RUN.replace('long', id);
      const headers = { 'content-type': 'application/json', prefer: 'respond-async' };
      await fetch(`${url}/api/process`, { method: 'POST', headers, body });
    }
    await fetch(`${url}/api/runs/ended/cancel`, { method: 'POST' });
  }

  /** Rejects where the process has died, or does not serve a viewer that was there before and one that comes now. */
  async function serves(): Promise<void> {
    const msg = `${Math.random()}`;
    const body = JSON.stringify({ channel: 'witness', msg });
    const url = `http://127.0.0.1:${port}`;
    expect((await fetch(`${url}/api/publish`, { method: 'POST', body })).status).toBe(200);
    await eventually('the entry', () => witness.closed || witness.msgs.at(-1) === msg);
    expect(witness.closed).toBe(false);
    const late = await SseClient.open(`${url}/stream?channels=witness&tail=1`);
    await late.got(1);
    late.vanish();
  }

  /** By then the gateway has read what was sent before. */
  async function turn(): Promise<void> {
    for (let i = 0; i < 3; i++) await (await fetch(`http://127.0.0.1:${port}/healthz`)).arrayBuffer();
  }

  /** Sends each packet when the one before it has been answered, or will not be, and gives all that was heard. */
  async function talk(packets: readonly string[], end: (socket: Socket) => void): Promise<string> {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    let heard = '';
    socket.setEncoding('latin1').on('data', (text: string) => {
      heard += text;
    });
    const closed = new Promise<void>((resolve) => socket.on('error', () => {}).on('close', () => resolve()));
    await Promise.race([once(socket, 'connect'), closed]);
    for (const packet of packets) {
      const before = heard.length;
      if (socket.writable) socket.write(packet, 'latin1');
      const answered = eventually('an answer', () => socket.closed || heard.length > before);
      await Promise.race([answered.catch(() => {}), turn()]);
    }
    end(socket);
    await turn();
    socket.destroy();
    await closed;
    return heard;
  }

  const ENDS = {
    'stays until it was heard': () => {},
    'ends its side': (socket: Socket) => socket.end(),
    'goes without a word': (socket: Socket) => socket.destroy(),
    'resets the connection': (socket: Socket) => socket.resetAndDestroy(),
  };

  /** Nothing is answered into a stream, and whatever is refused says so in the gateway's own way. */
  function judge(heard: string): void {
    const stream = heard.indexOf('retry: ');
    if (stream >= 0) expect(heard.slice(stream)).not.toMatch(/HTTP\/1\.1 \d/);
    for (const [head, status] of heard.matchAll(/HTTP\/1\.1 (\d+) [\s\S]*?\r\n\r\n/g)) {
      if (status === '100') continue;
      expect(head.match(/x-content-type-options: nosniff/gi)).toHaveLength(1);
      if (Number(status) >= 400) expect(head).toMatch(/content-type: application\/problem\+json/i);
    }
  }

  it.each(Object.entries(STREAMS))(
    '%s, and then anything, in a packet of its own or in the same',
    async (_, first) => {
      await living();
      const heard = Object.values(OTHERS).flatMap((second) => [
        talk([first, second], ENDS['stays until it was heard']),
        talk([first + second], ENDS['stays until it was heard']),
      ]);
      for (const each of await Promise.all(heard)) judge(each);
      await serves();
    },
  );

  it('any requests, cut anywhere, pipelined, kept alive, and ended at any point', async () => {
    const packet = fc
      .array(fc.constantFrom(...(Object.keys(ALL) as (keyof typeof ALL)[])), { minLength: 1, maxLength: 4 })
      .map((names) => names.map((name) => ALL[name]).join(''));
    const packets = fc
      .tuple(fc.array(packet, { minLength: 1, maxLength: 4 }), fc.option(fc.nat(300)))
      .map(([list, cut]) => {
        const all = list.join('');
        return cut === null ? list : [all.slice(0, cut), all.slice(cut)];
      });
    const end = fc.constantFrom(...(Object.keys(ENDS) as (keyof typeof ENDS)[]));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(packets, end), { minLength: 1, maxLength: 12 }), async (clients) => {
        await living();
        for (const heard of await Promise.all(clients.map(([sent, how]) => talk(sent, ENDS[how]))))
          judge(heard);
        await serves();
      }),
      { numRuns: 40 },
    );
  });

  it('nothing of all that stays behind, and the log of the process knows of no failure', async () => {
    await living();
    await eventually('the witness alone', async () => {
      const response = await fetch(`http://127.0.0.1:${port}/sse/health`);
      return ((await response.json()) as { connections: number }).connections === 1;
    });
    expect(gateway?.output).not.toMatch(/ERROR|FATAL/);
  });
});
