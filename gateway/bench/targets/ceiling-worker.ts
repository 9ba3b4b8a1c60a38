// How much the sockets alone can take: a bare server that writes ready-made bytes to all viewers as fast as they read. There is no
// log, no Redis and no publisher, so that an entry is only as late as this process is in writing it.

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
const writeBudget = new WriteBudget();
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
    if (burst) pour(socket, burst).catch(() => {}); // the viewer is gone
  });
});

const methods = {
  async listen() {
    server.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 });
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  },

  /** From now on every viewer that connects gets this many entries of `frame` bytes at once. */
  burst({ entries, frame }: { entries: number; frame: number }) {
    const perChunk = Math.max(1, Math.floor(LARGEST_WRITE / frame));
    const chunks: Buffer[] = [];
    for (let left = entries; left > 0; left -= perChunk)
      chunks.push(chunkOf(Math.min(left, perChunk), frame));
    burst = Buffer.concat(chunks);
  },

  /** Writes `entriesPerWrite` entries at a time to all viewers, until `stop`. */
  async run({ entriesPerWrite, frame }: { entriesPerWrite: number; frame: number }) {
    const chunk = chunkOf(entriesPerWrite, frame);
    running = true;
    while (running) {
      for (const socket of sockets) if (socket.writableLength === 0) socket.write(chunk);
      await new Promise((resolve) => setImmediate(resolve));
    }
  },

  /** Writes one entry after another to viewers of `LIVE_PATH`, each stamped with the time at which it was due. */
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

/** Frames with the marks of real entries, all with the same number, so that viewers do the same work to count them. */
function frames(entries: number, frame: number): string {
  const text = new EntryText(
    { channel: 'ceiling', source: 'ceiling' },
    Math.max(180, Math.floor(frame) - 10),
  );
  const one = `data: ${text.body(0, 0, 1)}\n\n`;
  return one.padStart(Math.floor(frame), ':').repeat(entries);
}

/** Writes within the budget that all share, so that live viewers do not wait for all the others. */
async function pour(socket: Socket, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length && !socket.destroyed; at += LARGEST_WRITE) {
    await writeBudget.acquire(LARGEST_WRITE);
    if (!socket.write(bytes.subarray(at, at + LARGEST_WRITE))) await once(socket, 'drain');
  }
}
