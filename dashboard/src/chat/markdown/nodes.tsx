// Tokens of Markdown as nodes of the page. A text of a token is a text of the page, never HTML, and nothing is loaded: of an image
// there is a link.
import type { Token, Tokens } from 'marked';
import type { ComponentChild, ComponentChildren } from 'preact';
import { scrolling } from '../scrolling.ts';
import { targetOf } from './link.ts';

/** What is nested deeper is shown as it was written. */
const MAX_DEPTH = 48;
const ENTITY = /&(?:#(\d{1,7})|#x([\da-f]{1,6})|(amp|lt|gt|quot|apos|nbsp));/gi;
const NAMED: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: '\u00a0' };

/** A block of an answer, such as a paragraph or a list. */
export function blockNode(token: Token): ComponentChild {
  return nodeOf(token, 0);
}

function nodesOf(tokens: readonly Token[] | undefined, depth: number): ComponentChildren {
  return tokens?.map((token) => nodeOf(token, depth + 1));
}

function nodeOf(token: Token, depth: number): ComponentChild {
  if (depth > MAX_DEPTH) return token.raw;
  const { type } = token;
  const children = () => ('tokens' in token && token.tokens ? nodesOf(token.tokens, depth) : textOf(token));
  switch (type) {
    case 'space':
      return null;
    case 'heading': {
      // The page has headings of its own: those of an answer begin below them.
      const Heading = `h${Math.min(6, Number((token as Tokens.Heading).depth) + 2)}` as 'h3';
      return <Heading>{children()}</Heading>;
    }
    case 'paragraph':
      return <p>{children()}</p>;
    case 'blockquote':
      return <blockquote>{children()}</blockquote>;
    case 'hr':
      return <hr />;
    case 'br':
      return <br />;
    case 'strong':
      return <strong>{children()}</strong>;
    case 'em':
      return <em>{children()}</em>;
    case 'del':
      return <del>{children()}</del>;
    case 'codespan':
      return <code>{(token as Tokens.Codespan).text}</code>;
    case 'code':
      return codeNode(token as Tokens.Code);
    case 'list':
      return listNode(token as Tokens.List, depth);
    case 'checkbox':
      return (token as Tokens.Checkbox).checked ? '☑ ' : '☐ ';
    case 'table':
      return tableNode(token as Tokens.Table, depth);
    case 'link':
      return linkNode(token as Tokens.Link, depth);
    case 'image':
      return imageNode(token as Tokens.Image);
    case 'escape':
      return (token as Tokens.Escape).text;
    case 'text':
      return children() as ComponentChild;
    case 'html':
      return (token as Tokens.HTML).block ? <p class="raw">{token.raw.trim()}</p> : token.raw;
    default:
      return token.raw;
  }
}

function codeNode({ text, lang }: Tokens.Code): ComponentChild {
  return (
    <pre {...scrolling(lang ? `code, ${lang}` : 'code')}>
      <code>{text}</code>
    </pre>
  );
}

function listNode({ ordered, start, items }: Tokens.List, depth: number): ComponentChild {
  const all = items.map((item, i) => <li key={i}>{nodesOf(item.tokens, depth + 1)}</li>);
  return ordered ? <ol start={Number(start) || 1}>{all}</ol> : <ul>{all}</ul>;
}

function tableNode({ header, rows }: Tokens.Table, depth: number): ComponentChild {
  const inside = ({ tokens }: Tokens.TableCell) => nodesOf(tokens, depth + 1);
  const side = ({ align }: Tokens.TableCell) => ({ textAlign: align ?? 'start' });
  return (
    <div class="table" {...scrolling('table')}>
      <table>
        <thead>
          <tr>
            {header.map((cell, i) => (
              <th key={i} style={side(cell)}>
                {inside(cell)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, i) => (
            <tr key={i}>
              {row.map((cell, column) => (
                <td key={column} style={side(cell)}>
                  {inside(cell)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function linkNode({ href, text, tokens }: Tokens.Link, depth: number): ComponentChild {
  const target = targetOf(href, text);
  if (!target) return <>{nodesOf(tokens, depth)}</>;
  // An image is a link itself, and no link stands in another.
  const inside = tokens.some(({ type }) => type === 'image') ? decoded(text) : nodesOf(tokens, depth);
  return (
    <>
      <a href={target.href} target="_blank" rel="noopener noreferrer">
        {inside}
      </a>
      {!target.isSaid && <span class="dim"> ({target.host})</span>}
    </>
  );
}

function imageNode({ href, text }: Tokens.Image): ComponentChild {
  const target = targetOf(href, '');
  const name = `image${text === '' ? '' : `: ${decoded(text)}`}`;
  if (!target) return `[${name}]`;
  return (
    <a href={target.href} target="_blank" rel="noopener noreferrer">
      [{name} ({target.host})]
    </a>
  );
}

function textOf(token: Token): string {
  return 'text' in token && typeof token.text === 'string' ? decoded(token.text) : token.raw;
}

function decoded(text: string): string {
  return text.replace(ENTITY, (whole, decimal?: string, hex?: string, name?: string) => {
    if (name !== undefined) return NAMED[name.toLowerCase()] ?? whole;
    const code = decimal === undefined ? Number.parseInt(hex ?? '', 16) : Number(decimal);
    const isText = code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
    return isText ? String.fromCodePoint(code) : '\ufffd';
  });
}
