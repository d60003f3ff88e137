// README.md and the tour as blocks, the commands of a block, and what a block of output says in general.
import { execFileSync } from 'node:child_process';
import { readProjectFile } from './page.js';

export interface Block {
  /** The nearest `## ` above it; '' before the first. */
  readonly section: string;
  /** `sh`, `sql`, `js`; '' for output. */
  readonly language: string;
  readonly text: string;
}

/** In their order. `path`: of a page, from the root of the project. */
export function blocksOf(path: string): readonly Block[] {
  const page = readProjectFile(path);
  return [...page.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(({ index, 1: language = '', 2: text = '' }) => {
    const headings = [...page.slice(0, index).matchAll(/^## (.*)$/gm)];
    return { section: headings.at(-1)?.[1] ?? '', language, text };
  });
}

/** The output that README.md shows in a section. Throws if it shows none. */
export function outputIn(section: string): string {
  const block = blocksOf('README.md').find((one) => one.section === section && one.language === '');
  if (block === undefined) throw new Error(`README.md shows no output in ${section}`);
  return block.text;
}

/** What a shell would take as one command: lines go together until they are complete. */
export function commandsOf(text: string): readonly string[] {
  const commands: string[] = [];
  let open = '';
  for (const line of text.split('\n')) {
    open = open === '' ? line : `${open}\n${line}`;
    if (open.trim() === '') open = '';
    else if (isComplete(open)) {
      commands.push(open);
      open = '';
    }
  }
  if (open !== '') throw new Error(`README.md has a command without its end: ${open}`);
  return commands;
}

function isComplete(command: string): boolean {
  try {
    execFileSync('bash', ['-n', '-c', command], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Statements, without their comments. */
export function statementsOf(text: string): readonly string[] {
  return text
    .replaceAll(/--.*$/gm, '')
    .split(/;\s*$/m)
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '');
}

/**
 * What every output of this kind matches: numbers are any numbers, a token any token, `…` alone on a line any lines.
 * Lines of the prompt (`$ …`) are left out.
 */
export function shapeOf(output: string): RegExp {
  const lines = output
    .trimEnd()
    .split('\n')
    .filter((line) => !line.startsWith('$ '))
    .map((line) => (line.trim() === '…' ? '(?:.*\n)*?' : `${shapeOfLine(line)}\n`));
  return new RegExp(lines.join(''));
}

function shapeOfLine(line: string): string {
  return line
    .replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
    .replaceAll(/token \S+/g, 'token \\S+')
    .replaceAll(/ *\d+(?:\\\.\d+)?/g, ' *\\d+(?:\\.\\d+)?')
    .replaceAll('\\.extreg/', '\\S*');
}
