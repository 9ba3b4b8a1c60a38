// What a command has changed, for `audit:auth`. With Redis the commands write it to the log themselves, since the gateways may not
// run; with AUTH_FILE there is no log here, and the gateway that takes the change over says whose rights have changed.

import { hostname } from 'node:os';
import { RedisBroker } from '@llm-streamer/shared/broker/redis/redis-broker.ts';
import { retentionPolicy } from '@llm-streamer/shared/config.ts';
import type { Draft } from '@llm-streamer/shared/entry.ts';
import { type AuditEvent, type AuditFields, auditDraft } from '../audit.ts';
import type { readAuthStoreConfig } from '../store/config.ts';

type StoreConfig = ReturnType<typeof readAuthStoreConfig>;

export class CliAudit {
  readonly #config: StoreConfig;
  readonly #drafts: Draft[] = [];

  constructor(config: StoreConfig) {
    this.#config = config;
  }

  record(event: AuditEvent, fields: AuditFields): void {
    const source = `cli-${hostname().slice(0, 12)}`;
    this.#drafts.push(auditDraft(source, event, { by: 'cli', ...fields }));
  }

  /** @throws CodedError if the log does not take it */
  async write(): Promise<void> {
    const { REDIS_URL: url, NAMESPACE: namespace } = this.#config;
    if (url === undefined || this.#drafts.length === 0) return;
    const broker = new RedisBroker({ url, namespace, retention: retentionPolicy(this.#config) });
    try {
      await broker.publish(this.#drafts);
    } finally {
      await broker.close();
    }
  }
}
