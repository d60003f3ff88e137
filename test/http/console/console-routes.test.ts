// The console over HTTP: CONSOLE-ROUTES-1 and CONSOLE-ROUTES-2, ASSETS-1 and ASSETS-2, and how much of it a browser loads.
import { readFileSync } from 'node:fs';
import { get } from 'node:http';
import { pathToFileURL } from 'node:url';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import test from 'ava';
import { chosenCoding, consoleFiles, readFiles } from '../../../src/http/console/assets.js';
import { listen } from '../helpers.js';

const { manifest, assets } = consoleFiles();
const FIRST_PAGE_BYTES = 70_000;
const ALL_BYTES = 250_000;
const PAGES = ['/', '/ui', '/ui/', '/ui/status', '/ui/extensions/pii%2Fguard/policy', '/ui/extensions/x?tab=1'];

test('CONSOLE-ROUTES-1: every page is the same HTML, which names only files that are there', async (t) => {
  const { url } = await listen(t);
  const texts = await Promise.all(
    PAGES.map(async (path) => {
      const response = await fetch(`${url}${path}`);
      t.is(response.status, 200, path);
      t.is(response.headers.get('content-type'), 'text/html; charset=utf-8');
      t.is(response.headers.get('cache-control'), 'no-store');
      return response.text();
    }),
  );
  t.is(new Set(texts).size, 1);
  const [page = ''] = texts;
  const named = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path = '']) => path);
  t.true(named.length >= 3);
  for (const path of named) t.is((await fetch(`${url}${path}`)).status, 200, path);
  t.notRegex(page, / style=|<style|<script>|javascript:|https?:/);
});

test('CONSOLE-ROUTES-2: a page runs its own files and nothing else, and no text becomes code', async (t) => {
  const { url } = await listen(t);
  for (const path of PAGES) {
    const { headers } = await fetch(`${url}${path}`);
    t.is(
      headers.get('content-security-policy'),
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    );
    t.is(headers.get('cross-origin-opener-policy'), 'same-origin');
    t.is(headers.get('x-content-type-options'), 'nosniff');
    t.is(headers.get('referrer-policy'), 'no-referrer');
  }
});

test('CONSOLE-ROUTES-3: the bridge may have a frame of the hosted inspector alone, and no other page may', async (t) => {
  const policyOf = async (url: string, path: string) =>
    (await fetch(`${url}${path}`)).headers.get('content-security-policy') ?? '';
  const none = await listen(t);
  t.notRegex(await policyOf(none.url, '/ui/bridge'), /frame-src/);
  t.regex(await (await fetch(`${none.url}/ui/bridge`)).text(), /<meta name="extreg-inspector" content="">/);
  const { url } = await listen(t, { inspectorUrl: 'https://stately.example:8443/inspect?a=1&b=2' });
  const strict = await policyOf(none.url, '/ui/bridge');
  t.is(await policyOf(url, '/ui/bridge'), `${strict}; frame-src https://stately.example:8443`);
  t.regex(
    await (await fetch(`${url}/ui/bridge`)).text(),
    /<meta name="extreg-inspector" content="https:\/\/stately\.example:8443\/inspect\?a=1&amp;b=2">/,
  );
  for (const path of PAGES) t.is(await policyOf(url, path), strict, path);
  // CONSOLE-ROUTES-1.
  for (const path of [...PAGES, '/ui/bridge']) {
    t.regex(await (await fetch(`${url}${path}`)).text(), /<meta name="extreg-has-inspector" content="true">/, path);
    t.notRegex(await (await fetch(`${none.url}${path}`)).text(), /extreg-has-inspector/, path);
  }
});

test('APP-2: a page answers another method with 405 and Allow; beside the pages, an unknown path stays a 404', async (t) => {
  const { url } = await listen(t);
  for (const [method, path, status] of [
    ['POST', '/', 405],
    ['PUT', '/ui/status', 405],
    ['DELETE', '/ui/extensions/x/policy', 405],
    ['POST', '/ui/', 405],
    ['POST', `/assets/${manifest.main}`, 405],
    ['GET', '/uii', 404],
    ['GET', '/assets', 404],
    ['GET', '/assets/x.js', 404],
    ['GET', '/assets/a/b', 404],
    ['GET', '/assets/..%2fmanifest.json', 404],
    ['GET', '/admin/nothing/of/it', 404],
  ] as const) {
    const response = await fetch(`${url}${path}`, { method });
    t.is(response.status, status, `${method} ${path}`);
    t.is(response.headers.get('content-type'), 'application/problem+json; charset=utf-8');
    t.is(response.headers.get('allow'), status === 405 ? 'GET, HEAD' : null, path);
  }
});

test('SAME-SITE-3: a link of another site opens a page; its scripts and frames get nothing', async (t) => {
  const { url } = await listen(t);
  // fetch() would say how it is used itself.
  const status = (path: string, mode: string, site = 'cross-site') =>
    new Promise((resolve, reject) => {
      const headers = { 'sec-fetch-site': site, 'sec-fetch-mode': mode };
      get(`${url}${path}`, { headers }, (response) => resolve(response.resume().statusCode)).on('error', reject);
    });
  for (const path of PAGES) t.deepEqual([await status(path, 'navigate'), await status(path, 'no-cors')], [200, 403]);
  t.is(await status(`/assets/${manifest.main}`, 'no-cors'), 403);
  t.is(await status(`/assets/${manifest.main}`, 'navigate'), 403);
  t.is(await status(`/assets/${manifest.main}`, 'cors', 'same-origin'), 200);
});

test('ASSETS-1: files are kept for ever by their names; the licences are asked for again', async (t) => {
  const { url } = await listen(t);
  for (const [name, { type, bytes }] of assets) {
    const response = await fetch(`${url}/assets/${name}`);
    t.is(response.headers.get('content-type'), type);
    t.is(
      response.headers.get('cache-control'),
      name === 'LICENSES.txt' ? 'no-store' : 'public, max-age=31536000, immutable',
      name,
    );
    t.deepEqual(Buffer.from(await response.arrayBuffer()), bytes);
  }
  t.regex(assets.get('LICENSES.txt')?.bytes.toString() ?? '', /^preact \d+/m);
});

test('ASSETS-2: what is sent is as small as the client allows', async (t) => {
  for (const [header, coding] of [
    ['gzip, deflate, br, zstd', 'br'],
    ['gzip', 'gzip'],
    ['GZIP;q=0.5', 'gzip'],
    ['br;q=0, gzip', 'gzip'],
    ['br;q=0.001', 'br'],
    ['*', 'br'],
    ['*;q=0', null],
    ['br;q=0, *', 'gzip'],
    ['identity', null],
    ['', null],
    [undefined, null],
    ['br;q=x', null],
  ] as const)
    t.is(chosenCoding(header), coding, header);
  for (const [name, { bytes, br, gzip }] of assets) {
    t.deepEqual(brotliDecompressSync(br), bytes, name);
    t.deepEqual(gunzipSync(gzip), bytes, name);
  }
  const { url } = await listen(t);
  const head = await fetch(`${url}/assets/${manifest.main}`, { method: 'HEAD', headers: { 'accept-encoding': 'br' } });
  t.is(head.headers.get('content-encoding'), 'br');
  t.is(head.headers.get('vary'), 'accept-encoding');
  t.is(Number(head.headers.get('content-length')), assets.get(manifest.main)?.br.length ?? 0);
});

test('console: the first page loads at most 70 kB, and all of it are at most 250 kB, with gzip', (t) => {
  const sizeOf = (names: readonly string[]) =>
    names.reduce<number>((sum, name) => sum + (assets.get(name)?.gzip.length ?? Number.NaN), 0);
  const all = [...assets.keys()].filter((name) => name !== 'LICENSES.txt');
  t.true(manifest.first_page.length >= 4);
  t.true(sizeOf(manifest.first_page) > 8000);
  t.true(sizeOf(manifest.first_page) <= FIRST_PAGE_BYTES, `the first page has ${sizeOf(manifest.first_page)} bytes`);
  t.true(sizeOf(all) <= ALL_BYTES, `all has ${sizeOf(all)} bytes`);
});

test('console: without its files, a server says how to get them', (t) => {
  const error = t.throws(() => readFiles(new URL('nowhere/', pathToFileURL(`${process.cwd()}/`))));
  t.regex(error?.message ?? '', /files of the console.*npm run build/);
  t.true(readFileSync('package.json', 'utf8').includes('"dist/pages"'));
});
