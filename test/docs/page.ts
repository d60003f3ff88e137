// A page of docs/ as somebody follows it: the files it has him write, the commands it has him type, what they should print.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export interface Step {
  readonly command: string;
  readonly expected: string;
}

interface Fence {
  readonly language: string;
  readonly text: string;
  /** The paragraph above it. */
  readonly lead: string;
}

const FENCE = /^```(\w+)\n([\s\S]*?)^```$/gm;

function fencesOf(page: string): Fence[] {
  return [...page.matchAll(FENCE)].map(({ index, 1: language = '', 2: text = '' }) => ({
    language,
    text,
    lead: page.slice(0, index).trimEnd().split('\n\n').at(-1) ?? '',
  }));
}

/** By name, each block whose paragraph names a file that it could be: the last that it names. */
export function filesOf(page: string): ReadonlyMap<string, string> {
  return new Map(
    fencesOf(page).flatMap(({ language, text, lead }) => {
      const [, name] = [...lead.matchAll(/`([\w-]+\.(?:mjs|sh|sql|yaml))`/g)].at(-1) ?? [];
      return name === undefined || language === 'console' ? [] : [[name, text] as const];
    }),
  );
}

/** In the order in which they stand; a command is one line after the prompt. */
export function stepsOf(page: string): Step[] {
  return fencesOf(page)
    .filter(({ language }) => language === 'console')
    .flatMap(({ text }) => text.split(/^\$ /m).slice(1))
    .map((step) => {
      const [command = ''] = step.split('\n');
      return { command, expected: step.slice(command.length + 1).trimEnd() };
    });
}

/** The part of a page under one heading, up to the next of its rank. */
export function sectionOf(page: string, heading: string): string {
  const [, section] = page.split(`\n## ${heading}\n`);
  if (section === undefined) throw new Error(`there is no section ${heading}`);
  return section.split('\n## ')[0] ?? '';
}

/**
 * Whether something printed is what a page shows: `…` is anything within a line, `~190` a number not far from 190, and columns
 * are as wide as they are.
 */
export function isLike(printed: string, shown: string): boolean {
  const wanted = shown.trimEnd().split('\n');
  const lines = printed.trimEnd().split('\n');
  return lines.length === wanted.length && wanted.every((line, i) => isLineLike(lines[i] ?? '', line));
}

function isLineLike(printed: string, shown: string): boolean {
  const about: number[] = [];
  const pattern = shown
    .trimEnd()
    .replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
    .replace(/~(\d+)/g, (_, number: string) => {
      about.push(Number(number));
      return '(\\d+)';
    })
    .replaceAll('…', '.+')
    .replace(/ +/g, ' +');
  const found = new RegExp(`^${pattern}$`).exec(printed.trimEnd());
  return found !== null && about.every((number, i) => isAbout(Number(found[i + 1]), number));
}

const isAbout = (got: number, shown: number): boolean => Math.abs(got - shown) <= Math.max(15, shown * 0.3);

export const readProjectFile = (path: string): string =>
  readFileSync(fileURLToPath(new URL(`../../../${path}`, import.meta.url)), 'utf8');
