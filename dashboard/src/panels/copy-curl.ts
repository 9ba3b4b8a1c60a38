// Copies a line that gives the same stream in a terminal, and says which part of the filter the gateway cannot apply.
import { keyOption } from '../state/identity.ts';
import { filter, viewState } from '../state/store.ts';
import { streamQuery } from '../state/stream-query.ts';
import { copyText } from './copy.ts';

export function copyCurl(): void {
  const query = streamQuery(viewState.value, filter.value, true);
  const url = `${new URL('stream', document.baseURI)}?${query.toString().replace(/%2C/g, ',').replace(/%3A/g, ':')}`;
  const line = `curl -N${keyOption()} '${url.replace(/\*/g, '%2A').replace(/'/g, '%27')}'`;
  const missing = [...filter.value.rest, ...(viewState.value.range ? ['the time range'] : [])];
  const note = missing.length > 0 ? `, without what the gateway cannot filter: ${missing.join(' ')}` : '';
  copyText(line, 'curl line', note);
}
