// A tab that is hidden while another is in front. Pages that the driver opens always count as visible, so this tab is
// opened and controlled without it.
import type { Browser, CDPSession } from 'playwright-core';
import { onTestFinished } from 'vitest';

export class Tab {
  readonly #browser: CDPSession;
  readonly #target: string;
  readonly #session: string;
  #calls = 0;

  private constructor(browser: CDPSession, target: string, session: string) {
    this.#browser = browser;
    this.#target = target;
    this.#session = session;
  }

  /** Opens a tab in front of the others; it is closed at the end of the test. */
  static async open(browser: Browser, url: string): Promise<Tab> {
    const session = await browser.newBrowserCDPSession();
    const { targetId } = await session.send('Target.createTarget', { url });
    const { sessionId } = await session.send('Target.attachToTarget', { targetId, flatten: false });
    onTestFinished(async () => {
      await session.send('Target.closeTarget', { targetId });
      await session.detach();
    });
    return new Tab(session, targetId, sessionId);
  }

  async toFront(): Promise<void> {
    await this.#browser.send('Target.activateTarget', { targetId: this.#target });
  }

  /** The value of a JavaScript expression in the tab. */
  async read<T>(expression: string): Promise<T> {
    const id = ++this.#calls;
    const answer = new Promise<T>((resolve) => {
      const hear = ({ sessionId, message }: { sessionId: string; message: string }) => {
        const said = JSON.parse(message) as { id?: number; result?: { result?: { value: T } } };
        if (sessionId !== this.#session || said.id !== id) return;
        this.#browser.off('Target.receivedMessageFromTarget', hear);
        resolve(said.result?.result?.value as T);
      };
      this.#browser.on('Target.receivedMessageFromTarget', hear);
    });
    const call = { id, method: 'Runtime.evaluate', params: { expression, returnByValue: true } };
    await this.#browser.send('Target.sendMessageToTarget', {
      sessionId: this.#session,
      message: JSON.stringify(call),
    });
    return answer;
  }
}
