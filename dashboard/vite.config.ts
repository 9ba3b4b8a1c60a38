// Builds the page to dist/; `npm run dev` serves it with hot reload against a running gateway (GATEWAY_URL).
import { EVENTS } from '@llm-streamer/shared/events.ts';
import { ATTRS, GEN_AI } from '@llm-streamer/shared/gen-ai.ts';
import { defineConfig, type Plugin } from 'vite';

const gateway = process.env.GATEWAY_URL ?? 'http://127.0.0.1:8000';

const VOCABULARY: Record<string, Record<string, string>> = { EVENTS, GEN_AI, ATTRS };

/** Replaces `EVENTS.runStarted` and the like by their text, so that the page does not load the whole tables. */
const spellOut: Plugin = {
  name: 'spell-out',
  transform(code, id) {
    if (!/\/(?:shared|dashboard)\/src\//.test(id)) return undefined;
    return code.replace(/\b(EVENTS|GEN_AI|ATTRS)\.(\w+)/g, (whole, table: string, name: string) => {
      const text = VOCABULARY[table]?.[name];
      return text === undefined ? whole : JSON.stringify(text);
    });
  },
};

/**
 * What loads the style sheet of a module before the module, in place of Vite's own, which is 0.7 kB gzipped larger: this page has
 * no nonces and preloads no modules. A style sheet that failed is requested again with the next attempt.
 */
const styleLoader: Plugin = {
  name: 'style-loader',
  enforce: 'pre',
  load(id) {
    if (id !== '\0vite/preload-helper.js') return undefined;
    return `const sheets = {};
export const __vitePreload = (load, files = [], base) =>
  Promise.all(files.map((file) => sheets[file] ??= new Promise((resolve, reject) => {
    const link = document.createElement('link');
    link.rel = 'stylesheet';
    link.href = new URL(file, base);
    link.onload = resolve;
    link.onerror = () => {
      sheets[file] = undefined;
      link.remove();
      reject(Error(file));
    };
    document.head.append(link);
  }))).then(load);`;
  },
};

export default defineConfig({
  base: './',
  plugins: [spellOut, styleLoader],
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  server: {
    // Keeps the page's Host: the gateway compares it with Origin and accepts changes from its own page only.
    proxy: Object.fromEntries(
      ['/stream', '/api', '/agents', '/healthz', '/readyz', '/sse', '/metrics', '/auth'].map((path) => [
        path,
        { target: gateway, changeOrigin: false },
      ]),
    ),
  },
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    modulePreload: false,
    target: 'es2022',
    // What the first picture needs is one file: it takes one round trip and compresses best.
    rolldownOptions: { output: { codeSplitting: { groups: [{ name: 'shell', tags: ['$initial'] }] } } },
  },
});
