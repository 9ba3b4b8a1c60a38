// What the simulated model says: plausible prose about the message, the same for the same message. It heeds its
// system prompt (a creative voice, a careful one) and combines answers when it is given some.

/** A message as words alone. */
export interface SpokenMessage {
  role: 'system' | 'user' | 'assistant';
  content: string;
}

export interface Composition {
  reasoning: string;
  text: string;
}

/** Characters of a question or of an answer that are looked at for what it is about. */
const MAX_TEXT = 4_000;

/** Picks from `choices` by a seed and a salt, so that parts of one answer vary independently. */
type Pick = <T>(salt: string, choices: readonly T[]) => T;

export function compose(messages: readonly SpokenMessage[], seed: number): Composition {
  const pick: Pick = (salt, choices) =>
    choices[hash(`${seed}/${salt}`) % choices.length] as (typeof choices)[0];
  const system = messages.find(({ role }) => role === 'system')?.content.toLowerCase() ?? '';
  const questions = messages.filter(({ role }) => role === 'user').map(({ content }) => content);
  const question = questions.at(-1) ?? '';
  const answers = answersIn(question);
  if (answers.given.length > 0) return combine(answers, pick);
  const earlier = questions.at(-2);
  const recall = earlier ? `Coming from ${topicOf(earlier)}: ` : '';
  const topic = topicOf(question);
  if (/creativ|imagin|vivid|metaphor|story/.test(system)) return creative(topic, recall, pick);
  return careful(topic, recall, pick);
}

/** FNV-1a, 32 bits. */
export function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return h >>> 0;
}

function creative(topic: string, recall: string, pick: Pick): Composition {
  const image = pick('image', [
    ['a trampoline with a heavy ball in its middle', 'every marble you roll past it bends its way'],
    ['a river that remembers where it has been', 'each drop follows the bed that earlier drops have carved'],
    ['an orchestra without a conductor', 'everybody listens to a neighbor, and a tune appears'],
    ['a lighthouse seen from a small boat', 'you never touch it, and still it decides where you steer'],
    ['a kitchen on a busy evening', 'nobody sees the whole, yet the plates come out right'],
  ] as const);
  const surprise = pick('surprise', [
    'The odd thing is how quiet it is: it works the whole day and asks for no applause.',
    'And here is the twist: the closer you look, the more ordinary its pieces are.',
    'What makes it lovely is that a child can notice it and a professor can still argue about it.',
  ]);
  return {
    reasoning: `They ask about ${topic}. A picture will carry further than a definition; I want one that moves.`,
    text:
      `${recall}Picture ${topic} as ${image[0]}: ${image[1]}. ` +
      `You do not need a formula to feel that, only a moment of watching. ${surprise} ` +
      `So the next time somebody mentions ${topic}, think of that picture and ask what happens if you ${pick('ask', ['push a little harder', 'take one piece away', 'slow it down', 'turn it upside down'])}.\n\n` +
      `That question is where the fun begins.`,
  };
}

function careful(topic: string, recall: string, pick: Pick): Composition {
  const basis = pick('basis', [
    'a few simple rules that apply everywhere in the same way',
    'a cause that can be measured and an effect that follows it',
    'parts that can each be understood on their own, and the way they are connected',
  ]);
  const caveat = pick('caveat', [
    'the simple account is an approximation, good within its limits and misleading beyond them',
    'everyday words such as "pull" or "flow" are analogies and should not be taken literally',
    'not every detail is settled, and sources disagree on the finer points',
  ]);
  return {
    reasoning: `The question is about ${topic}. First say what is certain, then how it is known, then what to be careful with.`,
    text:
      `${recall}In short, ${topic} can be understood through ${basis}.\n\n` +
      `1. What is certain: the same conditions give the same result, and this has been checked many times.\n` +
      `2. How we know: ${pick('how', ['by comparing what was predicted with what was observed', 'by changing one thing at a time and writing down what happens', 'by independent measurements that agree'])}.\n` +
      `3. What to be careful with: ${caveat}.\n\n` +
      `If you need to rely on this, check it against a primary source.`,
  };
}

interface Answers {
  given: { lane: string; text: string }[];
  missing: string[];
}

function combine({ given, missing }: Answers, pick: Pick): Composition {
  const names = listed(given.map(({ lane }) => lane));
  const weave = given.map(({ lane, text }, i) => {
    const lead = i === 0 ? 'puts it like this' : pick(`lead${i}`, ['adds', 'brings in', 'puts beside it']);
    return `${lane} ${lead}: ${sentence(text, i)}`;
  });
  const rest =
    missing.length > 0
      ? `${listed(missing)} gave no answer, so this rests on ${names} alone.`
      : given.length > 1
        ? `The accounts do not contradict each other; one gives the picture, the other its limits.`
        : '';
  return {
    reasoning: `I have answers from ${names}${missing.length > 0 ? ` and none from ${listed(missing)}` : ''}. Keep what they share and name what only one says.`,
    text: `Taken together: ${weave.join(' ')} ${rest}\n\nIn one line: ${pick('line', ['hold on to the picture, and remember where it ends', 'start from what you can see, then check it', 'the idea is simple, its consequences are not'])}.`,
  };
}

function listed(names: readonly string[]): string {
  return names.length < 3 ? names.join(' and ') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}

function sentence(text: string, skip: number): string {
  const sentences = text
    .slice(0, MAX_TEXT)
    .replace(/\s+/g, ' ')
    .replace(/\b\d\. /g, '')
    .match(/[^.!?]+[.!?]/g) ?? [text];
  return (sentences[Math.min(skip, sentences.length - 1)] as string).trim().slice(0, 300);
}

/** The first line of what a combiner is asked (runs/combiner-question.ts), and the mark of its headings. */
const FRAME = /^Headings are the lines that begin with \[(\w+)\]/;

function answersIn(message: string): Answers {
  const answers: Answers = { given: [], missing: [] };
  const mark = FRAME.exec(message)?.[1];
  if (mark === undefined) return answers;
  for (const section of message.split(`\n[${mark}] `)) {
    const [heading = '', ...lines] = section.split('\n');
    const [, no, lane] = /^(No a|A)nswer from ([^\s,]+)/.exec(heading) ?? [];
    if (lane === undefined) continue;
    if (no === 'A') answers.given.push({ lane, text: lines.join('\n').trim() });
    else answers.missing.push(lane);
  }
  return answers;
}

/** A number made from what is asked: equal questions give equal numbers. The mark of a run differs in each run, and does not count. */
export function seedOf(model: string, messages: readonly SpokenMessage[]): number {
  const mark = FRAME.exec(messages.at(-1)?.content ?? '')?.[1];
  const text = JSON.stringify([model, messages]);
  return hash(mark === undefined ? text : text.replaceAll(mark, ''));
}

const LEAD =
  /^(please\s+)?((can|could) you\s+)?(explain|describe|tell me about|what (is|are|was|were)|how (do|does|did|can)|why (is|are|do|does)|write (about|a \w+ about)|compare|summari[sz]e|define)\s+(to me\s+)?/i;

/** What a question is about, as words that fit into a sentence. */
function topicOf(question: string): string {
  const line = question.slice(0, MAX_TEXT).replace(/\s+/g, ' ').trim();
  const bare = line
    .replace(LEAD, '')
    .replace(/\s+(like|as if)\s+(I\s?am|I'm|I were|to)\b.*$/i, '')
    .replace(/\s+to (a|an|my|the|me)\b.*$/i, '')
    .replace(/[?.!…]+.*$/, '')
    .trim();
  const words = (bare || line || 'nothing in particular').slice(0, 80);
  return /^(the|a|an)\s/i.test(words) ? words.charAt(0).toLowerCase() + words.slice(1) : words;
}
