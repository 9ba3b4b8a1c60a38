// The tasks of agent runs: a question, the steps into which an orchestrator divides it, and the tools that the steps call.

export interface Tool {
  name: string;
  call: string;
  result: string;
  /** The median latency in milliseconds. */
  ms: number;
}

export interface Task {
  workflow: string;
  question: string;
  steps: readonly { title: string; tool?: Tool }[];
}

const search = (call: string, result: string): Tool => ({ name: 'web.search', call, result, ms: 700 });
const sql = (call: string, result: string): Tool => ({ name: 'sql.query', call, result, ms: 180 });
const read = (call: string, result: string): Tool => ({ name: 'retriever.lookup', call, result, ms: 90 });
const run = (call: string, result: string): Tool => ({ name: 'code.run', call, result, ms: 1_400 });

export const TASKS: readonly Task[] = [
  {
    workflow: 'research',
    question: 'Compare three vector databases for a 50M-document corpus',
    steps: [
      { title: 'collect benchmarks', tool: search('"vector database" benchmark 50M recall', '8 results') },
      { title: 'compare licenses and pricing', tool: search('managed vector database pricing', '6 results') },
      {
        title: 'read our own constraints',
        tool: read('architecture decision records: storage', '4 passages'),
      },
    ],
  },
  {
    workflow: 'incident-review',
    question: 'Why did p95 latency double on Tuesday afternoon?',
    steps: [
      { title: 'pull latency by endpoint', tool: sql('SELECT endpoint, p95 FROM latency_5m …', '42 rows') },
      { title: 'list deployments of that day', tool: sql('SELECT * FROM deployments …', '3 rows') },
      { title: 'search the runbooks', tool: read('runbook: queue saturation', '5 passages') },
      { title: 'check upstream status pages', tool: search('status page incident', '2 results') },
    ],
  },
  {
    workflow: 'code-review',
    question: 'Review pull request 4127: streaming parser rewrite',
    steps: [
      { title: 'run the test suite', tool: run('pytest -q tests/parser', '184 passed, 1 failed') },
      { title: 'check the error handling' },
      { title: 'look for quadratic behavior', tool: run('python bench/parse.py --size 10MB', '1.9 s') },
    ],
  },
  {
    workflow: 'report',
    question: 'Draft the weekly summary of support tickets',
    steps: [
      { title: 'count tickets by topic', tool: sql('SELECT topic, count(*) FROM tickets …', '17 rows') },
      {
        title: 'summarize the ten longest threads',
        tool: read('tickets by length, last 7 days', '10 passages'),
      },
    ],
  },
  {
    workflow: 'data-analysis',
    question: 'Which customers are likely to churn next month?',
    steps: [
      { title: 'load usage of 90 days', tool: sql('SELECT customer_id, active_days …', '2,318 rows') },
      { title: 'fit a survival model', tool: run('python churn.py --horizon 30', 'concordance 0.81') },
      { title: 'explain the top drivers' },
    ],
  },
];
