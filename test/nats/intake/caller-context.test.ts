import test from 'ava';
import fc from 'fast-check';
import type { InvocationError } from '../../../src/domain/registry/errors.js';
import {
  CONTEXT_SOURCES,
  ContextReader,
  type ContextSettings,
  type ContextSource,
  contextHeader,
  ReadContext,
} from '../../../src/nats/intake/caller-context.js';
import { BodyContext } from '../../../src/nats/intake/context-body.js';
import { claimedHeader, readCallerHeaders } from '../../../src/nats/wire/caller-headers.js';
import { HeaderBlock } from '../../../src/nats/wire/header-block.js';
import type { SoughtHeader } from '../../../src/nats/wire/headers.js';
import { headerValue } from '../../../src/nats/wire/headers.js';
import { runs } from '../../helpers/depth.js';

const RUNS = { numRuns: runs(500) };
const claimedIn = (text: string) => {
  const block = HeaderBlock.of(text);
  const headers = readCallerHeaders(block, { tenant: false, environment: false, others: false });
  return (header: SoughtHeader): string | null => claimedHeader(headers, block, header);
};
const block = (...lines: string[]): string =>
  lines.length === 0 ? '' : `NATS/1.0\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`;

interface Call extends Partial<ContextSettings> {
  readonly tenant?: string;
  readonly headers?: readonly string[];
  readonly body?: string | Uint8Array;
}

/** The value of each key that has one, or the first refusal: one key is asked for after the other. */
function read(keys: readonly string[], call: Call): ReadonlyMap<string, string> | InvocationError {
  const { tenant = null, headers = [], body = '', from = CONTEXT_SOURCES, bodyMaxBytes = 65_536 } = call;
  const reader = new ContextReader({ from, bodyMaxBytes, environment: call.environment ?? null });
  const bytes = Buffer.from(body);
  const claims = {
    tenantId: tenant,
    claimed: claimedIn(block(...headers)),
    body: bytes,
    bodyContext: new BodyContext(bytes),
  };
  const values = new Map<string, string>();
  for (const key of keys) {
    const answer = reader.read(key, claims);
    if (typeof answer === 'string') values.set(key, answer);
    else if (answer !== undefined) return answer;
  }
  return values;
}

/** What is said of the keys; fails the test where the call is refused. */
function said(keys: readonly string[], call: Call): Record<string, string> {
  const context = read(keys, call);
  if ('code' in context) throw new Error(context.message);
  return Object.fromEntries(context);
}

function refusal(keys: readonly string[], call: Call): InvocationError {
  const context = read(keys, call);
  if (!('code' in context)) throw new Error(`accepted: ${JSON.stringify([...context])}`);
  return context;
}

const ALL_KEYS = ['tenant_id', 'policy_id', 'environment', 'routing_key', 'region'];

const header = test.macro<[key: string, header: string | null]>({
  exec(t, key, name) {
    t.is(contextHeader(key)?.name ?? null, name);
    if (name !== null) t.deepEqual(said([key], { headers: [`${name}: x`] }), { [key]: 'x' });
  },
  title: (_, key, name) => `context: ${JSON.stringify(key)} travels in ${name ?? 'no header'}`,
});
test(header, 'tenant_id', 'Extreg-Tenant-Id');
test(header, 'policy_id', 'Extreg-Policy-Id');
test(header, 'environment', 'Extreg-Environment');
test(header, 'routing_key', 'Extreg-Routing-Key');
test(header, 'region', 'Extreg-Ctx-region');
test(header, 'Tenant-Id', 'Extreg-Ctx-Tenant-Id');
test(header, '__proto__', 'Extreg-Ctx-__proto__');
test(header, 'a b', null);
test(header, 'a:b', null);
test(header, 'größe', null);
test(header, 'a\r\nb', null);
test(header, '', null);

const saying = test.macro<[call: Call, expected: Record<string, string>]>({
  exec(t, call, expected) {
    t.deepEqual(said(ALL_KEYS, call), expected);
  },
  title: (title) => `context: ${title}`,
});

test('nothing said is nothing known', saying, {}, {});
test('CALLER-CONTEXT-1: the subject names the tenant alone', saying, { tenant: 'acme' }, { tenant_id: 'acme' });
test('only what is asked for is told', (t) => {
  const headers = ['Extreg-Tenant-Id: acme', 'Extreg-Policy-Id: strict'];
  t.deepEqual(said(['policy_id'], { tenant: 'acme', headers, body: '{"tenant_id":"b"}' }), { policy_id: 'strict' });
  t.deepEqual(said([], { tenant: 'acme', headers }), {});
});
test(
  'no Extreg-Ctx header sets one of the four',
  saying,
  {
    headers: [
      'Extreg-Ctx-tenant_id: a',
      'Extreg-Ctx-policy_id: b',
      'Extreg-Ctx-environment: c',
      'Extreg-Ctx-routing_key: d',
    ],
  },
  {},
);
test('names are compared as spelled', saying, { headers: ['extreg-tenant-id: a', 'Extreg-Ctx-Region: eu'] }, {});
test(
  'a header holds UTF-8',
  saying,
  { headers: [`Extreg-Tenant-Id: ${headerValue('Łódź 🙂')}`, 'Extreg-Ctx-region: caf\u00e9'] },
  { tenant_id: 'Łódź 🙂', region: 'café' },
);
test(
  'CALLER-CONTEXT-1: an empty or blank header is no value, and the next source is asked',
  saying,
  {
    headers: ['Extreg-Tenant-Id:', 'Extreg-Policy-Id:  \t ', `Extreg-Ctx-region: ${headerValue('\u00a0\u2003')}`],
    body: '{"tenant_id":"acme","metadata":{"policy_id":"p","region":"eu"}}',
  },
  { tenant_id: 'acme', policy_id: 'p', region: 'eu' },
);

const everywhere: Call = {
  tenant: 'of-subject',
  headers: ['Extreg-Tenant-Id: of-header', 'Extreg-Policy-Id: of-header'],
  body: '{"tenant_id":"of-body","policy_id":"of-body","environment":"of-body"}',
};
const order = test.macro<[from: ContextSource[], tenant: string | undefined, policy: string | undefined, env?: string]>(
  {
    exec(t, from, tenant_id, policy_id, environment) {
      const expected = Object.entries({ tenant_id, policy_id, environment }).filter(([, value]) => value !== undefined);
      t.deepEqual(said(ALL_KEYS, { ...everywhere, from }), Object.fromEntries(expected) as Record<string, string>);
    },
    title: (_, from) => `CALLER-CONTEXT-1: context_from ${from.join(', ') || 'none'} is the order of belief`,
  },
);
test(order, ['subject', 'header', 'body'], 'of-subject', 'of-header', 'of-body');
test(order, ['subject', 'body', 'header'], 'of-subject', 'of-body', 'of-body');
test(order, ['header', 'subject', 'body'], 'of-header', 'of-header', 'of-body');
test(order, ['header', 'body', 'subject'], 'of-header', 'of-header', 'of-body');
test(order, ['body', 'subject', 'header'], 'of-body', 'of-body', 'of-body');
test(order, ['body', 'header', 'subject'], 'of-body', 'of-body', 'of-body');
test(order, ['subject', 'header'], 'of-subject', 'of-header');
test(order, ['header', 'subject'], 'of-header', 'of-header');
test(order, ['subject', 'body'], 'of-subject', 'of-body', 'of-body');
test(order, ['subject'], 'of-subject', undefined);
test(order, ['header'], 'of-header', 'of-header');
test(order, ['body'], 'of-body', 'of-body', 'of-body');
test(order, [], undefined, undefined);

test('CALLER-CONTEXT-3: a configured environment stands over header and body, also where nothing is believed', (t) => {
  const call: Call = {
    headers: ['Extreg-Environment: dev'],
    body: '{"environment":"dev"}',
    environment: 'prod',
  };
  for (const from of [CONTEXT_SOURCES, [], ['body'] as const]) {
    t.deepEqual(said(['environment'], { ...call, from }), { environment: 'prod' });
    t.deepEqual(said(['policy_id'], { ...call, from }), {});
  }
});

test('CALLER-CONTEXT-2: the body is not looked into for what is known without it', (t) => {
  const headers = ['Extreg-Tenant-Id: acme'];
  const body = '{"tenant_id":"a","tenant_id":"b"}';
  t.deepEqual(said(['tenant_id'], { headers, body, bodyMaxBytes: 10 }), { tenant_id: 'acme' });
  t.deepEqual(said(['tenant_id'], { headers, body }), { tenant_id: 'acme' });
  t.is(refusal(['tenant_id'], { body }).code, 'invalid_request');
});

const sized = (bytes: number): string => `{"tenant_id":"acme","p":"${'x'.repeat(bytes - 27)}"}`;

test('CALLER-CONTEXT-5: a body at the limit is looked into, one byte more is refused with what would have answered', (t) => {
  const limit = { bodyMaxBytes: 100 };
  t.is(sized(100).length, 100);
  t.deepEqual(said(['tenant_id'], { ...limit, body: sized(100) }), { tenant_id: 'acme' });
  const expected = { tenant_id: 'Extreg-Tenant-Id', region: 'Extreg-Ctx-region', größe: null };
  for (const [key, name] of Object.entries(expected))
    t.deepEqual(refusal([key], { ...limit, body: sized(101) }), {
      code: 'invalid_request',
      message:
        `routing needs ${key}: expected ${name === null ? '' : `header ${name}, or `}` +
        'a body of at most 100 bytes, got a body of 101 bytes',
      details: {
        reason: 'context_needed',
        headers: name === null ? [] : [name],
        limit_bytes: 100,
        got_bytes: 101,
      },
    });
  t.is(refusal(['tenant_id'], { ...limit, body: ` \t\r\n${sized(100)}` }).details?.got_bytes, 104);
});

test('CALLER-CONTEXT-5: what names no key itself is passed over however large: other bodies, bodies that are not believed, a limit of 0', (t) => {
  const limit = { bodyMaxBytes: 100 };
  t.deepEqual(said(['tenant_id'], { ...limit, body: `[${sized(200)}]` }), {});
  t.deepEqual(said(['tenant_id'], { ...limit, body: `\ufeff${sized(200)}` }), {});
  t.deepEqual(said(['tenant_id'], { ...limit, body: ' '.repeat(200) }), {});
  t.deepEqual(said(['tenant_id'], { ...limit, body: sized(200), from: ['subject', 'header'] }), {});
  t.deepEqual(said(['tenant_id'], { bodyMaxBytes: 0, body: sized(200) }), {});
  t.deepEqual(said(['tenant_id'], { bodyMaxBytes: 0, body: sized(50) }), {});
});

test('CALLER-CONTEXT-5: only what is believed before the body is named', (t) => {
  const limit = { bodyMaxBytes: 100, body: sized(200) };
  const told = (from: ContextSource[]) => refusal(['tenant_id'], { ...limit, from });
  t.regex(told(['subject', 'header', 'body']).message, /expected header Extreg-Tenant-Id, or a body of/);
  t.regex(told(['subject', 'body']).message, /expected the tenant in the subject, or a body of/);
  t.deepEqual(told(['subject', 'body']).details?.headers, []);
  t.regex(told(['body', 'header']).message, /expected a body of at most 100 bytes, got/);
  t.regex(
    refusal(['tenant_id'], { ...limit, from: ['body', 'header'], headers: ['Extreg-Tenant-Id: a'] }).message,
    /routing/,
  );
});

test('CALLER-CONTEXT-5: an error is the answer to its key: the next key has none, and the same one has it again', (t) => {
  const reader = new ContextReader({ from: CONTEXT_SOURCES, bodyMaxBytes: 100, environment: null });
  const body = Buffer.from(sized(101));
  const claims = {
    tenantId: null,
    claimed: claimedIn(block('Extreg-Tenant-Id: acme')),
    body,
    bodyContext: new BodyContext(body),
  };
  const asked: string[] = [];
  const context = new ReadContext({
    answer: (key) => {
      asked.push(key);
      return reader.read(key, claims);
    },
  });
  const problemOf = (key: string) => context.get(key) as InvocationError;
  const problem = problemOf('routing_key');
  t.deepEqual(problem.details?.headers, ['Extreg-Routing-Key']);
  t.is(context.get('tenant_id'), 'acme');
  t.is(problemOf('routing_key'), problem);
  t.deepEqual(problemOf('region').details?.headers, ['Extreg-Ctx-region']);
  t.is(context.get('tenant_id'), 'acme');
  t.deepEqual(asked, ['routing_key', 'tenant_id', 'region'], 'each is looked for once');
});

test('context: what nobody says is looked for once, and is no problem', (t) => {
  let asked = 0;
  const context = new ReadContext({
    answer: () => {
      asked += 1;
      return undefined;
    },
  });
  t.is(context.get('region'), undefined);
  t.is(context.get('region'), undefined);
  t.is(asked, 1);
});

const sources = fc.shuffledSubarray([...CONTEXT_SOURCES]);
const token = fc.stringMatching(/^[a-z]{1,6}$/);
const anyCall = fc.record({
  from: sources,
  tenant: fc.option(token, { nil: undefined }),
  headers: fc.dictionary(
    fc.constantFrom('Tenant-Id', 'Policy-Id', 'Environment', 'Routing-Key', 'Ctx-region'),
    fc.oneof(token, fc.constant('')),
  ),
  body: fc.oneof(fc.dictionary(fc.constantFrom(...ALL_KEYS), fc.oneof(token, fc.constant(null))), fc.constant(null)),
  environment: fc.option(token, { nil: null }),
});

test('CALLER-CONTEXT-1: for any call, a value is that of the first believed source that gives one', (t) => {
  fc.assert(
    fc.property(anyCall, fc.shuffledSubarray(ALL_KEYS), (call, keys) => {
      const { from, tenant, environment } = call;
      const bodyOf = (key: string) => call.body?.[key] ?? null;
      const headerOf = (key: string) => call.headers[contextHeader(key)?.name.slice('Extreg-'.length) ?? ''] || null;
      const expected: Record<string, string> = {};
      for (const key of keys) {
        const bySource = {
          subject: key === 'tenant_id' ? (tenant ?? null) : null,
          header: headerOf(key),
          body: bodyOf(key),
        };
        const value =
          key === 'environment' && environment !== null
            ? environment
            : from.map((source) => bySource[source]).find((given) => given !== null);
        if (value !== undefined && value !== null) expected[key] = value;
      }
      const body = call.body === null ? 'text' : JSON.stringify({ ...call.body, metadata: call.body });
      const headers = Object.entries(call.headers).map(([name, value]) => `Extreg-${name}: ${value}`);
      t.deepEqual(
        said(keys, { from, environment, headers, body, ...(tenant === undefined ? {} : { tenant }) }),
        expected,
      );
    }),
    RUNS,
  );
});

test('context: any headers and any body end in a context or a refusal, never in a throw', (t) => {
  const piece = fc.constantFrom(...['{', '}', '[', ']', '"', '\\', ':', ',', ' ', '1', 'e', '-', '.', 'null', 'true']);
  const jsonish = fc
    .array(fc.oneof(piece, fc.constantFrom('"tenant_id"', '"metadata"', '"a"', '\u00e9', '\ud800', '{"metadata":{')), {
      maxLength: 30,
    })
    .map((pieces) => Buffer.from(`{${pieces.join('')}`));
  const json = fc.json({ maxDepth: 4 }).map((inner) => Buffer.from(`{"tenant_id":${inner},"metadata":${inner}}`));
  const line = fc.stringMatching(/^[\x20-\x7e\x80-\xff]{0,20}$/).map((value) => `Extreg-Tenant-Id: ${value}`);
  fc.assert(
    fc.property(
      fc.oneof(fc.uint8Array(), jsonish, json),
      fc.oneof(line, fc.string()),
      sources,
      fc.array(fc.oneof(fc.string(), fc.constantFrom('tenant_id', 'a', '__proto__', 'constructor')), { maxLength: 4 }),
      fc.constantFrom(0, 3, 65_536),
      (body, text, from, keys, bodyMaxBytes) => {
        const reader = new ContextReader({ from, bodyMaxBytes, environment: null });
        const bodyContext = new BodyContext(body);
        for (const key of keys) {
          t.notThrows(() => reader.read(key, { tenantId: null, claimed: claimedIn(block(text)), body, bodyContext }));
          t.notThrows(() => reader.read(key, { tenantId: 'a', claimed: claimedIn(text), body, bodyContext }));
        }
      },
    ),
    { numRuns: runs(3000) },
  );
});

test('CALLER-HEADERS-2: of what is not believed, nothing passes; what no key is read from looks like none', (t) => {
  const text = block(
    'Extreg-Tenant-Id: a',
    'A: 1',
    'Extreg-Policy-Id: b',
    'Extreg-Environment: c',
    'Extreg-Routing-Key: d',
    'Extreg-Ctx-region: e',
    'Extreg-Ctx-tenant_id: f',
    'Extreg-Ctx-policy_id: f',
    'Extreg-Ctx-environment: f',
    'Extreg-Ctx-routing_key: f',
    'Extreg-Timeout-Ms: 500',
  );
  const passed = (from: readonly ContextSource[], environment: string | null = null, withTenant = false) => {
    const reader = new ContextReader({ from, bodyMaxBytes: 1, environment });
    const { forwarded, timeoutMs } = readCallerHeaders(
      HeaderBlock.of(text),
      withTenant ? reader.leftOutWithTenant : reader.leftOut,
    );
    t.is(timeoutMs, '500');
    return forwarded
      .split('\r\n')
      .slice(0, -1)
      .map((line) => line.replace('Extreg-', '').replace(/: .*/, ''));
  };
  t.deepEqual(passed(CONTEXT_SOURCES), ['Tenant-Id', 'A', 'Policy-Id', 'Environment', 'Routing-Key', 'Ctx-region']);
  t.deepEqual(passed(['header'], 'prod'), ['Tenant-Id', 'A', 'Policy-Id', 'Routing-Key', 'Ctx-region']);
  t.deepEqual(passed(['header'], null, true), ['A', 'Policy-Id', 'Environment', 'Routing-Key', 'Ctx-region']);
  for (const from of [[], ['subject'], ['body'], ['subject', 'body']] as const) t.deepEqual(passed(from), ['A']);
});

test('CONTEXT-BODY-3: a body is looked at once, however many keys ask for it and however large it is', (t) => {
  let looks = 0;
  const bytes = Buffer.alloc(1000, ' ');
  const body = new Proxy(bytes, {
    get: (target, name) => {
      if (typeof name === 'string' && /^\d+$/.test(name)) looks++;
      const value = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  const reader = new ContextReader({ from: CONTEXT_SOURCES, bodyMaxBytes: 100, environment: null });
  const claims = { tenantId: null, claimed: () => null, body, bodyContext: new BodyContext(body) };
  const context = new ReadContext({ answer: (key) => reader.read(key, claims) });
  for (const key of ['region', 'policy_id', 'environment', 'routing_key', 'tier'])
    t.is(context.get(key), undefined, key);
  t.true(looks > 0 && looks <= bytes.length + 2, `${looks} looks at a body of ${bytes.length} bytes`);
});
