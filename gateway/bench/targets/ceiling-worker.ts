// What the sockets alone can take: a bare server that writes ready-made bytes to every viewer that has taken the last, as
// fast as they take them. No log, no Redis, no publisher.

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type Socket } from 'node:net';
import { EntryText } from '../entry-text.ts';
import { serve } from '../worker.ts';

const HEAD = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-type: text/event-stream\r\n\r\n';
const LARGEST_WRITE = 65_536;

const sockets = new Set<Socket>();
let burst: Buffer | undefined;
let running = false;

const server = createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => {});
  socket.on('close', () => sockets.delete(socket));
  socket.once('data', () => {
    sockets.add(socket);
    socket.write(HEAD);
    if (burst) pour(socket, burst);
  });
});

const methods = {
  async listen() {
    server.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 });
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  },

  /** From now on whoever comes gets this much at once: entries of `frame` bytes. */
  burst({ entries, frame }: { entries: number; frame: number }) {
    const perChunk = Math.max(1, Math.floor(LARGEST_WRITE / frame));
    const chunks: Buffer[] = [];
    for (let left = entries; left > 0; left -= perChunk)
      chunks.push(chunkOf(Math.min(left, perChunk), frame));
    burst = Buffer.concat(chunks);
  },

  /** Writes of so many entries to everybody, until `stop`. */
  async run({ entriesPerWrite, frame }: { entriesPerWrite: number; frame: number }) {
    const chunk = chunkOf(entriesPerWrite, frame);
    running = true;
    while (running) {
      for (const socket of sockets) if (socket.writableLength === 0) socket.write(chunk);
      await new Promise((resolve) => setImmediate(resolve));
    }
  },

  stop() {
    running = false;
  },
};

export type CeilingMethods = typeof methods;
serve(methods);

function chunkOf(entries: number, frame: number): Buffer {
  const bytes = Math.round(entries * frame);
  return Buffer.from(
    `${bytes.toString(16)}\r\n${frames(entries, frame).padEnd(bytes, ' ').slice(0, bytes)}\r\n`,
  );
}

/** Marks as in real entries, though all alike: whoever counts them does the same work. */
function frames(entries: number, frame: number): string {
  const text = new EntryText(
    { channel: 'ceiling', source: 'ceiling' },
    Math.max(180, Math.floor(frame) - 10),
  );
  const one = `data: ${text.body(0, 0, 1)}\n\n`;
  return one.padStart(Math.floor(frame), ':').repeat(entries);
}

function pour(socket: Socket, bytes: Buffer): void {
  let at = 0;
  const next = () => {
    while (at < bytes.length) {
      const more = socket.write(bytes.subarray(at, at + LARGEST_WRITE));
      at += LARGEST_WRITE;
      if (!more) {
        socket.once('drain', next);
        return;
      }
    }
  };
  next();
}
