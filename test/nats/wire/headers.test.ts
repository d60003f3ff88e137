import test from 'ava';
import fc from 'fast-check';
import { headers, type Msg, MsgHdrsImpl } from '#@nats-io/nats-core';
import { MsgImpl } from '#@nats-io/nats-core/internal';
import { messageOf } from '../../../src/nats/connection/client-internals.js';
import { type LeftOut, readCallerHeaders } from '../../../src/nats/wire/caller-headers.js';
import { HeaderBlock } from '../../../src/nats/wire/header-block.js';
import { formatMs, headerIn, headerValue, soughtHeader } from '../../../src/nats/wire/headers.js';
import { createRandomHex } from '../../../src/nats/wire/random-hex.js';
import { readReplyHeaders, saysNoResponders } from '../../../src/nats/wire/reply-headers.js';
import { createPrepareRoute } from '../../../src/nats/wire/routes.js';
import { runs } from '../../helpers/depth.js';
import { NO_MESSAGE } from '../../helpers/messages.js';

const RUNS = { numRuns: runs(500) };
const nothing = { tenant: false, environment: false, others: false };
const block = (...lines: string[]): string => `NATS/1.0\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`;

function messageWith(header: Uint8Array, body: Uint8Array, plain: boolean): Msg {
  const bytes = Buffer.concat([header, body]);
  return new MsgImpl(
    { subject: Buffer.from('a'), sid: 1, hdr: header.length === 0 ? -1 : header.length, size: bytes.length },
    plain ? Uint8Array.from(bytes) : bytes,
    { publish: () => undefined } as never,
  ) as Msg;
}

const callerHeadersOf = (text: string, leftOut: LeftOut) => readCallerHeaders(HeaderBlock.of(text), leftOut);
const replyHeadersOf = (text: string, wall?: () => number) => readReplyHeaders(HeaderBlock.of(text), wall);

const name = fc.stringMatching(/^[!-9;-~]{1,20}$/);
const value = fc.stringMatching(/^[ -~]{0,30}$/).map((text) => text.trim());

test('messageOf: has the bytes of the public encoding, from both kinds of buffer', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(name, value), { minLength: 1, maxLength: 8 }),
      fc.uint8Array(),
      fc.boolean(),
      (lines, body, plain) => {
        const given = headers();
        for (const [key, text] of lines) given.append(key, text);
        const bytes = (given as MsgHdrsImpl).encode();
        const message = messageWith(bytes, body, plain);
        const ours = messageOf(message);
        t.is(ours.block.text, Buffer.from(bytes).toString('latin1'));
        t.deepEqual(Buffer.from(ours.body), Buffer.from(body));
        t.deepEqual([ours.subject, ours.reply], ['a', '']);
      },
    ),
    RUNS,
  );
});

test('messageOf: has no block without headers', (t) => {
  t.is(messageOf(messageWith(new Uint8Array(0), Buffer.from('body'), false)).block.text, '');
});

test('headerIn: finds what the public API finds, for any headers', (t) => {
  fc.assert(
    fc.property(fc.array(fc.tuple(name, value), { maxLength: 8 }), name, (lines, wanted) => {
      const given = headers();
      for (const [key, text] of lines) given.append(key, text);
      const text = lines.length === 0 ? '' : Buffer.from((given as MsgHdrsImpl).encode()).toString('latin1');
      for (const key of [wanted, ...lines.map(([key]) => key)])
        t.is(headerIn(text, soughtHeader(key)), given.has(key) ? given.get(key) : null, key);
    }),
    RUNS,
  );
});

test('headerIn: matches names as spelled and whole, and decodes UTF-8 but not latin1', (t) => {
  const text = block('X-Tenant: no', `Tenant: ${headerValue('Łódź')}`, 'Raw: caf\u00e9', 'Empty:', 'Tight:x\t');
  t.is(headerIn(text, soughtHeader('Tenant')), 'Łódź');
  t.is(headerIn(text, soughtHeader('tenant')), null);
  t.is(headerIn(text, soughtHeader('Raw')), 'café');
  t.is(headerIn(text, soughtHeader('Empty')), '');
  t.is(headerIn(text, soughtHeader('Tight')), 'x');
  t.is(headerIn(text, soughtHeader('NATS/1.0')), null);
});

test('HEADERS-1: a block without names of ours passes byte for byte', (t) => {
  const foreign = fc
    .tuple(name, fc.stringMatching(/^[\x20-\x7e\x80-\xff]{0,30}$/))
    .filter(([key]) => !/^(nats-|extreg-|traceparent$)/i.test(key));
  fc.assert(
    fc.property(fc.array(foreign, { minLength: 1, maxLength: 8 }), (lines) => {
      const text = block(...lines.map(([key, text]) => `${key}: ${text}`));
      const { problem, forwarded } = callerHeadersOf(text, nothing);
      t.is(problem, null);
      t.is(`NATS/1.0\r\n${forwarded}\r\n`, text);
      const reply = replyHeadersOf(text);
      if (!lines.some(([key]) => key === 'tracestate')) t.is(`NATS/1.0\r\n${reply.forwarded}\r\n`, text);
    }),
    RUNS,
  );
});

test('HEADERS-2: what the reader lets pass, the public API can read; what it cannot, is refused', (t) => {
  const piece = fc.constantFrom(
    'NATS/1.0',
    'A',
    'Extreg-',
    'Nats-',
    ':',
    ' ',
    '\r\n',
    '\r',
    '\n',
    '\u00e9',
    '\0',
    'x',
    '\t',
    '503',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), fc.boolean(), (pieces, framed) => {
      const text = framed ? `NATS/1.0\r\n${pieces.join('')}\r\n\r\n` : pieces.join('');
      if (text === '') return;
      const { problem, forwarded } = callerHeadersOf(text, nothing);
      if (problem !== null) return;
      const passed = `NATS/1.0\r\n${forwarded}\r\n`;
      t.notThrows(() => MsgHdrsImpl.decode(Buffer.from(passed, 'latin1')));
      t.false(/[^\r]\n|\r[^\n]/.test(passed));
      t.is(replyHeadersOf(text).serviceError.includes('malformed'), false);
    }),
    { numRuns: runs(3000) },
  );
});

const malformed = test.macro<[string]>({
  exec(t, text) {
    t.regex(callerHeadersOf(text, nothing).problem ?? '', /malformed/);
    t.is(replyHeadersOf(text).serviceErrorCode, 500);
  },
  title: (_, text) => `HEADERS-2: malformed: ${JSON.stringify(text)}`,
});
test(malformed, 'garbage');
test(malformed, 'NATS/1.0');
test(malformed, 'NATS/1.0\r\n');
test(malformed, 'NATS/1.0\r\n\n');
test(malformed, 'NATS/1.0x\r\n\r\n');
test(malformed, 'NATS/1.0\r\nA: b\r\n');
test(malformed, 'NATS/1.0\r\nA b: c\r\n\r\n');
test(malformed, 'NATS/1.0\r\n: c\r\n\r\n');
test(malformed, 'NATS/1.0\r\nno colon\r\n\r\n');
test(malformed, 'NATS/1.0\r\nN\u00e9: c\r\n\r\n');
test(malformed, 'NATS/1.0\r\nA: b\nExtreg-Tenant-Id: evil\r\n\r\n');
test(malformed, 'NATS/1.0\r\nA: b\rExtreg-Tenant-Id: evil\r\n\r\n');
test(malformed, 'NATS/1.0\r\n\r\nExtreg-Tenant-Id: evil\r\n\r\n');
test(malformed, 'NATS/1.0\r\n folded: c\r\n\r\n');

test('HEADERS-3: names of NATS and of ours pass in no letter case, context passes', (t) => {
  const { forwarded, timeoutMs, hops } = callerHeadersOf(
    block(
      'Nats-Msg-Id: 1',
      'A: 1',
      'nats-service-error: x',
      'Extreg-Version: forged',
      'extreg-tenant-id: forged',
      'EXTREG-CONFIG: {}',
      'Extreg-Tenant-Id: t1',
      'Extreg-Policy-Id: p1',
      'Extreg-Environment: prod',
      'Extreg-Routing-Key: k1',
      'Extreg-Ctx-Region: eu',
      'Extreg-Timeout-Ms: 500',
      'Extreg-Hops: 2',
      'Extreg-Probe: 1',
      'Natsume: 1',
      'Extregular: 1',
      'tracestate: a=b',
    ),
    nothing,
  );
  t.is(
    forwarded,
    [
      'A: 1',
      'Extreg-Tenant-Id: t1',
      'Extreg-Policy-Id: p1',
      'Extreg-Environment: prod',
      'Extreg-Routing-Key: k1',
      'Extreg-Ctx-Region: eu',
      'Natsume: 1',
      'Extregular: 1',
      'tracestate: a=b',
      '',
    ].join('\r\n'),
  );
  t.is(timeoutMs, '500');
  t.is(hops, '2');
});

test('HEADERS-3: a context header that the daemon sets itself is left out', (t) => {
  const text = block('Extreg-Tenant-Id: t1', 'Extreg-Environment: prod', 'A: 1');
  t.is(callerHeadersOf(text, { ...nothing, tenant: true }).forwarded, 'Extreg-Environment: prod\r\nA: 1\r\n');
  t.is(callerHeadersOf(text, { ...nothing, environment: true }).forwarded, 'Extreg-Tenant-Id: t1\r\nA: 1\r\n');
});

test('HEADERS-3: of a reply pass the service error and all foreign headers, no context', (t) => {
  const reply = replyHeadersOf(
    block(
      'Nats-Service-Error-Code: 422',
      'Nats-Service-Error: no such thing',
      'Nats-Trace-Dest: x',
      'Content-Type: text/plain',
      'Extreg-Error: forged',
      'extreg-error: forged',
      'Extreg-Tenant-Id: t1',
      'traceparent: x',
      'tracestate: y',
      'Retry-After: 2',
    ),
  );
  t.is(
    reply.forwarded,
    'Nats-Service-Error-Code: 422\r\nNats-Service-Error: no such thing\r\nContent-Type: text/plain\r\nRetry-After: 2\r\n',
  );
  t.is(reply.serviceErrorCode, 422);
  t.is(reply.serviceError, 'no such thing');
  t.is(reply.retryAfterMs, 2000);
});

const twice = test.macro<[string]>({
  exec(t, key) {
    t.is(
      callerHeadersOf(block(`${key}: 1`, 'A: 1', `${key}: 1`), nothing).problem,
      `header ${key} must be given once, got it twice`,
    );
  },
  title: (_, key) => `CALLER-HEADERS-1: ${key} given twice is refused`,
});
for (const key of ['Tenant-Id', 'Policy-Id', 'Environment', 'Routing-Key', 'Ctx-Region', 'Timeout-Ms', 'Hops'])
  test(twice, `Extreg-${key}`);
test(twice, 'traceparent');

test('CALLER-HEADERS-3: a call takes a hundred context headers of its own and no more', (t) => {
  const lines = (count: number) => Array.from({ length: count }, (_, i) => `Extreg-Ctx-${i}: 1`);
  t.is(callerHeadersOf(block(...lines(100)), nothing).problem, null);
  t.is(
    callerHeadersOf(block(...lines(101)), nothing).problem,
    'a call takes at most 100 headers Extreg-Ctx-…, got more',
  );
});

test('CALLER-HEADERS-1: other headers may be given twice, and different ones of the context too', (t) => {
  const text = block('A: 1', 'A: 2', 'Extreg-Ctx-A: 1', 'Extreg-Ctx-B: 1');
  t.is(`NATS/1.0\r\n${callerHeadersOf(text, nothing).forwarded}\r\n`, text);
});

const trace = test.macro<[string, boolean]>({
  exec(t, given, valid) {
    const read = callerHeadersOf(block(`traceparent: ${given}`), nothing);
    t.is(read.traceBefore !== '', valid);
    if (valid) t.is(`${read.traceBefore}${read.traceParentId}${read.traceAfter}`, `traceparent: ${given}\r\n`);
    else t.is(read.forwarded, `traceparent: ${given}\r\n`);
  },
  title: (_, given, valid) => `traceparent: ${given} is ${valid ? 'continued' : 'passed as it is'}`,
});
test(trace, '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', true);
test(trace, '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00', true);
test(trace, 'ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', false);
test(trace, '00-00000000000000000000000000000000-b7ad6b7169203331-01', false);
test(trace, '00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01', false);
test(trace, '00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01', false);
test(trace, '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x', false);
test(trace, 'nonsense', false);

const serviceError = test.macro<[string[], number, string]>({
  exec(t, lines, code, text) {
    const reply = replyHeadersOf(block(...lines));
    t.is(reply.serviceErrorCode, code);
    t.is(reply.serviceError, text);
  },
  title: (_, lines, code) => `service error: ${JSON.stringify(lines).slice(0, 80)} is ${code}`,
});
test(serviceError, ['A: 1'], 0, '');
test(serviceError, ['Nats-Service-Error-Code: 503', 'Nats-Service-Error: busy'], 503, 'busy');
test(serviceError, ['Nats-Service-Error: busy'], 500, 'busy');
test(serviceError, ['Nats-Service-Error-Code: soon', 'Nats-Service-Error: busy'], 500, 'busy');
test(serviceError, ['Nats-Service-Error-Code: -1'], 500, '');
test(serviceError, ['Nats-Service-Error-Code: 0'], 500, '');
test(serviceError, ['Nats-Service-Error-Code: 429'], 429, '');
test(serviceError, [`Nats-Service-Error: ${'x'.repeat(600)}`], 500, 'x'.repeat(512));
test(serviceError, [`Nats-Service-Error: ${headerValue('żle')}`], 500, 'żle');

test('Retry-After: in any letter case, and of several the first that is valid', (t) => {
  const given = (...lines: string[]) => replyHeadersOf(block(...lines)).retryAfterMs;
  for (const name of ['retry-after', 'RETRY-AFTER', 'Retry-after']) t.is(given(`${name}: 2`), 2000, name);
  t.is(given('Retry-After: 2', 'Retry-After: soon'), 2000);
  t.is(given('Retry-After: soon', 'retry-after: 3', 'Retry-After: 2'), 3000);
  t.is(given('Retry-After-Ms: 2', 'X-Retry-After: 2'), null);
});

const retryAfter = test.macro<[string, number | null]>({
  exec(t, given, ms) {
    const wall = () => Date.UTC(2026, 9, 21, 7, 27, 50);
    t.is(replyHeadersOf(block(`Retry-After: ${given}`), wall).retryAfterMs, ms);
  },
  title: (_, given, ms) => `Retry-After: ${given} is ${ms} ms`,
});
test(retryAfter, '1', 1000);
test(retryAfter, '0', 0);
test(retryAfter, '1.5', 1500);
test(retryAfter, '3600', 60_000);
test(retryAfter, '-1', null);
test(retryAfter, 'Wed, 21 Oct 2026 07:28:00 GMT', 10_000);
test(retryAfter, '1e3', null);

test('saysNoResponders: only for an empty reply of status 503 without a service error', (t) => {
  t.true(saysNoResponders(HeaderBlock.of('NATS/1.0 503\r\n\r\n'), 0));
  t.true(saysNoResponders(HeaderBlock.of('NATS/1.0 503\r\nNats-Subject: a\r\n\r\n'), 0));
  t.false(saysNoResponders(HeaderBlock.of('NATS/1.0 503\r\n\r\n'), 1));
  t.false(saysNoResponders(HeaderBlock.of('NATS/1.0 503\r\nNats-Service-Error-Code: 503\r\n\r\n'), 0));
  t.false(saysNoResponders(HeaderBlock.of('NATS/1.0\r\n\r\n'), 0));
});

test('formatMs: three decimals, never negative', (t) => {
  t.is(formatMs(0), '0.000');
  t.is(formatMs(1.2345), '1.235');
  t.is(formatMs(12.0004), '12.000');
  t.is(formatMs(0.9999), '1.000');
  t.is(formatMs(-1), '0.000');
});

test('createPrepareRoute: the configuration travels as ASCII without line ends', (t) => {
  const route = createPrepareRoute(null, { ownPrefix: 'extreg.v1', allowedPrefixes: [] })({
    extensionId: 'a',
    version: 'v1',
    instanceId: null,
    subject: 'ext.a',
    config: { text: 'Łódź\r\nNats-Evil: 1', emoji: '🙂' },
  });
  const text = route.requestBlock(NO_MESSAGE, 1, 100, createRandomHex());
  const config = headerIn(text, soughtHeader('Extreg-Config')) ?? '';
  t.regex(config, /^[\x20-\x7e]+$/);
  t.deepEqual(JSON.parse(config), { text: 'Łódź\r\nNats-Evil: 1', emoji: '🙂' });
  t.is(callerHeadersOf(text, nothing).problem, null);
});

test('createRandomHex: gives as many digits as asked for, never the same ones again', (t) => {
  const randomHex = createRandomHex();
  const seen = new Set(Array.from({ length: 5000 }, () => randomHex(12)));
  t.is(seen.size, 5000);
  t.true([...seen].every((digits) => /^[0-9a-f]{12}$/.test(digits)));
});
