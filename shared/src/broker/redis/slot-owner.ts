// Asks the nodes of a Redis Cluster which of them owns the slot of a namespace. All keys of a namespace are in one slot, so that one
// plain connection to its owner is enough, and each process knows which server process its log is on.

import type { Redis } from 'ioredis';
import type { Logger } from '../../logger.ts';
import type { ClusterAddress, HostAndPort } from './address.ts';
import { whyUnanswered } from './errors.ts';
import { type Access, askingConnection, isSame, Locator, reach } from './locator.ts';

/** So many nodes are asked in one look, and remembered. One that hangs costs a second. */
const MAX_NODES = 100;

export class SlotOwner extends Locator {
  readonly kind = 'cluster';
  readonly #seeds: readonly HostAndPort[];
  readonly #access: Access;
  /** A key of the slot. */
  readonly #key: string;
  /**
   * The order in which they are asked: the one that answered last is the first. The owner is the last, since it may be the last to
   * learn that it is the owner no more: one that hung takes itself for it when it goes on.
   */
  #nodes: HostAndPort[];
  /** The connection to the node that answered last. */
  #asked: { node: HostAndPort; redis: Redis } | undefined;

  constructor(address: ClusterAddress, key: string, logger: Logger | undefined) {
    super(address, logger);
    this.#seeds = address.seeds;
    this.#access = address;
    this.#key = key;
    this.#nodes = [...address.seeds];
  }

  protected async ask(): Promise<HostAndPort> {
    const failures: string[] = [];
    for (const node of [...this.#nodes]) {
      // Nobody would end a connection that is made from now on.
      if (this.isClosed) throw new Error('closed');
      try {
        const { owner, nodes } = await this.#ask(node);
        this.#remember(node, owner, nodes);
        return owner;
      } catch (error) {
        this.#forget(node);
        failures.push(`${node.host}:${node.port}: ${whyUnanswered(error, this.#access.tls)}`);
      }
    }
    throw new Error('no node of the Cluster says who owns the slot of the log', {
      cause: failures.join('; '),
    });
  }

  /** Another node is asked first from now on. This one may be cut off from the others. */
  doubt(): void {
    const [first] = this.#nodes;
    if (first === undefined || this.#nodes.length === 1) return;
    this.#forget(first);
    this.#nodes.push(...this.#nodes.splice(0, 1));
  }

  override close(): void {
    super.close();
    this.#asked?.redis.disconnect();
  }

  async #ask(node: HostAndPort): Promise<{ owner: HostAndPort; nodes: HostAndPort[] }> {
    if (this.#asked === undefined || !isSame(this.#asked.node, node)) {
      this.#asked?.redis.disconnect();
      this.#asked = { node, redis: askingConnection(node, this.#access, 'cluster') };
    }
    const { redis } = this.#asked;
    const slot = Number(await reach(redis, () => redis.cluster('KEYSLOT', this.#key)));
    const ranges = ((await redis.cluster('SLOTS')) as unknown[][]).map((range) => rangeOf(range, node));
    const own = ranges.find(({ first, last }) => first <= slot && slot <= last);
    const [owner] = own?.nodes ?? [];
    if (owner === undefined) throw new Error(`nobody owns slot ${slot}`);
    return { owner, nodes: ranges.flatMap(({ nodes }) => nodes) };
  }

  #remember(answered: HostAndPort, owner: HostAndPort, nodes: readonly HostAndPort[]): void {
    const byName = new Map([answered, ...nodes, ...this.#seeds].map((node) => [nameOf(node), node]));
    byName.delete(nameOf(owner));
    this.#nodes = [...[...byName.values()].slice(0, MAX_NODES), owner];
  }

  #forget(node: HostAndPort): void {
    if (this.#asked === undefined || !isSame(this.#asked.node, node)) return;
    this.#asked.redis.disconnect();
    this.#asked = undefined;
  }
}

function nameOf({ host, port }: HostAndPort): string {
  return `${host}:${port}`;
}

/** `[first slot, last slot, primary, replica …]`, each node as `[host, port, id, …]`. */
function rangeOf([first, last, ...nodes]: unknown[], asked: HostAndPort) {
  return {
    first: Number(first),
    last: Number(last),
    nodes: nodes.flatMap((node) => {
      const [host, port] = node as [string | null, number];
      // A node that does not know its own name means the one by which it was reached.
      const isNamed = host !== null && host !== '' && host !== '?';
      return Number.isInteger(port) ? [{ host: isNamed ? host : asked.host, port }] : [];
    }),
  };
}
