// How many characters of a message fit into a line, and whether the other cells stand beside it or in a line above it.

const PROBE_CHARS = 100;
/** What counts while the page has no layout or style sheet yet: px of a character, and characters before the message. */
const CHAR_WIDTH = 7.8;
const PREFIX = 44;
const PADDING = 16;
const MIN_COLUMNS = 10;

/** Measures one character, which is enough because the font is monospaced. */
export function measureOf(scroller: HTMLElement): { columns: number; headLines: number } {
  const probe = document.createElement('span');
  probe.className = 'probe';
  probe.textContent = '0'.repeat(PROBE_CHARS);
  scroller.append(probe);
  const charWidth = probe.getBoundingClientRect().width / PROBE_CHARS || CHAR_WIDTH;
  probe.remove();
  const style = getComputedStyle(scroller);
  const prefix = Number.parseFloat(style.getPropertyValue('--prefix')) || PREFIX;
  const columns = Math.floor((scroller.clientWidth - PADDING) / charWidth - prefix);
  return {
    columns: Math.max(MIN_COLUMNS, columns),
    headLines: Number(style.getPropertyValue('--head-lines')),
  };
}
