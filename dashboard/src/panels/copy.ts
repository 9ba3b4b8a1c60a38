// Copies text to the clipboard and says what was copied.
import { showNotice } from '../state/store.ts';

export function copyText(text: string, what: string, note = ''): void {
  const copied = async () => {
    await navigator.clipboard.writeText(text);
    showNotice(`${what} copied${note}`);
  };
  // Without a secure context there is no clipboard: the text is shown for copying by hand.
  copied().catch(() => prompt(`Copy ${what}${note}:`, text));
}
