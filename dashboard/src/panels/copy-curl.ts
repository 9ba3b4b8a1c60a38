// Copies a line that gives the same stream in a terminal, and says what of the filter the gateway cannot do.
import type { App } from '../app.ts';
import { viewState } from '../state/store.ts';

export function copyCurl(app: App): void {
  const query = app.streamQuery(viewState.value, true);
  const url = `${new URL('stream', document.baseURI)}?${query.toString().replace(/%2C/g, ',').replace(/%3A/g, ':')}`;
  const line = `curl -N '${url.replace(/\*/g, '%2A').replace(/'/g, '%27')}'`;
  const missing = [...app.filter.rest, ...(viewState.value.range ? ['the time range'] : [])];
  const note = missing.length > 0 ? `, without what the gateway cannot filter: ${missing.join(' ')}` : '';
  app.copy(line, 'curl line', note);
}
