import test from 'ava';
import { unavailable } from '../../../src/actors/routing/refusals.js';
import {
  ERROR_TABLE,
  type ErrorCode,
  type Retryable,
  UNAVAILABLE_REASONS,
  type UnavailableReason,
} from '../../../src/domain/registry/errors.js';

const CODES = Object.keys(ERROR_TABLE) as ErrorCode[];

const entry = test.macro<[code: ErrorCode, status: number, retryable: Retryable]>({
  exec(t, code, status, retryable) {
    t.like(ERROR_TABLE[code], { status, retryable });
  },
  title: (_, code, status, retryable) => `error table: ${code} is ${status} and retryable: ${retryable}`,
});
const EXPECTED: Record<ErrorCode, [number, Retryable]> = {
  invalid_request: [400, 'no'],
  unauthenticated: [401, 'no'],
  extension_not_found: [404, 'no'],
  payload_too_large: [413, 'no'],
  overloaded: [429, 'yes'],
  extension_error: [502, 'maybe_executed'],
  extension_unavailable: [503, 'yes'],
  internal_error: [500, 'maybe_executed'],
  not_connected: [503, 'maybe_executed'],
  database_unavailable: [503, 'yes'],
  extension_timeout: [504, 'maybe_executed'],
  deadline_exceeded: [504, 'maybe_executed'],
};
for (const code of CODES) test(entry, code, ...EXPECTED[code]);

test('error table: every code is snake case, says when, and blames the caller with 4xx only where a retry needs a change or a wait', (t) => {
  t.is(CODES.length, 12);
  for (const code of CODES) {
    const { status, retryable, when } = ERROR_TABLE[code] as { status: number; retryable: Retryable; when: string };
    t.regex(code, /^[a-z]+(_[a-z]+)*$/);
    t.true(when.length > 0);
    t.is(retryable === 'no', status < 500 && status !== 429, code);
  }
});

test('unavailable reasons: those that only an operator ends are not retryable, the others are', (t) => {
  const lasting = (Object.keys(UNAVAILABLE_REASONS) as UnavailableReason[]).filter(
    (reason) => unavailable(reason, 'a').retryable === 'no',
  );
  t.deepEqual(lasting.sort(), ['auto_disabled', 'disabled', 'isolated', 'no_version', 'row_invalid']);
  t.is(unavailable('circuit_open', 'a', 5).retryable, undefined, 'as the table says');
});

test('unavailable reasons: are those of the specification, and each says what it means', (t) => {
  t.deepEqual(Object.keys(UNAVAILABLE_REASONS).sort(), [
    'actor_failed',
    'auto_disabled',
    'circuit_open',
    'disabled',
    'half_open_full',
    'isolated',
    'no_instance',
    'no_responders',
    'no_version',
    'recovering',
    'row_invalid',
  ]);
  t.true(Object.values(UNAVAILABLE_REASONS).every((text) => text.length > 0));
});
