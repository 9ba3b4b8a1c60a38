// The rules of one gateway at work: the file, the engine that applies it, and the notifier that delivers alerts.

import type { Broker } from '@llm-streamer/shared/broker/broker.ts';
import { WatchedFile } from '../watched-file.ts';
import { RuleEngine } from './engine.ts';
import type { RulesFigures } from './figures.ts';
import { Destination, type ReadSecret } from './notify/destination.ts';
import { Notifier } from './notify/notifier.ts';
import { acceptRules } from './read-rules.ts';
import type { RuleSet } from './rules-file.ts';
import type { RulesStore } from './store/rules-store.ts';

/** How often messages are looked for that a gateway before has left. */
const LOOK_MS = 5_000;

export type Report = (level: 'info' | 'warn', msg: string) => void;

export interface RulesServiceOptions {
  path: string;
  /** The text of the rules with which to begin. */
  lastGood: string;
  broker: Pick<Broker, 'readPage'>;
  store: RulesStore;
  holder: string;
  entryBytes: number;
  readSecret: ReadSecret;
  report: Report;
  /** Gets the text of each valid change. */
  onGood: (text: string) => void;
}

export class RulesService {
  readonly #file: WatchedFile<RuleSet>;
  readonly #engine: RuleEngine;
  readonly #notifier: Notifier;
  readonly #timer: NodeJS.Timeout;
  #destinations: ReadonlyMap<string, Destination>;

  constructor(options: RulesServiceOptions) {
    const { path, lastGood, broker, store, holder, entryBytes, readSecret, report, onGood } = options;
    this.#file = new WatchedFile({
      path,
      code: 'invalid_rules',
      lastGood,
      parse: (text) => acceptRules(text, (rules) => destinationComplaint(rules, readSecret)),
      onChange: (rules, text) => {
        onGood(text);
        this.#destinations = destinationsOf(rules, readSecret);
        report('info', `RULES_FILE: ${rules.rules.length} rules are in use now`);
      },
      onBroken: (reason) => report('warn', `RULES_FILE: ${reason}; the last good rules stay in use`),
    });
    this.#destinations = destinationsOf(this.#file.current, readSecret);
    this.#notifier = new Notifier({
      store,
      holder,
      destinations: () => this.#destinations,
      report: (msg) => report('warn', msg),
    });
    this.#engine = new RuleEngine({
      broker,
      store,
      rules: () => this.#file.current,
      holder,
      entryBytes,
      report,
      onLead: (isLeading) => {
        this.#notifier.isLeading = isLeading;
        this.#notifier.wake();
      },
      onMessages: () => this.#notifier.wake(),
    });
    this.#timer = setInterval(() => this.#notifier.wake(), LOOK_MS);
    this.#engine.start();
  }

  get figures(): RulesFigures {
    const { refused, dropped, ...counts } = this.#engine.figures;
    return {
      ...counts,
      ...this.#notifier.figures,
      dropped: dropped + refused,
      leading: this.#engine.isLeading ? 1 : 0,
      firing: this.#engine.firing,
      rules: this.#file.current.rules.length,
    };
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#file.close();
    await this.#notifier.close();
    await this.#engine.close();
  }
}

function destinationsOf({ destinations }: RuleSet, readSecret: ReadSecret): ReadonlyMap<string, Destination> {
  return new Map(
    Object.entries(destinations).map(([name, settings]) => [name, new Destination(settings, readSecret)]),
  );
}

/** What destinations lack in the environment or in files. */
export function destinationComplaint(rules: RuleSet, readSecret: ReadSecret): string | undefined {
  const lines = [...destinationsOf(rules, readSecret)].flatMap(([name, destination]) => {
    const complaint = destination.complaint();
    return complaint === undefined ? [] : [`destinations.${name}: ${complaint}`];
  });
  return lines.length === 0 ? undefined : lines.join('\n');
}
