// A screen on the wall: the view without the bars, in full screen where the browser lets it, kept awake. It stays true for days, with nobody
// there: it follows again when it was held by a passing hand, and loads the page anew when the gateway has a newer one; not in the full screen
// that a key or a click has made, since the browser would end it.
import { effect } from '@preact/signals';
import { h, render } from 'preact';
import type { Viewport } from '../log/viewport.ts';
import { alerts } from '../state/alerts.ts';
import { opened, updateView, viewState } from '../state/store.ts';
import '../../styles/screen.css';
import { Band } from './band.tsx';
import { NewerPage } from './newer-page.ts';

const TICK_MS = 1_000;
/** After so long without a hand, a log that is held follows again. */
const ALONE_MS = 60_000;
const HANDS = ['pointermove', 'pointerdown', 'wheel', 'keydown', 'touchmove'] as const;

export class SecondScreen {
  readonly #viewport: Pick<Viewport, 'follow' | 'latest'>;
  #touchedAt = Date.now();
  #lock: WakeLockSentinel | undefined;

  /** What has to be seen is shown in `host`. */
  constructor(viewport: Pick<Viewport, 'follow' | 'latest'>, host: HTMLElement) {
    this.#viewport = viewport;
    new NewerPage(() => viewState.value.screen && !document.fullscreenElement);
    effect(() => {
      const isOn = viewState.value.screen;
      render(isOn ? h(Band, {}) : null, host);
      this.#toggle(isOn).catch(reportError);
    });
    effect(() => {
      const isAlarmed = viewState.value.screen && alerts.value.length > 0;
      document.documentElement.toggleAttribute('data-alarm', isAlarmed);
    });
    document.addEventListener('fullscreenchange', () => this.#onFullscreen());
    // The lock ends when the page is hidden.
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible') this.#stayAwake().catch(reportError);
    });
    for (const hand of HANDS) addEventListener(hand, () => this.#onHand(), { passive: true, capture: true });
    setInterval(() => this.#tick(), TICK_MS);
  }

  async #toggle(isOn: boolean): Promise<void> {
    // Without a key or a click, as when a link is opened, browsers refuse: the bars are gone all the same.
    if (isOn && navigator.userActivation?.isActive)
      await document.documentElement.requestFullscreen?.().catch(() => undefined);
    if (!isOn && document.fullscreenElement) await document.exitFullscreen().catch(() => undefined);
    await this.#stayAwake();
  }

  /** Keeps the display on while this is a second screen, where the browser can: it needs HTTPS, or this machine. */
  async #stayAwake(): Promise<void> {
    const { screen } = viewState.value;
    if (!screen) {
      await this.#lock?.release();
      this.#lock = undefined;
    } else if (!this.#lock || this.#lock.released) {
      this.#lock = await navigator.wakeLock?.request('screen').catch(() => undefined);
    }
  }

  /** Esc ends full screen without the page being asked. */
  #onFullscreen(): void {
    if (document.fullscreenElement) return;
    if (viewState.value.screen) updateView({ screen: false }, 'replace');
  }

  #onHand(): void {
    this.#touchedAt = Date.now();
    document.documentElement.removeAttribute('data-alone');
  }

  #tick(): void {
    if (!viewState.value.screen || Date.now() - this.#touchedAt < ALONE_MS) return;
    document.documentElement.setAttribute('data-alone', '');
    if (this.#viewport.follow.mode === 'held' && !opened.value) this.#viewport.latest();
  }
}
