// What a box that scrolls needs so that it can be reached and scrolled by keys.

export function scrolling(name: string) {
  return { tabIndex: 0, role: 'region', 'aria-label': name } as const;
}
