// The document of the admin API: OPENAPI-1 and SCHEMA-EXAMPLE-1, read by two validators that know nothing of each other.
import { parse, validate } from '@readme/openapi-parser';
import { Validator } from '@seriousme/openapi-schema-validator';
import test from 'ava';
import { Compile } from '#typebox/compile';
import { HTTP_ERRORS } from '../../src/http/app/http-errors.js';
import { listen } from './helpers.js';

// biome-ignore lint/suspicious/noExplicitAny: a document of any form
type Any = any;

async function documentOf(t: Parameters<typeof listen>[0]) {
  const seen: string[] = [];
  const server = await listen(t, { onRoute: (method, path) => seen.push(`${method} ${path}`) });
  const response = await fetch(`${server.url}/openapi.json`);
  t.is(response.status, 200);
  return { server, seen, response, document: (await response.json()) as Any };
}

const operationsOf = (document: Any): [name: string, operation: Any][] =>
  Object.entries<Any>(document.paths).flatMap(([path, item]) =>
    Object.entries<Any>(item).map(([method, operation]): [string, Any] => [
      `${method.toUpperCase()} ${path}`,
      operation,
    ]),
  );

test('OPENAPI-1: two validators accept the document, and neither accepts a broken one', async (t) => {
  const { document } = await documentOf(t);
  t.is(document.openapi, '3.1.0');
  const accepts = async (one: Any) => [
    (await new Validator().validate(structuredClone(one))).valid,
    (await validate(structuredClone(one))).valid,
  ];
  t.deepEqual(await accepts(document), [true, true]);
  const broken = structuredClone(document);
  broken.paths['/livez'].get.responses = { nonsense: {} };
  t.deepEqual(await accepts(broken), [false, false]);
  t.truthy(await parse(structuredClone(document)));
});

test('OPENAPI-1: every route of the API is in the document, and nothing else is', async (t) => {
  const { document, seen } = await documentOf(t);
  const isPage = (route: string): boolean => /^GET \/(?:$|ui\b|assets\/)/.test(route);
  t.deepEqual(seen.filter(isPage), ['GET /', 'GET /ui', 'GET /ui/*', 'GET /ui/bridge', 'GET /assets/:name']);
  const routes = seen
    .filter((route) => !isPage(route) && !route.startsWith('HEAD '))
    .map((route) => route.replace(/:(\w+)/g, '{$1}'));
  t.deepEqual(
    operationsOf(document)
      .map(([name]) => name)
      .sort(),
    routes.sort(),
  );
  t.true(routes.length > 40, String(routes.length));
});

test('OPENAPI-1: each operation has a name of its own, a summary, a role, and the errors of its role', async (t) => {
  const operations = operationsOf((await documentOf(t)).document);
  const names = operations.map(([, { operationId }]) => operationId);
  t.is(new Set(names).size, names.length);
  for (const [name, operation] of operations) {
    t.regex(operation.operationId, /^[a-z][A-Za-z]+$/, name);
    t.true(operation.summary.length > 10, name);
    t.true(['none', 'viewer', 'operator', 'admin'].includes(operation['x-extreg-role']), name);
    const statuses = Object.keys(operation.responses).map(Number);
    t.true(statuses.some((status) => status < 400) || name === 'GET /inspect', name);
    for (const status of [400, 403, 500, 503]) t.true(statuses.includes(status), `${name} ${status}`);
    t.is(statuses.includes(401), operation['x-extreg-role'] !== 'none' || name === 'POST /admin/login', name);
    for (const [status, response] of Object.entries<Any>(operation.responses))
      for (const code of response['x-extreg-codes'] ?? [])
        t.is(HTTP_ERRORS[code as keyof typeof HTTP_ERRORS].status as number, Number(status), `${name} ${code}`);
  }
});

test('SCHEMA-EXAMPLE-1: every body and answer has an example, which its schema accepts', async (t) => {
  const { document } = await documentOf(t);
  const problem = document.components.schemas.Problem;
  let examples = 0;
  for (const [name, operation] of operationsOf(document))
    for (const holder of [operation.requestBody, ...Object.values<Any>(operation.responses)])
      for (const { schema, example } of Object.values<Any>(holder?.content ?? {})) {
        t.not(example, undefined, name);
        const validator = Compile(schema.$ref ? problem : schema);
        const [first] = validator.Errors(example);
        t.is(first, undefined, `${name}: ${JSON.stringify(first)} in ${JSON.stringify(example)?.slice(0, 300)}`);
        examples++;
      }
  t.true(examples > 200, String(examples));
});

test('openapi: it is read again only if it is another', async (t) => {
  const { server, response } = await documentOf(t);
  const etag = response.headers.get('etag') ?? '';
  t.regex(etag, /^"[\w-]{22}"$/);
  const again = await fetch(`${server.url}/openapi.json`, { headers: { 'if-none-match': etag } });
  t.is(again.status, 304);
  for (const [known, status] of [
    [`W/${etag}`, 304],
    [`"x", ${etag}`, 304],
    ['*', 304],
    ['"x"', 200],
    [etag.slice(1, -1), 200],
  ] as const)
    t.is((await fetch(`${server.url}/openapi.json`, { headers: { 'if-none-match': known } })).status, status, known);
});
