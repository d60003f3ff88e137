// bench/RESULTS.md: a section for each benchmark, which the others leave alone.
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';

const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url));

export const RESULTS_FILE = here('../../bench/RESULTS.md');

export function writeSection(name: string, section: string): void {
  writeFileSync(RESULTS_FILE, withSection(readFileSync(RESULTS_FILE, 'utf8'), name, section));
}

/** `text` with `section` between the marks of `name`. Throws where it has no such place. */
export function withSection(text: string, name: string, section: string): string {
  const begin = `<!-- ${name} -->\n`;
  const start = text.indexOf(begin);
  const end = text.indexOf(`<!-- /${name} -->`);
  if (start < 0 || end < start) throw new Error(`there is no place for ${name}`);
  return text.slice(0, start + begin.length) + section + text.slice(end);
}

export function machine(): string {
  const [cpu] = cpus();
  return `${cpus().length} × ${cpu?.model.trim() ?? 'unknown CPU'}, ${process.platform} ${process.arch}`;
}

/** Name and version of a package as it is installed. */
export function packageVersion(name: string): string {
  const manifest = JSON.parse(readFileSync(here(`../../node_modules/${name}/package.json`), 'utf8')) as {
    version: string;
  };
  return `${name} ${manifest.version}`;
}

/** With one digit after the point below a hundred; empty where there is none. */
export const nanoseconds = (cost: number | undefined): string =>
  cost === undefined ? '' : cost.toFixed(cost < 100 ? 1 : 0);

/** In Markdown; every column but the first holds numbers. */
export const table = (header: readonly string[], rows: readonly (readonly string[])[]): string =>
  [header, header.map((_, i) => (i === 0 ? '---' : '---:')), ...rows]
    .map((cells) => `| ${cells.join(' | ')} |\n`)
    .join('');
