// The thread that applies the rules, so that no expression and no flood of matches ever delays a viewer. With Redis it has connections
// of its own; the log in memory it borrows from its process.

import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { isClusterUrl } from '@llm-streamer/shared/broker/redis/address.ts';
import { RedisClient } from '@llm-streamer/shared/broker/redis/client.ts';
import { RedisHistory } from '@llm-streamer/shared/broker/redis/history.ts';
import { RedisKeys } from '@llm-streamer/shared/broker/redis/keys.ts';
import type { RetentionPolicy } from '@llm-streamer/shared/broker/retention.ts';
import { onUncaught } from '@llm-streamer/shared/uncaught.ts';
import { readSecret } from '../../config.ts';
import type { RulesFigures } from '../figures.ts';
import { type Report, RulesService } from '../rules-service.ts';
import { RedisRulesStore } from '../store/redis-rules-store.ts';
import { borrowedLog } from './remote-log.ts';

const FIGURES_MS = 1_000;
const CLOSE_MS = 2_000;

export interface ThreadData {
  path: string;
  /** The text of the newest rules that were valid. */
  lastGood: string;
  holder: string;
  entryBytes: number;
  log:
    | { kind: 'redis'; url: string; namespace: string; echoes: boolean; retention: RetentionPolicy }
    | { kind: 'borrowed'; port: MessagePort };
}

export type FromThread =
  | { kind: 'report'; level: Parameters<Report>[0]; msg: string }
  | { kind: 'good'; text: string }
  | { kind: 'figures'; figures: RulesFigures };

const { path, lastGood, holder, entryBytes, log } = workerData as ThreadData;
const tell = (message: FromThread) => parentPort?.postMessage(message);
const report: Report = (level, msg) => tell({ kind: 'report', level, msg });

const { broker, store } = log.kind === 'borrowed' ? borrowedLog(log.port) : ownLog(log);
const service = new RulesService({
  path,
  lastGood,
  broker,
  store,
  holder,
  entryBytes,
  readSecret,
  report,
  onGood: (text) => tell({ kind: 'good', text }),
});
const timer = setInterval(() => tell({ kind: 'figures', figures: service.figures }), FIGURES_MS);

const close = async () => {
  clearInterval(timer);
  await service.close();
  await store.close();
  parentPort?.close();
};
onUncaught(
  (line) => report('warn', `rules: ${line}`),
  () => close().catch(() => process.exit()),
  CLOSE_MS,
);
// The one message that comes is that the gateway closes.
parentPort?.once('message', () => close().catch((error) => report('warn', `rules: ${error}`)));

function ownLog({ url, namespace, echoes, retention }: Extract<ThreadData['log'], { kind: 'redis' }>) {
  const keys = new RedisKeys(namespace, echoes, isClusterUrl(url));
  const reads = new RedisClient({ url, namespace }, 'rules', undefined);
  const history = new RedisHistory(reads, keys);
  const rulesStore = new RedisRulesStore(reads, keys, retention);
  return {
    broker: {
      readPage: async (query: Parameters<RedisHistory['readPage']>[0]) => {
        try {
          return await history.readPage(query);
        } catch (error) {
          throw reads.unavailable(error);
        }
      },
    },
    store: rulesStore,
  };
}
