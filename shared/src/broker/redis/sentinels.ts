// Asks Sentinels which server is the primary now, and hears when it is another one.

import type { Redis } from 'ioredis';
import type { Logger } from '../../logger.ts';
import { type HostAndPort, SENTINEL_PORT, type SentinelAddress } from './address.ts';
import { messageOf, whyUnanswered } from './errors.ts';
import { type Access, askingConnection, Locator, reach } from './locator.ts';

const NO_SENTINEL = `it is no Sentinel, but a Redis server; Sentinels listen on ${SENTINEL_PORT} by default`;

export class Sentinels extends Locator {
  readonly kind = 'sentinel';
  readonly #master: string;
  /** To the Sentinels, which have users of their own. */
  readonly #access: Access;
  /** The one that answered last is the first. */
  readonly #sentinels: HostAndPort[];
  /** A connection to each, made when it is first asked. */
  readonly #asked = new Map<HostAndPort, Redis>();
  /** Hears of failovers, from the Sentinel that answered last. */
  #news: Redis | undefined;

  constructor(address: SentinelAddress, logger: Logger | undefined) {
    super(address, logger);
    const { master, sentinels, sentinelTls, sentinelUsername, sentinelPassword } = address;
    this.#master = master;
    this.#sentinels = [...sentinels];
    this.#access = {
      tls: sentinelTls,
      ...(sentinelUsername !== undefined && { username: sentinelUsername }),
      ...(sentinelPassword !== undefined && { password: sentinelPassword }),
    };
  }

  protected async ask(): Promise<HostAndPort> {
    const failures: string[] = [];
    for (const sentinel of [...this.#sentinels]) {
      // Nobody would end a connection that is made from now on.
      if (this.isClosed) throw new Error('closed');
      try {
        const primary = await this.#ask(sentinel);
        this.#prefer(sentinel);
        return primary;
      } catch (error) {
        failures.push(`${sentinel.host}:${sentinel.port}: ${whyUnanswered(error, this.#access.tls)}`);
      }
    }
    throw new Error('no Sentinel says where the primary is', { cause: failures.join('; ') });
  }

  /** Sentinels agree before they name another. */
  doubt(): void {}

  override close(): void {
    super.close();
    this.#news?.disconnect();
    for (const redis of this.#asked.values()) redis.disconnect();
  }

  async #ask(sentinel: HostAndPort): Promise<HostAndPort> {
    const redis = this.#asked.get(sentinel) ?? this.#open(sentinel);
    this.#asked.set(sentinel, redis);
    const ask = () => redis.call('SENTINEL', 'get-master-addr-by-name', this.#master);
    const answer = await reach(redis, ask).catch((error) => {
      throw /^ERR unknown command/.test(messageOf(error)) ? new Error(NO_SENTINEL) : error;
    });
    if (!Array.isArray(answer)) throw new Error(`it knows no ${JSON.stringify(this.#master)}`);
    const [host, port] = answer.map(String);
    if (host === undefined || !Number.isInteger(Number(port)))
      throw new Error('it does not answer as a Sentinel does');
    return { host, port: Number(port) };
  }

  #open(sentinel: HostAndPort): Redis {
    return askingConnection(sentinel, this.#access, 'sentinel');
  }

  /** The one that has answered is asked first from now on, and brings the news. */
  #prefer(sentinel: HostAndPort): void {
    if (this.#sentinels[0] !== sentinel) {
      this.#sentinels.splice(this.#sentinels.indexOf(sentinel), 1);
      this.#sentinels.unshift(sentinel);
      this.#news?.disconnect();
      this.#news = undefined;
    }
    if (!this.isWatching || this.#news?.status === 'ready') return;
    this.#news?.disconnect();
    const news = this.#open(sentinel);
    this.#news = news;
    news.on('message', (_channel, text: string) => this.#hear(text));
    const failed = (error: unknown) => this.logger?.debug(`sentinel: ${messageOf(error)}`);
    news
      .connect()
      .then(() => news.subscribe('+switch-master'))
      .catch(failed);
  }

  /** `<name> <old host> <old port> <new host> <new port>` */
  #hear(text: string): void {
    const [master, , , host, port] = text.split(' ');
    if (master === this.#master && host !== undefined && Number.isInteger(Number(port)))
      this.learn({ host, port: Number(port) });
  }
}
