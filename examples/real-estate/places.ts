// Names of places as people write them: "Oregon" is OR, and case does not matter.

const STATES = new Map([
  ['oregon', 'or'],
  ['washington', 'wa'],
]);

export function sameCity(a: string, b: string): boolean {
  return plain(a) === plain(b);
}

export function sameState(a: string, b: string): boolean {
  return stateOf(a) === stateOf(b);
}

/** Whether somebody who writes "portland", or "Portland, Oregon", means "Portland, OR". */
export function namesArea(text: string, area: string): boolean {
  const [city = '', state] = text.split(',');
  const [areaCity = '', areaState = ''] = area.split(',');
  return sameCity(city, areaCity) && (state === undefined || sameState(state, areaState));
}

function stateOf(text: string): string {
  const name = plain(text);
  return STATES.get(name) ?? name;
}

function plain(text: string): string {
  return text.trim().toLowerCase();
}
