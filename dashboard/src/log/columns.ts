// How many characters of a message fit beside the other cells of a row.

const PROBE_CHARS = 100;
/** Of the style sheet, where it says nothing: px of a character, characters before the message. */
const CHAR_WIDTH = 7.8;
const PREFIX = 44;
const PADDING = 16;
const LEAST = 10;

/** Of a monospace font, so that one width serves for all characters. */
export function columnsOf(scroller: HTMLElement): number {
  const probe = document.createElement('span');
  probe.className = 'probe';
  probe.textContent = '0'.repeat(PROBE_CHARS);
  scroller.append(probe);
  const charWidth = probe.getBoundingClientRect().width / PROBE_CHARS || CHAR_WIDTH;
  probe.remove();
  const prefix = Number.parseFloat(getComputedStyle(scroller).getPropertyValue('--prefix')) || PREFIX;
  return Math.max(LEAST, Math.floor((scroller.clientWidth - PADDING) / charWidth - prefix));
}
