// What the tab says while the page is not looked at: its title has the alerts that fire and the errors that have come since it was hidden,
// and its icon is red for them.
import { effect, type Signal } from '@preact/signals';
import { plural } from '../pictures/words.ts';
import { alerts } from '../state/alerts.ts';

const TITLE = document.title;
const GOOD = '%233fb950';
const BAD = '%23ff5147';

export function showInTitle(errorsWhileHidden: Signal<number>): void {
  const icon = document.querySelector<HTMLLinkElement>('link[rel="icon"]');
  const calm = icon?.href ?? '';
  effect(() => {
    const errors = errorsWhileHidden.value;
    const firing = alerts.value.length;
    const words = [
      ...(firing > 0 ? [`▲ ${firing}`] : []),
      ...(errors > 0 ? [plural(errors, 'error')] : []),
      TITLE,
    ];
    document.title = words.join(' · ');
    const href = words.length > 1 ? calm.replace(GOOD, BAD) : calm;
    if (icon && icon.href !== href) icon.href = href;
  });
}
