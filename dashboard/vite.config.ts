// Builds the page to dist/; `npm run dev` serves it with hot reload against a running gateway (GATEWAY_URL).
import { defineConfig } from 'vite';

const gateway = process.env.GATEWAY_URL ?? 'http://127.0.0.1:8000';

export default defineConfig({
  base: './',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  server: {
    // With the page's own Host: the gateway compares it with Origin, and takes changes from its own page only.
    proxy: Object.fromEntries(
      ['/stream', '/api', '/healthz', '/readyz', '/sse', '/metrics'].map((path) => [
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
    // All that the page begins with in one file: it comes in one round trip, and compresses best.
    rolldownOptions: { output: { codeSplitting: { groups: [{ name: 'shell', tags: ['$initial'] }] } } },
  },
});
