// page-chunks.ts: what is written comes out, whatever its length, no reader sees what a later page writes, and what is not needed goes.
import test from 'ava';
import fc from 'fast-check';
import { ChunkPool, PagePart } from '../../../src/http/routes/page-chunks.js';
import { SimulatedClock } from '../../helpers/simulated-clock.js';

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

test('PAGE-CHUNKS-2: what no page has needed for five minutes is given up, also while smaller pages are written all the time', (t) => {
  const clock = new SimulatedClock();
  const pool = new ChunkPool((fn, ms) => clock.setTimeout(fn, ms));
  const write = (characters: number): void => {
    const part = new PagePart(pool);
    part.write('x'.repeat(characters));
    part.release();
  };
  const scrapes = (minutes: number, characters: number): void => {
    for (let at = 0; at < minutes * 60; at += 15) {
      write(characters);
      clock.advance(15_000);
    }
  };
  write(1_000_000);
  const large = pool.free;
  t.true(large > 10);
  scrapes(4, 1);
  t.is(pool.free, large, 'a large page may follow within five minutes');
  scrapes(6, 1);
  t.is(pool.free, 1);
  scrapes(20, 1_000_000);
  t.is(pool.free, large, 'what each page needs stays');
  clock.advance(600_000);
  t.is(pool.free, 0);
  clock.advance(3_600_000);
  write(1);
  t.is(pool.free, 1, 'and it begins anew');
});
