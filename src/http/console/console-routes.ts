// The console's pages and their files: `/`, `/ui/*` and `/assets/<name>`. They hold no data, so they ask for no token; what they
// show comes from the admin API, with the reader's own.
//
// CONSOLE-ROUTES-1. Every page is the same few lines of HTML: which page it becomes is decided in the browser, by its address. Where a hosted
//     inspector is configured each says so, and the bridge's also says where it is.
// CONSOLE-ROUTES-2. A page runs its own files and nothing else, sends nothing to another host, is in no frame, and no text can become code in it
//     (Trusted Types).
// CONSOLE-ROUTES-3. The bridge to a hosted inspector is the one page with a frame: of exactly that inspector's origin, and of none where none is set.
import type { FastifyReply, FastifyRequest } from '#fastify';
import type { App } from '../app/app.js';
import { HttpProblem } from '../app/problem.js';
import { type Asset, type ConsoleFiles, chosenCoding, type Manifest } from './assets.js';

/** CONSOLE-ROUTES-2. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');
const headersOf = (policy: string) => ({
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': policy,
  'cross-origin-opener-policy': 'same-origin',
});
const PAGE_HEADERS = headersOf(POLICY);
const IMMUTABLE = 'public, max-age=31536000, immutable';

/** Pages are no operations of the API: its document leaves them out. */
const NOT_IN_THE_DOCUMENT = { hide: true } as const;

/** `inspectorUrl`: as the setting allows it. */
export function consoleRoutes(app: App, files: ConsoleFiles, inspectorUrl: string | null): void {
  const hosted = inspectorUrl === null ? '' : `<meta name="${HAS_BRIDGE}" content="true">\n`;
  const page = pageOf(files.manifest, hosted);
  const sendPage = async (_: FastifyRequest, reply: FastifyReply) => reply.headers(PAGE_HEADERS).send(page);
  const options = { config: { role: 'none', isPage: true }, schema: NOT_IN_THE_DOCUMENT } as const;
  for (const path of ['/', '/ui', '/ui/*']) app.get(path, options, sendPage);
  // CONSOLE-ROUTES-3.
  const bridge = pageOf(
    files.manifest,
    `${hosted}<meta name="${BRIDGE}" content="${attribute(inspectorUrl ?? '')}">\n`,
  );
  const frame = inspectorUrl === null ? '' : `; frame-src ${new URL(inspectorUrl).origin}`;
  const bridgeHeaders = headersOf(POLICY + frame);
  app.get('/ui/bridge', options, async (_, reply) => reply.headers(bridgeHeaders).send(bridge));
  app.get('/assets/:name', { config: { role: 'none' }, schema: NOT_IN_THE_DOCUMENT }, async (request, reply) => {
    const { name } = request.params as { readonly name: string };
    const asset = files.assets.get(name);
    if (asset === undefined) throw new HttpProblem('route_not_found', `no such file of the console: ${name}`);
    return sendAsset(request, reply, asset);
  });
}

function sendAsset(request: FastifyRequest, reply: FastifyReply, asset: Asset): FastifyReply {
  const coding = chosenCoding(request.headers['accept-encoding']);
  if (coding !== null) reply.header('content-encoding', coding);
  if (asset.isImmutable) reply.header('cache-control', IMMUTABLE);
  return reply
    .header('vary', 'accept-encoding')
    .type(asset.type)
    .send(coding === null ? asset.bytes : asset[coding]);
}

/** The name under which the bridge's page finds where the hosted inspector is. */
const BRIDGE = 'extreg-inspector';
/** The name under which every page finds that there is one. */
const HAS_BRIDGE = 'extreg-has-inspector';

const attribute = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('"', '&quot;');

/** CONSOLE-ROUTES-1. `more`: further lines of its head. */
const pageOf = ({ main, style, icon, preload }: Manifest, more = ''): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Extension Registry</title>
${more}<link rel="icon" href="/assets/${icon}" type="image/svg+xml">
<link rel="stylesheet" href="/assets/${style}">
${preload.map((name) => `<link rel="modulepreload" href="/assets/${name}">\n`).join('')}<script type="module" src="/assets/${main}"></script>
</head>
<body>
<div id="console"></div>
<noscript>The console of the Extension Registry needs JavaScript. Without it: extreg --help, and the admin API at /openapi.json.</noscript>
</body>
</html>
`;
