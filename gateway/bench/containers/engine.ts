// A container engine as the collector sees it: containers whose logs are there already, in Docker's frames, served over a Unix socket as
// fast as they are read.

import { once } from 'node:events';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { Readable } from 'node:stream';

/** About as many bytes as an engine sends at a time. */
const FRAMES_PER_CHUNK = 256;

export interface BenchEngine extends AsyncDisposable {
  readonly path: string;
}

/** @param lines of each container */
export async function startEngine(
  folder: string,
  { containers, lines, bytes }: { containers: number; lines: number; bytes: number },
): Promise<BenchEngine> {
  const path = join(folder, 'engine.sock');
  const ids = Array.from({ length: containers }, (_, i) => i.toString(16).padStart(64, 'c'));
  const begun = Math.floor(Date.now() / 1_000);
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '', 'http://engine');
    const [, id = '', what] = /^\/containers\/(\w+)\/(json|logs)$/.exec(pathname) ?? [];
    if (pathname === '/events') return response.writeHead(200).flushHeaders();
    if (what === 'logs') {
      // Like that of a container that goes on to run, the log does not end.
      const log = Readable.from(chunks(lines, bytes, begun));
      return void log.on('end', () => log.unpipe(response)).pipe(response, { end: false });
    }
    response.setHeader('api-version', '1.41').end(JSON.stringify(answerTo(pathname, id, ids)));
  });
  server.listen(path);
  await once(server, 'listening');
  return {
    path,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function answerTo(pathname: string, id: string, ids: readonly string[]): unknown {
  if (pathname === '/containers/json') return ids.map((Id) => ({ Id, State: 'running' }));
  if (id === '') return {};
  return {
    Id: id,
    Name: `/bench-${ids.indexOf(id)}`,
    State: { Running: true, StartedAt: 'now' },
    Config: { Tty: false, Image: 'bench:1', Labels: {} },
  };
}

/** Each line has a microsecond of its own. */
function* chunks(lines: number, bytes: number, begun: number): Generator<Buffer> {
  const seconds = new Date(begun * 1_000).toISOString().slice(0, 19);
  for (let at = 0; at < lines; at += FRAMES_PER_CHUNK) {
    const frames: Buffer[] = [];
    for (let i = at; i < Math.min(lines, at + FRAMES_PER_CHUNK); i++) {
      const text = `INFO request ${i} answered in 12 ms `.padEnd(bytes - 1, 'x');
      const body = Buffer.from(`${seconds}.${String(i).padStart(6, '0')}000Z ${text}\n`);
      const header = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]);
      header.writeUInt32BE(body.length, 4);
      frames.push(header, body);
    }
    yield Buffer.concat(frames);
  }
}
