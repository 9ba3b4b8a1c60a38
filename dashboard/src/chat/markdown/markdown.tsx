// A text of the model as Markdown, which is read as it grows. What is still to be read is shown as it is.
import { signal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { GrowingMarkdown } from './growing.ts';
import { Pace } from './pace.ts';

/** UTF-16 units of what is shown as it is, in one element. */
const SLICE = 1_000;
/** The frames in which something was read. */
const frames = signal(0);
const pace = new Pace(
  (then) => requestAnimationFrame(then),
  () => {
    frames.value++;
  },
);

export function Markdown({ text }: { text: string }) {
  const growing = useRef<GrowingMarkdown>(undefined);
  growing.current ??= new GrowingMarkdown();
  const { blocks, rest, isWaiting } = growing.current.update(text, pace.mayRead);
  if (isWaiting) frames.value; // what reads it is drawn again then
  return (
    <div class="markdown">
      {blocks}
      {sliced(rest).map((slice, i) => (
        <div key={`plain ${i}`} class="plain">
          {slice}
        </div>
      ))}
    </div>
  );
}

/** The browser lays out only those slices that are in view. */
function sliced(text: string): string[] {
  const slices: string[] = [];
  for (let at = 0; at < text.length; ) {
    const end = at + SLICE;
    const to =
      end < text.length ? Math.max(text.lastIndexOf('\n', end), text.lastIndexOf(' ', end)) + 1 : end;
    slices.push(text.slice(at, to > at ? to : end));
    at = to > at ? to : end;
  }
  return slices;
}
