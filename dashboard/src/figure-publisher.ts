// Sets the figures that the panels show: immediately when the mode changes, otherwise at most ten times a second.
import type { Series } from './charts/series.ts';
import type { Viewport } from './log/viewport.ts';
import { figures } from './state/store.ts';
import type { Session } from './stream/session.ts';

const EVERY_MS = 100;

export class FigurePublisher {
  readonly #session: Session;
  readonly #viewport: Viewport;
  /** What counts entries by second; it is loaded after the first picture. */
  series: Series | undefined;
  #publishedAt = 0;
  #trailing: ReturnType<typeof setTimeout> | undefined;
  #rate = { entries: 0, errors: 0, spark: '' };

  constructor(session: Session, viewport: Viewport) {
    this.#session = session;
    this.#viewport = viewport;
  }

  everySecond(): void {
    this.series?.advance(Math.floor(Date.now() / 1000));
    this.#rate = this.series?.summary() ?? this.#rate;
    this.#publish();
  }

  onPainted(): void {
    const hasNewMode = figures.value.mode !== this.#viewport.follow.mode;
    if (hasNewMode || performance.now() - this.#publishedAt >= EVERY_MS) this.#publish();
    // Without this timer, the last change before a quiet time would never be shown.
    else this.#trailing ??= setTimeout(() => this.#publish(), EVERY_MS);
  }

  #publish(): void {
    clearTimeout(this.#trailing);
    this.#trailing = undefined;
    this.#publishedAt = performance.now();
    const { ledger, buffer, lag, isLive, gateway, narrowedTo } = this.#session;
    const { rows, follow } = this.#viewport;
    const unseen = this.#viewport.unseen();
    figures.value = {
      mode: follow.mode,
      unseen: unseen.entries,
      unseenErrors: unseen.errors,
      kept: buffer.entries,
      lines: rows.lines,
      hidden: rows.hidden,
      evicted: buffer.evicted,
      received: ledger.received,
      lost: ledger.lost,
      unknownGaps: ledger.unknown,
      checks: ledger.checks,
      checkedAt: ledger.checkedAt,
      duplicates: ledger.duplicates,
      lag,
      live: isLive,
      gateway,
      narrowedTo,
      perSecond: this.#rate.entries,
      errorsPerSecond: this.#rate.errors,
      spark: this.#rate.spark,
    };
  }
}
