// Links between the pages of the project lead to files and headings that exist.
import { existsSync, readdirSync } from 'node:fs';
import { posix } from 'node:path';
import test from 'ava';
import { readProjectFile } from './page.js';

const PAGES = [
  ...['README.md', 'ARCHITECTURE.md', 'CHANGELOG.md', 'examples/README.md'],
  ...readdirSync('docs', { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

/** As a Markdown heading is linked to. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\w\- ]/g, '')
    .replaceAll(' ', '-');

/** Markdown without its code blocks. */
const proseOf = (page: string): string => page.replace(/^```[\s\S]*?^```$/gm, '');

/** Links of a page that lead nowhere, as they are written, and how many were looked at. */
function brokenLinks(path: string, page: string): { readonly broken: string[]; readonly count: number } {
  const links = [...proseOf(page).matchAll(/\]\(((?!https?:)[^)#\s]*)(?:#([^)\s]+))?\)/g)];
  const broken = links.filter(([, to = '', anchor]) => {
    const target = to === '' ? path : posix.join(posix.dirname(path), to);
    if (!existsSync(target)) return true;
    if (anchor === undefined) return false;
    const text = proseOf(target === path ? page : readProjectFile(target));
    return ![...text.matchAll(/^#+ (.*)$/gm)].some(([, heading = '']) => anchorOf(heading) === anchor);
  });
  return { broken: broken.map(([link]) => `${path}: ${link}`), count: links.length };
}

test('pages: each link leads to a file and a heading that exist', (t) => {
  const found = PAGES.map((path) => brokenLinks(path, readProjectFile(path)));
  t.deepEqual(
    found.flatMap(({ broken }) => broken),
    [],
  );
  t.true(found.reduce((sum, { count }) => sum + count, 0) > 150, 'the links were looked at');
});

test('pages: a link to a missing file or heading is found', (t) => {
  const page =
    '# One two\n[a](none.md) [b](#one-two) [c](#three) [d](docs/wire.md#headers) [e](docs/wire.md#x)\n```\n[f](y)\n```\n';
  t.deepEqual(brokenLinks('README.md', page), {
    broken: ['README.md: ](none.md)', 'README.md: ](#three)', 'README.md: ](docs/wire.md#x)'],
    count: 5,
  });
});
