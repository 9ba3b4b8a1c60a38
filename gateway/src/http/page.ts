// GET /: the built dashboard. Its security headers allow it no scripts and styles but its own.

import { existsSync } from 'node:fs';
import fastifyStatic from '@fastify/static';
import { CodedError } from '@llm-streamer/shared/errors.ts';
import type { FastifyInstance } from 'fastify';

const SECURITY_HEADERS = {
  'content-security-policy':
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
  'referrer-policy': 'no-referrer',
};

/** The page holds no data. Its query says what it shows. */
const OPEN = { needs: 'nothing', parameters: 'any' } as const;

/** @throws CodedError `no_dashboard` if the page has not been built. */
export function pageRoutes(app: FastifyInstance, root: string): void {
  if (!existsSync(`${root}/index.html`))
    throw new CodedError('no_dashboard', 'the dashboard is not built; run: npx vite build dashboard');
  // The addresses in the page are relative. Without a slash at the end of the base path they would resolve to its parent.
  if (app.prefix !== '')
    app.get('', { config: OPEN }, (request, reply) =>
      reply.redirect(`${app.prefix}/${/\?.*/.exec(request.url)?.[0] ?? ''}`),
    );
  app.register(fastifyStatic, {
    root,
    serve: false, // its own route could not say that it needs nothing
    setHeaders: (response, path) => {
      for (const [name, value] of Object.entries(SECURITY_HEADERS)) response.header(name, value);
      const hashed = path.includes('/assets/');
      response.header('cache-control', hashed ? 'public, max-age=31536000, immutable' : 'no-cache');
    },
  });
  app.get('/*', { config: OPEN }, (request, reply) => {
    const path = request.raw.url?.slice(app.prefix.length).split('?', 1)[0] ?? '/';
    return reply.sendFile(path);
  });
}
