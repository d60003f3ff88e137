// PAGE-CHUNKS-1 of page-chunks.ts: what is written comes out, whatever its length, and no reader sees what a later page writes.
import test from 'ava';
import fc from 'fast-check';
import { ChunkPool, PagePart } from '../../../src/http/routes/page-chunks.js';

const textOf = (part: PagePart): string => Buffer.concat([...part.copies()]).toString();

test('PAGE-CHUNKS-1: texts of any length and of any characters come out as they were written', (t) => {
  const pool = new ChunkPool();
  const piece = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 40 }),
    fc
      .record({ of: fc.constantFrom('x', 'é', '€', '😀', 'x😀'), times: fc.nat(70_000) })
      .map(({ of, times }) => of.repeat(times)),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (texts) => {
      const part = new PagePart(pool);
      for (const text of texts) part.write(text);
      const written = textOf(part);
      part.release();
      // Not t.is: it would print a hundred kilobytes.
      t.true(written === texts.join(''));
    }),
    { numRuns: 60 },
  );
});

test('PAGE-CHUNKS-1: chunks are used again, and what a reader has is not written to', (t) => {
  const pool = new ChunkPool();
  const first = new PagePart(pool);
  first.write('a'.repeat(100_000));
  const copies = [...first.copies()];
  first.release();
  const { free } = pool;
  t.true(free >= 2);
  const second = new PagePart(pool);
  const other = new PagePart(pool);
  second.write('b'.repeat(100_000));
  t.is(pool.free, 0);
  other.write('c');
  t.true(copies.every((copy) => copy.every((byte) => byte === 97)));
  t.true(textOf(second) === 'b'.repeat(100_000));
  t.is(textOf(other), 'c');
  second.release();
  other.release();
  t.is(pool.free, free + 1);
});
