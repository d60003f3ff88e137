// What of an error is in the log.
import test from 'ava';
import { stackOf } from '../../src/telemetry/error-text.js';

test('stackOf: the stack with its message, and those of the causes', (t) => {
  const cause = new Error('connection refused');
  const lines = stackOf(new Error('query failed', { cause })).split('\n');
  t.is(lines[0], 'Error: query failed');
  t.true(lines.includes('caused by: Error: connection refused'));
  t.regex(lines.at(-1) ?? '', /^ {4}at /);
});

test('stackOf: what is no error, has no stack, or is its own cause', (t) => {
  t.is(stackOf('thrown'), 'thrown');
  t.is(stackOf(null), 'null');
  t.is(stackOf(Object.assign(new Error('bare'), { stack: undefined })), 'bare');
  t.is(
    stackOf(new Error('a', { cause: 'b' }))
      .split('\n')
      .at(-1),
    'caused by: b',
  );
  const loop = Object.assign(new Error('loop'), { stack: 'loop' });
  loop.cause = loop;
  t.is(stackOf(loop), Array(6).fill('loop').join('\ncaused by: '));
});
