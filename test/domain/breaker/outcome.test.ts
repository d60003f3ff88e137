import test from 'ava';
import { classify, type Outcome } from '../../../src/domain/breaker/outcome.js';

type End = Parameters<typeof classify>[0];

const outcome = test.macro<[id: string, end: End, code: number, withinGrace: boolean, expected: Outcome]>({
  exec(t, _, end, code, withinGrace, expected) {
    t.is(classify(end, code, withinGrace), expected);
  },
  title: (_, id, end, code, withinGrace, expected) =>
    `${id}: ${end}${end === 'reply' ? ` with service error ${code}` : ''}${withinGrace ? ' within the absence grace' : ''} is ${expected}`,
});

test(outcome, 'O1', 'reply', 0, false, 'success');
test(outcome, 'O1', 'reply', 200, false, 'success');
test(outcome, 'O1', 'reply', 400, false, 'success');
test(outcome, 'O1', 'reply', 404, false, 'success');
test(outcome, 'O1', 'reply', 428, false, 'success');
test(outcome, 'OUTCOME-2, FM 35', 'reply', 429, false, 'neutral');
test(outcome, 'O1', 'reply', 430, false, 'success');
test(outcome, 'O1', 'reply', 499, false, 'success');
test(outcome, 'OUTCOME-1, FM 31', 'reply', 500, false, 'failure');
test(outcome, 'OUTCOME-1, FM 31', 'reply', 503, false, 'failure');
test(outcome, 'OUTCOME-1, FM 31', 'reply', 99_999, false, 'failure');
test(outcome, 'O1', 'timeout', 0, false, 'failure');
test(outcome, 'O1', 'no_responders', 0, false, 'failure');
test(outcome, 'OUTCOME-3, FM 32', 'no_responders', 0, true, 'neutral');
test(outcome, 'O3', 'timeout', 0, true, 'failure');
test(outcome, 'O3', 'reply', 500, true, 'failure');
test(outcome, 'OUTCOME-2, FM 31', 'disconnected', 0, false, 'neutral');
test(outcome, 'OUTCOME-2, FM 31', 'not_permitted', 0, false, 'neutral');
test(outcome, 'O2', 'too_large', 0, false, 'neutral');
