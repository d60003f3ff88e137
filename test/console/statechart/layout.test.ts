// Where the parts of a chart stand.
import test from 'ava';
import { machineOf } from '../../../console/statechart/definition.js';
import { type Box, childAbove, type Layout, layoutOf, type Point } from '../../../console/statechart/layout.js';
import { breakerMachine } from '../../../src/machines/breaker-machine.js';
import { supervisorMachine } from '../../../src/machines/supervisor-machine.js';
import { definitionOf } from './definitions.js';

const machine = machineOf(definitionOf(breakerMachine));
const options = { showsBoot: false, showsActions: false };
const DIRECTIONS = ['down', 'across'] as const;
const boxOf = ({ boxes }: Layout, key: string): Box => {
  const box = boxes.find(({ node }) => node.key === key);
  if (box === undefined) throw new Error(`no box ${key}`);
  return box;
};

const isWithin = (inner: Box, outer: Box): boolean =>
  inner.x > outer.x &&
  inner.y > outer.y &&
  inner.x + inner.width < outer.x + outer.width &&
  inner.y + inner.height < outer.y + outer.height;

const overlap = (a: Box, b: Box): boolean =>
  a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;

const onBorder = ({ x, y }: Point, box: Box): boolean => {
  const near = (a: number, b: number) => Math.abs(a - b) < 0.01;
  const inX = x >= box.x - 0.01 && x <= box.x + box.width + 0.01;
  const inY = y >= box.y - 0.01 && y <= box.y + box.height + 0.01;
  const atX = near(x, box.x) || near(x, box.x + box.width);
  const atY = near(y, box.y) || near(y, box.y + box.height);
  return (atX && inY) || (atY && inX);
};

for (const direction of DIRECTIONS) {
  const chart = layoutOf(machine, { ...options, direction });

  test(`LAYOUT-1: ${direction}: boxes lie within their parents, and beside each other`, (t) => {
    t.is(chart.boxes.length, 9);
    for (const a of chart.boxes) {
      t.true(a.x >= 0 && a.y >= 0 && a.x + a.width <= chart.width && a.y + a.height <= chart.height, a.node.id);
      for (const b of chart.boxes) {
        if (a === b) continue;
        if (a.node.parent === b.node) t.true(isWithin(a, b), `${a.node.id} in ${b.node.id}`);
        if (a.node.parent === b.node.parent) t.false(overlap(a, b), `${a.node.id} and ${b.node.id}`);
      }
    }
  });

  test(`LAYOUT-1: ${direction}: every line begins and ends at the border of a box of one level`, (t) => {
    t.true(chart.lines.length >= 8);
    for (const { from, to, points } of chart.lines) {
      t.is(from.parent, to.parent);
      t.true(onBorder(points[0] as Point, boxOf(chart, from.key)), `${from.key} → ${to.key} begins`);
      t.true(onBorder(points.at(-1) as Point, boxOf(chart, to.key)), `${from.key} → ${to.key} ends`);
      t.true(points.every(({ x, y }) => x >= 0 && y >= 0 && x <= chart.width && y <= chart.height));
    }
  });

  test(`${direction}: rows fit into their box, above what is within it`, (t) => {
    for (const box of chart.boxes)
      for (const { left, guard, right, x, y } of box.rows) {
        t.true((left.length + guard.length + right.length) * 7.25 + 24 <= box.width, `${box.node.key} ${left}`);
        t.true(x > box.x && y > box.y && y + 18 <= box.y + box.height);
        const inner = chart.boxes.filter(({ node }) => node.parent === box.node);
        t.true(
          inner.every((one) => one.y >= y + 18),
          `${box.node.key} ${left}`,
        );
      }
  });
}

test('every transition of the breaker is a row, a chip or left out with the boot state', (t) => {
  const count = (layout: Layout) => layout.boxes.flatMap(({ rows }) => rows).length + layout.chips.length;
  const hidden = machine.nodes.find(({ key }) => key === 'restoring')?.transitions.length ?? 0;
  t.is(count(layoutOf(machine, { ...options, direction: 'down' })), machine.transitions.length - hidden);
  const all = layoutOf(machine, { ...options, direction: 'down', showsBoot: true });
  t.is(count(all), machine.transitions.length);
  t.truthy(boxOf(all, 'restoring'));
});

test('LAYOUT-2: there is one line for each pair of boxes that a transition leaves, and none for what stays', (t) => {
  const { lines } = layoutOf(machine, { ...options, direction: 'down' });
  const pairs = lines.map(({ from, to }) => `${from.key} ${to.key}`);
  t.is(new Set(pairs).size, pairs.length);
  const expected = new Set<string>();
  for (const { source, targets } of machine.transitions)
    for (const target of targets)
      for (const parent of machine.nodes) {
        const [from, to] = [childAbove(parent, source), childAbove(parent, target)];
        if (from !== null && to !== null && from !== to && from.key !== 'restoring')
          expected.add(`${from.key} ${to.key}`);
      }
  t.deepEqual([...pairs].sort(), [...expected].sort());
});

test('LAYOUT-3: what leaves every state is a chip', (t) => {
  const { chips } = layoutOf(machine, { ...options, direction: 'down' });
  t.true(chips.some(({ event }) => event === 'breaker.isolate'));
  t.is(chips.length, machine.root.transitions.length);
});

test('LAYOUT-4: also where the boot state is shown, which leads to each of them', (t) => {
  const chart = layoutOf(machine, { ...options, direction: 'down', showsBoot: true });
  const [restoring, closed] = ['restoring', 'closed'].map((key) => boxOf(chart, key).y);
  t.true((restoring ?? 0) < (closed ?? 0));
  for (const key of ['forcedClosed', 'isolated', 'open']) t.true(boxOf(chart, key).y > (closed ?? 0), key);
});

test('LAYOUT-4: states that an operator alone leads to stand beside the others', (t) => {
  const chart = layoutOf(machine, { ...options, direction: 'down' });
  t.true(boxOf(chart, 'forcedClosed').y > boxOf(chart, 'closed').y);
  t.true(chart.height < 1100, `${chart.height}`);
});

test('a machine without lines and one with final states is laid out, too', (t) => {
  const chart = layoutOf(machineOf(definitionOf(supervisorMachine)), { ...options, direction: 'across' });
  t.is(chart.boxes.length, 4);
  const empty = layoutOf(machineOf('{"id":"logic"}'), { ...options, direction: 'down' });
  t.deepEqual([empty.boxes, empty.lines, empty.chips], [[], [], []]);
  t.true(Number.isFinite(empty.width) && Number.isFinite(empty.height));
});
