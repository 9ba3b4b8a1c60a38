// A text that a browser keeps for the gateways: only they can read or change it, and only for a while. All gateways behind one address
// make the same key of the same secret, so that any of them can open what another has sealed, and none has to remember it.

import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';

const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** Browsers drop a cookie of more than 4,096 bytes, its name included. */
const MAX_CHARACTERS = 4_000;

export class SealedText {
  readonly #key: Buffer;
  readonly #now: () => number;

  /** @param purpose makes another key of the same secret, so that what is sealed for one purpose opens for no other. */
  constructor(secret: string, purpose: string, now: () => number = Date.now) {
    this.#key = Buffer.from(hkdfSync('sha256', secret, '', purpose, 32));
    this.#now = now;
  }

  /** @param expires epoch ms. */
  seal(text: string, expires: number): string {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(CIPHER, this.#key, nonce);
    const sealed = Buffer.concat([cipher.update(JSON.stringify([expires, text])), cipher.final()]);
    return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString('base64url');
  }

  /** Undefined if it was not sealed here, or changed, or if its time is over. */
  open(sealed: string): string | undefined {
    if (sealed.length > MAX_CHARACTERS) return undefined;
    const bytes = Buffer.from(sealed, 'base64url');
    if (bytes.length <= NONCE_BYTES + TAG_BYTES) return undefined;
    const decipher = createDecipheriv(CIPHER, this.#key, bytes.subarray(0, NONCE_BYTES), {
      authTagLength: TAG_BYTES,
    });
    decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
    try {
      const text = decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES), undefined, 'utf8');
      const [expires, content] = JSON.parse(text + decipher.final('utf8')) as [number, string];
      return this.#now() < expires ? content : undefined;
    } catch {
      return undefined;
    }
  }
}
