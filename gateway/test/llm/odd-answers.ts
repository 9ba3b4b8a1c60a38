// Unusual answers of real services, as bytes, and the result that each must have. A new case is a new element of the list.

export interface OddAnswer {
  name: string;
  /** `text/event-stream` by default. */
  type?: string;
  status?: number;
  body: string;
  text?: string;
  reasoning?: string;
  /** The reason of the `finish` event, `stop` by default; absent if the call fails. */
  reason?: string;
  /** The code with which the call fails. */
  code?: string;
}

const event = (data: unknown) => `data: ${JSON.stringify(data)}\n\n`;
const delta = (fields: object, finish_reason: string | null = null, index = 0) =>
  event({ id: 'x', choices: [{ index, delta: fields, finish_reason }] });
const says = (...pieces: string[]) => pieces.map((content) => delta({ content })).join('');
const thinks = (reasoning_content: string) => delta({ reasoning_content });
const end = (reason = 'stop') => delta({}, reason);
const DONE = 'data: [DONE]\n\n';
const said = (...pieces: string[]) => says(...pieces) + end() + DONE;
const call = (fields: object) => delta({ tool_calls: [{ index: 0, ...fields }] });
const whole = (message: object, more: object = { finish_reason: 'stop' }) =>
  JSON.stringify({ id: 'x', object: 'chat.completion', choices: [{ index: 0, message, ...more }] });

const THOUGHTS: OddAnswer[] = [
  { name: 'tags in one piece', body: said('<think>hm</think>yes'), reasoning: 'hm', text: 'yes' },
  {
    name: 'tags with line ends, cut over pieces',
    body: said('\n', '<thi', 'nk>', '\nhm', ' hm\n</', 'think', '>\n', '\nyes'),
    reasoning: 'hm hm\n',
    text: 'yes',
  },
  ...[
    ['<THINK>', '</Think>'],
    ['<thinking>', '</thinking>'],
    ['<thought>', '</thought>'],
    ['<reason>', '</reason>'],
    ['<reasoning>', '</reasoning>'],
    ['<seed:think>', '</seed:think>'],
    ['[THINK]', '[/THINK]'],
    ['◁think▷', '◁/think▷'],
    ['<|begin_of_thought|>', '<|end_of_thought|>'],
    ['<|channel>thought\n', '<channel|>'],
    ['<|channel|>analysis<|message|>', '<|end|><|start|>assistant<|channel|>final<|message|>'],
  ].map(([start, close]) => ({
    name: `the spelling ${start}`,
    body: said(`${start}h`, 'm', `${close}yes`),
    reasoning: 'hm',
    text: 'yes',
  })),
  {
    name: 'an end tag of another spelling',
    body: said('<think>a</thought>b</think>yes'),
    reasoning: 'a</thought>b',
    text: 'yes',
  },
  { name: 'an empty thought', body: said('<think>\n\n</think>\n\nyes'), text: 'yes' },
  { name: 'two thoughts', body: said('<think>a</think>\n<think>b</think>yes'), reasoning: 'ab', text: 'yes' },
  {
    name: 'an end tag without a start',
    body: said('hm', ' hm\n</thi', 'nk>\n\nyes'),
    reasoning: 'hm hm\n',
    text: 'yes',
  },
  { name: 'an end tag and nothing before it', body: said('\n</think>\n\nyes'), text: 'yes' },
  {
    name: 'a second end tag without a start',
    body: said('hm</think>a</think>b'),
    reasoning: 'hm',
    text: 'a</think>b',
  },
  {
    name: 'a start tag in an answer',
    body: said('Use <think>x</think>.'),
    text: 'Use <think>x</think>.',
  },
  {
    name: 'tags in inline code',
    body: said('Use `<think>` and `</think>`.'),
    text: 'Use `<think>` and `</think>`.',
  },
  { name: 'an end tag in quotes', body: said('It ends with "</think>".'), text: 'It ends with "</think>".' },
  {
    name: 'tags in a code fence',
    body: said('So:\n``', '`xml\n<think>a\n</think>\n```', '\nok'),
    text: 'So:\n```xml\n<think>a\n</think>\n```\nok',
  },
  { name: 'an answer that begins with a fence', body: said('```\n<think>\n```'), text: '```\n<think>\n```' },
  {
    name: 'an end tag after a closed fence',
    body: said('```\na\n```\nhm</think>yes'),
    reasoning: '```\na\n```\nhm',
    text: 'yes',
  },
  {
    name: 'what only looks like a tag',
    body: said('<thin', 'g> is a </thi', 'ng>'),
    text: '<thing> is a </thing>',
  },
  { name: 'a tag that is not finished', body: said('yes <'), text: 'yes <' },
  { name: 'a start tag alone', body: says('<think>hm') + end() + DONE, reasoning: 'hm', code: 'llm_empty' },
  {
    name: 'reasoning of its own, tags in the answer',
    body: thinks('hm') + said('a </think> b'),
    reasoning: 'hm',
    text: 'a </think> b',
  },
  {
    name: 'reasoning of its own, and a useless end tag',
    body: thinks('hm') + said('\n</think>\n\nyes'),
    reasoning: 'hm',
    text: 'yes',
  },
  {
    name: 'a thought that is cut off with the connection',
    body: says('<think>hm</thi'),
    reasoning: 'hm</thi',
    code: 'llm_truncated',
  },
];

const ENDS: OddAnswer[] = [
  {
    name: 'a content filter, after some text',
    body: says('a') + end('content_filter') + DONE,
    text: 'a',
    code: 'llm_filtered',
  },
  { name: 'a content filter, and nothing else', body: end('content_filter') + DONE, code: 'llm_filtered' },
  {
    name: 'a refusal',
    body: delta({ refusal: 'I will not.' }) + end() + DONE,
    text: 'I will not.',
    reason: 'content-filter',
  },
  { name: 'the limit of tokens', body: says('a') + end('length') + DONE, text: 'a', reason: 'length' },
  ...['max_tokens', 'MAX_TOKENS'].map((reason) => ({
    name: `the limit of tokens as ${reason}`,
    body: says('a') + end(reason) + DONE,
    text: 'a',
    reason: 'length',
  })),
  ...['safety', 'SAFETY'].map((reason) => ({
    name: `a content filter as ${reason}`,
    body: says('a') + end(reason) + DONE,
    text: 'a',
    code: 'llm_filtered',
  })),
  { name: 'the limit of tokens, and nothing else', body: end('length') + DONE, code: 'llm_no_tokens_left' },
  {
    name: 'the limit of tokens after thoughts',
    body: thinks('hm') + end('length') + DONE,
    reasoning: 'hm',
    code: 'llm_no_tokens_left',
  },
  {
    name: 'the limit of tokens in a thought between tags',
    body: says('<think>hm') + end('length') + DONE,
    reasoning: 'hm',
    code: 'llm_no_tokens_left',
  },
  { name: 'content after [DONE]', body: said('a') + says('b') + end('length'), text: 'a' },
  {
    name: 'content after [DONE], without blanks',
    body: `${says('a')}${end()}data:[DONE]\r\n\r\n${says('b')}`,
    text: 'a',
  },
  { name: 'no [DONE]', body: says('a') + end(), text: 'a' },
  { name: 'no finish reason', body: says('a') + DONE, text: 'a', code: 'llm_truncated' },
  {
    name: 'an error in the middle',
    body: says('a') + event({ error: { message: 'no', code: 5 } }),
    text: 'a',
    code: 'llm_stream_error',
  },
];

const CHOICES: OddAnswer[] = [
  {
    name: 'a second choice in between',
    body: says('a') + delta({ content: 'X' }, null, 1) + says('b') + delta({}, 'length', 1) + end() + DONE,
    text: 'ab',
  },
  {
    name: 'a second choice that goes on after the end',
    body: says('a') + end() + delta({ content: 'X' }, null, 1) + delta({}, 'content_filter', 1) + DONE,
    text: 'a',
  },
  {
    name: 'both choices in one chunk, the second first',
    body:
      event({
        choices: [
          { index: 1, delta: { content: 'X' } },
          { index: 0, delta: { content: 'a' } },
        ],
      }) +
      end() +
      DONE,
    text: 'a',
  },
  {
    name: 'a choice without an index',
    body: event({ choices: [{ delta: { content: 'a' }, finish_reason: 'stop' }] }),
    text: 'a',
  },
  { name: 'an index in the text', body: said('{"index": 1}'), text: '{"index": 1}' },
];

const TOOLS: OddAnswer[] = [
  {
    name: 'a tool call',
    body: call({ id: 'c', function: { name: 'f', arguments: '{}' } }) + end('tool_calls') + DONE,
    code: 'llm_tool_call',
  },
  {
    name: 'a tool call that ends with stop',
    body: call({ id: 'c', function: { name: 'f', arguments: '' } }) + end() + DONE,
    code: 'llm_tool_call',
  },
  {
    name: 'a tool call without a name',
    body: call({ function: { arguments: '{}' } }) + end('tool_calls') + DONE,
    code: 'llm_tool_call',
  },
  {
    name: 'a tool call of another shape',
    body: call({ function: 5 }) + end('tool_calls') + DONE,
    code: 'llm_tool_call',
  },
  {
    name: 'a function call of old',
    body: delta({ function_call: { name: 'f', arguments: '{}' } }) + end('function_call') + DONE,
    code: 'llm_tool_call',
  },
  {
    name: 'text, then a tool call',
    body:
      says('Let me see.') +
      call({ id: 'c', function: { name: 'f', arguments: '{}' } }) +
      end('tool_calls') +
      DONE,
    text: 'Let me see.',
    code: 'llm_tool_call',
  },
  {
    name: 'no tool calls, said each time',
    body: delta({ content: 'a', tool_calls: [], function_call: null }) + end() + DONE,
    text: 'a',
  },
];

const JSON_TYPE = 'application/json';
const WHOLE: OddAnswer[] = [
  { name: 'one JSON object', type: JSON_TYPE, body: whole({ role: 'assistant', content: 'a' }), text: 'a' },
  {
    name: 'one JSON object over lines, called a stream',
    body: JSON.stringify(JSON.parse(whole({ content: 'a' })), null, 2),
    text: 'a',
  },
  {
    name: 'one JSON object without a finish reason',
    type: JSON_TYPE,
    body: whole({ content: 'a' }, { finish_reason: null }),
    text: 'a',
  },
  {
    name: 'one JSON object that was cut',
    type: JSON_TYPE,
    body: whole({ content: 'a' }, { finish_reason: 'length' }),
    text: 'a',
    reason: 'length',
  },
  {
    name: 'one JSON object with reasoning',
    type: JSON_TYPE,
    body: whole({ reasoning: 'hm', content: 'a' }),
    reasoning: 'hm',
    text: 'a',
  },
  {
    name: 'one JSON object with tags',
    type: JSON_TYPE,
    body: whole({ content: '<think>hm</think>a' }),
    reasoning: 'hm',
    text: 'a',
  },
  {
    name: 'one JSON object with two choices',
    type: JSON_TYPE,
    body: JSON.stringify({
      choices: [
        { index: 1, message: { content: 'X' } },
        { index: 0, message: { content: 'a' } },
      ],
    }),
    text: 'a',
  },
  {
    name: 'one JSON object with a tool call',
    type: JSON_TYPE,
    body: whole(
      { content: null, tool_calls: [{ id: 'c', function: { name: 'f', arguments: '{}' } }] },
      { finish_reason: 'tool_calls' },
    ),
    code: 'llm_tool_call',
  },
  { name: 'one JSON object in a stream', body: event(JSON.parse(whole({ content: 'a' }))) + DONE, text: 'a' },
  {
    name: 'an error as JSON with status 200',
    type: JSON_TYPE,
    body: '{"error":{"message":"no"}}',
    code: 'llm_stream_error',
  },
  {
    name: 'JSON that is no answer',
    type: JSON_TYPE,
    body: '{"hello":"world"}',
    code: 'llm_invalid_response',
  },
  {
    name: 'JSON that breaks off',
    type: JSON_TYPE,
    body: whole({ content: 'a' }).slice(0, -9),
    code: 'llm_invalid_response',
  },
  {
    name: 'a page',
    type: 'text/html',
    body: '<!doctype html>\n<p>data: hello</p>\n',
    code: 'llm_invalid_response',
  },
];

const FORM: OddAnswer[] = [
  {
    name: 'CR LF, comments and fields',
    body: `: hi\r\n\r\nid: 1\r\nevent: chunk\r\nretry: 5\r\n${said('é', '💥').replaceAll('\n', '\r\n')}`,
    text: 'é💥',
  },
  {
    name: 'a chunk over two lines',
    body: `data: {"choices":[{"delta":{"content":"a"},\ndata: "finish_reason":"stop"}]}\n\n`,
    text: 'a',
  },
  {
    name: 'usage that cannot be',
    body: said('a').replace(
      DONE,
      `${event({ choices: [], usage: { prompt_tokens: -5, completion_tokens: 1e21 } })}${DONE}`,
    ),
    text: 'a',
  },
  {
    name: 'a chunk that is no JSON',
    body: `${says('a')}data: {"choices"\n\n${end()}`,
    text: 'a',
    code: 'llm_invalid_response',
  },
];

export const ODD_ANSWERS: readonly OddAnswer[] = [
  ...THOUGHTS,
  ...ENDS,
  ...CHOICES,
  ...TOOLS,
  ...WHOLE,
  ...FORM,
];
