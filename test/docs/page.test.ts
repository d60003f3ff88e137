import test from 'ava';
import { filesOf, isLike, sectionOf, stepsOf } from './page.js';

const PAGE = `# A page

## One

Write \`a.sql\`, not \`b\`:

\`\`\`sql
select 1;
\`\`\`

\`\`\`console
$ first
out
put
$ second
\`\`\`

## Two

\`\`\`yaml
no: file
\`\`\`
`;

test('page: a block is the file that its paragraph names', (t) => {
  t.deepEqual([...filesOf(PAGE)], [['a.sql', 'select 1;\n']]);
});

test('page: each command has what stands under it', (t) => {
  t.deepEqual(stepsOf(PAGE), [
    { command: 'first', expected: 'out\nput' },
    { command: 'second', expected: '' },
  ]);
});

test('page: a section ends where the next begins', (t) => {
  t.true(sectionOf(PAGE, 'One').includes('select 1'));
  t.false(sectionOf(PAGE, 'One').includes('no: file'));
  t.throws(() => sectionOf(PAGE, 'Three'));
});

test('page: what is shown is matched line by line, but for what time and chance decide', (t) => {
  t.true(isLike('v1   yes  12.5\n', 'v1  yes  …'));
  t.true(isLike('203 a\n7 b', '~190 a\n~10 b'));
  t.false(isLike('240 a\n7 b', '~180 a\n~10 b'));
  t.false(isLike('100 a\n51 b', '100 a\n50 b'));
  t.false(isLike('100 a', '100 a\n50 b'));
  t.false(isLike('100 a\n50 b', '100 a'));
  t.false(isLike('100 a more', '100 a'));
  t.false(isLike('Extreg-Version: v1', 'Extreg-Version: v.'));
});
