// A cable between the page and a gateway that a test can pull: the browser's own "offline" leaves connections open that it has.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

export interface Cable {
  url: string;
  /** Ends all connections, as a network that goes away. */
  pull(): void;
}

/** Laid to `url` until the end of the test. */
export async function cableTo(url: string): Promise<Cable> {
  const { port, hostname } = new URL(url);
  const ends = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(Number(port), hostname);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      ends.add(from);
      from.pipe(to);
      from.on('error', () => to.destroy());
      from.once('close', () => {
        ends.delete(from);
        to.destroy();
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const pull = () => {
    for (const end of ends) end.destroy();
  };
  onTestFinished(async () => {
    pull();
    server.close();
    await once(server, 'close');
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, pull };
}
