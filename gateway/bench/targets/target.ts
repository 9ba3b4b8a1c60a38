// A server under load, of any design: how viewers ask it, how entries reach it, and which processes do its work.

import type { RedisServer } from '../../../test-support/redis.ts';
import type { Lane } from '../entry-text.ts';
import type { OpenPublisher } from '../publish/publish-worker.ts';

export interface Target {
  port: number;
  /** Its own processes, without Redis. */
  pids: readonly number[];
  /** It answers without HTTP. */
  bare?: boolean;
  /** How many different viewers it knows; one if it asks nobody who he is. */
  credentials?: number;
  /** A viewer's whole request for a lane. Each call is for the next of the different viewers. */
  request(lane: Lane, options?: ViewerRequest): string;
  publish: Pick<OpenPublisher, 'form' | 'port' | 'connections' | 'maxUnderWay' | 'batch'>;
  stop(): Promise<void>;
}

export interface ViewerRequest {
  gzip?: boolean;
  /** Only the lane's own writer, so that each lane of a channel is a view of its own. */
  bySource?: boolean;
  lastEventId?: string;
}

/** Undefined if it is not installed on this machine. */
export type StartTarget = (redis: RedisServer) => Promise<Target | undefined>;

export function httpGet(path: string, headers: readonly string[] = []): string {
  const lines = ['host: 127.0.0.1', 'accept: text/event-stream', ...headers];
  return `GET ${path} HTTP/1.1\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`;
}

/** What viewers of the bare sockets ask for if they are live before the others come. */
export const LIVE_PATH = '/live';

/** Through the product's log, with ids and history. */
export const logPublish: Target['publish'] = { form: 'log', port: 0, connections: 1, maxUnderWay: 0 };

/** By bare commands to Redis. */
export function barePublish(redis: RedisServer): Target['publish'] {
  return { form: 'publish', port: redis.port, connections: 1, maxUnderWay: 5_000 };
}
