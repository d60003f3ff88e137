import test from 'ava';
import { EVENT_KINDS } from '../../../src/domain/registry/events.js';

test('event kinds: each is one subject token and named once', (t) => {
  t.true(EVENT_KINDS.length >= 10);
  t.is(new Set<string>(EVENT_KINDS).size, EVENT_KINDS.length);
  for (const kind of EVENT_KINDS) t.regex(kind, /^[a-z]+(_[a-z]+)*$/);
});
