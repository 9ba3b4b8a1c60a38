// What nodes become in the page, as text: elements with their attributes in angle brackets, and texts as JSON, so that a text that looks
// like an element is not taken for one.
import { type ComponentChildren, Fragment, isValidElement } from 'preact';
import { GrowingMarkdown, type Shown } from '../../../src/chat/markdown/growing.ts';

export function drawn(node: ComponentChildren): string {
  if (Array.isArray(node)) return joined(node.map(drawn).join(''));
  if (!isValidElement(node))
    return node === null || node === undefined || node === false ? '' : JSON.stringify(String(node));
  const {
    children,
    style,
    tabIndex,
    role,
    'aria-label': label,
    ...attributes
  } = node.props as Record<string, ComponentChildren>;
  const inside = drawn(children);
  if (node.type === Fragment) return inside;
  const all = Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ` ${name}=${value}`);
  return `<${String(node.type)}${all.join('')}>${inside}</${String(node.type)}>`;
}

/** Neighbouring texts are one text on the screen. */
function joined(text: string): string {
  return text.replace(/(?<!\\)""/g, '');
}

/** What a complete answer becomes, with what is shown as it is. */
export function answer(text: string): string {
  return all(new GrowingMarkdown().update(text));
}

export function all({ blocks, rest }: Pick<Shown, 'blocks' | 'rest'>): string {
  return drawn([...blocks, ...(rest === '' ? [] : [rest])]);
}

/** The texts in it, without its elements. */
export function textIn(shown: string): string {
  return (shown.match(/"(?:[^"\\]|\\.)*"/g) ?? []).map((text) => JSON.parse(text)).join('');
}
