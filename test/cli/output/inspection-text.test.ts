import test from 'ava';
import { InspectionText } from '../../../src/cli/output/inspection-text.js';

const frame = (type: string, rest: object): string =>
  JSON.stringify({ type: `@xstate.${type}`, sessionId: 'a@v1', createdAt: '1700000000000', ...rest });
const AT = '2023-11-14T22:13:20.000Z  a@v1  ';

test('inspect --follow: a line for an actor, its events and its states, with the event that led to each', (t) => {
  const text = new InspectionText();
  t.deepEqual(
    [
      frame('actor', { snapshot: { status: 'active', value: { closed: 'steady' } } }),
      frame('event', { event: { type: 'attempt.failed' } }),
      frame('snapshot', { event: { type: 'attempt.failed' }, snapshot: { status: 'active', value: 'open' } }),
      frame('snapshot', { event: { type: 'settings.changed' }, snapshot: { status: 'active', value: 'open' } }),
      frame('snapshot', { event: { type: 'x' }, snapshot: { status: 'error', value: 'open', error: 'Error: a bug' } }),
    ].map((line) => text.line(line)),
    [
      `${AT}is closed.steady\n`,
      `${AT}attempt.failed\n`,
      `${AT}closed.steady → open, by attempt.failed\n`,
      '',
      `${AT}open → failed: Error: a bug, by x\n`,
    ],
  );
});

test('inspect --follow: what is watched, and what was left out', (t) => {
  const text = new InspectionText();
  t.is(text.line('{"control":"watching","targets":["a@v1","b@v1"],"left_out":0}'), 'watching a@v1, b@v1\n');
  t.is(
    text.line('{"control":"watching","targets":["a@v1"],"left_out":7}'),
    'watching a@v1, and 7 more that this connection does not show\n',
  );
  t.is(text.line('{"control":"watching","targets":[],"left_out":0}'), 'watching nothing yet\n');
  t.is(
    text.line('{"control":"dropped","target":"a@v1","events":3,"snapshots":1}'),
    'a@v1  left out: 3 events, 1 snapshots\n',
  );
});

for (const other of ['no JSON', '[]', '"text"', 'null', '{"type":"@xstate.new"}', '{}'])
  test(`inspect --follow: ${other} is printed as it came`, (t) => {
    t.is(new InspectionText().line(other), `${other}\n`);
  });

test('inspect --follow: what a terminal would obey is escaped', (t) => {
  const line = new InspectionText().line(frame('event', { event: { type: 'a\u001b[31m\n' } }));
  t.is(line, `${AT}a\\u001b[31m\\n\n`);
});
