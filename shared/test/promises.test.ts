// No promise is left without a catch, because an unhandled rejection ends a process. TypeScript's types say what is a promise, so
// this also finds promises after `void`, promises of async callbacks that the caller drops, and promises of other files' types.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { type Expression, type Node, type SourceFile, SyntaxKind } from 'typescript/unstable/ast';
import * as is from 'typescript/unstable/ast/is';
import {
  API,
  type Checker,
  SignatureKind,
  type Type,
  TypeFlags,
  type UnionType,
} from 'typescript/unstable/sync';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ROOT } from '../../test-support/process.ts';

const CHECKED = /^(?:[a-z]+\/(?:src|bench)|scripts|test-support)\//;
/** Fastify awaits the plugins that it is given, although its type says that they return void. */
const TAKES_PLUGINS = /\bregister$/;

let api: API;
beforeAll(() => {
  api = new API({ cwd: ROOT });
});
afterAll(() => api.close());

class Types {
  readonly #checker: Checker;
  readonly #returns = new Map<Type, boolean>();

  constructor(checker: Checker) {
    this.#checker = checker;
  }

  isPromise(type: Type | undefined): boolean {
    return parts(type).some(
      (part) =>
        (part.flags & TypeFlags.Object) !== 0 && this.#checker.getPropertyOfType(part, 'catch') !== undefined,
    );
  }

  returnsPromise(type: Type | undefined): boolean {
    if (type === undefined) return false;
    let returns = this.#returns.get(type);
    if (returns === undefined) {
      returns = this.#results(type).some((result) => this.isPromise(result));
      this.#returns.set(type, returns);
    }
    return returns;
  }

  /** Whether a caller of a function of this type drops its result. */
  returnsVoid(type: Type | undefined): boolean {
    // The DOM's type for the callback of a timer.
    if (parts(type).some((part) => part.getSymbol()?.name === 'Function')) return true;
    const results = this.#results(type);
    return results.length > 0 && results.every((result) => (result?.flags ?? 0) === TypeFlags.Void);
  }

  #results(type: Type | undefined): (Type | undefined)[] {
    return parts(type)
      .filter((part) => (part.flags & TypeFlags.Object) !== 0)
      .flatMap((part) => this.#checker.getSignaturesOfType(part, SignatureKind.Call))
      .map((signature) => this.#checker.getReturnTypeOfSignature(signature));
  }
}

function parts(type: Type | undefined): readonly Type[] {
  if (type === undefined) return [];
  return (type.flags & TypeFlags.Union) === 0 ? [type] : (type as UnionType).getTypes();
}

/** The values that a statement drops: for `a && b` and `a ? b : c` their possible results. An assignment drops nothing. */
function unused(expression: Expression): Expression[] {
  if (is.isParenthesizedExpression(expression)) return unused(expression.expression);
  if (is.isConditionalExpression(expression))
    return [...unused(expression.whenTrue), ...unused(expression.whenFalse)];
  if (is.isBinaryExpression(expression)) {
    const { kind } = expression.operatorToken;
    return kind >= SyntaxKind.FirstAssignment && kind <= SyntaxKind.LastAssignment
      ? []
      : unused(expression.right);
  }
  return is.isAwaitExpression(expression) ? [] : [expression];
}

function isCaught(expression: Node): boolean {
  return (
    is.isCallExpression(expression) &&
    is.isPropertyAccessExpression(expression.expression) &&
    expression.expression.name.text === 'catch'
  );
}

/** `file:line code` for each promise whose rejection nothing would catch. */
function offences(file: SourceFile, path: string, checker: Checker, types: Types): string[] {
  const dropped: Expression[] = [];
  const given: Expression[] = [];
  const visit = (node: Node): void => {
    if (is.isExpressionStatement(node)) dropped.push(...unused(node.expression));
    else if (is.isVoidExpression(node)) dropped.push(...unused(node.expression));
    else if (is.isNewExpression(node)) given.push(...(node.arguments ?? []));
    else if (is.isCallExpression(node) && !TAKES_PLUGINS.test(textOf(node.expression)))
      given.push(...node.arguments);
    else if (is.isPropertyAssignment(node)) given.push(node.initializer);
    else if (is.isJsxExpression(node) && node.expression) given.push(node.expression);
    node.forEachChild(visit);
  };
  const textOf = (node: Node) => file.text.slice(node.pos, node.end).trim();
  visit(file);
  const functions = given.filter(
    (node) =>
      (is.isArrowFunction(node) && !isCaught(node.body)) ||
      is.isFunctionExpression(node) ||
      is.isIdentifier(node) ||
      is.isPropertyAccessExpression(node),
  );
  const typeOf = (nodes: Expression[]) => (nodes.length > 0 ? checker.getTypeAtLocation(nodes) : []);
  const droppedTypes = typeOf(dropped);
  const functionTypes = typeOf(functions);
  return [
    ...dropped.filter((node, i) => !isCaught(node) && types.isPromise(droppedTypes[i])),
    ...functions.filter(
      (node, i) =>
        types.returnsPromise(functionTypes[i]) && types.returnsVoid(checker.getContextualType(node)),
    ),
  ].map((node) => {
    const line = file.text.slice(0, node.end).split('\n').length;
    return `${path}:${line} ${textOf(node).replaceAll(/\s+/g, ' ').slice(0, 80)}`;
  });
}

const SAMPLE = `
  declare const work: () => Promise<void>;
  declare const listen: (listener: (text: string) => void) => void;
  const handlers: { go: () => void } = { go: async () => {} }; // found
  work(); // found
  void work(); // found
  work().then(() => {}); // found
  work().finally(() => {}); // found
  Math.random() > 0.5 && work(); // found
  listen(async () => {}); // found
  listen(() => void work()); // found
  listen(work); // found
  setInterval(async () => {}, 1_000); // found
  new Promise(async (resolve) => resolve(1)).catch(() => {}); // found
  await work();
  work().catch(() => {});
  listen(() => work().catch(() => {}));
  const kept = work();
  await Promise.all([1].map(async () => kept));
  export { handlers };
`;

it('every form of a dropped promise is found', { timeout: 180_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'llm-streamer-promises-'));
  try {
    const compilerOptions = {
      target: 'esnext',
      module: 'esnext',
      strict: true,
      lib: ['esnext', 'dom'],
      types: [],
    };
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['sample.ts'] }));
    await writeFile(join(folder, 'sample.ts'), SAMPLE);
    const [project] = api.updateSnapshot({ openProjects: [join(folder, 'tsconfig.json')] }).getProjects();
    const file = project?.program.getSourceFile(join(folder, 'sample.ts'));
    if (!project || !file) throw new Error('the sample was not opened');
    const found = offences(file, 'sample.ts', project.checker, new Types(project.checker));
    const lines = SAMPLE.split('\n').flatMap((line, i) => (line.endsWith('// found') ? [i + 1] : []));
    expect(
      [...new Set(found.map((each) => Number(/:(\d+) /.exec(each)?.[1])))].sort((a, b) => a - b),
    ).toEqual(lines);
  } finally {
    await rm(folder, { recursive: true });
  }
});

it('no promise is left without a catch', { timeout: 180_000 }, () => {
  const snapshot = api.updateSnapshot({ openProjects: ['tsconfig.json', 'dashboard/tsconfig.json'] });
  const found = new Map<string, string[]>();
  for (const { program, checker } of snapshot.getProjects()) {
    const types = new Types(checker);
    for (const name of program.getSourceFileNames()) {
      const path = relative(ROOT, name);
      if (!CHECKED.test(path) || found.has(path)) continue;
      const file = program.getSourceFile(name);
      if (file) found.set(path, offences(file, path, checker, types));
    }
  }
  expect(found.size).toBeGreaterThan(250);
  expect([...found.values()].flat()).toEqual([]);
});
