// A way to a Redis server that a test can slow down or cut: what one of a broker's connections sends is held back, or all end.

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

export class RedisRelay {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #held = '';
  readonly #waiting: (() => void)[] = [];
  #port: number;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.#port = port;
    server.on('connection', (client) => this.#join(client, connect(this.#port, '127.0.0.1')));
  }

  static async start(port: number): Promise<RedisRelay> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new RedisRelay(server, port);
  }

  get url(): string {
    return `redis://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Portions that are held back now. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** From now on nothing that the connection with this label sends reaches the server. */
  hold(label: 'subscriber' | 'commands' | 'history'): void {
    this.#held = `llm-streamer-${label}`;
  }

  release(): void {
    this.#held = '';
    for (const send of this.#waiting.splice(0)) send();
  }

  /** New connections lead to this server. */
  leadTo(port: number): void {
    this.#port = port;
  }

  /** Ends every connection and accepts no new one. To the server, the process that used the relay is dead. */
  cut(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #join(client: Socket, upstream: Socket): void {
    let name = '';
    client.on('data', (data) => {
      name ||= /llm-streamer-\w+/.exec(data.toString('latin1'))?.[0] ?? '';
      if (this.#held !== '' && name === this.#held) this.#waiting.push(() => upstream.write(data));
      else upstream.write(data);
    });
    upstream.pipe(client);
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      this.#sockets.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        this.#sockets.delete(one);
        other.destroy();
      });
    }
  }
}
