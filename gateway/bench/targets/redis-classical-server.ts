// The classical design, as most gateways are first written: a Redis subscriber for each viewer, and a write for each viewer and
// entry. It is a program with the arguments `PORT REDIS_URL`.

import { createServer } from 'node:http';
import { Redis } from 'ioredis';

const [port, redisUrl] = process.argv.slice(2);

const server = createServer((request, response) => {
  const { searchParams } = new URL(request.url ?? '/', 'http://127.0.0.1');
  const subscriber = new Redis(`${redisUrl}`);
  response.on('close', () => subscriber.disconnect());
  subscriber.on('error', () => response.destroy());
  subscriber.on('message', (_channel, message) => {
    response.write(`data: ${message}\n\n`);
  });
  subscriber
    .subscribe(searchParams.get('channel') ?? 'logs')
    .then(() => {
      response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
      response.flushHeaders();
    })
    .catch(() => response.destroy());
});
server.keepAliveTimeout = 0;
server.listen(Number(port), '127.0.0.1', 4_096, () => console.log('ready'));
