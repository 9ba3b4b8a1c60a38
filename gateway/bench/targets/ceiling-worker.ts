// What the sockets alone can take: a bare server that writes ready-made bytes to every viewer that has taken the last, as
// fast as they take them. No log, no Redis, no publisher: an entry is as old as what kept this process from writing it.

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type Socket } from 'node:net';
import { WriteBudget } from '../../src/stream/wire/write-budget.ts';
import { EntryText, nowMicroseconds } from '../entry-text.ts';
import { serve } from '../worker.ts';
import { LIVE_PATH } from './target.ts';

const HEAD = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-type: text/event-stream\r\n\r\n';
const LARGEST_WRITE = 65_536;

const sockets = new Set<Socket>();
const live = new Set<Socket>();
const turns = new WriteBudget();
let burst: Buffer | undefined;
let running = false;

const server = createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => {});
  socket.on('close', () => sockets.delete(socket));
  socket.once('data', (request) => {
    socket.write(HEAD);
    if (request.includes(`GET ${LIVE_PATH} `)) {
      live.add(socket);
      socket.once('close', () => live.delete(socket));
      return;
    }
    sockets.add(socket);
    if (burst) pour(socket, burst).catch(() => {}); // it has gone
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

  /** One entry after another to those who asked for `LIVE_PATH`, each stamped with the time at which it was due. */
  trickle({ rate, bytes }: { rate: number; bytes: number }) {
    const text = new EntryText({ channel: 'live', source: 'live' }, bytes);
    const step = 1e6 / rate;
    let due = nowMicroseconds();
    let number = 0;
    const writeDue = () => {
      for (; due <= nowMicroseconds(); due += step) {
        const frame = `data: ${text.body(Date.now(), Math.floor(due), ++number)}\n\n`;
        const chunk = Buffer.from(`${frame.length.toString(16)}\r\n${frame}\r\n`);
        for (const socket of live) socket.write(chunk);
      }
      setTimeout(writeDue, Math.max(0, due - nowMicroseconds()) / 1e3);
    };
    writeDue();
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

/** In turns with the others, so that whoever is live does not wait for all of them. */
async function pour(socket: Socket, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length && !socket.destroyed; at += LARGEST_WRITE) {
    await turns.acquire(LARGEST_WRITE);
    if (!socket.write(bytes.subarray(at, at + LARGEST_WRITE))) await once(socket, 'drain');
  }
}
