// Fills Serilog's message templates (`Order {Id} failed`), which its compact JSON writes instead of a message.

import { deeperThan, MAX_DEPTH } from './depth.ts';

/** A longer template is shown as it is. */
const MAX_CHARS = 8_192;
/** `{Name}`, `{@Name}` or `{Name,8:0.00}`. The character after the name decides, so that the matcher never goes back. */
const PLACEHOLDER = /\{[@$]?(\w{1,100})(?:[,:][^{}]{0,100})?\}/g;

/** The object's template, filled with its properties; `undefined` if there is none. The object stays as it is. */
export function fillTemplate(object: Record<string, unknown>): string | undefined {
  for (const key of ['@mt', 'MessageTemplate']) {
    const template = object[key];
    if (typeof template !== 'string' || template.trim() === '') continue;
    if (template.length > MAX_CHARS) return template;
    const { Properties } = object;
    const values =
      typeof Properties === 'object' && Properties !== null ? { ...object, ...Properties } : object;
    return template.replace(PLACEHOLDER, (placeholder, name: string) => {
      const value = Object.hasOwn(values, name) ? (values as Record<string, unknown>)[name] : undefined;
      if (value === undefined || deeperThan(MAX_DEPTH, value)) return placeholder;
      return typeof value === 'string' ? value : JSON.stringify(value).slice(0, MAX_CHARS);
    });
  }
  return undefined;
}
