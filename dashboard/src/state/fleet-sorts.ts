// How the fleet can be sorted, as the URL has it: a column, with a minus for the other direction. In a file of its own, because links
// are checked without the fleet.
const COLUMNS = ['source', 'model', 'running', 'queued', 'tokens', 'ttft', 'kv', 'errors', 'age'];

export const SORTS: readonly string[] = COLUMNS.flatMap((key) => [key, `-${key}`]);
