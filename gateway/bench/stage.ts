// What a measurement needs, started anew for each: a real redis-server, the server under load, a publisher and a load client.
// Each is a process of its own, whose CPU time is measured.

import { type RedisServer, startRedis } from '../../test-support/redis.ts';
import type { Lane } from './entry-text.ts';
import type { LoadMethods } from './load/load-worker.ts';
import { cpuOf, memoryOf } from './process-figures.ts';
import type { PublishMethods } from './publish/publish-worker.ts';
import type { StartTarget, Target, ViewerRequest } from './targets/target.ts';
import { Worker } from './worker.ts';

export interface Cpu {
  target: number;
  redis: number;
  load: number;
}

export type Load = Worker<LoadMethods>;

export interface Cast {
  viewers: number;
  /** Viewers that read every entry. */
  sampled: number;
  lanes: readonly Lane[];
  /** What viewers ask for, one after another, if it is not a lane each: every list names some of the lanes. */
  wanted?: readonly Lane[];
  /** Bytes of an entry's JSON. */
  bytes: number;
  request?: ViewerRequest;
}

export function wantedOf({ wanted, lanes }: Cast): readonly Lane[] {
  return wanted ?? lanes;
}

export class Stage {
  readonly redis: RedisServer;
  readonly target: Target;
  readonly cast: Cast;
  readonly load: Load;
  readonly publisher: Worker<PublishMethods>;
  readonly #workers: { stop(): Promise<void> }[];

  private constructor(redis: RedisServer, target: Target, cast: Cast) {
    this.redis = redis;
    this.target = target;
    this.cast = cast;
    this.load = newLoad();
    this.publisher = new Worker('publish/publish-worker.ts');
    this.#workers = [this.load, this.publisher];
  }

  /** Undefined if the target is not installed. */
  static async open(start: StartTarget, cast: Cast): Promise<Stage | undefined> {
    const redis = await startRedis({ args: ['--maxclients', '15000'] });
    const target = await start(redis).catch(async (error) => {
      await redis.stop();
      throw error;
    });
    if (!target) {
      await redis.stop();
      return;
    }
    const stage = new Stage(redis, target, cast);
    try {
      await stage.#openPublisher(stage.publisher, cast.lanes);
      return stage;
    } catch (error) {
      await stage.stop();
      throw error;
    }
  }

  /** Runs a measurement, and takes the stage down even if the measurement fails. */
  static async with<T>(
    start: StartTarget,
    cast: Cast,
    measure: (stage: Stage) => Promise<T>,
  ): Promise<T | undefined> {
    const stage = await Stage.open(start, cast);
    if (!stage) return;
    try {
      return await measure(stage);
    } finally {
      await stage.stop();
    }
  }

  /** One more load client, for viewers of another kind. */
  addLoad(): Load {
    const load = newLoad();
    this.#workers.push(load);
    return load;
  }

  /** One more publisher, of entries on other lanes. */
  async addPublisher(lanes: readonly Lane[]): Promise<Worker<PublishMethods>> {
    const publisher = new Worker<PublishMethods>('publish/publish-worker.ts');
    this.#workers.push(publisher);
    await this.#openPublisher(publisher, lanes);
    return publisher;
  }

  requests(options?: ViewerRequest): string[] {
    const { credentials = 1 } = this.target;
    const wanted = Array.from({ length: credentials }, () => wantedOf(this.cast)).flat();
    return wanted.map((lane) => this.target.request(lane, options ?? this.cast.request));
  }

  cpu(): Cpu {
    return {
      target: this.target.pids.reduce((total, pid) => total + cpuOf(pid), 0),
      redis: cpuOf(this.redis.pid),
      load: cpuOf(this.load.pid),
    };
  }

  /** Memory of the server and of Redis, in bytes. */
  memory(): { target: number; redis: number } {
    return {
      target: this.target.pids.reduce((total, pid) => total + memoryOf(pid), 0),
      redis: memoryOf(this.redis.pid),
    };
  }

  #openPublisher(publisher: Worker<PublishMethods>, lanes: readonly Lane[]): Promise<void> {
    const { bytes, wanted = lanes } = this.cast;
    const [redisUrl, sequences] = [this.redis.url, wanted.length];
    return publisher.call('open', { ...this.target.publish, redisUrl, lanes, sequences, bytes });
  }

  async stop(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.stop()));
    await this.target.stop();
    await this.redis.stop();
  }
}

export function newLoad(): Load {
  return new Worker<LoadMethods>('load/load-worker.ts');
}
