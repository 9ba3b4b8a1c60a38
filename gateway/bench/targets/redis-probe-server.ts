// The least that Node can do: one subscriber, one buffer for each entry, one write for each viewer; no ids, history, resume or
// limits. It is fed as the gateway is, and shows how much of a figure is due to the log. It is a program with the arguments
// `PORT REDIS_URL`.

import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import { Redis } from 'ioredis';

const [port, redisUrl] = process.argv.slice(2);

const viewers = new Map<string, Set<Socket>>();
const subscriber = new Redis(`${redisUrl}`);
subscriber.on('pmessageBuffer', (_pattern: string, channel: Buffer, message: Buffer) => {
  const watching = viewers.get(channel.toString('latin1'));
  if (!watching) return;
  const chunk = Buffer.concat([
    Buffer.from(`${(message.length + 8).toString(16)}\r\ndata: `),
    message,
    Buffer.from('\n\n\r\n'),
  ]);
  for (const socket of watching) socket.write(chunk);
});
// The plain names of the default namespace: what the log announces on names of its own would come twice.
await subscriber.psubscribe('[^{]*');

const server = createServer((request, response) => {
  const { searchParams } = new URL(request.url ?? '/', 'http://127.0.0.1');
  const channel = searchParams.get('channel') ?? 'logs';
  const { socket } = request;
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  response.flushHeaders();
  response.detachSocket(socket);
  const watching = viewers.get(channel) ?? new Set();
  viewers.set(channel, watching.add(socket));
  socket.on('error', () => socket.destroy());
  socket.on('close', () => watching.delete(socket));
});
server.listen(Number(port), '127.0.0.1', 4_096, () => console.log('ready'));
